"""The first page of the hub and of an observatory: how safe, how sure, who is less safe, where the numbers are."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from safercities.hub import published
from safercities.hub.access import visible
from safercities.hub.figures import Figures
from safercities.hub.kept import keep
from safercities.hub.models import Observatory
from safercities.hub.public import drawings, markup, wording
from safercities.hub.public.cards import TOPICS, Card, by_topic, cards, matches, numbers, rank, topic, topic_title
from safercities.hub.public.groups import Difference, differences
from safercities.hub.public.page import of_observatory, show
from safercities.hub.public.reviews import reviews
from safercities.hub.public.words import Words

#: Indicators whose sentence stands first.
SENTENCES = 2


@require_safe
def front(request: HttpRequest) -> HttpResponseBase:
    """`/`: the observatories that may be seen; with exactly one, its home."""
    state = published.state(None)
    several = list(visible(request.user))
    if len(several) == 1:
        response = home(request, slug=several[0].slug)
    else:
        response = render(request, "hub/home/front.html", {"several": [_told(one) for one in several]})
    if not request.user.is_authenticated:
        keep(response, None, state)  # another observatory changes it, too
    return response


def _told(observatory: Observatory) -> dict[str, Any]:
    """An observatory in the list: what it publishes, and since when."""
    figures = published.figures(observatory)
    latest = observatory.shelf.first()
    return {
        "observatory": observatory,
        "indicators": len(figures.indicators) if figures is not None else 0,
        "published": wording.plain().date(latest.published) if latest is not None else "",
        "synthetic": figures is not None and figures.about.synthetic,
    }


@of_observatory
def home(request: HttpRequest, *, observatory: Observatory, figures: Figures | None) -> HttpResponse:
    """`/o/<slug>/`."""
    latest, plain = observatory.shelf.first(), wording.plain()
    context: dict[str, Any] = {
        "latest": latest,
        "latest_day": plain.date(latest.published) if latest is not None else "",
        "latest_period": plain.period(latest.period) if latest is not None else "",
        "reviews": reviews(observatory),
    }
    if figures is None:
        return show(request, "hub/home/empty.html", observatory, **context)
    place, words = figures.about.place, Words(figures)
    made, apart = figures.memo(("home", words.language), lambda: _made(words, place))
    context |= {
        "name": words.place(place),
        "place": place,
        "level": words.level(figures.about.level),
        "synthetic": figures.about.synthetic,
        "sentences": _sentences(made),
        "cards": markup.cards(by_topic(made), observatory),
        "differences": apart,
        "figure": drawings.of_home(observatory, figures, made),
    }
    return show(request, "hub/home/home.html", observatory, **context)


def _made(words: Words, place: str) -> tuple[list[Card], list[Difference]]:
    """What does not depend on who asks, and how."""
    found = numbers(words.figures, place)
    return cards(words, found), differences(words, found)


def _sentences(made: list[Card]) -> list[Card]:
    """The indicators that stand first, with a number; where none has one, the first ones all the same."""
    shown = [card for card in made if card.first.shown]
    return (shown or made)[:SENTENCES]


@of_observatory
def indicators(request: HttpRequest, *, observatory: Observatory, figures: Figures | None) -> HttpResponse:
    """`/o/<slug>/indicators/`: all of them by topic; `?q=` leaves those with these words."""
    typed = request.GET.get("q", "").replace("\0", "").strip()[:200]
    listed = [] if figures is None else _listed(Words(figures), typed)
    groups: dict[str, list[dict[str, Any]]] = {}
    for told in listed:
        groups.setdefault(topic(told["code"]), []).append(told)
    topics = [(topic_title(name), groups[name]) for name in TOPICS if name in groups]
    context = {"topics": topics, "typed": typed, "found": len(listed), "shown": wording.plain().number(len(listed))}
    return show(request, "hub/home/indicators.html", observatory, [(_("Indicators"), "")], **context)


def _listed(words: Words, typed: str) -> list[dict[str, Any]]:
    found = [one for one in words.figures.indicators.values() if matches(words, one, typed)]
    return [
        {
            "code": info.code,
            "label": words.indicator(info),
            "language": words.indicator_language(info),
            "definition": words.definition(info.definitions[-1]) if info.definitions else None,
            "sources": wording.listed(words.source(name) for name in info.sources),
            "periods": _periods(words, info.periods),
            "rows": words.number(info.rows),
            "withheld": words.number(info.withheld) if info.withheld else "",
        }
        for info in sorted(found, key=lambda one: rank(one.code))
    ]


def _periods(words: Words, periods: tuple[str, ...]) -> str:
    first, last = words.period(periods[0]), words.period(periods[-1])
    return first if first == last else words.isolated(f"{first}–{last}")
