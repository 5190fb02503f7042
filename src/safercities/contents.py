"""Puts together what a release says beside its numbers: places, labels, sources, rules; nothing of files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.spec import IncidentsSpec, SurveySpec
from safercities.disclose.rounding import pooled
from safercities.disclose.sisters import same_cases
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.model.places import Place
from safercities.release.content import Content, Series

if TYPE_CHECKING:
    from safercities.disclose.counts import Guarded
    from safercities.disclose.plan import PlannedPeriod
    from safercities.disclose.point_level import PointLevel
    from safercities.observatory import Observatory

#: Version of the attacker that every release is tried against.
ATTACKER = "safercities-attacker/1"
#: The error of rounding is told only as a mean over so many cells or more: of few, it would tell of single ones.
ERROR_CELLS = 1000


def content(
    observatory: Observatory,
    shown: Estimates,
    parts: Sequence[PlannedPeriod],
    guarded: Sequence[Guarded],
    *,
    published: date,
    points: PointLevel | None = None,
    supersedes: str | None = None,
    reason: str | None = None,
) -> Content:
    """Everything that a reader of a release needs.

    Parameters
    ----------
    shown
        The protected estimates.
    parts
        What was planned.
    guarded
        The protected counts.
    published
        Day of publication.
    points
        Anonymous points among the places.
    supersedes, reason
        Of a correction: id of the release, and why.
    """
    from safercities import __version__
    from safercities.indicators.catalogue import indicator

    about, table = observatory.spec.observatory, shown.table
    periods = _distinct(table, "period")
    return Content(
        name=about.name,
        place=_public(observatory.place),
        languages=tuple(about.languages),
        synthetic=about.synthetic,
        period=max(periods, key=lambda one: (Period.parse(one).end, one)),
        estimates=shown,
        indicators={code: indicator(code) for code in _distinct(table, "indicator")},
        places=tuple(_places(observatory, _distinct(table, "place"), points)),
        dimensions={name: tuple(_labels(observatory, name, _distinct(table, name))) for name in shown.dimensions},
        series=tuple(_series(observatory, name) for name in _distinct(table, "source")),
        rules=rules(observatory, parts, guarded, set(_distinct(table, "indicator"))),
        denominators=tuple(_people(observatory, periods)),
        published=published,
        version=__version__,
        supersedes=supersedes,
        reason=reason,
    )


def _distinct(table: pa.Table, name: str) -> list[str]:
    return sorted(pc.unique(table.column(name)).to_pylist())


def _public(place: Place) -> Place:
    """The place without its geometry, which names a file."""
    return replace(place, geometry=None)


def _places(observatory: Observatory, ids: Sequence[str], points: PointLevel | None) -> Iterator[Place]:
    """The places of the estimates, those above them, and those that stand for cases without a place."""
    own, tree = observatory.place, observatory.hierarchy if points is None else points.hierarchy
    lost = [id for id in ids if id.startswith(f"{UNKNOWN}.")]
    known = [id for id in ids if id not in lost]
    above = [one.id for id in known for one in tree.ancestors(id)]
    for id in dict.fromkeys([own.id, *sorted({*known, *above})]):
        yield _public(tree[id])
    for id in lost:
        level = id.removeprefix(f"{UNKNOWN}.")
        yield Place(id, f"{level}: not known", level, own.id)


def _labels(observatory: Observatory, name: str, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What people call each code: as the source says, else the code list."""
    from safercities.model.dimensions import dimension

    info, listed = observatory.dimensions.get(name), dimension(name).codes
    usual = {TOTAL: "Total", UNKNOWN: "Unknown"} | dict(info.labels if info is not None else {})
    for code in codes:
        known = listed.label_of(code) if listed is not None and code in listed else code
        yield code, usual.get(code) or known


def _series(observatory: Observatory, name: str) -> Series:
    """A source as the public may know it; what it covers only as far as somebody declared it."""
    spec = observatory.spec.sources.get(name)
    if spec is None:  # of estimates that are made of two sources
        return Series(name, name, "estimates", None, None)
    label = observatory.collect(name).label
    if isinstance(spec, IncidentsSpec):
        return Series(name, label, spec.kind, spec.unit_of_count, spec.covers)
    return Series(name, label, spec.kind, None, None, spec.population if isinstance(spec, SurveySpec) else "")


def rules(
    observatory: Observatory, parts: Sequence[PlannedPeriod], guarded: Sequence[Guarded], there: Collection[str]
) -> dict[str, object]:
    """How it was protected, and against whom: plain JSON.

    Parameters
    ----------
    there
        Indicators that the release has rows of. Others were planned because of cases that protection took away.
    """
    spec = observatory.spec.publish
    tables = dict.fromkeys(table for one in parts for table in one.tables if table.shown and table.indicator in there)
    sensitive = {one.indicator for one in tables if one.minimum > spec.least(one.dimensions, sensitive_act=False)}
    told: dict[str, object] = {
        "method": spec.method,
        "minimum_count": spec.minimum_count,
        "sensitive_count": spec.sensitive_count,
        "sensitive": list(spec.sensitive),
        "sensitive_indicators": sorted(sensitive),
        "attributes": list(spec.attributes),
        "dimensions": spec.dimensions,
        "tables": sorted({" × ".join(one.names) or "total" for one in tables}),
        "attacker": {"version": ATTACKER, "knows": _knows(observatory)},
    }
    if spec.width is not None:
        told["width"] = spec.width
    if spec.addresses is not None:
        told["points"] = {"addresses": spec.addresses.least or spec.minimum_count}
    if same := same_cases(guarded):
        told["same_cases"] = same
    error = pooled("all tables", (each for one in guarded for each in one.errors))
    if error.cells >= ERROR_CELLS:
        told["error"] = {"mean absolute difference of a count": f"{error.mean:.1f}"}
    return told


def _knows(observatory: Observatory) -> list[str]:
    """What the attacker of the proof is taken to know, in words."""
    spec = observatory.spec.publish
    return [
        "all numbers of this release and of earlier ones",
        "the rules of protection",
        *(["the populations of rates"] if spec.populations else []),
        *(["one case, which is their own"] if spec.insider else []),
        *(["that they are alone in a cell"] if spec.insider and spec.singletons else []),
        *sorted({f"true totals of {one.indicator}" for one in spec.known}),
    ]


def _people(observatory: Observatory, periods: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Population of the observatory's own place in each period, as far as it is known."""
    people, place = observatory.population, observatory.place.id
    if people is None:
        return
    for period in periods:
        found, _ = people.denominators([place], [period], {})
        number = float(found[0]) / Period.parse(period).years
        if np.isfinite(number) and number > 0:
            yield place, period, round(number, 6)
