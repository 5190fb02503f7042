"""Complementary suppression by elimination over a prime field: no withheld cell is a sum of published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from safercities.disclose.knowledge import Ints
from safercities.disclose.remainder import Rest, remainders
from safercities.disclose.solver import Floats, Mask
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Below 2^21, so that the sum of `BLOCK` products of two residues is exact in a double.
PRIME = 2097143
BLOCK = 64
#: Columns that are brought up to date together: as many as fit a processor's cache.
_STRIP = 64
#: Columns that are compared to tell whether two rows are proportional: by chance once in PRIME^3 pairs.
_PROBES = 3
#: Random changes that leave the given cells as they are: a cell that none of them changes may be a combination.
_CHANGES = 2
STILL = 1e-3
#: Facts × leaves up to which changes are found at once, not step by step.
DIRECT = 20_000
#: Columns to begin with; twice as many where they do not suffice.
_COLUMNS = 2048


def eliminate(
    matrix: csr_array,
    primary: Mask,
    order: Ints,
    known: Ints | None = None,
    *,
    rest: Rest | None = None,
    seed: int = 0,
) -> Mask:
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
    rest
        What must remain of published totals: a cell that would leave less is left out as well.
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
    risky = combinations(matrix, np.flatnonzero(primary), taken, seed)
    rows = np.concatenate([risky, taken])
    most = min(matrix.shape[1], len(taken))
    columns = min(most, _COLUMNS)
    while (found := _taken(matrix[rows], taken, len(forced), columns, rest, seed)) is None:
        columns = min(most, 2 * columns)
    published = np.zeros(matrix.shape[0], dtype=bool)
    published[found] = True
    return published


def _taken(matrix: csr_array, taken: Ints, forced: int, columns: int, rest: Rest | None, seed: int) -> list[int] | None:
    """The cells that are published; None where their rank is more than the number of columns can show."""
    first = matrix.shape[0] - len(taken)
    work = _Residues(matrix, columns + _PROBES + 1, first, seed)
    published = []
    if rest:
        rest.begin()
    for position, cell in enumerate(taken.tolist()):
        if rest and position >= forced and not rest.allows(cell):
            continue
        row = work.row(first + position)
        if row.any():
            if work.done == columns and columns < min(work.leaves, len(taken)):
                return None
            if position >= forced and work.proportional(row):
                continue
            work.pivot(row, first + position + 1)
        published.append(cell)
        if rest and position >= forced:
            rest.publish(cell)
    return published


def combinations(matrix: csr_array, cells: Ints, given: Ints, seed: int) -> Ints:
    """Those of some cells that may be linear combinations of the given ones: at least all that are.

    Random changes of the leaves that leave the given cells as they are change every other cell but by a freak.
    """
    if not len(cells) or not len(given):
        return cells[:0]
    changes = still(matrix[given], _CHANGES, np.random.default_rng(seed))
    return np.asarray(cells[(np.abs(matrix[cells] @ changes) < STILL).all(axis=1)])


def still(facts: csr_array, number: int, rng: np.random.Generator) -> Floats:
    """Random changes of the leaves that change no fact, shape (leaves, number)."""
    changes = rng.normal(size=(facts.shape[1], number))
    if facts.shape[0]:
        rows = remainders(facts)[0]
        size = np.sqrt(rows.power(2).sum(axis=1))
        across: Any = (rows.T / size[None, :]).tocsr()  # better conditioned, and so much quicker
        if facts.shape[0] * facts.shape[1] <= DIRECT:
            dense = across.toarray()
            changes -= dense @ np.linalg.lstsq(dense, changes)[0]
        else:
            _settle(across, changes, 20 * max(facts.shape))
        if np.abs(across.T @ changes).max(initial=0) > STILL / 10:  # nothing could be told from such changes
            raise SafercitiesError(problem("attack-unsolved", status="no change leaves the facts as they are"))
    return changes


def _settle(across: Any, changes: Floats, rounds: int) -> None:
    """Take from changes, in place, what they have along the columns of a large matrix."""
    from scipy.sparse.linalg import lsmr

    for column in changes.T:
        fit = lsmr(across, column, atol=1e-12, btol=1e-12, maxiter=rounds)[0]
        column -= across @ fit


class _Residues:
    """Rows of residues modulo `PRIME`, reduced by pivots; updates are kept and carried out a block at a time.

    The columns are random combinations of the leaves, so that the next one will do for any pivot: columns before it are
    done with, and so are rows that were taken.
    """

    def __init__(self, matrix: csr_array, columns: int, protected: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        sketch = rng.integers(0, PRIME, size=(matrix.shape[1], columns)).astype(np.float64)
        self._rows: Floats = np.asfortranarray(_reduced(matrix @ sketch))
        self._times = np.zeros((matrix.shape[0], BLOCK), order="F")
        self._pivots = np.zeros((BLOCK, columns))
        self._protected = protected
        self._pending = 0
        self.done = 0  # columns
        self.leaves = matrix.shape[1]

    def row(self, number: int) -> Floats:
        """What is left of a row; columns that are done with read 0."""
        n, k = self._pending, self.done
        row = np.zeros(self._rows.shape[1])
        row[k:] = _reduced(self._rows[number, k:] - self._times[number, :n] @ self._pivots[:n, k:])
        return row

    def _columns(self, columns: slice, rows: slice) -> Floats:
        n = self._pending
        return _reduced(self._rows[rows, columns] - self._times[rows, :n] @ self._pivots[:n, columns])

    def proportional(self, row: Floats) -> bool:
        """Whether a protected row is a multiple of a row (and not zero)."""
        at = self._next(row)
        own = self._columns(slice(at, at + 1 + _PROBES), slice(0, self._protected))
        left, right = _reduced(own[:, 1:] * row[at]), _reduced(own[:, :1] * row[None, at + 1 : at + own.shape[1]])
        return bool(((left == right).all(axis=1) & (own[:, 0] != 0)).any())

    def _next(self, row: Floats) -> int:
        """The column of the pivot: the first that is not zero in the row, moved to the next place."""
        k, found = self.done, self.done + int(np.argmax(row[self.done :] != 0))
        if found != k:  # once in PRIME rows
            for array in (self._rows, self._pivots):
                array[:, [k, found]] = array[:, [found, k]]
            row[[k, found]] = row[[found, k]]
        return k

    def pivot(self, row: Floats, after: int) -> None:
        """Take a row out of the protected ones and of those from `after` on."""
        at = self._next(row)
        n = self._pending
        for rows in (slice(0, self._protected), slice(after, None)):
            self._times[rows, n] = self._columns(slice(at, at + 1), rows)[:, 0]
        self._pivots[n] = _reduced(row * float(pow(int(row[at]), -1, PRIME)))
        self.done = at + 1
        self._pending += 1
        if self._pending == BLOCK:
            for rows in (slice(0, self._protected), slice(after, None)):
                for start in range(self.done, self._rows.shape[1], _STRIP):
                    strip = (rows, slice(start, start + _STRIP))
                    _fold(self._rows[strip], self._times[rows] @ self._pivots[:, strip[1]])
            self._pending = 0


def _fold(rows: Floats, less: Floats) -> None:
    """rows − less modulo `PRIME`, in place: 0 to PRIME, both of which stand for 0."""
    rows -= less
    np.multiply(rows, 1 / PRIME, out=less)
    np.floor(less, out=less)
    less *= PRIME
    rows -= less


def _reduced(values: Floats) -> Floats:
    """Residues, 0 to PRIME − 1, of whole numbers below 2^53."""
    values = values - np.floor(values * (1 / PRIME)) * PRIME
    values += np.where(values < 0, PRIME, 0)  # the quotient may be off by one
    return np.asarray(values - np.where(values >= PRIME, PRIME, 0))
