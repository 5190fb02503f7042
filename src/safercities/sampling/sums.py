"""The small table: totals of each variable by sampling unit and domain, for every breakdown, in one pass over rows.

A *domain* is one cell of a breakdown. Its totals stand in a matrix domains × units while that is not much larger than
the rows (`Dense`), else in a list of the pairs that occur (`Sparse`). Units without members of a domain count as zeros
of the full design in both.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import UsageError, problem
from safercities.sampling.units import Floats, Ints, Stage, Units

#: A matrix of domains × units may have so many cells a row of data, before the list of pairs is smaller and faster.
DENSE = 4
#: Most rows of estimates that are made at once, and most domains of one breakdown: 2 to 3 GB.
MOST_DOMAINS = 1 << 22


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable to add up, with its weights: Σ w·x over rows.

    Parameters
    ----------
    name
        What it is; the same name means the same variable.
    rows
        Positions of the rows that count, None for all.
    values
        w·x of these rows.
    """

    name: str
    rows: Ints | None
    values: Floats


@dataclass(frozen=True)
class Axis:
    """One dimension: the code of each row (a small integer), and what the codes mean."""

    name: str
    codes: NDArray[np.integer]
    labels: tuple[str, ...]


@dataclass(eq=False)
class Cells(ABC):
    """The domains of one breakdown; how their totals are held is for `Dense` and `Sparse` to say.

    Parameters
    ----------
    units, unit
        The sampling units, and the unit of each row.
    axes
        Dimensions of the breakdown; none: one domain, everybody.
    parent
        A breakdown by these and more dimensions, whose matrix this one's is added up from.
    """

    units: Units
    unit: Ints
    axes: tuple[Axis, ...]
    parent: Cells | None = None
    _kept: dict[str, Floats] = field(default_factory=dict)
    _present: dict[str, tuple[Ints, Ints, NDArray[np.bool_]]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of codes of each dimension."""
        return tuple(len(axis.labels) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of domains."""
        return math.prod(self.shape)

    @cached_property
    def domain(self) -> NDArray[Any]:
        """Domain of each row."""
        at: NDArray[Any] = np.zeros(len(self.unit), dtype=np.int16 if self.size < 2**15 else np.int64)
        for axis in self.axes:
            at *= len(axis.labels)
            at += axis.codes
        return at

    def codes(self) -> list[Ints]:
        """Code of each domain along each dimension."""
        return (
            [part.astype(np.int64) for part in np.unravel_index(np.arange(self.size), self.shape)] if self.axes else []
        )

    def forget(self, *names: str) -> None:
        """Let go of the totals of variables that are not needed again."""
        for name in names:
            self._kept.pop(f"unit/{name}", None)

    def _keep(self, key: str, make: Callable[[], Floats]) -> Floats:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _from_parent(self, matrix: Floats) -> Floats:
        """Sums over the dimensions that only the parent has; the first axis is the parent's domains."""
        assert self.parent is not None  # noqa: S101 - callers check
        gone = tuple(number for number, name in enumerate(self.parent.names) if name not in self.names)
        rest = matrix.shape[1:]
        summed = matrix.reshape(*self.parent.shape, *rest).sum(axis=gone)
        left = [name for name in self.parent.names if name in self.names]
        ordered = [left.index(name) for name in self.names]
        return np.asarray(summed.transpose(*ordered, *range(len(left), summed.ndim)).reshape(self.size, *rest))

    def by_domain(self, name: str, rows: Ints | None, values: Floats | None) -> Floats:
        """Sums over the rows of each domain; without values: how many rows. Shape (domains,)."""

        def make() -> Floats:
            if self.parent is not None:
                return self._from_parent(self.parent.by_domain(name, rows, values))
            domain = self.domain if rows is None else self.domain[rows]
            return np.bincount(domain, weights=values, minlength=self.size).astype(np.float64)

        return self._keep(f"domain/{name}", make)

    def present(self, variable: Variable) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """PSUs and strata in which a total of positive weights is not 0, and whether a lonely stratum is among them."""
        if variable.name not in self._present:
            self._present[variable.name] = self._find_present(self.totals(variable))
        return self._present[variable.name]

    @abstractmethod
    def totals(self, variable: Variable) -> Floats:
        """Totals by unit and domain."""

    @abstractmethod
    def sum(self, totals: Floats) -> Floats:
        """Totals over all units; shape (domains,)."""

    @abstractmethod
    def variance(
        self, totals: Floats, members: Floats, value: Floats | None = None, below: Floats | None = None
    ) -> Floats:
        """Variance of each domain's statistic; shape (domains,).

        Its influence is `totals`, or totals − value·below (`value` one a domain). `members` are totals of positive
        weights: not 0 where a unit has members of the domain.
        """

    @abstractmethod
    def _find_present(self, totals: Floats) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """What `present` keeps."""

    @abstractmethod
    def columns(self, totals: Floats, domains: Ints) -> Floats:
        """Totals of some domains as a matrix; shape (len(domains), units)."""


class Dense(Cells):
    """Totals as a matrix of domains × units: sums over domains, and over the units of a group, run along memory."""

    @cached_property
    def _key(self) -> Ints:
        key = self.domain * np.int64(self.units.size)
        key += self.unit
        return key

    def totals(self, variable: Variable) -> Floats:
        """Totals by unit and domain; shape (domains, units)."""

        def make() -> Floats:
            if isinstance(self.parent, Dense):
                return self._from_parent(self.parent.totals(variable))
            key = self._key if variable.rows is None else self._key[variable.rows]
            flat = np.bincount(key, weights=variable.values, minlength=self.units.size * self.size)
            return np.asarray(flat.reshape(self.size, self.units.size), dtype=np.float64)

        return self._keep(f"unit/{variable.name}", make)

    def sum(self, totals: Floats) -> Floats:
        return np.asarray(totals.sum(axis=1))

    def variance(
        self, totals: Floats, members: Floats, value: Floats | None = None, below: Floats | None = None
    ) -> Floats:
        return self.units.variances(totals, members, value, below)

    def _find_present(self, totals: Floats) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        first = self.units.stages[0]
        some = totals != 0
        psus = np.logical_or.reduceat(some, first.starts, axis=1) if len(self.units.stages) > 1 else some
        strata = np.logical_or.reduceat(psus, first.groups, axis=1)
        return psus.sum(axis=1), strata.sum(axis=1), np.asarray(strata[:, first.lonely].any(axis=1))

    def columns(self, totals: Floats, domains: Ints) -> Floats:
        return totals[domains]


class Sparse(Cells):
    """Totals as a list of the pairs of unit and domain that occur, in the order of domain, then unit."""

    @cached_property
    def _pairs(self) -> tuple[Ints, Ints, Ints]:
        """Unit and domain of each pair, and the pair of each row."""
        key = self.domain.astype(np.int64) * self.units.size + self.unit
        found, pair = np.unique(key, return_inverse=True)
        return found % self.units.size, found // self.units.size, pair

    def totals(self, variable: Variable) -> Floats:
        """Totals by pair; shape (pairs,)."""

        def make() -> Floats:
            pair = self._pairs[2] if variable.rows is None else self._pairs[2][variable.rows]
            sums = np.bincount(pair, weights=variable.values, minlength=len(self._pairs[0]))
            return np.asarray(sums, dtype=np.float64)

        return self._keep(f"unit/{variable.name}", make)

    def sum(self, totals: Floats) -> Floats:
        return np.asarray(np.bincount(self._pairs[1], weights=totals, minlength=self.size), dtype=np.float64)

    @cached_property
    def _stage_pairs(self) -> list[tuple[Ints, Ints, Ints, Ints, Ints]]:
        """For each stage: pairs of its units and domains (starts), their groups, and pairs of group and domain."""
        found = []
        for stage in self.units.stages:
            unit = np.searchsorted(stage.starts, self._pairs[0], side="right") - 1
            starts = _starts(self._pairs[1], unit)
            unit, domain = unit[starts], self._pairs[1][starts]
            group = stage.group_of[unit]
            tops = _starts(domain, group)
            found.append((starts, group, domain, tops, np.diff([*tops.tolist(), len(group)])))
        return found

    def variance(
        self, totals: Floats, members: Floats, value: Floats | None = None, below: Floats | None = None
    ) -> Floats:
        influence = totals if value is None or below is None else totals - value[self._pairs[1]] * below
        total = np.zeros(self.size)
        for stage, (starts, group, domain, tops, filled) in zip(self.units.stages, self._stage_pairs, strict=True):
            z = influence if len(starts) == len(influence) else np.add.reduceat(influence, starts)
            top, its_domain = group[tops], domain[tops]
            mean = np.add.reduceat(z, tops) / stage.drawn[top] if len(tops) else np.zeros(0)
            if self.units.rule == "adjust":
                mean = np.where(stage.lonely[top], 0, mean)
            squares = (z - np.repeat(mean, filled)) ** 2
            inside = np.add.reduceat(squares, tops) if len(tops) else np.zeros(0)
            # units of the group without members of the domain are zeros: they lie one mean away
            whole = inside + (stage.drawn[top] - filled) * mean**2
            sums = np.bincount(its_domain, weights=whole * stage.scale[top], minlength=self.size)
            part = np.asarray(sums, dtype=np.float64)
            if self.units.rule == "average" and stage.lonely.any():
                some = np.logical_or.reduceat(np.logical_or.reduceat(members != 0, starts), tops)
                part = part * self._averaged(top, its_domain, some, stage)
            total += part
        return total

    def _averaged(self, top: Ints, domain: Ints, some: NDArray[np.bool_], stage: Stage) -> Floats:
        groups = np.bincount(domain[some], minlength=self.size).astype(float)
        lonely = np.bincount(domain[some & stage.lonely[top]], minlength=self.size)
        seen = groups - lonely
        return np.asarray(np.divide(groups, seen, out=np.full(self.size, np.nan), where=seen > 0))

    def _find_present(self, totals: Floats) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        first = self.units.stages[0]
        starts, group, domain, tops, _ = self._stage_pairs[0]
        psu = np.logical_or.reduceat(totals != 0, starts) if len(totals) else np.zeros(0, dtype=bool)
        stratum = np.logical_or.reduceat(psu, tops) if len(tops) else np.zeros(0, dtype=bool)
        top, its_domain = group[tops], domain[tops]
        lonely = np.bincount(its_domain[stratum & first.lonely[top]], minlength=self.size) > 0
        psus = np.bincount(domain[psu], minlength=self.size)
        return psus, np.bincount(its_domain[stratum], minlength=self.size), lonely

    def columns(self, totals: Floats, domains: Ints) -> Floats:
        matrix = np.zeros((len(domains), self.units.size))
        unit, domain, _ = self._pairs
        first, last = (np.searchsorted(domain, domains, side) for side in ("left", "right"))
        for number, (start, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            matrix[number, unit[start:end]] = totals[start:end]
        return matrix


def _starts(*sorted_keys: Ints) -> Ints:
    """Where a new combination of keys begins, in a list sorted by them."""
    new = np.ones(len(sorted_keys[0]), dtype=bool)
    if len(new) > 1:
        new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in sorted_keys])
    return np.flatnonzero(new)


def make_cells(units: Units, unit: Ints, axes: Sequence[Axis]) -> Cells:
    """The domains of a breakdown, in whichever form is smaller."""
    size = math.prod(len(axis.labels) for axis in axes)
    check_domains([axis.name for axis in axes], size)
    dense = units.size * size <= max(DENSE * len(unit), 1 << 16)
    return (Dense if dense else Sparse)(units, unit, tuple(axes))


def check_domains(names: Sequence[str], size: int, rows: int = 0) -> None:
    """Refuse what no memory could hold.

    Parameters
    ----------
    size
        Domains of the (largest) breakdown, by `names`.
    rows
        Rows of all breakdowns and outcomes together.

    Raises
    ------
    UsageError
        If there are more than `MOST_DOMAINS`.
    """
    rows = max(rows, size)
    if rows > MOST_DOMAINS:
        by = " × ".join(names) or "everybody"
        most = f"{MOST_DOMAINS:,}"
        raise UsageError(problem("survey-domains-many", number=f"{rows:,}", names=by, groups=f"{size:,}", most=most))


@dataclass(frozen=True)
class Family:
    """Breakdowns whose totals are added up from those of one breakdown by all of their dimensions."""

    head: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]


def families(combinations: Sequence[tuple[str, ...]], sizes: dict[str, int], most: int) -> list[Family]:
    """Breakdowns in families, so that the rows are gone over once a family.

    Parameters
    ----------
    sizes
        Number of codes of each dimension.
    most
        Breakdowns are joined while the joint one has no more domains than this.

    Examples
    --------
    >>> for one in families([(), ("sex",), ("sex", "age"), ("income",)], {"sex": 2, "age": 6, "income": 5}, 20):
    ...     print(one.head, one.members)
    ('sex', 'age') (('sex',), ('sex', 'age'))
    ('income',) ((), ('income',))
    """

    def domains(names: Iterable[str]) -> int:
        return math.prod(sizes[name] for name in names)

    heads: list[tuple[str, ...]] = []
    for one in sorted(combinations, key=lambda names: (-domains(names), names)):
        if any(set(one) <= set(head) for head in heads):
            continue
        joint = [tuple(dict.fromkeys([*head, *one])) for head in heads]
        growth = [domains(names) - domains(head) for names, head in zip(joint, heads, strict=True)]
        fits = [number for number, names in enumerate(joint) if domains(names) <= most]
        if fits:
            best = min(fits, key=growth.__getitem__)
            heads[best] = joint[best]
        else:
            heads.append(one)
    members: dict[tuple[str, ...], list[tuple[str, ...]]] = {head: [] for head in heads}
    for one in combinations:
        members[min((head for head in heads if set(one) <= set(head)), key=domains)].append(one)
    return [Family(head, tuple(its)) for head, its in members.items()]
