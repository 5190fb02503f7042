"""The gate: every planted leak shuts it, and what was properly protected passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_base import Counts, K, entry, made, minimum
from safercities.disclose import gate
from safercities.disclose.base import Base
from safercities.disclose.counts import revised
from safercities.disclose.family import Family, Table
from safercities.disclose.journal import Entry
from safercities.disclose.prove import Prover
from safercities.disclose.room import Room
from safercities.disclose.rounding import round_base
from safercities.disclose.suppress import insiders_of, suppress
from safercities.disclose.worlds import Insider, Opening
from safercities.model.errors import SafercitiesError

SECRET = b"only for these tests"


def by(base: Base, *names: str) -> Table:
    """A table of wards, beats, sexes, or some of them together."""
    of, size = np.zeros(base.leaves, dtype=np.int64), 1
    for name in names:
        along = base.at[2] if name == "sex" else base.zones.places(name)[base.at[1]]
        of, size = of * (int(along.max()) + 1) + along, size * (int(along.max()) + 1)
    return Table(" × ".join(names) or "total", of, size, K)


def family(base: Base, *tables: Sequence[str]) -> Family:
    return Family(base.leaves, tuple(by(base, *names) for names in tables))


def withheld(base: Base, tables: Family, *leaves: tuple[int, int]) -> np.ndarray:
    """Cells that are published: all of K and more, but the single leaves named by zone and sex."""
    shown = tables.counts(base.counts) >= K
    sizes = np.diff(tables.matrix.indptr)
    for zone, sex in leaves:
        leaf = zone * len(base.axes[0].codes) + sex
        first = tables.matrix.indices[np.minimum(tables.matrix.indptr[:-1], tables.matrix.nnz - 1)]
        shown[(sizes == 1) & (first == leaf)] = False
    return shown


def attacked(
    base: Base,
    tables: Family,
    published: np.ndarray,
    *,
    earlier: Sequence[Entry] = (),
    known: Sequence[Table] = (),
    insiders: Sequence[Insider] = (),
) -> list[Opening]:
    """What follows where these cells are published exactly."""
    room = Room.of(base, base.counts, earlier, known).publish(tables.matrix[np.flatnonzero(published)], "this release")
    return gate.openings(room, gate.targets(room, tables, minimum(base), None), insiders)


def rounded(base: Base, shown: np.ndarray, tables: Family, **more: Sequence) -> tuple[list[Opening], Room, gate.Target]:
    """What follows where these rounded counts are published."""
    room = Room.of(base, base.counts, more.get("earlier", ()), more.get("known", ())).rounded(shown, minimum(base))
    target = gate.targets(room, tables, minimum(base), None)
    return gate.openings(room, target, more.get("insiders", ())), room, target


def round_(base: Base) -> np.ndarray:
    return round_base(base.counts, family(base, (), ("ward", "sex")), K, secret=SECRET).counts


def limits(found: Sequence[Opening]) -> set[tuple[int, int]]:
    return {(one.lower, one.upper) for one in found}


# -- planted leaks ---------------------------------------------------------------------------------------------------


def test_what_is_the_difference_of_two_published_cells_shuts_it() -> None:
    base = made([[12, 3], [20, 30]])
    tables = family(base, ("ward",), ("ward", "sex"))
    assert limits(attacked(base, tables, withheld(base, tables))) == {(3, 3)}
    assert not attacked(base, tables, withheld(base, tables, (0, 0)))  # with its neighbour withheld as well


def test_two_tables_that_are_safe_alone_shut_it_together() -> None:
    base = made([[12, 3], [20, 30], [40, 50]])
    one, both = family(base, ("ward",), ("ward", "sex")), family(base, ("ward",), ("sex",), ("ward", "sex"))
    assert not attacked(base, one, withheld(base, one, (0, 0)))
    assert (3, 3) in limits(attacked(base, both, withheld(base, both, (0, 0))))


def test_parallel_geographies_that_differ_by_a_small_overlap_shut_it() -> None:
    base = made([[17], [3], [40]], [("A", "P"), ("A", "Q"), ("B", "Q")])
    tables = family(base, ("ward",), ("beat",))
    assert limits(attacked(base, tables, withheld(base, tables))) == {(3, 3)}  # ward A less beat P


def test_a_leaf_that_is_in_no_table_is_protected_too() -> None:
    """2 × 2 wards and sexes from their margins only: the small leaf lies between 0 and what the margins allow."""
    base = made([[0, 9], [9, 1]])
    tables = family(base, ("ward",), ("sex",))
    assert limits(attacked(base, tables, withheld(base, tables))) == set()
    extreme = made([[10, 0], [0, 90]])
    known = Table("women of B", np.array([-1, -1, 0, -1]), 1, 1)
    assert (0, 0) in limits(attacked(extreme, tables, withheld(extreme, tables), known=[known]))


def test_a_total_known_outside_that_pins_a_rounded_count_shuts_it_and_the_log_says_why() -> None:
    base = made([[12, 1], [20, 30]])
    men = Table("men", base.at[2] - 1, 1, 1, ("men",))
    tables = family(base, (), ("ward", "sex"))
    assert not rounded(base, round_(base), tables)[0]
    found, room, target = rounded(base, round_(base), tables, known=[men])
    assert limits(found) == {(1, 1)}  # 31 men, less the 30 of the other ward, which are too many to be rounded
    (told,) = gate.certificates(room, target, found[:1])
    assert (told["at least"], told["at most"], told["by"]) == (1, 1, "anybody")
    assert any(fact["fact"] == "men (known outside)" for fact in told["because"])


def test_a_correction_by_one_case_shuts_it() -> None:
    before, now = made([[12, 3], [20, 30]]), made([[13, 3], [20, 30]])
    tables = family(now, (), ("sex",))
    earlier = entry(before, tables=tables)
    assert (1, 1) in limits(attacked(now, tables, withheld(now, tables), earlier=[earlier]))
    kept = replace(now, counts=revised(now, earlier))
    assert kept.counts.tolist() == before.counts.tolist()  # what would be published instead
    assert not attacked(kept, tables, withheld(kept, tables), earlier=[earlier])


def test_a_count_that_was_drawn_anew_after_a_correction_of_its_neighbour_is_wide_enough() -> None:
    before, now = made([[12, 3], [20, 30]]), made([[32, 3], [20, 30]])
    tables = family(now, (), ("ward", "sex"))
    first = entry(before, round_(before))
    shown = round_base(now.counts, tables, K, secret=SECRET, previous=(before.counts, first.rounded)).counts  # type: ignore[arg-type]
    assert not rounded(now, shown, tables, earlier=[first], insiders=insiders_of(now.counts))[0]


def test_an_earlier_release_of_wider_cells_that_pins_a_part_shuts_it() -> None:
    """Of the two sexes together 19 were published, which is no small count; now each sex is."""
    now = made([[12, 6, 1]])
    before = replace(now, axes=(), counts=np.array([19]))
    tables = family(now, ("sex",))
    earlier = entry(before, before.counts)
    assert limits(rounded(now, np.array([12, 6, 0]), tables, earlier=[earlier])[0]) == {(1, 1)}
    wider = replace(now, counts=np.array([12, 4, 3]))
    assert not rounded(wider, np.array([12, 0, 5]), tables, earlier=[earlier])[0]


# -- what passes -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=1, max_size=4))
def test_rounded_counts_pass_without_a_solver_insiders_and_singletons_too(counts: Counts) -> None:
    base = made(counts)
    tables = family(base, (), ("sex",), ("ward",), ("ward", "sex"))
    shown = round_base(base.counts, tables, K, secret=SECRET).counts
    with patch.object(gate, "Prover", side_effect=AssertionError("no fact is shared")):
        assert not rounded(base, shown, tables, insiders=insiders_of(base.counts))[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), st.booleans())
def test_without_a_solver_the_limits_are_the_solvers(counts: list[int], alone: bool) -> None:
    """Leaves with limits of their own: the fast way and the Prover find the same openings."""
    base = made([counts])
    tables = Family(base.leaves, (Table("some", np.zeros(base.leaves, dtype=np.int64), 1, 30),))
    shown = round_base(base.counts, tables, K, secret=SECRET).counts
    insiders = insiders_of(base.counts, singletons=alone)
    room = Room.of(base, base.counts, (), ()).rounded(shown, minimum(base))
    target = gate.targets(room, tables, minimum(base), 4)
    ours = {(one.target, one.lower, one.upper) for one in gate.openings(room, target, insiders)}
    prover = Prover(room.knowledge, target.matrix, target.width, truth=base.counts)
    anybody = {(one.target, one.lower, one.upper) for one in prover.openings()}
    assert ours >= anybody
    assert {one[0] for one in ours} == {one.target for one in prover.openings(insiders)} | {one[0] for one in anybody}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=2), min_size=2, max_size=4), st.booleans())
def test_suppressed_counts_pass_or_are_refused(counts: Counts, insider: bool) -> None:
    base = made(counts)
    tables = family(base, (), ("sex",), ("ward",), ("ward", "sex"))
    insiders = insiders_of(base.counts) if insider else []
    try:
        done = suppress(tables, base.counts, insiders=insiders)
    except SafercitiesError:
        return  # nothing is published then
    assert not attacked(base, tables, done.published, insiders=insiders)
    assert not done.published[tables.counts(base.counts) < K].any()


def test_a_singleton_that_knows_the_others_shuts_it() -> None:
    base = made([[1, 2], [30, 40]])
    tables = family(base, ("sex",), ("ward", "sex"))
    pair = Table("ward A", np.array([0, 0, -1, -1]), 1, 1)
    shown = withheld(base, tables, (1, 0), (1, 1))
    assert not attacked(base, tables, shown, known=[pair])
    alone = [Insider(0, alone=True)]
    assert any(one.insider == alone[0] for one in attacked(base, tables, shown, known=[pair], insiders=alone))


# -- closed where it cannot tell ---------------------------------------------------------------------------------------


def test_counts_that_were_not_rounded_are_refused() -> None:
    base = made([[12, 3], [20, 30]])
    with pytest.raises(ValueError, match="has not been rounded"):
        rounded(base, base.counts, family(base, ()))


def test_counts_that_are_not_those_of_the_data_are_refused() -> None:
    base = made([[12, 3], [20, 30]])
    with pytest.raises(SafercitiesError, match="contradict"):
        rounded(base, np.array([13, 0, 20, 30]), family(base, ()))
