"""Pages about the hub, and what machines look for: nothing of hidden observatories, the API as it describes itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from django.test import Client

from hub.public.test_home import text_of
from safercities.hub.models import Observatory
from safercities.hub.public.pages import _type

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/about/", "/method/", "/api/docs/"])
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_pages_have_one_heading_a_title_and_landmarks(client: Client, address: str, lang: str) -> None:
    page = client.get(address, {"lang": lang}).content.decode()
    assert page.count("<h1") == 1
    assert re.search(r"<title>.+ – safercities</title>", page)
    assert '<main id="main"' in page
    assert 'href="#main"' in page
    assert "style=" not in page
    assert f'<html lang="{lang}" dir="{"rtl" if lang == "ar" else "ltr"}">' in page


def test_the_api_is_described_as_its_document_says(client: Client) -> None:
    from safercities.hub.api.main import api

    said = client.get("/api/docs/").content.decode()
    document: dict[str, Any] = api.get_openapi_schema()
    assert document["paths"]
    for address, methods in document["paths"].items():
        assert address in said
        for asked in methods.values():
            assert all(f">{one['name']}<" in said for one in asked.get("parameters", []))


def test_types_are_said_in_a_word() -> None:
    assert _type({"anyOf": [{"type": "string"}, {"type": "null"}]}) == "string"
    assert _type({"type": "array", "items": {"$ref": "#/components/schemas/Place"}}) == "Place …"
    assert _type({"enum": ["a", "b"], "type": "string"}) == "a | b"


def test_the_sitemap_names_public_pages_that_are_there(
    client: Client,
    medellin: Observatory,
    secret: Observatory,
) -> None:
    got = client.get("/sitemap.xml")
    found = [one.text or "" for one in fromstring(got.content).findall(".//{*}loc")]
    assert "http://testserver/o/medellin/p/CO-MDE.01/" in found
    assert "http://testserver/o/medellin/releases/2/" in found
    assert not [one for one in found if "secret" in one]
    assert len(found) == len(set(found))
    for address in found:
        assert client.get(address.removeprefix("http://testserver")).status_code == 200, address
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").content.decode()


def test_a_signed_in_member_gets_the_same_sitemap(
    medellin: Observatory,
    secret: Observatory,
    make_user: Any,
    browser_of: Any,
) -> None:
    browser = browser_of(make_user("viewer", "viewer", observatory=secret))
    assert b"secret" not in browser.get("/sitemap.xml").content


def test_whom_to_tell_of_a_weakness_is_said_where_it_is_set(client: Client, settings: Any) -> None:
    settings.SECURITY_CONTACT = ""
    assert client.get("/.well-known/security.txt").status_code == 404
    settings.SECURITY_CONTACT = "security@city.example"
    said = client.get("/.well-known/security.txt").content.decode()
    assert "Contact: mailto:security@city.example\n" in said
    assert re.search(r"^Expires: \d{4}-\d\d-\d\dT00:00:00Z$", said, re.MULTILINE)
    settings.SECURITY_CONTACT = "https://city.example/tell\nContact: mailto:evil@example.org"
    assert client.get("/.well-known/security.txt").status_code == 404


def test_reading_is_all_that_these_pages_do(client: Client, medellin: Observatory) -> None:
    for address in ("/", "/about/", "/o/medellin/", "/o/medellin/releases/1/data.csv", "/o/medellin/compare/"):
        assert client.post(address).status_code == 405
    assert text_of(client.get("/about/").content)
