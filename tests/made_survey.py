"""A small survey by whole-number arithmetic, the same as in tests/sampling/reference_weights.R; and Taylor variances.

120 respondents in 11 PSUs of 4 strata, with unequal weights. `linearised` is the textbook's variance of a total,
written again and plainly, so that tests of weights do not lean on the code that uses them.
"""

from __future__ import annotations

import numpy as np

I = np.arange(120)  # noqa: E741 - the R script's name
PSU = (7 * I + I**2 // 5) % 18
STRATUM = PSU % 4
WEIGHT = (10 + (I * 37) % 29).astype(float)
Y = ((I * 53) % 41) / 4
X = (15 + (I * 29) % 47).astype(float)
G = (I * 5 + I // 7) % 3
H = (I * 3 + I // 11) % 2
#: PSUs of the population, by stratum.
POPULATION = np.array([40.0, 36.0, 30.0, 50.0])
#: PSUs in the order of strata: the stratum of each, and the PSU of each respondent.
PSUS = np.unique(np.column_stack([STRATUM, PSU]), axis=0)
UNIT_STRATUM = PSUS[:, 0]
UNIT = np.searchsorted(PSUS[:, 0] * 100 + PSUS[:, 1], STRATUM * 100 + PSU)


def psu_sums(values: np.ndarray, unit: np.ndarray = UNIT) -> np.ndarray:
    """Sums by PSU; shape (units, K)."""
    columns = np.atleast_2d(values.T)
    return np.column_stack([np.bincount(unit, column) for column in columns])


def linearised(
    influence: np.ndarray, unit: np.ndarray, stratum: np.ndarray, population: np.ndarray | None = None
) -> float:
    """Variance of Σ influence: for each stratum (1 − n/N) n/(n − 1) Σ (t − mean t)²."""
    totals = np.bincount(unit, influence)
    found = 0.0
    for one in np.unique(stratum):
        part = totals[stratum == one]
        left = 1.0 if population is None else 1 - len(part) / population[one]
        found += left * len(part) / (len(part) - 1) * np.sum((part - part.mean()) ** 2)
    return float(found)
