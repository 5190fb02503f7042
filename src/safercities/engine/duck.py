"""DuckDB embedded: bounded, offline, silent; sees nothing but the tables and files it is given."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeAlias

import duckdb
import pyarrow as pa

from safercities.engine.sql import quote
from safercities.model.errors import SafercitiesError, problem

Source: TypeAlias = pa.Table | Path | Sequence[Path]
MEMORY = "4GB"


class Engine(Protocol):
    """What a SQL engine must do for us: `Duck` and `engine.spark.Spark` do."""

    def register(self, name: str, source: Source) -> None:
        """Let SQL texts read the source under this name."""

    def keep(self, name: str, text: str) -> None:
        """Work a SQL text out once, and let texts read its result under this name."""

    def run(self, text: str) -> pa.Table:
        """Result of a SQL text."""


class Duck:
    """An embedded DuckDB: no extensions, no network, no file but those registered when it is made.

    Those that read tables only share one, each with names of its own.

    Parameters
    ----------
    paths
        Parquet files that may be read.
    memory
        Most memory that the engine takes (all that share it together); beyond it, it spills to a private temporary
        folder.
    threads
        Default: all processors.

    Examples
    --------
    >>> with Duck() as engine:
    ...     engine.register("t", pa.table({"n": [1, 2]}))
    ...     engine.run('SELECT MAX("n") AS "n" FROM "t"').column("n").to_pylist()
    [2]
    """

    def __init__(self, paths: Sequence[Path] = (), *, memory: str = MEMORY, threads: int | None = None) -> None:
        self._kinds: dict[str, str] = {}
        self._closing = ExitStack()
        if paths or memory != MEMORY or threads:
            spill = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="safercities-"))
            connection = _opened(spill, paths, memory, threads)
        else:
            connection = _of_tables()
        self._connection = self._closing.enter_context(closing(connection))

    def register(self, name: str, source: Source) -> None:
        """Let SQL texts read an Arrow table, or Parquet files taken together, under this name."""
        self._forget(name)
        if isinstance(source, pa.Table):
            with _refusals():
                self._connection.register(name, source)
            self._kinds[name] = "registered"
            return
        paths = [source] if isinstance(source, Path) else list(source)
        listed = ", ".join("'" + str(Path(path).resolve()).replace("'", "''") + "'" for path in paths)
        files = f"read_parquet([{listed}], hive_partitioning = false)"  # no columns out of the names of folders
        with _refusals():
            self._connection.execute(f"CREATE TEMP VIEW {quote(name)} AS SELECT * FROM {files}")
        self._kinds[name] = "VIEW"

    def keep(self, name: str, text: str) -> None:
        """Work a SQL text out once, and let texts read its result under this name."""
        self._forget(name)
        with _refusals():
            self._connection.execute(f"CREATE TEMP TABLE {quote(name)} AS {text}")
        self._kinds[name] = "TABLE"

    def _forget(self, name: str) -> None:
        """Nothing has this name any more: what had it before would hide what gets it next."""
        kind = self._kinds.pop(name, None)
        if kind == "registered":
            self._connection.unregister(name)
        elif kind:
            self._connection.execute(f"DROP {kind} {quote(name)}")

    def run(self, text: str) -> pa.Table:
        """Result of a SQL text as an Arrow table."""
        with _refusals():
            return self._connection.sql(text).to_arrow_table()

    def __enter__(self) -> Duck:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.close()


def _opened(spill: str, paths: Sequence[Path], memory: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    """A new DuckDB that spills to this folder."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads or os.cpu_count() or 1,
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    connection.execute("SET enable_progress_bar = false")
    allowed = ", ".join("'" + str(Path(path).resolve()).replace("'", "''") + "'" for path in paths)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


#: The DuckDB of this process that reads no file, by the number of the process: opening one takes longer than most of
#: what is asked of it.
_shared: dict[int, duckdb.DuckDBPyConnection] = {}
_opening = threading.Lock()


def _of_tables() -> duckdb.DuckDBPyConnection:
    """A connection of its own to it: what is registered or kept through one connection, no other sees."""
    with _opening:
        if os.getpid() not in _shared:
            spill = tempfile.mkdtemp(prefix="safercities-")
            _shared[os.getpid()] = _opened(spill, (), MEMORY, None)
            atexit.register(_leave, spill)
        return _shared[os.getpid()].cursor()


@contextmanager
def _refusals() -> Iterator[None]:
    """What DuckDB refuses, in our words: its own may hold what stands in somebody's cells."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise MemoryError from None
    except (duckdb.IOException, duckdb.PermissionException, duckdb.NotSupportedError) as error:
        raise SafercitiesError(problem("duck-refused", kind=type(error).__name__)) from None
    except RuntimeError as error:
        if "interrupted" in str(error).lower():  # Ctrl-C, in DuckDB's words
            raise KeyboardInterrupt from None
        raise


def _leave(spill: str) -> None:
    """Before the process ends: the engine is gone, and where it may have spilled."""
    if found := _shared.pop(os.getpid(), None):
        found.close()
        shutil.rmtree(spill, ignore_errors=True)
