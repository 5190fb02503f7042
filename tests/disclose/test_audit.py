"""The attacker's limits are those of exact enumeration."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.disclose.brute import REGIONS, cube, few, limits, published, regions

from safercities.disclose.audit import because, bounds, inward
from safercities.disclose.knowledge import Knowledge
from safercities.model.errors import SafercitiesError

#: Shapes with so few leaves that every world can be tried, the largest leaf, and the most axes of a table.
TINY = [((4,), 4, 1), ((2, 3), 3, 2), ((2, 2), 5, 2), ((2, 2, 2), 2, 3), ((2, 2, 2), 2, 2), ((2, 2, 2), 2, 1)]


@st.composite
def releases(draw: st.DrawFn):
    """A tiny cube, and a random choice of its cells to be published."""
    shape, largest, most = draw(st.sampled_from(TINY))
    family = cube(shape, 3, most)
    leaves = np.array(draw(st.lists(st.integers(0, largest), min_size=family.leaves, max_size=family.leaves)))
    leaves = few(leaves)
    mask = np.array(draw(st.lists(st.booleans(), min_size=family.cells, max_size=family.cells)))
    mask[0] = True  # the total, so that no leaf is without a limit
    return family, leaves, mask


@settings(max_examples=80, deadline=None)
@given(releases())
def test_limits_equal_enumeration(release) -> None:
    family, leaves, mask = release
    known = published(family, leaves, mask)
    targets = family.matrix[np.flatnonzero(~mask)]
    found = bounds(known, targets)
    assert (found.lower.tolist(), found.upper.tolist()) == limits(known, targets.toarray(), int(leaves.sum()))


@settings(max_examples=40, deadline=None)
@given(releases(), st.randoms(use_true_random=False))
def test_limits_with_outside_knowledge_equal_enumeration(release, random) -> None:
    family, leaves, mask = release
    known = published(family, leaves, mask)
    leaf = random.randrange(family.leaves)
    if leaves[leaf]:
        known = known.case(leaf, alone=bool(leaves[leaf] == 1))
    least = np.maximum(0, leaves - random.randrange(3)).astype(float)
    known = known.within(least, (leaves + random.randrange(3)).astype(float))
    targets = family.matrix[np.flatnonzero(~mask)]
    found = bounds(known, targets)
    lower, upper = limits(known, targets.toarray(), int(leaves.sum()))
    assert (found.lower.tolist(), found.upper.tolist()) == (lower, upper)


def test_whole_numbers_are_narrower_than_real_ones() -> None:
    # x + y, y + z and x + z published as even and odd sums: real numbers leave room that whole ones do not
    pairs = sp.csr_array(np.array([[2.0, 2, 1], [0, 1, 1]]))
    known = Knowledge.of(3).plus(pairs, np.array([5.0, 2.0]))
    targets = sp.csr_array(np.eye(3))
    exact, real = bounds(known, targets, whole=True), bounds(known, targets, whole=False)
    lower, upper = limits(known, np.eye(3), 5)
    assert (exact.lower.tolist(), exact.upper.tolist()) == (lower, upper)
    assert (exact.width <= real.width).all()
    assert exact.width.sum() < real.width.sum()


@pytest.mark.parametrize(
    ("counties", "groups", "exact"), [(True, False, {}), (False, True, {}), (True, True, {"K": 3, "N": 7})]
)
def test_the_linked_regions_are_safe_one_by_one_but_not_together(counties, groups, exact) -> None:
    # sdcTable's instance, shared/reference/linked_regions.csv: n < 4 is withheld, and in each table what it needs
    family, leaves = regions(counties=counties, groups=groups)
    total = family.counts(leaves)
    withheld = {"A", "B", "K", "L", "M"} | ({"N"} if not groups or (counties and groups) else set())
    names = [family.label(one) for one in range(family.cells)]
    mask = np.array([name not in withheld for name in names])
    if counties and groups:
        mask[names.index("N")] = True  # published, K follows
        exact = {"K": 3}
    found = bounds(published(family, leaves, mask), family.matrix[np.flatnonzero(~mask)])
    pinned = {
        names[cell]: int(total[cell])
        for cell, width in zip(np.flatnonzero(~mask), found.width, strict=True)
        if width == 0
    }
    assert pinned == exact
    assert set(REGIONS) >= withheld


def test_with_n_withheld_k_is_safe() -> None:
    family, leaves = regions()
    names = [family.label(one) for one in range(family.cells)]
    mask = np.array([name not in {"A", "B", "K", "L", "M", "N"} for name in names])
    found = bounds(published(family, leaves, mask), family.matrix[[names.index("K")]])
    assert (int(found.lower[0]), int(found.upper[0])) == (0, 10)


def test_a_certificate_names_the_numbers_it_follows_from() -> None:
    family, leaves = regions()
    names = [family.label(one) for one in range(family.cells)]
    mask = np.array([name not in {"A", "B", "K", "L", "M"} for name in names])
    known = published(family, leaves, mask)
    found, facts = because(known, family.matrix[[names.index("K")]])
    assert (int(found.lower[0]), int(found.upper[0])) == (3, 3)
    assert abs(sum(fact.times * fact.lower for fact in facts) - 3) < 1e-6
    assert {"N"} <= {fact.label for fact in facts} <= set(names)


def test_contradicting_facts_are_a_failure() -> None:
    known = Knowledge.of(1).plus(sp.csr_array([[1.0], [1.0]]), np.array([2.0, 3.0]))
    with pytest.raises(SafercitiesError) as caught:
        bounds(known, sp.csr_array([[1.0]]))
    assert caught.value.problems[0].code == "attack-contradiction"


def test_a_solver_without_an_answer_is_a_failure(monkeypatch) -> None:
    import highspy

    monkeypatch.setattr(highspy.Highs, "getModelStatus", lambda self: highspy.HighsModelStatus.kTimeLimit)
    with pytest.raises(SafercitiesError) as caught:
        bounds(Knowledge.of(1), sp.csr_array([[1.0]]))
    assert caught.value.problems[0].code == "attack-unsolved"


def test_no_targets_and_no_facts() -> None:
    assert bounds(Knowledge.of(2), sp.csr_array((0, 2))).width.tolist() == []
    free = bounds(Knowledge.of(1), sp.csr_array([[1.0]]))
    assert (int(free.lower[0]), int(free.upper[0])) == (0, 10_000_000)


@pytest.mark.parametrize(("value", "least"), [(2.0000001, 2), (1.9999999, 2), (2.1, 3), (0.0, 0), (-3.0, -3)])
def test_rounding_inward_forgives_the_solver_its_tolerance(value, least) -> None:
    assert inward(value) == least
