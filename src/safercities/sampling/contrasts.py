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
    codes = {number: dict(zip(cells.names, labels[number], strict=True)) for number in chosen.tolist()}
    one, other = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    a, b = np.searchsorted(chosen, one), np.searchsorted(chosen, other)
    return compare(
        statistic.name,
        [(codes[i], codes[j]) for i, j in pairs],
        (result.value[one], result.value[other]),
        (covariance[a, a], covariance[b, b], covariance[a, b]),
        df[a, b],
        level,
        None if limits is None else (limits[one], limits[other]),
    )


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


def compare(
    outcome: str,
    codes: Sequence[tuple[Mapping[str, str], Mapping[str, str]]],
    values: tuple[Floats, Floats],
    covariances: tuple[Floats, Floats, Floats],
    df: Floats,
    level: float,
    limits: tuple[Floats, Floats] | None,
) -> list[Contrast]:
    """Pairs of groups, all at once; arrays of shape (pairs,).

    Parameters
    ----------
    codes, values
        Of the first and the second group of each pair.
    covariances
        Variance of the first and of the second value, and the covariance of both.
    limits
        Wilson's limits of both where they are proportions; each of shape (pairs, 2).
    """
    (first, second), (own, others, shared) = values, covariances
    with np.errstate(all="ignore"):
        t = np.where(df > 0, special.stdtrit(df, (1 + level) / 2), np.nan)
        variance = own + others - 2 * shared
        # no spread in one of the samples is no proof that there is none: nothing is said, rather than too little
        spread = np.minimum(own - (NO_SPREAD * first) ** 2, others - (NO_SPREAD * second) ** 2) > 0
        se = np.sqrt(np.where((variance > 0) & spread, variance, np.nan))
        difference = first - second
        lower, upper = difference - t * se, difference + t * se
        if limits is not None:  # from Wilson's limits of both and the correlation of their estimates
            both = np.sqrt(np.maximum(own, 0) * np.maximum(others, 0))
            correlation = np.where(both > 0, shared / both, np.nan)
            lower, upper = intervals.difference_interval(first, [*limits[0].T], second, [*limits[1].T], correlation)
        # the standard error that the limit which faces 0 stands for: interval and p-value then say the same
        facing = np.where(difference > 0, difference - lower, upper - difference) / t
        p = np.where((df > 0) & (facing > 0), 2 * special.stdtr(df, -np.abs(difference) / facing), np.nan)
        ratio = np.where(second != 0, first / second, np.nan)
        log_se = np.where(spread, _log_se(first, second, own, others, shared), np.nan)
        half = np.exp(t * log_se)
        columns = {
            "value": first,
            "other_value": second,
            "difference": difference,
            "difference_se": se,
            "difference_lower": lower,
            "difference_upper": upper,
            "ratio": ratio,
            "ratio_se": np.abs(ratio) * log_se,
            "ratio_lower": ratio / half,
            "ratio_upper": ratio * half,
            "covariance": shared,
            "df": df,
            "p_value": p,
        }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        Contrast(outcome=outcome, one=one, other=other, level=level, **dict(zip(columns, row, strict=True)))
        for (one, other), row in zip(codes, rows, strict=True)
    ]


def _log_se(first: Floats, second: Floats, own: Floats, others: Floats, shared: Floats) -> Floats:
    """Standard error of the logarithm of the ratio of two positive estimates (delta method)."""
    relative = own / first**2 + others / second**2 - 2 * shared / (first * second)
    return np.sqrt(np.where((first > 0) & (second > 0) & (relative > 0), relative, np.nan))
