"""The documentation builds without a warning, loads nothing from elsewhere, and its links lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def _targets(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [target for part in inner for target in _targets(part)]


def test_every_page_is_in_the_navigation():
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(_targets(nav)) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str):
    text = (DOCS / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+\.md)(?:#[\w-]+)?\)", text):
        assert (DOCS / page).parent.joinpath(link).is_file(), link


@pytest.mark.parametrize("page", PAGES)
def test_no_page_waits_to_be_filled_in(page: str):
    text = (DOCS / page).read_text(encoding="utf-8")
    marks = re.findall(r"<!-- ?(.*?)-->", text, flags=re.DOTALL)
    left = [mark for mark in marks if not mark.startswith(("Made", "file:", "code:", "output:"))]
    assert left == []


def test_the_site_builds_strictly_and_asks_no_other_host(tmp_path: Path):
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    built = list((tmp_path / "site").rglob("*.html"))
    assert len(built) > len(PAGES)
    for path in built:
        html = path.read_text(encoding="utf-8")
        # links that a reader may follow are fine; what the page loads by itself is not
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=[\"']?(https?:)?//", html)
        loaded += re.findall(r"<link[^>]*\shref=[\"']?(?:https?:)?//", html)
        assert loaded == [], path.name
