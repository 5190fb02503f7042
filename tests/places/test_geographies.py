"""Reading a geography: ids, names, boundaries that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from places import helpers
from safercities.model.errors import SafercitiesError, Severity
from safercities.places.geographies import overlapping

BOXES = [shapely.box(k, 0, k + 1, 1) for k in range(3)]
ROWS = [{"code": f"0{k + 1}", "name": name} for k, name in enumerate(["LA CANDELARIA", "DOCE DE OCTUBRE", "McKinley"])]


def refused(folder, **spec):
    with pytest.raises(SafercitiesError) as error:
        helpers.load(folder, **spec)
    return list(error.value.problems)


def test_ids_keep_their_zeros_and_names_become_titles(tmp_path):
    helpers.geojson(tmp_path, BOXES, ROWS)
    found = helpers.load(tmp_path, name="name", title_case=True)
    assert [p.id for p in found.places] == ["01", "02", "03"]
    assert [p.name for p in found.places] == ["La Candelaria", "Doce de Octubre", "McKinley"]
    assert {p.parent for p in found.places} == {"T"}
    assert found.crs == "EPSG:4326"
    assert found.problems == ()
    assert helpers.load(tmp_path, name="name").places[0].name == "LA CANDELARIA"
    assert [p.name for p in helpers.load(tmp_path).places] == ["01", "02", "03"]


def test_whole_numbers_as_ids_have_no_decimals(tmp_path):
    helpers.geojson(tmp_path, BOXES, [{"code": k * 1.0, "old": k + 7} for k in range(3)])
    found = helpers.load(tmp_path, aliases={"old": "old"})
    assert [p.id for p in found.places] == ["0", "1", "2"]
    assert found.places[1].aliases == {"old": "8"}


def test_a_table_without_boundaries(tmp_path):
    (tmp_path / "wards.csv").write_text("code,in\n007,D1\n008,\n")
    found = helpers.load(tmp_path, file="wards.csv", parent_column="in")
    assert [(p.id, p.parent) for p in found.places] == [("007", "D1"), ("008", "T")]
    assert found.geometries is None
    assert found.crs is None


def test_two_places_with_one_id_name_both_rows(tmp_path):
    helpers.geojson(tmp_path, BOXES, [{"code": "1"}, {"code": "2"}, {"code": "1"}])
    (fault,) = refused(tmp_path)
    assert (fault.code, fault.row, fault.column) == ("place-id-repeated", 3, "code")
    assert "1, 3" in fault.what


def test_a_missing_id(tmp_path):
    helpers.geojson(tmp_path, BOXES, [{"code": "1"}, {"code": None}, {"code": " "}])
    (fault,) = refused(tmp_path)
    assert (fault.code, fault.row, fault.rows) == ("place-id-missing", 2, 2)


def test_a_missing_column_names_those_there_are(tmp_path):
    helpers.geojson(tmp_path, BOXES, ROWS)
    faults = refused(tmp_path, id="codigo", name="nombre")
    assert [f.column for f in faults] == ["codigo", "nombre"]
    assert "code, name" in faults[0].todo


BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


def test_a_polygon_that_crosses_itself_is_repaired_and_named(tmp_path):
    helpers.geojson(tmp_path, [BOW_TIE, *BOXES[1:]], ROWS)
    found = helpers.load(tmp_path)
    (fault,) = found.problems
    assert (fault.code, fault.row, fault.severity) == ("geography-repaired", 1, Severity.WARNING)
    assert "01" in fault.what
    assert shapely.is_valid(found.geometries).all()
    assert found.geometries[0].area == 0.5


def test_a_shell_in_a_shell_leaves_no_hole(tmp_path):
    outer, inner = shapely.box(0, 0, 10, 10), shapely.box(4, 4, 6, 6)
    nested = {"type": "MultiPolygon", "coordinates": [[list(p.exterior.coords)] for p in (outer, inner)]}
    helpers.geojson(tmp_path, [nested], ROWS[:1])
    assert helpers.load(tmp_path).geometries[0].area == 100


@pytest.mark.parametrize(
    "shape",
    [
        None,
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0], [0, 0]]]},
        {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
        {"type": "Point", "coordinates": [0, 0]},
    ],
)
def test_a_place_without_an_area_is_an_error(tmp_path, shape):
    helpers.geojson(tmp_path, [BOXES[0], shape], ROWS[:2])
    faults = refused(tmp_path)
    assert [(f.code, f.row) for f in faults] == [("geography-no-boundary", 2)]


def test_overlaps_are_refused_by_name_or_given_by_rule(tmp_path):
    shapes = [shapely.box(0, 0, 4, 4), shapely.box(3, 3, 5, 5), shapely.box(10, 0, 11, 1)]
    helpers.geojson(tmp_path, shapes, ROWS)
    (fault,) = refused(tmp_path)
    assert fault.code == "geography-overlaps"
    assert "01 and 02" in fault.what
    smallest = helpers.load(tmp_path, overlaps="smallest")
    assert smallest.order == (2, 1, 0)
    assert [p.code for p in smallest.problems] == ["geography-overlaps-by-rule"]
    assert helpers.load(tmp_path, overlaps="first").order == (0, 1, 2)


def test_slips_of_the_pen_are_tolerated_and_told(tmp_path):
    helpers.geojson(tmp_path, [shapely.box(0, 0, 1.0001, 1), shapely.box(1, 0, 2, 1), BOXES[2]], ROWS)
    (note,) = helpers.load(tmp_path).problems
    assert (note.code, note.severity) == ("geography-overlaps-slightly", Severity.NOTE)


def test_touching_is_no_overlap():
    assert all(len(part) == 0 for part in overlapping(np.array(BOXES)))


def test_boundaries_without_a_crs_ask_for_it(tmp_path):
    import pyogrio

    pyogrio.raw.write(
        tmp_path / "a.gpkg",
        geometry=shapely.to_wkb(np.array(BOXES)),
        field_data=[np.array(["1", "2", "3"], dtype=object)],
        fields=["code"],
        geometry_type="Polygon",
        driver="GPKG",
        crs="EPSG:27700",
    )
    assert helpers.load(tmp_path, file="a.gpkg").crs == "EPSG:27700"
    assert helpers.load(tmp_path, file="a.gpkg", crs="EPSG:3857").crs == "EPSG:3857"
    (fault,) = refused(tmp_path, file="a.gpkg", crs="EPSG:0")
    assert fault.code == "geography-crs-unknown"


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_shapefile_without_a_prj_asks_for_its_crs(tmp_path):
    import zipfile

    import pyogrio

    (tmp_path / "shp").mkdir()
    pyogrio.raw.write(
        tmp_path / "shp" / "a.shp",
        geometry=shapely.to_wkb(np.array(BOXES)),
        field_data=[np.array(["01", "02", "03"], dtype=object)],
        fields=["code"],
        geometry_type="Polygon",
        driver="ESRI Shapefile",
        crs=None,
    )
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for part in (tmp_path / "shp").iterdir():
            archive.write(part, part.name)
    (fault,) = refused(tmp_path, file="a.zip")
    assert (fault.code, fault.column) == ("geography-no-crs", "crs")
    found = helpers.load(tmp_path, file="a.zip", crs="EPSG:4326")
    assert [p.id for p in found.places] == ["01", "02", "03"]


def test_medellin(shared_data):
    found = helpers.load(
        shared_data, file="medellin/medellin_comunas.gpkg", id="COMUNA", name="NOMBRE", title_case=True
    )
    names = {p.id: p.name for p in found.places}
    assert len(names) == 21
    assert (names["01"], names["13"], names["80"]) == ("Popular", "San Javier", "San Antonio de Prado")
    assert [p.row for p in found.problems if p.code == "geography-repaired"] == [7]
    assert shapely.is_valid(found.geometries).all()


def test_lancashire(shared_data):
    found = helpers.load(shared_data, file="lancashire/lancashire_wards.gpkg", id="ward_code", name="ward_name")
    assert (len(found.places), found.crs, found.geographic) == (271, "EPSG:27700", False)
