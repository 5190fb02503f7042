"""Names made fit for one line: whatever they hold, quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.printable import one_line

BREAKS = "\r\n\v\f\x85\u2028\u2029"


def naive(text: str) -> str:
    """Runs of blanks, one by one: a run with a break of lines in it is one blank. Without marks for controls."""
    found, run = "", ""
    for char in f"{text}.":
        if char.isspace():
            run += char
            continue
        found += (" " if set(run) & set(BREAKS) else run) + char
        run = ""
    return found[:-1]


@given(st.text(st.sampled_from("ab \t\xa0\u2003\u3000" + BREAKS), max_size=40))
def test_a_break_with_the_blanks_around_it_is_one_blank(text: str) -> None:
    assert one_line(text) == naive(text).replace("\x85", "\ufffd")


@pytest.mark.parametrize(
    "text", [" " * 400_000, " " * 400_000 + "a\n", "\n" * 400_000, " a" * 200_000, " \n a" * 100_000]
)
def test_long_blanks_take_no_time(text: str) -> None:
    start = time.process_time()
    one_line(text)
    assert time.process_time() - start < 2  # tried from each blank anew, the first took an hour
