"""Figures of the review: each a drawing, the sentences that it needs, and the table behind it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from safercities.model.quality import FLAGS
from safercities.review import charts
from safercities.review.charts import Point
from safercities.review.drawing import draw
from safercities.review.rows import Cell, Number, Series
from safercities.review.words import Words, capital, digits_for, small

#: From so many places on, a chart shows their spread and leaves the names to the table.
MANY_PLACES = 45
#: Shapes and colours that can be told apart.
MOST_MARKS = 4
_LETTERS = re.compile(r"[^\W\d_]")
UNRELIABLE = {"few_cases", "unknown_share", "unlocated_share"}


@dataclass(frozen=True)
class Table:
    """A table for people: the first cell of a row is its header."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    marks: Sequence[tuple[str, str]] = ()  # letter in the last column → what it means
    lang: str = ""  # language of the cells, where it is not the page's

    @property
    def words(self) -> list[bool]:
        """For each column, whether most of it is words; numbers stand in line at the end, words at the start."""
        return [
            sum(bool(_LETTERS.search(row[i])) for row in self.rows) * 2 > len(self.rows) for i in range(len(self.head))
        ]


@dataclass(frozen=True)
class Figure:
    """A drawing with its table. `key` lists what marks mean: (CSS class of the mark, words)."""

    uid: str
    title: str
    svg: Markup
    table: Table
    notes: Sequence[str] = ()
    key: Sequence[tuple[str, str]] = field(default=())


@dataclass(frozen=True)
class Painter:
    """Draws the figures of a page in one language."""

    words: Words

    def sparkline(self, series: Series, uid: str) -> Markup:
        """The trend of a card."""
        points = [self._point(cell, series.has_rate, cell.period) for cell in series.complete]
        if sum(point.value is not None for point in points) < 2:
            return Markup("")
        texts = self.words.texts
        title = texts.gettext("{label}: trend", label=self.words.indicator(series.indicator))
        return self._draw(charts.sparkline(points), uid, title, self._range(series.complete))

    def trend(self, several: Sequence[Series], uid: str) -> Figure:
        """One indicator over time, from one source or from several side by side."""
        texts = self.words.texts
        rate = all(series.has_rate for series in several)
        many = len(several) > 1
        points = [
            self._point(cell, rate, texts.period(cell.period), series=self._source(series, several) if many else "")
            for series in several
            for cell in series.trend
        ]
        order = {texts.period(cell.period): cell.period for series in several for cell in series.trend}
        points.sort(key=lambda point: order[point.label])
        names = list(dict.fromkeys(point.series for point in points))
        cells = [cell for series in several for cell in series.trend]
        partial = [texts.period(cell.period) for cell in cells if cell.partial]
        notes = (
            [
                texts.gettext(
                    "Only partly covered, drawn as open dots: {periods}.", periods=", ".join(dict.fromkeys(partial))
                )
            ]
            if partial
            else []
        )
        label, unit = self.words.indicator(several[0].indicator), self._unit(several[0], rate)
        title = texts.gettext("{label}, {unit}", label=label, unit=unit)
        if many:
            title = texts.gettext("{label} by source, {unit}", label=label, unit=unit)
        return Figure(
            uid=uid,
            title=title,
            svg=self._draw(charts.trend(points), uid, title, self._range(cells)),
            table=self._trend_table(several, title),
            notes=[
                *notes,
                *self._withheld(
                    [self._period(cell, s, several) for s in several for cell in s.trend if cell.hidden(rate)]
                ),
            ],
            key=[(f"mark-{index}", name) for index, name in enumerate(names)] if many else [],
        )

    def group(self, series: Series, names: tuple[str, ...], uid: str) -> Figure:
        """One breakdown: a dot and an interval a group; of two dimensions the shorter gives the marks within a row."""
        texts, words = self.words.texts, self.words
        cells = series.groups[names]
        rate = any(cell.shown(rate=True) for cell in cells)
        points = self._group_points(series, names, rate)
        by = " × ".join(small(words.dimension(name)) for name in names)
        title = texts.gettext("{label} by {by}, {period}, {unit}", label=words.indicator(series.indicator), by=by,
                              period=texts.period(series.period), unit=self._unit(series, rate))  # fmt: skip
        kinds = list(dict.fromkeys(point.series for point in points))
        reference = series.now.shown(True) if rate and series.now else None
        return Figure(
            uid=uid,
            title=title,
            svg=self._draw(
                charts.intervals(points, reference=reference.value if reference else None),
                uid,
                title,
                self._range(cells),
            ),
            table=self._cells_table(series, cells, title, [words.dimension(name) for name in names]),
            notes=[
                *self._group_notes(series, cells, rate),
                *self._withheld([self._group(names, cell) for cell in cells if cell.hidden(rate)]),
            ],
            key=[
                *([(f"mark-{index}", kind) for index, kind in enumerate(kinds)] if len(kinds) > 1 else []),
                *self._open_key(points),
            ],
        )

    def places(self, series: Series, level: str, cells: Sequence[Cell], uid: str) -> Figure:
        """The places of one level: with names where they are few, as a spread where they are many."""
        texts, words = self.words.texts, self.words
        rate = any(cell.shown(rate=True) for cell in cells)
        points = [
            self._point(cell, rate, words.place(cell.place), open_=self._unreliable(cell))
            for cell in cells
            if cell.shown(rate)
        ]
        points.sort(key=lambda point: by_name(point.label))  # by value it would read as a ranking of places
        number = series.now.shown(True) if rate and series.now else None
        reference = number.value if number else None
        many = len(points) > MANY_PLACES
        spec = (charts.spread if many else charts.intervals)(points, reference=reference)
        title = texts.gettext("{label} by place ({level}), {period}, {unit}", label=words.indicator(series.indicator),
                              level=words.level(level), period=texts.period(series.period),
                              unit=self._unit(series, rate))  # fmt: skip
        notes = [texts.gettext("Where two intervals overlap widely, the difference between the places may be chance.")]
        if many:
            notes.append(texts.gettext("Each dot is a place, in the order of the values; the table has their names."))
        if reference is not None:
            notes.append(texts.gettext("Dashed line: {place} as a whole.", place=words.data.place.name))
        ordered = sorted(cells, key=lambda cell: by_name(words.place(cell.place)))
        hidden = [words.place(cell.place) for cell in ordered if cell.hidden(rate)]
        notes += self._without_rate(
            [words.place(cell.place) for cell in ordered if rate and cell.rate is None and not cell.hidden(rate)]
        )
        notes += self._withheld(hidden)
        table = self._cells_table(series, ordered, title, [texts.gettext("Place")], place=True)
        return Figure(
            uid, title, self._draw(spec, uid, title, self._range(cells)), table, notes, self._open_key(points)
        )

    # -- parts -----------------------------------------------------------------------------------------------------

    def _withheld(self, names: Sequence[str]) -> list[str]:
        """What is not drawn, since it is withheld: without a word it would pass for nothing there."""
        listed = "; ".join(dict.fromkeys(names))
        return [self.words.texts.gettext("Withheld, so not drawn: {names}.", names=listed)] if listed else []

    def _group(self, names: tuple[str, ...], cell: Cell) -> str:
        return ", ".join(self.words.code(name, cell.codes[name]) for name in names)

    def _period(self, cell: Cell, series: Series, several: Sequence[Series]) -> str:
        period = self.words.texts.period(cell.period)
        return f"{period} ({self._source(series, several)})" if len(several) > 1 else period

    def _draw(self, spec: charts.Spec, uid: str, title: str, desc: str) -> Markup:
        numbers = self.words.texts.number_format()
        return Markup(draw(spec, uid=uid, title=title, desc=desc, numbers=numbers))  # noqa: S704 - ElementTree escaped it

    def _point(self, cell: Cell, rate: bool, label: str, *, series: str = "", open_: bool | None = None) -> Point:
        number = cell.shown(rate)
        if number is None:
            return Point(label, None, open=cell.partial, series=series)
        return Point(label, number.value, number.lower, number.upper, cell.partial if open_ is None else open_, series)

    def _group_points(self, series: Series, names: tuple[str, ...], rate: bool) -> list[Point]:
        """Rows by the longest dimensions; the shortest, if it has few codes, gives the marks within a row."""
        cells = [cell for cell in series.groups[names] if not rate or cell.shown(rate)]
        sizes = {name: len({cell.codes[name] for cell in cells}) for name in names}
        marks = min(names, key=lambda name: sizes[name]) if len(names) > 1 else None
        marks = None if marks is not None and sizes[marks] > MOST_MARKS else marks
        points = []
        for cell in cells:
            label = ", ".join(self.words.code(name, cell.codes[name]) for name in names if name != marks)
            kind = self.words.code(marks, cell.codes[marks]) if marks else ""
            points.append(self._point(cell, rate, label, series=kind, open_=self._unreliable(cell)))
        return points

    def _source(self, series: Series, several: Sequence[Series]) -> str:
        """Name of a source; with its unit of count where sources count different things."""
        name = self.words.source(series.source)
        units = {other.count_unit for other in several}
        return f"{name} ({self.words.unit(series.count_unit)})" if len(units) > 1 else name

    def _unreliable(self, cell: Cell) -> bool:
        return bool(UNRELIABLE.intersection(cell.flags))

    def _unit(self, series: Series, rate: bool) -> str:
        return self.words.unit(series.rate_unit if rate else series.count_unit)

    def _open_key(self, points: Sequence[Point]) -> list[tuple[str, str]]:
        open_ = self.words.texts.gettext("open dot: rests on few cases")
        return [("mark-open", open_)] if any(point.open for point in points) else []

    def _range(self, cells: Sequence[Cell]) -> str:
        """What a drawing shows, in a sentence for those who do not see it."""
        texts = self.words.texts
        rate = any(cell.shown(rate=True) for cell in cells)
        values = [number for cell in cells if (number := cell.shown(rate)) is not None]
        if not values:
            return texts.gettext("There are no values to draw.")
        values.sort(key=lambda number: number.value or 0.0)
        low, high = values[0], values[-1]
        return texts.gettext(
            "The values lie between {low} and {high}; the table below has them all.",
            low=self.words.value(low),
            high=self.words.value(high),
        )

    def _group_notes(self, series: Series, cells: Sequence[Cell], rate: bool) -> list[str]:
        texts = self.words.texts
        notes = []
        unknown = round(sum(cell.count.value or 0 for cell in cells if cell.unknown and cell.count is not None))
        total = series.now.count.value if series.now and series.now.count else None
        if unknown and total:
            said = self._unknown_of_rates if rate else self._unknown_of_counts
            notes.append(said(unknown, texts.percent(unknown / total, 1 if unknown / total < 0.1 else 0)))
        if rate and series.has_rate:
            notes.append(texts.gettext("Dashed line: {place} as a whole.", place=self.words.data.place.name))
        if not rate:
            notes.append(
                texts.gettext(
                    "Numbers of cases, not risks: groups differ in size, and without a population there is no rate."
                )
            )
        return notes

    def _without_rate(self, places: Sequence[str]) -> list[str]:
        """The places that have only a count, by name, where others have a rate."""
        if not places:
            return []
        return [
            self.words.texts.ngettext(
                "{n} place has no matching population, so only a count: {places}.",
                "{n} places have no matching population, so only counts: {places}.",
                len(places),
                places="; ".join(places),
            )
        ]

    def _unknown_of_rates(self, unknown: int, share: str) -> str:
        return self.words.texts.ngettext(
            "Not known: {n} case ({share} of all). It has no rate, and the rates of the groups are too low by what "
            "belongs to them.",
            "Not known: {n} cases ({share} of all). They have no rate, and the rates of the groups are too low by what "
            "belongs to them.",
            unknown,
            share=share,
        )

    def _unknown_of_counts(self, unknown: int, share: str) -> str:
        return self.words.texts.ngettext(
            "Not known: {n} case ({share} of all).", "Not known: {n} cases ({share} of all).", unknown, share=share
        )

    # -- tables ----------------------------------------------------------------------------------------------------

    def _trend_table(self, several: Sequence[Series], caption: str) -> Table:
        texts, words = self.words.texts, self.words
        many = len(several) > 1
        rows: list[list[str]] = []
        columns = _Columns([cell for series in several for cell in series.trend])
        for series in several:
            for cell in series.trend:
                head = [texts.period(cell.period), *([self._source(series, several)] if many else [])]
                rows.append([*head, *columns.row(words, cell)])
        head = [texts.gettext("Period"), *([texts.gettext("Source")] if many else [])]
        mixed = len({series.count_unit for series in several}) > 1
        return Table(caption, [*head, *columns.head(words, several[0], mixed=mixed)], rows, columns.marks(words))

    def _cells_table(
        self, series: Series, cells: Sequence[Cell], caption: str, head: list[str], *, place: bool = False
    ) -> Table:
        words = self.words
        columns = _Columns(cells)
        rows = []
        for cell in cells:
            first = (
                [words.place(cell.place)] if place else [words.code(name, code) for name, code in cell.codes.items()]
            )
            rows.append([*first, *columns.row(words, cell)])
        return Table(caption, [*head, *columns.head(words, series)], rows, columns.marks(words))


class _Columns:
    """The columns that some cells need: count, rate, smoothed, standardised, each with its interval, and notes."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.names = [
            name for name in ("count", "rate", "smoothed", "standardised") if any(getattr(c, name) for c in cells)
        ]
        self.digits = {name: self._digits([getattr(cell, name) for cell in cells]) for name in self.names}
        seen = {flag for cell in cells for flag in cell.flags}
        self.flags = [flag for flag in FLAGS if flag in seen] + sorted(seen - FLAGS.keys())
        self.people = any(cell.rate and cell.rate.denominator for cell in cells)

    @staticmethod
    def _digits(numbers: list[Number | None]) -> int | None:
        """One number of decimals for a column, so that its figures stand in line."""
        sizes = [
            (abs(number.value), number.unit) for number in numbers if number is not None and number.value is not None
        ]
        return digits_for(*max(sizes)) if sizes else None

    def head(self, words: Words, series: Series, *, mixed: bool = False) -> list[str]:
        texts = words.texts
        labels = {
            "count": texts.gettext("Number") if mixed else capital(words.unit(series.count_unit)),
            "rate": capital(words.unit(series.rate_unit)),
            "smoothed": texts.gettext("Smoothed rate"),
            "standardised": texts.gettext("Age-standardised rate"),
        }
        head = [text for name in self.names for text in (labels[name], texts.gettext("Interval"))]
        return [
            *head,
            *([texts.gettext("Person-years")] if self.people else []),
            *([texts.gettext("Notes")] if self.flags else []),
        ]

    def row(self, words: Words, cell: Cell) -> list[str]:
        cells = []
        for name in self.names:
            number = getattr(cell, name)
            cells += [words.value(number, self.digits[name]), words.span(number, self.digits[name])]
        if self.people:
            people = cell.rate.denominator if cell.rate is not None else None
            cells.append("–" if people is None else words.texts.number(people))
        if self.flags:
            cells.append(", ".join(_letter(self.flags.index(flag)) for flag in cell.flags))
        return cells

    def marks(self, words: Words) -> list[tuple[str, str]]:
        """What the letters of the notes mean."""
        return [(_letter(index), text) for index, text in enumerate(words.flags(tuple(self.flags)))]


def _letter(index: int) -> str:
    return chr(ord("a") + index)


def by_name(name: str) -> list[tuple[int, int, str]]:
    """Order of names as people look them up: accents and case aside, Area 2 before Area 10."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", plain) if part]
