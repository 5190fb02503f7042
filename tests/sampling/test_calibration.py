"""Weights tied to population totals: equal to R survey, true to their totals, and clear where that cannot be."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_survey import PSU, STRATUM, UNIT, UNIT_STRATUM, WEIGHT, G, H, X, Y, linearised
from safercities.model.errors import SafercitiesError, UsageError
from safercities.sampling.adjust import raked
from safercities.sampling.calibration import Calibrated, calibrate, poststratify, rake, variables
from safercities.sampling.design import survey
from safercities.sampling.margins import margin, of_codes

# Expected numbers: tests/sampling/reference_weights.R, R 4.2.2, survey 4.1.1; api: apiclus1 of the same package.
EXACT = {"rel": 1e-10}
SEX = margin("h", [H], {0: 1400, 1: 1600})
AGE = margin("g", [G], {0: 1100, 1: 900, 2: 1000})
JOINT = {(0, 0): 500, (1, 0): 450, (2, 0): 450, (0, 1): 600, (1, 1): 450, (2, 1): 550}
BOTH = margin("g × h", [G, H], JOINT)


def mean_and_se(made: Calibrated, y: np.ndarray, unit: np.ndarray, stratum: np.ndarray, **more) -> tuple[float, float]:
    """Ratio mean and its standard error, from residuals."""
    w = made.weights
    mean = np.sum(w * y) / w.sum()
    return mean, np.sqrt(linearised(w * made.residuals((y - mean) / w.sum()), unit, stratum, **more))


def ours(made: Calibrated) -> tuple[float, float]:
    return mean_and_se(made, Y, UNIT, UNIT_STRATUM)


def total_and_se(made: Calibrated) -> tuple[float, float]:
    w = made.weights
    return np.sum(w * Y), np.sqrt(linearised(w * made.residuals(Y), UNIT, UNIT_STRATUM))


def test_poststratification_is_that_of_r() -> None:
    made = poststratify(WEIGHT, BOTH)
    assert ours(made) == pytest.approx((5.0318596453886082, 0.29347018672653286), **EXACT)
    assert total_and_se(made) == pytest.approx((15095.578936165826, 880.41056017959863), **EXACT)


def test_raking_by_rs_rule_is_that_of_r() -> None:
    made = rake(WEIGHT, [AGE, SEX], change=1, iterations=10, residuals="rounds")
    assert ours(made) == pytest.approx((5.0341014854116946, 0.28259888762624097), **EXACT)


def test_raking_to_the_end_with_rs_residuals() -> None:
    made = rake(WEIGHT, [AGE, SEX], residuals="rounds")
    assert ours(made) == pytest.approx((5.0341014853405266, 0.28259888715413445), **EXACT)
    assert total_and_se(made) == pytest.approx((15102.30445602158, 847.79666146240322), **EXACT)


def test_raking_residuals_are_those_of_calibration_by_ratios() -> None:
    x, totals, names = variables([AGE, SEX], {})
    by_newton = calibrate(WEIGHT, x, totals, names, distance="raking", tolerance=1e-13)
    raked = rake(WEIGHT, [AGE, SEX], tolerance=1e-13)
    np.testing.assert_allclose(raked.weights, by_newton.weights, rtol=1e-11)
    np.testing.assert_allclose(raked.residuals(Y), by_newton.residuals(Y), atol=1e-11)


def test_weighted_residuals_of_raking_are_those_of_rs_calibrate() -> None:
    assert ours(rake(WEIGHT, [AGE, SEX])) == pytest.approx((5.0341014853406056, 0.28907897814171268), **EXACT)


def linear(**more) -> Calibrated:
    x = np.column_stack([np.ones(len(G)), G == 1, G == 2, X])
    return calibrate(WEIGHT, x, [3000, 900, 1000, 114000], ["1", "g1", "g2", "x"], **more)


@pytest.mark.parametrize(
    ("settings", "expected", "span"),
    [
        ({}, (5.0509469143768699, 0.28980671393056884), None),
        ({"bounds": (0.78, 1.35)}, (5.0512493080353877, 0.29012091797505446), (0.78, 1.35)),
        (
            {"distance": "logit", "bounds": (0.7, 1.6)},
            (5.0520778973921825, 0.28991521660732972),
            (0.78804496525443191, 1.4040835196417709),
        ),
        (
            {"distance": "raking"},
            (5.0517681868170881, 0.2893388892968814),
            (0.7738718860486965, 1.4228825525111115),
        ),
    ],
    ids=["linear", "truncated", "logit", "ratios"],
)
def test_calibration_is_that_of_r(settings, expected, span) -> None:
    made = linear(**settings, tolerance=1e-13)
    assert ours(made) == pytest.approx(expected, **EXACT)
    if span:
        ratio = made.weights / WEIGHT
        assert (ratio.min(), ratio.max()) == pytest.approx(span, **EXACT)


def api(folder: Path) -> dict[str, np.ndarray]:
    with (folder / "api" / "apiclus1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {name: np.array([row[name] for row in rows]) for name in ("stype", "sch.wide", "dnum")}
    return found | {name: np.array([float(row[name]) for row in rows]) for name in ("api00", "api99", "pw")}


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("poststratified", (642.310788211582, 23.9204864450904)),
        ("raked", (641.230246862209, 23.7036412402377)),
        ("calibrated", (665.30907116578, 3.44175311640481)),
    ],
)
def test_california_schools(shared_data: Path, way: str, expected: tuple[float, float]) -> None:
    data = api(shared_data)
    kind = margin("stype", [data["stype"]], {"E": 4421, "H": 755, "M": 1018})
    wide = margin("sch.wide", [data["sch.wide"]], {"No": 1072, "Yes": 5122})
    if way == "poststratified":
        made = poststratify(data["pw"], kind)
    elif way == "raked":
        made = rake(data["pw"], [kind, wide], change=1, iterations=10, residuals="rounds")
    else:
        made = calibrate(data["pw"], *variables([kind], {"api99": (data["api99"], 3914069)}))
    unit = np.unique(data["dnum"], return_inverse=True)[1]
    stratum = np.zeros(unit.max() + 1, dtype=int)
    ours = mean_and_se(made, data["api00"], unit, stratum, population=np.array([757.0]))
    assert ours == pytest.approx(expected, rel=1e-12)


# ---- through a design


TOTALS = {"g": {0: 1100, 1: 900, 2: 1000}, "h": {0: 1400, 1: 1600}}


@pytest.mark.parametrize(
    ("tie", "expected"),
    [
        (lambda one: one.poststratify(["g", "h"], JOINT), (5.0318596453886082, 0.29347018672653286)),
        (lambda one: raked(one, TOTALS), (5.0341014853406056, 0.28907897814171268)),
        (
            lambda one: raked(one, TOTALS, change=1, iterations=10, residuals="rounds"),
            (5.0341014854116946, 0.28259888762624097),
        ),
        (lambda one: one.calibrate({"g": TOTALS["g"], "x": 114000}), (5.0509469143768699, 0.28980671393056884)),
        (lambda one: raked(one.jackknife(), TOTALS), (5.0341014853405266, 0.29551993549650324)),
    ],
    ids=["post-stratified", "raked", "raked as R", "calibrated", "jackknife, raked"],
)
def test_a_design_uses_them(tie, expected) -> None:
    people = {"w": WEIGHT, "psu": PSU, "stratum": STRATUM, "y": Y, "x": X, "g": G, "h": H}
    row = tie(survey(people, weight="w", strata="stratum", psu="psu")).mean("y").only()
    assert (row["value"], row["se"]) == pytest.approx(expected, **EXACT)


# ---- properties


surveys = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, list]:
    """Weights and two margins that can be reached: every combination occurs."""
    a = np.concatenate([np.repeat([0, 1, 2], 2), rng.integers(0, 3, 40)])
    b = np.concatenate([np.tile([0, 1], 3), rng.integers(0, 2, 40)])
    first = rng.uniform(50, 200, 3)
    second = rng.uniform(50, 200, 2)
    second *= first.sum() / second.sum()
    totals = [dict(enumerate(part.tolist())) for part in (first, second)]
    return rng.uniform(0.5, 5, len(a)), [margin("a", [a], totals[0]), margin("b", [b], totals[1])]


@given(surveys)
def test_raking_reaches_its_margins(rng) -> None:
    weights, margins = drawn(rng)
    made = rake(weights, margins)
    assert made.weights.min() > 0
    for one in margins:
        np.testing.assert_allclose(one.of(made.weights), one.totals, rtol=1e-10)


@given(surveys)
def test_calibrated_totals_are_the_populations_and_carry_no_error(rng) -> None:
    weights, margins = drawn(rng)
    age = rng.integers(15, 90, len(weights))
    x, totals, names = variables(margins, {"age": (age, float(40 * margins[0].sum))})
    made = calibrate(weights, x, totals, names)
    np.testing.assert_allclose(x.T @ made.weights, totals, rtol=1e-9)
    np.testing.assert_allclose(made.residuals(x), 0, atol=1e-9)


@given(surveys)
def test_weights_that_reach_the_totals_stay(rng) -> None:
    weights, margins = drawn(rng)
    once = rake(weights, margins)
    np.testing.assert_allclose(rake(once.weights, margins).weights, once.weights, rtol=1e-10)
    linear = calibrate(once.weights, *variables(margins, {}))
    np.testing.assert_allclose(linear.weights, once.weights, rtol=1e-9)
    by_one = poststratify(once.weights, margins[1])
    np.testing.assert_allclose(by_one.weights, once.weights, rtol=1e-9)


@given(surveys, st.floats(1e-3, 1e3))
def test_scale_of_weights_and_order_of_rows_do_not_matter(rng, scale) -> None:
    weights, margins = drawn(rng)
    order = rng.permutation(len(weights))
    shuffled = [of_codes(m.name, m.codes[order], [*range(len(m.totals))], dict(enumerate(m.totals))) for m in margins]
    for way in (rake, lambda w, m: calibrate(w, *variables(m, {})), lambda w, m: poststratify(w, m[0])):
        expected = way(weights, margins).weights
        # the linear distance too: all weights scaled alike are still a fit on margins that hold everybody
        np.testing.assert_allclose(way(scale * weights, margins).weights, expected, rtol=1e-7)
        np.testing.assert_allclose(way(weights[order], shuffled).weights, expected[order], rtol=1e-9)


@given(surveys)
def test_projection_in_full_and_by_unit_agree_with_its_residuals(rng) -> None:
    weights, margins = drawn(rng)
    z = rng.normal(size=(len(weights), 3))
    unit = rng.integers(0, 7, len(weights))
    for made in (
        poststratify(weights, margins[0]),
        rake(weights, margins),
        rake(weights, margins, residuals="rounds"),
        calibrate(weights, *variables(margins, {})),
    ):
        for one in made.projections[:2]:
            plain = z - one.x @ (one.gram_inverse @ (one.x.T @ (one.v[:, None] * z)))
            np.testing.assert_allclose(one.residuals(z), plain, atol=1e-10)
            np.testing.assert_allclose(one.residuals(z[:, 0]), plain[:, 0], atol=1e-10)
            np.testing.assert_allclose(one.residuals(one.residuals(z)), plain, atol=1e-9)
            sums = np.column_stack([np.bincount(unit, made.weights * column, 7) for column in plain.T])
            direct = np.column_stack([np.bincount(unit, made.weights * column, 7) for column in z.T])
            by_unit = direct - one.unit_totals(made.weights, unit, 7) @ one.coefficients(z)
            np.testing.assert_allclose(by_unit, sums, atol=1e-8)


@given(surveys)
def test_bounds_hold(rng) -> None:
    weights, margins = drawn(rng)
    x, _, names = variables(margins, {"age": (rng.integers(15, 90, len(weights)), 1.0)})
    totals = x.T @ (weights * rng.uniform(0.7, 1.4, len(weights)))  # so that there are weights within the bounds
    for distance in ("linear", "logit", "raking"):
        made = calibrate(weights, x, totals, names, distance=distance, bounds=(0.6, 1.6))
        ratio = made.weights / weights
        assert ratio.min() >= 0.6 - 1e-12
        assert ratio.max() <= 1.6 + 1e-12
        np.testing.assert_allclose(x.T @ made.weights, totals, rtol=1e-8)


def test_weighted_residuals_tell_the_error_of_raking_and_rs_may_not() -> None:
    """Strata drawn at unequal rates, and groups that differ otherwise among the large than among the small."""
    rng = np.random.default_rng(5)
    size = rng.lognormal(0, 0.8, 20_000)
    groups = [rng.integers(0, 3, len(size)), rng.integers(0, 2, len(size))]
    y = size * (1 + groups[0]) + 2 * groups[1] * (size > 1) + rng.normal(size=len(size))
    people = [dict(enumerate(np.bincount(one).tolist())) for one in groups]
    strata = np.searchsorted(np.quantile(size, [0.5, 0.8, 0.95]), size)
    inside, population = [np.flatnonzero(strata == k) for k in range(4)], np.bincount(strata)
    weights, stratum = np.repeat(population / 60, 60), np.repeat(range(4), 60)
    means, errors = [], {"weighted": [], "rounds": []}
    for _ in range(200):
        chosen = np.concatenate([rng.choice(one, 60, replace=False) for one in inside])
        pairs = zip("ab", groups, people, strict=True)
        margins = [of_codes(name, one[chosen], [*total], total) for name, one, total in pairs]
        for residuals, kept in errors.items():
            made = rake(weights, margins, residuals=residuals)
            mean, se = mean_and_se(made, y[chosen], np.arange(240), stratum, population=population)
            kept.append(se)
        means.append(mean)
    weighted, rounds = (np.sqrt(np.mean(np.square(kept))) / np.std(means) for kept in errors.values())
    assert 0.85 < weighted < 1.2
    assert rounds > 1.25


# ---- what cannot be


def fails(call) -> SafercitiesError:
    with pytest.raises(SafercitiesError) as caught:
        call()
    return caught.value


def test_all_that_is_wrong_with_a_margin_is_said_at_once() -> None:
    wrong = {"a": 0, "c": -1, "d": 5, "e": None, "f": float("nan"), "g": "many", "h": 0}
    error = fails(lambda: margin("sex", [["a", "a", "b"]], wrong))
    said = [(one.code, dict(one.details).get("category", dict(one.details).get("value"))) for one in error.problems]
    assert said == [
        ("calibration-total-zero", "a"),
        ("calibration-total", "c"),
        ("calibration-no-sample", "d"),
        ("calibration-total", "e"),
        ("calibration-total", "f"),
        ("calibration-total", "g"),
        ("calibration-no-total", "b"),
    ]
    assert "sex" in str(error)
    assert "cannot converge" in str(error.problems[0])


@pytest.mark.parametrize("gap", [[None, "F"], [float("nan"), 1.0]])
def test_a_missing_group_is_named(gap) -> None:
    error = fails(lambda: margin("sex", [gap], {"F": 1, 1.0: 1}))
    assert error.problems[0].code == "calibration-missing"
    assert error.problems[0].rows == 1


def test_a_group_that_neither_has_may_be_zero() -> None:
    made = poststratify(np.ones(2), margin("sex", [["F", "M"]], {"F": 3, "M": 4, "X": 0}))
    assert made.weights.tolist() == [3, 4]


def test_margins_of_different_populations_are_both_named() -> None:
    other = margin("g", [G], {0: 1100, 1: 900, 2: 1001})
    error = fails(lambda: rake(WEIGHT, [SEX, other]))
    assert error.problems[0].code == "calibration-sums"
    assert "g add up to 3001, those of h to 3000" in str(error)


def test_raking_that_cannot_converge_names_margin_and_group() -> None:
    # nobody is (0, 1) or (1, 0): both margins give the same two groups different sizes
    a = margin("sex", [[0, 1, 1]], {0: 60, 1: 40})
    b = margin("area", [["x", "y", "y"]], {"x": 50, "y": 50})
    error = fails(lambda: rake([1, 1, 1], [a, b], iterations=50))
    assert error.problems[0].code == "calibration-not-converged"
    assert "after 50 rounds 1 stands at 50 instead of 40" in error.problems[0].what
    assert "sex" in error.problems[0].what


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_not_above_zero_are_refused(weight: float) -> None:
    bad = WEIGHT.copy()
    bad[3] = weight
    for call in (
        lambda: poststratify(bad, SEX),
        lambda: rake(bad, [SEX, AGE]),
        lambda: calibrate(bad, [[1]] * 120, [3], ["1"]),
    ):
        error = fails(call)
        assert error.problems[0].code == "calibration-weight"
        assert error.problems[0].rows == 1


def test_totals_that_contradict_each_other_are_named() -> None:
    x = np.column_stack([np.ones(4), [1, 1, 0, 0], [0, 0, 1, 1]])
    assert calibrate(np.ones(4), x, [10, 4, 6], ["all", "F", "M"]).weights.tolist() == pytest.approx([2, 2, 3, 3])
    error = fails(lambda: calibrate(np.ones(4), x, [10, 4, 9], ["all", "F", "M"]))
    assert error.problems[0].code == "calibration-contradiction"


def test_a_variable_that_is_always_zero_cannot_reach_a_total() -> None:
    x = np.column_stack([np.ones(3), np.zeros(3)])
    assert calibrate(np.ones(3), x, [6, 0], ["all", "none"]).weights.tolist() == pytest.approx([2, 2, 2])
    error = fails(lambda: calibrate(np.ones(3), x, [6, 1], ["all", "none"]))
    assert "none" in error.problems[0].what


def test_missing_values_and_totals_are_named() -> None:
    error = fails(lambda: calibrate(np.ones(2), [[1, np.nan], [1, 2]], [2, 3], ["1", "age"]))
    assert (error.problems[0].code, error.problems[0].rows) == ("calibration-missing", 1)
    error = fails(lambda: calibrate(np.ones(2), [[1.0], [1.0]], [np.nan], ["all"]))
    assert error.problems[0].code == "calibration-total-number"


def test_negative_weights_are_said() -> None:
    x = [[1, 0], [1, 1], [1, 2], [1, 10]]
    made = calibrate(np.ones(4), x, [4, 40], ["1", "x"])
    assert made.weights.min() < 0
    assert [one.code for one in made.problems] == ["calibration-negative"]
    assert not calibrate(np.ones(4), x, [4, 13.5], ["1", "x"]).problems


def test_bounds_that_cannot_hold() -> None:
    error = fails(lambda: linear(bounds=(0.9, 1.1)))
    assert error.problems[0].code == "calibration-bounds-tight"
    for bounds in [(1.1, 1.5), (0.2, 0.9), (1.5, 0.5)]:
        with pytest.raises(UsageError, match="cannot be kept between"):
            linear(bounds=bounds)
    with pytest.raises(UsageError):
        linear(distance="logit")


def test_strata_of_the_made_survey_hold_their_psus() -> None:
    assert np.array_equal(UNIT_STRATUM[UNIT], STRATUM)
