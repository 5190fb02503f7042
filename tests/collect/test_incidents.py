"""Incidents: every row is kept or rejected with its reason, values become codes, and nothing is guessed."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.collect.incidents import collect_incidents
from safercities.collect.spec import IncidentsSpec
from safercities.model.errors import SafercitiesError, Severity


def table(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def problems(got, code):
    return [(p.row, p.column, p.rows) for p in got.problems if p.code == code]


def rejects(got):
    return [(r["row"], r["column"], r["code"]) for r in got.rejects.to_pylist()]


def code_of(incidents, text, **keys):
    with pytest.raises(SafercitiesError) as caught:
        incidents(text, **keys)
    return caught.value.problems[0]


def test_columns_and_types(incidents):
    got = incidents(
        "when;lon;lat;w\n2019-04-23 10:00;1,5;2,5;W1\n",
        longitude="lon",
        latitude="lat",
        decimal=",",
        places={"ward": "w"},
        dimensions={"means": {"column": "w"}},
    )
    kinds = {field.name: str(field.type) for field in got.table.schema}
    assert kinds == {
        "row": "int64",
        "when": "timestamp[us]",
        "act": "string",
        "n": "int64",
        "x": "double",
        "y": "double",
        "means": "string",
        "code_ward": "string",
    }
    assert got.table.to_pylist() == [
        {
            "row": 2,
            "when": datetime(2019, 4, 23, 10),
            "act": "0101",
            "n": 1,
            "x": 1.5,
            "y": 2.5,
            "means": "W1",
            "code_ward": "W1",
        }
    ]


def test_faults_of_dates_are_rejected_with_their_place(incidents):
    late = (date.today() + timedelta(days=3)).isoformat()
    got = incidents(
        table("when,x", "2019-02-31,1", ",2", "1899-12-31,3", f"{late},4", "soon,5", "1/2/19,6", "2019-01-01,7")
    )
    codes = [code for _, _, code in rejects(got)]
    assert codes == [
        "date-impossible",
        "date-missing",
        "date-too-early",
        "date-too-late",
        "date-unreadable",
        "date-short-year",
    ]
    assert [row for row, _, _ in rejects(got)] == [2, 3, 4, 5, 6, 7]
    assert all(p.severity is Severity.ERROR for p in got.problems)
    assert "2019-02-31" in got.rejects.column("why")[0].as_py()
    assert json.loads(got.rejects.column("values")[0].as_py()) == {"when": "2019-02-31", "x": "1"}


def test_today_is_not_the_future_and_the_bounds_can_be_set(incidents):
    assert incidents(table("when", date.today().isoformat())).table.num_rows == 1
    got = incidents(table("when", "1850-01-01", "2050-01-01", "2019-01-01"), earliest="1800-01-01", latest="2018-12-31")
    assert rejects(got) == [(3, "when", "date-too-late"), (4, "when", "date-too-late")]


def test_offsets_are_taken_as_written_or_moved(incidents):
    text = table("when", "2019-01-01T03:00:00Z", "2019-01-01T03:00:00+02:00", "2019-01-01 03:00")
    got = incidents(text)
    assert set(got.table.column("when").to_pylist()) == {datetime(2019, 1, 1, 3)}
    assert problems(got, "date-offsets") == [(2, "when", 2)]
    got = incidents(text, timezone="America/Bogota")
    assert got.table.column("when").to_pylist() == [
        datetime(2018, 12, 31, 22),
        datetime(2018, 12, 31, 20),
        datetime(2019, 1, 1, 3),
    ]
    assert problems(got, "date-offsets-moved") == [(2, "when", 2)]
    assert code_of(incidents, text, timezone="Mars/Olympus").code == "timezone-unknown"


def test_hours_that_stand_twice_or_never_do_no_harm(incidents):
    text = table("when", "2019-10-27T00:30:00Z", "2019-10-27T01:30:00Z", "2019-03-31 01:30", "2019-03-31T01:30:00Z")
    got = incidents(text, timezone="Europe/London")
    assert got.table.column("when").to_pylist() == [
        datetime(2019, 10, 27, 1, 30),
        datetime(2019, 10, 27, 1, 30),
        datetime(2019, 3, 31, 1, 30),
        datetime(2019, 3, 31, 2, 30),
    ]


def test_precision_is_the_coarsest_seen_or_declared(incidents):
    assert incidents(table("when", "2019-01-01")).precision == "day"
    assert incidents(table("when", "2019-01-01"), precision="month").precision == "month"
    assert incidents(table("when", "2019", "2020"), precision="month").precision == "year"
    got = incidents(table("when", "2019-01-01", "2019-02"))
    assert (got.precision, problems(got, "date-coarse")) == ("month", [(3, "when", 1)])
    assert incidents(table("when", "2019-01-01", "2019-13")).precision == "day"


def test_serials_are_said(incidents):
    got = incidents(table("when", "43578", "2019-04-23"))
    assert set(got.table.column("when").to_pylist()) == {datetime(2019, 4, 23)}
    assert problems(got, "date-serials") == [(2, "when", 1)]


def test_counts(incidents):
    rows = ["3", "0", "1.234", "", "-2", "1,5", "many", "99999999999"]
    got = incidents(
        table("when;n", *(f"2019-01-01;{n}" for n in rows)), decimal=",", unit={"column": "n", "of": "offences"}
    )
    assert got.table.column("n").to_pylist() == [3, 0, 1234]
    assert [code for _, _, code in rejects(got)] == [
        "count-missing",
        "count-negative",
        "count-fraction",
        "count-unreadable",
        "count-huge",
    ]
    assert got.unit == "offences"


def test_coordinates_that_cannot_be_are_set_aside_and_the_case_still_counts(incidents):
    rows = ["6.2,-75.5", "612,-75.5", ",-75.5", ",", "0,0", "0,5", "NA,NA", "north,-75.5", "6.2,-999"]
    got = incidents(table("when,lat,lon", *(f"2019-01-01,{r}" for r in rows)), longitude="lon", latitude="lat")
    assert got.table.num_rows == 9
    assert got.table.column("y").to_pylist() == [6.2, None, None, None, None, 0, None, None, None]
    assert got.table.column("x").null_count == got.table.column("y").null_count
    assert problems(got, "coordinates-outside") == [(10, "lon", 1), (3, "lat", 1)]
    assert problems(got, "coordinates-missing") == [(4, "lat", 3)]
    assert problems(got, "coordinates-zero") == [(6, "lat", 1)]
    assert problems(got, "coordinates-unreadable") == [(9, "lat", 1)]
    assert all(p.severity is not Severity.ERROR for p in got.problems)


def test_coordinates_of_a_grid_have_no_such_bounds(incidents):
    text = table("when,e,n", "2019-01-01,345678,432100")
    got = incidents(text, longitude="e", latitude="n", crs="EPSG:27700")
    assert (got.table.column("x").to_pylist(), got.crs) == ([345678], "EPSG:27700")
    assert code_of(incidents, text, longitude="e", latitude="n", crs="EPSG:1").code == "crs-unknown"


def test_a_forgotten_decimal_comma_stops_the_work(incidents):
    text = table("when;lat;lon", "2019-01-01;6,25722555000;-75,56985400000")
    found = code_of(incidents, text, longitude="lon", latitude="lat")
    assert (found.code, found.row, "decimal" in found.todo) == ("coordinates-none", 2, True)


def test_acts(incidents):
    assert set(incidents(table("when", "2019")).table.column("act").to_pylist()) == {"0101"}
    found = code_of(incidents, table("when", "2019"), act="0199999")
    assert found.code == "act-unknown"
    text = table("when,what", "2019,Murder", "2019,Theft ", "2019,murder", "2019,?", "2019,")
    got = incidents(text, act={"column": "what", "map": {"Murder": "0101", " Theft": "0502"}, "unknown": ["?"]})
    assert got.table.column("act").to_pylist() == ["0101", "0502", "_U", "_U", "_U"]
    assert problems(got, "value-unmapped") == [(4, "what", 1)]
    assert incidents(table("when,what", "2019,0101", "2019,99x"), act={"column": "what"}).table.column(
        "act"
    ).to_pylist() == ["0101", "_U"]
    found = code_of(incidents, text, act={"column": "what", "map": {"Murder": "0101", "Theft": "nope"}})
    assert (found.code, "nope" in found.what) == ("map-code-unknown", True)


def test_dimensions(incidents):
    text = table(
        "when,s,a,m", "2019,Mujer,34,Gun", "2019,Hombre,-1,Knife", "2019,X,-5,", "2019,,130,Gun", "2019,M,abc,_T"
    )
    got = incidents(
        text,
        dimensions={
            "sex": {"column": "s", "map": {"Mujer": "F", "Hombre": "M", "Otro": "_U"}},
            "age": {"column": "a", "unknown": [-1], "bins": [0, 15, 35]},
            "means": {"column": "m"},
        },
    )
    assert got.table.column("sex").to_pylist() == ["F", "M", "_U", "_U", "_U"]
    assert got.table.column("age").to_pylist() == ["Y15T34", "_U", "_U", "_U", "_U"]
    assert got.table.column("means").to_pylist() == ["Gun", "Knife", "_U", "Gun", "_U"]
    assert problems(got, "value-unmapped") == [(4, "s", 1), (6, "s", 1), (6, "a", 1), (6, "m", 1)]
    assert problems(got, "age-impossible") == [(4, "a", 1), (5, "a", 1)]
    assert problems(got, "map-unused") == [(None, "s", 1)]
    sex, age, means = got.dimensions
    assert (sex.codes, age.codes, means.codes) == (("F", "M"), ("Y0T14", "Y15T34", "Y_GE35"), ("Gun", "Knife"))
    assert (sex.of, means.of, age.labels["Y_GE35"]) == ("person", "event", "35 and over")


@pytest.mark.parametrize(
    ("spec", "values", "codes"),
    [
        ({}, ["F", "M", "x"], ["F", "M", "_U"]),
        ({"other": "_U"}, ["F", "x"], ["F", "_U"]),
        ({"map": {"1": "F", "2": "M"}, "unknown": [9]}, ["1", "2", "9", "9.0", "3"], ["F", "M", "_U", "_U", "_U"]),
        ({"map": {"1": "F"}, "other": "M"}, ["1", "7", ""], ["F", "M", "_U"]),
    ],
)
def test_sex(incidents, spec, values, codes):
    got = incidents(table("when,s", *(f"2019,{v}" for v in values)), dimensions={"sex": {"column": "s"} | spec})
    assert got.table.column("sex").to_pylist() == codes


@pytest.mark.parametrize(
    ("spec", "values", "codes"),
    [
        ({}, ["7", "15-24", "85+", "Y0T4"], ["Y7", "Y15T24", "Y_GE85", "Y0T4"]),
        ({"bins": [0, 15, 25]}, ["15-19", "10-19", "7.9", "14.9"], ["Y15T24", "_U", "Y0T14", "Y0T14"]),
        ({"bins": [15, 25]}, ["7", "15"], ["_U", "Y15T24"]),
        ({"bins": [0, 15], "unknown": ["N/D", 99]}, ["N/D", "99", "99.0", "15"], ["_U", "_U", "_U", "Y_GE15"]),
        ({"map": {"adult": "Y_GE18", "child": "Y0T17"}}, ["adult", "child", "40"], ["Y_GE18", "Y0T17", "_U"]),
    ],
)
def test_age(incidents, spec, values, codes):
    got = incidents(table("when,a", *(f"2019,{v}" for v in values)), dimensions={"age": {"column": "a"} | spec})
    assert got.table.column("age").to_pylist() == codes


def test_other_numbers_in_bins(incidents):
    got = incidents(
        table("when,h", "2019,0", "2019,23", "2019,-1"), dimensions={"hour": {"column": "h", "bins": [0, 6, 12, 18]}}
    )
    assert got.table.column("hour").to_pylist() == ["0-5", "18+", "_U"]
    assert got.dimensions[0].labels == {"0-5": "0–5", "6-11": "6–11", "12-17": "12–17", "18+": "18 and over"}


def test_a_total_is_no_code_of_a_case(incidents):
    found = code_of(incidents, table("when,s", "2019,x"), dimensions={"sex": {"column": "s", "map": {"x": "_T"}}})
    assert found.code == "map-total"


def test_many_unmapped_values_are_listed_twenty_and_counted(incidents):
    rows = [f"2019,v{i}" for i in range(30)] * 2
    got = incidents(table("when,s", *rows), dimensions={"sex": {"column": "s"}})
    listed = problems(got, "value-unmapped")
    assert listed == [(row, "s", 2) for row in range(2, 22)]
    (more,) = [p for p in got.problems if p.code == "values-more-warning"]
    assert "10 more" in more.what


def test_a_message_shows_no_more_than_forty_characters(incidents):
    got = incidents(table("when,s", "2019," + "private " * 30), dimensions={"sex": {"column": "s"}})
    (found,) = [p for p in got.problems if p.code == "value-unmapped"]
    assert len(found.what) < 100


def test_equal_rows_are_no_duplicates_but_a_repeated_id_is(incidents):
    rows = ["1,2019-01-01,a", "1,2019-01-01,a", "2,2019-01-01,a", "1,2019-01-02,a", ",2019-01-01,a", ",2019-01-01,a"]
    text = table("id,when,x", *rows)
    assert incidents(text).table.num_rows == 6
    got = incidents(text, id="id")
    assert rejects(got) == [(3, "id", "id-twice"), (5, "id", "id-twice-different")]
    why = got.rejects.column("why").to_pylist()
    assert "row 2" in why[0]
    assert "row 2" in why[1]
    assert "when" in why[1]
    assert problems(got, "id-missing") == [(6, "id", 2)]


def test_a_rejected_row_does_not_take_the_id_from_a_good_one(incidents):
    got = incidents(table("id,when", "1,2019-02-31", "1,2019-02-28", "1,2019-02-28"), id="id")
    assert got.table.column("row").to_pylist() == [3]
    assert rejects(got) == [(2, "when", "date-impossible"), (4, "id", "id-twice")]


def test_a_row_with_two_faults_counts_once(incidents):
    got = incidents(table("when,n", "2019-02-31,-1", "2019-01-01,1"), unit={"column": "n"})
    assert rejects(got) == [(2, "when", "date-impossible"), (2, "n", "count-negative")]
    assert (got.rows_read, got.rows_rejected) == (2, 1)


def test_ragged_rows_stand_among_the_rejects(incidents):
    got = incidents(table("when,n", "2019-01-01,1", "2019-01-01", "2019-02-31,1", "2019-01-01,1,2"))
    assert rejects(got) == [(3, "", "row-ragged"), (4, "when", "date-impossible"), (5, "", "row-ragged")]


def test_no_rows(incidents):
    got = incidents(
        "when,lon,lat,s,id,n\n",
        longitude="lon",
        latitude="lat",
        id="id",
        unit={"column": "n"},
        dimensions={"sex": {"column": "s", "map": {"x": "F"}}, "age": {"column": "s"}},
        places={"ward": "s"},
    )
    assert (got.rows_read, got.table.num_rows, got.rejects.num_rows) == (0, 0, 0)
    assert [p.code for p in got.problems] == ["rows-none"]


def test_rejected_values_survive_as_json(incidents):
    got = incidents('when,x\nnever,"a ""quoted"" \\ text\nwith\tbreaks"\n')
    assert json.loads(got.rejects.column("values")[0].as_py()) == {
        "when": "never",
        "x": 'a "quoted" \\ text\nwith\tbreaks',
    }


def test_a_missing_column_is_named_with_near_ones(incidents):
    found = code_of(incidents, table("fecha,sexo", "2019,x"), when="fechas")
    assert (found.code, found.column, "fecha" in found.todo) == ("column-missing", "fechas", True)


@pytest.mark.parametrize("name", ["when", "place_ward", "Sex", "n"])
def test_names_that_no_dimension_can_have(name):
    with pytest.raises(ValueError, match="dimension"):
        IncidentsSpec(kind="incidents", file="x", when="w", act="0101", dimensions={name: {"column": "c"}})


# ------------------------------------------------------------------------------------------------------- properties

CELLS = {
    "when": st.sampled_from(
        ["2019-04-23", "2019-02-31", "2020-01", "", "x", "2019-12-31T23:59:59Z", "9999-01-01", "13/01/2020"]
    ),
    "n": st.sampled_from(["1", "0", "-1", "", "2.5", "1,000", "x"]),
    "lat": st.sampled_from(["6.25", "612", "", "0", "x"]),
    "lon": st.sampled_from(["-75.5", "", "0", "-190"]),
    "s": st.sampled_from(["F", "Mujer", "?", "", "weird"]),
    "a": st.sampled_from(["3", "-1", "200", "15-19", "", "x"]),
}
ROW = st.tuples(*CELLS.values())
SPEC = IncidentsSpec.model_validate(
    {
        "kind": "incidents",
        "file": "t.csv",
        "delimiter": ";",
        "when": "when",
        "date_order": "dmy",
        "act": "0101",
        "longitude": "lon",
        "latitude": "lat",
        "unit": {"column": "n"},
        "dimensions": {
            "sex": {"column": "s", "map": {"F": "F", "Mujer": "F"}, "unknown": ["?"]},
            "age": {"column": "a", "bins": [0, 15, 25], "unknown": [-1]},
        },
    }
)
GOOD = ("2019-04-23", "1", "6.25", "-75.5", "F", "3")


def collect(rows):
    with TemporaryDirectory() as folder:
        text = "\n".join(";".join(row) for row in [tuple(CELLS), *rows]) + "\n"
        Path(folder, "t.csv").write_text(text, encoding="utf-8")
        got = collect_incidents("t", SPEC, Path(folder))
    assert got.table.num_rows + len(set(got.rejects.column("row").to_pylist())) == got.rows_read
    empty = sum(not any(row) for row in rows)
    assert got.rows_read == len(rows) - empty
    return got


def bag(*parts):
    return Counter(tuple(v for k, v in row.items() if k != "row") for part in parts for row in part.table.to_pylist())


@settings(max_examples=30)
@given(st.lists(ROW, max_size=12), st.randoms(use_true_random=False), st.integers(0, 12))
def test_nothing_is_lost_and_neither_order_nor_files_matter(rows, random, cut):
    rows = [GOOD, *rows]  # one coordinate can be read, so that the file is not refused
    whole = collect(rows)
    mixed = rows[:]
    random.shuffle(mixed)
    assert bag(collect(mixed)) == bag(whole)
    assert bag(collect(rows[: cut + 1]), collect([GOOD, *rows[cut + 1 :]])) == bag(whole, collect([GOOD]))
