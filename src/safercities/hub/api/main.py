"""The API, version 1."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from safercities.hub.api import estimates, shelf, told, webhooks
from safercities.hub.api.document import completed
from safercities.hub.api.guard import guarded, problem_of
from safercities.hub.api.problems import ApiProblem, Wrong

_ABOUT = """Published figures of observatories of urban safety, as they were published: nothing is recalculated.
Reading what is public needs no token. Problems are told as RFC 9457 says, with a `code` that stays the same.
Answers carry an `ETag`; with `If-None-Match` only what has changed is sent again."""


class Api(NinjaAPI):
    """The API, with our own way to tell problems."""

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        """Problem details of whatever went wrong."""
        if isinstance(exc, ValidationError):
            exc = _invalid(exc)
        elif isinstance(exc, HttpError):
            exc = ApiProblem("invalid-parameter", "the body cannot be read")
        return problem_of(exc).response()

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> OpenAPISchema:
        """The document, with the formats and problems that ninja does not know of."""
        return completed(super().get_openapi_schema(*args, **kwargs))


def _invalid(error: ValidationError) -> ApiProblem:
    """Which parameters are wrong, by their own names."""
    wrongs = [Wrong(_name(one["loc"]), str(one["msg"])[:300]) for one in error.errors]
    return ApiProblem("invalid-parameter", f"{wrongs[0].parameter}: {wrongs[0].message}", wrongs)


def _name(loc: tuple[Any, ...]) -> str:
    """ninja's locations are where, the name of the argument, then the parameter."""
    names = [str(part) for part in loc if isinstance(part, str)]
    return names[-1] if names else "body"


api = Api(title="safercities", version="1", docs_url=None, description=_ABOUT)
api.add_decorator(guarded, mode="view")
for _part in (told, estimates, shelf, webhooks):
    api.add_router("", _part.router)
