"""What an indicator is made of: cases in records, answers in surveys, ratings in audits, or other indicators."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from safercities.collect.audits_spec import RubricFrom
from safercities.indicators.answers import answers, near
from safercities.model.dimensions import UNKNOWN, code_list, iccs_below
from safercities.model.spec import Spec

Unit = Literal["victims", "incidents", "offences"]
#: What a numerator is taken from.
Material = Literal["incidents", "survey", "audits", "estimates"]

CODE = r"^[a-z0-9]+([._-][a-z0-9]+)*$"


class Acts(Spec):
    """Recorded cases."""

    made_of: ClassVar[Material] = "incidents"

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
                nearest = code_list("ICCS").near(act, n=1)
                hint = f"; did you mean {nearest[0]}" if nearest else ""
                raise ValueError(f"{act} is no act of the code list ICCS{hint}")
        return once(acts, "act")

    @field_validator("units")
    @classmethod
    def _units_once(cls, units: list[Unit]) -> list[Unit]:
        once(units, "unit")
        return units

    @model_validator(mode="after")
    def _inside(self) -> Acts:
        outside = [act for act in self.without if not iccs_below(act, self.acts)]
        if outside:
            raise ValueError(f"{outside[0]} is left out, but does not lie below any of the acts")
        return self

    def counts(self, act: str) -> bool:
        """Whether cases of that ICCS code are counted.

        Examples
        --------
        >>> assault = Acts(acts=["0201"], without=["02012"], units=["victims"])
        >>> [assault.counts(act) for act in ("0201", "020111", "020121", "_U")]
        [True, True, False, False]
        """
        return iccs_below(act, self.acts) and not iccs_below(act, self.without)

    def held_by(self, acts: Iterable[str]) -> bool:
        """Whether a source of these acts holds all that is counted: each act itself, or everything directly in it.

        Examples
        --------
        >>> robbery = Acts(acts=["0401"], units=["victims"])
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


class Answers(Spec):
    """Answers to a survey, by the roles in answers.toml. One of the four keys.

    With several roles: `any` is yes where one answer is yes, else missing where one is missing, else no. `all` is no
    where one is no, else missing where one is missing, else yes. `none` is the opposite of `any`.
    """

    made_of: ClassVar[Material] = "survey"

    any: list[str] = Field(default=[], description="Respondents who said yes to at least one of these roles.")
    all: list[str] = Field(default=[], description="Respondents who said yes to all of these roles.")
    none: list[str] = Field(default=[], description="Respondents who said no to all of these roles.")
    mean: str | None = Field(default=None, description="The number that this role gives.")

    @field_validator("any", "all", "none")
    @classmethod
    def _yes_no(cls, roles: list[str]) -> list[str]:
        for role in roles:
            _check_role(role, "yes_no", "it is a number: say mean")
        return once(roles, "role")

    @field_validator("mean")
    @classmethod
    def _number(cls, role: str | None) -> str | None:
        if role is not None:
            _check_role(role, "number", "it is answered by yes or no: say any, all or none")
        return role

    @model_validator(mode="after")
    def _one_way(self) -> Answers:
        if sum(map(bool, (self.any, self.all, self.none, self.mean))) != 1:
            raise ValueError("say one of any, all, none (lists of roles) and mean (one role)")
        units = {answers()[role].unit for role in self.roles}
        if len(units) > 1:
            raise ValueError(f"{', '.join(self.roles)} mix answers for persons with answers for households")
        return self

    @property
    def how(self) -> Literal["any", "all", "none", "mean"]:
        """Which of the four keys is used."""
        return "any" if self.any else "all" if self.all else "none" if self.none else "mean"

    @property
    def roles(self) -> list[str]:
        """The roles, in the order in which the file names them."""
        return [*self.any, *self.all, *self.none, *([self.mean] if self.mean else [])]

    @property
    def unit(self) -> Literal["person", "household"]:
        """Whom one answer stands for; with `household`, the weights must be the households'."""
        return answers()[self.roles[0]].unit


def _check_role(role: str, kind: str, otherwise: str) -> None:
    if role not in answers():
        meant = near(role)
        hint = f"; did you mean {' or '.join(meant)}" if meant else ""
        raise ValueError(f"{role} is no role of answers.toml{hint}")
    if answers()[role].kind != kind:
        raise ValueError(f"{role} does not fit here: {otherwise}")


class Ratings(Spec):
    """Ratings of safety audits. Scales and weights are those of the rubric."""

    made_of: ClassVar[Material] = "audits"

    ratings: Literal["all"] | list[str] = Field(
        description="`all`: the score of the whole rubric; one parameter: its mean rating; several: their score."
    )

    @field_validator("ratings")
    @classmethod
    def _parameters(cls, ratings: Literal["all"] | list[str]) -> Literal["all"] | list[str]:
        if ratings == "all":
            return ratings
        if not ratings:
            raise ValueError("name at least one parameter, or say all")
        for name in ratings:
            if name not in RubricFrom.model_fields:
                nearest = difflib.get_close_matches(name, RubricFrom.model_fields, n=1)
                hint = f"; did you mean {nearest[0]}" if nearest else ""
                raise ValueError(f"{name} is no parameter of the rubric{hint}")
        return once(ratings, "parameter")

    @property
    def parameters(self) -> list[str]:
        """The rated parameters."""
        return list(RubricFrom.model_fields) if self.ratings == "all" else list(self.ratings)


class Compared(Spec):
    """Recorded cases against those that people told a survey: the same acts, place and period."""

    made_of: ClassVar[Material] = "estimates"

    recorded: str = Field(pattern=CODE, description="Indicator of recorded cases.")
    surveyed: str = Field(pattern=CODE, description="Indicator of incidents told to a survey (kind `incidence`).")

    @property
    def parts(self) -> list[str]:
        """Codes of the indicators that it needs."""
        return [self.recorded, self.surveyed]


class Goalposts(Spec):
    """One indicator on a common scale from 0 (worst) to 100 (best).

    With t the transform and x the value, cut to min and max: 100 × (t(max) − t(x)) / (t(max) − t(min)) where lower is
    better, else 100 × (t(x) − t(min)) / (t(max) − t(min)).
    """

    of: str = Field(pattern=CODE, description="The indicator. Of a rate, the rate; never the count.")
    min: float = Field(description="Lower end: values below it count as it.")
    max: float = Field(description="Upper end: values above it count as it.")
    better: Literal["lower", "higher"] = Field(default="lower", description="Which end scores 100.")
    transform: Literal["none", "log", "fourth_root"] = Field(
        default="none", description="What is done to value, min and max before they are compared."
    )
    weight: float = Field(default=1, gt=0, allow_inf_nan=False, description="Weight in the mean of several parts.")

    @model_validator(mode="after")
    def _ends(self) -> Goalposts:
        if not -float("inf") < self.min < self.max < float("inf"):
            raise ValueError("min must lie below max")
        if self.transform == "log" and self.min <= 0:
            raise ValueError("with transform = “log”, min must be above zero")
        if self.transform == "fourth_root" and self.min < 0:
            raise ValueError("with transform = “fourth_root”, min must not be negative")
        return self


class Index(Spec):
    """Other indicators, each put on a scale from 0 to 100; the weighted mean where there are several."""

    made_of: ClassVar[Material] = "estimates"

    goalposts: list[Goalposts] = Field(min_length=1, description="The indicators, with the ends of their scales.")

    @field_validator("goalposts")
    @classmethod
    def _parts_once(cls, goalposts: list[Goalposts]) -> list[Goalposts]:
        once([part.of for part in goalposts], "indicator")
        return goalposts

    @property
    def parts(self) -> list[str]:
        """Codes of the indicators that it needs."""
        return [part.of for part in self.goalposts]


def once(values: Sequence[str], what: str) -> list[str]:
    """The values, if none stands twice.

    Raises
    ------
    ValueError
        If one does; pydantic makes a problem of it.
    """
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ValueError(f"the {what} {min(twice)} stands twice")
    return list(values)


# A tag is never the name of a key: problems leave out what the user did not write.
_TAGGED: dict[str, type[Spec]] = {
    "of records": Acts,
    "of answers": Answers,
    "of ratings": Ratings,
    "of comparison": Compared,
    "of index": Index,
}
_TAG_OF_KEY = {key: tag for tag, spec in _TAGGED.items() for key in spec.known_keys()}


def _tag(value: Any) -> str:
    """Which kind of numerator is meant, by its keys; so that what is wrong is said once, of that kind."""
    for tag, spec in _TAGGED.items():
        if isinstance(value, spec):
            return tag
    keys = [str(key) for key in value] if isinstance(value, dict) else []
    known = [key for key in keys if key in _TAG_OF_KEY]
    alike = [meant for key in keys for meant in difflib.get_close_matches(key, _TAG_OF_KEY, n=1)]
    return next((_TAG_OF_KEY[key] for key in [*known, *alike]), "of records")


Numerator = Annotated[
    Annotated[Acts, Tag("of records")]
    | Annotated[Answers, Tag("of answers")]
    | Annotated[Ratings, Tag("of ratings")]
    | Annotated[Compared, Tag("of comparison")]
    | Annotated[Index, Tag("of index")],
    Discriminator(_tag),
]

Word = Literal["population", "respondents", "none"]
Denominator = Annotated[
    Annotated[Word, Tag("a word")] | Annotated[Answers, Tag("of answers")],
    Discriminator(lambda value: "of answers" if isinstance(value, dict | Answers) else "a word"),
]
