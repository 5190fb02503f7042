"""Handing in releases: whole or not at all, once, by whom it was agreed; traps are refused."""

from __future__ import annotations

import io
import json
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from hub.figures.made_chain import City, new_city
from release.made_release import rows
from safercities.files import locked
from safercities.hub.api import receive as receiving
from safercities.hub.models import Event, Job, Observatory, Release, Role
from safercities.hub.models.tokens import Pin

URL = "/api/v1/observatories/city/releases"


def zipped(folder: Path, **changes: bytes | None) -> bytes:
    """A release as .zip; `changes` by file name, with `_` for `.`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            data = changes.pop(path.name.replace(".", "_"), path.read_bytes())
            if data is not None:
                archive.writestr(path.name, data)
    return made.getvalue()


def release(city: City, number: int) -> Path:
    return next(city.releases.glob(f"*-{number}"))


@pytest.fixture
def pinned(city: Observatory, small: City) -> Observatory:
    """The observatory, which takes releases of the small city."""
    city.place_id = "CO-MDE"
    city.save()
    Pin.objects.create(observatory=city, identity=small.keys.identity)
    return city


@pytest.fixture
def publisher(machine, city):
    return machine(Role.PUBLISHER, of=city, scopes=["submit:release"])


def send(client, body: bytes, kind: str = "application/zip"):
    return client.post(URL, body, content_type=kind)


def stored(observatory: Observatory) -> list[str]:
    folder = observatory.releases
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def quarantine(settings) -> list[Path]:
    return list(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir())


def test_a_chain_is_handed_in_and_shown(pinned, publisher, small, settings, client):
    for number in (1, 2):
        answer = send(publisher, zipped(release(small, number)))
        assert (answer.status_code, answer.json()["created"], answer.json()["number"]) == (201, True, number)
    for name in stored(pinned):
        for file in (small.releases / name).iterdir():
            assert (pinned.releases / name / file.name).read_bytes() == file.read_bytes()
    assert stored(pinned) == ["2022-1", "2023-2"]
    assert [one.received is not None for one in Release.objects.order_by("number")] == [True, True]
    assert Job.objects.get().kind == Job.Kind.FIGURES  # both are shown by one
    verbs = list(Event.objects.order_by("number").values_list("verb", flat=True))
    assert verbs.count("release.received") == 2
    assert quarantine(settings) == []
    assert [one["number"] for one in client.get(URL).json()["releases"]] == [2, 1]


def test_the_same_again_changes_nothing_and_another_one_is_refused(pinned, publisher, small, tmp_path):
    body = zipped(release(small, 1))
    first = send(publisher, body).json()
    events = Event.objects.count()
    again = send(publisher, body)
    assert (again.status_code, again.json()) == (200, {**first, "created": False, "job": None})
    assert Event.objects.count() == events
    other = City(small.keys, tmp_path / "other")
    other.publish("2021", rows("2021"))
    answer = send(publisher, zipped(release(other, 1)))
    assert (answer.status_code, answer.json()["code"]) == (409, "release-differs")
    assert stored(pinned) == ["2022-1"]


def test_what_was_killed_half_way_is_finished_by_sending_it_again(pinned, publisher, small, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(receiving, "_remembered", killed)
        with pytest.raises(KeyboardInterrupt):
            send(publisher, zipped(release(small, 1)))
    assert not Release.objects.exists()
    answer = send(publisher, zipped(release(small, 1)))
    assert (answer.status_code, Release.objects.get().number) == (200, 1)
    assert answer.json()["job"] == str(Job.objects.get().pk)


def test_its_files_in_a_form(pinned, publisher, small):
    def form():
        return {path.name: SimpleUploadedFile(path.name, path.read_bytes()) for path in release(small, 1).iterdir()}

    assert publisher.post(URL, form() | {"../x": SimpleUploadedFile("x", b"x")}).status_code == 400
    assert publisher.post(URL, {"data.csv": SimpleUploadedFile("x", b"x")}).status_code == 400
    assert publisher.post(URL, form() | {"release": SimpleUploadedFile("x", b"x")}).status_code == 400
    assert stored(pinned) == []
    assert publisher.post(URL, form()).status_code == 201
    whole = SimpleUploadedFile("whatever.zip", zipped(release(small, 2)))
    assert publisher.post(URL, {"release": whole}).status_code == 201
    assert stored(pinned) == ["2022-1", "2023-2"]


def altered(folder: Path) -> bytes:
    data = (folder / "data.csv").read_bytes()
    return zipped(folder, data_csv=data.replace(b"22", b"23", 1))


def traversal(folder: Path) -> bytes:
    made = io.BytesIO(zipped(folder))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("../../evil", b"x")
    return made.getvalue()


def link(folder: Path) -> bytes:
    made = io.BytesIO(zipped(folder, data_csv=None))
    with zipfile.ZipFile(made, "a") as archive:
        info = zipfile.ZipInfo("data.csv")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"/etc/passwd")
    return made.getvalue()


def bomb(folder: Path) -> bytes:
    return zipped(folder, data_csv=b"\0" * 60_000_000)


def extra(folder: Path) -> bytes:
    made = io.BytesIO(zipped(folder))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("evil.html", b"x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (altered, "release-altered"),
        (traversal, "archive-unsafe"),
        (link, "release-link"),
        (bomb, "archive-bomb"),
        (extra, "release-file-extra"),
        (lambda folder: zipped(folder, keys_json=None), "release-file-missing"),
        (lambda folder: zipped(folder)[:-40], "release-zip"),
        (lambda folder: b"PK", "release-zip"),
        (lambda folder: zipped(folder, manifest_sig=b"0" * 64), "release-signature"),
    ],
)
def test_what_does_not_hold_is_not_stored(pinned, publisher, small, settings, make, reason):
    answer = send(publisher, make(release(small, 1)))
    assert (answer.status_code, answer.json()["code"]) == (422, "release-refused")
    assert answer.json()["reasons"][0]["code"] == reason
    assert str(settings.HOME) not in json.dumps(answer.json())
    assert stored(pinned) == []
    assert not Release.objects.exists()
    assert quarantine(settings) == []


def test_only_of_the_identity_that_was_agreed(city, publisher, small, tmp_path, pinned):
    foreign = new_city(tmp_path / "foreign")
    foreign.publish("2022", rows("2022"))
    answer = send(publisher, zipped(release(foreign, 1)))
    assert answer.json()["reasons"][0]["code"] == "release-identity"
    Pin.objects.all().delete()
    assert send(publisher, zipped(release(small, 1))).json()["code"] == "identity-unpinned"
    assert stored(city) == []


def test_a_release_of_another_place_is_not_taken(city, pinned, publisher, small):
    """Who signs for several places must not have the numbers of one shown as those of another."""
    city.place_id = "CO-BOG"
    city.save()
    answer = send(publisher, zipped(release(small, 1)))
    assert (answer.status_code, answer.json()["code"]) == (422, "release-refused")
    assert "CO-MDE" in answer.json()["detail"]
    assert stored(pinned) == []
    assert not Release.objects.exists()


def test_a_release_that_is_missing_is_asked_for(pinned, publisher, small):
    answer = send(publisher, zipped(release(small, 2)))
    assert (answer.status_code, answer.json()["code"]) == (409, "release-gap")


def test_where_there_are_releases_only_their_identity_follows(secret, machine, small, tmp_path):
    one = machine(Role.PUBLISHER, of=secret)
    small_copy = tmp_path / "copy"
    shutil.copytree(small.releases, small_copy)
    third = City(small.keys, small_copy, day=5)
    third.publish("2024", rows("2024"))
    answer = one.post(
        "/api/v1/observatories/hidden/releases", zipped(release(third, 3)), content_type="application/zip"
    )
    assert (answer.status_code, answer.json()["number"]) == (201, 3)


@pytest.mark.parametrize("kind", ["text/csv", "application/json", ""])
def test_other_bodies_are_not_taken(pinned, publisher, kind):
    assert send(publisher, b"x", kind).status_code == 415


def test_what_is_too_large_is_not_read(pinned, publisher, settings, small):
    settings.UPLOAD_MAX_BYTES = 100
    assert send(publisher, zipped(release(small, 1))).status_code == 413
    assert publisher.post(URL, {"release": SimpleUploadedFile("x.zip", b"x" * 200)}).status_code == 413
    assert send(publisher, b"").status_code == 411
    for length in ("-5", "٣", "9" * 5_000):
        answer = publisher.generic("POST", URL, b"", content_type="application/zip", CONTENT_LENGTH=length)
        assert answer.status_code == 411


def test_a_second_person_cannot_be_a_token(pinned, publisher, small, settings):
    settings.TWO_PERSON = True
    assert send(publisher, zipped(release(small, 1))).json()["code"] == "two-people"


def test_nobody_adds_to_a_chain_that_somebody_writes_to(pinned, publisher, small):
    pinned.releases.mkdir(parents=True)
    with locked(pinned.releases / "chain"):
        answer = send(publisher, zipped(release(small, 1)))
    assert (answer.status_code, answer.json()["code"]) == (409, "busy")
    assert stored(pinned) == []
