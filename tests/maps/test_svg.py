"""Maps: classes, hatching, places without data, gaps, sizes."""

from __future__ import annotations

import re
from itertools import combinations, product
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from safercities.maps.classes import breaks, classify
from safercities.maps.page import draw, path_data
from safercities.maps.svg import Areas, Layer, MapText, choropleth, symbols


def squares(n: int) -> np.ndarray:
    return np.array([shapely.box(x, 0, x + 1, 1) for x in range(n)], dtype=object)


def layer(values: list[float], few: tuple[int, ...] = ()) -> Layer:
    return Layer(np.array(values), [f"place {i}" for i in range(len(values))], np.isin(np.arange(len(values)), few))


def area(path: str) -> float:
    """Area of a path made by `path_data`, by reading it back."""
    x = y = total = 0.0
    ring: list[tuple[float, float]] = []
    for letter, numbers in re.findall(r"([MmLlHhVvZ])([^MmLlHhVvZ]*)", path):
        values = [float(n) for n in re.findall(r"-?\d*\.?\d+", numbers)]
        if letter == "Z":
            total += shapely.Polygon(ring).area
            continue
        if letter == "M":
            x, y = values
            ring = []
        elif letter == "l":
            x, y = x + values[0], y + values[1]
        elif letter in "Hh":
            x = values[0] + (x if letter == "h" else 0)
        else:
            y = values[0] + (y if letter == "v" else 0)
        ring.append((x, y))
    return total


@given(st.lists(st.floats(0, 1e6, allow_nan=False) | st.just(float("nan")), max_size=60))
def test_classes_hold_every_value_and_none_is_empty(values):
    array = np.array(values, dtype=np.float64)
    limits = breaks(array)
    found = classify(array, limits)
    assert limits == sorted(set(limits))
    assert len(limits) <= 4
    assert ((found == -1) == np.isnan(array)).all()
    if (found >= 0).any():
        assert set(found[found >= 0].tolist()) == set(range(len(limits) + 1))


def spread(values, limits):
    return sum(((part - part.mean()) ** 2).sum() for part in np.split(values, np.searchsorted(values, limits)))


@given(st.lists(st.integers(0, 200), min_size=5, max_size=9, unique=True))
def test_no_other_five_classes_are_more_alike_inside(values):
    array = np.sort(np.array(values, dtype=np.float64))
    best = min(spread(array, array[list(cut)]) for cut in combinations(range(1, len(array)), 4))
    assert spread(array, breaks(array)) == pytest.approx(best)


def test_many_values_are_classed_too():
    values = np.random.default_rng(1).gamma(2, 20, 5000)
    assert (np.bincount(classify(values, breaks(values))) > 50).all()


def test_places_without_data_have_their_own_pattern_and_the_legend_says_so():
    svg = choropleth(Areas(squares(3)), layer([1.0, 5.0, np.nan]), MapText("T", "D", no_data="nothing known"))
    assert '<path d="' in svg
    assert re.search(r'fill="url\(#map-none\)"[^>]*><title>place 2</title>', svg)
    assert "nothing known" in svg
    assert "nothing known" not in choropleth(
        Areas(squares(2)), layer([1.0, 5.0]), MapText("T", "D", no_data="nothing known")
    )


def test_unreliable_places_are_hatched_over_their_colour():
    plain = choropleth(Areas(squares(2)), layer([1.0, 5.0]), MapText("T", "D", unreliable="few"))
    hatched = choropleth(Areas(squares(2)), layer([1.0, 5.0], few=(1,)), MapText("T", "D", unreliable="few"))
    assert "few</text>" not in plain
    assert "few</text>" in hatched
    assert 'fill="url(#map-few)" pointer-events="none"' in hatched
    assert 'fill="var(--amount-5,#00204d)"><title>place 1</title>' in hatched


def test_titles_are_escaped_and_the_document_is_xml():
    svg = choropleth(
        Areas(squares(1)), Layer(np.array([1.0]), ["<b>&\"'"], np.array([False])), MapText("<t>", "&d", legend="<l>")
    )
    root = ElementTree.fromstring(svg)
    assert [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")] == ["<t>", "<b>&\"'"]


def test_circles_have_areas_in_proportion():
    svg = symbols(Areas(squares(3)), layer([25.0, 100.0, 0.0]), MapText("T", "D"))
    radii = {title: float(r) for r, title in re.findall(r'r="([\d.]+)"[^>]*><title>(place \d)</title></circle>', svg)}
    assert radii == {"place 0": 12.0, "place 1": 24.0}


def test_nothing_to_draw():
    svg = choropleth(Areas(np.array([None, None], dtype=object)), layer([1.0, 2.0]), MapText("T", "D"))
    ElementTree.fromstring(svg)
    ElementTree.fromstring(symbols(Areas(squares(2)), layer([np.nan, np.nan]), MapText("T", "D")))
    ElementTree.fromstring(symbols(Areas(squares(2)), layer([0.0, 0.0]), MapText("T", "D")))


def test_neighbours_keep_their_common_border():
    """Squares with jagged borders fill their frame before and after: simplifying opens no gap."""
    step = np.linspace(0, 10, 400)
    jag = np.column_stack([5 + 0.02 * np.sin(step * 40), step])
    left = shapely.Polygon([(0, 0), *jag, (0, 10)])
    right = shapely.Polygon([(10, 0), *jag, (10, 10)])
    page = draw(np.array([left, right], dtype=object), "EPSG:3857", width=400)
    assert all(len(path) < 1000 for path in page.paths)
    assert sum(map(area, page.paths)) == pytest.approx(400 * 400, rel=1e-3)


def test_holes_and_islands_are_kept():
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6))
    island = shapely.box(20, 0, 21, 1)
    path = path_data(shapely.MultiPolygon([ring, island]))
    assert path.count("M") == path.count("Z") == 3


def test_degrees_are_drawn_true_at_the_middle():
    page = draw(np.array([shapely.box(-3, 53.5, -2, 54.5)], dtype=object), "EPSG:4326", width=100, max_height=1000)
    assert page.height == pytest.approx(100 / np.cos(np.radians(54)), abs=1)


def test_a_country_across_the_antimeridian_stays_together():
    east, west = shapely.box(178, -19, 180, -16), shapely.box(-180, -19, -178, -16)
    page = draw(np.array([east, west], dtype=object), "EPSG:4326", width=200)
    assert page.height > 100
    assert page.centres[0, 0] < page.centres[1, 0]


def test_crossed_polygons_are_drawn():
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    page = draw(np.array([bow, shapely.box(3, 0, 4, 2)], dtype=object), "EPSG:3857")
    assert all(page.paths)


@given(st.lists(st.tuples(st.floats(-100, 500), st.floats(-100, 500)), min_size=3, max_size=12, unique=True))
def test_paths_are_within_a_tenth_of_a_pixel(points):
    shape = shapely.MultiPoint(points).convex_hull
    if shape.geom_type != "Polygon" or shape.area < 1:
        return
    assert area(path_data(shape)) == pytest.approx(shape.area, abs=0.11 * shape.length + 0.1)


def test_a_real_city_takes_little_room(shared_data):
    pyogrio = pytest.importorskip("pyogrio")
    _, _, wkb, _ = pyogrio.raw.read(shared_data / "medellin" / "medellin_comunas.gpkg")
    shapes = shapely.from_wkb(wkb)
    svg = choropleth(Areas(shapes, "EPSG:4326"), layer(list(np.arange(len(shapes), dtype=float))), MapText("T", "D"))
    assert len(svg) < 150_000
    assert svg.count("<title>place") == len(shapes) == 21


def test_ids_differ_where_several_maps_share_a_page():
    one, two = (choropleth(Areas(squares(1)), layer([1.0]), MapText("T", "D"), uid=uid) for uid in ("a", "b"))
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, two)]
    assert ids[0].isdisjoint(ids[1])
    assert all(len(found) == 4 for found in ids)


def test_a_grid_of_many_places_stays_small():
    shapes = np.array([shapely.box(x, y, x + 1, y + 1) for x, y in product(range(18), range(18))], dtype=object)
    assert len(choropleth(Areas(shapes, "EPSG:3857"), layer(list(range(324))), MapText("T", "D"))) < 60_000
