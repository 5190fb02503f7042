"""Pages of places, of every level: where it lies, its indicators with intervals beside those above, what lies in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from safercities.hub.figures import Figures
from safercities.hub.figures.about import PlaceInfo
from safercities.hub.models import Observatory
from safercities.hub.public import markup
from safercities.hub.public.cards import by_topic, cards, numbers
from safercities.hub.public.page import Crumb, link, of_figures, show
from safercities.hub.public.words import Words

#: Most places that one page lists; with more of them, `?q=` finds some.
MOST = 500


@of_figures
def place(request: HttpRequest, *, observatory: Observatory, figures: Figures, place: str) -> HttpResponse:
    """`/o/<slug>/p/<place>/`."""
    info = figures.places.get(place)
    if info is None:
        raise Http404
    words = Words(figures)
    above = info.parent if info.parent in figures.places else None
    typed = request.GET.get("q", "").replace("\0", "").strip()[:200]
    found = [figures.places[id] for id in figures.tree.children(place)]
    fitting = [one for one in found if _fits(words, one, typed)] if typed else found
    made = cards(words, numbers(figures, place), above=above)
    context: dict[str, Any] = {
        "place": info,
        "name": words.place(place),
        "level": words.level(info.level),
        "above": figures.places[above] if above is not None else None,
        "above_name": words.place(above) if above is not None else "",
        "cards": markup.cards(by_topic(made), observatory, place),
        "typed": typed,
        "children": _listed(observatory, words, fitting[:MOST]),
        "many": len(found) > 30,
        "has_children": bool(found),
        "fitting": len(fitting),
        "fitting_shown": words.number(len(fitting)),
        "most": words.number(MOST) if len(fitting) > MOST else "",
        "valid": _valid(words, info),
    }
    crumbs = _way(observatory, words, info)
    return show(request, "hub/place/place.html", observatory, crumbs, **context)


def _listed(observatory: Observatory, words: Words, found: Sequence[PlaceInfo]) -> list[tuple[str, str, str]]:
    """Address, name and level of places."""
    address = markup.links("place", observatory, "place")
    return [(address(one.id), words.place(one.id), words.level(one.level)) for one in found]


def _way(observatory: Observatory, words: Words, info: PlaceInfo) -> list[Crumb]:
    """The places above; the observatory's own is called "Places", as its name stands before it already."""
    own = words.figures.about.place
    above = [words.figures.places[id] for id in reversed(words.figures.tree.line(info.id))]
    way = [(_("Places") if one.id == own else words.place(one.id), one.id) for one in above]
    return [(name, "" if id == info.id else link("place", observatory, place=id)) for name, id in way]


def _fits(words: Words, info: PlaceInfo, typed: str) -> bool:
    text = f"{words.place(info.id)} {info.id}".casefold()
    return all(word in text for word in typed.casefold().split())


def _valid(words: Words, info: PlaceInfo) -> dict[str, str]:
    """Since when and until when the place is, as far as its release says."""
    days = {"since": info.valid_from, "until": info.valid_to}
    return {name: words.date(day) for name, day in days.items() if day is not None}
