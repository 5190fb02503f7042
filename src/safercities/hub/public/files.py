"""Gives out the files of releases: by the names that every release has and no other, whole or in part."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from safercities.hub.access import Right, find, need
from safercities.hub.models import Observatory, Release
from safercities.release.keys import read_ledger
from safercities.release.manifest import FILE, FILES, SIGNATURE, Manifest, read_manifest, release_id

TYPES = {
    "README.md": "text/markdown; charset=utf-8",
    "data.csv": "text/csv; charset=utf-8",
    "estimates.parquet": "application/vnd.apache.parquet",
    "keys.json": "application/json",
    "structure.xml": "application/xml",
    "tables.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FILE: "application/json",
    SIGNATURE: "application/octet-stream",
}
_CHUNK = 2**18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def manifest(release: Release) -> Manifest:
    """The manifest of a release, if it is still the one that was verified.

    Raises
    ------
    Http404
        If it is gone or is another one: nothing is given out that was not verified.
    """
    data = _bytes(release, FILE)
    if release_id(data) != release.identity:
        raise Http404  # the shelf is behind the disk, or somebody meddled: either way it was not verified
    return read_manifest(data)


def identity(release: Release) -> str:
    """Fingerprint of the root key that vouches for a release's key: who publishes."""
    return str(read_ledger(_bytes(release, "keys.json")).identity)


def _bytes(release: Release, name: str) -> bytes:
    with ExitStack() as stack:
        stream, length = _opened(stack, release, name)
        return stream.read(length)


def _opened(stack: ExitStack, release: Release, name: str) -> tuple[IO[bytes], int]:
    """A file of a release, in its folder or .zip, and its length; never through a link."""
    if name not in FILES:
        raise Http404
    path = Path(release.folder)
    if path.suffix.lower() == ".zip" and path.is_file() and not path.is_symlink():
        archive = stack.enter_context(zipfile.ZipFile(path))
        try:
            member = _member(archive, name)
        except KeyError:
            raise Http404 from None
        return stack.enter_context(archive.open(member)), min(member.file_size, FILES[name])
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        stream = stack.enter_context(os.fdopen(os.open(path / name, flags), "rb"))
    except OSError:
        raise Http404 from None
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size > FILES[name]:
        raise Http404
    return stream, found.st_size


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The member of that name: at the top, or in the one folder that the archive holds."""
    fitting = [one for one in archive.infolist() if one.filename.rpartition("/")[2] == name and not one.is_dir()]
    if len(fitting) != 1 or fitting[0].filename.count("/") > 1:
        raise KeyError(name)
    return fitting[0]


@require_safe
@need(Right.SEE_RELEASES)
def release_file(request: HttpRequest, *, observatory: Observatory, number: int, name: str) -> HttpResponseBase:
    """`/o/<slug>/releases/<number>/<name>`: one file, as an attachment; answers Range, so Parquet is read in parts."""
    if name not in FILES:
        raise Http404
    release = find(Release, observatory, number=number)
    said = manifest(release)
    stack = ExitStack()
    stream, length = _opened(stack, release, name)
    if name in said.files and said.files[name].bytes != length:
        stack.close()
        raise Http404
    tag = f'"{said.files[name].sha256 if name in said.files else f"{release.identity}-{name}"}"'
    return _answer(request, stack, stream, length, name, tag)


def _answer(
    request: HttpRequest, stack: ExitStack, stream: IO[bytes], length: int, name: str, tag: str
) -> HttpResponseBase:
    response: HttpResponseBase
    if tag in parse_etags(request.headers.get("If-None-Match", "")):
        response = HttpResponse(status=304)
    else:
        part = _part(request, length, tag)
        if part is None:
            response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{length}"})
        else:
            response = _streamed(request, stack, stream, part, length)
    if not isinstance(response, StreamingHttpResponse):
        stack.close()
    if response.status_code in (200, 206):
        response.headers["Content-Type"] = TYPES[name]
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    for header, text in {"Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "no-cache"}.items():
        response.headers[header] = text
    patch_vary_headers(response, ("Cookie",))
    return response


def _part(request: HttpRequest, length: int, tag: str) -> tuple[int, int] | None:
    """First byte and how many; None where the range lies outside. What is not understood is answered with all."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if asked is None or asked.groups() == ("", "") or request.headers.get("If-Range", tag) != tag:
        return 0, length
    first, last = asked.groups()
    if len(first) > 15 or len(last) > 15:
        return None
    if not first:
        many = min(int(last), length)
        return (length - many, many) if many else None
    begin, end = int(first), min(int(last) if last else length - 1, length - 1)
    if last and int(last) < begin:
        return 0, length  # no range at all (RFC 9110, 14.1.1)
    return (begin, end - begin + 1) if begin < length else None


def _streamed(
    request: HttpRequest, stack: ExitStack, stream: IO[bytes], part: tuple[int, int], length: int
) -> HttpResponseBase:
    begin, many = part
    stream.seek(begin)
    response: HttpResponseBase
    if request.method == "HEAD":
        response = HttpResponse()
    else:
        response = StreamingHttpResponse(_pieces(stream, many))
        response._resource_closers.append(stack.close)  # type: ignore[attr-defined]  # as FileResponse does
    response.headers["Content-Length"] = str(many)
    if "Range" in request.headers and many < length:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {begin}-{begin + many - 1}/{length}"
    return response


def _pieces(stream: IO[bytes], many: int) -> Iterator[bytes]:
    while many and (part := stream.read(min(many, _CHUNK))):
        many -= len(part)
        yield part


# -- the whole of a release --------------------------------------------------------------------------------------------


@require_safe
@need(Right.SEE_RELEASES)
def release_zip(request: HttpRequest, *, observatory: Observatory, number: int) -> HttpResponseBase:
    """`/o/<slug>/releases/<number>/release.zip`: all its files, as `safercities verify` takes them."""
    release = find(Release, observatory, number=number)
    manifest(release)  # nothing of a release that is not the verified one
    response = StreamingHttpResponse(_zipped(release), content_type="application/zip")
    name = f"{observatory.slug}-release-{release.number}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-cache"
    patch_vary_headers(response, ("Cookie",))
    return response


class _Pipe:
    """What the archive writes goes out at once: it never stands as a whole in memory or on disk."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""

    def taken(self) -> bytes:
        """What was written since."""
        data = b"".join(self.parts)
        self.parts.clear()
        return data


def _zipped(release: Release) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]  # needs only write
        for name in sorted(FILES):
            with ExitStack() as stack:
                stream, length = _opened(stack, release, name)
                fixed = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                with archive.open(fixed, "w", force_zip64=length > 2**31) as out:
                    for piece in _pieces(stream, length):
                        out.write(piece)
                        yield pipe.taken()
    yield pipe.taken()
