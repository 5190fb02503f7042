"""What stands on the page, section by section, as plain values for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from safercities.model.errors import Problem
from safercities.model.periods import Recall
from safercities.review.atlas import chart_map, geography_of
from safercities.review.figures import Figure, Painter, Table
from safercities.review.i18n import SOURCE_LANGUAGE, Texts
from safercities.review.rows import Cell, Number, Series, Shown
from safercities.review.sampled import Sampled, sampled
from safercities.review.words import Words, capital

if TYPE_CHECKING:
    from safercities.indicators.spec import Version
    from safercities.review.data import ReviewData, SourceSummary
    from safercities.review.released import Released


@dataclass(frozen=True)
class Card:
    """One indicator at a glance."""

    label: str
    source: str
    value: str
    unit: str
    interval: str
    count: str
    changes: Sequence[str]
    sparkline: Markup
    notes: Sequence[str]


@dataclass(frozen=True)
class Where:
    """One indicator on one level of places."""

    label: str
    level: str
    map: Markup
    note: str
    figure: Figure


@dataclass(frozen=True)
class Who:
    """One indicator's breakdowns."""

    label: str
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Made:
    """How one indicator was made."""

    label: str
    code: str
    facts: Sequence[tuple[str, str, str]]  # name, text, language of the text
    folded: bool = False


@dataclass(frozen=True)
class Page:
    """The whole page."""

    period: str
    headline: Sequence[str]
    cards: Sequence[Card]
    trends: Sequence[Figure]
    where: Sequence[Where]
    who: Sequence[Who]
    sources_compared: Sequence[Figure]
    sampled: Sampled
    made: Sequence[Made]
    left_out: Sequence[Table]
    problems: Sequence[tuple[str, Table]]
    published: Sequence[str] = ()  # which releases, and how people are protected in them
    protection: Sequence[tuple[str, str]] = ()  # name, text


def page(data: ReviewData, texts: Texts) -> Page:
    """Everything that one page says and draws."""
    words = Words(texts, data)
    painter = Painter(words)
    shown = Shown(data)
    series = shown.series
    main = _main(series)
    others = sampled(shown, words)
    compared = [several for several in _by_indicator(series) if len(several) > 1]
    return Page(
        period=texts.period(data.period),
        headline=[*(words.headline(_leading(main)) if main else []), *others.headline],
        cards=[_card(words, painter, item, f"card{i}") for i, item in enumerate(series)],
        trends=[painter.trend([item], f"trend{i}") for i, item in enumerate(main) if len(item.trend) > 1],
        where=list(_where(words, painter, main, data)),
        who=list(_who(words, painter, main)),
        sources_compared=[painter.trend(several, f"sources{i}") for i, several in enumerate(compared)],
        sampled=others,
        made=[_made(words, item) for item in shown.everything],
        left_out=[
            table for table in (_read_table(words, data.sources), _located_table(words, data.sources)) if table.rows
        ],
        problems=_problems(texts, [whole.without_cells(data.named) for whole in data.problems]),
        published=_published(texts, data.released) if data.released else (),
        protection=_protection(texts, data.released) if data.released else (),
    )


def _published(texts: Texts, released: Released) -> list[str]:
    """Which releases everything comes from, and in one sentence how people are protected in them."""
    names = ", ".join(f"{one.name} ({texts.period(one.published.isoformat())})" for one in released.releases)
    said = [texts.gettext("Published in: {names}.", names=names)]
    k, more = released.least
    values = {"k": texts.number(k), "more": texts.number(more)}
    if released.method == "rounding":
        said.append(
            texts.gettext(
                "Counts are rounded to protect people: cases of small groups become 0 or {k} ({more} where something "
                "sensitive takes part), and every number is made of what is left.",
                **values,
            )
        )
    if released.method == "suppression":
        said.append(
            texts.gettext(
                "Counts below {k} ({more} where something sensitive takes part) are withheld to protect people, and so "
                "are numbers that would give them away.",
                **values,
            )
        )
    return said


def _protection(texts: Texts, released: Released) -> list[tuple[str, str]]:
    """What withheld means, for those who look it up."""
    said = texts.gettext(
        "There is a number, and it is not published, so that nobody can be recognised. It is neither zero nor missing, "
        "and need not be small: larger ones are withheld where a small one would follow from them."
    )
    return [(texts.gettext("Withheld to protect people"), said)]


def _main(series: Sequence[Series]) -> list[Series]:
    """The first source of each indicator that says something of the review's period; else its first."""
    return [next((item for item in several if item.now is not None), several[0]) for several in _by_indicator(series)]


def _by_indicator(series: Sequence[Series]) -> list[list[Series]]:
    found: dict[str, list[Series]] = {}
    for item in series:
        found.setdefault(item.indicator, []).append(item)
    return list(found.values())


def _leading(main: Sequence[Series]) -> Series:
    """The indicator of the first sentence: intentional homicide where there is one, else the first."""
    return next((item for item in main if item.indicator == "sdg.16.1.1" and item.now is not None), main[0])


def _card(words: Words, painter: Painter, series: Series, uid: str) -> Card:
    cell, texts = series.now, words.texts
    number = (cell.shown(series.has_rate) or cell.count) if cell is not None else None
    unit = series.rate_unit if series.has_rate else series.count_unit
    count = cell.count if cell is not None and series.has_rate else None
    changes = [capital(text) for text in (words.since(series, which) for which in ("previous", "first")) if text]
    return Card(
        label=words.indicator(series.indicator),
        source=words.source(series.source),
        value=words.value(number),
        unit="" if number is not None and number.withheld else words.unit(unit, _value(number)),
        interval=words.interval(number) if number is not None and number.has_interval else "",
        count=words.counted(count) if count is not None else "",
        changes=changes,
        sparkline=painter.sparkline(series, uid),
        notes=[
            capital(text)
            for text in (words.flags(cell.flags) if cell is not None else [texts.gettext("no data for this period")])
        ],
    )


def _value(number: Number | None) -> float:
    return number.value if number is not None and number.value is not None else 0


def _where(words: Words, painter: Painter, main: Sequence[Series], data: ReviewData) -> Sequence[Where]:
    found = []
    for index, series in enumerate(main):
        for position, (level, cells) in enumerate(_levels(series, data).items()):
            uid = f"where{index}-{position}"
            geography = geography_of(data, level)
            drawn = chart_map(words, series, geography, cells, f"{uid}-map") if geography is not None else Markup("")
            label = words.indicator(series.indicator)
            note = _map_note(words.texts, any(cell.shown(rate=True) for cell in cells))
            found.append(Where(label, words.level(level), drawn, note, painter.places(series, level, cells, uid)))
    return found


def _map_note(texts: Texts, rate: bool) -> str:
    if rate:
        return texts.gettext("Places in one class are alike; the limits of the classes are rounded.")
    return texts.gettext(
        "Circles show numbers of cases, not risks: more people live or pass in some places than in others."
    )


def _levels(series: Series, data: ReviewData) -> dict[str, list[Cell]]:
    levels: dict[str, list[Cell]] = {}
    for cell in series.places:
        if not cell.codes and cell.place in data.hierarchy:
            levels.setdefault(data.hierarchy[cell.place].level, []).append(cell)
    return {level: levels[level] for level in data.hierarchy.levels if level in levels}


def _who(words: Words, painter: Painter, main: Sequence[Series]) -> Sequence[Who]:
    found = []
    for index, series in enumerate(main):
        figures = [painter.group(series, names, f"who{index}-{i}") for i, names in enumerate(series.groups)]
        if figures:
            found.append(Who(words.indicator(series.indicator), figures))
    return found


def _made(words: Words, series: Series) -> Made:
    texts, version = words.texts, words.version(series.indicator)
    cell = series.now
    facts = [
        *(_defined(texts, version) if version is not None else []),
        *(_recorded(words, cell, series) if series.made_of == "incidents" else _told(words, series, version)),
        (texts.gettext("Method"), "; ".join(words.method(method) for method in series.methods)),
        (texts.gettext("Remarks"), "; ".join(words.flags(cell.flags)) if cell is not None else ""),
    ]
    spoken = [
        (name, texts.lookup(text), texts.lang_of(text) if text in _foreign(version) else texts.language)
        for name, text in facts
    ]
    folded = series.made_of != "incidents"
    return Made(words.indicator(series.indicator), series.indicator, [fact for fact in spoken if fact[1]], folded)


def _recorded(words: Words, cell: Cell | None, series: Series) -> list[tuple[str, str]]:
    """What a number of records counts, and over whom."""
    texts = words.texts
    return [
        (texts.gettext("Source of the cases"), words.source(series.source)),
        (texts.gettext("Unit of count"), words.unit(series.count_unit)),
        (texts.gettext("Population"), _population(words, cell, series)),
    ]


def _told(words: Words, series: Series, version: Version | None) -> list[tuple[str, str]]:
    """Who was asked, about which time."""
    texts = words.texts
    recall = version.reference_period if version is not None else ""
    months = Recall.parse(recall).months if recall and recall[-1] in "MY" else 0
    sources = " / ".join(words.source(name) for name in series.source.split(" / "))
    return [
        (texts.gettext("Source"), sources),
        (texts.gettext("The definition speaks of"), version.population if version is not None else ""),
        (
            texts.gettext("Looks back on"),
            texts.gettext("months before the interview: {n}", n=texts.number(months)) if months else "",
        ),
    ]


def _defined(texts: Texts, version: Version) -> list[tuple[str, str]]:
    """What the definition says, in its own language."""
    acts = version.counted if version.made_of == "incidents" else None
    return [
        (texts.gettext("Definition"), version.definition),
        (texts.gettext("Version of the definition"), version.version),
        (texts.gettext("Defined in"), version.source),
        (texts.gettext("Acts counted (ICCS)"), ", ".join(acts.acts) if acts else ""),
        (texts.gettext("Acts left out (ICCS)"), ", ".join(acts.without) if acts else ""),
        (texts.gettext("To be read with care"), version.note),
    ]


def _foreign(version: Version | None) -> tuple[str, ...]:
    return (version.definition, version.source, version.note, version.population) if version is not None else ()


def _population(words: Words, cell: Cell | None, series: Series) -> str:
    texts = words.texts
    if cell is None or cell.rate is None or not cell.rate.denominator:
        parts = {
            level: sum(cell.shown(rate=True) is not None for cell in cells)
            for level, cells in _levels(series, words.data).items()
        }
        if any(parts.values()):
            return "; ".join(
                texts.ngettext(
                    "of {n} place only ({level})", "of {n} places ({level}), not of the whole", n,
                    level=words.level(level),
                )
                for level, n in parts.items() if n
            )  # fmt: skip
        return texts.gettext("none: only numbers of cases are given")
    people = texts.number(cell.rate.denominator)
    return texts.gettext("{people} person-years in {period}", people=people, period=texts.period(series.period))


def _read_table(words: Words, sources: Sequence[SourceSummary]) -> Table:
    """Rows read = kept + left out, for each source."""
    texts = words.texts
    head = [
        texts.gettext("Source"), texts.gettext("File"), texts.gettext("Rows read"), texts.gettext("Rows kept"),
        texts.gettext("Rows left out"), texts.gettext("What is counted"), texts.gettext("Covers"),
    ]  # fmt: skip
    rows = [
        [
            words.source(source.name), source.file, texts.number(source.rows_read), texts.number(source.rows_kept),
            texts.number(source.rows_rejected), words.unit(source.unit) if source.unit else "–",
            texts.period(str(source.covers)) if source.covers else "–",
        ]
        for source in sources
    ]  # fmt: skip
    return Table(texts.gettext("Rows read = rows kept + rows left out"), head, rows)


def _located_table(words: Words, sources: Sequence[SourceSummary]) -> Table:
    """Records kept = placed + without place, for each source and level."""
    texts = words.texts
    head = [
        texts.gettext("Source"), texts.gettext("Level"), texts.gettext("Records kept"), texts.gettext("Placed"),
        texts.gettext("Without coordinates"), texts.gettext("Outside every place"),
        texts.gettext("Unknown code of place"),
    ]  # fmt: skip
    rows = []
    for source in sources:
        for level, counts in source.located.items():
            numbers = [counts.get(name, 0) for name in ("placed", "no_coordinates", "outside", "unknown_code")]
            shown = [texts.number(number) for number in (sum(numbers), *numbers)]
            rows.append([words.source(source.name), words.level(level), *shown])
    return Table(texts.gettext("Records kept = records placed + records without a place"), head, rows)


def _problems(texts: Texts, problems: Sequence[Problem]) -> list[tuple[str, Table]]:
    """Problems grouped by severity and kind: how many, the first place, what to do."""
    names = {"error": texts.gettext("Errors"), "warning": texts.gettext("Warnings"), "note": texts.gettext("Notes")}
    head = [texts.gettext("What"), texts.gettext("Where first"), texts.gettext("Rows"), texts.gettext("What to do")]
    found = []
    for severity, name in names.items():
        groups: dict[tuple[object, ...], list[Problem]] = {}
        for problem in problems:
            if str(problem.severity) == severity:
                key = (problem.code, problem.file, problem.column, problem.what)
                groups.setdefault(key, []).append(problem)
        rows = [[group[0].what, group[0].where, texts.number(_rows(group)), group[0].todo] for group in groups.values()]
        if rows:
            lang = SOURCE_LANGUAGE if texts.language != SOURCE_LANGUAGE else ""
            found.append((name, Table(name, head, rows, lang=lang)))
    return found


def _rows(group: Sequence[Problem]) -> int:
    return sum(item.rows for item in group)
