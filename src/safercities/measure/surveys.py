"""From located respondents to estimates: every survey indicator and breakdown of a source in one pass a wave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.records import Collected, DimensionInfo
from safercities.collect.survey_spec import MarginFrom, SurveySpec
from safercities.indicators.numerators import Answers
from safercities.indicators.spec import Indicator, Version
from safercities.measure.breakdown import joined, unplaced
from safercities.measure.rows import KNOWN_ENOUGH
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.estimates import TOTAL, UNKNOWN, Estimates, schema
from safercities.model.flags import BIT, bits, words
from safercities.model.periods import Period
from safercities.places.locate import Located
from safercities.places.population import Population
from safercities.sampling.contrasts import Contrast
from safercities.sampling.design import Design, survey
from safercities.sampling.statistics import Kind, Statistic, statistic

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Where a respondent stands for fewer people than this on average, weights were made to add up to the sample, not to
#: the population: no numbers of people are made from them.
STANDS_FOR = 1.5


@dataclass(frozen=True)
class SurveySource:
    """Located respondents of one survey, one or several waves.

    Parameters
    ----------
    name, label, file
        Name of the source, what people read, and its file.
    table
        Records; see `collect_survey`.
    spec
        How the sample was drawn, and how its numbers are shown.
    dimensions, levels
        What the records can be broken down by.
    population
        Who lives where: for margins that name a source of population.
    place
        Id of the observatory's place.
    rejected
        Share of the rows that were rejected.
    """

    name: str
    label: str
    file: str
    table: pa.Table
    spec: SurveySpec
    dimensions: Mapping[str, DimensionInfo]
    levels: tuple[str, ...]
    place: str
    population: Population | None = None
    rejected: float = 0.0

    @classmethod
    def from_located(
        cls, located: Located, spec: SurveySpec, place: str, population: Population | None
    ) -> SurveySource:
        """The source that collecting and locating gave.

        Raises
        ------
        SafercitiesError
            If no respondent is left.
        """
        records: Collected = located.collected
        if not records.table.num_rows:
            raise SafercitiesError(problem("source-all-rejected", file=records.file, source=records.source))
        lost = records.rows_rejected / records.rows_read if records.rows_read else 0.0
        dimensions = {info.name: info for info in records.dimensions}
        return cls(
            records.source, records.label, records.file, records.table, spec, dimensions, located.levels, place,
            population, lost,
        )  # fmt: skip

    @cached_property
    def waves(self) -> tuple[str, ...]:
        """Interview periods, in order."""
        return tuple(sorted(set(self.table.column("period").to_pylist()), key=lambda text: Period.parse(text).start))

    def answers(self, definition: Indicator) -> bool:
        """Whether the survey asked all that an indicator needs, in the definition of some wave."""
        return any(
            isinstance(version.numerator, Answers) and set(version.roles) <= self.spec.variables.keys()
            for version in definition.versions
        )


def measure_surveys(
    indicators: Sequence[Indicator], source: SurveySource, *, by: Sequence[Sequence[str]], level: float = 0.95
) -> Estimates:
    """Design-based estimates of several indicators of one survey: totals, and every breakdown asked for.

    Rows
    ----
    - The indicator's own value (unit `%`, `per 1 000`, `mean` …) for each wave and each code that has respondents,
      `_U` where the characteristic is not known. `period` is that of the interviews; how far back the answers look
      stands in the indicator's definition.
    - With `place` among a breakdown, every place of every level that has respondents; the others of a level at
      `_U.<level>`.
    - Of proportions and incidences the estimated number too (unit people, households or events), where the weights
      stand for a population.

    Quality
    -------
    `verdict` and `scheme` say what the source's publication rules make of it. `coverage` is the share of respondents
    whose answer and characteristics are known; `missing_answers`, `unknown_share` and `unlocated_share` flag less than
    95 %.

    Parameters
    ----------
    by
        Breakdowns: each a list of dimensions of the source, and `place`. Totals are always made.
    level
        Confidence level.

    Raises
    ------
    UsageError
        If the source lacks a breakdown or the answers of an indicator.
    SafercitiesError
        If a stratum has one PSU and no rule is chosen, or the weights cannot be tied to the margins.
    """
    combinations = _combinations(by, source)
    parts = [part for wave in source.waves for part in _Wave(source, wave).estimates(indicators, combinations, level)]
    return Estimates.concat(parts).sort() if parts else Estimates.empty()


def designs(source: SurveySource) -> dict[str, Design]:
    """The design of each wave, its weights tied to the margins.

    Raises
    ------
    SafercitiesError
        If a stratum has one PSU and no rule is chosen, or the weights cannot be tied to the margins.
    """
    return {wave: _Wave(source, wave).design for wave in source.waves}


def survey_contrasts(
    indicator: Indicator,
    source: SurveySource,
    by: Sequence[str],
    *,
    wave: str | None = None,
    against: Sequence[str] | None = None,
    level: float = 0.95,
) -> list[Contrast]:
    """Differences and ratios between the groups of a breakdown in one wave (default: the last), with their covariance.

    Parameters
    ----------
    against
        Codes of the group that the others are compared with; None: every pair.

    Raises
    ------
    UsageError
        If the source lacks the breakdown, the wave, the group, or the answers.
    """
    wave = wave or source.waves[-1]
    if wave not in source.waves:
        known = ", ".join(source.waves)
        raise UsageError(problem("survey-choice", what="wave of the survey", given=wave, known=known))
    names = _combinations([by], source)[-1]
    work = _Wave(source, wave)
    made, per = work.statistic(indicator, _version(indicator, wave))
    from safercities.sampling.contrasts import contrasts

    found = contrasts(work.design, made, names, None if against is None else tuple(against), level)
    return [_scaled(one, per) for one in found]


def _scaled(one: Contrast, per: float) -> Contrast:
    """A contrast in the indicator's unit."""
    from dataclasses import replace

    sized = ("value", "other_value", "difference", "difference_se", "difference_lower", "difference_upper")
    return replace(one, **{name: getattr(one, name) * per for name in sized}, covariance=one.covariance * per**2)


def _version(indicator: Indicator, wave: str) -> Version:
    return indicator.on(Period.parse(wave).start)


def _combinations(by: Sequence[Sequence[str]], source: SurveySource) -> list[tuple[str, ...]]:
    """Each breakdown once, totals first; `place` stands for each level in turn."""
    known = [*(["place"] if source.levels else []), *source.dimensions]
    found: list[tuple[str, ...]] = [()]
    for one in by:
        for name in one:
            if name not in known:
                listed = ", ".join(known) or "nothing"
                raise UsageError(problem("breakdown-unknown", source=source.name, name=name, known=listed))
        rest = tuple(name for name in source.dimensions if name in one)
        found += [(f"place_{level}", *rest) for level in source.levels] if "place" in one else [rest]
    return list(dict.fromkeys(found))


class _Wave:
    """One wave of a survey: its design, and what is estimated with it."""

    def __init__(self, source: SurveySource, period: str) -> None:
        self.source, self.period = source, period
        mine = pc.equal(source.table.column("period"), period)
        self.table = source.table.filter(mine).combine_chunks()

    @cached_property
    def design(self) -> Design:
        """How the wave was drawn, its weights tied to the margins."""
        spec, names = self.source.spec, self.table.column_names
        design = survey(
            self.table,
            weight="weight",
            strata="stratum" if "stratum" in names else None,
            psu="psu" if "psu" in names else None,
            stages=[name for name in names if name.startswith("unit_")],
            fpc=[name for name in names if name.startswith("fpc_")],
            lonely=spec.lonely,
            certainty="certain" if "certain" in names else None,
        )
        design.respondents.file = self.source.file
        if spec.replicates is not None:
            given = {name: getattr(spec.replicates, name) for name in ("fay", "scale", "rscales")}
            columns = [name for name in names if name.startswith("rep_")]
            settings = {name: value for name, value in given.items() if value is not None}
            combined = spec.replicates.combined
            design = design.replicate_weights(columns, spec.replicates.kind, combined=combined, **settings)
        return self._tied(design)

    def _tied(self, design: Design) -> Design:
        """The design with weights tied to the margins of the source."""
        spec = self.source.spec
        totals: dict[str | tuple[str, ...], dict[str | tuple[str, ...], float]]
        totals = {tuple(one.by): self._totals(one) for one in spec.margins if one.number is None}
        if spec.adjustment == "post-stratify":
            (names, wanted), *_ = totals.items()
            return design.poststratify([names] if isinstance(names, str) else names, wanted)
        if spec.adjustment == "rake":
            return design.rake(totals)
        if spec.adjustment == "calibrate":
            numbers = {f"answer_{one.number}": float(one.total or 0) for one in spec.margins if one.number is not None}
            if crossed := [names for names in totals if len(names) > 1]:
                raise SafercitiesError(
                    problem("survey-calibrate-crossed", source=self.source.name, by=" × ".join(crossed[0]))
                )
            return design.calibrate({**{names[0]: wanted for names, wanted in totals.items()}, **numbers})
        return design

    def _totals(self, margin: MarginFrom) -> dict[str | tuple[str, ...], float]:
        """Population of each group of a margin."""
        if margin.totals is not None:
            pairs = [(margin.categories(written), total) for written, total in margin.totals.items()]
        else:
            pairs = list(self._from_population(margin))
        return {codes if len(codes) > 1 else codes[0]: float(total) for codes, total in pairs}

    def _from_population(self, margin: MarginFrom) -> Iterator[tuple[tuple[str, ...], float]]:
        """Population of each group that respondents are in, from a source of population."""
        if self.source.population is None:
            raise SafercitiesError(problem("survey-margin-population", source=self.source.name, margin=margin.name))
        columns = [self.table.column(name).to_pylist() for name in margin.by]
        groups = sorted(set(zip(*columns, strict=True)))
        period = Period.parse(margin.period or self.period)
        found, _ = self.source.population.denominators(
            [self.source.place] * len(groups),
            [str(period)] * len(groups),
            {name: [codes[number] for codes in groups] for number, name in enumerate(margin.by)},
        )
        for codes, years in zip(groups, found, strict=True):
            if years is None or not years > 0:
                group = ", ".join(codes)
                raise SafercitiesError(
                    problem("survey-margin-group", source=self.source.name, margin=margin.name, group=group)
                )
            yield codes, float(years) / period.years

    # -- what is estimated -----------------------------------------------------------------------------------------

    def estimates(
        self, indicators: Sequence[Indicator], combinations: Sequence[tuple[str, ...]], level: float
    ) -> Iterator[Estimates]:
        """The rows of all indicators in this wave; those of one scale together, in one pass."""
        together: dict[tuple[str, float], list[tuple[Indicator, Version, Statistic]]] = {}
        for one in indicators:
            version = _version(one, self.period)
            if not set(version.roles) <= self.source.spec.variables.keys():
                continue
            made, per = self.statistic(one, version)
            together.setdefault((made.kind, per), []).append((one, version, made))
            if one.kind in ("proportion", "incidence") and self._stands_for_population:
                total, _ = self.statistic(one, version, total=True)
                together.setdefault(("total", 1), []).append((one, version, total))
        for (_, per), its in together.items():
            yield self._rows(its, combinations, level, per)

    @cached_property
    def _stands_for_population(self) -> bool:
        return bool(np.mean(self.design.weights) > STANDS_FOR)

    def _rows(
        self,
        its: Sequence[tuple[Indicator, Version, Statistic]],
        combinations: Sequence[tuple[str, ...]],
        level: float,
        per: float,
    ) -> Estimates:
        made = self.design.estimates(
            [one for _, _, one in its],
            list(combinations),
            interval=self.source.spec.interval,
            level=level,
            df="domain",
            per=per,
            scheme=self.source.spec.scheme,
        )
        units = {indicator.code: self._unit(indicator, version, one) for indicator, version, one in its}
        versions = {indicator.code: version.version for indicator, version, _ in its}
        return self._placed(made.table, units, versions)

    def _unit(self, indicator: Indicator, version: Version, made: Statistic) -> str:
        if made.kind != "total":
            return indicator.unit(version)
        assert isinstance(version.numerator, Answers)  # noqa: S101 - only these are estimated here
        if version.numerator.how == "mean":
            return "events"
        return "people" if version.numerator.unit == "person" else "households"

    def statistic(self, indicator: Indicator, version: Version, *, total: bool = False) -> tuple[Statistic, float]:
        """The numbers that an indicator is made of, and what its values are per.

        Raises
        ------
        UsageError
            If the survey did not ask for one of its answers.
        """
        numerator, below = version.numerator, version.denominator
        if not isinstance(numerator, Answers):
            raise UsageError(problem("indicator-not-of-survey", indicator=indicator.code, of=version.made_of))
        if lacking := [role for role in version.roles if role not in self.source.spec.variables]:
            of = self.source.name
            raise UsageError(
                problem("survey-role-missing", source=of, indicator=indicator.code, roles=", ".join(lacking))
            )
        values, asked = self._answer(numerator)
        by, among = None, asked
        if isinstance(below, Answers) and below.how == "mean":
            by = self._column(f"answer_{below.mean}")
        elif isinstance(below, Answers):
            base, base_asked = self._answer(below)
            among = _both(_both(asked, base_asked), base == 1)
        kind: Kind = "ratio" if by is not None else "proportion" if indicator.kind == "proportion" else "mean"
        made = statistic(
            "total" if total else kind,
            indicator.code,
            values,
            self.design.weights,
            by=by,
            by_name=f"{indicator.code} below",
            among=among,
            among_name=_spelled(below, asked, indicator.code),
            missing=version.missing,
            file=self.source.file,
        )
        return made, float(version.per if indicator.kind in ("proportion", "incidence", "ratio") else 1)

    def _answer(self, one: Answers) -> tuple[Floats, Mask | None]:
        """What respondents said, NaN where it is not known; and who was asked, None: everybody.

        `any` is yes where one answer is yes, else missing where one is missing, else no; `all` is no where one is no,
        else missing where one is missing, else yes; `none` is the opposite of `any`.
        """
        columns = np.array([self._column(f"answer_{role}") for role in one.roles])
        asked = self._who_was_asked(one.roles)
        if one.how == "mean":
            return columns[0], _concerned(asked, columns[0])
        first = 0.0 if one.how == "all" else 1.0  # the answer that settles it
        settled, unsure = (columns == first).any(axis=0), np.isnan(columns).any(axis=0)
        values = np.where(settled, first, np.where(unsure, np.nan, 1 - first))
        return (1 - values if one.how == "none" else values), _concerned(asked, values)

    def _who_was_asked(self, roles: Iterable[str]) -> Mask | None:
        """Respondents to whom at least one of the questions was put."""
        columns = [f"asked_{role}" for role in roles]
        if not all(name in self.table.column_names for name in columns):
            return None
        return cast(Mask, np.any([self._column(name) == 1 for name in columns], axis=0))

    def _column(self, name: str) -> Floats:
        return self.design.respondents.numbers(name)

    # -- from the design's rows to the contract --------------------------------------------------------------------

    def _placed(self, table: pa.Table, units: Mapping[str, str], versions: Mapping[str, str]) -> Estimates:
        """Rows with the indicator's version and unit, the place, the period, and what is known of the breakdown."""
        codes = table.column("indicator").to_pylist()
        place = pa.array([self.source.place] * table.num_rows, pa.string())
        for level in self.source.levels:
            name = f"place_{level}"
            if name in table.column_names:
                column = table.column(name).combine_chunks()
                there = pc.if_else(pc.equal(column, UNKNOWN), unplaced(level), column)
                place = pc.if_else(pc.equal(column, TOTAL), place, there)
        known, flags = self._known(table)
        quality = bits(table.column("quality").to_pylist()) | flags
        dimensions = [name for name in self.source.dimensions if name in table.column_names]
        coverage = np.asarray(table.column("coverage").to_numpy(), dtype=np.float64) * known
        columns = {name: table.column(name) for name in table.column_names} | {
            "version": pa.array([versions[code] for code in codes], pa.string()),
            "unit": pa.array([units[code] for code in codes], pa.string()),
            "place": place,
            "period": pa.array([self.period] * len(codes), pa.string()),
            "source": pa.array([self.source.name] * len(codes), pa.string()),
            "quality": pa.array(words(quality), pa.string()),
            "coverage": pa.array(coverage),
        }
        target = schema(dimensions)
        return Estimates(pa.table([columns[one.name] for one in target], schema=target))

    def _known(self, table: pa.Table) -> tuple[Floats, NDArray[np.int64]]:
        """Share of the wave's respondents whose characteristics a row's breakdown knows; flags where it is small."""
        share, flags = np.ones(table.num_rows), np.zeros(table.num_rows, dtype=np.int64)
        if self.source.rejected > 1 - KNOWN_ENOUGH:
            flags |= BIT["rejected_share"]
        places = [f"place_{level}" for level in self.source.levels]
        for name in (*places, *self.source.dimensions):
            if name not in table.column_names:
                continue
            lacking = pc.sum(pc.equal(pc.fill_null(self.table.column(name), UNKNOWN), UNKNOWN)).as_py() or 0
            of_all = 1 - lacking / self.table.num_rows
            broken = np.asarray(pc.not_equal(table.column(name), TOTAL).to_numpy(), dtype=bool)
            share[broken] *= of_all
            if of_all < KNOWN_ENOUGH:
                flags[broken] |= BIT["unlocated_share" if name in places else "unknown_share"]
        return share, flags


def _concerned(asked: Mask | None, values: Floats) -> Mask | None:
    """Whom a question is about: those to whom it was put, and those whose answer is known without (not_asked = no)."""
    return None if asked is None else asked | ~np.isnan(values)


def _both(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _spelled(below: object, asked: Mask | None, code: str) -> str:
    """A name for who is asked: the same for statistics of the same respondents, so that their weights add up once."""
    said = f"{below.how} {', '.join(below.roles)}" if isinstance(below, Answers) else "respondents"
    return joined(said, f"asked for {code}" if asked is not None else "")
