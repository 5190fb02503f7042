"""One synthetic city for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import safercities as sc
from safercities.demo.city import build
from safercities.demo.truth import Truth
from safercities.model.estimates import Estimates


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Folder and truth of the city of the default seed."""
    folder = tmp_path_factory.mktemp("city")
    return folder, build(folder)


@pytest.fixture(scope="session")
def truth(city: tuple[Path, Truth]) -> Truth:
    """The truth of the city of the default seed."""
    return city[1]


@pytest.fixture(scope="session")
def observatory(city: tuple[Path, Truth]) -> sc.Observatory:
    """The city as an observatory."""
    return sc.open(city[0])


@pytest.fixture(scope="session")
def estimates(observatory: sc.Observatory) -> Estimates:
    """Everything that the city's `observatory.toml` asks to be measured."""
    return observatory.measure()
