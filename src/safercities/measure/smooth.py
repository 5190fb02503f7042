"""Empirical-Bayes smoothed rates: small places borrow strength from all places, or from their neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def marshall_global(x: ArrayLike, exposure: ArrayLike) -> Floats:
    """Rates drawn towards the rate of all places together, the more the smaller the place.

    The variance between places is estimated by moments and set to 0 where chance alone explains what is seen: then all
    places get the common rate. A place without exposure (0 or NaN) gets NaN and has no influence.

    Source: Marshall (1991), Mapping disease and mortality rates using empirical Bayes estimators, Applied Statistics
    40: 283–294.

    Parameters
    ----------
    x, exposure
        Cases and person-years, one a place.

    Returns
    -------
    Rates per person-year, one a place.

    Examples
    --------
    >>> marshall_global([0, 2, 30, 12], [100, 1000, 5000, 4000]).round(5)
    array([0.00425, 0.00389, 0.00527, 0.00368])
    """
    counts, time = _known(x, exposure)
    everyone = np.zeros(counts.size, dtype=np.intp)
    mean, between = _moments(counts, time, everyone, np.arange(counts.size), 1)
    return _drawn(counts, time, mean[everyone], between[everyone])


def marshall_local(x: ArrayLike, exposure: ArrayLike, neighbours: Sequence[Sequence[int]]) -> Floats:
    """Rates drawn towards the rate of each place's neighbourhood: itself and its neighbours.

    Parameters
    ----------
    x, exposure
        Cases and person-years, one a place.
    neighbours
        For each place the positions of its neighbours; the place itself is added where it is not named.

    Returns
    -------
    Rates per person-year. A place without neighbours keeps its raw rate.

    Examples
    --------
    >>> marshall_local([0, 2, 30, 12], [100, 1000, 5000, 4000], [[1], [0, 2], [1, 3], [2]]).round(5)
    array([0.00182, 0.00521, 0.00536, 0.00383])
    """
    counts, time = _known(x, exposure)
    sets = [sorted({own, *others}) for own, others in enumerate(neighbours)]
    if len(sets) != counts.size:
        raise ValueError(f"{counts.size} places, but neighbours of {len(sets)}")
    rows = np.repeat(np.arange(len(sets)), [len(group) for group in sets])
    columns = np.array([other for group in sets for other in group], dtype=np.intp)
    mean, between = _moments(counts, time, rows, columns, len(sets))
    return _drawn(counts, time, mean, between)


def _known(x: ArrayLike, exposure: ArrayLike) -> tuple[Floats, Floats]:
    """Cases and exposure; NaN exposure where there is none."""
    counts, time = np.asarray(x, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    if counts.shape != time.shape or counts.ndim != 1:
        raise ValueError("one count and one exposure a place are needed")
    return counts, np.where((time > 0) & ~np.isnan(counts), time, np.nan)


def _moments(
    counts: Floats, time: Floats, group: NDArray[np.intp], member: NDArray[np.intp], groups: int
) -> tuple[Floats, Floats]:
    """Common rate and variance between places of each group; `group` and `member` are its pairs (group, place)."""
    keep = ~np.isnan(time[member])
    group, member = group[keep], member[keep]
    x, t = counts[member], time[member]

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(group, weights=values, minlength=groups), dtype=np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):
        exposure, places = total(t), total(np.ones_like(t))
        mean = total(x) / exposure
        spread = total(t * (x / t - mean[group]) ** 2) / exposure
        between = spread - mean * places / exposure
    return mean, np.maximum(between, 0.0)


def _drawn(counts: Floats, time: Floats, mean: Floats, between: Floats) -> Floats:
    """Raw rates drawn towards the mean by the share of their variance that is chance."""
    with np.errstate(invalid="ignore"):
        chance = mean / time
        share = np.where(between > 0, between / (between + chance), 0.0)
        return mean + share * (counts / time - mean)
