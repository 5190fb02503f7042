"""What the safety audits of the synthetic city ought to find: true mean ratings, and the scores that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST = 3  # the best rating


@dataclass(frozen=True)
class AuditTruth:
    """What the audits of the synthetic city ought to find.

    Each neighbourhood has the same number of points, so a district's mean is the plain mean of its neighbourhoods.

    Parameters
    ----------
    years, places, parameters
        Codes of the axes of `ratings`.
    ratings
        True mean ratings, shape (years, places, parameters).

    Examples
    --------
    >>> truth = AuditTruth((2023,), ("D1-01", "D1-02"), ("lighting",), np.array([[[1.0], [2.0]]]))
    >>> truth.rating("lighting", 2023, "D1"), truth.score(2023, "D1-02")
    (1.5, 3.3333333333333335)
    """

    years: tuple[int, ...]
    places: tuple[str, ...]
    parameters: tuple[str, ...]
    ratings: np.ndarray

    def rating(self, parameter: str, year: int, place: str | None = None) -> float:
        """True mean rating, 0–3, in a neighbourhood, a district, or the whole city (no place).

        Raises
        ------
        KeyError
            If a name or a code is unknown.
        """
        inside = [place in (None, code, code.split("-")[0]) for code in self.places]
        if parameter not in self.parameters or year not in self.years or not any(inside):
            raise KeyError(f"no such rating: {parameter}, {year}, {place}")
        cells = self.ratings[self.years.index(year), np.flatnonzero(inside), self.parameters.index(parameter)]
        return float(cells.mean())

    def score(self, year: int, place: str | None = None, weights: Mapping[str, float] | None = None) -> float:
        """True score, 0–5: the weighted mean of the ratings over the best rating, × 5. Default: equal weights."""
        share = dict.fromkeys(self.parameters, 1.0) if weights is None else weights
        rated = sum(weight * self.rating(name, year, place) for name, weight in share.items())
        return 5 * rated / (MOST * sum(share.values()))

    def as_json(self) -> dict[str, Any]:
        """For truth.json."""
        return {
            "years": self.years,
            "places": self.places,
            "parameters": self.parameters,
            "ratings": self.ratings.tolist(),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> AuditTruth:
        """From truth.json."""
        return cls(
            years=tuple(saved["years"]),
            places=tuple(saved["places"]),
            parameters=tuple(saved["parameters"]),
            ratings=np.array(saved["ratings"]),
        )
