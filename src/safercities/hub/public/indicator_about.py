"""What stands under the figures of an indicator: sources, method, definition, what is withheld and why, relatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, ngettext

from safercities.hub import texts
from safercities.hub.figures import Figures
from safercities.hub.figures.about import Definition, IndicatorInfo, ReleaseInfo
from safercities.hub.public import indicator_terms as terms
from safercities.hub.public.words import NONE, UNRELIABLE, WITHHELD, Row, Words, status


@dataclass(frozen=True)
class Source:
    """A source, as its release tells of it."""

    name: str
    label: str
    kind: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Link:
    """An aim that an indicator serves, and which other indicators here serve it."""

    framework: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Related:
    """Another indicator."""

    code: str
    label: str
    language: str


def headlines(figures: Figures, info: IndicatorInfo, place: str, words: Words) -> list[str]:
    """One sentence a source on the newest number at a place: never without its interval, and never added up."""
    found = figures.latest(info.code, place)
    return [headline(row, info, words, several=len(found) > 1) for row in found]


def headline(row: Row, info: IndicatorInfo, words: Words, *, several: bool = False) -> str:
    """The sentence on a row; where there are several sources, it names its own."""
    names = {
        "label": words.indicator(info),
        "place": words.place(row["place"]),
        "period": words.period(row["period"]),
        "value": words.value(row),
        "interval": words.interval(row),
    }
    said = _sentence(row, names["interval"]).format(**names)
    return f"{said} {gettext('Source: {source}.').format(source=words.source(row['source']))}" if several else said


def _sentence(row: Row, interval: str) -> str:
    found = status(row)
    if found == WITHHELD:
        return gettext("{label}, {place}, {period}: the number is withheld to protect people; it is not zero.")
    if found == NONE:
        return gettext("{label}, {place}, {period}: no number is available.")
    if not interval:
        return gettext("{label}, {place}, {period}: {value}; how sure this is was not published.")
    if found == UNRELIABLE:
        return gettext("{label}, {place}, {period}: {value} ({interval}); read it with care.")
    return gettext("{label}, {place}, {period}: {value} ({interval}).")


def sources(info: IndicatorInfo, figures: Figures, words: Words) -> list[Source]:
    """The sources of an indicator, each with what is told of it."""
    return [_source(name, figures, words) for name in info.sources]


def _source(name: str, figures: Figures, words: Words) -> Source:
    told = figures.sources.get(name)
    if told is None:
        return Source(name, name, "", ())
    facts = [
        (gettext("What a row counts"), words.unit(told.unit) if told.unit else ""),
        (gettext("Days covered"), words.isolated(told.covers.replace("/", " – ")) if told.covers else ""),
        (gettext("Of whom"), told.population),
    ]
    kind = str(terms.SOURCES.get(told.kind, told.kind))
    return Source(name, words.source(name), kind, tuple(fact for fact in facts if fact[1]))


@dataclass(frozen=True)
class Defined:
    """A version of the definition, and its text in the language of the page or as it was published."""

    version: str
    known: bool
    label: str
    text: str
    language: str
    facts: list[tuple[str, str, str]]


def definitions(info: IndicatorInfo, words: Words) -> list[Defined]:
    """The versions of the definition, the newest first."""
    return [_defined(one, words) for one in reversed(info.definitions)]


def _defined(one: Definition, words: Words) -> Defined:
    text, language = words.definition(one)
    label = texts.named(one.label, words.language) if language == words.language else one.label
    return Defined(one.version, one.known, label, text, language, facts(one))


def facts(definition: Definition) -> list[tuple[str, str, str]]:
    """What is told of a definition beside its text: name, text, and the text's language where it may be another one."""
    population = texts.translated(definition.population)
    found = [
        (gettext("Population"), population or definition.population, "" if population else texts.ENGLISH),
        (gettext("Reference period"), _recall(definition.reference_period), ""),
        (gettext("Where the definition comes from"), definition.source, texts.ENGLISH),
        (gettext("What to mind"), definition.note, texts.ENGLISH),
    ]
    return [fact for fact in found if fact[1]]


def _recall(code: str) -> str:
    """How far back a question reaches, as P12M says it."""
    number, unit = code[1:-1], code[-1:]
    if not (code.startswith("P") and number.isascii() and number.isdigit()):
        return code
    count = int(number)
    said = {
        "M": ngettext("the past {n} month", "the past {n} months", count),
        "Y": ngettext("the past {n} year", "the past {n} years", count),
        "D": ngettext("the past {n} day", "the past {n} days", count),
    }.get(unit, code)
    return said.format(n=count)


def protection(figures: Figures, words: Words) -> list[str]:
    """How people are protected in the newest release in force, in sentences."""
    newest = next((one for one in figures.about.releases if one.in_force), None)
    return [] if newest is None else list(_protection(newest, words))


def _protection(release: ReleaseInfo, words: Words) -> Iterator[str]:
    rules: Mapping[str, Any] = release.rules
    if rules.get("method") == "rounding":
        yield gettext(
            "Small counts were rounded before anything else was computed; totals, rates and intervals come from the "
            "rounded counts."
        )
    least, most = rules.get("minimum_count"), rules.get("sensitive_count")
    if isinstance(least, int | float):
        said = gettext("Counts from 1 to {most} cannot be told apart from each other.")
        yield said.format(most=words.number(least - 1))
    if isinstance(most, int | float) and most != least:
        said = gettext("Where something sensitive is concerned, this holds up to {most}.")
        yield said.format(most=words.number(most - 1))
    yield gettext(
        "A number is also withheld where it could be worked out from others, or where too few people were asked: "
        "a withheld number is not always a small one."
    )
    if isinstance(rules.get("attacker"), Mapping):
        yield gettext("Before publication the tables were attacked with everything that had been published before.")


def links(info: IndicatorInfo) -> list[Link]:
    """The aims that it serves, by framework."""
    found = ((name, tuple(str(code) for code in info.links.get(name) or ())) for name in terms.FRAMEWORKS)
    return [Link(str(terms.FRAMEWORKS[name]), codes) for name, codes in found if codes]


def related(figures: Figures, info: IndicatorInfo, words: Words) -> list[Related]:
    """Other indicators that serve the same target of the Sustainable Development Goals, the nearest first."""
    own = set(info.links.get("sdg") or ())
    shared = {
        code: len(own.intersection(other.links.get("sdg") or ()))
        for code, other in figures.indicators.items()
        if code != info.code
    }
    near = sorted((code for code, count in shared.items() if count), key=lambda code: (-shared[code], code))[:12]
    infos = [figures.indicators[code] for code in near]
    return [Related(one.code, words.indicator(one), words.indicator_language(one)) for one in infos]
