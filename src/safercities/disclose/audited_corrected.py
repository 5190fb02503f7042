"""Protects corrected audits: where few points changed the earlier rows are shown again, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow.compute as pc

from safercities.disclose.audited import Audited, Before, audited, closed_cells, without_rejects
from safercities.disclose.base import Base
from safercities.disclose.corrected import ENOUGH, Version, row_name, small, with_earlier
from safercities.disclose.counts import Ints, least
from safercities.disclose.journal import Wave
from safercities.disclose.plan import PlannedPeriod
from safercities.disclose.solver import Mask
from safercities.disclose.spec import PublishSpec
from safercities.disclose.withhold import blank, without_lone_codes
from safercities.measure.audits import AuditsSource
from safercities.model.estimates import Estimates
from safercities.places.locate import Located

#: What the journal calls a place of a level, among the names of a key.
_PLACE = "place "


@dataclass(frozen=True)
class CorrectedAudits:
    """Corrected audits: what is published of them, and what the journal keeps."""

    estimates: Estimates
    wave: Wave


def audits_wave(part: PlannedPeriod, located: Located, number: int, **where: Any) -> Wave:
    """What the journal keeps of audits that are published for the first time.

    Parameters
    ----------
    number
        Of the release.
    where
        As for `protect_audits`: indicators, hierarchy, place, overlaps.
    """
    work = audited(part, AuditsSource.from_located(located), **where)
    return _wave(work, work.counts, number)


def correct_audits(
    made: Estimates,
    minimum: Ints,
    part: PlannedPeriod,
    located: Located,
    spec: PublishSpec,
    versions: Sequence[Version],
    number: int,
    **where: Any,
) -> CorrectedAudits | None:
    """Protect audits that were published before, so that they and their earlier versions are safe together.

    The points of a smallest cell count as they did before where they changed by less than the least count, of any
    indicator, since any version. Rows of cells that hold such a cell are not made anew: those of an earlier version are
    shown again, if its other smallest cells are as they were and the row is true enough; else they are withheld. So
    no number depends on what changed by few, and what is shown adds up. All other rows are made anew, and attacked with
    what earlier versions told; those that differ from one by less than the least count are withheld.

    Parameters
    ----------
    made, minimum, located, spec, where
        As for `protect_audits`.
    part
        The period.
    versions
        Earlier releases of it, oldest first.
    number
        Of this release.

    Returns
    -------
    CorrectedAudits or None
        None: an earlier version had other breakdowns, codes or indicators, so that the two cannot be compared.

    Raises
    ------
    SafercitiesError
        If it does not stand the attack: then nothing is published.
    """
    lost: list[bool] = []

    def kept_too(base: Base) -> Ints:
        leaves = [_find(base, version.wave) for version in versions]
        lost.extend(found is None for found in leaves)
        known = [found for found in leaves if found is not None]
        return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *known]))

    work = audited(part, AuditsSource.from_located(located), kept_too=kept_too, **where)
    codes = set(work.counts)
    if any(lost) or any({indicator for indicator, _ in one.wave.series} != codes for one in versions):
        return None
    before = [_before(work, version) for version in versions]
    effective, touched = _effective(work, before)
    changed = replace(work, counts=effective, earlier=tuple(before), late=_late(work, effective, before))
    closed = closed_cells(changed, spec)
    hidden = np.asarray(pc.fill_null(made.table.column("n"), 0).to_numpy()) < minimum
    again = _rows(changed, made, versions, before, closed, work.family.matrix @ touched.astype(float) > 0, hidden)
    found, _ = with_earlier(blank(without_rejects(made), hidden), again, [one.estimates for one in versions])
    wave = _wave(work, effective, number)
    return CorrectedAudits(without_lone_codes(found), wave)


def _rows(
    work: Audited,
    made: Estimates,
    versions: Sequence[Version],
    before: Sequence[Before],
    closed: Mask,
    stale: Mask,
    hidden: Mask,
) -> dict[int, int]:
    """Rows that are shown again, and of which version; others of stale or closed cells become hidden."""
    again: dict[int, int] = {}
    rows = made.rows()
    shown = [{row_name(row, one.estimates.dimensions): row for row in one.estimates.rows()} for one in versions]
    sums = {code: work.family.counts(counts) for code, counts in work.counts.items()}
    for row, cell in work.cells(made):
        if cell < 0:
            continue
        hidden[row] |= bool(closed[cell] or stale[cell])
        if closed[cell]:
            continue
        for version in reversed(range(len(versions))):
            theirs = shown[version].get(row_name(rows[row], made.dimensions))
            as_it_was = all(work.family.counts(before[version].counts[code])[cell] == sums[code][cell] for code in sums)
            # with a walk more or less the errors of all cells change a little: where all else is as it was, they do not
            if theirs is not None and as_it_was and _true_enough(rows[row], theirs, exactly=not stale[cell]):
                again[row] = version
                break
    return again


def _true_enough(now: Mapping[str, Any], then: Mapping[str, Any], *, exactly: bool) -> bool:
    if then["conf_status"] != "F" or now["value"] is None or then["value"] is None:
        return False
    far = 0.0 if exactly else ENOUGH * float(then["se"] or 0.0)
    return abs(float(now["value"]) - float(then["value"])) <= far + 1e-9


def _effective(work: Audited, before: Sequence[Before]) -> tuple[dict[str, Ints], Mask]:
    """Points as they count: those of the latest version since which few changed; and where that is so."""
    k, touched = least(work.family), np.zeros(len(work.kept), dtype=bool)
    found = dict(work.counts)
    for one in reversed(before):
        few = np.zeros(len(touched), dtype=bool)
        for code, counts in work.counts.items():
            few |= small(counts - one.counts[code], k)
        fresh = few & ~touched
        found = {code: np.where(fresh, one.counts[code], counts) for code, counts in found.items()}
        touched |= fresh
    return found, touched


def _late(work: Audited, effective: Mapping[str, Ints], before: Sequence[Before]) -> Mask:
    """Cells that differ by few from an earlier version, although none of their smallest cells does."""
    found = np.zeros(work.family.cells, dtype=bool)
    for one in before:
        for code, counts in effective.items():
            found |= small(work.family.counts(counts - one.counts[code]), work.family.minimum)
    return found


def _before(work: Audited, version: Version) -> Before:
    """What a version told, on the leaves of today."""
    wave, leaf = version.wave, _find(work.base, version.wave)
    assert leaf is not None  # noqa: S101 - looked at before
    at = np.searchsorted(work.kept, leaf)
    counts = {code: np.zeros(len(work.kept), dtype=np.int64) for code in work.counts}
    for (code, _), own, x in zip(wave.series, at.tolist(), wave.x.tolist(), strict=True):
        counts[code][own] = x
    published = np.zeros(work.family.cells, dtype=bool)
    free = [status == "F" for status in version.estimates.table.column("conf_status").to_pylist()]
    for row, cell in work.cells(version.estimates):
        if cell >= 0 and free[row]:
            published[cell] = True
    return Before(counts, published)


def _names(base: Base) -> tuple[str, ...]:
    return (*(f"{_PLACE}{level}" for level in base.zones.levels), *(axis.name for axis in base.axes))


def _keys(base: Base) -> list[tuple[str, ...]]:
    """The places and codes of each leaf."""
    zone = base.at[1]
    along = [np.array(codes)[at[zone]].tolist() for codes, at in zip(base.zones.codes, base.zones.at, strict=True)] + [
        np.array(axis.codes)[base.at[2 + number]].tolist() for number, axis in enumerate(base.axes)
    ]
    return list(zip(*along, strict=True)) if along else [()] * base.leaves


def _find(base: Base, wave: Wave) -> Ints | None:
    """The leaf of a base for each domain of a wave; None where it has other breakdowns or codes."""
    if wave.names != _names(base):
        return None
    at: dict[tuple[str, ...], int] = {}
    for leaf, key in enumerate(_keys(base)):
        if at.setdefault(key, leaf) != leaf:
            return None  # zones that are told apart by more than their places
    found = [at.get(key, -1) for key in wave.keys]
    return None if -1 in found else np.array(found, dtype=np.int64)


def _wave(work: Audited, effective: Mapping[str, Ints], number: int) -> Wave:
    every = _keys(work.base)
    keys = [every[leaf] for leaf in work.kept.tolist()]
    series = [(code, "") for code in effective for _ in keys]
    n, x = (np.concatenate([its[code] for code in effective]) for its in (work.counts, effective))
    shown = np.full(len(n), number, dtype=np.int64)
    base = work.base
    return Wave(base.source, str(base.period), _names(base), tuple(series), tuple(keys) * len(effective), n, x, shown)
