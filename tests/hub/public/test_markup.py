"""Parts of pages written without a template: addresses as Django makes them, and nothing in them that browsers run."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils.html import escape
from hypothesis import given
from hypothesis import strategies as st

from safercities.hub.models import Observatory
from safercities.hub.public import markup
from safercities.hub.public.cards import Card, Said
from safercities.hub.public.indicator_form import Option
from safercities.hub.public.indicator_table import Cell, Line

HARM = "\"><script>alert(1)</script>'&"
CITY = Observatory(slug="city")


@given(place=st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1))
def test_addresses_are_those_that_django_makes(place: str) -> None:
    assert markup.links("place", CITY, "place")(place) == reverse(
        "public:place", kwargs={"slug": "city", "place": place}
    )


@pytest.mark.parametrize("code", ["sdg.16.1.1", "a b", "ü?#%", HARM.replace("/", "")])
def test_addresses_of_indicators_too(code: str) -> None:
    made = markup.links("indicator", CITY, "code")(code)
    assert made == reverse("public:indicator", kwargs={"slug": "city", "code": code})


def whole(html: str) -> None:
    """No tag that is not ours, and every tag closed."""
    assert "<script" not in html
    open_ = re.findall(r"<(\w+)", html)
    assert sorted(open_) == sorted(re.findall(r"</(\w+)", html))


def test_choices_and_rows_and_cards_hold_text_only() -> None:
    options = markup.options([Option(HARM, HARM, True), Option("b", "B", False)])
    assert f'<option value="{escape(HARM)}" selected>{escape(HARM)}</option>' in options
    whole(options)
    cell = Cell(HARM, HARM)
    for status in ("ok", "unreliable", "withheld", "none"):
        line = Line((HARM, HARM), cell, cell, cell, HARM, status, HARM, HARM, 7, "P")
        whole(markup.rows([line]))
        one = Said(*[HARM] * 6, status, *[HARM] * 3)
        card = Card(HARM, HARM, "en", "other", (one, one), (one, one), one)
        whole(markup.cards([(HARM, card)], CITY, HARM))


def test_what_is_withheld_has_no_number_beside_it() -> None:
    cell = Cell("12", "12.0")
    html = markup.rows([Line(("Popular",), cell, cell, cell, "12", "withheld", "withheld", "a", 7, "P")])
    assert "12" not in html
    assert '<td colspan="3" class="withheld">withheld</td>' in html
