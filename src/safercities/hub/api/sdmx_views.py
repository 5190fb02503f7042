"""SDMX REST 1.5 (SDMX 2.1): data and structures, for the clients of statistical offices.

Each observatory is a data flow `ESTIMATES` of an agency of its own. `/sdmx/o/<slug>/…` is one observatory; `/sdmx/…` is
all of them, where the agency says which one is meant.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time

import pyarrow as pa
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from safercities.hub.api import sdmx_told, sdmx_xml
from safercities.hub.api.guard import guarded
from safercities.hub.api.negotiate import choose
from safercities.hub.api.problems import ApiProblem
from safercities.hub.api.reading import all_readable, answer, etag, figures_of, readable, stream
from safercities.hub.api.sdmx_query import ALL, TIME, Asked, read_asked
from safercities.hub.figures import Figures, Query
from safercities.hub.models import Observatory
from safercities.release.sdmx_data import written
from safercities.release.sdmx_names import FLOW, FORMAT, agency_of, components, flow_id

#: Name → media type; the first is for who accepts anything: sdmx1 reads it without knowing the structure.
DATA = {
    "generic": "application/vnd.sdmx.genericdata+xml; version=2.1",
    "structurespecific": "application/vnd.sdmx.structurespecificdata+xml; version=2.1",
    "xml-3.0": "application/vnd.sdmx.data+xml; version=3.0.0",
    "csv": "application/vnd.sdmx.data+csv; version=2.0.0",
    "csv-1.0": "application/vnd.sdmx.data+csv; version=1.0.0",
    "xml": "application/xml",
    "text": "text/csv",
}
STRUCTURE = {
    "xml-2.1": "application/vnd.sdmx.structure+xml; version=2.1",
    "xml-3.0": "application/vnd.sdmx.structure+xml; version=3.0.0",
    "xml": "application/xml",
}
#: Rows that can be put into series at once; longer answers have to be flat, or tables.
MOST_IN_SERIES = 500_000
_LATEST = ("latest", "all", "*", "+", FORMAT)


def _safe(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @guarded
    def read(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            raise ApiProblem("method-not-allowed", headers={"Allow": "GET, HEAD"})
        return view(request, *args, **kwargs)

    read.csrf_exempt = True  # type: ignore[attr-defined]  # it only reads
    return read


def _observatory(request: HttpRequest, slug: str | None, agency: str) -> Observatory:
    """The observatory that is meant.

    Raises
    ------
    Http404
        If there is none that whoever asks may read.
    ApiProblem
        If there are several.
    """
    found = [readable(request, slug)] if slug is not None else all_readable(request)
    if agency not in ("all", "*", ""):
        found = [one for one in found if _agency(one) == agency]
    if not found:
        raise Http404
    if len(found) > 1:
        raise ApiProblem("ambiguous-flow", "name the agency, or ask below /sdmx/o/<observatory>/")
    return found[0]


def _agency(observatory: Observatory) -> str:
    """The agency of what it has published; before that, the one that it will be."""
    try:
        return agency_of(figures_of(observatory).about.place)
    except ApiProblem:
        return agency_of(observatory.place_id)


# -- data --------------------------------------------------------------------------------------------------------------


@_safe
def data(
    request: HttpRequest, flow: str, key: str = "all", provider: str = "all", slug: str | None = None
) -> HttpResponseBase:
    """`/data/{flow}/{key}/{provider}`; the flow is `ESTIMATES`, or `agency,ESTIMATES,version`."""
    agency, id, version = _flow(flow)
    if id != FLOW or version not in _LATEST:
        raise Http404
    if agency == "all" and provider not in ("all", "", "*"):
        agency = provider.split(",")[0]
    observatory = _observatory(request, slug, agency)
    figures = figures_of(observatory)
    format = choose(DATA, request.headers.get("Accept", ""), request.GET.get("format"))
    asked = read_asked(figures, key, request.GET)
    mark = etag(request, figures.version, format)

    def make() -> HttpResponseBase:
        if asked.query is None or not figures.count(asked.query):
            raise ApiProblem("no-data")
        suffix = "csv" if format in _TABLES else "xml"
        return stream(_written_as(figures, asked, format), DATA[format], f"{observatory.slug}-estimates.{suffix}")

    return answer(request, mark, make, public=observatory.public)


def _flow(text: str) -> tuple[str, str, str]:
    """Agency, id and version."""
    parts = text.split(",")
    if len(parts) == 1:
        return "all", parts[0], "latest"
    return parts[0], parts[1], parts[2] if len(parts) > 2 else "latest"


_TABLES = ("csv", "text", "csv-1.0")


def _written_as(figures: Figures, asked: Asked, format: str) -> Iterable[bytes]:
    return _table(figures, asked, format) if format in _TABLES else _message(figures, asked, format)


def _message(figures: Figures, asked: Asked, format: str) -> Iterable[bytes]:
    newest = max(one.published for one in figures.about.releases)
    keys_only = asked.detail in ("serieskeysonly", "nodata")
    shape = sdmx_xml.Shape(
        version="3.0" if format == "xml-3.0" else "2.1",
        generic=format in ("generic", "xml"),
        columns=components(figures.dimensions),
        at=TIME if keys_only and asked.at_observation == ALL else asked.at_observation,
        attributes=asked.detail == "full",
        observations=not keys_only,
        owner=agency_of(figures.about.place),
        synthetic=figures.about.synthetic,
        prepared=datetime.combine(newest, time(), UTC),
    )
    columns = list(dict.fromkeys(one.column or "period" for one in shape.told))
    if not shape.key:
        return sdmx_xml.write(shape, _batches(figures, asked, columns))
    if figures.count(_query(asked)) > MOST_IN_SERIES:
        raise ApiProblem("too-large", f"ask for CSV or dimensionAtObservation={ALL}, or choose more narrowly")
    return sdmx_xml.write(shape, [_in_series(figures, asked, shape, columns)])


def _query(asked: Asked) -> Query:
    assert asked.query is not None  # noqa: S101  # asked before
    return asked.query


def _batches(figures: Figures, asked: Asked, columns: list[str]) -> Iterator[pa.Table]:
    return figures.batches(_query(asked), columns=columns)


def _in_series(figures: Figures, asked: Asked, shape: sdmx_xml.Shape, columns: list[str]) -> pa.Table:
    """All rows, series by series."""
    found = figures.rows(_query(asked), columns=columns)
    own = {one.id: one.column or "period" for one in shape.columns}
    keys = list(dict.fromkeys([*(own[name] for name in shape.key if name != "FREQ"), own[shape.at]]))
    if "FREQ" in shape.key:  # the same key, another frequency: periods of one kind have to stand together
        kinds = pa.array(written(found, shape.columns[0]))
        found = found.append_column("_freq", kinds)
        keys.insert(len(keys) - 1, "_freq")
    return found.sort_by([(name, "ascending") for name in keys]).select(columns)


def _table(figures: Figures, asked: Asked, format: str) -> Iterator[bytes]:
    """SDMX-CSV 2.0 or 1.0."""
    if asked.detail in ("serieskeysonly", "nodata"):
        raise ApiProblem("not-implemented", "CSV has no such detail: ask for XML")
    roles = ("dimension", "measure") if asked.detail == "dataonly" else ("dimension", "measure", "attribute")
    columns = [one for one in components(figures.dimensions) if one.role in roles]
    flow = flow_id(agency_of(figures.about.place))
    first = {"csv-1.0": ("DATAFLOW",)}.get(format, ("STRUCTURE", "STRUCTURE_ID", "ACTION"))
    before = (flow,) if format == "csv-1.0" else ("dataflow", flow, "I")
    names = list(dict.fromkeys(one.column or "period" for one in columns))
    parts = figures.batches(_query(asked), columns=names)

    def pieces() -> Iterator[bytes]:
        yield _lines([[*first, *(one.id for one in columns)]])
        for part in parts:
            yield _lines([[*before, *row] for row in zip(*(written(part, one) for one in columns), strict=True)])

    return pieces()


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue().encode()


# -- structures --------------------------------------------------------------------------------------------------------


@_safe
def structures(
    request: HttpRequest,
    resource: str,
    agency: str = "all",
    id: str = "all",
    version: str = "latest",
    slug: str | None = None,
) -> HttpResponseBase:
    """`/{dataflow|datastructure|codelist|conceptscheme|structure}/{agency}/{id}/{version}`."""
    for name in request.GET:
        if name not in ("references", "detail", "format"):
            raise ApiProblem("invalid-parameter", f"{name[:60]}: there is no such parameter")
    if version not in _LATEST:
        raise Http404
    observatory = _observatory(request, slug, agency)
    figures = figures_of(observatory)
    format = choose(STRUCTURE, request.headers.get("Accept", ""), request.GET.get("format"))
    body = sdmx_told.told(
        figures,
        resource=resource,
        id=id,
        references=request.GET.get("references", "none"),
        detail=request.GET.get("detail", "full"),
        version="3.0" if format == "xml-3.0" else "2.1",
    )
    mark = etag(request, figures.version, format)
    return answer(request, mark, lambda: HttpResponse(body, content_type=STRUCTURE[format]), public=observatory.public)
