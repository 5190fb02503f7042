"""Comparing places: intervals side by side, differences that can be told, and never a rank."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from hub.figures.made_chain import new_city
from hub.public.made_site import HOMICIDE, shelve
from hub.public.test_home import text_of
from release.made_release import rows
from safercities.hub.models import Observatory
from safercities.hub.public.compare import MOST, told
from safercities.hub.public.words import Words
from safercities.hub.published import figures
from safercities.indicators.catalogue import indicator

pytestmark = pytest.mark.django_db
THREE = ["CO-MDE.02", "CO-MDE.01", "CO-MDE"]


def test_places_stand_in_the_order_in_which_they_were_chosen(client: Client, medellin: Observatory) -> None:
    page = client.get("/o/medellin/compare/", {"i": HOMICIDE, "p": THREE})
    table = text_of(page.content).partition("Interval Note")[2]
    assert table.index("Santa Cruz") < table.index("Popular") < table.index("Medellín")
    assert "None of these places can be told apart by these numbers: their intervals overlap." in table
    drawn = client.get("/o/medellin/compare/chart.json", {"i": HOMICIDE, "p": THREE}).json()
    assert [row["name"] for row in drawn["rows"]] == ["Santa Cruz", "Popular", "Medellín"]
    assert all(row["lower"] < row["value"] < row["upper"] for row in drawn["rows"])


def row(value: float, lower: float, upper: float) -> dict[str, object]:
    return {
        "value": value, "lower": lower, "upper": upper, "conf_status": "F", "obs_status": "A", "verdict": None,
        "quality": "", "unit": "per 100 000",
    }  # fmt: skip


def test_only_intervals_that_do_not_touch_tell_places_apart(medellin: Observatory) -> None:
    known = figures(medellin)
    assert known is not None
    found = {"CO-MDE": row(3.0, 2.0, 4.0), "CO-MDE.01": row(9.0, 5.0, 12.0), "CO-MDE.02": row(6.0, 4.0, 8.0)}
    said = told(Words(known), list(found), found)
    assert said["apart"] == ["Popular lies above Medellín: the whole interval of the one is above that of the other."]
    assert said["alike"] == ["Medellín and Santa Cruz", "Popular and Santa Cruz"]
    alone = told(Words(known), ["CO-MDE", "CO-MDE.01"], {"CO-MDE": row(3.0, 2.0, 4.0)})
    assert (alone["pairs"], alone["silent"]) == (False, "Popular")


@pytest.mark.parametrize(
    "query",
    [
        {"p": ["nowhere", "' OR 1=1", "CO-MDE"]},
        {"p": ["CO-MDE"], "period": ["1066"], "source": ["<script>"]},
        {"p": ["CO-MDE"] * 500},
        {},
    ],
)
def test_what_there_is_not_is_passed_over(client: Client, medellin: Observatory, query: dict[str, list[str]]) -> None:
    page = client.get("/o/medellin/compare/", query)
    assert page.status_code == 200
    assert b"<script>" not in page.content
    assert page.content.count(b'name="p" value="') <= 1


def test_an_indicator_that_there_is_not_is_404(client: Client, medellin: Observatory) -> None:
    assert client.get("/o/medellin/compare/", {"i": "no.such"}).status_code == 404
    assert client.get("/o/medellin/compare/chart.json", {"i": "no.such"}).status_code == 404


def test_a_place_can_be_left_out_again(client: Client, medellin: Observatory) -> None:
    page = client.get("/o/medellin/compare/", {"i": HOMICIDE, "p": THREE}).content.decode()
    assert "p=CO-MDE.02&amp;p=CO-MDE.01" in page
    assert len(THREE) < MOST


def test_places_are_compared_by_one_definition_or_not_at_all(client: Client, tmp_path: Path) -> None:
    told = [one for one in rows("2024") if one["unit"] != "victims"]
    newer = [one | {"version": "2018-1"} if one["place"] == "CO-MDE.02" else one for one in told]
    indicator_of = indicator(HOMICIDE)
    versions = [*indicator_of.versions, indicator_of.versions[-1].model_copy(update={"version": "2018-1"})]
    new_city(tmp_path).publish(
        "2024", newer, indicators={HOMICIDE: indicator_of.model_copy(update={"versions": versions})}
    )
    shelve("two", tmp_path / "city")
    page = client.get("/o/two/compare/", {"i": HOMICIDE, "p": ["CO-MDE.01", "CO-MDE.02", "CO-MDE"]})
    said = text_of(page.content)
    assert "not available" in said
    assert "Without a number and interval to compare:" in said
