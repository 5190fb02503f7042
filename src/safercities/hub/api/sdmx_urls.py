"""Addresses of the SDMX interface: of all observatories, and of one."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, re_path

from safercities.hub.api import sdmx_told, sdmx_views

app_name = "sdmx"
_ONE = r"^(?:o/(?P<slug>[a-z0-9-]{1,60})/)?"
_PART = "[^/]{1,300}"
_KINDS = "|".join([*sdmx_told.KINDS, "structure"])

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(
        rf"{_ONE}data/(?P<flow>{_PART})(?:/(?P<key>[^/]*))?(?:/(?P<provider>{_PART}))?/?$",
        sdmx_views.data,
        name="data",
    ),
    re_path(
        rf"{_ONE}(?P<resource>{_KINDS})"
        rf"(?:/(?P<agency>{_PART}))?(?:/(?P<id>{_PART}))?(?:/(?P<version>{_PART}))?(?:/(?P<item>{_PART}))?/?$",
        sdmx_views.structures,
        name="structures",
    ),
    re_path(_ONE, sdmx_views.nothing),
]
