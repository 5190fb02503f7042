"""Pages and files of releases: what corrects what, files by their known names only, in whole, in part, and verified."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.test import Client

from hub.figures.made_chain import new_city
from hub.public.made_site import shelve
from hub.public.test_home import text_of
from release.made_release import rows
from safercities.hub.models import Observatory, Release
from safercities.hub.public import releases as releases_pages
from safercities.hub.public.releases import in_words
from safercities.release.manifest import FILES
from safercities.release.verify import verify_release

pytestmark = pytest.mark.django_db


def body(response: object) -> bytes:
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def test_releases_say_what_they_correct_and_why(client: Client, medellin: Observatory) -> None:
    said = text_of(client.get("/o/medellin/releases/").content)
    assert said.index("Release 5") < said.index("Release 4") < said.index("Release 1")
    assert "Corrects release 2 : counted twice; Santa Cruz is withdrawn" in said
    assert "Corrected by release 3 : counted twice; Santa Cruz is withdrawn" in said
    assert said.count("no longer in force") == 1
    wrong = text_of(client.get("/o/medellin/releases/2/").content)
    assert "This release is no longer in force. Release 3 corrects it" in wrong
    right = text_of(client.get("/o/medellin/releases/3/").content)
    assert "Small counts were rounded before anything else was computed" in right
    assert "The smallest count that may be told is 5." in right


def test_a_page_names_every_file_its_hash_and_how_to_check(client: Client, medellin: Observatory) -> None:
    page = client.get("/o/medellin/releases/1/").content.decode()
    folder = Path(Release.objects.get(observatory=medellin, number=1).folder)
    for name in FILES:
        assert f'href="/o/medellin/releases/1/{name}"' in page
    assert hashlib.sha256((folder / "data.csv").read_bytes()).hexdigest() in page
    verified = verify_release(folder)
    assert f"safercities verify medellin-release-1.zip --identity {verified.identity}" in page
    assert verified.key in page
    assert verified.id in page


def test_every_file_is_an_attachment_with_its_own_bytes(client: Client, medellin: Observatory) -> None:
    folder = Path(Release.objects.get(observatory=medellin, number=1).folder)
    for name in FILES:
        got = client.get(f"/o/medellin/releases/1/{name}")
        data = (folder / name).read_bytes()
        assert body(got) == data
        assert got["Content-Disposition"] == f'attachment; filename="{name}"'
        assert got["Content-Length"] == str(len(data))
        assert got["X-Content-Type-Options"] == "nosniff"
        again = client.get(f"/o/medellin/releases/1/{name}", headers={"if-none-match": got["ETag"]})
        assert again.status_code == 304
        assert client.head(f"/o/medellin/releases/1/{name}")["Content-Length"] == str(len(data))


def test_the_zip_is_what_verify_takes(client: Client, medellin: Observatory, tmp_path: Path) -> None:
    got = client.get("/o/medellin/releases/3/release.zip")
    path = tmp_path / "given.zip"
    path.write_bytes(body(got))
    assert verify_release(path).number == 3
    assert got["Content-Disposition"] == 'attachment; filename="medellin-release-3.zip"'


def test_a_release_that_came_as_a_zip_is_given_out_as_well(
    client: Client, medellin: Observatory, tmp_path: Path
) -> None:
    found = Release.objects.get(observatory=medellin, number=1)
    whole, data = Path(found.folder), (Path(found.folder) / "data.csv").read_bytes()
    found.folder = shutil.make_archive(str(tmp_path / "one"), "zip", whole.parent, whole.name)
    found.save()
    assert body(client.get("/o/medellin/releases/1/data.csv")) == data
    part = client.get("/o/medellin/releases/1/data.csv", headers={"range": "bytes=5-9"})
    assert (part.status_code, body(part)) == (206, data[5:10])
    assert client.get("/o/medellin/releases/1/").status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-8", 206, slice(-8, None)),
        ("bytes=4-99999999", 206, slice(4, None)),
        ("bytes=99999999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=9999999999999999999-", 416, None),
        ("bytes=7-3", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("lines=0-1", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
    ],
)
def test_parts_of_a_file(client: Client, medellin: Observatory, asked: str, status: int, given: slice | None) -> None:
    address = "/o/medellin/releases/1/estimates.parquet"
    data = body(client.get(address))
    got = client.get(address, headers={"range": asked})
    assert got.status_code == status
    if given is None:
        assert got["Content-Range"] == f"bytes */{len(data)}"
    else:
        assert body(got) == data[given]
    if status == 206:
        assert got["Content-Range"].endswith(f"/{len(data)}")
    old = client.get(address, headers={"range": asked, "if-range": '"another"'})
    assert body(old) == data
    assert pq.read_table(io.BytesIO(data)).num_rows


@pytest.mark.parametrize(
    "name",
    ["../keys.json", "..%2f..%2fobservatory.toml", "%2e%2e/data.csv", "data.csv%00.html", "data.csv/", ".", "nothing",
     "Data.csv", "%2fetc%2fpasswd", "manifest.json~"],
)  # fmt: skip
def test_no_other_name_leads_anywhere(client: Client, medellin: Observatory, name: str) -> None:
    assert client.get(f"/o/medellin/releases/1/{name}").status_code == 404


def test_links_and_changed_files_are_not_given_out(client: Client, releases: Path, tmp_path: Path, db: None) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(releases, copy)
    made = shelve("copy", copy)
    folder = Path(Release.objects.get(observatory=made, number=1).folder)
    outside = tmp_path / "outside.csv"
    shutil.copy(folder / "data.csv", outside)
    (folder / "data.csv").unlink()
    (folder / "data.csv").symlink_to(outside)
    assert client.get("/o/copy/releases/1/data.csv").status_code == 404
    (folder / "README.md").write_text("something else")
    assert client.get("/o/copy/releases/1/README.md").status_code == 404
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes() + b" ")
    for name in ("manifest.json", "keys.json", "", "release.zip"):
        assert client.get(f"/o/copy/releases/1/{name}").status_code == 404


def test_releases_of_hidden_observatories_are_nobodys(
    client: Client, medellin: Observatory, secret: Observatory
) -> None:
    for name in ("", "release.zip", *FILES):
        assert client.get(f"/o/secret/releases/1/{name}").status_code == 404
    assert client.get("/o/medellin/releases/99/").status_code == 404
    assert client.get("/o/medellin/releases/99/data.csv").status_code == 404
    assert client.get("/o/medellin/releases/99999999999999999999/").status_code == 404


def test_only_reviews_of_releases_are_public(client: Client, releases: Path, tmp_path: Path, db: None) -> None:
    copy = tmp_path / "reviewed"
    shutil.copytree(releases, copy)
    for name in ("2024", "2024-published"):
        (copy / "reviews" / name).mkdir(parents=True)
        (copy / "reviews" / name / "review.html").write_text(f"<!doctype html><title>{name}</title>")
    shelve("reviewed", copy)
    home = client.get("/o/reviewed/").content.decode()
    assert 'href="/o/reviewed/review/2024/review.html"' in home
    page = client.get("/o/reviewed/review/2024/review.html")
    assert b"2024-published" in page.content
    assert "sandbox" in page["Content-Security-Policy"]
    assert "default-src 'none'" in page["Content-Security-Policy"]
    for address in ("2024-published/review.html", "../2024/review.html", "2023/review.html", "2024/data.xlsx"):
        assert client.get(f"/o/reviewed/review/{address}").status_code == 404


def test_rules_that_are_not_known_are_left_to_the_readme() -> None:
    assert in_words({"method": "magic", "minimum_count": "many", "tables": 3, "error": 4, "new": {}}) == []
    assert "withheld, zero included" in in_words({"method": "suppression"})[0]


def test_a_long_list_of_populations_ends_and_says_so(
    client: Client, db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = tuple(("CO-MDE", str(year), 2.5e6) for year in range(2020, 2025))
    new_city(tmp_path).publish("2024", rows("2024"), denominators=years)
    shelve("long", tmp_path / "city")
    page = client.get("/o/long/releases/1/").content.decode()
    assert page.count("2,500,000") == 5
    assert "the files have every row" not in page
    monkeypatch.setattr(releases_pages, "MOST_PEOPLE", 2)
    page = client.get("/o/long/releases/1/?again").content.decode()
    assert page.count("2,500,000") == 2
    assert "the files have every row" in page
