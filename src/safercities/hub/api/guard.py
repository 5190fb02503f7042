"""What every endpoint does before and after its own work: whose token it is, how often they ask, headers, problems."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from safercities.hub.api.limits import Limit, count
from safercities.hub.api.problems import ApiProblem
from safercities.hub.models import Token
from safercities.model.errors import SafercitiesError, UsageError

View = Callable[..., HttpResponseBase]
log = logging.getLogger(__name__)
_LONGEST_TOKEN = 200
#: Headers that a page of another site may read.
_EXPOSED = "ETag, Link, RateLimit, RateLimit-Policy, Retry-After, Content-Disposition, X-Request-ID"


def _plain(request: HttpRequest, problem: ApiProblem) -> HttpResponseBase:
    return problem.response()


def guarded(view: View, say: Callable[[HttpRequest, ApiProblem], HttpResponseBase] = _plain) -> View:
    """Count the request, answer it, and turn whatever goes wrong into what `say` makes of it: problem details."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        limit: Limit | None = None
        try:
            request.get_host()  # refuses names that are not the hub's
            request.api_token = token_of(request)  # type: ignore[attr-defined]
            limit = count(request, request.api_token)  # type: ignore[attr-defined]
            response = view(request, *args, **kwargs)
        except Exception as error:
            response = say(request, problem_of(error))
        if limit is not None:
            limit.write(response)
        return _finished(response)

    return answered


def counted(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """An answer from memory, for somebody without a token: counted as any other."""
    try:
        count(request, None).write(response)
    except ApiProblem as problem:
        refused = problem.response()
        _finished(refused)
        return refused
    return response


def token_of(request: HttpRequest) -> Token | None:
    """The token that the request carries, if it is good."""
    kind, _, word = request.headers.get("Authorization", "").partition(" ")
    word = word.strip()
    if kind.lower() != "bearer" or not word or len(word) > _LONGEST_TOKEN or not word.isascii():
        return None
    return Token.find(word)


def problem_of(error: Exception) -> ApiProblem:
    """What is said of an error: as much as whoever asked can do something about."""
    if isinstance(error, ApiProblem):
        return error
    if isinstance(error, Http404):
        return ApiProblem("not-found")
    if isinstance(error, PermissionDenied):
        return ApiProblem("forbidden")
    if isinstance(error, RequestDataTooBig):
        return ApiProblem("too-large")
    if isinstance(error, UsageError):
        return ApiProblem("invalid-parameter", f"{error.problems[0].what}: {error.problems[0].todo}")
    if isinstance(error, DisallowedHost):
        return ApiProblem("invalid-parameter", "the header Host is not a name of this hub")
    if isinstance(error, MultiPartParserError | SuspiciousOperation):
        return ApiProblem("invalid-parameter", "the body cannot be read")
    # what went wrong stands in the log, without what was asked
    log.error("api", exc_info=error)
    return ApiProblem("figures-unreadable" if isinstance(error, SafercitiesError) else "server-error")


def _finished(response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Access-Control-Allow-Origin", "*")  # no cookie counts here: there is nothing to steal
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    response.headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    patch_vary_headers(response, ("Accept", "Authorization"))
    if isinstance(response, HttpResponse) and response.status_code not in (204, 304):
        response.headers["Content-Length"] = str(len(response.content))
    return response
