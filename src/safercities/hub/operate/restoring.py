"""`safercities restore`: a hub of a backup, in a new home; nothing is ever restored over something else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safercities.hub import options
from safercities.hub.operate import archive, databases, starting
from safercities.hub.operate.archive import Contents
from safercities.model.errors import Problem, UsageError, problem
from safercities.release.store import FOLDER_VARIABLE


@dataclass(frozen=True)
class Restored:
    """What was restored."""

    home: Path
    created: str
    observatories: int
    keys: bool
    problems: tuple[Problem, ...]

    def told(self) -> dict[str, object]:
        """As `--json` shows it."""
        said = {"home": str(self.home), "created": self.created, "observatories": self.observatories}
        return said | {"keys": self.keys, "problems": [str(one) for one in self.problems]}


def restore(file: Path, home: Path) -> Restored:
    """Unpack a backup, see that it is whole, and make a hub of it.

    Observatories come to lie in the home, wherever they were; their figures are made anew from the verified releases.

    Parameters
    ----------
    file
        What `back_up` wrote.
    home
        A folder that is empty, or not there.

    Raises
    ------
    SafercitiesError
        If the backup is not whole, or the home or database holds something. Nothing is restored then.
    """
    starting.require_packages()
    target = home.expanduser().absolute()
    url = os.environ.get(f"{options.PREFIX}DATABASE_URL", "")
    with _work(file, target) as work:
        contents = archive.unpack(file, work)
        databases.check_target(contents, url)
        _arrange(work, contents)
        if url:
            databases.load(url, work / archive.POSTGRES)
        shutil.rmtree(work / "database")
        if target.is_dir():
            target.rmdir()
        work.rename(target)
    problems = _settle(target, contents)
    return Restored(target, contents.created, len(contents.observatories), contents.keys, tuple(problems))


@contextmanager
def _work(file: Path, target: Path) -> Iterator[Path]:
    """A folder beside the new home, which only its user may enter."""
    if not file.is_file():
        raise UsageError(problem("file-missing", file=str(file)))
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UsageError(problem("restore-home", file=str(target)))
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.tmp-", dir=target.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _arrange(work: Path, contents: Contents) -> None:
    """Everything where the hub looks for it; of keys, nobody else may read any."""
    if contents.database == "sqlite":
        (work / archive.SQLITE).rename(work / "hub.sqlite3")
    for slug in contents.observatories:
        (work / archive.OBSERVATORIES / slug).mkdir(parents=True, exist_ok=True)
    for path in (work / archive.KEYS, *(work / archive.KEYS).rglob("*")):
        if path.exists():
            path.chmod(0o700 if path.is_dir() else 0o600)


def _settle(home: Path, contents: Contents) -> list[Problem]:
    """Bring the database to this version and to this folder, and make the figures anew."""
    if contents.keys:
        os.environ[FOLDER_VARIABLE] = str(home / archive.KEYS)
    starting.enter(home)
    starting.prepare()
    from django.db import connections, transaction

    from safercities.hub.models import Event, Observatory
    from safercities.hub.operate.registering import show

    with starting.database_errors():
        with transaction.atomic():
            for each in Observatory.objects.all():  # all: none may go on in its old folder, where another hub may run
                each.folder = str(home / archive.OBSERVATORIES / each.slug)
                each.save(update_fields=["folder"])
            Event.record("hub.restored", detail={"backup": contents.created})
        problems = show(list(Observatory.objects.all()), lambda line: None)
        connections.close_all()
    return problems
