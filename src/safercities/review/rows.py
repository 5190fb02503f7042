"""Chooses the estimates that the review shows, and pairs each count with its rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.model.estimates import TOTAL, UNKNOWN, Estimates

if TYPE_CHECKING:
    from safercities.review.data import ReviewData


@dataclass(frozen=True)
class Number:
    """One estimate as the review shows it: a value that never comes without what is known of it."""

    value: float | None
    lower: float | None
    upper: float | None
    level: float
    cases: float | None
    denominator: float | None
    unit: str
    method: str
    flags: tuple[str, ...]
    withheld: bool

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Number:
        """From a row of the estimates table; a confidential value is never read."""
        withheld = (row["conf_status"] or "F") != "F"
        value, lower, upper = (None if withheld else row[name] for name in ("value", "lower", "upper"))
        cases = None if withheld else _first(row["n_positive"], row["n"])
        return cls(
            value, lower, upper, row["level"] or 0.95, cases, row["denominator"], row["unit"] or "",
            row["method"] or "",
            tuple((row["quality"] or "").split()), withheld,
        )  # fmt: skip

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return self.lower is not None and self.upper is not None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


@dataclass
class Cell:
    """All that is known of one place, period and breakdown of one indicator from one source."""

    place: str
    period: str
    codes: dict[str, str]
    count: Number | None = None
    rate: Number | None = None
    smoothed: Number | None = None
    standardised: Number | None = None
    version: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """Quality flags of the count and the rate, each once."""
        numbers = (self.count, self.rate)
        return tuple(dict.fromkeys(flag for number in numbers if number for flag in number.flags))

    @property
    def partial(self) -> bool:
        """Whether the source covers only a part of the period."""
        return "partial_period" in self.flags

    @property
    def unknown(self) -> bool:
        """Whether it is the group of cases whose characteristic is not known."""
        return UNKNOWN in self.codes.values()

    def shown(self, rate: bool) -> Number | None:
        """The rate or the count, where it has a value."""
        number = self.rate if rate else self.count
        return number if number is not None and number.value is not None else None


def slot(unit: str, method: str, flags: str) -> str:
    """What a row is to the review: count, rate, smoothed or standardised.

    Examples
    --------
    >>> slot("victims", "count", ""), slot("per 100 000", "empirical Bayes (Marshall, global)", "smoothed")
    ('count', 'smoothed')
    """
    method = method.lower()
    if "smoothed" in flags.split() or "bayes" in method or "smooth" in method:
        return "smoothed"
    if "standard" in method:
        return "standardised"
    return "rate" if unit.startswith("per ") else "count"


@dataclass(frozen=True)
class Series:
    """One indicator from one source: what stands side by side and is never added."""

    indicator: str
    source: str
    trend: list[Cell]
    groups: dict[tuple[str, ...], list[Cell]]
    places: list[Cell]
    period: str
    count_unit: str = ""
    rate_unit: str = ""
    methods: tuple[str, ...] = ()

    @cached_property
    def now(self) -> Cell | None:
        """The whole place in the review's period."""
        return next((cell for cell in self.trend if cell.period == self.period), None)

    @property
    def has_rate(self) -> bool:
        """Whether the whole place has a rate in the review's period."""
        return self.now is not None and self.now.shown(rate=True) is not None

    @property
    def complete(self) -> list[Cell]:
        """Periods up to the review's own that the source covers as a whole, under the same definition."""
        version = self.now.version if self.now is not None else None
        return [
            cell
            for cell in self.trend
            if not cell.partial and cell.period <= self.period and version in (None, cell.version)
        ]


class Shown:
    """The rows of an observatory's estimates that its review shows.

    Shown are: the place itself in every period; its breakdowns and the places below it in the review's period.
    """

    def __init__(self, data: ReviewData) -> None:
        self.data = data
        table = data.estimates.sort().table
        dims = data.estimates.dimensions
        totals = _all_total(table, dims)
        own = pc.equal(table.column("place"), data.place.id)
        now = pc.equal(table.column("period"), data.period)
        wanted = pc.or_(pc.and_(own, pc.or_(now, totals)), pc.and_(totals, now))
        self.estimates = Estimates(table.filter(pc.fill_null(wanted, False)))

    @cached_property
    def series(self) -> list[Series]:
        """Every indicator × source, in the order of the indicators, then of the sources."""
        dims = self.data.estimates.dimensions
        parts: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.estimates.rows():
            parts.setdefault((row["indicator"], row["source"] or ""), []).append(row)
        order = {code: index for index, code in enumerate(self.data.indicators)}
        sources = {summary.name: index for index, summary in enumerate(self.data.sources)}
        keys = sorted(parts, key=lambda k: (order.get(k[0], len(order)), sources.get(k[1], len(sources)), k))
        return [self._series(key, parts[key], dims) for key in keys]

    def _series(self, key: tuple[str, str], rows: list[dict[str, Any]], dims: Sequence[str]) -> Series:
        cells: dict[tuple[str, ...], Cell] = {}
        units: dict[str, str] = {}
        methods: dict[str, None] = {}
        for row in rows:
            codes = {dim: row[dim] for dim in dims if row[dim] != TOTAL}
            cell = cells.setdefault(
                (row["place"], row["period"], *(row[dim] for dim in dims)),
                Cell(row["place"], row["period"], codes, version=row["version"] or ""),
            )
            kind = slot(row["unit"] or "", row["method"] or "", row["quality"] or "")
            if getattr(cell, kind) is None:  # of several smoothers the first is shown; the workbook has them all
                setattr(cell, kind, Number.from_row(row))
            units.setdefault("count" if kind == "count" else "rate", row["unit"] or "")
            methods[row["method"] or ""] = None
        own = [cell for cell in cells.values() if cell.place == self.data.place.id]
        groups: dict[tuple[str, ...], list[Cell]] = {}
        for cell in own:
            if cell.codes and cell.period == self.data.period:
                groups.setdefault(tuple(cell.codes), []).append(cell)
        return Series(
            indicator=key[0],
            source=key[1],
            trend=sorted((cell for cell in own if not cell.codes), key=lambda cell: cell.period),
            groups={
                names: self._ordered(groups[names])
                for names in sorted(groups, key=lambda n: (len(n), self._position(n)))
            },
            places=[cell for cell in cells.values() if cell.place != self.data.place.id],
            period=self.data.period,
            count_unit=units.get("count", ""),
            rate_unit=units.get("rate", ""),
            methods=tuple(method for method in methods if method),
        )

    def _position(self, names: tuple[str, ...]) -> list[int]:
        known = list(self.data.dimensions)
        return [known.index(name) if name in known else len(known) for name in names]

    def _ordered(self, cells: list[Cell]) -> list[Cell]:
        return sorted(cells, key=lambda cell: [self._rank(name, code) for name, code in cell.codes.items()])

    def _rank(self, name: str, code: str) -> tuple[int, str]:
        """Codes in the order that their dimension gives, unknown last."""
        info = self.data.dimensions.get(name)
        known = list(info.codes) if info is not None else []
        if code == UNKNOWN:
            return (len(known) + 1, code)
        return (known.index(code) if code in known else len(known), code)


def _all_total(table: pa.Table, dims: Sequence[str]) -> Any:
    mask = pa.repeat(pa.scalar(True), table.num_rows)
    for name in dims:
        mask = pc.and_(mask, pc.equal(table.column(name), TOTAL))
    return mask
