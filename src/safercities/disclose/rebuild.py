"""A source of counts made from protected bases, so that everything is measured from them as it is from records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.ages import bin_codes
from safercities.collect.file_spec import DimensionFrom
from safercities.collect.records import DimensionInfo
from safercities.disclose.base import Base
from safercities.measure.source import CountsSource
from safercities.model.dimensions import TOTAL, UNKNOWN, age_codes, dimension
from safercities.model.periods import Period

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ProtectedSource(CountsSource):
    """A source whose records were made from protected bases; it has the periods of these, and no other.

    Which periods are complete was judged on the true records: dates of the made ones say nothing.

    Parameters
    ----------
    judged
        Period → whether it is complete, and the part of it that rates are made over.
    """

    judged: Mapping[Period, tuple[bool, Period | None]] = field(default_factory=dict)

    def periods(self, kind: str) -> list[Period]:
        """The protected periods of a kind, in order."""
        return sorted(one for one in self.judged if one.kind == kind)

    def complete(self, period: Period) -> bool:
        """Whether the true source covers the whole period."""
        return self.judged[period][0]

    def covered_part(self, period: Period) -> Period | None:
        """The part of the period that the true source covers."""
        return self.judged[period][1]

    @cached_property
    def gaps(self) -> tuple[Period, ...]:
        """None: they are in what was judged."""
        return ()


def protected_source(
    source: CountsSource,
    bases: Sequence[Base],
    counts: Sequence[Ints],
    declared: Mapping[str, Collection[str]] | None = None,
    errors: Mapping[str, float] | None = None,
) -> ProtectedSource:
    """The source as its protected bases have it.

    Parameters
    ----------
    source
        The true one: what it covers and which periods are complete is taken from it, and no record.
    bases
        One a period, of this source. What not all of them are broken down by is left out.
    counts
        Protected counts on the leaves of each base, shape (leaves,).
    declared
        Dimension → codes that observatory.toml names (`declared_codes`). Any other code was only seen, and is there
        only if a protected count has it: a row of zeros would say that the true records do.
    errors
        Indicator → standard deviation of the error of its counts, where these were rounded.

    Raises
    ------
    ValueError
        If there is no base, one is of another source, two are of one period, or counts do not fit the leaves.
    """
    if not bases or len(bases) != len(counts) or any(base.source != source.name for base in bases):
        raise ValueError("there must be bases of the source, and counts for each")
    if len({base.period for base in bases}) < len(bases):
        raise ValueError("two bases of one period: their cases would count twice")
    levels = [level for level in source.levels if all(level in base.zones.levels for base in bases)]
    names = [name for name in source.dimensions if all(name in map(_name, base.axes) for base in bases)]
    columns = ["when", "act", "n", *names, *(f"place_{level}" for level in levels)]
    made = [base.records(one).select(columns) for base, one in zip(bases, counts, strict=True)]
    table = pa.concat_tables(made)
    infos = {name: _shown(source.dimensions[name], table, (declared or {}).get(name)) for name in names}
    return ProtectedSource(
        name=source.name,
        label=source.label,
        table=table,
        unit=source.unit,
        precision=source.precision,
        covers=source.covers,
        covers_declared=True,
        dimensions=infos,
        levels=tuple(levels),
        acts=source.acts,
        today=source.today,
        rejected=0.0,  # of the whole file: that it is more than 5 % would be one more true number
        errors=errors or {},
        judged={base.period: _judged(source, base.period) for base in bases},
    )


def _judged(source: CountsSource, period: Period) -> tuple[bool, Period | None]:
    """Whether a period is complete, and the part of it that rates are made over.

    Where nobody said what the source covers, the covered part of a period begins on the day of its first case: a rate
    over it would tell that day.
    """
    if source.covers_declared:
        return source.complete(period), source.covered_part(period)
    return (True, period) if source.complete(period) else (False, None)


def _name(axis: object) -> str:
    return str(getattr(axis, "name", ""))


def _shown(info: DimensionInfo, table: pa.Table, declared: Collection[str] | None) -> DimensionInfo:
    """The dimension with the codes that are named in observatory.toml, or that the protected records have."""
    there = set(table.column(info.name).unique().to_pylist()) | set(declared or ())
    codes = tuple(code for code in info.codes if code in there)
    return replace(info, codes=codes, labels={code: text for code, text in info.labels.items() if code in codes})


def within_covers(source: CountsSource) -> CountsSource:
    """The source without cases outside the period that it is said to cover; as it is where nothing is said.

    Periods, and rates of the covered part of a period, would be there or not by such cases, however few.

    Examples
    --------
    >>> import datetime
    >>> when = [datetime.datetime(1969, 12, 31), datetime.datetime(1970, 5, 1)]
    >>> table = pa.table({"when": pa.array(when, pa.timestamp("us")), "n": [1, 7]})
    >>> source = CountsSource("police", "Police", table, "victims", "day", Period.parse("1970"), True, {})
    >>> [str(one) for one in source.periods("year")], [str(one) for one in within_covers(source).periods("year")]
    (['1969', '1970'], ['1970'])
    """
    if not source.covers_declared:
        return source
    inside = (source.days >= np.datetime64(source.covers.start)) & (source.days <= np.datetime64(source.covers.end))
    return replace(source, table=source.table.filter(pa.array(inside, pa.bool_())))


def without_codes(source: CountsSource, hidden: Mapping[str, Collection[str]]) -> CountsSource:
    """The source with some codes of its dimensions made `_U`, as if it did not have them.

    Parameters
    ----------
    hidden
        Dimension → codes.

    Examples
    --------
    >>> table = pa.table({"when": pa.array([0, 0], pa.timestamp("us")), "n": [7, 1], "means": ["gun", "poison"]})
    >>> info = DimensionInfo("means", "Means", "event", ("gun", "poison"))
    >>> years = Period.parse("1970")
    >>> source = CountsSource("police", "Police", table, "victims", "day", years, True, {"means": info})
    >>> found = without_codes(source, {"means": ["poison"]})
    >>> found.table.column("means").to_pylist(), found.dimensions["means"].codes
    (['gun', '_U'], ('gun',))
    """
    table, infos = source.table, dict(source.dimensions)
    for name, codes in hidden.items():
        column = table.column(name).cast(pa.string())
        gone = pc.fill_null(pc.is_in(column, pa.array(list(codes), pa.string())), False)
        table = table.set_column(table.column_names.index(name), name, pc.if_else(gone, UNKNOWN, column))
        kept = tuple(code for code in infos[name].codes if code not in codes)
        labels = {code: text for code, text in infos[name].labels.items() if code not in codes}
        infos[name] = replace(infos[name], codes=kept, labels=labels)
    return replace(source, table=table, dimensions=infos)


def declared_codes(name: str, spec: DimensionFrom) -> tuple[str, ...]:
    """Codes that observatory.toml names for a dimension, by bins, map or other: they may be shown where all is zero.

    Examples
    --------
    >>> declared_codes("age", DimensionFrom(column="edad", bins=[0, 15]))
    ('Y0T14', 'Y_GE15')
    >>> declared_codes("sex", DimensionFrom(column="sex"))
    ()
    """
    codes: list[str] = []
    if spec.bins is not None:
        known = dimension(name).codes
        codes += age_codes(spec.bins) if known is not None and known.id == "AGE" else bin_codes(spec.bins)
    codes += [*spec.map.values(), *([spec.other] if spec.other is not None else [])]
    return tuple(code for code in dict.fromkeys(codes) if code not in (UNKNOWN, TOTAL))
