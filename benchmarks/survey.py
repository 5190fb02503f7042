"""Every 1-, 2- and 3-way breakdown of a survey: ours, through SQL, and the peers svy, samplics and R's survey.

    .venv/bin/python -m benchmarks.survey [--rows 1000000] [--peer-rows 100000] [--samplics-rows 20000] [--full]

50 strata × 40 PSUs, 6 dimensions (sex 2, age 6, income 5, orientation 4, migrant 2, district 20): 41 tables, 3 793
domains, 8 outcomes of 0 and 1. Rows are in no order. Ours gives shares with standard errors, Korn–Graubard intervals,
degrees of freedom, design effects and publication rules; the peers are asked for less (shares and standard errors; svy
for design effects too). Each contender runs in a process of its own: its processor time and peak memory are those of
the whole process up to its results, with start, imports and reading the file (Parquet; CSV for R). All shares and
standard errors of one size must agree to 1e-8. Peers run at a smaller size, beside ours at that size, because they take
minutes at the full one: `--full` runs svy and R there too. samplics stops at a group without a case: it gets the
1-way tables of the five outcomes that are not rare. R is left out where `Rscript` has no package survey.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

SIZES = {"sex": 2, "age": 6, "income": 5, "orientation": 4, "migrant": 2, "district": 20}
OUTCOMES = tuple(f"y{number}" for number in range(1, 9))
SHARES = [0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5]
STRATA, PSUS = 50, 40
TOLERANCE = 1e-8
#: Domain, outcome, share, standard error; made from a contender's results after its time was taken.
Rows = Iterator[tuple[str, str, float, float]]

R_SCRIPT = """
suppressMessages(library(survey)); options(digits = 17)
said <- commandArgs(trailingOnly = TRUE)
d <- read.csv(said[1], colClasses = c(stratum = "integer", psu = "integer", w = "numeric"))
design <- svydesign(ids = ~psu, strata = ~stratum, weights = ~w, data = d)
outcomes <- paste0("y", 1:8); what <- as.formula(paste("~", paste(outcomes, collapse = "+")))
out <- file(said[2], "w"); dims <- strsplit(said[3], ",")[[1]]
for (size in 1:3) for (names in combn(dims, size, simplify = FALSE)) {
  made <- svyby(what, as.formula(paste("~", paste(names, collapse = "+"))), design, svymean)
  key <- do.call(paste, c(lapply(names, function(one) paste0(one, "=", made[[one]])), sep = "|"))
  for (y in outcomes) {
    numbers <- sprintf("%.17g", c(made[[y]], made[[paste0("se.", y)]])); half <- length(key)
    writeLines(paste(key, y, numbers[1:half], numbers[half + 1:half], sep = "\\t"), out)
  }
}
close(out)
status <- grep("VmHWM", readLines("/proc/self/status"), value = TRUE)
peak <- as.numeric(gsub("[^0-9]", "", status)) / 1024
took <- proc.time()
cat(sprintf('{"cpu": %f, "wall": %f, "peak": %f}\\n', took[1] + took[2], took[3], peak))
"""


@dataclass(frozen=True)
class Task:
    """Which breakdowns, of which outcomes."""

    ways: int = 3
    outcomes: tuple[str, ...] = OUTCOMES

    @property
    def tables(self) -> list[tuple[str, ...]]:
        """Every breakdown by up to so many dimensions."""
        return [names for size in range(1, self.ways + 1) for names in combinations(SIZES, size)]


def make(path: Path, rows: int, seed: int) -> None:
    """Write the respondents as Parquet, and as CSV beside it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    psu = rng.integers(0, STRATA * PSUS, rows, dtype=np.int32)
    level = rng.normal(0, 0.3, STRATA * PSUS)[psu]
    columns: dict[str, object] = {"stratum": psu // PSUS, "psu": psu, "w": rng.lognormal(4, 0.5, rows)}
    for name, size in SIZES.items():
        codes = rng.choice(size, rows, p=np.arange(size, 0, -1) / (size * (size + 1) / 2)).astype("int8")
        level += (codes - size / 2) * 0.2 / size
        labels = pa.array([f"{name}{number:02d}" for number in range(size)])
        columns[name] = pa.DictionaryArray.from_arrays(codes, labels).cast(pa.string())
    for name, share in zip(OUTCOMES, SHARES, strict=True):
        odds = share / (1 - share) * np.exp(level)
        columns[name] = (rng.random(rows) < odds / (1 + odds)).astype("int8")
    table = pa.table(columns)
    pq.write_table(table, path)
    pyarrow.csv.write_csv(table, path.with_suffix(".csv"))


class NoPandas:
    """An import hook for a machine without pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse pandas; leave everything else to the next one."""
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name)


def ours(path: Path, task: Task, engine: object = None) -> Rows:
    """safercities as it comes: without pandas, which it does not need, and which pyarrow would load where it is."""
    sys.meta_path.insert(0, NoPandas())
    import safercities as sc

    design = sc.survey(path, weight="w", strata="stratum", psu="psu", engine=engine)  # type: ignore[arg-type]
    table = design.proportion(task.outcomes, by=task.tables, interval="korn-graubard", scheme="nchs").to_arrow()
    return _plain(table)


def _plain(table: pa.Table) -> Rows:
    named = {name: table.column(name).to_pylist() for name in ("indicator", "value", "se", *SIZES)}
    yield from (
        ("|".join(f"{name}={named[name][row]}" for name in SIZES if named[name][row] != "_T"), outcome, value, se)
        for row, (outcome, value, se) in enumerate(zip(named["indicator"], named["value"], named["se"], strict=True))
        if value is not None  # nobody there
    )


def ours_sql(path: Path, task: Task) -> Rows:
    """safercities with the respondents behind a SQL engine (DuckDB)."""
    from safercities.engine.duck import Duck

    with Duck([path]) as engine:
        return ours(path, task, engine)


def with_svy(path: Path, task: Task) -> Rows:
    """svy: one call a table, all outcomes at once, design effects as ours."""
    import polars as pl
    import svy

    sample = svy.Sample(pl.read_parquet(path), svy.Design(stratum="stratum", psu="psu", wgt="w"))
    made = {names: sample.estimation.mean(list(task.outcomes), by=names, deff="wor") for names in task.tables}
    return (
        ("|".join(f"{name}={row[name]}" for name in names), outcome, row["est"], row["se"])
        for names, several in made.items()
        for outcome, one in zip(task.outcomes, several, strict=True)
        for row in one.to_polars().to_dicts()
    )


def with_samplics(path: Path, task: Task) -> Rows:
    """samplics: one call a table and outcome, the groups joined into one text."""
    import warnings

    warnings.simplefilter("ignore")
    import pandas as pd
    from samplics.estimation import TaylorEstimator
    from samplics.utils.types import PopParam

    frame = pd.read_parquet(path)
    made = []
    for names in task.tables:
        domain = sum((f"{one}=" + frame[one] + "|" for one in names[1:]), start=f"{names[0]}=" + frame[names[0]] + "|")
        for outcome in task.outcomes:
            one = TaylorEstimator(PopParam.mean)
            one.estimate(
                y=frame[outcome], samp_weight=frame["w"], stratum=frame["stratum"], psu=frame["psu"], domain=domain
            )
            made.append((outcome, one.to_dataframe()))
    return (
        (str(row["_domain"])[:-1], outcome, row["_estimate"], row["_stderror"])
        for outcome, table in made
        for row in table.to_dict("records")
    )


CONTENDERS: dict[str, Callable[[Path, Task], Rows]] = {
    "ours": ours,
    "ours, SQL": ours_sql,
    "svy": with_svy,
    "samplics": with_samplics,
}


@dataclass(frozen=True)
class Run:
    """What one contender took, and found: (domain, outcome) → share and standard error."""

    cpu: float
    wall: float
    peak: float
    found: dict[tuple[str, str], tuple[float, float]]


def run(name: str, path: Path, task: Task) -> Run:
    """Run a contender in a new process; processor time and peak memory as the operating system counts them."""
    out = path.with_name("out.tsv")
    if name == "R survey":
        script = path.with_name("survey.R")
        script.write_text(R_SCRIPT, encoding="utf-8")
        command = ["Rscript", str(script), str(path.with_suffix(".csv")), str(out), ",".join(SIZES)]
    else:
        command = [sys.executable, "-m", "benchmarks.survey", "--one", name, "--file", str(path), "--out", str(out)]
        command += ["--ways", str(task.ways), "--outcomes", *task.outcomes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    taken = json.loads(done.stdout.splitlines()[-1])
    found = {}
    for line in out.read_text(encoding="utf-8").splitlines():
        key, outcome, value, se = line.split("\t")
        found[key, outcome] = (float(value), float(se))
    out.unlink()
    return Run(**taken, found=found)


def one(name: str, path: Path, task: Task, out: Path) -> None:
    """Run a contender in this process, print what it took as JSON, and write what it found."""
    start = time.perf_counter()
    rows = CONTENDERS[name](path, task)
    wall, usage = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss / 1024
    print(json.dumps({"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "peak": peak}))
    lines = ("\t".join((key, outcome, repr(float(v)), repr(float(se)))) for key, outcome, v, se in rows)
    out.write_text("\n".join(lines), encoding="utf-8")


def difference(one: Run, other: Run) -> float:
    """Largest relative difference of a share or standard error; infinite where the domains are not the same."""
    if one.found.keys() != other.found.keys():
        return float("inf")
    pairs = [(a, b) for key, pair in one.found.items() for a, b in zip(pair, other.found[key], strict=True)]
    return max(abs(a - b) / max(abs(a), 1e-6) for a, b in pairs)


def compare(names: list[str], rows: int, seed: int, task: Task) -> bool:
    """Run contenders on one file and print what they took beside ours; whether all agree."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "survey.parquet")
        make(path, rows, seed)
        print(f"\n{rows:,} respondents, {len(task.tables)} tables, {len(task.outcomes)} outcomes", flush=True)
        print(f"{'':12}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'× CPU':>9}{'× memory':>9}   worst difference")
        us, good = run("ours", path, task), True
        for name in ("ours", *names):
            other = us if name == "ours" else run(name, path, task)
            worst = difference(us, other)
            good &= worst <= TOLERANCE
            ratios = f"{other.cpu / us.cpu:9.1f}{other.peak / us.peak:9.1f}"
            told = f"{len(us.found):,} shares" if name == "ours" else f"{worst:.1e}"
            print(f"{name:12}{other.cpu:9.2f}{other.wall:9.2f}{other.peak:9.0f}{ratios}   {told}", flush=True)
        return good


def has_r() -> bool:
    """Whether Rscript has the package survey."""
    if shutil.which("Rscript") is None:
        return False
    return not subprocess.run(["Rscript", "-e", "library(survey)"], capture_output=True, check=False).returncode


def main() -> int:
    """Compare at each size; 1 where results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=100_000)
    parser.add_argument("--samplics-rows", type=int, default=20_000)
    parser.add_argument("--full", action="store_true", help="svy and R at the full size too: about 20 minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--ways", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--outcomes", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one:
        one(said.one, said.file, Task(said.ways, tuple(said.outcomes)), said.out)
        return 0
    peers = ["svy", *(["R survey"] if has_r() else [])]
    if not has_r():
        print("no Rscript with the package survey here: R is left out")
    good = compare(["ours, SQL", *(peers if said.full else [])], said.rows, said.seed, Task())
    good &= compare(peers, said.peer_rows, said.seed, Task())
    good &= compare(["samplics"], said.samplics_rows, said.seed, Task(1, OUTCOMES[3:]))
    print(f"shares and standard errors {'agree' if good else 'DO NOT AGREE'} to {TOLERANCE:g}")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
