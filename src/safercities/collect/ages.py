"""Ages as files write them (7, 15-24, 80+, "85 and over", Y15T24) as SDMX age codes, in the bins that are declared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from safercities.model.dimensions import TOTAL, age_code, age_codes, age_range
from safercities.model.errors import SafercitiesError

#: Highest age that is believed.
OLDEST = 120

_UNITS = r"(?:\s*(?:years?(?: old)?|yrs?|anos?|años?|ans?|anos de edad))?"
_CLOSED = re.compile(rf"(?:from |de |entre )?(\d{{1,3}})\s*(?:-|–|—|to|a|à|y|bis|through)\s*(\d{{1,3}}){_UNITS}")
_OPEN = re.compile(
    rf"(\d{{1,3}})(?:\s*\+|{_UNITS}\s*(?:and|or|y|o|et|ou|e)\s+(?:over|older|above|more|más|mas|mayores?|plus|mais))"
)
_ABOVE = re.compile(r"(?:>=|≥)\s*(\d{1,3})|>\s*(\d{1,3})")
_BELOW = re.compile(r"(?:<|under|below|less than|menos de|menor de|moins de|menores de)\s*(\d{1,3})" + _UNITS)
_SINGLE = re.compile(r"(\d{1,3})(?:[.,]\d+)?" + _UNITS)

Range = tuple[int, int | None]


def read_age(text: str) -> Range | None:
    """Lowest and highest age that a text means (both included, None is open), or None if it is no age.

    Examples
    --------
    >>> read_age("15-24"), read_age("85 and over"), read_age("<1"), read_age("7"), read_age("7.5"), read_age("-1")
    ((15, 24), (85, None), (0, 0), (7, 7), (7, 7), None)
    """
    plain = text.strip().casefold()
    for pattern, meaning in _PATTERNS:
        match = pattern.fullmatch(plain)
        if match:
            return _sensible(meaning([int(group) for group in match.groups() if group is not None], match))
    try:
        return None if text in (TOTAL, "_U") else _sensible(age_range(text))
    except SafercitiesError:
        return None


def _above(numbers: list[int], match: re.Match[str]) -> Range:
    return numbers[0] + (match[2] is not None), None


_PATTERNS = (
    (_SINGLE, lambda numbers, _: (numbers[0], numbers[0])),
    (_CLOSED, lambda numbers, _: (numbers[0], numbers[1])),
    (_OPEN, lambda numbers, _: (numbers[0], None)),
    (_ABOVE, _above),
    (_BELOW, lambda numbers, _: (0, numbers[0] - 1)),
)


def _sensible(ages: Range) -> Range | None:
    low, high = ages
    return ages if 0 <= low <= OLDEST and (high is None or low <= high) else None


def age_group(ages: Range, bins: Sequence[int] | None) -> str | None:
    """Code of an age or group of ages; with bins, of the bin that it wholly lies in, or None if it lies in none.

    Examples
    --------
    >>> age_group((17, 17), [0, 15, 25]), age_group((20, 29), [0, 15, 25]), age_group((80, None), None)
    ('Y15T24', None, 'Y_GE80')
    """
    low, high = ages
    if bins is None:
        return age_code(low, high)
    for code in age_codes(bins):
        first, last = age_range(code)
        if first <= low and (last is None or (high is not None and high <= last)):
            return code
    return None


def number_group(number: float, bins: Sequence[int]) -> str | None:
    """Code of the bin that a number other than an age falls in: `0-14`, `15-24`, `25+`; None below the first.

    Examples
    --------
    >>> number_group(24.5, [0, 15, 25]), number_group(-1, [0, 15])
    ('15-24', None)
    """
    below = [at for at, edge in enumerate(bins) if edge <= number]
    return bin_codes(bins)[below[-1]] if below else None


def bin_codes(bins: Sequence[int]) -> list[str]:
    """Codes of the groups of numbers other than ages.

    Examples
    --------
    >>> bin_codes([0, 1, 5])
    ['0', '1-4', '5+']
    """
    closed = [str(low) if high - low == 1 else f"{low}-{high - 1}" for low, high in pairwise(bins)]
    return [*closed, f"{bins[-1]}+"]
