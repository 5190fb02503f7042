"""The files of a release wherever they are, a folder or a .zip: read once, within bounds, by names that we know."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

from safercities.model.errors import SafercitiesError, problem
from safercities.release.manifest import FILES

#: Bytes of a .zip, and of the list of what is in it: a release has eight files.
MAX_ZIP = 1024 * 2**20
MAX_DIRECTORY = 16_384
#: How many times its packed size a file may have, once it has more than `FREE` bytes.
MAX_RATIO = 200
FREE = 16 * 2**20
_CHUNK = 2**20
#: What the standard library raises for archives that are damaged, or lie; OSError where an offset lies before the file.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError, ValueError, OSError)
_END = 22  # bytes of a zip's last record, where there is no comment


class Bundle(Protocol):
    """Where the files of one release are."""

    name: str

    def read(self, file: str, limit: int) -> bytes:
        """All bytes of one file; refused beyond `limit`."""
        ...


@contextmanager
def opened(path: Path) -> Iterator[Bundle]:
    """The files of a release, if they are exactly those that a release has.

    Raises
    ------
    SafercitiesError
        If there is none, files are missing or added, or are links; if the archive is damaged or a trap.
    """
    if path.is_symlink():
        raise SafercitiesError(problem("release-link", file=str(path)))
    if path.is_dir():
        yield _Folder(path)
    elif path.is_file() and path.suffix.lower() == ".zip":
        _check_end(path)
        with _unpacking(path.name):
            archive = zipfile.ZipFile(path)
        with archive:
            yield _Zip(archive, path.name)
    else:
        raise SafercitiesError(problem("release-none", file=str(path)))


class _Folder:
    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        with os.scandir(path) as entries:
            names = {entry.name for entry in islice(entries, len(FILES) + 1)}
        _check_names(names, self.name)

    def read(self, file: str, limit: int) -> bytes:
        path = self._path / file
        # neither a link nor a pipe may lead elsewhere or hold us up, even if it is put there right now
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise SafercitiesError(problem("release-link", file=f"{self.name}/{file}"))
        with os.fdopen(os.open(path, flags), "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise SafercitiesError(problem("release-link", file=f"{self.name}/{file}"))
            data = _pieces(handle, limit)
        _check_length(data, limit, f"{self.name}/{file}")
        return data


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._archive = archive
        self._members = _members(archive, name)
        _check_names(set(self._members), name)

    def read(self, file: str, limit: int) -> bytes:
        member = self._members[file]
        # the size that an archive declares may lie: what comes out is counted
        most = max(FREE, MAX_RATIO * member.compress_size)
        with _unpacking(self.name), self._archive.open(member) as stream:
            data = _pieces(stream, min(limit, most))
        _check_length(data, limit, f"{self.name}/{file}")
        if len(data) > most:
            raise SafercitiesError(problem("archive-bomb", file=self.name, size=f"{len(data) / 2**20:.0f} MB"))
        return data


def _pieces(stream: IO[bytes], limit: int) -> bytes:
    """All that comes, and at most one byte more than the limit; in pieces: no more memory than there are bytes."""
    parts: list[bytes] = []
    left = limit + 1
    while left and (part := stream.read(min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _check_length(data: bytes, limit: int, name: str) -> None:
    if len(data) > limit:
        raise SafercitiesError(problem("release-large", file=name, limit=f"{limit:,} bytes"))


def _check_names(found: set[str], name: str) -> None:
    if FILES.keys().isdisjoint(found):
        raise SafercitiesError(problem("release-none", file=name))
    for extra in sorted(found - FILES.keys()):
        raise SafercitiesError(problem("release-file-extra", file=f"{name}/{extra[:80]}"))
    for missing in sorted(FILES.keys() - found):
        raise SafercitiesError(problem("release-file-missing", file=f"{name}/{missing}"))


@contextmanager
def _unpacking(name: str) -> Iterator[None]:
    """What the standard library says of damaged archives, in our words."""
    try:
        yield
    except _BROKEN as error:
        raise SafercitiesError(problem("archive-broken", file=name, message=str(error))) from None


def _check_end(path: Path) -> None:
    """The list of what is in it must be short, before anything is made of it: one zip can list millions of files.

    Source: PKWARE, APPNOTE.TXT, 4.3.16, end of central directory record.
    """
    size = path.stat().st_size
    if size > MAX_ZIP:
        raise SafercitiesError(problem("release-large", file=path.name, limit=f"{MAX_ZIP:,} bytes"))
    with path.open("rb") as handle:
        handle.seek(max(size - _END - 20, 0))
        tail = handle.read()
    end = tail[-_END:]
    message = ""
    if len(end) < _END or end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        message = "it is no zip, was cut off, or has a comment"
    elif tail[:4] == b"PK\x06\x07":
        message = "it is of the kind for huge files (zip64)"
    elif int.from_bytes(end[12:16], "little") > MAX_DIRECTORY:
        message = "it lists too many files"
    if message:
        raise SafercitiesError(problem("release-zip", file=path.name, message=message))


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """File name → member. The files may lie in one folder of the archive, whatever it is called."""
    files = [item for item in archive.infolist() if not item.is_dir()]
    folder = files[0].filename.rpartition("/")[0] if files else ""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, zipfile.ZipInfo] = {}
    for item in archive.infolist():
        inner = item.filename.removeprefix(prefix)
        outside = not item.filename.startswith(prefix) or "/" in inner or "\\" in inner
        odd_folder = "/" in folder or "\\" in folder or folder in (".", "..") or ":" in item.filename
        if item.is_dir() and item.filename == prefix and not odd_folder:
            continue
        if outside or odd_folder or inner in found or item.filename.startswith("/") or item.is_dir():
            raise SafercitiesError(problem("archive-unsafe", file=name, member=item.filename[:80]))
        _check_member(item, name)
        found[inner] = item
    return found


def _check_member(item: zipfile.ZipInfo, name: str) -> None:
    if item.flag_bits & 0x1:
        raise SafercitiesError(problem("archive-encrypted", file=name))
    kind = stat.S_IFMT(item.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise SafercitiesError(problem("release-link", file=f"{name}/{item.filename[:80]}"))
    if item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SafercitiesError(problem("release-zip", file=name, message="it is packed in an unusual way"))
