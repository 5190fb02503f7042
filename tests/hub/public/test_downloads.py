"""Files of an indicator: the same numbers as the page and the release, safe in spreadsheets, named as what they are."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from django.test import Client

from hub.figures.made_chain import full_city
from hub.public.made_indicator import CODE, city_folder, figures_of, mini, shown
from safercities.hub import published
from safercities.hub.figures import Query
from safercities.hub.models import Observatory
from safercities.release.sdmx_names import code_text

__all__ = ["city_folder", "mini"]
FILE = f"/o/hamlet/i/{CODE}"


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return b"".join(answer).decode("utf-8")  # type: ignore[arg-type]  # of a stream, all of it


def test_csv_has_every_row_of_the_release(mini: Observatory, client: Client) -> None:
    (data,) = mini.releases.glob("*/data.csv")
    with data.open(encoding="utf-8", newline="") as file:
        released = [row | {"REF_AREA": code_text(row["REF_AREA"], "REF_AREA")} for row in csv.DictReader(file)]
    found = list(csv.DictReader(io.StringIO(text(client, f"{FILE}.csv"))))
    names = {"value": "OBS_VALUE", "lower": "LOWER_BOUND", "upper": "UPPER_BOUND", "place": "REF_AREA"}
    names |= {"period": "TIME_PERIOD", "sex": "SEX", "conf_status": "CONF_STATUS"}
    theirs = sorted(tuple(row[name] for name in names.values()) for row in released)
    assert sorted(tuple(row[name] for name in names) for row in found) == theirs
    assert all(row["value"] == "" for row in found if row["conf_status"] == "N")


def test_sdmx_csv_is_that_of_the_release(mini: Observatory, client: Client) -> None:
    (data,) = mini.releases.glob("*/data.csv")
    found = text(client, f"{FILE}.sdmx.csv").splitlines()
    released = data.read_text(encoding="utf-8").splitlines()
    assert found[0] == released[0]
    assert len(found) == len(released)


def test_json_says_whose_numbers_they_are_and_null_where_there_is_none(mini: Observatory, client: Client) -> None:
    found = json.loads(text(client, f"{FILE}.json"))
    assert found["observatory"] == "XA-MIN"
    assert found["synthetic"] is False
    assert {row["value"] for row in found["rows"] if row["conf_status"] == "N"} == {None}


@pytest.mark.parametrize("query", ["by=sex", "level=neighbourhood&by=sex&period=all&unit=victims", "period=2023"])
def test_the_file_of_a_page_has_its_rows_and_no_other(mini: Observatory, client: Client, query: str) -> None:
    page = shown(client.get(f"{FILE}/?view=table&{query}").content.decode())
    rows = list(csv.DictReader(io.StringIO(text(client, f"{FILE}.csv?shown=1&{query}"))))
    numbers = [tuple(float(row[name]) for name in ("value", "lower", "upper") if row[name]) for row in rows]
    assert [one.numbers for one in page] == numbers


def test_files_are_named_and_never_run(mini: Observatory, client: Client) -> None:
    for ending, media in {"csv": "text/csv", "json": "application/json", "svg": "image/svg+xml"}.items():
        answer = client.get(f"{FILE}.{ending}")
        assert answer["Content-Type"].startswith(media)
        assert answer["Content-Disposition"] == f'attachment; filename="XA-MIN-{CODE}.{ending}"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert client.get(f"{FILE}.svg?inline=1")["Content-Disposition"].startswith("inline")
    assert client.get(f"{FILE}.csv?inline=1")["Content-Disposition"].startswith("attachment")


def test_a_drawing_says_what_it_shows(mini: Observatory, client: Client) -> None:
    svg = text(client, f"{FILE}.svg?by=sex")
    for word in ("Recorded robberies", "Male", "Female", "per 100,000 people a year", "release 1"):
        assert word in svg
    assert "<script" not in svg
    assert client.get(f"{FILE}.png").content.startswith(b"\x89PNG")


@pytest.mark.parametrize("unit", ["per 100 000", "victims"])
def test_a_map_is_drawn_with_what_is_withheld_as_such(mini: Observatory, client: Client, unit: str) -> None:
    asked = {"view": "map", "unit": unit, "level": "neighbourhood"}
    answer = client.get(f"{FILE}.svg", asked)
    svg = answer.content.decode()
    figures = figures_of(mini)
    query = Query([CODE], units=[unit], levels=["neighbourhood"], periods=["2024"], total_only=True)
    rows = figures.rows(query).to_pylist()
    drawn = [row for row in rows if not figures.places[row["place"]].unplaced]
    for row in drawn:
        assert f"<title>{figures.places[row['place']].name}: " in svg
    assert ("withheld to protect people" in svg) == any(row["conf_status"] == "N" for row in drawn)
    assert client.get(f"{FILE}.png", asked).content.startswith(b"\x89PNG")


def test_texts_of_a_release_that_mean_harm_do_none(db: None, client: Client, tmp_path: Path) -> None:
    full_city(tmp_path)
    made = Observatory.objects.create(slug="strange", name="S", place_id="CO-MDE", folder=str(tmp_path / "city"))
    published.refresh(made)
    figures = figures_of(made)
    (code,) = [code for code, info in figures.indicators.items() if "strange" in info.sources]
    for unit in figures.choices(Query([code], sources=["strange"])).codes("units"):
        query = {"source": "strange", "unit": unit or "_Z", "view": "table"}
        html = client.get(f"/o/strange/i/{code}/", query).content.decode()
        assert shown(html)
        assert "message warning" not in html
        for ending in ("csv", "svg"):
            b"".join(client.get(f"/o/strange/i/{code}.{ending}", query | {"shown": "1"}))  # type: ignore[arg-type]
    rows = csv.reader(io.StringIO(text(client, f"/o/strange/i/{code}.csv")))
    assert not any(cell.startswith(("=", "+", "@", "\t")) for row in rows for cell in row)
