"""Plans: which tables, which least counts, and which periods are refused."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.disclose.plan import Plan, SourceFacts, plan
from safercities.disclose.spec import KnownSpec, PublishSpec
from safercities.indicators.catalogue import indicator
from safercities.model.periods import Period

ROBBERY, SEXUAL = indicator("recorded.robbery"), indicator("recorded.sexual_violence")


def facts(*periods: str, **more: Any) -> SourceFacts:
    given = {"dimensions": ("sex", "age", "orientation"), "levels": ("district", "ward"), "indicators": (ROBBERY,)}
    given |= {"name": "police", "kind": "incidents", "periods": tuple(map(Period.parse, periods or ("2024",)))} | more
    return SourceFacts(**given)


def names(found: Plan, code: str = "recorded.robbery", part: int = 0) -> dict[tuple[str, ...], int]:
    return {one.names: one.minimum for one in found.parts[part].tables if one.shown and one.indicator == code}


def codes(found: Plan) -> list[str]:
    return [one.code for one in found.problems]


def test_tables_and_their_least_counts() -> None:
    found = plan(PublishSpec(), [facts()], [["sex"], ["age", "sex"], ["place"], ["place", "orientation"], ["income"]])
    assert names(found) == {
        (): 5,
        ("sex",): 5,
        ("sex", "age"): 5,
        ("district",): 5,
        ("ward",): 5,
        ("district", "orientation"): 10,
        ("ward", "orientation"): 10,
    }
    assert not found.problems


def test_breakdowns_of_measure_that_do_not_fit_are_left_out_with_a_note() -> None:
    found = plan(PublishSpec(), [facts()], [["sex"], ["sex", "age", "place"]])
    assert list(names(found)) == [(), ("sex",)]
    assert codes(found) == ["publish-table-left-out"]
    assert "at most 2 dimensions" in str(found.problems[0])
    wider = plan(PublishSpec(dimensions=3), [facts()], [["sex", "age", "place"]])
    assert ("ward", "sex", "age") in names(wider)


def test_a_sensitive_act_is_not_broken_down_by_place_and_a_sensitive_dimension() -> None:
    both = facts(indicators=(ROBBERY, SEXUAL))
    found = plan(PublishSpec(tables=[["place", "orientation"], ["place"], ["orientation"]]), [both], [["sex"]])
    assert ("ward", "orientation") in names(found)
    assert names(found, SEXUAL.code) == {(): 10, ("district",): 10, ("ward",): 10, ("orientation",): 10}
    assert codes(found) == ["publish-table-refused"]
    assert SEXUAL.code in str(found.problems[0])


def test_levels_and_indicators_that_are_chosen() -> None:
    spec = PublishSpec(levels=["district"], indicators=[ROBBERY.code, "sdg.3.6.1"])
    found = plan(spec, [facts(indicators=(ROBBERY, SEXUAL))], [["place"]])
    assert list(names(found)) == [(), ("district",)]
    assert not names(found, SEXUAL.code)
    assert codes(found) == ["publish-indicator-nowhere"]
    measured = plan(PublishSpec(), [facts(indicators=(ROBBERY, SEXUAL))], [], indicators=[SEXUAL.code])
    assert {one.indicator for one in measured.parts[0].tables} == {SEXUAL.code}


def test_counts_by_age_stand_behind_standardised_rates_and_places_behind_coverage() -> None:
    found = plan(PublishSpec(), [facts()], [["sex"], ["place", "sex"]], standard="who")
    behind = {one.names for one in found.parts[0].tables if not one.shown}
    assert behind == {
        ("age",),
        ("sex", "age"),
        ("district",),
        ("ward",),
        ("district", "sex", "age"),
        ("ward", "sex", "age"),
    }
    without = plan(PublishSpec(), [facts()], [["sex"], ["place", "sex"]])
    assert {one.names for one in without.parts[0].tables if not one.shown} == {("district",), ("ward",)}


@pytest.mark.parametrize(
    ("periods", "earlier", "kept"),
    [
        (["2023", "2024"], [], ["2023", "2024"]),
        (["2023", "2024"], ["2023"], ["2024"]),
        (["2023-07/2024-06"], ["2023"], []),
        (["2024-Q1", "2024-Q2"], ["2024"], []),
        (["2024"], ["2024-Q1"], []),
        (["2024-Q2"], ["2024-Q1"], ["2024-Q2"]),
        (["2023-02/2024-01"], ["2023-01/2023-12"], []),
        (["2024-01", "2023-02/2024-01"], [], []),
    ],
)
def test_periods_that_overlap_are_refused(periods: list[str], earlier: list[str], kept: list[str]) -> None:
    found = plan(PublishSpec(), [facts(*periods)], [], earlier=[("police", Period.parse(one)) for one in earlier])
    assert [str(one.period) for one in found.parts] == kept
    assert all("gives back the part" in str(p) for p in found.problems if p.code == "publish-period-overlaps")
    assert len(found.problems) == len(periods) - len(kept)


def test_the_same_period_is_a_revision_only_where_it_supersedes() -> None:
    earlier = [("police", Period.parse("2024")), ("registry", Period.parse("2020/2025"))]
    again = plan(PublishSpec(), [facts()], [], earlier=earlier)
    assert (codes(again), again.parts) == (["publish-period-again"], ())
    revised = plan(PublishSpec(), [facts("2024", "2025")], [], earlier=earlier, supersedes=True)
    assert [(str(one.period), one.revision) for one in revised.of("police")] == [("2024", True), ("2025", False)]


def test_unfinished_periods_wait() -> None:
    found = plan(PublishSpec(), [facts("2023", "2024", unfinished=frozenset({Period.parse("2024")}))], [])
    assert [str(one.period) for one in found.parts] == ["2023"]
    assert codes(found) == ["publish-period-unfinished"]


def test_waves_of_a_survey_may_overlap_but_not_be_cut_anew() -> None:
    survey = {"kind": "survey", "name": "survey"}
    waves = facts("2023", "2023-10/2024-01", **survey)
    earlier = [("survey", one) for one in waves.periods]
    assert len(plan(PublishSpec(), [waves], []).parts) == 2
    assert len(plan(PublishSpec(), [waves], [], earlier=earlier, supersedes=True).parts) == 2
    anew = plan(PublishSpec(), [facts("2023-Q4", **survey)], [], earlier=earlier)
    assert codes(anew) == ["publish-period-overlaps"]


days = st.integers(0, 400).map(lambda n: date(2023, 1, 1) + timedelta(days=n))
runs = st.tuples(days, st.integers(0, 120)).map(lambda one: Period(one[0], one[0] + timedelta(days=one[1])))


@given(st.lists(st.lists(runs, max_size=4), max_size=4), st.booleans())
def test_whatever_is_asked_for_no_two_published_periods_differ_and_overlap(
    asked: list[list[Period]], supersedes: bool
) -> None:
    published: list[tuple[str, Period]] = []
    for periods in asked:
        source = facts(periods=tuple(periods))
        found = plan(PublishSpec(), [source], [], earlier=published, supersedes=supersedes)
        published += [("police", one.period) for one in found.parts]
        assert len(found.parts) + sum(p.code.startswith("publish-period") for p in found.problems) >= len(set(periods))
    for _, one in published:
        assert not [other for _, other in published if one != other and one.overlaps(other)]


def test_what_outsiders_know_is_planned_and_never_shown() -> None:
    known = KnownSpec(indicator=ROBBERY.code, by=[[], ["place"]], periods=["2024"])
    found = plan(PublishSpec(known=[known], levels=["district"]), [facts("2023", "2024")], [["sex"]])
    assert [len(one.known) for one in found.parts] == [0, 3]
    assert [one.names for one in found.parts[1].known] == [(), ("district",), ("ward",)]
    assert not any(one.shown for one in found.parts[1].known)
    wrong = KnownSpec(indicator=ROBBERY.code, by=[["means"]])
    assert codes(plan(PublishSpec(known=[wrong]), [facts()], [])) == ["publish-known-nowhere"]
    other = KnownSpec(indicator=ROBBERY.code, source="registry")
    assert codes(plan(PublishSpec(known=[other]), [facts()], [])) == ["publish-known-nowhere"]
