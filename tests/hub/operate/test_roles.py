"""The demonstration's switcher of roles: only there, only on demo observatories, and closed when it is over."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from safercities.hub.access import Right, may
from safercities.hub.models import Event, Observatory, Role, User
from safercities.hub.operate import roles

pytestmark = pytest.mark.usefixtures("wired", "db")
ADDRESS = "/demo/role/"


@pytest.fixture
def demo(city: Observatory) -> Observatory:
    city.demo = True
    city.save()
    return city


def who(client: Client) -> User | None:
    return User.objects.filter(pk=client.session.get("_auth_user_id")).first()


@pytest.mark.parametrize("role", ["visitor", "analyst", "hub_admin"])
def test_it_does_not_exist_without_the_demonstration(client: Client, demo: Observatory, role: str) -> None:
    assert client.get(ADDRESS).status_code == 404
    assert client.post(ADDRESS, {"role": role}).status_code == 404
    assert who(client) is None
    assert not User.objects.exists()


@override_settings(DEMO=True)
def test_taking_a_role_gives_its_rights_in_demo_observatories_only(
    client: Client, demo: Observatory, hidden: Observatory
) -> None:
    answer = client.post(ADDRESS, {"role": "analyst", "next": "/w/"})
    assert (answer.status_code, answer["Location"]) == (302, "/w/")
    analyst = who(client)
    assert analyst is not None
    assert may(analyst, Right.MEASURE, demo)
    assert not may(analyst, Right.PUBLISH, demo)
    assert not may(analyst, Right.SEE_RELEASES, hidden)
    assert not analyst.has_usable_password()
    assert Event.objects.filter(verb="demo.role_taken", object="analyst").count() == 1
    client.post(ADDRESS, {"role": "publisher"})
    assert may(who(client), Right.PUBLISH, demo)
    client.post(ADDRESS, {"role": "visitor"})
    assert who(client) is None


@override_settings(DEMO=True)
def test_an_observatory_that_is_no_demo_any_more_is_left(client: Client, demo: Observatory) -> None:
    analyst = roles.account(Role.ANALYST)
    Observatory.objects.update(demo=False)
    assert not may(roles.account(Role.ANALYST), Right.SEE_WORKBENCH, demo)
    assert not analyst.memberships.exists()


@override_settings(DEMO=True)
def test_the_administrator_only_where_every_observatory_is_a_demo(
    client: Client, demo: Observatory, hidden: Observatory
) -> None:
    assert client.post(ADDRESS, {"role": "hub_admin"}).status_code == 403
    assert who(client) is None
    Observatory.objects.update(demo=True)
    client.post(ADDRESS, {"role": "hub_admin"})
    assert may(who(client), Right.MANAGE_MEMBERS, demo)


def test_when_the_demonstration_is_over_its_accounts_are_closed_and_signed_out(
    client: Client, demo: Observatory, make_user: object
) -> None:
    with override_settings(DEMO=True):
        client.post(ADDRESS, {"role": "hub_admin"})
        roles.prepare()
        assert client.get("/account/email/").status_code == 200
    roles.prepare()
    assert client.get("/account/email/").status_code == 302
    assert not roles.accounts().filter(is_active=True).exists()
    with override_settings(DEMO=True):
        client.post(ADDRESS, {"role": "hub_admin"})
        assert client.get("/account/email/").status_code == 200


@override_settings(DEMO=True)
def test_wrong_words_and_other_sites_lead_nowhere(demo: Observatory) -> None:
    client = Client()
    for role in ("", "viewer", "root"):
        assert client.post(ADDRESS, {"role": role}).status_code == 400
    for away in ("https://example.org/", "//example.org", "javascript:alert(1)"):
        assert client.post(ADDRESS, {"role": "analyst", "next": away})["Location"] == "/"
    assert Client(enforce_csrf_checks=True).post(ADDRESS, {"role": "analyst"}).status_code == 403


@override_settings(DEMO=True)
def test_the_page_names_the_role_that_is_taken(client: Client, demo: Observatory) -> None:
    client.post(ADDRESS, {"role": "reviewer"})
    page = client.get(ADDRESS).content.decode()
    assert 'value="reviewer" aria-current="true"' in page
    assert page.count("aria-current") == 2  # the language's
