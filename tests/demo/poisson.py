"""Exact Poisson intervals and what they ought to cover, written apart from safercities.measure."""

from __future__ import annotations

import numpy as np
from scipy import stats


def interval(cases: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Garwood's limits for a mean (Garwood 1936, Biometrika 28)."""
    tail = (1 - level) / 2
    lower = np.where(cases > 0, stats.chi2.ppf(tail, 2 * np.maximum(cases, 1)) / 2, 0.0)
    return lower, stats.chi2.ppf(1 - tail, 2 * cases + 2) / 2


def true_coverage(means: np.ndarray) -> np.ndarray:
    """Probability that the interval covers each mean: sum of the probabilities of the counts whose interval does."""
    counts = np.arange(int(means.max() + 12 * np.sqrt(means.max()) + 30))
    lower, upper = interval(counts)
    covers = (lower <= means[:, None]) & (means[:, None] <= upper)
    return (stats.poisson.pmf(counts, means[:, None]) * covers).sum(axis=1)


def surprise(covered: np.ndarray, means: np.ndarray) -> float:
    """Standard deviations by which the number of covered means is off; independent cells."""
    share = true_coverage(means)
    return float((covered.sum() - share.sum()) / np.sqrt((share * (1 - share)).sum()))
