"""What a correction of a wave, or of audits, is held against: the earlier versions, and what changed by few since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.disclose.digits import nearest
from safercities.disclose.journal import Wave
from safercities.model.dimensions import TOTAL
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import Estimates

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: What of the rules of a release decides what of a wave is withheld and rounded.
_RULES = ("minimum_count", "sensitive_count", "sensitive", "width")
#: Of all rows that were shown: if more cannot be shown any more, the correction says so.
MOST_LOST = 0.5
#: A row is true enough if it is so many of its standard errors, or less, from what is measured now.
ENOUGH = 0.5


class Figures(NamedTuple):
    """Value, standard error, denominator and respondents of a row."""

    value: float
    se: float
    denominator: float
    n: float


@dataclass(frozen=True, eq=False)
class Version:
    """One release of a wave of a survey, or of a period of audits.

    Parameters
    ----------
    number
        Of the release in its chain.
    estimates
        Its rows, as published.
    wave
        What stands behind them.
    rules
        Of the release.
    """

    number: int
    estimates: Estimates
    wave: Wave
    rules: Mapping[str, Any]


def small(change: Ints, minimum: Ints) -> Mask:
    """Changes that only a few can have made: not 0, and less than the minimum.

    Examples
    --------
    >>> small(np.array([0, 1, -4, 5, -9]), np.array([5, 5, 5, 5, 5])).tolist()
    [False, True, True, False, False]
    """
    return np.asarray((change != 0) & (np.abs(change) < minimum))


def still_true(now: Figures, then: Figures, unit: float, people: tuple[float, float]) -> bool:
    """Whether what was shown of a domain is true enough of what is measured now.

    So must be the denominator, since numbers of people are made with it: it may be off by no more than its share may,
    or than the step that it was rounded to, which is as far as few respondents can move it; or be what would be shown
    anew. And the standard error may not have grown by more than half, nor be unknown now; nor may respondents have
    become so much fewer than the number shown.

    Parameters
    ----------
    now, then
        As measured now, and as shown then.
    unit
        What values were rounded to then.
    people
        What denominators were rounded to then, and what they would be rounded to now.

    Examples
    --------
    >>> shown = Figures(30.0, 2.5, 4000.0, 200)
    >>> still_true(Figures(31.0, 2.1, 4010.0, 249), shown, 2.0, (50.0, 50.0))
    True
    >>> still_true(Figures(31.0, 2.1, 8020.0, 249), shown, 2.0, (50.0, 100.0))
    False
    """
    far, edge = max(ENOUGH * then.se, unit / 2), 1 + 1e-9
    if not (abs(now.value - then.value) <= far * edge and now.se <= (1 + ENOUGH) * then.se * edge):
        return False  # nor where either is not known now
    if now.n * (1 + ENOUGH) * edge < then.n:
        return False
    if not then.denominator > 0 or float(nearest(np.array([now.denominator]), people[1])[0]) == then.denominator:
        return True
    share = far / then.value * then.denominator if then.value > 0 else 0.0
    return abs(now.denominator - then.denominator) <= max(share, people[0]) * edge


def check_rules(versions: Sequence[Version], rules: Mapping[str, Any]) -> None:
    """Refuse a correction under other rules: other limits would be withheld and rounded to other steps.

    Raises
    ------
    SafercitiesError
        If a version was published under other ones.
    """
    for one in versions:
        if any(one.rules.get(name) != rules.get(name) for name in _RULES):
            said: dict[str, Any] = {"source": one.wave.source, "period": one.wave.period}
            raise SafercitiesError(problem("publish-rules-changed", file="observatory.toml", column="publish", **said))


def told(versions: Sequence[Version], made: Estimates) -> list[Problem]:
    """What the office must know of a correction: that it changes nothing, or that it loses most."""
    last = versions[-1]
    said: dict[str, Any] = {"source": last.wave.source, "period": last.wave.period}
    before, after = shown_rows(last.estimates), shown_rows(made)
    if before == after:
        return [problem("publish-correction-unseen", **said)]
    lost = sum(name not in after for name in before)
    if lost > MOST_LOST * len(before):
        return [problem("publish-correction-lost", lost=lost, shown=len(before), **said)]
    return []


def shown_rows(estimates: Estimates) -> dict[object, dict[str, Any]]:
    """The rows that are shown, by what they are of, without what is null or of all."""
    found: dict[object, dict[str, Any]] = {}
    for row in estimates.rows():
        if row["conf_status"] == "F":
            found[row_name(row, estimates.dimensions)] = {
                name: value for name, value in row.items() if value is not None and value != TOTAL
            }
    return found


def row_name(row: Mapping[str, Any], dimensions: Sequence[str]) -> tuple[object, ...]:
    """What a row is of, whatever other columns there are; a share, its number and further forms of it differ."""
    codes = frozenset((name, row[name]) for name in dimensions if row[name] != TOTAL)
    form = str(row["method"] or "").partition(",")[0]
    return row["indicator"], row["version"], row["place"], row["period"], row["source"], row["unit"], form, codes


def with_earlier(
    made: Estimates, again: Mapping[int, int], versions: Sequence[Estimates]
) -> tuple[Estimates, set[int]]:
    """Estimates with rows of earlier versions in place of their own; and which rows these are.

    Parameters
    ----------
    again
        Row → position of the version whose row is shown again, where it shows one.
    """
    rows, place, start, back = made.rows(), np.arange(len(made)), len(made), set[int]()
    parts = [made]
    for version in sorted(set(again.values())):
        theirs = _with_columns(versions[version], made.dimensions)
        names = [row_name(row, theirs.dimensions) for row in theirs.rows()]
        free = theirs.table.column("conf_status").to_pylist()
        at = {name: number for number, name in enumerate(names) if free[number] == "F"}
        for row in (row for row, of in again.items() if of == version):
            name = row_name(rows[row], made.dimensions)
            if name in at:
                place[row] = start + at[name]
                back.add(row)
        parts.append(theirs)
        start += len(theirs)
    return Estimates(Estimates.concat(parts).table.take(pa.array(place, pa.int64()))), back


def _with_columns(estimates: Estimates, dimensions: Sequence[str]) -> Estimates:
    """Without dimensions that nothing is broken down by and the others do not have."""
    table, more = estimates.table, [name for name in estimates.dimensions if name not in dimensions]
    empty = [name for name in more if set(table.column(name).to_pylist()) <= {TOTAL}]
    return Estimates(table.drop_columns(empty)) if empty else estimates
