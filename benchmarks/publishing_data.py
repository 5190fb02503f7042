"""Counts of people by place and characteristics, for the benchmark of suppression: skewed, and thin at the leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from safercities.disclose.family import Family

Ints = NDArray[np.int64]
#: Least count of every table.
MINIMUM = 5
#: How many places in a row make a district: the last axis of each case is the place.
DISTRICT = 4
#: Of the marginals of each axis (Dirichlet): the larger, the more even.
EVEN = 8.0
#: Of the interplay of the axes (gamma), likewise.
FREE = 4.0


@dataclass(frozen=True)
class Case:
    """A family of tables and its people.

    Parameters
    ----------
    shape
        Codes of each axis; the last one is the place, which has districts too.
    most
        Most axes that a table is broken down by.
    people
        How many are counted, in all.
    """

    shape: tuple[int, ...]
    most: int
    people: int

    def family(self) -> Family:
        """Its tables, totals and districts included."""
        from safercities.disclose.family import margins

        axes = [[(f"axis {number}", np.arange(size))] for number, size in enumerate(self.shape)]
        axes[-1].append(("district", np.arange(self.shape[-1]) // DISTRICT))
        return margins(axes, self.shape, MINIMUM, self.most)

    def counts(self, seed: int) -> Ints:
        """Counts of the leaves, by chance: axes nearly independent of each other, each with codes of unlike size."""
        rng = np.random.default_rng(seed)
        share = np.ones(self.shape)
        for axis, size in enumerate(self.shape):
            along = [1] * len(self.shape)
            along[axis] = size
            share = share * rng.dirichlet(np.full(size, EVEN)).reshape(along)
        share = share * rng.gamma(FREE, 1 / FREE, size=self.shape)
        return rng.multinomial(self.people, (share / share.sum()).ravel())

    @property
    def full(self) -> bool:
        """Whether it is one table with all its margins."""
        return self.most >= len(self.shape)


#: The first three are small enough for an exact method of a peer; (a) to (d) are those of the aims.
CASES = {
    "2-way": Case((6, 20), 2, 600),
    "3-way": Case((2, 6, 20), 3, 1_200),
    "3-way+": Case((6, 5, 20), 3, 2_000),
    "a": Case((2, 6, 5, 20), 4, 3_000),
    "b": Case((2, 6, 5, 4, 20), 5, 3_000),
    "c": Case((2, 6, 5, 4, 20), 3, 3_000),
    "d": Case((2, 6, 5, 4, 3, 20), 3, 3_000),
}
