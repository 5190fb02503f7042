"""Boxes around the true cases and others of a survey's domains in which everything would be shown in the same way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.survey_attack import EXACT, Seen

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Pair = tuple[float, float]


#: Orders in which the sides of a box may grow: first and last x, first and last y.
ORDERS = (
    (0, 2, 1, 3),
    (1, 3, 0, 2),
    (2, 0, 3, 1),
    (3, 1, 2, 0),
    (0, 1, 2, 3),
    (2, 3, 0, 1),
    (1, 0, 3, 2),
    (3, 2, 1, 0),
)
#: Boxes by domain, order, n and whether it is withheld.
Made = dict[tuple[int, int, int, int, bool], tuple["Pair", "Pair"]]
#: How far others are sought that go with a given number of cases, in respondents.
REACH = 200


class Boxes:
    """Around the true x and y of each domain boxes in which every pair fits what is shown.

    Where the number of respondents is known exactly the box is that of x alone: y is then the rest. Of what is withheld
    the box is as far as it must be.

    Parameters
    ----------
    seen
        What is seen of the domains.
    truth
        True cases and others, (2, domains).
    width
        How far apart two worlds must be, (domains,).
    made
        Boxes that were made before, of the same truth: each depends on what is seen of its own domain only.

    Examples
    --------
    >>> one, none = np.array([60]), np.array([0])
    >>> seen = Seen("", one, one, np.array([0.25]), np.array([0.35]), none, none, none == 0, none == 1)
    >>> low, high = Boxes(seen, np.array([[18], [42]]), np.array([4])).around()
    >>> low.ravel().tolist(), high.ravel().tolist()
    ([15.0, 39.0], [21.0, 45.0])
    """

    def __init__(self, seen: Seen, truth: Integers, width: Integers, made: Made | None = None) -> None:
        self.seen, self.truth, self.width = seen, truth, np.asarray(width)
        self.made: Made = {} if made is None else made
        far = np.broadcast_to(self.width, truth.shape)
        self.low, self.high = np.maximum(truth - far, 0.0), (truth + far).astype(float)
        near = (seen.x_low > self.low[0]) | (seen.y_low > self.low[1]) | (seen.n_low > self.low.sum(axis=0))
        near |= seen.n_high < self.high.sum(axis=0)
        self.own = np.flatnonzero(~seen.withheld | (seen.n_low == seen.n_high) | near).tolist()

    def around(self, rng: np.random.Generator | None = None) -> tuple[Floats, Floats]:
        """Lower and upper ends of x and y, each of shape (2, domains); with a generator: grown in any order."""
        low, high = self.low.copy(), self.high.copy()
        which = [len(ORDERS)] * len(self.own) if rng is None else rng.integers(len(ORDERS), size=len(self.own)).tolist()
        for at, order in zip(self.own, which, strict=True):
            key = (at, order, int(self.seen.n_low[at]), int(self.seen.n_high[at]), bool(self.seen.withheld[at]))
            if key not in self.made:
                x, y = self.truth[:, at].tolist()
                self.made[key] = _Box(self.seen, at).around(x, y, int(self.width[at]), (*ORDERS, None)[order])
            low[:, at], high[:, at] = self.made[key]
        low[0, ~self.seen.cases], high[0, ~self.seen.cases] = 0, 0
        return low, high

    def moved(self, at: int, quantity: int, value: int) -> tuple[Pair, Pair] | None:
        """A box of one domain that holds a pair with so many x, y or n (0, 1, 2), near the truth; None: none fits."""
        if self.seen.withheld[at] or not self.seen.cases[at] or self.seen.n_low[at] == self.seen.n_high[at]:
            return None
        box = _Box(self.seen, at)
        x, y = self.truth[:, at].tolist()
        found = box.nearest(x, y, quantity, value)
        return None if found is None else box.around(*found, int(self.width[at]), None)


class _Box:
    """What is shown of one domain."""

    def __init__(self, seen: Seen, at: int) -> None:
        self.n_low, self.n_high = int(seen.n_low[at]), int(seen.n_high[at])
        self.x_low, self.y_low = max(int(seen.x_low[at]), 0), max(int(seen.y_low[at]), 0)
        self.x_high = self.n_high if seen.x_high is None else int(seen.x_high[at])
        self.y_high = self.n_high if seen.y_high is None else int(seen.y_high[at])
        self.share = float(seen.share_low[at]) - EXACT, float(seen.share_high[at]) + EXACT
        self.cases = bool(seen.cases[at])
        blank = seen.se_low is None or seen.se_high is None
        low, high = (0.0, np.inf) if blank else (float(seen.se_low[at]), float(seen.se_high[at]))  # type: ignore[index]
        self.square = (low * (1 - EXACT)) ** 2, (high * (1 + EXACT)) ** 2

    def around(self, x: int, y: int, width: int, order: Sequence[int] | None) -> tuple[Pair, Pair]:
        """Lower and upper ends of x and y; sides (first and last x, first and last y) grow in this order."""
        if self.n_low == self.n_high:
            return self._of_known(x, width)
        if not self.cases:
            return (0, max(self.n_low, y - width)), (0, min(self.n_high, y + width))
        edge = [x, x, y, y]
        rare, others = ((0, 1), (2, 3)) if 2 * x <= x + y else ((2, 3), (0, 1))
        for sides in (rare, others) if order is None else ((side,) for side in order):
            growing = list(sides)
            for _ in range(width):
                growing = [side for side in growing if self._grown(edge, side)]
                if not growing:
                    break
        return (edge[0], edge[2]), (edge[1], edge[3])

    def nearest(self, x: int, y: int, quantity: int, value: int) -> tuple[int, int] | None:
        """The pair with that x, y or n that fits and is nearest to the given one."""
        for away in range(REACH):
            for step in (away, -away):
                one = ((value, y + step), (x + step, value), (x + step, value - x - step))[quantity]
                if min(one) >= 0 and self._fits([one[0], one[0], one[1], one[1]]):
                    return one
        return None

    def _of_known(self, x: int, width: int) -> tuple[Pair, Pair]:
        """Of a known number of respondents."""
        if not self.cases:
            return (0, self.n_low), (0, self.n_low)
        edge = [x, x]
        for side, step in ((0, -1), (1, 1)):
            for _ in range(width):
                moved = edge[side] + step
                if not self._fits([moved, moved, self.n_low - moved, self.n_low - moved]):
                    break
                edge[side] = moved
        return (edge[0], self.n_low - edge[1]), (edge[1], self.n_low - edge[0])

    def _grown(self, edge: list[int], side: int) -> bool:
        """Make a box larger by one at one side, where all of it still fits."""
        moved = list(edge)
        moved[side] += 1 if side % 2 else -1
        if not self._fits(moved):
            return False
        edge[side] = moved[side]
        return True

    def _fits(self, edge: Sequence[int]) -> bool:
        first, last, few, many = edge
        if first < self.x_low or few < self.y_low or first + few < self.n_low or last + many > self.n_high:
            return False
        if last > self.x_high or many > self.y_high:
            return False
        if first < self.share[0] * (first + many) or last > self.share[1] * (last + few):
            return False
        return self._errs(first, last, few, many)

    def _errs(self, first: int, last: int, few: int, many: int) -> bool:
        """Whether the standard error of people drawn one by one is in its limits in all of a box.

        √(xy / n²(n − 1)) rises and falls once along each side: it is least in a corner. It is at most that of the share
        that is nearest a half, with as few respondents as there can be.
        """
        if self.square[1] == np.inf:
            return True
        if first + few < 2:
            return False
        corners = ((first, few), (first, many), (last, few), (last, many))
        least = min(x * y / ((x + y) ** 2 * (x + y - 1)) for x, y in corners)
        half = min(max(0.5, first / (first + many)), last / (last + few))
        most = half * (1 - half) / (first + few - 1)
        return least > self.square[0] and most <= self.square[1]
