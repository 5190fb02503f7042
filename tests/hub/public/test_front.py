"""What is given before Django is asked: the same, with the same around it, as what Django would give from memory."""

from __future__ import annotations

import gzip
import logging
from typing import Any

import pytest
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError
from django.test import RequestFactory

from hub.public.test_kept import HOME, PAGES, rate
from safercities.hub import kept
from safercities.hub.front import Application, Front
from safercities.hub.models import Observatory
from safercities.hub.operate.metrics import REGISTRY

pytestmark = pytest.mark.django_db
Answered = tuple[str, dict[str, str], bytes]
#: What each answer has of its own.
OWN = ("X-Request-ID", "RateLimit")


def ask(application: Application, address: str, **more: str) -> Answered:
    """Ask as a server does."""
    got: list[Any] = []
    environ = RequestFactory().get(address, **more).environ  # type: ignore[arg-type]
    environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("iso-8859-1")  # as servers give it
    body = b"".join(application(environ, lambda status, headers: got.extend((status, headers))))
    return got[0], dict(got[1]), body


@pytest.fixture
def django(medellin: Observatory) -> Application:
    return get_wsgi_application()


@pytest.fixture
def never(django: Application) -> Application:
    """A front that has nobody to ask."""

    def asked(_environ: dict[str, Any], _start: Any) -> Any:
        raise AssertionError

    return Front(asked)


MORE: tuple[dict[str, str], ...] = (
    {},
    {"HTTP_ACCEPT_ENCODING": "gzip, br"},
    {"HTTP_ACCEPT_LANGUAGE": "ar"},
    {"HTTP_COOKIE": "language=fr"},
    {"REQUEST_METHOD": "HEAD"},
    {"HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_FORWARDED_PROTO": "https"},
)


@pytest.mark.parametrize("address", PAGES)
def test_it_gives_what_django_would(django: Application, never: Application, address: str) -> None:
    for more in MORE:
        asked = {name: text for name, text in more.items() if name != "REQUEST_METHOD"}
        ask(django, address, **asked)
        status, headers, body = ask(django, address, **more)
        again = ask(never, address, **more)
        assert (status, body) == (again[0], again[2])
        assert headers.keys() == again[1].keys()
        assert {name for name in headers if headers[name] != again[1][name]} <= set(OWN)
        assert again[1]["X-Request-ID"] != headers["X-Request-ID"]
        mark = {"HTTP_IF_NONE_MATCH": headers["ETag"]} if "ETag" in headers else {}
        same, now = ask(django, address, **asked, **mark), ask(never, address, **asked, **mark)
        assert (same[0], same[2]) == (now[0], now[2])
        assert not mark or same[0] == "304 Not Modified"


def test_proxies_are_taken_at_their_word(
    django: Application, never: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", ("127.0.0.1/32",))
    django, front = get_wsgi_application(), Front(never.django)  # type: ignore[attr-defined]
    said = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "192.0.2.1", "HTTP_X_REQUEST_ID": "a" * 16}
    page = f"{PAGES[3]}?view=table"
    status, _, body = ask(django, page, **said)
    assert status == "200 OK"
    assert b"https://testserver:80/" in body
    _, headers, again = ask(front, page, **said)
    assert (headers["X-Request-ID"], again) == ("a" * 16, body)
    with pytest.raises(AssertionError):  # nobody asked for it without https
        ask(front, page)
    rate(monkeypatch, "2/d")
    api = PAGES[-1]
    for visitor in ("192.0.2.1", "192.0.2.2"):
        got = [ask(one, api, **said | {"HTTP_X_FORWARDED_FOR": visitor})[0] for one in (django, front, front)]
        assert got == ["200 OK", "200 OK", "429 Too Many Requests"]


@pytest.mark.parametrize(
    "more",
    [
        {"HTTP_COOKIE": "sessionid=made-up"},
        {"HTTP_COOKIE": "language=fr; other=1"},
        {"HTTP_AUTHORIZATION": "Bearer made-up"},
        {"HTTP_RANGE": "bytes=0-3"},
        {"HTTP_HOST": "elsewhere.example"},
        {"HTTP_ACCEPT_LANGUAGE": "fr"},
        {"REQUEST_METHOD": "POST"},
    ],
)
def test_whoever_is_perhaps_somebody_goes_to_django(
    django: Application, never: Application, more: dict[str, str]
) -> None:
    ask(django, HOME)
    assert ask(never, HOME)[0] == "200 OK"
    with pytest.raises(AssertionError):
        ask(never, HOME, **more)


def test_what_is_hidden_or_changed_goes_to_django_at_once(django: Application) -> None:
    front = Front(django)
    assert b"Another name" not in ask(front, HOME)[2]
    Observatory.objects.update(name="Another name")
    assert b"Another name" in ask(front, HOME)[2]
    Observatory.objects.update(public=False)
    assert {ask(front, address)[0] for address in PAGES[1:]} == {"404 Not Found"}
    kept.CACHE.clear()
    assert ask(front, "/o/nowhere/")[0] == "404 Not Found"


def test_names_in_other_writings_reach_django_as_they_were_asked_for(django: Application) -> None:
    front = Front(django)
    for address in ("/o/medell%C3%ADn/", "/o/%E5%9F%8E/", "/o/%FF/"):
        asked, given = ask(django, address), ask(front, address)
        assert (asked[0], len(asked[2])) == (given[0], len(given[2]))


def test_it_is_logged_and_counted(django: Application, never: Application, caplog: pytest.LogCaptureFixture) -> None:
    ask(django, HOME)
    told = {"view": "public:home", "method": "GET", "status": "200"}
    before = REGISTRY.get_sample_value("safercities_requests_total", told) or 0
    with caplog.at_level(logging.INFO):
        ask(never, HOME)
    assert REGISTRY.get_sample_value("safercities_requests_total", told) == before + 1
    *_, line = [record for record in caplog.records if record.message == "request"]
    assert line.facts["route"].startswith("o/<slug:slug>")  # type: ignore[attr-defined]
    assert line.facts["status"] == 200  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [OperationalError, UnicodeError])
def test_troubles_are_told_by_django(
    django: Application, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    ask(django, HOME)

    def broken(_request: Any) -> Any:
        raise error

    monkeypatch.setattr(kept, "find", broken)
    assert ask(Front(django), HOME)[0] == "200 OK"


def test_it_holds_answers_packed(django: Application) -> None:
    body = ask(django, HOME)[2]
    (answer,) = (one for one, _ in kept.CACHE._kept.values())
    assert answer.packed
    assert answer.size < len(body)
    assert gzip.decompress(answer.body) == body
