"""The attack on one indicator of one source in one run of periods: from rows to facts, aims and openings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from safercities.disclose.attack_public import Opening, Outside, Published
from safercities.disclose.attack_rows import People, Precision, Row, Told, count_between, shares, standardised
from safercities.disclose.attack_space import Cell, Space
from safercities.disclose.attack_system import Aim, Answer, System, absent, columns_once, feasible, possible, solve
from safercities.disclose.attack_true import true_counts
from safercities.disclose.knowledge import Knowledge
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import SafercitiesError, problem


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
    """The rows of one indicator in one source, of one way of protection, and everything that lies in one place."""

    source: str
    indicator: str
    top: str
    rounded: bool
    rows: list[Row] = field(default_factory=list)


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
            if (one.source, one.indicator) == (group.source, group.indicator)
            and one.cell.period in periods
            and one.cell.place in inside
        ]

    def _named(self, row: Row) -> Row:
        return replace(row, label=self.releases[row.release].published.label(self.group.indicator, row.cell))

    def _below(self, id: str) -> bool:
        parents = {one.id: one.parent for one in self.places}
        at: str | None = id
        for _ in range(len(parents) + 1):
            if at is None or at == self.group.top:
                break
            at = parents.get(at)
        return at == self.group.top

    def run(self) -> tuple[Answer, list[Opening]]:
        """Attack it.

        Raises
        ------
        SafercitiesError
            If nothing can be proved.
        """
        cells = [row.cell for row in self.rows] + [one.cell for one in self.known]
        ages = self._ages()
        space = Space(cells, self.places, self.group.top, {"age": ages} if ages else None)
        told = self._told(ages)
        system, known, notes = self._agreeing(space, told)
        answer = solve(known, self._aims(system, known))
        answer.notes += notes
        openings = [
            Opening(one.aim.kind, one.aim.label, one.lower, one.upper, one.aim.width, one.facts)
            for one in answer.pinned
        ]
        openings += [*self._small(), *self._groups_shown(), *self._late(system)]
        if self.group.rounded and self.known:
            openings += true_counts(system, known, self.known, self._minimum(()), self._width(()), self._label)
        return answer, openings

    # -- rules -----------------------------------------------------------------------------------------------------

    def _minimum(self, names: Sequence[str], release: int | None = None) -> int:
        published = self.releases[self.last if release is None else release].published
        return published.minimum(self.group.indicator, names)

    def _width(self, names: Sequence[str], release: int | None = None) -> int:
        published = self.releases[self.last if release is None else release].published
        return published.width(self._minimum(names, release), self.width)

    def _label(self, cell: Cell) -> str:
        return self.releases[self.last].published.label(self.group.indicator, cell)

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
            if row.kind not in ("count", "rate") or (row.cell, row.release) in exact:
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
        for number, one in enumerate(self.releases):
            mine = [row for row in self.rows if row.release == number]
            counts = {cell: n for (cell, release), n in exact.items() if release == number}
            told += shares(mine, one.precision, counts, self.level, self.group.top)
        if not self.group.rounded:
            said = "known outside"
            told += [Told(((o.cell, 1.0),), o.n, o.n, f"{self._label(o.cell)}: {o.n} ({said})", -1) for o in self.known]
        return told

    def _agreeing(self, space: Space, told: Sequence[Told]) -> tuple[System, Knowledge, list[str]]:
        """The strongest reading of what is published that does not contradict itself."""
        there = [(row.cell, row.release) for row in self.rows]
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
        of = f"{self.group.indicator} of {self.group.source}"
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
            if row.hidden and row.kind in ("count", "rate") and (row.cell, row.release) not in counted
        )
        aims = columns_once((self._withheld(system, *one) for one in hidden), taken)
        taken |= {np.sort(system.at(cell, release)).tobytes() for cell, release in exact}
        aims += possible(columns_once(self._derived(system), taken), known.most)
        if not self.group.rounded:
            aims += self._one_attribute(system, exact, known)
        return aims

    def _withheld(self, system: System, cell: Cell, release: int) -> Aim:
        label = self.releases[release].published.label(self.group.indicator, cell)
        k, width = self._minimum(cell.names, release), self._width(cell.names, release)
        return Aim(label, system.at(cell, release), np.ones(1), width, "withheld", k)

    def _derived(self, system: System) -> Iterator[Aim]:
        """The smallest cells of every table: parts of periods, of areas and of age groups that differ."""
        shapes = {(row.cell.names, row.cell.place != self.group.top) for row in self.rows}
        title = (
            self.releases[self.last]
            .published.labels.get("indicator", {})
            .get(self.group.indicator, self.group.indicator)
        )
        for names, placed in sorted(shapes):
            k, width = self._minimum(names), self._width(names)
            kind, width = ("rounded", 1) if self.group.rounded else ("derived", width)
            for words, leaves in system.space.finest(names, placed=placed):
                yield Aim(f"{title}, {words}", system.column[-1][leaves], np.ones(1), width, kind, k)

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
                label = self.releases[release].published.label(self.group.indicator, cell)
                if len(others) and known.most[everybody].any():
                    yield Aim(f"{label}: cases of another {name}", others, np.ones(1), 1, "group", 1)

    # -- what is plain to see --------------------------------------------------------------------------------------

    def _small(self) -> Iterator[Opening]:
        """Counts that are shown though they are too small; of rounded ones 0 is none of them."""
        least = 1 if self.group.rounded else 0
        seen: set[tuple[Cell, int]] = set()
        withheld = {(row.cell, row.release) for row in self.rows if row.hidden}
        for row in self.rows:
            k = self._minimum(row.cell.names, row.release)
            if row.hidden or row.kind not in ("count", "rate") or (row.cell, row.release) in seen | withheld:
                continue
            found = count_between(row, self.releases[row.release].precision, self.people)
            if found is not None and least <= found[0] and found[1] < k:
                seen.add((row.cell, row.release))
                yield Opening("small", row.label, *found, self._width(row.cell.names, row.release))

    def _groups_shown(self) -> Iterator[Opening]:
        """Groups of which all cases have one attribute, for everybody to see."""
        if self.group.rounded:
            return
        shown = {
            (row.cell, row.release): row.values["value"] for row in self.rows if row.kind == "count" and not row.hidden
        }
        for (cell, release), n in shown.items():
            for name, parent in self._attributes(cell, release):
                if n and shown.get((parent, release)) == n:
                    label = self.releases[release].published.label(self.group.indicator, cell)
                    yield Opening("group", f"{label}: cases of another {name}", 0, 0, 1)

    def _late(self, system: System) -> Iterator[Opening]:
        """Changes between two releases of a cell that only a few cases can have made."""
        before: Mapping[Cell, int] = {}
        for number, one in enumerate(self.releases):
            mine = {
                told.shown: int(told.lower) for told in system.told if told.shown is not None and told.release == number
            }
            changed = {cell: n - before[cell] for cell, n in mine.items() if cell in before and n != before[cell]}
            k = {cell: self._minimum(cell.names, number) for cell in changed}
            large = [set(system.leaves(cell).tolist()) for cell, n in changed.items() if abs(n) >= k[cell]]
            for cell, n in changed.items():
                own = set(system.leaves(cell).tolist())
                if abs(n) < k[cell] and not any(own & other and not own < other for other in large):
                    label = one.published.label(self.group.indicator, cell)
                    yield Opening("late", f"{label}: change by {n:+d}", abs(n), abs(n), self._width(cell.names, number))
            before = {**before, **mine}


def _shown(row: Row, low: int, high: int) -> str:
    """The number of a row that a fact comes from, for people."""
    value, unit = row.values.get("value"), row.values.get("unit")
    if row.kind == "count" and value is not None:
        return f"{value:g}"
    if value is not None:
        return f"{value:g} {unit}"
    return f"{low} to {high}, by what is shown beside it" if low < high else f"{low}, by what is shown beside it"
