"""What pages and the API ask of figures: 10 000 places × 20 indicators × 10 years × 20 breakdowns = 40 M rows.

    .venv/bin/python -m benchmarks.hub_figures [--small] [--index DIR] [--rounds 200]

The rows are drawn by chance straight into the layout of an index (a tenth is withheld), in a temporary folder that is
cleared in the end, or in DIR, which is kept and used again. Every question is asked with other codes each time, and
nothing is remembered from one to the next; then by eight threads at once. Shown are p50 and p95 in milliseconds, how
long the processor worked (p50), and questions a second with eight threads. One question uses one thread, as in the hub.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from safercities.hub.figures import Figures, Query, export
from safercities.hub.figures.about import FILE, About, PlaceInfo, SourceInfo
from safercities.hub.figures.building import describe
from safercities.hub.figures.cache import Cache
from safercities.hub.figures.current import point
from safercities.hub.figures.store import LEVEL, RELEASE, Writer, coded, stored
from safercities.hub.figures.telling import Told, ranked
from safercities.indicators.catalogue import catalogue
from safercities.release.manifest import definition_hash

DIMENSIONS = ("sex", "age")
SEXES = ["_T", "F", "M", "_U"]
AGES = ["_T", "Y0T14", "Y15T29", "Y30T59", "Y_GE60"]
NAME = "synthetic.1"
#: Places of a district, and rows of the table on a page.
DISTRICT, PAGE = 100, 100


@dataclass(frozen=True)
class Size:
    """How much there is."""

    places: int
    indicators: int
    years: int

    @property
    def rows(self) -> int:
        """In all."""
        return self.places * self.indicators * self.years * len(SEXES) * len(AGES)


FULL, SMALL = Size(10_000, 20, 10), Size(1_000, 4, 5)


# -- making it ---------------------------------------------------------------------------------------------------------


def make(index: Path, size: Size, seed: int) -> None:
    """Write an index of that size."""
    folder = index / NAME
    folder.mkdir(parents=True)
    told, texts = meaning(size)
    rng = np.random.default_rng(seed)
    with Writer(folder, DIMENSIONS) as writer:
        for number in range(size.indicators):
            writer.add(rows(size, number, rng))
        writer.finish()
    about = describe(folder, [], told, texts, DIMENSIONS)
    known = {"version": "0" * 64, "name": "Synthetic", "place": "P00000", "level": "city", "synthetic": True}
    (folder / FILE).write_text(About.model_copy(about, update=known).model_dump_json(), encoding="utf-8")
    point(index, NAME)


def meaning(size: Size) -> tuple[Told, dict[str, tuple[str, ...]]]:
    """Places in districts in a city; indicators of the catalogue; and the lists of codes."""
    told = Told()
    for number in range(size.places):
        id = f"P{number:05d}"
        level = "city" if number == 0 else "district" if number <= DISTRICT else "neighbourhood"
        upper = None if number == 0 else "P00000" if number <= DISTRICT else f"P{1 + number % DISTRICT:05d}"
        told.places[id] = PlaceInfo(id=id, name=f"Place {number}", level=level, parent=upper)
    codes = sorted(catalogue())[: size.indicators]
    for code in codes:
        told.definitions[code] = {catalogue()[code].on().version: definition_hash(catalogue()[code])}
    told.sources["made"] = SourceInfo(
        name="made", label="Made up", kind="incidents", unit=None, covers=None, population=""
    )
    texts: dict[str, tuple[str, ...]] = dict.fromkeys(coded(DIMENSIONS), ())
    texts |= {"indicator": tuple(codes), "version": ("2020-1",), "place": tuple(sorted(told.places))}
    texts |= {"period": tuple(str(2025 - size.years + year) for year in range(size.years)), "unit": ("per 100 000",)}
    texts |= {"sex": tuple(ranked("sex", SEXES)), "age": tuple(ranked("age", AGES)), "source": ("made",)}
    texts |= {"method": ("crude rate, Garwood interval",), "obs_status": ("A", "Q"), "conf_status": ("F", "N")}
    return told, texts | {"quality": ("", "few_cases"), LEVEL: ("city", "district", "neighbourhood")}


def rows(size: Size, number: int, rng: np.random.Generator) -> pa.Table:
    """The rows of one indicator."""
    shape = (size.years, len(SEXES), len(AGES), size.places)
    count = int(np.prod(shape))
    at = np.indices(shape, dtype=np.int32).reshape(4, count)
    people = rng.lognormal(8, 1, size.places)[at[3]].round()
    cases = rng.poisson(people * rng.gamma(2, 1e-3, count))
    hidden = rng.random(count) < 0.1
    rate = (cases / people * 1e5).round(1)
    shown = {"value": rate, "lower": (rate * 0.8).round(1), "upper": (rate * 1.3).round(1)}
    shown |= {"n": cases, "n_positive": cases, "coverage": np.ones(count)}
    open_ = {"level": np.full(count, 0.95), "denominator": people}
    codes = {"indicator": np.full(count, number), "period": at[0], "sex": at[1], "age": at[2], "place": at[3]}
    codes |= dict.fromkeys(("version", "unit", "method", "source"), np.zeros(count, dtype=np.int32))
    codes |= {"obs_status": hidden, "conf_status": hidden, "quality": cases < 20, RELEASE: np.ones(count)}
    codes |= {LEVEL: (at[3] > 0).astype(np.int32) + (at[3] > DISTRICT)}
    columns = []
    for field in stored(DIMENSIONS):
        if field.name in shown:
            columns.append(pa.array(shown[field.name], field.type, mask=hidden))
        elif field.name in codes:
            columns.append(pa.array(codes[field.name].astype(np.int32)))
        elif field.name in open_:
            columns.append(pa.array(open_[field.name]))
        else:
            none = field.type == pa.int32()
            columns.append(pa.array(np.full(count, -1, dtype=np.int32)) if none else pa.nulls(count, field.type))
    return pa.table(columns, schema=stored(DIMENSIONS))


# -- asking it ---------------------------------------------------------------------------------------------------------


def questions(figures: Figures, rng: np.random.Generator) -> dict[str, Callable[[], object]]:
    """Name → a question, with other codes every time."""
    indicators, places = list(figures.indicators), list(figures.places)
    periods = figures.about.texts["period"]

    def code() -> str:
        return indicators[int(rng.integers(len(indicators)))]

    def place() -> str:
        return places[int(rng.integers(len(places)))]

    def period() -> str:
        return periods[int(rng.integers(len(periods)))]

    def district() -> str:
        return places[1 + int(rng.integers(DISTRICT))]

    def row() -> int:
        return int(rng.integers(figures.about.rows - 10 * PAGE))

    def by_sex() -> Query:
        return Query([code()], [], [period()], {"sex": ()}, levels=["neighbourhood"], total_only=True)

    return {
        "headline of a place": lambda: figures.latest(code(), place()),
        "series over the years": lambda: figures.series(code(), place()),
        "by sex and age at a place": lambda: figures.table(code(), period(), by=["sex", "age"], places=[place()]),
        "three places compared": lambda: figures.rows(Query([code()], [place(), place(), place()], total_only=True)),
        "a place, all indicators": lambda: figures.latest_of([], place()),
        "map": lambda: figures.map_values(code(), period(), "neighbourhood"),
        "map of women": lambda: figures.map_values(code(), period(), "neighbourhood", dimensions={"sex": ["F"]}),
        "table by sex, a page of it": lambda: figures.rows(by_sex(), limit=PAGE),
        "the same, its 20th page": lambda: figures.records(by_sex(), limit=PAGE, skip=20 * PAGE),
        "how good a level's rows are": lambda: figures.summary(by_sex()),
        "a district's parts": lambda: figures.records(
            Query([code()], periods=[period()], inside=district(), total_only=True)
        ),
        "20 highest of a year": lambda: figures.rows(
            Query([code()], [], [period()], total_only=True), order=["-value"], limit=20
        ),
        "choices": lambda: figures.choices(Query([code()], periods=[period()])),
        "choices at a place": lambda: figures.choices(Query([code()], [place()])),
        "places of an indicator": lambda: figures.places_with(Query([code()], periods=[period()])),
        "API: 100 rows": lambda: figures.rows(Query([code()], periods=[period()]), limit=100),
        "API: 1 000 rows, anywhere": lambda: figures.rows(Query(), limit=1_000, after=row()),
        "API: 100 rows of women": lambda: figures.rows(
            Query([code()], [], [period()], {"sex": ["F"]}), limit=100, after=row() // len(indicators)
        ),
        "count": lambda: figures.count(Query([code()], [], [period()], {"sex": ["F"]})),
        "count at a place": lambda: figures.count(Query([code()], [place()])),
    }


def timed(ask: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds that it took, and that the processor worked for it."""
    start, work = time.perf_counter(), time.thread_time()
    ask()
    return (time.perf_counter() - start) * 1e3, (time.thread_time() - work) * 1e3


def measure(figures: Figures, rounds: int, seed: int) -> None:
    """Ask everything, by one thread and by eight."""
    print(f"\n{'':30} {'1 thread: p50':>14} {'p95':>8} {'CPU':>8} {'8 threads: p50':>16} {'p95':>8} {'a second':>9}")
    for name, ask in questions(figures, np.random.default_rng(seed)).items():
        ask()
        alone, work = np.array([timed(ask) for _ in range(rounds)]).T
        start = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            together = np.array(list(pool.map(timed, [ask] * (2 * rounds))))[:, 0]
        rate = 2 * rounds / (time.perf_counter() - start)
        one, eight = np.percentile(alone, [50, 95]), np.percentile(together, [50, 95])
        print(
            f"{name:30} {one[0]:14.1f} {one[1]:8.1f} {np.median(work):8.1f}",
            f"{eight[0]:16.1f} {eight[1]:8.1f} {rate:9.0f}",
            flush=True,
        )


def write_files(figures: Figures) -> None:
    """A year of an indicator, in each format."""
    query = Query([next(iter(figures.indicators))], periods=[figures.about.texts["period"][-1]])
    print(f"\ndownload of {figures.count(query):,} rows")
    for name in ("csv", "sdmx-csv", "json", "arrow", "parquet"):
        start = time.perf_counter()
        pieces = export(figures, query, name)
        head = len(next(pieces))
        first = time.perf_counter() - start
        total = head + sum(map(len, pieces))
        took = time.perf_counter() - start
        print(f"  {name:10} {took:6.2f} s {total / 1e6:7.1f} MB, first piece after {first * 1e3:.0f} ms", flush=True)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="safercities-bench-") as name:
        yield Path(name)


def main() -> None:
    """Make it, ask it."""
    parser = argparse.ArgumentParser(prog="benchmarks.hub_figures", description=__doc__)
    parser.add_argument("--small", action="store_true", help="400 000 rows")
    parser.add_argument("--index", type=Path, help="a folder to keep the index in, and to use again")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    size = SMALL if given.small else FULL
    with _folder(given.index) as index:
        if not (index / NAME).is_dir():
            start = time.perf_counter()
            make(index, size, given.seed)
            print(f"made {size.rows:,} rows in {time.perf_counter() - start:.0f} s")
        used = sum(path.stat().st_size for path in (index / NAME).iterdir())
        start = time.perf_counter()
        figures = Figures.open(index)
        print(f"{used / 1e6:,.0f} MB on disk, opened in {(time.perf_counter() - start) * 1e3:.0f} ms")
        figures._cache = Cache(0)
        measure(figures, given.rounds, given.seed)
        write_files(figures)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")


if __name__ == "__main__":
    main()
