"""Tables with a drawing in each row: a dot and its interval. Nothing is told by the drawing alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from safercities.model.quality import FLAGS
from safercities.review.rows import Cell, Number, Series
from safercities.review.telling import REASONS, Telling

#: Room beside the ends of the scale, in per cent of the drawing's width.
_MARGIN = 4.0


@dataclass(frozen=True)
class Mark:
    """A dot with its interval, in per cent of the drawing's width; `kind` is open (with care) or second (smoothed)."""

    at: float
    low: float | None
    high: float | None
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """One row: who, small lines below, marks, then cells of (number, smaller text).

    `withheld` says why there is no first number; `care` why it is to be read with care.
    """

    head: str
    below: Sequence[str]
    marks: Sequence[Mark]
    cells: Sequence[tuple[str, str]]
    withheld: str = ""
    care: str = ""
    letters: str = ""


@dataclass(frozen=True)
class Strips:
    """A table of such rows on one scale."""

    caption: str
    head: Sequence[str]
    ends: tuple[str, str]
    rows: Sequence[Row]
    line: float | None = None  # the whole, dashed
    notes: Sequence[str] = ()
    letters: Sequence[tuple[str, str]] = ()

    @property
    def noted(self) -> bool:
        """Whether some row has a note."""
        return bool(self.letters)


@dataclass(frozen=True)
class Entry:
    """What a row is made of."""

    head: str
    cell: Cell
    below: Sequence[str] = ()


@dataclass(frozen=True)
class Stripper:
    """Makes the tables of a page in one language."""

    telling: Telling

    def table(
        self,
        caption: str,
        first: str,
        entries: Sequence[Entry],
        *,
        top: float,
        count: str,
        whole: Number | None = None,
        notes: Sequence[str] = (),
    ) -> Strips:
        """One table.

        Parameters
        ----------
        first, count
            Heads of the first and of the last column: who, and how many were asked.
        top
            Upper end of the scale, in the unit of the numbers.
        whole
            What the rows are parts of: a dashed line.
        """
        texts = self.telling.texts
        smoothed = any(entry.cell.smoothed for entry in entries)
        flags = [flag for flag in FLAGS if any(flag in _noted(entry.cell) for entry in entries)]
        example = next((number for entry in entries if (number := entry.cell.rate or entry.cell.smoothed)), None)
        head = [first, texts.gettext("Value and interval")]
        if smoothed:
            head.append(texts.gettext("Drawn towards comparable places (model)"))
        reference = position(whole.value, top) if whole is not None and whole.value is not None else None
        said = list(notes)
        if reference is not None:
            name = self.telling.words.data.place.name
            said.append(texts.gettext("Dashed line: {place} as a whole.", place=name))
        return Strips(
            caption=caption,
            head=[*head, count],
            ends=self._ends(example, top),
            rows=[self._row(entry, top, flags, smoothed) for entry in entries],
            line=reference,
            notes=[*said, *self._legend(entries)],
            letters=[
                (_letter(at), text) for at, text in enumerate(self.telling.words.flags(tuple(flags)))
            ],
        )  # fmt: skip

    def _ends(self, example: Number | None, top: float) -> tuple[str, str]:
        short = self.telling.texts.short
        per_cent = example is not None and example.unit == "%"
        return ("0", self.telling.texts.percent(top / 100) if per_cent else short(top))

    def _row(self, entry: Entry, top: float, flags: Sequence[str], smoothed: bool) -> Row:
        cell, telling = entry.cell, self.telling
        number = cell.rate
        marks = [mark for mark in (_mark(number, top), _mark(cell.smoothed, top, "second")) if mark is not None]
        shown = number is not None and number.value is not None
        value = (
            (telling.bare(number, number.value), telling.span(number)) if number is not None and shown else ("–", "")
        )
        cells = [value]
        if smoothed:
            model = cell.smoothed
            has = model is not None and model.value is not None
            cells.append((telling.bare(model, model.value), telling.span(model)) if model and has else ("–", ""))
        n = number.n if number is not None else None
        cells.append(("–" if n is None else telling.texts.number(n), ""))
        why = telling.withheld(number) if number is not None and number.withheld else ""
        letters = ", ".join(_letter(flags.index(flag)) for flag in flags if flag in _noted(cell))
        care = telling.care(number) if number is not None and shown else ""
        return Row(entry.head, entry.below, marks, cells, why, care, letters)

    def _legend(self, entries: Sequence[Entry]) -> list[str]:
        """What marks mean that are not plain."""
        texts = self.telling.texts
        said = []
        if any(entry.cell.rate and entry.cell.rate.warned and not entry.cell.rate.withheld for entry in entries):
            said.append(texts.gettext("Hollow dot with a dotted interval: to be read with care."))
        if any(entry.cell.smoothed for entry in entries):
            said.append(
                texts.gettext(
                    "Square: what a model makes of the place from its own answers and those of all places. It is no "
                    "count of what people said there."
                )
            )
        return said


def top_of(numbers: Iterable[Number | None]) -> float:
    """A round upper end for a scale that holds all these numbers and their intervals; of shares at most 100.

    Examples
    --------
    >>> from safercities.review.rows import Number
    >>> top_of([Number(5.2, 4.8, 5.6, 0.95, None, None, "%", "", (), False), None])
    6.0
    """
    there = [number for number in numbers if number is not None and number.value is not None]
    most = max((end for number in there for end in (number.value, number.upper) if end is not None), default=0.0)
    if most <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    nice = next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if most <= step * size * (1 + 1e-9))
    return min(nice, 100.0) if there[0].unit == "%" else nice


def numbers_of(series: Series, cells: Iterable[Cell]) -> list[Number | None]:
    """The numbers of a series that a scale must hold: of these cells, and of the whole."""
    every = [*([series.now] if series.now else []), *cells]
    return [number for cell in every for number in (cell.rate, cell.smoothed)]


def top_of_groups(series: Series) -> float:
    """The upper end of one scale for all breakdowns of a series, so that they can be compared."""
    return top_of(numbers_of(series, (cell for cells in series.groups.values() for cell in cells)))


def position(value: float, top: float) -> float:
    """Where a value stands, in per cent of the drawing's width."""
    return round(_MARGIN + (100 - 2 * _MARGIN) * min(max(value / top, 0.0), 1.0), 2)


def _mark(number: Number | None, top: float, kind: str = "") -> Mark | None:
    if number is None or number.value is None:
        return None
    low, high = (None if end is None else position(end, top) for end in (number.lower, number.upper))
    return Mark(position(number.value, top), low, high, kind or ("open" if number.warned else ""))


def _noted(cell: Cell) -> set[str]:
    """Flags of a row that its words do not already say."""
    number = cell.rate
    if number is None or number.withheld:
        return set()
    said = set(REASONS) if number.warned else {"zero_or_full"}
    return set(number.flags) - said


def _letter(index: int) -> str:
    return chr(ord("a") + index)


__all__ = ["Entry", "Mark", "Row", "Stripper", "Strips", "numbers_of", "position", "top_of", "top_of_groups"]
