"""Gathers the files of the pages in the hub's home, where what lies there is not already what this version has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

#: Beside the folder: what lies in it is served to everybody.
MARK = "static.mark"
#: Whose versions decide how files are named and pressed.
PACKAGES = ("safercities", "django", "whitenoise")


def gather() -> None:
    """Run `collectstatic`, which takes longer than all else at a start; not where it would change nothing.

    The mark that says so is a hash of what every file holds: dates say nothing of a package that was installed, or
    gone back to. It is written last, and counts only while all that was gathered is there.
    """
    from django.conf import settings
    from django.core.management import call_command

    folder = Path(settings.STATIC_ROOT)
    mark, now = folder.parent / MARK, _of_sources()
    if _read(mark) == now and _whole(folder):
        return
    mark.unlink(missing_ok=True)
    _drop_what_changed(folder)
    call_command("collectstatic", verbosity=0, interactive=False)
    mark.write_text(now, encoding="ascii")


def _read(mark: Path) -> str:
    try:
        return mark.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _sources() -> Iterator[tuple[str, bytes]]:
    """All files that are gathered: where they come to lie, and what they hold. Of two with one name, the first."""
    from django.contrib.staticfiles.finders import get_finders

    seen = set()
    for finder in get_finders():
        for path, storage in finder.list([]):
            name = str(Path(getattr(storage, "prefix", None) or "", path))
            if name not in seen:
                seen.add(name)
                with storage.open(path) as file:
                    yield name, file.read()


def _of_sources() -> str:
    """A hash of all that is gathered, and of what gathers it."""
    from django.conf import settings

    parts = [settings.STORAGES["staticfiles"]["BACKEND"], *(version(name) for name in PACKAGES)]
    parts += [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in _sources()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _drop_what_changed(folder: Path) -> None:
    """`collectstatic` leaves a file that is younger than its source, whatever either holds."""
    for name, content in _sources():
        path = folder / name
        if path.is_file() and path.read_bytes() != content:
            for end in ("", ".gz", ".br"):
                path.with_name(path.name + end).unlink(missing_ok=True)


def _whole(folder: Path) -> bool:
    """Whether every file that the list of names tells of is there, under both its names."""
    try:
        names = json.loads((folder / "staticfiles.json").read_text(encoding="utf-8"))["paths"]
    except (OSError, ValueError, KeyError):
        return False
    return all((folder / name).is_file() for pair in names.items() for name in pair)
