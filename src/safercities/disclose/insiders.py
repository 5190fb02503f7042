"""Proof against insiders: other counts in which many of them at once find the case that they know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from safercities.disclose.audit import LARGE, inward, program, slack
from safercities.disclose.elimination import STILL, still
from safercities.disclose.knowledge import Ints, Knowledge
from safercities.disclose.solver import TOLERANCE, Floats, Infeasible, Mask, Program
from safercities.disclose.worlds import Insider, Opening, Points

#: Of how many open targets those are chosen that stand alike.
ALIKE = 200
#: Where one question closes less than this share of what it asked, the next asks for half as many targets.
STALL = 0.05
#: Pairs of a target and an insider that are held at a time.
PAIRS = 20_000_000
_FAR = 30_000


class Inside:
    """Looks for points until every target is wide enough for each insider.

    A point in which the cases that insiders know are where they are agrees with all of these insiders. So those for
    whom a target is open are held together when it is moved, but for the one who is alone in it; what cannot be moved
    so is asked for ever fewer of them, and for one insider at last. In the largest systems, where that would take
    hours, it is only asked what an insider can reckon by adding and taking away.

    Parameters
    ----------
    knowledge
        What anybody knows.
    points
        Those found so far, the truth first; more are added.
    wanted
        How many further values of each target must be possible, shape (targets,).
    everyone
        All insiders.
    rng
        Of the directions.
    enough
        Of each target: to know that it is so much or more is no opening. Default: it is.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        points: Points,
        wanted: Ints,
        everyone: Sequence[Insider],
        rng: np.random.Generator,
        enough: Ints | None = None,
    ) -> None:
        self.knowledge, self.points, self.wanted, self.everyone = knowledge, points, wanted, list(everyone)
        self.rng = rng
        self.leaf = np.array([one.leaf for one in everyone], dtype=np.int64)
        self.alone = np.array([one.alone for one in everyone], dtype=bool)
        self.truth = next(iter(points))
        self.value = np.rint(points.targets @ self.truth).astype(np.int64)
        self.enough = np.full(len(wanted), np.iinfo(np.int64).max) if enough is None else enough
        #: Targets and insiders who reckon them, but so large that this is no opening.
        self.harmless: list[tuple[int, int]] = []

    def openings(self) -> Iterator[Opening]:
        """The targets that are not wide enough for somebody; one insider a target."""
        sums = list(self._sums())
        if sums or self.knowledge.matrix.nnz > LARGE:
            yield from sums
            return
        size = max(1, PAIRS // max(1, len(self.wanted)))
        for start in range(0, len(self.everyone), size):
            yield from self._of(np.arange(start, min(start + size, len(self.everyone))))

    # -- what follows by adding and taking away --------------------------------------------------------------------

    def _sums(self) -> Iterator[Opening]:
        """Targets that are a sum of published numbers and one leaf: who knows that leaf knows them.

        Random changes that agree with all facts change the target and the leaf in one proportion, whatever the change.
        """
        facts = self.knowledge.lower == self.knowledge.upper
        changes = still(self.knowledge.matrix[np.flatnonzero(facts)], 3, self.rng)
        target, own = self.points.targets @ changes, changes[self.leaf]
        at = np.flatnonzero(np.abs(target).max(axis=1) > STILL)
        like, found = _directions(target[at]), set[int]()
        for number in np.flatnonzero(self.alone & (np.abs(own).max(axis=1) > STILL)).tolist():
            for one in at[like(own[number])].tolist():
                if self.value[one] >= self.enough[one]:
                    self.harmless.append((one, number))
                elif self.mine[one] != number and one not in found:
                    found.add(one)
                    yield Opening(one, int(self.value[one]), int(self.value[one]), self.everyone[number], exact=True)

    # -- other counts ----------------------------------------------------------------------------------------------

    def _of(self, who: Ints) -> Iterator[Opening]:
        """Openings of some insiders."""
        reach = _Reach(self, who)
        together = len(self.wanted)
        while len(left := np.flatnonzero(reach.left)):
            some, held = self._some(left, together, reach)
            before = int(reach.short(some).sum())
            self._seek(some, held, reach)
            if before - int(reach.settle(some).sum()) > STALL * before:
                together = min(len(self.wanted), 2 * together)
            elif together == 1:
                yield from self._hard(int(some[0]), reach)
            else:
                together = max(1, min(together, len(left)) // 2)

    def _some(self, left: Ints, together: int, reach: _Reach) -> tuple[Ints, Ints]:
        """Targets to move at once, open for much the same insiders; and these.

        Of those that are the only case of an insider half, so that the others are held.
        """
        some = self.rng.choice(left, min(max(together, ALIKE), len(left)), replace=False)
        short = reach.short(some)
        both = (short & short[0]).sum(axis=1) / np.maximum((short | short[0]).sum(axis=1), 1)
        some = some[np.argsort(-both, kind="stable")[:together]]
        kept = some[(self.mine[some] < 0) | (self.rng.random(len(some)) < 0.5)]
        return (kept if len(kept) else some[:1]), reach.still(int(some[0]))

    def _hard(self, target: int, reach: _Reach) -> Iterator[Opening]:
        """A target that cannot be moved together with others: for all who are left, for half of them, and so on."""
        waiting = [reach.still(target)]
        while waiting and len(group := waiting.pop()):
            self._seek(np.array([target]), group, reach)
            rest = np.intersect1d(group, reach.still(target))
            if len(rest) > 1:
                waiting += [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
            elif len(rest) and (opening := self._alone(target, int(rest[0]), reach)) is not None:
                reach.left[target] = False  # one insider is reason enough
                yield opening
                return
        reach.settle(np.array([target]))

    def _alone(self, target: int, number: int, reach: _Reach) -> Opening | None:
        """One target and one insider: the limits that she is left with."""
        insider, edges = self.everyone[number], []
        ask = program(self.knowledge.case(insider.leaf, alone=insider.alone))
        row = self.points.targets[[target]].toarray().ravel()
        for sign in (1.0, -1.0):
            best = ask.minimise(sign * row)
            self.points.add(best.x)
            reach.see(best.x, self.fits(best.x))
            edges.append(int(sign) * inward(best.value))
        if edges[0] >= self.enough[target]:
            reach.leave(target, number)
        if number not in reach.still(target):
            return None
        return Opening(target, edges[0], edges[1], insider, exact=True)

    def _seek(self, targets: Ints, who: Ints, reach: _Reach) -> None:
        """Move targets while insiders are held, but for those whose only case is a target."""
        held = np.setdiff1d(who, self.mine[targets])
        found = self._moved(targets, held)
        if found is not None and self.knowledge.allows(found):
            self.points.add(found)
            reach.see(found, self.fits(found))

    def fits(self, leaves: Floats) -> Mask:
        """Which insiders find what they know in a point."""
        known = leaves[self.leaf]
        return np.asarray((known > 1 - TOLERANCE) & (~self.alone | (known < 1 + TOLERANCE)))

    def _moved(self, targets: Ints, held: Ints) -> Floats | None:
        rows, (least, most) = self.points.targets[targets], self._limits
        least, most = least.copy(), most.copy()
        least[self.leaf[held]] = np.maximum(least[self.leaf[held]], 1)
        only = self.leaf[held[self.alone[held]]]
        most[only] = np.minimum(most[only], 1)
        self._program.limit(least, most)
        weight = self.rng.exponential(size=len(targets)) / np.sqrt(np.diff(rows.indptr))
        try:
            return self._program.minimise(rows.T @ (-self._signs(targets) * weight)).x
        except Infeasible:  # what all of them know together cannot be
            return None

    def _signs(self, targets: Ints) -> Ints:
        """Up or down by chance; up only where the count is too small to go down."""
        down = (self.rng.random(len(targets)) < 0.5) & (self.value[targets] >= self.wanted[targets])
        return np.where(down, -1, 1)

    @cached_property
    def _limits(self) -> tuple[Floats, Floats]:
        """Of the leaves: none far above the truth, so that many are raised enough instead of a few by much."""
        k = self.knowledge
        return k.least, np.minimum(k.most, self.truth + self.wanted.max(initial=1))

    @cached_property
    def _program(self) -> Program:
        return program(self.knowledge)

    @cached_property
    def mine(self) -> Ints:
        """Of each target that is a single leaf the insider who is alone in it, shape (targets,); −1 elsewhere."""
        at = np.full(self.knowledge.leaves, -1, dtype=np.int64)
        at[self.leaf[self.alone]] = np.flatnonzero(self.alone)
        rows = self.points.targets
        single = np.diff(rows.indptr) == 1
        found = np.full(rows.shape[0], -1, dtype=np.int64)
        found[single] = at[rows.indices[rows.indptr[:-1][single]]]
        return found


class _Reach:
    """How far apart the points of each insider lie in each target; of some insiders.

    Values are whole numbers, less those of the truth, shape (targets, insiders).
    """

    def __init__(self, work: Inside, who: Ints) -> None:
        self._work, self._who = work, who
        self._low = np.full((len(work.wanted), len(who)), _FAR, dtype=np.int16)
        self._high = np.full_like(self._low, -_FAR)
        self.left = np.ones(len(work.wanted), dtype=bool)
        for number, one in enumerate(work.points):
            self.see(one, work.fits(one), first=number == 0)
        for target, number in work.harmless:
            self.leave(target, number)
        self.settle(np.flatnonzero(self.left))

    def see(self, leaves: Floats, fits: Mask, *, first: bool = False) -> None:
        """Take note of a point that agrees with some of all insiders."""
        fits = fits[self._who]
        values = self._work.points.targets @ leaves
        low = np.clip(np.ceil(values - slack(values)) - self._work.value, -_FAR, _FAR).astype(np.int16)
        high = np.clip(np.floor(values + slack(values)) - self._work.value, -_FAR, _FAR).astype(np.int16)
        for at in _parts(np.flatnonzero(self.left & (first | (low < 0) | (high > 0))), len(self._who)):
            np.minimum(self._low[at], low[at, None], out=(now := self._low[at]), where=fits)
            self._low[at] = now
            np.maximum(self._high[at], high[at, None], out=(now := self._high[at]), where=fits)
            self._high[at] = now

    def short(self, targets: Ints) -> Mask:
        """For whom targets are not wide enough yet, shape (targets, insiders)."""
        width = self._high[targets].astype(np.int32) - self._low[targets]
        own = self._work.mine[targets][:, None] == self._who  # her own case: she knows it
        return np.asarray((width < self._work.wanted[targets][:, None]) & ~own)

    def leave(self, target: int, number: int) -> None:
        """Ask no more of a target for one insider."""
        self._low[target, self._who == number], self._high[target, self._who == number] = -_FAR, _FAR

    def settle(self, targets: Ints) -> Mask:
        """As `short`; those that are wide enough for everybody are left alone from now on."""
        found = [self.short(at) for at in _parts(targets, len(self._who))]
        short = np.concatenate([np.zeros((0, len(self._who)), dtype=bool), *found])
        self.left[targets[~short.any(axis=1)]] = False
        return short

    def still(self, target: int) -> Ints:
        """The insiders for whom a target is not wide enough yet."""
        return np.asarray(self._who[self.short(np.array([target]))[0]])


def _parts(rows: Ints, columns: int) -> list[Ints]:
    """Rows in parts of bounded size."""
    return np.array_split(rows, -(-len(rows) * max(columns, 1) // 1_000_000)) if len(rows) else []


def _directions(vectors: Floats) -> Callable[[Floats], Ints]:
    """Finds the vectors that point the same way as another one, or the opposite way."""
    from scipy.spatial import cKDTree

    def unit(rows: Floats) -> Floats:
        rows = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
        return np.asarray(rows * np.where(rows[..., :1] < 0, -1, 1))

    tree = cKDTree(unit(vectors)) if len(vectors) else None
    return lambda one: np.array(tree.query_ball_point(unit(one), 1e-4) if tree else [], dtype=np.int64)
