"""The README of a release: says what it must in plain words, and nobody's name becomes markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.made_release import content
from safercities.release.content import Content, Series
from safercities.release.people import code, markdown, write_readme
from safercities.release.texts import sentences

KEY = "ed25519:" + "ab" * 32
COVERAGE = [{"indicator": "sdg.16.1.1", "source": "homicides", "estimates": 12, "withheld": 4, "lowest": 0.97}]


def page(made: Content, folder: Path, **manifest: Any) -> str:
    """The README as text."""
    write_readme(made, folder / "README.md", manifest)
    return (folder / "README.md").read_text(encoding="utf-8")


def test_says_what_a_reader_needs(tmp_path: Path) -> None:
    rules = {"method": "rounding", "minimum_count": 5, "error": {"mean_absolute": 1.25, "largest": 4}}
    said = page(content(languages=("en",), rules=rules), tmp_path, key=KEY, coverage=COVERAGE, licence="CC BY 4.0")
    wanted = (
        "Synthetic data", "Minimum count (k): 5.", "mean absolute: 1.25, largest: 4", "became zero or the minimum",
        "neither zero nor missing", "What is not promised", "safercities verify", KEY, "CC BY 4.0",
        "`sdg.16.1.1` | `2017-1`",
        "| `sdg.16.1.1` | homicides | 12 | 4 | 97 |",
    )  # fmt: skip
    for text in wanted:
        assert text in said
    for file in (
        "data.csv",
        "structure.xml",
        "estimates.parquet",
        "tables.xlsx",
        "manifest.json",
        "manifest.sig",
        "keys.json",
    ):
        assert f"`{file}`" in said
    assert "takes the place of" not in said


def test_suppression_is_told_otherwise(tmp_path: Path) -> None:
    said = page(
        content(languages=("en",), rules={"method": "suppression", "minimum_count": {"default": 5, "orientation": 10}}),
        tmp_path,
    )
    assert "zero included" in said
    assert "became zero" not in said
    assert "default: 5, orientation: 10" in said


def test_a_correction_says_what_it_corrects_and_why(tmp_path: Path) -> None:
    said = page(content(languages=("en",), supersedes="ab" * 32, reason="Two *districts* were swapped."), tmp_path)
    assert f"takes the place of `{'ab' * 32}`. Reason: Two \\*districts\\* were swapped." in said


def test_main_language_first(tmp_path: Path) -> None:
    said = page(content(languages=("ar", "fr", "en")), tmp_path)
    assert 0 < said.index(sentences()["what"]["ar"]) < said.index("## What this is")
    assert "Qué es esto" not in said
    assert "What this is" in page(content(languages=("fr",)), tmp_path)


NAMES = (
    "<script>alert(1)</script>", "<http://evil.example>", "http://evil.example", "www.evil.example", "<!-- ",
    "[click](http://evil.example)", "![x](http://evil.example/x.png)", "&lt;b&gt;", "a | b | c", "x|", "`code`",
    "# title", "\n\n# title", "- list", "1. list", "---", "===", "    indented", "```sh", "**bold**", "\\", "*",
    "{{ 7*7 }}", "{name}", "\u202egnp.exe",
)  # fmt: skip


def named(name: str) -> tuple[Content, dict[str, Any]]:
    """A release in which everything that has a name has this one; and what the manifest says of it."""
    series = (Series(name, name, "incidents", name, name, name),)
    rules = {"method": name, "minimum_count": name, "error": {name: name}}
    made = content(name=name, series=series, supersedes=name, reason=name, version=name, languages=("en",), rules=rules)
    return made, {"key": name, "licence": name, "coverage": [{**COVERAGE[0], "source": name}]}


@pytest.mark.parametrize("name", NAMES)
def test_no_name_becomes_markup(name: str, tmp_path: Path) -> None:
    found, expected = (page(made, tmp_path, **manifest) for made, manifest in map(named, (name, "x y")))
    assert set(marks(found)) == set(marks(expected))
    assert len(blocks(found)) == len(blocks(expected))
    assert not re.search(r"[a-z]://|www\.", re.sub(r"`[^`\n]+`", "", found))  # which GitHub makes links of


def parsed(text: str) -> list[Any]:
    """What CommonMark with tables makes of it."""
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    found: list[Any] = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    return found


def blocks(text: str) -> list[str]:
    return [token.type for token in parsed(text)]


def marks(text: str) -> list[str]:
    return [part.type for token in parsed(text) for part in token.children or ()]


@given(st.text(max_size=40))
def test_text_has_no_bare_markup(text: str) -> None:
    made = markdown(text)
    assert "\n" not in made
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "x", made)
    assert not re.search(r"[<>`*_\[\]|]|^\s*([#+=-]|[0-9]+[.)])|://|www\.", bare, re.IGNORECASE)
    assert "|" not in re.sub(r"\\\|", "", code(text))


def test_same_content_same_bytes(tmp_path: Path) -> None:
    assert page(content(), tmp_path, key=KEY) == page(content(), tmp_path, key=KEY)
