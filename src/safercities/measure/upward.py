"""Aggregation upward: city → country → region → world, weighted by the people that each member stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.measure.members import COUNTED, Denominators, Membership, Weights, grouped, member_level
from safercities.measure.rates import garwood
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

#: No aggregate is given where members with data hold less than this share of the denominator.
GATE = 0.5
#: What the method of an aggregate begins with; the members' own method follows.
MEAN = "denominator-weighted mean, MOVER interval; of: "
SUM = "sum over members; of: "
#: What the method of a trend ends with.
CONSTANT = "; same members in all periods"
#: What the units begin with that are averaged; those in `COUNTED` add up, and any other is refused.
AVERAGED = ("%", "per ", "score ", "index", "mean", "proportion")
#: Flags of a member that stay true of the whole.
LASTING = frozenset(
    {
        "partial_period", "unknown_share", "population_interpolated", "population_carried", "unlocated_share",
        "unknown_acts", "part_of_acts", "rejected_share", "missing_answers", "partial_coverage",
    }
)  # fmt: skip
#: Coverage from here on is whole: the rest is rounding.
COMPLETE = 1 - 1e-9
#: Members that a note names one by one.
_NAMED = 12


def aggregate(
    members: Estimates,
    tree: Hierarchy,
    denominators: Denominators,
    level: str,
    *,
    of: str | None = None,
    kinds: Mapping[str, str] | None = None,
    gate: float = GATE,
) -> Estimates:
    """Estimates of larger places from those of the places in them; never a plain mean.

    Rules
    -----
    - A rate, share, mean or score becomes Σ d v / Σ d over the members with a value, d being the people that each
      one's value is over (for a share of victims: victims). Counts are added up. Members are taken as independent:
      se = √(Σ d² se²) / Σ d. The limits put the distances of the members' limits together in the same way (MOVER), so
      that the interval is as asymmetric as theirs; that of added counts of records is Garwood's. Where a member with a
      value has no se or limits, or another confidence level, the whole has none.
    - `coverage` is the share of the denominator of all members, with data or not, that those with data hold. Below
      `gate` the row has no value, `obs_status` O, and a note that says why. Below 1 it is flagged `partial_coverage`,
      and a sum is then one of the members with data only.
    - `obs_status` is the worst of the members', U where one is not simply to be published (`verdict`); that a member
      has few cases is judged anew of the whole.
    - Indicator, version, period, breakdown, unit, method and kind of source are never mixed: each makes its own row.
    - Smoothed rows are left out (their errors are not independent), and so are rows of places that did not exist on the
      last day of the period, which the note names.
    - Aggregates can be aggregated again: each weighs what its members with data hold (`denominator`), and coverage adds
      up. Without a gate the result is that of aggregating all members at once.

    Parameters
    ----------
    members
        Estimates of places of one level; rows of other levels may be there where `of` says which.
    denominators
        (place, period) → people; or a table with `place`, `period`, `n`, and a column for each breakdown by a
        characteristic of the person. Needed for every member, with data or without.
    level
        Level of the larger places.
    kinds
        Source → its kind (`police`, `health`, `survey`), so that several cities' sources make one series. Default: each
        source is a kind of its own. `source` of a row is the kind.
    gate
        Least coverage, 0 to 1.

    Raises
    ------
    UsageError
        If the members' level is not plain, a denominator is missing, negative or not a number, two rows of one member
        would come together, or a unit is neither one that adds up nor one that is averaged.

    Source: Zou, Huang & Zhang (2009), A note on confidence interval estimation for a linear function of binomial
    proportions, Computational Statistics & Data Analysis 53: 1080–1085 (MOVER).

    Examples
    --------
    >>> from safercities.model.places import Place
    >>> tree = Hierarchy([Place("X", "X", "country"), *(Place(c, c, "city", "X") for c in "abc")])
    >>> row = {"indicator": "i", "period": "2020", "unit": "per 100 000", "method": "m", "se": 1.0}
    >>> rows = Estimates.from_rows([{**row, "place": "a", "value": 10.0}, {**row, "place": "b", "value": 40.0}])
    >>> people = {("a", "2020"): 9e6, ("b", "2020"): 1e6, ("c", "2020"): 2.5e6}
    >>> whole = aggregate(rows, tree, people, "country").only()
    >>> whole["value"], whole["coverage"], whole["quality"]
    (13.0, 0.8, 'partial_coverage')
    """
    work = prepared(members, tree, denominators, level, of, kinds or {})
    return _rows(work, np.ones(work.table.num_rows, dtype=bool), gate, "")


def trend(
    members: Estimates,
    tree: Hierarchy,
    denominators: Denominators,
    level: str,
    *,
    of: str | None = None,
    kinds: Mapping[str, str] | None = None,
    gate: float = GATE,
) -> Estimates:
    """As `aggregate`, with only those members that have a value in every period of the series.

    A large member that drops out, or comes in, would look like a fall or a rise. The periods of a series are those in
    which any member of the place has a value; a change of definition begins a new series. The method ends with “same
    members in all periods”, and the note says which members are in and which are left out.

    Raises
    ------
    UsageError
        As `aggregate`.

    Examples
    --------
    >>> from safercities.model.places import Place
    >>> tree = Hierarchy([Place("X", "X", "country"), *(Place(c, c, "city", "X") for c in "abc")])
    >>> row = {"indicator": "i", "unit": "per 100 000", "method": "m"}
    >>> values = [("a", "2020", 10.0), ("b", "2020", 60.0), ("a", "2021", 11.0)]
    >>> rows = Estimates.from_rows([{**row, "place": c, "period": p, "value": v} for c, p, v in values])
    >>> people = {(c, p): 1e6 for c in "abc" for p in ("2020", "2021")}
    >>> series = trend(rows, tree, people, "country", gate=0.3).rows()
    >>> [row["value"] for row in series], series[0]["note"].split("; ")[0]
    ([10.0, 11.0], 'members in all periods: a')
    """
    work = prepared(members, tree, denominators, level, of, kinds or {})
    return _rows(work, _throughout(work), gate, CONSTANT)


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
    if level not in tree.levels:
        raise UsageError(problem("upward-level", given=level, known=", ".join(tree.levels)))
    flags = pc.fill_null(members.table.column("quality"), "")
    usable = Estimates(members.table.filter(pc.invert(pc.match_substring(flags, "smoothed"))))
    membership = Membership(tree, member_level(usable, tree, of), level)
    lost = membership.gone(usable.table)
    table = usable.table.append_column("target", membership.targets(usable.table))
    table = table.filter(pc.is_valid(table.column("target")))
    again = pc.or_(pc.starts_with(_text(table, "method"), MEAN), pc.starts_with(_text(table, "method"), SUM))
    table = keyed(table, kinds)
    keys = ("target", "indicator", "version", "period", "source", "unit", "method", *members.dimensions)
    _check_once(table, keys)
    group, first = grouped(table, keys)
    weights = Weights(denominators, members.dimensions)
    plain = weights.of_rows(table.filter(pc.invert(again)), members.dimensions)
    held = np.asarray(pc.fill_null(table.column("denominator"), 0.0).to_numpy(), dtype=np.float64).copy()
    held[~np.asarray(again.to_numpy(), dtype=bool)] = plain
    whole = weights.of_targets(table.take(pa.array(first)), members.dimensions, membership)
    _check_whole(table, held, whole[group])
    return Work(table, keys, group, first, held, whole, lost)


def _text(table: pa.Table, name: str) -> pa.ChunkedArray:
    return pc.fill_null(table.column(name), "")


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


def _throughout(work: Work) -> Mask:
    """Rows of members that have a value in every period of their series."""
    keys = tuple(name for name in work.keys if name != "period")
    series, _ = grouped(work.table, keys)
    member, _ = grouped(work.table, ("place", *keys))
    period, first = grouped(work.table, ("period",))
    there = np.isfinite(work.numbers("value"))
    pairs = np.unique(series[there] * max(len(first), 1) + period[there]) // max(len(first), 1)
    size = work.table.num_rows
    periods = np.bincount(pairs.astype(np.int64), minlength=size)
    mine = np.bincount(member[there], minlength=size)
    return np.asarray(mine[member] == periods[series])


def _rows(work: Work, chosen: Mask, gate: float, ending: str) -> Estimates:
    """A row for each group, from its chosen members with a value."""
    value = work.numbers("value")
    used = np.isfinite(value) & chosen
    counted = _adds_up(work.heads("unit"))
    weight = np.where(used, np.where(counted[work.group], 1.0, work.held), 0.0)
    held = work.total(np.where(used, work.held, 0.0))
    coverage = np.minimum(np.divide(held, work.whole, out=np.zeros(len(held)), where=work.whole > 0), 1.0)
    below = np.where(counted, 1.0, work.total(weight))
    given = (coverage >= gate) & (below > 0) & (work.total(used) > 0)
    below = np.where(given, below, np.nan)
    mean = work.total(np.where(used, weight * value, 0.0)) / below
    columns = {"value": mean, "denominator": np.where(held > 0, held, np.nan), "coverage": coverage}
    columns |= _spread(work, weight, below, used, mean, counted)
    flags, notes = flags_of(work, used, coverage, given), _notes(work, chosen, coverage, gate, given, ending)
    method = [(SUM if adds else MEAN) + head + ending for adds, head in zip(counted, work.heads("method"), strict=True)]
    texts = {
        "place": work.heads("target"),
        "method": method,
        "quality": flags,
        "note": notes,
        "obs_status": of_wholes(work.table, work.group, used, flags, given),
    }
    return table_of(work, columns, texts, used).sort()


def _adds_up(units: list[str | None]) -> Mask:
    """Which units add up; refuses those of which nobody said it."""
    for unit in units:
        if unit not in COUNTED and not str(unit).startswith(AVERAGED):
            raise UsageError(problem("upward-unit", unit=unit or "none", counted=", ".join(COUNTED)))
    return np.array([unit in COUNTED for unit in units], dtype=bool)


def _spread(work: Work, weight: Floats, below: Floats, used: Mask, mean: Floats, counted: Mask) -> dict[str, Floats]:
    """Standard error, limits and their level; NaN where a member with a value has none."""
    value, level = work.numbers("value"), work.numbers("level")

    def together(distance: Floats) -> Floats:
        return np.asarray(np.sqrt(work.total(np.where(used, (weight * distance) ** 2, 0.0))) / below)

    shared = np.full(len(mean), np.nan)
    shared[work.group[used]] = level[used]
    shared[work.total(used & (level != shared[work.group])) > 0] = np.nan
    lower = mean - together(value - work.numbers("lower"))
    upper = mean + together(work.numbers("upper") - value)
    records = counted & np.array([head == "count" for head in work.heads("method")], dtype=bool)
    for confidence in np.unique(shared[records & np.isfinite(mean * shared)]):
        at = records & np.isfinite(mean) & (shared == confidence)
        lower[at], upper[at] = garwood(np.round(mean[at]), float(confidence))
    known = np.isfinite(lower) & np.isfinite(upper) & np.isfinite(shared)
    limits = {"lower": lower, "upper": upper, "level": shared}
    return {"se": together(work.numbers("se"))} | {k: np.where(known, v, np.nan) for k, v in limits.items()}


def flags_of(work: Work, used: Mask, coverage: Floats, given: Mask) -> list[str]:
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


def _notes(work: Work, chosen: Mask, coverage: Floats, gate: float, given: Mask, ending: str) -> list[str]:
    """What cannot be said by flags: why there is no value, who is in a trend, who did not exist."""
    composition = _composition(work, chosen) if ending else [""] * len(work.first)
    notes = []
    for at, period in enumerate(work.heads("period")):
        share = f"members with data hold {100 * coverage[at]:.3g} % of the denominator"
        gone = work.lost.get(period, ())
        parts = (
            composition[at],
            f"not published: {share}, less than {100 * gate:g} %" if not given[at] else "",
            share if given[at] and coverage[at] < COMPLETE else "",
            f"left out, as they did not exist on the last day: {_named(gone)}" if gone else "",
        )
        notes.append("; ".join(part for part in parts if part))
    return notes


def _composition(work: Work, chosen: Mask) -> list[str]:
    """For each group which members have a value in all periods of its series, and which in some only."""
    series, _ = grouped(work.table, tuple(name for name in work.keys if name != "period"))
    place = work.table.column("place").to_pylist()
    some = np.isfinite(work.numbers("value"))
    inside: dict[int, dict[str, None]] = {}
    outside: dict[int, dict[str, None]] = {}
    for at in np.flatnonzero(some).tolist():
        (inside if chosen[at] else outside).setdefault(int(series[at]), {})[place[at]] = None
    texts = []
    for one in series[work.first].tolist():
        kept, left = sorted(inside.get(one, {})), sorted(outside.get(one, {}))
        texts.append(
            f"members in all periods: {_named(kept) or 'none'}" + (f"; left out: {_named(left)}" if left else "")
        )
    return texts


def _named(places: Sequence[str]) -> str:
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return ", ".join(places[:_NAMED]) + more


def table_of(work: Work, measures: Mapping[str, Floats], texts: Mapping[str, list[str]], used: Mask) -> Estimates:
    """A row for each group; sums of `n` and `n_positive` are those of the rows used."""
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
