"""Cards of indicators: what is the newest number of a place, how sure, what it was before; by topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from safercities.hub.figures import Figures, Query
from safercities.hub.figures.about import IndicatorInfo
from safercities.hub.figures.headlines import kind_of, newest_last, series_of
from safercities.hub.public.words import OK, UNRELIABLE, Row, Words, status

#: What a card reads of a row.
COLUMNS = (
    "indicator", "version", "place", "period", "value", "lower", "upper", "level", "unit", "method", "obs_status",
    "conf_status", "quality", "verdict", "source", "release",
)  # fmt: skip
#: Periods before the newest one that a card shows.
BEFORE = 3
#: What stands first of an observatory, if it has it: what the world agreed to count.
FIRST = ("sdg.16.1.1", "sdg.16.1.4", "sdg.11.7.2", "sdg.16.1.3")
_TOPICS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("violence", ("sdg.16.1.1", "sdg.16.1.3", "sdg.16.2", "sdg.5.2", "recorded.assault", "recorded.serious_assault",
                  "recorded.sexual_violence", "surveyed.assault", "cpi.homicide")),
    ("harassment", ("sdg.11.7.2", "harassment.", "sdg.10.3")),
    ("feeling", ("sdg.16.1.4", "perception.", "fear.")),
    ("property", ("recorded.robbery", "recorded.burglary", "recorded.household_burglary", "recorded.personal_theft",
                  "recorded.theft", "recorded.vehicle_theft", "surveyed.", "cpi.theft")),
    ("order", ("recorded.antisocial_behaviour", "recorded.vandalism")),
    ("trust", ("sdg.16.3", "sdg.16.5", "sdg.16.6", "sdg.16.7", "reporting.")),
    ("space", ("audit.", "sdg.11.7.1", "sdg.11.2")),
)  # fmt: skip
#: Topics in the order of the pages.
TOPICS = (*(name for name, _prefixes in _TOPICS), "other")


def topic(code: str) -> str:
    """Which topic an indicator belongs to, by its code."""
    for name, prefixes in _TOPICS:
        if code.startswith(prefixes):
            return name
    return "other"


def topic_title(name: str) -> str:
    """What a topic is called."""
    titles = {
        "violence": _("Violence"),
        "harassment": _("Harassment and discrimination"),
        "feeling": _("Feeling safe"),
        "property": _("Robbery, theft and burglary"),
        "order": _("Order in public"),
        "trust": _("Reporting, institutions and trust"),
        "space": _("Streets and public spaces"),
        "other": _("Other indicators"),
    }
    return titles[name]


@dataclass(frozen=True)
class Said:
    """One number in words.

    Parameters
    ----------
    value, bare, unit
        The number in its unit, or the word that says why there is none; the same without the unit; the unit.
    span
        The interval in the room of a table.
    """

    period: str
    value: str
    bare: str
    unit: str
    span: str
    interval: str
    status: str
    status_word: str
    source: str = ""
    place: str = ""

    @property
    def shown(self) -> bool:
        """Whether there is a number."""
        return self.status in (OK, UNRELIABLE)


@dataclass(frozen=True)
class Card:
    """An indicator at a place: its newest number of each source, and those before of the first source."""

    code: str
    label: str
    language: str
    topic: str
    now: tuple[Said, ...]
    before: tuple[Said, ...]
    above: Said | None = None

    @property
    def first(self) -> Said:
        """What stands in front."""
        return self.now[0]

    @property
    def others(self) -> tuple[Said, ...]:
        """What other sources say."""
        return self.now[1:]


def said(words: Words, row: Row, *, place: str = "", beside: Row | None = None) -> Said:
    """A row in words.

    Parameters
    ----------
    beside
        The row that it stands with: where its interval was made in another way, it says how.
    """
    known = status(row) in (OK, UNRELIABLE)
    span, method = words.span(row), row["method"]
    if span and beside is not None and method != beside["method"]:
        span = f"{span} ({words.method(method)})"
    return Said(
        period=words.period(row["period"]),
        value=words.value(row),
        bare=words.bare(row) if known else words.value(row),
        unit=words.unit(row["unit"]) if known and row["unit"] != "%" else "",
        span=span,
        interval=words.interval(row),
        status=status(row),
        status_word=words.status(status(row)),
        source=words.source(row["source"] or ""),
        place=place,
    )


@dataclass(frozen=True)
class Numbers:
    """What is said of everybody at a place.

    Parameters
    ----------
    rows
        All of it.
    newest
        Indicator → its headline rows.
    """

    place: str
    rows: Sequence[Row]
    newest: Mapping[str, Sequence[Row]]


def numbers(figures: Figures, place: str) -> Numbers:
    """What is said of everybody at a place: one question for all that pages tell of it."""
    rows = figures.records(Query([], [place], total_only=True), columns=(*COLUMNS, "row"))
    return Numbers(place, rows, figures.newest(rows))


def cards(words: Words, found: Numbers, *, above: str | None = None, before: int = BEFORE) -> list[Card]:
    """A card for each indicator that has rows at a place; the best known first.

    Parameters
    ----------
    above
        The place that it lies in: its number of the same series and period is told beside it.
    before
        How many earlier periods are told.
    """
    figures = words.figures
    past = _past(found) if before else {}
    higher = _same(figures, found.newest, above) if above is not None else {}
    name = words.place(above) if above is not None else ""
    made = []
    for code, rows in found.newest.items():
        info, parent = figures.indicators[code], higher.get(code)
        made.append(
            Card(
                code=code,
                label=words.indicator(info),
                language=words.indicator_language(info),
                topic=topic(code),
                now=tuple(said(words, row) for row in rows),
                before=tuple(said(words, row, beside=rows[0]) for row in past.get(code, ())[:before]),
                above=said(words, parent, place=name) if parent is not None else None,
            )
        )
    return sorted(made, key=lambda card: rank(card.code))


def rank(code: str) -> tuple[int, str]:
    """Order of indicators: those that stand first, then by code."""
    return (FIRST.index(code) if code in FIRST else len(FIRST), code)


def by_topic(found: Iterable[Card]) -> list[tuple[str, Card]]:
    """Cards with the titles of their topics, in the order of topics."""
    ordered = sorted(found, key=lambda card: TOPICS.index(card.topic))
    titles = {name: topic_title(name) for name in {card.topic for card in ordered}}
    return [(titles[card.topic], card) for card in ordered]


def series_key(row: Row) -> tuple[Any, ...]:
    """What numbers share that may stand in one line: source, unit and method, with its rounding in it or not."""
    return row["source"], row["unit"], series_of(row["method"])


def _past(all_: Numbers) -> dict[str, list[Row]]:
    """Indicator → earlier rows of the series in front, newest first; of several versions of a period the last one."""
    found: dict[str, dict[str, Row]] = {}
    for row in all_.rows:
        head = all_.newest[row["indicator"]][0]
        if series_key(row) == series_key(head) and _before(row["period"], head["period"]):
            known = found.setdefault(row["indicator"], {})
            if row["period"] not in known or _age(known[row["period"]]) < _age(row):
                known[row["period"]] = row
    return {
        code: sorted(rows.values(), key=lambda row: newest_last(row["period"]), reverse=True)
        for code, rows in found.items()
    }


def _age(row: Row) -> tuple[str, int]:
    """Of several rows of a period the last one counts: by version, then by release."""
    return str(row["version"]), int(row["release"])


def _before(period: str, head: str) -> bool:
    """Whether a period is of the same kind, and earlier: quarters do not stand between years."""
    return kind_of(period) == kind_of(head) and newest_last(period) < newest_last(head)


def _same(figures: Figures, newest: Mapping[str, Sequence[Row]], place: str) -> dict[str, Row]:
    """Indicator → the row of another place that is of the same series, version and period."""
    heads = {code: rows[0] for code, rows in newest.items()}
    periods = sorted({row["period"] for row in heads.values()})
    query = Query(list(heads), [place], periods, total_only=True)
    found = figures.records(query, columns=COLUMNS) if heads else []
    return {row["indicator"]: row for row in found if exactly(row) == exactly(heads[row["indicator"]])}


def exactly(row: Row) -> tuple[Any, ...]:
    """What rows share that say the same of different places or groups: series, version and period, and the method."""
    return (*series_key(row), row["method"], row["version"], row["period"])


def matches(words: Words, info: IndicatorInfo, typed: str) -> bool:
    """Whether every typed word stands in the name, the code or the definition."""
    defined = (text for one in info.definitions for text in (one.text, words.definition(one)[0]))
    text = " ".join((*info.labels.values(), info.code, *defined, words.indicator(info))).casefold()
    return all(word in text for word in typed.casefold().split())
