"""Other counts that agree with all that is known, how far apart they lie in each target, and who may know more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.audit import slack
from safercities.disclose.knowledge import Ints, quickest
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
    _ends: tuple[Floats, Floats] | None = None
    _reach: tuple[Ints, Ints] | None = None

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[Floats]:
        return iter(self._leaves)

    def add(self, leaves: Floats) -> None:
        """One more point."""
        values = np.asarray(self._sums @ leaves)
        self._leaves.append(leaves)
        self._values.append(values)
        low, high = self._ends or (values, values)
        self._ends = np.minimum(low, values), np.maximum(high, values)
        self._stacked = self._reach = None

    @cached_property
    def _sums(self) -> csr_array | Floats:
        return quickest(self.targets)

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
        if self._ends is None:
            return self._nowhere()
        if insider is None:
            self._reach = self._reach or _between(*self._ends)
            return self._reach
        values = self._with_case(insider)
        return _between(values.min(axis=0), values.max(axis=0)) if len(values) else self._nowhere()

    def _nowhere(self) -> tuple[Ints, Ints]:
        return np.zeros(self.targets.shape[0], dtype=np.int64), np.full(self.targets.shape[0], -1)

    def _with_case(self, insider: Insider) -> Floats:
        """Target values of the points that agree with an insider: with one case in her leaf, or more."""
        leaves, values = self._all
        at = leaves[:, insider.leaf]
        fits = np.abs(at - 1) < TOLERANCE if insider.alone else at > 1 - TOLERANCE
        return values[fits]


def _between(low: Floats, high: Floats) -> tuple[Ints, Ints]:
    """The least and greatest whole numbers between limits that a solver found."""
    return np.ceil(low - slack(low)).astype(np.int64), np.floor(high + slack(high)).astype(np.int64)
