"""Coordinates of incidents: from two columns or from the file's own points, with those that cannot be set aside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from safercities.collect.columns import Bools, Encoded, Floats, as_text, encode, to_numbers
from safercities.collect.faults import Ledger, shown
from safercities.collect.file_spec import Placed
from safercities.model.errors import SafercitiesError, problem

#: What files write where there are no coordinates.
_MISSING = frozenset(("na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "–", "—", ".", "nd", "n.d.", "sd", "s/d"))


@dataclass(frozen=True)
class Coordinates:
    """One point a row; `known` says where there is one. `crs` is None where the source has no coordinates at all."""

    x: Floats
    y: Floats
    known: Bools
    crs: str | None


def coordinates(ledger: Ledger, spec: Placed) -> Coordinates:
    """The points of the rows. A row without usable coordinates is kept: it still counts for the whole place.

    Raises
    ------
    SafercitiesError
        If the reference system is unknown, or there are coordinates and none can be read.
    """
    if spec.longitude is not None and spec.latitude is not None:
        return _from_columns(ledger, spec, spec.longitude, spec.latitude)
    count = ledger.raw.table.num_rows
    if ledger.raw.geometry is None:
        return Coordinates(np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, dtype=bool), None)
    return _from_geometry(ledger, spec)


def _from_columns(ledger: Ledger, spec: Placed, longitude: str, latitude: str) -> Coordinates:
    geographic = _is_geographic(spec.crs, ledger.raw.file)
    x, empty_x = _axis(ledger, spec, longitude, ("longitude" if geographic else None), 180.0)
    y, empty_y = _axis(ledger, spec, latitude, ("latitude" if geographic else None), 90.0)
    zero = (x == 0) & (y == 0)
    ledger.note("coordinates-zero", zero, latitude)
    ledger.note("coordinates-missing", empty_x | empty_y, latitude)
    return Coordinates(x, y, ~zero & np.isfinite(x) & np.isfinite(y), spec.crs)


def _axis(ledger: Ledger, spec: Placed, column: str, axis: str | None, most: float) -> tuple[Floats, Bools]:
    """One coordinate of each row, NaN where it cannot be used; and where the cell is empty."""
    encoded = encode(ledger.raw.table.column(column))
    numbers = to_numbers(encoded.values, spec.decimal, thousands=False)
    missing = ~np.isfinite(numbers)
    words = as_text(encoded.values.filter(pa.array(missing))).to_pylist()
    missing[missing] = [word.casefold() in _MISSING for word in words]
    encoded = Encoded(encoded.take(np.where(missing, -1, np.arange(len(missing))), -1), encoded.values)
    unreadable = ~np.isfinite(numbers) & ~missing
    if unreadable.any() and not np.isfinite(numbers).any():
        _none_readable(ledger, spec, column, encoded)
    ledger.warn("coordinates-unreadable", encoded.take(unreadable, False), column, encoded, decimal=spec.decimal)
    if axis is not None:
        outside = ~unreadable & (np.abs(numbers) > most)
        ledger.warn("coordinates-outside", encoded.take(outside, False), column, encoded, axis=axis, crs=spec.crs)
        numbers = np.where(outside, np.nan, numbers)
    return encoded.take(np.where(np.isfinite(numbers), numbers, np.nan), np.nan), encoded.empty


def _none_readable(ledger: Ledger, spec: Placed, column: str, encoded: Encoded) -> None:
    value = shown(encoded.texts()[0])
    row = int(ledger.raw.rows[np.flatnonzero(~encoded.empty)[0]])
    made = problem("coordinates-none", file=ledger.raw.file, row=row, column=column, value=value, decimal=spec.decimal)
    raise SafercitiesError(made)


def _from_geometry(ledger: Ledger, spec: Placed) -> Coordinates:
    """Points of the file itself, in its own reference system unless the source declares one."""
    import shapely

    raw = ledger.raw
    crs = spec.crs if "crs" in spec.model_fields_set or raw.crs is None else raw.crs
    _is_geographic(crs, raw.file)
    assert raw.geometry is not None  # noqa: S101 (the caller looked)
    shapes = shapely.from_wkb(
        raw.geometry.to_numpy(zero_copy_only=False) if isinstance(raw.geometry, pa.Array) else raw.geometry.to_numpy(),
        on_invalid="ignore",
    )
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    points = ~missing & (shapely.get_type_id(shapes) == 0)
    x, y = shapely.get_x(shapes), shapely.get_y(shapes)
    ledger.note("geometry-no-point", ~missing & ~points, None)
    ledger.note("coordinates-missing", missing, None)
    zero = points & (x == 0) & (y == 0)
    ledger.note("coordinates-zero", zero, None)
    return Coordinates(x, y, points & ~zero & np.isfinite(x) & np.isfinite(y), crs)


def _is_geographic(crs: str, file: str) -> bool:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return bool(CRS.from_user_input(crs).is_geographic)
    except CRSError:
        raise SafercitiesError(problem("crs-unknown", file=file, column="crs", crs=crs)) from None
