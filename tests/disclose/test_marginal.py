"""Large systems: other counts by way of the cells, shorter facts and room left, against trying everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.disclose.brute import few
from tests.disclose.brute import published as told

from safercities.disclose import audit, prove, repair, suppress, worlds
from safercities.disclose.audit import bounds
from safercities.disclose.family import Family, Table
from safercities.disclose.knowledge import MOST, Knowledge
from safercities.disclose.marginal import Marginal, relations
from safercities.disclose.remainder import Rest, refinements, remainders
from safercities.model.errors import SafercitiesError

COUNTS = st.sampled_from([0, 0, 1, 2, 3, 5, 9])


@st.composite
def families(draw: st.DrawFn) -> Family:
    """Tables of a small cube: axes left out, codes merged, leaves in no cell, cells without leaves, tables twice."""
    shape = (*draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)), 2)
    codes = np.indices(shape).reshape(len(shape), -1)
    leaves, tables = codes.shape[1], list[Table]()
    for number in range(draw(st.integers(1, 4))):
        of, size = np.zeros(leaves, dtype=np.int64), 1
        for axis, width in enumerate(shape):
            if draw(st.booleans()):
                merged = draw(st.sampled_from([np.arange(width), np.minimum(np.arange(width), 1)]))
                of, size = of * width + merged[codes[axis]], size * width
        if draw(st.booleans()) and draw(st.booleans()):
            out = np.array(draw(st.lists(st.booleans(), min_size=leaves, max_size=leaves)))
            of = np.where(out, -1, of)
        tables.append(Table(f"table {number}", of, size + draw(st.integers(0, 1)), draw(st.sampled_from([3, 5, 10]))))
    return Family(leaves, (*tables, *tables[: draw(st.integers(0, 1))]))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Family, np.ndarray, np.ndarray]:
    """A family, its leaves, and which cells are published: as many of those that are not small as chance has it."""
    family = draw(families())
    assume(family.cells)
    counts = np.array(draw(st.lists(COUNTS, min_size=family.leaves, max_size=family.leaves)), dtype=np.int64)
    wanted = np.array(draw(st.lists(st.booleans(), min_size=family.cells, max_size=family.cells)))
    return family, counts, (family.counts(counts) >= family.minimum) & wanted


@contextmanager
def large(whole: int = audit.WHOLE) -> Iterator[None]:
    """Every system is a large one."""
    with (
        patch.object(prove, "LARGE", 0),
        patch.object(suppress, "LARGE", 0),
        patch.object(repair, "LARGE", 0),
        patch.object(audit, "LARGE", 0),
        patch.object(audit, "WHOLE", whole),
    ):
        yield


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 7), st.integers(1, 6), st.data())
def test_remainders_are_the_same_facts_in_fewer_terms(rows: int, leaves: int, data: st.DataObject) -> None:
    size = rows * leaves
    entries = data.draw(st.lists(st.sampled_from([0, 0, 1, 1, 1, -1, 2]), min_size=size, max_size=size))
    facts = np.array(entries, dtype=float).reshape(rows, leaves)
    x = np.array(data.draw(st.lists(st.integers(0, 9), min_size=leaves, max_size=leaves)), dtype=float)
    left, times = remainders(sp.csr_array(facts))
    assert (times @ (facts @ x)).tolist() == (left @ x).tolist()
    assert left.nnz <= np.count_nonzero(facts)
    assert (np.diff(left.indptr) > 0).all()
    rank = int(np.linalg.matrix_rank(facts))
    assert np.linalg.matrix_rank(left.toarray()) == rank == np.linalg.matrix_rank(np.vstack([facts, left.toarray()]))
    every, whole = remainders(sp.csr_array(facts), empty=True)
    assert abs(np.linalg.det(whole.toarray())) == pytest.approx(1)  # nothing is lost: each can be undone
    assert every.shape == facts.shape


@settings(max_examples=70, deadline=None)
@given(cases())
def test_whatever_adds_up_adds_up_in_truth(case: tuple[Family, np.ndarray, np.ndarray]) -> None:
    family, counts, _ = case
    assert not (relations(family) @ family.counts(counts)).any()
    for (coarse, fine), into in refinements(family).items():
        parts = np.bincount(into[into >= 0], family.tables[fine].counts(counts)[into >= 0], family.tables[coarse].size)
        assert parts.astype(int).tolist() == family.tables[coarse].counts(counts).tolist()


@settings(max_examples=70, deadline=None)
@given(cases(), st.data())
def test_other_leaves_agree_with_all_that_is_published(
    case: tuple[Family, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    family, counts, published = case
    width = suppress.default_width(family.minimum)
    cells = Marginal(family, counts, width, published)
    assume(len(cells.withheld))
    target = data.draw(st.sampled_from(cells.withheld.tolist()))
    up = float(data.draw(st.integers(1, int(width[target]))))
    known = told(family, counts, published)
    one = np.array([target])
    for found in (
        cells.other(one, np.array([up])),
        cells.possible(one, np.array([up]), np.array([-up]), None, known.allows),
    ):
        if found is not None:
            assert (found >= 0).all()
            assert np.allclose(family.matrix[np.flatnonzero(published)] @ (found - counts), 0, atol=1e-6)
    free = cells.possible(
        one, np.array([up]), np.array([np.nan]), np.ones(family.cells), Knowledge.of(family.leaves).allows
    )
    if free is not None:
        assert (free >= 0).all()
        assert (family.matrix[[target]] @ (free - counts))[0] >= up - 1e-6


@settings(max_examples=80, deadline=None)
@given(cases(), st.data())
def test_limits_by_the_cells_are_never_narrower_than_those_by_the_leaves(
    case: tuple[Family, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    family, counts, published = case
    cells = Marginal(family, counts, suppress.default_width(family.minimum), published)
    assume(len(cells.withheld))
    target = data.draw(st.sampled_from(cells.withheld.tolist()))
    lower, upper = cells.limits(target)
    exact = bounds(told(family, counts, published), family.matrix[[target]], whole=True)
    assert lower <= exact.lower[0] + 1e-6
    assert upper >= min(exact.upper[0], MOST) - 1e-6  # of what has no limit both give some large number


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(2, 8))
def test_room_is_left_of_every_published_cell(case: tuple[Family, np.ndarray, np.ndarray], least: int) -> None:
    family, counts, wanted = case
    total, published = family.counts(counts), np.zeros(family.cells, dtype=bool)
    rest = Rest(family, total, np.full(family.cells, least))
    for cell in np.flatnonzero(wanted).tolist():
        if rest.allows(cell):
            rest.publish(cell)
            published[cell] = True
    for (coarse, fine), into in refinements(family).items():
        for cell, at in enumerate(family.at[coarse].tolist()):
            parts = family.at[fine][np.flatnonzero(into == cell)]
            if at >= 0 and published[at] and not published[parts].all():
                assert total[at] - total[parts[published[parts]]].sum() >= least


@settings(max_examples=40, deadline=None)
@given(cases(), st.booleans(), st.booleans(), st.integers(0, 9))
def test_suppression_of_large_systems_stands_the_trial_of_everything(
    case: tuple[Family, np.ndarray, np.ndarray], by_cells: bool, insiders: bool, seed: int
) -> None:
    family, counts, _ = case
    counts = few(counts)
    who = suppress.insiders_of(counts) if insiders else []
    with large(), patch.object(Marginal, "fewer", by_cells):
        try:
            made = suppress.suppress(family, counts, insiders=who, seed=seed)
        except SafercitiesError:
            return  # nothing is published
    assert not (made.published & (family.counts(counts) < family.minimum)).any()
    _stands(family, counts, made, who, whole=True)


@settings(max_examples=40, deadline=None)
@given(cases(), st.booleans(), st.integers(0, 9))
def test_so_it_does_where_numbers_need_not_be_whole(
    case: tuple[Family, np.ndarray, np.ndarray], by_cells: bool, seed: int
) -> None:
    family, counts, _ = case
    with large(whole=-1), patch.object(Marginal, "fewer", by_cells):
        try:
            made = suppress.suppress(family, counts, seed=seed)
        except SafercitiesError:
            return
    _stands(family, counts, made, [], whole=False)


def _stands(
    family: Family, counts: np.ndarray, made: suppress.Suppression, who: list[worlds.Insider], *, whole: bool
) -> None:
    """No withheld cell that may be small is known more closely than its width, to nobody."""
    known = told(family, counts, made.published)
    withheld = np.flatnonzero(~made.published)
    if not len(withheld):
        return
    width, matrix = suppress.default_width(family.minimum)[withheld], family.matrix[withheld]
    for one in (None, *who):
        mine = known if one is None else known.case(one.leaf, alone=one.alone)
        found = bounds(mine, matrix, whole=whole)
        narrow = (found.width < width) & (made.primary[withheld] | (found.lower < family.minimum[withheld]))
        own = np.zeros(len(withheld), dtype=bool)
        if one is not None and one.alone:  # she knows her own leaf
            own = (np.diff(matrix.indptr) == 1) & (matrix[:, [one.leaf]].toarray().ravel() > 0)
        assert not (narrow & ~own).any()


def test_facts_that_contradict_each_other_stay_so_in_fewer_terms() -> None:
    """A total of 24 over parts of 10 and 13, that nobody knows the truth of."""
    facts = sp.csr_array(np.array([[1.0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]]))
    known = Knowledge.of(4).plus(facts, np.array([24.0, 10.0, 13.0]))
    assert not known.allows(np.array([5.0, 5, 6, 7]))
    with pytest.raises(SafercitiesError):
        bounds(known, sp.csr_array(np.eye(4)), whole=False)
