"""What is told beside the numbers: observatories, indicators, places, periods."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router

from safercities.hub import published
from safercities.hub.api import schemas
from safercities.hub.api.reading import all_readable, figures_of, json_answer, readable
from safercities.hub.figures.about import IndicatorInfo, PlaceInfo
from safercities.hub.models import Observatory
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period

router = Router(tags=["what there is"])


@router.get("/observatories", response={200: schemas.Observatories}, operation_id="observatories")
def observatories(request: HttpRequest) -> HttpResponseBase:
    """All observatories that whoever asks may read."""
    found = all_readable(request)
    said = {"observatories": [_observatory(one) for one in found]}
    return json_answer(request, said, public=all(one.public for one in found))


@router.get("/observatories/{slug}", response={200: schemas.Observatory}, operation_id="observatory")
def observatory(request: HttpRequest, slug: schemas.Slug) -> HttpResponseBase:
    """One observatory."""
    found = readable(request, slug)
    return json_answer(request, _observatory(found), public=found.public)


def _observatory(one: Observatory) -> dict[str, Any]:
    """What is told of it; of what is published, as long as its figures are made anew, null: that is not none."""
    try:
        figures, nothing = published.figures(one), 0
    except SafercitiesError:
        figures, nothing = None, None
    about = figures.about if figures else None
    return {
        "slug": one.slug,
        "name": one.name,
        "place": one.place_id,
        "public": one.public,
        "synthetic": about.synthetic if about else None,
        "languages": list(about.languages) if about else [],
        "version": about.version if about else None,
        "rows": about.rows if about else nothing,
        "releases": len(about.releases) if about else nothing,
    }


@router.get("/observatories/{slug}/indicators", response={200: schemas.Indicators}, operation_id="indicators")
def indicators(request: HttpRequest, slug: schemas.Slug) -> HttpResponseBase:
    """All indicators that have been published."""
    found = readable(request, slug)
    figures = figures_of(found)
    listed = [_short(one) for one in figures.indicators.values()]
    return json_answer(request, {"version": figures.version, "indicators": listed}, public=found.public)


def _short(one: IndicatorInfo) -> dict[str, Any]:
    return one.model_dump(mode="json", include={"code", "labels", "units", "levels", "periods", "rows", "withheld"})


@router.get(
    "/observatories/{slug}/indicators/{code}", response={200: schemas.IndicatorDetails}, operation_id="indicator"
)
def indicator(request: HttpRequest, slug: schemas.Slug, code: schemas.Code) -> HttpResponseBase:
    """One indicator: definition, units, sources, periods, breakdowns."""
    found = readable(request, slug)
    figures = figures_of(found)
    if code not in figures.indicators:
        raise Http404
    said = figures.indicators[code].model_dump(mode="json") | {"version": figures.version}
    return json_answer(request, said, public=found.public)


@router.get("/observatories/{slug}/places", response={200: schemas.Places}, operation_id="places")
def places(request: HttpRequest, slug: schemas.Slug, filters: Query[schemas.PlacesQuery]) -> HttpResponseBase:
    """Places by id, some at a time."""
    found = readable(request, slug)
    figures = figures_of(found)
    fit = sorted((one for one in figures.places.values() if _fits(one, filters)), key=lambda one: one.id)
    rest = [one for one in fit if filters.after is None or one.id > filters.after]
    page = rest[: filters.limit]
    following = None
    if len(rest) > len(page):
        given = [*((name, value) for name, values in request.GET.lists() if name != "after" for value in values)]
        following = f"{request.path}?{urlencode([*given, ('after', page[-1].id)])}"
    said = {"version": figures.version, "total": len(fit), "next": following, "places": [_place(one) for one in page]}
    return json_answer(request, said, public=found.public)


def _fits(one: PlaceInfo, filters: schemas.PlacesQuery) -> bool:
    level = not filters.level or one.level in filters.level
    return level and (filters.parent is None or one.parent == filters.parent)


def _place(one: PlaceInfo) -> dict[str, Any]:
    return one.model_dump(mode="json")


@router.get("/observatories/{slug}/places/{path:place}", response={200: schemas.PlaceDetails}, operation_id="place")
def place(request: HttpRequest, slug: schemas.Slug, place: schemas.PlaceId) -> HttpResponseBase:
    """One place."""
    found = readable(request, slug)
    figures = figures_of(found)
    if place not in figures.places:
        raise Http404
    children = sorted(one.id for one in figures.places.values() if one.parent == place)
    said = _place(figures.places[place]) | {"version": figures.version, "children": children}
    return json_answer(request, said, public=found.public)


@router.get("/observatories/{slug}/periods", response={200: schemas.Periods}, operation_id="periods")
def periods(request: HttpRequest, slug: schemas.Slug) -> HttpResponseBase:
    """All periods that have rows, in the order of time."""
    found = readable(request, slug)
    figures = figures_of(found)
    listed = sorted({period for one in figures.indicators.values() for period in one.periods}, key=_when)
    return json_answer(request, {"version": figures.version, "periods": listed}, public=found.public)


def _when(period: str) -> tuple[Any, ...]:
    found = Period.parse(period)
    return found.start, found.end
