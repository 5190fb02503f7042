"""The hub under load, over loopback: 1, 8 and 64 readers at once on an indicator's page and on the API.

    .venv/bin/python -m benchmarks.hub_load [--full | --small] [--index DIR] [--seconds 10]

The server is that of `safercities serve` (granian, one process, threads), with SQLite and an index of figures drawn by
`benchmarks.hub_figures`: 400 000 rows with --small, 4 M rows by default, 40 M with --full. Each question is asked in
two ways. "New" are addresses that nobody asked for before: every answer is made. "Known" are two hundred addresses that
all readers ask for again and again, as on the day of a release: answers come from memory while nothing has changed.
Real readers are between the two. Readers are threads of another process, which shares the processors with the server:
on two processors both are slower than on machines of their own.
Shown are requests a second, p50 and p95 in milliseconds, answers that were not 200, and the server's memory.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import cycle, islice
from pathlib import Path
from random import Random

import numpy as np

from benchmarks import hub_figures
from benchmarks.hub_figures import FULL, NAME, SMALL, Size
from safercities.hub.operate import serving, starting
from safercities.hub.operate.keeping import Child
from safercities.hub.options import PREFIX

MIDDLE = Size(4_000, 10, 5)
READERS = (1, 8, 64)
#: Addresses that are asked for again and again.
KNOWN = 200
SLUG = "synthetic"


class Load:
    """Readers who ask, one question after the other, until the time is up, or there are no more questions."""

    def __init__(self, port: int, paths: Iterator[str], readers: int, seconds: float) -> None:
        self.port, self.paths, self.until = port, paths, time.perf_counter() + seconds
        self.took: list[float] = []
        self.wrong = 0
        self.threads = [threading.Thread(target=self._read) for _ in range(readers)]

    def run(self) -> None:
        """All of them at once."""
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()

    def _read(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        for path in self.paths:
            began = time.perf_counter()
            if began > self.until:
                break
            try:
                connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                answer.read()
                self.wrong += answer.status != 200
            except (OSError, HTTPException):
                self.wrong += 1
                connection.close()
            self.took.append((time.perf_counter() - began) * 1e3)
        connection.close()


class Shared(Iterator[str]):
    """Addresses for several threads; each is given once."""

    def __init__(self, paths: Iterator[str]) -> None:
        self._paths, self._lock = paths, threading.Lock()

    def __next__(self) -> str:
        """The next one."""
        with self._lock:
            return next(self._paths)


def questions(index: Path) -> dict[str, Iterator[str]]:
    """Name → addresses without end or repetition: of each combination of indicator, place and year by chance."""
    from safercities.hub.figures import Figures

    figures = Figures.open(index)
    codes, places, periods = list(figures.indicators), list(figures.places), list(figures.about.texts["period"])
    page = f"/o/{SLUG}/i/{{}}/?place={{}}&period={{}}"
    answer = f"/api/v1/observatories/{SLUG}/estimates?indicator={{}}&place={{}}&period={{}}&limit=100"

    def ask(form: str, seed: int) -> Iterator[str]:
        draw, asked = Random(seed), set()
        while True:
            path = form.format(draw.choice(codes), draw.choice(places), draw.choice(periods))
            if path not in asked:
                asked.add(path)
                yield path

    return {"indicator's page": ask(page, 1), "API: estimates": ask(answer, 2)}


def memory(pid: int) -> float:
    """Resident memory of a process and of those that it started, in MB (Linux)."""
    total = 0.0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            total += int(line.split()[1]) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return total + sum(memory(int(child)) for child in children)


@contextmanager
def server() -> Iterator[tuple[Child, serving.Place]]:
    """The hub's server on a free port."""
    place = serving.free_place("127.0.0.1", 0)
    child = Child(serving.server_command(place))
    child.start()
    try:
        until = time.monotonic() + serving.PATIENCE
        while not ready(place):
            if time.monotonic() > until or child.code is not None:
                raise SystemExit("the server does not answer")
            time.sleep(0.1)
        yield child, place
    finally:
        child.stop()


def ready(place: serving.Place) -> bool:
    """Whether it can work."""
    try:
        return serving.ask(place, "readyz") == 200
    except (OSError, HTTPException):
        return False


def prepare(home: Path) -> None:
    """A hub with one observatory, which has no folder: only its figures are asked for."""
    settings = {"RATE_PUBLIC": "1000000/s", "LOG_LEVEL": "WARNING"}
    os.environ.update({PREFIX + name: value for name, value in settings.items()})
    starting.enter(home)
    starting.prepare()
    from safercities.hub.models import Observatory

    Observatory.objects.get_or_create(
        slug=SLUG, defaults={"name": "Synthetic", "place_id": "P00000", "folder": str(home / "none")}
    )


def measure(home: Path, seconds: float) -> None:
    """Every question, by more and more readers."""
    head = f"{'':28} {'readers':>8} {'a second':>9} {'p50 ms':>8} {'p95 ms':>8} {'not 200':>8} {'memory MB':>10}"
    with server() as (child, place):
        print(head)
        for name, paths in questions(home / "figures" / SLUG).items():
            known = list(islice(paths, KNOWN))
            Load(place.port, iter(known), 1, 600).run()  # the first requests load what the others find there
            for kind, asked in (("new", paths), ("known", cycle(known))):
                for readers in READERS:
                    load = Load(place.port, Shared(asked), readers, seconds)
                    began = time.perf_counter()
                    load.run()
                    rate = len(load.took) / (time.perf_counter() - began)
                    half, most = np.percentile(load.took, [50, 95])
                    told = f"{rate:9.1f} {half:8.1f} {most:8.1f} {load.wrong:8} {memory(child.process.pid):10.0f}"
                    print(f"{name + ', ' + kind:28} {readers:8} {told}", flush=True)


def main() -> None:
    """Make it, load it."""
    parser = argparse.ArgumentParser(prog="benchmarks.hub_load", description=__doc__)
    parser.add_argument("--small", action="store_true", help="400 000 rows")
    parser.add_argument("--full", action="store_true", help="40 M rows")
    parser.add_argument("--index", type=Path, help="a folder to keep the index in, and to use again")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    given = parser.parse_args()
    size = SMALL if given.small else FULL if given.full else MIDDLE
    with tempfile.TemporaryDirectory(prefix="safercities-bench-") as name:
        home = Path(name)
        index = (given.index or home / "index").absolute()
        if not (index / NAME).is_dir():
            began = time.perf_counter()
            hub_figures.make(index, size, seed=1)
            print(f"made {size.rows:,} rows in {time.perf_counter() - began:.0f} s", flush=True)
        (home / "figures").mkdir()
        (home / "figures" / SLUG).symlink_to(index)
        prepare(home)
        print(f"{size.rows:,} rows; {os.cpu_count()} processors, shared by server and readers")
        measure(home, given.seconds)


if __name__ == "__main__":
    main()
