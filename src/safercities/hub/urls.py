"""Addresses of the hub. Each part of it has its own list."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from safercities.hub import health, office
from safercities.hub.api.main import api

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    # before allauth's own, of the same names: they look at more of the answer
    path("account/oidc/<str:provider_id>/login/", office.login, name="openid_connect_login"),
    path("account/oidc/<str:provider_id>/login/callback/", office.callback, name="openid_connect_callback"),
    path("account/", include("allauth.urls")),
    path("api/v1/", api.urls),
    path("sdmx/", include("safercities.hub.api.sdmx_urls")),
    path("", include("safercities.hub.operate.urls")),
    path("w/", include("safercities.hub.workbench.tokens_urls")),
    path("w/", include("safercities.hub.workbench.urls")),
    path("", include("safercities.hub.public.urls")),  # last: it answers what is left
]

handler400 = "safercities.hub.errors.bad_request"
handler403 = "safercities.hub.errors.forbidden"
handler404 = "safercities.hub.errors.not_found"
handler500 = "safercities.hub.errors.broken"
