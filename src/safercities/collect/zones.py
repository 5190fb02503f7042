"""Time zones: instants in UTC as the wall clock of a place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from safercities.model.errors import SafercitiesError, problem

Times = np.ndarray[Any, np.dtype[np.datetime64]]


def zone_of(name: str, file: str) -> ZoneInfo:
    """The time zone of that name.

    Raises
    ------
    SafercitiesError
        If there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SafercitiesError(problem("timezone-unknown", file=file, column="timezone", timezone=name)) from None


def from_utc(when: Times, zone: ZoneInfo) -> Times:
    """Instants in UTC as the wall clock of a zone. Each instant has one: no hour is ambiguous in this direction.

    Examples
    --------
    >>> from_utc(np.array(["2019-01-01T03:00"], "datetime64[us]"), ZoneInfo("America/Bogota")).astype(str).tolist()
    ['2018-12-31T22:00:00.000000']
    """
    known = when[~np.isnat(when)]
    if not len(known):
        return when
    starts, offsets = _transitions(known.min(), known.max(), zone)
    at = np.searchsorted(starts, when.astype("datetime64[s]"), side="right") - 1
    return when + offsets[np.clip(at, 0, None)]


def _transitions(first: Any, last: Any, zone: ZoneInfo) -> tuple[Times, np.ndarray[Any, np.dtype[np.timedelta64]]]:
    """Instants at which the zone's offset changes: looked for day by day, then to the second."""
    days = np.arange(first.astype("datetime64[D]") - 1, last.astype("datetime64[D]") + 2)
    stamps = days.astype("datetime64[s]").astype(np.int64)
    offsets = [_utc_offset(int(stamp), zone) for stamp in stamps]
    starts, values = [int(stamps[0])], [offsets[0]]
    for low, high, before, after in zip(stamps[:-1], stamps[1:], offsets[:-1], offsets[1:], strict=True):
        if before != after:
            starts.append(_change(int(low), int(high), before, zone))
            values.append(after)
    return np.array(starts).astype("datetime64[s]"), np.array(values).astype("timedelta64[s]").astype("timedelta64[us]")


def _change(low: int, high: int, before: int, zone: ZoneInfo) -> int:
    """First second with another offset than `before`, between two instants."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _utc_offset(middle, zone) == before else (low, middle)
    return high


def _utc_offset(stamp: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(stamp, UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
