"""Debian's Chromium for the tests of pages, and what every page must keep: no error, no violation, no other host."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hub.browser.static_site import STATIC, StaticSite

ARGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WATCH = """window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));"""


def executable() -> str:
    """Where the system's Chromium is."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site() -> Iterator[StaticSite]:
    """Static pages under the strict policy."""
    if not (STATIC / "built" / "manifest.json").exists():
        pytest.fail("the scripts of the hub have not been built: run `make frontend`")
    one = StaticSite()
    yield one
    one.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Makes pages that are watched: at the end none may have broken the policy, failed, or asked another host."""
    pages: list[Page] = []
    wrong: list[str] = []

    def make(**options: object) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 800}, **options})  # type: ignore[arg-type]
        context.add_init_script(WATCH)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: wrong.append(f"{said.type}: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        pages.append(page)
        return page

    hosts: set[str | None] = set()
    make.wrong = wrong  # type: ignore[attr-defined]  # a test that provokes an error takes it out again
    yield make
    for page in pages:
        wrong += page.evaluate("window.violations ?? []")
        page.context.close()
    assert not wrong
    assert hosts <= {"127.0.0.1", "localhost", None}
