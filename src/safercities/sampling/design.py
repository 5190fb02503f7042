"""A survey's design, and every estimator that takes it. The design comes first, as in R's survey (Lumley 2010)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from safercities.model.estimates import Estimates
from safercities.sampling.choices import check_choice, check_level, probabilities, several
from safercities.sampling.drawn import Breakdowns, Drawn
from safercities.sampling.spec import DegreesOfFreedom, IntervalMethod, Lonely, Missing
from safercities.sampling.statistics import Kind
from safercities.sampling.table import Respondents

if TYPE_CHECKING:
    from safercities.engine.duck import Engine
    from safercities.sampling.contrasts import Contrast


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


class Design(Drawn):
    """A sample and how it was drawn; made by `survey`. Immutable: calibrating or replicating gives a new one.

    Parameters as `drawn.Drawn`.
    """

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

        check_level(level)
        check_choice("rule for degrees of freedom", df, get_args(DegreesOfFreedom))
        return quantile_estimates(self, several(outcomes), probabilities(q), self.combinations(by), level, df)

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

        check_level(level)
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


__all__ = ["Design", "survey"]
