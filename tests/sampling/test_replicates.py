"""Replicates, made and given: equal to R survey, and to textbooks where these have an answer."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from made_survey import POPULATION, PSU, STRATUM, UNIT, UNIT_STRATUM, WEIGHT, X, Y, linearised, psu_sums
from safercities.model.errors import SafercitiesError, UsageError
from safercities.sampling.design import survey
from safercities.sampling.replicates import Replicates, covariance, given, jackknife, rank, rao_wu, variance

# Expected numbers: tests/sampling/reference_weights.R, R 4.2.2, survey 4.1.1.
EXACT = {"rel": 1e-10}
SUMS = psu_sums(np.column_stack([WEIGHT, WEIGHT * Y, WEIGHT * X]))
DRAWN = np.bincount(UNIT_STRATUM)
NO_STRATA = np.zeros(len(UNIT_STRATUM), dtype=int)


def statistics(totals: np.ndarray) -> np.ndarray:
    """Mean of y, ratio of y to x, total of y from the sums of weights, w y and w x; the last axis is the statistic."""
    n, y, x = totals.T
    return np.stack([y / n, y / x, y], axis=-1)


def errors(made: Replicates) -> list[float]:
    estimate = statistics(SUMS.sum(axis=0))
    return np.sqrt(variance(statistics(made.totals(SUMS)), estimate, made)).tolist()


@pytest.mark.parametrize(
    ("made", "expected", "df"),
    [
        (jackknife(UNIT_STRATUM), (0.34681062694810416, 0.0097653839349396594, 1918.761851212043), 7),
        (
            jackknife(UNIT_STRATUM, left=1 - DRAWN / POPULATION),
            (0.33389312449524866, 0.0093819089658465447, 1821.2903382629579),
            7,
        ),
        (
            jackknife(UNIT_STRATUM, centre="estimate"),
            (0.34689366461396709, 0.0097682425814391259, 1918.761851212043),
            7,
        ),
        (jackknife(NO_STRATA), (0.31908384385017369, 0.0098772641761135198, 1830.3932022928843), 10),
        (
            jackknife(NO_STRATA, left=[1 - 11 / 60]),
            (0.28835482976429982, 0.0089260452540417153, 1654.1192242147076),
            10,
        ),
        (
            jackknife(UNIT_STRATUM, left=1 - DRAWN / np.array([40, 36, 3, 50])),
            (0.27932744554234923, 0.0077878077069422425, 1386.0449045756056),
            5,
        ),
    ],
    ids=["JKn", "JKn fpc", "JKn mse", "JK1", "JK1 fpc", "one stratum in full"],
)
def test_jackknife_is_that_of_r(made: Replicates, expected: tuple[float, ...], df: int) -> None:
    assert errors(made) == pytest.approx(expected, **EXACT)
    assert made.df == df
    assert rank(made.factors) - 1 == df
    np.testing.assert_allclose(made.factors @ SUMS, made.totals(SUMS), rtol=1e-12)


def test_jackknife_covariance_is_that_of_r() -> None:
    made = jackknife(UNIT_STRATUM)
    totals = made.totals(SUMS)
    theta = totals[:, 1:] / totals[:, :1]
    expected = [0.12027761096413704, 0.01138528808285208, 0.01138528808285208, 0.96073864315603008]
    found = covariance(theta, [0, 0], made)
    assert found.ravel() == pytest.approx(expected, **EXACT)
    np.testing.assert_allclose(np.diag(found), variance(theta, [0, 0], made), rtol=1e-13)


@pytest.mark.parametrize(
    ("file", "stratum", "unit", "size", "expected"),
    [
        ("apistrat", "stype", "cds", {"E": 4421, "M": 1018, "H": 755}, (662.287363159321, 9.40894080278461)),
        ("apiclus1", None, "dnum", {"": 757}, (644.169398907104, 26.3293605895276)),
    ],
)
def test_california_schools(shared_data: Path, file, stratum, unit, size, expected) -> None:
    with (shared_data / "api" / f"{file}.csv").open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    strata, stratum_of = np.unique([row[stratum] if stratum else "" for row in rows], return_inverse=True)
    keys = np.array([f"{at}/{row[unit]}" for at, row in zip(stratum_of, rows, strict=True)])
    _, first, at = np.unique(keys, return_index=True, return_inverse=True)
    w = np.array([float(row["pw"]) for row in rows])
    sums = psu_sums(np.column_stack([w, w * np.array([float(row["api00"]) for row in rows])]), at)
    left = 1 - np.bincount(stratum_of[first]) / np.array([size[name] for name in strata.tolist()])
    made = jackknife(stratum_of[first], left=left)
    totals = made.totals(sums)
    se = np.sqrt(variance(totals[:, 1:] / totals[:, :1], [0], made))[0]
    assert (sums[:, 1].sum() / sums[:, 0].sum(), se) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("settings", "expected", "df"),
    [
        ({"strata": "stratum"}, (0.34681062694810416, 0.0097653839349396594, 1918.761851212043), 7),
        ({"strata": "stratum", "fpc": "N"}, (0.33389312449524866, 0.0093819089658465447, 1821.2903382629579), 7),
        ({}, (0.31908384385017369, 0.0098772641761135198, 1830.3932022928843), 10),
    ],
    ids=["JKn", "JKn fpc", "JK1"],
)
def test_a_design_uses_the_jackknife(settings: dict, expected: tuple[float, ...], df: int) -> None:
    people = {"w": WEIGHT, "psu": PSU, "stratum": STRATUM, "N": POPULATION[STRATUM], "y": Y, "x": X}
    design = survey(people, weight="w", psu="psu", **settings).jackknife()
    rows = [one.only() for one in (design.mean("y"), design.ratio("y", "x"), design.total("y"))]
    assert [row["se"] for row in rows] == pytest.approx(expected, **EXACT)
    assert design.df == df


def test_a_design_uses_given_replicates() -> None:
    people = {"w": BASE, "alive": ALIVE, "arrests": ARRESTS} | {f"r{at}": one for at, one in enumerate(FACTORS * BASE)}
    design = survey(people, weight="w").replicate_weights([f"r{at}" for at in range(8)], "bootstrap")
    row = design.ratio("alive", "arrests").only()
    assert (row["value"], row["se"]) == pytest.approx((0.14251178532575851, 0.0042983323403076694), **EXACT)
    assert design.df == 5


# ---- given: data(scd) of R survey, ambulances and survivals of cardiac arrest; weights 1 to 6

ARRESTS, ALIVE = np.array([120.0, 78, 185, 228, 670, 530]), np.array([25.0, 24, 30, 49, 80, 70])
BASE = np.arange(1.0, 7)
HALF = 2.0 * np.array([[1, 0, 1, 0, 1, 0], [1, 0, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0]])
A, B = np.meshgrid(np.arange(6), np.arange(8))
FACTORS = 0.5 + ((A * 5 + B * B * 3 + A * B) % 11) / 10
PAIRS = 1 + np.kron(np.eye(3), [[-1, 1], [1, -1]])


@pytest.mark.parametrize(
    ("made", "se", "scale", "df", "cov"),
    [
        (given("brr", HALF, BASE, combined=False), 0.0089002574282257378, 1 / 4, 3, (12165, 35270, 157645)),
        (
            given("fay", 0.7 * HALF + 0.3, BASE, combined=False, fay=0.3),
            0.0088719811313793494,
            1 / 4 / 0.49,
            3,
            (12164.999999999985, 35270.000000000029, 157645.00000000026),
        ),
        (
            given("bootstrap", FACTORS * BASE, BASE),
            0.0042983323403076694,
            1 / 7,
            5,
            (48420.735535714259, 357881.22464285698, 2692237.0992857139),
        ),
        (
            given("bootstrap", FACTORS * BASE, BASE, centre="estimate"),
            0.0043441120862154122,
            1 / 7,
            5,
            (56178.107142857116, 410799.89285714272, 3053233.7857142845),
        ),
        (
            given("sdr", FACTORS * BASE, BASE),
            0.0080414434759607575,
            1 / 2,
            5,
            (169472.57437499991, 1252584.2862499994, 9422829.8474999983),
        ),
        (
            given("jk1", (1 - np.eye(6)) * 6 / 5 * BASE, BASE),
            0.017637481446336509,
            5 / 6,
            5,
            (185005.8, 1546974.6, 13327580.2),
        ),
        (given("jkn", PAIRS, BASE, combined=False), 0.0088269059374901562, 1, 3, (12165, 35270, 157645)),
        (
            given("other", FACTORS, BASE, combined=False, scale=0.2, rscales=[1, 2, 1, 2, 1, 2, 1, 0]),
            0.0061071345071192556,
            0.2,
            5,
            (65014.284979591823, 489800.5960816326, 3776424.3576734695),
        ),
    ],
    ids=["brr", "fay", "bootstrap", "bootstrap mse", "sdr", "jk1", "jkn", "other"],
)
def test_given_replicates_are_those_of_r(made: Replicates, se, scale, df, cov) -> None:
    totals = made.totals(np.column_stack([ALIVE, ARRESTS]))
    full = np.array([BASE @ ALIVE, BASE @ ARRESTS])
    ratio = variance(totals[:, :1] / totals[:, 1:], full[:1] / full[1:], made)
    assert np.sqrt(ratio[0]) == pytest.approx(se, **EXACT)
    assert (made.scale, made.df) == (pytest.approx(scale), df)
    found = covariance(totals, full, made)
    assert (found[0, 0], found[1, 0], found[1, 1]) == pytest.approx(cov, **EXACT)


# ---- properties


@hypothesis_given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_jackknife_of_a_mean_is_the_textbooks(values: list[float]) -> None:
    made = jackknife(np.zeros(len(values), dtype=int))
    theta = made.totals(np.array(values)[:, None]) / len(values)
    assert variance(theta, [0], made)[0] == pytest.approx(np.var(values, ddof=1) / len(values), rel=1e-7, abs=1e-9)


def strata_of(rng: np.random.Generator) -> np.ndarray:
    return np.repeat(np.arange(4), rng.integers(2, 7, 4))


@hypothesis_given(st.integers(0, 2**32 - 1))
def test_jackknife_of_a_total_is_the_linearised_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strata = strata_of(rng)
    drawn = np.bincount(strata)
    population = drawn + rng.integers(1, 50, 4)
    values = rng.normal(size=(len(strata), 1))
    made = jackknife(strata, left=1 - drawn / population)
    found = variance(made.totals(values), values.sum(axis=0), made)[0]
    assert found == pytest.approx(linearised(values[:, 0], np.arange(len(strata)), strata, population), rel=1e-9)
    assert made.df == len(strata) - 4 == rank(made.factors) - 1


@hypothesis_given(st.integers(0, 2**32 - 1))
def test_rao_wu_factors(seed: int) -> None:
    strata = strata_of(np.random.default_rng(seed))
    drawn = np.bincount(strata)
    made = rao_wu(strata, 60, seed)
    assert made.factors is not None
    assert np.array_equal(made.factors, rao_wu(strata, 60, seed).factors)
    assert not np.array_equal(made.factors, rao_wu(strata, 60, seed + 1).factors)
    for stratum, n in enumerate(drawn.tolist()):
        part = made.factors[:, strata == stratum]
        np.testing.assert_allclose(part.sum(axis=1), n)
        times = part * (n - 1) / n
        np.testing.assert_allclose(times, times.round(), atol=1e-12)
    assert made.df == len(strata) - 4  # 60 replicates fill the space of factors
    assert made.scale == 1 / 59


@pytest.mark.parametrize("left", [None, 0.4])
def test_rao_wu_variance_of_a_total_is_near_the_linearised_one(left: float | None) -> None:
    strata = UNIT_STRATUM
    shares = None if left is None else np.full(4, left)
    made = rao_wu(strata, 4000, 7, left=shares)
    values = SUMS[:, 1:2]
    found = variance(made.totals(values), values.sum(axis=0), made)[0]
    population = None if left is None else DRAWN / (1 - left)
    assert found == pytest.approx(linearised(values[:, 0], np.arange(11), strata, population), rel=0.06)


def test_a_rank_is_found_in_few_columns_and_in_all() -> None:
    rng = np.random.default_rng(3)
    table = rng.uniform(0.5, 2, (5, 4000))
    assert rank(table) == 5
    table[4] = table[0] + table[1]
    assert rank(table) == 4
    rare = np.ones((3, 999))
    rare[1, 7] = 2.0
    rare[2, 500] = 2.0
    assert rank(rare) == np.linalg.matrix_rank(rare) == 3


def test_the_whole_population_has_no_sampling_error() -> None:
    made = jackknife([0, 0, 1, 1], left=[0, 0])
    assert (made.size, made.df) == (0, 0)
    assert variance(made.totals(np.ones((4, 2))), [4, 4], made).tolist() == [0, 0]


def test_a_statistic_without_value_in_a_replicate_has_no_variance() -> None:
    made = jackknife([0, 0, 0])
    theta = np.array([[1.0, 1.0], [2.0, np.nan], [4.0, 1.0]])
    found = variance(theta, [2, 1], made)
    assert found[0] > 0
    assert np.isnan(found[1])


# ---- what cannot be


@pytest.mark.parametrize("make", [lambda **k: jackknife([0, 0, 1], **k), lambda **k: rao_wu([0, 0, 1], 5, 1, **k)])
def test_a_stratum_of_one_psu_is_named(make) -> None:
    with pytest.raises(SafercitiesError, match="stratum Norte has a single PSU"):
        make(names=["Sur", "Norte"])
    assert make(left=[0.5, 0]).size > 0  # its only PSU is all of it: nothing is lost


def test_rules_for_lonely_psus() -> None:
    made = jackknife([0, 0, 1], lonely="certainty")
    assert made.dropped is not None
    assert made.dropped.tolist() == [0, 1]
    assert made.df == 1
    np.testing.assert_allclose(made.factors, [[0, 2, 1], [2, 0, 1]])
    with pytest.raises(UsageError, match="does not exist for the jackknife"):
        jackknife([0, 0, 1], lonely="adjust")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "fay"}, "need fay"),
        ({"kind": "fay", "fay": 1.0}, "fay = 1.0 does not fit"),
        ({"kind": "brr", "fay": 0.3}, "fay = 0.3 does not fit"),
        ({"kind": "other"}, "need scale"),
        ({"kind": "jkn", "combined": True}, "need rscales"),
        ({"kind": "sdr", "scale": 0.1}, "has its own scale"),
        ({"kind": "bootstrap", "scale": -1.0}, "above 0"),
        ({"kind": "bootstrap", "rscales": [1, 1]}, "give 4 numbers"),
        ({"kind": "bootstrap", "rscales": [1, 1, 1, -1]}, "not below 0"),
    ],
)
def test_settings_that_do_not_fit(settings: dict, said: str) -> None:
    kind = settings.pop("kind")
    combined = settings.pop("combined", False)
    with pytest.raises(UsageError, match=said):
        given(kind, HALF * BASE if combined else HALF, BASE, combined=combined, **settings)


def test_tables_that_cannot_be_replicate_weights() -> None:
    with pytest.raises(SafercitiesError, match="for 4 respondents, and 6"):
        given("brr", HALF.T, BASE, combined=False)
    with pytest.raises(SafercitiesError, match="from 1 replicates"):
        given("brr", HALF[:1], BASE, combined=False)
    with pytest.raises(UsageError, match="from 1 replicates"):
        rao_wu([0, 0], 1, 1)
    gap = HALF.copy()
    gap[2, 1] = np.nan
    with pytest.raises(SafercitiesError, match="replicate 3 has 1 weights"):
        given("brr", gap, BASE, combined=False)
    with pytest.raises(SafercitiesError, match="do not look like full weights: set combined = false"):
        given("brr", HALF, 100 * BASE)
    with pytest.raises(SafercitiesError, match="do not look like factors on the weights: set combined = true"):
        given("brr", HALF * 100 * BASE, 100 * BASE, combined=False)


def test_the_made_survey_sums_by_psu() -> None:
    assert SUMS[:, 0].sum() == WEIGHT.sum() == 2872
    assert len(SUMS) == UNIT.max() + 1 == 11
