"""Pooling published numbers: random effects as R's metafor, standardised rates, what rounding takes from precision."""

from __future__ import annotations

import csv
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.measure.heterogeneity import random_effects
from safercities.measure.pooling import PREDICTION, RANDOM, bases, standardised, summaries
from safercities.measure.published import NOT_IN, Rules, per_of, widened
from safercities.measure.rates import direct_standardised
from safercities.measure.rows import ROUNDED
from safercities.measure.upward import aggregate
from safercities.model.errors import UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy

REFERENCE = list(
    csv.DictReader((Path(__file__).parent / "reference_pooling.csv").read_text(encoding="utf-8").splitlines())
)
BETWEEN = {"DL": "dersimonian-laird", "PM": "paule-mandel"}
INTERVAL = {"z": "normal", "knha": "hartung-knapp-unmodified", "adhoc": "hartung-knapp"}
CITIES = ["a", "b", "c", "d"]
TREE = Hierarchy([Place("X", "X", "country"), *(Place(city, city, "city", "X") for city in CITIES)])
PEOPLE = {(city, "2024"): 1e6 for city in CITIES}
RATE = {
    "indicator": "i", "version": "1", "period": "2024", "unit": "per 100 000", "method": "crude rate, Garwood interval",
    "source": "police", "level": 0.95, "denominator": 1e6, "obs_status": "A", "quality": "", "coverage": 1.0,
}  # fmt: skip

numbers = st.floats(-50, 50).map(lambda x: round(x, 3))
errors = st.floats(0.05, 20).map(lambda x: round(x, 3))
many = st.lists(st.tuples(numbers, errors), min_size=2, max_size=9)


# -- random effects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", REFERENCE, ids=["-".join(list(row.values())[:3]) for row in REFERENCE])
def test_random_effects_equal_metafor(row: dict[str, str]) -> None:
    y, v = (np.array(row[name].split(), dtype=float) for name in ("y", "v"))
    found = random_effects(y, np.sqrt(v), between=BETWEEN[row["method"]], interval=INTERVAL[row["test"]])  # type: ignore[arg-type]
    wanted = {name: float(row[name]) for name in ("mean", "se", "lower", "upper", "tau2", "q", "p", "i2")}
    if found.members > 2:
        wanted |= {name: float(row[name]) for name in ("low", "high")}
    # metafor's own search for Paule–Mandel's τ² stops a little earlier
    assert {name: getattr(found, name) for name in wanted} == pytest.approx(wanted, rel=2e-7, abs=1e-12)


@given(many, st.randoms())
def test_the_order_of_members_changes_nothing(members: list[tuple[float, float]], random: Any) -> None:
    mixed = list(members)
    random.shuffle(mixed)
    one, two = (astuple(random_effects(*zip(*each, strict=True))) for each in (members, mixed))
    assert np.array_equal(one, two, equal_nan=True)


@given(many, st.sampled_from([1e-9, 0.5, 1e7]))
def test_units_do_not_matter(members: list[tuple[float, float]], by: float) -> None:
    y, se = np.array(members).T
    one, two = random_effects(y, se), random_effects(y * by, se * by)
    assert (two.mean, two.lower, two.upper) == pytest.approx(
        (one.mean * by, one.lower * by, one.upper * by), rel=1e-6, abs=1e-6 * by
    )
    assert two.i2 == pytest.approx(one.i2, abs=1e-6)


@given(many)
def test_the_mean_lies_among_the_members_and_the_interval_is_never_shorter_than_without_spread(
    members: list[tuple[float, float]],
) -> None:
    y, se = np.array(members).T
    found = random_effects(y, se)
    assert y.min() - 1e-9 <= found.mean <= y.max() + 1e-9
    assert found.lower <= found.mean <= found.upper
    assert found.se >= np.sqrt(1 / (1 / se**2).sum()) * (1 - 1e-9)
    assert 0 <= found.i2 < 1
    if len(members) > 2:
        assert found.low <= found.lower + 1e-9
        assert found.high >= found.upper - 1e-9


def test_alike_members_have_no_variance_between_and_still_an_interval() -> None:
    found = random_effects([5.0] * 4, [0.5, 1.0, 1.0, 2.0])
    assert (found.mean, found.tau2, found.i2, found.q) == pytest.approx((5.0, 0.0, 0.0, 0.0))
    assert found.se == pytest.approx(1 / np.sqrt(1 / 0.25 + 2 + 0.25))
    assert found.low == pytest.approx(found.lower)


def test_one_member_is_itself_and_none_is_nothing() -> None:
    found = random_effects([3.0], [0.5])
    assert (found.members, found.mean, found.se) == (1, 3.0, 0.5)
    assert (found.lower, found.upper) == pytest.approx((3 - 0.97998, 3 + 0.97998), abs=1e-5)
    assert np.isnan([found.tau2, found.low, found.i2]).all()
    nothing = random_effects([1.0, np.nan], [0.0, 2.0])
    assert (nothing.members, nothing.left_out) == (0, 2)
    assert np.isnan([nothing.mean, nothing.lower]).all()


@pytest.mark.parametrize("between", ["paule-mandel", "dersimonian-laird"])
def test_an_absurdly_small_error_makes_no_crash(between: Any) -> None:
    found = random_effects([1.0, 2.0], [1e-10, 1.0], between=between)
    assert (found.members, found.tau2) == (2, 0.0)
    assert found.mean == pytest.approx(1.0)
    left = random_effects([1.0, 2.0, 3.0], [1e-200, 1.0, 1.0], between=between)
    assert (left.members, left.left_out, left.mean) == (2, 1, 2.5)
    wide = random_effects([1.0, 2.0, 9e74], [2e-75, 9e74, 1.0], between=between)
    assert np.isfinite([wide.mean, wide.lower, wide.upper, wide.i2]).all()


@given(st.text())
def test_any_unit_is_one_of_a_rate_or_not(unit: str) -> None:
    assert np.isnan(per_of(unit)) or unit.startswith("per ")
    assert np.isnan(per_of("per ² people"))
    per_of(f"per {unit}")


def test_members_without_an_error_are_left_out_and_counted() -> None:
    whole = random_effects([1.0, 2.0, 4.0], [0.1, 0.2, 0.3])
    more = random_effects([1.0, 2.0, 4.0, 100.0, np.nan, 7.0], [0.1, 0.2, 0.3, np.nan, 1.0, 0.0])
    assert (more.members, more.left_out) == (3, 3)
    assert (more.mean, more.upper) == (whole.mean, whole.upper)


@pytest.mark.parametrize("wrong", [([1.0, 2.0], [1.0], 0.95), ([[1.0]], [[1.0]], 0.95), ([1.0], [1.0], 95.0)])
def test_a_wrong_call_is_refused(wrong: tuple[Any, Any, float]) -> None:
    with pytest.raises(UsageError, match=r"pooled|level"):
        random_effects(wrong[0], wrong[1], level=wrong[2])


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(20251123)
    inside = below = 0
    for _ in range(400):
        se = rng.uniform(0.1, 0.6, 6)
        y = rng.normal(rng.normal(1.0, 0.4, 6), se)
        found = random_effects(y, se)
        plain = random_effects(y, se, interval="normal", between="dersimonian-laird")
        inside += found.lower <= 1.0 <= found.upper
        below += plain.lower <= 1.0 <= plain.upper
    # 95 % within three standard errors of the simulation; the normal interval falls short with few members
    assert 0.917 <= inside / 400 <= 0.985
    assert below < inside


# -- rows of random effects ------------------------------------------------------------------------------------------


def rates(values: dict[str, float | None], **more: Any) -> Estimates:
    """Crude rates of cities of a million people: cases are ten times the rate."""
    rows = []
    for place, value in values.items():
        sure = {} if value is None else {"se": np.sqrt(value * 10) / 10, "n_positive": round(value * 10)}
        limits = {} if value is None else {"lower": value * 0.8, "upper": value * 1.25}
        rows.append(RATE | {"place": place, "value": value} | sure | limits | more)
    return Estimates.from_rows(rows)


def test_rates_are_averaged_on_the_logarithmic_scale_with_a_row_for_the_prediction() -> None:
    values = {"a": 4.0, "b": 9.0, "c": 16.0, "d": 30.0}
    mean, further = summaries(rates(values), TREE, PEOPLE, "country").where(place="X").rows()[::-1]
    if mean["method"].startswith(PREDICTION):
        mean, further = further, mean
    y, se = np.log(list(values.values())), np.array([1 / np.sqrt(v * 10) for v in values.values()])
    wanted = random_effects(y, se)
    assert mean["method"].startswith(RANDOM + "Paule–Mandel, Hartung–Knapp, log scale); of: crude rate")
    assert (mean["value"], mean["lower"], mean["upper"]) == pytest.approx(
        tuple(np.exp([wanted.mean, wanted.lower, wanted.upper]))
    )
    assert (further["value"], further["lower"], further["upper"]) == pytest.approx(
        tuple(np.exp([wanted.mean, wanted.low, wanted.high]))
    )
    assert (mean["se"], mean["df"], mean["coverage"], mean["obs_status"]) == (None, 3.0, 1.0, "A")
    assert "average of 4 members, not of their people" in mean["note"]


def test_shares_use_log_odds_and_counts_have_no_average() -> None:
    shares = rates({"a": 10.0, "b": 20.0, "c": 40.0}, unit="%", method="share")
    counts = rates({"a": 10.0, "b": 20.0, "c": 40.0}, unit="victims", method="count")
    found = summaries(Estimates.concat([shares, counts]), TREE, PEOPLE, "country").rows()
    assert {row["unit"] for row in found} == {"%"}
    assert all(0 < row["lower"] < row["value"] < row["upper"] < 100 for row in found)


def test_a_city_without_a_case_is_half_a_case_with_a_wide_error_and_one_without_error_is_counted_out() -> None:
    rows = rates({"a": 0.0, "b": 9.0, "c": 16.0})
    found = summaries(rows, TREE, PEOPLE, "country")
    y = np.log([0.05, 9.0, 16.0])
    wanted = random_effects(y, [np.sqrt(2), 1 / np.sqrt(90), 1 / np.sqrt(160)])
    assert found.rows()[0]["value"] == pytest.approx(np.exp(wanted.mean))
    without = Estimates.concat([rates({"b": 9.0, "c": 16.0}), rates({"a": 12.0}, se=None)])
    note = summaries(without, TREE, PEOPLE, "country").rows()[0]["note"]
    assert "average of 2 members" in note
    assert "1 left out" in note
    assert "members in it hold 50 % of the denominator" in note


def test_summaries_have_the_gate_and_never_one_member() -> None:
    one = summaries(rates({"a": 9.0, "b": None, "c": None, "d": None}), TREE, PEOPLE, "country", gate=0.0).only()
    assert (one["value"], one["obs_status"]) == (None, "O")
    assert "fewer than two members" in one["note"]
    two = summaries(rates({"a": 9.0, "b": 8.0}), TREE, PEOPLE, "country", gate=0.75).only()
    assert (two["value"], two["coverage"]) == (None, 0.5)
    assert "not published: members in it hold 50 % of the denominator, less than 75 %" in two["note"]


# -- whom a number stands for ----------------------------------------------------------------------------------------


def test_a_share_of_victims_is_weighed_by_victims_and_covers_by_people() -> None:
    rows = [RATE | {"place": place, "unit": "%", "method": "share", "value": value, "denominator": victims}
            for place, value, victims in (("a", 10.0, 900.0), ("b", 50.0, 100.0))]  # fmt: skip
    estimates = Estimates.from_rows(rows)
    table, usable = bases(estimates, CITIES, lambda place, period: 1e6, own={"i"})
    row = aggregate(estimates, TREE, table, "country").only()
    assert usable.all()
    assert (row["value"], row["coverage"]) == (pytest.approx(14.0), pytest.approx(0.5))
    table, _ = bases(estimates, CITIES, lambda place, period: 1e6)
    assert aggregate(estimates, TREE, table, "country").only()["value"] == pytest.approx(30.0)


@pytest.mark.parametrize("lacking", [{"denominator": None}, {"denominator": 0.0}])
def test_a_breakdown_without_published_denominators_cannot_be_aggregated(lacking: dict[str, Any]) -> None:
    total, women = rates({"a": 9.0, "b": 8.0}), rates({"a": 3.0, "b": 4.0}, sex="F", **lacking)
    both = Estimates.concat([total, women])
    table, usable = bases(both, CITIES, lambda place, period: 1e6)
    assert usable.tolist() == [True, True, False, False]
    assert set(table.column("sex").to_pylist()) == {"_T"}


def test_where_nobody_knows_how_many_live_nothing_is_aggregated() -> None:
    rows = rates({"a": 9.0, "b": 8.0})
    _, usable = bases(rows, CITIES, lambda place, period: np.nan if place == "d" else 1e6)
    assert not usable.any()


# -- standardised rates ----------------------------------------------------------------------------------------------

AGES = ("Y0T14", "Y15T34", "Y_GE35")


def by_age(values: tuple[float | None, ...], **more: Any) -> Estimates:
    rows = []
    for age, value in zip(AGES, values, strict=True):
        sure = {} if value is None else {"se": value / 5, "lower": value * 0.7, "upper": value * 1.4, "n_positive": 30}
        rows.append(RATE | {"place": "a", "age": age, "value": value} | sure | more)
    return Estimates.from_rows(rows)


def test_a_standardised_rate_is_the_weighted_sum_with_mover_limits() -> None:
    row = standardised(by_age((1.0, 20.0, 10.0)), "segi").only()
    w, r = np.array([0.31, 0.31, 0.38]), np.array([1.0, 20.0, 10.0])
    assert row["value"] == pytest.approx(w @ r)
    assert row["se"] == pytest.approx(np.sqrt(((w * r / 5) ** 2).sum()))
    assert row["lower"] == pytest.approx(w @ r - np.sqrt(((w * r * 0.3) ** 2).sum()))
    assert row["upper"] == pytest.approx(w @ r + np.sqrt(((w * r * 0.4) ** 2).sum()))
    assert (row["age"], row["n_positive"], row["obs_status"]) == ("_T", 90, "A")
    assert row["method"].startswith("directly standardised (")


def test_its_value_is_that_of_the_records_and_its_interval_close_to_fay_and_feuers() -> None:
    count, years = np.array([40, 90, 60]), np.array([4e5, 3e5, 5e5])
    value, _, lower, upper = direct_standardised(count, years, [31, 31, 38])
    from safercities.measure.rates import rate

    r = rate(count, years, per=1e5)
    rows = [
        RATE | {"place": "a", "age": a, "value": v, "lower": lo, "upper": hi, "se": 1.0, "n_positive": 9}
        for a, v, lo, hi in zip(AGES, r.value, r.lower, r.upper, strict=True)
    ]
    row = standardised(Estimates.from_rows(rows), "segi").only()
    assert row["value"] == pytest.approx(float(value) * 1e5)
    assert (row["lower"], row["upper"]) == pytest.approx((float(lower) * 1e5, float(upper) * 1e5), rel=0.02)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (by_age((1.0, None, 10.0)), "not standardised: no rate for Y15T34"),
        (by_age((1.0, 20.0, 10.0), quality="unknown_share"), "not standardised: more than 5 % of the cases lack"),
        (by_age((1.0, 20.0, 10.0)).where(age=["Y0T14", "Y_GE35"]), "not standardised: the age groups"),
    ],
)  # fmt: skip
def test_a_rate_that_is_withheld_or_unknown_makes_it_missing_never_lower(rows: Estimates, why: str) -> None:
    row = standardised(rows, "segi").only()
    assert (row["value"], row["obs_status"]) == (None, "O")
    assert row["note"].startswith(why)


def test_other_rows_are_passed_over() -> None:
    assert len(standardised(rates({"a": 1.0}), "who")) == 0
    assert len(standardised(by_age((1.0, 2.0, 3.0), unit="victims", method="count"), "who")) == 0
    assert len(standardised(by_age((1.0, 2.0, 3.0), method="empirical Bayes", quality="smoothed"), "who")) == 0


# -- what publishing did to precision --------------------------------------------------------------------------------


def test_rounding_of_counts_and_of_digits_makes_everything_less_sure() -> None:
    rows = rates({"a": 4.0, "b": 12.25})
    for rules, sigma in ((Rules("suppression, k = 5"), 0.0), (Rules("rounding, k = 5", 5.0), 0.5)):
        found = widened(rows, rules).rows()
        for before, after in zip(rows.rows(), found, strict=True):
            assert after["value"] == before["value"]
            assert after["se"] >= np.hypot(before["se"], sigma)
            assert after["se"] <= np.hypot(before["se"] * 1.07, sigma)
            assert after["lower"] <= before["lower"]
            assert after["upper"] >= before["upper"]
            assert after["method"] == f"crude rate, Garwood interval; published under: {rules.name}"


def test_counts_carry_the_error_of_rounding_and_no_longer_garwoods_limits() -> None:
    counts = rates({"a": 40.0, "b": 60.0, "c": 0.0, "d": 5.0}, unit="victims", method="count", n_positive=9)
    table, _ = bases(counts, CITIES, lambda place, period: 1e6)
    exact = aggregate(counts, TREE, table, "country").only()
    published = widened(counts, Rules("rounding, k = 5", 5.0))
    table, _ = bases(published, CITIES, lambda place, period: 1e6)
    rounded = aggregate(published, TREE, table, "country").only()
    assert rounded["value"] == exact["value"] == 105.0
    variance = sum(row["se"] ** 2 for row in counts.rows()) + 4 * 25
    assert rounded["se"] == pytest.approx(np.sqrt(variance))
    assert rounded["upper"] - rounded["lower"] > 2 * 1.96 * 10


def test_numbers_that_hold_their_rounding_do_not_get_it_twice() -> None:
    rules = Rules("rounding, k = 5", 5.0)
    for unit, method in (("victims", "count"), ("per 100 000", "crude rate, Garwood interval"),
                         ("per 100 000", "directly standardised (WHO), Fay–Feuer interval")):  # fmt: skip
        held = rates({"a": 40.0}, unit=unit, method=method + ROUNDED)
        plain = rates({"a": 40.0}, unit=unit, method=method)
        once, exact = widened(held, rules).only(), widened(plain, Rules(rules.name)).only()
        assert [once[name] for name in ("se", "lower", "upper")] == [exact[name] for name in ("se", "lower", "upper")]
        assert not once["note"]
        apart = ROUNDED if method.startswith("directly") else ""  # plain, it would not hold its rounding
        assert once["method"] == f"{method}{apart}; published under: rounding, k = 5"


def test_members_are_put_together_whether_they_or_the_federation_widened_for_rounding() -> None:
    """A country's series does not fall apart while its cities upgrade one after the other."""
    rules = Rules("rounding, k = 5", 5.0)
    for unit, method in (("victims", "count"), ("per 100 000", "crude rate, Garwood interval")):
        rows = rates({"a": 40.0, "b": 60.0, "c": 10.0, "d": 20.0}, unit=unit, method=method)
        newer = rates({"b": 60.0, "d": 20.0}, unit=unit, method=method + ROUNDED)
        table = rows.where(place=["a", "c"])
        mixed = widened(Estimates.concat([table, newer]), rules)
        whole = aggregate(mixed, TREE, base_of(mixed), "country").only()
        assert whole["coverage"] == 1
        assert whole["value"] == aggregate(rows, TREE, base_of(rows), "country").only()["value"]
        assert whole["lower"] < whole["value"] < whole["upper"]


def base_of(rows: Estimates) -> pa.Table:
    return bases(rows, CITIES, lambda place, period: 1e6)[0]


def test_where_the_error_cannot_be_worked_out_the_note_says_so_and_aggregates_stay() -> None:
    rows = rates({"a": 4.0}, method="directly standardised (WHO), Fay–Feuer interval")
    once = widened(rows, Rules("rounding, k = 5", 5.0))
    assert once.only()["note"] == NOT_IN
    assert widened(once, Rules("aggregation", 0.0)).table.equals(once.table)
    whole = aggregate(once, TREE, base_of(once), "country", gate=0.2).only()
    assert NOT_IN in whole["note"]  # it is not in the whole either
    several = widened(rates({"a": 4.0, "b": 5.0}, method=rows.only()["method"]), Rules("rounding, k = 5", 5.0))
    assert all(NOT_IN in one["note"] for one in summaries(several, TREE, base_of(several), "country").rows())
    assert NOT_IN not in aggregate(rows, TREE, base_of(rows), "country", gate=0.2).only()["note"]


def test_limits_of_surveys_hold_the_rounding_already_their_standard_errors_do_not() -> None:
    survey = rates({"a": 12.0}, unit="%", method="share", df=30.0, se=1.0)
    before, after = survey.only(), widened(survey, Rules("rounding, k = 5", 5.0)).only()
    assert (after["lower"], after["upper"], after["note"]) == (before["lower"], before["upper"], "")
    assert after["se"] == pytest.approx(np.sqrt(1 + 2**2 / 12))  # it may have been rounded to 2, never to 5
    exact = rates({"a": 12.3456789}, unit="%", method="share", df=30.0, se=1.0)
    assert widened(exact, Rules("x")).only()["se"] == pytest.approx(1.0)


def test_nothing_that_is_withheld_gets_a_number() -> None:
    row = widened(rates({"a": None}, denominator=None, level=None), Rules("rounding, k = 5", 5.0)).only()
    assert [row[name] for name in ("value", "se", "lower", "upper")] == [None] * 4


def test_numbers_under_different_rules_are_never_mixed() -> None:
    five = widened(rates({"a": 4.0, "b": 6.0}), Rules("rounding, k = 5", 5.0))
    ten = widened(rates({"c": 9.0, "d": 7.0}), Rules("rounding, k = 10", 10.0))
    both = Estimates.concat([five, ten])
    table, _ = bases(both, CITIES, lambda place, period: 1e6)
    found = aggregate(both, TREE, table, "country", gate=0.0).rows()
    assert sorted((row["value"], row["coverage"]) for row in found) == [(5.0, 0.5), (8.0, 0.5)]


@given(st.lists(st.sampled_from([0.0, 3.0, 9.0, None]), min_size=4, max_size=4))
def test_missing_members_lower_the_coverage_and_never_the_value(values: list[float | None]) -> None:
    rows = rates(dict(zip(CITIES, values, strict=True)))
    table, _ = bases(rows, CITIES, lambda place, period: 1e6)
    row = aggregate(rows, TREE, table, "country", gate=0.0).only()
    given_ = [value for value in values if value is not None]
    assert row["coverage"] == pytest.approx(len(given_) / 4)
    assert row["value"] == (pytest.approx(np.mean(given_)) if given_ else None)
