"""Keys: made for their user only, rotated, retired and distrusted by statements that nobody can change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from release.made_release import code, keys
from safercities.model.errors import SafercitiesError, UsageError
from safercities.release import canonical
from safercities.release.keys import Ledger, fingerprint, read_ledger, signature_holds
from safercities.release.store import KeyStore

JANUARY, MARCH, MAY, JUNE = (date(2025, month, 1) for month in (1, 3, 5, 6))
posix = pytest.mark.skipif(os.name == "nt", reason="rights are kept otherwise on Windows")


@pytest.fixture(autouse=True)
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAFERCITIES_KEY_PASSPHRASE", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return keys(tmp_path / "keys")


def test_a_made_key_signs_and_its_statements_can_be_read_by_anybody(store):
    signer = store.signing(MARCH)
    ledger = read_ledger((store.folder / "keys.json").read_bytes())
    assert ledger == store.ledger
    assert list(ledger.certified) == [signer.fingerprint]
    assert signature_holds(ledger.certified[signer.fingerprint], signer.sign(b"x"), b"x")
    assert not signature_holds(ledger.certified[signer.fingerprint], signer.sign(b"x"), b"y")
    assert store.identity == fingerprint(ledger.root) != signer.fingerprint


@posix
def test_only_the_user_can_read_them_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        store = keys(tmp_path / "keys")
        store.rotate(MARCH)
    finally:
        os.umask(before)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in store.folder.iterdir()} == {0o600}
    assert len(list(store.folder.iterdir())) == 5  # root, two signing keys, statements, .gitignore; nothing left behind


@posix
@pytest.mark.parametrize("name", ["", "root.pem", "signing", "keys.json"])
@pytest.mark.parametrize("mode", [0o040, 0o004, 0o020])
def test_keys_that_others_can_read_are_refused(store, name, mode):
    path = next(store.folder.glob(f"{name}*")) if name else store.folder
    path.chmod(path.stat().st_mode | mode)
    with pytest.raises(SafercitiesError) as caught:
        store.rotate(MARCH) if name == "root.pem" else store.signing(MARCH)
    assert code(caught) == "keys-open"


@posix
@pytest.mark.parametrize("name", ["", "root.pem", "signing", "keys.json"])
def test_links_are_refused(store, name, tmp_path):
    path = next(store.folder.glob(f"{name}*")) if name else store.folder
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SafercitiesError) as caught:
        store.secret() if name == "root.pem" else store.signing(MARCH)
    assert code(caught) == "keys-link"


def test_keys_are_made_once(store):
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    with pytest.raises(SafercitiesError) as caught:
        store.make(MARCH)
    assert code(caught) == "keys-exist"
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


def test_without_keys_everything_says_so(tmp_path):
    store = KeyStore.open("CO-MDE", tmp_path / "none" / "keys")
    assert not store.exists
    for act in (lambda: store.signing(MARCH), store.secret, lambda: store.rotate(MARCH), lambda: store.identity):
        with pytest.raises(SafercitiesError) as caught:
            act()
        assert code(caught) == "keys-missing"
    assert not store.folder.parent.exists()


def test_a_new_key_takes_over_on_its_day_and_the_identity_stays(store):
    first, identity = store.signing(MARCH), store.identity
    store.rotate(MAY)
    second = store.signing(MAY)
    assert store.identity == identity
    assert first.fingerprint != second.fingerprint
    assert store.signing(date(2025, 4, 30)).fingerprint == first.fingerprint
    refused = {day: store.ledger.refusal(first.fingerprint, day) for day in (MARCH, MAY, JUNE)}
    assert (refused[MARCH], refused[MAY], refused[JUNE].code) == (None, None, "keys-retired")
    assert store.ledger.refusal(second.fingerprint, MARCH).code == "keys-early"
    assert [each.kind for each in store.statements] == ["certify", "certify", "retire"]


def test_a_stolen_key_is_distrusted_from_a_day(store):
    first = store.signing(MARCH).fingerprint
    store.distrust(first, MAY, "laptop stolen")
    assert store.ledger.refusal(first, MARCH) is None
    assert store.ledger.refusal(first, MAY).code == "keys-distrusted"
    with pytest.raises(SafercitiesError) as caught:
        store.signing(JUNE)
    assert code(caught) == "keys-none-valid"
    store.rotate(MAY)
    assert store.signing(JUNE).fingerprint != first
    store.distrust(first, MARCH, "earlier than we thought")
    assert store.ledger.refusal(first, MARCH).code == "keys-distrusted"


def test_a_key_can_be_retired_without_another_one(store):
    first = store.signing(MARCH).fingerprint
    store.retire(first, MAY)
    assert store.ledger.refusal(first, JUNE).code == "keys-retired"


def test_what_cannot_be_said_is_refused(store):
    first = store.signing(MARCH).fingerprint
    before = store.statements
    for act, expected in (
        (lambda: store.distrust("ed25519:0", MAY, "x"), "keys-unknown"),
        (lambda: store.distrust(first, MAY, " "), "keys-reason"),
        (lambda: store.retire(first, date(2024, 12, 31)), "keys-backwards"),
        (lambda: store.rotate(date(2024, 12, 31)), "keys-backwards"),
    ):
        with pytest.raises(UsageError) as caught:
            act()
        assert code(caught) == expected
    assert store.statements == before


def test_a_passphrase_locks_the_private_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFERCITIES_KEY_PASSPHRASE", "correct horse")
    store = keys(tmp_path / "keys")
    for pem in store.folder.glob("*.pem"):
        assert b"ENCRYPTED" in pem.read_bytes()
    assert store.signing(MARCH).sign(b"x")
    for wrong in ("", "horse"):
        monkeypatch.setenv("SAFERCITIES_KEY_PASSPHRASE", wrong)
        with pytest.raises(SafercitiesError) as caught:
            store.signing(MARCH)
        assert code(caught) == "keys-locked"
        assert "horse" not in str(caught.value)
    assert store.identity  # what is public needs no passphrase


def test_a_passphrase_that_locks_nothing_is_said(store, monkeypatch):
    monkeypatch.setenv("SAFERCITIES_KEY_PASSPHRASE", "correct horse")
    with pytest.raises(SafercitiesError) as caught:
        store.signing(MARCH)
    assert code(caught) == "keys-unlocked"


@pytest.mark.parametrize("damage", ["other", "cut", "rsa", "gone", "huge"])
def test_a_file_that_is_not_the_key_is_refused(store, damage):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    path = next(store.folder.glob("signing*"))
    pem = path.read_bytes()
    other = ec.generate_private_key(ec.SECP256R1())
    as_pem = other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    if damage == "gone":
        path.unlink()
    else:
        root = (store.folder / "root.pem").read_bytes()
        path.write_bytes({"other": root, "cut": pem[:50], "rsa": as_pem, "huge": pem * 1000}[damage])
    with pytest.raises(SafercitiesError) as caught:
        store.signing(MARCH)
    assert code(caught) == ("keys-gone" if damage == "gone" else "keys-broken")


def test_the_secret_is_the_roots_alone(tmp_path, store):
    secret = store.secret()
    store.rotate(MARCH)
    assert store.secret() == secret
    assert len(secret) == 32
    assert keys(tmp_path / "other").secret() != secret
    assert all(secret not in path.read_bytes() for path in store.folder.iterdir())
    assert "PRIVATE" not in repr(store) + repr(store.signing(MARCH)) + str(vars(store))


@pytest.mark.parametrize("place", ["", ".", ".."])
def test_a_place_without_an_id_has_no_keys(place):
    with pytest.raises(UsageError) as caught:
        KeyStore.open(place)
    assert code(caught) == "keys-place"


def test_keys_live_where_the_environment_says_and_no_place_leads_out(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFERCITIES_KEYS", str(tmp_path / "usb"))
    assert KeyStore.open("CO-MDE").folder == tmp_path / "usb" / "CO-MDE"
    assert KeyStore.open("../x/CO").folder.parent == tmp_path / "usb"
    monkeypatch.delenv("SAFERCITIES_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert KeyStore.open("CO-MDE").folder == tmp_path / "config" / "safercities" / "keys" / "CO-MDE"


def test_a_user_without_a_home_is_told_where_keys_can_be(monkeypatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("SAFERCITIES_KEYS", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError) as caught:
        KeyStore.open("CO-MDE")
    assert code(caught) == "keys-home"


def test_keys_of_another_place_are_refused(store):
    with pytest.raises(SafercitiesError) as caught:
        _ = KeyStore.open("CO-BOG", store.folder).ledger
    assert code(caught) == "keys-foreign"


class TestStatements:
    """`keys.json` as somebody may have changed it."""

    @pytest.fixture
    def said(self, store: KeyStore) -> dict[str, object]:
        store.rotate(MARCH)
        store.distrust(store.signing(MAY).fingerprint, MAY, "stolen")
        return json.loads((store.folder / "keys.json").read_bytes())

    def read(self, said: dict[str, object]) -> Ledger:
        return read_ledger(canonical.dumps(said))

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda said: said["statements"].pop(1), "keys-order"),
            (lambda said: said["statements"].pop(0), "keys-order"),
            (lambda said: said["statements"].reverse(), "keys-order"),
            (lambda said: said["statements"].append(said["statements"][-1]), "keys-order"),
            (lambda said: said["statements"].clear(), "key-wrong"),
            (lambda said: said["statements"][3].update(day="2026-01-01"), "keys-signature"),
            (lambda said: said["statements"][3].update(kind="certify"), "keys-signature"),
            (lambda said: said["statements"][3].update(reason="lost"), "keys-signature"),
            (lambda said: said["statements"][0].update(place="CO-BOG"), "keys-signature"),
            (lambda said: said["statements"][0].update(day=20000), "key-wrong"),
            (lambda said: said["statements"][0].update(day="2025-02-30"), "key-wrong"),
            (lambda said: said["statements"][0].update(day="2025-W01-1"), "key-wrong"),
            (lambda said: said["statements"][0].update(number=True), "key-wrong"),
            (lambda said: said["statements"][0].update(more=1), "key-unknown"),
            (lambda said: said.update(root="00" * 32), "keys-signature"),
            (lambda said: said.update(root=said["root"] + "\n"), "key-wrong"),
            (lambda said: said.update(format="safercities-keys/2"), "key-wrong"),
            (lambda said: said.pop("root"), "key-missing"),
        ],
    )
    def test_changed_statements_are_refused(self, said, change, expected):
        self.read(said)
        change(said)
        with pytest.raises(SafercitiesError) as caught:
            self.read(said)
        assert code(caught) == expected

    def test_the_end_can_be_cut_off_only_before_those_who_never_saw_it(self, said, store):
        said["statements"].pop()
        shorter = self.read(said)
        assert store.ledger.extends(shorter)
        assert not shorter.extends(store.ledger)

    def test_a_root_key_does_not_sign_releases_and_no_key_is_certified_twice(self, store):
        root = store._load("root.pem", store.ledger.root)
        from safercities.release.store import _statement

        for public in (store.ledger.root, bytes.fromhex(store.statements[0].key)):
            absurd = _statement(root, store.place, store.statements, "certify", public, MAY, "")
            with pytest.raises(SafercitiesError) as caught:
                read_ledger(Ledger(store.ledger.root, (*store.statements, absurd)).to_bytes())
            assert code(caught) == "keys-absurd"
        early = _statement(root, store.place, store.statements, "retire", bytes(32), MAY, "")
        with pytest.raises(SafercitiesError) as caught:
            read_ledger(Ledger(store.ledger.root, (*store.statements, early)).to_bytes())
        assert code(caught) == "keys-absurd"


MAKING = """
import os, signal, sys
from datetime import date
from pathlib import Path
from safercities.release.store import KeyStore
folder, steps = Path(sys.argv[1]), int(sys.argv[2])
for name in ("rename", "replace"):
    def dying(self, to, real=getattr(Path, name)):
        global steps
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps -= 1
        return real(self, to)
    setattr(Path, name, dying)
store = KeyStore.open("CO-MDE", folder)
if not store.exists:
    store.make(date(2025, 1, 1))
store.rotate(date(2025, 5, 1))
"""


@posix
@pytest.mark.parametrize("step", [0, 2, 3, 4, 5, 6])
def test_killed_at_any_moment_the_keys_are_whole_or_not_there(tmp_path, step):
    run = subprocess.run([sys.executable, "-c", MAKING, str(tmp_path / "keys"), str(step)], check=False)
    assert run.returncode < 0
    store = KeyStore.open("CO-MDE", tmp_path / "keys")
    if not store.exists:
        store.make(JANUARY)
    assert store.signing(MARCH)
    store.rotate(MAY)
    assert store.signing(JUNE).fingerprint != store.signing(MARCH).fingerprint


def test_of_somebody_elses_ledger_no_signature_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = KeyStore.open("CO-MDE", tmp_path / "keys")
    store.make(date(2025, 1, 1))
    data, identity = store.ledger.to_bytes(), store.identity
    assert read_ledger(data, identity=identity).identity == identity
    monkeypatch.setattr("safercities.release.keys.signature_holds", lambda *a: pytest.fail("it was checked"))
    with pytest.raises(SafercitiesError) as caught:
        read_ledger(data, identity=fingerprint(bytes(32)))
    assert caught.value.problems[0].code == "release-identity"
