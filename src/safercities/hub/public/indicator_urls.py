"""Addresses of an indicator: its page, the frame for other sites, its documents, files and boundaries."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from safercities.hub.public import downloads, embed, indicator

_FILE = r"^o/(?P<slug>[-a-zA-Z0-9_]+)/i/(?P<code>[^/]{1,200}?)\.(?P<ending>sdmx\.csv|csv|json|svg|png)\Z"

urlpatterns: list[URLPattern | URLResolver] = [
    path("o/<slug:slug>/i/<str:code>/", indicator.page, name="indicator"),
    path("o/<slug:slug>/i/<str:code>/embed/", embed.frame, name="indicator_embed"),
    path("o/<slug:slug>/i/<str:code>/chart.json", indicator.chart, name="indicator_chart"),
    path("o/<slug:slug>/i/<str:code>/map.json", indicator.map, name="indicator_map"),
    re_path(_FILE, downloads.file, name="indicator_file"),
    path("o/<slug:slug>/geo/<str:level>.geojson", downloads.boundaries, name="boundaries"),
]
