"""The beginning of a file, within what a page may take of time and memory: few bytes may stand for very many rows."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from safercities.collect.archive import UnpacksToMuchError, check_list, opened
from safercities.collect.encoding import TEXT, delimiter_of
from safercities.collect.file_spec import FileSpec
from safercities.model.errors import SafercitiesError, problem
from safercities.model.printable import without_controls

#: Bytes of text that are read at once; of a larger file the beginning.
SAMPLE = 4 * 2**20
#: Bytes of other files that are read here; larger ones only by the check.
LARGE = 32 * 2**20
#: Values that a file may hold to be read as a whole, and rows that are read of one that holds more.
VALUES, FIRST = 300_000, 2_000
#: Bytes of what describes a Parquet file.
FOOTER = 2**20
#: Bytes of a workbook's styles, and of other parts that are read before its first row.
PART = 4 * 2**20
#: Values of an SPSS or Stata file that is read as a whole: that is fast.
MOST = 10 * VALUES
_WORKBOOK, _PARQUET = (".xlsx", ".xlsm"), (".parquet", ".pq", ".geoparquet")
_STATISTICS = (".sav", ".zsav", ".dta")
_TEXT = (".csv", ".tsv", ".tab", ".txt")
_OTHERS = (*_WORKBOOK, *_PARQUET, *_STATISTICS, ".gpkg", ".geojson", ".json", ".shp", ".fgb", ".xls", ".xlsb", ".ods")
#: Bytes of a workbook's XML that stand for one value, at least.
_CELL = 20


class TooLargeError(Exception):
    """A file that only the check can read."""


@contextmanager
def sampled(spec: FileSpec, folder: Path) -> Iterator[tuple[FileSpec, Path, bool]]:
    """The file as `spec` says, for as long as the context lasts: of a large one its beginning; and if it is whole.

    Raises
    ------
    TooLargeError
        If it is large, and has no beginning that can be read alone.
    SafercitiesError
        If it cannot be opened.
    """
    with tempfile.TemporaryDirectory(prefix="safercities-") as temporary:
        try:
            part = _packed(spec, folder, Path(temporary)) or _beginning(spec, folder, Path(temporary))
        except OSError:
            raise SafercitiesError(problem("file-missing", file=spec.file)) from None
        if part is None:
            yield spec, folder, True
        elif isinstance(part, int):
            from safercities.collect.survey_files import first_rows

            with first_rows(part):
                yield spec, folder, False
        else:  # of a workbook it has one sheet
            yield spec.model_copy(update={"file": part, "sheet": None}), Path(temporary), False


def _beginning(spec: FileSpec, folder: Path, target: Path) -> str | int | None:
    """Name of a file in `target` with the first rows, or how many to read; None where the whole is small enough."""
    with opened(spec.file, folder) as source:
        size, suffix = source.path.stat().st_size, source.suffix
        if suffix not in _OTHERS:
            with source.path.open("rb") as stream:
                return _text(stream, target, suffix, spec)
        if size > LARGE and suffix not in (*_PARQUET, *_STATISTICS):  # of those little is read for the first rows
            raise TooLargeError
        try:
            return _first_rows(source.path, suffix, spec, target)
        except (TooLargeError, SafercitiesError):
            raise
        except MemoryError:
            raise TooLargeError from None
        except Exception:  # it is broken: whoever reads it says in which way
            return None


# -- text --------------------------------------------------------------------------------------------------------------


def _packed(spec: FileSpec, folder: Path, target: Path) -> str | None:
    """The beginning of a large text in an archive, of which nothing else is unpacked; None where it is none."""
    archive, _, inner = spec.file.partition(".zip/")
    path = folder / (f"{archive}.zip" if inner else spec.file)
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return None
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as stream:
                return _gzipped(stream, target, Path(path.stem).suffix.lower(), spec)
        return _zipped(path, inner, target, spec) if path.suffix.lower() == ".zip" else None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError):
        return None  # whoever opens it says what is wrong


def _gzipped(stream: IO[bytes] | Any, target: Path, suffix: str, spec: FileSpec) -> str | None:
    if suffix in _TEXT:
        return _text(stream, target, suffix, spec)
    left = LARGE
    while read := stream.read(min(left + 1, 2**20)):
        left -= len(read)
        if left < 0:
            raise TooLargeError
    return None


def _zipped(path: Path, inner: str, target: Path, spec: FileSpec) -> str | None:
    hidden = (".", "__MACOSX")
    check_list(path, path.name)
    with zipfile.ZipFile(path) as packed:
        files = [one for one in packed.infolist() if not one.is_dir()]
        seen = [one for one in files if not any(p.startswith(hidden) for p in PurePosixPath(one.filename).parts)]
        named = [one for one in files if one.filename == inner] if inner else seen
        if len(named) != 1 or named[0].flag_bits & 0x1:
            return None
        suffix = PurePosixPath(named[0].filename).suffix.lower()
        if suffix in _OTHERS and named[0].file_size > LARGE:
            raise TooLargeError
        if suffix not in _TEXT:
            return None
        with packed.open(named[0]) as member:
            return _text(member, target, suffix, spec)


def _text(stream: IO[bytes] | Any, target: Path, suffix: str, spec: FileSpec) -> str | None:
    """The first rows, up to the end of a line; None where that is all."""
    head = stream.read(SAMPLE + 2)
    end = _line_end(head[:SAMPLE])
    if len(head) <= SAMPLE and end is None:
        return None
    end = _closed(head, min(len(head), SAMPLE) - 1 if end is None else end, spec, suffix)
    if end % 2 == 0 and head[end + 1 : end + 2] == b"\0":  # UTF-16, low byte first
        end += 1
    name = f"beginning{suffix or '.txt'}"
    (target / name).write_bytes(head[: end + 1] if end >= 0 else head[:SAMPLE])
    return name


def _line_end(head: bytes) -> int | None:
    """Where the last line ends that may be read; None where there are no more lines."""
    if head.count(b"\n") + head.count(b"\r") <= VALUES:
        return None
    at = -1
    for _ in range(VALUES // 2):
        at = head.find(b"\n", at + 1)
        if at < 0:
            return None
    return at


def _closed(head: bytes, end: int, spec: FileSpec, suffix: str) -> int:
    """Where the last row before `end` ends; the last line, where no row does.

    A quote counts as the parser takes it, where a cell begins with it. Line ends within quoted cells end no row.
    """
    last = at = head.rfind(b"\n", 0, end + 1)
    plain = head[: 2 * TEXT].replace(b"\0", b"").decode("latin-1")  # enough to see what separates the columns
    lines = io.StringIO(plain, newline="").readlines()[spec.header - 1 :]
    try:
        delimiter = delimiter_of("".join(lines), spec.delimiter, suffix, spec.file)
    except SafercitiesError:
        return last
    start = sum(len(line) + 1 for line in head[: last + 1].split(b"\n", spec.header - 1)[:-1])
    rows = _row(delimiter.encode()).scanner(head, start or _mark(head), last + 1)  # type: ignore[attr-defined]
    at = -1
    while row := rows.match():
        at = row.end() - 1
    return last if at < 0 else at


def _row(delimiter: bytes) -> re.Pattern[bytes]:
    """A row up to its line end, also in UTF-16; nothing of it is looked at twice."""
    apart = re.escape(delimiter)
    cell = rb'\0?+(?:"(?:[^"]++|"\0?+")*+"|(?!"))[^\n' + apart + rb"]*+"
    return re.compile(cell + rb"(?:" + apart + cell + rb")*+\n")


def _mark(head: bytes) -> int:
    """Bytes of the mark that says in which encoding a text is."""
    return next(
        (len(mark) for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) if head.startswith(mark)), 0
    )


# -- other formats -----------------------------------------------------------------------------------------------------


def _first_rows(path: Path, suffix: str, spec: FileSpec, target: Path) -> str | int | None:
    """Name of a file in `target` with the first rows, or how many to read; None where the whole is small enough."""
    if suffix in _PARQUET:
        return _parquet(path, target)
    if suffix in _WORKBOOK:
        return _workbook(path, spec, target)
    if suffix in _STATISTICS:
        return _statistics(path, suffix, spec)
    return None


def _statistics(path: Path, suffix: str, spec: FileSpec) -> int | None:
    """How many rows to read of an SPSS or Stata file; None for all of them."""
    from safercities.collect.survey_files import extent

    rows, columns, width = extent(path, suffix, spec.encoding)
    if rows is not None and rows * columns <= MOST and rows * width <= LARGE * MOST // VALUES:
        return None
    if width > LARGE:
        raise TooLargeError
    return min(FIRST, LARGE // width)


def _parquet(path: Path, target: Path) -> str | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from safercities.collect.parquet_bounds import front, measure

    try:
        found = measure(path, LARGE, most_footer=FOOTER)
        if found.values <= VALUES and found.most <= LARGE:
            return None
    except UnpacksToMuchError:
        pass
    try:
        pq.write_table(front(path, FIRST, LARGE, FOOTER), target / "beginning.parquet")
    except (UnpacksToMuchError, StopIteration, pa.ArrowException):
        raise TooLargeError from None
    return "beginning.parquet"


def _workbook(path: Path, spec: FileSpec, target: Path) -> str | None:
    """The first rows of the sheet that is meant, in a workbook of its own: stored values, and no merged cells."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    check_list(path, spec.file)
    with zipfile.ZipFile(path) as archive:
        small = sum(one.file_size for one in archive.infolist() if one.filename.endswith(".xml")) <= VALUES * _CELL
    rows, whole = _workbook_rows(path, spec, small=small)
    if small and whole:
        return None
    made = openpyxl.Workbook(write_only=True)
    written = made.create_sheet()
    last = 0
    for number, row in rows:
        cells = [WriteOnlyCell(written, without_controls(v) if isinstance(v, str) else v) for v in row]
        for cell in cells:
            cell.data_type = "s" if cell.data_type == "f" else cell.data_type  # text that looks like a formula
        for _ in range(last + 1, number):
            written.append([])
        written.append(cells)
        last = number
    made.save(target / "beginning.xlsx")
    return "beginning.xlsx"


def _workbook_rows(path: Path, spec: FileSpec, *, small: bool) -> tuple[list[tuple[int, list[Any]]], bool]:
    """Rows with their numbers: all of a small one, else the first of them, as many as may be read; and if they are all.

    Raises
    ------
    TooLargeError
        If there is not one below the header, or what is read before all rows is too much already.
    SafercitiesError
        If it is broken, or has no such sheet.
    """
    from safercities.collect.workbook import BROKEN, broken_workbook, chosen
    from safercities.collect.workbook_cells import TooWideError, open_book

    rows: list[tuple[int, list[Any]]] = []
    taken, whole, last = 0, False, spec.header + FIRST
    try:
        with open_book(path, LARGE, PART) as book:
            for number, row in book.rows(chosen(book.sheets, spec), 2 * VALUES):
                if taken > VALUES or (number > last and not small):
                    break
                rows.append((number, row))
                taken += 1 + len(row)
            else:
                whole = True
    except (TooWideError, UnpacksToMuchError):
        pass
    except BROKEN as error:  # said here: who reads all of it may take long until there
        raise broken_workbook(error, path, spec.file) from None
    rows = rows if whole else [one for one in rows if one[0] <= last]
    if not whole and (not rows or not spec.header < rows[-1][0] <= VALUES):
        raise TooLargeError
    return rows, whole
