"""What an indicator file says: what is counted, over what, since when, from which source text, linked to what."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from safercities.model.spec import Spec


class Numerator(Spec):
    """Which cases are counted."""

    acts: list[str] = Field(min_length=1, description="ICCS codes; each stands for itself and all that lies below it.")
    unit: Literal["victims", "incidents", "offences"] = Field(description="What is counted. Sources that count something else are not used.")


class Links(Spec):
    """Where the indicator belongs in the agendas."""

    sdg: list[str] = Field(default=[], description="SDG targets and indicators: 16.1, 16.1.1.")
    nua: list[int] = Field(default=[], description="Paragraphs of the New Urban Agenda.")
    cpi: list[str] = Field(default=[], description="City Prosperity Index components.")
    u4ssc: list[str] = Field(default=[], description="United for Smart Sustainable Cities indicators.")


class Version(Spec):
    """One dated definition. A change of meaning is a new version, never an edit."""

    version: str = Field(description="Name of the version, as 2018-1.")
    valid_from: date | None = Field(default=None, description="First day on which this definition applies.")
    label: str = Field(description="Name shown to people.")
    definition: str = Field(description="What it means, in a sentence or two.")
    numerator: Numerator = Field(description="Which cases are counted.")
    denominator: Literal["population", "none"] = Field(description="Over what: population (person-years), or nothing.")
    per: int = Field(default=100_000, gt=0, description="The rate is per so many people and year.")
    disaggregations: list[str] = Field(default=[], description="Breakdowns that the source text asks for: sex, age, …")
    source: str = Field(description="The text that defines it: title, institution, year, section.")
    note: str = Field(default="", description="What a reader must know to read it rightly.")


class Indicator(Spec):
    """One indicator with all its dated definitions."""

    code: str = Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", description="Code: sdg.16.1.1, recorded.robbery, …")
    kind: Literal["count", "rate"] = Field(description="count: a number of cases; rate: cases per population, beside the count.")
    direction: Literal["lower", "higher", "none"] = Field(default="lower", description="Which way is better.")
    links: Links = Field(default=Links(), description="Where the indicator belongs in the agendas.")
    versions: list[Version] = Field(min_length=1, description="Dated definitions, oldest first.")

    def on(self, day: date | None = None) -> Version:
        """The definition in force on a day (default: the newest)."""
        in_force = [v for v in self.versions if day is None or v.valid_from is None or v.valid_from <= day]
        return (in_force or self.versions[:1])[-1]
