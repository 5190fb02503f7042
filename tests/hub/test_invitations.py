"""Invitations: a link that opens an account once and not for long, by mail where there is mail; and to nobody else."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import mail
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client

from hub.test_security_headers import Lines
from safercities.hub.accounts import invite
from safercities.hub.models import Membership, Observatory, Role, User

WORD = "a word nobody thinks of"
NEW = "bo@example.org"
RESET = "/account/password/reset/key/"


@pytest.fixture
def with_mail(settings: Any) -> None:
    """A hub that can send mail, and asks people to confirm their address."""
    settings.MAIL, settings.ACCOUNT_EMAIL_VERIFICATION = True, "mandatory"


@pytest.fixture
def ask(city: Observatory, make_user: Any, browser_of: Any) -> Any:
    """An administrator invites somebody."""
    browser = browser_of(make_user("admin", Role.HUB_ADMIN))

    def make(email: str = NEW, role: str = "analyst", **more: str) -> HttpResponse:
        said = {"email": email, "role": role, **more}
        return browser.post("/w/city/members/invite/", said, follow=True)

    return make


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, as it is written."""
    kept, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    yield kept.lines
    root.removeHandler(kept)
    root.setLevel(level)


def link_in(text: str) -> str:
    """The path of the link that opens an account."""
    found = re.search(rf"https?://testserver({RESET}[^\s<\"]+)", text)
    assert found is not None, text
    return found[1]


def open_with(client: Client, link: str) -> HttpResponse:
    """Follow it, and choose a password."""
    form = client.get(link, follow=True)
    return client.post(form.request["PATH_INFO"], {"password1": WORD, "password2": WORD})


def signed_in(client: Client, email: str, word: str = WORD) -> bool:
    client.post("/account/login/", {"login": email, "password": word})
    return "_auth_user_id" in client.session


@pytest.mark.usefixtures("with_mail")
def test_the_link_goes_by_mail_to_whom_it_is_for_and_opens_the_account_once(ask, client, city, lines):
    page = ask(name="Bo").content.decode()
    assert RESET not in page
    (sent,) = mail.outbox
    assert (sent.to, sent.cc, sent.bcc) == ([NEW], [], [])
    assert "City" in sent.subject
    assert "Analyst" in sent.body
    link = link_in(sent.body)
    assert open_with(client, link).status_code == 302
    assert signed_in(client, NEW)  # the link came by mail: the address needs no second proof
    assert Membership.objects.get(user__email=NEW).observatory == city
    again = Client().get(link, follow=True)
    assert b'name="password1"' not in again.content
    assert not [line for line in lines if NEW in line or link.split("-", 1)[1] in line]


@pytest.mark.parametrize(("days", "opens"), [(2, True), (4, False)])
def test_the_link_is_good_for_three_days(ask, client, monkeypatch, days, opens):
    link = link_in(ask().content.decode())
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: datetime.now() + timedelta(days=days))
    assert (b'name="password1"' in client.get(link, follow=True).content) is opens


def test_a_link_that_another_one_was_used_instead_of_is_good_no_more(ask, client):
    first, second = (link_in(ask(role=role).content.decode()) for role in ("analyst", "reviewer"))
    open_with(client, second)
    assert b'name="password1"' not in Client().get(first, follow=True).content


@pytest.mark.usefixtures("with_mail")
def test_who_has_an_account_is_told_by_mail_and_the_inviter_sees_no_difference(ask, make_user):
    ana = make_user("ana")
    answers = [re.sub(r"<ul class=\"rows\">.*?</ul>", "", ask(email).content.decode(), flags=re.S) for email in (
        "ana@example.org", NEW)]  # fmt: skip
    varies = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
    assert varies.sub("", answers[0]) == varies.sub("", answers[1])
    told, _ = mail.outbox
    assert told.to == [ana.email]
    assert RESET not in told.body
    assert "/w/" in told.body


def test_without_mail_the_inviter_is_shown_the_link_once_and_nothing_is_sent(ask, client):
    link = link_in(ask().content.decode())
    assert mail.outbox == []
    open_with(client, link)
    assert signed_in(client, NEW)
    assert RESET not in ask(role="viewer").content.decode()


@pytest.mark.usefixtures("with_mail")
def test_where_the_mail_server_is_away_the_inviter_is_shown_the_link(ask, settings, lines):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    page = ask().content.decode()
    assert "could not be sent" in page
    assert link_in(page)
    assert any("invitation" in line for line in lines)
    assert not [line for line in lines if NEW in line]


@pytest.mark.usefixtures("with_mail")
def test_names_cannot_write_heads_of_mails(ask):
    Observatory.objects.update(name="City\nBcc: everybody@example.org")
    ask()
    (sent,) = mail.outbox
    assert "\n" not in sent.subject
    assert sent.recipients() == [NEW]


@pytest.mark.parametrize("how", ["signed up", "wrote it to their own"])
def test_an_address_that_nobody_confirmed_gets_nobodys_role(ask, make_user, how):
    """Else one could wait, under somebody else's address, for a role that is meant for them."""
    if how == "signed up":
        user = User.objects.create_user(NEW, WORD)
        EmailAddress.objects.create(user=user, email=NEW, primary=True)
    else:
        user = make_user("viewer")
        EmailAddress.objects.filter(user=user).update(email=NEW, verified=False)
        User.objects.filter(pk=user.pk).update(email=NEW)
    answer = ask()
    assert answer.status_code == 400
    assert "confirmed" in answer.content.decode()
    assert not Membership.objects.filter(user=user).exists()


def test_an_address_that_somebody_else_claims_beside_their_own_is_no_hindrance(ask, make_user, client):
    claims = make_user("viewer")
    EmailAddress.objects.create(user=claims, email=NEW)
    link = link_in(ask().content.decode())
    open_with(client, link)
    assert signed_in(client, NEW)
    assert Membership.objects.get(role=Role.ANALYST).user != claims


def test_a_confirmed_second_address_is_the_same_person(ask, make_user):
    ana = make_user("ana")
    EmailAddress.objects.create(user=ana, email=NEW, verified=True)
    assert RESET not in ask().content.decode()
    assert Membership.objects.get(role=Role.ANALYST).user == ana


@pytest.mark.parametrize("by", ["office", "before"])
def test_no_link_into_an_account_that_is_in_use_without_a_password(city, make_user, by):
    ana = make_user("ana")
    ana.set_unusable_password()
    ana.save()
    if by == "office":
        SocialAccount.objects.create(user=ana, provider="office", uid="7")
    else:
        Client().force_login(ana)
    assert invite(ana.email, Role.VIEWER, city) == (ana, "")


def test_a_closed_account_is_not_invited(city, make_user):
    ana = make_user("ana")
    User.objects.update(is_active=False)
    with pytest.raises(ValidationError, match="closed"):
        invite(ana.email, Role.VIEWER, city)
    assert not ana.memberships.exists()
