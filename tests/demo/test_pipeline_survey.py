"""The survey and the audits go through the whole chain: their estimates cover the city's truth, and the dark figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import safercities as sc
from safercities.demo.audits import STOPS, WALKS
from safercities.demo.city import YEARS
from safercities.demo.residents import waves
from safercities.demo.truth import PLACE, Truth
from safercities.model.estimates import Estimates

WAVES = waves(YEARS)
#: Indicator → role of the truth, in per cent of those asked.
SHARES = {
    "sdg.16.1.3": "violence_any_12m",
    "sdg.16.1.3.physical": "victim_physical_12m",
    "sdg.16.1.3.psychological": "victim_psychological_12m",
    "sdg.16.1.3.sexual": "victim_sexual_12m",
    "sdg.16.3.1.physical": "reported_physical",
    "sdg.16.3.1.psychological": "reported_psychological",
    "sdg.16.3.1.sexual": "reported_sexual",
    "sdg.16.5.1": "bribery_any_12m",
    "sdg.16.7.2.inclusive": "decisions_inclusive",
    "sdg.16.7.2.responsive": "decisions_responsive",
    "sdg.10.3.1": "discriminated_12m",
    "sdg.11.7.2": "harassed_any_12m",
    "harassment.public_space": "harassed_public_space_12m",
    "harassment.transport": "harassed_transport_12m",
    "harassment.work": "harassed_work_12m",
    "harassment.home": "harassed_home_12m",
    "harassment.online": "harassed_online_12m",
    "fear.restricted_movement": "fear_any",
    "surveyed.robbery": "victim_robbery_12m",
    "surveyed.robbery.reported": "reported_robbery",
    "surveyed.assault": "victim_assault_12m",
    "surveyed.assault.reported": "reported_assault",
    "surveyed.theft": "victim_theft_12m",
    "surveyed.theft.reported": "reported_theft",
}
#: Indicator → role of the truth, per 1 000 people.
INCIDENCE = {
    f"surveyed.{act}.incidents": f"{plural}_12m"
    for act, plural in (("robbery", "robberies"), ("assault", "assaults"), ("theft", "thefts"))
}
#: Indicator of both sources → act of the police's truth, role of the survey's.
RATIOS = {
    "reporting.robbery": ("robbery", "robberies_12m"),
    "reporting.assault": ("assault", "assaults_12m"),
    "reporting.theft": ("theft", "thefts_12m"),
}
RATINGS = {"audit.lighting": "lighting", "audit.feeling": "feeling"}
BREAKDOWNS: tuple[tuple[str, ...], ...] = (
    (),
    ("sex",),
    ("age",),
    ("sex", "age"),
    ("income",),
    ("orientation",),
    ("migration",),
    ("disability",),
    ("sex", "disability"),
)


def _true(truth: Truth, row: dict[str, Any], by: tuple[str, ...]) -> float:
    """True value of a row of the survey, in its unit."""
    code, year = row["indicator"], int(row["period"])
    part = {name: row[name] for name in by} | ({} if row["place"] == PLACE else {"place": row["place"]})
    if code == "sdg.16.1.4":  # over all respondents, with those who do not know
        return 100 * truth.survey.answered("safe_walking_dark", year, **part)
    if code in INCIDENCE:
        return 1000 * truth.survey.share(INCIDENCE[code], year, **part)
    return 100 * truth.survey.share(SHARES[code], year, **part)


def _rows(estimates: Estimates, code: str, by: tuple[str, ...], places: list[str]) -> list[dict[str, Any]]:
    """Direct estimates of the survey by known groups."""
    found = estimates.where(indicator=code, source="survey", place=places).totals(*by).rows()
    return [
        row
        for row in found
        if "_U" not in (row[name] for name in by) and row["unit"] in ("%", "per 1 000") and "Fay" not in row["method"]
    ]


def _covered(truth: Truth, rows: list[dict[str, Any]], by: tuple[str, ...]) -> list[bool]:
    return [row["lower"] <= _true(truth, row, by) <= row["upper"] for row in rows if row["lower"] is not None]


ANSWERED = [*SHARES, *INCIDENCE, "sdg.16.1.4"]


AUDITED = ["audit.safety_score", *RATINGS]


@pytest.fixture(scope="module")
def estimates(observatory: sc.Observatory) -> Estimates:
    """More than the city's `observatory.toml` asks for: everything that the survey and the audits can answer."""
    return observatory.measure(*ANSWERED, *RATIOS, *AUDITED)


@pytest.mark.parametrize("code", ANSWERED)
def test_each_indicator_of_the_survey_has_both_waves(estimates: Estimates, code: str):
    rows = _rows(estimates, code, (), [PLACE])
    assert [row["period"] for row in sorted(rows, key=lambda row: row["period"])] == list(map(str, WAVES))
    assert all(row["value"] is not None and row["n"] > 0 and row["df"] > 0 for row in rows)


@pytest.mark.parametrize("by", BREAKDOWNS, ids="-".join)
def test_intervals_of_the_city_cover_the_truth(estimates: Estimates, truth: Truth, by: tuple[str, ...]):
    covered = [hit for code in ANSWERED for hit in _covered(truth, _rows(estimates, code, by, [PLACE]), by)]
    assert len(covered) > 0.8 * len(ANSWERED) * len(WAVES) * (2 if by else 1)
    # one city: its intervals hang together, so the share strays by more than chance alone would have it
    assert np.mean(covered) > 0.86


def test_intervals_of_districts_and_neighbourhoods_cover_the_truth(estimates: Estimates, truth: Truth):
    districts = list(truth.survey.codes["district"])
    for places, least in ((districts, 0.9), (list(truth.places), 0.93)):
        covered = [hit for code in ANSWERED for hit in _covered(truth, _rows(estimates, code, (), places), ())]
        assert len(covered) > len(places) * len(WAVES)
        assert np.mean(covered) > least


def test_all_intervals_of_the_survey_together_cover_as_they_promise(estimates: Estimates, truth: Truth):
    districts = [*truth.survey.codes["district"], PLACE]
    parts = [(by, [PLACE]) for by in BREAKDOWNS] + [((), districts), (("sex",), districts)]
    covered = [
        hit
        for by, places in parts
        for code in ANSWERED
        for hit in _covered(truth, _rows(estimates, code, by, places), by)
    ]
    assert len(covered) > 2000
    assert 0.93 < np.mean(covered) < 0.995


@pytest.mark.parametrize("code", RATIOS)
def test_recorded_over_surveyed_crime_covers_the_share_that_is_reported(estimates: Estimates, truth: Truth, code: str):
    act, role = RATIOS[code]
    rows = estimates.where(indicator=code, place=PLACE).totals().rows()
    assert {row["period"] for row in rows} == set(map(str, WAVES))
    for row in rows:
        year = int(row["period"])
        true = 100 * truth.mean(act, year=year) / truth.survey.number(role, year)
        assert row["lower"] <= true <= row["upper"]
        assert row["upper"] < 60  # most of what happens is never recorded


def test_safe_after_dark_counts_the_dont_knows_below_the_line(estimates: Estimates, observatory: sc.Observatory):
    table = observatory.collect("survey").table
    weight, said = table.column("weight").to_numpy(), table.column("answer_safe_walking_dark").to_numpy()
    period = np.array(table.column("period").to_pylist())
    for row in _rows(estimates, "sdg.16.1.4", (), [PLACE]):
        mine = period == row["period"]
        assert row["value"] == pytest.approx(100 * np.nansum(weight[mine] * said[mine]) / weight[mine].sum())
        assert row["n"] == mine.sum()


def test_rows_of_the_survey_say_by_which_rules_they_are_published(estimates: Estimates):
    rows = _rows(estimates, "sdg.16.1.3.sexual", ("orientation",), [PLACE]) + _rows(
        estimates, "sdg.16.1.4", (), [PLACE]
    )
    assert {row["scheme"] for row in rows} == {"nchs-proportions-2017"}
    whole = [row["verdict"] for row in rows if row["indicator"] == "sdg.16.1.4"]
    assert set(whole) == {"publish"}
    # few people are neither heterosexual nor gay nor bisexual, and few of them are victims
    assert "withhold" in {row["verdict"] for row in rows if row["orientation"] == "_O"}


# ----------------------------------------------------------------------------------------------------------- the audits


def _audited(estimates: Estimates, code: str, places: list[str]) -> list[dict[str, Any]]:
    return estimates.where(indicator=code, source="audits", place=places).totals().rows()


@pytest.mark.parametrize("code", AUDITED)
def test_scores_of_audits_cover_the_truth(estimates: Estimates, truth: Truth, code: str):
    true: Callable[[int, str | None], float] = (
        truth.audits.score
        if code not in RATINGS
        else lambda year, place: truth.audits.rating(RATINGS[code], year, place)
    )
    for places, least in ((list(truth.places), 0.85), (list(truth.survey.codes["district"]), 0.8)):
        rows = _audited(estimates, code, places)
        assert len(rows) == len(places) * len(WAVES)
        drawn = [row for row in rows if row["lower"] is not None]  # three equal walks show no spread, and no interval
        assert len(drawn) >= 0.95 * len(rows)
        assert (
            np.mean([row["lower"] <= true(int(row["period"]), row["place"]) <= row["upper"] for row in drawn]) > least
        )
    for row in _audited(estimates, code, [PLACE]):
        error = abs(row["value"] - true(int(row["period"]), None))
        assert error < 4 * row["se"]


def test_audits_know_their_walks(estimates: Estimates, truth: Truth):
    rows = _audited(estimates, "audit.lighting", ["D4-02"])
    assert {row["df"] for row in rows} == {WALKS - 1}
    assert all(WALKS * STOPS - 2 <= row["n"] <= WALKS * STOPS for row in rows)
