"""Publishing by anonymous points, from end to end; and that no text and no coordinate of a case leaves the office."""

from __future__ import annotations

import random
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest

import mini
import safercities
from safercities.measure.breakdown import COUNT
from safercities.measure.rows import ROUNDED
from safercities.model.errors import SafercitiesError
from safercities.publishing import Published, publish
from safercities.release.store import KeyStore

DAY = date(2025, 3, 1)
#: What somebody wrote of a case: nobody may read it.
SECRETS = ("Zoë Quimby", "beaten behind the old mill", "ID-77123")
POINTS = """
[publish.addresses]
file = "addresses.csv"
longitude = "lon"
latitude = "lat"
least = 40
sources = ["robberies"]
"""


def addresses(n: int = 400, seed: int = 5) -> str:
    draw = random.Random(seed)
    lines = [f"{draw.uniform(0, 2):.7f},{draw.uniform(0, 2):.7f}" for _ in range(n)]
    return "\n".join(["lon,lat", *lines]) + "\n"


def robberies(n: int = 600, seed: int = 1) -> str:
    """Most in one corner; some without coordinates; each with a name, a description and a number."""
    draw = random.Random(seed)
    lines = ["date,lon,lat,sex,description,victim"]
    for number in range(n):
        x, y = (draw.uniform(0, 2) ** 2 / 2 for _ in range(2))
        where = f"{x:.7f},{y:.7f}" if draw.random() > 0.03 else ","
        day = f"{draw.choice((2023, 2024))}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        lines.append(f"{day},{where},{draw.choice(('woman', 'man'))},{SECRETS[1]} {number},{SECRETS[0]} {SECRETS[2]}")
    return "\n".join(lines) + "\n"


def city(folder: Path, method: str = "rounding", more: str = POINTS) -> Path:
    toml = f'{mini.TOML}\n[publish]\nmethod = "{method}"\n{more}'
    mini.build(folder / "city", toml=toml, robberies=robberies())
    (folder / "city" / "addresses.csv").write_text(addresses(), encoding="utf-8")
    store = KeyStore.open("XA-MIN", folder / "keys")
    if not store.exists:
        store.make(date(2025, 1, 1))
    return folder / "city"


def published(folder: Path) -> Published:
    return publish(safercities.open(folder / "city"), published=DAY, keys=KeyStore.open("XA-MIN", folder / "keys"))


@pytest.mark.parametrize("method", ["rounding", "suppression"])
def test_counts_by_point_are_published_protected_and_add_up(tmp_path: Path, method: str) -> None:
    city(tmp_path, method)
    made = published(tmp_path)
    rows = made.estimates.where(method=[COUNT, COUNT + ROUNDED], sex="_T", period="2024").rows()
    found = {row["place"]: row["value"] for row in rows}
    points = {id: n for id, n in found.items() if re.fullmatch(r"0\d\.\d+\.[0-9a-f]{6}", id)}
    assert points
    assert all(n is None or n == 0 or n >= 5 for n in found.values())
    if method == "rounding":
        assert sum(points.values()) + (found.get("_U.point") or 0) == found["XA-MIN"]
    structure = (made.folder / "structure.xml").read_text(encoding="utf-8")
    assert all(id in structure for id in points)
    assert ">lon<" in structure
    rates = made.estimates.where(place=list(points))
    assert set(rates.table.column("method").to_pylist()) == {COUNT + (ROUNDED if method == "rounding" else "")}


def test_other_addresses_cannot_move_the_same_cases(tmp_path: Path) -> None:
    folder = city(tmp_path)
    first = published(tmp_path)
    (folder / "addresses.csv").write_text(addresses(seed=6), encoding="utf-8")
    with pytest.raises(SafercitiesError) as caught:
        publish(
            safercities.open(folder),
            published=DAY,
            keys=KeyStore.open("XA-MIN", tmp_path / "keys"),
            supersedes=first.folder.name,
            reason="late cases",
        )
    assert caught.value.problems[0].code == "points-changed"


def everything(folder: Path) -> str:
    """All that can be read in a release, archives unpacked."""
    texts = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            texts.append(path.name + "\n" + path.read_bytes().decode("utf-8", "ignore"))
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                texts += [book.read(name).decode("utf-8", "ignore") for name in book.namelist()]
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            texts.append(repr(pq.read_table(path).to_pylist()) + repr(pq.read_schema(path).metadata))
    return "\n".join(texts)


def test_no_text_and_no_coordinate_of_a_case_is_in_a_release(tmp_path: Path) -> None:
    folder = city(tmp_path)
    text = everything(published(tmp_path).folder)
    raw = (folder / "robberies.csv").read_text(encoding="utf-8").splitlines()[1:]
    own = {value for line in raw for value in line.split(",")[1:3] if value}
    homes = {value for line in addresses().splitlines()[1:] for value in line.split(",")}
    assert "2024" in text
    assert [secret for secret in SECRETS if secret in text or secret.split()[0] in text] == []
    assert "description" not in re.sub(r"(?i)<[^>]*description[^>]*>", "", text)
    assert [value for value in own | homes if value in text] == []
    for name in ("robberies.csv", "addresses.csv", "areas.geojson"):
        assert name not in text


def test_new_addresses_serve_new_periods(tmp_path: Path) -> None:
    folder = city(tmp_path)
    toml = (folder / "observatory.toml").read_text(encoding="utf-8")
    cases = (folder / "robberies.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "observatory.toml").write_text(toml.replace("2023/2024", "2023"), encoding="utf-8")
    (folder / "robberies.csv").write_text("".join(line for line in cases if not line.startswith("2024")), "utf-8")
    first = published(tmp_path)
    (folder / "observatory.toml").write_text(toml, encoding="utf-8")
    (folder / "robberies.csv").write_text("".join(cases), encoding="utf-8")
    (folder / "addresses.csv").write_text(addresses(seed=6), encoding="utf-8")
    second = published(tmp_path)
    before, now = (set(one.estimates.table.column("place").to_pylist()) for one in (first, second))
    assert {id for id in before & now if "." in id} <= {"_U.point", "_U.neighbourhood"}
    assert any(id.count(".") == 2 for id in before - now)
