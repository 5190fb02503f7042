"""Turns chart specs into SVG for a page: text stays text, colours follow the page, readers hear a title."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import vl_convert
from defusedxml.ElementTree import fromstring

from safercities.model.printable import without_controls
from safercities.review import charts

_SVG = "{http://www.w3.org/2000/svg}"
#: Marks of `charts` → CSS variable of style.css, with the light theme's colour for readers that know no variables.
_COLOURS = {
    charts.INK: "var(--ink,#1b2326)",
    charts.MUTED: "var(--muted,#566066)",
    charts.GRID: "var(--line,#d9dcda)",
    charts.ACCENT: "var(--accent,#0b5c7a)",
    charts.SECOND: "var(--second,#9a4f08)",
    charts.PAPER: "var(--paper,#ffffff)",
}
_DROPPED = re.compile(r"^(role|class|font-family|pointer-events|aria-.*)$")


def draw(spec: charts.Spec, *, uid: str, title: str, desc: str, numbers: dict[str, object]) -> str:
    """Draw a chart.

    Parameters
    ----------
    uid
        Prefix of the ids in the SVG; unique in the page.
    title, desc
        Read out instead of the drawing.
    numbers
        Marks of numbers on the axes (d3-format locale).

    Examples
    --------
    >>> spec = charts.sparkline([charts.Point("a", 1.0), charts.Point("b", 2.0)])
    >>> svg = draw(spec, uid="s", title="T", desc="D", numbers={})
    >>> svg[:28], "<title id=\\"s-t\\">T</title>" in svg
    ('<svg viewBox="0 0 208 52" xm', True)
    """
    raw = vl_convert.vegalite_to_svg(_drawable(spec), allowed_base_urls=[], format_locale=numbers or None)
    root = fromstring(raw)
    for element in root.iter():
        _clean(element, uid)
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    root.attrib.pop("version", None)
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("class", "chart")
    root.set("aria-labelledby", f"{uid}-t {uid}-d")
    _words(root, uid, title, desc)
    _prune(root)
    return tostring(root, encoding="unicode") + "\n"


def _drawable(value: Any) -> Any:
    """A spec without the characters that XML cannot hold: one of them in a name would end the whole process."""
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, dict):
        return {key: _drawable(item) for key, item in value.items()}
    return [_drawable(item) for item in value] if isinstance(value, list) else value


def _words(root: Element, uid: str, title: str, desc: str) -> None:
    for position, (name, text) in enumerate((("title", title), ("desc", desc))):
        element = SubElement(root, name)
        element.text = text
        element.set("id", f"{uid}-{name[0]}")
        root.remove(element)
        root.insert(position, element)


def _clean(element: Element, uid: str) -> None:
    element.tag = element.tag.replace(_SVG, "")
    if element.tag == "svg":
        element.set("xmlns", _SVG.strip("{}"))
    for name, value in list(element.attrib.items()):
        if _DROPPED.match(name):
            del element.attrib[name]
        elif name in ("fill", "stroke") and value in _COLOURS:
            element.set(name, _COLOURS[value])
        elif name in ("opacity", "fill-opacity", "stroke-opacity") and value == "1":
            del element.attrib[name]
        elif name in ("transform", "d"):
            element.set(name, _short(value))
        elif name == "id":
            element.set(name, f"{uid}-{value}")
        elif "url(#" in value:
            element.set(name, value.replace("url(#", f"url(#{uid}-"))


def _short(numbers: str) -> str:
    """Numbers with two decimals at most: a hundredth of a pixel."""
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{round(float(found[0]), 2) + 0.0:g}", numbers)


def _prune(element: Element) -> None:
    """Remove groups and paths that draw nothing."""
    for child in list(element):
        _prune(child)
        empty_group = child.tag == "g" and not len(child)
        invisible = child.get("display") == "none" or child.get("d") in ("", "M0,0h0v0h0Z")
        if empty_group or invisible:
            element.remove(child)
