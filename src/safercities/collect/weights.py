"""Weights of respondents: numbers above zero or the row is rejected; replicate weights or the file is refused."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from safercities.collect.answers import Listing
from safercities.collect.columns import Bools, Floats, encode
from safercities.collect.faults import LISTED, Ledger, shown
from safercities.collect.survey_spec import ReplicatesFrom
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.sampling.spec import MOST

#: From so many rows on, a weight that is the sum of all others is a row of totals and not chance.
_ENOUGH = 10
#: Interview periods whose weights are added up one by one; of more, as where each row has its day, all together.
_WAVES = 12


def read_weights(ledger: Ledger, weight: str | float, decimal: str) -> Floats:
    """Weight of each row, NaN where the row is rejected for it: missing, no number, or negative.

    A weight of 0 is kept: the row counts for nothing, but the unit that it was drawn in belongs to the sample.

    Parameters
    ----------
    weight
        Column with the weights, or the one weight of every row.
    decimal
        Decimal mark of numbers in text. A mark for thousands is not read: `1.234` could be either.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from safercities.collect.records import RawTable
    >>> ledger = Ledger(RawTable("s.csv", pa.table({"w": ["2.5", "-1", "NA", "0"]}), np.array([2, 3, 4, 5])))
    >>> read_weights(ledger, "w", ".").tolist()
    [2.5, nan, nan, 0.0]
    >>> ledger.rejects().column("code").to_pylist()
    ['weight-negative', 'weight-missing']
    """
    if not isinstance(weight, str):
        return np.full(ledger.raw.table.num_rows, float(weight))
    listing = Listing(ledger.raw.table.column(weight), decimal)
    numbers, encoded = listing.numbers, listing.encoded
    wrong = ~np.isfinite(numbers)
    ledger.reject("weight-missing", encoded.empty, weight)
    ledger.reject("weight-unreadable", encoded.take(wrong, False), weight, encoded, decimal=decimal)
    ledger.reject("weight-negative", encoded.take(numbers < 0, False), weight, encoded)
    size = (numbers > MOST) | ((numbers > 0) & (numbers < 1 / MOST))
    ledger.reject("weight-size", encoded.take(size & ~wrong, False), weight, encoded)
    ledger.note("weight-zero", encoded.take(numbers == 0, False), weight)
    weights = encoded.take(np.where(~wrong & ~size & (numbers >= 0), numbers, np.nan), np.nan)
    _reject_total(ledger, weight, weights)
    return weights


def _reject_total(ledger: Ledger, column: str, weights: Floats) -> None:
    """Reject a row whose weight is the sum of all others: a total below the table, not a respondent."""
    usable = weights[~np.isnan(weights)]
    if len(usable) < _ENOUGH:
        return
    biggest = usable.max()
    if np.isclose(biggest, usable.sum() - biggest, rtol=1e-9, atol=0):
        ledger.reject("weight-total", np.asarray(weights == biggest), column)


def note_sum(ledger: Ledger, weight: str | float, weights: Floats, periods: pa.Array) -> None:
    """Say what the weights of each interview period add up to: a reader knows whether that is the population."""
    kept = ~ledger.rejected
    column = weight if isinstance(weight, str) else None
    encoded = encode(periods)
    seen = np.unique(encoded.index[kept]).tolist()
    waves = [(encoded.values[at].as_py(), kept & (encoded.index == at)) for at in seen[: _WAVES + 1]]
    for period, where in waves if len(waves) <= _WAVES else [("all periods together", kept)]:
        total = f"{weights[where].sum():,.0f}".replace(",", "\u202f")
        ledger.note("weights-sum", where, column, total=total, period=period)


def replicate_columns(spec: ReplicatesFrom, names: list[str], weight: str | float) -> list[str]:
    """Columns of the replicate weights, in their own order: rw2 comes before rw10.

    With a prefix, the rest of the name is a number; the column of the weight itself is none of them.
    """
    if spec.columns is not None:
        return spec.columns
    pattern = re.compile(re.escape(spec.prefix or "") + r"[_.-]?(\d+)")
    found = {name: int(match[1]) for name in names if name != weight and (match := pattern.fullmatch(name))}
    return sorted(found, key=lambda name: (found[name], name))


def read_replicates(ledger: Ledger, spec: ReplicatesFrom, weight: str | float, decimal: str) -> list[Floats]:
    """The replicate weights; shape (rows,) each. Rejected rows may hold anything.

    Raises
    ------
    SafercitiesError
        If there are fewer than two columns, their number is not that of `rscales`, or a weight is missing, no number
        or negative.
    """
    names = replicate_columns(spec, ledger.raw.table.column_names, weight)
    file, column = ledger.raw.file, spec.prefix
    if len(names) < 2:
        raise SafercitiesError(problem("replicates-none", file=file, column=column, prefix=column, found=len(names)))
    if spec.rscales is not None and len(spec.rscales) != len(names):
        details = {"found": len(names), "given": len(spec.rscales)}
        raise SafercitiesError(problem("replicates-rscales", file=file, column=column, **details))
    _note_gaps(ledger, spec, names)
    found: list[Problem] = []
    columns = []
    for name in names:
        listing = Listing(ledger.raw.table.column(name), decimal)
        usable = np.isfinite(listing.numbers) & (listing.numbers >= 0)
        columns.append(listing.encoded.take(np.where(usable, listing.numbers, np.nan), np.nan))
        found.extend(_wrong(ledger, name, listing, listing.encoded.take(~usable, True) & ~ledger.rejected))
    if found:
        raise SafercitiesError(found[:LISTED])
    return columns


def _wrong(ledger: Ledger, name: str, listing: Listing, where: Bools) -> list[Problem]:
    rows = np.flatnonzero(where)
    if not len(rows):
        return []
    value = listing.texts[int(listing.encoded.index[rows[0]])].as_py() if listing.encoded.index[rows[0]] >= 0 else ""
    row, text = int(ledger.raw.rows[rows[0]]), shown(value) if value else "an empty cell"
    return [problem("replicate-wrong", file=ledger.raw.file, row=row, column=name, rows=len(rows), value=text)]


def _note_gaps(ledger: Ledger, spec: ReplicatesFrom, names: list[str]) -> None:
    """A number that is left out of the row of replicates is often a column that was left out of the file."""
    if spec.prefix is None:
        return
    numbers = [int(re.findall(r"\d+$", name)[0]) for name in names]
    lacking = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))
    if lacking:
        listed = ", ".join(map(str, lacking[:10])) + (", …" if len(lacking) > 10 else "")
        made = problem("replicates-gap", file=ledger.raw.file, column=spec.prefix, prefix=spec.prefix, listed=listed)
        ledger.problems.append(made)
