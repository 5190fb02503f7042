"""`safercities indicators`: lists the catalogue by what it is made of, and explains in plain words."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from safercities.cli import MadeOf, app
from safercities.indicators.catalogue import MATERIALS, catalogue


def _run(*words: str) -> str:
    done = CliRunner().invoke(app, ["indicators", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("word", [*MadeOf])
def test_only_those_that_are_made_of_it(word: MadeOf):
    wanted = [code for code, entry in catalogue().items() if entry.on().made_of == word.material]
    assert [line.split()[0] for line in _run("--made-of", word).splitlines()[1:]] == wanted
    assert [entry["code"] for entry in json.loads(_run("--made-of", word, "--json"))] == wanted


def test_there_is_a_word_for_every_material():
    assert {word.material for word in MadeOf} == set(MATERIALS)


def test_another_word_is_a_wrong_call():
    assert CliRunner().invoke(app, ["indicators", "--made-of", "hearsay"]).exit_code == 2


def test_the_explanation_says_what_is_needed_of_whom_and_when():
    text = _run("sdg.16.1.3")
    for words in ("victim_sexual_12m", "Whom it means", "the past 12 months", "Break down by", "No answer"):
        assert words in text
    assert "P12M" not in text
