"""Sums of fractions that are exact, so that they do not depend on the order of adding, nor on the engine.

Floating sums differ in their last digits from engine to engine, and from run to run where many processors add. Here
each term is cut into digits to a base of 2^bits, which are whole numbers; engines add these without rounding, in 64
bits. All that is done to a term is multiplying by powers of two, rounding down and taking what is left: exact in IEEE
arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safercities.engine.sql import in_order, quote

#: Sums of digits stay below 2^62, digits below 2^50: both fit where they go, a 64-bit integer and a double.
SUM_BITS, DIGIT_BITS = 62, 50
DIGITS = 4


@dataclass(frozen=True)
class Digits:
    """How a term is cut: its size times 2^exponent lies below 2^bits; digits after the first are below 2^bits too.

    Parameters
    ----------
    exponent, bits, count
        As said; `count` digits are taken.
    signed
        Whether terms may be below 0.
    """

    exponent: int
    bits: int
    count: int
    signed: bool = False


def digits(largest: float, lowest: int, rows: int, *, signed: bool = False, at_most: int | None = None) -> Digits:
    """The digits that hold each of some terms to the last bit.

    Parameters
    ----------
    largest
        No term is larger in size.
    lowest
        Every term is a multiple of 2^lowest.
    rows
        No sum has more terms.
    at_most
        So many digits must do, even if the last bits of small terms are cut (the same ones by every engine).

    Raises
    ------
    ValueError
        If that takes more than four digits: the terms are too far apart.

    Examples
    --------
    >>> digits(1000.0, 0, rows=1_000_000)
    Digits(exponent=32, bits=42, count=1, signed=False)
    >>> digits(1000.0, -50, rows=1_000_000).count
    2
    """
    bits = min(DIGIT_BITS, SUM_BITS - max(rows, 1).bit_length())
    top = math.frexp(largest)[1] if largest > 0 else 0
    count = max(1, -((lowest - top) // bits))
    if at_most is not None:
        count = min(count, at_most)
    if count > DIGITS or not -900 < bits - top < 900:
        raise ValueError("terms too far apart")
    return Digits(bits - top, bits, count, signed)


def lowest_bit(smallest: float, whole: bool) -> int:
    """The power of two of which every number of this size or above is a multiple.

    Examples
    --------
    >>> lowest_bit(1.5, whole=False), lowest_bit(3.0, whole=True)
    (-52, 0)
    """
    return 0 if whole or smallest <= 0 else math.frexp(smallest)[1] - 53


@dataclass(frozen=True)
class Sum:
    """A sum to make: of a term, or of rows, over the rows that meet a condition (SQL over the given values)."""

    term: str | None = None
    where: str | None = None


def exact_text(
    source: str,
    keys: Mapping[str, str],
    values: Mapping[str, str],
    terms: Mapping[str, tuple[str, Digits]],
    sums: Mapping[str, Sum],
    where: str,
) -> str:
    """Exact sums by keys, in the order of the keys.

    Parameters
    ----------
    source
        Name of what is read.
    keys, values
        Name → SQL over the source's columns; names without quotes in them, each once.
    terms
        Name → SQL over the values' names, and how its terms are cut; a missing term adds nothing.
    sums
        Name → what is added up. A sum of a term has a column a digit: name_0, name_1 …
    where
        SQL over the source's columns.

    Returns
    -------
    str
        SQL that gives the keys, then 64-bit integers.
    """
    first = [f"{text} AS {quote(name)}" for name, text in {**keys, **values}.items()]
    inner = f"SELECT {', '.join(first) or '1 AS one'} FROM {quote(source)} WHERE {where}"
    used = {one.term: terms[one.term] for one in sums.values() if one.term is not None}
    for digit in range(-1, max((how.count for _, how in used.values()), default=0)):
        steps = [step for name, (text, how) in used.items() for step in _step(name, text, how, digit)]
        inner = f"SELECT *, {', '.join(steps)} FROM ({inner})" if steps else inner
    added = [text for name, one in sums.items() for text in _added(name, one, used)]
    columns = [quote(name) for name in keys]
    text = f"SELECT {', '.join([*columns, *added])} FROM ({inner})"
    return f"{text} GROUP BY {', '.join(columns)} ORDER BY {in_order(list(keys))}" if keys else text


def _step(name: str, text: str, how: Digits, digit: int) -> list[str]:
    """What one layer of the text adds for a term: its size at first; then a digit and what is left below it."""
    if digit == -1:
        sizes = [f"ABS({text}) * {power_of_two(how.exponent)} AS {quote(f'{name}_left_0')}"]
        return [*sizes, f"{text} < 0 AS {quote(f'{name}_below')}"] if how.signed else sizes
    if digit >= how.count:
        return []
    left = quote(f"{name}_left_{digit}")
    whole = f"CAST(FLOOR({left}) AS BIGINT)"
    if how.signed:
        whole = f"CASE WHEN {quote(f'{name}_below')} THEN -{whole} ELSE {whole} END"
    steps = [f"{whole} AS {quote(f'{name}_{digit}')}"]
    if digit + 1 < how.count:
        steps.append(f"({left} - FLOOR({left})) * {power_of_two(how.bits)} AS {quote(f'{name}_left_{digit + 1}')}")
    return steps


def _added(name: str, one: Sum, terms: Mapping[str, tuple[str, Digits]]) -> list[str]:
    if one.term is None:
        return [f"COUNT({'*' if one.where is None else f'CASE WHEN {one.where} THEN 1 END'}) AS {quote(name)}"]
    found = []
    for digit in range(terms[one.term][1].count):
        term = quote(f"{one.term}_{digit}")
        chosen = term if one.where is None else f"CASE WHEN {one.where} THEN {term} END"
        found.append(f"CAST(COALESCE(SUM({chosen}), 0) AS BIGINT) AS {quote(f'{name}_{digit}')}")
    return found


def power_of_two(exponent: int) -> str:
    """A power of two as a literal that every engine reads as this very double.

    Examples
    --------
    >>> power_of_two(10), power_of_two(-1)
    ('1.024E3', '5E-1')
    """
    mantissa, _, power = f"{2.0**exponent:.17e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(power)}"


def joined(parts: Sequence[NDArray[np.int64]], how: Digits) -> NDArray[np.float64]:
    """Sums from the sums of their digits; the error is below that of two roundings.

    Examples
    --------
    >>> joined([np.array([3]), np.array([-1])], Digits(0, 50, 2)).tolist() == [3 - 2.0**-50]
    True
    """
    given = [np.asarray(part, dtype=np.int64) for part in parts]
    below = _carried(given, how.bits)[0] < 0
    whole = _carried([np.where(below, -part, part) for part in given], how.bits)
    total = np.zeros(len(below))
    for digit in range(len(whole) - 1, -1, -1):
        total += np.ldexp(whole[digit].astype(np.float64), -how.exponent - digit * how.bits)
    return np.where(below, -total, total)


def _carried(parts: Sequence[NDArray[np.int64]], bits: int) -> list[NDArray[np.int64]]:
    """The same number with all digits but the first between 0 and 2^bits − 1."""
    carry, found = np.zeros_like(parts[0]), []
    for part in reversed(parts[1:]):
        found.append((part + carry) & ((1 << bits) - 1))
        carry = (part + carry) >> bits
    return [parts[0] + carry, *reversed(found)]
