"""Workbooks in which few bytes stand for very much: refused, or read within bounds, by the worker and by a page."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest

from collect import hostile_workbook as hostile
from collect.children import MOST, read_all
from safercities.collect import archive, workbook, workbook_cells
from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.collect.workbook_cells import open_book
from safercities.hub.workbench.sampling import sampled
from safercities.model.errors import SafercitiesError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("workbooks")
    return folder, hostile.make(folder)


def test_few_bytes_never_take_much_memory_in_the_worker(made: tuple[Path, dict[str, str]]) -> None:
    folder, codes = made
    assert all((folder / f"{name}.xlsx").stat().st_size < 2_000_000 for name in codes)
    told = read_all(folder, [f"{name}.xlsx" for name in codes])
    assert {name: one.code for name, one in zip(codes, told, strict=True)} == codes
    # cells are counted with the empty ones before them, of which each takes eight bytes
    assert told[-1].peak < MOST + workbook_cells.MAX_CELLS * 8 / 2**20


def test_few_bytes_never_take_much_memory_in_the_server(made: tuple[Path, dict[str, str]]) -> None:
    folder, codes = made
    told = dict(zip(codes, read_all(folder, [f"{name}.xlsx" for name in codes], "sample"), strict=True))
    assert max(one.peak for one in told.values()) < MOST
    assert {name: one.rows for name, one in told.items() if one.rows} == {
        "last row": 1,
        "above": 18,
        "one text in many cells": 33,
        "shared text without end": 9,
        "merged over and over": 299,
    }


def test_cells_that_hold_nothing_are_neither_counted_nor_filled_up(tmp_path: Path) -> None:
    """The work is counted, not the time: a row ends at its last value, however far its empty cells reach."""
    rows = [hostile.HEADER, *(f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="XFD{n}"/></row>'.encode() for n in (2, 3))]
    hostile.write(tmp_path / "a.xlsx", rows)
    with open_book(tmp_path / "a.xlsx") as book:
        assert [(number, len(row)) for number, row in book.rows(book.sheets[0])] == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("header", [10**9, 2**20, 10**5])
def test_a_header_far_below_is_looked_for_within_bounds(
    made: tuple[Path, dict[str, str]], header: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    rows = workbook_cells.Book.rows

    def counted(self, *given):
        for number, row in rows(self, *given):
            read.append(len(row))
            yield number, row

    monkeypatch.setattr(workbook_cells.Book, "rows", counted)
    spec = FileSpec(file="shared text without end.xlsx", header=header)
    with pytest.raises(SafercitiesError) as caught, sampled(spec, made[0]) as (part, base, _):
        read_table(part, base)
    assert caught.value.problems[0].code in ("header-missing", "workbook-broken")
    assert sum(read) < 100


@pytest.mark.parametrize(
    ("bound", "parts", "code"),
    [
        ("MAX_TEXTS", {"texts": [b"<si><t>x</t></si>"] * 200}, "file-expands"),
        ("MAX_ELEMENTS", {"styles": [b"<xf/>"] * 200}, "workbook-broken"),
        ("MAX_PART", {"styles": [b"<xf/>"] * 2000}, "workbook-broken"),
        ("MAX_ROWS", {"after": [b'<mergeCell ref="A2:A9"/>'] * 200}, "workbook-wide"),
        ("MAX_ROWS", {"sheet": [b"<row/>"] * 200}, "workbook-wide"),
        ("MAX_COLUMNS", {"sheet": [hostile.HEADER, b"<row>", b'<c r="A2"/>' * 200, b"</row>"]}, "workbook-wide"),
    ],
)
def test_each_bound_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, parts: dict[str, list[bytes]], code: str
) -> None:
    parts = {"sheet": [hostile.HEADER], **parts}
    hostile.write(tmp_path / "a.xlsx", **parts)
    table = read_table(FileSpec(file="a.xlsx"), tmp_path) if "sheet" not in code and bound != "MAX_ROWS" else None
    assert table is None or table.table.column_names == ["a"]
    monkeypatch.setattr(workbook_cells, bound, 5000 if bound == "MAX_PART" else 100)
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="a.xlsx"), tmp_path)
    assert caught.value.problems[0].code == code


def test_texts_in_merged_cells_are_counted_for_each_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = openpyxl.Workbook()
    for row in [["a", "b"], ["x" * 1000, 1], *[[None, 1]] * 50]:
        book.active.append(row)
    book.active.merge_cells("A2:A52")
    book.save(tmp_path / "a.xlsx")
    assert read_table(FileSpec(file="a.xlsx"), tmp_path).merged["a"].tolist() == list(range(51))
    monkeypatch.setattr(archive, "FREE_MEMORY", 20_000)
    monkeypatch.setattr(archive, "MAX_RATIO", 0)
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="a.xlsx"), tmp_path)
    assert caught.value.problems[0].code == "file-expands"


def test_a_workbook_that_lies_about_the_sizes_of_its_parts_is_broken(tmp_path: Path) -> None:
    """What is unpacked is never more than what the archive says: there reading stops, and the sum of bytes is wrong."""
    path = tmp_path / "a.xlsx"
    hostile.write(path, [hostile.HEADER, *[b"<row><c><v>1</v></c></row>"] * 5000])
    with zipfile.ZipFile(path) as made:
        size = made.getinfo("xl/worksheets/sheet1.xml").file_size
    content = path.read_bytes()
    assert content.count(size.to_bytes(4, "little")) >= 1
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="a.xlsx"), tmp_path)
    assert caught.value.problems[0].code == "workbook-broken"


def test_a_workbook_that_is_locked_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    hostile.write(path, [hostile.HEADER])
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + at] |= 1
            start += 4
    path.write_bytes(content)
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="a.xlsx"), tmp_path)
    assert caught.value.problems[0].code == "workbook-broken"


def test_a_shared_text_before_the_first_is_none(tmp_path: Path) -> None:
    rows = [hostile.HEADER, b'<row><c t="s"><v>-1</v></c></row>']
    hostile.write(tmp_path / "a.xlsx", rows, texts=[b"<si><t>x</t></si>"])
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="a.xlsx"), tmp_path)
    assert caught.value.problems[0].code == "workbook-broken"


def test_signs_of_merged_cells_without_end_are_looked_through_once(tmp_path: Path) -> None:
    """A pattern that looked for the end of each would look through the rest for every one of them."""
    assert workbook._MERGED.search(b"<mergeCell " * 3) is None
    piece = b"<mergeCell " * 100_000
    found = list(workbook._MERGED.finditer(piece + b'<mergeCell ref="A1:A2"/>'))
    assert [match.group(0) for match in found] == [b'<mergeCell ref="A1:A2"']
