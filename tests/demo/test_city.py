"""The folder holds what the truth says, byte for byte the same for the same seed."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest
import shapely

from safercities import config
from safercities.demo import write
from safercities.demo.audits import AUDITS
from safercities.demo.city import build, is_demo
from safercities.demo.truth import Truth
from safercities.model.errors import UsageError


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _rows(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[dict[str, str]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(content.decode(encoding).splitlines(), delimiter=delimiter))


def test_the_same_seed_gives_the_same_bytes(city: tuple[Path, Truth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, _ = city
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    again, other = tmp_path / "again", tmp_path / "other"
    build(again)
    build(other, seed=7)
    assert _hashes(again) == _hashes(folder)
    same = {name for name, value in _hashes(other).items() if value == _hashes(folder)[name]}
    assert same == {"districts.geojson", "neighbourhoods.geojson", "population.csv"}


def test_the_observatory_is_valid_synthetic_and_its_files_are_there(city: tuple[Path, Truth]):
    folder, _ = city
    spec = config.load(folder)
    assert spec.observatory.synthetic
    assert "synthetic" in spec.observatory.name
    for source in [*spec.sources.values(), *spec.geographies]:
        assert (folder / source.file).is_file()
    assert "@" not in (folder / "observatory.toml").read_text(encoding="utf-8")


def test_every_kind_of_file_says_that_it_is_synthetic(city: tuple[Path, Truth]):
    folder, _ = city
    assert (folder / "README.txt").read_text(encoding="utf-8").startswith("SYNTHETIC")
    assert "SYNTHETIC" in (folder / "observatory.toml").read_text(encoding="utf-8").splitlines()[0]
    assert "SYNTHETIC" in json.loads((folder / "truth.json").read_text(encoding="utf-8"))["about"]
    assert "SYNTHETIC" in json.loads((folder / "districts.geojson").read_text(encoding="utf-8"))["description"]
    assert "SYNTHETIC" in json.loads((folder / AUDITS).read_text(encoding="utf-8"))["description"]
    assert "SYNTHETIC" in pq.read_schema(folder / write.REPORTS).metadata[b"about"].decode()


def test_homicides_hold_the_mess_that_the_truth_counts(city: tuple[Path, Truth]):
    folder, truth = city
    rows = _rows(folder / write.HOMICIDES, ";")
    mess = truth.mess[write.HOMICIDES]
    assert sum("-02-31" in row["fecha_hecho"] for row in rows) == mess["impossible_date"]
    good = [row for row in rows if "-02-31" not in row["fecha_hecho"]]
    assert sum(row["latitud"] == "612" for row in good) == mess["impossible_latitude"]
    assert len(good) == truth.cases("homicide.police")
    assert sum(row["longitud"] == "" for row in good) == mess["no_coordinates"]
    assert sum(row["edad"] == "-1" for row in good) == mess["unknown_age"]
    assert sum(row["sexo"] == "Sin dato" for row in good) == mess["unknown_sex"]
    located = [row for row in good if row["longitud"] and row["latitud"] != "612"]
    at = np.array([[float(row[name].replace(",", ".")) for name in ("longitud", "latitud")] for row in located])
    shapes = json.loads((folder / "neighbourhoods.geojson").read_text(encoding="utf-8"))["features"]
    whole = shapely.union_all([shapely.geometry.shape(feature["geometry"]) for feature in shapes])
    assert (~shapely.contains_xy(whole, at[:, 0], at[:, 1])).sum() == mess["outside"]
    assert Counter(row["caso"] for row in rows).most_common(1)[0][1] == 1


def test_registry_has_its_header_in_row_3(city: tuple[Path, Truth]):
    folder, truth = city
    rows = list(openpyxl.load_workbook(folder / write.REGISTRY).active.iter_rows(values_only=True))
    assert rows[2] == ("fecha_defuncion", "barrio", "sexo", "edad")
    assert len(rows) - 3 == truth.cases("homicide.registry")
    mess = truth.mess[write.REGISTRY]
    assert sum(row[1] == "99" for row in rows[3:]) == mess["unknown_place"]
    assert sum(row[3] is None for row in rows[3:]) == mess["unknown_age"]


def test_reports_hold_three_acts_and_their_gaps(city: tuple[Path, Truth]):
    folder, truth = city
    table = pq.read_table(folder / write.REPORTS)
    words = Counter(table.column("offence").to_pylist())
    assert words == {
        "ROBO": truth.cases("robbery"),
        "LESIONES": truth.cases("assault"),
        "ACOSO CALLEJERO": truth.cases("harassment"),
    }
    gaps = [table.column(name).null_count for name in ("east", "victim_age", "victim_sex")]
    mess = truth.mess[write.REPORTS]
    assert gaps == [mess["no_coordinates"], mess["unknown_age"], mess["unknown_sex"]]


def test_theft_rows_carry_counts(city: tuple[Path, Truth]):
    folder, truth = city
    rows = _rows(folder / write.THEFTS, encoding="latin-1")
    assert sum(int(row["casos"]) for row in rows) == truth.cases("theft")
    women = sum(int(row["casos"]) for row in rows if row["sexo"] == "Mujer" and row["año_mes"].startswith("2023"))
    assert women == truth.cases("theft", year=2023, sex="F")


def test_most_antisocial_rows_repeat_another(city: tuple[Path, Truth]):
    folder, truth = city
    rows = [tuple(row.values()) for row in _rows(folder / write.ANTISOCIAL)]
    assert len(rows) == truth.cases("antisocial")
    assert len(set(rows)) < len(rows) / 5


def test_an_unfinished_city_is_built_again_but_foreign_files_are_safe(tmp_path: Path):
    (tmp_path / "README.txt").write_text(write.LABEL, encoding="utf-8")
    build(tmp_path, years=(2023, 2024, 2025))
    assert is_demo(tmp_path)
    assert config.load(tmp_path).sources["police"].covers == "2023/2025"
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="holds files that the demo did not make"):
        build(foreign)
    assert [path.name for path in foreign.iterdir()] == ["notes.txt"]
    with pytest.raises(UsageError, match="a file of this name"):
        build(foreign / "notes.txt")


@pytest.mark.parametrize("years", [(), (2022, 2023), (2022, 2024, 2025), (2019, 2020, 2021), (2025, 2026, 2027)])
def test_years_that_cannot_be_drawn_are_refused(tmp_path: Path, years: tuple[int, ...]):
    with pytest.raises(UsageError, match="three years in a row between 2020 and 2026"):
        build(tmp_path, years=years)
    assert not list(tmp_path.iterdir())


def test_a_negative_seed_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="seed of -1"):
        build(tmp_path, seed=-1)
