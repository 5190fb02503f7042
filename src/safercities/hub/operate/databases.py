"""Copies of the hub's database while it is in use: SQLite by its own way, PostgreSQL by pg_dump; and back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from safercities.hub import options
from safercities.hub.operate import archive
from safercities.model.errors import SafercitiesError, UsageError, problem

#: libpq's variable → where Django keeps it.
_VARIABLES = {"PGDATABASE": "NAME", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGHOST": "HOST", "PGPORT": "PORT"}
_OPTIONS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def kind(database: Mapping[str, Any]) -> str:
    """`sqlite` or `postgresql`."""
    return "postgresql" if "postgresql" in str(database["ENGINE"]) else "sqlite"


def copy(database: Mapping[str, Any], folder: Path) -> tuple[Path, str]:
    """A copy as of one moment; gives the file, and its name in a backup.

    Raises
    ------
    SafercitiesError
        If the database, or the program that copies it, says no.
    """
    if kind(database) == "postgresql":
        target = folder / Path(archive.POSTGRES).name
        _run(database, "pg_dump", ["--format=custom", "--no-owner", "--no-acl", f"--file={target}"])
        return target, archive.POSTGRES
    target = folder / Path(archive.SQLITE).name
    source = Path(str(database["NAME"]))
    if not source.is_file():
        raise UsageError(problem("backup-none", file=str(source.parent)))
    try:
        _copy_sqlite(source, target)
    except sqlite3.Error as error:
        raise SafercitiesError(problem("backup-database", why=error, tool="sqlite3")) from None
    return target, archive.SQLITE


def _copy_sqlite(source: Path, target: Path) -> None:
    live = sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=20)
    with closing(live), closing(sqlite3.connect(target)) as copied:
        live.backup(copied)
        copied.execute("PRAGMA journal_mode=DELETE")  # one file, without those beside it
        found = copied.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def check_target(contents: archive.Contents, url: str) -> None:
    """Whether what is to be restored has a database to go to.

    Raises
    ------
    UsageError
        If the settings name another kind of database, or one that holds something.
    """
    if (contents.database == "postgresql") != bool(url):
        names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
        raise UsageError(problem("restore-url", kind=names[contents.database]))
    if url and _tables(parse(url)):
        raise UsageError(problem("restore-database"))


def parse(url: str) -> dict[str, Any]:
    """A database's address, as Django knows it.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    import dj_database_url

    try:
        return dict(dj_database_url.parse(url))
    except ValueError:  # its message would repeat a part of the password
        raise UsageError(problem("hub-option", why=options.WRONG_DATABASE)) from None


def _tables(database: Mapping[str, Any]) -> int:
    """How many tables there are."""
    import psycopg

    words = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    known = {word: database[name] for word, name in words.items() if database.get(name)}
    try:
        with psycopg.connect(**known, **database.get("OPTIONS", {})) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchone()
    except psycopg.Error as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SafercitiesError(problem("hub-database", why=why)) from None
    return int(row[0]) if row else 0


def load(url: str, dump: Path) -> None:
    """Fill an empty PostgreSQL database, whole or not at all.

    Raises
    ------
    SafercitiesError
        If the database, or the program that fills it, says no.
    """
    database = parse(url)
    words = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", f"--dbname={database['NAME']}"]
    _run(database, "pg_restore", [*words, str(dump)])


def tool(name: str) -> str:
    """Where a program of PostgreSQL's is: in the path, or where Debian keeps those of each version.

    Raises
    ------
    UsageError
        If it is not there.
    """
    kept = Path("/usr/lib/postgresql")
    versions = sorted((path for path in kept.glob("*") if path.name.isdecimal()), key=lambda path: -int(path.name))
    found = next((str(path / "bin" / name) for path in versions if (path / "bin" / name).exists()), None)
    found = found or shutil.which(name)
    if found is None:
        raise UsageError(problem("backup-tool", tool=name))
    return found


def _run(database: Mapping[str, Any], name: str, words: Sequence[str]) -> None:
    """Run a program of PostgreSQL's. The password goes by a variable: all see command lines."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    environ |= {key: str(database[known]) for key, known in _VARIABLES.items() if database.get(known)}
    given = database.get("OPTIONS", {})
    environ |= {variable: str(given[key]) for key, variable in _OPTIONS.items() if key in given}
    done = subprocess.run(  # noqa: S603
        [tool(name), "--no-password", *words], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise SafercitiesError(problem("backup-database", why=lines[0] if lines else "it gave no reason", tool=name))
