"""What pages of published figures share: the right to see them, an address's ETag, and the way back (breadcrumbs)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import condition, require_safe

from safercities.hub import published
from safercities.hub.access import Right, need
from safercities.hub.kept import keep
from safercities.hub.models import Observatory

View = Callable[..., HttpResponseBase]
#: (what it is called, its address or nothing for the page itself)
Crumb = tuple[str, str]


def of_figures(view: View) -> View:
    """For views with `slug`: they are given `observatory` and its `figures`; 404 before anything is published."""
    return _page(view, needed=True)


def of_observatory(view: View) -> View:
    """As `of_figures`; `figures` are None before anything is published."""
    return _page(view, needed=False)


def _page(view: View, *, needed: bool) -> View:
    @need(Right.SEE_RELEASES)
    @wraps(view)
    def shown(request: HttpRequest, *, observatory: Observatory, state: str, **kwargs: Any) -> HttpResponseBase:
        figures = published.figures(observatory)
        if figures is None and needed:
            raise Http404
        answer = condition(etag_func=lambda *_args, **_kwargs: etag(request, state))(view)
        response: HttpResponseBase = answer(request, observatory=observatory, figures=figures, **kwargs)
        # whoever keeps it asks each time, and goes by the ETag: what was corrected or hidden is gone with the next
        # request. No `Last-Modified`: releases have days, and a correction of the same day would look unchanged
        response.headers.setdefault("Cache-Control", f"{'public' if observatory.public else 'private'}, no-cache")
        if observatory.public:
            keep(response, observatory.slug, state)
        return response

    @require_safe
    @wraps(shown)
    def begun(request: HttpRequest, *, slug: str, **kwargs: Any) -> HttpResponseBase:
        state = published.state(slug)  # before all else, also before what the database says of the observatory
        request.figures_state = state  # type: ignore[attr-defined]  # parts of pages are kept as long as it is the same
        return shown(request, slug=slug, state=state, **kwargs)

    return begun


def etag(request: HttpRequest, state: str) -> str | None:
    """The same as long as the page is: by state, language and address. None for people whose name is on it."""
    if settings.DEBUG or settings.SESSION_COOKIE_NAME in request.COOKIES or "messages" in request.COOKIES:
        return None
    parts = (state, get_language(), request.get_full_path())
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def show(
    request: HttpRequest, template: str, observatory: Observatory, crumbs: Iterable[Crumb] = (), **context: Any
) -> HttpResponse:
    """A page of an observatory, with the way to it."""
    home = (observatory.name, reverse("public:home", kwargs={"slug": observatory.slug}))
    way = [home, *crumbs]
    return render(request, template, {"observatory": observatory, "crumbs": way, **context})


def link(name: str, observatory: Observatory, /, **kwargs: Any) -> str:
    """Address of a page of an observatory."""
    return reverse(f"public:{name}", kwargs={"slug": observatory.slug, **kwargs})


def indicators_crumb(observatory: Observatory) -> Crumb:
    """The way to all indicators."""
    return _("Indicators"), link("indicators", observatory)


def releases_crumb(observatory: Observatory) -> Crumb:
    """The way to all releases."""
    return _("Data and releases"), link("releases", observatory)
