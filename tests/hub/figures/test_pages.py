"""What pages ask: choices that never lead to an empty page, series, tables, maps, headlines, and what is told."""

from __future__ import annotations

import pytest
from hypothesis import given

from hub.figures.conftest import Made
from hub.figures.made_chain import STRANGE
from hub.figures.test_rows import queries
from release.made_release import CITY, DISTRICTS, rows
from safercities.hub.figures import Figures, Query, build
from safercities.hub.figures.headlines import headlines
from safercities.hub.figures.query import FACETS
from safercities.hub.figures.store import ROWS, SHOWN
from safercities.indicators.catalogue import indicator
from safercities.measure.rows import ROUNDED
from safercities.model.errors import UsageError

HOMICIDE = "sdg.16.1.1"


@given(query=queries())
def test_every_choice_leads_to_rows_and_no_choice_is_missing(made: Made, query: Query) -> None:
    found = made.figures.choices(query)
    assert found.rows == made.figures.count(query)
    given = {name: getattr(query, name) for name in (*FACETS, "inside", "total_only")}
    for name in FACETS:
        if name in ("places", "levels"):
            continue
        others = made.figures.rows(Query(**given | {name: ()}, dimensions=query.dimensions))
        column = others.column(FACETS[name]).to_pylist()
        assert {one.code: one.rows for one in found.facets[name]} == {code: column.count(code) for code in set(column)}
    for name in made.figures.dimensions:
        free = dict(query.dimensions) | {name: tuple(made.figures.about.texts[name])}
        column = made.figures.rows(Query(**given, dimensions=free)).column(name).to_pylist()
        assert set(found.codes(name)) == set(column)


@given(query=queries())
def test_the_choices_of_one_filter_are_those_among_all_choices(made: Made, query: Query) -> None:
    found = made.figures.choices(query)
    for name in (*FACETS, *made.figures.dimensions):
        if name != "places":
            assert made.figures.codes(query, name) == ({**found.facets, **found.dimensions})[name]


def test_what_cannot_be_chosen_so_is_refused_and_not_broken(made: Made) -> None:
    for name in ("places", "place", "level", "_level", "", "value"):
        with pytest.raises(UsageError, match="not broken down"):
            made.figures.codes(Query(), name)


def test_choices_say_how_many_values_there_are_and_keep_their_order(made: Made) -> None:
    found = made.figures.choices(Query(periods=["2024-Q4"]))
    assert found.codes("age") == ("_T", "Y5T9", "Y10T14")
    assert found.codes("levels") == ("city", "neighbourhood")
    assert found.codes("periods") == ("2022", "2023", "2024", "2024-Q4")
    assert [(one.code, one.rows, one.shown) for one in found.facets["units"]] == [
        ("per 100 000", 9, 9),
        ("victims", 27, 15),
    ]
    assert made.figures.choices(Query(places=[DISTRICTS[1].id])).codes("periods") == ("2022", "2024", "2024-Q4")
    assert made.figures.choices(Query(sources=["strange"])).codes("units") == (None, *sorted([*STRANGE, "victims"]))


def test_a_series_goes_through_time(made: Made) -> None:
    found = made.figures.series(HOMICIDE, CITY.id, unit="victims", source="homicides").to_pylist()
    assert [(row["period"], row["value"]) for row in found] == [
        ("2022", 40.0),
        ("2023", 45.0),
        ("2024", 40.0),
        ("2024-Q4", 40.0),
    ]
    women = made.figures.series(HOMICIDE, CITY.id, unit="victims", dimensions={"sex": ["F"]}).to_pylist()
    assert [(row["period"], row["value"], row["conf_status"]) for row in women][:2] == [
        ("2022", 10.0, "F"),
        ("2023", None, "N"),
    ]


def test_a_table_is_by_what_was_asked_and_nothing_else(made: Made) -> None:
    found = made.figures.table(HOMICIDE, "2024-Q4", by=["sex"], unit="victims", places=[CITY.id]).to_pylist()
    assert [(row["sex"], row["age"]) for row in found] == [("_T", "_T"), ("M", "_T"), ("F", "_T")]  # as the code list
    found = made.figures.table(HOMICIDE, "2024", by=["sex"], level="neighbourhood", source="homicides").to_pylist()
    assert {row["place"] for row in found} == {one.id for one in DISTRICTS}


def test_a_map_has_one_row_a_place_and_shows_what_is_withheld(made: Made) -> None:
    chosen = {"unit": "victims", "source": "homicides"}
    found = made.figures.map_values(HOMICIDE, "2024", "neighbourhood", **chosen).to_pylist()
    assert {row["place"]: row["value"] for row in found} == {DISTRICTS[0].id: 22.0, DISTRICTS[1].id: 18.0}
    found = made.figures.map_values(HOMICIDE, "2024", "neighbourhood", dimensions={"sex": ["F"]}, **chosen).to_pylist()
    assert {(row["value"], row["conf_status"]) for row in found} == {(None, "N")}
    assert made.figures.map_values(HOMICIDE, "2024", "planet").num_rows == 0


def test_the_latest_is_the_rate_of_the_newest_year(made: Made) -> None:
    (best, strange) = made.figures.latest(HOMICIDE, CITY.id)
    assert (best["period"], best["unit"], best["method"], best["value"]) == ("2024", "per 100 000", "rate", 1.6)
    assert strange["source"] == "strange"
    assert made.figures.latest(HOMICIDE, CITY.id, source="homicides") == [best]
    assert made.figures.latest("no.such", CITY.id) == made.figures.latest(HOMICIDE, "' OR 1=1") == []
    assert made.figures.latest_of([], CITY.id) == {HOMICIDE: [best, strange]}


def test_the_latest_is_there_when_it_is_withheld_and_where_there_is_no_rate(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from hub.figures.made_chain import new_city

    folder = tmp_path_factory.mktemp("latest")
    city = new_city(folder)
    counts = [row for row in rows("2023") if row["unit"] == "victims"]
    city.publish("2023", rows("2023"))
    hidden = {"value": None, "n": None, "n_positive": None, "coverage": None, "lower": None, "upper": None}
    city.publish("2024", [row | hidden | {"conf_status": "N", "period": "2024"} for row in rows("2024")])
    build(folder / "index", city.chain)
    (row,) = Figures.open(folder / "index").latest(HOMICIDE, CITY.id)
    assert (row["period"], row["unit"], row["value"], row["conf_status"]) == ("2024", "per 100 000", None, "N")
    only = new_city(folder / "counts")
    only.publish("2023", counts)
    build(folder / "other", only.chain)
    (row,) = Figures.open(folder / "other").latest(HOMICIDE, CITY.id)
    assert (row["unit"], row["value"]) == ("victims", 40.0)


def test_a_series_does_not_end_where_limits_begin_to_hold_the_rounding_of_counts() -> None:
    """Five years as they were published before an upgrade, and one after it: one series, whichever has more rows."""
    plain = "crude rate, Garwood interval"
    row = {"source": "police", "version": "1", "unit": "per 100 000", "sex": "_T", ROWS: 20, SHOWN: 20}
    rows = [row | {"method": plain, "period": str(year)} for year in range(2019, 2024)]
    rows.append(row | {"method": plain + ROUNDED, "period": "2024", ROWS: 4, SHOWN: 4})
    other = row | {"method": f"directly standardised (WHO), Fay–Feuer interval{ROUNDED}", "period": "2024"}
    (head,) = headlines([*rows, other], ["sex"], None)
    assert (head.method, head.period) == (plain + ROUNDED, "2024")
    (before,) = headlines(rows[:-1], ["sex"], None)
    assert (before.method, before.period) == (plain, "2023")
    two = [*rows, row | {"source": "health", "method": plain, "period": "2024", ROWS: 90, SHOWN: 90}]
    assert [one.source for one in headlines(two, ["sex"], None)] == ["police", "health"]  # of 104 and 90 numbers


def test_what_is_told_of_an_indicator_comes_from_the_release(made: Made) -> None:
    found = made.figures.indicators[HOMICIDE]
    (definition,) = found.definitions
    newest = indicator(HOMICIDE).on()
    assert (definition.known, definition.version, definition.label) == (True, newest.version, newest.label)
    assert definition.text == newest.definition
    assert found.label("fr") == newest.label
    assert found.levels == ("city", "neighbourhood")
    assert found.dimensions["age"] == ("_T", "Y5T9", "Y10T14")
    assert found.rows == made.figures.count(Query(indicators=[HOMICIDE]))
    withheld = [row for row in made.figures.rows(Query(indicators=[HOMICIDE])).to_pylist() if row["conf_status"] == "N"]
    assert found.withheld == len(withheld)
    assert (found.headline.source, found.headline.unit) == ("homicides", "per 100 000")


def test_a_definition_that_is_not_the_catalogues_is_told_as_the_release_tells_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from hub.figures.made_chain import new_city

    folder = tmp_path_factory.mktemp("definition")
    city = new_city(folder)
    own = indicator(HOMICIDE)
    version = own.versions[-1].model_copy(update={"definition": "Counted <our> way.", "label": "Our homicides"})
    city.publish("2023", rows("2023"), indicators={HOMICIDE: own.model_copy(update={"versions": [version]})})
    build(folder / "index", city.chain)
    found = Figures.open(folder / "index").indicators[HOMICIDE]
    assert (found.label(), found.kind) == ("Our homicides", "")
    assert (found.definitions[0].known, found.definitions[0].text) == (False, "Counted <our> way.")


def test_what_is_told_of_places_sources_breakdowns_and_releases(made: Made) -> None:
    told = made.figures
    assert [(one.id, one.level, one.parent) for one in told.places.values()] == [
        (CITY.id, "city", None),
        *((one.id, "neighbourhood", CITY.id) for one in DISTRICTS),
    ]
    assert sum(one.rows for one in told.places.values()) == told.about.rows
    assert (told.sources["homicides"].label, told.sources["homicides"].unit) == ("Source homicides", "victims")
    assert told.breakdowns["sex"].label_of("F") == "sex F"
    assert [one.number for one in told.about.releases] == [5, 4, 3, 2, 1]
    assert [one.in_force for one in told.about.releases] == [True, True, True, False, True]
    third = told.about.releases[2]
    assert (third.reason or "").startswith("counted twice")
    assert third.rules == {"method": "rounding", "minimum_count": 5, "width": 5, "tables": [["sex"], ["place"]]}
    assert third.coverage[0]["estimates"] == 8
    assert told.version == told.about.releases[0].id
