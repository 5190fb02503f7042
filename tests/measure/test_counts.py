"""Counts and rates of every breakdown: the parts add up, zeros are published, what is missing is said."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.measure.counts import CountsSource, unplaced
from safercities.measure.rates import direct_standardised, garwood, rate
from safercities.measure.smooth import marshall_global, marshall_local
from safercities.measure.standards import weights
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.model.periods import Period

Measure = Callable[..., Estimates]
NAMES = ("place", "sex", "age", "means")
EVERY = [list(keys) for size in range(1, 4) for keys in combinations(NAMES, size)]

records = st.lists(
    st.tuples(
        st.sampled_from([2018, 2019]),
        st.sampled_from(["0101", "010111", "0102", "_U"]),
        st.integers(1, 4),
        st.sampled_from(["F", "M", "_U"]),
        st.sampled_from(["Y0T14", "Y15T24", "Y_GE25", "_U"]),
        st.sampled_from(["gun", "knife", "_U", "rope"]),
        st.sampled_from(["A", "B", "_U"]),
    ),
    max_size=25,
)


def counted(data: list[tuple[Any, ...]], year: int) -> int:
    return sum(row[2] for row in data if row[1].startswith("0101") and row[0] == year)


def counts(estimates: Estimates) -> dict[tuple[str, ...], float]:
    """(period, place, dimensions) → count."""
    found = estimates.where(method="count").rows()
    return {tuple(row.get(k, "_T") for k in ("period", *NAMES)): row["value"] for row in found}


@settings(max_examples=15)
@given(records)
def test_the_parts_add_up(measure: Measure, data: list[tuple[Any, ...]]) -> None:
    """Codes and `_U` add up to `_T` along every axis of every breakdown, and the totals to the records."""
    found = counts(measure(data, EVERY))
    for year in (2018, 2019):
        assert found[str(year), "city", "_T", "_T", "_T"] == counted(data, year)
    sums: defaultdict[tuple[int, tuple[str, ...]], float] = defaultdict(float)
    for key, value in found.items():
        for axis, total in ((1, "city"), (2, "_T"), (3, "_T"), (4, "_T")):
            if key[axis] != total:
                sums[axis, (*key[:axis], total, *key[axis + 1 :])] += value
    for (_, key), value in sums.items():
        assert value == found.get(key, 0)


@settings(max_examples=15)
@given(records, st.randoms())
def test_neither_order_nor_doubling_surprises(measure: Measure, data: list[Any], rng: random.Random) -> None:
    by = [["place", "sex"], ["age"]]
    plain = measure(data, by)
    shuffled = list(data)
    rng.shuffle(shuffled)
    assert measure(shuffled, by).table.equals(plain.table)
    doubled = counts(measure([(*row[:2], 2 * row[2], *row[3:]) for row in data], by))
    assert doubled == {key: 2 * value for key, value in counts(plain).items()}


@settings(max_examples=15)
@given(records)
def test_rates_times_person_years_are_counts(measure: Measure, data: list[Any]) -> None:
    estimates = measure(data, EVERY)
    keys = ("period", *NAMES)
    found = counts(estimates)
    rated = estimates.where(unit="per 100 000").rows()
    assert rated
    for row in rated:
        assert row["value"] * row["denominator"] / 1e5 == pytest.approx(found[tuple(row[k] for k in keys)])
        assert "_U" not in "".join(row[k] for k in keys)
        assert row["lower"] <= row["value"] <= row["upper"]
    unique = {tuple(row[k] for k in (*keys, "unit", "method")) for row in estimates.rows()}
    assert len(unique) == len(estimates)


def test_no_record_is_a_published_zero(measure: Measure) -> None:
    estimates = measure([], [["sex"], ["place"]])
    found = estimates.where(method="count")
    assert len(found) == 2 * (1 + 2 + 2)
    row = estimates.where(unit="per 100 000", place="city", period="2018", sex="_T").only()
    assert (row["value"], row["lower"], row["n"]) == (0, 0, 0)
    assert row["upper"] == pytest.approx(1e5 * 3.688879454 / 24_000)
    assert row["obs_status"] == "U"
    assert row["conf_status"] is None


def test_one_record(measure: Measure) -> None:
    estimates = measure([(2018, "0101", 3, "F", "Y15T24", "gun", "A")], [["place", "sex", "age"]])
    row = estimates.where(place="A", period="2018", sex="F", age="Y15T24", method="count").only()
    lower, upper = garwood(3)
    assert (row["value"], row["lower"], row["upper"]) == (3, pytest.approx(lower), pytest.approx(upper))
    assert row["se"] == pytest.approx(3**0.5)
    assert row["denominator"] is None
    found = estimates.where(place="A", period="2018", sex="F", age="Y15T24", unit="per 100 000").only()
    expected = rate(3, 1000, per=1e5)
    assert [found[k] for k in ("value", "lower", "upper")] == pytest.approx([float(part) for part in expected])
    assert (found["version"], found["source"], found["denominator"]) == ("1", "police", 1000)


def test_means_use_the_whole_population_and_sex_its_own(measure: Measure) -> None:
    data = [(2018, "0101", 30, "F", "Y15T24", "gun", "A")]
    estimates = measure(data, [["means"], ["sex"], ["sex", "means"]]).where(unit="per 100 000", period="2018")
    assert estimates.where(means="gun", sex="_T").only()["denominator"] == 24_000
    assert estimates.where(means="_T", sex="F").only()["denominator"] == 12_000
    assert estimates.where(means="gun", sex="F").only()["denominator"] == 12_000


def test_without_population_a_count_says_so(measure: Measure, build: Any) -> None:
    data = [(2018, "0101", 30, "F", "Y15T24", "gun", "A")]
    only_a = build.population(build.hierarchy(), A=1000.0)
    estimates = measure(data, [["place"]], population=only_a)
    assert estimates.where(place="A", unit="per 100 000", period="2018").only()["denominator"] == 6000
    for place in ("B", "city"):
        assert len(estimates.where(place=place, unit="per 100 000")) == 0
        assert "no_denominator" in estimates.where(place=place, method="count", period="2018").only()["quality"]
    assert "no_denominator" not in estimates.where(place="A", method="count", period="2018").only()["quality"]
    assert {row["unit"] for row in measure(data, population=None).rows()} == {"victims"}
    counts_only = measure(data, kind="count", version={"denominator": "none"}).rows()
    assert {(row["unit"], "no_denominator" in row["quality"]) for row in counts_only} == {("victims", False)}


def test_nobody_lives_there(measure: Measure, build: Any) -> None:
    empty = build.population(build.hierarchy(), A=1000.0, B=0.0)
    estimates = measure([(2018, "0101", 30, "F", "Y15T24", "gun", "B")], [["place"]], population=empty)
    assert len(estimates.where(place="B", unit="per 100 000")) == 0
    assert "no_denominator" in estimates.where(place="B", method="count", period="2018").only()["quality"]


def test_unknown_shares(measure: Measure) -> None:
    """2 of 10 cases lack the sex, 1 the ward."""
    data = [(2018, "0101", 7, "F", "Y15T24", "gun", "A"), (2018, "0101", 2, "_U", "Y15T24", "gun", "A")]
    data.append((2018, "0101", 1, "F", "Y15T24", "gun", "_U"))
    estimates = measure(data, [["sex"], ["place"], ["place", "sex"]]).where(method="count", period="2018")
    by_sex = estimates.where(place="city", sex="F").only()
    assert by_sex["coverage"] == pytest.approx(0.8)
    assert "unknown_share" in by_sex["quality"]
    assert estimates.where(place="city", sex="_T").only()["coverage"] == 1
    ward = estimates.where(place="A", sex="_T").only()
    assert ward["coverage"] == pytest.approx(0.9)
    assert "unlocated_share" in ward["quality"]
    assert "unknown_share" not in ward["quality"]
    assert estimates.where(place="A", sex="M").only()["coverage"] == pytest.approx(0.9 * 7 / 9)
    lost = estimates.where(place=unplaced("ward"), sex="_T").only()
    assert lost["value"] == 1
    assert "level ward" in lost["note"]


def test_unknown_acts_are_said(measure: Measure) -> None:
    data = [(2018, "0101", 9, "F", "Y15T24", "gun", "A"), (2018, "_U", 1, "F", "Y15T24", "gun", "A")]
    row = measure(data).where(method="count", period="2018").only()
    assert row["value"] == 9
    assert "unknown_acts" in row["quality"]
    assert "1 cases of this source have no known act, or only a wider one" in row["note"]


def test_months_are_annualised(measure: Measure, build: Any) -> None:
    source = build.source([(datetime(2018, 2, 3), "0101", 5, "F", "Y15T24", "gun", "A")])
    estimates = measure([], source=source, period="month")
    row = estimates.where(period="2018-02", unit="per 100 000").only()
    assert row["denominator"] == pytest.approx(24_000 * 28 / 365)
    assert "annualised" in row["note"]
    assert len(estimates.where(method="count")) == 24


def test_precision_and_units_are_checked(measure: Measure, build: Any) -> None:
    with pytest.raises(SafercitiesError, match="exact to the month"):
        measure([], source=build.source([], precision="month"), period="week")
    with pytest.raises(SafercitiesError, match="counts incidents, the indicator x counts victims"):
        measure([], source=build.source([], unit="incidents"))
    with pytest.raises(UsageError, match="cannot be broken down by income"):
        measure([], [["income"]])
    with pytest.raises(UsageError, match="no kind of period"):
        measure([], period="decade")
    with pytest.raises(UsageError, match="no standard population"):
        measure([], standard="europe")


def test_declared_cover_that_ends_within_a_year(measure: Measure, build: Any) -> None:
    data = [(2018, "0101", 30, "F", "Y15T24", "gun", "A"), (2019, "0101", 30, "F", "Y15T24", "gun", "A")]
    source = build.source(data, covers=Period.parse("2018-01/2019-08"))
    row = measure(data, source=source).where(period="2019", unit="per 100 000").only()
    assert row["denominator"] == pytest.approx(24_000 * 243 / 365)
    assert "partial_period" in row["quality"]
    assert row["obs_status"] == "U"
    outside = build.source([*data, (datetime(2019, 12, 1), "0101", 1, "F", "Y15T24", "gun", "A")], covers=source.covers)
    found = measure([], source=outside).where(period="2019")
    assert [(r["method"], r["value"]) for r in found.rows()] == [("count", 31)]


def test_ends_that_were_only_seen(build: Any) -> None:
    """A record each day until October looks cut off; one in 20 days may well end in November."""
    daily = [(datetime(2018, m, d), "0101", 1, "F", "Y0T14", "gun", "A") for m in range(1, 11) for d in range(1, 29)]
    rare = [(datetime(2018, m, d), "0101", 1, "F", "Y0T14", "gun", "A") for m in range(1, 13) for d in (1, 20)][:-1]
    seen = [
        CountsSource.from_located(_Located(build.table(data)))  # type: ignore[arg-type]
        for data in (daily, rare)
    ]
    assert [str(one.covers) for one in seen] == ["2018-01-01/2018-10-28", "2018-01-01/2018-12-01"]
    assert [one.complete(Period.parse("2018")) for one in seen] == [False, True]
    with pytest.raises(SafercitiesError, match="no record"):
        CountsSource.from_located(_Located(build.table([])))  # type: ignore[arg-type]
    assert str(CountsSource.from_located(_Located(build.table([])), covers="2018").covers) == "2018"  # type: ignore[arg-type]


class _Located:
    """As much of what locating gives as a source needs."""

    def __init__(self, table: Any) -> None:
        from safercities.collect.records import REJECTS, Collected

        empty = REJECTS.empty_table()
        self.collected = Collected(
            "police", "incidents", "p.csv", table, empty, (), table.num_rows, "victims", None, "day", (), "Police"
        )
        self.levels = ("ward",)


def test_a_place_is_reported_while_it_existed(measure: Measure, build: Any) -> None:
    wards = [build.ward("A", until=build.day("2018-12-31")), build.ward("B"), build.ward("C", build.day("2019-03-01"))]
    tree = build.hierarchy(wards)
    people = build.population(tree, A=1000.0, B=3000.0, C=2000.0)
    estimates = measure([], [["place"]], hierarchy=tree, population=people)
    found = {(row["place"], row["period"]): row["quality"] for row in estimates.where(method="count").rows()}
    assert ("A", "2019") not in found
    assert ("C", "2018") not in found
    assert "partial_period" in found["C", "2019"]
    assert "partial_period" not in found["B", "2019"]
    rated = {(row["place"], row["period"]) for row in estimates.where(unit="per 100 000").rows()}
    assert {("A", "2018"), ("B", "2018"), ("B", "2019")} <= rated
    assert ("C", "2019") not in rated


def test_definitions_change_with_their_dates(measure: Measure, build: Any) -> None:
    plain = build.indicator()
    old = plain.versions[0]
    acts = {"numerator": {"acts": ["0102"], "units": ["victims"]}, "version": "2", "valid_from": "2019-01-01"}
    versions = [old.model_dump(), old.model_dump() | acts]
    indicator = type(plain).model_validate(plain.model_dump() | {"versions": versions})
    data = [(year, act, n, "F", "Y0T14", "gun", "A") for year in (2018, 2019) for act, n in (("0101", 2), ("0102", 7))]
    found = measure(data, indicator=indicator).where(method="count").rows()
    assert [(row["period"], row["version"], row["value"]) for row in found] == [("2018", "1", 2), ("2019", "2", 7)]


def test_standardised_rates(measure: Measure) -> None:
    ages, cases = ["Y0T14", "Y15T24", "Y_GE25"], [2, 9, 4]
    data = [(2018, "0101", n, "F", age, "gun", "A") for age, n in zip(ages, cases, strict=True)]
    method = "directly standardised (WHO 2000–2025), Fay–Feuer interval"
    estimates = measure(data, [["sex"], ["place"], ["age"]], standard="who").where(period="2018")
    row = estimates.where(method=method, sex="F", place="city").only()
    expected = direct_standardised(cases, [4000] * 3, weights("who", ages))
    assert [row[k] / 1e5 for k in ("value", "se", "lower", "upper")] == pytest.approx([float(x) for x in expected])
    assert row["coverage"] == 1
    assert len(estimates.where(method=method, age="_T")) == len(estimates.where(method=method)) == 1 + 2 + 2


def test_standardised_rates_say_why_not(measure: Measure, build: Any) -> None:
    data = [(2018, "0101", n, "F", age, "gun", "A") for age, n in (("Y0T14", 9), ("_U", 1))]
    row = measure(data, standard="segi").where(period="2018", unit="per 100 000").only()
    assert "more than 5 % of the cases lack the age" in row["note"]
    few = [(2018, "0101", n, "F", age, "gun", "A") for age, n in (("Y0T14", 99), ("_U", 1))]
    made = measure(few, standard="segi").where(period="2018", unit="per 100 000").rows()
    assert [r["coverage"] for r in made] == [1, pytest.approx(0.99)]
    assert made[1]["n"] == 99
    assert "without age are left out" in made[1]["note"]
    no_age = build.source(data, dimensions={})
    row = measure([], source=no_age, standard="segi").where(period="2018", unit="per 100 000").only()
    assert row["note"] == "not age-standardised (Segi (world, 1960)): the source has no age"


def test_smoothed_rates(measure: Measure) -> None:
    data = [(2018, "0101", n, "F", "Y0T14", "gun", ward) for ward, n in (("A", 40), ("B", 10))]
    near = {"A": ["B", "elsewhere"], "B": ["A"]}
    estimates = measure(data, [["place"], ["place", "sex"]], smooth=True, neighbours=near).where(period="2018")
    for name, expected in (
        ("global", marshall_global([40, 10], [6000, 18000])),
        ("local", marshall_local([40, 10], [6000, 18000], [[1], [0]])),
    ):
        found = estimates.where(method=f"empirical Bayes (Marshall, {name})", sex="_T").rows()
        assert [row["place"] for row in found] == ["A", "B"]
        assert [row["value"] / 1e5 for row in found] == pytest.approx(expected.tolist())
        assert all("smoothed" in row["quality"] and row["lower"] is None for row in found)
    assert len(estimates.where(method="empirical Bayes (Marshall, global)", sex=["F", "M"])) == 4
    alone = measure(data, [["place"]], smooth=True)
    assert not any("local" in row["method"] for row in alone.rows())


def test_what_has_no_place_is_told_where_only_finer_breakdowns_are_asked_for(measure: Measure) -> None:
    data = [(2018, "0101", n, "F", "Y0T14", "gun", ward) for ward, n in (("A", 3), ("_U", 7))]
    row = measure(data, [["place", "sex"]]).where(place="A", sex="F", period="2018", method="count").only()
    assert row["coverage"] == pytest.approx(0.3)
    assert "unlocated_share" in row["quality"].split()
    whole = measure(data, [["place"], ["place", "sex"]]).where(place="A", sex="F", period="2018", method="count").only()
    assert whole == row
    assert {row["place"] for row in measure(data, [["place", "sex"]]).rows() if row["sex"] == "_T"} == {"city"}


def test_a_breakdown_without_a_single_cell_has_no_rows(measure: Measure, build: Any) -> None:
    made = measure([], [["place"]], hierarchy=build.hierarchy([]), population=None)
    assert {row["place"] for row in made.rows()} == {"city"}
