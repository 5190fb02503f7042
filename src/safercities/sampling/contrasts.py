"""Differences and ratios between groups or periods, with the covariance that a shared sample gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from safercities.model.errors import UsageError, problem
from safercities.sampling import intervals
from safercities.sampling.estimators import NO_SPREAD, Result, estimate, influences, replicate_values
from safercities.sampling.statistics import Statistic
from safercities.sampling.sums import Cells
from safercities.sampling.units import Floats, Ints

if TYPE_CHECKING:
    from safercities.sampling.design import Design


#: Groups × sampling units that are compared at once (8 bytes each, a few times over).
MOST = 5 * 10**7
#: Most pairs of groups that are compared at once: those of 200 groups.
MOST_PAIRS = 20_000


class TooManyPairs(UsageError):
    """There are more groups than can be compared at once."""


@dataclass(frozen=True)
class Contrast:
    """One group against another; errors and limits are NaN where the answers of either show no spread.

    Parameters
    ----------
    outcome, one, other
        The outcome, and the codes of both groups by dimension.
    value, other_value
        Estimates of both.
    difference, difference_se, difference_lower, difference_upper
        The first less the second. Interval of a difference of proportions from Wilson's limits of both and their
        correlation (Zou and Donner 2008: Student's t does not keep its level between small groups, or where few or
        nearly all said yes); of other differences by Student's t.
    ratio, ratio_se, ratio_lower, ratio_upper
        The first over the second; interval on the logarithm, so that it stays above 0.
    covariance
        Of the two estimates.
    df
        Degrees of freedom: PSUs less strata in which either group has respondents.
    p_value
        Of no difference, two-sided; below 1 − level exactly where the interval leaves out 0.
    level
        Confidence level.
    """

    outcome: str
    one: Mapping[str, str]
    other: Mapping[str, str]
    value: float
    other_value: float
    difference: float
    difference_se: float
    difference_lower: float
    difference_upper: float
    ratio: float
    ratio_se: float
    ratio_lower: float
    ratio_upper: float
    covariance: float
    df: float
    p_value: float
    level: float

    @property
    def clear(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        return self.difference_lower > 0 or self.difference_upper < 0


def contrasts(
    design: Design, statistic: Statistic, by: Sequence[str], against: Sequence[str] | None, level: float
) -> list[Contrast]:
    """Every pair of groups that have respondents, or each group against one.

    Raises
    ------
    UsageError
        If the breakdown has no group `against`, or there are too many groups to compare at once.
    """
    cells = design.cells(by)
    result = estimate(statistic, cells, design.sample)
    labels = _labels(cells)
    there = [number for number in range(cells.size) if result.n[number] > 0]
    pairs = _pairs(there, labels, against)
    chosen = np.array(sorted({number for pair in pairs for number in pair}), dtype=np.int64)
    if not len(chosen):
        return []
    if len(chosen) * design.sample.units.size > MOST:
        raise TooManyPairs(problem("survey-contrasts-many", groups=len(chosen), pairs=len(pairs)))
    covariance = _covariance(design, statistic, cells, result.value, chosen)
    df = _df(design, statistic, cells, chosen)
    limits = _limits(design, statistic, cells, result, level) if statistic.kind == "proportion" else None
    place = {int(number): position for position, number in enumerate(chosen)}
    return [
        _contrast(
            statistic.name,
            dict(zip(cells.names, labels[one], strict=True)),
            dict(zip(cells.names, labels[other], strict=True)),
            (float(result.value[one]), float(result.value[other])),
            covariance[np.ix_([place[one], place[other]], [place[one], place[other]])],
            float(df[place[one], place[other]]),
            level,
            None if limits is None else limits[[one, other]],
        )
        for one, other in pairs
    ]


def _limits(design: Design, statistic: Statistic, cells: Cells, result: Result, level: float) -> Floats:
    """Wilson's limits of each group's proportion, on its effective size; shape (domains, 2)."""
    made_of = design.sample.replicates
    df = (result.psus - result.strata).astype(float) if made_of is None else np.full(cells.size, design.df)
    everybody = estimate(statistic, design.cells(()), design.sample).deff
    se = np.where(result.psus == 1, np.nan, result.se)
    made = intervals.proportion_interval(
        "wilson", result.value, se, result.n, df, level=level, deff_elsewhere=everybody
    )
    return np.stack([made.lower, made.upper], axis=1)


def _labels(cells: Cells) -> list[tuple[str, ...]]:
    """Codes of each domain."""
    along = [[axis.labels[code] for code in codes] for axis, codes in zip(cells.axes, cells.codes(), strict=True)]
    return list(zip(*along, strict=True))


def _pairs(
    there: Sequence[int], labels: Sequence[tuple[str, ...]], against: Sequence[str] | None
) -> list[tuple[int, int]]:
    pairs = math.comb(len(there), 2) if against is None else len(there)
    if pairs > MOST_PAIRS:
        raise TooManyPairs(problem("survey-contrasts-many", groups=len(there), pairs=pairs))
    if against is None:
        return list(combinations(there, 2))
    wanted = tuple(against)
    if wanted not in [labels[number] for number in there]:
        known = "; ".join(", ".join(labels[number]) for number in there[:20])
        raise UsageError(problem("survey-domain", given=", ".join(wanted), known=known))
    base = labels.index(wanted)
    return [(number, base) for number in there if number != base]


def _covariance(design: Design, statistic: Statistic, cells: Cells, value: Floats, chosen: Ints) -> Floats:
    if design.sample.replicates is not None:
        from safercities.sampling import replicates

        theta = replicate_values(statistic, cells, design.sample)[:, chosen]
        return replicates.covariance(theta, value[chosen], design.sample.replicates)
    influence = influences(statistic, cells, design.sample, value, chosen)
    members = cells.columns(cells.totals(statistic.base), chosen).sum(axis=0)
    if design.sample.projections:
        members = np.ones_like(members)  # residuals reach beyond the groups
    return design.sample.units.covariance(influence, members)


def _df(design: Design, statistic: Statistic, cells: Cells, chosen: Ints) -> Floats:
    """PSUs less strata in which either group of each pair has respondents; shape (chosen, chosen)."""
    if design.sample.replicates is not None:
        return np.full((len(chosen),) * 2, design.df)
    first = design.sample.units.stages[0]
    there = cells.columns(cells.totals(statistic.base), chosen) != 0
    psus = np.logical_or.reduceat(there, first.starts, axis=1)
    strata = np.logical_or.reduceat(psus, first.groups, axis=1)
    return _either(psus) - _either(strata)


def _either(there: NDArray[np.bool_]) -> Floats:
    """In how many columns either row of each pair is true; shape (rows, rows)."""
    numbers = there.astype(np.float64)
    both = numbers @ numbers.T
    alone = np.diag(both)
    return np.asarray(alone[:, None] + alone[None, :] - both)


def _contrast(
    outcome: str,
    one: Mapping[str, str],
    other: Mapping[str, str],
    values: tuple[float, float],
    covariance: Floats,
    df: float,
    level: float,
    limits: Floats | None,
) -> Contrast:
    first, second = values
    t = float(special.stdtrit(df, (1 + level) / 2)) if df > 0 else float("nan")
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    # no spread in one of the samples is no proof that there is none: nothing is said, rather than too little
    spread = min(covariance[0, 0] - (NO_SPREAD * first) ** 2, covariance[1, 1] - (NO_SPREAD * second) ** 2)
    se = float(np.sqrt(variance)) if variance > 0 and spread > 0 else float("nan")
    difference = first - second
    lower, upper = difference - t * se, difference + t * se
    if limits is not None:
        lower, upper = _from_limits(values, limits, covariance)
    # the standard error that the limit which faces 0 stands for: interval and p-value then say the same
    facing = (difference - lower if difference > 0 else upper - difference) / t
    p = float(2 * special.stdtr(df, -abs(difference) / facing)) if df > 0 and facing > 0 else float("nan")
    ratio = first / second if second != 0 else float("nan")
    log_se = _log_se(first, second, covariance) if spread > 0 else float("nan")
    half = float(np.exp(t * log_se))
    return Contrast(
        outcome=outcome,
        one=one,
        other=other,
        value=first,
        other_value=second,
        difference=difference,
        difference_se=se,
        difference_lower=lower,
        difference_upper=upper,
        ratio=ratio,
        ratio_se=abs(ratio) * log_se,
        ratio_lower=ratio / half,
        ratio_upper=ratio * half,
        covariance=float(covariance[0, 1]),
        df=df,
        p_value=p,
        level=level,
    )


def _from_limits(values: tuple[float, float], limits: Floats, covariance: Floats) -> tuple[float, float]:
    """Limits of a difference of proportions from Wilson's limits of both (rows of `limits`) and their correlation."""
    first, second = values
    spread = float(np.sqrt(max(covariance[0, 0], 0) * max(covariance[1, 1], 0)))
    correlation = covariance[0, 1] / spread if spread > 0 else float("nan")
    lower, upper = intervals.difference_interval(first, limits[0], second, limits[1], correlation)
    return float(lower.reshape(())), float(upper.reshape(()))


def _log_se(first: float, second: float, covariance: Floats) -> float:
    """Standard error of the logarithm of the ratio of two positive estimates (delta method)."""
    if not (first > 0 and second > 0):
        return float("nan")
    relative = covariance[0, 0] / first**2 + covariance[1, 1] / second**2 - 2 * covariance[0, 1] / (first * second)
    return float(np.sqrt(relative)) if relative > 0 else float("nan")
