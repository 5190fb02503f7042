"""The sidebar of an indicator's page: selects of what there is, in groups, that work as a plain form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from safercities.hub.public.indicator_state import ALL, NOTHING, Asked, line
from safercities.hub.public.words import Words
from safercities.model.dimensions import TOTAL

#: Places that one select holds; of more, those around the chosen one.
MOST_PLACES = 300


@dataclass(frozen=True)
class Option:
    """One choice."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Field:
    """A select; groups are (heading, options), the first without heading."""

    name: str
    id: str
    label: str
    groups: tuple[tuple[str, tuple[Option, ...]], ...]
    help: str = ""


def fields(asked: Asked, words: Words) -> list[Field]:
    """The selects, in the order in which one narrows down; those without a choice are left out."""
    state, options = asked.state, asked.options
    plain = (
        _field("level", gettext("Show"), _levels(asked, words)),
        _period(asked, words),
        _field("unit", gettext("Unit"), [_option(one, words.unit(one), state.unit) for one in options["unit"]]),
        _field(
            "method", gettext("Method"), [_option(one, words.method(one), state.method) for one in options["method"]]
        ),
        _field("source", gettext("Source"), _sources(asked, words)),
    )
    breakdowns = [_breakdown(asked, name, codes, words) for name, codes in asked.breakdowns.items()]
    several = [_places(asked, words), plain[0], plain[1], *breakdowns, *plain[2:]]
    return [one for one in several if sum(len(options) for _, options in one.groups) > 1]


def hidden(asked: Asked, shown: Sequence[Field]) -> list[tuple[str, str]]:
    """What the form has to carry along beside its selects."""
    return [] if asked.state.view == "chart" else [("view", asked.state.view)]


def _field(name: str, label: str, options: Sequence[Option]) -> Field:
    return Field(name, f"choose-{name}", label, (("", tuple(options)),))


def _option(value: str | None, label: str, chosen: str | None) -> Option:
    return Option(NOTHING if value is None else value, label, value == chosen)


def _levels(asked: Asked, words: Words) -> list[Option]:
    state = asked.state
    own = asked.figures.places.get(state.place)
    found = [] if state.view == "map" else [_option("", gettext("This place"), state.level or "")]
    for level in asked.options["level"]:
        if level is not None and (own is None or level != own.level or level == state.level):
            label = gettext("All {levels} in it").format(levels=words.level(level, several=True))
            found.append(_option(level, label, state.level))
    return found


def _period(asked: Asked, words: Words) -> Field:
    state = asked.state
    found = [_option(code, words.period(code or ""), state.period) for code in reversed(asked.options["period"])]
    if state.view != "map":
        found.insert(0, Option(ALL, gettext("All periods"), state.period is None))
    return _field("period", gettext("Period"), found)


def _sources(asked: Asked, words: Words) -> list[Option]:
    found = [_option(one, words.source(one or ""), asked.state.source) for one in asked.options["source"]]
    if len(found) > 1:
        found.append(Option(ALL, gettext("All, side by side"), asked.state.source is None))
    return found


def _breakdown(asked: Asked, name: str, codes: Sequence[str], words: Words) -> Field:
    """Everybody, all groups side by side, or one of them; the name stands in the value, as all of them are `by`."""
    by = asked.state.by
    found = [
        *([Option("", gettext("Everybody"), name not in by)] if TOTAL in codes else []),
        Option(name, gettext("All groups"), name in by and by[name] is None),
        *(Option(f"{name}:{code}", words.code(name, code), by.get(name) == code) for code in codes if code != TOTAL),
    ]
    return Field("by", f"choose-by-{name}", words.dimension(name), (("", tuple(found)),))


def _places(asked: Asked, words: Words) -> Field:
    """Places by level; of very many, only those above the chosen one, beside it and in it."""
    figures, state = asked.figures, asked.state
    there = [id for id in asked.options["place"] if id is not None and not figures.places[id].unplaced]
    cut = len(there) > MOST_PLACES
    if cut:
        there = _near(asked, there)
    levels = dict.fromkeys(figures.places[id].level for id in sorted(there, key=lambda id: len(line(figures, id))))
    groups = []
    for level in levels:
        options = [_option(id, words.place(id), state.place) for id in there if figures.places[id].level == level]
        options.sort(key=lambda one: (one.label.casefold(), one.value))
        groups.append((words.level(level, several=True), tuple(options)))
    if len(groups) and len(groups[0][1]) == 1:
        groups[0] = ("", groups[0][1])
    help = gettext("Choose a larger place to see the places in it.") if cut else ""
    return Field("place", "choose-place", gettext("Place"), tuple(groups), help)


def _near(asked: Asked, there: Sequence[str]) -> list[str]:
    places, chosen = asked.figures.places, asked.state.place
    above = line(asked.figures, chosen)
    parent = places[chosen].parent if chosen in places else None
    inside = [id for id in there if places[id].parent == chosen]
    beside = [id for id in there if parent is not None and places[id].parent == parent]
    found = dict.fromkeys([*(id for id in above if id in set(there)), *inside, *beside])
    return list(found)[:MOST_PLACES]
