"""When people were interviewed: one period for a whole survey, or each row's own from a column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.collect.columns import Encoded, encode
from safercities.collect.dates import PRECISIONS, parse_dates
from safercities.collect.faults import Ledger
from safercities.collect.file_spec import CodesFrom
from safercities.collect.incidents import first_rows
from safercities.collect.survey_spec import SurveySpec
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period

#: Calendar periods that a record's precision can name; all others are only sure to the year.
_EXACT = {"month": "month", "week": "month", "day": "day"}


@dataclass(frozen=True)
class Interviews:
    """Period of each row (ISO 8601), its first day, and how exact the coarsest is: year, month or day."""

    period: pa.Array
    when: pa.Array
    precision: str


def read_interviews(ledger: Ledger, spec: SurveySpec) -> Interviews:
    """The interview period of each row; rows without one that can be are rejected.

    A column may hold periods (`2023`, `2023-Q1`, `2022-10/2023-01`), or dates in any form that can be read one way.

    Raises
    ------
    SafercitiesError
        If dates can be read two ways and `date_order` does not say which.
    """
    rows = ledger.raw.table.num_rows
    fixed = spec.fixed_period
    if fixed is not None:
        codes = pa.repeat(pa.scalar(str(fixed), pa.string()), rows)
        return Interviews(codes, pa.repeat(_first_day(fixed), rows), precision_of([fixed]))
    how = spec.period_column
    assert how is not None  # noqa: S101 (a survey has one or the other)
    encoded = encode(ledger.raw.table.column(how.column))
    periods = _periods(ledger, how, encoded, spec.date_order)
    bad = np.array([period is None for period in periods], dtype=bool)
    late = np.array([period is not None and period.start > date.today() for period in periods], dtype=bool)
    ledger.reject("interview-missing", encoded.empty, how.column)
    ledger.reject("interview-unreadable", encoded.take(bad, False), how.column, encoded)
    ledger.reject("interview-future", encoded.take(late, False), how.column, encoded)
    index = pa.array(encoded.index, mask=encoded.empty)
    codes = pa.array([None if period is None else str(period) for period in periods], pa.string())
    days = pa.array([None if period is None else _first_day(period).as_py() for period in periods], pa.timestamp("us"))
    kept = [period for period, out in zip(periods, (bad | late).tolist(), strict=True) if period and not out]
    return Interviews(codes.take(index), days.take(index), precision_of(kept))


def precision_of(periods: list[Period]) -> str:
    """The coarsest precision of some periods; a quarter or a range is sure to the year only.

    Examples
    --------
    >>> precision_of([Period.parse("2023-03"), Period.parse("2023-03-05")]), precision_of([Period.parse("2023-Q1")])
    ('month', 'year')
    """
    seen = {_EXACT.get(period.kind, "year") for period in periods} or {"year"}
    return next(name for name in PRECISIONS if name in seen)


def _first_day(period: Period) -> pa.Scalar:
    return pa.scalar(datetime(period.start.year, period.start.month, period.start.day), pa.timestamp("us"))


def _periods(ledger: Ledger, how: CodesFrom, encoded: Encoded, order: str | None) -> list[Period | None]:
    """Period of each distinct value, None where it is none."""
    mapping = {key.strip(): period for key, period in how.map.items()}
    periods = [_period(mapping.get(text, text)) for text in encoded.texts()]
    others = [at for at, period in enumerate(periods) if period is None]
    if not others:
        return periods
    first = first_rows(encoded, ledger.raw.rows)
    dates = parse_dates(
        encoded.values.take(pa.array(others)),
        None if order == "ymd" else order,
        file=ledger.raw.file,
        column=how.column,
        row_of=lambda value: int(first[others[value]]),
    )
    for at, day, precision, good in zip(
        others, dates.when.astype("datetime64[D]"), dates.precision, dates.good & ~dates.serial, strict=True
    ):
        if good:
            periods[at] = _usual(Period.of(day.item(), _kind(int(precision))))
    return periods


def _kind(precision: int) -> Any:
    return PRECISIONS[precision]


def _period(text: str) -> Period | None:
    try:
        return _usual(Period.parse(text))
    except SafercitiesError:
        return None


def _usual(period: Period) -> Period | None:
    """A period in years that a survey can have been made in."""
    return period if period.start.year >= 1800 and period.end.year <= 2200 else None
