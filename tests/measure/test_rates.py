"""Exact intervals, ratios, differences and standardised rates against R, and their coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from safercities.measure.rates import (
    Interval,
    direct_standardised,
    garwood,
    rate,
    rate_difference,
    rate_ratio,
    ratio_of,
    widened,
)

# R 4.2.2, stats::poisson.test(x)$conf.int, and with conf.level = 0.99
POISSON_95 = {
    0: (0, 3.688879454113935),
    1: (0.0253178079842899, 5.571643390938899),
    3: (0.6186721228956016, 8.767273069742323),
    10: (4.795388696132434, 18.39035604201778),
    57: (43.17124336292474, 73.85011140296282),
    410: (371.2692292005631, 451.6731233102051),
}
POISSON_99 = {
    0: (0, 5.298317366548035),
    1: (0.005012541823544286, 7.430129500280122),
    57: (39.43088016844957, 79.48857377382853),
    100_000: (99187.32963316483, 100817.4310332906),
}
# R 4.2.2, epitools 0.5.10.1, pois.exact(x, pt): x, pt, lower, upper. It searches with an absolute tolerance, so its
# lower limits are off by up to 1.1e-3 of themselves; poisson.test, above, is exact.
EPITOOLS_POISSON = [
    (0, 1000, 0, 0.00368887980037265),
    (1, 500, 5.05791335903593e-05, 0.0111432865750641),
    (3, 1000, 0.000618671217879235, 0.00876727658847774),
    (10, 20000, 0.000239769429360048, 0.000919517920936077),
    (57, 84321, 0.000511986883760983, 0.000875821275796616),
    (410, 1200000, 0.000309391024339987, 0.000376394292194992),
]
# R 4.2.2, poisson.test(c(x1, x0), c(t1, t0)): estimate, conf.int
RATIOS = {
    (11, 800, 2, 900): (6.1875, 1.350405168158059, 57.4483957982605),
    (0, 100, 5, 120): (0, 0, 1.309534926219055),
    (5, 100, 0, 120): (np.inf, 1.099627028778552, np.inf),
    (30, 1000, 10, 1000): (3, 1.427408470151585, 6.879301771018326),
    (2000, 5e5, 1500, 5.5e5): (1.466666666666667, 1.371004418292938, 1.569260233877938),
}


@pytest.mark.parametrize(("level", "expected"), [(0.95, POISSON_95), (0.99, POISSON_99)])
def test_garwood_equals_r(level: float, expected: dict[int, tuple[float, float]]) -> None:
    lower, upper = garwood(list(expected), level)
    assert_allclose(lower, [low for low, _ in expected.values()], rtol=1e-10)
    assert_allclose(upper, [high for _, high in expected.values()], rtol=1e-10)


def test_rate_is_as_near_to_epitools_as_epitools_is_exact() -> None:
    x, t, low, high = np.array(EPITOOLS_POISSON).T
    found = rate(x, t)
    assert_allclose(found.value, x / t, rtol=1e-15)
    assert_allclose(found.lower, low, rtol=1.2e-3)
    assert_allclose(found.upper, high, rtol=1e-5)


def test_upper_limit_of_no_case() -> None:
    assert garwood(0)[1] == pytest.approx(-np.log(0.025), rel=1e-14)


def test_no_exposure_gives_no_rate() -> None:
    for part in rate([3, 3], [0, np.nan]):
        assert np.isnan(part).all()


def test_missing_count_has_no_interval() -> None:
    assert np.isnan(garwood(np.nan)).all()


@pytest.mark.parametrize("bad", [lambda: garwood(-1), lambda: garwood(1, 1.0), lambda: rate(1, -2)])
def test_impossible_input_is_refused(bad) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"negative|level"):
        bad()


@pytest.mark.parametrize("counts", list(RATIOS))
def test_ratio_equals_r(counts: tuple[float, float, float, float]) -> None:
    found = rate_ratio(*counts)
    assert_allclose([found.value, found.lower, found.upper], RATIOS[counts], rtol=1e-9)
    assert bool(found.one_sided) == (0 in (counts[0], counts[2]))


def test_ratio_of_nothing_to_nothing() -> None:
    found = rate_ratio(0, 10, 0, 20)
    assert np.isnan(found.value)
    assert (found.lower, found.upper, bool(found.one_sided)) == (0, np.inf, True)


def test_ratio_and_difference_without_exposure() -> None:
    found = rate_ratio(3, 0, 4, 10)
    assert np.isnan([found.value, found.lower, found.upper]).all()
    assert not found.one_sided
    assert np.isnan(rate_difference(3, 10, 4, 0)).all()


@given(st.integers(0, 500), st.integers(0, 500), st.floats(1, 1e6), st.floats(1, 1e6))
def test_turning_a_comparison_round(x1: int, x0: int, t1: float, t0: float) -> None:
    there, back = rate_ratio(x1, t1, x0, t0), rate_ratio(x0, t0, x1, t1)
    with np.errstate(divide="ignore"):
        assert_allclose(there.lower, 1 / back.upper, rtol=1e-9)
    gap, other = rate_difference(x1, t1, x0, t0), rate_difference(x0, t0, x1, t1)
    assert_allclose([gap.lower, gap.upper], [-other.upper, -other.lower], rtol=1e-9, atol=1e-15)
    assert gap.lower <= gap.value <= gap.upper


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0, 10), st.floats(1, 1e6), st.floats(1, 1e6))
def test_turning_a_ratio_of_intervals_round(x1: int, x0: int, error: float, t1: float, t0: float) -> None:
    sides = [Interval(*np.array(widened(x, *garwood(x), error)) / t) for x, t in ((x1, t1), (x0, t0))]
    there, back = ratio_of(*sides), ratio_of(*sides[::-1])
    with np.errstate(divide="ignore"):
        assert_allclose(there.lower, 1 / back.upper, rtol=1e-9)
    if x0:
        assert there.lower <= there.value <= there.upper
    assert np.isinf(there.upper) == (sides[1].lower == 0)
    assert (there.lower == 0) == (sides[0].lower == 0)


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_ratio_of_numbers_that_are_known_is_known(x: float, y: float) -> None:
    found = ratio_of(*(Interval(*np.full(3, one)) for one in (x, y)))
    assert_allclose([found.value, found.lower, found.upper], x / y, rtol=1e-6)


def test_ratio_of_intervals_is_near_the_exact_one_for_many_cases() -> None:
    sides = [Interval(*(np.array(part) / 10.0 for part in (x, *garwood(x)))) for x in (900, 700)]
    assert_allclose(np.array(ratio_of(*sides)), np.array(rate_ratio(900, 10, 700, 10)), rtol=5e-4)


def test_ratio_of_intervals_that_are_not_known() -> None:
    some = Interval(np.array(3.0), np.array(np.nan), np.array(np.nan))
    found = ratio_of(some, Interval(np.array(2.0), np.array(1.0), np.array(4.0)))
    assert np.isnan([found.lower, found.upper]).all()
    assert not found.one_sided


def test_direct_standardisation_equals_epitools() -> None:
    # R 4.2.2, epitools 0.5.10.1, ageadjust.direct(count, pop, stdpop = std)
    count, people = [107, 141, 60, 40, 39, 25], [230061, 329449, 114920, 39487, 14208, 3052]
    standard = [63986.6, 186263.6, 157302.2, 97647.0, 47572.6, 12262.6]
    value, _, lower, upper = direct_standardised(count, people, standard)
    assert_allclose(value, 0.0009230452553319945, rtol=1e-12)
    assert_allclose([lower, upper], [0.0008044174985070425, 0.0010576334574926118], rtol=1e-10)


def test_direct_standardisation_of_few_cases_equals_epitools() -> None:
    # R 4.2.2, epitools 0.5.10.1, ageadjust.direct(..., conf.level = 0.9); and of no case (its lower limit is NaN there)
    found = direct_standardised([0, 3, 1], [2000, 3000, 1500], [31000, 31000, 38000], 0.9)
    assert_allclose([found[0], found[2], found[3]], [0.00056333333333333, 0.0001663870159266055, 0.0015669393125549598])
    none = direct_standardised([0, 0, 0], [230061, 329449, 114920], [63986, 186263, 157302])
    assert_allclose([none[0], none[2], none[3]], [0, 0, 1.238942433074129e-05], rtol=1e-10)


def test_direct_standardisation_with_equal_weights_is_garwood() -> None:
    """With every weight the same the standardised rate is the crude one, and so is its interval."""
    value, _, lower, upper = direct_standardised([3, 5, 9], [100, 100, 100], [1, 1, 1])
    crude = rate(17, 300)
    assert_allclose([value, lower, upper], [crude.value, crude.lower, crude.upper], rtol=1e-12)


def test_tiwari_is_shorter_and_a_stratum_without_people_gives_nothing() -> None:
    count, people, standard = [3, 5, 9], [100, 900, 500], [3, 2, 1]
    fay, tiwari = (direct_standardised(count, people, standard, upper=kind) for kind in ("fay-feuer", "tiwari"))  # type: ignore[arg-type]
    assert fay[2] == tiwari[2]
    assert tiwari[0] < tiwari[3] < fay[3]
    assert np.isnan(direct_standardised(count, [0, 900, 500], standard)).all()


@pytest.mark.parametrize("mean", [0.3, 2.0, 8.0, 40.0, 300.0])
def test_coverage_of_garwood(mean: float) -> None:
    counts = np.random.default_rng(1).poisson(mean, 20_000)
    lower, upper = garwood(counts)
    assert np.mean((lower <= mean) & (mean <= upper)) >= 0.95


@pytest.mark.parametrize("size", [0.2, 1.0, 10.0])
def test_coverage_of_fay_feuer(size: float) -> None:
    true = size * np.array([1e-3, 4e-3, 2e-3, 5e-4])
    people, standard = np.array([900.0, 700.0, 500.0, 100.0]), np.array([31.0, 31.0, 20.0, 18.0])
    counts = np.random.default_rng(2).poisson(true * people, (20_000, 4))
    _, _, lower, upper = direct_standardised(counts, people, standard)
    aim = (true * standard).sum() / standard.sum()
    assert np.mean((lower <= aim) & (aim <= upper)) >= 0.94


@pytest.mark.parametrize(("mean1", "mean0"), [(3, 1), (5, 5), (20, 12), (2, 60), (200, 150)])
def test_coverage_of_ratio_and_difference(mean1: float, mean0: float) -> None:
    rng, t1, t0 = np.random.default_rng(3), 1000.0, 2500.0
    x1, x0 = rng.poisson(mean1, 20_000), rng.poisson(mean0, 20_000)
    ratio, gap = rate_ratio(x1, t1, x0, t0), rate_difference(x1, t1, x0, t0)
    true_ratio, true_gap = (mean1 / t1) / (mean0 / t0), mean1 / t1 - mean0 / t0
    assert np.mean((ratio.lower <= true_ratio) & (true_ratio <= ratio.upper)) >= 0.94
    assert np.mean((gap.lower <= true_gap) & (true_gap <= gap.upper)) >= 0.94
