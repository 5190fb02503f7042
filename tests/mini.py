"""A tiny observatory: four square neighbourhoods, a few robberies, a population. Tests break one thing at a time."""

from __future__ import annotations

import json
from pathlib import Path

TOML = """[observatory]
name = "Mini"
place = "XA-MIN"

[[geographies]]
level = "neighbourhood"
file = "areas.geojson"
id = "code"
name = "name"

[sources.robberies]
kind = "incidents"
file = "robberies.csv"
when = "date"
longitude = "lon"
latitude = "lat"
act = "0401"
unit = "victims"
covers = "2023/2024"
[sources.robberies.dimensions]
sex = { column = "sex", map = { woman = "F", man = "M" } }

[sources.people]
kind = "population"
file = "people.csv"
place = "code"
period = "year"
count = "people"
[sources.people.dimensions]
sex = { column = "sex" }

[measure]
indicators = ["recorded.robbery"]
by = [["sex"], ["place"]]
"""

ROBBERIES = """date,lon,lat,sex
2023-01-05,0.5,0.5,woman
2023-03-06,1.5,0.5,man
2023-07-09,0.5,1.5,man
2024-02-01,1.5,1.5,woman
2024-02-01,1.5,1.5,woman
2024-11-30,,,man
"""


def square(x: float, y: float) -> list[list[list[float]]]:
    """A unit square as GeoJSON coordinates."""
    return [[[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]]]


def areas(**properties_of_first: object) -> dict:
    """The four neighbourhoods as GeoJSON; keywords change the first one's code, name or coordinates."""
    first = {"code": "01", "name": "North", "coordinates": square(0, 0)} | properties_of_first
    rest = [("02", "East", square(1, 0)), ("03", "South", square(0, 1)), ("04", "West", square(1, 1))]
    all_of_them = [first] + [{"code": c, "name": n, "coordinates": g} for c, n, g in rest]
    features = [
        {
            "type": "Feature",
            "properties": {"code": a["code"], "name": a["name"]},
            "geometry": {"type": "Polygon", "coordinates": a["coordinates"]},
        }
        for a in all_of_them
    ]
    return {"type": "FeatureCollection", "features": features}


def people(count: int = 1000) -> str:
    """Population of each neighbourhood, year and sex; the first row's number can be changed."""
    lines = ["code,year,sex,people"]
    lines += [f"0{i},{year},{sex},1000" for i in range(1, 5) for year in (2023, 2024) for sex in "FM"]
    lines[1] = f"01,2023,F,{count}"
    return "\n".join(lines) + "\n"


def build(folder: Path, **changed: str | bytes) -> Path:
    """Write the observatory; `toml`, `robberies`, `areas`, `people` replace a file's content."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, tuple[str, str | bytes]] = {
        "toml": ("observatory.toml", TOML),
        "robberies": ("robberies.csv", ROBBERIES),
        "areas": ("areas.geojson", json.dumps(areas())),
        "people": ("people.csv", people()),
    }
    for key, (name, content) in files.items():
        new = changed.get(key, content)
        (folder / name).write_bytes(new if isinstance(new, bytes) else new.encode())
    return folder
