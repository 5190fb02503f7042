"""Every kind of page: no fault that axe finds, no sideways scrolling on a small phone, in both directions of script."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Page

from hub.operate.made_hub import published_city
from safercities.hub.models import Membership, Observatory, Role, User
from safercities.hub.published import refresh

#: Playwright's loop runs in the thread of the test; Django takes it for one of its own.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

PUBLIC = [
    "/",
    "/o/{slug}/",
    "/o/{slug}/indicators/",
    "/o/{slug}/i/{code}/",
    "/o/{slug}/i/{code}/?view=chart",
    "/o/{slug}/i/{code}/?view=map",
    "/o/{slug}/i/{code}/embed/",
    "/o/{slug}/p/{place}/",
    "/o/{slug}/compare/?i={code}&p={place}&p={part}",
    "/o/{slug}/releases/",
    "/o/{slug}/releases/1/",
    "/about/",
    "/method/",
    "/api/docs/",
    "/account/login/",
    "/nowhere/",
]
INSIDE = [
    "/w/",
    "/w/new/",
    "/w/{slug}/",
    "/w/{slug}/files/",
    "/w/{slug}/sources/robberies/",
    "/w/{slug}/publish/",
    "/w/{slug}/history/",
    "/w/{slug}/members/",
    "/w/tokens/",
    "/account/email/",
]
WAYS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1200, "height": 900}, "locale": "en"},
    "dark": {"viewport": {"width": 1200, "height": 900}, "locale": "en", "color_scheme": "dark"},
    "phone": {"viewport": {"width": 320, "height": 640}, "locale": "en"},
    "arabic": {"viewport": {"width": 320, "height": 640}, "locale": "ar"},
}


@pytest.fixture
def sanvera(transactional_db: None, tmp_path: Path) -> Observatory:
    """An observatory with a release."""
    folder = published_city(tmp_path)
    made = Observatory.objects.create(slug="mini", name="Mini", place_id="XA-MIN", folder=str(folder))
    refresh(made)
    return made


def filled(address: str, observatory: Observatory) -> str:
    from safercities.hub.published import figures

    known = figures(observatory)
    assert known is not None
    parts = [one.id for one in known.places.values() if one.id != observatory.place_id]
    names = {"code": min(known.indicators), "place": observatory.place_id, "part": parts[0]}
    return address.format(slug=observatory.slug, **names)


def faults(page: Page) -> list[str]:
    """What axe finds, and whether the page is wider than the screen."""
    found = Axe().run(page).response["violations"]
    told = [f"{one['id']}: {one['nodes'][0]['html'][:150]}" for one in found]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return told + ([f"{wide} px too wide"] if wide > 0 else [])


@pytest.mark.parametrize("way", WAYS)
def test_pages_for_everybody(way: str, sanvera: Observatory, live_server: Any, new_page: Callable[..., Page]) -> None:
    page = new_page(**WAYS[way])
    wrong = {}
    for address in PUBLIC:
        page.goto(live_server.url + filled(address, sanvera), wait_until="networkidle")
        if found := faults(page):
            wrong[address] = found
    _without_404(new_page)
    assert not wrong


@pytest.mark.parametrize("way", WAYS)
def test_pages_of_the_workbench(
    way: str, sanvera: Observatory, live_server: Any, new_page: Callable[..., Page]
) -> None:
    user = User.objects.create_user("admin@example.org", "long enough to be a password", name="Ada")
    Membership.objects.create(user=user, role=Role.HUB_ADMIN)
    client = Client()
    client.force_login(user)
    page = new_page(**WAYS[way])
    cookie = {"name": "sessionid", "value": client.cookies[_session()].value, "url": live_server.url}
    page.context.add_cookies([cookie | {"name": _session()}])
    wrong = {}
    for address in INSIDE:
        answer = page.goto(live_server.url + filled(address, sanvera), wait_until="networkidle")
        assert answer is not None
        if found := faults(page) + ([] if answer.status == 200 else [f"status {answer.status}"]):
            wrong[address] = found
    assert not wrong


def _session() -> str:
    from django.conf import settings

    return settings.SESSION_COOKIE_NAME


def _without_404(new_page: Any) -> None:
    """One of the pages is that of what does not exist; the browser tells of it."""
    new_page.wrong[:] = [one for one in new_page.wrong if "404" not in one]
