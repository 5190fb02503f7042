"""Bringing files: what is taken, what is refused and why, and that nothing half-brought stays."""

from __future__ import annotations

import gzip
import io
import os
import time
import zipfile
from hashlib import sha256

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from hub.workbench.conftest import MESSY
from safercities.collect import archive
from safercities.hub.jobs import leftovers
from safercities.hub.models import Event, Role, Upload
from safercities.hub.workbench import shelf, uploads
from safercities.hub.workbench.document import Document


def bring(browser, name: str, content: bytes, **more):
    """Upload a file; the text of the page that follows."""
    file = SimpleUploadedFile(name, content)
    file.name = name  # also what no browser would send
    return browser.post("/w/city/files/upload/", {"file": file, **more}, follow=True).content.decode()


def zipped(**members: bytes) -> bytes:
    """A zip with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def test_a_file_is_kept_under_a_name_of_ours_with_its_hash(town, analyst, browser_of, quarantine):
    page = bring(browser_of(analyst), "Homicidios 2023.csv", MESSY)
    one = Upload.objects.get()
    assert "Homicidios 2023.csv" in page
    assert one.sha256 == sha256(MESSY).hexdigest()
    assert one.stored == f"inputs/{one.sha256[:20]}.csv"
    assert (town.path / one.stored).read_bytes() == MESSY
    assert not list(quarantine.iterdir())
    entry = Event.objects.get(verb="file.uploaded")
    assert (entry.actor, entry.object, "Homicidios" in str(entry.detail)) == (analyst, str(one.pk), False)


@pytest.mark.parametrize("name", ["../../up.csv", "/etc/x.csv", "..\\..\\x.csv", "<img src=x onerror=alert(1)>.csv"])
def test_hostile_names_are_only_ever_shown_escaped(name, town, analyst, browser_of):
    page = bring(browser_of(analyst), name, MESSY)
    one = Upload.objects.get()
    assert one.stored.startswith("inputs/")
    assert "/" not in one.name.replace("</", "")
    assert "<img" not in page
    assert [path.name for path in town.path.parent.rglob("*.csv")] == [(town.path / one.stored).name]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("run.php", b"<?php", "ending"),
        ("a.csv", b"", "empty"),
        ("a.csv", b"PK\x03\x04" + b"\0" * 40, "not what its ending"),
        ("a.parquet", b"a;b\n", "not what its ending"),
        ("a.csv.gz", b"\x1f\x8b broken", "archive"),
        ("a.zip", b"PK\x03\x04 broken", "damaged"),
        ("a.xlsx", zipped(x=b"no workbook"), "no workbook"),
        ("a.zip", zipped(**{"in.zip": zipped(x=b"y")}), "archive in the archive"),
        ("a.zip", zipped(**{"..__..__x.csv": b"a;b\n"}), "outside"),
        ("a.zip", zipped(**{"x.csv": b"%PDF-1.4"}), "not what its ending"),
        ("a.zip", zipped(**{f"{n}.csv": b"a\n" for n in range(101)}), "more than 100"),
        ("a.json", b'{"type": 1}'[:0] + b"<VRT/>", "not what its ending"),
    ],
)
def test_what_is_not_taken_is_told_and_leaves_nothing(name, content, why, town, analyst, browser_of, quarantine):
    page = bring(browser_of(analyst), name, content)
    assert "was not taken" in page
    assert why in page
    assert not Upload.objects.exists()
    assert not list(quarantine.iterdir())
    assert not list(town.path.rglob("inputs/*"))


def test_a_bomb_is_refused_by_what_comes_out_of_it(town, analyst, browser_of, monkeypatch):
    monkeypatch.setattr(archive, "FREE_UNPACKED", 2**16)
    bomb = b"a;b\n" * 2**18
    for name, content in (("a.zip", zipped(**{"a.csv": bomb})), ("a.csv.gz", gzip.compress(bomb))):
        assert "was not taken" in bring(browser_of(analyst), name, content)
    assert not Upload.objects.exists()


def test_too_large_a_file_is_not_written_on(town, analyst, browser_of, settings, quarantine, monkeypatch):
    settings.UPLOAD_MAX_BYTES = 1000
    written = []
    monkeypatch.setattr(uploads.Quarantine, "chunk_size", 200)
    clear = uploads.Quarantine.clear
    monkeypatch.setattr(
        uploads.Quarantine, "clear", lambda self: (written.extend(p.stat().st_size for p in self.paths), clear(self))
    )
    assert "was not taken" in bring(browser_of(analyst), "a.csv", b"a;b\n" * 1000)
    assert len(written) == 1
    assert written[0] <= 1000
    assert not Upload.objects.exists()


def test_an_observatory_has_a_limit_and_the_same_file_comes_once(town, analyst, browser_of, settings):
    settings.UPLOAD_MAX_BYTES = 100
    browser = browser_of(analyst)
    bring(browser, "a.csv", b"a;b\n")
    assert "here already" in bring(browser, "other.csv", b"a;b\n")
    Upload.objects.update(size=2000)
    assert "reached their limit" in bring(browser, "b.csv", b"c;d\n")
    assert Upload.objects.count() == 1


def test_nothing_is_written_for_which_an_observatory_has_no_room(town, analyst, browser_of, settings, monkeypatch):
    settings.UPLOAD_MAX_BYTES = 100
    browser = browser_of(analyst)
    bring(browser, "a.csv", b"a;b\n")
    Upload.objects.update(size=1950)
    written = []
    monkeypatch.setattr(uploads.Quarantine, "chunk_size", 20)
    clear = uploads.Quarantine.clear
    monkeypatch.setattr(
        uploads.Quarantine, "clear", lambda self: (written.extend(p.stat().st_size for p in self.paths), clear(self))
    )
    assert "reached their limit" in bring(browser, "b.csv", b"c;d\n" * 24)
    assert sum(written) <= 50
    assert Upload.objects.count() == 1


def test_what_a_killed_upload_left_is_swept(quarantine):
    old, fresh, foreign = quarantine / "brought-old.csv", quarantine / "brought-new.csv", quarantine / "other"
    (quarantine / "release-old").mkdir()
    for path in (old, fresh, foreign, quarantine / "release-old" / "release.zip", quarantine / "tmp1.upload.zip"):
        path.write_bytes(b"x")
    for path in [*quarantine.rglob("*")]:
        if path != fresh:
            os.utime(path, (time.time() - 7200,) * 2)
    assert leftovers.sweep_quarantine() == 3
    assert sorted(path.name for path in quarantine.iterdir()) == ["brought-new.csv", "other"]
    assert leftovers.sweep_quarantine(older=0) == 1
    assert [path.name for path in quarantine.iterdir()] == ["other"]


def test_what_a_killed_copy_left_beside_the_files_is_swept_and_nothing_else(town, quarantine):
    folder = town.path / "inputs"
    folder.mkdir()
    names = [f".new-{'0a' * 8}", ".new-mine", "0a.csv"]
    for name in names:
        (folder / name).write_bytes(b"x")
    assert leftovers.sweep() == 0
    assert leftovers.sweep(older=0) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted(names[1:])


def test_a_file_that_no_source_reads_can_be_taken_away_for_good(town, hidden, analyst, make_user, browser_of):
    browser = browser_of(analyst)
    bring(browser, "cases.csv", MESSY)
    one = Upload.objects.get()
    address = f"/w/city/files/{one.pk}/remove/"
    document = Document.read(town.path)
    table = {"kind": "incidents", "file": one.stored, "when": "Fecha del hecho", "act": "0101"}
    document.with_source("cases", table).save(document.version)
    assert address not in browser.get("/w/city/files/").content.decode()
    assert "A source reads this file" in browser.post(address, follow=True).content.decode()
    assert (town.path / one.stored).is_file()
    Document.read(town.path).with_source("cases", None).save(Document.read(town.path).version)
    reviewer = browser_of(make_user("reviewer", Role.REVIEWER, observatory=town))
    assert reviewer.post(address).status_code == 403
    other = Upload.objects.create(observatory=hidden, name="x", stored="inputs/x.csv", sha256="0" * 64, size=1)
    assert browser.post(f"/w/city/files/{other.pk}/remove/").status_code == 404
    assert address in browser.get("/w/city/files/").content.decode()
    browser.post(address)
    assert not (town.path / one.stored).exists()
    assert not Upload.objects.filter(observatory=town).exists()
    entry = Event.objects.get(verb="file.removed")
    assert (entry.actor, entry.detail) == (analyst, {"sha256": one.sha256})
    assert "1 file is here" in bring(browser, "cases.csv", MESSY)


def test_the_files_page_says_what_is_known(town, analyst, browser_of):
    bring(browser_of(analyst), "cases.csv", MESSY)
    page = browser_of(analyst).get("/w/city/files/").content.decode()
    assert "cases.csv" in page
    assert "No source reads it." in page


def test_replacing_keeps_the_old_file_and_moves_its_source(town, analyst, browser_of):
    browser = browser_of(analyst)
    bring(browser, "cases.csv", MESSY)
    old = Upload.objects.get()
    document = Document.read(town.path)
    table = {"kind": "incidents", "file": old.stored, "when": "Fecha del hecho", "act": "0101"}
    document.with_source("cases", table).save(document.version)
    assert "The old one is kept" in bring(browser, "cases 2.csv", MESSY + MESSY[62:], replaces=old.pk)
    new = Upload.objects.latest("pk")
    assert Document.read(town.path).data["sources"]["cases"]["file"] == new.stored
    assert (town.path / old.stored).read_bytes() == MESSY


def test_one_gets_back_what_was_brought_and_nothing_else(town, hidden, analyst, make_user, browser_of):
    browser = browser_of(analyst)
    bring(browser, "a'b ü;.csv", MESSY)
    one = Upload.objects.get()
    answer = browser.get(f"/w/city/files/{one.pk}/")
    assert b"".join(answer) == MESSY
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Type"] == "application/octet-stream"
    other = Upload.objects.create(observatory=hidden, name="x", stored="inputs/x.csv", sha256="0" * 64, size=1)
    assert browser.get(f"/w/city/files/{other.pk}/").status_code == 404
    Upload.objects.filter(pk=one.pk).update(stored="../secret.csv")
    (town.path.parent / "secret.csv").write_text("no", encoding="utf-8")
    assert browser.get(f"/w/city/files/{one.pk}/").status_code == 404
    reviewer = browser_of(make_user("reviewer", Role.REVIEWER, observatory=town))
    assert reviewer.get("/w/city/files/").status_code == 200
    assert reviewer.get(f"/w/city/files/{one.pk}/").status_code == 403


def test_nobody_else_brings_files_and_nothing_of_theirs_is_written(town, make_user, browser_of, quarantine):
    for role, status in ((Role.VIEWER, 403), (Role.REVIEWER, 403), (None, 404)):
        user = make_user(f"u{role}", *[role] if role else [], observatory=town)
        file = SimpleUploadedFile("a.csv", MESSY)
        assert browser_of(user).post("/w/city/files/upload/", {"file": file}).status_code == status
        assert not list(quarantine.iterdir())


def test_a_form_from_elsewhere_brings_nothing(town, analyst, quarantine):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(analyst)
    answer = browser.post("/w/city/files/upload/", {"file": SimpleUploadedFile("a.csv", MESSY)})
    assert answer.status_code == 403
    assert not Upload.objects.exists()
    assert not list(quarantine.iterdir())


def test_an_archive_with_too_long_a_list_is_shown_and_nothing_in_it(town, analyst, browser_of, monkeypatch):
    (town.path / "cases.zip").write_bytes(zipped(**{"a.csv": MESSY, "b.csv": MESSY}))
    assert "cases.zip/a.csv" in shelf.offered(town)
    monkeypatch.setattr(archive, "MAX_LIST", 10)
    assert list(shelf.offered(town)) == ["cases.zip"]
    assert "cases.zip" in browser_of(analyst).get("/w/city/files/").content.decode()
