"""The same answer as the SQL text for Parquet files with few distinct keys: added into a dense array, by codes.

Parquet keeps a column of few distinct values as a dictionary and small codes. Adding up by the codes needs no hashing
and never looks at a string; the array of all cells then serves every combination of keys.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

#: Most cells of the dense array (8 bytes each and sum), and rows taken at a time (their codes stay in the cache).
CELLS = 1 << 23
BATCH = 1 << 18
#: Sums that may reach this are left to SQL, which refuses to overflow.
LARGEST = 2**62


class TooLarge(Exception):
    """The dense array would be too large, or its sums not exact: use the SQL text."""


@dataclass
class Dense:
    """Sums (int64) in one array with an axis a key, and the values along each axis."""

    values: list[dict[str, int]]
    sums: list[np.ndarray]
    bound: int = 0

    def codes(self, axis: int, values: Sequence[str]) -> np.ndarray:
        """Place of each value along the axis; new values are put at its end."""
        known = self.values[axis]
        return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.intp)

    def fit(self) -> list[int]:
        """Make room for values that were put at the end of an axis; gives the shape."""
        shape = [len(axis) for axis in self.values]
        if math.prod(shape) > CELLS:
            raise TooLarge
        for number, part in enumerate(self.sums):
            if list(part.shape) != shape:
                grown = [(0, size - have) for size, have in zip(shape, part.shape, strict=True)]
                self.sums[number] = np.pad(part, grown)
        return shape

    def grow(self, amount: int) -> None:
        """Note that sums may have grown by so much."""
        self.bound += amount
        if self.bound >= LARGEST:
            raise TooLarge

    def add(self, other: Dense) -> None:
        """Add another array, with its own values along the axes, into this one."""
        self.grow(other.bound)
        where = [self.codes(axis, list(theirs)) for axis, theirs in enumerate(other.values)]
        self.fit()
        for mine, part in zip(self.sums, other.sums, strict=True):
            mine[np.ix_(*where)] += part

    def add_rows(self, batch: pa.RecordBatch, keys: Sequence[str], sums: Sequence[str]) -> None:
        """Add a batch of rows, its keys dictionary-encoded."""
        columns = [batch.column(name) for name in keys]
        if any(column.null_count or column.dictionary.null_count for column in columns):
            raise TooLarge
        tables = [self.codes(axis, column.dictionary.to_pylist()) for axis, column in enumerate(columns)]
        cell = _cells(columns, tables, self.fit()).astype(np.intp)
        for name, total in zip(sums, self.sums, strict=True):
            amount = batch.column(name).fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
            if len(amount):
                self.grow(len(amount) * max(int(amount.max()), -int(amount.min())))
            np.add.at(total.reshape(-1), cell, amount)

    def sorted(self) -> Dense:
        """The values along each axis in byte order, as SQL's ORDER BY gives them."""
        names = [sorted(axis, key=str.encode) for axis in self.values]
        grid = np.ix_(*(self.codes(axis, order) for axis, order in enumerate(names)))
        coded = [{value: code for code, value in enumerate(order)} for order in names]
        return Dense(coded, [part[grid] for part in self.sums], self.bound)


def _cells(columns: Sequence[pa.DictionaryArray], tables: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """Position of each row's cell in the flattened array; 32 bits and buffers that are used again are 4 × as fast."""
    size = len(columns[0])
    cell, step = np.zeros(size, dtype=np.int32), np.empty(size, dtype=np.int32)
    for axis, (column, table) in enumerate(zip(columns, tables, strict=True)):
        stride = math.prod(shape[axis + 1 :])
        # the codes are within the table: clipping only spares numpy the check
        if size:
            np.take((table * stride).astype(np.int32), column.indices.to_numpy(), out=step, mode="clip")
        cell += step
    return cell


def _part(work: Sequence[tuple[Path, int]], keys: Sequence[str], sums: Sequence[str]) -> Dense:
    """The sum of the row groups (file, number) in `work`."""
    total = Dense([{} for _ in keys], [np.zeros([0] * len(keys), np.int64) for _ in sums])
    for path, number in work:
        with pq.ParquetFile(path, read_dictionary=list(keys)) as file:
            for batch in file.iter_batches(BATCH, row_groups=[number], columns=[*keys, *sums], use_threads=False):
                total.add_rows(batch, keys, sums)
    return total


def add_up(paths: Sequence[Path], keys: Sequence[str], sums: Sequence[str]) -> Dense:
    """Sums of every cell of the keys over all the files.

    Raises
    ------
    TooLarge
        If that is no work for a dense array: too many cells, missing keys, huge values.
    """
    work = [(path, number) for path in paths for number in range(pq.read_metadata(path).num_row_groups)]
    threads = max(1, min(os.cpu_count() or 1, len(work)))
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda start: _part(work[start::threads], keys, sums), range(threads)))
    for part in parts[1:]:
        parts[0].add(part)
    return parts[0].sorted()
