"""The tutorial's files and commands give the outputs that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from safercities.cli import app

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-review.md"
_BLOCK = re.compile(r"<!-- (file|output): (\S+) -->\n```\w*\n(.*?)```\n", flags=re.DOTALL)


def _blocks(kind: str) -> dict[str, str]:
    text = TUTORIAL.read_text(encoding="utf-8")
    return {name: content for found, name, content in _BLOCK.findall(text) if found == kind}


@pytest.fixture
def riverton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the reader has it after step 3."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "riverton"])
    assert done.exit_code == 0, done.output
    for name, content in _blocks("file").items():
        (tmp_path / "riverton" / name).write_text(content, encoding="utf-8")
    return tmp_path / "riverton"


def test_the_tutorial_shows_its_files_and_outputs():
    assert set(_blocks("file")) == {"robberies.csv", "people.csv", "districts.geojson", "observatory.toml"}
    assert set(_blocks("output")) == {"check", "measure", "review"}


@pytest.mark.parametrize(("command", "code"), [("check", 1), ("measure", 0), ("review", 0)])
def test_each_command_prints_what_the_tutorial_shows(riverton: Path, command: str, code: int):
    done = CliRunner().invoke(app, [command, riverton.name])
    assert done.exit_code == code, done.output
    assert done.output == _blocks("output")[command]


def test_the_build_folder_holds_what_the_tutorial_says(riverton: Path):
    assert CliRunner().invoke(app, ["measure", riverton.name]).exit_code == 0
    rejects = (riverton / "build" / "rejects" / "robberies.csv").read_text(encoding="utf-8").splitlines()
    assert len(rejects) == 2
    assert "R-005" in rejects[1]
    unlocated = (riverton / "build" / "unlocated" / "robberies.csv").read_text(encoding="utf-8").splitlines()
    assert len(unlocated) == 2
    assert (riverton / "build" / "estimates.csv").is_file()
