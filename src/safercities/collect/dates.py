"""Read dates in any of the usual forms, never guessing the order of day and month."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.columns import Bools, Ints
from safercities.collect.zones import Times, from_utc, zone_of
from safercities.model.errors import SafercitiesError, problem

YEAR, MONTH, DAY = range(3)
PRECISIONS = ("year", "month", "day")
_NO_OFFSET = np.iinfo(np.int32).min
#: What may be wrong with a date; `Dates.fault` holds positions in this list.
FAULTS = ("", "date-unreadable", "date-impossible", "date-short-year", "date-too-early", "date-too-late")
_UNREADABLE, _IMPOSSIBLE, _SHORT_YEAR, TOO_EARLY, TOO_LATE = range(1, 6)
_NAT = np.datetime64("NaT", "us")
#: Days 10000 (1927) to 99999 (2173) of the count that spreadsheets use; shorter numbers are years.
_SERIAL_ZERO = np.datetime64("1899-12-30", "us")

_TIME = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?)?)?\s*(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?|UTC|GMT)?$"
)
_NAME = r"(?P<name>\pL+)\.?"
_DOTTED = r"^(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})" + _TIME
_DOTTED_MDY = r"^(?P<month>\d{1,2})\.\s?(?P<day>\d{1,2})\.\s?(?P<year>\d{4})" + _TIME
#: Forms of a date; the first that fits is taken. `a` and `b` are day and month in an order to be proved.
_FORMS = (
    r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME,
    r"^(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-](?P<year>\d{4})" + _TIME,
    _DOTTED,
    r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[T ]?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<zone>[Zz])?)?$",
    r"^(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|o)?[-. /]+(?:de |of )?"
    + _NAME
    + r"[-, /]+(?:de |del )?(?P<year>\d{4})"
    + _TIME,
    r"^" + _NAME + r"[ .]+(?P<day>\d{1,2})(?:st|nd|rd|th)?,? +(?P<year>\d{4})" + _TIME,
    r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})$",
    r"^(?P<year>\d{4})\.(?P<month>\d{2})$",  # 2023.1 may be a number that was 2023.10
    r"^(?P<month>\d{1,2})[/](?P<year>\d{4})$",
    r"^" + _NAME + r"[-, /]+(?:de |del )?(?P<year>\d{4})$",
    r"^(?P<year>\d{4})$",
)
_SERIAL = r"^(?P<serial>[1-9]\d{4})(?P<part>[.,]\d+)?$"
_TWO_DIGITS = r"^(?:\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|\d{1,2}[-. /]\pL+[-. /]\d{2})(?:$|[T ,])"
_MONTHS = (
    "january jan enero ene janvier janv janeiro",
    "february feb febrero fevrier fevr fev fevereiro",
    "march mar marzo mars marco",
    "april apr abril abr avril avr",
    "may mayo mai maio",
    "june jun junio juin junho",
    "july jul julio juillet juil julho",
    "august aug agosto ago aout",
    "september sep sept septiembre setiembre set septembre setembro",
    "october oct octubre octobre outubro out",
    "november nov noviembre novembre novembro",
    "december dec diciembre dic decembre dezembro dez",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}


@dataclass
class Dates:
    """What the distinct values of a column say, one entry a value.

    Parameters
    ----------
    when
        Wall clock as it is written, NaT where it cannot be read.
    precision
        `YEAR`, `MONTH` or `DAY` (and finer).
    offset
        Seconds east of UTC where the value says so; `has_offset` tells where.
    fault
        Position in `FAULTS`; 0 where the date is good.
    serial
        Where a number was read as a spreadsheet's day.
    """

    when: Times
    precision: np.ndarray[Any, np.dtype[np.int8]]
    offset: np.ndarray[Any, np.dtype[np.int32]]
    fault: np.ndarray[Any, np.dtype[np.int8]]
    serial: Bools

    @classmethod
    def none(cls, count: int) -> Dates:
        """Nothing read yet."""
        return cls(
            np.full(count, _NAT, dtype="datetime64[us]"),
            np.full(count, DAY, dtype=np.int8),
            np.full(count, _NO_OFFSET, dtype=np.int32),
            np.full(count, _UNREADABLE, dtype=np.int8),
            np.zeros(count, dtype=bool),
        )

    @property
    def good(self) -> Bools:
        """Where the value is a date that can be used."""
        return np.asarray(self.fault == 0)

    @property
    def has_offset(self) -> Bools:
        """Where the value says how far it is from UTC."""
        return np.asarray(self.offset != _NO_OFFSET)

    def put(self, at: Ints, when: Times, precision: int, offset: Ints | None = None) -> None:
        """Enter what was read at these positions; NaT is a day that does not exist."""
        self.when[at] = when
        self.precision[at] = precision
        self.fault[at] = np.where(np.isnat(when), _IMPOSSIBLE, 0)
        if offset is not None:
            self.offset[at] = offset


def parse_dates(values: pa.Array, order: str | None, *, file: str, column: str, row_of: Callable[[int], int]) -> Dates:
    """Read the distinct values of a column.

    Parameters
    ----------
    values
        Distinct values: text (trimmed), numbers, dates or timestamps; no nulls.
    order
        `dmy` or `mdy` for dates such as 03/04/2019; None or `ymd` if the column itself has to show it.
    row_of
        First row of a value, for messages.

    Raises
    ------
    SafercitiesError
        If the order of day and month is neither declared nor proved by a day above 12.

    Examples
    --------
    >>> read = parse_dates(pa.array(["2019-04-23", "23/04/2019", "2019-02-31", "April 2019"]), None,
    ...                    file="x.csv", column="when", row_of=lambda value: value + 2)
    >>> read.when.astype("datetime64[D]").astype(str).tolist(), read.fault.tolist()
    (['2019-04-23', '2019-04-23', 'NaT', '2019-04-01'], [0, 0, 2, 0])
    """
    if pa.types.is_temporal(values.type):
        return _typed(values, file, column)
    if not pa.types.is_string(values.type):
        from safercities.collect.columns import as_text

        values = as_text(values)
    dates = Dates.none(len(values))
    _refuse_fiscal(values, file, column, row_of)
    rest = _fixed_width(values, dates)
    for form in _FORMS:
        if len(rest):
            form = _DOTTED_MDY if form is _DOTTED and order == "mdy" else form
            rest = _form(form, values, rest, dates, order, (file, column, row_of))
    if len(rest):
        rest = _serials(values, rest, dates)
    if len(rest):
        short = pc.match_substring_regex(values.take(pa.array(rest)), _TWO_DIGITS)
        dates.fault[rest[short.to_numpy(zero_copy_only=False)]] = _SHORT_YEAR
    return dates


def _refuse_fiscal(values: pa.Array, file: str, column: str, row_of: Callable[[int], int]) -> None:
    """`2010/11` is November, or the year 2010–11: where every such value could be a year, neither is guessed."""
    found = pc.extract_regex(values, r"^(?P<year>\d{4})/(?P<next>\d{2})$")
    at = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    if not len(at):
        return
    groups = found.take(pa.array(at))
    year, after = _ints(groups.field("year")), _ints(groups.field("next"))
    if ((year + 1) % 100 == after).all():
        first = min((int(index) for index in at), key=row_of)
        details = {"value": values[first].as_py(), "year": values[first].as_py()[:4]}
        raise SafercitiesError(problem("date-fiscal", file=file, row=row_of(first), column=column, **details))


def _typed(values: pa.Array, file: str, column: str) -> Dates:
    """Date cells. A zoned timestamp is written as the clock of its own zone, with an offset."""
    if pa.types.is_time(values.type) or pa.types.is_duration(values.type):
        raise SafercitiesError(problem("column-type", file=file, column=column, kind=str(values.type)))
    zone = getattr(values.type, "tz", None)
    stamps = values.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    when = stamps.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    dates = Dates.none(len(values))
    at = np.arange(len(values))
    if zone is None:
        dates.put(at, when, DAY)
        return dates
    local = from_utc(when, zone_of(zone, file))
    dates.put(at, local, DAY, (local - when).astype("timedelta64[s]").astype(np.int64))
    return dates


def _fixed_width(values: pa.Array, dates: Dates) -> Ints:
    """Read `2019-04-23`, `2019-04-23T12:30`, `…T12:30:00` and `…Z` from the bytes at once; gives what is left."""
    plain = pc.match_substring_regex(values, r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?Z?)?$")
    fits = plain.to_numpy(zero_copy_only=False)
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    for length in (10, 16, 17, 19, 20):
        at = np.flatnonzero(fits & (lengths == length))
        if not len(at):
            continue
        text = values.take(pa.array(at))
        letters = np.frombuffer(text.buffers()[2], np.uint8, count=length * len(at)).reshape(len(at), length)
        digits = letters.astype(np.int64) - 48
        parts = [_number(digits, *span) for span in ((0, 4), (5, 7), (8, 10))]
        clock = [
            _number(digits, start, start + 2) if start < length - 1 else np.zeros(len(at), np.int64)
            for start in (11, 14, 17)
        ]
        zoned = np.zeros(len(at), np.int64) if length in (17, 20) else None
        dates.put(at, _moment(*parts, *clock), DAY, zoned)
    return np.asarray(np.flatnonzero(~fits), dtype=np.int64)


def _number(digits: Ints, start: int, end: int) -> Ints:
    weights = 10 ** np.arange(end - start - 1, -1, -1)
    return np.asarray(digits[:, start:end] @ weights, dtype=np.int64)


def _form(
    form: str,
    values: pa.Array,
    rest: Ints,
    dates: Dates,
    order: str | None,
    where: tuple[str, str, Callable[[int], int]],
) -> Ints:
    """Read the values of one form; gives what is left."""
    text = values.take(pa.array(rest))
    found = pc.extract_regex(text, form)
    fits = found.is_valid().to_numpy(zero_copy_only=False)
    if not fits.any():
        return rest
    at = rest[fits]
    groups = found.filter(pa.array(fits))
    names = {group.name for group in groups.type}
    fields = {name: groups.field(name) for name in names}
    if "name" in names:
        month = _month_numbers(fields["name"])
    elif "a" in names:
        a, b = _ints(fields["a"]), _ints(fields["b"])
        first = _day_first(a, b, at, values, order, where)
        day, month = (a, b) if first else (b, a)
    else:
        month = _ints(fields["month"]) if "month" in names else np.ones(len(at), np.int64)
    if "a" not in names:
        day = _ints(fields["day"]) if "day" in names else np.ones(len(at), np.int64)
    precision = DAY if "day" in names or "a" in names else MONTH if "month" in names or "name" in names else YEAR
    offset = _offsets(fields["zone"]) if "zone" in names else None
    dates.put(at, _moment(_ints(fields["year"]), month, day, *_clock(fields, len(at))), precision, offset)
    return np.asarray(rest[~fits])


def _clock(fields: dict[str, pa.Array], count: int) -> tuple[Ints, ...]:
    if "hour" not in fields:
        return tuple(np.zeros(count, np.int64) for _ in range(4))
    hour, minute = _ints(fields["hour"]), _ints(fields["minute"])
    second = _ints(fields["second"])
    micro = np.zeros(count, np.int64)
    if "fraction" in fields:
        padded = pc.utf8_slice_codeunits(pc.utf8_rpad(fields["fraction"], 6, "0"), 0, 6)
        micro = _ints(padded)
        half = pc.utf8_lower(fields["half"]).to_numpy(zero_copy_only=False)
        twelve = (half == "a") | (half == "p")
        wrong = twelve & ((hour > 12) | (hour == 0))
        hour = np.where(twelve, hour % 12 + 12 * (half == "p"), hour)
        hour = np.where(wrong, 99, hour)
    return hour, minute, second, micro


def _day_first(
    a: Ints, b: Ints, at: Ints, values: pa.Array, order: str | None, where: tuple[str, str, Callable[[int], int]]
) -> bool:
    """Whether the day stands first: declared, or proved by a number above 12."""
    if order in ("dmy", "mdy"):
        return order == "dmy"
    file, column, row_of = where
    day_first = np.flatnonzero((a > 12) & (a <= 31) & (b >= 1) & (b <= 12))
    month_first = np.flatnonzero((b > 12) & (b <= 31) & (a >= 1) & (a <= 12))
    open_ = np.flatnonzero((a != b) & (a <= 12) & (b <= 12))
    if len(day_first) and len(month_first):
        one, two = int(at[day_first[0]]), int(at[month_first[0]])
        details = {"value": values[one].as_py(), "other": values[two].as_py(), "other_row": row_of(two)}
        raise SafercitiesError(problem("date-order-mixed", file=file, row=row_of(one), column=column, **details))
    if len(open_) and not len(day_first) and not len(month_first):
        one = min((int(at[i]) for i in open_), key=row_of)
        shown = values[one].as_py()
        raise SafercitiesError(problem("date-order-unknown", file=file, row=row_of(one), column=column, value=shown))
    return not len(month_first)


def _month_numbers(names: pa.Array) -> Ints:
    """Months by their names in English, Spanish, French and Portuguese; 0 for any other word."""
    encoded = names.dictionary_encode()
    numbers = [_MONTH_OF.get(_plain(name), 0) for name in encoded.dictionary.to_pylist()]
    return np.asarray(np.array(numbers, dtype=np.int64)[encoded.indices.to_numpy()])


def _plain(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(c))


def _offsets(zones: pa.Array) -> Ints:
    """Seconds east of UTC for `Z`, `UTC`, `+02`, `-0500`, `+05:30`; none where there is no such sign."""
    encoded = zones.dictionary_encode()
    seconds = [_offset(zone) for zone in encoded.dictionary.to_pylist()]
    return np.asarray(np.array(seconds, dtype=np.int64)[encoded.indices.to_numpy()])


def _offset(zone: str | None) -> int:
    if not zone:
        return _NO_OFFSET
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _ints(texts: pa.Array) -> Ints:
    """Digits as numbers, 0 for an empty group."""
    filled = pc.if_else(pc.equal(texts, ""), "0", texts)
    return np.asarray(filled.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


def _moment(year: Ints, month: Ints, day: Ints, hour: Ints, minute: Ints, second: Ints, micro: Ints | int = 0) -> Times:
    """Days and times that exist; NaT for those that do not (31 February, 25:00)."""
    good = (year >= 1) & (month >= 1) & (month <= 12)
    first = ((np.where(good, year, 1970) - 1970) * 12 + np.where(good, month, 1) - 1).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    good &= (day >= 1) & (day <= length) & (hour < 24) & (minute < 60) & (second < 60)
    clock = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    when = first.astype("datetime64[us]") + ((day - 1) * 86_400_000_000 + clock).astype("timedelta64[us]")
    return np.asarray(np.where(good, when, _NAT))


def _serials(values: pa.Array, rest: Ints, dates: Dates) -> Ints:
    found = pc.extract_regex(values.take(pa.array(rest)), _SERIAL)
    fits = found.is_valid().to_numpy(zero_copy_only=False)
    if not fits.any():
        return rest
    at = rest[fits]
    groups = found.filter(pa.array(fits))
    days = _ints(groups.field("serial"))
    part = pc.replace_substring(groups.field("part"), ",", ".")
    share = pc.if_else(pc.equal(part, ""), "0", part).cast(pa.float64()).to_numpy(zero_copy_only=False)
    seconds = days * 86_400 + np.rint(share * 86_400).astype(np.int64)
    dates.put(at, _SERIAL_ZERO + (seconds * 1_000_000).astype("timedelta64[us]"), DAY)
    dates.serial[at] = True
    return np.asarray(rest[~fits])
