"""The tree of places: which lies in which, at which level, since when; and finding one by code, alias or name."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from itertools import pairwise

from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.places import Place


class Hierarchy:
    """Places of any number of geographies, parallel and dated, as one checked tree.

    One id may stand for several forms of a place (a ward before and after a reform) where their dates do not overlap;
    `hierarchy[id]` is then the latest. Levels keep the order in which they are given.

    Raises
    ------
    SafercitiesError
        If two places have one id, a parent is not there, or places lie in each other in a circle.

    Examples
    --------
    >>> city, ward = Place("CO-MDE", "Medellín", "city"), Place("13", "San Javier", "comuna", "CO-MDE")
    >>> tree = Hierarchy([city, ward])
    >>> [p.name for p in tree.ancestors("13")], tree.levels, tree.find("san javier").id
    (['Medellín'], ('city', 'comuna'), '13')
    """

    def __init__(self, places: Iterable[Place]) -> None:
        forms: dict[str, list[Place]] = defaultdict(list)
        for place in places:
            forms[place.id].append(place)
        self._forms = {id: tuple(sorted(same, key=_since)) for id, same in forms.items()}
        self._latest = {id: same[-1] for id, same in self._forms.items()}
        self.levels: tuple[str, ...] = tuple(dict.fromkeys(same[0].level for same in forms.values()))
        if problems := [*self._twice(), *self._orphans()] or [*self._circles()]:
            raise SafercitiesError(problems)
        self._children: dict[str, list[Place]] = defaultdict(list)
        for place in (form for same in self._forms.values() for form in same):
            if place.parent is not None:
                self._children[place.parent].append(place)
        self._names = _names(form for same in self._forms.values() for form in same)

    def _twice(self) -> Iterable[Problem]:
        for id, same in self._forms.items():
            for one, two in pairwise(same):
                if one.level != two.level or _overlap(one, two):
                    yield problem("place-id-twice", file=_file(two), id=id, one=_described(one), two=_described(two))

    def _orphans(self) -> Iterable[Problem]:
        lost: dict[tuple[str, str], list[Place]] = defaultdict(list)
        for place in (form for same in self._forms.values() for form in same):
            if place.parent is not None and place.parent not in self._forms:
                lost[_file(place), place.parent].append(place)
        for (file, parent), places in lost.items():
            yield problem("place-parent-unknown", file=file, rows=len(places), id=places[0].id, parent=parent)

    def _circles(self) -> Iterable[Problem]:
        done: set[str] = set()
        for start in self._latest:
            path: dict[str, None] = {}
            here: str | None = start
            while here is not None and here not in done and here not in path:
                path[here] = None
                here = self._latest[here].parent
            if here in path:
                circle = list(path)[list(path).index(str(here)) :]
                yield problem(
                    "place-circle", file=_file(self._latest[circle[0]]), circle=" → ".join([*circle, circle[0]])
                )
            done.update(path)

    def __getitem__(self, id: str) -> Place:
        return self._latest[id]

    def __contains__(self, id: object) -> bool:
        return id in self._latest

    def __len__(self) -> int:
        return len(self._latest)

    @property
    def places(self) -> tuple[Place, ...]:
        """Every place once, in the order given; of several forms the latest."""
        return tuple(self._latest.values())

    def valid_on(self, id: str, day: date) -> bool:
        """Whether the place existed on that day, in any form."""
        return any(form.valid_on(day) for form in self._forms[id])

    def children(self, id: str, day: date | None = None) -> tuple[Place, ...]:
        """Places that lie directly in a place: ever, or on a day. Those of parallel geographies stand side by side.

        Examples
        --------
        >>> old = Place("W1", "Mill", "ward", "L", valid_to=date(2015, 12, 31))
        >>> new = Place("W2", "Mill and Park", "ward", "L", valid_from=date(2016, 1, 1))
        >>> tree = Hierarchy([Place("L", "Lancaster", "city"), old, new])
        >>> [p.id for p in tree.children("L")], [p.id for p in tree.children("L", date(2019, 7, 1))]
        (['W1', 'W2'], ['W2'])
        """
        found = self._children.get(id, [])
        return tuple({place.id: place for place in found if day is None or place.valid_on(day)}.values())

    def ancestors(self, id: str, day: date | None = None) -> tuple[Place, ...]:
        """The places that a place lies in, nearest first; with a day, by the forms valid on it where there are any."""
        above: list[Place] = []
        parent = self._form(id, day).parent
        while parent is not None:
            above.append(self._form(parent, day))
            parent = above[-1].parent
        return tuple(above)

    def _form(self, id: str, day: date | None) -> Place:
        valid = [form for form in self._forms[id] if day is not None and form.valid_on(day)]
        return valid[-1] if valid else self._latest[id]

    def at_level(self, level: str) -> tuple[Place, ...]:
        """Every place of a level, in the order given."""
        return tuple(place for place in self._latest.values() if place.level == level)

    def descend(self, id: str, level: str) -> tuple[Place, ...]:
        """Every place of a level that lies in a place, directly or not; the place itself where it is of that level."""
        found: dict[str, Place] = {}
        seen: set[str] = set()
        waiting = [id]
        while waiting:
            here = waiting.pop(0)
            if here in seen:
                continue
            seen.add(here)
            if self._latest[here].level == level:
                found[here] = self._latest[here]
            waiting.extend(child.id for child in self._children.get(here, []))
        return tuple(found.values())

    def find(self, code: str, level: str | None = None) -> Place | None:
        """The place with that id, else that alias, else that name (capitals and spaces do not matter).

        None where there is none, or an alias or name is that of several places.
        """
        found = self.candidates(code, level)
        return found[0] if len(found) == 1 else None

    def candidates(self, code: str, level: str | None = None) -> tuple[Place, ...]:
        """Every place that a code may mean: by id, else by alias, else by name.

        Examples
        --------
        >>> tree = Hierarchy([Place("1", "Centro", "ward"), Place("2", "CENTRO", "ward")])
        >>> [p.id for p in tree.candidates("Centro")], tree.find("Centro")
        (['1', '2'], None)
        """
        if code in self._latest and level in (None, self._latest[code].level):
            return (self._latest[code],)
        for key in (("alias", code), ("name", _plain(code))):
            ids = self._names.get(key, ())
            found = tuple(self._latest[id] for id in ids if level in (None, self._latest[id].level))
            if found:
                return found
        return ()


def _names(forms: Iterable[Place]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(alias or name, text) → ids."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for place in forms:
        found["name", _plain(place.name)][place.id] = None
        for alias in place.aliases.values():
            found["alias", alias][place.id] = None
    return {key: tuple(ids) for key, ids in found.items()}


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _since(place: Place) -> date:
    return place.valid_from or date.min


def _overlap(one: Place, two: Place) -> bool:
    """Whether there is a day on which both are valid; `one` begins first."""
    return one.valid_to is None or two.valid_from is None or two.valid_from <= one.valid_to


def _file(place: Place) -> str:
    return (place.geometry or "").split("#")[0]


def _described(place: Place) -> str:
    where = f", {place.geometry}" if place.geometry else ""
    return f"{place.name} ({place.level}{where})"
