"""From located respondents to estimates: every survey indicator and breakdown of a source in one pass a wave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from safercities.collect.records import Collected, DimensionInfo
from safercities.collect.survey_spec import SurveySpec
from safercities.indicators.answers import answers
from safercities.indicators.spec import Indicator
from safercities.measure.wave import Wave, answerable, in_force
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.places.locate import Located
from safercities.places.population import Population
from safercities.sampling.contrasts import Contrast, contrasts

#: More waves than this, or waves of a day each, are most likely dates of interviews and not waves.
MANY_WAVES = 24


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
    place
        Id of the observatory's place.
    populations
        Who lives where, by the name of its source: for margins that take their totals from there.
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
    populations: Mapping[str, Population] = field(default_factory=dict)
    rejected: float = 0.0

    @classmethod
    def from_located(
        cls, located: Located, spec: SurveySpec, place: str, populations: Mapping[str, Population] | None = None
    ) -> SurveySource:
        """The source that collecting and locating gave.

        Raises
        ------
        SafercitiesError
            If no respondent is left, or an answer is a number where the role is yes or no, or the other way round.
        """
        records: Collected = located.collected
        if not records.table.num_rows:
            raise SafercitiesError(problem("source-all-rejected", file=records.file, source=records.source))
        if wrong := list(_wrong_kinds(records.source, spec)):
            raise SafercitiesError(wrong)
        lost = records.rows_rejected / records.rows_read if records.rows_read else 0.0
        dimensions = {info.name: info for info in records.dimensions}
        return cls(
            records.source, records.label, records.file, records.table, spec, dimensions, located.levels, place,
            populations or {}, lost,
        )  # fmt: skip

    @cached_property
    def waves(self) -> tuple[str, ...]:
        """Interview periods, in order."""
        return tuple(sorted(self.table.column("period").unique().to_pylist(), key=_when))

    @cached_property
    def _made(self) -> dict[str, Wave]:
        return {}

    def wave(self, period: str) -> Wave:
        """One wave; its design is made once.

        Raises
        ------
        UsageError
            If there were no interviews in that period.
        """
        if period not in self.waves:
            known = ", ".join(self.waves)
            raise UsageError(problem("survey-choice", what="wave of the survey", given=period, known=known))
        if period not in self._made:
            self._made[period] = Wave(self, period)
        return self._made[period]

    def problems(self, indicators: Sequence[Indicator]) -> Iterator[Problem]:
        """What weights, waves and questions have against the numbers that are asked for.

        Raises
        ------
        SafercitiesError
            If a stratum has one PSU and no rule is chosen, or the weights cannot be tied to the margins.
        """
        days = [period for period in self.waves if Period.parse(period).kind == "day"]
        if len(days) > 1 or len(self.waves) > MANY_WAVES:
            first, last, number = self.waves[0], self.waves[-1], len(self.waves)
            yield problem("survey-waves-many", **self._at("period"), waves=number, first=first, last=last)
        for period in self.waves:
            wave = self.wave(period)
            yield from wave.design.problems
            if not wave.stands_for_population:
                yield problem("survey-weights-sample", **self._at("weight"), period=period, of=self.spec.weights_of)
            yield from self._of_definitions(wave, indicators)

    def _of_definitions(self, wave: Wave, indicators: Sequence[Indicator]) -> Iterator[Problem]:
        """Questions that were put to some only, or that the definition in force at the time needs and nobody asked."""
        for one in indicators:
            version = in_force(one, wave.period)
            if answerable(version, self.spec):
                if note := wave.whose(version):
                    said: dict[str, Any] = {"indicator": one.code, "period": wave.period, "note": note}
                    yield problem("survey-asked-of-some", **self._at("variables"), **said)
            elif any(answerable(other, self.spec) for other in one.versions):
                lacking = ", ".join(role for role in version.roles if role not in self.spec.variables)
                said = {"indicator": one.code, "period": wave.period, "version": version.version, "roles": lacking}
                yield problem("survey-wave-definition", **self._at("variables"), **said)

    def _at(self, key: str) -> dict[str, Any]:
        return {"column": f"sources.{self.name}.{key}", "source": self.name}


def _when(period: str) -> tuple[object, ...]:
    found = Period.parse(period)
    return (found.start, found.end)


def _wrong_kinds(source: str, spec: SurveySpec) -> Iterator[Problem]:
    """Variables that are numbers where their role is answered by yes or no, or the other way round."""
    for role, how in spec.variables.items():
        known = answers().get(role)
        if known is not None and (known.kind == "number") != how.number:
            says = "a number: number = true" if known.kind == "number" else "yes or no: yes = […] or between = […]"
            column = f"sources.{source}.variables.{role}"
            yield problem("survey-role-kind", column=column, role=role, question=known.question, says=says)


def measure_surveys(
    indicators: Sequence[Indicator], source: SurveySource, *, by: Sequence[Sequence[str]], level: float = 0.95
) -> Estimates:
    """Design-based estimates of several indicators of one survey: totals, and every breakdown asked for.

    Rows
    ----
    - The indicator's own value (unit `%`, `per 1 000`, `mean` …) for each wave and each code that has respondents,
      `_U` where the characteristic is not known. `period` is that of the interviews; how far back the answers look
      stands in the indicator's definition, which is the one in force on the first day of the interviews.
    - With `place` among a breakdown, every place of every level that has respondents; the others of a level at
      `_U.<level>`.
    - Of proportions and incidences the estimated number too (unit people, households or events), where the weights
      stand for a population. Where they add up to the sample instead, there are none, and no `denominator`.

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
    parts = [part for wave in source.waves for part in source.wave(wave).estimates(indicators, combinations, level)]
    return Estimates.concat(parts).sort() if parts else Estimates.empty()


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
        Codes of the group that the others are compared with, in the order of `by`; None: every pair.

    Raises
    ------
    UsageError
        If the source lacks the breakdown, the wave, the group, or the answers.
    """
    work = source.wave(wave or source.waves[-1])
    names = _names(by, source)
    made = work.made(indicator, in_force(indicator, work.period))
    found = contrasts(work.design, made.statistic, names, None if against is None else tuple(against), level)
    return [_scaled(one, made.per) for one in found]


def _names(by: Sequence[str], source: SurveySource) -> list[str]:
    """Columns of a breakdown in the order in which it is asked for; places by `place` (the finest level) or a level."""
    level = {name: name for name in source.levels} | ({"place": source.levels[-1]} if source.levels else {})
    placed = {name: f"place_{level[name]}" for name in level if name not in source.dimensions}
    _combinations([["place" if name in placed else name for name in by]], source)
    return [placed.get(name, name) for name in by]


def _scaled(one: Contrast, per: float) -> Contrast:
    """A contrast in the indicator's unit."""
    sized = ("value", "other_value", "difference", "difference_se", "difference_lower", "difference_upper")
    return replace(one, **{name: getattr(one, name) * per for name in sized}, covariance=one.covariance * per**2)


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
