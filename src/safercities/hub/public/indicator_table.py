"""The table of an indicator's page: the rows that were published, one page of them at a time, every cell in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from safercities.hub.public.indicator_state import Asked
from safercities.hub.public.markup import rows
from safercities.hub.public.words import NONE, UNRELIABLE, WITHHELD, Row, Words, status

#: Rows of one page of the table, and of all its pages together: whoever wants more takes the file.
ROWS = 100
MOST_ROWS = 20_000


@dataclass(frozen=True)
class Cell:
    """A number in a table: as people read it, and exactly as it was published."""

    text: str
    exact: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the table: who, where and when; value, interval, cases; what to mind."""

    heads: tuple[str, ...]
    value: Cell
    lower: Cell
    upper: Cell
    cases: str
    status: str
    said: str
    marks: str
    id: int
    place: str


@dataclass(frozen=True)
class Table:
    """One page of the rows that were asked for.

    Parameters
    ----------
    heads
        What the first columns say: only what differs between rows.
    page, pages
        Which page, of how many.
    rows
        How many rows there are in all.
    cut
        Whether there are more than the pages show.
    legend
        Letter of the marks → what it means.
    """

    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    page: int
    pages: int
    rows: int
    cut: bool
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> SafeString:
        """The lines as they stand in the page."""
        return rows(self.lines)

    @property
    def first(self) -> int:
        """Number of the first row."""
        return (self.page - 1) * ROWS + 1

    @property
    def last(self) -> int:
        """Number of the last row."""
        return self.first + len(self.lines) - 1


def table(asked: Asked, words: Words) -> Table:
    """The page of the table that was asked for; a page that is not there gives way to the last one."""
    figures = asked.figures
    total = figures.count(asked.query)
    pages = max(1, -(-min(total, MOST_ROWS) // ROWS))
    page = min(asked.state.page, pages)
    skip = (page - 1) * ROWS
    found = figures.records(asked.query, limit=min(ROWS, MOST_ROWS - skip), skip=skip) if total else []
    columns = _columns(asked)
    letters = _letters(found)
    lines = tuple(line_of(row, columns, words, letters) for row in found)
    heads = tuple(_head(name, words) for name in columns)
    legend = tuple((letter, words.flags(flag)[0]) for flag, letter in letters.items())
    return Table(heads, lines, page, pages, total, total > MOST_ROWS, legend)


def _letters(rows: Sequence[Row]) -> dict[str, str]:
    """A letter for each quality flag of these rows, in the order in which they appear."""
    flags = dict.fromkeys(flag for row in rows for flag in (row["quality"] or "").split())
    return {flag: chr(ord("a") + at % 26) * (1 + at // 26) for at, flag in enumerate(flags)}


def _columns(asked: Asked) -> tuple[str, ...]:
    """Columns of the key that can differ between the rows; the period always."""
    state = asked.state
    several = ["place"] if state.level is not None else []
    if len(asked.info.definitions) > 1:
        several.append("version")
    if state.source is None:
        several.append("source")
    if len(asked.methods) > 1:
        several.append("method")
    return (*several, "period", *state.by)


def _head(name: str, words: Words) -> str:
    known = {
        "place": gettext("Place"),
        "version": gettext("Definition"),
        "source": gettext("Source"),
        "method": gettext("Method"),
        "period": gettext("Period"),
    }
    return known.get(name) or words.dimension(name)


def line_of(row: Row, columns: Sequence[str], words: Words, letters: Mapping[str, str]) -> Line:
    """A row in words."""
    found = status(row)
    return Line(
        heads=tuple(_key(name, row, words) for name in columns),
        value=_cell(row, "value", words, found),
        lower=_cell(row, "lower", words, found),
        upper=_cell(row, "upper", words, found),
        cases=words.cases(row),
        status=found,
        said=words.status(found) if found != "ok" else "",
        marks=" ".join(letters[flag] for flag in (row["quality"] or "").split()),
        id=row["row"],
        place=row["place"],
    )


def _key(name: str, row: Row, words: Words) -> str:
    says: dict[str, Callable[[str], str]] = {
        "place": words.place,
        "period": words.period,
        "source": words.source,
        "method": words.method,
        "version": str,
    }
    return says[name](row[name]) if name in says else words.code(name, row[name])


def _cell(row: Row, name: str, words: Words, found: str) -> Cell:
    if found in (WITHHELD, NONE):
        return Cell("")
    value = row[name]
    return Cell("–") if value is None else Cell(words.bare(row, name), repr(float(value)))


# -- what is to be known of all rows together --------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Of the rows that were asked for: how many are withheld, unreliable, without number; flags, notes, how often."""

    rows: int
    withheld: int
    unreliable: int
    missing: int
    flags: tuple[tuple[str, int], ...]
    notes: tuple[tuple[str, int], ...]


#: Notes that are told: the most frequent ones.
_NOTES = 8


def known(asked: Asked, words: Words) -> Known:
    """Count over all rows that were asked for, on whatever page of the table they stand."""
    kinds, flags, notes = Counter[str](), Counter[str](), Counter[str]()
    for row, count in asked.figures.summary(asked.query):
        kinds[status(row)] += count
        flags.update(dict.fromkeys((row["quality"] or "").split(), count))
        if row["note"]:
            notes[row["note"]] += count
    said = tuple((words.flags(flag)[0], count) for flag, count in _often(flags))
    held, doubted, none = (kinds[kind] for kind in (WITHHELD, UNRELIABLE, NONE))
    return Known(kinds.total(), held, doubted, none, said, tuple(_often(notes)[:_NOTES]))


def _often(found: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))
