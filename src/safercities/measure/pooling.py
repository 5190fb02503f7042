"""Larger places from published numbers only: whom each number stands for, standardised rates, random-effects means."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import special

from safercities.measure import standards
from safercities.measure.gathered import COMPLETE, LASTING, MEAN, Work, aggregated, keyed, lacking, prepared, table_of
from safercities.measure.heterogeneity import Between, Summary, random_effects, usable
from safercities.measure.members import APART, COUNTED, Denominators, grouped, split
from safercities.measure.published import NOT_IN, per_of
from safercities.measure.rewrite import numbers
from safercities.measure.rows import FEW
from safercities.measure.upward import GATE
from safercities.model import quality
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import KEYS, TOTAL, UNKNOWN, Estimates
from safercities.places.hierarchy import Hierarchy

Floats = NDArray[np.float64]
#: What the methods of these rows begin with; what they are made of follows.
RANDOM = "random-effects mean of members ("
PREDICTION = "random-effects prediction for a further member ("
STANDARDISED = "directly standardised ("
_BETWEEN = {"paule-mandel": "Paule–Mandel", "dersimonian-laird": "DerSimonian–Laird"}
#: Cases that stand for none on a logarithmic scale.
_HALF = 0.5


# -- whom a number stands for --------------------------------------------------------------------------------------


def bases(
    rows: Estimates,
    members: Sequence[str],
    people: Callable[[str, str], float],
    *,
    own: Collection[str] = (),
) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Denominators for `upward.aggregate` and `summaries`, worked out from what the members published themselves.

    A number for all, or a count, stands for the people of its place. A rate or share for a group of people (of a
    breakdown, or of victims) stands for the `denominator` that was published with it; a member without data in that
    series is taken to have the same share of such people as those with data have together, so that coverage is the
    share of all people.

    Parameters
    ----------
    rows
        Estimates of the members; `source` is the kind.
    members
        Every member, with data or without.
    people
        (place, period) → people; NaN where it is not known.
    own
        Indicators whose value is over some of the people only.

    Returns
    -------
    table, usable
        The denominators; and which rows can be aggregated, shape (rows,): of the others a denominator is missing.

    Examples
    --------
    >>> row = {"indicator": "i", "period": "2020", "sex": "F", "unit": "%", "method": "m"}
    >>> rows = Estimates.from_rows([{**row, "place": "a", "value": 10.0, "denominator": 60.0}])
    >>> table, usable = bases(rows, ["a", "b"], lambda place, period: {"a": 100.0, "b": 50.0}[place])
    >>> table.select(["place", "n"]).to_pylist(), usable.tolist()
    ([{'place': 'a', 'n': 60.0}, {'place': 'b', 'n': 30.0}], [True])
    """
    table = keyed(rows.table, {})
    keys = (*APART, "period", *rows.dimensions)
    group, first = grouped(table, keys)
    heads = table.select(list(keys)).take(pa.array(first)).to_pylist()
    published, again = _published(rows.table, group, len(heads), members)
    whole = {period: np.array([people(one, period) for one in members]) for period in {h["period"] for h in heads}}
    made: dict[str, list[Any]] = {name: [] for name in ("place", *keys, "n")}
    good = np.ones(len(heads), dtype=bool)
    for at, head in enumerate(heads):
        everybody, some = whole[head["period"]], published[at]
        part = head["indicator"] in own or any(head[name] != TOTAL for name in rows.dimensions)
        part = part and head["unit"] not in COUNTED  # sums need no weights
        # an aggregate may know of more people than its release says: it stands for those
        held = _shares(some, everybody) if part else np.where(again[at], np.fmax(everybody, some), everybody)
        good[at] = bool(np.all(np.isfinite(held) & (held >= 0)))
        if good[at]:
            made["place"] += members
            made["n"] += held.tolist()
            for name in keys:
                made[name] += [head[name]] * len(members)
    columns = {name: pa.array(values, pa.float64() if name == "n" else pa.string()) for name, values in made.items()}
    return pa.table(columns), good[group]


def _published(
    table: pa.Table, group: NDArray[np.int64], size: int, members: Sequence[str]
) -> tuple[Floats, NDArray[np.bool_]]:
    """People that each value is over, by series and member, −1 where it is not said, NaN where there is no value.

    Those of an aggregate hold for its members with data: its coverage tells of all. Second: what is an aggregate.
    """
    coverage, value = numbers(table, "coverage"), numbers(table, "value")
    again = aggregated(table)
    base = numbers(table, "denominator") / np.where(again & (coverage > 0), coverage, 1.0)
    base = np.where(np.isfinite(base) & (base > 0), base, -1.0)
    position = {one: at for at, one in enumerate(members)}
    member = np.array([position.get(one, -1) for one in table.column("place").to_pylist()], dtype=np.int64)
    there = np.isfinite(value) & (member >= 0)
    published, repeated = np.full((size, len(members)), np.nan), np.zeros((size, len(members)), dtype=bool)
    published[group[there], member[there]] = base[there]
    repeated[group[there], member[there]] = (again & (base > 0))[there]
    return published, repeated


def _shares(published: Floats, people: Floats) -> Floats:
    """Whom each member stands for in a series of a part of the people; −1 where it does not say so."""
    there = np.isfinite(published)
    if not there.any():
        return people
    everybody = float(people[there].sum())
    share = float(published[there].sum()) / everybody if everybody else float("nan")
    return np.where(there, published, share * people)


# -- standardised rates --------------------------------------------------------------------------------------------


def standardised(rows: Estimates, standard: str) -> Estimates:
    """Directly age-standardised rates from published rates by age: Σ w r, w being the shares of a standard population.

    Published numbers are protected, so that there are no cases and person-years to make gamma (Fay–Feuer) intervals of:
    the distances of the limits of the rates by age are put together (MOVER), each with its weight. A rate that is
    withheld makes the whole one missing; it never counts as zero.

    Parameters
    ----------
    rows
        Crude rates by age, of members or (denominator-weighted) of a larger place. Other rows are passed over.
    standard
        `who` or `segi`.

    Raises
    ------
    UsageError
        If there is no such standard population.

    Source: Donner & Zou (2012), Closed-form confidence intervals for functions of the normal mean and standard
    deviation, Statistical Methods in Medical Research 21: 347–359 (MOVER for a linear function).

    Examples
    --------
    >>> row = {"indicator": "i", "place": "p", "period": "2020", "unit": "per 100 000", "method": "crude rate"}
    >>> rates = {"Y0T14": 1.0, "Y15T34": 20.0, "Y_GE35": 10.0}
    >>> rows = Estimates.from_rows([{**row, "age": age, "value": rate} for age, rate in rates.items()])
    >>> round(standardised(rows, "segi").only()["value"], 2)
    10.31
    """
    label = standards.standard_population(standard).label
    if "age" not in rows.dimensions:
        return Estimates.empty(rows.dimensions)
    crude = pc.match_substring_regex(pc.fill_null(rows.table.column("method"), ""), rf"^({re.escape(MEAN)})?crude rate")
    ages = pc.invert(pc.is_in(rows.table.column("age"), pa.array([TOTAL, UNKNOWN])))
    table = rows.table.filter(pc.and_(crude, pc.and_(ages, pc.starts_with(rows.table.column("unit"), "per "))))
    keys = (*(name for name, _ in KEYS), *(d for d in rows.dimensions if d != "age"), "source", "unit", "method")
    group, first = grouped(table, keys)
    made = [_standardised(table.take(pa.array(at)), standard, label, keys) for at in split(group, len(first))]
    return Estimates.from_rows(made, rows.dimensions).sort() if made else Estimates.empty(rows.dimensions)


def _standardised(part: pa.Table, standard: str, label: str, keys: Sequence[str]) -> dict[str, Any]:
    """One rate from the rates by age of one series."""
    key = part.select(list(keys)).slice(0, 1).to_pylist()[0]
    flags = {flag for words in part.column("quality").to_pylist() for flag in (words or "").split()} & LASTING
    row = {**key, "age": TOTAL, "method": f"{STANDARDISED}{label}), MOVER interval; of: {key['method']}"}
    ages = part.column("age").to_pylist()
    try:
        weight = standards.weights(standard, ages)
    except SafercitiesError:
        return row | {"obs_status": "O", "note": "not standardised: the age groups that are published do not fit"}
    weight = weight / weight.sum()
    value, level = numbers(part, "value"), numbers(part, "level")
    lacking = [age for age, one in zip(ages, value.tolist(), strict=True) if not np.isfinite(one)]
    if lacking or "unknown_share" in flags:
        why = f"no rate for {', '.join(sorted(lacking))}" if lacking else "more than 5 % of the cases lack the age"
        return row | {"obs_status": "O", "quality": quality.join(*flags), "note": f"not standardised: {why}"}
    mean = float(weight @ value)

    def together(distance: Floats) -> float:
        return float(np.sqrt(((weight * distance) ** 2).sum()))

    limits = {
        "lower": mean - together(value - numbers(part, "lower")),
        "upper": mean + together(numbers(part, "upper") - value),
        "level": float(level[0]) if np.all(level == level[0]) else float("nan"),
    }
    known = all(np.isfinite(one) for one in limits.values())
    cases = {name: _sum(part, name) for name in ("n", "n_positive", "denominator")}
    few = cases["n_positive"] is not None and cases["n_positive"] < FEW
    statuses = {"U"} & set(part.column("obs_status").to_pylist()) if not few else {"U"}
    row |= {"value": mean, "se": _or_none(together(numbers(part, "se"))), "coverage": _least(part, "coverage")}
    row |= {name: (one if known else None) for name, one in limits.items()}
    row |= {name: one if one is None or name == "denominator" else int(one) for name, one in cases.items()}
    return row | {
        "obs_status": "U" if statuses and (few or flags & {"partial_period"}) else "A",
        "quality": quality.join(*flags, "few_cases" if few else ""),
    }


def _sum(part: pa.Table, name: str) -> float | None:
    return _or_none(float(numbers(part, name).sum()))


def _least(part: pa.Table, name: str) -> float | None:
    return _or_none(float(numbers(part, name).min()))


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


# -- random-effects means ------------------------------------------------------------------------------------------


def summaries(
    members: Estimates,
    tree: Hierarchy,
    denominators: Denominators,
    level: str,
    *,
    of: str | None = None,
    kinds: Mapping[str, str] | None = None,
    gate: float = GATE,
    between: Between = "paule-mandel",
    confidence: float = 0.95,
) -> Estimates:
    """What the members of larger places are like on average, whatever their size, and where a further one would lie.

    Two rows for each series: the mean with its Hartung–Knapp interval, and the same value with the prediction interval
    (from three members on). Rates are taken on the logarithmic scale, shares on that of log-odds, others as they are;
    value and limits are taken back, so that the mean of rates is a geometric one. Such means have no standard error.
    `df` is the number of members less one. Counts have no such mean. A member without a case has the rate of half a
    case, with its wide error; a share of 0 or 100 % has no log-odds: it is left out, as is a member without standard
    error. The note counts them, and `coverage` and gate are of those that are in it.

    Parameters, mixing, smoothed rows and errors are those of `upward.aggregate`.

    Examples
    --------
    >>> from safercities.model.places import Place
    >>> tree = Hierarchy([Place("X", "X", "country"), *(Place(c, c, "city", "X") for c in "abc")])
    >>> row = {"indicator": "i", "period": "2020", "unit": "score", "method": "m", "se": 0.1}
    >>> rows = Estimates.from_rows([{**row, "place": c, "value": v} for c, v in [("a", 1.0), ("b", 2.0), ("c", 4.5)]])
    >>> found = summaries(rows, tree, {(c, "2020"): 1e6 for c in "abc"}, "country").rows()
    >>> [(round(one["value"], 2), round(one["lower"], 1), round(one["upper"], 1)) for one in found]
    [(2.5, -2.0, 7.0), (2.5, -6.4, 11.4)]
    """
    averaged = pc.invert(pc.is_in(members.table.column("unit"), pa.array(COUNTED)))
    work = prepared(Estimates(members.table.filter(averaged)), tree, denominators, level, of, kinds or {})
    y, se, scales = _scaled(work)
    used = usable(y, se)
    groups = split(work.group, len(work.first))
    found = [random_effects(y[at], se[at], level=confidence, between=between) for at in groups]
    given = np.array([one.members >= 2 for one in found], dtype=bool) & (work.covered(used)[1] >= gate)
    both = [
        _summary_rows(work, found, scales, used, given, gate, _BETWEEN[between], further) for further in (False, True)
    ]
    return Estimates.concat(both).sort()


def _scaled(work: Work) -> tuple[Floats, Floats, list[str]]:
    """Values and standard errors on the scale of their unit, and the scale of each series."""
    value, se = work.numbers("value"), work.numbers("se")
    units = work.table.column("unit").to_pylist()
    scale = np.array([_scale(unit) for unit in units], dtype=object)
    log, logit = scale == "log", scale == "log-odds"
    top = np.array([100.0 if unit == "%" else 1.0 for unit in units])
    per = np.array([per_of(unit) for unit in units])
    base = work.numbers("denominator")
    base = np.where(np.isfinite(base), base, work.held)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(log & (value == 0) & (base > 0), _HALF * per / base, np.nan)
        rate = np.where(np.isfinite(half), half, value)
        # of half a case: its own error, and what publishing may have done to a zero
        error = np.where(np.isfinite(half), np.sqrt(1 / _HALF + (se / half) ** 2), se / rate)
        share = value / top
        y = np.where(log, np.log(rate), np.where(logit, np.log(share / (1 - share)), value))
        s = np.where(log, error, np.where(logit, se / top / (share * (1 - share)), se))
    good = np.isfinite(y) & np.isfinite(s)
    return np.where(good, y, np.nan), np.where(good, s, np.nan), [_scale(unit) for unit in work.heads("unit")]


def _scale(unit: str | None) -> str:
    if (unit or "").startswith("per "):
        return "log"
    return "log-odds" if unit in ("%", "proportion") else "plain"


def _back(values: Floats, scales: Sequence[str], units: Sequence[str | None]) -> Floats:
    """From the scale back to the unit."""
    scale, top = np.array(scales, dtype=object), np.array([100.0 if unit == "%" else 1.0 for unit in units])
    with np.errstate(over="ignore"):
        return np.where(
            scale == "log", np.exp(values), np.where(scale == "log-odds", top * special.expit(values), values)
        )


def _summary_rows(
    work: Work,
    found: Sequence[Summary],
    scales: Sequence[str],
    used: NDArray[np.bool_],
    given: NDArray[np.bool_],
    gate: float,
    between: str,
    further: bool,
) -> Estimates:
    """The rows of the means, or (`further`) of the predictions."""
    units = work.heads("unit")
    names = ("mean", "low", "high") if further else ("mean", "lower", "upper")
    value, lower, upper = (
        np.where(given, _back(np.array([getattr(one, name) for one in found]), scales, units), np.nan) for name in names
    )
    plain = np.array([scale == "plain" for scale in scales], dtype=bool)
    measures = {
        "value": value,
        "lower": lower,
        "upper": upper,
        "level": np.where(np.isfinite(lower), [one.level for one in found], np.nan),
        "se": np.where(given & plain & (not further), [one.se for one in found], np.nan),
        "df": np.where(given, [one.members - 1.0 for one in found], np.nan),
    }
    begin = PREDICTION if further else RANDOM
    methods = [
        f"{begin}{between}, Hartung–Knapp, {scale} scale); of: {head}"
        for scale, head in zip(scales, work.heads("method"), strict=True)
    ]
    shares = work.covered(used)[1].tolist()
    narrow = (lacking(work, used) & given).tolist()
    notes = [_note(*each, gate) for each in zip(found, shares, given.tolist(), strict=True)]
    notes = [f"{note}; {NOT_IN}" if less else note for note, less in zip(notes, narrow, strict=True)]
    keep = np.array([one.members >= 3 for one in found], dtype=bool) & given if further else np.ones(len(found), bool)
    made = table_of(work, measures, used, given, methods=methods, notes=notes)
    return Estimates(made.table.filter(pa.array(keep, pa.bool_())))


def _note(summary: Summary, coverage: float, given: bool, gate: float) -> str:
    share = f"members in it hold {100 * coverage:.3g} % of the denominator"
    left = f"{summary.left_out} left out: no value, no standard error, or at the end of the scale"
    parts = [
        f"average of {summary.members} members, not of their people" if given else "",
        "" if given or summary.members >= 2 else "not published: fewer than two members with a standard error",
        "" if given or coverage >= gate else f"not published: {share}, less than {100 * gate:g} %",
        share if given and coverage < COMPLETE else "",
        left if summary.left_out else "",
        f"τ² = {summary.tau2:.3g}, I² = {100 * summary.i2:.0f} %, Q = {summary.q:.3g} (p = {summary.p:.2g})"
        if given
        else "",
    ]
    return "; ".join(part for part in parts if part)
