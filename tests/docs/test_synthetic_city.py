"""The page on the synthetic city says what is in the code."""

from __future__ import annotations

import re
from pathlib import Path

from safercities.demo import answers, audits, residents, streets, survey, survey_file, truth, write
from safercities.demo.city import SEED, YEARS

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "synthetic-city.md").read_text(encoding="utf-8")
TEXT = re.sub(r"\s+", " ", PAGE)


def test_the_rates_are_those_of_the_code():
    words = {
        "homicide": "homicides",
        "robbery": "robberies",
        "assault": "assaults",
        "harassment": "cases of street harassment",
        "theft": "thefts",
        "antisocial": "cases of anti-social behaviour",
    }
    assert set(words) == set(truth.ACTS)
    for act, name in words.items():
        number = f"{truth.ACTS[act].rate:,.0f}".replace(",", " ")
        assert f"{number} {name}" in TEXT, act


def test_the_story_is_that_of_the_code():
    assert f"know of {truth.KNOWN_TO_POLICE:.0%}".replace("%", " %") in TEXT
    assert f"the registry of {truth.KNOWN_TO_REGISTRY:.0%}".replace("%", " %") in TEXT
    names = [name for code, name in zip(*_districts(), strict=True) if code in truth.CALMED_DISTRICTS]
    assert f"robbery in *{names[0]}* and *{names[1]}* is {1 - truth.CALMED_TO:.0%}".replace("%", " %") in TEXT
    assert f"From {truth.CALMED_FROM} on" in TEXT
    women = truth.ACTS["harassment"].women
    assert f"street harassment {women:.0f} times as often" in TEXT
    assert f"women of 15–24, {women * truth.YOUNG_WOMEN:.0f} times" in TEXT


def test_the_dark_figure_is_that_of_the_code():
    parts = []
    for place in (0, 1):
        shares = [answers.CRIMES[act].reporting[place] for act in ("robbery", "theft", "assault")]
        parts.append([f"{share:.0%}".replace("%", " %") for share in shares])
    assert (
        f"{parts[0][0]} of robberies, {parts[0][1]} of thefts and {parts[0][2]} of assaults against people born there"
        in TEXT
    )
    assert f"{parts[1][0]}, {parts[1][1]} and {parts[1][2]}, against migrants" in TEXT


def test_the_answers_are_those_of_the_code():
    words = {
        "safe_walking_dark": "% of the people aged 15 and over feel safe walking alone after dark",
        "afraid_avoids_going_out": "% stay in for fear of crime",
        "victim_psychological_12m": "% suffered psychological violence",
        "victim_sexual_12m": "% sexual violence",
    }
    for role, text in words.items():
        assert f" {100 * answers.OPINIONS[role].share:g} {text}" in TEXT, role
    assert f"rating of lighting rose by {streets.NEW_LAMPS} there" in TEXT


def test_the_designs_are_those_of_the_code():
    first, last = residents.waves(YEARS)
    assert f"aged 15 and over, in {first} and {last}" in TEXT
    assert f"a stratum with {survey.BLOCKS} blocks" in TEXT
    assert f"{survey.INTERVIEWS[0]} to {survey.INTERVIEWS[1]} in each block" in TEXT
    assert 5_500 < len(survey.draw_survey(SEED, (first, last))) < 6_500  # “about 6 000 interviews”
    numbers = {3: "Three", 8: "eight"}
    assert f"{numbers[audits.WALKS]} walks of {numbers[audits.STOPS]} points" in TEXT
    assert "A quarter of the blocks has more" in TEXT
    assert survey.FEW == 0.25


def _districts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    city = truth.ground()
    return city.district_codes, city.district_names


def test_every_file_is_described():
    names = (write.HOMICIDES, write.REGISTRY, write.REPORTS, write.THEFTS, write.ANTISOCIAL, write.POPULATION)
    names += (survey_file.SURVEY, audits.AUDITS)
    assert [name for name in names if f"| `{name}` |" not in PAGE] == []
