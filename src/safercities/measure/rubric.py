"""Rubrics of safety audits as data: what is rated, in which steps, and how much each parameter weighs."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from safercities.model.errors import UsageError, problem
from safercities.model.spec import Spec, parse

Floats = NDArray[np.float64]
_FOLDER = files(__package__).joinpath("rubrics")
STANDARD = "safety-audit"


class Parameter(Spec):
    """One thing that is rated at a point."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Code: the records' column is rating_<code>.")
    label: str = Field(min_length=1, description="Name for people.")
    question: str = Field(min_length=1, description="What the auditor answers.")
    weight: float = Field(gt=0, description="How much it counts in the score, beside the others.")
    steps: list[str] = Field(min_length=2, description="What each rating means, from 0 on.")


class Rubric(Spec):
    """A rubric: parameters rated from 0 to `best`, and how they make a score from 0 to `points`."""

    label: str = Field(min_length=1, description="Name for people.")
    source: str = Field(min_length=1, description="The text it comes from.")
    checked: str = Field(min_length=1, description="What was compared with the source, and what was not.")
    best: int = Field(gt=0, description="Highest rating; the lowest is 0.")
    points: float = Field(gt=0, description="Highest score; the lowest is 0.")
    at_least: int = Field(gt=0, description="Parameters that must be rated at a point for it to have a score.")
    parameters: list[Parameter] = Field(min_length=1, description="What is rated.")

    @model_validator(mode="after")
    def _fits(self) -> Rubric:
        codes = [one.code for one in self.parameters]
        if len(set(codes)) != len(codes):
            raise ValueError("a parameter stands twice")
        if self.at_least > len(codes):
            raise ValueError(f"at_least asks for {self.at_least} rated parameters, there are {len(codes)}")
        wrong = [one.code for one in self.parameters if len(one.steps) != self.best + 1]
        if wrong:
            raise ValueError(f"{wrong[0]} needs {self.best + 1} steps, from 0 to {self.best}")
        return self

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the parameters, in order."""
        return tuple(one.code for one in self.parameters)

    @property
    def weights(self) -> Floats:
        """Weights of the parameters, in order."""
        return np.array([one.weight for one in self.parameters])

    def chosen(self, codes: str | list[str]) -> tuple[str, ...]:
        """The parameters of that name, in the rubric's order; `all` is all of them.

        Raises
        ------
        UsageError
            If there is no such parameter.
        """
        wanted = self.codes if codes == "all" else ((codes,) if isinstance(codes, str) else tuple(codes))
        for code in wanted:
            if code not in self.codes:
                raise UsageError(problem("rubric-parameter-unknown", given=code, known=", ".join(self.codes)))
        return tuple(code for code in self.codes if code in wanted)

    @property
    def unit(self) -> str:
        """Unit of the score.

        Examples
        --------
        >>> rubric().unit
        'score 0–5'
        """
        return f"score 0–{self.points:g}"

    @property
    def rating_unit(self) -> str:
        """Unit of a parameter's mean rating.

        Examples
        --------
        >>> rubric().rating_unit
        'score 0–3'
        """
        return f"score 0–{self.best:g}"


def scores(ratings: Floats, weights: Floats, *, best: float, points: float, at_least: int) -> Floats:
    """Score of each point: points × Σ w r / (best × Σ w), over the parameters rated there.

    Parameters
    ----------
    ratings
        Ratings from 0 to `best` (n, parameters); NaN where not rated.
    weights
        Weight of each parameter.
    at_least
        Parameters that must be rated.

    Returns
    -------
    Scores from 0 to `points`; NaN where fewer were rated.

    Examples
    --------
    >>> scores(np.array([[3.0, 0.0], [2.0, np.nan], [np.nan, np.nan]]), np.ones(2), best=3, points=5, at_least=1)
    array([2.5       , 3.33333333,        nan])
    """
    rated = np.isfinite(ratings)
    weight = np.where(rated, weights, 0.0).sum(axis=1)
    total = (np.where(rated, ratings, 0.0) * weights).sum(axis=1)
    enough = rated.sum(axis=1) >= max(at_least, 1)
    share = np.divide(total, best * weight, out=np.full(len(ratings), np.nan), where=enough)
    return np.asarray(points * share)


@cache
def rubrics() -> tuple[str, ...]:
    """Names of the rubrics that ship with safercities.

    Examples
    --------
    >>> rubrics()
    ('safety-audit',)
    """
    return tuple(sorted(entry.name[:-5] for entry in _FOLDER.iterdir() if entry.name.endswith(".toml")))


@cache
def rubric(name: str = STANDARD) -> Rubric:
    """A rubric by its name.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> len(rubric().parameters), rubric().parameters[0].steps[3]
    (9, 'the whole place is bright')
    """
    if name not in rubrics():
        raise UsageError(problem("rubric-unknown", given=name, known=", ".join(rubrics())))
    text = _FOLDER.joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return parse(Rubric, tomllib.loads(text), file=f"{name}.toml", text=text)
