"""What a review is of: the period that records cover as a whole, and the wave of each survey that stands for it."""

from __future__ import annotations

import numpy as np
import pytest

import mini_survey as made
import safercities as sc
from safercities import reviewing
from safercities.model.errors import SafercitiesError


def estimates(*rows: tuple[str, str, str]) -> sc.Estimates:
    """Totals of a place, each from (source, period, quality)."""
    same = {"indicator": "x", "version": "1", "place": "P", "unit": "u", "method": "m", "value": 1.0}
    return sc.Estimates.from_rows([same | dict(zip(("source", "period", "quality"), row, strict=True)) for row in rows])


@pytest.mark.parametrize(
    ("rows", "period"),
    [
        # the records of 2024 are not all in; the survey's wave of 2024 does not make them so
        ([("police", "2023", ""), ("police", "2024", "partial_period"), ("survey", "2024", "")], "2023"),
        ([("police", "2023", ""), ("survey", "2021", "")], "2023"),
        ([("survey", "2021", ""), ("survey", "2024", "few_cases")], "2024"),
        ([("police", "2024", "partial_period"), ("survey", "2022", "")], "2022"),
        ([("survey", "2024-03/2024-06", ""), ("survey", "2023", "")], "2023"),
    ],
)
def test_the_period_is_the_last_that_the_records_cover(rows, period):
    assert reviewing.latest_complete(estimates(*rows), "P", "year", ["police"]) == period


def test_no_period_at_all():
    with pytest.raises(SafercitiesError, match="year"):
        reviewing.latest_complete(estimates(("police", "2024", "partial_period")), "P", "year", ["police"])


def city_of(folder, years) -> sc.Observatory:
    """Records of 2023 only, and interviews of these years."""
    toml = made.with_('covers = "2023/2024"', 'covers = "2023"')
    robberies = "\n".join(line for line in made.robberies().splitlines() if not line.startswith("2024")) + "\n"
    answers = made.answers() | {"year": years}
    return sc.open(made.build(folder, toml=toml, robberies=robberies, survey=made.survey(answers)))


@pytest.mark.parametrize(
    ("years", "wave", "before"),
    [
        (2022 + np.minimum(made.I // 100, 2), "2023", "2022"),  # 2022, 2023, 2024: the wave of the period itself
        (2 * made.answers()["year"] - 2024, "2022", None),  # 2022 and 2024: the last before, with none before it
    ],
)
def test_differences_and_changes_are_those_of_the_wave_on_the_page(tmp_path, years, wave, before):
    city = city_of(tmp_path, years)
    measured = city.measure()
    data = city.review_data(measured)
    assert data.period == "2023"
    rows = measured.where(indicator="sdg.16.1.4", period=wave, unit="%", place="XA-MIN", age="_T").rows()
    shown = {row["sex"]: row["value"] for row in rows}
    pairs = [pair for pair in data.contrasts["sdg.16.1.4"] if list(pair.one) == ["sex"]]
    assert pairs
    assert all(pair.value == pytest.approx(shown[pair.one["sex"]]) for pair in pairs)
    changes = {(one.one["period"], one.other["period"]) for one in data.changes.get("sdg.16.1.4", [])}
    assert changes == ({(wave, before)} if before else set())
