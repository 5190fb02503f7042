"""Files in archives are found within bounds, and nothing outside the observatory folder is read."""

from __future__ import annotations

import gzip
import io
import os
import zipfile

import pytest

from safercities.collect import archive
from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.model.errors import SafercitiesError

CSV = "a,b\n1,2\n"


def zipped(members: dict[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return stream.getvalue()


def code_of(folder, file):
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file=file), folder)
    return caught.value.problems[0].code


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"a.csv": CSV}, "z.zip"),
        ({"a.csv": CSV, "b.csv": "c\n1\n"}, "z.zip/a.csv"),
        ({"sub/a.csv": CSV, "b.csv": "c\n1\n"}, "z.zip/sub/a.csv"),
        ({"a.csv": CSV, "__MACOSX/._a.csv": "x", ".DS_Store": "y"}, "z.zip"),
        ({"only.tsv": CSV.replace(",", "\t")}, "z.zip"),
    ],
)
def test_the_member_that_is_meant(tmp_path, write, members, name):
    write("z.zip", zipped(members))
    raw = read_table(FileSpec(file=name), tmp_path)
    assert raw.table.to_pylist() == [{"a": "1", "b": "2"}]
    assert raw.file == name


@pytest.mark.parametrize(
    ("members", "name", "code"),
    [
        ({"a.csv": CSV, "b.csv": CSV}, "z.zip", "archive-several"),
        ({}, "z.zip", "archive-several"),
        ({"a.csv": CSV}, "z.zip/c.csv", "archive-member-missing"),
        ({"../a.csv": CSV}, "z.zip", "archive-unsafe"),
        ({"/etc/a.csv": CSV}, "z.zip", "archive-unsafe"),
        ({"..\\a.csv": CSV}, "z.zip", "archive-unsafe"),
        ({"C:\\a.csv": CSV}, "z.zip", "archive-unsafe"),
        ({"a.csv": CSV, "../evil": "x"}, "z.zip/a.csv", "archive-unsafe"),
        ({"inner.zip": zipped({"a.csv": CSV})}, "z.zip", "archive-nested"),
        ({"a.csv.gz": gzip.compress(CSV.encode())}, "z.zip", "archive-nested"),
        ({"a.csv": ""}, "z.zip", "file-empty"),
    ],
)
def test_archives_that_are_refused(tmp_path, write, members, name, code):
    write("z.zip", zipped(members))
    assert code_of(tmp_path, name) == code


def test_two_members_of_one_name(tmp_path, write):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr("a.csv", CSV)
        with pytest.warns(UserWarning, match="Duplicate name"):
            target.writestr("a.csv", "a,b\n9,9\n")
    write("z.zip", stream.getvalue())
    assert code_of(tmp_path, "z.zip") == "archive-unsafe"


def test_gzip_and_its_faults(tmp_path, write):
    packed = gzip.compress(CSV.encode())
    write("a.csv.gz", packed)
    assert read_table(FileSpec(file="a.csv.gz"), tmp_path).table.num_rows == 1
    write("cut.csv.gz", packed[:-6])
    write("wrong.csv.gz", b"no gzip at all")
    write("cut.zip", zipped({"a.csv": CSV})[:-30])
    write("two.tar.gz", packed)
    codes = [code_of(tmp_path, name) for name in ("cut.csv.gz", "wrong.csv.gz", "cut.zip", "two.tar.gz")]
    assert codes == ["archive-broken", "archive-broken", "archive-broken", "archive-nested"]


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.zip"])
def test_bombs_are_stopped_by_ratio_and_by_size(tmp_path, write, monkeypatch, name):
    content = b"a,b\n" + b"1,2\n" * 2_000_000
    write(name, gzip.compress(content) if name.endswith("gz") else zipped({"a.csv": content}))
    monkeypatch.setattr(archive, "FREE_UNPACKED", 2**20)
    assert code_of(tmp_path, name) == "archive-bomb"
    monkeypatch.setattr(archive, "MAX_RATIO", 10**6)
    assert read_table(FileSpec(file=name), tmp_path).table.num_rows == 2_000_000
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**20)
    assert code_of(tmp_path, name) == "archive-bomb"


@pytest.mark.parametrize(
    "name", ["../outside.csv", "/etc/passwd", "sub/../../outside.csv", "C:\\x.csv", "..\\outside.csv", "."]
)
def test_nothing_outside_the_folder(tmp_path, name):
    folder = tmp_path / "observatory"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text(CSV)
    assert code_of(folder, name) == "file-outside"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_no_link_out_of_the_folder_but_one_within(tmp_path):
    folder = tmp_path / "observatory"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text(CSV)
    (folder / "in.csv").write_text(CSV)
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    (folder / "fine.csv").symlink_to(folder / "in.csv")
    assert code_of(folder, "link.csv") == "file-outside"
    assert read_table(FileSpec(file="fine.csv"), folder).table.num_rows == 1


def damaged(kind: str) -> bytes:
    """A zip that the standard library refuses with errors of several kinds."""
    stream = io.BytesIO()
    methods = {"lzma": zipfile.ZIP_LZMA, "bzip2": zipfile.ZIP_BZIP2}
    with zipfile.ZipFile(stream, "w", methods.get(kind, zipfile.ZIP_DEFLATED)) as target:
        target.writestr("a.csv", CSV * 100)
    content = bytearray(stream.getvalue())
    listing = content.find(b"PK\1\2")
    if kind in methods:
        content[50:75] = b"\xff" * 25
    elif kind == "unknown method":
        content[8] = content[listing + 10] = 99
    elif kind == "unknown version":
        content[listing + 6] = 99
    else:
        content[6] |= 0x40
        content[listing + 8] |= 0x40
    return bytes(content)


@pytest.mark.parametrize("kind", ["lzma", "bzip2", "unknown method", "unknown version", "strong encryption"])
def test_damaged_and_unknown_archives_are_said_to_be_broken(tmp_path, kind):
    (tmp_path / "z.zip").write_bytes(damaged(kind))
    assert code_of(tmp_path, "z.zip") == "archive-broken"


def test_a_name_that_the_system_refuses_is_said(tmp_path):
    assert code_of(tmp_path, "x" * 5000 + ".csv") == "file-unreadable"


@pytest.mark.parametrize("name", ["z.zip", "z.xlsx"])
def test_a_list_of_very_many_members_is_not_read(tmp_path, write, monkeypatch, name):
    write(name, zipped({f"{n}.csv": CSV for n in range(100)}))
    assert code_of(tmp_path, name) in ("archive-several", "workbook-broken")
    monkeypatch.setattr(archive, "MAX_LIST", 1000)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *given: pytest.fail("the list is read"))
    assert code_of(tmp_path, name) == "archive-broken"
