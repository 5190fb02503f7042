"""Intervals of survey estimates: equal to R, exact where exact limits are known, and never ±0."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.errors import UsageError
from safercities.sampling.intervals import (
    METHODS,
    difference_interval,
    log_interval,
    proportion_interval,
    student_interval,
)

#: R 4.2.2, survey 4.1.1, its api data; p, se, n = nrow(design), df = degf(design), level, and the limits of
#: svyciprop(method = "beta", "xlogit", "mean") of api00 > 700, and of api00 > 860 ("rare"), in the designs
#: clus1: svydesign(id = ~dnum, weights = ~pw, data = apiclus1, fpc = ~fpc), domain: subset(…, stype == "H")
#: strat: svydesign(id = ~1, strata = ~stype, weights = ~pw, data = apistrat, fpc = ~fpc)
#: clus2: svydesign(id = ~dnum + snum, fpc = ~fpc1 + fpc2, data = apiclus2)
#: survey 4.1.1 has no Wilson interval: its limits are the two roots, by uniroot(tol = 1e-16), of
#: (p̂ − x)² = qt(…, df)² · x(1 − x) · se²/(p̂(1 − p̂)).
CASES = {
    "clus1": (0.33879781420765026, 0.079806034660545075, 183, 14, 0.95),
    "clus1 rare": (0.0054644808743169399, 0.0054393812225846496, 183, 14, 0.95),
    "clus1 domain": (0.2857142857142857, 0.1692622830888256, 14, 7, 0.95),
    "strat": (0.40433968161103895, 0.037475390050193354, 200, 197, 0.9),
    "clus2": (0.4014760147601476, 0.1068712579844384, 126, 39, 0.99),
}
R_LIMITS = [
    ("clus1", "logit", 0.19267104033328114, 0.5238405623403728),
    ("clus1", "korn-graubard", 0.17657860501126574, 0.53446661831734388),
    ("clus1", "student", 0.16763089345220633, 0.50996473496309425),
    ("clus1 rare", "logit", 0.00064174840060352305, 0.044901593346770005),
    ("clus1 rare", "korn-graubard", 7.8776057552705175e-05, 0.033660684831426479),
    ("clus1 domain", "logit", 0.05327835026310964, 0.73979312441232092),
    ("clus1 domain", "korn-graubard", 0.027539263552678266, 0.74376119553005315),
    ("strat", "logit", 0.34421676272086649, 0.46747803640618329),
    ("strat", "korn-graubard", 0.34139478807482193, 0.46979271741355089),
    ("strat", "student", 0.34240690691227782, 0.46627245630980002),
    ("clus2", "logit", 0.1674687855529034, 0.69105072460327921),
    ("clus2", "korn-graubard", 0.14510437410789268, 0.70484360592501982),
    ("clus2", "student", 0.11207792632496971, 0.6908741031953255),
]
WILSON = [
    ("clus1", 0.19540202581445446, 0.51948295878875683),
    ("clus1 rare", 0.00085071304504278776, 0.034243043648805177),
    ("clus1 domain", 0.065899235167018705, 0.6939976979458794),
    ("strat", 0.34437552382773523, 0.46730297395165382),
    ("clus2", 0.17643337392864289, 0.67744692579854116),
]
#: R's binom.test(x, n)$conf.int
BINOMIAL = [
    (3, 50, 0.012548587835334061, 0.16548194660377291),
    (0, 50, 0.0, 0.071121736464197616),
    (50, 50, 0.92887826353580238, 1.0),
    (1999, 2000, 0.99721736016534102, 0.99998734117613142),
]
#: R's (df, qt(0.975, df))
STUDENT = [
    (1, 12.706204736174694),
    (2, 4.3026527297494619),
    (3.5, 2.9400886379827291),
    (7, 2.3646242515927844),
    (7653, 1.9602740119911679),
    (1e9, 1.9599639869123249),
    (np.inf, 1.9599639845400536),
]


def _one(method: str, *args: float, **more: object) -> tuple[float, float]:
    got = proportion_interval(method, *([x] for x in args), **more)  # type: ignore[arg-type]
    return float(got.lower[0]), float(got.upper[0])


@pytest.mark.parametrize(("case", "method", "lower", "upper"), R_LIMITS)
def test_equal_to_r(case: str, method: str, lower: float, upper: float) -> None:
    *facts, level = CASES[case]
    assert _one(method, *facts, level=level) == pytest.approx((lower, upper), rel=1e-10)


def test_student_is_cut_where_r_leaves_the_range() -> None:
    *facts, level = CASES["clus1 rare"]
    lower, upper = _one("student", *facts, level=level)
    assert lower == 0  # R: −0.0062, a negative share of people
    assert upper == pytest.approx(0.017130793311026564, rel=1e-10)


@pytest.mark.parametrize(("case", "lower", "upper"), WILSON)
def test_wilson_solves_the_score_equation(case: str, lower: float, upper: float) -> None:
    *facts, level = CASES[case]
    assert _one("wilson", *facts, level=level, truncate=False) == pytest.approx((lower, upper), rel=1e-10)


@pytest.mark.parametrize(("x", "n", "lower", "upper"), BINOMIAL)
def test_exact_where_the_sample_is_simple(x: int, n: int, lower: float, upper: float) -> None:
    p = x / n
    se = np.sqrt(p * (1 - p) / n)
    exact = pytest.approx((lower, upper), rel=1e-10)
    assert _one("clopper-pearson", p, se, n, n - 1) == exact
    assert _one("korn-graubard", p, se, n, n - 1) == exact  # n − 1 degrees of freedom: nothing to correct


def test_expected_numbers_of_enusc_2023(shared_data: Path) -> None:
    path = shared_data.parent / "reference" / "enusc_2023_intervals.csv"
    rows = {row["method"]: row for row in csv.DictReader(path.read_text().splitlines())}
    p, se, n, df = 0.05558884628010994, 0.0014780670818886714, 49813, 7653  # coef, SE, nrow, degf of the design there
    for theirs, ours in {"xlogit": "logit", "beta": "korn-graubard", "mean": "student"}.items():
        expected = float(rows[theirs]["lower"]), float(rows[theirs]["upper"])
        assert _one(ours, p, se, n, df) == pytest.approx(expected, rel=1e-10)
    # R's "logit" comes from a fit by iteration, which stops near the tenth digit.
    by_fit = float(rows["logit"]["lower"]), float(rows["logit"]["upper"])
    assert _one("logit", p, se, n, df) == pytest.approx(by_fit, rel=2e-10)


@pytest.mark.parametrize(("df", "quantile"), STUDENT)
def test_student_quantiles(df: float, quantile: float) -> None:
    lower, upper = student_interval([10.0], [1.0], [df])
    assert upper[0] - 10 == pytest.approx(quantile, rel=1e-9)
    assert 10 - lower[0] == pytest.approx(quantile, rel=1e-9)


def test_a_beta_quantile_far_in_the_tail() -> None:
    # R: qbeta(0.025, 0.3, 1e6 + 1) and qbeta(0.975, 0.3 + 1, 1e6), with size * p = 0.3 and size * (1 − p) = 1e6
    p = 0.3 / (0.3 + 1e6)
    se = np.sqrt(p * (1 - p) / (0.3 + 1e6))
    limits = _one("clopper-pearson", p, se, 10**7, np.inf)
    assert limits == pytest.approx((3.1856769610439493e-12, 4.293767248552479e-06), rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_nobody_said_yes(method: str) -> None:
    got = proportion_interval(method, [0.0, 1.0], [0.0, 0.0], [50, 50], [49, 49])
    assert got.one_sided.tolist() == [True, True]
    assert got.lower == pytest.approx([0, 1 - 0.071121736464197616], rel=1e-10)
    assert got.upper == pytest.approx([0.071121736464197616, 1], rel=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_zero_cell_knows_of_clusters(method: str) -> None:
    plain = _one(method, 0.0, 0.0, 50, 49)
    clustered = _one(method, 0.0, 0.0, 50, 49, deff_elsewhere=2.5)
    assert clustered == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)), rel=1e-10)  # 50 / 2.5 = 20 respondents' worth
    assert _one(method, 0.0, 0.0, 50, 49, deff_elsewhere=0.4) == plain  # a deff below 1 is not lent
    few = _one(method, 0.0, 0.0, 50, 4, deff_elsewhere=2.5)
    assert few[1] > clustered[1]  # few degrees of freedom widen it


@pytest.mark.parametrize("method", METHODS)
def test_rounding_in_the_sums_is_no_spread(method: str) -> None:
    # weighted sums of ones give 1 − 1e-16 and a standard error of 1e-17: still everybody
    assert _one(method, 1 - 1.1e-16, 3e-17, 50, 49) == _one(method, 1.0, 0.0, 50, 49)
    assert _one(method, 0.3, 1e-17, 50, 49) == _one(method, 0.3, 0.0, 50, 49)


@pytest.mark.parametrize("method", METHODS)
def test_equal_sampling_units_are_not_certainty(method: str) -> None:
    lower, upper = _one(method, 0.5, 0.0, 40, 7)
    assert lower < 0.35
    assert upper > 0.65


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_what_is_not_known_is_the_whole_range(method: str, p: float) -> None:
    se = 0.0 if p in (0, 1) else 0.1
    assert _one(method, p, se, 20, 0) == (0, 1)  # no degrees of freedom
    assert _one(method, p, se, 20, -1) == (0, 1)
    assert _one(method, p, np.nan, 20, 8) == (0, 1)
    assert _one(method, p, se, 20, np.nan) == (0, 1)


@pytest.mark.parametrize("method", METHODS)
def test_one_respondent(method: str) -> None:
    assert _one(method, 1.0, 0.0, 1, 5) == (0, 1)


@pytest.mark.parametrize("method", METHODS)
def test_no_respondents(method: str) -> None:
    got = proportion_interval(method, [np.nan, 0.0], [np.nan, 0.0], [0, 0], [0, 12])
    assert np.isnan(got.lower).all()
    assert np.isnan(got.upper).all()
    assert np.isnan(got.n_effective).all()
    assert not got.one_sided.any()


def test_effective_size_is_not_corrected_and_at_most_n() -> None:
    got = proportion_interval(
        "korn-graubard", [0.5, 0.5, 0.0], [0.05, 0.02, 0.0], [200, 200, 200], [5, 5, 5], deff_elsewhere=4
    )
    assert got.n_effective == pytest.approx([100, 200, 50])


def test_degrees_of_freedom_beyond_n_do_not_help() -> None:
    # a domain of 5 in a design of 7 653 degrees of freedom: R takes those of the domain, here they are cut at n − 1
    assert _one("korn-graubard", 0.4, 0.2, 5, 7653) == _one("korn-graubard", 0.4, 0.2, 5, 4)


@pytest.mark.parametrize("method", ["korn-graubard", "wilson", "clopper-pearson"])
def test_worth_more_than_n_is_not_believed(method: str) -> None:
    facts = ([0.5, 0.5], [0.05, 0.02], [200, 200], [5000, 5000])
    free, cut = (proportion_interval(method, *facts, truncate=cut) for cut in (False, True))
    assert free.lower[0] == cut.lower[0]  # 100 of 200
    assert cut.upper[1] - cut.lower[1] > free.upper[1] - free.lower[1]  # 625, cut to 200
    assert (cut.lower[1], cut.upper[1]) == pytest.approx(_one(method, 0.5, 0.5 / np.sqrt(200), 200, 5000), rel=1e-9)


def test_r_is_met_without_the_bound() -> None:
    # R 4.2.2: qbeta(0.025, 625 * 0.5, 625 * 0.5 + 1), and the upper limit by symmetry; se = 0.02, n = 200, df = 199
    lower, upper = _one("korn-graubard", 0.5, 0.02, 200, 199, truncate=False)
    assert lower == pytest.approx(0.46008023380768581, rel=1e-10)
    assert upper == pytest.approx(1 - 0.46008023380768581, rel=1e-10)


def test_no_warnings_whatever_comes() -> None:
    odd = np.array([0.0, 1.0, 0.3, np.nan])
    grid = np.meshgrid(odd, [0.0, 0.1, np.nan, 1e-300], [0, 1, 2, 1e9, np.nan], [-1, 0, 1, np.inf, np.nan])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for method in METHODS:
            got = proportion_interval(method, *(part.ravel() for part in grid))
            known = ~np.isnan(got.lower)
            assert (got.lower[known] <= grid[0].ravel()[known]).all()
            assert (got.upper[known] >= grid[0].ravel()[known]).all()
        log_interval([0.0, -1.0, 1.0, np.nan], [0.0, 1.0, np.inf, 1.0], [0, 3, 3, 3])


@given(
    p=st.floats(0, 1),
    deff=st.floats(0.5, 20),
    n=st.integers(2, 100_000),
    df=st.integers(1, 5000),
    method=st.sampled_from(METHODS),
)
def test_mirror_and_order(p: float, deff: float, n: int, df: int, method: str) -> None:
    se = np.sqrt(p * (1 - p) * deff / n)
    lower, upper = _one(method, p, se, n, df)
    assert 0 <= lower <= p <= upper <= 1
    assert upper > lower
    assert _one(method, 1 - p, se, n, df) == pytest.approx((1 - upper, 1 - lower), rel=1e-6, abs=1e-9)
    wider = _one(method, p, se, n, df, level=0.99)
    assert wider[0] <= lower
    assert wider[1] >= upper


def test_shapes_and_scalars() -> None:
    got = proportion_interval("wilson", 0.2, 0.02, 500, 40)
    assert got.lower.shape == (1,)
    many = proportion_interval("wilson", [0.2, 0.3], 0.02, 500, 40)
    assert many.lower[0] == got.lower[0]


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="did you mean wilson"):
        _one("willson", 0.2, 0.02, 500, 40)
    for level in (0, 1, 95, np.nan):
        with pytest.raises(UsageError, match="confidence level"):
            _one("wilson", 0.2, 0.02, 500, 40, level=level)
        with pytest.raises(UsageError, match="confidence level"):
            student_interval([1.0], [1.0], [3], level=level)
    with pytest.raises(ValueError, match="between 0 and 1"):
        _one("wilson", 1.2, 0.02, 500, 40)


def test_log_interval_is_a_factor() -> None:
    lower, upper = log_interval([2.0, 200.0], [0.5, 50.0], [9, 9])
    # R: exp(qt(0.975, 9) * 0.25)
    assert upper / [2, 200] == pytest.approx([np.exp(2.2621571628540993 * 0.25)] * 2, rel=1e-10)
    assert [2, 200] / lower == pytest.approx(upper / [2, 200], rel=1e-12)


def test_limits_that_cannot_be_known_are_missing() -> None:
    for made in (student_interval, log_interval):
        for se, df in ((np.nan, 5), (1.0, 0), (1.0, np.nan)):
            lower, upper = made([3.0], [se], [df])
            assert np.isnan(lower[0])
            assert np.isnan(upper[0])
    lower, upper = log_interval([0.0, -2.0], [0.0, 1.0], [5, 5])
    assert np.isnan([*lower, *upper]).all()


#: Newcombe (1998), Statistics in Medicine 17: 873–890, table II, method 10: x of m against y of n, and the limits.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (10, 10, 0, 10, 0.6075, 1.0),
]


@pytest.mark.parametrize(("x", "m", "y", "n", "lower", "upper"), NEWCOMBE)
def test_difference_of_simple_samples(x: int, m: int, y: int, n: int, lower: float, upper: float) -> None:
    z2 = 1.959963984540054**2
    limits = []
    for yes, size in ((x, m), (y, n)):
        p = yes / size
        half = np.sqrt(z2 * p * (1 - p) / size + (z2 / size) ** 2 / 4)
        limits.append([(p + z2 / size / 2 + sign * half) / (1 + z2 / size) for sign in (-1, 1)])
    got = difference_interval(x / m, limits[0], y / n, limits[1], 0.0)
    assert (float(got[0][0]), float(got[1][0])) == pytest.approx((lower, upper), abs=6e-5)


def test_difference_knows_of_the_correlation() -> None:
    facts = ([0.4, 0.35], [0.03, 0.03], [400, 400], [1e9, 1e9])
    limits = proportion_interval("student", *facts)
    widths = []
    for correlation in (-0.5, 0.0, 0.5, np.nan):
        args = (0.4, (limits.lower[:1], limits.upper[:1]), 0.35, (limits.lower[1:], limits.upper[1:]), correlation)
        lower, upper = difference_interval(*args)
        widths.append(float(upper[0] - lower[0]) / 2)
    expected = [1.959964 * np.sqrt(2 * 0.03**2 * (1 - r)) for r in (-0.5, 0, 0.5, 0)]
    assert widths == pytest.approx(expected, rel=1e-5)


def test_difference_with_an_unknown_limit_is_unknown() -> None:
    lower, upper = difference_interval(0.4, (np.nan, 0.5), 0.3, (0.2, 0.4), 0.0)
    assert np.isnan(lower[0])
    assert not np.isnan(upper[0])
