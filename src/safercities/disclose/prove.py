"""Proof that nothing is pinned down: other counts that agree with all that is known, far apart in every target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.audit import LARGE, inward, program, small
from safercities.disclose.knowledge import Ints, Knowledge
from safercities.disclose.solver import TOLERANCE, Floats, Program
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Rounds of questions to all open targets together, after which each is asked by itself, or called open.
ROUNDS = 14
#: Rounds end where the last one closed less than this share of the open targets.
STALL = 0.05


@dataclass(frozen=True)
class Insider:
    """Somebody who knows one case: its leaf, and whether she knows that it is the only one there."""

    leaf: int
    alone: bool = False


@dataclass(frozen=True)
class Opening:
    """A target that could not be shown to be wide enough: what an attacker concludes, and which one (None: anybody)."""

    target: int
    lower: int
    upper: int
    insider: Insider | None = None
    #: Whether these are the narrowest limits; otherwise the limits are those of the counts that were found so far.
    exact: bool = False


@dataclass
class Points:
    """Counts that agree with the facts (each a point of the set of all such), and the target values of each.

    The set is convex, unless only whole numbers count: what lies between two points belongs to it as well.
    """

    targets: csr_array
    whole: bool
    _leaves: list[Floats] = field(default_factory=list)
    _values: list[Floats] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[Floats]:
        return iter(self._leaves)

    def add(self, leaves: Floats) -> None:
        """One more point."""
        self._leaves.append(leaves)
        self._values.append(np.asarray(self.targets @ leaves))

    def width(self, insider: Insider | None = None) -> Ints:
        """How far apart the points lie in each target, as whole numbers between them; −1 without a point."""
        lower, upper = self.reach(insider)
        return upper - lower

    def reach(self, insider: Insider | None = None) -> tuple[Ints, Ints]:
        """Least and greatest whole number in each target, of all points or those that agree with an insider."""
        values = np.array(self._values) if insider is None else self._with_case(insider)
        if not len(values):
            return np.zeros(self.targets.shape[0], dtype=np.int64), np.full(self.targets.shape[0], -1)
        slack = TOLERANCE * np.maximum(1.0, np.abs(values).max(axis=0))
        low, high = np.ceil(values.min(axis=0) - slack), np.floor(values.max(axis=0) + slack)
        return low.astype(np.int64), high.astype(np.int64)

    def _with_case(self, insider: Insider) -> Floats:
        """Target values of the points that agree with an insider: with one case in her leaf, or more."""
        at = np.array([one[insider.leaf] for one in self._leaves])
        values = np.array(self._values)
        fits = np.abs(at - 1) < TOLERANCE if insider.alone else at > 1 - TOLERANCE
        if self.whole:
            return values[fits]
        above, below = np.flatnonzero(at > 1 + TOLERANCE), np.flatnonzero(at < 1 - TOLERANCE)
        up, down = np.repeat(above, len(below)), np.tile(below, len(above))
        share = ((1 - at[down]) / (at[up] - at[down]))[:, None]  # of the upper one, where exactly one case lies between
        return np.concatenate([values[fits], share * values[up] + (1 - share) * values[down]])


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
        Counts that are known to agree with everything known: of an earlier proof from more facts.
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
    ) -> None:
        self.exact = exact
        self.knowledge, self.targets, self.wanted = knowledge, targets.tocsr(), np.asarray(width)
        self.whole = small(knowledge) if whole is None else whole
        self.large = knowledge.matrix.nnz > LARGE
        self.points = Points(self.targets, self.whole)
        self._rng = np.random.default_rng(seed)
        if truth is not None:
            if not knowledge.allows(truth):
                raise SafercitiesError(problem("attack-contradiction"))
            self.points.add(truth.astype(float))
        for one in points:
            self.points.add(one)

    def openings(self, insiders: Sequence[Insider] = ()) -> list[Opening]:
        """The targets that are not wide enough for anybody, or else those that are not for some insider."""
        found = self._anybody()
        return found or self._insiders(insiders)

    # -- anybody ---------------------------------------------------------------------------------------------------

    def _anybody(self) -> list[Opening]:
        if not self.targets.shape[0]:
            return []
        self._rounds(self.knowledge, None)
        return self._settle(self.knowledge, None)

    def _open(self, insider: Insider | None) -> Ints:
        """The targets that are not wide enough yet."""
        return np.flatnonzero(self.points.width(insider) < self.wanted)

    def _rounds(self, knowledge: Knowledge, insider: Insider | None) -> None:
        """Ask about all open targets together, each in a direction of its own, as long as that closes some."""
        left = self._open(insider)
        ask = program(knowledge, interior=self.large) if len(left) else None
        for _ in range(ROUNDS):
            if ask is None or not len(left):
                return
            self._take(ask.minimise(self._direction(left)).x)
            before, left = left, self._open(insider)
            if len(before) - len(left) < STALL * len(before):
                return

    def _direction(self, targets: Ints) -> Floats:
        return np.asarray(self.targets[targets].T @ self._rng.choice([-1.0, 1.0], size=len(targets)))

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
        ask, exact = program(knowledge), program(knowledge, whole=True) if self.whole else None
        for target in targets.tolist():
            row, edges = self.targets[[target]].toarray().ravel(), []
            for sign in (1.0, -1.0):
                best = ask.minimise(sign * row)
                self._take(best.x)
                if exact is not None and self.points.width(insider)[target] < self.wanted[target]:
                    best = exact.minimise(sign * row)
                    self._take(best.x)
                edges.append(int(sign) * inward(best.value))
            if self.points.width(insider)[target] < self.wanted[target]:
                found.append(Opening(target, edges[0], edges[1], insider, exact=True))
        return found

    # -- insiders --------------------------------------------------------------------------------------------------

    def _insiders(self, insiders: Sequence[Insider]) -> list[Opening]:
        """Those of each insider; in a large system after a few more points that serve many of them at once."""
        if self.large:
            self._together(insiders)
        found: list[Opening] = []
        for insider in insiders:
            if not len(self._open(insider)):
                continue
            knowledge = self.knowledge.case(insider.leaf, alone=insider.alone)
            if not self.large:
                self._rounds(knowledge, insider)
            found += self._settle(knowledge, insider)
        return found

    def _together(self, insiders: Sequence[Insider]) -> None:
        """Points for the targets that are open for the most insiders."""
        ask: Program | None = None
        for _ in range(ROUNDS):
            often = np.zeros(len(self.wanted), dtype=np.int64)
            for one in insiders:
                often[self._open(one)] += 1
            left = np.flatnonzero(often)
            if not len(left):
                return
            ask = ask or program(self.knowledge, interior=True)
            self._take(ask.minimise(self._direction(left)).x)
