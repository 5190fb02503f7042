"""The estimates of a release as Parquet: written the same for the same estimates, read within bounds, and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import KEYS, MEASURES, Estimates, schema
from safercities.release.content import SECRET

FILE = "estimates.parquet"
MAX_ROWS = 5_000_000
MAX_DIMENSIONS = 20
#: Bytes of one cell's text, and of the whole table in memory.
MAX_TEXT = 4_000
MAX_MEMORY = 2 * 2**30
_FILLED = ("indicator", "version", "place", "period", "source", "conf_status")
_KEY = ("indicator", "version", "place", "period", "source", "unit", "method")
_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,63}")


def write_parquet(estimates: Estimates, path: Path) -> None:
    """Write the table; nothing of the machine or the time gets into the file."""
    import pyarrow.parquet as pq

    table = estimates.table.replace_schema_metadata(None).combine_chunks()
    pq.write_table(
        table,
        path,
        version="2.6",
        compression="zstd",
        compression_level=9,
        use_dictionary=True,
        row_group_size=2**17,
        store_schema=False,
    )


def read_parquet(data: bytes, *, file: str = FILE) -> Estimates:
    """Read the estimates of a release that may be hostile.

    Raises
    ------
    SafercitiesError
        If it is no Parquet, larger than a release may be, not the estimates table, or `check` finds a problem.
    """
    import pyarrow.parquet as pq

    try:
        limits = {"thrift_string_size_limit": 2**20, "thrift_container_size_limit": 2**20}
        source = pq.ParquetFile(pa.BufferReader(data), **limits)
        _check_size(source.metadata, file)
        dimensions = _dimensions(source.schema_arrow, file)
        source = pq.ParquetFile(pa.BufferReader(data), read_dictionary=[*dimensions, *_texts()], **limits)
        table = _plain(source.read(use_threads=False), dimensions, file)
        table.validate(full=True)
        if any(table.column(name).null_count for name in dimensions):
            raise _wrong(file, "a dimension is missing in some rows")
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise _wrong(file, f"it cannot be read: {str(error)[:200]}") from None
    estimates = Estimates(table)
    check(estimates, file=file)
    return estimates


def _texts() -> list[str]:
    return [name for name, kind in (*KEYS, *MEASURES) if pa.types.is_string(kind)]


def _check_size(metadata: Any, file: str) -> None:
    """What the file says of its size, before any of it is unpacked."""
    if metadata.num_rows > MAX_ROWS or metadata.num_columns > len(schema()) + MAX_DIMENSIONS:
        raise _wrong(file, f"it has {metadata.num_rows:,} rows and {metadata.num_columns} columns")
    if metadata.num_row_groups > MAX_ROWS // 1000:
        raise _wrong(file, f"it has {metadata.num_row_groups:,} parts")
    total = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(index) for index in range(metadata.num_columns)]
        if any(column.num_values != group.num_rows for column in columns):
            raise _wrong(file, "its columns are not equally long")
        total += sum(column.total_uncompressed_size for column in columns)
    if total > MAX_MEMORY:
        raise _wrong(file, f"it unpacks to {total / 2**20:,.0f} MB")


def _dimensions(found: pa.Schema, file: str) -> list[str]:
    """Names of the dimensions, if the columns are exactly those of the estimates table."""
    first, last = len(KEYS), len(found) - len(MEASURES)
    names = list(found.names[first:last])
    fixed = {name for name, _ in (*KEYS, *MEASURES)}
    if any(not _DIMENSION.fullmatch(name) or name in fixed for name in names) or len(set(names)) < len(names):
        raise _wrong(file, "its columns are not those of the estimates table")
    wanted = schema(names)
    if len(names) > MAX_DIMENSIONS or not found.equals(wanted):
        raise _wrong(file, "its columns are not those of the estimates table")
    return names


def _plain(table: pa.Table, dimensions: list[str], file: str) -> pa.Table:
    """Texts as texts: counted first, because a short list of words can stand for a long table of long ones."""
    total = 0
    for name in [*_texts(), *dimensions]:
        for chunk in table.column(name).chunks:
            lengths = pc.binary_length(chunk.dictionary)
            if (pc.max(lengths).as_py() or 0) > MAX_TEXT:
                raise _wrong(file, f"a text in {name} is too long")
            total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
    if total > MAX_MEMORY:
        raise _wrong(file, f"its texts come to {total / 2**20:,.0f} MB")
    return table.cast(schema(dimensions))


def check(estimates: Estimates, *, file: str = FILE) -> None:
    """Whether the table may leave the city, as far as can be seen from it alone.

    Raises
    ------
    SafercitiesError
        If a key is missing or stands twice, a number is not finite, `conf_status` is not F or N, or a withheld row
        (N) holds anything of `content.SECRET`.
    """
    found = list(_faults(estimates, file))
    if found:
        raise SafercitiesError(found)


def _faults(estimates: Estimates, file: str) -> Iterator[Problem]:
    table = estimates.table
    if not table.num_rows:
        yield _fault(file, "it has no rows")
    for name in (*_FILLED, *estimates.dimensions):
        if table.column(name).null_count:
            yield _fault(file, f"{name} is missing in some rows")
    for name, kind in MEASURES:
        if pa.types.is_floating(kind) and pc.all(pc.is_finite(table.column(name))).as_py() is False:
            yield _fault(file, f"{name} has numbers that are not finite")
        if name in ("n", "n_positive") and (pc.min(table.column(name)).as_py() or 0) < 0:
            yield _fault(file, f"{name} is negative")
    statuses = set(pc.unique(table.column("conf_status")).to_pylist())
    if statuses - {"F", "N"}:
        yield _fault(file, "conf_status is neither F nor N in some rows")
    keys = [*_KEY, *estimates.dimensions]
    if len(table.group_by(keys).aggregate([])) < table.num_rows:
        yield _fault(file, "an estimate stands twice")
    withheld = table.filter(pc.equal(table.column("conf_status"), "N"))
    for name in SECRET:
        if rows := withheld.num_rows - withheld.column(name).null_count:
            yield problem("release-unprotected", file=file, column=name, rows=rows)


def _fault(file: str, message: str) -> Problem:
    return problem("release-estimates", file=file, message=message)


def _wrong(file: str, message: str) -> SafercitiesError:
    return SafercitiesError(_fault(file, message))
