"""Intervals of survey estimates: proportions by five methods, other values by Student's t; all vectorised."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from safercities.model.errors import UsageError, problem
from safercities.sampling.spec import IntervalMethod

Floats = NDArray[np.float64]
Limits = tuple[Floats, Floats]

#: The methods of `proportion_interval`, the default first.
METHODS: tuple[str, ...] = get_args(IntervalMethod)
#: A proportion nearer than this to 0 or 1 is 0 or 1: the rest is rounding in the sums.
ROUNDING = 1e-12
#: A standard error below this share of √(p(1 − p)) is 0: the rest is rounding in the sums.
NO_SPREAD = 1e-9


class Interval(NamedTuple):
    """Limits of proportions, arrays of shape (K,).

    `n_effective` is the number of independent respondents that the design leaves a domain worth: p(1 − p)/se², at most
    n. It is not corrected for degrees of freedom: publication rules ask for it as it is. `one_sided` is true where
    nobody, or everybody, said yes.
    """

    lower: Floats
    upper: Floats
    n_effective: Floats
    one_sided: NDArray[np.bool_]


class _Cells(NamedTuple):
    """What every method is given: all of shape (K,), `t` at the design's degrees of freedom and `t_n` at n − 1."""

    p: Floats
    se: Floats
    worth: Floats
    t: Floats
    t_n: Floats
    tail: float
    cap: Floats


def proportion_interval(
    method: str,
    p: ArrayLike,
    se: ArrayLike,
    n: ArrayLike,
    df: ArrayLike,
    *,
    level: float = 0.95,
    deff_elsewhere: ArrayLike = np.nan,
    truncate: bool = True,
) -> Interval:
    """Intervals of weighted proportions from a complex sample.

    - Korn–Graubard: exact binomial limits at the sample size p(1 − p)/se² · (t(n − 1)/t(df))². The factor is at most 1:
      degrees of freedom of a whole design never make a small domain surer than its own n − 1 would.
    - Logit: Student's t on the scale of ln(p/(1 − p)).
    - Wilson: all p at most t(df) of their own standard errors from the estimate, that is score limits at p(1 − p)/se².
    - Clopper–Pearson: exact binomial limits at p(1 − p)/se², without regard to the degrees of freedom.
    - Student: p ± t(df) · se, cut at 0 and 1.

    Where nobody or everybody said yes, se is 0 and says nothing: every method then gives the one-sided Korn–Graubard
    limits at n / deff_elsewhere. Where se is 0 in between (all sampling units alike, or only one) it gives the exact
    limits at that size: never ±0. Where the spread cannot be known (no degrees of freedom, se NaN, one respondent) the
    limits are 0 and 1. Without respondents they are NaN.

    Source: Korn, Graubard (1998), Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data, Survey Methodology 24: 193–201. Wilson (1927), Probable inference, the law of
    succession, and statistical inference, Journal of the American Statistical Association 22: 209–212. Clopper, Pearson
    (1934), The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26: 404–413.
    Dean, Pagano (2015), Evaluating confidence interval methods for binomial proportions in clustered surveys, Journal
    of Survey Statistics and Methodology 3: 484–503.

    Parameters
    ----------
    method
        One of `METHODS`. R's `svyciprop` calls Korn–Graubard "beta", logit "xlogit" and Student "mean"; its own "logit"
        is the logit interval from a fit by iteration, which stops at about ten digits.
    p, se
        Proportions 0..1 and their standard errors, shape (K,).
    n
        Respondents with a usable answer, unweighted, shape (K,).
    df
        Degrees of freedom, shape (K,); may be infinite. R's are the domain's: its sampling units less its strata.
    level
        Confidence level.
    deff_elsewhere
        Design effect to assume where the domain cannot show its own: that of the whole sample, for example. One number
        or shape (K,). NaN, or below 1, counts as 1.
    truncate
        Whether p(1 − p)/se² counts for n at most in the three methods that use it, as the NCHS does. Where few people
        stand for many, a rare answer in a small group often comes with a standard error that is far too small; without
        this bound 95 % limits then cover as little as 91 %. R's "beta" does not have it: False gives R's limits always.

    Raises
    ------
    UsageError
        If there is no such method, or the level does not lie between 0 and 1.
    ValueError
        If a proportion lies outside 0..1.

    Examples
    --------
    >>> interval = proportion_interval("korn-graubard", [0.056, 0.0], [0.0015, 0.0], [49_813, 60], [7653, 12])
    >>> interval.lower.round(4).tolist(), interval.upper.round(4).tolist()
    ([0.0531, 0.0], [0.059, 0.0703])
    >>> interval.one_sided.tolist(), interval.n_effective.round().tolist()
    ([False, True], [23495.0, 60.0])
    """
    share, error, count, free, elsewhere = np.broadcast_arrays(*map(_floats, (p, se, n, df, deff_elsewhere)))
    if np.any((share < -ROUNDING) | (share > 1 + ROUNDING)):
        raise ValueError("a proportion lies between 0 and 1")
    method, tail = _method(method), _tail(level)
    with np.errstate(all="ignore"):
        extreme = (share <= ROUNDING) | (share >= 1 - ROUNDING)
        share, error = np.where(extreme, np.round(share), share), np.where(extreme, 0 * error, error)
        cells = _cells(share, error, count, free, np.fmax(elsewhere, 1.0), tail)
        flat = extreme | _spreadless(cells)
        cells = cells._replace(cap=count if truncate else np.full_like(count, np.inf))
        limits = _LIMITS[method](cells)
        if method != "korn-graubard":
            limits = _where_flat(flat, cells, limits)
        return _closed(*limits, np.minimum(cells.worth, count), count, share, extreme)


def difference_interval(
    one: ArrayLike,
    limits: Sequence[ArrayLike],
    other: ArrayLike,
    other_limits: Sequence[ArrayLike],
    correlation: ArrayLike,
) -> Limits:
    """Limits of a difference, from the limits of both parts and the correlation of their estimates (MOVER).

    The distances from the estimates to their limits stand for t standard errors on each side, so the difference is as
    lopsided as its parts. Between small groups, or where few or nearly all said yes, it keeps its level where Student's
    t on the standard error of the difference does not. Best with Wilson's limits of proportions.

    Source: Zou, Donner (2008), Construction of confidence limits about effect measures: a general approach, Statistics
    in Medicine 27: 1693–1702. With Wilson's limits and no correlation it is the square-and-add method of Newcombe
    (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine 17: 873–890.

    Parameters
    ----------
    one, other
        Estimates; shape (K,).
    limits, other_limits
        Lower and upper limits of each, at one level; the first two fields of an `Interval`, for example.
    correlation
        Covariance of the two estimates over the product of their standard errors. NaN (where a standard error is 0)
        counts as 0: wider where groups share sampling units.

    Returns
    -------
    lower, upper
        Of `one` − `other`. NaN where a limit is.

    Examples
    --------
    >>> women = proportion_interval("wilson", [0.1], [0.02], [300], [40])
    >>> men = proportion_interval("wilson", [0.0], [0.0], [280], [40])
    >>> lower, upper = difference_interval([0.1], women[:2], [0.0], men[:2], [np.nan])
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.064], [0.148])
    """
    p, q, r = np.broadcast_arrays(*map(_floats, (one, other, correlation)))
    (p_low, p_up), (q_low, q_up) = (map(_floats, part) for part in (limits, other_limits))
    r = np.clip(np.nan_to_num(r), -1, 1)
    down = _joined(p - p_low, q_up - q, r)
    up = _joined(p_up - p, q - q_low, r)
    return p - q - down, p - q + up


def _joined(a: Floats, b: Floats, correlation: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(a**2 + b**2 - 2 * correlation * a * b, 0)))


def student_interval(value: ArrayLike, se: ArrayLike, df: ArrayLike, *, level: float = 0.95) -> Limits:
    """Student's limits: value ± t · se. NaN where the standard error or the degrees of freedom are not known.

    Parameters
    ----------
    value, se, df
        Estimates, their standard errors and degrees of freedom, shape (K,).

    Raises
    ------
    UsageError
        If the level does not lie between 0 and 1.

    Examples
    --------
    >>> lower, upper = student_interval([662.3, 12.0], [9.4, 3.0], [197, 0])
    >>> lower.round(1).tolist(), upper.round(1).tolist()
    ([643.8, nan], [680.8, nan])
    """
    middle, error, free = np.broadcast_arrays(*map(_floats, (value, se, df)))
    half = _student(free, _tail(level)) * error
    return middle - half, middle + half


def log_interval(value: ArrayLike, se: ArrayLike, df: ArrayLike, *, level: float = 0.95) -> Limits:
    """Student's limits on the scale of the logarithm, for what is above 0: ratios, rates, totals.

    They never fall below 0, and lie a factor below and above the value. A value of 0 or less has none: NaN.

    Parameters
    ----------
    value, se, df
        Estimates, their standard errors and degrees of freedom, shape (K,).

    Raises
    ------
    UsageError
        If the level does not lie between 0 and 1.

    Examples
    --------
    >>> lower, upper = log_interval([2.0, 0.0], [1.0, 0.5], [30, 30])
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.72, nan], [5.553, nan])
    """
    middle, error, free = np.broadcast_arrays(*map(_floats, (value, se, df)))
    with np.errstate(all="ignore"):
        above = np.where(middle > 0, middle, np.nan)
        factor = np.exp(_student(free, _tail(level)) * error / above)
        return above / factor, above * factor


def _cells(p: Floats, se: Floats, n: Floats, df: Floats, elsewhere: Floats, tail: float) -> _Cells:
    """Effective sample sizes and quantiles; `worth` is n / deff_elsewhere where the domain shows no spread."""
    spread, t = p * (1 - p), _student(df, tail)
    worth = np.where(se <= NO_SPREAD * np.sqrt(spread), n / elsewhere, spread / se**2)
    return _Cells(p, se, np.where(np.isnan(t), np.nan, worth), t, _student(n - 1, tail), tail, n)


def _spreadless(cells: _Cells) -> NDArray[np.bool_]:
    return cells.se <= NO_SPREAD * np.sqrt(cells.p * (1 - cells.p))


def _where_flat(flat: NDArray[np.bool_], cells: _Cells, limits: Limits) -> Limits:
    """Exact limits in place of those of a method that needs a standard error, where there is none to go by."""
    p, se, worth, t, t_n, tail, cap = cells
    exact = _korn_graubard(_Cells(p[flat], se[flat], worth[flat], t[flat], t_n[flat], tail, cap[flat]))
    for limit, better in zip(limits, exact, strict=True):
        limit[flat] = better
    return limits


def _closed(lower: Floats, upper: Floats, worth: Floats, n: Floats, p: Floats, extreme: NDArray[np.bool_]) -> Interval:
    """Limits within 0..1, all of it where nothing is known of the spread; NaN without respondents."""
    empty = np.isnan(p) | ~(n > 0)
    unknown = np.isnan(lower) | np.isnan(upper)
    lower = np.where(empty, np.nan, np.where(unknown, 0.0, np.clip(lower, 0, 1)))
    upper = np.where(empty, np.nan, np.where(unknown, 1.0, np.clip(upper, 0, 1)))
    return Interval(lower, upper, np.where(empty, np.nan, worth), extreme & ~empty)


def _korn_graubard(cells: _Cells) -> Limits:
    size = np.minimum(cells.worth * np.minimum(cells.t_n / cells.t, 1) ** 2, cells.cap)
    return _exact(cells.p, size, cells.tail)


def _clopper_pearson(cells: _Cells) -> Limits:
    return _exact(cells.p, np.minimum(cells.worth, cells.cap), cells.tail)


def _exact(p: Floats, size: Floats, tail: float) -> Limits:
    """Exact binomial limits at a sample size that need not be whole: quantiles of two beta distributions."""
    yes, no = size * p, size * (1 - p)
    lower = np.where(p <= 0, 0 * size, special.betaincinv(yes, no + 1, tail))
    upper = np.where(p >= 1, 0 * size + 1, special.betainccinv(yes + 1, no, tail))
    return lower, upper


def _logit(cells: _Cells) -> Limits:
    centre, half = special.logit(cells.p), cells.t * cells.se / (cells.p * (1 - cells.p))
    return special.expit(centre - half), special.expit(centre + half)


def _wilson(cells: _Cells) -> Limits:
    pull = cells.t**2 / np.minimum(cells.worth, cells.cap)
    p, q = cells.p, 1 - cells.p
    half = np.sqrt(pull * p * q + pull**2 / 4)
    return p**2 / (p + pull / 2 + half), 1 - q**2 / (q + pull / 2 + half)  # nothing cancels near 0


def _plain(cells: _Cells) -> Limits:
    return cells.p - cells.t * cells.se, cells.p + cells.t * cells.se


_LIMITS = {
    "korn-graubard": _korn_graubard,
    "logit": _logit,
    "wilson": _wilson,
    "clopper-pearson": _clopper_pearson,
    "student": _plain,
}


def _student(df: Floats, tail: float) -> Floats:
    """Upper quantiles of Student's t, once for each number of degrees of freedom; NaN where there are none."""
    each, where = np.unique(df, return_inverse=True)
    with np.errstate(all="ignore"):
        quantile = np.where(each > 0, -special.stdtrit(np.where(each > 0, each, 1.0), tail), np.nan)
    return np.where(np.isinf(each), -special.ndtri(tail), quantile)[where].reshape(df.shape)


def _method(given: str) -> str:
    if given not in METHODS:
        near = difflib.get_close_matches(given, METHODS, n=1, cutoff=0.4)
        raise UsageError(
            problem(
                "interval-method-unknown", given=given, near=near[0] if near else METHODS[0], known=", ".join(METHODS)
            )
        )
    return given


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise UsageError(problem("interval-level-wrong", given=level))
    return (1 - level) / 2


def _floats(values: ArrayLike) -> Floats:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))
