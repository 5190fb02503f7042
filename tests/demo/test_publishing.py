"""Synthetic cities publish, country and region are observatories of their releases: nothing withheld goes up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import safercities as sc
from safercities.demo.city import build
from safercities.demo.run import keys_of
from safercities.demo.truth import PLACE, Truth
from safercities.measure.rows import ROUNDED
from safercities.model.estimates import Estimates
from safercities.publishing import Published, publish
from safercities.release.attacked import attack_releases
from safercities.release.store import KeyStore
from safercities.release.verify import verify_release

DAY = date(2026, 3, 2)
YEARS = (2022, 2023, 2024)
SECOND, THIRD = "XA-TWO", "XA-THR"
HOMICIDE, ROBBERY = "sdg.16.1.1", "recorded.robbery"
#: Of a small city: what takes part is little, so that the tests are fast.
PUBLISH = """
[publish]
method = "{method}"
levels = [{levels}]
tables = [{tables}]
indicators = ["sdg.16.1.1", "recorded.robbery"{more}]
"""
#: The method of a country's crude rate.
POOLED = "denominator-weighted mean, MOVER interval; of: crude rate, Garwood interval; published under: rounding, k = 5"
SURVEY = ', "sdg.16.1.3.physical"'
ABOVE = """[observatory]
name = "{name}"
place = "{place}"
level = "{level}"
synthetic = true

{sources}
[measure]
indicators = ["sdg.16.1.1", "recorded.robbery"]
by = [["sex"], ["place"]]
"""


@dataclass(frozen=True)
class Made:
    """An observatory that published."""

    folder: Path
    keys: KeyStore
    published: Published


def city(folder: Path, seed: int, place: str, method: str, **more: str) -> tuple[Made, Truth]:
    truth = build(folder, seed=seed, years=YEARS)
    path = folder / "observatory.toml"
    text = path.read_text(encoding="utf-8").replace(f'place = "{PLACE}"', f'place = "{place}"')
    text = text[: text.index("[publish]")] + PUBLISH.format(method=method, **more)
    path.write_text(text, encoding="utf-8")
    return published(folder, place), truth


def published(folder: Path, place: str, day: date = DAY) -> Made:
    keys = keys_of(folder, place)
    keys.make(DAY)
    return Made(folder, keys, publish(sc.open(folder), published=day, keys=keys))


def above(folder: Path, place: str, level: str, members: dict[str, Made]) -> Path:
    """The folder of a larger place, its members' releases (and nothing else of theirs) in it."""
    lines = []
    for name, made in members.items():
        shutil.copytree(made.folder / "releases", folder / name)
        lines.append(f'[sources.{name}]\nkind = "release"\nfile = "{name}"\nidentity = "{made.keys.identity}"\n')
    text = ABOVE.format(name=place, place=place, level=level, sources="\n".join(lines))
    (folder / "observatory.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("federation")


@pytest.fixture(scope="module")
def one(root: Path) -> tuple[Made, Truth]:
    """The demo's city, under rounding, with its survey."""
    return city(root / "one", 2016, PLACE, "rounding", levels='"district"', tables='["sex"], ["place"]', more=SURVEY)


@pytest.fixture(scope="module")
def two(root: Path) -> tuple[Made, Truth]:
    """A second city, under rounding, of totals and sexes only."""
    return city(root / "two", 77, SECOND, "rounding", levels="", tables='["sex"]', more="")


@pytest.fixture(scope="module")
def three(root: Path, two: tuple[Made, Truth]) -> Made:
    """The second city's inputs as a third one's, under suppression."""
    folder = root / "three"
    shutil.copytree(two[0].folder, folder, ignore=shutil.ignore_patterns("releases", "private"))
    path = folder / "observatory.toml"
    text = path.read_text(encoding="utf-8").replace(SECOND, THIRD).replace('"rounding"', '"suppression"')
    path.write_text(text, encoding="utf-8")
    return published(folder, THIRD)


@pytest.fixture(scope="module")
def country(root: Path, one: tuple[Made, Truth], two: tuple[Made, Truth], three: Made) -> Made:
    folder = above(root / "country", "XA", "country", {"one": one[0], "two": two[0], "three": three})
    observatory = sc.open(folder)
    assert [p for p in observatory.check() if p.severity == "error"] == []
    observatory.build()
    assert observatory.review()
    return published(folder, "XA")


@pytest.fixture(scope="module")
def region(root: Path, country: Made) -> Made:
    folder = above(root / "region", "XA-REG", "region", {"country": country})
    return published(folder, "XA-REG")


def test_each_release_holds_and_stands_the_attack(
    one: tuple[Made, Truth], two: tuple[Made, Truth], three: Made, country: Made, region: Made
) -> None:
    for made in (one[0], two[0], three, country, region):
        found = verify_release(made.published.folder, identity=made.keys.identity)
        assert found.manifest.synthetic
        assert attack_releases([made.published.folder]).openings == ()
        assert set(made.published.estimates.table.column("conf_status").to_pylist()) <= {"F", "N"}


def test_both_protections_do_what_they_say(one: tuple[Made, Truth], three: Made) -> None:
    rounded = counts(one[0].published.estimates)
    assert rounded
    assert all(row["value"] == 0 or row["value"] >= 5 for row in rounded)
    hidden = [row for row in counts(three.published.estimates) if row["conf_status"] == "N"]
    shown = [row for row in counts(three.published.estimates) if row["conf_status"] == "F"]
    assert hidden
    assert all(row["value"] is None and row["lower"] is None for row in hidden)
    assert all(row["value"] >= 5 for row in shown)


def counts(estimates: Estimates) -> list[dict[str, Any]]:
    return [row for row in estimates.rows() if row["method"].removesuffix(ROUNDED) == "count"]


def test_the_country_never_holds_a_number_that_a_city_withheld(three: Made, country: Made) -> None:
    made = three
    true = {key(row): row for row in sc.open(made.folder).measure().rows()}
    hidden = {key(row) for row in made.published.estimates.rows() if row["conf_status"] == "N"}
    assert hidden & true.keys()
    tables = list(parquets(country.folder))
    assert len(tables) >= 5  # three members', the country's own estimates and release
    for name, rows in tables:
        for row in rows:
            if row["place"] == THIRD and key(row) in hidden:
                for column in ("value", "se", "lower", "upper", "n", "n_positive"):
                    assert row[column] is None, (name, row)
    names = {path.name for path in country.folder.rglob("*") if path.is_file()}
    assert names.isdisjoint({path.name for path in made.folder.iterdir()} - {"observatory.toml", "README.md"})
    assert "root.pem" not in names


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("indicator", "place", "period", "unit", "method", "source", "sex", "age")
    return tuple(row.get(name, "_T") for name in names)


def parquets(folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for path in folder.rglob("*.parquet"):
        table = pq.read_table(path)
        if {"indicator", "place", "value"} <= set(table.column_names):
            yield str(path), table.to_pylist()


def test_pooled_rates_agree_with_the_truth(one: tuple[Made, Truth], two: tuple[Made, Truth], country: Made) -> None:
    """Person-weighted true rates of both cities lie near the country's: as far as chance and rounding go."""
    for code, series in ((HOMICIDE, "homicide.registry"), (ROBBERY, "robbery")):
        source = "registry" if code == HOMICIDE else "reports"
        for year in YEARS:
            row = rate(country.published.estimates, code, source, str(year), "XA")
            people = [truth.person_years(year=year) for _, truth in (one, two)]
            rates = [truth.rate(series, year=year) for _, truth in (one, two)]
            true = sum(r * n for r, n in zip(rates, people, strict=True)) / sum(people)
            cases = true * sum(people) / 1e5
            near = 4 * (cases**0.5 + 5) / sum(people) * 1e5
            assert abs(row["value"] - true) < near
            assert row["denominator"] == pytest.approx(sum(people), rel=1e-6)
            assert row["coverage"] == pytest.approx(sum(people) / (sum(people) + people[1]), rel=1e-3)


def rate(estimates: Estimates, code: str, source: str, period: str, place: str) -> dict[str, Any]:
    """The crude rate of all members that round."""
    rows = estimates.where(indicator=code, source=source, period=period, place=place).totals().rows()
    found = [row for row in rows if row["unit"].startswith("per ") and row["method"] == POOLED]
    assert len(found) == 1, [(row["unit"], row["method"]) for row in rows]
    return found[0]


def test_what_a_member_withheld_is_told_as_no_number(three: Made, country: Made) -> None:
    """Women's homicides of the third city: nothing of the country stands for it, and the others' say how much it is."""
    hidden = [row for row in counts(three.published.estimates) if row["conf_status"] == "N"]
    assert hidden
    for row in hidden:
        said = country.published.estimates.where(
            indicator=row["indicator"], period=row["period"], source=row["source"], sex=row["sex"], place="XA"
        )
        for one in said.rows():
            if "suppression" in one["method"] and "count" in one["method"]:
                assert one["value"] is None
            assert one["coverage"] is None or one["coverage"] < 1


def test_the_region_tells_what_its_country_published(country: Made, region: Made) -> None:
    theirs = rate(country.published.estimates, HOMICIDE, "registry", "2024", "XA")
    rows = region.published.estimates.where(indicator=HOMICIDE, source="registry", period="2024", place="XA-REG")
    found = [row for row in rows.totals().rows() if row["unit"].startswith("per ") and row["value"] is not None]
    assert any(row["value"] == pytest.approx(theirs["value"]) for row in found)
    places = set(region.published.estimates.table.column("place").to_pylist())
    assert PLACE not in places  # what lies below a member does not go up
    assert SECOND not in places
