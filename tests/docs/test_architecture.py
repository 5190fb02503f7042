"""ARCHITECTURE.md sends nobody to a room or a function that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "safercities"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_every_file_and_function_on_the_way_of_data_exists():
    steps = re.findall(r"^\| \d [^|]+\| (.*?) \|", TEXT, re.MULTILINE)
    assert len(steps) == 6
    for step in steps:
        path, *names = re.findall(r"`([^`]+)`", step)
        source = (PACKAGE / path).read_text(encoding="utf-8")
        for name in names:
            assert (PACKAGE / name).exists() if name.endswith(".py") else f"def {name}(" in source, step


def test_the_map_of_folders_is_whole():
    named = set(re.findall(r"^\| `([\w.]+)/?` \|", TEXT, re.MULTILINE))
    there = {p.name for p in PACKAGE.iterdir() if (p.is_dir() or p.suffix == ".py") and not p.name.startswith("__")}
    assert named == there
