"""What an indicator file says: what is measured, over what, of whom, since when, from which source text."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from safercities.indicators.answers import answers
from safercities.indicators.goals import is_target
from safercities.indicators.numerators import (
    CODE,
    Acts,
    Answers,
    Compared,
    Denominator,
    Index,
    Material,
    Numerator,
    Ratings,
    once,
)
from safercities.model.dimensions import dimensions
from safercities.model.errors import UsageError, problem
from safercities.model.spec import Spec

Kind = Literal["count", "rate", "proportion", "mean", "incidence", "ratio", "score", "index"]

#: By kind: what the numerator may be, and what `per` is where the file does not say.
_MADE_OF: dict[Kind, tuple[type[Spec], ...]] = {
    "count": (Acts,),
    "rate": (Acts,),
    "proportion": (Answers,),
    "mean": (Answers,),
    "incidence": (Answers,),
    "ratio": (Answers, Compared),
    "score": (Ratings,),
    "index": (Index,),
}
_PER: dict[object, int] = {"rate": 100_000, "incidence": 1_000, "proportion": 100, "ratio": 100}
_NEEDS: dict[Kind, str] = {
    "count": "acts as numerator and denominator = “none”",
    "rate": "acts as numerator and denominator = “population”",
    "proportion": "any, all or none of some roles, over “respondents” or over any, all or none of some roles",
    "mean": "mean = a role, over “respondents” or over any, all or none of some roles",
    "incidence": "mean = a role, over “respondents” or over any, all or none of some roles",
    "ratio": "mean = a role, over mean = another; or recorded and surveyed, over “none”",
    "score": "ratings as numerator and denominator = “none”",
    "index": "goalposts as numerator and denominator = “none”",
}


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
        return once(links, "link")

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
    numerator: Numerator = Field(
        description="What it is made of: `{ acts = …, units = … }` of records; `{ any = … }`, `{ all = … }`, "
        "`{ none = … }` or `{ mean = … }` of answers to a survey; `{ ratings = … }` of safety audits; "
        "`{ recorded = …, surveyed = … }` or `{ goalposts = … }` of other indicators."
    )
    denominator: Denominator = Field(
        description="Over what: `population` (person-years); `respondents` (all of a survey); `{ any = … }`, "
        "`{ all = … }` or `{ none = … }` (those respondents only; who gave no answer is not among them); "
        "`{ mean = … }` (in a ratio); `none`."
    )
    missing: Literal["omit", "no"] = Field(
        default="omit",
        description="What a missing answer means in the numerator: the respondent is left out and counted as such, or "
        "it counts as no.",
    )
    per: int = Field(
        default=100_000, gt=0, description="The value is per so many: rate 100 000, incidence 1 000, others 100."
    )
    population: str = Field(default="", description="Whom the source text means: residents aged 18 and over, …")
    reference_period: str = Field(
        default="",
        pattern=r"^(P[1-9][0-9]*[YMWD])?$",
        description="Time that the answers look back on, as P12M (ISO 8601).",
    )
    disaggregations: list[str] = Field(default=[], description="Breakdowns that the source text asks for: sex, age, …")
    source: str = Field(min_length=1, description="The text that defines it: title, institution, year, section.")
    note: str = Field(default="", description="What a reader must know to read it rightly.")

    @field_validator("disaggregations")
    @classmethod
    def _dimensions(cls, names: list[str]) -> list[str]:
        unknown = [name for name in names if name not in dimensions()]
        if unknown:
            raise ValueError(f"{unknown[0]} is no known dimension; known are {', '.join(dimensions())}")
        return once(names, "dimension")

    @model_validator(mode="after")
    def _answers_fit(self) -> Version:
        if not isinstance(self.numerator, Answers):
            return self
        if not self.population:
            raise ValueError(f"version {self.version} needs population: whom the source text means")
        base = self.denominator if isinstance(self.denominator, Answers) else None
        if base is not None and base.unit != self.numerator.unit:
            raise ValueError(
                f"the numerator stands for a {self.numerator.unit}, the denominator for a {base.unit}: one of them only"
            )
        for role in self.numerator.roles:
            _check_asked(role, base)
        return self

    @property
    def made_of(self) -> Material:
        """What the numerator is taken from: incidents, survey, audits, or estimates of other indicators."""
        return self.numerator.made_of

    @property
    def counted(self) -> Acts:
        """The recorded cases that are counted.

        Raises
        ------
        UsageError
            If the indicator is not made of records.
        """
        if not isinstance(self.numerator, Acts):
            raise UsageError(problem("indicator-not-of-records", label=self.label, of=self.made_of))
        return self.numerator

    @property
    def parts(self) -> list[str]:
        """Codes of the indicators that it is made of; empty where it is made of a source."""
        return list(self.numerator.parts) if isinstance(self.numerator, Compared | Index) else []

    @property
    def rated(self) -> list[str]:
        """The parameters that an audit must have rated."""
        return self.numerator.parameters if isinstance(self.numerator, Ratings) else []

    @property
    def roles(self) -> list[str]:
        """The answers that a survey must hold, for numerator and denominator; each once.

        Examples
        --------
        >>> from safercities.indicators.catalogue import indicator
        >>> indicator("sdg.16.5.1").on().roles
        ['bribe_paid_12m', 'bribe_asked_12m', 'contact_official_12m']
        """
        parts = (self.numerator, self.denominator)
        return list(dict.fromkeys(role for part in parts if isinstance(part, Answers) for role in part.roles))


def _check_asked(role: str, base: Answers | None) -> None:
    """A question that only some were asked has no answer from the others: the denominator must be those asked."""
    asked = set(answers()[role].asked)
    if not asked:
        return
    if base is not None and (base.how == "mean" or asked & {*base.all} or (base.any and asked >= {*base.any})):
        return
    raise ValueError(
        f"{role} is asked only of those who said yes to {' or '.join(sorted(asked))}: the denominator must say so"
    )


class Indicator(Spec):
    """One indicator with all its dated definitions."""

    code: str = Field(pattern=CODE, description="Code: sdg.16.1.1, recorded.robbery, …")
    kind: Kind = Field(
        description="count: a number of cases; rate: cases per population, beside the count; proportion: a share of "
        "respondents; incidence: events told, per so many respondents; mean: of a number; ratio: of two of them; "
        "score: of audits; index: other indicators on a common scale."
    )
    direction: Literal["lower", "higher", "none"] = Field(default="lower", description="Which way is better.")
    links: Links = Field(default=Links(), description="Where the indicator belongs in the agendas.")
    versions: list[Version] = Field(min_length=1, description="Dated definitions, oldest first.")

    @model_validator(mode="before")
    @classmethod
    def _default_per(cls, data: Any) -> Any:
        """`per`, where the file does not say it: by kind."""
        per = _PER.get(data.get("kind")) if isinstance(data, dict) else None
        versions = data.get("versions") if per is not None else None
        if not isinstance(versions, list):
            return data
        return {**data, "versions": [{"per": per, **one} if isinstance(one, dict) else one for one in versions]}

    @field_validator("versions")
    @classmethod
    def _rising(cls, versions: list[Version]) -> list[Version]:
        once([version.version for version in versions], "version")
        for earlier, later in pairwise(versions):
            if later.valid_from is None:
                raise ValueError(f"version {later.version} needs valid_from: only the first may be without it")
            if earlier.valid_from is not None and later.valid_from <= earlier.valid_from:
                raise ValueError(f"version {later.version} must begin after version {earlier.version}")
        return versions

    @model_validator(mode="after")
    def _kind_fits(self) -> Indicator:
        for version in self.versions:
            if not (isinstance(version.numerator, _MADE_OF[self.kind]) and _fits(self.kind, version)):
                article = "an" if self.kind[0] in "aeiou" else "a"
                raise ValueError(f"{article} {self.kind} needs {_NEEDS[self.kind]}")
            if self.kind == "proportion" and version.per != 100:
                raise ValueError("a proportion is a percentage: leave per out")
        return self

    def on(self, day: date | None = None) -> Version:
        """The definition in force on a day (default: the newest; before the first one: the first)."""
        in_force = [v for v in self.versions if day is None or v.valid_from is None or v.valid_from <= day]
        return (in_force or self.versions[:1])[-1]

    def unit(self, version: Version) -> str:
        """Unit of the values, as the column `unit` of the estimates says it.

        A rate stands beside its count. How far a score of audits reaches, its rubric says.

        Examples
        --------
        >>> from safercities.indicators.catalogue import indicator
        >>> codes = "sdg.16.1.1", "sdg.16.1.4", "surveyed.robbery.incidents", "audit.safety_score", "cpi.homicide"
        >>> [entry.unit(entry.on()) for entry in map(indicator, codes)]
        ['per 100 000', '%', 'per 1 000', 'score', 'index 0–100']
        """
        if isinstance(version.numerator, Acts) and self.kind == "count":
            return " or ".join(version.numerator.units)
        fixed = {"proportion": "%", "mean": "mean", "score": "score", "index": "index 0–100"}
        return fixed.get(self.kind) or f"per {version.per:,}".replace(",", " ")


def _fits(kind: Kind, version: Version) -> bool:
    """Whether numerator and denominator are of the form that the kind needs."""
    over, how = version.denominator, getattr(version.numerator, "how", "")
    if kind in ("rate", "count"):
        return over == ("population" if kind == "rate" else "none")
    if kind in ("score", "index"):
        return over == "none"
    if kind == "ratio":
        of_two = how == "mean" and isinstance(over, Answers) and over.how == "mean"
        return of_two or (not how and over == "none")
    some = over == "respondents" or (isinstance(over, Answers) and over.how != "mean")
    return some and (how == "mean") == (kind != "proportion")
