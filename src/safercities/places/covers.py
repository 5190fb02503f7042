"""Which rows of a population add up to an asked group: exact ones, or parts that tile it without gap or overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

from safercities.model.dimensions import age_range
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import TOTAL, UNKNOWN

#: A closed last age group counts as open from this age on: hardly anybody is older than 99.
_OLDEST = 99

Cell = tuple[str, ...]


def cover(
    asked: Cell, names: Sequence[str], codes: Sequence[Sequence[str]], present: frozenset[Cell]
) -> list[Cell] | None:
    """The cells whose people together are the asked ones; None where the population cannot tell.

    Parameters
    ----------
    asked
        A code for each dimension; `_T` is everybody.
    names
        The dimensions.
    codes
        For each dimension, the codes that the source has anywhere: a total of parts needs all of them.
    present
        The cells that are there for the place and year.

    Examples
    --------
    >>> there = frozenset({("F", "Y0T14"), ("F", "Y_GE15"), ("M", "Y0T14"), ("M", "Y_GE15")})
    >>> cover(("F", "_T"), ["sex", "age"], [["F", "M"], ["Y0T14", "Y_GE15"]], there)
    [('F', 'Y0T14'), ('F', 'Y_GE15')]
    >>> cover(("F", "Y10T14"), ["sex", "age"], [["F", "M"], ["Y0T14", "Y_GE15"]], there) is None
    True
    """
    for chosen in product(*_choices(asked, names, codes, present)):
        cells = list(product(*chosen))
        if present.issuperset(cells):
            return cells
    return None


def parts_of(
    total: Cell, dimension: int, names: Sequence[str], codes: Sequence[Sequence[str]], present: frozenset[Cell]
) -> list[Cell] | None:
    """The parts that must add up to a total along one dimension; None where they are not all there."""
    for chosen in _options(TOTAL, names[dimension], tuple(codes[dimension]), _unknown(dimension, present)):
        cells = [(*total[:dimension], code, *total[dimension + 1 :]) for code in chosen if chosen != (TOTAL,)]
        if cells and present.issuperset(cells):
            return cells
    return None


def _choices(
    asked: Cell, names: Sequence[str], codes: Sequence[Sequence[str]], present: frozenset[Cell]
) -> Iterator[list[tuple[str, ...]]]:
    for index, (value, name, known) in enumerate(zip(asked, names, codes, strict=True)):
        yield _options(value, name, tuple(known), _unknown(index, present))


def _unknown(index: int, present: frozenset[Cell]) -> bool:
    """Whether some people are there of whom the characteristic is not known."""
    return any(cell[index] == UNKNOWN for cell in present)


@cache
def _options(asked: str, name: str, known: tuple[str, ...], unknown: bool) -> list[tuple[str, ...]]:
    """Sets of codes that together are the asked one, the best first. Never a total together with its parts."""
    if asked == UNKNOWN:
        return []
    found: list[tuple[str, ...]] = [(asked,)] if asked in known else []
    parts = [code for code in known if code not in (TOTAL, UNKNOWN)]
    rest = (UNKNOWN,) if asked == TOTAL and unknown else ()
    ranges = _ranges(parts)
    if ranges is not None and parts:
        found += [(*tiles, *rest) for widest in (True, False) if (tiles := _tiles(asked, ranges, widest))]
    elif asked == TOTAL and parts and not (name == "sex" and not {"F", "M"} <= set(parts)):
        found.append((*parts, *rest))
    return list(dict.fromkeys(found))


def _ranges(codes: Sequence[str]) -> dict[str, tuple[int, int | None]] | None:
    """Age groups with their first and last age; None where the codes are no ages."""
    try:
        return {code: age_range(code) for code in codes}
    except SafercitiesError:
        return None


def _tiles(asked: str, ranges: dict[str, tuple[int, int | None]], widest: bool) -> tuple[str, ...] | None:
    """Age groups that cover an asked one exactly once; those that reach furthest first, or last."""
    try:
        low, high = age_range(asked)
    except SafercitiesError:
        return None
    top = 10_000 if high is None else high
    steps = sorted(
        ((first, top if last is None and high is None else (20_000 if last is None else last), code)
         for code, (first, last) in ranges.items()),
        key=lambda step: (-step[1] if widest else step[1], step[2]),
    )  # fmt: skip

    @cache
    def onward(age: int) -> tuple[str, ...] | None:
        if age > top:
            return ()
        for first, last, code in steps:
            if first == age and last <= top and (rest := onward(last + 1)) is not None:
                return (code, *rest)
        return () if high is None and age > _OLDEST else None

    return onward(low)
