"""Compares places by one indicator: intervals side by side, and whether differences can be told. Never bare ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from safercities.hub.figures import Figures, Query
from safercities.hub.figures.about import Headline, IndicatorInfo
from safercities.hub.figures.headlines import alike
from safercities.hub.models import Observatory
from safercities.hub.public import markup, wording
from safercities.hub.public.cards import COLUMNS, rank
from safercities.hub.public.indicator_form import Option
from safercities.hub.public.page import link, of_figures, show
from safercities.hub.public.words import NONE, UNRELIABLE, WITHHELD, Row, Words, status

#: Most places side by side.
MOST = 6
#: Up to so many places stand in one list to choose from; of more, those that fit what was typed.
LISTED = 1000
_FOUND = 50


@dataclass(frozen=True)
class Choice:
    """What is compared.

    Parameters
    ----------
    head
        The series: source, unit and method are the same for all places.
    """

    info: IndicatorInfo
    head: Headline
    period: str
    places: tuple[str, ...]

    @property
    def query(self) -> list[tuple[str, str]]:
        """It, as it stands in the address."""
        named = [("i", self.info.code), ("source", self.head.source), ("period", self.period)]
        return [*named, *(("p", one) for one in self.places)]


def chosen(request: HttpRequest, figures: Figures) -> Choice | None:
    """What the address asks for; None without an indicator that there is.

    Places that there are not, and more than `MOST`, are passed over.
    """
    if not figures.indicators:
        return None
    info = figures.indicators.get(request.GET.get("i") or min(figures.indicators, key=rank))
    if info is None:
        return None
    source, period = request.GET.get("source"), request.GET.get("period")
    head = next((one for one in info.headlines if one.source == source), info.headline)
    asked = dict.fromkeys(request.GET.getlist("p")[: 10 * MOST])
    places = [one for one in asked if one in figures.places and figures.places[one].rows]
    return Choice(info, head, period if period in info.periods else head.period, tuple(places[:MOST]))


def rows(figures: Figures, choice: Choice) -> dict[str, Row]:
    """Place → its row of the series, all by one version of the definition: the series' own, else the last there is.

    All made by one method, too: the series' own, else (before limits held the rounding of counts) the one there is.
    """
    if not choice.places:
        return {}
    head = choice.head
    query = Query(
        [choice.info.code], choice.places, [choice.period],
        units=[head.unit], methods=alike(head.method), sources=[head.source], total_only=True,
    )  # fmt: skip
    found = figures.records(query, columns=COLUMNS)
    methods = sorted({row["method"] for row in found}, key=lambda one: (one != head.method, one or ""))
    found = [row for row in found if row["method"] == methods[0]]
    versions = {str(row["version"]) for row in found}
    version = head.version if head.version in versions else max(versions, default="")
    return {row["place"]: row for row in found if row["version"] == version}


@of_figures
def compare(request: HttpRequest, *, observatory: Observatory, figures: Figures) -> HttpResponse:
    """`/o/<slug>/compare/?i=&p=&p=`."""
    words, choice = Words(figures), chosen(request, figures)
    if choice is None:
        raise Http404
    found = rows(figures, choice)
    context: dict[str, Any] = {
        "choice": choice,
        "label": words.indicator(choice.info),
        "language": words.indicator_language(choice.info),
        "definition": words.definition(choice.info.definitions[-1]) if choice.info.definitions else None,
        "period": words.period(choice.period),
        "source": words.source(choice.head.source),
        "unit": words.unit(choice.head.unit) if choice.head.unit != "%" else "%",
        "comparable": wording.comparable(choice.head.unit),
        "lines": [_line(words, observatory, choice, one, found.get(one)) for one in choice.places],
        "told": told(words, choice.places, found),
        "document": f"{link('compare_chart', observatory)}?{urlencode(choice.query)}",
        "full": len(choice.places) >= MOST,
        "most": MOST,
        **_form(request, words, choice),
    }
    return show(request, "hub/compare/compare.html", observatory, [(_("Compare places"), "")], **context)


def _line(words: Words, observatory: Observatory, choice: Choice, place: str, row: Row | None) -> dict[str, Any]:
    """A place in the table, and the address of the page without it."""
    left = [pair for pair in choice.query if pair != ("p", place)]
    return {
        "id": place,
        "name": words.place(place),
        "level": words.level(words.figures.places[place].level),
        "value": words.value(row) if row is not None else wording.missing(),
        "span": words.span(row) if row is not None else "",
        "status": status(row) if row is not None else NONE,
        "care": words.status(UNRELIABLE) if row is not None and status(row) == UNRELIABLE else "",
        "without": f"{link('compare', observatory)}?{urlencode(left)}",
    }


def _form(request: HttpRequest, words: Words, choice: Choice) -> dict[str, Any]:
    """What can be chosen: indicators, sources and periods; places to add, all or those that fit what was typed."""
    figures, typed = words.figures, request.GET.get("q", "").replace("\0", "").strip()[:200]
    codes = sorted(figures.indicators, key=rank)
    periods = [Option(one, words.period(one), one == choice.period) for one in reversed(choice.info.periods)]
    there = figures.memo(("compared", words.language), lambda: _places(words))
    listed = len(there) <= LISTED
    if not listed:
        asked = typed.casefold().split()
        fits = (one for one in there if asked and all(word in one.text for word in asked))
        there = list(islice((one for one in fits if one.id not in choice.places), _FOUND))
    groups: dict[str, list[str]] = {}
    for one in there:
        if one.id not in choice.places:
            groups.setdefault(one.level, []).append(one.option)
    return {
        "indicators": markup.options(
            Option(code, words.indicator(figures.indicators[code]), code == choice.info.code) for code in codes
        ),
        "sources": [(one.source, words.source(one.source)) for one in choice.info.headlines],
        "periods": markup.options(periods),
        "groups": [(level, SafeString("".join(options))) for level, options in groups.items()],
        "listed": listed,
        "typed": typed,
    }


@dataclass(frozen=True)
class _Place:
    """A place to add: its level in words, what it is found by, how it stands in the select."""

    id: str
    level: str
    text: str
    option: str


def _places(words: Words) -> list[_Place]:
    """The places that have numbers, in the order of their names."""
    there = [one for one in words.figures.places.values() if one.rows]
    return [
        _Place(
            one.id,
            words.level(one.level),
            one.name.casefold(),
            markup.options([Option(one.id, _named(words, one.id), False)]),
        )
        for one in sorted(there, key=lambda one: (one.name.casefold(), one.id))
    ]


def _named(words: Words, place: str) -> str:
    """A place and what it lies in, so that two of one name can be told apart."""
    above = words.figures.places[place].parent
    if above is None or above not in words.figures.places or words.figures.places[above].parent is None:
        return words.place(place)
    return _("%(place)s (%(above)s)") % {"place": words.place(place), "above": words.place(above)}


def told(words: Words, places: Sequence[str], found: Mapping[str, Row]) -> dict[str, Any]:
    """Pairs of places that can be told apart, those that cannot, and places of which nothing can be said."""
    apart, alike = [], []
    known = [one for one in places if wording.has_interval(found.get(one))]
    for one, other in combinations(known, 2):
        low, high = sorted((one, other), key=lambda place: float(found[place]["lower"]))
        names = {"high": words.place(high), "low": words.place(low)}
        if found[low]["upper"] < found[high]["lower"]:
            said = _("%(high)s lies above %(low)s: the whole interval of the one is above that of the other.")
            apart.append(said % names)
        else:
            alike.append(_("%(high)s and %(low)s") % {"high": words.place(one), "low": words.place(other)})
    silent = [words.place(one) for one in places if one not in known]
    return {"apart": apart, "alike": alike, "silent": wording.listed(silent) if silent else "", "pairs": len(known) > 1}


@of_figures
def compare_chart(request: HttpRequest, *, observatory: Observatory, figures: Figures) -> JsonResponse:
    """The chart of `compare`: a mark and its interval for each place, in the order in which they were chosen."""
    words, choice = Words(figures), chosen(request, figures)
    if choice is None:
        raise Http404
    found = rows(figures, choice)
    name, period = words.indicator(choice.info), words.period(choice.period)
    return JsonResponse(
        {
            "kind": "dots",
            "rows": [_mark(words, one, found.get(one)) for one in choice.places],
            "unit": words.unit(choice.head.unit) if choice.head.unit != "%" else "%",
            "zero": False,
            "source": f"{observatory.name} · {words.source(choice.head.source)} · {period}",
            "file": f"{name}-{choice.period}".replace("/", "_"),
            "language": words.language,
            "words": drawn_words(),
        }
    )


def _mark(words: Words, place: str, row: Row | None) -> dict[str, Any]:
    """A mark. What is withheld has no number in the document, not even an empty one that could be drawn as zero."""
    name = words.place(place)
    if row is None or status(row) in (WITHHELD, NONE):
        kind = NONE if row is None else status(row)
        return {"name": name, "status": kind, "label": words.status(kind)}
    numbers = {key: row[key] for key in ("value", "lower", "upper")}
    return {"name": name, "status": status(row), "label": words.told(row), **numbers}


def drawn_words() -> dict[str, str]:
    """Words that charts show."""
    return {
        "chart": _("Chart"),
        "table": _("Table"),
        "view": _("Show as"),
        "png": _("Image (PNG)"),
        "svg": _("Image (SVG)"),
        "unreliable": _("read with care"),
        "withheld": _("withheld"),
    }
