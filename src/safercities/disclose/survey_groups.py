"""Domains of a survey that are proved together: those of one indicator in one wave, or of several that are tied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.survey_leaves import Key, Leaves, leaves
from safercities.disclose.survey_rows import Domain
from safercities.disclose.survey_ties import Of, tied
from safercities.indicators.spec import Indicator, Version
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.places import Place

if TYPE_CHECKING:
    from scipy import sparse

Integers = NDArray[np.int64]
Series = tuple[str, str, str, str]
#: Of each domain (source, period, indicator, version) the definition; None: not known.
Definitions = Callable[[Series], Version | None]


@dataclass(frozen=True, eq=False)
class Group:
    """Domains that are proved together.

    Parameters
    ----------
    name
        For people.
    members
        Positions of the domains, (members,).
    leaves
        How they add up, in this order; the cells of several indicators one after the other.
    whole
        For each member the one among them that holds everybody; −1: none.
    ties
        Sums of the cells' cases, then of their others, that nobody doubts to be 0 or more: (ties, 2 × cells).
    between
        What lies between two indicators, in each domain that both have: (sums, 2 × cells). It is protected as well.
    between_of
        Position in `members` of the domain that each of these is about.
    """

    name: str
    members: Integers
    leaves: Leaves
    whole: Integers
    ties: sparse.csr_array | None = None
    between: sparse.csr_array | None = None
    between_of: Integers | None = None


def groups(domains: Sequence[Domain], names: Sequence[str], places: Sequence[Place]) -> list[Group]:
    """The domains of each indicator in each wave.

    Raises
    ------
    UsageError, SafercitiesError
        As `survey_leaves.leaves`.
    """
    trees: dict[tuple[Key, ...], Leaves] = {}
    found = []
    for one in _parts(domains, range(len(domains))):
        if one.keys not in trees:
            trees[one.keys] = leaves(one.keys, names, places)
        whole = np.full(len(one.members), trees[one.keys].total, dtype=np.int64)
        found.append(Group(" ".join(one.series), np.array(one.members, dtype=np.int64), trees[one.keys], whole))
    return found


def tied_groups(
    domains: Sequence[Domain],
    shown: NDArray[np.bool_],
    names: Sequence[str],
    places: Sequence[Place],
    definition: Definitions,
) -> list[Group]:
    """Indicators of one wave of which one surely holds cases or others of another (`survey_ties`), and both are shown.

    Only breakdowns of which something is shown are looked at. What is not shown at all adds nothing to what is known:
    of an indicator of which nothing is shown can be so much as those that are shown leave open, and they leave W.

    Parameters
    ----------
    shown
        Domains that are shown, shape (domains,).

    Raises
    ------
    UsageError, SafercitiesError
        As `survey_leaves.leaves`.
    """
    level = levels(places)
    own = [(*one.series[:2], breakdown(one.key, level)) for one in domains]
    series = {domains[at].series for at in np.flatnonzero(shown).tolist()}
    asked = {own[at] for at in np.flatnonzero(shown).tolist()}
    chosen = [at for at, one in enumerate(domains) if one.series in series and own[at] in asked]
    parts = list(_parts(domains, chosen))
    ties = list(_ties(parts, definition))
    sets = _together(len(parts), ties)
    return [_group([parts[at] for at in one], one, ties, names, places, level) for one in sets if len(one) > 1]


def told(domains: Sequence[Domain], value: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Domains of which a share or mean can be read; `value` is that of the rows."""
    return np.array([one.row >= 0 and bool(np.isfinite(value[one.row])) for one in domains], dtype=bool)


def _parts(domains: Sequence[Domain], chosen: Iterable[int]) -> Iterator[_Part]:
    of: dict[Series, list[int]] = {}
    for at in chosen:
        of.setdefault(domains[at].series, []).append(at)
    for series in sorted(of):
        yield _Part(series, sorted(of[series], key=lambda at: domains[at].key), domains)


def definitions(indicators: Mapping[str, Indicator] | None = None) -> Definitions:
    """What finds the definition of a series: in these, or in the catalogue.

    Examples
    --------
    >>> definitions()(("survey", "2024", "sdg.16.1.4", "2017-1")).missing
    'no'
    >>> definitions()(("survey", "2024", "of our own", "1"))
    """
    from safercities.indicators.catalogue import catalogue

    known = catalogue() if indicators is None else indicators

    def find(series: Series) -> Version | None:
        versions = known[series[2]].versions if series[2] in known else []
        return next((one for one in versions if one.version == series[3]), None)

    return find


class _Part:
    """One indicator in one wave."""

    def __init__(self, series: Series, members: Sequence[int], domains: Sequence[Domain]) -> None:
        self.series, self.members = series, members
        self.keys = tuple(domains[at].key for at in members)


@dataclass(frozen=True)
class Relation:
    """Who is in `inner` of part i is in `outer` of part j."""

    i: int
    inner: Of
    j: int
    outer: Of


def _ties(parts: Sequence[_Part], definition: Definitions) -> Iterator[Relation]:
    waves: dict[tuple[str, str], list[int]] = {}
    for at, one in enumerate(parts):
        waves.setdefault(one.series[:2], []).append(at)
    for mine in waves.values():
        versions = [definition(parts[at].series) for at in mine]
        yield from (Relation(mine[i], a, mine[j], b) for i, a, j, b in tied(versions) if (a, b) != ("n", "n"))


def _together(size: int, ties: Sequence[Relation]) -> list[list[int]]:
    """Positions of parts that are tied, directly or by others; in order."""
    of = list(range(size))
    for one in ties:
        low, high = sorted((of[one.i], of[one.j]))
        of = [low if at == high else at for at in of]
    return [[at for at in range(size) if of[at] == first] for first in sorted(set(of))]


def _group(
    mine: Sequence[_Part],
    chosen: Sequence[int],
    ties: Sequence[Relation],
    names: Sequence[str],
    places: Sequence[Place],
    level: Mapping[str, str],
) -> Group:
    """The cells of all of them are those of all their breakdowns, so that ties hold cell by cell."""
    from scipy import sparse

    keys = list(dict.fromkeys(key for one in mine for key in one.keys))
    tree = leaves(keys, names, places)
    members = np.array([at for one in mine for at in one.members], dtype=np.int64)
    starts = np.cumsum([0, *(len(one.members) for one in mine)])
    own = [_restricted(tree, one.keys, level) for one in mine]
    whole = [
        np.full(len(each.domains), start + each.total if each.total >= 0 else -1)
        for each, start in zip(own, starts[:-1], strict=True)
    ]
    name = f"{' '.join(mine[0].series)} and {len(mine) - 1} more"
    joined = Leaves(
        tuple(key for each in own for key in each.domains),
        sparse.block_diag([each.sums for each in own]).tocsr(),
        sparse.block_diag([each.same for each in own]).tocsr(),
        -1,
    )
    at = {part: number for number, part in enumerate(chosen)}
    its = [Relation(at[tie.i], tie.inner, at[tie.j], tie.outer) for tie in ties if tie.i in at and tie.j in at]
    known = [_known(tree, one, len(mine)) for one in its]
    found = [_between(own, starts, one) for one in its]
    between = sparse.vstack([rows for rows, _ in found]).tocsr()
    whose = np.concatenate([of for _, of in found])
    all_whole = np.concatenate(whole).astype(np.int64)
    return Group(name, members, joined, all_whole, sparse.vstack(known).tocsr(), between, whose)


def _restricted(tree: Leaves, keys: Sequence[Key], level: Mapping[str, str]) -> Leaves:
    """Those domains only. Where a breakdown has rows, what has none in it has no respondents."""
    from scipy import sparse

    position = {key: at for at, key in enumerate(tree.domains)}
    at = np.array([position[key] for key in keys], dtype=np.int64)
    if len(at) == len(position) and np.array_equal(at, np.arange(len(at))):
        return tree
    there, asked = set(keys), {breakdown(key, level) for key in keys}
    empty = [i for i, key in enumerate(tree.domains) if key not in there and breakdown(key, level) in asked]
    total = tree.domains[tree.total] if tree.total >= 0 else None
    same = sparse.vstack([tree.same, tree.sums[empty]]).tocsr()
    return Leaves(tuple(keys), tree.sums[at], same, list(keys).index(total) if total in there else -1)


def levels(places: Sequence[Place]) -> dict[str, str]:
    """The level of each place."""
    return {one.id: one.level for one in places}


def breakdown(key: Key, level: Mapping[str, str]) -> tuple[object, ...]:
    """What a domain is broken down by: the level of its place, and the dimensions."""
    place = key[0]
    own = place.removeprefix(f"{UNKNOWN}.") if place.startswith(f"{UNKNOWN}.") else level.get(place, "")
    return (own, *(code != TOTAL for code in key[1:]))


def _of(rows: sparse.csr_array, part: int, parts: int, of: Of) -> sparse.csr_array:
    """Sums over cells as sums over the cases, then the others, of the cells of all parts."""
    from scipy import sparse

    blocks = [sparse.csr_array(rows.shape)] * (2 * parts)
    for which, name in enumerate(("x", "y")):
        if of in (name, "n"):
            blocks[which * parts + part] = rows
    return sparse.hstack(blocks).tocsr()


def _known(tree: Leaves, tie: Relation, parts: int) -> sparse.csr_array:
    """What is 0 or more, as the inner ones lie among the outer ones."""
    from scipy import sparse

    rows = sparse.csr_array(sparse.eye_array(tree.sums.shape[1]))
    return sparse.csr_array(_of(rows, tie.j, parts, tie.outer) - _of(rows, tie.i, parts, tie.inner))


def _between(own: Sequence[Leaves], starts: Integers, tie: Relation) -> tuple[sparse.csr_array, Integers]:
    """Who is in the outer one and not in the inner one, in each domain that both have; and which domains these are."""
    inner, theirs, parts = own[tie.i], set(own[tie.j].domains), len(own)
    both = np.array([number for number, key in enumerate(inner.domains) if key in theirs], dtype=np.int64)
    rows = inner.sums[both]
    found = _of(rows, tie.j, parts, tie.outer) - _of(rows, tie.i, parts, tie.inner)
    return found, starts[tie.i] + both
