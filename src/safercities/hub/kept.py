"""Answers for everybody, kept in memory: given again without asking a view while what they were made of is the same.

Deny by default: kept is what a view marks by `keep`, for visitors without account, token or foreign cookie; and before
each use the state of its observatory is asked anew, so that what was hidden or corrected is gone with the next request.
Django's own cache of pages goes by time; here a number that was corrected must not be shown for another minute.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language_from_request

from safercities.hub import published
from safercities.hub.figures.cache import MOST_OF_ONE, Cache

MOST_BYTES = 96 * 2**20
#: Longer addresses are no links of ours.
_LONGEST = 1_000
#: Smaller ones would not come sooner.
_PACKED_FROM = 1_000
#: Bytes that a header takes, about: most of their texts are those of other answers too.
_EACH_HEADER = 200
#: Of these headers each answer has its own.
_OWN = frozenset({"ratelimit", "ratelimit-policy", "x-request-id"})
Again = Callable[[HttpRequest, HttpResponse], HttpResponse]
#: Name in small letters → name and text.
_Headers = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class _Mark:
    slug: str | None
    state: str
    again: Again | None


def keep(response: HttpResponseBase, slug: str | None, state: str, again: Again | None = None) -> None:
    """Mark an answer: it is the same for everybody who asks for this address, in this language and format.

    Parameters
    ----------
    slug, state
        The observatory it is about, which must be public, and its `published.state` from before the answer was made.
    again
        What is to be done each time it is given again; gives what is sent.
    """
    if state:  # else it was hidden when the answer was begun, and would be found again when it is hidden the next time
        response.kept_by = _Mark(slug, state, again)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Answer:
    """An answer as it is sent: packed, where that makes it smaller; unpacked again for the few who do not take that."""

    mark: _Mark
    headers: _Headers
    body: bytes
    packed: bool
    match: ResolverMatch | None

    @property
    def size(self) -> int:
        """Bytes, about."""
        return len(self.body) + _EACH_HEADER * len(self.headers)

    def again(self, request: HttpRequest) -> HttpResponse:
        """For this request, with what is to be done each time."""
        response = self.give(request)
        return self.mark.again(request, response) if self.mark.again is not None else response

    def give(self, request: HttpRequest) -> HttpResponse:
        """For this request: whole, or that it has not changed."""
        request.resolver_match = self.match  # logs and metrics go by it
        response = HttpResponse(self.body)
        response.headers._store = dict(self.headers)  # Django checked them when it was made
        if self.packed and not _takes_gzip(request):
            response.content = gzip.decompress(self.body)
            response.headers["Content-Length"] = str(len(response.content))
            del response.headers["Content-Encoding"]
        mark = response.headers.get("ETag")
        found = get_conditional_response(request, etag=mark, response=response) if mark else response
        assert isinstance(found, HttpResponse)  # noqa: S101 (what it was given, or one that says "not modified")
        return found


def _takes_gzip(request: HttpRequest) -> bool:
    parts = (part.replace(" ", "").lower() for part in request.META.get("HTTP_ACCEPT_ENCODING", "").split(","))
    return any(part == "gzip" or (part.startswith("gzip;q=") and part[7:].strip("0.")) for part in parts)


CACHE = Cache(MOST_BYTES)


class Kept:
    """Gives what is kept; keeps what is marked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer from memory, if that is still true, else by the view."""
        key = _key(request)
        if key is None:
            return self.get_response(request)
        found = _found(key)
        return found.again(request) if found is not None else self._made(request, key)

    def _made(self, request: HttpRequest, key: tuple[str, ...]) -> HttpResponse:
        response = self.get_response(request)
        mark: _Mark | None = getattr(response, "kept_by", None)
        if mark is None or request.method != "GET" or not _for_all(response):
            return response
        answer = _answer(request, response, mark)
        if len(response.content) <= MOST_OF_ONE:
            CACHE.keep(key, answer, answer.size)
        given = answer.give(request)
        for name, text in response.headers.items():
            if name.lower() in _OWN:
                given.headers[name] = text
        return given


def find(request: HttpRequest) -> Answer | None:
    """The answer that is kept for this request, if it is still true."""
    key = _key(request)
    return None if key is None else _found(key)


def _found(key: tuple[str, ...]) -> Answer | None:
    found: Answer | None = CACHE.find(key)
    return found if found is not None and published.state(found.mark.slug) == found.mark.state else None


def _key(request: HttpRequest) -> tuple[str, ...] | None:
    """What an answer may differ by; None for whoever is perhaps not nobody."""
    meta = request.META
    if request.method not in ("GET", "HEAD") or "HTTP_AUTHORIZATION" in meta or "HTTP_RANGE" in meta or settings.DEBUG:
        return None
    if set(request.COOKIES) - {settings.LANGUAGE_COOKIE_NAME}:
        return None
    asked = (request.path_info, meta.get("QUERY_STRING", ""), meta.get("HTTP_HOST", ""), meta.get("HTTP_ACCEPT", ""))
    if sum(map(len, asked)) > _LONGEST:
        return None
    return (*asked, request.scheme or "", get_language_from_request(request))


def _for_all(response: HttpResponse) -> bool:
    """Whether nothing of it is somebody's own."""
    said = response.headers.get("Cache-Control", "")
    own = "private" in said or "no-store" in said or "Set-Cookie" in response.headers or bool(response.cookies)
    return response.status_code == 200 and not response.streaming and not own and "Content-Encoding" not in response


def _answer(request: HttpRequest, response: HttpResponse, mark: _Mark) -> Answer:
    body, sent = response.content, HttpResponse(headers=_unowned(response))
    packed = len(body) >= _PACKED_FROM and _text(response)
    if packed:
        body = gzip.compress(body, 6, mtime=0)
        patch_vary_headers(sent, ("Accept-Encoding",))
        sent.headers["Content-Encoding"] = "gzip"
        if sent.headers.get("ETag", "").startswith('"'):
            sent.headers["ETag"] = f"W/{sent.headers['ETag']}"  # two forms: the same in meaning, not byte by byte
    sent.headers["Content-Length"] = str(len(body))
    headers = {intern(name): (intern(said), intern(text)) for name, (said, text) in sent.headers._store.items()}
    return Answer(mark, headers, body, packed, request.resolver_match)


def _unowned(response: HttpResponse) -> dict[str, str]:
    return {name: text for name, text in response.headers.items() if name.lower() not in _OWN}


def _text(response: HttpResponse) -> bool:
    kind: Any = response.headers.get("Content-Type", "")
    return kind.startswith("text/") or any(word in kind for word in ("json", "xml"))
