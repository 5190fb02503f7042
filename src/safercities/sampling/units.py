"""The sampling units of a design: which PSU in which stratum, further stages, how many were drawn of how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import SafercitiesError, problem
from safercities.sampling.spec import Lonely

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Shares of the population that were not drawn below this count as none: the stage adds no variance.
NOTHING_LEFT = 1e-7
#: Cells of a matrix domains × units that are worked on at a time: they stay in the cache.
BLOCK = 1 << 15


@dataclass(frozen=True)
class Stage:
    """One stage of sampling: its units, in groups (strata at the first stage, parent units at later ones).

    Parameters
    ----------
    starts
        Where each of its units starts among the finest units; shape (units of this stage,).
    groups
        Where each group starts among the units of this stage; shape (groups,).
    drawn
        Units drawn in each group; shape (groups,).
    scale
        What the squared deviations of each group's units are multiplied by; shape (groups,).
    left
        Share of each group's units in the population that was not drawn; shape (groups,).
    lonely
        Groups of one unit whose variance cannot be seen.
    """

    starts: Ints
    groups: Ints
    drawn: Ints
    scale: Floats
    left: Floats
    lonely: NDArray[np.bool_]

    @cached_property
    def group_of(self) -> Ints:
        """Group of each unit of this stage."""
        return np.repeat(np.arange(len(self.drawn)), self.drawn)


@dataclass(frozen=True)
class Units:
    """All sampling units of a design, in the order of its strata.

    Parameters
    ----------
    stages
        One or more; the finest units are those of the last.
    rule
        What stands in for the variance of a stratum with one PSU.
    strata
        Name of each stratum.
    """

    stages: tuple[Stage, ...]
    rule: Lonely
    strata: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of finest units."""
        return len(self.stages[-1].starts)

    @property
    def psus(self) -> int:
        """Number of primary sampling units."""
        return len(self.stages[0].starts)

    @property
    def df(self) -> int:
        """Degrees of freedom of the whole design: PSUs less strata."""
        return self.psus - len(self.strata)

    @property
    def psu_of(self) -> Ints:
        """PSU of each finest unit."""
        starts = self.stages[0].starts
        return np.repeat(np.arange(len(starts)), np.diff([*starts.tolist(), self.size]))

    def covariance(self, influence: Floats, members: Floats) -> Floats:
        """Covariance matrix of statistics from their influence, added up by finest unit.

        Parameters
        ----------
        influence
            Σ w·z of each finest unit, z being the linearised variable; shape (statistics, units).
        members
            Totals of positive weights: not 0 where a unit has members of any of the domains; shape (units,).

        Returns
        -------
        Floats
            Shape (statistics, statistics).
        """
        total = np.zeros((len(influence),) * 2)
        for stage in self.stages:
            deviations = self._deviations(self._at(influence, stage), stage)
            total += deviations @ deviations.T * self._factor(members[None, :], stage)
        return total

    def deviations(self, influence: Floats, members: Floats) -> Floats:
        """Deviations of each PSU from its stratum, scaled: products of theirs add up to the first stage's covariance.

        Parameters
        ----------
        influence, members
            As in `covariance`, but members of each statistic; shapes (statistics, units).

        Returns
        -------
        Floats
            Shape (statistics, PSUs).
        """
        stage = self.stages[0]
        factor = np.sqrt(self._factor(members, stage))
        return np.asarray(self._deviations(self._at(influence, stage), stage) * np.reshape(factor, (-1, 1)))

    def variances(
        self, totals: Floats, members: Floats, value: Floats | None = None, below: Floats | None = None
    ) -> Floats:
        """Variance of each statistic from its influence, added up by finest unit.

        Parameters
        ----------
        totals
            Σ w·z of each finest unit; shape (statistics, units).
        members
            Totals of positive weights: not 0 where a unit has members of the statistic's domain; same shape.
        value, below
            Where given, the influence is totals − value·below; shapes (statistics,) and as `totals`.

        Returns
        -------
        Floats
            Shape (statistics,).
        """
        result = np.zeros(len(totals))
        step = max(1, BLOCK // max(self.size, 1))
        for first in range(0, len(totals), step):  # some statistics at a time: they stay in the cache
            at = slice(first, first + step)
            z = totals[at]
            if value is not None and below is not None:
                z = z - value[at, None] * below[at]
            for stage in self.stages:
                deviations = self._deviations(self._at(z, stage), stage)
                result[at] += np.einsum("du,du->d", deviations, deviations) * self._factor(members[at], stage)
        return result

    def _at(self, z: Floats, stage: Stage) -> Floats:
        """Sums of the finest units by unit of a stage."""
        return z if stage is self.stages[-1] else np.add.reduceat(z, stage.starts, axis=1)

    def _deviations(self, z: Floats, stage: Stage) -> Floats:
        """Deviations from the mean of their group, scaled so that their squares add up to the variance."""
        drawn, root = stage.drawn, np.sqrt(stage.scale)
        if len(drawn) == 1 or (drawn == drawn[0]).all():
            split = z.reshape(len(z), len(drawn), -1)
            mean = split.mean(axis=2, keepdims=True)
            if self.rule == "adjust":
                mean[:, stage.lonely] = 0  # deviations from the mean of all, which is 0 for residuals
            return np.asarray(((split - mean) * root[:, None]).reshape(z.shape))
        mean = np.add.reduceat(z, stage.groups, axis=1) / drawn
        if self.rule == "adjust":
            mean[:, stage.lonely] = 0
        return np.asarray((z - mean[:, stage.group_of]) * root[stage.group_of])

    def _factor(self, members: Floats, stage: Stage) -> Floats | float:
        """What the variance is multiplied by, so that lonely groups get the average of the others."""
        if self.rule != "average" or not stage.lonely.any():
            return 1.0
        there = np.logical_or.reduceat(np.logical_or.reduceat(members != 0, stage.starts, axis=1), stage.groups, axis=1)
        return averaged(there, stage)


def averaged(present: NDArray[np.bool_], stage: Stage) -> Floats:
    """What the variance of the other strata is multiplied by, so that lonely ones get their average; shape (domains,).

    Parameters
    ----------
    present
        Whether a domain has members in each group; shape (domains, groups).
    """
    some = present.sum(axis=1).astype(float)
    lonely = (present & stage.lonely).sum(axis=1)
    seen = some - lonely
    return np.asarray(np.divide(some, seen, out=np.full(len(some), np.nan), where=seen > 0))


def make_units(
    ids: Sequence[Ints],
    sizes: Sequence[Floats | None],
    names: Sequence[str],
    rule: Lonely,
    *,
    file: str = "",
    column: str = "",
) -> tuple[Units, Ints, Ints]:
    """The units of a design from one row a respondent.

    Parameters
    ----------
    ids
        Codes of the stratum, the PSU and the unit at each further stage, each within its parent; shape (n,) each.
    sizes
        For each stage (PSU first) the population's number of units in the group of each row, or the share of them that
        was drawn (≤ 1); None where unknown: drawn with replacement.
    names
        Name of each stratum, by its code.
    rule
        What to do with a stratum of one PSU.
    file, column
        Where the strata stand: for messages.

    Returns
    -------
    Units, order, unit
        The units; the order that sorts the rows by unit; the finest unit of each row in that order.

    Raises
    ------
    SafercitiesError
        If a stratum has one PSU and the rule is `fail`, a population is smaller than its sample, or differs in a group.
    """
    order = _order(ids)
    ordered = [one[order] for one in ids]
    new = [_new(ordered[: depth + 1]) for depth in range(len(ids))]
    finest = np.cumsum(new[-1]) - 1
    stages = []
    carry = np.ones(int(new[0].sum()))
    for depth in range(1, len(ids)):
        size = sizes[depth - 1]
        stage, carry = _stage(
            new, depth, finest, None if size is None else size[order], carry, names, rule, (file, column)
        )
        stages.append(stage)
    units = Units(tuple(stages), rule, tuple(names))
    return units, order, finest


def _order(ids: Sequence[Ints]) -> Ints:
    """The order that sorts rows by all ids; the first id leads."""
    key = np.zeros(len(ids[0]), dtype=np.int64)
    for one in ids:
        span = int(one.max(initial=0)) + 1
        if int(key.max(initial=0)) > (2**62) // span:
            return np.lexsort(tuple(reversed(ids)))
        key = key * span + one
    if len(key) < 2 or bool(np.all(key[1:] >= key[:-1])):
        return np.arange(len(key))
    return np.argsort(key, kind="stable")


def _new(ids: Sequence[Ints]) -> NDArray[np.bool_]:
    """Where a new unit begins among sorted rows."""
    first = np.zeros(len(ids[0]), dtype=bool)
    first[:1] = True
    for one in ids:
        first[1:] |= one[1:] != one[:-1]
    return first


def _stage(
    new: Sequence[NDArray[np.bool_]],
    depth: int,
    finest: Ints,
    size: Floats | None,
    carry: Floats,
    names: Sequence[str],
    rule: Lonely,
    where: tuple[str, str],
) -> tuple[Stage, Floats]:
    """One stage, and the share drawn so far of each of its units. `where`: file and column of the strata."""
    file, column = where
    rows = np.flatnonzero(new[depth])  # first row of each unit of this stage
    group = (np.cumsum(new[depth - 1]) - 1)[rows]
    drawn = np.bincount(group)
    groups = np.flatnonzero(np.diff(group, prepend=-1))
    left = np.ones(len(drawn))
    share = np.ones(len(drawn))
    if size is not None:
        size = _population(size, new[depth - 1], drawn, np.cumsum(new[0])[np.flatnonzero(new[depth - 1])], names, file)
        left = 1 - drawn / size
        share = drawn / size
    left = np.where(left < NOTHING_LEFT, 0, left)
    lonely = (drawn == 1) & (left * carry > 0)
    if lonely.any() and rule == "fail":
        first = int(np.flatnonzero(lonely)[0])
        name = names[int(np.cumsum(new[0])[np.flatnonzero(new[depth - 1])][first]) - 1]
        said: dict[str, Any] = {"stratum": name, "strata": int(lonely.sum()), "stage": depth}
        code = "survey-lonely-psu" if depth == 1 else "survey-lonely-unit"
        raise SafercitiesError(problem(code, file=file, column=column, **said))
    usual = np.divide(drawn, drawn - 1, out=np.ones(len(drawn)), where=drawn > 1)
    scale = carry * left * np.where(lonely & (rule != "adjust"), 0, usual)
    starts = finest[rows]
    return Stage(starts, groups, drawn, scale, left, lonely), np.repeat(carry * share, drawn)


def _population(
    size: Floats, new: NDArray[np.bool_], drawn: Ints, stratum: NDArray[Any], names: Sequence[str], file: str
) -> Floats:
    """Units in the population of each group, from sizes or shares given row by row."""
    first = np.flatnonzero(new)
    low, high = np.minimum.reduceat(size, first), np.maximum.reduceat(size, first)
    if wrong := np.flatnonzero(~(low == high) | ~(low > 0)).tolist():
        name = names[int(stratum[wrong[0]]) - 1]
        raise SafercitiesError(
            problem("survey-fpc-differs", file=file, stratum=name, low=low[wrong[0]], high=high[wrong[0]])
        )
    shares = (low < 1) | ((low == 1) & (drawn > 1))
    population = np.where(shares, drawn / low, low)
    if wrong := np.flatnonzero(population < drawn * (1 - 1e-12)).tolist():
        name = names[int(stratum[wrong[0]]) - 1]
        raise SafercitiesError(
            problem(
                "survey-fpc-small",
                file=file,
                stratum=name,
                size=f"{population[wrong[0]]:g}",
                drawn=int(drawn[wrong[0]]),
            )
        )
    return population
