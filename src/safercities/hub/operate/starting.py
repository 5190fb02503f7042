"""Makes a hub ready to run: its home, its settings, its database, the files of its pages, the first administrator."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from safercities.hub import options
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.release.store import FOLDER_VARIABLE

SETTINGS = "safercities.hub.settings"
HOME_VARIABLE = f"{options.PREFIX}HUB_HOME"
#: What the extra `hub` brings, as modules.
NEEDED = ("django", "allauth", "csp", "django_htmx", "ninja", "django_tasks", "granian", "rules", "whitenoise")
#: Who is invited where nobody is known yet. Addresses at `localhost` lead nowhere.
FIRST = "admin@localhost"


def require_packages() -> None:
    """See that the packages of the extra `hub` are there.

    Raises
    ------
    UsageError
        If one is missing; the sentence names it.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(problem("hub-extra", missing=", ".join(missing)))


def require_frontend() -> None:
    """See that the pages' scripts were built.

    Raises
    ------
    UsageError
        If they were not.
    """
    if not (Path(options.__file__).parent / "static" / "hub" / "built" / "manifest.json").is_file():
        raise UsageError(problem("hub-unbuilt"))


def enter(home: Path | None) -> Path:
    """Make the home, have everything that follows use it, and load Django. Once a process.

    Parameters
    ----------
    home
        The hub's home; None: what `SAFERCITIES_HUB_HOME` says, or its default.

    Raises
    ------
    UsageError
        If a package is missing, the home cannot be written to, or a variable does not say what it should.
    """
    require_packages()
    folder = _home(home)
    os.environ[HOME_VARIABLE] = str(folder)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if not os.environ.get(FOLDER_VARIABLE):
        os.environ[FOLDER_VARIABLE] = str(options.make_home(folder / "keys"))
    import django

    try:
        django.setup()
    except options.OptionError as error:
        raise UsageError(problem("hub-option", why=error)) from None
    return folder


def _home(given: Path | None) -> Path:
    """The home, made where it is not there; only its user may enter it."""
    if given is not None:
        os.environ[HOME_VARIABLE] = str(given.expanduser().absolute())
    try:
        folder: Path = options.read_options()["HUB_HOME"]
    except options.OptionError as error:
        raise UsageError(problem("hub-option", why=error)) from None
    try:
        options.make_home(folder)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(problem("hub-home", file=str(folder), why=error.strerror or error)) from None
    return folder


@contextmanager
def database_errors() -> Iterator[None]:
    """Say what a database refuses, without the address and the password that lead to it.

    Raises
    ------
    SafercitiesError
        Instead of the database's own error.
    """
    from django.db import Error

    try:
        yield
    except Error as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise SafercitiesError(problem("hub-database", why=why[0])) from None


def prepare() -> None:
    """Bring the database to the form of this version, and gather the files of the pages.

    Raises
    ------
    SafercitiesError
        If the database does not answer, or refuses.
    """
    from django.conf import settings
    from django.core.management import call_command

    from safercities.hub.operate.gathering import gather

    with database_errors():
        call_command("migrate", verbosity=0, interactive=False)
    if not settings.DEBUG:
        gather()


def first_link(address: str) -> str:
    """A link that makes whoever opens it first the administrator; empty once somebody can sign in.

    Without an account that works the link is given at every start: else a lost link would lock everybody out.
    """
    from django.conf import settings

    from safercities.hub.accounts import invite
    from safercities.hub.models import Role, User
    from safercities.hub.operate.roles import DOMAIN

    people = User.objects.exclude(email__endswith=f"@{DOMAIN}")
    if settings.DEMO or people.exclude(email=FIRST).exists() or any(one.has_usable_password() for one in people):
        return ""
    _, path = invite(FIRST, Role.HUB_ADMIN)
    return f"{address.rstrip('/')}{path}" if path else ""
