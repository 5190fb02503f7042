"""Reads what is asked of estimates out of the address: every parameter is known and right, or named as wrong."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from safercities.hub.api.problems import ApiProblem, Wrong, wrong
from safercities.hub.figures import Figures, Query
from safercities.model.estimates import MEASURES

#: Parameter → filter of `Query`.
FILTERS = {
    "indicator": "indicators",
    "place": "places",
    "level": "levels",
    "period": "periods",
    "unit": "units",
    "method": "methods",
    "source": "sources",
    "version": "versions",
}
DIMENSION = "dim."
#: Columns that rows can be ordered by; those of the breakdowns are in the order of rows anyway.
ORDER = ("indicator", "place", "period", "unit", "method", "source", *(name for name, _ in MEASURES if name != "note"))
MOST_ROWS = 10_000
USUAL_ROWS = 1_000
#: Places that may be asked for without an indicator: with more, everything would have to be looked through.
MOST_PLACES = 50
_MOST_VALUES = 1_000
_LONGEST = 500
_CURSOR = re.compile(r"[A-Za-z0-9_-]{10,60}")


@dataclass(frozen=True)
class Asked:
    """A question to the estimates.

    Parameters
    ----------
    limit
        None: everything.
    after
        Row number that the page comes after.
    """

    query: Query
    order: tuple[str, ...]
    columns: tuple[str, ...] | None
    limit: int | None
    after: int | None
    format: str | None


def read_query(given: QueryDict, figures: Figures, *, others: Sequence[str] = ()) -> Query:
    """The filters of an address; `others` are parameters that are read elsewhere.

    Raises
    ------
    ApiProblem
        Naming every parameter that is unknown or wrong.
    """
    wrongs = [*_unknown(given, figures, others), *_unfit(given)]
    if wrongs:
        raise ApiProblem("invalid-parameter", f"{wrongs[0].parameter}: {wrongs[0].message}", wrongs)
    filters: dict[str, Any] = {name: given.getlist(parameter) for parameter, name in FILTERS.items()}
    for name in ("units", "methods"):
        filters[name] = [text or None for text in filters[name]]  # empty: rows without one
    dimensions = {key.removeprefix(DIMENSION): given.getlist(key) for key in given if key.startswith(DIMENSION)}
    return Query(**filters, dimensions=dimensions, total_only=_flag(given, "total"))


def _unknown(given: QueryDict, figures: Figures, others: Sequence[str]) -> list[Wrong]:
    known = {*FILTERS, "total", *others, *(DIMENSION + name for name in figures.dimensions)}
    several = {*FILTERS, *(DIMENSION + name for name in figures.dimensions), "order", "columns"}
    found = [Wrong(name[:60], "there is no such parameter") for name in given if name not in known]
    return found + [
        Wrong(name, "give it once")
        for name in given
        if name in known and name not in several and len(given.getlist(name)) > 1
    ]


def _unfit(given: QueryDict) -> list[Wrong]:
    found = []
    for name, values in given.lists():
        if len(values) > _MOST_VALUES:
            found.append(Wrong(name[:60], f"give it no more than {_MOST_VALUES:,} times"))
        elif any(len(value) > _LONGEST for value in values):
            found.append(Wrong(name[:60], "that is too long"))
    return found


def _flag(given: QueryDict, name: str) -> bool:
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise wrong(name, "give true or false")
    return text == "true"


def read_asked(given: QueryDict, figures: Figures, *, whole: bool) -> Asked:
    """All that is asked of the estimates.

    Parameters
    ----------
    whole
        Whether everything is meant where no limit is given.

    Raises
    ------
    ApiProblem
        As `read_query`; also if an indicator has to be named.
    """
    query = read_query(given, figures, others=("order", "columns", "limit", "cursor", "format"))
    order, after = _order(given), _after(given, figures)
    limit = _number(given, "limit", MOST_ROWS) or (None if whole else USUAL_ROWS)
    if order and after is not None:
        raise wrong("cursor", "pages are in the order of the rows: leave out the order, or the cursor")
    if not query.indicators and (order or limit is None or len(query.places) > MOST_PLACES):
        raise ApiProblem("indicator-required", errors=[Wrong("indicator", "name one or more")])
    return Asked(query, order, _columns(given, figures), limit, after, given.get("format"))


def _order(given: QueryDict) -> tuple[str, ...]:
    order = tuple(given.getlist("order"))
    for name in order:
        if name.removeprefix("-") not in ORDER:
            raise wrong("order", f"choose among: {', '.join(ORDER)}")
    return order


def _columns(given: QueryDict, figures: Figures) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(name for text in given.getlist("columns") for name in text.split(",")))
    for name in names:
        if name not in figures.columns:
            raise wrong("columns", f"choose among: {', '.join(figures.columns)}")
    return names or None


def _number(given: QueryDict, name: str, most: int) -> int | None:
    if name not in given:
        return None
    text = str(given[name])
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text) or int(text) > most:
        raise wrong(name, f"give a whole number from 1 to {most:,}")
    return int(text)


def cursor(figures: Figures, row: int) -> str:
    """The mark of the page after a row; good as long as the figures are the same."""
    return base64.urlsafe_b64encode(f"{row}.{figures.version[:12]}".encode()).decode().rstrip("=")


def _after(given: QueryDict, figures: Figures) -> int | None:
    if "cursor" not in given:
        return None
    row, version = _unwrapped(str(given["cursor"]))
    if version != figures.version[:12]:
        raise ApiProblem("cursor-stale", "begin again with the first page", [Wrong("cursor", "it is of another state")])
    return row


def _unwrapped(text: str) -> tuple[int, str]:
    try:
        if not _CURSOR.fullmatch(text):
            raise ValueError
        row, _, version = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").partition(".")
        if not re.fullmatch(r"[0-9]{1,15}", row):
            raise ValueError
    except (ValueError, binascii.Error):
        raise wrong("cursor", "take it from the page before") from None
    return int(row), version
