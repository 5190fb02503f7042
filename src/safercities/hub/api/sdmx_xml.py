"""Data as SDMX-ML: 2.1 generic and structure-specific, 3.0; written while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa

from safercities.hub.api.sdmx_query import ALL
from safercities.release.sdmx_data import written
from safercities.release.sdmx_names import AGENCY, FLOW, FORMAT, Component
from safercities.release.sdmx_structure import DSD

_BASE = "http://www.sdmx.org/resources/sdmxml/schemas/v"
_VALUE = "OBS_VALUE"
_AT_ONCE = 2_000


@dataclass(frozen=True)
class Shape:
    """How the data are written.

    Parameters
    ----------
    columns
        Of the data structure, in their order.
    at
        Dimension that the observations of a series differ in, or `ALL`.
    attributes, observations
        Whether they are told.
    """

    version: str
    generic: bool
    columns: tuple[Component, ...]
    at: str
    attributes: bool
    observations: bool
    owner: str
    synthetic: bool
    prepared: datetime

    @property
    def key(self) -> tuple[str, ...]:
        """Dimensions of a series; without series none."""
        if self.at == ALL:
            return ()
        return tuple(one.id for one in self.columns if one.role == "dimension" and one.id != self.at)

    @property
    def told(self) -> tuple[Component, ...]:
        """Columns that are needed."""
        kept = ("dimension", "measure", "attribute") if self.attributes else ("dimension", "measure")
        return tuple(one for one in self.columns if one.role in kept)


Rows = Iterable[pa.Table]


def write(shape: Shape, parts: Rows) -> Iterator[bytes]:
    """The message. Rows of a series have to follow each other."""
    yield _head(shape).encode()
    pieces: list[str] = []
    for piece in _series(shape, parts) if shape.key else _flat(shape, parts):
        pieces.append(piece)
        if len(pieces) >= _AT_ONCE:
            yield "".join(pieces).encode()
            pieces.clear()
    yield ("".join(pieces) + _foot(shape)).encode()


# -- around ------------------------------------------------------------------------------------------------------------


def _root(shape: Shape) -> str:
    return "GenericData" if shape.generic else "StructureSpecificData"


def _head(shape: Shape) -> str:
    base = _BASE + ("2_1" if shape.version == "2.1" else "3_0")
    urn = f"urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure={shape.owner}:{DSD}({FORMAT})"
    own = f"{urn}:ObsLevelDim:{shape.at}"
    spaces = {"mes": f"{base}/message", "com": f"{base}/common", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
    if shape.generic:
        spaces["gen"] = f"{base}/data/generic"
    else:
        spaces["ss"] = f"{base}/data/structurespecific"
    declared = "".join(f" xmlns:{name}={quoteattr(space)}" for name, space in spaces.items())
    usage = f"<URN>{escape(urn)}</URN>" if shape.version == "2.1" else escape(urn)
    namespace = "" if shape.generic else f" namespace={quoteattr(own)}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<mes:{_root(shape)}{declared}>\n<mes:Header>'
        f"<mes:ID>{FLOW}</mes:ID><mes:Test>{str(shape.synthetic).lower()}</mes:Test>"
        f"<mes:Prepared>{shape.prepared.strftime('%Y-%m-%dT%H:%M:%SZ')}</mes:Prepared>"
        f'<mes:Sender id="{AGENCY}"/>'
        f'<mes:Structure structureID="{FLOW}"{namespace} dimensionAtObservation="{shape.at}">'
        f"<com:Structure>{usage}</com:Structure></mes:Structure>"
        f"</mes:Header>\n{_set(shape, own)}\n"
    )


def _set(shape: Shape, own: str) -> str:
    if shape.generic:
        return f'<mes:DataSet structureRef="{FLOW}" action="Information">'
    # the name of the data's own space stands here, not at the root: sdmx1 remembers those for good, and trips over them
    kind = f'xmlns:own={quoteattr(own)} ss:dataScope="DataStructure" xsi:type="own:DataSetType"'
    return f'<mes:DataSet {kind} ss:structureRef="{FLOW}" ss:action="Information">'


def _foot(shape: Shape) -> str:
    return f"</mes:DataSet>\n</mes:{_root(shape)}>\n"


# -- rows --------------------------------------------------------------------------------------------------------------


def _cells(shape: Shape, part: pa.Table) -> list[list[str]]:
    """Columns as texts that may stand in an attribute of XML, with their quotation marks."""
    return [_quoted(written(part, one)) for one in shape.told]


def _quoted(texts: Sequence[str]) -> list[str]:
    known = {text: quoteattr(text) for text in set(texts)}
    return [known[text] for text in texts]


_EMPTY = '""'


def _flat(shape: Shape, parts: Rows) -> Iterator[str]:
    """Each row with all its dimensions."""
    observation = _generic_flat(shape) if shape.generic else _specific(shape, [one.id for one in shape.told])
    for part in parts:
        yield from (observation(row) for row in zip(*_cells(shape, part), strict=True))


def _series(shape: Shape, parts: Rows) -> Iterator[str]:
    """Rows in series."""
    ids = [one.id for one in shape.told]
    at = [ids.index(name) for name in shape.key]
    rest = [name for name in ids if name not in shape.key]
    where = [ids.index(name) for name in rest]
    observation = _generic(shape, rest) if shape.generic else _specific(shape, rest)
    before: tuple[str, ...] | None = None
    close = "</gen:Series>\n" if shape.generic else "</Series>\n"
    for part in parts:
        for row in zip(*_cells(shape, part), strict=True):
            key = tuple(row[place] for place in at)
            if key != before:
                yield (close if before is not None else "") + _opening(shape, key)
                before = key
            if shape.observations:
                yield observation([row[place] for place in where])
    if before is not None:
        yield close


def _opening(shape: Shape, key: Sequence[str]) -> str:
    if not shape.generic:
        return "<Series" + "".join(f" {name}={text}" for name, text in zip(shape.key, key, strict=True)) + ">"
    return f"<gen:Series><gen:SeriesKey>{_values(shape.key, key)}</gen:SeriesKey>"


def _values(names: Sequence[str], cells: Sequence[str]) -> str:
    return "".join(
        f'<gen:Value id="{name}" value={cell}/>' for name, cell in zip(names, cells, strict=True) if cell != _EMPTY
    )


Write = Callable[[Sequence[str]], str]


def _specific(shape: Shape, names: Sequence[str]) -> Write:
    """`<Obs …/>`; an attribute that says nothing is left out, and so is the value of what is withheld."""
    begin = [f" {name}=" for name in names]

    def observation(row: Sequence[str]) -> str:
        told = "".join([name + cell for name, cell in zip(begin, row, strict=True) if cell != _EMPTY])
        return f"<Obs{told}/>"

    return observation


def _parts(shape: Shape, names: Sequence[str]) -> tuple[list[int], int, list[int]]:
    """Where dimensions, value and attributes stand."""
    kinds = {one.id: one.role for one in shape.told}
    dims = [at for at, name in enumerate(names) if kinds[name] == "dimension"]
    return dims, list(names).index(_VALUE), [at for at, name in enumerate(names) if kinds[name] == "attribute"]


def _tail(row: Sequence[str], names: Sequence[str], value: int, attributes: Sequence[int]) -> str:
    said = "" if row[value] == _EMPTY else f"<gen:ObsValue value={row[value]}/>"
    told = _values([names[at] for at in attributes], [row[at] for at in attributes])
    return said + (f"<gen:Attributes>{told}</gen:Attributes>" if told else "") + "</gen:Obs>"


def _generic(shape: Shape, names: Sequence[str]) -> Write:
    (own,), value, attributes = _parts(shape, names)

    def observation(row: Sequence[str]) -> str:
        return f"<gen:Obs><gen:ObsDimension value={row[own]}/>" + _tail(row, names, value, attributes)

    return observation


def _generic_flat(shape: Shape) -> Write:
    names = [one.id for one in shape.told]
    dims, value, attributes = _parts(shape, names)

    def observation(row: Sequence[str]) -> str:
        key = _values([names[at] for at in dims], [row[at] for at in dims])
        return f"<gen:Obs><gen:ObsKey>{key}</gen:ObsKey>" + _tail(row, names, value, attributes)

    return observation
