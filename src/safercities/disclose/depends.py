"""Which cells each published row shows, and on which others it depends: where one is withheld, so is the row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.disclose.base import Base
from safercities.disclose.family import Family
from safercities.disclose.plan import PlannedTable
from safercities.measure.breakdown import unplaced
from safercities.model.dimensions import UNKNOWN
from safercities.model.estimates import TOTAL, Estimates

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Needs:
    """Pairs: the row of an estimate, and a distinct cell of the family that it is made of."""

    row: Ints
    cell: Ints

    def hit(self, withheld: Mask, rows: int) -> Mask:
        """Which of the rows need a withheld cell, shape (rows,).

        Examples
        --------
        >>> Needs(np.array([0, 0, 1]), np.array([2, 0, 1])).hit(np.array([True, False, False]), 3)
        array([ True, False, False])
        """
        found = np.zeros(rows, dtype=bool)
        found[self.row[withheld[self.cell]]] = True
        return found


@dataclass(frozen=True)
class Shown:
    """What rows of estimates show of a family of cells. Rows of other sources, periods and tables have −1 and no needs.

    Parameters
    ----------
    own
        The distinct cell whose count the row shows, or has as its numerator; −1 also for cells that can only be 0.
    table
        The table of that cell, as a position in the list of tables.
    value
        Cells that the value, its error and its interval are made of: the own one; of standardised rates those of each
        age, of smoothed rates those of every place.
    coverage
        Cells that `coverage` and the flags `unknown_share` and `unlocated_share` are made of besides: cases whose
        characteristics or place are not known, and those that they are a share of.
    unsure
        Cells that the note of a count and the flag `unknown_acts` tell of: cases whose act is not known. (The flag
        compares them with all cases of the source, of other acts too. The note of a crude rate that says why some of
        its table have no standardised one tells of any of the table's cells by age.)
    """

    own: Ints
    table: Ints
    value: Needs
    coverage: Needs
    unsure: Needs


def shown(base: Base, family: Family, tables: Sequence[PlannedTable], estimates: Estimates) -> Shown:
    """Find the cells of each row.

    Parameters
    ----------
    base, tables
        `family` must be `base.family(tables)`. The tables must hold those behind what is shown (`plan` names them).
    estimates
        As `measure_counts` gives them; other rows may stand among them.

    Raises
    ------
    ValueError
        If a row depends on a table that is not among them: then it cannot be said what withholding must reach.
    """
    work = _Work(base, family, tables, estimates)
    rows = len(estimates)
    own, table = np.full(rows, -1, dtype=np.int64), np.full(rows, -1, dtype=np.int64)
    value, coverage, unsure = [_none()], [_none()], [_none()]
    for number, one in enumerate(tables):
        at, flat = work.rows(one)
        if not len(at):
            continue
        own[at], table[at] = family.at[number][flat], number
        value += [(at, family.at[number][flat]), *work.behind(one, at, flat)]
        coverage += work.shares(one, at, flat)
        unsure.append((at, np.full(len(at), work.unsure[base.number(one)])))
    return Shown(own, table, _needs(value), _needs(coverage), _needs(unsure))


def _none() -> tuple[Ints, Ints]:
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)


def _needs(pairs: Sequence[tuple[Ints, Ints]]) -> Needs:
    """Each pair once; cells that can only be 0 need nothing."""
    row, cell = (np.concatenate([pair[part] for pair in pairs]) for part in (0, 1))
    once = np.unique(np.stack([row, cell])[:, cell >= 0], axis=1)
    return Needs(once[0], once[1])


class _Work:
    """One family and one table of estimates."""

    def __init__(self, base: Base, family: Family, tables: Sequence[PlannedTable], estimates: Estimates) -> None:
        self.base, self.family = base, family
        self.table = estimates.table
        self.number = {(one.indicator, one.version, one.level, one.dimensions): at for at, one in enumerate(tables)}
        cells = (family.at[len(tables) + at] for at in range(len(base.of_tables(tables))))
        self.unsure = {number: int(its[0]) for number, its in zip(base.of_tables(tables), cells, strict=True)}
        mine = self._equal("source", base.source) & self._equal("period", str(base.period))
        self._mine = mine

    def _equal(self, column: str, text: str) -> Mask:
        equal = pc.fill_null(pc.equal(self.table.column(column), text), False)
        return np.asarray(equal.to_numpy(), dtype=bool)

    def rows(self, one: PlannedTable) -> tuple[Ints, Ints]:
        """Rows of a table, and the position of each one's cell in it."""
        chosen = self._mine & self._equal("indicator", one.indicator) & self._equal("version", one.version)
        there = set(self.table.column_names)
        if not set(one.dimensions) <= there:
            return _none()
        codes = list(self.base.codes(one))
        columns = [("place", codes.pop(0))] if one.level else []
        columns = [(name, (*along[:-1], unplaced(one.level))) for name, along in columns]
        if not one.level:
            chosen = chosen & self._equal("place", self.base.place)
        for axis in Estimates(self.table.slice(0, 0)).dimensions:
            if axis not in one.dimensions:
                chosen = chosen & self._equal(axis, TOTAL)
        columns += list(zip(one.dimensions, codes, strict=True))
        flat = np.zeros(len(chosen), dtype=np.int64)
        for name, along in columns:
            at = pc.fill_null(pc.index_in(self.table.column(name), pa.array(along, pa.string())), -1).to_numpy()
            chosen, flat = chosen & (at >= 0), flat * len(along) + np.maximum(at, 0)
        at = np.flatnonzero(chosen)
        return at, flat[at]

    def behind(self, one: PlannedTable, at: Ints, flat: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Cells that standardised and smoothed rates are made of, beside their own."""
        method = self.table.column("method").take(pa.array(at))
        standard = np.flatnonzero(pc.fill_null(pc.starts_with(method, "directly standardised"), False).to_numpy())
        if len(standard):
            names = [axis.name for axis in self.base.axes]
            dimensions = tuple(name for name in names if name in (*one.dimensions, "age"))
            cells = self._grid(one, dimensions)
            ages = np.moveaxis(cells, self._axis(one, dimensions, "age"), -1)
            yield _spread(at[standard], ages.reshape(-1, ages.shape[-1])[flat[standard]])
        smooth = np.flatnonzero(pc.fill_null(pc.starts_with(method, "empirical Bayes"), False).to_numpy())
        if len(smooth):
            cells = self._grid(one, one.dimensions)
            groups = cells.reshape(cells.shape[0], -1)
            yield _spread(at[smooth], groups.T[flat[smooth] % groups.shape[1]])

    def shares(self, one: PlannedTable, at: Ints, flat: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Cells that the shares of known places and known characteristics are made of."""
        if one.level:
            lost = self._grid(one, ())[-1]
            yield _spread(at, np.tile([int(lost), int(self._grid(one, (), level=""))], (len(at), 1)))
        if one.dimensions:
            cells = self._grid(one, one.dimensions)
            first = cells.shape[0] if one.level else 1
            unknown = np.zeros(cells.shape, dtype=bool)
            for axis in range(cells.ndim - len(one.dimensions), cells.ndim):
                if self.base.codes(one)[axis][-1] == UNKNOWN:
                    unknown[(slice(None),) * axis + (-1,)] = True
            every, wanted = cells.reshape(first, -1), unknown.reshape(first, -1)[0]
            place = flat // every.shape[1]
            yield _spread(at, every[:, wanted][place])
            yield at, self._grid(one, ()).reshape(-1)[place]

    def _grid(self, one: PlannedTable, dimensions: tuple[str, ...], *, level: str | None = None) -> Ints:
        """Distinct cells of the table with other dimensions, or another level, in the shape of its codes."""
        level = one.level if level is None else level
        number = self.number.get((one.indicator, one.version, level, dimensions))
        if number is None:
            names = " × ".join((level, *dimensions) if level else dimensions) or "total"
            raise ValueError(f"the table {names} of {one.indicator} stands behind another one, and is not planned")
        wanted = PlannedTable(one.indicator, one.version, level, dimensions)
        return self.family.at[number].reshape([len(codes) for codes in self.base.codes(wanted)])

    @staticmethod
    def _axis(one: PlannedTable, dimensions: Sequence[str], name: str) -> int:
        return list(dimensions).index(name) + bool(one.level)


def _spread(rows: Ints, cells: Ints) -> tuple[Ints, Ints]:
    """Pairs of each row with each cell of its line; `cells` has one line a row."""
    return np.repeat(rows, cells.shape[1]), cells.reshape(-1)
