"""What indicators tell of each other, domain by domain: who is in the one is surely in the other as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.disclose.survey_groups import Definitions, Series
from safercities.disclose.survey_leaves import Key
from safercities.disclose.survey_rows import Domain
from safercities.disclose.survey_ties import tied

Integers = NDArray[np.int64]
#: Quantity (0 cases, 1 others, 2 respondents) and position of the inner domain, then of the outer one.
Inside = tuple[int, int, int, int]
_AT = {"x": 0, "y": 1, "n": 2}


def insides(domains: Sequence[Domain], n: Integers, definition: Definitions) -> list[Inside]:
    """Which cases, others or respondents of domains with the same codes are surely among those of another indicator.

    So it is with indicators of one wave, as their definitions say (`survey_ties`); and with the respondents of waves of
    one indicator that asked equally many. These may be the same people, as in a panel; then they are as many in each
    domain where they are so in truth.

    Parameters
    ----------
    n
        Respondents of each domain.
    """
    of: dict[Series, dict[Key, int]] = {}
    for at, one in enumerate(domains):
        of.setdefault(one.series, {})[one.key] = at
    most = {series: max(n[list(keys.values())].tolist()) for series, keys in of.items()}
    found: list[Inside] = []
    for mine, its in of.items():
        for other, theirs in of.items():
            if mine[0] != other[0] or mine == other:
                continue
            both = [(at, theirs[key]) for key, at in its.items() if key in theirs]
            for a, b in _pairs(mine, other, definition):
                found += [(_AT[a], i, _AT[b], j) for i, j in both]
            if mine[2:] == other[2:] and most[mine] == most[other]:
                found += [(2, i, 2, j) for i, j in both if n[i] == n[j]]
    return found


def _pairs(one: Series, other: Series, definition: Definitions) -> Iterator[tuple[str, str]]:
    if one[1] == other[1]:
        yield from ((a, b) for i, a, _, b in tied([definition(one), definition(other)]) if i == 0)


def narrowed(low: Integers, high: Integers, inside: Sequence[Inside]) -> tuple[Integers, Integers]:
    """Limits of cases, others and respondents, each (3, domains), where what lies in another one is no more than it.

    Examples
    --------
    >>> low, high = np.array([[3, 8], [0, 0], [40, 40]]), np.array([[20, 12], [50, 50], [50, 50]])
    >>> low, high = narrowed(low, high, [(0, 0, 0, 1)])
    >>> low[0].tolist(), high[0].tolist()
    ([3, 8], [12, 12])
    """
    low, high = low.copy(), high.copy()
    changed = True
    while changed:
        changed = False
        for a, i, b, j in inside:
            if low[b, j] < low[a, i] or high[a, i] > high[b, j]:
                low[b, j], high[a, i] = max(low[b, j], low[a, i]), min(high[a, i], high[b, j])
                changed = True
        floor, roof = np.maximum(low[2], low[0] + low[1]), np.minimum(high[2], high[0] + high[1])
        changed |= bool((floor > low[2]).any() or (roof < high[2]).any())
        low[2], high[2] = floor, roof
    return low, high
