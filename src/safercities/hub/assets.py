"""Where the built scripts and styles of `frontend/` are: their names hold a hash, and Vite's manifest knows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

#: Made by `make frontend`.
BUILT = Path(__file__).parent / "static" / "hub" / "built"
#: Where the folder stands under STATIC_URL. Its files refer to each other by name, so their addresses are used as they
#: are: a storage that puts another hash into a name would make the browser load a module twice, as two modules.
FOLDER = "hub/built/"


@dataclass(frozen=True)
class Asset:
    """Addresses of what an entry needs, in the order in which a page names them."""

    script: str
    styles: tuple[str, ...]
    preload: tuple[str, ...]  # modules that the script imports at once


def asset(name: str) -> Asset:
    """Find an entry of the front end: "site", "charts", "map" or "workbench".

    Raises
    ------
    ImproperlyConfigured
        Where the front end has not been built, or has no such entry.
    """
    manifest = _manifest(BUILT)
    key = f"src/{name}.ts"
    if not manifest.get(key, {}).get("isEntry"):
        known = ", ".join(sorted(Path(one).stem for one, entry in manifest.items() if entry.get("isEntry")))
        raise ImproperlyConfigured(f"The front end has no entry {name!r}; it has {known}.")
    parts = [manifest[part] for part in _imports(manifest, key)]
    styles = dict.fromkeys(style for part in parts for style in part.get("css", ()))
    return Asset(
        _address(manifest[key]["file"]),
        tuple(_address(style) for style in styles),
        tuple(_address(part["file"]) for part in parts if part is not manifest[key]),
    )


def stamp() -> tuple[object, ...]:
    """The same as long as all addresses are.

    Raises
    ------
    ImproperlyConfigured
        Where the front end has not been built.
    """
    return BUILT, _changed(BUILT), settings.STATIC_URL


def _address(file: str) -> str:
    return f"{settings.STATIC_URL}{FOLDER}{file}"


def _imports(manifest: dict[str, Any], key: str) -> list[str]:
    """The entry and what it imports at once, each once, what is needed first first."""
    found: dict[str, None] = {}

    def visit(part: str) -> None:
        if part in found:
            return
        for imported in manifest[part].get("imports", ()):
            visit(imported)
        found[part] = None

    visit(key)
    return list(found)


def _manifest(folder: Path) -> dict[str, Any]:
    """Vite's manifest, read anew only after another build."""
    return _read(folder / "manifest.json", _changed(folder))


def _changed(folder: Path) -> int:
    try:
        return (folder / "manifest.json").stat().st_mtime_ns
    except FileNotFoundError:
        raise ImproperlyConfigured("The scripts of the hub have not been built: run `make frontend`.") from None


@lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest
