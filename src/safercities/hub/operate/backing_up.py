"""`safercities backup`: the hub in one file, consistent, also while it runs."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from safercities import __version__, files
from safercities.federating import PRIVATE
from safercities.hub import options
from safercities.hub.operate import archive, databases, starting
from safercities.hub.operate.archive import Changing, Contents, Writer
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.release.store import FOLDER_VARIABLE

#: What outputs leave beside them while they are written: never part of the state.
_PASSING = re.compile(r"\..*\.(lock|tmp-.*)")
_TRIES = 3
#: Seconds to wait for a publication to end, and between two tries.
PATIENCE, PAUSE = 600.0, 1.0


@dataclass(frozen=True)
class BackedUp:
    """What was copied."""

    file: Path
    bytes: int
    files: int
    observatories: int
    keys: bool
    problems: tuple[Problem, ...]

    def told(self) -> dict[str, object]:
        """As `--json` shows it."""
        said = {"file": str(self.file), "bytes": self.bytes, "files": self.files, "keys": self.keys}
        return said | {"observatories": self.observatories, "problems": [str(one) for one in self.problems]}


def back_up(file: Path, *, home: Path | None = None, keys: bool = False) -> BackedUp:
    """Copy database, observatories and, where asked for, keys. The file appears whole or not at all, for its user only.

    Parameters
    ----------
    file
        What to write.
    home
        The hub's home; None: what `SAFERCITIES_HUB_HOME` says, or its default.
    keys
        Whether to copy the keys that sign releases and sessions as well.

    Raises
    ------
    SafercitiesError
        If the home holds no hub, something cannot be read, or goes on changing.
    """
    folder = starting.enter(_existing(home))
    target = file.expanduser().absolute()
    with starting.database_errors():
        observatories = _observatories()
    _refuse_inside(target, [folder, *observatories.values()])
    for left in reversed(range(_TRIES)):
        try:
            return _write(target, folder, keys)
        except Changing as error:
            if not left:
                raise SafercitiesError(problem("backup-changed", name=str(error) or "a file")) from None
            time.sleep(PAUSE)
    raise AssertionError


def _existing(home: Path | None) -> Path | None:
    """The home; one that is not there is not to be made."""
    try:
        folder = home.expanduser() if home is not None else options.read_options()["HUB_HOME"]
    except options.OptionError as error:
        raise UsageError(problem("hub-option", why=error)) from None
    if not any((folder / name).exists() for name in ("hub.sqlite3", archive.SECRET, "static")):
        raise UsageError(problem("backup-none", file=str(folder)))
    return home


def _observatories() -> dict[str, Path]:
    """Name in addresses → folder."""
    from safercities.hub.models import Observatory

    return {slug: Path(folder) for slug, folder in Observatory.objects.order_by("slug").values_list("slug", "folder")}


def _refuse_inside(target: Path, copied: list[Path]) -> None:
    for folder in copied:
        if target.resolve().is_relative_to(folder.resolve()):
            raise UsageError(problem("backup-inside", file=str(target), folder=folder))


def _write(target: Path, home: Path, keys: bool) -> BackedUp:
    """One try."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    created = datetime.now(UTC).isoformat(timespec="seconds")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.tmp-", dir=target.parent) as work:
        writer = Writer(Path(work) / "whole")
        try:
            # first: files may be newer than it, never older, and none of its observatories is missing
            writer.add(*databases.copy(database, Path(work)), mode=0o600)
            with starting.database_errors():
                observatories = _observatories()
            skipped = [each for slug, path in observatories.items() for each in _add_observatory(writer, slug, path)]
            if keys:
                skipped += _add_keys(writer, home)
            places = {slug: str(path) for slug, path in observatories.items()}
            said = Contents(created, __version__, databases.kind(database), places, keys, files=writer.files)
            writer.finish(said)
        finally:
            writer.close()
        os.replace(Path(work) / "whole", target)  # noqa: PTH105
    problems = (problem("backup-skipped", count=len(skipped), name=skipped[0]),) if skipped else ()
    return BackedUp(target, target.stat().st_size, len(writer.files), len(observatories), keys, problems)


def _add_observatory(writer: Writer, slug: str, folder: Path) -> list[str]:
    """Its files, while nothing is published; gives the names of what is no file."""
    if not folder.is_dir():
        raise SafercitiesError(problem("observatory-no-folder", file=str(folder)))
    private = folder / PRIVATE
    with _unpublished(private) if private.is_dir() and os.access(private, os.W_OK) else nullcontext():
        return _add_folder(writer, folder, f"{archive.OBSERVATORIES}/{slug}")


@contextmanager
def _unpublished(private: Path) -> Iterator[None]:
    """Hold the lock that a publication holds: releases and the private journal belong together."""
    until = time.monotonic() + PATIENCE
    while True:
        lock = files.locked(private / "publish")
        try:
            lock.__enter__()
            break
        except SafercitiesError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _add_keys(writer: Writer, home: Path) -> list[str]:
    """The keys of places, and the key of sessions and links where it is in the home."""
    if (home / archive.SECRET).is_file():
        writer.add(home / archive.SECRET, archive.SECRET, 0o600)
    folder = Path(os.environ[FOLDER_VARIABLE]).expanduser()
    return _add_folder(writer, folder, archive.KEYS, 0o600) if folder.is_dir() else []


def _add_folder(writer: Writer, folder: Path, name: str, mode: int | None = None) -> list[str]:
    """All plain files below; gives the names of links and special files, which are left out."""
    skipped = []
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not _PASSING.fullmatch(each))
        here = Path(path)
        skipped += [str(here / each) for each in folders if (here / each).is_symlink()]
        for each in sorted(names):
            one = here / each
            if _PASSING.fullmatch(each):
                continue
            if one.is_symlink() or not (one.is_file() or not one.exists()):
                skipped.append(str(one))
                continue
            writer.add(one, f"{name}/{one.relative_to(folder).as_posix()}", mode)
    return skipped
