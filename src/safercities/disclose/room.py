"""What is known of the counts of one source and period: from the release, from all earlier ones, from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.base import Base
from safercities.disclose.family import Table
from safercities.disclose.journal import Entry
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.rounding import bounds
from safercities.disclose.solver import Floats, Mask

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Room:
    """Everything that is known of the leaves of one source and period, the leaves of earlier releases among them.

    Parameters
    ----------
    knowledge
        Over the columns: first the leaves, then those leaves of earlier releases whose counts have changed since.
    truth
        Counts of all columns.
    leaves
        How many of the columns are leaves of today.
    labels
        Of the columns.
    former
        k of the other columns.
    moved
        For each of the other columns that is the former count of leaves of today, these leaves; else none.
    outside
        Sums that are known outside, as keys of their leaves: nobody can protect these.
    """

    knowledge: Knowledge
    truth: Ints
    leaves: int
    labels: Sequence[str]
    former: Ints
    moved: tuple[Ints, ...] = ()
    outside: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, base: Base, effective: Ints, earlier: Sequence[Entry], known: Sequence[Table]) -> Room:
        """What is known before the release: from earlier releases and from outside.

        Parameters
        ----------
        effective
            Counts of the base as they are to be published, shape (leaves,).
        earlier
            Of the same source and period.
        known
            Tables whose counts outsiders know.
        """
        nothing = Knowledge.of(base.leaves)
        room = cls(nothing, effective, base.leaves, _Labels(base), np.zeros(0, dtype=np.int64))
        for entry in earlier:
            room = room._with_earlier(entry, entry.frame.find(base))
        for table in known:
            names = [f"{table.label(cell)} (known outside)" for cell in range(table.size)]
            room = room.publish(_sums(table), table.name, names)
            room = replace(room, outside=room.outside | set(keys(_sums(table))))
        return room

    def knows(self, matrix: csr_array) -> Mask:
        """Which sums over the leaves are known outside, and need no protection any more; shape (sums,)."""
        return np.array([key in self.outside for key in keys(matrix)], dtype=bool)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.truth)

    def wide(self, matrix: csr_array) -> csr_array:
        """Sums over the leaves as sums over all columns."""
        import scipy.sparse as sp

        more = self.columns - matrix.shape[1]
        return sp.hstack([matrix, sp.csr_array((matrix.shape[0], more))], format="csr") if more else matrix.tocsr()

    def publish(self, matrix: csr_array, what: str, labels: Sequence[str] = ()) -> Room:
        """With sums that are known exactly."""
        matrix = self.wide(matrix)
        named = labels or [f"{what}, cell {number + 1}" for number in range(matrix.shape[0])]
        told = (matrix @ self.truth).astype(float)
        return replace(self, knowledge=self.knowledge.plus(matrix, told, labels=named))

    def rounded(self, counts: Ints, minimum: int | Ints) -> Room:
        """With rounded counts of all leaves, of which an attacker is taken to know each one."""
        least, most = (one.astype(float) for one in bounds(counts, minimum))
        more = self.columns - self.leaves
        known = self.knowledge
        known = known.within(
            np.concatenate([least, known.least[self.leaves :]]) if more else least,
            np.concatenate([most, known.most[self.leaves :]]) if more else most,
        )
        return replace(self, knowledge=known)

    def _with_earlier(self, entry: Entry, of: Ints) -> Room:
        """With what an earlier release told: of leaves that are as they were, or of the former counts of others."""
        import scipy.sparse as sp

        inside = np.flatnonzero(of >= 0)
        now = np.zeros(entry.frame.leaves, dtype=np.int64)
        np.add.at(now, of[inside], self.truth[inside])
        same = now == entry.effective
        here = inside[same[of[inside]]]
        there = np.zeros(entry.frame.leaves, dtype=bool)
        there[of[inside]] = True
        former = np.flatnonzero(~(same & there))
        names = [f"earlier count of leaf {one} ({entry.period})" for one in former]
        order = inside[np.argsort(of[inside], kind="stable")]
        ends = np.searchsorted(of[order], former, side="right")
        moved = [order[a:b] for a, b in zip(np.searchsorted(of[order], former), ends, strict=True)]
        room = self._plus(entry.effective[former], entry.minimum[former], names, moved)
        rows, at = np.concatenate([of[here], former]), np.concatenate([here, self.columns + np.arange(len(former))])
        whole = sp.csr_array((np.ones(len(rows)), (rows, at)), shape=(entry.frame.leaves, room.columns))
        if entry.rounded is None:
            return room.publish(entry.published @ whole, f"release of {entry.period}, {entry.source}")
        least, most = (one.astype(float) for one in bounds(entry.rounded, entry.minimum))
        return room._bounded(whole, least, most)

    def _plus(self, counts: Ints, minimum: Ints, labels: Sequence[str], moved: Sequence[Ints]) -> Room:
        """With more columns."""
        known, size = self.knowledge, len(counts)
        fresh = Knowledge.of(size)
        wider = replace(
            known,
            matrix=_padded(known.matrix, size),
            least=np.concatenate([known.least, fresh.least]),
            most=np.concatenate([known.most, fresh.most]),
        )
        longer = _Longer(self.labels, self.columns, labels)
        truth, former = np.concatenate([self.truth, counts]), np.concatenate([self.former, minimum])
        return Room(wider, truth, self.leaves, longer, former, (*self.moved, *moved), self.outside)

    def _bounded(self, sums: csr_array, least: Floats, most: Floats) -> Room:
        """With limits of sums; those of single columns are no facts but limits of these."""
        size = np.diff(sums.indptr)
        single = np.flatnonzero(size == 1)
        low, high = self.knowledge.least.copy(), self.knowledge.most.copy()
        at = sums.indices[sums.indptr[single]]
        np.maximum.at(low, at, least[single])
        np.minimum.at(high, at, most[single])
        several = np.flatnonzero(size > 1)
        known = replace(self.knowledge, least=low, most=high)
        labels = [f"rounded counts of an earlier release, leaf {one}" for one in several]
        return replace(self, knowledge=known.plus(sums[several], least[several], most[several], labels=labels))


class _Labels(Sequence[str]):
    """Names of the leaves of a base, made when they are asked for."""

    def __init__(self, base: Base) -> None:
        self._base = base

    def __len__(self) -> int:
        return self._base.leaves

    def __getitem__(self, at: Any) -> Any:
        return self._base.label(int(at))


class _Longer(Sequence[str]):
    """Names, and more of them."""

    def __init__(self, first: Sequence[str], size: int, more: Sequence[str]) -> None:
        self._first, self._size, self._more = first, size, more

    def __len__(self) -> int:
        return self._size + len(self._more)

    def __getitem__(self, at: Any) -> Any:
        return self._first[at] if at < self._size else self._more[at - self._size]


def _sums(table: Table) -> csr_array:
    import scipy.sparse as sp

    inside = np.flatnonzero(table.of >= 0)
    return sp.csr_array((np.ones(len(inside)), (table.of[inside], inside)), shape=(table.size, len(table.of)))


def keys(matrix: csr_array) -> list[bytes]:
    """A key of each sum, equal where the same leaves are added up."""
    matrix.sort_indices()
    at = matrix.indices.astype(np.int64)
    return [at[a:b].tobytes() for a, b in pairwise(matrix.indptr.tolist())]


def _padded(matrix: csr_array, more: int) -> csr_array:
    import scipy.sparse as sp

    return sp.hstack([matrix, sp.csr_array((matrix.shape[0], more))], format="csr") if more else matrix
