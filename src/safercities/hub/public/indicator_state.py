"""What a reader asked to see of an indicator: hostile queries become a state that exists, and its own addresses.

The filters are settled one after the other (source, unit, method, level, place, breakdowns, period); each one offers
what there still is under those before it. So no choice leads to an empty page, and any one can be changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import urlencode

from django.http import QueryDict

from safercities.hub.figures import Figures, Query
from safercities.hub.figures.about import IndicatorInfo
from safercities.hub.figures.headlines import alike, series_of
from safercities.model.dimensions import TOTAL

VIEWS = ("chart", "table", "map")
ALL = "all"
#: Stands in addresses for "without one" (of units and methods), as in SDMX.
NOTHING = "_Z"
#: How much of a wrong value is repeated to the reader.
_SHOWN = 60


@dataclass(frozen=True)
class State:
    """What is shown. `level` None: only the place itself; `period` None: all; `by`: breakdown → code, None for all.

    `method` stands for a series: rows of which limits hold the rounding of counts and rows that are else made alike.
    """

    view: str
    source: str | None
    unit: str | None
    method: str | None
    level: str | None
    place: str
    by: Mapping[str, str | None]
    period: str | None
    page: int = 1

    def with_(self, **changes: object) -> State:
        """The same but for these, from the first page on."""
        return replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Refused:
    """Something in the address that was not understood: which part, and what stood there."""

    name: str
    given: str


@dataclass
class Asked:
    """The state of a page, what could be chosen instead, and what was not understood.

    Parameters
    ----------
    options
        Filter → what it can be; `by` is in `breakdowns`.
    """

    figures: Figures
    info: IndicatorInfo
    state: State
    options: dict[str, Collection[str | None]]
    breakdowns: dict[str, tuple[str, ...]]
    refused: list[Refused] = field(default_factory=list)

    @property
    def methods(self) -> tuple[str | None, ...]:
        """How rows of the series were made, each of which says it where there are several."""
        return tuple(one for one in alike(self.state.method) if one in self.info.methods)

    @property
    def query(self) -> Query:
        """The rows that are shown."""
        return query_of(self.figures, self.info.code, self.state)

    def address(self, state: State | None = None, **changes: object) -> str:
        """Query of the address of this state, with changes: only what differs from what is shown by itself."""
        if state is None and not changes:
            return self._address
        wanted = (state or self.state).with_(**changes) if changes else state or self.state
        return address(self.figures, self.info, wanted)

    @cached_property
    def _address(self) -> str:
        return address(self.figures, self.info, self.state)


def read(figures: Figures, info: IndicatorInfo, given: QueryDict, drawable: Collection[str] = ()) -> Asked:
    """Settle what was asked; what does not exist gives way to what is shown by itself, and is named.

    Parameters
    ----------
    drawable
        Levels that there are boundaries of: a map is of one of these, if nothing else was asked for.
    """
    return _Reader(figures, info, given, drawable).asked()


class _Reader:
    def __init__(self, figures: Figures, info: IndicatorInfo, given: QueryDict, drawable: Collection[str]) -> None:
        self.figures, self.info, self.given, self.drawable = figures, info, given, drawable
        self.refused: list[Refused] = []
        self.options: dict[str, Collection[str | None]] = {}
        self.breakdowns: dict[str, tuple[str, ...]] = {}

    def asked(self) -> Asked:
        view = self._pick("view", VIEWS, VIEWS[0]) or VIEWS[0]
        source, unit, method = self._series()
        base = State(view, source, unit, method, None, "", {}, None)
        base = replace(base, by=self._without_totals(base))
        level, place = self._where(base)
        base = replace(base, level=level, place=place)
        base = replace(base, by=self._by(base))
        base = replace(base, period=self._period(base), page=self._page())
        return Asked(self.figures, self.info, base, self.options, self.breakdowns, self.refused)

    # -- one filter after the other ------------------------------------------------------------------------------------

    def _series(self) -> tuple[str | None, str | None, str | None]:
        heads = {one.source: one for one in self.info.headlines}
        sources = self._of("sources", Query([self.info.code]))
        several = (*sources, ALL) if len(sources) > 1 else sources
        source = self._pick("source", several, self.info.headline.source)
        head = heads.get(source or "", self.info.headline)
        chosen = [] if source is None or source == ALL else [source]
        units = self._of("units", Query([self.info.code], sources=chosen))
        unit = self._pick("unit", units, head.unit)
        method = self._method(Query([self.info.code], sources=chosen, units=[unit]), head.method)
        return None if source == ALL else source, unit, method

    def _method(self, query: Query, usual: str | None) -> str | None:
        """One method a series: that of the headline, or the one that was asked for, else the first."""
        there = self._of("methods", query)
        wanted = (one for one in (self.given.get("method"), usual) if one in there)
        own = {series_of(one): one for one in (*reversed(there), *wanted)}
        self.options["method"] = tuple(one for one in there if own[series_of(one)] == one)
        found = self._pick("method", there, usual)
        return own.get(series_of(found), found)

    def _without_totals(self, base: State) -> dict[str, str | None]:
        """Breakdowns that a series has to be shown by, because it has no rows of everybody."""
        query = query_of(self.figures, self.info.code, base)
        if self.figures.count(query):
            return {}
        (row,) = self.figures.records(replace(query, total_only=False), limit=1)
        return {name: None for name in self.figures.dimensions if row[name] != TOTAL}

    def _where(self, base: State) -> tuple[str | None, str]:
        figures, home = self.figures, self.figures.about.place
        query = query_of(figures, self.info.code, base)
        levels = self._of("levels", query)
        shown = self._pick("level", (*levels, ""), self._map_level(query, levels) if base.view == "map" else "")
        listed = figures.places_with(query)
        self.options["place"] = listed
        known: Collection[str] = figures.places if shown else listed
        given = self.given.get("place", "")
        place = given if given and given in known else home if home in known else min(listed, default="")
        if given and given not in known:
            self._refuse("place", given)
        if shown and place not in ("", home) and figures.tree.within(place).isdisjoint(self._at(query, shown)):
            self._refuse("place", place)
            place = home
        return shown or None, place

    def _at(self, query: Query, level: str) -> Collection[str]:
        """Places of a level that have rows."""
        return self.figures.places_with(replace(query, levels=[level]))

    def _map_level(self, query: Query, levels: Sequence[str | None]) -> str:
        own = self.figures.places.get(self.figures.about.place)
        below = [level for level in levels if level is not None and (own is None or level != own.level)]
        found = map_level(self.figures, self._drawn(query), below, self.drawable)
        return found or next((level for level in levels if level is not None), "")

    def _drawn(self, query: Query) -> Query:
        """One row a place, as a map shows them: of the period and the group that are asked for, if there are any."""
        periods = [one.code for one in self.figures.codes(query, "periods")]
        wanted = [self.given.get("period", ""), self.info.headline.period, *periods[-1:]]
        period = next((one for one in wanted if one in periods), None)
        groups = dict(query.dimensions)
        for name, code in self._wanted_by().items():
            if (code or TOTAL) in self.info.dimensions.get(name, ()):
                groups[name] = (code or TOTAL,)
        return replace(query, periods=[] if period is None else [period], dimensions=groups)

    def _by(self, base: State) -> dict[str, str | None]:
        """Breakdowns in the order of the figures; one that the others leave nothing of is refused."""
        forced = base.by
        wanted = {**forced, **self._wanted_by()}
        by: dict[str, str | None] = {}
        for name in self.figures.dimensions:
            free = query_of(self.figures, self.info.code, replace(base, by={**forced, **by}))
            loose = replace(free, dimensions={**free.dimensions, name: ()})
            codes = tuple(str(one.code) for one in self.figures.codes(loose, name))
            if len(codes) > 1 or name in forced:
                self.breakdowns[name] = codes
            if name not in wanted:
                continue
            code = wanted.pop(name)
            if name in self.breakdowns and (code is None or code in codes):
                by[name] = code
            else:
                self._refuse("by", _group(name, code))
        for name, code in wanted.items():
            self._refuse("by", _group(name, code))
        return by

    def _wanted_by(self) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for text in self.given.getlist("by")[:20]:
            name, mark, code = text.partition(":")
            if name and not (mark and code == TOTAL):
                found[name] = code if mark else None
        return found

    def _period(self, base: State) -> str | None:
        periods = self._of("periods", query_of(self.figures, self.info.code, base))
        newest = self.info.headline.period
        usual = newest if newest in periods else (periods[-1] if periods else ALL)
        one = base.view == "map"
        found = self._pick(
            "period", periods if one else (*periods, ALL), usual if base.level is not None or one else ALL
        )
        return None if found == ALL else found

    def _page(self) -> int:
        text = self.given.get("page", "") or "1"
        if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 10_000 and len(text) < 6:
            return int(text)
        self._refuse("page", text)
        return 1

    # -- help ----------------------------------------------------------------------------------------------------------

    def _of(self, facet: str, query: Query) -> tuple[str | None, ...]:
        """Codes of a filter that have rows."""
        found = tuple(one.code for one in self.figures.codes(query, facet))
        self.options[facet.removesuffix("s")] = found
        return found

    def _pick(self, name: str, there: Sequence[str | None], usual: str | None) -> str | None:
        given = self.given.get(name, "")
        if given and (given in there or (given == NOTHING and None in there)):
            return None if given == NOTHING else given
        if given:
            self._refuse(name, given)
        return usual if usual in there or not there else there[0]

    def _refuse(self, name: str, given: str) -> None:
        if len(self.refused) < 10:
            self.refused.append(Refused(name, given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"))


# -- states as queries and as addresses --------------------------------------------------------------------------------


def query_of(figures: Figures, code: str, state: State) -> Query:
    """The rows of a state; a state without a place is of all places."""
    part = state.place if state.level is not None and state.place not in ("", figures.about.place) else None
    return Query(
        [code],
        [state.place] if state.place and state.level is None else [],
        [] if state.period is None else [state.period],
        {name: () if one is None else (one,) for name, one in state.by.items()},
        units=[state.unit],
        methods=alike(state.method),
        sources=[] if state.source is None else [state.source],
        levels=[] if state.level is None else [state.level],
        inside=part,
        total_only=True,
    )


def map_level(figures: Figures, query: Query, levels: Sequence[str], drawable: Collection[str] = ()) -> str:
    """The level that a map shows by itself: the finest one at which most places have a number that is shown.

    Levels without boundaries count only if none has any. Where most numbers are withheld at every level, it is the one
    at which the largest part is shown, and of equals the finest. Empty where there is no level.

    Parameters
    ----------
    query
        One row a place: of one series, period and group.
    """
    found = {str(one.code): one.shown / one.rows for one in figures.codes(query, "levels")}
    there = [level for level in figures.tree.finest_first(list(levels)) if level in found]
    there = [level for level in there if level in drawable] or there
    most = next((level for level in there if found[level] > 0.5), None)
    return most or max(there, key=lambda level: found[level], default="")


def address(figures: Figures, info: IndicatorInfo, state: State) -> str:
    """Query of an address, beginning with `?`; empty parts are left out.

    It says all that is not usual, so that it means the same when a later release changes what is usual.
    """
    head = next((one for one in info.headlines if one.source == state.source), info.headline)
    source = ALL if state.source is None else state.source
    parts: list[tuple[str, str]] = [
        ("view", "" if state.view == VIEWS[0] else state.view),
        ("source", "" if source == info.headline.source else source),
        ("unit", "" if state.unit == head.unit else state.unit or NOTHING),
        ("method", "" if series_of(state.method) == series_of(head.method) else state.method or NOTHING),
        ("level", state.level or ""),
        ("place", "" if state.place == figures.about.place else state.place),
        *(("by", _group(name, code)) for name, code in state.by.items()),
        ("period", _period_text(state)),
        ("page", "" if state.page == 1 else str(state.page)),
    ]
    found = urlencode([(name, text) for name, text in parts if text])
    return f"?{found}" if found else "?"


def _group(name: str, code: str | None) -> str:
    return name if code is None else f"{name}:{code}"


def _period_text(state: State) -> str:
    if state.period is not None:
        return state.period
    return ALL if state.level is not None and state.view != "map" else ""
