"""The coordinates of a source's records, in any geography's own coordinate reference system."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.transformer import TransformerGroup

from safercities.collect.records import Collected
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.places.geographies import Geography
from safercities.places.grid import PointLocator

Floats = NDArray[np.float64]
Index = NDArray[np.int64]


class Points:
    """Coordinates of records: where they are there, and which polygon holds each.

    Raises
    ------
    SafercitiesError
        If the source's coordinate reference system is not a known one.
    """

    def __init__(self, collected: Collected, geographies: Sequence[Geography]) -> None:
        self._collected, self._geographies = collected, geographies
        names = collected.table.column_names
        self.has = collected.crs is not None and "x" in names and "y" in names
        empty = np.full(collected.table.num_rows, np.nan)
        self.x = _numbers(collected, "x") if self.has else empty
        self.y = _numbers(collected, "y") if self.has else empty
        self.there: NDArray[np.bool_] = np.isfinite(self.x) & np.isfinite(self.y)
        self._crs = _known(collected) if self.has else None

    def problems(self) -> Iterator[Problem]:
        """How exactly coordinates could be moved to each geography's CRS, where that is worth knowing."""
        for crs in dict.fromkeys(g.crs for g in self._geographies if g.geometries is not None and g.crs):
            metres = _accuracy(str(self._collected.crs), crs) if self.has else None
            if metres is not None:
                yield problem(
                    "place-accuracy", file=self._collected.file, source=self._collected.crs, target=crs, metres=metres
                )

    def inside(self, geography: int, asked: Index) -> NDArray[np.int32]:
        """Which polygon of a geography holds each of the asked points, −1 for none."""
        x, y = self._moved(self._geographies[geography], self.x[asked], self.y[asked])
        return self._locator(geography).locate(x, y)

    def _locator(self, geography: int) -> PointLocator:
        chosen = self._geographies[geography]
        period = 360.0 if chosen.geographic else None
        shapes = np.asarray(chosen.geometries, dtype=object)
        return PointLocator(shapes, order=chosen.order or None, period=period)

    def _moved(self, geography: Geography, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Coordinates in the CRS of the boundaries; infinite where they cannot be moved there."""
        target = pyproj.CRS(geography.crs)
        if self._crs is None or self._crs == target:
            return x, y
        moved = pyproj.Transformer.from_crs(self._crs, target, always_xy=True).transform(x, y)
        return np.asarray(moved[0], dtype=np.float64), np.asarray(moved[1], dtype=np.float64)

    def hint(self, level: str) -> str:
        """Why all points may lie outside: the two coordinates changed places, or another CRS."""
        probe = np.flatnonzero(self.there)[:1000]
        swapped = self._swapped()
        for index, geography in enumerate(self._geographies):
            if (
                geography.level == level
                and geography.geometries is not None
                and (swapped.inside(index, probe) >= 0).any()
            ):
                return "longitude and latitude have changed places: exchange the two columns"
        return "check that longitude and latitude name the right columns, and crs their coordinate reference system"

    def _swapped(self) -> Points:
        other = object.__new__(Points)
        other.__dict__.update(self.__dict__, x=self.y, y=self.x)
        return other


def _numbers(collected: Collected, name: str) -> Floats:
    column = collected.table.column(name).combine_chunks().to_numpy(zero_copy_only=False)
    return np.asarray(column, dtype=np.float64)


def _known(collected: Collected) -> pyproj.CRS:
    try:
        return pyproj.CRS(collected.crs)
    except pyproj.exceptions.CRSError:
        raise SafercitiesError(
            problem("geography-crs-unknown", file=collected.file, column="crs", crs=collected.crs)
        ) from None


@cache
def _accuracy(source: str, target: str) -> str | None:
    """Metres within which coordinates can be moved, where a grid file that is not installed would do better."""
    if pyproj.CRS(source) == pyproj.CRS(target):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = TransformerGroup(source, target, always_xy=True)
    if group.best_available or not group.transformers:
        return None
    accuracy = [t.accuracy for t in group.transformers if t.accuracy >= 0]
    return f"{min(accuracy):.2g}" if accuracy else "an unknown number of"
