"""Scores of safety audits: of points by the rubric, of places with clustered intervals, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.collect.audits import collect_audits
from safercities.collect.audits_spec import AuditsSpec
from safercities.collect.records import DimensionInfo
from safercities.indicators.catalogue import indicator
from safercities.indicators.spec import Indicator
from safercities.measure.audits import METHOD, AuditsSource, measure_audits
from safercities.measure.rubric import Rubric, rubric, rubrics, scores
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.geographies import Geography
from safercities.places.hierarchy import Hierarchy
from safercities.places.locate import locate

SCORE = indicator("audit.safety_score")
LIGHT = indicator("audit.lighting")
CODES = rubric().codes
TIME = DimensionInfo("time_of_day", "Time of day", "event", ("dark", "day"))

WALK = [1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 6, 1, 1, 2, 2, 3, 3]
YEAR = [2023] * 18 + [2024] * 6
WARD = list("AAAAABBBBAABBBAABBAAABBB")
TIMES = ["dark", "day"] * 12
WEIGHT = [1, 2, 1, 1, 3, 1, 1, 2, 2, 1, 1, 1, 4, 1, 1, 2, 1, 1, 1, 1, 2, 2, 1, 1]
SUMS = [10, 14, 9, 20, 18, 22, 15, 7, 6, 11, 12, 19, 25, 23, 16, 13, 8, 9, 12, 15, 20, 21, 9, 10]


def rated(sums: list[int]) -> np.ndarray:
    """Nine ratings from 0 to 3 with that sum at each point."""
    return np.array([[total // 9 + (k < total % 9) for k in range(9)] for total in sums], dtype=float)


def make(ratings: np.ndarray | None = None, **columns: Any) -> AuditsSource:
    ratings = rated(SUMS) if ratings is None else ratings
    given_columns: dict[str, Any] = {
        "when": pa.array([datetime(year, 5, 1) for year in YEAR[: len(ratings)]], pa.timestamp("us")),
        "walk": list(map(str, WALK[: len(ratings)])),
        "weight": list(map(float, WEIGHT[: len(ratings)])),
        "place_ward": WARD[: len(ratings)],
        "time_of_day": TIMES[: len(ratings)],
    } | columns
    given_columns |= {
        f"rating_{code}": pa.array(ratings[:, k], mask=np.isnan(ratings[:, k])) for k, code in enumerate(CODES)
    }
    table = pa.table({name: values for name, values in given_columns.items() if values is not None})
    return AuditsSource("walks", "Walks", table, {"time_of_day": TIME}, ("ward",))


def other(**changes: Any) -> AuditsSource:
    return replace(make(), **changes)


def measure(source: AuditsSource, *by: list[str], one: Indicator = SCORE, **more: Any) -> Estimates:
    return measure_audits([one], source, place="city", by=list(by), **more)


# R 4.2.2, survey 4.1.1: for each year svymean(~score, svydesign(id=~walk, weights=~w, data=…)), for each ward of its
# subset(), confint(…, df=degf(…)); the data above, score = 5·sum/27. (value, se, lower, upper, df), limits of Student's
# t before they are cut to the scale 0–5.
IN_R = {
    ("2023", "city"): (2.798353909465021, 0.493643662950329, 1.52940247620793, 4.06730534272211, 5),
    ("2023", "A"): (2.649572649572649, 0.319136782172479, 1.63393697626771, 3.66520832287759, 3),
    ("2023", "B"): (2.936507936507937, 0.865305448990422, 0.534034858157501, 5.33898101485837, 4),
    ("2024", "city"): (2.962962962962963, 0.645248141887331, 0.186684283905669, 5.73924164202026, 2),
    ("2024", "A"): (3.101851851851852, 0.521218993018412, -3.5208633858229, 9.72456708952661, 1),
    ("2024", "B"): (2.824074074074074, 0.922156679955652, -8.89303750027356, 14.5411856484217, 1),
}


def test_scores_of_places_are_as_in_r() -> None:
    made = measure(make(), ["place"])
    assert len(made) == len(IN_R)
    for (period, place), (value, se, lower, upper, df) in IN_R.items():
        row = made.where(period=period, place=place).only()
        assert (row["value"], row["se"]) == (pytest.approx(value, rel=1e-12), pytest.approx(se, rel=1e-12))
        assert row["lower"] == pytest.approx(max(lower, 0.0), rel=1e-9)
        assert row["upper"] == pytest.approx(min(upper, 5.0), rel=1e-9)
        assert row["df"] == df
        assert (row["unit"], row["method"], row["source"], row["quality"]) == ("score 0–5", METHOD, "walks", "")
        assert (row["indicator"], row["version"], row["coverage"]) == ("audit.safety_score", "2013-1", 1.0)
    assert made.where(period="2023", place="city").only()["n"] == 18


def test_breakdowns_by_place_and_characteristic_are_as_in_r() -> None:
    """R: svymean of subset(svydesign(id=~walk, weights=~w, data=2023), ward == "A" & sex == "d")."""
    row = measure(make(), ["place", "time_of_day"]).where(period="2023", place="A", time_of_day="dark").only()
    assert row["value"] == pytest.approx(2.671957671957672, rel=1e-12)
    assert row["se"] == pytest.approx(0.430162176729437, rel=1e-12)


def test_each_parameter_is_its_mean_rating_from_0_to_3() -> None:
    row = measure(make(), one=LIGHT).where(period="2023").only()
    weights, ratings = np.array(WEIGHT[:18]), rated(SUMS)[:18, 0]
    assert row["value"] == pytest.approx((weights * ratings).sum() / weights.sum())
    assert (row["unit"], row["indicator"]) == ("score 0–3", "audit.lighting")
    assert row["upper"] <= 3


def test_from_one_walk_there_is_a_value_without_interval() -> None:
    source = make(place_ward=["A" if walk == 1 else "B" for walk in WALK])
    row = measure(source, ["place"]).where(period="2023", place="A").only()
    assert row["value"] == pytest.approx(5 * (10 + 28 + 9) / 4 / 27)
    assert [row[name] for name in ("se", "lower", "upper")] == [None] * 3
    assert (row["quality"], row["obs_status"], row["df"]) == ("single_psu", "U", 0)
    whole = make(walk=["1"] * 24)
    assert measure(whole).where(period="2023").only()["quality"] == "single_psu"


def test_without_walks_each_point_stands_for_itself() -> None:
    row = measure(make(walk=None)).where(period="2023").only()
    assert row["df"] == 17
    weights, score = np.array(WEIGHT[:18]), 5 * np.array(SUMS[:18]) / 27
    rest = weights * (score - (weights * score).sum() / weights.sum()) / weights.sum()
    assert row["se"] == pytest.approx(np.sqrt(18 / 17 * (rest**2).sum()))


def test_walks_that_agree_to_the_last_digit_prove_nothing() -> None:
    row = measure(make(rated([13] * 24))).where(period="2023").only()
    assert row["value"] == pytest.approx(65 / 27)
    assert [row[name] for name in ("se", "lower", "upper")] == [None] * 3
    assert (row["obs_status"], row["quality"]) == ("U", "")
    nothing = measure(make(rated([0] * 24))).where(period="2023").only()
    assert [nothing[name] for name in ("value", "se", "lower", "upper")] == [0.0, None, None, None]


def test_points_with_too_few_ratings_are_left_out_and_counted() -> None:
    ratings = rated(SUMS)
    ratings[[0, 5], 3] = np.nan
    row = measure(make(ratings)).where(period="2023").only()
    weights, score = np.array(WEIGHT[:18], float), 5 * np.array(SUMS[:18]) / 27
    weights[[0, 5]] = 0
    assert row["value"] == pytest.approx((weights * score).sum() / weights.sum())
    assert (row["n"], row["coverage"]) == (16, pytest.approx(16 / 18))
    assert row["note"] == "2 points left out, as too few parameters were rated there"
    assert row["quality"] == "missing_answers"


def test_a_rubric_that_asks_for_fewer_parameters_uses_the_rated_ones() -> None:
    ratings = rated(SUMS)
    ratings[0, :2] = np.nan
    source = other(table=make(ratings).table, rubric=rubric().model_copy(update={"at_least": 7}))
    row = measure(source).where(period="2023").only()
    score = 5 * np.array(SUMS[:18]) / 27
    score[0] = 5 * np.nansum(ratings[0]) / (3 * 7)
    weights = np.array(WEIGHT[:18])
    assert row["value"] == pytest.approx((weights * score).sum() / weights.sum())
    assert (row["n"], row["note"]) == (18, "")


def test_points_without_a_place_or_a_characteristic_have_rows_of_their_own_and_flags() -> None:
    wards, times = list(WARD), list(TIMES)
    wards[0], times[3] = "_U", "_U"
    made = measure(make(place_ward=wards, time_of_day=times), ["place"], ["time_of_day"])
    lost = made.where(place="_U.ward", period="2023").only()
    assert (lost["n"], lost["value"]) == (1, pytest.approx(50 / 27))
    ward = made.where(place="A", period="2023").only()
    assert (ward["coverage"], ward["quality"]) == (pytest.approx(17 / 18), "unlocated_share")
    assert made.where(place="city", period="2023", time_of_day="dark").only()["quality"] == "unknown_share"
    assert made.where(place="city", period="2023", time_of_day="_U").only()["n"] == 1
    parts = made.where(period="2023", time_of_day="_T", place=["A", "B", "_U.ward"]).rows()
    assert sum(row["n"] for row in parts) == 18


def test_a_level_that_holds_the_place_itself_does_not_repeat_the_total() -> None:
    source = make(place_ward=["city"] * 24)
    assert [row["place"] for row in measure(source, ["place"]).rows()] == ["city", "city"]


def test_every_part_of_a_breakdown_adds_up_to_the_total() -> None:
    made = measure(make(), ["place"], ["place", "time_of_day"])
    for year in ("2023", "2024"):
        total = made.where(period=year, place="city").only()
        for rows in (
            made.where(period=year, time_of_day="_T").rows(),
            made.where(period=year, time_of_day=["dark", "day"]).rows(),
        ):
            parts = [row for row in rows if row["place"] != "city"]
            assert sum(row["denominator"] for row in parts) == pytest.approx(total["denominator"])
            whole = sum(row["denominator"] * row["value"] for row in parts)
            assert whole == pytest.approx(total["denominator"] * total["value"])


def test_from_a_file_to_scores(tmp_path: Path) -> None:
    """Three walks of two points; one rating is no rating, so its row is rejected."""
    head = "day,walk,ward," + ",".join(CODES)
    rows = [f"2024-03-0{walk},{walk},{ward}," + ",".join([str(walk)] * 9) for walk in (1, 2, 3) for ward in "AB"]
    rows[0] = rows[0][:-1] + "7"
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    columns = {code: code for code in CODES}
    spec = AuditsSpec(kind="audits", file="a.csv", when="day", walk="walk", places={"ward": "ward"}, rubric=columns)
    city = [Place("c", "C", "city"), *(Place(ward, ward, "ward", "c") for ward in "AB")]
    geography = Geography("ward", tuple(city[1:]), None, None, None, None, ())
    located = locate(collect_audits("walks", spec, tmp_path), [geography], Hierarchy(city))
    made = measure(AuditsSource.from_located(located), ["place"])
    assert {row["place"]: row["n"] for row in made.rows()} == {"A": 2, "B": 3, "city": 5}
    assert [row["value"] for row in made.rows()] == pytest.approx([5 * 2.5 / 3, 5 * 2 / 3, 5 * 11 / 15])
    assert made.where(place="city").only()["quality"] == "rejected_share"


def test_rejected_rows_are_flagged() -> None:
    assert measure(other(rejected=0.2)).where(period="2023").only()["quality"] == "rejected_share"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: measure(make(), ["age"]), "breakdown-unknown"),
        (lambda: measure(make(), one=indicator("recorded.robbery")), "audits-indicator"),
        (lambda: measure(make(), period="fortnight"), "period-kind"),
        (lambda: measure(other(precision="year"), period="month"), "period-too-fine"),
        (lambda: measure(other(table=make().table.drop_columns(["rating_people"]))), "audits-parameters"),
        (lambda: rubric("none"), "rubric-unknown"),
        (lambda: rubric().chosen(["smell"]), "rubric-parameter-unknown"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(call: Any, code: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        call()
    assert [one.code for one in caught.value.problems] == [code]


def test_a_wrong_call_is_a_wrong_call() -> None:
    with pytest.raises(UsageError):
        measure(make(), ["age"])


# ------------------------------------------------------------------------------------------------------------- rubrics


@pytest.mark.parametrize("name", rubrics())
def test_every_rubric_says_where_it_comes_from_and_what_was_checked(name: str) -> None:
    made = rubric(name)
    assert made.source
    assert made.checked
    assert all(len(one.steps) == made.best + 1 for one in made.parameters)


def test_the_standard_rubric_has_the_parameters_that_files_are_read_by() -> None:
    from safercities.collect.audits_spec import HIGHEST, RubricFrom

    assert tuple(RubricFrom.model_fields) == CODES
    assert rubric().best == HIGHEST


@pytest.mark.parametrize(
    "wrong", [{"at_least": 10}, {"best": 4}, {"parameters": [*rubric().parameters, rubric().parameters[0]]}]
)
def test_a_rubric_that_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Rubric.model_validate(rubric().model_dump() | wrong)


ratings = st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=9, max_size=9)


@given(ratings, st.lists(st.floats(0.1, 10), min_size=9, max_size=9), st.floats(0.1, 10))
def test_scores_stay_on_the_scale_and_do_not_depend_on_the_size_of_the_weights(
    one: list[int | None], weights: list[float], size: float
) -> None:
    given_ratings = np.array([[np.nan if rating is None else rating for rating in one]], dtype=float)
    score = scores(given_ratings, np.array(weights), best=3, points=5, at_least=1)
    again = scores(given_ratings, size * np.array(weights), best=3, points=5, at_least=1)
    known = [rating for rating in one if rating is not None]
    assert np.isnan(score[0]) == (not known)
    if known:
        assert 5 / 3 * min(known) - 1e-9 <= score[0] <= 5 / 3 * max(known) + 1e-9
        assert score[0] == pytest.approx(again[0])
        equal = scores(given_ratings, np.ones(9), best=3, points=5, at_least=1)
        assert equal[0] == pytest.approx(5 / 3 * np.mean(known))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """400 places of 20 walks of 5 points that share a part of their score; taken alone, points say too much."""
    rng = np.random.default_rng(4)
    walk = rng.normal(0, 0.3, (400, 20, 1))
    score = np.clip(1.5 + walk + rng.normal(0, 0.3, (400, 20, 5)), 0, 3).reshape(-1)
    table = pa.table(
        {
            "when": pa.array([datetime(2024, 1, 1)] * 40_000, pa.timestamp("us")),
            "weight": [1.0] * 40_000,
            "walk": np.repeat(np.arange(8_000), 5).astype(str),
            "place_ward": np.repeat(np.arange(400), 100).astype(str),
            "rating_lighting": score,
        }
    )

    def covered(points: pa.Table) -> float:
        made = measure(AuditsSource("w", "W", points, {}, ("ward",)), ["place"], one=LIGHT).table
        made = made.filter(pc.not_equal(made.column("place"), "city"))
        lower, upper = made.column("lower").to_numpy(), made.column("upper").to_numpy()
        return float(np.mean((lower <= 1.5) & (upper >= 1.5)))

    assert 0.915 <= covered(table) <= 0.97  # 400 places: ± 2 %
    assert covered(table.drop_columns(["walk"])) < 0.8
