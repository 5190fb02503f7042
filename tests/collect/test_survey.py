"""Surveys: respondents with a weight and a place in the design; what has none is rejected with its reason."""

from __future__ import annotations

import tomllib
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safercities.collect.spec import SurveySpec
from safercities.collect.survey import collect_survey
from safercities.config import ObservatorySpec
from safercities.model.errors import SafercitiesError, Severity
from safercities.model.spec import parse
from safercities.sampling.design import survey as design_of


def table(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def problems(got, code):
    return [(p.row, p.column, p.rows) for p in got.problems if p.code == code]


def rejects(got):
    return [(r["row"], r["column"], r["code"]) for r in got.rejects.to_pylist()]


def refused(collect, text, **keys):
    with pytest.raises(SafercitiesError) as caught:
        collect(text, **keys)
    return caught.value.problems


class TestRecords:
    def test_columns_and_types(self, survey):
        got = survey(
            "w;h;c;hh;N;lon;lat;b;sex;p;q\n2,5;North;1;7;40;1,5;2,5;W1;F;1;\n1;North;2;7;40;;;W2;M;2;4\n",
            decimal=",",
            strata="h",
            psu="c",
            stages=["hh"],
            fpc=["N"],
            longitude="lon",
            latitude="lat",
            places={"ward": "b"},
            dimensions={"sex": {"column": "sex"}},
            variables={
                "victim": {"column": "p", "yes": [1], "no": [2]},
                "times": {"column": "q", "number": True, "asked_if": "victim"},
            },
            period="2023-Q1",
            population="Residents aged 15 and over",
        )
        assert {field.name: str(field.type) for field in got.table.schema} == {
            "row": "int64",
            "when": "timestamp[us]",
            "period": "string",
            "weight": "double",
            "stratum": "string",
            "psu": "string",
            "unit_2": "string",
            "fpc_1": "double",
            "x": "double",
            "y": "double",
            "sex": "string",
            "code_ward": "string",
            "answer_victim": "double",
            "answer_times": "double",
            "asked_times": "bool",
        }
        assert got.table.to_pylist()[0] == {
            "row": 2,
            "when": datetime(2023, 1, 1),
            "period": "2023-Q1",
            "weight": 2.5,
            "stratum": "North",
            "psu": "1",
            "unit_2": "1 / 7",
            "fpc_1": 40.0,
            "x": 1.5,
            "y": 2.5,
            "sex": "F",
            "code_ward": "W1",
            "answer_victim": 1.0,
            "answer_times": None,
            "asked_times": True,
        }
        assert got.table.column("unit_2").to_pylist() == ["1 / 7", "2 / 7"]
        assert (got.kind, got.unit, got.precision, got.crs) == ("survey", "respondents", "year", "EPSG:4326")
        assert problems(got, "answer-though-not-asked") == [(3, "q", 1)]

    def test_what_is_not_declared_has_no_column(self, survey):
        got = survey("w,p\n1,1\n")
        assert got.table.column_names == ["row", "when", "period", "weight", "x", "y", "answer_victim"]
        assert got.crs is None

    def test_a_column_that_lacks_is_named(self, survey):
        found = refused(survey, "w,p\n1,1\n", strata="stratum", psu="c", variables={"a": {"column": "P", "yes": [1]}})
        assert [(p.code, p.column) for p in found] == [
            ("column-missing", "stratum"),
            ("column-missing", "c"),
            ("column-missing", "P"),
        ]
        assert "did you mean p?" in found[2].todo

    def test_a_repeated_respondent_is_a_duplicate(self, survey):
        got = survey("id,w,p\n1,1,1\n1,1,1\n2,3,1\n", id="id")
        assert rejects(got) == [(3, "id", "id-twice")]


class TestWeights:
    def test_each_fault_has_its_reason(self, survey):
        rows = ["1.5,1", ",1", "NA,1", "x,1", '"2,5",1', "-1,1", "-99,1", "0,1", "0.0,1", "1e3,1", "1e400,1"]
        got = survey(table("w,p", *rows))
        assert got.table.column("weight").to_pylist() == [1.5, 0.0, 0.0, 1000.0]
        assert rejects(got) == [
            (3, "w", "weight-missing"),
            (4, "w", "weight-missing"),
            (5, "w", "weight-unreadable"),
            (6, "w", "weight-unreadable"),
            (7, "w", "weight-negative"),
            (8, "w", "weight-negative"),
            (12, "w", "weight-unreadable"),
        ]
        severity = {p.code: p.severity for p in got.problems}
        assert severity["weight-zero"] is Severity.NOTE
        assert problems(got, "weight-zero") == [(9, "w", 2)]
        assert severity["weight-negative"] is severity["weight-unreadable"] is Severity.ERROR

    def test_a_mark_for_thousands_is_not_guessed(self, survey):
        assert rejects(survey('w,p\n"1,234",1\n1.234,1\n')) == [(2, "w", "weight-unreadable")]
        got = survey("w;p\n1.234;1\n1,234;1\n", decimal=",")
        assert (rejects(got), got.table.column("weight").to_pylist()) == ([(2, "w", "weight-unreadable")], [1.234])

    def test_the_sum_is_said(self, survey):
        got = survey("w,p\n1000.4,1\n2000.4,1\n,1\n")
        (note,) = [p for p in got.problems if p.code == "weights-sum"]
        assert (note.rows, note.column) == (2, "w")
        assert "3\u202f001" in note.what

    def test_the_sum_is_said_of_each_wave(self, survey):
        got = survey("w,y,p\n10,2022,1\n20,2023,1\n30,2023,1\n", period="y")
        assert [p.what for p in got.problems if p.code == "weights-sum"] == [
            "the weights of 2022 add up to 10",
            "the weights of 2023 add up to 50",
        ]
        got = survey(table("w,y,p", *[f"1,2023-01-{day:02d},1" for day in range(1, 21)]), period="y")
        assert [p.what for p in got.problems] == ["the weights of all periods together add up to 20"]

    def test_one_weight_for_all(self, survey):
        got = survey("p\n1\n2\n", weight=2.5)
        assert got.table.column("weight").to_pylist() == [2.5, 2.5]

    def test_a_row_of_totals_is_no_respondent(self, survey):
        weights = [1.5, 2.25, 3.0, 1.25, 7.5, 0.5, 2.0, 1.0, 4.0, 3.5]
        got = survey(table("w,p", *[f"{w},1" for w in weights], f"{sum(weights)},1"))
        assert rejects(got) == [(12, "w", "weight-total")]
        assert survey(table("w,p", *[f"{w},1" for w in weights])).rows_rejected == 0

    def test_all_rows_rejected_leaves_no_record_and_every_reason(self, survey):
        got = survey("w,p\n-1,1\nx,1\n")
        assert (got.table.num_rows, len(rejects(got))) == (0, 2)


class TestUnits:
    def test_without_a_place_in_the_design_a_row_is_rejected(self, survey):
        rows = ["1,N,1,a,1", "1,,2,a,1", "1,N,,a,1", "1,N,NA,a,1", "1,N,4,,1", ",,,,1"]
        got = survey(table("w,h,c,hh,p", *rows), strata="h", psu="c", stages=["hh"])
        assert rejects(got) == [
            (3, "h", "stratum-missing"),
            (4, "c", "psu-missing"),
            (5, "c", "psu-missing"),
            (6, "hh", "unit-missing"),
            (7, "w", "weight-missing"),
            (7, "h", "stratum-missing"),
            (7, "c", "psu-missing"),
            (7, "hh", "unit-missing"),
        ]

    def test_a_psu_in_two_strata_is_refused_with_both(self, survey):
        text = table("w,h,c,p", "1,North,7,1", "1,North,8,1", "1,South,7,1", "1,East,7,1", "1,South,9,1")
        (problem,) = refused(survey, text, strata="h", psu="c")
        assert (problem.code, problem.row, problem.column) == ("psu-two-strata", 4, "c")
        assert problem.what == "1 PSU lies in several strata: 7 in North (row 2), South (row 4)"
        assert "nested = true" in problem.todo
        got = survey(text, strata="h", psu="c", nested=True)
        assert got.table.column("psu").to_pylist() == ["North / 7", "North / 8", "South / 7", "East / 7", "South / 9"]

    def test_where_nested_was_forgotten_there_is_one_error(self, survey):
        rows = [f"1,{stratum},{psu},1" for stratum in ("North", "South") for psu in range(1, 21)]
        (problem,) = refused(survey, table("w,h,c,p", *rows), strata="h", psu="c")
        assert problem.what == (
            "20 PSUs lie in several strata: 1 in North (row 2), South (row 22); 2 in North (row 3), South (row 23); "
            "3 in North (row 4), South (row 24); …"
        )
        assert "North" not in problem.masked.what

    def test_a_rejected_row_puts_no_psu_into_a_second_stratum(self, survey):
        got = survey(table("w,h,c,p", "1,North,7,1", "x,South,7,1"), strata="h", psu="c")
        assert got.table.num_rows == 1

    def test_nested_ids_never_become_one(self, survey):
        rows = ["1,a / b,c,1", "1,a,b / c,1", "1,a/,b,1", "1,a,/b,1"]
        got = survey(table("w,h,c,p", *rows), strata="h", psu="c", nested=True)
        assert len(set(got.table.column("psu").to_pylist())) == 4

    def test_numbers_are_ids_without_a_decimal_part(self, survey, tmp_path):
        pq.write_table(pa.table({"w": [1.0], "h": [20191059.0], "c": [7], "p": [True]}), tmp_path / "s.parquet")
        got = survey(file="s.parquet", strata="h", psu="c")
        assert (got.table["stratum"].to_pylist(), got.table["psu"].to_pylist()) == (["20191059"], ["7"])
        assert got.table["answer_victim"].to_pylist() == [1.0]

    def test_sizes_are_numbers_above_zero(self, survey):
        got = survey(table("w,N,p", "1,40,1", "1,,1", "1,0,1", "1,-4,1", "1,x,1"), fpc=["N"])
        assert rejects(got) == [
            (3, "N", "fpc-missing"),
            (4, "N", "fpc-wrong"),
            (5, "N", "fpc-wrong"),
            (6, "N", "fpc-wrong"),
        ]
        assert got.table.column("fpc_1").to_pylist() == [40.0]

    def test_sizes_differ_between_strata_and_not_within(self, survey):
        keys = {"strata": "h", "psu": "c", "stages": ["hh"], "fpc": ["N", "M"]}
        good = table("w,h,c,hh,N,M,p", "1,A,1,1,40,5,1", "1,A,2,1,40,6,1", "1,B,3,1,50,5,1")
        assert survey(good, **keys).table.num_rows == 3
        (problem,) = refused(survey, good.replace("A,2,1,40", "A,2,1,41"), **keys)
        assert (problem.code, problem.row, problem.column) == ("fpc-differs", 3, "N")
        assert "the population size of the stratum A is not one and the same: 40 (row 2), 41 (row 3)" in problem.what
        (problem,) = refused(survey, good + "1,B,3,2,50,4,1\n", **keys)
        assert "PSU 3 is not one and the same: 5 (row 4), 4 (row 5)" in problem.what
        (problem,) = refused(survey, table("w,N,p", "1,40,1", "1,41,1"), fpc=["N"])
        assert "the whole sample is not one and the same: 40 (row 2), 41 (row 3)" in problem.what

    def test_shares_and_sizes_do_not_mix(self, survey):
        text = table("w,h,N,p", "1,A,0.5,1", "1,B,1,1", "1,C,40,1")
        found = refused(survey, text, strata="h", fpc=["N"])
        assert [(p.code, p.row) for p in found] == [("fpc-mixed", 2)]
        assert survey(text.replace("40", "0.25"), strata="h", fpc=["N"]).table["fpc_1"].to_pylist() == [0.5, 1, 0.25]

    def test_certain_psus(self, survey):
        keys = {"psu": "c", "certainty": {"column": "s", "yes": [1]}}
        got = survey(table("w,c,s,p", "1,a,1,1", "1,a,1,1", "1,b,0,1", "1,c,,1"), **keys)
        assert got.table.column("certain").to_pylist() == [1, 1, 0, 0]
        assert problems(got, "certainty-missing") == [(5, "s", 1)]
        (problem,) = refused(survey, table("w,c,s,p", "1,a,1,1", "1,a,0,1"), **keys)
        assert (problem.code, problem.row) == ("certainty-differs", 3)


class TestReplicates:
    text = table("w,rw0,rw10,rw2,rwanda,rw1,p", "1,9,10,2,x,1,1", "1,9,11,0,x,1.5,1", "-1,9,z,0,x,1.5,1")

    def test_a_prefix_finds_them_in_the_order_of_their_numbers(self, survey):
        got = survey(self.text, weight="w", replicates={"kind": "bootstrap", "prefix": "rw"})
        names = [name for name in got.table.column_names if name.startswith("rep_")]
        assert names == ["rep_1", "rep_2", "rep_3", "rep_4"]
        assert [got.table.column(name).to_pylist() for name in names] == [[9, 9], [1, 1.5], [2, 0], [10, 11]]
        assert "3, 4, 5, 6, 7, 8, 9" in next(p.what for p in got.problems if p.code == "replicates-gap")

    def test_the_weight_itself_is_none_of_them(self, survey):
        text = self.text.replace("z", "12")
        got = survey(text, weight="rw0", replicates={"kind": "bootstrap", "prefix": "rw", "combined": False})
        assert "rep_4" not in got.table.column_names
        assert got.table.column("rep_1").to_pylist() == [1, 1.5, 1.5]

    def test_named_columns_stay_in_their_order(self, survey):
        got = survey(self.text, replicates={"kind": "jk1", "columns": ["rw2", "rw1"]})
        assert got.table.column("rep_1").to_pylist() == [2, 0]

    @pytest.mark.parametrize("cell", ["", "x", "-0.5", "NA", "inf"])
    def test_a_cell_that_is_no_weight_refuses_the_file(self, survey, cell):
        text = table("w,rw1,rw2,p", "1,1,1,1", f"1,1,{cell},1", f"1,1,{cell},1")
        (problem,) = refused(survey, text, replicates={"kind": "brr", "prefix": "rw"})
        assert (problem.code, problem.row, problem.column, problem.rows) == ("replicate-wrong", 3, "rw2", 2)

    def test_too_few_or_not_as_many_as_factors(self, survey):
        (problem,) = refused(survey, self.text, replicates={"kind": "brr", "prefix": "rep"})
        assert problem.code == "replicates-none"
        keys = {"replicates": {"kind": "other", "prefix": "rw", "scale": 1, "rscales": [1, 1]}}
        (problem,) = refused(survey, self.text, **keys)
        assert (problem.code, "4 columns" in problem.what) == ("replicates-rscales", True)


class TestInterviews:
    @pytest.mark.parametrize(
        ("period", "code", "first", "precision"),
        [
            (2023, "2023", datetime(2023, 1, 1), "year"),
            ("2023", "2023", datetime(2023, 1, 1), "year"),
            ("2023-Q2", "2023-Q2", datetime(2023, 4, 1), "year"),
            ("2023-03", "2023-03", datetime(2023, 3, 1), "month"),
            ("2022-10/2023-01", "2022-10/2023-01", datetime(2022, 10, 1), "year"),
        ],
    )
    def test_one_period_for_all(self, survey, period, code, first, precision):
        got = survey("w,p\n1,1\n", period=period)
        assert got.table.select(["when", "period"]).to_pylist() == [{"when": first, "period": code}]
        assert got.precision == precision

    def test_a_column_of_periods_or_dates(self, survey):
        cells = ["2023", "2023-Q1", "2022-10/2023-01", "2023-03-05", "23/04/2023", "April 2023"]
        got = survey(table("w;when;p", *[f"1;{cell};1" for cell in cells]), period="when")
        assert got.table.column("period").to_pylist() == [*cells[:4], "2023-04-23", "2023-04"]
        assert got.table.column("when")[4].as_py() == datetime(2023, 4, 23)
        assert got.precision == "year"
        assert survey(table("w;when;p", "1;2023-03;1"), period="when").precision == "month"

    def test_waves_by_a_map(self, survey):
        how = {"column": "wave", "map": {"1": "2022-Q4", "2": "2023-Q1"}}
        got = survey(table("w,wave,p", "1,1,1", "1,2,1", "1,3,1"), period=how)
        assert got.table.column("period").to_pylist() == ["2022-Q4", "2023-Q1"]
        assert rejects(got) == [(4, "wave", "interview-unreadable")]

    def test_what_cannot_be_is_rejected(self, survey):
        later = date.today().year + 2
        rows = ["1,,1", "1,soon,1", "1,1066,1", f"1,{later},1", "1,2023-02-31,1", "1,2023,1"]
        got = survey(table("w,when,p", *rows), period="when")
        assert rejects(got) == [
            (2, "when", "interview-missing"),
            (3, "when", "interview-unreadable"),
            (4, "when", "interview-unreadable"),
            (5, "when", "interview-future"),
            (6, "when", "interview-unreadable"),
        ]

    def test_dates_that_can_be_read_two_ways_are_asked_about(self, survey):
        text = table("w,when,p", "1,03/04/2023,1")
        assert refused(survey, text, period="when")[0].code == "date-order-unknown"
        assert survey(text, period="when", date_order="dmy").table["period"].to_pylist() == ["2023-04-03"]

    def test_date_cells(self, survey, tmp_path):
        days = pa.array([date(2023, 3, 5)])
        for name, column in (("date", days), ("stamp", days.cast(pa.timestamp("us")))):
            pq.write_table(pa.table({"w": [1], "when": column, "p": [1]}), tmp_path / f"{name}.parquet")
            got = survey(file=f"{name}.parquet", period="when")
            assert (got.table["period"].to_pylist(), got.precision) == (["2023-03-05"], "day")


def test_missing_answers_keep_the_row(survey):
    got = survey("w,p\n1,1\n1,\n1,2\n")
    assert got.table.column("answer_victim").to_pylist() == [1, None, 0]
    assert problems(got, "answers-missing") == [(3, "p", 1)]


def test_a_number_that_weights_are_tied_to_must_be_known(survey):
    keys = {"variables": {"size": {"column": "n", "number": True}}, "margins": [{"number": "size", "total": 90}]}
    assert survey("w,n\n1,4\n1,5\n", **keys).table.num_rows == 2
    (problem,) = refused(survey, "w,n\n1,4\n1,\n", **keys)
    assert (problem.code, problem.row, problem.column) == ("margin-number-missing", 3, "n")


class TestMargins:
    text = table("w,s,a,p", "1,F,20,1", "1,M,20,1", "1,M,70,1", "1,?,20,1", "0,X,20,1")
    dimensions = {  # noqa: RUF012
        "sex": {"column": "s", "unknown": ["?"]},
        "age": {"column": "a", "bins": [15, 60]},
    }

    def collected(self, survey, **margin):
        return survey(self.text, dimensions=self.dimensions, margins=[margin])

    def test_respondents_without_a_total_and_totals_without_respondents_are_said(self, survey):
        got = self.collected(survey, by=["sex"], totals={"F": 10, "M": 20, "X": 3})
        assert [(p.row, p.rows) for p in got.problems if p.code == "margin-without-total"] == [(5, 1)]
        (problem,) = [p for p in got.problems if p.code == "margin-without-respondents"]
        assert problem.what == "the margin sex has a total for X, and no respondent is that"
        assert problem.severity is Severity.ERROR

    def test_joint_categories(self, survey):
        totals = {"F|Y15T59": 1, "M | Y15T59": 2, "M|Y_GE60": 3, "F|Y_GE60": 4}
        got = self.collected(survey, by=["sex", "age"], totals=totals)
        assert [p.what.split(" for ")[1][:10] for p in got.problems if p.code.startswith("margin")] == [
            "_U|Y15T59,",
            "F|Y_GE60, ",
        ]

    def test_one_set_of_totals_is_not_for_several_waves(self, survey):
        text = "w,s,y,p\n1,F,2022,1\n1,F,2023,1\n"
        keys = {"period": "y", "dimensions": {"sex": {"column": "s"}}}
        (problem,) = refused(survey, text, margins=[{"by": ["sex"], "totals": {"F": 9}}], **keys)
        assert (problem.code, "(2022, 2023, …)" in problem.what) == ("margin-several-periods", True)
        assert survey(text, margins=[{"by": ["sex"], "source": "people"}], **keys).table.num_rows == 2

    def test_all_is_well_where_they_meet(self, survey):
        got = self.collected(survey, by=["age"], totals={"Y15T59": 10, "Y_GE60": 20})
        assert not [p for p in got.problems if p.code.startswith("margin")]


def test_a_column_without_any_value(survey, tmp_path):
    pq.write_table(pa.table({"w": [1, 2], "c": pa.nulls(2), "p": pa.nulls(2)}), tmp_path / "s.parquet")
    assert rejects(survey(file="s.parquet", psu="c")) == [(1, "c", "psu-missing"), (2, "c", "psu-missing")]
    assert survey(file="s.parquet").table.column("answer_victim").to_pylist() == [None, None]


def test_statistics_files_with_labels(survey, tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"w": [1.5, 2.0, 1.0], "sex": [1.0, 2.0, 1.0], "p": [1.0, 2.0, 9.0], "n": [3.0, 99.0, 1.0]})
    labels = {"sex": {1.0: "Hombre", 2.0: "Mujer"}, "n": {99.0: "No sabe"}}
    pyreadstat.write_sav(frame, tmp_path / "s.sav", variable_value_labels=labels)
    variables = {
        "victim": {"column": "p", "yes": [1], "no": [2], "unknown": [9]},
        "times": {"column": "n", "number": True},
    }
    got = survey(file="s.sav", variables=variables, dimensions={"group": {"column": "sex"}})
    assert got.table.column("answer_victim").to_pylist() == [1, 0, None]
    assert got.dimensions[0].labels == {"1": "Hombre", "2": "Mujer"}
    assert problems(got, "answer-labelled") == [(2, "n", 1)]


class TestSpec:
    def written(self, lines: str) -> SurveySpec:
        text = (
            '[observatory]\nname = "x"\nplace = "XA-X"\n[sources.people]\nkind = "population"\nfile = "p.csv"\n'
            'period = 2022\ncount = "n"\n[sources.s]\nkind = "survey"\nfile = "s.csv"\nweight = "w"\n'
            'period = 2023\nvariables = { victim = { column = "p", yes = [1] } }\n' + lines
        )
        spec = parse(ObservatorySpec, tomllib.loads(text), file="observatory.toml", text=text).sources["s"]
        assert isinstance(spec, SurveySpec)
        return spec

    @pytest.mark.parametrize(
        ("lines", "column", "words"),
        [
            ('wieght = "w"\n', "sources.s.wieght", "did you mean weight"),
            ("places = { ward = 3 }\n", "sources.s.places.ward", "valid string"),
            ('lonely = "ignore"\n', "sources.s.lonely", "'fail', 'adjust'"),
            ('nested = true\npsu = "c"\n', "sources.s", "needs psu and strata"),
            ('stages = ["hh"]\n', "sources.s", "name the column psu first"),
            ('psu = "c"\nstages = ["c"]\n', "sources.s", "name a column twice"),
            ('fpc = ["a", "b"]\n', "sources.s", "2 columns and the design 1 stages"),
            ('longitude = "x"\n', "sources.s", "longitude and latitude belong together"),
            ('scheme = "nhcs"\n', "sources.s.scheme", "did you mean nchs"),
            ("dimensions.weight = { column = 'x' }\n", "sources.s.dimensions", "no dimension can be called weight"),
            ("dimensions.answer_x = { column = 'x' }\n", "sources.s.dimensions", "no dimension can be called answer_x"),
            ("[sources.s.replicates]\nkind = 'fay'\nprefix = 'rw'\n", "sources.s.replicates", "fay belongs to"),
            ("[sources.s.replicates]\nkind = 'brr'\n", "sources.s.replicates", "by columns or by prefix"),
            ("[[sources.s.margins]]\nby = ['sex']\ntotals = { F = 1 }\n", "sources.s", "no breakdown of this survey"),
            ("[[sources.s.margins]]\nby = ['sex']\n", "sources.s.margins.0", "with totals or with source"),
            (
                "[[sources.s.margins]]\nby = ['sex', 'age']\ntotals = { F = 1 }\n",
                "sources.s.margins.0",
                "needs 2 codes",
            ),
            ("[[sources.s.margins]]\nnumber = 'victim'\ntotal = 4\n", "sources.s", "with number = true"),
            (
                "weights_of = 'households'\ndimensions.sex = { column = 'x' }\n"
                "[[sources.s.margins]]\nby = ['sex']\nsource = 'people'\n",
                "sources.s",
                "the weights count households",
            ),
        ],
    )
    def test_what_cannot_be_is_said_at_its_key(self, lines, column, words):
        with pytest.raises(SafercitiesError) as caught:
            self.written(lines)
        assert [p.column for p in caught.value.problems] == [column]
        assert words in str(caught.value)
        assert caught.value.problems[0].row is not None

    @pytest.mark.parametrize("total", ["0", "-4", "inf", "nan"])
    def test_a_total_that_no_weights_reach_names_margin_and_category(self, total):
        margin = "dimensions.sex = { column = 'x' }\n[[sources.s.margins]]\nby = ['sex']\n"
        margin += f"totals.F = 10\ntotals.M = {total}\n"
        with pytest.raises(SafercitiesError) as caught:
            self.written(margin)
        assert "the margin sex has a total of" in str(caught.value)
        assert "for M" in str(caught.value)

    def test_margins_say_how_weights_are_tied(self):
        dimensions = "dimensions = { sex = { column = 's' }, age = { column = 'a' } }\n"
        sex = "[[sources.s.margins]]\nby = ['sex']\ntotals = { F = 10, M = 12 }\n"
        joint = "[[sources.s.margins]]\nby = ['sex', 'age']\ntotals = { 'F|Y15T24' = 1, 'M | Y15T24' = 2 }\n"
        source = "[[sources.s.margins]]\nby = ['age']\nsource = 'people'\nperiod = '2022'\n"
        assert self.written("").adjustment == "none"
        assert self.written(dimensions + sex).adjustment == "post-stratify"
        made = self.written(dimensions + joint)
        assert (made.adjustment, made.margins[0].name) == ("post-stratify", "sex × age")
        assert [made.margins[0].categories(key) for key in made.margins[0].totals] == [("F", "Y15T24"), ("M", "Y15T24")]
        assert self.written(dimensions + sex + source).adjustment == "rake"

    def test_a_circle_of_filters_is_refused(self):
        both = {"yes": [1], "column": "p"}
        variables = {"a": both | {"asked_if": "b"}, "b": both | {"asked_if": "a"}}
        usual = {"kind": "survey", "file": "s.csv", "period": 2023, "weight": "w"}
        with pytest.raises(ValueError, match="a is asked if b if a: that leads in a circle"):
            SurveySpec.model_validate(usual | {"variables": variables})
        with pytest.raises(ValueError, match="no variable of this survey"):
            SurveySpec.model_validate(usual | {"variables": {"a": variables["a"]}})
        variables = {"a": both | {"asked_if": "n"}, "n": {"column": "n", "number": True}}
        with pytest.raises(ValueError, match="a number and not yes or no"):
            SurveySpec.model_validate(usual | {"variables": variables})

    def test_a_period_is_a_period_and_any_other_text_a_column(self):
        usual = {"kind": "survey", "file": "s", "weight": "w", "variables": {"a": {"column": "p", "yes": [1]}}}
        for text, column in (("2023-Q1", None), ("wave", "wave"), ("2023-13", "2023-13")):
            spec = SurveySpec.model_validate(usual | {"period": text})
            assert (spec.period_column.column if spec.period_column else None) == column
            assert (spec.fixed_period is None) == (column is not None)
        spec = SurveySpec.model_validate(usual | {"period": {"column": "2023"}})
        assert (spec.fixed_period, spec.period_column.column) == (None, "2023")
        for wrong in (23, date.today().year + 2):
            with pytest.raises(ValueError, match=r"four digits|future"):
                SurveySpec.model_validate(usual | {"period": wrong})


class TestRealSurveys:
    """Chile's urban victimisation surveys. Expected estimates: R 4.2.2, survey 4.1.1, svydesign as declared here."""

    def collected(self, shared_data, file, **keys):
        usual = {"kind": "survey", "file": file, "strata": "VarStrat", "psu": "Conglomerado"}
        return collect_survey("enusc", SurveySpec.model_validate(usual | keys), shared_data / "enusc")

    def test_enusc_2023_whole(self, shared_data):
        got = self.collected(
            shared_data,
            "enusc_2023.csv",
            period=2023,
            weight="Fact_Pers_Reg",
            dimensions={"sex": {"column": "rph_sexo", "map": {"1": "M", "2": "F"}}, "region": {"column": "enc_region"}},
            variables={
                "violent": {"column": "VP_DV", "yes": [1], "no": [0]},
                "disorder": {"column": "VP_DC", "yes": [1], "no": [0]},
                "more_crime": {"column": "PAD", "yes": [1], "no": [0]},
            },
        )
        assert (got.rows_read, got.table.num_rows, got.rows_rejected) == (49_813, 49_813, 0)
        assert [p.code for p in got.problems] == ["weights-sum"]
        design = design_of(got.table, weight="weight", strata="stratum", psu="psu")
        row = design.total("answer_violent").only()
        assert row["value"] == pytest.approx(801538.465481759, rel=1e-12)
        assert row["se"] == pytest.approx(21712.3820692289, rel=1e-10)
        by_sex = design.proportion("answer_more_crime", by=["sex"]).to_arrow().to_pylist()
        values = {r["sex"]: r["value"] for r in by_sex}
        assert values["M"] == pytest.approx(0.85528740404546, rel=1e-12)
        assert values["F"] == pytest.approx(0.896650079741508, rel=1e-12)

    def test_enusc_2019_whole(self, shared_data):
        got = self.collected(
            shared_data,
            "enusc_2019.csv",
            period="2019-10/2019-12",
            weight="Fact_Hog",
            lonely="adjust",
            dimensions={"sex": {"column": "rph_sexo", "map": {"1": "M", "2": "F"}}, "age": {"column": "rph_edad"}},
            variables={
                "disorder": {"column": "VA_DC", "yes": [1], "no": [0]},
                "crime_rose": {"column": "P3_1_1", "yes": [1], "no": [2, 3], "unknown": [88, 99]},
            },
        )
        assert (got.rows_read, got.table.num_rows, got.rows_rejected) == (24_465, 24_465, 0)
        assert problems(got, "answers-few") == [(67, "P3_1_1", 253)]
        assert got.table.column("answer_crime_rose").null_count == 239 + 14
        weight, answer = (got.table.column(name).to_numpy() for name in ("weight", "answer_disorder"))
        # svymean(~VA_DC, …, weights = ~Fact_Hog)
        assert np.average(answer, weights=weight) == pytest.approx(0.233416430522652, rel=1e-12)

    def test_a_code_that_is_forgotten_is_found(self, shared_data):
        variables = {"crime_rose": {"column": "P3_1_1", "yes": [1], "no": [2, 3]}}
        got = self.collected(shared_data, "enusc_2019.csv", period=2019, weight="Fact_Pers", variables=variables)
        assert [(p.rows, p.what[:3]) for p in got.problems if p.code == "answer-unexpected"] == [
            (239, "88 "),
            (14, "99 "),
        ]
