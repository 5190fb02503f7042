"""Takes in a signed release: into quarantine, verified with the whole chain, then stored whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from safercities.files import locked, replace_folder
from safercities.hub.api.problems import ApiProblem, refused, wrong
from safercities.hub.jobs.queue import start
from safercities.hub.models import Event, Job, Observatory, Release, Token
from safercities.hub.models.shelf import put
from safercities.hub.models.tokens import Pin
from safercities.model.errors import SafercitiesError
from safercities.release.bundle import MAX_ZIP, opened
from safercities.release.chain import follow, read_chain
from safercities.release.manifest import FILES
from safercities.release.verify import Verified, open_release

_PIECE = 2**20
_ZIP = "release.zip"


def receive(request: HttpRequest, observatory: Observatory, token: Token) -> dict[str, Any]:
    """Take in the release in the body; what `schemas.Received` says.

    Raises
    ------
    ApiProblem
        If it is none, does not hold, does not follow, or something else is being done there.
    """
    if settings.TWO_PERSON or observatory.two_person:
        raise ApiProblem("two-people", "a token cannot be that second person")
    with _quarantine() as folder:
        staged = _staged(request, folder)
        pinned = identity_of(observatory)
        if pinned is None:
            raise ApiProblem("identity-unpinned", "a publisher says it on the observatory's page of releases by API")
        try:
            verified = open_release(staged, identity=pinned).verified
            return _shelve(observatory, token, staged, verified, pinned)
        except SafercitiesError as error:
            if error.problems[0].code == "output-busy":
                raise ApiProblem("busy", headers={"Retry-After": "30"}) from None
            raise refused(error) from None


def identity_of(observatory: Observatory) -> str | None:
    """Whose releases are taken: what was pinned; else whoever signed those that are here."""
    pin = Pin.objects.filter(observatory=observatory).first()
    if pin is not None:
        return pin.identity
    first = observatory.shelf.order_by("number").first()
    if first is None:
        return None
    try:
        return open_release(Path(first.folder)).verified.identity
    except (SafercitiesError, OSError):
        return None


# -- quarantine --------------------------------------------------------------------------------------------------------


@contextmanager
def _quarantine() -> Iterator[Path]:
    parent = Path(settings.FILE_UPLOAD_TEMP_DIR)
    folder = Path(tempfile.mkdtemp(prefix="release-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _staged(request: HttpRequest, folder: Path) -> Path:
    """A folder with the files of the release, under the names that a release has and no other."""
    length = request.headers.get("Content-Length", "")
    if not re.fullmatch(r"[0-9]{1,18}", length) or int(length) == 0:
        raise ApiProblem("bad-length")
    if int(length) > min(MAX_ZIP, settings.UPLOAD_MAX_BYTES):
        raise ApiProblem("too-large", f"no more than {min(MAX_ZIP, settings.UPLOAD_MAX_BYTES):,} bytes")
    kind = (request.content_type or "").lower()
    if kind == "application/zip":
        return _unpacked(_body(request, folder / _ZIP), folder)
    if kind == "multipart/form-data":
        return _form(request, folder)
    raise ApiProblem("bad-media-type", "send application/zip or multipart/form-data")


def _body(request: HttpRequest, path: Path) -> Path:
    left = min(MAX_ZIP, settings.UPLOAD_MAX_BYTES)
    with path.open("wb") as out:
        while piece := request.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise ApiProblem("too-large")
            out.write(piece)
    return path


def _form(request: HttpRequest, folder: Path) -> Path:
    """Fields are called as the files of a release, or there is one, called `release`, with the .zip."""
    given = dict(request.FILES.lists())
    for name in [*given, *request.POST]:
        if (name not in FILES and name != "release") or name in request.POST or len(given[name]) > 1:
            raise wrong(name[:60], "no such file, or it stands twice")
    if list(given) == ["release"]:
        return _unpacked(_saved(given["release"][0], folder / _ZIP, MAX_ZIP), folder)
    missing = sorted(FILES.keys() - given.keys())
    if missing or "release" in given:
        raise wrong(missing[0] if missing else "release", "send all files of the release, or one .zip")
    target = folder / "release"
    target.mkdir()
    for name, limit in FILES.items():
        _saved(given[name][0], target / name, limit)
    return target


def _saved(file: UploadedFile[Any], path: Path, limit: int) -> Path:
    if (file.size or 0) > limit:
        raise ApiProblem("too-large", f"{path.name}: no more than {limit:,} bytes")
    with path.open("wb") as out:
        for piece in file.chunks():
            out.write(piece)
    return path


def _unpacked(archive: Path, folder: Path) -> Path:
    """The files of a .zip, each within its bounds: what is no file of a release, or a link, or a bomb, is refused."""
    target = folder / "release"
    target.mkdir()
    try:
        with opened(archive) as bundle:
            for name, limit in FILES.items():
                (target / name).write_bytes(bundle.read(name, limit))
    except SafercitiesError as error:
        raise refused(error) from None
    return target


# -- the shelf ---------------------------------------------------------------------------------------------------------


def _shelve(observatory: Observatory, token: Token, staged: Path, verified: Verified, pinned: str) -> dict[str, Any]:
    releases = observatory.releases
    releases.mkdir(parents=True, exist_ok=True)
    with locked(releases / "chain"):  # the lock of whoever publishes
        chain = read_chain(releases, identity=pinned)
        created = not _is_here(chain, verified)
        if created:
            _check_place(observatory, chain, verified)
            follow(chain, verified, releases)
            _store(staged, _place(releases, verified))
        return _remembered(observatory, token, verified, created)


def _check_place(observatory: Observatory, chain: list[Verified], verified: Verified) -> None:
    """Refuse a release of another place: who signs for several must not have their numbers mixed up."""
    place = chain[-1].manifest.observatory.place if chain else observatory.place_id
    found = verified.manifest.observatory.place
    if found != place:
        raise ApiProblem("release-refused", f"it is of the place {found}; here are releases of {place}")


def _is_here(chain: list[Verified], verified: Verified) -> bool:
    """Whether the chain has this release; refused where it has another one in its place, or not those before."""
    if verified.number > len(chain) + 1:
        raise ApiProblem("release-gap", f"the next one is number {len(chain) + 1}")
    if verified.number == len(chain) + 1:
        return False
    if chain[verified.number - 1].id != verified.id:
        raise ApiProblem("release-differs", f"number {verified.number} is here already, with other content")
    return True


def _place(releases: Path, verified: Verified) -> Path:
    """Its folder, where nothing is yet."""
    target = _stored(releases, verified)
    if target.exists() or target.is_symlink():
        raise ApiProblem("busy", "there is something else in its place")
    return target


def _store(staged: Path, target: Path) -> None:
    with replace_folder(target) as folder:
        for name in FILES:
            shutil.copyfile(staged / name, folder / name)


def _remembered(observatory: Observatory, token: Token, verified: Verified, created: bool) -> dict[str, Any]:
    """Write it down, and have it shown and then announced, by a job.

    Also where it was here already: what was killed in between goes on here.
    """
    known = Release.objects.filter(observatory=observatory, identity=verified.id).exists()
    job = None
    if created or not known:  # a job that ran just now may have seen the files, and know it
        with transaction.atomic():
            _write_down(observatory, token, verified)
            job = start_job(observatory, token)
    return {"number": verified.number, "identity": verified.id, "created": created, "job": job}


def _write_down(observatory: Observatory, token: Token, verified: Verified) -> None:
    put(observatory, verified, _stored(observatory.releases, verified), received=timezone.now())
    Event.record(
        "release.received",
        actor=token.user,
        observatory=observatory,
        object=verified.id,
        detail={"number": verified.number, "token": token.prefix},
    )


def _stored(releases: Path, verified: Verified) -> Path:
    """Its folder, as publishing calls it. Periods hold digits, `-`, `/` and letters; nothing else is let in."""
    period = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in verified.manifest.period)
    return releases / f"{period}-{verified.number}"


def start_job(observatory: Observatory, token: Token) -> str:
    """Have the pages show it; the id of the job."""
    return str(start(observatory, Job.Kind.FIGURES, by=token.user).pk)
