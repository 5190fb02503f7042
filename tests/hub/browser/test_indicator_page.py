"""The page of an indicator as people use it: with and without scripts, by keyboard, on a phone, on another site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from hub.browser.conftest import settled
from hub.browser.keyboard import Keyboard
from hub.public.made_indicator import CODE
from safercities.hub.models import Observatory

MakePage = Callable[..., Page]


@pytest.fixture
def address(haven: Observatory, live_server: Any) -> str:
    """The page, served."""
    return f"{live_server.url}/o/haven/i/{CODE}/"


def test_a_choice_changes_the_figures_and_the_address_and_keeps_the_focus(address: str, new_page: MakePage) -> None:
    page = new_page()
    page.goto(f"{address}?view=table")
    rows = page.locator("tr[data-row]")
    before = rows.count()
    choice = page.get_by_label("Sex", exact=True)
    choice.focus()
    choice.select_option(label="All groups")
    page.wait_for_url("**by=sex**")
    expect(page.locator("figcaption, caption").first).to_contain_text("Sex")
    assert rows.count() > before
    expect(page.get_by_label("Sex", exact=True)).to_be_focused()
    page.reload()
    assert rows.count() > before
    page.go_back()
    expect(rows).to_have_count(before)


def test_the_chart_is_drawn_again_after_a_choice(address: str, new_page: MakePage) -> None:
    page = new_page()
    page.goto(address)
    expect(page.locator("figure.chart[data-state=drawn]")).to_have_count(1)
    page.get_by_label("Sex", exact=True).select_option(label="All groups")
    page.wait_for_url("**by=sex**")
    expect(page.locator("figure.chart[data-state=drawn]")).to_have_count(1)
    expect(page.locator("figure.chart svg text").filter(has_text="Female")).to_have_count(1)


def test_the_map_is_drawn_and_says_value_and_interval(address: str, new_page: MakePage) -> None:
    page = new_page()
    page.goto(f"{address}?view=map")
    expect(page.locator("figure.map[data-state=drawn]")).to_have_count(1, timeout=20_000)
    chooser = page.locator(".figure-places select")
    chooser.select_option(index=1)
    expect(page.locator(".figure-said")).to_contain_text("interval")


def test_everything_is_readable_and_can_be_chosen_without_scripts(address: str, new_page: MakePage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(address)
    expect(page.locator("tr[data-row]").first).to_be_visible()
    assert page.locator("noscript img, img.drawn").first.get_attribute("src")
    page.get_by_label("Sex", exact=True).select_option(label="Female")
    page.get_by_role("button", name="Show", exact=True).click()
    assert "by=sex%3AF" in page.url
    expect(page.locator("caption")).to_contain_text("Female")
    page.get_by_role("link", name="Table", exact=True).click()
    expect(page.locator("caption")).to_contain_text("Female")


def test_all_of_it_is_used_with_the_keyboard_only(address: str, new_page: MakePage) -> None:
    """Views, choices, table and files: reached by Tab, the focus seen at each stop."""
    page = new_page()
    page.goto(address)
    settled(page)
    hands = Keyboard(page)
    hands.go(page.get_by_role("link", name="Table", exact=True))
    assert "view=table" in page.url
    region = hands.to(page.get_by_role("region", name="Table"))
    expect(region).to_be_focused()  # so the arrows scroll it
    hands.to(page.get_by_label("Unit", exact=True))
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**unit=victims**")
    expect(page.locator("caption")).to_contain_text("victims")
    expect(page.get_by_label("Unit", exact=True)).to_be_focused()
    hands.choose(page.get_by_label("Sex", exact=True), "All groups")
    page.wait_for_url("**by=sex**")
    expect(page.locator("caption")).to_contain_text("Sex")
    shown = page.locator("tr[data-row]").count()
    hands.to(page.locator("dl.files").get_by_role("link", name="CSV", exact=True).first, "Shift+Tab")
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    assert len(waiting.value.path().read_text(encoding="utf-8").splitlines()) == 1 + shown
    hands.go(page.get_by_role("link", name="Chart", exact=True))
    settled(page)
    hands.press(page.get_by_role("button", name="Table", exact=True), "Space")
    expect(page.locator("tr[data-row]").first).to_be_visible()


@pytest.mark.parametrize("locale", ["en", "ar"])
@pytest.mark.parametrize("query", ["", "?view=table&level=neighbourhood&by=sex&period=all&unit=victims", "?view=map"])
def test_a_small_phone_needs_no_sideways_scrolling(address: str, new_page: MakePage, query: str, locale: str) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale=locale)
    page.goto(address + query)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_it_can_be_shown_in_a_frame_without_its_scripts_failing(address: str, new_page: MakePage) -> None:
    page = new_page()
    page.goto(f"{address}embed/?by=sex&language=en")
    expect(page.locator("figure.chart[data-state=drawn]")).to_have_count(1)
    assert page.context.cookies() == []
