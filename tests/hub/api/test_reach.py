"""Who reaches what: scopes of tokens × endpoints, other cities, tokens that are good no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from safercities.hub.models import Event, Membership, Role, Scope, Token, User

READS = (
    "",
    "/indicators",
    "/indicators/sdg.16.1.1",
    "/places",
    "/places/CO-MDE",
    "/periods",
    "/choices",
    "/estimates",
    "/estimates?indicator=sdg.16.1.1&format=csv",
    "/releases",
    "/releases/1",
    "/releases/1/files/data.csv",
)
HOOK = {"url": "https://example.org/hook", "events": ["release.published"]}


def at(slug: str, rest: str) -> str:
    return f"/api/v1/observatories/{slug}{rest}"


def said(answer) -> tuple[int, dict[str, object]]:
    return answer.status_code, answer.json()


@pytest.mark.parametrize("rest", READS)
def test_a_hidden_observatory_is_read_by_its_members_tokens_only(secret, city, machine, client, rest):
    nothing = said(client.get(at("nothing", rest)))
    assert nothing[0] == 404
    others = [
        client,
        Client(headers={"authorization": "Bearer sc_wrong"}),
        Client(headers={"authorization": "Basic abc"}),
        machine(),  # nobody's member
        machine(Role.HUB_ADMIN, scopes=["upload", "submit:release", "manage:webhooks"]),
        machine(Role.VIEWER, of=secret, scopes=[]),
        machine(Role.VIEWER, of=secret, observatory=city),  # a token for another observatory
        machine(Role.VIEWER, of=city),
        machine(Role.VIEWER, of=secret, expires=timezone.now() - timedelta(seconds=1)),
    ]
    for one in others:
        assert said(one.get(at("hidden", rest))) == nothing
    for one in (
        machine(Role.VIEWER, of=secret, scopes=["read:private"]),
        machine(Role.VIEWER, of=secret, observatory=secret),
        machine(Role.HUB_ADMIN),
    ):
        answer = one.get(at("hidden", rest))
        assert answer.status_code == 200
        answer.getvalue()


def test_what_there_is_lists_only_what_may_be_read(secret, filled, machine, client):
    def listed(one):
        return [found["slug"] for found in one.get("/api/v1/observatories").json()["observatories"]]

    assert listed(client) == ["city"]
    assert listed(machine(Role.VIEWER, of=secret)) == ["city", "hidden"]
    assert listed(machine(Role.VIEWER, of=secret, observatory=secret)) == ["city", "hidden"]
    assert listed(machine(Role.VIEWER, of=secret, scopes=["upload"])) == ["city"]
    assert listed(machine(Role.HUB_ADMIN, observatory=filled)) == ["city"]


def test_a_browsers_session_opens_nothing_here(secret, make_user, browser_of):
    member = make_user("member", Role.HUB_ADMIN)
    assert browser_of(member).get(at("hidden", "")).status_code == 404


@pytest.mark.parametrize("how", ["revoked", "expired", "closed", "left"])
def test_tokens_that_are_good_no_longer(secret, make_user, how):
    user: User = make_user("owner", Role.VIEWER, observatory=secret)
    _, word = Token.make(user, "t", [Scope.READ_PRIVATE])
    one = Client(headers={"authorization": f"Bearer {word}"})
    assert one.get(at("hidden", "")).status_code == 200
    if how == "revoked":
        Token.objects.update(revoked=timezone.now())
    elif how == "expired":
        Token.objects.update(expires=timezone.now())
    elif how == "closed":
        User.objects.update(is_active=False)
    else:
        Membership.objects.all().delete()
    assert one.get(at("hidden", "")).status_code == 404


def test_it_takes_as_many_questions_whether_or_not_it_exists(secret, machine, django_assert_num_queries):
    for one, queries in ((Client(), 2), (machine(), 4)):
        one.get(at("hidden", ""))  # the day of its last use is written once
        for slug in ("hidden", "nothing"):
            with django_assert_num_queries(queries):
                assert one.get(at(slug, "/estimates")).status_code == 404


@pytest.mark.parametrize(("method", "rest"), [("post", "/releases"), ("get", "/webhooks"), ("post", "/webhooks")])
def test_without_a_token_nothing_is_changed_or_told(filled, secret, client, method, rest):
    answers = [
        getattr(client, method)(at(slug, rest), HOOK, content_type="application/json")
        if method == "post"
        else client.get(at(slug, rest))
        for slug in ("city", "hidden", "nothing")
    ]
    assert {one.status_code for one in answers} == {401}
    assert len({one.content for one in answers}) == 1
    assert all(one.headers["WWW-Authenticate"].startswith("Bearer") for one in answers)


@pytest.mark.parametrize("scope", Scope.values)
@pytest.mark.parametrize("role", Role.values)
def test_scopes_and_roles_by_endpoint(filled, make_user, scope, role, settings):
    """What changes something needs the scope for it, and the owner's role as well."""
    user = make_user("owner", Role(role), observatory=filled)
    _, word = Token.make(user, "t", [scope])
    one = Client(headers={"authorization": f"Bearer {word}"})
    publishes = role in (Role.PUBLISHER, Role.HUB_ADMIN)
    hooks = one.get(at("city", "/webhooks")).status_code
    assert hooks == (200 if scope == Scope.MANAGE_WEBHOOKS and publishes else 403)
    made = one.post(at("city", "/webhooks"), HOOK, content_type="application/json").status_code
    assert made == (201 if scope == Scope.MANAGE_WEBHOOKS and publishes else 403)
    release = one.post(at("city", "/releases"), b"x", content_type="application/zip").status_code
    assert release == (422 if scope == Scope.SUBMIT_RELEASE and publishes else 403)


def test_members_of_another_city_change_nothing(filled, secret, machine):
    foreign = machine(Role.PUBLISHER, of=filled)
    for rest, body in (("/webhooks", HOOK), ("/releases", {})):
        hidden = foreign.post(at("hidden", rest), body, content_type="application/json")
        nothing = foreign.post(at("nothing", rest), body, content_type="application/json")
        assert said(hidden) == said(nothing)
        assert hidden.status_code == 404
    bound = machine(Role.HUB_ADMIN, observatory=filled)
    assert bound.get(at("hidden", "/webhooks")).status_code == 404


def test_webhooks_are_made_and_deleted(filled, secret, machine):
    one = machine(Role.PUBLISHER, of=filled)
    made = one.post(at("city", "/webhooks"), HOOK, content_type="application/json").json()
    assert made["secret"].startswith("whsec_")
    (listed,) = one.get(at("city", "/webhooks")).json()["webhooks"]
    assert listed == {key: made[key] for key in ("id", "url", "events", "active")}
    other = machine(Role.HUB_ADMIN)
    assert other.delete(at("hidden", f"/webhooks/{made['id']}")).status_code == 404
    assert one.delete(at("city", f"/webhooks/{made['id']}")).status_code == 204
    assert one.delete(at("city", f"/webhooks/{made['id']}")).status_code == 404
    assert list(Event.objects.order_by("number").values_list("verb", flat=True)) == ["webhook.made", "webhook.deleted"]


@pytest.mark.parametrize("url", ["http://example.org/", "https://a b/", "https://user@x.org/", "ftp://x.org", "//x"])
def test_webhooks_need_an_address_that_can_be_called(filled, machine, url):
    one = machine(Role.PUBLISHER, of=filled)
    answer = one.post(at("city", "/webhooks"), {**HOOK, "url": url}, content_type="application/json")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "url")
