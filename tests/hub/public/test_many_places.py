"""Pages of many places: the first by name are drawn, none is left out of a count, and nothing takes a query a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from hub.figures.made_chain import new_city
from hub.public.made_site import shelve
from release.made_release import CITY, rows
from safercities.hub import published
from safercities.hub.figures import Figures
from safercities.hub.models import Observatory
from safercities.hub.public import documents
from safercities.hub.public.indicator_state import read
from safercities.hub.public.indicator_table import known, table
from safercities.hub.public.words import Words
from safercities.model.places import Place

HOMICIDE = "sdg.16.1.1"
COUNT = 150
#: The first by code is the last by name.
PLACES = [Place(id=f"W{n:03}", name=f"Ward {COUNT - n:03}", level="ward", parent="CO-MDE") for n in range(COUNT)]
HELD = {one.id for one in PLACES[::10]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a city with many wards, a tenth of them withheld. Read only."""
    made = tmp_path_factory.mktemp("many")
    (told,) = [row for row in rows("2024") if row["unit"] != "victims" and row["place"] == CITY.id]
    gone = {"value": None, "n": None, "n_positive": None, "coverage": None, "lower": None, "upper": None}
    every = [
        told | {"place": one.id} | (gone | {"conf_status": "N"} if one.id in HELD else {"value": 1.0 + at})
        for at, one in enumerate(PLACES)
    ]
    new_city(made).publish("2024", [told, *every], places=[CITY, *PLACES])
    return made / "city"


@pytest.fixture
def many(db: None, folder: Path) -> Observatory:
    """The observatory."""
    return shelve("many", folder)


def figures_of(observatory: Observatory) -> Figures:
    """What is published of it."""
    found = published.figures(observatory)
    assert found is not None
    return found


def drawn(figures: Figures, query: str) -> dict[str, Any]:
    """The document of a chart."""
    asked = read(figures, figures.indicators[HOMICIDE], QueryDict(query))
    document = documents.chart(asked, Words(figures, "en")).document
    assert document is not None
    return document


def test_the_first_by_name_are_drawn_wherever_they_stand_in_the_files(
    many: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_MARKS", 3)
    monkeypatch.setattr(documents, "_MOST_ROWS", 5)
    marks = drawn(figures_of(many), "level=ward")["rows"]
    assert [one["name"] for one in marks] == ["Ward 001", "Ward 002", "Ward 003"]
    assert [one["value"] for one in marks] == [150.0, 149.0, 148.0]


def test_every_row_is_counted_on_whatever_page_it_stands(many: Observatory) -> None:
    figures = figures_of(many)
    words = Words(figures, "en")
    asked = read(figures, figures.indicators[HOMICIDE], QueryDict("level=ward&view=table&page=2"))
    found = table(asked, words)
    assert (found.page, found.pages, found.rows, found.first, found.last) == (2, 2, COUNT, 101, COUNT)
    assert [one.place for one in found.lines] == [one.id for one in PLACES[100:]]
    said = known(asked, words)
    assert (said.rows, said.withheld) == (COUNT, len(HELD))


def test_a_part_of_the_city_shows_its_own_places_only(many: Observatory) -> None:
    figures = figures_of(many)
    info = figures.indicators[HOMICIDE]
    asked = read(figures, info, QueryDict("level=ward&view=table&place=W003"))
    assert [row["place"] for row in figures.records(asked.query)] == ["W003"]
    assert asked.query.inside == "W003"
    refused = read(figures, info, QueryDict("level=ward&view=table&place=nowhere"))
    assert refused.state.place == "CO-MDE"
    assert len(figures.records(refused.query)) == COUNT


@pytest.mark.parametrize("address", ["", "p/CO-MDE/", "p/W003/", "compare/?p=W001&p=W002", f"i/{HOMICIDE}/?level=ward"])
def test_a_page_asks_a_few_questions_however_many_places_there_are(
    many: Observatory, client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    asked: list[str] = []
    real = Figures._run
    monkeypatch.setattr(Figures, "_run", lambda self, text: asked.append(text) or real(self, text))
    figures_of(many)._cache.clear()
    figures_of(many)._memo.clear()
    assert client.get(f"/o/many/{address}").status_code == 200
    assert len(asked) <= 6
    client.cookies["other"] = "1"  # not from the memory of whole answers
    asked.clear()
    assert client.get(f"/o/many/{address}").status_code == 200
    assert not asked
