"""The chain of an observatory's releases: each follows from the one before, none is missing or rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from safercities.model.errors import SafercitiesError, problem
from safercities.release.keys import Ledger
from safercities.release.verify import Opened, Verified, check_day, newest, open_release


def verify_chain(
    releases: Path,
    *,
    identity: str | None = None,
    known: Sequence[str] = (),
    today: date | None = None,
    newer: Ledger | None = None,
) -> list[Verified]:
    """Verify all releases of an observatory, and that they form one chain.

    A release whose key was distrusted (or retired) since stays in the chain where a later release corrects it: it is
    then not in force.

    Parameters
    ----------
    releases
        Folder that holds a folder or .zip for each release. Hidden and other files are passed over.
    identity
        Fingerprint of the root key that they must come from; default: that of the first one, with a warning.
    known
        Ids of the chain as it was last seen, from the first release on.
    today, newer
        See `verify_release`.

    Returns
    -------
    list
        By number, from 1 on; empty where there is no release.

    Raises
    ------
    SafercitiesError
        With the reason, at the first thing that does not hold.
    """
    chain = read_chain(releases, identity=identity, today=today, newer=newer)
    check_memory(chain, known, str(releases))
    for each in doubted(chain):
        raise SafercitiesError(problem("chain-doubted", file=each.path.name, number=each.number))
    return chain


def read_chain(
    releases: Path, *, identity: str | None = None, today: date | None = None, newer: Ledger | None = None
) -> list[Verified]:
    """The chain, which may still hold releases that are distrusted and uncorrected: whoever writes can correct them."""
    found = (open_release(path, identity=identity).verified for path in _entries(releases))
    return _chained(found, releases, today, newer)


def open_chain(releases: Path) -> list[Opened]:
    """The releases in force of a chain that holds, by number, with their content: each was read once.

    Raises
    ------
    SafercitiesError
        If one does not hold, they form no chain, or one in force was signed by a key that is distrusted.
    """
    opened: dict[str, Opened] = {}
    verified: list[Verified] = []
    corrected: set[str] = set()
    for path in _entries(releases):
        one = open_release(path)
        verified.append(one.verified)
        opened.setdefault(one.verified.id, one)
        corrected.add(one.verified.manifest.supersedes or "")
        for id in corrected & opened.keys():  # what is not in force need not stand in memory
            del opened[id]
    chain = _chained(verified, releases, None, None)
    for each in doubted(chain):
        raise SafercitiesError(problem("chain-doubted", file=each.path.name, number=each.number))
    return [replace(opened[each.id], verified=each) for each in latest(chain)]


def _chained(found: Iterable[Verified], releases: Path, today: date | None, newer: Ledger | None) -> list[Verified]:
    """By number, each once, if they are one chain."""
    first: dict[str, Verified] = {}
    for one in found:
        first.setdefault(one.id, one)  # a .zip beside its folder is the same release
    chain = sorted(first.values(), key=lambda each: each.number)
    if not chain:
        return []
    _check_links(chain)
    _check_corrections(chain)
    ledgers = [each.ledger for each in chain]
    ledger = newest([*ledgers, *([newer] if newer else [])], file=str(releases))
    return [_trusted(each, ledger, today) for each in chain]


def follow(chain: Sequence[Verified], one: Verified, releases: Path, *, today: date | None = None) -> list[Verified]:
    """The chain with one more release at its end.

    Raises
    ------
    SafercitiesError
        If it does not follow from the last one, or its key is not trusted by now.
    """
    made = _chained([*chain, one], releases, today, None)
    for each in doubted(made):
        raise SafercitiesError(problem("chain-doubted", file=each.path.name, number=each.number))
    return made


def latest(chain: Sequence[Verified]) -> list[Verified]:
    """The releases in force: those that no later one corrects."""
    corrected = {each.manifest.supersedes for each in chain}
    return [each for each in chain if each.id not in corrected]


def doubted(chain: Sequence[Verified]) -> list[Verified]:
    """Releases in force whose key is distrusted."""
    return [each for each in latest(chain) if each.distrusted]


def check_memory(chain: Sequence[Verified], known: Sequence[str], file: str) -> None:
    """Compare with what was seen before: a chain only grows.

    Raises
    ------
    SafercitiesError
        If it is an old state, or a release that was known has become another one.
    """
    for each, before in zip(chain, known, strict=False):
        if each.id != before:
            raise SafercitiesError(problem("chain-rewritten", file=each.path.name, number=each.number))
    if len(chain) < len(known):
        raise SafercitiesError(problem("chain-replayed", file=file, number=len(chain), known=len(known)))


def _entries(releases: Path) -> list[Path]:
    """What may be releases; whether they are, verifying says. Links are among them, and are refused there."""
    if not releases.is_dir():
        return []
    seen = sorted(path for path in releases.iterdir() if not path.name.startswith("."))
    return [path for path in seen if path.is_symlink() or path.is_dir() or path.suffix.lower() == ".zip"]


def _check_links(chain: Sequence[Verified]) -> None:
    """Numbers 1, 2, 3 …; each names the one before; days and statements on keys never go back."""
    for number, each in enumerate(chain, start=1):
        if each.number < number:
            raise SafercitiesError(problem("chain-fork", file=each.path.name, number=each.number))
        if each.number > number:
            raise SafercitiesError(problem("chain-gap", file=each.path.name, number=number))
    for before, each in pairwise(chain):
        where: dict[str, Any] = {"file": each.path.name}
        if each.identity != before.identity:
            found, wanted = each.identity, before.identity
            raise SafercitiesError(problem("release-identity", **where, found=found, wanted=wanted))
        if each.manifest.previous != before.id:
            raise SafercitiesError(problem("chain-previous", **where, number=each.number))
        day, earlier = each.manifest.published, before.manifest.published
        if day < earlier:
            raise SafercitiesError(problem("chain-backdated", **where, number=each.number, day=day, earlier=earlier))
        if not each.ledger.extends(before.ledger):
            raise SafercitiesError(problem("chain-keys", **where, number=each.number))


def _check_corrections(chain: Sequence[Verified]) -> None:
    """Each correction names an earlier release, which nothing else has corrected."""
    earlier: set[str] = set()
    corrected: set[str] = set()
    for each in chain:
        wrong = each.manifest.supersedes
        if wrong is not None and wrong not in earlier:
            raise SafercitiesError(problem("chain-supersedes", file=each.path.name, number=each.number))
        if wrong is not None and wrong in corrected:
            raise SafercitiesError(problem("chain-superseded-twice", file=each.path.name, number=each.number))
        corrected |= {wrong} if wrong else set()
        earlier.add(each.id)


def _trusted(each: Verified, ledger: Ledger, today: date | None) -> Verified:
    """The release, if what is said of its key by now lets it stand; marked where that was said only since."""
    check_day(each, today)
    refusal = ledger.refusal(each.key, each.manifest.published, file=each.path.name)
    if refusal is None:
        return each
    if each.ledger.refusal(each.key, each.manifest.published) is not None:  # it was not even good when it was written
        raise SafercitiesError(refusal)
    return replace(each, distrusted=True)
