"""Hostile surveys: numbers of any size in observatory.toml, chains of questions, stages, long cells in messages."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import mini_survey
from safercities.cli import app

SEXUAL = 'victim_sexual_12m = { column = "sexual", yes = [1], no = [2], unknown = [9] }'


def check(folder, **changed) -> dict[str, str]:
    """Codes of the problems, each with its first sentence."""
    result = CliRunner().invoke(app, ["check", str(mini_survey.build(folder, **changed)), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return {one["code"]: one["what"] for one in reversed(json.loads(result.output)["problems"])}


@pytest.mark.parametrize("number", [10**400, -(10**400)])
@pytest.mark.parametrize(
    "old", ["yes = [1], no = [2], unknown = [9] }", "unknown = [9] }\nage", 'lighting = "lighting"']
)
def test_a_whole_number_beyond_all_sizes(tmp_path, number, old):
    new = {
        'lighting = "lighting"': f'lighting = {{ column = "lighting", unknown = [{number}] }}',
    }.get(old, old.replace("[9]", f"[{number}]"))
    assert "key-wrong" in check(tmp_path, toml=mini_survey.with_(old, new))


def test_a_whole_number_beyond_64_bits_is_a_number(tmp_path):
    toml = mini_survey.with_(SEXUAL, SEXUAL.replace("[9]", f"[9, {2**70}]"))
    assert "key-wrong" not in check(tmp_path, toml=toml)


def test_a_chain_of_questions_without_end(tmp_path):
    last = 2000
    chain = [f'a{n} = {{ column = "phys", yes = [1], asked_if = "a{n + 1}" }}' for n in range(last)]
    lines = "\n".join([*chain, f'a{last} = {{ column = "phys", yes = [1] }}', SEXUAL])
    found = check(tmp_path, toml=mini_survey.with_(SEXUAL, lines))
    assert "questions in a row" in found["key-wrong"]


def test_more_stages_than_any_sample_has(tmp_path):
    names = ", ".join(f'"u{n}"' for n in range(40))
    toml = mini_survey.with_('psu = "psu"\n', f'psu = "psu"\nstages = [{names}]\n')
    assert "40 stages" in check(tmp_path, toml=toml)["key-wrong"]


def test_weights_of_no_size_that_can_be(tmp_path):
    answers = mini_survey.answers()
    weights = answers["w"].astype(object)
    weights[0], weights[1] = "1e300", "1e-300"
    found = check(tmp_path, survey=mini_survey.survey({**answers, "w": weights}))
    assert found["weight-size"].startswith("1e300")


def test_a_long_cell_does_not_fill_the_message(tmp_path):
    answers = mini_survey.answers()
    columns = {**answers, "r1": answers["w"].astype(object), "r2": answers["w"]}
    columns["r1"][3] = "x" * 100_000
    toml = mini_survey.with_('weight = "w"\n', 'weight = "w"\nreplicates = { kind = "bootstrap", prefix = "r" }\n')
    found = check(tmp_path, toml=toml, survey=mini_survey.survey(columns))
    assert len(found["replicate-wrong"]) < 100
