"""Which map and which line over time stand on the home of an observatory: those of the first indicator with a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from safercities.hub.figures import Figures, Query
from safercities.hub.models import Observatory
from safercities.hub.public import geo
from safercities.hub.public.cards import Card
from safercities.hub.public.indicator_state import map_level
from safercities.hub.public.page import link
from safercities.hub.public.words import Words


def of_home(observatory: Observatory, figures: Figures, made: Sequence[Card]) -> dict[str, Any] | None:
    """Addresses and captions; None where no boundaries are published, or no indicator goes below the city.

    Parameters
    ----------
    made
        Cards of the observatory's own place, in their order.
    """
    words, own, drawable = Words(figures), figures.about.level, geo.levels(observatory)
    for card in made:
        head = figures.indicators[card.code].headline
        series = Query(
            [card.code], [], [head.period],
            units=[head.unit], methods=[head.method], sources=[head.source], total_only=True,
        )  # fmt: skip
        below = [level for level in figures.indicators[card.code].levels if level != own]
        level = map_level(figures, series, below, drawable)
        if level in drawable:
            return _figure(observatory, words, card, level)
    return None


def _figure(observatory: Observatory, words: Words, card: Card, level: str) -> dict[str, Any]:
    info = words.figures.indicators[card.code]
    code, head = card.code, info.headline
    query = urlencode({"level": level, "period": head.period, "language": words.language})
    names = {"label": card.label, "period": words.period(head.period), "levels": words.level(level, several=True)}
    table = urlencode({"view": "table", "level": level, "period": head.period})
    trend = len(card.before) > 0
    return {
        "label": card.label,
        "period": names["period"],
        "map": f"{link('indicator_map', observatory, code=code)}?{query}",
        "map_caption": _("%(label)s, %(period)s: %(levels)s") % names,
        "table": f"{link('indicator', observatory, code=code)}?{table}",
        "chart": f"{link('indicator_chart', observatory, code=code)}?language={words.language}" if trend else "",
        "chart_caption": _("%(label)s over time") % names,
        "rows": [*reversed(card.before), card.first],
    }
