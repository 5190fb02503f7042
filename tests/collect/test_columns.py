"""Numbers as files write them, columns by their distinct values, ages as text."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.collect.ages import age_group, bin_codes, number_group, read_age
from safercities.collect.columns import as_text, encode, letter, need_columns, to_numbers
from safercities.collect.records import RawTable
from safercities.model.errors import SafercitiesError


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("6,25722555000", ",", 6.25722555),
        ("-75,5", ",", -75.5),
        ("1.234", ",", 1234),
        ("1.234.567,5", ",", 1234567.5),
        ("1,234,567.5", ".", 1234567.5),
        ("1 234", ".", 1234),
        ("1\u202f234", ".", 1234),
        ("1'234", ".", 1234),
        ("+5", ".", 5),
        (".5", ".", 0.5),
        ("5.", ".", 5),
        ("1e3", ".", 1000),
        ("6,25722555000", ".", None),
        ("1,23", ".", None),
        ("12.34.56", ".", None),
        ("1.2.3", ",", None),
        ("", ".", None),
        ("-", ".", None),
        ("e5", ".", None),
        (".", ".", None),
        ("NaN", ".", None),
        ("inf", ".", None),
        ("12 rows", ".", None),
        ("0x10", ".", None),
    ],
)
def test_numbers(text, decimal, number):
    got = to_numbers(pa.array([text]), decimal, thousands=True)[0]
    assert math.isnan(got) if number is None else got == number, got


def test_coordinates_have_no_thousands():
    assert math.isnan(to_numbers(pa.array(["-75,569"]), ".", thousands=False)[0])


@given(st.floats(-1e9, 1e9), st.sampled_from([".", ","]))
def test_numbers_are_read_back(number, decimal):
    text = f"{number:.6f}".replace(".", decimal)
    assert to_numbers(pa.array([text]), decimal, thousands=False)[0] == float(f"{number:.6f}")


def test_text_of_other_types():
    assert as_text(pa.array([1, None])).to_pylist() == ["1", None]
    assert as_text(pa.array([1e10, 0.5, float("nan")])).to_pylist() == ["10000000000", "0.5", None]
    assert as_text(pa.array([True])).to_pylist() == ["true"]
    assert as_text(pa.array(["\u00a0 a b\t", "  "])).to_pylist() == ["a b", None]
    assert as_text(pa.array(["x"]).dictionary_encode()).to_pylist() == ["x"]
    assert as_text(pa.nulls(1)).to_pylist() == [None]


@given(st.lists(st.sampled_from(["a", " a", "b", "", " ", None, "c "]), max_size=20), st.integers(1, 4))
def test_encoding_keeps_every_row(values, pieces):
    chunks = [pa.array(values[i::pieces], pa.string()) for i in range(pieces)]
    flat = [v for i in range(pieces) for v in values[i::pieces]]
    encoded = encode(pa.chunked_array(chunks))
    back = [None if i < 0 else encoded.values[int(i)].as_py() for i in encoded.index]
    assert back == [v.strip() or None if v else None for v in flat]
    assert len(set(encoded.texts())) == len(encoded.values)


def test_chunks_with_dictionaries_of_their_own():
    column = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()])
    encoded = encode(column)
    assert [encoded.texts()[i] for i in encoded.index] == ["a", "b", "b", "c"]


def test_a_missing_column_names_near_ones_and_all():
    raw = RawTable("x.csv", pa.table({"Fecha": [1], "sexo": [1]}), np.array([2]))
    with pytest.raises(SafercitiesError) as caught:
        need_columns(raw, ["fecha", "sexo", "zzz"])
    near, far = caught.value.problems
    assert "did you mean Fecha" in near.todo
    assert "Fecha, sexo" in far.todo
    assert "did you mean" not in far.todo


def test_letters():
    assert [letter(i) for i in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


@pytest.mark.parametrize(
    ("text", "ages"),
    [
        ("0-4", (0, 4)),
        ("5 – 9", (5, 9)),
        ("15 to 24 years", (15, 24)),
        ("15 a 24 años", (15, 24)),
        ("De 15 à 24 ans", (15, 24)),
        ("80+", (80, None)),
        ("85 and over", (85, None)),
        ("65 years or older", (65, None)),
        ("85 y más", (85, None)),
        ("80 e mais", (80, None)),
        (">=60", (60, None)),
        ("> 59", (60, None)),
        ("<1", (0, 0)),
        ("Under 5", (0, 4)),
        ("7", (7, 7)),
        ("7 years", (7, 7)),
        ("Y15T24", (15, 24)),
        ("Y_GE60", (60, None)),
        ("Y_LT5", (0, 4)),
        ("Y7", (7, 7)),
        ("121", None),
        ("9-5", None),
        ("-1", None),
        ("_T", None),
        ("total", None),
        ("3 months", None),
        ("", None),
    ],
)
def test_ages(text, ages):
    assert read_age(text) == ages


def test_groups():
    assert age_group((15, 19), [0, 15, 25]) == "Y15T24"
    assert age_group((10, 19), [0, 15, 25]) is None
    assert age_group((20, None), [0, 15, 25]) is None
    assert age_group((25, None), [0, 15, 25]) == "Y_GE25"
    assert age_group((10, 10), [15]) is None
    assert [number_group(x, [0, 6, 12]) for x in (0, 5.9, 6, 99, -1)] == ["0-5", "0-5", "6-11", "12+", None]
    assert bin_codes([0]) == ["0+"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([[1, 2], None, [1, 2]]), ["[1, 2]", None, "[1, 2]"]),
        (pa.array([{"a": 1}, None, {"a": 1}]), ["{'a': 1}", None, "{'a': 1}"]),
        (pa.array([b"\xff", None, b"\xff"]), ["b'\\xff'", None, "b'\\xff'"]),
    ],
)
def test_columns_of_any_type_have_a_text(values, texts):
    assert as_text(values).to_pylist() == texts
    assert as_text(pa.chunked_array([values])).to_pylist() == texts
    assert encode(values).index.tolist() == [0, -1, 0]


def test_whole_numbers_beyond_what_a_float_holds_exactly_are_numbers():
    assert to_numbers(pa.array([2**64 - 1], pa.uint64()), ".", thousands=False).tolist() == [2.0**64]
