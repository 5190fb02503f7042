"""Estimates of one source of respondents: kinds of numbers, missing answers, waves, and what cannot be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import mini_survey as made
import safercities as sc
from safercities.indicators.catalogue import indicator
from safercities.indicators.spec import Indicator
from safercities.measure.surveys import SurveySource, measure_surveys, survey_contrasts
from safercities.model.errors import UsageError


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> SurveySource:
    return sc.open(made.build(tmp_path_factory.mktemp("city"))).survey_source("victims")


def changed(source: SurveySource, **columns: np.ndarray) -> SurveySource:
    """The source with other columns; NaN is null."""
    table = source.table
    for name, values in columns.items():
        column = pa.array(values, mask=np.isnan(values)) if values.dtype.kind == "f" else pa.array(values)
        at = table.column_names.index(name) if name in table.column_names else None
        table = table.append_column(name, column) if at is None else table.set_column(at, name, column)
    return replace(source, table=table)


def column(source: SurveySource, name: str) -> np.ndarray:
    return source.table.column(name).to_numpy().copy()


def total(estimates, code: str, unit: str = "%", period: str = "2023") -> dict:
    return estimates.where(indicator=code, unit=unit, period=period, place="XA-MIN").totals().only()


def said(kind: str, numerator: dict, denominator: object = "respondents", **more: object) -> Indicator:
    version = {"version": "1", "label": "x", "definition": "x", "source": "x", "population": "all"}
    version |= {"numerator": numerator, "denominator": denominator} | more
    return Indicator.model_validate({"code": f"a.{kind}", "kind": kind, "versions": [version]})


def weighted(source: SurveySource, values: np.ndarray, among: np.ndarray) -> float:
    """A weighted mean of the first wave, made by hand."""
    mine = among & (column(source, "period") == "2023")
    return float(np.average(values[mine], weights=column(source, "weight")[mine]))


def test_none_of_some_roles(source):
    one = said("proportion", {"none": ["victim_physical_12m", "victim_sexual_12m"]})
    row = total(measure_surveys([one], source, by=[]), "a.proportion")
    physical, sexual = (column(source, f"answer_victim_{name}_12m") for name in ("physical", "sexual"))
    known = (physical == 1) | (sexual == 1) | ~np.isnan(physical)
    neither = np.where((physical == 1) | (sexual == 1), 0.0, 1.0)
    assert row["value"] == pytest.approx(100 * weighted(source, neither, known))
    assert row["n"] == (known & (column(source, "period") == "2023")).sum()


def test_all_of_some_roles_is_no_where_one_is_no(source):
    one = said("proportion", {"all": ["victim_physical_12m", "victim_sexual_12m"]})
    row = total(measure_surveys([one], source, by=[]), "a.proportion")
    physical, sexual = (column(source, f"answer_victim_{name}_12m") for name in ("physical", "sexual"))
    known = (sexual == 0) | ~np.isnan(physical)
    assert row["value"] == pytest.approx(100 * weighted(source, ((physical == 1) & (sexual == 1)) * 1.0, known))


def test_a_mean_among_some(source):
    one = said("mean", {"mean": "robberies_12m"}, {"all": ["victim_physical_12m", "safe_walking_dark"]})
    found = measure_surveys([one], source, by=[])
    both = (column(source, "answer_victim_physical_12m") == 1) & (column(source, "answer_safe_walking_dark") == 1)
    assert total(found, "a.mean", "mean")["value"] == pytest.approx(
        weighted(source, column(source, "answer_robberies_12m"), both)
    )
    assert {row["unit"] for row in found.rows()} == {"mean"}


def test_a_ratio_of_two_numbers(source):
    one = said("ratio", {"mean": "robberies_12m"}, {"mean": "robberies_12m"}, per=100)
    row = total(measure_surveys([one], source, by=[]), "a.ratio", "per 100")
    assert (row["value"], row["se"]) == (pytest.approx(100), 0)


def test_questions_that_some_were_not_asked_are_left_out_of_all_and_any(source):
    asked = column(source, "answer_safe_walking_dark") == 1
    answer = np.where(asked, column(source, "answer_victim_sexual_12m"), np.nan)
    some = changed(source, answer_victim_sexual_12m=answer, asked_victim_sexual_12m=asked)
    physical = column(source, "answer_victim_physical_12m")
    for how, together in (
        ("any", (physical == 1) | (answer == 1)),
        ("all", (physical == 1) & (answer == 1)),
    ):
        one = said("proportion", {how: ["victim_physical_12m", "victim_sexual_12m"]})
        row = total(measure_surveys([one], some, by=[]), "a.proportion")
        settled = (physical == 1) | (answer == 1) if how == "any" else (physical == 0) | (answer == 0)
        known = settled | (~np.isnan(physical) & (asked if how == "all" else True))
        assert row["value"] == pytest.approx(100 * weighted(source, together * 1.0, known)), how


def test_a_wave_that_was_not_asked_has_no_value_and_says_so(source):
    answer = np.where(column(source, "period") == "2023", np.nan, column(source, "answer_victim_sexual_12m"))
    found = measure_surveys([indicator("sdg.16.1.3.sexual")], changed(source, answer_victim_sexual_12m=answer), by=[])
    row = total(found, "sdg.16.1.3.sexual")
    assert (row["value"], row["n"], row["obs_status"]) == (None, 0, "M")
    assert total(found, "sdg.16.1.3.sexual", period="2024")["n"] == 160


def test_where_nobody_says_yes_the_upper_limit_is_above_0(source):
    none = changed(source, answer_victim_sexual_12m=np.zeros(320))
    found = measure_surveys([indicator("sdg.16.1.3.sexual")], none, by=[["sex"]])
    for row in found.rows():
        assert row["value"] == row["lower"] == 0
        assert row["upper"] > 0
        assert "zero_or_full" in row["quality"]


def test_the_design_of_a_wave_is_made_once(source):
    assert source.wave("2023").design is source.wave("2023").design
    assert source.wave("2023").design is not source.wave("2024").design


def test_numbers_do_not_depend_on_the_order_of_the_rows(source):
    codes = [indicator(code) for code in ("sdg.16.1.3", "sdg.16.3.1.physical", "surveyed.robbery.incidents")]
    other = replace(source, table=source.table.take(np.random.default_rng(3).permutation(320)))
    one, two = (measure_surveys(codes, each, by=[["sex"], ["place"]]) for each in (source, other))
    for ours, theirs in zip(one.rows(), two.rows(), strict=True):
        for name in MEASURED:
            assert (ours[name] is None) == (theirs[name] is None)
            assert ours[name] is None or ours[name] == pytest.approx(theirs[name], rel=1e-9)
        assert {**ours, **dict.fromkeys(MEASURED)} == {**theirs, **dict.fromkeys(MEASURED)}


MEASURED = ("value", "se", "lower", "upper", "denominator", "deff")


def test_what_a_survey_cannot_answer_is_refused(source):
    for code, match in (("recorded.robbery", "not made of answers"), ("sdg.16.5.1", "bribe_paid_12m")):
        with pytest.raises(UsageError, match=match):
            survey_contrasts(indicator(code), source, ["sex"])
    with pytest.raises(UsageError, match="sex, age"):
        measure_surveys([indicator("sdg.16.1.4")], source, by=[["income"]])
    with pytest.raises(UsageError, match="2023, 2024"):
        source.wave("2022")


def test_a_definition_that_needs_what_nobody_asked_is_said_for_its_waves(source):
    both = {"label": "x", "definition": "x", "source": "x", "population": "all", "denominator": "respondents"}
    old = both | {"version": "1", "numerator": {"any": ["victim_physical_12m"]}}
    new = both | {"version": "2", "numerator": {"any": ["discriminated_12m"]}, "valid_from": "2023-11-01"}
    one = Indicator.model_validate({"code": "a.b", "kind": "proportion", "versions": [old, new]})
    (problem,) = [p for p in source.problems([one]) if p.code == "survey-wave-definition"]
    assert "discriminated_12m" in problem.what
    assert "2024" in problem.what
    found = measure_surveys([one], source, by=[])
    assert {(row["period"], row["version"]) for row in found.rows()} == {("2023", "1")}


@pytest.mark.parametrize(("period", "version"), [("2023-10/2023-12", "2018-1"), ("2023-11/2023-12", "2023-1")])
def test_the_first_day_of_the_interviews_decides_the_definition(source, period, version):
    one = changed(source, period=np.array([period] * 320))
    found = measure_surveys([indicator("sdg.11.7.2")], one, by=[])
    assert {(row["period"], row["version"]) for row in found.rows()} == {(period, version)}
