"""How people come to an account, and that a role lets nobody into somebody else's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError

from safercities.hub import settings as production
from safercities.hub.access import Right, may
from safercities.hub.accounts import SocialAccountAdapter, invite
from safercities.hub.models import Event, Membership, Role, User


def test_an_invitation_gives_an_account_a_role_and_a_link(city, make_user, client):
    admin = make_user("admin", Role.HUB_ADMIN)
    user, link = invite("New@Example.org", Role.ANALYST, city, name="New", by=admin)
    assert may(user, Right.UPLOAD, city)
    assert link.startswith("/account/password/reset/key/")
    assert client.get(link).status_code == 302
    event = Event.objects.get()
    assert (event.actor, event.observatory, event.object) == (admin, city, str(user.pk))
    assert "example" not in f"{event.detail} {event.object}"


def test_inviting_somebody_who_has_a_password_gives_no_way_into_their_account(city, make_user):
    ana = make_user("ana")
    user, link = invite("ana@example.org", Role.VIEWER, city)
    assert (user, link) == (ana, "")
    invite("ana@example.org", Role.VIEWER, city)
    assert Membership.objects.count() == 1


def test_an_invitation_to_no_address_makes_nothing(city):
    with pytest.raises(ValidationError):
        invite("not an address", Role.VIEWER, city)
    assert not User.objects.exists()
    assert not Event.objects.exists()


def test_the_office_sign_in_brings_a_name_and_no_rights(city, rf):
    login = SimpleNamespace(user=User())
    data = {"email": "ana@example.org", "first_name": "Ana", "last_name": "Sol"}
    user = SocialAccountAdapter().populate_user(rf.get("/"), login, data)
    assert (user.email, user.name) == ("ana@example.org", "Ana Sol")
    user.set_unusable_password()
    user.save()
    assert not may(user, Right.SEE_WORKBENCH, city)


def test_passwords_are_kept_by_argon2(settings):
    settings.PASSWORD_HASHERS = production.PASSWORD_HASHERS
    kept = make_password("a word nobody thinks of")
    assert kept.startswith("argon2$argon2id$")
    assert check_password("a word nobody thinks of", kept)
