"""The page on the synthetic city says what is in the code."""

from __future__ import annotations

import re
from pathlib import Path

from safercities.demo import truth, write

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


def _districts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    city = truth.ground()
    return city.district_codes, city.district_names


def test_every_file_is_described():
    names = (write.HOMICIDES, write.REGISTRY, write.REPORTS, write.THEFTS, write.ANTISOCIAL, write.POPULATION)
    assert [name for name in names if f"| `{name}` |" not in PAGE] == []
