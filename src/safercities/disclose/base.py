"""The base of one source and period: counts in the smallest cells that everything published of it is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.disclose.family import Family, Table
from safercities.disclose.plan import PlannedTable
from safercities.disclose.zones import Overlaps, Zones, make_zones
from safercities.indicators.numerators import Acts
from safercities.indicators.spec import Indicator
from safercities.measure.audits import AuditsSource
from safercities.measure.source import CountsSource
from safercities.model.dimensions import UNKNOWN, iccs_below
from safercities.model.errors import SafercitiesError, problem
from safercities.model.periods import Period
from safercities.places.hierarchy import Hierarchy

Ints = NDArray[np.int64]

#: More leaves than this cannot be proved safe in useful time.
MOST_LEAVES = 5_000_000


@dataclass(frozen=True)
class Definition:
    """One version of an indicator of recorded cases; of what is no crime, such as audited points, there are no acts."""

    indicator: str
    version: str
    label: str
    acts: Acts | None


@dataclass(frozen=True)
class Signature:
    """What a record of some acts means to all definitions: which count it, and for which it may be a case.

    Parameters
    ----------
    counted, unsure
        By definition.
    act
        One act that means just this.
    """

    counted: tuple[bool, ...]
    unsure: tuple[bool, ...]
    act: str


@dataclass(frozen=True)
class Axis:
    """A dimension of the leaves.

    Parameters
    ----------
    codes
        Those to expect, those seen in any period, and `_U` last.
    labels
        Code → what people read.
    """

    name: str
    codes: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Base:
    """Counts of one source and period on its leaves.

    A leaf is a signature × a zone × a code of each axis, whether there is a case in it or not: a leaf that is left out
    where it is empty would tell no case from few. Records that no definition counts need no zone and no codes: one leaf
    a signature, after all the others.

    Parameters
    ----------
    source
        Name of the source.
    place
        Id of the observatory's own place.
    definitions
        Of the tables, those of earlier releases among them.
    signatures
        Those that are possible: first the ones that some definition counts.
    counts
        Cases in each leaf, shape (leaves,).
    names
        Place → its name, for certificates.
    """

    source: str
    period: Period
    place: str
    definitions: tuple[Definition, ...]
    signatures: tuple[Signature, ...]
    zones: Zones
    axes: tuple[Axis, ...]
    counts: Ints
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return len(self.counts)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Signatures that are counted, zones, codes of each axis: the first `prod(shape)` leaves, in this order."""
        counted = sum(any(one.counted) for one in self.signatures)
        return (counted, len(self.zones), *(len(axis.codes) for axis in self.axes))

    @cached_property
    def at(self) -> Ints:
        """Position of each leaf on each axis of `shape`, shape (axes, leaves); `_U` where nothing is kept of it."""
        inner = np.indices(self.shape, dtype=np.int64).reshape(len(self.shape), -1)
        rest = np.arange(self.shape[0], len(self.signatures), dtype=np.int64)
        nowhere = [np.zeros(len(rest), np.int64), *(np.full(len(rest), len(axis.codes) - 1) for axis in self.axes)]
        return np.concatenate([inner, np.array([rest, *nowhere], dtype=np.int64)], axis=1)

    def codes(self, planned: PlannedTable) -> tuple[tuple[str, ...], ...]:
        """Codes along a table: places of its level where it has one, then each dimension."""
        axes = {axis.name: axis.codes for axis in self.axes}
        places = (self.zones.along(planned.level),) if planned.level else ()
        return (*places, *(axes[name] for name in planned.dimensions))

    def number(self, planned: PlannedTable) -> int:
        """Which of the definitions a table is of.

        Raises
        ------
        ValueError
            If the base was not made for it.
        """
        for number, one in enumerate(self.definitions):
            if (one.indicator, one.version) == (planned.indicator, planned.version):
                return number
        raise ValueError(f"the base was not made for {planned.indicator}, version {planned.version}")

    def table(self, planned: PlannedTable, *, labels: bool = True) -> Table:
        """A planned table over the leaves: all places of its level × all codes of its dimensions, `_U` among them."""
        codes = self.codes(planned)
        names = [axis.name for axis in self.axes]
        along = [self.zones.places(planned.level)[self.at[1]]] if planned.level else []
        along += [self.at[2 + names.index(name)] for name in planned.dimensions]
        of = np.zeros(self.leaves, dtype=np.int64)
        for codes_here, position in zip(codes, along, strict=True):
            of = of * len(codes_here) + position
        of[~self._of(self.number(planned), "counted")] = -1
        size = int(np.prod([len(one) for one in codes], dtype=np.int64))
        return Table(self._title(planned), of, size, planned.minimum, self._labels(planned) if labels else ())

    def unsure(self, number: int, minimum: int) -> Table:
        """The one number that notes tell of a definition: cases whose act is not known, or only a wider one."""
        one = self.definitions[number]
        of = np.where(self._of(number, "unsure"), 0, -1).astype(np.int64)
        name = f"{one.label}: cases of the source that may be such, {self.period}"
        return Table(name, of, 1, minimum, (name,))

    def family(self, tables: Sequence[PlannedTable], *, labels: bool = True) -> Family:
        """The tables in this order, then for each definition in them the number of cases whose act is not known.

        Raises
        ------
        ValueError
            If the base was not made for one of them.
        """
        made = [self.table(one, labels=labels) for one in tables]
        return Family(self.leaves, (*made, *(self.unsure(number, k) for number, k in self.of_tables(tables).items())))

    def most(self, values: Ints) -> dict[str, int]:
        """Indicator → the largest of these values, shape (leaves,), among the leaves that it counts; 0 without any."""
        found: dict[str, int] = {}
        for number, one in enumerate(self.definitions):
            here = int(values[self._of(number, "counted")].max(initial=0))
            found[one.indicator] = max(here, found.get(one.indicator, 0))
        return found

    def of_tables(self, tables: Iterable[PlannedTable]) -> dict[int, int]:
        """Definition → its largest least count, of the definitions of some tables; in order."""
        least: dict[int, int] = {}
        for one in tables:
            number = self.number(one)
            least[number] = max(one.minimum, least.get(number, 1))
        return dict(sorted(least.items()))

    def records(self, counts: Ints) -> pa.Table:
        """Leaves as records: what `CountsSource.table` holds, one row a leaf that is not empty.

        All lie on the first day of the period, and have an act that every definition counts, or may count, as it does
        those of the leaf.

        Raises
        ------
        ValueError
            If there is not one whole number, zero or more, for each leaf.
        """
        if counts.shape != (self.leaves,) or counts.dtype.kind not in "iu" or (len(counts) and counts.min() < 0):
            raise ValueError("there must be one whole number, zero or more, for each leaf")
        chosen = np.flatnonzero(counts)
        at = self.at[:, chosen]
        when = np.full(len(chosen), np.datetime64(self.period.start, "us"))
        columns = {"when": pa.array(when, pa.timestamp("us")), "act": _taken([s.act for s in self.signatures], at[0])}
        columns["n"] = pa.array(counts[chosen].astype(np.int64), pa.int64())
        for number, axis in enumerate(self.axes):
            columns[axis.name] = _taken(axis.codes, at[2 + number])
        for level, codes in zip(self.zones.levels, self.zones.codes, strict=True):
            columns[f"place_{level}"] = _taken(codes, self.zones.places(level)[at[1]])
        return pa.table(columns)

    def label(self, leaf: int) -> str:
        """What people call a leaf: acts, zone, codes."""
        at = self.at[:, leaf]
        acts = [one.label for one, yes in zip(self.definitions, self.signatures[at[0]].counted, strict=True) if yes]
        places = [
            self._said(level, codes[self.zones.places(level)[at[1]]])
            for level, codes in zip(self.zones.levels, self.zones.codes, strict=True)
        ]
        codes = [self._said(axis.name, axis.codes[at[2 + number]]) for number, axis in enumerate(self.axes)]
        return ", ".join([" and ".join(acts) or "other acts", *codes, *places, str(self.period)])

    def _of(self, number: int, what: str) -> NDArray[np.bool_]:
        """Which leaves a definition counts, or may count; shape (leaves,)."""
        says = np.array([getattr(one, what)[number] for one in self.signatures], dtype=bool)
        return np.asarray(says[self.at[0]])

    def _title(self, planned: PlannedTable) -> str:
        label = self.definitions[self.number(planned)].label
        return f"{label} by {' × '.join(planned.names)}" if planned.names else f"{label}, total"

    def _labels(self, planned: PlannedTable) -> tuple[str, ...]:
        """What people call each cell: “Robbery, Female, 15–24, Centro, 2024”."""
        label = self.definitions[self.number(planned)].label
        axes = [
            [self._said(name, code) for code in codes]
            for name, codes in zip(planned.names, self.codes(planned), strict=True)
        ]
        if not planned.level:
            axes.insert(0, [self.names.get(self.place, self.place)])
        return tuple(", ".join([label, *cell[1:], cell[0], str(self.period)]) for cell in product(*axes))

    def _said(self, name: str, code: str) -> str:
        if code == UNKNOWN:
            return f"{name} not known"
        labels = next((axis.labels for axis in self.axes if axis.name == name), self.names)
        return labels.get(code, code)


def make_base(
    source: CountsSource,
    period: Period,
    tables: Sequence[PlannedTable],
    *,
    hierarchy: Hierarchy,
    place: str,
    indicators: Mapping[str, Indicator],
    overlaps: Overlaps | None = None,
    complete: Collection[str] = (),
) -> Base:
    """Count a source's cases of one period on the leaves of some tables.

    Parameters
    ----------
    tables
        All that are, or were, published of this source and period, that stand behind them or are known outside.
    place
        Id of the observatory's own place.
    indicators
        Code → definition, of all tables.
    overlaps
        Which places of parallel geographies share ground; see `make_zones`.
    complete
        Dimensions that every case has: there are no leaves where they are not known.

    Raises
    ------
    SafercitiesError
        If a case lacks a dimension of `complete`, there would be more than `MOST_LEAVES`, a version of an indicator is
        gone, or a row stands for fewer than no cases.
    """
    used = {name for one in tables for name in one.dimensions}
    levels = [level for level in source.levels if any(one.level == level for one in tables)]
    definitions = tuple(_definition(*key, indicators) for key in sorted({(t.indicator, t.version) for t in tables}))
    first, last = np.datetime64(period.start, "D"), np.datetime64(period.end, "D")
    inside = (source.days >= first) & (source.days <= last)
    amounts = pc.fill_null(source.table.column("n"), 0).to_numpy().astype(np.int64)[inside]
    if len(amounts) and amounts.min() < 0:
        raise SafercitiesError(problem("publish-counts-negative", source=source.name))
    axes, codes = make_axes(source, [name for name in source.dimensions if name in used], inside, complete)
    zones, zone = make_zones(source.table, inside, hierarchy, levels, period, place, overlaps)
    signatures, signature = _signatures(source, definitions, inside)
    names = {one: hierarchy[one].name for along in zones.codes for one in (*along, place) if one in hierarchy}
    base = Base(source.name, period, place, definitions, signatures, zones, axes, np.zeros(0, dtype=np.int64), names)
    size = _size(base)
    counts = np.zeros(size + len(signatures) - base.shape[0], dtype=np.int64)
    leaf = np.where(signature < base.shape[0], 0, size + signature - base.shape[0])
    kept = np.flatnonzero(signature < base.shape[0])
    if len(kept):
        leaf[kept] = np.ravel_multi_index((signature[kept], zone[kept], *(one[kept] for one in codes)), base.shape)
    np.add.at(counts, leaf, amounts)
    return Base(source.name, period, place, definitions, signatures, zones, axes, counts, names)


def _size(base: Base) -> int:
    """Number of the leaves that some definition counts."""
    size = 1
    for one in base.shape:
        size *= one
    if size > MOST_LEAVES:
        said: dict[str, Any] = {"leaves": f"{size:,}".replace(",", " "), "most": f"{MOST_LEAVES:,}".replace(",", " ")}
        raise SafercitiesError(
            problem("publish-leaves-many", source=base.source, period=str(base.period), column="publish.tables", **said)
        )
    return size


def _definition(code: str, version: str, indicators: Mapping[str, Indicator]) -> Definition:
    for one in indicators[code].versions:
        if one.version == version:
            return Definition(code, version, one.label, one.counted)
    raise SafercitiesError(problem("publish-version-gone", indicator=code, version=version))


def make_axes(
    source: CountsSource | AuditsSource, names: Sequence[str], inside: NDArray[np.bool_], complete: Collection[str]
) -> tuple[tuple[Axis, ...], list[Ints]]:
    """The dimensions, and where each record of the period lies on them."""
    axes, positions = [], []
    for name in names:
        info = source.dimensions[name]
        column = pc.fill_null(source.table.column(name).cast(pa.string()), UNKNOWN)
        seen = sorted(set(pc.unique(column).to_pylist()) - {UNKNOWN, *info.codes})
        missing = column.to_numpy(zero_copy_only=False) == UNKNOWN
        if name in complete and missing.any():
            rows = int(missing.sum())
            raise SafercitiesError(
                problem("publish-not-complete", source=source.name, name=name, rows=rows, column="publish.complete")
            )
        codes = (*(code for code in info.codes if code != UNKNOWN), *seen, *(() if name in complete else (UNKNOWN,)))
        axes.append(Axis(name, codes, dict(info.labels)))
        at = pc.index_in(column, pa.array(codes, pa.string())).to_numpy()
        positions.append(np.asarray(at[inside], dtype=np.int64))
    return tuple(axes), positions


def _signatures(
    source: CountsSource, definitions: Sequence[Definition], inside: NDArray[np.bool_]
) -> tuple[tuple[Signature, ...], Ints]:
    """What records of this source can mean to the definitions, and what each of the period means.

    Possible are the acts that the source is said to hold, else those of the definitions; those seen in any period; and
    acts that are not known.
    """
    coded = pc.fill_null(source.table.column("act").cast(pa.string()), UNKNOWN).combine_chunks().dictionary_encode()
    seen = coded.dictionary.to_pylist()
    own = [act for one in definitions if one.acts is not None for act in one.acts.acts]
    acts = dict.fromkeys([*(own if source.acts is None else source.acts), *seen, UNKNOWN])
    meaning = {act: _meaning(act, definitions) for act in acts}
    standing: dict[tuple[tuple[bool, ...], tuple[bool, ...]], str] = {}
    for act in sorted(acts, key=lambda one: (one not in own, len(one), one)):
        standing.setdefault(meaning[act], act)
    order = sorted(standing, key=lambda one: (not any(one[0]), one))
    number = {one: at for at, one in enumerate(order)}
    of = np.array([number[meaning[act]] for act in seen], dtype=np.int64)
    positions = of[coded.indices.to_numpy(zero_copy_only=False)[inside]] if seen else np.zeros(0, dtype=np.int64)
    return tuple(Signature(*one, standing[one]) for one in order), positions


def _meaning(act: str, definitions: Sequence[Definition]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Which definitions count an act, and for which it may be a case: not known, or above one of theirs."""
    acts = [one.acts for one in definitions if one.acts is not None]
    counted = tuple(bool(act) and one.counts(act) for one in acts)
    unsure = tuple(act == UNKNOWN or any(iccs_below(its, [act]) and its != act for its in one.acts) for one in acts)
    return counted, unsure


def _taken(codes: Sequence[str], at: Ints) -> pa.Array:
    return pa.array(codes, pa.string()).take(pa.array(at))
