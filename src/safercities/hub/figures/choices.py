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
    table
        Columns of `store.facets`, as positions, and how many rows.
    """

    def __init__(self, table: pa.Table, texts: Texts) -> None:
        self._columns = {name: table.column(name).to_numpy() for name in table.column_names}
        self._texts = texts

    def choose(self, wanted: Mapping[str, Sequence[int]]) -> Choices:
        """What can be chosen, given what is wanted of each column."""
        fits = {name: np.isin(self._columns[name], np.array(at, dtype=np.int64)) for name, at in wanted.items()}
        misses = np.zeros(len(self._columns[ROWS]), dtype=np.int64)  # how many filters a combination does not fit
        for mask in fits.values():
            misses += ~mask
        facets = {
            name: self._choices(column, misses, fits.get(column))
            for name, column in FACETS.items()
            if column != "place"
        }
        dimensions = {name: self._choices(name, misses, fits.get(name)) for name in self._texts.dimensions}
        return Choices(facets, dimensions, int(self._columns[ROWS][misses == 0].sum()))

    def _choices(self, column: str, misses: NDArray[np.int64], own: NDArray[np.bool_] | None) -> tuple[Choice, ...]:
        """Codes of a column where all other filters fit."""
        others = misses == 0 if own is None else misses == ~own
        at = self._columns[column][others] + 1  # none is at -1
        rows = np.bincount(at, self._columns[ROWS][others])
        shown = np.bincount(at, self._columns[SHOWN][others])
        return tuple(
            Choice(self._texts.text(column, position - 1), int(rows[position]), int(shown[position]))
            for position in np.flatnonzero(rows).tolist()
        )

    def count(self, wanted: Mapping[str, Sequence[int]]) -> int:
        """How many rows fit."""
        fits = np.ones(len(self._columns[ROWS]), dtype=np.bool_)
        for name, at in wanted.items():
            fits &= np.isin(self._columns[name], np.array(at, dtype=np.int64))
        return int(self._columns[ROWS][fits].sum())
