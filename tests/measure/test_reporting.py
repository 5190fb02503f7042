"""Recorded cases against those told to a survey: what is set against what, intervals, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from safercities.measure.rates import garwood
from safercities.measure.reporting import METHOD, reporting_rate
from safercities.model.errors import UsageError
from safercities.model.estimates import Estimates

PLACE = {"place": "x", "period": "2023"}


def police_row(cases: int = 400, **more: Any) -> dict[str, Any]:
    low, high = garwood(cases, 0.95)
    row = {"indicator": "recorded.robbery", "version": "1", "source": "police", "unit": "incidents", "method": "count"}
    numbers = {"value": float(cases), "se": cases**0.5, "lower": float(low), "upper": float(high), "level": 0.95}
    return PLACE | row | numbers | more


def told_row(**more: Any) -> dict[str, Any]:
    row = {"indicator": "surveyed.robbery.incidents", "version": "1", "source": "victims", "unit": "per 1 000"}
    numbers = {"value": 20.0, "se": 2.0, "df": 60.0, "denominator": 50_000.0, "n": 900, "n_positive": 17, "level": 0.95}
    return PLACE | row | numbers | {"method": "mean"} | more


def police(cases: int = 400, **more: Any) -> Estimates:
    return Estimates.from_rows([police_row(cases, **more)])


def told(**more: Any) -> Estimates:
    return Estimates.from_rows([told_row(**more)])


def measure(recorded: Estimates, surveyed: Estimates, recall: str = "P12M") -> Estimates:
    return reporting_rate(recorded, surveyed, indicator="reporting.robbery", version="2016-1", recall=recall)


def test_events_recorded_over_events_told() -> None:
    row = measure(police(), told()).only()
    low, high = garwood(400, 0.95)
    spread = t.ppf(0.975, 60) * 0.1
    assert row["value"] == pytest.approx(40.0)
    assert row["lower"] == pytest.approx(40 * np.exp(-np.hypot(np.log(400 / low), spread)))
    assert row["upper"] == pytest.approx(40 * np.exp(np.hypot(np.log(high / 400), spread)))
    assert row["se"] == pytest.approx(40 * np.hypot(1 / 20, 0.1))
    assert (row["unit"], row["method"], row["source"]) == ("per 100", METHOD, "police / victims")
    assert (row["denominator"], row["n"], row["n_positive"], row["df"]) == (1000.0, 900, 17, 60.0)
    assert (row["indicator"], row["version"], row["obs_status"], row["quality"]) == (
        "reporting.robbery",
        "2016-1",
        "A",
        "",
    )
    assert row["note"].startswith(
        "the survey asks about the last 12 months before the interview, the records are of 2023"
    )


@pytest.mark.parametrize(
    ("surveyed", "unit", "value"),
    [
        ({"unit": "%", "value": 2.0, "se": 0.2}, "victims", 40.0),
        ({"unit": "victims", "value": 800.0, "se": 80.0}, "victims", 50.0),
        ({"unit": "per 1 000"}, "offences", 40.0),
        ({"unit": "per 100", "value": 2.0, "se": 0.2}, "incidents", 40.0),
    ],
)
def test_units_that_count_the_same(surveyed: dict[str, Any], unit: str, value: float) -> None:
    assert measure(police(unit=unit), told(**surveyed)).only()["value"] == pytest.approx(value)


@pytest.mark.parametrize(("surveyed", "unit"), [("per 1 000", "victims"), ("%", "incidents"), ("mean", "incidents")])
def test_units_that_count_something_else_are_refused(surveyed: str, unit: str) -> None:
    with pytest.raises(UsageError) as caught:
        measure(police(unit=unit), told(unit=surveyed))
    assert caught.value.problems[0].code == "reporting-units"


def test_rates_of_the_records_and_smoothed_rows_are_not_used() -> None:
    both = Estimates.concat([police(), police(unit="per 100 000", method="crude rate, Garwood interval", value=12.0)])
    surveys = Estimates.concat([told(), told(method="Fay–Herriot (REML)", quality="smoothed", value=11.0)])
    assert measure(both, surveys).only()["value"] == pytest.approx(40.0)


def test_nothing_recorded_has_an_upper_limit_and_nothing_told_no_value() -> None:
    row = measure(police(0), told()).only()
    assert (row["value"], row["lower"]) == (0.0, 0.0)
    assert row["upper"] == pytest.approx(100 * float(garwood(0, 0.95)[1]) / 1000 * np.exp(t.ppf(0.975, 60) * 0.1))
    row = measure(police(), told(value=0.0, se=0.0)).only()
    assert [row[name] for name in ("value", "se", "lower", "upper")] == [None] * 4
    assert row["obs_status"] == "O"
    assert row["note"].startswith("no value")
    assert measure(police(), told(denominator=None)).only()["value"] is None


def test_without_a_standard_error_or_with_another_level_there_is_no_interval() -> None:
    for row in (measure(police(), told(se=None)).only(), measure(police(level=0.9), told()).only()):
        assert row["value"] == pytest.approx(40.0)
        assert (row["lower"], row["upper"]) == (None, None)


def test_more_recorded_than_told_is_kept_and_said() -> None:
    row = measure(police(2000), told()).only()
    assert row["value"] == pytest.approx(200.0)
    assert row["note"].startswith("more was recorded than told")


def test_what_the_rules_say_of_the_survey_holds_for_the_quotient() -> None:
    row = measure(
        police(quality="partial_period"), told(verdict="withhold", scheme="s", quality="high_cv", obs_status="U")
    ).only()
    assert (row["verdict"], row["scheme"], row["obs_status"], row["quality"]) == (
        "withhold",
        "s",
        "U",
        "partial_period high_cv",
    )


@pytest.mark.parametrize(
    ("recorded", "surveyed", "status"), [("P", "A", "P"), ("A", "I", "I"), ("U", "I", "U"), ("A", None, "A")]
)
def test_the_status_is_the_worse_of_the_two(recorded: str, surveyed: str | None, status: str) -> None:
    row = measure(police(obs_status=recorded), told(obs_status=surveyed)).only()
    assert row["obs_status"] == status


def test_places_periods_and_breakdowns_must_be_the_same() -> None:
    for other in ({"place": "y"}, {"period": "2022"}, {"sex": "F"}):
        assert len(measure(police(), told(**other))) == 0
    row = measure(police(sex="F"), told(sex="F")).only()
    assert (row["sex"], row["value"]) == ("F", pytest.approx(40.0))


@pytest.mark.parametrize("unknown", [{"sex": "_U"}, {"place": "_U"}, {"place": "_U.ward"}])
def test_what_is_not_known_is_not_set_against_each_other(unknown: dict[str, Any]) -> None:
    assert len(measure(police(**unknown), told(**unknown))) == 0
    both = Estimates.concat([police(sex="F"), police(**({"sex": "F"} | unknown))])
    assert len(measure(both, Estimates.concat([told(sex="F"), told(**({"sex": "F"} | unknown))]))) == 1


def test_a_rate_that_needs_no_population_is_not_flagged_for_lacking_one() -> None:
    row = measure(police(quality="no_denominator few_cases"), told(quality="high_cv")).only()
    assert row["quality"].split() == ["few_cases", "high_cv"]
    assert "no_denominator" in measure(police(), told(quality="no_denominator")).only()["quality"]


def test_the_time_looked_back_on_must_be_as_long_as_the_period() -> None:
    with pytest.raises(UsageError) as caught:
        measure(police(), told(), recall="P5Y")
    assert caught.value.problems[0].code == "reporting-window"
    assert measure(police(period="2023-07/2024-06"), told(period="2023-07/2024-06")).only()["value"] == pytest.approx(
        40.0
    )
    assert "nothing says how far back" in measure(police(), told(), recall="").only()["note"]


def test_two_surveyed_rows_of_one_source_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        measure(police(), Estimates.concat([told(), told(method="other")]))
    assert caught.value.problems[0].code == "reporting-twice"


def test_two_sources_of_records_stand_side_by_side() -> None:
    made = measure(Estimates.concat([police(), police(200, source="health")]), told())
    assert [(row["source"], row["value"]) for row in made.rows()] == [
        ("health / victims", pytest.approx(20.0)), ("police / victims", pytest.approx(40.0)),
    ]  # fmt: skip


@pytest.mark.parametrize(("cases", "clusters"), [(60, 40), (400, 25)])
def test_the_interval_holds_the_truth_as_often_as_it_says(cases: int, clusters: int) -> None:
    """1500 draws: Poisson records, and a survey mean of clusters with a coefficient of variation of 8 % or so."""
    rng = np.random.default_rng(cases)
    recorded, surveyed = [], []
    means = rng.gamma(4.0, 20.0 / 4.0, (1500, clusters))
    for at, (count, draw) in enumerate(zip(rng.poisson(cases, 1500), means, strict=True)):
        place = {"place": f"p{at}"}
        recorded.append(police_row(int(count), **place))
        se = float(draw.std(ddof=1) / np.sqrt(clusters))
        surveyed.append(told_row(value=float(draw.mean()), se=se, df=clusters - 1.0, **place))
    made = measure(Estimates.from_rows(recorded), Estimates.from_rows(surveyed)).rows()
    truth = 100 * cases / 1000
    assert 0.93 < np.mean([row["lower"] <= truth <= row["upper"] for row in made]) < 0.97
