"""Sentences of the review: how safe, how sure, what changed, what cannot be said. Plain words, never alarm."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from safercities.measure.breakdown import COUNT, CRUDE
from safercities.measure.rows import ROUNDED
from safercities.model.dimensions import age_range
from safercities.model.estimates import UNKNOWN
from safercities.model.periods import Period
from safercities.model.quality import FLAGS
from safercities.review.changes import Change, change
from safercities.review.i18n import Texts
from safercities.review.rows import Cell, Number, Series

if TYPE_CHECKING:
    from safercities.indicators.spec import Version
    from safercities.model.places import Place
    from safercities.review.data import ReviewData

#: SDMX codes of ages that words are made for; others keep the label that the source gives.
AGE_GROUP = re.compile(r"Y\d+(T\d+)?|Y_GE\d+")


@dataclass(frozen=True)
class Words:
    """Speaks of estimates in one language.

    Parameters
    ----------
    texts
        The language.
    data
        What the review is about: names of places, labels of codes.
    """

    texts: Texts
    data: ReviewData

    # -- names -----------------------------------------------------------------------------------------------------

    def place(self, place: str) -> str:
        """Name of a place; its id where the hierarchy does not know it.

        Places that share level and name are told apart by the place that they lie in, else by their ids.
        """
        if place == self.data.place.id:
            return self.data.place.name
        if place not in self.data.hierarchy:
            return place
        found = self.data.hierarchy[place]
        if self._names[found.level, found.name] < 2:
            return found.name
        above = self._above(found)
        return f"{found.name} ({above if self._names[found.level, found.name, above] == 1 else found.id})"

    def _above(self, place: Place) -> str:
        parent = place.parent if place.parent != self.data.place.id else None
        return self.data.hierarchy[parent].name if parent is not None else ""

    @cached_property
    def _names(self) -> Counter[tuple[str, ...]]:
        """How many places of the period share level and name, and level, name and the name of the place above."""
        found: Counter[tuple[str, ...]] = Counter()
        period, tree = Period.parse(self.data.period), self.data.hierarchy
        for place in tree.places:
            if tree.valid_on(place.id, period.start) or tree.valid_on(place.id, period.end):
                found.update([(place.level, place.name), (place.level, place.name, self._above(place))])
        return found

    def version(self, indicator: str) -> Version | None:
        """The definition of an indicator that is in force in the review's period."""
        found = self.data.indicators.get(indicator)
        return found.on(Period.parse(self.data.period).start) if found is not None else None

    def indicator(self, indicator: str) -> str:
        """Label of an indicator; its code where the catalogue lacks it."""
        version = self.version(indicator)
        return self.texts.lookup(version.label) if version is not None else indicator

    def source(self, source: str) -> str:
        """Label of a source."""
        found = next((s.label for s in self.data.sources if s.name == source), source)
        return self.texts.lookup(found)

    def dimension(self, name: str) -> str:
        """Label of a breakdown."""
        info = self.data.dimensions.get(name)
        return self.texts.lookup(info.label if info is not None and info.label else name)

    def code(self, name: str, code: str) -> str:
        """Label of a code of a breakdown."""
        if code == UNKNOWN:
            return self.texts.gettext("not known")
        if name == "age" and AGE_GROUP.fullmatch(code):
            return self._ages(*age_range(code))
        info = self.data.dimensions.get(name)
        return self.texts.lookup((info.labels.get(code) if info is not None else None) or code)

    def _ages(self, low: int, high: int | None) -> str:
        if high is None:
            return self.texts.gettext("{low} and over", low=low)
        return str(low) if low == high else self.texts.span(low, high)

    def level(self, level: str) -> str:
        """Name of a level of places."""
        return self.texts.lookup(level.replace("_", " "))

    def method(self, method: str) -> str:
        """How a number was made."""
        if method.endswith(ROUNDED):
            method = self.method(method.removesuffix(ROUNDED))
            return self.texts.gettext("{method}, made wider by what rounding may have moved", method=method)
        if method == COUNT:
            return self.texts.gettext("number of cases with its exact Poisson interval (Garwood)")
        if method == CRUDE:
            return self.texts.gettext("cases over person-years with the exact Poisson interval (Garwood)")
        standard = re.fullmatch(r"directly standardised \((.+)\), Fay–Feuer interval", method)
        if standard:
            return self.texts.gettext(
                "rate as if the ages were those of the standard population {standard}, with the Fay–Feuer interval",
                standard=standard[1],
            )
        return self.texts.lookup(method)

    # -- numbers ---------------------------------------------------------------------------------------------------

    def unit(self, unit: str, n: float = 3) -> str:
        """What is counted, in the form that `n` asks for (default: several), or what a rate is over."""
        per = re.fullmatch(r"per ([\d\s,.]+)(.*)", unit)
        if per:
            size = self.texts.number(float(re.sub(r"\D", "", per[1])))
            return self.texts.gettext("per {size} people a year", size=size)
        count = round(n)
        if unit == "victims":
            return self.texts.ngettext("victim", "victims", count)
        if unit == "incidents":
            return self.texts.ngettext("incident", "incidents", count)
        if unit == "offences":
            return self.texts.ngettext("offence", "offences", count)
        if unit == "respondents":
            return self.texts.ngettext("respondent", "respondents", count)
        if unit == "points":
            return self.texts.ngettext("audited point", "audited points", count)
        return self.texts.lookup(unit)

    def value(self, number: Number | None, digits: int | None = None) -> str:
        """A value; a dash where there is none, a word where it is withheld."""
        if number is None:
            return "–"
        if number.withheld:
            return self.texts.gettext("withheld")
        if number.value is None:
            return "–"
        return self.texts.number(number.value, digits_for(number.value, number.unit) if digits is None else digits)

    def ends(self, number: Number | None, digits: int | None = None) -> str:
        """An interval as `547 to 644`; a dash where there is none."""
        if number is None or number.lower is None or number.upper is None:
            return "–"
        size = number.value if number.value else number.upper
        digits = digits_for(size, number.unit) if digits is None else digits
        low, high = (self.texts.number(end, digits) for end in (number.lower, number.upper))
        return self.texts.gettext("{low} to {high}", low=low, high=high)

    def span(self, number: Number | None, digits: int | None = None) -> str:
        """An interval in the room of a table: `547–644`."""
        if number is None or number.lower is None or number.upper is None:
            return "–"
        digits = digits_for(number.value or number.upper, number.unit) if digits is None else digits
        return self.texts.span(self.texts.number(number.lower, digits), self.texts.number(number.upper, digits))

    def interval(self, number: Number) -> str:
        """An interval with its level: `95% interval 547 to 644`."""
        return self.texts.gettext(
            "{level} interval {ends}", level=self.texts.level(number.level), ends=self.ends(number)
        )

    def flags(self, flags: tuple[str, ...]) -> list[str]:
        """Quality flags as sentences."""
        return [self.texts.lookup(FLAGS.get(flag, flag)) for flag in flags]

    # -- sentences -------------------------------------------------------------------------------------------------

    def headline(self, series: Series) -> list[str]:
        """How safe the place is, how that changed, what cannot be said."""
        cell = series.now
        if cell is not None and cell.count is not None and cell.count.withheld:
            return [self._hidden(series)]
        if cell is None or cell.count is None or cell.count.value is None:
            return [self.texts.gettext("Nothing can be said of {period} yet.", period=self.texts.period(series.period))]
        said = [self._level(series, cell, cell.count)]
        changes = [text for text in (self.since(series, which) for which in ("first", "previous")) if text]
        said += [self.texts.gettext("{change}.", change=capital(text)) for text in changes]
        if not series.has_rate:
            said.append(self.no_rate(series))
        return said

    def _hidden(self, series: Series) -> str:
        return self.texts.gettext(
            "{label} in {place}, {period}: the number is withheld, so that nobody can be recognised.",
            label=self.indicator(series.indicator), place=self.data.place.name,
            period=self.texts.period(series.period),
        )  # fmt: skip

    def counted(self, number: Number) -> str:
        """A number of cases with its unit; only a word where it is withheld."""
        return (
            self.value(number)
            if number.withheld
            else f"{self.value(number)} {self.unit(number.unit, number.value or 0)}"
        )

    def _level(self, series: Series, cell: Cell, count: Number) -> str:
        values = {
            "period": self.texts.period(series.period),
            "place": self.data.place.name,
            "label": self.indicator(series.indicator),
            "unit": self.unit(series.count_unit, count.value or 0),
            "count": self.value(count),
        }
        rate = cell.shown(rate=True)
        interval = self.interval(rate or count) if (rate or count).has_interval else ""
        values |= {"rate": self.value(rate), "per": self.unit(series.rate_unit), "interval": interval}
        said = self._killed(values, round(count.value or 0)) if series.indicator == "sdg.16.1.1" else None
        said = said or self.texts.gettext("{label} in {place}, {period}: {count} {unit}", **values)
        if rate is not None:
            said = self.texts.gettext("{said}, that is {rate} {per}", **values, said=said)
        return self.texts.gettext("{said} ({interval}).", said=said, interval=interval) if interval else said + "."

    def _killed(self, values: dict[str, str], count: int) -> str:
        return self.texts.ngettext(
            "In {period}, one person was killed on purpose in {place}",
            "In {period}, {count} people were killed on purpose in {place}",
            count,
            **values,
        )

    def no_rate(self, series: Series) -> str:
        """Why there is no rate."""
        version = self.version(series.indicator)
        if version is not None and version.denominator == "none":
            return self.texts.gettext("This indicator is a number of cases; it has no rate.")
        return self.texts.gettext(
            "How high each person's risk is in {place} as a whole cannot be said: there is no matching population for "
            "{period}, so there is no rate.",
            place=self.data.place.name, period=self.texts.period(series.period),
        )  # fmt: skip

    def since(self, series: Series, which: str) -> str | None:
        """The change since the previous or the first complete period, in words, with its interval; None without one."""
        whole = series.complete
        if series.now is None or len(whole) < 2 or whole[-1] is not series.now:
            return None
        if which == "first" and len(whole) < 3:  # the first is the previous
            return None
        before = whole[-2] if which == "previous" else whole[0]
        found = change(series.now, before)
        return None if found is None else self.change(found, self.texts.period(before.period))

    def change(self, found: Change, period: str) -> str:
        """A change as `71% fewer than in 2010 (95% interval 68% to 73% fewer)`."""
        low, high = sorted((abs(found.lower - 1), abs(found.upper - 1)))
        size, level = self._percent(abs(found.ratio - 1)), self.texts.level(found.level)
        values = {
            "size": size,
            "period": period,
            "level": level,
            "low": self._percent(low),
            "high": self._percent(high),
        }
        if found.upper < 1:
            return self._fewer(values, found.of_rates)
        if found.lower > 1:
            return self._more(values, found.of_rates)
        values |= {
            "size": self._signed(found.ratio),
            "low": self._signed(found.lower),
            "high": self._signed(found.upper),
        }
        return self.texts.gettext(
            "no clear change since {period}: {size} ({level} interval {low} to {high}, which includes no change)",
            **values,
        )

    def _fewer(self, values: dict[str, str], rates: bool) -> str:
        if rates:
            return self.texts.gettext(
                "{size} lower than in {period} ({level} interval {low} to {high} lower)", **values
            )
        return self.texts.gettext("{size} fewer than in {period} ({level} interval {low} to {high} fewer)", **values)

    def _more(self, values: dict[str, str], rates: bool) -> str:
        if rates:
            return self.texts.gettext(
                "{size} higher than in {period} ({level} interval {low} to {high} higher)", **values
            )
        return self.texts.gettext("{size} more than in {period} ({level} interval {low} to {high} more)", **values)

    def _percent(self, share: float) -> str:
        return self.texts.percent(share, 0 if round(share, 2) >= 0.01 or share == 0 else 1)

    def _signed(self, ratio: float) -> str:
        sign = "−" if ratio < 1 else "+"
        return f"{sign}{self._percent(abs(ratio - 1))}"


def digits_for(value: float, unit: str) -> int:
    """Decimals of a number: none for counts, about three significant digits for rates.

    Examples
    --------
    >>> digits_for(594, "victims"), digits_for(24.5, "per 100 000"), digits_for(0.31, "per 100 000")
    (0, 1, 2)
    """
    if not unit.startswith("per ") or abs(value) >= 1000:
        return 0
    return 1 if abs(value) >= 1 or value == 0 else 2


def capital(text: str) -> str:
    """A text with its first letter large."""
    return text[:1].upper() + text[1:]


def small(label: str) -> str:
    """A label within a sentence: its first letter small, unless it is an abbreviation."""
    return label if label.isupper() else label[:1].lower() + label[1:]
