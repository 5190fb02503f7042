"""ARCHITECTURE.md sends nobody to a room or a function that is not there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "safercities"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


STEP = re.compile(r"^\| (\d[a-z]?) [^|]+\| (.*?) \|", re.MULTILINE)
ROOM = re.compile(r"^\| `([\w.]+?)/?` \|", re.MULTILINE)


def test_every_file_and_function_on_the_way_of_data_exists():
    steps = dict(STEP.findall(TEXT))
    data = ["1", "2", "3", "4", "5", "6", "2s", "4s", "5s", "5t", "5u"]
    hub = [*(f"{number}r" for number in range(1, 8)), *(f"{number}j" for number in range(1, 7))]
    assert list(steps) == data + hub
    for step in steps.values():
        path, *names = re.findall(r"`([^`]+)`", step)
        source = (PACKAGE / path).read_text(encoding="utf-8")
        for name in names:
            there = (PACKAGE / name).exists() if name.endswith(".py") else re.search(rf"(def|class) {name}\b", source)
            assert there, step


def test_every_path_that_is_named_exists():
    paths = set(re.findall(r"`([a-z_]+/(?:[a-z_.]+/?)*)`", TEXT)) - {"build/", "private/"}
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not ((PACKAGE / path).exists() or (ROOT / path).exists())] == []


def test_the_map_of_folders_is_whole():
    named = set(ROOM.findall(TEXT))
    there = {p.name for p in PACKAGE.iterdir() if (p.is_dir() or p.suffix == ".py") and not p.name.startswith("__")}
    assert named == there


def test_the_map_stands_in_the_order_of_the_layers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    height = {name.strip(" ()"): -at for at, layer in enumerate(layers) for name in layer.split("|")}
    heights = [height[room.removesuffix(".py")] for room in ROOM.findall(TEXT)]
    assert heights == sorted(heights)
