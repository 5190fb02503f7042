"""The sidebar of an indicator's page: selects of what there is, in groups, that work as a plain form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from safercities.hub.figures import Figures
from safercities.hub.public.indicator_state import ALL, NOTHING, Asked
from safercities.hub.public.markup import options
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


#: Heading, empty for the first, and the choices under it as they stand in the page.
Groups = tuple[tuple[str, SafeString], ...]


@dataclass(frozen=True)
class Field:
    """A select.

    Parameters
    ----------
    count
        How many choices it has.
    """

    name: str
    id: str
    label: str
    groups: Groups
    count: int
    help: str = ""


def fields(asked: Asked, words: Words) -> list[Field]:
    """The selects, in the order in which one narrows down; those without a choice are left out."""
    state, there = asked.state, asked.options
    plain = (
        _field("level", gettext("Show"), _levels(asked, words)),
        _period(asked, words),
        _field("unit", gettext("Unit"), [_option(one, words.unit(one), state.unit) for one in there["unit"]]),
        _field("method", gettext("Method"), [_option(one, words.method(one), state.method) for one in there["method"]]),
        _field("source", gettext("Source"), _sources(asked, words)),
    )
    breakdowns = [_breakdown(asked, name, codes, words) for name, codes in asked.breakdowns.items()]
    several = [_places(asked, words), plain[0], plain[1], *breakdowns, *plain[2:]]
    return [one for one in several if one.count > 1]


def hidden(asked: Asked, shown: Sequence[Field]) -> list[tuple[str, str]]:
    """What the form has to carry along beside its selects."""
    return [] if asked.state.view == "chart" else [("view", asked.state.view)]


def _field(name: str, label: str, found: Sequence[Option]) -> Field:
    return Field(name, f"choose-{name}", label, (("", options(found)),), len(found))


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
    found = [_option(code, words.period(code or ""), state.period) for code in reversed(tuple(asked.options["period"]))]
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
    return Field("by", f"choose-by-{name}", words.dimension(name), (("", options(found)),), len(found))


def _places(asked: Asked, words: Words) -> Field:
    """Places by level; of very many, only those above the chosen one, beside it and in it."""
    figures, place = asked.figures, asked.state.place
    cut = len(asked.options["place"]) > MOST_PLACES
    listed = tuple(_near(asked) if cut else (id for id in asked.options["place"] if id is not None))
    groups, count = figures.lately(  # places that lie together are offered together, whichever of them is chosen
        ("choose a place", words.language, listed),
        lambda: _grouped(figures, listed, words),
        lambda found: sum(len(written) for _, written in found[0]) + sum(map(len, listed)),
    )
    plain, chosen = options([Option(place, "", False)]), options([Option(place, "", True)])
    marks = [mark.partition(">")[0] + ">" for mark in (plain, chosen)]
    marked = tuple((heading, SafeString(written.replace(marks[0], marks[1], 1))) for heading, written in groups)
    help = gettext("Choose a larger place to see the places in it.") if cut else ""
    return Field("place", "choose-place", gettext("Place"), marked, count, help)


def _grouped(figures: Figures, listed: Sequence[str], words: Words) -> tuple[Groups, int]:
    """Choices of places by level, none of them chosen; and how many they are."""
    levels: dict[str, list[Option]] = {}
    for one in sorted((figures.places[id] for id in listed), key=lambda one: len(figures.tree.line(one.id))):
        if not one.unplaced:
            levels.setdefault(one.level, []).append(Option(one.id, one.name, chosen=False))
    groups: list[tuple[str, SafeString]] = []
    for level, found in levels.items():
        found.sort(key=lambda one: (one.label.casefold(), one.value))
        heading = "" if not groups and len(found) == 1 else words.level(level, several=True)
        groups.append((heading, options(found)))
    return tuple(groups), sum(map(len, levels.values()))


def _near(asked: Asked) -> list[str]:
    """Places above the chosen one, in it and beside it, of those that have rows."""
    tree, chosen = asked.figures.tree, asked.state.place
    line = tree.line(chosen)
    near = dict.fromkeys([*line, *tree.children(chosen), *(tree.children(line[1]) if len(line) > 1 else ())])
    there = asked.options["place"]
    return [id for id in near if id in there][:MOST_PLACES]
