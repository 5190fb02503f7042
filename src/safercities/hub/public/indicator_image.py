"""Charts and maps of an indicator as SVG and PNG, drawn on the server from the same documents that browsers draw."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from django.utils.translation import gettext

from safercities.hub.figures.cache import Cache
from safercities.hub.public.documents import Document, Layer
from safercities.hub.public.words import UNRELIABLE, WITHHELD, Words, status
from safercities.model.printable import without_controls

Spec = dict[str, Any]
#: Of light pages, as hub.css and figures.css have them.
INK, MUTED, LINE, STRONG, PAPER = "#1b2326", "#566066", "#dcdfdd", "#777f83", "#ffffff"
COLOURS = ["#0b5c7a", "#9a4f08", "#4d6b1f", "#75508f", INK, MUTED]
SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"]
FONT = "Noto Sans, Liberation Sans, DejaVu Sans, sans-serif"
WIDTH = 720
#: Drawings kept in memory; one is drawn at a time, for drawing takes a processor a while.
_kept = Cache(48 * 2**20, most_of_one=12 * 2**20)
_one = threading.Lock()


def drawn(key: tuple[object, ...], draw: Callable[[], bytes], spend: Callable[[], None]) -> bytes:
    """A drawing, made once as long as its key is the same.

    Parameters
    ----------
    spend
        Called before something has to be drawn; what it raises ends the wish.
    """
    found: bytes | None = _kept.find(key)
    if found is not None:
        return found
    spend()
    with _one:
        return _kept.get(key, draw, len)  # somebody may have drawn it meanwhile


# -- charts ------------------------------------------------------------------------------------------------------------


def chart_svg(document: Document, title: str, words: Words) -> bytes:
    """A chart as SVG: title, unit and source inside, on paper."""
    import vl_convert

    made = vl_convert.vegalite_to_svg(_spec(document, title), allowed_base_urls=[], format_locale=_marks(words))
    return str(made).encode("utf-8")


def chart_png(document: Document, title: str, words: Words) -> bytes:
    """A chart as PNG, at twice its size."""
    import vl_convert

    spec = _spec(document, title)
    return bytes(vl_convert.vegalite_to_png(spec, scale=2, allowed_base_urls=[], format_locale=_marks(words)))


def _marks(words: Words) -> dict[str, Any]:
    from babel.numbers import get_decimal_symbol, get_group_symbol

    decimal, thousands = get_decimal_symbol(words.locale), get_group_symbol(words.locale)
    return {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""]}


def _spec(document: Document, title: str) -> Spec:
    rows = [_row(row, at) for at, row in enumerate(document["rows"])]
    subtitle = [document["unit"], *_notes(document), document["source"]]
    body = _trend(rows) if document["kind"] == "trend" else _dots(rows)
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTH,
        "background": PAPER,
        "padding": 16,
        "title": {"text": _lines(title), "subtitle": subtitle, "anchor": "start", "fontSize": 16, "offset": 14},
        "data": {"values": rows},
        "config": _config(),
        **body,
    }
    return _printable(spec)  # type: ignore[no-any-return]


def _lines(title: str) -> list[str]:
    """A title in lines that fit the drawing; no more than three."""
    from textwrap import wrap

    return wrap(title, 80, max_lines=3, placeholder=" …") or [""]


def _config() -> Spec:
    text = {"labelColor": MUTED, "labelFontSize": 12, "labelFont": FONT, "titleFont": FONT}
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {**text, "domainColor": STRONG, "tickColor": STRONG, "gridColor": LINE, "title": None},
        "legend": {"labelColor": INK, "labelFontSize": 12, "orient": "top", "title": None, "labelLimit": 320},
        "title": {"color": INK, "subtitleColor": MUTED, "subtitleFontSize": 12, "subtitlePadding": 4},
    }


def _row(row: Mapping[str, Any], order: int) -> Spec:
    return {
        "order": order,
        "at": row.get("when") or row.get("period") or "",
        "name": row.get("name") or "",
        "group": row.get("group") or "",
        **{name: row.get(name) for name in ("value", "lower", "upper")},
        "open": row.get("status") == UNRELIABLE,
        "held": row.get("status") == WITHHELD,
        "heldtext": gettext("withheld"),
    }


def _notes(document: Document) -> list[str]:
    found = {row.get("status") for row in document["rows"]}
    words = document["words"]
    notes = [("○ " + words["unreliable"]) if UNRELIABLE in found else "", ("× " + words["withheld"])]
    return [note for note in (notes[0], notes[1] if WITHHELD in found else "") if note]


def _distinct(rows: list[Spec], name: str) -> list[str]:
    return list(dict.fromkeys(row[name] for row in rows))


def _by_group(groups: list[str]) -> tuple[Spec, Spec]:
    """One colour and one shape a group."""
    legend = {"columns": 3, "symbolOpacity": 1} if len(groups) > 1 else None

    def encoding(values: list[str]) -> Spec:
        found = [values[at % len(values)] for at in range(len(groups))]
        scale = {"domain": groups, "range": found}
        return {"field": "group", "type": "nominal", "scale": scale, "legend": legend}

    return encoding(COLOURS), encoding(SHAPES)


def _points(groups: list[str], place: Spec) -> list[Spec]:
    """Filled where it is reliable, hollow where it is not."""
    colour, shape = _by_group(groups)
    mark = {"type": "point", "size": 60, "strokeWidth": 1.8, "opacity": 1}
    known = "isValid(datum.value)"
    return [
        {
            "transform": [{"filter": f"{known} && {'' if open else '!'}datum.open"}],
            "mark": {**mark, **({"fill": PAPER} if open else {"filled": True})},
            "encoding": {**place, "color": colour, "shape": shape},
        }
        for open in (False, True)
    ]


def _bounded() -> list[Spec]:
    return [{"filter": "isValid(datum.lower) && isValid(datum.upper)"}]


def _trend(rows: list[Spec]) -> Spec:
    groups = _distinct(rows, "group")
    colour, _ = _by_group(groups)
    x = {"field": "at", "type": "ordinal", "sort": _distinct(rows, "at"), "axis": {"labelAngle": 0, "grid": False}}
    x["axis"] |= {"labelOverlap": "greedy"}  # type: ignore[operator]
    y: Spec = {"field": "value", "type": "quantitative", "scale": {"zero": True}, "axis": {"domain": False}}
    ends = {"x": x, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}, "color": colour}
    held = {"x": x, "y": {"value": 300}}
    return {
        "height": 300,
        "layer": [
            {"mark": {"type": "area", "opacity": 0.16, "invalid": "break-paths-filter-domains"}, "encoding": ends},
            {"transform": _bounded(), "mark": {"type": "rule", "opacity": 0.55, "strokeWidth": 1.5}, "encoding": ends},
            {
                "mark": {"type": "line", "strokeWidth": 2, "invalid": "break-paths-filter-domains"},
                "encoding": {"x": x, "y": y, "color": colour},
            },
            *_points(groups, {"x": x, "y": y}),
            {
                "transform": [{"filter": "datum.held"}],
                "mark": {"type": "text", "text": "×", "fontSize": 16, "baseline": "bottom", "color": MUTED},
                "encoding": held,
            },
        ],
    }


def _dots(rows: list[Spec]) -> Spec:
    names, groups = _distinct(rows, "name"), _distinct(rows, "group")
    colour, _ = _by_group(groups)
    axis = {"ticks": False, "domain": False, "labelLimit": 300, "labelColor": INK, "grid": False}
    y = {"field": "name", "type": "nominal", "sort": names, "axis": axis}
    x: Spec = {"field": "value", "type": "quantitative", "scale": {"zero": True}}
    offset = {"yOffset": {"field": "group", "scale": {"domain": groups}}} if len(groups) > 1 else {}
    ends = {"x": {**x, "field": "lower"}, "x2": {"field": "upper"}, "y": y, **offset, "color": colour}
    text = {"type": "text", "align": "left", "dx": 4, "color": MUTED, "fontSize": 11}
    return {
        "height": {"step": 24 if len(groups) < 2 else 14},
        "layer": [
            {"transform": _bounded(), "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55}, "encoding": ends},
            *_points(groups, {"x": x, "y": y, **offset}),
            {
                "transform": [{"filter": "datum.held"}],
                "mark": text,
                "encoding": {"x": {"value": 0}, "y": y, **offset, "text": {"field": "heldtext"}},
            },
        ],
    }


def _printable(value: Any) -> Any:
    """A spec without the characters that XML cannot hold: one of them in a name would end the whole process."""
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


# -- maps --------------------------------------------------------------------------------------------------------------


def map_svg(shown: Layer, title: str, unit: str, source: str, words: Words) -> bytes:
    """A map as SVG: areas shaded by rates and shares, circles for counts; hatched where a number is unreliable."""
    from safercities.hub.public.indicator_terms import COUNTED
    from safercities.maps.svg import Areas, MapText, choropleth, symbols
    from safercities.maps.svg import Layer as Drawn

    found = [None if row is None else status(row) for row in shown.rows]
    values = [
        np.nan if row is None or row["value"] is None or one == WITHHELD else row["value"]
        for row, one in zip(shown.rows, found, strict=True)
    ]
    titles = [
        f"{words.place(id)}: {words.told(row) if row is not None else words.status('none')}"
        for id, row in zip(shown.boundaries.ids, shown.rows, strict=True)
    ]
    layer = Drawn(
        np.array(values, dtype=np.float64),
        [without_controls(text) for text in titles],
        np.array([one == UNRELIABLE for one in found], dtype=bool),
        np.array([one == WITHHELD for one in found], dtype=bool),
    )
    text = MapText(
        title=without_controls(title),
        desc=without_controls(source),
        legend=without_controls(words.unit(unit)),
        unreliable=gettext("to be read with care"),
        no_data=gettext("no number"),
        withheld=gettext("withheld to protect people"),
        below=gettext("under {high}"),
        between=gettext("{low} to under {high}"),
        above=gettext("{low} and over"),
        number=words.short,
    )
    draw = symbols if unit in COUNTED else choropleth
    return _on_paper(draw(Areas(shown.boundaries.shapes, "EPSG:4326"), layer, text, width=640), title, source)


def map_png(svg: bytes) -> bytes:
    """A map as PNG, at twice its size."""
    import vl_convert

    text = _VARIABLE.sub(r"\1", svg.decode("utf-8"))  # it knows no variables
    return bytes(vl_convert.svg_to_png(text, scale=2))


_VARIABLE = re.compile(r"var\(--[a-z0-9-]+,(#[0-9a-f]+)\)")
_BOX = re.compile(r'viewBox="(-?[\d.]+) (-?[\d.]+) ([\d.]+) ([\d.]+)"')


def _on_paper(svg: str, title: str, source: str) -> bytes:
    """The map as it stands alone: white paper under it, its title above, its source below."""
    from xml.sax.saxutils import escape

    found = _BOX.search(svg)
    if found is None:
        raise ValueError("a map without a viewBox")
    left, top, width, height = (float(part) for part in found.groups())
    lines = _lines(without_controls(title))
    above, below, edge = 20.0 + 20.0 * len(lines), 30.0, 12.0
    left, top = left - edge, top - above
    width, height = width + 2 * edge, height + above + below
    box = f'viewBox="{left:g} {top:g} {width:g} {height:g}" width="{width:g}" height="{height:g}" font-family="{FONT}"'
    paper = f'<path d="M{left:g} {top:g}h{width:g}v{height:g}h{-width:g}Z" fill="{PAPER}"/>'
    at = f'x="{left + edge:g}"'
    head = "".join(
        f'<text {at} y="{top + 24 + 20 * row:g}" font-size="15" font-weight="600" fill="{INK}">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    foot = (
        f'<text {at} y="{top + height - 12:g}" font-size="11" fill="{MUTED}">{escape(without_controls(source))}</text>'
    )
    svg = _VARIABLE.sub(r"\1", svg.replace(found[0], box, 1))
    return svg.replace("<defs>", f"{paper}{head}{foot}<defs>", 1).encode("utf-8")
