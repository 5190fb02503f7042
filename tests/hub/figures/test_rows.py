"""Rows of the index are those of the releases in force, whatever is asked, in whatever order, page by page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.figures.conftest import Made
from hub.figures.made_chain import STRANGE, WRONG, as_set
from release.made_release import CITY, DISTRICTS
from safercities.hub.figures import Query, reader
from safercities.hub.figures.query import FACETS
from safercities.model.errors import UsageError

CODES: dict[str, list[str | None]] = {
    "indicators": ["sdg.16.1.1", "recorded.robbery", "sdg.16.1.3"],
    "places": [CITY.id, *(one.id for one in DISTRICTS)],
    "periods": ["2022", "2023", "2024", "2024-Q4", "1999"],
    "units": ["victims", "per 100 000", STRANGE[0], None],
    "methods": ["count", "rate", STRANGE[1], None],
    "sources": ["homicides", "strange"],
    "versions": ["2017-1", "2018-1"],
    "levels": ["city", "neighbourhood", "ward"],
}
DIMENSIONS = {"sex": ["_T", "F", "M", *STRANGE], "age": ["_T", "Y5T9", "Y10T14"]}
HARM = ["", "'", '"; DROP TABLE wide', "\x00", "_row", "%", "NULL", "-1", "\ud800"]


def queries() -> st.SearchStrategy[Query]:
    """Questions with codes that there are and that there are not."""

    def some(codes: list[Any]) -> st.SearchStrategy[list[Any]]:
        return st.one_of(st.just([]), st.lists(st.sampled_from([*codes, *HARM]), max_size=4))

    return st.builds(
        Query,
        **{name: some(codes) for name, codes in CODES.items()},
        dimensions=st.fixed_dictionaries({}, optional={name: some(codes) for name, codes in DIMENSIONS.items()}),
        inside=st.sampled_from([None, None, CITY.id, DISTRICTS[0].id, "nowhere"]),
        total_only=st.booleans(),
    )


def naive(table: pa.Table, query: Query) -> pa.Table:
    """The rows that fit, by Arrow's own filter."""
    levels = {CITY.id: "city", **{one.id: one.level for one in DISTRICTS}}
    level = pa.array([levels[place] for place in table.column("place").to_pylist()])
    wanted = {column: list(getattr(query, name)) for name, column in FACETS.items()}
    wanted |= {name: list(codes) for name, codes in query.dimensions.items()}
    if query.total_only:
        wanted |= {name: ["_T"] for name in DIMENSIONS if name not in query.dimensions}
    inside = {None: levels, CITY.id: levels, DISTRICTS[0].id: [DISTRICTS[0].id]}.get(query.inside, [])
    keep = pa.array([place in inside for place in table.column("place").to_pylist()])
    for name, codes in wanted.items():
        column = level if name == "_level" else table.column(name)
        codes = [code for code in codes if code is None or code.isascii() or code in STRANGE]  # no half characters
        if query.dimensions.get(name, codes) or getattr(query, _facet(name), None):
            keep = pc.and_(keep, pc.is_in(column, pa.array(codes, pa.string())))
    return table.filter(keep)


def _facet(column: str) -> str:
    return {column: name for name, column in FACETS.items()}.get(column, "-")


def test_all_rows_in_force_are_there_each_once_and_nothing_else(made: Made) -> None:
    found = made.figures.rows(Query())
    assert as_set(found) == as_set(made.expected)
    assert found.column("row").to_pylist() == list(range(found.num_rows))
    assert found.column_names == [*made.expected.column_names[:-1], "release", "row"]


@given(query=queries())
def test_rows_are_those_of_a_naive_filter(made: Made, query: Query) -> None:
    wanted = as_set(naive(made.expected, query))
    found = made.figures.rows(query)
    assert as_set(found) == wanted
    assert made.figures.count(query) == len(wanted)
    numbers = found.column("row").to_pylist()
    assert numbers == sorted(numbers)
    assert as_set(pa.concat_tables([found.slice(0, 0), *made.figures.batches(query)])) == wanted
    assert set(made.figures.places_with(query)) == set(found.column("place").to_pylist())


@given(query=queries(), size=st.integers(1, 7))
def test_pages_put_together_are_the_whole(made: Made, query: Query, size: int) -> None:
    pages, after = [], None
    while (page := made.figures.rows(query, limit=size, after=after)).num_rows:
        pages.append(page)
        after = page.column("row")[-1].as_py()
    whole = made.figures.rows(query)
    assert pa.concat_tables([whole.slice(0, 0), *pages]).to_pylist() == whole.to_pylist()


@given(query=queries(), order=st.sampled_from([(), ("-value",), ("period", "-place")]), size=st.integers(1, 7))
def test_records_say_the_same_as_rows_and_pages_can_be_skipped(
    made: Made, query: Query, order: tuple[str, ...], size: int
) -> None:
    whole = made.figures.rows(query, order=order).to_pylist()
    assert made.figures.records(query, order=order) == whole
    skipped = made.figures.records(query, order=order, limit=100, skip=size)
    assert skipped == whole[size : size + 100]
    some = made.figures.records(query, order=order, limit=size, columns=["place", "value", "note", "release"])
    assert some == [{name: row[name] for name in ("place", "value", "note", "release")} for row in whole[:size]]


@given(indicator=st.sampled_from(CODES["indicators"]), place=st.sampled_from(CODES["places"]), query=queries())
def test_what_is_held_of_a_place_answers_as_the_index_does(
    made: Made, indicator: str, place: str, query: Query
) -> None:
    asked = replace(query, indicators=[indicator], places=[place])
    held = made.figures.rows(asked), made.figures.count(asked), made.figures.summary(asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "MOST_OF_BLOCK", -1)
        found, count = made.figures.rows(asked), made.figures.count(asked)
        summary = made.figures.summary(asked)
    assert found.equals(held[0])
    assert count == held[1] == found.num_rows
    assert sorted(map(repr, held[2])) == sorted(map(repr, summary))


@given(query=queries())
def test_a_summary_counts_every_row_by_what_it_says_of_itself(made: Made, query: Query) -> None:
    names = ("obs_status", "conf_status", "quality", "verdict", "note")
    wanted = Counter(
        (*(row[name] for name in names), None if row["value"] is None else True)
        for row in made.figures.rows(query).to_pylist()
    )
    found = made.figures.summary(query)
    assert {(*(row[name] for name in names), row["value"]): count for row, count in found} == wanted
    assert len(found) == len(wanted)


def test_long_answers_come_in_parts_in_order(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_STEPS", (3, 20))
    monkeypatch.setattr(reader, "BATCH", 4)
    for query in (Query(), Query(periods=["2024-Q4"]), Query(places=[CITY.id]), Query(places=["nowhere"])):
        parts = list(made.figures.batches(query))
        assert all(0 < part.num_rows <= 4 for part in parts)
        whole = made.figures.rows(query)
        assert pa.concat_tables([whole.slice(0, 0), *parts]).equals(whole)


def test_what_was_superseded_or_withdrawn_is_nowhere(made: Made) -> None:
    rows = made.figures.rows(Query(periods=["2023"])).to_pylist()
    assert WRONG not in {row["value"] for row in rows}
    assert DISTRICTS[1].id not in {row["place"] for row in rows}
    assert "strange" not in {row["source"] for row in rows}
    assert 2 not in {row["release"] for row in made.figures.rows(Query()).to_pylist()}


def test_a_later_release_wins_even_where_it_withholds(made: Made) -> None:
    query = Query(periods=["2023"], places=[CITY.id], units=["victims"], sources=["homicides"])
    found = {
        row["sex"]: (row["value"], row["conf_status"], row["release"]) for row in made.figures.rows(query).to_pylist()
    }
    assert found == {"_T": (45.0, "F", 4), "F": (None, "N", 4), "M": (35.0, "F", 4)}


def test_withheld_rows_stay_rows_without_numbers(made: Made) -> None:
    rows = [row for row in made.figures.rows(Query()).to_pylist() if row["conf_status"] == "N"]
    assert rows
    assert all(row[name] is None for row in rows for name in ("value", "se", "lower", "upper", "n", "n_positive"))


def test_order_by_columns_with_missing_values_last(made: Made) -> None:
    query = Query(periods=["2024"], sources=["homicides"], units=["victims"])
    values = made.figures.rows(query, order=["-value", "place"]).column("value").to_pylist()
    shown = [value for value in values if value is not None]
    assert shown == sorted(shown, reverse=True)
    assert values[len(shown) :] == [None] * (len(values) - len(shown))
    periods = made.figures.rows(Query(sources=["homicides"], total_only=True), order=["period"]).column("period")
    assert list(dict.fromkeys(periods.to_pylist())) == ["2022", "2023", "2024", "2024-Q4"]
    ages = made.figures.rows(Query(periods=["2024-Q4"]), order=["age"], columns=["age"]).column("age").to_pylist()
    assert list(dict.fromkeys(ages)) == ["_T", "Y5T9", "Y10T14"]


@pytest.mark.parametrize(
    "given",
    [
        {"limit": 0},
        {"limit": 10**9},
        {"limit": True},
        {"limit": "5"},
        {"limit": 2.0},
        {"after": -5},
        {"after": 2**70},
        {"columns": ["value", "secret"]},
        {"columns": ["_release"]},
        {"order": ["value; DROP TABLE wide"]},
        {"order": "value"},
        {"order": ["--value"]},
        {"order": ["value"], "after": 3},
    ],
)
def test_strange_calls_are_refused(made: Made, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        made.figures.rows(Query(), **given)


@pytest.mark.parametrize(
    "given",
    [
        {"places": "CO-MDE"},
        {"places": [1]},
        {"places": [None]},
        {"places": {"CO-MDE"}},
        {"places": ["x"] * 20_000},
        {"dimensions": ["sex"]},
        {"dimensions": {"sex": "F"}},
        {"dimensions": {1: ["F"]}},
        {"total_only": "yes"},
    ],
)
def test_strange_filters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Query(**given)


def test_a_dimension_that_there_is_not_is_refused_and_the_known_ones_are_named(made: Made) -> None:
    for name in ("income", "value", 'sex" OR 1=1 --', "_level", "SEX"):
        for ask in (made.figures.rows, made.figures.count, made.figures.choices, made.figures.batches):
            with pytest.raises(UsageError, match="sex, age"):
                ask(Query(dimensions={name: ["x"]}))


def test_too_many_rows_at_once_are_refused(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_ROWS", 10)
    with pytest.raises(UsageError, match="more than 10 rows"):
        made.figures.rows(Query())
    assert made.figures.rows(Query(), limit=10).num_rows == 10
