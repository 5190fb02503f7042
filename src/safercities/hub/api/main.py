"""The API, version 1."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from safercities.hub.api import estimates, shelf, told, webhooks
from safercities.hub.api.document import completed
from safercities.hub.api.guard import guarded, problem_of
from safercities.hub.api.problems import ApiProblem, Wrong
from safercities.hub.api.reading import bytes_answer

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

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """Addresses, each guarded; also of what there is not: that is told as a problem too."""
        found, app, namespace = super().urls
        for pattern in found:
            if isinstance(pattern, URLPattern):
                view = _document if pattern.name == "openapi-json" else pattern.callback
                pattern.callback = guarded(_with_head(view))
        return [*found, re_path("", _nothing)], app, namespace

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> OpenAPISchema:
        """The document, with the formats and problems that ninja does not know of."""
        return completed(super().get_openapi_schema(*args, **kwargs))


def _with_head(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """HEAD is answered as GET, without the body; methods that are not offered, by a problem."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        head, request.method = request.method == "HEAD", "GET" if request.method == "HEAD" else request.method
        response = view(request, *args, **kwargs)
        if head:
            request.method = "HEAD"  # servers leave out the body
        if response.status_code == 405:
            raise ApiProblem("method-not-allowed", headers={"Allow": response.headers["Allow"]})
        return response

    return answered


@csrf_exempt
@guarded
def _nothing(request: HttpRequest) -> HttpResponseBase:
    """There is nothing at this address."""
    raise Http404


def _document(request: HttpRequest) -> HttpResponseBase:
    """The document of the API; made once, since that takes long."""
    if request.method != "GET":
        raise ApiProblem("method-not-allowed", headers={"Allow": "GET, HEAD"})
    return bytes_answer(request, _written(), public=True)


@cache
def _written() -> bytes:
    return json.dumps(api.get_openapi_schema(), ensure_ascii=False).encode()


def _invalid(error: ValidationError) -> ApiProblem:
    """Which parameters are wrong, by their own names."""
    wrongs = [Wrong(_name(one["loc"]), str(one["msg"])[:300]) for one in error.errors]
    return ApiProblem("invalid-parameter", f"{wrongs[0].parameter}: {wrongs[0].message}", wrongs)


def _name(loc: tuple[Any, ...]) -> str:
    """ninja's locations are where, the name of the argument, then the parameter."""
    names = [str(part) for part in loc if isinstance(part, str)]
    return names[-1] if names else "body"


api = Api(title="safercities", version="1", docs_url=None, description=_ABOUT)
for _part in (told, estimates, shelf, webhooks):
    api.add_router("", _part.router)
