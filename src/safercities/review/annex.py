"""The data annex: a workbook with every estimate that the review shows, one sheet an indicator."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from safercities.model.estimates import MEASURES
from safercities.model.quality import FLAGS
from safercities.review.differences import differences
from safercities.review.i18n import Texts
from safercities.review.rows import Cell, Number, Shown
from safercities.review.telling import Telling
from safercities.review.words import Words

if TYPE_CHECKING:
    from safercities.review.data import ReviewData

_EPOCH = datetime(1980, 1, 1)
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

#: Width of a column in characters, where 12 is not enough.
_WIDTHS = {"indicator": 26, "place_name": 28, "unit": 14, "method": 30, "quality": 30, "source": 16, "note": 40}

COLUMNS: dict[str, str] = {
    "indicator": "code of the indicator",
    "version": "version of its definition",
    "place": "code of the place",
    "place_name": "name of the place",
    "period": "ISO 8601 period",
    "value": "the estimate",
    "se": "standard error",
    "lower": "lower end of the interval",
    "upper": "upper end of the interval",
    "level": "confidence level of the interval",
    "n": "cases counted, or people interviewed",
    "n_positive": "cases in the numerator",
    "denominator": "person-years, or people that the interviewed stand for; empty where there is none",
    "deff": "design effect",
    "df": "degrees of freedom of the interval of a survey",
    "unit": "what is counted, or what a rate is over",
    "method": "how value and interval were made",
    "obs_status": "SDMX CL_OBS_STATUS",
    "conf_status": "SDMX CL_CONF_STATUS",
    "quality": "quality flags, explained below",
    "scheme": "rules of publication",
    "verdict": "what they say: publish, warn (read with care) or withhold (the cells are empty)",
    "coverage": "share of the cases that the breakdown could place",
    "source": "source of the cases, or of the answers",
    "note": "remark",
}


def annex(data: ReviewData) -> bytes:
    """The workbook: a sheet that explains the columns, then one sheet an indicator. Same data, same bytes.

    A cell never holds a formula: text that begins with = + - @ is written as text.
    """
    book = Workbook(write_only=True)
    texts = Texts(data.languages[0] if data.languages else "en")
    _sheet(book, texts.gettext("Read me"), _read_me(data, texts), set(), widths=[26, 48, 68])
    shown = Shown(data)
    table = shown.estimates.table
    words = Words(texts, data)
    names: set[str] = {texts.gettext("Read me").lower()}
    dims = data.estimates.dimensions
    header = ["indicator", "version", "place", "place_name", "period", *dims, *(name for name, _ in MEASURES)]
    rows = table.to_pylist()
    for code in dict.fromkeys([*data.indicators, *(row["indicator"] for row in rows)]):
        mine = [row for row in rows if row["indicator"] == code]
        if mine:
            body = ([_cell(row, name, words) for name in header] for row in mine)
            _sheet(book, code, [header, *body], names, widths=[_WIDTHS.get(name, 12) for name in header], table=True)
    if pairs := list(_differences(shown, words)):
        widths = [26, 12, 16, 24, 24, *([12] * 6)]
        _sheet(book, texts.gettext("Differences"), [_OF_DIFFERENCES, *pairs], names, widths=widths, table=True)
    book.properties.creator = "safercities"
    book.properties.created = book.properties.modified = _EPOCH
    buffer = BytesIO()
    book.save(buffer)
    return _timeless(buffer.getvalue())


#: What is left empty where a value is confidential, and where it is too unsure: all that would tell it.
_SECRET = frozenset({"value", "se", "lower", "upper", "n", "n_positive", "deff", "df", "coverage", "note"})
_UNSURE = frozenset({"value", "se", "lower", "upper", "n_positive", "denominator", "deff", "coverage"})


def _cell(row: dict[str, Any], name: str, words: Words) -> object:
    if name == "place_name":
        return words.place(row["place"])
    confidential, unsure = (row["conf_status"] or "F") != "F", row["verdict"] == "withhold"
    if (confidential and name in _SECRET) or (unsure and name in _UNSURE):
        return None
    if name == "quality" and (confidential or unsure):
        return " ".join(Number.from_row(row).flags) or None
    if name == "note" and unsure:  # the rules' own sentence may tell the value: “None of 28 respondents”
        return Telling(words).withheld(Number.from_row(row))
    return None if row[name] == "" else row[name]


_OF_DIFFERENCES = (
    "indicator", "period", "source", "one", "other", "difference", "lower", "upper", "level", "p_value", "unit",
)  # fmt: skip


def _differences(shown: Shown, words: Words) -> Iterator[list[object]]:
    """Differences between groups whose own numbers may be shown."""
    for series in shown.of("survey"):
        for found in differences(shown.data, series):
            yield [
                series.indicator, series.period, series.source,
                *(_codes(cell) for cell in (found.one, found.other)),
                found.value, found.lower, found.upper, found.level, found.p_value, series.rate_unit,
            ]  # fmt: skip


def _codes(cell: Cell) -> str:
    return ", ".join(f"{name} {code}" for name, code in cell.codes.items())


def _read_me(data: ReviewData, texts: Texts) -> Iterator[Sequence[object]]:
    yield [texts.gettext("State of Safety in {place}, {period}", place=data.title, period=texts.period(data.period))]
    if data.synthetic:
        yield [texts.gettext("Synthetic data.")]
    elif data.private:
        yield [texts.gettext("Not for publication.")]
    yield [texts.gettext("Made with safercities {version}.", version=data.version)]
    yield []
    yield [texts.gettext("Column"), texts.gettext("Meaning")]
    yield from ([name, texts.lookup(meaning)] for name, meaning in COLUMNS.items())
    yield from ([name, texts.gettext("breakdown; _T = total, _U = not known")] for name in data.estimates.dimensions)
    yield []
    yield [texts.gettext("Quality flag"), texts.gettext("Meaning")]
    yield from ([flag, texts.lookup(meaning)] for flag, meaning in FLAGS.items())
    yield []
    yield [texts.gettext("Indicator"), texts.gettext("Definition")]
    yield from ([code, texts.lookup(found.on().definition)] for code, found in data.indicators.items())
    yield []
    if data.released is not None:
        yield [texts.gettext("Source"), texts.gettext("Name")]
        yield from ([source.name, source.label] for source in data.sources)
        yield []
        yield [texts.gettext("Release"), "SHA-256"]
        yield from ([release.name, release.id] for release in data.released.releases)
        return
    yield [texts.gettext("Source"), texts.gettext("Name"), texts.gettext("File"), "SHA-256"]
    yield from ([source.name, source.label, source.file, source.sha256] for source in data.sources)


def _sheet(
    book: Workbook,
    name: str,
    rows: Iterable[Sequence[object]],
    names: set[str],
    *,
    widths: Sequence[int],
    table: bool = False,
) -> None:
    """One sheet; a table's first row is its header: bold, always in sight, with filters."""
    sheet = book.create_sheet(_sheet_name(name, names))
    for number, width in enumerate(widths, start=1):  # before the rows: a sheet is written as it grows
        sheet.column_dimensions[get_column_letter(number)].width = width
    sheet.freeze_panes = "A2" if table else None
    last = 0
    for last, row in enumerate(rows, start=1):
        cells = [_safe(sheet, value) for value in row]
        if table and last == 1:
            cells = [WriteOnlyCell(sheet, value=str(value)) for value in row]
            for cell in cells:
                cell.font = Font(bold=True)
        sheet.append(cells)
    if table:
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(widths))}{last}"


def _safe(sheet: Any, value: object) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if not isinstance(value, str) or not (value.startswith(_RISKY) or _ILLEGAL.search(value)):
        return value
    cell = WriteOnlyCell(sheet, value=_ILLEGAL.sub("\ufffd", value))
    if value.startswith(_RISKY):
        cell.data_type = "s"
        cell.quotePrefix = True
    return cell


def _sheet_name(name: str, names: set[str]) -> str:
    """A name that workbooks allow: at most 31 characters, none of []:*?/\\, each once."""
    base = re.sub(r"[\[\]:*?/\\]", "_", name)[:31].strip("'") or "sheet"
    made, number = base, 2
    while made.lower() in names:
        made = f"{base[: 31 - len(str(number)) - 1]}~{number}"
        number += 1
    names.add(made.lower())
    return made


def _timeless(content: bytes) -> bytes:
    """The same archive without the time at which it was made."""
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
