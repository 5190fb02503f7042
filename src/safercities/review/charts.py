"""Charts as Vega-Lite specs: plain dictionaries from plain values. `drawing` turns their colours into CSS variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

INK, MUTED, GRID, ACCENT, SECOND, PAPER = (f"#00000{digit}" for digit in range(1, 7))
WIDTH = 380
FORMAT = ",~f"


@dataclass(frozen=True)
class Point:
    """One dot with its interval; `open` where it is unreliable or covers a part of a period."""

    label: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    open: bool = False
    series: str = ""

    def row(self) -> Spec:
        """As a data row of Vega."""
        return {
            "x": self.label,
            "v": self.value,
            "lo": self.lower,
            "hi": self.upper,
            "open": self.open,
            "s": self.series,
        }


def trend(points: Sequence[Point], *, height: int = 190) -> Spec:
    """A line over periods with its interval as a band; several series where `series` differs.

    Partial periods are open dots off the line. Each period stands in the order given.

    Examples
    --------
    >>> [layer["mark"]["type"] for layer in trend([Point("2018", 1.0), Point("2019", 2.0)])["layer"]]
    ['area', 'rule', 'line', 'point']
    """
    labels = list(dict.fromkeys(point.label for point in points))
    names = list(dict.fromkeys(point.series for point in points))
    x = {
        "field": "x",
        "type": "ordinal",
        "sort": labels,
        "axis": {**_axis(), "values": thin(labels), "labelAngle": 0, "grid": False},
    }
    y = {"field": "v", "type": "quantitative", "scale": {"zero": True, "nice": True}, "axis": _numbers()}
    ends: dict[str, Spec] = {"y": {**y, "field": "lo"}, "y2": {"field": "hi"}}
    size = 34 if len(labels) <= 40 else 10
    same: Spec = {"x": x, "color": _colour(names)}
    layers = [
        _layer({"type": "area", "opacity": 0.2}, "!datum.open", **same, **ends),
        _layer({"type": "rule"}, "datum.open && isValid(datum.lo)", **same, **ends),
        _layer({"type": "line", "strokeWidth": 2}, "!datum.open", **same, y=y, strokeDash=_dash(names)),
        _layer(_dot(size), **same, y=y, shape=_shape(names), fill=_fill(names)),
    ]
    return _page({"data": {"values": [point.row() for point in points]}, "height": height, "layer": layers})


def sparkline(points: Sequence[Point]) -> Spec:
    """A small trend without axes, for a card; the last whole period has a dot."""
    whole = [point for point in points if not point.open]
    rows = [{**point.row(), "last": point is whole[-1]} for point in whole]
    x = {"field": "x", "type": "ordinal", "sort": [point.label for point in whole], "axis": None}
    y = {"type": "quantitative", "scale": {"zero": True}, "axis": None}
    value = {**y, "field": "v"}
    layers = [
        _layer({"type": "area", "opacity": 0.2, "color": ACCENT}, x=x, y={**y, "field": "lo"}, y2={"field": "hi"}),
        _layer({"type": "line", "strokeWidth": 2, "color": ACCENT}, x=x, y=value),
        _layer({**_dot(36), "filled": True, "color": ACCENT}, "datum.last", x=x, y=value),
    ]
    spec = _page({"data": {"values": rows}, "height": 44, "layer": layers})
    return {**spec, "width": 200, "autosize": {"type": "none"}, "padding": 4}


def intervals(points: Sequence[Point], *, reference: float | None = None) -> Spec:
    """A dot with its interval in each row; series stand below each other in a row. `reference` is a dashed line."""
    labels = list(dict.fromkeys(point.label for point in points))
    names = list(dict.fromkeys(point.series for point in points))
    x = {"type": "quantitative", "scale": {"zero": True, "nice": True}, "axis": {**_numbers(), "grid": True}}
    y = {"field": "x", "type": "ordinal", "sort": labels, "axis": {**_axis(), "labelLimit": 140, "grid": False}}
    row: Spec = {"y": y, "color": _colour(names)}
    if len(names) > 1:
        row["yOffset"] = {"field": "s", "sort": names}
    line = {"type": "rule", "strokeWidth": 2.4, "opacity": 0.55}
    layers = [
        *_reference(reference, "x", x, MUTED),
        _layer(line, "isValid(datum.lo)", **row, x={**x, "field": "lo"}, x2={"field": "hi"}),
        _layer(_dot(44), **row, x={**x, "field": "v"}, shape=_shape(names), fill=_fill(names)),
    ]
    step = 22 if len(names) == 1 else 13 * len(names) + 8
    return _page(
        {"data": {"values": [point.row() for point in points]}, "height": step * max(1, len(labels)), "layer": layers}
    )


def spread(points: Sequence[Point], *, reference: float | None = None) -> Spec:
    """Many places without names, in the order of their values: shows how far they differ beyond chance."""
    rows = sorted((p.row() for p in points if p.value is not None), key=lambda row: (row["v"], row["x"]))
    values = [{**row, "i": index} for index, row in enumerate(rows)]
    x = {
        "field": "i",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [-1, max(1, len(values))], "nice": False},
    }
    y = {"type": "quantitative", "scale": {"zero": True, "nice": True}, "axis": _numbers()}
    line = {"type": "rule", "opacity": 0.4, "color": ACCENT}
    layers = [
        _layer(line, "isValid(datum.lo)", x=x, y={**y, "field": "lo"}, y2={"field": "hi"}),
        _layer(
            {"type": "point", "size": 9, "opacity": 1, "color": ACCENT}, x=x, y={**y, "field": "v"}, fill=_fill([""])
        ),
        *_reference(reference, "y", y, INK),
    ]
    return _page({"data": {"values": values}, "height": 220, "layer": layers})


def thin(labels: Sequence[str], room: int = 46) -> list[str]:
    """As many labels as there is room for, evenly spaced, counted back from the last.

    Examples
    --------
    >>> thin([str(y) for y in range(2010, 2020)])
    ['2011', '2013', '2015', '2017', '2019']
    """
    widest = max((len(label) for label in labels), default=1)
    fit = max(2, int((WIDTH - 40) / max(room, 7.5 * widest)))
    step = -(-len(labels) // fit)
    return list(reversed(list(reversed(labels))[::step]))


def _layer(mark: Spec, where: str | None = None, **encoding: Spec) -> Spec:
    """One mark with its encoding, of the rows for which `where` (a Vega expression) holds."""
    return {"mark": mark, "encoding": encoding, **({"transform": [{"filter": where}]} if where else {})}


def _dot(size: int) -> Spec:
    return {"type": "point", "size": size, "opacity": 1, "strokeWidth": 1.6}


def _reference(value: float | None, axis: str, scale: Spec, colour: str) -> list[Spec]:
    """A dashed line; its own data, or it would be drawn once a row."""
    if value is None:
        return []
    mark = {"type": "rule", "color": colour, "strokeDash": [3, 3]}
    return [{"data": {"values": [{}]}, "mark": mark, "encoding": {axis: {"datum": value, **scale}}}]


def _axis() -> Spec:
    return {"title": None, "domain": False, "ticks": False, "labelPadding": 6}


def _numbers() -> Spec:
    # the last label stays below its tick: pushed inwards it would run into the one before
    return {**_axis(), "format": FORMAT, "tickCount": 4, "labelFlush": False}


def _colour(names: Sequence[str]) -> Spec:
    return {
        "field": "s",
        "type": "nominal",
        "scale": {"domain": list(names), "range": [ACCENT, SECOND, INK, MUTED]},
        "legend": None,
    }


def _fill(names: Sequence[str]) -> Spec:
    tests: list[Spec] = [{"test": "datum.open", "value": PAPER}]
    tests += [
        {"test": {"field": "s", "equal": name}, "value": c}
        for name, c in zip(names[1:], (SECOND, INK, MUTED), strict=False)
    ]
    return {"condition": tests, "value": ACCENT}


def _shape(names: Sequence[str]) -> Spec:
    return {
        "field": "s",
        "type": "nominal",
        "scale": {"domain": list(names), "range": ["circle", "square", "diamond", "triangle-up"]},
        "legend": None,
    }


def _dash(names: Sequence[str]) -> Spec:
    return {
        "field": "s",
        "type": "nominal",
        "scale": {"domain": list(names), "range": [[1, 0], [6, 3], [2, 2], [8, 2]]},
        "legend": None,
    }


def _page(spec: Spec) -> Spec:
    return {
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 12, "right": 20, "top": 4, "bottom": 2},
        "background": None,
        **spec,
        "config": {
            "view": {"stroke": None},
            "axis": {"labelFontSize": 12, "labelColor": INK, "gridColor": GRID},
        },
    }
