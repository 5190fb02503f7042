"""The city's ground is a proper map."""

from __future__ import annotations

import numpy as np
import shapely

from safercities.demo.shape import DISTRICTS, ground


def test_neighbourhoods_are_valid_single_polygons():
    polygons = ground().polygons
    assert len(polygons) == sum(map(len, DISTRICTS.values())) == 40
    assert shapely.is_valid(polygons).all()
    assert set(shapely.get_type_id(polygons)) == {shapely.GeometryType.POLYGON.value}


def test_neighbours_share_their_borders_point_by_point():
    polygons = ground().polygons
    assert shapely.coverage_is_valid(polygons)
    touching = shapely.touches(polygons[:, None], polygons[None, :]).sum(axis=1)
    assert (touching >= 1).all()


def test_districts_are_made_of_their_neighbourhoods():
    city = ground()
    districts = city.district_polygons()
    assert set(shapely.get_type_id(districts)) == {shapely.GeometryType.POLYGON.value}
    np.testing.assert_allclose(shapely.area(districts).sum(), shapely.area(city.polygons).sum(), rtol=1e-12)
    assert shapely.covers(districts[city.district], shapely.buffer(city.polygons, -1e-7)).all()


def test_the_river_belongs_to_no_neighbourhood():
    whole = shapely.union_all(ground().polygons)
    assert len(shapely.get_parts(whole)) == 2


def test_names_and_codes_are_unique():
    city = ground()
    assert len(set(city.codes)) == len(set(city.names)) == 40
    assert [code.split("-")[0] for code in city.codes] == [city.district_codes[index] for index in city.district]
