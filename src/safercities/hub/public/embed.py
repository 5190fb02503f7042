"""A chart, map or table of an indicator for frames on other sites: small, without forms, readable without scripts."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import render
from django.utils.translation import get_language, get_language_bidi, override

from safercities.hub.figures import Figures
from safercities.hub.middleware import embeddable
from safercities.hub.models import Observatory
from safercities.hub.public import geo, indicator_about
from safercities.hub.public.downloads import info_of
from safercities.hub.public.indicator import _figure, said_in
from safercities.hub.public.indicator_state import read
from safercities.hub.public.page import link, of_figures
from safercities.hub.public.words import Words


@embeddable
@of_figures
def frame(request: HttpRequest, *, observatory: Observatory, figures: Figures, code: str) -> Any:
    """The page inside a frame. What is not for everybody is in no frame: another site must not see who may read it."""
    if not observatory.public:
        raise Http404
    info = info_of(figures, code)
    with override(said_in(request) or get_language()):
        asked, words = read(figures, info, request.GET, geo.levels(observatory)), Words(figures)
        context = {
            "observatory": observatory,
            "asked": asked,
            "label": words.indicator(info),
            "label_language": words.indicator_language(info),
            "headlines": indicator_about.headlines(figures, info, asked.state.place, words),
            "dir": "rtl" if get_language_bidi() else "ltr",
            "page": link("indicator", observatory, code=code) + asked.address(),
            "synthetic": figures.about.synthetic,
            **_figure(observatory, asked, words),
        }
        return render(request, "hub/indicator/embed.html", context)
