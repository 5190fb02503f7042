"""Only the addresses of machines: these tests need no page."""

from __future__ import annotations

from django.urls import include, path

from safercities.hub.api.main import api

urlpatterns = [path("api/v1/", api.urls), path("sdmx/", include("safercities.hub.api.sdmx_urls"))]
