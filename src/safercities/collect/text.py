"""Read delimited text (CSV, TSV, …) of any size: every value as text, every row with its number, bad rows counted."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from safercities.collect.archive import FREE_MEMORY
from safercities.collect.columns import check_names, drop_empty_rows, no_rows
from safercities.collect.encoding import TEXT, Scan, delimiter_of, encoding_of, records, scan
from safercities.collect.faults import LISTED, json_text, shown
from safercities.collect.records import REJECTS, RawTable
from safercities.collect.spec import FileSpec
from safercities.model.errors import Problem, SafercitiesError, problem

#: Bytes that are parsed at once: a row that is longer cannot be read. Rows that are kept as they could not be parsed.
_BLOCK, MAX_RAGGED = 2**24, 2**20
#: Bytes that a cell and a row take besides its text; how many times the file they may take (beyond
#: `FREE_MEMORY`): a line that has its cells has a byte for each.
_CELL, _ROW, MAX_GROWTH = 5, 8, 8


def read_text(path: Path, spec: FileSpec, suffix: str) -> RawTable:
    """Read a text file. Rows are numbered by record: one with line breaks inside quotes counts as one row.

    Blank rows count as rows of the sheet, though not as records.

    Raises
    ------
    SafercitiesError
        If it is no text, is written differently than declared, or has no usable header.
    """
    found = scan(path)
    encoding, problems = encoding_of(found, spec.encoding, spec.file)
    text = _head(found, encoding)
    start = "".join(io.StringIO(text, newline="").readlines()[spec.header - 1 :])
    if len(start) > TEXT and not any(end in start[:TEXT] for end in "\r\n"):
        raise SafercitiesError(problem("header-long", file=spec.file, row=spec.header, characters=TEXT))
    delimiter = delimiter_of(start, spec.delimiter, suffix, spec.file)
    first = records(start, delimiter, 1)
    if not first or not any(name.strip() for name in first[0]):
        raise SafercitiesError(problem("header-missing", file=spec.file, row=spec.header))
    names = [name.strip().lstrip("\ufeff") for name in first[0]]
    _check_size(path, found, len(names), spec.file)
    table, ragged = _parse(path, spec, encoding, delimiter, [f"c{i}" for i in range(len(names))], found)
    _refuse_swallowed(ragged, found, spec.file)
    rows = _row_numbers(table.num_rows, spec.header, [bad.number for bad in ragged])
    table = check_names(table, names, spec.file, spec.header)
    table, rows, empty = drop_empty_rows(table, rows, spec.file)
    swallowed = _swallowed(table, rows, delimiter, found, spec.file)
    rejects, bad_rows = _ragged(ragged, spec.file)
    return RawTable(
        spec.file,
        table,
        rows,
        problems=(*problems, *empty, *swallowed, *bad_rows, *no_rows(table.num_rows + len(ragged), spec.file)),
        rejects=rejects,
    )


def _head(found: Scan, encoding: str) -> str:
    """Beginning of the file as text; a character that the sample cuts in two is left out."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(found.head)
    return text.removeprefix("\ufeff")


def _parse(
    path: Path, spec: FileSpec, encoding: str, delimiter: str, names: list[str], found: Scan
) -> tuple[pa.Table, list[pacsv.InvalidRow]]:
    """All records as strings, and the rows that have another number of cells than the header."""
    ragged: list[pacsv.InvalidRow] = []

    def keep(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "skip" if len(ragged) <= MAX_RAGGED else "error"

    try:
        # one thread: only then does the parser know the numbers of bad rows
        table = pacsv.read_csv(
            path,
            pacsv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                encoding="utf8" if encoding == "utf-8" else encoding,
                skip_rows=spec.header - 1,
                column_names=names,
            ),
            pacsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=keep
            ),
            pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except UnicodeDecodeError:
        raise SafercitiesError(
            problem("encoding-wrong", file=spec.file, declared=encoding, looks="another one")
        ) from None
    except pa.ArrowInvalid as error:
        if len(ragged) > MAX_RAGGED:
            raise SafercitiesError(_ragged(ragged, spec.file)[1]) from None
        if "straddles" in str(error) and found.quotes:
            raise SafercitiesError(problem("quote-open", file=spec.file)) from None
        if "straddles" in str(error):
            message = f"a row is longer than {_BLOCK // 2**20} MB"
            raise SafercitiesError(problem("text-unreadable", file=spec.file, message=message)) from None
        raise SafercitiesError(problem("text-unreadable", file=spec.file, message=str(error)[:200])) from None
    return table.slice(1), ragged


def _row_numbers(count: int, header: int, missing: list[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Numbers from the row below the header on, without the rows that were left out."""
    rows = np.arange(header + 1, header + 1 + count + len(missing), dtype=np.int64)
    return rows[~np.isin(rows, missing)] if missing else rows


def _ragged(bad: list[pacsv.InvalidRow], file: str) -> tuple[pa.Table, tuple[Problem, ...]]:
    if not bad:
        return REJECTS.empty_table(), ()
    first: dict[int | None, pacsv.InvalidRow] = {}  # each number of cells makes a problem of its own
    counts: dict[int | None, int] = {}
    for one in bad:
        first.setdefault(one.actual_columns, one)
        counts[one.actual_columns] = counts.get(one.actual_columns, 0) + 1
    faults = {
        cells: problem(
            "row-ragged", file=file, row=one.number, rows=counts[cells], actual=cells, expected=one.expected_columns
        )
        for cells, one in first.items()
    }
    rows: dict[str, list[Any]] = {
        "row": [b.number for b in bad],
        "column": [""] * len(bad),
        "code": ["row-ragged"] * len(bad),
        "why": [faults[b.actual_columns].what for b in bad],
        "values": [json_text({"": b.text}) for b in bad],
    }
    return pa.table(rows, schema=REJECTS), tuple(list(faults.values())[:LISTED])


def _check_size(path: Path, found: Scan, columns: int, file: str) -> None:
    """Refuse a file of almost nothing but line ends and delimiters, whose cells take far more memory than it has bytes.

    Raises
    ------
    SafercitiesError
        If they do.
    """
    size = path.stat().st_size
    takes = size + found.lines * (columns * _CELL + _ROW)
    if takes > FREE_MEMORY and takes > MAX_GROWTH * size:
        raise SafercitiesError(problem("file-expands", file=file, size=f"{takes / 2**20:,.0f} MB"))


def _refuse_swallowed(bad: list[pacsv.InvalidRow], found: Scan, file: str) -> None:
    """Refuse a file in which a quote is not closed: what was taken for one row are all after it.

    Raises
    ------
    SafercitiesError
        If the number of quotes is odd, and a row that has too few or too many cells goes over several lines.
    """
    for one in bad if found.quotes % 2 else ():
        if "\n" in one.text.strip():
            raise SafercitiesError(problem("quote-open", file=file, row=one.number))


def _swallowed(
    table: pa.Table, rows: np.ndarray[Any, np.dtype[np.int64]], delimiter: str, found: Scan, file: str
) -> tuple[Problem, ...]:
    """Values that hold whole rows: a quote that was opened and not closed where it should be.

    Raises
    ------
    SafercitiesError
        If the number of quotes in the file is odd as well: then rows were certainly lost.
    """
    if not found.quotes or table.num_columns < 2:
        return ()
    inner = "[^\n]*".join([_escaped(delimiter)] * (table.num_columns - 1))
    suspects: list[Problem] = []
    for name in table.column_names:
        if not pc.any(pc.match_substring(table.column(name), "\n")).as_py():
            continue
        where = np.flatnonzero(
            pc.fill_null(pc.match_substring_regex(table.column(name), f"\n[^\n]*{inner}"), False).to_numpy()
        )
        if len(where):
            row = int(rows[where[0]])
            if found.quotes % 2:
                raise SafercitiesError(problem("quote-open", file=file, row=row, column=name))
            value = shown(table.column(name)[int(where[0])].as_py())
            suspects.append(problem("row-swallowed", file=file, row=row, column=name, rows=len(where), value=value))
    return tuple(suspects)


def _escaped(delimiter: str) -> str:
    return "\\" + delimiter if delimiter in "|.^$*+?()[]{}\\" else delimiter
