"""How the domains of a survey add up: cells of the breakdowns, and which of them each domain is the sum of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.places import Place

if TYPE_CHECKING:
    from scipy import sparse

#: Dimension that the place of a row counts as; its codes are places.
PLACE = "place"
#: More cells than this are not attacked: breakdowns that cross so widely must be asked for one by one.
MANY_CELLS = 50_000
#: A domain: the code of each dimension, the place first; `_T` = not broken down by it.
Key = tuple[str, ...]
_Attributes = frozenset[str]


@dataclass(frozen=True)
class Chain:
    """Levels of places that lie in each other, as one attribute of a respondent.

    Parameters
    ----------
    name
        As `place neighbourhood`.
    leaves
        The finest places, and what of each coarser place lies in none of them (as `D1/`).
    zones
        Place → the leaves it is the sum of.
    """

    name: str
    leaves: tuple[str, ...]
    zones: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Leaves:
    """Domains as sums of cells.

    Parameters
    ----------
    domains
        The domains, in the order of the matrix's rows.
    sums
        0 and 1, (domains, cells): cells of each domain.
    same
        −1, 0 and 1, (equalities, cells): sums that are 0 whoever the respondents are, as breakdowns share margins.
    total
        Position of the domain of everybody, −1: none.
    """

    domains: tuple[Key, ...]
    sums: sparse.csr_array
    same: sparse.csr_array
    total: int


def leaves(domains: Iterable[Key], names: Sequence[str], places: Sequence[Place] = ()) -> Leaves:
    """The cells that domains of one sample are made of.

    Breakdowns are joined as a tree wherever they can be: tables that share margins exist together as soon as each two
    that meet agree on what they share. Breakdowns that meet in a circle (sex × age, age × place, place × sex) are
    joined as one table of all their dimensions, because agreement two by two is not enough there. Source of the rule:
    Graham (1979), Yu, Özsoyoğlu (1979), on acyclic database schemes; Beeri and others (1983), Journal of the ACM 30.

    A cell that would have a row of its own, and has none, had no respondent.

    Parameters
    ----------
    domains
        Rows, without repetition; the first entry is the place, the others the codes of `names`.
    names
        Dimensions.
    places
        Places with their parents and levels. Not needed where all domains are of one place.

    Raises
    ------
    UsageError
        If a place is unknown, or the places have no common top.
    SafercitiesError
        If the breakdowns need more than `MANY_CELLS` cells.

    Examples
    --------
    >>> found = leaves([("A", "_T"), ("A", "F"), ("A", "M")], ["sex"])
    >>> found.sums.toarray().tolist(), found.total
    ([[1, 1], [1, 0], [0, 1]], 0)
    """
    rows = tuple(dict.fromkeys(domains))
    top, chains = _chains([row[0] for row in rows], places)
    ways = [_ways(row, names, top, chains) for row in rows]
    codes = _codes(rows, names, chains)
    asked = list(dict.fromkeys(frozenset(way) for each in ways for way in each))
    edges, joins = _tree([one for one in asked if one])
    tables = [_cells(edge, asked, codes, ways) for edge in edges]
    start = _starts(tables)
    index = [{cell: start[i] + at for at, cell in enumerate(cells)} for i, (_, cells) in enumerate(tables)]
    size = start[-1]
    own = [[_members(way, tables, index) for way in each] for each in ways]
    same = [(one, _signed(other)) for first, *others in own for one in [_signed(first)] for other in others]
    same += [pair for join in joins for pair in _margins(join, tables, index)]
    total = next((at for at, each in enumerate(ways) if not each[0]), -1)
    return Leaves(rows, _matrix([each[0] for each in own], size), _differences(same, size), total)


def divisions(found: Sequence[str], places: Sequence[Place]) -> dict[str, frozenset[str]]:
    """In which divisions of the whole each place stands; the whole itself in none.

    Levels of places that lie in each other are one division; police beats beside neighbourhoods are another one. What
    overlaps what is not known here, so that two of them side by side cannot be proved safe.

    Raises
    ------
    UsageError
        As `leaves`.

    Examples
    --------
    >>> city = [Place("A", "A", "city"), Place("N", "N", "quarter", "A"), Place("B", "B", "beat", "A")]
    >>> {place: sorted(of) for place, of in divisions(["A", "N", "B"], city).items()}
    {'A': [], 'N': ['place quarter'], 'B': ['place beat']}
    """
    chains = _chains(found, places)[1].values()
    return {one: frozenset(chain.name for chain in chains if one in chain.zones) for one in found}


# -- places ------------------------------------------------------------------------------------------------------------


def _chains(found: Sequence[str], places: Sequence[Place]) -> tuple[str, dict[str, Chain]]:
    """The place that holds all others, and the chains of levels by the name of each."""
    real = list(dict.fromkeys(one for one in found if not one.startswith(f"{UNKNOWN}.")))
    unplaced = {one.removeprefix(f"{UNKNOWN}.") for one in found if one.startswith(f"{UNKNOWN}.")}
    if len(real) <= 1 and not unplaced:
        return (real[0] if real else TOTAL), {}
    known = {one.id: one for one in places}
    if lost := [one for one in real if one not in known]:
        raise UsageError(problem("survey-places-unknown", places=", ".join(lost[:5])))
    above = {one: _above(one, known) for one in real}
    tops = [one for one in real if all(one == other or one in above[other] for other in real)]
    if len(tops) != 1:
        raise UsageError(problem("survey-places-unknown", places=", ".join(real[:5])))
    level = {one: known[one].level for one in real if one != tops[0]}
    levels = list(dict.fromkeys([*level.values(), *unplaced]))
    over = {
        name: {level[up] for one in level if level[one] == name for up in above[one] if up in level} for name in levels
    }
    finest = [name for name in levels if not any(name in over[other] for other in levels)]
    chains = {}
    for name in finest:
        chain = _chain(name, {name, *over[name]}, level, above, unplaced)
        chains[chain.name] = chain
    return tops[0], chains


def _above(one: str, known: Mapping[str, Place]) -> tuple[str, ...]:
    found: list[str] = []
    parent = known[one].parent
    while parent is not None and parent in known and parent not in found:
        found.append(parent)
        parent = known[parent].parent
    return tuple(found)


def _chain(
    name: str, levels: set[str], level: Mapping[str, str], above: Mapping[str, Sequence[str]], unplaced: set[str]
) -> Chain:
    """One chain; respondents outside every finest place are known to be there only where a row says so."""
    fine = [one for one in level if level[one] == name]
    coarse = [one for one in level if level[one] in levels and level[one] != name]
    holders = {one: {one, *above[one]} for one in fine}
    if name in unplaced:
        holders |= {f"{one}/": {one, *above[one]} for one in coarse}
        holders |= {"/": set()} if levels <= unplaced or not coarse else {}
    zones = {one: frozenset(leaf for leaf, inside in holders.items() if one in inside) for one in (*fine, *coarse)}
    for which in levels & unplaced:
        of_level = {one for one in (*fine, *coarse) if level[one] == which}
        zones[f"{UNKNOWN}.{which}"] = frozenset(leaf for leaf, inside in holders.items() if not inside & of_level)
    return Chain(f"{PLACE} {name}", tuple(holders), zones)


# -- breakdowns --------------------------------------------------------------------------------------------------------


def _ways(row: Key, names: Sequence[str], top: str, chains: Mapping[str, Chain]) -> list[dict[str, frozenset[str]]]:
    """A domain as codes of attributes; several ways where its place lies in several chains."""
    fixed = {name: frozenset([code]) for name, code in zip(names, row[1:], strict=True) if code != TOTAL}
    if row[0] == top:
        return [fixed]
    return [fixed | {one.name: one.zones[row[0]]} for one in chains.values() if row[0] in one.zones]


def _codes(rows: Sequence[Key], names: Sequence[str], chains: Mapping[str, Chain]) -> dict[str, tuple[str, ...]]:
    found = {name: tuple(dict.fromkeys(row[at] for row in rows)) for at, name in enumerate(names, start=1)}
    return {name: tuple(code for code in codes if code != TOTAL) for name, codes in found.items()} | {
        one.name: one.leaves for one in chains.values()
    }


def _tree(asked: Sequence[_Attributes]) -> tuple[list[_Attributes], list[tuple[_Attributes, _Attributes]]]:
    """Largest breakdowns, and which two of them must agree; what is left in a circle becomes one."""
    edges = [one for one in asked if not any(one < other for other in asked)]
    kept, joins, rest = [], [], list(edges)
    while len(rest) > 1:
        for ear in rest:
            others = [one for one in rest if one is not ear]
            shared = ear & frozenset().union(*others)
            holder = next((one for one in others if shared <= one), None)
            if holder is not None:
                kept.append(ear)
                joins.append((ear, holder))
                rest.remove(ear)
                break
        else:
            whole = frozenset().union(*rest)
            joins = [(ear, whole if holder in rest else holder) for ear, holder in joins]
            rest = [whole]
    return [*rest, *kept] or [frozenset()], joins


def _cells(
    edge: _Attributes,
    asked: Sequence[_Attributes],
    codes: Mapping[str, Sequence[str]],
    ways: Sequence[Sequence[Mapping[str, frozenset[str]]]],
) -> tuple[tuple[str, ...], list[Key]]:
    """Attributes and cells of a table: those that may have respondents."""
    names = tuple(sorted(edge))
    if prod(len(codes[name]) for name in names) > MANY_CELLS:
        raise SafercitiesError(problem("survey-cells-many", breakdown=" × ".join(names), most=MANY_CELLS))
    cells = list(product(*(codes[name] for name in names)))
    for part in asked:
        if not part or not part <= edge:
            continue
        own = sorted(part)
        there = {
            tuple(next(iter(way[name])) for name in own)
            for each in ways
            for way in each
            if frozenset(way) == part and all(len(way[name]) == 1 for name in own)
        }
        at = [names.index(name) for name in own]
        hidden = [any(code.endswith("/") for code in _taken(cell, at)) for cell in cells]
        cells = [cell for cell, latent in zip(cells, hidden, strict=True) if latent or _taken(cell, at) in there]
    return names, cells


def _taken(cell: Key, at: Sequence[int]) -> Key:
    return tuple(cell[position] for position in at)


def _starts(tables: Sequence[tuple[tuple[str, ...], list[Key]]]) -> list[int]:
    found = [0]
    for _, cells in tables:
        found.append(found[-1] + len(cells))
    return found


def _members(
    way: Mapping[str, frozenset[str]],
    tables: Sequence[tuple[tuple[str, ...], list[Key]]],
    index: Sequence[Mapping[Key, int]],
) -> list[int]:
    """Cells of a domain, in the first table that has its attributes."""
    for (names, cells), positions in zip(tables, index, strict=True):
        if way.keys() <= set(names):
            at = {name: names.index(name) for name in way}
            return [positions[cell] for cell in cells if all(cell[at[name]] in way[name] for name in way)]
    raise AssertionError(f"no table has {sorted(way)}")


def _margins(
    join: tuple[_Attributes, _Attributes],
    tables: Sequence[tuple[tuple[str, ...], list[Key]]],
    index: Sequence[Mapping[Key, int]],
) -> list[tuple[dict[int, int], dict[int, int]]]:
    """Sums over the same shared codes in two tables."""
    shared = sorted(join[0] & join[1])
    sides: list[dict[Key, list[int]]] = []
    for edge in join:
        which = next(at for at, (names, _) in enumerate(tables) if frozenset(names) == edge)
        names, cells = tables[which]
        at = [names.index(name) for name in shared]
        margin: dict[Key, list[int]] = {}
        for cell in cells:
            margin.setdefault(_taken(cell, at), []).append(index[which][cell])
        sides.append(margin)
    every = dict.fromkeys([*sides[0], *sides[1]])
    return [(_signed(sides[0].get(one, [])), _signed(sides[1].get(one, []))) for one in every]


def _signed(cells: Sequence[int]) -> dict[int, int]:
    return dict.fromkeys(cells, 1)


def _matrix(members: Sequence[Sequence[int]], size: int) -> sparse.csr_array:
    return _sparse([_signed(cells) for cells in members], size)


def _differences(pairs: Sequence[tuple[dict[int, int], dict[int, int]]], size: int) -> sparse.csr_array:
    rows = [{cell: left.get(cell, 0) - right.get(cell, 0) for cell in {*left, *right}} for left, right in pairs]
    return _sparse([{cell: by for cell, by in sorted(row.items()) if by} for row in rows], size)


def _sparse(rows: Sequence[Mapping[int, int]], size: int) -> sparse.csr_array:
    from scipy import sparse

    across = [at for at, row in enumerate(rows) for _ in row]
    down = [cell for row in rows for cell in row]
    values = [by for row in rows for by in row.values()]
    return sparse.coo_array((values, (across, down)), shape=(len(rows), size), dtype="int64").tocsr()
