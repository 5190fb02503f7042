"""Numbers are written to the letter as Babel writes them, in each of the hub's languages."""

from __future__ import annotations

import pytest
from babel import Locale
from babel.numbers import format_decimal, format_percent
from django.conf import settings
from django.utils.translation import to_locale
from hypothesis import given
from hypothesis import strategies as st

from safercities.hub.public.numerals import numerals

LOCALES = [Locale.parse(to_locale(code)) for code, _ in settings.LANGUAGES]
NUMBERS = st.one_of(
    st.floats(-9e19, 9e19),
    st.floats(-1e6, 1e6),
    st.integers(-(10**12), 10**12).map(float),
    st.integers(-(10**7), 10**7).map(lambda n: n / 8),
    st.integers(-(10**7), 10**7).map(lambda n: n / 1000),
)


@pytest.mark.parametrize("locale", LOCALES, ids=str)
@given(value=NUMBERS, digits=st.integers(0, 4))
def test_numbers_are_babels(locale: Locale, value: float, digits: int) -> None:
    rounded = round(value, digits) + 0.0
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    assert numerals(locale).number(value, digits) == format_decimal(rounded, format=pattern, locale=locale)


@pytest.mark.parametrize("locale", LOCALES, ids=str)
@given(value=NUMBERS, digits=st.integers(0, 4))
def test_percentages_are_babels(locale: Locale, value: float, digits: int) -> None:
    pattern = str(locale.percent_formats[None].pattern).replace("0", "0." + "0" * digits if digits else "0", 1)
    said = format_percent((round(value, digits) + 0.0) / 100, format=pattern, locale=locale)
    assert numerals(locale).percent(value, digits) == said.replace(" ", "\u00a0")


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_numbers_that_babel_refuses_are_written_too(locale: Locale) -> None:
    for value in (1e25, -1e30, 1.5e300):
        digits = [sign for sign in numerals(locale).number(value, 4) if sign.isdigit()]
        assert "".join(digits) == str(int(abs(value)))
        assert numerals(locale).number(value, 4).startswith("-") == (value < 0)
        assert "%" in numerals(locale).percent(value, 1)
