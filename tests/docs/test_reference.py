"""The reference pages say all that the program takes and gives, and nothing else."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

from safercities.cli import app
from safercities.indicators.answers import answers
from safercities.measure.rubric import rubric
from safercities.model.estimates import KEYS, MEASURES
from safercities.model.quality import FLAGS
from safercities.sampling.rules import schemes

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"


def _make_reference() -> ModuleType:
    """The script beside the docs, as `python -m docs.make_reference` finds it."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module("docs.make_reference")


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


def test_every_set_of_publication_rules_is_shown_whole():
    page = (REFERENCE / "publication-rules.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([\w-]+) \{ #[\w-]+ \}\n(.*?)(?=^## |\Z)", page, flags=re.MULTILINE | re.DOTALL))
    for name, scheme in schemes().items():
        rows = [line for line in sections[name].splitlines() if line.startswith("| ") and "| where |" not in line]
        assert len(rows) == len(scheme.rules), name
        for row, rule in zip(rows, scheme.rules, strict=True):
            bounds = (rule.at_least, rule.below, rule.above, rule.up_to)
            shown = [f"{bound:g}" for bound in bounds if bound is not None and rule.measure != "extreme"]
            assert all(bound in row.split("|")[1] for bound in shown), row
            assert row.split("|")[2:4] == [f" {rule.verdict} ", f" `{rule.flag}` "]


def test_every_role_and_every_parameter_of_the_rubric_is_explained():
    page = (REFERENCE / "survey-answers.md").read_text(encoding="utf-8")
    assert [role for role in answers() if f"| `{role}` | {answers()[role].question}" not in page] == []
    assert [one.source for one in answers().values() if f"- {one.source}\n" not in page] == []
    page = (REFERENCE / "audit-rubric.md").read_text(encoding="utf-8")
    assert [one.code for one in rubric().parameters if f"| `{one.code}` | {one.question} |" not in page] == []


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
