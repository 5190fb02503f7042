"""Columns of a raw table: found by name, checked, and turned into text or numbers whatever type the file gave them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.records import RawTable
from safercities.model.errors import Problem, SafercitiesError, problem

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

_SPACES = "\u00a0\u202f\u2007\ufeff"
_EXACT = 2.0**53


@dataclass(frozen=True)
class Encoded:
    """A column by its distinct values: `index` (one a row, -1 where the cell is empty) points into `values`."""

    index: Ints
    values: pa.Array

    def take(self, of_values: np.ndarray[Any, Any], empty: object) -> np.ndarray[Any, Any]:
        """One result a row from one result a distinct value."""
        padded = np.append(of_values, np.array([empty], dtype=of_values.dtype))
        return padded[self.index]

    def texts(self) -> list[str]:
        """Distinct values as text."""
        return list(as_text(self.values).to_pylist())

    @property
    def empty(self) -> Bools:
        """Rows in which the cell is empty."""
        return self.index < 0


def need_columns(raw: RawTable, wanted: Sequence[str]) -> None:
    """Check that the file has the columns.

    Raises
    ------
    SafercitiesError
        With one problem for each that it lacks, near names first.
    """
    names = raw.table.column_names
    folded = {name.casefold().strip(): name for name in names}
    problems = []
    for column in dict.fromkeys(wanted):
        if column not in names:
            near = difflib.get_close_matches(column.casefold(), list(folded), n=1, cutoff=0.6)
            hint = f"did you mean {folded[near[0]]}? " if near else ""
            listed = ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
            problems.append(problem("column-missing", file=raw.file, column=column, hint=hint, columns=listed))
    if problems:
        raise SafercitiesError(problems)


def check_names(table: pa.Table, names: Sequence[str], file: str, row: int) -> pa.Table:
    """Give the columns their names; an unnamed column without any value is left out.

    Raises
    ------
    SafercitiesError
        If a column with values has no name, or two have the same.
    """
    keep = [i for i, name in enumerate(names) if name or table.column(i).null_count < table.num_rows]
    unnamed = [i for i in keep if not names[i]]
    problems = [problem("column-unnamed", file=file, row=row, column=letter(i), number=i + 1) for i in unnamed]
    kept = [names[i] for i in keep]
    for name, where in _twice(keep, names).items():
        places = ", ".join(letter(i) for i in where)
        problems.append(problem("column-twice", file=file, row=row, column=name, places=places))
    if problems:
        raise SafercitiesError(problems)
    return table.select(keep).rename_columns(kept)


def _twice(keep: Sequence[int], names: Sequence[str]) -> dict[str, list[int]]:
    """Names that several columns have, and which."""
    places: dict[str, list[int]] = {}
    for i in keep:
        if names[i]:
            places.setdefault(names[i], []).append(i)
    return {name: where for name, where in places.items() if len(where) > 1}


def letter(index: int) -> str:
    """Name of a column in a spreadsheet.

    Examples
    --------
    >>> letter(0), letter(27)
    ('A', 'AB')
    """
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def drop_empty_rows(table: pa.Table, rows: Ints, file: str) -> tuple[pa.Table, Ints, tuple[Problem, ...]]:
    """Leave out rows in which every cell is empty: they are no records. The note says how many."""
    if table.num_rows == 0 or any(column.null_count == 0 for column in table.columns):
        return table, rows, ()
    empty = reduce(np.logical_and, (column.is_null().to_numpy() for column in table.columns))
    if not empty.any():
        return table, rows, ()
    note = problem("rows-empty", file=file, row=int(rows[empty][0]), rows=int(empty.sum()))
    return table.filter(pa.array(~empty)), rows[~empty], (note,)


def no_rows(count: int, file: str) -> tuple[Problem, ...]:
    """A note where a file has a header and nothing else."""
    return () if count else (problem("rows-none", file=file),)


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Values as trimmed text; whole numbers without a decimal part, dates in ISO form, empty text as null.

    Examples
    --------
    >>> as_text(pa.array([1.0, 2.5, None])).to_pylist()
    ['1', '2.5', None]
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind):
        return _float_text(column)
    if not _is_text(kind):
        return _as_written(column)
    column = _plain_string(column)
    trimmed = pc.utf8_trim(column, " \t\r\n" + _SPACES)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)


def _as_written(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Values of any other type as text: lists, maps and bytes as Python writes them."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        texts = [None if value.as_py() is None else str(value.as_py()) for value in _plainer(column)]
        return pa.array(texts, pa.string())


def _plainer(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Times and durations to the nanosecond, for which Python has no type, as numbers."""
    exact = (pa.types.is_timestamp, pa.types.is_time64, pa.types.is_duration)
    return column.cast(pa.int64()) if any(fits(column.type) for fits in exact) else column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain_string(column: Any) -> Any:
    """Text of any kind as plain strings."""
    return column.cast(pa.string()) if _is_text(column.type) and not pa.types.is_string(column.type) else column


def _float_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    whole = pc.and_(pc.equal(pc.round(column), column), pc.less(pc.abs(column), _EXACT))
    integers = pc.if_else(whole, column, pa.scalar(0, column.type)).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, integers, column.cast(pa.string()))


def encode(column: pa.Array | pa.ChunkedArray) -> Encoded:
    """A column by its distinct values; text is trimmed, empty text and NaN are empty."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        column = as_text(column)
    if pa.types.is_null(column.type):  # a column of a Parquet file without any value
        column = column.cast(pa.string())
    if not isinstance(column, pa.ChunkedArray):
        column = pa.chunked_array([column])
    column = _plain_string(column)
    coded = column.dictionary_encode()
    if len({_address(chunk.dictionary) for chunk in coded.chunks}) > 1:
        coded = coded.unify_dictionaries()  # slow, and not needed where the chunks share one dictionary
    values = coded.chunk(0).dictionary if coded.num_chunks else pa.array([], column.type)
    parts = [pc.fill_null(chunk.indices, -1).to_numpy(zero_copy_only=False) for chunk in coded.chunks]
    codes = np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)
    if pa.types.is_string(values.type) or pa.types.is_floating(values.type):
        return _tidy(codes, values)
    return Encoded(codes, values)


def _address(values: pa.Array) -> tuple[int, ...]:
    """Where an array lies in memory."""
    return (len(values), *(buffer.address for buffer in values.buffers() if buffer is not None))


def _tidy(codes: Ints, values: pa.Array) -> Encoded:
    """Trim the distinct values; those that become equal share one number, those that become empty none."""
    clean = as_text(values)
    if clean.null_count == 0 and clean.equals(values):
        return Encoded(codes, values)
    final = clean.drop_null().unique()
    moved = pc.fill_null(pc.index_in(clean, final, skip_nulls=True), -1).to_numpy().astype(np.int64)
    return Encoded(np.append(moved, -1)[codes], final)


def to_numbers(values: pa.Array, decimal: str, *, thousands: bool) -> Floats:
    """Distinct values as numbers, NaN where they are none.

    Parameters
    ----------
    values
        Text, or numbers already.
    decimal
        Decimal mark of text, `.` or `,`.
    thousands
        Whether groups of three digits may be set apart by the other mark; spaces and apostrophes always may.

    Examples
    --------
    >>> to_numbers(pa.array(["-75,5", "1.234,5", "x"]), ",", thousands=True).tolist()
    [-75.5, 1234.5, nan]
    """
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        return _float64(values)
    if not pa.types.is_string(values.type):
        return np.full(len(values), np.nan)
    other = "," if decimal == "." else "\\."
    marks = " \u00a0\u202f\u2009'’" + (other if thousands else "")
    point = "\\." if decimal == "." else ","
    plain = rf"[+-]?(?:\d+|\d{{1,3}}(?:[{marks}]\d{{3}})+)?(?:{point}\d*)?(?:[eE][+-]?\d{{1,3}})?"
    good = pc.and_(pc.match_substring_regex(values, f"^{plain}$"), pc.match_substring_regex(values, r"^[^eE]*\d"))
    text = pc.replace_substring_regex(values, f"[{marks}]", "")
    text = pc.replace_substring(text, ",", ".") if decimal == "," else text
    text = pc.replace_substring_regex(text, r"^\+", "")
    return _float64(pc.if_else(good, text, pa.scalar(None, pa.string())))


def _float64(values: pa.Array) -> Floats:
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.float64)
