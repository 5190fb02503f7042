"""From a file of safety audits to records: dated, placed, rated by the rubric; every row kept or rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from safercities.collect.answers import Listing
from safercities.collect.audits_spec import HIGHEST, LOWEST, AuditsSpec, RatingFrom
from safercities.collect.columns import Floats, need_columns
from safercities.collect.faults import Ledger
from safercities.collect.incidents import read_when, reject_duplicates
from safercities.collect.read import read_table
from safercities.collect.records import Collected
from safercities.collect.survey import described
from safercities.collect.units import read_ids
from safercities.collect.weights import read_weights


def collect_audits(name: str, spec: AuditsSpec, base: Path) -> Collected:
    """Read a source of safety audits.

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
        One record a point: `row`, `when`, `walk` where the file has it, `weight` (> 0), `x`, `y`, one column a
        dimension, `code_<level>`, and `rating_<parameter>` (0, 1, 2, 3; null where not rated) for each parameter that
        is mapped. A row with a rating that is none is rejected: a slip must not become a score.

    Raises
    ------
    SafercitiesError
        If the file cannot be read or lacks a column, or its dates can be read two ways.

    Examples
    --------
    >>> import tempfile
    >>> spec = AuditsSpec(kind="audits", file="a.csv", when="day", walk="w", rubric={"lighting": "li", "people": "pe"})
    >>> text = "day,w,li,pe\\n2024-03-05,1,3,2\\n2024-03-05,1,,0\\n2024-03-05,2,4,1\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text(text, encoding="utf-8")
    ...     got = collect_audits("walks", spec, Path(folder))
    >>> got.table.column("rating_lighting").to_pylist(), got.rejects.column("code").to_pylist()
    ([3.0, None], ['rating-wrong'])
    """
    raw = read_table(spec, base)
    need_columns(raw, needed(spec))
    ledger = Ledger(raw)
    when, precision = read_when(ledger, spec)
    columns: dict[str, Any] = {"row": pa.array(raw.rows), "when": pa.array(when)}
    if spec.walk is not None:
        columns["walk"] = read_ids(ledger, spec.walk, "walk-missing")
    columns["weight"] = read_weights(ledger, spec.weight, spec.decimal)
    more, infos, crs = described(ledger, spec)
    columns |= more
    reject_duplicates(ledger, spec.id)
    ratings = {parameter: _ratings(ledger, parameter, how, spec.decimal) for parameter, how in _mapped(spec)}
    _look(ledger, spec, ratings)
    columns |= {f"rating_{parameter}": pa.array(v, mask=np.isnan(v)) for parameter, v in ratings.items()}
    return Collected(
        source=name,
        kind="audits",
        file=spec.file,
        table=pa.table(columns).filter(pa.array(~ledger.rejected)).combine_chunks(),
        rejects=ledger.rejects(),
        problems=tuple(ledger.problems),
        rows_read=raw.rows_read,
        unit=spec.unit_of_count,
        crs=crs,
        precision=precision,
        dimensions=tuple(infos),
        label=spec.label or name,
    )


def needed(spec: AuditsSpec) -> list[str]:
    """Columns that the audits need."""
    coded = [how.column for how in spec.dimensions.values()] + [how.column for how in spec.rubric.mapped.values()]
    single = [spec.when, spec.id, spec.walk, spec.weight, spec.longitude, spec.latitude]
    return [column for column in (*single, *coded, *spec.places.values()) if isinstance(column, str)]


def _mapped(spec: AuditsSpec) -> list[tuple[str, RatingFrom]]:
    return list(spec.rubric.mapped.items())


def _ratings(ledger: Ledger, parameter: str, how: RatingFrom, decimal: str) -> Floats:
    """Rating of each row, NaN where not rated; rows with a value that is no rating are rejected."""
    listing = Listing(ledger.raw.table.column(how.column), decimal, [*how.map, *how.unknown])
    steps = np.arange(LOWEST, HIGHEST + 1)
    values = np.where(np.isin(listing.numbers, steps), listing.numbers, np.nan)
    if how.map:  # then a value means what the map says, and nothing else
        values = np.full(len(values), np.nan)
        for value, rating in how.map.items():
            values[listing.among([value])] = rating
    unknown = listing.among(how.unknown)
    wrong = np.isnan(values) & ~unknown
    values[unknown] = np.nan
    encoded = listing.encoded
    ledger.reject("rating-wrong", encoded.take(wrong, False), how.column, encoded, parameter=parameter)
    return encoded.take(values, np.nan)


def _look(ledger: Ledger, spec: AuditsSpec, ratings: dict[str, Floats]) -> None:
    """Say which parameters and which points were not rated at all."""
    kept = ~ledger.rejected
    for parameter, how in _mapped(spec):
        if np.isnan(ratings[parameter][kept]).all():
            ledger.note("ratings-none", kept, how.column, parameter=parameter)
    unrated = np.all([np.isnan(values) for values in ratings.values()], axis=0)
    ledger.note("point-unrated", unrated & kept)
