"""The sections on safety audits and on indices."""

from __future__ import annotations

from markupsafe import Markup

from safercities.review.atlas import chart_scores, geography_of
from safercities.review.rows import Series
from safercities.review.sections import Maker, Parts
from safercities.review.strips import Entry, Strips

#: Shown by place; the parameters that it is made of are shown for all points together.
SCORE = "audit.safety_score"


class Audited(Maker):
    """Makes both sections."""

    def audit(self, source: str) -> Parts:
        """The score, then what was rated, then places and groups."""
        texts = self.telling.texts
        its = [series for series in self.shown.of("audits") if series.source == source and series.now is not None]
        tables = []
        for unit in dict.fromkeys(series.rate_unit for series in its):
            alike = [series for series in its if series.rate_unit == unit]
            entries = [Entry(self.words.indicator(s.indicator), s.now, self.below(s)) for s in alike if s.now]
            caption = self.telling.caption(self.words.source(source), alike[0])
            first, count = texts.gettext("Indicator"), texts.gettext("Points")
            tables.append(self.stripper.table(caption, first, entries, top=_most(unit), count=count))
        drawn = Markup("")
        for series in sorted(its, key=lambda series: series.indicator != SCORE)[:1]:
            drawn = self._score_map(series)
            top = _most(series.rate_unit)
            tables += [*self.place_tables(series, top), *self.group_tables(series, top)]
        said = [
            texts.gettext(
                "A score says how places looked to the auditors at that hour, not how much happens there. The points "
                "were chosen, not drawn at random: the numbers speak for the points that were visited."
            )
        ]
        return Parts(self.words.source(source), "", said, tables, drawn)

    def _score_map(self, series: Series) -> Markup:
        """Scores on the finest level that has boundaries."""
        for level, cells in reversed(self.levels(series).items()):
            geography = geography_of(self.data, level)
            if geography is not None:
                number = self.shown.everything.index(series)
                return chart_scores(self.telling, series, geography, cells, f"audit{number}-map")
        return Markup("")

    def index(self, code: str) -> tuple[Strips, str]:
        """One index by source and period, and what to keep in mind."""
        texts = self.telling.texts
        its = [series for series in self.shown.of("index") if series.indicator == code]
        entries = [
            Entry(f"{self.words.source(series.source)}, {texts.period(cell.period)}", cell)
            for series in its
            for cell in series.trend
            if cell.rate is not None
        ]
        unit = self.telling.unit(its[0])
        caption = texts.gettext("{label}, {unit}", label=self.words.indicator(code), unit=unit)
        table = self.stripper.table(
            caption, texts.gettext("Source and period"), entries, top=100.0, count=texts.gettext("Cases")
        )
        return table, self._formed(code)

    def _formed(self, code: str) -> str:
        texts, version = self.telling.texts, self.words.version(code)
        said = texts.gettext(
            "An index squeezes a rate between two goalposts: where they stand far apart, large differences in life "
            "look small here. Read the rate first."
        )
        return f"{said} {texts.lookup(version.definition)}" if version is not None else said


def _most(unit: str) -> float:
    """Upper end of a score's scale: `score 0–5` → 5."""
    end = unit.rpartition("–")[2]
    return float(end) if end.isdecimal() else 5.0
