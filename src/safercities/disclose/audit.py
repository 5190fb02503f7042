"""The attacker: the limits between which a withheld sum must lie, given everything that is known of the leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.knowledge import Ints, Knowledge, quickest
from safercities.disclose.remainder import remainders
from safercities.disclose.solver import TOLERANCE, Floats, Infeasible, Mask, Program
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Up to so many unknown leaves the limits are those of whole numbers, found by branch and bound; above it those of real
#: numbers, rounded inward: never narrower than what a solver of linear programs can deduce.
WHOLE = 250
#: Programs of more entries than this are asked of the interior-point method.
LARGE = 60_000


@dataclass(frozen=True)
class Bounds:
    """Between which whole numbers each target must lie, shape (targets,)."""

    lower: Ints
    upper: Ints

    @property
    def width(self) -> Ints:
        """How many values are possible, less one: 0 where the number is known exactly."""
        return self.upper - self.lower


@dataclass(frozen=True)
class Fact:
    """A fact that a deduction rests on, and how often it is added (or taken away)."""

    label: str
    times: float
    lower: float
    upper: float


def bounds(knowledge: Knowledge, targets: csr_array, *, whole: bool | None = None) -> Bounds:
    """The narrowest limits that follow for each target: sums over the leaves, shape (targets, leaves).

    Parameters
    ----------
    whole
        Whether to use that counts are whole numbers; default: where no more than `WHOLE` leaves are unknown.

    Raises
    ------
    SafercitiesError
        If the facts contradict each other, or the solver does not end with an optimal solution.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> known = Knowledge.of(3).plus(sp.csr_array([[1.0, 1, 1], [1, 1, 0]]), np.array([9.0, 4.0]))
    >>> found = bounds(known, sp.csr_array(np.eye(3)))
    >>> list(zip(found.lower.tolist(), found.upper.tolist()))
    [(0, 4), (0, 4), (5, 5)]
    """
    whole = small(knowledge) if whole is None else whole
    try:
        return _bounds(knowledge, targets, whole)
    except Infeasible:
        raise SafercitiesError(problem("attack-contradiction")) from None


def small(knowledge: Knowledge) -> bool:
    """Whether whole numbers can be told from real ones at bearable cost."""
    return int((knowledge.most > knowledge.least).sum()) <= WHOLE


def program(knowledge: Knowledge, *, whole: bool = False, interior: bool = False) -> Program:
    """The facts as a program that any cost can be asked of; in a large system, of exact ones what remains of each."""
    k = knowledge
    if interior:
        k = _shorter(k)
    return Program(k.matrix, k.lower, k.upper, k.least, k.most, whole=whole, interior=interior)


def _shorter(k: Knowledge) -> Knowledge:
    """The same facts with fewer terms."""
    import scipy.sparse as sp

    exact = k.lower == k.upper
    at, others = np.flatnonzero(exact), np.flatnonzero(~exact)
    rows, times = remainders(k.matrix[at], empty=True)
    sums, left = times @ k.lower[at], np.diff(rows.indptr) > 0
    if (np.abs(sums[~left]) > TOLERANCE).any():  # parts that do not add up to their total
        raise Infeasible
    rows, sums = rows[np.flatnonzero(left)], sums[left]
    return replace(
        k,
        matrix=sp.vstack([rows, k.matrix[others]], format="csr"),
        lower=np.concatenate([sums, k.lower[others]]),
        upper=np.concatenate([sums, k.upper[others]]),
        labels=(),
    )


def _bounds(knowledge: Knowledge, targets: csr_array, whole: bool) -> Bounds:
    targets = targets.tocsr()
    ask = program(knowledge)
    exact = None
    size = targets.shape[0]
    lower, upper = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    seen = _Seen(targets)
    for number in range(size):
        row = dense_row(targets, number)
        for sign, into in ((1.0, lower), (-1.0, upper)):
            found = ask.minimise(sign * row)
            seen.add(found.x)
            edge = inward(found.value)
            if whole and not seen.reaches(number, sign, edge):
                exact = exact or program(knowledge, whole=True)
                best = exact.minimise(sign * row)
                seen.add(best.x)
                edge = inward(best.value)
            into[number] = sign * edge
    return Bounds(lower, upper)


def dense_row(matrix: csr_array, number: int) -> Floats:
    """A row with its zeros; several times quicker than to take it out as a matrix."""
    at = slice(matrix.indptr[number], matrix.indptr[number + 1])
    return np.bincount(matrix.indices[at], matrix.data[at], minlength=matrix.shape[1]).astype(np.float64)


def inward(value: float) -> int:
    """The least whole number that is not below a value found by a solver, its tolerance aside."""
    return math.ceil(value - TOLERANCE * min(max(abs(value), 1.0), 100.0))  # `slack`, without arrays


def slack(value: Floats | float) -> Floats:
    """How far a solver may be off a value; never so far that it matters for a whole number."""
    return np.asarray(TOLERANCE * np.minimum(np.maximum(np.abs(value), 1), 100))


class _Seen:
    """The least and greatest value of each target among whole solutions that were met."""

    def __init__(self, targets: csr_array) -> None:
        self._targets = quickest(targets)
        self._low = np.full(targets.shape[0], np.inf)
        self._high = np.full(targets.shape[0], -np.inf)

    def add(self, x: Floats) -> None:
        """Take note of a solution, if it is whole."""
        near = np.round(x)
        if np.abs(x - near).max(initial=0) > TOLERANCE:
            return
        values = self._targets @ near
        self._low, self._high = np.minimum(self._low, values), np.maximum(self._high, values)

    def reaches(self, target: int, sign: float, edge: int) -> bool:
        """Whether a whole solution lies at that limit."""
        return bool(self._low[target] <= edge) if sign > 0 else bool(self._high[target] >= -edge)


def because(knowledge: Knowledge, target: csr_array) -> tuple[Bounds, list[Fact]]:
    """Between which limits one target lies, and from which facts that follows (duality of linear programs).

    Facts about single leaves that are not in the list (no count is negative) may be needed as well.

    Raises
    ------
    SafercitiesError
        As `bounds`.
    """
    ask, row = program(knowledge), target.toarray().ravel()
    found = bounds(knowledge, target)
    times = np.zeros(len(knowledge.lower))
    for sign in (1.0, -1.0):
        dual = ask.minimise(sign * row).dual
        times = np.where(np.abs(dual) > np.abs(times), sign * dual, times)
    used = np.flatnonzero(np.abs(times) > TOLERANCE)
    order = used[np.argsort(-np.abs(times[used]), kind="stable")]
    k = knowledge
    return found, [Fact(k.labels[i], float(times[i]), float(k.lower[i]), float(k.upper[i])) for i in order]


def narrow(found: Bounds, width: Ints) -> Mask:
    """Which targets an attacker can pin down more closely than allowed."""
    return np.asarray(found.width < width)
