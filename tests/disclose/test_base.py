"""Bases: leaves that hold everything published, and sources made of them that measure as the true ones do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.collect.records import REJECTS, Collected, DimensionInfo
from safercities.collect.spec import PopulationSpec
from safercities.disclose import base as bases
from safercities.disclose.base import Base, make_base
from safercities.disclose.depends import shown
from safercities.disclose.plan import PlannedPeriod, PlannedTable, SourceFacts, plan
from safercities.disclose.rebuild import protected_source, without_codes
from safercities.disclose.spec import PublishSpec
from safercities.disclose.zones import make_zones
from safercities.indicators.catalogue import indicator
from safercities.indicators.spec import Indicator
from safercities.measure.counts import CountsSource, measure_counts, unplaced
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy
from safercities.places.population import Population

SEX = DimensionInfo("sex", "Sex", "person", ("F", "M"), {"F": "Female", "M": "Male"})
AGE = DimensionInfo("age", "Age", "person", ("Y0T14", "Y15T24", "Y_GE25"))
MEANS = DimensionInfo("means", "Means", "event", ("gun", "knife"))
DECLARED = {"sex": SEX.codes, "age": AGE.codes, "means": MEANS.codes}
TREE = Hierarchy(
    [
        Place("T", "Town", "city"),
        Place("N", "North", "district", "T"),
        Place("S", "South", "district", "T"),
        Place("n1", "Mill", "ward", "N"),
        Place("n2", "Quay", "ward", "N"),
        Place("s1", "Hill", "ward", "S"),
        Place("b1", "First", "beat", "T"),
        Place("b2", "Second", "beat", "T"),
    ]
)
CODES = ("recorded.theft", "recorded.personal_theft", "recorded.vehicle_theft", "recorded.robbery")
INDICATORS = {code: indicator(code) for code in CODES}
BY = [["sex"], ["place", "sex"], ["means"]]
COLUMNS = ("when", "act", "n", "sex", "age", "means", "place_district", "place_ward", "place_beat")
#: Chains as locating gives them: placed wholly, at the district only, nowhere, at odds with the tree.
CHAINS = [
    ("N", "n1", "b1"),
    ("N", "n2", "b2"),
    ("S", "s1", "b2"),
    ("N", "_U", "_U"),
    ("_U", "_U", "_U"),
    ("S", "n1", "b1"),
]

cases = st.lists(
    st.tuples(
        st.sampled_from([2019, 2020]),
        st.sampled_from(["0502", "05022", "050211", "0401", "05", "0101", "_U"]),
        st.integers(1, 7),
        st.sampled_from(["F", "M", "_U"]),
        st.sampled_from(["Y0T14", "Y15T24", "Y_GE25", "_U"]),
        st.sampled_from(["gun", "knife", "_U"]),
        st.sampled_from(CHAINS),
    ),
    max_size=20,
)


def source_of(records: Sequence[Any], **more: Any) -> CountsSource:
    rows = [(datetime(one[0], 7, 1) if isinstance(one[0], int) else one[0], *one[1:6], *one[6]) for one in records]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in COLUMNS]
    kinds = [pa.timestamp("us"), pa.string(), pa.int64(), *[pa.string()] * 6]
    table = pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], names=list(COLUMNS))
    given = {"unit": "incidents", "precision": "day", "covers": Period.parse("2019/2020"), "covers_declared": True}
    given |= {"dimensions": {one.name: one for one in (SEX, AGE, MEANS)}, "levels": ("district", "ward", "beat")}
    return CountsSource("police", "Police", table, **(given | more))


def planned(source: CountsSource, by: Sequence[Sequence[str]] = BY, **more: Any) -> tuple[PlannedPeriod, ...]:
    periods = tuple(map(Period.parse, ("2019", "2020")))
    names = tuple(source.dimensions)
    facts = SourceFacts("police", "incidents", tuple(INDICATORS.values()), names, source.levels, periods)
    return plan(PublishSpec(), [facts], by, **({"standard": "who"} | more)).parts


def bases_of(source: CountsSource, **more: Any) -> list[Base]:
    return [
        make_base(source, one.period, one.tables, hierarchy=TREE, place="T", indicators=INDICATORS)
        for one in planned(source, **more)
    ]


def people() -> Population:
    cells = list(product(("n1", "n2", "s1"), ("2019", "2020"), SEX.codes, AGE.codes))
    columns = list(zip(*cells, strict=True))
    names = ("code", "period", "sex", "age")
    table = pa.table({"row": range(len(cells)), **dict(zip(names, columns, strict=True)), "n": [500.0] * len(cells)})
    spec = PopulationSpec(kind="population", file="people.csv", place="code", period="period", count="n")
    rest = (REJECTS.empty_table(), (), len(cells), None, None, "year", (SEX, AGE), "People")
    return Population.from_collected(
        [Collected("people", "population", "people.csv", table, *rest)], TREE, "T", {"people": spec}
    )


PEOPLE = people()


def measured(source: CountsSource, code: str, **more: Any) -> Estimates:
    given = {"hierarchy": TREE, "population": PEOPLE, "place": "T", "by": BY, "standard": "who", "smooth": True} | more
    return measure_counts(INDICATORS[code], source, **given)


def same(one: Estimates, other: Estimates) -> bool:
    return one.table.equals(other.table)


@settings(max_examples=5, deadline=None)
@given(cases)
def test_unprotected_bases_measure_as_the_true_source(data: list[Any]) -> None:
    source = source_of(data)
    made = bases_of(source)
    rebuilt = protected_source(source, made, [one.counts for one in made], DECLARED)
    for code in (CODES[len(data) % 3], CODES[3]):
        assert same(measured(rebuilt, code), measured(source, code))


@settings(max_examples=5, deadline=None)
@given(cases, st.randoms())
def test_leaves_hold_every_case_once_in_any_order(data: list[Any], rng: random.Random) -> None:
    source, shuffled = source_of(data), list(data)
    rng.shuffle(shuffled)
    for one, other in zip(bases_of(source), bases_of(source_of(shuffled)), strict=True):
        assert one.counts.sum() == sum(row[2] for row in data if row[0] == one.period.start.year)
        assert np.array_equal(one.counts, other.counts)
        assert (one.signatures, one.zones.codes, one.axes) == (other.signatures, other.zones.codes, other.axes)
        again = one.records(one.counts)
        assert again.column("n").to_numpy().sum() == one.counts.sum()
        assert len(set(map(tuple, one.at.T.tolist()))) == one.leaves


@settings(max_examples=5, deadline=None)
@given(cases)
def test_each_cell_of_the_family_is_the_count_that_is_published(data: list[Any]) -> None:
    source = source_of(data)
    estimates = Estimates.concat([measured(source, code, smooth=False) for code in CODES[1:3]])
    for part, base in zip(planned(source), bases_of(source), strict=True):
        family = base.family(part.tables)
        counts = family.counts(base.counts)
        found = shown(base, family, part.tables, estimates)
        rows = estimates.table.to_pylist()
        for row, own, table in zip(rows, found.own.tolist(), found.table.tolist(), strict=True):
            assert (table >= 0) == (row["period"] == str(base.period))
            if row["method"] == "count" and table >= 0:
                assert row["value"] == (counts[own] if own >= 0 else 0)
        for number, cell in zip(found.unsure.row.tolist(), found.unsure.cell.tolist(), strict=True):
            note = rows[number]["note"]
            assert (f"{counts[cell]} cases of this source" in note) == (
                counts[cell] > 0 and rows[number]["method"] == "count"
            )


def test_labels_are_words() -> None:
    (base, _), (part, _) = bases_of(source_of([])), planned(source_of([]))
    family = base.family(part.tables)
    said = {table.label(cell) for table in family.tables for cell in range(table.size)}
    robbery = INDICATORS["recorded.robbery"].on().label
    assert {f"{robbery}, Female, Mill, 2019", f"{robbery}, Town, 2019", f"{robbery}, Male, Town, 2019"} <= said
    assert any("ward not known" in one for one in said)
    assert "2019" in base.label(0)


def test_a_source_without_records_and_one_with_a_single_one() -> None:
    for data in ([], [(2019, "0401", 1, "F", "Y15T24", "gun", CHAINS[0])]):
        source = source_of(data)
        made = bases_of(source)
        assert [int(one.counts.sum()) for one in made] == [len(data), 0]
        rebuilt = protected_source(source, made, [one.counts for one in made], DECLARED)
        assert same(measured(rebuilt, CODES[3]), measured(source, CODES[3]))


def test_every_cell_has_leaves_whether_or_not_there_is_a_case() -> None:
    source = source_of([(2019, "0502", 3, "F", "Y15T24", "gun", CHAINS[0])])
    for part, base in zip(planned(source), bases_of(source), strict=True):
        family = base.family(part.tables)
        for table, at in zip(family.tables, family.at, strict=True):
            assert (at >= 0).all(), table.name


def test_zones_nest_where_places_do_and_cross_where_they_are_parallel() -> None:
    (base, _) = bases_of(source_of([]))
    chains = {
        tuple(codes[at] for codes, at in zip(base.zones.codes, zone, strict=True)) for zone in base.zones.at.T.tolist()
    }
    placed = {("N", "n1"), ("N", "n2"), ("S", "s1"), ("N", "_U"), ("S", "_U"), ("_U", "_U")}
    assert chains == {(*two, beat) for two in placed for beat in ("b1", "b2", "_U")}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["T", "D1", "D2"]), min_size=1, max_size=4), st.booleans(), st.permutations("dwbc"))
def test_zones_are_all_chains_that_agree(parents: list[str], nested: bool, order: list[str]) -> None:
    """Against enumeration: districts, wards with or without one, beats beside them, cells below beats."""
    wards = [Place(f"w{at}", "", "w", parent) for at, parent in enumerate(parents)]
    beats = [Place("b1", "", "b", "D1" if nested else "T"), Place("b2", "", "b", "T"), Place("c1", "", "c", "b1")]
    districts = [Place("D1", "", "d", "T"), Place("D2", "", "d", "T")]
    tree = Hierarchy([Place("T", "", "city"), *districts, *wards, *beats])

    def above(id: str) -> dict[str, str]:
        return {} if id == "_U" else {one.level: one.id for one in tree.ancestors(id)}

    def agree(chain: tuple[str, ...]) -> bool:
        fits = all(above(id).get(level, at) == at for id in chain for level, at in zip(order, chain, strict=True))
        ways = [above(id).items() for id in chain]
        return fits and all(
            one.get(level, id) == id for items in ways for level, id in items for one in map(above, chain)
        )

    table = pa.table({f"place_{level}": pa.array([], pa.string()) for level in order})
    zones, _ = make_zones(table, np.zeros(0, dtype=bool), tree, order, Period.parse("2019"), "T")
    found = [tuple(codes[at] for codes, at in zip(zones.codes, zone, strict=True)) for zone in zones.at.T.tolist()]
    every = product(*([one.id for one in tree.at_level(level)] + ["_U"] for level in order))
    assert sorted(found) == sorted(chain for chain in every if agree(chain))


def test_parallel_zones_only_where_they_share_ground_or_a_record_says_so() -> None:
    table = pa.table({"place_ward": ["s1"], "place_beat": ["b1"]})
    overlaps = {("ward", "beat"): {("n1", "b1"), ("n2", "b2"), ("s1", "b2")}}
    period = Period.parse("2019")
    zones, of = make_zones(table, np.array([True]), TREE, ["ward", "beat"], period, "T", overlaps)
    chains = [tuple(codes[at] for codes, at in zip(zones.codes, zone, strict=True)) for zone in zones.at.T.tolist()]
    both = {one for one in chains if "_U" not in one}
    assert both == {("n1", "b1"), ("n2", "b2"), ("s1", "b2"), ("s1", "b1")}
    assert chains[of[0]] == ("s1", "b1")
    turned, _ = make_zones(table, np.array([True]), TREE, ["beat", "ward"], period, "T", overlaps)
    assert len(turned) == len(zones)


def test_places_of_another_time_are_no_zones() -> None:
    old = Place("old", "Old", "ward", "N", valid_to=date(2018, 12, 31))
    tree = Hierarchy([*TREE.places, old])
    table = pa.table({"place_district": ["N", "N"], "place_ward": ["old", "n1"]})
    inside = np.array([False, True])
    zones, of = make_zones(table, inside, tree, ["district", "ward"], Period.parse("2019"), "T")
    assert "old" not in zones.along("ward")
    assert len(of) == 1
    zones, _ = make_zones(table, ~inside, tree, ["district", "ward"], Period.parse("2019"), "T")
    assert "old" in zones.along("ward")  # a record says so: it must have a leaf


def test_flags_of_incomplete_periods_are_those_of_the_true_source() -> None:
    data = [(datetime(2019, month, 3), "0401", 4, "F", "_U", "gun", CHAINS[0]) for month in range(5, 13)]
    data += [(datetime(2020, 1, 5), "0401", 2, "M", "_U", "gun", CHAINS[2])]
    for more in (
        {"covers": Period.parse("2019-05/2020-12")},
        {"covers": Period.parse("2019-06/2020-12")},  # a case before what is said to be covered: no rates
        {"covers": Period.parse("2019-05/2020-12"), "today": date(2020, 6, 1)},
        {"acts": ("04011",)},
    ):
        source = source_of(data, **more)
        made = bases_of(source)
        rebuilt = protected_source(source, made, [one.counts for one in made], DECLARED)
        assert rebuilt.covers_declared
        assert same(measured(rebuilt, CODES[3]), measured(source, CODES[3]))


def test_the_share_of_rejected_rows_is_not_told() -> None:
    """It compares the whole file, rows of which no table tells: one more true number."""
    source = source_of([(2019, "0401", 9, "F", "Y15T24", "gun", CHAINS[0])], rejected=0.2)
    assert any("rejected_share" in row["quality"] for row in measured(source, CODES[3]).rows())
    made = bases_of(source)
    shown = measured(protected_source(source, made, [one.counts for one in made], DECLARED), CODES[3])
    assert not any("rejected_share" in (row["quality"] or "") for row in shown.rows())


def test_codes_that_were_only_seen_vanish_with_their_last_protected_case() -> None:
    rare = DimensionInfo("means", "Means", "event", ("gun", "knife", "poison"), {"poison": "Poison"})
    data = [(2019, "0401", 1, "F", "Y15T24", "poison", CHAINS[0]), (2019, "0401", 1, "F", "Y15T24", "acid", CHAINS[0])]
    dimensions = {one.name: one for one in (SEX, AGE, rare)}
    source = source_of(data, dimensions=dimensions)
    made = bases_of(source)
    true = protected_source(source, made, [one.counts for one in made], DECLARED)
    assert {"poison", "acid"} <= set(measured(true, CODES[3]).table.column("means").to_pylist())
    none = protected_source(source, made, [np.zeros_like(one.counts) for one in made], DECLARED)
    found = measured(none, CODES[3])
    assert set(found.table.column("means").to_pylist()) == {"gun", "knife", "_T"}
    assert "Poison" not in str(none.dimensions)
    one = DECLARED | {"means": ("gun",)}
    fewer = protected_source(source, made, [np.zeros_like(base.counts) for base in made], one)
    assert set(measured(fewer, CODES[3]).table.column("means").to_pylist()) == {"gun", "_T"}


def test_hidden_codes_become_unknown_before_anything_is_withheld() -> None:
    data = [(2019, "0401", n, "F", "Y15T24", code, CHAINS[0]) for n, code in ((9, "gun"), (2, "acid"), (6, "rope"))]
    source = source_of(data)
    found = without_codes(source, {"means": ["acid"], "sex": ["M"]})
    counts = measured(found, CODES[3]).where(method="count", period="2019", place="T", sex="_T")
    shown = {row["means"]: row["value"] for row in counts.rows() if row["means"] != "knife"}
    assert shown == {"_T": 17, "gun": 9, "rope": 6, "_U": 2}
    assert found.dimensions["sex"].codes == ("F",)
    assert same(measured(without_codes(source, {}), CODES[3]), measured(source, CODES[3]))


def test_what_is_unfinished_is_known_of_the_source() -> None:
    data = [(2019, "0401", 9, "F", "Y15T24", "gun", CHAINS[0])]
    source = source_of(data, covers=Period.parse("2019-03/2020-11"), today=date(2022, 1, 1))
    facts = SourceFacts.of_counts(source, list(INDICATORS.values()), "year")
    assert list(map(str, facts.periods)) == ["2019", "2020"]
    assert list(map(str, facts.unfinished)) == ["2020"]  # 2019 lacks its beginning, and never will have it
    early = SourceFacts.of_counts(source_of(data, today=date(2019, 12, 30)), [], "year")
    assert len(early.unfinished) == 2


def test_two_versions_of_an_indicator_stand_side_by_side() -> None:
    said = {"label": "Robbery", "definition": "Robbery.", "denominator": "none", "source": "Test"}
    first = {"version": "1", "numerator": {"acts": ["0401"], "units": ["incidents"]}, **said}
    second = {
        "version": "2",
        "numerator": {"acts": ["0501"], "units": ["incidents"]},
        "valid_from": "2021-01-01",
        **said,
    }
    both = Indicator.model_validate({"code": "x", "kind": "count", "versions": [first, second]})
    data = [(2019, "0401", 5, "F", "_U", "gun", CHAINS[0]), (2019, "0501", 3, "F", "_U", "gun", CHAINS[0])]
    tables = [PlannedTable("x", "1"), PlannedTable("x", "2")]
    base = make_base(source_of(data), Period.parse("2019"), tables, hierarchy=TREE, place="T", indicators={"x": both})
    assert [table.counts(base.counts).tolist() for table in base.family(tables).tables] == [[5], [3], [0], [0]]
    with pytest.raises(SafercitiesError, match="no longer has"):
        make_base(
            source_of([]), Period.parse("2019"), [PlannedTable("x", "3")], hierarchy=TREE, place="T",
            indicators={"x": both},
        )  # fmt: skip


def test_too_many_leaves_and_negative_counts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SafercitiesError, match="fewer than no cases"):
        bases_of(source_of([(2019, "0401", -1, "F", "_U", "gun", CHAINS[0])]))
    monkeypatch.setattr(bases, "MOST_LEAVES", 100)
    with pytest.raises(SafercitiesError, match="publish fewer dimensions"):
        bases_of(source_of([]))


def test_counts_that_do_not_fit_the_leaves_are_refused() -> None:
    (base, _) = bases_of(source_of([]))
    for wrong in (base.counts[1:], base.counts - 1, base.counts.astype(float)):
        with pytest.raises(ValueError, match="one whole number"):
            base.records(wrong)
    with pytest.raises(ValueError, match="bases of the source"):
        protected_source(source_of([]), [base], [])
    with pytest.raises(ValueError, match="count twice"):
        protected_source(source_of([]), [base, base], [base.counts, base.counts])
    with pytest.raises(ValueError, match="not made for"):
        base.family([PlannedTable("recorded.vandalism", "1")])


def rows_needing(cell: int, needs: Any, rows: int, cells: int) -> set[int]:
    withheld = np.zeros(cells, dtype=bool)
    withheld[cell] = True
    return set(np.flatnonzero(needs.hit(withheld, rows)).tolist())


@settings(max_examples=5, deadline=None)
@given(cases, st.integers(0, 10**6), st.integers(1, 5))
def test_whatever_changes_with_a_leaf_needs_a_cell_that_holds_it(data: list[Any], which: int, more: int) -> None:
    """Change one leaf: every row whose numbers change depends on a cell that holds the leaf. Nothing is missed."""
    source = source_of(data)
    made, parts = bases_of(source), planned(source)
    base, part = made[0], parts[0]
    leaf = which % base.leaves
    changed = base.counts.copy()
    changed[leaf] += more
    code = CODES[which % len(CODES)]
    before, after = (
        measured(protected_source(source, made, [counts, made[1].counts], DECLARED), code)
        for counts in (base.counts, changed)
    )
    family = base.family(part.tables)
    holding = np.asarray(family.matrix[:, [leaf]].toarray()).ravel() > 0
    found = shown(base, family, part.tables, after)
    key = ("place", "period", "unit", "method", "sex", "age", "means")
    old = {tuple(row.get(name, "_T") for name in key): row for row in before.rows()}
    hit = {name: getattr(found, name).hit(holding, len(after)) for name in ("value", "coverage", "unsure")}
    for number, row in enumerate(after.rows()):
        was = old.get(tuple(row.get(name, "_T") for name in key))
        if row["period"] != str(base.period) or was is None:
            assert was is not None or hit["value"][number] or hit["coverage"][number]
            continue
        if any(row[name] != was[name] for name in ("value", "se", "lower", "upper", "n")):
            assert hit["value"][number]
        if row["method"] == "count" and row["note"] != was["note"]:
            assert hit["unsure"][number]
        if row["coverage"] != was["coverage"]:
            assert hit["coverage"][number] or hit["value"][number]


def test_a_row_that_depends_on_a_table_that_is_not_planned_is_no_silence() -> None:
    source = source_of([(2019, "0401", 4, "F", "Y15T24", "gun", CHAINS[0])])
    (base, _), (part, _) = bases_of(source), planned(source)
    tables = [one for one in part.tables if one.shown]
    with pytest.raises(ValueError, match="stands behind another one"):
        shown(base, base.family(tables), tables, measured(source, CODES[3], by=[["means"], ["place"]]))


def test_unplaced_rows_have_their_cells() -> None:
    source = source_of([(2019, "0401", 4, "F", "Y15T24", "gun", CHAINS[4])])
    (base, _), (part, _) = bases_of(source), planned(source)
    estimates = measured(source, CODES[3])
    family = base.family(part.tables)
    found = shown(base, family, part.tables, estimates)
    lost = [n for n, row in enumerate(estimates.rows()) if row["place"] == unplaced("ward") and row["period"] == "2019"]
    assert lost
    assert {int(family.counts(base.counts)[found.own[n]]) for n in lost} == {4}
