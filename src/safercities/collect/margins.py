"""Population totals that weights are tied to, held against the respondents there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.answers import Answer
from safercities.collect.columns import Bools, encode
from safercities.collect.faults import LISTED, Ledger, shown
from safercities.collect.incidents import first_rows
from safercities.collect.margins_spec import BETWEEN_CODES, MarginFrom
from safercities.collect.survey_spec import SurveySpec
from safercities.model.errors import Problem, SafercitiesError, problem


def check_margins(ledger: Ledger, spec: SurveySpec, columns: Mapping[str, Any], answers: Mapping[str, Answer]) -> None:
    """Say where totals and respondents do not meet; calibrating would stop there.

    Parameters
    ----------
    columns
        `period` and `weight` of every row, and its codes in each dimension by the dimension's name.

    Raises
    ------
    SafercitiesError
        If one set of totals is given for interviews of several periods, or a number that the weights are tied to is
        not known of everybody; names the first row.
    """
    for margin in spec.margins:
        if margin.source is None:
            _refuse_periods(ledger, margin, columns["period"])
        if margin.number is not None:
            column = spec.variables[margin.number].column
            _refuse_missing(ledger, margin.number, column, answers[margin.number], _counted(ledger, columns))
        elif margin.totals is not None:
            ledger.problems.extend(list(_unmet(ledger, margin, columns))[:LISTED])


def _refuse_periods(ledger: Ledger, margin: MarginFrom, periods: pa.Array) -> None:
    seen = periods.filter(pa.array(~ledger.rejected)).unique().to_pylist()
    if len(seen) > 1:
        details = {"margin": margin.name, "first": seen[0], "other": seen[1]}
        raise SafercitiesError(problem("margin-several-periods", file=ledger.raw.file, column=margin.name, **details))


def _counted(ledger: Ledger, columns: Mapping[str, Any]) -> Bools:
    """Rows whose weights are tied: kept, and of a weight above 0."""
    return np.asarray(~ledger.rejected & (np.asarray(columns["weight"]) != 0))


def _refuse_missing(ledger: Ledger, role: str, column: str, answer: Answer, counted: Bools) -> None:
    missing = np.flatnonzero(np.isnan(answer.values) & counted)
    if len(missing):
        row, file = int(ledger.raw.rows[missing[0]]), ledger.raw.file
        made = problem("margin-number-missing", file=file, row=row, column=column, rows=len(missing), role=role)
        raise SafercitiesError(made)


def _unmet(ledger: Ledger, margin: MarginFrom, columns: Mapping[str, Any]) -> Iterator[Problem]:
    """Categories of respondents without a total, then totals without a respondent."""
    kept = np.flatnonzero(_counted(ledger, columns))
    categories = pc.binary_join_element_wise(*(columns[name] for name in margin.by), BETWEEN_CODES)
    encoded = encode(categories.take(pa.array(kept)))
    codes, first, counts = encoded.texts(), first_rows(encoded, ledger.raw.rows[kept]), np.bincount(encoded.index)
    totals = {BETWEEN_CODES.join(margin.categories(written)) for written in margin.totals or {}}
    where: dict[str, Any] = {"file": ledger.raw.file, "column": margin.name, "margin": margin.name}
    for code, row, count in sorted(zip(codes, first.tolist(), counts.tolist(), strict=True), key=lambda one: one[1]):
        if code not in totals:
            yield problem("margin-without-total", **where, row=row, rows=count, value=shown(code))
    for code in sorted(totals.difference(codes)):
        yield problem("margin-without-respondents", **where, value=shown(code))
