"""The table of an indicator's page says what the release says: every row of it, and nothing else."""

from __future__ import annotations

import csv
from collections import Counter

import pytest
from django.http import QueryDict
from django.test import Client

from hub.public.made_indicator import CODE, city_folder, every_row, figures_of, mini, shown
from safercities.hub.figures import Query
from safercities.hub.models import Observatory
from safercities.hub.public import indicator_table
from safercities.hub.public.indicator_state import read
from safercities.hub.public.words import Words

__all__ = ["city_folder", "mini"]
WITHHELD = "N"


def test_every_value_of_the_release_stands_in_a_table_and_no_other(mini: Observatory, client: Client) -> None:
    (data,) = mini.releases.glob("*/data.csv")
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    said: Counter[tuple[float, ...]] = Counter()
    withheld = 0
    figures = figures_of(mini)
    for code in figures.indicators:
        for one in every_row(client, "hamlet", figures, code).values():
            said[one.numbers] += bool(one.numbers)
            withheld += "withheld" in one.cells
    names = ("OBS_VALUE", "LOWER_BOUND", "UPPER_BOUND")
    published = [row for row in rows if row["CONF_STATUS"] != WITHHELD]
    assert said == Counter(tuple(float(row[name]) for name in names if row[name]) for row in published)
    assert withheld == len(rows) - len(published) > 0


def test_each_row_says_its_own_place_period_and_group(mini: Observatory, client: Client) -> None:
    figures = figures_of(mini)
    words = Words(figures, "en")
    rows = {row["row"]: row for row in figures.rows(Query([CODE])).to_pylist()}
    found = every_row(client, "hamlet", figures, CODE)
    assert found.keys() == rows.keys()
    for number, one in found.items():
        row = rows[number]
        assert {words.place(row["place"]), words.period(row["period"])} <= set(one.cells)
        assert row["sex"] == "_T" or words.code("sex", row["sex"]) in one.cells
        numbers = tuple(row[name] for name in ("value", "lower", "upper") if row[name] is not None)
        assert one.numbers == (numbers if row["conf_status"] == "F" else ())


def test_a_withheld_number_is_named_and_none_stands_beside_it(mini: Observatory, client: Client) -> None:
    figures = figures_of(mini)
    held = next(row for row in figures.rows(Query([CODE])).to_pylist() if row["conf_status"] == WITHHELD)
    one = every_row(client, "hamlet", figures, CODE)[held["row"]]
    assert "withheld" in one.cells
    assert not one.numbers
    assert not set(one.cells[-3:]) & {"0", "0.0", "None", "nan", "–"}


def test_a_table_has_a_caption_heads_and_row_heads(mini: Observatory, client: Client) -> None:
    html = client.get(f"/o/hamlet/i/{CODE}/?view=table&by=sex").content.decode()
    assert "<caption>Recorded robberies · Mini · Sex · per 100,000 people a year</caption>" in html
    for head in ("Period", "Sex", "Value", "From", "To", "Rests on"):
        assert f">{head}</th>" in html
    assert '<th scope="row"' in html


def test_many_rows_are_paged_by_link(mini: Observatory, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shown(client.get(f"/o/hamlet/i/{CODE}/?view=table&by=sex").content.decode())
    monkeypatch.setattr(indicator_table, "ROWS", 2)
    pages = [client.get(f"/o/hamlet/i/{CODE}/?view=table&by=sex&page={at}").content.decode() for at in (1, 2, 3)]
    assert shown(pages[0]) + shown(pages[1]) + shown(pages[2]) == whole[:6]
    assert 'rel="next"' in pages[0]
    assert 'rel="prev"' not in pages[0]
    assert 'rel="prev"' in pages[1]
    last = shown(client.get(f"/o/hamlet/i/{CODE}/?view=table&by=sex&page=999").content.decode())
    assert last[-1] == whole[-1]


def test_very_long_tables_end_and_say_so(mini: Observatory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indicator_table, "MOST_ROWS", 3)
    figures = figures_of(mini)
    asked = read(figures, figures.indicators[CODE], QueryDict("by=sex&view=table"))
    made = indicator_table.table(asked, Words(figures, "en"))
    assert made.cut
    assert made.rows == figures.count(asked.query) > 3


def test_what_is_known_of_the_rows_is_counted(mini: Observatory) -> None:
    figures = figures_of(mini)
    asked = read(figures, figures.indicators[CODE], QueryDict("level=neighbourhood&by=sex&period=all&unit=victims"))
    rows = figures.rows(asked.query).to_pylist()
    known = indicator_table.known(asked, Words(figures, "en"))
    assert known.rows == len(rows)
    assert known.withheld == sum(row["conf_status"] == WITHHELD for row in rows) > 0


@pytest.mark.parametrize("language", ["en", "fr", "es", "ar", "zh-hans", "ru"])
def test_numbers_read_the_same_in_every_language(mini: Observatory, client: Client, language: str) -> None:
    english = shown(client.get(f"/o/hamlet/i/{CODE}/?view=table").content.decode())
    other = shown(Client().get(f"/o/hamlet/i/{CODE}/?view=table&lang={language}").content.decode())
    assert [(one.row, one.numbers) for one in other] == [(one.row, one.numbers) for one in english]
