"""Documents of charts and maps: an interval with every number, none of what is withheld, published boundaries only."""

from __future__ import annotations

import json
from typing import Any

import pytest
import shapely
from django.conf import settings
from django.http import QueryDict
from django.test import Client

from hub.public.made_indicator import CODE, city_folder, figures_of, mini
from safercities.hub.models import Observatory
from safercities.hub.public import documents, geo, indicator, indicator_image
from safercities.hub.public.indicator_state import read
from safercities.hub.public.words import Words

__all__ = ["city_folder", "mini"]
CHART, MAP = f"/o/hamlet/i/{CODE}/chart.json", f"/o/hamlet/i/{CODE}/map.json"


def document(client: Client, address: str, **query: str) -> dict[str, Any]:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return dict(json.loads(answer.content))


def test_over_time_it_is_a_trend_with_intervals(mini: Observatory, client: Client) -> None:
    found = document(client, CHART)
    assert found["kind"] == "trend"
    rows = figures_of(mini).series(CODE, "XA-MIN", unit="per 100 000", method="crude rate, Garwood interval")
    names = ("period", "value", "lower", "upper")
    assert [tuple(row[name] for name in names) for row in found["rows"]] == [
        tuple(row[name] for name in names) for row in rows.to_pylist()
    ]
    assert all("95% interval" in row["label"] for row in found["rows"])


def test_groups_are_told_apart_and_everybody_is_among_them(mini: Observatory, client: Client) -> None:
    found = document(client, CHART, by="sex")
    assert {row["group"] for row in found["rows"]} >= {"Total", "Male", "Female"}


def test_places_stand_in_the_order_of_their_names_never_of_their_numbers(mini: Observatory, client: Client) -> None:
    found = document(client, CHART, level="neighbourhood")
    assert found["kind"] == "dots"
    names = [row["name"] for row in found["rows"]]
    assert names == sorted(names, key=str.casefold)


def test_what_is_withheld_has_no_number_in_any_document(mini: Observatory, client: Client) -> None:
    query = {"level": "neighbourhood", "by": "sex", "unit": "victims"}
    chart, shown = document(client, CHART, **query), document(client, MAP, unit="victims", by="sex:F")
    held = [row for row in [*chart["rows"], *shown["places"]] if row["status"] == "withheld"]
    assert held
    for row in held:
        assert row.get("value") is row.get("lower") is row.get("upper") is None
        assert row["label"] == "withheld"


def test_what_is_withheld_is_not_drawn_whatever_stands_in_its_row(mini: Observatory) -> None:
    figures, borders = figures_of(mini), geo.boundaries(mini, "neighbourhood")
    assert borders is not None
    words = Words(figures, "en")
    asked = read(figures, figures.indicators[CODE], QueryDict("view=map&unit=victims"), geo.levels(mini))
    given = documents.layer(asked, borders)
    shown = [row for row in given.rows if row is not None]
    assert len({row["value"] for row in shown}) > 1
    assert len(documents.classes(given, words)) > 1

    def drawn(*rows: dict[str, Any]) -> tuple[list[str], str, str]:
        layer = documents.Layer(borders, rows, ())
        found = documents.map_document(asked, words, layer, geojson="a", href=str)
        svg = indicator_image.map_svg(layer, "Title", "victims", "Source", words).decode()
        share = indicator_image.map_svg(layer, "Title", "%", "Source", words).decode()
        return documents.classes(layer, words), json.dumps(found), svg + share

    left = [row | {"conf_status": "N"} for row in shown]  # as if somebody had left the numbers in
    assert drawn(*left) == drawn(*(row | {"value": None, "lower": None, "upper": None} for row in left))
    labels, found, svg = drawn(*left)
    assert labels == []
    assert "all the same" not in svg + found
    assert "withheld to protect people" in svg
    same = [row | {"value": 424242.0, "conf_status": "F"} for row in shown]
    assert drawn(*same)[0] == ["all the same"]
    assert drawn(left[0] | {"value": 424242.0}, *same[1:]) == drawn(left[0] | {"value": None}, *same[1:])
    assert drawn(*[row | {"value": None} for row in shown])[0] == []


def test_too_many_lines_give_way_to_one_period_and_it_is_said(
    mini: Observatory, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_LINES", 2)
    assert document(client, CHART, by="sex")["kind"] == "dots"
    html = client.get(f"/o/hamlet/i/{CODE}/?by=sex").content.decode()
    assert "The chart shows 2024 only; the table has every period." in html


def test_words_are_in_the_language_that_was_asked_for(mini: Observatory, client: Client) -> None:
    assert document(client, CHART, language="ar")["language"] == "ar"
    assert document(client, CHART, language="xx")["language"] == "en"


def test_a_map_has_a_place_a_boundary_and_a_class_a_label(mini: Observatory, client: Client) -> None:
    found = document(client, MAP)
    areas = json.loads(client.get(found["geojson"]).content)["features"]
    assert {one["properties"]["id"] for one in areas} == {one["id"] for one in found["places"]}
    assert all(client.get(one["href"]).status_code == 200 for one in found["places"][:2])
    assert len(found["classes"]) == len(found["limits"]) + 1 or not found["limits"]
    west, south, east, north = found["bounds"]
    assert west < east
    assert south < north


def test_boundaries_are_those_of_published_places_only(mini: Observatory) -> None:
    found = geo.boundaries(mini, "neighbourhood")
    assert found is not None
    assert set(found.ids) <= set(figures_of(mini).places)
    assert shapely.is_valid(found.shapes).all()
    assert geo.boundaries(mini, "city") is None
    assert geo.file_of(mini, "../../hub") is None


def test_what_pages_read_quickly_is_what_browsers_get(mini: Observatory) -> None:
    found = geo.boundaries(mini, "neighbourhood")
    path = geo.file_of(mini, "neighbourhood")
    assert found is not None
    assert path is not None
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    assert [one["properties"]["id"] for one in features] == list(found.ids)
    shapes = shapely.from_geojson([json.dumps(one["geometry"]) for one in features])
    assert shapely.equals_exact(shapes, found.shapes).all()
    assert geo.levels(mini) == ("neighbourhood",)


def test_a_map_is_made_once_a_release_and_language(
    mini: Observatory, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indicator, "_maps", indicator.Cache(2**22))
    first = document(client, MAP, by="sex:F", again="1")
    monkeypatch.setattr(documents, "map_document", None)
    assert document(client, MAP, by="sex:F", again="2") == first
    with pytest.raises(TypeError):
        client.get(MAP, {"by": "sex:F", "language": "fr"})


def test_maps_that_no_browser_could_draw_are_not_written(mini: Observatory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geo, "_MOST_BYTES", 10)
    try:
        assert geo.refresh_geo(mini) == geo.levels(mini) == ()
        assert geo.file_of(mini, "neighbourhood") is None
    finally:
        monkeypatch.undo()
        assert geo.refresh_geo(mini) == ("neighbourhood",)


def test_an_observatory_whose_folder_is_gone_has_no_maps_and_its_pages_stay(mini: Observatory, client: Client) -> None:
    folder, mini.folder = mini.folder, "/nowhere/at/all"
    try:
        assert geo.refresh_geo(mini) == ()
        html = client.get(f"/o/hamlet/i/{CODE}/?view=map").content.decode()
        assert "no boundaries" in html
        assert client.get(MAP).status_code == 404
        assert client.get(f"/o/hamlet/i/{CODE}.svg?view=map").status_code == 404
    finally:
        mini.folder = folder
        assert geo.refresh_geo(mini) == ("neighbourhood",)


def test_a_basemap_is_drawn_only_where_it_is_set(mini: Observatory, client: Client, settings: Any) -> None:
    assert "basemap" not in document(client, MAP)
    settings.BASEMAP = "https://tiles.example.org/{z}/{x}/{y}.png"
    found = client.get(MAP, {"by": "sex:M"})  # another address: the first may be kept
    assert json.loads(found.content)["basemap"]["tiles"] == [settings.BASEMAP]


def test_files_lie_in_the_home_of_the_hub(mini: Observatory) -> None:
    assert geo.folder(mini) == settings.HOME / "figures" / "hamlet" / "geo"
    assert oct(geo.folder(mini).stat().st_mode & 0o777) == "0o700"
