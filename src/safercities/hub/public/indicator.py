"""The page of an indicator: header, headline, chart or table or map, and what is to be known of it; its documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language, gettext, override

from safercities.hub.figures import Figures
from safercities.hub.figures.cache import Cache
from safercities.hub.models import Observatory
from safercities.hub.public import documents, geo, indicator_about, indicator_form
from safercities.hub.public.downloads import info_of, offered
from safercities.hub.public.indicator_state import VIEWS, Asked, read
from safercities.hub.public.indicator_table import known, table
from safercities.hub.public.indicator_terms import COUNTED
from safercities.hub.public.markup import links
from safercities.hub.public.page import indicators_crumb, link, of_figures, show
from safercities.hub.public.words import Words


@dataclass(frozen=True)
class View:
    """A way to see the figures: where it is, and whether it is this one."""

    name: str
    label: str
    href: str
    current: bool


@of_figures
def page(request: HttpRequest, *, observatory: Observatory, figures: Figures, code: str) -> Any:
    """The page."""
    info = info_of(figures, code)
    asked, words = read(figures, info, request.GET, geo.levels(observatory)), Words(figures)
    crumbs = [indicators_crumb(observatory), (words.indicator(info), "")]
    context = {**_header(asked, words), **_figure(observatory, asked, words), **_below(observatory, asked, words)}
    context["origin"] = request.build_absolute_uri("/").removesuffix("/")
    return show(request, "hub/indicator/page.html", observatory, crumbs, **context)


def _header(asked: Asked, words: Words) -> dict[str, Any]:
    info = asked.info
    form = indicator_form.fields(asked, words)
    return {
        "words": words,
        "info": info,
        "asked": asked,
        "label": words.indicator(info),
        "label_language": words.indicator_language(info),
        "definition": lambda: indicator_about.definitions(info, words)[0],
        "unit": words.unit(asked.state.unit),
        "headlines": indicator_about.headlines(asked.figures, info, asked.state.place, words),
        "refused": refusals(asked),
        "form": form,
        "hidden": indicator_form.hidden(asked, form),
        "views": [_view(name, asked) for name in VIEWS],
        "synthetic": asked.figures.about.synthetic,
    }


def _view(name: str, asked: Asked) -> View:
    label = {"table": gettext("Table"), "chart": gettext("Chart"), "map": gettext("Map")}[name]
    return View(name, label, asked.address(view=name), asked.state.view == name)


def refusals(asked: Asked) -> list[str]:
    """What of the address was not understood."""
    names = {
        "view": gettext("view"),
        "source": gettext("source"),
        "unit": gettext("unit"),
        "method": gettext("method"),
        "level": gettext("level"),
        "place": gettext("place"),
        "by": gettext("breakdown"),
        "period": gettext("period"),
        "page": gettext("page"),
    }
    said = gettext("“{given}” is no {name} that there is here; what is usual is shown instead.")
    return [said.format(given=one.given, name=names[one.name]) for one in asked.refused]


def _figure(observatory: Observatory, asked: Asked, words: Words) -> dict[str, Any]:
    """Chart, map or table, with the files of what is shown."""
    base = link("indicator", observatory, code=asked.info.code).removesuffix("/")
    state, found = asked.state, table(asked, words)
    borders = state.view == "map" and state.level in geo.levels(observatory)
    whole, shown, drawings = offered(asked, base, map_there=borders)
    chart = documents.chart(asked, words) if state.view == "chart" else None
    context: dict[str, Any] = {
        "title": documents.title(asked, words),
        "table": found,
        "source_line": documents.source_line(asked, words),
        "chart": chart,
        "pages": _pages(asked, found.pages, found.page),
        "borders": borders,
        "counted": state.unit in COUNTED,
        "downloads": {"whole": whole, "shown": shown, "drawings": drawings},
        "chart_url": f"{base}/chart.json{_query(asked, words)}",
        "map_url": f"{base}/map.json{_query(asked, words)}",
        "image": f"{base}.svg{_and(asked.address(), 'inline=1')}" if drawings else "",
    }
    return context


def _query(asked: Asked, words: Words) -> str:
    """The query of a document: the state, and the language of its words."""
    return _and(asked.address(), f"language={words.language}")


def _and(query: str, more: str) -> str:
    return f"{query}{more}" if query == "?" else f"{query}&{more}"


def _pages(asked: Asked, pages: int, page: int) -> dict[str, str]:
    """Addresses of the pages before and after."""
    found = {"previous": page - 1, "next": page + 1}
    return {name: asked.address(page=at) for name, at in found.items() if 1 <= at <= pages}


def _below(observatory: Observatory, asked: Asked, words: Words) -> dict[str, Any]:
    """What stands below. What is a function is called by the template where that part is not kept."""
    info, figures = asked.info, asked.figures
    address = link("indicator_embed", observatory, code=info.code) + _query(asked, words)
    return {
        "sources": lambda: indicator_about.sources(info, figures, words),
        "methods": lambda: [words.method(one) for one in info.methods],
        "method": "; ".join(words.method(one) for one in asked.methods or (asked.state.method,)),
        "definitions": lambda: indicator_about.definitions(info, words),
        "known": known(asked, words),
        "protection": lambda: indicator_about.protection(figures, words),
        "links": lambda: indicator_about.links(info),
        "related": lambda: [
            (one, link("indicator", observatory, code=one.code))
            for one in indicator_about.related(figures, info, words)
        ],
        "newest": figures.about.releases[0] if figures.about.releases else None,
        "embed": address if observatory.public else "",
    }


# -- documents ---------------------------------------------------------------------------------------------------------


def said_in(request: HttpRequest) -> str | None:
    """Language of a document, as its page says: cookies may not reach a frame on another site."""
    given = request.GET.get("language", "")
    return given if given in dict(settings.LANGUAGES) else None


@of_figures
def chart(request: HttpRequest, *, observatory: Observatory, figures: Figures, code: str) -> Any:
    """The document of the chart."""
    info = info_of(figures, code)
    with override(said_in(request) or get_language()):
        made = documents.chart(read(figures, info, request.GET), Words(figures))
    if made.document is None:
        raise Http404
    return JsonResponse(made.document, json_dumps_params={"ensure_ascii": False})


@of_figures
def map(request: HttpRequest, *, observatory: Observatory, figures: Figures, code: str) -> Any:
    """The document of the map."""
    info = info_of(figures, code)
    query = request.GET.copy()
    query["view"] = "map"
    asked = read(figures, info, query, geo.levels(observatory))
    borders = geo.boundaries(observatory, asked.state.level)
    if borders is None:
        raise Http404
    language = said_in(request) or get_language()
    key = (observatory.slug, figures.version, borders.version, language, asked.address(), settings.BASEMAP)

    def made() -> bytes:
        with override(language):
            document = documents.map_document(
                asked,
                Words(figures),
                documents.layer(asked, borders),
                geojson=link("boundaries", observatory, level=borders.level),
                href=links("place", observatory, "place"),
                basemap=settings.BASEMAP,
            )
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    return HttpResponse(_maps.get(key, made, len), content_type="application/json")


#: Documents of maps, which are large where there are many places: each is made once a release.
_maps = Cache(48 * 2**20, most_of_one=12 * 2**20)
