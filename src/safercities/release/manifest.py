"""The manifest: what a release says of itself, as canonical JSON; its hash is the release's id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from safercities.indicators.spec import Indicator
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.periods import Period
from safercities.model.spec import parse
from safercities.release import canonical
from safercities.release.content import Content
from safercities.release.keys import Day, Fingerprint, Hash, Name, Strict, Text

FORMAT = "safercities-release/1"
FILE = "manifest.json"
SIGNATURE = "manifest.sig"
MAX_BYTES = 4 * 2**20
#: Files of every release that the manifest holds the hash of, and the bytes that each may have.
HASHED: dict[str, int] = {
    "README.md": 4 * 2**20,
    "data.csv": 512 * 2**20,
    "estimates.parquet": 512 * 2**20,
    "keys.json": 2**20,
    "structure.xml": 128 * 2**20,
    "tables.xlsx": 128 * 2**20,
}
#: All files of a release: there are no others, so that no name is ever taken from what somebody sends.
FILES: dict[str, int] = {FILE: MAX_BYTES, SIGNATURE: 64, **HASHED}


class Of(Strict):
    """What it is the observatory of."""

    place: Name = Field(description="Id of the place.")
    name: Name = Field(description="Name of the observatory.")
    level: Name = Field(description="Level of the place: city, country, …")


class Definitions(Strict):
    """Which definition of an indicator was used."""

    versions: list[Name] = Field(min_length=1, description="Versions in the estimates.")
    sha256: Hash = Field(description="Hash of the whole definition as canonical JSON.")


class Source(Strict):
    """A source as the public may know it."""

    name: Name
    label: Name
    kind: Name
    unit: Name | None
    covers: Name | None
    population: Annotated[str, Field(max_length=2000)]


class Covered(Strict):
    """How much of what was asked is there, for one indicator and source."""

    indicator: Name
    source: Name | None
    estimates: int = Field(ge=1, description="Rows.")
    withheld: int = Field(ge=0, description="Rows that are not for publication.")
    lowest: float | None = Field(ge=0, le=1, description="Lowest coverage of a published row; null where unknown.")


class People(Strict):
    """Population of a place in a period."""

    place: Name
    period: Name
    people: float = Field(ge=0)


class FileSeal(Strict):
    """One file of the release."""

    sha256: Hash
    bytes: int = Field(ge=1)


class Manifest(Strict):
    """What a release says of itself. All of it is signed."""

    format: Literal["safercities-release/1"]
    number: int = Field(ge=1, le=1_000_000, description="1, 2, 3 … in the chain of this observatory.")
    previous: Hash | None = Field(description="Id of the release before; null for the first.")
    observatory: Of
    languages: list[Name] = Field(min_length=1, max_length=50)
    synthetic: bool = Field(description="Whether the data were made up.")
    period: Name = Field(description="The latest period in it.")
    periods: list[Name] = Field(min_length=1, max_length=10_000)
    published: Day = Field(description="Day of publication.")
    supersedes: Hash | None = Field(description="Id of the earlier release that it corrects.")
    reason: Text | None = Field(description="Why it corrects that one.")
    rules: dict[str, Any] = Field(description="How it was protected.")
    indicators: dict[Name, Definitions] = Field(min_length=1)
    series: list[Source]
    coverage: list[Covered]
    denominators: list[People]
    files: dict[str, FileSeal]
    key: Fingerprint = Field(description="Of the key that signed it.")
    safercities: Name = Field(description="Version of safercities that wrote it.")

    @field_validator("period", "periods")
    @classmethod
    def _are_periods(cls, given: str | list[str]) -> str | list[str]:
        for period in [given] if isinstance(given, str) else given:
            try:
                Period.parse(period)
            except SafercitiesError as error:
                raise ValueError(error.problems[0].what) from None
        return given

    @field_validator("files")
    @classmethod
    def _are_all_files(cls, files: dict[str, FileSeal]) -> dict[str, FileSeal]:
        if files.keys() != HASHED.keys():
            raise ValueError(f"the files of a release are {', '.join(HASHED)}")
        for name, seal in files.items():
            if seal.bytes > HASHED[name]:
                raise ValueError(f"{name} is larger than {HASHED[name]:,} bytes")
        return files

    @model_validator(mode="after")
    def _belongs_together(self) -> Manifest:
        if (self.supersedes is None) != (self.reason is None):
            raise ValueError("a correction names both the release that it supersedes and the reason")
        if (self.number == 1) != (self.previous is None):
            raise ValueError("the first release follows none, and every other one follows the one before")
        if self.period not in self.periods:
            raise ValueError("period is none of periods")
        return self


def read_manifest(data: bytes, *, file: str = FILE) -> Manifest:
    """Read the manifest of a release.

    Raises
    ------
    SafercitiesError
        If it is no canonical JSON, too large or deep, or a key is unknown, missing or wrong.
    """
    value = canonical.loads(data, file=file, limit=MAX_BYTES)
    return parse(Manifest, value, file=file)


def release_id(manifest: bytes) -> str:
    """Id of a release: the hash of its manifest's bytes.

    Examples
    --------
    >>> release_id(b"{}")[:12]
    '44136fa355b3'
    """
    return hashlib.sha256(manifest).hexdigest()


def signed_bytes(manifest: bytes) -> bytes:
    """What the signing key signs: the format's name, then the manifest's bytes."""
    return FORMAT.encode() + b"\n" + manifest


def describe(content: Content, number: int, previous: str | None, key: str, files: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a content as plain values.

    Parameters
    ----------
    number, previous
        Its position in the chain.
    key
        Fingerprint of the key that will sign it.
    files
        Name → {"sha256", "bytes"}.
    """
    table = content.estimates.table
    of = content.place
    return {
        "format": FORMAT,
        "number": number,
        "previous": previous,
        "observatory": {"place": of.id, "name": content.name, "level": of.level},
        "languages": list(content.languages),
        "synthetic": content.synthetic,
        "period": content.period,
        "periods": sorted(pc.unique(table.column("period")).to_pylist()),
        "published": content.published.isoformat(),
        "supersedes": content.supersedes,
        "reason": content.reason,
        "rules": dict(content.rules),
        "indicators": _definitions(content),
        "series": [vars(each) for each in content.series],
        "coverage": coverage(content.estimates),
        "denominators": [{"place": p, "period": when, "people": n} for p, when, n in content.denominators],
        "files": dict(files),
        "key": key,
        "safercities": content.version,
    }


def _definitions(content: Content) -> dict[str, Any]:
    found = content.estimates.table.group_by(["indicator", "version"]).aggregate([]).to_pylist()
    return {
        code: {
            "versions": sorted(row["version"] for row in found if row["indicator"] == code),
            "sha256": definition_hash(content.indicators[code]),
        }
        for code in sorted({row["indicator"] for row in found})
    }


def definition_hash(indicator: Indicator) -> str:
    """Hash of a whole definition: two cities that share it measure the same.

    What a definition leaves out does not count, so that the hash stays when safercities learns new keys.

    Examples
    --------
    >>> from safercities.indicators.catalogue import indicator
    >>> len(definition_hash(indicator("sdg.16.1.1")))
    64
    """
    return hashlib.sha256(canonical.dumps(indicator.model_dump(mode="json", exclude_defaults=True))).hexdigest()


def coverage(estimates: Estimates) -> list[dict[str, Any]]:
    """Rows, withheld rows and lowest coverage of each indicator and source, in their order."""
    table = estimates.table.select(["indicator", "source", "coverage"])
    table = table.append_column("withheld", pc.cast(pc.equal(estimates.table.column("conf_status"), "N"), "int64"))
    aggregates = [("withheld", "count"), ("withheld", "sum"), ("coverage", "min")]
    found = table.group_by(["indicator", "source"]).aggregate(aggregates).to_pylist()
    made = [
        {
            "indicator": row["indicator"],
            "source": row["source"],
            "estimates": row["withheld_count"],
            "withheld": row["withheld_sum"],
            "lowest": row["coverage_min"],
        }
        for row in found
    ]
    return sorted(made, key=lambda row: (row["indicator"], row["source"] or ""))
