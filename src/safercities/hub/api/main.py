"""The API, version 1."""

from __future__ import annotations

from ninja import NinjaAPI

api = NinjaAPI(title="safercities", version="1", docs_url=None)
