"""Reads what is asked in SDMX's words: keys, periods, details; into questions to the figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.http import QueryDict

from safercities.hub.api.problems import ApiProblem, wrong
from safercities.hub.figures import Figures, Query
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period
from safercities.release.sdmx_names import Component, code_text, components, time_period

#: Column → filter of `Query`; other dimensions are breakdowns.
_FILTERS = {
    "indicator": "indicators",
    "version": "versions",
    "place": "places",
    "source": "sources",
    "unit": "units",
    "method": "methods",
}
TIME = "TIME_PERIOD"
ALL = "AllDimensions"
_DETAILS = ("full", "dataonly", "serieskeysonly", "nodata")
_NOT_OFFERED = ("updatedAfter", "includeHistory")
_KNOWN = {
    *("startPeriod", "endPeriod", "dimensionAtObservation", "detail", "format"),
    *("firstNObservations", "lastNObservations", *_NOT_OFFERED),
}
_LONGEST_KEY = 20_000
_MOST_CODES = 5_000


@dataclass(frozen=True)
class Asked:
    """A question to the data.

    Parameters
    ----------
    query
        None: nothing can fit.
    at_observation
        Id of the dimension that observations of a series differ in; `ALL`: no series.
    first, last
        So many observations of each series over time, from its beginning and from its end; None: all.
    """

    query: Query | None
    at_observation: str
    detail: str
    first: int | None = None
    last: int | None = None

    @property
    def some(self) -> bool:
        """Whether only some observations of each series are wanted."""
        return self.first is not None or self.last is not None


def dimensions(figures: Figures) -> tuple[Component, ...]:
    """Dimensions of the data structure in the order of keys, without the one of time."""
    return tuple(one for one in components(figures.dimensions) if one.role == "dimension" and one.id != TIME)


def read_asked(figures: Figures, key: str, given: QueryDict) -> Asked:
    """What is asked of the data.

    Raises
    ------
    ApiProblem
        If a parameter is unknown or wrong, or what it asks for is not offered.
    """
    for name in given:
        if name not in _KNOWN:
            raise wrong(name[:60], "there is no such parameter")
        if len(given.getlist(name)) > 1:
            raise wrong(name, "give it once")
        if name in _NOT_OFFERED and (name, given[name]) != ("includeHistory", "false"):
            raise ApiProblem("not-implemented", f"{name} is not offered")
    detail = given.get("detail", "full")
    if detail not in _DETAILS:
        raise wrong("detail", f"choose among: {', '.join(_DETAILS)}")
    at = given.get("dimensionAtObservation", TIME)
    ids = [one.id for one in dimensions(figures)]
    if at not in (TIME, ALL, *ids):
        raise wrong("dimensionAtObservation", f"choose among: {', '.join((TIME, ALL, *ids))}")
    first, last = _most(given, "firstNObservations"), _most(given, "lastNObservations")
    return Asked(_query(figures, key, given), at, detail, first, last)


def _most(given: QueryDict, name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise wrong(name, "give a whole number from 1 on")
    return int(text)


def _query(figures: Figures, key: str, given: QueryDict) -> Query | None:
    chosen = _key(dimensions(figures), key)
    frequencies = chosen.pop("FREQ", None)
    periods = _periods(figures, frequencies, given)
    if periods == []:
        return None
    query = Query(periods=periods or ())
    own = {}
    for one in dimensions(figures):
        codes = chosen.get(one.id)
        if codes is None:
            continue
        texts = _texts(one, codes)
        if not texts:
            return None  # a code that nobody can have: an empty filter would fit everything
        if one.column in _FILTERS:
            named: dict[str, Any] = {_FILTERS[one.column]: texts}
            query = replace(query, **named)
        else:
            own[one.column] = [text for text in texts if text is not None]
    return replace(query, dimensions=own)


def _key(dims: Sequence[Component], key: str) -> dict[str, list[str]]:
    """Dimension → codes that the key names; without those that may be anything."""
    if len(key) > _LONGEST_KEY:
        raise ApiProblem("too-large", "the key is too long")
    if key.lower() in ("", "all", "*"):
        return {}
    parts = key.split(".")
    if len(parts) != len(dims):
        raise wrong("key", f"it has {len(parts)} parts, the data structure has {len(dims)} dimensions")
    found = {one.id: [code for code in part.split("+") if code] for one, part in zip(dims, parts, strict=True)}
    return {name: codes for name, codes in found.items() if codes and "*" not in codes}


def _texts(one: Component, codes: Sequence[str]) -> list[str | None]:
    """What the codes stand for; those that stand for nothing are left out: nothing has them."""
    if len(codes) > _MOST_CODES:
        raise ApiProblem("too-large", f"no more than {_MOST_CODES:,} codes of one dimension")
    found: list[str | None] = []
    for code in codes:
        try:
            text = code_text(code, one.id)
        except ValueError:
            continue
        if text is not None or one.column in ("unit", "method"):  # others are never without a code
            found.append(text)
    return found


def _periods(figures: Figures, frequencies: Sequence[str] | None, given: QueryDict) -> list[str] | None:
    """Periods that fit; None where all do."""
    start, end = _bound(given, "startPeriod"), _bound(given, "endPeriod")
    if frequencies is None and start is None and end is None:
        return None
    return [period for period in figures.about.texts["period"] if _within(period, frequencies, start, end)]


def _within(period: str, frequencies: Sequence[str] | None, start: Period | None, end: Period | None) -> bool:
    found = Period.parse(period)
    if frequencies is not None and time_period(period)[0] not in frequencies:
        return False
    return (start is None or found.start >= start.start) and (end is None or found.end <= end.end)


_DATE_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T.*")
#: Reporting periods that SDMX writes in its own way: years, half years, terms of four months, months; and days.
_REPORTING = re.compile(r"([0-9]{4})-(?:A1|S[12]|T[1-3]|M(?:0[1-9]|1[0-2]))")
_MONTHS = {"A": 12, "S": 6, "T": 4, "M": 1}
_REPORTING_DAY = re.compile(r"([0-9]{4})-D([0-9]{3})")


def _bound(given: QueryDict, name: str) -> Period | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return _reported(text) or Period.parse(_DATE_TIME.sub(r"\1", text)[:40])
    except (SafercitiesError, ValueError, OverflowError):
        raise wrong(name, "give a period, as 2019, 2019-Q1, 2019-03 or 2019-03-15") from None


def _reported(text: str) -> Period | None:
    """A reporting period of a year that begins on the first of January; None where it is written otherwise."""
    if match := _REPORTING.fullmatch(text):
        months = _MONTHS[text[5]]
        last = int(text[6:]) * months
        first = Period.parse(f"{match[1]}-{last - months + 1:02}")
        return Period(first.start, Period.parse(f"{match[1]}-{last:02}").end)
    if match := _REPORTING_DAY.fullmatch(text):
        day = date(int(match[1]), 1, 1) + timedelta(days=int(match[2]) - 1)
        if day.year != int(match[1]):
            raise ValueError(text)
        return Period(day, day)
    return None
