"""Which level a map shows by itself: the finest at which most places have a number, never one that is all withheld."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.http import QueryDict

from hub.figures.made_chain import new_city
from release.made_release import CITY, DISTRICTS, rows
from safercities.hub.figures import Figures, Query, build
from safercities.hub.figures.about import PlaceInfo
from safercities.hub.figures.tree import Tree
from safercities.hub.public.indicator_state import map_level, read
from safercities.model.places import Place

HOMICIDE = "sdg.16.1.1"
BLOCKS = [
    Place(id=f"{one.id}.{n}", name=f"Block {n}", level="block", parent=one.id) for one in DISTRICTS for n in "123"
]
GONE = {
    "value": None,
    "n": None,
    "n_positive": None,
    "coverage": None,
    "lower": None,
    "upper": None,
    "conf_status": "N",
}
Make = Callable[[int, int], Figures]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes figures of a city with two districts and six blocks, of which so many are withheld."""

    def made(districts: int, blocks: int) -> Figures:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        told = [row for row in rows("2024") if row["unit"] != "victims" and row["place"] == CITY.id]
        held = {one.id for one in [*DISTRICTS[:districts], *BLOCKS[:blocks]]}
        every = [row | {"place": one.id} for row in told for one in (*DISTRICTS, *BLOCKS)]
        found = [*told, *(row | GONE if row["place"] in held else row for row in every)]
        city = new_city(folder)
        city.publish("2024", found, places=[CITY, *DISTRICTS, *BLOCKS])
        build(folder / "index", city.chain)
        return Figures.open(folder / "index")

    return made


def shown(figures: Figures, *drawable: str, query: str = "view=map") -> str | None:
    """The level of the map of that address."""
    return read(figures, figures.indicators[HOMICIDE], QueryDict(query), drawable).state.level


def test_it_is_the_finest_at_which_most_are_shown(make: Make) -> None:
    assert shown(make(0, 0)) == shown(make(0, 2)) == "block"
    assert shown(make(0, 3)) == shown(make(0, 6)) == "neighbourhood"  # half is not most


def test_where_most_are_withheld_everywhere_it_is_where_most_is_shown(make: Make) -> None:
    assert shown(make(1, 4)) == "neighbourhood"
    assert shown(make(1, 3)) == "block"  # as many: the finest
    assert shown(make(2, 6)) == "block"


def test_levels_that_cannot_be_drawn_do_not_count(make: Make) -> None:
    assert shown(make(0, 0), "neighbourhood") == "neighbourhood"
    assert shown(make(2, 0), "neighbourhood", "ward") == "neighbourhood"


def test_what_is_asked_for_is_shown(make: Make) -> None:
    assert shown(make(0, 6), query="view=map&level=block") == "block"
    assert shown(make(0, 6), query="view=table") is None


def test_levels_are_ordered_by_how_small_their_places_are_not_by_name() -> None:
    def place(id: str, level: str, parent: str | None) -> PlaceInfo:
        return PlaceInfo(id=id, name=id, level=level, parent=parent)

    ids = [("c", "city", None), ("z", "zone", "c"), ("a", "area", "z"), ("w1", "ward", "c"), ("w2", "ward", "c")]
    tree = Tree({id: place(id, level, parent) for id, level, parent in ids})
    assert tree.finest_first(["area", "city", "ward", "zone"]) == ["area", "ward", "zone", "city"]


def test_no_level_is_none(make: Make) -> None:
    assert map_level(make(0, 0), Query([HOMICIDE]), []) == ""
