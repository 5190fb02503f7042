"""Random-effects summaries: what members are like on average, and how much they really differ from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from safercities.model.errors import UsageError, problem

Floats = NDArray[np.float64]
#: Estimators of the variance between members.
Between = Literal["paule-mandel", "dersimonian-laird"]
#: Intervals of the mean.
Interval = Literal["hartung-knapp", "hartung-knapp-unmodified", "normal"]
#: Members from which there is a prediction interval: with two, nothing is known of how they spread.
PREDICTED = 3
_STEPS = 200
#: Nobody's estimate; squares of what lies below it, and above its inverse, neither vanish nor overflow.
_HUGE = 1e75


@dataclass(frozen=True)
class Summary:
    """A random-effects summary of members' estimates, on the scale on which they were given.

    Parameters
    ----------
    members, left_out
        How many it is of; how many had no estimate or no standard error.
    mean, se, lower, upper, level
        Average over the population of members, its standard error and interval. NaN where no member is left.
    low, high
        Prediction interval: where a further member would be expected. NaN below `PREDICTED` members.
    tau2, q, p, i2
        Variance between members; Cochran's Q, its p-value; share of the variance that is between members (0 to 1).
        NaN with one member.
    """

    members: int
    left_out: int
    mean: float
    se: float
    lower: float
    upper: float
    level: float
    low: float
    high: float
    tau2: float
    q: float
    p: float
    i2: float


def random_effects(
    estimates: ArrayLike,
    se: ArrayLike,
    *,
    level: float = 0.95,
    between: Between = "paule-mandel",
    interval: Interval = "hartung-knapp",
) -> Summary:
    """Average of members that truly differ: estimates y_i ~ N(θ_i, se_i²) with θ_i ~ N(μ, τ²).

    Each member has the weight 1 / (se² + τ²): the more they differ, the more alike the weights. The mean is that of
    members, not of the people in them; for that one, see `upward.aggregate`.

    Parameters
    ----------
    estimates, se
        Shape (members,), any scale on which they are about normal (log rates, logits of shares, means). Those without
        an estimate, or with no standard error above 0, are left out and counted, as are those beyond 1e75.
    between
        Estimator of τ²: Paule–Mandel (τ² at which the weighted squares are as large as expected), or the first step
        towards it, DerSimonian–Laird. Both are 0 where the members differ no more than their errors let expect.
    interval
        `hartung-knapp`: t distribution, the variance from the spread of the members, and never less than their
        errors alone say (the modification of Knapp & Hartung: without it, members that happen to be alike give an
        interval of no width). `hartung-knapp-unmodified`, `normal`: to compare with others.

    Raises
    ------
    UsageError
        If the arrays have other than one shape (members,), or the level is not between 0 and 1.

    Source: DerSimonian & Laird (1986), Controlled Clinical Trials 7: 177–188; Paule & Mandel (1982), Journal of
    Research of the NBS 87: 377–385; Knapp & Hartung (2003), Statistics in Medicine 22: 2693–2710 (also the
    modification); Higgins & Thompson (2002), Statistics in Medicine 21: 1539–1558 (I²); Higgins, Thompson &
    Spiegelhalter (2009), JRSS A 172: 137–159 (prediction; here with members − 1 degrees of freedom, as R's metafor).

    Examples
    --------
    >>> found = random_effects([0.10, 0.30, 0.35, 0.65], [0.10, 0.10, 0.10, 0.10])
    >>> [round(one, 4) for one in (found.mean, found.lower, found.upper, found.tau2, found.i2)]
    [0.35, -0.0117, 0.7117, 0.0417, 0.8065]
    """
    value, error = np.asarray(estimates, dtype=np.float64), np.asarray(se, dtype=np.float64)
    if value.ndim != 1 or value.shape != error.shape:
        raise UsageError(problem("pooling-shape", estimates=str(value.shape), errors=str(error.shape)))
    if not 0 < level < 1:
        raise UsageError(problem("pooling-level", given=level))
    good = usable(value, error)
    left_out = int((~good).sum())
    # in one order, so that the last digit does not depend on that of the members
    order = np.lexsort((error[good], value[good]))
    value, variance = value[good][order], error[good][order] ** 2
    if len(value) < 2:
        return _one(value, variance, left_out, level)
    unit = float(variance.min())  # so that squares of tiny or huge errors neither vanish nor overflow
    return _several(value, variance, unit, left_out, level, between, interval)


def usable(value: Floats, error: Floats) -> NDArray[np.bool_]:
    """Which members can be summarised: those with an estimate and an error, of sizes whose squares can be divided."""
    return (np.abs(value) < _HUGE) & (error > 1 / _HUGE) & (error < _HUGE)


def _one(value: Floats, variance: Floats, left_out: int, level: float) -> Summary:
    """The member's own estimate: of how members differ nothing is known."""
    nan = float("nan")
    if not len(value):
        return Summary(0, left_out, nan, nan, nan, nan, level, nan, nan, nan, nan, nan, nan)
    mean, se = float(value[0]), float(np.sqrt(variance[0]))
    reach = float(special.ndtri((1 + level) / 2)) * se
    return Summary(1, left_out, mean, se, mean - reach, mean + reach, level, nan, nan, nan, nan, nan, nan)


def _several(
    value: Floats, variance: Floats, unit: float, left_out: int, level: float, between: Between, interval: Interval
) -> Summary:
    free = len(value) - 1
    scale = float(np.sqrt(unit))
    y, v = value / scale, variance / unit
    q = _spread(y, v, 0.0)
    tau2 = _dersimonian_laird(v, q) if between == "dersimonian-laird" else _paule_mandel(y, v)
    weight = 1 / (v + tau2)
    mean = float(weight @ y / weight.sum())
    factor = _spread(y, v, tau2) / free
    if interval == "hartung-knapp":
        factor = max(factor, 1.0)
    elif interval == "normal":
        factor = 1.0
    se = float(np.sqrt(factor / weight.sum()))
    tail = (1 + level) / 2
    quantile = float(special.ndtri(tail) if interval == "normal" else special.stdtrit(free, tail))
    further = quantile * float(np.sqrt(tau2 + se**2)) if len(value) >= PREDICTED else float("nan")
    return Summary(
        members=len(value),
        left_out=left_out,
        mean=mean * scale,
        se=se * scale,
        lower=(mean - quantile * se) * scale,
        upper=(mean + quantile * se) * scale,
        level=level,
        low=(mean - further) * scale,
        high=(mean + further) * scale,
        tau2=tau2 * unit,
        q=q,
        p=float(special.chdtrc(free, q)),
        i2=_share(v, tau2),
    )


def _spread(y: Floats, v: Floats, tau2: float) -> float:
    """Weighted squares of the members' distances from their mean."""
    weight = 1 / (v + tau2)
    return float(weight @ (y - weight @ y / weight.sum()) ** 2)


def _dersimonian_laird(v: Floats, q: float) -> float:
    weight = 1 / v
    return max(0.0, (q - len(v) + 1) * float(weight.sum()) / _pairs(weight))


def _paule_mandel(y: Floats, v: Floats) -> float:
    """The τ² at which the weighted squares are members − 1: they fall as it grows, so halving finds it."""
    wanted = len(v) - 1
    if _spread(y, v, 0.0) <= wanted:
        return 0.0
    low, high = 0.0, float(((y - y.mean()) ** 2).sum())  # there, the squares are at most 1
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _spread(y, v, middle) > wanted else (low, middle)
    return (low + high) / 2


def _share(v: Floats, tau2: float) -> float:
    """I²: τ² over τ² and the typical error variance of a member."""
    weight = 1 / v
    typical = (len(v) - 1) * float(weight.sum()) / _pairs(weight)
    return tau2 / (tau2 + typical)


def _pairs(weight: Floats) -> float:
    """(Σ w)² − Σ w², as the sum of each weight times the others: the difference is lost where one of them is huge."""
    before = np.concatenate([[0.0], np.cumsum(weight)[:-1]])
    return float(2 * (weight @ before))
