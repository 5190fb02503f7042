"""Parts of pages that are rendered once: the same as new ones, and told apart by all that they differ by."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from hub.public.made_site import HOMICIDE
from safercities.hub import kept
from safercities.hub.models import Observatory, Role
from safercities.hub.templatetags import hub_kept

HOME = "/o/medellin/"
PAGE = f"{HOME}i/{HOMICIDE}/"
ADDRESSES = (PAGE, f"{PAGE}?view=table", f"{PAGE}?by=sex", f"{PAGE}?view=map", HOME, f"{HOME}releases/", "/about/")


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    hub_kept.CACHE.clear()


def body(client: Client, address: str) -> bytes:
    """A page that is made anew, but for its parts."""
    kept.CACHE.clear()
    return bytes(client.get(address).content)


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "ar"])
def test_pages_are_the_same_with_parts_that_were_kept(client: Client, medellin: Observatory, language: str) -> None:
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    new = {}
    for address in ADDRESSES:
        hub_kept.CACHE.clear()
        new[address] = body(client, address)
    for _ in range(2):
        assert {address: body(client, address) for address in ADDRESSES} == new
    assert len(hub_kept.CACHE._kept) > 5


@pytest.mark.django_db
def test_parts_change_with_what_is_published_and_with_the_language(client: Client, medellin: Observatory) -> None:
    french = Client(HTTP_ACCEPT_LANGUAGE="fr")
    assert b"Source and method" in body(client, PAGE)
    assert b"Source and method" not in body(french, PAGE)
    count = len(hub_kept.CACHE._kept)
    body(client, f"{PAGE}?view=table")
    assert len(hub_kept.CACHE._kept) == count
    Observatory.objects.update(name="Another name")
    body(client, PAGE)
    assert len(hub_kept.CACHE._kept) > count


@pytest.mark.django_db
def test_links_of_people_who_are_signed_in_are_theirs(
    client: Client, medellin: Observatory, make_user: Any, browser_of: Any
) -> None:
    signed_in = browser_of(make_user("ana", Role.ANALYST, observatory=medellin))
    own = f'href="{reverse("account_email")}"'.encode()
    for _ in range(2):
        assert own in body(signed_in, PAGE)
        assert own not in body(client, PAGE)


@pytest.mark.django_db
def test_of_what_is_hidden_no_number_is_kept(secret: Observatory, make_user: Any, browser_of: Any) -> None:
    member = browser_of(make_user("vera", Role.VIEWER, observatory=secret))
    assert member.get(f"/o/secret/i/{HOMICIDE}/").status_code == 200
    assert {key[1] for key in hub_kept.CACHE._kept} <= {'"nav"', '"hub"', '"foot"', '"head"'}


def test_everything_that_is_named_tells_apart(settings: Any) -> None:
    part = Template('{% load hub_kept %}{% kept "a" state one.two %}{{ said }}{% endkept %}')

    def said(state: object, two: object, text: str) -> str:
        return part.render(Context({"state": state, "one": {"two": two}, "said": text}))

    assert said("s", ("x", 1), "first") == "first"
    assert said("s", ("x", 1), "second") == "first"
    assert said("s", ("x", 2), "second") == "second"
    assert said("t", ("x", 1), "third") == "third"
    with override("fr"):
        assert said("s", ("x", 1), "fourth") == "fourth"
    for empty in ("", None):
        assert [said(empty, 1, text) for text in "ab"] == ["a", "b"]
    settings.DEBUG = True
    assert said("s", ("x", 1), "fifth") == "fifth"
