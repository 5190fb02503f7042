"""Small files, records and populations for the tests of places."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from safercities.collect.records import REJECTS, Collected, DimensionInfo
from safercities.model.places import Place
from safercities.places.geographies import Geography, load_geography
from safercities.places.spec import GeographySpec

TOP = Place("T", "Town", "city")


def geojson(folder: Path, shapes, rows, name="areas.geojson"):
    """Write features; `shapes` are shapely geometries or GeoJSON geometries."""
    features = [
        {
            "type": "Feature",
            "properties": row,
            "geometry": shape if shape is None or isinstance(shape, dict) else json.loads(shapely.to_geojson(shape)),
        }
        for shape, row in zip(shapes, rows, strict=True)
    ]
    (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return name


def load(folder: Path, **spec):
    """`load_geography` with short defaults."""
    given = {"level": "ward", "file": "areas.geojson", "id": "code"} | spec
    return load_geography(GeographySpec(**given), folder, default_parent="T")


def geography(shapes, ids, level="ward", parents=None, crs="EPSG:4326", valid_from=None, valid_to=None, order=()):
    """A geography without a file."""
    parents = parents or ["T"] * len(ids)
    places = tuple(
        Place(id, f"Name {id}", level, parent, None, valid_from, valid_to)
        for id, parent in zip(ids, parents, strict=True)
    )
    geometries = None if shapes is None else np.array(shapes, dtype=object)
    return Geography(level, places, geometries, crs, valid_from, valid_to, (), order)


def records(x=None, y=None, *, when="2020-01-01", crs="EPSG:4326", **codes):
    """Collected incidents: coordinates, days and codes."""
    count = len(next(values for values in (x, *codes.values()) if values is not None))
    days = [when] * count if isinstance(when, str) else when
    columns = {
        "row": pa.array(range(2, count + 2), pa.int64()),
        "when": pa.array([datetime.fromisoformat(day) for day in days], pa.timestamp("us")),
        "act": pa.array(["0101"] * count),
        "n": pa.array([1] * count, pa.int64()),
        "x": pa.array(x or [None] * count, pa.float64()),
        "y": pa.array(y or [None] * count, pa.float64()),
    }
    columns |= {name: pa.array(values, pa.string()) for name, values in codes.items()}
    table = pa.table(columns)
    crs = crs if x else None
    return Collected(
        "cases", "incidents", "cases.csv", table, REJECTS.empty_table(), (), count, "victims", crs, "day", (), "Cases"
    )


def people(rows, dims=(), source="people"):
    """Collected population from rows (code, period, <dims>, n)."""
    names = ["code", "period", *dims, "n"]
    columns = {"row": pa.array(range(2, len(rows) + 2), pa.int64())}
    for index, name in enumerate(names):
        columns[name] = pa.array([row[index] for row in rows], pa.float64() if name == "n" else pa.string())
    infos = tuple(DimensionInfo(name, name, "person") for name in dims)
    return Collected(
        source, "population", f"{source}.csv", pa.table(columns), REJECTS.empty_table(), (), len(rows), None, None,
        "year", infos, source,
    )  # fmt: skip
