"""What a review shows of releases: the numbers in force, what their codes mean, and how people are protected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import TOTAL, UNKNOWN, Estimates
from safercities.model.places import Place
from safercities.release.chain import open_chain
from safercities.release.sdmx_meaning import Meaning, read_structure
from safercities.release.verify import Opened

if TYPE_CHECKING:
    from safercities.collect.records import DimensionInfo
    from safercities.release.manifest import Source
    from safercities.review.data import SourceSummary

#: What makes a row of estimates this row and no other, beside the dimensions.
_KEYS = ("indicator", "version", "place", "period", "source", "unit", "method")
STRUCTURE = "structure.xml"


@dataclass(frozen=True)
class Release:
    """One release: name of its folder, id, day, and the rules that it was made under."""

    name: str
    id: str
    published: date
    rules: Mapping[str, object]


@dataclass(frozen=True)
class Released:
    """The releases in force, by number."""

    releases: tuple[Release, ...]

    @property
    def method(self) -> str:
        """How the newest one protects people: rounding, suppression, or empty."""
        found = self.releases[-1].rules.get("method")
        return found if found in ("rounding", "suppression") else ""

    @property
    def least(self) -> tuple[int, int]:
        """Its least count, and that of what is sensitive; 0 where it does not say."""
        rules = self.releases[-1].rules
        least = rules.get("minimum_count")
        k = least if isinstance(least, int) else 0
        more = rules.get("sensitive_count")
        return k, more if isinstance(more, int) else k


@dataclass(frozen=True)
class Shelf:
    """The content of the releases in force."""

    released: Released
    estimates: Estimates
    places: tuple[Place, ...]
    dimensions: Mapping[str, DimensionInfo]
    sources: tuple[SourceSummary, ...]
    synthetic: bool


def read_shelf(folder: Path) -> Shelf:
    """Verify all releases of a folder, and read those in force; of a row that several have, the last one counts.

    Raises
    ------
    SafercitiesError
        If there is none, one does not hold, or one in force was signed by a key that is distrusted.
    """
    opened = open_chain(folder)
    if not opened:
        raise SafercitiesError(problem("review-no-release", file=str(folder)))
    meanings = [read_structure(one.files[STRUCTURE], f"{one.verified.path.name}/{STRUCTURE}") for one in opened]
    estimates = last_of_each([one.estimates for one in opened])
    return Shelf(
        Released(tuple(_release(one) for one in opened)),
        estimates,
        tuple({place.id: place for meaning in meanings for place in meaning.places}.values()),
        {name: _dimension(name, estimates, meanings) for name in estimates.dimensions},
        tuple(_summaries(opened)),
        any(one.verified.manifest.synthetic for one in opened),
    )


def _release(one: Opened) -> Release:
    said = one.verified.manifest
    return Release(one.verified.path.name, one.verified.id, said.published, said.rules)


def last_of_each(parts: Sequence[Estimates]) -> Estimates:
    """All rows of the parts; of rows that stand for the same, that of the last part.

    Examples
    --------
    >>> row = {"indicator": "sdg.16.1.1", "place": "CO", "period": "2024", "value": 1.0}
    >>> parts = [Estimates.from_rows([row]), Estimates.from_rows([row | {"value": 2.0}])]
    >>> last_of_each(parts).only()["value"]
    2.0
    """
    whole = Estimates.concat(parts)
    names = [*_KEYS, *whole.dimensions]
    texts = [pc.fill_null(whole.table.column(name), "\x00").combine_chunks() for name in names]
    keys = pc.binary_join_element_wise(*texts, "\x1f").to_pylist()
    last = {key: at for at, key in enumerate(keys)}
    return Estimates(whole.table.take(pa.array(np.sort(np.fromiter(last.values(), np.int64, len(last))))))


def _dimension(name: str, estimates: Estimates, meanings: Sequence[Meaning]) -> DimensionInfo:
    """A breakdown as the releases label it, its codes in their order."""
    from safercities.collect.records import DimensionInfo
    from safercities.model.dimensions import dimension

    known = dimension(name)
    seen = set(estimates.table.column(name).to_pylist()) - {TOTAL, UNKNOWN}
    labels = {code: label for meaning in meanings for code, label in meaning.labels.get(name, ()) if code in seen}
    return DimensionInfo(name, known.label, known.of, (*labels, *sorted(seen - labels.keys())), labels)


def _summaries(opened: Sequence[Opened]) -> list[SourceSummary]:
    """The sources as the public may know them: neither files nor rows."""
    found = {each.name: each for one in opened for each in one.verified.manifest.series}
    return [_summary(each) for each in found.values()]


def _summary(each: Source) -> SourceSummary:
    from safercities.review.data import SourceSummary

    return SourceSummary(
        each.name, each.label, each.kind, "", "", 0, 0, 0, each.unit, each.covers, population=each.population
    )
