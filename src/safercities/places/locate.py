"""Records → places: by the code that the source gives, else by coordinates, else through a finer level's parents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.records import Collected
from safercities.model.errors import Problem, problem
from safercities.model.estimates import UNKNOWN
from safercities.places.geographies import Geography
from safercities.places.hierarchy import Hierarchy
from safercities.places.points import Points

#: What stands for "in no place of this level" while places are numbers.
NOWHERE = -1
#: Why a record has no place at a level.
WHY = ("placed", "no_coordinates", "outside", "unknown_code")
_PLACED, _NO_COORDINATES, _OUTSIDE, _UNKNOWN_CODE = range(4)
#: How many unknown codes are listed one by one.
_LISTED = 20

UNLOCATED = pa.schema([("row", pa.int64()), ("level", pa.string()), ("why", pa.string())])

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Located:
    """Records with a place at each level.

    Parameters
    ----------
    collected
        The source; its table now has a column `place_<level>` for each level, `_U` where a record has no place there.
    levels
        In the order in which the geographies are declared.
    unlocated
        One row a record and level without a place: `row`, `level`, `why` (no_coordinates, outside, unknown_code).
    problems
        What is worth knowing of it.
    counts
        Level → how many records were placed, and why the others were not; they add up to the records.
    """

    collected: Collected
    levels: tuple[str, ...]
    unlocated: pa.Table
    problems: tuple[Problem, ...]
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


def locate(collected: Collected, geographies: Sequence[Geography], hierarchy: Hierarchy) -> Located:
    """Give each record one place at every level of the geographies, `_U` where it has none.

    For each level, in this order:

    1. the code or name that the source gives (`code_<level>`) decides; one that is no place of the level, valid then,
       is reported, and the record has no place at that level;
    2. a record without a code gets the place of the level whose boundary holds its coordinates;
    3. a record that still has none gets the place above the one that it has at a finer level.

    A record's place is one that is valid on the day of its `when`. Every level is found by itself: the places of a
    record at two levels may, where their boundaries were drawn apart, not lie in each other; a note says how often.

    Parameters
    ----------
    collected
        Records with `row`, `when`, and `x`, `y` or `code_<level>`.
    geographies
        In the order of `observatory.toml`; of several at one level the first that holds a record wins.

    Raises
    ------
    SafercitiesError
        If the source's coordinate reference system is not a known one.

    Examples
    --------
    >>> import shapely
    >>> from safercities.collect.records import REJECTS
    >>> from safercities.model.places import Place
    >>> ward = Place("01", "Mill", "ward", "T")
    >>> square = np.array([shapely.box(0, 0, 1, 1)], dtype=object)
    >>> wards = Geography("ward", (ward,), square, "EPSG:4326", None, None, ())
    >>> when = pa.array([datetime(2020, 1, 1)] * 3, pa.timestamp("us"))
    >>> table = pa.table({"row": [2, 3, 4], "when": when, "x": [0.5, 7.0, None], "y": [0.5, 0.5, None]})
    >>> cases = Collected("cases", "incidents", "cases.csv", table, REJECTS.empty_table(), (), 3, "victims",
    ...                   "EPSG:4326", "day", (), "Cases")
    >>> found = locate(cases, [wards], Hierarchy([Place("T", "Town", "city"), ward]))
    >>> found.collected.table.column("place_ward").to_pylist()
    ['01', '_U', '_U']
    >>> found.counts["ward"]
    {'placed': 1, 'no_coordinates': 1, 'outside': 1, 'unknown_code': 0}
    """
    work = _Work(collected, tuple(geographies), hierarchy)
    levels = tuple(dict.fromkeys(geography.level for geography in geographies))
    states = {level: work.level(level) for level in levels}
    problems = [*work.points.problems(), *(p for state in states.values() for p in state.problems)]
    for level in reversed(levels):
        work.climb(level, states)
    problems += [*_unplaced(work, states), *_disagreeing(work, states)]
    table = collected.table
    for level, state in states.items():
        table = _with_column(table, f"place_{level}", state.column())
    counts = {level: state.counts() for level, state in states.items()}
    located = replace(collected, table=table)
    return Located(located, levels, _unlocated(work, states), tuple(problems), counts)


@dataclass
class _State:
    """Where the records are at one level: indices into `places`, −1 for nowhere, and why."""

    places: tuple[str, ...]
    at: Index
    why: NDArray[np.int8]
    problems: list[Problem]

    def column(self) -> pa.Array:
        names = pa.array([*self.places, UNKNOWN], pa.string())
        return names.take(pa.array(np.where(self.at < 0, len(self.places), self.at)))

    def counts(self) -> dict[str, int]:
        found = np.bincount(self.why, minlength=len(WHY))
        return {name: int(found[index]) for index, name in enumerate(WHY)}


class _Work:
    """One source while its records are being placed."""

    def __init__(self, collected: Collected, geographies: tuple[Geography, ...], hierarchy: Hierarchy) -> None:
        self.collected, self.geographies, self.hierarchy = collected, geographies, hierarchy
        self.rows = collected.table.column("row").to_numpy()
        self.when = collected.table.column("when").combine_chunks()
        self.points = Points(collected, geographies)

    def level(self, level: str) -> _State:
        """Place records by code, then by coordinates."""
        places = tuple(place.id for place in self.hierarchy.at_level(level))
        count = len(self.rows)
        state = _State(
            places, np.full(count, NOWHERE, dtype=np.int64), np.full(count, _UNKNOWN_CODE, dtype=np.int8), []
        )
        coded = self._by_code(level, state)
        self._by_coordinates(level, state, ~coded)
        state.why[state.at >= 0] = _PLACED
        return state

    def _by_code(self, level: str, state: _State) -> Mask:
        """Place the records that name their place; gives back which ones do."""
        name = f"code_{level}"
        if name not in self.collected.table.column_names:
            return np.zeros(len(self.rows), dtype=bool)
        column = self.collected.table.column(name).combine_chunks().cast(pa.string()).dictionary_encode()
        codes = column.dictionary.to_pylist()
        code = pc.fill_null(column.indices, len(codes)).to_numpy(zero_copy_only=False).astype(np.int64)
        number = {id: index for index, id in enumerate(state.places)}
        found = [self.hierarchy.find(text, level) for text in codes]
        target = np.array([*(number[place.id] if place else NOWHERE for place in found), NOWHERE], dtype=np.int64)
        state.at[:] = target[code]
        self._forget_invalid(level, state)
        coded = np.asarray(code < len(codes), dtype=bool)
        state.problems += self._code_problems(level, state, coded, code, codes)
        return coded

    def _forget_invalid(self, level: str, state: _State) -> None:
        """A place that did not exist on the day of the record is no place for it."""
        dated = [geography for geography in self.geographies if geography.level == level]
        if all(geography.valid_from is None and geography.valid_to is None for geography in dated):
            return
        number = {id: index for index, id in enumerate(state.places)}
        valid = np.zeros(len(self.rows), dtype=bool)
        for geography in dated:
            held = np.zeros(len(state.places) + 1, dtype=bool)
            held[[number[place.id] for place in geography.places]] = True
            valid |= held[state.at] & self._on(geography)
        state.at[~valid] = NOWHERE

    def _on(self, geography: Geography) -> Mask:
        """Records of the days on which a geography is valid."""
        mask = np.ones(len(self.rows), dtype=bool)
        if geography.valid_from is not None:
            mask &= _true(pc.greater_equal(self.when, _midnight(geography.valid_from)))
        if geography.valid_to is not None:
            mask &= _true(pc.less(self.when, _midnight(geography.valid_to + timedelta(days=1))))
        return mask

    def _code_problems(
        self, level: str, state: _State, coded: Mask, code: Index, codes: list[str]
    ) -> Iterator[Problem]:
        lost = np.flatnonzero(coded & (state.at < 0))
        which, first, count = np.unique(code[lost], return_index=True, return_counts=True)
        order = np.argsort(-count, kind="stable")
        file, column = self.collected.file, f"places.{level}"
        for k in order[:_LISTED]:
            row, text = int(self.rows[lost[first[k]]]), codes[which[k]]
            hint = self._hint(text, level)
            yield problem(
                "place-code-unknown",
                file=file,
                row=row,
                column=column,
                rows=int(count[k]),
                value=text,
                level=level,
                hint=hint,
            )
        if len(order) > _LISTED:
            rest = int(count[order[_LISTED:]].sum())
            yield problem(
                "place-codes-more", file=file, column=column, rows=rest, codes=len(order) - _LISTED, level=level
            )
        never = [state.places[k] for k in np.setdiff1d(np.arange(len(state.places)), state.at)]
        if never and coded.any():
            listed = ", ".join(never[:_LISTED]) + (", …" if len(never) > _LISTED else "")
            yield problem("place-never-named", file=file, column=column, places=len(never), level=level, listed=listed)

    def _hint(self, code: str, level: str) -> str:
        """What may have gone wrong with a code."""
        found = self.hierarchy.candidates(code, level)
        if len(found) > 1:
            return f"it is the name of several: {', '.join(place.id for place in found[:5])}"
        if found:
            return f"{found[0].id} was not valid on that day: add the geography that was"
        near = [p.id for p in self.hierarchy.at_level(level) if p.id.lstrip("0") == code.lstrip("0")]
        if near:
            return f"did you mean {near[0]}? Zeros in front of a code are lost where it is kept as a number"
        return "correct it, add the place, or give it as an alias"

    def _by_coordinates(self, level: str, state: _State, open_: Mask) -> None:
        """Place those of the `open_` records that lie in a boundary of the level, valid on their day."""
        bounded = [
            index
            for index, geography in enumerate(self.geographies)
            if geography.level == level and geography.geometries is not None
        ]
        if not bounded:
            return
        number = {id: index for index, id in enumerate(state.places)}
        state.why[open_ & self.points.there] = _OUTSIDE
        state.why[open_ & ~self.points.there] = _NO_COORDINATES
        for index in bounded:
            geography = self.geographies[index]
            asked = np.flatnonzero(open_ & (state.at < 0) & self.points.there & self._on(geography))
            inside = self.points.inside(index, asked)
            own = np.array([*(number[place.id] for place in geography.places), NOWHERE], dtype=np.int64)
            state.at[asked] = own[inside]

    def climb(self, level: str, states: Mapping[str, _State]) -> None:
        """Fill what is open at a level from the finer levels, through their places' parents."""
        state = states[level]
        number = {id: index for index, id in enumerate(state.places)}
        named = self._named(level)
        for finer, below in states.items():
            if finer == level:
                continue
            asked = (state.at < 0) & (below.at >= 0) & ~named
            if not asked.any():
                continue
            for day, when in self._eras(asked):
                above = np.array([*self.above(below.places, level, number, day), NOWHERE], dtype=np.int64)
                state.at[when] = above[below.at[when]]
        state.why[state.at >= 0] = _PLACED

    def _named(self, level: str) -> Mask:
        """Records for which the source itself names a place of the level."""
        name = f"code_{level}"
        if name not in self.collected.table.column_names:
            return np.zeros(len(self.rows), dtype=bool)
        return _true(pc.is_valid(self.collected.table.column(name).combine_chunks()))

    def above(self, places: Sequence[str], level: str, number: Mapping[str, int], day: date | None) -> Iterator[int]:
        """For each place the number of the one above it at a level, as it was on a day."""
        for id in places:
            above = (number[p.id] for p in self.hierarchy.ancestors(id, day) if p.level == level)
            yield next(above, NOWHERE)

    def _eras(self, asked: Mask) -> Iterator[tuple[date | None, Index]]:
        """The asked records, by runs of days in which no geography begins or ends; a day of each run."""
        starts = {g.valid_from for g in self.geographies} | {
            g.valid_to + timedelta(days=1) for g in self.geographies if g.valid_to is not None
        }
        edges = sorted(day for day in starts if day is not None)
        if not edges:
            yield None, np.flatnonzero(asked)
            return
        era = np.zeros(len(asked), dtype=np.int64)
        for edge in edges:
            era += _true(pc.greater_equal(self.when, _midnight(edge)))
        for index, day in enumerate([edges[0] - timedelta(days=1), *edges]):
            here = np.flatnonzero(asked & (era == index))
            if len(here):
                yield day, here


def _unplaced(work: _Work, states: Mapping[str, _State]) -> Iterator[Problem]:
    """Records outside every boundary of a level. Those without coordinates are told by `collect`."""
    file, rows = work.collected.file, work.rows
    apart: dict[tuple[int, ...], list[str]] = {}  # rows → levels that they lie outside of
    for level, state in states.items():
        outside = np.flatnonzero(state.why == _OUTSIDE)
        if len(outside) and not (state.why == _PLACED).any():
            hint = work.points.hint(level)
            yield problem("place-all-outside", file=file, rows=len(outside), level=level, hint=hint)
        elif len(outside):
            apart.setdefault(tuple(outside.tolist()), []).append(level)
        elif len(rows) and not (state.why == _PLACED).any() and not (state.why == _OUTSIDE).any():
            yield problem("place-level-unreachable", file=file, level=level)
    for which, levels in apart.items():
        # the row says which; the coordinates themselves may be somebody's home, and stay out of messages
        said = " or ".join(levels)
        yield problem("place-outside", file=file, row=int(rows[which[0]]), rows=len(which), level=said)


def _disagreeing(work: _Work, states: Mapping[str, _State]) -> Iterator[Problem]:
    """Records whose places at two levels do not lie in each other."""
    names = list(states)
    for upper in names:
        number = {id: index for index, id in enumerate(states[upper].places)}
        for lower in names:
            below, above = states[lower], states[upper]
            if lower == upper or not below.places:
                continue
            expected = np.array([*work.above(below.places, upper, number, None), NOWHERE], dtype=np.int64)[below.at]
            apart = np.flatnonzero((expected >= 0) & (above.at >= 0) & (expected != above.at))
            if len(apart):
                row = int(work.rows[apart[0]])
                yield problem(
                    "place-levels-apart", file=work.collected.file, row=row, rows=len(apart), lower=lower, upper=upper
                )


def _unlocated(work: _Work, states: Mapping[str, _State]) -> pa.Table:
    parts = []
    why = pa.array(WHY)
    for level, state in states.items():
        lost = np.flatnonzero(state.at < 0)
        columns = [pa.array(work.rows[lost]), pa.repeat(level, len(lost)), why.take(pa.array(state.why[lost]))]
        parts.append(pa.table(columns, schema=UNLOCATED))
    return pa.concat_tables(parts) if parts else UNLOCATED.empty_table()


def _with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)


def _midnight(day: date) -> pa.Scalar:
    return pa.scalar(datetime(day.year, day.month, day.day), pa.timestamp("us"))


def _true(mask: pa.Array) -> Mask:
    """A mask as numpy; null is false."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)
