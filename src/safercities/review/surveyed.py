"""The sections on surveys: what people told, who, where; and how far two groups differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safercities.model.periods import Recall
from safercities.review.differences import Difference, since
from safercities.review.rows import Series
from safercities.review.sections import Maker, Parts
from safercities.review.strips import Entry, Strips, numbers_of, top_of, top_of_groups
from safercities.review.words import capital, small

if TYPE_CHECKING:
    from safercities.sampling.contrasts import Contrast

#: Indicators that the first sentence chooses from, in this order.
LEADING = ("sdg.16.1.4", "sdg.16.1.3", "sdg.16.1.3.physical", "sdg.11.7.2")

#: Clear differences between groups of one breakdown that are told in words.
MOST_TOLD = 3


@dataclass(frozen=True)
class Survey:
    """One survey: what it is, and its numbers at a glance."""

    label: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Strips]
    notes: Sequence[str]


class Told(Maker):
    """Makes the sections on surveys."""

    @property
    def told(self) -> list[Series]:
        """Every indicator of a survey."""
        return self.shown.of("survey")

    def headline(self) -> str:
        """One number of a survey in a sentence; empty where there is none."""
        by_code = {series.indicator: series for series in reversed(self.told)}
        ordered = [by_code[code] for code in LEADING if code in by_code] + self.told
        leading = next((series for series in ordered if self.telling.sentence(series)), None)
        if leading is None:
            return ""
        change = since(self.shown.data, leading)
        said = [self.telling.sentence(leading), *([self._change(leading, change)] if change is not None else [])]
        return " ".join(said)

    def survey(self, source: str) -> Survey:
        """One survey: facts, then its numbers, those of one unit on one scale."""
        its = [series for series in self.told if series.source == source]
        tables = []
        for unit in dict.fromkeys(series.rate_unit for series in its):
            alike = [series for series in its if series.rate_unit == unit and series.now is not None]
            if alike:
                tables.append(self._overview(alike))
        return Survey(self.words.source(source), self._facts(source, its), tables, self._survey_notes(its))

    def _overview(self, several: Sequence[Series]) -> Strips:
        texts = self.telling.texts
        entries = [
            Entry(self.words.indicator(series.indicator), series.now, self.below(series))
            for series in several
            if series.now is not None
        ]
        caption = self.telling.caption(self.words.source(several[0].source), several[0])
        return self.stripper.table(
            caption,
            texts.gettext("Indicator"),
            entries,
            top=top_of(entry.cell.rate for entry in entries),
            count=texts.gettext("Interviewed"),
        )

    def _facts(self, source: str, its: Sequence[Series]) -> list[tuple[str, str]]:
        texts = self.telling.texts
        numbers = [number for series in its if series.now and (number := series.now.rate) is not None]
        periods = dict.fromkeys(texts.period(series.period) for series in its)
        schemes = dict.fromkeys(
            number.scheme
            for series in its
            for cell in (series.now,) if cell is not None
            for number in (cell.rate, cell.count) if number is not None and number.scheme
        )  # fmt: skip
        most = max((number.n for number in numbers if number.n is not None), default=0)
        facts = [
            (texts.gettext("Speaks for"), self.telling.population(its[0])),
            (texts.gettext("Interviews of"), ", ".join(periods)),
            (texts.gettext("Interviewed"), texts.number(most) if most else ""),
            (
                texts.gettext("Rules of publication"),
                "; ".join(self.telling.scheme(name) for name in schemes)
                or texts.gettext("none: every estimate is shown"),
            ),
        ]
        return [fact for fact in facts if fact[1]]

    def _survey_notes(self, its: Sequence[Series]) -> list[str]:
        texts = self.telling.texts
        notes = []
        recorded = {series.period for series in self.shown.series if series.now is not None}
        if recorded and (other := [series for series in its if series.period not in recorded]):
            notes.append(
                texts.gettext(
                    "The interviews are of {wave}, the records of {period}: they do not speak of the same time.",
                    wave=texts.period(other[0].period), period=texts.period(max(recorded)),
                )
            )  # fmt: skip
        if recalls := sorted({months for series in its if (months := self._recall(series))}):
            notes.append(
                texts.gettext(
                    "Questions that look back ask about the last {months} months before the interview, not about a "
                    "calendar year.",
                    months=self.telling.texts.gettext(" or ").join(texts.number(months) for months in recalls),
                )
            )
        return [*notes, *self._changes(its)]

    def _changes(self, its: Sequence[Series]) -> list[str]:
        """What changed clearly since the interviews before, and how many indicators were looked at."""
        texts = self.telling.texts
        found = [(series, change) for series in its if (change := since(self.shown.data, series)) is not None]
        if not found:
            beside = texts.gettext(
                "Earlier interviews stand beside the latest with their own intervals. No change is claimed: how far "
                "the two differ by chance is not worked out here."
            )
            return [beside] if any(len(series.trend) > 1 for series in its) else []
        clear = [(series, change) for series, change in found if change.clear]
        looked = texts.ngettext(
            "{n} indicator was compared with the interviews before.",
            "{n} indicators were compared with the interviews before.",
            len(found),
        )
        left = texts.gettext("No interval leaves out “no change”.")
        if clear:
            left = texts.ngettext(
                "{n} interval leaves out “no change” and is told here.",
                "{n} intervals leave out “no change” and are told here.",
                len(clear),
            )
        chance = texts.gettext(
            "Among indicators that did not change at all, about {share} would do so by chance.",
            share=texts.level(1 - found[0][1].level),
        )
        told = [f"{self.words.indicator(series.indicator)}: {self._change(series, change)}" for series, change in clear]
        return [f"{looked} {left} {chance}", *told]

    def _change(self, series: Series, change: Contrast) -> str:
        """A change in a sentence, with its interval."""
        texts, number = self.telling.texts, series.now.rate if series.now is not None else None
        size = self.telling.difference(change.difference, series.rate_unit)
        values = {
            "size": size if number is None else self.telling.with_unit(number, size),
            "period": texts.period(change.other["period"]),
            "level": texts.level(change.level),
            "low": self.telling.difference(change.difference_lower, ""),
            "high": self.telling.difference(change.difference_upper, ""),
        }
        if change.clear:
            said = texts.gettext("{size} since {period} ({level} interval {low} to {high})", **values)
        else:
            said = texts.gettext(
                "no clear change since {period}: {size} ({level} interval {low} to {high}, which includes no change)",
                **values,
            )
        return f"{capital(said)}."

    def _recall(self, series: Series) -> int:
        version = self.words.version(series.indicator)
        text = version.reference_period if version is not None else ""
        return Recall.parse(text).months if text and text[-1] in "MY" else 0

    def groups(self, series: Series, found: Sequence[Difference]) -> Parts | None:
        """The breakdowns of one indicator: clear differences in words, then every group."""
        tables = list(self.group_tables(series, top_of_groups(series)))
        if not tables:
            return None
        texts = self.telling.texts
        clear = [one for one in found if one.clear]
        names = dict.fromkeys(small(self.words.dimension(name)) for one in clear for name in one.names)
        short = texts.gettext("no clear difference between groups")
        if clear:
            short = texts.gettext("clear differences by {by}", by=texts.gettext(", ").join(names))
        if not found:
            short = ""
        return Parts(self.words.indicator(series.indicator), short, self._said(series, clear), tables)

    def _said(self, series: Series, clear: Sequence[Difference]) -> list[str]:
        """Clear differences in words: the largest, and how many more there are."""
        said = []
        for one in sorted(clear, key=lambda one: -abs(one.value))[:MOST_TOLD]:
            unit = series.rate_unit
            ends = (self.telling.difference(end, "") for end in (one.lower, one.upper))
            said.append(
                self.telling.texts.gettext(
                    "{one}: {value}; {other}: {other_value}. Difference {difference} ({level} interval {low} to "
                    "{high}).",
                    one=capital(self.telling.group(one.names, one.one)),
                    value=self.telling.value(one.one.rate),
                    other=capital(self.telling.group(one.names, one.other)),
                    other_value=self.telling.value(one.other.rate),
                    difference=self.telling.difference(one.value, unit),
                    level=self.telling.texts.level(one.level),
                    **dict(zip(("low", "high"), ends, strict=True)),
                )
            )
        if more := len(clear) - len(said):
            text = "Smaller clear differences: {more}. They stand in data.xlsx."
            said.append(self.telling.texts.gettext(text, more=self.telling.texts.number(more)))
        return said

    def compared(self, found: Sequence[Difference]) -> str:
        """How many differences were looked at, and how many would look clear by chance."""
        if not found:
            return ""
        texts = self.telling.texts
        looked = texts.ngettext(
            "{n} pair of groups was compared.", "{n} pairs of groups were compared.", len(found)
        )  # fmt: skip
        left = texts.gettext("No interval leaves out “no difference”.")
        if clear := sum(one.clear for one in found):
            left = texts.ngettext(
                "{n} interval leaves out “no difference” and is told here.",
                "{n} intervals leave out “no difference”; the largest are told here.",
                clear,
            )
        chance = texts.gettext(
            "Among pairs that do not differ at all, about {share} would do so by chance.",
            share=texts.level(1 - found[0].level),
        )
        return f"{looked} {left} {chance}"

    def places(self, series: Series) -> Parts | None:
        """The places of one indicator, by name: direct estimates beside smoothed ones, where there are any."""
        levels = self.levels(series)
        if not levels:
            return None
        short = []
        for level, cells in levels.items():
            hidden = sum(cell.rate is not None and cell.rate.withheld for cell in cells)
            short.append(self._shown_of(self.words.level(level), len(cells) - hidden, len(cells)))
        tables = list(self.place_tables(series, top_of(numbers_of(series, series.places))))
        return Parts(self.words.indicator(series.indicator), "; ".join(short), [], tables)

    def _shown_of(self, level: str, shown: int, n: int) -> str:
        texts = self.telling.texts
        if not shown:
            return texts.gettext("{level}: all withheld", level=level)
        return texts.gettext("{level}: {shown} of {n} shown", level=level, shown=texts.number(shown),
                             n=texts.number(n))  # fmt: skip
