"""The smallest cells that everything published of some cases in a run of periods cuts these into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.disclose.attack_acts import Kinds
from safercities.disclose.zones import make_zones
from safercities.model.dimensions import TOTAL, UNKNOWN, age_range
from safercities.model.errors import SafercitiesError, problem
from safercities.model.periods import Period
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy

Ints = NDArray[np.int64]
#: More smallest cells than this cannot be attacked in useful time.
MOST_LEAVES = 300_000
#: Stands for all codes but the unknown one: of a dimension, and with a level for all places of that level.
KNOWN = "_K"


class Cell(NamedTuple):
    """A cell as estimates name it: place, period, the code of each dimension that it is broken down by, indicator.

    Of populations, and where there is but one, the indicator is not said.
    """

    place: str
    period: str
    codes: tuple[tuple[str, str], ...] = ()
    indicator: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Dimensions that it is broken down by."""
        return tuple(name for name, _ in self.codes)

    def but(self, name: str, code: str) -> Cell:
        """The cell with another code in a dimension; `_T`: not broken down by it."""
        codes = {**dict(self.codes), name: code}
        return self._replace(codes=tuple(sorted((k, v) for k, v in codes.items() if v != TOTAL)))


class Finest(NamedTuple):
    """A smallest cell: the kind of its acts, and what to call the rest of it."""

    kind: int
    words: str


@dataclass(frozen=True)
class Axis:
    """A dimension: how many smallest groups it has, and which of them each code adds up. The last group is unknown."""

    name: str
    size: int
    of: Mapping[str, Ints]


class Space:
    """The leaves: parts of periods × zones × kinds of acts × smallest groups of each dimension.

    Parameters
    ----------
    cells
        Everything that is published, of indicators that hold each other in one source.
    places
        Places with levels and parents.
    top
        The place that everything lies in.
    more
        Further codes that are needed: dimension → codes.
    kinds
        What the indicators count; default: all the same.

    Raises
    ------
    SafercitiesError
        If there would be more than `MOST_LEAVES`.

    Examples
    --------
    >>> cells = [Cell("T", "2024"), Cell("T", "2024", (("sex", "F"),)), Cell("T", "2024-Q1")]
    >>> space = Space(cells, [Place("T", "Town", "city")], "T")
    >>> space.shape, space.leaves(cells[1]).tolist()
    ((2, 1, 1, 2), [0, 2])
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        places: Sequence[Place],
        top: str,
        more: Mapping[str, Sequence[str]] | None = None,
        kinds: Kinds | None = None,
    ) -> None:
        given = list(dict.fromkeys(cells))
        self.top, self.kinds = top, kinds or Kinds.single("")
        self._by_id = {place.id: place for place in places}
        self._periods, self._parts = _parts(sorted({cell.period for cell in given}))
        codes: dict[str, dict[str, None]] = {name: dict.fromkeys(listed) for name, listed in (more or {}).items()}
        for cell in given:
            for name, code in cell.codes:
                codes.setdefault(name, {})[code] = None
        self.axes = tuple(_axis(name, sorted(codes[name])) for name in sorted(codes))
        self._zones(sorted({cell.place for cell in given}))
        kinds_of = len(self.kinds.counted)
        self.shape = (self._parts, self._zone_count, kinds_of, *(axis.size for axis in self.axes))
        size = 1
        for one in self.shape:
            size *= one
        if size > MOST_LEAVES:
            raise SafercitiesError(
                problem("attack-large", leaves=f"{size:,}".replace(",", " "), most=f"{MOST_LEAVES:,}".replace(",", " "))
            )

    def _zones(self, named: Sequence[str]) -> None:
        """Zones of the levels that are named, parallel ones crossed; which of them each place holds."""
        unplaced = {id.partition(".")[2] for id in named if id.startswith(f"{UNKNOWN}.")}
        below = [id for id in named if id in self._by_id and id != self.top]
        levels = list(dict.fromkeys([*(self._by_id[id].level for id in below), *sorted(unplaced)]))
        kept: dict[str, Place] = {}
        for start in (*below, self.top):
            up: str | None = start
            while up is not None and up not in kept and up in self._by_id:
                kept[up] = replace(self._by_id[up], valid_from=None, valid_to=None)
                up = self._by_id[up].parent
        tree = Hierarchy(replace(one, parent=one.parent if one.parent in kept else None) for one in kept.values())
        columns = {f"place_{level}": pa.array([], pa.string()) for level in levels}
        empty = pa.table(columns)
        zones, _ = make_zones(empty, np.zeros(0, dtype=bool), tree, levels, Period(date.min, date.min), self.top)
        self._zone_count = len(zones)
        self.levels = zones.levels
        everywhere = np.arange(len(zones), dtype=np.int64)
        self._places: dict[str, Ints] = {self.top: everywhere}
        for level in levels:
            at, along = zones.places(level), zones.along(level)
            self._places[f"{UNKNOWN}.{level}"] = np.flatnonzero(at == len(along) - 1)
            self._places[f"{KNOWN}.{level}"] = np.flatnonzero(at < len(along) - 1)
            for number, id in enumerate(along[:-1]):
                if id != self.top:
                    self._places[id] = np.flatnonzero(at == number)
        self._zone_names = [
            " / ".join(codes[at[zone]] for codes, at in zip(zones.codes, zones.at, strict=True) if codes[at[zone]])
            for zone in range(len(zones))
        ]

    @property
    def size(self) -> int:
        """Number of leaves."""
        return int(np.prod(self.shape, dtype=np.int64))

    @cached_property
    def _numbers(self) -> Ints:
        return np.arange(self.size, dtype=np.int64).reshape(self.shape)

    def holds(self, cell: Cell) -> bool:
        """Whether the cell is a sum of leaves."""
        known = {axis.name: axis.of for axis in self.axes}
        codes = all(name in known and code in known[name] for name, code in cell.codes)
        counted = cell.indicator in self.kinds.of or not cell.indicator
        return cell.period in self._periods and cell.place in self._places and codes and counted

    def leaves(self, cell: Cell) -> Ints:
        """The leaves that a cell adds up, in order."""
        codes = dict(cell.codes)
        along = [axis.of[codes[axis.name]] if axis.name in codes else np.arange(axis.size) for axis in self.axes]
        kinds = self.kinds.of.get(cell.indicator, np.arange(self.shape[2]))
        chosen = np.ix_(self._periods[cell.period], self._places[cell.place], kinds, *along)
        return np.asarray(self._numbers[chosen]).ravel()

    def finest(self, names: Sequence[str], *, placed: bool, kinds: Ints | None = None) -> Iterable[tuple[Finest, Ints]]:
        """The smallest cells of tables by these dimensions, and by place where `placed`: what each is, and its leaves.

        Parameters
        ----------
        kinds
            Of acts; default: all of them.
        """
        parts = [np.array([one]) for one in range(self._parts)]
        zones = [np.array([one]) for one in range(self._zone_count)] if placed else [np.arange(self._zone_count)]
        acts = [np.array([one]) for one in (range(self.shape[2]) if kinds is None else kinds.tolist())]
        along = [
            [np.array([one]) for one in range(axis.size)] if axis.name in names else [np.arange(axis.size)]
            for axis in self.axes
        ]
        for chosen in product(parts, zones, acts, *along):
            one = Finest(int(chosen[2][0]), self._called(chosen))
            yield one, np.asarray(self._numbers[np.ix_(*chosen)]).ravel()

    def _called(self, chosen: Sequence[Ints]) -> str:
        """What to call the smallest cell at these positions, whatever its acts."""
        words = []
        for axis, at in zip(self.axes, chosen[3:], strict=True):
            if len(at) < axis.size:
                words.append(axis_word(axis, int(at[0])))
        if len(chosen[1]) < self._zone_count:
            words.append(f"the area {self._zone_names[int(chosen[1][0])]}")
        return ", ".join([*words, self.part_words[int(chosen[0][0])]])

    @cached_property
    def part_words(self) -> list[str]:
        """What to call each part of the periods."""
        return [str(part) for part in self._part_list]

    @property
    def _part_list(self) -> list[Period]:
        return list(_cut(sorted(self._periods)))


def axis_word(axis: Axis, at: int) -> str:
    """What to call one smallest group: the code that holds it and the fewest others."""
    inside = [code for code, positions in axis.of.items() if at in positions and code != KNOWN]
    if not inside:
        return f"{axis.name} not named"
    best = min(inside, key=lambda code: (len(axis.of[code]), code))
    return f"{axis.name} not known" if best == UNKNOWN else best if len(axis.of[best]) == 1 else f"a part of {best}"


def _cut(codes: Sequence[str]) -> list[Period]:
    """The days that all periods together hold, cut at every end of one of them."""
    periods = [Period.parse(code) for code in codes]
    edges = sorted({one.start for one in periods} | {one.end + timedelta(days=1) for one in periods})
    parts = [Period(start, end - timedelta(days=1)) for start, end in pairwise(edges)]
    return [part for part in parts if any(one.contains(part) for one in periods)]


def _parts(codes: Sequence[str]) -> tuple[dict[str, Ints], int]:
    """Which parts each period adds up, and how many there are."""
    parts = _cut(codes)
    inside = {
        code: np.array([at for at, part in enumerate(parts) if Period.parse(code).contains(part)], dtype=np.int64)
        for code in codes
    }
    return inside, len(parts)


def together(codes: Iterable[str]) -> list[set[str]]:
    """Periods in groups: those that share days are in one, so that nothing said of one group tells of another.

    Examples
    --------
    >>> [sorted(group) for group in together(["2023", "2024", "2024-Q1"])]
    [['2023'], ['2024', '2024-Q1']]
    """
    groups: list[set[str]] = []
    last: date | None = None
    for code in sorted(set(codes), key=lambda one: Period.parse(one)):
        period = Period.parse(code)
        if last is None or period.start > last:
            groups.append(set())
        groups[-1].add(code)
        last = period.end if last is None else max(last, period.end)
    return groups


def _axis(name: str, codes: Sequence[str]) -> Axis:
    """The smallest groups of a dimension: ages are cut at every edge, other codes are taken as they are."""
    listed = [code for code in codes if code not in (TOTAL, UNKNOWN, KNOWN)]
    if name == "age":
        try:
            return _ages(listed)
        except SafercitiesError:  # somebody's own codes
            pass
    of = {code: np.array([at], dtype=np.int64) for at, code in enumerate(listed)}
    return _with_rest(name, of, len(listed))


def _ages(codes: Sequence[str]) -> Axis:
    ranges = {code: age_range(code) for code in codes}
    top = 1 + max((low if high is None else high) for low, high in ranges.values()) if ranges else 0
    ends = {code: (low, top if high is None else high + 1) for code, (low, high) in ranges.items()}
    edges = sorted({edge for pair in ends.values() for edge in pair})
    pieces = list(pairwise(edges))
    of = {
        code: np.array([at for at, (a, b) in enumerate(pieces) if low <= a and b <= high], dtype=np.int64)
        for code, (low, high) in ends.items()
    }
    return _with_rest("age", of, len(pieces))


def _with_rest(name: str, of: dict[str, Ints], size: int) -> Axis:
    rest = np.array([size], dtype=np.int64)
    return Axis(name, size + 1, {**of, UNKNOWN: rest, KNOWN: np.arange(size, dtype=np.int64)})
