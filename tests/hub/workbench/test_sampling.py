"""The beginning of files: few bytes that stand for millions of rows are neither unpacked nor read by a page."""

from __future__ import annotations

import gzip
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from safercities.collect.file_spec import FileSpec
from safercities.collect.read import read_table
from safercities.hub.workbench import sampling
from safercities.hub.workbench.sampling import TooLargeError, sampled
from safercities.model.errors import SafercitiesError


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"SAMPLE": 1000, "VALUES": 200, "FIRST": 20, "MOST": 2000}.items():
        monkeypatch.setattr(sampling, name, size)


def beginning(folder: Path, **spec: str | int) -> tuple[list[dict[str, object]], bool]:
    """Rows that a page reads, and whether they are all."""
    with sampled(FileSpec.model_validate(spec), folder) as (part, base, whole):
        return read_table(part, base).table.to_pylist(), whole


TEXT = "id;word\n" + "".join(f"{n};wörd {n}\n" for n in range(5000))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip", "a.zip/in/a.csv"])
def test_of_large_text_the_beginning_is_read_also_in_archives(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = TEXT.encode()
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(content))
    elif "zip" in name:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("in/a.csv", content)
            made.writestr("__MACOSX/in/a.csv", b"x")
    else:
        (tmp_path / name).write_bytes(content)
    if name != "a.csv":
        monkeypatch.setattr(sampling, "opened", lambda *given: pytest.fail("all of it is unpacked"))
    rows, whole = beginning(tmp_path, file=name)
    assert not whole
    assert 10 < len(rows) < 100
    assert [row["word"] for row in rows] == [f"wörd {n}" for n in range(len(rows))]  # no row is cut


def test_small_and_broken_archives_are_read_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT[:50].rpartition("\n")[0].encode()))
    assert beginning(tmp_path, file="a.csv.gz")[1]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(TEXT.encode())[:200])
    for name in ("b.csv.gz", "../a.csv.gz", "none.zip"):
        with pytest.raises(SafercitiesError):
            beginning(tmp_path / "in" if name.startswith("..") else tmp_path, file=name)


def test_of_a_parquet_file_that_few_bytes_make_large_the_first_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"n": np.zeros(3_000_000, np.int64), "word": pa.array(["same"]).take(pa.array([0] * 3_000_000))})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 50_000
    rows, whole = beginning(tmp_path, file="a.parquet")
    assert (rows, whole) == ([{"n": 0, "word": "same"}] * 20, False)
    monkeypatch.setattr(sampling, "LARGE", (tmp_path / "a.parquet").stat().st_size - 1)
    assert beginning(tmp_path, file="a.parquet") == (rows, False)  # larger ones as well
    pq.write_table(table.slice(0, 10), tmp_path / "b.parquet")
    assert (len(beginning(tmp_path, file="b.parquet")[0]), beginning(tmp_path, file="b.parquet")[1]) == (10, True)


def test_of_a_large_workbook_the_first_rows_of_the_sheet_that_is_meant_are_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "About"
    sheet = book.create_sheet("Cases")
    sheet.append(["A title"])
    sheet.append(["day", "text", "n"])
    for n in range(300):
        sheet.append([datetime(2024, 1, 2), "'=1+1" if n else "ñ", n / 4])
    sheet["B5"].value, sheet["B5"].data_type = "=HYPERLINK(1)", "s"
    book.save(tmp_path / "a.xlsx")
    for which in ("Cases", 2):
        rows, whole = beginning(tmp_path, file="a.xlsx", sheet=which, header=2)
        assert (len(rows), whole) == (20, False)
        assert rows[0] == {"day": datetime(2024, 1, 2), "text": "ñ", "n": 0}
        assert rows[2]["text"] == "=HYPERLINK(1)"
        assert rows[3]["n"] == 0.75
    with pytest.raises(SafercitiesError, match="None"):
        beginning(tmp_path, file="a.xlsx", sheet="None")


@pytest.mark.parametrize("ending", [".sav", ".zsav", ".dta"])
def test_of_a_large_survey_file_the_first_rows_are_read_with_their_labels(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    for name, rows in (("small", 5), ("large", 5000)):
        table = pd.DataFrame({"q1": np.arange(rows) % 3 + 1.0, "word": [f"wörd {n}" for n in range(rows)]})
        how = {"variable_value_labels": {"q1": {1: "yes", 2: "no"}}} | ({"compress": True} if ending == ".zsav" else {})
        write = pyreadstat.write_dta if ending == ".dta" else pyreadstat.write_sav
        write(table, str(tmp_path / f"{name}{ending}"), **how)
    assert beginning(tmp_path, file=f"small{ending}")[1]
    monkeypatch.setattr(sampling, "LARGE", 20_000)  # bytes of a file that is looked at as a whole
    rows, whole = beginning(tmp_path, file=f"large{ending}")
    assert (len(rows), whole) == (20, False)
    assert rows[19] == {"q1": 2, "word": "wörd 19"}
    with sampled(FileSpec(file=f"large{ending}"), tmp_path) as (part, base, _):
        assert read_table(part, base).labels["q1"] == {"1": "yes", "2": "no"}
    assert read_table(FileSpec(file=f"large{ending}"), tmp_path).table.num_rows == 5000  # the context is over
    monkeypatch.setattr(sampling, "LARGE", 50)
    with pytest.raises(TooLargeError):
        beginning(tmp_path, file=f"large{ending}")


def test_the_beginning_of_a_text_ends_where_no_quote_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = 'word;n\n"a\nb\nc";1\n' + '"d\ne";2\n' * 500
    for size in range(100, 140):
        monkeypatch.setattr(sampling, "SAMPLE", size)
        (tmp_path / "a.csv").write_text(lines, encoding="utf-8")
        rows, whole = beginning(tmp_path, file="a.csv")
        assert not whole
        assert {(row["word"], row["n"]) for row in rows} == {("a\nb\nc", "1"), ("d\ne", "2")}


def test_of_a_text_with_very_many_lines_the_first_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a;b\n1;2\n" + b"\n" * 300)
    assert (tmp_path / "a.csv").stat().st_size < sampling.SAMPLE
    rows, whole = beginning(tmp_path, file="a.csv")
    assert (rows, whole) == ([{"a": "1", "b": "2"}], False)


def test_what_is_no_text_is_not_unpacked_where_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "LARGE", 10_000)
    monkeypatch.setattr(sampling, "opened", lambda *given: pytest.fail("it is unpacked"))
    (tmp_path / "a.sav.gz").write_bytes(gzip.compress(bytes(20_000)))
    with pytest.raises(TooLargeError):
        beginning(tmp_path, file="a.sav.gz")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_quote_within_a_cell_opens_none_and_cuts_nothing_off(tmp_path: Path, encoding: str) -> None:
    """As the parser takes them: only what begins with a quote is quoted."""
    rows = ['1;knife 5" long;x', '2;"a\n3;b";x', '4;"c ""d"" 2";x" y']
    for header, above in ((1, ""), (2, 'Knives of 5"\n')):
        content = above + "n;what;z\n" + "\n".join(rows) + "\n" + "".join(f"{n};word {n};y\n" for n in range(5, 500))
        (tmp_path / "a.csv").write_bytes(content.encode(encoding))
        read, whole = beginning(tmp_path, file="a.csv", header=header)
        assert not whole
        assert [row["n"] for row in read[:4]] == ["1", "2", "4", "5"]
        assert [row["what"] for row in read[:3]] == ['knife 5" long', "a\n3;b", 'c "d" 2']
        assert read[-1]["what"] == f"word {read[-1]['n']}"
        assert len(read) > 20


def test_a_workbook_whose_styles_only_the_check_reads_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.save(tmp_path / "a.xlsx")
    monkeypatch.setattr(sampling, "PART", 100)
    with pytest.raises(TooLargeError):
        beginning(tmp_path, file="a.xlsx")
    assert read_table(FileSpec(file="a.xlsx"), tmp_path).table.to_pylist() == [{"a": 1}]
