"""Proof that a survey's domains are safe: other worlds, in whole numbers, that would be published in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.solver import Infeasible, Program
from safercities.disclose.survey_attack import EXACT, Seen, System, constraints, fits, guess
from safercities.disclose.survey_boxes import Boxes, Made
from safercities.disclose.survey_leaves import Leaves
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: Sums, and between which sides they lie.
Rows = tuple[Any, Floats, Floats]

#: Rounds in which worlds are sought for all targets at once, before each is tried by itself.
ROUNDS = 24
#: Rounds end after so many that proved nothing more.
STALL = 2
#: Worlds are sought this many widths around the truth, and this share of the respondents.
NEAR, NEAR_SHARE = 4.0, 0.05
#: Systems of more unknowns than this are not asked for whole numbers: that can take for ever.
WHOLE = 600


@dataclass(frozen=True, eq=False)
class Sample:
    """The true numbers of an indicator, and how they add up; arrays of shape (domains,).

    Parameters
    ----------
    name
        For people: indicator and wave.
    leaves
        The domains.
    x, y
        Cases and others.
    width
        Least distance between what can be.
    cases
        Whether cases are protected; of means only respondents are.
    whole
        Position of the domain that holds everybody; −1: none.
    """

    name: str
    leaves: Leaves
    x: Integers
    y: Integers
    width: Integers
    cases: Mask
    whole: Integers


class Proof:
    """The worlds that were found of a sample: they serve for whatever is shown of it.

    Every world fits all that is published, and is checked for that after its numbers are made whole: it is proof,
    whatever the solver thinks of it. What is not found is not proved; so the answer errs on the side of hiding.

    - Protected are cases, others and respondents of every domain, shown or withheld, and cases and others of its
      complement.
    - The number of respondents is no secret where it is known exactly (that of the whole sample), cases are none where
      they are not protected.
    - An insider knows one answer in a domain, a case or none. So worlds count only where there is still at least one
      of each that the truth has.

    Linear programmes find the worlds, in boxes around the truth in which every pair of whole numbers x, y fits the
    shown share and standard error. Sums of cells in boxes have nearly always corners in whole numbers.

    Parameters
    ----------
    sample
        The true numbers of the domains.
    cells
        Cases, then others, of the cells, if they are known; default: any that add up.

    Raises
    ------
    SafercitiesError
        If the true numbers do not add up.
    """

    def __init__(self, sample: Sample, cells: Floats | None = None) -> None:
        from scipy import sparse

        self.sample, leaves = sample, sample.leaves
        self.truth = np.array([sample.x, sample.y])
        sums, none = leaves.sums.astype(float), sparse.csr_array(leaves.sums.shape)
        self.both = sparse.block_diag([sums, sums]).tocsr()
        x, y = sparse.hstack([sums, none]).tocsr(), sparse.hstack([none, sums]).tocsr()
        part = np.maximum(sample.whole, 0)
        self.targets = sparse.vstack([x, y, x + y, x[part] - x, y[part] - y]).tocsr()
        self.wanted = np.tile(sample.width, 5)
        self.least = np.minimum(self.truth, 1) * sample.cases
        self.worlds: list[Floats] = []
        self.values: list[Floats] = []
        self.last: int | None = None
        self.boxes: Made = {}
        self._made: dict[tuple[bytes, bytes], tuple[sparse.csr_array, Floats]] = {}
        self.add(np.rint(self._truth() if cells is None else cells))

    def add(self, world: Floats) -> bool:
        """Keep a world for all that will be shown, if it is one: numbers that add up."""
        cases, others = np.split(world, 2)
        same = self.sample.leaves.same
        if np.any(world < 0) or np.any(np.abs(same @ cases) > EXACT) or np.any(np.abs(same @ others) > EXACT):
            return False
        self.worlds.append(world)
        self.values.append(np.asarray(self.targets @ world))
        return True

    def drop(self) -> None:
        """Forget the last world."""
        self.worlds.pop()
        self.values.pop()

    def boxed(self, seen: Seen) -> Program:
        """All that adds up, and then x and y of every domain as unknowns of their own: the boxes are their bounds."""
        matrix, to = self._sums(seen)
        most = np.full(matrix.shape[1], float(seen.n_high.max(initial=1)))
        return Program(matrix, to, to, np.zeros(matrix.shape[1]), most)

    def _sums(self, seen: Seen) -> tuple[sparse.csr_array, Floats]:
        """Sums that are known whatever else is shown, made once for the same known numbers of respondents."""
        from scipy import sparse

        fixed, domains = np.flatnonzero(seen.n_low == seen.n_high), self.both.shape[0]
        key = fixed.tobytes(), seen.n_low[fixed].tobytes()
        if key in self._made:
            return self._made[key]
        same, sums = self.sample.leaves.same.astype(float), self.sample.leaves.sums.astype(float)
        known = sparse.hstack([sums[fixed], sums[fixed]])
        none = np.zeros(2 * same.shape[0])
        cells = sparse.vstack([sparse.block_diag([same, same]), known, self.both])
        own = sparse.vstack([sparse.csr_array((cells.shape[0] - domains, domains)), -sparse.eye_array(domains)])
        to = np.concatenate([none, seen.n_low[fixed], np.zeros(domains)])
        matrix = sparse.hstack([cells, own]).tocsr()
        self._made[key] = matrix, to
        return self._made[key]

    def _truth(self) -> Floats:
        """Numbers of the cells that give the true ones, or the rows are not of one sample."""
        from scipy import sparse

        same = self.sample.leaves.same.astype(float)
        equal = sparse.vstack([sparse.block_diag([same, same]), self.both]).tocsr()
        to = np.concatenate([np.zeros(2 * same.shape[0]), *self.truth.astype(float)])
        size = equal.shape[1]
        most = np.full(size, float(self.truth.max(initial=0)))
        try:
            return Program(equal, to, to, np.zeros(size), most).minimise(np.zeros(size)).x
        except Infeasible:
            raise SafercitiesError(problem("survey-not-additive", group=self.sample.name)) from None

    def proved(self, seen: Seen, *, brief: bool = False, thorough: bool = True) -> Mask:
        """Domains of which two worlds at least `width` apart were found, for all that is protected of each.

        Parameters
        ----------
        brief
            Whether one failure is answer enough: then nothing is proved.
        thorough
            Whether to ask for whole numbers outside of boxes, where boxes have no answer.
        """
        search = _Search(self, seen)
        nothing = np.zeros(len(self.sample.x), dtype=bool)
        if brief and not thorough and self.last is not None and search.open[self.last]:
            search.try_one(self.last)
            if search.open[self.last]:  # most likely what could not be proved a moment ago
                return nothing
        search.try_together(np.random.default_rng(0))  # directions only: the same data give the same release
        for target in np.flatnonzero(search.open).tolist():
            if search.open[target]:
                search.try_one(target)
            if search.open[target] and thorough:
                search.try_anywhere(target)
            if brief and search.open[target]:
                self.last = target
                return nothing
        return search.safe()


class _Search:
    """Extremes of every target over the worlds that fit what is seen."""

    def __init__(self, proof: Proof, seen: Seen) -> None:
        self.proof, self.seen, self.sample = proof, seen, proof.sample
        there = seen.n_high > 0
        known = seen.n_low == seen.n_high
        inner = self.sample.cases & there & (self.sample.whole >= 0)
        inner &= proof.truth.sum(axis=0) < proof.truth.sum(axis=0)[self.sample.whole]  # else the rest is nobody
        of_domains = [self.sample.cases & there] * 2 + [~known] + [inner] * 2
        self.protected = np.concatenate(of_domains)
        self.low, self.high = proof.values[0].copy(), proof.values[0].copy()
        self._take(np.array(proof.values).T)

    @property
    def open(self) -> Mask:
        """Targets that are not proved yet."""
        return np.asarray(self.protected & (self.high - self.low < self.proof.wanted))

    def safe(self) -> Mask:
        """Domains without an open target."""
        return np.asarray(~self.open.reshape(5, -1).any(axis=0))

    def try_together(self, rng: np.random.Generator) -> None:
        """Worlds for all open targets at once, until that proves nothing more."""
        idle = 0
        for _ in range(ROUNDS):
            before = int(self.open.sum())
            if not before or idle == STALL:
                return
            self.try_all(rng)
            idle = idle + 1 if int(self.open.sum()) == before else 0

    def try_all(self, rng: np.random.Generator) -> None:
        """A world in which open targets lie far from the truth, each up or down, some wanted more than others."""
        at = np.flatnonzero(self.open)
        self._bound(*self._boxes.around(rng))
        self._world(self.proof.targets[at].T @ _directions(len(at), rng))

    def try_one(self, target: int) -> None:
        """Worlds for one target: in the box of its domain, or in another one that holds what is wanted."""
        size = len(self.sample.x)
        row, width = self.proof.targets[[target]].toarray().ravel(), int(self.proof.wanted[target])
        kind, at = divmod(target, size)
        quantity, turned = (kind, 1) if kind < 3 else (kind - 3, -1)
        low, high = self._around
        for up in (True, False):
            self._bound(low, high)
            if self.open[target]:
                self._world(-row if up else row)
            here = (self.low if up else self.high)[quantity * size + at]
            value = int(here) + (width if up else -width) * turned
            box = self._boxes.moved(at, quantity, value) if self.open[target] else None
            if box is not None:
                there = low.copy(), high.copy()
                there[0][:, at], there[1][:, at] = np.maximum(box[0], self.proof.least[:, at]), box[1]
                self._bound(*there)
                self._world(-row if up else row)

    def try_anywhere(self, target: int) -> None:
        """Worlds for one target in whole numbers, outside of boxes; not in large systems."""
        if self.proof.both.shape[1] > WHOLE:
            return
        row, width = self.proof.targets[[target]], float(self.proof.wanted[target])
        for up in (True, False):
            if self.open[target]:
                low, high = (self.low[target] + width, np.inf) if up else (-np.inf, self.high[target] - width)
                self._anywhere([(row, np.array([low]), np.array([high]))])

    def _world(self, cost: Floats) -> None:
        """The world with the least cost in the boxes; none, where the boxes do not hold the truth."""
        size = self.proof.both.shape[1]
        try:
            found = self._boxed.minimise(np.concatenate([cost, np.zeros(self.proof.both.shape[0])])).x[:size]
        except Infeasible:
            return
        self._note(np.rint(found))

    def _anywhere(self, more: Sequence[Rows]) -> None:
        """A world near the truth, in whole numbers."""
        found = guess([*self._rows, *more], self._exact.most)
        if found is not None:
            self._note(found)

    @cached_property
    def _exact(self) -> System:
        return constraints(self.sample.leaves, self.seen)

    @cached_property
    def _rows(self) -> list[Rows]:
        """All that is seen, standard errors as if they were straight lines near the truth; and how near that is."""
        from scipy import sparse

        proof, seen, sample = self.proof, self.seen, self.sample
        truth = proof.truth.astype(float)
        far = NEAR * sample.width + NEAR_SHARE * truth.sum(axis=0)
        low, high = np.maximum(truth - far, proof.least), truth + far
        rows = [(self._exact.matrix, self._exact.lower, self._exact.upper), (proof.both, low.ravel(), high.ravel())]
        if seen.se_low is None or seen.se_high is None:
            return rows
        told = np.flatnonzero(np.isfinite(seen.se_high))
        x, y = truth[:, told]
        n = x + y
        slope = np.array([1 / x, 1 / y]) - 2 / n - 1 / (n - 1)  # of the logarithm of the error's square
        now = np.log(x * y / (n * n * (n - 1)))
        size = len(sample.x)
        sums = sparse.diags_array(slope[0]) @ proof.both[told] + sparse.diags_array(slope[1]) @ proof.both[size + told]
        at = slope[0] * x + slope[1] * y - now
        edges = [2 * np.log(np.maximum(one[told], 1e-300)) + at for one in (seen.se_low, seen.se_high)]
        return [*rows, (sparse.csr_array(sums), edges[0], edges[1])]

    @cached_property
    def _boxes(self) -> Boxes:
        return Boxes(self.seen, self.proof.truth, self.sample.width, self.proof.boxes)

    @cached_property
    def _around(self) -> tuple[Floats, Floats]:
        return self._boxes.around()

    @cached_property
    def _boxed(self) -> Program:
        return self.proof.boxed(self.seen)

    def _bound(self, low: Floats, high: Floats) -> None:
        """Put the boxes where they are to be."""
        cells, least = self.proof.both.shape[1], self.proof.least
        free = np.full(cells, float(self.seen.n_high.max(initial=1)))
        low, high = np.maximum(low, least), np.maximum(high, least)
        self._boxed.limit(np.concatenate([0 * free, *low]), np.concatenate([free, *high]))

    def _note(self, z: Floats) -> None:
        """Take a world as proof if it fits; it serves for what will be shown, too."""
        if not self.proof.add(z):
            return
        if not self._take(self.proof.values[-1][:, None]).all():
            self.proof.drop()

    def _take(self, values: Floats) -> Mask:
        """Take the worlds that fit as proof, by their targets, (targets, worlds); and which do."""
        good = self._fits(values)
        if good.any():
            self.low = np.minimum(self.low, values[:, good].min(axis=1))
            self.high = np.maximum(self.high, values[:, good].max(axis=1))
        return good

    def _fits(self, values: Floats) -> Mask:
        """Worlds that agree with all that is seen (as in `survey_attack.constraints`), and with an insider."""
        seen, size = self.seen, len(self.sample.x)
        x, y, n = (values[at * size : (at + 1) * size].T for at in range(3))
        x_high = np.where(seen.cases, seen.n_high if seen.x_high is None else seen.x_high, 0)
        y_high = seen.n_high if seen.y_high is None else seen.y_high
        few, many = seen.share_low - EXACT, seen.share_high + EXACT
        good = (n >= seen.n_low - EXACT) & (n <= seen.n_high + EXACT)
        good &= (x >= np.maximum(seen.x_low - EXACT, self.proof.least[0])) & (x <= x_high + EXACT)
        good &= (y >= np.maximum(seen.y_low - EXACT, self.proof.least[1])) & (y <= y_high + EXACT)
        good &= ((1 - few) * x - few * y >= -EXACT) & ((1 - many) * x - many * y <= EXACT)
        good &= fits(seen, x, y)
        return np.asarray(good.all(axis=-1))


def _directions(size: int, rng: np.random.Generator) -> Floats:
    return np.asarray(rng.exponential(size=size) * np.where(rng.random(size) < 0.5, 1.0, -1.0))


def proved(leaves: Leaves, seen: Seen, x: Integers, y: Integers, width: Integers) -> Mask:
    """Domains of which everything protected is proved to be at least `width` wide: `Proof`, of one indicator.

    Raises
    ------
    SafercitiesError
        If the true numbers do not add up.

    Examples
    --------
    >>> from safercities.disclose.survey_leaves import leaves
    >>> tree, hidden = leaves([("A", "_T"), ("A", "F"), ("A", "M")], ["sex"]), np.array([False, True, True])
    >>> n, share = np.array([60, 40, 20]), np.array([0.25, 0.0, 0.0])
    >>> low, high = np.where(hidden, 0, 60), np.full(3, 60)
    >>> seen = Seen("all", low, high, share, np.where(hidden, 1, 0.4), low * 0, low * 0, hidden | True, hidden)
    >>> proved(tree, seen, np.array([20, 14, 6]), np.array([40, 26, 14]), np.full(3, 4)).tolist()
    [True, True, True]
    """
    whole = np.full(len(x), leaves.total, dtype=np.int64)
    return Proof(Sample(seen.name, leaves, x, y, width, seen.cases, whole)).proved(seen)
