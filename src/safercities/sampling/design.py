"""A survey's design, and every estimator that takes it. The design comes first, as in R's survey (Lumley 2010)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates
from safercities.sampling import statistics
from safercities.sampling.estimators import Result, Sample, estimate
from safercities.sampling.spec import DegreesOfFreedom, IntervalMethod, Lonely, Missing
from safercities.sampling.statistics import Kind, Statistic
from safercities.sampling.sums import Axis, Cells, Family, check_domains, families, make_cells
from safercities.sampling.table import Respondents
from safercities.sampling.units import Floats

if TYPE_CHECKING:
    from safercities.engine.duck import Engine
    from safercities.sampling.contrasts import Contrast

#: One breakdown, or several.
Breakdowns = Sequence[str] | Sequence[Sequence[str]]


def survey(
    table: Any,
    *,
    weight: str | None = None,
    strata: str | None = None,
    psu: str | None = None,
    stages: Sequence[str] = (),
    fpc: str | Sequence[str] = (),
    nested: bool = False,
    lonely: Lonely = "fail",
    certainty: str | None = None,
    engine: Engine | None = None,
) -> Design:
    """Describe how a sample was drawn; every estimate is then made with it.

    Parameters
    ----------
    table
        One row a respondent: a pandas, polars or Arrow table, a mapping of columns, or the path of a Parquet or CSV
        file.
    weight
        Column that says how many people each respondent stands for; None: 1 each, or from `fpc` where it is given.
        Respondents with weight 0 count for nothing; the units that they were drawn in stay in the design.
    strata, psu
        Columns with the stratum and the primary sampling unit (cluster); without `psu` each respondent is one.
    stages
        Columns with the units of further stages. They add to the variance where `fpc` is given.
    fpc
        Columns with the population's number of units, or the share of them that was drawn (≤ 1), for each stage.
    nested
        Whether PSU numbers begin anew in each stratum.
    lonely
        What to do with a stratum of one PSU: `fail`; `adjust` (its deviation from the mean of all); `average` (the mean
        variance of the other strata); `certainty` or `remove` (it adds nothing).
    certainty
        Column of 0 and 1: PSUs that were taken with certainty. Each becomes a stratum, whose units of the next stage
        (or respondents) are its PSUs.
    engine
        A SQL engine that reads Parquet files (`table`: a path, or several) and adds up, as `Spark` on a cluster; only
        sums by PSU and group come here. What needs the rows one by one is refused.

    Raises
    ------
    UsageError
        If there is no such column.
    SafercitiesError
        If weights are missing, negative or text, a PSU lies in two strata, a stratum has one PSU and no rule is chosen,
        or population sizes do not fit.

    Examples
    --------
    >>> people = {"w": [10, 10, 20, 20, 10, 30], "area": ["a", "a", "a", "b", "b", "b"], "block": [1, 1, 2, 3, 4, 4],
    ...           "robbed": [1, 0, 0, 1, 0, 0]}
    >>> design = survey(people, weight="w", strata="area", psu="block")
    >>> row = design.proportion("robbed").only()
    >>> row["value"], round(row["se"], 3), row["n"], row["df"]
    (0.3, 0.279, 6, 2.0)
    """
    from safercities.sampling.build import build

    sizes = (fpc,) if isinstance(fpc, str) else tuple(fpc)
    if engine is not None:
        from safercities.sampling.sql_design import engine_survey

        described = (weight, strata, psu, tuple(stages), sizes, nested, lonely, certainty)
        return engine_survey(table, engine, *described)
    return build(Respondents(table), weight, strata, psu, tuple(stages), sizes, nested, lonely, certainty)


@dataclass(frozen=True, eq=False)
class Design:
    """A sample and how it was drawn; made by `survey`. Immutable: calibrating or replicating gives a new one.

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

    # -- estimators ------------------------------------------------------------------------------------------------

    def proportion(
        self,
        outcomes: str | Sequence[str],
        by: Breakdowns = (),
        *,
        among: str | None = None,
        missing: Missing = "omit",
        interval: IntervalMethod = "korn-graubard",
        level: float = 0.95,
        df: DegreesOfFreedom = "domain",
        per: float = 1,
        scheme: str | None = None,
    ) -> Estimates:
        """Shares of respondents, weighted, in every group of every breakdown.

        Parameters
        ----------
        outcomes
            Columns of 0 and 1 (or false and true).
        by
            One breakdown (`["sex", "age"]`) or several (`[(), ["sex"], ["sex", "age"]]`); default: everybody.
        among
            Column of 0 and 1 that says who was asked: the share is of these only.
        missing
            What an empty cell means: leave the respondent out (`omit`), count as 0 (`no`), or refuse (`fail`).
        interval
            korn-graubard, logit, wilson, clopper-pearson or student.
        level
            Confidence level.
        df
            Degrees of freedom: PSUs less strata of each group (`domain`), or of the whole design.
        per
            1 for shares, 100 for percentages.
        scheme
            Rules of publication, as nchs-proportions-2017; see `safercities.sampling.publication`.

        Raises
        ------
        UsageError
            If there is no such column or choice.
        SafercitiesError
            If an outcome holds other values than 0 and 1.
        """
        made = self.statistics("proportion", outcomes, among=among, missing=missing)
        return self.estimates(made, by, interval=interval, level=level, df=df, per=per, scheme=scheme)

    def mean(
        self,
        outcomes: str | Sequence[str],
        by: Breakdowns = (),
        *,
        among: str | None = None,
        missing: Missing = "omit",
        level: float = 0.95,
        df: DegreesOfFreedom = "domain",
        per: float = 1,
        scheme: str | None = None,
    ) -> Estimates:
        """Weighted means of numbers; parameters as in `proportion`. `per=1000` gives incidence per 1 000 people."""
        made = self.statistics("mean", outcomes, among=among, missing=missing)
        return self.estimates(made, by, interval="student", level=level, df=df, per=per, scheme=scheme)

    def total(
        self,
        outcomes: str | Sequence[str],
        by: Breakdowns = (),
        *,
        missing: Missing = "omit",
        level: float = 0.95,
        df: DegreesOfFreedom = "domain",
        scheme: str | None = None,
    ) -> Estimates:
        """Weighted totals: of 0 and 1, the number of people; parameters as in `proportion`."""
        made = self.statistics("total", outcomes, missing=missing)
        return self.estimates(made, by, interval="student", level=level, df=df, scheme=scheme)

    def ratio(
        self,
        numerators: str | Sequence[str],
        denominator: str,
        by: Breakdowns = (),
        *,
        missing: Missing = "omit",
        level: float = 0.95,
        df: DegreesOfFreedom = "domain",
        per: float = 1,
        scheme: str | None = None,
    ) -> Estimates:
        """Weighted total of each numerator over that of the denominator, both random; parameters as in `proportion`."""
        made = self.statistics("ratio", numerators, denominator=denominator, missing=missing)
        return self.estimates(made, by, interval="student", level=level, df=df, per=per, scheme=scheme)

    def quantile(
        self,
        outcomes: str | Sequence[str],
        q: float | Sequence[float] = 0.5,
        by: Breakdowns = (),
        *,
        level: float = 0.95,
        df: DegreesOfFreedom = "domain",
    ) -> Estimates:
        """Weighted quantiles with Woodruff intervals; `method` says which quantile a row is."""
        from safercities.sampling.domain_quantiles import quantile_estimates

        _level(level)
        _choice("rule for degrees of freedom", df, get_args(DegreesOfFreedom))
        return quantile_estimates(self, _several(outcomes), _numbers(q), self.combinations(by), level, df)

    def contrast(
        self,
        outcomes: str | Sequence[str],
        by: str | Sequence[str],
        *,
        against: str | Sequence[str] | None = None,
        kind: Kind = "proportion",
        denominator: str | None = None,
        among: str | None = None,
        missing: Missing = "omit",
        level: float = 0.95,
    ) -> list[Contrast]:
        """Differences and ratios between groups (or periods), with the covariance of the two.

        Parameters
        ----------
        by
            Dimensions of the groups.
        against
            Codes of the group that all others are compared with; None: every pair.
        kind
            proportion, mean, total or ratio.

        Raises
        ------
        UsageError
            If there is no such group.
        """
        from safercities.sampling.contrasts import contrasts

        _level(level)
        made = self.statistics(kind, outcomes, denominator=denominator, among=among, missing=missing)
        names = (by,) if isinstance(by, str) else tuple(by)
        base = (against,) if isinstance(against, str) else None if against is None else tuple(against)
        return [one for each in made for one in contrasts(self, each, names, base, level)]

    # -- other designs ---------------------------------------------------------------------------------------------

    def poststratify(self, by: Sequence[str], totals: Mapping[Any, float]) -> Design:
        """Weights tied to the population of each group; `totals` by code, or tuple of codes of several dimensions."""
        from safercities.sampling import adjust

        return adjust.poststratified(self, by, totals)

    def rake(self, margins: Mapping[str | tuple[str, ...], Mapping[Any, float]], **settings: Any) -> Design:
        """Weights tied to the population of several groupings at once: dimension (or tuple of them) → code → people.

        Settings as `safercities.sampling.calibration.rake`. R's `rake` stops when no group moves by a person any more,
        and its residuals leave the weights out: `change=1, iterations=10, residuals="rounds"` gives its numbers.
        """
        from safercities.sampling import adjust

        return adjust.raked(self, margins, **settings)

    def calibrate(self, totals: Mapping[str, float | Mapping[Any, float]], **settings: Any) -> Design:
        """Weights tied linearly to population totals: of a numeric column a number, of a dimension numbers by code."""
        from safercities.sampling import adjust

        return adjust.calibrated(self, totals, **settings)

    def jackknife(self) -> Design:
        """The same sample with jackknife replicates: JK1 without strata, JKn with them."""
        from safercities.sampling import adjust

        return adjust.jackknifed(self)

    def bootstrap(self, replicates: int = 500, *, seed: int) -> Design:
        """The same sample with Rao–Wu bootstrap replicates."""
        from safercities.sampling import adjust

        return adjust.bootstrapped(self, replicates, seed)

    def replicate_weights(self, columns: Sequence[str], kind: str, **settings: Any) -> Design:
        """The same sample with the replicate weights that came with it: brr, fay, jk1, jkn, bootstrap, sdr, other."""
        from safercities.sampling import adjust

        return adjust.replicated(self, columns, kind, settings)

    # -- the parts that estimators share ---------------------------------------------------------------------------

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
        _choice("rule for missing answers", missing, get_args(Missing))
        _choice("kind of estimate", kind, get_args(Kind))
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
            for name in _several(outcomes)
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

        _choice("interval", interval, get_args(IntervalMethod))
        _choice("rule for degrees of freedom", df, get_args(DegreesOfFreedom))
        _level(level)
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

    def with_weights(self, sample: Sample, problems: Sequence[Problem] = ()) -> Design:
        """The same respondents with other weights, projections or replicates."""
        return replace(self, sample=sample, problems=(*self.problems, *problems))


def _several(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def _numbers(q: float | Sequence[float]) -> list[float]:
    values = [float(q)] if isinstance(q, int | float) else [float(one) for one in q]
    for one in values:
        if not 0 < one < 1:
            raise UsageError(
                problem("survey-choice", what="quantile", given=one, known="0 to 1, as 0.5 for the median")
            )
    return values


def _level(level: float) -> None:
    if not 0.5 < level < 1:
        raise UsageError(problem("survey-choice", what="confidence level", given=level, known="0.5 to 1"))


def _choice(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise UsageError(problem("survey-choice", what=what, given=given, known=", ".join(known)))


__all__ = ["Design", "survey"]
