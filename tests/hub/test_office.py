"""Sign-in by the office, against a provider that runs: whom it lets in, and what of its answers is not believed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client

from hub.made_office import ANA, CLIENT, WORD, Office, new_key
from hub.made_office import office as running
from safercities.hub import settings as production
from safercities.hub.access import rights
from safercities.hub.accounts import invite
from safercities.hub.models import Role, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(settings: Any) -> Iterator[Office]:
    """The office, and a hub that knows it."""
    with running() as made:
        ours = production.SOCIALACCOUNT_PROVIDERS["openid_connect"]
        app = {"provider_id": "office", "name": "City hall", "client_id": CLIENT, "secret": WORD}
        apps = [app | {"settings": {"server_url": made.url}}]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": ours | {"APPS": apps}}
        yield made


def begin(client: Client, process: str = "login") -> str:
    """Where the hub sends somebody to, who presses its button."""
    answer = client.post(f"/account/oidc/office/login/?process={process}")
    assert answer.status_code == 302
    return str(answer["Location"])


def let_in(address: str) -> str:
    """Where the office sends them back to."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 302
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def sign_in(client: Client, process: str = "login") -> HttpResponse:
    """The whole way."""
    return client.get(let_in(begin(client, process)))


def who(client: Client) -> User | None:
    return User.objects.filter(pk=client.session.get("_auth_user_id")).first()


def test_somebody_new_gets_an_account_without_rights_and_finds_it_again(office, client, city, hidden):
    assert b"City hall" in client.get("/account/login/").content
    assert sign_in(client).status_code == 302
    user = who(client)
    assert user is not None
    assert (user.email, user.name, user.has_usable_password()) == (ANA["email"], "Ana Sol", False)
    assert rights(user, hidden) == frozenset()
    assert EmailAddress.objects.get(user=user).verified
    office.person |= {"email": "ana.sol@city.example", "name": "A. Sol"}
    other = Client()
    sign_in(other)
    assert who(other) == user
    assert User.objects.count() == 1


def test_what_is_asked_has_a_state_a_nonce_and_a_proof_key_each_time_anew(office, client):
    sign_in(client)
    first = dict(office.asked)
    sign_in(Client())
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 16
        assert first[name] != office.asked[name]


@pytest.mark.parametrize("with_mail", [True, False])
def test_a_known_address_opens_nobodys_account(office, client, make_user, settings, with_mail):
    """Also where the office says that it is theirs: another sign-in may have another idea of who is who."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory" if with_mail else "optional"
    ana = make_user("ana")
    office.person["email"] = ana.email.upper()
    answer = sign_in(client)
    if answer.status_code == 302:
        answer = client.get(answer["Location"])
    assert who(client) is None
    assert not SocialAccount.objects.exists()
    assert list(User.objects.all()) == [ana]
    assert [one.to for one in mail.outbox] == ([[ana.email]] if with_mail else [])


def test_who_has_an_account_connects_the_office_to_it(office, client, make_user):
    ana = make_user("ana")
    client.force_login(ana)
    sign_in(client, "connect")
    other = Client()
    sign_in(other)
    assert who(other) == ana
    assert User.objects.count() == 1


@pytest.mark.parametrize("verified", [False, "false", None])
def test_an_address_that_the_office_does_not_vouch_for_proves_nothing(office, client, city, verified):
    office.person["email_verified"] = verified
    sign_in(client)
    assert not EmailAddress.objects.get().verified
    with pytest.raises(ValidationError, match="confirmed"):
        invite(ANA["email"], Role.PUBLISHER, city)
    assert not User.objects.get().memberships.exists()


def test_some_offices_say_yes_by_a_word(office, client):
    office.person["email_verified"] = "true"
    sign_in(client)
    assert EmailAddress.objects.get().verified


def test_a_closed_account_stays_closed(office, client):
    sign_in(client)
    User.objects.update(is_active=False)
    other = Client()
    sign_in(other)
    assert who(other) is None


def lie(**said: Any) -> Callable[[Office], None]:
    def make(office: Office) -> None:
        for name, value in said.items():
            setattr(office, name, value)

    return make


LIES: dict[str, Callable[[Office], None]] = {
    "another key": lambda office: setattr(office, "sign", (new_key(), "RS256")),
    "no signature": lie(sign=("", "none")),
    "a signature by a shared word": lie(sign=(b"a word that everybody knows, of enough letters", "HS256")),
    "another issuer": lie(claims={"iss": "https://login.example.org"}),
    "no issuer": lie(claims={"iss": None}),
    "for another program": lie(claims={"aud": "another"}),
    "too old": lie(claims={"exp": 1_600_000_000}),
    "another nonce": lie(claims={"nonce": "n" * 64}),
    "no nonce": lie(claims={"nonce": None}),
    "of somebody else": lie(facts={"sub": "the mayor"}),
    "no id token": lie(without_token=True),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_not_an_answer_to_this_question_is_refused(office, client, name, caplog):
    LIES[name](office)
    with caplog.at_level(logging.WARNING, "safercities"):
        answer = sign_in(client)
    assert answer.status_code < 500
    assert who(client) is None
    assert not User.objects.exists()
    assert "refused" in caplog.text
    assert "Ana" not in caplog.text
    assert "ana@" not in caplog.text + answer.content.decode()


def test_an_answer_is_good_once_and_in_the_browser_that_asked(office, client):
    back = let_in(begin(client))
    stranger = Client()
    stranger.get(back)
    assert who(stranger) is None
    client.get(back)
    assert who(client) is not None
    client.logout()
    client.get(back)
    assert who(client) is None
    mixed = let_in(begin(client)).partition("&state=")[2]
    code = let_in(begin(stranger)).partition("code=")[2].partition("&")[0]
    client.get(f"/account/oidc/office/login/callback/?code={code}&state={mixed}")  # the proof key is another one
    assert who(client) is None


def test_made_up_codes_and_other_offices_lead_nowhere(office, client):
    state = begin(client).partition("state=")[2].partition("&")[0]
    assert client.get(f"/account/oidc/office/login/callback/?code=made-up&state={state}").status_code < 500
    assert who(client) is None
    assert client.get("/account/oidc/other/login/callback/?code=x&state=y").status_code == 404


def test_an_office_that_is_away_is_no_crash(settings, office, client):
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    back = let_in(begin(client))
    apps[0]["settings"]["server_url"] = "http://127.0.0.1:9"
    assert client.get(back).status_code < 500
    assert client.post("/account/oidc/office/login/").status_code < 500
    assert who(client) is None
