"""Ties found from boundaries."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from places import helpers
from safercities.model.errors import SafercitiesError
from safercities.places.hierarchy import Hierarchy
from safercities.places.spec import GeographySpec
from safercities.places.within import neighbours, tie

DISTRICTS = helpers.geography([shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)], ["A", "B"], level="district")

SQUARE = helpers.geography([shapely.box(0, 0, 1, 1)], ["1"])


def specs(*within):
    return [GeographySpec(level="x", file="f", id="i", within=level) for level in within]


def tied(wards, upper=DISTRICTS):
    return tie([wards, upper], specs("district", None))[0]


def test_the_parent_is_where_most_of_the_area_lies():
    wards = helpers.geography([shapely.box(0, 0, 1, 1), shapely.box(1.95, 0, 3.95, 1)], ["1", "2"])
    found = tied(wards)
    assert [p.parent for p in found.places] == ["A", "B"]
    assert found.problems == ()
    assert found.places[0].name == "Name 1"


def test_an_unclear_tie_is_named():
    wards = helpers.geography([shapely.box(1, 0, 2.5, 1), shapely.box(0, 0, 1, 1)], ["1", "2"])
    found = tied(wards)
    assert [p.parent for p in found.places] == ["A", "A"]
    (warning,) = found.problems
    assert warning.code == "within-unclear"
    assert "1 (67% in A)" in warning.what


def test_in_another_crs():
    import pyproj

    move = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    shapes = shapely.transform(DISTRICTS.geometries, move.transform, interleaved=False)
    upper = helpers.geography(shapes, ["A", "B"], level="district", crs="EPSG:3857")
    wards = helpers.geography([shapely.box(0, 0, 1, 1), shapely.box(3, 0, 4, 1)], ["1", "2"])
    assert [p.parent for p in tied(wards, upper).places] == ["A", "B"]


@pytest.mark.parametrize(
    ("wards", "upper", "code"),
    [
        (helpers.geography([shapely.box(9, 9, 10, 10)], ["1"]), DISTRICTS, "within-nowhere"),
        (helpers.geography(None, ["1"]), DISTRICTS, "within-no-boundaries"),
        (SQUARE, helpers.geography(None, ["A"], level="district"), "within-no-boundaries"),
        (SQUARE, helpers.geography(None, ["A"], level="region"), "within-no-level"),
    ],
)
def test_what_cannot_be_tied(wards, upper, code):
    with pytest.raises(SafercitiesError) as error:
        tied(wards, upper)
    assert [p.code for p in error.value.problems] == [code]


def test_neighbours_share_a_border_not_a_corner():
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(1.0001, 0, 2, 1), shapely.box(1, 1, 2, 2), shapely.box(5, 5, 6, 6)]
    found = neighbours(helpers.geography(shapes, ["a", "b", "c", "d"]))
    assert found == {"a": ("b",), "b": ("a", "c"), "c": ("b",), "d": ()}
    assert neighbours(helpers.geography(None, ["a"])) == {}


def test_lancashire(shared_data):
    wards = helpers.load(shared_data, file="lancashire/lancashire_wards.gpkg", id="ward_code")
    districts = helpers.load(
        shared_data, level="district", file="lancashire/lancashire_districts.geojson", id="objectid", name="district"
    )
    found = tied(wards, districts)
    tree = Hierarchy([helpers.TOP, *districts.places, *found.places])
    assert len(tree.descend("E06000009", "ward")) == 21  # Blackpool has 21 wards
    assert tree.ancestors("E05001643")[0].name == "Blackpool"
    near = neighbours(found)
    assert all(near.values())
    assert all(a in near[b] for a in near for b in near[a])
    assert 4 < np.mean([len(others) for others in near.values()]) < 6
