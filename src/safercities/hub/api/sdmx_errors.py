"""What the SDMX interface says when it cannot: an error message of SDMX-ML; problem details to who asks for JSON."""

from __future__ import annotations

from xml.sax.saxutils import escape

from django.http import HttpRequest, HttpResponse

from safercities.hub.api.problems import CODES, ApiProblem
from safercities.model.printable import one_line

MEDIA_TYPE = "application/xml"
#: Status → code of SDMX. Source: SDMX Technical Working Group, "SDMX 2.1, section 7", 4.8, standard error messages.
_CODES = {400: 140, 401: 110, 403: 150, 404: 100, 413: 130, 500: 500, 501: 501, 503: 503}
#: Codes from here on are a service's own: for what SDMX has none for.
_OWN = 1_000


def told(request: HttpRequest, problem: ApiProblem) -> HttpResponse:
    """The answer."""
    plain = problem.response()
    accept = request.headers.get("Accept", "").lower()
    if "json" in accept and "xml" not in accept:
        return plain
    plain.content = _message(problem, "3_0" if "version=3" in accept.replace(" ", "") else "2_1").encode()
    plain.headers["Content-Type"] = MEDIA_TYPE
    return plain


def _message(problem: ApiProblem, version: str) -> str:
    status, title = CODES[problem.code]
    said = f"{title}: {problem.detail}" if problem.detail else title
    base = f"http://www.sdmx.org/resources/sdmxml/schemas/v{version}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<mes:Error xmlns:mes="{base}/message" xmlns:com="{base}/common">\n'
        f'<mes:ErrorMessage code="{_CODES.get(status, _OWN + status)}">'
        f'<com:Text xml:lang="en">{escape(one_line(said))} ({problem.code})</com:Text>'
        "</mes:ErrorMessage>\n</mes:Error>\n"
    )
