"""What real offices do to their files: values that get lost, decimal commas, other separators."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv


def forget(rng: np.random.Generator, values: np.ndarray, number: int, unknown: object) -> np.ndarray:
    """The values with `number` of them replaced by what stands for unknown."""
    values = values.copy()
    values[rng.choice(len(values), number, replace=False)] = unknown
    return values


def decimal_comma(values: np.ndarray) -> pa.Array:
    """Numbers as text with a decimal comma, at most 6 decimals; empty where they are nan."""
    texts = pc.cast(pa.array(np.round(values, 6), mask=np.isnan(values)), pa.string())
    return pc.fill_null(pc.replace_substring(texts, ".", ","), "")


def as_csv(table: pa.Table, delimiter: str) -> bytes:
    """A table as a text file with unquoted cells; missing ones are empty."""
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(delimiter=delimiter, quoting_style="none", quoting_header="none")
    pyarrow.csv.write_csv(table, sink, options)
    return sink.getvalue()
