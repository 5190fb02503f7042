"""Writes what the docs take from the program itself, reference pages and outputs: `python -m docs.make_reference`."""

from __future__ import annotations

import re
import tomllib
import types
from collections.abc import Callable, Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from docs.make_survey_pages import answers_page, rubric_page, rules_page
from docs.make_tutorials import first_review, first_survey
from docs.page_parts import MADE, anchor, one_line, table
from pydantic.fields import FieldInfo

from safercities.collect.spec import (
    AuditsSpec,
    CodesFrom,
    DimensionFrom,
    FileSpec,
    IncidentsSpec,
    MarginFrom,
    PopulationSpec,
    RatingFrom,
    ReleaseSpec,
    ReplicatesFrom,
    RubricFrom,
    SurveySpec,
    UnitFrom,
    VariableFrom,
    YesFrom,
)
from safercities.config import AboutSpec, AddressesSpec, KnownSpec, MeasureSpec, ObservatorySpec, PublishSpec
from safercities.hub.options import OPTIONS, PREFIX, Option
from safercities.indicators.facts import facts, looks_back
from safercities.indicators.numerators import Acts, Answers, Compared, Goalposts, Index, Ratings
from safercities.indicators.spec import Indicator, Links, Version
from safercities.model.spec import Spec
from safercities.places.spec import GeographySpec

DOCS = Path(__file__).parent

#: Specs of observatory.toml in the order of the page: heading, and a sentence before the table.
OBSERVATORY: dict[type[Spec], tuple[str, str]] = {
    ObservatorySpec: ("The whole file", "Only `[observatory]` is required."),
    AboutSpec: ("[observatory]", "Who this is."),
    GeographySpec: ("[[geographies]]", "One table a level of places. A level may stand twice with other dates."),
    IncidentsSpec: ('[sources.NAME] with kind = "incidents"', "Recorded cases: one row a case, or a count of cases."),
    PopulationSpec: ('[sources.NAME] with kind = "population"', "How many people live where, when."),
    SurveySpec: ('[sources.NAME] with kind = "survey"', "A sample of people: one row a respondent."),
    VariableFrom: (
        "[sources.NAME.variables]",
        'One line an answer: `victim_physical_12m = { column = "p1", yes = [1], no = [2] }`.',
    ),
    ReplicatesFrom: ("[sources.NAME.replicates]", "Replicate weights that came with the file."),
    MarginFrom: ("[[sources.NAME.margins]]", "Population totals that the weights are tied to, one table a margin."),
    YesFrom: ("PSUs taken with certainty", "Which rows belong to PSUs that were not drawn but taken."),
    AuditsSpec: ('[sources.NAME] with kind = "audits"', "Safety audits: one row a point that was looked at."),
    RubricFrom: ("[sources.NAME.rubric]", "One line a parameter: the column with its rating, 0 to 3."),
    RatingFrom: ("Ratings in other words", 'Where ratings are no numbers: `{ column = "light", map = { dark = 0 } }`.'),
    ReleaseSpec: (
        '[sources.NAME] with kind = "release"',
        "Another observatory's releases: a city's for a country, a country's for a region. One table a member.",
    ),
    FileSpec: ("Every file", "These keys fit in every table that names a file. What you leave out is detected."),
    CodesFrom: ("Codes from a column", "Where a column holds the code, or a word that stands for it."),
    DimensionFrom: (
        "[sources.NAME.dimensions]",
        'One line a breakdown: `sex = { column = "sexo", map = { Hombre = "M" } }`.',
    ),
    UnitFrom: (
        "Rows that carry counts",
        'Where a row stands for several cases: `unit = { column = "n", of = "incidents" }`.',
    ),
    MeasureSpec: ("[measure]", "What is measured."),
    PublishSpec: ("[publish]", "Rules for what may leave the office."),
    KnownSpec: (
        "[[publish.known]]",
        "True totals that outsiders know, since somebody publishes them exactly. The attacker then knows them too.",
    ),
    AddressesSpec: ("[publish.addresses]", "Where people live, so that a published point stands for enough of them."),
}
#: Specs of an indicator file, likewise.
INDICATOR: dict[type[Spec], tuple[str, str]] = {
    Indicator: ("The whole file", "One indicator."),
    Version: ("[[versions]]", "One dated definition. A change of meaning is a new version, never an edit."),
    Acts: ("A numerator of records", '`numerator = { acts = ["0401"], units = ["incidents"] }`'),
    Answers: (
        "A numerator of answers",
        'Also a denominator. `numerator = { any = ["victim_robbery_12m"] }`. With several roles, `any` is yes where '
        "one answer is yes, else missing where one is missing, else no; `all` is no where one is no, else missing "
        "where one is missing, else yes; `none` is the opposite of `any`.",
    ),
    Ratings: ("A numerator of ratings", '`numerator = { ratings = "all" }`'),
    Compared: ("A numerator that compares", "Recorded cases for every 100 that people told a survey."),
    Index: ("A numerator of other indicators", "Each is put on a scale from 0 to 100; of several, the weighted mean."),
    Goalposts: (
        "goalposts",
        'One indicator on its scale: `{ of = "sdg.16.1.1", min = 1, max = 1654, transform = "log" }`.',
    ),
    Links: ("[links]", "Where the indicator belongs in the agendas."),
}
_WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date"}


def specs_in(annotation: Any) -> Iterator[type[Spec]]:
    """Every spec that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
        for info in annotation.model_fields.values():
            yield from specs_in(info.annotation)
    for inner in get_args(annotation):
        yield from specs_in(inner)


def words(annotation: Any, headings: dict[type[Spec], tuple[str, str]]) -> str:
    """What a key takes, in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words(inner[0], headings)
    if origin is Literal:
        return " or ".join(f"`{_toml(value)}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(words(part, headings) for part in inner if part is not type(None)))
    if origin is list:
        item = words(inner[0], headings)
        return f"list of ({item})" if " or " in item else f"list of {item}"
    if origin is dict:
        return f"table: name → {words(inner[1], headings)}"
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        heading = headings[annotation][0]
        return f"[{heading.replace('[', '&#91;').replace(']', '&#93;')}](#{anchor(heading)})"
    return _WORDS[annotation]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _key(name: str, info: FieldInfo) -> str:
    return f"`{info.alias or name}`"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if value is None or value in ({}, []) or isinstance(value, Spec):
        return "–"
    if isinstance(value, list):
        return "`[" + ", ".join(map(_toml, value)) + "]`"
    return f"`{_toml(value)}`"


def _with_code(sentence: str) -> str:
    """A sentence whose bits of TOML are set as code."""
    return sentence if "`" in sentence else re.sub(r"(\{.*\}|\[.*\])", r"`\1`", sentence)


def table_of(spec: type[Spec], headings: dict[type[Spec], tuple[str, str]], leave_out: set[str]) -> str:
    """Table of a spec's keys."""
    rows = [
        [
            f"`{info.alias or name}`",
            words(info.annotation, headings),
            _default(info),
            _with_code(info.description or ""),
        ]
        for name, info in spec.model_fields.items()
        if name not in leave_out
    ]
    return table(["key", "takes", "default", "meaning"], rows)


def spec_page(title: str, before: str, headings: dict[type[Spec], tuple[str, str]]) -> str:
    """Page with one section a spec."""
    parts = [f"# {title}\n\n{MADE}\n{before}"]
    for spec, (heading, sentence) in headings.items():
        shared = issubclass(spec, FileSpec) and spec is not FileSpec
        leave_out = set(FileSpec.model_fields) if shared else set()
        more = (
            f"\n\nThe keys of [every file](#{anchor('Every file')}) fit here too; `file` is required." if shared else ""
        )
        shown = re.sub(r"([\[\]])", r"\\\1", heading)
        parts.append(
            f"## {shown} {{ #{anchor(heading)} }}\n\n{sentence}\n\n{table_of(spec, headings, leave_out)}{more}"
        )
    return "\n\n".join(parts) + "\n"


def observatory_page() -> str:
    """Reference of observatory.toml."""
    before = (
        "`observatory.toml` says what the files of an observatory are and what their columns mean. It is a\n"
        "[TOML](https://toml.io) file in UTF-8. A key that is not listed here is refused, with its line and the\n"
        "nearest known key. `safercities init DIR` writes a commented file to begin with."
    )
    example = files("safercities.demo").joinpath("observatory.toml").read_text(encoding="utf-8")
    filled = example.replace("@SEED@", "2016").replace("@COVERS@", "2022/2025")
    whole = f"## A whole example {{ #example }}\n\nThe synthetic city's own file.\n\n```toml\n{filled}```\n"
    return spec_page("observatory.toml", before, OBSERVATORY) + "\n" + whole


def problems_page() -> str:
    """Reference of the problem messages."""
    parts = [
        f"# Problems\n\n{MADE}\nEvery message has a stable code. `safercities check DIR` prints them as\n"
        "`severity: file:row:column: what: what to do`; `--json` adds the code. Rows are numbered as a spreadsheet\n"
        "shows them: the header is row 1.\n\n"
        "An **error** makes `check` end with exit code 1. A **warning** needs a look. A **note** informs.\n"
        "Words in *italics* are filled in."
    ]
    folder = files("safercities.model").joinpath("problems")
    rooms = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    parts.extend(_problems_of(room.name.removesuffix(".toml"), room.read_text(encoding="utf-8")) for room in rooms)
    return "\n\n".join(parts) + "\n"


def _problems_of(room: str, text: str) -> str:
    rows = [
        [f"`{code}`", kind["severity"], _filled(kind["what"]), _filled(kind["todo"])]
        for code, kind in sorted(tomllib.loads(text).items())
    ]
    return f"## {room}\n\n{table(['code', 'severity', 'what', 'what to do'], rows)}"


def _filled(sentence: str) -> str:
    """A sentence with its {details} in italics, and nothing in it that Markdown would take for HTML or a link."""
    safe = re.sub(r"([<>\[\]*_])", r"\\\1", sentence.replace("{{", "\0").replace("}}", "\1"))
    named = re.sub(r"\{([^{}:!.\\]+)[^{}]*\}|\{([^{}]+)\}", lambda m: f"*{(m[1] or m[2])}*", safe)
    return named.replace("\0", "{").replace("\1", "}")


def indicators_page() -> str:
    """Reference of the catalogue of indicators, and of the keys of an indicator file."""
    from safercities.indicators.catalogue import MATERIALS, catalogue, units_of

    entries = catalogue()
    rows = [
        [f"[`{code}`](#{anchor(code)})", entry.on().label, MATERIALS[entry.on().made_of], units_of(entry)]
        for code, entry in entries.items()
    ]
    before = (
        f"# Indicators\n\n{MADE}\nEach indicator is one small TOML file in `src/safercities/indicators/catalogue/`.\n"
        "`safercities indicators` lists them, `safercities indicators CODE` explains one."
    )
    sections = [_indicator(entry) for entry in entries.values()]
    keys = spec_page("Keys of an indicator file", "", INDICATOR).replace(MADE, "").replace("\n## ", "\n### ")
    listed = table(["code", "name", "made of", "unit"], rows)
    return "\n\n".join([before, listed, *sections, "#" + re.sub(r"\n{3,}", "\n\n", keys)])


def _indicator(entry: Indicator) -> str:
    parts = [f"## {entry.code} {{ #{anchor(entry.code)} }}"]
    for version in reversed(entry.versions):
        since = f", in force since {version.valid_from}" if version.valid_from else ""
        rows = {name.lower(): sentence for name, sentence in facts(entry, version)} | {
            "whom it means": version.population,
            "looks back on": looks_back(version.reference_period),
            "breakdowns that the source asks for": ", ".join(version.disaggregations),
            "linked to": _links(entry.links),
            "source": version.source,
            "to read it rightly": version.note,
        }
        listed = "\n".join(f"- **{name}**: {one_line(text)}" for name, text in rows.items() if text)
        definition = one_line(version.definition)
        parts.append(f"**{version.label}** (version {version.version}{since}). {definition}\n\n{listed}")
    return "\n\n".join(parts)


def _links(links: Links) -> str:
    named = {"SDG": links.sdg, "New Urban Agenda, paragraph": links.nua, "CPI": links.cpi, "U4SSC": links.u4ssc}
    return "; ".join(f"{name} {', '.join(map(str, to))}" for name, to in named.items() if to)


def settings_page() -> str:
    """Every setting of the hub."""
    head = (
        "# Settings of the hub\n\n"
        "The hub (`safercities serve`) reads its settings from variables of the environment. None is needed on one "
        "machine. Yes or no is written `1` or `0`; lists have commas between; a rate is a number and `s`, `m`, `h` or "
        "`d`, as `300/m`. What is marked *secret* belongs into a file that only the hub's user can read.\n"
    )
    rows = [[f"`{PREFIX}{one.name}`", one.what + (" *Secret.*" if one.secret else ""), _unset(one)] for one in OPTIONS]
    return "\n".join([MADE, head, table(["variable", "what it is for", "where it is not set"], rows), ""])


def _unset(option: Option) -> str:
    return f"`{option.default}`" if option.default else "–"


PAGES: dict[str, Callable[[], str]] = {
    "reference/observatory-toml.md": observatory_page,
    "reference/problems.md": problems_page,
    "reference/indicators.md": indicators_page,
    "reference/survey-answers.md": answers_page,
    "reference/publication-rules.md": rules_page,
    "reference/audit-rubric.md": rubric_page,
    "reference/settings.md": settings_page,
    "tutorial/first-review.md": first_review,
    "tutorial/first-survey.md": first_survey,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
