"""A small survey by whole-number arithmetic, as in sampling/reference.R: 240 respondents in 27 PSUs of 6 strata.

Answers are missing, `age` is absent from some PSUs, `region` from whole strata; `lone` has two strata of one PSU.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "sampling"
I = np.arange(240)  # noqa: E741 - the R script's name
#: Population totals that weights are tied to.
AGES = {0: 1500, 1: 1400, 2: 1700, 3: 1300}
SEXES = {"F": 3100, "M": 2800}


def columns() -> dict[str, np.ndarray]:
    """Columns of the survey; NaN where an answer is missing."""
    psu = (7 * I + I**2 // 5) % 31
    stratum = psu % 6
    u = ((I * 17) % 11 < 3).astype(float)
    u[I % 13 == 5] = np.nan
    y = ((I * 53) % 41) / 4
    y[I % 19 == 7] = np.nan
    home = psu * 10 + I % 4
    return {
        "psu": psu,
        "w": 10 + (I * 37) % 29 + (I % 7) / 8,
        "y": y,
        "z": ((I * 53) % 41) / 4,
        "den": 15.0 + (I * 29) % 47,
        "v": ((I * 11) % 7 < 2).astype(int),
        "u": u,
        "even": np.full(240, 12.5),
        "sex": np.where((I * 5 + I // 9) % 2 == 0, "F", "M"),
        "age": (psu * 3 + I // 60) % 4,
        "stratum": stratum,
        "local": psu // 6,
        "region": stratum // 2,
        "home": home,
        "house": I % 4,
        "N1": np.array([40, 36, 30, 50, 44, 60])[stratum],
        "N2": 6 + psu % 5,
        "f1": 0.1 + 0.05 * stratum,
        "f2": 0.5 + 0.1 * (psu % 3),
        "lone": np.select([psu == 3, psu == 11], [90, 91], stratum),
        "sure": np.isin(psu, (4, 8)).astype(int),
    }


def replicate_factors() -> tuple[np.ndarray, np.ndarray]:
    """Factors of 10 bootstrap replicates and 8 half-samples; shapes (10, 240) and (8, 240)."""
    b = np.arange(10)[:, None]
    half = np.arange(8)[:, None]
    return 0.5 + ((I * 5 + b * b * 3 + I * b) % 11) / 10, 2.0 * ((I // 2 ** (half % 5) + half) % 2)


def expected(name: str) -> list[dict[str, str]]:
    """Rows of a file that reference.R wrote."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
