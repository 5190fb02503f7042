"""Find the file that a source names: in the observatory folder, or in a `.zip` or `.gz` there, within bounds."""

from __future__ import annotations

import gzip
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from safercities.model.errors import SafercitiesError, problem

#: Bytes that an archive may unpack to, and how many times its own size once it unpacks to more than `FREE_UNPACKED`.
MAX_UNPACKED = 16 * 2**30
FREE_UNPACKED = 128 * 2**20
MAX_RATIO = 200
#: Bytes of memory that the values of any file may take; more, as in archives, only in proportion to its size.
FREE_MEMORY = 2**30
#: Bytes of an archive's list of members: each becomes ten times as much in memory.
MAX_LIST = 2**24
_CHUNK = 2**20
#: What the standard library raises for archives that are cut off, damaged, or packed in a way that it does not know.
_BROKEN = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OverflowError,
)
_ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".zst")
_SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg")


class UnpacksToMuchError(Exception):
    """A file whose values take more than they may; `size` says how many bytes were counted."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def memory_for(path: Path) -> int:
    """Bytes of memory that the values of a file may take."""
    return max(FREE_MEMORY, min(MAX_UNPACKED, MAX_RATIO * path.stat().st_size))


@dataclass(frozen=True)
class Opened:
    """A file ready to be read: where it is now, its name for people, and its ending (of the inner file)."""

    path: Path
    name: str
    suffix: str


@contextmanager
def opened(name: str, base: Path) -> Iterator[Opened]:
    """Give the file that `name` means, for as long as the context lasts.

    A member of an archive is copied to a temporary file with a name of our own, within `MAX_UNPACKED` and `MAX_RATIO`.

    Parameters
    ----------
    name
        Relative to `base`; `a.zip/inner.csv` names a file in a zip. A zip with one file needs no inner name.

    Raises
    ------
    SafercitiesError
        If the file lies outside the folder, is missing, empty, an unsafe or broken archive, or the name is not enough.
    """
    path, inner = _split(name, base)
    if path.stat().st_size == 0:
        raise SafercitiesError(problem("file-empty", file=name))
    suffix = path.suffix.lower()
    if suffix not in (".zip", ".gz"):
        yield Opened(path, name, suffix)
        return
    with tempfile.TemporaryDirectory(prefix="safercities-") as folder:
        try:
            yield (_unzip if suffix == ".zip" else _gunzip)(path, inner, name, Path(folder))
        except _BROKEN as error:
            raise SafercitiesError(problem("archive-broken", file=name, message=str(error))) from None


def _split(name: str, base: Path) -> tuple[Path, str]:
    """The file on disk and the name of the member in it."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or PureWindowsPath(name).drive
    if not parts or absolute or ".." in parts:
        raise SafercitiesError(problem("file-outside", file=name))
    for end in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:end])
        inner = "/".join(parts[end:])
        if path.is_file() and (not inner or path.suffix.lower() == ".zip"):
            if not path.resolve().is_relative_to(base.resolve()):
                raise SafercitiesError(problem("file-outside", file=name))
            return path, inner
    if base.joinpath(*parts).is_dir():
        raise SafercitiesError(problem("file-folder", file=name))
    raise SafercitiesError(problem("file-missing", file=name))


def _gunzip(path: Path, inner: str, name: str, folder: Path) -> Opened:
    del inner
    stem = Path(path.stem)
    _refuse_nested(str(stem), name)
    target = folder / f"data{stem.suffix.lower()}"
    with gzip.open(path) as stream:
        _copy(stream, target, path.stat().st_size, name)
    return Opened(target, name, stem.suffix.lower())


def _unzip(path: Path, inner: str, name: str, folder: Path) -> Opened:
    check_list(path, name)
    with zipfile.ZipFile(path) as archive:
        members = [item for item in archive.infolist() if not item.is_dir()]
        _refuse_tricks(members, name)
        member = _chosen([item for item in members if not _hidden(item.filename)], inner, name)
        _refuse_nested(member.filename, name)
        suffix = PurePosixPath(member.filename).suffix.lower()
        family = [member] if suffix != ".shp" else _siblings(members, member)
        for item in family:
            if item.flag_bits & 0x1:
                raise SafercitiesError(problem("archive-encrypted", file=name))
            target = folder / f"data{PurePosixPath(item.filename).suffix.lower()}"
            with archive.open(item) as stream:
                _copy(stream, target, max(item.compress_size, 1), name)
    return Opened(folder / f"data{suffix}", name, suffix)


def check_list(path: Path, name: str) -> None:
    """Refuse a zip that lists very many members, before the list is read.

    Raises
    ------
    SafercitiesError
        If it does.
    """
    with path.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]  # where zipfile will look, and nowhere else
    if end and end[zipfile._ECD_SIZE] > MAX_LIST:  # type: ignore[attr-defined]
        raise SafercitiesError(problem("archive-broken", file=name, message="it lists too many files"))


def _hidden(member: str) -> bool:
    """Whether a member is what operating systems add by themselves."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member).parts)


def _refuse_tricks(members: list[zipfile.ZipInfo], name: str) -> None:
    """Members that point outside the archive, or share a name, mean that somebody wants us to be mistaken."""
    seen: set[str] = set()
    for item in members:
        member = item.filename.replace("\\", "/")
        parts = PurePosixPath(member).parts
        if member.startswith("/") or ".." in parts or PureWindowsPath(member).drive or member in seen:
            raise SafercitiesError(problem("archive-unsafe", file=name, member=member[:80]))
        seen.add(member)


def _refuse_nested(member: str, name: str) -> None:
    if PurePosixPath(member).suffix.lower() in _ARCHIVES:
        raise SafercitiesError(problem("archive-nested", file=name, member=member[:80]))


def _chosen(members: list[zipfile.ZipInfo], inner: str, name: str) -> zipfile.ZipInfo:
    """The member that is meant: the named one, the only one, or the only shapefile."""
    names = ", ".join(sorted(item.filename for item in members)[:20]) or "nothing"
    if inner:
        found = [item for item in members if item.filename == inner]
        if not found:
            raise SafercitiesError(problem("archive-member-missing", file=name, member=inner, members=names))
        return found[0]
    shapes = [item for item in members if item.filename.lower().endswith(".shp")]
    candidates = shapes or members
    if len(candidates) != 1:
        raise SafercitiesError(problem("archive-several", file=name, members=names))
    return candidates[0]


def _siblings(members: list[zipfile.ZipInfo], shape: zipfile.ZipInfo) -> list[zipfile.ZipInfo]:
    stem = shape.filename[:-4].lower()
    return [i for i in members if i.filename[:-4].lower() == stem and i.filename[-4:].lower() in _SHAPEFILE]


def _piece(stream: IO[bytes] | gzip.GzipFile, name: str) -> bytes:
    """The next bytes of a member; bzip2 says of a damaged one no more than OSError."""
    try:
        return stream.read(_CHUNK)
    except OSError as error:
        raise SafercitiesError(problem("archive-broken", file=name, message=str(error))) from None


def _copy(stream: IO[bytes] | gzip.GzipFile, target: Path, packed: int, name: str) -> None:
    """Unpack into `target`, counting what really comes out: the sizes that an archive declares may lie."""
    total = 0
    with target.open("wb") as out:
        while chunk := _piece(stream, name):
            total += len(chunk)
            if total > MAX_UNPACKED or (total > FREE_UNPACKED and total > MAX_RATIO * packed):
                raise SafercitiesError(problem("archive-bomb", file=name, size=f"{total / 2**20:.0f} MB"))
            out.write(chunk)
    if total == 0:
        raise SafercitiesError(problem("file-empty", file=name))
