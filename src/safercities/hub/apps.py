"""What Django has to know of the hub."""

from __future__ import annotations

from django.apps import AppConfig


class HubConfig(AppConfig):
    """The one app of the hub."""

    name = "safercities.hub"
    label = "hub"
    verbose_name = "safercities"
    default_auto_field = "django.db.models.BigAutoField"
