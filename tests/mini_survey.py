"""A tiny observatory: a survey in two waves, police records, a population, audits. Tests break one thing at a time.

The answers come of whole-number arithmetic, so that a test can make them again without reading the file.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import mini

TOML = """[observatory]
name = "Mini"
place = "XA-MIN"

[[geographies]]
level = "district"
file = "districts.csv"
id = "code"
name = "name"

[[geographies]]
level = "ward"
file = "areas.geojson"
id = "code"
name = "name"
parent_column = "district"

[sources.police]
kind = "incidents"
file = "robberies.csv"
when = "date"
longitude = "lon"
latitude = "lat"
act = "0401"
unit = "incidents"
covers = "2023/2024"
[sources.police.dimensions]
sex = { column = "sex", map = { woman = "F", man = "M" } }

[sources.victims]
kind = "survey"
file = "survey.csv"
label = "Victims"
period = { column = "year" }
population = "Residents aged 15 and over"
weight = "w"
strata = "stratum"
psu = "psu"
places = { ward = "ward" }
[sources.victims.dimensions]
sex = { column = "sex", map = { 1 = "M", 2 = "F" }, unknown = [9] }
age = { column = "age", bins = [15, 30, 60] }

[sources.victims.variables]
victim_physical_12m = { column = "phys", yes = [1], no = [2], unknown = [9] }
victim_psychological_12m = { column = "psych", yes = [1], no = [2], unknown = [9] }
victim_sexual_12m = { column = "sexual", yes = [1], no = [2], unknown = [9] }
reported_physical = { column = "told", yes = [1], no = [2], unknown = [9], asked_if = "victim_physical_12m" }
safe_walking_dark = { column = "safe", yes = [1, 2], no = [3, 4], unknown = [8, 9] }
harassed_nonsexual_12m = { column = "h1", yes = [1], no = [2] }
harassed_sexual_12m = { column = "h2", yes = [1], no = [2] }
robberies_12m = { column = "rob", number = true, limits = [0, 50] }

[sources.people]
kind = "population"
file = "people.csv"
place = "code"
period = "year"
count = "people"
[sources.people.dimensions]
sex = { column = "sex" }

[sources.walks]
kind = "audits"
file = "audits.csv"
when = "day"
walk = "walk"
longitude = "lon"
latitude = "lat"
[sources.walks.rubric]
lighting = "lighting"
people = "people"

[measure]
indicators = [
  "sdg.16.1.3", "sdg.16.1.3.physical", "sdg.16.1.4", "sdg.16.3.1.physical", "sdg.11.7.2",
  "surveyed.robbery.incidents", "recorded.robbery", "reporting.robbery", "audit.lighting",
]
by = [["sex"], ["place"], ["sex", "age"]]
"""

#: Respondents: the first 160 of 2023, the others of 2024.
I = np.arange(320)  # noqa: E741 - the number of the respondent
WAVES = np.where(I < 160, 2023, 2024)


def answers() -> dict[str, np.ndarray]:
    """Columns of the survey's file, as they are written there; 10 PSUs of 2 strata in each wave."""
    psu = (7 * I + I // 9) % 10
    phys = np.where((I * 17) % 11 < 3, 1, 2)
    phys[I % 23 == 5] = 9
    return {
        "year": WAVES,
        "stratum": np.where(psu % 2 == 0, "N", "S"),
        "psu": psu,
        "w": 10 + (I * 37) % 29 + (I % 7) / 8,
        "ward": np.array(["01", "02", "03", "04"])[(psu + I) % 4],
        "sex": np.where(I % 31 == 4, 9, 1 + I % 2),
        "age": 15 + (I * 13) % 70,
        "phys": phys,
        "psych": np.where((I * 29) % 13 < 2, 1, np.where(I % 17 == 3, 9, 2)),
        "sexual": np.where((I * 19) % 37 < 1, 1, 2),
        "told": np.where(phys == 1, np.where(I % 3 == 0, 1, 2), 0),
        "safe": np.where(I % 19 == 7, 8, 1 + (I * 7) % 4),
        "h1": np.where((I * 11) % 17 < 3, 1, 2),
        "h2": np.where((I * 5) % 23 < 2, 1, 2),
        "rob": np.where((I * 41) % 29 < 3, 1 + I % 3, 0),
    }


def survey(columns: dict[str, np.ndarray] | None = None) -> str:
    """The survey's file; 0 in `told` is an empty cell: not asked."""
    columns = columns or answers()
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        cells = dict(zip(columns, map(str, row), strict=True))
        if cells.get("told") == "0":
            cells["told"] = ""
        lines.append(",".join(cells.values()))
    return "\n".join(lines) + "\n"


def robberies() -> str:
    """Police records: 60 robberies in each year, all over the four wards."""
    lines = ["date,lon,lat,sex"]
    for year in (2023, 2024):
        lines += [
            f"{year}-{1 + n % 12:02},{0.5 + n % 2},{0.5 + n // 2 % 2},{('woman', 'man')[n % 2]}" for n in range(60)
        ]
    return "\n".join(lines) + "\n"


def audits() -> str:
    """Forty audited points on ten walks."""
    lines = ["day,walk,lon,lat,lighting,people"]
    lines += [
        f"2024-03-{1 + n % 28:02},{n % 10},{0.5 + n % 2},{0.5 + n // 2 % 2},{n * 7 % 4},{n * 5 % 4}" for n in range(40)
    ]
    return "\n".join(lines) + "\n"


def build(folder: Path, **changed: str | bytes) -> Path:
    """Write the observatory; `toml`, `survey`, `robberies`, `areas`, `districts`, `people`, `audits` replace a file."""
    folder.mkdir(parents=True, exist_ok=True)
    areas = mini.areas()
    for number, feature in enumerate(areas["features"]):
        feature["properties"]["district"] = "AB"[number // 2]
    files: dict[str, tuple[str, str | bytes]] = {
        "toml": ("observatory.toml", TOML),
        "survey": ("survey.csv", survey()),
        "robberies": ("robberies.csv", robberies()),
        "areas": ("areas.geojson", json.dumps(areas)),
        "districts": ("districts.csv", "code,name\nA,Upper\nB,Lower\n"),
        "people": ("people.csv", mini.people()),
        "audits": ("audits.csv", audits()),
    }
    for key, (name, content) in files.items():
        new = changed.get(key, content)
        (folder / name).write_bytes(new if isinstance(new, bytes) else new.encode())
    return folder


def with_(old: str, new: str, toml: str = TOML) -> str:
    """The observatory.toml with one thing changed."""
    assert old in toml, old
    return toml.replace(old, new)
