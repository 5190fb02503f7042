"""The private keys of an observatory on this machine: made, loaded, rotated, retired, distrusted; never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from safercities.files import keep_out_of_git, locked, replace_folder, settle, write_private
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.release.keys import FILE, MAX_BYTES, Ledger, Saying, Signer, Statement, read_ledger, signed_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Where keys live, and what locks them, where the environment says so.
FOLDER_VARIABLE = "SAFERCITIES_KEYS"
PASSPHRASE_VARIABLE = "SAFERCITIES_KEY_PASSPHRASE"  # noqa: S105 (the name of a variable)
_ROOT = "root.pem"
_MAX_PEM = 10_000
_SEED = b"safercities rounding seed 1"


class KeyStore:
    """The keys of one observatory, in a folder that only its user may read.

    Parameters
    ----------
    place
        Id of the place that the observatory is of.
    folder
        Where its keys are; see `KeyStore.open`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     keys = KeyStore.open("CO-MDE", Path(folder) / "keys")
    ...     keys.make(date(2025, 1, 1))
    ...     keys.signing(date(2025, 3, 1)).fingerprint in keys.ledger.certified
    True
    """

    def __init__(self, place: str, folder: Path) -> None:
        self.place = place
        self.folder = folder

    def __repr__(self) -> str:
        return f"<KeyStore of {self.place}>"

    @classmethod
    def open(cls, place: str, folder: Path | None = None) -> KeyStore:
        """The keys of a place; nothing is read or made yet.

        Parameters
        ----------
        folder
            Default: the place's own folder in `$SAFERCITIES_KEYS`, else in `~/.config/safercities/keys`.

        Raises
        ------
        UsageError
            If the place has no id that can name a folder, or the user no home.
        """
        name = quote(place, safe="")
        if not name.strip("."):
            raise UsageError(problem("keys-place", given=place))
        return cls(place, folder or _home() / name)

    @property
    def exists(self) -> bool:
        """Whether keys were made."""
        if self.folder.parent.is_dir():
            settle(self.folder)
        return (self.folder / FILE).exists()

    @property
    def ledger(self) -> Ledger:
        """What was said of the keys, read anew and checked.

        Raises
        ------
        SafercitiesError
            If there are no keys yet, others can read them, or the statements are broken or of another place.
        """
        if not self.exists:
            raise SafercitiesError(problem("keys-missing", file=str(self.folder), place=self.place))
        self._check_private(self.folder)
        file = self.folder / FILE
        ledger = read_ledger(_read_private(file, MAX_BYTES), file=str(file))
        if ledger.place != self.place:
            raise SafercitiesError(problem("keys-foreign", file=str(file), place=ledger.place))
        return ledger

    @property
    def identity(self) -> str:
        """Fingerprint of the root key: tell it to those who read your releases, by a way that they trust."""
        return self.ledger.identity

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What was said of the keys, oldest first."""
        return self.ledger.statements

    def make(self, today: date) -> None:
        """Make a root key and a first signing key, which is good from `today` on. The folder appears whole.

        Raises
        ------
        SafercitiesError
            If there are keys already.
        """
        with replace_folder(self.folder, mark=FILE, private=True) as work:
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise SafercitiesError(problem("keys-exist", file=str(self.folder)))
            root, signing = _new_key(), _new_key()
            write_private(work / _ROOT, _pem(root))
            write_private(work / _pem_name(_public(signing)), _pem(signing))
            first = _statement(root, self.place, (), "certify", _public(signing), today, "")
            write_private(work / FILE, Ledger(_public(root), (first,)).to_bytes())
            keep_out_of_git(work)  # the folders of settings are in git on some machines
            (work / ".gitignore").chmod(0o600)

    def rotate(self, from_: date) -> None:
        """Make a new signing key that is good from that day on; the keys in use may sign that day for the last time.

        Raises
        ------
        UsageError
            If a key in use begins later than that.
        """
        with self._changing() as ledger:
            used = [
                name for name in ledger.certified if not (ledger.said("retire", name) + ledger.said("distrust", name))
            ]
            if any(min(ledger.said("certify", name)) > from_ for name in used):
                raise UsageError(problem("keys-backwards", day=from_))
            signing = _new_key()
            write_private(self.folder / _pem_name(_public(signing)), _pem(signing))
            ledger = self._say(ledger, "certify", _public(signing), from_, "")
            for name in used:
                ledger = self._say(ledger, "retire", ledger.certified[name], from_, "")
            self._save(ledger)

    def retire(self, fingerprint: str, until: date) -> None:
        """Say that a key signs up to that day only.

        Raises
        ------
        UsageError
            If there is no such key, or it begins later.
        """
        with self._changing() as ledger:
            public = _known(ledger, fingerprint)
            if until < min(ledger.said("certify", fingerprint)):
                raise UsageError(problem("keys-backwards", day=until))
            self._save(self._say(ledger, "retire", public, until, ""))

    def distrust(self, fingerprint: str, from_: date, reason: str) -> None:
        """Say that what this key signed as published on that day or later is not to be believed: it was stolen.

        Raises
        ------
        UsageError
            If there is no such key, or no reason.
        """
        if not reason.strip():
            raise UsageError(problem("keys-reason"))
        with self._changing() as ledger:
            self._save(self._say(ledger, "distrust", _known(ledger, fingerprint), from_, reason))

    def signing(self, on: date) -> Signer:
        """The newest key that may sign a release published on that day.

        Raises
        ------
        SafercitiesError
            If there is none, or it cannot be read safely.
        """
        ledger = self.ledger
        for name, public in reversed(ledger.certified.items()):
            if ledger.refusal(name, on) is None:
                return Signer(public, self._load(_pem_name(public), public))
        raise SafercitiesError(problem("keys-none-valid", file=str(self.folder), day=on))

    def secret(self) -> bytes:
        """32 bytes that only the holder of the root key can know: they seed what must not be guessed, as rounding.

        Source: RFC 5869, HKDF.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        root = self._load(_ROOT, self.ledger.root).private_bytes_raw()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_SEED).derive(root)

    @contextmanager
    def _changing(self) -> Iterator[Ledger]:
        """The statements, while nobody else may add to them."""
        if not self.exists:
            raise SafercitiesError(problem("keys-missing", file=str(self.folder), place=self.place))
        with locked(self.folder):
            yield self.ledger

    def _say(self, ledger: Ledger, kind: Saying, public: bytes, day: date, reason: str) -> Ledger:
        root = self._load(_ROOT, ledger.root)
        said = _statement(root, self.place, ledger.statements, kind, public, day, reason)
        return Ledger(ledger.root, (*ledger.statements, said))

    def _save(self, ledger: Ledger) -> None:
        read_ledger(ledger.to_bytes())  # what could not be read again is not written
        write_private(self.folder / FILE, ledger.to_bytes())

    def _load(self, name: str, public: bytes) -> Ed25519PrivateKey:
        self._check_private(self.folder)
        file = self.folder / name
        key = _from_pem(_read_private(file, _MAX_PEM), str(file))
        if _public(key) != public:
            raise SafercitiesError(problem("keys-broken", file=str(file), message="it is another key"))
        return key

    @staticmethod
    def _check_private(folder: Path) -> None:
        if folder.is_symlink():
            raise SafercitiesError(problem("keys-link", file=str(folder)))
        _check_mode(folder.lstat(), folder)


def _home() -> Path:
    """The folder that holds the keys of all places."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    if given := os.environ.get("XDG_CONFIG_HOME"):
        return Path(given) / "safercities" / "keys"
    try:
        return Path.home() / ".config" / "safercities" / "keys"
    except RuntimeError:  # a user without an entry, as in some containers
        raise UsageError(problem("keys-home", name=FOLDER_VARIABLE)) from None


def _known(ledger: Ledger, fingerprint: str) -> bytes:
    public = ledger.certified.get(fingerprint)
    if public is None:
        raise UsageError(problem("keys-unknown", given=fingerprint, known=", ".join(ledger.certified)))
    return public


def _statement(
    root: Ed25519PrivateKey,
    place: str,
    before: tuple[Statement, ...],
    kind: Saying,
    public: bytes,
    day: date,
    reason: str,
) -> Statement:
    body = {
        "place": place,
        "number": len(before) + 1,
        "previous": before[-1].hash if before else None,
        "kind": kind,
        "key": public.hex(),
        "day": day.isoformat(),
        "reason": reason,
    }
    return Statement.model_validate({**body, "signature": root.sign(signed_bytes(body)).hex()})


def _pem_name(public: bytes) -> str:
    return f"signing-{public.hex()[:16]}.pem"


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _new_key() -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def _passphrase() -> bytes | None:
    return os.environ.get(PASSPHRASE_VARIABLE, "").encode() or None


def _pem(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    locked_with = _passphrase()
    lock = form.BestAvailableEncryption(locked_with) if locked_with else form.NoEncryption()
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock)


def _from_pem(data: bytes, file: str) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    is_locked, given = b"BEGIN ENCRYPTED PRIVATE KEY" in data, _passphrase()
    if is_locked != (given is not None):
        raise SafercitiesError(problem("keys-unlocked" if given else "keys-locked", file=file))
    try:
        key = load_pem_private_key(data, given)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if is_locked:  # a wrong passphrase and a damaged file look the same
            raise SafercitiesError(problem("keys-locked", file=file)) from None
        raise SafercitiesError(problem("keys-broken", file=file, message="it cannot be read")) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SafercitiesError(problem("keys-broken", file=file, message="it is no Ed25519 key"))
    return key


def _check_mode(found: os.stat_result, path: Path) -> None:
    """Only the user may read or change it. (Windows keeps such rights elsewhere.)"""
    if os.name == "nt":
        return
    if found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise SafercitiesError(problem("keys-open", file=str(path)))


def _read_private(path: Path, limit: int) -> bytes:
    """A private file's bytes; refused if it is a link, no file, or somebody else can read it."""
    if path.is_symlink():
        raise SafercitiesError(problem("keys-link", file=str(path)))
    if not path.is_file():
        raise SafercitiesError(problem("keys-gone", file=str(path)))
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as handle:
        found = os.fstat(handle.fileno())
        _check_mode(found, path)
        data = handle.read(limit + 1)
    if not stat.S_ISREG(found.st_mode) or len(data) > limit:
        raise SafercitiesError(problem("keys-broken", file=str(path), message="it is too large"))
    return data
