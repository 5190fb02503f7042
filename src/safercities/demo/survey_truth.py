"""What the survey of the synthetic city ought to find: true numbers of residents by answer and by part of the city."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

#: The role that stands for everybody aged 15 and over.
EVERYBODY = "everybody"
#: Up to so many characteristics (a district is one) are told apart at a time.
_MOST = 2
_FINE = "neighbourhood"


@dataclass(frozen=True)
class SurveyTruth:
    """What the analysis of the survey ought to find: expected numbers, over all residents aged 15 and over.

    An answer's number is the sum, over all residents, of the probability of the answer “yes” (or of the mean, of an
    answer that is a number). Blocks differ from each other by chance, with the stated mean over all blocks: this is the
    truth of a superpopulation, so that it does not depend on the seed.

    Parameters
    ----------
    years
        The waves.
    codes
        Characteristic → its codes; with `district` and `neighbourhood`.
    asked
        Role → the role that somebody must have answered with “yes” to be asked; only where not everybody is.
    not_known
        Role → share of those asked who gave no usable answer, at random.
    tables
        Characteristics joined by commas → role → numbers, shape (years, *codes of each). Everything with up to two
        characteristics, neighbourhoods alone and by sex.

    Examples
    --------
    >>> from safercities.demo.answers import survey_truth
    >>> truth = survey_truth((2023, 2025))
    >>> round(truth.share("safe_walking_dark", 2023), 3), truth.share("safe_walking_dark", 2023, sex="F") < 0.5
    (0.52, True)
    """

    years: tuple[int, ...]
    codes: Mapping[str, tuple[str, ...]]
    asked: Mapping[str, str]
    not_known: Mapping[str, float]
    tables: Mapping[str, Mapping[str, np.ndarray]]

    def number(self, role: str, year: int, **where: str) -> float:
        """Residents of whom the role is true (or the sum of the number) in a part of the city.

        Parameters
        ----------
        role
            A role of the catalogue's answers, `everybody`, or one of those that are made of several.
        year
            The wave.
        **where
            `place` (neighbourhood or district) and up to two characteristics; left out: all.

        Raises
        ------
        KeyError
            If a name or a code is unknown, or the truth does not tell so many apart at a time.
        """
        part = self._part(where)
        names = ",".join(part)
        if names not in self.tables or role not in self.tables[names] or year not in self.years:
            raise KeyError(f"the truth does not hold {role} of {year} by {names}")
        at = tuple(self.codes[name].index(code) for name, code in part.items())
        return float(self.tables[names][role][(self.years.index(year), *at)])

    def share(self, role: str, year: int, *, of: str | None = None, **where: str) -> float:
        """True share (or mean) of those who are asked, or of those of the role `of`; parts as in `number`."""
        below = of or self.asked.get(role, EVERYBODY)
        return self.number(role, year, **where) / self.number(below, year, **where)

    def answered(self, role: str, year: int, **where: str) -> float:
        """True share of “yes” among all who are asked, with the don't-knows below the line: what 16.1.4 asks."""
        return self.share(role, year, **where) * (1 - self.not_known.get(role, 0.0))

    def _part(self, where: Mapping[str, str]) -> dict[str, str]:
        asked = dict(where)
        place = asked.pop("place", None)
        if place is not None:
            asked["district" if place in self.codes["district"] else _FINE] = place
        wrong = [name for name, code in asked.items() if code not in self.codes.get(name, ())]
        if wrong:
            raise KeyError(f"no such part of the city: {dict(where)}")
        return {name: asked[name] for name in self.codes if name in asked}

    def as_json(self) -> dict[str, Any]:
        """For truth.json."""
        tables = {key: {role: cells.tolist() for role, cells in table.items()} for key, table in self.tables.items()}
        kept = {"years": self.years, "codes": self.codes, "asked": self.asked, "not_known": self.not_known}
        return kept | {"tables": tables}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> SurveyTruth:
        """From truth.json."""
        tables = {
            key: {role: np.array(cells) for role, cells in table.items()} for key, table in saved["tables"].items()
        }
        codes = {name: tuple(codes) for name, codes in saved["codes"].items()}
        return cls(tuple(saved["years"]), codes, saved["asked"], saved["not_known"], tables)


def tabulate(numbers: np.ndarray, district: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Sums of numbers by every set of characteristics that the truth tells apart.

    Parameters
    ----------
    numbers
        Shape (roles, years, neighbourhoods, *characteristics).
    district
        Index of each neighbourhood's district, rising.
    names
        The characteristics.

    Returns
    -------
    dict
        Key of the table → numbers, shape (roles, years, *codes), rounded to 6 decimals.
    """
    by_district = np.add.reduceat(numbers, np.flatnonzero(np.diff(district, prepend=-1)), axis=2)
    axes = {"district": 2, **{name: 3 + index for index, name in enumerate(names)}}
    wanted = [keys for size in range(_MOST + 1) for keys in combinations(axes, size)]
    tables = {",".join(keys): _sum(by_district, [axes[key] for key in keys]) for keys in wanted}
    tables[_FINE] = _sum(numbers, [2])
    tables[f"{_FINE},sex"] = _sum(numbers, [2, 3])
    return tables


def _sum(numbers: np.ndarray, kept: list[int]) -> np.ndarray:
    out = tuple(axis for axis in range(2, numbers.ndim) if axis not in kept)
    total: np.ndarray = np.round(numbers.sum(axis=out), 6)
    return total
