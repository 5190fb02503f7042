"""Opens an observatory's folder and ties the steps together: collect → locate → measure → review."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safercities import checks, config, files
from safercities.collect.spec import AuditsSpec, IncidentsSpec, PopulationSpec, SourceSpec, SurveySpec
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.model.places import Place

if TYPE_CHECKING:
    from safercities.collect.records import Collected
    from safercities.indicators.spec import Indicator
    from safercities.measure.counts import CountsSource
    from safercities.measure.surveys import SurveySource
    from safercities.places.geographies import Geography
    from safercities.places.hierarchy import Hierarchy
    from safercities.places.locate import Located
    from safercities.places.population import Population
    from safercities.review.data import ReviewData, SourceSummary
    from safercities.sampling.contrasts import Contrast

#: Called with what is being done, how many steps are done, and how many there are.
Progress = Callable[[str, int, int], None]

BUILD = "build"
REVIEWS = "reviews"


def open(folder: str | Path, *, progress: Progress | None = None) -> Observatory:
    """Open an observatory: a folder that holds `observatory.toml`. No input is read yet.

    Outputs that a killed run had finished, but not put in place, are put in place.

    Raises
    ------
    UsageError
        If there is no such folder, or it holds no `observatory.toml`.
    SafercitiesError
        If `observatory.toml` is wrong.
    """
    path = Path(folder)
    spec = config.load(path)
    for target in (path / BUILD, *files.unfinished(path / REVIEWS)):
        files.settle(target)
    return Observatory(path, spec, progress)


@dataclass(frozen=True)
class Measured:
    """What a run of `Observatory.build` made: the estimates, and where they were written."""

    estimates: Estimates
    folder: Path
    problems: tuple[Problem, ...]


class Observatory:
    """One place's monitoring. Inputs are read once, when first needed.

    Parameters
    ----------
    folder
        Where `observatory.toml` and the raw inputs are.
    spec
        The content of `observatory.toml`.
    """

    def __init__(self, folder: Path, spec: config.ObservatorySpec, progress: Progress | None = None) -> None:
        self.folder = folder
        self.spec = spec
        self.progress = progress or (lambda what, done, total: None)

    def __repr__(self) -> str:
        return f"<Observatory {self.spec.observatory.name}: {', '.join(self.spec.sources) or 'no sources'}>"

    @property
    def place(self) -> Place:
        """The observatory's own place."""
        about = self.spec.observatory
        return Place(about.place, about.name, about.level)

    # -- collect ---------------------------------------------------------------------------------------------------

    def collect(self, name: str) -> Collected:
        """Read one source into records.

        Raises
        ------
        SafercitiesError
            If the file as a whole cannot be used.
        UsageError
            If no source has that name.
        """
        if name not in self.spec.sources:
            raise UsageError(problem("source-unknown", source=name, known=", ".join(self.spec.sources) or "none"))
        if name not in self._collected:
            self._collected[name] = self._collect(name)
        return self._collected[name]

    @cached_property
    def _collected(self) -> dict[str, Collected]:
        return {}

    def _collect(self, name: str) -> Collected:
        spec = self.spec.sources[name]
        if isinstance(spec, PopulationSpec):
            from safercities.collect.population import collect_population

            return collect_population(name, spec, self.folder)
        if isinstance(spec, SurveySpec):
            from safercities.collect.survey import collect_survey

            return collect_survey(name, spec, self.folder)
        if isinstance(spec, AuditsSpec):
            from safercities.collect.audits import collect_audits

            return collect_audits(name, spec, self.folder)
        from safercities.collect.incidents import collect_incidents

        return collect_incidents(name, spec, self.folder)

    def named(self, kind: type) -> list[str]:
        """Names of the sources of a kind."""
        return [name for name, spec in self.spec.sources.items() if isinstance(spec, kind)]

    # -- places ----------------------------------------------------------------------------------------------------

    @cached_property
    def geographies(self) -> tuple[Geography, ...]:
        """Every geography, in the order of `observatory.toml`, its places tied to their parents."""
        from safercities.places.geographies import load_geography
        from safercities.places.within import tie

        specs = self.spec.geographies
        loaded = [load_geography(spec, self.folder, default_parent=self.spec.observatory.place) for spec in specs]
        return tuple(tie(loaded, specs))

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """All places as a tree, the observatory's own at the top."""
        from safercities.places.hierarchy import Hierarchy

        return Hierarchy([self.place, *(place for geography in self.geographies for place in geography.places)])

    @cached_property
    def population(self) -> Population | None:
        """Who lives where, when; None where no source says it."""
        names = self.named(PopulationSpec)
        return self.population_of(*names) if names else None

    def population_of(self, *names: str) -> Population:
        """Who lives where, when, by some sources of population only."""
        from safercities.places.population import Population

        specs = {name: spec for name, spec in self.spec.sources.items() if isinstance(spec, PopulationSpec)}
        parts = [self.collect(name) for name in names]
        return Population.from_collected(parts, self.hierarchy, self.spec.observatory.place, specs)

    def locate(self, name: str) -> Located:
        """Give each record of a source its places."""
        from safercities.places.locate import locate

        if name not in self._located:
            self._located[name] = locate(self.collect(name), self.geographies, self.hierarchy)
        return self._located[name]

    @cached_property
    def _located(self) -> dict[str, Located]:
        return {}

    def check(self) -> list[Problem]:
        """Every problem in every input: a list, never an exception for what the data do wrong."""
        return checks.check(self)

    # -- measure ---------------------------------------------------------------------------------------------------

    def measure(
        self,
        *codes: str,
        by: Sequence[str] | Sequence[Sequence[str]] | None = None,
        period: str | None = None,
    ) -> Estimates:
        """Estimates of indicators (default: those of `observatory.toml`), with totals and the breakdowns asked for.

        Parameters
        ----------
        codes
            Indicator codes, as `sdg.16.1.1`.
        by
            One breakdown (`["sex", "age"]`) or several (`[["sex"], ["sex", "age"]]`); default: `[measure] by`.
        period
            year, quarter, month, week or day; default: `[measure] period`. Surveys keep the periods of their waves.

        Raises
        ------
        UsageError
            If an indicator or breakdown is not known.
        SafercitiesError
            If an input cannot be used, or no source can answer an indicator of `codes`.
        """
        from safercities.indicators.catalogue import indicator

        checks.refuse_unanswered(self, map(indicator, codes))
        asked = [indicator(code) for code in (codes or self.spec.measure.indicators)]
        breakdowns = self.spec.measure.by if by is None else _as_breakdowns(by)
        if wrong := list(checks.check_breakdowns(self, breakdowns)):
            raise UsageError(wrong) if by is not None else SafercitiesError(wrong)
        work = list(self._work([*asked, *self._parts(asked)]))
        if not work:
            raise SafercitiesError(problem("nothing-to-measure", file=config.FILE, column="measure"))
        parts = []
        for done, (definitions, name) in enumerate(work):
            shown = definitions[0].code if len(definitions) == 1 else f"{len(definitions)} indicators"
            self.progress(f"measure {shown} from {name}", done, len(work))
            parts.append(self._measure_source(definitions, name, breakdowns, period or self.spec.measure.period))
        self.progress("measure", len(work), len(work))
        made = Estimates.concat(parts)
        derived = [self._derive(one, made) for one in asked if one.on().made_of == "estimates"]
        return Estimates.concat([made.where(indicator=[one.code for one in asked]), *derived]).sort()

    def _parts(self, asked: Sequence[Indicator]) -> list[Indicator]:
        """Indicators that others are made of, and that were not asked for themselves."""
        from safercities.indicators.catalogue import indicator

        codes = {one.code for one in asked}
        wanted = (part for one in asked if one.on().made_of == "estimates" for part in one.on().parts)
        return [indicator(code) for code in dict.fromkeys(wanted) if code not in codes]

    def _work(self, asked: Sequence[Indicator]) -> Iterator[tuple[list[Indicator], str]]:
        """Which indicators are measured from which source: those of a survey or of audits together, in one pass."""
        for definition in asked:
            if definition.on().made_of == "incidents":
                yield from (([definition], name) for name in self.sources_for(definition))
        sampled = [one for one in asked if one.on().made_of in ("survey", "audits")]
        for name in self.named(SurveySpec) + self.named(AuditsSpec):
            its = [definition for definition in sampled if name in self.sources_for(definition)]
            if its:
                yield its, name

    def _measure_source(
        self, definitions: Sequence[Indicator], name: str, by: Sequence[Sequence[str]], period: str
    ) -> Estimates:
        """What one source says of some indicators, in the breakdowns that it has."""
        spec = self.spec.sources[name]
        has = {"place", *(info.name for info in self.collect(name).dimensions)}
        mine = [combination for combination in by if set(combination) <= has]
        if isinstance(spec, SurveySpec):
            return self._measure_survey(definitions, name, spec, mine)
        if isinstance(spec, AuditsSpec):
            return self._measure_audits(definitions, name, mine, period)
        (definition,) = definitions
        return self._measure_counts(definition, name, mine, period)

    def _measure_survey(
        self, definitions: Sequence[Indicator], name: str, spec: SurveySpec, by: Sequence[Sequence[str]]
    ) -> Estimates:
        from safercities.measure.small_areas import fay_herriot_rows
        from safercities.measure.surveys import measure_surveys

        level = self.spec.measure.level
        with checks.as_written(spec):
            direct = measure_surveys(definitions, self.survey_source(name), by=by, level=level)
        if not self.spec.measure.smooth:
            return direct
        units = {one.code: one.unit(one.on()) for one in definitions}
        shares = [direct.where(indicator=code, unit=unit) for code, unit in units.items()]
        return Estimates.concat([direct, fay_herriot_rows(Estimates.concat(shares), self.hierarchy, level=level)])

    def _measure_counts(self, definition: Indicator, name: str, by: Sequence[Sequence[str]], period: str) -> Estimates:
        from safercities.measure.counts import measure_counts

        return measure_counts(
            definition,
            self.counts_source(name),
            hierarchy=self.hierarchy,
            population=self.population,
            place=self.place.id,
            by=by,
            period=period,
            level=self.spec.measure.level,
            standard=self.spec.measure.standard,
            smooth=self.spec.measure.smooth,
            neighbours=self._neighbours if self.spec.measure.smooth else None,
        )

    def _measure_audits(
        self, definitions: Sequence[Indicator], name: str, by: Sequence[Sequence[str]], period: str
    ) -> Estimates:
        from safercities.measure.audits import AuditsSource, measure_audits

        spec = self.spec.sources[name]
        assert isinstance(spec, AuditsSpec)  # noqa: S101 - only such sources reach this point
        source = AuditsSource.from_located(self.locate(name))
        return measure_audits(
            definitions, source, place=self.place.id, by=by, period=period, level=self.spec.measure.level
        )

    def _derive(self, definition: Indicator, made: Estimates) -> Estimates:
        """An indicator that is made of others, from their estimates."""
        from safercities.indicators.catalogue import indicator
        from safercities.measure.composites import indices
        from safercities.measure.reporting import reporting_rate

        version = definition.on()
        if definition.kind == "index":
            return indices(definition, {code: made.where(indicator=code) for code in version.parts})
        recorded, surveyed = (indicator(code) for code in version.parts)
        told = surveyed.on()
        return reporting_rate(
            made.where(indicator=recorded.code),
            made.where(indicator=surveyed.code, unit=surveyed.unit(told)),
            indicator=definition.code,
            version=version.version,
            recall=told.reference_period,
            level=self.spec.measure.level,
        )

    def survey_source(self, name: str) -> SurveySource:
        """A survey as measuring takes it; its designs are made once."""
        from safercities.measure.surveys import SurveySource

        if name not in self._surveys:
            spec = self.spec.sources[name]
            assert isinstance(spec, SurveySpec)  # noqa: S101 - only such sources reach this point
            people = {one.source: self.population_of(one.source) for one in spec.margins if one.source is not None}
            self._surveys[name] = SurveySource.from_located(self.locate(name), spec, self.place.id, people)
        return self._surveys[name]

    @cached_property
    def _surveys(self) -> dict[str, SurveySource]:
        return {}

    def contrasts(
        self, code: str, by: str | Sequence[str], *, against: str | Sequence[str] | None = None, wave: str | None = None
    ) -> list[Contrast]:
        """Differences and ratios between groups in a survey, with the covariance that a shared sample gives them.

        Parameters
        ----------
        code
            Code of an indicator that surveys answer.
        by
            Dimensions of the groups.
        against
            Codes of the group that the others are compared with; default: every pair.
        wave
            Interview period; default: the last of each survey.

        Raises
        ------
        UsageError
            If no survey answers the indicator, or there is no such breakdown, group or wave.
        """
        from safercities.indicators.catalogue import indicator
        from safercities.measure.surveys import survey_contrasts

        definition = indicator(code)
        checks.refuse_unanswered(self, [definition], UsageError)
        names = [by] if isinstance(by, str) else list(by)
        base = [against] if isinstance(against, str) else against
        found = []
        for name in self.sources_for(definition):
            if isinstance(self.spec.sources[name], SurveySpec):
                source = self.survey_source(name)
                level = self.spec.measure.level
                with checks.as_written(source.spec):
                    found += survey_contrasts(definition, source, names, wave=wave, against=base, level=level)
        return found

    def changes(
        self, code: str, by: str | Sequence[str] | None = None, *, waves: tuple[str, str] | None = None
    ) -> list[Contrast]:
        """How an indicator changed between two waves of a survey, with the covariance that the same units give them.

        Parameters
        ----------
        code
            Code of an indicator that surveys answer.
        by
            Dimensions of the groups, each compared with itself; default: everybody.
        waves
            Two interview periods; default: the last two of each survey that has two.

        Returns
        -------
        list of Contrast
            The later wave less the earlier one, in the indicator's unit; `one` and `other` hold the wave as `period`.

        Raises
        ------
        UsageError
            If no survey answers the indicator, none has two waves, there is no such breakdown or wave, or the
            definition changed between them.
        """
        from safercities.indicators.catalogue import indicator
        from safercities.measure.changes import wave_contrasts

        definition = indicator(code)
        checks.refuse_unanswered(self, [definition], UsageError)
        names = [by] if isinstance(by, str) else list(by or ())
        surveys = [name for name in self.sources_for(definition) if isinstance(self.spec.sources[name], SurveySpec)]
        if not surveys:
            raise UsageError(problem("indicator-not-of-survey", indicator=code, of=definition.on().made_of))
        sources = [self.survey_source(name) for name in surveys]
        several = [source for source in sources if waves is not None or len(source.waves) > 1] or sources
        level = self.spec.measure.level
        return [one for source in several for one in wave_contrasts(definition, source, waves, names, level)]

    @cached_property
    def _neighbours(self) -> Mapping[str, Sequence[str]]:
        from safercities.places.within import neighbours

        return {key: value for geography in self.geographies for key, value in neighbours(geography).items()}

    def counts_source(self, name: str) -> CountsSource:
        """A source of incidents as measuring takes it."""
        from safercities.measure.counts import CountsSource

        spec = self.spec.sources[name]
        assert isinstance(spec, IncidentsSpec)  # noqa: S101 - only such sources reach this point
        return CountsSource.from_located(self.locate(name), covers=spec.covers, acts=self.declared_acts(name))

    def sources_for(self, definition: Indicator) -> list[str]:
        """Sources that can answer an indicator.

        Of incidents: whose unit it counts, and whose acts are, or may be, among its acts. Of a survey: that asked all
        its questions. Of audits: that rated all its parameters. Of other indicators: those of all its parts.
        """
        version = definition.on()
        if version.made_of == "estimates":
            from safercities.indicators.catalogue import indicator

            found = [self.sources_for(indicator(code)) for code in version.parts]
            return list(dict.fromkeys(name for names in found for name in names)) if all(found) else []
        return [name for name, spec in self.spec.sources.items() if self._answers(name, spec, definition)]

    def _answers(self, name: str, spec: SourceSpec, definition: Indicator) -> bool:
        version = definition.on()
        if isinstance(spec, SurveySpec):
            from safercities.measure.wave import answerable

            return any(answerable(one, spec) for one in definition.versions)
        if isinstance(spec, AuditsSpec):
            return version.made_of == "audits" and set(version.rated) <= spec.rubric.mapped.keys()
        if not isinstance(spec, IncidentsSpec) or version.made_of != "incidents":
            return False
        counted = version.counted
        return spec.unit_of_count in counted.units and any(counted.counts(act) for act in self.acts(name))

    def acts(self, name: str) -> list[str]:
        """Acts that a source holds: declared, or seen where the column holds codes. An act it lacks is no zero."""
        declared = self.declared_acts(name)
        return self.collect(name).table.column("act").unique().to_pylist() if declared is None else declared

    def declared_acts(self, name: str) -> list[str] | None:
        """Acts that `observatory.toml` says a source holds; None where its column holds the codes."""
        spec = self.spec.sources[name]
        if not isinstance(spec, IncidentsSpec):
            return []
        if isinstance(spec.act, str):
            return [spec.act]
        mapped = [*spec.act.map.values(), *([spec.act.other] if spec.act.other else [])]
        return mapped or None

    # -- outputs ---------------------------------------------------------------------------------------------------

    def build(self, *codes: str) -> Measured:
        """Measure and write `build/`: estimates, rejected rows, rows without a place, problems, a manifest.

        The folder appears whole or not at all. It is private: disclosure control comes later.
        """
        from safercities import outputs

        estimates = self.measure(*codes)
        problems = self.problems()
        folder = self.folder / BUILD
        outputs.write_build(folder, estimates, self, problems)
        return Measured(estimates, folder, tuple(problems))

    def problems(self) -> list[Problem]:
        """Problems of everything that has been read so far, and of what could not be measured."""
        found = [p for geography in self.geographies for p in geography.problems]
        for name, collected in self._collected.items():
            located = self._located.get(name)
            found.extend(collected.problems)
            found.extend(located.problems if located else ())
            found.extend(checks.check_covers(self, name) if located else ())
        found.extend(p for name in self._surveys for p in checks.check_survey(self, name))
        found.extend(self.population.problems if self.population else ())
        found.extend(checks.check_measure(self))
        return list(dict.fromkeys(found))

    def rows(self) -> dict[str, dict[str, int]]:
        """For each source that could be read: rows read, kept, rejected."""
        return {
            name: {"read": c.rows_read, "kept": c.table.num_rows, "rejected": c.rows_read - c.table.num_rows}
            for name, c in self._collected.items()
        }

    def covers(self, name: str) -> str:
        """The period that a source covers, as far as is declared or seen; of a survey its interview periods."""
        if isinstance(self.spec.sources[name], SurveySpec):
            return ", ".join(self.survey_source(name).waves)
        if isinstance(self.spec.sources[name], AuditsSpec):
            days = self.collect(name).table.column("when").to_pylist()
            return f"{min(days):%Y-%m-%d}/{max(days):%Y-%m-%d}" if days else ""
        return str(self.counts_source(name).covers)

    def manifest(self, estimates: Estimates) -> str:
        """What went in and came out, as JSON: the program's version, each source's hash and counts. No clock in it."""
        from safercities import __version__

        sources = [asdict(item) for item in self.summaries()]
        content = {"safercities": __version__, "estimates": len(estimates), "sources": sources}
        return json.dumps(content, indent=1, ensure_ascii=False)

    def summaries(self) -> list[SourceSummary]:
        """What was read, kept and left out, of each source."""
        from safercities import outputs

        return [outputs.summary(self, name) for name in self.spec.sources]

    def review_data(self, estimates: Estimates | None = None) -> ReviewData:
        """Everything that the review shows."""
        from safercities import __version__
        from safercities.indicators.catalogue import indicator
        from safercities.review.data import ReviewData

        estimates = self.measure() if estimates is None else estimates
        period = latest_complete(estimates, self.place.id, self.spec.measure.period)
        there = dict.fromkeys(estimates.table.column("indicator").to_pylist())
        codes = [code for code in dict.fromkeys([*self.spec.measure.indicators, *there]) if code in there]
        dimensions = {
            info.name: info
            for name in [*self.named(SurveySpec), *self.named(AuditsSpec), *self.named(IncidentsSpec)]
            if name in self._located
            for info in self._located[name].collected.dimensions
        }
        contrasts, left_out = self._pairs(estimates, period)
        return ReviewData(
            title=self.spec.observatory.name,
            place=self.place,
            period=period,
            estimates=estimates,
            indicators={code: indicator(code) for code in codes},
            hierarchy=self.hierarchy,
            geographies=self.geographies,
            sources=self.summaries(),
            problems=[*self.problems(), *left_out],
            dimensions=dimensions,
            contrasts=contrasts,
            changes=self._since(estimates, period),
            languages=self.spec.observatory.languages,
            synthetic=self.spec.observatory.synthetic,
            made_on=None,
            version=__version__,
        )

    def _pairs(self, estimates: Estimates, period: str) -> tuple[dict[str, list[Contrast]], list[Problem]]:
        """Differences between all pairs of groups of each single breakdown, in the wave that a review shows.

        Breakdowns of too many groups are shown without, and a problem says so.
        """
        from safercities.indicators.catalogue import indicator
        from safercities.measure.surveys import survey_contrasts
        from safercities.sampling.contrasts import TooManyPairs

        found: dict[str, list[Contrast]] = {}
        left_out: list[Problem] = []
        for name in self.named(SurveySpec):
            source = self.survey_source(name)
            wave = period if period in source.waves else source.waves[-1]
            mine = estimates.where(source=name, period=wave).table.column("indicator").unique().to_pylist()
            by = [one[0] for one in self.spec.measure.by if len(one) == 1 and one[0] in source.dimensions]
            for code in mine:
                for dimension in dict.fromkeys(by):
                    level = self.spec.measure.level
                    try:
                        made = survey_contrasts(indicator(code), source, [dimension], wave=wave, level=level)
                    except TooManyPairs:
                        column = f"sources.{name}.dimensions.{dimension}"
                        left_out.append(problem("pairs-left-out", file=config.FILE, column=column, name=dimension))
                        continue
                    found.setdefault(code, []).extend(made)
        return found, list(dict.fromkeys(left_out))

    def _since(self, estimates: Estimates, period: str) -> dict[str, list[Contrast]]:
        """Changes since the wave before the one that a review shows, of indicators that both waves measured alike."""
        from safercities.indicators.catalogue import indicator
        from safercities.measure.changes import wave_contrasts

        found: dict[str, list[Contrast]] = {}
        for name in self.named(SurveySpec):
            source = self.survey_source(name)
            at = source.waves.index(period) if period in source.waves else len(source.waves) - 1
            mine = estimates.where(source=name, period=source.waves[at]).table.column("indicator").unique().to_pylist()
            for code in mine if at else []:
                pair = (source.waves[at - 1], source.waves[at])
                try:
                    its = wave_contrasts(indicator(code), source, pair, level=self.spec.measure.level)
                except UsageError:  # another definition, or nobody was asked before: no change is told
                    continue
                found.setdefault(code, []).extend(its)
        return found

    def review(self, estimates: Estimates | None = None) -> list[Path]:
        """Write `reviews/<period>/` of these estimates (default: measured now); main language first."""
        from safercities.review.build import write_review

        data = self.review_data(estimates)
        target = self.folder / REVIEWS / data.period.replace("/", "_")
        private = data.private and not data.synthetic
        with files.replace_folder(target, mark="data.xlsx", private=private) as work:
            written = write_review(data, work)
            if private:
                files.keep_out_of_git(work)
        return [target / path.relative_to(work) for path in written]


def latest_complete(estimates: Estimates, place: str, kind: str) -> str:
    """The last period that some source covers as a whole.

    Raises
    ------
    SafercitiesError
        If there is none.
    """
    totals = estimates.where(place=place).totals().rows()
    whole = {row["period"] for row in totals if "partial_period" not in (row["quality"] or "").split()}
    if not whole:
        raise SafercitiesError(problem("no-complete-period", file=config.FILE, column="measure.period", period=kind))
    # interviews may last longer or shorter than the periods that cases are counted by
    usual = [one for one in whole if Period.parse(one).kind == kind]
    return str(max(usual or whole, key=lambda one: (Period.parse(one).end, one)))


def _as_breakdowns(by: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    if all(isinstance(item, str) for item in by):
        return [[str(item) for item in by]] if by else []
    return [[str(name) for name in item] for item in by]
