"""Addresses of the public site."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from safercities.hub.public import compare, files, home, pages, places, releases, reviews

app_name = "public"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.front, name="front"),
    path("about/", pages.about, name="about"),
    path("method/", pages.method, name="method"),
    path("api/docs/", pages.api_docs, name="api_docs"),
    path("robots.txt", pages.robots, name="robots"),
    path("sitemap.xml", pages.sitemap, name="sitemap"),
    path(".well-known/security.txt", pages.security, name="security"),
    path("o/<slug:slug>/", home.home, name="home"),
    path("o/<slug:slug>/indicators/", home.indicators, name="indicators"),
    path("o/<slug:slug>/p/<path:place>/", places.place, name="place"),
    path("o/<slug:slug>/compare/", compare.compare, name="compare"),
    path("o/<slug:slug>/compare/chart.json", compare.compare_chart, name="compare_chart"),
    path("o/<slug:slug>/releases/", releases.releases, name="releases"),
    path("o/<slug:slug>/releases/<int:number>/", releases.release, name="release"),
    path("o/<slug:slug>/releases/<int:number>/release.zip", files.release_zip, name="release_zip"),
    path("o/<slug:slug>/releases/<int:number>/<str:name>", files.release_file, name="release_file"),
    path("o/<slug:slug>/review/<str:period>/<str:file>", reviews.review, name="review"),
    path("", include("safercities.hub.public.indicator_urls")),
]
