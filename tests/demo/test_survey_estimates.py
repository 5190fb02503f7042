"""`sc.survey` finds the truth of the synthetic city: over many draws its intervals cover as often as they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from safercities import config
from safercities.collect.records import Collected
from safercities.collect.survey import collect_survey
from safercities.demo.answers import CRIMES, survey_truth
from safercities.demo.city import YEARS
from safercities.demo.residents import CHARACTERISTICS, waves
from safercities.demo.shape import ground
from safercities.demo.survey import BLOCKS, Sample, draw_survey
from safercities.demo.survey_truth import SurveyTruth
from safercities.demo.truth import AGES, Truth
from safercities.sampling.design import Design, survey

WAVES = waves(YEARS)
SEEDS = 60
ROLES = (
    "safe_walking_dark",
    "afraid_avoids_going_out",
    "victim_robbery_12m",
    "victim_psychological_12m",
    "near_public_transport",
)
PLACES = {"district": "place", "neighbourhood": "place"}


@pytest.fixture(scope="module")
def known() -> SurveyTruth:
    return survey_truth(WAVES)


def _table(sample: Sample) -> pa.Table:
    """The interviews as a table, without any mess."""
    city = ground()
    columns: dict[str, Any] = {
        "year": sample.year,
        "district": np.array(city.district_codes)[sample.district],
        "neighbourhood": np.array(city.codes)[sample.place],
        "block": sample.district * BLOCKS + sample.block,
        "weight": sample.weight,
    }
    columns |= {
        name: np.array(codes)[sample.kind[:, axis]] for axis, (name, codes) in enumerate(CHARACTERISTICS.items())
    }
    return pa.table(columns | {role: pa.array(said, from_pandas=True) for role, said in sample.answers.items()})


def _design(seed: int) -> Design:
    return survey(_table(draw_survey(seed, WAVES)), weight="weight", strata="district", psu="block")


@pytest.fixture(scope="module")
def designs() -> list[Design]:
    return [_design(seed) for seed in range(SEEDS)]


def _true(known: SurveyTruth, row: dict[str, Any], by: tuple[str, ...]) -> float:
    part = {PLACES.get(name, name): row[name] for name in by}
    return known.share(row["indicator"], int(row["year"]), **part)


@pytest.mark.parametrize("by", [(), ("district",), ("income",), ("migration",), ("sex", "age"), ("district", "sex")])
def test_intervals_of_proportions_cover_the_truth(by: tuple[str, ...], designs: list[Design], known: SurveyTruth):
    covered = []
    for design in designs:
        rows = design.proportion(list(ROLES), [("year", *by)]).rows()
        covered.append(np.mean([row["lower"] <= _true(known, row, by) <= row["upper"] for row in rows]))
    # Korn–Graubard's intervals promise at least 95 %, and are wider than that where cases are few
    error = np.std(covered, ddof=1) / np.sqrt(SEEDS)
    assert np.mean(covered) > 0.95 - 3 * error
    assert np.mean(covered) < 0.99


def test_intervals_of_neighbourhoods_cover_the_truth(designs: list[Design], known: SurveyTruth):
    covered = []
    for design in designs[:20]:
        rows = design.proportion("safe_walking_dark", [("year", "neighbourhood")]).rows()
        covered.append(np.mean([row["lower"] <= _true(known, row, ("neighbourhood",)) <= row["upper"] for row in rows]))
    # two or three blocks each: what is left of the degrees of freedom makes them wide, not narrow
    assert np.mean(covered) > 0.95 - 3 * np.std(covered, ddof=1) / np.sqrt(len(covered))


def test_shares_reported_among_victims_cover_the_truth(designs: list[Design], known: SurveyTruth):
    covered = []
    for design in designs:
        for role in ("reported_robbery", "reported_theft", "reported_psychological"):
            rows = design.proportion(role, [("year",)], among=known.asked[role]).rows()
            covered += [row["lower"] <= _true(known, row, ()) <= row["upper"] for row in rows]
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / SEEDS)


def test_incidence_per_1000_covers_the_truth(designs: list[Design], known: SurveyTruth):
    covered = []
    for design in designs:
        rows = design.mean(["thefts_12m", "robberies_12m"], [("year",)], per=1000).rows()
        covered += [row["lower"] <= 1000 * _true(known, row, ()) <= row["upper"] for row in rows]
    assert abs(np.mean(covered) - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / SEEDS)


def test_the_dark_figure_is_recovered(designs: list[Design], truth: Truth):
    """What victims tell of × the share they report is what the police record, over all draws."""
    for act in ("robbery", "theft"):
        crime = CRIMES[act]
        told = np.array([_values(design.mean(crime.times, [("year",)])) for design in designs])
        share = np.array([_values(design.proportion(crime.reported, [("year",)])) for design in designs])
        for wave, year in enumerate(WAVES):
            people = sum(truth.person_years(year=year, age=age) for age in AGES[1:])
            recorded = sum(truth.mean(act, year=year, age=age) for age in AGES[1:]) / people
            found = told[:, wave] * share[:, wave]
            assert abs(found.mean() - recorded) < 4 * found.std(ddof=1) / np.sqrt(SEEDS), (act, year)
            assert recorded < 0.4 * told[:, wave].mean()


def _values(estimates: Any) -> list[float]:
    return [row["value"] for row in sorted(estimates.rows(), key=lambda row: str(row["year"]))]


def test_the_change_after_the_lamps_is_seen_where_they_are(designs: list[Design], known: SurveyTruth):
    found = []
    for design in designs:
        rows = {
            (row["district"], str(row["year"])): row
            for row in design.proportion("safe_walking_dark", [("year", "district")]).rows()
        }
        found.append([rows[d, "2025"]["value"] - rows[d, "2023"]["value"] for d in ground().district_codes])
    gains = np.mean(found, axis=0)
    true = [
        known.share("safe_walking_dark", 2025, place=d) - known.share("safe_walking_dark", 2023, place=d)
        for d in ground().district_codes
    ]
    np.testing.assert_allclose(gains, true, atol=4 * np.std(found, axis=0).max() / np.sqrt(SEEDS))


def test_the_file_gives_the_estimates_of_its_draw(city: tuple[Path, Truth]):
    folder, truth = city
    spec = config.load(folder).sources["survey"]
    collected: Collected = collect_survey("survey", spec, folder)
    from_file = survey(collected.table, weight="weight", strata="stratum", psu="psu")
    drawn = _design(truth.seed)
    for role in ROLES:
        one = {str(row["period"]): row for row in from_file.proportion(f"answer_{role}", [("period",)]).rows()}
        other = {str(row["year"]): row for row in drawn.proportion(role, [("year",)]).rows()}
        for year in map(str, WAVES):
            for name in ("value", "se", "lower", "upper", "n", "df", "deff"):
                assert one[year][name] == pytest.approx(other[year][name], rel=1e-6), (role, year, name)
