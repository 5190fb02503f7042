"""Observatories with real releases, for tests of the public site: corrections, withheld rows, hostile codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.figures.made_chain import full_city, new_city
from hub.public.made_site import shelve
from release.made_release import rows
from safercities.hub.models import Observatory


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an observatory with five releases; read only."""
    folder = tmp_path_factory.mktemp("site")
    full_city(folder)
    return folder / "city"


@pytest.fixture(scope="session")
def simple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one with two years, of which women's numbers are withheld in the parts of the city; read only."""
    folder = tmp_path_factory.mktemp("simple")
    city = new_city(folder)
    city.publish("2023", rows("2023"))
    city.publish("2024", rows("2024"))
    return folder / "city"


@pytest.fixture
def medellin(db: None, releases: Path) -> Observatory:
    """Public."""
    return shelve("medellin", releases)


@pytest.fixture
def secret(db: None, simple: Path) -> Observatory:
    """Not public, with releases of its own."""
    return shelve("secret", simple, public=False, name="Secret city")
