"""Reads what the codes of somebody else's release mean: places with names and parents, labels of every breakdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from safercities.model.errors import SafercitiesError, problem
from safercities.model.places import Place
from safercities.release.sdmx_data import bounded
from safercities.release.sdmx_names import code_text, dimension_name

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_BYTES = 128 * 2**20
_DEEPEST = 16
#: Elements of the file: a release of half a million places has no more. Each takes memory, however short it is.
_MOST_ELEMENTS = 4_000_000
_LONGEST = 10_000
_FIXED = {"INDICATOR": "indicator", "SOURCE": "source", "UNIT_MEASURE": "unit", "METHOD": "method"}
_ROOT = "Structure"


@dataclass(frozen=True)
class Meaning:
    """What the codes of a release mean, in its main language.

    Parameters
    ----------
    places
        With their parents; a parent that is not in the release is None.
    labels
        Column of the estimates (indicator, source, unit, method, sex, …) → (code, label)…, in the release's order.
    """

    places: tuple[Place, ...]
    labels: Mapping[str, tuple[tuple[str, str], ...]]


def read_structure(given: Path | bytes, file: str = "structure.xml", *, most: int = MOST_BYTES) -> Meaning:
    """Read the code lists that `write_structure` wrote.

    Parameters are those of `sdmx_data.bounded`.

    Raises
    ------
    SafercitiesError
        If it is larger, is no XML, has a document type or entities, is nested deeper than a release's, or its
        code lists are not as a release writes them.
    """
    data = bounded(given, file, most)
    places: tuple[Place, ...] = ()
    labels: dict[str, tuple[tuple[str, str], ...]] = {}
    try:
        for listed in _codelists(data):
            component = listed.get("id", "").removeprefix("CL_")
            name = _FIXED.get(component) or dimension_name(component)
            if component == "REF_AREA":
                places = _places(listed)
            elif name is not None:
                labels[name] = tuple(_labels(listed, component))
    except ValueError as error:
        raise SafercitiesError(problem("sdmx-unreadable", file=file, why=str(error)[:200])) from None
    return Meaning(places, labels)


def _codelists(data: bytes) -> Iterator[Element]:
    """The code lists, one at a time: what came before is forgotten, so that memory holds one of them."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.ElementTree import iterparse

    depth = count = 0
    try:
        for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
            depth += 1 if event == "start" else -1
            count += event == "start"
            if count > _MOST_ELEMENTS:
                raise ValueError("it has too many elements")
            if depth > _DEEPEST:
                raise ValueError("it is nested too deeply")
            if depth == 1 and event == "start" and _local(element) != _ROOT:
                raise ValueError("it is no SDMX-ML structure")
            if event == "end" and _local(element) == "Codelist":
                yield element
                element.clear()
    except ParseError as error:
        raise ValueError(f"it is no XML: {error}") from None


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _parts(element: Element, name: str) -> list[Element]:
    return [part for part in element if _local(part) == name]


def _text(element: Element, name: str) -> str | None:
    """Text of the first part of that name: of names, the one in the main language."""
    found = _parts(element, name)
    text = (found[0].text or "") if found else None
    if text is not None and len(text) > _LONGEST:
        raise ValueError(f"a {name} is longer than {_LONGEST} letters")
    return text


def _labels(listed: Element, component: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for code in _parts(listed, "Code"):
        text = code_text(code.get("id", ""), component)
        if text is None:
            continue
        if text in seen:
            raise ValueError(f"the code {text[:40]} stands twice in {component}")
        seen.add(text)
        yield text, _text(code, "Name") or text


def _places(listed: Element) -> tuple[Place, ...]:
    """The areas that have a level: the others are not places, but cases that could not be placed."""
    found: dict[str, Place] = {}
    for code in _parts(listed, "Code"):
        notes = dict(_notes(code))
        id, parent = code_text(code.get("id", "")), _text(code, "Parent")
        if id is None or id in found:
            raise ValueError(f"the code {str(id)[:40]} stands twice in REF_AREA, or is none")
        if "LEVEL" in notes:
            lies_in = None if parent is None else code_text(parent)
            found[id] = _place(id, _text(code, "Name") or id, lies_in, notes)
    _check_tree(found)
    return tuple(found.values())


def _place(id: str, name: str, parent: str | None, notes: Mapping[str, str]) -> Place:
    days = {key: date.fromisoformat(notes[key]) for key in ("VALID_FROM", "VALID_TO") if key in notes}
    aliases = {key.removeprefix("ALIAS."): text for key, text in notes.items() if key.startswith("ALIAS.")}
    try:
        return Place(id, name, notes["LEVEL"], parent, None, days.get("VALID_FROM"), days.get("VALID_TO"), aliases)
    except SafercitiesError as error:
        raise ValueError(error.problems[0].what) from None


def _notes(code: Element) -> Iterator[tuple[str, str]]:
    for group in _parts(code, "Annotations"):
        for note in _parts(group, "Annotation"):
            kind, title = _text(note, "AnnotationType") or "", _text(note, "AnnotationTitle")
            yield (f"{kind}.{title}" if title else kind), _text(note, "AnnotationText") or ""


def _check_tree(places: Mapping[str, Place]) -> None:
    """Every parent is there, and nobody lies in itself."""
    top: set[str] = set()
    for place in places.values():
        path: dict[str, None] = {}
        at: str | None = place.id
        while at is not None and at not in top:
            if at in path:
                raise ValueError(f"the place {at[:40]} lies in itself")
            if at not in places:
                raise ValueError(f"the place {at[:40]} is a parent, but not in the list")
            path[at] = None
            at = places[at].parent
        top |= set(path)
