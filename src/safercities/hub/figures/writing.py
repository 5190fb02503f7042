"""Writes figures as files while they are read: CSV, SDMX-CSV 2.0, JSON, Arrow, Parquet; a piece at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from safercities.files import as_text
from safercities.hub.figures.about import About
from safercities.hub.figures.figures import Figures
from safercities.hub.figures.query import Query
from safercities.model.errors import UsageError, problem
from safercities.release.sdmx_data import ACTION, ENVELOPE, each_text, numbers, written
from safercities.release.sdmx_names import agency_of, components, flow_id

#: Of the answers; `row` says where a row stands in this version of the index, which no file needs.
_NOT_IN_FILES = "row"


@dataclass(frozen=True)
class Writer:
    """A format.

    Parameters
    ----------
    write
        Parts with this schema, and what is told of the figures → pieces of the file. The first piece comes before the
        first part is read.
    whole
        Whether it needs all columns.
    """

    name: str
    media_type: str
    suffix: str
    write: Callable[[Iterable[pa.Table], pa.Schema, About], Iterator[bytes]]
    whole: bool = False


def export(
    figures: Figures,
    query: Query,
    format: str,
    *,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    after: int | None = None,
) -> Iterator[bytes]:
    """Rows that fit, as a file in a format of `WRITERS`.

    Parameters
    ----------
    columns
        Of the answers; default: all but the row number. (SDMX-CSV always has all of its own.)
    limit, after
        One page only; see `Figures.rows`. Without a limit everything, however long.

    Raises
    ------
    UsageError
        Before the first piece, if a name or a number is wrong.
    """
    if format not in WRITERS:
        raise UsageError(problem("figures-format", given=format[:40], known=", ".join(WRITERS)))
    writer = WRITERS[format]
    usual = [name for name in figures.columns if name != _NOT_IN_FILES]
    names = usual if columns is None or writer.whole else list(columns)
    empty = figures.schema(names)
    if limit is None:
        parts: Iterable[pa.Table] = figures.batches(query, columns=names, after=after)
    else:
        parts = [figures.rows(query, columns=names, limit=limit, after=after)]
    return writer.write(parts, empty, figures.about)


# -- texts -------------------------------------------------------------------------------------------------------------


def write_csv(parts: Iterable[pa.Table], schema: pa.Schema, about: About) -> Iterator[bytes]:
    """UTF-8, comma, one line a row; no cell begins as a formula would; nothing where there is no value."""
    yield _lines([schema.names])
    for part in parts:
        yield _lines(zip(*(_cells(part.column(name)) for name in schema.names), strict=True))


def _cells(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_floating(column.type):
        return numbers(column)
    return each_text(column, as_text)


def write_sdmx(parts: Iterable[pa.Table], schema: pa.Schema, about: About) -> Iterator[bytes]:
    """SDMX-CSV 2.0, in the columns and codes of `data.csv` of a release."""
    fixed = {one.column for one in components([])} | {"release", _NOT_IN_FILES}
    columns = components([name for name in schema.names if name not in fixed])
    before = ("dataflow", flow_id(agency_of(about.place)), ACTION)
    yield _lines([[*ENVELOPE, *(one.id for one in columns)]])
    for part in parts:
        cells = zip(*(written(part, one) for one in columns), strict=True)
        yield _lines([*before, *row] for row in cells)


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue().encode("utf-8")


def write_json(parts: Iterable[pa.Table], schema: pa.Schema, about: About) -> Iterator[bytes]:
    """One object: whose figures, of which head of the chain, and a list of rows; null where there is no value."""
    head = {"observatory": about.place, "name": about.name, "version": about.version, "synthetic": about.synthetic}
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "rows": ['
    mark = "\n"
    for part in parts:
        for first in range(0, part.num_rows, 5_000):
            rows = part.slice(first, 5_000).to_pylist()
            yield (mark + ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)).encode()
            mark = ",\n"
    yield b"\n]}\n"


# -- tables ------------------------------------------------------------------------------------------------------------


def write_arrow(parts: Iterable[pa.Table], schema: pa.Schema, about: About) -> Iterator[bytes]:
    """A stream of Arrow IPC."""
    yield from _tables(parts, lambda sink: pa.ipc.new_stream(sink, schema))


def write_parquet(parts: Iterable[pa.Table], schema: pa.Schema, about: About) -> Iterator[bytes]:
    """A Parquet file."""
    import pyarrow.parquet as pq

    yield from _tables(parts, lambda sink: pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False))


def _tables(parts: Iterable[pa.Table], start: Callable[[Any], Any]) -> Iterator[bytes]:
    pieces = _Pieces()
    with start(pa.PythonFile(pieces, mode="w")) as writer:
        for part in parts:
            writer.write_table(part)
            yield from pieces.taken()
    yield from pieces.taken()


class _Pieces(io.RawIOBase):
    """A file to write to, whose content is taken away as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._told = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._told += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._told

    def taken(self) -> Iterator[bytes]:
        """What came since the last time."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            yield b"".join(pieces)


#: Name → format, in the order in which people are offered them.
WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("csv", "text/csv; charset=utf-8; header=present", ".csv", write_csv),
        Writer("json", "application/json", ".json", write_json),
        Writer("sdmx-csv", "application/vnd.sdmx.data+csv; version=2.0.0", ".sdmx.csv", write_sdmx, whole=True),
        Writer("arrow", "application/vnd.apache.arrow.stream", ".arrows", write_arrow),
        Writer("parquet", "application/vnd.apache.parquet", ".parquet", write_parquet),
    )
}
