"""Small observatory folders for the tests of collecting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safercities.collect.audits import collect_audits
from safercities.collect.incidents import collect_incidents
from safercities.collect.population import collect_population
from safercities.collect.records import Collected
from safercities.collect.spec import AuditsSpec, IncidentsSpec, PopulationSpec, SurveySpec
from safercities.collect.survey import collect_survey


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file into the observatory folder."""

    def _write(name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return _write


@pytest.fixture
def incidents(tmp_path: Path, write: Callable[..., Path]) -> Callable[..., Collected]:
    """Collect a text as a source of incidents; without `text`, the file named in the keys."""

    def _incidents(text: str | None = None, **keys: Any) -> Collected:
        file = keys.setdefault("file", "cases.csv")
        if text is not None:
            write(file, text)
        spec = IncidentsSpec.model_validate({"kind": "incidents", "when": "when", "act": "0101"} | keys)
        got = collect_incidents("cases", spec, tmp_path)
        adds_up(got)
        return got

    return _incidents


@pytest.fixture
def population(tmp_path: Path, write: Callable[..., Path]) -> Callable[..., Collected]:
    """Collect a text as a source of population."""

    def _population(text: str, **keys: Any) -> Collected:
        write("people.csv", text)
        spec = PopulationSpec.model_validate({"kind": "population", "file": "people.csv", "count": "n"} | keys)
        got = collect_population("people", spec, tmp_path)
        adds_up(got)
        return got

    return _population


@pytest.fixture
def survey(tmp_path: Path, write: Callable[..., Path]) -> Callable[..., Collected]:
    """Collect a text as a survey; without `text`, the file named in the keys. `p` is the answer, yes = 1."""

    def _survey(text: str | None = None, **keys: Any) -> Collected:
        file = keys.setdefault("file", "survey.csv")
        if text is not None:
            write(file, text)
        usual = {"kind": "survey", "period": 2023, "weight": "w", "variables": {"victim": {"column": "p", "yes": [1]}}}
        got = collect_survey("people", SurveySpec.model_validate(usual | keys), tmp_path)
        adds_up(got)
        return got

    return _survey


@pytest.fixture
def audits(tmp_path: Path, write: Callable[..., Path]) -> Callable[..., Collected]:
    """Collect a text as safety audits; `li` is the lighting."""

    def _audits(text: str, **keys: Any) -> Collected:
        file = keys.setdefault("file", "audits.csv")
        write(file, text)
        usual = {"kind": "audits", "when": "when", "rubric": {"lighting": "li"}}
        got = collect_audits("walks", AuditsSpec.model_validate(usual | keys), tmp_path)
        adds_up(got)
        return got

    return _audits


def adds_up(got: Collected) -> None:
    """Rows read are rows kept and rows rejected, and no row is both."""
    rejected = set(got.rejects.column("row").to_pylist())
    kept = got.table.column("row").to_pylist()
    assert len(kept) + len(rejected) == got.rows_read
    assert rejected.isdisjoint(kept)
