"""What the survey tutorial says of its outputs is so. That the outputs are its own, test_reference.py checks."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import safercities as sc
from safercities.cli import app
from safercities.demo import survey, survey_file, write
from safercities.demo.city import SEED, YEARS
from safercities.demo.residents import waves

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-survey.md"
PAGE = TUTORIAL.read_text(encoding="utf-8")
BLOCKS = {(kind, name): content for kind, name, content in re.findall(
    r"<!-- (file|code|output): (\S+) -->\n```\w*\n(.*?)```\n", PAGE, re.DOTALL
)}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the reader copies."""
    folder = tmp_path_factory.mktemp("sanvera")
    survey_file.write_survey(folder, survey.draw_survey(SEED, waves(YEARS)), SEED)
    write.write_boundaries(folder)
    (folder / "observatory.toml").write_text(BLOCKS["file", "observatory.toml"], encoding="utf-8")
    return folder


@pytest.fixture
def city(files: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(files, tmp_path / "sanvera"))


def test_the_files_that_are_copied_are_enough(city: Path):
    copied = re.search(r"^cp (.*) sanvera/$", PAGE, re.MULTILINE)
    assert copied is not None
    needed = {Path(name).name for name in copied[1].split()}
    for path in city.iterdir():
        if path.name not in needed | {"observatory.toml"}:
            path.unlink()
    assert len(sc.open(city).measure()) > 0


def test_eight_interviews_are_left_out(city: Path):
    observatory = sc.open(city)
    observatory.check()
    assert observatory.rows()["survey"] == {"read": 6152, "kept": 6144, "rejected": 8}
    codes = set(observatory.collect("survey").rejects.column("code").to_pylist())
    assert codes == {"weight-missing", "weight-negative", "weight-unreadable"}


def test_without_nested_a_block_lies_in_several_districts(city: Path):
    path = city / "observatory.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^nested = .*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    said = CliRunner().invoke(app, ["check", str(city)])
    assert said.exit_code == 1
    assert "PSUs lie in several strata: 1 in " in said.stdout
    assert said.stdout.count("several strata") == 1
    assert "set nested = true" in said.stdout


def test_women_with_a_disability_feel_least_safe(city: Path):
    safe = sc.open(city).measure("sdg.16.1.4", by=[["sex"], ["disability"], ["sex", "disability"]])
    rows = {(row["sex"], row["disability"]): row for row in safe.where(period="2025", unit="%").rows()}
    value = {key: row["value"] for key, row in rows.items() if "_U" not in key}
    assert min(value, key=value.__getitem__) == ("F", "WITH")
    assert value["F", "_T"] < value["M", "_T"]
    assert value["_T", "WITH"] < value["_T", "WITHOUT"]
    assert all(gap.clear for gap in sc.open(city).contrasts("sdg.16.1.4", "sex", against="M"))


def test_the_city_may_be_published_and_no_district(city: Path):
    reported = sc.open(city).measure("surveyed.robbery.reported", by=["place"]).where(period="2025", unit="%")
    verdicts = {row["place"]: row["verdict"] for row in reported.rows()}
    assert verdicts.pop("XA-SAN") == "publish"
    assert len(verdicts) == 8
    assert set(verdicts.values()) == {"withhold"}
