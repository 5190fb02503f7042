"""Estimates rows from arrays: flags as bits while they are computed, words in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from safercities.measure.grid import Grid
from safercities.model.estimates import Estimates, schema
from safercities.model.flags import BIT as BIT
from safercities.model.flags import Bits
from safercities.model.flags import bits as bits
from safercities.model.flags import words as words

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Fewer cases than this are flagged, and a smaller known share.
FEW = 20
KNOWN_ENOUGH = 0.95
#: What the method of a number ends with whose limits and standard error hold the rounding of counts.
ROUNDED = ", widened for rounding"


@dataclass(frozen=True)
class Cells:
    """The cells of a grid that are reported, as flat arrays of one length.

    Parameters
    ----------
    keys
        `place`, `period` and each dimension: codes.
    count
        Cases.
    coverage
        Share of the cases that the breakdown could place.
    flags
        What is known of each cell before a rate is made (bits).
    known
        Cells of which no axis is `_U`, whose place existed all the time: a rate can be made of them.
    flat
        Position of each cell in the flattened grid.
    """

    grid: Grid
    keys: Mapping[str, Sequence[str]]
    count: NDArray[np.int64]
    coverage: Floats
    flags: Bits
    known: Mask
    flat: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.count)


@dataclass(frozen=True)
class Frame:
    """What all rows of one indicator, version and source share."""

    indicator: str
    version: str
    source: str
    level: float
    per: int

    @property
    def per_text(self) -> str:
        """Unit of the rates, as `per 100 000`."""
        return "per " + f"{self.per:,}".replace(",", " ")

    def rows(
        self,
        cells: Cells,
        at: Mask,
        *,
        unit: str,
        method: str,
        value: ArrayLike,
        flags: Bits,
        note: str | Sequence[str] = "",
        **columns: ArrayLike,
    ) -> Estimates:
        """Rows for the cells that the mask `at` chooses; `columns` are further measures, one value a row."""
        chosen = np.arange(len(cells))[at]
        size = len(chosen)
        dimensions = [name for name in cells.keys if name not in ("place", "period")]
        low = (flags & (BIT["few_cases"] | BIT["partial_period"])) > 0
        given: dict[str, object] = {
            **{name: _taken(codes, chosen) for name, codes in cells.keys.items()},
            "value": value,
            "n": cells.count[chosen],
            "n_positive": cells.count[chosen],
            "coverage": cells.coverage[chosen],
            "obs_status": pa.array(np.where(low, "U", "A").tolist(), pa.string()),
            "quality": pa.array(words(flags), pa.string()),
            "note": [note] * size if isinstance(note, str) else list(note),
            **columns,
        }
        same = {"indicator": self.indicator, "version": self.version, "source": self.source}
        same |= {"unit": unit, "method": method}
        target = schema(dimensions)
        arrays = [
            pa.repeat(pa.scalar(same[field.name]), size)
            if field.name in same
            else _column(given.get(field.name), field.type, size)
            for field in target
        ]
        return Estimates(pa.table(arrays, schema=target))


def _taken(codes: Sequence[str], chosen: NDArray[np.int64]) -> pa.Array:
    return pa.array(codes, pa.string()).take(pa.array(chosen))


def _column(values: object, kind: pa.DataType, size: int) -> pa.Array:
    """A column; NaN becomes null."""
    if values is None:
        return pa.nulls(size, kind)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, kind, mask=np.isnan(values))
    return pa.array([values] * size, kind) if isinstance(values, float) else pa.array(values, kind)
