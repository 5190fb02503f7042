"""Signing in, in a browser: an invitation's link, a second factor of an app, and passkeys of an authenticator."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from hub.browser.looks import faults
from safercities.hub.accounts import invite
from safercities.hub.models import Role, User

WORD = "long enough to be a password"
Visit = Callable[..., Page]


@pytest.fixture(autouse=True, scope="module")
def _sync_in_browser() -> Iterator[None]:
    """Playwright's loop runs in this thread: Django would take that for asynchronous code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def visit(transactional_db: None, live_server: Any, new_page: Visit) -> Visit:
    """Opens a page in a new browser; passkeys work at `localhost`, which is no foreign host."""

    def go(address: str, **options: object) -> Page:
        page = new_page(base_url=live_server.url.replace("127.0.0.1", "localhost"), fresh=True, **options)
        page.goto(address)
        return page

    return go


def sign_in(page: Page, email: str, word: str = WORD) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(word)
    send(page, "Sign in")


def send(page: Page, name: str) -> None:
    """Press a form's button, and wait for what is answered."""
    with page.expect_navigation():
        page.locator("main").get_by_role("button", name=name, exact=True).click()


def confirm(page: Page, address: str) -> None:
    """Go to a page that changes how one signs in: it asks for the password once more."""
    page.goto(address)
    assert accessible(page)
    page.get_by_label("Password").fill(WORD)
    send(page, "Confirm")
    assert urlsplit(page.url).path == address


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").wait_for()


def signed_in(page: Page) -> bool:
    return page.get_by_role("button", name="Sign out").count() == 1


def code_of(secret: str, at: float) -> str:
    """What an app shows (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def test_codes_are_those_of_the_standard() -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert [code_of(secret, at) for at in (59, 1111111109)] == ["287082", "081804"]  # RFC 6238, appendix B


def accessible(page: Page) -> bool:
    return not faults(page)


def test_an_invitation_leads_to_an_account(visit: Visit) -> None:
    _, link = invite("bo@example.org", Role.HUB_ADMIN)
    page = visit(link, viewport={"width": 320, "height": 700})
    assert accessible(page)
    page.locator("input[name=password1]").fill(WORD)
    page.locator("input[name=password2]").fill(WORD)
    send(page, "Change Password")
    sign_in(page, "bo@example.org")
    assert signed_in(page)
    again = visit(link)
    assert again.locator("input[name=password1]").count() == 0


def test_a_second_factor_of_an_app(visit: Visit, make_user: Callable[..., User]) -> None:
    make_user("ana")
    page = visit("/about/")
    sign_in(page, "ana@example.org")
    confirm(page, "/account/2fa/totp/activate/")
    assert accessible(page)
    secret = page.locator("#authenticator_secret").input_value()
    page.locator("input[name=code]").fill(code_of(secret, time.time()))
    send(page, "Activate")
    sign_out(page)
    sign_in(page, "ana@example.org")
    assert not signed_in(page)  # a password is not enough any more
    assert accessible(page)
    assert not by_code(page, "000000")
    good = code_of(secret, time.time())
    if not by_code(page, good):  # the half minute ended just then
        good = code_of(secret, time.time())
        assert by_code(page, good)
    sign_out(page)
    sign_in(page, "ana@example.org")
    assert not by_code(page, good)  # somebody looked over the shoulder


def by_code(page: Page, code: str) -> bool:
    """Whether a code lets one in."""
    page.locator("input[name=code]").fill(code)
    send(page, "Sign In")
    return signed_in(page)


def authenticator(page: Page, present: bool = True) -> Any:
    """A device that keeps passkeys, and whose owner agrees."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": present,
        "automaticPresenceSimulation": True,
    }
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def register(page: Page) -> None:
    """Make a passkey."""
    confirm(page, "/account/2fa/webauthn/add/")
    assert accessible(page)
    page.locator("input[name=name]").fill("My phone")
    passwordless = page.locator("input[name=passwordless]")
    if passwordless.count():
        passwordless.check()
    with page.expect_navigation():
        page.get_by_role("button", name="Add").click()


def test_a_passkey_is_made_and_signs_in_without_a_password(visit: Visit, make_user: Callable[..., User]) -> None:
    ana = make_user("ana")
    page = visit("/about/")
    session, device = authenticator(page)
    sign_in(page, "ana@example.org")
    register(page)
    assert ana.authenticator_set.filter(type="webauthn").count() == 1
    (kept,) = session.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert kept["rpId"] == "localhost"
    page.goto("/about/")
    sign_out(page)
    page.goto("/account/login/")
    assert accessible(page)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in with a passkey").click()
    page.goto("/about/")
    assert signed_in(page)


def test_a_passkey_of_a_closed_account_and_a_strange_one_open_nothing(
    visit: Visit, make_user: Callable[..., User], new_page: Any
) -> None:
    ana = make_user("ana")
    page = visit("/about/")
    session, device = authenticator(page)
    sign_in(page, "ana@example.org")
    register(page)
    page.goto("/about/")
    sign_out(page)
    User.objects.update(is_active=False)
    page.goto("/account/login/")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in with a passkey").click()
    page.goto("/about/")
    assert not signed_in(page)
    ana.authenticator_set.all().delete()  # the device still has it, the hub does not
    User.objects.update(is_active=True)
    page.goto("/account/login/")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in with a passkey").click()
    page.goto("/about/")
    assert not signed_in(page)
    assert session.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
