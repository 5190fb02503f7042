"""The TOML in the documentation is TOML, and names keys that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from safercities.collect.spec import DimensionFrom, IncidentsSpec, PopulationSpec
from safercities.config import ObservatorySpec
from safercities.model.spec import parse
from safercities.places.spec import GeographySpec

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{path.stem}-{number}")
    for path in PAGES
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL))
]
ABOUT = {"name": "Example", "place": "XA-EXA"}
TABLES = {"observatory", "geographies", "sources", "measure", "publish"}


def test_there_are_examples():
    assert len(BLOCKS) > 15


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_fit_the_specs(block: str):
    data = tomllib.loads(block)
    if data.keys() & TABLES:
        parse(ObservatorySpec, {"observatory": ABOUT} | data, file="docs")
        return
    # a part of a source or geography: its keys must be known in one of them, or be breakdowns that fit
    specs = (IncidentsSpec, PopulationSpec, GeographySpec)
    known = {key for spec in specs for key in spec.known_keys()}
    for key, value in data.items():
        if key not in known:
            assert key in {"sex", "age"}
            parse(DimensionFrom, value, file="docs")
    fitting = [spec for spec in specs if data.keys() - {"sex", "age"} <= set(spec.known_keys())]
    assert fitting
