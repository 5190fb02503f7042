"""Tools that are no Python packages: a test that lacks one skips and says which; in `.ci/run` it fails."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(hint: str) -> NoReturn:
    """Skip, or fail under `.ci/run`, which installs all of them."""
    if os.environ.get("SAFERCITIES_REQUIRE_TOOLS"):
        pytest.fail(hint)
    pytest.skip(hint)


def tool(hint: str, *names: str) -> str:
    """Path of the first of these programs that is there."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or missing(hint)


def chromium_path() -> str:
    """The system's Chromium; if it is there, that without windows, which takes a third less of the processor."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return tool("no Chromium here (Debian: apt-get install chromium-headless-shell)", *names)
