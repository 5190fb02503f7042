"""Maps as SVG text: shaded areas for rates, circles for counts, hatching where a number is unreliable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from safercities.maps.classes import breaks, classify, round_to
from safercities.maps.page import Page, draw

#: Cividis at five equal steps, the dark end for much; a dark page turns them round by setting `--amount-1` to `-5`.
CIVIDIS = ("#fee838", "#b9ad70", "#7d7c78", "#424f6b", "#00204d")
_ROW = 22  # height of a row of the legend
_RADIUS = 24.0  # of the largest circle


@dataclass(frozen=True)
class Areas:
    """Places with their boundaries: (n,) geometries in `crs`, None where there is none."""

    geometries: np.ndarray
    crs: str | None = None


@dataclass(frozen=True)
class Layer:
    """What the map shows of each place.

    Parameters
    ----------
    values
        (n,) nan = no data.
    titles
        One a place, read out and shown when pointed at: the place's name, its value and interval.
    unreliable
        (n,) True where the value rests on too few cases.
    withheld
        (n,) True where there is a value that may not be shown: it is no zero, and not missing. None: nowhere.
    """

    values: np.ndarray
    titles: Sequence[str]
    unreliable: np.ndarray
    withheld: np.ndarray | None = None

    @property
    def hidden(self) -> np.ndarray:
        """(n,) True where a value is withheld."""
        nowhere = np.zeros(len(self.values), dtype=bool)
        return nowhere if self.withheld is None else self.withheld & ~np.isfinite(self.values)


@dataclass(frozen=True)
class MapText:
    """Words of a map, in the reader's language."""

    title: str
    desc: str
    legend: str = ""
    unreliable: str = "rests on few cases"
    no_data: str = "no data"
    withheld: str = "withheld"
    below: str = "under {high}"
    between: str = "{low} to under {high}"
    above: str = "{low} and over"
    number: Callable[[float], str] = field(default=lambda value: f"{value:g}")


def choropleth(areas: Areas, layer: Layer, text: MapText, *, uid: str = "map", width: int = 400) -> str:
    """Areas shaded by a rate, in at most five classes of Cividis. Never use it for counts: large areas would shout.

    Parameters
    ----------
    areas, layer
        n places; see there.
    uid
        Prefix of the ids in the SVG; unique in the page.
    width
        Of the drawing, in pixels; the SVG itself scales.

    Examples
    --------
    >>> from shapely import box
    >>> areas = Areas(np.array([box(0, 0, 1, 1), box(1, 0, 2, 1)], dtype=object), "EPSG:3857")
    >>> layer = Layer(np.array([1.0, 9.0]), ["A: 1", "B: 9"], np.array([False, True]))
    >>> svg = choropleth(areas, layer, MapText("Rates", "Two places"))
    >>> "<title>B: 9</title>" in svg, "5 and over" in svg
    (True, True)
    """
    page = draw(areas.geometries, areas.crs, width=width)
    limits = breaks(layer.values)
    classes = classify(np.asarray(layer.values, dtype=np.float64), limits)
    used = [_colour(index, len(limits) + 1) for index in range(len(limits) + 1)]
    empty = _empty(layer, uid)
    body = [
        _area(path, used[group] if group >= 0 else empty[at], title)
        for at, (path, group, title) in enumerate(zip(page.paths, classes, layer.titles, strict=True))
        if path
    ]
    hatched = "".join(path for path, doubt in zip(page.paths, layer.unreliable & (classes >= 0), strict=True) if doubt)
    if hatched:
        body.append(f'<path d="{hatched}" fill="url(#{uid}-few)" pointer-events="none"/>')
    rows = (
        [(used[i], label) for i, label in enumerate(_labels(limits, layer.values, text))]
        if (classes >= 0).any()
        else []
    )
    rows += [(f"url(#{uid}-few)", text.unreliable)] if hatched else []
    rows += [(f"url(#{uid}-held)", text.withheld)] if layer.hidden.any() else []
    rows += [(f"url(#{uid}-none)", text.no_data)] if ((classes < 0) & ~layer.hidden).any() else []
    legend = "".join(_legend_row(_ROW * (i + 1), _swatch(fill), label) for i, (fill, label) in enumerate(rows))
    return _document(page, text, uid, body, legend, len(rows), bool(layer.hidden.any()))


def symbols(areas: Areas, layer: Layer, text: MapText, *, uid: str = "map", width: int = 400) -> str:
    """Circles whose area is in proportion to a count, on the outlines of the places.

    Examples
    --------
    >>> from shapely import box
    >>> areas = Areas(np.array([box(0, 0, 1, 1), box(1, 0, 2, 1)], dtype=object), "EPSG:3857")
    >>> layer = Layer(np.array([4.0, 16.0]), ["A: 4", "B: 16"], np.array([False, False]))
    >>> svg = symbols(areas, layer, MapText("Counts", "Two places"))
    >>> 'r="24"' in svg, 'r="12"' in svg
    (True, True)
    """
    page = draw(areas.geometries, areas.crs, width=width)
    values = np.asarray(layer.values, dtype=np.float64)
    most = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    radius = _RADIUS * np.sqrt(np.where(np.isfinite(values), values, 0.0) / (most or 1.0))
    empty = _empty(layer, uid)
    body = [
        _area(path, "var(--map-land,#f1efe9)" if np.isfinite(value) else empty[at], title)
        for at, (path, value, title) in enumerate(zip(page.paths, values, layer.titles, strict=True))
        if path
    ]
    for index in np.argsort(-radius, kind="stable"):  # small circles on top of large ones
        x, y = page.centres[index]
        if page.paths[index] and radius[index] > 0:
            body.append(_circle(x, y, radius[index], bool(layer.unreliable[index]), layer.titles[index]))
    legend, rows = _symbol_legend(most, layer, text, uid)
    return _document(page, text, uid, body, legend, rows, bool(layer.hidden.any()))


def _empty(layer: Layer, uid: str) -> list[str]:
    """What fills each place that has no value to show: withheld and missing look different."""
    return [f"url(#{uid}-held)" if held else f"url(#{uid}-none)" for held in layer.hidden]


def _symbol_legend(most: float, layer: Layer, text: MapText, uid: str) -> tuple[str, int]:
    values, unreliable = np.asarray(layer.values, dtype=np.float64), layer.unreliable
    sizes = sorted({round_to(most * share, 1) for share in (1.0, 0.25)} - {0.0}, reverse=True) if most else []
    parts, y = [], 14.0
    for size in sizes:
        radius = _RADIUS * float(np.sqrt(size / most))
        y += 2 * radius + 4
        parts.append(_circle(_RADIUS + 2, y - radius, radius, False, ""))
        parts.append(f'<text x="{2 * _RADIUS + 14:g}" y="{y - radius + 4:.1f}">{escape(text.number(size))}</text>')
    rows = []
    if (unreliable & np.isfinite(values) & (values > 0)).any():
        rows.append((_circle(13, 8, 7, True, ""), text.unreliable))
    if layer.hidden.any():
        rows.append((_swatch(f"url(#{uid}-held)"), text.withheld))
    if (~np.isfinite(values) & ~layer.hidden).any():
        rows.append((_swatch(f"url(#{uid}-none)"), text.no_data))
    for mark, label in rows:
        y += _ROW
        parts.append(_legend_row(y - 12, mark, label))
    return "".join(parts), int(np.ceil(y / _ROW))


def _swatch(fill: str) -> str:
    return f'<path d="M0 0h26v15H0Z" fill="{fill}" stroke="var(--line-strong,#777)" stroke-width=".7"/>'


def _legend_row(y: float, mark: str, label: str) -> str:
    return f'<g transform="translate(0 {y:g})">{mark}<text x="34" y="12">{escape(label)}</text></g>'


def _colour(index: int, classes: int) -> str:
    """Colour of a class: few classes use the palette's ends, so that they stay far apart."""
    step = 0 if classes == 1 else round(index * (len(CIVIDIS) - 1) / (classes - 1))
    step = 2 if classes == 1 else step
    return f"var(--amount-{step + 1},{CIVIDIS[step]})"


def _labels(limits: list[float], values: np.ndarray, text: MapText) -> Iterator[str]:
    if not limits:
        yield text.number(float(np.nanmax(values)))  # every place has the same value
        return
    yield text.below.format(high=text.number(limits[0]))
    for low, high in pairwise(limits):
        yield text.between.format(low=text.number(low), high=text.number(high))
    yield text.above.format(low=text.number(limits[-1]))


def _area(path: str, fill: str, title: str) -> str:
    edge = ' stroke="var(--line-strong,#777)" stroke-width=".4"' if fill.startswith("url") else ""
    return f'<path d="{path}" fill="{fill}"{edge}><title>{escape(title)}</title></path>'


def _circle(x: float, y: float, radius: float, unreliable: bool, title: str) -> str:
    dash = ' stroke-dasharray="3 2"' if unreliable else ""
    inner = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{round(radius, 1):g}" fill="var(--accent,#0b5c7a)" fill-opacity=".45" '
        f'stroke="var(--accent,#0b5c7a)"{dash}>{inner}</circle>'
    )


def _document(page: Page, text: MapText, uid: str, body: list[str], legend: str, rows: int, held: bool) -> str:
    top = page.height + 30
    height = top + _ROW * rows + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map" role="img" viewBox="-2 -2 {page.width + 4} {height + 2}" '
        f"aria-labelledby={quoteattr(f'{uid}-t {uid}-d')}>"
        f'<title id="{uid}-t">{escape(text.title)}</title><desc id="{uid}-d">{escape(text.desc)}</desc>'
        f"{_patterns(uid, held)}"
        '<g stroke="var(--map-line,#fff)" stroke-width=".8" stroke-linejoin="round" fill-rule="evenodd">'
        f"{''.join(body)}</g>"
        f'<g transform="translate(2 {top})" font-size="13" fill="var(--ink,#1b2326)">'
        f'<text y="10" font-weight="600">{escape(text.legend)}</text>{legend}</g></svg>\n'
    )


def _patterns(uid: str, held: bool) -> str:
    """Hatching for unreliable places, to lie over their colour; dashes for no data, dots for what is withheld."""
    few = (
        '<path d="M1 0V6" stroke="var(--hatch,#fff)" stroke-width="1.6"/>'
        '<path d="M2.4 0V6" stroke="var(--hatch-edge,#222)" stroke-width=".6"/>'
    )
    none = (
        '<path d="M0 0H7V7H0Z" fill="var(--map-none,#fafaf8)" stroke="none"/>'
        '<path d="M2 3.5H5" stroke="var(--line-strong,#777)" stroke-width="1"/>'
    )
    dots = (
        f'<pattern id="{uid}-held" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<path d="M0 0H6V6H0Z" fill="var(--map-none,#fafaf8)" stroke="none"/>'
        '<circle cx="3" cy="3" r="1.1" fill="var(--line-strong,#777)" stroke="none"/></pattern>'
    )
    return (
        f'<defs><pattern id="{uid}-few" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)">{few}</pattern>'
        f'<pattern id="{uid}-none" width="7" height="7" patternUnits="userSpaceOnUse">{none}</pattern>'
        f"{dots if held else ''}</defs>"
    )
