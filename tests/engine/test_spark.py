"""Spark on a real cluster (master and two workers on loopback): the same tables as DuckDB, to the last bit."""

from __future__ import annotations

import os
import random
import time
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safercities.engine import cube, group
from safercities.engine.duck import Duck
from safercities.engine.spark import Spark, on_loopback, spark_text
from safercities.model.errors import SafercitiesError, UsageError

#: Order, case, accents, other scripts, planes beyond the first, quotes, what looks like SQL, nothing.
SOME = """a A Z é e\u0301 ß ñ 你 👮 \U0001f3fd שלום _U it's say"x" back\\slash ${x} % --"""
TEXTS = [*SOME.split(" "), "", " a", "a ", "tab\there", "new\nline", "'; DROP TABLE t; --", None]
NAMES = ["plain", 'quote"inside', "back\\slash", "dot.ted", "ba`ck", "ünïcode", "with space", "select"]


def messy(seed: int, rows: int = 400) -> pa.Table:
    rng = random.Random(seed)
    keys = {name: pa.array(rng.choices(TEXTS, k=rows), pa.string()) for name in NAMES}
    n = [rng.choice([None, 0, 1, -1, 2**40, -(2**40), rng.randrange(1000)]) for _ in range(rows)]
    return pa.table({**keys, "n": pa.array(n, pa.int64()), "m": pa.array(rng.choices(range(9), k=rows), pa.int32())})


def test_it_is_a_cluster(spark: Spark) -> None:
    context = spark._session.sparkContext
    assert context.master.startswith("spark://127.0.0.1:")
    until = time.monotonic() + 60
    while context._jsc.sc().getExecutorMemoryStatus().size() < 3 and time.monotonic() < until:
        time.sleep(0.1)
    assert context._jsc.sc().getExecutorMemoryStatus().size() == 3  # two executors and the driver


def test_groups_are_those_of_duckdb(spark: Spark, tmp_path: Path) -> None:
    table = messy(1)
    paths = [tmp_path / "é [1] {x}*?.parquet", tmp_path / "k=1" / "part.parquet"]
    for path, part in zip(paths, (table.slice(0, 150), table.slice(150)), strict=True):
        path.parent.mkdir(exist_ok=True)
        pq.write_table(part, path)
    for keys in (NAMES[:1], NAMES[1:4], NAMES[4:], []):
        ours = group(paths, keys, sums=["n", "m"], engine=spark)
        assert ours.equals(group(paths, keys, sums=["n", "m"]))
        assert ours.num_rows > 20 or not keys


def test_arrow_tables_and_conditions_too(spark: Spark) -> None:
    table = messy(2)
    coded = table.set_column(0, "plain", table.column("plain").dictionary_encode())
    where = '"plain" = \'it\'\'s\' OR "back\\slash" = \'back\\slash\' OR "quote""inside" IS NULL'
    assert group(coded, ["plain"], where=where, engine=spark).equals(group(coded, ["plain"], where=where))
    nothing = table.slice(0, 0)
    assert group(nothing, ["plain"], engine=spark).equals(group(nothing, ["plain"]))
    assert group(nothing, [], engine=spark).to_pydict() == {"n": [0]}


def test_cubes_are_those_of_duckdb(spark: Spark, tmp_path: Path) -> None:
    keys = NAMES[:3]
    table = messy(3).select([*keys, "n"])
    pq.write_table(table, tmp_path / "t.parquet")
    every = [names for size in range(4) for names in combinations(keys, size)]
    assert cube(tmp_path / "t.parquet", keys, every, engine=spark).equals(cube(table, keys, every))


def test_sums_that_do_not_fit_are_refused(spark: Spark) -> None:
    from pyspark.errors import ArithmeticException

    with pytest.raises(ArithmeticException, match="OVERFLOW"):
        group(pa.table({"a": ["x", "x"], "n": [2**62, 2**62]}), ["a"], engine=spark)


def test_what_is_kept_is_worked_out_once(spark: Spark) -> None:
    for engine in (spark, Duck()):
        with engine if isinstance(engine, Duck) else _open(engine) as one:
            one.register("base", pa.table({"n": [1, 2, 3]}))
            one.keep("doubled", 'SELECT "n" * 2 AS "n" FROM "base"')
            one.register("base", pa.table({"n": [100]}))
            assert one.run('SELECT SUM("n") AS "n" FROM "doubled"').column("n").to_pylist() == [12]
            one.register("doubled", pa.table({"n": [5]}))
            assert one.run('SELECT SUM("n") AS "n" FROM "doubled"').column("n").to_pylist() == [5]


def _open(engine: Spark) -> Spark:
    """A second engine beside the first; closing it leaves the first alone."""
    return Spark(session=engine._session)


def test_names_and_files_that_spark_would_skip_or_fill_are_refused(spark: Spark, tmp_path: Path) -> None:
    for name in ("_part.parquet", ".part.parquet", "a:b.parquet"):
        pq.write_table(pa.table({"n": [1]}), tmp_path / name)
        with pytest.raises(SafercitiesError, match="names begin with _"):
            spark.register("t", tmp_path / name)
    pq.write_table(pa.table({"n": [1], "a": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "2.parquet")
    with pytest.raises(SafercitiesError, match=r"not those of 1\.parquet"):
        spark.register("t", [tmp_path / "1.parquet", tmp_path / "2.parquet"])


def test_a_second_session_works_beside_the_first(spark: Spark) -> None:
    spark.register("mine", pa.table({"n": [1]}))
    with Spark() as other:
        other.register("mine", pa.table({"n": [2]}))
        assert other.run("SELECT * FROM mine").to_pydict() == {"n": [2]}
    assert spark.run("SELECT * FROM mine").to_pydict() == {"n": [1]}
    with pytest.raises(UsageError, match="already works with Spark at spark://"):
        Spark("local[1]")


def test_a_cluster_that_does_not_start_leaves_nothing_behind(spark: Spark) -> None:
    from safercities.engine.cluster import Cluster

    before = _groups()
    with pytest.raises(UsageError, match="worker-1 of the Spark cluster"):
        Cluster(workers=1, memory="much")
    assert _groups() <= before


def _groups() -> set[int]:
    """Process groups of our children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {os.getpgid(int(child)) for child in children}


def test_quotes_reach_spark_to_the_letter() -> None:
    assert spark_text('SELECT "a\\" FROM "t ""u""" WHERE x = \'\\\'') == "SELECT `a\\` FROM `t \"u\"` WHERE x = '\\\\'"
    assert spark_text('SELECT \'"a"\', "\'"') == "SELECT '\"a\"', `'`"


def test_what_is_on_loopback() -> None:
    assert all(map(on_loopback, ("local", "local[4]", "spark://127.0.0.1:1", "spark://localhost:1,127.0.0.2:2")))
    assert not any(map(on_loopback, ("spark://10.0.0.1:1", "spark://127.0.0.1:1,far:2", "yarn", "k8s://x")))


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safercities.engine.spark.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="PySpark is not installed"):
        Spark()
    monkeypatch.setattr("safercities.engine.spark.importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("safercities.engine.spark.shutil.which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(UsageError, match="no java"):
        Spark()
