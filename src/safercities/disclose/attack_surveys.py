"""The attack on the survey estimates of a release: respondents and cases of the domains that are withheld."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from safercities.disclose.attack_public import Opening, Published
from safercities.disclose.attack_rows import kind_of
from safercities.disclose.attack_space import Cell
from safercities.disclose.attack_system import Aim, Answer, feasible, solve
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.survey_attack import QUANTITIES, Seen, constraints
from safercities.disclose.survey_attacker import _seen
from safercities.disclose.survey_leaves import Leaves, leaves
from safercities.disclose.survey_rows import Domain, Table, read
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import Estimates

_WORDS = {"x": "cases", "y": "respondents who are none", "n": "respondents"}


def attack_surveys(published: Published, wanted: int | None) -> tuple[Answer, list[Opening]]:
    """What a release tells of the domains of its surveys that it withholds: limits of respondents, cases and others.

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
    minimum = published.minimum("", ())
    made = read(rows, minimum)
    series: dict[tuple[str, str, str, str], list[Domain]] = {}
    for one in made.domains:
        series.setdefault(one.series, []).append(one)
    for members in series.values():
        wave = _Wave(published, rows, made, members, minimum, wanted)
        if wave.hidden:
            found = wave.run()
            answer.add(found)
            openings += [Opening("survey", p.aim.label, p.lower, p.upper, p.aim.width) for p in found.pinned]
    return answer, openings


class _Wave:
    """One indicator in one wave of a survey."""

    def __init__(
        self,
        published: Published,
        rows: Estimates,
        table: Table,
        members: Sequence[Domain],
        minimum: int,
        wanted: int | None,
    ) -> None:
        self.published, self.rows, self.table, self.members = published, rows, table, members
        self.minimum = published.minimum(members[0].series[2], ())
        self.least, self.width = minimum, published.width(self.minimum, wanted)
        status = rows.table.column("conf_status").to_pylist()
        self.rounded = np.array([one == "F" for one in status], dtype=bool)
        self.withheld = np.array([one == "N" for one in status], dtype=bool)
        shown = [max(one.row, *one.totals, -1) if one.row < 0 else one.row for one in members]
        self.hidden = [at for at, row in enumerate(shown) if self.withheld[row] or not np.isfinite(table.value[row])]

    def run(self) -> Answer:
        """Bound every withheld domain."""
        places = [one for one in self.published.places if not one.id.startswith(f"{UNKNOWN}.")]
        tree = leaves([one.key for one in self.members], self.rows.dimensions, places)
        for worst in (True, False):
            seen = self._seen(tree, worst=worst)
            known = _knowledge(tree, seen)
            if feasible(known):
                return solve(known, self._aims(tree, seen), reasons=0)
        raise SafercitiesError(problem("attack-contradiction"))

    def _seen(self, tree: Leaves, *, worst: bool) -> Seen:
        given = (self.table, self.members, self.rounded, self.withheld, self.least)
        return _seen(*given, max(self.least - 1, 1), None, tree.total, worst=worst)

    def _aims(self, tree: Leaves, seen: Seen) -> list[Aim]:
        """Cases, others and respondents of every withheld domain; of means only respondents."""
        size = tree.sums.shape[1]
        found = []
        for at in self.hidden:
            inside = tree.sums.indices[tree.sums.indptr[at] : tree.sums.indptr[at + 1]].astype(np.int64)
            columns = {"x": inside, "y": inside + size, "n": np.concatenate([inside, inside + size])}
            for name in QUANTITIES if seen.cases[at] else ("n",):
                label = f"{self._label(self.members[at])}: {_WORDS[name]}"
                found.append(Aim(label, columns[name], np.ones(1), self.width, "survey", self.minimum))
        return found

    def _label(self, one: Domain) -> str:
        _, period, indicator, _ = one.series
        place, *codes = one.key
        named = tuple((n, c) for n, c in zip(self.rows.dimensions, codes, strict=True) if c != TOTAL)
        return self.published.label(indicator, Cell(place, period, named))


def _knowledge(tree: Leaves, seen: Seen) -> Knowledge:
    """What is published of one indicator in one wave, as facts."""
    system = constraints(tree, seen)
    nothing = np.zeros(len(system.most))
    labels = ("",) * len(system.lower)
    return Knowledge(system.matrix, system.lower, system.upper, nothing, system.most, labels)
