"""Means in which one respondent may be nearly all there is: the p% rule, from what an estimate says of its spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: p of the p% rule, as a share: whoever knows the second largest amount may not know the largest closer than this.
P = 0.10


def dominated(value: Floats, se: Floats, n: Floats, deff: Floats) -> Mask:
    """Where two respondents may hold so much of a total that one of them could tell what the other said.

    The p% rule: a total T is sensitive if T − x₁ − x₂ < p · x₁, where x₁ and x₂ are its largest amounts, for then
    whoever gave x₂ knows x₁ to less than p %. Source: Hundepool and others (2012), Statistical Disclosure Control,
    Wiley, section 4.2.2; Cox (1981), Journal of the American Statistical Association 76.

    Amounts of single respondents are not at hand here. But one amount that is far from the mean shows in the standard
    error. Of amounts from 0 on that add up to T, each weighing the same, x₁ is at most T · (1/n + c), and x₁ + x₂ at
    most T · (2/n + √2 · c), where c is the standard error of people drawn one by one, over the mean (Cauchy–Schwarz).
    So the rule is kept wherever it is kept by these. What is not certain counts as dominated; so does a mean of 0 or
    less, of which no share can be told. Of two standard errors, that of the design and that of people drawn one by one,
    the larger is used.

    Parameters
    ----------
    value, se
        Means or ratios, and their standard errors; shape (rows,).
    n
        Respondents.
    deff
        Design effects; NaN: not known.

    Examples
    --------
    >>> one = np.ones(2)
    >>> amounts = np.array([[10.0] * 50, [0.1] * 49 + [500.0]])
    >>> se = amounts.std(axis=1, ddof=1) / np.sqrt(50)
    >>> dominated(amounts.mean(axis=1), se, 50 * one, one).tolist()
    [False, True]
    """
    with np.errstate(all="ignore"):
        singly = se / np.sqrt(np.where(deff > 0, deff, 1.0))
        spread = np.fmax(se, singly) / value
        largest, both = 1 / n + spread, 2 / n + np.sqrt(2) * spread
        kept = (value > 0) & (1 - both >= P * largest)
    return np.asarray(~kept)
