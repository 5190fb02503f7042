"""The tree of places."""

from __future__ import annotations

from datetime import date

import pytest

from safercities.model.errors import SafercitiesError
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy

CITY = Place("T", "Town", "city")


def codes(error):
    return [p.code for p in error.value.problems]


def ids(places):
    return [place.id for place in places]


@pytest.fixture(scope="module")
def tree():
    return Hierarchy(
        [
            CITY,
            Place("d1", "North", "district", "T"),
            Place("d2", "South", "district", "T"),
            Place("w1", "Mill", "ward", "d1", aliases={"old": "0001"}),
            Place("w2", "Park", "ward", "d1"),
            Place("w3", "Quay", "ward", "d2"),
            Place("b1", "Beat 1", "beat", "T"),
        ]
    )


def test_up_and_down(tree):
    assert ids(tree.ancestors("w3")) == ["d2", "T"]
    assert ids(tree.children("T")) == ["d1", "d2", "b1"]
    assert ids(tree.descend("T", "ward")) == ["w1", "w2", "w3"]
    assert ids(tree.descend("d1", "ward")) == ["w1", "w2"]
    assert ids(tree.descend("w1", "ward")) == ["w1"]
    assert tree.descend("w1", "district") == ()
    assert tree.levels == ("city", "district", "ward", "beat")
    assert ids(tree.at_level("district")) == ["d1", "d2"]
    assert "w1" in tree
    assert "x" not in tree
    assert len(tree) == len(tree.places) == 7


@pytest.mark.parametrize(
    ("code", "level", "found"),
    [
        ("w1", None, "w1"),
        ("w1", "ward", "w1"),
        ("w1", "district", None),
        ("0001", "ward", "w1"),
        ("1", None, None),
        ("  MILL ", None, "w1"),
        ("north", "district", "d1"),
        ("north", "ward", None),
        ("", None, None),
    ],
)
def test_find(tree, code, level, found):
    place = tree.find(code, level)
    assert (place.id if place else None) == found


def test_an_id_wins_over_another_places_name():
    tree = Hierarchy([Place("1", "2", "ward"), Place("2", "1", "ward")])
    assert tree.find("1").id == "1"


def test_two_places_with_one_id_are_refused_and_both_named():
    with pytest.raises(SafercitiesError) as error:
        Hierarchy([CITY, Place("1", "Mill", "ward", "T", "w.gpkg#4"), Place("1", "Beat 1", "beat", "T", "b.csv#2")])
    assert codes(error) == ["place-id-twice"]
    assert all(part in str(error.value) for part in ("Mill", "w.gpkg#4", "Beat 1", "b.csv#2"))


def test_an_unknown_parent_is_refused_once_for_all_its_children():
    with pytest.raises(SafercitiesError) as error:
        Hierarchy([CITY, Place("1", "a", "ward", "D"), Place("2", "b", "ward", "D")])
    (fault,) = error.value.problems
    assert (fault.code, fault.rows) == ("place-parent-unknown", 2)


def test_a_circle_is_refused():
    with pytest.raises(SafercitiesError) as error:
        Hierarchy([CITY, Place("a", "a", "x", "b"), Place("b", "b", "y", "c"), Place("c", "c", "z", "b")])
    assert codes(error) == ["place-circle"]
    assert "b → c → b" in str(error.value)


def test_a_place_in_itself_is_a_circle():
    with pytest.raises(SafercitiesError) as error:
        Hierarchy([Place("a", "a", "x", "a")])
    assert codes(error) == ["place-circle"]


def test_one_id_in_two_forms_that_follow_each_other():
    old = Place("w", "Mill", "ward", "d1", valid_to=date(2019, 12, 31))
    new = Place("w", "Mill & Park", "ward", "d2", valid_from=date(2020, 1, 1))
    tree = Hierarchy([CITY, Place("d1", "A", "district", "T"), Place("d2", "B", "district", "T"), new, old])
    assert tree["w"].name == "Mill & Park"
    assert tree.find("mill").id == "w"
    assert ids(tree.ancestors("w")) == ["d2", "T"]
    assert ids(tree.ancestors("w", date(2015, 1, 1))) == ["d1", "T"]
    assert ids(tree.children("d1", date(2015, 1, 1))) == ["w"]
    assert ids(tree.children("d1", date(2025, 1, 1))) == []
    assert ids(tree.children("d1")) == ["w"]
    assert tree.valid_on("w", date(2015, 1, 1))
    assert len(tree.at_level("ward")) == 1


def test_two_forms_that_share_a_day_are_refused():
    old = Place("w", "Mill", "ward", "T", valid_to=date(2020, 1, 1))
    new = Place("w", "Mill", "ward", "T", valid_from=date(2020, 1, 1))
    with pytest.raises(SafercitiesError):
        Hierarchy([CITY, old, new])
