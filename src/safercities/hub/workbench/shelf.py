"""The data files that an observatory has: what forms offer, so that no other path can be chosen."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePath

from safercities import config
from safercities.hub.models import Observatory
from safercities.hub.workbench import uploads
from safercities.model.errors import SafercitiesError
from safercities.model.printable import one_line

_MOST = 300


def offered(observatory: Observatory) -> dict[str, str]:
    """Path in the folder → name for people; files in a zip by `archive.zip/inner.csv`. The newest upload first."""
    found: dict[str, str] = {}
    for upload in observatory.uploads.all()[:_MOST]:
        if (observatory.path / upload.stored).is_file():
            _add(found, observatory.path, upload.stored, upload.name)
    for path in sorted(observatory.path.iterdir()) if observatory.path.is_dir() else ():
        if _is_data(path) and len(found) < _MOST:
            _add(found, observatory.path, path.name, path.name)
    return found


def names(observatory: Observatory) -> dict[str, str]:
    """Stored path → the name that people gave the file."""
    return {upload.stored: upload.name for upload in observatory.uploads.all()}


def shown(file: str, known: dict[str, str]) -> str:
    """A file as people know it: `cases.zip/inner.csv` for what is stored under a name of ours."""
    for stored, name in known.items():
        if file == stored or file.startswith(f"{stored}/"):
            return name + file[len(stored) :]
    return file


def uses(document_data: dict[str, object], stored: str) -> list[tuple[str, str | int]]:
    """Where an observatory.toml names a file: ("sources", name) or ("geographies", number)."""
    found: list[tuple[str, str | int]] = []
    sources, places = document_data.get("sources"), document_data.get("geographies")
    pairs: Iterable[tuple[str, str | int, object]] = [
        *(("sources", name, one) for name, one in (sources.items() if isinstance(sources, dict) else ())),
        *(("geographies", number, one) for number, one in enumerate(places if isinstance(places, list) else ())),
    ]
    for table, key, one in pairs:
        file = str(one.get("file", "")) if isinstance(one, dict) else ""
        if file == stored or file.startswith(f"{stored}/"):
            found.append((table, key))
    return found


def _is_data(path: Path) -> bool:
    plain = path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    return plain and path.name != config.FILE and bool(uploads.ending_of(path.name))


def _add(found: dict[str, str], folder: Path, stored: str, name: str) -> None:
    found[stored] = name
    if not stored.lower().endswith(".zip"):
        return
    try:
        inner = [one for one in uploads.members(folder / stored) if PurePath(one).suffix.lower() in uploads.DATA]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, uploads.RefusedError, SafercitiesError):
        return
    if len(inner) > 1:
        found.update({f"{stored}/{one}": f"{name} / {one_line(one)}" for one in inner})
