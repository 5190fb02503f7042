"""How long `safercities --help` takes: best and median of ten starts, beside an empty Python and heavy imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

CASES = {
    "safercities --help": [sys.executable, "-m", "safercities", "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "import pandas": [sys.executable, "-c", "import pandas"],
    "import duckdb, pyarrow, shapely": [sys.executable, "-c", "import duckdb, pyarrow, shapely"],
}


def seconds(command: list[str], times: int = 10) -> list[float]:
    """Wall-clock seconds of each start."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return taken


def main() -> None:
    """Print the table."""
    print(f"{'command':34} {'best s':>7} {'median s':>9}")
    for name, command in CASES.items():
        taken = seconds(command)
        print(f"{name:34} {min(taken):7.3f} {statistics.median(taken):9.3f}")


if __name__ == "__main__":
    main()
