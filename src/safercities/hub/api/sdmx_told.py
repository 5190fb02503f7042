"""Structures of published figures: code lists, concepts, data structure and data flow, as SDMX-ML 3.0 and 2.1."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET  # to write
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from django.http import QueryDict

from safercities.hub.api.problems import ApiProblem, wrong
from safercities.hub.figures import Figures
from safercities.hub.figures.about import About, PlaceInfo
from safercities.model.dimensions import UNKNOWN
from safercities.release.sdmx_data import CONF_STATUS, OBS_STATUS
from safercities.release.sdmx_names import FREQUENCIES, Component, agency_of, code_id, components, time_period
from safercities.release.sdmx_structure import ENGLISH, SPACES, Head, Item, as_bytes, structure

#: Resource → the element that holds artefacts of it.
KINDS = {
    "dataflow": "Dataflows",
    "codelist": "Codelists",
    "conceptscheme": "ConceptSchemes",
    "datastructure": "DataStructures",
}
_CHILDREN = {
    "dataflow": ("datastructure",),
    "datastructure": ("codelist", "conceptscheme"),
    "codelist": (),
    "conceptscheme": (),
}
#: Other kinds of artefacts of SDMX 2.1. Who asks for one learns that it is not offered.
OTHERS = (
    *("agencyscheme", "allowedconstraint", "actualconstraint", "attachmentconstraint", "availableconstraint"),
    *("categorisation", "categoryscheme", "contentconstraint", "customtypescheme", "dataconsumerscheme"),
    *("dataproviderscheme", "hierarchicalcodelist", "metadataflow", "metadatastructure", "namepersonalisationscheme"),
    *("organisationscheme", "organisationunitscheme", "process", "provisionagreement", "reportingtaxonomy"),
    *("rulesetscheme", "structureset", "transformationscheme", "userdefinedoperatorscheme", "vtlmappingscheme"),
)
REFERENCES = (
    *("none", "parents", "parentsandsiblings", "ancestors", "children", "descendants", "all"),
    *KINDS,
    *OTHERS,  # there are none to tell
)
DETAILS = ("full", "allstubs", "referencestubs", "allcompletestubs", "referencecompletestubs", "referencepartial")
_S, _C, _M = (f"{{{SPACES[name]}}}" for name in ("str", "com", "mes"))
_ITEMS = (f"{_S}Code", f"{_S}Concept")
_NAMES = (f"{_C}Name", f"{_C}Description", f"{_C}Annotations")
_EVERY = ("all", "*")
_lock = threading.Lock()
_made: dict[str, ET.Element] = {}
_KEPT = 20


@dataclass(frozen=True)
class Asked:
    """What is asked of the structures.

    Parameters
    ----------
    kinds
        Some of `KINDS`.
    ids
        Of the artefacts; `all` among them: any.
    items
        Codes or concepts that are wanted; none: all.
    references, detail
        What else is told, and how much; see `REFERENCES` and `DETAILS`.
    version
        Of SDMX-ML: 2.1 or 3.0.
    """

    kinds: frozenset[str]
    ids: frozenset[str]
    items: frozenset[str]
    references: str
    detail: str
    version: str

    def names(self, id: str) -> bool:
        """Whether an artefact is asked for."""
        return id in self.ids or any(one in self.ids for one in _EVERY)


def read_asked(resource: str, id: str, item: str, given: QueryDict, version: str) -> Asked:
    """What an address asks for.

    Parameters
    ----------
    resource
        One of `KINDS`, or `structure`: all of them.

    Raises
    ------
    ApiProblem
        If a word is unknown.
    """
    for name in given:
        if name not in ("references", "detail", "format"):
            raise wrong(name[:60], "there is no such parameter")
    references, detail = given.get("references", "none"), given.get("detail", "full")
    if references not in REFERENCES:
        raise wrong("references", f"choose among: {', '.join(REFERENCES)}")
    if detail not in DETAILS:
        raise wrong("detail", f"choose among: {', '.join(DETAILS)}")
    kinds = frozenset(KINDS) if resource == "structure" else frozenset({resource})
    ids, items = (frozenset(text.split("+")) - {""} for text in (id, item))
    return Asked(kinds, ids, frozenset() if items & {*_EVERY} else items, references, detail, version)


def told(figures: Figures, asked: Asked) -> bytes:
    """The message.

    Raises
    ------
    ApiProblem
        If there is no such artefact.
    """
    whole = _whole(figures)
    more = _referenced(asked.kinds, asked.references)
    root = ET.Element(whole.tag, whole.attrib)
    root.append(deepcopy(whole[0]))  # the header
    structures = ET.SubElement(root, f"{_M}Structures")
    found = 0
    for kind, holder in KINDS.items():
        group = ET.Element(f"{_S}{holder}")
        for one in whole.iterfind(f"{_M}Structures/{_S}{holder}/*"):
            right = kind in asked.kinds and asked.names(one.get("id", ""))
            made = _told(one, asked, right) if right or kind in more else None
            found += right and made is not None
            if made is not None:
                group.append(made)
        if len(group):
            structures.append(group)
    if not found:
        raise ApiProblem("not-found")
    return as_bytes(root) if asked.version == "3.0" else _as_21(root)


def _told(one: ET.Element, asked: Asked, right: bool) -> ET.Element | None:
    """A copy of an artefact, as much of it as is wanted; None where it has none of the items that were asked for."""
    if asked.detail.startswith("all") or (asked.detail.endswith("stubs") and not right):
        return _stub(one)
    if not right or not asked.items:
        return deepcopy(one)
    made = ET.Element(one.tag, one.attrib | {"isPartial": "true"})
    parts = [part for part in one if part.tag not in _ITEMS or part.get("id") in asked.items]
    made.extend(deepcopy(parts))
    return made if any(part.tag in _ITEMS for part in parts) else None


def _referenced(asked: Iterable[str], references: str) -> set[str]:
    """Kinds that are told beside what was asked for."""
    if references in KINDS or references in OTHERS:
        return {references}
    parents = {kind for kind, under in _CHILDREN.items() if set(under) & set(asked)}
    children = {one for kind in asked for one in _CHILDREN[kind]}
    if references == "parentsandsiblings":
        return parents | {one for kind in parents for one in _CHILDREN[kind]}
    below = children | {one for kind in children for one in _CHILDREN[kind]}
    above = parents | {kind for kind, under in _CHILDREN.items() if set(under) & parents}
    return {
        "none": set(),
        "parents": parents,
        "ancestors": above,
        "children": children,
        "descendants": below,
        "all": set(KINDS),
    }[references]


def _stub(one: ET.Element) -> ET.Element:
    """The artefact's name only; where the whole is, is where it was asked for."""
    made = ET.Element(one.tag, one.attrib | {"isExternalReference": "true"})
    made.extend(deepcopy(part) for part in one if part.tag in _NAMES)
    return made


def _whole(figures: Figures) -> ET.Element:
    """Everything, made once a version of the figures."""
    key = f"{figures.about.place}:{figures.version}"
    found = _made.get(key)
    if found is None:
        found = _structure(figures)
        with _lock:
            if len(_made) >= _KEPT:
                _made.clear()
            _made[key] = found
    return found


def _structure(figures: Figures) -> ET.Element:
    about, columns = figures.about, components(figures.dimensions)
    newest = max((one.published for one in about.releases), default=None)
    if newest is None:
        raise ApiProblem("nothing-published")
    language = about.languages[0] if about.languages else ENGLISH
    head = Head(code_id(about.place), about.synthetic, newest, about.name, language, agency_of(about.place))
    codes = {one.id: list(_items(about, one, language)) for one in columns if one.coded}
    return structure(head, columns, codes)


def _items(about: About, one: Component, language: str) -> Iterator[Item]:
    """The codes of a column."""
    if one.id == "FREQ":
        used = {time_period(period)[0] for period in about.texts["period"]}
        yield from (Item(code, code, {ENGLISH: label}) for code, label in FREQUENCIES.items() if code in used)
    elif one.id in ("OBS_STATUS", "CONF_STATUS"):
        listed = OBS_STATUS if one.id == "OBS_STATUS" else CONF_STATUS
        yield from (Item(code, code, {ENGLISH: label}) for code, label in listed.items())
    elif one.id == "REF_AREA":
        yield from (_area(one, place, about, language) for place in about.places.values())
    else:
        yield from _others(about, one, language)


def _area(one: Component, place: PlaceInfo, about: About, language: str) -> Item:
    notes = {} if place.id.startswith(f"{UNKNOWN}.") else {"LEVEL": place.level}
    days = {"VALID_FROM": place.valid_from, "VALID_TO": place.valid_to}
    notes |= {name: day.isoformat() for name, day in days.items() if day is not None}
    notes |= {f"ALIAS.{scheme}": other for scheme, other in sorted(place.aliases.items())}
    parent = code_id(place.parent, one.id) if place.parent in about.places else None
    return Item(code_id(place.id, one.id), place.id, {language: place.name}, parent=parent, notes=notes)


def _others(about: About, one: Component, language: str) -> Iterator[Item]:
    """Codes of indicators, versions, sources, units, methods and breakdowns."""
    for text in about.texts[one.column]:
        label, what, spoken = text, "", ENGLISH
        if one.column == "indicator" and text in about.indicators:
            indicator = about.indicators[text]
            label, what = indicator.label(ENGLISH), indicator.definitions[-1].text if indicator.definitions else ""
        elif one.column == "source" and text in about.sources:
            label, spoken = about.sources[text].label, language
        elif one.column in about.dimensions:
            label = about.dimensions[one.column].label_of(text)
        yield Item(code_id(text, one.id), text, {spoken: label}, about=what)
    if one.column in ("unit", "method", "source"):
        yield Item(code_id(None), None, {ENGLISH: "Not applicable"})


# -- SDMX-ML 2.1 -------------------------------------------------------------------------------------------------------

_HOLDERS_21 = {"ConceptSchemes": "Concepts"}
_USAGE_21 = {"mandatory": "Mandatory", "optional": "Conditional"}
#: Elements whose text is the URN of what they point to.
_POINTERS = ("Structure", "ConceptIdentity", "Enumeration")


def _as_21(root: ET.Element) -> bytes:
    """The same in the words of 2.1, whose names are in other spaces: the root declares them."""
    for element in root.iter():
        space, _, name = element.tag.rpartition("}")
        if space == f"{{{SPACES['str']}":
            _to_21(element, name)
    head, mark, rest = as_bytes(root).partition(b"<mes:Header>")
    return head.replace(b"/v3_0/", b"/v2_1/") + mark + rest


def _to_21(element: ET.Element, name: str) -> None:
    text = (element.text or "").strip()
    if name in _HOLDERS_21:
        element.tag = _S + _HOLDERS_21[name]
    elif name in _POINTERS and text:
        element.text = None
        ET.SubElement(element, "URN").text = text
    elif name == "Parent":
        element.text = None
        ET.SubElement(element, "Ref", id=text)
    elif name == "Measure":
        element.tag = f"{_S}PrimaryMeasure"
    elif name == "Attribute":
        element.set("assignmentStatus", _USAGE_21[element.attrib.pop("usage")])
    elif name == "AttributeRelationship":
        for part in list(element):
            element.remove(part)
        ET.SubElement(ET.SubElement(element, f"{_S}PrimaryMeasure"), "Ref", id="OBS_VALUE")
