"""Ties the weights of a survey's wave to population totals, written in observatory.toml or taken from a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.collect.margins_spec import MarginFrom
from safercities.collect.survey_spec import SurveySpec
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.periods import Period
from safercities.places.population import Population
from safercities.sampling.design import Design

#: Tied weights that add up to less than this share of the untied ones, or to more than its inverse, are reported.
SAME_PEOPLE = 0.8
#: Where a respondent stands for fewer people than this on average, weights were made to add up to the sample, not to
#: the population: no numbers of people are made from them.
STANDS_FOR = 1.5

Groups = dict[str | tuple[str, ...], float]


@dataclass(frozen=True)
class Margins:
    """Population totals of one wave.

    Parameters
    ----------
    spec
        What observatory.toml says of the survey.
    name
        The source's name.
    place
        Id of the observatory's place: its people are the population.
    populations
        By the name of their source.
    """

    spec: SurveySpec
    name: str
    place: str
    populations: Mapping[str, Population]

    def tie(self, design: Design, table: pa.Table, period: str) -> Design:
        """The design with weights tied to the margins.

        Parameters
        ----------
        table
            The wave's respondents.
        period
            When they were interviewed.

        Raises
        ------
        SafercitiesError
            If a group of respondents has no people in the population, a crossed margin stands beside a number, or no
            weights can add up to the totals.
        """
        if not self.spec.margins:
            return design
        notes: list[Problem] = []
        totals: dict[str | tuple[str, ...], Groups] = {
            tuple(one.by): self._totals(one, table, period, notes) for one in self.spec.margins if one.number is None
        }
        made = self._tied(design, totals)
        return made.with_weights(made.sample, [*notes, *self._moved(design, made, period)])

    @property
    def _column(self) -> str:
        return f"sources.{self.name}.margins"

    def _tied(self, design: Design, totals: Mapping[str | tuple[str, ...], Groups]) -> Design:
        if self.spec.adjustment == "post-stratify":
            ((names, wanted),) = totals.items()
            return design.poststratify(names, wanted)
        if self.spec.adjustment == "rake":
            return design.rake(totals)
        if crossed := [names for names in totals if len(names) > 1]:
            by = " × ".join(crossed[0])
            raise SafercitiesError(problem("survey-calibrate-crossed", column=self._column, source=self.name, by=by))
        numbers = {f"answer_{one.number}": float(one.total or 0) for one in self.spec.margins if one.number is not None}
        return design.calibrate({**{names[0]: wanted for names, wanted in totals.items()}, **numbers})

    def _moved(self, before: Design, after: Design, period: str) -> list[Problem]:
        """Whether the weights stood for quite other numbers of people before they were tied."""
        old, new = float(before.weights.sum()), float(after.weights.sum())
        if np.mean(before.weights) <= STANDS_FOR or SAME_PEOPLE <= new / old <= 1 / SAME_PEOPLE:
            return []
        shown: dict[str, Any] = {"before": f"{old:,.0f}", "after": f"{new:,.0f}"}
        return [problem("survey-margin-moves", column=self._column, source=self.name, period=period, **shown)]

    # -- totals of one margin --------------------------------------------------------------------------------------

    def _totals(self, margin: MarginFrom, table: pa.Table, period: str, notes: list[Problem]) -> Groups:
        """People of each group of a margin."""
        if margin.totals is not None:
            return {_group(margin.categories(written)): total for written, total in margin.totals.items()}
        when = Period.parse(margin.period or period)
        groups = sorted(set(zip(*(table.column(name).to_pylist() for name in margin.by), strict=True)))
        people = self._people(margin, when, groups)
        for codes, number in zip(groups, people, strict=True):
            if not number > 0:
                named: dict[str, Any] = {"source": self.name, "margin": margin.name, "group": ", ".join(codes)}
                raise SafercitiesError(
                    problem("survey-margin-group", column=self._column, period=str(when), people=margin.source, **named)
                )
        notes.extend(self._left_out(margin, when, float(np.sum(people))))
        return {_group(codes): number for codes, number in zip(groups, people, strict=True)}

    def _people(self, margin: MarginFrom, when: Period, groups: Sequence[tuple[str, ...]]) -> list[float]:
        """People in each group on average over the period, NaN where the population does not say it."""
        population = self.populations.get(margin.source or "")
        if population is None:
            raise SafercitiesError(
                problem(
                    "survey-margin-population",
                    column=self._column,
                    source=self.name,
                    margin=margin.name,
                    people=margin.source,
                )
            )
        some = list(product(*margin.among.values()))
        asked = [(*codes, *others) for codes in groups for others in some]
        names = [*margin.by, *margin.among]
        years, _ = population.denominators(
            [self.place] * len(asked),
            [str(when)] * len(asked),
            {name: [codes[at] for codes in asked] for at, name in enumerate(names)},
        )
        return [float(one) for one in years.reshape(len(groups), len(some)).sum(axis=1) / when.years]

    def _left_out(self, margin: MarginFrom, when: Period, counted: float) -> list[Problem]:
        """People of the population in groups without a respondent: the weights do not stand for them."""
        (everybody,) = self._people(margin.model_copy(update={"by": []}), when, [()])
        left = everybody - counted
        if not left > max(0.5, 1e-9 * everybody):
            return []
        share = f"{left / everybody:.1%}"
        return [
            problem(
                "survey-margin-left-out",
                column=self._column,
                source=self.name,
                margin=margin.name,
                people=margin.source,
                left=f"{left:,.0f}",
                share=share,
            )
        ]


def _group(codes: tuple[str, ...]) -> str | tuple[str, ...]:
    return codes if len(codes) > 1 else codes[0]


__all__ = ["STANDS_FOR", "Margins"]
