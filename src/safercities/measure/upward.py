"""Aggregation upward: city → country → region → world, weighted by the people that each member stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from safercities.measure.gathered import COMPLETE, MEAN, SUM, Floats, Mask, Work, lacking, prepared, table_of
from safercities.measure.members import COUNTED, Denominators, grouped
from safercities.measure.published import NOT_IN
from safercities.measure.rates import garwood
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import Estimates
from safercities.places.hierarchy import Hierarchy

#: No aggregate is given where members with data hold less than this share of the denominator.
GATE = 0.5
#: What the method of a trend ends with.
CONSTANT = "; same members in all periods"
#: What the units begin with that are averaged; those in `COUNTED` add up, and any other is refused.
AVERAGED = ("%", "per ", "score ", "index", "mean", "proportion")
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
    coverage = work.covered(used)[1]
    below = np.where(counted, 1.0, work.total(weight))
    given = (coverage >= gate) & (below > 0) & (work.total(used) > 0)
    below = np.where(given, below, np.nan)
    mean = work.total(np.where(used, weight * value, 0.0)) / below
    columns = {"value": mean, **_spread(work, weight, below, used, mean, counted)}
    method = [(SUM if adds else MEAN) + head + ending for adds, head in zip(counted, work.heads("method"), strict=True)]
    notes = _notes(work, chosen, used, coverage, gate, given, ending)
    return table_of(work, columns, used, given, methods=method, notes=notes).sort()


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


def _notes(work: Work, chosen: Mask, used: Mask, coverage: Floats, gate: float, given: Mask, ending: str) -> list[str]:
    """What cannot be said by flags: why there is no value, who is in a trend, who did not exist, what limits lack."""
    composition = _composition(work, chosen) if ending else [""] * len(work.first)
    narrow = lacking(work, used)
    notes = []
    for at, period in enumerate(work.heads("period")):
        share = f"members with data hold {100 * coverage[at]:.3g} % of the denominator"
        gone = work.lost.get(period, ())
        parts = (
            composition[at],
            f"not published: {share}, less than {100 * gate:g} %" if not given[at] else "",
            share if given[at] and coverage[at] < COMPLETE else "",
            NOT_IN if given[at] and narrow[at] else "",
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
