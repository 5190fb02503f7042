"""Rates that are more than cases over people: age-standardised, and smoothed over places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from safercities.measure import rates, smooth, standards
from safercities.measure.breakdown import Breakdowns, Exposure, joined
from safercities.measure.rows import BIT, KNOWN_ENOUGH, Cells, Floats, Mask
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import UNKNOWN, Estimates


def standardised_rates(
    work: Breakdowns, cells: Cells, exposure: Exposure, standard: str
) -> tuple[Estimates | None, str]:
    """Directly age-standardised rates of a breakdown without age, and why there are none for some or all cells."""
    label = standards.standard_population(standard).label
    missing = f"not age-standardised ({label}): "
    if "age" not in work.source.dimensions:
        return None, missing + "the source has no age"
    count, ages = _by_age(work, cells)
    try:
        weights = standards.weights(standard, ages)
    except SafercitiesError:
        return None, missing + "the age groups do not fit it"
    known, everybody = count[:, :-1].sum(axis=1), count.sum(axis=1)
    share = np.divide(known, everybody, out=np.ones(len(cells)), where=everybody > 0)
    enough = share >= KNOWN_ENOUGH
    years = _years_by_age(work, cells, exposure.rated & enough, ages)
    fits = np.all(years > 0, axis=1)
    why = joined(
        missing + "where more than 5 % of the cases lack the age" if np.any(exposure.rated & ~enough) else "",
        missing + "where no population has these age groups" if np.any(exposure.rated & enough & ~fits) else "",
    )
    if not fits.any():
        return None, why
    made = rates.direct_standardised(count[fits, :-1], years[fits], weights, work.level)
    value, se, lower, upper = (work.frame.per * part for part in made)
    # the errors of the ages are added as independent ones; rounding keeps sums closer than that
    error = work.frame.per * work.error * np.sqrt(((weights / weights.sum() / years[fits]) ** 2).sum(axis=1))
    _, lower, upper = rates.widened(value, lower, upper, error, work.level)
    rows = work.frame.rows(
        replace(cells, count=known, coverage=cells.coverage * share),
        fits,
        unit=work.frame.per_text,
        method=f"directly standardised ({label}), Fay–Feuer interval{work.ending}",
        value=value,
        se=np.hypot(se, error),
        lower=lower,
        upper=upper,
        level=work.level,
        denominator=years[fits].sum(axis=1),
        flags=(cells.flags | exposure.flags)[fits],
        note=joined(work.annualised, "cases without age are left out" if np.any(share[fits] < 1) else ""),
    )
    return rows, why


def _by_age(work: Breakdowns, cells: Cells) -> tuple[Floats, list[str]]:
    """Cases of each cell by age, the unknown ages last; shape (cell, age)."""
    dimensions = [name for name in work.source.dimensions if name in (*cells.grid.dimensions, "age")]
    grid = work.counter.grid(cells.grid.level, dimensions)
    ages = [age for age in grid.along("age") if age != UNKNOWN]
    counts = np.moveaxis(grid.counts, grid.names.index("age"), -1)
    # both grids come from the same records, so that all other axes are the same
    return counts.reshape(-1, len(ages) + 1)[cells.flat].astype(np.float64), ages


def _years_by_age(work: Breakdowns, cells: Cells, wanted: Mask, ages: Sequence[str]) -> Floats:
    """Person-years of each wanted cell by age, shape (cell, age); NaN elsewhere."""
    years = np.full((len(cells), len(ages)), np.nan)
    at = np.flatnonzero(wanted)
    found, _ = work.denominators(cells, np.repeat(at, len(ages)).tolist(), age=list(ages) * len(at))
    years[at] = found.reshape(-1, len(ages))
    return years


def smoothed_rates(
    work: Breakdowns, cells: Cells, exposure: Exposure, neighbours: Mapping[str, Sequence[str]]
) -> Iterator[Estimates]:
    """Empirical-Bayes rates over the places of each period and group: over all places, and over neighbours."""
    everywhere, nearby = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    near = {id for id in cells.grid.along("place") if id in neighbours}
    for group in _places_together(cells, exposure.rated):
        count, years = cells.count[group], exposure.years[group]
        everywhere[group] = smooth.marshall_global(count, years)
        if near:
            ids = [cells.keys["place"][one] for one in group.tolist()]
            number = {id: position for position, id in enumerate(ids)}
            sets = [[number[other] for other in neighbours.get(id, ()) if other in number] for id in ids]
            nearby[group] = smooth.marshall_local(count, years, sets)
    for name, rate in (("global", everywhere), ("local", nearby)):
        if not np.isnan(rate).all():
            yield work.frame.rows(
                cells,
                exposure.rated,
                unit=work.frame.per_text,
                method=f"empirical Bayes (Marshall, {name})",
                value=work.frame.per * rate[exposure.rated],
                denominator=exposure.years[exposure.rated],
                flags=(cells.flags | exposure.flags | BIT["smoothed"])[exposure.rated],
                note=work.annualised,
            )


def _places_together(cells: Cells, rated: Mask) -> list[NDArray[np.intp]]:
    """Positions of the rated cells, one array for each period and group."""
    shape = cells.grid.counts.shape
    where = np.unravel_index(cells.flat, shape)
    rest = np.ravel_multi_index((where[0], *where[2:]), (shape[0], *shape[2:]))
    at = np.flatnonzero(rated)
    order = at[np.argsort(rest[at], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(rest[order])) + 1)
