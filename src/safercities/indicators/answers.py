"""The vocabulary of answers: the roles that columns of a survey play, and that survey indicators are made of."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from safercities.model.errors import UsageError, problem
from safercities.model.spec import Spec, parse

_FILE = "answers.toml"


class Answer(Spec):
    """What one role means."""

    label: str = Field(min_length=1, description="Short name.")
    question: str = Field(min_length=1, description="What respondents are asked, in plain words.")
    kind: Literal["yes_no", "number"] = Field(description="What the answer is.")
    asked: list[str] = Field(
        default=[], description="Roles of which at least one must be “yes” for the question to be asked; none: all are."
    )
    unit: Literal["person", "household"] = Field(default="person", description="Whom one answer stands for.")
    source: str = Field(min_length=1, description="The instrument that the question comes from.")


class _Answers(Spec):
    """The whole file."""

    roles: dict[str, Answer]

    @model_validator(mode="after")
    def _asked_of_known(self) -> _Answers:
        for role, one in self.roles.items():
            for other in one.asked:
                if other not in self.roles or self.roles[other].kind != "yes_no":
                    raise ValueError(f"{role} is asked of those who said yes to {other}: no role answered by yes or no")
        return self


def load_answers(text: str, *, file: str = _FILE) -> MappingProxyType[str, Answer]:
    """Read a vocabulary of answers from TOML text: role → what it means.

    Raises
    ------
    SafercitiesError
        If a key is unknown, missing or wrong, or a question is asked of those who gave an answer that does not exist.

    Examples
    --------
    >>> hurt = 'label = "Hurt"\\nquestion = "Were you hurt?"\\nkind = "yes_no"\\nsource = "A survey, 2020"'
    >>> load_answers(f"[hurt]\\n{hurt}")["hurt"].unit
    'person'
    """
    content: dict[str, Any] = {"roles": tomllib.loads(text)}
    return MappingProxyType(parse(_Answers, content, file=file).roles)


@cache
def answers() -> MappingProxyType[str, Answer]:
    """Every role that ships with safercities: role → what it means.

    Examples
    --------
    >>> answers()["reported_robbery"].asked
    ['victim_robbery_12m']
    """
    return load_answers(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))


def answer(role: str) -> Answer:
    """What one role means.

    Raises
    ------
    UsageError
        If there is no such role; names the nearest.

    Examples
    --------
    >>> answer("robberies_12m").kind
    'number'
    >>> answer("robbery_12m")
    Traceback (most recent call last):
    ...
    safercities.model.errors.UsageError: there is no answer “robbery_12m”: did you mean victim_robbery_12m...
    """
    if role not in answers():
        meant = near(role)
        hint = f"did you mean {' or '.join(meant)}? " if meant else ""
        raise UsageError(problem("answer-unknown", given=role, hint=hint))
    return answers()[role]


def near(role: str) -> list[str]:
    """Roles that may have been meant: those whose name holds it, else those that look like it.

    Examples
    --------
    >>> near("safe_walking_drak")[0], near("nothing like it")
    ('safe_walking_dark', [])
    """
    wanted = role.strip().casefold()
    parts = [known for known in answers() if wanted and f"_{wanted}_" in f"_{known}_"]
    return (parts or difflib.get_close_matches(wanted, answers(), n=2, cutoff=0.8))[:3]
