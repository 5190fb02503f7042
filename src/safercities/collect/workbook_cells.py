"""The cells of an Excel workbook within bounds: few bytes of it may stand for billions of cells, rows or texts.

openpyxl knows what cells, dates and styles mean. What it would do without end is done here: it keeps every element of
a part until its end, fills rows up to their last cell, and reads each sheet from the first byte to find its size.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from safercities.collect.archive import UnpacksToMuchError, memory_for

#: Rows and columns that a sheet can have, and cells that a sheet may span, counting the empty ones.
MAX_ROWS, MAX_COLUMNS, MAX_CELLS = 2**20, 2**14, 2**26
#: Bytes between two rows, or between two texts; texts that cells share; bytes and elements of styles and the like.
MAX_ROW, MAX_TEXTS, MAX_PART, MAX_ELEMENTS = 2**22, 2**23, 2**24, 2**19
#: Bytes for a cell besides those of its text, with which it is counted.
_CELL = 16


class TooWideError(Exception):
    """A sheet that spans too many cells: up to which row, and how wide it is there."""

    def __init__(self, row: int, width: int) -> None:
        super().__init__(row, width)
        self.row, self.width = row, width


class Sheet(NamedTuple):
    """A sheet: its name, whether it is hidden, and where it stands in the archive."""

    title: str
    state: str
    path: str


class _Parts(zipfile.ZipFile):
    """An archive whose small parts (types, sheets, styles) are small: each becomes many objects in memory."""

    most = MAX_PART

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        size = (self.getinfo(name) if isinstance(name, str) else name).file_size
        if self.most < size <= MAX_PART:  # too much only for who reads the beginning
            raise UnpacksToMuchError(size)
        content = super().read(name, pwd) if size <= self.most else b""
        if size > self.most or content.count(b"<") > MAX_ELEMENTS:
            raise ValueError("its styles, or its list of sheets, are too large")
        return content


class _Stream:
    """Bytes of a part; not more of them than `MAX_ROW` until somebody is done with what they hold."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.since = stream, 0

    def read(self, size: int = -1, /) -> bytes:
        content = self.stream.read(size)
        self.since += len(content)
        if self.since > MAX_ROW:
            raise ValueError(f"a row, or a text, takes more than {MAX_ROW // 2**20} MB")
        return content


def _plain(element: Any, tag: str) -> str:
    """A text without its formatting; most have none, and openpyxl is slow."""
    if len(element) == 0:
        return ""
    if len(element) == 1 and element[0].tag == tag:
        return element[0].text or ""
    from openpyxl.cell.text import Text

    told: Any = Text.from_tree(element)
    return str(told.content)


class _Texts:
    """Texts that cells share, as openpyxl gives them; read as far as they are asked for."""

    def __init__(self, archive: zipfile.ZipFile, path: str | None, most: int) -> None:
        self.read: list[str] = []
        self.rest = iter(()) if path is None else self._texts(archive, path, most)

    def __getitem__(self, at: int) -> str:
        if at < 0:
            raise IndexError(f"there is no shared text {at}")
        while at >= len(self.read):
            if (text := next(self.rest, None)) is None:
                raise IndexError(f"there is no shared text {at}")
            self.read.append(text)
        return self.read[at]

    def _texts(self, archive: zipfile.ZipFile, path: str, most: int) -> Iterator[str]:
        from openpyxl.xml.constants import SHEET_MAIN_NS
        from openpyxl.xml.functions import iterparse

        taken = 0
        with archive.open(path) as opened:
            stream = _Stream(opened)
            for count, element in enumerate(one for _, one in iterparse(stream) if one.tag == f"{{{SHEET_MAIN_NS}}}si"):
                text = _plain(element, f"{{{SHEET_MAIN_NS}}}t").replace("x005F_", "")
                element.clear()
                taken, stream.since = taken + _CELL + len(text), 0
                if count >= MAX_TEXTS or taken > most:
                    raise UnpacksToMuchError(taken)
                yield text


@dataclass
class Book:
    """An open workbook; the cells that are read of it may take `most` bytes."""

    archive: zipfile.ZipFile
    sheets: list[Sheet]
    most: int
    texts: _Texts
    _about: Any
    taken: int = 0

    def rows(self, sheet: Sheet, most: int = MAX_CELLS) -> Iterator[tuple[int, list[Any]]]:
        """Rows with their numbers from 1, each up to its last cell with a value; what is not there is passed over.

        Parameters
        ----------
        most
            Cells to read: those that stand there, or that a row spans.

        Raises
        ------
        TooWideError
            If the sheet has more cells or rows, or a cell where no sheet has one.
        UnpacksToMuchError
            If their texts take too much.
        ValueError
            If a row does, or the rows are not in order.
        """
        from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG, WorkSheetParser
        from openpyxl.xml.functions import iterparse

        with self.archive.open(sheet.path) as opened:
            stream = _Stream(opened)
            book = self._about
            formats = {"date_formats": book._date_formats, "timedelta_formats": book._timedelta_formats}
            parser = WorkSheetParser(stream, self.texts, data_only=True, epoch=book.epoch, **formats)
            before = cells = 0
            for _, element in iterparse(stream):
                if element.tag == DATA_TAG:
                    return
                if element.tag != ROW_TAG:
                    continue
                number = _number(parser, element, before)
                if number > MAX_ROWS or len(element) > MAX_COLUMNS:
                    raise TooWideError(number, len(element))
                row = self._row(parser, element, number)
                cells += max(len(element), len(row))
                if cells > most:
                    raise TooWideError(number, len(row))
                yield number, row
                element.clear()
                before, stream.since = number, 0

    def _row(self, parser: Any, element: Any, number: int) -> list[Any]:
        row: list[Any] = []
        for child in element:
            cell = parser.parse_cell(child)
            at, value = cell["column"], cell["value"]
            if not 1 <= at <= MAX_COLUMNS:
                raise TooWideError(number, at)
            if value is None:
                continue
            row.extend([None] * (at - len(row)))
            row[at - 1] = value
            self.take(value)
        return row

    def take(self, value: object, times: int = 1) -> None:
        """Count a cell's value, so many times.

        Raises
        ------
        UnpacksToMuchError
            If there is no room for it.
        """
        self.taken += times * (_CELL + (len(value) if isinstance(value, str) else 0))
        if self.taken > self.most:
            raise UnpacksToMuchError(self.taken)


def _number(parser: Any, element: Any, before: int) -> int:
    """Number of a row: what it says, or one more than the row before; to the parser it is told as well."""
    said = float(element.get("r", before + 1))
    if not said.is_integer() or not before < said:
        raise ValueError(f"row {element.get('r')} stands after row {before}")
    parser.row_counter, parser.col_counter = int(said), 0
    return int(said)


@contextmanager
def open_book(path: Path, most: int | None = None, most_part: int | None = None) -> Iterator[Book]:
    """Open a workbook: its sheets, the texts that their cells share, and which styles are dates.

    Parameters
    ----------
    most
        Bytes that its cells may take; without, as many as those of any file of its size.
    most_part
        Bytes of its styles, and of each other part that is read before its cells; without, `MAX_PART`.

    Raises
    ------
    UnpacksToMuchError
        If something in it takes too much.
    """
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.styles.stylesheet import apply_stylesheet
    from openpyxl.xml.constants import SHARED_STRINGS

    whole = most is None  # then all texts are read, so that damage anywhere in them is seen
    most = memory_for(path) if most is None else most
    with path.open("rb") as stream, _Parts(stream) as archive:  # ours to close: openpyxl leaves it open where it fails
        reader = ExcelReader(stream, read_only=True, data_only=True, keep_links=False)
        reader.archive, archive.most = archive, most_part or MAX_PART
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(archive, reader.wb)
        sheets = [
            Sheet(sheet.name, str(sheet.state), rel.target)
            for sheet, rel in reader.parser.find_sheets()
            if rel.target in reader.valid_files and "chartsheet" not in rel.Type
        ]
        package: Any = reader.package
        part = package.find(SHARED_STRINGS)
        texts = _Texts(archive, part and part.PartName[1:], most)
        if whole:
            texts.read.extend(texts.rest)
        yield Book(archive, sheets, most, texts, reader.wb)
