"""A real observatory for jobs, with keys of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub import made_observatory
from safercities.hub.models import Observatory
from safercities.release.store import FOLDER_VARIABLE


@pytest.fixture
def real(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observatory:
    """An observatory that can publish."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    monkeypatch.setenv(FOLDER_VARIABLE, str(keys))
    folder = made_observatory.build(tmp_path / "mini")
    return Observatory.objects.create(slug="mini", name="Mini", place_id="XA-MIN", folder=str(folder))
