"""Populations: years, ages as text, zero and missing people, and rows that would count people twice."""

from __future__ import annotations

import pytest

from safercities.model.errors import SafercitiesError


def codes(got):
    return [(r["row"], r["column"], r["code"]) for r in got.rejects.to_pylist()]


def code_of(population, text, **keys):
    with pytest.raises(SafercitiesError) as caught:
        population(text, **keys)
    return caught.value.problems


def test_columns(population):
    got = population(
        "w,y,s,n\nA,2021,F,10.5\nA,2021,_T,20\n", place="w", period="y", dimensions={"sex": {"column": "s"}}
    )
    assert {f.name: str(f.type) for f in got.table.schema} == {
        "row": "int64",
        "code": "string",
        "period": "string",
        "sex": "string",
        "n": "double",
    }
    assert got.table.to_pylist()[0] == {"row": 2, "code": "A", "period": "2021", "sex": "F", "n": 10.5}
    assert got.table.column("sex").to_pylist() == ["F", "_T"]
    assert got.dimensions[0].codes == ("F",)


def test_ages_as_text_and_in_bins(population):
    text = "a,n\n0-4,1\n80+,2\n85 and over,3\n7,4\nY0T9,5\nall,6\n"
    age = {"column": "a", "map": {"all": "_T"}}
    with_map = population(text, period=2021, dimensions={"age": age})
    assert with_map.table.column("age").to_pylist() == ["_T"]
    assert with_map.rows_rejected == 5
    plain = population(text.replace("all,6\n", ""), period=2021, dimensions={"age": {"column": "a"}})
    assert plain.table.column("age").to_pylist() == ["Y0T4", "Y_GE80", "Y_GE85", "Y7", "Y0T9"]
    assert plain.table.column("code").null_count == 5
    binned = population("a,n\n3,1\n4,2\n20,3\n", period=2021, dimensions={"age": {"column": "a", "bins": [0, 15]}})
    assert binned.table.column("age").to_pylist() == ["Y0T14", "Y0T14", "Y_GE15"]


def test_people_that_cannot_be(population):
    got = population("w,n\nA,0\nB,-1\nC,\nD,x\n,5\nE,1 000\n", place="w", period=2021)
    assert got.table.column("n").to_pylist() == [0, 1000]
    assert codes(got) == [
        (3, "n", "count-negative"),
        (4, "n", "people-missing"),
        (5, "n", "people-unreadable"),
        (6, "w", "place-missing"),
    ]
    assert [(p.row, p.rows) for p in got.problems if p.code == "people-zero"] == [(2, 1)]


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("2021", "2021"),
        ("2021-06-30", "2021"),
        ("30/06/2021", "2021"),
        ("05/06/2021", "2021"),
        ("21", None),
        ("", None),
        ("43578", None),
    ],
)
def test_years(population, value, year):
    got = population(f"y,n\n{value},5\n2020,5\n", period="y")
    assert got.table.column("period").to_pylist() == ([year] if year else []) + ["2020"]
    assert codes(got) == ([] if year else [(2, "y", "period-wrong")])


def test_years_through_a_map(population):
    got = population("y,n\nCenso 2018,5\n", period={"column": "y", "map": {"Censo 2018": "2018"}})
    assert got.table.column("period").to_pylist() == ["2018"]


def test_people_are_not_counted_twice(population):
    text = "w,s,n\nA,F,1\nA,M,2\nA,F,3\nB,F,4\n"
    (found,) = code_of(population, text, place="w", period=2021, dimensions={"sex": {"column": "s"}})
    assert (found.code, found.row, "row 2" in found.what) == ("population-twice", 4, True)
    assert [p.row for p in code_of(population, text, place="w", period=2021)] == [3, 4]


def test_a_rejected_row_makes_no_double(population):
    assert population("w,n\nA,\nA,2\n", place="w", period=2021).table.column("n").to_pylist() == [2]


def test_thousands_that_look_like_decimals_are_said(population):
    got = population("w,n\nA,1.234\nB,12.345\nC,987\n", place="w", period=2021)
    assert [(p.row, p.rows) for p in got.problems if p.code == "count-thousands"] == [(2, 2)]
    got = population("w;n\nA;1.234\nB;12.345\n", place="w", period=2021, decimal=",")
    assert (got.table.column("n").to_pylist(), got.problems) == ([1234, 12345], ())
    assert population("w,n\nA,1.5\nB,12.345\n", place="w", period=2021).problems == ()


def test_no_rows(population):
    got = population("w,y,a,n\n", place="w", period="y", dimensions={"age": {"column": "a"}})
    assert (got.rows_read, got.table.num_rows) == (0, 0)
