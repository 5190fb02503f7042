"""Shows releases in the hub as `refresh` does, but verifies and indexes the same ones once for all tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from safercities.hub.models import Observatory, Release
from safercities.hub.published import index, refresh

#: What came of it: a copy of the index, and the rows of the shelf.
_KEPT: dict[tuple[str, Path], tuple[Path, list[dict[str, Any]]]] = {}


def show(observatory: Observatory, source: Path) -> None:
    """Show an observatory's releases, which are those of a folder that no test changes.

    Parameters
    ----------
    source
        That folder: the observatory's own, or the one that it was copied from.
    """
    target, key = index(observatory), (observatory.slug, source)
    if key not in _KEPT:
        refresh(observatory)
        copy = Path(os.environ["SAFERCITIES_HUB_HOME"]) / "shown" / str(len(_KEPT))
        shutil.copytree(target, copy)
        _KEPT[key] = copy, list(observatory.shelf.values())
        return
    copy, rows = _KEPT[key]
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(copy, target)
    for row in rows:
        folder = observatory.releases / Path(row["folder"]).name
        Release.objects.create(**row | {"id": None, "observatory_id": observatory.pk, "folder": str(folder)})
