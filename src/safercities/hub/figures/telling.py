"""Tells of figures from what verified releases say of themselves: manifests, and code lists of `structure.xml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safercities.hub.figures.about import Definition, DimensionInfo, PlaceInfo, ReleaseInfo, SourceInfo
from safercities.indicators.spec import Indicator
from safercities.model.dimensions import TOTAL, UNKNOWN, age_range, dimension
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period
from safercities.release.manifest import Manifest, definition_hash
from safercities.release.sdmx_meaning import read_structure
from safercities.release.sdmx_names import code_text
from safercities.release.verify import Opened, Verified


@dataclass
class Told:
    """What releases said so far; the last one to speak of something is right."""

    places: dict[str, PlaceInfo] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, dict[str, str]] = field(default_factory=dict)
    sources: dict[str, SourceInfo] = field(default_factory=dict)

    def add(self, opened: Opened) -> None:
        """Take in a release; later ones after earlier ones."""
        data, said = opened.files["structure.xml"], opened.verified.manifest
        meaning = read_structure(data, f"{opened.verified.path.name}/structure.xml")
        for one in meaning.places:
            days = {"valid_from": one.valid_from, "valid_to": one.valid_to}
            known: dict[str, Any] = {"id": one.id, "name": one.name, "level": one.level, "parent": one.parent}
            self.places[one.id] = PlaceInfo(**known, **days, aliases=dict(one.aliases))
        for column, labels in meaning.labels.items():
            self.labels.setdefault(column, {}).update(labels)
        self.texts.update(_descriptions(data))
        for code, entry in said.indicators.items():
            self.definitions.setdefault(code, {}).update(dict.fromkeys(entry.versions, entry.sha256))
        for each in said.series:
            self.sources[each.name] = SourceInfo(**each.model_dump())

    def label(self, column: str, code: str) -> str:
        """What a code of a column is called."""
        return self.labels.get(column, {}).get(code, code)

    def dimension(self, name: str, codes: Sequence[str]) -> DimensionInfo:
        """A breakdown by these codes."""
        listed = tuple((code, self.label(name, code)) for code in codes)
        return DimensionInfo(name=name, label=dimension(name).label, codes=listed)

    def defined(self, code: str) -> tuple[tuple[Definition, ...], Indicator | None]:
        """The definitions that were used; and the catalogue's, where it is word for word the one that was used last."""
        from safercities.indicators.catalogue import catalogue

        entry = catalogue().get(code)
        ours = definition_hash(entry) if entry is not None else None
        found = tuple(
            self._definition(code, version, sha, entry if sha == ours else None)
            for version, sha in sorted(self.definitions[code].items())
        )
        return found, entry if entry is not None and any(one.known for one in found) else None

    def _definition(self, code: str, version: str, sha: str, entry: Indicator | None) -> Definition:
        exact = next((one for one in entry.versions if one.version == version), None) if entry is not None else None
        if exact is None:
            label, text = self.label("indicator", code), self.texts.get(code, "")
            return Definition(version=version, sha256=sha, known=False, label=label, text=text)
        names = ("label", "population", "reference_period", "source", "note")
        more = {name: getattr(exact, name) for name in names}
        return Definition(version=version, sha256=sha, known=True, text=exact.definition, **more)


def _descriptions(data: bytes) -> Iterator[tuple[str, str]]:
    """Code of an indicator and the text of its definition, from verified code lists."""
    from io import BytesIO

    from defusedxml.ElementTree import iterparse

    inside = False
    for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
        name = str(element.tag).rpartition("}")[2]
        if name == "Codelist":
            inside = event == "start" and element.get("id") == "CL_INDICATOR"
        if inside and event == "end" and name == "Code":
            code = code_text(element.get("id", ""), "INDICATOR")
            texts = [part.text for part in element if str(part.tag).endswith("}Description")]
            if code is not None and texts:
                yield code, texts[0] or ""
        if event == "end" and name in ("Code", "Codelist"):
            element.clear()


def releases(chain: Sequence[Verified], rows: Mapping[int, int]) -> tuple[ReleaseInfo, ...]:
    """The releases of a chain, newest first.

    Parameters
    ----------
    rows
        Number of a release → rows of it that are in the figures.
    """
    corrected = {each.manifest.supersedes: each.number for each in chain if each.manifest.supersedes}
    return tuple(_release(each.id, each.manifest, corrected.get(each.id), rows) for each in reversed(chain))


def _release(id: str, said: Manifest, superseded_by: int | None, rows: Mapping[int, int]) -> ReleaseInfo:
    same = {name: getattr(said, name) for name in _SAME}
    return ReleaseInfo(
        id=id,
        superseded_by=superseded_by,
        rows=rows.get(said.number, 0),
        periods=tuple(said.periods),
        coverage=tuple(each.model_dump() for each in said.coverage),
        people=tuple((each.place, each.period, each.people) for each in said.denominators),
        **same,
    )


_SAME = ("number", "published", "period", "supersedes", "reason", "synthetic", "safercities", "rules")


def ranked(column: str, texts: Sequence[str]) -> list[str]:
    """The codes of a column in the order in which people read them: periods by time, ages by age, totals first.

    Examples
    --------
    >>> ranked("period", ["2024", "2023-Q4", "2023"])
    ['2023', '2023-Q4', '2024']
    >>> ranked("age", ["_U", "Y15T24", "Y5T9", "_T"])
    ['_T', 'Y5T9', 'Y15T24', '_U']
    """
    if column == "period":
        return sorted(texts, key=lambda text: (Period.parse(text).end, Period.parse(text).start, text))
    listed = _listed(column)
    return sorted(
        texts, key=lambda text: (text != TOTAL, text == UNKNOWN, listed.get(text, len(listed)), _age(text), text)
    )


def _listed(column: str) -> dict[str, int]:
    """Codes of the column's code list and their positions."""
    codes = dimension(column).codes
    return {code.code: at for at, code in enumerate(codes)} if codes is not None and codes.rule is None else {}


def _age(text: str) -> tuple[int, int]:
    try:
        low, high = age_range(text) if text.startswith("Y") else (0, 0)
    except SafercitiesError:
        return 0, 0
    return low, 1000 if high is None else high
