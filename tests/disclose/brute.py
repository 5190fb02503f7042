"""Every set of leaves that agrees with what is known, one by one: the attacker that cannot be wrong, on tiny tables."""

from __future__ import annotations

from itertools import product

import numpy as np

from safercities.disclose.family import Family, Table
from safercities.disclose.knowledge import Knowledge

#: Sets of leaves that are tried one by one.
FEW = 60_000


def few(leaves: np.ndarray) -> np.ndarray:
    """The leaves, made smaller until every set of leaves with their total can be tried."""
    while (float(leaves.sum()) + 1) ** len(leaves) > FEW:
        leaves = (
            np.maximum(leaves - 1, 0) if leaves.max() > 1 else np.where(np.cumsum(leaves) < leaves.sum(), leaves, 0)
        )
    return leaves


def worlds(knowledge: Knowledge, most: int) -> np.ndarray:
    """All leaves up to `most` each that the knowledge allows, shape (worlds, leaves)."""
    sides = [
        range(int(low), min(int(high), most) + 1) for low, high in zip(knowledge.least, knowledge.most, strict=True)
    ]
    every = np.array(list(product(*sides)), dtype=np.int64).reshape(-1, knowledge.leaves)
    sums = (knowledge.matrix @ every.T).T
    return every[((sums >= knowledge.lower - 1e-9) & (sums <= knowledge.upper + 1e-9)).all(axis=1)]


def limits(knowledge: Knowledge, targets: np.ndarray, most: int) -> tuple[list[int], list[int]]:
    """Least and greatest value of each target over all worlds."""
    values = worlds(knowledge, most) @ targets.T
    return values.min(axis=0).tolist(), values.max(axis=0).tolist()


def cube(shape: tuple[int, ...], minimum: int, most: int) -> Family:
    """All margins of up to `most` axes."""
    from safercities.disclose.family import margins

    return margins([[(f"axis {i}", np.arange(n))] for i, n in enumerate(shape)], shape, minimum, most)


def published(family: Family, leaves: np.ndarray, mask: np.ndarray) -> Knowledge:
    """What everybody knows once the cells of the mask are published."""
    at = np.flatnonzero(mask)
    labels = [family.label(one) for one in at.tolist()]
    known = Knowledge.of(family.leaves)
    return known.plus(family.matrix[at], family.counts(leaves)[at].astype(float), labels=labels)


#: sdcTable's regions: n, county, group. Protected: n < 4.
REGIONS = {
    "A": (2, 0, 0),
    "B": (2, 0, 0),
    "I": (8, 0, 0),
    "J": (8, 0, 0),
    "K": (3, 1, 0),
    "L": (3, 1, 1),
    "M": (3, 1, 1),
    "N": (7, 1, 0),
}


def regions(*, counties: bool = True, groups: bool = True) -> tuple[Family, np.ndarray]:
    """The eight regions in one or both groupings, each with its totals."""
    rows = list(REGIONS.values())
    tables = [
        Table("region", np.arange(8), 8, 4, tuple(REGIONS)),
        Table("total", np.zeros(8, dtype=np.int64), 1, 4, ("total",)),
    ]
    if counties:
        tables.append(Table("county", np.array([row[1] for row in rows]), 2, 4, ("county-1", "county-2")))
    if groups:
        tables.append(Table("group", np.array([row[2] for row in rows]), 2, 4, ("small", "BIG")))
    return Family(8, tuple(tables)), np.array([row[0] for row in rows])
