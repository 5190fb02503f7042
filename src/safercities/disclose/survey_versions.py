"""The attack on several versions of one wave: the same numbers where nothing was corrected, others where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.disclose.attack_surveys import Attack, knowledge
from safercities.disclose.attack_system import Aim, Answer, Pinned, feasible, solve
from safercities.disclose.survey_attack import Seen
from safercities.disclose.survey_groups import Definitions, Group, groups, tied_groups, told
from safercities.disclose.survey_leaves import Leaves
from safercities.disclose.survey_recheck import samples
from safercities.disclose.survey_rows import Domain, Table, read
from safercities.model.dimensions import OTHER, TOTAL, UNKNOWN
from safercities.model.estimates import Estimates
from safercities.model.places import Place

if TYPE_CHECKING:
    from scipy import sparse

Integers = NDArray[np.int64]
#: Parts and positions of two members that are taken to stand for the same numbers: (part, member, part, member).
Link = tuple[int, int, int, int]
#: Indicator and version; place; codes, without those that are of all.
Name = tuple[tuple[str, str], str, frozenset[tuple[str, str]]]
#: What is shown of a domain: alike only if all of it is.
_FIGURES = ("value", "se", "lower", "upper", "denominator", "n")


class Rules(NamedTuple):
    """What holds for one domain: least count, least width, and the width that its rounding was made for."""

    minimum: int
    width: int
    rounded_for: int


class Found(NamedTuple):
    """What can be deduced of a domain from several versions."""

    name: Name
    pinned: Pinned


def name_of(one: Domain, dimensions: Sequence[str]) -> Name:
    """What a domain is called in all versions, whatever other columns they have."""
    codes = zip(dimensions, one.key[1:], strict=True)
    return one.series[2:], one.key[0], frozenset((name, code) for name, code in codes if code != TOTAL)


def joined(parts: Sequence[Group], links: Sequence[Link]) -> Group:
    """Groups side by side, with the same numbers where links say so.

    Parameters
    ----------
    parts
        The domains of each version.
    links
        Members that have the same cases and the same others.
    """
    from scipy import sparse

    starts = np.cumsum([0, *(len(one.leaves.domains) for one in parts)])
    sums = sparse.block_diag([one.leaves.sums for one in parts]).tocsr()
    same = [sparse.block_diag([one.leaves.same for one in parts])]
    if links:
        left = [int(starts[i]) + a for i, a, _, _ in links]
        right = [int(starts[j]) + b for _, _, j, b in links]
        same.append(sums[left] - sums[right])
    whole = [np.where(one.whole >= 0, one.whole + start, -1) for one, start in zip(parts, starts[:-1], strict=True)]
    domains = tuple(key for one in parts for key in one.leaves.domains)
    tree = Leaves(domains, sums, sparse.vstack(same).tocsr(), -1)
    members = np.concatenate([one.members for one in parts])
    found = Group(parts[-1].name, members, tree, np.concatenate(whole).astype(np.int64), _ties(parts))
    return found


def _ties(parts: Sequence[Group]) -> sparse.csr_array | None:
    """The ties of all parts over the cases, then the others, of all cells."""
    from scipy import sparse

    if all(one.ties is None for one in parts):
        return None
    cells = [one.leaves.sums.shape[1] for one in parts]
    halves: list[list[Any]] = [[], []]
    for one, size in zip(parts, cells, strict=True):
        ties = sparse.csr_array((0, 2 * size)) if one.ties is None else one.ties
        halves[0].append(ties[:, :size])
        halves[1].append(ties[:, size:])
    return sparse.csr_array(sparse.hstack([sparse.block_diag(half) for half in halves]))


def attack_versions(
    versions: Sequence[Estimates],
    rules: Callable[[int, Domain], Rules],
    places: Sequence[Place],
    definition: Definitions,
    label: Callable[[int, Domain], str],
    *,
    quick: bool = False,
) -> Iterator[tuple[Answer, list[Found]]]:
    """What follows from the versions of one wave together, for each group of its domains.

    The attacker takes what was not corrected for the same numbers. He cannot see what that is, and so tries the
    strongest that fits all figures: that nothing at all was corrected; that nothing was whose own figures would bear
    it; that nothing was of which the same is shown again. He looks for respondents, cases and others of every domain in
    every version; and for what changed between two, where not the same is shown.

    Parameters
    ----------
    versions
        The rows of the wave, oldest first.
    rules
        Of a domain of a version.
    places
        With levels and parents.
    definition
        Of the indicators.
    label
        What people call a domain of a version.
    quick
        Whether to look for samples first that agree with everything: what they leave open is not asked again.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end: then nothing is proved.
    """
    of = [_numbered(one, at) for at, one in enumerate(versions)]
    rows = Estimates.concat(of)
    table = read(rows, 2)
    for parts in _parts(table, rows.dimensions, places, definition):
        yield _Joint(rows, table, parts, rules, places, label).run(quick=quick)


def _numbered(one: Estimates, number: int) -> Estimates:
    """Rows of which the source says which version they are of."""
    at = one.table.column_names.index("source")
    return Estimates(one.table.set_column(at, "source", pa.array([str(number)] * len(one), pa.string())))


def _parts(
    table: Table, names: Sequence[str], places: Sequence[Place], definition: Definitions
) -> Iterator[list[Group]]:
    """Groups of the same indicators, of each version that has them; those that are tied in one are together in all."""
    alone: dict[tuple[int, tuple[str, ...]], Group] = {}
    for group in groups(table.domains, names, places):
        alone[_whose(table, group)[0]] = group
    series = dict.fromkeys(name for _, name in alone)
    for name in series:
        found = [group for (_, own), group in alone.items() if own == name]
        if len(found) > 1:
            yield found
    tied = tied_groups(table.domains, told(table.domains, table.value), names, places, definition)
    whose = [(_whose(table, group), group) for group in tied]
    for names_of in {frozenset(name for _, name in own) for own, _ in whose}:
        mine = [(own[0][0], own, group) for own, group in whose if not names_of.isdisjoint(name for _, name in own)]
        there = {version for version, _, _ in mine}
        found = [group for _, _, group in mine]
        found += [group for (version, name), group in alone.items() if version not in there and name in names_of]
        if len({version for version, *_ in mine} | {v for v, name in alone if name in names_of}) > 1:
            yield found


def _whose(table: Table, group: Group) -> list[tuple[int, tuple[str, ...]]]:
    """Version and indicator of the domains of a group."""
    found = dict.fromkeys(table.domains[at].series for at in group.members.tolist())
    return [(int(series[0]), series[2:]) for series in found]


class _Joint:
    """The groups of several versions, attacked as one."""

    def __init__(
        self,
        rows: Estimates,
        table: Table,
        parts: Sequence[Group],
        rules: Callable[[int, Domain], Rules],
        places: Sequence[Place],
        label: Callable[[int, Domain], str],
    ) -> None:
        self.rows, self.table, self.places = rows, table, places
        self.parts = sorted(parts, key=lambda one: _whose(table, one)[0])
        self.members = [table.domains[at] for one in self.parts for at in one.members.tolist()]
        self._label = label
        own = [rules(int(one.series[0]), one) for one in self.members]
        self.minimum, self.width, self.rounded_for = (
            np.array([rule[at] for rule in own], dtype=np.int64) for at in range(3)
        )
        self.twice = list(self._twice())

    def label(self, one: Domain) -> str:
        """What people call a domain of one of the versions."""
        return self._label(int(one.series[0]), one)

    def _twice(self) -> Iterator[Link]:
        """Domains that a version has as the one before it that has them.

        Codes of which nothing is shown are among the unknown ones: these are the same only where all codes are.
        """
        last: dict[object, tuple[int, int]] = {}
        codes = self._codes()
        for part, group in enumerate(self.parts):
            for at, member in enumerate(group.members.tolist()):
                one = self.table.domains[member]
                unsure = [codes[one.series[0], i] for i, code in enumerate(one.key) if i and code in (UNKNOWN, OTHER)]
                name = name_of(one, self.rows.dimensions), tuple(unsure)
                if name in last:
                    yield (*last[name], part, at)
                last[name] = part, at

    def _codes(self) -> dict[tuple[str, int], frozenset[str]]:
        """The codes that a version has, of each column of a key."""
        found: dict[tuple[str, int], set[str]] = {}
        for one in self.table.domains:
            for column, code in enumerate(one.key):
                found.setdefault((one.series[0], column), set()).add(code)
        return {column: frozenset(codes) for column, codes in found.items()}

    def run(self, *, quick: bool) -> tuple[Answer, list[Found]]:
        apart = self._attack([])
        seen = apart.view.seen("", worst=True)
        readings = [
            self.twice,
            [one for one in self.twice if self._compatible(seen, *self._at(one))],
            [one for one in self.twice if self._alike(*self._at(one))],
        ]
        answer, found = self._levels(readings, quick=quick)
        more = self._changes(readings[-1])
        answer.add(more)
        names = [name_of(self.members[at], self.rows.dimensions) for at in found]
        changed = [Found(self._named[id(one.aim)], one) for one in more.pinned]
        return answer, [*(Found(*one) for one in zip(names, answer.pinned, strict=False)), *changed]

    def _attack(self, links: Sequence[Link]) -> Attack:
        rules = self.minimum, self.width, self.rounded_for
        return Attack(self.rows, self.table, joined(self.parts, links), *rules, self.places, self.label)

    def _at(self, link: Link) -> tuple[int, int]:
        """Positions of both among the members of all parts."""
        starts = np.cumsum([0, *(len(one.members) for one in self.parts)]).tolist()
        return starts[link[0]] + link[1], starts[link[2]] + link[3]

    def _levels(self, readings: Sequence[Sequence[Link]], *, quick: bool) -> tuple[Answer, list[int]]:
        """Respondents, cases and others, by the strongest reading that no figure contradicts."""
        for worst in (True, False):
            for links in readings:
                attack = self._attack(links)
                wanted = attack.width
                others = (
                    (lambda seen, group=attack.group, wanted=wanted: samples(group, seen, wanted)) if quick else None
                )
                found = attack.reading(worst=worst, others=others) if links else None
                if found is not None:
                    return found, [attack.domain(one.aim) for one in found.pinned]
        return Answer(), []  # nothing that is shown twice can be the same: each version was attacked by itself

    def _compatible(self, seen: Seen, one: int, other: int) -> bool:
        """Whether the figures of both leave the same numbers open."""
        low = max(seen.n_low[one], seen.n_low[other]), max(seen.share_low[one], seen.share_low[other])
        high = min(seen.n_high[one], seen.n_high[other]), min(seen.share_high[one], seen.share_high[other])
        return bool(low[0] <= high[0] and low[1] <= high[1])

    def _alike(self, one: int, other: int) -> bool:
        """Whether the same is shown of both."""
        rows = [self.members[at].row for at in (one, other)]
        if min(rows) < 0:
            return False
        pairs = [[float(getattr(self.table, name)[row]) for row in rows] for name in _FIGURES]
        return bool(np.isfinite(pairs[0]).all() and all(a == b or (a != a and b != b) for a, b in pairs))

    def _changes(self, links: Sequence[Link]) -> Answer:
        """What changed by few, of domains of which not the same is shown again."""
        self._named: dict[int, Name] = {}
        attack, free = self._attack(links), [one for one in self.twice if one not in set(links)]
        for worst in (True, False):
            known = knowledge(attack.group, attack.view.seen("", worst=worst))
            if not free or not feasible(known):
                continue
            self._aims = [aim for link in free for aim in self._between(attack, link)]  # identities must last
            found = solve(known, self._aims, reasons=0)
            found.pinned = [one for one in found.pinned if _few(one)]
            return found
        return Answer()

    def _between(self, attack: Attack, link: Link) -> Iterator[Aim]:
        before, after = self._at(link)
        old, new, size = attack.cells(before), attack.cells(after), attack.group.leaves.sums.shape[1]
        signs = np.repeat([1.0, -1.0], [len(new), len(old)])
        once = np.concatenate([new, old])
        columns = {"cases": once, "others": once + size, "respondents": np.concatenate([once, once + size])}
        counted = bool(attack.view.counted[after] and attack.view.counted[before])
        for name, at in columns.items():
            if not counted and name != "respondents":
                continue
            label = f"{self.label(self.members[after])}: change of {name} since an earlier version"
            twice = np.tile(signs, len(at) // len(once))
            aim = Aim(label, at, twice, int(self.width[after]), "change", int(self.minimum[after]))
            self._named[id(aim)] = name_of(self.members[after], self.rows.dimensions)
            yield aim


def _few(one: Pinned) -> bool:
    """Whether a change may be one of fewer than the minimum, and is not surely none."""
    low, high, k = one.lower, one.upper, one.aim.minimum
    nearest = 0 if low <= 0 <= high else min(abs(low), abs(high))
    return nearest < k and (low, high) != (0, 0)


def each_with_others(versions: int) -> list[tuple[int, ...]]:
    """Which versions are attacked together: all, and each two of them.

    Examples
    --------
    >>> each_with_others(2), each_with_others(3)
    ([(0, 1)], [(0, 1, 2), (0, 1), (0, 2), (1, 2)])
    """
    every = tuple(range(versions))
    return [every, *(combinations(every, 2) if versions > 2 else ())] if versions > 1 else []
