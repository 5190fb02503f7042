"""Aggregation upward: weights, coverage, the gate, constant composition, and what is never mixed."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.measure.rates import garwood
from safercities.measure.upward import MEAN, aggregate, trend
from safercities.model.errors import UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy

#: world > 2 regions > 2 countries each > 3 cities each.
COUNTRIES = ["p", "q", "r", "s"]
CITIES = [f"{country}{number}" for country in COUNTRIES for number in (1, 2, 3)]
TREE = Hierarchy(
    [
        Place("w", "World", "world"),
        *(Place(region, region, "region", "w") for region in ("A", "B")),
        *(Place(country, country, "country", "A" if country in "pq" else "B") for country in COUNTRIES),
        *(Place(city, city, "city", city[0]) for city in CITIES),
    ]
)
RATE = {
    "indicator": "i",
    "version": "1",
    "unit": "per 100 000",
    "method": "crude rate, Garwood interval",
    "source": "s",
}


TWICE = pa.table({"place": ["p1"] * 2, "period": ["2020"] * 2, "n": [1.0, 2.0]})


def make(values: dict[str, float | None], period: str = "2020", **more: Any) -> list[dict[str, Any]]:
    """Rows of places, with an interval that is not symmetric."""
    rows = []
    for place, value in values.items():
        limits = {} if value is None else {"se": value / 4, "lower": value * 0.6, "upper": value * 1.5, "level": 0.95}
        rows.append(
            RATE | {"place": place, "period": period, "value": value, "n": 50, "n_positive": 50} | limits | more
        )
    return rows


def people(*numbers: float, period: str = "2020") -> dict[tuple[str, str], float]:
    return {(city, period): n for city, n in zip(CITIES, numbers or [100.0] * 12, strict=True)}


def test_a_country_is_the_weighted_mean_of_its_cities_never_the_plain_one() -> None:
    rows = Estimates.from_rows(make({"p1": 10.0, "p2": 20.0, "p3": 60.0}))
    row = aggregate(rows, TREE, people(700, 200, 100, *[1] * 9), "country").only()
    weights, values = np.array([0.7, 0.2, 0.1]), np.array([10.0, 20.0, 60.0])
    assert row["value"] == pytest.approx(17.0)
    assert row["se"] == pytest.approx(np.sqrt(((weights * values / 4) ** 2).sum()))
    assert row["lower"] == pytest.approx(17.0 - np.sqrt(((weights * values * 0.4) ** 2).sum()))
    assert row["upper"] == pytest.approx(17.0 + np.sqrt(((weights * values * 0.5) ** 2).sum()))
    assert (row["place"], row["coverage"], row["denominator"], row["n"]) == ("p", 1.0, 1000.0, 150)
    assert (row["quality"], row["obs_status"], row["note"]) == ("", "A", "")
    assert row["method"] == "denominator-weighted mean, MOVER interval; of: crude rate, Garwood interval"


def test_counts_are_added_up_with_garwood_limits() -> None:
    rows = make({"p1": 3.0, "p2": 4.0, "p3": 0.0}, unit="victims", method="count")
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()
    assert (row["value"], row["method"]) == (7.0, "sum over members; of: count")
    low, high = garwood(7, 0.95)
    assert (row["lower"], row["upper"]) == (pytest.approx(float(low)), pytest.approx(float(high)))


def test_below_the_gate_there_is_no_value_and_the_row_says_why() -> None:
    rows = Estimates.from_rows(make({"p1": 10.0, "p2": None}))
    row = aggregate(rows, TREE, people(40, 30, 30, *[1] * 9), "country").only()
    assert [row[name] for name in ("value", "se", "lower", "upper")] == [None] * 4
    assert row["coverage"] == pytest.approx(0.4)
    assert (row["obs_status"], row["quality"]) == ("O", "partial_coverage")
    assert row["note"] == "not published: members with data hold 40 % of the denominator, less than 50 %"
    assert aggregate(rows, TREE, people(40, 30, 30, *[1] * 9), "country", gate=0.4).only()["value"] == 10.0


def test_half_is_enough() -> None:
    row = aggregate(Estimates.from_rows(make({"p1": 10.0})), TREE, people(50, 25, 25, *[1] * 9), "country").only()
    assert (row["value"], row["coverage"], row["quality"]) == (10.0, 0.5, "partial_coverage")
    assert row["note"] == "members with data hold 50 % of the denominator"


@pytest.mark.parametrize(
    "other",
    [{"version": "2"}, {"unit": "%"}, {"method": "directly standardised"}, {"source": "health"}, {"sex": "F"},
     {"period": "2021"}, {"indicator": "j"}],
)  # fmt: skip
def test_what_differs_is_never_mixed(other: dict[str, str]) -> None:
    rows = Estimates.from_rows([*make({"p1": 10.0}), *make({"p2": 20.0, "p3": 20.0}, **other)])
    table = pa.table(
        {
            "place": [*CITIES * 3],
            "period": [*["2020"] * 12, *["2021"] * 12, *["2020"] * 12],
            "sex": [*["_T"] * 24, *["F"] * 12],
            "n": [100.0] * 36,
        }
    )
    values = [row["value"] for row in aggregate(rows, TREE, table, "country", gate=0.0).rows()]
    assert sorted(values) == [10.0, 20.0]


def test_sources_of_one_kind_come_together_and_two_of_one_place_do_not() -> None:
    rows = [*make({"p1": 10.0}, source="one"), *make({"p2": 20.0, "p3": 30.0}, source="two")]
    kinds = {"one": "police", "two": "police"}
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country", kinds=kinds).only()
    assert (row["value"], row["source"], row["coverage"]) == (20.0, "police", 1.0)
    twice = Estimates.from_rows([*rows, *make({"p1": 11.0}, source="two")])
    assert _code(lambda: aggregate(twice, TREE, people(), "country", kinds=kinds)) == "upward-twice"


def test_a_member_without_an_interval_leaves_the_whole_without() -> None:
    rows = [*make({"p1": 10.0, "p2": 20.0}), *make({"p3": 30.0}, se=None, lower=None, upper=None)]
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()
    assert [row[name] for name in ("value", "se", "lower", "upper", "level")] == [20.0, None, None, None, None]
    rows = [*make({"p1": 10.0, "p2": 20.0}), *make({"p3": 30.0}, level=0.9)]
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()
    assert [row[name] for name in ("lower", "upper", "level")] == [None] * 3
    assert row["se"] is not None


def test_flags_that_stay_true_are_kept_and_few_cases_are_judged_anew() -> None:
    rows = [
        *make({"p1": 10.0, "p2": 20.0}, quality="few_cases rejected_share", n_positive=8),
        *make({"p3": 1.0}, n_positive=8),
    ]
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()
    assert (row["quality"], row["n_positive"], row["obs_status"]) == ("rejected_share", 24, "A")
    rows = make({"p1": 10.0, "p2": 20.0, "p3": 1.0}, n_positive=2)
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()
    assert (row["quality"], row["obs_status"]) == ("few_cases", "U")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"obs_status": "P"}, "P"),
        ({"obs_status": "U", "quality": "no_spread"}, "U"),
        ({"obs_status": "U", "quality": "few_cases"}, "A"),
        ({"obs_status": "U", "verdict": "withhold", "quality": "few_positive"}, "U"),
        ({"obs_status": None, "verdict": "publish"}, "A"),
        ({"obs_status": "I"}, "I"),
    ],
)
def test_the_status_of_a_whole_is_the_worst_of_its_members(more: dict[str, Any], status: str) -> None:
    rows = [*make({"p1": 10.0, "p2": 20.0}, obs_status="A"), *make({"p3": 1.0}, **more)]
    assert aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()["obs_status"] == status


def test_a_member_without_a_value_says_nothing_of_the_status() -> None:
    rows = [*make({"p1": 10.0, "p2": 20.0}, obs_status="A"), *make({"p3": None}, obs_status="M")]
    row = aggregate(Estimates.from_rows(rows), TREE, people(), "country").only()
    assert (row["obs_status"], row["value"]) == ("A", 15.0)


def test_smoothed_rows_and_other_levels_are_left_out() -> None:
    rows = [
        *make({"p1": 10.0, "p2": 10.0, "p3": 10.0}),
        *make({"p1": 90.0}, quality="smoothed"),
        *make({"p": 99.0, "_U.city": 1.0}),
    ]
    whole = aggregate(Estimates.from_rows(rows), TREE, people(), "country", of="city")
    assert [row["value"] for row in whole.rows()] == [10.0]
    assert _code(lambda: aggregate(Estimates.from_rows(rows), TREE, people(), "country")) == "upward-levels"


def test_breakdowns_by_the_person_need_people_with_it_those_by_the_event_do_not() -> None:
    rows = Estimates.from_rows([*make({"p1": 10.0, "p2": 20.0, "p3": 60.0}, sex="F")])
    women = pa.table({"place": CITIES, "period": ["2020"] * 12, "sex": ["F"] * 12, "n": [8.0, 1.0, 1.0, *[1.0] * 9]})
    assert aggregate(rows, TREE, women, "country").only()["value"] == pytest.approx(16.0)
    assert _code(lambda: aggregate(rows, TREE, people(), "country")) == "upward-dimension"
    armed = Estimates.from_rows(make({"p1": 10.0, "p2": 20.0, "p3": 60.0}, means="gun"))
    assert aggregate(armed, TREE, people(80, 10, 10, *[1] * 9), "country").only()["value"] == pytest.approx(16.0)


def test_a_table_of_people_is_read_without_breakdowns_that_are_not_needed() -> None:
    table = pa.table(
        {"place": CITIES * 2, "period": ["2020"] * 24, "sex": ["_T"] * 12 + ["F"] * 12, "n": [10.0] * 12 + [5.0] * 12}
    )
    rows = Estimates.from_rows(make({"p1": 10.0, "p2": 20.0, "p3": 60.0}))
    assert aggregate(rows, TREE, table, "country").only()["denominator"] == 30.0


def test_members_are_those_of_the_last_day_of_the_period() -> None:
    tree = Hierarchy(
        [
            Place("c", "C", "country"),
            Place("old", "Old", "city", "c", valid_to=date(2019, 12, 31)),
            Place("new", "New", "city", "c", valid_from=date(2020, 1, 1)),
            Place("stays", "Stays", "city", "c"),
        ]
    )
    rows = Estimates.from_rows(
        [*make({"old": 10.0, "stays": 20.0}, "2019"), *make({"old": 99.0, "stays": 20.0}, "2020")]
    )
    known = {(place, period): 100.0 for place in ("old", "new", "stays") for period in ("2019", "2020")}
    first, second = aggregate(rows, tree, known, "country").rows()
    assert (first["value"], first["coverage"], first["note"]) == (15.0, 1.0, "")
    assert (second["value"], second["coverage"]) == (20.0, 0.5)
    assert second["note"].endswith("left out, as they did not exist on the last day: old")


@pytest.mark.parametrize(
    ("rows", "denominators", "code"),
    [
        (make({"p1": 1.0}), {("p1", "2020"): 1.0}, "upward-denominator"),
        (make({"p1": 1.0}), people(*[-1.0] * 12), "upward-denominator-wrong"),
        (make({"p1": 1.0}), people(*[float("nan")] * 12), "upward-denominator-wrong"),
        (make({"p1": 1.0}, unit="furlongs"), people(), "upward-unit"),
        (make({"p1": 1.0}), pa.table({"place": ["p1"], "n": [1.0]}), "upward-denominators"),
        (make({"p1": 1.0}), TWICE, "upward-denominator-twice"),
        (make({"p": 1.0}, method=f"{MEAN}x", denominator=301.0), people(), "upward-denominator-less"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(rows: list[dict[str, Any]], denominators: Any, code: str) -> None:
    known = denominators
    level = "country"
    if code == "upward-denominator-less":
        known, level = {(country, "2020"): 100.0 for country in COUNTRIES}, "region"
    assert _code(lambda: aggregate(Estimates.from_rows(rows), TREE, known, level)) == code


def test_levels_must_exist() -> None:
    rows = Estimates.from_rows(make({"p1": 1.0}))
    assert _code(lambda: aggregate(rows, TREE, people(), "galaxy")) == "upward-level"
    assert _code(lambda: aggregate(rows, TREE, people(), "country", of="village")) == "upward-level"


def test_no_rows_give_no_rows() -> None:
    assert len(aggregate(Estimates.empty(["sex"]), TREE, people(), "country")) == 0


def _code(call: Any) -> str:
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value.problems[0].code)


# ------------------------------------------------------------------------------------------------------------- trends


def test_a_member_that_drops_out_is_no_fall() -> None:
    rows = []
    for period, values in {"2019": {"p1": 10.0, "p2": 60.0, "p3": 10.0}, "2020": {"p1": 11.0, "p3": 11.0}}.items():
        rows += make(values, period)  # type: ignore[arg-type]
    known = dict.fromkeys(product(CITIES, ("2019", "2020")), 100.0)
    plain = [row["value"] for row in aggregate(Estimates.from_rows(rows), TREE, known, "country").rows()]
    same = trend(Estimates.from_rows(rows), TREE, known, "country").rows()
    assert plain == [pytest.approx(80 / 3), 11.0]
    assert [row["value"] for row in same] == [10.0, 11.0]
    assert {row["method"].rsplit("; ")[-1] for row in same} == {"same members in all periods"}
    assert same[0]["note"].startswith("members in all periods: p1, p3; left out: p2; members with data hold 66.7 %")
    assert [row["coverage"] for row in same] == [pytest.approx(2 / 3)] * 2


def test_a_trend_without_any_common_member_has_no_values() -> None:
    rows = Estimates.from_rows([*make({"p1": 10.0}, "2019"), *make({"p2": 10.0}, "2020")])
    known = dict.fromkeys(product(CITIES, ("2019", "2020")), 100.0)
    found = trend(rows, TREE, known, "country", gate=0.0).rows()
    assert [row["value"] for row in found] == [None, None]
    assert found[0]["note"].startswith("members in all periods: none; left out: p1, p2; not published")


def test_series_of_different_versions_each_have_their_own_members() -> None:
    rows = [*make({"p1": 1.0, "p2": 2.0}, "2018", version="1"), *make({"p1": 3.0, "p3": 4.0}, "2019", version="2")]
    known = dict.fromkeys(product(CITIES, ("2018", "2019")), 100.0)
    assert [row["value"] for row in trend(Estimates.from_rows(rows), TREE, known, "country").rows()] == [1.5, 3.5]


# --------------------------------------------------------------------------------------------------------- properties

numbers = st.floats(0.1, 1000.0)
cities = st.lists(st.tuples(st.one_of(st.none(), numbers), numbers), min_size=12, max_size=12)


@given(cities)
def test_aggregates_of_aggregates_are_those_of_all_members_at_once(drawn: list[tuple[float | None, float]]) -> None:
    rows = Estimates.from_rows(make({city: value for city, (value, _) in zip(CITIES, drawn, strict=True)}))
    known = people(*(n for _, n in drawn))
    totals = {(c, "2020"): sum(n for (city, _), n in known.items() if city[0] == c) for c in COUNTRIES}
    totals |= {
        ("A", "2020"): totals["p", "2020"] + totals["q", "2020"],
        ("B", "2020"): totals["r", "2020"] + totals["s", "2020"],
    }
    at_once = aggregate(rows, TREE, known, "world", gate=0.0).only()
    by_steps = aggregate(rows, TREE, known, "country", gate=0.0)
    for level in ("region", "world"):
        by_steps = aggregate(by_steps, TREE, totals, level, gate=0.0)
    row = by_steps.only()
    for name in ("value", "se", "lower", "upper", "coverage", "denominator"):
        assert row[name] == (None if at_once[name] is None else pytest.approx(at_once[name], rel=1e-9, abs=1e-12)), name
    assert row["method"] == at_once["method"]


@given(cities, st.permutations(range(12)))
def test_order_does_not_matter_and_means_stay_among_their_members(drawn: Any, order: list[int]) -> None:
    given_rows = make({city: value for city, (value, _) in zip(CITIES, drawn, strict=True)})
    known = people(*(n for _, n in drawn))
    one = aggregate(Estimates.from_rows(given_rows), TREE, known, "country", gate=0.0).rows()
    two = aggregate(Estimates.from_rows([given_rows[at] for at in order]), TREE, known, "country", gate=0.0).rows()
    for a, b in zip(one, two, strict=True):
        assert {k: v for k, v in a.items() if not isinstance(v, float)} == {
            k: v for k, v in b.items() if not isinstance(v, float)
        }
        values = [row["value"] for row in given_rows if row["place"][0] == a["place"] and row["value"] is not None]
        if values:
            assert a["value"] == pytest.approx(b["value"])
            assert min(values) - 1e-9 <= a["value"] <= max(values) + 1e-9
        held = [
            n for (value, n), city in zip(drawn, CITIES, strict=True) if city[0] == a["place"] and value is not None
        ]
        everybody = [n for (_, n), city in zip(drawn, CITIES, strict=True) if city[0] == a["place"]]
        assert a["coverage"] == pytest.approx(sum(held) / sum(everybody))


@given(st.lists(st.integers(0, 200), min_size=12, max_size=12))
def test_sums_over_steps_are_the_sum(counts: list[int]) -> None:
    rows = Estimates.from_rows(
        make({city: float(n) for city, n in zip(CITIES, counts, strict=True)}, unit="victims", method="count")
    )
    totals = {(country, "2020"): 300.0 for country in COUNTRIES}
    by_steps = aggregate(aggregate(rows, TREE, people(), "country"), TREE, totals, "world")
    assert by_steps.only()["value"] == sum(counts) == aggregate(rows, TREE, people(), "world").only()["value"]
    assert by_steps.only()["upper"] == pytest.approx(float(garwood(sum(counts), 0.95)[1]))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """2000 countries of 8 cities with Poisson counts: the MOVER interval of the weighted mean of Garwood rates."""
    rng = np.random.default_rng(7)
    population = np.array([2e5, 5e4, 1e5, 3e5, 8e4, 1.5e5, 6e4, 4e5])
    rate = np.array([8.0, 30.0, 12.0, 5.0, 22.0, 9.0, 40.0, 6.0]) / 1e5
    truth = (population * rate).sum() / population.sum() * 1e5
    tree = Hierarchy([Place(f"c{k}", "c", "country") for k in range(2000)]
                     + [Place(f"c{k}.{j}", "m", "city", f"c{k}") for k in range(2000) for j in range(8)])  # fmt: skip
    counts = rng.poisson(population * rate, (2000, 8))
    low, high = garwood(counts, 0.95)
    scale = (1e5 / population)[None, :]
    columns = {"value": counts * scale, "se": np.sqrt(counts) * scale, "lower": low * scale, "upper": high * scale}
    places = [f"c{k}.{j}" for k in range(2000) for j in range(8)]
    table = pa.table(
        {"place": places, "indicator": ["i"] * 16000, "period": ["2020"] * 16000, "unit": ["per 100 000"] * 16000,
         "level": [0.95] * 16000, "method": ["crude rate, Garwood interval"] * 16000}
        | {name: column.reshape(-1) for name, column in columns.items()}
    )  # fmt: skip
    known = {(place, "2020"): float(n) for place, n in zip(places, np.tile(population, 2000), strict=True)}
    made = aggregate(Estimates(table), tree, known, "country").table
    lower, upper = made.column("lower").to_numpy(), made.column("upper").to_numpy()
    assert 0.945 < np.mean((lower <= truth) & (truth <= upper)) < 0.99
