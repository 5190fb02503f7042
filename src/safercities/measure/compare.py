"""Compare crude rates: ratio and difference of two, each group against the rest, the last period against another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from safercities.measure.breakdown import CRUDE
from safercities.measure.rates import Interval, difference_of, rate_difference, rate_ratio, ratio_of
from safercities.measure.rows import ROUNDED
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import TOTAL, UNKNOWN, Estimates, schema
from safercities.model.periods import Period

#: What two estimates must share.
SAME = ("indicator", "version", "source", "unit", "method")
METHOD = "rate ratio: exact conditional interval; rate difference: MOVER from Garwood intervals"
#: Of rates whose limits hold more than chance.
OWN = "rate ratio and rate difference: MOVER from the rates' own intervals"

Row = Mapping[str, Any]
#: Columns of the contract, which are no dimensions.
_OWN = frozenset(schema().names)


@dataclass(frozen=True)
class Comparison:
    """The rate of one group, place or period against another's.

    Parameters
    ----------
    one, other
        Keys of both: place, period and dimensions. The rest of a dimension is written `not <code>`.
    ratio, ratio_lower, ratio_upper
        One over the other; infinite where the other has no case, NaN where neither has one.
    one_sided
        A count is zero: only one limit of the ratio says something.
    difference, difference_lower, difference_upper
        One less the other, in `unit`.
    level
        Confidence level.
    """

    one: Mapping[str, str]
    other: Mapping[str, str]
    ratio: float
    ratio_lower: float
    ratio_upper: float
    one_sided: bool
    difference: float
    difference_lower: float
    difference_upper: float
    unit: str
    level: float
    method: str = METHOD

    @property
    def clear(self) -> bool:
        """Whether the interval of the ratio leaves out 1."""
        return self.ratio_lower > 1 or self.ratio_upper < 1

    @property
    def words(self) -> str:
        """The ratio in a sentence, which claims no difference where the interval does not show one."""
        if np.isnan(self.ratio):
            return "no case on either side: nothing can be said"
        sure = f"{100 * self.level:g} % interval {self.ratio_lower:.2g} to {self.ratio_upper:.2g}"
        if np.isinf(self.ratio_upper):
            sure = f"{100 * self.level:g} % interval from {self.ratio_lower:.2g} on"
        if not self.clear:
            return f"no clear difference ({sure})"
        return f"{self.ratio:.2g} times as high ({sure})" if np.isfinite(self.ratio) else f"higher ({sure})"


def compare(one: Estimates, other: Estimates, level: float = 0.95) -> Comparison:
    """Compare two crude rates, given as one row each.

    Exact limits for rates of counts as they were recorded. Where the rates' own limits hold more than chance, such as
    rounding to protect people, those of the comparison are made of them: then `level` is that of the rates.

    Raises
    ------
    UsageError
        If they differ in indicator, definition, source, unit or method, are no crude rates, or have no such limits.
    LookupError
        If either is not exactly one row.

    Examples
    --------
    >>> def rate(sex, cases):
    ...     return Estimates.from_rows([{
    ...         "indicator": "x", "place": "p", "period": "2019", "sex": sex, "value": cases * 10.0, "n": cases,
    ...         "denominator": 10_000.0, "unit": "per 100 000", "method": "crude rate, Garwood interval"}])
    >>> result = compare(rate("M", 90), rate("F", 30))
    >>> round(result.ratio, 2), round(result.difference), result.words
    (3.0, 600, '3 times as high (95 % interval 2 to 4.7)')
    """
    return _compare([(one.only(), other.only())], level)[0]


def against_rest(estimates: Estimates, dimension: str, level: float = 0.95) -> list[Comparison]:
    """Each group of a dimension against all others of it together, in each place, period and further breakdown.

    Rows in which the dimension is total or unknown, and rows that are no crude rate, are left out.

    Raises
    ------
    UsageError
        If nothing is left, or the estimates have no such dimension.
    """
    rows = [row for row in _crude(estimates) if row.get(dimension, TOTAL) not in (TOTAL, UNKNOWN)]
    if not rows:
        raise UsageError(problem("nothing-to-compare", column=dimension))
    pairs = []
    for group in _together(rows, without=(dimension,)):
        cases, years = sum(row["n"] for row in group), sum(row["denominator"] for row in group)
        for row in group if len(group) > 1 else []:
            rest = {"n": cases - row["n"], "denominator": years - row["denominator"]}
            if _holds_more(row):
                rest |= _limits([one for one in group if one is not row], rest)
            pairs.append((row, {**row, **rest, dimension: f"not {row[dimension]}"}))
    return _compare(pairs, level)


def against_period(
    estimates: Estimates, base: Literal["previous", "first"] = "previous", level: float = 0.95
) -> list[Comparison]:
    """The last period of each series against the one before it, or against the first.

    Only whole periods are compared: rows flagged `partial_period` are left out, and so are periods of which the one
    before is missing (`previous`). A series ends where the definition changes: versions are never compared.

    Raises
    ------
    UsageError
        If no series has two periods to compare.
    """
    pairs = []
    whole = [row for row in _crude(estimates) if "partial_period" not in (row["quality"] or "").split()]
    for group in _together(whole, without=("period",)):
        series = {Period.parse(row["period"]): row for row in group}
        last = max(series)
        then = min(series) if base == "first" else last.previous()
        if then != last and then in series:
            pairs.append((series[last], series[then]))
    if not pairs:
        raise UsageError(problem("nothing-to-compare", column="period"))
    return _compare(pairs, level)


def _crude(estimates: Estimates) -> list[dict[str, Any]]:
    return [row for row in estimates.where(method=[CRUDE, CRUDE + ROUNDED]).rows() if _comparable(row)]


def _comparable(row: Row) -> bool:
    known = ["n", "value", *(("lower", "upper") if _holds_more(row) else ())]
    crude = (row["method"] or "").removesuffix(ROUNDED) == CRUDE
    return crude and (row["denominator"] or 0) > 0 and all(row[name] is not None for name in known)


def _holds_more(row: Row) -> bool:
    """Whether a rate's limits hold more than chance, so that its count alone does not make them."""
    return (row["method"] or "").endswith(ROUNDED)


def _together(rows: Iterable[dict[str, Any]], without: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Rows that share all their keys but `without`."""
    groups: dict[Hashable, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        keys = {name: row[name] for name in (*SAME, *_keys(row)) if name not in without}
        groups[tuple(keys.items())].append(row)
    return list(groups.values())


def _keys(row: Row) -> dict[str, str]:
    """Place, period and dimensions of a row."""
    return {name: str(row[name]) for name in row if name in ("place", "period") or name not in _OWN}


def _check(one: Row, other: Row, level: float) -> None:
    for name in SAME:
        if one[name] != other[name]:
            raise UsageError(problem("not-comparable", name=name, one=one[name] or "none", two=other[name] or "none"))
    if not (_comparable(one) and _comparable(other)):
        raise UsageError(problem("nothing-to-compare"))
    for row in (one, other):
        if _holds_more(row) and row["level"] != level:
            asked = f"{level:g}, which is asked for"
            raise UsageError(problem("not-comparable", name="level", one=row["level"] or "none", two=asked))


def _compare(pairs: Sequence[tuple[Row, Row]], level: float) -> list[Comparison]:
    for one, other in pairs:
        _check(one, other, level)
    made: dict[int, Comparison] = {}
    for more in (False, True):
        at = [place for place, (one, _) in enumerate(pairs) if _holds_more(one) == more]
        made |= zip(at, _compared([pairs[place] for place in at], level, more) if at else (), strict=True)
    return [made[place] for place in range(len(pairs))]


def _compared(pairs: Sequence[tuple[Row, Row]], level: float, more: bool) -> list[Comparison]:
    """Pairs whose own limits hold more than chance, or none of which do."""
    numbers = np.array([[o["n"], o["denominator"], p["n"], p["denominator"], _per(o)] for o, p in pairs], float).T
    x1, t1, x0, t0, per = numbers
    if more:
        own = np.array([[o["lower"], o["upper"], p["lower"], p["upper"]] for o, p in pairs], float).T / per
        sides = Interval(x1 / t1, *own[:2]), Interval(x0 / t0, *own[2:])
        (ratio, low, high, one_sided), gap = ratio_of(*sides), difference_of(*sides)
    else:
        ratio, low, high, one_sided = rate_ratio(x1, t1, x0, t0, level)
        gap = rate_difference(x1, t1, x0, t0, level)
    return [
        Comparison(
            one=_keys(one),
            other=_keys(other),
            ratio=float(ratio[at]),
            ratio_lower=float(low[at]),
            ratio_upper=float(high[at]),
            one_sided=bool(one_sided[at]),
            difference=float(per[at] * gap.value[at]),
            difference_lower=float(per[at] * gap.lower[at]),
            difference_upper=float(per[at] * gap.upper[at]),
            unit=str(one["unit"]),
            level=level,
            method=OWN if more else METHOD,
        )
        for at, (one, other) in enumerate(pairs)
    ]


def _limits(parts: Sequence[Row], whole: Row) -> dict[str, float]:
    """Limits of the rate of several groups together, from those of each as of independent ones (MOVER)."""
    years, per = whole["denominator"], _per(parts[0])
    value = per * whole["n"] / years
    weight = [row["denominator"] / years for row in parts]
    below = np.linalg.norm([w * (row["value"] - row["lower"]) for w, row in zip(weight, parts, strict=True)])
    above = np.linalg.norm([w * (row["upper"] - row["value"]) for w, row in zip(weight, parts, strict=True)])
    return {"lower": max(value - float(below), 0.0), "upper": value + float(above)}


def _per(row: Row) -> float:
    """People that a rate is per, from its unit `per 100 000`."""
    return float(str(row["unit"]).removeprefix("per ").replace(" ", ""))
