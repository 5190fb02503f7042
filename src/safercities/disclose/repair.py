"""What else to withhold where a cell is pinned down: the cheapest other counts in which it differs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from safercities.disclose.audit import LARGE
from safercities.disclose.knowledge import MOST, Ints, Knowledge
from safercities.disclose.marginal import Marginal
from safercities.disclose.remainder import remainders
from safercities.disclose.solver import TOLERANCE, Floats, Infeasible, Mask, Program

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Openings that are closed by one program: the more at once, the more they stand in each other's way.
TOGETHER = 25
#: The same where programs are over the cells.
FEW = 8
#: Of the leaves without a case, those that may change in a large system: enough to find a way, few enough to be quick.
_SHARE = 0.1


@dataclass(frozen=True)
class Need:
    """A cell that must be able to differ from the truth by an amount (up: positive), while some leaves stay.

    Or else by the other amount, if there is one.
    """

    cell: int
    amount: float
    fixed: tuple[int, ...] = ()
    other: float | None = None

    def met(self, cells: Floats, leaves: Floats) -> bool:
        """Whether changes of all cells, and of all leaves, are what is asked for."""
        change = cells[self.cell] + TOLERANCE * np.sign(cells[self.cell])
        enough = change >= self.amount if self.amount > 0 else change <= self.amount
        return bool(
            (enough or (self.other is not None and self.other < 0 and change <= self.other))
            and all(abs(leaves[leaf]) <= TOLERANCE for leaf in self.fixed)
        )


def cheapest(
    matrix: csr_array, published: Mask, cost: Floats, truth: Ints, knowledge: Knowledge, needs: Sequence[Need]
) -> Floats:
    """Other counts in which all needs are met, at the least cost of published cells that differ from the truth.

    Parameters
    ----------
    matrix
        Sums over the leaves, shape (cells, leaves).
    published
        The cells that are published now, and may be withheld.
    cost
        Of withholding each cell.
    knowledge
        What is known besides: it holds for the other counts as well.

    Raises
    ------
    Infeasible
        If the needs cannot be met together, whatever is withheld.

    Source: Kelly, Golden & Assad (1992), Cell suppression: disclosure protection for sensitive tabular data, Networks
    22, the linear program of one cell; here for several at once, and over all linked tables.
    """
    import scipy.sparse as sp

    cells = np.flatnonzero(published)
    n, m = matrix.shape[1], len(cells)
    aims = matrix[[need.cell for need in needs]]
    sums, times = remainders(matrix[cells], empty=True)
    rows = sp.block_array([[sums, -times, times]], format="csr")
    rows = sp.vstack([rows, _wide(knowledge.matrix, 2 * m), _wide(aims, 2 * m)], format="csr")
    facts = knowledge.matrix @ truth
    up = np.array([need.amount > 0 for need in needs])
    amount = np.array([need.amount for need in needs])
    lower = np.concatenate([np.zeros(m), knowledge.lower - facts, np.where(up, amount, -np.inf)])
    upper = np.concatenate([np.zeros(m), knowledge.upper - facts, np.where(up, np.inf, amount)])
    least, most = knowledge.least - truth, np.minimum(knowledge.most - truth, MOST)
    for leaf in {leaf for need in needs for leaf in need.fixed}:
        least[leaf] = most[leaf] = 0
    ask = Program(
        rows,
        lower,
        upper,
        np.concatenate([least, np.zeros(2 * m)]),
        np.concatenate([most, np.full(2 * m, MOST)]),
        interior=rows.nnz > LARGE,
        corner=True,
    )
    found = ask.minimise(np.concatenate([np.zeros(n), cost[cells], cost[cells]]))
    return truth + found.x[:n]


def _wide(rows: csr_array, more: int) -> csr_array:
    """The rows with further columns of zeros."""
    import scipy.sparse as sp

    return sp.csr_array(sp.hstack([rows, sp.csr_array((rows.shape[0], more))], format="csr"))


def differ(matrix: csr_array, truth: Ints, other: Floats) -> Mask:
    """Which cells differ between the truth and other counts."""
    return np.asarray(np.abs(matrix @ (other - truth)) > 10 * TOLERANCE)


def close(
    matrix: csr_array,
    published: Mask,
    cost: Floats,
    truth: Ints,
    knowledge: Knowledge,
    needs: Sequence[Need],
    cells: Marginal | None = None,
) -> tuple[Mask, list[Floats]]:
    """Withhold what meets all needs; gives the cells that stay published, and the other counts that were found.

    With `cells` first by way of these.

    Raises
    ------
    Infeasible
        If a need cannot be met even with everything withheld that may be.
    """
    published, points = published.copy(), list[Floats]()
    if cells is not None:
        published, points, needs = _by_cells(published, cost, knowledge, needs, cells)
    left = [*needs]
    while left:
        group = _group(left)
        try:
            found = [_some(matrix, published, cost, truth, knowledge, group)]
        except Infeasible:
            found = [_some(matrix, published, cost, truth, knowledge, [need]) for need in group]
        for one in found:
            published &= ~differ(matrix, truth, one)
            points.append(one)
            change = matrix @ (one - truth)
            left = [need for need in left if need not in group and not need.met(change, one - truth)]
    return published, points


def _by_cells(
    published: Mask, cost: Floats, knowledge: Knowledge, needs: Sequence[Need], cells: Marginal
) -> tuple[Mask, list[Floats], list[Need]]:
    """As `close`, by programs over the cells: a few needs at once, by itself where no leaves fit; and what is left."""
    points, left = list[Floats](), [need for need in needs if need.fixed]
    waiting = [[need for need in needs[start : start + FEW] if not need.fixed] for start in range(0, len(needs), FEW)]
    while waiting:
        if not (group := waiting.pop()):
            continue
        found = cells.publishing(published).possible(
            np.array([need.cell for need in group]),
            np.array([need.amount for need in group]),
            np.array([need.other or np.nan for need in group]),
            cost,
            knowledge.allows,
        )
        if found is not None:
            published = published & ~differ(cells.family.matrix, cells.counts, found)
            points.append(found)
        elif len(group) == 1:
            left += group
        else:
            waiting += [group[: len(group) // 2], group[len(group) // 2 :]]
    return published, points, left


def _some(
    matrix: csr_array, published: Mask, cost: Floats, truth: Ints, knowledge: Knowledge, needs: Sequence[Need]
) -> Floats:
    """As `cheapest`; in a large system first with some of the leaves only, the others staying as they are."""
    if matrix.nnz > LARGE:
        inside = np.asarray(matrix[[need.cell for need in needs]].sum(axis=0)).ravel() > 0
        draw = np.random.default_rng(len(needs)).random(len(truth))
        some = np.flatnonzero((truth > 0) | (draw < _SHARE) | (inside & (draw < 2 * _SHARE)))
        part = replace(
            knowledge, matrix=knowledge.matrix[:, some], least=knowledge.least[some], most=knowledge.most[some]
        )
        rest = knowledge.matrix @ np.where(np.isin(np.arange(len(truth)), some), 0, truth)
        part = replace(part, lower=knowledge.lower - rest, upper=knowledge.upper - rest)
        place = {int(leaf): at for at, leaf in enumerate(some)}
        fewer = [replace(need, fixed=tuple(place[one] for one in need.fixed)) for need in needs]
        with suppress(Infeasible):
            if not len(some):
                raise Infeasible
            other = truth.astype(float)
            other[some] = cheapest(matrix[:, some].tocsr(), published, cost, truth[some], part, fewer)
            return other
    return cheapest(matrix, published, cost, truth, knowledge, needs)


def _group(needs: Sequence[Need]) -> list[Need]:
    """The first needs, as many as do not stand in each other's way: none fixes a leaf that another needs."""
    return [need for need in needs if not need.fixed][:TOGETHER] or [needs[0]]
