"""Leaks of survey estimates that no single row and no single indicator shows: each is found where it is planted."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.disclose.test_surveys import estimates, rows, status

from safercities.disclose.attack_public import Published
from safercities.disclose.attack_surveys import attack_surveys
from safercities.disclose.survey_attacker import survey_attack
from safercities.disclose.survey_choice import first_that_fit
from safercities.disclose.survey_dominance import P, dominated
from safercities.disclose.survey_groups import definitions
from safercities.disclose.survey_ranges import insides
from safercities.disclose.survey_rows import read
from safercities.disclose.surveys import protect_survey
from safercities.indicators.catalogue import indicator
from safercities.model.estimates import Estimates
from safercities.model.places import Place

VERSION = {"version": "2010-1"}


def _robbed_and_told(robbed: dict[tuple[str, ...], tuple[int, int]], told: dict[tuple[str, ...], tuple[int, int]]):
    first = rows(robbed, indicator="surveyed.robbery", **VERSION)
    return [*first, *rows(told, indicator="surveyed.robbery.reported", **VERSION)]


ROBBED = {("A", "_T"): (900, 120), ("A", "F"): (460, 70), ("A", "M"): (440, 50)}
TOLD = {("A", "_T"): (119, 44), ("A", "F"): (70, 26), ("A", "M"): (49, 18)}


def test_victims_are_told_by_who_was_asked_whether_they_told_the_police():
    """A naive release hides how many women were robbed, and shows to the last one how many were asked about it."""
    given = _robbed_and_told(ROBBED, TOLD)
    for row in given:
        if row["indicator"] == "surveyed.robbery":
            row |= {"value": None, "se": None, "conf_status": "N"}
    release = Estimates.from_rows(given)
    women = ("A", "F")
    sizes = {("s", "2025", "surveyed.robbery", "2010-1"): 900}

    def least(**more: Any) -> int:
        found = survey_attack(release, sizes=sizes, only=[women], **more)
        return next(one.x[0] for one in found if one.series[2] == "surveyed.robbery")

    assert least(indicators={}) == 0
    assert least() == 70


def test_what_is_published_instead_leaves_them_open():
    made = protect_survey(Estimates.from_rows(_robbed_and_told(ROBBED, TOLD)), 5).estimates
    assert "F" in status(made.where(indicator="surveyed.robbery"), "sex").values()
    sizes = {("s", "2025", "surveyed.robbery", "2010-1"): 900}
    for one in survey_attack(made, sizes=sizes):
        assert one.x[1] - one.x[0] >= 4, one


def test_waves_of_equally_many_may_be_a_panel():
    one = rows(ROBBED, indicator="surveyed.robbery", **VERSION)
    two = rows(ROBBED | {("A", "M"): (440, 53)}, indicator="surveyed.robbery", period="2026", **VERSION)
    domains = read(Estimates.from_rows([*one, *two]), 5).domains
    n = np.array([900, 460, 440] * 2)
    assert len(insides(domains, n, definitions())) == 6
    assert insides(domains, np.array([900, 460, 440, 901, 461, 440]), definitions()) == []


def test_the_most_wanted_stay():
    asked: list[int] = []

    def fits(some: Any, last: bool) -> bool:
        asked.append(len(some))
        return sum(some) <= 20 and 7 not in some

    assert first_that_fit([9, 7, 6, 4, 3, 1], fits) == [9, 6, 4, 1]
    assert first_that_fit([], fits) == []


def test_a_mean_of_which_one_has_nearly_all_is_withheld():
    """Losses of 60: those of one are most of them. A second one who knows her own could tell the first one's."""
    said = {"unit": "EUR", "method": "mean, Taylor linearisation, Student interval"}
    amounts = np.array([1.0] * 59 + [4000.0])
    mean, se = float(amounts.mean()), float(amounts.std(ddof=1) / np.sqrt(60))
    one = rows({("A",): (60, 30)}, (), **said)[0] | {"value": mean, "se": se, "lower": 0.0, "upper": 3 * mean}
    assert protect_survey(Estimates.from_rows([one]), 5).reasons == {0: "dominance"}
    even = one | {"value": 100.0, "se": 9.0, "lower": 82.0, "upper": 118.0}
    assert protect_survey(Estimates.from_rows([even]), 5).reasons == {}


def test_dominance_is_never_overlooked():
    rng = np.random.default_rng(1)
    for _ in range(300):
        amounts = np.sort(rng.pareto(rng.uniform(0.3, 3.0), size=rng.integers(5, 60)))[::-1]
        n = len(amounts)
        se = amounts.std(ddof=1) / np.sqrt(n)
        breaks = amounts[2:].sum() < P * amounts[0]
        found = dominated(*(np.array([one]) for one in (amounts.mean(), se, float(n), 1.0)))[0]
        assert found or not breaks


def test_of_two_divisions_of_a_city_one_is_shown():
    city = [Place("A", "A", "city"), *(Place(f"Q{i}", f"Q{i}", "quarter", "A") for i in (1, 2, 3))]
    city += [Place(f"B{i}", f"B{i}", "beat", "A") for i in (1, 2)]
    parts = {("A",): (900, 300), ("Q1",): (300, 100), ("Q2",): (300, 90), ("Q3",): (300, 110)}
    parts |= {("B1",): (450, 160), ("B2",): (450, 140)}
    found = protect_survey(estimates(parts, ()), 5, places=city)
    assert status(found.estimates) == {(key[0],): "N" if key[0][0] == "B" else "F" for key in parts}
    assert found.reasons == {4: "parallel", 5: "parallel"}


def test_the_public_attack_reads_roundings_by_the_width_of_the_rules():
    parts = {("A", "_T"): (900, 300), ("A", "F"): (460, 170), ("A", "M"): (440, 130)}
    made = protect_survey(estimates(parts), 5, width=9).estimates
    assert set(status(made, "sex").values()) == {"F"}
    rules = {"method": "suppression", "minimum_count": 5, "width": 9}
    answer, openings = attack_surveys(Published("one", made, rules, [Place("A", "A", "city")], "A"), None)
    assert answer.checked > 0
    assert openings == []


def test_the_public_attack_finds_shown_domains_that_are_told_exactly():
    parts = {("A", "_T"): (60, 20), ("A", "F"): (40, 14), ("A", "M"): (20, 6)}
    open_rows = Estimates.from_rows(rows(parts))
    rules = {"method": "suppression", "minimum_count": 5}
    _, openings = attack_surveys(Published("one", open_rows, rules, [Place("A", "A", "city")], "A"), None)
    assert ("fear, F, A, 2025: cases", 14, 14) in {(one.what, one.lower, one.upper) for one in openings}


def test_an_indicator_of_our_own_has_ties_as_its_definition_says():
    """Who is told of by the definitions that are given, not by those of the catalogue alone."""
    known = {f"our.{code}": indicator(code) for code in ("surveyed.robbery", "surveyed.robbery.reported")}
    given = [row | {"indicator": f"our.{row['indicator']}"} for row in _robbed_and_told(ROBBED, TOLD)]
    domains = read(Estimates.from_rows(given), 5).domains
    n = np.array([900, 460, 440, 119, 70, 49])
    assert insides(domains, n, definitions()) == []
    assert len(insides(domains, n, definitions(known))) > 0
    alone, tied = (protect_survey(Estimates.from_rows(given), 5, indicators=one) for one in ({}, known))
    assert len(tied.reasons) > len(alone.reasons)
