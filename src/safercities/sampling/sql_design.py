"""A design whose respondents stay with a SQL engine: the same estimators, on sums by sampling unit and cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.engine.duck import Engine
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.sampling.build import build
from safercities.sampling.choices import check_choice, several
from safercities.sampling.design import Design
from safercities.sampling.estimators import Result, Sample
from safercities.sampling.spec import Lonely, Missing
from safercities.sampling.sql import SqlRespondents, SqlTable, positions
from safercities.sampling.sql_statistics import Bundle, Draft, draft, finished
from safercities.sampling.statistics import Kind, Statistic
from safercities.sampling.sums import Axis, Cells, Dense, Sparse, Variable, make_cells
from safercities.sampling.table import Respondents
from safercities.sampling.table import _arrow as as_arrow
from safercities.sampling.units import Floats, Ints

Bools = NDArray[np.bool_]
#: Most cells (sampling units × domains) of a table of sums that comes home.
CELLS_AT_HOME = 1 << 21


def engine_survey(
    source: Any,
    engine: Engine,
    weight: str | None,
    strata: str | None,
    psu: str | None,
    stages: Sequence[str],
    fpc: Sequence[str],
    nested: bool,
    lonely: Lonely,
    certainty: str | None,
) -> SqlDesign:
    """A design on Parquet files that an engine reads; parameters and errors as `survey`.

    Raises
    ------
    UsageError
        If the design needs rows one by one: no PSU is named, PSUs are certain, or population sizes make the weights.
    """
    name = type(engine).__name__
    for what, asked in (
        ("a design without PSUs", psu is None),
        ("a design with certainty PSUs", certainty is not None),
        ("a design whose weights come from population sizes", bool(fpc) and weight is None),
    ):
        if asked:
            raise UsageError(problem("survey-rows-needed", what=what, engine=name))
    depth = 1 if not fpc else 1 + len(stages)  # without population sizes only the first stage counts
    ids = tuple(one for one in (strata, psu, *stages) if one is not None)[: depth + (strata is not None)]
    table = SqlTable(engine, _files(source), weight, ids)
    groups, counted = _unit_rows(table, fpc)
    if not counted.any():
        raise SafercitiesError(problem("survey-empty", file=table.file))
    respondents = Respondents(groups)
    respondents.file = table.file
    own = build(respondents, None, strata, psu, ids[1 + (strata is not None) :], fpc, nested, lonely, None)
    places, df = _places(own, groups, ids), _df(groups, counted, strata, psu)
    return SqlDesign(SqlRespondents(table), _without_rows(own.sample), table=table, places=places, own_df=df)


def _df(groups: pa.Table, counted: Bools, strata: str | None, psu: str | None) -> float:
    """PSUs less strata with respondents."""
    there = groups.filter(pa.array(counted))
    of = [] if strata is None else [strata]
    psus = there.group_by([*of, psu]).aggregate([]).num_rows
    return float(psus - (there.group_by(of).aggregate([]).num_rows if of else 1))


def _files(source: Any) -> pa.Table | list[Path]:
    if isinstance(source, str | Path):
        return [Path(source)]
    if isinstance(source, list | tuple):
        return [Path(one) for one in source]
    return as_arrow(source)


def _unit_rows(table: SqlTable, fpc: Sequence[str]) -> tuple[pa.Table, Bools]:
    """One row a sampling unit: its ids, and the sizes of its stages; and which have respondents of weight above 0."""
    weight = [] if table.weight is None else [table.weight]
    found = table.groups(table.ids, [*fpc, *weight], everybody=True)
    columns = [found.column(number) for number in range(len(table.ids))]
    for number, name in enumerate(fpc):
        least, most = (found.column(f"{way}{number}").to_numpy() for way in ("MIN", "MAX"))
        wrong = np.flatnonzero(~(least == most))
        if len(wrong):
            at = int(wrong[0])
            raise SafercitiesError(
                problem(
                    "survey-fpc-differs",
                    file=table.file,
                    column=name,
                    stratum=found.column(0)[at].as_py(),
                    low=least[at],
                    high=most[at],
                )
            )
        columns.append(pa.chunked_array([pa.array(least)]))
    most = found.column(f"MAX{len(fpc)}").to_numpy() if weight else np.ones(found.num_rows)
    return pa.table(columns, names=[*table.ids, *fpc]), np.asarray(most > 0)


def _without_rows(sample: Sample) -> Sample:
    """The units; weights of rows are not here, and whoever uses them sees it."""
    return Sample(sample.units, np.zeros(0, dtype=np.int64), np.full(1, np.nan))


@dataclass(frozen=True, eq=False)
class Places:
    """From the ids in a table of sums to the sampling unit.

    Parameters
    ----------
    values
        Distinct values of each id.
    keys, unit
        Place among these values of the ids of each unit, as one number, in order; and the unit.
    """

    values: tuple[pa.Array, ...]
    keys: Ints
    unit: Ints

    def of(self, columns: Sequence[pa.ChunkedArray]) -> Ints:
        """Sampling unit of each row."""
        found: Ints = self.unit[np.searchsorted(self.keys, _one_key(columns, self.values))]
        return found


def _one_key(columns: Sequence[pa.ChunkedArray], values: Sequence[pa.Array]) -> Ints:
    key = np.zeros(len(columns[0]), dtype=np.int64)
    for column, known in zip(columns, values, strict=True):
        key = key * len(known) + positions(column, known)
    return key


def _places(own: Design, groups: pa.Table, ids: Sequence[str]) -> Places:
    order = np.arange(groups.num_rows) if own.respondents.rows is None else own.respondents.rows
    unit = np.empty(groups.num_rows, dtype=np.int64)
    unit[order] = own.sample.unit
    columns = [groups.column(number) for number in range(len(ids))]
    values = tuple(column.unique() for column in columns)
    keys = _one_key(columns, values)
    sorting = np.argsort(keys)
    return Places(values, keys[sorting], unit[sorting])


class Fetched:
    """Sums by unit and cell of one breakdown, fetched from the engine when they are first needed."""

    def __init__(self, design: SqlDesign, names: Sequence[str], bundles: Iterable[Bundle]) -> None:
        self._design = design
        self._names = tuple(names)
        self._columns: dict[str, Floats] = {}
        table = self._fetch(list(bundles))
        self.unit = design.places.of([table.column(number) for number in range(len(design.table.ids))])
        self.axes = tuple(
            Axis(name, design.codes_of(name, table.column(number)), design.axis(name).labels)
            for number, name in enumerate(self._names, len(design.table.ids))
        )

    def _fetch(self, bundles: Sequence[Bundle]) -> pa.Table:
        values = {value.name: value for bundle in bundles for value in bundle.values}
        terms = {name: term for bundle in bundles for name, term in bundle.terms.items()}
        sums = {name: one for bundle in bundles for name, one in bundle.sums.items()}
        table = self._design.table.sums(self._names, list(values.values()), terms, sums)
        for number, name in enumerate(sums, table.num_columns - len(sums)):
            self._columns[name] = table.column(number).to_numpy().astype(np.float64)
        return table

    def __call__(self, name: str) -> Floats:
        """A sum in each row of the table."""
        if name not in self._columns:
            self._fetch([bundle for bundle in self._design.bundles.values() if name in bundle.sums][-1:])
        return self._columns[name]


class SqlDense(Dense):
    """As `Dense`, its rows being those of a table of sums."""

    fetched: Fetched

    def totals(self, variable: Variable) -> Floats:
        return super().totals(Variable(variable.name, None, self.fetched(variable.name)))

    def by_domain(self, name: str, rows: Ints | None, values: Floats | None) -> Floats:
        return super().by_domain(name, None, self.fetched(name))


class SqlSparse(Sparse):
    """As `Sparse`, its rows being those of a table of sums."""

    fetched: Fetched

    def totals(self, variable: Variable) -> Floats:
        return super().totals(Variable(variable.name, None, self.fetched(variable.name)))

    def by_domain(self, name: str, rows: Ints | None, values: Floats | None) -> Floats:
        return super().by_domain(name, None, self.fetched(name))


@dataclass(frozen=True, eq=False, repr=False)
class SqlDesign(Design):
    """A sample whose rows stay with an engine; made by `survey(…, engine=…)`.

    Means, proportions, totals, ratios, contrasts, jackknife and bootstrap work as on rows in memory. What needs rows
    one by one (quantiles, calibration, replicate weights given) is refused.
    """

    table: SqlTable = field(kw_only=True)
    places: Places = field(kw_only=True)
    own_df: float = field(kw_only=True)
    bundles: dict[str, Bundle] = field(default_factory=dict, kw_only=True, repr=False)
    _codes: dict[str, tuple[pa.Array, Ints]] = field(default_factory=dict, kw_only=True, repr=False)
    _next: list[Bundle] = field(default_factory=list, kw_only=True, repr=False)

    @property
    def n(self) -> int:
        """Respondents with a weight above 0."""
        return self.table.rows

    @cached_property
    def df(self) -> float:
        """Degrees of freedom of the whole design: PSUs less strata with respondents; of replicates, their own."""
        replicates = self.sample.replicates
        return self.own_df if replicates is None else float(replicates.df)

    @property
    def weights(self) -> Floats:
        """Refused: they stay with the engine."""
        self._refuse("the weight of each respondent")

    def quantile(self, *given: Any, **settings: Any) -> NoReturn:
        """Refused: it needs the rows."""
        self._refuse("a quantile")

    def poststratify(self, *given: Any, **settings: Any) -> NoReturn:
        """Refused: it needs the rows."""
        self._refuse("tying weights to population totals")

    def rake(self, *given: Any, **settings: Any) -> NoReturn:
        """Refused: it needs the rows."""
        self._refuse("tying weights to population totals")

    def calibrate(self, *given: Any, **settings: Any) -> NoReturn:
        """Refused: it needs the rows."""
        self._refuse("tying weights to population totals")

    def replicate_weights(self, *given: Any, **settings: Any) -> NoReturn:
        """Refused: it needs the rows."""
        self._refuse("using replicate weights")

    def _refuse(self, what: str) -> NoReturn:
        engine = type(self.table.engine).__name__
        raise UsageError(problem("survey-rows-needed", file=self.table.file, what=what, engine=engine))

    def axis(self, name: str) -> Axis:
        """A column as a dimension; the codes are those of its distinct values."""
        if name not in self._axes:
            distinct = self.table.groups([name]).column(0)
            own = Respondents(pa.table({name: distinct}))
            own.file = self.table.file
            self._axes[name] = made = own.axis(name)
            self._codes[name] = (distinct.combine_chunks(), np.asarray(made.codes, dtype=np.int64))
        return self._axes[name]

    def codes_of(self, name: str, column: pa.ChunkedArray) -> Ints:
        """Code of each value of a column of sums."""
        self.axis(name)
        distinct, codes = self._codes[name]
        found: Ints = codes[positions(column, distinct)]
        return found

    def cells(self, combination: Sequence[str], parent: Cells | None = None) -> Cells:
        """The domains of one breakdown; with a parent, from the parent's table of sums."""
        fetched = parent.fetched if isinstance(parent, SqlDense | SqlSparse) else Fetched(self, combination, self._next)
        axes = {axis.name: axis for axis in fetched.axes}
        plain = make_cells(self.sample.units, fetched.unit, [axes[name] for name in combination])
        kind = SqlDense if isinstance(plain, Dense) else SqlSparse
        made = kind(plain.units, plain.unit, plain.axes, parent if isinstance(parent, kind) else None)
        made.fetched = fetched
        return made

    @property
    def _most_domains(self) -> int:
        return min(self.n, CELLS_AT_HOME) // self.sample.units.size

    def results(
        self, made: Sequence[Statistic], combinations: Sequence[tuple[str, ...]]
    ) -> Iterable[tuple[Cells, Statistic, Result]]:
        """Each statistic in each breakdown; a family of breakdowns takes one question to the engine."""
        self._next[:] = [self.bundles[one.x.name] for one in made]
        yield from super().results(made, combinations)

    def statistics(
        self,
        kind: Kind,
        outcomes: str | Sequence[str],
        *,
        denominator: str | None = None,
        among: str | None = None,
        missing: Missing = "omit",
    ) -> list[Statistic]:
        """The outcomes as things to estimate; what they are made of is kept in `bundles`."""
        check_choice("rule for missing answers", missing, get_args(Missing))
        asked = None if among is None else self._asked_text(among)
        drafts = [draft(self.table, name, denominator, asked, missing, among or "") for name in several(outcomes)]
        self.table.learn([value for one in drafts for value in one.values])
        return [self._statistic(kind, one, missing) for one in drafts]

    def _asked_text(self, name: str) -> str:
        text = self.table.number(name)
        if wrong := self.table.number_of(f"({text}) <> 0 AND ({text}) <> 1"):
            code = "survey-not-zero-one"
            raise SafercitiesError(problem(code, file=self.table.file, column=name, name=name, rows=wrong))
        return f"({text}) = 1"

    def _statistic(self, kind: Kind, one: Draft, missing: Missing) -> Statistic:
        bundle, statistic = finished(self.table, kind, one, missing)
        self.bundles[statistic.x.name] = bundle
        return statistic
