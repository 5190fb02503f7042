"""Answers: yes, no, a number or nothing; whatever the rules do not know is said, and never counted as no."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.collect.answers import read_answers
from safercities.collect.faults import Ledger
from safercities.collect.records import RawTable
from safercities.collect.spec import VariableFrom
from safercities.model.errors import SafercitiesError, Severity


def read(columns, decimal=".", labels=None, **variables):
    """Role → list of answers (None without one), and the ledger with what was said."""
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    ledger = Ledger(RawTable("s.csv", table, np.arange(2, table.num_rows + 2), labels=labels or {}))
    answers = read_answers(ledger, {role: VariableFrom.model_validate(how) for role, how in variables.items()}, decimal)
    return {role: [None if math.isnan(v) else v for v in a.values] for role, a in answers.items()}, ledger, answers


def said(ledger):
    return [(p.code, p.row, p.column, p.rows) for p in ledger.problems]


def test_yes_and_everything_else_is_no():
    got, ledger, _ = read({"p": ["1", "2", "other", None, " 1 "]}, victim={"column": "p", "yes": [1]})
    assert got["victim"] == [1, 0, 0, None, 1]
    assert said(ledger) == [("answers-missing", 5, "p", 1)]
    assert "20.0 % of those who were asked" in ledger.problems[0].what


def test_with_no_any_other_value_is_an_error_with_its_place():
    how = {"column": "p", "yes": [1], "no": [2], "unknown": [88, "NS"]}
    got, ledger, _ = read({"p": ["1", "2", "3", "88", "3", "NS", "x"]}, victim=how)
    assert got["victim"] == [1, 0, None, None, None, None, None]
    assert said(ledger) == [
        ("answer-unexpected", 4, "p", 2),
        ("answer-unexpected", 8, "p", 1),
        ("answers-missing", 4, "p", 5),
    ]
    assert ledger.problems[0].severity is Severity.ERROR
    assert ledger.problems[0].what.startswith("3 is neither yes nor no nor unknown for victim")
    assert not ledger.rejected.any()


@pytest.mark.parametrize(
    "column",
    [["1", "2"], [1, 2], [1.0, 2.0], ["1.0", "2.0"], [" 1", "2 "]],
    ids=["text", "whole", "float", "text with decimals", "spaces"],
)
@pytest.mark.parametrize("values", [(1, 2), (1.0, 2.0)])
def test_a_number_is_the_same_however_it_is_written(column, values):
    how = {"column": "p", "yes": [values[0]], "no": [values[1]]}
    got, ledger, _ = read({"p": column}, victim=how)
    assert got["victim"] == [1, 0]
    assert said(ledger) == []


@pytest.mark.parametrize(("yes", "no"), [([True], [False]), ([1], [0]), (["1"], ["0"])])
def test_booleans_are_one_and_nought(yes, no):
    got, ledger, _ = read({"p": [True, False, None]}, victim={"column": "p", "yes": yes, "no": no})
    assert got["victim"] == [1, 0, None]
    assert [p.code for p in ledger.problems] == ["answers-missing"]


@pytest.mark.parametrize("word", ["NA", "nan", "NULL", ".", "#N/A", "<NA>"])
def test_what_programs_write_for_nothing_is_no_answer_and_not_no(word):
    got, _, _ = read({"p": ["1", word, "5"]}, victim={"column": "p", "yes": [1]}, age={"column": "p", "number": True})
    assert got == {"victim": [1, None, 0], "age": [1, None, 5]}
    got, _, _ = read({"p": ["1", word]}, victim={"column": "p", "yes": [1], "no": [word]})
    assert got["victim"] == [1, 0]  # somebody says what it means


def test_a_value_for_yes_that_no_row_has_is_said():
    got, ledger, _ = read({"p": ["Yes", "No"]}, victim={"column": "p", "yes": ["yes", "Yes"]})
    assert got["victim"] == [1, 0]
    assert [(p.code, p.severity) for p in ledger.problems] == [("answer-yes-unused", Severity.WARNING)]
    assert ledger.problems[0].what == "yes means yes for victim, and no row has it"


def test_numbers_and_what_is_none():
    how = {"column": "n", "number": True, "limits": [0, 60], "unknown": [98]}
    got, ledger, _ = read({"n": ["1,5", "98", "99", "-1", "many", "1.234", "60"]}, decimal=",", times=how)
    assert got["times"] == [1.5, None, None, None, None, None, 60]
    assert [(p.code, p.row) for p in ledger.problems] == [
        ("answer-unreadable", 6),
        ("answer-unreadable", 7),
        ("answer-outside", 4),
        ("answer-outside", 5),
        ("answers-missing", 3),
    ]


def test_between_takes_both_ends():
    got, ledger, _ = read({"age": [17, 18, 29, 30, None]}, young={"column": "age", "between": [18, 29]})
    assert got["young"] == [0, 1, 1, 0, None]
    got, ledger, _ = read({"age": ["18", "18-29"]}, young={"column": "age", "between": [18, 29]})
    assert got["young"] == [1, None]
    assert ledger.problems[0].code == "answer-unreadable"


def test_a_labelled_number_among_others_may_be_a_code():
    labels = {"n": {"98": "No sabe"}}
    _, ledger, _ = read({"n": [1, 2, 98, 98]}, labels=labels, times={"column": "n", "number": True})
    assert said(ledger) == [("answer-labelled", 4, "n", 2)]
    _, ledger, _ = read({"n": [1, 2]}, labels={"n": {"1": "low", "2": "high"}}, scale={"column": "n", "number": True})
    assert said(ledger) == []  # the steps of a scale
    how = {"column": "n", "number": True, "unknown": [98]}
    got, ledger, _ = read({"n": [1, 2, 98, 98]}, labels=labels, times=how)
    assert got["times"] == [1, 2, None, None]
    assert [p.code for p in ledger.problems] == ["answers-missing"]


class TestNotAsked:
    columns = {"p1": ["1", "1", "2", "2", "9", "1"], "p2": ["1", "2", None, "1", None, None]}  # noqa: RUF012
    victim = {"column": "p1", "yes": [1], "no": [2], "unknown": [9]}  # noqa: RUF012

    def test_outside_the_question(self):
        how = {"column": "p2", "yes": [1], "no": [2], "asked_if": "victim"}
        got, ledger, answers = read(self.columns, reported=how, victim=self.victim)
        assert list(got) == ["reported", "victim"]
        assert got["reported"] == [1, 0, None, 1, None, None]
        assert answers["reported"].asked.tolist() == [True, True, False, True, True, True]
        assert answers["reported"].missing.tolist() == [False, False, False, False, True, True]
        assert answers["victim"].asked is None
        assert said(ledger) == [
            ("answer-though-not-asked", 5, "p2", 1),
            ("answers-missing", 7, "p2", 1),
            ("answers-missing", 6, "p1", 1),
            ("answers-filter-missing", 6, None, 1),
        ]
        assert "25.0 % of those who were asked" in ledger.problems[1].what  # one of the four who surely were
        assert "reported 40.0 %" in ledger.problems[3].what  # two of the five who were, or may have been
        assert answers["reported"].unsure.tolist() == [False] * 4 + [True, False]

    def test_the_answer_is_known(self):
        how = {"column": "p2", "yes": [1], "no": [2], "asked_if": "victim", "not_asked": "no"}
        got, _, answers = read(self.columns, victim=self.victim, reported=how)
        assert got["reported"] == [1, 0, 0, 1, None, None]
        assert answers["reported"].asked.tolist() == [True, True, False, True, True, True]

    def test_a_code_for_unknown_where_nobody_asked_is_not_asked(self):
        how = {"column": "p2", "number": True, "unknown": [-9], "asked_if": "victim", "not_asked": "no"}
        got, _, _ = read({"p1": [1, 2, 2], "p2": [3, -9, None]}, victim=self.victim | {"unknown": []}, times=how)
        assert got["times"] == [3, 0, 0]

    def test_filters_in_a_row(self):
        columns = {"a": [1, 1, 0, None], "b": [1, 0, None, None], "c": [1, None, None, None]}
        yes_no = {"yes": [1], "no": [0]}
        got, ledger, answers = read(
            columns,
            c={"column": "c", "asked_if": "b", **yes_no},
            b={"column": "b", "asked_if": "a", **yes_no},
            a={"column": "a", **yes_no},
        )
        assert answers["c"].asked.tolist() == [True, False, False, True]
        assert got["c"] == [1, None, None, None]
        assert [(p.code, p.column, p.rows) for p in ledger.problems] == [
            ("answers-missing", "a", 1),
            ("answers-filter-missing", None, 1),
        ]
        assert "b 33.3 %" in ledger.problems[1].what
        assert "c 50.0 %" in ledger.problems[1].what


class TestFew:
    """Up to 5 % without an answer: one note for all questions of a source."""

    yes_no = {"yes": [1], "no": [2]}  # noqa: RUF012

    @staticmethod
    def lacking(*rows, size=40):
        return [None if row in rows else 1 + row % 2 for row in range(size)]

    def test_one_question_is_named(self):
        _, ledger, _ = read({"p": self.lacking(3)}, victim={"column": "p", **self.yes_no})
        assert said(ledger) == [("answers-few", 5, "p", 1)]
        assert ledger.problems[0].what == "up to 2.5 % of the answers to victim are missing or cannot be used"

    def test_several_are_counted_by_their_columns(self):
        columns = {"p": self.lacking(3), "q": self.lacking(3, 9), "r": self.lacking(1, 2, 3)}
        how = {name: {"column": name, **self.yes_no} for name in columns} | {"again": {"column": "p", **self.yes_no}}
        _, ledger, _ = read(columns, **how)
        assert said(ledger) == [("answers-missing", 3, "r", 3), ("answers-few", 5, None, 2)]
        assert ledger.problems[0].what == "7.5 % of those who were asked gave no usable answer to r"
        assert ledger.problems[1].what.startswith("up to 5.0 % of the answers to 2 questions")

    def test_a_little_of_both_is_said_where_it_is_much_together(self):
        """3 of 40 are missing: 1 of the 38 who were asked, and 2 who did not answer the question before."""
        columns = {"p": [None, None, *[1] * 38, *[2] * 40], "q": [None, None, None, *[1] * 37, *[None] * 40]}
        how = {"reported": {"column": "q", "asked_if": "victim", **self.yes_no}}
        _, ledger, _ = read(columns, victim={"column": "p", **self.yes_no}, **how)
        assert said(ledger) == [("answers-filter-missing", 2, None, 2), ("answers-few", 2, "p", 2)]
        assert "reported 7.5 %" in ledger.problems[0].what


def test_nobody_answered_is_a_warning():
    got, ledger, _ = read({"p": pa.array([None, None], pa.string())}, victim={"column": "p", "yes": [1], "no": [2]})
    assert got["victim"] == [None, None]
    assert [(p.code, p.severity) for p in ledger.problems] == [
        ("answer-yes-unused", Severity.WARNING),
        ("answers-none", Severity.WARNING),
    ]
    got, ledger, _ = read({"p": pa.nulls(2)}, victim={"column": "p", "yes": [1]})
    assert got["victim"] == [None, None]


def test_missing_answers_can_be_refused():
    with pytest.raises(SafercitiesError) as caught:
        read(
            {"p": ["1", None, "2", "9"]},
            victim={"column": "p", "yes": [1], "no": [2], "unknown": [9], "missing": "fail"},
            other={"column": "p", "yes": [1], "missing": "no"},
        )
    (problem,) = caught.value.problems
    assert (problem.code, problem.row, problem.rows) == ("answer-refused", 3, 2)
    assert "rows 3, 5" in problem.what


def test_rejected_rows_say_nothing():
    ledger = Ledger(RawTable("s.csv", pa.table({"p": ["1", "x", None]}), np.array([2, 3, 4])))
    ledger.rejected[1:] = True
    variables = {"v": VariableFrom(column="p", yes=[1], no=[2], missing="fail")}
    assert np.isnan(read_answers(ledger, variables, ".")["v"].values).tolist() == [False, True, True]
    assert ledger.problems == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "exactly one of yes, between and number"),
        ({"yes": [1], "number": True}, "exactly one of yes, between and number"),
        ({"yes": []}, "yes names no value"),
        ({"number": True, "no": [1]}, "no belongs to yes"),
        ({"yes": [1], "no": ["1"]}, "1 stands in yes and in no"),
        ({"yes": [1], "unknown": [1.0]}, "1 stands in yes and in unknown"),
        ({"between": [29, 18]}, "the smaller one first"),
        ({"between": [18]}, "two numbers"),
        ({"yes": [1], "limits": [0, 1]}, "limits belong to a number"),
        ({"yes": [1], "not_asked": "no"}, "not_asked needs asked_if"),
        ({"number": True, "missing": "no"}, "not to a number"),
    ],
)
def test_rules_that_cannot_be(how, words):
    with pytest.raises(ValueError, match=words):
        VariableFrom.model_validate({"column": "p"} | how)


@given(st.lists(st.sampled_from(["1", "2", "3", "NA", "", None, "1.0", "x", "88"]), min_size=1, max_size=40))
def test_every_row_is_yes_no_or_nothing_and_all_of_nothing_is_said(cells):
    how = {"column": "p", "yes": [1], "no": [2, "3"], "unknown": [88]}
    got, ledger, _ = read({"p": pa.array(cells, pa.string())}, victim=how)
    expected = {"1": 1, "1.0": 1, "2": 0, "3": 0}
    assert got["victim"] == [expected.get(cell) for cell in cells]
    said = ("answers-missing", "answers-none", "answers-few")
    counted = sum(p.rows for p in ledger.problems if p.code in said)
    assert counted == sum(value is None for value in got["victim"])
    assert sum(p.rows for p in ledger.problems if p.code == "answer-unexpected") == cells.count("x")
