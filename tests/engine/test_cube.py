"""Group and cube: exact sums, in order, the same by every path."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safercities.engine import cube, group
from safercities.engine.dense import add_up
from safercities.engine.duck import Duck
from safercities.engine.sql import group_text, quote
from safercities.model.errors import SafercitiesError

KEYS = ("a", "b", "c")
EVERY = [keys for size in range(4) for keys in combinations(KEYS, size)]
rows = st.lists(st.tuples(*[st.sampled_from(["x", "y", "Z", "é", "_U", ""])] * 3, st.integers(0, 5)), max_size=30)


def table(data: list[tuple[str, str, str, int]]) -> pa.Table:
    columns = list(zip(*data, strict=True)) or [()] * 4
    arrays = [pa.array(column, pa.string()) for column in columns[:3]] + [pa.array(columns[3], pa.int64())]
    return pa.table(arrays, names=[*KEYS, "n"])


def by_hand(data: list[tuple[str, str, str, int]], keys: tuple[str, ...]) -> list[tuple[object, ...]]:
    sums: Counter[tuple[str, ...]] = Counter()
    for *values, n in data:
        sums[tuple(value if key in keys else "_T" for key, value in zip(KEYS, values, strict=True))] += n
    if not keys:
        return [("_T", "_T", "_T", sum(sums.values()))]
    return [(*cell, n) for cell, n in sorted(sums.items(), key=lambda item: [v.encode() for v in item[0]]) if n]


def as_rows(result: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in result.to_pylist()]


@settings(max_examples=25)
@given(rows)
def test_cube_equals_sums_by_hand(data: list[tuple[str, str, str, int]]) -> None:
    assert as_rows(cube(table(data), KEYS, EVERY)) == [row for keys in EVERY for row in by_hand(data, keys)]


@settings(max_examples=25)
@given(rows, st.integers(1, 7))
def test_parquet_equals_arrow(data: list[tuple[str, str, str, int]], size: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        half = len(data) // 2
        paths = [Path(folder, "1.parquet"), Path(folder, "2.parquet")]
        for path, part in zip(paths, (data[:half], data[half:]), strict=True):
            pq.write_table(table(part), path, row_group_size=size)
        dense = cube(paths, KEYS, EVERY)
        assert sum(add_up(paths, KEYS, ["n"]).sums[0].ravel()) == sum(row[3] for row in data)
    assert as_rows(dense) == as_rows(cube(table(data), KEYS, EVERY))
    assert dense.schema == cube(table(data), KEYS, EVERY).schema


@settings(max_examples=25)
@given(rows, st.randoms())
def test_order_of_rows_does_not_matter(data: list[tuple[str, str, str, int]], rng: random.Random) -> None:
    shuffled = list(data)
    rng.shuffle(shuffled)
    assert group(table(data), KEYS).equals(group(table(shuffled), KEYS))


def test_missing_keys_in_parquet_take_the_sql_path(tmp_path: Path) -> None:
    source = pa.table({"a": ["x", None, "x"], "n": [1, 2, 4]})
    pq.write_table(source, tmp_path / "t.parquet")
    for given_source in (source, tmp_path / "t.parquet"):
        found = cube(given_source, ["a"], [["a"], []]).to_pylist()
        assert sorted(row["n"] for row in found) == [2, 5, 7]


def test_sums_are_exact_beyond_doubles(tmp_path: Path) -> None:
    source = pa.table({"a": ["x", "x"], "n": [2**53, 1]})
    pq.write_table(source, tmp_path / "t.parquet")
    for given_source in (source, tmp_path / "t.parquet"):
        assert cube(given_source, ["a"], [["a"]]).column("n").to_pylist() == [2**53 + 1]


def test_overflow_is_refused(tmp_path: Path) -> None:
    source = pa.table({"a": ["x", "x"], "n": [2**62, 2**62]})
    pq.write_table(source, tmp_path / "t.parquet")
    for given_source in (source, tmp_path / "t.parquet"):
        with pytest.raises(duckdb.Error):
            cube(given_source, ["a"], [["a"]])


def test_several_sums_and_a_condition() -> None:
    source = pa.table({"a": ["x", "y", "y"], "n": [1, 0, 0], "m": [5, 6, None]})
    assert group(source, ["a"], sums=["n", "m"]).to_pydict() == {"a": ["x", "y"], "n": [1, 0], "m": [5, 6]}
    assert group(source, ["a"], sums=["m"], where='"n" = 0').to_pydict() == {"a": ["y"], "m": [6]}


def test_what_cannot_be_added_up_is_refused() -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        group(pa.table({"n": [0.5]}), [])
    with pytest.raises(TypeError, match="text"):
        cube(pa.table({"a": [1], "n": [1]}), ["a"], [["a"]])
    with pytest.raises(KeyError, match="no column b"):
        group(pa.table({"a": ["x"], "n": [1]}), ["b"])
    with pytest.raises(ValueError, match="_T"):
        cube(pa.table({"a": ["_T"], "n": [1]}), ["a"], [["a"]])
    with pytest.raises(ValueError, match="not among the keys: b"):
        cube(pa.table({"a": ["x"], "n": [1]}), ["a"], [["b"]])


def test_awkward_column_names() -> None:
    name = 'a"; DROP TABLE source; --'
    assert group(pa.table({name: ["x"], "n": [3]}), [name]).column("n").to_pylist() == [3]
    with pytest.raises(ValueError, match="cannot name"):
        quote("")


def test_the_engine_reads_only_what_it_was_given(tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed.parquet", tmp_path / "other.parquet"
    for path in (allowed, other):
        pq.write_table(pa.table({"n": [1]}), path)
    with Duck([allowed]) as engine:
        engine.register("t", allowed)
        assert engine.run(group_text("t", [], ["n"])).to_pydict() == {"n": [1]}
        for text in (
            f"SELECT * FROM read_parquet('{other}')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
        ):
            with pytest.raises((duckdb.Error, SafercitiesError)):
                engine.run(text)


def test_the_sql_text_knows_no_engine() -> None:
    words = set(group_text("t", ["a"], ["n"]).replace("(", " ").replace(")", " ").replace(",", " ").split())
    plain = "SELECT CAST COALESCE SUM 0 AS BIGINT FROM GROUP BY HAVING <> ORDER NULLS LAST"
    assert words <= set(plain.split()) | {'"a"', '"n"', '"t"'}


def test_ctrl_c_inside_a_query_is_a_ctrl_c(monkeypatch):
    class Interrupted:
        def sql(self, text: str) -> None:
            raise RuntimeError("Query interrupted")

        def close(self) -> None: ...

    with Duck() as engine:
        monkeypatch.setattr(engine, "_connection", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            engine.run("SELECT 1")


def test_engines_of_one_process_do_not_see_each_other(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "t.parquet")
    with Duck() as one, Duck() as other:
        one.register("t", pa.table({"n": [1]}))
        one.keep("kept", 'SELECT "n" FROM "t"')
        for name in ("t", "kept"):
            with pytest.raises(duckdb.CatalogException):
                other.run(f"SELECT * FROM {name}")
        other.register("t", pa.table({"n": [2]}))
        assert [engine.run('SELECT "n" FROM "t"').to_pydict() for engine in (one, other)] == [{"n": [1]}, {"n": [2]}]
        for text in (f"SELECT * FROM read_parquet('{tmp_path / 't.parquet'}')", "SET enable_external_access = true"):
            with pytest.raises((duckdb.Error, SafercitiesError)):
                other.run(text)
    with Duck() as third, pytest.raises(duckdb.CatalogException):  # what was kept goes with the engine that kept it
        third.run("SELECT * FROM kept")
