"""Differences and ratios of groups: equal to R survey, and silent where a sample shows no spread."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from safercities.model.errors import UsageError
from safercities.sampling import sums
from safercities.sampling.design import Design, survey
from small_survey import AGES, SEXES, columns, expected

# Expected numbers: tests/sampling/reference.R, R 4.2.2, survey 4.1.1.
EXACT = {"rel": 1e-10}
PLAIN = {"weight": "w", "strata": "stratum", "psu": "psu"}


def design_of(case: str) -> Design:
    plain = survey(columns(), **PLAIN)
    made = {
        "strata, clusters": lambda: plain,
        "poststratified": lambda: plain.poststratify(["age"], AGES),
        "raked": lambda: plain.rake({"age": AGES, "sex": SEXES}),
        "jkn": plain.jackknife,
        "two stages, adjust": lambda: survey(columns(), **PLAIN, stages=["home"], fpc=["N1", "N2"], lonely="adjust"),
        "lonely adjust": lambda: survey(columns(), **PLAIN | {"strata": "lone"}, lonely="adjust"),
    }
    return made[case]()


@pytest.mark.parametrize("form", [sums.Dense, sums.Sparse])
@pytest.mark.parametrize(
    "wanted", expected("reference_contrasts.csv"), ids=lambda row: f"{row['case']} {row['what']} {row['one']}"
)
def test_equal_to_r(wanted, form, monkeypatch):
    monkeypatch.setattr(
        "safercities.sampling.drawn.make_cells", lambda units, unit, axes: form(units, unit, tuple(axes))
    )
    kind, outcome = wanted["what"].split()
    (made,) = [
        one
        for one in design_of(wanted["case"]).contrast(outcome, "age", against="0", kind=kind)
        if one.one == {"age": wanted["one"]}
    ]
    assert made.other == {"age": "0"}
    assert made.difference == pytest.approx(float(wanted["difference"]), **EXACT)
    assert made.difference_se == pytest.approx(float(wanted["se"]), **EXACT)
    assert made.ratio == pytest.approx(float(wanted["ratio"]), **EXACT)
    assert made.ratio_se == pytest.approx(float(wanted["ratio_se"]), **EXACT)
    assert made.covariance == pytest.approx(float(wanted["covariance"]), **EXACT)


def test_limits_and_p_value_come_from_student():
    made = survey(columns(), **PLAIN).contrast("z", "age", against="0", kind="mean", level=0.9)[0]
    t = special.stdtrit(made.df, 0.95)
    assert made.difference_lower == pytest.approx(made.difference - t * made.difference_se)
    assert made.difference_upper == pytest.approx(made.difference + t * made.difference_se)
    half = t * made.ratio_se / made.ratio
    assert made.ratio_lower == pytest.approx(made.ratio * math.exp(-half))
    assert made.ratio_upper == pytest.approx(made.ratio * math.exp(half))
    assert made.p_value == pytest.approx(2 * special.stdtr(made.df, -abs(made.difference) / made.difference_se))
    assert made.level == 0.9


def test_degrees_of_freedom_are_those_of_both_groups():
    table = columns()
    made = {one.one["age"]: one for one in survey(table, **PLAIN).contrast("v", "age", against="0")}
    for age, one in made.items():
        either = np.isin(table["age"], (0, int(age)))
        psus, strata = (len(np.unique(table[name][either])) for name in ("psu", "stratum"))
        assert one.df == psus - strata


def test_every_pair_once():
    made = survey(columns(), **PLAIN).contrast(["v", "u"], "age")
    assert len(made) == 2 * 6
    assert len({(one.outcome, one.one["age"], one.other["age"]) for one in made}) == 12


def test_the_other_way_round():
    design = survey(columns(), **PLAIN)
    (one,), (other,) = (design.contrast("v", "sex", against=base) for base in ("M", "F"))
    assert one.difference == pytest.approx(-other.difference, rel=1e-12)
    assert one.difference_se == pytest.approx(other.difference_se, rel=1e-12)
    assert one.ratio == pytest.approx(1 / other.ratio, rel=1e-12)
    assert one.ratio_lower == pytest.approx(1 / other.ratio_upper, rel=1e-12)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-12)


def test_groups_of_several_dimensions():
    made = survey(columns(), **PLAIN).contrast("v", ["sex", "age"], against=["F", "2"])
    assert len(made) == 7
    assert all(one.other == {"sex": "F", "age": "2"} for one in made)


def test_years_of_one_panel_of_psus_are_not_independent():
    table = columns()
    halves = {name: np.concatenate([values, values]) for name, values in table.items()}
    halves["year"] = np.repeat(["2022", "2023"], 240)
    halves["z"] = np.concatenate([table["z"], table["z"] + 1])
    (made,) = survey(halves, **PLAIN).contrast("z", "year", against="2022", kind="mean")
    assert made.difference == pytest.approx(1)
    assert math.isnan(made.difference_se) or made.difference_se < 1e-6  # the same people, one point more each
    assert made.covariance > 0


@pytest.mark.parametrize("kind", ["mean", "proportion", "total", "ratio"])
def test_a_difference_of_ratios_totals_and_means_has_the_variance_of_its_parts(kind):
    design = survey(columns(), **PLAIN)
    more = {"denominator": "den"} if kind == "ratio" else {}
    (made,) = design.contrast("v", "sex", kind=kind, **more)
    rows = (design.ratio("v", "den", "sex") if kind == "ratio" else getattr(design, kind)("v", "sex")).rows()
    variance = sum(row["se"] ** 2 for row in rows) - 2 * made.covariance
    assert made.difference_se == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert (made.value, made.other_value) == pytest.approx((rows[0]["value"], rows[1]["value"]), rel=1e-12)


@pytest.mark.parametrize("constant", [(0.1, 0.3), (0.0, 0.0), (1.0, 1.0), (1e9 / 3, 7.1)])
def test_without_spread_in_either_group_nothing_is_said(constant):
    table = columns()
    table["flat"] = np.where(table["sex"] == "F", *constant)
    (made,) = survey(table, **PLAIN).contrast("flat", "sex", kind="mean")
    assert made.difference == pytest.approx(constant[0] - constant[1])
    for name in ("difference_se", "difference_lower", "difference_upper", "p_value", "ratio_lower", "ratio_upper"):
        assert math.isnan(getattr(made, name)), name
    assert not made.clear


def test_without_a_case_in_one_group_its_own_uncertainty_counts():
    """Nobody in one group: the limits of the difference hold those of a group of that size, not only the other's."""
    table = columns()
    table["rare"] = np.where(table["sex"] == "F", 0, table["v"])
    design = survey(table, **PLAIN)
    (made,) = design.contrast("rare", "sex", against="M")
    nobody, some = design.proportion("rare", "sex", interval="wilson").rows()
    assert (made.value, nobody["value"]) == (0, 0)
    assert math.isnan(made.difference_se)
    assert math.isnan(made.ratio_lower)
    below, above = made.difference - made.difference_lower, made.difference_upper - made.difference
    assert below == pytest.approx(some["upper"] - some["value"], rel=1e-6)
    assert above == pytest.approx(math.hypot(nobody["upper"], some["value"] - some["lower"]), rel=1e-6)


def test_of_one_group_there_is_no_contrast():
    table = columns()
    table["same"] = np.full(240, "x")
    assert survey(table, **PLAIN).contrast("v", "same") == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"against": "9"}, "survey-domain"),
        ({"against": ["0", "F"]}, "survey-domain"),
        ({"level": 95}, "survey-choice"),
        ({"kind": "median"}, "survey-choice"),
        ({"kind": "ratio"}, "survey-denominator"),
        ({"denominator": "den"}, "survey-denominator"),
    ],
)
def test_what_cannot_be_compared(asked, code):
    with pytest.raises(UsageError) as raised:
        survey(columns(), **PLAIN).contrast("v", "age", **asked)
    assert raised.value.problems[0].code == code
