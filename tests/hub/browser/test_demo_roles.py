"""The demonstration in a browser: the city's page without an account, and the switcher of roles by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from hub.browser.looks import DESK, everywhere
from hub.operate.test_serve import Running, served
from hub.ready import ready as ready
from safercities.release.store import FOLDER_VARIABLE

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(published: Path, ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A hub in demonstration, as its own process."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(published, folder, dirs_exist_ok=True)
    shutil.copytree(ready, folder / "home")
    more = {"SAFERCITIES_DEMO": "1", FOLDER_VARIABLE: str(folder / "keys"), "PYTHONPATH": str(TESTS)}
    more["DJANGO_SETTINGS_MODULE"] = "hub.operate.demo_settings"
    with served(folder, "city", "--home", "home", **more) as hub:
        yield hub


def test_a_visitor_reads_and_takes_roles_by_keyboard(demo: Running, new_page: Callable[..., Page]) -> None:
    page = new_page()
    base = f"http://127.0.0.1:{demo.port}"
    answer = page.goto(f"{base}/o/mini/")
    assert answer is not None
    assert answer.ok
    page.goto(f"{base}/demo/role/")
    main = page.locator("main")
    assert main.get_by_role("button", name="Visitor").get_attribute("aria-current") == "true"
    for name in ("Analyst", "Reviewer", "Publisher", "Hub administrator"):
        main.get_by_role("button", name=name).focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert main.get_by_role("button", name=name).get_attribute("aria-current") == "true"
        assert page.request.get(f"{base}/w/").ok
    main.get_by_role("button", name="Visitor").click()
    page.get_by_role("link", name="Sign in").wait_for()


def test_the_switcher_is_accessible_and_fits_a_phone(demo: Running, new_page: Callable[..., Page]) -> None:
    page = new_page(viewport=DESK)
    page.goto(f"http://127.0.0.1:{demo.port}/demo/role/")
    assert everywhere(page) == {}
