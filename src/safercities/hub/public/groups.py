"""Who is less safe: groups of people whose intervals do not touch. It compares people, never neighbourhoods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from safercities.hub.figures import Query
from safercities.hub.public import wording
from safercities.hub.public.cards import COLUMNS, Numbers, exactly, rank
from safercities.hub.public.words import OK, Row, Words, status
from safercities.model.dimensions import TOTAL, UNKNOWN

#: Breakdowns that tell people apart; others (by means, by relationship) tell cases apart.
OF_PEOPLE = ("sex", "age", "income", "disability", "migration", "orientation", "ethnicity")
#: Most differences that one page tells.
MOST = 6


@dataclass(frozen=True)
class Group:
    """A group, and its number in words."""

    name: str
    said: str


@dataclass(frozen=True)
class Difference:
    """A group that is less safe than others, surely as far as intervals can tell."""

    code: str
    label: str
    breakdown: str
    period: str
    worse: Group
    better: tuple[Group, ...]


def differences(words: Words, found: Numbers) -> list[Difference]:
    """What can be told apart at a place in the newest numbers, the best known indicators first."""
    figures, heads = words.figures, {code: rows[0] for code, rows in found.newest.items()}
    told = [
        code
        for code in sorted(heads, key=rank)
        if figures.indicators[code].direction in ("lower", "higher") and wording.comparable(heads[code]["unit"])
    ]
    groups = {name: _groups(words, name, found.place, {code: heads[code] for code in told}) for name in OF_PEOPLE}
    return list(islice(_all(words, heads, told, groups), MOST))


def _all(
    words: Words, heads: Mapping[str, Row], told: Sequence[str], groups: Mapping[str, Mapping[str, Sequence[Row]]]
) -> Iterator[Difference]:
    for code in told:
        info = words.figures.indicators[code]
        for name in OF_PEOPLE:
            rows = groups[name].get(code, ())
            worse, better = _apart(rows, higher_is_better=info.direction == "higher")
            if worse is not None and better:
                yield Difference(
                    code=info.code,
                    label=words.indicator(info),
                    breakdown=words.dimension(name),
                    period=words.period(heads[code]["period"]),
                    worse=_group(words, name, worse),
                    better=tuple(_group(words, name, row) for row in better),
                )


def _groups(words: Words, name: str, place: str, heads: Mapping[str, Row]) -> dict[str, list[Row]]:
    """Indicator → groups with a reliable number and an interval, in the order of their codes: one question for all."""
    codes = [code for code in heads if name in words.figures.indicators[code].dimensions]
    if not codes:
        return {}
    periods = sorted({heads[code]["period"] for code in codes})
    query = Query(codes, [place], periods, {name: ()}, total_only=True)
    found: dict[str, list[Row]] = {}
    for row in words.figures.records(query, columns=(*COLUMNS, name)):
        same = exactly(row) == exactly(heads[row["indicator"]])
        if same and row[name] not in (TOTAL, UNKNOWN) and status(row) == OK and wording.has_interval(row):
            found.setdefault(row["indicator"], []).append(row)
    return found


def _apart(rows: Sequence[Row], *, higher_is_better: bool) -> tuple[Row | None, list[Row]]:
    """The group that is least safe, and those whose whole interval lies on the safer side of its interval."""
    if len(rows) < 2:
        return None, []
    if higher_is_better:
        worse = min(rows, key=lambda row: row["upper"])
        return worse, [row for row in rows if row["lower"] > worse["upper"]]
    worse = max(rows, key=lambda row: row["lower"])
    return worse, [row for row in rows if row["upper"] < worse["lower"]]


def _group(words: Words, name: str, row: Row) -> Group:
    return Group(words.code(name, row[name]), words.told(row))
