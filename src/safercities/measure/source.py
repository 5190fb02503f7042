"""A source of counts: located records, and what is known of the period and the breakdowns that they cover."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.records import Collected, DimensionInfo
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.periods import Calendar, Period
from safercities.places.locate import Located

#: Periods in a row: 137 years of days. Beyond it a date is wrong, or the run would not end.
MOST_PERIODS = 50_000

#: From coarse to fine; a source of some precision can be counted by that period and those before it.
FINENESS: tuple[Calendar, ...] = ("year", "quarter", "month", "week", "day")
#: How likely a run of empty days at an end is, if it is chance, before the source looks cut off there.
CHANCE = 0.01
_UNIT = {"year": "Y", "month": "M"}


@dataclass(frozen=True)
class CountsSource:
    """Located records of one source.

    Parameters
    ----------
    name, label
        Name of the source, and what people read.
    table
        Records: `when`, `act`, `n`, the dimensions, and `place_<level>` for each level; see ARCHITECTURE.md.
    unit
        victims, incidents or offences.
    precision
        year, month or day: how exact the dates are.
    covers
        Period that the source covers: no case in it means zero.
    covers_declared
        Whether somebody said so; otherwise `covers` is what was seen, and the ends may be cut off (`complete`).
    dimensions, levels
        What the records can be broken down by.
    acts
        ICCS codes that the source is said to hold; None where each record brings its own.
    today
        No period that ends later is complete.
    rejected
        Share of the rows that were rejected, without those that repeat an id.
    errors
        Indicator → standard deviation of the error that protecting people put into each of its counts, in cases. Empty
        where counts are as they were recorded.
    """

    name: str
    label: str
    table: pa.Table
    unit: str
    precision: str
    covers: Period
    covers_declared: bool
    dimensions: Mapping[str, DimensionInfo]
    levels: tuple[str, ...] = ()
    acts: tuple[str, ...] | None = None
    today: date = field(default_factory=date.today)
    rejected: float = 0.0
    errors: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_located(
        cls, located: Located, covers: str | None = None, acts: Sequence[str] | None = None
    ) -> CountsSource:
        """The source that collecting and locating gave.

        Parameters
        ----------
        acts
            The acts that it is said to hold.
        covers
            The period that it is said to cover; without it, from the first to the last day, month or year seen.

        Raises
        ------
        SafercitiesError
            If nothing is said and there is no record to see it from.
        """
        records = located.collected
        if records.rows_read and not records.table.num_rows:
            raise SafercitiesError(problem("source-all-rejected", file=records.file, source=records.source))
        if covers is None and records.table.num_rows == 0:
            raise SafercitiesError(problem("source-without-period", file=records.file, source=records.source))
        return cls(
            name=records.source,
            label=records.label,
            table=records.table,
            unit=records.unit or "incidents",
            precision=records.precision,
            covers=Period.parse(covers) if covers else _seen(records.table, records.precision),
            covers_declared=covers is not None,
            dimensions={info.name: info for info in records.dimensions},
            levels=located.levels,
            acts=None if acts is None else tuple(acts),
            rejected=_rejected(records),
        )

    @cached_property
    def days(self) -> NDArray[np.datetime64]:
        """Day of each record."""
        return days_of(self.table)

    def beyond_covers(self) -> int:
        """Cases outside `covers`."""
        outside = (self.days < _day(self.covers.start)) | (self.days > _day(self.covers.end))
        return int(self.table.column("n").to_numpy()[outside].sum())

    def periods(self, kind: str) -> list[Period]:
        """The periods of a kind that the source covers, or has records in, in order.

        Raises
        ------
        UsageError
            If there is no such kind.
        SafercitiesError
            If the dates are not exact enough for it, or there would be more than `MOST_PERIODS`.
        """
        calendar = _calendar(kind)
        if FINENESS.index(calendar) > FINENESS.index(_calendar(self.precision)):
            raise SafercitiesError(problem("period-too-fine", source=self.name, period=kind, precision=self.precision))
        first, last = self.covers.start, self.covers.end
        if len(self.days):
            first, last = min(first, self.days.min().item()), max(last, self.days.max().item())
        found = [Period.of(first, calendar)]
        while found[-1].end < last:
            if len(found) == MOST_PERIODS:
                raise SafercitiesError(problem("periods-many", source=self.name, period=kind, first=first, last=last))
            found.append(found[-1].next())
        return found

    def complete(self, period: Period) -> bool:
        """Whether the source covers the whole period.

        Said (`covers_declared`): whether the period lies in `covers`. Not said: whether the stretch without a record at
        either end is no longer than chance explains. With records in a share s of the days (or months, or years, by
        the precision) from the first to the last, a run of ln(0.01) / ln(1 − s) empty ones at an end is a 1 in 100
        event; a longer one means that the source was cut off.
        """
        if period.end > self.today or any(gap.overlaps(period) for gap in self.gaps):
            return False
        slack = timedelta(days=0 if self.covers_declared else self._slack)
        return self.covers.start - slack <= period.start and period.end <= self.covers.end + slack

    def covered_part(self, period: Period) -> Period | None:
        """The part of a period that is covered and holds all of the period's records; None where there is none."""
        if self.complete(period):
            return period
        if not self.covers.overlaps(period) or any(gap.overlaps(period) for gap in self.gaps):
            return None
        start, end = max(period.start, self.covers.start), min(period.end, self.covers.end, self.today)
        if end < start:
            return None
        part = Period(start, end)
        inside = (self.days >= _day(period.start)) & (self.days <= _day(period.end))
        outside = inside & ((self.days < _day(part.start)) | (self.days > _day(part.end)))
        return None if outside.any() else part

    @cached_property
    def gaps(self) -> tuple[Period, ...]:
        """Stretches between the first and the last record that are empty beyond chance, where nothing is said.

        As for the ends, but over all runs of empty units together: a file of one year may be missing.
        """
        if self.covers_declared or len(self._units) < 2:
            return ()
        run = self._run(CHANCE / len(self._units))
        empty = np.diff(self._units).astype(int) - 1
        after = np.flatnonzero(empty > run)
        slack = np.minimum(run, (empty[after] - 1) // 2)  # the edges of a gap may be chance
        starts = (self._units[after] + 1 + slack).astype("datetime64[D]")
        ends = (self._units[after + 1] - slack).astype("datetime64[D]")
        return tuple(Period(a.item(), (b - 1).item()) for a, b in zip(starts, ends, strict=True))

    @cached_property
    def _units(self) -> NDArray[np.datetime64]:
        """The days (or months, or years) that have records."""
        return np.unique(self.days.astype(f"datetime64[{_UNIT.get(self.precision, 'D')}]"))

    def _run(self, chance: float) -> int:
        """Longest run of empty units that is at least so likely; 0 where every unit has records."""
        share = len(self._units) / (int((self._units[-1] - self._units[0]).astype(int)) + 1)
        return 0 if share >= 1 else math.floor(math.log(chance) / math.log(1 - share))

    @cached_property
    def _slack(self) -> int:
        """Longest run of empty days at an end that chance explains; 0 where every unit has records."""
        if len(self._units) < 2:
            return 0
        return self._run(CHANCE) * {"year": 366, "month": 31}.get(self.precision, 1)


def _rejected(records: Collected) -> float:
    """Share of the rows that were rejected for other reasons than a repeated id: they may be cases of any period."""
    faults = records.rejects.filter(pc.invert(pc.starts_with(records.rejects.column("code"), "id-twice")))
    return len(pc.unique(faults.column("row"))) / records.rows_read if records.rows_read else 0.0


def days_of(table: pa.Table) -> NDArray[np.datetime64]:
    """Day of each record, from its wall clock."""
    when = pc.cast(table.column("when"), pa.timestamp("us"))
    return np.asarray(when.to_numpy(), dtype="datetime64[us]").astype("datetime64[D]")


def _seen(table: pa.Table, precision: str) -> Period:
    days = days_of(table)
    first, last = days.min().item(), days.max().item()
    return Period(Period.of(first, _calendar(precision)).start, Period.of(last, _calendar(precision)).end)


def _calendar(kind: str) -> Calendar:
    for known in FINENESS:
        if known == kind:
            return known
    raise UsageError(problem("period-kind", given=kind, known=", ".join(FINENESS)))


def _day(day: date) -> np.datetime64:
    return np.datetime64(day, "D")
