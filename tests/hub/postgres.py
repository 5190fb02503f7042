"""A PostgreSQL of the tests' own: a fresh cluster in a temporary folder, reached by its socket only.

A test module asks for it by `from hub.postgres import postgres`, and takes the fixture `postgres`. All tests of the hub
run on it by `python tests/hub/postgres.py tests/hub/test_models.py`, which sets SAFERCITIES_TEST_DATABASE_URL.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ADMIN = "hub"
#: Nothing of it has to last longer than the tests.
FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off"


class Missing(Exception):
    """PostgreSQL is not on this machine."""


@dataclass
class Cluster:
    """A running cluster."""

    folder: Path
    bin: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12) + "/@:")  # signs that have to be quoted

    def url(self, database: str) -> str:
        """How the hub is told of a database."""
        return f"postgres://{ADMIN}:{quote(self.password, safe='')}@{quote(str(self.folder), safe='')}/{database}"

    def create(self) -> str:
        """A new, empty database; gives its address."""
        name = f"hub_{secrets.token_hex(4)}"
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql answers."""
        words = [self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", ADMIN, "-h", self.folder, "-d", database]
        environ = {"PGPASSWORD": self.password, "PATH": os.environ["PATH"]}
        done = subprocess.run([*words, "-c", text], env=environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()


def programs() -> Path:
    """Folder of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = str(found[-1]) if found else shutil.which("initdb")
    if not path:
        raise Missing("PostgreSQL is not on this machine (Debian: apt-get install postgresql)")
    return Path(path).resolve().parent


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL does not run as root: as whom it runs instead."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start one; nothing of it is left after the block."""
    bin, who = programs(), _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="sc-pg-", dir="/tmp"))
    made = Cluster(folder, bin)
    data = folder / "data"
    word = folder / "password"
    word.write_text(made.password, encoding="ascii")
    if who:
        for path in (folder, word):
            os.chown(path, who["user"], who["group"])
    run = {"cwd": folder, "check": True, "capture_output": True, **who}
    try:
        asked = ["--auth=scram-sha-256", f"--pwfile={word}", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run([bin / "initdb", "-D", data, "-U", ADMIN, *asked], **run)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} {FAST} -c max_connections=40"
        log = ["-l", str(folder / "log")]
        subprocess.run([bin / "pg_ctl", "-D", data, *log, "-w", "-o", options, "start"], **run)
        yield made
    finally:
        if (data / "postmaster.pid").exists():
            subprocess.run([bin / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], **run)
        shutil.rmtree(folder, ignore_errors=True)


def own_database() -> dict[str, str]:
    """Settings for processes of a test's own: another, empty database where the tests run on PostgreSQL; else none."""
    url = os.environ.get("SAFERCITIES_TEST_DATABASE_URL", "")
    if not url:
        return {}
    import psycopg

    name = f"hub_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    return {"SAFERCITIES_DATABASE_URL": f"{url.rpartition('/')[0]}/{name}"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One cluster for all; each test takes a database of its own by `create`."""
    from tools import missing  # not where this file is run as a program: it does not see the tests' folder then

    try:
        programs()
    except Missing as reason:
        missing(str(reason))
    with cluster() as made:
        yield made


def main() -> None:
    """Run tests on PostgreSQL: the words are pytest's."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C: nothing goes on running
    with cluster() as made:
        environ = {**os.environ, "SAFERCITIES_TEST_DATABASE_URL": made.create()}
        words = [sys.executable, "-m", "pytest", "-n0", *sys.argv[1:]]
        raise SystemExit(subprocess.run(words, env=environ, check=False).returncode)


if __name__ == "__main__":
    main()
