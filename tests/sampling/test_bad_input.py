"""Designs that cannot be right are refused, and the message says where: file, column, row, stratum, value."""

from __future__ import annotations

import numpy as np
import pytest

from safercities.model.errors import SafercitiesError, UsageError
from safercities.sampling.design import survey
from small_survey import AGES, SEXES, columns

PLAIN = {"weight": "w", "strata": "stratum", "psu": "psu"}


def changed(**new) -> dict:
    return columns() | new


def with_value(name: str, row: int, value) -> dict:
    """The survey with one cell changed; `row` counted from 1."""
    table = columns()
    table[name] = table[name].tolist()
    table[name][row - 1] = value
    return table


def refused(call, code: str, kind: type[SafercitiesError] = SafercitiesError):
    with pytest.raises(SafercitiesError) as raised:
        call()
    assert type(raised.value) is kind
    found = raised.value.problems[0]
    assert found.code == code, str(found)
    return found


# ---- weights


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1.0, "survey-weight-negative"),
        (float("inf"), "survey-weight-negative"),
        (None, "survey-weight-missing"),
        (float("nan"), "survey-weight-missing"),
    ],
)
def test_weights(value, code):
    found = refused(lambda: survey(with_value("w", 18, value), **PLAIN), code)
    assert (found.column, found.row) == ("w", 18)


def test_weights_as_text():
    found = refused(lambda: survey(changed(w=["12,5"] * 240), **PLAIN), "survey-weight-text")
    assert found.column == "w"


def test_all_weights_0():
    refused(lambda: survey(changed(w=[0.0] * 240), **PLAIN), "survey-empty")


# ---- strata, sampling units


@pytest.mark.parametrize(("column", "unit"), [("stratum", "stratum"), ("psu", "PSU")])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_ids(column, unit, value):
    table = columns()
    table[column] = [str(one) for one in table[column].tolist()]
    table[column][6] = value
    found = refused(lambda: survey(table, **PLAIN), "survey-id-missing")
    assert (found.column, found.row) == (column, 7)
    assert f"which {unit} they belong" in str(found)


def test_a_missing_id_is_found_at_its_own_row_behind_weights_of_0():
    table = with_value("psu", 7, None) | {"w": np.where(np.arange(240) < 4, 0, columns()["w"])}
    assert refused(lambda: survey(table, **PLAIN), "survey-id-missing").row == 7


def test_a_psu_in_two_strata():
    table = columns()
    table["stratum"] = table["stratum"].copy()
    at = int(np.flatnonzero(table["psu"] == 8)[0])
    table["stratum"][at] = 5
    found = refused(lambda: survey(table, **PLAIN), "survey-psu-strata")
    assert found.column == "psu"
    assert "the PSU 8 lies in two strata, 2 and 5" in str(found)
    assert survey(table, **PLAIN, nested=True).sample.units.psus == 28


def test_a_lonely_psu():
    found = refused(lambda: survey(columns(), **PLAIN | {"strata": "lone"}), "survey-lonely-psu")
    assert dict(found.details) == {"stratum": "90", "strata": 2, "stage": 1}
    assert found.column == "lone"
    assert found.what.startswith("the stratum 90 has a single PSU (strata like this: 2)")


def test_a_lonely_unit_of_a_later_stage():
    found = refused(
        lambda: survey(columns() | {"home": columns()["psu"]}, **PLAIN, stages=["home"], fpc=["N1", "N2"]),
        "survey-lonely-unit",
    )
    assert dict(found.details)["stage"] == 2


@pytest.mark.parametrize("rule", ["adjust", "average", "certainty", "remove"])
def test_a_single_psu_shows_no_variance(rule):
    found = refused(lambda: survey(changed(psu=[1] * 240), weight="w", psu="psu", lonely=rule), "survey-one-psu")
    assert found.column == "psu"


def test_a_single_psu_of_one_is_a_census():
    row = survey(changed(psu=[1] * 240, size=[1] * 240), weight="w", psu="psu", fpc="size").mean("z").only()
    assert row["se"] == 0


@pytest.mark.parametrize("value", [2, None, 0.5])
def test_certainty_is_0_or_1(value):
    found = refused(lambda: survey(with_value("sure", 9, value), **PLAIN, certainty="sure"), "survey-certainty")
    assert found.column == "sure"
    assert "1 rows" in found.what


# ---- population sizes


def test_a_population_smaller_than_its_sample():
    table = changed(N1=np.where(columns()["stratum"] == 3, 2, 40))
    found = refused(lambda: survey(table, **PLAIN, fpc="N1"), "survey-fpc-small")
    drawn = len(np.unique(table["psu"][table["stratum"] == 3]))
    assert dict(found.details) == {"stratum": "3", "size": "2", "drawn": drawn}


def test_a_population_smaller_than_the_sample_of_the_second_stage():
    table = changed(N2=[2] * 240)
    found = refused(
        lambda: survey(table, **PLAIN, stages=["home"], fpc=["N1", "N2"], lonely="adjust"), "survey-fpc-small"
    )
    assert dict(found.details)["size"] == "2"


def test_population_sizes_that_differ_within_a_stratum():
    row = int(np.flatnonzero(columns()["stratum"] == 4)[2]) + 1
    found = refused(lambda: survey(with_value("N1", row, 99), **PLAIN, fpc="N1"), "survey-fpc-differs")
    assert dict(found.details) == {"stratum": "4", "low": 44, "high": 99}


@pytest.mark.parametrize("value", [0, -3, None])
def test_population_sizes_that_are_none(value):
    found = refused(lambda: survey(with_value("N1", 1, value), **PLAIN, fpc="N1"), "survey-fpc-differs")
    assert dict(found.details)["stratum"] == "0"


def test_population_sizes_as_text():
    found = refused(lambda: survey(changed(N1=["many"] * 240), **PLAIN, fpc="N1"), "survey-number")
    assert found.column == "N1"


def test_more_population_sizes_than_stages():
    found = refused(lambda: survey(columns(), **PLAIN, fpc=["N1", "N2"]), "survey-fpc-stages", UsageError)
    assert "2 population sizes (fpc) are named for 1 stages" in str(found)


# ---- what is asked


@pytest.mark.parametrize("name", ["weight", "strata", "psu", "fpc", "certainty"])
def test_columns_of_the_design_that_are_not_there(name):
    given = PLAIN | {name: "statum"}
    found = refused(lambda: survey(columns(), **given), "survey-column", UsageError)
    assert "did you mean stratum?" in found.todo


def test_columns_that_are_not_there():
    design = survey(columns(), **PLAIN)
    for call in (
        lambda: design.proportion("vv"),
        lambda: design.mean("y", ["sexx"]),
        lambda: design.proportion("v", among="asked"),
        lambda: design.ratio("y", "denn"),
        lambda: design.quantile("yy"),
        lambda: design.poststratify(["agee"], AGES),
        lambda: design.calibrate({"denn": 5.0}),
        lambda: design.replicate_weights(["rw1"], "brr"),
    ):
        found = refused(call, "survey-column", UsageError)
        assert "sex, age, stratum" in found.todo


def test_a_column_that_is_there_twice():
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_arrays([pa.array([1, 0]), pa.array([0, 1])], names=["v", "v"])
    assert "several columns v" in str(refused(lambda: survey(table).proportion("v"), "survey-column-twice", UsageError))


def test_a_proportion_of_other_numbers():
    found = refused(lambda: survey(with_value("v", 3, 2), **PLAIN).proportion("v"), "survey-not-zero-one")
    assert (found.column, dict(found.details)["name"]) == ("v", "v")
    assert "1 row" not in found.what  # many rows are counted behind the message, once


def test_a_share_among_other_numbers():
    found = refused(lambda: survey(columns(), **PLAIN).proportion("v", among="psu"), "survey-not-zero-one")
    assert found.column == "psu"


@pytest.mark.parametrize("kind", ["proportion", "mean", "total", "quantile"])
def test_text_as_an_outcome(kind):
    design = survey(columns(), **PLAIN)
    assert refused(lambda: getattr(design, kind)("sex"), "survey-number").column == "sex"


def test_infinite_outcomes():
    found = refused(lambda: survey(with_value("y", 3, float("inf")), **PLAIN).mean("y"), "survey-infinite")
    assert (found.column, dict(found.details)) == ("y", {"name": "y"})


def test_missing_answers_where_none_may_be():
    found = refused(lambda: survey(columns(), **PLAIN).proportion("u", missing="fail"), "survey-answers-missing")
    assert found.column == "u"
    assert f"{int(np.isnan(columns()['u']).sum())} respondents" in found.what


@pytest.mark.parametrize("name", ["value", "se", "n", "indicator", "quality"])
def test_breakdowns_by_columns_of_the_estimates_table(name):
    found = refused(
        lambda: survey(columns() | {name: columns()["sex"]}, **PLAIN).mean("z", [name]),
        "survey-column-reserved",
        UsageError,
    )
    assert found.column == name


def test_rows_of_totals_in_a_dimension():
    table = with_value("sex", 2, "_T")
    found = refused(lambda: survey(table, **PLAIN).mean("z", ["sex"]), "survey-total-code")
    assert found.column == "sex"


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"interval": "wald"}, "interval “wald”"),
        ({"df": "all"}, "degrees of freedom “all”"),
        ({"missing": "ignore"}, "missing answers “ignore”"),
        ({"level": 95}, "confidence level “95”"),
        ({"level": 0.05}, "confidence level “0.05”"),
        ({"level": 1}, "confidence level “1”"),
        ({"level": float("nan")}, "confidence level “nan”"),
    ],
)
def test_unknown_choices(asked, what):
    found = refused(lambda: survey(columns(), **PLAIN).proportion("v", **asked), "survey-choice", UsageError)
    assert what in found.what
    assert found.todo.startswith("choose one of ")


@pytest.mark.parametrize("asked", [{"level": 95}, {"df": "all"}, {"q": 0}, {"q": 50}, {"q": [0.5, float("nan")]}])
def test_unknown_choices_of_quantiles(asked):
    refused(lambda: survey(columns(), **PLAIN).quantile("y", **asked), "survey-choice", UsageError)


def test_an_unknown_rule_for_lonely_psus():
    found = refused(lambda: survey(columns(), **PLAIN, lonely="ignore"), "survey-choice", UsageError)
    assert "fail, adjust, average, certainty, remove" in found.todo


def test_unknown_publication_rules():
    refused(lambda: survey(columns(), **PLAIN).proportion("v", scheme="nhcs"), "scheme-unknown", UsageError)


@pytest.mark.parametrize("per", [0, -100, float("nan"), float("inf")])
def test_values_per_nobody(per):
    refused(lambda: survey(columns(), **PLAIN).proportion("v", per=per), "survey-per", UsageError)


# ---- tables


@pytest.mark.parametrize("table", [None, 5, [1, 2], object()])
def test_what_is_no_table(table):
    found = refused(lambda: survey(table), "survey-table", UsageError)
    assert type(table).__name__ in found.what


def test_an_empty_table():
    refused(lambda: survey({"v": []}), "survey-empty")
    refused(lambda: survey({"v": [], "w": np.zeros(0)}, weight="w"), "survey-empty")
    refused(lambda: survey({}), "survey-empty")


def test_columns_of_different_lengths():
    found = refused(lambda: survey({"v": [1, 0, 1], "w": [1.0, 2.0]}), "survey-column-lengths", UsageError)
    assert "w has 2 values, v has 3" in found.what


def test_a_column_of_numbers_and_text():
    found = refused(lambda: survey({"v": [1, 0], "k": [1, "a"]}), "survey-column-mixed", UsageError)
    assert found.column == "k"


def test_a_file_that_is_not_there(tmp_path):
    for name in ("people.parquet", "people.csv"):
        found = refused(lambda name=name: survey(tmp_path / name), "file-missing", UsageError)
        assert found.file == name


@pytest.mark.parametrize(
    ("name", "content"), [("people.parquet", b"no Parquet at all"), ("people.csv", b"a,b\n1,2\n3\n")]
)
def test_a_file_that_is_none(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert refused(lambda: survey(tmp_path / name), "survey-table", UsageError).file == name


def test_rows_of_a_csv_file_are_counted_as_a_spreadsheet_does(tmp_path):
    (tmp_path / "people.csv").write_text("v,w\n1,2.5\n0,-1\n", encoding="utf-8")
    found = refused(lambda: survey(tmp_path / "people.csv", weight="w"), "survey-weight-negative")
    assert found.where == "people.csv:3:w"


def test_a_csv_file_in_another_encoding(tmp_path):
    (tmp_path / "people.csv").write_bytes("v,barrio\n1,Peñalolén\n0,Ñuñoa\n".encode("latin-1"))
    found = refused(lambda: survey(tmp_path / "people.csv").proportion("v", ["barrio"]), "survey-not-text")
    assert found.where == "people.csv:barrio"


# ---- population totals and replicates


@pytest.mark.parametrize(
    ("totals", "code", "named"),
    [
        (AGES | {2: 0}, "calibration-total-zero", "2 in age"),
        (AGES | {2: -5}, "calibration-total", "2 in age is -5"),
        (AGES | {2: "many"}, "calibration-total", "2 in age is many"),
        (AGES | {2: None}, "calibration-total", "2 in age is None"),
        (AGES | {7: 100}, "calibration-no-sample", "nobody in the sample is 7 in age"),
        ({age: people for age, people in AGES.items() if age != 3}, "calibration-no-total", "are 3 in age"),
    ],
)
def test_totals_that_cannot_be_reached(totals, code, named):
    design = survey(columns(), **PLAIN)
    for call in (
        lambda: design.poststratify(["age"], totals),
        lambda: design.rake({"age": totals, "sex": SEXES}),
        lambda: design.calibrate({"age": totals, "den": 200_000}),
    ):
        assert named in str(refused(call, code))


@pytest.mark.parametrize("total", ["many", None, float("nan")])
def test_totals_of_numbers_that_are_none(total):
    found = refused(
        lambda: survey(columns(), **PLAIN).calibrate({"age": AGES, "den": total}), "calibration-total-number"
    )
    assert "den" in found.what


def test_people_of_unknown_group_have_no_total():
    found = refused(
        lambda: survey(with_value("sex", 3, None), **PLAIN).poststratify(["sex"], SEXES), "calibration-no-total"
    )
    assert "1 respondents are _U in sex" in found.what


def test_margins_of_two_populations():
    twice = {sex: 2 * people for sex, people in SEXES.items()}
    refused(lambda: survey(columns(), **PLAIN).rake({"age": AGES, "sex": twice}), "calibration-sums")


def test_no_totals_and_no_replicates():
    design = survey(columns(), **PLAIN)
    refused(lambda: design.rake({}), "survey-no-margins", UsageError)
    refused(lambda: design.calibrate({}), "survey-no-margins", UsageError)
    refused(lambda: design.replicate_weights([], "brr"), "survey-no-replicates", UsageError)


def test_replicate_weights_that_cannot_be_used():
    design = survey(columns() | {"rw1": columns()["w"], "rw2": columns()["sex"]}, **PLAIN)
    assert refused(lambda: design.replicate_weights(["rw1", "rw2"], "brr"), "survey-number").column == "rw2"
    tied = design.poststratify(["age"], AGES)
    for call in (
        tied.jackknife,
        lambda: tied.bootstrap(10, seed=1),
        lambda: tied.replicate_weights(["w", "rw1"], "brr"),
    ):
        refused(call, "survey-replicate-first", UsageError)


def test_an_unknown_kind_of_replicates():
    design = survey(columns() | {"rw1": columns()["w"], "rw2": columns()["w"]}, **PLAIN)
    refused(lambda: design.replicate_weights(["rw1", "rw2"], "brrr"), "survey-choice", UsageError)
