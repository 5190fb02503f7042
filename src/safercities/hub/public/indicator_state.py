"""What a reader asked to see of an indicator: hostile queries become a state that exists, and its own addresses.

The filters are settled one after the other (source, unit, method, level, place, breakdowns, period); each one offers
what there still is under those before it. So no choice leads to an empty page, and any one can be changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.http import QueryDict

from safercities.hub.figures import Figures, Query
from safercities.hub.figures.about import IndicatorInfo
from safercities.model.dimensions import TOTAL

VIEWS = ("chart", "table", "map")
ALL = "all"
#: Stands in addresses for "without one" (of units and methods), as in SDMX.
NOTHING = "_Z"
#: How much of a wrong value is repeated to the reader.
_SHOWN = 60


@dataclass(frozen=True)
class State:
    """What is shown. `level` None: only the place itself; `period` None: all; `by`: breakdown → code, None for all."""

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
    options: dict[str, tuple[str | None, ...]]
    breakdowns: dict[str, tuple[str, ...]]
    refused: list[Refused] = field(default_factory=list)

    @property
    def query(self) -> Query:
        """The rows that are shown."""
        return query_of(self.figures, self.info.code, self.state)

    def address(self, state: State | None = None, **changes: object) -> str:
        """Query of the address of this state, with changes: only what differs from what is shown by itself."""
        wanted = (state or self.state).with_(**changes) if changes else state or self.state
        return address(self.figures, self.info, wanted)


def read(figures: Figures, info: IndicatorInfo, given: QueryDict) -> Asked:
    """Settle what was asked; what does not exist gives way to what is shown by itself, and is named."""
    return _Reader(figures, info, given).asked()


class _Reader:
    def __init__(self, figures: Figures, info: IndicatorInfo, given: QueryDict) -> None:
        self.figures, self.info, self.given = figures, info, given
        self.refused: list[Refused] = []
        self.options: dict[str, tuple[str | None, ...]] = {}
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
        methods = self._of("methods", Query([self.info.code], sources=chosen, units=[unit]))
        method = self._pick("method", methods, head.method)
        return None if source == ALL else source, unit, method

    def _without_totals(self, base: State) -> dict[str, str | None]:
        """Breakdowns that a series has to be shown by, because it has no rows of everybody."""
        query = query_of(self.figures, self.info.code, base)
        if self.figures.count(query):
            return {}
        (row,) = self.figures.rows(replace(query, total_only=False), limit=1).to_pylist()
        return {name: None for name in self.figures.dimensions if row[name] != TOTAL}

    def _where(self, base: State) -> tuple[str | None, str]:
        code = self.info.code
        levels = self._of("levels", query_of(self.figures, code, base))
        own = self.figures.places.get(self.figures.about.place)
        below = [level for level in levels if own is None or level != own.level]
        shown = self._pick("level", (*levels, ""), (below[-1:] or levels[:1] or [""])[0] if base.view == "map" else "")
        places = set(self.figures.places_with(query_of(self.figures, code, base)))
        known = set(self.figures.places) if shown else places
        home = self.figures.about.place if self.figures.about.place in known else min(places, default="")
        self.options["place"] = tuple(sorted(places))
        given = self.given.get("place", "")
        place = given if given in known else home
        if given and given not in known:
            self._refuse("place", given)
        if shown and not _below(self.figures, place, shown, places):
            self._refuse("place", place)
            place = self.figures.about.place
        return shown or None, place

    def _by(self, base: State) -> dict[str, str | None]:
        """Breakdowns in the order of the figures; one that the others leave nothing of is refused."""
        forced = base.by
        wanted = {**forced, **self._wanted_by()}
        by: dict[str, str | None] = {}
        for name in self.figures.dimensions:
            free = query_of(self.figures, self.info.code, replace(base, by={**forced, **by}))
            loose = replace(free, dimensions={**free.dimensions, name: ()})
            codes = tuple(str(code) for code in self.figures.choices(loose).codes(name))
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
        found = self.figures.choices(query).codes(facet)
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
    places: Iterable[str] = [state.place] if state.place else ()
    levels: Sequence[str] = ()
    if state.level is not None:
        levels = [state.level]
        places = () if state.place in ("", figures.about.place) else within(figures, state.place, state.level)
    return Query(
        [code],
        list(places),
        [] if state.period is None else [state.period],
        {name: () if one is None else (one,) for name, one in state.by.items()},
        units=[state.unit],
        methods=[state.method],
        sources=[] if state.source is None else [state.source],
        levels=levels,
        total_only=True,
    )


def within(figures: Figures, place: str, level: str) -> list[str]:
    """Places of a level that lie in a place, or are it."""
    found = [one.id for one in figures.places.values() if one.level == level and place in line(figures, one.id)]
    return found[:10_000]


def line(figures: Figures, place: str) -> list[str]:
    """A place and those it lies in, from the inside outward."""
    found: list[str] = []
    here: str | None = place
    while here is not None and here in figures.places and here not in found:
        found.append(here)
        here = figures.places[here].parent
    return found


def _below(figures: Figures, place: str, level: str, places: set[str]) -> bool:
    if place in ("", figures.about.place):
        return True
    return not places.isdisjoint(within(figures, place, level))


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
        ("method", "" if state.method == head.method else state.method or NOTHING),
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
