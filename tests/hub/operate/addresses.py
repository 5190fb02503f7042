"""The hub's addresses with those of `operate` among them."""

from __future__ import annotations

from django.urls import include, path

from safercities.hub import urls

urlpatterns = [path("", include("safercities.hub.operate.urls")), *urls.urlpatterns]
handler400, handler403, handler404 = urls.handler400, urls.handler403, urls.handler404
