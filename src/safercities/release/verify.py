"""Verifies a release without a network: whose it is, that nothing was changed, and that it is what a release may be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.compute as pc

from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import Estimates
from safercities.release import bundle, keys, manifest, table
from safercities.release.keys import Ledger, read_ledger, signature_holds
from safercities.release.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class Verified:
    """A release that holds.

    Parameters
    ----------
    path
        Its folder or .zip.
    id
        SHA-256 of the manifest.
    ledger
        What was said of the keys when it was published.
    distrusted
        Whether its key was distrusted or retired since, as of a day that this release is not before. Only in chains,
        where a later release has corrected it: alone, such a release is refused.
    warnings
        What a reader should know.
    """

    path: Path
    id: str
    manifest: Manifest
    ledger: Ledger
    distrusted: bool = False
    warnings: tuple[Problem, ...] = ()

    @property
    def number(self) -> int:
        """Its number in the chain."""
        return self.manifest.number

    @property
    def identity(self) -> str:
        """Fingerprint of the root key: who it is."""
        return self.ledger.identity

    @property
    def key(self) -> str:
        """Fingerprint of the key that signed it."""
        return self.manifest.key


@dataclass(frozen=True)
class Opened:
    """A verified release with its content: the same bytes that were verified, never read again.

    Parameters
    ----------
    files
        Name → bytes, of every file but `estimates.parquet`.
    """

    verified: Verified
    estimates: Estimates
    files: Mapping[str, bytes]


def verify_release(
    source: Path,
    *,
    identity: str | None = None,
    today: date | None = None,
    known: Mapping[int, str] | None = None,
    newer: Ledger | None = None,
) -> Verified:
    """Verify one release.

    Parameters
    ----------
    source
        Its folder, or a .zip of it.
    identity
        Fingerprint of the root key that it must come from. Without it anybody could have made the release; a warning
        says so.
    today
        Releases that are published later are refused. Default: the latest day that it is anywhere on Earth.
    known
        Number → id, of releases of this observatory that were seen before: old and rewritten ones are refused.
    newer
        What the observatory has said of its keys since; see `read_ledger`.

    Raises
    ------
    SafercitiesError
        With the reason, at the first thing that does not hold.
    """
    return read_release(source, identity=identity, today=today, known=known, newer=newer).verified


def read_release(
    source: Path,
    *,
    identity: str | None = None,
    today: date | None = None,
    known: Mapping[int, str] | None = None,
    newer: Ledger | None = None,
) -> Opened:
    """Verify one release and give its content. Parameters and errors: see `verify_release`."""
    found = open_release(source, identity=identity)
    verified = found.verified
    ledger = newest([verified.ledger, *([newer] if newer else [])], file=source.name)
    if refusal := ledger.refusal(verified.key, verified.manifest.published, file=source.name):
        raise SafercitiesError(refusal)
    check_day(verified, today)
    remember(verified, known or {})
    return found


def open_release(source: Path, *, identity: str | None = None) -> Opened:
    """Verify what a release says by itself: signatures, hashes, content; not yet whether its key is still trusted."""
    with bundle.opened(source) as files:
        verified = _seal(files, source, identity)
        read = {name: _signed_file(files, verified.manifest, name) for name in manifest.HASHED}
    name = files.name
    estimates = table.read_parquet(read.pop(table.FILE), file=f"{name}/{table.FILE}")
    _check_agreement(verified.manifest, estimates, f"{name}/{table.FILE}")
    _check_data(read["data.csv"], estimates, name)
    return Opened(verified, estimates, read)


def _seal(files: bundle.Bundle, source: Path, identity: str | None) -> Verified:
    """The manifest, once the root key vouches for the signing key and the signing key for the manifest."""
    name = files.name
    ledger = read_ledger(files.read(keys.FILE, keys.MAX_BYTES), file=f"{name}/{keys.FILE}", identity=identity)
    data = files.read(manifest.FILE, manifest.MAX_BYTES)
    signature = files.read(manifest.SIGNATURE, manifest.FILES[manifest.SIGNATURE])
    signed = manifest.signed_bytes(data)
    by = [one for one, public in ledger.certified.items() if signature_holds(public, signature, signed)]
    if not by:
        raise SafercitiesError(problem("release-signature", file=f"{name}/{manifest.SIGNATURE}"))
    said = read_manifest(data, file=f"{name}/{manifest.FILE}")
    if said.key not in by:
        raise SafercitiesError(problem("release-signature", file=f"{name}/{manifest.FILE}"))
    if said.observatory.place != ledger.place:
        place = said.observatory.place
        raise SafercitiesError(problem("release-place", file=name, found=place, wanted=ledger.place))
    unpinned = [problem("release-unpinned", file=name, identity=ledger.identity)] if identity is None else []
    return Verified(source, manifest.release_id(data), said, ledger, warnings=tuple(unpinned))


def _signed_file(files: bundle.Bundle, said: Manifest, name: str) -> bytes:
    """One file's bytes, if they are those that were signed."""
    seal = said.files[name]
    try:
        data = files.read(name, seal.bytes)
    except SafercitiesError as error:
        if error.problems[0].code != "release-large":
            raise
        data = b""
    if len(data) != seal.bytes or hashlib.sha256(data).hexdigest() != seal.sha256:
        raise SafercitiesError(problem("release-altered", file=f"{files.name}/{name}"))
    return data


def _check_agreement(said: Manifest, estimates: Estimates, file: str) -> None:
    """The manifest and the estimates speak of the same."""
    rows = estimates.table
    versions = rows.group_by(["indicator", "version"]).aggregate([]).to_pylist()
    told = [(code, version) for code, entry in said.indicators.items() for version in entry.versions]
    named = {each.name for each in said.series}
    used = set(pc.unique(rows.column("source")).to_pylist()) - {None}
    faults = {
        "periods": set(pc.unique(rows.column("period")).to_pylist()) != set(said.periods),
        "indicators": {(row["indicator"], row["version"]) for row in versions} != set(told),
        "series": not used <= named,
        "coverage": [each.model_dump() for each in said.coverage] != manifest.coverage(estimates),
    }
    for part, differs in faults.items():
        if differs:
            message = f"the {part} are not those of the estimates"
            raise SafercitiesError(problem("release-disagrees", file=file, other=manifest.FILE, message=message))


def _check_data(data: bytes, estimates: Estimates, name: str) -> None:
    """`data.csv` holds the same estimates, in the same order."""
    from safercities.release.sdmx_data import read_data

    file, ours = f"{name}/data.csv", estimates.table
    read = read_data(data, file)
    if read.column_names != ours.column_names or read.num_rows != ours.num_rows:
        differs = ["the number of rows or columns"]
    else:
        differs = [column for column in ours.column_names if not read.column(column).equals(ours.column(column))]
    if differs:
        message = f"{differs[0]} differs"
        raise SafercitiesError(problem("release-disagrees", file=file, other=table.FILE, message=message))


def newest(ledgers: list[Ledger], *, file: str) -> Ledger:
    """The ledger that says most, if each of them only adds to the others.

    Raises
    ------
    SafercitiesError
        If two of them contradict each other.
    """
    longest = max(ledgers, key=lambda each: len(each.statements))
    for each in ledgers:
        if each.root != longest.root:
            found, wanted = each.identity, longest.identity
            raise SafercitiesError(problem("release-identity", file=file, found=found, wanted=wanted))
        if not longest.extends(each):
            raise SafercitiesError(problem("keys-order", file=file, number=len(each.statements)))
    return longest


def check_day(verified: Verified, today: date | None) -> None:
    """No release is from tomorrow.

    Raises
    ------
    SafercitiesError
        If it is.
    """
    last = today or datetime.now(timezone(timedelta(hours=14))).date()  # where the day begins first
    day = verified.manifest.published
    if day > last:
        raise SafercitiesError(problem("release-future", file=verified.path.name, day=day))


def remember(verified: Verified, known: Mapping[int, str]) -> None:
    """Compare with what was seen before.

    Raises
    ------
    SafercitiesError
        If its number is known with another id, a newer one is known, or it does not follow the one before it.
    """
    number, file = verified.number, verified.path.name
    if known.get(number, verified.id) != verified.id:
        raise SafercitiesError(problem("chain-rewritten", file=file, number=number))
    if known and number < max(known):
        raise SafercitiesError(problem("chain-replayed", file=file, number=number, known=max(known)))
    if number - 1 in known and verified.manifest.previous != known[number - 1]:
        raise SafercitiesError(problem("chain-previous", file=file, number=number))
