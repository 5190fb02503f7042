"""A plausible small city in estimates, made by hand: the review is tested without the rooms below it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import shapely
from scipy.stats import chi2

from safercities.collect.records import DimensionInfo
from safercities.indicators.spec import Indicator
from safercities.model.errors import problem
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.geographies import Geography
from safercities.places.hierarchy import Hierarchy
from safercities.review.data import ReviewData, SourceSummary

SEX = {"F": 0.5, "M": 0.5}
AGE = {"Y0T14": 0.2, "Y15T24": 0.16, "Y25T34": 0.16, "Y35T59": 0.32, "Y_GE60": 0.16}
RISK = {"F": 0.2, "M": 1.8, "Y0T14": 0.1, "Y15T24": 1.9, "Y25T34": 1.7, "Y35T59": 0.8, "Y_GE60": 0.4}
LABELS = {
    "sex": {"F": "Women", "M": "Men"},
    "age": {"Y0T14": "0–14", "Y15T24": "15–24", "Y25T34": "25–34", "Y35T59": "35–59", "Y_GE60": "60 and over"},
}


def garwood(x: float) -> tuple[float, float]:
    """Exact Poisson limits, by the textbook's chi-square form."""
    return (float(chi2.ppf(0.025, 2 * x) / 2) if x else 0.0, float(chi2.ppf(0.975, 2 * x + 2) / 2))


def indicator(code: str = "sdg.16.1.1", label: str = "Intentional homicide", unit: str = "victims") -> Indicator:
    return Indicator.model_validate(
        {
            "code": code,
            "kind": "rate",
            "versions": [
                {
                    "version": "2018-1", "label": label, "definition": "Unlawful deaths inflicted with intent.",
                    "numerator": {"acts": ["0101"], "units": [unit]}, "denominator": "population",
                    "source": "ICCS 2015, 0101.",
                }
            ],
        }
    )  # fmt: skip


class City:
    """Builds the rows of a city of `n × n` square neighbourhoods."""

    def __init__(
        self, side: int = 4, first: int = 2012, last: int = 2019, people: float = 400_000, population: bool = True
    ):
        self.place = Place("XX-CTY", "Test City", "city")
        self.areas = [Place(f"N{i:03}", f"Area {i}", "neighbourhood", "XX-CTY") for i in range(side * side)]
        self.shapes = np.array([shapely.box(-75 + x / 50, 6 + y / 50, -75 + (x + 1) / 50, 6 + (y + 1) / 50)
                                for x, y in product(range(side), range(side))], dtype=object)  # fmt: skip
        self.years = [str(year) for year in range(first, last + 1)]
        self.people, self.population = people, population

    def rows(
        self, code: str = "sdg.16.1.1", unit: str = "victims", source: str = "police", rate: float = 30.0
    ) -> list[dict]:
        made = []
        for index, year in enumerate(self.years):
            level = rate * (1.4 - 0.1 * index)
            partial = "partial_period" if index == len(self.years) - 1 else ""
            common = {"indicator": code, "source": source, "period": year, "unit": unit, "quality": partial}
            made += self.pair(common | {"place": self.place.id}, level, self.people)
            for number, area in enumerate(self.areas):
                made += self.pair(
                    common | {"place": area.id},
                    level * (0.4 + 1.2 * number / len(self.areas)),
                    self.people / len(self.areas),
                )
            for sex, share in SEX.items():
                made += self.pair(common | {"place": self.place.id, "sex": sex}, level * RISK[sex], self.people * share)
            for age, share in AGE.items():
                made += self.pair(common | {"place": self.place.id, "age": age}, level * RISK[age], self.people * share)
            for (sex, a), (age, b) in product(SEX.items(), AGE.items()):
                made += self.pair(
                    common | {"place": self.place.id, "sex": sex, "age": age},
                    level * RISK[sex] * RISK[age],
                    self.people * a * b,
                )
            made += self.pair(common | {"place": self.place.id, "sex": "_U"}, 0.4, None)
        return made

    def pair(self, common: dict, rate: float, people: float | None) -> list[dict]:
        cases = round(rate * (people or self.people) / 100_000)
        low, high = garwood(cases)
        few = "few_cases" if cases < 20 else ""
        flags = " ".join(filter(None, [few, common["quality"]]))
        people = people if self.population else None
        base = common | {"version": "2018-1", "level": 0.95, "n": cases, "n_positive": cases, "quality": flags}
        count = base | {"value": cases, "lower": low, "upper": high, "method": "poisson-garwood", "denominator": people}
        if people is None:
            return [count | {"quality": f"no_denominator {flags}".strip()}]
        per = 100_000 / people
        ends = {"value": cases * per, "lower": low * per, "upper": high * per}
        return [count, count | ends | {"unit": "per 100 000"}]

    def data(self, **changes: object) -> ReviewData:
        """A review of homicide by sex, age and neighbourhood, 2012 to 2018, with a part of 2019."""
        kept = {"placed": 990, "no_coordinates": 7, "outside": 2, "unknown_code": 1}
        found = ReviewData(
            title="Test City",
            place=self.place,
            period=self.years[-2] if len(self.years) > 1 else self.years[0],
            estimates=Estimates.from_rows(self.rows(), ["sex", "age"]),
            indicators={"sdg.16.1.1": indicator()},
            hierarchy=Hierarchy([self.place, *self.areas]),
            geographies=[self.geography()],
            sources=[
                SourceSummary("police", "Police records", "incidents", "homicides.csv", "ab" * 32, 1010, 1000, 10,
                              "victims", "2012/2019", {"neighbourhood": kept})
            ],
            problems=[problem("file-missing", file="extra.csv")],
            dimensions={
                name: DimensionInfo(name, name.capitalize(), "person", tuple(labels), labels)
                for name, labels in LABELS.items()
            },
            version="0.1.0",
        )  # fmt: skip
        return replace(found, **changes)

    def geography(self) -> Geography:
        return Geography(level="neighbourhood", places=tuple(self.areas), geometries=self.shapes, crs="EPSG:4326",
                         valid_from=None, valid_to=None, problems=())  # fmt: skip


@pytest.fixture(scope="session")
def city_class() -> type[City]:
    return City


@pytest.fixture(scope="session")
def make_indicator():
    return indicator


@pytest.fixture(scope="session")
def city() -> City:
    return City()
