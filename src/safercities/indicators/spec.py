"""What an indicator file says: what is counted, over what, since when, from which source text, linked to what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator, model_validator

from safercities.indicators.goals import is_target
from safercities.model.dimensions import UNKNOWN, code_list, dimensions, iccs_below
from safercities.model.spec import Spec

Unit = Literal["victims", "incidents", "offences"]


class Numerator(Spec):
    """Which cases are counted."""

    acts: list[str] = Field(min_length=1, description="ICCS codes; each stands for itself and all that lies below it.")
    without: list[str] = Field(
        default=[], description="ICCS codes below those that are left out, with all that lies below them."
    )
    units: list[Unit] = Field(
        min_length=1,
        description="Units of count that sources may bring. Each makes its own series; they are never added or mixed. "
        "Sources that count something else are not used.",
    )

    @field_validator("acts", "without")
    @classmethod
    def _known(cls, acts: list[str]) -> list[str]:
        for act in acts:
            if act not in code_list("ICCS") or act == UNKNOWN:
                near = code_list("ICCS").near(act, n=1)
                hint = f"; did you mean {near[0]}" if near else ""
                raise ValueError(f"{act} is no act of the code list ICCS{hint}")
        return _once(acts, "act")

    @field_validator("units")
    @classmethod
    def _units_once(cls, units: list[Unit]) -> list[Unit]:
        _once(units, "unit")
        return units

    @model_validator(mode="after")
    def _inside(self) -> Numerator:
        outside = [act for act in self.without if not iccs_below(act, self.acts)]
        if outside:
            raise ValueError(f"{outside[0]} is left out, but does not lie below any of the acts")
        return self

    def counts(self, act: str) -> bool:
        """Whether cases of that ICCS code are counted.

        Examples
        --------
        >>> assault = Numerator(acts=["0201"], without=["02012"], units=["victims"])
        >>> [assault.counts(act) for act in ("0201", "020111", "020121", "_U")]
        [True, True, False, False]
        """
        return iccs_below(act, self.acts) and not iccs_below(act, self.without)

    def held_by(self, acts: Iterable[str]) -> bool:
        """Whether a source of these acts holds all that is counted: each act itself, or everything directly in it.

        Examples
        --------
        >>> robbery = Numerator(acts=["0401"], units=["victims"])
        >>> robbery.held_by(["0401", "0502"]), robbery.held_by(["04011"])
        (True, False)
        >>> robbery.held_by(["04011", "04012", "04013", "04014", "04019"])
        True
        """
        held, tree = set(acts), code_list("ICCS")

        def whole(act: str) -> bool:
            parts = [part for part in tree.children(act) if self.counts(part)]
            return act in held or (bool(parts) and all(whole(part) for part in parts))

        return all(whole(act) for act in self.acts)


class Links(Spec):
    """Where the indicator belongs in the agendas."""

    sdg: list[str] = Field(default=[], description="SDG targets and indicators: 16.1, 16.1.1.")
    nua: list[int] = Field(default=[], description="Paragraphs of the New Urban Agenda.")
    cpi: list[str] = Field(default=[], description="City Prosperity Index components.")
    u4ssc: list[str] = Field(default=[], description="United for Smart Sustainable Cities indicators.")

    @field_validator("sdg")
    @classmethod
    def _targets(cls, links: list[str]) -> list[str]:
        for link in links:
            match = re.fullmatch(r"([0-9]+\.[0-9a-z]+)(\.[1-9][0-9]*)?", link)
            if match is None or not is_target(match[1]):
                raise ValueError(
                    f"{link} is no target or indicator of the Sustainable Development Goals, as 16.1 or 16.1.1"
                )
        return _once(links, "link")

    @field_validator("nua")
    @classmethod
    def _paragraphs(cls, paragraphs: list[int]) -> list[int]:
        for paragraph in paragraphs:
            if not 1 <= paragraph <= 175:
                raise ValueError(f"the New Urban Agenda has no paragraph {paragraph}; it has 175")
        return paragraphs


class Version(Spec):
    """One dated definition. A change of meaning is a new version, never an edit."""

    version: str = Field(min_length=1, description="Name of the version, as 2018-1.")
    valid_from: date | None = Field(default=None, description="First day on which this definition applies.")
    label: str = Field(min_length=1, description="Name shown to people.")
    definition: str = Field(min_length=1, description="What it means, in a sentence or two.")
    numerator: Numerator = Field(description="Which cases are counted.")
    denominator: Literal["population", "none"] = Field(description="Over what: population (person-years), or nothing.")
    per: int = Field(default=100_000, gt=0, description="The rate is per so many people and year.")
    disaggregations: list[str] = Field(default=[], description="Breakdowns that the source text asks for: sex, age, …")
    source: str = Field(min_length=1, description="The text that defines it: title, institution, year, section.")
    note: str = Field(default="", description="What a reader must know to read it rightly.")

    @field_validator("disaggregations")
    @classmethod
    def _dimensions(cls, names: list[str]) -> list[str]:
        unknown = [name for name in names if name not in dimensions()]
        if unknown:
            raise ValueError(f"{unknown[0]} is no known dimension; known are {', '.join(dimensions())}")
        return _once(names, "dimension")


class Indicator(Spec):
    """One indicator with all its dated definitions."""

    code: str = Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", description="Code: sdg.16.1.1, recorded.robbery, …")
    kind: Literal["count", "rate"] = Field(
        description="count: a number of cases; rate: cases per population, beside the count."
    )
    direction: Literal["lower", "higher", "none"] = Field(default="lower", description="Which way is better.")
    links: Links = Field(default=Links(), description="Where the indicator belongs in the agendas.")
    versions: list[Version] = Field(min_length=1, description="Dated definitions, oldest first.")

    @field_validator("versions")
    @classmethod
    def _rising(cls, versions: list[Version]) -> list[Version]:
        _once([version.version for version in versions], "version")
        for earlier, later in pairwise(versions):
            if later.valid_from is None:
                raise ValueError(f"version {later.version} needs valid_from: only the first may be without it")
            if earlier.valid_from is not None and later.valid_from <= earlier.valid_from:
                raise ValueError(f"version {later.version} must begin after version {earlier.version}")
        return versions

    @model_validator(mode="after")
    def _rate_over_something(self) -> Indicator:
        for version in self.versions:
            if (self.kind == "rate") != (version.denominator == "population"):
                raise ValueError("a rate needs denominator = “population”, a count denominator = “none”")
        return self

    def on(self, day: date | None = None) -> Version:
        """The definition in force on a day (default: the newest; before the first one: the first)."""
        in_force = [v for v in self.versions if day is None or v.valid_from is None or v.valid_from <= day]
        return (in_force or self.versions[:1])[-1]


def _once(values: Sequence[str], what: str) -> list[str]:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ValueError(f"the {what} {min(twice)} stands twice")
    return list(values)
