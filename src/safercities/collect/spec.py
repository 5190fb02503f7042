"""What observatory.toml says of a source: where it is, what its columns mean, what a row counts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from safercities.collect.audits_spec import AuditsSpec, RatingFrom, RubricFrom
from safercities.collect.file_spec import CodesFrom, DimensionFrom, FileSpec, Scalar, check_names
from safercities.collect.margins_spec import MarginFrom
from safercities.collect.release_spec import ReleaseSpec
from safercities.collect.survey_spec import ReplicatesFrom, SurveySpec, VariableFrom, YesFrom
from safercities.model.spec import Spec

__all__ = [
    "AuditsSpec",
    "CodesFrom",
    "DimensionFrom",
    "FileSpec",
    "IncidentsSpec",
    "MarginFrom",
    "PopulationSpec",
    "RatingFrom",
    "ReleaseSpec",
    "ReplicatesFrom",
    "RubricFrom",
    "Scalar",
    "SourceSpec",
    "SurveySpec",
    "UnitFrom",
    "VariableFrom",
    "YesFrom",
]

Unit = Literal["victims", "incidents", "offences"]


class UnitFrom(Spec):
    """What a row counts, where rows carry counts."""

    column: str = Field(description="Column that holds how many the row stands for.")
    of: Unit = Field(default="incidents", description="What is counted: victims, incidents or offences.")


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
        return check_names(dimensions)

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
        return check_names(dimensions)


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"tag:{kind}"


SourceSpec = Annotated[
    Annotated[IncidentsSpec, Tag("tag:incidents")]
    | Annotated[PopulationSpec, Tag("tag:population")]
    | Annotated[SurveySpec, Tag("tag:survey")]
    | Annotated[AuditsSpec, Tag("tag:audits")]
    | Annotated[ReleaseSpec, Tag("tag:release")],
    Discriminator(_kind),
]
