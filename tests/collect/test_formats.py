"""One small table in every format gives the same records; several layers, broken files and labels are handled."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import date, datetime

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyreadstat
import pytest
import shapely

from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.model.errors import SafercitiesError

ROWS = [
    ("2019-04-23", -75.5, 6.25, "Mujer", 34, 1),
    ("2019-04-24", -75.25, 6.5, "Hombre", 12, 2),
    ("2019-04-24", -75.25, 6.5, "Hombre", 12, 2),
    ("2020-02-29", -75.125, 6.125, "Niña", 7, 3),
]
NAMES = ["when", "x", "y", "sex", "age", "n"]
KEYS = {
    "act": "0101",
    "unit": {"column": "n", "of": "victims"},
    "dimensions": {
        "sex": {"column": "sex", "map": {"Mujer": "F", "Niña": "F", "Hombre": "M"}},
        "age": {"column": "age", "bins": [0, 15]},
    },
}
POINTS = {"longitude": "x", "latitude": "y"}
EXPECTED = [
    (datetime(2019, 4, 23), "0101", 1, -75.5, 6.25, "F", "Y_GE15"),
    (datetime(2019, 4, 24), "0101", 2, -75.25, 6.5, "M", "Y0T14"),
    (datetime(2019, 4, 24), "0101", 2, -75.25, 6.5, "M", "Y0T14"),
    (datetime(2020, 2, 29), "0101", 3, -75.125, 6.125, "F", "Y0T14"),
]


def text(delimiter=","):
    return "\n".join(delimiter.join(map(str, row)) for row in [NAMES, *ROWS]) + "\n"


def frame(dates=False):
    table = pd.DataFrame(ROWS, columns=NAMES)
    if dates:
        table["when"] = [date.fromisoformat(day) for day in table["when"]]
    return table


def vector(path, driver, **more):
    table = pa.table({name: [row[i] for row in ROWS] for i, name in enumerate(NAMES)})
    points = shapely.to_wkb(shapely.points([row[1:3] for row in ROWS]))
    table = table.append_column("geometry", pa.array(points))
    pyogrio.write_arrow(
        table, path, driver=driver, geometry_name="geometry", geometry_type="Point", crs="EPSG:4326", **more
    )


def csv(folder):
    (folder / "t.csv").write_text(text(), encoding="utf-8")
    return "t.csv"


def tsv(folder):
    (folder / "t.tsv").write_text(text("\t"), encoding="latin-1")
    return "t.tsv"


def utf16(folder):
    (folder / "t.txt").write_text(text(";"), encoding="utf-16")
    return "t.txt"


def gz(folder):
    (folder / "t.csv.gz").write_bytes(gzip.compress(text().encode()))
    return "t.csv.gz"


def zipped(folder):
    with zipfile.ZipFile(folder / "t.zip", "w") as archive:
        archive.writestr("inner/t.csv", text())
    return "t.zip"


def xlsx(folder):
    book = openpyxl.Workbook()
    for row in [NAMES, *[(date.fromisoformat(row[0]), *row[1:]) for row in ROWS]]:
        book.active.append(row)
    book.save(folder / "t.xlsx")
    return "t.xlsx"


def xlsx_serials(folder):
    book = openpyxl.Workbook()
    days = [(date.fromisoformat(row[0]) - date(1899, 12, 30)).days for row in ROWS]
    for row in [NAMES, *[(day, *row[1:]) for day, row in zip(days, ROWS, strict=True)]]:
        book.active.append(row)
    book.save(folder / "t.xlsx")
    return "t.xlsx"


def parquet(folder):
    pq.write_table(pa.Table.from_pandas(frame(dates=True), preserve_index=False), folder / "t.parquet")
    return "t.parquet"


def parquet_dictionary(folder):
    table = pa.Table.from_pandas(frame(), preserve_index=False)
    table = table.set_column(3, "sex", table.column("sex").dictionary_encode())
    pq.write_table(
        table.set_column(0, "when", table.column("when").cast(pa.large_string())),
        folder / "t.parquet",
        row_group_size=2,
    )
    return "t.parquet"


def gpkg(folder):
    vector(folder / "t.gpkg", "GPKG")
    return "t.gpkg"


def geojson(folder):
    vector(folder / "t.geojson", "GeoJSON")
    return "t.geojson"


def shapefile(folder):
    vector(folder / "shape.shp", "ESRI Shapefile", encoding="UTF-8")
    with zipfile.ZipFile(folder / "shape.zip", "w") as archive:
        for path in folder.glob("shape.*"):
            if path.suffix != ".zip":
                archive.write(path, f"in/{path.name}")
    return "shape.zip"


def plain_shapefile(folder):
    shapefile(folder)
    return "shape.shp"


def sav(folder):
    pyreadstat.write_sav(frame(dates=True), folder / "t.sav")
    return "t.sav"


def zsav(folder):
    pyreadstat.write_sav(frame(), folder / "t.zsav", compress=True)
    return "t.zsav"


def dta(folder):
    pyreadstat.write_dta(frame(dates=True), folder / "t.dta")
    return "t.dta"


FORMATS = [csv, tsv, utf16, gz, zipped, xlsx, xlsx_serials, parquet, parquet_dictionary, gpkg, geojson, shapefile]
FORMATS += [plain_shapefile, sav, zsav, dta]


@pytest.mark.parametrize("make", FORMATS, ids=lambda make: make.__name__)
def test_every_format_gives_the_same_records(tmp_path, incidents, make):
    got = incidents(file=make(tmp_path), **KEYS, **POINTS)
    rows = [tuple(row[k] for k in ("when", "act", "n", "x", "y", "sex", "age")) for row in got.table.to_pylist()]
    assert rows == EXPECTED
    assert (got.rejects.num_rows, got.unit, got.precision, got.crs) == (0, "victims", "day", "EPSG:4326")


@pytest.mark.parametrize("make", [gpkg, geojson, shapefile], ids=lambda make: make.__name__)
def test_points_of_the_file_are_used_where_no_columns_are_named(tmp_path, incidents, make):
    got = incidents(file=make(tmp_path), **KEYS)
    assert got.table.column("x").to_pylist() == [row[1] for row in ROWS]
    assert got.table.column("y").to_pylist() == [row[2] for row in ROWS]
    assert got.crs == "EPSG:4326"


def test_geometries_that_are_no_points(tmp_path, incidents):
    shapes = [shapely.Point(1, 2), shapely.box(0, 0, 1, 1), None, shapely.Point(0, 0)]
    table = pa.table(
        {"when": ["2019-01-01"] * 4, "geometry": pa.array([None if s is None else shapely.to_wkb(s) for s in shapes])}
    )
    pyogrio.write_arrow(
        table, tmp_path / "t.gpkg", driver="GPKG", geometry_name="geometry", geometry_type="Unknown", crs="EPSG:4326"
    )
    got = incidents(file="t.gpkg")
    assert got.table.column("x").to_pylist() == [1, None, None, None]
    assert {p.code: p.row for p in got.problems} == {
        "geometry-no-point": 2,
        "coordinates-missing": 3,
        "coordinates-zero": 4,
    }


def failure(folder, **keys):
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(**keys), folder)
    return caught.value.problems[0]


def test_several_layers_must_be_chosen(tmp_path):
    vector(tmp_path / "t.gpkg", "GPKG", layer="one")
    vector(tmp_path / "t.gpkg", "GPKG", layer="two", append=True)
    found = failure(tmp_path, file="t.gpkg")
    assert (found.code, "one, two" in found.what) == ("layer-several", True)
    assert failure(tmp_path, file="t.gpkg", layer="three").code == "layer-missing"
    raw = read_table(FileSpec(file="t.gpkg", layer="two"), tmp_path)
    assert (raw.table.num_rows, raw.crs, raw.rows.tolist()) == (4, "EPSG:4326", [1, 2, 3, 4])


@pytest.mark.parametrize("make", [parquet, gpkg, geojson, sav, dta], ids=lambda make: make.__name__)
def test_files_that_are_cut_off(tmp_path, make):
    path = tmp_path / make(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    found = failure(tmp_path, file=path.name)
    assert found.code == "file-broken"
    assert str(tmp_path) not in str(found)


@pytest.mark.parametrize("ending", [".gpkg", ".geojson", ".shp", ".fgb", ".parquet", ".sav", ".dta"])
def test_a_vrt_under_a_harmless_ending_never_reaches_gdal(tmp_path, ending):
    (tmp_path / f"t{ending}").write_text("<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>")
    assert failure(tmp_path, file=f"t{ending}").code in ("format-wrong", "file-broken")


def test_a_pipeline_that_looks_like_geojson_is_refused(tmp_path):
    command = {"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd"}
    (tmp_path / "t.json").write_text(json.dumps(command))
    assert failure(tmp_path, file="t.json").code == "format-wrong"


def test_spss_keeps_codes_and_gives_labels(tmp_path, incidents):
    table = pd.DataFrame({"when": ["2019-01-01", "2019-01-02"], "sex": [1.0, 2.0], "means": [1.0, np.nan]})
    labels = {"sex": {1.0: "Hombre", 2.0: "Mujer"}, "means": {1.0: "Arma de fuego"}}
    pyreadstat.write_sav(table, tmp_path / "t.sav", variable_value_labels=labels)
    assert read_table(FileSpec(file="t.sav"), tmp_path).labels["sex"] == {"1": "Hombre", "2": "Mujer"}
    got = incidents(
        file="t.sav", dimensions={"sex": {"column": "sex", "map": {"1": "M", "2": "F"}}, "means": {"column": "means"}}
    )
    assert got.table.column("sex").to_pylist() == ["M", "F"]
    assert got.table.column("means").to_pylist() == ["1", "_U"]
    assert got.dimensions[1].labels == {"1": "Arma de fuego"}


def test_a_zoned_timestamp_is_the_clock_of_its_zone(tmp_path, incidents):
    instants = pa.array([datetime(2019, 1, 1, 3)], pa.timestamp("us", "America/Bogota"))
    pq.write_table(pa.table({"when": instants}), tmp_path / "t.parquet")
    assert incidents(file="t.parquet").table.column("when").to_pylist() == [datetime(2018, 12, 31, 22)]
    moved = incidents(file="t.parquet", timezone="Europe/London").table
    assert moved.column("when").to_pylist() == [datetime(2019, 1, 1, 3)]


def test_geoparquet(tmp_path, incidents):
    about = {"primary_column": "g", "columns": {"g": {"encoding": "WKB", "crs": "EPSG:3857"}}}
    table = pa.table({"when": ["2019-01-01"], "g": pa.array([shapely.to_wkb(shapely.Point(10, 20))])})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(about)}), tmp_path / "t.parquet")
    got = incidents(file="t.parquet")
    assert (got.table.column("x").to_pylist(), got.crs) == ([10], "EPSG:3857")
