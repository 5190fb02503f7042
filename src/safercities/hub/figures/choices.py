"""What can be chosen together: the codes of each filter that leave some rows, so no sidebar leads to an empty page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.hub.figures.query import FACETS, Texts
from safercities.hub.figures.store import ROWS, SHOWN


@dataclass(frozen=True)
class Choice:
    """A code that can be chosen: how many rows there are then, and how many of them have a value."""

    code: str | None
    rows: int
    shown: int


@dataclass(frozen=True)
class Choices:
    """Filter → its codes that leave rows, in their order. Filters are named as in `Query`; dimensions by their names.

    Parameters
    ----------
    rows
        How many fit all filters.
    """

    facets: Mapping[str, tuple[Choice, ...]]
    dimensions: Mapping[str, tuple[Choice, ...]]
    rows: int

    def codes(self, name: str) -> tuple[str | None, ...]:
        """Codes of a filter or a dimension."""
        found = self.facets[name] if name in self.facets else self.dimensions[name]
        return tuple(one.code for one in found)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return 200 * sum(len(found) for several in (self.facets, self.dimensions) for found in several.values())


class Combinations:
    """All combinations of series, period, level and breakdown that have rows.

    Parameters
    ----------
    columns
        Those of `store.facets`, as positions, and how many rows; in order.
    """

    def __init__(self, columns: Mapping[str, NDArray[np.int64]], texts: Texts) -> None:
        self._columns = dict(columns)
        self._texts = texts

    @classmethod
    def of(cls, table: pa.Table, texts: Texts) -> Combinations:
        """Those of a table with these columns."""
        return cls({name: table.column(name).to_numpy() for name in table.column_names}, texts)

    def __len__(self) -> int:
        return len(self._columns[ROWS])

    def of_indicator(self, position: int) -> Combinations:
        """Those of one indicator: all combinations are in the order of indicators."""
        first, end = np.searchsorted(self._columns["indicator"], [position, position + 1])
        return Combinations({name: column[first:end] for name, column in self._columns.items()}, self._texts)

    def one(self, wanted: Mapping[str, Sequence[int]], name: str) -> tuple[Choice, ...]:
        """What can be chosen of one filter or dimension, given what is wanted of the others."""
        column = FACETS.get(name, name)
        fits = self._fit({other: at for other, at in wanted.items() if other != column})
        return self._choices(column, fits)

    def choose(self, wanted: Mapping[str, Sequence[int]]) -> Choices:
        """What can be chosen, given what is wanted of each column."""
        fits = {name: fitting(self._columns[name], at) for name, at in wanted.items()}
        misses = np.zeros(len(self._columns[ROWS]), dtype=np.int64)  # how many filters a combination does not fit
        for mask in fits.values():
            misses += ~mask
        others = {name: misses == ~fits[name] if name in fits else misses == 0 for name in self._columns}
        facets = {name: self._choices(at, others[at]) for name, at in FACETS.items() if at != "place"}
        dimensions = {name: self._choices(name, others[name]) for name in self._texts.dimensions}
        return Choices(facets, dimensions, int(self._columns[ROWS][misses == 0].sum()))

    def _choices(self, column: str, others: NDArray[np.bool_]) -> tuple[Choice, ...]:
        """Codes of a column where all other filters fit."""
        at = self._columns[column][others] + 1  # none is at -1
        rows = np.bincount(at, self._columns[ROWS][others])
        shown = np.bincount(at, self._columns[SHOWN][others])
        return tuple(
            Choice(self._texts.text(column, position - 1), int(rows[position]), int(shown[position]))
            for position in np.flatnonzero(rows).tolist()
        )

    def count(self, wanted: Mapping[str, Sequence[int]]) -> int:
        """How many rows fit."""
        return int(self._columns[ROWS][self._fit(wanted)].sum())

    def _fit(self, wanted: Mapping[str, Sequence[int]]) -> NDArray[np.bool_]:
        fits = np.ones(len(self), dtype=np.bool_)
        for name, at in wanted.items():
            fits &= fitting(self._columns[name], at)
        return fits


def fitting(column: NDArray[np.int64], wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Which positions are among those that are wanted."""
    if len(wanted) == 1:
        return np.asarray(column == wanted[0])
    return np.isin(column, np.array(wanted, dtype=np.int64))
