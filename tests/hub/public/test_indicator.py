"""The page of an indicator: what it says in which order, hostile addresses, what nobody may see, what caches keep."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from hub.public.made_indicator import CODE, city_folder, figures_of, mini, shown
from safercities.hub.models import Observatory, Role, User
from safercities.hub.public.indicator_terms import FLAGS
from safercities.model.quality import FLAGS as ALL_FLAGS

__all__ = ["city_folder", "mini"]
PAGE = f"/o/hamlet/i/{CODE}/"
ADDRESSES = [
    "/o/{slug}/i/{code}/",
    "/o/{slug}/i/{code}/?view=map&level=neighbourhood",
    "/o/{slug}/i/{code}/embed/",
    "/o/{slug}/i/{code}/chart.json",
    "/o/{slug}/i/{code}/map.json",
    "/o/{slug}/i/{code}.csv",
    "/o/{slug}/i/{code}.json",
    "/o/{slug}/i/{code}.sdmx.csv",
    "/o/{slug}/i/{code}.svg",
    "/o/{slug}/i/{code}.png",
    "/o/{slug}/geo/{level}.geojson",
]
HOSTILE = [
    "view=nonsense",
    "place=XA-HID",
    "place=<script>alert(1)</script>",
    "period=2031",
    "unit=%00",
    "method=' OR 1=1 --",
    "source=../../etc/passwd",
    "level=street_segment",
    "by=ethnicity",
    "by=sex:<b>",
    "by=sex:",
    "by=:",
    "page=-1",
    "page=1e9",
    "page=٣",
    "page=99999999999999999999",
    "unit=" + "x" * 5_000,
    "view=map&level=%F0%9F%98%80",
    "language=xx&lang=yy",
]


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_says_things_in_the_order_that_readers_know(mini: Observatory, client: Client) -> None:
    html = body(client, PAGE)
    order = [
        "<h1>Recorded robberies</h1>",
        "Property taken from a person",
        "Unit: per 100,000 people a year",
        'id="headline"',
        'aria-label="Show as"',
        "data-chart=",
        'id="files"',
        'id="sources"',
        'id="definition"',
        'id="quality"',
        'id="withheld"',
        'id="related"',
        'id="embed"',
        'id="choose"',
    ]
    at = [html.index(part) for part in order]
    assert at == sorted(at)


def test_the_headline_says_value_interval_period_and_place(mini: Observatory, client: Client) -> None:
    (row,) = figures_of(mini).latest(CODE, "XA-MIN")
    html = " ".join(body(client, PAGE).split())
    said = re.search(r'<p class="lead" dir="auto">(Recorded robberies, Mini, 2024: [^<]+)</p>', html)
    assert said is not None
    for name in ("value", "lower", "upper"):
        assert f"{row[name]:,.0f}" in said[1] or f"{row[name]:,.1f}" in said[1]
    assert "95% interval" in said[1]


def test_every_choice_of_the_sidebar_leads_to_numbers(mini: Observatory, client: Client) -> None:
    html = body(client, f"{PAGE}?view=table")
    choices = [
        (name, unescape(value))
        for name, select in re.findall(r'<select id="[^"]+" name="(\w+)"[^>]*>(.*?)</select>', html, re.DOTALL)
        for value in re.findall(r'<option value="([^"]*)"', select)
    ]
    assert {"place", "level", "period", "by", "unit"} <= {name for name, _ in choices}
    for name, value in choices:
        found = client.get(PAGE, {"view": "table", name: value}).content.decode()
        assert shown(found), (name, value)
        assert "message warning" not in found, (name, value)


@pytest.mark.parametrize("query", HOSTILE)
def test_what_was_not_understood_is_named_and_the_usual_is_shown(mini: Observatory, client: Client, query: str) -> None:
    html = body(client, f"{PAGE}?{query}")
    assert shown(html)
    assert "<script>alert" not in html
    assert "<b>" not in html
    if not query.startswith("language") and query != "by=:":
        assert "is shown instead" in html


@pytest.mark.parametrize("address", [one for one in ADDRESSES if not one.endswith("hood")])
def test_no_query_breaks_a_file(mini: Observatory, client: Client, address: str) -> None:
    where = address.format(slug="hamlet", code=CODE, level="neighbourhood")
    for query in HOSTILE:
        answer = client.get(f"{where}?shown=1&{query}")
        assert answer.status_code in (200, 404), query
        b"".join(answer)  # type: ignore[arg-type]  # of a stream, all of it


@pytest.mark.parametrize("address", ADDRESSES)
def test_hidden_missing_and_unknown_look_the_same(
    mini: Observatory, hidden: Observatory, client: Client, address: str
) -> None:
    def gone(slug: str, code: str, level: str) -> str:
        answer = client.get(address.format(slug=slug, code=code, level=level))
        assert answer.status_code == 404
        return re.sub(r"\?\S*|/o/\S*", "", answer.content.decode())

    known = {gone("hidden", CODE, "neighbourhood"), gone("nowhere", CODE, "neighbourhood")}
    known |= {gone("hamlet", "no.such", "nowhere"), gone("hamlet", "a%00b", "..%2F..%2Fhub")}
    assert len(known) == 1


def test_a_private_observatory_is_for_its_members(
    mini: Observatory, browser_of: Callable[[User | None], Client], make_user: Callable[..., User]
) -> None:
    Observatory.objects.filter(pk=mini.pk).update(public=False)
    member = browser_of(make_user("ann", Role.VIEWER, observatory=mini))
    answer = member.get(PAGE)
    assert answer.status_code == 200
    assert "private" in answer["Cache-Control"]
    assert "iframe" not in answer.content.decode()
    assert member.get(f"{PAGE}embed/").status_code == 404  # another site must not see who may read it
    for other in (None, make_user("bob")):
        for address in ADDRESSES:
            found = address.format(slug="hamlet", code=CODE, level="neighbourhood")
            assert browser_of(other).get(found).status_code == 404


@pytest.mark.parametrize("address", [PAGE, f"{PAGE}chart.json", f"/o/hamlet/i/{CODE}.csv", f"{PAGE}embed/"])
def test_caches_may_keep_what_is_public_until_it_changes(mini: Observatory, client: Client, address: str) -> None:
    first = client.get(address)
    assert first["Cache-Control"] == "public, no-cache"  # kept, but not shown again without asking
    assert "Last-Modified" not in first  # a correction of the same day would look unchanged
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert again["Cache-Control"] == first["Cache-Control"]
    assert not again.content
    assert client.get(address, headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}).status_code == 200
    assert client.get(f"{address}?by=sex")["ETag"] != first["ETag"]
    assert Client(headers={"Accept-Language": "ru"}).get(address)["ETag"] != first["ETag"]


def test_only_reading_is_answered(mini: Observatory, client: Client) -> None:
    assert client.post(PAGE).status_code == 405
    assert client.head(PAGE).status_code == 200


def test_a_frame_for_other_sites_has_no_forms_and_no_scripts_of_its_own(mini: Observatory, client: Client) -> None:
    answer = client.get(f"{PAGE}embed/?view=table&by=sex&language=ar")
    html = answer.content.decode()
    assert "frame-ancestors *" in answer["Content-Security-Policy"]
    assert "form-action 'none'" in answer["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer
    assert not answer.cookies
    assert "<form" not in html
    assert 'lang="ar" dir="rtl"' in html
    assert shown(html)


def test_the_page_itself_is_in_no_frame(mini: Observatory, client: Client) -> None:
    answer = client.get(PAGE)
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


def test_names_from_releases_are_text(mini: Observatory, client: Client) -> None:
    Observatory.objects.filter(pk=mini.pk).update(name="<img src=x onerror=alert(1)>")
    assert "<img src=x" not in body(client, PAGE)
    assert "<img src=x" not in body(client, f"{PAGE}embed/")


def test_every_quality_flag_has_words_that_can_be_translated() -> None:
    assert FLAGS.keys() == ALL_FLAGS.keys()
    assert all(str(text) for text in FLAGS.values())
