"""A release is written whole, at the end of its chain, and the same for the same content."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from release.made_release import PUBLISHED, code, content, keys, rows
from safercities import files
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.release import write
from safercities.release.chain import latest, verify_chain
from safercities.release.content import SECRET, Content
from safercities.release.manifest import FILES, read_manifest
from safercities.release.store import KeyStore
from safercities.release.verify import read_release, verify_release
from safercities.release.write import write_release

LATER = date(2025, 9, 1)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return keys(tmp_path / "private" / "keys")


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "city" / "releases"


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if not p.name.startswith(".") and p.is_file()
    }


def test_what_is_written_is_read_back(releases, store):
    made = content()
    folder = write_release(made, releases, store)
    assert folder == releases / "2024-1"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    found = read_release(folder, identity=store.identity)
    assert found.estimates.table.equals(made.estimates.table)
    assert found.verified.warnings == ()
    assert found.verified.key == store.signing(PUBLISHED).fingerprint
    said = found.verified.manifest
    assert (said.number, said.previous, said.published, said.synthetic) == (1, None, PUBLISHED, True)
    assert said.observatory.model_dump() == {"place": "CO-MDE", "name": "Medellín, made up", "level": "city"}
    assert said.rules == dict(made.rules)
    assert [each.model_dump() for each in said.coverage] == [
        {"indicator": "sdg.16.1.1", "source": "homicides", "estimates": 12, "withheld": 4, "lowest": 1.0}
    ]
    assert found.files["README.md"].startswith(b"#")


def test_whose_release_it_is_must_be_known_or_is_warned_of(releases, store):
    folder = write_release(content(), releases, store)
    (warning,) = verify_release(folder).warnings
    assert warning.code == "release-unpinned"
    assert store.identity in str(warning)


def test_a_chain_grows(releases, store):
    first = write_release(content("2024"), releases, store)
    second = write_release(content("2025-01/2025-06", published=LATER), releases, store)
    assert second.name == "2025-01_2025-06-2"
    chain = verify_chain(releases, identity=store.identity)
    assert [(each.number, each.path) for each in chain] == [(1, first), (2, second)]
    assert [each.manifest.previous for each in chain] == [None, chain[0].id]
    assert latest(chain) == chain


def test_a_correction_takes_the_place_of_what_it_corrects(releases, store):
    write_release(content("2024"), releases, store)
    (wrong,) = verify_chain(releases, identity=store.identity)
    before = everything(wrong.path)
    changed = content("2024", published=LATER, supersedes=wrong.id, reason="late records")
    write_release(changed, releases, store)
    chain = verify_chain(releases, identity=store.identity)
    assert latest(chain) == [chain[1]]
    assert everything(wrong.path) == before
    again = replace(changed, published=date(2025, 10, 1))
    with pytest.raises(SafercitiesError) as caught:
        write_release(again, releases, store)
    assert code(caught) == "chain-superseded-twice"
    write_release(replace(again, supersedes=chain[1].id), releases, store)
    assert [each.number for each in latest(verify_chain(releases))] == [3]


def test_publishing_the_same_again_is_the_same_release(releases, store):
    first = write_release(content(), releases, store)
    before = everything(releases)
    assert write_release(content(), releases, store) == first
    assert everything(releases) == before
    (only,) = verify_chain(releases)
    correction = content(published=LATER, supersedes=only.id, reason="x")
    assert write_release(correction, releases, store) == write_release(correction, releases, store)
    other_label = replace(correction, place=replace(correction.place, level="town"))
    other_label = replace(other_label, supersedes=None, reason=None)
    assert write_release(other_label, releases, store).name == "2024-3"


WRITING = """
import sys, os, locale
sys.path.insert(0, sys.argv[1])
os.umask(0o077)
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
from pathlib import Path
from release.made_release import content
from safercities.release.store import KeyStore
from safercities.release.write import write_release
write_release(content(), Path(sys.argv[2]), KeyStore.open("CO-MDE", Path(sys.argv[3])))
"""


def test_the_same_content_gives_the_same_bytes_anywhere(releases, store, tmp_path):
    first = everything(write_release(content(), releases, store))
    shuffled = content()
    shuffled = replace(shuffled, estimates=Estimates(shuffled.estimates.table.take([*range(11, -1, -1)])))
    second = everything(write_release(shuffled, tmp_path / "b" / "releases", store))
    there = tmp_path / "elsewhere" / "releases"
    env = os.environ | {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0"}
    tests = str(Path(__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", WRITING, tests, str(there), str(store.folder)], check=True, env=env, cwd=tmp_path
    )
    third = everything(there / "2024-1")
    for name, data in first.items():
        assert second[name] == data, name
        assert third[name] == data, name


def test_nothing_of_the_machine_is_in_it(releases, store, tmp_path):
    import io
    import zipfile

    folder = write_release(content(), releases, store)
    home = str(Path.home()) if len(str(Path.home())) > 5 else "/home/"
    words = [str(one).encode() for one in (tmp_path, home, Path.cwd())]
    words += [os.uname().nodename.encode()] if hasattr(os, "uname") else []
    data = everything(folder)
    with zipfile.ZipFile(io.BytesIO(data["tables.xlsx"])) as workbook:
        data |= {name: workbook.read(name) for name in workbook.namelist()}
    for name, text in data.items():
        assert not [word for word in words if word in text], name


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"published": date(2025, 3, 2)}, "release-future"),
        ({"published": date(2024, 12, 31)}, "keys-none-valid"),
        ({"place": Place("CO-BOG", "Bogotá", "city")}, "release-place"),
        ({"estimates": Estimates.from_rows(rows("2023"))}, "release-content"),
        ({"period": "../2024"}, "period-unreadable"),
        ({"indicators": {}}, "release-content"),
        ({"places": ()}, "release-content"),
        ({"series": ()}, "release-content"),
        ({"dimensions": {}}, "release-content"),
        ({"supersedes": "0" * 64}, "release-content"),
        ({"reason": "why"}, "release-content"),
        ({"supersedes": "0" * 64, "reason": " "}, "release-content"),
        ({"supersedes": "0" * 64, "reason": "why"}, "chain-supersedes"),
        ({"rules": {"k": float("nan")}}, "json-unfit"),
        ({"rules": {"k": {1, 2}}}, "json-unfit"),
        ({"rules": {"k": 10**400}}, "json-unfit"),
        ({"languages": ()}, "key-wrong"),
        ({"estimates": Estimates.empty(["sex"])}, "release-estimates"),
    ],
)
def test_what_cannot_be_published_leaves_nothing_behind(releases, store, changes, expected):
    with pytest.raises(SafercitiesError) as caught:
        write_release(content(**changes), releases, store, today=PUBLISHED)
    assert code(caught) == expected
    assert not releases.exists() or [path for path in releases.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("column", SECRET)
def test_a_withheld_estimate_that_says_anything_is_never_published(releases, store, column):
    told = rows()
    withheld = next(row for row in told if row["conf_status"] == "N")
    withheld[column] = "publish" if column == "verdict" else 1
    with pytest.raises(SafercitiesError) as caught:
        write_release(content(estimates=Estimates.from_rows(told)), releases, store)
    assert (code(caught), caught.value.problems[0].column) == ("release-unprotected", column)


@pytest.mark.parametrize("name", ["version", "source"])
def test_an_estimate_says_whose_it_is_and_of_what(releases, store, name):
    told = rows()
    told[0] = {**told[0], name: None}
    with pytest.raises(SafercitiesError, match=f"{name} is missing"):
        write_release(content(estimates=Estimates.from_rows(told)), releases, store)


@pytest.mark.parametrize("status", ["C", "D", "", None])
def test_the_public_never_sees_why_an_estimate_is_withheld(releases, store, status):
    told = rows()
    told[0] = {**told[0], "conf_status": status}
    with pytest.raises(SafercitiesError) as caught:
        write_release(content(estimates=Estimates.from_rows(told)), releases, store)
    assert code(caught) == "release-estimates"


def test_the_day_of_publication_never_goes_back(releases, store):
    write_release(content(published=LATER), releases, store)
    with pytest.raises(SafercitiesError) as caught:
        write_release(content("2025", published=PUBLISHED), releases, store)
    assert code(caught) == "chain-backdated"


def test_a_broken_chain_is_not_added_to(releases, store):
    folder = write_release(content(), releases, store)
    (folder / "README.md").write_text("edited")
    with pytest.raises(SafercitiesError) as caught:
        write_release(content("2025", published=LATER), releases, store)
    assert code(caught) == "release-altered"


def test_a_chain_of_somebody_else_is_not_added_to(releases, store, tmp_path):
    write_release(content(), releases, store)
    with pytest.raises(SafercitiesError) as caught:
        write_release(content("2025", published=LATER), releases, keys(tmp_path / "private" / "other"))
    assert code(caught) == "release-identity"


def test_what_is_there_is_never_overwritten(releases, store):
    (releases / "2024-1").mkdir(parents=True)
    (releases / "2024-1" / "thesis.txt").write_text("mine")
    before = everything(releases)
    with pytest.raises(SafercitiesError) as caught:
        write_release(content(), releases, store)
    assert code(caught) == "release-none"
    assert everything(releases) == before
    (releases / "2024-1" / "thesis.txt").unlink()
    (releases / "2024-1").rmdir()
    (releases / "2024-1").write_text("mine")
    with pytest.raises(SafercitiesError) as caught:
        write_release(content(), releases, store)
    assert code(caught) == "release-exists"
    assert everything(releases) == {"2024-1": b"mine"}


def test_keys_in_the_shared_folder_are_refused(releases):
    with pytest.raises(SafercitiesError) as caught:
        write_release(content(), releases, keys(releases.parent / "keys"))
    assert code(caught) == "keys-inside"


def test_a_writer_that_fails_leaves_the_former_state(releases, store, monkeypatch):
    write_release(content(), releases, store)
    before = everything(releases)

    def failing(made: Content, folder: Path) -> None:
        (folder / "data.csv").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_write_files", failing)
    with pytest.raises(OSError, match="No space"):
        write_release(content("2025", published=LATER), releases, store)
    assert everything(releases) == before
    monkeypatch.undo()
    assert write_release(content("2025", published=LATER), releases, store).name == "2025-2"


def test_two_runs_at_the_same_time_do_not_fork_the_chain(releases, store):
    releases.mkdir(parents=True)
    with files.locked(releases / "chain"), pytest.raises(SafercitiesError) as caught:
        write_release(content(), releases, store)
    assert code(caught) == "output-busy"
    assert verify_chain(releases) == []


def test_what_a_killed_run_had_ready_is_not_published_behind_ones_back(releases, store):
    """The next release was protected without thinking of it."""
    folder = write_release(content("2023"), releases, store)
    folder.rename(releases / ".2023-1.ready")
    assert write_release(content("2024"), releases, store) == releases / "2024-1"
    assert len(verify_chain(releases)) == 1
    assert not (releases / ".2023-1.ready").exists()


def test_a_key_that_was_retired_too_early_is_mended_by_a_correction(releases, store):
    write_release(content(published=LATER), releases, store)
    (wrong,) = verify_chain(releases)
    store.rotate(date(2025, 5, 1))
    anew = content(published=LATER, supersedes=wrong.id, reason="signed anew")
    write_release(anew, releases, store)
    assert [each.number for each in latest(verify_chain(releases, newer=store.ledger))] == [2]


def test_a_new_key_continues_the_chain(releases, store):
    write_release(content(), releases, store)
    store.rotate(date(2025, 5, 1))
    write_release(content("2025", published=LATER), releases, store)
    first, second = verify_chain(releases, identity=store.identity)
    assert first.key != second.key
    assert first.identity == second.identity


def test_what_a_stolen_key_signed_must_be_published_anew_first(releases, store):
    write_release(content("2023"), releases, store)
    write_release(content("2024", published=date(2025, 6, 1)), releases, store)
    wrong = verify_chain(releases)[1]
    store.distrust(wrong.key, date(2025, 5, 1), "stolen")
    store.rotate(date(2025, 5, 1))
    with pytest.raises(SafercitiesError) as caught:
        verify_chain(releases, newer=store.ledger)
    assert code(caught) == "chain-doubted"
    with pytest.raises(SafercitiesError) as caught:
        verify_release(wrong.path, newer=store.ledger)
    assert code(caught) == "keys-distrusted"
    with pytest.raises(SafercitiesError) as caught:
        write_release(content("2025", published=LATER), releases, store)
    assert code(caught) == "chain-doubted"
    anew = content("2024", published=LATER, supersedes=wrong.id, reason="signed anew: the key was stolen")
    write_release(anew, releases, store)
    chain = verify_chain(releases, identity=store.identity)
    assert [each.distrusted for each in chain] == [False, True, False]
    assert [each.number for each in latest(chain)] == [1, 3]
    write_release(content("2025", published=LATER), releases, store)


def test_a_definition_keeps_its_hash_and_another_one_has_another(releases, store):
    said = read_manifest((write_release(content(), releases, store) / "manifest.json").read_bytes())
    made = content()
    definition = made.indicators["sdg.16.1.1"]
    other = definition.model_copy(update={"direction": "higher"})
    later = replace(made, indicators={"sdg.16.1.1": other}, published=LATER)
    second = read_manifest((write_release(later, releases, store) / "manifest.json").read_bytes())
    assert said.indicators["sdg.16.1.1"].versions == ["2017-1"]
    assert said.indicators["sdg.16.1.1"].sha256 != second.indicators["sdg.16.1.1"].sha256


def test_a_larger_release_is_written_and_verified(releases, store):
    many = [
        {**row, "place": f"CO-MDE.{place:03}", "period": str(year)}
        for row in rows()
        if row["place"] == "CO-MDE"
        for place in range(50)
        for year in range(2015, 2025)
    ]
    places = [Place(f"CO-MDE.{place:03}", f"{place}", "neighbourhood", parent="CO-MDE") for place in range(50)]
    made = content(estimates=Estimates.from_rows(many), places=(content().place, *places))
    folder = write_release(made, releases, store)
    assert len(read_release(folder).estimates) == len(many) == 2000
