"""Workbooks: sheets, dates, merged cells, formulas, hidden rows, and files that are cut off or hostile."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from safercities.collect import workbook, workbook_cells
from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.model.errors import SafercitiesError


def save(folder, rows, edit=None, name="a.xlsx"):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if edit:
        edit(book)
    book.save(folder / name)


def read(folder, **keys):
    return read_table(FileSpec(**{"file": "a.xlsx"} | keys), folder)


def code_of(folder, **keys):
    with pytest.raises(SafercitiesError) as caught:
        read(folder, **keys)
    return caught.value.problems[0]


def test_types_dates_and_hidden_rows(tmp_path):
    rows = [["d", "n", "t", "m"], [datetime(2019, 4, 23), 1, "x", 1], [date(2019, 4, 24), 2, None, "y"]]

    def hide(book):
        book.active.row_dimensions[3].hidden = True

    save(tmp_path, rows, hide)
    raw = read(tmp_path)
    assert raw.rows.tolist() == [2, 3]
    assert raw.table.to_pylist()[1] == {"d": datetime(2019, 4, 24), "n": 2, "t": None, "m": "y"}
    assert raw.table.column("m").to_pylist() == ["1", "y"]


def test_sheets_by_name_by_number_and_not_at_all(tmp_path):
    def two(book):
        other = book.create_sheet("Second")
        other.append(["b"])
        other.append([2])

    save(tmp_path, [["a"], [1]], two)
    assert read(tmp_path, sheet="Second").table.column_names == ["b"]
    assert read(tmp_path, sheet=1).table.column_names == ["a"]
    assert "Second" in code_of(tmp_path).what
    for wrong in ("Third", 3, 0):
        assert code_of(tmp_path, sheet=wrong).code == "sheet-missing"


def test_a_hidden_sheet_is_not_asked_about(tmp_path):
    def two(book):
        book.create_sheet("lists").sheet_state = "hidden"

    save(tmp_path, [["a"], [1]], two)
    assert read(tmp_path).table.column_names == ["a"]


def test_merged_cells_are_filled_downwards_and_said(tmp_path):
    rows = [["ward", "n"], ["North", 1], [None, 2], [None, 3], ["South", 4]]
    save(tmp_path, rows, lambda book: book.active.merge_cells("A2:A4"))
    raw = read(tmp_path)
    assert raw.table.column("ward").to_pylist() == ["North", "North", "North", "South"]
    assert raw.merged["ward"].tolist() == [0, 1, 2]
    assert [(p.code, p.row, p.column, p.rows) for p in raw.problems] == [("cells-merged", 2, "ward", 3)]


def test_a_count_merged_over_rows_is_not_counted_again_and_again(tmp_path, incidents):
    rows = [["when", "n"], ["2019-01-01", 10], ["2019-01-02", None], ["2019-01-03", 5]]
    save(tmp_path, rows, lambda book: book.active.merge_cells("B2:B3"))
    got = incidents(file="a.xlsx", unit={"column": "n"})
    assert got.table.column("n").to_pylist() == [5]
    assert set(got.rejects.column("code").to_pylist()) == {"count-merged"}


def test_a_header_merged_with_the_rows_above_or_below(tmp_path):
    save(tmp_path, [["ward", "people"], [None, "n"], ["North", 1]], lambda book: book.active.merge_cells("A1:A2"))
    assert code_of(tmp_path, header=2).code == "header-merged"
    save(tmp_path, [["ward", "people", None], ["x", 1, 2]], lambda book: book.active.merge_cells("B1:C1"))
    assert code_of(tmp_path).code == "column-unnamed"


def test_formulas_give_their_stored_value_and_those_without_are_said(tmp_path):
    save(tmp_path, [["n"], [1], ["=A2+1"]])
    raw = read(tmp_path)
    assert [p.code for p in raw.problems] == ["formulas-unstored"]
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path) as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    assert b"<f>A2+1</f>" in sheet
    start = sheet.index(b"<f>A2+1</f>") + len(b"<f>A2+1</f>")
    members["xl/worksheets/sheet1.xml"] = sheet[:start] + b"<v>2</v>" + sheet[sheet.index(b"</c>", start) :]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    raw = read(tmp_path)
    assert raw.table.column("n").to_pylist() == [1, 2]
    assert raw.problems == ()


def test_empty_rows_keep_the_numbers(tmp_path):
    save(tmp_path, [["Title"], [], ["a", "b"], [1, 2], [], [3, 4]])
    raw = read(tmp_path, header=3)
    assert raw.rows.tolist() == [4, 6]
    assert code_of(tmp_path, header=2).code == "header-missing"


def test_header_only_and_empty_sheet(tmp_path):
    save(tmp_path, [["a", "b"]])
    assert [p.code for p in read(tmp_path).problems] == ["rows-none"]
    save(tmp_path, [])
    assert code_of(tmp_path).code == "header-missing"


@pytest.mark.parametrize("cut", [0.2, 0.6, 0.95])
def test_a_truncated_workbook(tmp_path, cut):
    save(tmp_path, [["a"], *([i] for i in range(500))])
    content = (tmp_path / "a.xlsx").read_bytes()
    (tmp_path / "a.xlsx").write_bytes(content[: int(len(content) * cut)])
    assert code_of(tmp_path).code == "workbook-broken"


def test_a_damaged_sheet_a_text_and_another_zip(tmp_path, write):
    save(tmp_path, [["a"], [1]])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)
    for content in (stream.getvalue(), b"a,b\n1,2\n", b"PK\x03\x04"):
        write("a.xlsx", content)
        assert code_of(tmp_path).code == "workbook-broken"


def test_entities_are_refused(tmp_path):
    save(tmp_path, [["a"], [1]])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
    sheet = members["xl/worksheets/sheet1.xml"]
    members["xl/worksheets/sheet1.xml"] = bomb + sheet[sheet.index(b"<worksheet") :]
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert code_of(tmp_path).code == "workbook-unsafe"


def test_a_bomb_is_not_opened(tmp_path, monkeypatch):
    save(tmp_path, [["a"], [1]])
    monkeypatch.setattr(workbook, "MAX_WORKBOOK", 1000)
    assert code_of(tmp_path).code == "archive-bomb"


def test_a_few_bytes_cannot_claim_billions_of_cells(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_cells, "MAX_CELLS", 1000)
    save(tmp_path, [["a"], *[[1]] * 5], lambda book: book.active.cell(7, 300, "stray"))
    assert code_of(tmp_path).code == "workbook-wide"
    save(tmp_path, [["a"], [1]])
    assert read(tmp_path).rows.tolist() == [2]


def test_a_row_number_that_no_sheet_has_ends_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_cells, "MAX_ROWS", 100)
    save(tmp_path, [["a"], [1]], lambda book: book.active.cell(50_000, 1, "stray"))
    assert code_of(tmp_path).code == "workbook-wide"
