"""What observatory.toml says of population totals that the weights of a survey are tied to."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from safercities.model.spec import Spec

#: Between the codes of a joint category, as in "F|Y15T24".
BETWEEN_CODES = "|"


class MarginFrom(Spec):
    """Population totals that the weights are made to add up to."""

    by: list[str] = Field(
        default=[], description='Breakdowns of this survey whose categories have totals: ["sex", "age"].'
    )
    totals: dict[str, float] | None = Field(
        default=None,
        description="People in each category, by its code: `{F = 1200, M = 1100}`; with several breakdowns they have "
        '| between: `{"F|Y15T24" = 210, …}`.',
    )
    source: str | None = Field(default=None, description="Or the source of a population that has these totals.")
    period: str | None = Field(default=None, description="Year of that population; default: the survey's own.")
    among: dict[str, list[str]] = Field(
        default={},
        description="Whom of that population the survey speaks for, by code, where it is not everybody: "
        '`{ age = ["Y15T29", "Y30T59", "Y_GE60"] }`.',
    )
    number: str | None = Field(default=None, description="Or a variable of this survey that is a number: its total.")
    total: float | None = Field(default=None, gt=0, description="The total of that number over the whole population.")

    @field_validator("among")
    @classmethod
    def _some(cls, among: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, codes in among.items():
            if not codes or len(set(codes)) != len(codes):
                raise ValueError(f"among names no code of {name}, or one twice")
        return among

    @model_validator(mode="after")
    def _one_form(self) -> MarginFrom:
        if (self.number is None) != (self.total is None):
            raise ValueError("number and total belong together")
        if (self.number is None) == (not self.by):
            raise ValueError("a margin has by (breakdowns) or number (a variable): one of them")
        if self.by and (self.totals is None) == (self.source is None):
            raise ValueError("say the totals of this margin with totals or with source: one of them")
        if self.number is not None and (self.totals is not None or self.source is not None):
            raise ValueError("number has one total: leave out totals and source")
        if self.period is not None and self.source is None:
            raise ValueError("period belongs to source")
        if self.among and self.source is None:
            raise ValueError("among belongs to source")
        if both := sorted(set(self.among) & set(self.by)):
            raise ValueError(f"{both[0]} stands in by and in among: groups without respondents are left out anyway")
        if len(set(self.by)) != len(self.by):
            raise ValueError("by names a breakdown twice")
        return self

    @model_validator(mode="after")
    def _positive(self) -> MarginFrom:
        if self.totals == {}:
            raise ValueError(f"the margin {self.name} has no totals")
        for category, total in (self.totals or {}).items():
            if len(self.categories(category)) != len(self.by):
                raise ValueError(
                    f"the category {category} of the margin {self.name} needs {len(self.by)} codes with | between"
                )
            if not 0 < total < float("inf"):
                raise ValueError(
                    f"the margin {self.name} has a total of {total:g} for {category}: no weights can add up to it; "
                    "give the people there, or join the category with another"
                )
        return self

    @property
    def name(self) -> str:
        """How messages call it: its breakdowns, or its number."""
        return self.number or " × ".join(self.by)

    @staticmethod
    def categories(written: str) -> tuple[str, ...]:
        """Codes of one category as the key of `totals` writes them.

        Examples
        --------
        >>> MarginFrom.categories("F|Y15T24")
        ('F', 'Y15T24')
        """
        return tuple(part.strip() for part in written.split(BETWEEN_CODES))
