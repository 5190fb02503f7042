"""What is shown of a survey estimate that is kept: digits that its error bears, limits that hold the true ones."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.digits import ON_STEP, SPREADS, UNITS, bands, before, nearest, outward, tidy, up
from safercities.disclose.survey_rows import Table
from safercities.sampling import intervals

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: A unit larger than so many standard errors hides what the survey found.
COARSEST = 4.0
#: How much more a number of people spreads than its share alone would make it: known to these steps only.
SPREAD_OF_TOTALS = (1.1, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
#: Limits of the logarithm so many times the value say nothing: the number is withheld.
FARTHEST = 20.0
#: Shares at which limits are worked out, between the two that round to the one shown.
_POINTS = 9


class Units(NamedTuple):
    """What shares and means are rounded to, shape (rows,)."""

    se: Floats
    value: Floats
    denominator: Floats


class Shown(NamedTuple):
    """Numbers as they are shown, shape (rows,); NaN where none can be."""

    value: Floats
    se: Floats
    lower: Floats
    upper: Floats
    denominator: Floats


def units(table: Table, at: Integers, width: Integers, exact: Mask) -> Units:
    """Standard errors as shown, and the units of values and denominators, of the rows `at`.

    - The standard error is rounded up to 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 … : at most a third too large.
    - The value is rounded to the smallest of 1, 2, 5, 10 … that is half of that or more. Rounding to one standard error
      adds 4 % to the error: a twelfth of its square. Of shares and incidences the unit is also such that `width` + 1
      whole numbers of cases are left open: by itself, or with the respondents that the denominator leaves open.
    - The denominator is rounded to 2 · `width` respondents' weight or more, as if all weighed the same.

    All depends on what is shown (standard error, band of n, rounded denominator) and on nothing else.

    Parameters
    ----------
    width
        How many further values must be possible, shape (rows,).
    exact
        Rows of which the number of respondents is no secret: nothing else than the unit leaves their cases open.
    """
    se, first = up(table.se[at]), bands(np.maximum(table.n[at], 0))[0]
    counted = table.kind[at] != "number"
    with np.errstate(all="ignore"):
        spread = (before(se) / table.per[at]) ** 2 * (first - 1)  # p(1 − p) at least, of people drawn one by one
        rare = np.where(exact, 0.0, (1 - np.sqrt(1 - np.clip(4 * spread, 0.0, 1.0))) / 2)
        least = np.maximum(width / 2, width + 1 - 2 * width * np.nan_to_num(rare))
        open_cases = table.per[at] * least / np.maximum(first, 1)
        value = up(np.where(counted, np.fmax(se / 2, open_cases), se / 2), UNITS)
        magnitude = up(table.denominator[at], UNITS)
        denominator = up(magnitude * np.maximum(2 * width / np.maximum(first, 1), 0.005), UNITS)
    return Units(se, np.where(value <= COARSEST * se, value, np.nan), denominator)


def widest_steps(table: Table, at: Integers, width: Integers, exact: Mask) -> Floats:
    """What the denominators that a table shows may have been rounded to, at most: of 2000 also if it was 2001 before.

    Parameters
    ----------
    width, exact
        As for `units`.
    """
    above = replace(table, denominator=table.denominator * (1 + 1e3 * ON_STEP))
    return units(above, at, width, exact).denominator


def shares_and_means(table: Table, at: Integers, given: Units, df: Floats) -> Shown:
    """Rows `at` as they are shown; `df` are the degrees of freedom as shown.

    Limits come from what is shown alone: the widest that any value, standard error, number of respondents and degrees
    of freedom could give that would be shown in this way. So they hold the true limits, and tell nothing more. They
    keep a digit more than the value, which costs nothing for the same reason.
    """
    value = nearest(table.value[at], given.value)
    lower, upper = np.full(len(at), np.nan), np.full(len(at), np.nan)
    share = table.kind[at] == "share"
    for method, level in sorted({(table.interval[i], float(table.level[i])) for i in at[share].tolist()}):
        mine = share & (table.level[at] == level) & np.array([table.interval[i] == method for i in at.tolist()], bool)
        if method:
            lower[mine], upper[mine] = _proportions(
                table, at[mine], value[mine], Units(*(u[mine] for u in given)), df[mine]
            )
    rest = ~share
    slack = given.value / 2
    for level in np.unique(table.level[at][rest]).tolist():
        mine = rest & (table.level[at] == level)
        lower[mine], upper[mine] = _student(value, given.se, df, slack, level, mine)
    ratio = rest & np.array([table.method[i] == "ratio" for i in at.tolist()], bool) & (table.lower[at] >= 0)
    lower, upper = _not_below_0(value, given.se, df, slack, table.level[at], ratio, lower, upper)
    low, high = outward(lower, upper, up(given.value / 10, UNITS))
    low[share], high[share] = np.maximum(low, 0)[share], np.minimum(high, table.per[at])[share]
    return Shown(value, given.se, low, high, nearest(table.denominator[at], given.denominator))


def _proportions(table: Table, at: Integers, value: Floats, given: Units, df: Floats) -> tuple[Floats, Floats]:
    """Limits of shares: the widest over the shares that round to the one shown, at the largest standard error."""
    per, (first, last) = table.per[at], bands(table.n[at])
    method, level = table.interval[at[0]], float(table.level[at[0]])
    # degrees of freedom correct the sample size by t(n − 1)/t(df): as if n were the last of the band
    least, most = (intervals.student_interval(0.0, 1.0, np.maximum(n - 1, 1), level=level)[1] for n in (first, last))
    se = given.se / per * (least / most)
    low, high = np.full(len(at), np.inf), np.full(len(at), -np.inf)
    for step in np.linspace(-0.5, 0.5, _POINTS):
        p = np.clip((value + step * given.value) / per, 1e-6, 1 - 1e-6)
        found = intervals.proportion_interval(method, p, se, first, df, level=level)
        low, high = np.minimum(low, found.lower), np.maximum(high, found.upper)
    return low * per, high * per


def _student(value: Floats, se: Floats, df: Floats, slack: Floats, level: float, mine: Mask) -> tuple[Floats, Floats]:
    low, high = intervals.student_interval(value[mine], se[mine], df[mine], level=level)
    return low - slack[mine], high + slack[mine]


def _not_below_0(
    value: Floats, se: Floats, df: Floats, slack: Floats, level: Floats, mine: Mask, lower: Floats, upper: Floats
) -> tuple[Floats, Floats]:
    """Of what cannot be below 0: where Student's limit could be, the true limits may be the logarithm's."""
    for at in np.flatnonzero(mine & (lower < 0)).tolist():
        ends = [value[at] - slack[at], value[at] + slack[at]]
        logs = [intervals.log_interval(max(end, 0.0), se[at], df[at], level=level[at])[1][0] for end in ends]
        tells = np.isfinite(logs).all() and max(logs) <= FARTHEST * ends[1]
        upper[at] = max(upper[at], *logs) if tells else np.nan
        lower[at] = 0.0 if np.isfinite(upper[at]) else np.nan
    return lower, upper


def totals(table: Table, at: Integers, of: Integers, shares: Shown, given: Units, df: Floats) -> Shown:
    """Numbers of people or events, rows `at`, from the shares or means as shown, rows `of` of the table.

    A number is share × denominator, both as shown: it tells nothing more than they do. Its standard error is that of
    the share times the denominator, times how much more the number spreads, rounded up to `SPREAD_OF_TOTALS`.
    """
    per = table.per[of]
    with np.errstate(all="ignore"):
        scale = shares.denominator / per
        more = table.se[at] / (shares.se * scale)
        steps = np.array(SPREAD_OF_TOTALS)
        within = np.searchsorted(steps, more)
        factor = np.where(within < len(steps), steps[np.minimum(within, len(steps) - 1)], np.nan)
        unit = up(given.value * scale, UNITS)
        value = nearest(shares.value * scale, unit)
        se = up(factor * shares.se * scale, SPREADS)
        slack = (given.value / 2) * (shares.denominator + given.denominator / 2) / per
        slack += shares.value / per * given.denominator / 2 + unit / 2
        lower, upper = np.full(len(at), np.nan), np.full(len(at), np.nan)
        for level in np.unique(table.level[at]).tolist():
            mine = table.level[at] == level
            lower[mine], upper[mine] = _student(value, se, df, slack, level, mine)
        lower, upper = _not_below_0(value, se, df, slack, table.level[at], np.ones(len(at), bool), lower, upper)
        all_people = np.where(table.kind[of] == "share", shares.denominator + given.denominator / 2, np.inf)
        low, high = outward(np.maximum(lower, 0), np.fmin(upper, np.where(np.isnan(upper), np.nan, all_people)), unit)
    return Shown(value, se, low, high, tidy(shares.denominator))
