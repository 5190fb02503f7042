"""What a release may hold: which tables of which source and period, with which least counts, and what is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from safercities.disclose.spec import PLACE, KnownSpec, PublishSpec
from safercities.indicators.spec import Indicator
from safercities.measure.source import CountsSource
from safercities.model.errors import Problem, problem
from safercities.model.periods import Period

_FILE = "observatory.toml"


@dataclass(frozen=True, order=True)
class PlannedTable:
    """One table of one source and period.

    Parameters
    ----------
    indicator, version
        What it counts.
    level
        Level of its places; empty where it is not broken down by place.
    dimensions
        Its other dimensions, in the order of the source.
    minimum
        Least count k: 0 to k − 1 may not be told apart.
    shown
        Whether it is published itself. Others only stand behind published numbers: a directly standardised rate is made
        of the counts by age, and the coverage of a breakdown by place of the cases without a place.
    """

    indicator: str
    version: str
    level: str = ""
    dimensions: tuple[str, ...] = ()
    minimum: int = 5
    shown: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Place's level where there is one, then the dimensions."""
        return (*([self.level] if self.level else []), *self.dimensions)


@dataclass(frozen=True)
class SourceFacts:
    """What planning must know of a source.

    Parameters
    ----------
    name, kind
        Its name, and incidents, survey or audits.
    indicators
        Those that it answers.
    dimensions, levels
        What it can be broken down by, in its own order; levels below the observatory's own.
    periods
        Those it could publish: calendar periods, or the waves of a survey.
    unfinished
        Those among them that will hold more later: not over, or covered only up to some day before their end.
    """

    name: str
    kind: str
    indicators: tuple[Indicator, ...]
    dimensions: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()
    unfinished: frozenset[Period] = frozenset()

    @classmethod
    def of_counts(cls, source: CountsSource, indicators: Sequence[Indicator], period: str) -> SourceFacts:
        """Those of a source of counts, by years, quarters, months, weeks or days.

        Raises
        ------
        SafercitiesError
            If its dates are not exact enough for the period.
        """
        periods = tuple(source.periods(period))
        last = min(source.today, source.covers.end)
        unfinished = frozenset(one for one in periods if one.end > last and not source.complete(one))
        names, levels = tuple(source.dimensions), source.levels
        return cls(source.name, "incidents", tuple(indicators), names, levels, periods, unfinished)


@dataclass(frozen=True)
class PlannedPeriod:
    """What is published of one source and period.

    Parameters
    ----------
    revision
        Whether an earlier release holds this period of the source: this one supersedes it, and is attacked with it.
    tables
        Those published, and those behind them.
    known
        Tables whose true counts outsiders know.
    """

    source: str
    kind: str
    period: Period
    revision: bool
    tables: tuple[PlannedTable, ...]
    known: tuple[PlannedTable, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a release is to hold. `problems` says what is left out, and what must be changed (errors) first."""

    parts: tuple[PlannedPeriod, ...]
    problems: tuple[Problem, ...]

    def of(self, source: str) -> tuple[PlannedPeriod, ...]:
        """The periods of one source."""
        return tuple(part for part in self.parts if part.source == source)


def plan(
    spec: PublishSpec,
    sources: Sequence[SourceFacts],
    by: Sequence[Sequence[str]],
    *,
    indicators: Collection[str] | None = None,
    standard: str | None = None,
    earlier: Collection[tuple[str, Period]] = (),
    supersedes: bool = False,
) -> Plan:
    """Plan a release. Nothing is read or measured.

    Parameters
    ----------
    by, indicators, standard
        As in `[measure]`: breakdowns, indicators (None: all that the sources answer), standard population.
    earlier
        Source and period of everything in earlier releases.
    supersedes
        Whether periods that were published before are published again, as a revision. Otherwise they are left out.

    Examples
    --------
    >>> from safercities.indicators.catalogue import indicator
    >>> robberies = SourceFacts("police", "incidents", (indicator("recorded.robbery"),), ("sex",), ("ward",),
    ...                         (Period.parse("2023"), Period.parse("2024")))
    >>> before = [("police", Period.parse("2023"))]
    >>> found = plan(PublishSpec(), [robberies], [["sex"], ["place", "sex"]], earlier=before)
    >>> [str(part.period) for part in found.parts], [one.names for one in found.parts[0].tables if one.shown]
    (['2024'], [(), ('sex',), ('ward', 'sex')])
    >>> [one.code for one in found.problems]
    ['publish-period-again']
    """
    tables, left_out = _breakdowns(spec, by)
    problems = [*left_out, *_missing(spec, sources, indicators)]
    wanted = spec.indicators if spec.indicators is not None else indicators
    parts = []
    sensitive = {one.code: spec.is_sensitive(one) for source in sources for one in source.indicators}
    for source in sources:
        chosen = [one for one in source.indicators if wanted is None or one.code in wanted]
        if not chosen:
            continue
        before = [period for name, period in earlier if name == source.name]
        periods, refused = _periods(source, before, supersedes)
        refusals = [p for one in chosen for p in _refusals(spec, one, source, tables, sensitive[one.code])]
        problems += [*refused, *refusals]
        for period in periods:
            planned = [
                table
                for one in chosen
                for table in _tables(spec, one, source, tables, standard, period.start, sensitive[one.code])
            ]
            parts.append(_part(spec, source, period, planned, revision=period in before))
    return Plan(tuple(parts), tuple(dict.fromkeys([*problems, *_unmatched(spec, sources)])))


def _part(
    spec: PublishSpec, source: SourceFacts, period: Period, planned: Sequence[PlannedTable], *, revision: bool
) -> PlannedPeriod:
    # what is known outside need not be published: any of the source's indicators, any of its levels
    known = dict.fromkeys(table for one in spec.known for table in _known(one, source, period))
    tables = tuple(dict.fromkeys(planned))
    return PlannedPeriod(source.name, source.kind, period, revision, tables, tuple(known))


def _breakdowns(spec: PublishSpec, by: Sequence[Sequence[str]]) -> tuple[list[tuple[str, ...]], list[Problem]]:
    """Breakdowns to publish, and what is said of those of `[measure]` that the rules leave out."""
    if spec.tables is not None:
        return [tuple(one) for one in spec.tables], []
    kept, problems = [], []
    for one in by:
        if why := spec.unfit(one):
            names = ", ".join(one)
            problems.append(
                problem("publish-table-left-out", file=_FILE, column="publish.tables", names=names, why=why)
            )
        else:
            kept.append(tuple(one))
    return kept, problems


def _missing(
    spec: PublishSpec, sources: Sequence[SourceFacts], indicators: Collection[str] | None
) -> Iterator[Problem]:
    """Indicators that are to be published, and that no source has."""
    there = {one.code for source in sources for one in source.indicators} | set(indicators or ())
    for code in spec.indicators or []:
        if code not in there:
            yield problem("publish-indicator-nowhere", file=_FILE, column="publish.indicators", indicator=code)


def _refusals(
    spec: PublishSpec, indicator: Indicator, source: SourceFacts, tables: Sequence[Sequence[str]], sensitive: bool
) -> Iterator[Problem]:
    """Breakdowns that are fit in themselves, but not for a sensitive indicator."""
    for one in tables:
        why = spec.unfit(one, sensitive_act=sensitive)
        if why and _has(source, one):
            names = " and ".join(one)
            yield problem(
                "publish-table-refused",
                file=_FILE,
                column="publish.tables",
                indicator=indicator.code,
                names=names,
                why=why,
            )


def _has(source: SourceFacts, breakdown: Sequence[str]) -> bool:
    return set(breakdown) <= {*source.dimensions, *([PLACE] if source.levels else [])}


def _tables(
    spec: PublishSpec,
    indicator: Indicator,
    source: SourceFacts,
    by: Sequence[Sequence[str]],
    standard: str | None,
    day: date,
    sensitive: bool,
) -> Iterator[PlannedTable]:
    """The tables of one indicator of one source: totals first, each once; those behind standardised rates last."""
    version = indicator.on(day)
    levels = [level for level in source.levels if spec.levels is None or level in spec.levels]
    shown: dict[tuple[str, tuple[str, ...]], None] = {}
    for one in [(), *by]:
        if _has(source, one) and not spec.unfit(one, sensitive_act=sensitive):
            dimensions = tuple(name for name in source.dimensions if name in one)
            shown.update(dict.fromkeys((level, dimensions) for level in (levels if PLACE in one else [""])))
    rated = standard is not None and "age" in source.dimensions and indicator.kind == "rate"
    behind: list[tuple[str, tuple[str, ...]]] = [
        (level, ()) for level, _ in shown
    ]  # coverage says which share of them has no place
    behind += [
        (level, tuple(name for name in source.dimensions if name in (*dimensions, "age")))
        for level, dimensions in shown
        if rated and "age" not in dimensions
    ]
    for level, dimensions in dict.fromkeys([*shown, *behind]):
        least = spec.least(dimensions, sensitive_act=sensitive)
        yield PlannedTable(
            indicator.code, version.version, level, dimensions, least, shown=(level, dimensions) in shown
        )


def _known(spec: KnownSpec, source: SourceFacts, period: Period) -> Iterator[PlannedTable]:
    """Tables of a source and period that outsiders know; nothing where they are not of this one."""
    if spec.source not in (None, source.name) or (spec.periods and str(period) not in spec.periods):
        return
    for indicator in source.indicators:
        if indicator.code != spec.indicator:
            continue
        for one in spec.by:
            if _has(source, one):
                dimensions = tuple(name for name in source.dimensions if name in one)
                for level in source.levels if PLACE in one else [""]:
                    version = indicator.on(period.start).version
                    yield PlannedTable(indicator.code, version, level, dimensions, 1, shown=False)


def _unmatched(spec: PublishSpec, sources: Sequence[SourceFacts]) -> Iterator[Problem]:
    """What is said to be known outside, and that no source has: then the attack would be told too little."""
    for number, known in enumerate(spec.known):
        its = [
            source
            for source in sources
            if known.source in (None, source.name) and any(one.code == known.indicator for one in source.indicators)
        ]
        for one in known.by:
            if not any(_has(source, one) for source in its):
                names = " and ".join(one) or "nothing (its total)"
                column = f"publish.known.{number}"
                yield problem(
                    "publish-known-nowhere", file=_FILE, column=column, indicator=known.indicator, names=names
                )


# ------------------------------------------------------------------------------------------------------------- periods


def _periods(source: SourceFacts, before: Sequence[Period], supersedes: bool) -> tuple[list[Period], list[Problem]]:
    """The periods of a source that may be published, in order, and what is said of the others."""
    kept: list[Period] = []
    problems = []
    for period in sorted(dict.fromkeys(source.periods)):
        said: dict[str, Any] = {"source": source.name, "period": str(period)}
        clash = _clash(source, period, before)
        if clash is not None:
            other, where = clash
            problems.append(problem("publish-period-overlaps", **said, other=str(other), where=where))
        elif period in source.unfinished:
            problems.append(problem("publish-period-unfinished", **said))
        elif period in before and not supersedes:
            problems.append(problem("publish-period-again", **said))
        else:
            kept.append(period)
    return kept, problems


def _clash(source: SourceFacts, period: Period, before: Sequence[Period]) -> tuple[Period, str] | None:
    """A period that shares some, but not all days with this one: of this release, or of an earlier one.

    The waves of a survey may overlap each other: a respondent belongs to one of them. So may waves of an earlier
    release that this one holds as well; other waves may not, as the same interviews may have been cut another way.
    """
    sampled = source.kind == "survey"
    here = [] if sampled else [other for other in source.periods if other not in source.unfinished or other in before]
    there = [other for other in before if not (sampled and other in source.periods)]
    for others, where in ((there, "an earlier release holds"), (here, "is to be published too")):
        for other in sorted(others):
            if other != period and other.overlaps(period):
                return other, where
    return None
