"""Classes of a map: as many places in each as can be, between limits that a person can read."""

from __future__ import annotations

import numpy as np


def round_to(value: float, digits: int = 2) -> float:
    """A number with so many significant digits.

    Examples
    --------
    >>> round_to(1234.0), round_to(0.01264)
    (1200.0, 0.013)
    """
    return float(f"{value:.{digits - 1}e}")


def breaks(values: np.ndarray, classes: int = 5) -> list[float]:
    """Inner limits of the classes: quantiles, rounded to two significant digits, or more where two do not part them.

    Parameters
    ----------
    values
        (n,) values; nan is left out.
    classes
        Most classes wanted; fewer come out where the values are few or alike.

    Returns
    -------
    list of float
        Rising limits, at most `classes - 1`; a value that equals a limit belongs to the class above it. No class is
        empty.

    Examples
    --------
    >>> breaks(np.arange(1, 101.0))
    [21.0, 41.0, 61.0, 81.0]
    >>> breaks(np.array([3.0, 3.0]))
    []
    """
    known = np.asarray(values, dtype=np.float64)
    known = np.sort(known[np.isfinite(known)])
    distinct = np.unique(known)
    classes = min(classes, len(distinct))
    if classes < 2:
        return []
    cuts = np.quantile(known, np.arange(1, classes) / classes, method="higher")
    best: list[float] = []
    for digits in (2, 3, 4):
        limits = _filled(known, [round_to(cut, digits) for cut in cuts])
        if len(limits) > len(best):
            best = limits
    return best or [float(distinct[-1])]


def _filled(known: np.ndarray, limits: list[float]) -> list[float]:
    """The limits that leave no class empty."""
    kept: list[float] = []
    for limit in sorted(set(limits)):
        below = np.searchsorted(known, limit, side="left")
        before = np.searchsorted(known, kept[-1], side="left") if kept else 0
        if before < below < len(known):
            kept.append(limit)
    return kept


def classify(values: np.ndarray, limits: list[float]) -> np.ndarray:
    """(n,) class of each value from 0; -1 where it is nan.

    Examples
    --------
    >>> classify(np.array([1.0, 5.0, np.nan]), [5.0]).tolist()
    [0, 1, -1]
    """
    found = np.searchsorted(np.asarray(limits, dtype=np.float64), values, side="right")
    return np.where(np.isfinite(values), found, -1)
