"""What publishing did to a number: how much less sure it is by rounding, and under which rules it came out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.measure import rates
from safercities.measure.breakdown import COUNT, joined
from safercities.measure.members import COUNTED
from safercities.measure.rewrite import numbers, replaced
from safercities.measure.rows import ROUNDED
from safercities.model.estimates import Estimates

Floats = NDArray[np.float64]
#: What the method of a published number ends with; the rules follow.
UNDER = "; published under: "
#: Said of numbers in which the error of rounded counts cannot be worked out.
NOT_IN = "the rounding of counts before publication is not in its interval"
#: What the methods of crude rates begin with, with whatever interval.
_CRUDE = "crude rate"
#: Values are not rounded to more than so many standard errors: rates, and results of surveys.
COARSEST = (1.25, 4.0)
#: Decimals, and noughts before the point, beyond which a number was not rounded for show.
_DECIMALS = 6


@dataclass(frozen=True)
class Rules:
    """The rules under which somebody published.

    Parameters
    ----------
    name
        For people, as `rounding, k = 5`. Numbers under different rules are never mixed.
    cases
        Standard deviation of the error that protection puts into a count of cases; 0 where counts are exact.
    """

    name: str
    cases: float = 0.0


def widened(rows: Estimates, rules: Rules) -> Estimates:
    """Published numbers with the error of publishing in their standard error and limits, and the rules in `method`.

    - A value that is a multiple of 1, 2 or 5 · 10^e was rounded to that, and is off by up to half of it: the variance
      of that is a twelfth of its square. Of several such units the widest one is taken that somebody would round to
      with this standard error (`COARSEST`). Standard errors are published as they are, or rounded up.
    - Under rounding of small counts, numbers whose method says that they hold it (`ROUNDED`) get nothing more for it.
      Of the others, a count is off by the error of `rules.cases`, a crude rate by that over its denominator; what else
      is made of such counts is off by what cannot be worked out, which the note says. Counts and crude rates hold it
      all now, whoever widened them: their methods no longer say it, so that they are of one series.
    - Limits keep their form: the added error is put to the distance of each as in MOVER. Those of surveys (rows with
      `df`) stay: they hold already every value that would be shown so. `n` and `n_positive` may be those of bands: they
      are shown, and nothing is computed from them.

    Rows that say already under which rules they came out (aggregates of others' releases) stay as they are.

    Examples
    --------
    >>> row = {"indicator": "i", "place": "p", "period": "2020", "method": "crude rate", "unit": "per 100 000"}
    >>> row |= {"value": 4.0, "se": 0.6, "lower": 2.9, "upper": 5.4, "level": 0.95, "denominator": 1e6}
    >>> found = widened(Estimates.from_rows([row]), Rules("rounding, k = 5", 5.0)).only()
    >>> round(found["se"], 2), round(found["lower"], 2), round(found["upper"], 2), found["method"]
    (0.79, 2.5, 5.73, 'crude rate; published under: rounding, k = 5')
    """
    table = rows.table
    method = pc.fill_null(table.column("method"), "")
    fresh = np.asarray(pc.invert(pc.match_substring(method, UNDER)).to_numpy(), dtype=bool)
    counted = np.asarray(pc.is_in(table.column("unit"), pa.array(COUNTED)).to_numpy(), dtype=bool)
    protection = _protection(table, method, counted, rules)
    unknown = fresh & np.isnan(protection)
    added = np.where(fresh, np.nan_to_num(protection) ** 2 + np.where(counted, 0.0, _shown(table)), 0.0)
    value, level = numbers(table, "value"), numbers(table, "level")
    columns = {"se": np.sqrt(numbers(table, "se") ** 2 + added)}
    error = np.sqrt(np.where(pc.is_valid(table.column("df")).to_numpy(), 0.0, added))
    given = rates.widened(value, numbers(table, "lower"), numbers(table, "upper"), error, level)
    columns |= {"lower": given.lower, "upper": given.upper}
    ends = np.where(fresh, UNDER + rules.name, "")
    alike = fresh & (rules.cases > 0) & _of_counts(method, counted)
    names = [
        one.removesuffix(ROUNDED) if same else one for one, same in zip(method.to_pylist(), alike.tolist(), strict=True)
    ]
    methods = [one + str(end) for one, end in zip(names, ends, strict=True)]
    notes = [joined(NOT_IN if one else "") for one in unknown.tolist()]
    return replaced(table, {**columns, "method": methods}, notes=notes)


def _protection(table: pa.Table, method: pa.ChunkedArray, counted: NDArray[np.bool_], rules: Rules) -> Floats:
    """Standard deviation of the error of each number by the protection of counts; NaN where it is not known."""
    if not rules.cases:
        return np.zeros(table.num_rows)
    held = np.asarray(pc.ends_with(method, ROUNDED).to_numpy(), dtype=bool)
    count = counted & np.asarray(pc.equal(method, COUNT).to_numpy(), dtype=bool)
    crude = np.asarray(pc.starts_with(method, _CRUDE).to_numpy(), dtype=bool)
    survey = np.asarray(pc.is_valid(table.column("df")).to_numpy(), dtype=bool)
    years = numbers(table, "denominator")
    per = np.array([per_of(unit) for unit in table.column("unit").to_pylist()])
    rate = np.where(crude & (years > 0), per * rules.cases / np.where(years > 0, years, np.nan), np.nan)
    return np.where(survey | held, 0.0, np.where(count, rules.cases, rate))


def _of_counts(method: pa.ChunkedArray, counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Counts and crude rates, whose error by rounding is known where the rules are."""
    count = counted & np.asarray(pc.is_in(method, pa.array([COUNT, COUNT + ROUNDED])).to_numpy(), dtype=bool)
    return np.asarray(count | np.asarray(pc.starts_with(method, _CRUDE).to_numpy(), dtype=bool), dtype=bool)


def per_of(unit: str | None) -> float:
    """Of how many a rate speaks; NaN where the unit is none of a rate.

    Examples
    --------
    >>> per_of("per 100 000"), per_of("%")
    (100000.0, nan)
    """
    digits = "".join(one for one in unit or "" if one.isdecimal())
    return float(digits) if digits and (unit or "").startswith("per ") else float("nan")


def _shown(table: pa.Table) -> Floats:
    """Variance that the rounding of values for show adds."""
    survey = pc.is_valid(table.column("df")).to_numpy()
    value, widest = np.abs(numbers(table, "value")), np.where(survey, *COARSEST[::-1]) * numbers(table, "se")
    unit = np.zeros(len(value))
    for power, digit in product(range(-_DECIMALS, _DECIMALS + 1), (1, 2, 5)):
        one = digit * 10.0**power
        often = value / one
        multiple = np.abs(often - np.round(often)) <= 1e-9 * np.maximum(often, 1.0)
        unit[multiple & (one <= widest)] = one
    return unit**2 / 12
