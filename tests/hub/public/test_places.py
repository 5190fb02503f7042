"""Pages of places: where they lie, numbers with intervals, what is withheld; names and addresses that mean harm."""

from __future__ import annotations

import pytest
from django.test import Client

from hub.public.made_site import shelve
from hub.public.test_home import text_of
from safercities.hub.figures.about import PlaceInfo
from safercities.hub.figures.tree import Tree
from safercities.hub.models import Observatory

pytestmark = pytest.mark.django_db


def test_a_place_tells_where_it_lies_and_what_lies_in_it(client: Client, medellin: Observatory) -> None:
    city = client.get("/o/medellin/p/CO-MDE/")
    assert 'href="/o/medellin/p/CO-MDE.01/"' in city.content.decode()
    assert text_of(city.content).index("Popular") < text_of(city.content).index("Santa Cruz")
    part = client.get("/o/medellin/p/CO-MDE.01/").content.decode()
    assert 'href="/o/medellin/p/CO-MDE/"' in part
    assert "<title>Popular – Medellín &lt;b&gt;</title>" in part
    said = text_of(part.encode())
    assert "16.9 per 100,000 people a year" in said
    assert "interval 0.5 to 25.0" in said
    assert "In Medellín: 1.6 per 100,000 people a year" in said


def test_places_are_found_by_name(client: Client, medellin: Observatory) -> None:
    said = text_of(client.get("/o/medellin/p/CO-MDE/", {"q": "santa"}).content)
    assert "Santa Cruz neighbourhood" in said
    assert "Popular" not in said


@pytest.mark.parametrize("place", ["nowhere", "CO-MDE.01'", "..", "%00", "CO-MDE/x"])
def test_what_is_no_place_is_not_there(client: Client, medellin: Observatory, place: str) -> None:
    assert client.get(f"/o/medellin/p/{place}/").status_code == 404


def test_withheld_is_never_zero(client: Client, tmp_path_factory: pytest.TempPathFactory, db: None) -> None:
    from hub.figures.made_chain import new_city
    from release.made_release import rows

    folder = tmp_path_factory.mktemp("withheld")
    gone = {"value": None, "n": None, "n_positive": None, "coverage": None, "lower": None, "upper": None}
    found = [row | gone | {"conf_status": "N"} if row["place"] == "CO-MDE.02" else row for row in rows("2024")]
    new_city(folder).publish("2024", found)
    shelve("hush", folder / "city")
    said = text_of(client.get("/o/hush/p/CO-MDE.02/").content)
    assert "withheld" in said
    assert "It is not zero." in said
    numbers = said.partition("by topic")[2].partition("In Medellín")[0]
    assert " 0 " not in numbers
    assert "interval" not in numbers
    compared = client.get("/o/hush/compare/", {"i": "sdg.16.1.1", "p": ["CO-MDE.02", "CO-MDE"]})
    assert "Without a number and interval to compare: Santa Cruz." in text_of(compared.content)
    drawn = client.get("/o/hush/compare/chart.json", {"i": "sdg.16.1.1", "p": ["CO-MDE.02", "CO-MDE"]}).json()
    hidden, shown = drawn["rows"]
    assert hidden == {"name": "Santa Cruz", "status": "withheld", "label": "withheld"}
    assert shown["value"] == 1.6


def test_a_hierarchy_that_goes_in_a_circle_ends() -> None:
    places = {
        id: PlaceInfo(id=id, name=name, level="city", parent=parent)
        for id, name, parent in (("a", "A", "b"), ("b", "B", "a"), ("c", "C", "a"), ("_U.x", "", "a"))
    }
    tree = Tree(places)
    assert tree.line("c") == ("c", "a", "b")
    assert tree.children("a") == ("b", "c", "_U.x")
    assert tree.within("b") == {"a", "b", "c", "_U.x"}
