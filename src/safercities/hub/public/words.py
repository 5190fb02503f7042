"""Says published numbers in the reader's language: values with intervals, units, periods, places, status, flags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal
from django.utils.translation import get_language, gettext, to_locale

from safercities.hub import texts
from safercities.hub.figures import Figures
from safercities.hub.figures.about import Definition, IndicatorInfo
from safercities.hub.public import indicator_terms as terms
from safercities.hub.public.numerals import numerals
from safercities.measure.rows import ROUNDED
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
    return _status(row["conf_status"], row["obs_status"], row.get("verdict"), row["quality"], row["value"] is None)


@lru_cache(maxsize=10_000)
def _status(conf: str | None, obs: str | None, verdict: str | None, quality: str | None, missing: bool) -> str:
    if (conf or "F") != "F" or verdict == "withhold":
        return WITHHELD
    if missing:
        return NONE
    doubtful = not _DOUBTFUL.isdisjoint((quality or "").split())
    return UNRELIABLE if obs == "U" or verdict == "warn" or doubtful else OK


class Words:
    """Speaks of an observatory's figures in one language; by default that of the request.

    Everything that comes from releases is plain text: templates escape it.
    """

    def __init__(self, figures: Figures, language: str | None = None) -> None:
        self.figures = figures
        self.language = language or get_language() or "en"
        self.locale = _locale(self.language)
        self.rtl = str(self.locale.text_direction) == "rtl"
        self._numerals = numerals(self.locale)
        self._known: dict[tuple[object, ...], str] = {}  # what is said in many cells of a page

    def _once(self, say: Callable[..., str], *asked: object) -> str:
        """What is said of something; worked out once a page."""
        key = (say.__name__, *asked)
        if key not in self._known:
            self._known[key] = say(*asked)
        return self._known[key]

    # -- numbers -------------------------------------------------------------------------------------------------------

    def number(self, value: float, digits: int = 0) -> str:
        """A number with so many decimals."""
        return self._numerals.number(value, digits)

    def percent(self, value: float, digits: int = 0) -> str:
        """A number of hundredths with its sign, which never stands alone on a line."""
        return self._numerals.percent(value, digits)

    def short(self, value: float) -> str:
        """A number with the decimals that it has: for limits of classes."""
        return format_decimal(value, format="#,##0.####", locale=self.locale)

    def bare(self, row: Row, name: str = "value") -> str:
        """One number of a row, without unit; a dash where there is none."""
        return self._bare(row, name, digits(row))

    def _bare(self, row: Row, name: str, decimals: int) -> str:
        value = row[name]
        if value is None:
            return "–"
        return self.percent(value, decimals) if row["unit"] == "%" else self.number(value, decimals)

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
        return "" if status(row) in (WITHHELD, NONE) else self._interval(row, digits(row))

    def _interval(self, row: Row, decimals: int) -> str:
        lower, upper = row["lower"], row["upper"]
        if lower is None and upper is None:
            return ""
        low, high = self._bare(row, "lower", decimals), self._bare(row, "upper", decimals)
        if row["level"] is None:  # nobody said how sure it is: then neither do we
            return f"≤ {high}" if lower is None else f"≥ {low}" if upper is None else self.isolated(f"{low}–{high}")
        said = self._intervals[(lower is not None, upper is not None)]
        return said.format(level=self.level_of(row), low=low, high=high)

    @cached_property
    def _intervals(self) -> dict[tuple[bool, bool], str]:
        """Whether there is a lower and an upper bound → the sentence."""
        return {
            (False, True): gettext("{level} interval up to {high}"),
            (True, False): gettext("{level} interval from {low} upward"),
            (True, True): gettext("{level} interval {low} to {high}"),
        }

    def told(self, row: Row) -> str:
        """Value, interval and what to mind, in one line."""
        found = status(row)
        if found in (WITHHELD, NONE):
            return self.status(found)
        decimals = digits(row)
        value, interval = self._bare(row, "value", decimals), self._interval(row, decimals)
        parts = (self.in_unit(value, row["unit"]), interval, self.status(found) if found == UNRELIABLE else "")
        return "; ".join(part for part in parts if part)

    def level_of(self, row: Row) -> str:
        """The confidence level of the interval."""
        return self._once(self._level_of, row["level"])

    def _level_of(self, level: float | None) -> str:
        share = 100 * (level or 0)
        return self.percent(share, next((n for n in range(4) if abs(share - round(share, n)) < 1e-9), 4))

    def cases(self, row: Row) -> str:
        """How many cases or respondents it rests on; of a survey only a band was published."""
        n = row["n"]
        if n is None or status(row) == WITHHELD:
            return ""
        info = self.figures.sources.get(row["source"] or "")
        if info is None or info.kind != "survey":
            return self.number(n)
        return self._once(self._band, n)

    def _band(self, n: int) -> str:
        from safercities.disclose.digits import bands

        first, last = (int(edge[0]) for edge in bands([n]))
        return self.number(first) if first == last else self.isolated(f"{self.number(first)}–{self.number(last)}")

    def isolated(self, text: str) -> str:
        """A range, kept in its order where the writing goes from right to left."""
        return f"\u2066{text}\u2069" if self.rtl else text

    # -- what numbers are ----------------------------------------------------------------------------------------------

    def status(self, found: str) -> str:
        """The status as a word."""
        return self._statuses[found]

    @cached_property
    def _statuses(self) -> dict[str, str]:
        return {
            OK: gettext("published"),
            UNRELIABLE: gettext("read with care"),
            WITHHELD: gettext("withheld"),
            NONE: gettext("not available"),
        }

    def flags(self, text: str | None) -> list[str]:
        """Quality flags in words."""
        return [str(terms.FLAGS.get(flag, flag)) for flag in (text or "").split()]

    def unit(self, unit: str | None) -> str:
        """A unit, as it stands after a number or in a list."""
        return self._once(self._unit, unit)

    def _unit(self, unit: str | None) -> str:
        if unit is None:
            return gettext("without unit")
        if per := re.fullmatch(r"per ([0-9][0-9 ]{0,20})", unit):
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
        if method.endswith(ROUNDED):
            said = gettext("{method}, made wider by what rounding may have moved")
            return said.format(method=self.method(method.removesuffix(ROUNDED)))
        if standard := re.fullmatch(r"directly standardised \((.+)\), Fay–Feuer interval", method):
            return str(terms.STANDARDISED).format(standard=standard[1])
        return str(terms.METHODS.get(method, method))

    def period(self, code: str) -> str:
        """A period as people say it."""
        return self._once(self._period, code)

    def _period(self, code: str) -> str:
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

    @property
    def ranks(self) -> Mapping[str, int]:
        """Place → where it stands in the order of names in this language; of equal names, by id."""

        def made() -> dict[str, int]:
            there = {*self.figures.places, *self.figures.about.texts["place"]}
            ids = sorted(there, key=lambda id: (self.place(id).casefold(), id))
            return {id: rank for rank, id in enumerate(ids)}

        return self.figures.memo(("ranks", self.language), made)

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
        if name in terms.DIMENSIONS:
            return str(terms.DIMENSIONS[name])
        label = info.label if info else name
        return texts.dimension_name(name, label, self.language) or label

    def code(self, name: str, code: str) -> str:
        """Name of a group of a breakdown."""
        return self._once(self._code, name, code)

    def _code(self, name: str, code: str) -> str:
        if code == TOTAL:
            return str(terms.TOTAL)
        if code == UNKNOWN:
            return str(terms.UNKNOWN)
        if (name, code) in terms.CODES:
            return str(terms.CODES[name, code])
        info = self.figures.breakdowns.get(name)
        label = info.label_of(code) if info else code
        if name == "age":
            return self._ages(code) or label
        return texts.code_name(name, code, label, self.language) or label

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
        """Name of an indicator, as it was published; see `indicator_language`."""
        return self._indicator(info)[0]

    def indicator_language(self, info: IndicatorInfo) -> str:
        """Language that its name is in."""
        return self._indicator(info)[1]

    def _indicator(self, info: IndicatorInfo) -> tuple[str, str]:
        """In this language if the release has it, or if the name is the catalogue's own; else in the first there is."""
        base = self.language.split("-")[0]
        if found := next((name for name in (self.language, base) if name in info.labels), None):
            return info.labels[found], found
        ours = texts.indicator_name(info.code, info.label(texts.ENGLISH), self.language)
        return (ours, self.language) if ours else (info.label(), next(iter(info.labels), texts.ENGLISH))

    def definition(self, one: Definition) -> tuple[str, str]:
        """Text of a definition and its language: this one, where it is word for word the catalogue's."""
        ours = texts.translated(one.text, self.language) if one.known else None
        return (ours, self.language) if ours else (one.text, texts.ENGLISH)


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
