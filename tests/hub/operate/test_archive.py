"""Backups that were damaged, cut short, or made to do harm are refused, and nothing lands outside of the new folder."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from safercities.hub.operate import archive
from safercities.hub.operate.archive import Changing, Contents, Writer, unpack
from safercities.model.errors import SafercitiesError

SAID = Contents("2026-01-01T00:00:00+00:00", "1.0", "sqlite", {"city": "/srv/city"}, False)
FILES = {archive.SQLITE: b"database", "observatories/city/observatory.toml": b"[observatory]"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A small backup."""
    file = tmp_path / "made.tar.gz"
    writer = Writer(file)
    for name, data in FILES.items():
        source = tmp_path / "source"
        source.write_bytes(data)
        writer.add(source, name)
    writer.finish(replace(SAID, files=writer.files))
    return file


def unpacked(file: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "new"
    folder.mkdir(parents=True)
    unpack(file, folder)
    return folder


def code_of(file: Path, tmp_path: Path) -> str:
    with pytest.raises(SafercitiesError) as caught:
        unpacked(file, tmp_path)
    outside = [path for path in (tmp_path / "out").iterdir() if path.name != "new"]
    assert not outside
    return caught.value.problems[0].code


def changed(made: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> Path:
    """The backup with other members."""
    with tarfile.open(made) as tar:
        members = [(one, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]
    change(members)
    target = made.with_name("changed.tar.gz")
    with tarfile.open(target, "w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return target


def test_what_was_written_comes_back_for_its_user_only(made: Path, tmp_path: Path) -> None:
    folder = unpacked(made, tmp_path)
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert there == FILES
    assert made.stat().st_mode & 0o777 == 0o600


def test_one_changed_byte_of_a_file_is_seen(made: Path, tmp_path: Path) -> None:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        members[0] = (members[0][0], b"Database")

    assert code_of(changed(made, change), tmp_path) == "backup-broken"


@pytest.mark.parametrize("share", [0.2, 0.6, 0.8])
def test_one_that_was_cut_short_is_seen(made: Path, tmp_path: Path, share: float) -> None:
    data = made.read_bytes()
    made.write_bytes(data[: int(len(data) * share)])
    assert code_of(made, tmp_path) == "backup-broken"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/tmp/evil",
        "observatories/../../evil",
        "observatories/city/../../../evil",
        "observatories/evil",
        "evil",
        "keys/../../evil/x",
        "observatories//city/x",
        "observatories\\..\\..\\evil",
        "observatories/city/evil\0",
        "observatories/city/observatory.toml/evil",
    ],
)
def test_names_that_lead_elsewhere_are_refused(made: Path, tmp_path: Path, name: str) -> None:
    info = tarfile.TarInfo("plain")
    info.pax_headers = {"path": name}  # as it is, also where the short form would cut it off
    file = changed(made, lambda members: members.insert(len(members) - 1, (info, b"evil")))
    assert code_of(file, tmp_path) == "backup-broken"
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(made: Path, tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("observatories/city/link")
    info.type, info.linkname = kind, "/etc/passwd"
    file = changed(made, lambda members: members.insert(0, (info, b"")))
    assert code_of(file, tmp_path) == "backup-broken"


def test_files_that_the_list_does_not_name_are_refused(made: Path, tmp_path: Path) -> None:
    more = tarfile.TarInfo("observatories/city/more")
    assert code_of(changed(made, lambda members: members.append((more, b"x"))), tmp_path) == "backup-broken"


def test_files_that_come_twice_are_refused(made: Path, tmp_path: Path) -> None:
    assert code_of(changed(made, lambda members: members.insert(0, members[0])), tmp_path) == "backup-broken"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"format": 2}, "backup-newer"),
        ({"files": 7}, "backup-broken"),
        ({"database": "oracle"}, "backup-broken"),
        ({"files": {}}, "backup-broken"),
        ({"more": 1}, "backup-broken"),
        ({"observatories": {"../../evil": "/srv/city"}}, "backup-broken"),
        ({"observatories": {"/tmp/evil": "/srv/city"}}, "backup-broken"),
    ],
)
def test_lists_that_say_something_else_are_refused(
    made: Path, tmp_path: Path, said: dict[str, object], code: str
) -> None:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, data = members.pop()
        members.append((info, json.dumps(json.loads(data) | said).encode()))

    assert code_of(changed(made, change), tmp_path) == code


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no archive")
    assert code_of(file, tmp_path) == "backup-broken"


def test_a_file_that_changes_or_goes_while_it_is_read_spoils_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "growing"
    file.write_bytes(b"x" * 100)
    writer = Writer(tmp_path / "a.tar.gz")
    read = archive._Reader.read

    def write_between(reader: archive._Reader, size: int = -1) -> bytes:
        with file.open("ab") as out:
            out.write(b"more")
        return read(reader, size)

    with monkeypatch.context() as patch:
        patch.setattr(archive._Reader, "read", write_between)
        with pytest.raises(Changing):
            writer.add(file, "observatories/city/a")
    with pytest.raises(Changing):
        writer.add(tmp_path / "gone", "observatories/city/b")
    assert not writer.files
    writer.close()
