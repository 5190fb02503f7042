"""Points in polygons: PointLocator against shapely's own test of every pair."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.places.grid import PointLocator


def brute(geometries, x, y):
    """Lowest index of the polygons that cover each point; every pair is tested."""
    found = np.full(len(x), -1, dtype=np.int32)
    for index in reversed(range(len(geometries))):
        if geometries[index] is not None:
            found[shapely.covers(geometries[index], shapely.points(x, y))] = index
    return found


def telling_points(geometries, seed=0, count=200):
    """Vertices, middles of edges, points close to both, and points anywhere."""
    rng = np.random.default_rng(seed)
    there = [g for g in geometries if g is not None and not g.is_empty]
    corners = shapely.get_coordinates(there)
    middles = (corners[1:] + corners[:-1]) / 2
    exact = np.concatenate([corners, middles])
    size = np.ptp(corners, axis=0).max()
    close = exact + rng.normal(0, 1e-9 * size, exact.shape)
    low, high = corners.min(axis=0) - size / 10, corners.max(axis=0) + size / 10
    return np.concatenate([exact, close, rng.uniform(low, high, (count, 2))]).T


def assert_same(geometries, x, y, **options):
    found = PointLocator(geometries, **options).locate(x, y)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, brute(geometries, x, y))


def star(rng, centre, radius, corners, hole):
    """A polygon with corners at random distances around its centre; where asked with a hole of the same shape."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    far = rng.uniform(0.2, 1, corners) * radius
    ring = np.stack([centre[0] + far * np.cos(angle), centre[1] + far * np.sin(angle)], axis=1)
    shape = shapely.Polygon(ring)
    if hole:
        shape = shapely.Polygon(ring, [(ring - centre) * 0.4 + centre])
    return shapely.make_valid(shape, method="structure", keep_collapsed=False)


@st.composite
def scattered(draw):
    """Polygons that may touch, overlap, lie in each other, be empty or missing; MultiPolygons and holes among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = []
    for _ in range(draw(st.integers(1, 6))):
        parts = [
            star(rng, rng.uniform(0, 10, 2), rng.uniform(0.1, 6), rng.integers(3, 14), rng.random() < 0.4)
            for _ in range(rng.integers(1, 4))
        ]
        shapes.append(shapely.union_all(parts))
    if draw(st.booleans()):
        shapes.insert(int(rng.integers(0, len(shapes) + 1)), draw(st.sampled_from([None, shapely.Polygon()])))
    return shapes


@st.composite
def tessellations(draw):
    """Polygons that tile an area: neighbours share their vertices to the last digit. On whole numbers, or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.uniform(0, 10, (draw(st.integers(4, 30)), 2))
    if draw(st.booleans()):
        corners = np.unique(corners.round(), axis=0)
    shapes = list(shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(corners))))
    rng.shuffle(shapes)
    pairs = [shapely.union_all(shapes[k : k + 2]) for k in range(0, len(shapes) // 2, 2)]
    return [*pairs, *shapes[len(shapes) // 2 :]] or [shapely.box(0, 0, 1, 1)]


@given(shapes=st.one_of(scattered(), tessellations()), cells=st.sampled_from([None, 1, 7, 100, 20_000]))
def test_equals_a_test_of_every_pair(shapes, cells):
    assert_same(shapes, *telling_points([*shapes, shapely.box(0, 0, 1, 1)]), cells=cells)


@given(shapes=tessellations(), move=st.sampled_from([1e3, 1e7, -1e12]), scale=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=30)
def test_equals_a_test_of_every_pair_wherever_the_origin_is(shapes, move, scale):
    shapes = [g for g in shapely.transform(shapes, lambda xy: xy * scale + move) if shapely.is_valid(g) and g.area > 0]
    if shapes:
        assert_same(shapes, *telling_points(shapes))


@given(shapes=scattered(), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_the_order_says_who_wins(shapes, seed):
    order = np.random.default_rng(seed).permutation(len(shapes))
    x, y = telling_points([*shapes, shapely.box(0, 0, 1, 1)])
    expected = brute([shapes[k] for k in order], x, y)
    found = PointLocator(shapes, order=order).locate(x, y)
    np.testing.assert_array_equal(found, np.append(order, -1)[expected])


@pytest.mark.parametrize("height", [1e-3, 1e-7, 1e-12, 1e-14])
@pytest.mark.parametrize("cells", [None, 64, 100_000])
def test_slivers_and_almost_flat_edges(height, cells):
    long = shapely.Polygon([(0, 0.5), (1000, 0.5 + height), (1000, 0.5 + 2 * height), (0, 0.5 + height)])
    above = shapely.Polygon([(0, 0.5 + height), (1000, 0.5 + 2 * height), (1000, 1), (0, 1)])
    below = shapely.Polygon([(0, 0), (1000, 0), (1000, 0.5 + height), (0, 0.5)])
    x, y = telling_points([long, above, below], count=0)
    along = np.linspace(0, 1000, 2001)
    many_x = np.concatenate([x, *[along] * 5])
    many_y = np.concatenate([y, *[0.5 + height * (k / 2 + along / 1000) for k in range(5)]])
    assert_same([long, above, below], many_x, many_y, cells=cells)


def test_a_shared_border_belongs_to_the_first_and_the_outer_border_is_inside():
    boxes = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0, 1, 1, 2), shapely.box(1, 1, 2, 2)]
    x, y = [1, 1, 1, 0, 0, 2, 2, 0.5], [0.5, 1, 1.5, 0, 2, 0, 2, 1]
    assert PointLocator(boxes).locate(x, y).tolist() == [0, 0, 2, 0, 2, 1, 3, 0]
    assert PointLocator(boxes, order=[3, 2, 1, 0]).locate(x, y).tolist() == [1, 3, 3, 0, 2, 1, 3, 2]


def test_a_hole_is_outside_its_rim_is_inside_and_an_island_in_it_counts():
    lake = shapely.box(0, 0, 10, 10).difference(shapely.box(2, 2, 8, 8))
    with_island = shapely.union_all([lake, shapely.box(4, 4, 6, 6)])
    x = y = [1.0, 2.0, 3.0, 4.0, 5.0]
    for cells in (None, 4, 10_000):
        assert PointLocator([lake], cells=cells).locate(x, y).tolist() == [0, 0, -1, -1, -1]
        assert PointLocator([with_island], cells=cells).locate(x, y).tolist() == [0, 0, -1, 0, 0]


def test_every_part_of_a_multipolygon_is_found():
    boxes = [shapely.box(3 * k, 0, 3 * k + 2, 2) for k in range(50)]
    x = np.arange(50) * 3 + 1.0
    assert (PointLocator([shapely.MultiPolygon(boxes)]).locate(x, np.ones(50)) == 0).all()
    assert (PointLocator([shapely.MultiPolygon(boxes)]).locate(x + 1.5, np.ones(50)) == -1).all()


def test_a_place_that_covers_others_is_found_between_them():
    city, park, pond = shapely.box(0, 0, 100, 100), shapely.box(40, 40, 60, 60), shapely.box(49.9, 49.9, 50.1, 50.1)
    x, y = telling_points([city, park, pond], count=3000)
    assert_same([city, park, pond], x, y)
    assert_same([pond, park, city], x, y)
    assert_same([pond, park, city], x, y, cells=9)


def test_nan_infinite_and_far_points_are_outside_without_a_warning():
    far = [np.nan, 0.5, np.inf, -np.inf, 1e300, -1e300, 0.5]
    assert PointLocator([shapely.box(0, 0, 1, 1)]).locate(far, [0.5, np.nan, 0.5, 0.5, 0.5, 1e300, 0.5]).tolist() == [
        *[-1] * 6,
        0,
    ]


@pytest.mark.parametrize("nothing", [[], [None], [shapely.Polygon()], [shapely.LineString([(0, 0), (1, 1)])]])
def test_no_polygons_hold_nothing(nothing):
    assert PointLocator(nothing, period=360).locate([0.5, 0.0], [0.5, 0.0]).tolist() == [-1, -1]


def test_no_points():
    assert len(PointLocator([shapely.box(0, 0, 1, 1)]).locate([], [])) == 0


def test_many_points_at_one_spot_in_a_border_cell():
    x = np.full(3_000_000, 1.0)
    found = PointLocator([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]).locate(x, x * 0.5)
    assert (found == 0).all()


def test_coordinates_that_are_too_large_are_refused():
    with pytest.raises(ValueError, match="too large"):
        PointLocator([shapely.box(-1e308, 0, 1.7e308, 1)])


ISLANDS = [
    shapely.MultiPolygon([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)]),
    shapely.box(181.5, -10, 185, -5),
]


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (179, -17, 0),
        (180, -17, 0),
        (-180, -17, 0),
        (-179.9, -17, 0),
        (180.1, -17, 0),
        (182.5, -17, -1),
        (-177, -7, 1),
        (183, -7, 1),
        (-178.5, -7, 1),
        (-179, -7, -1),
        (0, -17, -1),
    ],
)
def test_longitudes_go_round(x, y, place):
    assert PointLocator(ISLANDS, period=360).locate([x], [y]).tolist() == [place]


def test_at_the_seam_too_the_first_wins():
    east, west = shapely.box(170, 0, 180, 10), shapely.box(-180, 0, -170, 10)
    assert PointLocator([west, east], period=360).locate([180, -180, 540 - 360], [5, 5, 5]).tolist() == [0, 0, 0]
    assert PointLocator([east, west], period=360).locate([180, -180], [5, 5]).tolist() == [0, 0]
