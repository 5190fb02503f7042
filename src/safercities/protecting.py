"""Protects what an observatory's own sources say: plans a release, protects each source, attacks the counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from safercities import config, federating, files, measuring
from safercities.collect.spec import AuditsSpec, IncidentsSpec, SurveySpec
from safercities.disclose import counts, gate, point_level, sampled, sisters, withhold
from safercities.disclose.plan import Plan, PlannedPeriod, SourceFacts
from safercities.disclose.plan import plan as plan_release
from safercities.disclose.rebuild import declared_codes, protected_source, within_covers, without_codes
from safercities.model.errors import Problem, SafercitiesError, Severity, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period

if TYPE_CHECKING:
    from safercities.disclose.corrected import Version
    from safercities.disclose.counts import Guarded
    from safercities.disclose.journal import Wave
    from safercities.disclose.point_level import PointLevel
    from safercities.indicators.spec import Indicator
    from safercities.measure.counts import CountsSource
    from safercities.observatory import Observatory
    from safercities.places.hierarchy import Hierarchy
    from safercities.release.earlier import Earlier
    from safercities.release.store import KeyStore
    from safercities.release.verify import Verified

#: Folder of what nobody may read: what stands behind the releases, and what could be deduced of those refused.
PRIVATE = federating.PRIVATE
JOURNAL = "journal"
_ANNUALISED = "cases per person-year: annualised"


class Protection:
    """What an observatory's own sources may say in its next release.

    Parameters
    ----------
    published
        Day of publication.
    keys
        Of the observatory: rounding is seeded with them, and they tell its own releases.
    chain
        All releases so far, verified.
    progress
        Told what is being done.
    """

    def __init__(
        self,
        observatory: Observatory,
        published: date,
        keys: KeyStore,
        chain: Sequence[Verified],
        progress: Callable[[str, int, int], None],
    ) -> None:
        self.observatory, self.published, self.keys, self.chain = observatory, published, keys, list(chain)
        self.spec, self.progress, self.private = observatory.spec.publish, progress, observatory.folder / PRIVATE
        self.problems: list[Problem] = []
        self.guarded: dict[str, list[Guarded]] = {}
        self.waves: list[Wave] = []
        self.log: dict[str, Any] = {}
        self.together: dict[tuple[str, Period], tuple[str, ...]] = {}

    # -- what is published ---------------------------------------------------------------------------------------------

    @cached_property
    def asked(self) -> list[Indicator]:
        """The indicators to publish."""
        from safercities.indicators.catalogue import indicator

        spec = self.observatory.spec
        codes = spec.measure.indicators if self.spec.indicators is None else self.spec.indicators
        return [indicator(code) for code in dict.fromkeys(codes)]

    @cached_property
    def work(self) -> list[measuring.Work]:
        """Which source answers what, parts of other indicators among them."""
        return measuring.plan(self.observatory, self.asked)

    @cached_property
    def definitions(self) -> dict[str, Indicator]:
        """Code → definition, of all that is measured, or was published."""
        from safercities.indicators.catalogue import catalogue

        return dict(catalogue())

    @cached_property
    def earlier(self) -> Earlier:
        """What earlier releases hold."""
        from safercities.release.earlier import Earlier

        return Earlier(self.chain, self.keys, self.private / JOURNAL)

    def plan(self, supersedes: str | None) -> list[PlannedPeriod]:
        """What is to be published; errors of the plan end the run, all of them at once.

        Parameters
        ----------
        supersedes
            Id of the release that is corrected: its periods are published again.
        """
        facts = [self._facts(name, its) for name, its in self._of_source().items()]
        members = self.observatory.federation is not None  # they may have any of the indicators
        derived = [one.code for one in self.asked if members or one.on().made_of == "estimates"]
        codes = dict.fromkeys([*(one.code for one in self.asked), *(d.code for its, _ in self.work for d in its)])
        found: Plan = plan_release(
            self.spec.model_copy(update={"indicators": list(codes)}),
            facts,
            [tuple(one) for one in measuring.breakdowns_of(self.observatory)],
            indicators=derived,
            standard=self.observatory.spec.measure.standard,
            earlier=self.earlier.everything,
            supersedes=supersedes is not None,
        )
        self.problems += found.problems
        if wrong := [one for one in found.problems if one.severity is Severity.ERROR]:
            raise SafercitiesError(wrong)
        if self.observatory.federation is None:  # rows of members have names of their own
            self.earlier.check_renamed(found.parts, self.observatory.spec.sources, config.FILE)
        corrected = self.earlier.told.get(supersedes or "", set())
        wanted = [one for one in found.parts if not one.revision or (one.source, one.period) in corrected]
        self.together = self._together(wanted)
        return [self._by_point(one) for one in wanted]

    def _together(self, parts: Sequence[PlannedPeriod]) -> dict[tuple[str, Period], tuple[str, ...]]:
        """Source and period → the sources that hold the same cases then, this one among them."""
        everything = [*((one.source, one.period) for one in parts), *self.earlier.everything]
        kinds = {name: spec.kind for name, spec in self.observatory.spec.sources.items()}
        kept = (IncidentsSpec, SurveySpec, AuditsSpec)
        cases = {name: spec for name, spec in self.observatory.spec.sources.items() if isinstance(spec, kept)}
        self.sisters = sisters.Sisters(
            cases,
            {name for name, _ in everything},
            self.observatory.folder,
            self.spec.same_cases,
            lambda name: self.observatory.locate(name).collected.table,
        )
        return {(one.source, one.period): self.sisters.together(one, everything, kinds) for one in parts}

    def _of_source(self) -> dict[str, list[Indicator]]:
        found: dict[str, list[Indicator]] = {}
        wanted = self.spec.sources
        for name in wanted or []:
            if name not in self.observatory.spec.sources:
                said: dict[str, Any] = {"source": name, "known": ", ".join(self.observatory.spec.sources)}
                raise SafercitiesError(
                    problem("publish-source-nowhere", file=config.FILE, column="publish.sources", **said)
                )
        for definitions, name in self.work:
            if wanted is None or name in wanted:
                found.setdefault(name, []).extend(definitions)
        return found

    def _facts(self, name: str, indicators: Sequence[Indicator]) -> SourceFacts:
        spec, kind = self.observatory.spec.sources[name], self.observatory.spec.measure.period
        if isinstance(spec, IncidentsSpec):
            return SourceFacts.of_counts(self.source(name), indicators, kind)
        if isinstance(spec, SurveySpec):
            return sampled.survey_facts(self.observatory.survey_source(name), indicators, self.published)
        return sampled.audits_facts(self.observatory.locate(name), indicators, kind, self.published)

    def source(self, name: str) -> CountsSource:
        """A source of counts as it is on the day of publication."""
        if name not in self._sources:
            made = replace(self.observatory.counts_source(name), today=self.published)
            self._sources[name] = within_covers(made)
        return self._sources[name]

    @cached_property
    def _sources(self) -> dict[str, CountsSource]:
        return {}

    # -- anonymous points ----------------------------------------------------------------------------------------------

    @cached_property
    def points(self) -> PointLevel | None:
        """The anonymous points by which cases are published as well, if any."""
        observatory = self.observatory
        point_level.check_sources(self.spec, observatory.named(IncidentsSpec))
        found = point_level.read_points(
            self.spec, observatory.folder, observatory.geographies, observatory.place, self.published
        )
        self.problems += found.problems if found is not None else ()
        return found

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """All places, the points among them."""
        return self.observatory.hierarchy if self.points is None else self.points.hierarchy

    def _by_point(self, part: PlannedPeriod) -> PlannedPeriod:
        earlier = self.earlier.entries([part.source], part.period) if part.kind == "incidents" else []
        planned, told = point_level.plan_points(part, self.spec, self.points, self.definitions, earlier)
        self.problems += told
        return planned

    def _pointed(self, part: PlannedPeriod) -> CountsSource:
        """The source of a part, its records at their points if it is published by point."""
        source = self.source(part.source)
        if self.points is None or all(one.level != point_level.LEVEL for one in part.tables):
            return source
        return point_level.with_points(source, self.points, self.observatory.collect(part.source).crs)

    def _declared(self, name: str) -> dict[str, tuple[str, ...]]:
        spec = self.observatory.spec.sources[name]
        assert isinstance(spec, IncidentsSpec)  # noqa: S101 - only such sources reach this point
        return {key: declared_codes(key, one) for key, one in spec.dimensions.items()}

    # -- protect -------------------------------------------------------------------------------------------------------

    @property
    def everything(self) -> list[Guarded]:
        """All protected counts."""
        return [one for its in self.guarded.values() for one in its]

    def own(self, parts: Sequence[PlannedPeriod]) -> Estimates:
        """Protected estimates of the observatory's own sources, and what is made of them."""
        counted = [one for one in parts if one.kind == "incidents"]
        self.guarded, self.waves = {}, []
        for names in self._groups(counted):
            self.guarded |= self._protect_sources([one for one in counted if one.source in names])
        self._gate()
        made = [self._counts(), *self._sampled([one for one in parts if one.kind != "incidents"])]
        whole = Estimates.concat(made)
        derived = measuring.derive(self.observatory, self.asked, whole)
        without = np.asarray(pc.is_null(derived.table.column("value")))
        wanted = [one.code for one in self.asked]
        return Estimates.concat([whole.where(indicator=wanted), withhold.blank(derived, without)]).sort()

    def _groups(self, parts: Sequence[PlannedPeriod]) -> list[set[str]]:
        """Sources, those together that hold the same cases in some period."""
        groups: list[set[str]] = []
        for one in parts:
            mine = set(self.together[one.source, one.period])
            joined = [group for group in groups if group & mine]
            groups = [*(group for group in groups if group not in joined), mine.union(*joined)]
        return groups

    def _protect_sources(self, parts: Sequence[PlannedPeriod]) -> dict[str, list[Guarded]]:
        """The periods of sources, protected; those with the same cases over one base.

        With suppression, codes that nobody named, and of which nothing is published, become `_U`, and all is protected
        again: that their rows are withheld would say that there are such cases. Who sees a code sees a number of it,
        so that it tells nothing more; any rule by the true counts would be one more sum that nobody reckoned with.
        """
        clusters: dict[tuple[tuple[str, ...], Period], list[PlannedPeriod]] = {}
        for part in parts:
            clusters.setdefault((self.together[part.source, part.period], part.period), []).append(part)
        while True:
            found: dict[str, list[Guarded]] = {}
            for done, ((names, period), its) in enumerate(clusters.items()):
                self.progress(f"protect {', '.join(names)}, {period}", done, len(clusters))
                for one in self._protect(its, names):
                    found.setdefault(one.part.source, []).append(one)
            every = list(dict.fromkeys(name for names, _ in clusters for name in names))
            named: dict[str, tuple[str, ...]] = {}
            entries = [one for names, period in clusters for one in self.earlier.entries(names, period)]
            seen = [item for one in entries for item in one.frame.axes]
            for axis, codes in (*(item for name in every for item in self._declared(name).items()), *seen):
                named[axis] = (*named.get(axis, ()), *codes)
            hidden = withhold.hidden_codes([one for its in found.values() for one in its], named)
            if not hidden:
                return found
            for name in every:
                mine = {axis: codes for axis, codes in hidden.items() if axis in self.source(name).dimensions}
                self._sources[name] = without_codes(self.source(name), mine)

    def _protect(self, parts: Sequence[PlannedPeriod], names: Sequence[str]) -> list[Guarded]:
        """One period of a source, or of several that hold the same cases: `names`; `parts` are those published now."""
        period, pointed = parts[0].period, {one.source: self._pointed(one) for one in parts}
        sources, own = [pointed.get(name) or self.source(name) for name in names], self.observatory
        source = self.sisters.joined(sources, period) if len(sources) > 1 else sources[0]
        made = counts.protect(
            sisters.whole_part(parts, source) if len(sources) > 1 else parts[0],
            source,
            self.spec,
            hierarchy=self.hierarchy,
            place=own.place.id,
            indicators=self.definitions,
            overlaps=own.overlaps if self.points is None else self.points.overlaps(own.overlaps),
            secret=self.keys.secret(),
            earlier=self.earlier.entries(names, period),
        )
        return sisters.split(made, parts, names) if len(sources) > 1 else [made]

    def _gate(self) -> None:
        """Attack all counts; whatever can be deduced shuts the gate.

        Raises
        ------
        SafercitiesError
            Names the tables. What could be deduced, and how, stands in the private log only.
        """
        wrong, told = [], []
        for one in dict.fromkeys(each.whole or each for each in self.everything):
            self.progress(f"attack {one.part.source}, {one.part.period}", 0, 0)
            found = gate.openings(one.room, one.target, one.insiders)
            if found:
                told += gate.certificates(one.room, one.target, found)
                said: dict[str, Any] = {"source": one.part.source, "period": str(one.part.period)}
                wrong.append(problem("publish-gate", column="publish", file=config.FILE, openings=len(found), **said))
        if wrong:
            self.refuse({"openings": told})
            raise SafercitiesError(wrong)

    def refuse(self, content: Mapping[str, Any]) -> None:
        """Write the private log of a release that was not made."""
        with files.replace_folder(self.private / "refused", mark="log.json", private=True) as work:
            (work / "log.json").write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
            files.keep_out_of_git(work)

    # -- measure -------------------------------------------------------------------------------------------------------

    def _counts(self) -> Estimates:
        """Estimates of all sources of counts, from what protection left of them."""
        if not self.guarded:
            return Estimates.empty()
        made = self._measured({name: [one.shown for one in its] for name, its in self.guarded.items()})
        ended = [name for name in self.guarded if not self.source(name).covers_declared]
        if self.spec.method == "rounding":
            return withhold.without_ends(withhold.free(withhold.planned(made, self.everything)), ended)
        grid = self._measured({name: [one.shown + 1 for one in its] for name, its in self.guarded.items()})
        found = withhold.planned(withhold.withhold(made, grid, self.everything, _ANNUALISED), self.everything)
        seen = [name for name in self.guarded if self.observatory.declared_acts(name) is None]
        return withhold.without_ends(withhold.without_hidden(found, seen), ended)

    def _measured(self, shown: Mapping[str, Sequence[counts.Ints]]) -> Estimates:
        sources = {name: self._protected(name, its) for name, its in shown.items()}
        tables = [table for its in self.guarded.values() for one in its for table in one.part.tables if table.shown]
        by = dict.fromkeys((*(["place"] if one.level else []), *one.dimensions) for one in tables)
        work = [one for one in measuring.plan(self.observatory, self.asked, sources) if one[1] in sources]
        made = measuring.carry_out(self.observatory, work, list(by), None, _by_area(sources))
        return Estimates.concat([made, *(self._at_points(one, sources[name]) for (one,), name in work)])

    def _protected(self, name: str, shown: Sequence[counts.Ints]) -> CountsSource:
        """A source as protection left it."""
        guarded = self.guarded[name]
        pointed, bases = self._pointed(guarded[0].part), [one.base for one in guarded]
        return protected_source(pointed, bases, shown, self._declared(name), counts.rounding_errors(guarded))

    def _at_points(self, definition: Indicator, source: CountsSource) -> Estimates:
        kept = [definition] if self.spec.by_point(definition) else []
        period, level = self.observatory.spec.measure.period, self.observatory.spec.measure.level
        return point_level.measure_points(kept, source, self.hierarchy, self.observatory.place.id, period, level)

    def _sampled(self, parts: Sequence[PlannedPeriod]) -> Iterator[Estimates]:
        """Protected estimates of surveys and audits; those published before are held against what they were."""
        for name in dict.fromkeys(one.source for one in parts if not one.revision):
            yield self._waves([one for one in parts if one.source == name and not one.revision], [])
        for one in (one for one in parts if one.revision):
            versions = self.earlier.versions(one.source, one.period)
            yield self._waves([one], versions) if versions else self._kept(one, "publish-wave-kept")

    def _waves(self, mine: Sequence[PlannedPeriod], versions: Sequence[Version]) -> Estimates:
        """Periods of one source."""
        own, name, number = self.observatory, mine[0].source, len(self.chain) + 1
        self.progress(f"protect {name}", 0, 1)
        every = measuring.carry_out(own, [one for one in self.work if one[1] == name], sampled.breakdowns(mine))
        made = sampled.planned(every, mine, own.hierarchy, own.place.id)
        given = made, sampled.least(made, self.spec, self.definitions)
        where: dict[str, Any] = {"indicators": self.definitions}
        found: sampled.Sampled | None
        if mine[0].kind == "audits":
            where |= {"hierarchy": own.hierarchy, "place": own.place.id, "overlaps": own.overlaps}
            found = sampled.protect_audits_again(*given, mine, own.locate(name), self.spec, versions, number, **where)
        else:
            where["places"] = own.hierarchy.places
            found = sampled.protect_survey_waves(*given, self.spec, versions, number, **where)
            self.log[name] = dict(Counter(self.log.get(name)) + Counter(found.tally))  # of all its waves
        if found is None:
            self.waves.append(versions[-1].wave)
            return self._kept(mine[0], "publish-audits-kept")
        self.waves += found.waves
        self.problems += found.problems
        return found.estimates

    def _kept(self, part: PlannedPeriod, why: str) -> Estimates:
        """The rows of a wave or of audits as they were published last: two sets would differ by what was corrected."""
        self.problems.append(problem(why, source=part.source, period=str(part.period)))
        return self.earlier.last(part.source, part.period)


def _by_area(sources: Mapping[str, CountsSource]) -> dict[str, CountsSource]:
    """Sources without their points."""
    return {
        name: replace(one, levels=tuple(level for level in one.levels if level != point_level.LEVEL))
        for name, one in sources.items()
    }
