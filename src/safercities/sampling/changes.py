"""Changes from one sample to the next: each with its own design, tied by the sampling units that both have.

Each sample's variance is its own. The covariance is made of the PSUs that both have: the products of their deviations
from the mean of their stratum in either sample, as in Tam (1984) and Qualité and Tillé (2008). Where both samples have
the same PSUs this is the variance of the stacked sample; where they share none the covariance is 0. In between it is
rather too near to 0 (the means are those of all PSUs of a sample), and never more than both variances allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from safercities.model.errors import UsageError, problem
from safercities.sampling.contrasts import MOST, Contrast, _labels, _limits, compare
from safercities.sampling.design import Design
from safercities.sampling.estimators import estimate, influences
from safercities.sampling.statistics import Statistic
from safercities.sampling.units import Floats, Ints, Units

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Side:
    """One of two samples, and what is estimated with it.

    Parameters
    ----------
    codes
        What tells it from the other, as {"period": "2023"}.
    design, statistic
        The sample, and the numbers to add up in it.
    psus
        Position of each PSU by its name, stratum included: of the same name on the other side is the same PSU. Those
        that no other sample can have are left out.
    """

    codes: Mapping[str, str]
    design: Design
    statistic: Statistic
    psus: Mapping[str, int]


def changes(after: Side, before: Side, by: Sequence[str], level: float) -> list[Contrast]:
    """Each group of one sample against the same group of the one before; groups of which both have respondents.

    With replicate weights the covariance is 0: nobody says whether the replicates of both samples belong together.

    Parameters
    ----------
    by
        Dimensions of the groups, which both samples have; none: everybody.
    level
        Confidence level.

    Raises
    ------
    UsageError
        If there are too many groups to compare at once.

    Examples
    --------
    >>> from safercities.sampling.design import survey
    >>> def side(year, robbed):
    ...     people = {"area": ["a", "a", "b", "b"] * 2, "block": [1, 2, 3, 4] * 2, "robbed": robbed}
    ...     design = survey(people, strata="area", psu="block")
    ...     (statistic,) = design.statistics("proportion", "robbed")
    ...     return Side({"year": year}, design, statistic, {"block 1": 0, "block 2": 1, "block 3": 2, "block 4": 3})
    >>> (made,) = changes(side("2024", [0, 1, 0, 1, 0, 1, 0, 0]), side("2023", [1, 1, 0, 1, 0, 1, 0, 1]), [], 0.95)
    >>> made.one, made.difference, round(made.difference_se, 3), round(made.covariance, 3), made.df
    ({'year': '2024'}, -0.25, 0.177, 0.063, 2.0)
    """
    sides = [_Sample(side, by) for side in (after, before)]
    labels = [label for label in sides[0].there if label in sides[1].there]
    if len(labels) * max(one.units.size for one in sides) > MOST:
        raise UsageError(problem("survey-contrasts-many", groups=len(labels), pairs=len(labels)))
    if not labels:
        return []
    common = sorted((after.psus[name], before.psus[name]) for name in after.psus.keys() & before.psus.keys())
    pairs = np.array(common, dtype=np.int64).reshape(-1, 2)
    _, lead = np.unique(sides[0].units.stages[0].group_of[pairs[:, 0]], return_index=True)  # a PSU of each stratum
    first, second = (_groups(one, labels, level, pairs[:, at], lead) for at, one in enumerate(sides))
    covariance, twice = np.zeros(len(labels)), np.zeros(len(labels))
    if after.design.sample.replicates is None and before.design.sample.replicates is None:
        covariance = np.einsum("gp,gp->g", first.deviations, second.deviations)
        twice = (first.psus & second.psus).sum(axis=1) - (first.strata & second.strata).sum(axis=1)
    codes = [dict(zip(by, label, strict=True)) for label in labels]
    return compare(
        after.statistic.name,
        [({**after.codes, **one}, {**before.codes, **one}) for one in codes],
        (first.value, second.value),
        (first.variance, second.variance, covariance),
        first.df + second.df - twice,
        level,
        None if first.limits is None or second.limits is None else (first.limits, second.limits),
    )


class _Sample:
    """All groups of one sample."""

    def __init__(self, side: Side, by: Sequence[str]) -> None:
        self.side, self.cells = side, side.design.cells(by)
        self.result = estimate(side.statistic, self.cells, side.design.sample)

    @property
    def units(self) -> Units:
        """The sampling units."""
        return self.side.design.sample.units

    @cached_property
    def there(self) -> dict[tuple[str, ...], int]:
        """Groups with respondents, and the position of each."""
        labels = _labels(self.cells) if self.cells.axes else [()]
        return {label: number for number, label in enumerate(labels) if self.result.n[number] > 0}


@dataclass(frozen=True, eq=False)
class _Groups:
    """The groups that both samples have, in one of them.

    Parameters
    ----------
    value, variance, df
        Shape (groups,).
    limits
        Wilson's, of proportions; shape (groups, 2).
    deviations, psus
        Of the PSUs that both samples have: their scaled deviations, and whether they hold respondents of the group;
        shape (groups, PSUs).
    strata
        Whether the strata of these PSUs hold respondents of the group; shape (groups, strata).
    """

    value: Floats
    variance: Floats
    df: Floats
    limits: Floats | None
    deviations: Floats
    psus: Mask
    strata: Mask


def _groups(one: _Sample, labels: Sequence[tuple[str, ...]], level: float, shared: Ints, lead: Ints) -> _Groups:
    """Some groups of a sample; `shared` are the PSUs that the other sample has too, `lead` one of each stratum."""
    at = np.array([one.there[label] for label in labels], dtype=np.int64)
    design, statistic, result = one.side.design, one.side.statistic, one.result
    members = one.cells.columns(one.cells.totals(statistic.base), at)
    stage = one.units.stages[0]
    psus = np.logical_or.reduceat(members != 0, stage.starts, axis=1)
    strata = np.logical_or.reduceat(psus, stage.groups, axis=1)
    influence = influences(statistic, one.cells, design.sample, result.value, at)
    reach = np.ones_like(members) if design.sample.projections else members  # residuals reach beyond the groups
    limits = _limits(design, statistic, one.cells, result, level)[at] if statistic.kind == "proportion" else None
    replicated = design.sample.replicates is not None
    return _Groups(
        value=result.value[at],
        variance=result.se[at] ** 2,
        df=np.full(len(at), design.df) if replicated else (result.psus - result.strata)[at].astype(np.float64),
        limits=limits,
        deviations=one.units.deviations(influence, reach)[:, shared],
        psus=psus[:, shared],
        strata=strata[:, stage.group_of[shared[lead]]],
    )
