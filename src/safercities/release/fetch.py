"""Gets releases: over https into a private cache, and out of a .zip, within bounds; nothing of it is trusted yet."""

from __future__ import annotations

import json
import socket
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from safercities.collect.release_spec import ReleaseSpec, check_url, is_loopback
from safercities.files import keep_out_of_git, replace_folder, settle, sha256
from safercities.model.errors import SafercitiesError, problem
from safercities.release.manifest import FILES

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

#: Bytes of an archive that is fetched, seconds without an answer, seconds in all, and addresses that lead on.
MAX_BYTES = 1024 * 2**20
PATIENCE = 30.0
MAX_SECONDS = 1800.0
MAX_REDIRECTS = 5
#: Releases of a chain in one archive; bytes that they may unpack to, and how many times the archive's own size.
MAX_RELEASES = 2_000
MAX_UNPACKED = 8 * 2**30
FREE_UNPACKED = 128 * 2**20
MAX_RATIO = 200
ARCHIVE = "releases.zip"
_RECORD = "fetched.json"
_HEADERS = {"User-Agent": "safercities", "Accept-Encoding": "identity", "Connection": "close"}
_CHUNK = 2**20
_END = 22  # bytes of a zip's last record, where there is no comment
_PER_MEMBER = 1024  # bytes that the list of an archive may have for each file


@dataclass(frozen=True)
class Fetched:
    """An archive in the cache: where it is, where it came from, when, and what it is."""

    path: Path
    url: str
    at: str
    sha256: str


def fetch(name: str, spec: ReleaseSpec, cache: Path) -> Fetched:
    """Get the archive of a source by its address, and put it in the cache. The only step that uses the network.

    Redirects are followed to https only, never from outside to this machine or into a private network, whatever the
    names resolve to; the address that was checked is the one that is connected to. What was in the cache stands until
    the new archive is there as a whole.

    Parameters
    ----------
    name
        Name of the source.
    cache
        Private folder for the archives of all sources; made where it is missing.

    Raises
    ------
    SafercitiesError
        If the address cannot be reached, leads where it must not, or gives no archive within the bounds.
    """
    url = spec.url or ""
    private_folder(cache)
    target = cache / name
    with replace_folder(target, mark=_RECORD, private=True) as folder:
        with (folder / ARCHIVE).open("wb") as out:
            _download(name, url, out)
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = {"url": url, "at": at, "sha256": sha256(folder / ARCHIVE)}
        (folder / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return Fetched(target / ARCHIVE, url, at, record["sha256"])


def cached(name: str, spec: ReleaseSpec, cache: Path) -> Fetched | None:
    """What was fetched earlier for a source; None where nothing was, or it came from another address.

    Raises
    ------
    SafercitiesError
        If the archive is not the one that was fetched.
    """
    settle(cache / name)
    record = cache / name / _RECORD
    if not record.is_file():
        return None
    try:
        said = json.loads(record.read_text(encoding="utf-8"))
        found = Fetched(cache / name / ARCHIVE, str(said["url"]), str(said["at"]), str(said["sha256"]))
        whole = sha256(found.path) == found.sha256
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise SafercitiesError(problem("fetch-cache", file=str(cache / name), source=name))
    return found if found.url == spec.url else None


def private_folder(folder: Path) -> None:
    """Make a folder that only its user may enter and git passes over."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    keep_out_of_git(folder)


# -- the network -----------------------------------------------------------------------------------------------------


def _download(name: str, url: str, out: IO[bytes]) -> None:
    import http.client
    import time

    until = time.monotonic() + MAX_SECONDS
    try:
        for _ in range(MAX_REDIRECTS + 1):
            further = _asked(name, url, out, until)
            if further is None:
                return
            url = further
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # errors of TLS are among the first
        raise _failed(name, str(error) or type(error).__name__) from None
    raise _failed(name, f"it leads on more than {MAX_REDIRECTS} times")


def _asked(name: str, url: str, out: IO[bytes], until: float) -> str | None:
    """Ask one address: None where the archive came, else the address that it leads to."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connected(name, url, until)) as connection:
        connection.request("GET", path, headers=_HEADERS)
        with connection.getresponse() as answer:
            if answer.status in (301, 302, 303, 307, 308):
                return _redirected(name, url, answer.getheader("Location") or "")
            if answer.status != 200:
                raise _failed(name, f"the answer is {answer.status} {answer.reason}"[:120])
            _copy(name, answer, out, until)
    return None


def _copy(name: str, answer: HTTPResponse, out: IO[bytes], until: float) -> None:
    import time

    total, announced = 0, answer.length
    # piece by piece as it comes: who sends a byte now and then cannot hold us up for ever
    while (announced is None or total < announced) and (chunk := answer.read1(_CHUNK)):
        total += len(chunk)
        if total > MAX_BYTES:
            raise SafercitiesError(problem("release-large", file=name, limit=f"{MAX_BYTES:,} bytes"))
        if time.monotonic() > until:
            raise _failed(name, f"it takes longer than {MAX_SECONDS:.0f} seconds")
        out.write(chunk)
    if announced is not None and total < announced:
        raise _failed(name, "it was cut off")


def _redirected(name: str, url: str, location: str) -> str:
    """The next address: https stays https, and nobody outside may send us to this machine."""
    there = urljoin(url, location)
    try:
        check_url(there)
    except ValueError as error:
        raise SafercitiesError(problem("fetch-refused", source=name, to=there[:120], message=str(error))) from None
    inside = is_loopback(urlsplit(there).hostname or ""), is_loopback(urlsplit(url).hostname or "")
    if inside[0] and not inside[1]:
        message = "it leads to this machine"
        raise SafercitiesError(problem("fetch-refused", source=name, to=there[:120], message=message))
    return there


def _connected(name: str, url: str, until: float) -> HTTPConnection:
    """A connection to an address that was looked up once and checked: no second look-up can give another one."""
    import http.client
    import ssl

    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        _check_address(name, host, str(address[0]))
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    plain = _first_open([str(address[0]) for *_, address in found], port, until)
    if secure:
        try:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
    else:
        connection.sock = plain
    return connection


def _first_open(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A connection to the first of the addresses, all of them checked, that answers; a network may lack IPv6.

    Raises
    ------
    OSError
        Of the last one, where none answers.
    """
    import time

    failed = OSError(f"it takes longer than {MAX_SECONDS:.0f} seconds")
    for address in dict.fromkeys(addresses):
        if time.monotonic() > until:  # whoever names many addresses cannot hold us up for ever
            break
        try:
            return socket.create_connection((address, port), timeout=PATIENCE)
        except OSError as error:
            failed = error
    raise failed


def _check_address(name: str, host: str, address: str) -> None:
    """Only addresses of the public internet; this machine where it was asked for by its own address."""
    ip = ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped if mapped is not None else ip
    if is_loopback(host) and ip.is_loopback:
        return
    if not ip.is_global or ip.is_multicast:
        message = "it is an address of this machine or of a private network"
        raise SafercitiesError(problem("fetch-refused", source=name, to=f"{host} ({ip})", message=message))


def _failed(name: str, message: str) -> SafercitiesError:
    return SafercitiesError(problem("fetch-failed", source=name, message=message))


# -- archives --------------------------------------------------------------------------------------------------------


@contextmanager
def chain_folder(path: Path, name: str) -> Iterator[Path]:
    """The folder of a chain, whatever holds it: a folder of releases, one release, or an archive of either.

    An archive is unpacked to a private folder for as long as the context lasts: only files that releases have, under
    names of our own making, within `MAX_UNPACKED` and `MAX_RATIO`.

    Parameters
    ----------
    name
        Of the source, for problems.

    Raises
    ------
    SafercitiesError
        If there is nothing, a link, or an archive that is damaged, a trap, or holds other things than releases.
    """
    if path.is_symlink():
        raise SafercitiesError(problem("release-link", file=str(path)))
    if path.is_dir():
        yield path
    elif path.is_file() and path.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory(prefix="safercities-") as folder:
            _unpack(path, Path(folder), name)
            yield Path(folder)
    else:
        raise SafercitiesError(problem("release-none", file=str(path)))


def holds_chain(path: Path) -> bool:
    """Whether a file is an archive of a folder of releases, and not of the files of one release. Nothing is unpacked.

    Raises
    ------
    SafercitiesError
        If it is an archive that is damaged, a trap, or holds other things than releases.
    """
    if path.is_symlink() or not path.is_file() or path.suffix.lower() != ".zip":
        return False
    _check_end(path)
    try:
        with zipfile.ZipFile(path) as archive:
            folders = _folders(archive)
            beside = {str(PurePosixPath(one.filename).parent) for one in archive.infolist() if not one.is_dir()}
            chain = len(folders) > 1 or any("/" in one for one in folders) or bool(folders and beside - folders)
            if chain:
                _members(archive, path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError, ValueError, OSError) as error:
        raise SafercitiesError(problem("archive-broken", file=path.name, message=str(error))) from None
    return chain


def _unpack(path: Path, folder: Path, name: str) -> None:
    _check_end(path)
    room = max(FREE_UNPACKED, min(MAX_UNPACKED, MAX_RATIO * path.stat().st_size))
    try:
        with zipfile.ZipFile(path) as archive:
            for item, release, file in _members(archive, name):
                target = folder / release
                target.mkdir(exist_ok=True)
                with archive.open(item) as stream, (target / file).open("xb") as out:
                    room -= _unpacked(stream, out, min(room, FILES[file]), f"{name}/{item.filename[:80]}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OverflowError, ValueError, OSError) as error:
        raise SafercitiesError(problem("archive-broken", file=path.name, message=str(error))) from None


def _unpacked(stream: IO[bytes], out: IO[bytes], limit: int, name: str) -> int:
    """Bytes that really come out: the sizes that an archive declares may lie."""
    total = 0
    while chunk := stream.read(min(_CHUNK, limit + 1)):
        total += len(chunk)
        if total > limit:
            raise SafercitiesError(problem("archive-bomb", file=name, size=f"{limit / 2**20:.0f} MB"))
        out.write(chunk)
    return total


def _check_end(path: Path) -> None:
    """The list of what is in it must be short before anything is made of it.

    Source: PKWARE, APPNOTE.TXT, 4.3.16, end of central directory record.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise SafercitiesError(problem("release-large", file=path.name, limit=f"{MAX_BYTES:,} bytes"))
    with path.open("rb") as handle:
        handle.seek(max(size - _END, 0))
        end = handle.read()
    message = ""
    if len(end) < _END or end[:4] != b"PK\x05\x06":
        message = "it is no zip, was cut off, or has a comment"
    elif int.from_bytes(end[12:16], "little") > _PER_MEMBER * len(FILES) * MAX_RELEASES:
        message = "it lists too many files"
    if message:
        raise SafercitiesError(problem("release-zip", file=path.name, message=message))


def _members(archive: zipfile.ZipFile, name: str) -> list[tuple[zipfile.ZipInfo, str, str]]:
    """The member, the folder that we give its release, and its file name."""
    found: list[tuple[zipfile.ZipInfo, str, str]] = []
    folders: dict[str, str] = {}
    seen: set[str] = set()
    inside = _folders(archive)
    for item in archive.infolist():
        parts = PurePosixPath(item.filename)
        beside = parts.name.startswith(".") and str(parts.parent) not in inside
        if (item.is_dir() or beside) and not _odd(item):  # as in a folder: hidden files beside releases are passed over
            continue
        if _odd(item) or parts.name not in FILES or len(parts.parts) > 4 or item.filename in seen:
            raise SafercitiesError(problem("archive-unsafe", file=name, member=item.filename[:80]))
        if item.flag_bits & 0x1:
            raise SafercitiesError(problem("archive-encrypted", file=name))
        seen.add(item.filename)
        release = folders.setdefault(str(parts.parent), f"{len(folders) + 1:05d}")
        found.append((item, release, parts.name))
    if len(folders) > MAX_RELEASES:
        raise SafercitiesError(problem("release-zip", file=name, message="it holds too many releases"))
    if not found:
        raise SafercitiesError(problem("release-none", file=name))
    return found


def _folders(archive: zipfile.ZipFile) -> set[str]:
    """The folders of an archive that hold files of a release."""
    names = [PurePosixPath(one.filename) for one in archive.infolist() if not one.is_dir()]
    return {str(one.parent) for one in names if one.name in FILES}


def _odd(item: zipfile.ZipInfo) -> bool:
    """Whether a member is no plain file, or its name leads elsewhere."""
    kind = stat.S_IFMT(item.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    parts = item.filename.split("/")
    outside = item.filename.startswith("/") or ".." in parts or "\\" in item.filename or ":" in item.filename
    return outside or not plain or item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
