"""Who was drawn with whom: strata, sampling units and population sizes of the respondents, checked before use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.answers import Listing
from safercities.collect.columns import Bools, Floats, Ints, encode
from safercities.collect.faults import LISTED, Ledger, shown
from safercities.collect.survey_spec import SurveySpec
from safercities.model.errors import Problem, SafercitiesError, problem

#: Between the ids of a unit and of what it lies in.
_INSIDE = " / "
#: PSUs in two strata that are named: where `nested` was forgotten it is most of them.
_EXAMPLES = 3


def read_ids(ledger: Ledger, column: str, code: str) -> pa.Array:
    """Ids of a column as text; rows without one are rejected with `code`."""
    listing = Listing(ledger.raw.table.column(column), ".")
    ledger.reject(code, listing.encoded.empty, column)
    index = listing.encoded.index
    return _flat(listing.texts).take(pa.array(index, mask=index < 0))


def _flat(texts: Any) -> pa.Array:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def inside(outer: pa.Array, inner: pa.Array) -> pa.Array:
    """Ids of units that are told apart within what they lie in only.

    Slashes in the ids are doubled, so that no two pairs become one id.

    Examples
    --------
    >>> inside(pa.array(["North", "South"]), pa.array(["1", "1"])).to_pylist()
    ['North / 1', 'South / 1']
    """
    parts = [pc.replace_substring(part, "/", "//") for part in (outer, inner)]
    return pc.binary_join_element_wise(*parts, _INSIDE)


def read_units(ledger: Ledger, spec: SurveySpec) -> dict[str, pa.Array]:
    """Columns `stratum`, `psu`, `unit_2`, …, as far as the survey has them.

    Rows without an id are rejected: they have no place in the design. Units of further stages are told apart within
    the unit before them.

    Raises
    ------
    SafercitiesError
        If a PSU stands in two strata.
    """
    columns: dict[str, pa.Array] = {}
    if spec.strata is not None:
        columns["stratum"] = read_ids(ledger, spec.strata, "stratum-missing")
    if spec.psu is None:
        return columns
    columns["psu"] = read_ids(ledger, spec.psu, "psu-missing")
    if spec.nested:
        columns["psu"] = inside(columns["stratum"], columns["psu"])
    unit = columns["psu"]
    for number, column in enumerate(spec.stages, start=2):
        unit = columns[f"unit_{number}"] = inside(unit, read_ids(ledger, column, "unit-missing"))
    return columns


def check_units(ledger: Ledger, spec: SurveySpec, columns: dict[str, pa.Array]) -> None:
    """Refuse a PSU that stands in two strata. Asked when all rows are known that will be kept.

    Raises
    ------
    SafercitiesError
        Naming up to three such PSUs, both strata, and the first row in each.
    """
    if spec.strata is None or spec.psu is None or spec.nested:
        return
    kept = np.flatnonzero(~ledger.rejected)
    differing = _differing(encode(columns["psu"]).index[kept], encode(columns["stratum"]).index[kept])
    if len(differing):
        pairs = kept[differing[:_EXAMPLES]].tolist()
        each = [f"{shown(columns['psu'][b].as_py())} in {_both(ledger, a, b, columns['stratum'])}" for a, b in pairs]
        examples = "; ".join([*each, *(["…"] if len(differing) > len(each) else [])])
        psus = "1 PSU lies" if len(differing) == 1 else f"{len(differing):,} PSUs lie"
        row = int(ledger.raw.rows[pairs[0][1]])
        raise SafercitiesError(
            problem("psu-two-strata", file=ledger.raw.file, row=row, column=spec.psu, value=examples, psus=psus)
        )


def _both(ledger: Ledger, one: int, other: int, values: pa.Array) -> str:
    """Two rows' values, each with its row."""
    rows = ledger.raw.rows
    return ", ".join(f"{shown(_plain(values[at].as_py()))} (row {int(rows[at])})" for at in (one, other))


def _plain(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _differing(groups: Ints, values: np.ndarray[Any, Any]) -> Ints:
    """Groups in which `values` differ: positions of the first row, and of the first that differs; shape (groups, 2)."""
    first = np.zeros(int(groups.max(initial=-1)) + 1, dtype=np.int64)
    first[groups[::-1]] = np.arange(len(groups))[::-1]  # written backwards: the first row is written last
    others = np.flatnonzero(values != values[first[groups]])
    _, earliest = np.unique(groups[others], return_index=True)
    found = np.sort(others[earliest])
    return np.stack([first[groups[found]], found], axis=1)


def read_sizes(ledger: Ledger, spec: SurveySpec) -> dict[str, Floats]:
    """Columns `fpc_1`, `fpc_2`, …: population sizes, or shares drawn; rows without a number above 0 are rejected."""
    columns = {}
    for number, column in enumerate(spec.fpc, start=1):
        listing = Listing(ledger.raw.table.column(column), spec.decimal)
        encoded, numbers = listing.encoded, listing.numbers
        wrong = ~(np.isfinite(numbers) & (numbers > 0))
        ledger.reject("fpc-missing", encoded.empty, column)
        ledger.reject("fpc-wrong", encoded.take(wrong, False), column, encoded, decimal=spec.decimal)
        columns[f"fpc_{number}"] = encoded.take(np.where(wrong, np.nan, numbers), np.nan)
    return columns


def check_sizes(ledger: Ledger, spec: SurveySpec, units: dict[str, pa.Array], sizes: dict[str, Floats]) -> None:
    """Refuse sizes that differ within what they are the size of: a stratum, or at later stages the unit before.

    Raises
    ------
    SafercitiesError
        Naming the stratum or unit and both sizes; or if a column mixes shares and sizes.
    """
    kept = np.flatnonzero(~ledger.rejected)
    found: list[Problem] = []
    for number, (name, column) in enumerate(zip(sizes, spec.fpc, strict=True), start=1):
        values = sizes[name][kept]
        if (values < 1).any() and (values > 1).any():
            share, size = kept[int(np.argmax(values < 1))], kept[int(np.argmax(values > 1))]
            details: dict[str, Any] = {"value": f"{sizes[name][share]:g}", "other": f"{sizes[name][size]:g}"}
            row, other = int(ledger.raw.rows[share]), int(ledger.raw.rows[size])
            found.append(problem("fpc-mixed", file=ledger.raw.file, row=row, column=column, second=other, **details))
        within = _within(units, number, ledger.raw.table.num_rows)
        found.extend(_size_differs(ledger, column, within, sizes[name], kept))
    if found:
        raise SafercitiesError(found[:LISTED])


def _within(units: dict[str, pa.Array], stage: int, rows: int) -> tuple[str, pa.Array]:
    """What the units of a stage were drawn from: its name and its id in each row."""
    name = {1: "stratum", 2: "psu"}.get(stage, f"unit_{stage - 1}")
    if name in units:
        return name, units[name]
    return "whole", pa.repeat(pa.scalar("sample", pa.string()), rows)


def _size_differs(
    ledger: Ledger, column: str, within: tuple[str, pa.Array], values: Floats, kept: Ints
) -> list[Problem]:
    kind, ids = within
    return [
        problem(
            "fpc-differs",
            file=ledger.raw.file,
            row=int(ledger.raw.rows[other]),
            column=column,
            value=f"{_KINDS.get(kind, kind.partition('_')[0])} {shown(ids[other].as_py())}",
            other=_both(ledger, one, other, pa.array(values)),
        )
        for one, other in kept[_differing(encode(ids).index[kept], values[kept])[:LISTED]].tolist()
    ]


_KINDS = {"psu": "PSU"}


def read_certain(ledger: Ledger, spec: SurveySpec) -> Bools | None:
    """Whether each row's PSU was taken for certain; None where nothing is said of it. An empty cell is no."""
    if spec.certainty is None:
        return None
    listing = Listing(ledger.raw.table.column(spec.certainty.column), spec.decimal, spec.certainty.yes)
    ledger.note("certainty-missing", listing.encoded.empty & ~ledger.rejected, spec.certainty.column)
    return np.asarray(listing.encoded.take(listing.among(spec.certainty.yes), False), dtype=bool)


def check_certain(ledger: Ledger, spec: SurveySpec, units: dict[str, pa.Array], certain: Bools | None) -> None:
    """Refuse a PSU that is certain in one row and not in another.

    Raises
    ------
    SafercitiesError
        Naming the PSU and both rows.
    """
    if certain is None or spec.certainty is None or "psu" not in units:
        return
    kept = np.flatnonzero(~ledger.rejected)
    differing = _differing(encode(units["psu"]).index[kept], certain[kept])
    if len(differing):
        raise SafercitiesError(
            problem(
                "certainty-differs",
                file=ledger.raw.file,
                row=int(ledger.raw.rows[other]),
                column=spec.certainty.column,
                value=shown(units["psu"][other].as_py()),
                first=int(ledger.raw.rows[one]),
            )
            for one, other in kept[differing[:LISTED]].tolist()
        )
