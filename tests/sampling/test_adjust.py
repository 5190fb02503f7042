"""Designs made from designs: tied weights reach their totals in every replicate, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from safercities.model.errors import SafercitiesError
from safercities.sampling import sums
from safercities.sampling.design import Design, survey
from small_survey import AGES, SEXES, columns, replicate_factors

PLAIN = {"weight": "w", "strata": "stratum", "psu": "psu"}
BOTH = {(sex, age): 700 + 10 * age + (sex == "F") for sex in "FM" for age in range(4)}


def plain(**more) -> Design:
    return survey(columns() | more, **PLAIN)


def sums_by(design: Design, name: str) -> dict[str, float]:
    """Σ w by group."""
    table = design.total("one", [name]).rows()
    return {row[name]: row["value"] for row in table}


def text(totals: dict) -> dict[str, float]:
    return {str(code): float(people) for code, people in totals.items()}


def with_one() -> Design:
    return plain(one=np.ones(240))


def test_post_stratified_weights_reach_their_totals():
    made = with_one().poststratify(["age"], AGES)
    assert sums_by(made, "age") == pytest.approx(text(AGES), rel=1e-12)


def test_totals_of_several_dimensions_are_keyed_by_tuples():
    rows = with_one().poststratify(["sex", "age"], BOTH).total("one", ["sex", "age"]).rows()
    assert {(row["sex"], int(row["age"])): row["value"] for row in rows} == pytest.approx(BOTH, rel=1e-12)


@pytest.mark.parametrize("code", [str, float, int], ids=["text", "decimals", "whole"])
def test_codes_of_totals_may_be_text_or_numbers(code):
    made = plain().poststratify("age", {code(age): people for age, people in AGES.items()})
    assert made.weights.tolist() == plain().poststratify(["age"], AGES).weights.tolist()


def test_raked_weights_reach_both_margins():
    made = with_one().rake({"age": AGES, "sex": SEXES})
    assert sums_by(made, "age") == pytest.approx(text(AGES), rel=1e-10)
    assert sums_by(made, "sex") == pytest.approx(text(SEXES), rel=1e-10)


def test_a_margin_of_raking_may_be_of_two_dimensions():
    made = with_one().rake({("sex", "age"): BOTH, "region": {0: 2000, 1: 1900, 2: sum(BOTH.values()) - 3900}})
    assert sums_by(made, "region")["0"] == pytest.approx(2000, rel=1e-10)


def test_calibrated_weights_reach_groups_and_numbers():
    made = with_one().calibrate({"age": AGES, "den": 224_000})
    assert sums_by(made, "age") == pytest.approx(text(AGES), rel=1e-10)
    assert made.total("den").only()["value"] == pytest.approx(224_000, rel=1e-10)


def test_what_the_weights_are_tied_to_is_known():
    """The share of a group that is tied to its total has no error; without the tie it has."""
    old = plain(old=(columns()["age"] == 3).astype(int))
    assert old.total("old").only()["se"] > 50
    assert old.poststratify(["age"], AGES).total("old").only()["se"] == 0


def test_tying_leaves_the_first_design_alone():
    design = plain()
    before = design.weights.copy()
    design.poststratify(["age"], AGES)
    design.jackknife()
    assert design.weights.tolist() == before.tolist()
    assert design.sample.projections == ()
    assert design.sample.replicates is None


def test_tying_twice_takes_off_both_regressions():
    """The second tie to the same totals changes nothing, in weights or errors."""
    once = plain().poststratify(["age"], AGES)
    twice = once.poststratify(["age"], AGES)
    for one, other in zip(once.mean("z", ["sex"]).rows(), twice.mean("z", ["sex"]).rows(), strict=True):
        assert (one["value"], one["se"]) == pytest.approx((other["value"], other["se"]), rel=1e-10)


def test_every_replicate_is_tied():
    made = with_one().jackknife().poststratify(["age"], AGES)
    ages = made.respondents.axis("age").codes
    weights = made.sample.replicates.weights
    assert len(weights) == 27
    for one in weights:
        assert np.bincount(ages, one) == pytest.approx(list(AGES.values()), rel=1e-12)


def test_replicates_without_a_psu_keep_its_weight_at_0():
    made = plain().jackknife().poststratify(["age"], AGES)
    psu = made.respondents.numbers("psu")
    left_out = [set(psu[one == 0].tolist()) for one in made.sample.replicates.weights]
    assert sorted(one for each in left_out for one in each) == sorted(set(psu.tolist()))
    assert all(len(each) == 1 for each in left_out)


def test_a_replicate_that_loses_a_group_is_refused():
    only = np.where(columns()["psu"] == 5, "here", "elsewhere")
    with pytest.raises(SafercitiesError) as raised:
        plain(where=only).jackknife().poststratify(["where"], {"here": 100, "elsewhere": 5000})
    (found,) = raised.value.problems
    assert found.code == "survey-replicate-group"
    assert dict(found.details) == {"margin": "where", "category": "here"}


def test_too_many_weights_to_tie_one_by_one(monkeypatch):
    monkeypatch.setattr("safercities.sampling.adjust.MOST_WEIGHTS", 1000)
    with pytest.raises(SafercitiesError, match="27 replicates of 240 respondents"):
        plain().jackknife().poststratify(["age"], AGES)


def test_the_bootstrap_is_near_the_linearised_error_and_repeats_itself():
    design = plain()
    wanted = design.mean("z", ["sex"]).table.column("se").to_pylist()
    made = design.bootstrap(2000, seed=7).mean("z", ["sex"]).table
    assert made.column("se").to_pylist() == pytest.approx(wanted, rel=0.15)
    assert design.bootstrap(2000, seed=7).mean("z", ["sex"]).table == made
    assert design.bootstrap(2000, seed=8).mean("z", ["sex"]).table != made


def test_replicates_say_how_they_were_made():
    row = plain().jackknife().mean("z").only()
    assert row["method"] == "mean, jkn replicates, Student interval"
    assert row["df"] == 21


@pytest.mark.parametrize("form", [sums.Dense, sums.Sparse])
def test_a_group_that_a_replicate_loses_has_no_error(form, monkeypatch):
    monkeypatch.setattr(
        "safercities.sampling.drawn.make_cells", lambda units, unit, axes: form(units, unit, tuple(axes))
    )
    only = np.where(columns()["psu"] == 5, "here", "elsewhere")
    row = plain(where=only).jackknife().mean("z", ["where"]).where(where="here").only()
    assert row["value"] is not None
    assert (row["se"], row["lower"], row["upper"]) == (None, None, None)
    assert "single_psu" in row["quality"].split()


def test_factors_and_full_weights_are_the_same_replicates():
    boot, _ = replicate_factors()
    names = [f"rw{number}" for number in range(len(boot))]
    table = columns()
    full = survey(table | dict(zip(names, boot * table["w"], strict=True)), **PLAIN).replicate_weights(
        names, "bootstrap"
    )
    factors = survey(table | dict(zip(names, boot, strict=True)), **PLAIN)
    factors = factors.replicate_weights(names, "bootstrap", combined=False)
    for one, other in zip(full.mean("z", "age").rows(), factors.mean("z", "age").rows(), strict=True):
        assert one["se"] == pytest.approx(other["se"], rel=1e-12)


def test_lonely_rules_of_the_jackknife():
    lone = PLAIN | {"strata": "lone"}
    kept = survey(columns(), **lone, lonely="certainty").jackknife()
    assert kept.sample.replicates.size == 27 - 2
    with pytest.raises(SafercitiesError) as raised:
        survey(columns(), **lone, lonely="adjust").jackknife()
    assert raised.value.problems[0].code == "replicates-lonely"
