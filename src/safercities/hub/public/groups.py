"""Who is less safe: groups of people whose intervals do not touch. It compares people, never neighbourhoods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from safercities.hub.figures import Query
from safercities.hub.figures.about import IndicatorInfo
from safercities.hub.public import wording
from safercities.hub.public.cards import COLUMNS, rank
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


def differences(words: Words, place: str, latest: Mapping[str, Sequence[Row]]) -> list[Difference]:
    """What can be told apart at a place in the newest numbers, the best known indicators first.

    Parameters
    ----------
    latest
        Indicator → its headline rows there.
    """
    found: list[Difference] = []
    for code in sorted(latest, key=rank):
        info = words.figures.indicators[code]
        if info.direction in ("lower", "higher") and wording.comparable(latest[code][0]["unit"]):
            found += _of_indicator(words, info, place, latest[code][0])
        if len(found) >= MOST:
            break
    return found[:MOST]


def _of_indicator(words: Words, info: IndicatorInfo, place: str, head: Row) -> Iterator[Difference]:
    for name in OF_PEOPLE:
        if name not in info.dimensions:
            continue
        rows = _groups(words, name, place, head)
        worse, better = _apart(rows, higher_is_better=info.direction == "higher")
        if worse is not None and better:
            yield Difference(
                code=info.code,
                label=words.indicator(info),
                breakdown=words.dimension(name),
                period=words.period(head["period"]),
                worse=_group(words, name, worse),
                better=tuple(_group(words, name, row) for row in better),
            )


def _groups(words: Words, name: str, place: str, head: Row) -> list[Row]:
    """Groups with a reliable number and an interval, in the order of their codes."""
    query = Query(
        [head["indicator"]], [place], [head["period"]], {name: ()},
        units=[head["unit"]], methods=[head["method"]], sources=[head["source"]], versions=[head["version"]],
        total_only=True,
    )  # fmt: skip
    rows: list[Row] = words.figures.rows(query, columns=(*COLUMNS, name)).to_pylist()
    return [
        row for row in rows if row[name] not in (TOTAL, UNKNOWN) and status(row) == OK and wording.has_interval(row)
    ]


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
