"""Estimates: a page of rows as JSON, or a file of all that fit, written while it is read."""

from __future__ import annotations

import json
from json.encoder import encode_basestring

import pyarrow as pa
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router

from safercities.hub import published
from safercities.hub.api import schemas
from safercities.hub.api.guard import counted
from safercities.hub.api.negotiate import choose
from safercities.hub.api.problems import wrong
from safercities.hub.api.queries import MOST_ROWS, Asked, cursor, read_asked, read_query
from safercities.hub.api.reading import answer, etag, figures_of, readable, stream
from safercities.hub.figures import WRITERS, Figures, export
from safercities.hub.kept import keep
from safercities.hub.models import Observatory

router = Router(tags=["estimates"])
#: Name of a format → its media type; the first is given to who accepts anything.
OFFERS = {"json": "application/json"} | {
    writer.name: writer.media_type for writer in WRITERS.values() if writer.name != "json"
}


@router.get(
    "/observatories/{slug}/estimates",
    response={200: schemas.Estimates},
    operation_id="estimates",
    summary="Estimates",
)
def estimates(request: HttpRequest, slug: schemas.Slug, filters: Query[schemas.EstimatesQuery]) -> HttpResponseBase:
    """Rows as they were published. A withheld one (`conf_status` N) has no value: it is neither zero nor missing.

    JSON comes in pages: `next` leads to the one after. Other formats hold all rows that fit, or a page with `limit`.
    Breakdowns are filtered by `dim.<name>`, as `dim.sex=F`; a breakdown that is not named may be anything, with
    `total=true` it must be the total.
    """
    state = published.state(slug)  # before all else: see there
    observatory = readable(request, slug)
    figures = figures_of(observatory)
    format = choose(OFFERS, request.headers.get("Accept", ""), request.GET.get("format"))
    asked = read_asked(request.GET, figures, whole=format != "json")
    mark = etag(request, figures.version, format)
    make = _page if format == "json" else _file
    found = answer(request, mark, lambda: make(request, observatory, figures, asked, format), public=observatory.public)
    if observatory.public:
        keep(found, slug, state, again=counted)
    return found


def _file(
    request: HttpRequest, observatory: Observatory, figures: Figures, asked: Asked, format: str
) -> HttpResponseBase:
    writer = WRITERS[format]
    if asked.order:
        columns = asked.columns or tuple(name for name in figures.columns if name != "row")
        names = [*columns] if not writer.whole else [name for name in figures.columns if name != "row"]
        if asked.limit is None and figures.count(asked.query) > MOST_ROWS:  # never less than all without a word
            raise wrong("order", f"more than {MOST_ROWS:,} rows fit: give a limit, or leave out the order")
        found = figures.rows(asked.query, order=asked.order, limit=asked.limit or MOST_ROWS, columns=names)
        pieces = writer.write([found], found.schema, figures.about)
    else:
        pieces = export(figures, asked.query, format, columns=asked.columns, limit=asked.limit, after=asked.after)
    return stream(pieces, writer.media_type, f"{observatory.slug}-estimates{writer.suffix}")


def _page(
    request: HttpRequest, observatory: Observatory, figures: Figures, asked: Asked, format: str
) -> HttpResponseBase:
    limit = asked.limit or MOST_ROWS
    names = asked.columns or tuple(name for name in figures.columns if name != "row")
    found = figures.rows(
        asked.query, order=asked.order, limit=limit, after=asked.after, columns=tuple(dict.fromkeys([*names, "row"]))
    )
    following = None
    if found.num_rows == limit and not asked.order:
        following = _next(request, cursor(figures, found.column("row")[-1].as_py()))
    head = {
        "observatory": observatory.slug,
        "version": figures.version,
        "synthetic": figures.about.synthetic,
        "total": figures.count(asked.query),
        "next": following,
    }
    text = json.dumps(head, ensure_ascii=False)[:-1] + ', "rows": [' + ",\n".join(_objects(found.select(names))) + "]}"
    response = HttpResponse(text, content_type="application/json")
    if following:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def _next(request: HttpRequest, mark: str) -> str:
    given = request.GET.copy()
    given["cursor"] = mark
    return f"{request.path}?{given.urlencode()}"


def _objects(table: pa.Table) -> list[str]:
    """The rows as JSON objects: made column by column, since thousands of rows are asked for, and many a second."""
    parts, cells = [], []
    for name in table.column_names:
        column = table.column(name)
        texts = None if column.null_count == len(column) else _written(column)
        begin = encode_basestring(name).replace("%", "%%")
        parts.append(f"{begin}: {'null' if texts is None else '%s'}")
        if texts is not None:
            cells.append(texts)
    row = "{" + ", ".join(parts) + "}"
    return [row % one for one in zip(*cells, strict=True)] if cells else [row % ()] * len(table)


def _written(column: pa.ChunkedArray) -> list[str]:
    """The cells of a column. JSON has no infinity: an open end of an interval is null, as in all of our JSON."""
    values = column.to_pylist()
    if pa.types.is_floating(column.type):
        # what is infinite, or no number, is the only thing that differs from itself by something else than nothing
        return ["null" if value is None or value - value != 0 else repr(value) for value in values]
    if pa.types.is_integer(column.type):
        return ["null" if value is None else str(value) for value in values]
    known = {text: "null" if text is None else encode_basestring(text) for text in set(values)}
    return [known[text] for text in values]


@router.get(
    "/observatories/{slug}/choices",
    response={200: schemas.Choices},
    operation_id="choices",
    summary="What can be chosen",
)
def choices(request: HttpRequest, slug: schemas.Slug, filters: Query[schemas.ChoicesQuery]) -> HttpResponseBase:
    """Of each filter the codes that leave some rows, given all other filters; and how many rows."""
    observatory = readable(request, slug)
    figures = figures_of(observatory)
    query = read_query(request.GET, figures)
    mark = etag(request, figures.version)

    def make() -> HttpResponseBase:
        found = figures.choices(query)
        listed = {
            name: {key: [vars(one) for one in codes] for key, codes in several.items()}
            for name, several in (("filters", found.facets), ("dimensions", found.dimensions))
        }
        said = {"version": figures.version, "rows": found.rows, **listed}
        return HttpResponse(json.dumps(said, ensure_ascii=False), content_type="application/json")

    return answer(request, mark, make, public=observatory.public)
