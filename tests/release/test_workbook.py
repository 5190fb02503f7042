"""The workbook of a release: numbers as people read them, withheld cells with a mark, and nothing that runs."""

from __future__ import annotations

import math
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.made_release import CITY, DISTRICTS, content, rows
from safercities.model.estimates import Estimates
from safercities.model.printable import without_controls
from safercities.release import sheets
from safercities.release.content import Content
from safercities.release.texts import sentences
from safercities.release.workbook import write_workbook


def read(made: Content, folder: Path) -> dict[str, list[list[Any]]]:
    """Sheets of the workbook."""
    path = folder / "tables.xlsx"
    write_workbook(made, path)
    book = openpyxl.load_workbook(path)
    return {sheet.title: [[cell.value for cell in row] for row in sheet.rows] for sheet in book}


def table(made: Content, folder: Path, code: str = "sdg.16.1.1") -> list[dict[str, Any]]:
    """Rows of an indicator's sheet by the names of their columns."""
    _, head, *body = read(made, folder)[code]
    return [dict(zip(head, line, strict=True)) for line in body]


def test_withheld_cells_are_a_mark_with_a_word_and_never_a_number(tmp_path: Path) -> None:
    found = table(content(languages=("en",)), tmp_path)
    assert len(found) == len(rows())
    withheld = [row for row in found if row["Place"] != "Medellín" and row["Sex"] != "Total"]
    assert len(withheld) == 4
    for row in withheld:
        assert row["Value"] == "[c] withheld"
        assert {row[name] for name in ("From", "To", "Cases or people")} == {"[c]"}
        assert row["What to know"] is None
    shown = [row for row in found if row not in withheld]
    assert all(isinstance(row["Value"], int | float) for row in shown)


def test_the_first_sheet_explains_the_marks_in_the_main_language(tmp_path: Path) -> None:
    about = next(iter(read(content(), tmp_path).values()))
    said = [cell for row in about for cell in row if cell]
    assert "[c] reservado" in said
    assert any("No es cero" in cell for cell in said)
    assert any("Recuento mínimo (k): 5." in cell for cell in said)
    assert "Datos sintéticos" in str(said)


def test_what_is_too_unsure_or_not_there_has_its_own_mark(tmp_path: Path) -> None:
    first = {**rows()[0], "sex": "_T"}
    given = [{**first, "place": "CO-MDE.01", "verdict": "withhold"}, {**first, "place": "CO-MDE.02", "value": None}]
    made = content(languages=("en",), estimates=Estimates.from_rows(given, dimensions=["sex"]))
    assert [row["Value"] for row in table(made, tmp_path)] == ["[u] too unsure", "[x] not available"]


def test_names_labels_and_quality_stand_in_words(tmp_path: Path) -> None:
    given = [
        {**rows()[0], "place": place, "sex": "F", "quality": "few_cases"} for place in ("CO-MDE.01", "_U.neighbourhood")
    ]
    made = content(languages=("en",), estimates=Estimates.from_rows(given))
    first, second = table(made, tmp_path)
    assert (first["Place"], first["Sex"], first["Source"]) == ("Popular", "Female", "Homicides, police")
    assert first["What to know"].startswith("rests on fewer than 20 cases")
    assert second["Place"] == "Not placed (neighbourhood)"


@pytest.mark.parametrize(
    "name", ["=1+1", "@SUM(A1)", "+1", "-1+2", "＝1+1", "\t=1", "a\x00b", "line\nbreak", "x" * 40_000]
)
def test_no_name_runs(name: str, tmp_path: Path) -> None:
    given = [{**rows()[0], "place": "CO-MDE.01", "method": name, "source": name, "sex": name, "indicator": name}]
    popular = replace(DISTRICTS[0], name=name)
    made = content(
        name=name, places=(CITY, popular), estimates=Estimates.from_rows(given), dimensions={"sex": ((name, name),)}
    )
    write_workbook(made, tmp_path / "tables.xlsx")
    book = openpyxl.load_workbook(tmp_path / "tables.xlsx")
    kinds = {cell.data_type for sheet in book for line in sheet.rows for cell in line}
    assert "f" not in kinds
    with zipfile.ZipFile(tmp_path / "tables.xlsx") as archive:
        assert not any(b"<f>" in archive.read(part) for part in archive.namelist())


def test_same_content_same_bytes(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        write_workbook(content(), tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_arabic_reads_from_the_right(tmp_path: Path) -> None:
    write_workbook(content(languages=("ar", "en"), name="عمّان"), tmp_path / "tables.xlsx")
    book = openpyxl.load_workbook(tmp_path / "tables.xlsx")
    assert all(sheet.sheet_view.rightToLeft for sheet in book)
    assert any("محجوب" in str(cell.value) for line in book["sdg.16.1.1"].rows for cell in line)


def test_no_estimates_make_a_workbook_too(tmp_path: Path) -> None:
    assert list(read(content(estimates=Estimates.empty(["sex"])), tmp_path)) == ["Acerca de"]


def test_a_long_table_goes_on_in_another_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 7)
    found = read(content(), tmp_path)
    assert list(found)[1:] == ["sdg.16.1.1", "sdg.16.1.1~2"]
    assert sum(len(lines) - 2 for lines in list(found.values())[1:]) == len(rows())


@given(st.text(max_size=60), st.sets(st.text(max_size=31).map(str.lower), max_size=4))
def test_names_of_sheets(name: str, taken: set[str]) -> None:
    made = sheets.sheet_name(name, taken)
    assert 0 < len(made) <= 31
    assert made.lower() not in taken
    assert not set(made) & set("[]:*?/\\\x00")


def test_every_sentence_is_said_in_every_language() -> None:
    for key, said in sentences().items():
        assert said.keys() == {"en", "es", "ar"}, key
        names = {
            language: sorted(part.partition("}")[0] for part in text.split("{")[1:]) for language, text in said.items()
        }
        assert names["es"] == names["en"] == names["ar"], key


def test_numbers_come_back_exactly_and_odd_values_as_text() -> None:
    given = [0.1 + 0.2, -1e-300, 10**17, np.float64(1.5), np.int64(7), math.inf, math.nan, True, None, ""]
    book = sheets.Book()
    book.add("a", [given], widths=[8])
    (found,) = openpyxl.load_workbook(BytesIO(book.to_bytes()))["a"].iter_rows(values_only=True)
    assert found == (0.1 + 0.2, -1e-300, 10**17, 1.5, 7, "inf", "nan", "True")


@given(
    st.lists(st.text(st.characters(), max_size=40) | st.sampled_from(["_x003D_1+1", "<f>1</f>", "]]>&amp;", " a\r\n"]))
)
def test_any_text_comes_back_as_text(texts: list[str]) -> None:
    book = sheets.Book()
    book.add("a", [["first", *texts]], widths=[8], heads=1)
    sheet = openpyxl.load_workbook(BytesIO(book.to_bytes()))["a"]
    found = [cell.value or "" for cell in sheet[1][1:]]
    assert all(cell.data_type in "sn" for cell in sheet[1])
    held = [without_controls(text).replace("_x003D_", "_x005F_x003D_") for text in texts]
    while held and not held[-1]:  # empty cells at the end of a row are not there
        held.pop()
    assert found == held


def test_the_list_of_names_holds_the_range_of_the_filters() -> None:
    book = sheets.Book()
    book.add("it's", [["title"], ["place", "n"], ["a", 1]], widths=[8, 8], heads=2)
    with zipfile.ZipFile(BytesIO(book.to_bytes())) as archive:
        assert "'it''s'!$A$2:$B$3" in archive.read("xl/workbook.xml").decode()
