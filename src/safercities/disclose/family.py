"""A family of tables over the same leaves: which cells there are, and which leaves each one adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """One published table over the leaves.

    Parameters
    ----------
    name
        For people: "robbery by sex and age".
    of
        The cell that each leaf lies in, shape (leaves,); −1 = in no cell of this table.
    size
        Number of its cells.
    minimum
        Counts below it may not be seen: 0 to `minimum` − 1 are one class.
    labels
        Of the cells, for certificates; empty: `name` and the cell's number.

    Raises
    ------
    ValueError
        If a cell is out of range, the minimum is below 1, or there are not as many labels as cells.

    Examples
    --------
    >>> Table("by sex", np.array([0, 1, 0, 1]), 2, 5).counts(np.array([3, 4, 5, 6]))
    array([ 8, 10])
    """

    name: str
    of: Ints
    size: int
    minimum: int
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.of) and (self.of.min() < -1 or self.of.max() >= self.size):
            raise ValueError(f"{self.name}: cells are numbered from 0 to {self.size - 1}")
        if self.minimum < 1:
            raise ValueError(f"{self.name}: the least count must be 1 or more")
        if self.labels and len(self.labels) != self.size:
            raise ValueError(f"{self.name}: {len(self.labels)} labels for {self.size} cells")

    def counts(self, leaves: Ints) -> Ints:
        """Sums of the leaves in each cell, shape (size,)."""
        inside = self.of >= 0
        found = np.zeros(self.size, dtype=np.int64)
        np.add.at(found, self.of[inside], leaves[inside])
        return found

    def label(self, cell: int) -> str:
        """What people call a cell."""
        return self.labels[cell] if self.labels else f"{self.name}, cell {cell + 1}"


@dataclass(frozen=True)
class Family:
    """The tables of one source and period, and the distinct cells among them.

    Cells of several tables that add up the same leaves are one cell: it is published everywhere or nowhere, under the
    largest of their minimum counts. Cells without a leaf are cells that can only be 0: they are left out (`at` is −1).

    Parameters
    ----------
    leaves
        Number of leaves.
    tables
        The tables.

    Examples
    --------
    >>> sexes = Table("by sex", np.array([0, 1]), 2, 5)
    >>> everybody = Table("total", np.array([0, 0]), 1, 5)
    >>> family = Family(2, (everybody, sexes))
    >>> family.cells, family.counts(np.array([3, 9]))
    (3, array([12,  3,  9]))
    """

    leaves: int
    tables: tuple[Table, ...]

    def __post_init__(self) -> None:
        for table in self.tables:
            if len(table.of) != self.leaves:
                raise ValueError(f"{table.name}: {len(table.of)} leaves instead of {self.leaves}")

    @property
    def cells(self) -> int:
        """Number of distinct cells."""
        return len(self.minimum)

    @cached_property
    def minimum(self) -> Ints:
        """Least count of each distinct cell, shape (cells,)."""
        return self._distinct[1]

    @cached_property
    def at(self) -> tuple[Ints, ...]:
        """For each table, which distinct cell each of its cells is; −1 for cells without a leaf."""
        return self._distinct[2]

    @cached_property
    def first(self) -> list[tuple[int, int]]:
        """For each distinct cell, the table and the cell in it that show it first."""
        found: dict[int, tuple[int, int]] = {}
        for number, at in enumerate(self.at):
            for cell, one in enumerate(at.tolist()):
                if one >= 0:
                    found.setdefault(one, (number, cell))
        return [found[one] for one in range(self.cells)]

    @cached_property
    def matrix(self) -> csr_array:
        """Sums over the leaves, shape (cells, leaves), entries 1."""
        return self._distinct[0]

    def counts(self, leaves: Ints) -> Ints:
        """Count of each distinct cell, shape (cells,)."""
        return np.asarray(self.matrix @ leaves, dtype=np.int64)

    def label(self, cell: int) -> str:
        """What people call a distinct cell."""
        table, position = self.first[cell]
        return self.tables[table].label(position)

    @cached_property
    def _distinct(self) -> tuple[csr_array, Ints, tuple[Ints, ...]]:
        """Matrix, minimum counts and positions of the distinct cells."""
        import scipy.sparse as sp

        sums = [_sums(table) for table in self.tables]
        stacked = sp.vstack([*sums, sp.csr_array((0, self.leaves), dtype=np.float64)], format="csr")
        keys = _keys(stacked)
        size = np.diff(stacked.indptr)
        first: dict[bytes, int] = {}
        number = np.full(len(keys), -1, dtype=np.int64)
        for row in np.flatnonzero(size):
            number[row] = first.setdefault(keys[row], len(first))
        minimum = np.ones(len(first), dtype=np.int64)
        own = np.repeat([table.minimum for table in self.tables], [table.size for table in self.tables])
        np.maximum.at(minimum, number[number >= 0], own[number >= 0].astype(np.int64))
        rows = np.full(len(first), -1)
        rows[number[::-1][number[::-1] >= 0]] = np.flatnonzero(number >= 0)[::-1]
        ends = np.cumsum([table.size for table in self.tables])
        return stacked[rows], minimum, tuple(np.split(number, ends[:-1])) if self.tables else ()


def _sums(table: Table) -> csr_array:
    import scipy.sparse as sp

    inside = np.flatnonzero(table.of >= 0)
    shape = (table.size, len(table.of))
    return sp.csr_array((np.ones(len(inside)), (table.of[inside], inside)), shape=shape)


def _keys(matrix: csr_array) -> list[Any]:
    """A key of each row, equal where the rows add up the same leaves."""
    matrix.sort_indices()
    bytes_ = matrix.indices.astype(np.int64)
    return [bytes_[a:b].tobytes() for a, b in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)]


def margins(axes: Sequence[Sequence[tuple[str, Ints]]], shape: Sequence[int], minimum: int, most: int) -> Family:
    """All tables of at most `most` axes over a full cube: each axis is left out, or broken down in one of its ways.

    Parameters
    ----------
    axes
        For each axis its ways: (name, group of each of its codes), as `[("place", np.arange(20)), ("district", …)]`.
    shape
        Codes of each axis.
    minimum
        Least count of every table.
    most
        Most axes that a table is broken down by.

    Examples
    --------
    >>> family = margins([[("sex", np.arange(2))], [("age", np.arange(3))]], (2, 3), 5, 2)
    >>> [table.name for table in family.tables], family.cells
    (['total', 'age', 'sex', 'sex × age'], 12)
    """
    from itertools import product

    tables = []
    codes = np.indices(shape).reshape(len(shape), -1)
    for chosen in product(*([None, *ways] for ways in axes)):
        used = [(axis, way) for axis, way in enumerate(chosen) if way is not None]
        if len(used) > most:
            continue
        of, size = np.zeros(codes.shape[1], dtype=np.int64), 1
        for axis, (_, groups) in used:
            width = int(groups.max()) + 1
            of, size = of * width + groups[codes[axis]], size * width
        name = " × ".join(way[0] for _, way in used) or "total"
        tables.append(Table(name, of, size, minimum))
    return Family(codes.shape[1], tuple(tables))
