"""Quality flags: known ones only, each once, always in the same order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.quality import FLAGS, join

fields = st.lists(st.sampled_from(list(FLAGS)), max_size=5).map(" ".join)


@given(st.lists(fields, max_size=4))
def test_joining_is_a_union(given_fields: list[str]) -> None:
    expected = {flag for field in given_fields for flag in field.split()}
    joined = join(*given_fields).split()
    assert set(joined) == expected
    assert len(joined) == len(expected)
    assert joined == [flag for flag in FLAGS if flag in expected]


@given(st.lists(fields, max_size=4), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(given_fields: list[str], random: object) -> None:
    once = join(*given_fields)
    random.shuffle(given_fields)  # type: ignore[attr-defined]
    assert join(*given_fields) == join(once, once) == once


def test_nothing_joined_is_nothing() -> None:
    assert join() == join("", " ") == ""


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(ValueError, match="fine"):
        join("few_cases fine")


def test_every_flag_is_one_word_with_a_sentence() -> None:
    assert all(flag.isidentifier() and meaning for flag, meaning in FLAGS.items())
