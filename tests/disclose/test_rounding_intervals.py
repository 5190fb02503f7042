"""Published intervals hold the recorded cases' own mean, though they are made from rounded counts."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.disclose.family import Family, margins
from safercities.disclose.rounding import round_base
from safercities.measure.breakdown import CRUDE
from safercities.measure.compare import against_rest
from safercities.measure.rates import garwood, ratio_of, widened
from safercities.measure.rows import ROUNDED
from safercities.model.estimates import Estimates

#: Codes of each axis, codes of the last one in a coarser place, cases expected in all, k, axes crossed at most, runs.
CITIES = {
    "one number of three": ((3,), 1, 6, 5, 1, 400),
    "two axes": ((4, 3), 1, 20, 10, 1, 300),
    "a small city": ((2, 40), 5, 60, 5, 2, 60),
    "the same, k = 3": ((2, 40), 5, 200, 3, 2, 60),
    "rare cases by neighbourhood": ((3, 2, 100), 10, 500, 10, 2, 15),
    "many neighbourhoods": ((2, 5, 4, 60), 6, 3000, 5, 2, 6),
    "a cube in full": ((2, 6, 5, 4, 3, 20), 4, 20_000, 5, 6, 1),
}
#: Each table once more, by how many cases it expects: what is right on the whole may fail small numbers.
EXPECTED = (0, 0.5, 2, 5, 20, 100, np.inf)


def city(shape: tuple[int, ...], within: int, cases: float, k: int, order: int) -> tuple[Family, np.ndarray]:
    axes = [[(f"axis {n}", np.arange(size))] for n, size in enumerate(shape)]
    axes[-1].append(("district", np.arange(shape[-1]) // within))
    shares = [1.0 / np.arange(1, size + 1) for size in shape]
    mean = reduce(np.multiply.outer, [one / one.sum() for one in shares]).ravel() * cases
    return margins(axes, shape, k, order), mean


@pytest.mark.parametrize("name", CITIES)
def test_they_hold_what_was_to_be_expected(name: str) -> None:
    """At least the level in every class of expected cases, of all tables together; without widening it is far less."""
    *about, runs = CITIES[name]
    family, mean = city(*about)
    k, rng = about[3], np.random.default_rng(7)
    expected = np.concatenate([np.bincount(t.of, mean, t.size) for t in family.tables])
    held, plain, moved = [], [], []
    for run in range(runs):
        counts = rng.poisson(mean)
        shown = round_base(counts, family, k, secret=f"secret number {run:06d}".encode()).counts
        cells = np.concatenate([np.bincount(t.of, shown, t.size) for t in family.tables])
        true = np.concatenate([np.bincount(t.of, counts, t.size) for t in family.tables])
        low, high = garwood(cells)
        value, lower, upper = widened(cells, low, high, k)
        assert value.tolist() == cells.tolist()
        assert np.all((lower <= low) & (upper >= high))
        held.append((lower <= expected) & (expected <= upper))
        plain.append((low <= expected) & (expected <= high))
        moved.append(cells - true)
    group = np.digitize(expected, EXPECTED)
    for one in np.unique(group):
        hits = np.array(held)[:, group == one]
        slack = 3 * np.sqrt(0.05 * 0.95 / max(hits.size, 1))  # cells of one run are nearly independent
        assert hits.mean() >= 0.95 - slack, (name, EXPECTED[one - 1], hits.size, hits.mean())
        assert np.sqrt((np.array(moved)[:, group == one] ** 2).mean()) <= k
    assert np.mean(held) >= 0.975 > np.mean(plain)
    assert min(np.array(plain)[:, group == one].mean() for one in np.unique(group)) < 0.9


def test_ratios_of_two_years_hold_the_true_one() -> None:
    family, mean = city((2, 40), 5, 400, 5, 2)
    rng, held = np.random.default_rng(3), []
    expected = [np.concatenate([np.bincount(t.of, each, t.size) for t in family.tables]) for each in (1.3 * mean, mean)]
    for run in range(100):
        sides = []
        for year, each in enumerate((1.3 * mean, mean)):
            shown = round_base(rng.poisson(each), family, 5, secret=f"secret of {year}, {run:06d}".encode()).counts
            cells = np.concatenate([np.bincount(t.of, shown, t.size) for t in family.tables])
            sides.append(widened(cells, *garwood(cells), 5))
        found = ratio_of(*sides)
        some = (sides[0].value > 0) & (sides[1].value > 0)
        true = expected[0] / expected[1]
        held.append(((found.lower <= true) & (true <= found.upper))[some].mean())
    assert np.mean(held) >= 0.95


def test_a_group_against_the_rest_holds_the_true_ratio_and_difference() -> None:
    """What is compared are published rows: of each group, of 15 to 2 cases, and all others of it together."""
    family, mean = city((10,), 1, 45, 5, 1)
    rng, held, people = np.random.default_rng(5), [], 10_000.0
    for run in range(200):
        shown = round_base(rng.poisson(mean), family, 5, secret=f"secret of the rest {run:04d}".encode()).counts
        value, lower, upper = widened(shown, *garwood(shown), 5)
        rows = [
            {"indicator": "i", "place": "p", "period": "2025", "group": f"g{at}", "unit": "per 10 000", "level": 0.95,
             "method": CRUDE + ROUNDED, "n": int(value[at]), "denominator": people, "value": value[at],
             "lower": lower[at], "upper": upper[at]}
            for at in range(10)
        ]  # fmt: skip
        for at, found in enumerate(against_rest(Estimates.from_rows(rows), "group")):
            rest = (mean.sum() - mean[at]) / 9
            if found.ratio > 0:
                held.append(found.ratio_lower <= mean[at] / rest <= found.ratio_upper)
            held.append(found.difference_lower <= mean[at] - rest <= found.difference_upper)
    assert np.mean(held) >= 0.95


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=20),
    st.floats(0, 20),
    st.floats(1, 3),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_more_error_is_never_narrower(counts: list[int], error: float, times: float, level: float) -> None:
    low, high = garwood(counts, level)
    one, more = widened(counts, low, high, error, level), widened(counts, low, high, times * error, level)
    least = 1e-9 * (1 + np.array(counts))
    assert np.all((more.lower <= one.lower + least) & (one.upper <= more.upper + least))
    assert np.all((one.lower >= 0) & (one.lower <= low + least) & (one.upper >= high - least))
    same = widened(counts, low, high, 0.0, level)
    assert [same.lower.tolist(), same.upper.tolist()] == [low.tolist(), high.tolist()]
