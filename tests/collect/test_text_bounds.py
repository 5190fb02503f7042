"""Text files that are meant to take long, or much memory: refused, or read within bounds, with a clear problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from collect.children import MOST, read_all
from safercities.collect import text
from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.model.errors import SafercitiesError

MB = 2**20
#: Name → the file, the code of its problem, and the rows that a page reads of its beginning.
FILES = {
    "line": (lambda: b"x" * (40 * MB), "header-long", 0),
    "long row": (lambda: b"a,b\n1,2\n" + b"x" * (40 * MB) + b",3\n", "text-unreadable", 1),
    "row of commas": (lambda: b"a,b\n1,2\n" + b"," * (40 * MB), "text-unreadable", 1),
    "columns": (lambda: ",".join(f"c{n}" for n in range(10**6)).encode() + b"\n", "header-long", 0),
    "one name": (lambda: b"a," * 49_000 + b"b\n" + b",".join([b"1"] * 49_001) + b"\n", "column-twice", 0),
    "open quote": (lambda: b'a,b\n"1,2\n' + b"3,4\n" * (8 * MB), "quote-open", 0),
    "open quote in the header": (lambda: b'"a,b\n1,2\n' + b"3,4\n" * (8 * MB), "quote-open", 0),
    "lines": (lambda: ",".join(f"c{n}" for n in range(99)).encode() + b"\n" * (20 * MB), "file-expands", 0),
}


def test_no_text_takes_much_memory_and_each_says_what_is_wrong(tmp_path: Path) -> None:
    for name, (content, _, _) in FILES.items():
        (tmp_path / f"{name}.csv").write_bytes(content())
    names = [f"{name}.csv" for name in FILES]
    told = read_all(tmp_path, names)
    assert {name: one.code for name, one in zip(FILES, told, strict=True)} == {n: c for n, (_, c, _) in FILES.items()}
    assert told[-1].peak < MOST
    told = read_all(tmp_path, names, "sample")
    assert {name: one.rows for name, one in zip(FILES, told, strict=True)} == {n: r for n, (_, _, r) in FILES.items()}
    assert told[-1].peak < MOST


def problem_of(folder: Path, content: str) -> tuple[str, int | None, int]:
    """Code of what is wrong, the row that it says, and of how many."""
    (folder / "a.csv").write_text(content, encoding="utf-8")
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="a.csv"), folder)
    found = caught.value.problems[0]
    return found.code, found.row, found.rows


def test_an_open_quote_that_makes_one_row_of_all_after_it_is_said_and_not_one_bad_row(tmp_path: Path) -> None:
    assert problem_of(tmp_path, 'a,b\n1,2\n"3,4\n' + "5,6\n" * 1000) == ("quote-open", 3, 1)
    (tmp_path / "b.csv").write_text('a,b\n1,2\n"3\n4"\n5,6\n', encoding="utf-8")  # it is closed: one bad row
    raw = read_table(FileSpec(file="b.csv"), tmp_path)
    assert raw.table.column("a").to_pylist() == ["1", "5"]
    assert raw.rejects.column("row").to_pylist() == [3]


def test_too_many_rows_that_cannot_be_parsed_end_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_RAGGED", 10)
    assert problem_of(tmp_path, "a,b\n1,2\n" + "x\n" * 50) == ("row-ragged", 3, 11)
    (tmp_path / "b.csv").write_text("a,b\n1,2\n" + "x\n" * 6 + "1,2,3\n" * 4, encoding="utf-8")
    raw = read_table(FileSpec(file="b.csv"), tmp_path)
    assert [(one.row, one.rows) for one in raw.problems] == [(3, 6), (9, 4)]
    assert raw.rejects.column("why").to_pylist() == [one.what for one in raw.problems for _ in range(one.rows)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_file_of_line_ends_is_refused_and_one_with_a_byte_for_each_cell_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newline: str
) -> None:
    monkeypatch.setattr(text, "FREE_MEMORY", 1000)
    names = ",".join(f"c{n}" for n in range(20)) + newline
    (tmp_path / "b.csv").write_bytes((names + ("," * 19 + "x" + newline) * 2000).encode())
    assert read_table(FileSpec(file="b.csv"), tmp_path).table.num_rows == 2000
    (tmp_path / "b.csv").write_bytes((names + newline * 2000).encode())
    with pytest.raises(SafercitiesError) as caught:
        read_table(FileSpec(file="b.csv"), tmp_path)
    assert caught.value.problems[0].code == "file-expands"
