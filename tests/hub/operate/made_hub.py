"""A small observatory with a release, and the hub's commands as somebody types them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from datetime import date
from functools import cache
from pathlib import Path

import mini
import safercities
from safercities.hub.options import OPTIONS, PREFIX
from safercities.publishing import publish
from safercities.release.store import FOLDER_VARIABLE, KeyStore

DAY = date(2025, 3, 1)


def published_city(folder: Path) -> Path:
    """An observatory that has published once; its keys lie in `keys` beside it."""
    draw = random.Random(1)
    lines = ["date,lon,lat,sex"]
    for _ in range(240):
        x, y = draw.choices([0.5, 1.5], [7, 3])[0], draw.choices([0.5, 1.5], [8, 2])[0]
        lines.append(
            f"{draw.choice((2023, 2024))}-{draw.randint(1, 12):02d}-11,{x},{y},{draw.choice(('man', 'woman'))}"
        )
    toml = mini.TOML.replace('place = "XA-MIN"', 'place = "XA-MIN"\nsynthetic = true')
    mini.build(folder / "city", toml=toml, robberies="\n".join(lines) + "\n")
    keys = KeyStore.open("XA-MIN", folder / "keys" / "XA-MIN")
    keys.make(date(2025, 1, 1))
    publish(safercities.open(folder / "city"), published=DAY, keys=keys)
    return folder / "city"


@cache
def without() -> str:
    """A folder for PYTHONPATH, with which a process finds no pandas, as where only the hub's packages are.

    PyArrow loads it wherever it is there, which takes every process of the tests half a second.
    """
    folder = Path(tempfile.mkdtemp(prefix="without-", dir=os.environ["SAFERCITIES_HUB_HOME"]))
    (folder / "pandas.py").write_text('raise ImportError("none of the hub\'s packages")\n', encoding="ascii")
    return str(folder)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of a shell in which nothing of a hub is set, and where only the hub's packages are."""
    names = {PREFIX + option.name for option in OPTIONS} | {"DJANGO_SETTINGS_MODULE", "BROWSER", FOLDER_VARIABLE}
    found = {name: value for name, value in os.environ.items() if name not in names}
    found |= {"HOME": str(folder), "BROWSER": "true"} | more
    return found | {"PYTHONPATH": os.pathsep.join(filter(None, [without(), found.get("PYTHONPATH")]))}


def command(*words: object) -> list[str]:
    """A command of `safercities`."""
    return [sys.executable, "-m", "safercities", *map(str, words)]


def typed(folder: Path, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one to its end."""
    run = command(*words)
    return subprocess.run(
        run, env=environment(folder, **more), cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
