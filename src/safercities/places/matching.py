"""Ties the rows of population files to places by code, and lists what does not meet, on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.records import Collected
from safercities.collect.spec import PopulationSpec
from safercities.model.errors import Problem, problem
from safercities.model.estimates import TOTAL
from safercities.places.hierarchy import Hierarchy

_LISTED = 200  # who must mend a list of codes needs all of it
_EMPTY = "(empty)"


@dataclass(frozen=True)
class Matched:
    """Populations with places.

    Parameters
    ----------
    tables
        Source → its rows whose place is known: `row, place, period, <dimensions>, n`, repeated cells added up.
    table
        All of them, with `source`.
    unmatched_codes
        Codes that are no place, in the order met.
    places_without
        Places, at the levels of the files' places, without any row.
    """

    tables: dict[str, pa.Table]
    table: pa.Table
    unmatched_codes: tuple[str, ...]
    places_without: tuple[str, ...]
    problems: tuple[Problem, ...]


def match(
    parts: Sequence[Collected], hierarchy: Hierarchy, default_place: str, specs: Mapping[str, PopulationSpec]
) -> Matched:
    """Find the place of every row."""
    tables: dict[str, pa.Table] = {}
    problems: list[Problem] = []
    unmatched: dict[str, None] = {}
    levels: dict[str, None] = {}
    for part in parts:
        spec = specs[part.source]
        placed, lost = _placed(part, hierarchy, default_place, spec)
        problems += _lost(part, spec, lost)
        unmatched |= dict.fromkeys(lost.column("code").unique().to_pylist())
        if spec.place is not None:
            found = placed.column("place").unique().to_pylist()
            levels |= dict.fromkeys([spec.level] if spec.level else [hierarchy[id].level for id in found])
        tables[part.source], more = _added_up(part, spec, placed)
        problems += more
    table = _together(tables)
    without = _without(hierarchy, levels, table)
    if without:
        problems.append(_without_problem(hierarchy, without, parts))
    return Matched(tables, table, tuple(unmatched), without, tuple(problems))


def _placed(
    part: Collected, hierarchy: Hierarchy, default_place: str, spec: PopulationSpec
) -> tuple[pa.Table, pa.Table]:
    """The rows with a column `place`, and those whose code is no place."""
    table = part.table
    if spec.place is None:
        return table.append_column("place", pa.repeat(pa.scalar(default_place), table.num_rows)), table.slice(0, 0)
    code = pc.fill_null(table.column("code").cast(pa.string()), _EMPTY).combine_chunks().dictionary_encode()
    found = [hierarchy.find(text, spec.level) for text in code.dictionary.to_pylist()]
    ids = pa.array([place.id if place else None for place in found], pa.string())
    table = table.set_column(table.column_names.index("code"), "code", code.cast(pa.string()))
    table = table.append_column("place", ids.take(code.indices))
    there = pc.is_valid(table.column("place"))
    return table.filter(there), table.filter(pc.invert(there))


def _lost(part: Collected, spec: PopulationSpec, lost: pa.Table) -> Iterator[Problem]:
    if lost.num_rows:
        codes = lost.column("code").unique().to_pylist()
        listed = ", ".join(codes[:_LISTED]) + (", …" if len(codes) > _LISTED else "")
        row = lost.column("row")[0].as_py()
        level = spec.level or "place"
        yield problem(
            "population-code-unknown", file=part.file, row=row, column=spec.place, rows=lost.num_rows,
            codes=len(codes), level=level, listed=listed,
        )  # fmt: skip


def _added_up(part: Collected, spec: PopulationSpec, table: pa.Table) -> tuple[pa.Table, list[Problem]]:
    """One row a place, period and group; a note where several had to be added, or nobody lives there."""
    names = [info.name for info in part.dimensions]
    table = table.select(["row", "place", "period", *names, "n"])
    for name in names:
        table = table.set_column(table.column_names.index(name), name, pc.fill_null(table.column(name), TOTAL))
    keys = ["place", "period", *names]
    grouped = table.group_by(keys, use_threads=False).aggregate([("n", "sum"), ("row", "min"), ("n", "count")])
    repeated = grouped.filter(pc.greater(grouped.column("n_count"), 1))
    empty = grouped.filter(pc.equal(grouped.column("n_sum"), 0))
    problems = []
    for kind, rows in (("population-repeated", repeated), ("population-zero", empty)):
        if rows.num_rows:
            first = rows.sort_by("row_min").slice(0, 1).to_pylist()[0]
            which = ", ".join(str(first[key]) for key in keys)
            problems.append(
                problem(kind, file=part.file, row=first["row_min"], column=spec.count, rows=rows.num_rows, which=which)
            )
    columns = {
        "row": grouped["row_min"],
        **{key: grouped[key] for key in keys},
        "n": grouped["n_sum"].cast(pa.float64()),
    }
    return pa.table(columns).sort_by("row"), problems


def _together(tables: Mapping[str, pa.Table]) -> pa.Table:
    fixed = ("row", "place", "period", "n")
    names = list(dict.fromkeys(name for table in tables.values() for name in table.column_names if name not in fixed))
    schema = pa.schema(
        [(name, pa.string()) for name in ("place", "period", *names)] + [("n", pa.float64()), ("source", pa.string())]
    )
    parts = []
    for source, table in tables.items():
        total = pa.repeat(pa.scalar(TOTAL), table.num_rows)
        columns = [table.column(n).cast(pa.string()) if n in table.column_names else total for n in schema.names[:-2]]
        parts.append(
            pa.table([*columns, table.column("n"), pa.repeat(pa.scalar(source), table.num_rows)], schema=schema)
        )
    return pa.concat_tables(parts) if parts else schema.empty_table()


def _without(hierarchy: Hierarchy, levels: Mapping[str, None], table: pa.Table) -> tuple[str, ...]:
    """Places of the levels, valid in some year of the populations, that have no row."""
    there = set(table.column("place").unique().to_pylist())
    days = [date(int(year), 7, 1) for year in np.unique(table.column("period").to_numpy()) if str(year).isdigit()]
    return tuple(
        place.id
        for level in levels
        for place in hierarchy.at_level(level)
        if place.id not in there and any(hierarchy.valid_on(place.id, day) for day in days)
    )


def _without_problem(hierarchy: Hierarchy, without: Sequence[str], parts: Sequence[Collected]) -> Problem:
    listed = ", ".join(without[:_LISTED]) + (", …" if len(without) > _LISTED else "")
    file = ", ".join(dict.fromkeys(part.file for part in parts))
    level = " or ".join(dict.fromkeys(hierarchy[id].level for id in without))
    return problem("population-places-without", file=file, places=len(without), level=level, listed=listed)
