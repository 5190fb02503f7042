"""Composites: one indicator on a common scale from 0 (worst) to 100 (best), and weighted means of several."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.indicators.numerators import Goalposts, Index
from safercities.indicators.spec import Indicator, Version
from safercities.measure.members import COUNTED, grouped
from safercities.measure.rewrite import numbers, replaced
from safercities.measure.verdicts import STATUSES, VERDICTS, worst
from safercities.model import quality
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNIT = "index 0–100"
#: What the method of a standardised row begins with; that of the row it comes from follows.
STANDARDISED = "between goalposts"
#: What stands in a method before that of the rates it is made of.
OF = "; of: "
#: Columns of a part that say nothing of the mean of several.
_OWN = ("n", "n_positive", "denominator", "df", "obs_status", "scheme", "verdict", "coverage", "quality", "note")
_WORSE = {"obs_status": STATUSES, "verdict": VERDICTS}


def indices(indicator: Indicator, parts: Mapping[str, Estimates]) -> Estimates:
    """Rows of an indicator of kind `index` from those of the indicators it is made of.

    Of one part each row is that part's on the common scale (`standardise`). Of several it is their weighted mean,
    where every part has a value for the place, period, breakdown and source: `weighted_mean`.

    Parameters
    ----------
    parts
        Code of each indicator → its estimates; of a rate, the rate is used, never the count.

    Raises
    ------
    UsageError
        If the indicator is not made of others, or a part is missing.

    Examples
    --------
    >>> from safercities.indicators.catalogue import indicator
    >>> row = {"indicator": "sdg.16.1.1", "place": "x", "period": "2020", "unit": "per 100 000", "value": 25.0}
    >>> homicide = Estimates.from_rows([row | {"lower": 20.0, "upper": 31.0, "se": 2.8}])
    >>> made = indices(indicator("cpi.homicide"), {"sdg.16.1.1": homicide}).only()
    >>> [round(made[name], 2) for name in ("value", "lower", "upper")]
    [56.57, 53.66, 59.58]
    """
    made = [_of_version(indicator, version, parts) for version in indicator.versions]
    return Estimates.concat(made).sort()


def _of_version(indicator: Indicator, version: Version, parts: Mapping[str, Estimates]) -> Estimates:
    """Rows of the periods in which a version of the index is in force."""
    scaled, weights = {}, {}
    for goalposts in _index(indicator, version).goalposts:
        if goalposts.of not in parts:
            raise UsageError(problem("index-part-missing", indicator=indicator.code, part=goalposts.of))
        rows = _in_force(parts[goalposts.of], indicator, version)
        scaled[goalposts.of] = standardise(rows, goalposts, indicator=indicator.code, version=version.version)
        weights[goalposts.of] = goalposts.weight
    return next(iter(scaled.values())) if len(scaled) == 1 else weighted_mean(scaled, weights)


def _index(indicator: Indicator, version: Version) -> Index:
    if not isinstance(version.numerator, Index):
        raise UsageError(problem("index-not", indicator=indicator.code))
    return version.numerator


def _in_force(estimates: Estimates, indicator: Indicator, version: Version) -> Estimates:
    periods = pc.unique(estimates.table.column("period")).to_pylist()
    return estimates.where(period=[one for one in periods if indicator.on(Period.parse(one).start) == version])


def standardise(estimates: Estimates, goalposts: Goalposts, *, indicator: str, version: str) -> Estimates:
    """Rates on a scale from 0 (worst) to 100 (best) between two goalposts.

    score = 100 · (f(worst) − f(value)) / (f(worst) − f(best)), with f the identity, logarithm or fourth root. Values
    beyond a goalpost count as it; the row is then flagged `clipped` and has no se. The limits go through the same
    monotone transformation (and change sides where lower is better), so that the interval says as much as the rate's.
    The se is the delta method's. Publication verdict, status, size and flags are those of the rate.

    Parameters
    ----------
    estimates
        Counts are left out: goalposts are ends of rates and shares, in the unit of the indicator.
    indicator, version
        Of the index.

    Source: UN-Habitat (2016), Measurement of city prosperity: methodology and metadata; the goalposts are data.

    Examples
    --------
    >>> homicide = Goalposts(of="sdg.16.1.1", min=1, max=1654, transform="log")
    >>> row = {"indicator": "h", "place": "x", "period": "2020", "unit": "per 100 000", "value": 0.5, "se": 0.2}
    >>> made = standardise(Estimates.from_rows([row]), homicide, indicator="cpi.homicide", version="1").only()
    >>> made["value"], made["se"], made["quality"], made["note"]
    (100.0, None, 'clipped', '0.5 lies beyond the goalpost 1: counted as it')
    """
    counts = pc.is_in(estimates.table.column("unit"), pa.array(COUNTED))
    table = estimates.table.filter(pc.invert(counts))
    value, lower, upper, se = (numbers(table, name) for name in ("value", "lower", "upper", "se"))
    clipped = (value < goalposts.min) | (value > goalposts.max)
    low, high = _score(lower, goalposts), _score(upper, goalposts)
    if goalposts.better == "lower":
        low, high = high, low
    slope = _slope(np.clip(value, goalposts.min, goalposts.max), goalposts)
    return replaced(
        table,
        {
            "indicator": indicator,
            "version": version,
            "unit": UNIT,
            "value": _score(value, goalposts),
            "se": np.where(clipped, np.nan, se * slope),
            "lower": low,
            "upper": high,
            "deff": None,
            "method": [f"{_method(goalposts)}{OF}{method or ''}" for method in table.column("method").to_pylist()],
        },
        flags=np.where(clipped, "clipped", "").tolist(),
        notes=[_beyond(one, goalposts) if cut else "" for one, cut in zip(value.tolist(), clipped, strict=True)],
    )


def weighted_mean(parts: Mapping[str, Estimates], weights: Mapping[str, float]) -> Estimates:
    """Weighted means of scores, row by row, where every part has one.

    Parts are taken as independent: se = √Σ w² se² / Σ w; limits put the distances together in the same way (MOVER).
    A row of which some part has no value has none: `obs_status` O, and the note names the parts that are missing.
    Rows that differ in place, period, breakdown or source never come together.

    Parameters
    ----------
    parts
        Name of each part → its rows, as `standardise` makes them.
    weights
        Weight of each part.

    Raises
    ------
    UsageError
        If a part has two rows for one place, period, breakdown and source.

    Examples
    --------
    >>> row = {"indicator": "c", "version": "1", "place": "x", "period": "2020", "unit": "index 0–100", "level": 0.95}
    >>> one = Estimates.from_rows([row | {"value": 60.0, "se": 3.0}])
    >>> two = Estimates.from_rows([row | {"value": 90.0, "se": 4.0}])
    >>> made = weighted_mean({"homicide": one, "theft": two}, {"homicide": 2.0, "theft": 1.0}).only()
    >>> made["value"], round(made["se"], 3)
    (70.0, 2.404)
    """
    names = list(parts)
    whole = Estimates.concat(parts.values())
    part = np.repeat(np.arange(len(names)), [len(parts[name]) for name in names])
    rates = [(method or "").partition(OF)[2] for method in whole.table.column("method").to_pylist()]
    table = whole.table.append_column("rate", pa.array(rates, pa.string()))
    group, first = grouped(table, ("indicator", "version", "place", "period", "source", "rate", *whole.dimensions))
    if len(np.unique(np.column_stack([group, part]), axis=0)) < len(part):
        raise UsageError(problem("index-part-twice", parts=", ".join(names)))
    share = np.array([weights[name] for name in names]) / sum(weights[name] for name in names)
    grid = {name: _grid(numbers(table, name), group, part, (len(first), len(names))) for name in _MEASURED}
    value = grid["value"] @ share
    lacking = [[names[at] for at in np.flatnonzero(np.isnan(row))] for row in grid["value"]]
    said = {name: _worst(table, group, len(first), name) for name in _WORSE}
    said["obs_status"] = ["O" if lack else status for lack, status in zip(lacking, said["obs_status"], strict=True)]
    heads = table.take(pa.array(first)).drop_columns(["rate", *_OWN])
    shares = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    method = [f"weighted mean of {shares}{OF}{rates[at]}" for at in first.tolist()]
    return replaced(
        Estimates(heads).table,
        {**said, "value": value, **_together(grid, value, share), "method": method},
        flags=_flags(table, group, len(first)),
        notes=[f"no value: nothing of {', '.join(lack)}" if lack else "" for lack in lacking],
    )


def _worst(table: pa.Table, group: NDArray[np.int64], size: int, name: str) -> list[str | None]:
    """The worst that is said of any part: a mean is no better than what it is made of."""
    parts: list[list[str | None]] = [[] for _ in range(size)]
    for at, given in zip(group.tolist(), table.column(name).to_pylist(), strict=True):
        parts[at].append(given)
    return [worst(given, _WORSE[name]) for given in parts]


def _flags(table: pa.Table, group: NDArray[np.int64], size: int) -> list[str]:
    """Flags of all parts."""
    fields: list[list[str]] = [[] for _ in range(size)]
    for at, field in zip(group.tolist(), table.column("quality").to_pylist(), strict=True):
        fields[at].append(field or "")
    return [quality.join(*flags) for flags in fields]


_MEASURED = ("value", "se", "lower", "upper", "level")


def _grid(values: Floats, group: NDArray[np.int64], part: NDArray[np.int64], shape: tuple[int, int]) -> Floats:
    grid = np.full(shape, np.nan)
    grid[group, part] = values
    return grid


def _together(grid: Mapping[str, Floats], value: Floats, share: Floats) -> dict[str, Floats]:
    """Standard error, and limits where all parts have the same level."""

    def root(distance: Floats) -> Floats:
        return np.asarray(np.sqrt(((share * distance) ** 2).sum(axis=1)))

    level = np.where((grid["level"] == grid["level"][:, :1]).all(axis=1), grid["level"][:, 0], np.nan)
    same = np.where(np.isfinite(level), 1.0, np.nan)
    return {
        "se": root(grid["se"]),
        "lower": (value - root(grid["value"] - grid["lower"])) * same,
        "upper": (value + root(grid["upper"] - grid["value"])) * same,
        "level": level,
    }


def _score(value: Floats, goalposts: Goalposts) -> Floats:
    low, high = _transformed(np.array([goalposts.min, goalposts.max]), goalposts)
    share = (_transformed(np.clip(value, goalposts.min, goalposts.max), goalposts) - low) / (high - low)
    return np.asarray(100.0 * (1.0 - share if goalposts.better == "lower" else share))


def _slope(value: Floats, goalposts: Goalposts) -> Floats:
    """How much the score changes with the value, without sign."""
    low, high = _transformed(np.array([goalposts.min, goalposts.max]), goalposts)
    with np.errstate(divide="ignore"):
        derivative = {"none": np.ones_like(value), "log": 1.0 / value, "fourth_root": 0.25 * value**-0.75}
    return np.asarray(100.0 * derivative[goalposts.transform] / (high - low))


def _transformed(value: Floats, goalposts: Goalposts) -> Floats:
    if goalposts.transform == "log":
        return np.log(value)
    return np.asarray(value**0.25 if goalposts.transform == "fourth_root" else value)


def _method(goalposts: Goalposts) -> str:
    how = {"none": "", "log": ", logarithm", "fourth_root": ", fourth root"}[goalposts.transform]
    return f"{STANDARDISED} {goalposts.min:g} and {goalposts.max:g}{how}"


def _beyond(value: float, goalposts: Goalposts) -> str:
    end = goalposts.min if value < goalposts.min else goalposts.max
    return f"{value:.4g} lies beyond the goalpost {end:g}: counted as it"
