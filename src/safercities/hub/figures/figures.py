"""What a page asks of published figures: what there is, a series, a table, a map, the latest number of a place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from safercities.engine.sql import quote
from safercities.hub.figures import store
from safercities.hub.figures.about import DimensionInfo, Headline, IndicatorInfo, PlaceInfo, SourceInfo
from safercities.hub.figures.choices import Choice, Choices, Combinations
from safercities.hub.figures.current import current
from safercities.hub.figures.headlines import KINDS, kind_of, newest_last, series_of
from safercities.hub.figures.query import FACETS, Query, condition
from safercities.hub.figures.reader import MEMORY, Reader
from safercities.model.errors import SafercitiesError

Kept = TypeVar("Kept")
#: What a map draws.
MAP = (
    "place",
    "value",
    "lower",
    "upper",
    "se",
    "n",
    "obs_status",
    "conf_status",
    "quality",
    "coverage",
    "release",
    "row",
)


#: What says how good a number is, beside whether there is one.
SUMMARY = ("obs_status", "conf_status", "quality", "verdict", "note")


class Figures(Reader):
    """What is published of an observatory, ready to be asked: quick, read-only, from any thread.

    Open it with `Figures.open`; parameters are those of `Reader`. Answers are rows as they were published: a withheld
    one (`conf_status` N) is a row without a value, neither zero nor missing.
    """

    def __init__(self, folder: Path, *, memory: str = MEMORY) -> None:
        super().__init__(folder, memory=memory)
        self._memo: dict[Hashable, Any] = {}

    @classmethod
    def open(cls, folder: Path) -> Figures:
        """The figures of an index: opened once a process, and again when another version has become current.

        Raises
        ------
        SafercitiesError
            If there is no index, or it cannot be read.
        """
        return _opened(cls, folder)

    def memo(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What pages work out of these figures once, as long as they stay open.

        Only for what does not depend on what was asked: a key for each language is fine, one for each place is not.
        """
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]  # type: ignore[no-any-return]

    def lately(self, key: Hashable, make: Callable[[], Kept], size: Callable[[Kept], int]) -> Kept:
        """What pages worked out of these figures lately; of what depends on what was asked the oldest is forgotten.

        Parameters
        ----------
        size
            How many bytes it takes.
        """
        return self._cache.get(("lately", key), make, size)

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """Id of the head of the chain: as long as it is the same, so is every answer."""
        return self.about.version

    @property
    def indicators(self) -> Mapping[str, IndicatorInfo]:
        """Code → what is told of it."""
        return self.about.indicators

    @property
    def places(self) -> Mapping[str, PlaceInfo]:
        """Id → what is told of it; also places that others lie in, without rows of their own."""
        return self.about.places

    @property
    def sources(self) -> Mapping[str, SourceInfo]:
        """Name → what is told of it."""
        return self.about.sources

    @property
    def breakdowns(self) -> Mapping[str, DimensionInfo]:
        """Name → codes and what they are called."""
        return self.about.dimensions

    def choices(self, query: Query | None = None) -> Choices:
        """What can still be chosen: of each filter the codes that leave some rows, given all other filters.

        Raises
        ------
        UsageError
            If it names a dimension that there is not.
        """
        query = query or Query()
        wanted = self._texts.wanted(query)
        asked = 100 * sum(map(len, wanted.values()))  # the question is kept too
        return self._cache.get(("choices", query), lambda: self._choose(wanted), lambda found: found.size + asked)

    def _choose(self, wanted: Mapping[str, Sequence[int]]) -> Choices:
        if "place" not in wanted:
            return self._combinations.choose(wanted)
        return self._at_places(wanted, ["place"]).choose(_without_places(wanted))

    def _at_places(self, wanted: Mapping[str, Sequence[int]], by: Sequence[str]) -> Combinations:
        """The combinations that there are where these columns are as wanted."""
        some = {name: wanted[name] for name in by if name in wanted}
        names = ", ".join(quote(name) for name in store.facets(self.dimensions))
        counts = f"count(*)::BIGINT AS {store.ROWS}, count(value)::BIGINT AS {store.SHOWN}"
        text = f"SELECT {names}, {counts} FROM {self._from(some)} WHERE {condition(some)} GROUP BY ALL"
        return Combinations.of(self._cached(text), self._texts)

    def codes(self, query: Query, name: str) -> tuple[Choice, ...]:
        """What can be chosen of one filter or dimension: the same as in `choices`, and quicker where that is all.

        Raises
        ------
        UsageError
            If it is neither. Nor are places chosen so: they may be many, and `places_with` names them.
        """
        if name not in FACETS or name == "places":
            self._texts.check_dimension(name)
        wanted = self._texts.wanted(query)
        if name == "indicators":
            return self.choices(query).facets[name]
        if (block := self._block(wanted)) is not None:
            return block.one(wanted, name)
        if "place" not in wanted:
            return self._listed(wanted).one(wanted, name)
        return self._at_places(wanted, ["place", "indicator"]).one(_without_places(wanted), name)

    def places_with(self, query: Query) -> Collection[str]:
        """Ids of the places that have rows that fit, in order."""
        wanted = self._texts.wanted(query)
        text = f"SELECT DISTINCT place FROM {self._from(wanted)} WHERE {condition(wanted)} ORDER BY place"

        def named() -> Collection[str]:
            codes = self.about.texts["place"]
            return dict.fromkeys(codes[at] for at in self._run(text).column(0).to_pylist()).keys()

        return self._cache.get(("places", text), named, lambda found: 40 * len(found) + len(text))

    def summary(self, query: Query) -> list[tuple[dict[str, Any], int]]:
        """What rows that fit say of how good they are, and how many say so: without reading them one by one.

        Returns
        -------
        list of (dict, int)
            Columns of `SUMMARY`, and `value`: True where there is one, else None.
        """
        wanted = self._texts.wanted(query)
        names = [name for name in SUMMARY if name not in self.about.constants]
        if (block := self._block(wanted)) is not None:
            found = block.rows(wanted)
            counts = [1] * len(found)
        else:
            asked = [*map(quote, names), f"value IS NOT NULL AS {store.SHOWN}", f"count(*) AS {store.ROWS}"]
            text = f"SELECT {', '.join(asked)} FROM {self._from(wanted)} WHERE {condition(wanted)} GROUP BY ALL"
            found = self._cached(text)
            counts = found.column(store.ROWS).to_pylist()
        shown = (there or None for there in found.column(store.SHOWN).to_pylist())
        told = Counter[tuple[Any, ...]]()
        for row, count in zip(
            zip(*(self._said(found, name) for name in SUMMARY), shown, strict=True), counts, strict=True
        ):
            told[row] += count
        return [(dict(zip((*SUMMARY, "value"), row, strict=True)), count) for row, count in told.items()]

    # -- what pages ask ------------------------------------------------------------------------------------------------

    def series(
        self,
        indicator: str,
        place: str,
        *,
        unit: str | None = None,
        method: str | None = None,
        source: str | None = None,
        version: str | None = None,
        dimensions: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows of an indicator at a place over time, oldest first; what is not said: any, but breakdowns `_T`."""
        chosen = _chosen(unit, method, source, version)
        query = Query([indicator], [place], dimensions=dimensions or {}, total_only=True, **chosen)
        return self.rows(query, order=("period",), columns=columns)

    def table(
        self,
        indicator: str,
        period: str,
        *,
        by: Sequence[str] = (),
        places: Sequence[str] = (),
        level: str | None = None,
        unit: str | None = None,
        method: str | None = None,
        source: str | None = None,
        version: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows of an indicator and period, broken down by these dimensions and no other, with their totals."""
        chosen = _chosen(unit, method, source, version)
        levels = [] if level is None else [level]
        some = dict.fromkeys(by, ())
        query = Query([indicator], places, [period], some, levels=levels, total_only=True, **chosen)
        return self.rows(query, columns=columns)

    def map_values(
        self,
        indicator: str,
        period: str,
        level: str,
        *,
        unit: str | None = None,
        method: str | None = None,
        source: str | None = None,
        version: str | None = None,
        dimensions: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[str] = MAP,
    ) -> pa.Table:
        """Rows of an indicator and period at all places of a level."""
        chosen = _chosen(unit, method, source, version)
        query = Query([indicator], (), [period], dimensions or {}, levels=[level], total_only=True, **chosen)
        return self.rows(query, columns=columns)

    def latest(self, indicator: str, place: str, *, source: str | None = None) -> list[dict[str, Any]]:
        """The headline row of each source at a place: its newest period, withheld or not; the best source first.

        Where the place has no rows of the headline's series (as a small one may have no rate), those of another one.
        """
        return self.latest_of([indicator], place, source=source).get(indicator, [])

    def latest_of(
        self, indicators: Sequence[str], place: str, *, source: str | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Indicator → its headline rows at a place, of several indicators (of all, where none is named) in one go."""
        query = Query(indicators, [place], sources=[] if source is None else [source], total_only=True)
        return self.newest(self.records(query))

    def newest(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Indicator → its headline rows among these rows of everybody at one place."""
        found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for row in rows:
            found.setdefault((row["indicator"], row["source"]), []).append(row)
        best: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for (code, name), several in found.items():
            rank, head = next((at, one) for at, one in enumerate(self.indicators[code].headlines) if one.source == name)
            best.setdefault(code, []).append((rank, min(several, key=partial(_preference, head))))
        return {code: [dict(row) for _, row in sorted(each, key=itemgetter(0))] for code, each in best.items()}


def _without_places(wanted: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    return {name: at for name, at in wanted.items() if name != "place"}


def _preference(head: Headline, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """How far a row is from the headline's series, and how old: lower is better."""
    kind = kind_of(row["period"])
    end, start = newest_last(row["period"])
    differs = (kind != head.kind, row["unit"] != head.unit, series_of(row["method"]) != series_of(head.method))
    return *differs, -end.toordinal(), -start.toordinal(), row["version"] != head.version, KINDS.index(kind), row["row"]


def _chosen(unit: str | None, method: str | None, source: str | None, version: str | None) -> dict[str, Any]:
    given = {"units": unit, "methods": method, "sources": source, "versions": version}
    return {name: [code] for name, code in given.items() if code is not None}


_lock = threading.Lock()
_open: dict[Path, tuple[Path, Figures]] = {}


def _opened(kind: type[Figures], index: Path) -> Figures:
    """The figures of the current version; those of the one before stay with whoever holds them."""
    index = index.absolute()
    folder = current(index)
    known = _open.get(index)
    if known is not None and known[0] == folder:
        return known[1]
    with _lock:
        known = _open.get(index)
        if known is None or known[0] != folder:
            known = (folder, _first(kind, index, folder))
            _open[index] = known
        return known[1]


def _first(kind: type[Figures], index: Path, folder: Path) -> Figures:
    """Open a version; if it was replaced, and cleared away, meanwhile: the one that is current now."""
    try:
        return kind(folder)
    except SafercitiesError:
        again = current(index)
        if again == folder:
            raise
        return kind(again)
