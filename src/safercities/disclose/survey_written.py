"""The rows of protected survey estimates as they are written: rounded, with limits that hold the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.survey_groups import breakdown
from safercities.disclose.survey_public import public
from safercities.disclose.survey_rows import Domain, Table
from safercities.disclose.survey_shown import Shown, Units, shares_and_means, totals
from safercities.model.estimates import Estimates

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Degrees of freedom are shown to these steps, one number for each breakdown.
_DF_STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100, 200, 500, 1000)


def written(
    estimates: Estimates,
    table: Table,
    domains: Sequence[Domain],
    main: Integers,
    keep: Integers,
    units: Units,
    levels: Mapping[str, str],
) -> tuple[Estimates, Mask, Integers]:
    """The estimates as they may be seen; which rows are free; and the domains that are, of those to be kept.

    Parameters
    ----------
    main
        The row of each domain.
    keep
        Positions of the domains to be shown. Those of which no limits hold the true ones are not.
    units
        Of each domain.
    levels
        Level of each place.
    """
    names = ("value", "se", "lower", "upper", "denominator", "df")
    columns = {name: np.full(len(estimates), np.nan) for name in names}
    df = _df(table, domains, main, keep, levels)
    shown = shares_and_means(table, main[keep], Units(*(one[keep] for one in units)), df)
    good = _holds(table, main[keep], shown)
    keep, df, shown = keep[good], df[good], Shown(*(one[good] for one in shown))
    _write(columns, main[keep], shown, df)
    free = np.zeros(len(estimates), dtype=bool)
    free[main[keep]] = True
    pairs = [(i, at) for i, one in enumerate(keep.tolist()) for at in domains[one].totals[:1]]
    if pairs:
        which, at = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
        of, its = Shown(*(one[which] for one in shown)), Units(*(one[keep[which]] for one in units))
        made = totals(table, at, main[keep[which]], of, its, df[which])
        fits = _holds(table, at, made) & np.isfinite(made.value)
        _write(columns, at[fits], Shown(*(one[fits] for one in made)), df[which][fits])
        free[at[fits]] = True
    return public(estimates, table, columns, free), free, keep


def _write(columns: Mapping[str, Floats], at: Integers, shown: Shown, df: Floats) -> None:
    for name, values in {**shown._asdict(), "df": df}.items():
        columns[name][at] = values


def _df(table: Table, domains: Sequence[Domain], main: Integers, keep: Integers, levels: Mapping[str, str]) -> Floats:
    """Degrees of freedom as shown: of each breakdown of a wave the smallest, rounded down."""
    groups = [(*domains[at].series[:2], breakdown(domains[at].key, levels)) for at in keep.tolist()]
    least: dict[object, float] = {}
    for group, value in zip(groups, table.df[main[keep]].tolist(), strict=True):
        least[group] = min(least.get(group, np.inf), value)
    steps, found = np.array(_DF_STEPS, dtype=np.float64), np.array([least[group] for group in groups])
    at = np.searchsorted(steps, found, side="right") - 1
    return np.asarray(steps[np.maximum(at, 0)]) if len(found) else found


def _holds(table: Table, at: Integers, shown: Shown) -> Mask:
    """Where limits as shown hold the true ones."""
    with np.errstate(all="ignore"):
        dust = 1e-9 * np.maximum(np.abs(table.upper[at]), 1)
        below, above = shown.lower <= table.lower[at] + dust, shown.upper >= table.upper[at] - dust
    return np.asarray(below & above)
