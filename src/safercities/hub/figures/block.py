"""All rows of one indicator at one place, held in memory: whatever else a page asks of them costs no further query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.hub.figures import store
from safercities.hub.figures.choices import Choice, Combinations, fitting
from safercities.hub.figures.query import Texts

#: Rows that an indicator may have at a place to be held; of more, only what is asked for is read.
MOST_ROWS = 3_000
#: What every row of a block shares.
_SHARED = frozenset({"indicator", "place"})


class Block:
    """Rows as they are in the index, by row number.

    Parameters
    ----------
    table
        All columns that are not the same in the whole index, the level, and whether there is a value.
    constants
        Column that is the same in the whole index → its position.
    """

    def __init__(self, table: pa.Table, constants: Mapping[str, int], texts: Texts) -> None:
        self.table = table
        self._at = {
            name: table.column(name).to_numpy() if name not in constants else np.full(len(table), constants[name])
            for name in store.facets(texts.dimensions)
        }
        counts = {store.ROWS: np.ones(len(table), dtype=np.int64), store.SHOWN: table.column(store.SHOWN).to_numpy()}
        self._combinations = Combinations(self._at | counts, texts)
        self._last: tuple[bytes, pa.Table] = (b"", table)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return int(self.table.nbytes) + 8 * (len(self._at) + 2) * len(self.table)

    def rows(self, wanted: Mapping[str, Sequence[int]]) -> pa.Table:
        """Those that fit."""
        fits = self._fits(wanted)
        if fits.all():
            return self.table
        key, found = fits.tobytes(), self._last  # chart and table of a page ask for the same
        if found[0] != key:
            self._last = found = (key, self.table.take(pa.array(np.flatnonzero(fits))))
        return found[1]

    def count(self, wanted: Mapping[str, Sequence[int]]) -> int:
        """How many fit."""
        return int(self._fits(wanted).sum())

    def one(self, wanted: Mapping[str, Sequence[int]], name: str) -> tuple[Choice, ...]:
        """What can be chosen of a filter or dimension at the place, given what is wanted of the others."""
        return self._combinations.one(_others(wanted), name)

    def _fits(self, wanted: Mapping[str, Sequence[int]]) -> NDArray[np.bool_]:
        fits = np.ones(len(self.table), dtype=np.bool_)
        for name, at in _others(wanted).items():
            fits &= fitting(self._at[name], at)
        return fits


def _others(wanted: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    return {name: at for name, at in wanted.items() if name not in _SHARED}
