"""The gate: attacks the counts of one source and period with everything known of them, before anything is written.

It does not ask how they were protected: it takes what will be read from the release, from all earlier ones and from
outside, and looks for other counts that would give the same. Where none are far enough apart, it is shut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.audit import because
from safercities.disclose.family import Family
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.prove import Prover
from safercities.disclose.room import Room
from safercities.disclose.solver import Floats, Mask
from safercities.disclose.suppress import default_width
from safercities.disclose.worlds import Insider, Opening
from safercities.model.errors import SafercitiesError, problem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]

#: Openings that are explained in the private log: each takes several questions to the solver.
EXPLAINED = 20


@dataclass(frozen=True)
class Target:
    """Sums that nobody may come to know.

    Parameters
    ----------
    matrix
        Shape (targets, leaves).
    width
        How many further values must remain possible, shape (targets,).
    labels
        What people call each.
    """

    matrix: csr_array
    width: Ints
    labels: Sequence[str]


def targets(room: Room, family: Family, minimum: Ints, width: int | None, more: Mask | None = None) -> Target:
    """What must be protected: every leaf, and every cell of a family, whose true count is below its minimum.

    Parameters
    ----------
    minimum
        k of each leaf, shape (leaves,).
    width
        How many further values must remain possible; default: `default_width`.
    more
        Further cells of the family, shape (cells,): those that disclose an attribute.
    """
    import scipy.sparse as sp

    total = family.counts(room.truth[: room.leaves])
    chosen = (total < family.minimum) | (False if more is None else more)
    cells = np.flatnonzero(chosen & ~room.knows(family.matrix))
    single = np.diff(family.matrix.indptr)[cells] == 1
    covered = set(family.matrix.indices[family.matrix.indptr[cells[single]]].tolist())
    covered |= {at for at in range(room.leaves) if np.int64(at).tobytes() in room.outside}
    least = np.concatenate([minimum, room.former])
    small = [at for at in np.flatnonzero(room.truth < least).tolist() if at not in covered]
    ones = sp.csr_array((np.ones(len(small)), (np.arange(len(small)), small)), shape=(len(small), room.columns))
    wanted = np.concatenate([family.minimum[cells], least[small]]).astype(np.int64)
    widths = default_width(wanted) if width is None else np.full(len(wanted), width, dtype=np.int64)
    changes, late = _changes(room)
    widths = np.concatenate([widths, default_width(late) if width is None else np.full(len(late), width)])
    labels = _Named(family, cells, room.labels, small)
    parts = [room.wide(family.matrix[cells]), ones, changes]
    return Target(sp.vstack(parts, format="csr"), widths.astype(np.int64), labels)


def _changes(room: Room) -> tuple[csr_array, Ints]:
    """Changes since an earlier release by less than k: rows of the leaves less their former count, and k of each."""
    import scipy.sparse as sp

    rows: list[tuple[Ints, int]] = []
    for number, leaves in enumerate(room.moved):
        change = int(room.truth[leaves].sum() - room.truth[room.leaves + number])
        if len(leaves) and 0 < abs(change) < room.former[number]:
            rows.append((leaves, number))
    size = [len(leaves) + 1 for leaves, _ in rows]
    at = [np.append(leaves, room.leaves + number) for leaves, number in rows]
    sign = [np.append(np.ones(len(leaves)), -1.0) for leaves, _ in rows]
    first = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    nothing = np.zeros(0)
    data, columns = np.concatenate([nothing, *sign]), np.concatenate([nothing, *at]).astype(np.int64)
    made = sp.csr_array((data, columns, first), shape=(len(rows), room.columns))
    return made, room.former[np.array([number for _, number in rows], dtype=np.int64)]


class _Named(Sequence[str]):
    """Names of targets: cells of a family, then columns."""

    def __init__(self, family: Family, cells: Ints, labels: Sequence[str], columns: Sequence[int]) -> None:
        self._family, self._cells, self._labels, self._columns = family, cells, labels, columns

    def __len__(self) -> int:
        return len(self._cells) + len(self._columns)

    def __getitem__(self, at: Any) -> Any:
        if at < len(self._cells):
            return self._family.label(int(self._cells[at]))
        if at < len(self):
            return self._labels[self._columns[at - len(self._cells)]]
        return "the change of a count since an earlier release"


def openings(room: Room, target: Target, insiders: Sequence[Insider]) -> list[Opening]:
    """Targets that anybody, or an insider, can come to know more closely than allowed; empty: the gate is open.

    Leaves that share no fact are independent of each other: sums of them are as wide as they are together, and no
    solver needs to be asked.

    Raises
    ------
    SafercitiesError
        If the facts contradict each other or the truth, or the solver does not end with an optimal solution.
    """
    known = room.knowledge
    if not known.allows(room.truth):
        raise SafercitiesError(problem("attack-contradiction"))
    tied = np.zeros(room.columns, dtype=bool)
    tied[known.matrix.indices] = True
    tied &= known.most > known.least
    bound = (abs(target.matrix) @ tied.astype(float)) > 0
    found = _independent(known, target, np.flatnonzero(~bound), insiders)
    return found + _tied(room, target, np.flatnonzero(bound), tied, insiders)


def _independent(known: Knowledge, target: Target, chosen: Ints, insiders: Sequence[Insider]) -> list[Opening]:
    """Targets whose leaves share no fact: limits are sums of limits. An insider may know one leaf of them."""
    matrix = target.matrix[chosen]
    least, most = np.ceil(known.least), np.floor(known.most)
    more, less = matrix.maximum(0), (-matrix).maximum(0)
    low, high = more @ least - less @ most, more @ most - less @ least
    loss, who = _losses(known, insiders)
    sizes, several = np.diff(matrix.indptr), matrix.copy()
    several.data = loss[matrix.indices]
    worst = several.max(axis=1).toarray().ravel() if len(chosen) else np.zeros(0)
    worst[(sizes == 1) & _alone(matrix, sizes, who)] = 0  # whoever is alone in a leaf knows that leaf: not by us
    found = []
    for row in np.flatnonzero(high - low - worst < target.width[chosen]).tolist():
        inside = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        leaf = int(inside[np.argmax(loss[inside])]) if len(inside) else -1
        insider = who.get(leaf) if high[row] - low[row] >= target.width[chosen[row]] else None
        mine = known if insider is None else known.case(leaf, alone=insider.alone)
        least, most = np.ceil(mine.least), np.floor(mine.most)
        edges = (more[[row]] @ least - less[[row]] @ most, more[[row]] @ most - less[[row]] @ least)
        found.append(Opening(int(chosen[row]), int(edges[0][0]), int(edges[1][0]), insider, exact=True))
    return found


def _losses(known: Knowledge, insiders: Sequence[Insider]) -> tuple[Floats, dict[int, Insider]]:
    """By how much each leaf becomes narrower for the insider who has a case in it."""
    loss, who = np.zeros(known.leaves), {one.leaf: one for one in insiders}
    at = np.array(list(who), dtype=np.int64)
    least, most = np.ceil(known.least[at]), np.floor(known.most[at])
    alone = np.array([one.alone for one in who.values()], dtype=bool)
    loss[at] = np.where(alone, most - least, np.maximum(1 - least, 0))
    return loss, who


def _alone(matrix: csr_array, sizes: Ints, who: dict[int, Insider]) -> Mask:
    first = np.zeros(matrix.shape[0], dtype=bool)
    for row in np.flatnonzero(sizes == 1).tolist():
        insider = who.get(int(matrix.indices[matrix.indptr[row]]))
        first[row] = insider is not None and insider.alone
    return first


def _tied(room: Room, target: Target, chosen: Ints, tied: Mask, insiders: Sequence[Insider]) -> list[Opening]:
    """Targets with leaves that share facts: asked of the solver, over the columns that matter only."""
    if not len(chosen):
        return []
    used = tied.copy()
    used[target.matrix[chosen].indices] = True
    columns = np.flatnonzero(used)
    part = _part(room.knowledge, columns)
    position = {int(column): at for at, column in enumerate(columns)}
    within = [replace(one, leaf=position[one.leaf]) for one in insiders if one.leaf in position]
    sums = target.matrix[chosen][:, columns]
    prover = Prover(part, sums, target.width[chosen], truth=room.truth[columns])
    found = prover.openings(within)
    return [
        replace(
            one,
            target=int(chosen[one.target]),
            insider=None if one.insider is None else replace(one.insider, leaf=int(columns[one.insider.leaf])),
        )
        for one in found
    ]


def _part(known: Knowledge, columns: Ints) -> Knowledge:
    """What is known of some columns, as all others that stand in a fact can have one value only."""
    rest = np.ones(known.leaves, dtype=bool)
    rest[columns] = False
    fixed = known.matrix @ np.where(rest, known.least, 0)
    least, most = known.least[columns], known.most[columns]
    return Knowledge(known.matrix[:, columns], known.lower - fixed, known.upper - fixed, least, most, known.labels)


def certificates(room: Room, target: Target, found: Sequence[Opening]) -> list[dict[str, Any]]:
    """What an attacker would learn, and from which published numbers. For the private log only."""
    told = []
    for one in found[:EXPLAINED]:
        known = room.knowledge
        who = None
        if one.insider is not None:
            known = known.case(one.insider.leaf, alone=one.insider.alone)
            who = {"knows a case of": room.labels[one.insider.leaf], "and that it is the only one": one.insider.alone}
        try:
            _, facts = because(known, target.matrix[[one.target]])
        except SafercitiesError:  # the opening stands all the same
            facts = []
        told.append(
            {
                "what": target.labels[one.target],
                "at least": one.lower,
                "at most": one.upper,
                "further values needed": int(target.width[one.target]),
                "by": who or "anybody",
                "because": [{"fact": f.label, "times": f.times, "from": f.lower, "to": f.upper} for f in facts[:50]],
            }
        )
    return told
