"""Which place lies in which: what is above one, in it and beside it, asked of published places; worked out once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from safercities.hub.figures.about import PlaceInfo


class Tree:
    """Places by what they lie in. A circle in the releases ends wherever it closes.

    Examples
    --------
    >>> city = PlaceInfo(id="c", name="City", level="city", parent=None)
    >>> parts = [PlaceInfo(id=id, name=id, level="ward", parent="c") for id in "ba"]
    >>> tree = Tree({one.id: one for one in (city, *parts)})
    >>> tree.children("c"), tree.line("a"), sorted(tree.within("c"))
    (('a', 'b'), ('a', 'c'), ['a', 'b', 'c'])
    >>> tree.finest_first(["city", "ward"])
    ['ward', 'city']
    """

    def __init__(self, places: Mapping[str, PlaceInfo]) -> None:
        self._places = places
        self._within: dict[str, frozenset[str]] = {}
        found: dict[str, list[PlaceInfo]] = {}
        for one in places.values():
            if one.parent is not None and one.parent != one.id:
                found.setdefault(one.parent, []).append(one)
        self._children = {
            id: tuple(one.id for one in sorted(several, key=lambda one: (one.unplaced, one.name.casefold(), one.id)))
            for id, several in found.items()
        }
        self._fineness = self._measured()

    def _measured(self) -> dict[str, tuple[int, int]]:
        """Level → how deep its places lie at most, and how many there are."""
        depths, counts = dict[str, int](), dict[str, int]()
        for one in self._places.values():
            if not one.unplaced:
                depths[one.level] = max(depths.get(one.level, 0), len(self.line(one.id)))
                counts[one.level] = counts.get(one.level, 0) + 1
        return {level: (depth, counts[level]) for level, depth in depths.items()}

    def children(self, place: str) -> tuple[str, ...]:
        """Places that lie directly in it, by name; cases whose place is not known come last."""
        return self._children.get(place, ())

    def line(self, place: str) -> tuple[str, ...]:
        """It and those it lies in, from the inside outward."""
        found: dict[str, None] = {}
        here: str | None = place
        while here is not None and here in self._places and here not in found:
            found[here] = None
            here = self._places[here].parent
        return tuple(found)

    def within(self, place: str) -> frozenset[str]:
        """It and all places that lie in it, however deep."""
        known = self._within.get(place)
        if known is None:
            known = self._within[place] = frozenset(self._down(place))
        return known

    def _down(self, place: str) -> set[str]:
        found, left = {place} & self._places.keys(), deque([place])
        while left:
            new = set(self.children(left.popleft())) - found
            found |= new
            left.extend(new)
        return found

    def finest_first(self, levels: list[str]) -> list[str]:
        """Levels from the smallest places to the largest: by how deep they lie, then by how many there are."""
        return sorted(levels, key=lambda level: (*self._fineness.get(level, (0, 0)), level), reverse=True)
