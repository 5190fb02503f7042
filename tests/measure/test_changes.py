"""Changes between waves: equal to R survey where waves share their units, honest where they do not."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import mini_survey as made
import safercities as sc
from safercities.collect.margins_spec import MarginFrom
from safercities.indicators.catalogue import indicator
from safercities.indicators.spec import Indicator
from safercities.measure.changes import wave_contrasts
from safercities.measure.surveys import SurveySource, measure_surveys
from safercities.model.errors import UsageError

HERE = Path(__file__).parent
#: tests/measure/reference_changes.R, R 4.2.2, survey 4.1.1.
REFERENCE = list(csv.DictReader((HERE / "reference_changes.csv").read_text(encoding="utf-8").splitlines()))
EXACT = {"rel": 1e-10}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> SurveySource:
    return sc.open(made.build(tmp_path_factory.mktemp("city"))).survey_source("victims")


def said(kind: str, numerator: dict, denominator: object = "respondents", **more: object) -> Indicator:
    version = {"version": "1", "label": "x", "definition": "x", "source": "x", "population": "all"}
    version |= {"numerator": numerator, "denominator": denominator} | more
    return Indicator.model_validate({"code": f"a.{kind}", "kind": kind, "versions": [version]})


#: By the reference's name: the indicator, and what its unit multiplies R's numbers by.
WHAT = {
    "phys": (said("proportion", {"any": ["victim_physical_12m"]}), 100),
    "rob": (said("incidence", {"mean": "robberies_12m"}), 1000),
    "safe": (said("proportion", {"any": ["safe_walking_dark"]}), 100),
}


def column(source: SurveySource, name: str) -> np.ndarray:
    return np.array(source.table.column(name).to_pylist())


def changed(source: SurveySource, **columns: object) -> SurveySource:
    """The source with other columns, and its designs made anew."""
    table = source.table
    for name, values in columns.items():
        at = table.column_names.index(name) if name in table.column_names else None
        new = values if isinstance(values, pa.Array) else pa.array(list(values))
        table = table.append_column(name, new) if at is None else table.set_column(at, name, new)
    return replace(source, table=table)


def late(source: SurveySource) -> np.ndarray:
    return column(source, "period") == "2024"


def case_of(case: str, source: SurveySource) -> SurveySource:
    psu, stratum = column(source, "psu"), column(source, "stratum")
    new = np.array([f"{one}/new" for one in psu])
    if case == "panel fpc":
        return changed(source, fpc_1=np.where(stratum == "N", 12.0, 9.0))
    if case == "panel margins":
        margin = MarginFrom(by=["sex"], totals={"F": 2000, "M": 1900, "_U": 150})
        return replace(source, spec=source.spec.model_copy(update={"margins": [margin]}))
    if case == "new units":
        return changed(source, psu=np.where(late(source), new, psu))
    if case == "half":
        return changed(source, psu=np.where(late(source) & (stratum == "S"), new, psu))
    if case.startswith("lonely"):
        alone = psu == psu[np.argmax(made.answers()["psu"] == 3)]
        spec = source.spec.model_copy(update={"lonely": case.split()[1]})
        return replace(changed(source, stratum=np.where(alone, "L", stratum)), spec=spec)
    return source


@pytest.mark.parametrize("wanted", REFERENCE, ids=lambda row: f"{row['case']} {row['what']} {row['group']}")
def test_equal_to_r(wanted, source):
    one, per = WHAT[wanted["what"]]
    by = ["sex"] if wanted["group"] else []
    found = wave_contrasts(one, case_of(wanted["case"], source), by=by)
    (change,) = [each for each in found if each.one.get("sex", "") == wanted["group"]]
    assert change.one["period"] == "2024"
    assert change.other == {**change.one, "period": "2023"}
    assert change.value == pytest.approx(per * float(wanted["after"]), **EXACT)
    assert change.other_value == pytest.approx(per * float(wanted["before"]), **EXACT)
    assert change.difference == pytest.approx(per * float(wanted["difference"]), **EXACT)
    assert change.difference_se == pytest.approx(per * float(wanted["se"]), **EXACT)
    assert change.covariance == pytest.approx(per**2 * float(wanted["covariance"]), rel=1e-10, abs=1e-12)
    assert change.ratio_se == pytest.approx(float(wanted["ratio_se"]), **EXACT)
    if not wanted["case"].startswith("lonely"):
        assert change.df == float(wanted["df"])


def test_waves_of_other_units_are_independent(source):
    new = case_of("new units", source)
    (change,) = wave_contrasts(indicator("sdg.16.1.4"), new)
    rows = measure_surveys([indicator("sdg.16.1.4")], new, by=[]).where(unit="%").totals().rows()
    assert {row["period"] for row in rows} == {"2023", "2024"}
    assert change.covariance == 0
    assert change.difference_se == pytest.approx(math.sqrt(sum(row["se"] ** 2 for row in rows)), **EXACT)
    assert change.df == sum(row["df"] for row in rows)


@pytest.mark.parametrize("by", [[], ["sex"], ["sex", "age"], ["place"]])
def test_values_and_variances_are_those_of_the_estimates(source, by):
    one = indicator("sdg.16.1.3")
    rows = measure_surveys([one], source, by=[by]).where(unit="%").rows()
    known = {(row["period"], row["place"], row.get("sex", "_T"), row.get("age", "_T")): row for row in rows}
    found = wave_contrasts(one, source, by=by)
    assert (
        len(found) == {"": 1, "sex": 3, "sex age": 8, "place": 4}[" ".join(by)]
    )  # of one _U nobody answered in a wave
    for change in found:
        after, before = (
            known[side["period"], side.get("place_ward", "XA-MIN"), side.get("sex", "_T"), side.get("age", "_T")]
            for side in (change.one, change.other)
        )
        assert (change.value, change.other_value) == pytest.approx((after["value"], before["value"]), rel=1e-12)
        apart = after["se"] ** 2 + before["se"] ** 2 - 2 * change.covariance
        spread = min(after["se"], before["se"]) > 0  # else nothing is said of the difference
        assert change.difference_se == pytest.approx(math.sqrt(apart) if spread else math.nan, rel=1e-9, nan_ok=True)


def test_the_same_waves_in_any_order_of_waves_and_rows(source):
    one = indicator("sdg.16.1.3")
    usual = wave_contrasts(one, source, by=["sex"])
    assert wave_contrasts(one, source, ("2024", "2023"), ["sex"]) == usual
    other = replace(source, table=source.table.take(np.random.default_rng(5).permutation(320)))
    for a, b in zip(usual, wave_contrasts(one, other, by=["sex"]), strict=True):
        assert (a.one, a.df) == (b.one, b.df)
        assert a.difference_se == pytest.approx(b.difference_se, rel=1e-9)
        assert a.covariance == pytest.approx(b.covariance, rel=1e-9)


def test_other_names_of_the_units_in_both_waves_change_nothing(source):
    named = changed(source, psu=[f"block {one}" for one in column(source, "psu")])
    (one,), (other,) = (wave_contrasts(indicator("sdg.16.1.3"), each) for each in (source, named))
    assert one.covariance == pytest.approx(other.covariance, rel=1e-12)
    assert one.covariance != 0


def test_a_unit_of_another_stratum_is_another_unit(source):
    stratum = np.where(late(source), "new " + column(source, "stratum"), column(source, "stratum"))
    (change,) = wave_contrasts(indicator("sdg.16.1.3"), changed(source, stratum=stratum))
    assert change.covariance == 0


def test_the_same_answers_in_the_same_units_have_no_error(source):
    earlier = source.table.filter(pa.array(~late(source)))
    later = earlier.set_column(earlier.column_names.index("period"), "period", pa.array(["2024"] * 160))
    twice = replace(source, table=pa.concat_tables([earlier, later]))
    (change,) = wave_contrasts(indicator("sdg.16.1.3"), twice)
    (row,) = measure_surveys([indicator("sdg.16.1.3")], twice, by=[]).where(unit="%", period="2023").totals().rows()
    assert change.difference == 0
    assert change.covariance == pytest.approx(row["se"] ** 2, rel=1e-12)
    assert not change.clear


def test_respondents_that_are_units_of_their_own_add_no_covariance(source):
    alone = replace(source, table=source.table.drop_columns(["psu"]))
    (change,) = wave_contrasts(indicator("sdg.16.1.3"), alone)
    assert change.covariance == 0


def test_units_that_were_all_drawn_add_no_covariance(source):
    (change,) = wave_contrasts(indicator("sdg.16.1.3"), changed(source, fpc_1=np.full(320, 5.0), unit_2=NUMBERS))
    assert change.covariance == 0


def test_of_units_taken_for_certain_those_inside_are_compared(source):
    sure = column(source, "stratum") == "N"
    houses = np.array([f"{psu}/{number % 4}" for number, psu in enumerate(column(source, "psu"))])
    (with_houses,) = wave_contrasts(indicator("sdg.16.1.3"), changed(source, certain=sure * 1.0, unit_2=houses))
    (without,) = wave_contrasts(indicator("sdg.16.1.3"), changed(source, certain=sure * 1.0))
    # by hand: each certain PSU is a stratum, its houses (or respondents) are its units
    for change, inside in ((with_houses, houses), (without, np.char.add("person ", NUMBERS))):
        psu = np.where(sure, inside, column(source, "psu"))
        stratum = np.where(sure, column(source, "psu"), column(source, "stratum"))
        (same,) = wave_contrasts(indicator("sdg.16.1.3"), changed(source, psu=psu, stratum=stratum))
        assert change.covariance == pytest.approx(same.covariance, rel=1e-10)
        assert change.difference_se == pytest.approx(same.difference_se, rel=1e-10)
        assert change.df == same.df


NUMBERS = [str(number) for number in range(320)]


def test_waves_with_replicate_weights_count_as_independent(source):
    from safercities.collect.survey_spec import ReplicatesFrom

    rng = np.random.default_rng(2)
    weight = column(source, "weight")
    columns = {f"rep_{number}": weight * rng.choice([0.0, 2.0], 320) for number in range(12)}
    given = ReplicatesFrom(kind="bootstrap", prefix="rw")
    spec = source.spec.model_copy(update={"replicates": given})
    replicated = replace(changed(source, **columns), spec=spec)
    (change,) = wave_contrasts(indicator("sdg.16.1.3"), replicated)
    rows = measure_surveys([indicator("sdg.16.1.3")], replicated, by=[]).where(unit="%").totals().rows()
    assert change.covariance == 0
    assert change.difference_se == pytest.approx(math.sqrt(sum(row["se"] ** 2 for row in rows)), **EXACT)
    assert change.df == sum(row["df"] for row in rows)


# -- what cannot be compared -------------------------------------------------------------------------------------------


def two_versions(**later: object) -> Indicator:
    both = {"label": "x", "definition": "x", "source": "x", "population": "all", "denominator": "respondents"}
    old = both | {"version": "1", "numerator": {"any": ["victim_physical_12m"]}}
    new = old | {"version": "2", "valid_from": "2023-11-01"} | later
    return Indicator.model_validate({"code": "a.b", "kind": "proportion", "versions": [old, new]})


def test_a_new_name_is_no_new_definition(source):
    (change,) = wave_contrasts(two_versions(label="y", definition="z", source="another"), source)
    assert change.difference == pytest.approx(wave_contrasts(WHAT["phys"][0], source)[0].difference)
    assert len(wave_contrasts(indicator("sdg.11.7.2"), source)) == 1  # renamed in November 2023


@pytest.mark.parametrize(
    ("later", "differ"),
    [
        ({"numerator": {"any": ["victim_physical_12m", "victim_sexual_12m"]}}, "numerator"),
        ({"denominator": {"any": ["safe_walking_dark"]}}, "denominator"),
        ({"missing": "no"}, "missing"),
        ({"reference_period": "P5Y"}, "reference_period"),
    ],
)
def test_another_definition_is_refused(source, later, differ):
    with pytest.raises(UsageError, match=f"2023 and 2024: {differ} differ"):
        wave_contrasts(two_versions(**later), source)


def test_a_question_that_only_one_wave_put_to_all_is_refused(source):
    asked = ~late(source) | (np.arange(320) % 2 == 0)
    answer = np.where(asked, column(source, "answer_safe_walking_dark").astype(float), np.nan)
    some = changed(
        source,
        answer_safe_walking_dark=pa.array(answer, from_pandas=True),
        asked_safe_walking_dark=pa.array(asked * 1.0),
    )
    with pytest.raises(UsageError, match="in the other some of them"):
        wave_contrasts(WHAT["safe"][0], some)
    assert len(wave_contrasts(indicator("sdg.16.1.4"), some)) == 1  # over all respondents, asked or not


def test_a_wave_without_answers_is_refused(source):
    answer = np.where(late(source), np.nan, 1.0)
    silent = changed(source, answer_robberies_12m=pa.array(answer, from_pandas=True))
    with pytest.raises(UsageError, match="no group with answers"):
        wave_contrasts(WHAT["rob"][0], silent)


def test_waves_that_are_not_two_are_refused(source):
    one = indicator("sdg.16.1.4")
    with pytest.raises(UsageError, match="against itself"):
        wave_contrasts(one, source, ("2023", "2023"))
    with pytest.raises(UsageError, match="2023, 2024"):
        wave_contrasts(one, source, ("2022", "2023"))
    with pytest.raises(UsageError, match="has one wave, 2023"):
        wave_contrasts(one, replace(source, table=source.table.filter(pa.array(~late(source)))))
    with pytest.raises(UsageError, match="sex, age"):
        wave_contrasts(one, source, by=["income"])
    with pytest.raises(UsageError, match="bribe_paid_12m"):
        wave_contrasts(indicator("sdg.16.5.1"), source)


def test_a_group_that_one_wave_lacks_is_left_out(source):
    sex = np.where(late(source) & (column(source, "sex") == "M"), "X", column(source, "sex"))
    found = wave_contrasts(indicator("sdg.16.1.4"), changed(source, sex=sex), by=["sex"])
    assert {change.one["sex"] for change in found} == {"F", "_U"}


# -- an observatory ----------------------------------------------------------------------------------------------------


def test_an_observatory_compares_the_last_two_waves(tmp_path):
    observatory = sc.open(made.build(tmp_path))
    (change,) = observatory.changes("sdg.16.1.4")
    assert (change.one, change.other) == ({"period": "2024"}, {"period": "2023"})
    assert [change.one["sex"] for change in observatory.changes("sdg.16.1.4", "sex", waves=("2023", "2024"))] == [
        "F",
        "M",
        "_U",
    ]
    with pytest.raises(UsageError, match="not made of answers"):
        observatory.changes("recorded.robbery")


def test_a_survey_of_one_wave_says_that_it_has_one(tmp_path):
    toml = made.with_('period = { column = "year" }', "period = 2023")
    with pytest.raises(UsageError, match="victims has one wave"):
        sc.open(made.build(tmp_path, toml=toml)).changes("sdg.16.1.4")


def test_the_demo_city_covers_its_truth(tmp_path):
    from safercities.demo.city import build

    truth = build(tmp_path).survey
    observatory = sc.open(tmp_path)
    (change,) = observatory.changes("sdg.16.1.4")
    true = 100 * (truth.answered("safe_walking_dark", 2025) - truth.answered("safe_walking_dark", 2023))
    assert change.difference_lower < true < change.difference_upper
    assert change.covariance > 0  # the same blocks in both waves
    for each in observatory.changes("sdg.16.1.4", "sex"):
        sex = each.one["sex"]
        now, then = (truth.answered("safe_walking_dark", year, sex=sex) for year in (2025, 2023))
        assert each.difference_lower < 100 * (now - then) < each.difference_upper


# -- simulation --------------------------------------------------------------------------------------------------------

SIMULATED = 500
#: Strata, blocks a stratum and wave, respondents a block and wave.
STRATA, BLOCKS, PEOPLE = 5, 12, 10


def panel(source: SurveySource, seed: int, kept: int) -> SurveySource:
    """Two waves without change; each block has its own chance of yes, and `kept` blocks a stratum are in both."""
    rng = np.random.default_rng([seed, 77])
    level = np.linspace(0.3, 0.7, STRATA)[:, None]
    chance = np.clip(level + rng.choice([-0.25, 0.25], (STRATA, 2 * BLOCKS - kept)), 0, 1)
    waves = np.stack([np.arange(BLOCKS), np.arange(BLOCKS - kept, 2 * BLOCKS - kept)])
    wave, stratum, block, _ = (part.ravel() for part in np.indices((2, STRATA, BLOCKS, PEOPLE)))
    unit = waves[wave, block]
    answer = rng.random(len(wave)) < chance[stratum, unit]
    columns = {
        "period": np.where(wave == 0, "2023", "2024"),
        "weight": rng.uniform(50, 150, len(wave)),
        "stratum": np.char.add("s", stratum.astype(str)),
        "psu": np.char.add(np.char.add(stratum.astype(str), "-"), unit.astype(str)),
        "answer_safe_walking_dark": answer * 1.0,
    }
    return replace(source, table=pa.table(columns), dimensions={}, levels=())


@pytest.mark.parametrize("kept", [BLOCKS, BLOCKS // 2])
def test_without_a_change_one_in_twenty_looks_like_one(source, kept):
    one = WHAT["safe"][0]
    found = [wave_contrasts(one, panel(source, seed, kept))[0] for seed in range(SIMULATED)]
    true = np.std([change.difference for change in found])
    clear = np.mean([change.clear for change in found])
    said = np.sqrt(np.mean([change.difference_se**2 for change in found]))
    apart = np.sqrt(np.mean([change.difference_se**2 + 2 * change.covariance for change in found]))
    assert abs(clear - 0.05) < 3 * math.sqrt(0.05 * 0.95 / SIMULATED)
    assert said / true == pytest.approx(1, abs=0.1)
    assert apart / true > 1.2  # as two independent samples: so large an error hides changes
    alone = [math.sqrt(change.difference_se**2 + 2 * change.covariance) for change in found]
    missed = np.mean([abs(change.difference) > 1.98 * se for change, se in zip(found, alone, strict=True)])
    assert missed < 0.05 - 2 * math.sqrt(0.05 * 0.95 / SIMULATED)
