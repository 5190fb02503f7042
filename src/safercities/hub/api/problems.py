"""What the API says when it cannot do what was asked: problem details (RFC 9457) with codes that stay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse

from safercities.model.errors import SafercitiesError

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:safercities:problem:"

#: Code → status and title. The codes are part of the API: they are never given another meaning.
CODES: dict[str, tuple[int, str]] = {
    "ambiguous-flow": (400, "Several observatories have a data flow of that name"),
    "bad-length": (411, "The length of the body has to be said"),
    "bad-media-type": (415, "The body is of a kind that is not taken here"),
    "busy": (409, "Something else is being done there at the moment"),
    "cursor-stale": (400, "The page belongs to an earlier state of the figures"),
    "figures-unreadable": (503, "The figures are being prepared"),
    "forbidden": (403, "That may not be done with this token"),
    "identity-unpinned": (409, "Nobody has said yet whose releases are taken here"),
    "indicator-required": (400, "An indicator has to be named for this"),
    "invalid-parameter": (400, "A parameter is wrong"),
    "method-not-allowed": (405, "That cannot be done with this address"),
    "no-data": (404, "Nothing fits what was asked for"),
    "not-acceptable": (406, "It cannot be had in that format"),
    "not-found": (404, "There is nothing here"),
    "not-implemented": (501, "That is not offered here"),
    "nothing-published": (404, "Nothing has been published yet"),
    "rate-limited": (429, "Too many requests"),
    "release-gap": (409, "A release before this one is missing"),
    "release-differs": (409, "Another release has this number already"),
    "release-refused": (422, "The release does not hold"),
    "server-error": (500, "Something went wrong on our side"),
    "too-large": (413, "That is too much at once"),
    "two-people": (403, "Here a second person has to approve what is published"),
    "unauthorized": (401, "A good token is needed for this"),
}


@dataclass(frozen=True)
class Wrong:
    """One parameter that is wrong, and why."""

    parameter: str
    message: str


@dataclass
class ApiProblem(Exception):
    """Raised by endpoints; answered as problem details.

    Parameters
    ----------
    code
        One of `CODES`.
    detail
        What is wrong this time; nothing of what is inside.
    errors
        Parameters that are wrong.
    """

    code: str
    detail: str = ""
    errors: Sequence[Wrong] = ()
    headers: dict[str, str] = field(default_factory=dict)
    reasons: Sequence[dict[str, Any]] = ()

    def response(self) -> HttpResponse:
        """The answer."""
        status, title = CODES[self.code]
        said: dict[str, Any] = {"type": _TYPE + self.code, "title": title, "status": status, "code": self.code}
        if self.detail:
            said["detail"] = self.detail
        if self.errors:
            said["errors"] = [{"parameter": one.parameter, "message": one.message} for one in self.errors]
        if self.reasons:
            said["reasons"] = list(self.reasons)
        body = json.dumps(said, ensure_ascii=False)
        return HttpResponse(body, status=status, content_type=MEDIA_TYPE, headers={**_FIXED, **self.headers})


_FIXED = {
    "Cache-Control": "no-store",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def wrong(parameter: str, message: str) -> ApiProblem:
    """One wrong parameter."""
    return ApiProblem("invalid-parameter", f"{parameter}: {message}", [Wrong(parameter, message)])


def refused(error: SafercitiesError) -> ApiProblem:
    """What does not hold of a release, in the words of the catalogue; files by their names only."""
    reasons = [{"code": one.code, "what": one.masked.what, "todo": one.masked.todo} for one in error.problems[:20]]
    return ApiProblem("release-refused", reasons[0]["what"] if reasons else "", reasons=reasons)
