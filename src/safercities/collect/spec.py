"""What observatory.toml says of a source: where it is, what its columns mean, what a row counts."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from safercities.model.spec import Spec

Unit = Literal["victims", "incidents", "offences"]
Scalar = str | int | float | bool


class CodesFrom(Spec):
    """Codes read from a column, through a map where the file's values are not the codes themselves."""

    column: str = Field(description="Column that holds the value.")
    map: dict[str, str] = Field(default={}, description="The file's value → code. Values are compared as text.")
    unknown: list[Scalar] = Field(default=[], description="Values that mean “not known”; empty cells always do.")
    other: str | None = Field(default=None, description="Code for every value that the map does not name.")


class DimensionFrom(CodesFrom):
    """A breakdown of the cases: sex, age, means, …"""

    bins: list[int] | None = Field(
        default=None,
        description="Lower edges of age (or other number) groups: [0, 15, 25] gives 0–14, 15–24, 25 and over.",
    )
    of: Literal["person", "event"] | None = Field(
        default=None,
        description="Whether it describes a person (rates then need the population with that characteristic) or the "
        "event (rates then use the whole population). Default: person.",
    )
    label: str | None = Field(default=None, description="Name shown to people; default: the dimension's standard name.")

    @field_validator("bins")
    @classmethod
    def _rising(cls, bins: list[int] | None) -> list[int] | None:
        if bins is not None and (not bins or any(b <= a for a, b in pairwise(bins))):
            raise ValueError("bins must be a rising list of whole numbers")
        return bins


class UnitFrom(Spec):
    """What a row counts, where rows carry counts."""

    column: str = Field(description="Column that holds how many the row stands for.")
    of: Unit = Field(default="incidents", description="What is counted: victims, incidents or offences.")


class FileSpec(Spec):
    """A file and how it is written. Everything left out is detected."""

    file: str = Field(description="File name, beside observatory.toml; `archive.zip/inner.csv` for a file in a zip.")
    delimiter: str | None = Field(default=None, description="Column separator of a text file: `,` `;` `\\t` `|`.")
    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark of numbers.")
    encoding: str | None = Field(default=None, description="Character encoding of a text file: utf-8, latin-1, utf-16.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook: its name, or its number from 1.")
    layer: str | None = Field(default=None, description="Layer of a GeoPackage.")
    header: int = Field(default=1, ge=1, description="Row that holds the column names, as a spreadsheet numbers it.")


class IncidentsSpec(FileSpec):
    """`kind = "incidents"`: one row an incident, victim or offence, or a count of them."""

    kind: Literal["incidents"] = Field(description="What the source is.")
    label: str | None = Field(default=None, description="Name shown to people; default: the name of the table.")
    when: str = Field(description="Column with the date, or date and time, of the event.")
    date_order: Literal["ymd", "dmy", "mdy"] | None = Field(
        default=None, description="Order of day, month, year where dates can be read two ways, as 03/04/2019."
    )
    timezone: str | None = Field(
        default=None,
        description="Time zone, as America/Bogota: instants written with an offset or Z are moved to it. Without it, "
        "times are taken as they are written.",
    )
    precision: Literal["year", "month", "day"] | None = Field(
        default=None,
        description="How exact the dates are where the file does not show it: month for 2022-01-01 = January.",
    )
    earliest: date = Field(default=date(1900, 1, 1), description="Rows with a date before this day are rejected.")
    latest: date | None = Field(
        default=None,
        description="Rows with a date after this day are rejected. Default: tomorrow (the future is a mistake).",
    )
    covers: str | None = Field(
        default=None,
        description="Period that the source covers, as 2010/2019 or 2010-01-01/2019-12-31: no case in it means zero. "
        "Default: from the first to the last period seen, the ends flagged where they look cut off.",
    )
    longitude: str | None = Field(default=None, description="Column with the longitude, or easting.")
    latitude: str | None = Field(default=None, description="Column with the latitude, or northing.")
    crs: str = Field(default="EPSG:4326", description="Coordinate reference system of the coordinates.")
    places: dict[str, str] = Field(
        default={},
        description='Level → column with the place\'s code (or name), where the file has it: {ward = "code"}.',
    )
    id: str | None = Field(
        default=None, description="Column that names the case. Only a repeated id makes a duplicate; equal rows do not."
    )
    act: str | CodesFrom = Field(description="ICCS code of the act, as 0101; or { column = …, map = { … } }.")
    unit: Unit | UnitFrom = Field(
        default="incidents",
        description="What a row counts: victims, incidents, offences; { column = …, of = … } where rows carry counts.",
    )
    dimensions: dict[str, DimensionFrom] = Field(default={}, description="Breakdowns: sex, age, means, …")

    @field_validator("dimensions")
    @classmethod
    def _named(cls, dimensions: dict[str, DimensionFrom]) -> dict[str, DimensionFrom]:
        return _check_names(dimensions)

    @property
    def unit_of_count(self) -> str:
        """victims, incidents or offences."""
        return self.unit.of if isinstance(self.unit, UnitFrom) else self.unit

    @model_validator(mode="after")
    def _both_coordinates(self) -> IncidentsSpec:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError("longitude and latitude belong together: name both columns or neither")
        return self


class PopulationSpec(FileSpec):
    """`kind = "population"`: how many people live where, when, of which sex and age."""

    kind: Literal["population"] = Field(description="What the source is.")
    label: str | None = Field(default=None, description="Name shown to people; default: the name of the table.")
    place: str | None = Field(
        default=None, description="Column with the place's code. Without it: the observatory's own place."
    )
    level: str | None = Field(default=None, description="Level of these places; default: any level, found by the code.")
    period: str | CodesFrom | int = Field(description="Column with the year; or the year itself, as 2021.")
    count: str = Field(description="Column with the number of people.")
    dimensions: dict[str, DimensionFrom] = Field(default={}, description="Breakdowns of the people: sex, age.")
    interpolate: bool = Field(default=False, description="Draw a straight line between the years that are given.")
    carry: int = Field(
        default=0, ge=0, le=30, description="Use a year's population for so many years before and after it."
    )

    @field_validator("dimensions")
    @classmethod
    def _named(cls, dimensions: dict[str, DimensionFrom]) -> dict[str, DimensionFrom]:
        return _check_names(dimensions)


#: Columns of the tables between the rooms: no dimension can have such a name.
RESERVED = frozenset(
    {"row", "when", "act", "n", "x", "y", "code", "place", "period", "source", "indicator", "version"}
) | {
    *("value", "se", "lower", "upper", "level", "n_positive", "denominator", "deff", "unit", "method"),
    *("obs_status", "conf_status", "quality", "coverage", "note"),
}


def _check_names(dimensions: dict[str, DimensionFrom]) -> dict[str, DimensionFrom]:
    for name in dimensions:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"write the dimension {name!r} with small letters a–z, digits and _")
        if name in RESERVED or name.startswith(("place_", "code_")):
            raise ValueError(f"no dimension can be called {name}: the word has another meaning here")
    return dimensions


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"tag:{kind}"


SourceSpec = Annotated[
    Annotated[IncidentsSpec, Tag("tag:incidents")] | Annotated[PopulationSpec, Tag("tag:population")],
    Discriminator(_kind),
]
