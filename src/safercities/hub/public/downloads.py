"""Files of an indicator: the rows as CSV, JSON and SDMX-CSV, all of them or those of a page; its chart and map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import get_language, gettext

from safercities.hub.figures import WRITERS, Figures, Query, export
from safercities.hub.figures.about import IndicatorInfo
from safercities.hub.models import Observatory
from safercities.hub.public import documents, geo, indicator_image
from safercities.hub.public.indicator_state import Asked, read
from safercities.hub.public.limited import limited, spend
from safercities.hub.public.page import of_figures
from safercities.hub.public.words import Words

#: Ending of a file → format of its rows.
ROWS = {"csv": "csv", "json": "json", "sdmx.csv": "sdmx-csv"}
#: Ending of a drawing → its kind.
DRAWINGS = {"svg": "image/svg+xml", "png": "image/png"}

#: Boundaries of so many bytes are read at once, so that they can be kept and packed; larger ones go out in parts.
_SMALL = 2**20


@dataclass(frozen=True)
class Download:
    """A file to offer: what it is called, where it is."""

    label: str
    href: str


def info_of(figures: Figures, code: str) -> IndicatorInfo:
    """What is told of an indicator.

    Raises
    ------
    Http404
        If none of that code is published.
    """
    found = figures.indicators.get(code)
    if found is None:
        raise Http404
    return found


@of_figures
@limited
def file(request: HttpRequest, *, observatory: Observatory, figures: Figures, code: str, ending: str) -> Any:
    """A file of an indicator; `?shown=1` and the query of a page: only what that page shows."""
    info = info_of(figures, code)
    asked = read(figures, info, request.GET, geo.levels(observatory))
    name = f"{documents.file_name(asked)}.{ending}"
    if ending in ROWS:
        spend(request)
        query = asked.query if request.GET.get("shown") == "1" else Query([info.code])
        response: HttpResponseBase = StreamingHttpResponse(
            _pieces(figures, query, ROWS[ending]), content_type=WRITERS[ROWS[ending]].media_type
        )
    else:
        made = drawing(observatory, asked, ending, partial(spend, request))
        response = HttpResponse(made, content_type=DRAWINGS[ending])
    attach = request.GET.get("inline") != "1" or ending not in DRAWINGS
    response.headers["Content-Disposition"] = f'{"attachment" if attach else "inline"}; filename="{name}"'
    return response


def _pieces(figures: Figures, query: Query, format: str) -> Iterator[bytes]:
    return export(figures, query, format)


def drawing(observatory: Observatory, asked: Asked, ending: str, spend: Callable[[], None]) -> bytes:
    """The chart of a page, or its map, as a drawing.

    Parameters
    ----------
    spend
        Called before something has to be drawn.

    Raises
    ------
    Http404
        If there is nothing to draw.
    """
    words = Words(asked.figures)
    language = get_language()
    key = (
        asked.figures.version,
        observatory.slug,
        asked.info.code,
        asked.address(),
        asked.state.view,
        ending,
        language,
    )
    if asked.state.view == "map":
        return _map(observatory, asked, words, key, ending, spend)
    made = documents.chart(asked, words)
    if made.document is None:
        raise Http404
    draw = indicator_image.chart_svg if ending == "svg" else indicator_image.chart_png
    document, title = made.document, made.title
    return indicator_image.drawn(key, lambda: draw(document, title, words), spend)


def _map(
    observatory: Observatory,
    asked: Asked,
    words: Words,
    key: tuple[object, ...],
    ending: str,
    spend: Callable[[], None],
) -> bytes:
    found = geo.boundaries(observatory, asked.state.level)
    if found is None:
        raise Http404
    title, source = documents.title(asked, words), documents.source_line(asked, words)

    def svg() -> bytes:
        shown = documents.layer(asked, found)
        return indicator_image.map_svg(shown, title, asked.state.unit or "", source, words)

    changed = (*key, found.version)
    return indicator_image.drawn(changed, svg if ending == "svg" else lambda: indicator_image.map_png(svg()), spend)


@of_figures
def boundaries(request: HttpRequest, *, observatory: Observatory, figures: Figures, level: str) -> Any:
    """The boundaries of a level, as GeoJSON."""
    path = geo.file_of(observatory, level)
    if path is None or level not in figures.about.texts["_level"]:
        raise Http404
    small = path.stat().st_size <= _SMALL
    response = HttpResponse(path.read_bytes()) if small else FileResponse(path.open("rb"))
    response.headers["Content-Type"] = "application/geo+json"
    return response


def offered(asked: Asked, base: str, *, map_there: bool) -> tuple[list[Download], list[Download], list[Download]]:
    """Files of the whole indicator, of what a page shows, and its drawings.

    Parameters
    ----------
    base
        Address of the indicator's files, without ending.
    """
    query = QueryDict(asked.address().removeprefix("?"), mutable=True)
    labels = {"csv": "CSV", "json": "JSON", "sdmx.csv": "SDMX-CSV"}
    whole = [Download(labels[ending], f"{base}.{ending}") for ending in ROWS]
    query["shown"] = "1"
    shown = [Download(labels[ending], f"{base}.{ending}?{query.urlencode()}") for ending in ROWS]
    del query["shown"]
    if asked.state.view == "map" and not map_there:
        return whole, shown, []
    words = {"svg": gettext("Drawing (SVG)"), "png": gettext("Image (PNG)")}
    suffix = f"?{query.urlencode()}" if query else ""
    return whole, shown, [Download(words[ending], f"{base}.{ending}{suffix}") for ending in DRAWINGS]
