"""What can be asked of figures: codes of each column; checked, turned into positions, and never part of a SQL text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from safercities.engine.sql import quote
from safercities.model.dimensions import TOTAL
from safercities.model.errors import UsageError, problem

#: Codes that one filter may name.
MOST_CODES = 10_000
#: Filter → column of the index.
FACETS = MappingProxyType(
    {
        "indicators": "indicator",
        "places": "place",
        "periods": "period",
        "units": "unit",
        "methods": "method",
        "sources": "source",
        "versions": "version",
        "levels": "_level",
    }
)
_NULLABLE = frozenset({"units", "methods"})
Codes = tuple[str | None, ...]


@dataclass(frozen=True)
class Query:
    """Which rows: those that fit every filter. An empty filter fits all rows; a code that is nowhere fits none.

    Parameters
    ----------
    units, methods
        Here None asks for rows without one.
    levels
        Of the places.
    inside
        A place: only what is said of it and of places that lie in it, however deep.
    dimensions
        Name → codes. A dimension that is not named, or without codes, may be anything.
    total_only
        Dimensions that are not named must be `_T`. So `dimensions={"sex": ()}, total_only=True` is "by sex, and by
        nothing else".

    Raises
    ------
    UsageError
        If a filter is no list of texts, or too long.

    Examples
    --------
    >>> Query(indicators=["sdg.16.1.1"]).indicators
    ('sdg.16.1.1',)
    >>> Query(places="CO-MDE")
    Traceback (most recent call last):
    ...
    safercities.model.errors.UsageError: the filter places is wrong: it is no list of codes: give a list of no more ...
    """

    indicators: Sequence[str] = ()
    places: Sequence[str] = ()
    periods: Sequence[str] = ()
    dimensions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    units: Sequence[str | None] = ()
    methods: Sequence[str | None] = ()
    sources: Sequence[str] = ()
    versions: Sequence[str] = ()
    levels: Sequence[str] = ()
    inside: str | None = None
    total_only: bool = False

    def __post_init__(self) -> None:
        for name in FACETS:
            object.__setattr__(self, name, _codes(name, getattr(self, name), null=name in _NULLABLE))
        if not isinstance(self.dimensions, Mapping) or not all(isinstance(name, str) for name in self.dimensions):
            raise _wrong("dimensions", "it does not say which codes of which dimension")
        dimensions = {name: _codes(name, codes) for name, codes in sorted(self.dimensions.items())}
        object.__setattr__(self, "dimensions", MappingProxyType(dimensions))
        if self.inside is not None and not isinstance(self.inside, str):
            raise _wrong("inside", "it is no place")
        if not isinstance(self.total_only, bool):
            raise _wrong("total_only", "it is neither true nor false")

    def __hash__(self) -> int:
        facets = (getattr(self, name) for name in FACETS)
        return hash((*facets, tuple(self.dimensions.items()), self.inside, self.total_only))


def _codes(name: str, given: object, *, null: bool = False) -> Codes:
    """The codes of a filter, each once."""
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise _wrong(name, "it is no list of codes")
    if len(given) > MOST_CODES:
        raise _wrong(name, f"it names {len(given):,} codes")
    if not all(isinstance(code, str) or (null and code is None) for code in given):
        raise _wrong(name, "a code in it is no text")
    return tuple(dict.fromkeys(given))


def _wrong(name: str, why: str) -> UsageError:
    return UsageError(problem("figures-filter", name=name[:40], why=why, most=f"{MOST_CODES:,}"))


class Texts:
    """Codes of each column and their positions, which are what the index holds; no code is at -1.

    Parameters
    ----------
    texts
        Column → codes in order.
    within
        Place → it and all places that lie in it.
    """

    def __init__(
        self,
        texts: Mapping[str, Sequence[str]],
        dimensions: Sequence[str],
        within: Callable[[str], Collection[str]],
    ) -> None:
        self.texts, self.dimensions, self._within = texts, tuple(dimensions), within
        self._at: dict[str, dict[str, int]] = {
            column: {code: at for at, code in enumerate(codes)} for column, codes in texts.items()
        }

    def at(self, column: str, codes: Sequence[str | None]) -> list[int]:
        """Positions of those codes that there are, rising."""
        known = self._at[column]
        return sorted({-1 if code is None else known[code] for code in codes if code is None or code in known})

    def text(self, column: str, position: int) -> str | None:
        """The code at a position."""
        return None if position < 0 else self.texts[column][position]

    def wanted(self, query: Query) -> dict[str, list[int]]:
        """Column → positions that fit, of every column that the query chooses by; an empty list fits nothing.

        Raises
        ------
        UsageError
            If it names a dimension that the figures do not have.
        """
        found = dict(self._wanted(query))
        if query.inside is not None:
            inside = self._inside(query.inside)
            known = set(found.get("place", inside))
            found["place"] = [at for at in inside if at in known]
        return found

    def _inside(self, place: str) -> list[int]:
        known = self._at["place"]
        return sorted(known[id] for id in self._within(place) if id in known)

    def _wanted(self, query: Query) -> Iterator[tuple[str, list[int]]]:
        for name, column in FACETS.items():
            if codes := getattr(query, name):
                yield column, self.at(column, codes)
        for name in query.dimensions:
            self.check_dimension(name)
        for name in self.dimensions:
            codes = query.dimensions.get(name, (TOTAL,) if query.total_only else ())
            if codes:
                yield name, self.at(name, codes)

    def check_dimension(self, name: str) -> None:
        """Refuse a name that is none of the dimensions.

        Raises
        ------
        UsageError
            With the names that there are.
        """
        if name not in self.dimensions:
            known = ", ".join(self.dimensions) or "nothing"
            raise UsageError(problem("figures-dimension", given=name[:40], known=known))


def condition(wanted: Mapping[str, Sequence[int]]) -> str:
    """The condition as SQL: our own columns and whole numbers only, so that nothing of what was asked gets into it.

    Examples
    --------
    >>> condition({"sex": [2], "place": [4, 5, 6], "unit": [0, 3], "period": []})
    '"place" BETWEEN 4 AND 6 AND "sex" = 2 AND "unit" IN (0, 3) AND FALSE'
    >>> condition({})
    'TRUE'
    """
    first = sorted(wanted, key=lambda column: column != "place")  # it leaves least for the others to look at
    return " AND ".join(_one(column, wanted[column]) for column in first) or "TRUE"


def _one(column: str, positions: Sequence[int]) -> str:
    if not positions:
        return "FALSE"
    name, first, last = quote(column), int(positions[0]), int(positions[-1])
    if first == last:
        return f"{name} = {first}"
    if last - first == len(positions) - 1:
        return f"{name} BETWEEN {first} AND {last}"
    return f"{name} IN ({', '.join(str(int(position)) for position in positions)})"
