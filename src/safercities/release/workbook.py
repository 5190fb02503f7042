"""`tables.xlsx`: a release's numbers for people, one sheet an indicator; withheld cells carry a mark, never a zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from safercities.model.dimensions import TOTAL, UNKNOWN, dimension
from safercities.model.printable import one_line
from safercities.model.quality import FLAGS
from safercities.release import sheets
from safercities.release.people import protection
from safercities.release.texts import MARKS, Texts, spoken

if TYPE_CHECKING:
    from safercities.release.content import Content

_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
_NUMBERS = ("value", "lower", "upper", "level", "n")
_WIDTHS = {"place": 30, "unit": 16, "source": 26, "method": 34, "quality": 60, "value": 16}


@dataclass(frozen=True)
class Words:
    """Codes as people read them, in the main language of the release."""

    content: Content
    texts: Texts

    @cached_property
    def places(self) -> dict[str, str]:
        """Id → name."""
        return {place.id: one_line(place.name) for place in self.content.places}

    def place(self, id: str) -> str:
        """Name of a place; cases that could not be placed have a code of their own, `_U.<level>`."""
        unknown, _, level = id.partition(".")
        if unknown == UNKNOWN:
            return self.texts("unplaced", level=one_line(level).replace("_", " "))
        return self.places.get(id, one_line(id))

    @cached_property
    def sources(self) -> dict[str, str]:
        """Name → label."""
        return {source.name: one_line(source.label) for source in self.content.series}

    @cached_property
    def codes(self) -> dict[str, dict[str, str]]:
        """Dimension → code → label."""
        return {
            name: {code: one_line(label) for code, label in pairs} for name, pairs in self.content.dimensions.items()
        }


def write_workbook(content: Content, path: Path) -> None:
    """Write the tables for people. The same content gives the same bytes, and no cell is a formula.

    A first sheet says what it is, how to read it and how people are protected. Then one sheet an indicator, of at most
    a million rows each. Where a number is withheld, too unsure or not there, the cell says so with a mark and a word.
    """
    words = Words(content, Texts(spoken(content.languages)[0]))
    right = words.texts.language in _RIGHT_TO_LEFT
    book = sheets.Book()
    about = [[one_line(str(cell)) for cell in row] for row in _about(words)]
    book.add(words.texts("about"), about, widths=[34, 60, 90], right_to_left=right)
    estimates = content.estimates.sort()
    for code in pc.unique(estimates.table.column("indicator")).to_pylist():
        for part in _parts(estimates.where(indicator=code).rows()):
            body, widths = _table(words, code, part)
            book.add(code, body, widths=widths, heads=2, right_to_left=right)
    path.write_bytes(book.to_bytes())


def _parts(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    most = sheets.MOST_ROWS
    yield from (rows[first : first + most] for first in range(0, len(rows), most))


# --------------------------------------------------------------------------------------------------------------- about


def _about(words: Words) -> Iterator[Sequence[object]]:
    """What the workbook is, the marks, the protection, the indicators and the sources."""
    content, texts = words.content, words.texts
    yield [texts("title", name=content.name, period=content.period)]
    if content.synthetic:
        yield [texts("synthetic")]
    yield [texts("published", day=content.published.isoformat(), name=content.name, place=content.place.id)]
    yield [texts("made_with", version=content.version)]
    yield []
    yield [texts("what_text")]
    yield []
    yield [texts("reading"), texts("interval")]
    for why in MARKS:
        yield [texts.marked(why), texts(f"legend_{why}", mark=texts.marked(why))]
    yield []
    yield [texts("protection")]
    yield from (["", sentence] for sentence in protection(content.rules, texts))
    yield [texts("not_promised"), texts("not_promised_text")]
    yield []
    yield [texts("indicator"), texts("meaning"), texts("definition")]
    for code, found in content.indicators.items():
        yield [code, found.on().label, found.on().definition]
    yield []
    yield [texts("source"), texts("meaning"), texts("covers")]
    yield from ([source.name, source.label, source.covers or ""] for source in content.series)


# -------------------------------------------------------------------------------------------------------------- tables


def _table(words: Words, code: str, rows: Sequence[dict[str, Any]]) -> tuple[list[list[object]], list[int]]:
    """A line that says what it is about, the header, the rows; and the widths of the columns."""
    texts, content = words.texts, words.content
    by = [name for name in content.estimates.dimensions if any(row[name] != TOTAL for row in rows)]
    names = ["place", "period", *by, *_NUMBERS, "unit", "source", "method", "quality"]
    known = content.indicators.get(code)
    about = one_line(known.on().label if known else code)
    head = [one_line(dimension(name).label) if name in by else texts(name) for name in names]
    body = [[_cell(words, row, name, by) for name in names] for row in sorted(rows, key=_order(words, by))]
    return [[about, *([None] * (len(names) - 1))], list(head), *body], [_WIDTHS.get(name, 14) for name in names]


def _order(words: Words, by: Sequence[str]) -> Any:
    """Tables together, then periods; places as the release lists them, codes as their lists do."""
    places = {id: number for number, id in enumerate(words.places)}
    codes = {name: {code: number for number, code in enumerate(words.codes.get(name, {}))} for name in by}
    last = 1 << 30

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        broken = tuple(name for name in by if row[name] != TOTAL)
        return (
            *(row[name] or "" for name in ("source", "version", "unit", "method")),
            (len(broken), broken),
            row["period"],
            (places.get(row["place"], last), row["place"]),
            *((codes[name].get(row[name], last), row[name]) for name in by),
        )

    return key


def _cell(words: Words, row: Mapping[str, Any], name: str, by: Sequence[str]) -> object:
    if name in by:
        return words.codes.get(name, {}).get(row[name]) or _standard(name, row[name])
    if name == "place":
        return words.place(row["place"])
    if name == "source":
        return words.sources.get(row["source"] or "", one_line(row["source"] or ""))
    if name == "quality":
        return _sentence(row)
    if name in _NUMBERS:
        return _number(words, row, name)
    return None if row[name] is None else one_line(str(row[name]))


def _standard(name: str, code: str) -> str:
    listed = dimension(name).codes
    if listed is not None:
        return one_line(listed.label_of(code))
    return {TOTAL: "Total", UNKNOWN: "Unknown"}.get(code, one_line(code))


def _number(words: Words, row: Mapping[str, Any], name: str) -> object:
    """A number, or the mark that says why there is none."""
    why = _lacking(row)
    if why is not None:
        return words.texts.marked(why) if name == "value" else None if name == "level" else MARKS[why]
    number = row[name]
    if isinstance(number, float) and number - number != 0:  # no workbook holds an infinite number
        return str(number)
    return number * 100 if name == "level" and number is not None else number


def _lacking(row: Mapping[str, Any]) -> str | None:
    """Why there is no number to show; None where there is one."""
    if row["conf_status"] != "F":
        return "withheld"
    if row["verdict"] == "withhold":
        return "unsure"
    return "missing" if row["value"] is None or row["value"] != row["value"] else None


def _sentence(row: Mapping[str, Any]) -> str | None:
    """What the flags of quality mean. A withheld number has none: it could say why it is withheld."""
    if row["conf_status"] != "F" or not row["quality"]:
        return None
    said = (FLAGS.get(flag, one_line(flag)) for flag in row["quality"].split())
    return "; ".join(said)
