"""Members' rows that come together: in which groups, for whom each stands; and a row of the larger place for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.measure.members import Denominators, Membership, Weights, grouped, member_level
from safercities.measure.published import NOT_IN
from safercities.measure.rewrite import numbers
from safercities.measure.rows import FEW
from safercities.measure.verdicts import of_wholes
from safercities.model import quality
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import Estimates, schema
from safercities.places.hierarchy import Hierarchy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What the method of an aggregate begins with; the members' own method follows.
MEAN = "denominator-weighted mean, MOVER interval; of: "
SUM = "sum over members; of: "
#: Flags of a member that stay true of the whole.
LASTING = frozenset(
    {
        "partial_period", "unknown_share", "population_interpolated", "population_carried", "unlocated_share",
        "unknown_acts", "part_of_acts", "rejected_share", "missing_answers", "partial_coverage",
    }
)  # fmt: skip
#: Coverage from here on is whole: the rest is rounding.
COMPLETE = 1 - 1e-9


@dataclass(frozen=True)
class Work:
    """The members' rows that come together.

    Parameters
    ----------
    table
        Their columns, with `target`; `source` is the kind, `method` without what aggregating put before it.
    keys
        Columns that rows which come together share.
    group, first
        Group of each row; first row of each group.
    held
        People that each row stands for.
    whole
        People of all members of each group's larger place.
    lost
        Period → places left out because they did not exist.
    """

    table: pa.Table
    keys: tuple[str, ...]
    group: Ints
    first: Ints
    held: Floats
    whole: Floats
    lost: Mapping[str, tuple[str, ...]]

    def numbers(self, name: str) -> Floats:
        """A column of numbers; NaN where there is none."""
        return numbers(self.table, name)

    def total(self, values: Floats | Mask) -> Floats:
        """A column added up by group."""
        return np.asarray(np.bincount(self.group, weights=values, minlength=len(self.first)), dtype=np.float64)

    def covered(self, used: Mask) -> tuple[Floats, Floats]:
        """The people whom the rows used stand for, by group, and the share that they are of all."""
        held = self.total(np.where(used, self.held, 0.0))
        share = np.divide(held, self.whole, out=np.zeros(len(held)), where=self.whole > 0)
        return held, np.minimum(share, 1.0)

    def heads(self, name: str) -> list[Any]:
        """A key of each group."""
        return self.table.column(name).take(pa.array(self.first)).to_pylist()  # type: ignore[no-any-return]


def prepared(
    members: Estimates,
    tree: Hierarchy,
    denominators: Denominators,
    level: str,
    of: str | None,
    kinds: Mapping[str, str],
) -> Work:
    """The rows of members that come together, and for how many people they stand; see `aggregate`."""
    if level not in tree.levels:
        raise UsageError(problem("upward-level", given=level, known=", ".join(tree.levels)))
    flags = pc.fill_null(members.table.column("quality"), "")
    usable = Estimates(members.table.filter(pc.invert(pc.match_substring(flags, "smoothed"))))
    membership = Membership(tree, member_level(usable, tree, of), level)
    lost = membership.gone(usable.table)
    table = usable.table.append_column("target", membership.targets(usable.table))
    table = table.filter(pc.is_valid(table.column("target")))
    again = aggregated(table)
    table = keyed(table, kinds)
    keys = ("target", "indicator", "version", "period", "source", "unit", "method", *members.dimensions)
    _check_once(table, keys)
    group, first = grouped(table, keys)
    weights = Weights(denominators, members.dimensions)
    plain = weights.of_rows(table.filter(pa.array(~again)), members.dimensions)
    held = np.asarray(pc.fill_null(table.column("denominator"), 0.0).to_numpy(), dtype=np.float64).copy()
    held[~again] = plain
    whole = weights.of_targets(table.take(pa.array(first)), members.dimensions, membership)
    _check_whole(table, held, whole[group])
    return Work(table, keys, group, first, held, whole, lost)


def _text(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.fill_null(table.column(name), "")


def aggregated(table: pa.Table) -> Mask:
    """Which rows are aggregates themselves."""
    method = _text(table, "method")
    return np.asarray(pc.or_(pc.starts_with(method, MEAN), pc.starts_with(method, SUM)).to_numpy(), dtype=bool)


def keyed(table: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
    """The kind as `source`, and `method` without what aggregating put before it."""
    source = [kinds.get(name, name) for name in table.column("source").to_pylist()]
    method = _text(table, "method")
    for before in (MEAN, SUM):
        rest = pc.utf8_slice_codeunits(method, len(before))
        method = pc.if_else(pc.starts_with(method, before), rest, method)
    table = table.set_column(table.column_names.index("source"), "source", pa.array(source, pa.string()))
    return table.set_column(table.column_names.index("method"), "method", method)


def _check_once(table: pa.Table, keys: tuple[str, ...]) -> None:
    group, first = grouped(table, ("place", *keys))
    if len(first) < table.num_rows:
        twice = int(np.flatnonzero(np.bincount(group)[group] > 1)[0])
        row = table.slice(twice, 1).to_pylist()[0]
        raise UsageError(problem("upward-twice", place=row["place"], period=row["period"], indicator=row["indicator"]))


def _check_whole(table: pa.Table, held: Floats, whole: Floats) -> None:
    """An aggregate must not hold more people than all members together: the denominators would not be its own."""
    over = np.flatnonzero(held > whole / COMPLETE)
    if over.size:
        row = table.slice(int(over[0]), 1).to_pylist()[0]
        raise UsageError(problem("upward-denominator-less", place=row["place"], period=row["period"]))


def table_of(
    work: Work, measures: Mapping[str, Floats], used: Mask, given: Mask, *, methods: list[str], notes: list[str]
) -> Estimates:
    """A row for each group; what is not in `measures` is that of the rows used, status and flags those of the whole."""
    held, coverage = work.covered(used)
    measures = {**measures, "denominator": np.where(held > 0, held, np.nan), "coverage": coverage}
    flags = _flags(work, used, coverage, given)
    status = of_wholes(work.table, work.group, used, flags, given)
    texts = {"place": work.heads("target"), "method": methods, "quality": flags, "note": notes, "obs_status": status}
    target = schema([name for name in work.keys if name not in ("target", *schema().names)])
    counts = {name: work.total(np.where(used, work.numbers(name), 0.0)) for name in ("n", "n_positive")}
    arrays = []
    for field in target:
        if field.name in texts:
            arrays.append(pa.array(texts[field.name], field.type))
        elif field.name in counts:
            whole = [int(one) if np.isfinite(one) else None for one in counts[field.name]]
            arrays.append(pa.array(whole, field.type))
        elif field.name in measures:
            column = measures[field.name]
            arrays.append(pa.array(column, field.type, mask=~np.isfinite(column)))
        elif field.name in work.keys:
            arrays.append(pa.array(work.heads(field.name), field.type))
        else:
            arrays.append(pa.nulls(len(work.first), field.type))
    return Estimates(pa.table(arrays, schema=target))


def lacking(work: Work, used: Mask) -> Mask:
    """Groups with a row in use whose limits do not hold the rounding of counts: neither do those of the whole."""
    said = np.array([NOT_IN in (note or "") for note in work.table.column("note").to_pylist()], dtype=bool)
    return np.asarray(work.total(used & said) > 0)


def _flags(work: Work, used: Mask, coverage: Floats, given: Mask) -> list[str]:
    """Quality of each group: what stays true of its members, few cases in all, members without data."""
    fields = work.table.column("quality").to_pylist()
    found: list[set[str]] = [set() for _ in work.first]
    for at in np.flatnonzero(used).tolist():
        found[work.group[at]] |= LASTING.intersection((fields[at] or "").split())
    cases = work.total(np.where(used, work.numbers("n_positive"), 0.0))
    records = given & np.array([head.startswith(("count", "crude rate")) for head in work.heads("method")], dtype=bool)
    for at in range(len(found)):
        found[at] |= {"few_cases"} if records[at] and cases[at] < FEW else set()
        found[at] |= {"partial_coverage"} if coverage[at] < COMPLETE else set()
    return [quality.join(*flags) for flags in found]
