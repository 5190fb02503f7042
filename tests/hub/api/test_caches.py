"""What caches between hub and reader are told: what an answer differs by, who may keep it, and when it is another."""

from __future__ import annotations

import pytest
from django.test import Client

import safercities
from safercities.hub.models import Observatory, Role

ROOT = "/api/v1/observatories/city"
ANSWERS = (
    "/api/v1/openapi.json",
    "/api/v1/observatories",
    ROOT,
    f"{ROOT}/indicators",
    f"{ROOT}/places",
    f"{ROOT}/periods",
    f"{ROOT}/choices",
    f"{ROOT}/estimates?limit=3",
    f"{ROOT}/estimates?indicator=sdg.16.1.1&format=csv",
    f"{ROOT}/releases",
    f"{ROOT}/releases/1",
    f"{ROOT}/releases/1/files/data.csv",
    "/sdmx/data/ESTIMATES",
    "/sdmx/dataflow",
)
NOTHING = ("/api/v1/nothing", "/api/v1/observatories/nothing", f"{ROOT}/estimates?x=1", "/sdmx/nothing", "/sdmx/data/X")


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def varies(answer) -> set[str]:
    """What an answer differs by. What was packed for some is also told."""
    return {part.strip() for part in answer.headers["Vary"].split(",")} - {"Accept-Encoding"}


@pytest.mark.parametrize("url", ANSWERS)
def test_who_may_keep_an_answer(filled, client, machine, url):
    first = client.get(url, headers={"accept-language": "fr", "cookie": "language=ar"})
    assert first.status_code == 200
    assert varies(first) == {"Accept", "Authorization"}
    assert first.headers["Cache-Control"] == "public, no-cache"
    assert "Content-Language" not in first.headers
    assert "Set-Cookie" not in first.headers
    assert not first.cookies
    other = machine(Role.VIEWER, of=filled).get(url)
    assert other.headers["Cache-Control"] == "private, no-cache"
    again = client.get(url, headers={"if-none-match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"].removeprefix("W/") == first.headers["ETag"].removeprefix("W/")
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert varies(again) == varies(first)
    assert body(first) == body(other)


@pytest.mark.parametrize("url", NOTHING)
def test_nobody_keeps_a_problem(filled, client, url):
    answer = client.get(url)
    assert answer.status_code in (400, 404)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert varies(answer) == {"Accept", "Authorization"}
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.headers["RateLimit"]


def test_a_language_can_be_asked_for_and_changes_nothing(filled, client):
    answer = client.get(f"{ROOT}?lang=ar")
    assert answer.json() == client.get(ROOT).json()
    assert not answer.cookies


def test_a_session_opens_nothing_and_is_not_begun(filled, make_user, browser_of, django_assert_num_queries):
    browser = browser_of(make_user("admin", Role.HUB_ADMIN))
    with django_assert_num_queries(2):  # the observatory, and the state of what is published
        answer = browser.get(f"{ROOT}/estimates?limit=1")
    assert "private" in answer.headers["Cache-Control"]
    assert not answer.cookies


def test_what_is_not_public_is_kept_by_nobody_else(secret, machine):
    member = machine(Role.VIEWER, of=secret)
    for rest in ("", "/estimates", "/places", "/releases", "/releases/1/files/data.csv"):
        answer = member.get(f"/api/v1/observatories/hidden{rest}")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-cache")
        answer.getvalue()
        mark = answer.headers["ETag"]
        # the mark of what is hidden opens nothing and confirms nothing
        for one in (Client(), machine()):
            stranger = one.get(f"/api/v1/observatories/hidden{rest}", headers={"if-none-match": mark})
            assert (stranger.status_code, "ETag" in stranger.headers) == (404, False)


def test_an_observatory_that_was_hidden_is_not_confirmed_by_its_mark(filled, client):
    mark = client.get(f"{ROOT}/estimates").headers["ETag"]
    Observatory.objects.update(public=False)
    answer = client.get(f"{ROOT}/estimates", headers={"if-none-match": mark})
    assert answer.status_code == 404


@pytest.mark.parametrize("url", [f"{ROOT}/estimates?indicator=sdg.16.1.1", "/sdmx/data/ESTIMATES", "/sdmx/dataflow"])
def test_a_mark_is_of_one_format_and_one_version_of_the_program(filled, client, monkeypatch, url):
    glue = "&" if "?" in url else "?"
    formats = ("json", "csv", "parquet") if "api" in url else ("xml", "xml-3.0")
    formats = ("generic", "csv", "xml-3.0") if "data/" in url else formats
    marks = {client.get(f"{url}{glue}format={format}").headers["ETag"] for format in formats}
    assert len(marks) == len(formats)
    before = client.get(url).headers["ETag"]
    monkeypatch.setattr(safercities, "__version__", "999")
    assert client.get(url).headers["ETag"] != before


def test_another_host_is_refused(filled):
    answer = Client(SERVER_NAME="evil.example").get(ROOT)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")
    assert "evil" not in answer.content.decode()


def test_the_document_of_the_api_is_counted_and_made_once(filled, client, monkeypatch):
    from safercities.hub.api.main import Api

    client.get("/api/v1/openapi.json")
    monkeypatch.setattr(Api, "get_openapi_schema", lambda *args, **kwargs: pytest.fail("made again"))
    answer = client.get("/api/v1/openapi.json")
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.headers["RateLimit"]
    assert client.head("/api/v1/openapi.json").status_code == 200
    assert client.post("/api/v1/openapi.json").json()["code"] == "method-not-allowed"
