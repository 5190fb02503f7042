"""What remains of published totals when their published parts are taken away."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.family import Family
from safercities.disclose.knowledge import Ints
from safercities.disclose.solver import Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Rows that are compared with all others at a time.
_BLOCK = 500


def remainders(rows: csr_array, *, empty: bool = False) -> tuple[csr_array, csr_array]:
    """The same facts in fewer terms: (remainders, times), where remainders = times · rows.

    From each row the largest other rows inside it are taken away, as long as they do not overlap. What is known of the
    rows is known of the remainders, and the other way round; programs with fewer terms are quicker. Rows of anything
    but 0 and 1 stay as they are.

    Parameters
    ----------
    rows
        Sums over the leaves, shape (rows, leaves).
    empty
        Whether to keep those of which nothing remains.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> total_and_parts = sp.csr_array(np.array([[1.0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]]))
    >>> remainders(total_and_parts)[0].toarray()
    array([[0., 0., 0., 1.],
           [1., 1., 0., 0.],
           [0., 0., 1., 0.]])
    """
    import scipy.sparse as sp

    rows = sp.csr_array(rows)
    rows.sort_indices()
    other = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))[rows.data != 1]
    plain = np.ones(rows.shape[0], dtype=bool)
    plain[other] = False
    number = rows.shape[0]
    less = [part for start in range(0, number, _BLOCK) for part in _inside(rows, plain, start)]
    at = np.repeat(np.arange(number), [len(part) for part in less])
    taken = np.concatenate([np.zeros(0, dtype=np.int64), *less])
    times = sp.csr_array(sp.eye_array(number) - sp.csr_array((np.ones(len(at)), (at, taken)), shape=(number, number)))
    found = sp.csr_array(times @ rows)
    found.eliminate_zeros()
    if empty:
        return found, times
    left = np.flatnonzero(np.diff(found.indptr))
    return found[left], times[left]


def _inside(rows: csr_array, plain: Mask, start: int) -> list[Ints]:
    """For each row of a block, which others are taken away from it."""
    size = np.diff(rows.indptr)
    block = rows[start : start + _BLOCK]
    common = (block @ rows.T).tocsr()
    found = []
    for one in range(block.shape[0]):
        a, b = common.indptr[one], common.indptr[one + 1]
        other, both = common.indices[a:b], common.data[a:b]
        inner = other[(both == size[other]) & (size[other] < size[start + one]) & plain[other]]
        inner = inner[np.argsort(-size[inner], kind="stable")] if plain[start + one] else inner[:0]
        found.append(_apart(rows, start + one, inner))
    return found


def _apart(rows: csr_array, row: int, inner: Ints) -> Ints:
    """Of the rows inside a row, some that do not overlap: the first, and each further one that still fits."""
    left = np.zeros(rows.shape[1], dtype=bool)
    left[rows.indices[rows.indptr[row] : rows.indptr[row + 1]]] = True
    taken = []
    for one in inner.tolist():
        terms = rows.indices[rows.indptr[one] : rows.indptr[one + 1]]
        if left[terms].all():
            left[terms] = False
            taken.append(one)
    return np.array(taken, dtype=np.int64)


def refinements(family: Family) -> dict[tuple[int, int], Ints]:
    """Pairs of tables of which the second is finer: for each cell of the finer one, the cell of the coarser it lies in.

    −1 for cells that lie in none, or hold no leaf.

    Examples
    --------
    >>> from safercities.disclose.family import margins
    >>> family = margins([[("place", np.arange(4)), ("district", np.array([0, 0, 1, 1]))]], (4,), 5, 1)
    >>> [[family.tables[i].name for i in pair] for pair in refinements(family)]
    [['total', 'place'], ['total', 'district'], ['district', 'place']]
    """
    found = {}
    for (a, coarse), (b, fine) in product(enumerate(family.tables), repeat=2):
        if a == b or fine.size <= coarse.size or ((fine.of < 0) & (coarse.of >= 0)).any():
            continue
        inside = fine.of >= 0
        into = np.full(fine.size, -1)
        into[fine.of[inside]] = coarse.of[inside]
        if (into[fine.of[inside]] == coarse.of[inside]).all():
            found[a, b] = into
    return found


class Rest:
    """How much is left of each cell when its published parts in a finer table are taken away: never too little.

    Parameters
    ----------
    family
        The tables.
    total
        Count of each cell, shape (cells,).
    least
        How much must be left of each published cell, unless nothing is withheld in it; shape (cells,).

    Examples
    --------
    >>> from safercities.disclose.family import margins
    >>> family = margins([[("age", np.arange(3))]], (3,), 5, 1)
    >>> rest = Rest(family, family.counts(np.array([1, 6, 7])), np.full(4, 8))
    >>> rest.publish(0)  # 14 in all
    >>> rest.allows(3), rest.allows(2)
    (False, True)
    """

    def __init__(self, family: Family, total: Ints, least: Ints) -> None:
        self._family, self._total, self._least = family, total, least
        self.begin()

    def begin(self) -> None:
        """Nothing is published yet, or any more."""
        wholes, parts = self._groups
        self._left = self._total[wholes].astype(np.int64)
        self._parts = np.diff(parts.tocsc().indptr)
        self._published = np.zeros(len(self._total), dtype=bool)

    def allows(self, cell: int) -> bool:
        """Whether enough is left of every published cell if this one is published too."""
        wholes, _ = self._groups
        above = self._above(cell)
        above = above[self._published[wholes[above]]]
        left, parts = self._left[above] - self._total[cell], self._parts[above] - 1
        own = self._own[cell]
        return not (
            ((parts > 0) & (left < self._least[wholes[above]])).any()
            or ((self._parts[own] > 0) & (self._left[own] < self._least[cell])).any()
        )

    def publish(self, cell: int) -> None:
        """Take note that a cell is published."""
        above = self._above(cell)
        self._left[above] -= self._total[cell]
        self._parts[above] -= 1
        self._published[cell] = True

    def _above(self, cell: int) -> Ints:
        """The groups of parts that a cell belongs to."""
        _, parts = self._groups
        return np.asarray(parts.indices[parts.indptr[cell] : parts.indptr[cell + 1]])

    @cached_property
    def _groups(self) -> tuple[Ints, csr_array]:
        """Parts of a cell in one finer table: the cell of each group, and the groups of each part (cells × groups)."""
        import scipy.sparse as sp

        none, start = np.zeros(0, dtype=np.int64), 0
        wholes, at, cells = [none], [none], [none]
        for (a, b), into in refinements(self._family).items():
            used = self._family.at[a] >= 0
            number = start + np.cumsum(used) - 1
            parts = np.flatnonzero(into >= 0)
            wholes.append(self._family.at[a][used])
            at.append(number[into[parts]])
            cells.append(self._family.at[b][parts])
            start += int(used.sum())
        shape = (self._family.cells, start)
        where = np.concatenate(cells), np.concatenate(at)
        return np.concatenate(wholes), sp.csr_array((np.ones(len(where[0])), where), shape=shape)

    @cached_property
    def _own(self) -> list[Ints]:
        """The groups that make up each cell."""
        wholes, _ = self._groups
        order = np.argsort(wholes, kind="stable")
        return np.split(order, np.searchsorted(wholes[order], np.arange(1, self._family.cells)))
