"""Protects what is published of safety audits: few points are withheld, with others that would give them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.disclose import gate
from safercities.disclose.base import Base, Definition, Signature, make_axes
from safercities.disclose.counts import Ints, least, suppressed
from safercities.disclose.family import Family, Table
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.plan import PlannedPeriod, PlannedTable
from safercities.disclose.remainder import refinements
from safercities.disclose.room import Room, keys
from safercities.disclose.solver import Mask
from safercities.disclose.spec import PublishSpec
from safercities.disclose.suppress import insiders_of
from safercities.disclose.withhold import blank, without_lone_codes
from safercities.disclose.zones import Overlaps, make_zones
from safercities.indicators.numerators import Ratings
from safercities.indicators.spec import Indicator
from safercities.measure.audits import AuditsSource, point_scores
from safercities.measure.breakdown import unplaced
from safercities.measure.source import days_of
from safercities.model.dimensions import TOTAL
from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import Estimates
from safercities.places.hierarchy import Hierarchy
from safercities.places.locate import Located

#: What every point means to the one definition that all of them are counted by.
_ANY = Signature((True,), (False,), "")
#: Rounds in which what one indicator needs withheld is withheld of all; each withholds more, so that few are needed.
MOST_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Before:
    """What an earlier release told of the leaves.

    Parameters
    ----------
    counts
        By indicator: points that were published for each leaf; shape (leaves,).
    published
        Cells of which it shows a row, shape (cells,).
    """

    counts: Mapping[str, Ints]
    published: Mask


@dataclass(frozen=True, eq=False)
class Audited:
    """The points of one period, in the smallest cells that can be told apart.

    Parameters
    ----------
    base
        Zones and codes; counts of all points.
    family
        The published tables, over the leaves that have points: that there are none in the others is no secret.
    kept
        These leaves, among those of the base.
    tables
        Of the family.
    counts
        By indicator: points that have a score, on the leaves kept.
    walks
        Of each point: its leaf among those kept, and the number of its walk.
    few
        Cells that rest on fewer walks than their least count, and tell walks apart by who walked; shape (cells,).
    late
        Cells that differ by few from an earlier release; shape (cells,). None: there is none.
    earlier
        What earlier releases told of the same leaves.
    """

    base: Base
    family: Family
    kept: Ints
    tables: tuple[PlannedTable, ...]
    counts: Mapping[str, Ints]
    walks: tuple[Ints, Ints]
    few: Mask
    late: Mask | None = None
    earlier: tuple[Before, ...] = ()

    @property
    def private(self) -> Mask:
        """Cells that are withheld for another reason than that they have few points."""
        return self.few if self.late is None else self.few | self.late

    def cells(self, estimates: Estimates) -> Iterator[tuple[int, int]]:
        """Each row of the period that shows a cell, and which one."""
        number = {(one.level, one.dimensions): at for at, one in enumerate(self.tables)}
        position = [[{code: at for at, code in enumerate(codes)} for codes in self._codes(one)] for one in self.tables]
        for at, row in enumerate(estimates.rows()):
            if (row["source"], row["period"]) != (self.base.source, str(self.base.period)):
                continue
            names = tuple(name for name in estimates.dimensions if row[name] != TOTAL)
            for (level, dimensions), table in number.items():
                if set(dimensions) != set(names) or bool(level) == (row["place"] == self.base.place):
                    continue
                along = ([row["place"]] if level else []) + [row[name] for name in dimensions]
                found = [here.get(code) for here, code in zip(position[table], along, strict=True)]
                if None not in found:
                    shape = [len(codes) for codes in position[table]]
                    flat = int(np.ravel_multi_index([one for one in found if one is not None], shape)) if shape else 0
                    yield at, int(self.family.at[table][flat])

    def _codes(self, one: PlannedTable) -> list[tuple[str, ...]]:
        codes = list(self.base.codes(one))
        if one.level:
            codes[0] = (*codes[0][:-1], unplaced(one.level))
        return codes


def protect_audits(
    made: Estimates,
    minimum: Ints,
    parts: Sequence[PlannedPeriod],
    located: Located,
    spec: PublishSpec,
    *,
    indicators: Mapping[str, Indicator],
    hierarchy: Hierarchy,
    place: str,
    overlaps: Overlaps | None = None,
) -> Estimates:
    """Withhold what rests on few points, and as many other rows as it takes that nobody can subtract to it.

    All indicators of a source and period have the same rows withheld: a mean and its number of points are a sum, so
    that what can be worked out of the points can be worked out of the scores. Where a dimension says something of those
    who walked, what rests on fewer walks than the least count is withheld as well: many points can be of one walk.

    Parameters
    ----------
    made
        Estimates of the source that are to be published.
    minimum
        Least count of each row, shape (rows,).
    parts
        Its periods.

    Raises
    ------
    SafercitiesError
        If it does not stand the attack: then nothing is published.
    """
    source = AuditsSource.from_located(located)
    lost = np.asarray(pc.fill_null(made.table.column("n"), 0).to_numpy()) < minimum
    for part in parts:
        work = audited(part, source, indicators=indicators, hierarchy=hierarchy, place=place, overlaps=overlaps)
        closed = closed_cells(work, spec)
        for row, cell in work.cells(made):
            lost[row] |= cell >= 0 and closed[cell]
    return without_lone_codes(blank(without_rejects(made), lost))


def closed_cells(work: Audited, spec: PublishSpec) -> Mask:
    """Cells of which nothing may be published, attacked; shape (cells,).

    Raises
    ------
    SafercitiesError
        If they do not stand the attack.
    """
    closed = _closed(work, spec)
    _check(work, closed, spec)
    return closed


def without_rejects(made: Estimates) -> Estimates:
    """Without the flag of rejected rows: it compares the whole file, whose points are in no table."""
    table = made.table
    kept = [
        None if field is None else " ".join(flag for flag in field.split() if flag != "rejected_share")
        for field in table.column("quality").to_pylist()
    ]
    at = table.column_names.index("quality")
    return Estimates(table.set_column(at, "quality", pa.array(kept, pa.string())))


def audited(
    part: PlannedPeriod,
    source: AuditsSource,
    *,
    indicators: Mapping[str, Indicator],
    hierarchy: Hierarchy,
    place: str,
    overlaps: Overlaps | None = None,
    kept_too: Callable[[Base], Ints] | None = None,
) -> Audited:
    """Count the points of one period on the leaves of its tables.

    Parameters
    ----------
    kept_too
        Leaves of the base that are kept although they have no points: they had some before.
    """
    most: dict[tuple[str, tuple[str, ...]], int] = {}
    for one in part.tables:
        if one.shown:
            most[one.level, one.dimensions] = max(one.minimum, most.get((one.level, one.dimensions), 1))
    tables = tuple(PlannedTable("", "", level, names, k) for (level, names), k in sorted(most.items()))
    days = days_of(source.table)
    inside = (days >= np.datetime64(part.period.start, "D")) & (days <= np.datetime64(part.period.end, "D"))
    used = {name for one in tables for name in one.dimensions}
    axes, codes = make_axes(source, [name for name in source.dimensions if name in used], inside, ())
    levels = [level for level in source.levels if any(one.level == level for one in tables)]
    zones, zone = make_zones(source.table, inside, hierarchy, levels, part.period, place, overlaps)
    shape = (1, len(zones), *(len(axis.codes) for axis in axes))
    leaf = np.ravel_multi_index((np.zeros(int(inside.sum()), dtype=np.int64), zone, *codes), shape)
    size = int(np.prod(shape))
    names = {one: hierarchy[one].name for along in zones.codes for one in (*along, place) if one in hierarchy}
    counts, one_kind = np.bincount(leaf, minlength=size), (Definition("", "", "Audited points", None),)
    base = Base(source.name, part.period, place, one_kind, (_ANY,), zones, axes, counts, names)
    whole = [base.table(one) for one in tables]
    kept = np.flatnonzero(counts) if kept_too is None else np.union1d(np.flatnonzero(counts), kept_too(base))
    family = Family(len(kept), tuple(Table(t.name, t.of[kept], t.size, t.minimum, t.labels) for t in whole))
    scored = {"": counts[kept]}
    for code in dict.fromkeys(one.indicator for one in part.tables):
        numerator = indicators[code].on(part.period.start).numerator
        if isinstance(numerator, Ratings):
            there = np.isfinite(point_scores(source, numerator)[0])[inside]
            scored[code] = np.bincount(leaf[there], minlength=size)[kept]
    walks = np.searchsorted(kept, leaf), _walks(source, inside)
    return Audited(base, family, kept, tables, scored, walks, _few(family, tables, _persons(source), walks))


def _persons(source: AuditsSource) -> set[str]:
    """Dimensions that say something of those who walked."""
    return {name for name, info in source.dimensions.items() if info.of == "person"}


def _walks(source: AuditsSource, inside: Mask) -> Ints:
    """The number of each point's walk; where walks have no names, all of one day and of people alike are one."""
    if "walk" in source.table.column_names:
        names = ["walk"]
    else:
        names = sorted(_persons(source) & set(source.table.column_names))
    along = [source.table.column(name).to_numpy(zero_copy_only=False)[inside].astype(str) for name in names]
    if "walk" not in names:
        along.append(days_of(source.table)[inside].astype(str))
    found = np.zeros(int(inside.sum()), dtype=np.int64)
    for one in along:
        number = np.unique(one, return_inverse=True)[1].reshape(-1)
        found = np.unique(found * (number.max(initial=0) + 1) + number, return_inverse=True)[1].reshape(-1)
    return found


def _few(family: Family, tables: Sequence[PlannedTable], persons: set[str], walks: tuple[Ints, Ints]) -> Mask:
    """Cells of tables about persons that rest on fewer walks than their least count."""
    few = np.zeros(family.cells, dtype=bool)
    for number, one in enumerate(tables):
        if not persons.isdisjoint(one.dimensions):
            mine = family.at[number] >= 0
            several = _several(family.tables[number].of[walks[0]], walks[1], family.tables[number].size)
            few[family.at[number][mine]] |= several[mine] < one.minimum
    return few


def _several(cell: Ints, walk: Ints, size: int) -> Ints:
    """How many walks there are in each cell, shape (size,); −1: in none."""
    pairs = np.unique(np.stack([cell, walk])[:, cell >= 0], axis=1)
    return np.bincount(pairs[0], minlength=size)


def _alone(work: Audited, closed: Mask) -> Ints:
    """Cells to be withheld as well, because those withheld beside them rest on too few walks together.

    What is withheld of a published total is known in all: who walked in one of two knows her own points, and so the
    other's.
    """
    found = []
    for (whole, parts), into in refinements(work.family).items():
        table, least_walks = work.family.tables[parts], work.tables[parts].minimum
        if work.few[work.family.at[parts]].sum() == 0:
            continue
        above = np.where(into >= 0, work.family.at[whole][np.maximum(into, 0)], -1)
        hidden = closed[work.family.at[parts]] & (above >= 0) & ~closed[np.maximum(above, 0)]
        at, walk = table.of[work.walks[0]], work.walks[1]
        inside = (at >= 0) & hidden[np.maximum(at, 0)]
        together = _several(np.where(inside, into[np.maximum(at, 0)], -1), walk, work.family.tables[whole].size)
        sizes = _several(at, walk, table.size)
        for one in np.unique(into[hidden]).tolist():
            others = np.flatnonzero((into == one) & ~hidden & (work.family.at[parts] >= 0))
            if together[one] < least_walks and len(others):
                found.append(work.family.at[parts][others[np.argmin(sizes[others])]])
    return np.array(found, dtype=np.int64)


def _closed(work: Audited, spec: PublishSpec) -> Mask:
    """Cells of which nothing is published, of no indicator; shape (cells,)."""
    k, different = least(work.family), {code: work.counts[code] for code in _kinds(work)}
    closed = work.private.copy()
    for counts in different.values():
        closed |= work.family.counts(counts) < work.family.minimum
    # the whole city's score is worth more than that of a street
    cost = 1 + work.family.counts(work.counts[""]).astype(np.float64)
    for _ in range(MOST_ROUNDS):
        before = closed.copy()
        for code, counts in different.items():
            insiders = insiders_of(counts, singletons=spec.singletons) if spec.insider else []
            published, _ = suppressed(_room(work, code), work.family, counts, k, spec, closed, insiders, cost)
            closed |= ~published
        closed[_alone(work, closed)] = True
        if (closed == before).all():
            break
    return closed


def _check(work: Audited, closed: Mask, spec: PublishSpec) -> None:
    """The gate: the points of each indicator are attacked with all that is published of it, and walks are counted."""
    k, wrong = least(work.family), len(_alone(work, closed))
    own = work.private.copy()
    for counts in work.counts.values():
        own |= work.family.counts(counts) < work.family.minimum
    for code in _kinds(work):
        counts, room = work.counts[code], _room(work, code)
        target = gate.targets(room, work.family, k, spec.width, own)
        room = room.publish(work.family.matrix[np.flatnonzero(~closed)], "this release")
        insiders = insiders_of(counts, singletons=spec.singletons) if spec.insider else []
        wrong += len(gate.openings(room, target, insiders))
    if wrong:
        said: dict[str, Any] = {"source": work.base.source, "period": str(work.base.period)}
        raise SafercitiesError(
            problem("publish-gate", file="observatory.toml", column="publish", openings=wrong, **said)
        )  # fmt: skip


def _kinds(work: Audited) -> list[str]:
    """Indicators, of those with the same points now and before one."""
    found: dict[bytes, str] = {}
    for code, counts in work.counts.items():
        found.setdefault(b"".join(each.tobytes() for each in (counts, *(b.counts[code] for b in work.earlier))), code)
    return list(found.values())


def _room(work: Audited, code: str) -> Room:
    """What is known of the points: nothing but what earlier releases told of these leaves, or of former points."""
    import scipy.sparse as sp

    counts, k = work.counts[code], least(work.family)
    labels = [work.base.label(int(leaf)) for leaf in work.kept]
    former = [np.flatnonzero(one.counts[code] != counts) for one in work.earlier]
    then = [one.counts[code][at] for one, at in zip(work.earlier, former, strict=True)]
    truth, at = np.concatenate([counts, *then]), np.concatenate([np.zeros(0, dtype=np.int64), *former])
    names = [*labels, *(f"{labels[leaf]}, before" for leaf in at.tolist())]
    moved = tuple(np.array([leaf]) for leaf in at.tolist())
    room = Room(Knowledge.of(len(truth)), truth, len(counts), names, k[at], moved)
    start = len(counts)
    for number, (one, changed) in enumerate(zip(work.earlier, former, strict=True)):
        columns = np.arange(len(counts))
        columns[changed] = start + np.arange(len(changed))
        start += len(changed)
        own = (np.ones(len(columns)), (np.arange(len(columns)), columns))
        rows = work.family.matrix[np.flatnonzero(one.published)]
        room = room.publish(rows @ sp.csr_array(own, shape=(len(columns), len(truth))), f"version {number + 1}")
        as_it_was = rows[np.flatnonzero(rows @ np.isin(np.arange(len(columns)), changed).astype(float) == 0)]
        room = replace(room, outside=room.outside | set(keys(as_it_was)))  # nobody can take that back
    return room
