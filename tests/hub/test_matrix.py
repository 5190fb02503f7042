"""Every view × every role: nobody sees or does more than the table of rights gives; hidden and missing look alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RegexPattern

from safercities.hub.access import RIGHTS, Right
from safercities.hub.models import Observatory, Role, User
from safercities.hub.models.work import TAKEN

#: Views that need no right, each for a reason: they show what anybody may see, or ask by themselves.
OPEN = {
    "healthz": "tells whether it runs",
    "readyz": "tells whether it can answer",
    "metrics": "asks for its own token",
    "public:front": "lists what is visible to who asks",
    "public:about": "a text",
    "public:method": "a text",
    "public:api_docs": "a text",
    "public:robots": "a text",
    "public:sitemap": "lists what is visible to anybody",
    "public:security": "a text",
    "workbench:home": "asks to sign in, and lists one's own",
    "tokens:tokens": "asks to sign in, and lists one's own",
    "tokens:revoke": "asks to sign in, and knows one's own only",
    "demo-role": "is there in demonstrations only",
}
#: Parts with doors of their own: allauth's, and those that test_matrix_machines.py tries.
APART = ("account/", "api/v1/", "sdmx/")
FILLED: dict[str, Any] = {"IntConverter": 1, "UUIDConverter": UUID(int=7), "ending": "csv"}
OUTSIDERS = ("nobody", "stranger")


@dataclass(frozen=True)
class Door:
    """A view, and what its address needs."""

    name: str
    view: Any
    filled: dict[str, Any]

    @property
    def of_an_observatory(self) -> bool:
        return "slug" in self.filled

    def address(self, slug: str = "") -> str:
        """An address that leads to it."""
        return reverse(self.name, kwargs={**self.filled, **({"slug": slug} if self.of_an_observatory else {})})

    def __str__(self) -> str:
        return self.name


def doors(resolver: URLResolver | None = None, before: str = "", space: str = "") -> Iterator[Door]:
    """All views."""
    for one in (resolver or get_resolver()).url_patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from doors(one, address, f"{one.namespace}:" if one.namespace else space)
        elif isinstance(one, URLPattern) and not address.startswith(APART):
            kinds = {name: type(each).__name__ for name, each in one.pattern.converters.items()}
            kinds |= dict.fromkeys(one.pattern.regex.groupindex, "") if isinstance(one.pattern, RegexPattern) else {}
            filled = {name: FILLED.get(kind, FILLED.get(name, "x")) for name, kind in kinds.items()}
            yield Door(f"{space}{one.name}", one.callback, filled)


ALL = list(doors())
INSIDE = [door for door in ALL if door.of_an_observatory]
ABOVE = [door for door in ALL if not door.of_an_observatory and hasattr(door.view, "needs")]


def test_pages_of_the_workbench_itself_are_no_names_of_observatories() -> None:
    first = {door.address("x").split("/")[2] for door in ALL if str(door).startswith(("workbench:", "tokens:"))}
    assert first - {"x", ""} == TAKEN


def test_every_view_asks_for_a_right_or_is_known_to_be_open() -> None:
    assert not {door.name for door in ALL if not hasattr(door.view, "needs") and door.name not in OPEN}
    assert all(hasattr(door.view, "needs") for door in INSIDE)


@pytest.fixture
def people(make_user: Callable[..., User], city: Observatory, hidden: Observatory) -> dict[str, User | None]:
    """Somebody of each role in one hidden observatory and in one public one, a stranger, and nobody."""
    found: dict[str, User | None] = {"nobody": None, "stranger": make_user("stranger")}
    for role in Role:
        user = found[role] = make_user(str(role), role, observatory=hidden)
        if role != Role.HUB_ADMIN:
            user.memberships.create(role=role, observatory=city)
    return found


def held(name: str, observatory: Observatory) -> frozenset[Right]:
    """The rights that the table gives."""
    given = frozenset[Right]() if name in OUTSIDERS else RIGHTS[Role(name)]
    return given | {Right.SEE_RELEASES} if observatory.public else given


def asked(client: Client, method: str, address: str) -> HttpResponse:
    """What is answered."""
    return getattr(client, method)(address)


def to_sign_in(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and "/account/login" in answer["Location"]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("door", INSIDE, ids=str)
def test_each_role_at_each_view(
    door: Door, method: str, people: dict[str, User | None], city: Observatory, hidden: Observatory,
    browser_of: Callable[[User | None], Client],
) -> None:  # fmt: skip
    for name, user in people.items():
        client = browser_of(user)
        nowhere = asked(client, method, door.address("nowhere"))
        assert nowhere.status_code in (404, 405)
        for observatory in (city, hidden):
            answer, where = asked(client, method, door.address(observatory.slug)), (name, observatory.slug)
            if answer.status_code == 405:
                assert nowhere.status_code == 405, where
            elif door.view.needs in held(name, observatory):
                assert answer.status_code not in (401, 403), where
                assert answer.status_code < 500, where
                assert not to_sign_in(answer), where
            elif name in OUTSIDERS:
                assert answer.status_code == 404, where
                assert answer.content == nowhere.content or _like(answer, nowhere), where
                assert _heads(answer) == _heads(nowhere), where
            else:
                assert answer.status_code == 403, where


def _like(one: HttpResponse, other: HttpResponse) -> bool:
    """Whether two pages are the same but for what differs each time."""
    varies = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"|request[^<]*<[^>]*>[^<]*|hidden|nowhere|city')
    return varies.sub(b"", one.content) == varies.sub(b"", other.content)


def _heads(answer: HttpResponse) -> dict[str, str]:
    """Headers but for what differs each time, and the names of cookies."""
    own = {"x-request-id", "content-length", "ratelimit"}
    return {name: text for name, text in answer.headers.items() if name.lower() not in own} | dict.fromkeys(
        answer.cookies, "cookie"
    )


@pytest.mark.parametrize("door", ABOVE, ids=str)
def test_each_role_at_the_hub(door: Door, people: dict[str, User | None], browser_of: Any) -> None:
    for name, user in people.items():
        answer = asked(browser_of(user), "get", door.address())
        if name == "nobody":
            assert to_sign_in(answer)
        elif name == Role.HUB_ADMIN:
            assert answer.status_code not in (401, 403)
        else:
            assert answer.status_code == 403, name
