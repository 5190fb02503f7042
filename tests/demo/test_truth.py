"""The truth is what the docs say, and the draws follow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.demo.poisson import interval, surprise

from safercities.demo.city import YEARS
from safercities.demo.draw import draw_cases, draw_counts
from safercities.demo.truth import ACTS, SERIES, Truth, census, people, relative_rates


@pytest.mark.parametrize("name", ACTS)
def test_the_rate_of_the_whole_city_in_2022_is_the_stated_one(name: str):
    truth = draw_counts(1, YEARS)
    series, known = next((key, share) for key, (act, share) in SERIES.items() if act == name)
    assert truth.rate(series, year=2022) == pytest.approx(known * ACTS[name].rate, rel=1e-12)


def test_people_lie_on_a_straight_line_between_the_censuses():
    before, after = census()
    np.testing.assert_array_equal(people([2020, 2026]), [before, after])
    np.testing.assert_allclose(people([2023])[0], (before + after) / 2)


def test_robbery_fell_by_30_percent_in_two_districts_only():
    rates = relative_rates("robbery", YEARS)
    change = rates[2] / rates[1]
    calmed = np.array([place.split("-")[0] in {"D2", "D7"} for place in draw_counts(1, YEARS).places])
    np.testing.assert_allclose(change[calmed], 0.7)
    np.testing.assert_allclose(change[~calmed], 1.0)


def test_young_women_meet_the_most_street_harassment():
    truth = draw_counts(1, YEARS)
    rates = {(sex, age): truth.rate("harassment", sex=sex, age=age) for sex in "FM" for age in ("Y15T24", "Y25T34")}
    assert max(rates, key=rates.get) == ("F", "Y15T24")
    # 4 times the men's rate, × 2.5; the sexes' mixes of places and years differ a little
    assert rates["F", "Y15T24"] / rates["M", "Y15T24"] == pytest.approx(10, rel=0.01)


def test_the_series_of_the_two_homicide_sources_differ_by_what_each_knows():
    truth = draw_counts(1, YEARS)
    assert truth.mean("homicide.police") / truth.mean("homicide.registry") == pytest.approx(0.93 / 0.98)


def test_cases_and_means_add_up_over_the_parts():
    truth, cases = draw_cases(5, YEARS)
    for series, part in cases.items():
        assert truth.cases(series) == len(part)
        assert truth.cases(series) == sum(truth.cases(series, place=place) for place in truth.places)
        assert truth.mean(series) == pytest.approx(sum(truth.mean(series, year=y, sex=s) for y in YEARS for s in "FM"))


def test_every_case_lies_inside_its_neighbourhood_and_its_year():
    import shapely

    from safercities.demo.shape import ground

    _, cases = draw_cases(6, (2022, 2023, 2024))
    for part in cases.values():
        assert shapely.contains_xy(ground().polygons[part.place], part.xy[:, 0], part.xy[:, 1]).all()
        assert part.when.min() >= np.datetime64("2022-01-01")
        assert part.when.max() < np.datetime64("2025-01-01")
        assert (np.diff(part.when) >= np.timedelta64(0)).all()


def test_exact_intervals_cover_the_truth_over_200_cities():
    means, cases = [], []
    for seed in range(200):
        truth = draw_counts(seed, (2022, 2023, 2024))
        for place in ("D2-03", "D6-03", "D8-05"):
            means.append(truth.mean("homicide.registry", place=place, year=2022))
            cases.append(truth.cases("homicide.registry", place=place, year=2022))
    lower, upper = interval(np.array(cases))
    means = np.array(means)
    assert abs(surprise((lower <= means) & (means <= upper), means)) < 4


@pytest.mark.parametrize("series", SERIES)
def test_counts_of_one_city_are_poisson_around_the_truth(series: str):
    truth, _ = draw_cases(2016, YEARS)
    means, cases = truth.expected[series].ravel(), truth.drawn[series].ravel()
    lower, upper = interval(cases)
    assert abs(surprise((lower <= means) & (means <= upper), means)) < 4
    # the total is Poisson as well: neither tail may be very small
    assert 1e-4 < stats.poisson.cdf(cases.sum(), means.sum()) < 1 - 1e-4


def test_truth_survives_its_file(tmp_path: Path):
    truth = draw_counts(3, YEARS)
    truth.write(tmp_path / "truth.json")
    read = Truth.read(tmp_path / "truth.json")
    assert read.rate("theft", place="D6", sex="F") == truth.rate("theft", place="D6", sex="F")
    assert read.cases("antisocial", year=2024) == truth.cases("antisocial", year=2024)


@pytest.mark.parametrize("where", [{"place": "D9"}, {"sex": "X"}, {"year": 1999}, {"colour": "red"}])
def test_unknown_parts_are_refused(where: dict[str, object]):
    with pytest.raises(KeyError, match="no such part"):
        draw_counts(1, YEARS).rate("theft", **where)
