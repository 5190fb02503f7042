"""Writes the synthetic city's files the way real offices export them: mixed formats, languages, codes and gaps."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet
import shapely
from pyproj import Transformer

from safercities.demo.draw import Cases, anonymous_points
from safercities.demo.mess import as_csv, decimal_comma, forget
from safercities.demo.shape import CENTRE, DEGREES, METRES, ground
from safercities.demo.truth import CENSUS_AGES, CENSUS_YEARS, census

LABEL = "SYNTHETIC DATA: made up for a demonstration. Nobody in it exists."

HOMICIDES = "homicides_police.csv"
REGISTRY = "deaths_registry.xlsx"
REPORTS = "police_reports.parquet"
THEFTS = "thefts_monthly.csv"
ANTISOCIAL = "antisocial.csv.gz"
POPULATION = "population.csv"

#: File → kind of mess → number of rows. Rows with an impossible date are extra; the others are cases that were drawn.
MESS: dict[str, dict[str, int]] = {
    HOMICIDES: {
        "impossible_date": 3,
        "impossible_latitude": 2,
        "no_coordinates": 9,
        "outside": 4,
        "unknown_age": 11,
        "unknown_sex": 5,
    },
    REGISTRY: {"unknown_place": 6, "unknown_age": 4},
    REPORTS: {"no_coordinates": 60, "outside": 12, "unknown_age": 150, "unknown_sex": 40},
    THEFTS: {},
    ANTISOCIAL: {"no_coordinates": 25},
}
_FAR_AT_SEA = (0.14, 0.12)  # degrees east and north of the city's middle: beyond every boundary
_REPORT_WORDS = {"robbery": "ROBO", "assault": "LESIONES", "harassment": "ACOSO CALLEJERO"}
_THEFT_AGES = ("Hasta 14", "15 a 24", "25 a 34", "35 a 59", "60 o más")


def write_all(folder: Path, cases: Mapping[str, Cases], seed: int) -> None:
    """Write every input file of the city except `observatory.toml`."""
    rng = np.random.default_rng([seed, 1000])
    write_boundaries(folder)
    write_population(folder)
    write_homicides(folder, cases["homicide.police"], rng)
    write_registry(folder, cases["homicide.registry"], rng)
    write_reports(folder, {name: cases[name] for name in _REPORT_WORDS}, rng)
    write_thefts(folder, cases["theft"])
    write_antisocial(folder, cases["antisocial"], rng)


def write_boundaries(folder: Path) -> None:
    """Districts and neighbourhoods as GeoJSON; neighbours share their borders point by point."""
    city = ground()
    parent = [city.district_codes[index] for index in city.district]
    quarters = [
        {"code": code, "name": name, "district": district}
        for code, name, district in zip(city.codes, city.names, parent, strict=True)
    ]
    districts = [
        {"code": code, "name": name} for code, name in zip(city.district_codes, city.district_names, strict=True)
    ]
    _write_geojson(folder / "neighbourhoods.geojson", quarters, city.polygons)
    _write_geojson(folder / "districts.geojson", districts, city.district_polygons())


def _write_geojson(path: Path, properties: Sequence[Mapping[str, str]], shapes: np.ndarray) -> None:
    features = [
        {"type": "Feature", "properties": dict(row), "geometry": json.loads(shapely.to_geojson(shape))}
        for row, shape in zip(properties, shapes, strict=True)
    ]
    content = {"type": "FeatureCollection", "name": path.stem, "description": LABEL, "features": features}
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def write_population(folder: Path) -> None:
    """Two censuses: one row a neighbourhood, census, sex and five-year group."""
    people = census()
    year, place, sex, group = (part.ravel() for part in np.indices(people.shape))
    table = pa.table(
        {
            "place": np.array(ground().codes)[place],
            "year": np.array(CENSUS_YEARS)[year],
            "sex": np.array(["male", "female"])[sex],
            "age_from": np.array(CENSUS_AGES)[group],
            "people": people.ravel(),
        }
    )
    (folder / POPULATION).write_bytes(as_csv(table, ","))


def write_homicides(folder: Path, cases: Cases, rng: np.random.Generator) -> None:
    """The police's homicides: semicolons, decimal commas, −1 for an unknown age, rows that cannot be."""
    mess = MESS[HOMICIDES]
    xy = _with_lost_points(rng, cases.xy, mess)
    age, sex = forget(rng, cases.age, mess["unknown_age"], -1), _sex_words(rng, cases.sex, mess["unknown_sex"])
    when = np.char.replace(np.datetime_as_string(cases.when), "T", " ")
    extra = rng.choice(len(cases), mess["impossible_date"], replace=False)
    rows = np.concatenate([np.arange(len(cases)), extra])
    when, xy, age, sex = when[rows], xy[rows], age[rows], sex[rows]
    when[len(cases) :] = [f"{text[:4]}-02-31{text[10:]}" for text in when[len(cases) :]]
    table = pa.table(
        {
            "fecha_hecho": when,
            "longitud": decimal_comma(xy[:, 0]),
            "latitud": decimal_comma(xy[:, 1]),
            "sexo": sex,
            "edad": age,
            "medio": rng.choice(["Arma de fuego", "Arma blanca", "Otro"], len(age), p=[0.62, 0.27, 0.11]),
        }
    ).sort_by([("fecha_hecho", "ascending"), ("edad", "ascending"), ("longitud", "ascending")])
    number = pa.array([f"H{index:05d}" for index in range(1, table.num_rows + 1)])
    (folder / HOMICIDES).write_bytes(as_csv(table.add_column(0, "caso", number), ";"))


def write_registry(folder: Path, cases: Cases, rng: np.random.Generator) -> None:
    """The health registry's deaths by assault: a workbook with a title above the header, places by code, sex 1 or 2."""
    mess = MESS[REGISTRY]
    place = forget(rng, np.array(ground().codes, dtype=object)[cases.place], mess["unknown_place"], "99")
    age = forget(rng, cases.age.astype(object), mess["unknown_age"], None)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Defunciones")
    sheet.append(["Registro de defunciones por agresión (X85–Y09)"])
    sheet.append([LABEL])
    sheet.append(["fecha_defuncion", "barrio", "sexo", "edad"])
    days = cases.when.astype("datetime64[s]").tolist()
    for row in zip(days, place, (cases.sex + 1).tolist(), age, strict=True):
        sheet.append(row)
    (folder / REGISTRY).write_bytes(_timeless(book))


def write_reports(folder: Path, cases: Mapping[str, Cases], rng: np.random.Generator) -> None:
    """Police reports of three offences in one Parquet file, with the force's own words and metres."""
    mess = MESS[REPORTS]
    word = np.repeat([_REPORT_WORDS[name] for name in cases], [len(part) for part in cases.values()])
    when, sex, age, xy = (
        np.concatenate([getattr(part, name) for part in cases.values()]) for name in ("when", "sex", "age", "xy")
    )
    order = np.argsort(when, kind="stable")
    lost = _with_lost_points(rng, xy[order], mess)
    east, north = Transformer.from_crs(DEGREES, METRES, always_xy=True).transform(lost[:, 0], lost[:, 1])
    there = ~np.isnan(lost[:, 0])
    years = forget(rng, age[order].astype(float), mess["unknown_age"], np.nan)
    table = pa.table(
        {
            "reported": pa.array(when[order].astype("datetime64[s]")),
            "offence": word[order],
            "victim_sex": forget(rng, np.array(["M", "F"], dtype=object)[sex[order]], mess["unknown_sex"], None),
            "victim_age": pa.array(years, pa.int16(), mask=np.isnan(years), safe=False),
            "east": pa.array(np.round(east, 1), mask=~there),
            "north": pa.array(np.round(north, 1), mask=~there),
        }
    ).replace_schema_metadata({"about": LABEL})
    pyarrow.parquet.write_table(table, folder / REPORTS, compression="zstd")


def write_thefts(folder: Path, cases: Cases) -> None:
    """Thefts as monthly counts in Latin-1: a row stands for all thefts of a month, neighbourhood, sex and age group."""
    month = cases.when.astype("datetime64[M]")
    group = np.digitize(cases.age, [15, 25, 35, 60])
    keys, counts = np.unique(
        np.column_stack([month.astype(int), cases.place, cases.sex, group]), axis=0, return_counts=True
    )
    table = pa.table(
        {
            "año_mes": np.datetime_as_string(keys[:, 0].astype("datetime64[M]")),
            "barrio": np.array(ground().codes)[keys[:, 1]],
            "sexo": np.array(["Hombre", "Mujer"])[keys[:, 2]],
            "grupo_edad": np.array(_THEFT_AGES)[keys[:, 3]],
            "casos": counts,
        }
    )
    (folder / THEFTS).write_bytes(as_csv(table, ",").decode().encode("latin-1"))


def write_antisocial(folder: Path, cases: Cases, rng: np.random.Generator) -> None:
    """Anti-social behaviour by month, moved to a few anonymous points: many rows are the same on purpose."""
    points = anonymous_points()
    xy = points[cases.place, rng.integers(0, points.shape[1], len(cases))]
    xy = forget(rng, xy, MESS[ANTISOCIAL]["no_coordinates"], np.nan)
    table = pa.table(
        {
            "month": np.datetime_as_string(cases.when.astype("datetime64[M]")),
            "longitude": pa.array(xy[:, 0], mask=np.isnan(xy[:, 0])),
            "latitude": pa.array(xy[:, 1], mask=np.isnan(xy[:, 1])),
            "type": np.full(len(cases), "Anti-social behaviour"),
        }
    )
    (folder / ANTISOCIAL).write_bytes(gzip.compress(as_csv(table, ","), 6, mtime=0))


def _with_lost_points(rng: np.random.Generator, xy: np.ndarray, mess: Mapping[str, int]) -> np.ndarray:
    """Coordinates of which some are missing (nan), some lie out at sea, and some cannot be."""
    numbers = [mess.get(kind, 0) for kind in ("no_coordinates", "outside", "impossible_latitude")]
    missing, at_sea, impossible = np.split(rng.choice(len(xy), sum(numbers), replace=False), np.cumsum(numbers)[:-1])
    xy = xy.copy()
    xy[missing] = np.nan
    xy[at_sea] = np.add(CENTRE, _FAR_AT_SEA)
    xy[impossible, 1] = 612.0
    return xy


def _sex_words(rng: np.random.Generator, sex: np.ndarray, unknown: int) -> np.ndarray:
    words = np.array(["Hombre", "Mujer"], dtype=object)[sex]
    return forget(rng, words, unknown, "Sin dato")


def _timeless(book: openpyxl.Workbook) -> bytes:
    """A workbook's bytes without the moment at which it was made, so that the same seed gives the same bytes."""
    made, clean = io.BytesIO(), io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(clean, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2016-07-01T00:00:00Z", content)
            new.writestr(zipfile.ZipInfo(name, (2016, 7, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return clean.getvalue()
