"""The workbook: every number shown, no formula, no value that is withheld."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from openpyxl import load_workbook

from safercities.model.estimates import Estimates
from safercities.places.hierarchy import Hierarchy
from safercities.review.annex import annex


def sheet(data, name):
    return list(load_workbook(BytesIO(annex(data)))[name].iter_rows(values_only=True))


def test_it_holds_the_rows_that_the_page_shows(city):
    rows = sheet(city.data(), "sdg.16.1.1")
    head = rows[0]
    found = [dict(zip(head, row, strict=True)) for row in rows[1:]]
    total = [r for r in found if r["place"] == "XX-CTY" and r["sex"] == r["age"] == "_T" and r["unit"] == "victims"]
    assert [row["period"] for row in total] == [str(year) for year in range(2012, 2020)]
    assert total[-2]["value"] == 96
    areas = [r for r in found if r["place"] == "N003"]
    assert {row["period"] for row in areas} == {"2018"}
    assert {row["place_name"] for row in areas} == {"Area 3"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", '=HYPERLINK("x")'])
def test_text_is_never_a_formula(city, text):
    areas = [replace(city.areas[0], name=text), *city.areas[1:]]
    data = city.data(hierarchy=Hierarchy([city.place, *areas]), title=text)
    book = load_workbook(BytesIO(annex(data)))
    cells = [cell for page in book for row in page.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    named = [cell for cell in cells if cell.value == text]
    assert named
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in named)


def test_withheld_values_are_empty(city):
    rows = [row | {"conf_status": "D"} if row["place"] == "N003" else row for row in city.rows()]
    found = sheet(city.data(estimates=Estimates.from_rows(rows, ["sex", "age"])), "sdg.16.1.1")
    head = found[0]
    hidden = [dict(zip(head, row, strict=True)) for row in found[1:] if row[head.index("place")] == "N003"]
    assert hidden
    assert all(row[name] is None for row in hidden for name in ("value", "lower", "upper", "n", "n_positive"))


def test_names_of_sheets_fit_and_differ(city, make_indicator):
    codes = ["recorded." + "x" * 40 + end for end in ("a", "b")]
    rows = [row | {"indicator": code} for code in codes for row in city.rows()]
    data = city.data(
        estimates=Estimates.from_rows(rows, ["sex", "age"]), indicators={code: make_indicator(code) for code in codes}
    )
    names = load_workbook(BytesIO(annex(data))).sheetnames
    assert len(names) == len(set(names)) == 3
    assert all(len(name) <= 31 for name in names)


def test_control_characters_do_not_break_it(city):
    assert sheet(city.data(title="a\x00b"), "Read me")[0][0] == "State of Safety in a\ufffdb, 2018"


def test_a_sheet_can_be_read_as_it_opens(city):
    book = load_workbook(BytesIO(annex(city.data())))
    sheet = book["sdg.16.1.1"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == sheet.dimensions
    assert sheet["A1"].font.bold
    assert sheet.column_dimensions["D"].width > 20
    assert book["Read me"].column_dimensions["B"].width > 40


def test_the_first_sheet_says_that_it_is_private_and_names_each_source(city):
    rows = sheet(city.data(), "Read me")
    assert rows[1][0] == "Not for publication."
    assert rows[-1] == ("police", "Police records", "homicides.csv", "ab" * 32)
