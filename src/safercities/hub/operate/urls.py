"""Addresses for those who run the hub, and of the demonstration."""

from __future__ import annotations

from django.urls import path

from safercities.hub.operate import metrics, roles

urlpatterns = [
    path("metrics", metrics.metrics, name="metrics"),
    path("demo/role/", roles.switch, name="demo-role"),
]
