"""From a file of incidents to records: dated, coded, with coordinates; every row kept or rejected with its reason."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.codes import code_acts, code_dimension
from safercities.collect.columns import Bools, Encoded, Ints, as_text, encode, need_columns, to_numbers
from safercities.collect.coordinates import Coordinates, coordinates
from safercities.collect.dates import DAY, FAULTS, PRECISIONS, TOO_EARLY, TOO_LATE, Dates, parse_dates
from safercities.collect.faults import Ledger, shown
from safercities.collect.file_spec import Dated
from safercities.collect.read import read_table
from safercities.collect.records import Collected, DimensionInfo
from safercities.collect.spec import CodesFrom, IncidentsSpec, UnitFrom
from safercities.collect.zones import Times, from_utc, zone_of

_MOST = 10**9  # one row that stands for more cases than this is a mistake


def collect_incidents(name: str, spec: IncidentsSpec, base: Path) -> Collected:
    """Read a source of incidents.

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
        Records (columns as in ARCHITECTURE.md), rejected rows and problems. Identical rows are all kept: anonymised
        data repeats rows on purpose, and only a repeated `id` makes a duplicate.

    Raises
    ------
    SafercitiesError
        If the file cannot be read, lacks a column, or what is declared cannot hold for it.

    Examples
    --------
    >>> import tempfile
    >>> spec = IncidentsSpec(kind="incidents", file="a.csv", when="day", act="0101",
    ...                      dimensions={"sex": {"column": "s", "map": {"Mujer": "F"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("day;s\\n2019-04-23;Mujer\\n2019-02-31;Mujer\\n", encoding="utf-8")
    ...     got = collect_incidents("homicides", spec, Path(folder))
    >>> got.rows_read, got.table.column("sex").to_pylist(), got.rejects.column("row").to_pylist()
    (2, ['F'], [3])
    """
    raw = read_table(spec, base)
    need_columns(raw, _columns(spec))
    ledger = Ledger(raw)
    when, precision = read_when(ledger, spec)
    counts = _counts(ledger, spec)
    where = coordinates(ledger, spec)
    columns: dict[str, Any] = {
        "row": raw.rows,
        "when": pa.array(when),
        "act": code_acts(ledger, spec.act, spec.decimal),
    }
    columns |= {"n": counts, "x": pa.array(where.x, mask=~where.known), "y": pa.array(where.y, mask=~where.known)}
    infos: list[DimensionInfo] = []
    for dimension, how in spec.dimensions.items():
        columns[dimension], info = code_dimension(
            ledger, dimension, how, spec.decimal, counted=isinstance(spec.unit, UnitFrom)
        )
        infos.append(info)
    for level, column in spec.places.items():
        columns[f"code_{level}"] = as_text(raw.table.column(column))
    reject_duplicates(ledger, spec.id)
    table = pa.table(columns).filter(pa.array(~ledger.rejected)).combine_chunks()
    return _collected(name, spec, ledger, table, where, precision, infos)


def _collected(
    name: str,
    spec: IncidentsSpec,
    ledger: Ledger,
    table: pa.Table,
    where: Coordinates,
    precision: str,
    infos: list[DimensionInfo],
) -> Collected:
    return Collected(
        source=name,
        kind="incidents",
        file=spec.file,
        table=table,
        rejects=ledger.rejects(),
        problems=tuple(ledger.problems),
        rows_read=ledger.raw.rows_read,
        unit=spec.unit_of_count,
        crs=where.crs,
        precision=precision,
        dimensions=tuple(infos),
        label=spec.label or name,
    )


def _columns(spec: IncidentsSpec) -> list[str]:
    """Columns that the source needs."""
    one_by_one = [spec.when, spec.longitude, spec.latitude, spec.id]
    coded = [how.column for how in (spec.act, *spec.dimensions.values()) if isinstance(how, CodesFrom)]
    counted = [spec.unit.column] if isinstance(spec.unit, UnitFrom) else []
    return [column for column in (*one_by_one, *coded, *counted, *spec.places.values()) if column is not None]


def read_when(ledger: Ledger, spec: Dated) -> tuple[Times, str]:
    """Wall clock of each row, and how exact the dates are; rows without a usable date are rejected."""
    raw = ledger.raw
    encoded = encode(raw.table.column(spec.when))
    first = first_rows(encoded, raw.rows)
    order = None if spec.date_order == "ymd" else spec.date_order
    dates = parse_dates(encoded.values, order, file=raw.file, column=spec.when, row_of=lambda value: int(first[value]))
    if spec.timezone is not None:
        zone = zone_of(spec.timezone, raw.file)
        moved = dates.has_offset
        ahead = dates.offset[moved].astype(np.int64).astype("timedelta64[s]")
        dates.when[moved] = from_utc(dates.when[moved] - ahead, zone)
    bounds = _bounds(dates, spec)
    ledger.reject("date-missing", encoded.empty, spec.when)
    for number in np.unique(dates.fault[dates.fault > 0]).tolist():
        details = {"bound": bounds[number]} if number in bounds else {}
        ledger.reject(FAULTS[number], encoded.take(dates.fault == number, False), spec.when, encoded, **details)
    _date_notes(ledger, spec, encoded, dates)
    return encoded.take(dates.when, np.datetime64("NaT", "us")), _precision(ledger, spec, encoded, dates)


def first_rows(encoded: Encoded, rows: Ints) -> Ints:
    """Row in which each distinct value stands first."""
    first = np.zeros(len(encoded.values), dtype=np.int64)
    filled = np.flatnonzero(~encoded.empty)[::-1]
    first[encoded.index[filled]] = rows[filled]  # written backwards: the first row is written last
    return first


def _bounds(dates: Dates, spec: Dated) -> dict[int, date]:
    """Mark the dates that cannot be: before `earliest`, after `latest` (default: tomorrow)."""
    latest = spec.latest or date.today() + timedelta(days=1)
    days = dates.when.astype("datetime64[D]")
    good = dates.good
    dates.fault[good & (days < np.datetime64(spec.earliest))] = TOO_EARLY
    dates.fault[good & (days > np.datetime64(latest))] = TOO_LATE
    return {TOO_EARLY: spec.earliest, TOO_LATE: latest}


def _date_notes(ledger: Ledger, spec: Dated, encoded: Encoded, dates: Dates) -> None:
    good = dates.good
    offsets = encoded.take(dates.has_offset & good, False)
    if spec.timezone is None:
        ledger.note("date-offsets", offsets, spec.when)
    else:
        ledger.note("date-offsets-moved", offsets, spec.when, timezone=spec.timezone)
    serial = dates.serial & good
    if serial.any():
        one = int(np.flatnonzero(serial)[0])
        day = str(dates.when[one].astype("datetime64[D]"))
        rows = encoded.take(serial, False)
        ledger.note("date-serials", rows, spec.when, value=encoded.texts()[one], date=day)


def _precision(ledger: Ledger, spec: Dated, encoded: Encoded, dates: Dates) -> str:
    """The coarsest precision seen or declared; a warning where the rows differ."""
    good = dates.good
    seen = dates.precision[good]
    declared = PRECISIONS.index(spec.precision) if spec.precision else DAY
    if not len(seen):
        return PRECISIONS[declared]
    coarsest = int(seen.min())
    if coarsest < declared and coarsest < int(seen.max()):
        rows = encoded.take((dates.precision == coarsest) & good, False)
        ledger.note("date-coarse", rows, spec.when, precision=PRECISIONS[coarsest])
    return PRECISIONS[min(coarsest, declared)]


def _counts(ledger: Ledger, spec: IncidentsSpec) -> pa.Array:
    """How many cases each row stands for."""
    rows = ledger.raw.table.num_rows
    if not isinstance(spec.unit, UnitFrom):
        return pa.repeat(pa.scalar(1, pa.int64()), rows)
    column = spec.unit.column
    encoded = encode(ledger.raw.table.column(column))
    numbers = to_numbers(encoded.values, spec.decimal, thousands=True)
    wrong = np.isnan(numbers)
    negative = ~wrong & (numbers < 0)
    fraction = ~wrong & ~negative & np.isfinite(numbers) & (numbers != np.floor(numbers))
    fraction |= _grouped(encoded.values, spec.decimal)  # 1.000 may be a thousand: 1.234 beside it would be
    huge = ~wrong & (numbers > _MOST)
    ledger.reject("count-missing", encoded.empty, column)
    for code, which in (("count-unreadable", wrong), ("count-fraction", fraction)):
        ledger.reject(code, encoded.take(which, False), column, encoded, decimal=spec.decimal)
    ledger.reject("count-negative", encoded.take(negative, False), column, encoded)
    ledger.reject("count-huge", encoded.take(huge & ~fraction, False), column, encoded)
    reject_merged(ledger, column)
    usable = ~(wrong | negative | fraction | huge)
    return pa.array(encoded.take(np.where(usable, numbers, 0).astype(np.int64), 0))


def _grouped(values: pa.Array, decimal: str) -> Bools:
    """Texts such as `1.000`, whose decimal mark may stand for thousands."""
    if not pa.types.is_string(values.type):
        return np.zeros(len(values), dtype=bool)
    found = pc.match_substring_regex(values, rf"^[1-9]\d{{0,2}}[{decimal}]\d{{3}}$")
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def reject_merged(ledger: Ledger, column: str) -> None:
    """Reject rows whose count is one cell merged over several rows: filling it in would count it again and again."""
    merged = ledger.raw.merged.get(column)
    if merged is not None:
        where = np.zeros(ledger.raw.table.num_rows, dtype=bool)
        where[merged] = True
        ledger.reject("count-merged", where, column)


def reject_duplicates(ledger: Ledger, column: str | None) -> None:
    """Reject rows that repeat an id. The first row that is not rejected for other reasons is the case."""
    if column is None:
        return
    raw = ledger.raw
    encoded = encode(raw.table.column(column))
    ledger.note("id-missing", encoded.empty & ~ledger.rejected, column)
    candidates = np.flatnonzero(~ledger.rejected & ~encoded.empty)
    ids, first, inverse = np.unique(encoded.index[candidates], return_index=True, return_inverse=True)
    originals = candidates[first[inverse]] if len(ids) else candidates
    repeats = originals != candidates
    later, earlier = candidates[repeats], originals[repeats]
    differs = {name: _differs(raw.table.column(name), later, earlier) for name in raw.table.column_names}
    different = np.zeros(len(later), dtype=bool)
    for unequal in differs.values():
        different |= unequal
    same = np.flatnonzero(~different)
    details: list[dict[str, Any]] = [{"first": int(raw.rows[earlier[i]])} for i in same]
    ledger.reject_each("id-twice", later[same], column, details)
    other = np.flatnonzero(different)
    details = [
        {"first": int(raw.rows[earlier[i]]), "columns": shown(", ".join(n for n, d in differs.items() if d[i]))}
        for i in other
    ]
    ledger.reject_each("id-twice-different", later[other], column, details)


def _differs(column: pa.ChunkedArray, one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> Bools:
    """Where the values of two lists of rows are not equal; empty equals empty."""
    index = encode(column).index
    return np.asarray(index[one] != index[two])
