"""Survey results as rows of the estimates table: intervals, flags, and what the publication rules say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.model.estimates import KEYS, TOTAL, Estimates, schema
from safercities.model.flags import BIT, bits, words
from safercities.sampling import intervals
from safercities.sampling.estimators import Result
from safercities.sampling.statistics import Statistic
from safercities.sampling.sums import Cells
from safercities.sampling.units import Floats

if TYPE_CHECKING:
    from safercities.sampling.replicates import Replicates

#: A smaller share of usable answers is flagged.
ANSWERED_ENOUGH = 0.95
LINEARISED = "Taylor linearisation"
#: Interval of proportions and level that publication rules speak of, whatever is shown.
JUDGED_BY = ("korn-graubard", 0.95)
ON_LOGARITHM = "interval on the logarithm: Student's would reach below 0"
NAMES = {
    "korn-graubard": "Korn–Graubard",
    "logit": "logit",
    "wilson": "Wilson",
    "clopper-pearson": "Clopper–Pearson",
    "student": "Student",
}


@dataclass(frozen=True)
class Presentation:
    """How results are shown.

    Parameters
    ----------
    interval, level, df
        Interval of proportions, confidence level, rule for degrees of freedom.
    per
        Values are per so many people.
    scheme
        Publication rules; None: none.
    design_df
        Degrees of freedom of the whole design.
    """

    interval: str
    level: float
    df: str
    per: float
    scheme: str | None
    design_df: float


@dataclass(frozen=True)
class _Part:
    """The domains of one statistic in one breakdown, and the design effect of the statistic over everybody."""

    cells: Cells
    statistic: Statistic
    result: Result
    deff_of_all: float


def rows(
    found: Sequence[tuple[Cells, Statistic, Result]],
    combinations: Sequence[tuple[str, ...]],
    shown: Presentation,
    *,
    replicates: Replicates | None = None,
) -> Estimates:
    """Estimates of the breakdowns that were asked for, in that order; statistics in theirs.

    `found` must hold the breakdown () of each statistic: cells without a case borrow its design effect.
    """
    everybody = {id(one): float(result.deff[0]) for cells, one, result in found if not cells.axes}
    by_names = {(cells.names, id(one)): (cells, one, result) for cells, one, result in found}
    order = list(dict.fromkeys(id(one) for _, one, _ in found))
    parts = [_Part(*by_names[names, one], everybody[one]) for names in combinations for one in order]
    dimensions = list(dict.fromkeys(name for names in combinations for name in names))
    return _table(parts, dimensions, shown, way_of(replicates))


def way_of(replicates: Replicates | None) -> str:
    """How variances are made, in the words of `method`."""
    return LINEARISED if replicates is None else f"{replicates.kind} replicates"


def _table(parts: Sequence[_Part], dimensions: Sequence[str], shown: Presentation, way: str) -> Estimates:
    def joined(take: Callable[[_Part], NDArray]) -> NDArray:  # type: ignore[type-arg]
        return np.concatenate([take(part) for part in parts]) if parts else np.zeros(0)

    sizes = [part.cells.size for part in parts]
    value, se = joined(lambda p: p.result.value), joined(lambda p: p.result.se)
    n, positive = joined(lambda p: p.result.n), joined(lambda p: p.result.n_positive)
    psus, strata = joined(lambda p: p.result.psus), joined(lambda p: p.result.strata)
    elsewhere = np.repeat([part.deff_of_all for part in parts], sizes)
    df = (psus - strata).astype(float) if shown.df == "domain" and way == LINEARISED else None
    df = np.full(len(value), shown.design_df) if df is None else df
    kinds = np.repeat([part.statistic.kind for part in parts], sizes)
    deff = joined(lambda p: p.result.deff)
    seen = np.where(psus == 1, np.nan, se)  # from one sampling unit nothing is known of the spread between them
    made = _intervals(parts, sizes, kinds, value, seen, n, positive, df, elsewhere, deff, shown)
    lower, upper, effective, one_sided, on_logarithm = made
    answered = n / np.maximum(n + joined(lambda p: p.result.unanswered), 1)
    flags = (
        np.where(one_sided, BIT["zero_or_full"], 0)
        | np.where((kinds != "proportion") & (se == 0) & ~one_sided & (n > 0), BIT["no_spread"], 0)
        | np.where((psus == 1) & (n > 0), BIT["single_psu"], 0)
        | np.where(joined(lambda p: p.result.lonely), BIT["lonely_psu"], 0)
        | np.where((answered < ANSWERED_ENOUGH) & (n > 0), BIT["missing_answers"], 0)
    ).astype(np.int64)
    columns: dict[str, object] = {
        "value": value * shown.per,
        "se": se * shown.per,
        "lower": lower * shown.per,
        "upper": upper * shown.per,
        "level": np.full(len(value), shown.level),
        "n": pa.array(n.astype(np.int64)),
        "n_positive": pa.array(positive.astype(np.int64)),
        "denominator": joined(lambda p: p.result.denominator),
        "deff": deff,
        "df": df,
    }
    limits: dict[str, object] = {}
    if shown.scheme is not None and (shown.interval, shown.level) != JUDGED_BY:
        by = replace(shown, interval=JUDGED_BY[0], level=JUDGED_BY[1])
        low, high, *_ = _intervals(parts, sizes, kinds, value, seen, n, positive, df, elsewhere, deff, by)
        limits = {"lower": low * shown.per, "upper": high * shown.per}
    verdict, schemes, rule_flags, reasons = _judged(kinds, columns | limits, effective, shown)
    flags |= rule_flags
    unsure = BIT["single_psu"] | BIT["zero_or_full"] | BIT["no_spread"]
    doubtful = np.isin(verdict, ("warn", "withhold")) | (flags & unsure > 0)
    status = np.where(np.isnan(value), "M", np.where(doubtful, "U", "A"))
    columns |= {
        "indicator": _repeated([part.statistic.name for part in parts], sizes),
        "unit": _repeated([_unit(part.statistic, shown.per) for part in parts], sizes),
        "method": _repeated([_method(part.statistic, shown.interval, way) for part in parts], sizes),
        "obs_status": pa.array(status.tolist(), pa.string()),
        "quality": pa.array(words(flags), pa.string()),
        "verdict": pa.array([one or None for one in verdict.tolist()], pa.string()),
        "note": pa.array(_notes(reasons, on_logarithm), pa.string()),
        "coverage": answered,
    }
    columns["scheme"] = pa.array([one or None for one in schemes], pa.string())
    columns |= {name: _codes(parts, name) for name in dimensions}
    for name in ("place", "period"):
        columns.setdefault(name, pa.repeat(pa.scalar(TOTAL), len(value)))
    target = schema([name for name in dimensions if name not in dict(KEYS)])
    arrays = [_column(columns.get(entry.name), entry.type, len(value)) for entry in target]
    return Estimates(pa.table(arrays, schema=target))


def _intervals(
    parts: Sequence[_Part],
    sizes: Sequence[int],
    kinds: NDArray[np.str_],
    value: Floats,
    se: Floats,
    n: Floats,
    positive: Floats,
    df: Floats,
    elsewhere: Floats,
    deff: Floats,
    shown: Presentation,
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Limits, effective sizes, where only one limit says something, and where limits are the logarithm's."""
    # weights that calibration made negative can carry a share out of 0 to 1: nothing is said of how sure it is
    share = (kinds == "proportion") & ~((value < 0) | (value > 1))
    lower, upper = intervals.student_interval(value, se, df, level=shown.level)
    below = _below_nothing(parts, sizes, value, lower)
    lower[below], upper[below] = intervals.log_interval(value[below], se[below], df[below], level=shown.level)
    upper = np.fmin(upper, np.where(np.isnan(upper), np.nan, _most(parts, sizes)))
    own = np.where(deff > 0, deff, np.where(elsewhere > 0, elsewhere, 1.0))
    effective = n / own
    one_sided = np.zeros(len(value), dtype=bool)
    if share.any():
        got = intervals.proportion_interval(
            shown.interval,
            value[share],
            se[share],
            n[share],
            df[share],
            level=shown.level,
            deff_elsewhere=elsewhere[share],
        )
        lower[share], upper[share] = got.lower, got.upper
        effective[share], one_sided[share] = got.n_effective, got.one_sided
    odd = (kinds == "proportion") & ~share
    lower[odd], upper[odd] = np.nan, np.nan
    still = (kinds != "proportion") & (se == 0) & (n > 0)  # no spread in the sample is no proof that there is none
    if still.any():
        lower[still], upper[still] = _without_spread(parts, sizes, positive, effective, still, shown.level)
        one_sided |= still & np.isfinite(upper)
    return lower, upper, effective, one_sided, below


def _notes(reasons: Sequence[str], on_logarithm: NDArray[np.bool_]) -> list[str]:
    notes = list(reasons)
    for at in np.flatnonzero(on_logarithm).tolist():
        notes[at] = "; ".join(part for part in (notes[at], ON_LOGARITHM) if part)
    return notes


def _below_nothing(parts: Sequence[_Part], sizes: Sequence[int], value: Floats, lower: Floats) -> NDArray[np.bool_]:
    """Where Student's lower limit is below 0, of counts that cannot be: the logarithm's limits stand there."""
    counted = np.repeat(
        [part.statistic.kind in ("total", "ratio") and not part.statistic.negative for part in parts], sizes
    )
    return np.asarray(counted & (value > 0) & (lower < 0))


def _most(parts: Sequence[_Part], sizes: Sequence[int]) -> Floats:
    """The most that a number can be: of a total of 0 and 1, everybody."""
    all_there = [
        part.result.denominator
        if part.statistic.kind == "total" and part.statistic.binary
        else np.full(part.cells.size, np.inf)
        for part in parts
    ]
    return np.concatenate(all_there) if all_there else np.zeros(0)


def _without_spread(
    parts: Sequence[_Part],
    sizes: Sequence[int],
    positive: Floats,
    effective: Floats,
    still: NDArray[np.bool_],
    level: float,
) -> tuple[Floats, Floats]:
    """Limits where the standard error is 0: of nothing but zeros the exact upper limit of no event; else none."""
    counts = np.repeat([not part.statistic.negative and part.statistic.kind != "ratio" for part in parts], sizes)
    scale = np.concatenate(
        [part.result.denominator if part.statistic.kind == "total" else np.ones(part.cells.size) for part in parts]
    )
    none = (counts & (positive == 0))[still]
    most = -np.log((1 - level) / 2) / np.maximum(effective[still], 1)
    binary = np.repeat([part.statistic.binary for part in parts], sizes)[still]
    most = np.where(binary, 1 - ((1 - level) / 2) ** (1 / np.maximum(effective[still], 1)), most)
    nothing = np.full(len(none), np.nan)
    return np.where(none, 0.0, nothing), np.where(none, most * scale[still], nothing)


def _judged(
    kinds: NDArray[np.str_], columns: dict[str, object], effective: Floats, shown: Presentation
) -> tuple[NDArray[np.str_], list[str], NDArray[np.int64], list[str]]:
    """What the publication rules say: verdict (empty where none applies), name of the rules, flags, reasons."""
    size = len(kinds)
    verdict, flags = np.full(size, "", dtype="<U8"), np.zeros(size, dtype=np.int64)
    names, reasons = [""] * size, [""] * size
    if shown.scheme is None:
        return verdict, names, flags, reasons
    from safercities.sampling import publication

    for kind in dict.fromkeys(kinds.tolist()):
        at = np.flatnonzero(kinds == kind)

        def taken(name: str, at: NDArray[np.intp] = at) -> Floats:  # the rules speak of shares and ratios per 1
            values = np.asarray(columns[name], dtype=np.float64)[at]
            return values / shown.per if name in ("value", "se", "lower", "upper") else values

        incidence = kind == "mean" and shown.per != 1
        spoken = "rate" if incidence else str(kind)
        facts = publication.Facts(
            kind=spoken,
            n_effective=effective[at],
            **{name: taken(name) for name in ("value", "se", "lower", "upper", "n", "n_positive", "df", "deff")},
        )
        judged = publication.judge(shown.scheme, facts)
        verdict[at] = [one or "" for one in judged.verdict]
        flags[at] = bits(list(judged.flags))
        for position, reason in zip(at.tolist(), judged.reasons, strict=True):
            reasons[position] = reason
            names[position] = judged.scheme if verdict[position] else ""
    return verdict, names, flags, reasons


def _unit(statistic: Statistic, per: float) -> str:
    if statistic.kind == "total":
        return "people" if statistic.binary else "total"
    if per == 1:
        return statistic.kind
    return "%" if per == 100 and statistic.kind == "proportion" else "per " + f"{per:,.10g}".replace(",", " ")


def _method(statistic: Statistic, interval: str, way: str) -> str:
    name = NAMES[interval] if statistic.kind == "proportion" else NAMES["student"]
    return f"{statistic.kind}, {way}, {name} interval"


def _codes(parts: Sequence[_Part], name: str) -> pa.Array:
    """One dimension's column: the code of each domain, `_T` in breakdowns without it."""
    labels: list[str] = [TOTAL]
    positions = []
    for part in parts:
        if name not in part.cells.names:
            positions.append(np.zeros(part.cells.size, dtype=np.int32))
            continue
        axis = part.cells.names.index(name)
        if len(labels) == 1:
            labels += part.cells.axes[axis].labels
        positions.append(part.cells.codes()[axis].astype(np.int32) + 1)
    indices = np.concatenate(positions) if positions else np.zeros(0, dtype=np.int32)
    return pa.DictionaryArray.from_arrays(indices, pa.array(labels, pa.string())).cast(pa.string())


def _repeated(texts: Sequence[str], sizes: Sequence[int]) -> pa.Array:
    indices = np.repeat(np.arange(len(texts), dtype=np.int32), sizes)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(texts), pa.string())).cast(pa.string())


def _column(values: object, kind: pa.DataType, size: int) -> pa.Array:
    """A column; NaN and infinity become null."""
    if values is None:
        return pa.nulls(size, kind)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, kind, mask=~np.isfinite(values))
    return pa.array(values, kind) if isinstance(values, np.ndarray | list) else values


__all__ = ["Presentation", "rows"]
