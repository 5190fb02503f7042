"""Delimited text: how it is written is detected, bad rows are counted, and what cannot be read is said."""

from __future__ import annotations

import pytest

from safercities.collect.read import read_table
from safercities.collect.spec import FileSpec
from safercities.model.errors import SafercitiesError

PLAIN = "when,name\n2019-01-01,Añil\n2019-01-02,Belén\n"


def read(folder, **keys):
    return read_table(FileSpec(**{"file": "a.csv"} | keys), folder)


def fails(folder, code, **keys):
    with pytest.raises(SafercitiesError) as caught:
        read(folder, **keys)
    assert [p.code for p in caught.value.problems] == [code]
    return caught.value.problems[0]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "utf-32"]
)
def test_encodings_are_detected(tmp_path, write, encoding):
    write("a.csv", PLAIN, encoding)
    raw = read(tmp_path)
    assert raw.table.column_names == ["when", "name"]
    assert raw.table.column("name").to_pylist() == ["Añil", "Belén"]
    assert [p.code for p in raw.problems] == (
        ["encoding-guessed"] if encoding in ("latin-1", "cp1252", "utf-16-le", "utf-16-be") else []
    )


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1251", "Кража со взломом, Москва"), ("cp1253", "Αθήνα, κλοπή"), ("cp1256", "القاهرة سرقة شارع الهرم")],
)
def test_other_scripts_are_detected_and_said(tmp_path, write, encoding, text):
    write("a.csv", f"id;what\n1;{text}\n" * 1, encoding)
    raw = read(tmp_path)
    assert raw.table.column("what").to_pylist() == [text]
    assert encoding in raw.problems[0].what


@pytest.mark.parametrize("declared", ["latin-1", "cp1252", "utf-8", "utf-16"])
def test_a_declared_encoding_is_used(tmp_path, write, declared):
    write("a.csv", PLAIN, declared)
    raw = read(tmp_path, encoding=declared)
    assert raw.table.column("name").to_pylist() == ["Añil", "Belén"]
    assert raw.problems == ()


def test_utf_16_declared_utf_8_says_what_it_is_and_which_key(tmp_path, write):
    write("a.csv", PLAIN, "utf-16")
    problem = fails(tmp_path, "encoding-wrong", encoding="utf-8")
    assert "utf-16" in problem.what
    assert 'encoding = "utf-16"' in problem.todo


def test_latin_1_declared_utf_8_names_the_row(tmp_path, write):
    write("a.csv", "when,name\n2019-01-01,ok\n2019-01-02,Belén\n", "latin-1")
    problem = fails(tmp_path, "encoding-wrong", encoding="utf-8")
    assert (problem.row, "cp1252" in problem.what) == (3, True)


def test_an_encoding_that_does_not_exist(tmp_path, write):
    write("a.csv", PLAIN)
    fails(tmp_path, "encoding-unknown", encoding="utf-9")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_detected(tmp_path, write, delimiter):
    write(
        "a.csv",
        f"a{delimiter}b{delimiter}c\n1{delimiter}2,5 x{delimiter}3\n".replace(
            "2,5 x", "2" if delimiter == "," else "2,5"
        ),
    )
    assert read(tmp_path).table.num_columns == 3


def test_a_decimal_comma_is_no_delimiter(tmp_path, write):
    write("a.csv", "x;y\n1,5;2,5\n3,5;4,5\n")
    assert read(tmp_path).table.to_pylist()[0] == {"x": "1,5", "y": "2,5"}


def test_a_declared_delimiter_is_used_even_if_odd(tmp_path, write):
    write("a.csv", "a:b\n1:2\n")
    assert read(tmp_path, delimiter=":").table.column("b").to_pylist() == ["2"]
    fails(tmp_path, "delimiter-wrong", delimiter="::")


def test_everything_is_text_and_empty_is_null(tmp_path, write):
    write("a.csv", 'a,b,c\n007,"",NA\n')
    assert read(tmp_path).table.to_pylist() == [{"a": "007", "b": None, "c": "NA"}]


def test_line_breaks_in_quotes_count_as_one_row(tmp_path, write):
    write("a.csv", 'a,b\n1,"two\nlines"\n2,x\n')
    raw = read(tmp_path)
    assert raw.table.column("b").to_pylist() == ["two\nlines", "x"]
    assert raw.rows.tolist() == [2, 3]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_blank_rows_are_no_records_but_keep_the_numbers(tmp_path, write, newline):
    write("a.csv", newline.join(["a,b", "1,2", "", ",", "3,4", ""]))
    raw = read(tmp_path)
    assert raw.rows.tolist() == [2, 5]
    assert [(p.code, p.row, p.rows) for p in raw.problems] == [("rows-empty", 3, 2)]


def test_ragged_rows_are_counted_with_their_numbers(tmp_path, write):
    write("a.csv", "a,b,c\n1,2,3\n1,2\n1,2,3\n1,2,3,4\n1,2\n")
    raw = read(tmp_path)
    assert raw.rows.tolist() == [2, 4]
    assert raw.rejects.column("row").to_pylist() == [3, 5, 6]
    assert raw.rows_read == 5
    assert [(p.row, p.rows) for p in raw.problems] == [(3, 2), (5, 1)]
    assert "1,2,3,4" in raw.rejects.column("values").to_pylist()[1]


def test_ragged_rows_far_into_the_file_keep_their_numbers(tmp_path, write, monkeypatch):
    monkeypatch.setattr("safercities.collect.text._BLOCK", 64)
    write("a.csv", "a,b\n" + "1,2\n" * 500 + "bad\n" + "1,2\n" * 500)
    raw = read(tmp_path)
    assert raw.rejects.column("row").to_pylist() == [502]
    assert raw.rows[499:502].tolist() == [501, 503, 504]


def test_the_header_may_stand_lower(tmp_path, write):
    write("a.csv", "Statistics of the city\n\na;b\n1;2\n")
    raw = read(tmp_path, header=3)
    assert (raw.table.column_names, raw.rows.tolist()) == (["a", "b"], [4])
    fails(tmp_path, "header-missing", header=2)
    fails(tmp_path, "header-missing", header=9)


@pytest.mark.parametrize(
    ("text", "code"),
    [("a,b,a\n1,2,3\n", "column-twice"), ("a,,c\n1,2,3\n", "column-unnamed")],
)
def test_names_must_be_clear(tmp_path, write, text, code):
    write("a.csv", text)
    fails(tmp_path, code)


def test_an_unnamed_column_without_values_is_left_out(tmp_path, write):
    write("a.csv", "a;b;\n1;2;\n3;4;\n")
    assert read(tmp_path).table.column_names == ["a", "b"]


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r\n"])
def test_a_header_alone_is_no_rows_and_a_note(tmp_path, write, text):
    write("a.csv", text)
    raw = read(tmp_path)
    assert (raw.rows_read, raw.table.column_names, [p.code for p in raw.problems]) == (0, ["a", "b"], ["rows-none"])


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_file(tmp_path, write, content):
    write("a.csv", content)
    fails(tmp_path, "header-missing" if content else "file-empty")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (bytes(range(256)) * 8, "no text"),
        (b"PK\x03\x04rest", "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (b"PAR1....", "Parquet"),
    ],
)
def test_other_files_with_the_ending_csv(tmp_path, write, content, word):
    write("a.csv", content)
    assert word in fails(tmp_path, "text-binary").what


def test_a_quote_that_is_never_closed(tmp_path, write):
    write("a.csv", 'a,b\n1,2\n1,"open\n' + "3,4\n" * 20)
    assert fails(tmp_path, "quote-open").row == 3


def test_two_quotes_that_swallow_rows_are_shown(tmp_path, write):
    write("a.csv", 'a,b,c\n1,"open,2\n3,4,5\n6,7,8\n9,close",2\n')
    raw = read(tmp_path)
    assert raw.rows_read == 1
    assert [(p.code, p.row) for p in raw.problems] == [("row-swallowed", 2)]


def test_missing_files_folders_and_old_formats(tmp_path, write):
    fails(tmp_path, "file-missing", file="nothing.csv")
    (tmp_path / "folder").mkdir()
    fails(tmp_path, "file-folder", file="folder")
    write("old.xls", b"\xd0\xcf\x11\xe0")
    fails(tmp_path, "format-old", file="old.xls")


@pytest.mark.parametrize("codec", ["hex", "rot13", "idna", "undefined", "zlib", "base64", "a\0", "x" * 9999])
def test_a_codec_that_is_no_character_encoding_is_unknown(tmp_path, write, codec):
    write("a.csv", PLAIN, "utf-8")
    fails(tmp_path, "encoding-unknown", encoding=codec)


def test_a_header_that_does_not_end_is_not_cut_in_silence(tmp_path, write):
    write("a.csv", ",".join(f"column_{i}" for i in range(20_000)) + "\n" + "1," * 19_999 + "1\n", "utf-8")
    fails(tmp_path, "header-long")
