"""The estimates table, the one contract between all parts: each number says how sure, from what and how it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.model.dimensions import TOTAL as TOTAL
from safercities.model.dimensions import UNKNOWN as UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

#: Columns before the dimensions, and after them (name, type). `period` is ISO 8601, codes are SDMX.
KEYS: tuple[tuple[str, pa.DataType], ...] = (
    ("indicator", pa.string()),
    ("version", pa.string()),
    ("place", pa.string()),
    ("period", pa.string()),
)
MEASURES: tuple[tuple[str, pa.DataType], ...] = (
    ("value", pa.float64()),
    ("se", pa.float64()),
    ("lower", pa.float64()),
    ("upper", pa.float64()),
    ("level", pa.float64()),  # confidence level of the interval, 0.95
    ("n", pa.int64()),  # unweighted size the value rests on: survey respondents, or cases counted
    ("n_positive", pa.int64()),  # unweighted cases in the numerator
    ("denominator", pa.float64()),  # person-years, weighted respondents, …; null where there is none
    ("deff", pa.float64()),
    ("df", pa.float64()),  # degrees of freedom of the interval of a survey estimate
    ("unit", pa.string()),
    ("method", pa.string()),
    ("obs_status", pa.string()),  # SDMX CL_OBS_STATUS: A normal, U low reliability, O missing, I imputed, P provisional
    ("conf_status", pa.string()),  # SDMX CL_CONF_STATUS: F free, C confidential (primary), D secondary
    ("quality", pa.string()),  # quality flags, separated by a space; see model.quality
    ("scheme", pa.string()),  # the publication rules in force, as nchs-proportions-2017
    ("verdict", pa.string()),  # what they say: publish, warn or withhold; null where no rule applies
    ("coverage", pa.float64()),  # share of the numerator's cases that the breakdown could place, 0..1
    ("source", pa.string()),
    ("note", pa.string()),
)


def schema(dimensions: Sequence[str] = ()) -> pa.Schema:
    """Arrow schema of an estimates table with these dimension columns.

    Examples
    --------
    >>> schema(["sex"]).names[:6]
    ['indicator', 'version', 'place', 'period', 'sex', 'value']
    """
    return _schema(tuple(dimensions))


@lru_cache(maxsize=256)
def _schema(dimensions: tuple[str, ...]) -> pa.Schema:
    columns = [*KEYS, *((name, pa.string()) for name in dimensions), *MEASURES]
    return pa.schema([pa.field(name, kind) for name, kind in columns])


#: Columns that every table has; all others are dimensions.
_KNOWN = frozenset(name for name, _ in (*KEYS, *MEASURES))


@dataclass(frozen=True, repr=False)
class Estimates:
    """An estimates table: immutable, filtered and combined by whole rows, so that a value never loses its interval.

    Parameters
    ----------
    table
        Arrow table that has the columns of `schema`, in any order; missing ones become null, dimensions `_T`.

    Raises
    ------
    ValueError
        If a key column or `value` is missing.

    Examples
    --------
    >>> rows = Estimates.from_rows([{"indicator": "x", "place": "CO-MDE", "period": "2019", "sex": "F", "value": 2.0}])
    >>> rows.dimensions, len(rows)
    (('sex',), 1)
    """

    table: pa.Table

    def __post_init__(self) -> None:
        names = self.table.column_names
        missing = [name for name in ("indicator", "place", "period", "value") if name not in names]
        if missing:
            raise ValueError(f"an estimates table needs the columns {', '.join(missing)}")
        extra = tuple(name for name in names if name not in _KNOWN)
        target = schema(extra)
        if self.table.schema.equals(target, check_metadata=True) and not any(
            self.table.column(name).null_count for name in extra
        ):
            return  # as it should be: most tables are made of others by leaving out rows
        columns = []
        for field in target:
            if field.name in names:
                column = self.table.column(field.name).cast(field.type)
                columns.append(pc.fill_null(column, TOTAL) if field.name in extra else column)
            else:
                columns.append(pa.nulls(self.table.num_rows, field.type))
        object.__setattr__(self, "table", pa.table(columns, schema=target))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], dimensions: Sequence[str] = ()) -> Estimates:
        """Estimates from dictionaries; keys that are no column of the contract are dimensions."""
        rows = list(rows)
        known = dict((*KEYS, *MEASURES))
        extra = dict.fromkeys(dimensions) | dict.fromkeys(name for row in rows for name in row if name not in known)
        target = schema(list(extra))
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in target]
        return cls(pa.table(columns, schema=target))

    @classmethod
    def empty(cls, dimensions: Sequence[str] = ()) -> Estimates:
        """No estimates, with the right columns."""
        return cls(schema(dimensions).empty_table())

    @classmethod
    def concat(cls, parts: Iterable[Estimates]) -> Estimates:
        """All rows of the parts; a dimension that a part lacks is `_T` there. Nothing is added up."""
        parts = list(parts)
        dimensions = list(dict.fromkeys(name for part in parts for name in part.dimensions))
        if not parts:
            return cls.empty()
        target = schema(dimensions)
        aligned = []
        for part in parts:
            table = part.table
            for name in dimensions:
                if name not in table.column_names:
                    table = table.append_column(name, pa.repeat(pa.scalar(TOTAL), table.num_rows))
            aligned.append(table.select(target.names))
        return cls(pa.concat_tables(aligned).combine_chunks())

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimension columns (sex, age, …)."""
        return tuple(name for name in self.table.column_names if name not in _KNOWN)

    def where(self, **equal: object) -> Estimates:
        """Rows in which each named column equals the value, or is one of them where a list, tuple or set is given.

        Raises
        ------
        KeyError
            If there is no such column. (A dimension that no table has is `_T` everywhere: asking for `_T` is fine.)

        Examples
        --------
        >>> e = Estimates.from_rows([{"indicator": "x", "place": p, "period": "2019", "value": 1.0} for p in "ab"])
        >>> len(e.where(place="a")), len(e.where(place=["a", "b"], sex="_T"))
        (1, 2)
        """
        table = self.table
        for name, wanted in equal.items():
            several = isinstance(wanted, list | tuple | set | frozenset)
            values = list(wanted) if several else [wanted]  # type: ignore[call-overload]
            if name in table.column_names:
                # null is found by null, and only by null
                table = table.filter(pc.is_in(table.column(name), pa.array(values, table.schema.field(name).type)))
            elif TOTAL not in values:
                raise KeyError(f"the estimates have no column {name}; they have {', '.join(table.column_names)}")
        return Estimates(table)

    def totals(self, *keep: str) -> Estimates:
        """Rows that are broken down by exactly the dimensions `keep`, and `_T` in every other one.

        Rows of a kept dimension in which it is `_T` are left out; so there are none where the table lacks it.

        Raises
        ------
        KeyError
            If `keep` names a column that is no dimension.

        Examples
        --------
        >>> row = {"indicator": "x", "place": "a", "period": "2019", "value": 1.0}
        >>> e = Estimates.from_rows([{**row, "sex": code} for code in ("_T", "F", "M")])
        >>> len(e.totals()), len(e.totals("sex")), len(e.totals("age")), len(e.totals("sex", "age"))
        (1, 2, 0, 0)
        """
        fixed = sorted(_KNOWN & set(keep))
        if fixed:
            raise KeyError(f"{', '.join(fixed)} is no dimension of the estimates; use where() to choose rows by it")
        table = self.table if set(keep) <= set(self.dimensions) else self.table.slice(0, 0)
        for name in self.dimensions:
            mask = pc.equal(table.column(name), TOTAL)
            table = table.filter(pc.invert(mask) if name in keep else mask)
        return Estimates(table)

    def sort(self) -> Estimates:
        """Rows in the order of their keys, so that the same estimates give the same bytes."""
        keys = ["indicator", "version", "source", "unit", "method", "period", "place", *self.dimensions]
        return Estimates(self.table.sort_by([(name, "ascending") for name in keys]))

    def rows(self) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        return self.table.to_pylist()  # type: ignore[no-any-return]

    def only(self) -> dict[str, Any]:
        """The single row.

        Raises
        ------
        LookupError
            If there is not exactly one.
        """
        if len(self) != 1:
            raise LookupError(f"expected one estimate, found {len(self)}")
        return self.rows()[0]

    def to_arrow(self) -> pa.Table:
        """The Arrow table."""
        return self.table

    def to_pandas(self) -> pd.DataFrame:
        """A pandas data frame (pandas must be installed)."""
        return self.table.to_pandas()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        codes = pc.unique(self.table.column("indicator")).to_pylist()
        return f"<Estimates: {len(self)} rows, {len(codes)} indicators, by {', '.join(self.dimensions) or 'nothing'}>"

    def _repr_html_(self) -> str:
        from html import escape

        shown = ["indicator", "place", "period", *self.dimensions, "value", "lower", "upper", "n", "unit", "quality"]
        head = "".join(f"<th>{escape(name)}</th>" for name in shown)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row[name]))}</td>" for name in shown) + "</tr>"
            for row in self.table.slice(0, 20).to_pylist()
        )
        more = f"<p>{len(self) - 20} more rows</p>" if len(self) > 20 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
