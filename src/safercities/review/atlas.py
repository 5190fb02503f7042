"""Maps of the review: shaded where there are rates or scores, circles where there are only counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from safercities.maps.svg import Areas, Layer, MapText, choropleth, symbols
from safercities.model.periods import Period
from safercities.review.rows import Cell, Series
from safercities.review.telling import Telling
from safercities.review.words import Words

if TYPE_CHECKING:
    from safercities.places.geographies import Geography
    from safercities.review.data import ReviewData


def geography_of(data: ReviewData, level: str) -> Geography | None:
    """The boundaries of a level on the last day of the review's period; else the latest that there are."""
    day = Period.parse(data.period).end
    same = [geography for geography in data.geographies if geography.level == level]
    valid = [
        g for g in same if (g.valid_from is None or g.valid_from <= day) and (g.valid_to is None or day <= g.valid_to)
    ]
    return next(reversed(valid or same), None)


def chart_map(words: Words, series: Series, geography: Geography, cells: Sequence[Cell], uid: str) -> Markup:
    """The map of one indicator on one geography; empty where it has no boundaries."""
    if geography.geometries is None or not len(geography.places):
        return Markup("")
    by_place = {cell.place: cell for cell in cells}
    found = [by_place.get(place.id) for place in geography.places]
    rate = any(cell.shown(rate=True) for cell in cells)
    layer = Layer(
        values=np.array([_value(cell, rate) for cell in found], dtype=np.float64),
        titles=[
            _title(words, words.place(place.id), cell) for place, cell in zip(geography.places, found, strict=True)
        ],
        unreliable=np.array([cell is not None and "few_cases" in cell.flags for cell in found], dtype=bool),
        withheld=np.array([cell is not None and cell.hidden(rate) for cell in found], dtype=bool),
    )
    areas = Areas(np.asarray(geography.geometries, dtype=object), geography.crs)
    draw = choropleth if rate else symbols
    return Markup(draw(areas, layer, _texts(words, series, geography.level, rate), uid=uid))  # noqa: S704 - maps.svg escapes


def chart_scores(telling: Telling, series: Series, geography: Geography, cells: Sequence[Cell], uid: str) -> Markup:
    """The map of a score of audits; empty where there are no boundaries."""
    if geography.geometries is None or not len(geography.places):
        return Markup("")
    words, texts = telling.words, telling.texts
    by_place = {cell.place: cell.rate for cell in cells}
    found = [by_place.get(place.id) for place in geography.places]
    titles = []
    for place, number in zip(geography.places, found, strict=True):
        said = texts.gettext("no audited point") if number is None else telling.value(number)
        span = telling.span(number) if number is not None and not number.withheld else ""
        titles.append(f"{words.place(place.id)}: {said}" + (f" ({span})" if span else ""))
    layer = Layer(
        values=np.array([n.value if n is not None and n.value is not None else np.nan for n in found], np.float64),
        titles=titles,
        unreliable=np.array([n is not None and n.warned for n in found], dtype=bool),
        withheld=np.array([n is not None and n.withheld for n in found], dtype=bool),
    )
    label = words.indicator(series.indicator)
    text = MapText(
        title=texts.gettext("Map: {label}, {period}", label=label, period=texts.period(series.period)),
        desc=texts.gettext("Places shaded by score.")
        + " "
        + texts.gettext("The table below has every value ({level}).", level=words.level(geography.level)),
        legend=f"{label}, {telling.unit(series)}",
        unreliable=texts.gettext("all from one walk"),
        no_data=texts.gettext("no audited point"),
        withheld=texts.gettext("withheld"),
        below=texts.gettext("under {high}"),
        between=texts.gettext("{low} to under {high}"),
        above=texts.gettext("{low} and over"),
        number=texts.short,
    )
    areas = Areas(np.asarray(geography.geometries, dtype=object), geography.crs)
    return Markup(choropleth(areas, layer, text, uid=uid))  # noqa: S704 - maps.svg escapes


def _value(cell: Cell | None, rate: bool) -> float:
    number = cell.shown(rate) if cell is not None else None
    return float("nan") if number is None or number.value is None else number.value


def _title(words: Words, name: str, cell: Cell | None) -> str:
    if cell is None:
        return f"{name}: {words.texts.gettext('no data')}"
    said = []
    if cell.count is not None:
        said.append(words.counted(cell.count))
    if cell.rate is not None and cell.rate.value is not None:
        said.append(f"{words.value(cell.rate)} {words.unit(cell.rate.unit)} ({words.ends(cell.rate)})")
    elif "no_denominator" in cell.flags:
        said.append(words.texts.gettext("no population"))
    return f"{name}: {'; '.join(said)}"


def _texts(words: Words, series: Series, level: str, rate: bool) -> MapText:
    texts = words.texts
    period = texts.period(series.period)
    label = words.indicator(series.indicator)
    unit = words.unit(series.rate_unit if rate else series.count_unit)
    kind = (
        texts.gettext("Places shaded by rate.") if rate else texts.gettext("Circles whose area is the number of cases.")
    )
    return MapText(
        title=texts.gettext("Map: {label}, {period}", label=label, period=period),
        desc=kind + " " + texts.gettext("The table below has every value ({level}).", level=words.level(level)),
        legend=unit[:1].upper() + unit[1:],
        unreliable=texts.gettext("rests on fewer than 20 cases"),
        no_data=texts.gettext("no rate: no population or no data") if rate else texts.gettext("no data"),
        withheld=texts.gettext("withheld"),
        below=texts.gettext("under {high}"),
        between=texts.gettext("{low} to under {high}"),
        above=texts.gettext("{low} and over"),
        number=texts.short,
    )
