"""Protects a corrected wave of a survey: what changed by few is shown as it was, or not at all; the rest is proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.corrected import Figures, Version, shown_rows, small, still_true, with_earlier
from safercities.disclose.digits import bands
from safercities.disclose.journal import Wave
from safercities.disclose.suppress import default_width
from safercities.disclose.survey_attack import Seen
from safercities.disclose.survey_choice import breadth, first_that_fit
from safercities.disclose.survey_groups import Definitions, Group, definitions
from safercities.disclose.survey_leaves import Key, divisions
from safercities.disclose.survey_proof import Proof, Sample
from safercities.disclose.survey_protected import Protected
from safercities.disclose.survey_rows import Domain, Minimum, Table, read
from safercities.disclose.survey_shown import widest_steps
from safercities.disclose.survey_versions import Name, Rules, attack_versions, each_with_others, joined, name_of
from safercities.disclose.survey_waves import any_definition, by_name, row_domain, rows_of, three, unversioned, wave
from safercities.disclose.survey_written import written
from safercities.disclose.surveys import WANTED, Work
from safercities.disclose.withhold import without_lone_codes
from safercities.indicators.spec import Indicator
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Corrected:
    """A corrected wave.

    Parameters
    ----------
    protected
        What is published of it; rows of which the same is shown again are those of the earlier release.
    wave
        What stands behind it, for the journal.
    """

    protected: Protected
    wave: Wave


def correct_survey(
    estimates: Estimates,
    minimum: Minimum,
    versions: Sequence[Version],
    number: int,
    *,
    width: int | None = None,
    places: Sequence[Place] = (),
    indicators: Mapping[str, Indicator] | None = None,
) -> Corrected:
    """Protect a wave that was published before, so that it and its earlier versions are safe together.

    Rules
    -----
    - Where respondents, cases and others of a domain, and those of its complement, each are as they were or differ by
      the minimum or more from every earlier version, the new row may be shown.
    - Where one of them differs by less, the earlier row is shown again if it is still true enough: what is measured now
      lies within half of its standard error, or within its rounding. Else the domain is withheld.
    - What is shown anew is proved over all versions: `survey_proof.Proof` finds worlds, one of each version, with the
      same numbers where they did not change. And the public finds nothing in them together (`survey_versions`).

    Parameters
    ----------
    versions
        Earlier releases of the wave, oldest first.
    number
        Of this release.
    minimum, width, places, indicators
        As for `protect_survey`, and the same for all versions.

    Raises
    ------
    UsageError, SafercitiesError
        As `protect_survey`.
    """
    table = read(estimates, minimum)
    work = _Work(estimates, table, width, places, definitions(indicators), versions, minimum)
    return work.run(number, width, places)


class _Work(Work):
    """One correction: which rows are made anew, which are shown again, and which are withheld."""

    def __init__(
        self,
        estimates: Estimates,
        table: Table,
        width: int | None,
        places: Sequence[Place],
        definition: Definitions,
        versions: Sequence[Version],
        minimum: Minimum,
    ) -> None:
        super().__init__(estimates, table, width, places, definition)
        self.versions, self.asked, self.least = versions, width, minimum
        self.names = [name_of(one, estimates.dimensions) for one in self.domains]
        self.known_waves = [by_name(one.wave) for one in versions]
        self.any_definition = [any_definition(one) for one in self.known_waves]
        self.former = [self._restored(one) for one in versions]
        called = ([name_of(one, work.estimates.dimensions) for one in work.domains] for work in self.former)
        self.position = [{name: at for at, name in reversed([*enumerate(names)])} for names in called]
        self.again = np.full(len(self.domains), -1, dtype=np.int64)
        self.top_of = np.full(len(self.domains), -1, dtype=np.int64)
        for group in self.groups:
            self.top_of[group.members] = np.where(group.whole >= 0, group.members[group.whole], -1)

    @property
    def visible(self) -> Mask:
        """Domains of which a row is published, a new one or the earlier one."""
        return np.asarray(self.kept | (self.again >= 0))

    def run(self, number: int, width: int | None, places: Sequence[Place]) -> Corrected:
        self.primary()
        self.compare()
        self.alone()
        if self._as_it_was():
            return Corrected(Protected(self.versions[-1].estimates), self._kept_wave(number))
        self.one_division(places)
        self.together()
        made = self.checked(width, places)
        return Corrected(made, self._kept_wave(number))

    def _kept_wave(self, number: int) -> Wave:
        shown = np.where(self.kept, number, 0)
        for at in np.flatnonzero(self.again >= 0).tolist():
            shown[at] = self.versions[int(self.again[at])].number
        return wave(self.table, self.estimates.dimensions, list(zip(self.domains, shown.tolist(), strict=True)))

    # -- the earlier versions ------------------------------------------------------------------------------------------

    def _restored(self, version: Version) -> Work:
        """An earlier version as it was protected: its rows as published, with the true numbers behind them."""
        made = Estimates.from_rows(list(rows_of(version, self.estimates.dimensions)), self.estimates.dimensions)
        work = Work(made, read(made, self._least(made)), self.asked, self.places, self.definition)
        behind = by_name(version.wave)
        shown = [behind[name_of(one, made.dimensions)][2] == version.number for one in work.domains]
        work.why[~np.array(shown, dtype=bool)] = "before"
        work.ranges()
        return work

    def _least(self, made: Estimates) -> Minimum:
        """Least counts of an earlier version; where only those of today's rows are given, the greatest for others."""
        if callable(self.least):
            return self.least
        own = {name: int(k) for name, k in zip(self.names, self.minimum.tolist(), strict=True)}
        names = [row_domain(row, made.dimensions) for row in made.rows()]
        return np.array([own.get(name, int(self.minimum.max(initial=2))) for name in names], dtype=np.int64)

    # -- what changed --------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Of what changed by few since an earlier version show the earlier row again, or nothing."""
        numbers = {one.number: at for at, one in enumerate(self.versions)}
        for at, name in enumerate(self.names):
            if any(self._few(at, name, version, numbers) for version in range(len(self.versions))):
                self.why[at] = "changed"
                self.again[at] = self._true_enough(at, name, numbers)

    def _few(self, at: int, name: Name, version: int, numbers: Mapping[int, int]) -> bool:
        """Whether a domain or its complement differs by few from what a version showed, or what stood behind it.

        By another definition of the indicator, too: the few of whom it says otherwise could be told by the difference.
        """
        then, now, top = self.known_waves[version], self._numbers(at), int(self.top_of[at])
        counted = np.array([True, self.counted[at], self.counted[at]])
        for then_called in self.any_definition[version].get(unversioned(name), ()):
            shown = then[then_called][2]
            behind = self.known_waves[numbers[shown]][then_called] if shown in numbers else then[then_called]
            apart = [now - three(behind)]
            whole = (then_called[0], *self.names[top][1:])
            if top >= 0 and top != at and whole in then:
                apart.append((self._numbers(top) - now) - (three(then[whole]) - three(then[then_called])))
            if any((small(one, self.minimum[at]) & counted).any() for one in apart):
                return True
        return False

    def _numbers(self, at: int) -> Integers:
        """Respondents, cases and others of a domain now."""
        return three((int(self.n[at]), int(self.x[at]), 0))

    def _true_enough(self, at: int, name: Name, numbers: Mapping[int, int]) -> int:
        """The latest version of which a row is true enough to be shown again; −1: none."""
        for version in reversed(range(len(self.versions))):
            shown = self.known_waves[version].get(name, (0, 0, 0))[2]
            if shown not in numbers:
                continue
            work = self.former[numbers[shown]]
            own = self.position[numbers[shown]][name]
            row = work.domains[own].row
            now, then = (_figures(one, row) for one, row in ((self.table, self.main[at]), (work.table, row)))
            then = then._replace(n=float(bands(work.table.n[[row]])[0][0]))
            its = work.main[[own]], work.width[[own]], work.known[[own]]
            people = float(widest_steps(work.table, *its)[0]), float(self.units.denominator[at])
            if still_true(now, then, float(work.units.value[own]), people) and self._within(at, work, own):
                return numbers[shown]
        return -1

    def _within(self, at: int, work: Work, own: int) -> bool:
        """Whether what is measured now lies within all limits that were shown: of the share and of the number."""
        here, then = self.domains[at], work.domains[own]
        pairs = [(self.main[at], then.row), *zip(here.totals[:1], then.totals[:1], strict=False)]
        shown = [(now, row) for now, row in pairs if row >= 0 and np.isfinite(work.table.lower[row])]
        return all(work.table.lower[row] <= self.table.value[now] <= work.table.upper[row] for now, row in shown)

    def _as_it_was(self) -> bool:
        """Whether all that the last release shows would be shown in the same way, so that there is nothing to prove.

        Not where something may be shown that no version measured: a breakdown or an indicator was added.
        """
        last, known = shown_rows(self.versions[-1].estimates), self.known_waves[-1]
        if any(
            not any(name in one for one in self.known_waves)
            for name in (self.names[at] for at in np.flatnonzero(self.kept))
        ):
            return False
        there = np.array([known.get(name, (0, 0, 0))[2] > 0 for name in self.names], dtype=bool)
        if not self.visible[there].all():
            return False
        before, self.why = self.why, np.where(there | ~self.kept, self.why, "complement")
        again = self.again.copy()
        made = self.published()
        same = shown_rows(made.estimates) == last
        if not same:
            self.why, self.again = before, again
        return same

    # -- what is proved ------------------------------------------------------------------------------------------------

    def one_division(self, places: Sequence[Place]) -> None:
        """Of places that divide the whole in several ways show the one that was shown before."""
        of = divisions(list(dict.fromkeys(one.key[0] for one in self.domains)), places)
        before = {
            division
            for known in self.known_waves
            for (_, place, _), (_, _, shown) in known.items()
            for division in of.get(place, ())
            if shown
        }
        other = [bool(before and of[one.key[0]] and before.isdisjoint(of[one.key[0]])) for one in self.domains]
        self._withhold(np.array(other, dtype=bool), "parallel")
        super().one_division(places)

    def _settle(self, group: Group) -> None:
        """Of what is kept in a group keep what is proved safe beside all earlier versions."""
        parts = [(self, group), *self._same_series(group)]
        links = list(self._unchanged([(work, its) for work, its in parts]))
        whole = joined([its for _, its in parts], links)
        truth = _side_by_side([work._sample(its) for work, its in parts], whole)
        proof = Proof(truth)
        former = [work._seen(its, work.kept[its.members]) for work, its in parts[1:]]

        def seen(shown: Sequence[int]) -> Seen:
            own = self._seen(group, np.isin(group.members, np.array(shown, dtype=np.int64)))
            return _same_sizes(_stacked([own, *former]), truth.x + truth.y, list(whole.leaves.domains))

        # what earlier versions tell by themselves nobody can take back
        asked = proof.proved(seen([])) if former else np.ones(len(whole.members), dtype=bool)

        def safe(shown: Sequence[int], last: bool) -> bool:
            worth = last and breadth(self.domains[shown[-1]].key, self.top[shown[-1]]) <= WANTED
            return bool(proof.proved(seen(shown), brief=bool(asked.all()), thorough=worth)[asked].all())

        shown = first_that_fit([at for at in self._wanted(group.members) if self.kept[at]], safe)
        hidden = np.isin(np.arange(len(self.domains)), np.setdiff1d(group.members, shown))
        self._withhold(hidden, "complement")

    def _same_series(self, group: Group) -> Iterator[tuple[Work, Group]]:
        series = self.domains[group.members[0]].series
        for work in self.former:
            yield from ((work, its) for its in work.groups if work.domains[its.members[0]].series == series)

    def _unchanged(self, parts: Sequence[tuple[Work, Group]]) -> Iterator[tuple[int, int, int, int]]:
        """Domains with the same true numbers as in the version before that has them."""
        last: dict[tuple[Name, tuple[int, int]], tuple[int, int]] = {}
        for part, (work, group) in enumerate(parts):
            for at, member in enumerate(group.members.tolist()):
                own = name_of(work.domains[member], work.estimates.dimensions)
                key = own, (int(work.n[member]), int(work.x[member]))
                if key in last:
                    yield (*last[key], part, at)
                last[key] = part, at

    def narrow(
        self, shown: Estimates, left: Sequence[Group], width: int | None, places: Sequence[Place]
    ) -> Iterator[tuple[Group, list[int]]]:
        """As for a first version; where rows shown again contradict new ones, it is they that cannot stay."""
        for group in left:
            back = np.flatnonzero(self.again[group.members] >= 0).tolist()
            try:
                yield from super().narrow(shown, [group], width, places)
            except SafercitiesError as error:
                if not back or error.problems[0].code != "attack-contradiction":
                    raise
                yield group, back

    def checked(self, width: int | None, places: Sequence[Place]) -> Protected:
        """What is published, once the public finds nothing in it, nor in it and the earlier versions together."""
        made = super().checked(width, places)
        while found := self._between(made.estimates, width, places):
            before, others = int(self.visible.sum()), {one[0] for one in found.difference(self.names)}
            for group in self.groups:
                names = [self.names[one] for one in group.members.tolist()]
                seen = [at for at, one in enumerate(names) if one in found]
                if seen or names[0][0] in others:  # others: merged codes, or what only earlier versions have
                    self._give_up(group, seen or np.flatnonzero(~self.visible[group.members]).tolist() or [0])
            if int(self.visible.sum()) == before:  # what earlier versions tell by themselves nobody can take back
                break
            made = self.published()
        return made

    def _between(self, shown: Estimates, width: int | None, places: Sequence[Place]) -> set[Name]:
        """What the public finds by holding versions against each other, all with their lone codes merged."""
        rows = [*(one.estimates for one in self.versions), without_lone_codes(shown)]
        most, least = int(self.minimum.max()), self._every_least()

        def rules(_: int, one: Domain) -> Rules:
            k = least.get(name_of(one, names), most)
            wanted = int(default_width(np.array([k]))[0]) if width is None else width
            return Rules(k, wanted, max(k - 1, 1) if width is None else width)

        found: set[Name] = set()
        for chosen in each_with_others(len(rows)):
            if chosen[-1] == len(rows) - 1:
                these = [rows[at] for at in chosen]
                names = list(dict.fromkeys(name for one in these for name in one.dimensions))
                told = attack_versions(these, rules, places, self.definition, lambda *_: "", quick=True)
                found |= {one.name for _, its in told for one in its}
        return found

    def _every_least(self) -> dict[Name, int]:
        """Least count of every domain of any version."""
        return {
            name_of(one, work.estimates.dimensions): int(k)
            for work in (*self.former, self)
            for one, k in zip(work.domains, work.minimum, strict=True)
        }

    def _give_up(self, group: Group, seen: Sequence[int]) -> None:
        before = self.visible
        super()._give_up(group, seen)
        self.again[before & ~self.kept & (self.why == "narrow")] = -1

    # -- what is published ---------------------------------------------------------------------------------------------

    def published(self) -> Protected:
        """The rows as they may be seen, those of earlier releases where these are shown again."""
        given = self.estimates, self.table, self.domains, self.main
        made, free, good = written(*given, np.flatnonzero(self.kept), self.units, self.levels)
        self._withhold(~np.isin(np.arange(len(self.domains)), good), "limits")
        rows = {
            row: int(self.again[at])
            for at in np.flatnonzero(self.again >= 0).tolist()
            for row in (self.domains[at].row, *self.domains[at].totals)
            if row >= 0
        }
        mixed, back = with_earlier(made, rows, [one.estimates for one in self.versions])
        return Protected(mixed, {row: why for row, why in self._reasons(free).items() if row not in back})


def _figures(table: Table, row: int) -> Figures:
    return Figures(*(float(one[row]) for one in (table.value, table.se, table.denominator, table.n)))


def _side_by_side(samples: Sequence[Sample], group: Group) -> Sample:
    """Samples as one."""
    numbers = ([s.x for s in samples], [s.y for s in samples], [s.width for s in samples])
    x, y, width = (np.concatenate(one) for one in numbers)
    cases = np.concatenate([s.cases for s in samples])
    return Sample(samples[0].name, group.leaves, x, y, width, cases, group.whole)


def _stacked(seen: Sequence[Seen]) -> Seen:
    """What is seen of several versions."""
    names = [name for name in Seen.__dataclass_fields__ if name != "name"]
    return Seen(seen[0].name, **{name: np.concatenate([getattr(one, name) for one in seen]) for name in names})


def _same_sizes(seen: Seen, n: Integers, keys: Sequence[Key]) -> Seen:
    """What versions tell of respondents holds for both where there were as many: who recodes an answer loses nobody."""
    low, high, of = seen.n_low.copy(), seen.n_high.copy(), dict[tuple[Key, int], list[int]]()
    for at, key in enumerate(keys):
        of.setdefault((key, int(n[at])), []).append(at)
    for its in of.values():
        low[its], high[its] = low[its].max(), high[its].min()
    return replace(seen, n_low=low, n_high=high)
