"""The workbench in a browser: a newcomer maps a messy file with a live preview, and without scripts too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from hub.browser.conftest import sign_in
from hub.workbench.conftest import MESSY, analyst, quarantine, town
from safercities import config
from safercities.hub.models import Observatory

__all__ = ["analyst", "quarantine", "town"]
Visit = Callable[..., Page]


@pytest.fixture
def visit(transactional_db, live_server, town, analyst, new_page) -> Visit:
    """Opens pages as the analyst."""

    def go(address: str, **options: object) -> Page:
        page = new_page(base_url=live_server.url, **options)
        sign_in(page, analyst, live_server.url)
        page.goto(address)
        return page

    return go


def _bring(page: Page) -> None:
    page.set_input_files("#file", {"name": "casos.csv", "mimeType": "text/csv", "buffer": MESSY})
    page.get_by_role("button", name="Bring them").click()
    page.wait_for_selector("text=1 file is here.")


def _begin(page: Page) -> None:
    page.get_by_role("link", name="Say what it holds").click()
    page.check("input[value=incidents]")
    page.fill("#name", "cases")
    with page.expect_navigation():  # loaded with its scripts: a choice made before would not be heard
        page.get_by_role("button", name="Go on").click()
    page.wait_for_selector("#mapping")


def _choose_act(page: Page, scripts: bool) -> None:
    page.select_option("#q-act-column", "")
    if scripts:  # the page asks for other questions meanwhile
        page.wait_for_selector("text=There is no preview yet")
    page.focus("#q-act-code")
    page.select_option("#q-act-code", "0101")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_newcomers_file_becomes_a_source(scripts: bool, visit: Visit, town: Observatory) -> None:
    page = visit("/w/city/files/", java_script_enabled=scripts)
    _bring(page)
    _begin(page)
    _choose_act(page, scripts)
    if not scripts:
        page.locator(".bar").get_by_role("button", name="Preview").click()
    page.wait_for_selector(".beside td.read >> text=0101")
    assert page.locator(".counts").inner_text() == "7 rows read: 6 kept, 1 left out"
    assert page.locator("tr.out").count() == 1
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("text=Saved.")
    assert config.load(town.path).sources["cases"].act == "0101"  # type: ignore[union-attr]


def test_a_live_preview_keeps_the_keyboard_where_it_was(visit: Visit) -> None:
    page = visit("/w/city/files/")
    _bring(page)
    _begin(page)
    _choose_act(page, scripts=True)
    page.wait_for_selector(".beside td.read >> text=0101")
    assert page.locator("#counts").inner_text() == "6 rows kept, 1 left out"
    assert page.evaluate("document.activeElement.id") == "q-act-code"


def _told(page: Page, id: str) -> tuple[str, bool, str]:
    """What stands beside a question, whether its control says that it is wrong, and what that is described by."""
    control = page.locator(f"#{id}")
    text = page.locator(f"#{id}-wrong").inner_text()
    ids = str(control.get_attribute("aria-describedby")).split()
    said = " ".join(str(page.locator(f"#{one}").text_content()) for one in ids)
    return text, control.get_attribute("aria-invalid") == "true", said


def test_what_is_wrong_comes_and_goes_beside_its_question_while_one_writes_on(visit: Visit, new_page: Any) -> None:
    page = visit("/w/city/files/")
    _bring(page)
    _begin(page)
    _choose_act(page, scripts=True)
    page.wait_for_selector(".beside td.read >> text=0101")
    page.select_option("#q-when", "")
    page.wait_for_selector("#q-when-wrong:not([hidden]) >> text=this key is missing")
    page.wait_for_selector("#q-when[aria-invalid=true]")  # said once the list has settled
    text, invalid, said = _told(page, "q-when")
    assert invalid
    assert text in said
    with page.expect_navigation():  # refused: the page is a new one
        page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#q-when-wrong:not([hidden])")
    assert _told(page, "q-when")[1]
    new_page.wrong[:] = [one for one in new_page.wrong if "400" not in one]
    page.select_option("#q-when", "Fecha del hecho")
    page.focus("#q-sheet")
    page.keyboard.type("half a wo")
    page.wait_for_selector("#q-when-wrong", state="hidden")
    page.wait_for_selector(".counts >> text=7 rows read")
    page.wait_for_selector("#q-when:not([aria-invalid])")
    assert _told(page, "q-when")[:2] == ("", False)
    assert page.evaluate("document.activeElement.id") == "q-sheet"
    assert page.input_value("#q-sheet") == "half a wo"
    assert page.locator("#q-when-wrong").count() == 1
