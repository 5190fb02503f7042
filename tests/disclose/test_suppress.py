"""Protected tables stand an attacker who tries every world; nothing is withheld that need not be."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.disclose.brute import cube, few, published, regions, worlds

from safercities.disclose import audit, insiders, prove
from safercities.disclose.audit import bounds
from safercities.disclose.elimination import eliminate
from safercities.disclose.family import Family, Table
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.prove import Prover
from safercities.disclose.suppress import default_width, insiders_of, suppress
from safercities.disclose.worlds import Insider
from safercities.model.errors import SafercitiesError

SHAPES = [((6,), 1), ((2, 3), 2), ((3, 3), 2), ((2, 2, 2), 3), ((2, 2, 2), 2), ((2, 2, 3), 2)]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Family, np.ndarray]:
    """A tiny cube with sparse counts: many zeros and ones, some large."""
    shape, most = draw(st.sampled_from(SHAPES))
    family = cube(shape, draw(st.sampled_from([3, 4, 5])), most)
    size = st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 5, 9, 30]), min_size=family.leaves, max_size=family.leaves)
    return family, np.array(draw(size))


def narrowest(family: Family, leaves: np.ndarray, mask: np.ndarray, primary: np.ndarray, known: Knowledge) -> int:
    """Least width of the limits of the primary cells."""
    targets = family.matrix[np.flatnonzero(primary)]
    found = bounds(known, targets, whole=True)
    return int((found.width - default_width(family.minimum)[primary]).min(initial=99))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_no_protected_cell_is_narrower_than_allowed(table) -> None:
    family, leaves = table
    result = suppress(family, leaves)
    assert (result.primary == (family.counts(leaves) < family.minimum)).all()
    assert not (result.published & result.primary).any()
    assert narrowest(family, leaves, result.published, result.primary, published(family, leaves, result.published)) >= 0


@settings(max_examples=25, deadline=None)
@given(tables())
def test_nor_for_insiders_and_singletons(table) -> None:
    family, leaves = table
    insiders = insiders_of(leaves)
    result, refused = None, ""
    try:
        result = suppress(family, leaves, insiders=insiders)
    except SafercitiesError as error:
        refused = error.problems[0].code
    if result is None:  # the whole table holds too few people to hide anybody from one of them
        assert refused == "protect-impossible"
        assert leaves.sum() < 3 * family.minimum.max()
        return
    known = published(family, leaves, result.published)
    for insider in insiders:
        own = np.zeros(family.leaves, dtype=bool)
        own[insider.leaf] = insider.alone
        herself = (family.matrix @ own == 1) & (np.diff(family.matrix.indptr) == 1)
        told = known.case(insider.leaf, alone=insider.alone)
        assert narrowest(family, leaves, result.published, result.primary & ~herself, told) >= 0


@settings(max_examples=40, deadline=None)
@given(tables())
def test_enumeration_agrees(table) -> None:
    family, leaves = table
    leaves = few(leaves)
    result = suppress(family, leaves)
    if not result.published[family.at[0][0]]:  # without a total there are worlds without end
        return
    every = worlds(published(family, leaves, result.published), int(leaves.sum())) @ family.matrix.T.toarray()
    width = every.max(axis=0) - every.min(axis=0)
    assert (width[result.primary] >= default_width(family.minimum)[result.primary]).all()


@settings(max_examples=40, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_leaves_does_not_decide_who_is_safe(table, random) -> None:
    family, leaves = table
    order = list(range(family.leaves))
    random.shuffle(order)
    other = Family(family.leaves, tuple(Table(t.name, t.of[order], t.size, t.minimum) for t in family.tables))
    one, two = suppress(family, leaves), suppress(other, leaves[order])
    assert one.primary.sum() == two.primary.sum()
    assert (
        narrowest(other, leaves[order], two.published, two.primary, published(other, leaves[order], two.published)) >= 0
    )


def test_the_linked_regions_need_n() -> None:
    family, leaves = regions()
    names = [family.label(one) for one in range(family.cells)]
    result = suppress(family, leaves)
    assert {names[one] for one in np.flatnonzero(result.primary)} == {"A", "B", "K", "L", "M"}
    assert {names[one] for one in np.flatnonzero(result.secondary)} == {"N"}


def test_what_is_known_already_cannot_be_withheld() -> None:
    family, leaves = regions()
    names = [family.label(one) for one in range(family.cells)]
    n = family.matrix[[names.index("N")]]
    known = Knowledge.of(8).plus(n, np.array([7.0]), labels=["N"])
    result = suppress(family, leaves, known=known)
    mask = result.published
    told = published(family, leaves, mask).plus(n, np.array([7.0]))
    assert narrowest(family, leaves, mask, result.primary, told) >= 0
    assert not mask[names.index("small")] or not mask[names.index("county-1")]
    k = family.matrix[[names.index("K")]]
    with pytest.raises(SafercitiesError) as caught:
        suppress(family, leaves, known=Knowledge.of(8).plus(k, np.array([3.0])))
    assert caught.value.problems[0].code == "protect-impossible"


def test_nothing_small_nothing_withheld() -> None:
    family = cube((2, 3), 5, 2)
    result = suppress(family, np.array([9, 8, 7, 9, 8, 7]))
    assert result.published.all()
    assert not result.repaired.any()


@pytest.mark.parametrize("leaves", [[0, 0, 0, 0], [1, 0, 0, 0], [4, 4, 4, 4]])
def test_a_table_of_few_people_is_withheld_as_a_whole_or_wide_enough(leaves) -> None:
    family = cube((2, 2), 5, 2)
    counts = np.array(leaves)
    result = suppress(family, counts)
    assert narrowest(family, counts, result.published, result.primary, published(family, counts, result.published)) >= 0


def test_an_attribute_can_be_primary_for_another_reason() -> None:
    family = cube((2, 2), 3, 2)
    counts = np.array([20, 0, 9, 8])
    own = np.zeros(family.cells, dtype=bool)
    own[family.at[3][0]] = True  # all 20 of the first row are of one kind
    result = suppress(family, counts, primary=own)
    assert result.primary[family.at[3][0]]
    assert not result.published[family.at[3][0]]


@settings(max_examples=60, deadline=None)
@given(tables())
def test_elimination_leaves_no_primary_cell_a_combination(table) -> None:
    family, leaves = table
    total = family.counts(leaves)
    primary = total < family.minimum
    order = np.flatnonzero(~primary)
    mask = eliminate(family.matrix, primary, order)
    rows = family.matrix.toarray()
    rank = np.linalg.matrix_rank(rows[mask]) if mask.any() else 0
    for cell in np.flatnonzero(primary):
        if rows[cell].any():
            assert np.linalg.matrix_rank(np.vstack([rows[mask], rows[cell]])) == rank + 1
    for cell in np.flatnonzero(~primary & ~mask):  # and each one left out would make some primary cell one
        more = np.vstack([rows[mask], rows[cell]])
        assert any(
            np.linalg.matrix_rank(np.vstack([more, rows[one]])) == np.linalg.matrix_rank(more)
            for one in np.flatnonzero(primary)
        )


def test_large_systems_take_another_road_to_the_same_end(monkeypatch) -> None:
    rng = np.random.default_rng(3)
    family = cube((2, 3, 4), 5, 3)
    leaves = rng.poisson(4, family.leaves)
    for module in (audit, prove, insiders):
        monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(audit, "WHOLE", 0)
    result = suppress(family, leaves, insiders=insiders_of(leaves))
    known = published(family, leaves, result.published)
    found = bounds(known, family.matrix[np.flatnonzero(result.primary)], whole=False)
    assert (found.width >= default_width(family.minimum)[result.primary]).all()
    for insider in (one for one in insiders_of(leaves) if one.alone):  # none can add and take away until one is left
        rows = np.vstack([known.matrix.toarray(), np.eye(family.leaves)[insider.leaf]])
        rank = np.linalg.matrix_rank(rows)
        for cell in np.flatnonzero(result.primary):
            row = family.matrix[[cell]].toarray()
            if not (row[0, insider.leaf] == 1 and row.sum() == 1):
                assert np.linalg.matrix_rank(np.vstack([rows, row])) == rank + 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(2, 3, 3), (3, 4), (2, 2, 2, 2)]), st.floats(0.5, 5))
def test_no_insider_of_a_system_of_real_numbers_is_left_with_less(
    seed: int, shape: tuple[int, ...], mean: float
) -> None:
    """What is proved for many insiders at once is what linear programs find for each."""
    family = cube(shape, 5, 2)
    leaves = np.random.default_rng(seed).poisson(mean, family.leaves)
    everyone = insiders_of(leaves)
    with patch.object(audit, "WHOLE", 0):
        try:
            done = suppress(family, leaves, insiders=everyone)
        except SafercitiesError:
            return
    known, width = published(family, leaves, done.published), default_width(family.minimum)
    cells = np.flatnonzero(done.primary)
    for insider in everyone:
        found = bounds(known.case(insider.leaf, alone=insider.alone), family.matrix[cells], whole=False)
        own = [insider.alone and family.matrix[[cell]].indices.tolist() == [insider.leaf] for cell in cells]
        assert (found.width >= width[cells])[~np.array(own, dtype=bool)].all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(2, 3, 3), (3, 4), (2, 2, 2, 2)]), st.floats(0.5, 5), st.floats(0, 0.6))
def test_insiders_together_find_what_each_would(seed: int, shape: tuple[int, ...], mean: float, share: float) -> None:
    family, rng = cube(shape, 5, 2), np.random.default_rng(seed)
    leaves = rng.poisson(mean, family.leaves)
    mask = (rng.random(family.cells) < share) & (family.counts(leaves) >= 3)
    known, targets = published(family, leaves, mask), family.matrix[np.flatnonzero(~mask)]
    width = np.full(targets.shape[0], 2)
    prover = Prover(known, targets, width, truth=leaves, whole=False)
    if prover.openings():
        return  # anybody is told enough
    everyone, wide = insiders_of(leaves), np.ones(targets.shape[0], dtype=bool)
    for one in everyone:
        own = np.array([one.alone and row.indices.tolist() == [one.leaf] for row in targets], dtype=bool)
        wide &= own | (bounds(known.case(one.leaf, alone=one.alone), targets, whole=False).width >= width)
    found = {one.target for one in prover.openings(everyone)}
    assert found <= set(np.flatnonzero(~wide).tolist())
    assert bool(found) == (not wide.all())


def test_an_attacker_without_the_truth_finds_the_same_openings() -> None:
    family, leaves = regions()
    names = [family.label(one) for one in range(family.cells)]
    mask = np.array([name not in {"A", "B", "K", "L", "M"} for name in names])
    known = published(family, leaves, mask)
    targets = family.matrix[np.flatnonzero(~mask)]
    width = np.full(targets.shape[0], 1)
    for truth in (leaves, None):
        openings = Prover(known, targets, width, truth=truth).openings()
        assert [(names[np.flatnonzero(~mask)[one.target]], one.lower, one.upper) for one in openings] == [("K", 3, 3)]
        assert all(one.exact for one in openings)


def test_somebody_alone_in_a_cell_learns_her_neighbour_only_if_the_cell_is_theirs() -> None:
    family = Family(3, (Table("area", np.arange(3), 3, 3, ("a", "b", "c")), Table("total", np.zeros(3, int), 1, 3)))
    leaves = np.array([1, 2, 30])
    mask = np.array([False, False, True, True])
    known = published(family, leaves, mask)
    targets, width = family.matrix[:2], np.array([1, 1])
    assert not Prover(known, targets, width, truth=leaves).openings()
    found = Prover(known, targets, width, truth=leaves).openings([Insider(0, alone=True)])
    assert [(one.target, one.lower, one.upper) for one in found] == [(1, 2, 2)]


def test_who_reckons_a_large_number_does_not_hide_what_others_reckon() -> None:
    """Somebody alone in a cell learns the 12 beside it, which is no secret; the two 2 are looked at all the same."""
    known = Knowledge.of(4).plus(sp.csr_array([[1.0, 1, 0, 0], [0, 0, 1, 1]]), np.array([13.0, 4.0]))
    leaves, cells = np.array([1, 12, 2, 2]), sp.csr_array(np.eye(4))
    never = np.iinfo(np.int64).max
    for whole in (True, False):
        prover = Prover(
            known, cells, np.full(4, 4), truth=leaves, whole=whole, enough=np.array([never, 10, never, never])
        )
        assert {one.target for one in prover.openings(insiders_of(leaves))} == {2, 3}


@pytest.mark.parametrize("first", [0, 1])
def test_of_a_large_number_all_insiders_are_asked(first: int) -> None:
    """Who is alone learns that it is 11 or more, which is no secret; another one that it is 8 to 13, which is one."""
    order = [0, 1, 2] if first == 0 else [1, 0, 2]
    leaves, most = np.array([1, 2, 11])[order], np.array([4.0, 2, 20])[order]
    known = Knowledge.of(3).plus(sp.csr_array([[1.0, 1, 1]]), np.array([14.0])).within(np.zeros(3), most)
    for whole in (True, False):
        own = sp.csr_array([[0.0, 0, 1]])
        prover = Prover(known, own, np.array([6]), truth=leaves, whole=whole, enough=np.array([9]))
        found = prover.openings(insiders_of(leaves))
        assert [(one.lower, one.upper, one.insider) for one in found] == [(8, 13, Insider(1 - first))]
