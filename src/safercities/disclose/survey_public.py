"""Rows of protected survey estimates as the public sees them: what is free, and nothing of what is withheld."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from safercities.disclose.digits import bands
from safercities.disclose.survey_rows import Table
from safercities.model.estimates import Estimates
from safercities.model.flags import BIT, bits, words

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Texts = list[str | None]

#: Flags that say how a survey was taken, not how a domain came out.
PLAIN_FLAGS = (
    *("partial_period", "population_interpolated", "population_carried", "unknown_share", "unlocated_share"),
    *("rejected_share", "lonely_psu", "missing_answers", "part_of_acts"),
)
#: Coverage is shown rounded down to steps of this; that all is known is not said.
COVERAGE_STEP = 0.05
#: Of fewer respondents the share of known answers would tell how many they are.
ENOUGH_FOR_COVERAGE = 10
#: The note on whose answers these are is about the whole wave.
WHOSE = "of those who were asked"
#: SDMX CL_OBS_STATUS: missing value; suppressed.
SUPPRESSED = "Q"


def public(estimates: Estimates, table: Table, columns: Mapping[str, Floats], free: Mask) -> Estimates:
    """The estimates with the columns as shown; of rows that are not free only the keys, unit and method are left.

    Parameters
    ----------
    columns
        value, se, lower, upper, denominator, df as shown, NaN where withheld; shape (rows,).
    free
        Rows that are published.
    """
    given, size = estimates.table, len(estimates)
    verdicts = _verdicts(given.column("scheme").to_pylist(), table, columns, free)
    known = np.asarray(given.column("coverage").to_numpy(), dtype=np.float64)
    steps = np.floor(np.nan_to_num(known) / COVERAGE_STEP + 1e-9) * COVERAGE_STEP
    covered = np.round(np.minimum(steps, 1 - COVERAGE_STEP), 2)
    flags = bits([flag or "" for flag in given.column("quality").to_pylist()])
    plain = sum(BIT[flag] for flag in PLAIN_FLAGS)
    status = [
        ("U" if one == "warn" else "A") if shown else SUPPRESSED for one, shown in zip(verdicts, free, strict=True)
    ]
    notes = [WHOSE if WHOSE in (text or "") else None for text in given.column("note").to_pylist()]
    made: dict[str, pa.Array] = {name: pa.array(values, mask=np.isnan(values)) for name, values in columns.items()}
    made |= {
        "n": pa.array(bands(np.maximum(table.n, 0))[0], mask=~free),
        "n_positive": pa.nulls(size, pa.int64()),
        "deff": pa.nulls(size, pa.float64()),
        "level": pa.array(table.level, mask=~free | np.isnan(table.level)),
        "coverage": pa.array(covered, mask=~free | np.isnan(known) | (table.n < ENOUGH_FOR_COVERAGE)),
        "quality": pa.array(words(np.where(free, flags & plain, 0)), mask=~free),
        "conf_status": pa.array(np.where(free, "F", "N").tolist(), pa.string()),
        "obs_status": pa.array(status, pa.string()),
        "verdict": pa.array(verdicts, pa.string()),
        "note": _only(notes, free),
        "scheme": _only(given.column("scheme").to_pylist(), free),
    }
    return Estimates(
        pa.table([made.get(name, given.column(name)) for name in given.column_names], names=given.column_names)
    )


def _only(texts: Texts, free: Mask) -> pa.Array:
    return pa.array([text if shown else None for text, shown in zip(texts, free, strict=True)], pa.string())


def _verdicts(schemes: Texts, table: Table, columns: Mapping[str, Floats], free: Mask) -> Texts:
    """What publication rules say of the figures as shown: publish or warn. Of the true ones they would tell more.

    Numbers of people go by what the rules say of their share.
    """
    from safercities.sampling.publication import Facts, judge

    said: dict[int, str | None] = {}
    for scheme, kind in sorted({(schemes[at] or "", str(table.kind[at])) for at in np.flatnonzero(free).tolist()}):
        rows = [at for at in np.flatnonzero(free).tolist() if (schemes[at] or "") == scheme and table.kind[at] == kind]
        if not scheme:
            continue
        at = np.array([row for row in rows if table.method[row] != "total"], dtype=np.int64)
        value, se, low, high = (columns[name][at] / table.per[at] for name in ("value", "se", "lower", "upper"))
        n = bands(np.maximum(table.n[at], 0))[0].astype(float)
        effective = np.minimum(value * (1 - value) / se**2, n) if kind == "share" else n
        spoken = {"share": "proportion", "incidence": "rate"}.get(kind, "mean")
        unknown = np.full(len(at), np.nan)
        cases = unknown if kind == "number" else np.ceil(value * n)
        facts = Facts(spoken, value, se, low, high, n, cases, effective, columns["df"][at], unknown)
        verdicts = judge(scheme, facts).verdict.tolist()
        said |= dict(
            zip(at.tolist(), ("publish" if one == "publish" else one and "warn" for one in verdicts), strict=True)
        )
    for one in table.domains:
        said |= {at: said.get(one.row) for at in one.totals if free[at]}
    return [said.get(at) for at in range(len(schemes))]
