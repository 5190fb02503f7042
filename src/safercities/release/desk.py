"""What an office does with releases: its first keys, which keys there are, verifying one release or a whole chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from safercities.model.errors import SafercitiesError, problem
from safercities.release import manifest
from safercities.release.chain import latest, verify_chain
from safercities.release.keys import Ledger, fingerprint
from safercities.release.store import KeyStore
from safercities.release.verify import Verified, verify_release


@dataclass(frozen=True)
class Checked:
    """Releases that hold.

    Parameters
    ----------
    releases
        By number.
    chain
        Whether all of an observatory were verified together: none is missing.
    """

    releases: tuple[Verified, ...]
    chain: bool


def releases_in(path: Path) -> list[Path]:
    """The release that a path is, or those that lie in it, by name. Hidden and other files are passed over.

    Raises
    ------
    SafercitiesError
        If there is none.
    """
    if not path.is_dir() or (path / manifest.FILE).exists():
        return [path]
    seen = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    found = [one for one in seen if one.is_dir() or one.is_symlink() or one.suffix.lower() == ".zip"]
    if not found:
        raise SafercitiesError(problem("attack-no-release", file=str(path)))
    return found


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The path; of an archive of a folder of releases, that folder, for as long as the context lasts.

    Raises
    ------
    SafercitiesError
        If it is an archive that is damaged, a trap, or holds other things than releases.
    """
    from safercities.release.fetch import chain_folder, holds_chain

    if not holds_chain(path):
        yield path
        return
    with chain_folder(path, path.name) as folder:
        yield folder


def placed(each: Verified, given: Path) -> Verified:
    """The release, where it was given to us: out of an archive by the name that it was written under."""
    if each.path.is_relative_to(given):
        return each
    path = given / f"{each.manifest.period.replace('/', '_')}-{each.number}"
    told = [replace(one, file=path.name) if one.file == each.path.name else one for one in each.warnings]
    return replace(each, path=path, warnings=tuple(told))


def verified(path: Path, *, identity: str | None = None) -> Checked:
    """Verify a release (its folder or .zip), or all releases of an observatory (so too) and that they are one chain.

    Raises
    ------
    SafercitiesError
        With the reason, at the first thing that does not hold; or if there is no release.
    """
    with unpacked(path) as folder:
        if releases_in(folder) == [folder]:
            return Checked((verify_release(folder, identity=identity),), chain=False)
        return Checked(tuple(placed(one, path) for one in verify_chain(folder, identity=identity)), chain=True)


def told(checked: Checked) -> list[dict[str, Any]]:
    """What was verified, as plain values."""
    force = {each.id for each in latest(checked.releases)}
    return [
        {
            "release": each.path.name,
            "id": each.id,
            "number": each.number,
            "place": each.manifest.observatory.place,
            "name": each.manifest.observatory.name,
            "published": each.manifest.published.isoformat(),
            "periods": list(each.manifest.periods),
            "indicators": sorted(each.manifest.indicators),
            "estimates": sum(one.estimates for one in each.manifest.coverage),
            "withheld": sum(one.withheld for one in each.manifest.coverage),
            "synthetic": each.manifest.synthetic,
            "supersedes": each.manifest.supersedes,
            "reason": each.manifest.reason,
            "in_force": each.id in force,
            "identity": each.identity,
            "key": each.key,
        }
        for each in checked.releases
    ]


def sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The same for people, a line a release.

    Examples
    --------
    >>> row = {"release": "2024-1", "name": "Town", "place": "T", "number": 1, "published": "2025-03-01"}
    >>> sentences([{**row, "estimates": 1200, "withheld": 3, "in_force": True, "reason": None}])
    ['2024-1: Town (T), release 1 of 2025-03-01, 1,200 estimates, 3 withheld']
    """
    found = []
    for row in rows:
        line = f"{row['release']}: {row['name']} ({row['place']}), release {row['number']} of {row['published']}"
        line += f", {row['estimates']:,} estimates, {row['withheld']:,} withheld"
        line += f", a correction: {row['reason']}" if row["reason"] else ""
        found.append(line if row["in_force"] else f"{line}; corrected by a later one")
    return found


def first_keys(place: str, releases: Path, published: date) -> tuple[KeyStore, bool]:
    """The keys of an observatory, made now where it has published nothing yet; and whether they were made.

    Raises
    ------
    SafercitiesError
        If there are releases, but no keys on this machine: new keys would be those of somebody else.
    """
    store = KeyStore.open(place)
    if store.exists:
        return store, False
    if releases.is_dir() and any(not one.name.startswith(".") for one in releases.iterdir()):
        raise SafercitiesError(problem("keys-elsewhere", file=str(store.folder), place=place, releases=str(releases)))
    store.make(min(published, date.today()))
    return store, True


def advice(store: KeyStore) -> str:
    """What must be done with keys that were made just now."""
    return (
        f"Keys were made in {store.folder}\n"
        f"Identity: {store.identity}\n"
        "Back up that folder in two places, now: whoever loses the root key (root.pem) cannot prove any more who they "
        "are.\nTell the identity to those who read your releases, by a way that they trust."
    )


def keys_told(ledger: Ledger, on: date) -> list[dict[str, Any]]:
    """The signing keys, oldest first: since when, up to when, distrusted since when, and whether each may sign."""
    return [
        {
            "key": name,
            "from": min(ledger.said("certify", name)).isoformat(),
            "until": min((one.isoformat() for one in ledger.said("retire", name)), default=None),
            "distrusted": min((one.isoformat() for one in ledger.said("distrust", name)), default=None),
            "reason": next(
                (
                    one.reason
                    for one in ledger.statements
                    if one.kind == "distrust" and fingerprint(bytes.fromhex(one.key)) == name
                ),
                None,
            ),
            "signs": ledger.refusal(name, on) is None,
        }
        for name in ledger.certified
    ]


def keys_sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The same for people, a line a key.

    Examples
    --------
    >>> keys_sentences([{"key": "ed25519:ab", "from": "2025-01-01", "until": None, "distrusted": None, "signs": True}])
    ['ed25519:ab  from 2025-01-01  (may sign)']
    """
    found = []
    for row in rows:
        line = f"{row['key']}  from {row['from']}"
        line += f" until {row['until']}" if row["until"] else ""
        line += f", distrusted from {row['distrusted']}: {row.get('reason')}" if row["distrusted"] else ""
        found.append(f"{line}  ({'may sign' if row['signs'] else 'signs no more'})")
    return found
