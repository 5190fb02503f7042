"""The fingerprint of what an observatory measures: observatory.toml, and every file that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from safercities import config, federating, outputs
from safercities.files import sha256


def fingerprint(folder: Path) -> str:
    """SHA-256 of the rules and of all inputs. A file that is not there counts as such.

    Raises
    ------
    SafercitiesError
        If observatory.toml cannot be read.
    """
    found = {
        str(path.relative_to(folder) if path.is_relative_to(folder) else path): _hash(path) for path in _files(folder)
    }
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def written_since(folder: Path, moment: datetime) -> bool:
    """Whether any of them was written after that: cheap, so that pages can say so. The fingerprint decides."""
    return any(path.exists() and path.stat().st_mtime > moment.timestamp() for path in _files(folder))


def _hash(path: Path) -> str:
    return sha256(path) if path.is_file() else ""


def _files(folder: Path) -> list[Path]:
    """Everything that measuring reads."""
    named = [outputs.on_disk(folder, name) for name in _named(config.load(folder).model_dump())]
    found = {folder / config.FILE}
    for path in [*named, folder / federating.PRIVATE / federating.CACHE]:
        if path.is_dir():
            found |= {one for one in path.rglob("*") if one.is_file() and not one.name.startswith(".")}
        elif path.suffix.lower() == ".shp":  # it is several files of one name
            found |= {path, *path.parent.glob(f"{path.stem}.*")}
        else:
            found.add(path)
    return sorted(path for path in found if path != folder / federating.PRIVATE / federating.CACHE)


def _named(value: Any) -> Iterator[str]:
    """The files that a specification names, wherever it does."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "file" and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
