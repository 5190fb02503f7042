"""Safety audits: points with ratings from 0 to 3; a slip never becomes a score."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.collect.audits import collect_audits
from safercities.collect.spec import AuditsSpec, RubricFrom
from safercities.config import ObservatorySpec
from safercities.measure.rubric import rubric
from safercities.model.errors import SafercitiesError, Severity
from safercities.model.spec import parse


def table(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def problems(got, code):
    return [(p.row, p.column, p.rows) for p in got.problems if p.code == code]


def rejects(got):
    return [(r["row"], r["column"], r["code"]) for r in got.rejects.to_pylist()]


def test_the_parameters_are_those_that_are_scored():
    assert tuple(RubricFrom.model_fields) == rubric().codes
    assert set(rubric().codes) == {
        *("lighting", "openness", "visibility", "people", "security"),
        *("walkpath", "transport", "gender_usage", "feeling"),
    }


def test_columns_and_types(audits):
    got = audits(
        "when;lon;lat;b;walk;m;time;li;pe\n2024-03-05 20:30;1,5;2,5;W1;a;12,5;night;3;\n",
        decimal=",",
        longitude="lon",
        latitude="lat",
        places={"ward": "b"},
        walk="walk",
        weight="m",
        dimensions={"hour": {"column": "time", "of": "event"}},
        rubric={"lighting": "li", "people": {"column": "pe"}},
    )
    assert {field.name: str(field.type) for field in got.table.schema} == {
        "row": "int64",
        "when": "timestamp[us]",
        "walk": "string",
        "weight": "double",
        "x": "double",
        "y": "double",
        "hour": "string",
        "code_ward": "string",
        "rating_lighting": "double",
        "rating_people": "double",
    }
    (row,) = got.table.to_pylist()
    assert (row["when"], row["walk"], row["weight"]) == (datetime(2024, 3, 5, 20, 30), "a", 12.5)
    assert (row["rating_lighting"], row["rating_people"]) == (3.0, None)
    assert (got.kind, got.unit, got.precision, got.dimensions[0].of) == ("audits", "points", "day", "event")


def test_a_rating_that_is_none_rejects_the_row(audits):
    cells = ["0", "3", "", "NA", "4", "-1", "1.5", "good", "2.0"]
    got = audits(table("when,li", *[f"2024-03-05,{cell}" for cell in cells]))
    assert got.table.column("rating_lighting").to_pylist() == [0, 3, None, None, 2]
    assert rejects(got) == [(row, "li", "rating-wrong") for row in (6, 7, 8, 9)]
    assert all(p.severity is Severity.ERROR for p in got.problems if p.code == "rating-wrong")
    assert got.problems[0].what == "4 is no rating of lighting: the row was rejected"
    assert problems(got, "point-unrated") == [(4, None, 2)]


def test_a_map_names_every_value_and_unknown_what_was_not_rated(audits):
    how = {"column": "li", "map": {"dark": 0, "poor": 1, "good": 3}, "unknown": ["not seen", 9]}
    cells = ["dark", "poor", "good", "not seen", "9", "3", "bright"]
    got = audits(table("when,li", *[f"2024-03-05,{cell}" for cell in cells]), rubric={"lighting": how})
    assert got.table.column("rating_lighting").to_pylist() == [0, 1, 3, None, None]
    assert [row for row, _, _ in rejects(got)] == [7, 8]  # 3 is no word of the map


def test_dates_walks_and_weights_that_are_none(audits):
    rows = ["2024-03-05,a,1,1", ",a,1,1", "2024-03-05,,1,1", "2024-03-05,a,x,1", "2024-03-05,a,0,1", "1985-01-01,a,1,1"]
    got = audits(table("when,walk,m,li", *rows), walk="walk", weight="m")
    assert rejects(got) == [
        (3, "when", "date-missing"),
        (4, "walk", "walk-missing"),
        (5, "m", "weight-unreadable"),
        (7, "when", "date-too-early"),
    ]
    assert audits("when,li\n2024,1\n").table.column("weight").to_pylist() == [1.0]


def test_a_parameter_that_nobody_rated_is_said(audits):
    got = audits("when,li,pe\n2024-03-05,1,\n2024-03-05,2,\n", rubric={"lighting": "li", "people": "pe"})
    assert problems(got, "ratings-none") == [(2, "pe", 2)]
    assert problems(got, "point-unrated") == []


def test_repeated_ids_and_missing_columns(audits):
    got = audits("id,when,li\n1,2024-03-05,1\n1,2024-03-05,2\n", id="id")
    assert rejects(got) == [(3, "id", "id-twice-different")]
    with pytest.raises(SafercitiesError) as caught:
        audits("when,li\n2024-03-05,1\n", walk="route", rubric={"lighting": "light"})
    assert [p.column for p in caught.value.problems] == ["route", "light"]


def test_numbers_of_any_type_and_points_of_a_file(tmp_path):
    columns = {"when": pa.array([datetime(2024, 3, 5)]), "li": pa.array([2], pa.int8()), "pe": pa.array([3.0])}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    spec = AuditsSpec(kind="audits", file="a.parquet", when="when", rubric={"lighting": "li", "people": "pe"})
    assert collect_audits("a", spec, tmp_path).table.select(["rating_lighting", "rating_people"]).to_pylist() == [
        {"rating_lighting": 2.0, "rating_people": 3.0}
    ]
    point = (
        '{"type":"Feature","properties":{"when":"2024-03-05","li":1},"geometry":{"type":"Point","coordinates":[5,6]}}'
    )
    (tmp_path / "a.geojson").write_text(f'{{"type":"FeatureCollection","features":[{point}]}}', encoding="utf-8")
    spec = AuditsSpec(kind="audits", file="a.geojson", when="when", rubric={"lighting": "li"})
    got = collect_audits("a", spec, tmp_path)
    assert (got.table["x"].to_pylist(), got.table["y"].to_pylist(), got.crs) == ([5.0], [6.0], "EPSG:4326")


@pytest.mark.parametrize(
    ("keys", "column", "words"),
    [
        ({"rubric": {}}, "rubric", "at least one parameter: lighting, openness"),
        ({"rubric": {"lightning": "li"}}, "rubric.lightning", "did you mean lighting"),
        (
            {"rubric": {"lighting": {"column": "li", "map": {"dark": 4}}}},
            "rubric.lighting.map",
            "ratings are 0, 1, 2, 3",
        ),
        ({"walks": "w"}, "walks", "did you mean walk"),
        ({"weight": 0}, "weight", "greater than 0"),
        ({"latitude": "y"}, "", "longitude and latitude belong together"),
        ({"dimensions": {"walk": {"column": "w"}}}, "dimensions", "no dimension can be called walk"),
        ({"dimensions": {"rating_x": {"column": "w"}}}, "dimensions", "no dimension can be called rating_x"),
    ],
)
def test_what_cannot_be_is_said_at_its_key(keys, column, words):
    usual = {"kind": "audits", "file": "a.csv", "when": "when", "rubric": {"lighting": "li"}}
    data = {"observatory": {"name": "x", "place": "XA-X"}, "sources": {"walks": usual | keys}}
    with pytest.raises(SafercitiesError) as caught:
        parse(ObservatorySpec, data, file="observatory.toml")
    first = caught.value.problems[0]
    assert first.column == f"sources.walks.{column}".rstrip(".")
    assert words in str(caught.value)


@given(st.lists(st.sampled_from(["0", "1", "2", "3", "", "4", "x", "3.0", "1,0"]), min_size=1, max_size=30))
def test_every_point_is_kept_with_a_rating_of_the_rubric_or_listed(cells):
    import tempfile
    from pathlib import Path

    spec = AuditsSpec(kind="audits", file="a.csv", delimiter=";", when="when", rubric={"lighting": "li"})
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.csv").write_text(table("when;li", *[f"2024;{cell}" for cell in cells]), encoding="utf-8")
        got = collect_audits("walks", spec, Path(folder))
    good = {"0": 0, "1": 1, "2": 2, "3": 3, "3.0": 3, "": None}
    assert got.table.column("rating_lighting").to_pylist() == [good[cell] for cell in cells if cell in good]
    assert got.rows_rejected == sum(cell not in good for cell in cells) == len(set(got.rejects["row"].to_pylist()))
