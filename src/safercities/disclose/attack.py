"""Plays the attacker on published releases, without the truth: what can be deduced of cells that were to be hidden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from safercities.disclose.attack_acts import Definitions, Kinds, acts_of, overlapping, recorded_of
from safercities.disclose.attack_part import Group, Part, Released
from safercities.disclose.attack_public import Opening, Outside, Published, Report
from safercities.disclose.attack_rows import People, Row, kind_of, people_of
from safercities.disclose.attack_space import MOST_LEAVES, Cell, together
from safercities.disclose.attack_surveys import attack_surveys
from safercities.disclose.attack_system import Answer
from safercities.disclose.attack_waves import attack_waves
from safercities.model.dimensions import TOTAL, UNKNOWN
from safercities.model.errors import UsageError, problem
from safercities.model.periods import Period

__all__ = ["Opening", "Outside", "Published", "Report", "attack"]

Progress = Callable[[str, int, int], None]


def attack(
    rows: Sequence[Published],
    *,
    known: Sequence[Outside] = (),
    people: People | None = None,
    width: int | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Report:
    """Deduce what can be deduced from everything that is published, and from what else is known.

    Sources that hold the same cases, as the rules of a release say, are attacked as one; so are indicators that count
    some acts in common, where it is known what they count.

    Parameters
    ----------
    rows
        Releases, oldest first: a whole chain, sister tables of other observatories.
    known
        True numbers that are known outside.
    people
        Populations beside those that the releases show.
    width
        How many further values must be possible; default: as the rules of the release say, else half of the least
        count.

    Raises
    ------
    SafercitiesError
        If the solver does not come to an end, what is published contradicts itself, or it is too large: nothing is
        proved then.
    UsageError
        If what is known outside is of nothing that is published.

    Examples
    --------
    >>> from safercities.model.estimates import Estimates
    >>> from safercities.model.places import Place
    >>> row = {"indicator": "x", "place": "T", "period": "2024", "source": "s", "unit": "victims", "method": "count"}
    >>> made = [{**row, "sex": sex, "value": n} for sex, n in (("_T", 20.0), ("F", 17.0))]
    >>> made.append({**row, "sex": "M", "conf_status": "N"})
    >>> town = Published("one", Estimates.from_rows(made), {"minimum_count": 5}, [Place("T", "Town", "city")], "T")
    >>> [(one.what, one.lower, one.upper) for one in attack([town]).openings]
    [('x, M, Town, 2024', 3, 3)]
    """
    if width is not None and width < 1:
        raise UsageError(problem("attack-width", given=width))
    releases = [Released(one, one.estimates.rows()) for one in rows]
    public, same = _people(releases, people or {}), _Same(rows)
    outside = [
        replace(one, source=same.of(one.source, one.cell.period), cell=one.cell._replace(indicator=one.indicator))
        for one in known
    ]
    groups = _groups(releases, same)
    work = [(group, periods) for group in groups for periods in _periods(group, outside)]
    openings: list[Opening] = []
    uniform: list[Opening] = []
    total, used = Answer(), set[Outside]()
    for number, (group, periods) in enumerate(work):
        progress("attacking", number, len(work))
        for part in _parts(releases, group, periods, public, outside, width, total):
            answer, found, alike = part.run()
            openings += found
            uniform += alike
            used.update(part.known)
            total.add(answer)
    for one in outside:
        if one not in used:
            cell = ", ".join([*(code for _, code in one.cell.codes), one.cell.place, one.cell.period])
            raise UsageError(problem("attack-known-nowhere", indicator=one.indicator, source=one.source, cell=cell))
    for published in rows:
        answer, found = attack_surveys(published, width)
        openings += found
        total.add(answer)
    answer, found = attack_waves(rows, width)
    openings += found
    total.add(answer)
    progress("attacking", len(work), len(work))
    notes = dict.fromkeys([*_assumed(releases, groups, known), *total.notes])
    return Report(tuple(openings), total.checked, total.facts, total.narrowest, tuple(notes), tuple(uniform))


class _Same:
    """Sources that hold the same cases in some period, as the rules of releases say: one name stands for all."""

    def __init__(self, rows: Sequence[Published]) -> None:
        self._first: dict[tuple[str, str], str] = {}
        for sources, periods in (said for one in rows for said in one.same_cases):
            for period in periods:
                names = {self.of(name, period) for name in sources}
                moved = [key for key, first in self._first.items() if key[1] == period and first in names]
                keys = [*moved, *((name, period) for name in (*sources, *names))]
                self._first |= dict.fromkeys(keys, min(names))

    def of(self, source: str, period: str) -> str:
        """The name that stands for a source."""
        return self._first.get((source, period), source)


def _parts(
    releases: Sequence[Released],
    group: Group,
    periods: set[str],
    people: People,
    known: Sequence[Outside],
    width: int | None,
    answer: Answer,
) -> Iterator[Part]:
    """What is attacked together; indicator by indicator, with a note, where together they are too many cells."""
    whole = Part(releases, group, periods, people, known, width)
    if len(group.indicators) == 1 or whole.size <= MOST_LEAVES:
        yield whole
        return
    answer.notes.append(
        f"{', '.join(group.indicators)} of {group.source} were attacked one by one: together they are too many cells"
    )
    for one in group.each():
        if any(row.cell.period in periods for row in one.rows):
            yield Part(releases, one, periods, people, known, width)


def _periods(group: Group, known: Sequence[Outside]) -> list[set[str]]:
    """Runs of periods that share days, of a group and of what is known outside of it."""
    codes = {row.cell.period for row in group.rows}
    for one in known:
        if one.source == group.source and one.indicator in group.indicators:
            codes.add(one.cell.period)
    mine = {row.cell.period for row in group.rows}
    return [run for run in together(codes) if run & mine]


def _people(releases: Sequence[Released], more: People) -> dict[Cell, float]:
    """Everything that the public knows of populations, as person-years."""
    found: dict[Cell, float] = dict(more)
    for one in releases:
        for cell, years in people_of(one.rows, one.published.estimates.dimensions).items():
            found.setdefault(cell, years)
    for one in releases:
        for place, period, people in one.published.people:
            found.setdefault(Cell(place, period), people * Period.parse(period).years)
    return found


def _groups(releases: Sequence[Released], same: _Same) -> list[Group]:
    """All rows of counts and their rates, by source, way of protection, and the place that holds all.

    Indicators that count some acts in common are together, where it is known what they count.
    """
    parents = {place.id: place.parent for one in releases for place in one.published.places if place.parent}
    there: dict[str, set[str]] = defaultdict(set)
    for one in releases:
        for given in one.rows:
            there[str(given["source"])].add(given["place"])
    found: dict[tuple[str, str, bool], dict[str, list[Row]]] = {}
    for number, one in enumerate(releases):
        for source, row in _rows(one, number):
            lost = row.cell.place.startswith(f"{UNKNOWN}.")
            top = _top(one.published.place if lost else row.cell.place, parents, there[source])
            rounded = one.published.rounded and row.kind != "points"  # which are withheld, or exact
            key = (same.of(source, row.cell.period), top, rounded)
            found.setdefault(key, {}).setdefault(row.cell.indicator, []).append(row)
    definitions = {key: one for each in releases for key, one in each.published.definitions.items()}
    groups = [
        Group(source, names, top, rounded, [row for name in names for row in its[name]], kinds)
        for (source, top, rounded), its in found.items()
        for names, kinds in _together(its, definitions)
    ]
    return [one for one in groups if any(row.kind != "compared" for row in one.rows)]


def _rows(one: Released, number: int) -> Iterator[tuple[str, Row]]:
    """Rows that tell of counts, each with its source. A comparison with a survey stands for the counts in it."""
    dimensions = one.published.estimates.dimensions
    for row in one.rows:
        kind = kind_of(str(row["method"]), str(row["unit"]))
        if kind in ("", "survey"):
            continue
        source, indicator = str(row["source"]), row["indicator"]
        if kind == "compared":
            recorded = recorded_of(indicator, str(row["version"]), one.published.definitions)
            source = source.partition(" / ")[0]
            if recorded is None:
                continue
            indicator = recorded
        codes = tuple(sorted((name, row[name]) for name in dimensions if row[name] != TOTAL))
        hidden = row["conf_status"] == "N" or (row["value"] is None and row["conf_status"] != "F")
        yield source, Row(Cell(row["place"], row["period"], codes, indicator), kind, hidden, number, row)


def _together(rows: Mapping[str, Sequence[Row]], definitions: Definitions) -> Iterator[tuple[tuple[str, ...], Kinds]]:
    """Indicators that count some acts in common, and the kinds of acts that they tell apart."""
    acts = {}
    for code, its in rows.items():
        versions = {str(row.values["version"]) for row in its if row.kind != "compared"}
        known = acts_of(code, versions, definitions)
        if known is None:
            yield (code,), Kinds.single(code)
        else:
            acts[code] = known
    for names in overlapping(acts):
        yield names, Kinds.of_acts({name: acts[name] for name in names})


def _top(place: str, parents: Mapping[str, str], there: set[str]) -> str:
    """The highest place above one of which there are rows."""
    best, at, seen = place, place, {place}
    while (above := parents.get(at)) is not None and above not in seen:
        at = above
        seen.add(at)
        best = at if at in there else best
    return best


def _assumed(rows: Sequence[Released], groups: Sequence[Group], known: Sequence[Outside]) -> Iterator[str]:
    """What the attacker was taken to know, and what was not looked at."""
    many = f"{len(rows)} releases" if len(rows) != 1 else "one release"
    yield f"known: all numbers of {many}, and the populations that they show"
    if known:
        yield f"known besides: {len(known)} true number{'s' if len(known) != 1 else ''} from outside"
    unknown = [one for one in groups if not any(one.indicators[0] == code for code, _ in _defined(rows))]
    if len({(one.source, one.top) for one in unknown}) < len(unknown):
        yield "indicators of which it is not known what they count were attacked one by one; more might follow"
    smoothed = sum(row.kind == "smoothed" and not row.hidden for group in groups for row in group.rows)
    if smoothed:
        yield f"{smoothed} smoothed rates were not used: each depends on the counts of all places"
    other = sum(_left(row, one) for one in rows for row in one.rows)
    if other:
        yield f"{other} rows that are made of other estimates were not used"


def _defined(rows: Sequence[Released]) -> set[tuple[str, str]]:
    return {key for one in rows for key in one.published.definitions}


def _left(row: Mapping[str, Any], one: Released) -> bool:
    """Whether nothing was made of a row."""
    kind = kind_of(str(row["method"]), str(row["unit"]))
    lost = kind == "compared" and not recorded_of(row["indicator"], str(row["version"]), one.published.definitions)
    return not kind or lost
