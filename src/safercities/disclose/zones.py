"""Zones: the smallest areas that all published geographies cut a place into, and the one that each record lies in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.model.dimensions import UNKNOWN
from safercities.model.errors import SafercitiesError, problem
from safercities.model.periods import Period
from safercities.places.hierarchy import Hierarchy

Ints = NDArray[np.int64]
#: More zones than this are no partition of a city: parallel geographies of which nobody says what they share.
MOST_ZONES = 500_000

#: One zone: a place at each level, `_U` where it is in none.
Chain = tuple[str, ...]
#: (level, level) → pairs of places of these two levels that share ground.
Overlaps = Mapping[tuple[str, str], Collection[tuple[str, str]]]


@dataclass(frozen=True, eq=False)
class Zones:
    """Zones, as chains of one place a level.

    Parameters
    ----------
    levels
        Of the places, in the order of the source.
    codes
        Places of each level, `_U` last.
    at
        Position of each zone's place among the codes of each level; shape (levels, zones). The zone 0 has no place at
        any level.
    """

    levels: tuple[str, ...]
    codes: tuple[tuple[str, ...], ...]
    at: Ints

    def __len__(self) -> int:
        return int(self.at.shape[1])

    def along(self, level: str) -> tuple[str, ...]:
        """Codes of one level."""
        return self.codes[self.levels.index(level)]

    def places(self, level: str) -> Ints:
        """Position of each zone's place among the codes of one level, shape (zones,)."""
        return np.asarray(self.at[self.levels.index(level)])


def make_zones(
    records: pa.Table,
    inside: NDArray[np.bool_],
    hierarchy: Hierarchy,
    levels: Sequence[str],
    period: Period,
    place: str,
    overlaps: Overlaps | None = None,
) -> tuple[Zones, Ints]:
    """The zones that are possible in a period, and the zone of each record in it.

    Possible are: every place that exists on the first or the last day of the period, with the places above it and any
    place of a parallel geography that may share ground with it; every place without one at the finer levels; no place
    at all; and whatever a record says, as boundaries may be drawn apart. Zones without a case must be among them: else
    no case could be told from few.

    Parameters
    ----------
    records
        Columns `place_<level>`; null reads as `_U`.
    inside
        Which records are of the period.
    place
        Id of the observatory's own place, which is no zone.
    overlaps
        Which places of two parallel levels share ground; without it, all whose places above agree.

    Raises
    ------
    SafercitiesError
        If there would be more than `MOST_ZONES`.

    Examples
    --------
    >>> from safercities.model.places import Place
    >>> wards = [Place("N", "North", "ward", "T"), Place("S", "South", "ward", "T")]
    >>> tree = Hierarchy([Place("T", "Town", "city"), *wards])
    >>> table = pa.table({"place_ward": ["S", "_U"]})
    >>> zones, of = make_zones(table, np.array([True, True]), tree, ["ward"], Period.parse("2020"), "T")
    >>> zones.codes, zones.at.tolist(), of.tolist()
    ((('N', 'S', '_U'),), [[2, 0, 1]], [2, 0])
    """
    number, chains = distinct_chains(records, levels)
    found: dict[Chain, None] = {(UNKNOWN,) * len(levels): None}
    exist: set[str] = {UNKNOWN}
    for day in dict.fromkeys((period.start, period.end)):
        tree = _Tree(hierarchy, levels, day, place)
        exist.update(id for ids in tree.places for id in ids)
        found.update(dict.fromkeys(_chains(tree, overlaps or {})))
    here = set(np.unique(number[inside]).tolist())
    seen = [chain for one, chain in enumerate(chains) if one in here or exist.issuperset(chain)]
    found.update(dict.fromkeys(sorted(seen)))
    zones = _numbered(tuple(found), levels, hierarchy)
    position = {chain: at for at, chain in enumerate(found)}
    of = np.array([position.get(chain, -1) for chain in chains], dtype=np.int64)
    return zones, of[number[inside]] if len(chains) else np.zeros(0, dtype=np.int64)


def distinct_chains(records: pa.Table, levels: Sequence[str]) -> tuple[Ints, list[Chain]]:
    """The chain of each record as a number, and the distinct chains."""
    number = np.zeros(records.num_rows, dtype=np.int64)
    first = np.zeros(min(1, records.num_rows), dtype=np.int64)
    columns = []
    for level in levels:
        text = pc.fill_null(records.column(f"place_{level}").cast(pa.string()), UNKNOWN).combine_chunks()
        columns.append(text)
        coded = text.dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        _, first, number = np.unique(
            number * max(1, len(coded.dictionary)) + codes, return_index=True, return_inverse=True
        )
        number = number.astype(np.int64)
    values = [column.take(pa.array(first)).to_pylist() for column in columns]
    return number, [tuple(column[at] for column in values) for at in range(len(first))]


def _numbered(chains: Sequence[Chain], levels: Sequence[str], hierarchy: Hierarchy) -> Zones:
    codes, at = [], []
    for axis, level in enumerate(levels):
        there = {chain[axis] for chain in chains} - {UNKNOWN}
        listed = [one.id for one in hierarchy.at_level(level) if one.id in there]
        along = (*listed, *sorted(there - set(listed)), UNKNOWN)
        position = {code: number for number, code in enumerate(along)}
        codes.append(along)
        at.append([position[chain[axis]] for chain in chains])
    return Zones(tuple(levels), tuple(codes), np.array(at, dtype=np.int64).reshape(len(levels), len(chains)))


class _Tree:
    """The places of each level as they are on a day, and what lies above each."""

    def __init__(self, hierarchy: Hierarchy, levels: Sequence[str], day: date, place: str) -> None:
        self.levels = tuple(levels)
        self.places = [
            [one.id for one in hierarchy.at_level(level) if one.id != place and hierarchy.valid_on(one.id, day)]
            for level in levels
        ]
        self._hierarchy, self._day = hierarchy, day
        self._above: dict[str, dict[str, str]] = {}

    def above(self, id: str) -> dict[str, str]:
        """Level → the place above one, the nearest of each level."""
        if id not in self._above:
            if id not in self._hierarchy:
                return {}
            found: dict[str, str] = {}
            for one in self._hierarchy.ancestors(id, self._day):
                found.setdefault(one.level, one.id)
            self._above[id] = found
        return self._above[id]


def _chains(tree: _Tree, overlaps: Overlaps) -> Iterator[Chain]:
    """Every chain of places that agree with each other."""
    chains: list[Chain] = [()]
    for axis, level in enumerate(tree.levels):
        groups = _by_what_is_above(tree, axis)
        longer = []
        for chain in chains:
            forced = {above for id in chain if (above := tree.above(id).get(level)) is not None}
            if forced:
                candidates = sorted(forced) if len(forced) == 1 else []
            else:
                fitting = (groups[fixed].get(tuple(chain[one] for one in fixed), []) for fixed in groups)
                candidates = [UNKNOWN, *(id for ids in fitting for id in ids)]
            longer += [(*chain, id) for id in candidates if _agree(tree, chain, id, level, overlaps)]
            if len(longer) > MOST_ZONES:
                levels = ", ".join(tree.levels[: axis + 1])
                raise SafercitiesError(problem("publish-zones-many", column="publish.levels", levels=levels))
        chains = longer
    yield from chains


def _by_what_is_above(tree: _Tree, axis: int) -> Mapping[tuple[int, ...], Mapping[Chain, list[str]]]:
    """Places of a level by those above them at earlier levels: (positions of these levels) → their ids → places."""
    groups: dict[tuple[int, ...], dict[Chain, list[str]]] = defaultdict(lambda: defaultdict(list))
    for id in tree.places[axis]:
        above = tree.above(id)
        fixed = tuple(one for one in range(axis) if tree.levels[one] in above)
        groups[fixed][tuple(above[tree.levels[one]] for one in fixed)].append(id)
    return groups


def _agree(tree: _Tree, chain: Chain, id: str, level: str, overlaps: Overlaps) -> bool:
    """Whether a place can stand beside those of parallel geographies: the places above both are the same."""
    if id == UNKNOWN:
        return True
    above = tree.above(id)
    for other_level, other in zip(tree.levels, chain, strict=False):
        if other == UNKNOWN or above.get(other_level) == other or tree.above(other).get(level) == id:
            continue
        theirs = tree.above(other)
        if any(above[one] != theirs[one] for one in above.keys() & theirs.keys()):
            return False
        shared, turned = overlaps.get((other_level, level)), overlaps.get((level, other_level))
        if shared is not None and (other, id) not in shared:
            return False
        if turned is not None and (id, other) not in turned:
            return False
    return True
