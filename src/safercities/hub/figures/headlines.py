"""Chooses which of several series of an indicator stands first on a page: by a stated rule, never by its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from safercities.hub.figures.about import Headline
from safercities.hub.figures.store import ROWS, SHOWN
from safercities.indicators.spec import Indicator
from safercities.measure.rows import ROUNDED
from safercities.model.dimensions import TOTAL
from safercities.model.periods import Period

#: Of periods of several kinds, the first of these that there is.
KINDS = ("year", "range", "quarter", "month", "week", "day")
#: What methods begin with that draw on more than what was recorded or answered in the place itself.
_ADJUSTED = ("directly standardised", "empirical Bayes", "Fay", "random-effects", "rate ratio", "rate difference")


def headlines(there: Sequence[Mapping[str, Any]], dimensions: Sequence[str], entry: Indicator | None) -> list[Headline]:
    """The headline of each source, the one with most numbers first.

    Of one source: totals of the kind of period that is first in `KINDS`; the unit of the definition, else the unit with
    most numbers; a method that is not adjusted; the newest version. Methods that differ in nothing but whether limits
    hold the rounding of counts are one (`series_of`): the headline names that of its newest period.

    Parameters
    ----------
    there
        Combinations of the indicator: column → code, and how many rows they have and how many of these have a value.
    entry
        The definition, where it is known.
    """
    totals = [row for row in there if all(row[name] == TOTAL for name in dimensions)] or list(there)
    found = list(_each(totals, _units(entry)))
    return [headline for _, headline in sorted(found, key=lambda one: (-one[0], one[1].source))]


def _units(entry: Indicator | None) -> frozenset[str]:
    return frozenset(entry.unit(version) for version in entry.versions) if entry is not None else frozenset()


def _each(totals: Sequence[Mapping[str, Any]], units: frozenset[str]) -> Iterator[tuple[int, Headline]]:
    for source in sorted({row["source"] for row in totals}):
        several: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in totals:
            if row["source"] == source:
                kind = kind_of(row["period"])
                several.setdefault((row["version"], row["unit"], series_of(row["method"]), kind), []).append(row)
        key = min(several, key=lambda one: _rank(one, several[one], units))
        version, unit, _, kind = key
        last = max(several[key], key=lambda row: (newest_last(row["period"]), row["method"] or ""))
        named = {"version": version, "unit": unit, "method": last["method"], "kind": kind, "period": last["period"]}
        yield sum(row[SHOWN] for row in several[key]), Headline(source=source, **named)


def series_of(method: str | None) -> str | None:
    """The method of a series over time, in which earlier limits may not hold yet what rounding did to counts.

    Examples
    --------
    >>> series_of("count, widened for rounding"), series_of("count"), series_of(None)
    ('count', 'count', None)
    """
    return None if method is None else method.removesuffix(ROUNDED)


def alike(method: str | None) -> tuple[str | None, ...]:
    """The methods of rows that are of one series with those of this one.

    Examples
    --------
    >>> alike("count"), alike(None)
    (('count', 'count, widened for rounding'), (None,))
    """
    plain = series_of(method)
    return (None,) if plain is None else (plain, plain + ROUNDED)


@lru_cache(maxsize=10_000)
def newest_last(period: str) -> tuple[Any, Any]:
    """Sorts periods by their last day, then by their first."""
    found = Period.parse(period)
    return found.end, found.start


@lru_cache(maxsize=10_000)
def kind_of(period: str) -> str:
    """Which kind of period it is."""
    return Period.parse(period).kind


def _rank(key: tuple[Any, ...], rows: Sequence[Mapping[str, Any]], units: frozenset[str]) -> tuple[Any, ...]:
    """Lower is better; the text of the key decides between equals, so that the choice is always the same."""
    version, unit, method, kind = key
    end = max(newest_last(row["period"])[0] for row in rows).toordinal()
    adjusted = (method or "").startswith(_ADJUSTED)
    shown, there = sum(row[SHOWN] for row in rows), sum(row[ROWS] for row in rows)
    return KINDS.index(kind), unit not in units, adjusted, -end, -shown, -there, str(method), str(unit), str(version)
