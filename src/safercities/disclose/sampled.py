"""What is published of surveys and audits: which rows, under which least counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.disclose.corrected import Version, check_rules, told
from safercities.disclose.journal import Wave
from safercities.disclose.plan import PlannedPeriod, SourceFacts
from safercities.disclose.spec import PLACE, PublishSpec
from safercities.disclose.withhold import without_lone_codes
from safercities.indicators.spec import Indicator
from safercities.measure.audits import AuditsSource
from safercities.measure.source import days_of
from safercities.measure.surveys import SurveySource
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import Problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Calendar, Period
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy
from safercities.places.locate import Located

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sampled:
    """What is published of a survey or of audits.

    Parameters
    ----------
    estimates
        As they may be seen.
    waves
        What the journal keeps of them.
    problems
        What the office must know of a correction.
    tally
        How many rows of a survey are withheld for each reason. Private.
    """

    estimates: Estimates
    waves: tuple[Wave, ...]
    problems: tuple[Problem, ...] = ()
    tally: Mapping[str, int] | None = None


def protect_survey_waves(
    made: Estimates,
    minimum: Ints,
    spec: PublishSpec,
    versions: Sequence[Version],
    number: int,
    *,
    places: Sequence[Place],
    indicators: Mapping[str, Indicator],
) -> Sampled:
    """Protect the estimates of a survey; with earlier versions, of one wave, so that all are safe together.

    Parameters
    ----------
    made, minimum
        Exact estimates, and the least count of each row.
    versions
        Earlier releases of the wave, oldest first; none: it was not published before.
    number
        Of this release in its chain.

    Raises
    ------
    SafercitiesError
        If a version was published under other rules, or the solver fails.
    """
    from safercities.disclose.survey_corrected import correct_survey
    from safercities.disclose.survey_waves import wave_of
    from safercities.disclose.surveys import protect_survey

    if not versions:
        found = protect_survey(made, minimum, width=spec.width, places=places, indicators=indicators)
        waves = tuple(wave_of(made, found.estimates, number))
        return Sampled(without_lone_codes(found.estimates), waves, (), found.tally)
    check_rules(versions, _rules(spec))
    where: dict[str, Any] = {"width": spec.width, "places": places, "indicators": indicators}
    counts = partial(least, spec=spec, indicators=indicators)  # of rows that only earlier versions have, too
    new = correct_survey(made, counts, versions, number, **where)
    shown = without_lone_codes(new.protected.estimates)
    return Sampled(shown, (new.wave,), tuple(told(versions, shown)), new.protected.tally)


def protect_audits_again(
    made: Estimates,
    minimum: Ints,
    parts: Sequence[PlannedPeriod],
    located: Located,
    spec: PublishSpec,
    versions: Sequence[Version],
    number: int,
    **where: Any,
) -> Sampled | None:
    """Protect audits; with earlier versions, of one period, so that all are safe together.

    Parameters
    ----------
    made, minimum, parts, located, spec, where
        As for `audited.protect_audits`.
    versions, number
        As for `protect_survey_waves`.

    Returns
    -------
    Sampled or None
        None: an earlier version had other breakdowns or indicators.

    Raises
    ------
    SafercitiesError
        If a version was published under other rules, or the whole does not stand the attack.
    """
    from safercities.disclose.audited import protect_audits
    from safercities.disclose.audited_corrected import audits_wave, correct_audits

    if not versions:
        found = protect_audits(made, minimum, parts, located, spec, **where)
        return Sampled(found, tuple(audits_wave(part, located, number, **where) for part in parts))
    check_rules(versions, _rules(spec))
    new = correct_audits(made, minimum, parts[0], located, spec, versions, number, **where)
    if new is None:
        return None
    return Sampled(new.estimates, (new.wave,), tuple(told(versions, new.estimates)))


def _rules(spec: PublishSpec) -> dict[str, object]:
    """What of the rules of a release decides what of a wave is shown, as its manifest has it."""
    counts = {"minimum_count": spec.minimum_count, "sensitive_count": spec.sensitive_count}
    return {**counts, "sensitive": list(spec.sensitive), "width": spec.width}


def survey_facts(source: SurveySource, indicators: Sequence[Indicator], day: date) -> SourceFacts:
    """What planning must know of a survey: a wave is a period, published once its interviews are over."""
    return _facts(source, "survey", indicators, [Period.parse(wave) for wave in source.waves], day)


def audits_facts(located: Located, indicators: Sequence[Indicator], kind: str, day: date) -> SourceFacts:
    """What planning must know of audits, by years, quarters, months, weeks or days."""
    source = AuditsSource.from_located(located)
    days = np.unique(days_of(source.table)).tolist()
    return _facts(source, "audits", indicators, [Period.of(one, cast(Calendar, kind)) for one in days], day)


def _facts(
    source: SurveySource | AuditsSource, kind: str, indicators: Sequence[Indicator], periods: list[Period], day: date
) -> SourceFacts:
    there = tuple(sorted(set(periods)))
    late = frozenset(one for one in there if one.end > day)
    return SourceFacts(source.name, kind, tuple(indicators), tuple(source.dimensions), source.levels, there, late)


def breakdowns(parts: Sequence[PlannedPeriod]) -> list[tuple[str, ...]]:
    """The breakdowns of what is planned, each once."""
    tables = [table for one in parts for table in one.tables if table.shown]
    return list(dict.fromkeys((*([PLACE] if one.level else []), *one.dimensions) for one in tables))


def planned(made: Estimates, parts: Sequence[PlannedPeriod], tree: Hierarchy, place: str) -> Estimates:
    """The direct estimates that are to be published: not those that a model smoothed, which tell of all areas.

    Parameters
    ----------
    place
        Id of the observatory's own place.
    """
    wanted = {
        (table.indicator, str(one.period), table.level, frozenset(table.dimensions))
        for one in parts
        for table in one.tables
        if table.shown
    }

    def level(id: str) -> str:
        if id.startswith(f"{UNKNOWN}."):
            return id.removeprefix(f"{UNKNOWN}.")
        return "" if id == place else tree[id].level

    keep = [
        (row["indicator"], row["period"], level(row["place"]), _broken(row, made.dimensions)) in wanted
        and "smoothed" not in (row["quality"] or "").split()
        for row in made.rows()
    ]
    return Estimates(made.table.filter(pa.array(keep, pa.bool_())))


def least(made: Estimates, spec: PublishSpec, indicators: Mapping[str, Indicator]) -> Ints:
    """Least count of each row, shape (rows,)."""
    codes = pc.unique(made.table.column("indicator")).to_pylist()
    sensitive = {code: spec.is_sensitive(indicators[code]) for code in codes}
    found = [
        spec.least(tuple(_broken(row, made.dimensions)), sensitive_act=sensitive[row["indicator"]])
        for row in made.rows()
    ]
    return np.array(found, dtype=np.int64)


def _broken(row: Mapping[str, Any], dimensions: Sequence[str]) -> frozenset[str]:
    """The dimensions that a row is broken down by."""
    return frozenset(name for name in dimensions if row[name] != TOTAL)
