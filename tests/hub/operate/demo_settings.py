"""The hub's settings with the addresses of `operate` among its own, for a hub that runs as a process of its own."""

from __future__ import annotations

from safercities.hub.settings import *  # noqa: F403

ROOT_URLCONF = "hub.operate.addresses"
