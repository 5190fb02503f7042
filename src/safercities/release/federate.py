"""A larger place from what its members published, and from nothing else: means, rates, random-effects summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.measure.members import COUNTED
from safercities.measure.pooling import bases, standardised, summaries
from safercities.measure.rewrite import replaced
from safercities.measure.upward import AVERAGED, GATE, aggregate, trend
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import TOTAL, Estimates
from safercities.model.periods import Period
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy
from safercities.release.content import Content, Series
from safercities.release.member import METHOD, Member
from safercities.release.told import listed, rule_of, told

#: The people of another period of a member are used where it lies no further away, in days.
CARRIED = 5 * 366


class People(Protocol):
    """Who lives where: `places.population.Population`."""

    def denominators(
        self, place: Sequence[str], period: Sequence[str], dims: Mapping[str, Sequence[str]]
    ) -> tuple[NDArray[np.float64], list[str]]:
        """Person-years and quality flags of each asked place, period and group."""


@dataclass(frozen=True)
class Federation:
    """What is known of a larger place from its members' releases.

    Parameters
    ----------
    place, tree
        The larger place, and all places.
    members
        What the numbers come from.
    estimates
        Of the place itself; all may be published as they are: they are made of published numbers only.
    published
        The members' own rows as they were published, withheld ones as withheld; `source` is the kind.
    denominators
        (place, period, people): the people of all members, for the place's own release.
    problems
        What a reader should know: late members, rules and definitions that differ, people that nobody told.
    """

    place: Place
    tree: Hierarchy
    members: tuple[Member, ...]
    estimates: Estimates
    published: Estimates
    denominators: tuple[tuple[str, str, float], ...]
    problems: tuple[Problem, ...] = field(default=())

    @property
    def vintages(self) -> list[dict[str, Any]]:
        """Every release that was used: which, of when, when it was got, as plain values."""
        return [one.as_json() for member in self.members for one in member.vintages]

    def content(
        self,
        *,
        name: str,
        languages: Sequence[str],
        published: date,
        version: str,
        synthetic: bool = False,
        supersedes: str | None = None,
        reason: str | None = None,
    ) -> Content:
        """What a release of the larger place says. It needs no further protection: see `Federation.estimates`.

        Raises
        ------
        SafercitiesError
            If the members published nothing.
        """
        from safercities.indicators.catalogue import indicator

        rows = Estimates.concat([self.estimates, self.published]).sort()
        if not len(rows):
            raise SafercitiesError(problem("federation-empty"))
        table = rows.table
        used = {one: sorted(set(table.column(one).to_pylist())) for one in ("indicator", "place", "period", "source")}
        ids = {self.place.id, *used["place"]}
        return Content(
            name=name,
            place=self.place,
            languages=tuple(languages),
            synthetic=synthetic or any(member.synthetic for member in self.members),
            period=max(used["period"], key=lambda one: (Period.parse(one).end, one)),
            estimates=rows,
            indicators={code: indicator(code) for code in used["indicator"]},
            places=tuple(_within(one, self.place) for one in self.tree.places if one.id in ids),
            dimensions={one: _codes(table, one) for one in rows.dimensions},
            series=tuple(self._series(kind) for kind in used["source"]),
            rules={"method": METHOD, "releases": self.vintages, "under": _rules(table)},
            denominators=self.denominators,
            published=published,
            version=version,
            supersedes=supersedes,
            reason=reason,
        )

    def _series(self, kind: str) -> Series:
        names = [one.place.name for one in self.members if kind in one.labels]
        labels = dict.fromkeys(one.labels[kind] for one in self.members if kind in one.labels)
        label = next(iter(labels)) if len(labels) == 1 else kind
        return Series(kind, label, "release", None, None, f"members that publish it: {listed(names)}")


def _within(place: Place, top: Place) -> Place:
    """A member as the release shows it: right under the larger place."""
    return top if place.id == top.id else replace(place, parent=top.id, geometry=None)


def _codes(table: pa.Table, name: str) -> tuple[tuple[str, str], ...]:
    from safercities.model.dimensions import dimension

    codes = dimension(name).codes
    labels = codes.labels if codes else {}
    used = sorted({TOTAL, *table.column(name).to_pylist()})
    return tuple((code, labels.get(code, "Total" if code == TOTAL else code)) for code in used)


def _rules(table: pa.Table) -> list[str]:
    return sorted({rule for rule in map(rule_of, table.column("method").to_pylist()) if rule})


def federate(
    members: Sequence[Member],
    place: Place,
    *,
    tree: Hierarchy | None = None,
    population: People | None = None,
    gate: float = GATE,
    standard: str | None = None,
    level: float = 0.95,
) -> Federation:
    """Put together what members published: only by post-processing, so that nothing withheld can come back.

    For each series of one indicator, definition, period, breakdown, unit, method, kind of source and rules: the
    denominator-weighted mean or the sum, with coverage and gate (`upward.aggregate`); over time with the same members
    (`trend`); age-standardised from published rates by age; and what members are like on average (`summaries`). A
    number that a member withheld counts as one that is not there.

    Parameters
    ----------
    members
        See `member.read_members`.
    place
        The larger place.
    tree
        Places of the observatory. Members that are not in it are put under `place`; others there of the members' level
        count as members without data.
    population
        Who lives where, by the observatory's own sources; default: what the members published of it.
    gate
        Least share of the people, 0 to 1.
    standard
        `who` or `segi`: adds age-standardised rates.
    level
        Confidence level of the summaries; other intervals keep that of the members'.

    Raises
    ------
    SafercitiesError
        If the members are of several levels.
    """
    found: list[Problem] = [each for one in members for each in one.problems]
    whole, of = _tree(members, place, tree)
    members = [_defined(one, found) for one in members]
    rows = Estimates.concat([_in_units(one, found) for one in members])
    people = _People(members, population)
    everybody = [one.id for one in whole.descend(place.id, of)] if of else []
    table, usable = bases(rows, everybody, people, own=over_some(rows))
    found += told(members, rows, usable, people, everybody)
    good = Estimates(rows.table.filter(pa.array(usable, pa.bool_())))
    made = _made(good, whole, table, place.level, of, gate, standard, level) if len(good) else Estimates.empty()
    periods = sorted(set(made.table.column("period").to_pylist()))
    known = [(place.id, one, sum(people(member, one) for member in everybody)) for one in periods]
    found += people.problems
    return Federation(
        place,
        whole,
        tuple(members),
        _free(_carried(made, people)),
        Estimates.concat([one.published for one in members]),
        tuple(one for one in known if np.isfinite(one[2])),
        tuple(dict.fromkeys(found)),
    )


def _made(
    rows: Estimates,
    tree: Hierarchy,
    table: pa.Table,
    level: str,
    of: str,
    gate: float,
    standard: str | None,
    confidence: float,
) -> Estimates:
    mean = aggregate(rows, tree, table, level, of=of, gate=gate)
    parts = [mean, summaries(rows, tree, table, level, of=of, gate=gate, confidence=confidence)]
    if len(set(rows.table.column("period").to_pylist())) > 1:
        parts.append(trend(rows, tree, table, level, of=of, gate=gate))
    if standard is not None:
        parts.append(standardised(mean, standard))
    return Estimates.concat(parts).sort()


def _tree(members: Sequence[Member], place: Place, tree: Hierarchy | None) -> tuple[Hierarchy, str]:
    """All places, and the level of the members."""
    levels = list(dict.fromkeys(one.place.level for one in members if one.vintages or tree is None))
    if len(levels) > 1:
        raise SafercitiesError(problem("federation-levels", levels=", ".join(levels)))
    own = {one.id: one for one in (tree.places if tree else (place,))}
    own.setdefault(place.id, place)
    for one in members:
        known = own.get(one.place.id)
        if known is not None and one.vintages and known.level != one.place.level:
            raise SafercitiesError(problem("federation-levels", levels=f"{known.level}, {one.place.level}"))
        own.setdefault(one.place.id, replace(one.place, parent=place.id))
    if tree is not None and all(one.place.id in tree for one in members) and place.id in tree:
        return tree, (levels or [""])[0]  # with all forms of its places
    return Hierarchy(own.values()), (levels or [""])[0]


def _defined(member: Member, found: list[Problem]) -> Member:
    """The member without indicators of which this catalogue has no definition: nothing could say what they mean."""
    from safercities.indicators.catalogue import catalogue

    codes = set(member.published.table.column("indicator").to_pylist())
    if not (unknown := sorted(codes - catalogue().keys())):
        return member
    for code in unknown:
        rows, where = len(member.published.where(indicator=code)), f"sources.{member.name}"
        found.append(problem("federation-indicator", column=where, rows=rows, source=member.name, indicator=code))
    known = sorted(codes - set(unknown))
    kept = {name: getattr(member, name).where(indicator=known) for name in ("published", "rows")}
    return replace(member, **kept)


def _in_units(member: Member, found: list[Problem]) -> Estimates:
    """The rows whose unit adds up or is averaged; of others nobody knows what they would be together."""
    units = member.rows.table.column("unit").to_pylist()
    fits = [unit in COUNTED or str(unit).startswith(AVERAGED) for unit in units]
    left = member.rows.table.filter(pa.array([not one for one in fits], pa.bool_()))
    for row in left.group_by(["indicator", "unit"]).aggregate([]).to_pylist():
        where, unit = f"sources.{member.name}", str(row["unit"])
        made = problem("federation-units", column=where, indicator=row["indicator"], unit=unit, source=member.name)
        found.append(made)
    return Estimates(member.rows.table.filter(pa.array(fits, pa.bool_())))


def over_some(rows: Estimates) -> set[str]:
    """Indicators whose value is over some of the people only: victims, women, those who used a service.

    Examples
    --------
    >>> codes = ["sdg.16.1.1", "sdg.16.1.4", "surveyed.theft.reported", "not.ours"]
    >>> rows = [{"indicator": one, "place": "p", "period": "2020", "value": 1.0} for one in codes]
    >>> sorted(over_some(Estimates.from_rows(rows)))
    ['not.ours', 'surveyed.theft.reported']
    """
    from safercities.indicators.catalogue import catalogue
    from safercities.indicators.numerators import Answers, Compared

    known, found = catalogue(), set()
    for code in set(rows.table.column("indicator").to_pylist()):
        version = known[code].on() if code in known else None
        if version is None or isinstance(version.denominator, Answers) or isinstance(version.numerator, Compared):
            found.add(code)
    return found


# -- people ------------------------------------------------------------------------------------------------------------


class _People:
    """(place, period) → people: of the observatory's own sources, else as the members published them; else NaN."""

    def __init__(self, members: Sequence[Member], population: People | None) -> None:
        self._population = population
        self._told = {one.place.id: one.denominators for one in members}
        self._column = {one.place.id: f"sources.{one.name}" for one in members}
        self._found: dict[tuple[str, str], float] = {}
        self.flags: dict[str, set[str]] = defaultdict(set)
        self.problems: list[Problem] = []

    def __call__(self, place: str, period: str) -> float:
        key = (place, period)
        if key not in self._found:
            own = self._own(place, period) if self._population is not None else float("nan")
            self._found[key] = own if np.isfinite(own) else self._from_releases(place, period)
        return self._found[key]

    def _own(self, place: str, period: str) -> float:
        assert self._population is not None  # noqa: S101 - the caller looks
        years, flags = self._population.denominators([place], [period], {})
        people = float(years[0]) / Period.parse(period).years
        if np.isfinite(people) and people > 0:
            self.flags[period] |= {"population_interpolated", "population_carried"} & set(flags[0].split())
            return people
        return float("nan")

    def _from_releases(self, place: str, period: str) -> float:
        told = self._told.get(place, {})
        if period in told:
            return float(told[period])
        wanted = Period.parse(period)
        near = min(told, key=lambda one: (_distance(Period.parse(one), wanted), one), default=None)
        if near is None or _distance(Period.parse(near), wanted) > CARRIED:
            return float("nan")
        if _distance(Period.parse(near), wanted):
            self.flags[period].add("population_carried")
            column = self._column[place]
            made = problem("federation-people-carried", column=column, place=place, period=period, other=near)
            self.problems.append(made)
        return float(told[near])


def _distance(one: Period, other: Period) -> int:
    """Days between two periods; 0 where they share a day."""
    return max((one.start - other.end).days, (other.start - one.end).days, 0)


def _carried(rows: Estimates, people: _People) -> Estimates:
    """The flags of the people of each period."""
    periods = rows.table.column("period").to_pylist()
    return replaced(rows.table, {}, flags=[" ".join(people.flags.get(one, ())) for one in periods])


def _free(rows: Estimates) -> Estimates:
    """All of it may be published: it is made of published numbers."""
    return replaced(rows.table, {"conf_status": "F"})
