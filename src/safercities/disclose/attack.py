"""Plays the attacker on published releases, without the truth: what can be deduced of cells that were to be hidden."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from safercities.disclose.attack_part import Group, Part, Released
from safercities.disclose.attack_public import Opening, Outside, Published, Report
from safercities.disclose.attack_rows import People, Row, kind_of, people_of
from safercities.disclose.attack_space import Cell, together
from safercities.disclose.attack_surveys import attack_surveys
from safercities.disclose.attack_system import Answer
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

    Indicators of one source are attacked one by one, though one may hold another (acts under acts).

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
    public = _people(releases, people or {})
    groups = _groups(releases)
    parts = [(group, periods) for group in groups for periods in _periods(group, known)]
    openings: list[Opening] = []
    total, used = Answer(), set[Outside]()
    for number, (group, periods) in enumerate(parts):
        progress("attacking", number, len(parts))
        part = Part(releases, group, periods, public, known, width)
        answer, found = part.run()
        openings += found
        used.update(part.known)
        total.add(answer)
    for one in known:
        if one not in used:
            cell = ", ".join([*(code for _, code in one.cell.codes), one.cell.place, one.cell.period])
            raise UsageError(problem("attack-known-nowhere", indicator=one.indicator, source=one.source, cell=cell))
    for published in rows:
        answer, found = attack_surveys(published, width)
        openings += found
        total.add(answer)
    progress("attacking", len(parts), len(parts))
    notes = dict.fromkeys([*_assumed(releases, groups, known), *total.notes])
    return Report(tuple(openings), total.checked, total.facts, total.narrowest, tuple(notes))


def _periods(group: Group, known: Sequence[Outside]) -> list[set[str]]:
    """Runs of periods that share days, of a group and of what is known outside of it."""
    codes = {row.cell.period for row in group.rows}
    for one in known:
        if (one.source, one.indicator) == (group.source, group.indicator):
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


def _groups(releases: Sequence[Released]) -> list[Group]:
    """All rows of counts and their rates, by source, indicator, way of protection and the place that holds all."""
    parents = {place.id: place.parent for one in releases for place in one.published.places if place.parent}
    there: dict[str, set[str]] = defaultdict(set)
    for one in releases:
        for row in one.rows:
            there[str(row["source"])].add(row["place"])
    groups: dict[tuple[str, str, str, bool], Group] = {}
    for number, one in enumerate(releases):
        dimensions = one.published.estimates.dimensions
        for row in one.rows:
            kind = kind_of(str(row["method"]), str(row["unit"]))
            if kind in ("", "survey"):
                continue
            source, lost = str(row["source"]), row["place"].startswith(f"{UNKNOWN}.")
            top = _top(one.published.place if lost else row["place"], parents, there[source])
            key = (source, row["indicator"], top, one.published.rounded)
            codes = tuple(sorted((name, row[name]) for name in dimensions if row[name] != TOTAL))
            hidden = row["conf_status"] == "N" or (row["value"] is None and row["conf_status"] != "F")
            cell = Cell(row["place"], row["period"], codes)
            groups.setdefault(key, Group(*key)).rows.append(Row(cell, kind, hidden, number, row))
    return list(groups.values())


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
    if len({(one.source, one.top) for one in groups}) < len(groups):
        yield "indicators of one source were attacked one by one; where one holds another, more might follow"
    smoothed = sum(row.kind == "smoothed" and not row.hidden for group in groups for row in group.rows)
    if smoothed:
        yield f"{smoothed} smoothed rates were not used: each depends on the counts of all places"
    other = sum(not kind_of(str(row["method"]), str(row["unit"])) for one in rows for row in one.rows)
    if other:
        yield f"{other} rows that are made of other estimates were not used"
