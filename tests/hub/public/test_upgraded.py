"""A city that begins to widen its intervals for rounding keeps its past: one series, and it says which rows do."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from hub.figures.made_chain import new_city
from hub.public.made_indicator import shown
from hub.public.made_site import HOMICIDE, PLACE, shelve
from hub.public.test_home import text_of
from release.made_release import rows
from safercities.hub.models import Observatory
from safercities.hub.public.cards import cards, numbers
from safercities.hub.public.words import Words
from safercities.hub.published import figures
from safercities.measure.rows import ROUNDED

RATE = "crude rate, Garwood interval"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years as they were, one after the upgrade."""
    made = tmp_path_factory.mktemp("upgraded")
    city = new_city(made)
    for period, ending in (("2022", ""), ("2023", ""), ("2024", ROUNDED)):
        own = [row | {"method": (RATE if row["method"] == "rate" else "count") + ending} for row in rows(period)]
        city.publish(period, own)
    return made / "city"


@pytest.fixture
def upgraded(db: None, folder: Path) -> Observatory:
    """Public."""
    return shelve("upgraded", folder)


def test_a_card_tells_the_years_before_and_that_their_intervals_were_made_otherwise(upgraded: Observatory) -> None:
    known = figures(upgraded)
    assert known is not None
    words = Words(known, "en")
    (card,) = [one for one in cards(words, numbers(known, PLACE)) if one.code == HOMICIDE]
    assert (card.first.period, [one.period for one in card.before]) == ("2024", ["2023", "2022"])
    assert words.method(RATE) not in card.first.span
    assert all(one.span.endswith(f"({words.method(RATE)})") for one in card.before)


def test_the_page_shows_all_years_and_how_each_was_made(upgraded: Observatory, client: Client) -> None:
    page = client.get(f"/o/upgraded/i/{HOMICIDE}/")
    assert [row["when"] for row in client.get(f"/o/upgraded/i/{HOMICIDE}/chart.json").json()["rows"]] == [
        "2022",
        "2023",
        "2024",
    ]
    known = figures(upgraded)
    assert known is not None
    words = Words(known, "en")
    plain, wide = words.method(RATE), words.method(RATE + ROUNDED)
    own = [next(cell for cell in one.cells if cell in (plain, wide)) for one in shown(page.content.decode())]
    assert own == [plain, plain, wide]
    assert f"{plain}; {wide}" in text_of(page.content)
    older = client.get(f"/o/upgraded/i/{HOMICIDE}/", {"method": RATE, "level": "neighbourhood", "period": "all"})
    assert len(shown(older.content.decode())) == 6


def test_places_are_compared_in_the_years_before_too(upgraded: Observatory, client: Client) -> None:
    for period in ("2022", "2024"):
        page = client.get("/o/upgraded/compare/", {"i": HOMICIDE, "p": [PLACE, "CO-MDE.01"], "period": period})
        assert "1.6" in text_of(page.content)
