"""`safercities serve`: everything from a folder to pages in a browser, on one machine, and back to nothing."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path

from filelock import FileLock, Timeout

from safercities import terminal
from safercities.hub import options
from safercities.hub.operate import starting
from safercities.hub.operate.keeping import Keeper
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem

PORT = 8000
APPLICATION = "safercities.hub.wsgi:application"
#: Seconds until it must answer.
PATIENCE = 60.0


@dataclass(frozen=True)
class Place:
    """Where the hub listens."""

    host: str
    port: int

    @property
    def here(self) -> str:
        """A host by which this machine reaches it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 (compared, not bound)

    @property
    def address(self) -> str:
        """As a browser on this machine takes it."""
        host = f"[{self.here}]" if ":" in self.here else self.here
        return f"http://{host}:{self.port}/"

    @property
    def private(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def free_place(host: str, port: int) -> Place:
    """The place, if it is free; port 0 stands for any that is.

    Raises
    ------
    UsageError
        If another program listens there, or the machine has no such address.
    """
    where = f"{host}:{port}"
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            return Place(host, probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(problem("hub-port", port=port, other=port + 1)) from None
        raise UsageError(problem("hub-address", address=where, why=error.strerror or error)) from None


def any_port(wanted: int) -> int:
    """This port, or another one where it is taken."""
    try:
        return free_place("127.0.0.1", wanted).port
    except UsageError:
        return 0


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """No other hub runs on this home.

    Raises
    ------
    UsageError
        If one does.
    """
    lock = FileLock(home / ".serve.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(problem("hub-running", file=str(home))) from None
    try:
        yield
    finally:
        lock.release()


def serve(
    folders: Sequence[Path],
    *,
    home: Path | None = None,
    host: str = "127.0.0.1",
    port: int = PORT,
    browse: bool = True,
    stay: bool = True,
    path: str = "",
    say: Callable[[str], None] = terminal.say,
) -> None:
    """Start the hub, and stay until somebody stops it.

    Parameters
    ----------
    folders
        Observatories to register; those of earlier times are known still.
    browse
        Whether to open a browser.
    stay
        Whether to stay; else it is asked for its first pages, and stopped.
    path
        The page to open, without a slash before it.

    Raises
    ------
    SafercitiesError
        If it cannot start, or stops by itself; the sentence says why.
    """
    starting.require_packages()
    starting.require_frontend()
    place = free_place(host, port)
    if sys.stderr is not None and sys.stderr.isatty():  # for people: no line a request
        os.environ.setdefault(f"{options.PREFIX}LOG_LEVEL", "WARNING")
    folder = starting.enter(home)
    with only_one(folder):
        slugs = _make_ready(folders, folder, place, say)
        with Keeper(server_command(place), worker_command(), say).running() as keeper:
            wait_until_ready(keeper, place)
            say(f"The hub is at {public_address(place)}  (its home: {folder})")
            if not stay:
                _try_out(place, slugs, say)
                return
            say("Ctrl-C stops it.")
            if browse:
                webbrowser.open(place.address + path)
            code = keeper.keep()
    if code is not None:
        raise SafercitiesError(problem("hub-stopped", code=code))
    say("The hub has stopped.")


def _make_ready(folders: Sequence[Path], home: Path, place: Place, say: Callable[[str], None]) -> list[str]:
    """Everything before the first request; gives the observatories' names in addresses."""
    from django.conf import settings
    from django.db import connections

    from safercities.hub.jobs import leftovers
    from safercities.hub.operate import registering, roles

    if settings.DEMO and (settings.REACHED_BY_OTHERS or not place.private):  # a proxy lets others in, too
        names = [name for name in settings.ALLOWED_HOSTS if name not in options.LOOPBACK]
        raise UsageError(problem("hub-demo-open", address=", ".join(names) or place.host))
    starting.prepare()
    leftovers.sweep_quarantine(older=0)  # no server runs here: nothing is being brought
    with starting.database_errors():
        known = [registering.register(folder) for folder in folders]
        problems: list[Problem] = registering.show(known, say)
        problems += registering.keys_elsewhere(known, home)
        roles.prepare()
        link = starting.first_link(public_address(place))
    if not place.private and not settings.REACHED_BY_OTHERS:
        problems.append(problem("hub-no-names", address=place.host))
    terminal.warn(problems)
    if link:
        say(f"Nobody has an account yet. This link, good once, makes its reader administrator:\n  {link}")
    connections.close_all()  # the processes that follow open their own
    return [each.slug for each in known]


def public_address(place: Place) -> str:
    """Where people reach the hub: under the name that was set for it, else on this machine."""
    from django.conf import settings

    names = (host.lstrip(".") for host in settings.ALLOWED_HOSTS if host not in (*options.LOOPBACK, "*"))
    name = next(names, "")
    if not name:
        return place.address
    return f"https://{name}/" if settings.HTTPS else f"http://{name}:{place.port}/"


def server_command(place: Place, threads: int | None = None) -> list[str]:
    """Granian, in one process of several threads: the figures' engine works outside of Python's lock."""
    count = threads or max(4, 2 * (os.cpu_count() or 1))
    return [
        *(sys.executable, "-m", "granian", APPLICATION, "--interface", "wsgi", "--http", "1", "--no-ws"),
        *("--host", place.host, "--port", str(place.port), "--workers", "1", "--blocking-threads", str(count)),
        *("--respawn-failed-workers", "--no-access-log", "--log-level", "warning"),
    ]


def worker_command() -> list[str]:
    """What does the work that takes time."""
    return [sys.executable, "-m", "safercities.hub", "worker"]


def wait_until_ready(keeper: Keeper, place: Place) -> None:
    """Until the hub answers that it can work.

    Raises
    ------
    SafercitiesError
        If the server ends, or does not answer in time.
    """
    until, why = time.monotonic() + PATIENCE, "no answer"
    while time.monotonic() < until and not keeper.stopped.wait(0.1):
        if keeper.server.code is not None:
            raise SafercitiesError(problem("hub-stopped", code=keeper.server.code))
        try:
            status = ask(place, "readyz")
        except (OSError, HTTPException):
            continue
        if status == 200:
            return
        why = f"status {status}"
    if keeper.stopped.is_set():
        raise KeyboardInterrupt
    raise SafercitiesError(problem("hub-silent", path="/readyz", why=why))


def ask(place: Place, path: str) -> int:
    """Status of a page, asked for under a name that the hub answers to."""
    from django.conf import settings

    name = next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")
    connection = HTTPConnection(place.here, place.port, timeout=30)
    try:
        connection.request("GET", f"/{path}", headers={"Host": name})
        return connection.getresponse().status
    finally:
        connection.close()


def _try_out(place: Place, slugs: Sequence[str], say: Callable[[str], None]) -> None:
    """Ask for the first pages, as a visitor would."""
    pages = ["healthz", "", *(f"o/{slug}/" for slug in slugs)]
    for page in pages:
        status = ask(place, page)
        if status >= 400:
            raise SafercitiesError(problem("hub-silent", path=f"/{page}", why=f"status {status}"))
    say(f"It answers on {', '.join('/' + page for page in pages)}. It was only tried out, and is stopped again.")
