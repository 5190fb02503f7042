"""What observatory.toml says of safety audits: where and when somebody looked, and what was rated how."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from safercities.collect.file_spec import DimensionFrom, FileSpec, Scalar, check_names, value_or_table
from safercities.model.spec import Spec

#: Lowest and highest rating of the rubric.
LOWEST, HIGHEST = 0, 3


class RatingFrom(Spec):
    """A rating whose file values are not 0, 1, 2, 3 themselves."""

    column: str = Field(description="Column that holds the rating.")
    map: dict[str, int] = Field(default={}, description="The file's value → 0, 1, 2 or 3. Compared as text.")
    unknown: list[Scalar] = Field(default=[], description="Values that mean “not rated”; empty cells always do.")

    @field_validator("map")
    @classmethod
    def _in_rubric(cls, mapping: dict[str, int]) -> dict[str, int]:
        for value, rating in mapping.items():
            if not LOWEST <= rating <= HIGHEST:
                raise ValueError(f"the map gives {value} the rating {rating}: ratings are 0, 1, 2, 3")
        return mapping


Rating = Annotated[
    Annotated[str, Tag("tag:value")] | Annotated[RatingFrom, Tag("tag:table")], Discriminator(value_or_table)
]


class RubricFrom(Spec):
    """The parameters of a safety audit, each rated 0 (worst) to 3 (best)."""

    lighting: Rating | None = Field(default=None, description="Enough light to see all around.")
    openness: Rating | None = Field(default=None, description="How far one can see and move.")
    visibility: Rating | None = Field(default=None, description="Eyes on the street: windows, doors, stalls.")
    people: Rating | None = Field(default=None, description="How many people are around.")
    security: Rating | None = Field(default=None, description="Police or guards in sight.")
    walkpath: Rating | None = Field(default=None, description="Whether there is a pavement fit to walk on.")
    transport: Rating | None = Field(default=None, description="How near public transport is.")
    gender_usage: Rating | None = Field(default=None, description="Women and children among the people.")
    feeling: Rating | None = Field(default=None, description="How safe the auditor feels.")

    @model_validator(mode="after")
    def _at_least_one(self) -> RubricFrom:
        if not self.mapped:
            raise ValueError(f"name the column of at least one parameter: {', '.join(RubricFrom.model_fields)}")
        return self

    @property
    def mapped(self) -> dict[str, RatingFrom]:
        """Parameter → its column, for those that the file has."""
        given = {name: getattr(self, name) for name in RubricFrom.model_fields}
        return {
            name: RatingFrom(column=how) if isinstance(how, str) else how
            for name, how in given.items()
            if how is not None
        }


class AuditsSpec(FileSpec):
    """`kind = "audits"`: one row a point that somebody looked at and rated."""

    kind: Literal["audits"] = Field(description="What the source is.")
    label: str | None = Field(default=None, description="Name shown to people; default: the name of the table.")
    when: str = Field(description="Column with the date, or date and time, of the audit.")
    date_order: Literal["ymd", "dmy", "mdy"] | None = Field(
        default=None, description="Order of day, month, year where dates can be read two ways, as 03/04/2019."
    )
    timezone: str | None = Field(
        default=None, description="Time zone, as America/Bogota: times with an offset or Z are moved to it."
    )
    precision: Literal["year", "month", "day"] | None = Field(
        default=None, description="How exact the dates are where the file does not show it."
    )
    earliest: date = Field(default=date(1990, 1, 1), description="Rows with a date before this day are rejected.")
    latest: date | None = Field(
        default=None, description="Rows with a date after this day are rejected. Default: tomorrow."
    )
    id: str | None = Field(default=None, description="Column that names the audit. A repeated id is a duplicate.")
    walk: str | None = Field(
        default=None,
        description="Column with the walk (round, route) that the point belongs to: points of a walk resemble each "
        "other. Default: each point stands for itself.",
    )
    weight: str | float = Field(
        default=1, description="Column with the weight of a point, as metres of street; or one number for all."
    )
    longitude: str | None = Field(default=None, description="Column with the longitude, or easting.")
    latitude: str | None = Field(default=None, description="Column with the latitude, or northing.")
    crs: str = Field(default="EPSG:4326", description="Coordinate reference system of the coordinates.")
    places: dict[str, str] = Field(
        default={}, description='Level → column with the place\'s code (or name): {ward = "code"}.'
    )
    rubric: RubricFrom = Field(description="The rated parameters, by column.")
    dimensions: dict[str, DimensionFrom] = Field(default={}, description="Breakdowns: time of day, auditor, …")

    @property
    def unit_of_count(self) -> str:
        """What a row is: audited points."""
        return "points"

    @field_validator("dimensions")
    @classmethod
    def _named(cls, dimensions: dict[str, DimensionFrom]) -> dict[str, DimensionFrom]:
        return check_names(dimensions, sampled=True)

    @field_validator("weight")
    @classmethod
    def _weighs(cls, weight: str | float) -> str | float:
        if not isinstance(weight, str) and not 1e-100 <= weight <= 1e100:
            raise ValueError("a weight is greater than 0, and not over 1e100")
        return weight

    @model_validator(mode="after")
    def _both_coordinates(self) -> AuditsSpec:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError("longitude and latitude belong together: name both columns or neither")
        return self
