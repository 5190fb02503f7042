"""A sample and how it was drawn, and the parts that all estimators share: groups, statistics, rows of estimates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self, get_args

import numpy as np

from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.sampling import statistics
from safercities.sampling.choices import check_choice, check_level, several
from safercities.sampling.estimators import Result, Sample, estimate
from safercities.sampling.spec import DegreesOfFreedom, IntervalMethod, Missing
from safercities.sampling.statistics import Kind, Statistic
from safercities.sampling.sums import Axis, Cells, Family, check_domains, families, make_cells
from safercities.sampling.table import Respondents
from safercities.sampling.units import Floats

#: One breakdown, or several.
Breakdowns = Sequence[str] | Sequence[Sequence[str]]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Respondents and how they were drawn; what every estimator of `design.Design` works with.

    Parameters
    ----------
    respondents
        The rows, in the order of the sampling units.
    sample
        Units, weights and what the variance needs.
    problems
        What tying the weights to population totals has met.
    """

    respondents: Respondents
    sample: Sample
    problems: tuple[Problem, ...] = ()
    _axes: dict[str, Axis] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        units = self.sample.units
        return f"<Design: {self.n:,} respondents, {units.psus:,} PSUs in {len(units.strata):,} strata>"

    @property
    def n(self) -> int:
        """Respondents with a weight above 0."""
        return len(self.sample.weights)

    @property
    def weights(self) -> Floats:
        """Weight of each respondent, in the order of `respondents.rows`."""
        return self.sample.weights

    @cached_property
    def df(self) -> float:
        """Degrees of freedom of the whole design: PSUs less strata with respondents; of replicates, their own."""
        replicates, units = self.sample.replicates, self.sample.units
        if replicates is not None:
            return float(replicates.df)
        there = np.unique(units.psu_of[self.sample.unit])
        return float(len(there) - len(np.unique(units.stages[0].group_of[there])))

    # -- groups, statistics, rows --------------------------------------------------------------------------------------

    def axis(self, name: str) -> Axis:
        """A column as a dimension."""
        if name not in self._axes:
            self._axes[name] = self.respondents.axis(name)
        return self._axes[name]

    def cells(self, combination: Sequence[str], parent: Cells | None = None) -> Cells:
        """The domains of one breakdown."""
        made = make_cells(self.sample.units, self.sample.unit, [self.axis(name) for name in combination])
        if parent is not None and isinstance(made, type(parent)):
            made.parent = parent
        return made

    def combinations(self, by: Breakdowns) -> list[tuple[str, ...]]:
        """Each breakdown once."""
        if isinstance(by, str):
            return [(by,)]
        if all(isinstance(one, str) for one in by):
            return [tuple(dict.fromkeys(str(name) for name in by))]
        return list(dict.fromkeys(tuple(dict.fromkeys([one] if isinstance(one, str) else one)) for one in by))

    def statistics(
        self,
        kind: Kind,
        outcomes: str | Sequence[str],
        *,
        denominator: str | None = None,
        among: str | None = None,
        missing: Missing = "omit",
    ) -> list[Statistic]:
        """The outcomes as things to estimate."""
        check_choice("rule for missing answers", missing, get_args(Missing))
        check_choice("kind of estimate", kind, get_args(Kind))
        if (kind == "ratio") != (denominator is not None):
            raise UsageError(problem("survey-denominator", kind=kind))
        asked = None if among is None else self._asked(among)
        below = None if denominator is None else self.respondents.numbers(denominator)
        return [
            statistics.statistic(
                kind,
                name,
                self.respondents.numbers(name),
                self.weights,
                by=below,
                by_name=denominator or "",
                among=asked,
                among_name=among or "",
                missing=missing,
                file=self.respondents.file,
            )
            for name in several(outcomes)
        ]

    def _asked(self, name: str) -> Any:
        values = self.respondents.numbers(name)
        wrong = int(np.sum(~np.isnan(values) & (values != 0) & (values != 1)))
        if wrong:
            code = "survey-not-zero-one"
            raise SafercitiesError(problem(code, file=self.respondents.file, column=name, name=name, rows=wrong))
        return values == 1

    def results(
        self, made: Sequence[Statistic], combinations: Sequence[tuple[str, ...]]
    ) -> Iterable[tuple[Cells, Statistic, Result]]:
        """Each statistic in each breakdown; breakdowns in families, whose totals are added up once."""
        sizes = {name: len(self.axis(name).labels) for one in combinations for name in one}
        for family in families(combinations, sizes, self._most_domains):
            its = self._cells_of(family)
            for one in made:
                for names in family.members:
                    yield its[names], one, estimate(one, its[names], self.sample)
                for cells in its.values():
                    cells.forget(one.x.name, *([one.d.name] if one.d is not one.base else []))

    @property
    def _most_domains(self) -> int:
        """Of more domains the matrix of totals is larger than the rows."""
        return len(self.sample.unit) // self.sample.units.size

    def _cells_of(self, family: Family) -> dict[tuple[str, ...], Cells]:
        """The cells of a family, each added up from the smallest of the others that holds its dimensions."""
        made = {family.head: self.cells(family.head)}
        for names in sorted(family.members, key=len, reverse=True):
            if names not in made:
                holders = (cells for cells in made.values() if set(names) <= set(cells.names))
                made[names] = self.cells(names, min(holders, key=lambda cells: cells.size))
        return made

    def estimates(
        self,
        made: Sequence[Statistic],
        by: Breakdowns,
        *,
        interval: str,
        level: float,
        df: str,
        per: float = 1,
        scheme: str | None = None,
    ) -> Estimates:
        """Statistics in every group of every breakdown, as rows of the contract."""
        from safercities.sampling.rows import Presentation, rows

        check_choice("interval", interval, get_args(IntervalMethod))
        check_choice("rule for degrees of freedom", df, get_args(DegreesOfFreedom))
        check_level(level)
        if not (np.isfinite(per) and per > 0):
            raise UsageError(problem("survey-per", given=per))
        combinations = self.combinations(by)
        self._check_size(len(made), combinations)
        found = list(self.results(made, list(dict.fromkeys([*combinations, ()]))))
        shown = Presentation(interval, level, df, per, scheme, self.df)
        return rows(found, combinations, shown, replicates=self.sample.replicates)

    def _check_size(self, outcomes: int, combinations: Sequence[tuple[str, ...]]) -> None:
        """Refuse more rows of estimates than memory holds, before any is made."""
        sizes = {one: math.prod(len(self.axis(name).labels) for name in one) for one in combinations}
        if sizes:
            largest = max(sizes, key=sizes.__getitem__)
            check_domains(largest, sizes[largest], outcomes * sum(sizes.values()))

    def with_weights(self, sample: Sample, problems: Sequence[Problem] = ()) -> Self:
        """The same respondents with other weights, projections or replicates."""
        return replace(self, sample=sample, problems=(*self.problems, *problems))
