"""Full cube of 20 M incident rows over place × month × act × sex × age: ours, pandas, polars, and a bare DuckDB scan.

    .venv/bin/python benchmarks/cube.py [--rows 20000000] [--seed 1] [--repeat 3]

Each contender runs in its own process and does the work `--repeat` times; shown are the first and the best time and the
peak memory of the process (the first holds lazy imports: pyarrow imports pandas, where it is installed, when it first
needs to know whether something is a pandas object: 2 s here). All cubes must be equal cell by cell. The bare scan:
`SELECT max(place), max(month), max(act), max(sex), max(age), sum(n)`: it has to decode every value of the six columns
(max alone, without the sum, is answered from the file's statistics, and says nothing) and keeps one row.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

KEYS = ("place", "month", "act", "sex", "age")
COMBINATIONS = [keys for size in range(len(KEYS) + 1) for keys in combinations(KEYS, size)]
VALUES = {
    "place": [f"E{5_000_000 + i:08d}" for i in range(200)],
    "month": [f"{2019 + i // 12}-{i % 12 + 1:02d}" for i in range(36)],
    "act": [f"{i + 1:04d}" for i in range(12)],
    "sex": ["F", "M", "_U"],
    "age": [*(f"Y{low}T{low + 9}" for low in range(0, 70, 10)), "_U"],
}
#: Zipf exponents: how uneven the values of each key are.
SKEW = {"place": 0.8, "month": 0.1, "act": 1.2, "sex": 0.7, "age": 0.6}


def make(path: Path, rows: int, seed: int) -> None:
    """Write the incidents, a million at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    schema = pa.schema([*((key, pa.string()) for key in KEYS), ("n", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, 1_000_000):
            size, columns = min(1_000_000, rows - start), []
            for key in KEYS:
                weight = np.arange(1, len(VALUES[key]) + 1) ** -SKEW[key]
                codes = rng.choice(len(VALUES[key]), size, p=weight / weight.sum()).astype("int32")
                columns.append(pa.DictionaryArray.from_arrays(codes, pa.array(VALUES[key])).cast(pa.string()))
            columns.append(pa.array(1 + (rng.random(size) < 0.05) * rng.integers(1, 4, size)))
            writer.write_table(pa.table(columns, schema=schema))


def scan(path: Path) -> Callable[[], None]:
    """The bare scan: every value of every column is decoded, and one row kept."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    text = f"SELECT {', '.join(f'max({key})' for key in KEYS)}, sum(n) FROM read_parquet('{path}')"
    return lambda: connection.execute(text).fetchall() and None


def ours(path: Path) -> Callable[[], object]:
    """safercities.engine.cube as it comes."""
    from safercities.engine import cube

    return lambda: cube(path, KEYS, COMBINATIONS)


def ours_sql(path: Path) -> Callable[[], object]:
    """safercities.engine.cube held to its SQL text."""
    import safercities.engine.dense as dense
    from safercities.engine import cube

    dense.CELLS = 0
    return lambda: cube(path, KEYS, COMBINATIONS)


def with_pandas(path: Path) -> Callable[[], object]:
    """Group once at the finest level, then from there, keys as categories: the fastest way that we know in pandas."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    def run() -> object:
        frame = pq.read_table(path, read_dictionary=list(KEYS)).unify_dictionaries().to_pandas()
        base = frame.groupby(list(KEYS), observed=True, sort=False)["n"].sum().reset_index()
        parts = []
        for keys in COMBINATIONS:
            if keys:
                part = base.groupby(list(keys), observed=True, sort=False)["n"].sum().reset_index()
            else:
                part = pd.DataFrame({"n": [base["n"].sum()]})
            parts.append(part.astype(dict.fromkeys(keys, "str")).assign(**{k: "_T" for k in KEYS if k not in keys}))
        return pa.Table.from_pandas(pd.concat(parts)[[*KEYS, "n"]], preserve_index=False)

    return run


def with_polars(path: Path) -> Callable[[], object]:
    """Group once at the finest level (lazy scan), then from there."""
    import polars as pl

    def run() -> object:
        base = pl.scan_parquet(path).group_by(KEYS).agg(pl.col("n").sum()).collect()
        parts = []
        for keys in COMBINATIONS:
            part = base.group_by(keys).agg(pl.col("n").sum()) if keys else base.select(pl.col("n").sum())
            missing = [pl.lit("_T").alias(key) for key in KEYS if key not in keys]
            parts.append(part.with_columns(missing).select(*KEYS, "n"))
        return pl.concat(parts).to_arrow()

    return run


CONTENDERS = {"bare scan": scan, "ours": ours, "ours, SQL": ours_sql, "polars": with_polars, "pandas": with_pandas}


def digest(table: object) -> str:
    """Hash of a cube's cells in a fixed order."""
    import pyarrow as pa

    assert isinstance(table, pa.Table)
    plain = pa.table(
        [table.column(key).cast(pa.string()) for key in KEYS] + [table.column("n").cast(pa.int64())], [*KEYS, "n"]
    )
    total = hashlib.sha256()
    for column in plain.sort_by([(key, "ascending") for key in KEYS]).columns:
        joined = column.combine_chunks().dictionary_encode() if column.type == pa.string() else column.combine_chunks()
        if column.type == pa.string():
            order = sorted(joined.dictionary.to_pylist())
            total.update("\n".join(order).encode())
            joined = pa.compute.index_in(column.combine_chunks(), pa.array(order)).cast(pa.int64())
        total.update(joined.to_numpy().tobytes())
    return total.hexdigest()


def one(name: str, path: Path, repeat: int) -> None:
    """Run a contender in this process and print what it took as JSON."""
    import pyarrow.compute  # noqa: F401

    work, times, result = CONTENDERS[name](path), [], None
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cube = {} if result is None else {"rows": result.num_rows, "digest": digest(result)}  # type: ignore[attr-defined]
    print(json.dumps({"first": times[0], "best": min(times), "peak": peak, **cube}))


def main() -> int:
    """Make the data, run every contender in its own process, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one:
        one(said.one, said.file, said.repeat)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "incidents.parquet")
        make(path, said.rows, said.seed)
        print(f"{said.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB of Parquet, {len(COMBINATIONS)} combinations")
        return report({name: run(name, path, said.repeat) for name in CONTENDERS})


def run(name: str, path: Path, repeat: int) -> dict[str, float | str]:
    """Run a contender in a new process."""
    command = [sys.executable, __file__, "--one", name, "--file", str(path), "--repeat", str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def report(found: dict[str, dict[str, float | str]]) -> int:
    """Print times, memory and ratios; 1 where the cubes differ."""
    bare, us = found["bare scan"]["best"], found["ours"]
    print(f"{'':12}{'first s':>9}{'best s':>9}{'peak MB':>9}{'× scan':>9}{'× ours':>9}{'memory':>9}")
    for name, row in found.items():
        first, best, peak = float(row["first"]), float(row["best"]), float(row["peak"])
        ratios = f"{best / float(bare):9.2f}{best / float(us['best']):9.2f}{peak / float(us['peak']):9.2f}"
        print(f"{name:12}{first:9.2f}{best:9.2f}{peak:9.0f}{ratios}")
    digests = {row["digest"] for row in found.values() if "digest" in row}
    print(f"{us['rows']:,} cells; the cubes are {'equal' if len(digests) == 1 else 'NOT EQUAL'}")
    return 0 if len(digests) == 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
