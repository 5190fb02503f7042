"""Reads rows out of an index: filters become positions, positions become texts again; from any thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from safercities.engine.sql import quote
from safercities.hub.figures import store
from safercities.hub.figures.about import FILE, FORMAT, About
from safercities.hub.figures.asking import Engine, Planned
from safercities.hub.figures.block import MOST_ROWS as MOST_OF_BLOCK
from safercities.hub.figures.block import Block
from safercities.hub.figures.cache import Cache
from safercities.hub.figures.choices import Combinations
from safercities.hub.figures.query import Query, Texts, condition
from safercities.hub.figures.tree import Tree
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.estimates import schema

#: Rows of one answer: with a limit, and without.
MOST_LIMIT = 100_000
MOST_ROWS = 1_000_000
#: Places up to which the copy that is sorted by place is the quick one.
_FEW_PLACES = 50
#: Rows of the index that are looked through at once in long answers: as many as give about BATCH rows, within bounds.
BATCH = 50_000
_STEPS = (50_000, 6_400_000)
MEMORY = "512MB"
#: Columns of the answers that are called otherwise on disk.
_STORED = {"release": store.RELEASE, "row": store.ROW}


#: Column → positions that fit.
Wanted = Mapping[str, Sequence[int]]


class Reader:
    """Rows of one version of an index.

    Parameters
    ----------
    folder
        The version.
    memory
        Most that the engine takes; what kept answers and lists of codes take comes to it.

    Raises
    ------
    SafercitiesError
        If it cannot be read.
    """

    def __init__(self, folder: Path, *, memory: str = MEMORY) -> None:
        self.about = _about(folder)
        self.dimensions = tuple(self.about.dimensions)
        self.columns = store.columns(self.dimensions)
        self._engine = Engine(folder / store.FILE, memory)
        self.tree = Tree(self.about.places)
        self._texts = Texts(self.about.texts, self.dimensions, self.tree.within)
        self._arrays = {name: pa.array(codes, pa.string()) for name, codes in self.about.texts.items()}
        self._fields = {field.name: field.type for field in schema(self.dimensions)}
        self._fields |= {"release": pa.int32(), "row": pa.int64()}
        self._cache = Cache(most_of_one=2**22)
        self._parts = self._run(f"SELECT * FROM {store.PARTS} ORDER BY copy, row_first").to_pylist()
        listed = f"SELECT * FROM {store.COMBINATIONS}"
        self._combinations = Combinations.of(self._run(listed), self._texts)
        self._of_indicator = [self._combinations.of_indicator(at) for at in range(len(self.about.texts["indicator"]))]

    def schema(self, columns: Sequence[str]) -> pa.Schema:
        """Names and types of these columns of the answers."""
        return pa.schema([pa.field(name, self._fields[name]) for name in self._named(columns)])

    # -- rows ----------------------------------------------------------------------------------------------------------

    def rows(
        self,
        query: Query,
        *,
        order: Sequence[str] = (),
        limit: int | None = None,
        after: int | None = None,
        skip: int = 0,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows that fit, as they were published.

        Parameters
        ----------
        order
            Columns, with `-` before those that fall; rows without a value come last. Default: by row number.
        limit
            Most rows.
        after
            Rows with a larger number than this only: with a limit, the next page.
        skip
            How many of those that fit are passed over, with a limit: a page by its number. Slower, the further it is.
        columns
            Of the answer; default: all of `columns`.

        Returns
        -------
        pa.Table
            Columns of the estimates, then `release` (its number) and `row`.

        Raises
        ------
        UsageError
            If a name is unknown, a number is out of bounds, or there are more than `MOST_ROWS` without a limit.
        """
        names = self._named(columns)
        return self._read(self._found(query, names, order, limit, after, skip), names)

    def records(
        self,
        query: Query,
        *,
        order: Sequence[str] = (),
        limit: int | None = None,
        skip: int = 0,
        columns: Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """The same rows one by one, as pages read them: column → what it says."""
        names = self._named(columns)
        found = self._found(query, names, order, limit, None, skip)
        said = (self._said(found, name) for name in names)
        return [dict(zip(names, row, strict=True)) for row in zip(*said, strict=True)]

    def _found(
        self,
        query: Query,
        names: Sequence[str],
        order: Sequence[str],
        limit: int | None,
        after: int | None,
        skip: int,
    ) -> pa.Table:
        """Rows that fit as they are in the index, in order; columns that are the same in all of it may be missing."""
        _check_number("limit", limit, 1, MOST_LIMIT)
        _check_number("after", after, -1, 2**62)
        _check_number("skip", skip, 0, 0 if limit is None else MOST_LIMIT)
        if order and after is not None:
            raise UsageError(problem("figures-order"))
        wanted, keys = self._texts.wanted(query), self._keys(order)
        if after is None and (block := self._block(wanted)) is not None:
            found = _in_order(block.rows(wanted), keys)
            return found if limit is None else found.slice(skip, limit)
        where = condition(wanted) + ("" if after is None else f" AND {store.ROW} > {after}")
        if limit is None:
            text = f"{self._select([*names, *keys])} FROM {self._from(wanted)} WHERE {where} LIMIT {MOST_ROWS + 1}"
            found = self._cached(text)
        elif order or skip or self._near(wanted):
            text = f"{self._select([*names, *keys])} FROM {self._from(wanted)} WHERE {where}"
            found = self._cached(f"{text} ORDER BY {_order(keys)} LIMIT {limit} OFFSET {skip}")
        else:
            found = self._page(names, wanted, where, limit, after)
        if found.num_rows > MOST_ROWS:
            raise UsageError(problem("figures-many", most=f"{MOST_ROWS:,}"))
        return _in_order(found, keys)

    def _page(self, names: Sequence[str], wanted: Wanted, where: str, limit: int, after: int | None) -> pa.Table:
        """The next rows by number: from one table after the other, until there are enough.

        Tables are in the order of the numbers, and the engine, which works with one thread, reads them in it: to sort
        them anew would cost twice as much.
        """
        select = self._select(names)
        found: list[pa.Table] = []
        for part in self._of(wanted, store.WIDE):
            left = limit - sum(map(len, found))
            if left and (after is None or part["row_last"] > after):
                text = f"{select} FROM {part['name']} WHERE {where} LIMIT {left}"
                found.append(self._cached(text))
        return pa.concat_tables(found or [self._cached(f"{select} FROM {store.NOTHING}")])

    def count(self, query: Query) -> int:
        """How many rows fit."""
        wanted = self._texts.wanted(query)
        if "place" not in wanted:
            return self._listed(wanted).count(wanted)
        if (block := self._block(wanted)) is not None:
            return block.count(wanted)
        text = f"SELECT count(*) FROM {self._from(wanted)} WHERE {condition(wanted)}"
        return int(self._cached(text).column(0)[0].as_py())

    def batches(
        self, query: Query, *, columns: Sequence[str] | None = None, after: int | None = None
    ) -> Iterator[pa.Table]:
        """All rows that fit, by row number, some at a time: however many they are, little memory is needed.

        Raises
        ------
        UsageError
            As `rows`, before the first part is given.
        """
        names, wanted = self._named(columns), self._texts.wanted(query)
        _check_number("after", after, -1, 2**62)
        if after is None and (block := self._block(wanted)) is not None:
            return (self._read(found, names) for found in [block.rows(wanted)] if len(found))
        return self._walk(names, wanted, -1 if after is None else after)

    def _walk(self, names: Sequence[str], wanted: Wanted, after: int) -> Iterator[pa.Table]:
        least, most = _STEPS
        step, select, where = least, self._select(names), condition(wanted)
        for part in self._of(wanted, store.WIDE):
            at = max(after + 1, part["row_first"])
            while at <= part["row_last"]:
                these = f"{store.ROW} BETWEEN {at} AND {at + step - 1}"
                found = _in_order(self._engine.long(f"{select} FROM {part['name']} WHERE {these} AND {where}"))
                for first in range(0, found.num_rows, BATCH):
                    yield self._read(found.slice(first, BATCH), names)
                at += step
                step = min(most, step * 2) if found.num_rows * 2 <= BATCH else max(least, step // 2)

    # -- how it is asked -----------------------------------------------------------------------------------------------

    def _named(self, columns: Sequence[str] | None) -> tuple[str, ...]:
        names = self.columns if columns is None else tuple(dict.fromkeys(columns))
        for name in names:
            self._check_column(name)
        return names

    def _check_column(self, name: object) -> None:
        if name not in self._fields:
            raise UsageError(problem("figures-column", given=str(name)[:40], known=", ".join(self.columns)))

    def _listed(self, wanted: Wanted) -> Combinations:
        """The combinations that may fit."""
        (only,) = wanted.get("indicator", ()) if len(wanted.get("indicator", ())) == 1 else (None,)
        return self._combinations if only is None else self._of_indicator[only]

    def _block(self, wanted: Wanted) -> Block | None:
        """All rows of an indicator at a place, where one of each is wanted and they are not too many to be held."""
        if any(len(wanted.get(name, ())) != 1 for name in ("indicator", "place")):
            return None
        (indicator,), (place,) = wanted["indicator"], wanted["place"]
        if len(self._of_indicator[indicator]) > MOST_OF_BLOCK:
            return None
        return self._cache.get(("block", indicator, place), lambda: self._held(indicator, place), lambda one: one.size)

    def _held(self, indicator: int, place: int) -> Block:
        both = {"indicator": [indicator], "place": [place]}
        more = f"{store.LEVEL}, value IS NOT NULL AS {store.SHOWN}"
        parts = [
            self._run(
                Planned(
                    f"held_{part['name']}",
                    f"{self._select(self.columns)}, {more} FROM {part['name']} WHERE place = $1 AND indicator = $2",
                    (place, indicator),
                )
            )
            for part in self._of(both, store.NEAR) or [{"name": store.NOTHING}]
        ]
        same = {name: said for name, said in self.about.constants.items() if name in self._arrays}
        constants = {name: -1 if said is None else self._texts.at(name, [str(said)])[0] for name, said in same.items()}
        return Block(_in_order(parts[0] if len(parts) == 1 else pa.concat_tables(parts)), constants, self._texts)

    def _select(self, names: Sequence[str]) -> str:
        """The columns, the row number first."""
        read = (_STORED.get(name, name) for name in names if name not in self.about.constants)
        return "SELECT " + ", ".join(quote(name) for name in dict.fromkeys([store.ROW, *read]))

    def _near(self, wanted: Wanted) -> bool:
        """Whether the copy that is sorted by place is the quick one."""
        return "place" in wanted and len(wanted["place"]) <= _FEW_PLACES

    def _from(self, wanted: Wanted) -> str:
        """Where the rows are that may fit."""
        names = [part["name"] for part in self._of(wanted, store.NEAR if self._near(wanted) else store.WIDE)]
        return str(names[0]) if len(names) == 1 else f"({store.together(names)})"

    def _of(self, wanted: Wanted, copy: str) -> list[dict[str, Any]]:
        """The tables of a copy that may have rows that fit."""
        return [part for part in self._parts if part["copy"] == copy and _may_fit(part, wanted)]

    def _keys(self, order: Sequence[str]) -> dict[str, bool]:
        """Column → whether it falls; without those that are the same in all rows."""
        if isinstance(order, str):
            raise UsageError(problem("figures-column", given=order[:40], known=", ".join(self.columns)))
        keys: dict[str, bool] = {}
        for given in order:
            name = str(given).removeprefix("-")
            self._check_column(name)
            keys.setdefault(name, str(given).startswith("-"))
        return {name: falls for name, falls in keys.items() if name not in self.about.constants}

    def _run(self, text: str | Planned) -> pa.Table:
        """The short answer to a SQL text of ours."""
        return self._engine.short(text)

    def _cached(self, text: str) -> pa.Table:
        return self._cache.get(text, lambda: self._run(text), lambda found: int(found.nbytes) + len(text))

    def _read(self, found: pa.Table, names: Sequence[str]) -> pa.Table:
        """Positions as texts."""
        return pa.table([self._column(found, name) for name in names], schema=self.schema(names))

    def _column(self, found: pa.Table, name: str) -> Any:
        if name in self.about.constants:
            said = self.about.constants[name]
            return pa.nulls(len(found), self._fields[name]) if said is None else pa.repeat(said, len(found))
        column = found.column(_STORED.get(name, name))
        if name not in self._arrays:
            return column.cast(self._fields[name])
        at = column.to_numpy()
        missing = at < 0
        return self._arrays[name].take(pa.array(at, mask=missing) if missing.any() else pa.array(at))

    def _said(self, found: pa.Table, name: str) -> Sequence[Any]:
        """What a column says, row by row."""
        if name in self.about.constants:
            return [self.about.constants[name]] * len(found)
        column = found.column(_STORED.get(name, name))
        if name not in self._arrays:
            said: list[Any] = column.to_pylist()
            return said
        texts = self.about.texts[name]
        return [None if at < 0 else texts[at] for at in column.to_numpy().tolist()]


def _about(folder: Path) -> About:
    try:
        about = About.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise SafercitiesError(problem("figures-unreadable", why=type(error).__name__)) from None
    if about.format != FORMAT:
        raise SafercitiesError(problem("figures-unreadable", why="it is of another version of safercities"))
    return about


def _may_fit(part: Mapping[str, Any], wanted: Wanted) -> bool:
    asked = [(name, wanted[name]) for name in ("indicator", "place") if name in wanted]
    return all(any(part[f"{name}_first"] <= at <= part[f"{name}_last"] for at in all_) for name, all_ in asked)


def _check_number(name: str, given: object, least: int, most: int) -> None:
    right = given is None or (isinstance(given, int) and not isinstance(given, bool) and least <= given <= most)
    if not right:
        raise UsageError(problem("figures-number", name=name, least=f"{least:,}", most=f"{most:,}"))


def _order(keys: Mapping[str, bool]) -> str:
    parts = [
        f"{quote(_STORED.get(name, name))} {'DESC' if falls else 'ASC'} NULLS LAST" for name, falls in keys.items()
    ]
    return ", ".join([*parts, store.ROW])


def _in_order(found: pa.Table, keys: Mapping[str, bool] = MappingProxyType({})) -> pa.Table:
    """Sorted by these columns, then by row number; rows without a value last."""
    numbers = found.column(store.ROW).to_numpy()
    if len(numbers) < 2 or (not keys and bool((np.diff(numbers) > 0).all())):
        return found
    by = [(_STORED.get(name, name), "descending" if falls else "ascending") for name, falls in keys.items()]
    return found.take(pc.sort_indices(found, [*by, (store.ROW, "ascending")]))  # nulls at the end
