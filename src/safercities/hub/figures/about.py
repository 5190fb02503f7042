"""What is told of published figures beside the numbers: indicators, places, sources, releases; read in one go."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

#: Version of the layout of an index. An index of another version is made anew, never guessed at.
FORMAT = 1
FILE = "about.json"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Definition(_Told):
    """One version of an indicator's definition.

    Parameters
    ----------
    sha256
        Hash of the whole definition, as the manifest of the release says it.
    known
        Whether it is word for word the definition of the catalogue here: only then is more than `text` told.
    """

    version: str
    sha256: str
    known: bool
    label: str
    text: str
    population: str = ""
    reference_period: str = ""
    source: str = ""
    note: str = ""


class Headline(_Told):
    """Which of several series of one source stands first: the one in the definition's own unit, unadjusted."""

    source: str
    version: str
    unit: str | None
    method: str | None
    kind: str
    period: str


class DimensionInfo(_Told):
    """A breakdown, and what its codes are called, total first."""

    name: str
    label: str
    codes: tuple[tuple[str, str], ...]

    def label_of(self, code: str) -> str:
        """Label of a code; of an unknown one, the code itself."""
        return dict(self.codes).get(code, code)


class IndicatorInfo(_Told):
    """An indicator as it was published.

    Parameters
    ----------
    labels
        Language → label.
    kind, direction
        As the catalogue says; empty where the definition is not that of the catalogue.
    periods
        In the order of time.
    dimensions
        Name → codes that its rows use, `_T` included; only breakdowns that it has.
    headlines
        One a source, the one that says most first.
    rows, withheld
        How many.
    """

    code: str
    labels: dict[str, str]
    definitions: tuple[Definition, ...]
    kind: str
    direction: str
    links: dict[str, Any]
    units: tuple[str | None, ...]
    methods: tuple[str | None, ...]
    periods: tuple[str, ...]
    levels: tuple[str, ...]
    dimensions: dict[str, tuple[str, ...]]
    sources: tuple[str, ...]
    headlines: tuple[Headline, ...]
    rows: int
    withheld: int

    def label(self, language: str = "en") -> str:
        """Its name in that language, else in the first one that there is."""
        return self.labels.get(language) or next(iter(self.labels.values()), self.code)

    @property
    def headline(self) -> Headline:
        """The series that stands first."""
        return self.headlines[0]


class PlaceInfo(_Told):
    """A place of the figures, or one that such places lie in.

    Parameters
    ----------
    rows
        How many rows are of itself.
    """

    id: str
    name: str
    level: str
    parent: str | None
    aliases: dict[str, str] = {}
    valid_from: date | None = None
    valid_to: date | None = None
    rows: int = 0

    @property
    def unplaced(self) -> bool:
        """Whether it stands for the cases whose place is not known."""
        return self.id.startswith("_U.")


class SourceInfo(_Told):
    """A source as its release tells of it."""

    name: str
    label: str
    kind: str
    unit: str | None
    covers: str | None
    population: str


class ReleaseInfo(_Told):
    """A release of the chain, in force or not; only those in force have rows here.

    Parameters
    ----------
    coverage
        As the manifest says: rows, withheld rows and lowest coverage of each indicator and source.
    people
        (place, period, people), as far as it tells.
    """

    id: str
    number: int
    published: date
    period: str
    periods: tuple[str, ...]
    supersedes: str | None
    reason: str | None
    superseded_by: int | None
    synthetic: bool
    safercities: str
    rules: dict[str, Any]
    coverage: tuple[dict[str, Any], ...]
    people: tuple[tuple[str, str, float], ...]
    rows: int

    @property
    def in_force(self) -> bool:
        """Whether no later release corrects it."""
        return self.superseded_by is None


class About(_Told):
    """All of it.

    Parameters
    ----------
    version
        Id of the head of the chain; empty where nothing is published.
    texts
        Column → its codes in their order: the index holds positions in these lists. `_level` is that of the place.
    constants
        Column that says the same in every row → what it says: it need not be read.
    """

    format: int
    version: str
    name: str
    place: str
    level: str
    languages: tuple[str, ...]
    synthetic: bool
    rows: int
    indicators: dict[str, IndicatorInfo]
    places: dict[str, PlaceInfo]
    dimensions: dict[str, DimensionInfo]
    sources: dict[str, SourceInfo]
    releases: tuple[ReleaseInfo, ...]
    texts: dict[str, tuple[str, ...]]
    constants: dict[str, str | int | float | None]
