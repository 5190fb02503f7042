"""Which differences between groups a survey shows: only of groups whose own numbers may be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safercities.model.estimates import UNKNOWN
from safercities.review.rows import Cell, Series

if TYPE_CHECKING:
    from safercities.review.data import ReviewData
    from safercities.sampling.contrasts import Contrast


@dataclass(frozen=True)
class Difference:
    """One group less another, both with their cells; `lower` and `upper` are the ends of its interval."""

    names: tuple[str, ...]
    one: Cell
    other: Cell
    value: float
    lower: float
    upper: float
    level: float
    p_value: float

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lower > 0 or self.upper < 0


def differences(data: ReviewData, series: Series) -> list[Difference]:
    """The contrasts of a series, the larger group first; those of a breakdown stand together.

    Left out are pairs with a group that is withheld, not known or has no interval of the difference, and pairs whose
    numbers are not those of the series (another survey, another wave).
    """
    found = []
    for contrast in data.contrasts.get(series.indicator, ()):
        one, other = _cell(series, contrast.one), _cell(series, contrast.other)
        if one is None or other is None or not math.isfinite(contrast.difference_lower):
            continue
        if not (_same(one, contrast.value) and _same(other, contrast.other_value)):
            continue
        ends = (contrast.difference_lower, contrast.difference_upper)
        names = tuple(one.codes)
        if contrast.difference >= 0:
            made = Difference(names, one, other, contrast.difference, *ends, contrast.level, contrast.p_value)
        else:
            low, high = sorted(-end for end in ends)
            made = Difference(names, other, one, -contrast.difference, low, high, contrast.level, contrast.p_value)
        found.append(made)
    return found


def since(data: ReviewData, series: Series) -> Contrast | None:
    """The change of a series since the wave before, where both numbers are those that the page may show."""
    trend = {cell.period: cell for cell in series.trend}
    for change in data.changes.get(series.indicator, ()):
        now, before = trend.get(change.one["period"]), trend.get(change.other["period"])
        if now is None or before is None or now is not series.now or not math.isfinite(change.difference_lower):
            continue
        if _same(now, change.value) and _same(before, change.other_value):
            return change
    return None


def _cell(series: Series, codes: Mapping[str, str]) -> Cell | None:
    """The group's own cell, if it may be shown and its characteristic is known."""
    if UNKNOWN in codes.values():
        return None
    cells: Sequence[Cell] = series.groups.get(tuple(codes), ())
    return next((cell for cell in cells if cell.codes == dict(codes) and cell.shown(rate=True) is not None), None)


def _same(cell: Cell, value: float) -> bool:
    number = cell.shown(rate=True)
    if number is None or number.value is None:
        return False
    return math.isclose(number.value, value, rel_tol=1e-9, abs_tol=1e-12)
