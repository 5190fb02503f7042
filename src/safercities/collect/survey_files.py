"""Read SPSS and Stata files: codes as values, their labels beside them; all rows, or the first ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from safercities.collect import stata_texts
from safercities.collect.archive import MAX_UNPACKED, UnpacksToMuchError, memory_for
from safercities.collect.formats import broken, expands, made
from safercities.collect.records import RawTable
from safercities.collect.spec import FileSpec

STATISTICS = (".sav", ".zsav", ".dta")
#: Bytes with which a number, and a text besides its width, is counted; bytes that are read to count more exactly, and
#: how often.
_NUMBER, _TEXT = 32, 64
_PIECE, _PIECES = 2**29, 1000
#: Bytes of a Stata file whose long texts are looked at one by one where a page asks.
_WALKED = 2**25
_FIRST: ContextVar[int | None] = ContextVar("first", default=None)


@contextmanager
def first_rows(count: int) -> Iterator[None]:
    """Within the context, `read_statistics` reads so many rows and no more: where a page shows how a file begins."""
    token = _FIRST.set(count)
    try:
        yield
    finally:
        _FIRST.reset(token)


def read_statistics(path: Path, spec: FileSpec, suffix: str) -> RawTable:
    """Read an SPSS or Stata file: codes as values, their labels beside them; user-missing values are empty.

    Raises
    ------
    SafercitiesError
        If it is broken, or takes far more memory than its size says.
    """
    import pyreadstat

    try:
        first = _FIRST.get()
        if first is None:
            _check_size(path, suffix, spec.encoding)
        columns, meta = _reader(suffix)(str(path), output_format="dict", encoding=spec.encoding, row_limit=first or 0)
    except UnpacksToMuchError as error:
        raise expands(spec, error.size) from None
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OSError) as error:
        raise broken(spec, path, "Stata" if suffix == ".dta" else "SPSS", error) from None
    arrays = {name: _array(list(values)) for name, values in columns.items()}
    labels = {name: _labels(pairs) for name, pairs in meta.variable_value_labels.items()}
    return made(pa.table(arrays), spec, labels=labels)


def _reader(suffix: str) -> Any:
    import pyreadstat

    return pyreadstat.read_dta if suffix == ".dta" else pyreadstat.read_sav


def extent(path: Path, suffix: str, encoding: str | None = None) -> tuple[int | None, int, int]:
    """Rows of a file (None where it does not say), its columns, and bytes that a row takes in memory at most.

    Stata's long texts stand once in the file, and in any number of rows: each may be as long as the longest one; in a
    large file, where that takes long to find, as the file.
    """
    _, about = _reader(suffix)(str(path), metadataonly=True, encoding=encoding)
    long = path.stat().st_size
    if _has_long_texts(about, suffix) and long <= _WALKED:
        with suppress(ValueError):
            long = stata_texts.longest(path)
    return about.number_rows, len(about.column_names), max(_width(about, long), 1)


def _width(about: Any, long: int) -> int:
    """Bytes that a row takes in memory at most, where a long text takes so many."""
    kinds = about.readstat_variable_types.items()
    widths = about.variable_storage_width
    return sum(_TEXT + (widths.get(name) or long) if kind == "string" else _NUMBER for name, kind in kinds)


def _has_long_texts(about: Any, suffix: str) -> bool:
    kinds = about.readstat_variable_types.items()
    return suffix == ".dta" and any(k == "string" and not about.variable_storage_width.get(name) for name, k in kinds)


def _long_texts(path: Path, rows: int, encoding: str | None) -> int | None:
    """Bytes of a Stata file's values with those of its long texts in each row; None where that cannot be told."""
    _, about = _reader(".dta")(str(path), metadataonly=True, encoding=encoding)
    if not _has_long_texts(about, ".dta"):
        return None
    try:
        return rows * _width(about, 0) + stata_texts.taken(path, rows)
    except ValueError:
        return None


def _check_size(path: Path, suffix: str, encoding: str | None) -> None:
    """Refuse a file whose values take too much memory: few bytes of a packed one may stand for very long texts.

    Raises
    ------
    UnpacksToMuchError
        If they take more than a file of its size may (`archive.memory_for`).
    """
    most = memory_for(path)
    rows, _, width = extent(path, suffix, encoding)
    if rows is not None and rows * width <= most:
        return
    if suffix == ".dta" and rows is not None and (takes := _long_texts(path, rows, encoding)) is not None:
        if takes > most:
            raise UnpacksToMuchError(takes)
        return
    total, piece = 0, max(1, _PIECE // width)
    for at in range(_PIECES):
        columns, _ = _reader(suffix)(
            str(path), output_format="dict", encoding=encoding, row_limit=piece, row_offset=at * piece
        )
        read = [list(values) for values in columns.values()]
        total += sum(_TEXT + len(one) if isinstance(one, str) else _NUMBER for values in read for one in values)
        if total > most:
            raise UnpacksToMuchError(total)
        if not read or len(read[0]) < piece:
            return
        if suffix != ".dta" and at * piece * width > MAX_UNPACKED:
            break
    raise UnpacksToMuchError(total)


def _array(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {datetime, date}:
        values = [v if v is None or isinstance(v, datetime) else datetime(v.year, v.month, v.day) for v in values]
        return pa.array(values, pa.timestamp("us"))
    if kinds and kinds <= {int, float}:
        return pa.array(values, pa.float64() if float in kinds else pa.int64(), from_pandas=True)
    if len(kinds) <= 1:
        return pa.array([None if value == "" else value for value in values])
    return pa.array([None if value is None or value == "" else str(value) for value in values], pa.string())


def _labels(pairs: Mapping[Any, str]) -> dict[str, str]:
    """Value → label, the value as `columns.as_text` writes it."""
    return {
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value): str(label)
        for value, label in pairs.items()
    }
