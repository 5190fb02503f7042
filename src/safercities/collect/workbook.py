"""Read a sheet of an Excel workbook: cells as they are stored, merged cells filled downwards, sizes bounded."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import pyarrow as pa

from safercities.collect import workbook_cells
from safercities.collect.archive import UnpacksToMuchError, check_list
from safercities.collect.columns import check_names, drop_empty_rows, no_rows
from safercities.collect.records import RawTable
from safercities.collect.spec import FileSpec
from safercities.collect.workbook_cells import Book, Sheet, TooWideError, open_book
from safercities.model.errors import Problem, SafercitiesError, problem

#: Bytes that a workbook may unpack to (it is a zip archive of XML).
MAX_WORKBOOK = 2 * 2**30
_CHUNK = 2**20
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^<>]*?ref=\"([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)\"")
_UNSTORED = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?:\s[^<>]*)?/>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></|</(?:\w+:)?c>)"
)
_OVERLAP = 4096

#: What reading a workbook raises that is no workbook, or a damaged one.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    ValueError,
    OSError,
    ParseError,
    TypeError,
    IndexError,
    AttributeError,
    RuntimeError,  # of zipfile, for one that is locked
)

Rows = list[tuple[int, list[Any]]]
Merge = tuple[int, int, int]  # column (from 0), first and last row


def read_workbook(path: Path, spec: FileSpec) -> RawTable:
    """Read one sheet. Hidden rows are rows like others; formulas give the value that was stored with them.

    A value that is merged over several rows is given to each of them (`RawTable.merged` says where); a value merged
    over several columns stays in the first.

    Raises
    ------
    SafercitiesError
        If the workbook is broken, too big, or has no such sheet or header.
    """
    try:
        _bound(path, spec.file)
        return _sheet(path, spec)
    except UnpacksToMuchError as error:
        raise SafercitiesError(problem("file-expands", file=spec.file, size=f"{error.size / 2**20:,.0f} MB")) from None
    except TooWideError as error:
        raise SafercitiesError(problem("workbook-wide", file=spec.file, row=error.row, width=error.width)) from None
    except BROKEN as error:
        raise broken_workbook(error, path, spec.file) from None


def broken_workbook(error: BaseException, path: Path, file: str) -> SafercitiesError:
    """What stopped the reading; openpyxl may have wrapped the refusal of harmful XML in an error of its own."""
    from defusedxml import DefusedXmlException

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DefusedXmlException):
            return SafercitiesError(problem("workbook-unsafe", file=file, message=type(cause).__name__))
        cause = cause.__cause__ or cause.__context__
    message = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), file)
    return SafercitiesError(problem("workbook-broken", file=file, message=message.rstrip(".")[:200]))


def _bound(path: Path, file: str) -> None:
    check_list(path, file)
    with zipfile.ZipFile(path) as archive:
        size = sum(item.file_size for item in archive.infolist())
    if size > MAX_WORKBOOK:
        raise SafercitiesError(problem("archive-bomb", file=file, size=f"{size / 2**20:.0f} MB"))


def _sheet(path: Path, spec: FileSpec) -> RawTable:
    from openpyxl.xml import DEFUSEDXML

    if not DEFUSEDXML:
        raise SafercitiesError(problem("workbook-unsafe", file=spec.file, message="defusedxml is switched off"))
    with open_book(path) as book:
        sheet = chosen(book.sheets, spec)
        rows = _rows(book.rows(sheet), spec)
        merges, unstored = _marks(book.archive, sheet.path)
        return _table(rows, merges, unstored, spec, book)


def _rows(sheet: Iterator[tuple[int, list[Any]]], spec: FileSpec) -> Rows:
    """Rows that hold something, with their numbers; a few bytes may claim billions of cells between two values."""
    rows: Rows = []
    width = 0
    for number, cells in sheet:
        if number >= spec.header and cells:
            rows.append((number, cells))
            width = max(width, len(cells))
            if width * len(rows) > workbook_cells.MAX_CELLS:
                raise TooWideError(number, width)
    return rows


def chosen(sheets: Sequence[Sheet], spec: FileSpec) -> Sheet:
    """The sheet by its name or number; the only visible one, or the first, where none is said.

    Raises
    ------
    SafercitiesError
        If there is none, or several could be meant.
    """
    names = ", ".join(sheet.title for sheet in sheets)
    if isinstance(spec.sheet, int):
        if 1 <= spec.sheet <= len(sheets):
            return sheets[spec.sheet - 1]
    elif spec.sheet is not None:
        for sheet in sheets:
            if sheet.title.strip() == spec.sheet.strip():
                return sheet
    else:
        visible = [sheet for sheet in sheets if sheet.state == "visible"]
        if len(visible) == 1 or len(sheets) == 1:
            return (visible or sheets)[0]
        raise SafercitiesError(problem("sheet-several", file=spec.file, sheets=names))
    raise SafercitiesError(problem("sheet-missing", file=spec.file, sheet=spec.sheet, sheets=names))


def _marks(archive: zipfile.ZipFile, member: str) -> tuple[list[Merge], int]:
    """Merged cells, and formulas without value, from the sheet's bytes: a second parse would be slow."""
    merges: list[Merge] = []
    unstored = 0
    for piece, fresh in _pieces(archive, member):
        unstored += sum(match.end() > fresh for match in _UNSTORED.finditer(piece))
        found = (match for match in _MERGED.finditer(piece) if match.end() > fresh)
        merges += [(_number(m[1]), int(m[2]), int(m[4])) for m in found if int(m[2]) < int(m[4])]
        if len(merges) > workbook_cells.MAX_ROWS:
            raise TooWideError(merges[-1][1], merges[-1][0] + 1)
    return merges, unstored


def _pieces(archive: zipfile.ZipFile, member: str) -> Iterator[tuple[bytes, int]]:
    """Pieces of a member that overlap, with how many of their bytes were in the piece before."""
    tail = b""
    with archive.open(member.lstrip("/")) as stream:
        while chunk := stream.read(_CHUNK):
            yield tail + chunk, len(tail)
            tail = (tail + chunk)[-_OVERLAP:]


def _number(letters: bytes) -> int:
    number = 0
    for byte in letters:
        number = number * 26 + byte - 64
    return number - 1


def _table(rows: Rows, merges: list[Merge], unstored: int, spec: FileSpec, book: Book) -> RawTable:
    above = [merge for merge in merges if merge[1] < spec.header <= merge[2]]
    if above:
        raise SafercitiesError(problem("header-merged", file=spec.file, row=spec.header, first=above[0][1]))
    if not rows or rows[0][0] != spec.header:
        raise SafercitiesError(problem("header-missing", file=spec.file, row=spec.header))
    width = max(len(cells) for _, cells in rows)
    names = [_cell_text(cell) for cell in rows[0][1]] + [""] * (width - len(rows[0][1]))
    body = rows[1:]
    columns: list[list[Any]] = [[cells[i] if i < len(cells) else None for _, cells in body] for i in range(width)]
    numbers = np.array([number for number, _ in body], dtype=np.int64)
    merged = _fill(columns, numbers, merges, spec.header, book)
    typed = pa.table([_typed(column) for column in columns], names=[f"c{i}" for i in range(width)])
    table = check_names(typed, names, spec.file, spec.header)
    table, kept, empty = drop_empty_rows(table, numbers, spec.file)
    if len(kept) < len(numbers):
        moved = {int(number): at for at, number in enumerate(kept)}
        merged = {
            i: [moved[int(numbers[at])] for at in places if int(numbers[at]) in moved] for i, places in merged.items()
        }
    problems = [*empty, *no_rows(table.num_rows, spec.file), *_notes(merged, kept, names, unstored, spec.file)]
    filled = {names[i]: np.array(places, dtype=np.int64) for i, places in merged.items() if names[i]}
    return RawTable(spec.file, table, kept, merged=filled, problems=tuple(problems))


def _fill(
    columns: list[list[Any]], numbers: np.ndarray[Any, Any], merges: list[Merge], header: int, book: Book
) -> dict[int, list[int]]:
    """Give the value of a cell merged over rows to each of them; says which positions of which column share one."""
    merged: dict[int, np.ndarray[Any, Any]] = {}
    for column, first, last in merges:
        if first <= header or column >= len(columns):
            continue
        start, end = np.searchsorted(numbers, [first, last + 1])
        if start < end and numbers[start] == first:
            value = columns[column][start]
            book.take(value, int(end - start))
            columns[column][start:end] = [value] * int(end - start)
            if value is not None:
                merged.setdefault(column, np.zeros(len(numbers), bool))[start:end] = True
    return {column: np.flatnonzero(where).tolist() for column, where in merged.items()}


def _notes(
    merged: dict[int, list[int]], rows: np.ndarray[Any, Any], names: list[str], unstored: int, file: str
) -> Iterator[Problem]:
    for column, places in merged.items():
        if places:
            row = int(rows[places[0]])
            yield problem("cells-merged", file=file, row=row, column=names[column], rows=len(places))
    if unstored:
        yield problem("formulas-unstored", file=file, count=unstored)


def _typed(cells: list[Any]) -> pa.Array:
    """Cells of one type as that type, dates as timestamps; a mixture as text."""
    if all(cell is None for cell in cells):  # most columns, where one cell stands far to the right
        return pa.nulls(len(cells), pa.string())
    cells = [None if isinstance(cell, str) and not cell.strip() else cell for cell in cells]
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {datetime, date}:
        return pa.array([_midnight(cell) for cell in cells], pa.timestamp("us"))
    if kinds == {int}:
        try:
            return pa.array(cells, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            kinds = {str}
    if kinds and kinds <= {int, float}:
        return pa.array(cells, pa.float64())
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    return pa.array([None if cell is None else _cell_text(cell) for cell in cells], pa.string())


def _midnight(cell: date | None) -> datetime | None:
    if cell is None or isinstance(cell, datetime):
        return cell
    return datetime(cell.year, cell.month, cell.day)


def _cell_text(cell: object) -> str:
    """A cell of a mixed column as text: whole numbers without decimals, dates in ISO form."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return f"{cell.total_seconds():g} s"
    return str(cell).strip()
