"""Opens an observatory's folder and ties the steps together: collect → locate → measure → review."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safercities import checks, config, files
from safercities.collect.spec import IncidentsSpec, PopulationSpec
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.model.places import Place

if TYPE_CHECKING:
    from safercities.collect.records import Collected
    from safercities.indicators.spec import Indicator
    from safercities.measure.counts import CountsSource
    from safercities.places.geographies import Geography
    from safercities.places.hierarchy import Hierarchy
    from safercities.places.locate import Located
    from safercities.places.population import Population
    from safercities.review.data import ReviewData, SourceSummary

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
        from safercities.collect.incidents import collect_incidents
        from safercities.collect.population import collect_population

        spec = self.spec.sources[name]
        if isinstance(spec, PopulationSpec):
            return collect_population(name, spec, self.folder)
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
        from safercities.places.population import Population

        names = self.named(PopulationSpec)
        if not names:
            return None
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
            year, quarter, month, week or day; default: `[measure] period`.

        Raises
        ------
        UsageError
            If an indicator or breakdown is not known.
        SafercitiesError
            If an input cannot be used, or nothing fits.
        """
        from safercities.indicators.catalogue import indicator

        if lacking := [p for code in codes for p in checks.check_sources(self, indicator(code))]:
            raise SafercitiesError(lacking)
        asked = [indicator(code) for code in (codes or self.spec.measure.indicators)]
        breakdowns = self.spec.measure.by if by is None else _as_breakdowns(by)
        if wrong := list(checks.check_breakdowns(self, breakdowns)):
            raise UsageError(wrong) if by is not None else SafercitiesError(wrong)
        work = [(definition, name) for definition in asked for name in self.sources_for(definition)]
        if not work:
            raise SafercitiesError(problem("nothing-to-measure", file=config.FILE, column="measure"))
        parts = []
        for done, (definition, name) in enumerate(work):
            self.progress(f"measure {definition.code} from {name}", done, len(work))
            parts.append(self._measure_one(definition, name, breakdowns, period or self.spec.measure.period))
        self.progress("measure", len(work), len(work))
        return Estimates.concat(parts).sort()

    def _measure_one(self, definition: Indicator, name: str, by: Sequence[Sequence[str]], period: str) -> Estimates:
        from safercities.measure.counts import measure_counts

        source = self.counts_source(name)
        has = {"place", *source.dimensions}
        return measure_counts(
            definition,
            source,
            hierarchy=self.hierarchy,
            population=self.population,
            place=self.place.id,
            by=[combination for combination in by if set(combination) <= has],
            period=period,
            level=self.spec.measure.level,
            standard=self.spec.measure.standard,
            smooth=self.spec.measure.smooth,
            neighbours=self._neighbours if self.spec.measure.smooth else None,
        )

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
        """Sources whose unit the indicator counts, and whose acts are, or may be, among its acts."""
        numerator = definition.on().numerator
        return [
            name
            for name, spec in self.spec.sources.items()
            if isinstance(spec, IncidentsSpec)
            and spec.unit_of_count in numerator.units
            and any(numerator.counts(act) for act in self.acts(name))
        ]

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
        """The period that a source covers, as far as is declared or seen."""
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
        there = dict.fromkeys(estimates.table.column("indicator").to_pylist())
        codes = [code for code in dict.fromkeys([*self.spec.measure.indicators, *there]) if code in there]
        dimensions = {
            info.name: info
            for name in self.named(IncidentsSpec)
            if name in self._located
            for info in self._located[name].collected.dimensions
        }
        return ReviewData(
            title=self.spec.observatory.name,
            place=self.place,
            period=latest_complete(estimates, self.place.id, self.spec.measure.period),
            estimates=estimates,
            indicators={code: indicator(code) for code in codes},
            hierarchy=self.hierarchy,
            geographies=self.geographies,
            sources=self.summaries(),
            problems=self.problems(),
            dimensions=dimensions,
            languages=self.spec.observatory.languages,
            synthetic=self.spec.observatory.synthetic,
            made_on=None,
            version=__version__,
        )

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
    whole = [row["period"] for row in totals if "partial_period" not in (row["quality"] or "").split()]
    if not whole:
        raise SafercitiesError(problem("no-complete-period", file=config.FILE, column="measure.period", period=kind))
    return str(max(whole))


def _as_breakdowns(by: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    if all(isinstance(item, str) for item in by):
        return [[str(item) for item in by]] if by else []
    return [[str(name) for name in item] for item in by]
