"""What the tutorial says of its outputs is so. That the outputs are those of its commands, test_reference.py checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import safercities as sc
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
    assert CliRunner().invoke(app, ["init", "riverton"]).exit_code == 0
    for name, content in _blocks("file").items():
        (tmp_path / "riverton" / name).write_text(content, encoding="utf-8")
    return tmp_path / "riverton"


def test_the_tutorial_shows_its_files_and_outputs():
    assert set(_blocks("file")) == {"robberies.csv", "people.csv", "districts.geojson", "observatory.toml"}
    assert set(_blocks("output")) == {"check", "measure", "review"}


def test_exactly_the_two_planted_faults_are_found(riverton: Path):
    done = CliRunner().invoke(app, ["check", riverton.name])
    assert done.exit_code == 1
    remarks = [line for line in done.stdout.splitlines() if line.startswith(("error", "warning"))]
    assert len(remarks) == 2
    assert "31/02/2023" in remarks[0]
    assert "Old Town" in remarks[1]


def test_the_build_folder_holds_what_the_tutorial_says(riverton: Path):
    assert CliRunner().invoke(app, ["measure", riverton.name]).exit_code == 0
    rejects = (riverton / "build" / "rejects" / "robberies.csv").read_text(encoding="utf-8").splitlines()
    assert len(rejects) == 2
    assert "R-005" in rejects[1]
    unlocated = (riverton / "build" / "unlocated" / "robberies.csv").read_text(encoding="utf-8").splitlines()
    assert len(unlocated) == 2
    assert (riverton / "build" / "estimates.csv").is_file()


def test_the_city_keeps_the_case_without_a_district(riverton: Path):
    estimates = sc.open(riverton).measure().where(unit="victims", period="2024").totals()
    found = {row["place"]: row["value"] for row in estimates.rows()}
    assert found == {"XA-RIV": 5, "Old Port": 2, "Hillside": 1, "Riverside": 1, "_U.district": 1}


def test_there_are_no_rates_by_age(riverton: Path):
    estimates = sc.open(riverton).measure().totals("age")
    assert {row["unit"] for row in estimates.rows()} == {"victims"}
    assert all("no_denominator" in row["quality"].split() for row in estimates.rows())


def test_the_review_is_one_page_that_needs_nothing_else(riverton: Path):
    assert CliRunner().invoke(app, ["review", riverton.name]).exit_code == 0
    page = (riverton / "reviews" / "2024" / "review.html").read_text(encoding="utf-8")
    assert "Riverton" in page
    assert re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=[\"']?https?://", page) == []
