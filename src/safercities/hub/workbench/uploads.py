"""Files that people bring: received into quarantine, looked at, and only then put among an observatory's inputs."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from safercities.collect.archive import MAX_UNPACKED, check_list, opened
from safercities.collect.workbook import MAX_WORKBOOK
from safercities.hub import texts
from safercities.hub.jobs.leftovers import BROUGHT
from safercities.hub.models import Event, Observatory, Upload, User
from safercities.model.errors import SafercitiesError
from safercities.model.printable import one_line

INPUTS = "inputs"
#: So many times the largest file may all files of an observatory take, those that were replaced among them.
QUOTA_FILES = 20
#: Files in a zip.
MOST_MEMBERS = 100
_TEXT = (".csv", ".tsv", ".tab", ".txt")
_STATA = tuple(bytes([version]) for version in (0x6E, 0x6F, 0x71, 0x72, 0x73, 0x75, 0x76, 0x77, 0x78, 0x79))
#: How files of each ending begin. Text has no mark: there it is what must not be.
_BEGINS: dict[str, tuple[bytes, ...]] = {
    ".xlsx": (b"PK\x03\x04",),
    ".xlsm": (b"PK\x03\x04",),
    ".zip": (b"PK\x03\x04",),
    ".gz": (b"\x1f\x8b",),
    ".parquet": (b"PAR1",),
    ".pq": (b"PAR1",),
    ".geoparquet": (b"PAR1",),
    ".gpkg": (b"SQLite format 3\0",),
    ".fgb": (b"fgb",),
    ".shp": (b"\0\0\x27\x0a",),
    ".json": (b"{",),
    ".geojson": (b"{",),
    ".sav": (b"$FL2", b"$FL3"),
    ".zsav": (b"$FL3",),
    ".dta": (b"<stata_dta>", *_STATA),
}
_FOREIGN = (b"PK\x03\x04", b"%PDF", b"MZ", b"\x7fELF", b"\x1f\x8b", b"SQLite format 3", b"PAR1", b"\xd0\xcf\x11\xe0")
#: Endings that are taken. A shapefile comes in a zip, with the files that belong to it.
ENDINGS = tuple(ending for ending in (*_TEXT, *_BEGINS) if ending != ".shp")
DATA = tuple(ending for ending in (*_TEXT, *_BEGINS) if ending not in (".zip", ".gz"))


class RefusedError(Exception):
    """A file that is not taken; says why, for whoever brought it."""


class Received(UploadedFile):  # type: ignore[type-arg]  # it is no generic when it runs
    """A file in quarantine: where it is, and the hash of what came."""

    name: str
    size: int

    def __init__(self, path: Path, name: str, size: int, sha256: str, refused: str) -> None:
        super().__init__(file=None, name=name, size=size)
        self.path, self.sha256, self.refused = path, sha256, refused

    def close(self) -> None:
        """Nothing is open: the file is read from its path."""


class Quarantine(FileUploadHandler):
    """Writes what comes to HOME/uploads in pieces, hashes it on the way, and stops writing where it is too much."""

    chunk_size = 2**20

    def __init__(self, request: Any = None, room: int | None = None) -> None:
        """`room`: bytes that may come in all; more is read and forgotten, so that nobody fills the disk."""
        super().__init__(request)
        self.room, self.came = room, 0
        self.folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
        self.paths: list[Path] = []
        self.out: IO[bytes] | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A part begins."""
        super().new_file(*args, **kwargs)
        self._close()
        path = self.folder / f"{BROUGHT}{secrets.token_hex(16)}{ending_of(self.file_name or '')}"
        self.paths.append(path)
        self.out = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self.hash, self.size, self.refused = hashlib.sha256(), 0, ""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """A piece comes; after the limit the rest is read and forgotten, so that the answer can be given."""
        self.size += len(raw_data)
        self.came += len(raw_data)
        if self.room is not None and self.came > self.room:
            self.refused = _full()
        if self.size > settings.UPLOAD_MAX_BYTES:
            self.refused = _("It is larger than %(most)s MB.") % {"most": settings.UPLOAD_MAX_BYTES // 2**20}
        if self.refused or self.out is None:
            return
        try:
            self.out.write(raw_data)
        except OSError:
            self.refused = _("There is no room left for it on the hub’s disk.")
        self.hash.update(raw_data)

    def file_complete(self, file_size: int) -> Received:
        """The part is whole."""
        self._close()
        name = one_line(PurePath(self.file_name or "").name)[:255] or "?"
        return Received(self.paths[-1], name, self.size, self.hash.hexdigest(), self.refused)

    def clear(self) -> None:
        """Take away what was not taken over."""
        self._close()
        for path in self.paths:
            path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self.out is not None:
            with suppress(OSError):
                self.out.close()
        self.out = None


def ending_of(name: str) -> str:
    """Ending of a name, if it is one that we take: `.csv`, `.csv.gz`; else empty. It is all that is kept of a name.

    Examples
    --------
    >>> ending_of("Homicidios.CSV"), ending_of("a.csv.gz"), ending_of("a.php"), ending_of("../x.php.gz")
    ('.csv', '.csv.gz', '', '')
    """
    path = PurePath(name.lower())
    if path.suffix == ".gz":
        inner = PurePath(path.stem).suffix
        return f"{inner}.gz" if inner in DATA else ""
    return path.suffix if path.suffix in ENDINGS else ""


# -- looking at a file -------------------------------------------------------------------------------------------------


def inspect(received: Received) -> None:
    """Refuse what is no file of the kind that its name says, and archives that are meant to do harm.

    Raises
    ------
    RefusedError
        Saying why.
    """
    if received.refused:
        raise RefusedError(received.refused)
    ending = ending_of(received.name)
    if not ending:
        raise RefusedError(_("Its ending is none of those that can be read: %(list)s.") % {"list": ", ".join(ENDINGS)})
    if not received.size:
        raise RefusedError(_("It is empty."))
    try:
        _inspect(received.path, f".{ending.rpartition('.')[2]}")
    except SafercitiesError as error:
        raise RefusedError(texts.said(error.problems[0]).what) from None
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        raise RefusedError(_("It is damaged, or no file of the kind that its ending says.")) from None


def _inspect(path: Path, suffix: str) -> None:
    _check_beginning(path, suffix)
    if suffix in (".xlsx", ".xlsm"):
        _check_workbook(path)
    elif suffix == ".gz":
        with opened(path.name, path.parent) as inner:
            _check_beginning(inner.path, inner.suffix)
    elif suffix == ".zip":
        for member in members(path):
            with opened(f"{path.name}/{member}", path.parent) as inner:
                if inner.suffix in DATA:
                    _inspect(inner.path, inner.suffix)


def members(path: Path) -> Iterator[str]:
    """Names in a zip, without folders, empty files and what operating systems add.

    Raises
    ------
    RefusedError
        If there are too many, or they say that they unpack to too much.
    """
    check_list(path, path.name)
    with zipfile.ZipFile(path) as archive:
        found = [item for item in archive.infolist() if not item.is_dir()]
    if len(found) > MOST_MEMBERS:
        raise RefusedError(_("It holds more than %(most)s files.") % {"most": MOST_MEMBERS})
    if sum(item.file_size for item in found) > MAX_UNPACKED:
        raise RefusedError(_("It unpacks to too much."))
    hidden = ("__MACOSX", ".")
    return (i.filename for i in found if i.file_size and not any(p.startswith(hidden) for p in _parts(i.filename)))


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part != ".."]


def _check_beginning(path: Path, suffix: str) -> None:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if suffix in (".json", ".geojson"):
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    begins = _BEGINS.get(suffix)
    wrong = not head.startswith(begins) if begins else head.startswith(_FOREIGN)
    if wrong:
        raise RefusedError(_("What it holds is not what its ending %(ending)s says.") % {"ending": suffix})


def _check_workbook(path: Path) -> None:
    check_list(path, path.name)
    with zipfile.ZipFile(path) as archive:
        size = sum(item.file_size for item in archive.infolist())
        names = archive.namelist()
    if size > MAX_WORKBOOK:
        raise RefusedError(_("It unpacks to too much."))
    if "[Content_Types].xml" not in names:
        raise RefusedError(_("It is a zip file, but no workbook."))


# -- keeping it --------------------------------------------------------------------------------------------------------


def store(observatory: Observatory, received: Received, by: User) -> Upload:
    """Put a file that was looked at among the inputs, under a name of ours.

    Raises
    ------
    RefusedError
        If it is there already, or there is no room for it.
    """
    folder = observatory.path / INPUTS
    if folder.is_symlink():
        raise RefusedError(_("The folder of its inputs is a link."))
    folder.mkdir(mode=0o700, exist_ok=True)
    stored = f"{INPUTS}/{received.sha256[:20]}{ending_of(received.name)}"
    with transaction.atomic():
        Observatory.objects.select_for_update().get(pk=observatory.pk)  # one at a time: the sum has to hold
        _refuse_known(observatory, stored)
        if received.size > room(observatory):
            raise RefusedError(_full())
        upload = Upload.objects.create(
            observatory=observatory,
            name=received.name,
            stored=stored,
            sha256=received.sha256,
            size=received.size,
            by=by,
        )
        detail = {"sha256": received.sha256, "size": received.size}
        Event.record("file.uploaded", actor=by, observatory=observatory, object=str(upload.pk), detail=detail)
        _place(received.path, observatory.path / stored)
    return upload


def room(observatory: Observatory) -> int:
    """Bytes that may still be brought there."""
    taken = observatory.uploads.aggregate(all=Sum("size"))["all"] or 0
    return max(0, QUOTA_FILES * settings.UPLOAD_MAX_BYTES - taken)


def _full() -> str:
    return _("There is no room left: the files of this observatory have reached their limit.")


def _refuse_known(observatory: Observatory, stored: str) -> None:
    known = observatory.uploads.filter(stored=stored).first()
    if known is not None:
        raise RefusedError(_("The same file is here already, as “%(name)s”.") % {"name": known.name})


def _place(path: Path, target: Path) -> None:
    """Move a file, whole or not at all, to another disk as well."""
    try:
        path.replace(target)
    except OSError:
        beside = target.with_name(f".new-{secrets.token_hex(8)}")
        try:
            shutil.copyfile(path, beside)
            beside.chmod(0o600)
            beside.replace(target)
        except OSError:
            beside.unlink(missing_ok=True)
            raise RefusedError(_("There is no room left for it on the hub’s disk.")) from None
