"""Asks the engine: the file of an index, read only, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from safercities.hub.figures import store
from safercities.model.errors import SafercitiesError, problem

#: Threads of one question. Many people ask at once, so that more would help nobody; and pages of rows rely on it: two
#: threads that look for the first rows that fit find them in any order.
THREADS = 1


class Planned(NamedTuple):
    """A SQL text with whole numbers in it, that is planned once by each thread: planning is a quarter of what it costs.

    Parameters
    ----------
    name
        The same for the same text, and for no other.
    text
        With `$1`, `$2`… for the numbers.
    """

    name: str
    text: str
    numbers: tuple[int, ...]


class Engine:
    """The connections to the file of an index.

    Raises
    ------
    SafercitiesError
        If it cannot be read.
    """

    def __init__(self, path: Path, memory: str) -> None:
        self._connection = _connected(path, memory)
        self._own = threading.local()

    def short(self, text: str | Planned) -> pa.Table:
        """The short answer to a SQL text of ours."""
        found = self._asked(lambda cursor: self._execute(cursor, text).fetchnumpy())  # half as long as Arrow
        return pa.table({name: _arrow(values) for name, values in found.items()})

    def long(self, text: str) -> pa.Table:
        """The answer to a SQL text of ours, however many rows it has."""
        found: pa.Table = self._asked(lambda cursor: cursor.sql(text).to_arrow_table())
        return found

    def _execute(self, cursor: Any, text: str | Planned) -> Any:
        if isinstance(text, str):
            return cursor.execute(text)
        if text.name not in self._own.planned:
            cursor.execute(f"PREPARE {text.name} AS {text.text}").fetchall()
            self._own.planned.add(text.name)
        return cursor.execute(f"EXECUTE {text.name}({', '.join(str(int(one)) for one in text.numbers)})")

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        import duckdb

        try:
            return ask(self._cursor())
        except duckdb.OutOfMemoryException:
            raise MemoryError from None
        except duckdb.IOException as error:
            raise SafercitiesError(problem("figures-unreadable", why=type(error).__name__)) from None

    def _cursor(self) -> Any:
        """This thread's own."""
        if not hasattr(self._own, "cursor"):
            self._own.planned = set()
            self._own.cursor = self._connection.cursor()
            self._own.cursor.execute("SET enable_progress_bar = false").fetchall()
        return self._own.cursor


def _connected(path: Path, memory: str) -> Any:
    import duckdb

    try:
        connection = store.connect(path, read_only=True, memory=memory, threads=THREADS)
        store.lock(connection)
    except duckdb.Error as error:
        raise SafercitiesError(problem("figures-unreadable", why=type(error).__name__)) from None
    return connection


def _arrow(values: Any) -> pa.Array:
    """A column as DuckDB gives it to numpy: masked where it is null."""
    if values.dtype == object:
        return pa.array(values.tolist(), pa.string())
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(values.data, mask=np.ma.getmaskarray(values))
    return pa.array(values)
