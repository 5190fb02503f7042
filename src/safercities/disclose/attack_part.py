"""The attack on what counts the same cases in one run of periods: from rows to facts, aims and openings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from safercities.disclose.attack_acts import Kinds
from safercities.disclose.attack_public import Opening, Outside, Published
from safercities.disclose.attack_rows import (
    COUNTING,
    People,
    Precision,
    Row,
    Told,
    compared,
    count_between,
    shares,
    standardised,
)
from safercities.disclose.attack_space import MOST_LEAVES, Cell, Space
from safercities.disclose.attack_system import Aim, Answer, System, absent, columns_once, feasible, possible, solve
from safercities.disclose.attack_true import true_counts
from safercities.disclose.knowledge import Ints, Knowledge
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import SafercitiesError, problem

#: What an opening is called for people, where an aim has a name of its own.
_KINDS = {"points": "derived"}


@dataclass(frozen=True)
class Released:
    """A release and its rows as dictionaries."""

    published: Published
    rows: list[dict[str, Any]]

    @cached_property
    def precision(self) -> Precision:
        """How exactly its numbers are shown."""
        return Precision(self.rows)


@dataclass
class Group:
    """The rows of indicators that hold each other in one source, of one way of protection, in one place.

    Parameters
    ----------
    source
        One of those that hold the same cases, where several do.
    indicators
        One, or several of which it is known which acts they count.
    """

    source: str
    indicators: tuple[str, ...]
    top: str
    rounded: bool
    rows: list[Row] = field(default_factory=list)
    kinds: Kinds = field(default_factory=lambda: Kinds.single(""))

    def each(self) -> list[Group]:
        """The same, one indicator at a time."""
        return [
            Group(self.source, (code,), self.top, self.rounded, mine, Kinds.single(code))
            for code in self.indicators
            if (mine := [row for row in self.rows if row.cell.indicator == code])
        ]


class Part:
    """One group in one run of periods that share days.

    Parameters
    ----------
    releases
        All, oldest first.
    periods
        Of the run.
    people
        Person-years that the public knows.
    known
        True numbers that are known outside, of any group.
    width
        As wanted; None: as the rules say.
    """

    def __init__(
        self,
        releases: Sequence[Released],
        group: Group,
        periods: set[str],
        people: People,
        known: Sequence[Outside],
        width: int | None,
    ) -> None:
        self.releases, self.group, self.people, self.width = releases, group, people, width
        listed = {one.id: one for each in releases for one in each.published.places}
        self.places = [one for one in listed.values() if not one.id.startswith(f"{UNKNOWN}.")]
        self.level = {one.id: one.level for one in self.places if one.id != group.top}
        self.rows = [self._named(row) for row in group.rows if row.cell.period in periods]
        self.last = max(row.release for row in self.rows)
        inside = {row.cell.place for row in group.rows} | {one.id for one in self.places if self._below(one.id)}
        self.known = [
            one
            for one in known
            if one.source == group.source
            and one.indicator in group.indicators
            and one.cell.period in periods
            and one.cell.place in inside
        ]

    def _named(self, row: Row) -> Row:
        return replace(row, label=self._label(row.cell, row.release))

    def _below(self, id: str) -> bool:
        parents = {one.id: one.parent for one in self.places}
        at: str | None = id
        for _ in range(len(parents) + 1):
            if at is None or at == self.group.top:
                break
            at = parents.get(at)
        return at == self.group.top

    @property
    def size(self) -> int:
        """How many smallest cells it has; `MOST_LEAVES` + 1 where there are more than can be attacked."""
        try:
            return self._space().size
        except SafercitiesError:
            return MOST_LEAVES + 1

    def _space(self) -> Space:
        cells = [row.cell for row in self.rows] + [one.cell for one in self.known]
        ages = self._ages()
        return Space(cells, self.places, self.group.top, {"age": ages} if ages else None, self.group.kinds)

    def run(self) -> tuple[Answer, list[Opening], list[Opening]]:
        """Attack it: what can be deduced, and the groups that are all alike as far as rounded counts show it.

        Raises
        ------
        SafercitiesError
            If nothing can be proved.
        """
        space = self._space()
        told = self._told(self._ages())
        system, known, notes = self._agreeing(space, told)
        answer = solve(known, self._aims(system, known))
        answer.notes += notes
        openings = [
            Opening(
                _KINDS.get(one.aim.kind, one.aim.kind), one.aim.label, one.lower, one.upper, one.aim.width, one.facts
            )
            for one in answer.pinned
        ]
        openings += [*self._small(), *self._late(system)]
        groups = list(self._groups_shown(system))
        alike = [opening for opening, _ in groups]
        if not self.group.rounded:
            openings += alike
        elif self.known:
            others = [(opening.what, columns) for opening, columns in groups if len(columns)]
            k = np.array([self._minimum(self._counting(at), ()) for at in range(space.shape[2])], dtype=np.int64)
            openings += true_counts(system, known, self.known, k, self._width, self._label, others)
        return answer, openings, alike if self.group.rounded else []

    # -- rules -----------------------------------------------------------------------------------------------------

    def _minimum(self, indicators: Iterable[str], names: Sequence[str], release: int | None = None) -> int:
        """k of what these indicators count: the largest of theirs."""
        published = self.releases[self.last if release is None else release].published
        return max(published.minimum(one, names) for one in indicators)

    def _width(self, k: int, release: int | None = None) -> int:
        return self.releases[self.last if release is None else release].published.width(k, self.width)

    def _of(self, cell: Cell, release: int | None = None) -> tuple[int, int]:
        """k and width of a cell."""
        k = self._minimum([cell.indicator], cell.names, release)
        return k, self._width(k, release)

    def _label(self, cell: Cell, release: int | None = None) -> str:
        published = self.releases[self.last if release is None else release].published
        return published.label(cell.indicator, cell)

    def _counting(self, kind: int) -> tuple[str, ...]:
        """The indicators that count a kind of acts."""
        return self.group.kinds.counted[kind]

    # -- facts -----------------------------------------------------------------------------------------------------

    def _ages(self) -> list[str]:
        """Age groups that are needed for standardised rates, from the populations, where no counts are by age."""
        if not any(row.kind == "standardised" for row in self.rows):
            return []
        named = {code for row in self.rows for name, code in row.cell.codes if name == "age"}
        named = named or {code for cell in self.people for name, code in cell.codes if name == "age"}
        return sorted(named - {UNKNOWN})

    def _told(self, ages: Sequence[str]) -> list[Told]:
        """Everything that the rows tell, and what is known outside."""
        exact: dict[tuple[Cell, int], int] = {}
        told: list[Told] = []
        for row in sorted(self.rows, key=lambda one: one.kind != "count"):
            known = row.kind == "rate" and (row.cell, row.release) in exact
            if row.kind not in COUNTING or known:
                continue
            found = count_between(row, self.releases[row.release].precision, self.people)
            if found is None:
                continue
            low, high = found
            if low == high:
                exact[(row.cell, row.release)] = low
            said = f"{row.label}: {_shown(row, low, high)}"
            told.append(Told(((row.cell, 1.0),), low, high, said, row.release, row.cell if low == high else None))
        for row in self.rows:
            if row.kind == "standardised" and not row.hidden:
                told += standardised(row, self.releases[row.release].precision, self.people, ages)
            elif row.kind == "compared" and not row.hidden:
                told += compared(row, self.releases[row.release].precision)
        for number, one in enumerate(self.releases):
            mine = [row for row in self.rows if row.release == number]
            counts = {cell: n for (cell, release), n in exact.items() if release == number}
            told += shares(mine, one.precision, counts, self.level, self.group.top)
        if not self.group.rounded:
            told += [
                Told(((one.cell, 1.0),), one.n, one.n, f"{self._label(one.cell)}: {one.n} (known outside)", -1)
                for one in self.known
            ]
        return told

    def _agreeing(self, space: Space, told: Sequence[Told]) -> tuple[System, Knowledge, list[str]]:
        """The strongest reading of what is published that does not contradict itself."""
        there = [(row.cell, row.release) for row in self.rows if row.kind != "compared"]
        rest = absent(there, space, self.level)
        several = len({row.release for row in self.rows}) > 1
        for apart in (False, True) if several else (False,):
            system = System(space, told, len(self.releases), apart=apart)
            for more in (rest, []) if rest else ([],):
                known = system.knowledge(more)
                if feasible(known):
                    return system, known, self._readings(apart, bool(rest) and not more)
        raise SafercitiesError(problem("attack-contradiction"))

    def _readings(self, apart: bool, loose: bool) -> list[str]:
        of = f"{', '.join(self.group.indicators)} of {self.group.source}"
        notes = [f"{of}: releases contradict each other, so each was attacked by itself"] if apart else []
        if loose:
            notes.append(f"{of}: not all cases are in the tables: rows that are missing were not taken for zero")
        return notes

    # -- aims ------------------------------------------------------------------------------------------------------

    def _aims(self, system: System, known: Knowledge) -> list[Aim]:
        """What the attacker wants: withheld cells, what could be derived below them, and groups with one attribute."""
        exact = {(cell, one.release) for one in system.told if (cell := one.shown) is not None}
        counted = {(row.cell, row.release) for row in self.rows if row.kind == "count" and not row.hidden}
        taken: set[bytes] = set()
        hidden = dict.fromkeys(
            (row.cell, row.release)
            for row in self.rows
            if row.hidden and row.kind in COUNTING and (row.cell, row.release) not in counted
        )
        aims = columns_once((self._withheld(system, *one) for one in hidden), taken)
        taken |= {np.sort(system.at(cell, release)).tobytes() for cell, release in exact}
        aims += possible(columns_once(self._derived(system), taken), known.most)
        if not self.group.rounded:
            aims += self._one_attribute(system, exact, known)
        return aims

    def _withheld(self, system: System, cell: Cell, release: int) -> Aim:
        k, width = self._of(cell, release)
        return Aim(self._label(cell, release), system.at(cell, release), np.ones(1), width, "withheld", k)

    def _derived(self, system: System) -> Iterator[Aim]:
        """The smallest cells of every table: parts of periods, of areas, of age groups, and acts that differ."""
        shapes: dict[tuple[tuple[str, ...], bool], set[str]] = {}
        for row in self.rows:
            shapes.setdefault((row.cell.names, row.cell.place != self.group.top), set()).add(row.cell.indicator)
        labels = self.releases[self.last].published.labels.get("indicator", {})
        points = "points" if any(row.kind == "points" for row in self.rows) else ""
        for (names, placed), indicators in sorted(shapes.items()):
            kinds = np.unique(np.concatenate([self.group.kinds.of[one] for one in sorted(indicators)]))
            for one, leaves in system.space.finest(names, placed=placed, kinds=kinds):
                k = self._minimum(self._counting(one.kind), names)
                kind, width = ("rounded", 1) if self.group.rounded else (points or "derived", self._width(k))
                said = f"{self.group.kinds.word(one.kind, labels)}, {one.words}"
                yield Aim(said, system.column[-1][leaves], np.ones(1), width, kind, k)

    def _attributes(self, cell: Cell, release: int) -> Iterator[tuple[str, Cell]]:
        """Dimensions of a cell that say something private, and the cell without each."""
        for name, code in cell.codes:
            if name in self.releases[release].published.rules.get("attributes", ()) and code != UNKNOWN:
                yield name, cell.but(name, TOTAL)

    def _one_attribute(self, system: System, exact: set[tuple[Cell, int]], known: Knowledge) -> Iterator[Aim]:
        """Everybody else of a group, so that it is seen whether there can be somebody else."""
        for cell, release in dict.fromkeys((row.cell, row.release) for row in self.rows):
            for name, parent in self._attributes(cell, release):
                if not system.space.holds(parent) or {(cell, release), (parent, release)} <= exact:
                    continue
                everybody = system.at(parent, release)
                others = np.setdiff1d(everybody, system.at(cell, release))
                if len(others) and known.most[everybody].any():
                    said = f"{self._label(cell, release)}: cases of another {name}"
                    yield Aim(said, others, np.ones(1), 1, "group", 1)

    # -- what is plain to see --------------------------------------------------------------------------------------

    def _small(self) -> Iterator[Opening]:
        """Counts that are shown though they are too small; of rounded ones 0 is none of them."""
        least = 1 if self.group.rounded else 0
        seen: set[tuple[Cell, int]] = set()
        withheld = {(row.cell, row.release) for row in self.rows if row.hidden}
        for row in self.rows:
            k, width = self._of(row.cell, row.release)
            if row.hidden or row.kind not in COUNTING or (row.cell, row.release) in seen | withheld:
                continue
            found = count_between(row, self.releases[row.release].precision, self.people)
            if found is not None and least <= found[0] and found[1] < k:
                seen.add((row.cell, row.release))
                yield Opening("small", row.label, *found, width)

    def _groups_shown(self, system: System) -> Iterator[tuple[Opening, Ints]]:
        """Groups of which all cases have one attribute, for everybody to see, and the columns of all others in them.

        Where counts are rounded there may be others: up to k − 1 in each of the smallest cells that are shown as 0.
        """
        shown = {
            (row.cell, row.release): row.values["value"] for row in self.rows if row.kind == "count" and not row.hidden
        }
        for (cell, release), n in shown.items():
            for name, parent in self._attributes(cell, release):
                if n and shown.get((parent, release)) == n:
                    others = np.setdiff1d(system.at(parent, release), system.at(cell, release))
                    most = (self._of(cell, release)[0] - 1) * len(others) if self.group.rounded else 0
                    said = f"{self._label(cell, release)}: cases of another {name}"
                    yield Opening("uniform" if self.group.rounded else "group", said, 0, most, 1), others

    def _late(self, system: System) -> Iterator[Opening]:
        """Changes between two releases of a cell that only a few cases can have made."""
        before: Mapping[Cell, int] = {}
        for number in range(len(self.releases)):
            mine = {
                told.shown: int(told.lower) for told in system.told if told.shown is not None and told.release == number
            }
            changed = {cell: n - before[cell] for cell, n in mine.items() if cell in before and n != before[cell]}
            k = {cell: self._of(cell, number)[0] for cell in changed}
            large = [set(system.leaves(cell).tolist()) for cell, n in changed.items() if abs(n) >= k[cell]]
            for cell, n in changed.items():
                own = set(system.leaves(cell).tolist())
                if abs(n) < k[cell] and not any(own & other and not own < other for other in large):
                    said = f"{self._label(cell, number)}: change by {n:+d}"
                    yield Opening("late", said, abs(n), abs(n), self._of(cell, number)[1])
            before = {**before, **mine}


def _shown(row: Row, low: int, high: int) -> str:
    """The number of a row that a fact comes from, for people."""
    value, unit = row.values.get("value"), row.values.get("unit")
    if row.kind == "count" and value is not None:
        return f"{value:g}"
    if value is not None:
        return f"{value:g} {unit}"
    return f"{low} to {high}, by what is shown beside it" if low < high else f"{low}, by what is shown beside it"
