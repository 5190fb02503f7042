"""Which version of an index is current: one small file, replaced in one step; versions themselves never change."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from safercities.files import write_private
from safercities.hub.figures.about import FILE
from safercities.model.errors import SafercitiesError, problem

POINTER = "current"
_NAME = re.compile(r"[a-z0-9]{1,64}\.[0-9]{1,4}")


def point(index: Path, name: str) -> None:
    """Make a version current. Of the others the one before it stays, for those who are about to open it.

    Whoever has opened an older one keeps it: its files are gone from the folder, not from them.
    """
    before = _named(index)
    if before != name:
        write_private(index / POINTER, f"{name}\n".encode())
        for other in index.iterdir():
            if _NAME.fullmatch(other.name) and other.name not in (name, before):
                shutil.rmtree(other, ignore_errors=True)


def has_index(index: Path) -> bool:
    """Whether there is a version to read."""
    return _named(index) is not None


def current(index: Path) -> Path:
    """Folder of the current version.

    Raises
    ------
    SafercitiesError
        If there is none.
    """
    name = _named(index)
    if name is None:
        raise SafercitiesError(problem("figures-none", file=index.name))
    return index / name


def _named(index: Path) -> str | None:
    """Name of the current version, if the pointer names one that is there."""
    try:
        name = (index / POINTER).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if _NAME.fullmatch(name) and (index / name / FILE).is_file() else None
