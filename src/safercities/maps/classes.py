"""Classes of a map: places that are alike share one, between limits that a person can read."""

from __future__ import annotations

import numpy as np

#: More distinct values than this are grouped before they are classed.
MOST = 400


def round_to(value: float, digits: int = 2) -> float:
    """A number with so many significant digits.

    Examples
    --------
    >>> round_to(1234.0), round_to(0.01264)
    (1200.0, 0.013)
    """
    return float(f"{value:.{digits - 1}e}")


def breaks(values: np.ndarray, classes: int = 5) -> list[float]:
    """Inner limits of the classes: where the values part by themselves, at the roundest number in each gap.

    The classes are those with the least spread inside them (exact, by dynamic programming), so that places in one
    colour are alike. Source: W. D. Fisher, "On grouping for maximum homogeneity", JASA 53 (1958).

    Parameters
    ----------
    values
        (n,) values; nan is left out.
    classes
        Most classes wanted; fewer come out where fewer values differ.

    Returns
    -------
    list of float
        Rising limits, at most `classes - 1`; a value that equals a limit belongs to the class above it. No class is
        empty.

    Examples
    --------
    >>> breaks(np.array([1650, 1800, 2100, 2140, 2950, 3550, 3580, 4750.0]))
    [2000.0, 2500.0, 3000.0, 4000.0]
    >>> breaks(np.array([3.0, 3.0]))
    []
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) > MOST:  # the limits are rounded: a few hundred groups of neighbours tell them as well
        groups = np.array_split(np.arange(len(distinct)), MOST)
        ends = np.array([group[-1] for group in groups])
        starts = np.array([group[0] for group in groups])
        means = np.add.reduceat(distinct * counts, starts) / np.add.reduceat(counts, starts)
        first = _natural(means, np.add.reduceat(counts, starts), classes)
        return [_roundest(float(distinct[ends[i - 1]]), float(distinct[starts[i]])) for i in first]
    return [_roundest(float(distinct[i - 1]), float(distinct[i])) for i in _natural(distinct, counts, classes)]


def _natural(values: np.ndarray, weights: np.ndarray, classes: int) -> list[int]:
    """Index of the first value of each class but the lowest, for rising distinct values."""
    n, classes = len(values), min(classes, len(values))
    if classes < 2:
        return []
    values = values - values.mean()  # digits are lost where the squares are large against the spread
    w, v, s = (np.concatenate([[0.0], np.cumsum(weights * values**k)]) for k in (0, 1, 2))
    start, end = np.arange(n)[:, None], np.arange(1, n + 1)[None, :]
    inside = np.full((n, n + 1), np.inf)  # spread of values[start:end] about their mean
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (s[end] - s[start]) - (v[end] - v[start]) ** 2 / (w[end] - w[start])
    inside[:, 1:] = np.where(end > start, np.maximum(spread, 0.0), np.inf)
    best, cuts = inside[0], []
    for _ in range(classes - 1):
        total = best[:n, None] + inside
        cuts.append(np.argmin(total, axis=0))
        best = np.min(total, axis=0)
    found = [n]
    for cut in reversed(cuts):
        found.append(int(cut[found[-1]]))
    return found[:0:-1]


def _roundest(below: float, above: float) -> float:
    """The number in (below, above] with the fewest digits, and of these the one nearest to the middle.

    Examples
    --------
    >>> _roundest(1800.0, 2100.0), _roundest(0.4, 0.41), _roundest(-3.0, 8.0)
    (2000.0, 0.41, 0.0)
    """
    if below < 0 <= above:
        return 0.0
    step = 10.0 ** np.ceil(np.log10(max(abs(below), abs(above))))
    while step > (above - below) * 1e-3:
        for size in (step, step / 2):
            low, high = np.floor(below / size) + 1, np.floor(above / size)
            if low <= high:
                middle = np.round((below + above) / 2 / size)
                return float(f"{np.clip(middle, low, high) * size:.12g}")
        step /= 10
    return above


def classify(values: np.ndarray, limits: list[float]) -> np.ndarray:
    """(n,) class of each value from 0; -1 where it is nan.

    Examples
    --------
    >>> classify(np.array([1.0, 5.0, np.nan]), [5.0]).tolist()
    [0, 1, -1]
    """
    found = np.searchsorted(np.asarray(limits, dtype=np.float64), values, side="right")
    return np.where(np.isfinite(values), found, -1)
