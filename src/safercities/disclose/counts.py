"""Protects the counts of one source and period: by rounding its base, or by choosing which cells to withhold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.base import Base, make_base
from safercities.disclose.family import Family, Table
from safercities.disclose.gate import Target, targets
from safercities.disclose.journal import Entry, Frame
from safercities.disclose.plan import PlannedPeriod, PlannedTable
from safercities.disclose.room import Room
from safercities.disclose.rounding import Error, round_base
from safercities.disclose.solver import Floats, Mask
from safercities.disclose.spec import PublishSpec
from safercities.disclose.suppress import default_width, insiders_of, suppress
from safercities.disclose.worlds import Insider
from safercities.disclose.zones import Overlaps
from safercities.indicators.spec import Indicator
from safercities.measure.source import CountsSource
from safercities.model.dimensions import UNKNOWN
from safercities.model.errors import SafercitiesError, problem
from safercities.places.hierarchy import Hierarchy

Ints = NDArray[np.int64]


#: How far a cell of a correction may be from the true count, as a share of it, because small changes are not shown.
FAR = 0.05


@dataclass(frozen=True, eq=False)
class Guarded:
    """One source and period, protected.

    Parameters
    ----------
    part
        What was planned.
    base
        Its leaves, with the true counts.
    family
        The published tables and those behind them.
    minimum
        k of each leaf, shape (leaves,).
    effective
        Counts that are protected: the true ones, but where a small change since an earlier release is not shown.
    shown
        Counts that all estimates are made from: rounded, or the effective ones.
    room, target
        What is known once it is published, and what must not follow.
    insiders
        Who knows a case.
    published
        With suppression: cells of the family that are published, shape (cells,).
    primary
        With suppression: cells withheld for their own sake.
    errors
        With rounding: error of each table; private.
    whole
        Where several sources hold the same cases: all of them, protected together.
    sisters
        These sources, those among them that were published before and not now.
    """

    part: PlannedPeriod
    base: Base
    family: Family
    minimum: Ints
    effective: Ints
    shown: Ints
    room: Room
    target: Target
    insiders: tuple[Insider, ...]
    published: Mask | None = None
    primary: Mask | None = None
    errors: tuple[Error, ...] = ()
    whole: Guarded | None = None
    sisters: tuple[str, ...] = ()

    def entry(self) -> Entry:
        """What the journal keeps: of what was protected together, all that was published of it."""
        if self.whole is not None:
            return replace(self.whole.entry(), source=self.part.source)
        frame, period = Frame.of(self.base), str(self.part.period)
        k = self.minimum
        if self.published is None:
            return Entry(self.part.source, period, "rounding", k, frame, self.effective, rounded=self.shown)
        cells = self.family.matrix[np.flatnonzero(self.published)]
        told = (cells.indptr.astype(np.int64), cells.indices.astype(np.int64))
        return Entry(self.part.source, period, "suppression", k, frame, self.effective, cells=told)


def protect(
    part: PlannedPeriod,
    source: CountsSource,
    spec: PublishSpec,
    *,
    hierarchy: Hierarchy,
    place: str,
    indicators: Mapping[str, Indicator],
    overlaps: Overlaps | None,
    secret: bytes,
    earlier: Sequence[Entry] = (),
) -> Guarded:
    """Protect the counts of one source and period.

    Parameters
    ----------
    indicators
        Code → definition, of all tables.
    overlaps
        Which places of parallel geographies share ground.
    secret
        The observatory's own.
    earlier
        What earlier releases told of the same source and period, the last one last.

    Raises
    ------
    SafercitiesError
        If the rules of an earlier release of the period were others, a cell is known already whatever is withheld, or
        the solver gives no answer.
    """
    behind = [*part.tables, *part.known, *_former(earlier)]
    base = make_base(
        source,
        part.period,
        behind,
        hierarchy=hierarchy,
        place=place,
        indicators=indicators,
        overlaps=overlaps,
        complete=spec.complete,
    )
    family = base.family(part.tables)
    minimum = least(family)
    _check_rules(part, spec, base, minimum, earlier)
    _check_codes(part, base, earlier)
    last = earlier[-1] if earlier else None
    effective = base.counts if last is None else revised(base, last)
    _check_close(part, family, base.counts, effective, minimum)
    room = Room.of(base, effective, earlier, [base.table(one) for one in part.known])
    insiders = tuple(insiders_of(effective, singletons=spec.singletons)) if spec.insider else ()
    private = attributes(base, family, part.tables, effective, spec.attributes)
    if spec.method == "rounding":
        made = round_base(effective, family, minimum, secret=secret, previous=_previous(base, effective, last))
        target = targets(room, family, minimum, spec.width)
        after = room.rounded(made.counts, minimum)
        return Guarded(
            part, base, family, minimum, effective, made.counts, after, target, insiders, errors=made.errors
        )  # fmt: skip
    target = targets(room, family, minimum, spec.width, private)
    published, primary = suppressed(room, family, effective, minimum, spec, private, list(insiders))
    label = [family.label(int(cell)) for cell in np.flatnonzero(published)]
    after = room.publish(family.matrix[np.flatnonzero(published)], "this release", label)
    return Guarded(
        part, base, family, minimum, effective, effective, after, target, insiders, published, primary
    )  # fmt: skip


def _former(earlier: Sequence[Entry]) -> list[PlannedTable]:
    """Tables that make the leaves of earlier releases again, so that today's are no coarser."""
    found = []
    for entry in earlier:
        names = tuple(name for name, _ in entry.frame.axes)
        for code, version in entry.frame.definitions:
            levels = entry.frame.levels or ("",)
            found += [PlannedTable(code, version, level, names, 1, shown=False) for level in levels]
    return found


def rounding_errors(guarded: Sequence[Guarded]) -> dict[str, float]:
    """Indicator → standard deviation of what rounding moves a published count by; nothing without rounding.

    It is taken to be the largest k of the leaves that the indicator counts, in any of the periods, whatever the data:
    what a single table or cell was really moved by would tell of its small counts. A leaf moves by less than k, and the
    exchange keeps published sums of many leaves as close: `tests/disclose/test_rounding_intervals.py` simulates it.
    """
    found: dict[str, float] = {}
    for one in guarded:
        if one.published is None:
            for indicator, k in one.base.most(one.minimum).items():
                found[indicator] = max(float(k) if k > 1 else 0.0, found.get(indicator, 0.0))
    return found


def least(family: Family) -> Ints:
    """k of each leaf: the largest of the tables that count it; of all tables where none does. Shape (leaves,).

    Examples
    --------
    >>> some = Table("robbery", np.array([0, 1, -1]), 2, 5)
    >>> least(Family(3, (some, Table("assault, by orientation", np.array([-1, 0, -1]), 1, 10))))
    array([ 5, 10, 10])
    """
    found = np.ones(family.leaves, dtype=np.int64)
    for table in family.tables:
        found = np.where(table.of >= 0, np.maximum(found, table.minimum), found)
    most = max((table.minimum for table in family.tables), default=1)
    return np.asarray(np.where(found == 1, most, found))


def _check_rules(part: PlannedPeriod, spec: PublishSpec, base: Base, minimum: Ints, earlier: Sequence[Entry]) -> None:
    """A period is published again under the rules that it was published under before."""
    for entry in earlier:
        of = entry.frame.find(base)
        alike = entry.minimum[of[of >= 0]] == minimum[of >= 0]
        if entry.method != spec.method or not alike.all():
            said: dict[str, Any] = {"source": part.source, "period": str(part.period)}
            raise SafercitiesError(problem("publish-rules-changed", file="observatory.toml", column="publish", **said))


def _check_codes(part: PlannedPeriod, base: Base, earlier: Sequence[Entry]) -> None:
    """A period is published again by the places and codes of before, and more perhaps.

    Under new names small counts would be new ones, and not shown: totals would lack them, by which they would be known.
    """
    for entry in earlier:
        if gone := [name for name in _named(entry.frame, entry.effective) if name not in set(_named(Frame.of(base)))]:
            said: dict[str, Any] = {"source": part.source, "period": str(part.period), "names": ", ".join(gone[:10])}
            raise SafercitiesError(problem("publish-codes-gone", file="observatory.toml", **said))


def _named(frame: Frame, counts: Ints | None = None) -> list[str]:
    """Places, dimensions' codes of a frame; with counts those only that have cases."""
    cells = np.ones(frame.shape) if counts is None else counts[: int(np.prod(frame.shape))].reshape(frame.shape)
    zones = cells.sum(axis=tuple(axis for axis in range(cells.ndim) if axis != 1)) > 0
    found = [
        f"{level} {codes[one]}"
        for level, codes, at in zip(frame.levels, frame.codes, frame.at, strict=True)
        for one in np.unique(at[zones]).tolist()
    ]
    for axis, (name, codes) in enumerate(frame.axes, start=2):
        some = cells.sum(axis=tuple(other for other in range(cells.ndim) if other != axis)) > 0
        found += [f"{name} {codes[one]}" for one in np.flatnonzero(some).tolist()]
    return found


# ------------------------------------------------------------------------------------------------------ revised counts


def revised(base: Base, before: Entry) -> Ints:
    """Counts to publish instead of those of an earlier release: what has changed by little stays as it was.

    The difference of two releases would otherwise be the cases that came late, one by one. A count up to k and one
    above it are classes of their own: whether a change is shown follows from the class of small counts, and never from
    the count within it. So a change is shown where every count of the one class is at least k away from the other.

    Returns
    -------
    Ints
        Shape (base.leaves,).
    """
    k, of = before.minimum, before.frame.find(base)
    found, old = base.counts.copy(), np.zeros(before.frame.leaves, dtype=np.int64)
    inside = np.flatnonzero(of >= 0)
    np.add.at(old, of[inside], base.counts[inside])
    there = np.zeros(before.frame.leaves, dtype=bool)
    there[of[inside]] = True
    alike = ~_far(old, before.effective, k) & there
    order = inside[np.argsort(of[inside], kind="stable")]
    starts = np.searchsorted(of[order], np.arange(before.frame.leaves + 1))
    for leaf in np.flatnonzero(alike & (old != before.effective)).tolist():
        mine = order[starts[leaf] : starts[leaf + 1]]
        found[mine] = _moved(found[mine], int(before.effective[leaf]))
    most = np.full(base.leaves, int(k.max(initial=1)), dtype=np.int64)
    fresh = (of < 0) & ~_far(base.counts, np.zeros_like(base.counts), most)
    found[fresh] = 0
    return found


def _check_close(part: PlannedPeriod, family: Family, true: Ints, effective: Ints, minimum: Ints) -> None:
    """Refuse a correction of many small changes: none can be shown, and together they would make tables wrong."""
    cells, shown = family.counts(true), family.counts(effective)
    most = np.maximum(2 * int(minimum.max(initial=1)), FAR * cells)
    for cell in np.flatnonzero(np.abs(cells - shown) > most)[:1].tolist():
        table = family.tables[family.first[cell][0]].name
        raise SafercitiesError(
            problem("publish-correction-scattered", source=part.source, period=str(part.period), table=table)
        )


def _far(new: Ints, old: Ints, k: Ints) -> Mask:
    """Whether every count of the class of the one is at least k away from every count of the class of the other."""
    low = [np.where(one <= k, 0, one) for one in (new, old)]
    high = [np.where(one <= k, k, one) for one in (new, old)]
    return np.asarray((low[0] - high[1] >= k) | (low[1] - high[0] >= k))


def _moved(counts: Ints, total: int) -> Ints:
    """The counts with another total: the largest give or take first."""
    found, left = counts.copy(), total - int(counts.sum())
    for at in np.argsort(-counts, kind="stable").tolist():
        step = max(left, -int(found[at]))
        found[at] += step
        left -= step
        if not left:
            break
    return found


def _previous(base: Base, effective: Ints, last: Entry | None) -> tuple[Ints, Ints] | None:
    """Earlier counts and what they were rounded to, on the leaves of today; a leaf that was part of one is new."""
    if last is None or last.rounded is None:
        return None
    of = last.frame.find(base)
    members = np.bincount(of[of >= 0], minlength=last.frame.leaves)
    whole = np.flatnonzero(of >= 0)
    whole = whole[members[of[whole]] == 1]
    counts, rounded = effective + 1, np.zeros_like(effective)  # another count than now: drawn anew
    counts[whole], rounded[whole] = last.effective[of[whole]], last.rounded[of[whole]]
    return counts, rounded


# --------------------------------------------------------------------------------------------------------- suppression


def attributes(base: Base, family: Family, tables: Sequence[PlannedTable], counts: Ints, names: Sequence[str]) -> Mask:
    """Cells that say of everybody in a group what they are: all cases of the group have one code of an attribute.

    Parameters
    ----------
    names
        Dimensions that say something private of a person.

    Returns
    -------
    Mask
        Shape (cells,) of the family.
    """
    found, total = np.zeros(family.cells, dtype=bool), family.counts(counts)
    for number, one in enumerate(tables):
        at = family.at[number].reshape([len(codes) for codes in base.codes(one)])
        cells = np.where(at >= 0, total[at], 0)
        for axis, name in enumerate(one.names):
            if name in names and name in one.dimensions:
                known = np.array([code != UNKNOWN for code in base.codes(one)[axis]])
                alone = (cells == cells.sum(axis=axis, keepdims=True)) & (cells > 0)
                shape = [-1 if at_axis == axis else 1 for at_axis in range(cells.ndim)]
                hit = at[alone & known.reshape(shape)]
                found[hit[hit >= 0]] = True
    return found


def suppressed(
    room: Room,
    family: Family,
    effective: Ints,
    minimum: Ints,
    spec: PublishSpec,
    private: Mask,
    insiders: list[Insider],
    cost: Floats | None = None,
) -> tuple[Mask, Mask]:
    """Which cells are published, and which are withheld for their own sake.

    Small leaves that are no cell of any table are protected as cells are: they must not follow from the tables either.

    Parameters
    ----------
    private
        Cells to be withheld for another reason than that they are small, shape (cells,).
    cost
        Of withholding each cell, shape (cells,); default: as `suppress`.
    """
    more = room.columns - len(effective)
    least_each = np.concatenate([minimum, room.former])
    small = np.flatnonzero(room.truth < least_each)
    of = np.full(room.columns, -1, dtype=np.int64)
    of[small] = np.arange(len(small))
    tables = [replace(one, of=np.concatenate([one.of, np.full(more, -1, dtype=np.int64)])) for one in family.tables]
    labels = tuple(str(room.labels[at]) for at in small.tolist())
    whole = Family(room.columns, (*tables, Table("smallest cells", of, len(small), 1, labels)))
    own = family.counts(effective) < family.minimum
    primary = np.ones(whole.cells, dtype=bool)
    primary[: family.cells] = own | private
    lone = np.diff(whole.matrix.indptr) == 1
    k = np.ones(whole.cells, dtype=np.int64)
    k[lone] = least_each[whole.matrix.indices[whole.matrix.indptr[:-1][lone]]]
    k[: family.cells] = family.minimum
    width = default_width(k) if spec.width is None else np.full(whole.cells, spec.width, dtype=np.int64)
    width[room.knows(whole.matrix)] = 0  # what is known outside cannot be protected
    price = None if cost is None else np.append(cost, np.ones(whole.cells - family.cells))
    made = suppress(
        whole, room.truth, width=width, primary=primary, known=room.knowledge, insiders=insiders, cost=price
    )  # fmt: skip
    return made.published[: family.cells], made.primary[: family.cells]
