"""How a file would be read: its first rows beside what they become, what is wrong with each, and how many are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from django.utils.translation import gettext as _

from safercities.collect.columns import as_text
from safercities.collect.file_spec import FileSpec
from safercities.collect.records import Collected, RawTable
from safercities.config import FILE, ObservatorySpec
from safercities.hub import texts
from safercities.hub.workbench.masked import masked
from safercities.hub.workbench.sampling import sampled
from safercities.model.errors import Problem, SafercitiesError, Severity
from safercities.model.printable import one_line

#: Rows that are shown, and characters of a cell.
ROWS, CELL = 50, 80


@dataclass(frozen=True)
class Told:
    """A problem in words: where, what, what to do."""

    severity: str
    where: str
    what: str
    todo: str
    rows: int = 1
    key: str = ""
    row: int | None = None
    english: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the file: its cells, what they became, and why not where it was left out."""

    number: int
    cells: Sequence[str]
    values: Sequence[str]
    kept: bool
    why: Sequence[Told]


@dataclass(frozen=True)
class Preview:
    """What the page shows."""

    columns: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Row] = ()
    read: int = 0
    kept: int = 0
    whole: bool = True
    problems: Sequence[Told] = ()
    used: frozenset[str] = field(default=frozenset())

    @property
    def rejected(self) -> int:
        """Rows that are left out: never more or less than those that are not kept."""
        return self.read - self.kept


def preview(folder: Path, spec: ObservatorySpec, name: str, file: str, raw: RawTable | None = None) -> Preview:
    """Read a source as `spec` says.

    Parameters
    ----------
    file
        Name of its file as people know it.
    raw
        What `sampled` gives of the file, where it was read already.

    Raises
    ------
    TooLargeError
        If only the check can read it.
    SafercitiesError
        If the file as a whole cannot be used.
    """
    from safercities.collect.read import read_table
    from safercities.inputs import Inputs

    source = spec.sources[name]
    assert isinstance(source, FileSpec)  # noqa: S101 - releases of others have a page of their own
    with sampled(source, folder) as (part, base, whole):
        try:
            raw = raw or read_table(part, base)
            inputs = Inputs(base, spec.model_copy(update={"sources": {name: part}}))
            collected = inputs.collect(name)
        except SafercitiesError as error:
            raise SafercitiesError(
                replace(one, file=file) if one.file == part.file else one for one in error.problems
            ) from None
        return _shown(raw, collected, file, whole)


def _shown(raw: RawTable, collected: Collected, file: str, whole: bool) -> Preview:
    problems = [tell(one, file) for one in collected.problems]
    read = _by_row(collected)
    rejected = _rejected(collected, file)
    numbers = sorted({*raw.rows[:ROWS].tolist(), *(number for number in rejected if number <= _last(raw))})[:ROWS]
    cells = {int(number): at for at, number in enumerate(raw.rows[:ROWS])}
    heads = [name for name in collected.table.column_names if name not in ("row", "n") or _counts(collected)]
    heads = [name for name in heads if name != "row"]
    texts = [_texts(raw.table.column(name).slice(0, ROWS)) for name in raw.table.column_names]
    rows = []
    for number in numbers:
        at, found = cells.get(number), read.get(number)
        rows.append(
            Row(
                number,
                [column[at] for column in texts] if at is not None else [""] * len(texts),
                [_value(found.get(name)) for name in heads] if found else [],
                number in read,
                [*rejected.get(number, ()), *(one for one in problems if one.row == number and number in read)],
            )
        )
    names = [one_line(name) for name in raw.table.column_names]
    titles = [head_of(name) for name in heads]
    return Preview(names, titles, rows, collected.rows_read, collected.table.num_rows, whole, problems)


def _last(raw: RawTable) -> int:
    return int(raw.rows[:ROWS][-1]) if len(raw.rows) else 0


def _counts(collected: Collected) -> bool:
    """Whether rows stand for more than one case each, or for people."""
    table = collected.table
    return collected.kind == "population" or ("n" in table.column_names and pc.any(pc.not_equal(table["n"], 1)).as_py())


def _by_row(collected: Collected) -> dict[int, dict[str, Any]]:
    table = collected.table
    first = table.slice(0, ROWS).to_pylist() if table.num_rows else []
    return {int(one["row"]): one for one in first}


def _rejected(collected: Collected, file: str) -> dict[int, list[Told]]:
    """Row → why it was left out. Rejects hold the English sentence: the problem that it is of says it otherwise."""
    found: dict[int, list[Told]] = {}
    known = {(one.code, one.what): one for one in collected.problems}
    for one in collected.rejects.slice(0, 4 * ROWS).to_pylist():
        where, why = one_line(str(one["column"])), one_line(str(one["why"]))
        source = known.get((one["code"], why))
        words = tell(source, file) if source else Told("error", "", why, "", english=not texts.is_english())
        found.setdefault(int(one["row"]), []).append(replace(words, severity="error", where=where, todo="", rows=1))
    return found


def _texts(column: Any) -> list[str]:
    return [_short(text) for text in as_text(column).to_pylist()]


def _short(text: str | None) -> str:
    line = one_line(text or "")
    return line if len(line) <= CELL else line[: CELL - 1] + "…"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.10g}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ")).removesuffix(" 00:00:00")
    return _short("?" if value == "_U" else str(value))


def head_of(name: str) -> str:
    """What a column of the records is called on the page."""
    words: Mapping[str, str] = {
        "when": _("Date"),
        "period": _("Period"),
        "act": _("Act"),
        "n": _("How many"),
        "x": _("Longitude"),
        "y": _("Latitude"),
        "weight": _("Weight"),
        "place": _("Place"),
        "sex": _("Sex"),
        "age": _("Age"),
        "walk": _("Walk"),
        "stratum": _("Stratum"),
        "psu": _("Sampling unit"),
    }
    for prefix in ("code_", "answer_", "rating_"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return words.get(name, name)


def tell(one: Problem, file: str | None = None, *, whole: bool = True) -> Told:
    """A problem for the page.

    Parameters
    ----------
    file
        The name that people know its file by.
    whole
        Whether the reader may see rows: for others, what stands in cells is hidden.
    """
    settings = one.file == FILE
    known = replace(one, file=file) if file is not None and not settings else one
    told = texts.kept(known) if whole else masked(texts.kept(known))
    known = replace(known, column=told["column"])
    key = (known.column or "") if settings else ""  # a column of the data may have the name of a key
    words = texts.said(told)
    return Told(str(one.severity), known.where, words.what, words.todo, one.rows, key, one.row, words.english)


def worst_first(problems: Iterable[Told]) -> list[Told]:
    """Errors, then warnings, then notes."""
    order = [str(kind) for kind in Severity]
    return sorted(problems, key=lambda one: order.index(one.severity))
