"""A small city: two wards, records, populations by sex and age."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from safercities.collect.records import REJECTS, Collected, DimensionInfo
from safercities.collect.spec import PopulationSpec
from safercities.indicators.spec import Indicator
from safercities.measure.counts import CountsSource, measure_counts
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy
from safercities.places.population import Population

AGES = ("Y0T14", "Y15T24", "Y_GE25")
SEX = DimensionInfo("sex", "Sex", "person", ("F", "M"))
AGE = DimensionInfo("age", "Age", "person", AGES)
MEANS = DimensionInfo("means", "Means", "event", ("gun", "knife"))
COLUMNS = ("when", "act", "n", "sex", "age", "means", "place_ward")

Record = tuple[Any, ...]


def make_table(records: Sequence[Record]) -> pa.Table:
    """Records as collecting and locating give them: (year or datetime, act, n, sex, age, means, ward)."""
    columns = [list(column) for column in zip(*records, strict=True)] or [[] for _ in COLUMNS]
    when = [datetime(value, 7, 1) if isinstance(value, int) else value for value in columns[0]]
    kinds = [pa.timestamp("us"), pa.string(), pa.int64(), *[pa.string()] * 4]
    arrays = [pa.array(values, kind) for values, kind in zip([when, *columns[1:]], kinds, strict=True)]
    return pa.table(arrays, names=list(COLUMNS))


def make_source(records: Sequence[Record], **more: Any) -> CountsSource:
    given = {"unit": "victims", "precision": "day", "covers": Period.parse("2018/2019"), "covers_declared": True}
    dimensions = {info.name: info for info in (SEX, AGE, MEANS)}
    given |= {"dimensions": dimensions, "levels": ("ward",)}
    return CountsSource("police", "Police", make_table(records), **(given | more))


def make_indicator(kind: str = "rate", **version: Any) -> Indicator:
    said = {
        "version": "1",
        "label": "Homicide",
        "definition": "Unlawful death.",
        "numerator": {"acts": ["0101"], "units": ["victims"]},
        "denominator": "population",
        "source": "ICCS",
    }
    return Indicator.model_validate({"code": "x", "kind": kind, "versions": [said | version]})


WARDS = [Place("A", "A", "ward", "city"), Place("B", "B", "ward", "city")]


def make_hierarchy(wards: Sequence[Place] = WARDS) -> Hierarchy:
    return Hierarchy([Place("city", "City", "city"), *wards])


def make_population(hierarchy: Hierarchy, years: Sequence[int] = (2018, 2019), **people: float) -> Population:
    """People of each ward in each cell of sex × age: 1000 in A, 3000 in B."""
    people = people or {"A": 1000.0, "B": 3000.0}
    cells = [
        (ward, str(year), sex, age, n) for ward, n in people.items() for year in years for sex in "FM" for age in AGES
    ]
    columns = list(zip(*cells, strict=True))
    table = pa.table(
        {"row": range(len(cells)), **dict(zip(("code", "period", "sex", "age", "n"), columns, strict=True))}
    )
    collected = Collected(
        source="people",
        kind="population",
        file="people.csv",
        table=table,
        rejects=REJECTS.empty_table(),
        problems=(),
        rows_read=len(cells),
        unit=None,
        crs=None,
        precision="year",
        dimensions=(SEX, AGE),
        label="People",
    )
    spec = PopulationSpec(kind="population", file="people.csv", place="code", period="period", count="n")
    return Population.from_collected([collected], hierarchy, "city", {"people": spec})


@pytest.fixture(scope="session")
def measure() -> Callable[..., Estimates]:
    """Measure records of the small city; every argument can be replaced."""
    plain = make_hierarchy()
    people = make_population(plain)

    def run(records: Sequence[Record], by: Sequence[Sequence[str]] = (), **more: Any) -> Estimates:
        source = more.pop("source", None) or make_source(records)
        indicator = more.pop("indicator", None) or make_indicator(more.pop("kind", "rate"), **more.pop("version", {}))
        given = {"hierarchy": plain, "population": people, "place": "city"} | more
        return measure_counts(indicator, source, by=by, **given)

    return run


@pytest.fixture(scope="session")
def build() -> Any:
    """The builders, for tests that need other parts of a city."""

    class Build:
        source = staticmethod(make_source)
        indicator = staticmethod(make_indicator)
        hierarchy = staticmethod(make_hierarchy)
        population = staticmethod(make_population)
        table = staticmethod(make_table)
        ward = staticmethod(lambda id, since=None, until=None: Place(id, id, "ward", "city", None, since, until))
        day = staticmethod(lambda text: date.fromisoformat(text))

    return Build
