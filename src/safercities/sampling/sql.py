"""Survey sums from a SQL engine: respondents stay in their files (or on a cluster), only the small table comes home.

Sums of weights are exact (`engine.exact`), so every engine gives the same numbers to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from safercities.engine.duck import Engine, Source
from safercities.engine.exact import Digits, Sum, digits, exact_text, joined, lowest_bit
from safercities.engine.sql import in_order, quote
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.sampling.spec import MOST as LARGE
from safercities.sampling.table import Respondents, is_there
from safercities.sampling.units import Floats, Ints

WEIGHT = "weight"
_numbered = count()


@dataclass(frozen=True)
class Value:
    """A number of each respondent, as SQL that gives a double (missing where it does not count).

    Parameters
    ----------
    name
        Name in SQL texts; letters, digits and `_`.
    text
        SQL over the source's columns, made by `SqlTable.number` and what is built on it.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Facts:
    """What one pass over the rows says of a value: how many there are, and between which sizes."""

    known: int
    largest: float
    smallest: float
    below: bool
    whole: bool
    other: int
    infinite: int

    @property
    def lowest(self) -> int:
        """Every value is a multiple of 2 to this power."""
        return lowest_bit(self.smallest, self.whole)

    @property
    def binary(self) -> bool:
        """Whether all values are 0 or 1."""
        return self.other == 0


@dataclass(frozen=True)
class Term:
    """What a sum adds up: a product of the weight and of values, and how it is cut into digits."""

    text: str
    how: Digits


@dataclass
class SqlTable:
    """Respondents that an engine reads; every question to them is one SQL text.

    Parameters
    ----------
    engine
        `Duck` or `Spark`.
    source
        Parquet files taken together, or an Arrow table.
    weight
        Column of weights; None: 1 each.
    ids
        Columns of the stratum (if there is one), the PSU and the units of further stages.

    Raises
    ------
    UsageError
        If there is no such column.
    SafercitiesError
        If weights are missing, negative, infinite or text.
    """

    engine: Engine
    source: Source
    weight: str | None
    ids: tuple[str, ...]
    file: str = field(init=False)
    schema: pa.Schema = field(init=False)
    rows: int = field(init=False, default=0)
    facts: dict[str, Facts] = field(init=False, default_factory=dict)
    _values: dict[str, Value] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        first = None if isinstance(self.source, pa.Table) else _first(self.source)
        self.file = "" if first is None else first.name
        self.schema = self.source.schema if isinstance(self.source, pa.Table) else _schema(first)
        self._source = f"respondents_{next(_numbered)}"
        for name in self.ids:
            self._column(name)
        weight = "1E0" if self.weight is None else self.number(self.weight, "survey-weight-text")
        self._weight = Value(WEIGHT, weight)
        self.engine.register(self._source, self.source)
        self._learn_weights()
        self.rows = self.facts[WEIGHT].known

    # -- columns as SQL --------------------------------------------------------------------------------------------

    def number(self, name: str, code: str = "survey-number") -> str:
        """A column as a double, missing where it is not a number.

        Raises
        ------
        UsageError
            If there is no such column.
        SafercitiesError
            If it holds text.
        """
        kind = self._column(name)
        if pa.types.is_floating(kind):
            return f"CASE WHEN ISNAN(CAST({quote(name)} AS DOUBLE)) THEN NULL ELSE CAST({quote(name)} AS DOUBLE) END"
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or _short_decimal(kind) or pa.types.is_null(kind):
            return f"CAST({quote(name)} AS DOUBLE)"
        raise SafercitiesError(problem(code, file=self.file, column=name, name=name))

    def code(self, name: str) -> str:
        """A column as something to group by.

        Raises
        ------
        UsageError
            If there is no such column.
        """
        if pa.types.is_floating(self._column(name)):  # NaN is a missing code; −0 is 0
            return f"{self.number(name)} + 0E0"
        return quote(name)

    def _column(self, name: str) -> pa.DataType:
        """Type of a column; refused if it is not there, or if an engine could take another for it."""
        empty = Respondents(self.schema.empty_table())
        empty.file = self.file
        kind = empty.raw(name).type
        if not name or "\0" in name:
            raise UsageError(problem("survey-column-name", file=self.file, name=name))
        for other in self.schema.names:
            if other != name and other.lower() == name.lower():
                raise UsageError(problem("columns-alike", file=self.file, first=name, second=other))
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def value(self, text: str) -> Value:
        """SQL that gives a double, with a name; the same text has the same name."""
        return self._values.setdefault(text, Value(f"v{len(self._values)}", text))

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def _counts(self) -> str:
        return f"{self._weight.text} > 0" if self.weight is not None else "1 = 1"

    def _learn_weights(self) -> None:
        """Facts of the weights above 0; all others are 0, or refused."""
        raw = quote("raw")
        wrong = {"missing": f"{raw} IS NULL", "negative": f"{raw} < 0 OR {raw} > {MOST}"}
        wrong["size"] = f"{raw} > {LARGE:E} OR ({raw} > 0 AND {raw} < {1 / LARGE:E})"
        asked = [f"COUNT(CASE WHEN {text} THEN 1 END) AS {quote(kind)}" for kind, text in wrong.items()]
        inner = f"SELECT {self._weight.text} AS {raw} FROM {quote(self._source)}"
        inner = f"SELECT *, CASE WHEN {raw} > 0 THEN {raw} END AS {quote(WEIGHT)} FROM ({inner})"
        row = self._ask(f"SELECT {', '.join([*asked, *_facts_text(self._weight)])} FROM ({inner})")
        for kind in wrong:
            if rows := int(row[kind]):
                code = f"survey-weight-{kind}"
                raise SafercitiesError(problem(code, file=self.file, column=self.weight, rows=rows))
        self.facts[WEIGHT] = _facts_of(self._weight, row)

    def _ask(self, text: str) -> dict[str, float]:
        row: dict[str, float] = self.engine.run(text).to_pylist()[0]
        return row

    def number_of(self, condition: str) -> int:
        """Respondents (of weight above 0) who meet a condition."""
        return int(
            self._ask(f"SELECT COUNT(*) AS n FROM {quote(self._source)} WHERE {self._counts} AND ({condition})")["n"]
        )

    def learn(self, values: Sequence[Value]) -> None:
        """Find out the facts of values that are not known yet, in one pass."""
        self._profile(list({value.name: value for value in values if value.name not in self.facts}.values()))

    def _profile(self, values: Sequence[Value]) -> None:
        if not values:
            return
        asked = [text for value in values for text in _facts_text(value)]
        inner = ", ".join(f"{value.text} AS {quote(value.name)}" for value in values)
        inner = f"SELECT {inner} FROM {quote(self._source)} WHERE {self._counts}"
        row = self._ask(f"SELECT {', '.join(asked)} FROM ({inner})")
        self.facts |= {value.name: _facts_of(value, row) for value in values}

    def groups(self, names: Sequence[str], extremes: Sequence[str] = (), *, everybody: bool = False) -> pa.Table:
        """Each combination of values of some columns once, in their order, with the least and most of others.

        `everybody`: of respondents of weight 0 too. They count for nothing, but their units are in the sample.
        """
        of = "1 = 1" if everybody else self._counts
        keys = [f"{self.code(name)} AS {quote(f'k{number}')}" for number, name in enumerate(names)]
        more = [f"{self.number(name)} AS {quote(f'e{number}')}" for number, name in enumerate(extremes)]
        inner = f"SELECT {', '.join([*keys, *more])} FROM {quote(self._source)} WHERE {of}"
        plain = [f"k{number}" for number in range(len(names))]
        least = [
            f"{way}({quote(f'e{number}')}) AS {quote(f'{way}{number}')}"
            for number in range(len(extremes))
            for way in ("MIN", "MAX")
        ]
        columns = [quote(name) for name in plain]
        text = f"SELECT {', '.join([*columns, *least])} FROM ({inner}) GROUP BY {', '.join(columns)}"
        return self.engine.run(f"{text} ORDER BY {in_order(plain)}")

    def product(self, values: Sequence[str], at_most: int | None = None) -> Term:
        """The weight times some values (facts known) as a term of sums.

        Raises
        ------
        SafercitiesError
            If its sizes are too far apart to be added exactly.
        """
        facts = [self.facts[name] for name in (WEIGHT, *values)]
        largest = float(np.prod([one.largest for one in facts]))
        smallest = float(np.prod([one.smallest for one in facts])) / 2  # the product may be rounded down
        low = lowest_bit(smallest, all(one.whole for one in facts))
        text = " * ".join(quote(name) for name in (WEIGHT, *values))
        signed = any(one.below for one in facts)
        try:
            return Term(text, digits(largest * 2, low, self.rows, signed=signed, at_most=at_most))
        except ValueError:
            raise SafercitiesError(
                problem("survey-far-apart", file=self.file, low=f"{smallest:g}", high=f"{largest:g}")
            ) from None

    def sums(
        self,
        dims: Sequence[str],
        values: Sequence[Value],
        terms: Mapping[str, Term],
        sums: Mapping[str, Sum],
    ) -> pa.Table:
        """The small table: sums by sampling unit and cell, the same by every engine to the last bit.

        Parameters
        ----------
        dims
            Columns that make the cells, beside the ids.
        values, terms, sums
            Numbers of each respondent; products of them; what is added up, by name.

        Returns
        -------
        pa.Table
            Ids and dims under their own names, then a column a sum: int64 for counts of rows, else float64; in the
            order of ids and dims.
        """
        names = [*self.ids, *dims]
        keys = {f"k{number}": self.code(name) for number, name in enumerate(names)}
        plain = {f"s{number}": one for number, one in enumerate(sums.values())}
        listed = {value.name: value.text for value in (self._weight, *values)}
        how = {name: (term.text, term.how) for name, term in terms.items()}
        text = exact_text(self._source, keys, listed, how, plain, self._counts)
        made = self.engine.run(text)
        columns = [made.column(key) for key in keys]
        for short, one in plain.items():
            columns.append(
                made.column(short) if one.term is None else pa.array(_joined(made, short, terms[one.term].how))
            )
        return pa.table(columns, names=[*names, *sums])


#: The largest double.
MOST = "1.7976931348623157E308"


def _facts(name: str) -> list[tuple[str, str]]:
    """Facts of a value, and the SQL that finds them."""
    v = quote(name)
    return [
        ("known", f"COUNT({v})"),
        ("largest", f"MAX(ABS({v}))"),
        ("smallest", f"MIN(CASE WHEN {v} <> 0 THEN ABS({v}) END)"),
        ("below", f"COUNT(CASE WHEN {v} < 0 THEN 1 END)"),
        ("broken", f"COUNT(CASE WHEN ABS({v}) < 9.007199254740992E15 AND {v} <> FLOOR({v}) THEN 1 END)"),
        ("other", f"COUNT(CASE WHEN {v} <> 0 AND {v} <> 1 THEN 1 END)"),
        ("infinite", f"COUNT(CASE WHEN ABS({v}) > {MOST} THEN 1 END)"),
    ]


def _facts_text(value: Value) -> list[str]:
    return [f"{text} AS {quote(f'{value.name}_{what}')}" for what, text in _facts(value.name)]


def _facts_of(value: Value, row: Mapping[str, float]) -> Facts:
    known, largest, smallest, *counts = (row[f"{value.name}_{what}"] for what, _ in _facts(value.name))
    below, broken, other, infinite = (int(one) for one in counts)
    return Facts(int(known), float(largest or 0), float(smallest or 0), below > 0, broken == 0, other, infinite)


def _joined(made: pa.Table, name: str, how: Digits) -> Floats:
    return joined([made.column(f"{name}_{digit}").to_numpy() for digit in range(how.count)], how)


def _first(source: Path | Sequence[Path]) -> Path:
    paths = [source] if isinstance(source, Path) else list(source)
    if not paths:
        raise UsageError(problem("survey-table", given="no file"))
    return paths[0]


def _schema(path: Path | None) -> pa.Schema:
    assert path is not None  # noqa: S101 - tables have their own
    if not is_there(path):
        raise UsageError(problem("file-missing", file=path.name))
    try:
        return pq.read_schema(path)
    except pa.ArrowInvalid:
        raise UsageError(problem("survey-table", file=path.name, given="this file")) from None


def _short_decimal(kind: pa.DataType) -> bool:
    """Decimals that a double holds as every engine reads them."""
    return bool(pa.types.is_decimal(kind) and kind.precision <= 15)


class SqlRespondents(Respondents):
    """Stands where a design expects its respondents; whoever wants their rows is told where to find them."""

    def __init__(self, table: SqlTable) -> None:
        super().__init__(table.schema.empty_table())
        self.file = table.file
        self._engine = type(table.engine).__name__

    def raw(self, name: str) -> NoReturn:
        """Refused: the rows are not here."""
        raise UsageError(problem("survey-rows-needed", file=self.file, what=f"the column {name}", engine=self._engine))


def positions(column: pa.ChunkedArray, values: pa.Array) -> Ints:
    """Where each item of a column stands in a list of distinct values; missing ones match a missing value."""
    found: Ints = pc.index_in(column, value_set=values.cast(column.type)).to_numpy()
    return found
