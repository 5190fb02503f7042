"""`[publish]` of observatory.toml: what may leave the office, how small numbers are protected, and from whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from safercities.collect.file_spec import FileSpec
from safercities.model.errors import SafercitiesError
from safercities.model.spec import Spec

if TYPE_CHECKING:
    from safercities.indicators.spec import Indicator

#: What stands for the acts and answers in `sensitive_acts` and `sensitive_answers` where texts list what is sensitive.
SENSITIVE_ACT = "a sensitive act"
PLACE = "place"

#: Acts of a sexual nature (violence, exploitation, others), and trafficking for sexual exploitation.
SEXUAL_ACTS = ("03", "02041")
#: Acts of which no single place is published, whatever `sensitive_acts` says: those, and discrimination.
NEVER_BY_POINT = (*SEXUAL_ACTS, "0210")
#: The same as people told a survey.
SEXUAL_ANSWERS = (
    "victim_sexual_12m",
    "sexual_violence_by_18",
    "partner_sexual_12m",
    "nonpartner_sexual_12m",
    "reported_sexual",
    "harassed_sexual_12m",
)


class KnownSpec(Spec):
    """`[[publish.known]]`: true totals that outsiders know anyway, since somebody publishes them exactly."""

    indicator: str = Field(min_length=1, description="Indicator whose true counts are known: sdg.16.1.1.")
    source: str | None = Field(
        default=None, description="The source whose counts they are; default: every source that the indicator has."
    )
    by: list[list[str]] = Field(
        default=[[]],
        min_length=1,
        description='Breakdowns that are known: [[]] is the total of the whole place, [["sex"], ["place"]] those of '
        "each sex and of each place.",
    )
    periods: list[str] = Field(default=[], description='Periods of which they are known: ["2023"]; none: of all.')

    @field_validator("by")
    @classmethod
    def _by(cls, by: list[list[str]]) -> list[list[str]]:
        return _no_repeats(by)

    @field_validator("periods")
    @classmethod
    def _periods(cls, periods: list[str]) -> list[str]:
        from safercities.model.periods import Period

        try:
            return [str(Period.parse(one)) for one in periods]
        except SafercitiesError as error:
            raise ValueError(error.problems[0].what) from None


class AddressesSpec(FileSpec):
    """`[publish.addresses]`: where people live, so that a point can stand for enough of them."""

    longitude: str = Field(description="Column with the longitude, or easting.")
    latitude: str = Field(description="Column with the latitude, or northing.")
    crs: str = Field(default="EPSG:4326", description="Coordinate reference system of the coordinates.")
    count: str | None = Field(
        default=None, description="Column with the number of addresses at the point; default: one a row."
    )
    least: int | None = Field(
        default=None,
        ge=3,
        description="Addresses that each point stands for, at least; default, and least possible: `minimum_count`. "
        "Fewer points of more addresses lose less to protection, and take less time.",
    )
    sources: list[str] = Field(
        min_length=1,
        description="Sources of incidents whose cases are published by point as well. None that holds hate violence: "
        "a source with a dimension about it (motive, hate, bias) is refused.",
    )


class PublishSpec(Spec):
    """`[publish]`: what is published, and the rules of disclosure control."""

    method: Literal["rounding", "suppression"] = Field(
        default="rounding",
        description="How small counts are protected. rounding: counts below the least count become 0 or the least "
        "count, and everything is measured from them; suppression: they are withheld, with others that would give "
        "them away.",
    )
    minimum_count: int = Field(
        default=5,
        ge=3,
        le=1000,
        description="The least count k: 0 to k − 1 cannot be told apart. At least 3: of a count of 2, each of the two "
        "knows the other.",
    )
    sensitive_count: int = Field(
        default=10,
        ge=3,
        le=1000,
        description="The least count where something sensitive takes part: a dimension of `sensitive`, an act of "
        "`sensitive_acts`, an answer of `sensitive_answers`.",
    )
    sensitive: list[str] = Field(
        default=["orientation", "migration"],
        description="Dimensions that need `sensitive_count`. Consider disability, ethnicity and motive too.",
    )
    sensitive_acts: list[str] = Field(
        default=list(SEXUAL_ACTS),
        description="ICCS codes, each with all below it, whose indicators need `sensitive_count`. Default: acts of a "
        "sexual nature, and trafficking for sexual exploitation.",
    )
    sensitive_answers: list[str] = Field(
        default=list(SEXUAL_ANSWERS),
        description="Answers of surveys whose indicators need `sensitive_count`. Default: those about sexual violence "
        "and sexual harassment.",
    )
    attributes: list[str] = Field(
        default=["orientation", "migration", "disability", "ethnicity"],
        description="Dimensions that say something private of a person: where all cases of a group have one and the "
        "same code, the group is not published by it.",
    )
    complete: list[str] = Field(
        default=[],
        description="Dimensions that every case has, as everybody knows: then no case can be without, and with method "
        "suppression nothing else need be withheld to hide how many are. Refused where a case lacks one.",
    )
    dimensions: Annotated[int, Field(ge=1, le=3)] = Field(
        default=2,
        description="Most dimensions that a table may have, `place` among them. Each further one makes cells smaller.",
    )
    tables: list[list[str]] | None = Field(
        default=None,
        description='Breakdowns to publish: [["sex"], ["place", "sex"]]. Default: those of `[measure]` that these '
        "rules allow; `safercities check` names the others. Totals are always published.",
    )
    levels: list[str] | None = Field(
        default=None, description="Levels of places to publish; default: all. Fewer levels need less protection."
    )
    indicators: list[str] | None = Field(
        default=None, description="Indicators to publish; default: those of `[measure]`."
    )
    sources: list[str] | None = Field(default=None, description="Sources to publish; default: all.")
    same_cases: list[list[str]] = Field(
        default=[],
        description='Sources that hold the same cases, each with an `id` that the others have too: [["police", '
        '"prosecutor"]]. Their tables of a period are protected together, as those of one source, where all cases are '
        "in both and agree; otherwise the release is refused. Sources over the same file need not be named.",
    )
    width: int | None = Field(
        default=None,
        ge=1,
        description="How far apart the least and the greatest value must be that an attacker can still think possible "
        "of a protected count. Default: half of the class “fewer than k”, that is (k − 1) // 2 with the k of the cell, "
        "at least 1. At most `minimum_count` − 1.",
    )
    insider: bool = Field(
        default=True, description="Whether an attacker may be a victim who knows that one case of a cell is their own."
    )
    singletons: bool = Field(
        default=True,
        description="Whether somebody may stand alone in a cell, know it, and take their own case off every table.",
    )
    populations: bool = Field(
        default=True,
        description="Whether outsiders know the populations that rates are made with: count = rate × people.",
    )
    known: list[KnownSpec] = Field(
        default=[], description="True totals that outsiders know: those that the police publish themselves."
    )
    addresses: AddressesSpec | None = Field(
        default=None,
        description="File of addresses. With it, cases are also published by anonymous points that stand for at least "
        "`minimum_count` addresses each, but never those of sensitive acts; without it, by the areas of "
        "`[[geographies]]` only.",
    )

    @field_validator("tables")
    @classmethod
    def _tables_once(cls, tables: list[list[str]] | None) -> list[list[str]] | None:
        return None if tables is None else _no_repeats(tables)

    @field_validator("same_cases")
    @classmethod
    def _groups(cls, groups: list[list[str]]) -> list[list[str]]:
        for group in groups:
            if len(set(group)) < 2 or len(set(group)) < len(group):
                raise ValueError(f"{group} must name two sources or more, each once")
        return groups

    @field_validator("sensitive_acts")
    @classmethod
    def _known_acts(cls, acts: list[str]) -> list[str]:
        from safercities.model.dimensions import UNKNOWN, code_list

        for act in acts:
            if act not in code_list("ICCS") or act == UNKNOWN:
                raise ValueError(f"{act} is no act of the code list ICCS{_meant(code_list('ICCS').near(act, n=1))}")
        return acts

    @field_validator("sensitive_answers")
    @classmethod
    def _known_answers(cls, roles: list[str]) -> list[str]:
        from safercities.indicators.answers import answers, near

        for role in roles:
            if role not in answers():
                raise ValueError(f"{role} is no answer that surveys are asked for{_meant(near(role))}")
        return roles

    @model_validator(mode="after")
    def _counts_fit(self) -> PublishSpec:
        if self.sensitive_count < self.minimum_count:
            raise ValueError(
                f"sensitive_count ({self.sensitive_count}) is below minimum_count ({self.minimum_count}): what is "
                "sensitive needs the larger one"
            )
        if self.width is not None and self.width > self.minimum_count - 1:
            raise ValueError(
                f"width cannot be more than minimum_count − 1 ({self.minimum_count - 1}): a count below "
                f"{self.minimum_count} is known to lie between 0 and that"
            )
        return self

    @model_validator(mode="after")
    def _tables_allowed(self) -> PublishSpec:
        for table in self.tables or []:
            if why := self.unfit(table):
                raise ValueError(f"the table {table} cannot be published: {why}")
        return self

    @model_validator(mode="after")
    def _points_stand_for_enough(self) -> PublishSpec:
        least = self.addresses.least if self.addresses is not None else None
        if least is not None and least < self.minimum_count:
            raise ValueError(f"a point cannot stand for fewer addresses than minimum_count ({self.minimum_count})")
        return self

    def unfit(self, table: Sequence[str], *, sensitive_act: bool = False) -> str:
        """Why a breakdown cannot be published under these rules; empty where it can.

        Parameters
        ----------
        table
            Dimensions, and `place`.
        sensitive_act
            Whether it is of an indicator for which `is_sensitive` holds.

        Examples
        --------
        >>> PublishSpec().unfit(["place", "sex"])
        ''
        >>> PublishSpec().unfit(["place", "orientation"], sensitive_act=True)
        'at most one of orientation, a sensitive act can stand with place: few people share both in one neighbourhood'
        """
        if len(table) > self.dimensions:
            most = f"{self.dimensions} dimension{'s' if self.dimensions > 1 else ''}"
            return f"it has {len(table)}, and a table has at most {most}: each further one makes the cells smaller"
        together = [name for name in table if name in self.sensitive] + [SENSITIVE_ACT] * sensitive_act
        if PLACE in table and len(together) > 1:
            listed = ", ".join(together)
            return f"at most one of {listed} can stand with place: few people share both in one neighbourhood"
        return ""

    def is_sensitive(self, indicator: Indicator) -> bool:
        """Whether an indicator, in any of its versions, counts or asks for something sensitive.

        Examples
        --------
        >>> from safercities.indicators.catalogue import indicator
        >>> codes = "recorded.sexual_violence", "recorded.robbery", "sdg.16.1.3.sexual", "sdg.16.1.4"
        >>> [PublishSpec().is_sensitive(indicator(code)) for code in codes]
        [True, False, True, False]
        """
        from safercities.indicators.catalogue import indicator as catalogued
        from safercities.indicators.numerators import Acts

        for version in indicator.versions:
            if isinstance(version.numerator, Acts) and _overlap(version.numerator, self.sensitive_acts):
                return True
            if set(version.roles) & set(self.sensitive_answers):
                return True
            if any(self.is_sensitive(catalogued(part)) for part in version.parts):
                return True
        return False

    def by_point(self, indicator: Indicator) -> bool:
        """Whether cases of an indicator may be published by anonymous point: nothing sensitive, sexual or of hate.

        Examples
        --------
        >>> from safercities.indicators.catalogue import indicator
        >>> spec = PublishSpec(sensitive_acts=[])
        >>> spec.by_point(indicator("recorded.robbery")), spec.by_point(indicator("recorded.sexual_violence"))
        (True, False)
        """
        acts = dict.fromkeys([*self.sensitive_acts, *NEVER_BY_POINT])
        return not self.model_copy(update={"sensitive_acts": list(acts)}).is_sensitive(indicator)

    def minimum(self, indicator: Indicator, table: Sequence[str]) -> int:
        """The least count of an indicator's table.

        Examples
        --------
        >>> from safercities.indicators.catalogue import indicator
        >>> robbery = indicator("recorded.robbery")
        >>> PublishSpec().minimum(robbery, ["sex"]), PublishSpec().minimum(robbery, ["orientation"])
        (5, 10)
        """
        return self.least(table, sensitive_act=self.is_sensitive(indicator))

    def least(self, table: Sequence[str], *, sensitive_act: bool) -> int:
        """The least count of a table; `sensitive_act` is what `is_sensitive` says of its indicator."""
        sensitive = sensitive_act or not set(table).isdisjoint(self.sensitive)
        return self.sensitive_count if sensitive else self.minimum_count

    def least_width(self, minimum: int) -> int:
        """How far apart the ends of the interval must be that is left of a count in a cell with this least count.

        Examples
        --------
        >>> PublishSpec().least_width(10), PublishSpec(width=2).least_width(10)
        (4, 2)
        """
        return max(1, (minimum - 1) // 2) if self.width is None else self.width

    def names(self) -> list[str]:
        """Every dimension that is named, each once; `place` may be among them."""
        tables = [*(self.tables or []), *(by for one in self.known for by in one.by)]
        listed = [*self.sensitive, *self.attributes, *self.complete]
        return list(dict.fromkeys([*listed, *(name for by in tables for name in by)]))

    def unknown_names(self, sources: Collection[str], levels: Collection[str]) -> list[str]:
        """What is named that neither the sources nor the lists of safercities have, as sentences.

        A name that is misspelt in `sensitive` would protect nothing, without a word.

        Parameters
        ----------
        sources
            Dimensions that some source has.
        levels
            Levels of places below the observatory's own.

        Examples
        --------
        >>> PublishSpec(sensitive=["orientaton"]).unknown_names({"sex"}, ())
        ['there is no dimension orientaton; did you mean orientation']
        """
        from difflib import get_close_matches

        from safercities.model.dimensions import dimensions

        known = [*sources, *dimensions()]
        found = [
            f"there is no dimension {name}{_meant(get_close_matches(name, known, n=1))}"
            for name in self.names()
            if name != PLACE and name not in known
        ]
        if PLACE in (*self.sensitive, *self.attributes):
            found.append("place is no dimension that can be sensitive or an attribute: choose levels instead")
        tables = [*(self.tables or []), *(by for one in self.known for by in one.by)]
        missing = dict.fromkeys(name for by in tables for name in by if name in known and name not in sources)
        found += [f"no source has the dimension {name}" for name in missing]
        if not levels and any(PLACE in by for by in tables):
            found.append("there is no [[geographies]]: place means nothing")
        if self.levels:
            found += [f"there is no level {name} among [[geographies]]" for name in self.levels if name not in levels]
        return found


def _overlap(counted: object, sensitive: Sequence[str]) -> bool:
    """Whether any act of the code list (or of the definition itself) is both counted and sensitive."""
    from safercities.indicators.numerators import Acts
    from safercities.model.dimensions import code_list, iccs_below

    assert isinstance(counted, Acts)  # noqa: S101 - the caller chooses
    codes = (*counted.acts, *(code.code for code in code_list("ICCS")))
    return any(iccs_below(code, sensitive) and counted.counts(code) for code in codes)


def _no_repeats(by: list[list[str]]) -> list[list[str]]:
    for combination in by:
        if len(set(combination)) != len(combination):
            raise ValueError(f"{combination} names a breakdown twice")
    return by


def _meant(near: Sequence[str]) -> str:
    return f"; did you mean {near[0]}" if near else ""
