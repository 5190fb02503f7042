"""What the codes of a release mean, as SDMX-ML 3.0: places with their names, labels, and the data structure itself."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # to write; what others wrote is read with defusedxml
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from safercities.model.dimensions import UNKNOWN, dimension
from safercities.model.places import Place
from safercities.model.printable import one_line
from safercities.release.sdmx_data import CONF_STATUS, OBS_STATUS
from safercities.release.sdmx_names import (
    AGENCY,
    FLOW,
    FORMAT,
    FREQUENCIES,
    Component,
    agency,
    code_id,
    components,
    time_period,
)

if TYPE_CHECKING:
    from safercities.indicators.spec import Indicator
    from safercities.release.content import Content

ENGLISH = "en"
SPACES = {
    name: f"http://www.sdmx.org/resources/sdmxml/schemas/v3_0/{path}"
    for name, path in (("mes", "message"), ("str", "structure"), ("com", "common"))
}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
CONCEPTS = "CS_ESTIMATES"
DSD = "DSD_ESTIMATES"


@dataclass(frozen=True)
class Item:
    """One entry of a code list.

    Parameters
    ----------
    id
        In SDMX.
    text
        The code itself, as the estimates have it.
    names
        Language → name; the first is the main one.
    parent
        Id of the code that it lies in.
    notes
        What else is known: `LEVEL`, `VALID_FROM`, `VALID_TO`, and `ALIAS.<scheme>`.
    """

    id: str
    text: str | None
    names: Mapping[str, str]
    about: str = ""
    parent: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)


def write_structure(content: Content, path: Path) -> None:
    """Write code lists, concepts, data structure and dataflow as SDMX-ML 3.0. The same content gives the same bytes.

    Names stand in the observatory's first language where they are its own (places, sources, its own values of a
    breakdown), in English where they come from code lists and definitions.

    Source: SDMX Technical Working Group, "SDMX-ML 3.0, Structure".
    """
    columns = components(content.estimates.dimensions)
    head = Head(
        code_id(f"{content.place.id}.{content.period}"),
        content.synthetic,
        content.published,
        content.name,
        content.languages[0] if content.languages else ENGLISH,
        agency(content),
    )
    root = structure(head, columns, {one.id: items(content, one) for one in columns if one.coded})
    path.write_bytes(as_bytes(root))


@dataclass(frozen=True)
class Head:
    """What a structure message says of itself.

    Parameters
    ----------
    name, language
        Of the observatory, and the language that it is in.
    owner
        The agency that maintains the code lists.
    """

    id: str
    synthetic: bool
    prepared: date
    name: str
    language: str
    owner: str


def structure(head: Head, columns: Sequence[Component], codes: Mapping[str, Iterable[Item]]) -> ET.Element:
    """Code lists, concepts, data structure and dataflow as SDMX-ML 3.0.

    Parameters
    ----------
    codes
        Id of a column that is coded → its codes.
    """
    for name, space in SPACES.items():
        ET.register_namespace(name, space)
    root = ET.Element(_tag("mes:Structure"))
    _header(root, head)
    structures = _under(root, "mes:Structures")
    _flow(structures, head)
    lists = _under(structures, "str:Codelists")
    for one in columns:
        if one.coded:
            _codelist(lists, one, codes[one.id], head.owner)
    _concepts(structures, columns, head.owner)
    _data_structure(structures, columns, head.owner)
    return root


def as_bytes(root: ET.Element) -> bytes:
    """The file."""
    ET.indent(root, " ")
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


# --------------------------------------------------------------------------------------------------------------- codes


def items(content: Content, one: Component) -> list[Item]:
    """The codes of a column: what is known of them first, then every other one in the estimates."""
    if one.id in ("OBS_STATUS", "CONF_STATUS", "FREQ"):
        return _standard(content, one)
    known = dict(_known(content, one))
    used = sorted(_used(content, one.column), key=lambda text: (text is None, text or ""))
    return [*known.values(), *(_item(one, text, {ENGLISH: _said(one, text)}) for text in used if text not in known)]


def _said(one: Component, text: str | None) -> str:
    """What can be said of a code that nothing is known of."""
    if text is None:
        return "Not applicable"
    unknown, _, level = text.partition(".")
    return f"Not placed ({level})" if one.id == "REF_AREA" and unknown == UNKNOWN else text


def _standard(content: Content, one: Component) -> list[Item]:
    lists = {"OBS_STATUS": OBS_STATUS, "CONF_STATUS": CONF_STATUS, "FREQ": FREQUENCIES}
    used = {time_period(str(period))[0] for period in _used(content, "period")}
    return [
        Item(code, code, {ENGLISH: label}) for code, label in lists[one.id].items() if one.id != "FREQ" or code in used
    ]


def _used(content: Content, column: str) -> set[str | None]:
    return set(pc.unique(content.estimates.table.column(column)).to_pylist())


def _item(one: Component, text: str | None, names: Mapping[str, str], **more: object) -> Item:
    return Item(code_id(text, one.id), text, names, **more)  # type: ignore[arg-type]


def _known(content: Content, one: Component) -> Iterator[tuple[str | None, Item]]:
    """Codes with a name."""
    main = content.languages[0] if content.languages else ENGLISH
    if one.id == "REF_AREA":
        ids = {place.id for place in content.places}
        yield from ((place.id, _area(one, place, ids, main)) for place in content.places)
    elif one.id == "INDICATOR":
        yield from ((code, _indicator(one, code, found)) for code, found in content.indicators.items())
    elif one.id == "SOURCE":
        yield from ((source.name, _item(one, source.name, {main: source.label})) for source in content.series)
    elif one.column in content.dimensions:
        listed = dimension(one.column).codes
        for code, label in content.dimensions[one.column]:
            own = listed is None or listed.label_of(code) != label
            yield code, _item(one, code, {main if own else ENGLISH: label})


def _area(one: Component, place: Place, ids: set[str], main: str) -> Item:
    parent = place.parent if place.parent in ids else None
    days = {"VALID_FROM": place.valid_from, "VALID_TO": place.valid_to}
    notes = {"LEVEL": place.level} | {name: day.isoformat() for name, day in days.items() if day is not None}
    notes |= {f"ALIAS.{scheme}": other for scheme, other in sorted(place.aliases.items())}
    return _item(one, place.id, {main: place.name}, parent=parent and code_id(parent, one.id), notes=notes)


def _indicator(one: Component, code: str, found: Indicator) -> Item:
    newest = found.on()
    return _item(one, code, {ENGLISH: newest.label}, about=newest.definition)


# ----------------------------------------------------------------------------------------------------------------- XML


def _tag(name: str) -> str:
    space, _, local = name.partition(":")
    return f"{{{SPACES[space]}}}{local}"


def _under(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, _tag(name), attributes)
    made.text = None if text is None else one_line(text)
    return made


def _named(parent: ET.Element, names: Mapping[str, str], about: str = "") -> None:
    for name, texts in (("com:Name", names), ("com:Description", {ENGLISH: about} if about else {})):
        for language, text in texts.items():
            _under(parent, name, text or "–").set(_LANG, language)


def _header(root: ET.Element, head: Head) -> None:
    header = _under(root, "mes:Header")
    _under(header, "mes:ID", head.id)
    _under(header, "mes:Test", "true" if head.synthetic else "false")
    _under(header, "mes:Prepared", f"{head.prepared.isoformat()}T00:00:00Z")
    sender = _under(header, "mes:Sender", id=AGENCY)
    _named(sender, {head.language: head.name})


def _maintained(parent: ET.Element, name: str, id: str, owner: str, label: Mapping[str, str]) -> ET.Element:
    made = _under(parent, name, id=id, agencyID=owner, version=FORMAT, isExternalReference="false")
    _named(made, label)
    return made


def _urn(kind: str, owner: str, id: str, item: str = "") -> str:
    package = {"Codelist": "codelist", "Concept": "conceptscheme", "DataStructure": "datastructure"}[kind]
    return f"urn:sdmx:org.sdmx.infomodel.{package}.{kind}={owner}:{id}({FORMAT})" + (f".{item}" if item else "")


def _flow(structures: ET.Element, head: Head) -> None:
    flows = _under(structures, "str:Dataflows")
    flow = _maintained(flows, "str:Dataflow", FLOW, head.owner, {head.language: head.name})
    _under(flow, "str:Structure", _urn("DataStructure", head.owner, DSD))


def _codelist(lists: ET.Element, one: Component, codes: Iterable[Item], owner: str) -> None:
    made = _maintained(lists, "str:Codelist", one.codelist, owner, {ENGLISH: one.label})
    for item in codes:
        code = _under(made, "str:Code", id=item.id)
        _annotate(code, item)
        _named(code, item.names, item.about)
        if item.parent:
            _under(code, "str:Parent", item.parent)


def _annotate(code: ET.Element, item: Item) -> None:
    own = {"CODE": item.text} if item.text is not None and item.text != item.id else {}
    if not own and not item.notes:
        return
    annotations = _under(code, "com:Annotations")
    for name, text in (own | dict(item.notes)).items():
        kind, _, title = name.partition(".")
        note = _under(annotations, "com:Annotation")
        if title:
            _under(note, "com:AnnotationTitle", title)
        _under(note, "com:AnnotationType", kind)
        _under(note, "com:AnnotationText", text).set(_LANG, ENGLISH)


def _concepts(structures: ET.Element, columns: Sequence[Component], owner: str) -> None:
    schemes = _under(structures, "str:ConceptSchemes")
    scheme = _maintained(schemes, "str:ConceptScheme", CONCEPTS, owner, {ENGLISH: "Columns of the estimates"})
    for one in columns:
        _named(_under(scheme, "str:Concept", id=one.id), {ENGLISH: one.label})


def _data_structure(structures: ET.Element, columns: Sequence[Component], owner: str) -> None:
    kinds = _under(structures, "str:DataStructures")
    made = _maintained(kinds, "str:DataStructure", DSD, owner, {ENGLISH: "Estimates of safety in a city"})
    parts = _under(made, "str:DataStructureComponents")
    dimensions = _under(parts, "str:DimensionList", id="DimensionDescriptor")
    attributes = _under(parts, "str:AttributeList", id="AttributeDescriptor")
    measures = _under(parts, "str:MeasureList", id="MeasureDescriptor")
    for place, one in enumerate(columns, start=1):
        if one.id == "TIME_PERIOD":
            _component(_under(dimensions, "str:TimeDimension", id=one.id), one, owner)
        elif one.role == "dimension":
            _component(_under(dimensions, "str:Dimension", id=one.id, position=str(place)), one, owner)
        elif one.role == "measure":
            _component(_under(measures, "str:Measure", id=one.id), one, owner)
        else:
            usage = "mandatory" if one.id == "CONF_STATUS" else "optional"
            attribute = _under(attributes, "str:Attribute", id=one.id, usage=usage)
            _component(attribute, one, owner)
            _under(_under(attribute, "str:AttributeRelationship"), "str:Observation")


def _component(made: ET.Element, one: Component, owner: str) -> None:
    _under(made, "str:ConceptIdentity", _urn("Concept", owner, CONCEPTS, one.id))
    form = _under(made, "str:LocalRepresentation")
    if one.coded:
        _under(form, "str:Enumeration", _urn("Codelist", owner, one.codelist))
    else:
        _under(form, "str:TextFormat", textType=_text_type(one))


def _text_type(one: Component) -> str:
    if one.id == "TIME_PERIOD":
        return "ObservationalTimePeriod"
    if one.column in ("n", "n_positive"):
        return "Long"
    return "String" if one.column in ("quality", "scheme", "verdict", "note") else "Double"
