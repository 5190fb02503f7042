"""Rates of counts over exposure with their intervals: exact, compared, age-standardised. All vectorised."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Values with their limits, arrays of one shape."""

    value: Floats
    lower: Floats
    upper: Floats


class Ratio(NamedTuple):
    """Rate ratios with their limits; `one_sided` where a count is zero, so that one limit is 0 or infinite."""

    value: Floats
    lower: Floats
    upper: Floats
    one_sided: NDArray[np.bool_]


def garwood(x: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact limits for the mean of a Poisson count.

    Source: Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28: 437–442.

    Parameters
    ----------
    x
        Counts, any shape; whole numbers ≥ 0. NaN gives NaN.
    level
        Confidence level.

    Returns
    -------
    lower, upper
        Arrays of the shape of `x`. The lower limit of 0 cases is 0; its upper one is −ln((1 − level) / 2).

    Raises
    ------
    ValueError
        If a count is negative, or the level not between 0 and 1.

    Examples
    --------
    >>> lower, upper = garwood([0, 3, 100])
    >>> lower.round(4), upper.round(4)
    (array([ 0.    ,  0.6187, 81.364 ]), array([  3.6889,   8.7673, 121.6268]))
    """
    counts = _counts(x)
    tail = _tail(level)
    lower = np.where(counts > 0, special.gammaincinv(np.maximum(counts, 1.0), tail), 0.0)
    upper = special.gammainccinv(counts + 1.0, tail)
    missing = np.isnan(counts)
    return np.where(missing, np.nan, lower), np.where(missing, np.nan, upper)


def widened(
    value: ArrayLike, lower: ArrayLike, upper: ArrayLike, error: ArrayLike, level: ArrayLike = 0.95
) -> Interval:
    """An interval with one more, independent error in it, such as that of counts rounded to protect people.

    As in MOVER, the distance of each limit from the value is put together with that of the error as if both were
    standard errors: the interval stays as asymmetric as it was. A lower limit of 0 or more does not fall below 0.

    Source: Zou & Donner (2008), Construction of confidence limits about effect measures: a general approach,
    Statistics in Medicine 27: 1693–1702.

    Parameters
    ----------
    value, lower, upper, error, level
        Values with their limits and level, and the standard deviation of the error, broadcast together.

    Examples
    --------
    >>> lower, upper = garwood([0, 40])
    >>> [part.round(2).tolist() for part in widened([0, 40], lower, upper, 5.0, 0.95)]
    [[0.0, 40.0], [0.0, 24.95], [10.47, 57.48]]
    """
    given = (np.asarray(one, dtype=np.float64) for one in (value, lower, upper, error, level))
    number, low, high, sd, sure = np.broadcast_arrays(*given)
    reach = special.ndtri((1.0 + sure) / 2.0) * sd
    below, above = number - np.hypot(number - low, reach), number + np.hypot(high - number, reach)
    below = np.where((low >= 0) & (below < 0), 0.0, below)
    same = sd == 0  # to the last bit
    return Interval(number, np.where(same, low, below), np.where(same, high, above))


def rate(x: ArrayLike, exposure: ArrayLike, level: float = 0.95, per: float = 1.0) -> Interval:
    """Cases over exposure, with the exact (Garwood) interval of the count.

    Parameters
    ----------
    x, exposure
        Cases and person-years, broadcast together. Exposure may be any positive number; 0 or NaN gives NaN.
    per
        The rate is per so many units of exposure.

    Examples
    --------
    >>> [float(part.round(2)) for part in rate(594, 2_500_000, per=100_000)]
    [23.76, 21.89, 25.75]
    """
    counts, time = np.broadcast_arrays(_counts(x), _exposure(exposure))
    lower, upper = garwood(counts, level)
    return Interval(per * counts / time, per * lower / time, per * upper / time)


def rate_ratio(x1: ArrayLike, t1: ArrayLike, x0: ArrayLike, t0: ArrayLike, level: float = 0.95) -> Ratio:
    """Ratio of two Poisson rates, (x1/t1) / (x0/t0), with its exact conditional interval.

    Given the sum of both counts the first is binomial; its Clopper–Pearson limits become limits of the ratio.
    With x1 = 0 the lower limit is 0, with x0 = 0 the upper one is infinite (and the ratio infinite, or NaN where both
    are 0): `one_sided` marks these. The limit that remains keeps its tail of (1 − level) / 2.

    Source: Przyborowski & Wilenski (1940), Biometrika 31: 313–323; Clopper & Pearson (1934), Biometrika 26: 404–413.

    Examples
    --------
    >>> ratio = rate_ratio(11, 800, 2, 900)
    >>> [round(float(part), 4) for part in ratio]
    [6.1875, 1.3504, 57.4484, 0.0]
    """
    a, ta, b, tb = np.broadcast_arrays(_counts(x1), _exposure(t1), _counts(x0), _exposure(t0))
    tail, scale = _tail(level), tb / ta
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where((a == 0) & (b == 0), np.nan, a / b) * scale
        low = special.betaincinv(np.maximum(a, 1.0), b + 1.0, tail)
        high_rest = special.betaincinv(np.maximum(b, 1.0), a + 1.0, tail)
        lower = np.where(a > 0, low / (1.0 - low), 0.0) * scale
        upper = np.where(b > 0, (1.0 - high_rest) / high_rest, np.inf) * scale
    missing = np.isnan(a + b + scale)
    lower, upper = np.where(missing, np.nan, lower), np.where(missing, np.nan, upper)
    return Ratio(value, lower, upper, ((a == 0) | (b == 0)) & ~missing)


def ratio_of(one: Interval, other: Interval) -> Ratio:
    """Ratio of two independent numbers, 0 or more, from their intervals, where no exact method fits (MOVER-R).

    Source: Donner & Zou (2012), Closed-form confidence intervals for functions of the normal mean and standard
    deviation, Statistical Methods in Medical Research 21: 347–359, written so that limits of 0 divide nothing.

    Returns
    -------
    Ratio
        An upper limit is infinite where the other number may be 0; `one_sided` where either number is 0 or it is so.

    Examples
    --------
    >>> one, other = (Interval(*map(np.asarray, limits)) for limits in ((30.0, 20.2, 42.8), (10.0, 4.8, 18.4)))
    >>> [round(float(part), 2) for part in ratio_of(one, other)]
    [3.0, 1.44, 6.72, 0.0]
    """
    (x, l1, u1), (y, l0, u0) = one, other
    both = x * y
    with np.errstate(divide="ignore", invalid="ignore"):  # roots of less than 0 are those of rounding errors
        value = np.where((x == 0) & (y == 0), np.nan, x / y)
        root = np.sqrt(np.maximum(both**2 - l1 * u0 * (2 * x - l1) * (2 * y - u0), 0.0))
        lower = np.where(l1 > 0, l1 * (2 * x - l1) / (both + root), 0.0)
        root = np.sqrt(np.maximum(both**2 - u1 * l0 * (2 * x - u1) * (2 * y - l0), 0.0))
        upper = np.where(l0 > 0, (both + root) / (l0 * (2 * y - l0)), np.inf)
    missing = np.isnan(x + y + l1 + u1 + l0 + u0)
    lower, upper = np.where(missing, np.nan, lower), np.where(missing, np.nan, upper)
    return Ratio(value, lower, upper, ((x == 0) | (y == 0) | np.isinf(upper)) & ~missing)


def rate_difference(x1: ArrayLike, t1: ArrayLike, x0: ArrayLike, t0: ArrayLike, level: float = 0.95) -> Interval:
    """Difference of two Poisson rates, x1/t1 − x0/t0, with its MOVER interval from the two Garwood intervals.

    MOVER (method of variance estimates recovery) puts the distance of each limit from its own rate together as if it
    were a standard error: the interval is as asymmetric as the two that it comes from, and 0 is no special case.

    Source: Donner & Zou (2012), Closed-form confidence intervals for functions of the normal mean and standard
    deviation, Statistical Methods in Medical Research 21: 347–359; Li, Tang & Wong (2014), Confidence intervals for
    rate ratios and differences of Poisson rates by MOVER, Journal of Applied Statistics 41.

    Examples
    --------
    >>> [round(float(part), 5) for part in rate_difference(30, 1000, 10, 1000)]
    [0.02, 0.00713, 0.03384]
    """
    return difference_of(rate(x1, t1, level), rate(x0, t0, level))


def difference_of(one: Interval, other: Interval) -> Interval:
    """Difference of two independent numbers from their intervals (MOVER, as in `rate_difference`)."""
    value = one.value - other.value
    below = np.hypot(one.value - one.lower, other.upper - other.value)
    above = np.hypot(one.upper - one.value, other.value - other.lower)
    return Interval(value, value - below, value + above)


def direct_standardised(
    count: ArrayLike,
    exposure: ArrayLike,
    standard: ArrayLike,
    level: float = 0.95,
    upper: Literal["fay-feuer", "tiwari"] = "fay-feuer",
) -> tuple[Floats, Floats, Floats, Floats]:
    """Directly standardised rates with gamma intervals.

    Source: Fay & Feuer (1997), Confidence intervals for directly standardized rates: a method based on the gamma
    distribution, Statistics in Medicine 16: 791–801 (largest weight in the upper limit: at least the level in all
    cases tried). `upper="tiwari"`: Tiwari, Clegg & Zou (2006), Efficient interval estimation for age-adjusted cancer
    rates, Statistical Methods in Medical Research 15: 547–569 (mean weights: shorter).

    Parameters
    ----------
    count, exposure
        Cases and person-years; strata on the last axis, everything before it is vectorised.
    standard
        Weight of each stratum (people of the standard population); need not sum to one.

    Returns
    -------
    value, se, lower, upper
        One axis fewer than `count`. NaN where a stratum with weight has no exposure: its rate is not known.

    Examples
    --------
    >>> rates = direct_standardised([107, 141, 60], [230061, 329449, 114920], [63986, 186263, 157302])
    >>> [round(float(part) * 100_000, 3) for part in rates]
    [47.014, 3.159, 41.026, 53.776]
    """
    counts, time, weights = np.broadcast_arrays(_counts(count), _exposure(exposure), np.asarray(standard, float))
    if np.any(weights < 0) or np.any(weights.sum(axis=-1) <= 0):
        raise ValueError("standard weights must not be negative, and not all zero")
    tail = _tail(level)
    weight = np.where(weights > 0, weights / weights.sum(axis=-1, keepdims=True) / time, 0.0)
    value = (weight * counts).sum(axis=-1)
    variance = (weight**2 * counts).sum(axis=-1)
    if upper == "tiwari":
        one, square = weight.mean(axis=-1), (weight**2).mean(axis=-1)
    else:
        one = weight.max(axis=-1)
        square = one**2
    low = _gamma(value, variance, tail, special.gammaincinv)
    high = _gamma(value + one, variance + square, tail, special.gammainccinv)
    low = np.where(value == 0, 0.0, low)
    return value, np.sqrt(variance), low, high


def _gamma(mean: Floats, variance: Floats, tail: float, inverse: Any) -> Floats:
    """Quantile of the gamma distribution with this mean and variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(inverse(mean**2 / variance, tail) * variance / mean)


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError("the confidence level lies between 0 and 1, as 0.95")
    return (1.0 - level) / 2.0


def _counts(x: ArrayLike) -> Floats:
    counts = np.asarray(x, dtype=np.float64)
    if np.any(counts < 0):
        raise ValueError("a count cannot be negative")
    return counts


def _exposure(t: ArrayLike) -> Floats:
    time = np.asarray(t, dtype=np.float64)
    if np.any(time < 0):
        raise ValueError("an exposure cannot be negative")
    return np.where(time > 0, time, np.nan)
