"""Rows of an estimates table with some of their columns replaced, and their flags and notes kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.measure.breakdown import joined
from safercities.model import quality
from safercities.model.estimates import Estimates

Floats = NDArray[np.float64]
Column = str | Floats | Sequence[str | None]


def numbers(table: pa.Table, name: str) -> Floats:
    """A column of numbers; NaN where there is none."""
    column = pc.fill_null(table.column(name).cast(pa.float64()), float("nan"))
    return np.asarray(column.to_numpy(), dtype=np.float64)


def replaced(
    table: pa.Table,
    columns: Mapping[str, Column | None],
    *,
    flags: Sequence[str] | None = None,
    notes: Sequence[str] | None = None,
) -> Estimates:
    """The rows with other columns; flags and notes are added to those given, or else to their own.

    Parameters
    ----------
    table
        An estimates table.
    columns
        Name → one text for all rows, a text each, numbers (NaN becomes null), or None for null.

    Examples
    --------
    >>> rows = Estimates.from_rows([{"indicator": "i", "place": "p", "period": "2020", "value": 1.0, "note": "a"}])
    >>> row = replaced(rows.table, {"value": np.array([np.nan]), "unit": "%"}, notes=["b"]).only()
    >>> row["value"], row["unit"], row["note"]
    (None, '%', 'a; b')
    """
    given: dict[str, Column | None] = dict(columns)
    if flags is not None:
        given["quality"] = [quality.join(*both) for both in zip(_texts(table, given, "quality"), flags, strict=True)]
    if notes is not None:
        given["note"] = [joined(*both) for both in zip(_texts(table, given, "note"), notes, strict=True)]
    arrays = [
        _array(given[entry.name], entry.type, table.num_rows) if entry.name in given else table.column(entry.name)
        for entry in table.schema
    ]
    return Estimates(pa.table(arrays, schema=table.schema))


def _texts(table: pa.Table, given: Mapping[str, Column | None], name: str) -> list[str]:
    """A column of texts: the given one, else the table's own."""
    texts = given[name] if name in given else table.column(name).to_pylist()
    return [str(text or "") for text in texts or []]


def _array(values: Column | None, kind: pa.DataType, size: int) -> pa.Array:
    if values is None:
        return pa.nulls(size, kind)
    if isinstance(values, str):
        return pa.array([values] * size, kind)
    if isinstance(values, np.ndarray):
        return pa.array(values, kind, mask=~np.isfinite(values))
    return pa.array(list(values), kind)
