"""How many people: by place, period, sex and age, from what the sources give; person-years to divide by."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.collect.records import Collected
from safercities.collect.spec import PopulationSpec
from safercities.model import quality
from safercities.model.errors import Problem, problem
from safercities.model.estimates import TOTAL
from safercities.model.periods import Period
from safercities.places.hierarchy import Hierarchy
from safercities.places.matching import Matched, match
from safercities.places.years import Given, Series

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Denominators:
    """What rates are divided by, one for each thing asked.

    Parameters
    ----------
    person_years
        Shape (n,); nan where no population fits, 0 where nobody lives there.
    quality
        Quality flags: population_interpolated, population_carried, no_denominator.
    source
        Names of the sources used, joined by `+` where parts come from several.
    """

    person_years: Floats
    quality: list[str]
    source: list[str]


class Population:
    """Populations of any number of sources. Of several that have a number, the first listed gives it: none are added.

    Attributes
    ----------
    table
        `place, period, <dimensions, _T where not broken down>, n, source`.
    problems
        What was met.
    unmatched_codes
        Codes in the files that are no place.
    places_without
        Ids of places, at the levels of the files' places, for which no population is given.
    """

    def __init__(self, given: Sequence[Given], hierarchy: Hierarchy, matched: Matched) -> None:
        self._given, self._hierarchy = tuple(given), hierarchy
        self.table = matched.table
        self.unmatched_codes = matched.unmatched_codes
        self.places_without = matched.places_without
        own = (problem for part in given for problem in part.problems)
        self.problems: tuple[Problem, ...] = (*matched.problems, *own, *_added_up(given, hierarchy))

    @classmethod
    def from_collected(
        cls, parts: Sequence[Collected], hierarchy: Hierarchy, default_place: str, specs: Mapping[str, PopulationSpec]
    ) -> Population:
        """Tie collected populations to places.

        Parameters
        ----------
        parts
            Collected sources with the columns `row, code, period, <dimensions>, n`; the first wins over the next.
        default_place
            The place meant where a source has no column with places.
        specs
            What `observatory.toml` says of each source: level, interpolate, carry.

        Examples
        --------
        >>> from safercities.collect.records import REJECTS
        >>> from safercities.model.places import Place
        >>> table = pa.table({"row": [2], "code": ["01"], "period": ["2019"], "n": [1000.0]})
        >>> part = Collected("people", "population", "people.csv", table, REJECTS.empty_table(), (), 1, None, None,
        ...                  "year", (), "People")
        >>> spec = PopulationSpec(kind="population", file="people.csv", place="code", period="year", count="n", carry=1)
        >>> tree = Hierarchy([Place("T", "Town", "city"), Place("01", "Mill", "ward", "T")])
        >>> people = Population.from_collected([part], tree, "T", {"people": spec})
        >>> value, flags = people.denominators(["01", "T", "01"], ["2019", "2020", "2021"], {})
        >>> value.tolist(), flags
        ([1000.0, 1000.0, nan], ['', 'population_carried', 'no_denominator'])
        """
        matched = match(parts, hierarchy, default_place, specs)
        given = [
            Given.of(part.source, part.file, matched.tables[part.source], _names(part), specs[part.source])
            for part in parts
        ]
        return cls(given, hierarchy, matched)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions by which some source is broken down."""
        return tuple(dict.fromkeys(name for part in self._given for name in part.names))

    def denominators(
        self, place: Sequence[str], period: Sequence[str], dims: Mapping[str, Sequence[str]]
    ) -> tuple[Floats, list[str]]:
        """Person-years and quality flags for each asked place × period × group; see `resolve`."""
        found = self.resolve(place, period, dims)
        return found.person_years, found.quality

    def resolve(self, place: Sequence[str], period: Sequence[str], dims: Mapping[str, Sequence[str]]) -> Denominators:
        """Person-years for each asked place × period × group: the population times the length of the period in years.

        A period of several years adds up each year's person-years. Age groups are put together from the source's where
        these tile them exactly. A place without a number of its own gets the sum over its children of one level, if
        every child that exists on 1 July of the year has one. Between given years a straight line is drawn where the
        spec says `interpolate`; up to `carry` years around them the nearest given year is used; both are flagged.

        Parameters
        ----------
        place, period
            Ids and ISO 8601 codes, length n.
        dims
            Dimension → codes, length n each; `_T` is everybody. Dimensions left out are `_T`.

        Returns
        -------
        Denominators
            nan and no_denominator where no population fits; 0 and no_denominator where nobody lives there.
        """
        if not len(place):
            return Denominators(np.empty(0), [], [])
        cells, cell = _groups(dims, len(place))
        spans = {code: _year_shares(Period.parse(code)) for code in dict.fromkeys(period)}
        years = np.array(sorted({year for span in spans.values() for year in span}))
        tree = _Tree(self._hierarchy, tuple(dict.fromkeys(place)), years)
        weight = np.array([[span.get(year, 0.0) for year in years.tolist()] for span in spans.values()])
        at = np.array([tree.number.get(id, -1) for id in place])
        span = _codes(period, list(spans))
        answer = _Answer(len(place), len(self._given))
        for index, asked in enumerate(cells):
            rows = np.flatnonzero((cell == index) & (at >= 0))
            if len(rows):
                answer.fill(rows, tree.series(self._given, asked), at[rows], weight[span[rows]])
        return answer.finish([part.source for part in self._given])


def _added_up(given: Sequence[Given], hierarchy: Hierarchy) -> Iterator[Problem]:
    """The places above the files' places whose people are the sum over their children: the files do not name them."""
    named = {id for part in given for id in part.places}
    above = {parent.id: parent for id in named if id in hierarchy for parent in hierarchy.ancestors(id)}
    summed = [place for id, place in sorted(above.items()) if id not in named]
    if summed:
        files = ", ".join(dict.fromkeys(part.file for part in given))
        listed = ", ".join(place.name for place in summed[:10]) + (", …" if len(summed) > 10 else "")
        yield problem("population-added-up", file=files, listed=listed)


def _names(part: Collected) -> tuple[str, ...]:
    return tuple(info.name for info in part.dimensions)


def _year_shares(period: Period) -> dict[int, float]:
    """Calendar year → the share of its days that lies in the period.

    Examples
    --------
    >>> _year_shares(Period.parse("2019-01/2020-12")), round(_year_shares(Period.parse("2019-Q1"))[2019], 4)
    ({2019: 1.0, 2020: 1.0}, 0.2466)
    """
    shares = {}
    for year in range(period.start.year, period.end.year + 1):
        first, last = max(period.start, date(year, 1, 1)), min(period.end, date(year, 12, 31))
        shares[year] = ((last - first) / timedelta(days=1) + 1) / (366 if calendar.isleap(year) else 365)
    return shares


def _codes(values: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    number = {code: index for index, code in enumerate(known)}
    column = pa.array(list(values), pa.string()).dictionary_encode()
    own = np.array([number[code] for code in column.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(own[column.indices.to_numpy()], dtype=np.int64)


def _groups(dims: Mapping[str, Sequence[str]], count: int) -> tuple[list[dict[str, str]], NDArray[np.int64]]:
    """The different groups asked for, and which of them each row asks for."""
    asked = {name: list(values) for name, values in dims.items() if any(value != TOTAL for value in set(values))}
    if not asked:
        return [{}], np.zeros(count, dtype=np.int64)
    known = {name: list(dict.fromkeys(values)) for name, values in asked.items()}
    codes = np.stack([_codes(values, known[name]) for name, values in asked.items()], axis=1)
    unique, inverse = np.unique(codes, axis=0, return_inverse=True)
    cells = [{name: known[name][code] for name, code in zip(asked, line, strict=True)} for line in unique.tolist()]
    return cells, inverse.reshape(-1).astype(np.int64)


class _Tree:
    """The asked places and everything below them, children before parents, over the asked years."""

    def __init__(self, hierarchy: Hierarchy, places: Sequence[str], years: NDArray[np.int64]) -> None:
        self.years = years
        self._hierarchy = hierarchy
        self.ids: list[str] = []
        self.number: dict[str, int] = {}
        for id in places:
            if id in hierarchy:
                self._visit(id)
        self._below = [self._children(id) for id in self.ids]

    def _visit(self, id: str) -> None:
        if id in self.number:
            return
        for child in self._hierarchy.children(id):
            self._visit(child.id)
        self.number[id] = len(self.ids)
        self.ids.append(id)

    def _children(self, id: str) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """For each level of children: their numbers, and whether each exists in each year."""
        days = [date(int(year), 7, 1) for year in self.years]
        valid = [{place.id for place in self._hierarchy.children(id, day)} for day in days]
        by_level: dict[str, list[str]] = {}
        for child in self._hierarchy.children(id):
            by_level.setdefault(child.level, []).append(child.id)
        return [
            (np.array([self.number[c] for c in ids]), np.array([[c in there for there in valid] for c in ids]))
            for ids in by_level.values()
        ]

    def series(self, given: Sequence[Given], asked: Mapping[str, str]) -> Series:
        """The number of people of a group, for every place (in the order of `ids`) and year."""
        total = Series.empty(len(self.ids), len(self.years))
        for index, part in enumerate(given):
            total.fill_from(part.series(asked, self.ids, self.years), 1 << index)
        for parent, groups in enumerate(self._below):
            # a level without any number says nothing; of several with numbers none may be in part
            told = [(c, valid) for c, valid in groups if not np.isnan(total.value[c]).all()]
            for children, valid in told:
                total.add_up(parent, children, valid, told)
        return total


class _Answer:
    """Person-years, flags and sources while they are being collected."""

    def __init__(self, count: int, sources: int) -> None:
        self._value = np.full(count, np.nan)
        self._flags = np.zeros(count, dtype=np.int64)
        self._used = np.zeros(count, dtype=np.int64)
        self._sources = sources

    def fill(self, rows: NDArray[np.int64], series: Series, at: NDArray[np.int64], weight: Floats) -> None:
        """Add up the years of each row's period; one year without a number leaves no number."""
        value, counts = series.value[at], weight > 0
        self._value[rows] = np.where(counts, value * weight, 0.0).sum(axis=1)
        self._flags[rows] = np.bitwise_or.reduce(np.where(counts, series.flags[at], 0), axis=1)
        self._used[rows] = np.bitwise_or.reduce(np.where(counts, series.used[at], 0), axis=1)

    def finish(self, names: Sequence[str]) -> Denominators:
        missing = ~(self._value > 0)
        key = np.where(np.isnan(self._value), 0, self._flags) + 4 * missing
        words = {int(k): _words(int(k)) for k in np.unique(key)}
        used = np.where(np.isnan(self._value), 0, self._used)
        sources = {
            int(bits): "+".join(name for index, name in enumerate(names) if int(bits) >> index & 1)
            for bits in np.unique(used)
        }
        return Denominators(self._value, [words[k] for k in key.tolist()], [sources[b] for b in used.tolist()])


def _words(bits: int) -> str:
    flags = ("population_interpolated", "population_carried", "no_denominator")
    return quality.join(*(flag for index, flag in enumerate(flags) if bits >> index & 1))
