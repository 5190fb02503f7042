"""Run every benchmark in turn, each in its own process so that peak memory is its own."""

from __future__ import annotations

import argparse
import subprocess
import sys

FULL = [
    ["benchmarks.points"],
    ["benchmarks.cube"],
    ["benchmarks.survey"],
    ["benchmarks.rounding"],
    ["benchmarks.suppression"],
    ["benchmarks.hub_figures"],
    ["benchmarks.hub_load"],
    ["benchmarks.startup"],
    ["benchmarks.spark"],
]
SMALL = [
    ["benchmarks.points", "--points", "200000"],
    ["benchmarks.cube", "--rows", "1000000"],
    ["benchmarks.survey", "--rows", "50000", "--peer-rows", "5000", "--samplics-rows", "20000"],
    ["benchmarks.rounding", "--people", "3000", "--secrets", "2", "--no-ten"],
    ["benchmarks.suppression", "--small"],
    ["benchmarks.hub_figures", "--small"],
    ["benchmarks.hub_load", "--small", "--seconds", "3"],
    ["benchmarks.startup"],
    ["benchmarks.spark", "--rows", "2000000"],
]


def main() -> None:
    """Run them all; the exit code is that of the first that failed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="small sizes, for a quick look")
    failed = 0
    for words in SMALL if parser.parse_args().small else FULL:
        print(f"\n== {' '.join(words)}", flush=True)
        done = subprocess.run([sys.executable, "-m", *words], check=False)
        failed = failed or done.returncode
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
