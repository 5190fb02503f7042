"""Members of larger places: which lie in which, which rows belong together, for how many people each stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.model.dimensions import dimension
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import TOTAL, Estimates
from safercities.model.periods import Period
from safercities.places.hierarchy import Hierarchy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Units whose numbers add up.
COUNTED = ("victims", "incidents", "offences", "people", "households", "events", "points", "respondents", "total")
#: Columns of a table of denominators that gives each series its own: a share of victims is over victims.
APART = ("indicator", "version", "source", "unit", "method")
#: (place, period) → people; or a table with place, period, n and breakdowns by characteristics of the person. With the
#: columns of `APART`, all breakdowns count, and `source` and `method` are those of the aggregate.
Denominators: TypeAlias = "Mapping[tuple[str, str], float] | pa.Table"


def grouped(table: pa.Table, names: Sequence[str]) -> tuple[Ints, Ints]:
    """The group of each row that shares these columns, and the first row of each group; null is a value of its own."""
    if not table.num_rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    group = np.zeros(table.num_rows, dtype=np.int64)
    for name in names:
        codes = _codes(table.column(name))
        group = np.unique(group * (codes.max() + 1) + codes, return_inverse=True)[1].reshape(-1).astype(np.int64)
    _, first = np.unique(group, return_index=True)
    return group, first.astype(np.int64)


def split(group: Ints, size: int) -> list[Ints]:
    """The rows of each of `size` groups, in their order.

    Examples
    --------
    >>> [rows.tolist() for rows in split(np.array([1, 0, 1]), 2)]
    [[1], [0, 2]]
    """
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.searchsorted(group[order], np.arange(1, size)))
    return parts if size else []


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def member_level(estimates: Estimates, tree: Hierarchy, of: str | None) -> str:
    """The level of the members: the one that is given, or that of all places of the estimates.

    Raises
    ------
    UsageError
        If there are several, or there is no such level.
    """
    if of is not None and of not in tree.levels:
        raise UsageError(problem("upward-level", given=of, known=", ".join(tree.levels)))
    here = pc.unique(estimates.table.column("place")).to_pylist()
    found = list(dict.fromkeys(tree[place].level for place in here if place in tree))
    if of is None and len(found) > 1:
        raise UsageError(problem("upward-levels", levels=", ".join(found)))
    return of if of is not None else (found or [""])[0]


class Membership:
    """Which members lie in which larger places, on the last day of a period.

    Parameters
    ----------
    tree
        All places.
    of, level
        Levels of the members and of the larger places.
    """

    def __init__(self, tree: Hierarchy, of: str, level: str) -> None:
        self.tree, self.of, self.level = tree, of, level
        self._members: dict[tuple[str, date], tuple[str, ...]] = {}
        self._targets: dict[tuple[str, date], str | None] = {}

    def target(self, place: str, day: date) -> str | None:
        """The larger place of a member; None where it has none, or did not exist that day."""
        key = (place, day)
        if key not in self._targets:
            self._targets[key] = self._found(place, day)
        return self._targets[key]

    def _found(self, place: str, day: date) -> str | None:
        if place not in self.tree or self.tree[place].level != self.of or not self.tree.valid_on(place, day):
            return None
        above = self.tree.ancestors(place, day)
        return next((one.id for one in above if one.level == self.level), None)

    def members(self, target: str, day: date) -> tuple[str, ...]:
        """All members of a larger place."""
        key = (target, day)
        if key not in self._members:
            below = [one.id for one in self.tree.descend(target, self.of)]
            self._members[key] = tuple(one for one in below if self.target(one, day) == target)
        return self._members[key]

    def targets(self, table: pa.Table) -> pa.Array:
        """The larger place of each row; null where there is none."""
        group, first = grouped(table, ("place", "period"))
        pairs = table.select(["place", "period"]).take(pa.array(first)).to_pylist()
        found = [self.target(one["place"], last_day(one["period"])) for one in pairs]
        return pa.array(found, pa.string()).take(pa.array(group))

    def gone(self, table: pa.Table) -> dict[str, tuple[str, ...]]:
        """Period → members of the table that did not exist on its last day."""
        pairs = table.group_by(["place", "period"]).aggregate([]).to_pylist()
        lost: dict[str, tuple[str, ...]] = {}
        for one in sorted(pairs, key=lambda pair: str(pair["place"])):
            here = one["place"] in self.tree and self.tree[one["place"]].level == self.of
            if here and not self.tree.valid_on(one["place"], last_day(one["period"])):
                lost[one["period"]] = (*lost.get(one["period"], ()), one["place"])
        return lost


@cache
def last_day(period: str) -> date:
    """Last day of a period, by its code."""
    return Period.parse(period).end


class Weights:
    """How many people each member stands for.

    Raises
    ------
    UsageError
        If a number is missing, not finite, or negative, or stands twice; or the estimates are broken down by a
        characteristic of the person by which the denominators are not.
    """

    def __init__(self, denominators: Denominators, dimensions: Sequence[str]) -> None:
        person = [name for name in dimensions if dimension(name).of == "person"]
        if isinstance(denominators, pa.Table):
            self.apart = tuple(name for name in APART if name in denominators.column_names)
            keys = (*self.apart, *(dimensions if self.apart else person))
            self.names = tuple(name for name in keys if name in denominators.column_names)
            self._people = _from_table(denominators, self.names)
        else:
            self.apart, self.names = (), ()
            self._people = {(place, period): float(n) for (place, period), n in denominators.items()}
        self._lacking = tuple(name for name in person if name not in self.names)
        for key, people in self._people.items():
            if not (np.isfinite(people) and people >= 0):
                raise UsageError(problem("upward-denominator-wrong", place=key[0], period=key[1], given=people))

    def of(self, place: str, row: Mapping[str, str]) -> float:
        """People of a place, in the period and with the characteristics of a row."""
        for name in self._lacking:
            if row[name] != TOTAL:
                raise UsageError(problem("upward-dimension", name=name))
        key = (place, row["period"], *(row[name] or TOTAL for name in self.names))
        if key not in self._people:
            more = "".join(f", {name} {row[name]}" for name in self.names if row[name] != TOTAL)
            raise UsageError(problem("upward-denominator", place=place, period=row["period"], more=more))
        return self._people[key]

    def of_rows(self, table: pa.Table, dimensions: Sequence[str]) -> Floats:
        """People of the place of each row."""
        group, rows = self._distinct(table, ("place", "period", *self.apart, *dimensions))
        return np.array([self.of(row["place"], row) for row in rows], dtype=np.float64)[group]

    def of_targets(self, table: pa.Table, dimensions: Sequence[str], membership: Membership) -> Floats:
        """People of all members of the larger place of each row, with data or without."""
        group, rows = self._distinct(table, ("target", "period", *self.apart, *dimensions))
        sums = []
        for row in rows:
            everybody = membership.members(row["target"], last_day(row["period"]))
            sums.append(sum(self.of(one, row) for one in everybody))
        return np.array(sums, dtype=np.float64)[group]

    @staticmethod
    def _distinct(table: pa.Table, names: Sequence[str]) -> tuple[Ints, list[dict[str, str]]]:
        group, first = grouped(table, names)
        return group, table.select(list(names)).take(pa.array(first)).to_pylist()


def _from_table(table: pa.Table, names: Sequence[str]) -> dict[tuple[str, ...], float]:
    """The people of a table by place, period and the breakdowns; rows broken down by anything else are left out."""
    missing = [name for name in ("place", "period", "n") if name not in table.column_names]
    if missing:
        raise UsageError(problem("upward-denominators", missing=", ".join(missing)))
    for name in set(table.column_names) - {"place", "period", "n", "row", *names}:
        if pa.types.is_string(table.schema.field(name).type):
            table = table.filter(pc.equal(pc.fill_null(table.column(name), TOTAL), TOTAL))
    found: dict[tuple[str, ...], float] = {}
    for row in table.to_pylist():
        key = (row["place"], row["period"], *(row[name] or TOTAL for name in names))
        if key in found:
            raise UsageError(problem("upward-denominator-twice", place=row["place"], period=row["period"]))
        found[key] = float("nan") if row["n"] is None else float(row["n"])
    return found
