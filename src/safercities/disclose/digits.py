"""Digits that a number may show: preferred numbers, bands of counts, rounding to a unit, limits rounded outward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Units that values are rounded to, and edges of bands: 1, 2, 5, 10, 20, 50 …
UNITS = (1.0, 2.0, 5.0, 10.0)
#: What standard errors are rounded up to: each is 1.2 to 1.33 times the one before (after the R10 series of ISO 3).
SPREADS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
#: What lies this close to a step, relative to it, stands on it: the rest is rounding in binary fractions.
ON_STEP = 1e-9


def up(values: ArrayLike, series: Sequence[float] = SPREADS) -> Floats:
    """The smallest number of a series, times a power of ten, that is no smaller; NaN where the value is not above 0.

    Examples
    --------
    >>> up([3.67, 0.031, 8.1, 0.0]).tolist()
    [4.0, 0.04, 10.0, nan]
    >>> up([3.67, 0.5], UNITS).tolist()
    [5.0, 0.5]
    """
    found, power = _mantissas(values)
    steps = np.asarray(series)
    at = np.minimum(np.searchsorted(steps, found * (1 - ON_STEP)), len(steps) - 1)
    return np.asarray(np.where(np.isnan(found), np.nan, _times(steps[at], power)))


def before(values: ArrayLike) -> Floats:
    """The number of `SPREADS` that comes before each of them; NaN where the value is not above 0.

    Examples
    --------
    >>> before([4.0, 1.0]).tolist()
    [3.0, 0.8]
    """
    found, power = _mantissas(values)
    steps = np.asarray((SPREADS[-2] / 10, *SPREADS))
    at = np.searchsorted(steps, found * (1 - ON_STEP)) - 1
    return np.asarray(np.where(np.isnan(found), np.nan, _times(steps[np.maximum(at, 0)], power)))


def bands(counts: ArrayLike) -> tuple[Integers, Integers]:
    """First and last number of the band that each count lies in: 0, 1, 2–4, 5–9, 10–19, 20–49, 50–99, 100–199 …

    Examples
    --------
    >>> first, last = bands([0, 7, 10, 199, 3_000])
    >>> first.tolist(), last.tolist()
    ([0, 5, 10, 100, 2000], [0, 9, 19, 199, 4999])
    """
    whole = np.atleast_1d(np.asarray(counts, dtype=np.int64))
    most = int(whole.max(initial=0))
    edges = [0]
    while edges[-1] <= most:
        power = 10 ** ((len(edges) - 1) // 3)
        edges.append((1, 2, 5)[(len(edges) - 1) % 3] * power)
    all_edges = np.array(edges, dtype=np.int64)
    at = np.searchsorted(all_edges, whole, side="right") - 1
    return all_edges[at], all_edges[at + 1] - 1


def nearest(values: ArrayLike, unit: ArrayLike) -> Floats:
    """Values rounded to whole units, halves to the even one.

    Examples
    --------
    >>> nearest([64.85, 0.123], [2, 0.05]).tolist()
    [64.0, 0.1]
    """
    steps = np.asarray(unit, dtype=np.float64)
    with np.errstate(all="ignore"):
        return tidy(np.rint(np.asarray(values, dtype=np.float64) / steps) * steps)


def outward(lower: ArrayLike, upper: ArrayLike, unit: ArrayLike) -> tuple[Floats, Floats]:
    """Limits rounded away from each other to whole units.

    Examples
    --------
    >>> low, high = outward([56.61], [72.49], [0.5])
    >>> low.tolist(), high.tolist()
    ([56.5], [72.5])
    """
    steps = np.asarray(unit, dtype=np.float64)
    with np.errstate(all="ignore"):
        low = np.floor(np.asarray(lower, dtype=np.float64) / steps + ON_STEP) * steps
        high = np.ceil(np.asarray(upper, dtype=np.float64) / steps - ON_STEP) * steps
    return tidy(low), tidy(high)


def tidy(values: ArrayLike) -> Floats:
    """Numbers without the dust of binary fractions, so that the same number is always the same bytes."""
    given = np.atleast_1d(np.asarray(values, dtype=np.float64))
    each, where = np.unique(given, return_inverse=True)
    clean = np.array([float(f"{one:.10g}") + 0.0 for one in each.tolist()])
    return np.asarray(clean[where].reshape(given.shape) if len(each) else given)


def _mantissas(values: ArrayLike) -> tuple[Floats, Integers]:
    """Mantissas from 1 to 10 and powers of ten; NaN where a value is not above 0."""
    given = np.atleast_1d(np.asarray(values, dtype=np.float64))
    usable = np.where((given > 0) & np.isfinite(given), given, np.nan)
    power = np.floor(np.log10(np.where(np.isnan(usable), 1.0, usable)))
    return usable / 10.0**power, power.astype(np.int64)


def _times(steps: Floats, power: Integers) -> Floats:
    return tidy([float(f"{step:.10g}e{exponent}") for step, exponent in zip(steps, power.tolist(), strict=True)])
