"""Periods as ISO 8601 writes them, and the recall period of a survey question."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from safercities.model.errors import SafercitiesError, UsageError, problem

Calendar = Literal["year", "quarter", "month", "week", "day"]
Kind = Literal["year", "quarter", "month", "week", "day", "range"]

_MONTHS: dict[str, int] = {"year": 12, "quarter": 3, "month": 1}


@dataclass(frozen=True, order=True)
class Period:
    """A run of whole days, the first and the last included. Equal days make equal periods, however they were written.

    Periods are ordered by start, then end. Weeks run from Monday to Sunday and belong to the year that holds their
    Thursday (ISO 8601). Quarters are written as SDMX writes them (`2019-Q1`): ISO 8601 has no form for them.

    Raises
    ------
    SafercitiesError
        If the end lies before the start.

    Examples
    --------
    >>> Period.parse("2019-01-01/2019-12-31") == Period.parse("2019")
    True
    >>> [str(p) for p in Period.parse("2019-Q1").split("month")]
    ['2019-01', '2019-02', '2019-03']
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            given = f"{self.start.isoformat()}/{self.end.isoformat()}"
            raise SafercitiesError(problem("period-backwards", given=given))

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read an ISO 8601 code.

        Parameters
        ----------
        text
            `2019`, `2019-Q1`, `2019-03`, `2019-W07`, `2019-03-05`, or two of these with `/` between: from the first
            day of the one to the last day of the other.

        Raises
        ------
        SafercitiesError
            If it is none of these forms, no such day, month or week exists, or the end lies before the start.

        Examples
        --------
        >>> Period.parse("2010/2019").end
        datetime.date(2019, 12, 31)
        >>> Period.parse("2021-02-31")
        Traceback (most recent call last):
        ...
        safercities.model.errors.SafercitiesError: “2021-02-31” is no period: February 2021 has 28 days: write it as ...
        """
        parts = text.strip().split("/")
        if len(parts) > 2:
            raise _wrong(text, "there is more than one “/” in it")
        ends = [_ends(part, text) for part in parts]
        first, last = ends[0][0], ends[-1][1]
        if last < first:
            raise SafercitiesError(problem("period-backwards", given=text))
        return cls(first, last)

    @classmethod
    def of(cls, day: date, kind: Calendar) -> Period:
        """The year, quarter, month, week or day that holds `day` (a `datetime` counts for its day).

        Raises
        ------
        UsageError
            If `kind` is none of these.

        Examples
        --------
        >>> str(Period.of(date(2021, 1, 3), "week"))
        '2020-W53'
        """
        day = day.date() if isinstance(day, datetime) else day
        if kind == "day":
            return cls(day, day)
        if kind == "week":
            monday = _moved(day, days=-day.weekday())
            return cls(monday, _moved(monday, days=6))
        if kind not in _MONTHS:
            raise UsageError(problem("period-kind", given=kind, known=", ".join(get_args(Calendar))))
        size = _MONTHS[kind]
        return _months(day.year, (day.month - 1) // size * size + 1, size)

    @property
    def kind(self) -> Kind:
        """year, quarter, month, week or day where it is exactly one of these, else range."""
        known: tuple[Calendar, ...] = get_args(Calendar)
        return next((kind for kind in known if self == _of_or_none(self.start, kind)), "range")

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    @property
    def years(self) -> float:
        """Length in years: days over the days of their calendar year, so that every calendar year counts 1.

        Examples
        --------
        >>> Period.parse("2020").years, Period.parse("2010/2019").years
        (1.0, 10.0)
        """
        if self.start.year == self.end.year:
            return self.days / _days_in(self.start.year)
        head = (date(self.start.year, 12, 31) - self.start).days + 1
        tail = (self.end - date(self.end.year, 1, 1)).days + 1
        whole = self.end.year - self.start.year - 1
        return head / _days_in(self.start.year) + whole + tail / _days_in(self.end.year)

    def contains(self, other: Period | date) -> bool:
        """Whether the other lies wholly inside."""
        if isinstance(other, datetime):
            other = other.date()
        if isinstance(other, date):
            return self.start <= other <= self.end
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Period) -> bool:
        """Whether they share a day."""
        return self.start <= other.end and other.start <= self.end

    def next(self) -> Period:
        """The period of the same kind that follows; a range moves by its own length, in whole months if it can.

        Raises
        ------
        SafercitiesError
            If it would lie after the year 9999.

        Examples
        --------
        >>> str(Period.parse("2020-W53").next()), str(Period.parse("2019-07/2020-06").next())
        ('2021-W01', '2020-07/2021-06')
        """
        return self._step(1)

    def previous(self) -> Period:
        """The period of the same kind that comes before; see `next`."""
        return self._step(-1)

    def split(self, kind: Calendar) -> list[Period]:
        """The periods of that kind that lie wholly inside, in order.

        Examples
        --------
        >>> [str(p) for p in Period.parse("2020-12-27/2021-01-12").split("week")]
        ['2020-W53', '2021-W01']
        """
        parts = [Period.of(self.start, kind)]
        while parts[-1].end < self.end:
            parts.append(parts[-1].next())
        return [part for part in parts if self.contains(part)]

    def _step(self, sign: int) -> Period:
        if not self._whole_months:
            return Period(_moved(self.start, days=sign * self.days), _moved(self.end, days=sign * self.days))
        size = (self.end.year - self.start.year) * 12 + self.end.month - self.start.month + 1
        return _months(self.start.year, self.start.month + sign * size, size)

    @property
    def _whole_months(self) -> bool:
        return self.start.day == 1 and self.end.day == calendar.monthrange(self.end.year, self.end.month)[1]

    def __str__(self) -> str:
        kind = self.kind
        if kind == "range":
            return f"{self._code(self.start)}/{self._code(self.end)}"
        if kind == "quarter":
            return f"{self.start.year:04d}-Q{(self.start.month + 2) // 3}"
        if kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year:04d}-W{week:02d}"
        return self.start.isoformat()[: {"year": 4, "month": 7, "day": 10}[kind]]

    def _code(self, day: date) -> str:
        """One end of a range, no longer than it must be."""
        if not self._whole_months:
            return day.isoformat()
        years = self.start.month == 1 and self.end.month == 12
        return day.isoformat()[: 4 if years else 7]


def _wrong(text: str, why: str) -> SafercitiesError:
    return SafercitiesError(problem("period-unreadable", given=text, why=why))


def _days_in(year: int) -> int:
    return 366 if calendar.isleap(year) else 365


def _moved(day: date, *, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise SafercitiesError(problem("period-beyond", given=day.isoformat())) from None


def _months(year: int, month: int, size: int) -> Period:
    """The `size` months from a month on; `month` may run over the ends of the year."""
    first_year, first_month = divmod(year * 12 + month - 1, 12)
    last_year, last_month = divmod(year * 12 + month + size - 2, 12)
    if not (first_year >= 1 and last_year <= 9999):
        raise SafercitiesError(problem("period-beyond", given=f"{year:04d}"))
    last_day = calendar.monthrange(last_year, last_month + 1)[1]
    return Period(date(first_year, first_month + 1, 1), date(last_year, last_month + 1, last_day))


def _of_or_none(day: date, kind: Calendar) -> Period | None:
    """As `Period.of`, or None for the weeks at the two ends of the calendar, which are not whole."""
    try:
        return Period.of(day, kind)
    except SafercitiesError:
        return None


def _year(text: str, year: str) -> tuple[date, date]:
    return date(int(year), 1, 1), date(int(year), 12, 31)


def _quarter(text: str, year: str, quarter: str) -> tuple[date, date]:
    if not 1 <= int(quarter) <= 4:
        raise _wrong(text, "quarters run from Q1 to Q4")
    found = _months(int(year), int(quarter) * 3 - 2, 3)
    return found.start, found.end


def _month(text: str, year: str, month: str) -> tuple[date, date]:
    if not 1 <= int(month) <= 12:
        raise _wrong(text, "months run from 01 to 12")
    found = _months(int(year), int(month), 1)
    return found.start, found.end


def _week(text: str, year: str, week: str) -> tuple[date, date]:
    # 28 December always lies in the last week of its year
    last = date(int(year), 12, 28).isocalendar().week
    if not 1 <= int(week) <= last:
        raise _wrong(text, f"the weeks of {year} run from W01 to W{last}")
    monday = date.fromisocalendar(int(year), int(week), 1)
    return monday, _moved(monday, days=6)


def _day(text: str, year: str, month: str, day: str) -> tuple[date, date]:
    first, last = _month(text, year, month)
    if not 1 <= int(day) <= last.day:
        raise _wrong(text, f"{calendar.month_name[first.month]} {first.year} has {last.day} days")
    return (found := first.replace(day=int(day))), found


_FORMS: tuple[tuple[re.Pattern[str], Callable[..., tuple[date, date]]], ...] = (
    (re.compile(r"([0-9]{4})"), _year),
    (re.compile(r"([0-9]{4})-Q([0-9])"), _quarter),
    (re.compile(r"([0-9]{4})-([0-9]{2})"), _month),
    (re.compile(r"([0-9]{4})-W([0-9]{2})"), _week),
    (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"), _day),
)


def _ends(part: str, text: str) -> tuple[date, date]:
    """First and last day of one code; `text` is the whole of what was given, for the message."""
    for form, read in _FORMS:
        match = form.fullmatch(part)
        if match and match[1] == "0000":
            raise _wrong(text, "there is no year 0000")
        if match:
            return read(text, *match.groups())
    raise _wrong(text, "it has none of the forms of a period")


@dataclass(frozen=True, order=True)
class Recall:
    """How far back a survey question asks: “in the last 12 months before the interview”.

    Examples
    --------
    >>> Recall.parse("P12M").label
    'the last 12 months before the interview'
    >>> str(Recall.parse("P12M").before(date(2023, 10, 15)))
    '2022-10-15/2023-10-14'
    """

    months: int

    def __post_init__(self) -> None:
        if self.months < 1:
            raise SafercitiesError(problem("recall-wrong", given=f"P{self.months}M"))

    @classmethod
    def parse(cls, text: str) -> Recall:
        """Read an ISO 8601 duration of months or years: `P12M`, `P5Y`.

        Raises
        ------
        SafercitiesError
            If it is no such duration, or no month long.
        """
        match = re.fullmatch(r"P([0-9]{1,4})([MY])", text.strip())
        if match is None or int(match[1]) == 0:
            raise SafercitiesError(problem("recall-wrong", given=text))
        return cls(int(match[1]) * (12 if match[2] == "Y" else 1))

    @property
    def label(self) -> str:
        """For people; whole years beyond the first are given in years."""
        if self.months == 1:
            return "the last month before the interview"
        if self.months > 12 and self.months % 12 == 0:
            return f"the last {self.months // 12} years before the interview"
        return f"the last {self.months} months before the interview"

    def before(self, interview: date) -> Period:
        """The days asked about: up to the day before the interview.

        Where the month in question has no such day (31 February), it starts on the first of the next month.
        """
        interview = interview.date() if isinstance(interview, datetime) else interview
        year, month = divmod(interview.year * 12 + interview.month - 1 - self.months, 12)
        if year < 1:
            raise SafercitiesError(problem("period-beyond", given=interview.isoformat()))
        last = calendar.monthrange(year, month + 1)[1]
        day = date(year, month + 1, min(interview.day, last))
        start = day if interview.day <= last else _moved(day, days=1)
        return Period(start, _moved(interview, days=-1))

    def __str__(self) -> str:
        return f"P{self.months}M"
