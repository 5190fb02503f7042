"""What reading endpoints share: loads what the token may see, and answers with the headers of caches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

import safercities
from safercities.hub import published
from safercities.hub.access import Actor, Right, load, visible
from safercities.hub.api.problems import ApiProblem
from safercities.hub.figures import Figures
from safercities.hub.models import Observatory, Scope, Token
from safercities.model.errors import SafercitiesError

JSON = "application/json"


def token_of(request: HttpRequest) -> Token | None:
    """The good token of this request."""
    token: Token | None = request.api_token  # type: ignore[attr-defined]
    return token


def reader(request: HttpRequest, slug: str | None) -> Actor:
    """Whoever reads: the owner of a token that reaches this far, else nobody in particular. Cookies do not count."""
    token = token_of(request)
    if token is None or Scope.READ_PRIVATE not in token.scopes:
        return AnonymousUser()
    if token.observatory is not None and token.observatory.slug != slug:
        return AnonymousUser()
    return token.user


def readable(request: HttpRequest, slug: str) -> Observatory:
    """The observatory of an address, if whoever asks may read its releases.

    Raises
    ------
    Http404
        If there is none, or it is none of their business: the same, and after the same questions to the database.
    """
    return load(reader(request, slug), slug, Right.SEE_RELEASES)


def all_readable(request: HttpRequest) -> list[Observatory]:
    """All observatories that whoever asks may read."""
    token = token_of(request)
    found: Iterable[Observatory] = visible(reader(request, None)).order_by("slug")
    if token is not None and token.observatory is not None and not token.observatory.public:
        with suppress(Http404):
            found = [*found, readable(request, token.observatory.slug)]
    return sorted(found, key=lambda one: one.slug)


def figures_of(observatory: Observatory) -> Figures:
    """Its published figures.

    Raises
    ------
    ApiProblem
        If there are none yet, or they are being made anew.
    """
    try:
        found = published.figures(observatory)
    except SafercitiesError:
        raise ApiProblem("figures-unreadable", headers={"Retry-After": "60"}) from None
    if found is None:
        raise ApiProblem("nothing-published")
    return found


def etag(request: HttpRequest, *parts: str) -> str:
    """The mark of an answer: as long as the figures are the same, so is the answer to the same question."""
    asked = "&".join(sorted(f"{name}={value}" for name, values in request.GET.lists() for value in values))
    said = "\0".join([safercities.__version__, request.path, asked, *parts])
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


def unchanged(request: HttpRequest, mark: str) -> bool:
    """Whether the client has this answer already."""
    given = parse_etags(request.headers.get("If-None-Match", ""))
    return any(one == "*" or one.removeprefix("W/") == mark for one in given)


def answer(
    request: HttpRequest,
    mark: str,
    make: Callable[[], HttpResponseBase],
    *,
    public: bool,
) -> HttpResponseBase:
    """The answer, or that it has not changed; it is made only if it is needed.

    Parameters
    ----------
    mark
        See `etag`.
    public
        Whether shared caches may keep it.
    """
    response = HttpResponse(status=304) if unchanged(request, mark) else make()
    if response.status_code == 304:
        del response.headers["Content-Type"]
    shared = public and "Authorization" not in request.headers
    response.headers["ETag"] = mark
    # whoever keeps it asks each time: a number that was corrected is gone with the next request, see hub/kept.py
    response.headers["Cache-Control"] = f"{'public' if shared else 'private'}, no-cache"
    patch_vary_headers(response, ("Accept", "Authorization"))
    return response


def json_answer(request: HttpRequest, said: Any, *, public: bool) -> HttpResponseBase:
    """A small answer."""
    return bytes_answer(request, json.dumps(said, ensure_ascii=False, default=str).encode(), public=public)


def bytes_answer(request: HttpRequest, body: bytes, *, public: bool) -> HttpResponseBase:
    """An answer of JSON that is written already: its mark is that of its own bytes."""
    mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return answer(request, mark, lambda: HttpResponse(body, content_type=JSON), public=public)


def stream(pieces: Iterable[bytes], media_type: str, name: str) -> StreamingHttpResponse:
    """A file that is written while it is read."""
    response = StreamingHttpResponse(pieces, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
