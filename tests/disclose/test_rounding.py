"""Small-count rounding: what may come out, how far off, how likely, and what an earlier release fixes."""

import hashlib
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.disclose import rounding
from safercities.disclose.family import Family, Table, margins
from safercities.disclose.rounding import HELD, bounds, errors, pooled, round_base

PIN = "a1473b0712047e31dd905affed6791c45f02882f890c6b41eca7490e2caa8c3a"


def secret(number: int) -> bytes:
    return f"secret number {number:08d}".encode()


def total(leaves: int) -> Family:
    return Family(leaves, (Table("total", np.zeros(leaves, dtype=np.int64), 1, 5),))


@st.composite
def bases(draw):
    """Counts, tables (some leave leaves out) and minimum counts."""
    leaves = draw(st.integers(0, 14))
    each = lambda low, high: np.array(  # noqa: E731
        draw(st.lists(st.integers(low, high), min_size=leaves, max_size=leaves)), dtype=np.int64
    )
    sizes = draw(st.lists(st.integers(1, 4), max_size=4))
    tables = tuple(Table(f"table {n}", each(-1, size - 1), size, 5) for n, size in enumerate(sizes))
    minimum = draw(st.sampled_from([1, 2, 5, 10])) if draw(st.booleans()) else each(1, 6)
    return each(0, 12), Family(leaves, tables), minimum


def skewed(shape, people, seed=1):
    rng = np.random.default_rng(seed)
    codes = []
    for size in shape:
        weight = np.arange(1, size + 1) ** -0.8
        codes.append(rng.choice(size, people, p=weight / weight.sum()))
    return np.bincount(np.ravel_multi_index(codes, shape), minlength=int(np.prod(shape)))


@cache
def cube():
    """2 × 5 × 4 × 10 places in 5 districts, all margins: 1 440 cells over 400 leaves."""
    shape = (2, 5, 4, 10)
    axes = [[(f"axis {n}", np.arange(size))] for n, size in enumerate(shape)]
    axes[-1].append(("district", np.arange(10) // 2))
    return margins(axes, shape, 5, len(shape)), skewed(shape, 900)


@cache
def many(secrets=150):
    """Rounded counts of the cube under many secrets, shape (secrets, leaves)."""
    family, counts = cube()
    return np.array([round_base(counts, family, 5, secret=secret(n)).counts for n in range(secrets)])


@given(bases(), st.integers(0, 99))
def test_what_may_come_out(base, number):
    counts, family, minimum = base
    found = round_base(counts, family, minimum, secret=secret(number))
    k = np.broadcast_to(minimum, counts.shape)
    small = (counts > 0) & (counts < k)
    assert np.array_equal(found.counts[~small], counts[~small])
    assert np.all((found.counts[small] == 0) | (found.counts[small] == k[small]))
    assert found.small == small.sum()
    again = round_base(counts.copy(), family, minimum, secret=secret(number))
    assert again.counts.tobytes() == found.counts.tobytes()
    assert again.errors == found.errors
    lower, upper = bounds(found.counts, minimum)
    assert np.all((lower <= counts) & (counts <= upper))


@given(bases(), st.integers(0, 99))
def test_tables_add_up_and_their_errors_are_those_reported(base, number):
    counts, family, minimum = base
    found = round_base(counts, family, minimum, secret=secret(number))
    for table, error in zip(family.tables, found.errors, strict=True):
        wrong = []
        for cell in range(table.size):
            inside = [leaf for leaf in range(family.leaves) if table.of[leaf] == cell]
            wrong.append(abs(sum(int(found.counts[leaf]) - int(counts[leaf]) for leaf in inside)))
        assert (error.name, error.cells, error.largest) == (table.name, table.size, max(wrong))
        assert error.mean == pytest.approx(sum(wrong) / len(wrong))
        assert error.changed == pytest.approx(sum(one > 0 for one in wrong) / len(wrong))
    every = pooled("all", found.errors)
    assert every.cells == sum(table.size for table in family.tables)
    assert every.largest == max((one.largest for one in found.errors), default=0)


@given(bases(), st.data())
def test_unchanged_leaves_keep_what_was_shown(base, data):
    counts, family, minimum = base
    before = np.array([data.draw(st.sampled_from([int(one), int(one) + 1, 3])) for one in counts], dtype=np.int64)
    earlier = round_base(before, family, minimum, secret=secret(1)).counts
    later = round_base(counts, family, minimum, secret=secret(2), previous=(before, earlier)).counts
    same = before == counts
    assert np.array_equal(later[same], earlier[same])
    lower, upper = bounds(later, minimum)
    assert np.all((lower <= counts) & (counts <= upper))


def test_changed_leaves_are_decided_anew():
    family, counts = cube()
    earlier = many()[0]
    now = counts.copy()
    changed = np.flatnonzero(counts == 2)[:20]
    now[changed] = 3
    later = np.array(
        [round_base(now, family, 5, secret=secret(n), previous=(counts, earlier)).counts for n in range(80)]
    )
    assert np.all(np.delete(later, changed, axis=1) == np.delete(earlier, changed))
    assert np.all((later[:, changed] == 0).any(axis=0) & (later[:, changed] == 5).any(axis=0))


def test_an_earlier_release_under_another_minimum_is_refused():
    earlier = np.array([5, 0, 7])
    with pytest.raises(ValueError, match="not rounded under this minimum"):
        round_base(np.array([3, 0, 7]), total(3), 10, secret=secret(1), previous=(np.array([3, 0, 7]), earlier))
    with pytest.raises(ValueError, match="not rounded under this minimum"):
        round_base(np.array([0, 0, 7]), total(3), 5, secret=secret(1), previous=(np.array([0, 0, 7]), earlier))
    with pytest.raises(ValueError, match="shape"):
        round_base(np.array([0, 0, 7]), total(3), 5, secret=secret(1), previous=(np.array([0, 0]), earlier))


@pytest.mark.parametrize("value", [1, 2, 3, 4])
def test_a_lone_leaf_goes_up_with_its_exact_chance(value):
    up = [round_base(np.array([value]), total(1), 5, secret=secret(n)).counts[0] == 5 for n in range(600)]
    assert np.mean(up) == pytest.approx(value / 5, abs=3.5 * np.sqrt(0.25 / 600))


def test_every_leaf_goes_both_ways_with_at_least_the_stated_chance():
    _, counts = cube()
    share = (many() == 5).mean(axis=0)
    for value in (1, 2, 3, 4):
        floor_up, floor_down = HELD * value / 5, HELD * (1 - value / 5)
        up = share[counts == value]
        assert len(up) > 10
        # Three and a half standard errors below the floor in at most a leaf here and there: the floor is a lower bound.
        slack = 3.5 * np.sqrt(floor_up * (1 - floor_up) / len(many())), 3.5 * np.sqrt(floor_down / len(many()))
        assert np.all(up >= floor_up - slack[0])
        assert np.all(1 - up >= floor_down - slack[1])
        assert np.all((up > 0) & (up < 1))


def test_a_leaf_keeps_its_chance_where_everything_speaks_against_it():
    """What is fixed around the first leaf is far too low, around the second far too high: the first should go up."""
    by_side = Table("side", np.array([0, 1, 0, 0, 0, 1, 1, 1]), 2, 5)
    before = np.array([2, 2, 4, 4, 4, 1, 1, 1]), np.array([0, 0, 0, 0, 0, 5, 5, 5])
    now = np.array([1, 1, 4, 4, 4, 1, 1, 1])
    runs = [round_base(now, Family(8, (by_side,)), 5, secret=secret(n), previous=before).counts for n in range(500)]
    first, second = (np.array(runs)[:, :2] == 5).mean(axis=0)
    assert first > 0.25
    assert 0.04 < second < 0.15


def test_no_count_and_no_total_is_biased():
    _, counts = cube()
    runs = many()
    for value in (1, 2, 3, 4):
        wrong = (runs[:, counts == value] - value).mean(axis=1)
        assert abs(wrong.mean()) < 3.5 * wrong.std() / np.sqrt(len(wrong)) + 1e-9
    wrong = runs.sum(axis=1) - counts.sum()
    assert abs(wrong.mean()) <= 3.5 * wrong.std() / np.sqrt(len(wrong)) + 1e-9


def test_the_total_is_not_tied_to_its_nearest_multiples():
    _, counts = cube()
    small = (counts > 0) & (counts < 5)
    up = (many()[:, small] == 5).sum(axis=1)
    nearest = {np.floor(counts[small].sum() / 5), np.ceil(counts[small].sum() / 5)}
    # Else who knows all leaves but one could rule out some of its counts.
    assert 0.1 < np.mean([one not in nearest for one in up]) < 0.7


def squares(family, counts, rounded):
    return sum(float(np.sum(table.counts(rounded - counts) ** 2)) for table in family.tables)


def test_margins_are_far_closer_than_with_independent_draws():
    family, counts = cube()
    small = (counts > 0) & (counts < 5)
    ours = np.mean([squares(family, counts, one) for one in many()[:50]])
    rng = np.random.default_rng(1)
    peers = []
    for _ in range(50):
        one = counts.copy()
        one[small] = 5 * (rng.random(small.sum()) < counts[small] / 5)
        peers.append(squares(family, counts, one))
    assert ours < 0.4 * np.mean(peers)


@given(bases(), st.integers(0, 99))
def test_no_exchange_makes_the_tables_worse(base, number):
    counts, family, minimum = base
    ours = round_base(counts, family, minimum, secret=secret(number)).counts
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rounding, "ROUNDS", 0)
        start = round_base(counts, family, minimum, secret=secret(number)).counts
    assert squares(family, counts, ours) <= squares(family, counts, start)
    for value in range(1, 10):  # as many of each count go up as at first
        assert np.bincount(ours[counts == value]).tolist() == np.bincount(start[counts == value]).tolist()


def test_the_order_of_the_leaves_does_not_matter_for_the_errors():
    family, counts = cube()
    order = np.random.default_rng(3).permutation(len(counts))
    tables = tuple(Table(one.name, one.of[order], one.size, one.minimum) for one in family.tables)
    moved = Family(len(counts), tables[::-1])
    ours = np.mean([squares(family, counts, one) for one in many()[:40]])
    theirs = np.mean(
        [squares(moved, counts[order], round_base(counts[order], moved, 5, secret=secret(n)).counts) for n in range(40)]
    )
    assert theirs == pytest.approx(ours, rel=0.1)


def test_mean_error_of_every_level_of_a_city():
    """2 × 6 × 5 × 20 places in 5 districts with all totals: 3 276 cells, as in the issue."""
    shape = (2, 6, 5, 20)
    axes = [[(f"axis {n}", np.arange(size))] for n, size in enumerate(shape)]
    axes[-1].append(("district", np.arange(20) // 4))
    family, counts = margins(axes, shape, 5, 4), skewed(shape, 3000)
    runs = [round_base(counts, family, 5, secret=secret(n)).errors for n in range(4)]
    level = [0 if table.name == "total" else table.name.count("×") + 1 for table in family.tables]
    for one in range(5):
        parts = [error for run in runs for error, at in zip(run, level, strict=True) if at == one]
        assert pooled(str(one), parts).mean <= 3.5


def test_bounds_are_what_brute_force_finds():
    for k in (1, 2, 5):
        for shown in [0, *range(k, k + 3)]:
            fits = [true for true in range(k + 5) if shown in ({0, k} if 0 < true < k else {true})]
            lower, upper = bounds(np.array([shown]), k)
            assert list(range(lower[0], upper[0] + 1)) == fits


def test_bounds_of_what_is_no_rounded_base_are_refused():
    for bad in ([3], [-1]):
        with pytest.raises(ValueError, match="rounded"):
            bounds(np.array(bad), 5)
    lower, upper = bounds(np.array([0, 0, 10]), np.array([1, 5, 10]))
    assert (lower.tolist(), upper.tolist()) == ([0, 0, 1], [0, 4, 10])


@pytest.mark.parametrize(
    ("counts", "minimum"),
    [([], 5), ([0, 0], 5), ([7, 9], 5), ([1, 2, 3, 4], 1), ([2**62, 2**62, 2**62], 5), ([5, 10], [5, 10])],
)
def test_nothing_to_round(counts, minimum):
    counts = np.array(counts, dtype=np.int64)
    k = np.array(minimum) if isinstance(minimum, list) else minimum
    found = round_base(counts, total(len(counts)), k, secret=secret(1))
    assert np.array_equal(found.counts, counts)
    assert found.errors[0].largest == found.small == 0


def test_huge_counts_do_not_disturb_small_ones():
    counts = np.array([2**62, 1, 2, 3, 4, 2**62])
    found = round_base(counts, total(6), 5, secret=secret(1))
    assert found.counts[0] == found.counts[5] == 2**62
    assert found.errors[0].largest == abs(found.counts[1:5].sum() - 10)


def test_no_tables_at_all():
    found = round_base(np.array([1, 2, 3, 9]), Family(4, ()), 5, secret=secret(1))
    assert set(found.counts[:3].tolist()) <= {0, 5}
    assert found.errors == ()
    assert pooled("none", found.errors).cells == 0


@pytest.mark.parametrize(
    ("counts", "minimum", "reason"),
    [
        (np.array([1, -1]), 5, "below 0"),
        (np.array([1.0, np.nan]), 5, "not whole"),
        (np.array([1, 2, 3]), 5, "shape"),
        (np.array([2**63, 1], dtype=np.uint64), 5, "64 bits"),
        (np.array([1, 2]), 0, "minimum"),
        (np.array([1, 2]), 2**60, "too large"),
        (np.array([1, 2]), np.array([5]), "minimum: shape"),
        (np.array([1, 2]), 2.5, "not whole"),
    ],
)
def test_what_is_refused(counts, minimum, reason):
    with pytest.raises(ValueError, match=reason):
        round_base(counts, total(2), minimum, secret=secret(1))


def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="16"):
        round_base(np.array([1, 2]), total(2), 5, secret=b"guess me")


def test_another_secret_or_other_data_give_another_result():
    family, counts = cube()
    first = many()[0]
    assert not np.array_equal(first, many()[1])
    other = counts.copy()
    other[0] += 1  # a large one: nothing else to round differs
    assert other[0] > 5
    assert not np.array_equal(round_base(other, family, 5, secret=secret(0)).counts[1:], first[1:])


def test_the_same_bytes_on_every_machine():
    """The bytes that this input gave first: they may only change together with the version in the seed."""
    axes = [[("a", np.arange(6))], [("b", np.arange(6))], [("c", np.arange(6))]]
    counts = np.arange(216) ** 2 % 13
    found = round_base(counts, margins(axes, (6, 6, 6), 5, 3), 5, secret=secret(0))
    assert hashlib.sha256(found.counts.astype("<i8").tobytes()).hexdigest() == PIN


def test_errors_of_any_two_bases():
    family = Family(4, tuple(Table(f"{n}", np.array(of), 2, 5) for n, of in enumerate(product((0, 1), repeat=4))))
    counts, shown = np.array([1, 2, 3, 9]), np.array([0, 5, 5, 9])
    for table, error in zip(family.tables, errors(counts, shown, family), strict=True):
        assert error.largest == np.abs(table.counts(shown) - table.counts(counts)).max()
