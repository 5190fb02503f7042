"""From located records to estimates: counts and rates for every breakdown, with intervals and quality flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from safercities.indicators.spec import Indicator, Version
from safercities.measure import standards
from safercities.measure.adjusted import smoothed_rates, standardised_rates
from safercities.measure.breakdown import Breakdowns, unplaced
from safercities.measure.source import CountsSource
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.places.hierarchy import Hierarchy
from safercities.places.population import Population

__all__ = ["CountsSource", "measure_counts", "unplaced"]


def measure_counts(
    indicator: Indicator,
    source: CountsSource,
    *,
    hierarchy: Hierarchy,
    population: Population | None,
    place: str,
    by: Sequence[Sequence[str]],
    period: str = "year",
    level: float = 0.95,
    standard: str | None = None,
    smooth: bool = False,
    neighbours: Mapping[str, Sequence[str]] | None = None,
) -> Estimates:
    """Counts and rates of an indicator's cases in one source: totals, and every breakdown asked for.

    Rows
    ----
    - A count (method `count`, unit of the source, Garwood interval) for every cell: all codes to expect × the periods
      covered, so that no case is a published zero. Cases whose characteristic is not known make a row `_U` where there
      are any, so that the codes and `_U` add up to `_T`, in every breakdown.
    - With `place` among a breakdown, every place of every level that existed in the period; cases without a place at
      a level make rows with the place `_U.<level>` (there may be several levels), so that places add up as well. A
      place that existed for a part of the period only has a count, flagged `partial_period`, and no rate.
      `place` itself is everything that the source holds, placed or not.
    - For indicators of kind `rate` a rate per person-year (method `crude rate, Garwood interval`) where person-years
      exist; otherwise the count is flagged `no_denominator`. Breakdowns by a characteristic of the event use the whole
      population, those by a characteristic of the person the population with it. Rates of months, quarters … are per
      person-year too; a note says so.
    - With `standard`, directly age-standardised rates (Fay–Feuer interval) of the breakdowns without age. Cases of
      unknown age are left out, and `coverage` says how many; where they are more than 5 %, or the age groups do not
      fit the standard, there is no standardised rate and the note of the crude one says why.
    - With `smooth`, empirical-Bayes rates (Marshall) of the breakdowns by place, without interval, flagged `smoothed`.

    Quality
    -------
    `coverage` is the share of cases whose breakdown is known, in that place and period, times the share that was placed
    at that level; `unknown_share` and `unlocated_share` flag each below 0.95. `partial_period` flags periods that are
    not wholly covered (`CountsSource.complete`); a rate there is over the covered part. `unknown_acts` flags periods
    in which more than 5 % of the source's cases have no known act: they are not counted. `conf_status` stays null:
    nothing is free to publish before disclosure control.

    Parameters
    ----------
    by
        Breakdowns: each a list of dimensions of the source, and `place`. Totals are always made.
    place
        Id of the observatory's place.
    period
        year, quarter, month, week or day.
    level
        Confidence level of the intervals.
    standard
        `who` or `segi`.
    neighbours
        Place → its neighbours, for local smoothing.

    Raises
    ------
    SafercitiesError
        If the source counts another unit than the indicator, or its dates are not exact enough for the period.
    UsageError
        If the source lacks a breakdown, or there is no such period or standard.
    """
    combinations = _combinations(by, source)
    if standard is not None:
        standards.standard_population(standard)
    parts = [Estimates.empty(list(source.dimensions) if any(combinations) else [])]
    for version, its in groupby(source.periods(period), key=lambda one: indicator.on(one.start)):
        _check_unit(indicator, version, source)
        work = Breakdowns(indicator, version, source, hierarchy, population, place, tuple(its), level)
        work.count(combinations, with_age=standard is not None)
        for combination in combinations:
            for where in source.levels if "place" in combination else (None,):
                dimensions = [name for name in source.dimensions if name in combination]
                parts.extend(_estimates(work, where, dimensions, standard, (neighbours or {}) if smooth else None))
    return Estimates.concat([_trim(parts[0], parts[1:]), *parts[1:]]).sort()


def _trim(empty: Estimates, parts: Sequence[Estimates]) -> Estimates:
    """No estimates, with only the dimensions that some part has."""
    return Estimates.empty([name for name in empty.dimensions if any(name in part.dimensions for part in parts)])


def _combinations(by: Sequence[Sequence[str]], source: CountsSource) -> list[tuple[str, ...]]:
    """Each breakdown once, totals first."""
    known = [*(["place"] if source.levels else []), *source.dimensions]
    for name in (name for one in by for name in one):
        if name not in known:
            listed = ", ".join(known) or "nothing"
            raise UsageError(problem("breakdown-unknown", source=source.name, name=name, known=listed))
    return list(dict.fromkeys([(), *(tuple(name for name in known if name in one) for one in by)]))


def _check_unit(indicator: Indicator, version: Version, source: CountsSource) -> None:
    if source.unit not in version.counted.units:
        units = ", ".join(version.counted.units)
        raise SafercitiesError(
            problem("unit-not-counted", source=source.name, unit=source.unit, indicator=indicator.code, units=units)
        )


def _estimates(
    work: Breakdowns,
    level: str | None,
    dimensions: Sequence[str],
    standard: str | None,
    neighbours: Mapping[str, Sequence[str]] | None,
) -> Iterator[Estimates]:
    """The rows of one breakdown; `neighbours` None: without smoothed rates."""
    cells = work.cells(level, dimensions)
    exposure = work.person_years(cells)
    yield work.counts(cells, exposure)
    if not exposure.rated.any():
        return
    adjusted, why = None, ""
    if standard is not None and "age" not in dimensions:
        adjusted, why = standardised_rates(work, cells, exposure, standard)
    yield work.crude_rates(cells, exposure, why)
    if adjusted is not None:
        yield adjusted
    if neighbours is not None and level is not None:
        yield from smoothed_rates(work, cells, exposure, neighbours)
