"""`python -m safercities.hub createadmin`: the first administrator, by a link that sets the password."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from safercities.hub.accounts import invite, password_path
from safercities.hub.health import migrated
from safercities.hub.models import Event, Role, User
from safercities.hub.operate.starting import database_errors
from safercities.model.errors import SafercitiesError

_MIGRATE = "The database is not in the form of this version yet: run `python -m safercities.hub migrate` first."


class Command(BaseCommand):
    """Makes a hub administrator. No password is asked for here: it would end in the shell's history."""

    #: None, as of the worker: the checks would load all pages, and take longer than all that is done here.
    requires_system_checks = ()
    help = "Make a hub administrator, and print a link, good once, with which they set their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who, and under which address the hub is reached."""
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--address", default="http://localhost:8000", help="where people reach the hub")
        parser.add_argument("--reset", action="store_true", help="a new link into an account that is there; no role")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the account, and print the link."""
        try:
            with database_errors():
                if not migrated():
                    raise CommandError(_MIGRATE)
                link = _again(options["email"]) if options["reset"] else _invited(options["email"], options["name"])
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        except SafercitiesError as error:
            raise CommandError(str(error)) from None
        if link:
            self.stdout.write(f"{options['address'].rstrip('/')}{link}")
        else:
            self.stdout.write("They can sign in already, and are administrator now. A new link: --reset")


def _invited(email: str, name: str) -> str:
    """The path of their link; empty where they need none."""
    return invite(email, Role.HUB_ADMIN, name=name)[1]


def _again(email: str) -> str:
    """The path of another link, for somebody who cannot get in any more."""
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is None:
        raise CommandError("There is no open account with this address.")
    Event.record("password.link_made", object=str(user.pk))
    return password_path(user)
