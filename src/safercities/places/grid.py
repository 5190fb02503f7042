"""Points → polygons: a uniform grid answers almost all points by lookup; those near a border get an exact test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

OUTSIDE = -1
#: How far, in cells, an edge is taken to reach beyond itself: much more than any rounding, much less than a cell.
_PAD = 1e-6
#: Points that are looked up at a time: small enough to stay in the processor's cache.
_CHUNK = 1 << 17
#: Border points that are tested at a time.
_BATCH = 1 << 21

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Grid:
    """Cells over an extent. `u`, `v` are coordinates in cells; both are accurate to a few ulp, whatever the CRS."""

    x0: float
    y0: float
    x1: float
    y1: float
    columns: int
    rows: int

    @classmethod
    def over(cls, bounds: Floats, cells: int) -> _Grid:
        """A grid of about `cells` roughly square cells."""
        x0, y0, x1, y1 = (float(value) for value in bounds)
        width, height = x1 - x0, y1 - y0
        if not (np.isfinite(width) and np.isfinite(height)):
            raise ValueError("the coordinates of the polygons are too large to compute with")
        ratio = np.sqrt(width / height) if height > 0 else 1.0
        columns = int(np.clip(np.sqrt(cells) * ratio, 1, cells))
        return cls(x0, y0, x1, y1, columns, int(np.clip(cells // columns, 1, cells)))

    def u(self, x: Floats) -> Floats:
        """Columns from the left border."""
        return (x - self.x0) * _per(self.columns, self.x1 - self.x0)

    def v(self, y: Floats) -> Floats:
        """Rows from the lower border."""
        return (y - self.y0) * _per(self.rows, self.y1 - self.y0)

    def inside(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Whether points lie in the extent; false for nan."""
        return (x >= self.x0) & (x <= self.x1) & (y >= self.y0) & (y <= self.y1)

    def cell(self, x: Floats, y: Floats) -> NDArray[np.int32]:
        """Cell of points that lie in the extent."""
        column = np.minimum(self.u(x).astype(np.int32), np.int32(self.columns - 1))
        row = np.minimum(self.v(y).astype(np.int32), np.int32(self.rows - 1))
        return row * np.int32(self.columns) + column


def _per(cells: int, length: float) -> float:
    scale = cells / length if length > 0 else 0.0
    return scale if np.isfinite(scale) else 0.0


@dataclass(frozen=True)
class _Edges:
    """Edges of all rings, in cells, and the part that each belongs to."""

    u0: Floats
    v0: Floats
    u1: Floats
    v1: Floats
    part: Ints

    @classmethod
    def of(cls, parts: NDArray[np.object_], grid: _Grid) -> _Edges:
        rings, part = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        u, v = grid.u(points[:, 0]), grid.v(points[:, 1])
        joined = np.flatnonzero(ring[1:] == ring[:-1])
        return cls(u[joined], v[joined], u[joined + 1], v[joined + 1], part[ring[joined]])


class PointLocator:
    """Finds the polygon that holds each point: the same answers as an exact test of every pair, much sooner.

    A polygon holds a point if it *covers* it: points on its border are inside, points in its holes are outside. A point
    that several polygons hold (on a shared border, or where they overlap) belongs to the first of them in `order`.

    Parameters
    ----------
    geometries
        Polygons and MultiPolygons, shape (p,), each valid (`load_geography` repairs them). None and empty hold nothing.
    order
        Indices of the polygons from the one that wins to the one that yields; default: as they are listed.
    period
        Length after which x begins anew: 360 for longitudes, so that −179.9 and 180.1 are one place.
    cells
        Size of the grid; default: by the number of vertices.

    Raises
    ------
    ValueError
        If the coordinates are so large that differences between them overflow.

    Examples
    --------
    >>> left, right = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)
    >>> PointLocator([left, right]).locate([0.5, 1.0, 1.5, 9.0, float("nan")], [0.5] * 5).tolist()
    [0, 0, 1, -1, -1]
    """

    def __init__(
        self,
        geometries: Sequence[shapely.Geometry | None] | NDArray[np.object_],
        *,
        order: Sequence[int] | None = None,
        period: float | None = None,
        cells: int | None = None,
    ) -> None:
        geometries = np.asarray(geometries, dtype=object)
        self._order = np.arange(len(geometries)) if order is None else np.asarray(order, dtype=np.int64)
        self._period = period
        self._parts, owner = _polygons(geometries[self._order])
        self._polygon = np.append(self._order[owner], OUTSIDE).astype(np.int32)
        if len(self._parts):
            shapely.prepare(self._parts)
            count = int(shapely.get_num_coordinates(self._parts).sum())
            self._grid = _Grid.over(
                shapely.total_bounds(self._parts), cells or int(np.clip(2 * count, 1 << 12, 1 << 20))
            )
            self._label, self._start, self._candidates = _index(self._parts, self._grid)

    def locate(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.int32]:
        """Index of the polygon that holds each point, −1 where none does or a coordinate is nan.

        Parameters
        ----------
        x, y
            Coordinates in the polygons' CRS, shape (n,).

        Returns
        -------
        ndarray of int32, shape (n,)

        Examples
        --------
        >>> fiji = shapely.MultiPolygon([shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -179, -16)])
        >>> PointLocator([fiji], period=360).locate([180.5, -181.5, 0.0], [-17.0, -17.0, 0.0]).tolist()
        [0, 0, -1]
        """
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        found = self._locate_parts(x, y)
        if self._period is not None and len(self._parts):
            self._turn_around(found, x, y, self._period)
        return self._polygon[found]

    def _turn_around(self, found: NDArray[np.int32], x: Floats, y: Floats, period: float) -> None:
        """Try x one period further and nearer too; `found` keeps the part that is first in order."""
        for shift in (period, -period):
            moved = x + shift
            near = np.flatnonzero((moved >= self._grid.x0) & (moved <= self._grid.x1))
            if len(near):
                other = self._locate_parts(moved[near], y[near])
                none = np.int32(len(self._parts))
                best = np.minimum(np.where(found[near] < 0, none, found[near]), np.where(other < 0, none, other))
                found[near] = np.where(best == none, OUTSIDE, best)

    def _locate_parts(self, x: Floats, y: Floats) -> NDArray[np.int32]:
        """Index of the part that holds each point."""
        found = np.full(len(x), OUTSIDE, dtype=np.int32)
        if not len(self._parts):
            return found
        waiting: list[Ints] = []
        held = 0
        for begin in range(0, len(x), _CHUNK):
            piece = slice(begin, begin + _CHUNK)
            border = self._look_up(x[piece], y[piece], found[piece]) + begin
            waiting.append(border)
            held += len(border)
            if held > _BATCH:
                self._test(x, y, found, np.concatenate(waiting))
                waiting, held = [], 0
        if held:
            self._test(x, y, found, np.concatenate(waiting))
        return found

    def _look_up(self, x: Floats, y: Floats, found: NDArray[np.int32]) -> Ints:
        """Write the labels of the points' cells; give back those in border cells, whose label is −2 − border cell."""
        inside = self._grid.inside(x, y)
        if inside.all():
            found[:] = self._label[self._grid.cell(x, y)]
        else:
            found[inside] = self._label[self._grid.cell(x[inside], y[inside])]
        return np.flatnonzero(found < OUTSIDE)

    def _test(self, x: Floats, y: Floats, found: NDArray[np.int32], border: Ints) -> None:
        """Exact test of points in border cells against their cell's candidates, first in order first."""
        cell = OUTSIDE - 1 - found[border]
        found[border] = OUTSIDE
        at, end = self._start[cell], self._start[cell + 1]
        while len(border):
            part = self._candidates[at]
            by_part = np.argsort(part, kind="stable")
            border, at, end, part = border[by_part], at[by_part], end[by_part], part[by_part]
            hit = shapely.intersects_xy(self._parts[part], x[border], y[border])
            found[border[hit]] = part[hit]
            left = np.flatnonzero(~hit & (at + 1 < end))
            border, at, end = border[left], at[left] + 1, end[left]


def _polygons(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], Ints]:
    """Single polygons, and the geometry that each is part of. Lines and points hold nothing and fall away."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)  # a collection may hold MultiPolygons
    keep = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)
    return parts[keep], owner[inner[keep]]


def _index(parts: NDArray[np.object_], grid: _Grid) -> tuple[NDArray[np.int32], Ints, NDArray[np.int32]]:
    """Label of each cell (a part, −1 outside, −2 − k border cell k) and the candidates of border cells, first first."""
    edges = _Edges.of(parts, grid)
    key = _crossed(edges, grid, len(parts))
    border = key // len(parts)
    border = border[np.append(True, border[1:] != border[:-1])]
    label = np.full(grid.rows * grid.columns, OUTSIDE, dtype=np.int32)
    label[border] = OUTSIDE - 1 - np.arange(len(border), dtype=np.int32)
    extra = _fill(label, edges, grid, len(parts))
    if len(extra):
        key = np.unique(np.concatenate([key, extra]))
    cell = key // len(parts)
    start = np.append(np.flatnonzero(np.append(True, cell[1:] != cell[:-1])), len(cell))
    return label, start, (key % len(parts)).astype(np.int32)


def _crossed(edges: _Edges, grid: _Grid, parts: int) -> Ints:
    """`cell · parts + part` for every cell that an edge of a part touches, rising and each once."""
    low, high = np.minimum(edges.v0, edges.v1), np.maximum(edges.v0, edges.v1)
    edge, row = _ranges(_clip(low - _PAD, grid.rows), _clip(high + _PAD, grid.rows))
    u0, v0, u1, v1 = edges.u0[edge], edges.v0[edge], edges.u1[edge], edges.v1[edge]
    # the stretch of the edge within the row: padding v here outweighs the rounding of v even for flat edges
    from_u = _at(u0, v0, u1, v1, np.maximum(row - _PAD, low[edge]))
    to_u = _at(u0, v0, u1, v1, np.minimum(row + 1 + _PAD, high[edge]))
    flat = v0 == v1
    from_u, to_u = np.where(flat, u0, from_u), np.where(flat, u1, to_u)
    left, right = np.minimum(from_u, to_u), np.maximum(from_u, to_u)
    piece, column = _ranges(_clip(left - _PAD, grid.columns), _clip(right + _PAD, grid.columns))
    key = (row[piece] * grid.columns + column) * parts + edges.part[edge[piece]]
    key = key[np.append(True, key[1:] != key[:-1])]  # neighbouring edges mostly share a cell
    return np.unique(key)


def _fill(label: NDArray[np.int32], edges: _Edges, grid: _Grid, parts: int) -> Ints:
    """Label the cells without an edge by the part that covers their centre, first in order last.

    Gives back `cell · parts + part` for border cells whose centre a part covers: it may cover the cell without an
    edge in it, where parts overlap.
    """
    low, high = np.minimum(edges.v0, edges.v1), np.maximum(edges.v0, edges.v1)
    # centre lines r + ½ with low ≤ r + ½ < high
    edge, row = _ranges(np.ceil(low - 0.5).astype(np.int64), np.ceil(high - 0.5).astype(np.int64) - 1)
    u = _at(edges.u0[edge], edges.v0[edge], edges.u1[edge], edges.v1[edge], row.astype(np.float64) + 0.5)
    by_line = np.lexsort((u, row, edges.part[edge]))
    part, row, u = edges.part[edge][by_line], row[by_line], u[by_line]
    # each ring is closed, so a centre line meets the edges of a part an even number of times: in, out, in, out
    begin = np.maximum(np.ceil(u[0::2] - 0.5).astype(np.int64), 0)
    stop = np.minimum(np.floor(u[1::2] - 0.5).astype(np.int64), grid.columns - 1)
    part, row = part[0::2][::-1], row[0::2][::-1]
    base = row * grid.columns
    begin, stop = begin[::-1] + base, stop[::-1] + base
    extra: list[Ints] = [np.empty(0, dtype=np.int64)]
    # lines in pieces, so that memory stays bounded
    for piece in np.array_split(np.arange(len(part)), 1 + len(label) // (1 << 19)):
        line, cell = _ranges(begin[piece], stop[piece])
        owner = part[piece][line]
        plain = label[cell] >= OUTSIDE
        label[cell[plain]] = owner[plain]  # of several, numpy keeps the last written
        extra.append(cell[~plain] * parts + owner[~plain])
    return np.concatenate(extra)


def _ranges(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Every whole number from first to last (both included) of each pair, and the pair that it comes from.

    Examples
    --------
    >>> [part.tolist() for part in _ranges(np.array([3, 7, 5]), np.array([4, 6, 5]))]
    [[0, 0, 2], [3, 4, 5]]
    """
    size = np.maximum(last - first + 1, 0)
    pair = np.repeat(np.arange(len(size)), size)
    begin = np.cumsum(size) - size
    return pair, np.arange(len(pair)) - begin[pair] + first[pair]


def _clip(value: Floats, size: int) -> Ints:
    return np.clip(np.floor(value), 0, size - 1).astype(np.int64)


def _at(u0: Floats, v0: Floats, u1: Floats, v1: Floats, v: Floats) -> Floats:
    """u of edges at height v; never beyond an edge's ends."""
    rise = np.where(v1 == v0, 1.0, v1 - v0)
    return u0 + np.clip((v - v0) / rise, 0.0, 1.0) * (u1 - u0)
