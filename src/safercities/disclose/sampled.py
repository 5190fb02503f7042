"""What is published of surveys and audits: which rows, under which least counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.disclose.plan import PlannedPeriod, SourceFacts
from safercities.disclose.spec import PLACE, PublishSpec
from safercities.indicators.spec import Indicator
from safercities.measure.audits import AuditsSource
from safercities.measure.source import days_of
from safercities.measure.surveys import SurveySource
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.estimates import Estimates
from safercities.model.periods import Calendar, Period
from safercities.places.hierarchy import Hierarchy
from safercities.places.locate import Located

Ints = NDArray[np.int64]


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
