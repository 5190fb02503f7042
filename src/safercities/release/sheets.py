"""Workbooks for people, without formulas and without the time of writing: the same rows give the same bytes."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import BytesIO
from numbers import Integral, Real
from xml.sax.saxutils import escape, quoteattr

from safercities.files import as_text
from safercities.model.printable import without_controls

#: Rows of one sheet: spreadsheets take 1 048 576.
MOST_ROWS = 1_000_000
#: Characters of one cell: spreadsheets take no more.
MOST_TEXT = 32_767
#: Rows that are written at a time.
_AT_ONCE = 4_096

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

#: Styles of cells by their place in `_STYLES`. `quotePrefix` says: this is text, whatever it begins with.
_PLAIN, _BOLD, _QUOTED, _BOLD_QUOTED, _WHOLE, _DECIMAL = range(6)
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="#,##0.0##"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    "<borders count='1'><border><left/><right/><top/><bottom/><diagonal/></border></borders>"
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="6"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1" quotePrefix="1"/>'
    '<xf numFmtId="3" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
#: The files that are the same in every workbook: sheets are what every other XML file is.
_FIXED = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/styles.xml": _STYLES,
}


class Book:
    """A workbook that is written as it grows: no sheet stands in memory but compressed.

    With openpyxl a release of 60 000 rows takes six times as long, and its bytes differ where lxml is not installed.

    Source: ECMA-376, "Office Open XML File Formats", part 1, SpreadsheetML.

    Examples
    --------
    >>> book = Book()
    >>> book.add("deaths", [["place", "n"], ["=Popular", 22]], widths=[30, 8], heads=1)
    >>> book.to_bytes()[:2]
    b'PK'
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._filters: list[str | None] = []
        self._buffer = BytesIO()
        self._archive = zipfile.ZipFile(self._buffer, "w")
        for name, text in _FIXED.items():
            self._archive.writestr(_part(name), text)

    def add(
        self,
        name: str,
        rows: Iterable[Sequence[object]],
        *,
        widths: Sequence[int],
        heads: int = 0,
        right_to_left: bool = False,
        rounded: bool = True,
    ) -> None:
        """One sheet.

        Parameters
        ----------
        name
            Changed where workbooks do not allow it, or there is one of that name.
        rows
            Text, numbers and None. Text is never a formula; an infinite number or none (nan) is text.
        heads
            Rows of the header: always in sight, bold, the last of them with filters.
        widths
            Of the columns, in characters.
        rounded
            Whether decimal numbers are shown with three digits after the point; they are whole in the file.
        """
        self._names.append(sheet_name(name, {each.lower() for each in self._names}))
        last = 0
        with self._archive.open(_part(f"xl/worksheets/sheet{len(self._names)}.xml"), "w") as out:
            out.write(_opening(widths, heads, right_to_left, first=len(self._names) == 1).encode())
            lines: list[str] = []
            for last, row in enumerate(rows, start=1):
                lines.append(_row(row, last, last <= heads, rounded))
                if len(lines) == _AT_ONCE:
                    out.write("".join(lines).encode())
                    lines.clear()
            table = f"A{heads}:{column_letter(len(widths))}{max(last, heads)}" if heads else None
            filters = f'<autoFilter ref="{table}"/>' if table else ""
            out.write(f"{''.join(lines)}</sheetData>{filters}</worksheet>".encode())
        self._filters.append(table)

    def to_bytes(self) -> bytes:
        """The workbook as a file. Nothing can be added any more."""
        numbers = range(1, len(self._names) + 1)
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
            for number, name in zip(numbers, self._names, strict=True)
        )
        filters = "".join(
            f'<definedName name="_xlnm._FilterDatabase" localSheetId="{number - 1}" hidden="1">'
            f"{escape(_absolute(name, table))}</definedName>"
            for number, name, table in zip(numbers, self._names, self._filters, strict=True)
            if table
        )
        names = f"<definedNames>{filters}</definedNames>" if filters else ""
        links = "".join(
            f'<Relationship Id="rId{number}" Type="{_LINKS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in numbers
        )
        styles = f'<Relationship Id="rId0" Type="{_LINKS}/styles" Target="styles.xml"/>'
        book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><bookViews><workbookView/></bookViews>'
        self._archive.writestr(_part("xl/workbook.xml"), f"{_XML}{book}<sheets>{sheets}</sheets>{names}</workbook>")
        relations = f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{links}{styles}</Relationships>'
        self._archive.writestr(_part("xl/_rels/workbook.xml.rels"), relations)
        self._archive.close()
        return self._buffer.getvalue()


def sheet_name(name: str, taken: set[str]) -> str:
    """A name that workbooks allow: at most 31 characters, none of []:*?/\\, each once (whatever its letters' case).

    Examples
    --------
    >>> sheet_name("a/b", set()), sheet_name("x" * 40, {"x" * 31})[-3:]
    ('a_b', 'x~2')
    """
    base = without_controls(re.sub(r"[\[\]:*?/\\\r\n\t]", "_", name))[:31].strip("'") or "sheet"
    made, number = base, 2
    while made.lower() in taken or made.lower() == "history":  # a name that Excel keeps for itself
        made = f"{base[: 31 - len(str(number)) - 1]}~{number}"
        number += 1
    return made


def column_letter(number: int) -> str:
    """What spreadsheets call a column.

    Examples
    --------
    >>> [column_letter(number) for number in (1, 26, 27, 703)]
    ['A', 'Z', 'AA', 'AAA']
    """
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _part(name: str) -> zipfile.ZipInfo:
    """A file of the archive, of no time."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _opening(widths: Sequence[int], heads: int, right_to_left: bool, *, first: bool) -> str:
    """What stands before the rows: the direction, the rows that stay in sight, the widths."""
    view = f'rightToLeft="{int(right_to_left)}" tabSelected="{int(first)}" workbookViewId="0"'
    pane = (
        f'<pane ySplit="{heads}" topLeftCell="A{heads + 1}" activePane="bottomLeft" state="frozen"/>' if heads else ""
    )
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, width in enumerate(widths, start=1)
    )
    views = f"<sheetViews><sheetView {view}>{pane}</sheetView></sheetViews>"
    return f'{_XML}<worksheet xmlns="{_MAIN}">{views}<cols>{columns}</cols><sheetData>'


@lru_cache
def _letters(columns: int) -> tuple[str, ...]:
    return tuple(column_letter(number) for number in range(1, columns + 1))


def _row(row: Sequence[object], number: int, bold: bool, rounded: bool) -> str:
    cells = "".join(
        f'<c r="{letter}{number}"{_text(value, bold) if isinstance(value, str) else _other(value, bold, rounded)}</c>'
        for letter, value in zip(_letters(len(row)), row, strict=True)
        if value is not None and value != ""
    )
    return f'<row r="{number}">{cells}</row>'


def _other(value: object, bold: bool, rounded: bool) -> str:
    """A number, of NumPy too; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return _text(str(value), bold)
    if isinstance(value, Integral):
        return f' s="{_BOLD if bold else _PLAIN}"><v>{int(value)}</v>'
    number = float(value)
    style = _BOLD if bold else _PLAIN if not rounded else _WHOLE if number.is_integer() else _DECIMAL
    return f' s="{style}"><v>{number!r}</v>'


@lru_cache(maxsize=8_192)
def _text(text: str, bold: bool) -> str:
    """Text that no spreadsheet takes for a formula; characters that workbooks cannot hold are �."""
    risky = as_text(text) != text or text.startswith(("+", "-"))
    style = (_BOLD_QUOTED if bold else _QUOTED) if risky else _BOLD if bold else _PLAIN
    held = without_controls(text)[:MOST_TEXT]
    # `_x003D_` is how such files write “=”: a name that holds it is to stay as it is
    held = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", held)
    shown = escape(held, {"\r": "&#13;"})
    return f' s="{style}" t="inlineStr"><is><t xml:space="preserve">{shown}</t></is>'


def _absolute(name: str, table: str) -> str:
    """A range as names of a workbook hold it."""
    quoted = name.replace("'", "''")
    return f"'{quoted}'!" + re.sub(r"([A-Z]+)(\d+)", r"$\1$\2", table)
