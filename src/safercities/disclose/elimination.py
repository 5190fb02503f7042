"""Complementary suppression by elimination over a prime field: no withheld cell is a sum of published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.knowledge import Ints
from safercities.disclose.solver import Floats, Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Below 2^21, so that the sum of `BLOCK` products of two residues is exact in a double.
PRIME = 2097143
BLOCK = 64
#: Columns that are compared to tell whether two rows are proportional: by chance once in PRIME^3 pairs.
_PROBES = 3


def eliminate(matrix: csr_array, primary: Mask, order: Ints, known: Ints | None = None, *, seed: int = 0) -> Mask:
    """Which cells can be published, so that no primary one is a linear combination of published ones.

    Cells are taken in the given order; one that would make a primary cell a combination is left out.

    Parameters
    ----------
    matrix
        Sums over the leaves, shape (cells, leaves).
    primary
        Cells that must not be known, shape (cells,).
    order
        The other cells, those that are wanted most first.
    known
        Cells that are published already and cannot be withheld any more: taken first, whatever follows from them.
    seed
        Of the random combinations of leaves that stand for them: the ranks are right but with a chance of about
        cells/`PRIME`, and what is published is proved afterwards by other means.

    Returns
    -------
    Mask
        Published cells, shape (cells,).

    Source: the idea is that of Langsrud (2024), Secondary cell suppression by Gaussian elimination: an algorithm
    suitable for handling issues with zeros and singletons, Privacy in Statistical Databases.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> cells = sp.csr_array(np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    >>> eliminate(cells, np.array([False, True, False, False]), np.array([0, 3, 2]))
    array([ True, False, False,  True])
    """
    forced = np.zeros(0, dtype=np.int64) if known is None else known
    taken = np.concatenate([forced, order])
    rows = np.concatenate([np.flatnonzero(primary), taken])
    work = _Residues(matrix[rows], min(matrix.shape[1], len(taken)) + _PROBES + 1, seed)
    first = int(primary.sum())
    published = np.zeros(matrix.shape[0], dtype=bool)
    for position, cell in enumerate(taken.tolist()):
        row = work.row(first + position)
        nonzero = np.flatnonzero(row)
        if len(nonzero):
            if position >= len(forced) and work.proportional(row, nonzero, first):
                continue
            work.pivot(row, int(nonzero[0]))
        published[cell] = True
    return published


class _Residues:
    """Rows of residues modulo `PRIME`, reduced by pivots; updates are kept and carried out a block at a time."""

    def __init__(self, matrix: csr_array, columns: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        sketch = rng.integers(0, PRIME, size=(matrix.shape[1], columns)).astype(np.float64)
        self._rows: Floats = np.mod(matrix @ sketch, PRIME)
        self._times = np.zeros((matrix.shape[0], BLOCK))
        self._pivots = np.zeros((BLOCK, columns))
        self._pending = 0

    def row(self, number: int) -> Floats:
        """A row as it is now."""
        n = self._pending
        return np.mod(self._rows[number] - self._times[number, :n] @ self._pivots[:n], PRIME)

    def _column(self, columns: Ints, rows: slice) -> Floats:
        n = self._pending
        return np.mod(self._rows[rows, columns] - self._times[rows, :n] @ self._pivots[:n, columns], PRIME)

    def proportional(self, row: Floats, nonzero: Ints, first: int) -> bool:
        """Whether one of the first rows is a multiple of a row (and not zero)."""
        at, probes = int(nonzero[0]), nonzero[1 : 1 + _PROBES]
        own = self._column(np.array([at]), slice(0, first))[:, 0]
        some = np.flatnonzero(own)
        if not len(probes):
            return bool(len(some))
        others = self._column(probes, slice(0, first))[some] if len(some) else np.zeros((0, len(probes)))
        left, right = np.mod(others * row[at], PRIME), np.mod(own[some, None] * row[probes], PRIME)
        return bool((left == right).all(axis=1).any())

    def pivot(self, row: Floats, at: int) -> None:
        """Take a row out of all others, so that the column `at` is zero in them."""
        self._times[:, self._pending] = self._column(np.array([at]), slice(None))[:, 0]
        self._pivots[self._pending] = np.mod(row * float(pow(int(row[at]), -1, PRIME)), PRIME)
        self._pending += 1
        if self._pending == BLOCK:
            self._rows -= self._times @ self._pivots
            np.mod(self._rows, PRIME, out=self._rows)
            self._pending = 0
