"""Who may do what: the table is the only source, and whoever may not see an observatory cannot tell that it exists."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from safercities import hub
from safercities.hub.access import RIGHTS, Right, find, load, may, may_decide, need, need_in_hub, rights, visible
from safercities.hub.models import Job, Membership, Proposal, Role

HUB = Path(hub.__file__).parent
#: The brief, written out by hand: the table in the code must say the same.
SEE = {Right.SEE_RELEASES}
WORK = {"see_workbench", "upload", "configure", "check", "measure", "preview", "propose"}
EXPECTED = {
    Role.VIEWER: SEE,
    Role.AUDITOR: SEE,
    Role.ANALYST: SEE | WORK,
    Role.REVIEWER: SEE | {"see_workbench", "preview", "approve"},
    Role.PUBLISHER: SEE | WORK | {"approve", "publish", "supersede", "manage_webhooks"},
    Role.HUB_ADMIN: set(Right),
}


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("role", Role)
def test_each_role_has_its_rights_in_its_observatory_and_in_no_other(role, right, city, hidden, make_user):
    user = make_user("one", role, observatory=hidden)
    assert may(user, right, hidden) is (right in EXPECTED[role])
    elsewhere = role == Role.HUB_ADMIN or right == Right.SEE_RELEASES
    assert may(user, right, city) is elsewhere
    assert may(user, right, None) is (role == Role.HUB_ADMIN)


def test_the_table_names_every_role_and_only_hub_admins_rule_over_people():
    assert set(RIGHTS) == set(Role)
    for role in set(Role) - {Role.HUB_ADMIN}:
        assert not RIGHTS[role] & {Right.MANAGE_MEMBERS, Right.SEE_TRAIL, Right.CREATE_OBSERVATORY}


def test_no_right_is_told_to_people_that_nothing_asks_for():
    code = "".join(file.read_text(encoding="utf-8") for file in HUB.rglob("*.py") if file.name != "access.py")
    assert {right for right in Right if f"Right.{right.name}" not in code} == set()


def test_the_public_sees_what_is_public_and_nothing_else(city, hidden, make_user):
    for nobody in (None, AnonymousUser(), make_user("stranger")):
        assert rights(nobody, city) == {Right.SEE_RELEASES}
        assert rights(nobody, hidden) == frozenset()
        assert list(visible(nobody)) == [city]


def test_a_closed_account_has_no_rights(hidden, make_user):
    user = make_user("gone", Role.PUBLISHER, observatory=hidden)
    user.is_active = False
    user.save()
    assert rights(user, hidden) == frozenset()
    assert hidden not in visible(user)


def test_members_and_hub_admins_see_what_is_not_public(city, hidden, make_user):
    assert set(visible(make_user("viewer", Role.VIEWER, observatory=hidden))) == {city, hidden}
    assert set(visible(make_user("admin", Role.HUB_ADMIN))) == {city, hidden}


def test_roles_add_up(city, make_user):
    user = make_user("both", Role.AUDITOR, Role.REVIEWER, observatory=city)
    assert rights(user, city) == EXPECTED[Role.AUDITOR] | EXPECTED[Role.REVIEWER]


def test_an_unknown_right_is_an_error_and_not_a_no(city):
    with pytest.raises(ValueError, match="fly"):
        may(None, "fly", city)
    with pytest.raises(ValueError, match="fly"):
        need("fly")


def test_what_is_none_of_ones_business_does_not_exist(hidden, make_user, django_assert_num_queries):
    stranger = make_user("stranger")
    for user, queries in ((AnonymousUser(), 1), (stranger, 2)):
        for slug in ("hidden", "nothing"):  # as many questions to the database, so about as long
            with django_assert_num_queries(queries), pytest.raises(Http404):
                load(user, slug, Right.SEE_RELEASES)


def test_members_are_told_that_their_role_does_not_cover_it(hidden, make_user):
    viewer = make_user("viewer", Role.VIEWER, observatory=hidden)
    assert load(viewer, "hidden", "see_releases") == hidden
    with pytest.raises(PermissionDenied):
        load(viewer, "hidden", "publish")


def test_the_workbench_of_a_public_observatory_is_nothing_to_strangers(city, make_user):
    with pytest.raises(Http404):
        load(make_user("stranger"), "city", Right.SEE_WORKBENCH)


def test_views_get_the_observatory_in_place_of_the_slug(city, make_user):
    @need(Right.UPLOAD)
    def view(request, observatory, name):
        return HttpResponse(f"{observatory.slug}/{name}")

    request = RequestFactory().get("/")
    request.user = make_user("analyst", Role.ANALYST, observatory=city)
    assert view(request, slug="city", name="x").content == b"city/x"
    request.user = AnonymousUser()
    with pytest.raises(Http404):
        view(request, slug="city", name="x")
    assert view.needs == Right.UPLOAD


def test_pages_of_the_hub_as_a_whole_ask_to_sign_in(city, make_user):
    @need_in_hub(Right.CREATE_OBSERVATORY)
    def view(request):
        return HttpResponse("ok")

    request = RequestFactory().get("/w/new/?a=b")
    request.user = AnonymousUser()
    answer = view(request)
    assert (answer.status_code, answer.url) == (302, "/account/login/?next=/w/new/%3Fa%3Db")
    request.user = make_user("publisher", Role.PUBLISHER, observatory=city)
    with pytest.raises(PermissionDenied):
        view(request)
    request.user = make_user("admin", Role.HUB_ADMIN)
    assert view(request).status_code == 200


def test_objects_of_other_observatories_are_not_found(city, hidden):
    job = Job.objects.create(observatory=hidden, kind="check")
    assert find(Job, hidden, pk=job.pk) == job
    with pytest.raises(Http404):
        find(Job, city, pk=job.pk)


@pytest.mark.parametrize(("everywhere", "here"), [(True, False), (False, True), (False, False)])
def test_two_people_decide_where_that_is_asked_for(everywhere, here, city, make_user, settings):
    settings.TWO_PERSON, city.two_person = everywhere, here
    one = make_user("one", Role.PUBLISHER, observatory=city)
    two = make_user("two", Role.REVIEWER, observatory=city)
    admin = make_user("admin", Role.HUB_ADMIN)
    analyst = make_user("analyst", Role.ANALYST, observatory=city)
    asked = everywhere or here
    for author, decides in ((one, not asked), (admin, not asked)):
        proposal = Proposal(observatory=city, kind="publish", proposed_by=author)
        assert may_decide(author, proposal) is decides
        assert may_decide(two, proposal) is True
        assert may_decide(analyst, proposal) is False


@pytest.mark.parametrize(("role", "everywhere"), [(Role.HUB_ADMIN, False), (Role.PUBLISHER, True), ("king", False)])
def test_no_membership_that_the_table_does_not_know(role, everywhere, city, make_user):
    user = make_user()
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=user, role=role, observatory=None if everywhere else city)


def test_requests_of_django_carry_a_lazy_user(city, make_user):
    from django.utils.functional import SimpleLazyObject

    user = make_user("lazy", Role.ANALYST, observatory=city)
    request = SimpleNamespace(user=SimpleLazyObject(lambda: user))
    assert may(request.user, Right.SEE_WORKBENCH, city)
