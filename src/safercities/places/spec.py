"""What observatory.toml says of a geography: its level, file, codes, parents and dates."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from safercities.collect.spec import FileSpec


class GeographySpec(FileSpec):
    """One level of places, with or without boundaries."""

    level: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name of the level: neighbourhood, ward, police_beat, city, country, …",
    )
    id: str = Field(description="Column with the place's code.")
    name: str | None = Field(default=None, description="Column with the place's name; default: the code.")
    parent: str | None = Field(
        default=None, description="Id of the place that all of them lie in; default: the observatory's place."
    )
    parent_column: str | None = Field(default=None, description="Column with the id of the place that each lies in.")
    within: str | None = Field(default=None, description="Level that each lies in, found from the boundaries.")
    crs: str | None = Field(default=None, description="Coordinate reference system, where the file does not say it.")
    valid_from: date | None = Field(default=None, description="First day on which these places are valid.")
    valid_to: date | None = Field(default=None, description="Last day on which these places are valid.")
    aliases: dict[str, str] = Field(
        default={}, description='Scheme → column with another code of the place: {locode = "LOCODE"}.'
    )
    overlaps: Literal["refuse", "smallest", "first"] = Field(
        default="refuse",
        description="Where boundaries overlap by more than a slip of the pen: refuse the file, or give a point in two "
        "places to the smallest, or to the first listed.",
    )
    title_case: bool = Field(
        default=False, description="Write names that are all in capitals as titles: LA CANDELARIA → La Candelaria."
    )
