"""The respondents: columns of any kind of table as numbers, or as codes with their labels."""

from __future__ import annotations

import difflib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from safercities.model.errors import SafercitiesError, UsageError, problem, refused
from safercities.model.estimates import TOTAL, UNKNOWN, schema
from safercities.sampling.spec import MOST
from safercities.sampling.sums import Axis
from safercities.sampling.units import Floats, Ints

#: Columns of an estimates table that a breakdown may fill.
PLACED = ("place", "period")
#: Whole numbers above this lose digits where they are kept with decimals.
MOST_EXACT = 2**53


class Respondents:
    """A table of respondents; columns are read when they are needed, in the order and choice of rows of the design.

    Parameters
    ----------
    source
        A pandas, polars or Arrow table, a mapping of columns, or the path of a Parquet or CSV file.

    Raises
    ------
    UsageError
        If it is none of them.
    """

    def __init__(self, source: Any) -> None:
        self._path: Path | None = None
        self.columns: list[str] = []
        self._nested: set[str] = set()
        self._table: pa.Table | None = None
        self.file = ""
        if isinstance(source, str | Path):
            self._open(Path(source))
        else:
            self._table = _arrow(source)
        if self._table is not None:
            self.columns = list(self._table.column_names)
        #: The number of the first row in messages.
        self.first_row = 2 if self.file.lower().endswith(".csv") else 1
        self.rows: Ints | None = None

    def _open(self, path: Path) -> None:
        self.file = path.name
        if not is_there(path):
            raise UsageError(problem("file-missing", file=self.file))
        try:
            if path.suffix.lower() == ".csv":
                from pyarrow import csv

                self._table = csv.read_csv(path)
            else:
                schema = pq.read_schema(path)
                self.columns = schema.names
                self._nested = {one.name for one in schema if pa.types.is_nested(one.type)}
                self._path = path
        except pa.ArrowInvalid:
            raise UsageError(problem("survey-table", file=self.file, given="this file")) from None
        except OSError as error:
            raise UsageError(refused(error)) from None

    def __len__(self) -> int:
        """Number of rows of the file or table, before the design leaves any out."""
        if self._table is not None:
            return int(self._table.num_rows)
        return int(pq.read_metadata(self._path).num_rows)

    def raw(self, name: str) -> pa.ChunkedArray:
        """A column as it is, in its own order.

        Raises
        ------
        UsageError
            If there is none of that name.
        """
        if name not in self.columns:
            near = difflib.get_close_matches(str(name), self.columns, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}? Else " if near else ""
            listed = ", ".join(self.columns[:40])
            raise UsageError(problem("survey-column", file=self.file, name=name, hint=hint, columns=listed))
        if self.columns.count(name) > 1:
            raise UsageError(problem("survey-column-twice", file=self.file, name=name))
        if self._table is not None:
            return self._table.column(name)
        inside = name in self._nested  # such a column has no values of its own, and no dictionary
        try:  # read_table would load the dataset reader
            with pq.ParquetFile(self._path, read_dictionary=None if inside else [name]) as file:
                return file.read(columns=[name]).column(name)
        except (OSError, pa.ArrowInvalid):
            raise SafercitiesError(problem("survey-table", file=self.file, given="this damaged file")) from None

    def numbers(self, name: str) -> Floats:
        """A column as numbers, NaN where empty, in the order of the design.

        Raises
        ------
        SafercitiesError
            If it holds text or infinite numbers.
        """
        values = self.own_numbers(name)
        if infinite := int((np.abs(values) > MOST).sum()):
            raise SafercitiesError(problem("survey-infinite", file=self.file, column=name, name=name, rows=infinite))
        return values if self.rows is None else values[self.rows]

    def own_numbers(self, name: str, code: str = "survey-number") -> Floats:
        """A column as numbers, NaN where empty, in the order of the table."""
        column = self.raw(name)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        ):
            raise SafercitiesError(problem(code, file=self.file, column=name, name=name))
        if kind is not column.type:
            column = column.cast(kind)
        if pa.types.is_boolean(kind):
            column = column.cast(pa.uint8())
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)

    def own_codes(self, name: str) -> tuple[NDArray[np.integer], list[str]]:
        """Code of each row (−1 where empty) and the text of each code, in the order of the table."""
        column = self.raw(name)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise SafercitiesError(problem("survey-not-text", file=self.file, column=name, name=name))
        if pa.types.is_float16(kind):
            column, kind = column.cast(pa.float32()), pa.float32()
        if not pa.types.is_dictionary(column.type):
            try:
                column = column.dictionary_encode()
            except pa.ArrowNotImplementedError:
                code = "survey-no-codes"
                raise SafercitiesError(problem(code, file=self.file, column=name, name=name, kind=kind)) from None
        joined = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(joined, pa.ChunkedArray):
            joined = joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
        codes = pc.fill_null(joined.indices, -1).to_numpy(zero_copy_only=False)
        if pa.types.is_floating(kind) and (pc.max(pc.abs(joined.dictionary)).as_py() or 0) > MOST_EXACT:
            raise SafercitiesError(problem("survey-code-digits", file=self.file, column=name, name=name))
        if pa.types.is_integer(kind) and not joined.dictionary.null_count and len(joined.dictionary):
            numbers, place_of = np.unique(joined.dictionary.to_numpy(zero_copy_only=False), return_inverse=True)
            if int(numbers[0]) >= -MOST_EXACT and int(numbers[-1]) <= MOST_EXACT:  # as below, many times quicker
                return _moved(codes, place_of, len(numbers)), [str(one) for one in numbers.tolist()]
        try:
            texts = ["" if value is None else text_of(value) for value in joined.dictionary.to_pylist()]
        except (OverflowError, ValueError):  # a time beyond the calendar
            code = "survey-no-codes"
            raise SafercitiesError(problem(code, file=self.file, column=name, name=name, kind=kind)) from None
        labels = sorted({text for text in texts if text}, key=_natural)
        place = {label: number for number, label in enumerate(labels)}
        return _moved(codes, [place.get(text, -1) for text in texts], len(labels)), labels

    def axis(self, name: str) -> Axis:
        """A column as a dimension; empty cells are `_U`.

        Raises
        ------
        UsageError
            If no breakdown can have this name.
        SafercitiesError
            If it holds `_T`.
        """
        if name in schema().names and name not in PLACED:
            raise UsageError(problem("survey-column-reserved", file=self.file, column=name, name=name))
        codes, labels = self.own_codes(name)
        if TOTAL in labels:
            raise SafercitiesError(problem("survey-total-code", file=self.file, column=name, name=name))
        if self.rows is not None:
            codes = codes[self.rows]
        if (codes < 0).any():
            if UNKNOWN not in labels:
                labels = [*labels, UNKNOWN]
            codes = np.where(codes < 0, labels.index(UNKNOWN), codes)
        return Axis(name, codes, tuple(labels))


def _moved(codes: NDArray[np.integer], places: ArrayLike, number: int) -> NDArray[np.integer]:
    """The place of each code among so many labels, in as few bytes as will do; −1 stays what it is."""
    small = np.int16 if number < 2**15 else np.int32 if number < 2**31 else np.int64
    return np.asarray(np.append(np.asarray(places, dtype=small), small(-1))[codes], dtype=small)


def is_there(path: Path) -> bool:
    """Whether a file is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _arrow(source: Any) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, dict):
        return _of_columns({str(name): _one_kind(str(name), values) for name, values in source.items()})
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        names = [str(name) for name in source.columns]
        columns = [_one_kind(name, source.iloc[:, number]) for number, name in enumerate(names)]
        return pa.Table.from_arrays(columns, names=names)
    if hasattr(source, "__arrow_c_stream__"):
        return pa.table(source)
    raise UsageError(problem("survey-table", given=type(source).__name__))


def _of_columns(columns: dict[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    lengths = {name: len(column) for name, column in columns.items()}
    first = next(iter(lengths), "")
    for name, length in lengths.items():
        if length != lengths[first]:
            code = "survey-column-lengths"
            raise UsageError(problem(code, name=name, length=length, other_name=first, other_length=lengths[first]))
    return pa.table(columns)


def _one_kind(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    """A column as Arrow, or a problem that names it."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        raise UsageError(problem("survey-column-mixed", column=name, name=name)) from None


def text_of(value: Any) -> str:
    """A value as its code is written: whole numbers without a decimal part, text trimmed, missing as nothing."""
    if isinstance(value, float | Decimal):
        return "" if value != value else str(int(value)) if value == int(value) else str(value)
    return str(value).strip()


def _natural(text: str) -> tuple[int, float, str]:
    """Numbers by their size, before words; `_U` last."""
    if text == UNKNOWN:
        return (2, 0.0, text)
    try:
        number = float(text)
    except ValueError:
        return (1, 0.0, text)
    return (0, number, text) if number == number else (1, 0.0, text)
