"""Debian's Chromium for the tests of pages, one published city for all, and what every page must keep: no error, no
violation, no other host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

import safercities
from hub import made_observatory
from hub.browser.static_site import STATIC, StaticSite
from safercities.hub.models import Observatory, User
from safercities.hub.models.shelf import sync
from safercities.hub.published import figures, refresh
from safercities.publishing import publish
from safercities.release.store import KeyStore
from tools import chromium_path

VIEWPORT = {"width": 1000, "height": 800}
#: WebGL by software, for maps; pages themselves are not drawn by way of it: that costs more.
ARGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
ARGS += ["--disable-gpu-compositing", "--disable-gpu-rasterization"]
WATCH = """window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));"""
#: Figures are drawn or have given up, and htmx waits for nothing.
SETTLED = """() => !document.querySelector(
  "figure:is([data-chart], [data-map]):not([data-state=drawn], [data-state=failed]), .htmx-request")"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all. Its loop runs in the thread of the tests: Django would take them for asynchronous code."""
    path = chromium_path()
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site() -> Iterator[StaticSite]:
    """Static pages under the strict policy."""
    if not (STATIC / "built" / "manifest.json").exists():
        pytest.fail("the scripts of the hub have not been built: run `make frontend`")
    one = StaticSite()
    yield one
    one.close()


class Pool:
    """Browser pages that tests hand on to each other: to make one costs more than most tests.

    Whoever gets one finds it without cookies, at about:blank, and is the only one to have it.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.free: dict[str, list[Watched]] = {}

    def take(self, *, fresh: bool = False, **options: Any) -> Watched:
        """One with these options of a context. `fresh`: made anew, and thrown away afterwards."""
        options.setdefault("locale", "en")
        seen = {"viewport": options.pop("viewport", VIEWPORT), "color_scheme": options.pop("color_scheme", "light")}
        key = "" if fresh else repr(sorted(options.items()))
        found = self.free[key].pop() if self.free.get(key) else Watched(self.browser.new_context(**options), key)
        found.page.set_viewport_size(seen["viewport"])
        found.page.emulate_media(media="screen", color_scheme=seen["color_scheme"])
        return found

    def give_back(self, one: Watched) -> None:
        """Clean it for the next one."""
        if not one.key:
            one.page.context.close()
            return
        one.page.goto("about:blank")
        one.page.context.clear_cookies()
        one.wrong, one.hosts = [], set()
        self.free.setdefault(one.key, []).append(one)


class Watched:
    """A page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, key: str) -> None:
        self.key = key
        self.wrong: list[str] = []
        self.hosts: set[str | None] = set()
        context.add_init_script(WATCH)
        self.page = page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: self.wrong.append(f"error: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))


@pytest.fixture(scope="session")
def pool(chromium: Browser) -> Pool:
    """Pages that wait for a test."""
    return Pool(chromium)


@pytest.fixture
def new_page(pool: Pool) -> Iterator[Callable[..., Page]]:
    """Gives pages that are watched: at the end none may have broken the policy, failed, or asked another host.

    A test that listens to a page, or changes what it can do, asks for a `fresh` one.
    """
    taken: list[Watched] = []
    wrong: list[str] = []

    def make(**options: object) -> Page:
        one = pool.take(**options)
        one.wrong = wrong
        taken.append(one)
        return one.page

    make.wrong = wrong  # type: ignore[attr-defined]  # a test that provokes an error takes it out again
    yield make
    hosts: set[str | None] = set()
    for one in taken:
        wrong += one.page.evaluate("window.violations ?? []")
        hosts |= one.hosts
    said = list(wrong)
    for one in taken:
        pool.give_back(one)
    assert not said
    assert hosts <= {"127.0.0.1", "localhost", None}


def settled(page: Page) -> Page:
    """Wait until nothing is being drawn or asked for."""
    page.wait_for_function(SETTLED, timeout=20_000)
    return page


def sign_in(page: Page, user: User, address: str) -> None:
    """Have the browser of a page signed in at the server with this address."""
    client, name = Client(), settings.SESSION_COOKIE_NAME
    client.force_login(user)
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an observatory `city`, made up, with a release and its correction, and its keys. Read only."""
    folder = tmp_path_factory.mktemp("published")
    city = made_observatory.build(folder / "city")
    toml = (city / "observatory.toml").read_text(encoding="utf-8")
    (city / "observatory.toml").write_text(toml.replace('"XA-MIN"', '"XA-MIN"\nsynthetic = true', 1), encoding="utf-8")
    keys = KeyStore.open("XA-MIN", folder / "keys" / "XA-MIN")
    keys.make(date(2025, 1, 1))
    first = publish(safercities.open(city), published=date(2025, 3, 1), keys=keys)
    (city / "robberies.csv").write_text(made_observatory.robberies(260), encoding="utf-8")
    why = "Twenty cases came late."
    publish(safercities.open(city), published=date(2025, 4, 1), keys=keys, supersedes=first.folder.name, reason=why)
    return folder


@pytest.fixture
def haven(transactional_db: None, published: Path) -> Observatory:
    """A public observatory with a release, its index and its boundaries; those are made once, and stay."""
    made = Observatory.objects.create(slug="haven", name="Mini", place_id="XA-MIN", folder=str(published / "city"))
    if figures(made) is None:
        refresh(made)
    else:
        sync(made)
    return made
