"""Pages about the hub itself: about, method, the API in words; and what other machines look for first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

import safercities
from safercities.hub import published
from safercities.hub.access import visible
from safercities.hub.models import Observatory
from safercities.hub.public.markup import links
from safercities.hub.public.page import link

#: Addresses that one sitemap may hold, by its standard.
MOST = 50_000
#: For how long `security.txt` says that it is good.
GOOD_FOR = timedelta(days=90)
_METHODS = ("get", "post", "put", "patch", "delete")


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """`/about/`."""
    context = {"version": safercities.__version__, "crumbs": [(_("About"), "")]}
    return render(request, "hub/about/about.html", context)


@require_safe
def method(request: HttpRequest) -> HttpResponse:
    """`/method/`: what intervals, withholding and rounding mean."""
    return render(request, "hub/about/method.html", {"crumbs": [(_("Method"), "")]})


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """`/api/docs/`: the API for people, made of its own OpenAPI document."""
    from safercities.hub.api.main import api

    document: dict[str, Any] = api.get_openapi_schema()
    context = {
        "title": document["info"]["title"],
        "version": document["info"]["version"],
        "groups": _groups(document),
        "openapi": _openapi(),
        "base": request.build_absolute_uri("/").rstrip("/"),
        "crumbs": [(_("API"), "")],
    }
    return render(request, "hub/about/api.html", context)


def _openapi() -> str:
    try:
        return reverse("api-1:openapi-json")
    except NoReverseMatch:
        return ""


def _groups(document: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """What can be asked, under its tags."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for address, methods in document.get("paths", {}).items():
        for name in _METHODS:
            if name in methods:
                said = methods[name]
                tag = (said.get("tags") or [""])[0]
                groups.setdefault(tag, []).append(_asked(address, name, said, methods.get("parameters", [])))
    return list(groups.items())


def _asked(address: str, name: str, said: dict[str, Any], shared: list[dict[str, Any]]) -> dict[str, Any]:
    bodies = said.get("requestBody", {}).get("content", {})
    parameters = [one for one in (*shared, *said.get("parameters", [])) if "name" in one]
    return {
        "id": f"{name}{address}".replace("/", "-").replace("{", "").replace("}", ""),
        "method": name.upper(),
        "address": address,
        "summary": said.get("summary", ""),
        "description": said.get("description", ""),
        "parameters": [
            {
                "name": one["name"],
                "where": one.get("in", ""),
                "required": bool(one.get("required")),
                "type": _type(one.get("schema", {})),
                "description": one.get("description") or one.get("schema", {}).get("description", ""),
            }
            for one in parameters
        ],
        "bodies": list(bodies),
        "answers": [(code, _answer(one)) for code, one in sorted(said.get("responses", {}).items(), key=str)],
        "token": bool(said.get("security")) and {} not in said["security"],
    }


def _answer(one: dict[str, Any]) -> str:
    kinds = ", ".join(one.get("content", {}))
    return " · ".join(part for part in (one.get("description", ""), kinds) if part)


def _type(schema: dict[str, Any]) -> str:
    """The type of a parameter in a word or two."""
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"] if one.get("type") != "null"))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))} …"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("type", ""))


# -- what other machines look for --------------------------------------------------------------------------------------


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """`/robots.txt`: pages for reading may be found; what is for work, accounts and programs need not."""
    lines = ["User-agent: *", *(f"Disallow: {one}" for one in ("/w/", "/account/", "/api/v1/", "/sdmx/"))]
    lines += ["Disallow: /*?", f"Sitemap: {request.build_absolute_uri(reverse('public:sitemap'))}", ""]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


@require_safe
def sitemap(request: HttpRequest) -> HttpResponse:
    """`/sitemap.xml`: the public pages, whoever asks: it is for those who do not sign in."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">']
    site = escape(request.build_absolute_uri("/").removesuffix("/"))
    lines += [f"<url><loc>{site}{escape(address)}</loc></url>" for address in islice(_addresses(), MOST)]
    response = HttpResponse("\n".join([*lines, "</urlset>", ""]), content_type="application/xml")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _addresses() -> Iterator[str]:
    for name in ("front", "about", "method", "api_docs"):
        yield reverse(f"public:{name}")
    several = list(visible(None))
    for observatory in several:
        yield from _of_observatory(observatory)


def _of_observatory(observatory: Observatory) -> Iterator[str]:
    for name in ("home", "indicators", "compare", "releases"):
        yield link(name, observatory)
    for number in observatory.shelf.values_list("number", flat=True):
        yield link("release", observatory, number=number)
    figures = published.figures(observatory)
    if figures is not None:
        for code in figures.indicators:
            yield link("indicator", observatory, code=code)
        address = links("place", observatory, "place")
        for place in figures.places.values():
            if place.rows and not place.unplaced:
                yield address(place.id)


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """`/.well-known/security.txt` (RFC 9116): whom to tell of a weakness, where the setting names somebody."""
    contact = settings.SECURITY_CONTACT.strip()
    if not contact or "\n" in contact:
        raise Http404
    if "://" not in contact and not contact.startswith("mailto:"):
        contact = f"mailto:{contact}"
    until = (datetime.now(UTC) + GOOD_FOR).strftime("%Y-%m-%dT00:00:00Z")
    address = request.build_absolute_uri(reverse("public:security"))
    lines = [f"Contact: {contact}", f"Expires: {until}", f"Canonical: {address}", "Preferred-Languages: en", ""]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")
