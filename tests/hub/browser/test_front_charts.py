"""Charts as people meet them: drawn with intervals, readable as a table, in the page's colours, saved as images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from hub.browser.static_site import StaticSite

WORDS = {"chart": "Chart", "table": "Table", "view": "Show as", "png": "PNG", "svg": "SVG"}
WORDS |= {"unreliable": "Few cases: read with care", "withheld": "Withheld to protect people"}
TREND = {
    "kind": "trend",
    "unit": "per 100 000",
    "file": "homicide",
    "source": "Police, 2024",
    "words": WORDS,
    "rows": [
        {"period": "2018", "group": "Women", "value": 4.1, "lower": 3.2, "upper": 5.1, "label": "4.1 (3.2 to 5.1)"},
        {"period": "2019", "group": "Women", "value": 3.8, "lower": 2.9, "upper": 4.8, "label": "3.8 (2.9 to 4.8)"},
        {"period": "2020", "group": "Women", "status": "withheld", "value": 999, "label": "Withheld"},
        {"period": "2022", "group": "Women", "value": 4.4, "lower": 2.0, "upper": 8.1, "status": "unreliable"},
        *(
            {"period": str(year), "group": "Men", "value": 12.0 + year % 5, "lower": 10.0, "upper": 18.0}
            for year in range(2018, 2023)
        ),
    ],
}
BARS = {
    "kind": "bars",
    "unit": "%",
    "words": WORDS,
    "reference": {"value": 31, "label": "City"},
    "rows": [
        {"name": "Laureles – Estadio", "value": 22.5, "lower": 18, "upper": 27, "label": "22.5 %"},
        {"name": "San Javier", "value": 41.0, "lower": 30, "upper": 52, "status": "unreliable"},
        {"name": "Altavista", "status": "withheld", "value": 7777},
    ],
}
DOTS = BARS | {"kind": "dots", "zero": False}
SPEC = {
    "words": WORDS,
    "spec": {
        "data": {"values": [{"a": 1, "b": 2}, {"a": 2, "b": 3}]},
        "transform": [{"calculate": "datum.b * 2", "as": "c"}],
        "mark": "point",
        "encoding": {"x": {"field": "a", "type": "quantitative"}, "y": {"field": "c", "type": "quantitative"}},
    },
}
POINTS = ".mark-symbol.role-mark path"
RULES = ".mark-rule.role-mark line"


def figure(address: str = "/chart.json") -> str:
    """A figure as the hub writes it."""
    return (
        f'<figure class="chart" data-chart="{address}" data-failed="The chart could not be drawn.">'
        "<figcaption>Homicide victims</figcaption><div class=scroll><table><tr><th>2018<td>4.1</table></div></figure>"
    )


@pytest.fixture
def opened(site: StaticSite, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a page with one chart."""

    def open_(document: object, lang: str = "en", dir: str = "ltr", **options: object) -> Page:
        site.answers["/chart.json"] = document
        page = new_page(**options)
        page.goto(site.page("/", f"<h1>Victims</h1>{figure()}", "site", "charts", lang=lang, dir=dir))
        expect(page.locator("figure")).to_have_attribute("data-state", "drawn")
        return page

    return open_


def test_a_trend_draws_every_interval_and_no_withheld_number(opened: Callable[..., Page]) -> None:
    page = opened(TREND)
    assert page.locator(POINTS).count() == 8
    assert page.locator(RULES).count() == 8  # as many intervals as numbers
    assert page.locator(".mark-text.role-mark text").all_text_contents() == ["×"]
    assert "999" not in "".join(page.locator("svg text").all_text_contents())
    assert WORDS["withheld"] in page.locator(".figure-key").inner_text()
    years = page.locator(".role-axis-label text").all_text_contents()
    assert {"2018", "2022"} <= set(years)
    assert "2021" in years  # men have it
    top = max(float(text) for text in years if text not in {str(year) for year in range(2018, 2023)})
    assert top < 50


def test_an_unreliable_value_is_hollow(opened: Callable[..., Page]) -> None:
    page = opened(BARS)
    fills = page.locator(POINTS).evaluate_all("found => found.map(one => one.getAttribute('fill'))")
    assert len(fills) == 2
    assert "#ffffff" in fills
    assert WORDS["withheld"] in page.locator(".mark-text.role-mark text").all_text_contents()
    assert page.locator(RULES).count() == 3  # two intervals, one line to compare with


@pytest.mark.parametrize("document", [DOTS, SPEC], ids=["dots", "spec"])
def test_other_charts_are_drawn(opened: Callable[..., Page], document: object) -> None:
    assert opened(document).locator(POINTS).count() == 2


def test_the_table_is_one_key_away(opened: Callable[..., Page]) -> None:
    page = opened(TREND)
    table, chart = page.locator("table"), page.get_by_role("img", name="Homicide victims")
    expect(table).to_be_hidden()
    page.get_by_role("button", name="Table").focus()
    page.keyboard.press("Enter")
    expect(table).to_be_visible()
    expect(chart).to_be_hidden()
    page.get_by_role("button", name="Chart").press("Space")
    expect(chart).to_be_visible()


def test_colours_follow_the_page(opened: Callable[..., Page]) -> None:
    page = opened(TREND, color_scheme="light")
    line = page.locator(".mark-line path").first
    expect(line).to_have_attribute("stroke", "#0b5c7a")
    page.emulate_media(color_scheme="dark")
    expect(line).to_have_attribute("stroke", "#6cc0e0")


@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("dir", ["ltr", "rtl"])
def test_it_fits_the_window_and_stays_left_to_right(opened: Callable[..., Page], width: int, dir: str) -> None:
    page = opened(BARS, lang="ar" if dir == "rtl" else "en", dir=dir, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("figure svg").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.locator("svg").evaluate("one => getComputedStyle(one).direction") == "ltr"
    page.set_viewport_size({"width": 600, "height": 800})
    expect(page.locator("figure svg")).not_to_have_attribute("width", str(box["width"]))


def test_pointing_at_a_value_says_it_in_words(opened: Callable[..., Page]) -> None:
    page = opened(TREND)
    page.locator(POINTS).first.hover()
    expect(page.locator(".figure-tip")).to_have_text("Women · 2018\n4.1 (3.2 to 5.1)", use_inner_text=True)


def test_images_hold_title_and_source(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened(TREND)
    for kind in ("SVG", "PNG"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=kind).click()
        assert waiting.value.suggested_filename == f"homicide.{kind.lower()}"
        waiting.value.save_as(tmp_path / kind)
    svg = (tmp_path / "SVG").read_text(encoding="utf-8")
    assert "Homicide victims" in svg
    assert "Police, 2024" in svg
    assert WORDS["withheld"] in svg
    png = (tmp_path / "PNG").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") >= 1600


def test_a_chart_that_fails_leaves_its_table(site: StaticSite, new_page: Callable[..., Page]) -> None:
    page = new_page()
    page.goto(site.page("/", figure("/missing.json") + figure("https://elsewhere.example/x.json"), "charts"))
    for one in page.locator("figure").all():
        expect(one).to_have_attribute("data-state", "failed")
        expect(one.locator("table")).to_be_visible()
        expect(one).to_contain_text("could not be drawn")
    new_page.wrong[:] = [text for text in new_page.wrong if "404" not in text]  # type: ignore[attr-defined]


def test_a_page_without_charts_loads_no_vega(site: StaticSite, new_page: Callable[..., Page]) -> None:
    page = new_page(fresh=True)
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(site.page("/", "<p>Text</p>", "site", "charts", "map"))
    page.wait_for_timeout(300)  # for what would come late
    assert loaded
    assert not [url for url in loaded if "draw" in url]
