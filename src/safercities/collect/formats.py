"""Read formats that carry their own types: Parquet, GeoPackage, GeoJSON, Shapefile, FlatGeobuf."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from safercities.collect.archive import UnpacksToMuchError
from safercities.collect.columns import check_names, no_rows
from safercities.collect.parquet_bounds import check_size
from safercities.collect.records import RawTable
from safercities.collect.spec import FileSpec
from safercities.model.errors import SafercitiesError, problem

VECTOR = (".gpkg", ".geojson", ".json", ".shp", ".fgb")

#: How a file of each vector format begins. GDAL guesses a format from the content: a file that only has the ending
#: of a harmless one (but is a VRT or a GDALG pipeline, which read other files) must not reach it.
_BEGINS = {
    ".gpkg": (b"SQLite format 3\0",),
    ".shp": (b"\0\0\x27\x0a",),
    ".fgb": (b"fgb",),
    ".json": (b"{",),
    ".geojson": (b"{",),
}
_PIPELINES = (b"gdal_streamed_alg", b"gdal_virtual", b"/vsi", b"OGRVRT")


def read_parquet(path: Path, spec: FileSpec) -> RawTable:
    """Read a Parquet file; with GeoParquet's geometry where it has one in WKB.

    Raises
    ------
    SafercitiesError
        If it is broken, no Parquet file, or takes far more memory than its size says.
    """
    import pyarrow.parquet as pq

    try:
        check_size(path)
        # ParquetFile, not read_table: folder names must not become columns
        table = pq.ParquetFile(path, memory_map=False).read()
    except UnpacksToMuchError as error:
        raise expands(spec, error.size) from None
    except (pa.ArrowException, OSError, ValueError, EOFError) as error:
        raise broken(spec, path, "Parquet", error) from None
    geometry, crs = _geoparquet(table)
    if geometry is not None:
        column = table.column(geometry)
        return made(table.drop_columns([geometry]), spec, geometry=column, crs=crs)
    return made(table, spec)


def _geoparquet(table: pa.Table) -> tuple[str | None, str | None]:
    import json

    try:
        about = json.loads((table.schema.metadata or {})[b"geo"])
        name = about["primary_column"]
        column = dict(about["columns"][name])
        kind = table.schema.field(name).type
    except (KeyError, ValueError, TypeError, RecursionError):
        return None, None
    if column.get("encoding") != "WKB" or kind not in (pa.binary(), pa.large_binary(), pa.binary_view()):
        return None, None
    crs = column.get("crs", "OGC:CRS84")
    return name, crs if crs is None or isinstance(crs, str) else json.dumps(crs)


def read_vector(path: Path, spec: FileSpec, suffix: str) -> RawTable:
    """Read a layer of a geographic file.

    Raises
    ------
    SafercitiesError
        If it is broken, or has several layers and the source does not say which.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    _check_beginning(path, spec, suffix)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GDAL's remarks on files that it can read
            layer = _layer([str(name) for name in pyogrio.list_layers(path)[:, 0]], spec)
            meta, table = pyogrio.read_arrow(path, layer=layer, encoding=spec.encoding if suffix == ".shp" else None)
    except (DataSourceError, DataLayerError, pa.ArrowException, RuntimeError, ValueError) as error:
        raise broken(spec, path, suffix[1:], error) from None
    name = meta["geometry_name"] or "wkb_geometry"
    geometry = None
    if name in table.column_names:
        geometry = table.column(name)
        table = table.drop_columns([name])
    return made(table, spec, geometry=geometry, crs=meta["crs"])


def _check_beginning(path: Path, spec: FileSpec, suffix: str) -> None:
    with path.open("rb") as stream:
        head = stream.read(2**16).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n" if suffix.endswith("json") else b"")
    if not head.startswith(_BEGINS[suffix]) or (suffix.endswith("json") and any(mark in head for mark in _PIPELINES)):
        raise SafercitiesError(problem("format-wrong", file=spec.file, format=suffix[1:]))


def _layer(layers: list[str], spec: FileSpec) -> str:
    names = ", ".join(layers)
    if spec.layer is not None:
        if spec.layer not in layers:
            raise SafercitiesError(problem("layer-missing", file=spec.file, layer=spec.layer, layers=names))
        return spec.layer
    if len(layers) != 1:
        raise SafercitiesError(problem("layer-several", file=spec.file, layers=names or "none"))
    return layers[0]


def made(
    table: pa.Table,
    spec: FileSpec,
    *,
    geometry: pa.ChunkedArray | None = None,
    crs: str | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> RawTable:
    table = check_names(table, table.column_names, spec.file, 1)
    rows = np.arange(1, table.num_rows + 1, dtype=np.int64)
    notes = no_rows(table.num_rows, spec.file)
    return RawTable(spec.file, table, rows, geometry, crs, labels or {}, problems=notes)


def expands(spec: FileSpec, size: int) -> SafercitiesError:
    return SafercitiesError(problem("file-expands", file=spec.file, size=f"{size / 2**20:,.0f} MB"))


def broken(spec: FileSpec, path: Path, kind: str, error: Exception) -> SafercitiesError:
    message = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), spec.file)
    return SafercitiesError(problem("file-broken", file=spec.file, format=kind, message=message.rstrip(".")[:200]))
