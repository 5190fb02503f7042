"""Composites: standardisation between goalposts, and weighted means of parts."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from safercities.indicators.catalogue import indicator
from safercities.indicators.numerators import Goalposts
from safercities.indicators.spec import Indicator
from safercities.measure.composites import UNIT, indices, standardise, weighted_mean
from safercities.measure.rates import garwood
from safercities.model.errors import UsageError
from safercities.model.estimates import Estimates

HOMICIDE = indicator("cpi.homicide").on().numerator.goalposts[0]
THEFT = indicator("cpi.theft").on().numerator.goalposts[0]
ROW = {"indicator": "sdg.16.1.1", "version": "1", "place": "x", "period": "2020", "unit": "per 100 000", "source": "s",
       "method": "crude rate, Garwood interval", "level": 0.95}  # fmt: skip


def make(value: float | None, **more: Any) -> Estimates:
    return Estimates.from_rows([ROW | {"value": value} | more])


def scaled(estimates: Estimates, goalposts: Goalposts = HOMICIDE) -> dict[str, Any]:
    return standardise(estimates, goalposts, indicator="cpi.homicide", version="2016-1").only()


def test_homicide_between_1_and_1654_on_the_logarithm() -> None:
    """By hand: 100 · (ln 1654 − ln 25) / ln 1654; the limits change sides, the se by the delta method."""
    row = scaled(make(25.0, se=2.5, lower=20.0, upper=31.0, n=100, n_positive=100, denominator=4e5, obs_status="A"))
    span = log(1654)
    assert row["value"] == pytest.approx(100 * (span - log(25)) / span)
    assert row["lower"] == pytest.approx(100 * (span - log(31)) / span)
    assert row["upper"] == pytest.approx(100 * (span - log(20)) / span)
    assert row["se"] == pytest.approx(100 * 0.1 / span)
    assert (row["unit"], row["indicator"], row["version"]) == (UNIT, "cpi.homicide", "2016-1")
    assert row["method"] == "between goalposts 1 and 1654, logarithm; of: crude rate, Garwood interval"
    assert (row["n"], row["denominator"], row["level"], row["quality"], row["note"]) == (100, 4e5, 0.95, "", "")


def test_theft_by_fourth_roots() -> None:
    row = scaled(make(1000.0, se=10.0), THEFT)
    low, high = 25.45**0.25, 6159.11**0.25
    assert row["value"] == pytest.approx(100 * (high - 1000**0.25) / (high - low))
    step = 1e-4
    slope = (scaled(make(1000.0 - step), THEFT)["value"] - scaled(make(1000.0 + step), THEFT)["value"]) / (2 * step)
    assert row["se"] == pytest.approx(10 * slope, rel=1e-6)


@pytest.mark.parametrize(
    ("value", "score", "note"),
    [
        (0.0, 100.0, "0 lies beyond the goalpost 1: counted as it"),
        (2000.0, 0.0, "2000 lies beyond the goalpost 1654: counted as it"),
    ],
)
def test_beyond_a_goalpost_the_score_is_its_end_and_flagged(value: float, score: float, note: str) -> None:
    row = scaled(make(value, se=1.0, lower=0.0, upper=3000.0, quality="few_cases", note="before"))
    assert (row["value"], row["lower"], row["upper"], row["se"]) == (score, 0.0, 100.0, None)
    assert (row["quality"], row["note"]) == ("few_cases clipped", f"before; {note}")


def test_counts_are_left_out_and_missing_values_stay_missing() -> None:
    counts = make(25.0, unit="victims", method="count")
    assert len(standardise(counts, HOMICIDE, indicator="i", version="1")) == 0
    row = scaled(make(None, quality="no_denominator"))
    assert [row[name] for name in ("value", "se", "lower", "upper")] == [None] * 4
    assert row["quality"] == "no_denominator"


def test_what_may_not_be_published_as_a_rate_may_not_be_as_a_score() -> None:
    row = scaled(make(25.0, verdict="withhold", scheme="nchs-rates-2023", obs_status="U", df=3.0, deff=2.0))
    assert (row["verdict"], row["scheme"], row["obs_status"], row["df"]) == ("withhold", "nchs-rates-2023", "U", 3.0)
    assert row["deff"] is None


goalposts = st.builds(
    lambda low, span, better, transform: Goalposts(of="x", min=low, max=low + span, better=better, transform=transform),
    st.floats(0.1, 100),
    st.floats(1, 1000),
    st.sampled_from(["lower", "higher"]),
    st.sampled_from(["none", "log", "fourth_root"]),
)


@given(goalposts, st.floats(0, 2000), st.floats(0, 50), st.floats(0, 50))
def test_scores_stay_on_the_scale_between_their_limits(
    posts: Goalposts, value: float, below: float, above: float
) -> None:
    row = scaled(make(value, lower=max(value - below, 0), upper=value + above), posts)
    assert -1e-9 <= row["lower"] <= row["value"] + 1e-9 <= row["upper"] + 2e-9 <= 100 + 3e-9
    if not posts.min < value < posts.max:
        assert row["value"] == pytest.approx(100 if (value <= posts.min) == (posts.better == "lower") else 0, abs=1e-9)


@given(goalposts, st.floats(0.01, 0.99))
def test_the_better_end_scores_more(posts: Goalposts, share: float) -> None:
    worse, better = (posts.max, posts.min) if posts.better == "lower" else (posts.min, posts.max)
    middle = worse + share * (better - worse)
    assert scaled(make(worse), posts)["value"] == pytest.approx(0, abs=1e-9)
    assert scaled(make(better), posts)["value"] == pytest.approx(100)
    assert 0 < scaled(make(middle), posts)["value"] < 100


def test_intervals_hold_the_truth_as_often_as_those_of_the_rates() -> None:
    rng = np.random.default_rng(3)
    cases, rate = rng.poisson(12.0, 4000), 12.0
    low, high = garwood(cases, 0.95)
    columns = {"value": cases.astype(float), "lower": low, "upper": high}
    table = pa.table({name: [ROW[name]] * 4000 for name in ("indicator", "place", "period", "unit")} | columns)
    made = standardise(Estimates(table), HOMICIDE, indicator="i", version="1").table
    truth = scaled(make(rate))["value"]
    lower, upper = made.column("lower").to_numpy(), made.column("upper").to_numpy()
    assert np.mean((lower <= truth) & (truth <= upper)) == np.mean((low <= rate) & (rate <= high))


# ------------------------------------------------------------------------------------------------------ several parts


def part(value: float | None, **more: Any) -> Estimates:
    limits = {} if value is None else {"se": 2.0, "lower": value - 4, "upper": value + 6}
    row = ROW | {"indicator": "c", "unit": UNIT, "value": value, "method": "between goalposts 1 and 2; of: crude"}
    return Estimates.from_rows([row | limits | more])


WEIGHTS = {"a": 3.0, "b": 1.0}


def test_a_weighted_mean_of_two_parts() -> None:
    row = weighted_mean({"a": part(80.0, se=4.0), "b": part(40.0, se=8.0)}, WEIGHTS).only()
    assert row["value"] == 70.0
    assert row["se"] == pytest.approx(np.hypot(0.75 * 4, 0.25 * 8))
    assert row["lower"] == pytest.approx(70 - np.hypot(0.75 * 4, 0.25 * 4))
    assert row["upper"] == pytest.approx(70 + np.hypot(0.75 * 6, 0.25 * 6))
    assert (row["method"], row["obs_status"]) == ("weighted mean of a 3, b 1; of: crude", None)


def test_a_part_that_is_missing_leaves_no_value_and_is_named() -> None:
    made = weighted_mean({"a": part(80.0), "b": part(None)}, WEIGHTS).only()
    assert (made["value"], made["se"], made["lower"]) == (None, None, None)
    assert (made["obs_status"], made["note"]) == ("O", "no value: nothing of b")
    other = weighted_mean({"a": part(80.0), "b": part(40.0, place="y")}, WEIGHTS)
    assert [(row["place"], row["note"]) for row in other.rows()] == [
        ("x", "no value: nothing of b"),
        ("y", "no value: nothing of a"),
    ]


def test_a_mean_is_no_better_than_its_worst_part() -> None:
    parts = {
        "a": part(80.0, quality="clipped", obs_status="A", verdict="publish"),
        "b": part(40.0, quality="few_cases", obs_status="U", verdict="withhold"),
    }
    row = weighted_mean(parts, WEIGHTS).only()
    assert (row["quality"], row["obs_status"], row["verdict"]) == ("few_cases clipped", "U", "withhold")


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [("A", "I", "I"), ("I", "U", "U"), ("P", "A", "P"), ("A", None, None), ("U", None, "U"), ("A", "E", None)],
)
def test_the_status_of_a_mean_is_that_of_its_worst_part(one: str, other: str | None, status: str | None) -> None:
    """I: of a model for small areas; None: nothing is said."""
    row = weighted_mean({"a": part(80.0, obs_status=one), "b": part(40.0, obs_status=other)}, WEIGHTS).only()
    assert row["obs_status"] == status


def test_a_part_that_cannot_exist_leaves_no_value() -> None:
    """M: nobody of a survey is in that group."""
    parts = {"a": part(80.0, obs_status="A", verdict="publish"), "b": part(None, obs_status="M")}
    row = weighted_mean(parts, WEIGHTS).only()
    assert (row["value"], row["obs_status"], row["verdict"]) == (None, "O", None)
    assert scaled(make(None, obs_status="M"))["obs_status"] == "M"


@pytest.mark.parametrize(("other", "verdict"), [(None, None), ("publish", "publish"), ("warn", "warn")])
def test_a_mean_may_be_published_only_if_the_rules_say_it_of_all_parts(other: str | None, verdict: str | None) -> None:
    row = weighted_mean({"a": part(80.0, verdict="publish"), "b": part(40.0, verdict=other)}, WEIGHTS).only()
    assert row["verdict"] == verdict


@pytest.mark.parametrize("name", ["place", "period", "source", "sex", "version"])
def test_rows_that_differ_never_come_together(name: str) -> None:
    made = weighted_mean({"a": part(80.0), "b": part(40.0, **{name: "1999" if name == "period" else "F"})}, WEIGHTS)
    assert [row["value"] for row in made.rows()] == [None, None]


def test_limits_of_different_levels_are_not_put_together() -> None:
    row = weighted_mean({"a": part(80.0), "b": part(40.0, level=0.9)}, WEIGHTS).only()
    assert [row[name] for name in ("lower", "upper", "level")] == [None] * 3
    assert row["se"] is not None


def test_two_rows_of_one_part_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        weighted_mean({"a": Estimates.concat([part(80.0), part(70.0)]), "b": part(40.0)}, WEIGHTS)
    assert caught.value.problems[0].code == "index-part-twice"


# ------------------------------------------------------------------------------------------------------------ indices


def test_an_index_of_one_indicator_from_the_catalogue() -> None:
    rates = Estimates.concat([make(25.0), make(100.0, unit="victims", method="count")])
    row = indices(indicator("cpi.homicide"), {"sdg.16.1.1": rates}).only()
    assert (round(row["value"], 2), row["indicator"]) == (56.57, "cpi.homicide")


def test_an_index_of_two_indicators_with_dated_versions() -> None:
    parts = [{"of": "sdg.16.1.1", "min": 0, "max": 100, "weight": 2}, {"of": "recorded.theft", "min": 0, "max": 1000}]
    made_of = {"denominator": "none", "label": "Safety", "definition": "Both.", "source": "a test"}
    versions = [
        {"version": "1", "numerator": {"goalposts": parts}},
        {"version": "2", "valid_from": "2021-01-01", "numerator": {"goalposts": parts[:1]}},
    ]
    both = Indicator.model_validate(
        {"code": "x.safety", "kind": "index", "versions": [one | made_of for one in versions]}
    )
    rows = [ROW | {"period": period, "value": 40.0} for period in ("2020", "2021")]
    thefts = [row | {"indicator": "recorded.theft", "value": 100.0} for row in rows]
    made = indices(both, {"sdg.16.1.1": Estimates.from_rows(rows), "recorded.theft": Estimates.from_rows(thefts)})
    found = [(row["period"], row["version"], row["value"]) for row in made.rows()]
    assert found == [("2020", "1", pytest.approx(70.0)), ("2021", "2", pytest.approx(60.0))]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        indices(indicator("cpi.homicide"), {})
    assert caught.value.problems[0].code == "index-part-missing"
    with pytest.raises(UsageError) as caught:
        indices(indicator("recorded.theft"), {})
    assert caught.value.problems[0].code == "index-not"


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 10)), min_size=1, max_size=5))
def test_means_lie_among_their_parts_and_do_not_depend_on_the_size_of_the_weights(
    drawn: list[tuple[float, float]],
) -> None:
    parts = {str(k): part(value) for k, (value, _) in enumerate(drawn)}
    weights = {str(k): weight for k, (_, weight) in enumerate(drawn)}
    row = weighted_mean(parts, weights).only()
    again = weighted_mean(parts, {name: 7 * weight for name, weight in weights.items()}).only()
    values = [value for value, _ in drawn]
    assume(values)
    assert min(values) - 1e-9 <= row["value"] <= max(values) + 1e-9
    assert row["value"] == pytest.approx(again["value"])
    assert row["se"] == pytest.approx(again["se"])
