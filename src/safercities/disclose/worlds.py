"""Other counts that agree with all that is known, how far apart they lie in each target, and who may know more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.audit import slack
from safercities.disclose.knowledge import Ints
from safercities.disclose.solver import TOLERANCE, Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array


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
    """Counts that agree with the facts (each a point of the set of all such), and the target values of each."""

    targets: csr_array
    _leaves: list[Floats] = field(default_factory=list)
    _values: list[Floats] = field(default_factory=list)
    _stacked: tuple[Floats, Floats] | None = None

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[Floats]:
        return iter(self._leaves)

    def add(self, leaves: Floats) -> None:
        """One more point."""
        self._leaves.append(leaves)
        self._values.append(np.asarray(self.targets @ leaves))
        self._stacked = None

    def value(self, target: int) -> float:
        """Of the first point."""
        return float(self._values[0][target])

    @property
    def _all(self) -> tuple[Floats, Floats]:
        """Leaves and target values of all points, a row a point."""
        if self._stacked is None:
            self._stacked = np.array(self._leaves), np.array(self._values)
        return self._stacked

    def width(self, insider: Insider | None = None) -> Ints:
        """How far apart the points lie in each target, as whole numbers between them; −1 without a point."""
        lower, upper = self.reach(insider)
        return upper - lower

    def reach(self, insider: Insider | None = None) -> tuple[Ints, Ints]:
        """Least and greatest whole number in each target, of all points or those that agree with an insider."""
        if not self._leaves:
            values = np.zeros((0, self.targets.shape[0]))
        else:
            values = self._all[1] if insider is None else self._with_case(insider)
        if not len(values):
            return np.zeros(self.targets.shape[0], dtype=np.int64), np.full(self.targets.shape[0], -1)
        low, high = values.min(axis=0), values.max(axis=0)
        return np.ceil(low - slack(low)).astype(np.int64), np.floor(high + slack(high)).astype(np.int64)

    def _with_case(self, insider: Insider) -> Floats:
        """Target values of the points that agree with an insider: with one case in her leaf, or more."""
        leaves, values = self._all
        at = leaves[:, insider.leaf]
        fits = np.abs(at - 1) < TOLERANCE if insider.alone else at > 1 - TOLERANCE
        return values[fits]
