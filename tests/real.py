"""Observatories over the real data sets: the files copied beside an observatory.toml, as an analyst would."""

from __future__ import annotations

import shutil
from pathlib import Path

MEDELLIN = """
[observatory]
name = "Medellín"
place = "CO-MDE"
languages = ["es", "en"]

[[geographies]]
level = "comuna"
file = "medellin_comunas.gpkg"
id = "COMUNA"
name = "NOMBRE"
title_case = true

[sources.homicides]
label = "Homicidios"
kind = "incidents"
file = "medellin_homicides.csv"
delimiter = ";"
decimal = ","
when = "fecha_hecho"
longitude = "longitud"
latitude = "latitud"
act = "0101"
unit = "victims"
covers = "2010/2019"
[sources.homicides.dimensions]
sex = { column = "sexo", map = { Hombre = "M", Mujer = "F" } }
age = { column = "edad", unknown = [-1], bins = [0, 15, 25, 35, 60] }
means = { column = "modalidad", of = "event", label = "Modalidad" }

[measure]
indicators = ["sdg.16.1.1"]
by = [["sex"], ["age"], ["sex", "age"], ["means"], ["place"], ["place", "sex"]]
"""

LANCASHIRE = """
[observatory]
name = "Lancashire"
place = "GB-LAN"
level = "county"

[[geographies]]
level = "district"
file = "lancashire_districts.geojson"
id = "objectid"
name = "district"

[[geographies]]
level = "ward"
file = "lancashire_wards.gpkg"
id = "ward_code"
name = "ward_name"
within = "district"

[sources.asb]
label = "Anti-social behaviour recorded by the police"
kind = "incidents"
file = "lancashire_asb.tab"
when = "month"
precision = "month"
longitude = "longitude"
latitude = "latitude"
act = "08"
unit = "incidents"
covers = "2022"

[sources.people]
label = "Residents by ward"
kind = "population"
file = "lancashire_ward_pop.xlsx"
place = "gss_code"
level = "ward"
period = 2022
count = "population"

[measure]
indicators = ["recorded.antisocial_behaviour"]
by = [["place"]]
"""


def medellin(shared_data: Path, folder: Path) -> Path:
    """An observatory of Medellín's homicides 2010–2019."""
    return _observatory(folder, MEDELLIN, shared_data / "medellin", "medellin_homicides.csv", "medellin_comunas.gpkg")


def lancashire(shared_data: Path, folder: Path) -> Path:
    """An observatory of Lancashire's anti-social behaviour 2022."""
    names = ("lancashire_asb.tab", "lancashire_wards.gpkg", "lancashire_districts.geojson", "lancashire_ward_pop.xlsx")
    return _observatory(folder, LANCASHIRE, shared_data / "lancashire", *names)


def _observatory(folder: Path, toml: str, source: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "observatory.toml").write_text(toml, encoding="utf-8")
    for name in names:
        shutil.copyfile(source / name, folder / name)
    return folder


ENUSC = """
[observatory]
name = "Chile"
place = "CL"
level = "country"
languages = ["es", "en"]

[[geographies]]
level = "region"
file = "regions.csv"
id = "code"
name = "name"

[sources.enusc]
kind = "survey"
label = "ENUSC 2023"
file = "enusc_2023.csv"
period = 2023
population = "Residentes urbanos de 15 años y más"
weight = "Fact_Pers_Reg"
strata = "VarStrat"
psu = "Conglomerado"
scheme = "ine-chile"
places = { region = "enc_region" }
[sources.enusc.dimensions]
sex = { column = "rph_sexo", map = { 1 = "M", 2 = "F" } }
tramo = { column = "rph_edad", label = "Tramo de edad" }
# the file's summary variables stand for roles of the vocabulary that are near: it is the machinery that is tested
[sources.enusc.variables]
victim_physical_12m = { column = "VP_DV", yes = [1], no = [0] }
victim_theft_12m = { column = "VP_DC", yes = [1], no = [0] }
afraid_avoids_places = { column = "PAD", yes = [1], no = [0] }

[sources.homes]
kind = "survey"
label = "ENUSC 2019"
file = "enusc_2019.csv"
period = 2019
population = "Hogares urbanos"
weight = "Fact_Hog"
weights_of = "households"
strata = "VarStrat"
psu = "Conglomerado"
lonely = "adjust"
[sources.homes.variables]
victim_burglary_12m = { column = "VA_DC", yes = [1], no = [0] }

[measure]
indicators = ["sdg.16.1.3.physical", "surveyed.theft", "fear.avoids_places", "surveyed.burglary"]
by = [["sex"], ["sex", "tramo"], ["place"]]
"""


def enusc(data: Path, folder: Path, toml: str = ENUSC) -> Path:
    """Chile's victimisation surveys of 2023 (persons) and 2019 (households)."""
    for year in (2019, 2023):
        shutil.copy(data / "enusc" / f"enusc_{year}.csv", folder)
    regions = "".join(f"{number},Region {number}\n" for number in range(1, 17))
    (folder / "regions.csv").write_text("code,name\n" + regions, encoding="utf-8")
    (folder / "observatory.toml").write_text(toml, encoding="utf-8")
    return folder
