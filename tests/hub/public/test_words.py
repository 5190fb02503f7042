"""What is said of a number: never more than was published of it."""

from __future__ import annotations

from typing import Any

import pytest

from safercities.hub.models import Observatory
from safercities.hub.public.words import Words
from safercities.hub.published import figures

pytestmark = pytest.mark.django_db


def row(**more: Any) -> dict[str, Any]:
    """A row of everybody."""
    told = {"value": 30.0, "lower": 25.5, "upper": 36.0, "level": 0.95, "unit": "%", "conf_status": "F"}
    return told | {"obs_status": "A", "verdict": None, "quality": ""} | more


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "30.0%; 95% interval 25.5% to 36.0%"),
        ({"level": 0.9}, "30.0%; 90% interval 25.5% to 36.0%"),
        ({"level": 0.999}, "30.0%; 99.9% interval 25.5% to 36.0%"),
        ({"lower": None}, "30%; 95% interval up to 36%"),
        ({"upper": None}, "30.0%; 95% interval from 25.5% upward"),
        ({"lower": None, "upper": None}, "30%"),
        ({"level": None}, "30.0%; 25.5%–36.0%"),
        ({"level": None, "lower": None}, "30%; ≤ 36%"),
        ({"level": None, "upper": None}, "30.0%; ≥ 25.5%"),
        ({"quality": "few_cases"}, "30.0%; 95% interval 25.5% to 36.0%; read with care"),
        ({"value": None}, "not available"),
        ({"conf_status": "N"}, "withheld"),
        ({"verdict": "withhold"}, "withheld"),
        ({"unit": "victims", "value": 1234.0}, "1,234 victims; 95% interval 26 to 36"),
    ],
)
def test_a_number_is_told_with_its_interval(medellin: Observatory, more: dict[str, Any], said: str) -> None:
    words = Words(figures(medellin), "en")  # type: ignore[arg-type]
    assert words.told(row(**more)) == said
    parts = [words.value(row(**more)), words.interval(row(**more))]
    assert said.startswith("; ".join(part for part in parts if part))


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("per 100 000", "per 100,000 people a year"),
        ("per 1 000", "per 1,000"),
        ("per 1000000", "per 1,000,000"),
        # what others publish is told as it stands, whatever it is
        *((unit, unit) for unit in ("per ", "per  ", "per person", "per -1", "per 10²", "per ٣", "per  100")),
        *((unit, unit) for unit in ("", "per " + "9" * 400, "% ", "per 1\n", "{size}", "per 1e9", "0-")),
    ],
)
def test_a_unit_that_nobody_foresaw_is_told_as_it_stands(medellin: Observatory, unit: str, said: str) -> None:
    words = Words(figures(medellin), "en")  # type: ignore[arg-type]
    assert words.unit(unit) == said
    assert words.told(row(unit=unit)).startswith("30")
