"""The direct survey estimates of a table, read for their protection: what each rests on, and which belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.disclose.survey_leaves import Key
from safercities.model.dimensions import TOTAL
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import Estimates
from safercities.sampling.rows import NAMES

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: share: of people who are cases; incidence: events of people who had some; number: means and ratios of amounts.
Kind = Literal["share", "incidence", "number"]
#: Minimum count: one, one for each row, or what gives one for each row.
Minimum = int | NDArray[np.int64] | Callable[[Estimates], NDArray[np.int64]]
#: First words of the methods of direct estimates (`sampling.rows`).
_DIRECT = ("proportion", "mean", "ratio", "total")
_NUMBERS = ("value", "se", "lower", "upper", "level", "df", "deff", "denominator")
_INTERVALS = {label: name for name, label in NAMES.items()}


@dataclass(frozen=True)
class Domain:
    """One indicator in one part of one wave's respondents.

    Parameters
    ----------
    series
        Source, period, indicator, version.
    key
        Place, then codes of the dimensions.
    row
        Position of the row of its share or mean, −1: none.
    totals, others
        Positions of rows of numbers of people or events; and of further forms of the same estimate.
    """

    series: tuple[str, str, str, str]
    key: Key
    row: int
    totals: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of all rows, shape (rows,), and the domains of the direct ones.

    `n` and `x` are −1 where they are not known. `least_n` is what the publication rules ask for, and the minimum.
    """

    value: Floats
    se: Floats
    lower: Floats
    upper: Floats
    level: Floats
    df: Floats
    deff: Floats
    denominator: Floats
    n: Integers
    x: Integers
    minimum: Integers
    least_n: Integers
    least_x: Integers
    per: Floats
    refused: Mask
    kind: NDArray[np.str_]
    interval: tuple[str, ...]
    method: tuple[str, ...]
    domains: tuple[Domain, ...]


def read(estimates: Estimates, minimum: Minimum) -> Table:
    """The rows of the estimates table as arrays.

    Raises
    ------
    UsageError
        If the minimum is not one number of 2 or more, or one for each row.
    """
    table = estimates.table
    texts = {name: table.column(name).to_pylist() for name in ("unit", "method", "scheme", "verdict")}
    least = _minimum(estimates, minimum)
    words = [str(method or "").split(", ") for method in texts["method"]]
    kind = np.array([_kind(word[0], str(unit)) for word, unit in zip(words, texts["unit"], strict=True)], dtype="<U9")
    asked = {name: _asked(name) for name in set(texts["scheme"]) if name}
    rules = np.array([asked.get(name, (0, 0)) for name in texts["scheme"]], dtype=np.int64).reshape(-1, 2)
    numbers = {name: _floats(table, name) for name in _NUMBERS}
    return Table(
        **numbers,
        n=_counts(table, "n"),
        x=_counts(table, "n_positive"),
        minimum=least,
        least_n=np.maximum(least, rules[:, 0]),
        least_x=np.maximum(least, rules[:, 1]),
        per=np.array([_per(str(unit)) for unit in texts["unit"]]),
        refused=np.array([verdict == "withhold" for verdict in texts["verdict"]], dtype=bool),
        kind=kind,
        interval=tuple(_INTERVALS.get(word[-1].removesuffix(" interval"), "") for word in words),
        method=tuple(word[0] for word in words),
        domains=_domains(estimates, kind, [word[0] for word in words]),
    )


def _minimum(estimates: Estimates, minimum: Minimum) -> Integers:
    given = minimum(estimates) if callable(minimum) else minimum
    values = np.asarray(given)
    if values.dtype.kind not in "iu" or values.shape not in ((), (len(estimates),)) or np.any(values < 2):
        raise UsageError(problem("survey-minimum-wrong", given=repr(given)[:60]))
    return np.array(np.broadcast_to(values, (len(estimates),)), dtype=np.int64)


def _kind(word: str, unit: str) -> str:
    """Empty: no direct estimate. Totals take the kind of their share or mean."""
    if word not in _DIRECT:
        return ""
    if word == "proportion":
        return "share"
    return "incidence" if word == "mean" and unit.startswith("per ") else "number"


def _per(unit: str) -> float:
    """How many people a value is per: 100 of `%`, 1000 of `per 1 000`, else 1."""
    digits = unit.removeprefix("per ").replace(" ", "").replace("\u202f", "").replace("\xa0", "")
    return (
        100.0
        if unit == "%"
        else float(digits)
        if unit.startswith("per ") and digits.isascii() and digits.isdigit()
        else 1.0
    )


def _asked(scheme: str) -> tuple[int, int]:
    """Respondents and cases that publication rules ask for: who knows the rules knows that there were as many."""
    from safercities.sampling.rules import find_scheme

    n, x = 0.0, 0.0
    for rule in find_scheme(scheme).rules:
        if rule.verdict != "withhold" or rule.below is None or rule.where or rule.at_least is not None:
            continue
        n = max(n, rule.below) if rule.measure in ("n", "n_effective") else n
        x = max(x, rule.below) if rule.measure == "n_positive" else x
    return int(np.ceil(max(n, x))), int(np.ceil(x))


def _domains(estimates: Estimates, kind: NDArray[np.str_], word: list[str]) -> tuple[Domain, ...]:
    """Rows that rest on the same respondents and cases, together."""
    table, dimensions = estimates.table, estimates.dimensions
    series = [table.column(name).to_pylist() for name in ("source", "period", "indicator", "version")]
    keys = [table.column(name).to_pylist() for name in ("place", *dimensions)]
    found: dict[tuple[tuple[str, ...], Key], list[int]] = {}
    for at in np.flatnonzero(kind != "").tolist():
        own = tuple(str(column[at] or "") for column in series), tuple(str(column[at] or TOTAL) for column in keys)
        found.setdefault(own, []).append(at)
    made = []
    for (of, key), rows in found.items():
        totals = tuple(at for at in rows if word[at] == "total")
        first, *others = [*(at for at in rows if word[at] != "total"), -1]
        source, period, indicator, version = of
        rest = tuple(at for at in others if at >= 0)
        made.append(Domain((source, period, indicator, version), key, first, totals, rest))
    return tuple(made)


def _floats(table: object, name: str) -> Floats:
    column = table.column(name)  # type: ignore[attr-defined]
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _counts(table: object, name: str) -> Integers:
    column = pc.fill_null(table.column(name), -1)  # type: ignore[attr-defined]
    return np.asarray(column.to_numpy(), dtype=np.int64)
