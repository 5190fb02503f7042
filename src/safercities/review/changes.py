"""How much an indicator changed between two periods, with its interval. The statistics are `measure`'s."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safercities.measure.breakdown import COUNT
from safercities.measure.rates import Interval, rate_ratio, ratio_of
from safercities.model.periods import Period
from safercities.review.rows import Cell, Number


@dataclass(frozen=True)
class Change:
    """A ratio of the later to the earlier period, with its interval; `of_rates` or of cases per year."""

    ratio: float
    lower: float
    upper: float
    level: float
    of_rates: bool


def change(now: Cell, before: Cell) -> Change | None:
    """Ratio of two periods of one series: of rates where both have one, else of counts over equal time.

    Exact limits for counts as they were recorded; where the counts' own limits hold more than chance, such as rounding
    to protect people, the ratio's are made of them.

    None where a number or such a limit is missing or withheld, or no case at all was recorded before.
    """
    if now.count is None or before.count is None or not before.count.value or now.count.value is None:
        return None
    rates = now.shown(rate=True) is not None and before.shown(rate=True) is not None
    time_now, time_before = (_exposure(cell, rates) for cell in (now, before))
    if not time_now or not time_before:
        return None
    level = now.count.level
    if now.count.method == COUNT == before.count.method:
        found = rate_ratio(now.count.value, time_now, before.count.value, time_before, level)
    elif now.count.has_interval and before.count.has_interval and level == before.count.level:
        found = ratio_of(_over(now.count, time_now), _over(before.count, time_before))
    else:
        return None
    return Change(float(found.value), float(found.lower), float(found.upper), level, rates)


def _over(count: Number, time: float) -> Interval:
    value, lower, upper = (np.array(one, dtype=np.float64) / time for one in (count.value, count.lower, count.upper))
    return Interval(value, lower, upper)


def _exposure(cell: Cell, rates: bool) -> float | None:
    if rates:
        return cell.rate.denominator if cell.rate is not None else None
    return Period.parse(cell.period).years
