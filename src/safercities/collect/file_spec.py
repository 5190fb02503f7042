"""What every source says: how its file is written, codes from columns, breakdowns, dates and places."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, field_validator

from safercities.model.spec import Spec

#: A value as a file may hold it: whole numbers of 64 bits at most.
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Scalar = str | Whole | float | bool


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


class FileSpec(Spec):
    """A file and how it is written. Everything left out is detected."""

    file: str = Field(description="File name, beside observatory.toml; `archive.zip/inner.csv` for a file in a zip.")
    delimiter: str | None = Field(default=None, description="Column separator of a text file: `,` `;` `\\t` `|`.")
    decimal: Literal[".", ","] = Field(default=".", description="Decimal mark of numbers.")
    encoding: str | None = Field(default=None, description="Character encoding of a text file: utf-8, latin-1, utf-16.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook: its name, or its number from 1.")
    layer: str | None = Field(default=None, description="Layer of a GeoPackage.")
    header: int = Field(default=1, ge=1, description="Row that holds the column names, as a spreadsheet numbers it.")


class Dated(Protocol):
    """A source whose rows have a date in a column."""

    @property
    def when(self) -> str:
        """Column with the date."""

    @property
    def date_order(self) -> Literal["ymd", "dmy", "mdy"] | None:
        """Order of day, month, year."""

    @property
    def timezone(self) -> str | None:
        """Zone that instants are moved to."""

    @property
    def precision(self) -> Literal["year", "month", "day"] | None:
        """How exact the dates are, where the file does not show it."""

    @property
    def earliest(self) -> date:
        """First day that can be."""

    @property
    def latest(self) -> date | None:
        """Last day that can be."""


class Placed(Protocol):
    """A source whose rows may have coordinates."""

    @property
    def longitude(self) -> str | None:
        """Column with the longitude."""

    @property
    def latitude(self) -> str | None:
        """Column with the latitude."""

    @property
    def crs(self) -> str:
        """Reference system of the coordinates."""

    @property
    def decimal(self) -> str:
        """Decimal mark of numbers."""

    @property
    def model_fields_set(self) -> set[str]:
        """Keys that somebody wrote."""


#: Columns of the tables between the rooms: no dimension can have such a name.
RESERVED = frozenset(
    {"row", "when", "act", "n", "x", "y", "code", "place", "period", "source", "indicator", "version"}
) | {
    *("value", "se", "lower", "upper", "level", "n_positive", "denominator", "deff", "unit", "method"),
    *("df", "scheme", "verdict", "obs_status", "conf_status", "quality", "coverage", "note"),
}
#: Columns of the records of surveys and audits, likewise.
_TAKEN = frozenset({"weight", "stratum", "psu", "certain", "walk"})
_PREFIXES = ("place_", "code_", "answer_", "asked_", "rating_", "unit_", "fpc_", "rep_")


def value_or_table(given: Any) -> str:
    """Branch of a union of a plain value and a table: only the branch that was meant says what is wrong."""
    return "tag:table" if isinstance(given, dict | Spec) else "tag:value"


def check_names(dimensions: dict[str, DimensionFrom], *, sampled: bool = False) -> dict[str, DimensionFrom]:
    """Refuse names of dimensions that are no names, or that a column of the records has.

    Parameters
    ----------
    sampled
        Whether the records are those of a survey or of audits, which have more columns.

    Raises
    ------
    ValueError
        Naming the dimension (pydantic makes a problem of it).
    """
    taken, prefixes = (RESERVED | _TAKEN, _PREFIXES) if sampled else (RESERVED, _PREFIXES[:2])
    for name in dimensions:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"write the dimension {name!r} with small letters a–z, digits and _")
        if name in taken or name.startswith(prefixes):
            raise ValueError(f"no dimension can be called {name}: the word has another meaning here")
    return dimensions
