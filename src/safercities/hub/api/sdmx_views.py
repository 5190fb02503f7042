"""SDMX REST 1.5 (SDMX 2.1): data and structures, for the clients of statistical offices.

Each observatory is a data flow `ESTIMATES` of an agency of its own. `/sdmx/o/<slug>/…` is one observatory; `/sdmx/…` is
all of them, where the agency says which one is meant.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time

import numpy as np
import pyarrow as pa
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from safercities.hub.api import sdmx_errors, sdmx_told, sdmx_xml
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
    "text-xml": "text/xml",
}
STRUCTURE = {
    "xml-2.1": "application/vnd.sdmx.structure+xml; version=2.1",
    "xml-3.0": "application/vnd.sdmx.structure+xml; version=3.0.0",
    "xml": "application/xml",
    "text-xml": "text/xml",
}
#: Rows that can be put into series at once; longer answers have to be flat, or tables.
MOST_IN_SERIES = 100_000
#: Ways to ask for the version that there is.
_VERSIONS = ("latest", "all", "*", "+", "~", FORMAT.rpartition(".")[0], FORMAT)


def _safe(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    def read(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            raise ApiProblem("method-not-allowed", headers={"Allow": "GET, HEAD"})
        return view(request, *args, **kwargs)

    answered = guarded(read, sdmx_errors.told)
    answered.csrf_exempt = True  # type: ignore[attr-defined]  # it only reads
    return answered


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
    if agency.lower() not in ("all", "*", ""):
        found = [one for one in found if _agency(one) in agency.split("+")]
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
    if id != FLOW or version.lower() not in _VERSIONS:
        raise Http404
    if agency.lower() == "all" and provider.lower() not in ("all", "", "*"):
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
    newest = max((one.published for one in figures.about.releases), default=None)
    if newest is None:
        raise ApiProblem("nothing-published")
    keys_only = asked.detail in ("serieskeysonly", "nodata")
    shape = sdmx_xml.Shape(
        version="3.0" if format == "xml-3.0" else "2.1",
        generic=format in ("generic", "xml", "text-xml"),
        columns=components(figures.dimensions),
        at=TIME if keys_only and asked.at_observation == ALL else asked.at_observation,
        attributes=asked.detail == "full",
        observations=not keys_only,
        owner=agency_of(figures.about.place),
        synthetic=figures.about.synthetic,
        prepared=datetime.combine(newest, time(), UTC),
    )
    columns = list(dict.fromkeys(one.column or "period" for one in shape.told))
    if not shape.key and not asked.some:
        return sdmx_xml.write(shape, figures.batches(_query(asked), columns=columns))
    return sdmx_xml.write(shape, [_in_series(figures, asked, columns, shape.at)])


def _query(asked: Asked) -> Query:
    assert asked.query is not None  # noqa: S101  # asked before
    return asked.query


def _in_series(figures: Figures, asked: Asked, columns: list[str], at: str = ALL) -> pa.Table:
    """All rows, series by series, in which they differ by the dimension `at`.

    Raises
    ------
    ApiProblem
        If they are too many to be put in order at once.
    """
    if figures.count(_query(asked)) > MOST_IN_SERIES:
        told = f"choose more narrowly, or ask for CSV or dimensionAtObservation={ALL}, of all observations"
        raise ApiProblem("too-large", told)
    found = figures.rows(_query(asked), columns=columns)
    # FREQ repeats the period: the same key with another frequency is another series
    freq = components([])[0]
    found = found.append_column(_FREQ, pa.array(written(found, freq), pa.string()))
    own = {one.id: one.column or _FREQ for one in components(figures.dimensions) if one.role == "dimension"}
    key = [name for id, name in own.items() if id != TIME]
    if asked.some:
        found = _some(found.sort_by([(name, "ascending") for name in (*key, own[TIME])]), key, asked)
    last = own[TIME if at == ALL else at]
    order = [*(name for name in own.values() if name != last), last]
    return found.sort_by([(name, "ascending") for name in order]).select(columns)


_FREQ = "_freq"


def _some(found: pa.Table, key: list[str], asked: Asked) -> pa.Table:
    """The first and last rows of each series; rows are in the order of series and time."""
    if not found.num_rows:
        return found
    differs = np.zeros(found.num_rows, dtype=bool)
    differs[0] = True
    for name in key:
        codes = found.column(name).combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
        differs[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(differs)
    sizes = np.diff(np.append(starts, found.num_rows))
    before = np.arange(found.num_rows) - np.repeat(starts, sizes)
    after = np.repeat(sizes, sizes) - 1 - before
    return found.filter(pa.array((before < (asked.first or 0)) | (after < (asked.last or 0))))


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
    some = asked.some  # what is wrong has to be said before the first piece
    parts = [_in_series(figures, asked, names)] if some else figures.batches(_query(asked), columns=names)

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
    item: str = "all",
    slug: str | None = None,
) -> HttpResponseBase:
    """`/{dataflow|datastructure|codelist|conceptscheme|structure}/{agency}/{id}/{version}/{item}`."""
    format = choose(STRUCTURE, request.headers.get("Accept", ""), request.GET.get("format"))
    sdmx_version = "3.0" if format == "xml-3.0" else "2.1"
    asked = sdmx_told.read_asked(resource, _all(id), _all(item), request.GET, sdmx_version)
    if not any(one.lower() in _VERSIONS for one in version.split("+")) and version != "+":
        raise Http404
    observatory = _observatory(request, slug, agency)
    figures = figures_of(observatory)

    def make() -> HttpResponse:
        return HttpResponse(sdmx_told.told(figures, asked), content_type=STRUCTURE[format])

    return answer(request, etag(request, figures.version, format), make, public=observatory.public)


def _all(text: str) -> str:
    """`ALL` is another way to write `all`."""
    return "all" if text.lower() == "all" else text


@_safe
def nothing(request: HttpRequest, slug: str | None = None) -> HttpResponseBase:
    """What SDMX knows and is not offered here; and what nobody knows."""
    part = request.path_info.partition("/sdmx/")[2].removeprefix(f"o/{slug}/" if slug else "").partition("/")[0]
    if part in (*sdmx_told.OTHERS, "metadata", "schema", "registration", "availability"):
        raise ApiProblem("not-implemented", f"{part} is not offered")
    raise Http404
