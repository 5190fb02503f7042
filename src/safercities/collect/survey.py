"""From a file of respondents to records: weighted, placed in the design, answers read; every row kept or rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.collect.answers import Answer, read_answers
from safercities.collect.codes import code_dimension
from safercities.collect.columns import as_text, need_columns
from safercities.collect.coordinates import coordinates
from safercities.collect.faults import Ledger
from safercities.collect.incidents import reject_duplicates
from safercities.collect.interviews import read_interviews
from safercities.collect.margins import check_margins
from safercities.collect.read import read_table
from safercities.collect.records import Collected, DimensionInfo
from safercities.collect.survey_spec import SurveySpec
from safercities.collect.units import check_certain, check_sizes, check_units, read_certain, read_sizes, read_units
from safercities.collect.weights import note_sum, read_replicates, read_weights


def collect_survey(name: str, spec: SurveySpec, base: Path) -> Collected:
    """Read a survey.

    Parameters
    ----------
    name
        Name of the source in observatory.toml.
    spec
        What observatory.toml says of it.
    base
        The observatory folder.

    Returns
    -------
    Collected
        One record a respondent: `row`, `when` (first day of the interview period), `period` (ISO 8601), `weight`
        (> 0), `stratum`, `psu`, `unit_2`, … (text, unique over the whole survey), `fpc_1`, …, `certain`, `rep_1`, …
        as far as the survey has them, `x`, `y`, one column a dimension, `code_<level>`, and for each variable
        `answer_<role>` (1, 0 or the number; null without a usable answer) with `asked_<role>` where not all were
        asked. A respondent without weight, stratum or sampling unit is rejected; one without an answer is not.

    Raises
    ------
    SafercitiesError
        If the file cannot be read or lacks a column, a PSU stands in two strata, population sizes differ within a
        stratum, a replicate weight is no number, or an answer is missing that must not be.

    Examples
    --------
    >>> import tempfile
    >>> spec = SurveySpec(kind="survey", file="s.csv", period=2023, weight="w", strata="h", psu="c",
    ...                   dimensions={"sex": {"column": "sex"}},
    ...                   variables={"victim_physical_12m": {"column": "p1", "yes": [1], "no": [2]}})
    >>> text = "w,h,c,sex,p1\\n1.5,N,1,F,1\\n2,N,2,M,2\\n,S,3,F,1\\n1,S,4,F,\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "s.csv").write_text(text, encoding="utf-8")
    ...     got = collect_survey("victims", spec, Path(folder))
    >>> got.table.column("answer_victim_physical_12m").to_pylist(), got.table.column("weight").to_pylist()
    ([1.0, 0.0, None], [1.5, 2.0, 1.0])
    >>> got.rejects.column("code").to_pylist()
    ['weight-missing']
    """
    raw = read_table(spec, base)
    need_columns(raw, needed(spec))
    ledger = Ledger(raw)
    interviews = read_interviews(ledger, spec)
    weights = read_weights(ledger, spec.weight, spec.decimal)
    units, sizes = read_units(ledger, spec), read_sizes(ledger, spec)
    reject_duplicates(ledger, spec.id)
    certain = read_certain(ledger, spec)
    check_units(ledger, spec, units)
    check_sizes(ledger, spec, units, sizes)
    check_certain(ledger, spec, units, certain)
    columns: dict[str, Any] = {"row": pa.array(raw.rows), "when": interviews.when, "period": interviews.period}
    columns |= {"weight": weights, **units, **sizes}
    columns |= {} if certain is None else {"certain": certain}
    columns |= _replicates(ledger, spec)
    more, infos, crs = described(ledger, spec)
    columns |= more
    answers = read_answers(ledger, spec.variables, spec.decimal)
    check_margins(ledger, spec, columns, answers)
    columns |= _answers(answers)
    note_sum(ledger, spec.weight, weights, interviews.period)
    return Collected(
        source=name,
        kind="survey",
        file=spec.file,
        table=pa.table(columns).filter(pa.array(~ledger.rejected)).combine_chunks(),
        rejects=ledger.rejects(),
        problems=tuple(ledger.problems),
        rows_read=raw.rows_read,
        unit=spec.unit_of_count,
        crs=crs,
        precision=interviews.precision,
        dimensions=tuple(infos),
        label=spec.label or name,
    )


def needed(spec: SurveySpec) -> list[str]:
    """Columns that the survey needs, except replicate weights found by their prefix."""
    coded = [*spec.dimensions.values(), *spec.variables.values(), spec.period_column, spec.certainty]
    single = [spec.id, spec.weight, spec.strata, spec.psu, *spec.stages, *spec.fpc, spec.longitude, spec.latitude]
    several = spec.replicates.columns or [] if spec.replicates is not None else []
    wanted = [*single, *(how.column for how in coded if how is not None), *spec.places.values(), *several]
    return [column for column in wanted if isinstance(column, str)]


def described(ledger: Ledger, spec: Any) -> tuple[dict[str, Any], list[DimensionInfo], str | None]:
    """Coordinates, breakdowns and codes of places, as every kind of record has them; and the reference system.

    Parameters
    ----------
    spec
        A `SurveySpec` or `AuditsSpec`.
    """
    where = coordinates(ledger, spec)
    columns: dict[str, Any] = {"x": pa.array(where.x, mask=~where.known), "y": pa.array(where.y, mask=~where.known)}
    infos: list[DimensionInfo] = []
    for dimension, how in spec.dimensions.items():
        columns[dimension], info = code_dimension(ledger, dimension, how, spec.decimal)
        infos.append(info)
    for level, column in spec.places.items():
        columns[f"code_{level}"] = as_text(ledger.raw.table.column(column))
    return columns, infos, where.crs


def _replicates(ledger: Ledger, spec: SurveySpec) -> dict[str, Any]:
    if spec.replicates is None:
        return {}
    weights = read_replicates(ledger, spec.replicates, spec.weight, spec.decimal)
    return {f"rep_{number}": values for number, values in enumerate(weights, start=1)}


def _answers(answers: dict[str, Answer]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for role, answer in answers.items():
        columns[f"answer_{role}"] = pa.array(answer.values, mask=np.isnan(answer.values))
        if answer.asked is not None:
            columns[f"asked_{role}"] = pa.array(answer.asked)
    return columns
