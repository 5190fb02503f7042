"""Proof that a survey's domains are safe: other worlds, in whole numbers, that would be published in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.survey_attack import EXACT, Seen, constraints, optimum
from safercities.disclose.survey_leaves import Leaves
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Rounds in which worlds are sought for all domains at once, before each is tried by itself.
ROUNDS = 8


def proved(leaves: Leaves, seen: Seen, x: Integers, y: Integers, width: Integers, before: Mask | None = None) -> Mask:
    """Withheld domains of which two worlds at least `width` apart were found, for each of x, y and n; others are true.

    Every world fits all that is published, and is checked for that after its numbers are made whole: it is proof,
    whatever the solver thinks of it. What is not found is not proved; so the answer errs on the side of hiding.

    - Domains whose rows are shown are not asked for: `single` says what those leave possible.
    - The number of respondents is no secret where it is known exactly (that of the whole sample), cases are none where
      they are not protected.
    - An insider knows one answer in a domain, a case or none. So worlds count only where there is still at least one
      of each that the truth has.

    Linear programmes find the worlds, in boxes around the truth in which every pair of whole numbers x, y fits the
    shown share. Sums of cells in boxes have nearly always corners in whole numbers.

    Parameters
    ----------
    x, y
        True cases, and others, of each domain.
    width
        Least distance.
    before
        Domains that were proved when as much or more was shown: their worlds still fit.

    Raises
    ------
    SafercitiesError
        If the true numbers do not add up.
    """
    search = _Search(leaves, seen, np.array([x, y]), width)
    if before is not None:
        search.protected &= ~before
    rng = np.random.default_rng(0)  # directions only: the same data give the same release
    for _ in range(ROUNDS):
        if not search.open.any():
            break
        search.try_all(rng)
    for quantity, at in np.argwhere(search.open).tolist():
        search.try_one(quantity, at)
    return np.asarray(~search.open.any(axis=0))


class _Search:
    """Extremes of every domain over the worlds that were found."""

    def __init__(self, leaves: Leaves, seen: Seen, truth: Integers, width: Integers) -> None:
        from scipy import sparse

        self.leaves, self.seen, self.width = leaves, seen, width
        self.truth = np.array([*truth, truth.sum(axis=0)])
        self.exact = constraints(leaves, seen)
        sums, same = leaves.sums.astype(float), leaves.same.astype(float)
        self.both = sparse.block_diag([sums, sums]).tocsr()
        fixed = np.flatnonzero(seen.n_low == seen.n_high)
        known = sparse.hstack([sums[fixed], sums[fixed]])
        self.equal = sparse.vstack([sparse.block_diag([same, same]), known]).tocsr()
        self.to = np.concatenate([np.zeros(2 * same.shape[0]), seen.n_low[fixed]])
        self.least = np.minimum(truth, 1) * seen.cases
        low, high = boxes(seen, truth, width)
        self.box = np.concatenate(list(np.maximum(low, self.least))), np.concatenate(list(high))
        self.protected = np.array([seen.cases, seen.cases, seen.n_low < seen.n_high]) & seen.withheld
        narrow = np.isfinite(self.box[1]) | (self.box[0] > 0)
        self.inside, self.bounds = self.both[narrow], (self.box[0][narrow], self.box[1][narrow])
        self.low, self.high = self.truth.astype(float), self.truth.astype(float)
        self._check()

    def _check(self) -> None:
        """The truth is one of the worlds, or the rows are not of one sample."""
        from scipy import sparse

        matrix = sparse.vstack([self.equal, self.both]).tocsr()
        to = np.concatenate([self.to, *self.truth[:2]])
        size = matrix.shape[1]
        try:
            optimum(np.zeros(size), matrix, (to, to), np.full(size, np.inf), self.seen.name, np.zeros(size, np.int64))
        except SafercitiesError:
            raise SafercitiesError(problem("survey-not-additive", group=self.seen.name)) from None

    @property
    def open(self) -> Mask:
        """Quantities of domains that are not proved yet, (3, domains)."""
        return np.asarray(self.protected & (self.high - self.low < self.width))

    def try_all(self, rng: np.random.Generator) -> None:
        """A world in which many domains that are open lie `width` away from the truth, up or down."""
        todo = self.open
        todo[0] |= todo[2] & ~todo[1] & self.seen.cases
        todo[1] |= todo[2] & ~todo[0]
        # down only where that leaves the insider one
        can_fall = self.truth[:2] - self.width >= self.least
        up = np.where(can_fall, rng.random((2, len(self.width))) < 0.5, True)
        self._world(todo[:2], np.where(up, 1.0, -1.0))

    def try_one(self, quantity: int, at: int) -> None:
        """Worlds for one quantity of one domain."""
        for which in (0, 1) if quantity == 2 else (quantity,):
            for sign in (1.0, -1.0):
                if self.open[quantity, at]:
                    aims = np.zeros((2, len(self.width)), dtype=bool)
                    aims[which, at] = True
                    self._world(aims, np.full(aims.shape, sign))

    def _world(self, aims: Mask, signs: Floats) -> None:
        """The largest sum of distances from the truth, each counted up to its width, in the directions given."""
        from scipy import sparse

        at = np.flatnonzero(aims.ravel())
        sign, truth = signs.ravel()[at], self.truth[:2].ravel()[at]
        size, many = self.both.shape[1], len(at)
        # sign · sum − distance ≥ sign · truth
        gain = sparse.hstack([sparse.diags_array(sign) @ self.both[at], -sparse.eye_array(many)])
        matrix = sparse.vstack([gain, _wider(self.inside, many), _wider(self.equal, many)]).tocsr()
        lower = np.concatenate([sign * truth, self.bounds[0], self.to])
        upper = np.concatenate([np.full(many, np.inf), self.bounds[1], self.to])
        most = np.concatenate([np.full(size, np.inf), np.tile(self.width, 2)[at]])
        aim = np.concatenate([np.zeros(size), -np.ones(many)])
        found = optimum(aim, matrix, (lower, upper), most, self.seen.name, np.zeros(size + many, np.int64))
        self._note(np.rint(found[:size]))

    def _note(self, z: Floats) -> None:
        """Take a world as proof if it fits."""
        fits = self.exact.matrix @ z
        if np.any(fits < self.exact.lower - EXACT) or np.any(fits > self.exact.upper + EXACT) or np.any(z < 0):
            return
        values = (self.exact.sums @ z).reshape(3, -1)
        use = np.all(values[:2] >= self.least, axis=0)
        self.low[:, use] = np.minimum(self.low, values)[:, use]
        self.high[:, use] = np.maximum(self.high, values)[:, use]


def boxes(seen: Seen, truth: Integers, width: Integers) -> tuple[Floats, Floats]:
    """Around the true x and y of each domain a box in which every pair fits what is shown, arrays (2, domains).

    Where the number of respondents is known exactly the box is that of x alone: y is then the rest.
    """
    low, high = np.zeros(truth.shape), np.full(truth.shape, np.inf)
    for at in np.flatnonzero(~seen.withheld | (seen.n_low == seen.n_high)).tolist():
        low[:, at], high[:, at] = _box(seen, at, int(truth[0, at]), int(truth[1, at]), int(width[at]))
    high[0, ~seen.cases] = 0
    return low, high


def _box(seen: Seen, at: int, x: int, y: int, width: int) -> tuple[tuple[float, float], tuple[float, float]]:
    n_low, n_high = int(seen.n_low[at]), int(seen.n_high[at])
    least, share = int(seen.x_low[at]), (float(seen.share_low[at]), float(seen.share_high[at]))
    if n_low == n_high:
        first = max(int(np.ceil(share[0] * n_low - EXACT)), least)
        last = min(int(np.floor(share[1] * n_low + EXACT)), n_low - int(seen.y_low[at]))
        last = last if seen.cases[at] else 0
        return (min(first, last), n_low - last), (last, n_low - min(first, last))
    if not seen.cases[at]:
        return (0, n_low), (0, n_high)
    edge, far = [x, x, y, y], int(width)  # first and last x, first and last y
    rare, others = ((0, 1), (2, 3)) if 2 * x <= x + y else ((2, 3), (0, 1))
    for sides, steps in ((rare, far), (others, far), ((0, 1, 2, 3), n_high)):
        growing = list(sides)
        for _ in range(steps):
            growing = [side for side in growing if _grown(edge, side, n_low, n_high, share, least)]
            if not growing:
                break
    return (edge[0], edge[2]), (edge[1], edge[3])


def _grown(edge: list[int], side: int, n_low: int, n_high: int, share: tuple[float, float], least: int) -> bool:
    """Make a box larger by one at one side, where all of it still fits."""
    moved = list(edge)
    moved[side] += 1 if side % 2 else -1
    if not _fits(moved, n_low, n_high, share, least):
        return False
    edge[side] = moved[side]
    return True


def _fits(edge: list[int], n_low: int, n_high: int, share: tuple[float, float], least: int) -> bool:
    first, last, few, many = edge
    if min(first, few) < least or first + few < n_low or last + many > n_high:
        return False
    return first >= (share[0] - EXACT) * (first + many) and last <= (share[1] + EXACT) * (last + few)


def _wider(matrix: sparse.csr_array, by: int) -> sparse.csr_array:
    """With columns of zeros."""
    from scipy import sparse

    shape = (matrix.shape[0], matrix.shape[1] + by)
    return sparse.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=shape)
