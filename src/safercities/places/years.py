"""One population source as numbers by place, year and group; what it says of years that it does not give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.collect.spec import PopulationSpec
from safercities.model.errors import Problem, problem
from safercities.model.estimates import TOTAL
from safercities.places.covers import Cell, cover, parts_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Children = tuple[Ints, NDArray[np.bool_]]  # of one level: their numbers, and whether each exists in each year
_INTERPOLATED, _CARRIED = 1, 2
#: A total and its parts may differ by so much of the total, or by one for each part (rounding).
_TOLERANCE = 1e-3


@dataclass
class Series:
    """People by place and year, shape (places, years): `value` (nan where unknown), `flags`, `used` sources as bits."""

    value: Floats
    flags: Ints
    used: Ints

    @classmethod
    def empty(cls, places: int, years: int) -> Series:
        """Nothing known."""
        shape = (places, years)
        return cls(np.full(shape, np.nan), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))

    def fill_from(self, other: Series, source: int) -> None:
        """Take what is still unknown from another source."""
        take = np.isnan(self.value) & ~np.isnan(other.value)
        self.value[take], self.flags[take], self.used[take] = other.value[take], other.flags[take], source

    def add_up(self, parent: int, children: Ints, valid: NDArray[np.bool_], others: Sequence[Children] = ()) -> None:
        """Where the parent is unknown: the sum over the children that exist, if all of them are known.

        Children of parallel levels (`others`) with more people show that these are not the whole: then there is none.
        """
        value = self.value[children]
        complete = valid.any(axis=0) & (~np.isnan(value) | ~valid).all(axis=0)
        if others:
            most = np.max([np.nansum(np.where(there, self.value[c], 0.0), axis=0) for c, there in others], axis=0)
            complete &= np.where(valid, value, 0.0).sum(axis=0) >= most * (1 - _TOLERANCE)
        # a number of its own in one year and a sum in the next would make a change where there is none
        take = np.flatnonzero(complete) if np.isnan(self.value[parent]).all() else np.empty(0, dtype=np.int64)
        if len(take):
            self.value[parent, take] = np.where(valid, value, 0.0).sum(axis=0)[take]
            for bits in (self.flags, self.used):
                bits[parent, take] = np.bitwise_or.reduce(np.where(valid, bits[children], 0), axis=0)[take]


@dataclass(frozen=True)
class _Pattern:
    """Places and years that give the same cells: `n` has shape (blocks, cells)."""

    cells: tuple[Cell, ...]
    place: Ints
    year: Ints
    n: Floats
    row: Ints


@dataclass(frozen=True)
class Given:
    """One source: `names` are its dimensions; `places` and `years` those that it gives."""

    source: str
    file: str
    names: tuple[str, ...]
    places: dict[str, int]
    years: Ints
    codes: tuple[tuple[str, ...], ...]
    interpolate: bool
    carry: int
    patterns: tuple[_Pattern, ...]
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, source: str, file: str, table: pa.Table, names: tuple[str, ...], spec: PopulationSpec) -> Given:
        """From rows `row, place, period, <names>, n`, each cell once; `period` holds years."""
        place, places = _encode(table.column("place"))
        years, year = np.unique(
            np.array([int(p) for p in table.column("period").to_pylist()], dtype=np.int64), return_inverse=True
        )
        encoded = [_encode(table.column(name)) for name in names]
        codes = tuple(tuple(known) for _, known in encoded)
        patterns = tuple(_patterns(place, year, [part for part, _ in encoded], codes, table))
        problems = tuple(_conflicts(file, spec, names, codes, list(places), years, patterns))
        numbers = {id: index for index, id in enumerate(places)}
        return cls(source, file, names, numbers, years, codes, spec.interpolate, spec.carry, patterns, problems)

    def series(self, asked: Mapping[str, str], ids: Sequence[str], years: Ints) -> Series:
        """The people of a group for these places and years, as far as this source tells."""
        own = np.array([self.places.get(id, -1) for id in ids], dtype=np.int64)
        found = Series.empty(len(ids), len(years))
        if any(name not in self.names and code != TOTAL for name, code in asked.items()) or not len(self.years):
            return found
        given = self._given(tuple(asked.get(name, TOTAL) for name in self.names))
        rows = np.flatnonzero(own >= 0)
        for column, year in enumerate(years.tolist()):
            value, flags = self._in_year(given, year)
            found.value[rows, column], found.flags[rows, column] = value[own[rows]], flags[own[rows]]
        return found

    def _given(self, asked: Cell) -> Floats:
        """The people of a group in the given years, shape (places, years); nan where they are not told."""
        value = np.full((len(self.places), len(self.years)), np.nan)
        for pattern in self.patterns:
            cells = cover(asked, self.names, self.codes, frozenset(pattern.cells))
            if cells is not None:
                columns = [pattern.cells.index(cell) for cell in cells]
                value[pattern.place, pattern.year] = pattern.n[:, columns].sum(axis=1)
        return value

    def _in_year(self, given: Floats, year: int) -> tuple[Floats, Ints]:
        """One year's numbers: given, else drawn between two given years, else carried from the nearest."""
        there = ~np.isnan(given)
        before = _nearest(there, self.years <= year, last=True)
        after = _nearest(there, self.years >= year, last=False)
        place = np.arange(len(given))
        low, high = self.years[before], self.years[after]
        has_low, has_high = before >= 0, after >= 0
        both = has_low & has_high
        share = np.where(high > low, (year - low) / np.maximum(high - low, 1), 0.0)
        line = given[place, before] * (1 - share) + given[place, after] * share
        exact = both & (low == high)
        between = both & ~exact & self.interpolate
        far_low, far_high = np.where(has_low, year - low, 10_000), np.where(has_high, high - year, 10_000)
        nearest = np.where(far_low <= far_high, before, after)
        carried = ~exact & ~between & (np.minimum(far_low, far_high) <= self.carry)
        value = np.where(exact | between, line, np.where(carried, given[place, nearest], np.nan))
        return value, np.where(between, _INTERPOLATED, 0) + np.where(carried, _CARRIED, 0)


def _nearest(there: NDArray[np.bool_], allowed: NDArray[np.bool_], *, last: bool) -> Ints:
    """Position of the last (or first) year that is there and allowed, for each place; −1 where none is."""
    usable = there & allowed
    count = usable.shape[1]
    position = count - 1 - usable[:, ::-1].argmax(axis=1) if last else usable.argmax(axis=1)
    return np.where(usable.any(axis=1), position, -1)


def _encode(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    encoded = column.combine_chunks().cast(pa.string()).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _patterns(
    place: Ints, year: Ints, dims: Sequence[Ints], codes: tuple[tuple[str, ...], ...], table: pa.Table
) -> list[_Pattern]:
    """Rows as one matrix for each set of cells that places and years have."""
    if not table.num_rows:
        return []
    n, row = table.column("n").to_numpy(), table.column("row").to_numpy()
    lines = np.stack(dims, axis=1) if dims else np.zeros((len(place), 0), dtype=np.int64)
    cells, cell = np.unique(lines, axis=0, return_inverse=True)
    blocks, block = np.unique(np.stack([place, year], axis=1), axis=0, return_inverse=True)
    values = np.full((len(blocks), max(len(cells), 1)), np.nan)
    values[block.reshape(-1), cell.reshape(-1)] = n
    first = np.full(len(blocks), np.iinfo(np.int64).max)
    np.minimum.at(first, block.reshape(-1), row)
    _, kind = np.unique(np.packbits(~np.isnan(values), axis=1), axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    found = []
    for index in range(int(kind.max()) + 1):
        here = np.flatnonzero(kind == index)
        columns = np.flatnonzero(~np.isnan(values[here[0]]))
        named = tuple(tuple(codes[d][c] for d, c in enumerate(cells[column])) for column in columns) if dims else ((),)
        found.append(_Pattern(named, blocks[here, 0], blocks[here, 1], values[np.ix_(here, columns)], first[here]))
    return found


def _conflicts(
    file: str,
    spec: PopulationSpec,
    names: tuple[str, ...],
    codes: tuple[tuple[str, ...], ...],
    places: list[str],
    years: Ints,
    patterns: Sequence[_Pattern],
) -> list[Problem]:
    """Totals that are not the sum of their parts, one problem for each dimension."""
    problems = []
    for index, name in enumerate(names):
        found = [hit for pattern in patterns for hit in _apart(pattern, index, names, codes)]
        if found:
            row, place, year, total, parts = min(found)
            problems.append(
                problem(
                    "population-totals-differ",
                    file=file,
                    row=row,
                    column=spec.count,
                    rows=len(found),
                    name=name,
                    place=places[place],
                    year=int(years[year]),
                    total=f"{total:.10g}",
                    parts=f"{parts:.10g}",
                )
            )
    return problems


def _apart(
    pattern: _Pattern, index: int, names: tuple[str, ...], codes: tuple[tuple[str, ...], ...]
) -> list[tuple[int, int, int, float, float]]:
    """First row, place, year, total and sum of the parts, where they differ by more than rounding."""
    found = []
    for column, cell in enumerate(pattern.cells):
        if cell[index] != TOTAL:
            continue
        parts = parts_of(cell, index, names, codes, frozenset(pattern.cells))
        if parts is None:
            continue
        total, added = pattern.n[:, column], pattern.n[:, [pattern.cells.index(part) for part in parts]].sum(axis=1)
        for k in np.flatnonzero(np.abs(total - added) > np.maximum(_TOLERANCE * total, len(parts))).tolist():
            where = int(pattern.row[k]), int(pattern.place[k]), int(pattern.year[k])
            found.append((*where, float(total[k]), float(added[k])))
    return found
