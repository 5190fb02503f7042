"""The review of releases: what is withheld is said and never drawn as zero, and nothing in it is private."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import shapely

import mini
import safercities as sc
from safercities.maps.svg import Areas, Layer, MapText, choropleth, symbols
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.publishing import publish
from safercities.release.store import KeyStore
from safercities.review.build import render
from safercities.review.released import Release, Released, last_of_each
from safercities.review.rows import Number

DAY = date(2025, 3, 1)
EMPTY = ("value", "lower", "upper", "n", "n_positive", "quality", "denominator")


def released(method: str = "suppression") -> Released:
    rules = {"method": method, "minimum_count": 5, "sensitive_count": 10}
    return Released((Release("2018-1", "ab" * 32, DAY, rules),))


@pytest.fixture(scope="module")
def withheld(city):
    """The made city, of a release: the second area, the women and one year of the whole withheld."""
    rows = []
    for row in city.rows():
        hidden = row["place"] == "N001" or row.get("sex") == "F" or (row["place"], row["period"]) == ("XX-CTY", "2014")
        rows.append(row | {"conf_status": "N" if hidden else "F"} | (dict.fromkeys(EMPTY) if hidden else {}))
    made = Estimates.from_rows(rows, ["sex", "age"])
    return city.data(estimates=made, released=released(), problems=(), languages=("en", "es", "ar"))


@pytest.mark.parametrize(
    ("language", "word", "said"),
    [
        ("en", "withheld", "Counts below 5 (10 where something sensitive takes part) are withheld to protect people"),
        ("es", "reservad", "para proteger a las personas"),
        ("ar", "محجوب", "لحماية الناس"),
    ],
)
def test_withheld_is_a_word_in_every_language(withheld, language: str, word: str, said: str):
    page = render(withheld, language)
    assert said in page
    row = re.search(r'<th scope="row">Area 1</th>(.*?)</tr>', page, re.DOTALL)
    assert row is not None
    assert word in row[1].lower()
    assert ">0<" not in row[1]
    assert re.search(rf"<title>Area 1: [^<]*{word}", page)


def test_what_is_withheld_is_named_beside_each_drawing(withheld):
    page = render(withheld)
    assert "Withheld, so not drawn: Area 1." in page
    assert "Withheld, so not drawn: 2014." in page
    assert re.search(r"Withheld, so not drawn: [^<]*Women", page)


def test_a_withheld_whole_is_said_in_the_first_sentence(withheld):
    page = render(replace(withheld, period="2014"))
    assert "the number is withheld, so that nobody can be recognised" in page
    assert "Nothing can be said" not in page
    assert "withheld victims" not in page


def test_the_page_of_releases_tells_nothing_private(withheld):
    page = render(withheld)
    assert "Not for publication" not in page
    assert "homicides.csv" not in page
    assert "What was left out" not in page
    assert "2018-1 (March 1, 2025)" in page


def test_rounding_is_told_in_one_sentence(withheld):
    page = render(replace(withheld, released=released("rounding")))
    assert "Counts are rounded to protect people: cases of small groups become 0 or 5 (10 where" in page


@pytest.mark.parametrize("draw", [choropleth, symbols])
def test_maps_tell_withheld_from_missing(draw):
    areas = Areas(np.array([shapely.box(x, 0, x + 1, 1) for x in range(3)], dtype=object), "EPSG:3857")
    values, none = np.array([4.0, np.nan, np.nan]), np.zeros(3, dtype=bool)
    layer = Layer(values, ["A: 4", "B: withheld", "C: no data"], none, np.array([False, True, False]))
    svg = draw(areas, layer, MapText("T", "D"), uid="m")
    assert re.search(r'fill="url\(#m-held\)"[^>]*><title>B', svg)
    assert re.search(r'fill="url\(#m-none\)"[^>]*><title>C', svg)
    assert ">withheld</text>" in svg
    assert ">no data</text>" in svg
    assert svg.count('r="0"') == 0


def test_of_rows_in_several_releases_the_last_counts():
    row = {"indicator": "sdg.16.1.1", "place": "CO", "period": "2024", "unit": "victims"}
    first = Estimates.from_rows([row | {"value": 1.0, "sex": "_T"}, row | {"value": 2.0, "sex": "F"}], ["sex"])
    found = last_of_each([first, Estimates.from_rows([row | {"value": 3.0}])])
    assert {one["sex"]: one["value"] for one in found.rows()} == {"_T": 3.0, "F": 2.0}


# -- of an observatory -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def observatory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small observatory that published, its raw inputs gone but for the boundaries."""
    root = tmp_path_factory.mktemp("published")
    folder = root / "city"
    mini.build(folder, toml=mini.TOML + '\n[publish]\nmethod = "suppression"\n')
    keys = KeyStore.open("XA-MIN", root / "keys")
    keys.make(date(2025, 1, 1))
    publish(sc.open(folder), published=DAY, keys=keys)
    for path in folder.glob("*.csv"):
        path.unlink()
    return folder


def test_releases_are_reviewed_without_the_raw_inputs(observatory: Path):
    written = sc.open(observatory).review(published=True)
    folder = written[0].parent
    assert folder.name.endswith("-published")
    assert not (folder / ".gitignore").exists()
    assert stat.S_IMODE(folder.stat().st_mode) & 0o055 == 0o055
    page = written[0].read_text(encoding="utf-8")
    assert "Not for publication" not in page
    assert "withheld" in page
    book = openpyxl.load_workbook(folder / "data.xlsx", read_only=True)
    hidden = []
    for sheet in book.worksheets[1:]:
        head, *rows = sheet.iter_rows(values_only=True)
        hidden += [dict(zip(head, row, strict=False)) for row in rows if "N" in row]
    assert hidden
    assert all(row["value"] is None and row["n"] is None for row in hidden)


def test_a_release_that_was_altered_is_not_reviewed(observatory: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "city"
    shutil.copytree(observatory, folder)
    (data,) = (folder / "releases").glob("*/data.csv")
    data.write_bytes(data.read_bytes() + b"\n")
    with pytest.raises(SafercitiesError) as caught:
        sc.open(folder).review(published=True)
    assert caught.value.problems[0].code == "release-altered"


def test_where_nothing_was_published_the_command_says_what_to_do(tmp_path: Path):
    mini.build(tmp_path / "city")
    call = [sys.executable, "-m", "safercities", "review", str(tmp_path / "city"), "--published", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["problems"][0]["code"] == "review-no-release"


def test_a_published_survey_says_that_at_least_so_many_were_interviewed():
    row = dict.fromkeys(("value", "lower", "upper", "level", "n", "n_positive", "denominator", "unit", "method"))
    row |= dict.fromkeys(("quality", "verdict", "scheme"), "") | {"value": 5.0, "n": 2000}
    assert [Number.from_row(row | {"conf_status": one}).published for one in ("F", "N", None)] == [True, False, False]
