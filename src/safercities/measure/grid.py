"""Counts on a full grid of period × place × codes, so that a zero is a number and the parts add up to the total."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.engine import cube
from safercities.indicators.numerators import Acts
from safercities.measure.source import CountsSource
from safercities.model.dimensions import UNKNOWN, iccs_below
from safercities.model.estimates import TOTAL
from safercities.model.periods import Period

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Cases on every cell of its axes.

    Parameters
    ----------
    level
        Level of the places, or None where the cases are not broken down by place.
    names
        `period`, then `place` where there is a level, then dimensions.
    codes
        Codes along each axis; `_U` is the last on each but the period's.
    counts
        One axis a name.
    """

    level: str | None
    names: tuple[str, ...]
    codes: tuple[tuple[str, ...], ...]
    counts: Counts

    def along(self, name: str) -> tuple[str, ...]:
        """Codes of one axis."""
        return self.codes[self.names.index(name)]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The axes that are neither period nor place."""
        return tuple(name for name in self.names if name not in ("period", "place"))

    def unknown(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Cells in which any of the named axes is `_U`, in the shape of the counts."""
        mask = np.zeros(self.counts.shape, dtype=bool)
        for name in names:
            axis = self.names.index(name)
            mask |= _along(np.array([code == UNKNOWN for code in self.codes[axis]]), axis, self.counts.ndim)
        return mask

    def known_share(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Share of cases in which all of the named axes are known, within the other axes; 1 where there is none."""
        axes = tuple(self.names.index(name) for name in names)
        everything = self.counts.sum(axis=axes, keepdims=True)
        known = np.where(self.unknown(names), 0, self.counts).sum(axis=axes, keepdims=True)
        share = np.divide(known, everything, out=np.ones(everything.shape), where=everything > 0)
        return np.broadcast_to(share, self.counts.shape)


def _along(values: NDArray[np.bool_], axis: int, ndim: int) -> NDArray[np.bool_]:
    shape = [1] * ndim
    shape[axis] = len(values)
    return values.reshape(shape)


class Counter:
    """Counts of one definition's cases in one source; groups once, and gives a grid for each combination.

    Parameters
    ----------
    combinations
        Sets of dimensions; with `place` among them once for each level of the source.
    places
        Level → ids that get a cell each.
    """

    def __init__(
        self,
        source: CountsSource,
        numerator: Acts,
        periods: Sequence[Period],
        combinations: Iterable[Sequence[str]],
        places: dict[str, Sequence[str]],
    ) -> None:
        self._source, self._places = source, places
        self._periods = tuple(map(str, periods))
        wanted = {keys for one in combinations for keys in self._keys(one)}
        self._needed = [name for name in (*self._levels(), *source.dimensions) if any(name in keys for keys in wanted)]
        inside, records = self._records(periods)
        counted = _counted(records.column("act"), numerator)
        self._cube = cube(
            records.filter(pa.array(counted)), ["period", *self._needed], [("period", *keys) for keys in sorted(wanted)]
        )
        amounts = records.column("n").to_numpy()
        unknown = _unsure(records.column("act"), numerator)
        self.all_cases = np.bincount(inside, weights=amounts, minlength=len(periods))
        self.unknown_acts = np.bincount(inside[unknown], weights=amounts[unknown], minlength=len(periods))

    def grid(self, level: str | None, dimensions: Sequence[str]) -> Grid:
        """Counts by period, place where a level is given, and dimensions."""
        columns = ["period", *([_column(level)] if level else []), *dimensions]
        table = self._part(columns)
        codes = [self._codes(column, table) for column in columns]
        counts = np.zeros([len(axis) for axis in codes], dtype=np.int64)
        where = tuple(
            pc.index_in(table.column(column), pa.array(axis, pa.string())).to_numpy()
            for column, axis in zip(columns, codes, strict=True)
        )
        np.add.at(counts, where, table.column("n").to_numpy())
        names = ("period", *(["place"] if level else []), *dimensions)
        return Grid(level, names, tuple(codes), counts)

    def _levels(self) -> list[str]:
        return [_column(level) for level in self._source.levels]

    def _keys(self, combination: Sequence[str]) -> list[tuple[str, ...]]:
        """The columns that a combination needs, once for each level where it has a place."""
        rest = tuple(name for name in self._source.dimensions if name in combination)
        return [(column, *rest) for column in self._levels()] if "place" in combination else [rest]

    def _records(self, periods: Sequence[Period]) -> tuple[NDArray[np.intp], pa.Table]:
        """Records of these periods with a column `period`, and the position of each one's period."""
        table = self._source.table
        starts = np.array([period.start for period in periods], dtype="datetime64[D]")
        ends = np.array([period.end for period in periods], dtype="datetime64[D]")
        at = np.searchsorted(starts, self._source.days, side="right") - 1
        inside = (at >= 0) & (self._source.days <= ends[at])
        columns = {"act": table.column("act").combine_chunks(), "n": table.column("n").combine_chunks()}
        for name in self._needed:
            columns[name] = pc.fill_null(table.column(name).cast(pa.string()), UNKNOWN)
        columns["period"] = pa.DictionaryArray.from_arrays(np.maximum(at, 0).astype(np.int32), pa.array(self._periods))
        kept = pa.table(columns)
        if not inside.all():
            kept, at = kept.filter(pa.array(inside)), at[inside]
        return at, kept

    def _part(self, columns: Sequence[str]) -> pa.Table:
        """The rows of the cube that are broken down by exactly these columns."""
        table = self._cube
        for name in ("period", *self._needed):
            total = pc.equal(table.column(name).cast(pa.string()), TOTAL)
            table = table.filter(pc.invert(total) if name in columns else total)
        return table.set_column(0, "period", table.column("period").cast(pa.string()))

    def _codes(self, column: str, table: pa.Table) -> tuple[str, ...]:
        """Codes to expect in a column, then others that were seen, then `_U`."""
        if column == "period":
            return self._periods
        expected: Sequence[str]
        if column in self._source.dimensions:
            expected = self._source.dimensions[column].codes
        else:
            expected = self._places[column.removeprefix("place_")]
        seen = sorted(set(pc.unique(table.column(column).cast(pa.string())).to_pylist()) - {UNKNOWN})
        return (*dict.fromkeys([*expected, *seen]), UNKNOWN)


def _column(level: str) -> str:
    return f"place_{level}"


def _unsure(acts: pa.Array, numerator: Acts) -> NDArray[np.bool_]:
    """Which records may be of the definition's acts: no act is known, or only one above them (04 for 0401)."""
    return _where(
        acts, lambda act: act == UNKNOWN or any(iccs_below(one, [act]) and one != act for one in numerator.acts)
    )


def _counted(acts: pa.Array, numerator: Acts) -> NDArray[np.bool_]:
    """Which records are of the definition's acts."""
    return _where(acts, lambda act: bool(act) and numerator.counts(act))


def _where(acts: pa.Array, wanted: Callable[[str], bool]) -> NDArray[np.bool_]:
    """The records whose act is wanted; a null reads as `_U`."""
    coded = pc.dictionary_encode(acts.cast(pa.string()), null_encoding="encode")
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    verdicts = np.array([wanted(act or UNKNOWN) for act in coded.dictionary.to_pylist()], dtype=bool)
    return verdicts[coded.indices.to_numpy(zero_copy_only=False)] if len(coded) else np.zeros(0, dtype=bool)
