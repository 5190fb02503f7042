"""Every endpoint of the API and of SDMX × every role: as test_matrix.py does it for pages. None can be forgotten."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from hub.api.conftest import small
from hub.figures.conftest import made
from hub.figures.made_chain import City
from hub.shown import show
from safercities.hub.access import RIGHTS, Right
from safercities.hub.api import limits, sdmx_told
from safercities.hub.api.main import api
from safercities.hub.models import Observatory, Role, Scope, Token, User

__all__ = ["made", "small"]
#: Endpoints that do more than read, or read what not all may read, with what they need besides a scope.
NEEDS = {
    ("post", "/observatories/{slug}/releases"): Right.PUBLISH,
    ("get", "/observatories/{slug}/webhooks"): Right.MANAGE_WEBHOOKS,
    ("post", "/observatories/{slug}/webhooks"): Right.MANAGE_WEBHOOKS,
    ("delete", "/observatories/{slug}/webhooks/{webhook}"): Right.MANAGE_WEBHOOKS,
}
FILLED = {"number": "1", "name": "data.csv", "webhook": "1"}
HOOK = b'{"url": "https://example.org/hook", "events": ["release.published"]}'
HIDDEN_WORDS = re.compile(rb"hidden|XA-HID|Hidden")


@pytest.fixture(autouse=True)
def _fresh(settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path / "home"
    settings.OPTIONS = {**settings.OPTIONS, "RATE_PUBLIC": "100000/m", "RATE_TOKEN": "100000/m"}
    limits.forget()


def endpoints() -> Iterator[tuple[str, str]]:
    """Method and path, as the API's own document lists them."""
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method in methods:
            yield method, path.removeprefix("/api/v1")


def patterns(part: str, found: URLResolver | None = None, before: str = "") -> Iterator[URLPattern]:
    """All views of a part."""
    for one in (found or get_resolver()).url_patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(part, one, address)
        elif address.startswith(part):
            yield one


ALL = sorted(set(endpoints()))
INSIDE = [one for one in ALL if "{slug}" in one[1]]
SDMX = [
    "data/ESTIMATES",
    "data/all,ESTIMATES,latest/all/all",
    *(f"{kind}/all/all/latest" for kind in (*sdmx_told.KINDS, "structure")),
]


def test_what_can_be_asked_is_what_the_document_lists() -> None:
    """A view beside ninja's, or one that hides from the document, would be tried by nobody."""
    asked = {
        (method.lower(), f"/{path}".replace("path:", ""))
        for _, router in api._routers
        for path, view in ((each.strip("/"), view) for each, view in router.path_operations.items())
        for one in view.operations
        for method in one.methods
    }
    assert asked == {(method, path.rstrip("/") or "/") for method, path in ALL}
    views = [one.callback.__module__ for one in patterns("api/v1/")]
    assert set(views) <= {"ninja.openapi.views", "ninja.operation", "safercities.hub.api.main", "functools"}
    assert {one.callback.__module__ for one in patterns("sdmx/")} == {"safercities.hub.api.sdmx_views"}
    assert {one.name for one in patterns("sdmx/")} - {None} == {"data", "structures"}  # None: there is nothing else


def test_the_pages_of_accounts_are_allauths_or_the_offices() -> None:
    for one in patterns("account/"):
        home = one.callback.__module__
        assert home.startswith("allauth.") or home == "safercities.hub.office" or "django.views" in home, one


def test_endpoints_that_need_a_right_are_all_there_is_besides_reading() -> None:
    assert set(NEEDS) <= set(ALL)
    assert not [one for one in ALL if one[0] != "get" and one not in NEEDS]


@pytest.fixture
def people(make_user: Callable[..., User], city: Observatory, hidden: Observatory) -> dict[str, Client]:
    """Machines of people of each role in the hidden observatory, whose tokens have every scope; a stranger's; none."""
    found = {"nobody": Client(), "stranger": _machine(make_user("stranger"))}
    for role in Role:
        found[role] = _machine(make_user(str(role), role, observatory=hidden))
    return found


def _machine(user: User) -> Client:
    _, word = Token.make(user, "all", [str(one) for one in Scope.values])
    return Client(headers={"authorization": f"Bearer {word}"})


def _answer(client: Client, method: str, path: str, slug: str) -> HttpResponse:
    text = "/api/v1" + path.format_map({**dict.fromkeys(re.findall(r"{(\w+)}", path), "x"), **FILLED, "slug": slug})
    return client.generic(method.upper(), text, HOOK, content_type="application/json")


def _told(answer: HttpResponse) -> tuple[int, bytes, dict[str, str]]:
    """All that a client sees, but for what differs each time."""
    own = {"x-request-id", "ratelimit"}
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[arg-type]
    return answer.status_code, body, {name: text for name, text in answer.headers.items() if name.lower() not in own}


@pytest.fixture
def published(city: Observatory, hidden: Observatory, small: City) -> None:
    """Both have releases."""
    for each in (city, hidden):
        shutil.copytree(small.releases, each.releases)
        show(each, small.releases)


@pytest.mark.usefixtures("published")
def test_each_role_at_each_endpoint(people: dict[str, Client]) -> None:
    for method, path in INSIDE:
        need = NEEDS.get((method, path))
        for name, client in people.items():
            nowhere, there, known = (
                _told(_answer(client, method, path, slug)) for slug in ("nowhere", "hidden", "city")
            )
            where = (method, path, name)
            if name in ("nobody", "stranger"):
                assert there == nowhere, where
                assert there[0] in (401, 404), where
            elif need is not None and need not in RIGHTS[Role(name)]:
                assert there[0] == 403, where
            else:
                assert there[0] not in (401, 403), where
                assert there[0] < 500, where
            if need is None:
                assert known[0] not in (401, 403), where
            elif name != Role.HUB_ADMIN:  # what they are there, they are not here
                assert known[0] in (401, 403, 404), where


@pytest.mark.usefixtures("published")
def test_each_role_at_sdmx(people: dict[str, Client]) -> None:
    for rest in SDMX:
        for name, client in people.items():
            nowhere, there, all = (_told(client.get(f"/sdmx/{way}{rest}")) for way in ("o/nowhere/", "o/hidden/", ""))
            if name in ("nobody", "stranger"):
                assert there == nowhere, (rest, name)
                assert there[0] == 404, (rest, name)
                assert not HIDDEN_WORDS.search(all[1]), (rest, name)
            else:
                assert there[0] == 200, (rest, name)


def test_lists_name_nothing_hidden(people: dict[str, Client], hidden: Observatory) -> None:
    for method, path in set(ALL) - set(INSIDE):
        for name in ("nobody", "stranger"):
            assert not HIDDEN_WORDS.search(_told(_answer(people[name], method, path, ""))[1])
