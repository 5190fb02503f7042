"""The estimates of a release as SDMX-CSV 2.0, and back: what is read equals what was written, to the last bit."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from safercities.files import as_text
from safercities.model.errors import SafercitiesError, problem
from safercities.model.estimates import KEYS, schema
from safercities.release.content import SECRET, Content
from safercities.release.sdmx_names import (
    Component,
    agency,
    code_id,
    code_text,
    components,
    dimensions_of,
    flow_id,
    is_flow,
    period_of,
    time_period,
)

#: Columns before those of the data structure, which SDMX-CSV 2.0 asks for.
ENVELOPE = ("STRUCTURE", "STRUCTURE_ID", "ACTION")
ACTION = "I"  # information: a release is read, it does not change somebody's database by itself
#: SDMX CL_OBS_STATUS, version 2.2: code → label.
OBS_STATUS = {
    "A": "Normal value",
    "B": "Time series break",
    "D": "Definition differs",
    "E": "Estimated value",
    "F": "Forecast value",
    "G": "Experimental value",
    "I": "Imputed value",
    "O": "Missing value",
    "M": "Missing value; data cannot exist",
    "P": "Provisional value",
    "S": "Strike and other special events",
    "L": "Missing value; data exist but were not collected",
    "H": "Missing value; holiday or weekend",
    "Q": "Missing value; suppressed",
    "J": "Derogation",
    "K": "Data included in another category",
    "N": "Not significant",
    "U": "Low reliability",
    "V": "Unvalidated value",
    "W": "Includes data from another category",
}
#: The two codes of SDMX CL_CONF_STATUS that a release has: it does not tell primary from secondary confidentiality.
CONF_STATUS = {"F": "Free (free for publication)", "N": "Not for publication, restricted for internal use only"}
#: The status that every withheld estimate should have, whatever it would have without.
WITHHELD = "Q"
MOST_BYTES = 512 * 2**20
_BATCH = 50_000
_LONGEST_HEADER = 65_536


def write_data(content: Content, path: Path) -> None:
    """Write the estimates as SDMX-CSV 2.0 (UTF-8, comma, one line an estimate), in the order of their keys.

    Nothing in the file begins as a formula: codes are written as ids of SDMX, texts with a quote mark before them.

    Raises
    ------
    SafercitiesError
        If an estimate lacks a key or shares it with another one, if a withheld one still tells something, or if a
        period or a status is none. (UsageError for a dimension or period that SDMX could not give back.)

    Source: SDMX Technical Working Group, "SDMX-CSV 2.0 field guide".
    """
    table = content.estimates.sort().table
    columns = components(content.estimates.dimensions)
    check(table, str(path.name))
    before = ("dataflow", flow_id(agency(content)), ACTION)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow([*ENVELOPE, *(one.id for one in columns)])
        for first in range(0, table.num_rows, _BATCH):
            part = table.slice(first, _BATCH)
            lists = [written(part, one) for one in columns]
            writer.writerows([*before, *row] for row in zip(*lists, strict=True))


def check(table: pa.Table, file: str) -> None:
    """Refuse estimates that a release must not hold: without or with the same key, or withheld and yet told.

    Raises
    ------
    SafercitiesError
        Naming the first of these.
    """
    for name in ("indicator", "place", "period"):
        if table.column(name).null_count:
            raise SafercitiesError(problem("sdmx-key-missing", file=file, name=name))
    _check_statuses(table, file)
    withheld = table.filter(pc.equal(table.column("conf_status"), "N"))
    for name in SECRET:
        if withheld.column(name).null_count < withheld.num_rows:
            raise SafercitiesError(problem("sdmx-not-withheld", file=file, name=name))
    statuses = pc.unique(withheld.column("obs_status")).to_pylist()
    if len(statuses) > 1:
        raise SafercitiesError(problem("sdmx-statuses", file=file, given=", ".join(sorted(map(str, statuses)))))
    keys = [name for name in table.column_names if name in _key_columns(table)]
    twins = table.num_rows - table.group_by(keys).aggregate([([], "count_all")]).num_rows
    if twins:
        raise SafercitiesError(problem("sdmx-key-twice", file=file, given=twins))


def _key_columns(table: pa.Table) -> set[str]:
    known = {field.name for field in schema()} - {name for name, _ in KEYS}
    return set(table.column_names) - known | {"source", "unit", "method"}


def _check_statuses(table: pa.Table, file: str) -> None:
    known = ", ".join(OBS_STATUS)
    found = {name: set(pc.unique(table.column(name)).to_pylist()) for name in ("conf_status", "obs_status")}
    wrong = [*(found["conf_status"] - set(CONF_STATUS)), *(found["obs_status"] - {*OBS_STATUS, None})]
    if wrong:
        raise SafercitiesError(problem("sdmx-status", file=file, given=wrong[0], known=known))


# ------------------------------------------------------------------------------------------------------------- writing


def written(table: pa.Table, one: Component) -> list[str]:
    """The column's cells as text."""
    if one.id == "FREQ":
        return each_text(table.column("period"), lambda period: time_period(str(period))[0])
    column = table.column(one.column)
    if pa.types.is_floating(column.type):
        return numbers(column)
    if pa.types.is_integer(column.type):
        return ["" if number is None else str(number) for number in column.to_pylist()]
    return each_text(column, _writer(one))


def _writer(one: Component) -> Callable[[str | None], str]:
    if one.id == "TIME_PERIOD":
        return lambda period: time_period(str(period))[1]
    if one.coded and one.role == "dimension":
        return lambda text: code_id(text, one.id)
    if one.coded:
        return lambda text: "" if text is None else code_id(text)
    return lambda text: _escaped(text, one.column)


def each_text(column: pa.ChunkedArray, write: Callable[[str | None], str]) -> list[str]:
    """The texts of a column, each distinct one written once."""
    texts = column.to_pylist()
    known = {text: write(text) for text in set(texts)}
    return [known[text] for text in texts]


def numbers(column: pa.ChunkedArray) -> list[str]:
    """The shortest decimals that are read back as the same float64; `NaN` and `INF` as XML Schema writes them."""
    special = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}
    texts = ("" if number is None else repr(number) for number in column.to_pylist())
    return [special.get(text, text) for text in texts]


#: Text that would break a line, hide, or turn the reading order; and the mark that says it was written otherwise.
_UNSEEN = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {short: letter for letter, short in _SHORT.items()}
_ESCAPE = re.compile(r"\\(?:[\\nrt]|u[0-9a-f]{4})")
_NULL, _EMPTY = "\\N", "\\e"
_LIKE_NUMBER = re.compile(
    r"[+-]?(([0-9][0-9_.,]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|infinity|nan)|true|false", re.IGNORECASE
)


def _escaped(text: str | None, column: str) -> str:
    r"""A text on one line, which begins as no formula and no number, and from which the text can be had again.

    Examples
    --------
    >>> [_escaped(text, "note") for text in ("a\nb", "=1+1", "'", "", None)]
    ['a\\nb', "'=1+1", "''", '\\e', '']
    """
    if text is None or text == "":  # most estimates have no flag of quality, and it is "" then; and no note: null
        natural = text is None if column != "quality" else text == ""
        return "" if natural else _NULL if text is None else _EMPTY
    made = _UNSEEN.sub(lambda match: _SHORT.get(match[0], f"\\u{ord(match[0]):04x}"), text)
    return f"'{made}" if made.startswith("'") or _LIKE_NUMBER.fullmatch(made) else as_text(made)


def _unescaped(text: str, column: str) -> str | None:
    """The text that was written so.

    Raises
    ------
    ValueError
        If no text is.
    """
    if text in ("", _NULL, _EMPTY):
        made = "" if (text == "") == (column == "quality") and text != _NULL else None
    else:
        plain = text.removeprefix("'")
        made = _ESCAPE.sub(lambda match: _LONG.get(match[0]) or chr(int(match[0][2:], 16)), plain)
    if _escaped(made, column) != text:
        raise ValueError("a text is not written as a release writes it")
    return made


# ------------------------------------------------------------------------------------------------------------- reading


def read_data(given: Path | bytes, file: str = "data.csv", *, most: int = MOST_BYTES) -> pa.Table:
    """Read estimates that `write_data` wrote; the columns and types are those of `model.estimates`.

    Parameters are those of `bounded`.

    Raises
    ------
    SafercitiesError
        If it is larger, or anything in it is not as a release writes it, or must not be in one.
    """
    data = bounded(given, file, most)
    names, columns = _header(data, file)
    raw = _raw(data, [*ENVELOPE, *(one.id for one in columns)], file)
    _check_envelope(raw, file)
    target = schema(names)
    read = {one.column: _read(raw.column(one.id), one, target, file) for one in columns if one.column}
    table = pa.table([read[field.name] for field in target], schema=target)
    if raw.column("FREQ").to_pylist() != written(table, columns[0]):
        raise _unreadable(file, "the frequency is not that of the time period", column="FREQ")
    check(table, file)
    return table


def bounded(given: Path | bytes, file: str, most: int) -> bytes:
    """The bytes of a file, if they are no more than `most`.

    Parameters
    ----------
    given
        The file, or what is in it.
    file
        Name shown in problems.
    most
        How large it may be, in bytes.

    Raises
    ------
    SafercitiesError
        If they are more.
    """
    data = given
    if isinstance(data, Path):
        with data.open("rb") as handle:
            data = handle.read(most + 1)
    if len(data) > most:
        raise SafercitiesError(problem("sdmx-too-large", file=file, most=most))
    return data


def _header(data: bytes, file: str) -> tuple[list[str], tuple[Component, ...]]:
    """The dimensions' names and the columns, from the first line."""
    end = data.find(b"\n", 0, _LONGEST_HEADER)
    ids = data[: max(end, 0)].decode("utf-8", "replace").split(",")
    names = dimensions_of(ids[3:]) if tuple(ids[:3]) == ENVELOPE else None
    if names is None:
        raise _unreadable(file, "its columns are not those of the format", row=1)
    return names, components(names)


def _raw(data: bytes, ids: Sequence[str], file: str) -> pa.Table:
    """The cells as texts."""
    from pyarrow import csv as arrow_csv

    texts = dict.fromkeys(ids, pa.string())
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(block_size=2**24),
            convert_options=arrow_csv.ConvertOptions(column_types=texts, strings_can_be_null=False, check_utf8=True),
        )
    except pa.ArrowInvalid as error:
        raise _unreadable(file, str(error).splitlines()[0][:200]) from None


def _check_envelope(raw: pa.Table, file: str) -> None:
    found = [pc.unique(raw.column(name)).to_pylist() for name in ENVELOPE]
    if raw.num_rows and (found[0] != ["dataflow"] or found[2] != [ACTION]):
        raise _unreadable(file, "STRUCTURE and ACTION are not “dataflow” and “I”")
    if raw.num_rows and (len(found[1]) != 1 or not is_flow(str(found[1][0]))):
        raise _unreadable(file, "STRUCTURE_ID does not name one dataflow in this format", column="STRUCTURE_ID")


def _read(column: pa.ChunkedArray, one: Component, target: pa.Schema, file: str) -> pa.ChunkedArray:
    kind = target.field(one.column).type
    codes = column.combine_chunks().dictionary_encode() if column.num_chunks else pa.array([], pa.string())
    if not len(codes):
        return pa.chunked_array([pa.array([], kind)])
    try:
        values = pa.array(list(_values(codes.dictionary.to_pylist(), one, kind)), kind)
    except (ValueError, pa.ArrowInvalid, OverflowError) as error:
        raise _unreadable(file, str(error)[:200], column=one.id) from None
    return pa.chunked_array([values.take(codes.indices)])


def _values(texts: Sequence[str], one: Component, kind: pa.DataType) -> Iterator[Any]:
    """What the distinct texts of a column stand for."""
    if pa.types.is_string(kind):
        yield from map(_reader(one), texts)
        return
    form, make = (_WHOLE, int) if pa.types.is_integer(kind) else (_DECIMAL, _decimal)
    for text in texts:
        if text and not form.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is no number")
        yield make(text) if text else None


_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?[0-9]{1,25}(\.[0-9]{1,25})?(e[+-][0-9]{1,3})?|NaN|-?INF")


def _decimal(text: str) -> float:
    number = float(text)
    if repr(number) != text.replace("NaN", "nan").replace("INF", "inf"):
        raise ValueError(f"{text[:40]!r} is not how a number is written")
    return number


def _reader(one: Component) -> Callable[[str], str | None]:
    if one.id == "TIME_PERIOD":
        return period_of
    if one.coded and one.role == "dimension":
        return lambda text: code_text(text, one.id)
    if one.coded:
        return lambda text: code_text(text) if text else None
    return lambda text: _unescaped(text, one.column)


def _unreadable(file: str, why: str, row: int | None = None, column: str | None = None) -> SafercitiesError:
    return SafercitiesError(problem("sdmx-unreadable", file=file, row=row, column=column, why=why))
