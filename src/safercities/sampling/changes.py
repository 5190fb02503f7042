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
from safercities.sampling.contrasts import MOST, Contrast, _contrast, _labels, _limits
from safercities.sampling.design import Design
from safercities.sampling.estimators import estimate, influences
from safercities.sampling.statistics import Statistic
from safercities.sampling.units import Floats, Ints, Stage


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
    """
    groups = [_Groups(side, by) for side in (after, before)]
    labels = [label for label in groups[0].there if label in groups[1].there]
    if len(labels) * max(one.units.size for one in groups) > MOST:
        raise UsageError(problem("survey-contrasts-many", groups=len(labels), pairs=len(labels)))
    if not labels:
        return []
    common = sorted((after.psus[name], before.psus[name]) for name in after.psus.keys() & before.psus.keys())
    pairs = np.array(common, dtype=np.int64).reshape(-1, 2)
    first, second = (_Picked(one, labels, level, pairs[:, at]) for at, one in enumerate(groups))
    replicated = any(one.design.sample.replicates is not None for one in (after, before))
    covariance = np.zeros(len(labels)) if replicated else (first.deviations * second.deviations).sum(axis=1)
    df = first.df + second.df - (0 if replicated else _twice(first, second))
    found = []
    for number, label in enumerate(labels):
        codes = dict(zip(by, label, strict=True))
        se, value, limits = ([one.se[number], one.value[number], one.limits[number]] for one in (first, second))
    return found
