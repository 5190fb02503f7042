"""Comparisons: what they give, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from safercities.measure.compare import against_period, against_rest, compare
from safercities.measure.rates import Interval, difference_of, garwood, rate_difference, rate_ratio, ratio_of, widened
from safercities.measure.rows import ROUNDED
from safercities.model.errors import UsageError
from safercities.model.estimates import Estimates

BASE: dict[str, Any] = {
    "indicator": "x",
    "version": "1",
    "place": "city",
    "period": "2019",
    "source": "police",
    "unit": "per 100 000",
    "method": "crude rate, Garwood interval",
}


def rate(cases: int, years: float = 10_000.0, **more: Any) -> dict[str, Any]:
    return {**BASE, "value": 1e5 * cases / years, "n": cases, "denominator": years, **more}


def one(cases: int, **more: Any) -> Estimates:
    return Estimates.from_rows([rate(cases, **more)], ["sex"])


def test_two_rates() -> None:
    found = compare(one(90, sex="M"), one(30, sex="F"))
    ratio, gap = rate_ratio(90, 1e4, 30, 1e4), rate_difference(90, 1e4, 30, 1e4)
    assert (found.ratio, found.ratio_lower, found.ratio_upper) == pytest.approx([float(x) for x in ratio[:3]])
    assert found.difference_lower == pytest.approx(1e5 * float(gap.lower))
    assert found.unit == "per 100 000"
    assert found.clear
    assert found.one["sex"] == "M"


@pytest.mark.parametrize("change", ["indicator", "version", "source", "unit", "method"])
def test_what_differs_is_refused_by_name(change: str) -> None:
    with pytest.raises(UsageError, match=f"differ in {change}"):
        compare(one(3), one(4, **{change: "other"}))


def test_counts_and_smoothed_rates_are_refused() -> None:
    smoothed = {"method": "empirical Bayes (Marshall, global)"}
    with pytest.raises(UsageError, match="no cases over person-years"):
        compare(one(3, **smoothed), one(4, **smoothed))


def test_words_claim_nothing_that_the_interval_does_not_show() -> None:
    assert compare(one(11), one(10)).words.startswith("no clear difference")
    assert "nothing can be said" in compare(one(0), one(0)).words
    assert compare(one(40), one(0)).words.startswith("higher (95 % interval from ")
    assert compare(one(40), one(0)).one_sided


def test_each_group_against_the_rest() -> None:
    rows = [rate(10, sex="F"), rate(30, sex="M"), rate(5, sex="X"), rate(46, 3e4, sex="_T"), rate(1, sex="_U")]
    found = against_rest(Estimates.from_rows(rows), "sex")
    assert [c.other["sex"] for c in found] == ["not F", "not M", "not X"]
    assert found[1].ratio == pytest.approx((30 / 1e4) / (15 / 2e4))


def test_rest_stays_within_place_and_period() -> None:
    rows = [rate(10, sex=s, place=p, period=y) for s in "FM" for p in "ab" for y in ("2018", "2019")]
    found = against_rest(Estimates.from_rows(rows), "sex")
    assert len(found) == 8
    assert all(c.ratio == 1 for c in found)


def test_last_period_against_another() -> None:
    rows = [rate(n, period=y, sex="_T") for y, n in (("2016", 40), ("2018", 20), ("2019", 10))]
    rows.append(rate(1, period="2020", sex="_T", quality="few_cases partial_period"))
    table = Estimates.from_rows(rows)
    assert [(c.one["period"], c.other["period"], c.ratio) for c in against_period(table)] == [("2019", "2018", 0.5)]
    assert against_period(table, "first")[0].ratio == 0.25


def test_no_series_runs_across_versions() -> None:
    rows = [rate(10, period="2018"), rate(10, period="2019", version="2")]
    with pytest.raises(UsageError, match="no cases over person-years"):
        against_period(Estimates.from_rows(rows))


def rounded(cases: int, years: float = 10_000.0, **more: Any) -> dict[str, Any]:
    limits = limits_of(cases, years)
    numbers = {"lower": 1e5 * float(limits.lower), "upper": 1e5 * float(limits.upper), "level": 0.95}
    return rate(cases, years, method=BASE["method"] + ROUNDED, **numbers, **more)


def limits_of(cases: int, years: float = 10_000.0) -> Interval:
    return Interval(*(part / years for part in widened(cases, *garwood(cases), 5)))


def test_rounded_rates_are_compared_by_their_own_limits() -> None:
    """They hold the rounding; limits made of the counts alone do not."""
    found = compare(Estimates.from_rows([rounded(90, sex="M")]), Estimates.from_rows([rounded(30, sex="F")]))
    ratio, gap = (made(limits_of(90), limits_of(30)) for made in (ratio_of, difference_of))
    assert [found.ratio, found.ratio_lower, found.ratio_upper] == pytest.approx([float(x) for x in ratio[:3]])
    assert [found.difference, found.difference_lower, found.difference_upper] == pytest.approx(
        [1e5 * float(x) for x in gap]
    )
    exact = compare(one(90), one(30))
    assert found.ratio_lower < exact.ratio_lower < exact.ratio_upper < found.ratio_upper
    assert found.method != exact.method
    zero = compare(Estimates.from_rows([rounded(90)]), Estimates.from_rows([rounded(0)]))
    assert (zero.ratio_upper, zero.one_sided) == (float("inf"), True)
    assert zero.words.startswith("higher (95 % interval from ")


def test_rounded_rates_over_time_and_against_the_rest() -> None:
    years = Estimates.from_rows([rounded(n, period=y) for y, n in (("2018", 20), ("2019", 10))])
    (found,) = against_period(years)
    assert found.ratio_upper == pytest.approx(float(ratio_of(limits_of(10), limits_of(20)).upper))
    groups = Estimates.from_rows([rounded(n, sex=sex) for sex, n in (("F", 10), ("M", 30), ("X", 5))])
    rest = against_rest(groups, "sex")
    assert [c.ratio for c in rest] == pytest.approx(
        [10 / 1e4 / (35 / 2e4), 30 / 1e4 / (15 / 2e4), 5 / 1e4 / (40 / 2e4)]
    )
    plain = against_rest(Estimates.from_rows([rate(n, sex=sex) for sex, n in (("F", 10), ("M", 30), ("X", 5))]), "sex")
    assert all(
        a.ratio_lower < b.ratio_lower and a.ratio_upper > b.ratio_upper for a, b in zip(rest, plain, strict=True)
    )


def test_limits_of_rounded_rates_are_of_one_level() -> None:
    rows = Estimates.from_rows([rounded(90)])
    with pytest.raises(UsageError, match="differ in level"):
        compare(rows, rows, level=0.9)
    without = Estimates.from_rows([{**rounded(90), "lower": None}])
    with pytest.raises(UsageError, match="no cases over person-years"):
        compare(without, rows)


def test_unknown_dimension() -> None:
    with pytest.raises(UsageError):
        against_rest(one(3), "age")
