"""Quality flags as bits while they are computed, words in the table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safercities.model import quality

Bits = NDArray[np.int64]

BIT: dict[str, int] = {flag: 1 << position for position, flag in enumerate(quality.FLAGS)}


def bits(fields: Sequence[str]) -> Bits:
    """Quality fields as sums of bits."""
    known = {field: sum(BIT[flag] for flag in field.split()) for field in set(fields)}
    return np.array([known[field] for field in fields], dtype=np.int64)


def words(flags: Bits) -> list[str]:
    """Sums of bits as quality fields.

    Examples
    --------
    >>> words(bits(["few_cases", "", "partial_period few_cases"]))
    ['few_cases', '', 'few_cases partial_period']
    """
    known = {int(f): quality.join(*(flag for flag, bit in BIT.items() if f & bit)) for f in np.unique(flags)}
    return [known[f] for f in flags.tolist()]
