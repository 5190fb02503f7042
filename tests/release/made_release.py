"""A tiny release for tests: one city with two districts, counts and rates by sex, one row withheld."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from safercities.indicators.catalogue import indicator
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.release.content import Content, Series
from safercities.release.store import KeyStore

CITY = Place("CO-MDE", "Medellín", "city", aliases={"iso": "CO-ANT"})
DISTRICTS = (
    Place("CO-MDE.01", "Popular", "neighbourhood", parent="CO-MDE"),
    Place("CO-MDE.02", "Santa Cruz", "neighbourhood", parent="CO-MDE"),
)
PUBLISHED = date(2025, 3, 1)
PEOPLE = {"CO-MDE": 2_500_000.0, "CO-MDE.01": 130_000.0, "CO-MDE.02": 110_000.0}
#: (place, sex) → victims; None is withheld.
COUNTS: dict[tuple[str, str], int | None] = {
    ("CO-MDE", "_T"): 40,
    ("CO-MDE", "F"): 10,
    ("CO-MDE", "M"): 30,
    ("CO-MDE.01", "_T"): 22,
    ("CO-MDE.01", "F"): None,
    ("CO-MDE.01", "M"): None,
    ("CO-MDE.02", "_T"): 18,
    ("CO-MDE.02", "F"): None,
    ("CO-MDE.02", "M"): None,
}


def rows(period: str = "2024") -> list[dict[str, Any]]:
    """A count and a rate for each place and sex; rates only where both sexes are in it."""
    found: list[dict[str, Any]] = []
    for (place, sex), count in COUNTS.items():
        key = {
            "indicator": "sdg.16.1.1",
            "version": "2017-1",
            "place": place,
            "period": period,
            "sex": sex,
            "source": "homicides",
            "method": "count",
            "obs_status": "A",
            "quality": "",
            "level": 0.95,
        }
        if count is None:
            found.append({**key, "unit": "victims", "conf_status": "N"})
            continue
        shown = {"n": count, "n_positive": count, "coverage": 1.0, "conf_status": "F"}
        found.append({**key, **shown, "unit": "victims", "value": float(count)})
        if sex == "_T":
            people = PEOPLE[place]
            rate = {"value": round(count / people * 1e5, 1), "lower": 0.5, "upper": 25.0, "denominator": people}
            found.append({**key, **shown, **rate, "unit": "per 100 000", "method": "rate"})
    return found


def content(period: str = "2024", **changes: Any) -> Content:
    """The release of one period; `changes` replace fields of it."""
    made = Content(
        name="Medellín, made up",
        place=CITY,
        languages=("es", "en"),
        synthetic=True,
        period=period,
        estimates=Estimates.from_rows(rows(period)).sort(),
        indicators={"sdg.16.1.1": indicator("sdg.16.1.1")},
        places=(CITY, *DISTRICTS),
        dimensions={"sex": (("_T", "Total"), ("F", "Female"), ("M", "Male"))},
        series=(Series("homicides", "Homicides, police", "incidents", "victims", f"{period}-01-01/{period}-12-31"),),
        rules={"method": "rounding", "minimum_count": 5, "width": 5, "tables": [["sex"], ["place"]]},
        denominators=(("CO-MDE", period, PEOPLE["CO-MDE"]),),
        published=PUBLISHED,
        version="0.1.0",
    )
    return replace(made, **changes)


def keys(folder: Path) -> KeyStore:
    """Keys of the city, good from the first day of 2025."""
    store = KeyStore.open(CITY.id, folder)
    store.make(date(2025, 1, 1))
    return store


def code(caught: pytest.ExceptionInfo[SafercitiesError]) -> str:
    """The first problem's code."""
    return caught.value.problems[0].code
