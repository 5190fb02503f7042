"""Writes a release: whole or not at all, at the end of its chain, the same bytes for the same content."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from safercities.files import locked, replace_folder, sha256
from safercities.model.errors import SafercitiesError, problem
from safercities.model.periods import Period
from safercities.release import canonical, manifest, table
from safercities.release.chain import doubted, latest, read_chain
from safercities.release.content import Content
from safercities.release.keys import FILE as KEYS
from safercities.release.keys import Signer
from safercities.release.manifest import describe, read_manifest, signed_bytes
from safercities.release.store import KeyStore
from safercities.release.verify import Verified, verify_release

#: Files that hold the content only, and nothing of the release's position in the chain.
_TOLD = ("data.csv", "structure.xml", table.FILE, "tables.xlsx")


def write_release(content: Content, releases: Path, keys: KeyStore, *, today: date | None = None) -> Path:
    """Write the next release of the chain, and sign it.

    Publishing the same content again right after (as after a run that was killed) is the same release, not a new one.

    Parameters
    ----------
    content
        What it says; already protected.
    releases
        Folder of all releases of the observatory. They are verified first: what is broken is not added to.
    keys
        Of the observatory's place.
    today
        The day of publication may not lie after it. Default: by this machine's clock.

    Returns
    -------
    Path
        Its folder, `<period>-<number>`, with `_` for `/` in the period.

    Raises
    ------
    SafercitiesError
        If the content cannot be published, the chain is broken, no key may sign, or the folder is there already.
        Nothing is written then.
    """
    content = replace(content, estimates=content.estimates.sort())
    _check_content(content, keys, today or date.today())
    if keys.folder.resolve().is_relative_to(releases.resolve().parent):
        raise SafercitiesError(problem("keys-inside", file=str(keys.folder)))
    releases.mkdir(parents=True, exist_ok=True)
    with _writing(releases):
        chain = read_chain(releases, identity=keys.identity, today=today, newer=keys.ledger)
        return _write(content, releases, keys, chain)


class _SameAgain(Exception):
    """What was about to be written is the last release."""


def _write(content: Content, releases: Path, keys: KeyStore, chain: Sequence[Verified]) -> Path:
    number, previous = len(chain) + 1, chain[-1].id if chain else None
    signer = keys.signing(content.published)
    target = releases / f"{content.period.replace('/', '_')}-{number}"
    if target.exists() or target.is_symlink():
        raise SafercitiesError(problem("release-exists", file=str(target)))
    try:
        with replace_folder(target) as folder:
            _write_files(content, folder)
            (folder / KEYS).write_bytes(keys.ledger.to_bytes())
            if chain and not chain[-1].distrusted and _same(content, folder, chain[-1]):
                raise _SameAgain
            _check_place_in_chain(content, chain)
            _seal(content, folder, number, previous, signer)
            verify_release(folder, identity=keys.identity, today=content.published)  # what would be refused stays here
    except _SameAgain:
        return chain[-1].path
    return target


def _same(content: Content, folder: Path, last: Verified) -> bool:
    """Whether the last release says the same to the byte, but for its position in the chain."""
    ours = describe(content, last.number, last.manifest.previous, last.key, {})
    theirs = last.manifest.model_dump(mode="json") | {"files": {}}
    files = all(sha256(folder / name) == last.manifest.files[name].sha256 for name in _TOLD)
    return files and canonical.dumps(ours) == canonical.dumps(theirs)


def _write_files(content: Content, folder: Path) -> None:
    """The files that hold the estimates."""
    from safercities.release.sdmx import write_data, write_structure
    from safercities.release.workbook import write_workbook

    table.write_parquet(content.estimates, folder / table.FILE)
    write_data(content, folder / "data.csv")
    write_structure(content, folder / "structure.xml")
    write_workbook(content, folder / "tables.xlsx")


def _seal(content: Content, folder: Path, number: int, previous: str | None, signer: Signer) -> None:
    """The page for people, which tells of the other files; then the manifest, which holds the hashes of all; signed."""
    from safercities.release.people import write_readme

    names = [name for name in manifest.HASHED if name != "README.md"]
    files = {name: _sealed(folder / name) for name in names}
    write_readme(content, folder / "README.md", describe(content, number, previous, signer.fingerprint, files))
    files["README.md"] = _sealed(folder / "README.md")
    data = canonical.dumps(describe(content, number, previous, signer.fingerprint, files))
    read_manifest(data)
    (folder / manifest.FILE).write_bytes(data)
    (folder / manifest.SIGNATURE).write_bytes(signer.sign(signed_bytes(data)))


def _sealed(path: Path) -> dict[str, Any]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


@contextmanager
def _writing(releases: Path) -> Iterator[None]:
    """Nobody else adds to the chain meanwhile; what killed runs left is cleared, even if it was finished.

    Nobody has seen it, and what is published next was protected without thinking of it.
    """
    with locked(releases / "chain"):
        for left in (*releases.glob(".*.tmp-*"), *releases.glob(".*.ready")):
            shutil.rmtree(left)
        yield


def _check_content(content: Content, keys: KeyStore, today: date) -> None:
    """What must hold of a content, whatever the chain."""
    if content.published > today:
        raise SafercitiesError(problem("release-future", day=content.published))
    if content.place.id != keys.place:
        raise SafercitiesError(problem("release-place", found=content.place.id, wanted=keys.place))
    Period.parse(content.period)
    table.check(content.estimates)
    for message in _gaps(content):
        raise SafercitiesError(problem("release-content", message=message))


def _gaps(content: Content) -> Iterator[str]:
    """What the estimates speak of and the content does not explain, and corrections without a reason."""
    rows = content.estimates.table
    explained: dict[str, set[Any]] = {
        "indicator": set(content.indicators),
        "place": {each.id for each in content.places},
        "source": {each.name for each in content.series},
    }
    explained |= {name: {code for code, _ in content.dimensions.get(name, ())} for name in content.estimates.dimensions}
    for column, known in explained.items():
        for code in sorted(set(pc.unique(rows.column(column)).to_pylist()) - known):
            yield f"estimates have the {column} {code}, which nothing explains"
    if content.period not in pc.unique(rows.column("period")).to_pylist():
        yield f"there is no estimate of the period {content.period} that it is called after"
    if (content.supersedes is None) != (content.reason is None) or not (content.reason or "x").strip():
        yield "a correction names both the release that it supersedes and the reason"


def _check_place_in_chain(content: Content, chain: Sequence[Verified]) -> None:
    """The day does not go back, a correction corrects what stands, and what is distrusted is corrected first."""
    number = len(chain) + 1
    if chain and content.published < chain[-1].manifest.published:
        day, earlier = content.published, chain[-1].manifest.published
        raise SafercitiesError(problem("chain-backdated", number=number, day=day, earlier=earlier))
    if content.supersedes is not None and content.supersedes not in {each.id for each in chain}:
        raise SafercitiesError(problem("chain-supersedes", number=number))
    if content.supersedes is not None and content.supersedes not in {each.id for each in latest(chain)}:
        raise SafercitiesError(problem("chain-superseded-twice", number=number))
    first = doubted(chain)
    if first and content.supersedes not in {each.id for each in first}:
        raise SafercitiesError(problem("chain-doubted", file=first[0].path.name, number=first[0].number))
