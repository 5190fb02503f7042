"""The JSON documents of charts and maps, as `frontend/src/*/document.ts` describes them, from what a page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import pairwise
from typing import Any, TypeGuard

import numpy as np
from django.utils.translation import gettext

from safercities.hub.public.geo import Boundaries
from safercities.hub.public.indicator_state import Asked
from safercities.hub.public.words import NONE, OK, UNRELIABLE, WITHHELD, Row, Words, status
from safercities.model.dimensions import TOTAL

Document = dict[str, Any]
#: Lines of a trend that can be told apart; marks of a chart that can be read.
MOST_LINES, MOST_MARKS = 6, 120
#: What is read of a row to draw it.
_MARK = ("place", "value", "lower", "upper", "level", "unit", "obs_status", "conf_status", "quality", "verdict")
#: Rows that a chart is made from.
_MOST_ROWS = 3_000


@dataclass(frozen=True)
class Chart:
    """A chart: its document, and what the page has to say beside it; `document` None where nothing can be drawn.

    Parameters
    ----------
    title
        What it shows: of what, where, when, by what.
    notes
        Where it shows less than the table.
    """

    title: str
    document: Document | None
    notes: tuple[str, ...] = ()


def chart(asked: Asked, words: Words) -> Chart:
    """Draw a line over time where there are few groups, else dots of one period; an interval with every mark."""
    there = asked.options["period"] if asked.state.period is None else (asked.state.period,)
    if len(there) < 2:
        return _dots(asked, words)
    if asked.state.level is not None and len(asked.figures.places_with(asked.query)) > MOST_LINES:
        return _newest(asked, words)
    rows = asked.figures.records(asked.query, limit=_MOST_ROWS + 1)
    groups = {_group(asked, row, words) for row in rows}
    if len(rows) > _MOST_ROWS or len(groups) > MOST_LINES:
        return _newest(asked, words)
    marks = [
        {"period": row["period"], "when": words.period(row["period"])}
        | _mark(row, words)
        | ({"group": _group(asked, row, words)} if len(groups) > 1 else {})
        for row in rows
    ]
    return Chart(title(asked, words), _document(asked, words, "trend", marks))


def _newest(asked: Asked, words: Words) -> Chart:
    """The chart of the newest period, where all of them would be too much for one."""
    newest = [code for code in asked.options["period"] if code is not None][-1]
    made = _dots(replace(asked, state=asked.state.with_(period=newest)), words)
    note = gettext("The chart shows {period} only; the table has every period.")
    return replace(made, notes=(note.format(period=words.period(newest)), *made.notes))


def _dots(asked: Asked, words: Words) -> Chart:
    """One strip a place or group, in the order of names or of the groups: never by value."""
    total = asked.figures.count(asked.query)
    if not total:
        return Chart(title(asked, words), None)
    notes: list[str] = []
    if total > MOST_MARKS:
        note = gettext("The chart shows the first {shown} rows by name; the table has all of them.")
        notes.append(note.format(shown=words.number(MOST_MARKS)))
    if asked.state.level is None:
        rows = asked.figures.records(asked.query, limit=MOST_MARKS)
        everybody = words.code("", TOTAL)
        marks = [{"name": _group(asked, row, words) or everybody} | _mark(row, words) for row in rows]
    else:
        marks = _places(asked, words)
    return Chart(title(asked, words), _document(asked, words, "dots", marks), tuple(notes))


def _places(asked: Asked, words: Words) -> list[dict[str, Any]]:
    """Marks of the places whose names come first."""
    figures, ranks = asked.figures, words.ranks
    first = nsmallest(MOST_MARKS, figures.places_with(asked.query), key=ranks.__getitem__)
    found = figures.records(replace(asked.query, places=first))
    rows = sorted(found, key=lambda row: ranks[row["place"]])[:MOST_MARKS]
    several = len({_group(asked, row, words, place=False) for row in rows}) > 1
    level = asked.state.level
    names = figures.memo(
        ("names", level), lambda: Counter(one.name for one in figures.places.values() if one.level == level)
    )
    return [
        {"name": _place_name(row, words, names)}
        | ({"group": _group(asked, row, words, place=False)} if several else {})
        | _mark(row, words)
        for row in rows
    ]


def _place_name(row: Row, words: Words, names: Counter[str]) -> str:
    """Name of a place; with its code where another one of the level has the same name."""
    name = words.place(row["place"])
    return f"{name} ({row['place']})" if names[name] > 1 else name


def _mark(row: Row, words: Words) -> dict[str, Any]:
    """What a row is in a drawing; of a withheld one there is no number to draw."""
    found = status(row)
    hidden = found in (WITHHELD, NONE)
    numbers = {name: None if hidden else row[name] for name in ("value", "lower", "upper")}
    return {**numbers, "status": found, "label": words.told(row)}


def _group(asked: Asked, row: Row, words: Words, *, place: bool = True) -> str:
    """What tells a row from others of its period."""
    parts = [words.place(row["place"])] if place and asked.state.level is not None else []
    if asked.state.source is None:
        parts.append(words.source(row["source"]))
    parts += [words.code(name, row[name]) for name in asked.state.by if row[name] != TOTAL or len(asked.state.by) == 1]
    if asked.state.by and not any(row[name] != TOTAL for name in asked.state.by) and len(asked.state.by) > 1:
        parts.append(words.code("", TOTAL))
    if len(asked.info.definitions) > 1:
        parts.append(gettext("definition {version}").format(version=row["version"]))
    return ", ".join(parts)


def title(asked: Asked, words: Words) -> str:
    """What is shown: label, where, when."""
    state = asked.state
    where = words.place(state.place)
    if state.level is not None:
        where = gettext("{place}, {levels}").format(place=where, levels=words.level(state.level, several=True))
    parts = [words.indicator(asked.info), where]
    if state.period is not None:
        parts.append(words.period(state.period))
    if state.by:
        names = [words.dimension(name) if code is None else words.code(name, code) for name, code in state.by.items()]
        parts.append(", ".join(names))
    return " · ".join(parts)


def _document(asked: Asked, words: Words, kind: str, rows: list[dict[str, Any]]) -> Document:
    return {
        "kind": kind,
        "unit": words.unit(asked.state.unit),
        "rows": rows,
        "source": source_line(asked, words),
        "file": file_name(asked),
        "language": words.language,
        "words": {
            "chart": gettext("Chart"),
            "table": gettext("Table"),
            "view": gettext("Show as"),
            "png": gettext("Image (PNG)"),
            "svg": gettext("Drawing (SVG)"),
            "unreliable": gettext("to be read with care"),
            "withheld": gettext("withheld to protect people"),
        },
    }


def source_line(asked: Asked, words: Words) -> str:
    """Whose numbers these are, on one line."""
    names = asked.info.sources if asked.state.source is None else (asked.state.source,)
    said = gettext("{sources}. {observatory}, release {number}.")
    numbers = [one.number for one in asked.figures.about.releases[:1]]
    line = said.format(
        sources=", ".join(words.source(name) for name in names),
        observatory=asked.figures.about.name,
        number=numbers[0] if numbers else "–",
    )
    return f"{line} {gettext('Synthetic data.')}" if asked.figures.about.synthetic else line


def file_name(asked: Asked) -> str:
    """Name of downloaded files, without ending: letters, digits and dots only."""
    text = f"{asked.figures.about.place}-{asked.info.code}"
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in ".-") else "_" for sign in text)[:100]


# -- maps --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """The rows of a map in the order of its boundaries; None where a place has no row."""

    boundaries: Boundaries
    rows: tuple[Row | None, ...]
    limits: tuple[float, ...]


def layer(asked: Asked, boundaries: Boundaries) -> Layer:
    """One row a place: where a breakdown has several groups, everybody's."""
    state = asked.state.with_(by={name: TOTAL if code is None else code for name, code in asked.state.by.items()})
    if state.source is None:
        state = state.with_(source=asked.info.headline.source)
    rows = replace(asked, state=state)
    found = {row["place"]: row for row in rows.figures.records(rows.query, columns=_MARK)}
    placed = tuple(found.get(id) for id in boundaries.ids)
    values = [row["value"] for row in placed if _drawn(row)]
    from safercities.maps.classes import breaks

    return Layer(boundaries, placed, tuple(breaks(np.array(values, dtype=np.float64))) if values else ())


def _drawn(row: Row | None) -> TypeGuard[Row]:
    """Whether a place has a colour: what is withheld has none, whatever stands in its row."""
    return row is not None and status(row) in (OK, UNRELIABLE)


def map_document(
    asked: Asked, words: Words, shown: Layer, *, geojson: str, href: Callable[[str], str], basemap: str = ""
) -> Document:
    """The document of a map.

    Parameters
    ----------
    geojson
        Address of the boundaries.
    href
        Place → address of its page.
    basemap
        Address of tiles with {z}, {x} and {y}; empty for none.
    """
    there, ranks = words.figures.places, words.ranks
    rows = dict(zip(shown.boundaries.ids, shown.rows, strict=True))
    places = [
        {"id": id, "name": words.place(id), "href": href(id) if id in there else ""} | _area(rows[id], words)
        for id in sorted(rows, key=lambda id: ranks.get(id, len(ranks)))
    ]
    ground = {"basemap": {"tiles": [basemap], "attribution": ""}} if basemap else {}
    return {
        "geojson": geojson,
        "id": "id",
        "places": places,
        "scale": "amount",
        "limits": list(shown.limits),
        "classes": classes(shown, words),
        "bounds": list(shown.boundaries.bounds),
        "language": words.language,
        "words": _map_words(),
        **ground,
    }


def _area(row: Row | None, words: Words) -> dict[str, Any]:
    if row is None:
        return {"status": NONE, "value": None, "label": words.status(NONE)}
    return {name: mark for name, mark in _mark(row, words).items() if name not in ("lower", "upper")}


def classes(shown: Layer, words: Words) -> list[str]:
    """One label a class, lowest first; the last one says the unit."""
    limits = [words.short(limit) for limit in shown.limits]
    if not limits:
        return [gettext("all the same")] if any(map(_drawn, shown.rows)) else []
    between = [gettext("{low} to under {high}").format(low=low, high=high) for low, high in pairwise(limits)]
    return [
        gettext("under {high}").format(high=limits[0]),
        *between,
        gettext("{low} and over").format(low=limits[-1]),
    ]


def _map_words() -> dict[str, str]:
    return {
        "map": gettext("Map"),
        "table": gettext("Table"),
        "view": gettext("Show as"),
        "place": gettext("Place"),
        "choose": gettext("Choose a place"),
        "open": gettext("About this place"),
        "whole": gettext("Whole map"),
        "unreliable": gettext("to be read with care"),
        "withheld": gettext("withheld to protect people"),
        "none": gettext("no number"),
        "zoom_in": gettext("Zoom in"),
        "zoom_out": gettext("Zoom out"),
        "close": gettext("Close"),
        "scroll": gettext("Hold Ctrl while scrolling to zoom the map"),
        "scroll_mac": gettext("Hold ⌘ while scrolling to zoom the map"),
        "touch": gettext("Use two fingers to move the map"),
    }
