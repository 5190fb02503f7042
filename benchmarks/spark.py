"""Hundreds of millions of rows on a Spark cluster of this machine (one and two workers), and on DuckDB.

    .venv/bin/python -m benchmarks.spark [--rows 200000000] [--engines "Spark, 2 workers" …]

Synthetic respondents are written as Parquet files, five million rows each, into a temporary folder that is removed
afterwards (about 5 bytes a row). Each engine runs in a process of its own, with one processor a worker (DuckDB: one,
then two threads), and does two pieces of work: `cube`, counts by district, month, sex and age; and `survey`, shares of
two outcomes with standard errors by five breakdowns (50 strata × 40 PSUs). Shown are seconds (without the start of the
engine), nanoseconds a row, and the peak memory of all processes together. The tables of all engines must be the same to
the last bit. Needs `make spark` and Java 17.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

CHUNK = 5_000_000
KEYS = ("district", "month", "sex", "age")
BY = [(), ("sex",), ("age",), ("sex", "age"), ("district",)]
STRATA, PSUS = 50, 40
ENGINES = {"Spark, 2 workers": ("spark", 2), "Spark, 1 worker": ("spark", 1)}
ENGINES |= {"DuckDB, 2 threads": ("duck", 2), "DuckDB, 1 thread": ("duck", 1)}


def make(folder: Path, rows: int, seed: int) -> None:
    """Write the files, one at a time."""
    import numpy as np
    import pyarrow.parquet as pq

    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number])
        pq.write_table(chunk(rng, min(CHUNK, rows - start)), folder / f"part-{number:04d}.parquet")


def chunk(rng: np.random.Generator, rows: int) -> Any:
    """Some respondents: weights of a thousand sizes, short codes."""
    import numpy as np
    import pyarrow as pa

    def coded(labels: list[str]) -> pa.Array:
        codes = (rng.random(rows, np.float32) ** 1.5 * len(labels)).astype(np.int8)
        return pa.DictionaryArray.from_arrays(codes, pa.array(labels)).cast(pa.string())

    psu = rng.integers(0, STRATA * PSUS, rows, dtype=np.int32)
    sizes = np.random.default_rng(0).lognormal(4, 0.5, 1000)
    return pa.table(
        {
            "stratum": psu // PSUS,
            "psu": psu,
            "w": sizes[rng.integers(0, 1000, rows, dtype=np.int16)],
            "district": coded([f"D{number:02d}" for number in range(20)]),
            "month": coded([f"2026-{number + 1:02d}" for number in range(12)]),
            "sex": coded(["F", "M"]),
            "age": coded(["Y15T24", "Y25T34", "Y35T44", "Y45T54", "Y55T64", "Y_GE65"]),
            "n": np.ones(rows, np.int8),
            "robbed": (rng.random(rows, np.float32) < 0.06).astype(np.int8),
            "afraid": (rng.random(rows, np.float32) < 0.4).astype(np.int8),
        }
    )


@contextmanager
def engine_of(kind: str, size: int, paths: list[Path]) -> Iterator[Any]:
    """An engine with so many threads or workers."""
    if kind == "duck":
        from safercities.engine.duck import Duck

        with Duck(paths, threads=size) as duck:
            yield duck
        return
    from safercities.engine.cluster import Cluster
    from safercities.engine.spark import Spark

    with (
        Cluster(workers=size, cores=1, memory="3g") as cluster,
        Spark(cluster.url, memory="3g", options=cluster.options) as spark,
    ):
        yield spark


def digest(table: Any) -> str:
    """Hash of all values of a table."""
    total = hashlib.sha256()
    for row in table.to_batches(max_chunksize=1 << 20):
        total.update(repr(row.to_pydict()).encode())
    return total.hexdigest()[:16]


def one(kind: str, size: int, folder: Path) -> None:
    """Run an engine in this process and print what it took as JSON."""
    import safercities as sc
    from safercities.engine import group

    paths = sorted(folder.glob("part-*.parquet"))
    with Memory() as memory, engine_of(kind, size, paths) as engine:
        group(paths[:1], KEYS, engine=engine)  # so that the executors have started
        start = time.perf_counter()
        counts = group(paths, KEYS, engine=engine)
        middle = time.perf_counter()
        design = sc.survey(paths, weight="w", strata="stratum", psu="psu", engine=engine)
        shares = design.proportion(["robbed", "afraid"], by=BY).to_arrow()
        end = time.perf_counter()
    taken = {"cube": middle - start, "survey": end - middle, "peak": memory.peak}
    print(json.dumps({**taken, "digest": digest(counts.combine_chunks()) + digest(shares.combine_chunks())}))


class Memory:
    """Peak memory, in MB, of this process and all that it started, looked at five times a second."""

    def __enter__(self) -> Memory:
        self.peak, self._done = 0.0, threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            self.peak = max(self.peak, sum(resident(pid) for pid in family(os.getpid())))


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def main() -> int:
    """Make the files, run every engine, compare; 1 where tables differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the files are written for the time of the run")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES), help="only these")
    parser.add_argument("--one", choices=ENGINES, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one:
        one(*ENGINES[said.one], said.folder)
        return 0
    if find_spec("pyspark") is None or shutil.which("java") is None:
        print("no Spark here: make spark, and Java 17 (on Debian: apt-get install openjdk-17-jre-headless)")
        return 0
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        start = time.perf_counter()
        make(Path(folder), said.rows, said.seed)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
        print(
            f"{said.rows:,} rows, {size:,.0f} MB of Parquet, written in {time.perf_counter() - start:.0f} s", flush=True
        )
        return report(Path(folder), said.rows, said.engines)


def report(folder: Path, rows: int, engines: Sequence[str]) -> int:
    """Run the engines and print what they took; 1 where tables differ."""
    print(f"{'':18}{'cube s':>9}{'survey s':>9}{'cube ns/row':>13}{'survey ns/row':>14}{'peak MB':>9}")
    digests = set()
    for name in engines:
        command = [sys.executable, "-m", "benchmarks.spark", "--one", name, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr}")
        took = json.loads(done.stdout.splitlines()[-1])
        digests.add(took["digest"])
        per_row = "".join(f"{took[work] / rows * 1e9:{width}.1f}" for work, width in (("cube", 13), ("survey", 14)))
        print(f"{name:18}{took['cube']:9.1f}{took['survey']:9.1f}{per_row}{took['peak']:9.0f}", flush=True)
    print(f"the tables of all engines are {'the same' if len(digests) == 1 else 'NOT THE SAME'}")
    return 0 if len(digests) == 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
