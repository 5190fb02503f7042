"""The reference pages say all that the program takes and gives, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer

from safercities.cli import app
from safercities.model.estimates import KEYS, MEASURES
from safercities.model.quality import FLAGS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"


def _make_reference() -> ModuleType:
    """The script beside the docs; docs is no package."""
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _make_reference()


@pytest.mark.parametrize("name", make.PAGES)
def test_generated_pages_are_up_to_date(name: str):
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == make.PAGES[name](), "run: make reference"


TOPS = [(make.ObservatorySpec, make.OBSERVATORY), (make.Indicator, make.INDICATOR)]


@pytest.mark.parametrize(("top", "headings"), TOPS)
def test_every_spec_has_a_section_and_every_key_a_description(top: type, headings: dict):
    found = {top, *make.specs_in(top)}
    assert found <= set(headings), "give the new spec a heading in docs/make_reference.py"
    keys = [(spec.__name__, name, info) for spec in headings for name, info in spec.model_fields.items()]
    undocumented = [f"{spec}.{name}" for spec, name, info in keys if not info.description]
    assert undocumented == []


def test_every_key_of_observatory_toml_stands_on_its_page():
    page = (REFERENCE / "observatory-toml.md").read_text(encoding="utf-8")
    keys = {key for spec in {make.ObservatorySpec, *make.specs_in(make.ObservatorySpec)} for key in spec.known_keys()}
    missing = sorted(key for key in keys if f"| `{key}` |" not in page)
    assert missing == []
    assert len(keys) > 40


def test_no_page_shows_a_key_that_is_gone():
    page = (REFERENCE / "observatory-toml.md").read_text(encoding="utf-8")
    keys = {key for spec in {make.ObservatorySpec, *make.specs_in(make.ObservatorySpec)} for key in spec.known_keys()}
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == keys


def test_links_inside_a_generated_page_lead_somewhere():
    for name in make.PAGES:
        page = (DOCS / name).read_text(encoding="utf-8")
        targets = set(re.findall(r"\{ #([\w-]+) \}", page))
        assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= targets, name


def test_every_column_and_flag_of_the_estimates_is_explained():
    page = (REFERENCE / "estimates-table.md").read_text(encoding="utf-8")
    columns = [name for name, _ in (*KEYS, *MEASURES)]
    assert [name for name in columns if f"`{name}`" not in page] == []
    for flag, meaning in FLAGS.items():
        assert f"| `{flag}` | {meaning} |" in page, flag


def test_every_command_and_option_is_on_its_page():
    page = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    for name, command in typer.main.get_command(app).commands.items():
        assert f"`safercities {name}" in page, name
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("--") and option != "--open":
                    assert f"`{option}" in page, f"{name} {option}"
    shown = set(re.findall(r"^\| `safercities (\w+)", page, flags=re.MULTILINE))
    assert shown == set(typer.main.get_command(app).commands)
