"""The attack on the survey estimates of a release: respondents and cases of its domains, and what ties them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.disclose.attack_public import Opening, Published
from safercities.disclose.attack_rows import kind_of
from safercities.disclose.attack_space import Cell
from safercities.disclose.attack_system import Aim, Answer, feasible, solve, sums
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.survey_attack import LARGEST, QUANTITIES, Seen, constraints
from safercities.disclose.survey_attacker import View, statuses
from safercities.disclose.survey_groups import Group, breakdown, definitions, groups, levels, tied_groups, told
from safercities.disclose.survey_rows import Domain, Table, read
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import Estimates
from safercities.model.places import Place

Integers = NDArray[np.int64]

_WORDS = {"x": "cases", "y": "respondents who are none", "n": "respondents"}


def attack_surveys(published: Published, wanted: int | None) -> tuple[Answer, list[Opening]]:
    """What a release tells of the domains of its surveys, shown or withheld: limits of respondents, cases and others.

    The attacker takes for granted that the sample weighs itself; see `survey_attack.Seen`. Where no sample fits that,
    what is left are the bands of respondents.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end: then nothing is proved.
    """
    table = published.estimates.table
    methods, units = table.column("method").to_pylist(), table.column("unit").to_pylist()
    mask = [kind_of(str(m), str(u)) == "survey" for m, u in zip(methods, units, strict=True)]
    answer, openings = Answer(), list[Opening]()
    if not any(mask):
        return answer, openings
    rows = Estimates(table.filter(pa.array(mask)))
    made = read(rows, published.minimum("", ()))
    places = [one for one in published.places if not one.id.startswith(f"{UNKNOWN}.")]
    label = partial(label_of, published, rows.dimensions)
    tied = tied_groups(made.domains, told(made.domains, made.value), rows.dimensions, places, definitions())
    for group in [*groups(made.domains, rows.dimensions, places), *tied]:
        minimum = _minimum(published, rows.dimensions, [made.domains[at] for at in group.members.tolist()])
        width = np.array([published.width(int(one), wanted) for one in minimum], dtype=np.int64)
        found = Attack(rows, made, group, minimum, width, width_of(published.rules, minimum), places, label).run()
        answer.add(found)
        openings += [Opening("survey", p.aim.label, p.lower, p.upper, p.aim.width) for p in found.pinned]
    return answer, openings


def _minimum(published: Published, names: Sequence[str], members: Sequence[Domain]) -> Integers:
    """Least count of each domain, as far as the rules say it."""
    broken = [[name for name, code in zip(names, one.key[1:], strict=True) if code != TOTAL] for one in members]
    found = [published.minimum(one.series[2], by) for one, by in zip(members, broken, strict=True)]
    return np.array(found, dtype=np.int64)


def width_of(rules: Mapping[str, Any], minimum: Integers) -> Integers:
    """The width that surveys were rounded for: what the rules say, else the minimum less 1."""
    given = rules.get("width")
    return np.full(len(minimum), given) if isinstance(given, int) and given >= 1 else np.maximum(minimum - 1, 1)


def label_of(published: Published, names: Sequence[str], one: Domain) -> str:
    """What people call a domain."""
    _, period, indicator, _ = one.series
    place, *codes = one.key
    named = tuple((n, c) for n, c in zip(names, codes, strict=True) if c != TOTAL)
    return published.label(indicator, Cell(place, period, named))


class Attack:
    """One indicator in one wave of a survey, or several that are tied, as the public reads them.

    Parameters
    ----------
    rows, table
        What is published, and the same as arrays.
    group
        The domains.
    minimum
        Least count of each domain, (members,).
    width
        How many further values must be possible of each.
    rounded_for
        The width that units of rounding were chosen for.
    places
        With their levels.
    label
        What people call a domain.
    """

    def __init__(
        self,
        rows: Estimates,
        table: Table,
        group: Group,
        minimum: Integers,
        width: Integers,
        rounded_for: Integers,
        places: Sequence[Place],
        label: Callable[[Domain], str],
    ) -> None:
        self.group, self.minimum, self.width, self.label = group, minimum, width, label
        self.members = [table.domains[at] for at in group.members.tolist()]
        level = levels(places)
        of = [(one.series, breakdown(one.key, level)) for one in self.members]
        self.alone = [of.count(each) == 1 for each in of]  # of a breakdown with one code: all others are nobody
        size = np.full(len(of), LARGEST, dtype=np.int64)
        self.view = View(table, self.members, group.whole, statuses(rows), minimum, rounded_for, size)
        self._owners: dict[int, int] = {}

    def domain(self, aim: Aim) -> int:
        """The member that an aim is about."""
        return self._owners[id(aim)]

    def run(self, others: Callable[[Seen], Iterable[NDArray[np.float64]]] | None = None) -> Answer:
        """Bound everything that is protected.

        Parameters
        ----------
        others
            Finds samples, whole numbers of cases and others of the cells. What those that agree with everything leave
            wide enough is not asked again: it is no opening, and the answer says nothing more of it.
        """
        for worst in (True, False):
            found = self.reading(worst=worst, others=others)
            if found is not None:
                return found
        raise SafercitiesError(problem("attack-contradiction"))

    def reading(
        self, *, worst: bool, others: Callable[[Seen], Iterable[NDArray[np.float64]]] | None = None
    ) -> Answer | None:
        """The same, of a sample that weighs itself (`worst`) or of any; None where no sample fits what is shown."""
        seen = self.view.seen(self.group.name, worst=worst)
        known = knowledge(self.group, seen)
        if not feasible(known):
            return None
        aims = list(self._aims(seen))
        if others is not None:
            aims = _narrow(aims, [one for one in others(seen) if known.allows(one)])
        self._owners = {id(aim): at for at, aim in aims}
        self._kept = [aim for _, aim in aims]  # their identities must last as long as the owners
        return solve(known, self._kept, reasons=0)

    def _aims(self, seen: Seen) -> Iterator[tuple[int, Aim]]:
        """Cases, others and respondents of every domain; of those that are shown the cases and others not in it, too.

        Of means only respondents are protected. What is shown has the minimum and more; it must be wide all the same.
        Where indicators are tied, each was looked at by itself already: what is asked again is what ties can tell.
        """
        size, tied = self.group.leaves.sums.shape[1], self.group.between is not None
        for at, one in enumerate(self.members):
            inside, least = self.cells(at), int(self.minimum[at]) if seen.withheld[at] else LARGEST
            columns = {"x": inside, "y": inside + size, "n": np.concatenate([inside, inside + size])}
            wanted = QUANTITIES if seen.cases[at] else ("n",)
            if tied and seen.withheld[at]:
                wanted = wanted[:1]
            for name in wanted:
                label = f"{self.label(one)}: {_WORDS[name]}"
                yield at, Aim(label, columns[name], np.ones(1), int(self.width[at]), "survey", least)
            whole = int(self.group.whole[at])
            if tied or seen.withheld[at] or not seen.cases[at] or whole in (-1, at) or self.alone[at]:
                continue
            signs = np.repeat([1.0, -1.0], [len(self.cells(whole)), len(inside)])
            rest = np.concatenate([self.cells(whole), inside])
            for name, column in (("x", rest), ("y", rest + size)):
                label = f"all but {self.label(one)}: {_WORDS[name]}"
                yield at, Aim(label, column, signs, int(self.width[at]), "survey", LARGEST)
        yield from self._between()

    def _between(self) -> Iterator[tuple[int, Aim]]:
        """Who is counted by one of two indicators only, of which one holds the other."""
        rows, whose = self.group.between, self.group.between_of
        if rows is None or whose is None:
            return
        for number, at in enumerate(whose.tolist()):
            own = slice(rows.indptr[number], rows.indptr[number + 1])
            columns, signs = rows.indices[own].astype(np.int64), rows.data[own].astype(float)
            label = f"{self.label(self.members[at])}: who is counted by another indicator that holds it, and not here"
            yield at, Aim(label, columns, signs, int(self.width[at]), "survey", int(self.minimum[at]))

    def cells(self, at: int) -> NDArray[np.int64]:
        """The cells of a member."""
        sums = self.group.leaves.sums
        return np.asarray(sums.indices[sums.indptr[at] : sums.indptr[at + 1]], dtype=np.int64)


def _narrow(aims: Sequence[tuple[int, Aim]], samples: Sequence[NDArray[np.float64]]) -> list[tuple[int, Aim]]:
    """The aims that these samples do not show to be wide enough."""
    if len(samples) < 2:
        return list(aims)
    cells = np.array(samples).T
    data = [np.broadcast_to(aim.signs, aim.columns.shape).astype(float) for _, aim in aims]
    told = sums([aim.columns for _, aim in aims], len(cells), data) @ cells
    short = told.max(axis=1) - told.min(axis=1) < [aim.width for _, aim in aims]
    return [one for one, more in zip(aims, short.tolist(), strict=True) if more]


def knowledge(group: Group, seen: Seen) -> Knowledge:
    """What is published, as facts."""
    system = constraints(group.leaves, seen, group.ties)
    nothing = np.zeros(len(system.most))
    labels = ("",) * len(system.lower)
    return Knowledge(system.matrix, system.lower, system.upper, nothing, system.most, labels)
