"""Other counts by way of the cells: change the cells of a family as their sums allow, then fit leaves to them.

A program over the cells of tables of few dimensions is hundreds of times smaller than one over their leaves. What it
finds need not be possible, since it does not know the leaves; so leaves are fitted to it, and only those that agree
with all that is published are given to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.family import Family
from safercities.disclose.knowledge import MOST, Ints
from safercities.disclose.remainder import refinements
from safercities.disclose.solver import TOLERANCE, Floats, Infeasible, Mask, Program

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Cases that every leaf is given more before fitting, so that those without any can have some afterwards.
SOME = 0.1
#: Passes over all tables when leaves are fitted; how often is looked how far they are off, and how little it may have
#: gone down since to be given up: cells that no leaves have.
PASSES, LOOK, SLOW = 400, 20, 0.5
#: How far fitted leaves may be off.
EXACT = 1e-8
#: Worth of changing a target by one case, to the price of changing any other cell: leaves are easier to fit to few
#: changes.
WORTH = 2_500.0
#: Ways that are tried to change a cell by itself, and how much dearer cells become that no leaves fitted to.
TRIES, DEARER = 12, 20


def covers(family: Family) -> list[tuple[int, int, Ints]]:
    """Pairs of a table and a finer one with none between, as in `refinements`."""
    found, tables = refinements(family), range(len(family.tables))
    return [
        (a, b, into)
        for (a, b), into in found.items()
        if not any((a, other) in found and (other, b) in found for other in tables)
    ]


def relations(family: Family) -> csr_array:
    """What adds up: a row for each cell and finer table, its parts 1, itself −1; shape (relations, cells).

    Examples
    --------
    >>> from safercities.disclose.family import margins
    >>> family = margins([[("sex", np.arange(2))]], (2,), 5, 1)
    >>> relations(family).toarray()
    array([[-1.,  1.,  1.]])
    """
    import scipy.sparse as sp

    rows, columns, values, start = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)], [np.zeros(0)], 0
    for a, b, into in covers(family):
        parts = np.flatnonzero(into >= 0)
        wholes = np.unique(into[parts])
        rows += [start + wholes, start + into[parts]]
        columns += [family.at[a][wholes], family.at[b][parts]]
        values += [np.full(len(wholes), -1.0), np.ones(len(parts))]
        start += family.tables[a].size
    found = sp.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(start, family.cells)
    )
    return distinct(found)


def distinct(rows: csr_array) -> csr_array:
    """The rows that are not zero, each once."""
    rows.sum_duplicates()
    rows.eliminate_zeros()
    ends = zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    first: dict[tuple[bytes, bytes], int] = {}
    for number, (a, b) in enumerate(ends):
        if b > a:
            first.setdefault((rows.indices[a:b].tobytes(), rows.data[a:b].tobytes()), number)
    return rows[list(first.values())]


class Marginal:
    """The cells of a family, and which of them must stay as they are.

    Parameters
    ----------
    family
        The tables.
    counts
        True leaves, shape (leaves,).
    width
        How many further values of each cell are asked for, shape (cells,): how far others may change with them.
    published
        Cells that must not change, shape (cells,).

    Examples
    --------
    Every age and every type of two is published; of a crossing, one more case is found:

    >>> from safercities.disclose.family import margins
    >>> family = margins([[("age", np.arange(2))], [("type", np.arange(2))]], (2, 2), 5, 2)
    >>> counts = np.array([3, 4, 5, 2])
    >>> cells = Marginal(family, counts, np.full(family.cells, 2), family.counts(counts) > 5)
    >>> [family.label(cell) for cell in cells.withheld]
    ['age × type, cell 1', 'age × type, cell 2', 'age × type, cell 3', 'age × type, cell 4']
    >>> cells.other(cells.withheld[:1], np.array([1.0])).round(3).tolist()
    [4.0, 3.0, 4.0, 3.0]
    """

    def __init__(self, family: Family, counts: Ints, width: Ints, published: Mask) -> None:
        self.family, self.counts, self.width, self.published = family, counts, width, published
        self.total = family.counts(counts).astype(float)
        self.withheld = np.flatnonzero(~published)

    def publishing(self, published: Mask) -> Marginal:
        """The same with other cells published."""
        other = Marginal(self.family, self.counts, self.width, published)
        other.__dict__.update(_sums=self._sums, _whole=self._whole, _finest=self._finest)
        return other

    def other(self, targets: Ints, amount: Floats) -> Floats | None:
        """Leaves in which some withheld cells differ from the truth by the amounts, as far as that can be.

        Parameters
        ----------
        targets
            Distinct cells, withheld, none twice.
        amount
            Of each, in cases (up: positive).

        Returns
        -------
        Floats | None
            Leaves that agree with every published cell; None where none were found.
        """
        return self.fitted(self.total + self._moved(targets, amount, np.ones(len(self.total))))

    def _moved(self, targets: Ints, amount: Floats, prices: Floats) -> Floats:
        """Changes of the withheld cells by which some differ, as far as that is worth it."""
        n, (ask, most) = len(self.withheld), self._program
        cost, most = np.tile(prices[self.withheld], 2), most.copy()
        at = np.searchsorted(self.withheld, targets)
        side, against = at + np.where(amount > 0, [[0], [n]], [[n], [0]])
        room = np.where(amount > 0, np.inf, self.total[targets])
        cost[side], most[side], most[against] = -WORTH, np.minimum(np.abs(amount), room), 0
        ask.limit(np.zeros(2 * n), most)
        found = ask.minimise(cost).x
        change = np.zeros(len(self.total))
        change[self.withheld] = found[:n] - found[n:]
        return change

    def limits(self, target: int) -> tuple[float, float]:
        """Between which numbers a withheld cell lies for all that its sums say: leaves may say more, never less."""
        cost = np.zeros(len(self.withheld))
        cost[np.searchsorted(self.withheld, target)] = 1
        edges = [sign * self._free.minimise(sign * cost).value for sign in (1.0, -1.0)]
        value = self.total[target]
        return value + edges[0], value + edges[1]

    def possible(
        self,
        targets: Ints,
        amount: Floats,
        other: Floats,
        cost: Floats | None,
        allows: Callable[[Floats], bool],
    ) -> Floats | None:
        """Leaves in which cells differ, at the least cost of published ones; None where none are found.

        Of a cell by itself several ways are tried, the cheapest first.

        Parameters
        ----------
        targets
            Distinct cells, none twice.
        amount, other
            By how much each must differ (up: positive), and what would do as well where it is by itself (NaN: nothing).
        cost
            Of withholding each cell of the family, shape (cells,). None: only cells that are withheld may differ.
        allows
            Whether leaves agree with what else is known.
        """
        prices = np.ones(len(self.total))
        for number in range(TRIES if len(targets) == 1 else 1):
            amounts = np.where(np.isnan(other) | (number % 2 == 0), amount, other)
            with suppress(Infeasible):
                change = self._change(targets, amounts, cost, prices)
                found = self.fitted(self.total + change)
                if found is not None and allows(found):
                    return found
                prices[np.abs(change) > TOLERANCE] *= DEARER
        return None

    def _change(self, targets: Ints, amount: Floats, cost: Floats | None, prices: Floats) -> Floats:
        return self._moved(targets, amount, prices) if cost is None else self.cheapest(targets, amount, cost, prices)

    def cheapest(self, targets: Ints, amount: Floats, cost: Floats, prices: Floats) -> Floats:
        """Changes of all cells in which some differ by the amounts or more, at the least cost of published ones.

        Parameters
        ----------
        targets
            Distinct cells, none twice.
        amount
            Of each, in cases (up: positive).
        cost
            Of withholding each cell of the family, shape (cells,).
        prices
            What a change of each cell costs besides, in parts of `WORTH`, shape (cells,).

        Raises
        ------
        Infeasible
            If there are none.
        """
        n, price = len(self.total), np.where(self.published, cost, 0) + prices / WORTH
        least, most = np.zeros(2 * n), np.concatenate([np.full(n, MOST), self.total])
        side, against = targets + np.where(amount > 0, [[0], [n]], [[n], [0]])
        least[side], most[against] = np.abs(amount), 0
        if (least > most).any():
            raise Infeasible
        self._whole.limit(least, most)
        found = self._whole.minimise(np.concatenate([price, price])).x
        return np.asarray(found[:n] - found[n:])

    @property
    def fewer(self) -> bool:
        """Whether there are clearly fewer withheld cells than leaves, so that programs over them are quicker."""
        return 2 * len(self.withheld) < self.family.leaves

    # -- programs --------------------------------------------------------------------------------------------------

    @cached_property
    def _program(self) -> tuple[Program, Floats]:
        """The sums over withheld cells, as changes up and down; and how far each may go."""
        width, total = self.width[self.withheld], self.total[self.withheld]
        most = np.concatenate([width, np.minimum(total, width)])
        return _both(distinct(self._sums[:, self.withheld]), most), most

    @cached_property
    def _whole(self) -> Program:
        """The sums over all cells, as changes up and down."""
        return _both(self._sums, np.full(2 * len(self.total), MOST))

    @cached_property
    def _free(self) -> Program:
        """The sums over withheld cells, as changes that leave none below 0."""
        rows = distinct(self._sums[:, self.withheld])
        zero = np.zeros(rows.shape[0])
        return Program(rows, zero, zero, -self.total[self.withheld], np.full(len(self.withheld), MOST))

    @cached_property
    def _sums(self) -> csr_array:
        return relations(self.family)

    # -- leaves ----------------------------------------------------------------------------------------------------

    def fitted(self, cells: Floats) -> Floats | None:
        """Leaves of which the cells are as given; None where there are none, or they are not found soon.

        Source: iterative proportional fitting, Deming & Stephan (1940), Annals of Mathematical Statistics 11.
        """
        leaves: Floats = np.asarray(self.counts + SOME, dtype=np.float64)
        before, none_below = np.inf, np.asarray(np.maximum(cells, 0), dtype=np.float64)
        tables = [(of, none_below[at]) for of, at in self._finest]
        for number in range(PASSES):
            if number % LOOK == 0:
                off = max(float(np.abs(_added(leaves, of, len(sums)) - sums).max(initial=0)) for of, sums in tables)
                if off <= EXACT:
                    return leaves
                if number > 2 * LOOK and off > SLOW * before:
                    return None
                before = off
            for of, sums in tables:
                now = _added(leaves, of, len(sums))
                times = np.divide(sums, now, out=np.zeros_like(sums), where=now > 0)
                leaves = np.asarray(leaves * np.append(times, 1)[of], dtype=np.float64)
        return None

    @cached_property
    def _finest(self) -> list[tuple[Ints, Ints]]:
        """Of the tables that no other one is finer than: the cell of each leaf (the last: none), and which they are."""
        coarse, found = {a for a, _ in refinements(self.family)}, []
        for number, table in enumerate(self.family.tables):
            if number not in coarse:
                used, of = np.unique(table.of[table.of >= 0], return_inverse=True)
                place = np.full(len(table.of), len(used))
                place[table.of >= 0] = of
                found.append((place, self.family.at[number][used]))
        return found


def _added(leaves: Floats, of: Ints, size: int) -> Floats:
    """Sums of the leaves in each cell."""
    return np.asarray(np.bincount(of, weights=leaves, minlength=size + 1)[:size], dtype=np.float64)


def _both(rows: csr_array, most: Floats) -> Program:
    """A program of changes up and of changes down."""
    import scipy.sparse as sp

    zero = np.zeros(rows.shape[0])
    return Program(sp.csr_array(sp.hstack([rows, -rows])), zero, zero, np.zeros(len(most)), most)
