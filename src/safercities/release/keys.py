"""What an observatory has said of its keys: statements signed by its root key, each tied to the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.spec import Spec, parse
from safercities.release import canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "safercities-keys/1"
FILE = "keys.json"
MAX_BYTES = 2**20
Saying = Literal["certify", "retire", "distrust"]


def _iso_day(value: object) -> object:
    """A day as text only: pydantic would also take numbers for days."""
    day = date.fromisoformat(value) if isinstance(value, str) else None
    if day is None or day.isoformat() != value:
        raise ValueError("it must be a day, as 2025-01-31")
    return day


Day = Annotated[date, BeforeValidator(_iso_day)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^ed25519:[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Strict(Spec):
    """A part of a signed file: nothing is converted, and unknown keys are refused."""

    model_config = ConfigDict(strict=True)


class Statement(Strict):
    """One thing that the root key says of a signing key; never changed, never taken back."""

    place: Name = Field(description="What the observatory is of.")
    number: int = Field(ge=1, le=10_000, description="1, 2, 3 …")
    previous: Hash | None = Field(description="SHA-256 of the statement before; null in the first.")
    kind: Saying = Field(
        description="certify: may sign from the day on; retire: may sign up to the day; distrust: what it signed as "
        "published on the day or later is refused."
    )
    key: Hash = Field(description="The signing key: its 32 public bytes.")
    day: Day = Field(description="From when, or up to when.")
    reason: Annotated[str, StringConstraints(max_length=2000)] = Field(description="Why; empty where it needs none.")
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")] = Field(description="Of the root key.")

    @property
    def signed(self) -> bytes:
        """The bytes that the root key signs."""
        return signed_bytes(self.model_dump(mode="json", exclude={"signature"}))

    @property
    def hash(self) -> str:
        """What the next statement calls this one."""
        return hashlib.sha256(canonical.dumps(self.model_dump(mode="json"))).hexdigest()


class _File(Strict):
    """`keys.json` as a whole."""

    format: Literal["safercities-keys/1"]
    root: Hash
    statements: list[Statement] = Field(min_length=1, max_length=10_000)


def signed_bytes(body: dict[str, Any]) -> bytes:
    """What is signed of a statement: the format's name, then its canonical JSON without the signature."""
    return FORMAT.encode() + b"\n" + canonical.dumps(body)


def fingerprint(public: bytes) -> str:
    """Name of a public key: what people compare, and consumers pin.

    Examples
    --------
    >>> fingerprint(bytes(32))[:24]
    'ed25519:66687aadf862bd77'
    """
    return "ed25519:" + hashlib.sha256(public).hexdigest()


def signature_holds(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the key made this signature of these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, repr=False)
class Signer:
    """A private signing key, ready to sign. It never says what it is."""

    public: bytes
    _private: Ed25519PrivateKey

    @property
    def fingerprint(self) -> str:
        """Name of its public key."""
        return fingerprint(self.public)

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature, 64 bytes; the same for the same bytes (RFC 8032)."""
        return self._private.sign(data)


@dataclass(frozen=True)
class Ledger:
    """The statements of one root key, oldest first; whoever holds one knows that they are signed and whole."""

    root: bytes
    statements: tuple[Statement, ...]

    @property
    def identity(self) -> str:
        """Fingerprint of the root key: what consumers pin."""
        return fingerprint(self.root)

    @property
    def place(self) -> str:
        """What the observatory is of."""
        return self.statements[0].place

    @property
    def certified(self) -> dict[str, bytes]:
        """Signing keys that were ever certified, oldest first: fingerprint → public bytes."""
        keys = [bytes.fromhex(each.key) for each in self.statements if each.kind == "certify"]
        return {fingerprint(key): key for key in keys}

    def said(self, kind: Saying, name: str) -> list[date]:
        """The days that statements of one kind name for a key."""
        found = (each for each in self.statements if each.kind == kind)
        return [each.day for each in found if fingerprint(bytes.fromhex(each.key)) == name]

    def refusal(self, name: str, on: date, *, file: str = "") -> Problem | None:
        """Why a release published on that day may not be signed by that key; None where it may.

        Parameters
        ----------
        name
            Fingerprint of the signing key.
        """
        since, until, doubted = (self.said(kind, name) for kind in ("certify", "retire", "distrust"))
        where: dict[str, Any] = {"file": file, "key": name}
        if doubted and min(doubted) <= on:
            return problem("keys-distrusted", **where, since=min(doubted))
        if not since:
            return problem("keys-uncertified", **where)
        if on < min(since):
            return problem("keys-early", **where, since=min(since))
        if until and on > min(until):
            return problem("keys-retired", **where, until=min(until))
        return None

    def extends(self, earlier: Ledger) -> bool:
        """Whether it is the other one, with nothing changed and perhaps more said since."""
        return self.root == earlier.root and self.statements[: len(earlier.statements)] == earlier.statements

    def to_bytes(self) -> bytes:
        """As `keys.json` holds it."""
        said = [each.model_dump(mode="json") for each in self.statements]
        return canonical.dumps({"format": FORMAT, "root": self.root.hex(), "statements": said})


def read_ledger(data: bytes, *, file: str = FILE, identity: str | None = None) -> Ledger:
    """Read `keys.json`, and check every signature and the chain of statements.

    Parameters
    ----------
    identity
        Fingerprint that the root key must have. It is compared first: of somebody else's statements none is checked.

    Raises
    ------
    SafercitiesError
        If it is no canonical JSON of the format, another root key's, a signature is wrong, or statements are missing,
        changed or absurd.
    """
    parsed = parse(_File, canonical.loads(data, file=file, limit=MAX_BYTES), file=file)
    root = bytes.fromhex(parsed.root)
    if identity is not None and fingerprint(root) != identity:
        raise SafercitiesError(problem("release-identity", file=file, found=fingerprint(root), wanted=identity))
    for each in parsed.statements:
        if not signature_holds(root, bytes.fromhex(each.signature), each.signed):
            raise SafercitiesError(problem("keys-signature", file=file, number=each.number))
    _check_order(parsed.statements, parsed.root, file)
    return Ledger(root, tuple(parsed.statements))


def _check_order(statements: Sequence[Statement], root: str, file: str) -> None:
    """Numbers without a gap, each tied to the one before, of one place; keys are certified once, and first."""
    certified: set[str] = {root}  # the root key never signs releases
    previous: Statement | None = None
    for number, each in enumerate(statements, start=1):
        tied = each.previous == (previous.hash if previous else None)
        if each.number != number or not tied or each.place != statements[0].place:
            raise SafercitiesError(problem("keys-order", file=file, number=number))
        if (each.kind == "certify") == (each.key in certified) or (each.kind != "certify" and each.key == root):
            raise SafercitiesError(problem("keys-absurd", file=file, number=number))
        certified.add(each.key)
        previous = each
