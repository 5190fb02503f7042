"""The public site in a browser: read without scripts, used with the keyboard only, from right to left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from safercities.hub.models import Observatory


def test_everything_can_be_read_and_done_without_scripts(
    haven: Observatory, live_server: Any, new_page: Callable[..., Page]
) -> None:
    page = new_page(java_script_enabled=False, locale="en")
    page.goto(f"{live_server.url}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Safety in")
    page.get_by_role("link", name="All indicators").click()
    page.get_by_label("Find an indicator").fill("robberies")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("status")).to_contain_text("1 indicator")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Compare").click()
    for place in ("Mini", "East"):
        choice = page.get_by_label("Add a place")
        wanted = choice.locator("option", has_text=place).first
        choice.select_option(wanted.get_attribute("value"))
        page.get_by_role("button", name="Show").click()
    expect(page.locator("figure.chart tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Leave out: Mini").click()
    expect(page.locator("figure.chart tbody tr")).to_have_count(1)


def test_places_are_compared_with_the_keyboard_only(
    haven: Observatory, live_server: Any, new_page: Callable[..., Page]
) -> None:
    page = new_page(locale="en")
    page.goto(f"{live_server.url}/o/haven/compare/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_role("combobox", name="Add a place")
    for _ in range(12):
        page.keyboard.press("Tab")
        if field.evaluate("element => element === document.activeElement"):
            break
    expect(field).to_be_focused()
    page.keyboard.type("mini")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Show")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("figure.chart[data-state=drawn]")).to_have_count(1)
    page.get_by_role("button", name="Table").click()
    expect(page.locator("figure.chart tbody tr")).to_have_count(1)


@pytest.mark.parametrize("way", ["ltr", "rtl"])
def test_pages_turn_with_the_script_and_fit_a_small_phone(
    way: str, haven: Observatory, live_server: Any, new_page: Callable[..., Page]
) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale="ar" if way == "rtl" else "en")
    page.goto(f"{live_server.url}/o/haven/")
    assert page.evaluate("document.documentElement.dir") == way
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    box = page.locator(".card.indicator h3").first.bounding_box()
    link = page.locator(".card.indicator h3 a").first.evaluate("e => getComputedStyle(e).direction")
    assert box is not None
    assert link == way
