"""Which places of parallel geographies share ground, and what the leaves of disclosure control make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from places import helpers
from safercities.disclose.zones import make_zones
from safercities.model.periods import Period
from safercities.places.geographies import with_parents
from safercities.places.hierarchy import Hierarchy
from safercities.places.overlaps import overlaps

WARDS = helpers.geography([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)], ["a", "b"], level="ward")


def tree(*geographies):
    return Hierarchy([helpers.TOP, *(place for one in geographies for place in one.places)])


def shared(*geographies):
    return overlaps(geographies, tree(*geographies))


def beats(*shapes, **more):
    return helpers.geography(list(shapes), [f"p{at}" for at in range(len(shapes))], level="beat", **more)


def test_places_that_cross_share_ground_and_those_that_touch_do_not():
    found = shared(WARDS, beats(shapely.box(0, 0, 1, 1), shapely.box(0.5, 0, 1.5, 1), shapely.box(5, 0, 6, 1)))
    assert found == {("ward", "beat"): {("a", "p0"), ("a", "p1"), ("b", "p1")}}


@pytest.mark.parametrize(("over", "yes"), [(0.0005, False), (0.002, True)])
def test_a_sliver_along_a_border_is_no_ground(over, yes):
    found = shared(WARDS, beats(shapely.box(0, 0, 1 + over, 1)))["ward", "beat"]
    assert (("b", "p0") in found) is yes
    assert ("a", "p0") in found


def test_a_small_place_on_the_edge_of_a_large_one_is_measured_by_the_small_one():
    assert ("b", "p0") in shared(WARDS, beats(shapely.box(0.99, 0, 1.01, 0.01)))["ward", "beat"]


def test_levels_that_nest_need_no_pairs():
    blocks = helpers.geography([shapely.box(0, 0, 1, 0.5), shapely.box(1, 0, 2, 1)], ["x", "y"], level="block")
    nested = with_parents(blocks, ["a", "b"], ())
    assert shared(WARDS, nested) == {}
    assert shared(nested, WARDS) == {}
    assert list(shared(WARDS, nested, beats(shapely.box(0, 0, 2, 1)))) == [("ward", "beat"), ("block", "beat")]


def test_without_boundaries_nothing_is_said():
    assert shared(WARDS, helpers.geography(None, ["p0"], level="beat")) == {}


def test_forms_that_were_never_valid_together_share_nothing():
    old = replace(WARDS, valid_to=date(2010, 12, 31))
    new = replace(beats(shapely.box(0, 0, 2, 1)), valid_from=date(2011, 1, 1))
    assert shared(old, new) == {("ward", "beat"): frozenset()}


def test_in_another_crs():
    move = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    shape = shapely.transform(shapely.box(0.5, 0, 0.9, 1), move.transform, interleaved=False)
    assert shared(WARDS, beats(shape, crs="EPSG:3857")) == {("ward", "beat"): {("a", "p0")}}


def test_leaves_are_the_pieces_that_are_there():
    other = beats(shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1))
    places = tree(WARDS, other)
    empty = pa.table({"place_ward": pa.array([], pa.string()), "place_beat": pa.array([], pa.string())})

    def zones(**more):
        made, _ = make_zones(empty, np.zeros(0, bool), places, ["ward", "beat"], Period.parse("2024"), "T", **more)
        return {
            (made.codes[0][one], made.codes[1][two])
            for one, two in made.at.T.tolist()
            if "_U" not in (made.codes[0][one], made.codes[1][two])
        }

    assert len(zones()) == 4
    assert zones(overlaps=overlaps([WARDS, other], places)) == {("a", "p0"), ("b", "p1")}


boxes = st.tuples(*(st.integers(0, 12) for _ in range(2)), *(st.integers(1, 6) for _ in range(2)))


@given(st.lists(boxes, min_size=1, max_size=6), st.lists(boxes, min_size=1, max_size=6))
def test_the_pairs_are_those_of_a_plain_search_whichever_level_comes_first(ones, twos):
    def drawn(found, level):
        shapes = [shapely.box(x, y, x + w, y + h) for x, y, w, h in found]
        return helpers.geography(shapes, [f"{level}{at}" for at in range(len(shapes))], level=level)

    ward, beat = drawn(ones, "ward"), drawn(twos, "beat")
    wanted = {
        (f"ward{a}", f"beat{b}")
        for a, (x, y, w, h) in enumerate(ones)
        for b, (u, v, i, j) in enumerate(twos)
        if min(x + w, u + i) > max(x, u) and min(y + h, v + j) > max(y, v)  # whole numbers: no slivers
    }
    assert shared(ward, beat)["ward", "beat"] == wanted
    assert shared(beat, ward)["beat", "ward"] == {(two, one) for one, two in wanted}
