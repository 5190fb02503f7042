"""What observatory.toml says of a survey: its design, its population, and what its columns ask."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from safercities.collect.file_spec import CodesFrom, DimensionFrom, FileSpec, Scalar, check_names, value_or_table
from safercities.collect.margins_spec import MarginFrom
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period
from safercities.model.spec import Spec
from safercities.sampling.spec import MOST, IntervalMethod, Lonely, Missing, Replication

PeriodFrom = Annotated[
    Annotated[int | str, Tag("tag:value")] | Annotated[CodesFrom, Tag("tag:table")], Discriminator(value_or_table)
]


#: Most questions in a row, each asked only after yes to the one before; most stages of a sample.
MOST_FILTERS, MOST_STAGES = 50, 8


class YesFrom(Spec):
    """Which rows a column says yes for."""

    column: str = Field(description="Column that holds the value.")
    yes: list[Scalar] = Field(min_length=1, description="Values that mean yes; every other value means no.")


class VariableFrom(Spec):
    """One answer of the respondents: yes or no, or a number."""

    column: str = Field(description="Column that holds the answer.")
    yes: list[Scalar] | None = Field(default=None, description="Values that mean yes.")
    no: list[Scalar] | None = Field(
        default=None,
        description="Values that mean no. Any other value is then an error. Without it every other value means no, "
        "save empty cells and those in unknown.",
    )
    between: list[float] | None = Field(
        default=None, description="A number from the first to the last of these two means yes, any other no: [18, 29]."
    )
    number: bool = Field(default=False, description="Whether the answer is a number itself: a score, how many times.")
    limits: list[float] | None = Field(
        default=None, description="Smallest and largest number that can be: [0, 10]. Any other number is an error."
    )
    unknown: list[Scalar] = Field(
        default=[], description="Values that mean “don't know” or “no answer”; empty cells always do."
    )
    missing: Missing = Field(
        default="omit",
        description="What a missing answer means: omit leaves the respondent out, no counts it as no, fail refuses the "
        "file.",
    )
    asked_if: str | None = Field(
        default=None,
        description="Variable of this survey: the question was put only to those who answered it with yes.",
    )
    not_asked: Literal["omit", "no"] = Field(
        default="omit",
        description="What it means not to have been asked: omit, outside the question; no, the answer is known: no, or "
        "0 for a number.",
    )

    @field_validator("between", "limits")
    @classmethod
    def _pair(cls, pair: list[float] | None) -> list[float] | None:
        if pair is not None and (len(pair) != 2 or not pair[0] <= pair[1]):
            raise ValueError("give two numbers, the smaller one first: [18, 29]")
        return pair

    @model_validator(mode="after")
    def _one_rule(self) -> VariableFrom:
        rules = [self.yes is not None, self.between is not None, self.number]
        if sum(rules) != 1:
            raise ValueError("say what the answer is with exactly one of yes, between and number = true")
        if self.yes == []:
            raise ValueError("yes names no value")
        if self.no is not None and self.yes is None:
            raise ValueError("no belongs to yes: leave it out here")
        if self.limits is not None and self.yes is not None:
            raise ValueError("limits belong to a number: leave them out here")
        if self.number and self.missing == "no":
            raise ValueError('missing = "no" belongs to yes or no, not to a number')
        return self

    @model_validator(mode="after")
    def _each_value_once(self) -> VariableFrom:
        lists = {"yes": self.yes or [], "no": self.no or [], "unknown": self.unknown}
        seen: dict[str, str] = {}
        for name, values in lists.items():
            for value in dict.fromkeys(map(_written, values)):
                if value in seen:
                    raise ValueError(f"{value} stands in {seen[value]} and in {name}")
                seen[value] = name
        return self

    @model_validator(mode="after")
    def _not_asked_needs_asked_if(self) -> VariableFrom:
        if "not_asked" in self.model_fields_set and self.asked_if is None:
            raise ValueError("not_asked needs asked_if: name the variable that decides who was asked")
        return self


class ReplicatesFrom(Spec):
    """Replicate weights that came with the file."""

    kind: Replication = Field(description="How they were made, as the file's documentation says.")
    columns: list[str] | None = Field(default=None, min_length=2, description="Their columns.")
    prefix: str | None = Field(
        default=None, min_length=1, description="Or what their names begin with: rw for rw1, rw2, … The number follows."
    )
    fay: float | None = Field(default=None, ge=0, lt=1, description="Fay's coefficient, for kind = fay.")
    scale: float | None = Field(default=None, gt=0, description="Factor of the sum of squares; default: by the kind.")
    rscales: list[float] | None = Field(default=None, description="Factor of each replicate; default: by the kind.")
    combined: bool = Field(
        default=True, description="Whether the columns are whole weights; false: factors of the weight."
    )

    @model_validator(mode="after")
    def _fits(self) -> ReplicatesFrom:
        if (self.columns is None) == (self.prefix is None):
            raise ValueError("name the replicate weights by columns or by prefix: one of them")
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            raise ValueError("columns names a column twice")
        if (self.kind == "fay") != (self.fay is not None):
            raise ValueError('fay belongs to kind = "fay", and that kind needs it')
        if self.kind == "other" and self.scale is None:
            raise ValueError('kind = "other" needs scale')
        if self.rscales is not None and (not self.rscales or min(self.rscales) < 0):
            raise ValueError("rscales are numbers from 0 on, one a replicate")
        if self.rscales is not None and self.columns is not None and len(self.rscales) != len(self.columns):
            raise ValueError(f"there are {len(self.columns)} columns and {len(self.rscales)} rscales")
        return self


class SurveySpec(FileSpec):
    """`kind = "survey"`: one row a respondent of a sample."""

    kind: Literal["survey"] = Field(description="What the source is.")
    label: str | None = Field(default=None, description="Name shown to people; default: the name of the table.")
    population: str = Field(
        default="", description="Whom the survey speaks for, as “Residents aged 15 and over”. Shown beside its numbers."
    )
    period: PeriodFrom = Field(
        description='When people were interviewed: 2023, "2023-Q1", "2022-10/2023-01"; or the column that says it. '
        "A text that is a period is one, any other names a column; { column = … } always does."
    )
    date_order: Literal["ymd", "dmy", "mdy"] | None = Field(
        default=None, description="Order of day, month, year where interview dates can be read two ways, as 03/04/2019."
    )
    id: str | None = Field(default=None, description="Column that names the respondent. A repeated id is a duplicate.")
    weight: str | float = Field(
        description="Column with the weight: how many people the respondent stands for. Or a number, where everybody "
        "had the same chance to be drawn: 1, or population over sample."
    )
    weights_of: Literal["persons", "households"] = Field(
        default="persons",
        description="What the weights count. Of answers that stand for a household (a burglary, a stolen car) numbers "
        "are made with households only: give these weights, and their variables, in a source of their own.",
    )
    strata: str | None = Field(default=None, description="Column with the stratum of the sample.")
    psu: str | None = Field(
        default=None, description="Column with the primary sampling unit (cluster). Default: each row is its own."
    )
    stages: list[str] = Field(
        default=[], description="Columns with the units of further stages, drawn inside the unit before: [household]."
    )
    fpc: list[str] = Field(
        default=[],
        description="Columns, by stage, with how many units there were to draw from, or with the share drawn (≤ 1).",
    )
    nested: bool = Field(default=False, description="Whether the ids of PSUs begin anew in each stratum.")
    lonely: Lonely = Field(
        default="fail",
        description="What to do with a stratum of one PSU, whose variance cannot be seen: stop, centre it on the whole "
        "sample (adjust), give it the average of the others, take it as certain, or remove it from the variance.",
    )
    certainty: YesFrom | None = Field(
        default=None, description="Which PSUs were not drawn but taken for certain: { column = …, yes = [1] }."
    )
    replicates: ReplicatesFrom | None = Field(default=None, description="Replicate weights in the file.")
    margins: list[MarginFrom] = Field(
        default=[],
        description="Population totals that the weights are tied to. One margin: post-stratification. Several: raking. "
        "With a number among them: linear calibration.",
    )
    interval: IntervalMethod = Field(default="korn-graubard", description="Interval of proportions.")
    scheme: str | None = Field(
        default=None,
        description="Rules by which an estimate is published, published with a warning or withheld: nchs, ine-chile, "
        "eclac, inegi-cv, dhs-counts, statcan-cv.",
    )
    longitude: str | None = Field(default=None, description="Column with the longitude, or easting.")
    latitude: str | None = Field(default=None, description="Column with the latitude, or northing.")
    crs: str = Field(default="EPSG:4326", description="Coordinate reference system of the coordinates.")
    places: dict[str, str] = Field(
        default={},
        description='Level → column with the code (or name) of the place where the respondent lives: {ward = "code"}.',
    )
    dimensions: dict[str, DimensionFrom] = Field(default={}, description="Breakdowns: sex, age, income, …")
    variables: dict[str, VariableFrom] = Field(
        min_length=1, description="The answers, by the names that the indicators use: { victim_physical_12m = … }."
    )

    @property
    def unit_of_count(self) -> str:
        """What a row is: respondents."""
        return "respondents"

    @property
    def adjustment(self) -> Literal["none", "post-stratify", "rake", "calibrate"]:
        """How the weights are tied to the margins."""
        if not self.margins:
            return "none"
        if any(margin.number is not None for margin in self.margins):
            return "calibrate"
        return "post-stratify" if len(self.margins) == 1 else "rake"

    @property
    def fixed_period(self) -> Period | None:
        """The period of all interviews; None where a column says it."""
        if isinstance(self.period, CodesFrom):
            return None
        return _period_of(str(self.period))

    @property
    def period_column(self) -> CodesFrom | None:
        """The column that says when people were interviewed; None where all were in one period."""
        if isinstance(self.period, CodesFrom):
            return self.period
        return None if self.fixed_period else CodesFrom(column=str(self.period))

    @field_validator("dimensions")
    @classmethod
    def _named(cls, dimensions: dict[str, DimensionFrom]) -> dict[str, DimensionFrom]:
        return check_names(dimensions, sampled=True)

    @field_validator("variables")
    @classmethod
    def _roles(cls, variables: dict[str, VariableFrom]) -> dict[str, VariableFrom]:
        for role, how in variables.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*", role):
                raise ValueError(f"write the variable {role!r} with small letters a–z, digits and _")
            _check_filter(role, how, variables)
        return variables

    @field_validator("weight")
    @classmethod
    def _weighs(cls, weight: str | float) -> str | float:
        if not isinstance(weight, str) and not 1 / MOST <= weight <= MOST:
            raise ValueError("a weight is greater than 0, and a number of people")
        return weight

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, scheme: str | None) -> str | None:
        from safercities.sampling.rules import find_scheme  # loads numpy, which `safercities --help` does not need

        if scheme is not None:
            try:
                find_scheme(scheme)
            except SafercitiesError as error:
                raise ValueError(f"{error.problems[0].what}; {error.problems[0].todo}") from None
        return scheme

    @field_validator("period")
    @classmethod
    def _can_be(cls, period: int | str | CodesFrom) -> int | str | CodesFrom:
        fixed = None if isinstance(period, CodesFrom) else _period_of(str(period))
        if isinstance(period, int) and (fixed is None or not 1800 <= period <= 2200):
            raise ValueError("a year has four digits: 2023")
        if fixed is not None and fixed.start > date.today():
            raise ValueError("no survey was made in the future")
        return period

    @model_validator(mode="after")
    def _design(self) -> SurveySpec:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError("longitude and latitude belong together: name both columns or neither")
        if self.nested and (self.strata is None or self.psu is None):
            raise ValueError("nested says that ids of PSUs begin anew in each stratum: it needs psu and strata")
        if self.stages and self.psu is None:
            raise ValueError("stages are drawn inside PSUs: name the column psu first")
        if len(self.stages) > MOST_STAGES:
            raise ValueError(f"there are {len(self.stages)} stages: give at most {MOST_STAGES}")
        if len(self.fpc) > 1 + len(self.stages):
            raise ValueError(f"fpc has {len(self.fpc)} columns and the design {1 + len(self.stages)} stages")
        units = [self.psu, *self.stages]
        if len(set(units)) != len(units):
            raise ValueError("psu and stages name a column twice")
        return self

    @model_validator(mode="after")
    def _margins_fit(self) -> SurveySpec:
        names = [margin.name for margin in self.margins]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two margins are by {twice[0]}: give one set of totals")
        for margin in self.margins:
            for name in margin.by:
                if name not in self.dimensions:
                    raise ValueError(f"the margin {margin.name} is by {name}, which is no breakdown of this survey")
            if margin.source is not None and self.weights_of == "households":
                raise ValueError(
                    f"the margin {margin.name} takes people from {margin.source}, and the weights count households: "
                    "give the numbers of households with totals"
                )
            if margin.number is not None:
                how = self.variables.get(margin.number)
                if how is None or not how.number:
                    raise ValueError(f"the margin {margin.number} is no variable with number = true")
        return self


def _check_filter(role: str, how: VariableFrom, variables: dict[str, VariableFrom]) -> None:
    """A filter must be a question with yes and no, and not lead back to itself."""
    seen = [role]
    while how.asked_if is not None:
        if how.asked_if not in variables:
            raise ValueError(f"{seen[-1]} is asked if {how.asked_if}, which is no variable of this survey")
        if how.asked_if in seen:
            raise ValueError(f"{role} is asked if {' if '.join([*seen[1:], how.asked_if])}: that leads in a circle")
        seen.append(how.asked_if)
        if len(seen) > MOST_FILTERS:
            raise ValueError(f"{role} is asked after more than {MOST_FILTERS} questions in a row")
        how = variables[how.asked_if]
        if how.number:
            raise ValueError(f"{seen[-2]} is asked if {seen[-1]}, which is a number and not yes or no")


def _written(value: Scalar) -> str:
    """A value as it is compared: 1, 1.0, true and "1" are the same."""
    if isinstance(value, str):
        return value.strip()
    return f"{float(value):g}" if abs(float(value)) < 1e5 else str(value)


def _period_of(text: str) -> Period | None:
    """The period that a text is, or None."""
    try:
        return Period.parse(text)
    except SafercitiesError:
        return None
