"""Proof that nothing is pinned down: other counts that agree with all that is known, far apart in every target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.audit import LARGE, dense_row, inward, program, small
from safercities.disclose.insiders import Inside
from safercities.disclose.knowledge import Ints, Knowledge, quickest
from safercities.disclose.marginal import Marginal
from safercities.disclose.solver import Floats, Program
from safercities.disclose.worlds import Insider, Opening, Points
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

#: Rounds of questions to all open targets together, after which each is asked by itself, or called open.
ROUNDS = 60
#: Targets that are moved together by way of the cells, at most.
TOGETHER = 20
#: The same for an insider, who is one of many.
INSIDER_ROUNDS = 8
#: Rounds end where one closes less than this share of the open targets.
STALL = 0.01


class Prover:
    """Looks for points until every target is wide enough, for anybody and for each insider.

    Parameters
    ----------
    knowledge
        Everything known.
    targets
        Sums to be protected, shape (targets, leaves).
    width
        How many further values must be possible, shape (targets,).
    truth
        The true leaves: the first point. None where the attacker is somebody else.
    whole
        Whether only points of whole numbers count; default: in systems with few unknown leaves.
    seed
        Of the directions.
    exact
        Whether targets that look too narrow are asked about one by one, so that an opening is one beyond doubt. Never
        done in large systems: there, what cannot be shown to be wide enough is an opening.
    points
        Counts that agree with everything known: of an earlier proof from more facts.
    enough
        Of each target: an opening that shows only that it is at least so much is none. Default: none is.
    brief
        Whether one opening is answer enough.
    cells
        The tables that the targets are the withheld cells of, in their order: a quicker way to points in large systems.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        targets: csr_array,
        width: Ints,
        *,
        truth: Ints | None = None,
        whole: bool | None = None,
        seed: int = 0,
        exact: bool = True,
        points: Iterable[Floats] = (),
        enough: Ints | None = None,
        brief: bool = False,
        cells: Marginal | None = None,
    ) -> None:
        self.exact, self.brief, self.cells = exact, brief, cells
        self.knowledge, self.targets, self.wanted = knowledge, targets.tocsr(), np.asarray(width)
        self.whole = small(knowledge) if whole is None else whole
        self.large = knowledge.matrix.nnz > LARGE
        self.points = Points(self.targets)
        self.enough = np.full(len(self.wanted), np.iinfo(np.int64).max) if enough is None else enough
        self._rng = np.random.default_rng(seed)
        if truth is not None:
            if not knowledge.allows(truth):
                raise SafercitiesError(problem("attack-contradiction"))
            self.points.add(truth.astype(float))
        for one in points:
            self._take(one)

    def openings(self, insiders: Sequence[Insider] = ()) -> list[Opening]:
        """The targets that are not wide enough for anybody, or else those that are not for some insider."""
        return self._matter(self._anybody()) or self._matter(self._insiders(insiders))

    def _matter(self, openings: list[Opening]) -> list[Opening]:
        """Without those that show no more than that a count is large; only exact limits can show that."""
        return [one for one in openings if not (one.exact and one.lower >= self.enough[one.target])]

    # -- anybody ---------------------------------------------------------------------------------------------------

    def _anybody(self) -> list[Opening]:
        if not self.targets.shape[0]:
            return []
        if self.large and not self.whole and self.cells is not None:
            certain = self._moves(self.cells)
            if self.exact:
                self._rounds(self.knowledge, None, {one.target for one in certain})
            return certain + self._unsettled({one.target for one in certain})
        self._rounds(self.knowledge, None)
        return self._settle(self.knowledge, None)

    def _unsettled(self, but: set[int]) -> list[Opening]:
        """The other open targets, as they look."""
        lower, upper = self.points.reach()
        left = [one for one in self._open(None).tolist() if one not in but]
        return [Opening(one, int(lower[one]), int(upper[one])) for one in left]

    def _moves(self, cells: Marginal) -> list[Opening]:
        """Move a few open targets at a time by way of the cells; gives those that their sums alone hold too tightly.

        Fewer at a time where no leaves fit, until one by itself cannot be moved either.
        """
        together, hard, certain = TOGETHER, np.zeros(len(self.wanted), dtype=bool), list[Opening]()
        while len(left := np.flatnonzero((self.points.width() < self.wanted) & ~hard)):
            some = self._rng.choice(left, min(together, len(left)), replace=False)
            found = cells.other(cells.withheld[some], self._amounts(some))
            if found is not None and self.knowledge.allows(found):
                self._take(found)
            closed = self.points.width()[left] >= self.wanted[left]
            together = min(TOGETHER, 2 * together) if closed.any() else together // 2
            if not together:
                together, one = 1, int(some[0])
                if not (held := self._held(cells, one)):
                    self._alone(cells, one)
                hard[one] = self.points.width()[one] < self.wanted[one]
                certain += held
        return certain

    def _alone(self, cells: Marginal, target: int) -> None:
        """Move a target by itself, in one of several ways."""
        up, down = self._ways(np.array([target]))
        down = np.where(self.points.value(target) >= down, -down, np.nan)
        found = cells.possible(cells.withheld[[target]], up, down, None, self.knowledge.allows)
        if found is not None:
            self._take(found)

    def _held(self, cells: Marginal, target: int) -> list[Opening]:
        """The target as an opening, if its sums with other cells hold it too tightly, whatever the leaves."""
        lower, upper = cells.limits(int(cells.withheld[target]))
        edges = inward(lower), -inward(-upper)
        return [Opening(target, *edges, exact=True)] if edges[1] - edges[0] < self.wanted[target] else []

    def _amounts(self, targets: Ints) -> Floats:
        """How far each target must move, up or down by chance, to be wide enough; down only where it can."""
        up, down = self._ways(targets)
        value = np.array([self.points.value(one) for one in targets])
        return np.asarray(np.where((self._rng.random(len(targets)) < 0.5) & (value >= down), -down, up))

    def _ways(self, targets: Ints) -> tuple[Floats, Floats]:
        """How far each target must move up, or else down, from the first point."""
        lower, upper = (edge[targets] for edge in self.points.reach())
        value = np.array([self.points.value(one) for one in targets])
        return lower + self.wanted[targets] - value, value - (upper - self.wanted[targets])

    def _open(self, insider: Insider | None) -> Ints:
        """The targets that are not wide enough yet."""
        short = self.points.width(insider) < self.wanted
        if insider is not None and insider.alone:
            short &= self._single != insider.leaf  # her own case: she knows it
        return np.flatnonzero(short)

    @cached_property
    def _single(self) -> Ints:
        """The leaf of each target that is a single leaf; −1 for the others."""
        alone = self._sizes == 1
        first = np.full(len(alone), -1, dtype=np.int64)
        first[alone] = self.targets.indices[self.targets.indptr[:-1][alone]]
        return first

    @cached_property
    def _sizes(self) -> Ints:
        """Leaves of each target."""
        return np.diff(self.targets.indptr)

    @cached_property
    def _across(self) -> csc_array | Floats:
        """The targets of each leaf."""
        sums = quickest(self.targets)
        return np.asarray(sums.T) if isinstance(sums, np.ndarray) else sums.T

    def _rounds(self, knowledge: Knowledge, insider: Insider | None, but: Collection[int] = ()) -> None:
        """Ask about all open targets together, each in a direction of its own, as long as that closes some."""
        for known in (self._near(knowledge), knowledge) if self.large else (knowledge,):
            left = np.setdiff1d(self._open(insider), list(but))
            if not len(left):
                return
            asked = [program(known, interior=self.large) for _ in range(2 if self.large else 1)]
            self._ask(asked, left.astype(np.int64), insider)

    def _ask(self, asked: Sequence[Program], left: Ints, insider: Insider | None) -> None:
        """Rounds of questions to the same programs."""
        for _ in range(ROUNDS if insider is None else INSIDER_ROUNDS):
            for x in _minima(asked, [self._direction(left) for _ in asked]):
                self._take(x)
            before, left = left, self._open(insider)
            if not len(left) or len(before) - len(left) < STALL * len(before):
                return

    def _near(self, knowledge: Knowledge) -> Knowledge:
        """With no leaf far above the truth: then a program raises many leaves enough instead of a few by much."""
        if not len(self.points):
            return knowledge
        first = next(iter(self.points))
        return knowledge.within(knowledge.least, first + self.wanted.max())

    def _direction(self, targets: Ints) -> Floats:
        """Costs that draw each target up or down, some more than others; up only where it has been at 0.

        Weights by chance, so that a program does not raise all a little where it can raise some enough.
        """
        weight = self._rng.exponential(size=len(targets)) / np.sqrt(self._sizes[targets])
        down = (self._rng.random(len(targets)) < 0.5) & (self.points.reach()[0][targets] > 0)
        times = np.zeros(self.targets.shape[0])
        times[targets] = np.where(down, weight, -weight)
        return np.asarray(self._across @ times)

    def _take(self, x: Floats) -> None:
        if self.whole:
            x = np.round(x)
            if not self.knowledge.allows(x):
                return
        self.points.add(x)

    def _settle(self, knowledge: Knowledge, insider: Insider | None) -> list[Opening]:
        """What remains open: as it looks, or asked one by one."""
        left = self._open(insider)
        if len(left) and self.exact and not self.large:
            return self._one_by_one(knowledge, left, insider)
        lower, upper = self.points.reach(insider)
        return [Opening(one, int(lower[one]), int(upper[one]), insider) for one in left.tolist()]

    def _one_by_one(self, knowledge: Knowledge, targets: Ints, insider: Insider | None) -> list[Opening]:
        """The targets that are truly too narrow: by their own limits."""
        found = []
        ask, exact = program(knowledge), None
        for target in targets.tolist():
            row, edges = dense_row(self.targets, target), []
            for sign in (1.0, -1.0):
                best = ask.minimise(sign * row)
                self._take(best.x)
                if self.whole and self.points.width(insider)[target] < self.wanted[target]:
                    exact = exact or program(knowledge, whole=True)
                    best = exact.minimise(sign * row)
                    self._take(best.x)
                edges.append(int(sign) * inward(best.value))
            if self.points.width(insider)[target] < self.wanted[target]:
                found.append(Opening(target, edges[0], edges[1], insider, exact=True))
                if self.brief and self._matter(found):
                    return found
        return found

    # -- insiders --------------------------------------------------------------------------------------------------

    def _insiders(self, insiders: Sequence[Insider]) -> list[Opening]:
        """The limits that each insider is left with."""
        if not insiders or not self.targets.shape[0]:
            return []
        if not self.whole:
            return self._together(insiders)
        found: list[Opening] = []
        for insider in insiders:
            if len(self._open(insider)):
                knowledge = self.knowledge.case(insider.leaf, alone=insider.alone)
                self._rounds(knowledge, insider)
                found += self._settle(knowledge, insider)
                if self.brief and self._matter(found):
                    return found
        return found

    def _together(self, insiders: Sequence[Insider]) -> list[Opening]:
        """The same where there are too many to ask of each by herself."""
        if not len(self.points):
            raise ValueError("insiders of large systems need the truth")
        found: list[Opening] = []
        work = Inside(self.knowledge, self.points, self.wanted, insiders, self._rng, self.enough)
        for one in work.openings():
            found.append(one)
            if self.brief and self._matter(found):
                break
        return found


def _minima(asked: Sequence[Program], costs: Sequence[Floats]) -> list[Floats]:
    """What each program is least at, side by side where there are several."""
    if len(asked) == 1:
        return [asked[0].minimise(costs[0]).x]
    with ThreadPoolExecutor(len(asked)) as pool:
        return [found.x for found in pool.map(Program.minimise, asked, costs)]
