"""Fixtures of the tests of running the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from hub.operate.made_hub import published_city
from hub.postgres import postgres
from hub.ready import ready

__all__ = ["postgres", "ready"]
MEASURED = "safercities.hub.operate.metrics.Measured"


@pytest.fixture
def wired() -> Iterator[None]:
    """The addresses and the counting of `operate`, whether or not the hub's own list has them."""
    others = [name for name in settings.MIDDLEWARE if name != MEASURED]
    with override_settings(ROOT_URLCONF="hub.operate.addresses", MIDDLEWARE=[others[0], MEASURED, *others[1:]]):
        yield


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an observatory `city` and its keys. Read only: copy it to change it."""
    folder = tmp_path_factory.mktemp("published")
    published_city(folder)
    return folder
