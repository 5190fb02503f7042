"""Says published numbers in the reader's language: values with intervals, units, periods, places, status, flags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, format_percent
from django.utils.translation import get_language, gettext, to_locale

from safercities.hub.figures import Figures
from safercities.hub.figures.about import IndicatorInfo
from safercities.hub.public import indicator_terms as terms
from safercities.model.dimensions import TOTAL, UNKNOWN, age_range
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period

Row = Mapping[str, Any]
#: What a number is to a reader; the same words as in documents of charts and maps.
OK, UNRELIABLE, WITHHELD, NONE = "ok", "unreliable", "withheld", "none"
#: Flags with which a number is to be read with care, whatever its status says.
_DOUBTFUL = frozenset({"few_cases", "single_psu", "synthetic"})


def status(row: Row) -> str:
    """What a row is to a reader.

    Examples
    --------
    >>> status({"value": None, "conf_status": "N", "obs_status": "Q", "quality": None, "verdict": None})
    'withheld'
    >>> status({"value": 3.0, "conf_status": "F", "obs_status": "A", "quality": "few_cases", "verdict": None})
    'unreliable'
    """
    if (row["conf_status"] or "F") != "F" or row.get("verdict") == "withhold":
        return WITHHELD
    if row["value"] is None:
        return NONE
    doubtful = not _DOUBTFUL.isdisjoint((row["quality"] or "").split())
    return UNRELIABLE if row["obs_status"] == "U" or row.get("verdict") == "warn" or doubtful else OK


class Words:
    """Speaks of an observatory's figures in one language; by default that of the request.

    Everything that comes from releases is plain text: templates escape it.
    """

    def __init__(self, figures: Figures, language: str | None = None) -> None:
        self.figures = figures
        self.language = language or get_language() or "en"
        self.locale = _locale(self.language)
        self.rtl = str(self.locale.text_direction) == "rtl"

    # -- numbers -------------------------------------------------------------------------------------------------------

    def number(self, value: float, digits: int = 0) -> str:
        """A number with so many decimals."""
        rounded = round(value, digits) + 0.0  # no minus before a zero
        return format_decimal(rounded, format="#,##0" + ("." + "0" * digits if digits else ""), locale=self.locale)

    def percent(self, value: float, digits: int = 0) -> str:
        """A number of hundredths with its sign, which never stands alone on a line."""
        pattern = str(self.locale.percent_formats[None].pattern)
        made = pattern.replace("0", "0." + "0" * digits, 1) if digits else pattern
        return format_percent((round(value, digits) + 0.0) / 100, format=made, locale=self.locale).replace(
            " ", "\u00a0"
        )

    def short(self, value: float) -> str:
        """A number with the decimals that it has: for limits of classes."""
        return format_decimal(value, format="#,##0.####", locale=self.locale)

    def bare(self, row: Row, name: str = "value") -> str:
        """One number of a row, without unit; a dash where there is none."""
        value = row[name]
        if value is None:
            return "–"
        return self.percent(value, digits(row)) if row["unit"] == "%" else self.number(value, digits(row))

    def value(self, row: Row) -> str:
        """The value in its unit, or why there is none."""
        if (found := status(row)) in (WITHHELD, NONE):
            return self.status(found)
        return self.in_unit(self.bare(row), row["unit"])

    def in_unit(self, value: str, unit: str | None) -> str:
        """A value already in words, and what it is per."""
        if unit is None or unit == "%":
            return value
        if scale := _SCALE.fullmatch(unit):
            return gettext("{value} of {most}").format(value=value, most=scale[1])
        return f"{value} {self.unit(unit)}"

    def span(self, row: Row) -> str:
        """The interval in the room of a table, as `16.4–21.9`; empty where there is none."""
        if status(row) in (WITHHELD, NONE) or row["lower"] is None or row["upper"] is None:
            return ""
        low, high = (self.number(row[name], digits(row)) for name in ("lower", "upper"))
        return self.isolated(f"{low}–{high}")

    def interval(self, row: Row) -> str:
        """The interval with its level in words; empty where there is none."""
        if status(row) in (WITHHELD, NONE):
            return ""
        names = {"level": self.level_of(row), "low": self.bare(row, "lower"), "high": self.bare(row, "upper")}
        if row["lower"] is None and row["upper"] is None:
            return ""
        if row["lower"] is None:
            return gettext("{level} interval up to {high}").format(**names)
        if row["upper"] is None:
            return gettext("{level} interval from {low} upward").format(**names)
        return gettext("{level} interval {low} to {high}").format(**names)

    def told(self, row: Row) -> str:
        """Value, interval and what to mind, in one line."""
        parts = [self.value(row), self.interval(row)]
        if status(row) == UNRELIABLE:
            parts.append(self.status(UNRELIABLE))
        return "; ".join(part for part in parts if part)

    def level_of(self, row: Row) -> str:
        """The confidence level of the interval."""
        share = 100 * (row["level"] or 0.95)
        return self.percent(share, next((n for n in range(4) if abs(share - round(share, n)) < 1e-9), 4))

    def cases(self, row: Row) -> str:
        """How many cases or respondents it rests on; of a survey only a band was published."""
        n = row["n"]
        if n is None or status(row) == WITHHELD:
            return ""
        info = self.figures.sources.get(row["source"] or "")
        if info is None or info.kind != "survey":
            return self.number(n)
        from safercities.disclose.digits import bands

        first, last = (int(edge[0]) for edge in bands([n]))
        return self.number(first) if first == last else self.isolated(f"{self.number(first)}–{self.number(last)}")

    def isolated(self, text: str) -> str:
        """A range, kept in its order where the writing goes from right to left."""
        return f"\u2066{text}\u2069" if self.rtl else text

    # -- what numbers are ----------------------------------------------------------------------------------------------

    def status(self, found: str) -> str:
        """The status as a word."""
        return {
            OK: gettext("published"),
            UNRELIABLE: gettext("read with care"),
            WITHHELD: gettext("withheld"),
            NONE: gettext("not available"),
        }[found]

    def flags(self, text: str | None) -> list[str]:
        """Quality flags in words."""
        return [str(terms.FLAGS.get(flag, flag)) for flag in (text or "").split()]

    def unit(self, unit: str | None) -> str:
        """A unit, as it stands after a number or in a list."""
        if unit is None:
            return gettext("without unit")
        if per := re.fullmatch(r"per ([\d ]+)", unit):
            size = self.number(float(per[1].replace(" ", "")))
            yearly = gettext("per {size} people a year") if unit == "per 100 000" else gettext("per {size}")
            return yearly.format(size=size)
        if scale := _SCALE.fullmatch(unit):
            return gettext("points, from 0 to {most}").format(most=scale[1])
        return str(terms.COUNTED.get(unit, unit))

    def method(self, method: str | None) -> str:
        """How a number was made."""
        if method is None:
            return gettext("not said")
        if standard := re.fullmatch(r"directly standardised \((.+)\), Fay–Feuer interval", method):
            return str(terms.STANDARDISED).format(standard=standard[1])
        return str(terms.METHODS.get(method, method))

    def period(self, code: str) -> str:
        """A period as people say it."""
        if re.fullmatch(r"\d{4}", code):
            return code
        try:
            period = Period.parse(code)
        except SafercitiesError:
            return code
        if period.kind in ("month", "quarter"):
            skeleton = {"month": "yMMMM", "quarter": "yQQQ"}[period.kind]
            return str(format_skeleton(skeleton, period.start, locale=self.locale))
        if period.kind == "day":
            return str(format_date(period.start, "long", locale=self.locale))
        return self.isolated(code.replace("/", "–"))

    def date(self, day: Any) -> str:
        """A day."""
        return str(format_date(day, "long", locale=self.locale))

    # -- names ---------------------------------------------------------------------------------------------------------

    def place(self, id: str) -> str:
        """Name of a place."""
        info = self.figures.places.get(id)
        if info is None:
            return id
        return gettext("{level}: not known").format(level=self.level(info.level)) if info.unplaced else info.name

    def level(self, level: str, *, several: bool = False) -> str:
        """Name of a level of places."""
        known = terms.LEVELS.get(level)
        return str(known[several]) if known else level.replace("_", " ")

    def source(self, name: str) -> str:
        """Name of a source."""
        info = self.figures.sources.get(name)
        return info.label or name if info else name

    def dimension(self, name: str) -> str:
        """Name of a breakdown."""
        info = self.figures.breakdowns.get(name)
        return str(terms.DIMENSIONS.get(name) or (info.label if info else name))

    def code(self, name: str, code: str) -> str:
        """Name of a group of a breakdown."""
        if code == TOTAL:
            return str(terms.TOTAL)
        if code == UNKNOWN:
            return str(terms.UNKNOWN)
        if (name, code) in terms.CODES:
            return str(terms.CODES[name, code])
        info = self.figures.breakdowns.get(name)
        label = info.label_of(code) if info else code
        return self._ages(code) or label if name == "age" else label

    def _ages(self, code: str) -> str:
        try:
            low, high = age_range(code)
        except SafercitiesError:
            return ""
        if high is None:
            return gettext("{age} and over").format(age=low)
        return self.isolated(f"{low}–{high}") if high > low else str(low)

    def group(self, row: Row) -> str:
        """The groups that a row is of; empty for everybody."""
        return ", ".join(self._groups(row))

    def _groups(self, row: Row) -> Iterator[str]:
        for name in self.figures.dimensions:
            if row[name] == UNKNOWN:
                yield gettext("{dimension}: unknown").format(dimension=self.dimension(name))
            elif row[name] != TOTAL:
                yield self.code(name, row[name])

    def indicator(self, info: IndicatorInfo) -> str:
        """Name of an indicator, in this language or the first there is; see `indicator_language`."""
        return info.label(self.indicator_language(info))

    def indicator_language(self, info: IndicatorInfo) -> str:
        """Language that its name is in."""
        base = self.language.split("-")[0]
        return next((name for name in (self.language, base) if name in info.labels), next(iter(info.labels), "en"))


_SCALE = re.compile(r"(?:score|index) 0–(\d+)")


def digits(row: Row) -> int:
    """Decimals that a row's numbers are told with: as many as its unit and size bear, the same for the interval.

    Examples
    --------
    >>> digits({"value": 186.0, "lower": 160.2, "upper": 214.7, "unit": "victims"})
    0
    >>> digits({"value": 18.98, "lower": 16.35, "upper": 21.9, "unit": "per 100 000"})
    1
    >>> digits({"value": 3.0, "lower": 2.0, "upper": 5.0, "unit": "%"})
    0
    """
    numbers = [abs(row[name]) for name in ("value", "lower", "upper") if row[name] is not None]
    if not numbers or all(number == round(number) for number in numbers):
        return 0
    if row["unit"] in terms.COUNTED and row["value"] == round(row["value"] or 0):
        return 0
    most = max(numbers)
    return 0 if most >= 1000 else 1 if most >= 10 or row["unit"] == "%" else 2 if most >= 0.1 else 4


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(to_locale(language))
