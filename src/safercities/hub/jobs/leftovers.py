"""Takes away what killed processes left behind: half uploads, half copies, half results, which nothing reads."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from safercities.hub.models import Observatory

#: How files begin that were brought; and Django's own, of what came by the API.
BROUGHT, _RELEASE, _DJANGO = "brought-", "release-", ".upload"
#: Names of what is not whole yet, as `secrets.token_hex(8)` ends them: it is renamed when it is. Of nobody else's.
_NEW = ".new-" + 16 * "[0-9a-f]"
#: Seconds after which what nobody writes to was left by a process that is gone.
FORGOTTEN = 3600.0


def sweep_quarantine(older: float = FORGOTTEN) -> int:
    """Take away what killed uploads left in quarantine; gives how many.

    Parameters
    ----------
    older
        Seconds since it was written to; 0, before a server starts: all of it.
    """
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    return _taken_away((path for path in _listed(folder) if _is_ours(path.name)), older)


def sweep(older: float = FORGOTTEN) -> int:
    """Take away all that was left, in quarantine and elsewhere in the hub's home; gives how many."""
    home = Path(settings.HOME)
    folders = [home / "observatories", *_listed(home / "differences")]
    folders += [Path(folder, "inputs") for folder in Observatory.objects.values_list("folder", flat=True)]
    found = (path for folder in folders if not folder.is_symlink() for path in folder.glob(_NEW))
    return sweep_quarantine(older) + _taken_away(found, older)


def _is_ours(name: str) -> bool:
    return name.startswith((BROUGHT, _RELEASE)) or _DJANGO in name


def _listed(folder: Path) -> Iterator[Path]:
    return iter(list(folder.iterdir()) if folder.is_dir() else [])


def _taken_away(paths: Iterator[Path], older: float) -> int:
    count = 0
    for path in list(paths):
        with suppress(FileNotFoundError):
            if time.time() - _written(path) >= older:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                count += 1
    return count


def _written(path: Path) -> float:
    """When it, or what is in it, was written to last."""
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return float(max(one.lstat().st_mtime for one in (path, *inside)))
