"""The hub under load, over loopback: 1, 8 and 64 readers at once on an indicator's page and on the API.

    .venv/bin/python -m benchmarks.hub_load [--full | --small] [--index DIR] [--seconds 10]

The server is that of `safercities serve` (granian, one process, threads), with SQLite and an index of figures drawn by
`benchmarks.hub_figures`: 400 000 rows with --small, 4 M rows by default, 40 M with --full. Each question is asked in
three ways. "New" are addresses that nobody asked for before: every answer is made. "Known" are two hundred addresses
that all readers ask for again and again, as on the day of a release: answers come from memory while nothing has
changed. "Mix" is between the two, as most days: ten thousand addresses, asked for by Zipf's law (the n-th one in
proportion to 1/n^1.1), none of which anybody has asked for when it begins; it lasts three times as long, and its last
third is shown by itself too. Readers are threads of another process, which shares the processors with the server, and
ask again as soon as they are answered: on two processors both are slower than on machines of their own.
Shown are requests a second, p50 and p95 in milliseconds, how many of a hundred asked for what nobody had asked for
before, answers that were not 200, the processor time of the server for an answer, and its memory.
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
from itertools import accumulate, cycle, islice
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
#: Addresses of the mix, and how much more often than the next the first ones are asked for.
MIXED, ZIPF = 10_000, 1.1
SLUG = "synthetic"


class Load:
    """Readers who ask, one question after the other, until the time is up, or there are no more questions."""

    def __init__(self, port: int, paths: Iterator[str], readers: int, seconds: float) -> None:
        self.port, self.paths, self.until = port, paths, time.perf_counter() + seconds
        self.asked: list[tuple[float, float, str]] = []  # when, how long it took, what
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
            self.asked.append((began, (time.perf_counter() - began) * 1e3, path))
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


def mixed(paths: Iterator[str], seed: int) -> Iterator[str]:
    """Some of these addresses, the first ones again and again."""
    there, draw = list(islice(paths, MIXED)), Random(seed)
    weights = list(accumulate((at + 1) ** -ZIPF for at in range(MIXED)))
    while True:
        yield from draw.choices(there, cum_weights=weights, k=1_000)


def work(pid: int) -> float:
    """Seconds that the processors worked for a process and those that it started (Linux)."""
    of = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(of[11]) + int(of[12])) / os.sysconf("SC_CLK_TCK") + sum(work(int(child)) for child in children)


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
    print(f"{'':28} {'readers':>7} {'a second':>9} {'p50 ms':>8} {'p95 ms':>8} {'new %':>6} {'not 200':>8}", end="")
    print(f" {'CPU ms':>7} {'memory MB':>10}")
    with server() as (child, place):
        pid = child.process.pid
        for name, paths in questions(home / "figures" / SLUG).items():
            known = list(islice(paths, KNOWN))
            Load(place.port, iter(known), 1, 600).run()  # the first requests load what the others find there
            for kind in ("new", "known", "mix"):
                for readers in READERS:
                    asked = {"new": paths, "known": cycle(known), "mix": mixed(paths, readers)}[kind]
                    load = Load(place.port, Shared(asked), readers, seconds * (3 if kind == "mix" else 1))
                    before = work(pid)
                    load.run()
                    each = 1e3 * (work(pid) - before) / len(load.asked)
                    more = f"{load.wrong:8} {each:7.2f} {memory(pid):10.0f}"
                    print(f"{name + ', ' + kind:28} {readers:7} {told(load, kind)} {more}", flush=True)
                    if kind == "mix":
                        print(
                            f"{'  its last third':28} {readers:7} {told(load, kind, load.until - seconds)}", flush=True
                        )


def told(load: Load, kind: str, since: float = 0.0) -> str:
    """How it went, from a moment on."""
    asked = sorted(load.asked)
    first = {path: at for at, _, path in reversed(asked)}
    some = [one for one in asked if one[0] >= since]
    took = [one[1] for one in some]
    rate = len(some) / (max(at + each / 1e3 for at, each, _ in some) - some[0][0])
    new = 0.0 if kind == "known" else 100 * sum(first[path] == at for at, _, path in some) / len(some)
    half, most = np.percentile(took, [50, 95])
    return f"{rate:9.1f} {half:8.1f} {most:8.1f} {new:6.1f}"


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
