"""Protect survey estimates: withhold small domains and what gives them away, round the rest to what its error bears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.digits import bands, before, nearest, up
from safercities.disclose.survey_attack import LARGEST, Seen, drawn_singly, single
from safercities.disclose.survey_choice import breadth, first_that_fit
from safercities.disclose.survey_dominance import dominated
from safercities.disclose.survey_groups import (
    Definitions,
    Group,
    definitions,
    groups,
    levels,
    tied_groups,
)
from safercities.disclose.survey_leaves import divisions
from safercities.disclose.survey_proof import Proof, Sample
from safercities.disclose.survey_protected import REASONS, Protected
from safercities.disclose.survey_ranges import insides, narrowed
from safercities.disclose.survey_recheck import narrow_to_the_public
from safercities.disclose.survey_rows import Domain, Minimum, Table, read
from safercities.disclose.survey_shown import units
from safercities.disclose.survey_ties import everybody
from safercities.disclose.survey_written import written
from safercities.indicators.spec import Indicator
from safercities.model.errors import UsageError, problem
from safercities.model.estimates import Estimates
from safercities.model.places import Place

__all__ = ["REASONS", "Protected", "protect_survey"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What is broken down by so many things or fewer is worth every effort to be shown.
WANTED = 1
_FAR = 150  #: Worlds of a single row are looked for this far around the truth: more would be more of the same.


def protect_survey(
    estimates: Estimates,
    minimum: Minimum,
    *,
    width: int | None = None,
    places: Sequence[Place] = (),
    indicators: Mapping[str, Indicator] | None = None,
) -> Protected:
    """Protect the estimates of a survey: unweighted respondents, cases and non-cases of every domain.

    Rules
    -----
    - Withheld: fewer respondents than the minimum, fewer cases or non-cases than the minimum (0 is no exception),
      what the publication rules withhold, and what has no standard error. The number of people goes with its share.
    - Shown: value, standard error and denominator rounded (`survey_shown.units`), n as the first number of its band,
      limits from these alone, coverage to 5 %; one df for each breakdown of a wave; deff, n_positive, notes: none.
    - Withheld too: rows whose respondents, cases or non-cases could be told to less than `width` if the sample weighed
      itself and people were drawn one by one, also beside indicators that hold them (`survey_ranges`); means of which
      one may have nearly all (`survey_dominance`); and a second division into places.
    - Of the rest the most wanted are shown, totals first, as long as `survey_proof.Proof` finds worlds that far apart
      for every domain and its complement. The size of the sample counts as known, and an insider knows one answer.
    - Estimates that are made from exact ones (smoothed, reporting rates, indices) are withheld: make them anew.

    Parameters
    ----------
    minimum
        Minimum count: one, one for each row, or what gives one for each row.
    width
        Least distance between what can be; default: the minimum less 1.
    places
        Places with levels and parents; needed where the estimates have several places.
    indicators
        Definitions by code, which say what holds what; default: those of the catalogue.

    Raises
    ------
    UsageError
        If the minimum or width is none, or places are not known.
    SafercitiesError
        If the breakdowns cross too widely, or the solver fails: then nothing is protected.

    Examples
    --------
    >>> said = {"indicator": "fear", "place": "A", "period": "2025", "unit": "%", "level": 0.95, "df": 80.0,
    ...         "method": "proportion, Taylor linearisation, Korn–Graubard interval"}
    >>> all = {"value": 30.25, "se": 2.3, "lower": 25.8, "upper": 35.0, "n": 400, "n_positive": 121}
    >>> women = {"sex": "F", "value": 39.33, "se": 2.9, "lower": 33.7, "upper": 45.1, "n": 300, "n_positive": 118}
    >>> men = {"sex": "M", "value": 3.0, "se": 1.7, "lower": 0.6, "upper": 8.5, "n": 100, "n_positive": 3}
    >>> made = protect_survey(Estimates.from_rows([said | one for one in (all, women, men)]), 5)
    >>> [(row["value"], row["se"], row["n"], row["conf_status"]) for row in made.estimates.rows()]
    [(30.0, 2.5, 200, 'F'), (40.0, 3.0, 200, 'F'), (None, None, None, 'N')]
    >>> made.reasons
    {2: 'few_cases'}
    """
    if width is not None and width < 1:
        raise UsageError(problem("survey-minimum-wrong", given=width))
    if _is_protected(estimates):
        return Protected(estimates)
    work = Work(estimates, read(estimates, minimum), width, places, definitions(indicators))
    work.primary()
    work.alone()
    work.one_division(places)
    work.together()
    return work.checked(width, places)


def _is_protected(estimates: Estimates) -> bool:
    """Whether every row says that it is protected, and looks so."""
    table = estimates.table
    statuses = set(table.column("conf_status").to_pylist())
    return bool(len(estimates)) and statuses <= {"F", "N"} and table.column("n_positive").null_count == len(estimates)


class Work:
    """One protection: which domains are withheld so far, and why."""

    def __init__(
        self, estimates: Estimates, table: Table, width: int | None, places: Sequence[Place], definition: Definitions
    ) -> None:
        self.levels = levels(places)
        self.estimates, self.table, self.domains = estimates, table, table.domains
        self.row = np.array([one.row for one in self.domains], dtype=np.int64)
        rows = np.array([max(one.row, *one.totals, *one.others, -1) for one in self.domains], dtype=np.int64)
        main = np.where(self.row >= 0, self.row, rows)
        self.n, self.x = table.n[main], table.x[main]
        self.counted = (table.kind[main] != "number") & (self.row >= 0)
        self.minimum = np.array([self._most(one) for one in self.domains], dtype=np.int64)
        self.width = np.maximum(self.minimum - 1, 1) if width is None else np.full(len(main), width, dtype=np.int64)
        self.main, self.why = main, np.full(len(main), "", dtype="<U16")
        self.definition = definition
        self.places = places
        self.groups = groups(self.domains, estimates.dimensions, places)
        self.known, self.top = np.zeros(len(main), dtype=bool), [""] * len(main)
        for group in self.groups:
            whole = group.members[group.whole[group.whole >= 0]]
            self.known[whole] = [everybody(definition(self.domains[at].series)) for at in whole.tolist()]
            for own, place in zip(group.members.tolist(), group.whole.tolist(), strict=True):
                self.top[own] = self.domains[group.members[place]].key[0] if place >= 0 else ""
        self.units = units(table, main, self.width, self.known)

    def _most(self, one: Domain) -> int:
        return max(int(self.table.minimum[at]) for at in (one.row, *one.totals, *one.others) if at >= 0)

    @property
    def kept(self) -> Mask:
        return np.asarray(self.why == "")

    @property
    def visible(self) -> Mask:
        """Domains of which a row is published."""
        return self.kept

    def _withhold(self, mask: Mask, why: str) -> None:
        self.why[mask & self.kept] = why

    # -- each row for itself -------------------------------------------------------------------------------------------

    def primary(self) -> None:
        """Withhold what is small, refused, or cannot be rounded."""
        table, at = self.table, self.main
        self._withhold(self.row < 0, "no_share")
        self._withhold(self.n < self.minimum, "few_respondents")
        self._withhold(self.counted & (self.x < self.minimum), "few_cases")
        self._withhold(self.counted & (self.n - self.x < self.minimum), "few_others")
        self._withhold(table.refused[at], "rules")
        numbers = (table.value, table.se, table.lower, table.upper, table.level, table.df)
        usable = np.all([np.isfinite(numbers[i][at]) for i in range(len(numbers))], axis=0)
        self._withhold(~usable | ~(table.se[at] > 0) | ~(table.df[at] >= 1), "no_spread")
        amounts = table.kind[at] != "share"
        self._withhold(
            amounts & dominated(table.value[at], table.se[at], self.n.astype(float), table.deff[at]), "dominance"
        )
        shown = nearest(table.value[at], self.units.value)
        full = (table.kind[at] == "share") & (shown >= table.per[at])
        self._withhold(~np.isfinite(self.units.value) | (self.counted & (shown <= 0)) | full, "narrow")

    def alone(self) -> None:
        """Withhold rows that tell too much by themselves; of the others keep what they leave possible."""
        self.ranges()
        narrow = self.high - self.low < self.width
        narrow &= np.array([self.counted, self.counted, ~self.known])
        self._withhold(self.kept & narrow.any(axis=0), "narrow")

    def ranges(self) -> None:
        """What each row that is kept leaves possible by itself."""
        size = len(self.domains)
        self.low, self.high = np.zeros((3, size), dtype=np.int64), np.full((3, size), LARGEST, dtype=np.int64)
        self.share_low, self.share_high = np.zeros(size), np.ones(size)
        self.se_low, self.se_high = np.zeros(size), np.full(size, np.inf)
        first, last = bands(np.maximum(self.n, 0))
        for at in np.flatnonzero(self.kept).tolist():
            low = min(max(int(first[at]), int(self.table.least_n[self.main[at]])), int(self.n[at]))
            known = bool(self.known[at])
            low, high = (int(self.n[at]),) * 2 if known else self._by_weight(at, low, int(last[at]))
            worlds = self._worlds(at, low, high) if self.counted[at] else np.array([[0, 0], [low, high], [low, high]])
            self.low[:, at], self.high[:, at] = worlds.min(axis=1), worlds.max(axis=1)
        self.own = self.low, self.high

    def _side_by_side(self) -> None:
        """Narrow what domains leave open by what others tell of the same people; withhold what is too narrow then.

        All rows that are kept so far count as shown.
        """
        all_ = insides(self.domains, self.n, self.definition)
        inside = [one for one in all_ if (one[0], one[2]) != (2, 2) or self.kept[[one[1], one[3]]].all()]
        while True:
            told = np.where(self.kept, self.own[0], 0), np.where(self.kept, self.own[1], LARGEST)
            self.low, self.high = narrowed(*told, inside)
            asked = np.array([self.counted, self.counted, ~self.known])
            narrow: Mask = np.any(asked & (self.high - self.low < self.width), axis=0)
            tied = {at for _, i, _, j in inside if narrow[i] or narrow[j] for at in (i, j)}
            bad = narrow & self.kept
            if not bad.any() and narrow.any():  # what is withheld is told by what is not
                bad = np.isin(np.arange(len(self.domains)), list(tied)) & self.kept
            if not bad.any():
                return
            self._withhold(bad, "narrow")

    def _by_weight(self, at: int, low: int, high: int) -> tuple[int, int]:
        """Respondents that the denominator as shown leaves possible, as if all weighed the same and that were known."""
        given = self.table.denominator[self.main[at]]
        if not given > 0:
            return low, high
        weight, unit = given / self.n[at], self.units.denominator[at]
        shown = float(nearest([given], unit)[0])
        first, last = np.ceil((shown - unit / 2) / weight - 1e-9), np.floor((shown + unit / 2) / weight + 1e-9)
        return max(low, int(first)), min(high, int(last))

    def _worlds(self, at: int, low: int, high: int) -> Integers:
        """(x, y, n) that the row leaves possible, in a sample that weighs itself; (3, worlds)."""
        n, x, row = int(self.n[at]), int(self.x[at]), self.main[at]
        unit = self.units.value[at] / self.table.per[row]
        shown = float(nearest([x / n], unit)[0])
        self.share_low[at], self.share_high[at] = shown - unit / 2, shown + unit / 2
        se = up(drawn_singly(np.array([n]), np.array([x])))
        spread = self.se_low[at], self.se_high[at] = float(before(se)[0]), float(se[0])
        least = min(max(int(self.minimum[at]), int(self.table.least_x[row])), x, n - x)
        around = max(low, n - _FAR), min(high, n + _FAR)
        sizes, cases = single(*around, (self.share_low[at], self.share_high[at]), spread, least)
        return np.array([cases, sizes - cases, sizes])

    def one_division(self, places: Sequence[Place]) -> None:
        """Of places that divide the whole in several ways show one: that of which most can be shown."""
        sources: dict[str, list[int]] = {}
        for at, one in enumerate(self.domains):
            sources.setdefault(one.series[0], []).append(at)
        for mine in sources.values():
            of = divisions(list(dict.fromkeys(self.domains[at].key[0] for at in mine)), places)
            its = [of[self.domains[at].key[0]] for at in mine]
            tally = Counter(name for one, at in zip(its, mine, strict=True) if self.kept[at] for name in one)
            if len(tally) > 1:
                best = min(tally, key=lambda name: (-tally[name], name))
                hidden = np.zeros(len(self.domains), dtype=bool)
                hidden[[at for one, at in zip(its, mine, strict=True) if one and best not in one]] = True
                self._withhold(hidden, "parallel")
        self._side_by_side()

    # -- all rows of an indicator --------------------------------------------------------------------------------------

    def together(self) -> None:
        """Withhold more until everything protected of every indicator is proved safe."""
        for group in self.groups:
            self._settle(group)
        self._side_by_side()

    def _settle(self, group: Group) -> None:
        """Of what is kept in a group keep what is proved safe."""
        proof = Proof(self._sample(group))

        def safe(shown: Sequence[int], last: bool) -> bool:
            seen = self._seen(group, np.isin(group.members, np.array(shown, dtype=np.int64)))
            worth = last and breadth(self.domains[shown[-1]].key, self.top[shown[-1]]) <= WANTED
            return bool(proof.proved(seen, brief=True, thorough=worth).all())

        shown = first_that_fit([at for at in self._wanted(group.members) if self.kept[at]], safe)
        hidden = np.isin(np.arange(len(self.domains)), np.setdiff1d(group.members, shown))
        self._withhold(hidden, "complement")

    def _wanted(self, members: Integers) -> list[int]:
        """The most wanted first: totals, then what is broken down by one thing, and so on; of these the largest."""

        def rank(at: int) -> tuple[object, ...]:
            one = self.domains[at]
            return breadth(one.key, self.top[at]), -int(self.n[at]), one.series, one.key

        return sorted(members.tolist(), key=rank)

    def _sample(self, group: Group) -> Sample:
        """The true numbers."""
        at = group.members
        x = np.where(self.counted[at], self.x[at], 0)
        return Sample(group.name, group.leaves, x, self.n[at] - x, self.width[at], self.counted[at], group.whole)

    def _seen(self, group: Group, kept: Mask) -> Seen:
        """What the attacker sees of a group: as-if shares, so that the truth is always among the worlds."""
        at = group.members
        counted, n, x = self.counted[at], self.n[at], np.where(self.counted[at], self.x[at], 0)
        there = group.whole >= 0
        sizes = np.where(there, n[group.whole], int(n.sum()))
        unsure = there & ~self.known[at][group.whole]
        here = kept | ~self.kept[at]  # what is not shown for now tells nothing; others may tell of what never was
        ends = np.where(here, self.low[:, at], 0), np.where(here, self.high[:, at], LARGEST)
        n_low, n_high = ends[0][2], ends[1][2]
        most = np.where(unsure, np.where(kept[group.whole], n_high[group.whole], 2 * sizes), sizes)
        low, high = n_low, np.minimum(n_high, most)
        low, high = np.where(self.known[at], n, low), np.where(self.known[at], n, high)
        told = kept & counted
        least = np.minimum(np.where(told, self.minimum[at], 0), np.minimum(x, n - x))
        return Seen(
            group.name, low, high, np.where(told, self.share_low[at], 0.0), np.where(told, self.share_high[at], 1.0),
            np.maximum(least, ends[0][0]), np.maximum(least, ends[0][1]), counted, ~kept,
            np.where(told, self.se_low[at], 0.0), np.where(told, self.se_high[at], np.inf),
            np.minimum(ends[1][0], high), np.minimum(ends[1][1], high),
        )  # fmt: skip

    def checked(self, width: int | None, places: Sequence[Place]) -> Protected:
        """What is published, once the public finds nothing in it."""
        made = self.published()
        tied = tied_groups(self.domains, self.visible, self.estimates.dimensions, places, self.definition)
        left = [group for group in (*self.groups, *tied) if self.visible[group.members].any()]
        while left:
            again = []
            for group, seen in self.narrow(made.estimates, left, width, places):
                self._give_up(group, seen)
                if self.visible[group.members].any():
                    again.append(group)
            left = again
            made = self.published()
        return made

    def narrow(
        self, shown: Estimates, left: Sequence[Group], width: int | None, places: Sequence[Place]
    ) -> Iterator[tuple[Group, list[int]]]:
        """Groups of which the public finds something in what would be shown, and which of their members these are."""
        table = read(shown, int(self.minimum.min()))
        for group in left:
            at = group.members
            seen = narrow_to_the_public(shown, table, group, self.minimum[at], self.width[at], width, places)
            if seen:
                yield group, seen

    def _give_up(self, group: Group, seen: Sequence[int]) -> None:
        """Withhold the domains that look narrow; where these are withheld, the least wanted one that overlaps."""
        visible = self.visible
        shown = [at for at in seen if visible[group.members[at]]]
        if not shown and not visible[group.members].any():
            return
        if not shown:
            overlaps = (group.leaves.sums @ group.leaves.sums[list(seen)].T).sum(axis=1) > 0
            kept = [at for at in self._wanted(group.members) if visible[at]]
            of = dict(zip(group.members.tolist(), overlaps.tolist(), strict=True))
            shown = [group.members.tolist().index(([at for at in kept if of[at]] or kept)[-1])]
        self.why[group.members[shown]] = "narrow"

    # -- what is published ---------------------------------------------------------------------------------------------

    def published(self) -> Protected:
        """The rows as they may be seen, and why the others may not."""
        given = self.estimates, self.table, self.domains, self.main
        made, free, good = written(*given, np.flatnonzero(self.kept), self.units, self.levels)
        self._withhold(~np.isin(np.arange(len(self.domains)), good), "limits")
        return Protected(made, self._reasons(free))

    def _reasons(self, free: Mask) -> dict[int, str]:
        why = dict.fromkeys(np.flatnonzero(~free).tolist(), "derived")
        for at, one in enumerate(self.domains):
            own = str(self.why[at])
            for row in (one.row, *one.totals, *one.others):
                if row >= 0 and not free[row]:
                    why[row] = own or ("second_form" if row in one.others else "no_share")
        return why
