"""From boundaries on the globe to paths on a page: project, scale, simplify without gaps, write short numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely

Geometries = Any  # array of shapely geometries; None where a place has no boundary


@dataclass(frozen=True)
class Page:
    """Boundaries drawn to a page of `width` × `height` pixels, y downward.

    Parameters
    ----------
    paths
        SVG path data, one a place; empty where it has no boundary.
    centres
        (n, 2) a point inside each place, nan where it has no boundary.
    """

    paths: tuple[str, ...]
    centres: np.ndarray
    width: int
    height: int


def draw(
    geometries: Geometries, crs: str | None, *, width: int = 400, max_height: int = 460, tolerance: float = 1.0
) -> Page:
    """Fit boundaries to a page.

    Geographic coordinates are projected by an equirectangular projection that is true at the middle latitude; projected
    ones are taken as they are. Neighbours are simplified together, so that no gap opens between them.

    Parameters
    ----------
    geometries
        (n,) polygons in `crs`; None is allowed.
    crs
        Coordinate reference system, as EPSG:4326; None = longitude and latitude.
    width, max_height
        Size of the page in pixels; the height follows from the shape.
    tolerance
        Detail that may be lost, in pixels.

    Examples
    --------
    >>> page = draw(np.array([shapely.box(0, 0, 2, 1)], dtype=object), "EPSG:3857", width=100)
    >>> page.paths[0], page.height
    ('M100 50V0H0V50Z', 50)
    """
    shapes = np.asarray(geometries, dtype=object).copy()
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    centres = np.full((len(shapes), 2), np.nan)
    if not there.any():
        return Page(tuple("" for _ in shapes), centres, width, 0)
    plane = _plane(_valid(shapes[there]), crs)
    scaled, size = _scale(plane, width, max_height)
    simple = _simplify(scaled, tolerance)
    centres[there] = shapely.get_coordinates(shapely.point_on_surface(scaled))
    paths = np.full(len(shapes), "", dtype=object)
    paths[there] = [path_data(shape) for shape in simple]
    return Page(tuple(paths), centres, *size)


def _valid(shapes: Geometries) -> Geometries:
    good = shapely.is_valid(shapes)
    shapes[~good] = shapely.make_valid(shapes[~good])
    return shapes


def _plane(shapes: Geometries, crs: str | None) -> Geometries:
    if crs is not None and not pyproj.CRS.from_user_input(crs).is_geographic:
        return shapes
    west, south, east, north = shapely.total_bounds(shapes)
    if east - west > 180:  # the boundaries cross the antimeridian
        shapes = shapely.transform(
            shapes, lambda c: np.column_stack([np.where(c[:, 0] < 0, c[:, 0] + 360, c[:, 0]), c[:, 1]])
        )
    shrink = np.cos(np.radians((south + north) / 2))
    return shapely.transform(shapes, lambda c: c * [shrink, 1.0])


def _scale(shapes: Geometries, width: int, max_height: int) -> tuple[Geometries, tuple[int, int]]:
    west, south, east, north = shapely.total_bounds(shapes)
    wide, high = max(east - west, 1e-12), max(north - south, 1e-12)
    scale = min(width / wide, max_height / high)
    height = max(1, round(high * scale))
    left = (width - wide * scale) / 2
    moved = shapely.transform(shapes, lambda c: (c - [west, north]) * [scale, -scale] + [left, 0.0])
    return moved, (width, height)


def _simplify(shapes: Geometries, tolerance: float) -> Geometries:
    """Visvalingam–Whyatt on shared borders where the shapes fit each other, else each shape on its own."""
    if np.isin(shapely.get_type_id(shapes), (3, 6)).all() and shapely.coverage_is_valid(shapes):
        return shapely.coverage_simplify(shapes, tolerance)
    return shapely.simplify(shapes, tolerance / 2, preserve_topology=True)


def path_data(shape: shapely.Geometry) -> str:
    """SVG path of a polygon or several, in tenths of a pixel, each step relative to the last.

    Examples
    --------
    >>> path_data(shapely.Polygon([(0, 0), (10, 0), (10.04, 5.55)]))
    'M0 0H10V5.6Z'
    """
    return "".join(_ring(ring) for polygon in _polygons(shape) for ring in (polygon.exterior, *polygon.interiors))


def _polygons(shape: shapely.Geometry) -> Iterator[shapely.Polygon]:
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon" and not part.is_empty:
            yield part
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            yield from _polygons(part)


def _ring(ring: shapely.LinearRing) -> str:
    points = np.rint(shapely.get_coordinates(ring)[:-1] * 10).astype(np.int64)
    steps = np.diff(points, axis=0)
    moves = (steps != 0).any(axis=1)
    points = points[np.concatenate([[True], moves])]
    if len(points) < 2:  # smaller than a tenth of a pixel: a dot that can still be pointed at
        return f"M{_tenths(points[0, 0])} {_tenths(points[0, 1])}h.5v.5Z"
    text = [f"M{_tenths(points[0, 0])} {_tenths(points[0, 1])}"]
    for (x, y), (dx, dy) in zip(points[1:].tolist(), np.diff(points, axis=0).tolist(), strict=True):
        text.append(_step(x, y, dx, dy))
    return "".join(text) + "Z"


def _step(x: int, y: int, dx: int, dy: int) -> str:
    if dy == 0:
        return min(f"H{_tenths(x)}", f"h{_tenths(dx)}", key=len)
    if dx == 0:
        return min(f"V{_tenths(y)}", f"v{_tenths(dy)}", key=len)
    second = _tenths(dy)
    return f"l{_tenths(dx)}{'' if second.startswith('-') else ' '}{second}"


def _tenths(value: int) -> str:
    whole, tenth = divmod(abs(int(value)), 10)
    sign = "-" if value < 0 else ""
    if not tenth:
        return f"{sign}{whole}" if whole else "0"
    return f"{sign}{whole or ''}.{tenth}"
