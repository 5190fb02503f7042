"""What an attacker knows of the leaves: facts as sums with limits, and limits of single leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.solver import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]
#: Matrices of up to so many cells are multiplied with their zeros: many times quicker.
DENSE = 100_000
#: More cases than any leaf can hold: what an attacker assumes who knows nothing else.
MOST = 1e7


@dataclass(frozen=True)
class Knowledge:
    """Facts about whole numbers x ≥ 0, the leaves: lower ≤ matrix·x ≤ upper and least ≤ x ≤ most.

    Parameters
    ----------
    matrix
        A row a fact, shape (facts, leaves).
    lower, upper
        Limits of the facts; equal where a sum is published exactly.
    least, most
        Limits of the leaves, shape (leaves,).
    labels
        What each fact is called in a certificate; one a fact.

    Examples
    --------
    >>> known = Knowledge.of(2)
    >>> import scipy.sparse as sp
    >>> known.plus(sp.csr_array(np.ones((1, 2))), np.array([7.0]), labels=["total"]).labels
    ('total',)
    """

    matrix: csr_array
    lower: Floats
    upper: Floats
    least: Floats
    most: Floats
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, leaves: int) -> Knowledge:
        """Nothing is known but that counts are not negative."""
        import scipy.sparse as sp

        empty = np.zeros(0)
        return cls(sp.csr_array((0, leaves)), empty, empty, np.zeros(leaves), np.full(leaves, MOST))

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return len(self.least)

    def plus(
        self, matrix: csr_array, lower: Floats, upper: Floats | None = None, *, labels: Sequence[str] | None = None
    ) -> Knowledge:
        """More facts; exact ones where no upper limit is given."""
        import scipy.sparse as sp

        named = tuple(labels) if labels is not None else ("",) * matrix.shape[0]
        return replace(
            self,
            matrix=sp.vstack([self.matrix, matrix], format="csr"),
            lower=np.concatenate([self.lower, lower]),
            upper=np.concatenate([self.upper, lower if upper is None else upper]),
            labels=self.labels + named,
        )

    def within(self, least: Floats, most: Floats) -> Knowledge:
        """With narrower limits of the leaves."""
        return replace(self, least=np.maximum(self.least, least), most=np.minimum(self.most, most))

    def case(self, leaf: int, *, alone: bool) -> Knowledge:
        """What somebody knows who knows one case, of this leaf; `alone`: and that there is no other in it."""
        least, most = self.least.copy(), self.most.copy()
        least[leaf] = max(least[leaf], 1)
        if alone:
            most[leaf] = min(most[leaf], 1)
        return replace(self, least=least, most=most)

    def allows(self, leaves: NDArray[np.int64] | Floats) -> bool:
        """Whether a set of leaves agrees with all facts."""
        matrix, lower, upper, least, most = self._bounded
        sums = matrix @ leaves
        return bool(
            (sums >= lower).all() and (sums <= upper).all() and (leaves >= least).all() and (leaves <= most).all()
        )

    @cached_property
    def _bounded(self) -> tuple[csr_array | Floats, Floats, Floats, Floats, Floats]:
        """The facts as `allows` asks them, again and again: the matrix as it is quickest, limits with a tolerance."""
        limits = self.lower - 1e-6, self.upper + 1e-6, self.least - 1e-6, self.most + 1e-6
        return quickest(self.matrix), *limits


def quickest(matrix: csr_array) -> csr_array | Floats:
    """The same matrix as it is multiplied quickest: small ones with their zeros."""
    return matrix.toarray() if matrix.shape[0] * matrix.shape[1] <= DENSE else matrix
