"""What is true of the streets of the synthetic city: the mean rating of each parameter in each neighbourhood."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from safercities.demo.audit_truth import MOST, AuditTruth
from safercities.demo.shape import ground
from safercities.demo.truth import CALMED_DISTRICTS, CALMED_FROM, place_risk

#: The nine parameters of the rubric, each rated 0–3, and their means over the city in the first wave.
PARAMETERS: dict[str, float] = {
    "lighting": 1.5,
    "openness": 1.7,
    "visibility": 1.4,
    "people": 1.6,
    "security": 1.0,
    "walkpath": 1.5,
    "transport": 1.8,
    "gender_usage": 1.3,
    "feeling": 1.4,
}
#: Where robbery fell, it fell because lamps were put up: the rating of lighting rose by so much there.
NEW_LAMPS = 0.8
_SPREAD = 0.32  # standard deviation of a parameter's mean over the neighbourhoods
_LEAST = 0.2  # no mean lies nearer to 0 or 3


@cache
def mean_ratings(years: tuple[int, ...]) -> np.ndarray:
    """True mean rating of each parameter; shape (years, neighbourhoods, parameters).

    Low where street harassment is high, with a part of its own for each parameter and neighbourhood.
    """
    rng = np.random.default_rng([1976, 60])
    own = rng.normal(size=(len(ground().codes), len(PARAMETERS)))
    means = np.array(list(PARAMETERS.values())) + _SPREAD * (0.6 * own - 0.8 * place_risk("harassment")[:, None])
    wave = np.repeat(means[None], len(years), axis=0)
    wave[..., list(PARAMETERS).index("lighting")] += NEW_LAMPS * lit(years)
    clipped: np.ndarray = np.clip(wave, _LEAST, MOST - _LEAST)
    return clipped


def lit(years: Sequence[int]) -> np.ndarray:
    """Whether the new lamps are up; shape (years, neighbourhoods)."""
    calmed = np.isin([code.split("-")[0] for code in ground().codes], CALMED_DISTRICTS)
    up: np.ndarray = (np.asarray(years)[:, None] >= CALMED_FROM) & calmed
    return up


def street_quality(years: tuple[int, ...]) -> np.ndarray:
    """Mean of the nine true means, in standard deviations from the city's in the first year; shape (years, places)."""
    means = mean_ratings(years).mean(axis=-1)
    quality: np.ndarray = (means - means[0].mean()) / means[0].std()
    return quality


def audit_truth(years: tuple[int, ...]) -> AuditTruth:
    """The truth of the audits of these years; the same for every seed.

    Examples
    --------
    >>> truth = audit_truth((2023, 2025))
    >>> round(truth.rating("lighting", 2025, "D2") - truth.rating("lighting", 2023, "D2"), 2)
    0.8
    """
    return AuditTruth(years, ground().codes, tuple(PARAMETERS), mean_ratings(years))
