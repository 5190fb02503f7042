"""What was seen of other observatories' chains, in a small private file: old states and rewritten pasts are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from safercities.files import locked, write_private
from safercities.model.errors import SafercitiesError, problem
from safercities.model.spec import parse
from safercities.release import canonical
from safercities.release.fetch import private_folder
from safercities.release.keys import Hash, Ledger, Strict, read_ledger
from safercities.release.verify import Verified, remember

_LIMIT = 256 * 2**20


class _Seen(Strict):
    """Of one identity: number → id of its releases, and what it had said of its keys."""

    known: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}$")], Hash]
    keys: str


class _File(Strict):
    """The file as a whole."""

    identities: dict[str, _Seen] = Field(default={})


class Memory:
    """What was seen, by identity. Where there is no file, nothing was.

    Parameters
    ----------
    path
        The file; its folder is made private. None: nothing is remembered, and nothing old is noticed.

    Raises
    ------
    SafercitiesError
        If the file is damaged: forgetting in silence would let old states in.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._seen = self._read()

    def _read(self) -> dict[str, _Seen]:
        if self.path is None or not self.path.exists():
            return {}
        try:
            value = canonical.loads(self.path.read_bytes(), file=str(self.path), limit=_LIMIT)
            return parse(_File, value, file=str(self.path)).identities
        except (SafercitiesError, OSError) as error:
            message = error.problems[0].what if isinstance(error, SafercitiesError) else str(error)
            raise SafercitiesError(problem("federation-memory", file=str(self.path), message=message)) from None

    def known(self, identity: str) -> dict[int, str]:
        """Number → id of the releases of an identity that were seen."""
        return {int(number): id for number, id in self._seen[identity].known.items()} if identity in self._seen else {}

    def ledger(self, identity: str) -> Ledger | None:
        """What an identity had said of its keys when it was last seen."""
        if identity not in self._seen:
            return None
        return read_ledger(self._seen[identity].keys.encode(), file=str(self.path))

    def check(self, chain: Sequence[Verified]) -> None:
        """Compare the releases that are here now with those that were seen.

        Raises
        ------
        SafercitiesError
            If they end before what was seen, or one of them is another one under its number.
        """
        if not chain:
            return
        known = self.known(chain[-1].identity)
        for each in chain[:-1]:
            remember(each, {number: id for number, id in known.items() if number <= each.number})
        remember(chain[-1], known)

    def keep(self, chains: Sequence[Sequence[Verified]]) -> None:
        """Remember these as well. Others may write at the same time: nothing of theirs is lost."""
        if self.path is None or not any(chains):
            return
        private_folder(self.path.parent)
        with locked(self.path):
            self._seen = self._read()
            for chain in filter(None, chains):
                self.check(chain)  # somebody may have seen more meanwhile
                self._add(chain)
            made = canonical.dumps(_File(identities=self._seen).model_dump(mode="json"))
            if not self.path.exists() or self.path.read_bytes() != made:
                write_private(self.path, made)

    def _add(self, chain: Sequence[Verified]) -> None:
        identity = chain[-1].identity
        known = self.known(identity) | {each.number: each.id for each in chain}
        ledgers = [each.ledger for each in chain] + [one for one in [self.ledger(identity)] if one]
        keys = max(ledgers, key=lambda one: len(one.statements)).to_bytes().decode()
        self._seen = {**self._seen, identity: _Seen(known={str(n): id for n, id in known.items()}, keys=keys)}
