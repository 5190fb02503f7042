"""Hostile tables: columns that hold no groups, numbers beyond all sizes, breakdowns beyond all memory."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import safercities as sc
from safercities.engine.duck import Duck
from safercities.model.errors import SafercitiesError

N = 120
NO_CODES = {
    "list": pa.array([[1, 2]] * N),
    "struct": pa.array([{"a": n % 3} for n in range(N)]),
    "map": pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())),
    "beyond the calendar": pa.array([2**62] * N, pa.timestamp("s")),
}


def table(**columns: object) -> pa.Table:
    made = {"w": np.full(N, 2.0), "c": np.arange(N) % 20, "y": (np.arange(N) % 3 == 0).astype(float)}
    return pa.table({**made, **columns})


def refusal(work) -> str:
    with pytest.raises(SafercitiesError) as caught:
        work()
    return caught.value.problems[0].code


@pytest.mark.parametrize("kind", NO_CODES)
@pytest.mark.parametrize("role", ["psu", "group"])
def test_a_column_that_holds_no_codes(tmp_path, kind, role):
    whole = table(g=NO_CODES[kind])
    names = {"weight": "w", "psu": "g" if role == "psu" else "c"}
    path = tmp_path / "t.parquet"

    def asked(source, **more):
        return sc.survey(source, **names, **more).proportion("y", by=["g"])

    assert refusal(lambda: asked(whole)) == "survey-no-codes"
    if kind != "beyond the calendar":
        pq.write_table(whole, path)
        assert refusal(lambda: asked(path)) == "survey-no-codes"
        with Duck([path]) as engine:
            assert refusal(lambda: asked(path, engine=engine)) == "survey-no-codes"


def test_numbers_of_half_length_are_codes():
    half = pa.array((np.arange(N) % 4).astype(np.float16))
    rows = sc.survey(table(g=half), weight="w", psu="c").proportion("y", by=["g"]).rows()
    assert [row["g"] for row in rows] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("size", [1e101, 1e-101])
def test_a_weight_of_no_size_that_can_be(tmp_path, size):
    weights = np.full(N, 2.0)
    weights[7] = size
    whole = table(w=weights)
    assert refusal(lambda: sc.survey(whole, weight="w", psu="c")) == "survey-weight-size"
    with Duck() as engine:
        assert refusal(lambda: sc.survey(whole, weight="w", psu="c", engine=engine)) == "survey-weight-size"


def test_an_answer_too_large_to_be_squared():
    answers = np.arange(N, dtype=float)
    answers[5] = 1e200
    design = sc.survey(table(y=answers), weight="w", psu="c")
    assert refusal(lambda: design.mean("y")) == "survey-infinite"


def test_more_groups_than_memory_holds():
    codes = {f"d{number}": np.arange(N) for number in range(6)}
    design = sc.survey(table(**codes), weight="w", psu="c")
    assert refusal(lambda: design.proportion("y", by=[list(codes)])) == "survey-domains-many"
    assert refusal(lambda: design.contrast("y", by=list(codes))) == "survey-domains-many"
    assert len(design.proportion("y", by=["d0", "d1"])) == N * N


def test_more_pairs_than_can_be_compared():
    groups = np.arange(1000)
    whole = pa.table({"y": (groups % 2).astype(float), "g": groups, "c": groups % 20})
    design = sc.survey(whole, psu="c")
    assert refusal(lambda: design.contrast("y", by="g")) == "survey-contrasts-many"
    assert len(design.contrast("y", by="g", against="7")) == 999


def test_a_weight_column_without_a_name_is_not_left_out():
    whole = table().rename_columns(["", "c", "y"])
    assert sc.survey(whole, weight="", psu="c").total("y").rows()[0]["value"] == 80
    with Duck() as engine:
        assert refusal(lambda: sc.survey(whole, weight="", psu="c", engine=engine)) == "survey-column-name"


def test_files_that_an_engine_cannot_have(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(table(), path)
    with Duck() as engine:  # no file was allowed
        assert refusal(lambda: sc.survey(path, weight="w", psu="c", engine=engine)) == "duck-refused"
        assert refusal(lambda: sc.survey([], weight="w", psu="c", engine=engine)) == "survey-table"
        wide = table(c=pa.array([10**50] * N, pa.decimal256(60, 0)))
        assert refusal(lambda: sc.survey(wide, weight="w", psu="c", engine=engine)) == "duck-refused"
    for name in ("x" * 5000, "a\0b"):
        assert refusal(lambda name=name: sc.survey(Path(name), weight="w")) == "file-missing"


def test_times_within_the_calendar_are_codes():
    days = pa.array([datetime(2023, 1, 1 + n % 2) for n in range(N)])
    assert len(sc.survey(table(g=days), weight="w", psu="c").proportion("y", by=["g"])) == 2
