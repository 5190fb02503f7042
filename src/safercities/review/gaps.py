"""The section that sets records beside a survey: what is recorded of what people tell, the dark figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safercities.indicators.numerators import Compared
from safercities.review.figures import Table
from safercities.review.rows import Number, Series
from safercities.review.sections import Maker
from safercities.review.strips import Strips, top_of_groups


@dataclass(frozen=True)
class Gap:
    """Recorded beside told: both sides, and what was recorded for every 100 told."""

    label: str
    said: str
    table: Table
    notes: Sequence[str]
    parts: Sequence[Strips]


class Gaps(Maker):
    """Makes the section."""

    def gap(self, series: Series) -> Gap:
        """Recorded, told, and recorded per 100 told: side by side."""
        texts = self.telling.texts
        rows = [row for row in self._sides(series) if row[1]]
        label = self.words.indicator(series.indicator)
        caption = texts.gettext("{label}, {period}", label=label, period=texts.period(series.period))
        head = [texts.gettext("What"), texts.gettext("Number"), texts.gettext("Interval")]
        now = series.now.rate if series.now is not None else None
        notes = [
            texts.gettext(
                "The survey speaks of what happened to those it asks, wherever it happened; the records of what "
                "happened here, to anybody. So the number between them is a measure, not an exact share."
            )
        ]
        if now is not None and now.value is not None and now.value > 100:
            notes.append(texts.gettext("More was recorded than told: the two do not count the same."))
        parts = list(self.group_tables(series, top_of_groups(series)))
        return Gap(label, self.sentence(series), Table(caption, head, rows), notes, parts)

    def sentence(self, series: Series) -> str:
        """What is recorded of what is told, in a sentence; empty where it is not known or withheld."""
        number = series.now.shown(rate=True) if series.now is not None else None
        if number is None or number.value is None:
            return ""
        return self.telling.texts.gettext(
            "{label}, {period}: for every 100 that people told the survey, about {value} stand in the records "
            "({interval}).",
            label=self.words.indicator(series.indicator), period=self.telling.texts.period(series.period),
            value=self.telling.texts.number(number.value), interval=self.telling.interval(number),
        )  # fmt: skip

    def _sides(self, series: Series) -> Iterator[list[str]]:
        """Rows of the table: what the records say, what the survey says, one per 100 of the other."""
        texts = self.telling.texts
        version = self.words.version(series.indicator)
        recorded_from, _, told_from = series.source.partition(" / ")
        if version is not None and isinstance(version.numerator, Compared):
            for code, source, name in (
                (version.numerator.recorded, recorded_from, texts.gettext("Recorded")),
                (version.numerator.surveyed, told_from, texts.gettext("Told to the survey")),
            ):
                number = self._count(code, source, series.period)
                label = f"{name}: {self.words.source(source)}"
                yield [label, *self._side(number)]
            share = self._share(version.numerator.surveyed, told_from, series.period)
            if share is not None:
                yield [self.words.indicator(share.indicator), *self._side(share.now.rate if share.now else None)]
        now = series.now.rate if series.now is not None else None
        yield [texts.gettext("Recorded per 100 told"), *self._side(now)]

    def _share(self, told: str, source: str, period: str) -> Series | None:
        """What victims themselves say that they reported: `surveyed.robbery.reported`."""
        wanted = (told.removesuffix(".incidents") + ".reported", source, period)
        return next((s for s in self.shown.of("survey") if (s.indicator, s.source, s.period) == wanted), None)

    def _count(self, code: str, source: str, period: str) -> Number | None:
        for series in self.shown.everything:
            if (series.indicator, series.source) == (code, source):
                return next((cell.count for cell in series.trend if cell.period == period), None)
        return None

    def _side(self, number: Number | None) -> tuple[str, str]:
        if number is None:
            return ("", "")
        if number.withheld:
            return (self.telling.withheld(number), "–")
        if number.unit in ("people", "households", "events"):
            said, _, ends = self.telling.about(number).partition(" (")
            return (said, ends.removesuffix(")") or "–")
        if number.unit == "%" or number.unit.startswith("per"):
            return (self.telling.bare(number, number.value), self.telling.span(number) or "–")
        return (self.words.value(number), self.words.ends(number))
