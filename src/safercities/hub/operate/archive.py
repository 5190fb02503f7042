"""The form of a backup: a .tar.gz of plain files, and last in it the list of their hashes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from safercities.model.errors import SafercitiesError, problem

FORMAT = 1
LIST = "backup.json"
SQLITE, POSTGRES = "database/hub.sqlite3", "database/hub.dump"
OBSERVATORIES, KEYS, SECRET = "observatories", "keys", "secret.key"
_LONGEST_LIST = 256 * 1024 * 1024
#: What a file that is no archive, or an archive with impossible names, brings up.
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, NotADirectoryError, IsADirectoryError)
#: Names of observatories in addresses: they become names of folders.
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class Contents:
    """What a backup says of itself."""

    created: str
    version: str
    database: str  # "sqlite" or "postgresql"
    observatories: dict[str, str]  # name in addresses → the folder where it was
    keys: bool
    format: int = FORMAT
    files: dict[str, tuple[int, str]] = field(default_factory=dict)  # name → bytes, SHA-256


class Changing(Exception):
    """A file changed or went while it was read."""


class _Reader(io.RawIOBase):
    """Reads so many bytes of a file, and hashes them."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left, self.hash = file, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(self.left if size < 0 else min(size, self.left))
        if not data and self.left:
            raise Changing
        self.left -= len(data)
        self.hash.update(data)
        return data


class Writer:
    """Writes the archive, file by file."""

    def __init__(self, target: Path) -> None:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz", compresslevel=6)  # noqa: SIM115 (closed by `finish`)
        self.files: dict[str, tuple[int, str]] = {}

    def add(self, path: Path, name: str, mode: int | None = None) -> None:
        """Add a file.

        Raises
        ------
        Changing
            If it changed or went while it was read: the archive is good for nothing then.
        """
        try:
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                info = tarfile.TarInfo(name)
                info.size, info.mtime = before.st_size, int(before.st_mtime)
                info.mode = mode if mode is not None else before.st_mode & 0o755
                reader = _Reader(file, before.st_size)
                self._tar.addfile(info, reader)
                after = os.fstat(file.fileno())
        except FileNotFoundError:
            raise Changing(name) from None
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise Changing(name)
        self.files[name] = (before.st_size, reader.hash.hexdigest())

    def finish(self, contents: Contents) -> None:
        """Write the list, and have all of it on disk."""
        data = json.dumps(asdict(contents), ensure_ascii=False, indent=1).encode()
        info = tarfile.TarInfo(LIST)
        info.size, info.mode = len(data), 0o600
        self._tar.addfile(info, io.BytesIO(data))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Leave it as it is."""
        self._file.close()


def unpack(archive: Path, folder: Path) -> Contents:
    """Unpack a backup into an empty folder, and see that it is whole: what its list names, and nothing else.

    Raises
    ------
    SafercitiesError
        If it is no backup, is damaged or cut short, holds something else than files in their places, or has no room.
    """
    try:
        found = dict(_extracted(archive, folder))
        contents = _listed(archive, folder, found.pop(LIST, None))
    except _BROKEN as error:
        raise _broken(archive, f"it cannot be read ({type(error).__name__})") from None
    if found != contents.files:
        wrong = sorted(found.items() ^ contents.files.items())
        raise _broken(archive, f"{wrong[0][0]} is not as its list says")
    (folder / LIST).unlink()
    return contents


def _extracted(archive: Path, folder: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name, size and hash of each file, once it lies in the folder."""
    seen: set[str] = set()
    free = shutil.disk_usage(folder).free
    with tarfile.open(archive, mode="r:gz") as tar:
        for member in tar:
            if not member.isreg() or member.name in seen or not _in_place(member.name):
                raise _broken(archive, f"{member.name[:100]!r} has no place in it")
            seen.add(member.name)
            free -= member.size
            if free < 0:
                need = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) + member.size
                there = shutil.disk_usage(folder).free // 2**20
                raise SafercitiesError(problem("backup-full", file=str(archive), need=need // 2**20, there=there))
            tar.extract(member, folder, filter="data")
            with (folder / member.name).open("rb") as file:
                yield member.name, (member.size, hashlib.file_digest(file, "sha256").hexdigest())


def _in_place(name: str) -> bool:
    """Whether a backup may hold a file of this name."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and str(path) == name and "\\" not in name
    depth = {OBSERVATORIES: 3, KEYS: 2}.get(path.parts[0], 0) if path.parts else 0
    return plain and (name in (LIST, SQLITE, POSTGRES, SECRET) or (depth > 0 and len(path.parts) >= depth))


def _listed(archive: Path, folder: Path, there: object) -> Contents:
    path = folder / LIST
    if there is None or path.stat().st_size > _LONGEST_LIST:
        raise _broken(archive, "it has no list of its files: it was cut short, or is something else")
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise SafercitiesError(problem("backup-newer", file=str(archive), version=str(said.get("version"))[:40]))
        files = {str(name): (int(size), str(sha)) for name, (size, sha) in said["files"].items()}
        places = {str(slug): str(where) for slug, where in said["observatories"].items()}
        if not all(map(_SLUG.fullmatch, places)):
            raise ValueError
        contents = Contents(**{**said, "files": files, "observatories": places})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _broken(archive, "the list of its files cannot be read") from None
    wanted = {"sqlite": SQLITE, "postgresql": POSTGRES}.get(contents.database)
    if wanted not in files:
        raise _broken(archive, "it holds no database")
    return contents


def _broken(archive: Path, why: str) -> SafercitiesError:
    return SafercitiesError(problem("backup-broken", file=str(archive), why=why))
