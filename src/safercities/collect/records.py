"""What collecting gives: coded records, rejected rows with their reasons, and the problems that were met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.model.errors import Problem

#: One row a fault; a row with several faults stands once for each. `values` is the raw row as a JSON object.
REJECTS = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("column", pa.string()),
        pa.field("code", pa.string()),
        pa.field("why", pa.string()),
        pa.field("values", pa.string()),
    ]
)


@dataclass(frozen=True)
class DimensionInfo:
    """A breakdown as this source has it.

    Parameters
    ----------
    name, label
        Name of its column, and what people read.
    of
        ``person`` (its rates need the population with that characteristic) or ``event``.
    codes
        The codes to expect, in order: those of the bins, of the map, or those seen. Without ``_U`` and ``_T``.
    labels
        Code → what people read.
    """

    name: str
    label: str
    of: str
    codes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RawTable:
    """A file as it was read, before its columns mean anything.

    Parameters
    ----------
    file
        Name as the user wrote it.
    table
        Columns as the file types them; all string for text files. Empty text is null.
    rows
        Row number of each record: as a spreadsheet shows it for text files and workbooks (in a text file a record
        with quoted line breaks counts as one row), the record's number from 1 for other formats.
    geometry, crs
        WKB and coordinate reference system, where the file has them.
    labels
        Column → value → label, where the file has value labels (SPSS, Stata).
    merged
        Column → positions in `table` whose value was filled in from a merged cell, or was its first cell.
    problems
        What reading met: warnings and notes, and an error for rows that could not be read.
    rejects
        Rows that could not be read as records (`REJECTS`); they are not in `table`.
    """

    file: str
    table: pa.Table
    rows: np.ndarray[Any, np.dtype[np.int64]]
    geometry: pa.Array | pa.ChunkedArray | None = None
    crs: str | None = None
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    merged: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    rejects: pa.Table = field(default_factory=REJECTS.empty_table)

    @property
    def rows_read(self) -> int:
        """Rows in the file below the header, without wholly empty ones."""
        return int(self.table.num_rows + self.rejects.num_rows)


@dataclass(frozen=True)
class Collected:
    """Records of one source. ``table.num_rows`` + number of distinct rejected rows = ``rows_read``, always.

    Parameters
    ----------
    source, kind, file, label
        Name of the source in observatory.toml, ``incidents`` or ``population``, file as written, name for people.
    table
        One row a record; columns as ARCHITECTURE.md says for the kind.
    rejects
        One row a fault of a rejected row (`REJECTS`).
    problems
        Each distinct problem once, with its first row and how many rows share it.
    unit
        victims, incidents or offences; None for a population.
    crs
        Coordinate reference system of `x`, `y`; None where the source has no coordinates.
    precision
        How exact the dates are: the coarsest of those seen and of the one declared.
    """

    source: str
    kind: str
    file: str
    table: pa.Table
    rejects: pa.Table
    problems: tuple[Problem, ...]
    rows_read: int
    unit: str | None
    crs: str | None
    precision: str
    dimensions: tuple[DimensionInfo, ...]
    label: str

    @property
    def rows_rejected(self) -> int:
        """Number of rows that were left out; each stands in `rejects` with its reasons."""
        return int(self.rows_read - self.table.num_rows)
