"""The numbers of an index on disk: one DuckDB file, every row twice in it, sorted for maps and sorted for places.

Measured with 2 M rows of one indicator: what a place page asks takes 2 ms here and 11 ms from sorted Parquet (row
groups of 100 000; 32 ms with 20 000), a map 5 ms and 250 ms. DuckDB plans quicker on its own tables, and prunes inside
row groups. Both copies are cut into tables of some two million rows: with 40 M in one, a place takes twice as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from safercities.engine.sql import quote
from safercities.model.estimates import schema

FILE = "figures.duckdb"
#: In the order of the row numbers: by indicator, series, period and breakdown; the places of a map are neighbours.
WIDE = "wide"
#: By place, then by row number: all that is said of a place is together.
NEAR = "near"
#: Which tables each copy consists of: name, which copy, first and last indicator, place and row number in it.
PARTS = "parts"
#: A table without rows.
NOTHING = "nothing"
#: Which series, periods, levels and breakdowns there are together: for choosing, without a look at the rows.
COMBINATIONS = "combinations"
ROW, RELEASE, LEVEL = "_row", "_release", "_level"
#: Of a combination: how many rows it has, and how many of them have a value.
ROWS, SHOWN = "_rows", "_shown"
#: Columns of the answers beside those of the estimates.
OURS = ("release", "row")
#: Texts that are held as text; all others as positions in a list.
PLAIN = frozenset({"note"})
#: Rows that are put in order at once: what bounds memory when an index is made.
CHUNK = 2_000_000
_SERIES = ("version", "source", "unit", "method")


def coded(dimensions: Sequence[str]) -> tuple[str, ...]:
    """Columns of the estimates that are held as positions.

    Examples
    --------
    >>> coded(["sex"])[:6]
    ('indicator', 'version', 'place', 'period', 'sex', 'unit')
    """
    found = (name for name, kind in _fields(dimensions) if pa.types.is_string(kind))
    return tuple(name for name in found if name not in PLAIN)


def columns(dimensions: Sequence[str]) -> tuple[str, ...]:
    """Columns of the answers: those of the estimates, the number of the release, and that of the row."""
    return (*(name for name, _ in _fields(dimensions)), *OURS)


def stored(dimensions: Sequence[str]) -> pa.Schema:
    """What a row is on disk, but for its number."""
    whole = set(coded(dimensions))
    fields = [pa.field(name, pa.int32() if name in whole else kind) for name, kind in _fields(dimensions)]
    return pa.schema([*fields, pa.field(RELEASE, pa.int32()), pa.field(LEVEL, pa.int32())])


def facets(dimensions: Sequence[str]) -> tuple[str, ...]:
    """Columns of the combinations."""
    return ("indicator", *_SERIES, "period", LEVEL, *dimensions)


def order(dimensions: Sequence[str]) -> tuple[str, ...]:
    """The key of a row, in the order of the row numbers."""
    return ("indicator", *_SERIES, "period", *dimensions, "place")


def _fields(dimensions: Sequence[str]) -> Iterator[tuple[str, pa.DataType]]:
    yield from ((field.name, field.type) for field in schema(dimensions))


def connect(path: Path | str, *, read_only: bool, memory: str, threads: int, spill: Path | None = None) -> Any:
    """A connection to an index: silent, offline, without extensions, and that sees no other file once it is locked."""
    import duckdb

    return duckdb.connect(
        str(path),
        read_only=read_only,
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(spill or ""),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )


def lock(connection: Any) -> None:
    """No file and no network from now on; it cannot be undone."""
    connection.execute("SET enable_external_access = false").fetchall()


def together(names: Sequence[str]) -> str:
    """A text that reads these tables as one.

    Examples
    --------
    >>> together(["near_0", "near_1"]), together([])
    ('SELECT * FROM near_0 UNION ALL SELECT * FROM near_1', 'SELECT * FROM nothing')
    """
    return " UNION ALL ".join(f"SELECT * FROM {name}" for name in names or [NOTHING])


def runs(counts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """First and last of runs that come to no more than CHUNK rows together, or are one alone.

    Parameters
    ----------
    counts
        Position of an indicator or a place, rising, and how many rows it has.

    Examples
    --------
    >>> list(runs([(0, 10), (1, 10), (4, 3_000_000), (5, 1)]))
    [(0, 1), (4, 4), (5, 5)]
    """
    run: tuple[int, int] | None = None
    total = 0
    for at, rows in counts:
        if run is not None and total + rows > CHUNK:
            yield run
            run, total = None, 0
        run, total = (at if run is None else run[0], at), total + rows
    if run is not None:
        yield run


class Writer:
    """Writes the numbers of an index.

    Parameters
    ----------
    folder
        Of the index; the file is made in it. What does not fit into memory goes to a folder in it for as long.
    dimensions
        Of the figures.
    """

    def __init__(self, folder: Path, dimensions: Sequence[str], *, memory: str = "2GB", threads: int = 2) -> None:
        self.dimensions, self.rows = tuple(dimensions), 0
        spill = folder / "spill"
        self._connection = connect(folder / FILE, read_only=False, memory=memory, threads=threads, spill=spill)
        self._run("SET enable_progress_bar = false")
        self._names = ", ".join(quote(name) for name in stored(dimensions).names)
        empty = stored(dimensions).empty_table()
        self._connection.register("empty", empty)
        self._run(f"CREATE TABLE {NOTHING} AS SELECT 0::BIGINT AS {ROW}, {self._names} FROM empty")
        self._connection.unregister("empty")
        ends = ", ".join(f"{name}_{end} BIGINT" for name in ("indicator", "place", "row") for end in ("first", "last"))
        self._run(f"CREATE TABLE {PARTS} (name VARCHAR, copy VARCHAR, {ends})")

    def add(self, source: pa.Table | Sequence[Path], where: str = "TRUE", *, once: bool = False) -> None:
        """Add rows that come after all before them, in any order.

        Parameters
        ----------
        source
            Table, or Parquet files, with the columns of `stored`.
        where
            Which of its rows.
        once
            Of rows with one key, only that of the latest release: the others were replaced by it.
        """
        sql, values = "added", list[object]()
        if isinstance(source, pa.Table):
            self._connection.register(sql, source)
        else:
            sql, values = "read_parquet(?, hive_partitioning = false)", [[str(path) for path in source]]
        keys = ", ".join(quote(name) for name in order(self.dimensions))
        only = f"QUALIFY {RELEASE} = max({RELEASE}) OVER (PARTITION BY {keys})" if once else ""
        found = f"SELECT {self._names} FROM {sql} WHERE {where} {only} ORDER BY {keys}"
        text = f"SELECT {self.rows} + row_number() OVER () - 1, * FROM ({found})"
        self.rows += self._part(WIDE, text, values)
        if isinstance(source, pa.Table):
            self._connection.unregister(sql)

    def _part(self, copy: str, text: str, values: Sequence[object] = ()) -> int:
        """Make the next table of a copy, and give how many rows it has."""
        number = self._run(f"SELECT count(*) FROM {PARTS} WHERE copy = '{copy}'")[0][0]
        name = f"{copy}_{number}"
        self._run(f"CREATE TABLE {name} AS SELECT * FROM {NOTHING}")
        self._run(f"INSERT INTO {name} {text}", values)
        ends = ", ".join(f"min({column}), max({column})" for column in ("indicator", "place", ROW))
        self._run(f"INSERT INTO {PARTS} SELECT '{name}', '{copy}', {ends} FROM {name}")
        return int(self._run(f"SELECT count(*) FROM {name}")[0][0])

    def _whole(self, copy: str) -> None:
        """Let a copy be read as one."""
        names = [name for (name,) in self._run(f"SELECT name FROM {PARTS} WHERE copy = '{copy}' ORDER BY row_first")]
        self._run(f"CREATE VIEW {copy} AS {together(names)}")

    def _run(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        """Run a SQL text to its end."""
        return list(self._connection.execute(text, values).fetchall())

    def finish(self) -> None:
        """Sort the rows by place too, list the combinations, and close the file."""
        run = self._run
        self._whole(WIDE)
        for first, last in runs(self._run(f"SELECT place, count(*) FROM {WIDE} GROUP BY place ORDER BY place")):
            found = f"SELECT * FROM {WIDE} WHERE place BETWEEN {first} AND {last}"
            self._part(NEAR, f"{found} ORDER BY place, {ROW}")
        self._whole(NEAR)
        names = ", ".join(quote(name) for name in facets(self.dimensions))
        counts = f"count(*)::BIGINT AS {ROWS}, count(value)::BIGINT AS {SHOWN}"
        run(f"CREATE TABLE {COMBINATIONS} AS SELECT {names}, {counts} FROM {WIDE} GROUP BY ALL ORDER BY ALL")
        run("CHECKPOINT")
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
