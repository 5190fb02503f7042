"""Answers that are kept: the same as new ones, for everybody alike, and gone with what they were made of."""

from __future__ import annotations

import gzip
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from hub.figures.made_chain import new_city
from hub.public.made_site import HOMICIDE, shelve
from release.made_release import rows
from safercities.hub import kept, published
from safercities.hub.api import limits
from safercities.hub.models import Observatory, Release, Role
from safercities.hub.published import refresh

pytestmark = pytest.mark.django_db
HOME = "/o/medellin/"
PAGES = (
    "/",
    HOME,
    f"{HOME}indicators/",
    f"{HOME}i/{HOMICIDE}/",
    f"{HOME}i/{HOMICIDE}/?view=table",
    f"{HOME}i/{HOMICIDE}/embed/",
    f"{HOME}i/{HOMICIDE}/chart.json",
    f"{HOME}i/{HOMICIDE}.svg",
    f"{HOME}p/CO-MDE.01/",
    f"{HOME}compare/",
    f"{HOME}releases/",
    f"{HOME}releases/1/",
    f"/api/v1/observatories/medellin/estimates?indicator={HOMICIDE}",
)


def facts(response: Any) -> dict[str, str]:
    """Headers, without what each answer has of its own and what packing changes."""
    own = {"X-Request-ID", "Vary", "ETag", "Content-Length", "RateLimit"}
    return {name: text for name, text in response.headers.items() if name not in own}


@pytest.mark.parametrize("address", PAGES)
def test_the_second_answer_is_the_first_without_the_view(
    client: Client, medellin: Observatory, address: str, django_assert_num_queries: Any
) -> None:
    first = client.get(address)
    with django_assert_num_queries(1):
        second = client.get(address)
    assert (second.status_code, second.content) == (200, first.content)
    assert facts(second) == facts(first)
    assert second["ETag"] == first["ETag"] if "ETag" in first else "ETag" not in second
    assert second["X-Request-ID"] != first["X-Request-ID"]
    assert second.resolver_match.view_name == first.resolver_match.view_name
    kept.CACHE.clear()
    assert client.get(address).content == first.content


def test_what_is_hidden_is_gone_at_once(client: Client, medellin: Observatory) -> None:
    assert all(client.get(address).status_code == 200 for address in PAGES)
    Observatory.objects.update(public=False)  # without a signal
    assert [client.get(address).status_code for address in PAGES[1:]] == [404] * (len(PAGES) - 1)
    assert b"medellin" not in client.get("/").content


def test_a_new_release_a_new_name_and_a_withdrawal_show_at_once(client: Client, db: None, tmp_path: Path) -> None:
    city = new_city(tmp_path)
    city.publish("2023", rows("2023"))
    made = shelve("medellin", tmp_path / "city")
    page = f"{HOME}i/{HOMICIDE}/?view=table"
    assert b"2024" not in client.get(page).content
    city.publish("2024", rows("2024"))
    refresh(made)
    assert b"2024" in client.get(page).content
    Observatory.objects.update(name="Another name")
    assert b"Another name" in client.get(page).content
    before = client.get(f"{HOME}releases/").content
    Release.objects.filter(number=1).update(withdrawn=True)
    assert client.get(f"{HOME}releases/").content != before


def test_whoever_keeps_a_number_asks_before_it_is_shown_again(client: Client, db: None, tmp_path: Path) -> None:
    """Browsers and proxies, too: what was corrected is gone with the next request, and what was not costs no bytes."""
    city = new_city(tmp_path)
    city.publish("2023", rows("2023"))
    made = shelve("medellin", tmp_path / "city")
    before = {address: client.get(address) for address in (*PAGES, f"{HOME}i/{HOMICIDE}.csv")}
    for address, answer in before.items():
        said = answer["Cache-Control"]
        assert "no-cache" in said, address
        assert "max-age" not in said, address
    marks = {address: answer["ETag"] for address, answer in before.items() if "ETag" in answer}
    assert len(marks) > len(PAGES) - 2

    def asked() -> set[int]:
        return {client.get(address, headers={"If-None-Match": mark}).status_code for address, mark in marks.items()}

    assert asked() == {304}
    last = city.chain[-1].id
    city.publish("2023", [row for row in rows("2023") if row["place"] != "CO-MDE.02"], supersedes=last, reason="wrong")
    refresh(made)
    kept.CACHE.clear()
    assert 304 not in asked()


def test_another_observatory_shows_on_the_first_page(client: Client, medellin: Observatory, simple: Path) -> None:
    assert b"second city" not in client.get("/").content
    shelve("second", simple, name="second city")
    assert b"second city" in client.get("/").content


def test_a_review_shows_on_the_home_page(client: Client, db: None, simple: Path, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(simple, folder)
    shelve("medellin", folder)
    address = f"{HOME}review/2024/review.html"
    assert address.encode() not in client.get(HOME).content
    (folder / "reviews" / "2024-published").mkdir(parents=True)
    (folder / "reviews" / "2024-published" / "review.html").write_text("<p>")
    assert address.encode() in client.get(HOME).content


def test_pages_with_a_name_on_them_are_for_their_reader(
    client: Client, medellin: Observatory, make_user: Any, browser_of: Any
) -> None:
    page = f"{HOME}i/{HOMICIDE}/"
    signed_in = browser_of(make_user("ana", Role.ANALYST, observatory=medellin))
    assert b"Sign out" in signed_in.get(page).content
    assert b"Sign out" not in client.get(page).content
    assert b"Sign out" in signed_in.get(page).content


def test_nothing_of_a_hidden_observatory_is_kept(secret: Observatory, make_user: Any, browser_of: Any) -> None:
    member = browser_of(make_user("vera", Role.VIEWER, observatory=secret))
    assert member.get("/o/secret/").status_code == 200
    assert Client().get("/o/secret/").status_code == 404
    assert not kept.CACHE._kept


@pytest.mark.parametrize(
    "more",
    [
        {"HTTP_COOKIE": "sessionid=made-up"},
        {"HTTP_COOKIE": "messages=made-up"},
        {"HTTP_COOKIE": "language=fr; other=1"},
        {"HTTP_AUTHORIZATION": "Bearer made-up"},
        {"HTTP_RANGE": "bytes=0-3"},
    ],
)
def test_whoever_is_perhaps_somebody_is_answered_anew(medellin: Observatory, more: dict[str, str]) -> None:
    assert Client().get(HOME, **more).status_code == 200  # type: ignore[arg-type]
    assert not kept.CACHE._kept


def test_languages_hosts_formats_and_addresses_are_told_apart(client: Client, medellin: Observatory) -> None:
    page = f"{HOME}i/{HOMICIDE}/"
    for _ in range(2):
        assert b'lang="en"' in client.get(page, HTTP_ACCEPT_LANGUAGE="en-GB,en;q=0.5").content
        assert b'lang="fr"' in client.get(page, HTTP_ACCEPT_LANGUAGE="fr-CA, fr;q=0.9").content
        assert b'dir="rtl"' in Client(HTTP_COOKIE="language=ar").get(page).content
        assert b"http://localhost/" in client.get(page, HTTP_HOST="localhost").content
        assert b"http://testserver/" in client.get(page).content
        assert client.get(page, HTTP_HOST="elsewhere.example").status_code == 400
    chosen = Client()
    assert "language" in chosen.get(page, {"lang": "ru"}).cookies  # also where the page was asked for before
    assert "language" in Client().get(page, {"lang": "ru"}).cookies


def test_it_is_packed_for_those_who_take_that(client: Client, medellin: Observatory) -> None:
    plain = client.get(HOME)
    for said in ("gzip", "br, gzip;q=0.8, *"):
        for _ in range(2):
            packed = client.get(HOME, HTTP_ACCEPT_ENCODING=said)
            assert packed["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.content) == plain.content
            assert packed["Content-Length"] == str(len(packed.content))
            assert packed["ETag"] == plain["ETag"]
            assert "Accept-Encoding" in packed["Vary"]
    for said in ("br", "gzip;q=0", "gzip;q=0.0", "identity"):
        assert client.get(HOME, HTTP_ACCEPT_ENCODING=said).content == plain.content


def test_browsers_that_have_it_are_told_that_it_is_the_same(client: Client, medellin: Observatory) -> None:
    mark = client.get(HOME)["ETag"]
    for given in (mark, mark.removeprefix("W/")):
        again = client.get(HOME, HTTP_IF_NONE_MATCH=given)
        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == mark
    kept.CACHE.clear()
    assert client.get(HOME, HTTP_IF_NONE_MATCH=mark).status_code == 304
    Observatory.objects.update(name="Another name")
    assert client.get(HOME, HTTP_IF_NONE_MATCH=mark).status_code == 200


def test_heads_are_answered_and_forms_are_not_kept(client: Client, medellin: Observatory) -> None:
    length = client.get(HOME)["Content-Length"]
    assert client.head(HOME)["Content-Length"] == length
    kept.CACHE.clear()
    assert client.head(HOME).status_code == 200
    assert client.post(HOME).status_code == 405
    assert not kept.CACHE._kept


def test_a_change_while_an_answer_is_made_makes_it_old(medellin: Observatory) -> None:
    """The view read the old name; before it was done, the new one was there."""

    def view(_request: HttpRequest) -> HttpResponse:
        state, name = published.state("medellin"), Observatory.objects.get().name
        Observatory.objects.update(name="new")
        response = HttpResponse(name)
        kept.keep(response, "medellin", state)
        return response

    Observatory.objects.update(name="old")
    middleware, ask = kept.Kept(view), RequestFactory().get
    assert middleware(ask(HOME)).content == b"old"
    assert middleware(ask(HOME)).content == b"new"


@pytest.mark.parametrize("address", [HOME, PAGES[-1]])
@pytest.mark.parametrize("moment", ["first question", "figures"])
def test_an_observatory_that_is_hidden_while_an_answer_is_made_stays_hidden(
    client: Client, medellin: Observatory, monkeypatch: pytest.MonkeyPatch, address: str, moment: str
) -> None:
    """Also where it is shown, and hidden again, afterwards."""

    def hiding(make: Any, public: tuple[bool, bool]) -> Any:
        def made(*args: Any) -> Any:
            before, after = public
            Observatory.objects.update(public=before)
            found = make(*args)
            Observatory.objects.update(public=after)
            return found

        return made

    if moment == "first question":  # hidden when the state is taken, shown when the observatory is loaded
        monkeypatch.setattr(published, "state", hiding(published.state, (False, True)))
    else:
        monkeypatch.setattr(published, "figures", hiding(published.figures, (True, False)))
    client.get(address)
    monkeypatch.undo()
    Observatory.objects.update(public=False)
    assert client.get(address).status_code == 404
    Observatory.objects.update(public=True)
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Cache-Control": "private"}, {"Cache-Control": "no-store"}, {"Set-Cookie": "a=b"}, {"Content-Encoding": "br"}],
)
def test_marks_by_mistake_are_not_followed(medellin: Observatory, headers: dict[str, str]) -> None:
    def view(_request: HttpRequest) -> HttpResponse:
        response = HttpResponse("mine", headers=headers)
        kept.keep(response, "medellin", published.state("medellin"))
        return response

    assert kept.Kept(view)(RequestFactory().get(HOME)).content == b"mine"
    assert not kept.CACHE._kept


def rate(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let strangers ask so often. Where they are counted time stands still: no window ends between two requests."""
    now = time.time()
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now))
    monkeypatch.setitem(settings.OPTIONS, "RATE_PUBLIC", text)


def test_answers_of_the_api_from_memory_are_counted_as_any_other(
    client: Client, medellin: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate(monkeypatch, "3/d")
    asked = PAGES[-1]
    got = [client.get(asked) for _ in range(4)]
    assert [one.status_code for one in got] == [200, 200, 200, 429]
    assert [one["RateLimit"].partition(";t")[0] for one in got[:3]] == [f'"default";r={left}' for left in (2, 1, 0)]
    assert int(got[3]["Retry-After"]) > 0
    assert got[3]["Access-Control-Allow-Origin"] == "*"
