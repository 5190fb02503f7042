"""Chooses the estimates that the review shows, and pairs each count with its rate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.model.estimates import TOTAL, UNKNOWN, Estimates
from safercities.model.periods import Period

if TYPE_CHECKING:
    from safercities.review.data import ReviewData


#: Units of numbers that stand for a whole population; others are shares, means or scores of its members.
COUNTED = ("victims", "incidents", "offences", "people", "households", "events")
#: Says how many of the sample said yes, so it would tell a value that is withheld.
TELLING = "zero_or_full"


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
    verdict: str = ""  # of the publication rules: publish, warn, withhold; empty where no rule applies
    scheme: str = ""
    n: int | None = None  # respondents, or audited points
    published: bool = False  # of a release: n of a survey is then the lower edge of its band

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Number:
        """From a row of the estimates table; a value that is confidential or too unsure is never read."""
        unsure = row["verdict"] == "withhold"
        confidential = (row["conf_status"] or "F") != "F"
        withheld = unsure or confidential
        value, lower, upper = (None if withheld else row[name] for name in ("value", "lower", "upper"))
        cases = None if withheld else _first(row["n_positive"], row["n"])
        flags = (row["quality"] or "").split()
        return cls(
            value, lower, upper, row["level"] or 0.95, cases, None if unsure else row["denominator"],
            row["unit"] or "", row["method"] or "",
            tuple(flag for flag in flags if not (withheld and flag == TELLING)), withheld,
            row["verdict"] or "", row["scheme"] or "", None if confidential else row["n"],
            row["conf_status"] == "F",
        )  # fmt: skip

    @property
    def warned(self) -> bool:
        """Whether it is to be read with care, as the publication rules say; or, without rules, rests on one cluster."""
        return self.verdict == "warn" or (not self.verdict and "single_psu" in self.flags)

    @property
    def one_sided(self) -> str:
        """`none` or `all` where nobody, or everybody, of the sample said yes; else empty."""
        if TELLING not in self.flags or self.value is None:
            return ""
        return "none" if self.value == 0 else "all"

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

    def hidden(self, rate: bool) -> bool:
        """Whether the rate (where there is none, the count) is withheld."""
        number = (self.rate or self.count) if rate else self.count
        return number is not None and number.withheld

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
    >>> slot("%", "proportion, Taylor linearisation, Korn–Graubard interval", ""), slot("people", "total, …", "")
    ('rate', 'count')
    """
    method = method.lower()
    if "smoothed" in flags.split() or "bayes" in method or "smooth" in method:
        return "smoothed"
    if "standard" in method:
        return "standardised"
    return "count" if unit in COUNTED or not unit else "rate"


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
    made_of: str = "incidents"  # or survey, audits, reporting, index

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
        self.periods = _periods(table, data)
        now = _now(table, data.period, self.periods)
        wanted = pc.or_(pc.and_(own, pc.or_(now, totals)), pc.and_(totals, now))
        self.estimates = Estimates(_withheld_together(table.filter(pc.fill_null(wanted, False)), dims))

    @property
    def series(self) -> list[Series]:
        """What was recorded: every indicator × source, in the order of the indicators, then of the sources."""
        return self.of("incidents")

    def of(self, made_of: str) -> list[Series]:
        """Every indicator × source that is made of this: incidents, survey, audits, reporting or index."""
        return [series for series in self.everything if series.made_of == made_of]

    @cached_property
    def everything(self) -> list[Series]:
        """Every indicator × source."""
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
        now = self.periods.get(key, self.data.period)
        own = [cell for cell in cells.values() if cell.place == self.data.place.id]
        groups: dict[tuple[str, ...], list[Cell]] = {}
        for cell in own:
            if cell.codes and cell.period == now:
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
            period=now,
            made_of=made_of(self.data, key[0]),
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


def made_of(data: ReviewData, indicator: str) -> str:
    """What an indicator is made of, as the review tells it: incidents, survey, audits, reporting or index."""
    found = data.indicators.get(indicator)
    if found is None:
        return "incidents"
    material = found.on().made_of
    return ("index" if found.kind == "index" else "reporting") if material == "estimates" else material


def _periods(table: pa.Table, data: ReviewData) -> dict[tuple[str, str], str]:
    """Of each series that has nothing of the review's period, and is not of records, the period that is shown."""
    found: dict[tuple[str, str], set[str]] = {}
    seen = table.select(["indicator", "source", "period"]).group_by(["indicator", "source", "period"]).aggregate([])
    for row in seen.to_pylist():
        found.setdefault((row["indicator"], row["source"] or ""), set()).add(row["period"])
    chosen = {}
    for key, periods in found.items():
        if data.period in periods or made_of(data, key[0]) == "incidents":
            continue
        chosen[key] = nearest(periods, data.period)
    return chosen


def nearest(periods: Collection[str], period: str) -> str:
    """Which of a series' periods stands for the review's: the same, else the last begun before its end, else the first.

    Examples
    --------
    >>> nearest(["2016", "2018", "2020"], "2019"), nearest(["2020", "2021"], "2019")
    ('2018', '2020')
    """
    if period in periods:
        return period
    end = Period.parse(period).end
    ordered = sorted(periods, key=lambda one: (Period.parse(one).start, Period.parse(one).end))
    return ([one for one in ordered if Period.parse(one).start <= end] or ordered[:1])[-1]


def _now(table: pa.Table, period: str, others: Mapping[tuple[str, str], str]) -> Any:
    """Rows of the period that is shown of their series."""
    mask = pc.equal(table.column("period"), period)
    for (indicator, source), other in others.items():
        mine = pc.and_(
            pc.equal(table.column("indicator"), indicator), pc.equal(pc.fill_null(table.column("source"), ""), source)
        )
        mask = pc.or_(mask, pc.and_(mine, pc.equal(table.column("period"), other)))
    return mask


def _withheld_together(table: pa.Table, dims: Sequence[str]) -> pa.Table:
    """What would tell a withheld number: numbers of people or events beside their share, cases beside a smoothed one.

    The former are withheld too. A smoothed estimate stays, without how many said yes and how much their own answers
    weigh in it.
    """
    names = ["indicator", "source", "period", "place", *dims]
    keys = pc.binary_join_element_wise(*(pc.fill_null(table.column(name), "") for name in names), "\x1f")
    counted = pc.is_in(table.column("unit"), pa.array(COUNTED))
    unsure = pc.fill_null(pc.equal(table.column("verdict"), "withhold"), False)
    shares = keys.filter(pc.and_(unsure, pc.invert(counted)))
    hit = pc.and_(counted, pc.is_in(keys, shares.combine_chunks()))
    verdict = pc.if_else(hit, pa.scalar("withhold"), table.column("verdict"))
    table = table.set_column(table.column_names.index("verdict"), "verdict", verdict)
    secret = pc.fill_null(pc.not_equal(table.column("conf_status"), "F"), False)
    smoothed = pc.match_substring(pc.fill_null(table.column("quality"), ""), "smoothed")
    bare = pc.and_(smoothed, pc.is_in(keys, keys.filter(pc.or_(unsure, secret)).combine_chunks()))
    for name in ("n_positive", "coverage", "note"):
        column = table.column(name)
        without = pc.if_else(bare, pa.scalar(None, column.type), column)
        table = table.set_column(table.column_names.index(name), name, without)
    return table


def _all_total(table: pa.Table, dims: Sequence[str]) -> Any:
    mask = pa.repeat(pa.scalar(True), table.num_rows)
    for name in dims:
        mask = pc.and_(mask, pc.equal(table.column(name), TOTAL))
    return mask
