"""World standard populations (WHO 2000–2025, Segi), put together to the age groups of a source."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from safercities.model.dimensions import age_range
from safercities.model.errors import SafercitiesError, UsageError, problem


@dataclass(frozen=True)
class Standard:
    """A standard population: people of 100 000 from each lower edge on; the last group is open."""

    code: str
    label: str
    source: str
    edges: tuple[int, ...]
    people: tuple[float, ...]


@cache
def standards() -> dict[str, Standard]:
    """The standard populations by code.

    Examples
    --------
    >>> {code: round(sum(one.people)) for code, one in standards().items()}
    {'who': 100000, 'segi': 100000}
    """
    text = files(__package__).joinpath("standards.toml").read_text(encoding="utf-8")
    made = {}
    for code, entry in tomllib.loads(text).items():
        people = {int(edge): float(count) for edge, count in entry["people"].items()}
        made[code] = Standard(code, entry["label"], entry["source"], tuple(people), tuple(people.values()))
    return made


def standard_population(code: str) -> Standard:
    """One standard population.

    Raises
    ------
    UsageError
        If there is none of that code.
    """
    try:
        return standards()[code]
    except KeyError:
        raise UsageError(problem("standard-unknown", given=code, known=", ".join(standards()))) from None


def weights(code: str, ages: Sequence[str]) -> NDArray[np.float64]:
    """People of the standard population in each age group.

    Parameters
    ----------
    code
        `who` or `segi`.
    ages
        SDMX age codes, as Y0T14: together all ages, each once, cut where the standard's five-year groups are cut.

    Raises
    ------
    SafercitiesError
        If the groups leave a gap, overlap, or cut through a group of the standard.

    Examples
    --------
    >>> weights("segi", ["Y0T14", "Y15T34", "Y_GE35"]).tolist()
    [31000.0, 31000.0, 38000.0]
    """
    standard = standard_population(code)
    ranges = [age_range(age) for age in ages]
    order = sorted(range(len(ranges)), key=lambda position: ranges[position][0])
    expected = 0
    for position in order:
        low, high = ranges[position]
        last = position == order[-1]
        if low != expected or low not in standard.edges or (high is None) != last:
            raise SafercitiesError(problem("standard-not-nested", ages=", ".join(ages), standard=standard.label))
        expected = -1 if high is None else high + 1
    if not order or expected != -1:
        raise SafercitiesError(problem("standard-not-nested", ages=", ".join(ages), standard=standard.label))
    edges = np.array(standard.edges)
    starts = np.array([low for low, _ in ranges])
    group = np.searchsorted(np.sort(starts), edges, side="right") - 1
    sums = np.bincount(group, weights=np.array(standard.people), minlength=len(ranges))
    return np.asarray(sums[np.argsort(np.argsort(starts))])
