"""Numbers as a language writes them: its signs are asked of Babel once, and not for every number of a page."""

from __future__ import annotations

from functools import cache

from babel import Locale
from babel.numbers import format_decimal, format_percent

#: Larger numbers are left to Babel: with four decimals they have more digits than a float is sure of.
_MOST = 1e10
#: Still larger ones are more than Babel can write; then nobody asks for decimals.
_MOST_OF_BABEL = 1e20


class Numerals:
    """Writes numbers as Babel does, to the letter, many times quicker.

    Examples
    --------
    >>> english, french = Numerals(Locale("en")), Numerals(Locale("fr"))
    >>> english.number(12345.678, 1), english.percent(4.25, 1)
    ('12,345.7', '4.2%')
    >>> french.number(-0.04, 1), french.percent(50)
    ('0,0', '50\\xa0%')
    """

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        sample = format_decimal(1000.5, format="#,##0.0", locale=locale)
        self._signs = str.maketrans({",": sample[1:-5], ".": sample[-2]})
        self._minus = format_decimal(-1, format="#,##0", locale=locale).split("1")
        self._percent = self._percent_of(1).split("1")
        self._minus_percent = self._percent_of(-1).split("1")

    def number(self, value: float, digits: int = 0) -> str:
        """A number with so many decimals."""
        rounded = round(value, digits) + 0.0  # no minus before a zero
        if _MOST <= abs(rounded) < _MOST_OF_BABEL:
            pattern = "#,##0" + ("." + "0" * digits if digits else "")
            return format_decimal(rounded, format=pattern, locale=self._locale)
        written = self._written(rounded, digits)
        return written if rounded >= 0 else written.join(self._minus)

    def percent(self, value: float, digits: int = 0) -> str:
        """A number of hundredths with its sign, which never stands alone on a line."""
        rounded = round(value, digits) + 0.0
        if _MOST <= abs(rounded) < _MOST_OF_BABEL:
            return self._percent_of(rounded, digits)
        return self._written(rounded, digits).join(self._percent if rounded >= 0 else self._minus_percent)

    def _written(self, value: float, digits: int) -> str:
        """The digits, whatever the sign."""
        return f"{abs(value):,.{digits if abs(value) < _MOST_OF_BABEL else 0}f}".translate(self._signs)

    def _percent_of(self, value: float, digits: int = 0) -> str:
        pattern = str(self._locale.percent_formats[None].pattern)
        made = pattern.replace("0", "0." + "0" * digits, 1) if digits else pattern
        return format_percent(value / 100, format=made, locale=self._locale).replace(" ", "\u00a0")


@cache
def numerals(locale: Locale) -> Numerals:
    """Those of a locale."""
    return Numerals(locale)
