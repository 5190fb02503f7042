"""Group once at the finest level, then make every combination of keys from the small table (sums are additive)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from safercities.engine.dense import Dense, TooLarge, add_up
from safercities.engine.duck import Duck, Engine, Source
from safercities.engine.sql import group_text
from safercities.model.errors import UsageError, problem

TOTAL = "_T"
CODED = pa.dictionary(pa.int32(), pa.string())


def group(
    source: Source,
    keys: Sequence[str],
    *,
    sums: Sequence[str] = ("n",),
    where: str | None = None,
    engine: Engine | None = None,
) -> pa.Table:
    """Sums by keys.

    Parameters
    ----------
    source
        Arrow table, or one or more Parquet files taken together.
    keys
        Columns to group by. Without any: one row with the totals, zeros where the source is empty.
    sums
        Columns of whole numbers to add up; a missing one adds nothing.
    where
        Condition in plain SQL over quoted columns. Never text that a user wrote.
    engine
        Where the work is done, such as a `Spark` session; default: DuckDB, in this process. The result is the same.

    Returns
    -------
    pa.Table
        Keys, then int64 sums, in the order of the keys. Cells in which every sum is zero are left out.

    Raises
    ------
    TypeError
        If a column to add up does not hold whole numbers: only these add up to the same in any order.
    KeyError
        If there is no such column.
    UsageError
        If a column has the name of one of these but for capital letters: engines would take one for the other.

    Examples
    --------
    >>> rows = pa.table({"sex": ["F", "M", "F"], "n": [1, 2, 3]})
    >>> group(rows, ["sex"]).to_pydict()
    {'sex': ['F', 'M'], 'n': [4, 2]}
    >>> group(rows, [], where='"sex" = \\'M\\'').to_pydict()
    {'n': [2]}
    """
    schema = _schema(source)
    _check(schema, keys, sums)
    return _grouped(engine, source, schema, keys, sums, where)


def cube(
    source: Source,
    keys: Sequence[str],
    combinations: Iterable[Sequence[str]],
    sums: Sequence[str] = ("n",),
    *,
    engine: Engine | None = None,
) -> pa.Table:
    """Sums for each combination of keys, in one table.

    The source is read once, at the finest level that is asked for; each combination is then added up from the smallest
    one already made that holds its keys. Parquet files with few distinct keys are added into a dense array instead
    (`engine.dense`), with the same result.

    Parameters
    ----------
    source
        Arrow table, or one or more Parquet files taken together.
    keys
        Text columns; they become columns of the result, in this order.
    combinations
        Sets of keys; the order within one does not matter, and each is made once.
    sums
        Columns of whole numbers to add up.
    engine
        Where the source is read and grouped, such as a `Spark` session; default: this process. The result is the same.

    Returns
    -------
    pa.Table
        Keys (dictionary-encoded text; `_T` where the combination lacks the key), then int64 sums: combinations in the
        order asked, each in the order of its keys. Cells in which every sum is zero are left out.

    Raises
    ------
    TypeError
        If a key is not text or a sum not a whole number.
    ValueError
        If a key holds `_T` itself (its rows could not be told from totals), or a combination an unknown key.
    UsageError
        If a column has the name of one of these but for capital letters: engines would take one for the other.

    Examples
    --------
    >>> rows = pa.table({"sex": ["F", "M", "F"], "age": ["Y0T14", "Y0T14", "Y_GE15"], "n": [1, 2, 3]})
    >>> cube(rows, ["sex", "age"], [[], ["sex"]]).to_pylist()
    [{'sex': '_T', 'age': '_T', 'n': 6}, {'sex': 'F', 'age': '_T', 'n': 4}, {'sex': 'M', 'age': '_T', 'n': 2}]
    """
    schema = _schema(source)
    _check(schema, keys, sums, text=True)
    wanted = _ordered(keys, combinations)
    finest = tuple(key for key in keys if any(key in combination for combination in wanted))
    paths = _paths(source)
    if paths and finest and engine is None:
        try:
            return _cube_dense(add_up(paths, finest, sums), finest, keys, wanted, sums)
        except TooLarge:
            pass
    return _cube_sql(_grouped(engine, source, schema, finest, sums), finest, keys, wanted, sums)


def _grouped(
    engine: Engine | None,
    source: Source,
    schema: pa.Schema,
    keys: Sequence[str],
    sums: Sequence[str],
    where: str | None = None,
) -> pa.Table:
    """The one pass over the source."""
    with nullcontext(engine) if engine else Duck(_paths(source)) as chosen:
        chosen.register("source", _only(source, [*keys, *sums], where))
        return _typed(chosen.run(group_text("source", keys, sums, where)), schema, keys)


def _ordered(keys: Sequence[str], combinations: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Each combination once, its keys in the order of `keys`."""
    found: dict[tuple[str, ...], None] = {}
    for combination in combinations:
        if stray := set(combination) - set(keys):
            raise ValueError(f"not among the keys: {', '.join(sorted(stray))}")
        found[tuple(key for key in keys if key in combination)] = None
    return list(found)


def _schema(source: Source) -> pa.Schema:
    if isinstance(source, pa.Table):
        return source.schema
    return pq.read_schema(_paths(source)[0])


def _paths(source: Source) -> list[Path]:
    if isinstance(source, pa.Table):
        return []
    return [source] if isinstance(source, Path) else list(source)


def _only(source: Source, columns: Sequence[str], where: str | None) -> Source:
    """An Arrow table without the columns that are not needed (a condition may need any)."""
    return source.select(list(dict.fromkeys(columns))) if isinstance(source, pa.Table) and where is None else source


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))
    )


def _check(schema: pa.Schema, keys: Sequence[str], sums: Sequence[str], *, text: bool = False) -> None:
    for name in (*keys, *sums):
        if name not in schema.names:
            raise KeyError(f"there is no column {name}; there are {', '.join(schema.names)}")
        for other in schema.names:
            if other != name and other.lower() == name.lower():
                raise UsageError(problem("columns-alike", first=name, second=other))
    for name in sums:
        if not pa.types.is_integer(schema.field(name).type):
            raise TypeError(f"{name} holds {schema.field(name).type}: only whole numbers can be added up exactly")
    for name in keys:
        if text and not _is_text(schema.field(name).type):
            raise TypeError(f"{name} holds {schema.field(name).type}: the keys of a cube are text, so that _T fits in")


def _typed(table: pa.Table, schema: pa.Schema, keys: Sequence[str]) -> pa.Table:
    """Text as plain text, whatever way the engine hands it over."""
    for number, name in enumerate(keys):
        if _is_text(schema.field(name).type):
            table = table.set_column(number, name, table.column(number).cast(pa.string()))
    return table


def _no_totals(values: Iterable[object], key: str) -> None:
    if TOTAL in set(values):
        raise ValueError(f"{key} holds {TOTAL}, which stands for totals: leave these rows out first")


def _cube_sql(
    base: pa.Table, finest: tuple[str, ...], keys: Sequence[str], wanted: list[tuple[str, ...]], sums: Sequence[str]
) -> pa.Table:
    """Each combination from the smallest table already made that has its keys."""
    for key in finest:
        _no_totals(pc.unique(base.column(key)).to_pylist(), key)
    made = {finest: base}
    with Duck() as engine:
        for combination in sorted(wanted, key=len, reverse=True):
            if combination not in made:
                have = min(
                    (have for have in made if set(combination) <= set(have)), key=lambda have: made[have].num_rows
                )
                engine.register("have", made[have])
                made[combination] = engine.run(group_text("have", combination, sums))
    parts = []
    for combination in wanted:
        table = made[combination]
        columns = [
            table.column(key).cast(pa.string()) if key in combination else pa.repeat(pa.scalar(TOTAL), table.num_rows)
            for key in keys
        ]
        parts.append(pa.table([*columns, *(table.column(name) for name in sums)], names=[*keys, *sums]))
    return _coded(pa.concat_tables(parts), keys) if parts else _nothing(keys, sums)


def _coded(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    for number, key in enumerate(keys):
        table = table.set_column(number, key, table.column(number).combine_chunks().dictionary_encode().cast(CODED))
    return table


def _nothing(keys: Sequence[str], sums: Sequence[str]) -> pa.Table:
    return pa.schema([*((key, CODED) for key in keys), *((name, pa.int64()) for name in sums)]).empty_table()


def _cube_dense(
    dense: Dense, finest: tuple[str, ...], keys: Sequence[str], wanted: list[tuple[str, ...]], sums: Sequence[str]
) -> pa.Table:
    """Each combination as sums along the axes of the smallest array already made."""
    for key, axis in zip(finest, dense.values, strict=True):
        _no_totals(axis, key)
    made: dict[tuple[str, ...], list[np.ndarray]] = {finest: dense.sums}
    for combination in sorted(wanted, key=len, reverse=True):
        if combination not in made:
            have = min((have for have in made if set(combination) <= set(have)), key=lambda have: made[have][0].size)
            axes = tuple(number for number, key in enumerate(have) if key not in combination)
            made[combination] = [part.sum(axis=axes) for part in made[have]]
    filled = {combination: np.logical_or.reduce([part != 0 for part in made[combination]]) for combination in wanted}
    if () in filled:
        filled[()] = np.ones((), dtype=np.bool_)  # the grand total stands even where it is 0
    ends = np.cumsum([0, *(np.count_nonzero(mask) for mask in filled.values())]).tolist()
    slices = {combination: slice(*ends[at : at + 2]) for at, combination in enumerate(filled)}
    amounts = [np.empty(ends[-1], np.int64) for _ in sums]
    for combination, rows in slices.items():
        for amount, part in zip(amounts, made[combination], strict=True):
            amount[rows] = part[filled[combination]]
    columns = [
        _key_column(key, dense.values[finest.index(key)] if key in finest else {}, filled, slices) for key in keys
    ]
    return pa.table([*columns, *amounts], names=[*keys, *sums])


def _key_column(
    key: str, axis: Iterable[str], filled: dict[tuple[str, ...], np.ndarray], slices: dict[tuple[str, ...], slice]
) -> pa.DictionaryArray:
    """One key of the cube's table: the code of each filled cell, `_T` in combinations without the key."""
    vocabulary = [*axis, TOTAL]
    codes = np.full(max((rows.stop for rows in slices.values()), default=0), len(vocabulary) - 1, dtype=np.int32)
    for combination, rows in slices.items():
        if key in combination:
            mask = filled[combination]
            shape = [-1 if name == key else 1 for name in combination]
            along = np.arange(len(vocabulary) - 1, dtype=np.int32).reshape(shape)
            codes[rows] = np.broadcast_to(along, mask.shape)[mask]
    return pa.DictionaryArray.from_arrays(codes, pa.array(vocabulary, pa.string()))
