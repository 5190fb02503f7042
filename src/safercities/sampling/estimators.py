"""Estimates and their variances in every domain: Taylor linearisation in its centred residual form, or replicates.

The variance of a ratio θ = Σ w·x / Σ w·d in a domain is that of the total of (x − θ·d) / Σ w·d, its residuals added up
by sampling unit; a unit without members of the domain counts as 0 (Särndal, Swensson and Wretman 1992, section 5.5;
Lumley 2004). For weights tied to population totals the residual is that of the regression on the variables of these
totals (Deville and Särndal 1992).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safercities.sampling.statistics import Statistic
from safercities.sampling.sums import Cells, Variable
from safercities.sampling.units import Floats, Ints, Units

if TYPE_CHECKING:
    from safercities.sampling.projection import Projection
    from safercities.sampling.replicates import Replicates

#: A standard error below this share of its value is 0: the rest is rounding in the sums.
NO_SPREAD = 1e-11
#: Cells of a matrix domains × units that is made at a time where the totals are a list of pairs.
BLOCK = 1 << 22


@dataclass(frozen=True)
class Result:
    """One statistic in every domain of a breakdown; arrays of shape (domains,).

    Parameters
    ----------
    value, se
        NaN in a domain without respondents.
    n, n_positive, unanswered
        Respondents who count, those above 0, and those without a usable answer.
    denominator
        Σ w·d.
    deff
        Variance over that of a simple random sample of the same size without replacement; NaN where not defined.
    psus, strata
        In which the domain has respondents who count.
    lonely
        Whether one of these strata has a single PSU.
    """

    value: Floats
    se: Floats
    n: Floats
    n_positive: Floats
    unanswered: Floats
    denominator: Floats
    deff: Floats
    psus: Ints
    strata: Ints
    lonely: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sample:
    """What the variance needs to know beside the cells.

    Parameters
    ----------
    units, unit
        Sampling units, and the unit of each row.
    weights
        Weight of each row; shape (n,).
    projections
        Of weights that were tied to population totals, in order.
    replicates
        Replicate weights; None: linearisation.
    """

    units: Units
    unit: Ints
    weights: Floats
    projections: tuple[Projection, ...] = ()
    replicates: Replicates | None = None


def estimate(statistic: Statistic, cells: Cells, sample: Sample) -> Result:
    """A statistic in every domain of a breakdown."""
    totals, below = cells.totals(statistic.x), cells.totals(statistic.d)
    members = below if statistic.d is statistic.base else cells.totals(statistic.base)
    x, d, whole = cells.sum(totals), cells.sum(below), cells.sum(members)
    n, positive, unanswered = statistic.counted(cells)
    value = x if statistic.kind == "total" else np.divide(x, d, out=np.full(cells.size, np.nan), where=d != 0)
    if sample.replicates is not None:
        variance = _replicated(statistic, cells, sample, value)
    else:
        variance = linearised(statistic, cells, sample, value, d)
    value, variance = np.where(n > 0, value, np.nan), np.where(n > 0, variance, np.nan)
    variance = np.where(variance <= (NO_SPREAD * value) ** 2, 0.0, variance)
    deff = _design_effect(statistic, cells, variance, value, x, d, whole, n)
    psus, strata, lonely = cells.present(statistic.base)
    return Result(value, np.sqrt(np.maximum(variance, 0)), n, positive, unanswered, d, deff, psus, strata, lonely)


def linearised(statistic: Statistic, cells: Cells, sample: Sample, value: Floats, d: Floats) -> Floats:
    """Variance by linearisation; shape (domains,)."""
    scale = np.ones(cells.size) if statistic.kind == "total" else d
    scale = np.where(scale == 0, np.nan, scale)
    if sample.projections:
        return _projected_variance(statistic, cells, sample, value) / scale**2
    totals, members = cells.totals(statistic.x), cells.totals(statistic.base)
    if statistic.kind == "total":
        return cells.variance(totals, members)
    return cells.variance(totals, members, np.nan_to_num(value), cells.totals(statistic.d)) / scale**2


def influences(statistic: Statistic, cells: Cells, sample: Sample, value: Floats, domains: Ints) -> Floats:
    """Linearised variable of some domains, added up by finest unit; shape (len(domains), units)."""
    z = cells.columns(cells.totals(statistic.x), domains)
    if statistic.kind != "total":
        below = cells.columns(cells.totals(statistic.d), domains)
        z = z - np.nan_to_num(value[domains])[:, None] * below
    for unit_x, coefficients in _coefficients(statistic, cells, sample, value):
        z = z - coefficients[:, domains].T @ unit_x
    if statistic.kind == "total":
        return z
    d = cells.sum(cells.totals(statistic.d))[domains]
    return z / np.where(d == 0, np.nan, d)[:, None]


def _projected_variance(statistic: Statistic, cells: Cells, sample: Sample, value: Floats) -> Floats:
    """Variance of the residuals of the regression on the variables of the population totals, before scaling."""
    regressions = list(_coefficients(statistic, cells, sample, value))
    step = max(1, BLOCK // max(sample.units.size, 1))
    parts = []
    for start in range(0, cells.size, step):
        domains = np.arange(start, min(start + step, cells.size))
        z = cells.columns(cells.totals(statistic.x), domains)
        if statistic.kind != "total":
            z = z - np.nan_to_num(value[domains])[:, None] * cells.columns(cells.totals(statistic.d), domains)
        for unit_x, coefficients in regressions:
            z = z - coefficients[:, domains].T @ unit_x
        everywhere = np.ones_like(z)  # residuals reach beyond the domain
        parts.append(sample.units.variances(z, everywhere))
    return np.concatenate(parts)


def _coefficients(statistic: Statistic, cells: Cells, sample: Sample, value: Floats) -> Iterator[tuple[Floats, Floats]]:
    """For each projection: Σ w·x of its variables by unit (P, units), and coefficients of each domain (P, domains)."""
    done: list[tuple[Projection, Floats]] = []
    for one in sample.projections:
        raw = _moments(statistic.x, one, cells, sample)
        if statistic.kind != "total":
            raw = raw - np.nan_to_num(value)[None, :] * _moments(statistic.d, one, cells, sample)
        for earlier, coefficients in done:
            raw = raw - one.cross(earlier.x) @ coefficients
        coefficients = one.gram_inverse @ raw
        done.append((one, coefficients))
        yield one.unit_totals(sample.weights, sample.unit, sample.units.size).T, coefficients


def _moments(variable: Variable, one: Projection, cells: Cells, sample: Sample) -> Floats:
    """Σ v·p·z over each domain for each variable p of a projection, z being the unweighted variable; (P, domains)."""
    rows = slice(None) if variable.rows is None else variable.rows
    z = variable.values / sample.weights[rows] * one.v[rows]
    domain, width = cells.domain[rows].astype(np.int64), len(one.gram_inverse)
    if one.codes is None:
        x = one.x[rows]
        return np.array([np.bincount(domain, weights=z * x[:, p], minlength=cells.size) for p in range(width)])
    if one.size is not None:
        z = z * one.size[rows]
    sums = np.zeros(cells.size * width)
    for codes in one.codes:
        sums += np.bincount(domain * width + codes[rows], weights=z, minlength=len(sums))
    return sums.reshape(cells.size, width).T


def _replicated(statistic: Statistic, cells: Cells, sample: Sample, value: Floats) -> Floats:
    from safercities.sampling import replicates

    assert sample.replicates is not None  # noqa: S101 - the caller checks
    theta = replicate_values(statistic, cells, sample)
    return replicates.variance(theta, value, sample.replicates)


def replicate_values(statistic: Statistic, cells: Cells, sample: Sample) -> Floats:
    """The statistic with each set of replicate weights; shape (replicates, domains)."""
    x = _replicate_sums(statistic.x, cells, sample)
    if statistic.kind == "total":
        return x
    d = _replicate_sums(statistic.d, cells, sample)
    return np.asarray(np.divide(x, d, out=np.full(x.shape, np.nan), where=d != 0))


def _replicate_sums(variable: Variable, cells: Cells, sample: Sample) -> Floats:
    """Totals over each domain with each set of replicate weights; shape (replicates, domains)."""
    made = sample.replicates
    assert made is not None  # noqa: S101 - the caller checks
    if made.weights is not None:
        rows = slice(None) if variable.rows is None else variable.rows
        plain, domain = variable.values / sample.weights[rows], cells.domain[rows]
        return np.array([np.bincount(domain, weights=plain * w[rows], minlength=cells.size) for w in made.weights])
    totals, starts = cells.totals(variable), sample.units.stages[0].starts
    step = max(1, BLOCK // max(sample.units.size, 1))
    blocks = [np.arange(first, min(first + step, cells.size)) for first in range(0, cells.size, step)]
    by_psu = (np.add.reduceat(cells.columns(totals, block), starts, axis=1) for block in blocks)
    return np.concatenate([made.totals(sums.T) for sums in by_psu], axis=1)


def _design_effect(
    statistic: Statistic, cells: Cells, variance: Floats, value: Floats, x: Floats, d: Floats, whole: Floats, n: Floats
) -> Floats:
    """Variance over that of a simple random sample of the same size (Kish 1965); shape (domains,).

    Without replacement from a population of Σ w, where that is larger than the sample; else (weights that add up to
    the sample) with replacement.
    """
    squares = statistic.squared(cells, value, x, whole if statistic.kind == "total" else d)
    if statistic.kind == "ratio":
        squares = squares * (whole / np.where(d == 0, np.nan, d)) ** 2
    elif statistic.kind == "total":
        squares = squares * whole**2
    with np.errstate(divide="ignore", invalid="ignore"):
        simple = squares / whole / (n - 1) * np.where(whole > n, (whole - n) / whole, 1)
        good = (n > 1) & (simple > 0)
        return np.asarray(np.where(good, variance / simple, np.nan))
