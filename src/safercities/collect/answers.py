"""Answers of respondents: which of the file's values mean yes, no, a number, nothing known, or were never asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.columns import Bools, Encoded, Floats, as_text, encode, to_numbers
from safercities.collect.faults import LISTED, Ledger
from safercities.collect.file_spec import Scalar
from safercities.collect.survey_spec import VariableFrom
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.sampling.spec import MOST

#: From this share on a question's missing answers are said of it alone; estimates then carry a flag.
MANY = 0.05
#: Questions that a note on several of them names.
_NAMED = 5
#: What programs write into a text file where a cell is empty: R, pandas, SAS, Excel, SQL.
NOTHING = ("na", "<na>", "n/a", "#n/a", "nan", "null", ".")


@dataclass(frozen=True)
class Answer:
    """One variable of every row.

    Parameters
    ----------
    values
        1 yes, 0 no, or the number; NaN where there is no usable answer; shape (rows,).
    asked
        Whether the question was, or may have been, put to the respondent; None where everybody was asked.
    unsure
        Where that is not known: the answer that decides it is missing, and so is this one.
    """

    values: Floats
    asked: Bools | None = None
    unsure: Bools | None = None

    @property
    def missing(self) -> Bools:
        """Rows that should hold an answer, or may, and have none that can be used."""
        lacking = np.isnan(self.values)
        return lacking if self.asked is None else lacking & self.asked


class Listing:
    """A column by its distinct values, as text and as numbers, against which declared values are held.

    Values are compared as text without the spaces around them, and as numbers: 1, 1.0, "1" and (in a column of
    booleans) true are the same. The words in `NOTHING` are empty cells, unless they are declared.
    """

    def __init__(self, column: pa.Array | pa.ChunkedArray, decimal: str, declared: Iterable[Scalar] = ()) -> None:
        encoded = _encode(column)
        self.encoded = _without(encoded, _nothing(encoded.values, declared))
        self.numbers = to_numbers(encoded.values, decimal, thousands=False)
        self.used = np.zeros(len(encoded.values), dtype=bool)
        self.used[self.encoded.index[~self.encoded.empty]] = True

    @cached_property
    def texts(self) -> pa.Array:
        """Distinct values as text."""
        return as_text(self.encoded.values)

    def among(self, wanted: Iterable[Scalar]) -> Bools:
        """Which distinct values are among those wanted."""
        wanted = list(wanted)
        numbers = [float(value) for value in wanted if not isinstance(value, str)]
        found = _among(self.texts, wanted)
        return found | np.isin(self.numbers, numbers) if numbers else found


def _encode(column: pa.Array | pa.ChunkedArray) -> Encoded:
    """A column by its distinct values, booleans as 1 and 0. Numbers with a decimal part need no text for it."""
    if pa.types.is_boolean(column.type):
        return encode(column.cast(pa.int8()))
    if not pa.types.is_floating(column.type):
        return encode(column)
    numbers = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    there = ~np.isnan(numbers)
    values, inverse = np.unique(numbers[there], return_inverse=True)
    index = np.full(len(numbers), -1, dtype=np.int64)
    index[there] = inverse
    return Encoded(index, pa.array(values))


def _nothing(values: pa.Array, declared: Iterable[Scalar]) -> Bools:
    """Which distinct values are words for an empty cell, and not declared to mean anything."""
    if not pa.types.is_string(values.type):
        return np.zeros(len(values), dtype=bool)
    words = pc.is_in(pc.utf8_lower(values), pa.array(NOTHING)).to_numpy(zero_copy_only=False)
    return np.asarray(words, dtype=bool) & ~_among(values, declared)


def _without(encoded: Encoded, nothing: Bools) -> Encoded:
    """A column in which some of its values are empty cells."""
    if not nothing.any():
        return encoded
    return Encoded(encoded.take(np.where(nothing, -1, np.arange(len(nothing))), -1), encoded.values)


def _among(texts: pa.Array, wanted: Iterable[Scalar]) -> Bools:
    written = [as_text(pa.array([value])).to_pylist()[0] for value in wanted]
    found = pc.is_in(texts, pa.array([text for text in written if text is not None], pa.string()))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def read_answers(ledger: Ledger, variables: Mapping[str, VariableFrom], decimal: str) -> dict[str, Answer]:
    """Every variable of a survey.

    An empty cell and a value in `unknown` are missing. With `asked_if`, a missing answer of somebody who did not say
    yes there was not asked for: `not_asked` says what that means. An answer that the rules do not know is an error
    that names it, and counts as missing.

    Parameters
    ----------
    ledger
        The survey's ledger; rows that it has rejected say nothing here.
    variables
        Role → how it is read.
    decimal
        Decimal mark of numbers in text.

    Returns
    -------
    dict[str, Answer]
        By role.

    Raises
    ------
    SafercitiesError
        If an answer is missing where the variable says `missing = "fail"`.

    Examples
    --------
    >>> from safercities.collect.records import RawTable
    >>> raw = RawTable("s.csv", pa.table({"p1": ["1", "2", "88"], "p2": ["1", None, None]}), np.array([2, 3, 4]))
    >>> asked = {"victim": VariableFrom(column="p1", yes=[1], no=[2], unknown=[88]),
    ...          "reported": VariableFrom(column="p2", yes=[1], no=[2], asked_if="victim")}
    >>> got = read_answers(Ledger(raw), asked, ".")
    >>> got["victim"].values.tolist(), got["reported"].values.tolist(), got["reported"].asked.tolist()
    ([1.0, 0.0, nan], [1.0, nan, nan], [True, False, True])
    """
    answers: dict[str, Answer] = {}
    for role in _filters_first(variables):
        how = variables[role]
        values, missing = _read(ledger, role, how, decimal)
        answers[role] = _asked(ledger, role, how, values, missing, answers)
    _look(ledger, variables, answers)
    return {role: answers[role] for role in variables}


def _filters_first(variables: Mapping[str, VariableFrom]) -> list[str]:
    """Roles in an order in which each comes after the one that decides who was asked."""

    def depth(role: str) -> int:
        asked_if = variables[role].asked_if
        return 0 if asked_if is None else 1 + depth(asked_if)

    return sorted(variables, key=depth)


def _read(ledger: Ledger, role: str, how: VariableFrom, decimal: str) -> tuple[Floats, Bools]:
    """Value of each row, NaN without one; and where the cell says nothing (empty, or in `unknown`)."""
    declared = [*(how.yes or []), *(how.no or []), *how.unknown]
    listing = Listing(ledger.raw.table.column(how.column), decimal, declared)
    unknown = listing.among(how.unknown)
    said = listing.used & ~unknown
    values = _yes_no(ledger, role, how, listing, said) if how.yes else _number(ledger, role, how, listing, said)
    values[unknown] = np.nan
    encoded = listing.encoded
    return encoded.take(values, np.nan), encoded.take(unknown, True)


def _yes_no(ledger: Ledger, role: str, how: VariableFrom, listing: Listing, said: Bools) -> Floats:
    """1 or 0 of each distinct value."""
    yes = listing.among(how.yes or [])
    for value in how.yes or []:
        if ledger.raw.table.num_rows and not (listing.among([value]) & listing.used).any():
            made = problem("answer-yes-unused", file=ledger.raw.file, column=how.column, value=str(value), role=role)
            ledger.problems.append(made)
    if how.no is None:
        return np.where(yes, 1.0, 0.0)
    no = listing.among(how.no)
    _warn(ledger, "answer-unexpected", said & ~yes & ~no, how, listing, role=role)
    return np.where(yes, 1.0, np.where(no, 0.0, np.nan))


def _number(ledger: Ledger, role: str, how: VariableFrom, listing: Listing, said: Bools) -> Floats:
    """The number of each distinct value; with `between`, whether it lies there."""
    values = np.where(np.abs(listing.numbers) <= MOST, listing.numbers, np.nan)  # larger ones cannot be added
    _warn(ledger, "answer-unreadable", said & np.isnan(values), how, listing, role=role)
    if how.limits is not None:
        low, high = how.limits
        outside = said & ~np.isnan(values) & ~((values >= low) & (values <= high))
        _warn(ledger, "answer-outside", outside, how, listing, role=role, low=f"{low:g}", high=f"{high:g}")
        values[outside] = np.nan
    _warn_labelled(ledger, role, how, listing, said & ~np.isnan(values))
    if how.between is None:
        return values
    low, high = how.between
    return np.where(np.isnan(values), np.nan, ((values >= low) & (values <= high)).astype(np.float64))


def _warn_labelled(ledger: Ledger, role: str, how: VariableFrom, listing: Listing, usable: Bools) -> None:
    """In a column of numbers, a few that have labels (SPSS, Stata) are often codes for “don't know”."""
    labels = ledger.raw.labels.get(how.column, {})
    if labels:
        labelled = usable & _among(listing.texts, labels)
        if not (labelled == usable).all():  # where every number has a label, they are the steps of a scale
            _warn(ledger, "answer-labelled", labelled, how, listing, role=role)


def _warn(ledger: Ledger, code: str, which: Bools, how: VariableFrom, listing: Listing, **details: Any) -> None:
    """List distinct values of a column in rows that are not rejected."""
    where = listing.encoded.take(which, False) & ~ledger.rejected
    ledger.warn(code, where, how.column, listing.encoded, **details)


def _asked(
    ledger: Ledger, role: str, how: VariableFrom, values: Floats, missing: Bools, before: Mapping[str, Answer]
) -> Answer:
    """The answer with what is known of who was asked."""
    if how.asked_if is None:
        return Answer(values)
    deciding = before[how.asked_if]
    out = deciding.values == 0
    if deciding.asked is not None:
        out |= np.isnan(deciding.values) & ~deciding.asked
    skipped = out & missing
    unsure = np.isnan(deciding.values) & ~out & missing
    answered = out & ~missing & ~ledger.rejected
    ledger.note("answer-though-not-asked", answered, how.column, role=role, asked_if=how.asked_if)
    return Answer(np.where(skipped, 0.0 if how.not_asked == "no" else np.nan, values), ~skipped, unsure)


def _look(ledger: Ledger, variables: Mapping[str, VariableFrom], answers: Mapping[str, Answer]) -> None:
    """Say how many answers are missing, and refuse where the variable says so."""
    refused: list[Problem] = []
    few: list[_Gap] = []
    filtered: list[_Gap] = []
    kept = ~ledger.rejected
    for role, how in variables.items():
        missing = answers[role].missing & kept
        if not missing.any():
            continue
        if how.missing == "fail":
            refused.extend(_refusals(ledger, role, how, missing))
        elif np.isnan(answers[role].values[kept]).all():
            ledger.note("answers-none", missing, how.column, role=role)
        else:
            _sort(ledger, _Gap(role, how.column, answers[role], missing), few, filtered)
    if refused:
        raise SafercitiesError(refused)
    _note_filtered(ledger, filtered)
    _note_few(ledger, few)


@dataclass(frozen=True)
class _Gap:
    """Answers to a question that are missing in rows that are kept."""

    role: str
    column: str
    answer: Answer
    missing: Bools

    @property
    def unsure(self) -> Bools:
        """Those of people of whom it is not known whether they were asked."""
        none = np.zeros(len(self.missing), dtype=bool)
        return self.missing & (none if self.answer.unsure is None else self.answer.unsure)

    def share(self, which: Bools, of: Bools) -> float:
        """Share of some of the missing answers among those and all who were asked, in rows of `of`."""
        asked = of if self.answer.asked is None else of & self.answer.asked
        return float((which & asked).sum() / max(asked.sum(), 1))


def _sort(ledger: Ledger, gap: _Gap, few: list[_Gap], filtered: list[_Gap]) -> None:
    """Say of a question that many left unanswered; put others with those that are said of together."""
    kept = ~ledger.rejected
    refusing = gap.missing & ~gap.unsure
    share = gap.share(refusing, kept & ~gap.unsure)
    if share > MANY:
        ledger.note("answers-missing", refusing, gap.column, role=gap.role, share=_percent(share))
    if gap.unsure.any() and gap.share(gap.missing, kept) > MANY:
        filtered.append(gap)
    elif share <= MANY:
        few.append(gap)


def _note_filtered(ledger: Ledger, gaps: list[_Gap]) -> None:
    """One note on all questions of which it is not known whether they were put to many."""
    if not gaps:
        return
    kept = ~ledger.rejected
    each = {gap.column: gap for gap in reversed(gaps)}.values()
    shares = sorted(((gap.share(gap.missing, kept), gap.role) for gap in each), reverse=True)
    said = [f"{role} {_percent(share)}" for share, role in shares[:_NAMED]]
    said += [f"{len(shares) - _NAMED} more"] if len(shares) > _NAMED else []
    where = np.any([gap.unsure for gap in gaps], axis=0)
    ledger.note("answers-filter-missing", where, listed=", ".join(said))


def _note_few(ledger: Ledger, gaps: list[_Gap]) -> None:
    """One note on all questions that few left unanswered."""
    if not gaps:
        return
    kept = ~ledger.rejected
    most = max(gap.share(gap.missing, kept) for gap in gaps)
    columns = list(dict.fromkeys(gap.column for gap in gaps))
    alone = columns[0] if len(columns) == 1 else None
    questions = gaps[0].role if alone else f"{len(columns)} questions"
    where = np.any([gap.missing for gap in gaps], axis=0)
    ledger.note("answers-few", where, alone, questions=questions, share=_percent(most))


def _refusals(ledger: Ledger, role: str, how: VariableFrom, missing: Bools) -> list[Problem]:
    rows = [int(row) for row in ledger.raw.rows[missing]]
    listed = ", ".join(map(str, rows[:LISTED])) + (", …" if len(rows) > LISTED else "")
    details: dict[str, Any] = {"role": role, "listed": listed}
    return [problem("answer-refused", file=ledger.raw.file, row=rows[0], column=how.column, rows=len(rows), **details)]


def _percent(share: float) -> str:
    return f"{max(100 * share, 0.1):.1f} %"
