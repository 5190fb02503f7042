"""The review's languages: texts from `locales/<language>.po`, numbers and dates by Babel."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from gettext import c2py
from importlib.resources import files
from io import BytesIO

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent, get_decimal_symbol, get_group_symbol

from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.periods import Period

SOURCE_LANGUAGE = "en"


@cache
def languages() -> tuple[str, ...]:
    """Languages that the review speaks: English, and each one with a catalogue.

    Examples
    --------
    >>> "es" in languages()
    True
    """
    names = (item.name for item in files(__package__).joinpath("locales").iterdir())
    return (SOURCE_LANGUAGE, *sorted(name[:-3] for name in names if name.endswith(".po")))


@cache
def catalogue(language: str) -> Catalog | None:
    """Messages of a language; None for English, whose texts stand in the code."""
    name = language.split("-")[0].split("_")[0]
    if name == SOURCE_LANGUAGE:
        return None
    data = files(__package__).joinpath("locales", f"{name}.po").read_bytes()
    return read_po(BytesIO(data), locale=name)


@dataclass(frozen=True)
class Texts:
    """Everything said in one language. `gettext` fills in {names}; its messages hold no HTML.

    Raises
    ------
    UsageError
        If the review does not speak the language.

    Examples
    --------
    >>> es = Texts("es")
    >>> es.gettext("no data"), es.number(9360.5, 1), es.percent(0.05)
    ('sin datos', '9.360,5', '5\\xa0%')
    """

    language: str

    def __post_init__(self) -> None:
        known = self.language.replace("_", "-").split("-")[0] in languages()
        try:
            Locale.parse(self.language.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            known = False
        if not known:
            raise UsageError(problem("review-language", language=self.language, known=", ".join(languages())))

    @property
    def locale(self) -> Locale:
        """Babel's locale."""
        return Locale.parse(self.language.replace("-", "_"))

    @property
    def dir(self) -> str:
        """Direction of writing: ltr or rtl."""
        return str(self.locale.text_direction)

    def gettext(self, message: str, /, **values: object) -> str:
        """The text in this language, {names} filled in; English where the catalogue lacks it."""
        return _fill(self._find(message) or message, values)

    def ngettext(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The text in the plural form that `n` asks for; {n} is the number as people write it."""
        values = {"n": self.number(n), **values}
        messages = catalogue(self.language)
        forms = self._forms(one)
        if messages is None or len(forms) < 2:
            return _fill(one if n == 1 else many, values)
        form = _plural(messages.plural_expr)(n)
        return _fill(forms[min(form, len(forms) - 1)], values)

    def lookup(self, text: str) -> str:
        """A text that comes from a definition or a file: translated where the catalogue has it, else as it is."""
        text = " ".join(text.split())
        return self._find(text) or text

    def lang_of(self, text: str) -> str:
        """Language in which `lookup` gives a text: the source's own where the catalogue lacks it."""
        return self.language if self._find(" ".join(text.split())) else SOURCE_LANGUAGE

    def _find(self, message: str) -> str | None:
        return next(iter(self._forms(message)), None)

    def _forms(self, message: str) -> tuple[str, ...]:
        """The forms of a message: none where it is not translated, several where it has plurals."""
        messages = catalogue(self.language)
        found = messages.get(message) if messages is not None and message else None
        if found is None or not found.string:
            return ()
        forms = (found.string,) if isinstance(found.string, str) else tuple(found.string)
        return forms if all(forms) else ()

    def number(self, value: float, digits: int = 0) -> str:
        """A number with so many decimals, in this language's way."""
        return _decimal(round(value, digits) + 0.0, digits, self.language)

    def span(self, low: object, high: object) -> str:
        """A range as `547–644`, kept in that order where the writing goes from right to left."""
        text = f"{low}–{high}"
        return f"\u2066{text}\u2069" if self.dir == "rtl" else text

    def short(self, value: float) -> str:
        """A number with no more decimals than it has, for legends and axes."""
        return format_decimal(value, format="#,##0.####", locale=self.locale)

    def percent(self, share: float, digits: int = 0) -> str:
        """A share as a percentage."""
        pattern = self.locale.percent_formats[None].pattern
        if digits:
            pattern = pattern.replace("0", "0." + "0" * digits, 1)
        return format_percent(share, format=pattern, locale=self.locale)

    def level(self, share: float) -> str:
        """A confidence level, or what it leaves, with all the digits that it has.

        Examples
        --------
        >>> Texts("en").level(0.95), Texts("en").level(0.999), Texts("en").level(1 - 0.975)
        ('95%', '99.9%', '2.5%')
        """
        digits = next((n for n in range(4) if math.isclose(100 * share, round(100 * share, n), abs_tol=1e-9)), 4)
        return self.percent(share, digits)

    def number_format(self) -> dict[str, object]:
        """The same marks for Vega's axes (d3-format locale)."""
        return {
            "decimal": get_decimal_symbol(self.locale),
            "thousands": get_group_symbol(self.locale),
            "grouping": [3],
            "currency": ["", ""],
        }

    def period(self, code: str) -> str:
        """An ISO 8601 period as people say it.

        Examples
        --------
        >>> Texts("en").period("2019-03"), Texts("es").period("2019-03"), Texts("en").period("2010/2019")
        ('March 2019', 'marzo de 2019', '2010–2019')
        """
        if re.fullmatch(r"\d{4}", code):
            return code
        try:
            period = Period.parse(code)
        except SafercitiesError:
            return code
        if period.kind == "month":
            return format_skeleton("yMMMM", period.start, locale=self.locale)
        if period.kind == "quarter":
            return format_skeleton("yQQQ", period.start, locale=self.locale)
        if period.kind == "day":
            return format_date(period.start, "long", locale=self.locale)
        return self.span(*code.split("/", 1)) if "/" in code else code


@lru_cache(maxsize=20_000)
def _decimal(value: float, digits: int, language: str) -> str:
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=Locale.parse(language.replace("-", "_")))


@cache
def _plural(expression: str) -> Callable[[int], int]:
    return c2py(expression)


def _fill(text: str, values: dict[str, object]) -> str:
    """{names} replaced by values; anything else stays, so that text from a file can never reach inside a value.

    Examples
    --------
    >>> _fill("{a} of {b}", {"a": "{b}", "b": 2})
    '{b} of 2'
    """
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), text)
