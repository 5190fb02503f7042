"""What an estimate needs from the engine: outcomes as SQL, and the sums of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from safercities.engine.exact import Sum
from safercities.engine.sql import quote
from safercities.model.errors import SafercitiesError, problem
from safercities.sampling.spec import Missing
from safercities.sampling.sql import WEIGHT, SqlTable, Term, Value
from safercities.sampling.statistics import Kind, Statistic
from safercities.sampling.sums import Variable

#: Sums of squares may lose the last bits of the smallest terms: they only say how large the design effect is.
SQUARE_DIGITS = 3
_NO_ROWS = np.zeros(0)
_NO_PLACES = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Bundle:
    """All sums that one statistic needs, by the names that the estimators call them."""

    values: tuple[Value, ...]
    terms: dict[str, Term]
    sums: dict[str, Sum]


@dataclass(frozen=True)
class Draft:
    """An outcome, its denominator and who did not answer, as values of which nothing is known yet."""

    name: str
    among: str
    by: str
    x: Value
    d: Value | None
    unanswered: Value

    @property
    def values(self) -> tuple[Value, ...]:
        """All of them."""
        return tuple(one for one in (self.x, self.d, self.unanswered) if one is not None)


def draft(table: SqlTable, name: str, by: str | None, asked: str | None, missing: Missing, among: str) -> Draft:
    """SQL for an outcome: x where it counts, else nothing."""
    x = table.number(name)
    d = None if by is None else table.number(by)
    unknown = f"({x}) IS NULL" + ("" if d is None else f" OR ({d}) IS NULL")
    asks = asked or "1 = 1"
    counts, gap = f"({asks}) AND NOT ({unknown})", f"({asks}) AND ({unknown})"
    if missing == "no":
        counts, gap = asks, "1 = 0"
        x, d = f"COALESCE({x}, 0E0)", d and f"COALESCE({d}, 0E0)"

    def where(condition: str, text: str) -> Value:
        return table.value(f"CASE WHEN {condition} THEN {text} END")

    return Draft(name, among, by or "", where(counts, x), where(counts, d) if d else None, where(gap, "1E0"))


def _refuse(table: SqlTable, kind: Kind, one: Draft, missing: Missing) -> None:
    """What may not be in an outcome."""
    said: dict[str, Any] = {"file": table.file, "column": one.name, "name": one.name}
    facts, gaps = table.facts[one.x.name], table.facts[one.unanswered.name].known
    if gaps and missing == "fail":
        raise SafercitiesError(problem("survey-answers-missing", **said, rows=gaps))
    for value, name in ((one.x, one.name), (one.d, one.by)):
        if value and (infinite := table.facts[value.name].infinite):
            raise SafercitiesError(problem("survey-infinite", file=table.file, column=name, name=name, rows=infinite))
    if kind == "proportion" and not facts.binary:
        raise SafercitiesError(problem("survey-not-zero-one", **said, rows=facts.other))


def finished(table: SqlTable, kind: Kind, one: Draft, missing: Missing) -> tuple[Bundle, Statistic]:
    """A statistic, and the sums that it needs, now that the facts of its values are known."""
    _refuse(table, kind, one, missing)
    facts, gaps, x = table.facts[one.x.name], table.facts[one.unanswered.name].known, one.x.name
    label = f"{one.name} of {one.among} {missing}" + (f" by {one.by}" if one.d else "")
    binary = facts.binary and one.d is None
    some = None if facts.known == table.rows else f"{quote(x)} IS NOT NULL"
    base = Variable("weights:" + ("" if some is None else x), None, _NO_ROWS)
    terms = {WEIGHT: table.product([])}
    sums = {base.name: Sum(WEIGHT, some), f"n:{base.name}": Sum(None, some)}
    variable = Variable(f"x:{label}", None, _NO_ROWS)
    sums[f"positive:{variable.name}"] = Sum(None, f"{quote(x)} > 0")
    if gaps:
        sums[f"unanswered:{variable.name}"] = Sum(None, f"{quote(one.unanswered.name)} IS NOT NULL")
    if binary:
        sums[variable.name] = Sum(WEIGHT, f"{quote(x)} = 1")
    else:
        terms[f"t{x}"] = table.product([x])
        sums[variable.name] = Sum(f"t{x}", None)
    below = base
    if one.d is not None:
        below = Variable(f"d:{label}", None, _NO_ROWS)
        terms[f"t{one.d.name}"] = table.product([one.d.name])
        sums[below.name] = Sum(f"t{one.d.name}", None)
    bundle = Bundle(one.values, terms, sums)
    centre = 0.0
    if not binary:
        centre, bundle = _with_squares(table, one, bundle, variable, below)
    squares = tuple(_NO_ROWS for name in bundle.sums if name.startswith("square"))
    statistic = Statistic(
        one.name,
        kind,
        variable,
        below,
        base,
        _NO_PLACES,
        np.zeros(min(gaps, 1), dtype=np.int64),
        binary,
        facts.below,
        centre,
        squares,
    )
    return bundle, statistic


def _with_squares(table: SqlTable, one: Draft, bundle: Bundle, x: Variable, d: Variable) -> tuple[float, Bundle]:
    """The mean of all, and the bundle with sums of squares around it."""
    whole = table.sums([], bundle.values, bundle.terms, {name: bundle.sums[name] for name in (x.name, d.name)})
    above, below = (float(whole.column(name).to_numpy().sum()) for name in (x.name, d.name))
    centre = above / below if below else 0.0
    size = f"{centre:.17e}".replace("e", "E")
    e = table.value(f"({one.x.text}) - ({size})" + (f" * ({one.d.text})" if one.d else ""))
    table.learn([e])
    pairs = [(e, e)] if one.d is None else [(e, e), (e, one.d), (one.d, one.d)]
    terms, sums = dict(bundle.terms), dict(bundle.sums)
    for number, (left, right) in enumerate(pairs):
        name = f"t{left.name}{right.name}"
        terms[name] = table.product([left.name, right.name], SQUARE_DIGITS)
        sums[f"square{number}:{x.name}/{d.name}"] = Sum(name, None)
    return centre, Bundle((*bundle.values, e), terms, sums)
