"""What indicators, sources of the same cases and comparisons tell together; and groups that are all alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.disclose import words
from safercities.disclose.attack import Outside, Published, Report, attack
from safercities.disclose.attack_acts import Kinds, definitions_of, overlapping
from safercities.disclose.attack_space import Cell
from safercities.indicators.catalogue import indicator
from safercities.indicators.numerators import Acts
from safercities.measure.reporting import METHOD
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place

TOWN = Place("T", "Town", "city")
WARDS = tuple(Place(f"W{n}", f"Ward {n}", "ward", "T") for n in (1, 2, 3))
SUPPRESSED = {"method": "suppression", "minimum_count": 5}
ROUNDED = {"method": "rounding", "minimum_count": 5}
THEFT, PERSONAL, VEHICLES = "recorded.theft", "recorded.personal_theft", "recorded.vehicle_theft"
DEFINITIONS = definitions_of(map(indicator, (THEFT, PERSONAL, VEHICLES, "recorded.robbery", "reporting.robbery")))
Row = dict[str, Any]


def count(code: str, n: int | None, place: str = "T", /, **more: Any) -> Row:
    """A row of a count; None is withheld."""
    version = indicator(code).versions[-1].version
    row = {"indicator": code, "version": version, "source": "police", "place": place, "period": "2024"}
    shown = {"conf_status": "N"} if n is None else {"conf_status": "F", "value": float(n)}
    return {**row, "method": "count", "unit": "incidents", **shown, **more}


def release(rows: Iterable[Row], rules: Mapping[str, Any] = SUPPRESSED, definitions: Any = DEFINITIONS) -> Published:
    return Published(
        "2024-1", Estimates.from_rows(rows), rules, (TOWN, *WARDS), "T", definitions=definitions
    )  # fmt: skip


def told(report: Report) -> set[tuple[str, int, int]]:
    return {(one.kind, one.lower, one.upper) for one in report.openings}


# -- indicators that hold each other -----------------------------------------------------------------------------------


def test_what_one_indicator_has_more_than_one_that_it_holds() -> None:
    rows = [count(THEFT, 20), count(VEHICLES, 17)]
    report = attack([release(rows)])
    (opening,) = report.openings
    assert (opening.kind, opening.lower, opening.upper) == ("derived", 3, 3)
    assert opening.what == f"{THEFT} but not {VEHICLES}, 2024"
    assert {fact.label.rpartition(", ")[2] for fact in opening.facts} == {"2024: 20", "2024: 17"}
    assert told(attack([release([count(THEFT, 25), count(VEHICLES, 17)])])) == set()
    assert told(attack([release(rows, definitions={})])) == set()


def test_a_part_can_be_no_more_than_the_whole() -> None:
    """Of 16 stolen vehicles at most 15 are of men, as men had 15 thefts; and at most 6 of women."""
    rows = [count(THEFT, 21), count(THEFT, 15, sex="M"), count(THEFT, 6, sex="F")]
    rows += [count(VEHICLES, 16), count(VEHICLES, None, sex="M"), count(VEHICLES, None, sex="F")]
    wanted = {"width": 6}
    assert told(attack([release(rows, definitions={})], **wanted)) == set()
    found = [one for one in attack([release(rows)], **wanted).openings if one.what.startswith(f"{VEHICLES}, F")]
    assert [(one.kind, one.lower, one.upper) for one in found] == [("withheld", 1, 6)]


def test_two_parts_that_make_up_nearly_the_whole() -> None:
    rows = [count(THEFT, 40), count(PERSONAL, 20), count(VEHICLES, 18)]
    (opening,) = attack([release(rows)]).openings
    assert (opening.kind, opening.lower, opening.upper) == ("derived", 2, 2)
    assert opening.what == f"{THEFT} but not {PERSONAL}, {VEHICLES}, 2024"


def test_rounded_indicators_that_hold_each_other_show_what_was_not_rounded() -> None:
    assert told(attack([release([count(THEFT, 20), count(VEHICLES, 17)], ROUNDED)])) == {("rounded", 3, 3)}
    assert told(attack([release([count(THEFT, 20), count(VEHICLES, 15)], ROUNDED)])) == set()
    with pytest.raises(SafercitiesError, match="contradict"):
        attack([release([count(THEFT, 15), count(VEHICLES, 17)], ROUNDED)])


def test_indicators_of_other_acts_tell_nothing_of_each_other() -> None:
    rows = [count("recorded.robbery", 20), count(VEHICLES, 17)]
    assert told(attack([release(rows)])) == set()


def test_the_least_count_is_the_largest_of_those_that_count_it() -> None:
    rules = {**SUPPRESSED, "sensitive_count": 10, "sensitive_indicators": [THEFT]}
    rows = [count(THEFT, 27), count(VEHICLES, 20)]
    assert told(attack([release(rows)])) == set()
    assert told(attack([release(rows, rules)])) == {("derived", 7, 7)}


def test_true_totals_behind_rounded_indicators() -> None:
    rows = [count(THEFT, 20), count(VEHICLES, 20)]
    outside = [Outside(THEFT, "police", Cell("T", "2024"), n) for n in (20, 24)]
    assert told(attack([release(rows, ROUNDED)], known=outside[:1])) == {("true", 0, 0)}
    assert told(attack([release(rows, ROUNDED)], known=outside[1:])) == {("true", 4, 4)}


def test_too_many_cells_together_are_attacked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from safercities.disclose import attack as module
    from safercities.disclose import attack_space

    monkeypatch.setattr(attack_space, "MOST_LEAVES", 1)
    monkeypatch.setattr(module, "MOST_LEAVES", 1)
    report = attack([release([count(THEFT, 20), count(VEHICLES, 17)])])
    assert told(report) == set()
    assert any("one by one" in note for note in report.notes)


def test_what_is_not_known_to_be_linear_is_said() -> None:
    rows = [count(THEFT, 20), {**count(THEFT, 3), "method": "empirical Bayes, local", "unit": "per 100 000"}]
    assert any("1 smoothed" in note for note in attack([release(rows)]).notes)
    unknown = attack([release([count(THEFT, 20), count(VEHICLES, 17)], definitions={})]).notes
    assert any("not known what they count" in note for note in unknown)
    assert not any("not known what" in note for note in attack([release([count(THEFT, 20)])]).notes)


ACTS = st.lists(st.sampled_from(["04", "0401", "05", "0502", "05021", "050211", "0101"]), min_size=1, max_size=2)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTS, min_size=2, max_size=4), st.lists(st.integers(0, 9), min_size=12, max_size=12))
def test_kinds_add_up_to_what_each_indicator_counts(given_acts: list[list[str]], cases: list[int]) -> None:
    acts = {f"i{n}": Acts(acts=list(dict.fromkeys(one)), units=["victims"]) for n, one in enumerate(given_acts)}
    codes = ("0101", "0401", "04011", "04021", "0501", "0502", "05021", "050211", "050212", "05022", "0504", "03")
    kinds = Kinds.of_acts(acts)
    by_kind = np.zeros(len(kinds.counted), dtype=np.int64)
    for code, n in zip(codes, cases, strict=True):
        who = tuple(name for name, one in acts.items() if one.counts(code))
        if who:
            by_kind[kinds.counted.index(who)] += n
    for name, one in acts.items():
        assert by_kind[kinds.of[name]].sum() == sum(n for c, n in zip(codes, cases, strict=True) if one.counts(c))
    groups = overlapping(acts)
    assert sorted(name for group in groups for name in group) == sorted(acts)
    for group, other in ((a, b) for a in groups for b in groups if a != b):
        assert not any(set(one) & set(group) and set(one) & set(other) for one in kinds.counted)


# -- comparisons with a survey -----------------------------------------------------------------------------------------


def reported(value: float | None, cases: float | None, **more: Any) -> Row:
    made = {"indicator": "reporting.robbery", "version": "2010-1", "place": "T", "period": "2024"}
    made |= {"source": "police / victims", "unit": "per 100", "method": METHOD}
    return {**made, "value": value, "denominator": cases, "conf_status": "F" if value is not None else "N", **more}


def test_recorded_cases_over_surveyed_ones_give_the_recorded_ones_back() -> None:
    rows = [count("recorded.robbery", 30), *(count("recorded.robbery", None, one.id) for one in WARDS)]
    assert told(attack([release(rows)])) == set()
    assert ("withheld", 3, 3) in told(attack([release([*rows, reported(1.5, 200.0, place="W1")])]))
    for told_too_little in (reported(1.5, None, place="W1"), reported(None, None, place="W1")):
        assert told(attack([release([*rows, told_too_little])])) == set()
    coarse = [reported(2.0, 400.0, place="W1"), reported(1.0, 100_000.0, place="T")]
    unknown = attack([release([*rows, *coarse], definitions={})])
    assert told(unknown) == set()
    assert any("2 rows" in note for note in unknown.notes)


# -- sources of the same cases -----------------------------------------------------------------------------------------

SAME = {**SUPPRESSED, "same_cases": [{"sources": ["police", "health"], "periods": ["2024"]}]}
ROBBERY = "recorded.robbery"


def sisters() -> list[Row]:
    """Safe in each source; together three men are left."""
    police = [count(ROBBERY, 30), *(count(ROBBERY, n, sex=sex) for sex, n in (("F", 17), ("M", None), ("O", None)))]
    health = [count(ROBBERY, 30), *(count(ROBBERY, n, sex=sex) for sex, n in (("F", None), ("M", None), ("O", 10)))]
    return [*police, *({**row, "source": "health"} for row in health)]


def test_sister_tables_are_one_system_where_a_release_says_that_they_hold_the_same_cases() -> None:
    assert told(attack([release(sisters())])) == set()
    assert told(attack([release(sisters(), SAME)])) == {("withheld", 3, 3)}
    other = {**SUPPRESSED, "same_cases": [{"sources": ["police", "health"], "periods": ["2023"]}]}
    assert told(attack([release(sisters(), other)])) == set()


def test_sister_tables_of_two_releases_and_three_sources() -> None:
    rows = sisters()
    police, health = ([row for row in rows if row["source"] == name] for name in ("police", "health"))
    chained = [
        {"sources": ["police", "court"], "periods": ["2024"]},
        {"sources": ["court", "health"], "periods": ["2024"]},
    ]
    parts = [release(police), release(health, {**SUPPRESSED, "same_cases": chained})]
    assert told(attack(parts[:1])) == set()
    assert ("withheld", 3, 3) in told(attack(parts))


def test_what_is_known_of_one_source_is_known_of_its_sister() -> None:
    rows = [row for row in sisters() if row["source"] == "police"]
    rows.append({**count(ROBBERY, 30), "source": "health"})
    known = [Outside(ROBBERY, "health", Cell("T", "2024", (("sex", "O"),)), 10)]
    assert ("withheld", 3, 3) in told(attack([release(rows, SAME)], known=known))


def test_sisters_that_do_not_agree_prove_nothing() -> None:
    rows = [count(ROBBERY, 30), {**count(ROBBERY, 31), "source": "health"}]
    with pytest.raises(SafercitiesError, match="contradict"):
        attack([release(rows, SAME)])


@pytest.mark.parametrize("said", [3, [3], [{"sources": "police"}], [{"sources": [], "periods": ["2024"]}], [{}]])
def test_rules_that_are_no_such_rules_are_passed_over(said: Any) -> None:
    rules = {**SUPPRESSED, "same_cases": said}
    assert told(attack([release(sisters(), rules)])) == set()


# -- groups that are all alike, rounded --------------------------------------------------------------------------------

PRIVATE = {**ROUNDED, "attributes": ["migration"]}


def alike(n: int) -> list[Row]:
    """All 30 cases shown, but for n, are of migrants."""
    codes = {"MIG": 30, "NAT": n, "_U": 0}
    return [count(ROBBERY, 30 + n), *(count(ROBBERY, each, migration=code) for code, each in codes.items())]


def test_a_rounded_group_of_one_kind_is_reported_and_no_certainty() -> None:
    report = attack([release(alike(0), PRIVATE)])
    assert report.openings == ()
    assert [(one.kind, one.lower, one.upper) for one in report.uniform] == [("uniform", 0, 8)]
    assert any("none are shown, which stands for 0 to 8" in line for line in words.told(report))
    assert attack([release(alike(5), PRIVATE)]).uniform == ()
    assert attack([release(alike(0), ROUNDED)]).uniform == ()


def test_a_rounded_group_of_one_kind_is_certain_where_its_true_total_is_known() -> None:
    known = [Outside(ROBBERY, "police", Cell("T", "2024"), 30)]
    report = attack([release(alike(0), PRIVATE)], known=known)
    assert told(report) == {("true", 0, 0), ("group", 0, 0)}
    more = attack([release(alike(0), PRIVATE)], known=[Outside(ROBBERY, "police", Cell("T", "2024"), 34)])
    assert "group" not in {one.kind for one in more.openings}
