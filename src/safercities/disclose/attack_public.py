"""What an attacker starts from, and what comes of it: releases as the public has them, true numbers, openings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from safercities.disclose.attack_acts import Definitions
from safercities.disclose.attack_space import Cell
from safercities.disclose.audit import Fact
from safercities.disclose.suppress import default_width
from safercities.model.dimensions import UNKNOWN
from safercities.model.estimates import Estimates
from safercities.model.places import Place

#: Least count, where the rules of a release do not say it.
MINIMUM = 5


@dataclass(frozen=True)
class Published:
    """A release as the public has it.

    Parameters
    ----------
    name
        For people: of its folder.
    estimates
        Its rows.
    rules
        What it says of how it was protected: method, minimum_count, width, attributes, sensitive, sensitive_count.
    places
        With their levels and parents.
    place
        What the observatory is of.
    labels
        Column → code → label.
    people
        Populations that it tells: (place, period, people).
    definitions
        What its indicators count, as far as that is known.
    """

    name: str
    estimates: Estimates
    rules: Mapping[str, Any]
    places: Sequence[Place]
    place: str
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    people: Sequence[tuple[str, str, float]] = ()
    definitions: Definitions = field(default_factory=dict)

    @property
    def rounded(self) -> bool:
        """Whether small counts were rounded."""
        return self.rules.get("method") == "rounding"

    @property
    def same_cases(self) -> list[tuple[list[str], list[str]]]:
        """Sources that hold the same cases, and in which periods, as far as the rules say it."""
        given = self.rules.get("same_cases")
        listed = given if isinstance(given, list) else []
        found = [(one.get("sources"), one.get("periods")) for one in listed if isinstance(one, Mapping)]
        return [
            (list(map(str, names)), list(map(str, periods)))
            for names, periods in found
            if isinstance(names, list) and isinstance(periods, list) and names
        ]

    def minimum(self, indicator: str, names: Iterable[str]) -> int:
        """Least count k of a table, as far as the rules say it."""
        given = self.rules.get("minimum_count", self.rules.get("minimum", MINIMUM))
        if isinstance(given, Mapping):
            numbers = [int(one) for one in given.values()]
            given = given.get(indicator, min(numbers, default=MINIMUM))
        sensitive = set(names) & set(self.rules.get("sensitive", ())) or (
            indicator in self.rules.get("sensitive_indicators", ())
        )
        return max(int(given), int(self.rules.get("sensitive_count", 0)) if sensitive else 1)

    def width(self, minimum: int, wanted: int | None = None) -> int:
        """How many further values must be possible: as wanted, else as the rules say, else half of the least count."""
        given = self.rules.get("width") if wanted is None else wanted
        if isinstance(given, int) and given >= 1:
            return given
        return int(default_width(np.array([minimum]))[0])

    def label(self, indicator: str, cell: Cell) -> str:
        """What people call a cell: “Robbery, Female, Centro, 2024”."""
        said, place = self.labels, cell.place
        names = {each.id: each.name for each in self.places}
        codes = [
            said.get(name, {}).get(code, f"{name} not known" if code == UNKNOWN else code) for name, code in cell.codes
        ]
        lost = f"no {place.partition('.')[2]} known" if place.startswith(f"{UNKNOWN}.") else place
        return ", ".join(
            [said.get("indicator", {}).get(indicator, indicator), *codes, names.get(place, lost), cell.period]
        )


@dataclass(frozen=True)
class Outside:
    """A true number that somebody knows who is no reader of the release only."""

    indicator: str
    source: str
    cell: Cell
    n: int


@dataclass(frozen=True)
class Opening:
    """Something that can be deduced.

    Parameters
    ----------
    kind
        small: a number that should not have been shown; withheld: a withheld one can be worked out; derived: one that
        was not published at all; rounded: one that shows that a count was not rounded; group: all cases of a group
        have one attribute; late: a change between two releases that only a few cases can have made; true: a true count
        behind rounded ones; survey: respondents or cases of a domain.
    what
        The cell, for people.
    lower, upper
        Between which limits it lies.
    width
        How many further values should have been possible.
    facts
        What it follows from, and how often each number is added or taken away.
    """

    kind: str
    what: str
    lower: int
    upper: int
    width: int
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Report:
    """What an attacker found.

    Parameters
    ----------
    openings
        What can be deduced; empty: nothing.
    checked
        How many cells were tried.
    facts
        How many facts were used.
    narrowest
        How many further values the narrowest hidden cell keeps at least; None where none is hidden.
    notes
        What was taken for granted, and what was not looked at.
    uniform
        Groups of which all cases that are shown have one attribute, where small counts were rounded: nobody can be
        certain that there are no others, as 0 is shown for few, but there can be no more than `upper`.
    """

    openings: tuple[Opening, ...]
    checked: int
    facts: int
    narrowest: int | None = None
    notes: tuple[str, ...] = ()
    uniform: tuple[Opening, ...] = ()
