"""Whatever somebody does to a release or a chain, it is refused, and for the right reason."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from release.made_release import code, content, keys
from safercities.files import sha256
from safercities.model.errors import SafercitiesError
from safercities.release import bundle, canonical, table, verify
from safercities.release.chain import latest, open_chain, verify_chain
from safercities.release.content import SECRET
from safercities.release.keys import Ledger, Signer
from safercities.release.manifest import FILES, HASHED, release_id, signed_bytes
from safercities.release.sdmx import write_data
from safercities.release.store import KeyStore
from safercities.release.verify import verify_release
from safercities.release.write import write_release

DAYS = (date(2025, 3, 1), date(2025, 6, 1), date(2025, 9, 1))
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither")
Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class City:
    """A city that has published three times: the folder of its releases, its keys, and the ids."""

    releases: Path
    store: KeyStore
    ids: tuple[str, ...]

    @property
    def folders(self) -> list[Path]:
        return [self.releases / f"{2022 + number}-{number}" for number in (1, 2, 3)]

    @property
    def first(self) -> Path:
        return self.folders[0]

    def refused(self, folder: Path, **options: Any) -> str:
        """Why one release is refused."""
        with pytest.raises(SafercitiesError) as caught:
            verify_release(folder, identity=self.store.identity, **options)
        return code(caught)

    def chain_refused(self, **options: Any) -> str:
        """Why the chain is refused."""
        with pytest.raises(SafercitiesError) as caught:
            verify_chain(self.releases, identity=self.store.identity, **options)
        return code(caught)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> City:
    folder = tmp_path_factory.mktemp("city")
    store = keys(folder / "keys")
    releases = folder / "observatory" / "releases"
    for year, day in zip(("2023", "2024", "2025"), DAYS, strict=True):
        write_release(content(year, published=day), releases, store)
    chain = verify_chain(releases, identity=store.identity)
    return City(releases, store, tuple(each.id for each in chain))


@pytest.fixture
def city(made: City, tmp_path: Path) -> City:
    """A copy that a test may spoil."""
    shutil.copytree(made.releases, tmp_path / "releases")
    shutil.copytree(made.store.folder, tmp_path / "keys")
    return City(tmp_path / "releases", KeyStore.open("CO-MDE", tmp_path / "keys"), made.ids)


def seal(folder: Path, signer: Signer, change: Change | None = None) -> str:
    """Sign a changed release anew, as somebody can who has a signing key; gives its id."""
    said = json.loads((folder / "manifest.json").read_bytes())
    said["files"] = {
        name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in HASHED
    }
    said["key"] = signer.fingerprint
    if change:
        change(said)
    return seal_bytes(folder, signer, canonical.dumps(said))


def seal_bytes(folder: Path, signer: Signer, data: bytes) -> str:
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(signer.sign(signed_bytes(data)))
    return release_id(data)


# ---- one release: bytes and files

#: Why a changed byte is refused, where the file alone says it.
FLIPPED = {name: {"release-altered"} for name in HASHED} | {
    "manifest.json": {"release-signature"},
    "manifest.sig": {"release-signature"},
    # of the key's own file, the first thing that no longer fits says it
    "keys.json": {"json-broken", "key-unknown", "key-missing", "key-wrong", "keys-signature", "release-identity"},
}


def flip(path: Path, position: int, mask: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= mask
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
def test_one_byte_anywhere(city, name, place):
    path = city.first / name
    flip(path, round(place * (path.stat().st_size - 1)), 1)
    assert city.refused(city.first) in FLIPPED[name]
    assert city.chain_refused() in FLIPPED[name]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_byte_anywhere(city, data):
    path = city.first / data.draw(st.sampled_from(sorted(FILES)))
    before = path.read_bytes()
    try:
        flip(path, data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(1, 255)))
        assert city.refused(city.first) in FLIPPED[path.name]
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", ["manifest.sig", "keys.json"])
def test_every_byte_of_signature_and_keys(city, name):
    path = city.first / name
    before = path.read_bytes()
    for position in range(len(before)):
        flip(path, position, 0x01)
        assert city.refused(city.first) in FLIPPED[name]
        path.write_bytes(before)
    assert verify_release(city.first, identity=city.store.identity)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["empty", "cut", "longer"])
def test_another_length(city, name, how):
    path = city.first / name
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[:-1], "longer": data + b" "}[how])
    expected = FLIPPED[name] | ({"release-large"} if name == "manifest.sig" else set())
    assert city.refused(city.first) in expected


def test_a_huge_file_is_not_read(city, monkeypatch):
    for name in HASHED:
        os.truncate(city.first / name, 3 * 2**30)  # has no blocks on the disk
        expected = "release-large" if name == "keys.json" else "release-altered"
        assert city.refused(city.first) == expected
        shutil.copy(city.folders[1] / name, city.first / name)
        shutil.rmtree(city.first)
        shutil.copytree(city.folders[1], city.first)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_missing(city, name):
    (city.first / name).unlink()
    assert city.refused(city.first) == "release-file-missing"


@pytest.mark.parametrize("name", ["more.csv", ".hidden", "README.md~", "data.CSV"])
def test_a_file_is_added(city, name):
    (city.first / name).write_text("x")
    assert city.refused(city.first) == "release-file-extra"


@posix
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("what", ["link", "broken link", "folder", "pipe"])
def test_a_file_is_no_file(city, name, what, tmp_path):
    path = city.first / name
    path.rename(tmp_path / name)
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / name if what == "link" else tmp_path / "nowhere")
    assert city.refused(city.first) == "release-link"


@posix
def test_a_release_is_a_link(city, tmp_path):
    city.first.rename(tmp_path / "elsewhere")
    city.first.symlink_to(tmp_path / "elsewhere")
    assert city.refused(city.first) == "release-link"
    assert city.chain_refused() == "release-link"


def test_no_release_at_all(city, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "nowhere", tmp_path / "empty", city.first / "data.csv"):
        assert city.refused(path) == "release-none"


# ---- one release: whose it is, and when


def test_a_foreign_key(city, tmp_path):
    """Somebody else publishes as the same city: all is well but the identity."""
    other = keys(tmp_path / "other")
    fake = write_release(content("2023"), tmp_path / "fake" / "releases", other)
    assert verify_release(fake).identity == other.identity
    assert city.refused(fake) == "release-identity"
    shutil.copy(city.first / "keys.json", fake / "keys.json")
    assert city.refused(fake) == "release-signature"


def test_a_key_that_was_never_certified(city, tmp_path):
    signer = keys(tmp_path / "other").signing(DAYS[0])
    seal(city.first, signer)
    assert city.refused(city.first) == "release-signature"


def test_the_root_key_signs_no_release(city):
    root = city.store._load("root.pem", city.store.ledger.root)
    seal(city.first, Signer(city.store.ledger.root, root))
    assert city.refused(city.first) == "release-signature"


def test_a_manifest_that_names_another_key(city, tmp_path):
    other = keys(tmp_path / "other").signing(DAYS[0]).fingerprint
    seal(city.first, city.store.signing(DAYS[0]), lambda said: said.update(key=other))
    assert city.refused(city.first) == "release-signature"


def test_a_release_of_the_future(city):
    tomorrow = date(2025, 3, 2)
    seal(city.first, city.store.signing(DAYS[0]), lambda said: said.update(published=tomorrow.isoformat()))
    assert city.refused(city.first, today=DAYS[0]) == "release-future"
    assert verify_release(city.first, today=tomorrow)
    seal(city.first, city.store.signing(DAYS[0]), lambda said: said.update(published="9999-12-31"))
    assert city.refused(city.first) == "release-future"


def test_another_place(city):
    change = lambda said: said["observatory"].update(place="CO-BOG")  # noqa: E731
    seal(city.first, city.store.signing(DAYS[0]), change)
    assert city.refused(city.first) == "release-place"


@pytest.mark.parametrize("kind", ["keys-retired", "keys-distrusted", "keys-early"])
def test_a_key_that_may_not_sign_that_day(city, kind):
    old = city.store.signing(DAYS[0])
    if kind == "keys-distrusted":
        city.store.distrust(old.fingerprint, date(2025, 7, 1), "stolen")
    else:
        city.store.rotate(date(2025, 7, 1))
    day = "2025-06-30" if kind == "keys-early" else "2025-09-01"
    signer = city.store.signing(date(2025, 8, 1)) if kind == "keys-early" else old
    (city.folders[2] / "keys.json").write_bytes(city.store.ledger.to_bytes())
    seal(city.folders[2], signer, lambda said: said.update(published=day))
    assert city.refused(city.folders[2]) == kind
    assert city.chain_refused() == kind


def test_what_was_said_since_counts(city):
    assert verify_release(city.folders[2], newer=city.store.ledger)
    city.store.distrust(city.store.signing(DAYS[0]).fingerprint, DAYS[1], "stolen")
    assert verify_release(city.first, newer=city.store.ledger)
    assert city.refused(city.folders[2], newer=city.store.ledger) == "keys-distrusted"
    assert city.chain_refused(newer=city.store.ledger) == "chain-doubted"


def test_statements_of_somebody_else_do_not_count(city, tmp_path):
    other = keys(tmp_path / "other").ledger
    assert city.refused(city.first, newer=other) == "release-identity"
    city.store.rotate(DAYS[1])
    one = city.store.ledger
    forked = Ledger(one.root, (*one.statements[:1], *one.statements[1:2]))
    assert verify_release(city.first, newer=forked)


# ---- one release: a manifest that is signed, and yet wrong


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["files"].update({"../evil": {"sha256": "0" * 64, "bytes": 1}}),
        lambda said: said["files"].update({"/etc/passwd": {"sha256": "0" * 64, "bytes": 1}}),
        lambda said: said["files"].update({"C:\\x": {"sha256": "0" * 64, "bytes": 1}}),
        lambda said: said["files"].pop("tables.xlsx"),
        lambda said: said["files"]["data.csv"].update(bytes=2**40),
        lambda said: said["files"]["data.csv"].update(bytes=0),
        lambda said: said["files"]["data.csv"].update(sha256="0" * 63),
        lambda said: said["files"]["data.csv"].update(path="../x"),
        lambda said: said.update(format="safercities-release/2"),
        lambda said: said.update(number=0),
        lambda said: said.update(number=True),
        lambda said: said.update(number=2),
        lambda said: said.update(number=2**52),
        lambda said: said.update(previous="0" * 64),
        lambda said: said.update(published=20000),
        lambda said: said.update(published="2025-13-01"),
        lambda said: said.update(published="20250301"),
        lambda said: said.update(period="../../etc"),
        lambda said: said.update(period="2019"),
        lambda said: said.update(periods=[]),
        lambda said: said.update(supersedes="0" * 64),
        lambda said: said.update(reason="x"),
        lambda said: said.update(more=1),
        lambda said: said.pop("rules"),
        lambda said: said["observatory"].update(name="x" * 5000),
        lambda said: said["denominators"][0].update(people=-1),
        lambda said: said["coverage"][0].update(lowest=1.5),
    ],
)
def test_a_signed_manifest_that_cannot_be(city, change):
    seal(city.first, city.store.signing(DAYS[0]), change)
    assert city.refused(city.first) in {"key-wrong", "key-unknown", "key-missing"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"number":1', b'"number":1,"number":1'),
        (b'"number":1', b'"number":2,"number":1'),
        (b'"number":1', b'"number":01'),
        (b'"number":1', b'"number":1.0'),
        (b'"number":1', b'"number":1e0'),
        (b'"number":1', b'"number":' + b"9" * 100_000),
        (b'"number":1', b'"number":1e999'),
        (b'"number":1', b'"number":' + b"0." + b"1" * 5000),
        (b'"number":1', b'"number":NaN'),
        (b'"number":1', b'"number":Infinity'),
        (b'"number":1', b'"number": 1'),
        (b'"rules":{', b'"rules":{"a":' + b"[" * 20 + b"]" * 20 + b","),
        (b'"rules":{', b'"rules":{"a":' + b"[" * 500_000 + b"]" * 500_000 + b","),
        (b'"rules":{', b'"rules":{"a":' + b'{"a":' * 300_000 + b"1" + b"}" * 300_000 + b","),
        (b'"rules":{', b'"rules":{"a":"\\ud800",'),
        (b'"rules":{', b'"rules":{"a":"\xff",'),
        (b'"rules":{', b'"rules":{"a":"\\u00e9",'),
        (b'"number":1', b'"number":1}'),
        (b"{", b"\xef\xbb\xbf{"),
    ],
)
def test_json_that_hides_something_or_breaks_the_reader(city, old, new):
    data = (city.first / "manifest.json").read_bytes()
    seal_bytes(city.first, city.store.signing(DAYS[0]), data.replace(old, new, 1))
    assert city.refused(city.first) == "json-broken"


def test_a_manifest_that_is_too_large(city):
    data = (city.first / "manifest.json").read_bytes()
    long = data.replace(b'"rules":{', b'"rules":{"a":"' + b"x" * 4 * 2**20 + b'",', 1)
    seal_bytes(city.first, city.store.signing(DAYS[0]), long)
    assert city.refused(city.first) == "release-large"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(-1e15, 1e15),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_canonical_json_is_read_as_it_was_written(value):
    try:
        data = canonical.dumps(value)
    except SafercitiesError:  # half of a character
        assume(False)
    assert canonical.loads(data, file="x", limit=2**20) == value
    assert canonical.dumps(json.loads(data)) == data


# ---- one release: estimates that are signed, and yet wrong


def put(city: City, made: pa.Table, **options: Any) -> str:
    """Publish another table, with all else as it should be."""
    pq.write_table(made, city.first / "estimates.parquet", **options)
    seal(city.first, city.store.signing(DAYS[0]))
    return city.refused(city.first)


@pytest.fixture
def rows(city: City) -> pa.Table:
    return pq.read_table(city.first / "estimates.parquet")


def edited(rows: pa.Table, column: str, value: object, row: int = 0) -> pa.Table:
    index = rows.schema.get_field_index(column)
    values = rows.column(column).to_pylist()
    values[row] = value
    return rows.set_column(index, rows.schema.field(column), pa.array(values, rows.schema.field(column).type))


@pytest.mark.parametrize("column", SECRET)
def test_a_withheld_estimate_that_says_something(city, rows, column):
    row = rows.column("conf_status").to_pylist().index("N")
    kind = rows.schema.field(column).type
    assert put(city, edited(rows, column, "publish" if pa.types.is_string(kind) else 1, row)) == "release-unprotected"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("value", float("nan")),
        ("value", float("inf")),
        ("lower", float("-inf")),
        ("n", -1),
        ("conf_status", "C"),
        ("conf_status", None),
        ("place", None),
        ("sex", None),
        ("note", "x" * 5000),
    ],
)
def test_cells_that_no_release_has(city, rows, column, value):
    assert put(city, edited(rows, column, value)) == "release-estimates"


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.drop_columns(["note"]),
        lambda rows: rows.append_column("income", pa.array(["x"] * len(rows))),
        lambda rows: rows.rename_columns(["Sex" if name == "sex" else name for name in rows.column_names]),
        lambda rows: rows.rename_columns(["note" if name == "sex" else name for name in rows.column_names]),
        lambda rows: rows.select(sorted(rows.column_names)),
        lambda rows: rows.set_column(5, "value", rows.column("value").cast(pa.float32())),
        lambda rows: rows.set_column(4, "sex", pa.array([["F"]] * len(rows))),
        lambda rows: rows.slice(0, 0),
        lambda rows: pa.concat_tables([rows, rows]),
    ],
)
def test_tables_that_are_not_of_a_release(city, rows, change):
    assert put(city, change(rows)) == "release-estimates"


@pytest.mark.parametrize(
    ("column", "value"), [("period", "2019"), ("indicator", "sdg.16.1.3"), ("source", "health"), ("version", "2019-1")]
)
def test_a_table_that_is_not_of_this_manifest(city, rows, column, value):
    assert put(city, edited(rows, column, value)) == "release-disagrees"


@pytest.mark.parametrize(("column", "value"), [("value", 11.0), ("place", "CO-MDE.09"), ("note", "new")])
def test_data_that_are_not_those_of_the_table(city, rows, column, value):
    row = rows.column("sex").to_pylist().index("F")
    assert put(city, edited(rows, column, value, row)) == "release-disagrees"
    shorter = pa.concat_tables([rows.slice(0, 3), rows.slice(4)])
    made = content("2023")
    write_data(replace(made, estimates=type(made.estimates)(shorter)), city.first / "data.csv")
    assert put(city, rows) == "release-disagrees"


def test_data_that_cannot_be_read(city, rows):
    (city.first / "data.csv").write_text("a,b\n1,2\n")
    assert put(city, rows) == "sdmx-unreadable"


def test_tables_that_unpack_without_end(city, rows, monkeypatch):
    monkeypatch.setattr(table, "MAX_ROWS", 11)
    assert put(city, rows) == "release-estimates"
    monkeypatch.undo()
    wide = rows
    for number in range(40):
        wide = wide.add_column(4, f"d{number}", pa.array(["_T"] * len(rows)))
    assert put(city, wide) == "release-estimates"
    monkeypatch.setattr(table, "MAX_MEMORY", 100_000)
    long = pa.concat_tables([edited(rows, "note", "x" * 3900, row) for row in range(12)] * 30)
    long = long.set_column(long.schema.get_field_index("note"), "note", pa.array(["x" * 3900] * len(long)))
    assert (city.first / "estimates.parquet").stat().st_size < 100_000
    assert put(city, long) == "release-estimates"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_parquet_that_is_signed_is_an_error_and_no_crash(made, data):
    whole = (made.first / "estimates.parquet").read_bytes()
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SafercitiesError):  # nothing else
        table.read_parquet(bytes(broken[: data.draw(st.sampled_from([len(whole), len(whole) // 2]))]))


# ---- archives


def pack(folder: Path, path: Path, *, prefix: str = "", kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(prefix + file.name), file.read_bytes(), kind)
    return path


@pytest.mark.parametrize("prefix", ["", "2023-1/", "any name/"])
def test_an_archive_is_as_good_as_the_folder(city, tmp_path, prefix):
    path = pack(city.first, tmp_path / "r.zip", prefix=prefix)
    assert verify_release(path, identity=city.store.identity).id == city.ids[0]
    assert verify_release(pack(city.first, tmp_path / "s.ZIP", kind=zipfile.ZIP_STORED)).id == city.ids[0]


def test_an_archive_beside_its_folder_is_the_same_release(city):
    pack(city.first, city.releases / "2023-1.zip")
    assert [each.id for each in verify_chain(city.releases)] == list(city.ids)
    shutil.rmtree(city.first)
    assert [each.id for each in verify_chain(city.releases)] == list(city.ids)


@pytest.mark.parametrize("prefix", ["../", "/", "a/../", "..\\", "C:/", "a/b/", "./"])
def test_archives_that_lead_out(city, tmp_path, prefix):
    assert city.refused(pack(city.first, tmp_path / "r.zip", prefix=prefix)) == "archive-unsafe"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../evil", "archive-unsafe"),
        ("/evil", "archive-unsafe"),
        ("x/evil", "archive-unsafe"),
        ("x/", "archive-unsafe"),
        ("evil", "release-file-extra"),
        ("..\\evil", "archive-unsafe"),
    ],
)
def test_an_archive_with_something_added(city, tmp_path, name, expected):
    path = pack(city.first, tmp_path / "r.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert city.refused(path) == expected


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_file_twice(city, tmp_path):
    path = pack(city.first, tmp_path / "r.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data.csv", "x")
    assert city.refused(path) == "archive-unsafe"


def test_an_archive_without_a_file(city, tmp_path):
    (city.first / "data.csv").unlink()
    assert city.refused(pack(city.first, tmp_path / "r.zip")) == "release-file-missing"


@pytest.mark.parametrize("what", ["link", "device"])
def test_an_archive_with_a_link(city, tmp_path, what):
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(city.first.iterdir()):
            item = zipfile.ZipInfo(file.name)
            item.external_attr = {"link": 0o120777, "device": 0o020666}[what] << 16
            archive.writestr(item, file.read_bytes() if file.name != "data.csv" else "/etc/passwd")
    assert city.refused(path) == "release-link"


def test_an_archive_that_is_locked(city, tmp_path):
    path = pack(city.first, tmp_path / "r.zip")
    data = bytearray(path.read_bytes())
    position = data.index(b"PK\x01\x02")
    data[position + 8] |= 1
    path.write_bytes(data)
    assert city.refused(path) == "archive-encrypted"


def test_an_archive_packed_in_an_unusual_way(city, tmp_path):
    assert city.refused(pack(city.first, tmp_path / "r.zip", kind=zipfile.ZIP_LZMA)) == "release-zip"


@pytest.mark.parametrize("name", ["keys.json", "manifest.json", "data.csv"])
def test_zip_bombs(city, tmp_path, name):
    """A file that packs to nothing: what the archive says of its size does not matter."""
    if name == "data.csv":  # as large as its signed size
        (city.first / name).write_bytes(bytes(20 * 2**20))
        seal(city.first, city.store.signing(DAYS[0]))
    else:
        (city.first / name).write_bytes(bytes(20 * 2**20))
    path = pack(city.first, tmp_path / "r.zip")
    expected = "archive-bomb" if name == "data.csv" else "release-large"
    assert city.refused(path) == expected
    data = bytearray(path.read_bytes())
    position = data.index(name.encode(), data.index(b"PK\x01\x02")) - 46
    data[position + 24 : position + 28] = struct.pack("<I", 100)  # it lies
    path.write_bytes(data)
    assert city.refused(path) in {expected, "archive-broken", "json-broken", "release-signature", "release-altered"}


def test_an_archive_that_lists_very_many_files(city, tmp_path):
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", "")
    assert city.refused(path) == "release-zip"


def test_archives_that_are_too_large_or_no_archives(city, tmp_path):
    path = pack(city.first, tmp_path / "r.zip")
    data = path.read_bytes()
    for broken, expected in (
        (b"", "release-zip"),
        (b"PK", "release-zip"),
        (data[:-1], "release-zip"),
        (data[:-30], "release-zip"),
        (data + b"x", "release-zip"),
        (data[100:], "archive-broken"),
    ):
        path.write_bytes(broken)
        assert city.refused(path) == expected
    with path.open("wb") as handle:
        handle.truncate(bundle.MAX_ZIP + 1)
    assert city.refused(path) == "release-large"


def test_an_archive_of_the_kind_for_huge_files(city, tmp_path):
    path = pack(city.first, tmp_path / "r.zip")
    data = path.read_bytes()
    path.write_bytes(data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:])
    assert city.refused(path) == "release-zip"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_byte_of_an_archive(city, data):
    path = city.releases.parent / "r.zip"
    pack(city.first, path)
    flip(path, data.draw(st.integers(0, path.stat().st_size - 1)), data.draw(st.integers(1, 255)))
    with suppress(SafercitiesError):  # some bytes mean nothing, as the time of packing
        found = verify.read_release(path, identity=city.store.identity)
        assert found.verified.id == city.ids[0]
        assert found.files["data.csv"] == (city.first / "data.csv").read_bytes()


# ---- chains


def test_the_chain_holds(made):
    chain = verify_chain(made.releases, identity=made.store.identity, known=made.ids)
    assert [each.id for each in chain] == list(made.ids)
    assert latest(chain) == chain
    assert verify_chain(made.releases / "nowhere") == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_release_is_missing(city, number):
    shutil.rmtree(city.folders[number - 1])
    assert city.chain_refused() == "chain-gap"


def test_the_end_is_missing_and_was_known(city):
    shutil.rmtree(city.folders[2])
    assert len(verify_chain(city.releases, known=city.ids[:2])) == 2
    assert city.chain_refused(known=city.ids) == "chain-replayed"


def test_everything_is_missing_and_was_known(city):
    shutil.rmtree(city.releases)
    assert city.chain_refused(known=city.ids) == "chain-replayed"


def test_another_past_than_was_known(city):
    assert city.chain_refused(known=["0" * 64]) == "chain-rewritten"
    assert city.chain_refused(known=[city.ids[0], "0" * 64]) == "chain-rewritten"


def test_an_old_release_is_sent_again(city):
    known = dict(enumerate(city.ids, start=1))
    assert city.refused(city.first, known=known) == "chain-replayed"
    assert verify_release(city.folders[2], known=known)
    assert city.refused(city.folders[2], known={3: "0" * 64}) == "chain-rewritten"
    assert city.refused(city.folders[2], known={2: "0" * 64}) == "chain-previous"
    assert verify_release(city.folders[2], known={1: city.ids[0]})


def test_releases_change_places(city):
    """By name it does not matter: the signed number counts. Numbers that are signed anew no longer fit together."""
    second, third = city.folders[1:]
    second.rename(city.releases / "x")
    third.rename(second)
    (city.releases / "x").rename(third)
    assert [each.id for each in verify_chain(city.releases)] == list(city.ids)
    signer = city.store.signing(DAYS[0])
    for folder, number in ((second, 2), (third, 3)):
        seal(folder, signer, lambda said, number=number: said.update(number=number))
    assert city.chain_refused() == "chain-previous"


def test_two_releases_with_one_number(city):
    shutil.copytree(city.folders[2], city.releases / "2026-3")
    assert len(verify_chain(city.releases)) == 3  # a copy is the same release
    seal(city.releases / "2026-3", city.store.signing(DAYS[2]), lambda said: said.update(safercities="9"))
    assert city.chain_refused() == "chain-fork"


def test_a_release_in_the_middle_is_signed_anew(city):
    seal(city.folders[1], city.store.signing(DAYS[1]), lambda said: said.update(safercities="9"))
    assert city.chain_refused() == "chain-previous"


def test_a_release_is_dated_back(city):
    seal(city.folders[2], city.store.signing(DAYS[2]), lambda said: said.update(published="2025-05-31"))
    assert city.chain_refused() == "chain-backdated"


def test_a_release_of_the_future_in_the_chain(city):
    assert city.chain_refused(today=DAYS[1]) == "release-future"


def test_a_release_of_somebody_else_in_the_chain(city, tmp_path):
    other = keys(tmp_path / "other")
    shutil.copytree(city.releases, tmp_path / "copy")
    shutil.rmtree(city.folders[2])
    fake = city.folders[2]
    shutil.copytree(tmp_path / "copy" / "2025-3", fake)
    (fake / "keys.json").write_bytes(other.ledger.to_bytes())
    seal(fake, other.signing(DAYS[2]))
    assert city.chain_refused() == "release-identity"
    with pytest.raises(SafercitiesError) as caught:
        verify_chain(city.releases)
    assert code(caught) == "release-identity"


def test_statements_on_keys_are_hidden(city):
    """A thief signs with the stolen key and leaves out what distrusts it."""
    before = city.store.ledger.to_bytes()
    old = city.store.signing(DAYS[0])
    city.store.rotate(DAYS[1])
    (city.folders[1] / "keys.json").write_bytes(city.store.ledger.to_bytes())
    second = seal(city.folders[1], city.store.signing(DAYS[1]))
    (city.folders[2] / "keys.json").write_bytes(before)
    seal(city.folders[2], old, lambda said: said.update(previous=second))
    assert verify_release(city.folders[2])  # alone, nothing shows it
    assert city.chain_refused() == "chain-keys"


@pytest.mark.parametrize("target", ["unknown", "itself", "later"])
def test_a_correction_of_what_is_not_there(city, target):
    signer = city.store.signing(DAYS[0])
    wrong = {"unknown": "0" * 64, "itself": city.ids[2], "later": city.ids[2]}[target]
    if target == "later":
        second = seal(city.folders[1], signer, lambda said: said.update(supersedes=wrong, reason="x"))
        seal(city.folders[2], signer, lambda said: said.update(previous=second))
    else:
        seal(city.folders[2], signer, lambda said: said.update(supersedes=wrong, reason="x"))
    assert city.chain_refused() == "chain-supersedes"


def test_two_corrections_of_one_release(city):
    signer = city.store.signing(DAYS[0])
    change = {"supersedes": city.ids[0], "reason": "x"}
    second = seal(city.folders[1], signer, lambda said: said.update(change))
    seal(city.folders[2], signer, lambda said: said.update(change, previous=second))
    assert city.chain_refused() == "chain-superseded-twice"


def test_what_is_no_release_stands_in_the_way(city):
    (city.releases / "README.md").write_text("about these releases")
    assert len(verify_chain(city.releases)) == 3
    (city.releases / "drafts").mkdir()
    assert city.chain_refused() == "release-none"


def test_only_what_was_verified_is_given_out(city):
    """The file may change after it was verified: what was read is what was verified."""
    opened = verify.read_release(city.first, identity=city.store.identity)
    (city.first / "structure.xml").write_text("evil")
    assert b"evil" not in opened.files["structure.xml"]
    assert set(opened.files) == set(HASHED) - {"estimates.parquet"}


def test_verifying_writes_no_file(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", lambda *a, **k: pytest.fail("a folder was made"))
    assert verify_release(city.first, identity=city.store.identity).number == 1


def test_the_releases_in_force_come_with_their_content_and_each_is_read_once(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = tmp_path / "observatory" / "releases"
    shutil.copytree(city.releases, releases)
    day = date(2025, 12, 1)
    write_release(
        content("2023", published=day, supersedes=city.ids[0], reason="wrong"), releases, city.store, today=day
    )
    seen: list[str] = []
    real = verify.open_release
    monkeypatch.setattr(
        "safercities.release.chain.open_release", lambda path, **more: (seen.append(path.name), real(path, **more))[1]
    )
    found = open_chain(releases)
    assert sorted(seen) == sorted(path.name for path in releases.iterdir() if path.name[0] != ".")
    assert [one.verified.number for one in found] == [2, 3, 4]
    assert [one.verified.id for one in found] == [each.id for each in latest(verify_chain(releases))]
    assert all(len(one.estimates) for one in found)
