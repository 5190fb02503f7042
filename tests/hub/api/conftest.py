"""A public observatory with releases, a hidden one with one, tokens, and clients of machines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from hub.figures.conftest import made as made
from hub.figures.made_chain import City, full_city, new_city
from hub.shown import show
from release.made_release import rows
from safercities.hub.api import limits
from safercities.hub.models import Observatory, Role, Scope, Token


@pytest.fixture(autouse=True)
def _fresh(settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A home of its own, and no counted requests."""
    home = tmp_path_factory.mktemp("home")
    settings.HOME, settings.ROOT_URLCONF = home, "hub.api.api_urls"
    settings.FILE_UPLOAD_TEMP_DIR = str(home / "uploads")
    (home / "uploads").mkdir()
    limits.forget()


@pytest.fixture(scope="session")
def chain_of_city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """Releases of a city, made once; copied before they are changed."""
    return full_city(tmp_path_factory.mktemp("api-city"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> City:
    """A city with two releases, of which the second follows."""
    city = new_city(tmp_path_factory.mktemp("api-small"))
    city.publish("2022", rows("2022"))
    city.publish("2023", rows("2023"))
    return city


@pytest.fixture
def filled(city: Observatory, chain_of_city: City) -> Observatory:
    """The public observatory with all releases of the city."""
    shutil.copytree(chain_of_city.releases, city.releases)
    show(city, chain_of_city.releases)
    return city


@pytest.fixture
def secret(hidden: Observatory, small: City) -> Observatory:
    """The hidden observatory, with releases."""
    shutil.copytree(small.releases, hidden.releases)
    show(hidden, small.releases)
    return hidden


MakeClient = Callable[..., Client]


@pytest.fixture
def machine(make_user) -> MakeClient:
    """A client with a token of somebody with these roles."""
    count = iter(range(1000))

    def make(*roles: Role, of: Observatory | None = None, scopes: list[str] | None = None, **fields) -> Client:
        user = make_user(f"machine{next(count)}", *roles, observatory=of)
        _, word = Token.make(user, "test", [str(one) for one in (Scope.values if scopes is None else scopes)], **fields)
        return Client(headers={"authorization": f"Bearer {word}"})

    return make


def files_of(folder: Path) -> dict[str, bytes]:
    """Files of a release."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
