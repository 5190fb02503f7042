"""From a table of populations to people by place, year and group; every row kept or rejected with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.codes import code_dimension
from safercities.collect.columns import Encoded, as_text, encode, need_columns, to_numbers
from safercities.collect.dates import parse_dates
from safercities.collect.faults import LISTED, Ledger
from safercities.collect.incidents import reject_merged
from safercities.collect.read import read_table
from safercities.collect.records import Collected, DimensionInfo
from safercities.collect.spec import CodesFrom, PopulationSpec
from safercities.model.errors import SafercitiesError, problem

#: More people than any place has; beyond it a number is a slip or an attack.
MOST_PEOPLE = 2e10


def collect_population(name: str, spec: PopulationSpec, base: Path) -> Collected:
    """Read a source of populations.

    Parameters
    ----------
    name
        Name of the source in observatory.toml.
    spec
        What observatory.toml says of it.
    base
        The observatory folder.

    Returns
    -------
    Collected
        Columns `row`, `code` (the file's code of the place, null where the source has no such column), `period`
        (year), one a dimension, `n` (people, float64). Where bins or a map give several rows one code, the rows stand
        side by side: add them up.

    Raises
    ------
    SafercitiesError
        If the file cannot be read, lacks a column, or has two rows for one place, year and group.

    Examples
    --------
    >>> import tempfile
    >>> spec = PopulationSpec(kind="population", file="p.csv", place="w", period=2021, count="n",
    ...                       dimensions={"age": {"column": "a"}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "p.csv").write_text("w,a,n\\nA,0-4,10\\nA,85 and over,2\\n", encoding="utf-8")
    ...     got = collect_population("people", spec, Path(folder))
    >>> got.table.column("age").to_pylist(), got.table.column("n").to_pylist()
    (['Y0T4', 'Y_GE85'], [10.0, 2.0])
    """
    raw = read_table(spec, base)
    need_columns(raw, _columns(spec))
    ledger = Ledger(raw)
    columns: dict[str, Any] = {
        "row": pa.array(raw.rows),
        "code": _places(ledger, spec),
        "period": _periods(ledger, spec),
    }
    infos: list[DimensionInfo] = []
    for dimension, how in spec.dimensions.items():
        columns[dimension], info = code_dimension(ledger, dimension, how, spec.decimal, totals=True)
        infos.append(info)
    columns["n"] = _people(ledger, spec)
    _refuse_twice(ledger, spec, columns)
    return Collected(
        source=name,
        kind="population",
        file=spec.file,
        table=pa.table(columns).filter(pa.array(~ledger.rejected)).combine_chunks(),
        rejects=ledger.rejects(),
        problems=tuple(ledger.problems),
        rows_read=raw.rows_read,
        unit=None,
        crs=None,
        precision="year",
        dimensions=tuple(infos),
        label=spec.label or name,
    )


def _columns(spec: PopulationSpec) -> list[str]:
    period = spec.period.column if isinstance(spec.period, CodesFrom) else spec.period
    wanted = [spec.place, period, spec.count, *(how.column for how in spec.dimensions.values())]
    return [column for column in wanted if isinstance(column, str)]


def _places(ledger: Ledger, spec: PopulationSpec) -> pa.Array:
    raw = ledger.raw
    if spec.place is None:
        return pa.nulls(raw.table.num_rows, pa.string())
    codes = as_text(raw.table.column(spec.place))
    ledger.reject("place-missing", codes.is_null().to_numpy(), spec.place)
    return codes


def _periods(ledger: Ledger, spec: PopulationSpec) -> pa.Array:
    """Year of each row. A date (as of a mid-year estimate) counts for its year."""
    rows = ledger.raw.table.num_rows
    if isinstance(spec.period, int):
        return pa.repeat(pa.scalar(str(spec.period), pa.string()), rows)
    how = spec.period if isinstance(spec.period, CodesFrom) else CodesFrom(column=spec.period)
    encoded = encode(ledger.raw.table.column(how.column))
    mapping = {key.strip(): year for key, year in how.map.items()}
    years = _years(encoded, mapping, ledger, how.column)
    bad = np.array([year is None for year in years], dtype=bool)
    ledger.reject("period-wrong", encoded.take(bad, False), how.column, encoded)
    ledger.reject("period-wrong", encoded.empty, how.column, value="an empty cell")
    dictionary = pa.array([*years, None], pa.string())
    return dictionary.take(pa.array(np.where(encoded.empty, len(years), encoded.index)))


def _years(encoded: Encoded, mapping: dict[str, str], ledger: Ledger, column: str) -> list[str | None]:
    texts = encoded.texts()
    values = pa.array([mapping.get(text, text) for text in texts], pa.string()) if mapping else encoded.values
    # day and month do not matter for a year: any order will do
    dates = parse_dates(values, "dmy", file=ledger.raw.file, column=column, row_of=lambda _: 0)
    years = dates.when.astype("datetime64[Y]").astype(str).tolist()
    good = dates.good & ~dates.serial
    return [year if ok and "1800" <= year <= "2200" else None for year, ok in zip(years, good.tolist(), strict=True)]


def _people(ledger: Ledger, spec: PopulationSpec) -> pa.Array:
    encoded = encode(ledger.raw.table.column(spec.count))
    numbers = to_numbers(encoded.values, spec.decimal, thousands=True)
    wrong = ~np.isfinite(numbers)
    negative = ~wrong & (numbers < 0)
    huge = ~wrong & (numbers > MOST_PEOPLE)
    ledger.reject("people-missing", encoded.empty, spec.count)
    ledger.reject("people-unreadable", encoded.take(wrong, False), spec.count, encoded, decimal=spec.decimal)
    ledger.reject("count-negative", encoded.take(negative, False), spec.count, encoded)
    ledger.reject("count-huge", encoded.take(huge, False), spec.count, encoded)
    ledger.note("people-zero", encoded.take(numbers == 0, False), spec.count)
    _warn_thousands(ledger, spec, encoded)
    reject_merged(ledger, spec.count)
    return pa.array(encoded.take(numbers, np.nan))


def _warn_thousands(ledger: Ledger, spec: PopulationSpec, encoded: Encoded) -> None:
    """`1.234` read as one and a bit is hard to notice: warn where every number with a decimal mark has three digits."""
    if not pa.types.is_string(encoded.values.type) or not len(encoded.values):
        return
    mark = "\\." if spec.decimal == "." else ","
    marked = pc.match_substring_regex(encoded.values, mark).to_numpy(zero_copy_only=False)
    grouped = pc.match_substring_regex(encoded.values, rf"^\d{{1,3}}{mark}\d{{3}}$").to_numpy(zero_copy_only=False)
    if grouped.any() and bool((marked == grouped).all()):
        value = encoded.values[int(np.flatnonzero(grouped)[0])].as_py()
        ledger.note("count-thousands", encoded.take(grouped, False), spec.count, value=value, decimal=spec.decimal)


def _refuse_twice(ledger: Ledger, spec: PopulationSpec, columns: dict[str, Any]) -> None:
    """Refuse two rows for one place, year and group as the file writes it: people would be counted twice.

    Raises
    ------
    SafercitiesError
        With the first of such rows, and the row that each repeats.
    """
    raw = ledger.raw
    keys = [columns["code"], columns["period"], *(raw.table.column(how.column) for how in spec.dimensions.values())]
    kept = np.flatnonzero(~ledger.rejected)
    if not len(kept):
        return
    group = np.zeros(len(kept), dtype=np.int64)
    for key in keys:
        index = encode(key).index[kept]
        _, group = np.unique(group * (int(index.max(initial=0)) + 2) + index + 1, return_inverse=True)
    _, first = np.unique(group, return_index=True)
    originals = kept[first[group]]
    repeats = np.flatnonzero(originals != kept)
    if len(repeats):
        raise SafercitiesError(
            problem(
                "population-twice",
                file=raw.file,
                row=int(raw.rows[kept[i]]),
                column=spec.count,
                first=int(raw.rows[originals[i]]),
            )
            for i in repeats[:LISTED]
        )
