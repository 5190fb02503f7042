"""Pages for machines: tokens of one's own, webhooks and identities of an observatory; who may see them."""

from __future__ import annotations

import re

import pytest

from safercities.hub.models import Event, Role, Token, Webhook
from safercities.hub.models.tokens import Pin

IDENTITY = "ed25519:" + "a" * 64
WORD = re.compile(r"sc_[\w-]{43}")


@pytest.fixture(autouse=True)
def _pages(settings) -> None:
    settings.ROOT_URLCONF = "hub.api.page_urls"


def test_a_token_is_shown_once_and_ends_when_it_is_revoked(city, make_user, browser_of):
    user = make_user("analyst", Role.ANALYST, observatory=city)
    browser = browser_of(user)
    said = {"name": "<b>nightly</b>", "scopes": ["read:private"], "observatory": "city", "days": "30"}
    page = browser.post("/w/tokens/", said)
    (word,) = set(WORD.findall(page.content.decode()))
    token = Token.find(word)
    assert (token.user, token.observatory, token.scopes) == (user, city, ["read:private"])
    again = browser.get("/w/tokens/").content.decode()
    assert not WORD.search(again)
    assert "&lt;b&gt;nightly" in again
    assert browser.post(f"/w/tokens/{token.pk}/revoke/").status_code == 302
    assert Token.find(word) is None
    assert [one.verb for one in Event.objects.order_by("number")] == ["token.made", "token.revoked"]
    assert word not in str([one.detail for one in Event.objects.all()])


def test_tokens_of_others_are_not_there(city, make_user, browser_of):
    token, _ = Token.make(make_user("one"), "theirs", [])
    other = browser_of(make_user("two", Role.HUB_ADMIN))
    assert "theirs" not in other.get("/w/tokens/").content.decode()
    assert other.post(f"/w/tokens/{token.pk}/revoke/").status_code == 404
    assert Token.objects.get().revoked is None
    assert browser_of(None).get("/w/tokens/").url.startswith("/account/login/")


@pytest.mark.parametrize(
    "wrong", [{"scopes": ["everything"]}, {"observatory": "hidden"}, {"days": "99999"}, {"name": ""}, {"scopes": []}]
)
def test_no_token_for_what_is_not_ones_own(city, hidden, make_user, browser_of, wrong):
    browser = browser_of(make_user("analyst", Role.ANALYST, observatory=city))
    said = {"name": "x", "scopes": ["read:private"], "observatory": "", "days": "30"} | wrong
    assert browser.post("/w/tokens/", said).status_code == 400
    assert not Token.objects.exists()


@pytest.mark.parametrize("page", ["webhooks/", "incoming/"])
@pytest.mark.parametrize("role", Role.values)
def test_pages_of_an_observatory_are_for_publishers(city, make_user, browser_of, page, role):
    browser = browser_of(make_user("member", Role(role), observatory=city))
    expected = 200 if role in ("publisher", "hub_admin") else 403
    assert browser.get(f"/w/city/{page}").status_code == expected
    assert browser_of(make_user("stranger")).get(f"/w/city/{page}").status_code == 404
    assert browser_of(None).get(f"/w/city/{page}").status_code == 404


def test_webhooks(city, hidden, make_user, browser_of):
    browser = browser_of(make_user("publisher", Role.PUBLISHER, observatory=city))
    said = {"url": "https://example.org/in", "events": ["release.published"]}
    assert "whsec_" in browser.post("/w/city/webhooks/", said).content.decode()
    assert "whsec_" not in browser.get("/w/city/webhooks/").content.decode()
    for url in ("http://example.org/", "https://me:pw@example.org/", "javascript:alert(1)"):
        assert browser.post("/w/city/webhooks/", said | {"url": url}).status_code == 400
    one = Webhook.objects.get()
    other = Webhook.objects.create(observatory=hidden, url="https://example.org/", events=[])
    assert browser.post(f"/w/city/webhooks/{other.pk}/", {"what": "delete"}).status_code == 404
    assert browser.post(f"/w/city/webhooks/{one.pk}/", {"what": "off"}).status_code == 302
    assert not Webhook.objects.get(pk=one.pk).active
    browser.post(f"/w/city/webhooks/{one.pk}/", {"what": "delete"})
    assert list(Webhook.objects.all()) == [other]


def test_the_identity_is_said_before_the_first_release_only(city, secret, make_user, browser_of):
    browser = browser_of(make_user("admin", Role.HUB_ADMIN))
    assert browser.post("/w/city/incoming/", {"identity": "somebody"}).status_code == 400
    assert browser.post("/w/city/incoming/", {"identity": IDENTITY}).status_code == 302
    assert Pin.objects.get(observatory=city).identity == IDENTITY
    page = browser.post("/w/hidden/incoming/", {"identity": IDENTITY})
    assert page.status_code == 200
    assert not Pin.objects.filter(observatory=secret).exists()
