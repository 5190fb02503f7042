"""Every kind of table and column gives the same numbers; empty cells and codes mean the same everywhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safercities.model.errors import SafercitiesError, UsageError
from safercities.sampling.design import survey
from safercities.sampling.table import Respondents, text_of
from small_survey import columns

PLAIN = {"weight": "w", "strata": "stratum", "psu": "psu"}


def answers(source) -> list[dict]:
    design = survey(source, **PLAIN)
    made = [
        design.proportion(["v", "u"], [(), ("sex",), ("age", "sex")]),
        design.mean("y", "region"),
        design.quantile("y"),
    ]
    return [row for one in made for row in one.rows()]


def parquet(folder: Path, table: pa.Table) -> Path:
    pq.write_table(table, folder / "people.parquet", row_group_size=70)
    return folder / "people.parquet"


def written(folder: Path, table: pa.Table) -> Path:
    from pyarrow import csv

    csv.write_csv(table, folder / "people.csv")
    return folder / "people.csv"


KINDS = {
    "arrow": lambda folder, table: table,
    "chunks": lambda folder, table: pa.concat_tables([table.slice(0, 50), table.slice(50, 1), table.slice(51)]),
    "pandas": lambda folder, table: table.to_pandas(),
    "pandas, index": lambda folder, table: table.to_pandas().set_axis(range(1000, 1240)),
    "pandas, Arrow types": lambda folder, table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas, nullable": lambda folder, table: table.to_pandas().convert_dtypes(),
    "polars": lambda folder, table: pl.from_arrow(table),
    "lists": lambda folder, table: table.to_pydict(),
    "arrays": lambda folder, table: columns(),
    "series": lambda folder, table: {name: table.to_pandas()[name] for name in table.column_names},
    "parquet": parquet,
    "parquet, text": lambda folder, table: str(parquet(folder, table)),
    "csv": written,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table(kind, tmp_path):
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns().items()})
    assert answers(KINDS[kind](tmp_path, table)) == answers(columns())


@pytest.mark.parametrize(
    "change",
    [
        lambda values: [None if np.isnan(one) else bool(one) for one in values],
        lambda values: [None if np.isnan(one) else Decimal(f"{one:.2f}") for one in values],
        lambda values: [None if np.isnan(one) else int(one) for one in values],
        lambda values: pd.array([None if np.isnan(one) else int(one) for one in values], dtype="Int64"),
        lambda values: pa.array(values, pa.float32()),
        lambda values: pd.Categorical(values),
        lambda values: pa.array(values, from_pandas=True).dictionary_encode(),
        lambda values: values,
    ],
    ids=["booleans", "decimals", "whole", "nullable", "short", "categorical", "dictionary", "NaN"],
)
def test_every_kind_of_answer(change):
    table = columns()
    assert answers(table | {"u": change(table["u"])}) == answers(table)


@pytest.mark.parametrize(
    "change",
    [
        lambda ids: ids.astype(str),
        lambda ids: [f" {one} " for one in ids.tolist()],
        lambda ids: ids.astype(float),
        lambda ids: [Decimal(f"{one}.00") for one in ids.tolist()],
        lambda ids: pd.Categorical(ids),
        lambda ids: pd.Categorical(ids.astype(str), categories=sorted({str(one) for one in ids}, reverse=True)),
        lambda ids: pa.array(ids.astype(str), pa.large_string()),
        lambda ids: pa.array(ids, pa.uint8()),
    ],
    ids=["text", "spaces", "floats", "decimals", "categorical", "categories in another order", "large", "short"],
)
@pytest.mark.parametrize("name", ["psu", "stratum", "age"])
def test_every_kind_of_code(change, name):
    table = columns()
    assert answers(table | {name: change(table[name])}) == answers(table)


def test_a_category_that_nobody_has_is_an_empty_group():
    sex = pd.Categorical(["F", "M", "F"], categories=["F", "M", "X"])
    rows = survey({"sex": sex, "v": [1, 0, 0]}).proportion("v", ["sex"]).rows()
    assert [(row["sex"], row["n"], row["value"], row["obs_status"]) for row in rows][-1] == ("X", 0, None, "M")


def test_a_stratum_that_nobody_is_in_is_none():
    strata = pd.Categorical(["a", "b"] * 120, categories=["a", "b", "c"])
    assert survey({"s": strata, "v": [0, 1] * 120}, strata="s").df == 238


def test_codes_of_many_digits_stay_apart():
    table = columns()
    long = table["psu"].astype(np.int64) + 2**60
    assert answers(table | {"psu": long}) == answers(table)
    with pytest.raises(SafercitiesError) as raised:
        survey(table | {"psu": long.astype(float)}, **PLAIN)
    assert raised.value.problems[0].code == "survey-code-digits"
    assert raised.value.problems[0].column == "psu"


def test_an_answer_that_is_missing_is_missing_in_every_way():
    design = survey(
        {"a": [1, None, 0, 1], "b": [1.0, float("nan"), 0.0, 1.0], "c": pa.array([True, None, False, True])}
    )
    rows = design.proportion(["a", "b", "c"]).rows()
    assert {(row["n"], row["n_positive"], row["value"], row["se"], row["coverage"]) for row in rows} == {
        (3, 2, 2 / 3, rows[0]["se"], 0.75)
    }
    assert all(row["quality"] == "missing_answers" for row in rows)


@pytest.mark.parametrize("empty", [None, "", " "])
def test_empty_codes_are_unknown(empty):
    rows = survey({"sex": ["F", empty, "M", "F"], "v": [1, 0, 0, 1]}).proportion("v", ["sex"]).rows()
    assert [(row["sex"], row["n"]) for row in rows] == [("F", 2), ("M", 1), ("_U", 1)]


def test_unknown_codes_join_those_written_as_unknown():
    rows = survey({"sex": ["F", None, "_U", "F"], "v": [1, 0, 0, 1]}).proportion("v", ["sex"]).rows()
    assert [(row["sex"], row["n"]) for row in rows] == [("F", 2), ("_U", 2)]


def test_empty_numbers_are_unknown_codes():
    rows = survey({"age": [1.0, float("nan"), 10.0, 2.0], "v": [1, 0, 0, 1]}).proportion("v", ["age"]).rows()
    assert [row["age"] for row in rows] == ["1", "2", "10", "_U"]


def test_a_column_without_any_code_is_unknown():
    rows = survey({"age": [None] * 4, "v": [1, 0, 0, 1]}).proportion("v", ["age"]).rows()
    assert [(row["age"], row["n"]) for row in rows] == [("_U", 4)]


def test_a_column_without_any_answer_has_no_value():
    row = survey({"v": [None, None, None]}).proportion("v").only()
    assert (row["value"], row["se"], row["n"], row["obs_status"], row["coverage"]) == (None, None, 0, "M", 0)


def test_codes_stand_in_their_natural_order():
    made = Respondents({"k": ["b", "10", "a", "2", "-1", None, "_U", "1.5"]}).axis("k")
    assert made.labels == ("-1", "1.5", "2", "10", "a", "b", "_U")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (1.5, "1.5"),
        (Decimal("2.00"), "2"),
        (Decimal("0.5"), "0.5"),
        (" a ", "a"),
        (float("nan"), ""),
        (True, "True"),
    ],
)
def test_how_codes_are_written(value, text):
    assert text_of(value) == text


def test_breakdowns_by_place_and_period_fill_these_columns():
    table = columns() | {"place": columns()["region"], "period": np.where(columns()["house"] < 2, "2022", "2023")}
    design = survey(table, **PLAIN)
    made = design.proportion("v", [(), ("place",), ("place", "period")])
    assert made.dimensions == ()
    assert made.table.column("place").to_pylist() == ["_T", "0", "1", "2", "0", "0", "1", "1", "2", "2"]
    assert made.table.column("period").to_pylist() == ["_T"] * 4 + ["2022", "2023"] * 3
    places, regions = made.where(period="_T", place=["0", "1", "2"]), design.proportion("v", "region")
    for one, other in zip(places.rows(), regions.rows(), strict=True):
        assert (one["value"], one["se"]) == pytest.approx((other["value"], other["se"]), rel=1e-12)


def test_columns_that_are_not_asked_for_may_hold_anything(tmp_path):
    table = pa.table(columns()).append_column("notes", pa.array([{"a": 1}] * 240))
    assert answers(parquet(tmp_path, table)) == answers(columns())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"people\.parquet"):
        Respondents(tmp_path / "people.parquet")
