"""Quantiles of every group of every breakdown: the share at or below each, its error from the design, turned back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from safercities.model.estimates import KEYS, TOTAL, Estimates, schema
from safercities.sampling import quantiles
from safercities.sampling.estimators import estimate
from safercities.sampling.rows import way_of
from safercities.sampling.statistics import statistic
from safercities.sampling.units import Floats

if TYPE_CHECKING:
    from safercities.sampling.design import Design


def quantile_estimates(
    design: Design,
    outcomes: Sequence[str],
    wanted: Sequence[float],
    combinations: Sequence[tuple[str, ...]],
    level: float,
    df: str,
) -> Estimates:
    """A row for each outcome, quantile and group; `method` names the quantile. Missing answers are left out."""
    dimensions = list(dict.fromkeys(name for names in combinations for name in names))
    parts = [Estimates.empty(dimensions)]
    for name in outcomes:
        values = design.respondents.numbers(name)
        for q in wanted:
            parts += [_rows(design, name, values, q, names, level, df) for names in combinations]
    return Estimates.concat(parts)


def _rows(
    design: Design, name: str, values: Floats, q: float, names: tuple[str, ...], level: float, df: str
) -> Estimates:
    cells = design.cells(names)
    domain = np.where(np.isnan(values), -1, cells.domain).astype(np.int64)
    distribution = quantiles.distribution(values, design.weights, domain, cells.size)
    below = quantiles.at_or_below(values, distribution.quantile(q), domain)
    below[domain < 0] = np.nan
    share = estimate(statistic("mean", f"{name} at or below", below, design.weights), cells, design.sample)
    made_of = design.sample.replicates
    own = df == "domain" and made_of is None
    free = (share.psus - share.strata).astype(float) if own else np.full(cells.size, design.df)
    single = (share.psus == 1) & (share.n > 0)
    seen = np.where(single, np.nan, share.se)  # from one sampling unit nothing is known of the spread between them
    made = quantiles.woodruff(distribution, q, share.value, seen, free, level=level)
    axes = dict(zip(cells.names, cells.codes(), strict=True))
    columns: dict[str, object] = {
        "indicator": [name] * cells.size,
        "place": [TOTAL] * cells.size,
        "period": [TOTAL] * cells.size,
        "value": made.value,
        "se": made.se,
        "lower": made.lower,
        "upper": made.upper,
        "level": np.full(cells.size, level),
        "n": share.n.astype(np.int64),
        "denominator": share.denominator,
        "df": free,
        "unit": ["quantile"] * cells.size,
        "method": [f"quantile {q:g}, {way_of(made_of)}, Woodruff interval"] * cells.size,
        "obs_status": np.where(share.n == 0, "M", np.where(single, "U", "A")).tolist(),
        "quality": np.where(single, "single_psu", "").tolist(),
    }
    columns |= {axis.name: [axis.labels[code] for code in axes[axis.name].tolist()] for axis in cells.axes}
    target = schema([axis.name for axis in cells.axes if axis.name not in dict(KEYS)])
    arrays = [_column(columns.get(one.name), one.type, cells.size) for one in target]
    return Estimates(pa.table(arrays, schema=target))


def _column(values: object, kind: pa.DataType, size: int) -> pa.Array:
    if values is None:
        return pa.nulls(size, kind)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return pa.array(values, kind, mask=~np.isfinite(values))
    return pa.array(values, kind)
