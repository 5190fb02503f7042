"""The files of the pages are gathered where something changed, and always then; else nothing is done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from safercities.hub.operate import gathering


@pytest.fixture
def sources(tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files, which a hub gathers."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "look.css").write_text("a { color: red }" * 50)
    (folder / "act.js").write_text("act()" * 50)
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [folder]
    settings.STATIC_ROOT = tmp_path / "home" / "static"
    (tmp_path / "home").mkdir()
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "safercities.hub.storage.StaticFiles"}}
    return folder


@pytest.fixture
def gathers(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Gathers; whether there was something to do."""
    from django.core import management

    calls: list[str] = []
    real = management.call_command

    def call(name: str, **options: object) -> object:
        calls.append(name)
        return real(name, **options)

    monkeypatch.setattr(management, "call_command", call)

    def gather() -> bool:
        calls.clear()
        gathering.gather()
        return calls == ["collectstatic"]

    return gather


def look(sources: Path) -> Path:
    return sources.parent / "home" / "static" / "look.css"


def test_nothing_is_done_twice(sources: Path, gathers: Callable[[], bool]) -> None:
    assert gathers()
    assert look(sources).read_text() == (sources / "look.css").read_text()
    assert not gathers()
    os.utime(sources / "look.css")  # the same, written again
    assert not gathers()
    assert {path.name for path in look(sources).parent.parent.iterdir()} == {"static", "static.mark"}


@pytest.mark.parametrize("age", [0, 10 * 365 * 86_400])
def test_what_changed_is_replaced_however_old_it_says_it_is(
    sources: Path, gathers: Callable[[], bool], age: int
) -> None:
    """Of the same length, and dated as packages date their files: to when they were made."""
    gathers()
    new = "b { color: red }" * 50
    (sources / "look.css").write_text(new)
    os.utime(sources / "look.css", (time.time() - age,) * 2)
    assert gathers()
    assert look(sources).read_text() == new
    hashed = [path for path in look(sources).parent.glob("look.*.css") if path.read_text() == new]
    assert len(hashed) == 1
    assert not gathers()


def test_a_new_version_or_a_new_file_or_one_that_is_gone_is_seen(
    sources: Path, gathers: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathers()
    (sources / "more.css").write_text("b {}")
    assert gathers()
    (sources / "more.css").unlink()
    assert gathers()
    monkeypatch.setattr(gathering, "version", lambda name: "99")
    assert gathers()
    assert not gathers()


@pytest.mark.parametrize("name", ["look.css", "look.*.css", "staticfiles.json", "../static.mark"])
def test_what_is_missing_is_gathered_again(sources: Path, gathers: Callable[[], bool], name: str) -> None:
    gathers()
    (path,) = look(sources).parent.glob(name)
    path.unlink()
    assert gathers()
    assert path.is_file()


def test_one_that_was_cut_off_is_done_again(
    sources: Path, gathers: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    gathers()
    (sources / "look.css").write_text("b {}")
    with monkeypatch.context() as patch:
        patch.setattr("django.core.management.call_command", lambda *given, **options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gathering.gather()
    (sources / "look.css").write_text("a { color: red }" * 50)  # as it was
    assert gathers()
