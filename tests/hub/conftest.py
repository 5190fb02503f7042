"""Fixtures of the hub's tests: an observatory, people with roles, and their browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.cache import cache
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from whitenoise.middleware import WhiteNoiseMiddleware

from safercities.hub import kept
from safercities.hub.api import limits
from safercities.hub.models import Membership, Observatory, Role, User

MakeUser = Callable[..., User]


@pytest.fixture(autouse=True, scope="session")
def _files_of_the_pages_are_looked_for_once() -> Iterator[None]:
    """Each test client makes the middleware anew, which looks for all files of the pages: a third of many tests."""
    look, known = WhiteNoiseMiddleware.add_files_from_finders, dict[str, dict[str, Any]]()
    where = ["DEBUG", "FORCE_SCRIPT_NAME", "STATIC_URL", "STORAGES", "INSTALLED_APPS"]
    where += ["STATICFILES_DIRS", "STATICFILES_FINDERS"]

    def remembered(self: WhiteNoiseMiddleware) -> None:
        names = [*where, *(name for name in dir(settings) if name.startswith("WHITENOISE_"))]
        key = repr(([(name, getattr(settings, name)) for name in names], sorted(self.files)))
        if key not in known:
            look(self)
            known[key] = dict(self.files)
        self.files.update(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remembered)
        yield


@pytest.fixture(autouse=True, scope="session")
def _connections_stay_open_in_tests() -> Iterator[None]:
    """At the ends of a real request Django closes old connections, and with it the transaction that a test is in."""
    close = BaseDatabaseWrapper.close_if_unusable_or_obsolete

    def unless_used(self: BaseDatabaseWrapper) -> None:
        if not self.in_atomic_block:
            close(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "close_if_unusable_or_obsolete", unless_used)
        yield


@pytest.fixture(autouse=True)
def _nothing_of_other_tests() -> None:
    """Rate limits are counted in the cache; answers are kept in memory."""
    cache.clear()
    kept.CACHE.clear()
    limits.forget()


@pytest.fixture
def city(db: None, tmp_path: Path) -> Observatory:
    """A public observatory."""
    return Observatory.objects.create(slug="city", name="City", place_id="XA-CIT", folder=str(tmp_path / "city"))


@pytest.fixture
def hidden(db: None, tmp_path: Path) -> Observatory:
    """An observatory that is not public."""
    return Observatory.objects.create(
        slug="hidden", name="Hidden", place_id="XA-HID", folder=str(tmp_path / "hidden"), public=False
    )


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Makes somebody with roles in an observatory; hub administrators need none."""

    def make(name: str = "somebody", *roles: Role, observatory: Observatory | None = None) -> User:
        user = User.objects.create_user(f"{name}@example.org", "long enough to be a password", name=name)
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        for role in roles:
            Membership.objects.create(user=user, role=role, observatory=None if role == Role.HUB_ADMIN else observatory)
        return user

    return make


@pytest.fixture
def browser_of() -> Callable[[User | None], Client]:
    """A browser in which somebody is signed in; None: nobody."""

    def make(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return make
