"""Members: who may see and change them, and that a hub is never left without an administrator."""

from __future__ import annotations

import pytest

from safercities.hub.models import Event, Membership, Role, User


@pytest.fixture
def admin(make_user):
    return make_user("admin", Role.HUB_ADMIN)


def test_an_invited_person_gets_a_role_and_a_link_that_is_shown_once(town, admin, browser_of):
    said = {"email": "New@Example.org", "name": "<b>New</b>", "role": "analyst"}
    page = browser_of(admin).post("/w/city/members/invite/", said).content.decode()
    user = User.objects.get(email="new@example.org")
    assert Membership.objects.get(user=user).role == Role.ANALYST
    assert "/account/password/reset/key/" in page
    assert "<b>New" not in page
    assert "/account/password/reset/key/" not in browser_of(admin).get("/w/city/members/").content.decode()
    event = Event.objects.get(verb="member.added")
    assert (event.actor, event.object) == (admin, str(user.pk))


def test_whoever_has_an_account_gets_no_link_into_it(town, admin, make_user, browser_of):
    make_user("known")
    answer = browser_of(admin).post(
        "/w/city/members/invite/", {"email": "known@example.org", "role": "viewer"}, follow=True
    )
    assert "password/reset" not in answer.content.decode()
    assert Membership.objects.filter(user__name="known", role=Role.VIEWER, observatory=town).exists()


@pytest.mark.parametrize("said", [{"email": "no address", "role": "viewer"}, {"email": "a@b.org", "role": "king"}])
def test_wrong_invitations_say_why(said, town, admin, browser_of):
    assert browser_of(admin).post("/w/city/members/invite/", said).status_code == 400
    assert Membership.objects.count() == 1


def test_roles_are_changed_and_taken_away(town, admin, analyst, browser_of):
    browser, member = browser_of(admin), Membership.objects.get(user=analyst)
    browser.post(f"/w/city/members/{member.pk}/", {"role": "reviewer"})
    member.refresh_from_db()
    assert member.role == Role.REVIEWER
    assert browser.post(f"/w/city/members/{member.pk}/", {"role": "hub_admin"}).status_code == 404
    browser.post(f"/w/city/members/{member.pk}/remove/")
    assert not Membership.objects.filter(user=analyst).exists()
    assert {"member.changed", "member.removed"} <= set(Event.objects.values_list("verb", flat=True))


def test_a_role_that_they_have_already_is_told(town, admin, analyst, browser_of):
    second = Membership.objects.create(user=analyst, observatory=town, role=Role.VIEWER)
    page = browser_of(admin).post(f"/w/city/members/{second.pk}/", {"role": "analyst"}, follow=True).content.decode()
    assert "already" in page
    assert not Event.objects.filter(verb="member.changed").exists()


def test_the_last_hub_administrator_stays(town, admin, make_user, browser_of):
    own = Membership.objects.get(user=admin)
    page = browser_of(admin).post(f"/w/city/members/{own.pk}/remove/", follow=True).content.decode()
    assert "cannot be removed" in page
    closed = make_user("closed", Role.HUB_ADMIN)
    User.objects.filter(pk=closed.pk).update(is_active=False)  # one who cannot sign in is no help
    browser_of(admin).post(f"/w/city/members/{own.pk}/remove/")
    assert Membership.objects.filter(pk=own.pk).exists()
    make_user("second", Role.HUB_ADMIN)
    assert browser_of(admin).post(f"/w/city/members/{own.pk}/remove/").url == "/w/"
    assert not Membership.objects.filter(pk=own.pk).exists()


def test_members_of_other_observatories_are_not_there(town, hidden, admin, make_user, browser_of):
    user = make_user("elsewhere", Role.ANALYST, observatory=hidden)
    member = Membership.objects.get(user=user)
    for address in (f"/w/city/members/{member.pk}/", f"/w/city/members/{member.pk}/remove/"):
        assert browser_of(admin).post(address, {"role": "viewer"}).status_code == 404
    assert Membership.objects.filter(pk=member.pk).exists()


@pytest.mark.parametrize(("role", "sees"), [(r, r in (Role.PUBLISHER, Role.HUB_ADMIN)) for r in Role])
def test_publishers_see_members_and_only_administrators_change_them(role, sees, town, admin, make_user, browser_of):
    browser = browser_of(make_user("one", role, observatory=town))
    member = Membership.objects.get(user=admin)
    assert browser.get("/w/city/members/").status_code == (200 if sees else 403)
    if role != Role.HUB_ADMIN:
        for address in ("invite/", f"{member.pk}/", f"{member.pk}/remove/"):
            answer = browser.post(f"/w/city/members/{address}", {"email": "a@b.org", "role": "viewer"})
            assert answer.status_code == 403
