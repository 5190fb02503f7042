"""The Python examples of the documentation print what they show."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *DOCS.rglob("*.md")]
WITH_EXAMPLES = sorted(path for path in PAGES if ">>>" in path.read_text(encoding="utf-8"))


def test_some_pages_have_examples():
    assert {ROOT / "README.md", DOCS / "explanation" / "intervals.md"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.name)
def test_examples_print_what_they_show(path: Path):
    result = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert result.attempted > 0
    assert result.failed == 0
