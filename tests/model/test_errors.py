"""The error catalogue: complete, unambiguous, and readable for people."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from safercities.config import FILE
from safercities.model.errors import (
    SETTINGS,
    Kind,
    Problem,
    SafercitiesError,
    Severity,
    UsageError,
    catalogue,
    named_in,
    problem,
)
from safercities.release.content import SECRET


class TestCatalogue:
    @pytest.fixture(params=sorted(catalogue()))
    def kind(self, request: pytest.FixtureRequest) -> Kind:
        return catalogue()[request.param]

    def test_codes_are_slugs(self, kind: Kind) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", kind.code)

    def test_it_says_what_and_what_to_do_without_a_full_stop(self, kind: Kind) -> None:
        for sentence in (kind.what, kind.todo):
            assert sentence == sentence.strip()
            assert not sentence.endswith(".")
        assert kind.what

    def test_an_error_says_what_to_do(self, kind: Kind) -> None:
        assert kind.todo or kind.severity is Severity.NOTE

    def test_details_are_plain_names(self, kind: Kind) -> None:
        names = {
            name for text in (kind.what, kind.todo) for _, name, _, _ in Formatter().parse(text) if name is not None
        }
        assert all(name.isidentifier() for name in names)


class TestProblem:
    def test_where_what_and_what_to_do(self) -> None:
        made = problem("key-wrong", file="a.toml", row=3, column="x.y", given="7", message="it is too much")
        assert str(made).startswith("a.toml:3:x.y: 7 does not fit here: it is too much: correct the value")
        assert (made.code, made.severity) == ("key-wrong", Severity.ERROR)

    @pytest.mark.parametrize(
        ("file", "row", "column", "where"),
        [
            ("a", 1, "b", "a:1:b"),
            ("a", None, "b", "a:b"),
            ("a", None, None, "a"),
            ("", None, None, ""),
            ("", 2, None, "2"),
        ],
    )
    def test_where_as_far_as_it_is_known(self, file: str, row: int | None, column: str | None, where: str) -> None:
        made = problem("file-empty", file=file, row=row, column=column)
        assert made.where == where
        assert str(made).startswith(f"{where}: the file is empty" if where else "the file is empty")

    def test_many_rows_are_said(self) -> None:
        assert "the file is empty (12 rows)" in str(problem("file-empty", rows=12))
        assert "rows)" not in str(problem("file-empty"))

    def test_braces_in_the_data_are_kept(self) -> None:
        made = problem("key-wrong", given="{x}", message="{0!r}")
        assert "{x} does not fit here: {0!r}" in str(made)

    def test_sentences_may_name_the_place(self) -> None:
        kind = Kind("x", Severity.NOTE, "{column} of {file} is odd", "")
        assert str(Problem(kind, file="a.csv", column="sex")) == "a.csv:sex: sex of a.csv is odd"

    def test_an_unknown_code_or_a_missing_detail_shows_where_it_is_made(self) -> None:
        with pytest.raises(KeyError, match="no-such-code"):
            problem("no-such-code")
        with pytest.raises(KeyError, match="message"):
            problem("key-wrong", given="7")

    def test_others_read_no_column_that_the_settings_do_not_name(self) -> None:
        whole = problem("cells-merged", file="a.csv", row=2, column="Maria Lopez")
        assert whole.masked.where == "a.csv:2"
        assert problem("file-empty", file=FILE, column="sources.a.sex.map.Maria").masked.column == "sources.a.sex.map.…"
        assert FILE == SETTINGS
        assert whole.without_cells(named_in([{"when": "Maria Lopez"}])).column == "Maria Lopez"
        assert whole.without_cells(named_in({"map": {"Maria Lopez": "F"}, "no": ["Maria Lopez"]})).column is None

    @pytest.mark.parametrize("column", SECRET)
    def test_columns_of_releases_are_told(self, column: str) -> None:
        assert column in problem("release-unprotected", file="estimates.parquet", column=column).masked.what

    def test_equal_problems_are_one_whatever_the_order_of_details(self) -> None:
        first = problem("key-wrong", given="7", message="m")
        assert first == problem("key-wrong", message="m", given="7")
        assert len({first, problem("key-wrong", message="m", given="7")}) == 1

    def test_values_cannot_break_the_line_or_rewrite_the_terminal(self) -> None:
        name = "a\n\x1b[2J\u202e{file.__class__}"
        text = str(problem("key-wrong", file=name, column=name, given=name, message=name))
        assert not set(text) & set("\n\x1b\u202e")
        assert "{file.__class__}" in text


class TestErrors:
    def test_they_carry_their_problems(self) -> None:
        one = problem("file-empty", file="a")
        assert SafercitiesError(one).problems == (one,)
        several = SafercitiesError(problem("file-empty", file=name) for name in "ab")
        assert [each.file for each in several.problems] == ["a", "b"]
        assert str(several).count("\n") == 1

    def test_exit_codes_of_the_command_line(self) -> None:
        one: Problem = problem("file-empty")
        assert (SafercitiesError(one).exit_code, UsageError(one).exit_code) == (1, 2)
        assert issubclass(UsageError, SafercitiesError)
