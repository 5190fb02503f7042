"""The first pages: what is said, how sure, in which language; and that nobody learns of what is not public."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from hub.public.made_site import PLACE, shelve
from safercities.hub.models import Observatory
from safercities.hub.public.groups import _apart
from safercities.hub.published import figures, refresh

pytestmark = pytest.mark.django_db


def text_of(page: bytes) -> str:
    """What a reader sees, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.decode())).split())


def test_one_observatory_is_the_first_page_itself(client: Client, medellin: Observatory) -> None:
    page = client.get("/")
    assert page.status_code == 200
    said = text_of(page.content)
    assert "Safety in Medellín" in said
    assert "1.6 per 100,000 people a year" in said
    assert "interval 0.5 to 25.0" in said
    assert b"<b>'s" not in page.content
    assert b"Medell\xc3\xadn &lt;b&gt;" in page.content


def test_several_observatories_are_listed_and_hidden_ones_are_not(
    client: Client,
    medellin: Observatory,
    secret: Observatory,
    simple: Path,
) -> None:
    assert "Safety in" in text_of(client.get("/").content)  # the hidden one does not count
    other = Observatory.objects.create(slug="other", name="Other", place_id="XA-O", folder="/nowhere")
    said = text_of(client.get("/").content)
    assert "Other" in said
    assert "Nothing is published yet." in said
    assert "Secret" not in said
    assert client.get(f"/o/{other.slug}/").status_code == 200
    for address in ("", "indicators/", f"p/{PLACE}/", "compare/", "compare/chart.json", "releases/", "releases/1/"):
        missing = client.get(f"/o/nowhere/{address}")
        hidden = client.get(f"/o/{secret.slug}/{address}")
        assert (missing.status_code, hidden.status_code) == (404, 404), address
        assert "Secret" not in hidden.content.decode()


def test_members_see_the_hidden_one(secret: Observatory, make_user: Any, browser_of: Any) -> None:
    browser = browser_of(make_user("viewer", "viewer", observatory=secret))
    page = browser.get(f"/o/{secret.slug}/")
    assert "Safety in" in text_of(page.content)
    assert page["Cache-Control"].startswith("private")
    assert "ETag" not in page


def test_groups_that_differ_are_told_with_intervals_and_others_are_not() -> None:
    rows = [
        {"code": "M", "value": 30.0, "lower": 25.0, "upper": 36.0},
        {"code": "F", "value": 5.0, "lower": 3.0, "upper": 8.0},
        {"code": "_O", "value": 20.0, "lower": 2.0, "upper": 60.0},
    ]
    worse, better = _apart(rows, higher_is_better=False)
    assert worse is not None
    assert (worse["code"], [row["code"] for row in better]) == ("M", ["F"])
    worse, better = _apart(rows, higher_is_better=True)
    assert worse is not None
    assert (worse["code"], [row["code"] for row in better]) == ("F", ["M"])
    assert _apart(rows[:1], higher_is_better=False) == (None, [])
    assert _apart([rows[0], rows[2]], higher_is_better=False)[1] == []


def test_indicators_are_found_by_words_without_scripts(client: Client, medellin: Observatory) -> None:
    every = text_of(client.get("/o/medellin/indicators/").content)
    assert "Victims of intentional homicide" in every
    assert "Recorded robberies" in every
    some = client.get("/o/medellin/indicators/", {"q": "HOMICIDE victims"})
    assert "Recorded robberies" not in text_of(some.content)
    assert "1 indicator ·" in text_of(some.content)
    none = client.get("/o/medellin/indicators/", {"q": '"><script>alert(1)</script>\0'})
    assert none.status_code == 200
    assert b"<script>alert" not in none.content
    assert "No indicator has all these words." in text_of(none.content)


def test_a_page_is_sent_again_only_if_it_changed(client: Client, medellin: Observatory) -> None:
    first = client.get("/o/medellin/")
    again = client.get("/o/medellin/", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    french = client.get("/o/medellin/", headers={"accept-language": "fr"})
    assert french["ETag"] != first["ETag"]
    assert {"Cookie", "Accept-Language"} <= {one.strip() for one in first["Vary"].split(",")}
    medellin.name = "Another name"
    medellin.save()
    assert client.get("/o/medellin/", headers={"if-none-match": first["ETag"]}).status_code == 200


def test_numbers_are_written_as_the_language_writes_them(client: Client, simple: Path) -> None:
    shelve("numbers", simple)
    said = {lang: text_of(client.get("/o/numbers/", {"lang": lang}).content) for lang in ("en", "fr", "es", "ru")}
    assert " 1.6 per " in said["en"]
    assert all(" 1,6 " in said[lang] for lang in ("fr", "es", "ru"))
    arabic = client.get("/o/numbers/", {"lang": "ar"}).content.decode()
    assert '<html lang="ar" dir="rtl">' in arabic
    assert "\u2066" in arabic  # ranges keep their order


def test_nothing_is_said_where_nothing_is_published(client: Client, city: Observatory) -> None:
    assert figures(city) is None
    assert "Nothing is published here yet." in text_of(client.get("/o/city/").content)
    assert client.get("/o/city/compare/").status_code == 404
    assert client.get("/o/city/releases/").status_code == 200


def test_an_index_of_no_releases_is_nothing_published(client: Client, city: Observatory) -> None:
    refresh(city)
    assert figures(city) is None
    assert "Nothing is published here yet." in text_of(client.get("/o/city/").content)
    assert [client.get(f"/o/city/{address}").status_code for address in ("indicators/", "compare/", "p/x/")] == [
        200,
        404,
        404,
    ]
