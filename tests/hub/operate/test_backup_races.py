"""What happens while a backup is made: nothing that its database knows of is missing, or stays in its old place."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from safercities.hub.models import Event, Observatory
from safercities.hub.operate import archive, backing_up, databases, restoring, starting
from safercities.hub.operate.archive import Contents

SAID = Contents("2026-01-01T00:00:00+00:00", "1.0", "sqlite", {"city": "/srv/city"}, False)


def test_an_observatory_that_is_made_meanwhile_is_in_it(
    city: Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(database: Any, folder: Path) -> tuple[Path, str]:
        Observatory.objects.create(slug="late", name="Late", place_id="XA", folder=str(tmp_path / "late"))
        copied = folder / "hub.sqlite3"
        copied.write_bytes(b"x")
        return copied, archive.SQLITE

    for name in ("city", "late"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "observatory.toml").write_text("[observatory]")
    monkeypatch.setattr(databases, "copy", copy)
    target = tmp_path / "backups" / "hub.tar.gz"
    assert backing_up._write(target, tmp_path / "home", keys=False).observatories == 2
    with tarfile.open(target) as tar:
        assert "observatories/late/observatory.toml" in tar.getnames()


def test_no_observatory_goes_on_in_its_old_folder(
    city: Observatory, hidden: Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the old hub still runs, two would write there."""
    monkeypatch.setattr(starting, "enter", lambda home: home)
    monkeypatch.setattr(starting, "prepare", lambda: None)
    monkeypatch.setattr(connections, "close_all", lambda: None)
    restoring._settle(tmp_path / "new", replace(SAID))
    folders = set(Observatory.objects.values_list("folder", flat=True))
    assert folders == {str(tmp_path / "new" / "observatories" / name) for name in ("city", "hidden")}
    assert Event.objects.get().verb == "hub.restored"
