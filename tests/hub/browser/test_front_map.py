"""Maps as people meet them: five classes, hatching, the withheld crossed out, a list for the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import shapely
from playwright.sync_api import Browser, Page, expect

from hub.browser.conftest import ARGS
from hub.browser.static_site import StaticSite
from tools import chromium_path

WORDS = {"map": "Map", "table": "Table", "view": "Show as", "place": "Place", "choose": "Choose a place"}
WORDS |= {"open": "Open its page", "whole": "Whole city", "unreliable": "Few cases", "withheld": "Withheld"}
WORDS |= {"none": "No data", "zoom_in": "Nearer", "zoom_out": "Farther", "close": "Close", "scroll": "Ctrl + scroll"}
WORDS |= {"scroll_mac": "⌘ + scroll", "touch": "Two fingers"}
EVIL = "<img src=x onerror=alert(1)>"
PLACES: list[dict[str, Any]] = [
    {"id": "a", "name": "Aranjuez", "value": 5, "label": "5 (3 to 8)", "href": "/p/a/"},
    {"id": "b", "name": "Belén", "value": 10, "label": "10 (8 to 13)", "href": "https://elsewhere.example/"},
    {"id": "c", "name": EVIL, "value": 45, "label": EVIL},
    {"id": "d", "name": "Doce de Octubre", "value": 22, "status": "unreliable", "label": "22 (5 to 60), few cases"},
    {"id": "e", "name": "El Poblado", "value": 3, "status": "withheld", "label": "Withheld"},
]  # and f, of which no row says anything
AREAS = {name: shapely.box(column, 0, column + 1, 1) for column, name in enumerate("abcdef")}
GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"code": name}, "geometry": shapely.geometry.mapping(area)}
        for name, area in AREAS.items()
    ],
}
DOCUMENT = {
    "geojson": "/areas.json",
    "id": "code",
    "values": "/values.json",
    "limits": [10, 20, 30, 40],
    "classes": ["under 10", "10 to 20", "20 to 30", "30 to 40", "40 and more"],
    "bounds": [0, 0, 6, 1],
    "words": WORDS,
}
FIGURE = (
    '<figure class="map" data-map="/map.json" data-failed="No map here."><figcaption>Victims by district</figcaption>'
    "<div><table><tr><td>Aranjuez<td>5</table></div></figure>"
)
#: Colours in the middle of each area: the average and the number of different ones in a square of 24 px.
COLOURS = """() => {
  const map = document.querySelector("canvas.maplibregl-canvas");
  const copy = Object.assign(document.createElement("canvas"), { width: map.width, height: map.height });
  const pen = copy.getContext("2d");
  pen.drawImage(map, 0, 0);
  const scale = map.width / map.clientWidth, side = (map.width - 24 * scale) / 6;
  return [0, 1, 2, 3, 4, 5].map((index) => {
    const x = 12 * scale + side * (index + 0.5), y = map.height / 2;
    const data = pen.getImageData(x - 12, y - 12, 24, 24).data, found = new Set();
    for (let i = 0; i < data.length; i += 4)
      found.add("#" + [...data.slice(i, i + 3)].map((part) => part.toString(16).padStart(2, "0")).join(""));
    return [...found];
  });
}"""


@pytest.fixture
def opened(site: StaticSite, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a page with one map."""
    site.answers |= {"/areas.json": GEOJSON, "/values.json": {"places": PLACES}}

    def open_(
        document: object = DOCUMENT, lang: str = "en", dir: str = "ltr", hash: str = "", **options: object
    ) -> Page:
        site.answers["/map.json"] = document
        page = new_page(**options)
        page.goto(site.page("/", f"<h1>Map</h1>{FIGURE}", "site", "map", lang=lang, dir=dir) + hash)
        expect(page.locator("figure")).to_have_attribute("data-state", "drawn", timeout=15_000)
        return page

    return open_


def colours(page: Page, first: str) -> list[set[str]]:
    """What each area shows, once the first one shows this colour."""
    for _ in range(50):
        found = [set(one) for one in page.evaluate(COLOURS)]
        if found[0] == {first}:
            break
        page.wait_for_timeout(100)
    return found


def test_each_area_shows_what_is_known_of_it(opened: Callable[..., Page]) -> None:
    a, b, c, d, e, f = colours(opened(), "#fee838")
    assert a == {"#fee838"}
    assert b == {"#b9ad70"}  # a value that equals a limit belongs to the class above it
    assert c == {"#00204d"}
    assert {"#7d7c78", "#ffffff"} <= d  # its class under a hatching
    assert "#eceeea" in e
    assert len(e) > 1
    assert not e & {"#fee838", "#b9ad70"}
    assert f == {"#fafaf8"}


def test_the_legend_names_what_is_shown_and_only_that(opened: Callable[..., Page]) -> None:
    texts = opened().locator(".figure-key li").all_inner_texts()
    assert texts == [*DOCUMENT["classes"], "Few cases", "Withheld"]


def test_differences_have_a_pair_of_colours(opened: Callable[..., Page]) -> None:
    assert colours(opened(DOCUMENT | {"scale": "change"}), "#5e3c99")[0] == {"#5e3c99"}


def test_light_turns_into_dark(opened: Callable[..., Page]) -> None:
    page = opened(color_scheme="light")
    colours(page, "#fee838")
    page.emulate_media(color_scheme="dark")
    found = colours(page, "#1c3f7a")
    assert found[0] == {"#1c3f7a"}
    assert len(found[3]) > 1
    assert len(found[4]) > 1


def test_the_list_says_and_marks_a_place_by_keyboard(opened: Callable[..., Page]) -> None:
    page = opened()
    page.get_by_label("Place").focus()
    page.keyboard.press("ArrowDown")
    said = page.locator(".figure-said")
    expect(said).to_contain_text("Aranjuez 5 (3 to 8)")
    assert said.get_by_role("link").get_attribute("href").endswith("/p/a/")  # type: ignore[union-attr]
    expect(page.locator("figure")).to_have_attribute("data-chosen", "a")
    expect(page).to_have_url(re.compile("#place=a$"))
    page.keyboard.press("ArrowDown")
    expect(said).to_contain_text("Belén")
    expect(said.get_by_role("link")).to_have_count(0)  # another site
    page.reload()
    expect(page.locator(".figure-said")).to_contain_text("10 (8 to 13)")


def test_names_are_text_wherever_they_show(opened: Callable[..., Page]) -> None:
    page = opened(hash="#place=c")
    expect(page.locator(".figure-said")).to_contain_text(EVIL)
    box = page.locator("canvas.maplibregl-canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 2.5 / 6, box["y"] + box["height"] / 2)
    expect(page.locator(".maplibregl-popup")).to_contain_text(EVIL)
    assert page.locator("figure img").count() == 0


def test_a_click_chooses_and_a_click_beside_lets_go(opened: Callable[..., Page]) -> None:
    page = opened()
    box = page.locator("canvas.maplibregl-canvas").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 3.5 / 6, box["y"] + box["height"] / 2)
    expect(page.get_by_label("Place")).to_have_value("d")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
    expect(page.get_by_label("Place")).to_have_value("")
    expect(page).not_to_have_url(re.compile("place"))


def test_points_stand_in_clusters_with_their_number(opened: Callable[..., Page], site: StaticSite) -> None:
    site.answers["/points.json"] = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [0.5 + i / 1e5, 0.5]}}
            for i in range(12)
        ],
    }
    page = opened(DOCUMENT | {"points": "/points.json"})
    for _ in range(50):
        found = page.evaluate(COLOURS)[0]
        if {"#0b5c7a", "#ffffff"} <= set(found):
            break
        page.wait_for_timeout(100)
    assert {"#0b5c7a", "#ffffff"} <= set(found)  # a circle with a light number in it; the middle is all circle


def test_tiles_from_one_file_look_the_same(opened: Callable[..., Page], site: StaticSite, tmp_path: Path) -> None:
    path = tmp_path / "areas.pmtiles"
    wkb = shapely.to_wkb(np.array(list(AREAS.values())))
    codes = np.array(list(AREAS), dtype=object)
    options = {"driver": "PMTiles", "layer": "areas", "geometry_type": "Polygon", "crs": "EPSG:4326"}
    pyogrio.raw.write(str(path), geometry=wkb, field_data=[codes], fields=np.array(["code"]), MAXZOOM=7, **options)
    site.answers["/areas.pmtiles"] = path.read_bytes()
    document = {key: value for key, value in DOCUMENT.items() if key != "geojson"}
    page = opened(document | {"pmtiles": {"url": "/areas.pmtiles", "layer": "areas"}})
    found = colours(page, "#fee838")
    assert found[0] == {"#fee838"}
    assert found[2] == {"#00204d"}
    assert {"#7d7c78", "#ffffff"} <= found[3]


@pytest.mark.parametrize("width", [320, 1200])
def test_it_fits_the_window_from_right_to_left(opened: Callable[..., Page], width: int) -> None:
    page = opened(lang="ar", dir="rtl", viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Table").press("Enter")
    expect(page.locator("table")).to_be_visible()
    expect(page.locator("canvas.maplibregl-canvas")).to_be_hidden()


def test_without_webgl_the_table_stays(chromium: Browser, site: StaticSite) -> None:
    site.answers |= {"/areas.json": GEOJSON, "/values.json": {"places": PLACES}, "/map.json": DOCUMENT}
    args = [*ARGS, "--disable-3d-apis"]
    with chromium.browser_type.launch(executable_path=chromium_path(), args=args) as browser:
        page = browser.new_page()
        page.goto(site.page("/", FIGURE, "map"))
        expect(page.locator("figure")).to_have_attribute("data-state", "failed")
        expect(page.locator("table")).to_be_visible()
        expect(page.locator("figure")).to_contain_text("No map here.")
        assert page.locator("canvas, select").count() == 0
