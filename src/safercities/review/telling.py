"""Sentences on numbers that come from a sample: how much, how sure, of whom; and why a number is withheld."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from safercities.review.i18n import Texts
from safercities.review.rows import Cell, Number, Series
from safercities.review.words import Words, digits_for, small

#: Flags that publication rules withhold, or warn, for.
REASONS = (
    "few_respondents", "few_positive", "low_effective_n", "few_df", "high_cv", "wide_interval", "single_psu",
    "zero_or_full",
)  # fmt: skip


@dataclass(frozen=True)
class Telling:
    """Speaks of surveys, audits and indices in one language."""

    words: Words

    @property
    def texts(self) -> Texts:
        """The language."""
        return self.words.texts

    # -- numbers ---------------------------------------------------------------------------------------------------

    def bare(self, number: Number, value: float | None) -> str:
        """A value of this number's unit without the unit's name, but with its percent sign."""
        if value is None:
            return "–"
        if number.unit == "%":
            return self.texts.percent(value / 100, digits_of(number))
        return self.texts.number(value, digits_of(number))

    def value(self, number: Number | None) -> str:
        """A value with what it is per: `5.2%`, `31.4 per 1,000 people`, `2.49 of 5`."""
        if number is None:
            return "–"
        if number.withheld:
            return self.withheld(number)
        return self.with_unit(number, self.bare(number, number.value))

    def with_unit(self, number: Number, value: str) -> str:
        """A value already in words, and what it is per."""
        if scale := re.fullmatch(r"(?:score|index) 0–(\d+)", number.unit):
            return self.texts.gettext("{value} of {most}", value=value, most=scale[1])
        if per := re.fullmatch(r"per ([\d ]+)", number.unit):
            size = self.texts.number(float(per[1].replace(" ", "")))
            if number.unit == "per 100":
                return self.texts.gettext("{value} per {size} told to the survey", value=value, size=size)
            return self.texts.gettext("{value} per {size}", value=value, size=size)
        return value

    def unit(self, series: Series) -> str:
        """What the values of a table are, for its caption; empty where the values say it."""
        unit = series.rate_unit
        if scale := re.fullmatch(r"(?:score|index) 0–(\d+)", unit):
            return self.texts.gettext("from 0 to {most}", most=scale[1])
        if per := re.fullmatch(r"per ([\d ]+)", unit):
            size = self.texts.number(float(per[1].replace(" ", "")))
            if unit == "per 100":
                return self.texts.gettext("per {size} told to the survey", size=size)
            return self.texts.gettext("per {size}", size=size)
        return ""

    def caption(self, label: str, series: Series) -> str:
        """What a table shows, of when, per what."""
        period, unit = self.texts.period(series.period), self.unit(series)
        if unit:
            return self.texts.gettext("{label}, {period}, {unit}", label=label, period=period, unit=unit)
        return self.texts.gettext("{label}, {period}", label=label, period=period)

    def ends(self, number: Number) -> str:
        """An interval in words: `4.8% to 5.6%`, `up to 10.3%` where nobody said yes; empty where there is none."""
        low, high = (self.bare(number, end) for end in (number.lower, number.upper))
        if number.one_sided == "none" and number.upper is not None:
            return self.texts.gettext("up to {high}", high=high)
        if number.one_sided == "all" and number.lower is not None:
            return self.texts.gettext("{low} or more", low=low)
        return self.texts.gettext("{low} to {high}", low=low, high=high) if number.has_interval else ""

    def span(self, number: Number) -> str:
        """An interval in the room of a table: `4.8–5.6`."""
        if number.one_sided or not number.has_interval:
            return self.ends(number)
        low, high = number.lower, number.upper
        assert low is not None and high is not None  # noqa: S101, PT018 - has_interval
        digits = digits_of(number)
        return self.texts.span(self.texts.number(low, digits), self.texts.number(high, digits))

    def interval(self, number: Number) -> str:
        """An interval with its level; says where it has one side only; empty where there is none."""
        ends, level = self.ends(number), self.texts.level(number.level)
        if not ends:
            return ""
        if number.one_sided == "none":
            return self.texts.gettext(
                "nobody in the sample said so; the {level} interval reaches {ends}", level=level, ends=ends
            )
        if number.one_sided == "all":
            return self.texts.gettext(
                "everybody in the sample said so; the {level} interval is {ends}", level=level, ends=ends
            )
        return self.texts.gettext("{level} interval {ends}", level=level, ends=ends)

    def about(self, number: Number | None) -> str:
        """An estimated number of a population: `about 801,000 people (759,000 to 844,000)`; empty where there is none.

        Rounded to three figures: more would look surer than it is.
        """
        if number is None or number.withheld or number.value is None:
            return ""
        value = self.texts.number(rounded(number.value))
        ends = ""
        if number.has_interval:
            low, high = (self.texts.number(rounded(max(end or 0.0, 0.0))) for end in (number.lower, number.upper))
            ends = self.texts.gettext("{low} to {high}", low=low, high=high)
        said = {
            "people": self.texts.gettext("about {value} people", value=value),
            "households": self.texts.gettext("about {value} households", value=value),
            "events": self.texts.gettext("about {value} events", value=value),
        }.get(number.unit, self.texts.gettext("about {value}", value=value))
        return f"{said} ({ends})" if ends else said

    def difference(self, value: float, unit: str) -> str:
        """A difference with its sign: `+1.8 percentage points`."""
        digits = 1 if abs(value) >= 0.1 else 2
        size = ("+" if value > 0 else "−" if value < 0 else "") + self.texts.number(abs(value), digits)
        if self.texts.dir == "rtl":
            size = f"\u2066{size}\u2069"
        return self.texts.gettext("{size} percentage points", size=size) if unit == "%" else size

    # -- how sure --------------------------------------------------------------------------------------------------

    def reasons(self, number: Number) -> str:
        """Why a number is withheld, or to be read with care: the first two reasons, never what would tell its value."""
        texts = self.texts
        words = {
            "few_respondents": texts.gettext("too few interviews"),
            "few_positive": texts.gettext("too few of the answers it counts"),
            "low_effective_n": texts.gettext("too few independent interviews"),
            "few_df": texts.gettext("too few sampling units"),
            "high_cv": texts.gettext("standard error too large"),
            "wide_interval": texts.gettext("interval too wide"),
            "single_psu": texts.gettext("all from one sampling unit"),
            "zero_or_full": {
                "none": texts.gettext("nobody in the sample"),
                "all": texts.gettext("everybody in the sample"),
            }.get(number.one_sided, ""),
        }
        said = [words[flag] for flag in REASONS if flag in number.flags and words[flag]]
        return texts.gettext(", ").join(said[:2])

    def withheld(self, number: Number) -> str:
        """That a number is withheld, and why."""
        if number.verdict != "withhold":
            return self.texts.gettext("withheld: somebody could be recognised")
        reason = self.reasons(number) or self.texts.gettext("the publication rules ask for it")
        return self.texts.gettext("withheld: {reason}", reason=reason)

    def care(self, number: Number) -> str:
        """That a number is to be read with care, and why; empty where it is not."""
        if number.withheld or not number.warned:
            return ""
        reason = self.reasons(number)
        said = self.texts.gettext("with care: {reason}", reason=reason)
        return said if reason else self.texts.gettext("with care")

    def scheme(self, name: str) -> str:
        """The publication rules by their title."""
        from safercities.sampling.publication import schemes

        found = schemes().get(name)
        return self.texts.lookup(found.label) if found is not None else name

    def population(self, series: Series) -> str:
        """Whom a survey speaks for, as its source says."""
        found = next((one.population for one in self.words.data.sources if one.name == series.source), "")
        return self.texts.lookup(found) if found else ""

    # -- sentences -------------------------------------------------------------------------------------------------

    def sentence(self, series: Series) -> str:
        """One number of a survey in a sentence; empty where it has none, or may not be shown."""
        cell = series.now
        number = cell.shown(rate=True) if cell is not None else None
        if number is None or cell is None:
            return ""
        label, population = self.words.indicator(series.indicator), self.population(series)
        if population:
            label = self.texts.gettext("{label} ({population})", label=label, population=small(population))
        values = {
            "label": label,
            "value": self.value(number),
            "n": ("≥ " if number.published else "") + self.texts.number(number.n or 0),
            "period": self.texts.period(series.period),
        }
        if interval := self.interval(number):
            said = self.texts.gettext(
                "{label}: {value} ({interval}); {n} interviewed, {period}", **values, interval=interval
            )
        else:
            said = self.texts.gettext("{label}: {value}; {n} interviewed, {period}", **values)
        more = [text for text in (self.about(cell.count), self.care(number)) if text]
        return "; ".join([said, *more]) + "."

    def group(self, names: tuple[str, ...], cell: Cell) -> str:
        """A group by its labels: `Women, 15–24`."""
        return ", ".join(self.words.code(name, cell.codes[name]) for name in names)


def digits_of(number: Number) -> int:
    """Decimals that a number and its interval are shown with.

    Examples
    --------
    >>> from safercities.review.rows import Number
    >>> def of(value, unit):
    ...     return Number(value, None, None, 0.95, None, None, unit, "", (), False)
    >>> digits_of(of(5.24, "%")), digits_of(of(0.31, "%")), digits_of(of(2.493, "score 0–5"))
    (1, 2, 2)
    """
    value = number.value or 0.0
    if number.unit == "%":
        return 2 if 0 < value < 1 else 1
    if number.unit.startswith("per "):
        return digits_for(value, number.unit)
    return 1 if number.unit.startswith("index") else 2


def rounded(value: float, figures: int = 3) -> float:
    """A number with so many significant figures.

    Examples
    --------
    >>> rounded(801_234.0), rounded(95.2), rounded(0.0)
    (801000.0, 95.0, 0.0)
    """
    if value == 0:
        return 0.0
    return float(round(value, min(0, figures - 1 - math.floor(math.log10(abs(value))))))
