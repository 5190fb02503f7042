"""Which domains of a survey are shown: the most wanted first, as long as everything protected stays so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from safercities.disclose.survey_leaves import Key
from safercities.model.dimensions import TOTAL

T = TypeVar("T")


def breadth(key: Key, top: str) -> int:
    """By how many things a domain is broken down; a place other than the whole one counts as one.

    Examples
    --------
    >>> [breadth(key, "A") for key in (("A", "_T"), ("A", "F"), ("A1", "_T"), ("A1", "F"))]
    [0, 1, 1, 2]
    """
    return (key[0] != top) + sum(code != TOTAL for code in key[1:])


def first_that_fit(wanted: Sequence[T], fits: Callable[[Sequence[T], bool], bool]) -> list[T]:
    """Of what is wanted, in this order, each that fits together with those taken before it.

    Many are tried at once, and by halves where they do not fit. With `n` that do not fit it takes about `n · log₂` of
    the number of all questions.

    Parameters
    ----------
    wanted
        The most wanted first.
    fits
        Whether these may be shown together; the second argument says whether it is worth any effort to find out,
        because one would be dropped for it.

    Examples
    --------
    >>> first_that_fit([5, 3, 4, 1], lambda some, last: sum(some) <= 9)
    [5, 3, 1]
    """
    taken: list[T] = []
    at, step = 0, len(wanted)
    while at < len(wanted):
        batch = list(wanted[at : at + step])
        if fits([*taken, *batch], len(batch) == 1):
            taken += batch
            at, step = at + len(batch), 2 * step
        elif len(batch) == 1:
            at += 1
        else:
            step = len(batch) // 2
    return taken
