"""Replicate weights, given with a survey or made from its PSUs (jackknife, Rao–Wu bootstrap), and their variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.sampling.spec import Lonely, Replication

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What the replicates are compared with: their own mean (as R survey does unless told otherwise) or the estimate.
Centre = Literal["mean", "estimate"]
#: Kinds whose scale is part of their definition.
SCALED = ("brr", "fay", "sdr")
#: Replicate weights so many times larger or smaller on average than they should be are taken for something else.
FAR = 5.0
#: Singular values below this share of the largest count as none in the rank of replicate weights, as in R survey.
RANK = 1e-5


@dataclass(frozen=True)
class Replicates:
    """Replicates of a survey and how a variance is made of them.

    Parameters
    ----------
    kind
        How they were made.
    scale, rscales
        The variance is scale · Σ rscales (θ_r − centre)²; `rscales` has the shape (R,).
    df
        Degrees of freedom: rank of the replicate weights − 1.
    centre
        What replicates are compared with.
    weights
        Given replicates: the full weight of each respondent in each replicate; shape (R, n).
    multipliers
        Made replicates: by what the weights of each PSU are multiplied; shape (R, units).
    dropped, strata
        Jackknife, in place of multipliers: the PSU that each replicate does without, shape (R,), and the stratum of
        each PSU, shape (units,).
    """

    kind: str
    scale: float
    rscales: Floats
    df: float
    centre: Centre = "mean"
    weights: Floats | None = None
    multipliers: Floats | None = None
    dropped: Ints | None = None
    strata: Ints | None = None

    @property
    def size(self) -> int:
        """Number of replicates, R."""
        return len(self.rscales)

    @cached_property
    def factors(self) -> Floats | None:
        """By what the weights of each PSU are multiplied; shape (R, units). None for given replicates."""
        if self.dropped is None or self.strata is None:
            return self.multipliers
        return self.totals(np.eye(len(self.strata)))

    def totals(self, sums: Floats) -> Floats:
        """Weighted totals in each replicate; shape (R, K).

        Parameters
        ----------
        sums
            Made replicates: Σ w x of each PSU, in the order of the PSUs; shape (units, K). Given replicates: x of each
            respondent; shape (n, K).
        """
        if self.dropped is not None and self.strata is not None:
            return _without(sums, self.dropped, self.strata)
        by = self.multipliers if self.weights is None else self.weights
        if by is None:
            raise ValueError("replicates need weights, multipliers or the PSUs they do without")
        return np.asarray(by @ sums)


def jackknife(
    strata: ArrayLike,
    *,
    left: ArrayLike | None = None,
    lonely: Lonely = "fail",
    names: Sequence[str] | None = None,
    centre: Centre = "mean",
) -> Replicates:
    """Jackknife: each replicate does without one PSU, and the others of its stratum make up for it.

    JK1 for one stratum, else JKn. Strata that were drawn in full have no replicates. Source: Wolter (2007),
    Introduction to variance estimation, chapter 4; scales with finite populations as R survey `as.svrepdesign`.

    Parameters
    ----------
    strata
        Stratum of each PSU, from 0; shape (units,).
    left
        Share of each stratum's PSUs in the population that was not drawn, (N − n) / N; shape (strata,). Default 1.
    lonely
        A stratum of one PSU: ``fail``, or ``certainty`` and ``remove``, which give it no replicate.
    names
        Names of the strata, for problems.

    Raises
    ------
    SafercitiesError
        If a stratum has one PSU and the rule is ``fail``.
    UsageError
        If the rule for lonely PSUs has no jackknife.

    Examples
    --------
    >>> made = jackknife([0, 0, 0])
    >>> made.kind, made.scale, made.df
    ('jk1', 0.6666666666666666, 2.0)
    >>> made.factors[0]
    array([0. , 1.5, 1.5])
    """
    if lonely not in ("fail", "certainty", "remove"):
        known = "fail, certainty, remove"
        raise UsageError(problem("replicates-lonely-rule", given=lonely, kind="the jackknife", known=known))
    stratum = np.asarray(strata, dtype=np.int64)
    drawn = np.bincount(stratum)
    rest = np.ones(len(drawn)) if left is None else np.asarray(left, dtype=np.float64)
    if lonely == "fail":
        _no_lonely((drawn == 1) & (rest > 0), names)
    dropped = np.flatnonzero((rest > 0)[stratum] & (drawn > 1)[stratum])
    its = stratum[dropped]
    parts = rest[its] * (drawn[its] - 1) / drawn[its]
    one = len(drawn) == 1
    scale = float(parts[0]) if one and len(parts) else 1.0
    rscales = np.ones(len(parts)) if one else parts
    df = float(len(dropped) - len(np.unique(its)))
    return Replicates("jk1" if one else "jkn", scale, rscales, df, centre, dropped=dropped, strata=stratum)


def rao_wu(
    strata: ArrayLike,
    replicates: int,
    seed: int,
    *,
    left: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    centre: Centre = "mean",
) -> Replicates:
    """Rescaled bootstrap: n_h − 1 of the n_h PSUs of each stratum are drawn with replacement, and weighted up.

    Source: Rao & Wu (1988), Resampling inference with complex survey data, Journal of the American Statistical
    Association 83: 231–241; Rao, Wu & Yue (1992), Survey Methodology 18: 209–217. As R survey's `subbootstrap`.

    Parameters
    ----------
    strata
        Stratum of each PSU, from 0; shape (units,). The draws depend on their order.
    replicates, seed
        How many, and what they are drawn with.
    left
        Share of each stratum's PSUs in the population that was not drawn, (N − n) / N; shape (strata,). Default 1.
        Factors shrink towards 1 by its root, which makes the variance (of totals) that of a finite population.

    Raises
    ------
    SafercitiesError
        If a stratum has one PSU of several, or there are fewer than 2 replicates.

    Examples
    --------
    >>> made = rao_wu([0, 0, 0, 1, 1], 3, seed=1)
    >>> made.factors.sum(axis=1)
    array([5., 5., 5.])
    """
    if replicates < 2:
        raise UsageError(problem("replicates-number", given=replicates))
    stratum = np.asarray(strata, dtype=np.int64)
    drawn = np.bincount(stratum)
    rest = np.ones(len(drawn)) if left is None else np.asarray(left, dtype=np.float64)
    _no_lonely((drawn == 1) & (rest > 0), names)
    rng = np.random.default_rng(seed)
    factors = np.ones((replicates, len(stratum)))
    for number, n in enumerate(drawn.tolist()):
        if n > 1:
            times = rng.multinomial(n - 1, np.full(n, 1 / n), size=replicates)
            factors[:, stratum == number] = 1 + np.sqrt(rest[number]) * (times * (n / (n - 1)) - 1)
    df = float(rank(factors) - 1)
    return Replicates("bootstrap", 1 / (replicates - 1), np.ones(replicates), df, centre, multipliers=factors)


def given(
    kind: Replication,
    weights: ArrayLike,
    base: ArrayLike,
    *,
    combined: bool = True,
    fay: float | None = None,
    scale: float | None = None,
    rscales: ArrayLike | None = None,
    centre: Centre = "mean",
) -> Replicates:
    """Replicate weights that came with the survey.

    The scale that a kind has by definition is as in R survey `svrepdesign`: brr 1/R, fay 1/(R (1 − rho)²), sdr
    (successive differences) 4/R. Where none is given: jk1 (R − 1)/R, bootstrap 1/(R − 1), jkn 1. Sources: Judkins
    (1990), Journal of Official Statistics 6: 223–239 (Fay); Fay & Train (1995) (successive differences).

    Parameters
    ----------
    kind
        ``brr``, ``fay``, ``jk1``, ``jkn``, ``bootstrap``, ``sdr`` or ``other``.
    weights
        Of each respondent in each replicate; shape (R, n).
    base
        The survey's weights; shape (n,).
    combined
        True: `weights` are full weights. False: they are factors on `base`.
    fay
        Fay's rho, from 0 to below 1; needed for ``fay``.
    scale, rscales
        As the survey's documentation says; ``other`` needs `scale`, ``jkn`` with combined weights `rscales`, of the
        shape (R,) or one number.

    Raises
    ------
    SafercitiesError
        If weights are missing, or the replicates do not look like what they are said to be.
    UsageError
        If the settings do not fit the kind.

    Examples
    --------
    >>> given("sdr", [[2, 0], [0, 2], [1, 1], [1, 1]], [10, 10], combined=False).scale
    1.0
    """
    table, full = np.asarray(weights, dtype=np.float64), np.asarray(base, dtype=np.float64)
    _check_table(table, full, combined)
    _check_settings(kind, fay, scale, rscales, combined)
    size = len(table)
    factor = {"brr": 1 / size, "sdr": 4 / size, "jk1": (size - 1) / size, "bootstrap": 1 / (size - 1)}.get(kind, 1.0)
    if kind == "fay" and fay is not None:
        factor = 1 / (size * (1 - fay) ** 2)
    parts = 1 / table.max(axis=1) if kind == "jkn" and rscales is None else _rscales(kind, rscales, size)
    made = table if combined else table * full
    return Replicates(
        kind, factor if scale is None else float(scale), parts, float(rank(table) - 1), centre, weights=made
    )


def variance(theta: ArrayLike, estimate: ArrayLike, replicates: Replicates) -> Floats:
    """Variances of K statistics from their values in the replicates.

    Parameters
    ----------
    theta
        Value in each replicate; shape (R, K).
    estimate
        Value with the full weights; shape (K,). Used where `replicates.centre` is ``estimate``.

    Returns
    -------
    Floats
        Shape (K,). NaN where a statistic has no value in a replicate (the only PSU with members of the domain was left
        out, say): the other replicates alone would understate it. R survey drops such replicates and warns.

    Examples
    --------
    >>> made = jackknife([0, 0, 0])  # means of three independent values: the textbook's s²/n
    >>> theta = made.totals(np.array([[1.0], [2.0], [6.0]])) / 3
    >>> variance(theta, [3.0], made), float(np.var([1, 2, 6], ddof=1) / 3)
    (array([2.33333333]), 2.3333333333333335)
    """
    gaps = _deviations(theta, estimate, replicates)
    return replicates.scale * np.asarray(np.einsum("rk,rk,r->k", gaps, gaps, replicates.rscales))


def covariance(theta: ArrayLike, estimate: ArrayLike, replicates: Replicates) -> Floats:
    """Covariance matrix of K statistics; shape (K, K). Parameters as `variance`.

    Examples
    --------
    >>> covariance([[1.0, 2.0], [3.0, 6.0]], [2.0, 4.0], given("brr", [[2, 0], [0, 2]], [1, 1]))
    array([[1., 2.],
           [2., 4.]])
    """
    gaps = _deviations(theta, estimate, replicates)
    return replicates.scale * np.asarray((gaps * replicates.rscales[:, None]).T @ gaps)


def rank(table: Floats) -> int:
    """Rank of replicate weights (R, n), from their products (R, R): n may be large. A full rank shows in some columns.

    Examples
    --------
    >>> rank(np.array([[1.0, 1, 1], [2, 0, 1], [0, 2, 1]]))
    2
    """
    few = table[:, :: max(1, table.shape[1] // (8 * len(table)))]
    found = _rank(few)
    return found if found == len(table) or few.shape == table.shape else _rank(table)


def _rank(table: Floats) -> int:
    size = np.linalg.norm(table, axis=1)
    rows = table / np.where(size > 0, size, 1)[:, None]
    values = np.linalg.eigvalsh(rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows)
    return int(np.count_nonzero(values > RANK**2 * values[-1]))


def _without(sums: Floats, dropped: Ints, strata: Ints) -> Floats:
    """Totals without each of some PSUs: the rest of the stratum, weighted up, takes its place."""
    drawn = np.bincount(strata)
    of_stratum = np.zeros((len(drawn), sums.shape[1]))
    np.add.at(of_stratum, strata, sums)
    its = strata[dropped]
    up = (drawn[its] / (drawn[its] - 1))[:, None]
    others: Floats = of_stratum[its] - sums[dropped]
    return np.asarray(sums.sum(axis=0) - of_stratum[its] + up * others, dtype=np.float64)


def _no_lonely(lonely: NDArray[np.bool_], names: Sequence[str] | None) -> None:
    if lonely.any():
        first = int(np.flatnonzero(lonely)[0])
        raise SafercitiesError(problem("replicates-lonely", stratum=names[first] if names else first))


def _deviations(theta: ArrayLike, estimate: ArrayLike, replicates: Replicates) -> Floats:
    """Deviations of the replicates from their centre; shape (R, K)."""
    values = np.asarray(theta, dtype=np.float64)
    if replicates.centre == "estimate" or not len(values):
        return values - np.asarray(estimate, dtype=np.float64)
    return np.asarray(values - values[replicates.rscales > 0].mean(axis=0))


def _rscales(kind: str, rscales: ArrayLike | None, size: int) -> Floats:
    parts = np.ones(size) if rscales is None else np.asarray(rscales, dtype=np.float64)
    if parts.ndim == 0:
        parts = np.full(size, float(parts))
    if parts.shape != (size,) or not (np.all(parts >= 0) and np.any(parts > 0) and np.isfinite(parts).all()):
        shown = f"{len(parts)} numbers" if parts.shape != (size,) else "numbers below 0, or only 0"
        hint = f"give {size} numbers, one a replicate, not below 0"
        raise UsageError(problem("replicates-setting", name="rscales", given=shown, kind=kind, hint=hint))
    return parts


def _check_settings(
    kind: Replication, fay: float | None, scale: float | None, rscales: ArrayLike | None, combined: bool
) -> None:
    """What a kind needs, and what it has no use for."""
    for name, lacking in (
        ("fay", kind == "fay" and fay is None),
        ("scale", kind == "other" and scale is None),
        ("rscales", kind == "jkn" and combined and rscales is None),
    ):
        if lacking:
            raise UsageError(problem("replicates-scale-missing", kind=kind, name=name))
    if fay is not None and (kind != "fay" or not 0 <= fay < 1):
        hint = "give a rho from 0 to below 1 with the kind fay, and none with others"
        raise UsageError(problem("replicates-setting", name="fay", given=fay, kind=kind, hint=hint))
    for name, value in (("scale", scale), ("rscales", rscales)):
        if value is not None and kind in SCALED:
            hint = 'this kind has its own scale: leave it out, or say kind = "other"'
            raise UsageError(problem("replicates-setting", name=name, given=value, kind=kind, hint=hint))
    if scale is not None and not (scale > 0 and np.isfinite(scale)):
        raise UsageError(
            problem("replicates-setting", name="scale", given=scale, kind=kind, hint="give a number above 0")
        )


def _check_table(table: Floats, base: Floats, combined: bool) -> None:
    if table.ndim != 2 or table.shape[1] != len(base):
        raise SafercitiesError(problem("replicates-shape", given=table.shape[-1], respondents=len(base)))
    if len(table) < 2:
        raise SafercitiesError(problem("replicates-number", given=len(table)))
    bad = np.count_nonzero(~np.isfinite(table), axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise SafercitiesError(problem("replicates-missing", replicate=first + 1, respondents=int(bad[first])))
    ratio = float(table.mean() / (base.mean() if combined else 1.0))
    if not 1 / FAR < ratio < FAR:
        said, other = ("full weights", "false") if combined else ("factors on the weights", "true")
        shown = f"{table.mean() / base.mean():.3g}"
        raise SafercitiesError(problem("replicates-combined", ratio=shown, given=said, other_choice=other))
