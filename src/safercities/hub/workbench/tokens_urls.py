"""Addresses of the pages for machines. They stand before those of the observatories: `tokens` is no observatory."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from safercities.hub.workbench import tokens

app_name = "tokens"
urlpatterns: list[URLPattern | URLResolver] = [
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<int:number>/revoke/", tokens.revoke, name="revoke"),
    path("<slug:slug>/webhooks/", tokens.webhooks, name="webhooks"),
    path("<slug:slug>/webhooks/<int:number>/", tokens.change_webhook, name="webhook"),
    path("<slug:slug>/incoming/", tokens.incoming, name="incoming"),
]
