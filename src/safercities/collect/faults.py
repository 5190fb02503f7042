"""The ledger of a source: which rows are rejected and why, and which values need a look, each distinct one once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.columns import Bools, Encoded, Ints, as_text
from safercities.collect.records import REJECTS, RawTable
from safercities.model.errors import Problem, Severity, problem

#: Distinct values of one kind of problem that are listed; of the others only the number is said.
LISTED = 20
_SHOWN = 40


def shown(value: object) -> str:
    """A cell's value as messages show it: never more than the beginning.

    Examples
    --------
    >>> shown("x" * 50) == "x" * 39 + "…"
    True
    """
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def json_text(row: dict[str, Any]) -> str:
    """A row as JSON text."""
    return json.dumps(row, ensure_ascii=False, default=str)


@dataclass(frozen=True)
class _Fault:
    positions: Ints
    column: str
    code: str
    why: pa.Array  # one text a position


@dataclass
class Ledger:
    """Faults of one raw table, gathered column by column and given out as rejects and problems."""

    raw: RawTable
    rejected: Bools = field(init=False)
    problems: list[Problem] = field(init=False)
    _faults: list[_Fault] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.rejected = np.zeros(self.raw.table.num_rows, dtype=bool)
        self.problems = list(self.raw.problems)

    def note(self, code: str, where: Bools, column: str | None = None, **details: Any) -> None:
        """One problem about all the rows of `where`; nothing where there is none."""
        positions = np.flatnonzero(where)
        if len(positions):
            row = int(self.raw.rows[positions[0]])
            made = problem(code, file=self.raw.file, row=row, column=column, rows=len(positions), **details)
            self.problems.append(made)

    def warn(self, code: str, where: Bools, column: str, encoded: Encoded, **details: Any) -> None:
        """One problem a distinct value of the rows of `where`, which are kept."""
        positions = np.flatnonzero(where)
        if len(positions):
            self._by_value(code, positions, column, encoded, details)

    def reject(self, code: str, where: Bools, column: str, encoded: Encoded | None = None, **details: Any) -> None:
        """Reject the rows of `where`; one problem a distinct value, or one for all without `encoded`."""
        positions = np.flatnonzero(where)
        if not len(positions):
            return
        if encoded is None:
            self.note(code, where, column, **details)
            why = pa.array([self.problems[-1].what] * len(positions), pa.string())
        else:
            sentences, inverse = self._by_value(code, positions, column, encoded, details)
            why = pa.array(sentences, pa.string()).take(pa.array(inverse))
        self.rejected[positions] = True
        self._faults.append(_Fault(positions, column, code, why))

    def reject_each(self, code: str, positions: Ints, column: str, details: list[dict[str, Any]]) -> None:
        """Reject rows that each have their own reason (few: a Python loop)."""
        made = [
            problem(code, file=self.raw.file, row=int(self.raw.rows[p]), column=column, **d)
            for p, d in zip(positions, details, strict=True)
        ]
        if not made:
            return
        self.problems.extend(made[:LISTED])
        self._say_more(made[0], len(made) - LISTED, int(self.raw.rows[positions[min(LISTED, len(made) - 1)]]))
        self.rejected[positions] = True
        self._faults.append(_Fault(positions, column, code, pa.array([m.what for m in made], pa.string())))

    def _by_value(
        self, code: str, positions: Ints, column: str, encoded: Encoded, details: dict[str, Any]
    ) -> tuple[list[str], Ints]:
        """List the distinct values, the first met first; gives their sentences, and which is that of each position."""
        codes, first, inverse, counts = np.unique(
            encoded.index[positions], return_index=True, return_inverse=True, return_counts=True
        )
        texts = (
            as_text(encoded.values).take(pa.array(np.maximum(codes, 0))).to_pylist() if len(encoded.values) else [""]
        )
        made = [
            problem(
                code,
                file=self.raw.file,
                row=int(self.raw.rows[positions[at]]),
                column=column,
                rows=int(count),
                value=shown(text),
                **details,
            )
            for text, at, count in zip(texts, first, counts, strict=True)
        ]
        by_row = sorted(made, key=lambda one: one.row or 0)
        self.problems.extend(by_row[:LISTED])
        if len(by_row) > LISTED:
            self._say_more(by_row[0], len(by_row) - LISTED, by_row[LISTED].row)
        return [one.what for one in made], inverse

    def _say_more(self, like: Problem, more: int, row: int | None) -> None:
        if more > 0:
            code = {Severity.ERROR: "values-more", Severity.WARNING: "values-more-warning"}.get(
                like.severity, "values-more-note"
            )
            made = problem(code, file=self.raw.file, row=row, column=like.column, more=more, code=like.code)
            self.problems.append(made)

    def rejects(self) -> pa.Table:
        """The rejected rows (`REJECTS`), one row a fault, in the order of the file."""
        positions = np.flatnonzero(self.rejected)
        values = _rows_as_json(self.raw.table.take(pa.array(positions)))
        parts = [self.raw.rejects]
        for fault in self._faults:
            at = np.searchsorted(positions, fault.positions)
            count = len(at)
            columns = [
                pa.array(self.raw.rows[fault.positions], pa.int64()),
                pa.array([fault.column] * count, pa.string()),
                pa.array([fault.code] * count, pa.string()),
                fault.why,
                values.take(pa.array(at)),
            ]
            parts.append(pa.table(columns, schema=REJECTS))
        return pa.concat_tables(parts).sort_by([("row", "ascending")]).combine_chunks()


def _rows_as_json(table: pa.Table) -> pa.Array:
    """Each row as a JSON object of its values as text, made column by column."""
    if table.num_rows == 0:
        return pa.array([], pa.string())
    pieces: list[Any] = []
    for number, name in enumerate(table.column_names):
        text = table.column(name)
        text = text if pa.types.is_string(text.type) else as_text(text)
        quoted = pc.binary_join_element_wise('"', _escape(text), '"', "")
        opening = ("{" if number == 0 else ", ") + json.dumps(name, ensure_ascii=False) + ": "
        pieces += [opening, pc.fill_null(quoted, "null")]
    joined = pc.binary_join_element_wise(*pieces, "}", "")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _escape(text: Any) -> Any:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = pc.replace_substring(text, plain, escaped)
    return pc.replace_substring_regex(text, "[\\x00-\\x1f]", "\ufffd")
