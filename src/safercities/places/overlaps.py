"""Which places of parallel geographies share ground: a beat and a ward that cross have cases in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import shapely

from safercities.places.geographies import OVERLAP_TOLERANCE, Geography
from safercities.places.hierarchy import Hierarchy
from safercities.places.within import projected

#: (level, level) → pairs of places of these two levels that share ground.
Overlaps = Mapping[tuple[str, str], frozenset[tuple[str, str]]]


def overlaps(geographies: Sequence[Geography], hierarchy: Hierarchy) -> Overlaps:
    """The pairs of places that share ground, for each two levels that are parallel: neither nests in the other.

    Two places share ground where more than `OVERLAP_TOLERANCE` of the smaller one lies in the other: less is a border
    that was drawn twice. Where a level nests in the other, the tree says what lies where. Of two levels of which one
    has no boundaries nothing is known, and nothing is said.

    Parameters
    ----------
    geographies
        A level may stand several times, with other dates: forms that were never valid together share nothing.
    hierarchy
        All places.

    Examples
    --------
    >>> from safercities.model.places import Place
    >>> def drawn(level, ids, x):
    ...     boxes = np.array([shapely.box(at, 0, at + 2, 1) for at in x])
    ...     return Geography(level, tuple(Place(i, i, level, "T") for i in ids), boxes, "EPSG:27700", None, None, ())
    >>> wards, beats = drawn("ward", "ab", [0, 2]), drawn("beat", "pq", [0, 1.5])
    >>> tree = Hierarchy([Place("T", "T", "city"), *wards.places, *beats.places])
    >>> [(levels, sorted(pairs)) for levels, pairs in overlaps([wards, beats], tree).items()]
    [(('ward', 'beat'), [('a', 'p'), ('a', 'q'), ('b', 'q')])]
    """
    levels = dict.fromkeys(one.level for one in geographies)
    return {
        (one, two): frozenset(_shared(_at(geographies, one), _at(geographies, two)))
        for one, two in combinations(levels, 2)
        if not (_nests(hierarchy, one, two) or _nests(hierarchy, two, one)) and _drawn(geographies, one, two)
    }


def _at(geographies: Sequence[Geography], level: str) -> list[Geography]:
    return [one for one in geographies if one.level == level]


def _nests(hierarchy: Hierarchy, inner: str, outer: str) -> bool:
    """Whether the tree puts every place of a level into one of the other."""
    return all(any(above.level == outer for above in hierarchy.ancestors(one.id)) for one in hierarchy.at_level(inner))


def _drawn(geographies: Sequence[Geography], *levels: str) -> bool:
    return all(one.geometries is not None for one in geographies if one.level in levels)


def _shared(ones: Sequence[Geography], twos: Sequence[Geography]) -> Iterator[tuple[str, str]]:
    for one in ones:
        for two in twos:
            if _together(one, two):
                yield from _pairs(one, two)


def _together(one: Geography, two: Geography) -> bool:
    """Whether there is a day on which both are valid."""

    def ends_before(first: Geography, second: Geography) -> bool:
        return first.valid_to is not None and second.valid_from is not None and first.valid_to < second.valid_from

    return not ends_before(one, two) and not ends_before(two, one)


def _pairs(one: Geography, two: Geography) -> Iterator[tuple[str, str]]:
    ours, theirs = np.asarray(one.geometries, dtype=object), projected(two, one.crs)
    tree = shapely.STRtree(theirs)
    a, b = tree.query(ours, predicate="intersects")
    inside = np.zeros(len(a), dtype=bool)
    if len(a):  # what lies wholly in the other needs no intersection, which is the slow part
        shapely.prepare(theirs)
        inside = shapely.covers(theirs[b], ours[a])
    shared = np.array(shapely.area(ours[a]))
    cut = np.flatnonzero(~inside)
    shared[cut] = shapely.area(shapely.intersection(ours[a[cut]], theirs[b[cut]]))
    smaller = np.minimum(shapely.area(ours[a]), shapely.area(theirs[b]))
    for at in np.flatnonzero(shared > OVERLAP_TOLERANCE * smaller).tolist():
        yield one.places[a[at]].id, two.places[b[at]].id
