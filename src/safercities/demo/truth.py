"""What is true in the synthetic city: who lives where, and the rate of each act by year, place, sex and age."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from safercities.demo.audit_truth import AuditTruth
from safercities.demo.shape import ground
from safercities.demo.survey_truth import SurveyTruth

PLACE = "XA-SAN"  # XA is set aside by ISO 3166-1 for users: no country has it
NAME = "Sanvera (synthetic)"
SEXES = ("M", "F")
#: Lower edges of the age groups of the census: five years each, the last one open.
CENSUS_AGES = tuple(range(0, 90, 5))
#: Age groups of the cases, and the census groups in each.
AGES = ("Y0T14", "Y15T24", "Y25T34", "Y35T59", "Y_GE60")
_AGE_OF_CENSUS = np.digitize(CENSUS_AGES, [15, 25, 35, 60])
CENSUS_YEARS = (2020, 2026)
PER = 100_000

#: Shares of the homicides that each of the two sources knows of, each on its own.
KNOWN_TO_POLICE = 0.93
KNOWN_TO_REGISTRY = 0.98


@dataclass(frozen=True)
class Act:
    """How an act is spread over the people.

    Parameters
    ----------
    rate
        Cases per 100 000 people in the whole city in 2022.
    women
        Rate of women over that of men, at every age.
    ages
        Relative rates in the groups 0–14, 15–24, 25–34, 35–59, 60 and over.
    trend
        Each year's rate over that of the year before.
    spread
        Standard deviation of the logarithm of the neighbourhoods' relative rates.
    centre
        Relative rate in the district Centro, above what the spread gives.
    """

    rate: float
    women: float
    ages: tuple[float, ...]
    trend: float
    spread: float
    centre: float = 1.0


ACTS: dict[str, Act] = {
    "homicide": Act(24.0, 0.16, (0.12, 2.0, 1.8, 1.0, 0.5), 0.95, 0.45),
    "robbery": Act(900.0, 0.75, (0.15, 1.8, 1.3, 1.0, 0.7), 1.0, 0.35, 2.0),
    "assault": Act(520.0, 0.80, (0.30, 1.9, 1.5, 0.9, 0.4), 0.98, 0.40),
    "harassment": Act(140.0, 4.00, (0.25, 1.6, 1.2, 0.5, 0.2), 1.02, 0.30, 1.5),
    "theft": Act(1800.0, 1.10, (0.05, 1.2, 1.3, 1.1, 0.8), 1.03, 0.30, 2.5),
    "antisocial": Act(3000.0, 1.00, (1.0, 1.0, 1.0, 1.0, 1.0), 0.99, 0.50, 1.6),
}

#: From 2024 on, robbery in these districts is 30 % lower than it was.
CALMED_DISTRICTS = ("D2", "D7")
CALMED_FROM = 2024
CALMED_TO = 0.70
#: Women of 15–24 meet this many times the street harassment that their sex and age alone would give.
YOUNG_WOMEN = 2.5

#: What can be measured, and which act it shows.
SERIES: dict[str, tuple[str, float]] = {
    "homicide.police": ("homicide", KNOWN_TO_POLICE),
    "homicide.registry": ("homicide", KNOWN_TO_REGISTRY),
    **{name: (name, 1.0) for name in ACTS if name != "homicide"},
}


def census() -> np.ndarray:
    """People by census year, neighbourhood, sex and five-year group; whole numbers, the same on every call."""
    rng = np.random.default_rng(1976)
    city = ground()
    size = rng.uniform(11_000, 33_000, len(city.codes))
    ages = np.array([8, 8, 8.2, 8.5, 8.6, 8.3, 7.8, 7.2, 6.6, 6.0, 5.4, 4.8, 4.1, 3.3, 2.4, 1.6, 0.9, 0.6])
    tilt = rng.normal(0, 0.012, len(city.codes))[:, None] * (np.arange(18) - 9)
    share = ages / ages.sum() * np.exp(tilt)
    women = 0.488 + 0.0045 * np.maximum(np.arange(18) - 5, 0)
    first = size[:, None, None] * np.stack([share * (1 - women), share * women], axis=1)
    growth = rng.normal(1.05, 0.05, len(city.codes))[:, None, None] * np.linspace(0.94, 1.18, 18)
    counts: np.ndarray = np.rint(np.stack([first, first * growth])).astype(np.int64)
    return counts


def people(years: Sequence[int]) -> np.ndarray:
    """Person-years by year, neighbourhood, sex and five-year group: a straight line between the two censuses."""
    before, after = census()
    way = (np.asarray(years) - CENSUS_YEARS[0]) / (CENSUS_YEARS[1] - CENSUS_YEARS[0])
    between: np.ndarray = before + way[:, None, None, None] * (after - before)
    return between


def relative_rates(name: str, years: Sequence[int]) -> np.ndarray:
    """Relative rates of an act, in the shape of `people`; the story of the city is in here."""
    act, city = ACTS[name], ground()
    shared, own = np.random.default_rng([1976, 0]), np.random.default_rng([1976, 1 + list(ACTS).index(name)])
    hardship = shared.normal(size=len(city.codes))
    place = np.exp(act.spread * (0.8 * hardship + 0.6 * own.normal(size=len(city.codes))))
    district = np.array([city.district_codes[index] for index in city.district])
    place = place * np.where(district == _code_of("Centro"), act.centre, 1.0)
    time = act.trend ** (np.asarray(years, dtype=float) - 2022)
    person = np.array([1.0, act.women])[:, None] * np.array(act.ages)[_AGE_OF_CENSUS]
    relative: np.ndarray = time[:, None, None, None] * place[:, None, None] * person
    if name == "robbery":
        calmed = np.isin(district, CALMED_DISTRICTS) & (np.asarray(years)[:, None] >= CALMED_FROM)
        relative = relative * np.where(calmed, CALMED_TO, 1.0)[:, :, None, None]
    if name == "harassment":
        young = np.flatnonzero(_AGE_OF_CENSUS == 1)  # the index of Y15T24 in AGES
        relative[:, :, SEXES.index("F"), young] *= YOUNG_WOMEN
    return relative


def place_risk(name: str) -> np.ndarray:
    """How an act's rate differs by neighbourhood: logarithms with mean 0 and standard deviation 1."""
    risk = np.log(relative_rates(name, [2022])[0, :, 0, -1])
    standard: np.ndarray = (risk - risk.mean()) / risk.std()
    return standard


def _code_of(district: str) -> str:
    city = ground()
    return city.district_codes[city.district_names.index(district)]


def expected(name: str, years: Sequence[int]) -> np.ndarray:
    """Mean number of cases of an act in each cell of `people`."""
    start = people([2022])
    per_person = ACTS[name].rate / PER * start.sum() / (relative_rates(name, [2022]) * start).sum()
    means: np.ndarray = per_person * relative_rates(name, years) * people(years)
    return means


def by_age_group(cells: np.ndarray) -> np.ndarray:
    """Cells of five-year groups added up to the age groups of the cases."""
    starts = np.flatnonzero(np.diff(_AGE_OF_CENSUS, prepend=-1))
    return np.add.reduceat(cells, starts, axis=-1)


@dataclass(frozen=True)
class Truth:
    """What the analysis of the synthetic city ought to find.

    Every array has the shape (years, neighbourhoods, sexes, age groups).

    Parameters
    ----------
    seed, years
        What the city was built with.
    places
        Codes of the neighbourhoods; a district's code is the part before the dash.
    people
        Person-years.
    expected
        Series → mean number of cases: the true rate × the people.
    drawn
        Series → cases that the seed drew, as they would be known without any mess in the files.
    mess
        File → kind of mess → exact number of rows.
    survey, audits
        What the survey and the audits ought to find, in two of the years.

    Examples
    --------
    >>> from safercities.demo.draw import draw_counts
    >>> truth = draw_counts(seed=1, years=(2022, 2023, 2024))
    >>> round(truth.ratio("robbery", {"place": "D2", "year": 2024}, {"place": "D2", "year": 2022}), 2)
    0.7
    """

    seed: int
    years: tuple[int, ...]
    places: tuple[str, ...]
    people: np.ndarray
    expected: Mapping[str, np.ndarray]
    drawn: Mapping[str, np.ndarray]
    mess: Mapping[str, Mapping[str, int]]
    survey: SurveyTruth
    audits: AuditTruth

    def person_years(self, **where: str | int) -> float:
        """People of a part of the city, added over its years. Parts: `year`, `place` (any level), `sex`, `age`."""
        return float(self.people[self._cells(where)].sum())

    def mean(self, series: str, **where: str | int) -> float:
        """Mean number of cases in a part of the city."""
        return float(self.expected[series][self._cells(where)].sum())

    def cases(self, series: str, **where: str | int) -> int:
        """Number of cases that were drawn in a part of the city."""
        return int(self.drawn[series][self._cells(where)].sum())

    def rate(self, series: str, **where: str | int) -> float:
        """True rate per 100 000 people and year in a part of the city."""
        return PER * self.mean(series, **where) / self.person_years(**where)

    def ratio(self, series: str, part: Mapping[str, str | int], other: Mapping[str, str | int]) -> float:
        """True rate of one part over that of another."""
        return self.rate(series, **part) / self.rate(series, **other)

    def _cells(self, where: Mapping[str, str | int]) -> tuple[np.ndarray, ...]:
        """Index of a part of the city.

        Raises
        ------
        KeyError
            If a name or a code is unknown.
        """
        unknown = set(where) - {"year", "place", "sex", "age"}
        if unknown:
            raise KeyError(f"no such part of the city: {', '.join(sorted(unknown))}")
        place = where.get("place", PLACE)
        inside = [place in (PLACE, code, code.split("-")[0]) for code in self.places]
        picks = [
            [where.get("year", year) == year for year in self.years],
            inside,
            [where.get("sex", sex) == sex for sex in SEXES],
            [where.get("age", age) == age for age in AGES],
        ]
        if not all(any(pick) for pick in picks):
            raise KeyError(f"no such part of the city: {dict(where)}")
        return np.ix_(*(np.flatnonzero(pick) for pick in picks))

    def write(self, path: Path) -> None:
        """Save as JSON."""
        path.write_text(json.dumps(self._as_json(), ensure_ascii=False) + "\n", encoding="utf-8")

    def _as_json(self) -> dict[str, Any]:
        return {
            "about": "SYNTHETIC: the true rates behind the made-up city Sanvera. Nobody in it exists.",
            "seed": self.seed,
            "years": self.years,
            "places": self.places,
            "sexes": SEXES,
            "ages": AGES,
            "mess": self.mess,
            "people": self.people.tolist(),
            "expected": {name: cells.tolist() for name, cells in self.expected.items()},
            "drawn": {name: cells.tolist() for name, cells in self.drawn.items()},
            "survey": self.survey.as_json(),
            "audits": self.audits.as_json(),
        }

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Load what `write` saved."""
        saved = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            seed=saved["seed"],
            years=tuple(saved["years"]),
            places=tuple(saved["places"]),
            people=np.array(saved["people"]),
            expected={name: np.array(cells) for name, cells in saved["expected"].items()},
            drawn={name: np.array(cells) for name, cells in saved["drawn"].items()},
            mess=saved["mess"],
            survey=SurveyTruth.from_json(saved["survey"]),
            audits=AuditTruth.from_json(saved["audits"]),
        )
