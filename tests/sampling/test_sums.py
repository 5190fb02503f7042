"""Totals by unit and domain: a matrix and a list of pairs say the same, and breakdowns add up from one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.sampling import sums
from safercities.sampling.sums import Axis, Cells, Dense, Sparse, Variable, families, make_cells
from safercities.sampling.units import make_units


@st.composite
def cases(draw):
    """Units of some strata, two axes, and a variable of some rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = int(rng.integers(2, 60))
    psu = rng.integers(0, 9, size=n)
    stratum, home = psu % 3, rng.integers(0, 3, size=n)
    stages = draw(st.booleans())
    ids = [stratum, psu, home] if stages else [stratum, psu]
    sizes = [np.full(n, 50.0), np.full(n, 10.0)] if stages else [None]
    rule = draw(st.sampled_from(["adjust", "average", "certainty"]))
    units, _, unit = make_units(ids, sizes, ["a", "b", "c"][: len(np.unique(stratum))], rule)
    axes = [
        Axis("sex", rng.integers(0, 2, size=n).astype(np.int16), ("F", "M")),
        Axis("age", rng.integers(0, 5, size=n).astype(np.int16), ("0", "1", "2", "3", "4")),
    ]
    rows = None if draw(st.booleans()) else np.flatnonzero(rng.random(n) < 0.7)
    weights = rng.integers(1, 9, size=n if rows is None else len(rows)).astype(float)
    base = Variable("w", rows, weights)
    return units, unit, axes, base, Variable("x", rows, weights * rng.normal(size=len(weights)))


def both(case, names=("sex", "age"), parent=None):
    units, unit, axes, *_ = case
    chosen = tuple(axis for name in names for axis in axes if axis.name == name)
    return Dense(units, unit, chosen), Sparse(units, unit, chosen)


@given(cases(), st.sampled_from([(), ("sex",), ("age", "sex")]))
def test_matrix_and_pairs_say_the_same(case, names):
    dense, sparse = both(case, names)
    base, x = case[3], case[4]
    everything = np.arange(dense.size)
    matrix = dense.totals(x)
    np.testing.assert_allclose(sparse.columns(sparse.totals(x), everything), matrix, rtol=1e-12)
    np.testing.assert_allclose(sparse.sum(sparse.totals(x)), dense.sum(matrix), rtol=1e-9, atol=1e-12)
    members, below = dense.totals(base), sparse.totals(base)
    for one, other in zip(dense.present(base), sparse.present(base), strict=True):
        assert one.tolist() == other.tolist()
    value = np.linspace(-1, 2, dense.size)
    for extra in ((None, None), (value, base)):
        ours = dense.variance(matrix, members, extra[0], None if extra[1] is None else members)
        theirs = sparse.variance(sparse.totals(x), below, extra[0], None if extra[1] is None else below)
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)


@given(cases(), st.sampled_from([(), ("sex",), ("age",), ("age", "sex")]))
def test_breakdowns_add_up_from_a_finer_one(case, names):
    x, base = case[4], case[3]
    for head, alone in zip(both(case), both(case, names), strict=True):
        from_parent = type(head)(alone.units, alone.unit, alone.axes, parent=head)
        every = np.arange(alone.size)
        np.testing.assert_allclose(
            from_parent.columns(from_parent.totals(x), every), alone.columns(alone.totals(x), every), atol=1e-12
        )
        rows, values = base.rows, base.values
        assert from_parent.by_domain("n", rows, None).tolist() == alone.by_domain("n", rows, None).tolist()
        np.testing.assert_allclose(
            from_parent.by_domain("w", rows, values), alone.by_domain("w", rows, values), rtol=1e-12
        )


def test_totals_by_hand():
    units, _, unit = make_units([np.zeros(5, int), np.array([0, 0, 1, 1, 2])], [None], ["all"], "fail")
    cells = make_cells(units, unit, [Axis("sex", np.array([0, 1, 0, 0, 1], dtype=np.int16), ("F", "M"))])
    totals = cells.totals(Variable("x", None, np.array([1.0, 2, 3, 4, 5])))
    assert totals.tolist() == [[1, 7, 0], [2, 0, 5]]
    assert cells.sum(totals).tolist() == [8, 7]
    psus, strata, lonely = cells.present(Variable("w", None, np.ones(5)))
    assert (psus.tolist(), strata.tolist(), lonely.tolist()) == ([2, 2], [1, 1], [False, False])


def test_the_smaller_form_is_chosen(monkeypatch):
    monkeypatch.setattr(sums, "DENSE", 1)
    units, _, unit = make_units([np.zeros(400, int), np.arange(400)], [None], ["all"], "fail")
    few, many = (Axis("k", np.arange(400) % size, tuple(map(str, range(size)))) for size in (2, 200))
    assert isinstance(make_cells(units, unit, [few]), Dense)
    assert isinstance(make_cells(units, unit, [many, few]), Sparse)


def test_totals_that_are_not_needed_again_are_let_go():
    units, _, unit = make_units([np.zeros(3, int), np.arange(3)], [None], ["all"], "fail")
    cells = make_cells(units, unit, [])
    x = Variable("x", None, np.ones(3))
    first = cells.totals(x)
    assert cells.totals(x) is first
    cells.forget("x")
    assert cells.totals(x) is not first


@given(
    st.lists(
        st.lists(st.sampled_from("abcd"), max_size=3, unique=True).map(tuple),
        min_size=1,
        max_size=6,
        unique_by=frozenset,
    ),
    st.integers(1, 200),
)
def test_every_breakdown_is_in_one_family(combinations, most):
    sizes = {"a": 2, "b": 3, "c": 5, "d": 7}
    made = families(combinations, sizes, most)
    assert sorted(one for family in made for one in family.members) == sorted(combinations)
    for family in made:
        assert all(set(one) <= set(family.head) for one in family.members)
        size = int(np.prod([sizes[name] for name in family.head]))
        assert size <= most or family.head in combinations


def test_axes_of_many_codes_do_not_overflow():
    units, _, unit = make_units([np.zeros(4, int), np.arange(4)], [None], ["all"], "fail")
    wide = Axis("k", np.array([0, 39_999, 1, 39_999], dtype=np.int32), tuple(map(str, range(40_000))))
    cells = make_cells(units, unit, [wide, Axis("sex", np.array([0, 1, 0, 0], dtype=np.int16), ("F", "M"))])
    assert cells.domain.tolist() == [0, 79_999, 2, 79_998]
    x = Variable("x", None, np.ones(4))
    assert cells.sum(cells.totals(x))[[0, 2, 79_998, 79_999]].tolist() == [1, 1, 1, 1]
    assert cells.variance(cells.totals(x), cells.totals(x))[79_999] == pytest.approx(4 / 3 * 0.75)


def test_domains_without_a_form_cannot_be_made():
    units, _, unit = make_units([np.zeros(2, dtype=int), np.arange(2)], [None], ["a"], "adjust")
    with pytest.raises(TypeError, match="abstract"):
        Cells(units, unit, ())
