"""A place and the days on which it exists."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safercities.model.errors import SafercitiesError
from safercities.model.places import Place

days = st.dates(date(1900, 1, 1), date(2100, 1, 1))


@given(st.none() | days, st.none() | days, days)
def test_valid_from_the_first_to_the_last_day(first: date | None, last: date | None, day: date) -> None:
    if first and last and last < first:
        with pytest.raises(SafercitiesError, match="before it begins"):
            Place("a", "A", "ward", valid_from=first, valid_to=last)
        return
    place = Place("a", "A", "ward", valid_from=first, valid_to=last)
    assert place.valid_on(day) == ((first or date.min) <= day <= (last or date.max))


@given(days)
def test_both_ends_are_included(day: date) -> None:
    place = Place("a", "A", "ward", valid_from=day, valid_to=day)
    assert place.valid_on(day)
    assert not place.valid_on(day - timedelta(days=1))
    assert not place.valid_on(day + timedelta(days=1))


def test_a_place_can_be_a_key() -> None:
    first = Place("a", "A", "ward", aliases={"qid": "Q1"})
    assert {first: 1}[Place("a", "A", "ward", aliases={"qid": "Q1"})] == 1
    assert first != Place("a", "A", "ward", parent="b")
