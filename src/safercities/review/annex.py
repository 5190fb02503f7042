"""The data annex: a workbook with every estimate that the review shows, one sheet an indicator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from safercities.model.estimates import MEASURES
from safercities.model.quality import FLAGS
from safercities.release.sheets import Book
from safercities.review.differences import differences
from safercities.review.i18n import Texts
from safercities.review.rows import Cell, Number, Shown
from safercities.review.telling import Telling
from safercities.review.words import Words

if TYPE_CHECKING:
    from safercities.review.data import ReviewData

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
    book = Book()
    texts = Texts(data.languages[0] if data.languages else "en")
    book.add(texts.gettext("Read me"), _read_me(data, texts), widths=[26, 48, 68])
    shown = Shown(data)
    words = Words(texts, data)
    dims = data.estimates.dimensions
    header = ["indicator", "version", "place", "place_name", "period", *dims, *(name for name, _ in MEASURES)]
    widths = [_WIDTHS.get(name, 12) for name in header]
    of: dict[str, list[dict[str, Any]]] = {code: [] for code in data.indicators}
    for row in shown.estimates.rows():
        of.setdefault(row["indicator"], []).append(row)
    for code, mine in of.items():
        if mine:
            body = ([_cell(row, name, words) for name in header] for row in mine)
            book.add(code, chain([header], body), widths=widths, heads=1, rounded=False)
    if pairs := list(_differences(shown, words)):
        widths = [26, 12, 16, 24, 24, *([12] * 6)]
        book.add(texts.gettext("Differences"), [_OF_DIFFERENCES, *pairs], widths=widths, heads=1, rounded=False)
    return book.to_bytes()


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
