"""The rows of protected counts: which are published, and what must not be said of those that are withheld."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.disclose.counts import Guarded
from safercities.disclose.depends import shown
from safercities.disclose.solver import Mask
from safercities.model.dimensions import OTHER, TOTAL, UNKNOWN
from safercities.model.estimates import MEASURES, Estimates
from safercities.model.periods import Period

#: Statistics that are made of many cells: where they are withheld there is no row, as there is none where they cannot
#: be made.
_ADJUSTED = ("directly standardised", "empirical Bayes")
#: Columns of a withheld row that hold nothing of the data.
_KEPT = ("level", "unit", "method", "source")


_KEY = ("indicator", "version", "place", "period", "source", "unit", "method")


def planned(estimates: Estimates, guarded: Sequence[Guarded]) -> Estimates:
    """The rows that are to be published: those behind others, and of breakdowns that were refused, are left out."""
    keep = np.zeros(len(estimates), dtype=bool)
    for one in guarded:
        at = shown(one.base, one.family, one.part.tables, estimates).table
        public = np.array([table.shown for table in one.part.tables] or [False])
        keep |= (at >= 0) & public[np.maximum(at, 0)]
    return Estimates(estimates.table.filter(pa.array(keep)))


def free(estimates: Estimates) -> Estimates:
    """All rows as published: they were measured from protected counts."""
    table = estimates.table
    status = pa.array(["F"] * table.num_rows, pa.string())
    return Estimates(table.set_column(table.column_names.index("conf_status"), "conf_status", status))


def withhold(estimates: Estimates, grid: Estimates, guarded: Sequence[Guarded], annualised: str) -> Estimates:
    """Rows measured from true counts, without those that need a withheld cell.

    Parameters
    ----------
    estimates
        Measured from the effective counts.
    grid
        The same, measured as if there were cases in every cell: its keys are those of all rows there can be. Rows that
        are there only where there are cases would tell which cells have none.
    guarded
        Of all periods of the source.
    annualised
        The one note of rates that tells nothing of the counts.
    """
    rows = Estimates.concat([estimates, _lacking(estimates, grid)])
    lost = np.ones(len(rows), dtype=bool)
    doubt, unsure = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    lacking = np.arange(len(rows)) >= len(estimates)
    for one in guarded:
        if one.published is None:
            raise ValueError("these counts were not protected by withholding")
        found = shown(one.base, one.family, one.part.tables, rows)
        closed = ~one.published
        mine = found.table >= 0
        lost[mine] = (found.value.hit(closed, len(rows)) | lacking)[mine]
        doubt |= found.coverage.hit(closed, len(rows))
        unsure |= found.unsure.hit(closed, len(rows))
    table = _told(rows.table, doubt, unsure, annualised)
    made = blank(Estimates(table), lost)
    gone = lost & np.asarray(pc.fill_null(pc.starts_with(rows.table.column("method"), _ADJUSTED[0]), False))
    gone |= lost & np.asarray(pc.fill_null(pc.starts_with(rows.table.column("method"), _ADJUSTED[1]), False))
    return Estimates(made.table.filter(pa.array(~gone)))


def without_hidden(estimates: Estimates, sources: Sequence[str]) -> Estimates:
    """Without indicators of which nothing is published, of sources that bring their own acts.

    That they are there at all would say that the source has such a case.
    """
    table = estimates.table
    free = table.filter(pc.equal(table.column("conf_status"), "F"))
    there = set(zip(free.column("source").to_pylist(), free.column("indicator").to_pylist(), strict=True))
    pairs = zip(table.column("source").to_pylist(), table.column("indicator").to_pylist(), strict=True)
    return Estimates(table.filter(pa.array([a not in sources or (a, b) in there for a, b in pairs], pa.bool_())))


def without_ends(estimates: Estimates, sources: Sequence[str]) -> Estimates:
    """Without the first and the last periods of which no case is published, of sources that nobody said the cover of.

    Their periods go from the first case to the last: that an empty one is there would say that it has cases.
    """
    table, keep = estimates.table, np.ones(len(estimates), dtype=bool)
    names, periods = table.column("source").to_pylist(), table.column("period").to_pylist()
    some = pc.and_(pc.equal(table.column("conf_status"), "F"), pc.greater(table.column("value"), 0)).to_pylist()
    for name in sources:
        there = [Period.parse(one) for one, its, yes in zip(periods, names, some, strict=True) if its == name and yes]
        first, last = min(there, default=None), max(there, default=None)
        for at in np.flatnonzero([its == name for its in names]).tolist():
            keep[at] = first is not None and last is not None and first <= Period.parse(periods[at]) <= last
    return Estimates(table.filter(pa.array(keep)))


def hidden_codes(guarded: Sequence[Guarded], named: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Dimension → codes of a source that nobody named, and of which no table publishes a case. Empty with rounding.

    Parameters
    ----------
    named
        Dimension → codes that may be seen in any case.
    """
    seen: dict[str, set[str]] = {}
    there: dict[str, dict[str, None]] = {}
    for one in guarded:
        if one.published is None:
            return {}
        told = one.published & (one.family.counts(one.effective) > 0)
        for number, table in enumerate(one.part.tables):
            if not table.shown:
                continue
            codes = one.base.codes(table)
            at = one.family.at[number].reshape([len(along) for along in codes])
            free = (at >= 0) & told[np.maximum(at, 0)]
            for axis, name in enumerate(table.dimensions, start=bool(table.level)):
                yes = free.any(axis=tuple(other for other in range(free.ndim) if other != axis))
                there.setdefault(name, {}).update(dict.fromkeys(codes[axis]))
                seen.setdefault(name, set()).update(np.array(codes[axis])[yes].tolist())
    found = {
        name: [code for code in codes if code != UNKNOWN and code not in seen[name] and code not in named.get(name, ())]
        for name, codes in there.items()
    }
    return {name: codes for name, codes in found.items() if codes}


def without_lone_codes(estimates: Estimates) -> Estimates:
    """Estimates of a survey without codes of which a wave publishes nothing: its rows have the codes of its answers.

    That they are there, although withheld, would say that somebody was interviewed who has that code. Their rows become
    one withheld row of `_U`, so that nobody takes the codes that are left for everybody.
    """
    table, rows = estimates.table, len(estimates)
    waves = list(zip(*(table.column(name).to_pylist() for name in ("source", "period")), strict=True))
    free = [status == "F" for status in table.column("conf_status").to_pylist()]
    for name in estimates.dimensions:
        codes = table.column(name).to_pylist()
        told = {(*wave, code) for wave, code, yes in zip(waves, codes, free, strict=True) if yes}
        merged = [
            code if code == TOTAL or (*wave, code) in told else UNKNOWN if (*wave, UNKNOWN) not in told else OTHER
            for wave, code in zip(waves, codes, strict=True)
        ]
        table = _set(table, name, pa.array(merged, pa.string()))
    keys = zip(*(table.column(name).to_pylist() for name in (*_KEY, *estimates.dimensions)), strict=True)
    first: dict[tuple[object, ...], int] = {}
    for row, key in enumerate(keys):
        if key not in first or free[row]:
            first[key] = row
    return Estimates(table.take(pa.array(sorted(first.values()), pa.int64())) if rows else table)


def _lacking(estimates: Estimates, grid: Estimates) -> Estimates:
    """Rows of the grid that are not among the estimates."""
    keys = ["indicator", "version", "place", "period", "source", "unit", "method", *grid.dimensions]
    there = set(zip(*(estimates.table.column(name).to_pylist() for name in keys), strict=True))
    all_keys = zip(*(grid.table.column(name).to_pylist() for name in keys), strict=True)
    return Estimates(grid.table.filter(pa.array([key not in there for key in all_keys], pa.bool_())))


def _told(table: pa.Table, doubt: Mask, unsure: Mask, annualised: str) -> pa.Table:
    """Rows without what coverage, flags and notes tell of withheld cells."""
    nothing = pa.scalar(None, pa.float64())
    table = _set(table, "coverage", pc.if_else(pa.array(doubt), nothing, table.column("coverage")))
    notes = table.column("note").to_pylist()
    counts = pc.equal(table.column("method"), "count").to_pylist()
    kept = []
    for note, count, hidden in zip(notes, counts, unsure.tolist(), strict=True):
        parts = (note or "").split("; ")
        if count and hidden:  # the number of cases whose act is not known
            parts = [one for one in parts if one.startswith("cases without a place")]
        elif not count:  # why others of its table are missing
            parts = [one for one in parts if one == annualised]
        kept.append("; ".join(one for one in parts if one) or None)
    table = _set(table, "note", pa.array(kept, pa.string()))
    flags = [
        None if field is None else " ".join(flag for flag in field.split() if not _hidden(flag, bool(hit)))
        for field, hit in zip(table.column("quality").to_pylist(), doubt, strict=True)
    ]
    return _set(table, "quality", pa.array(flags, pa.string()))


def _hidden(flag: str, doubt: bool) -> bool:
    """Whether a flag is not shown: that of unknown acts compares with all cases of the source, which no table has."""
    return flag == "unknown_acts" or (doubt and flag in ("unknown_share", "unlocated_share"))


def blank(estimates: Estimates, lost: Mask) -> Estimates:
    """Mark rows as published (F) or not for publication (N); of these nothing is left but what they are of."""
    table, mask = estimates.table, pa.array(lost)
    for name, kind in MEASURES:
        if name not in _KEPT and name not in ("obs_status", "conf_status"):
            table = _set(table, name, pc.if_else(mask, pa.scalar(None, kind), table.column(name)))
    statuses = pc.if_else(mask, "Q", pc.fill_null(table.column("obs_status"), "A"))
    table = _set(table, "obs_status", statuses)
    return Estimates(_set(table, "conf_status", pc.if_else(mask, "N", "F")))


def _set(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
