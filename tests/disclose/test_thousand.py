"""A thousand seeded releases over four periods each, attacked with everything: nothing pinned, nothing too narrow."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from safercities.disclose.audit import bounds
from safercities.disclose.family import margins
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.prove import Prover
from safercities.disclose.rounding import bounds as rounding_bounds
from safercities.disclose.rounding import round_base
from safercities.disclose.suppress import default_width, insiders_of, suppress
from safercities.model.errors import SafercitiesError

RELEASES, PERIODS, PARTS = 1000, 4, 10
K = 5
#: Two sexes in four neighbourhoods of two districts, in tables of at most two axes.
FAMILY = margins(
    [[("sex", np.arange(2))], [("neighbourhood", np.arange(4)), ("district", np.array([0, 0, 1, 1]))]], (2, 4), K, 2
)
TOTAL = FAMILY.matrix[[int(FAMILY.at[0][0])]]


def city(rng: np.random.Generator) -> np.ndarray:
    """A city's leaves: large and small places, many zeros and ones."""
    size = rng.choice([0.3, 1.5, 6.0, 40.0], size=4, p=[0.2, 0.3, 0.3, 0.2])
    return np.outer(rng.uniform(0.2, 1.8, 2), size).ravel()


def told(leaves: np.ndarray, mask: np.ndarray, known: Knowledge) -> Knowledge:
    """What an attacker has: what is published, and what was known before."""
    at = np.flatnonzero(mask)
    return known.plus(FAMILY.matrix[at], FAMILY.counts(leaves)[at].astype(float))


def pinned_by_suppression(leaves: np.ndarray, seed: int) -> int:
    """Openings of one period, protected by suppression where the city's true total is known outside."""
    known = Knowledge.of(FAMILY.leaves).plus(TOTAL, (TOTAL @ leaves).astype(float))
    insiders = insiders_of(leaves)
    result, refused = None, ""
    try:
        result = suppress(FAMILY, leaves, known=known, insiders=insiders, seed=seed)
    except SafercitiesError as error:
        refused = error.problems[0].code
    if result is None:  # nothing is published, so nothing is pinned; only where there is next to nobody
        assert refused == "protect-impossible"
        assert leaves.sum() < 3 * K
        return 0
    attacker = told(leaves, result.published, known)
    targets = FAMILY.matrix[np.flatnonzero(result.primary)]
    width = default_width(FAMILY.minimum)[result.primary]
    narrow = int((bounds(attacker, targets, whole=True).width < width).sum())
    return narrow + len(Prover(attacker, targets, width, truth=leaves, seed=seed + 1).openings(insiders))


def pinned_by_rounding(
    leaves: np.ndarray, seed: int, earlier: tuple[np.ndarray, np.ndarray] | None
) -> tuple[int, np.ndarray]:
    """Openings of one period, where the attacker has the whole rounded base, also where a correction draws anew."""
    rounded = round_base(leaves, FAMILY, K, secret=seed.to_bytes(16, "big"), previous=earlier).counts
    least, most = rounding_bounds(rounded, K)
    attacker = Knowledge.of(FAMILY.leaves).within(least.astype(float), most.astype(float))
    small = np.flatnonzero(leaves < K)
    assert attacker.allows(leaves)
    width = (most - least)[small]  # nothing ties the leaves to each other: the solver agrees, where it is asked
    if seed % 40 == 0:
        asked = bounds(attacker, sp.csr_array(np.eye(FAMILY.leaves)[small]), whole=True)
        assert (asked.width == width).all()
    return int((width < default_width(np.array([K]))).sum()), rounded


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_pinned(part: int) -> None:
    openings = 0
    for release in range(part, RELEASES, PARTS):
        rng = np.random.default_rng(release)
        mean = city(rng)
        for period in range(PERIODS):
            leaves = rng.poisson(mean)
            if release // PARTS % 4 == 0:  # a quarter by suppression, which takes longer to attack
                openings += pinned_by_suppression(leaves, release * PERIODS + period)
                continue
            found, rounded = pinned_by_rounding(leaves, release * PERIODS + period, None)
            late = leaves + (rng.random(len(leaves)) < 0.2)  # a correction: late cases
            again, second = pinned_by_rounding(late, release * PERIODS + period, (leaves, rounded))
            assert (second[late == leaves] == rounded[late == leaves]).all()
            openings += found + again
    assert openings == 0


def test_the_attack_can_find_something() -> None:
    # the same attack on tables that withhold only what is small finds many: the zero above means something
    found = 0
    for release in range(0, 100, 2):
        leaves = np.random.default_rng(release).poisson(city(np.random.default_rng(release)))
        mask = FAMILY.counts(leaves) >= K
        attacker = told(leaves, mask, Knowledge.of(FAMILY.leaves).plus(TOTAL, (TOTAL @ leaves).astype(float)))
        targets = FAMILY.matrix[np.flatnonzero(~mask)]
        found += int((bounds(attacker, targets, whole=True).width < 2).sum())
    assert found > 50
