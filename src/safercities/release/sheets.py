"""Workbooks that hold no formula and no time of writing: the same rows give the same bytes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from safercities.files import as_text

if TYPE_CHECKING:
    from openpyxl import Workbook

_EPOCH = datetime(1980, 1, 1)
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: Rows of one sheet: spreadsheets take 1 048 576.
MOST_ROWS = 1_000_000


def new_book() -> Workbook:
    """An empty workbook that is written as it grows."""
    from openpyxl import Workbook

    return Workbook(write_only=True)


def add_sheet(
    book: Workbook,
    name: str,
    rows: Iterable[Sequence[object]],
    *,
    widths: Sequence[int],
    heads: int = 0,
    right_to_left: bool = False,
) -> None:
    """One sheet.

    Parameters
    ----------
    name
        Changed where workbooks do not allow it, or there is one of that name.
    heads
        Rows of the header: always in sight, the last of them bold, with filters.
    widths
        Of the columns, in characters.
    """
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(sheet_name(name, {each.title.lower() for each in book.worksheets}))
    sheet.sheet_view.rightToLeft = right_to_left
    for number, width in enumerate(widths, start=1):  # before the rows: a sheet is written as it grows
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = f"A{heads + 1}" if heads else None
    last = 0
    for last, row in enumerate(rows, start=1):
        sheet.append([safe_cell(sheet, value, bold=last <= heads) for value in row])
    if heads:
        sheet.auto_filter.ref = f"A{heads}:{get_column_letter(len(widths))}{max(last, heads)}"


def safe_cell(sheet: Any, value: Any, *, bold: bool = False) -> Any:
    """A cell that no spreadsheet takes for a formula; characters that workbooks cannot hold are �."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    if isinstance(value, str):
        value = _ILLEGAL.sub("\ufffd", value)
    risky = isinstance(value, str) and (as_text(value) != value or value.startswith(("+", "-")))
    if not bold and not risky and not isinstance(value, float):
        return value
    cell = WriteOnlyCell(sheet, value=value)
    if risky:
        cell.data_type = "s"
        cell.quotePrefix = True
    if isinstance(value, float):
        cell.number_format = "#,##0" if value.is_integer() else "#,##0.0##"
    if bold:
        cell.font = Font(bold=True)
    return cell


def sheet_name(name: str, taken: set[str]) -> str:
    """A name that workbooks allow: at most 31 characters, none of []:*?/\\, each once (whatever its letters' case).

    Examples
    --------
    >>> sheet_name("a/b", set()), sheet_name("x" * 40, {"x" * 31})[-3:]
    ('a_b', 'x~2')
    """
    base = _ILLEGAL.sub("_", re.sub(r"[\[\]:*?/\\\r\n\t]", "_", name))[:31].strip("'") or "sheet"
    made, number = base, 2
    while made.lower() in taken or made.lower() == "history":  # a name that Excel keeps for itself
        made = f"{base[: 31 - len(str(number)) - 1]}~{number}"
        number += 1
    return made


def to_bytes(book: Workbook) -> bytes:
    """The workbook as a file, without the time at which it was made."""
    book.properties.creator = "safercities"
    book.properties.created = book.properties.modified = _EPOCH
    buffer = BytesIO()
    book.save(buffer)
    return _timeless(buffer.getvalue())


def _timeless(content: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            info = zipfile.ZipInfo(item.filename, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            body = source.read(item)
            if item.filename == "docProps/core.xml":
                body = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>1980-01-01T00:00:00Z", body)
            target.writestr(info, body)
    return buffer.getvalue()
