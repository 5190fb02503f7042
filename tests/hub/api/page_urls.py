"""All addresses, with the pages for machines where they have to stand: before those of observatories."""

from __future__ import annotations

from django.urls import include, path

from safercities.hub import urls

urlpatterns = [path("w/", include("safercities.hub.workbench.tokens_urls")), *urls.urlpatterns]
