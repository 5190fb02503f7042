"""Groups and places of one indicator as tables: what surveys, audits and the records beside them have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from safercities.review.figures import by_name
from safercities.review.rows import Cell, Number, Series, Shown
from safercities.review.strips import Entry, Stripper, Strips
from safercities.review.telling import Telling
from safercities.review.words import Words, capital, small

if TYPE_CHECKING:
    from safercities.review.data import ReviewData

#: From more withheld rows on, they stand below the table instead of in it.
MANY_WITHHELD = 6
_NO_MAP = Markup("")


@dataclass(frozen=True)
class Parts:
    """One indicator's groups or places, folded: what is clear, then the tables."""

    label: str
    short: str
    said: Sequence[str]
    tables: Sequence[Strips]
    map: Markup = _NO_MAP


@dataclass(frozen=True)
class Maker:
    """Makes the tables of one page."""

    shown: Shown
    words: Words

    @property
    def data(self) -> ReviewData:
        """What the review is about."""
        return self.shown.data

    @property
    def telling(self) -> Telling:
        """Its words on samples."""
        return Telling(self.words)

    @property
    def stripper(self) -> Stripper:
        """Its tables."""
        return Stripper(self.telling)

    def group_tables(self, series: Series, top: float) -> Iterator[Strips]:
        """One table a breakdown; none of a breakdown of which nothing may be shown."""
        for names, cells in series.groups.items():
            entries = [Entry(self.telling.group(names, cell), cell) for cell in cells if cell.rate is not None]
            by = " × ".join(small(self.words.dimension(name)) for name in names)
            head = " × ".join(self.words.dimension(name) for name in names)
            yield from self.open(series, self.caption(series, by), head, entries, top)

    def place_tables(self, series: Series, top: float) -> Iterator[Strips]:
        """One table a level, its places by name: by value it would read as a ranking."""
        texts = self.telling.texts
        for level, cells in self.levels(series).items():
            ordered = sorted(cells, key=lambda cell: by_name(self.words.place(cell.place)))
            entries = [Entry(self.words.place(cell.place), cell) for cell in ordered]
            by = texts.gettext("place ({level})", level=self.words.level(level))
            yield from self.open(series, self.caption(series, by), texts.gettext("Place"), entries, top)

    def levels(self, series: Series) -> dict[str, list[Cell]]:
        """Cells of places by level, from the widest."""
        tree = self.data.hierarchy
        levels: dict[str, list[Cell]] = {}
        for cell in series.places:
            if not cell.codes and cell.place in tree and (cell.rate or cell.smoothed):
                levels.setdefault(tree[cell.place].level, []).append(cell)
        return {level: levels[level] for level in tree.levels if level in levels}

    def open(self, series: Series, caption: str, head: str, entries: Sequence[Entry], top: float) -> Iterator[Strips]:
        """The table of some cells; nothing where none of them may be shown."""
        if all(_empty(entry.cell) for entry in entries):
            return
        whole: Number | None = series.now.shown(rate=True) if series.now is not None else None
        texts = self.telling.texts
        count = texts.gettext("Points") if series.made_of == "audits" else texts.gettext("Interviewed")
        shown, notes = self._gathered(entries)
        yield self.stripper.table(caption, head, shown, top=top, count=count, whole=whole, notes=notes)

    def _gathered(self, entries: Sequence[Entry]) -> tuple[Sequence[Entry], list[str]]:
        """Rows to show; where many are withheld they are gathered in sentences: why, then who."""
        hidden = [entry for entry in entries if _empty(entry.cell)]
        if len(hidden) <= MANY_WITHHELD:
            return entries, []
        texts, why = self.telling.texts, dict[str, list[str]]()
        for entry in hidden:
            number = entry.cell.rate
            withheld = number is not None and number.withheld
            reason = self.telling.withheld(number) if number and withheld else texts.gettext("no value")
            why.setdefault(reason, []).append(entry.head)
        return (
            [entry for entry in entries if not _empty(entry.cell)],
            [f"{capital(reason)} – {'; '.join(names)}." for reason, names in why.items()],
        )

    def caption(self, series: Series, by: str) -> str:
        """What a table shows."""
        texts = self.telling.texts
        label, period = self.words.indicator(series.indicator), texts.period(series.period)
        unit = self.telling.unit(series)
        if unit:
            return texts.gettext("{label} by {by}, {period}, {unit}", label=label, by=by, period=period, unit=unit)
        return texts.gettext("{label} by {by}, {period}", label=label, by=by, period=period)

    def below(self, series: Series) -> list[str]:
        """Under an indicator's name: how many people it would be, and what earlier periods said."""
        now, texts = series.now, self.telling.texts
        lines = [self.telling.about(now.count)] if now is not None else []
        for cell in series.trend:
            if cell is now or cell.rate is None:
                continue
            said, span = self.telling.value(cell.rate), self.telling.span(cell.rate)
            said = f"{said} ({span})" if span else said
            lines.append(texts.gettext("{period}: {value}", period=texts.period(cell.period), value=said))
        return [line for line in lines if line]


def _empty(cell: Cell) -> bool:
    """Whether nothing of a cell may be shown."""
    return all(number is None or number.value is None for number in (cell.rate, cell.smoothed))
