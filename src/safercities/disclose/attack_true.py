"""True counts behind rounded ones, where true totals are known outside: whether these pin down what was rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from safercities.disclose.attack_public import Opening, Outside
from safercities.disclose.attack_space import Cell
from safercities.disclose.attack_system import MOST_REASONS, System, feasible, sums
from safercities.disclose.audit import because, inward
from safercities.disclose.knowledge import MOST, Ints, Knowledge
from safercities.disclose.prove import Prover
from safercities.disclose.solver import Floats, Infeasible
from safercities.model.errors import SafercitiesError, problem


def true_counts(
    system: System,
    rounded: Knowledge,
    known: Sequence[Outside],
    minimum: Ints,
    width: Callable[[int], int],
    label: Callable[[Cell], str],
    groups: Sequence[tuple[str, Ints]] = (),
) -> list[Opening]:
    """True leaves that can be told more closely than `width`, though small ones were rounded to 0 or k.

    A true count of a leaf is the rounded one where that is above k; 1 to k where that is k; 0 to k − 1 where that is 0.
    It is taken for granted that the leaves of what is published are those that were rounded: if they were finer, the
    attacker knows less.

    Parameters
    ----------
    rounded
        What is known of the rounded leaves.
    known
        True sums.
    minimum
        k of each kind of acts.
    width
        How many further values must be possible of a count of some k.
    label
        What to call a cell.
    groups
        Columns of others that are shown as 0, where all of a group have one attribute; and what to call them.

    Raises
    ------
    SafercitiesError
        If what is known contradicts what is published.
    """
    import scipy.sparse as sp

    low, high = _edges(rounded)
    size = rounded.leaves
    k = np.zeros(size)
    for column in system.column:  # a leaf that was revised has another column in later releases
        k[column] = minimum[np.arange(system.space.size) // int(np.prod(system.space.shape[3:])) % len(minimum)]
    far = k - 1
    least = np.where(low > k, low, np.where(low >= k, 1.0, 0.0))
    most = np.where(low > k, high, np.where(high <= 0, far, np.maximum(high, far)))
    none = sp.csr_array(rounded.matrix.shape)
    unit = sp.eye_array(size, format="csr")
    facts = Knowledge.of(2 * size).plus(
        sp.hstack([rounded.matrix, none], format="csr"), rounded.lower, rounded.upper, labels=rounded.labels
    )
    facts = facts.plus(sp.hstack([-unit, unit], format="csr"), -far, far, labels=["rounding of a small count"] * size)
    facts = facts.within(np.concatenate([low, least]), np.concatenate([high, np.minimum(most, MOST)]))
    outside = sums([system.at(one.cell, -1) + size for one in known], 2 * size)
    totals = np.array([one.n for one in known], dtype=float)
    facts = facts.plus(outside, totals, labels=[f"{label(one.cell)}: {one.n} (known outside)" for one in known])
    if not feasible(facts):
        raise SafercitiesError(problem("attack-contradiction"))
    found = _openings(system, facts, np.flatnonzero(low <= k), k.astype(np.int64), width)
    return [*found, *_empty(facts, size, groups)]


def _edges(known: Knowledge) -> tuple[Floats, Floats]:
    """Least and greatest rounded leaves, as far as they follow from sums of one leaf alone, or of none."""
    low, high = known.least.copy(), known.most.copy()
    alone = np.flatnonzero(np.diff(known.matrix.indptr) == 1)
    for row in alone.tolist():
        at, times = known.matrix.indices[known.matrix.indptr[row]], known.matrix.data[known.matrix.indptr[row]]
        if times > 0:
            low[at] = max(low[at], inward(known.lower[row] / times))
            high[at] = min(high[at], np.floor(known.upper[row] / times + 1e-6))
    return low, high


def _openings(
    system: System, facts: Knowledge, leaves: Ints, minimum: Ints, width: Callable[[int], int]
) -> list[Opening]:
    size, kinds = system.columns, system.space.kinds
    names = [axis.name for axis in system.space.axes]
    called = [one for one, _ in system.space.finest(names, placed=True)]
    inside = [leaf for leaf in leaves.tolist() if leaf < len(called) and facts.most[size + leaf] > 0]
    if not inside:
        return []
    targets = sums([np.array([size + leaf]) for leaf in inside], 2 * size)
    widths = np.array([width(int(minimum[leaf])) for leaf in inside], dtype=np.int64)
    try:
        found = Prover(facts, targets, widths).openings()
    except Infeasible:
        raise SafercitiesError(problem("attack-contradiction")) from None
    openings: list[Opening] = []
    for one in found:
        leaf = inside[one.target]
        if one.lower < minimum[leaf]:
            why = because(facts, targets[[one.target]])[1] if len(openings) < MOST_REASONS else []
            acts = f"{kinds.word(called[leaf].kind, {})}, " if len(kinds.counted) > 1 else ""
            what = f"true count of {acts}{called[leaf].words}"
            openings.append(Opening("true", what, one.lower, one.upper, int(widths[one.target]), tuple(why)))
    return openings


def _empty(facts: Knowledge, size: int, groups: Sequence[tuple[str, Ints]]) -> list[Opening]:
    """Groups of which it is certain that there are no others."""
    if not groups:
        return []
    targets = sums([columns + size for _, columns in groups], 2 * size)
    found = Prover(facts, targets, np.ones(len(groups), dtype=np.int64)).openings()
    sure = [one for one in found if one.upper <= 0]
    return [Opening("group", groups[one.target][0], 0, 0, 1, ()) for one in sure]
