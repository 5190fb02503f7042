"""Boundaries of the places of published figures, simplified for maps: made when a release is shown, read by pages.

Two files a level lie in `HOME/figures/<slug>/geo`, with published places only, in longitude and latitude: GeoJSON, that
browsers get as it is, and Parquet with the same shapes, which is read in a hundredth of the time.
"""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safercities.files import write_private
from safercities.hub import published
from safercities.hub.logs import FACTS
from safercities.model.errors import SafercitiesError

if TYPE_CHECKING:
    from safercities.hub.figures import Figures
    from safercities.hub.models import Observatory
    from safercities.places.geographies import Geography

log = logging.getLogger(__name__)
#: Levels whose name may be a file's name.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
#: Detail that may be lost, as a part of the whole map; decimals of a degree that are kept.
_DETAIL, _DECIMALS = 1 / 1500, 5
#: Larger maps are none that a browser could draw.
_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Boundaries:
    """The boundaries of a level: ids, shapes in longitude and latitude, and the box around them.

    Parameters
    ----------
    version
        Changes with the files.
    """

    level: str
    ids: tuple[str, ...]
    shapes: Any
    bounds: tuple[float, float, float, float]
    version: int


def folder(observatory: Observatory) -> Path:
    """Where the files of an observatory lie."""
    return published.index(observatory) / "geo"


def file_of(observatory: Observatory, level: str) -> Path | None:
    """The file of a level; None where there is none."""
    if not _NAME.fullmatch(level):
        return None
    path = folder(observatory) / f"{level}.geojson"
    return path if path.is_file() else None


def levels(observatory: Observatory) -> tuple[str, ...]:
    """Levels that a map can be drawn of."""
    return tuple(sorted(path.stem for path in folder(observatory).glob("*.parquet")))


# -- made when a release is shown --------------------------------------------------------------------------------------


def refresh_geo(observatory: Observatory) -> tuple[str, ...]:
    """Make the files of all levels that are published and have boundaries; take away those that no longer are.

    An observatory without boundaries, or whose folder cannot be read, has no maps: that is no reason to fail.

    Returns
    -------
    tuple of str
        Levels that have a file now.
    """
    figures = published.figures(observatory)
    made: list[str] = []
    if figures is not None:
        for geography in _geographies(observatory):
            level = geography.level
            if level not in made and _NAME.fullmatch(level) and _write(observatory, geography, figures):
                made.append(level)
    for path in folder(observatory).glob("*.*"):
        if path.suffix in (".geojson", ".parquet") and path.stem not in made:
            path.unlink(missing_ok=True)
    return tuple(made)


def _geographies(observatory: Observatory) -> Iterator[Geography]:
    """Geographies with boundaries, of each level the latest first."""
    import safercities

    try:
        found = list(safercities.open(observatory.path).geographies)
    except (SafercitiesError, OSError) as error:
        log.warning("no boundaries", extra={FACTS: {"kind": type(error).__name__}})
        return
    found.sort(key=lambda one: (one.valid_to is None, one.valid_to or one.valid_from), reverse=True)
    yield from (one for one in found if one.geometries is not None and len(one.places))


def _write(observatory: Observatory, geography: Geography, figures: Figures) -> bool:
    """Write the file of a level, whole or not at all; False where none of its places is published."""
    import shapely

    at = [i for i, place in enumerate(geography.places) if place.id in figures.places]
    if not at or geography.geometries is None:
        return False
    shapes = _simple(np.asarray(geography.geometries, dtype=object)[at], geography.crs)
    if not len(shapes) or bool((shapely.is_missing(shapes) | shapely.is_empty(shapes)).all()):
        return False
    ids, geometries = [geography.places[i].id for i in at], [_geometry(shape) for shape in shapes]
    features = [
        {"type": "Feature", "properties": {"id": id}, "geometry": shape}
        for id, shape in zip(ids, geometries, strict=True)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, separators=(",", ":"))
    if len(text) > _MOST_BYTES:
        log.warning("boundaries are too large", extra={FACTS: {"kind": geography.level}})
        return False
    target = folder(observatory)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(target / f"{geography.level}.parquet", _table(ids, geometries))
    write_private(target / f"{geography.level}.geojson", text.encode("utf-8"))
    return True


def _table(ids: Sequence[str], geometries: Sequence[dict[str, Any] | None]) -> bytes:
    """The same shapes as in the GeoJSON, to be read quickly."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    shapes = shapely.from_geojson([None if one is None else json.dumps(one) for one in geometries])
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": list(ids), "shape": pa.array(shapely.to_wkb(shapes), pa.binary())}), sink)
    return sink.getvalue()


def _simple(shapes: Any, crs: str | None) -> Any:
    """In longitude and latitude, with less detail; neighbours lose it together, so that no gap opens between them."""
    import pyproj
    import shapely

    if crs is not None and not pyproj.CRS.from_user_input(crs).is_geographic:
        turn = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        shapes = shapely.transform(shapes, lambda c: np.column_stack(turn.transform(c[:, 0], c[:, 1])))
    west, south, east, north = shapely.total_bounds(shapes)
    detail = max(east - west, north - south) * _DETAIL
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    polygons = bool(np.isin(shapely.get_type_id(shapes[there]), (3, 6)).all())
    if polygons and bool(shapely.coverage_is_valid(shapes[there])):
        shapes = shapes.copy()
        shapes[there] = shapely.coverage_simplify(shapes[there], detail)
        return shapes
    return shapely.simplify(shapes, detail / 2, preserve_topology=True)


def _geometry(shape: Any) -> dict[str, Any] | None:
    import shapely

    if shape is None or shape.is_empty:
        return None
    found: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return {"type": found["type"], "coordinates": _rounded(found["coordinates"])}


def _rounded(value: Any) -> Any:
    return [_rounded(item) for item in value] if isinstance(value, list) else round(value, _DECIMALS)


# -- read by pages -----------------------------------------------------------------------------------------------------


def boundaries(observatory: Observatory, level: str | None) -> Boundaries | None:
    """The boundaries of a level; None where there are none."""
    if not level or not _NAME.fullmatch(level):
        return None
    path = folder(observatory) / f"{level}.parquet"
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    with _lock:
        return _read(path, changed, level)


_lock = threading.Lock()


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, level: str) -> Boundaries:
    import pyarrow.parquet as pq
    import shapely

    found = pq.read_table(path)
    shapes = shapely.from_wkb(found.column("shape").to_pylist())
    west, south, east, north = (float(edge) for edge in shapely.total_bounds(shapes))
    return Boundaries(level, tuple(found.column("id").to_pylist()), shapes, (west, south, east, north), changed)
