"""Weighted quantiles of domains, with Woodruff's intervals: limits of the share below, turned back into values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from safercities.model.errors import UsageError, problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: ``math``: the smallest value with at least the share q at or below it. ``school``: half-way to the next value where
#: the share is exactly q (the median of schoolbooks). ``hf7``: linear between values, as spreadsheets and NumPy do;
#: equal values stand in the order of their weights (in R survey in the order of rows, so that hf7 depends on it).
Rule = Literal["math", "school", "hf7"]
#: How the interval of the share is made.
ShareInterval = Literal["mean", "beta", "logit"]
#: Shares this close are equal: sums of weights carry rounding, and row order and weight scale must not matter.
CLOSE = 1e-12


class Quantiles(NamedTuple):
    """One quantile of each domain with its interval; arrays of the shape (K,), NaN where the sample does not tell."""

    value: Floats
    lower: Floats
    upper: Floats
    se: Floats


@dataclass(frozen=True, eq=False)
class Distribution:
    """A variable's weighted distribution in each of K domains. Made by `distribution`.

    Parameters
    ----------
    x, share
        Values in ascending order within each domain, and the share of the domain's weight at or below each.
    starts
        Where each domain starts, and the end of the last; shape (K + 1,).
    """

    x: Floats
    share: Floats
    starts: Ints

    @property
    def size(self) -> int:
        """Number of domains, K."""
        return len(self.starts) - 1

    def quantile(self, q: ArrayLike, rule: Rule = "math") -> Floats:
        """The q-quantile of each domain; NaN for an empty domain and where q is NaN or not within [0, 1].

        Parameters
        ----------
        q
            One number for all domains, or one a domain; shape () or (K,).
        rule
            ``math``, ``school`` or ``hf7``.

        Raises
        ------
        UsageError
            If the rule is unknown.

        Examples
        --------
        >>> four = distribution([1, 2, 3, 4], [1, 1, 1, 1])
        >>> [float(four.quantile(0.5, rule)[0]) for rule in ("math", "school", "hf7")]
        [2.0, 2.5, 2.5]
        """
        if rule not in RULES:
            raise UsageError(problem("quantile-choice", what="rule of quantiles", given=rule, known=", ".join(RULES)))
        wanted = np.broadcast_to(np.asarray(q, dtype=np.float64), (self.size,))
        found = np.full(self.size, np.nan)
        for domain in np.flatnonzero((np.diff(self.starts) > 0) & (wanted >= 0) & (wanted <= 1)).tolist():
            here = slice(self.starts[domain], self.starts[domain + 1])
            found[domain] = RULES[rule](self.x[here], self.share[here], float(wanted[domain]))
        return found

    def share_up_to(self, value: ArrayLike) -> Floats:
        """Share of each domain's weight at or below a value; shape (K,), NaN for an empty domain or value."""
        limits = np.broadcast_to(np.asarray(value, dtype=np.float64), (self.size,))
        found = np.full(self.size, np.nan)
        for domain in np.flatnonzero((np.diff(self.starts) > 0) & ~np.isnan(limits)).tolist():
            start, end = int(self.starts[domain]), int(self.starts[domain + 1])
            below = int(np.searchsorted(self.x[start:end], limits[domain], side="right"))
            found[domain] = self.share[start + below - 1] if below else 0.0
        return found


def distribution(x: ArrayLike, weights: ArrayLike, domain: Ints | None = None, domains: int = 1) -> Distribution:
    """Weighted distribution of a variable in each domain.

    Parameters
    ----------
    x
        Shape (n,). Rows without a value must be left out (domain −1) by the caller's rule for missing answers.
    weights
        Shape (n,), not negative; rows with the weight 0 do not count.
    domain, domains
        Domain of each row, −1 for none; how many there are. Default: all rows are one domain.

    Raises
    ------
    ValueError
        If a row of a domain has no value, or a weight that is negative or missing.

    Examples
    --------
    >>> two = distribution([5, 1, 9, 7], [1, 2, 1, 1], np.array([0, 0, 1, -1]), 3)
    >>> two.quantile(0.5)
    array([ 1.,  9., nan])
    """
    values, w = np.asarray(x, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    at = np.zeros(len(values), dtype=np.int64) if domain is None else np.asarray(domain)
    kept = np.flatnonzero((at >= 0) & (w != 0))
    values, w, at = values[kept], w[kept], at[kept]
    if np.isnan(values).any() or not np.all(w > 0):
        raise ValueError("a row of a domain has no value, or a weight that is negative or missing")
    order = np.lexsort((w, values, at))  # by weight too: row order must not matter where values are equal
    values, w, at = values[order], w[order], at[order]
    starts = np.searchsorted(at, np.arange(domains + 1))
    share = np.empty(len(w))
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        total = np.cumsum(w[start:end])
        share[start:end] = total / total[-1] if end > start else total
    return Distribution(values, share, starts)


def weighted_quantile(x: ArrayLike, weights: ArrayLike, q: float, rule: Rule = "math") -> float:
    """The q-quantile of weighted values, as R survey's `svyquantile` (survey ≥ 4.1) with the same `qrule`.

    One difference, on purpose: where the first value alone has more than the share q, R 4.1.1 gives the second value.

    Source: Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50: 361–365.

    Examples
    --------
    >>> weighted_quantile([10, 20, 30], [1, 1, 8], 0.5)
    30.0
    """
    return float(distribution(x, weights).quantile(q, rule)[0])


def at_or_below(x: ArrayLike, value: Floats, domain: Ints | None = None) -> Floats:
    """1 where a row's value is at most its domain's, else 0: the variable whose mean's error `woodruff` needs.

    Parameters
    ----------
    x, domain
        As in `distribution`; rows of no domain (−1) give 0.
    value
        Quantile of each domain; shape (K,).

    Examples
    --------
    >>> at_or_below([5, 1, 9], np.array([1.0, 9.0]), np.array([0, 0, 1]))
    array([0., 1., 1.])
    """
    values = np.asarray(x, dtype=np.float64)
    at = np.zeros(len(values), dtype=np.int64) if domain is None else np.asarray(domain)
    return np.asarray((at >= 0) & (values <= value[np.maximum(at, 0)]), dtype=np.float64)


def woodruff(
    distributions: Distribution,
    q: float,
    share: ArrayLike,
    se: ArrayLike,
    df: ArrayLike,
    *,
    rule: Rule = "math",
    level: float = 0.95,
    interval: ShareInterval = "mean",
    respondents: ArrayLike | None = None,
) -> Quantiles:
    """Quantiles of domains with Woodruff's intervals.

    The share at or below the estimated quantile has an interval as any proportion; the quantiles at its two limits are
    those of the quantile. The standard error is the length of the interval over twice t, as in R survey.

    Source: Woodruff (1952), Confidence intervals for medians and other position measures, Journal of the American
    Statistical Association 47: 635–646; R survey 4.1.1 `svyquantile` (`interval.type`: mean, beta, and xlogit, which is
    ``logit`` here).

    Parameters
    ----------
    distributions
        Of the K domains.
    q
        Which quantile, between 0 and 1.
    share, se, df
        Estimate, standard error and degrees of freedom of the mean of `at_or_below`, from the design; shape (K,) or
        one number.
    interval
        Of the share: ``mean`` (share ± t se), ``beta`` (Korn & Graubard) or ``logit``.
    respondents
        For ``beta``: unweighted respondents in each domain; shape (K,).

    Returns
    -------
    Quantiles
        A limit is NaN where that of the share lies outside [0, 1]: the sample does not tell how far it may be off. Both
        are NaN where no respondent has a larger value (R: the value itself, as if it were certain).

    Examples
    --------
    >>> hundred = distribution(np.arange(1, 101), np.ones(100))
    >>> [float(part[0]) for part in woodruff(hundred, 0.5, 0.5, 0.05, np.inf)]
    [50.0, 41.0, 60.0, 4.847...]
    """
    if interval not in ("mean", "beta", "logit"):
        known = "mean, beta, logit"
        raise UsageError(problem("quantile-choice", what="interval of quantiles", given=interval, known=known))
    if interval == "beta" and respondents is None:
        raise ValueError("the interval beta needs the number of respondents")
    shape = (distributions.size,)
    p, error, free = (np.broadcast_to(np.asarray(one, dtype=np.float64), shape) for one in (share, se, df))
    tail = (1 - level) / 2
    t = _student(free, tail)
    with np.errstate(divide="ignore", invalid="ignore"):
        if interval == "mean":
            low, high = p - t * error, p + t * error
        elif interval == "logit":
            centre, reach = special.logit(p), t * error / (p * (1 - p))
            low, high = special.expit(centre - reach), special.expit(centre + reach)
        else:
            low, high = _beta(p, error, t, np.asarray(respondents, dtype=np.float64), tail)
    nothing = (p >= 1 - CLOSE) & (error <= CLOSE)
    low, high = np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)
    lower, upper = distributions.quantile(low, rule), distributions.quantile(high, rule)
    return Quantiles(distributions.quantile(q, rule), lower, upper, (upper - lower) / (2 * t))


def _beta(p: Floats, se: Floats, t: Floats, n: Floats, tail: float) -> tuple[Floats, Floats]:
    """Korn and Graubard's interval of a share, on the effective number of respondents."""
    effective = p * (1 - p) / se**2 * (_student(n - 1, tail) / t) ** 2
    low = special.betaincinv(effective * p, effective * (1 - p) + 1, tail)
    high = special.betaincinv(effective * p + 1, effective * (1 - p), 1 - tail)
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def _student(df: Floats, tail: float) -> Floats:
    """Quantile of Student's t; NaN without degrees of freedom."""
    return np.asarray(special.stdtrit(np.where(df > 0, df, np.nan), 1 - tail), dtype=np.float64)


def _math(x: Floats, share: Floats, q: float) -> float:
    return float(x[min(int(np.searchsorted(share, q - CLOSE)), len(x) - 1)])


def _school(x: Floats, share: Floats, q: float) -> float:
    at = min(int(np.searchsorted(share, q - CLOSE)), len(x) - 1)
    exactly = abs(share[at] - q) <= CLOSE and at + 1 < len(x)
    return float((x[at] + x[at + 1]) / 2 if exactly else x[at])


def _hf7(x: Floats, share: Floats, q: float) -> float:
    if len(x) == 1:
        return float(x[0])
    return float(np.interp(q, np.concatenate([[0.0], share[:-1]]) / share[-2], x))


#: What each rule does in one domain.
RULES = {"math": _math, "school": _school, "hf7": _hf7}
