"""What every answer carries, what error pages and logs must not say, and whose word on addresses is taken."""

from __future__ import annotations

import json
import logging
import re
import sys

import pytest
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path

from safercities.hub import errors, urls
from safercities.hub.logs import FACTS, JsonFormatter
from safercities.hub.middleware import TrustedProxies, embeddable

SECRET = "ana@example.org 203.0.113.7"


def crash(request: HttpRequest, word: str = "") -> HttpResponse:
    raise IntegrityError(f"duplicate key (email)=({SECRET})")


def cached(request: HttpRequest) -> HttpResponse:
    return HttpResponse("x", headers={"Cache-Control": "public, max-age=60"})


urlpatterns = [
    *urls.urlpatterns,
    path("crash/<str:word>/", crash),
    path("embed/", embeddable(lambda request: HttpResponse("x"))),
    path("cached/", cached),
]
handler404, handler500 = urls.handler404, urls.handler500
PAGES = ["/account/login/", "/account/signup/", "/account/password/reset/", "/nothing/"]


def policy(response: HttpResponse) -> dict[str, set[str]]:
    parts = (part.split() for part in response["Content-Security-Policy"].split(";"))
    return {name: set(values) for name, *values in parts}


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_carries_the_strict_policy(page, client, db):
    response = client.get(page)
    said = policy(response)
    assert said["default-src"] == {"'none'"}
    for name in ("script-src", "style-src", "connect-src", "worker-src", "form-action"):
        assert said[name] == {"'self'"}, name
    assert said["img-src"] == {"'self'", "data:", "blob:"}
    assert said["frame-ancestors"] == said["base-uri"] == {"'none'"}
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_pages_need_nothing_that_the_policy_forbids(page, language, client, db):
    text = client.get(page, {"lang": language}).content.decode()
    assert not re.search(r"\sstyle\s*=|\son\w+\s*=|<style|javascript:", text)
    scripts = re.findall(r"<script\b[^>]*>", text)
    assert [tag for tag in scripts if " src=" not in tag and 'type="application/json"' not in tag] == []
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text)


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("zh-hans", "ltr"), ("ru", "ltr")])
def test_the_language_is_chosen_by_the_address_and_kept_by_a_cookie(language, direction, client, db):
    for response in (client.get("/account/login/", {"lang": language}), client.get("/account/login/")):
        head = re.search(rb'<html lang="([^"]+)" dir="([^"]+)">', response.content)
        assert head is not None
        assert (head[1].decode(), head[2].decode()) == (language, direction)
        assert {"Cookie", "Accept-Language"} <= set(re.split(r",\s*", response["Vary"]))


def test_a_language_that_is_not_spoken_is_passed_over(client, db):
    response = client.get("/account/login/", {"lang": '"><script>'})
    assert "language" not in response.cookies
    assert b"<script>" not in response.content


def test_languages_can_be_chosen_without_losing_the_page(client, db):
    text = client.get("/account/login/", {"next": "/w/"}).content.decode()
    assert 'href="?next=%2Fw%2F&amp;lang=fr"' in text


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_pages_for_errors_say_nothing_of_what_is_inside(status, rf):
    page = {400: errors.bad_request, 403: errors.forbidden, 404: errors.not_found}.get(status)
    request = rf.get(f"/o/{SECRET.split('@')[0]}/")
    response = page(request, ValueError(SECRET)) if page else errors.broken(request)
    assert response.status_code == status
    assert SECRET not in response.content.decode()
    assert "<h1>" in response.content.decode()


class Lines(logging.Handler):
    """Keeps the lines as they would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.mark.urls(__name__)
def test_a_crash_says_nothing_to_the_visitor_and_no_personal_data_to_the_log(client, db):
    client.raise_request_exception = False
    kept, root = Lines(), logging.getLogger()
    root.addHandler(kept)
    try:
        response = client.get("/crash/ana/", {"q": SECRET}, REMOTE_ADDR="203.0.113.7")
    finally:
        root.removeHandler(kept)
    assert response.status_code == 500
    assert SECRET not in response.content.decode()
    for line in kept.lines:
        assert "ana" not in line
        assert "203.0.113.7" not in line
    asked, failed = (json.loads(next(line for line in kept.lines if word in line)) for word in ('"request",', "Error"))
    assert (asked["route"], asked["status"], asked["method"]) == ("crash/<str:word>/", 500, "GET")
    assert failed["error"] == "IntegrityError"
    assert asked["request"] == failed["request"] == response["X-Request-ID"]


def test_the_log_tells_where_an_error_came_from_without_its_message():
    try:
        crash(HttpRequest())
    except IntegrityError:
        record = logging.LogRecord("django.request", 40, "x", 1, "Internal Server Error: %s", ("/a/b",), sys.exc_info())
    line = json.loads(JsonFormatter().format(record))
    assert line["error"] == "IntegrityError"
    assert any("crash" in step for step in line["trace"])
    assert line["message"] == "Internal Server Error: %s"
    assert "/a/b" not in json.dumps(line)


def test_our_own_messages_and_facts_are_written_out():
    record = logging.LogRecord("safercities.hub.jobs", 20, "x", 1, "job %s", ("7",), None)
    setattr(record, FACTS, {"ms": 3})
    line = json.loads(JsonFormatter().format(record))
    assert (line["message"], line["ms"], line["level"]) == ("job 7", 3, "INFO")


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor", "https"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7", True),
        ("10.0.0.1", "1.2.3.4, 203.0.113.7, 10.0.0.2", "203.0.113.7", True),
        ("10.0.0.1", "rubbish", "10.0.0.1", True),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9", False),
        ("", "1.2.3.4", "", False),
    ],
)
def test_only_our_proxies_say_who_asks(peer, forwarded, visitor, https, settings):
    settings.TRUSTED_PROXIES = ("10.0.0.0/8",)
    seen = []
    handle = TrustedProxies(lambda request: seen.append((request.META["REMOTE_ADDR"], request.is_secure())))
    handle(RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded, HTTP_X_FORWARDED_PROTO="https"))
    assert seen == [(visitor, https)]


def test_pages_of_people_who_are_signed_in_stay_out_of_caches(browser_of, make_user, client):
    assert "no-store" in browser_of(make_user()).get("/nothing/")["Cache-Control"]
    assert "Cache-Control" not in client.get("/nothing/")


@pytest.mark.urls(__name__)
def test_what_is_kept_for_all_is_not_kept_with_somebodys_name_on_it(browser_of, make_user, client):
    assert client.get("/cached/")["Cache-Control"] == "public, max-age=60"
    assert browser_of(make_user()).get("/cached/")["Cache-Control"] == "private, no-cache"


@pytest.mark.urls(__name__)
def test_only_pages_for_embedding_may_stand_in_a_frame(client, db):
    response = client.get("/embed/")
    assert policy(response)["frame-ancestors"] == {"*"}
    assert policy(response)["form-action"] == policy(response)["default-src"] == {"'none'"}
    assert "X-Frame-Options" not in response
    assert policy(client.get("/cached/"))["frame-ancestors"] == {"'none'"}


def test_guessing_passwords_is_slowed_down(client, make_user):
    make_user("ana")
    guess = {"login": "ana@example.org", "password": "wrong"}
    texts = [client.post("/account/login/", guess) for _ in range(7)]
    client.post("/account/login/", guess | {"password": "long enough to be a password"})
    assert texts[-1].status_code in (200, 429)
    assert "_auth_user_id" not in client.session  # not even with the right one, for a while


def test_whether_an_account_exists_cannot_be_told_from_the_sign_in(client, make_user):
    make_user("ana")
    answers = []
    for name in ("ana", "bob"):
        response = client.post("/account/login/", {"login": f"{name}@example.org", "password": "wrong"})
        answers.append(re.sub(rf'{name}|value="[^"]*"', "", response.content.decode()))
    assert answers[0] == answers[1]


def test_nobody_makes_an_account_unless_that_is_switched_on(client, db, settings):
    form = {"email": "new@example.org", "password1": "a word nobody thinks of", "password2": "a word nobody thinks of"}
    from safercities.hub.models import User

    client.post("/account/signup/", form)
    assert not User.objects.exists()
    settings.SIGN_UP = True
    client.post("/account/signup/", form)
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_signing_in_leads_to_no_other_site(target, client, make_user):
    make_user("ana")
    form = {"login": "ana@example.org", "password": "long enough to be a password", "next": target}
    assert client.post("/account/login/", form)["Location"] == "/"


def test_forms_need_our_token(make_user):
    from django.test import Client

    make_user("ana")
    client = Client(enforce_csrf_checks=True)
    response = client.post("/account/login/", {"login": "ana@example.org", "password": "x"})
    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()


@pytest.mark.parametrize(
    "page", ["/account/email/", "/account/password/change/", "/account/2fa/", "/account/2fa/totp/activate/"]
)
def test_pages_of_an_account_ask_to_sign_in_and_then_work(page, client, browser_of, make_user):
    assert client.get(page).status_code == 302
    response = browser_of(make_user()).get(page, follow=True)
    assert response.status_code == 200
    assert 'class="account"' in response.content.decode()


def test_health_says_no_more_than_it_has_to(client, db, monkeypatch):
    assert (client.get("/healthz").content, client.get("/readyz").content) == (b"ok\n", b"ok\n")
    monkeypatch.setattr("safercities.hub.health.migrated", lambda: False)
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (503, b"not ready\n")
    assert client.post("/healthz").status_code == 405
