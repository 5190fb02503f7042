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

from safercities.collect.columns import check_names, drop_empty_rows, no_rows
from safercities.collect.encoding import TEXT, Scan, delimiter_of, encoding_of, records, scan
from safercities.collect.faults import LISTED, json_text, shown
from safercities.collect.records import REJECTS, RawTable
from safercities.collect.spec import FileSpec
from safercities.model.errors import Problem, SafercitiesError, problem

_BLOCK = 2**24


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
    table, ragged = _parse(path, spec, encoding, delimiter, [f"c{i}" for i in range(len(names))])
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
    path: Path, spec: FileSpec, encoding: str, delimiter: str, names: list[str]
) -> tuple[pa.Table, list[pacsv.InvalidRow]]:
    """All records as strings, and the rows that have another number of cells than the header."""
    ragged: list[pacsv.InvalidRow] = []

    def keep(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

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
        if "straddles" in str(error):
            raise SafercitiesError(problem("quote-open", file=spec.file)) from None
        raise SafercitiesError(problem("text-unreadable", file=spec.file, message=str(error)[:200])) from None
    return table.slice(1), ragged


def _row_numbers(count: int, header: int, missing: list[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Numbers from the row below the header on, without the rows that were left out."""
    rows = np.arange(header + 1, header + 1 + count + len(missing), dtype=np.int64)
    return rows[~np.isin(rows, missing)] if missing else rows


def _ragged(bad: list[pacsv.InvalidRow], file: str) -> tuple[pa.Table, tuple[Problem, ...]]:
    if not bad:
        return REJECTS.empty_table(), ()
    faults = [
        problem("row-ragged", file=file, row=b.number, actual=b.actual_columns, expected=b.expected_columns)
        for b in bad
    ]
    rows: dict[str, list[Any]] = {
        "row": [b.number for b in bad],
        "column": [""] * len(bad),
        "code": [fault.code for fault in faults],
        "why": [fault.what for fault in faults],
        "values": [json_text({"": b.text}) for b in bad],
    }
    first: dict[str, Problem] = {}
    counts: dict[str, int] = {}
    for fault in faults:
        first.setdefault(fault.what, fault)
        counts[fault.what] = counts.get(fault.what, 0) + 1
    found = [
        problem("row-ragged", file=file, row=fault.row, rows=counts[what], **dict[str, Any](fault.details))
        for what, fault in list(first.items())[:LISTED]
    ]
    return pa.table(rows, schema=REJECTS), tuple(found)


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
