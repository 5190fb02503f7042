"""Records to places."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from places import helpers
from safercities.places.hierarchy import Hierarchy
from safercities.places.locate import locate

SQUARES = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
WARDS = helpers.geography(SQUARES, ["01", "02"], parents=["A", "B"])
PLAIN = helpers.geography(SQUARES, ["01", "02"])
DISTRICTS = helpers.geography(None, ["A", "B"], level="district")


def run(collected, *geographies):
    tree = Hierarchy([helpers.TOP, *(p for g in geographies for p in g.places)])
    found = locate(collected, geographies, tree)
    total = collected.table.num_rows
    for level in found.levels:
        column = found.collected.table.column(f"place_{level}")
        assert column.null_count == 0
        assert sum(found.counts[level].values()) == total
        placed = sum(value != "_U" for value in column.to_pylist())
        assert found.counts[level]["placed"] == placed
        assert sum(lost == level for lost in found.unlocated.column("level").to_pylist()) == total - placed
    return found


def places(found, level="ward"):
    return found.collected.table.column(f"place_{level}").to_pylist()


def codes(found):
    return [p.code for p in found.problems]


def test_by_coordinates_and_up_through_the_parents():
    found = run(helpers.records([0.5, 1.5, 1.0, 9.0, None], [0.5] * 5), DISTRICTS, WARDS)
    assert places(found) == ["01", "02", "01", "_U", "_U"]
    assert places(found, "district") == ["A", "B", "A", "_U", "_U"]
    assert found.counts["ward"] == {"placed": 3, "no_coordinates": 1, "outside": 1, "unknown_code": 0}
    (fault,) = [p for p in found.problems if p.code == "place-outside"]
    assert (fault.file, fault.row, fault.rows) == ("cases.csv", 5, 1)
    assert "9.0" not in str(fault)  # where somebody was harmed does not reach a message
    lost = [row for row in found.unlocated.to_pylist() if row["level"] == "ward"]
    assert lost == [
        {"row": 5, "level": "ward", "why": "outside"},
        {"row": 6, "level": "ward", "why": "no_coordinates"},
    ]


def test_points_outside_several_levels_are_said_once():
    districts = helpers.geography([SQUARES[0]], ["A"], level="district")
    found = run(helpers.records([0.5, 9.0, 8.0], [0.5] * 3), districts, PLAIN)
    assert [(p.what, p.rows) for p in found.problems if p.code == "place-outside"] == [
        ("this point lies outside every district or ward", 2)
    ]
    found = run(helpers.records([0.5, 9.0, 1.5], [0.5] * 3), districts, PLAIN)
    assert [(p.what, p.rows) for p in found.problems if p.code == "place-outside"] == [
        ("this point lies outside every district", 2),
        ("this point lies outside every ward", 1),
    ]


def test_a_code_wins_over_coordinates_and_a_record_without_one_uses_them():
    found = run(
        helpers.records([1.5, 1.5, 1.5, 1.5], [0.5] * 4, code_ward=["01", "Name 01", None, "99"]), WARDS, DISTRICTS
    )
    assert places(found) == ["01", "01", "02", "_U"]
    assert places(found, "district") == ["A", "A", "B", "_U"]
    (fault,) = [p for p in found.problems if p.code == "place-code-unknown"]
    assert (fault.row, fault.rows, fault.column) == (5, 1, "places.ward")
    assert found.counts["ward"]["unknown_code"] == 1


def test_unmatched_codes_on_both_sides():
    found = run(helpers.records(code_ward=["1", "x", "x", "01"]), PLAIN)
    faults = {dict(p.details)["value"]: p for p in found.problems if p.code == "place-code-unknown"}
    assert (faults["x"].row, faults["x"].rows) == (3, 2)
    assert "did you mean 01" in faults["1"].todo
    (never,) = [p for p in found.problems if p.code == "place-never-named"]
    assert "02" in never.what


def test_a_long_list_of_unknown_codes_is_cut_and_said():
    found = run(helpers.records(code_ward=[f"x{k}" for k in range(30)]), PLAIN)
    assert codes(found).count("place-code-unknown") == 20
    (more,) = [p for p in found.problems if p.code == "place-codes-more"]
    assert more.rows == 10


def test_an_alias_and_a_level_without_boundaries_or_codes():
    found = run(helpers.records(code_district=["A", "B"]), DISTRICTS, WARDS)
    assert places(found, "district") == ["A", "B"]
    assert places(found) == ["_U", "_U"]
    assert found.counts["ward"]["no_coordinates"] == 2
    assert "place-level-unreachable" in codes(found)


def test_an_unknown_code_is_not_guessed_from_a_finer_level():
    found = run(helpers.records([0.5], [0.5], code_district=["Z"]), DISTRICTS, WARDS)
    assert places(found) == ["01"]
    assert places(found, "district") == ["_U"]


def test_coordinates_in_another_crs():
    import pyproj

    x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform([0.5, 1.5], [0.5, 0.5])
    found = run(helpers.records(list(x), list(y), crs="EPSG:3857"), PLAIN)
    assert places(found) == ["01", "02"]


def test_an_easting_given_as_a_latitude_is_an_error_that_names_the_crs():
    found = run(helpers.records([393000.0, 393100.0], [436000.0, 436100.0]), PLAIN)
    (fault,) = [p for p in found.problems if p.severity == "error"]
    assert fault.code == "place-all-outside"
    assert "crs" in fault.todo
    assert places(found) == ["_U", "_U"]


def test_exchanged_coordinates_are_recognised():
    found = run(helpers.records([0.5, 0.4], [1.5, 1.4]), PLAIN)
    (fault,) = [p for p in found.problems if p.code == "place-all-outside"]
    assert "changed places" in fault.todo


@pytest.mark.parametrize("y", [612.0, -91.0, float("inf")])
def test_an_impossible_latitude_is_outside(y):
    collected = helpers.records([0.5, 0.5], [y, 0.5])
    wards = helpers.geography(SQUARES, ["01", "02"], crs="EPSG:4326")
    assert places(run(collected, wards)) == ["_U", "01"]
    moved = helpers.geography([shapely.box(0, 0, 1e5, 1e5)], ["01"], crs="EPSG:3857")
    assert places(run(collected, moved)) == ["_U", "01"]


def test_over_the_antimeridian():
    fiji = helpers.geography([shapely.box(177, -19, 182, -16)], ["fj"])
    found = run(helpers.records([178.0, 180.0, -180.0, -179.9, 180.1, -177.0], [-17.0] * 6), fiji)
    assert places(found) == ["fj", "fj", "fj", "fj", "fj", "_U"]


OLD = helpers.geography(SQUARES, ["01", "02"], valid_to=date(2019, 12, 31))
NEW = helpers.geography([shapely.box(0, 0, 2, 1)], ["03"], valid_from=date(2020, 1, 1))


def test_a_record_gets_the_place_that_was_valid_on_its_day():
    when = ["2019-12-31T23:59:59", "2020-01-01T00:00:00", "2019-01-01", "2024-01-01"]
    found = run(helpers.records([1.5] * 4, [0.5] * 4, when=when), OLD, NEW)
    assert places(found) == ["02", "03", "02", "03"]
    assert found.levels == ("ward",)


def test_a_code_of_a_place_that_was_gone_is_reported():
    found = run(
        helpers.records(code_ward=["01", "03", "03"], when=["2021-05-05", "2021-05-05", "2001-01-01"]), OLD, NEW
    )
    assert places(found) == ["_U", "03", "_U"]
    assert all("not valid on that day" in p.todo for p in found.problems if p.code == "place-code-unknown")
    assert found.counts["ward"]["unknown_code"] == 2


def test_parents_of_the_day():
    old = helpers.geography(SQUARES[:1], ["01"], parents=["A"], valid_to=date(2019, 12, 31))
    new = helpers.geography(SQUARES[:1], ["01"], parents=["B"], valid_from=date(2020, 1, 1))
    found = run(helpers.records([0.5, 0.5], [0.5, 0.5], when=["2019-06-01", "2020-06-01"]), DISTRICTS, old, new)
    assert places(found, "district") == ["A", "B"]


def test_levels_that_contradict_each_other_are_told():
    found = run(helpers.records([0.5, 1.5], [0.5, 0.5], code_district=["B", "B"]), DISTRICTS, WARDS)
    (note,) = [p for p in found.problems if p.code == "place-levels-apart"]
    assert (note.row, note.rows) == (2, 1)
    assert places(found, "district") == ["B", "B"]


def test_overlaps_go_by_the_order():
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(4, 4, 6, 6)]
    for order, expected in (((0, 1), "big"), ((1, 0), "small")):
        found = run(helpers.records([5.0], [5.0]), helpers.geography(shapes, ["big", "small"], order=order))
        assert places(found) == [expected]


def test_no_records_and_no_geographies():
    found = run(helpers.records([], []), PLAIN)
    assert found.unlocated.num_rows == 0
    assert found.counts["ward"] == {"placed": 0, "no_coordinates": 0, "outside": 0, "unknown_code": 0}
    nothing = run(helpers.records([0.5], [0.5]))
    assert nothing.levels == ()


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(-1, 3)),
            st.one_of(st.none(), st.sampled_from(["01", "02", "x"])),
            st.one_of(st.none(), st.sampled_from(["A", "B", "y"])),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_record_has_one_place_a_level_and_nothing_is_lost(rows):
    x, ward, district = (list(part) for part in zip(*rows, strict=True))
    y = [None if value is None else 0.5 for value in x]
    found = run(helpers.records(x, y, code_ward=ward, code_district=district), DISTRICTS, WARDS)
    for here, code, place in zip(x, ward, places(found), strict=True):
        inside = None if here is None or not 0 <= here <= 2 else ("01" if here <= 1 else "02")
        assert place == ({"x": "_U"}.get(code, code) if code is not None else inside or "_U")


def test_medellin(shared_data):
    import csv

    comunas = helpers.load(shared_data, file="medellin/medellin_comunas.gpkg", id="COMUNA", name="NOMBRE")
    with (shared_data / "medellin" / "medellin_homicides.csv").open(encoding="latin-1") as file:
        rows = list(csv.DictReader(file, delimiter=";"))

    def number(text):
        return float(text.replace(",", ".")) if text not in ("", "NA") else None

    x, y = [number(row["longitud"]) for row in rows], [number(row["latitud"]) for row in rows]
    found = run(helpers.records(x, y), comunas)
    assert found.counts["ward"] == {"placed": 9277, "no_coordinates": 81, "outside": 2, "unknown_code": 0}
    held = dict(zip(*np.unique(places(found), return_counts=True), strict=True))
    assert (held["13"], held["10"], held["_U"]) == (1036, 1258, 83)


def test_lancashire_is_located_to_the_last_record(shared_data):
    import csv

    wards = helpers.load(shared_data, file="lancashire/lancashire_wards.gpkg", id="ward_code")
    with (shared_data / "lancashire" / "lancashire_asb.tab").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = run(helpers.records([float(r["longitude"]) for r in rows], [float(r["latitude"]) for r in rows]), wards)
    assert found.counts["ward"] == {"placed": 56434, "no_coordinates": 0, "outside": 0, "unknown_code": 0}
    assert len(set(places(found))) == 271
    assert codes(found) == ["place-accuracy"]
