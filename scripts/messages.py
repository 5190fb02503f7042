"""The hub's catalogues of texts: gathers them from code and templates; `--check` only says what is stale or missing.

Two domains: `django.po`, the texts of the hub itself, and `catalogue.po`, texts of the layers below it that the hub
shows in the reader's language (see `safercities.hub.texts`): kinds of problems, names of indicators and codes.
Needs no GNU gettext: Django turns templates into calls, Babel finds the calls and writes the catalogues.
"""

from __future__ import annotations

import ast
import gettext
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from safercities.hub.languages import CATALOGUE, OWN, TEXTS
from safercities.hub.phrases import PHRASES

SAFERCITIES = Path(__file__).parents[1] / "src" / "safercities"
HUB, PROBLEMS = SAFERCITIES / "hub", SAFERCITIES / "model" / "problems"
LANGUAGES = ("fr", "es", "ar", "zh_Hans", "ru")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

#: Files of problems that only the command line meets: attacks on files, the demo, running a hub, the review, Spark and
#: other engines, reading SDMX files.
NOT_SHOWN = {"attack", "demo", "engine", "operate", "review", "sdmx"}
#: Kinds in these files that somebody meets in the hub all the same: what jobs of measuring may end with.
SHOWN = {"duck-refused", "survey-far-apart"}
#: Code lists whose names come from elsewhere (Unicode's CLDR) or that no page shows.
NOT_LISTED = {"ISO3166", "M49"}
#: What a formatted text is filled in with: %(names)s and {names}.
_PERCENT = re.compile(r"%\((\w+)\)[sd]")

#: Lines of a catalogue's head that say when and by whom: git knows.
_NAMES = rb"POT-Creation-Date|PO-Revision-Date|Last-Translator|Generated-By|Language-Team|Report-Msgid-Bugs-To"
_DATED = re.compile(rb'^"(' + _NAMES + rb"|Project-Id-Version): [^\n]*\n", flags=re.MULTILINE)


def gather() -> Catalog:
    """Every text of the hub, with the files it stands in. No lines: they would change with every edit."""
    catalog = Catalog(charset="utf-8")
    for path in sorted([*HUB.rglob("*.py"), *HUB.rglob("*.html"), *HUB.rglob("*.txt")]):
        for _, message, _, context in extract("python", BytesIO(_calls(path)), KEYWORDS):
            string = ("", "") if isinstance(message, tuple) else ""
            catalog.add(message, string, [(path.relative_to(HUB).as_posix(), 0)], context=context)
    for message in catalog:
        message.locations = sorted({(file, 0) for file, _ in message.locations})
    return catalog


def _calls(path: Path) -> bytes:
    """Code as it is, and the calls within its f-strings; of a template, the calls.

    They stand one a line: a template's own indentation is not Python's, and Babel looks into no f-string.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return "\n".join([text, *_inside(text)]).encode()
    lines = (line.strip() for line in templatize(text, origin=path.name).splitlines())
    return "\n".join(re.sub(r"\bX+\b", "", line).strip() for line in lines).encode()


def _inside(code: str) -> Iterator[str]:
    """The calls of gettext that stand within f-strings."""
    for formatted in ast.walk(ast.parse(code)):
        if isinstance(formatted, ast.JoinedStr):
            for node in ast.walk(formatted):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS:
                    yield ast.unparse(node)


def below() -> Catalog:
    """Texts of the layers below that the hub shows: problems, with where they stand, and names of the built-in."""
    catalog = Catalog(charset="utf-8")
    for path in sorted(PROBLEMS.glob("*.toml")):
        for code, kind in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if path.stem not in NOT_SHOWN or code in SHOWN:
                for text in (kind["what"], kind["todo"]):
                    catalog.add(_line(text), "", [(f"model/problems/{path.name}", 0)])
    for text, place in [*names(), *((one, "hub/phrases.py") for one in PHRASES)]:
        if text:
            catalog.add(_line(text), "", [(place, 0)])
    for message in catalog:
        message.locations = sorted({(file, 0) for file, _ in message.locations})
    return catalog


def names() -> Iterator[tuple[str, str]]:
    """What indicators, answers of surveys, breakdowns and their codes are called, and where that stands."""
    from safercities.indicators.answers import answers
    from safercities.indicators.catalogue import catalogue as indicators
    from safercities.model.dimensions import code_list, code_lists, dimension, dimensions

    for code, indicator in indicators().items():
        for version in indicator.versions:
            for text in (version.label, version.definition, version.population):
                yield text, f"indicators/catalogue/{code}.toml"
    for answer in answers().values():
        yield answer.question, "indicators/answers.toml"
    for name in dimensions():
        yield dimension(name).label, "model/dimensions.py"
    for id in code_lists():
        if id not in NOT_LISTED:
            for code_ in code_list(id):
                yield code_.label, f"model/codelists/{id}.csv"


def _line(text: str) -> str:
    return " ".join(text.split())


#: Domain → how its texts are gathered.
DOMAINS = {OWN: gather, TEXTS: below}


def catalogue(language: str, domain: str) -> Path:
    """File of a language."""
    return HUB / "locale" / CATALOGUE.format(language=language, domain=domain, kind="po")


def updated(language: str, domain: str, found: Catalog) -> Catalog:
    """The language's catalogue with the texts of today, sorted; those that are gone are dropped, nothing is guessed."""
    path = catalogue(language, domain)
    old = read_po(BytesIO(path.read_bytes()), locale=language) if path.exists() else Catalog(locale=language)
    new = Catalog(locale=language, project="safercities", charset="utf-8", fuzzy=False)
    new.mime_headers  # noqa: B018  # computed with the plural rule of the language
    for message in found:
        if message.id:
            known = old.get(message.id, message.context)
            string = known.string if known is not None and not known.fuzzy else _empty(message, new)
            new.add(message.id, string, message.locations, context=message.context, flags=message.flags)
    return new


def _empty(message: Message, catalog: Catalog) -> str | tuple[str, ...]:
    return ("",) * catalog.num_plurals if message.pluralizable else ""


def text(catalog: Catalog) -> bytes:
    """The catalogue as a file: the same for the same texts, whenever and by whomever it is written."""
    out = BytesIO()
    write_po(out, catalog, width=100, sort_output=True, omit_header=False, include_lineno=False)
    lasting = _DATED.sub(b"", out.getvalue())
    return re.sub(rb"\A(#[^\n]*\n)+", b"# Texts of the hub. `make messages` gathers them; write msgstr.\n", lasting)


def missing(language: str, domain: str, catalog: Catalog) -> list[str]:
    """Texts without a translation here, and (of the hub itself) none in Django's or allauth's own catalogues."""
    there = gettext.NullTranslations()
    for package in () if domain != OWN else ("django.contrib.auth", "django", "allauth"):
        spec = find_spec(package)
        folders = spec.submodule_search_locations if spec else None
        for folder in folders or ():
            base = Path(folder) / ("conf/locale" if package == "django" else "locale")
            file = base / language / "LC_MESSAGES" / "django.mo"
            if file.is_file():
                with file.open("rb") as data:
                    there.add_fallback(gettext.GNUTranslations(data))
    return [str(each.id) for each in catalog if each.id and not _told(each, there)]


def _told(message: Message, elsewhere: gettext.NullTranslations) -> bool:
    if isinstance(message.string, tuple):
        return all(message.string)
    return bool(message.string) or elsewhere.gettext(message.id) != message.id


def ill_formed(catalog: Catalog) -> list[str]:
    """Texts whose translation is filled in with other names or in another form: it cannot be shown, or not rightly."""
    return [str(each.id) for each in catalog if each.id and not _fits(each)]


def _fits(message: Message) -> bool:
    if isinstance(message.id, str):
        return not message.string or _filled(message.string) == _filled(message.id)
    known = [one for text in message.id for one in _filled(text)]  # a form of its own for one or two needs no number
    return all(_is_among(_filled(text), known) for text in message.string)


def _is_among(found: list[str], known: list[str]) -> bool:
    return "not a format" not in found and set(found) <= set(known)


def _filled(text: str) -> list[str]:
    """What the text is filled in with, in any order: each name once, with its format."""
    try:
        fields = {f"{name}!{how}:{form}" for _, name, form, how in Formatter().parse(text) if name is not None}
    except ValueError:
        fields = {"not a format"} if "{" in text or "}" in text else set()
    return sorted({*fields, *_PERCENT.findall(text)})


def main() -> int:
    """Write the catalogues, or check them."""
    check = "--check" in sys.argv[1:]
    wrong = [each for domain, found in DOMAINS.items() for each in treat(domain, found(), check=check)]
    print("\n".join(wrong), end="\n" if wrong else "")
    return int(bool(wrong) and check)


def treat(domain: str, found: Catalog, *, check: bool) -> Iterator[str]:
    """Write a domain's catalogues, unless they are only checked; gives what is wrong with them."""
    for language in LANGUAGES:
        new = updated(language, domain, found)
        path, data, about = catalogue(language, domain), text(new), f"{language} {domain}"
        if check and (not path.exists() or path.read_bytes() != data):
            yield f"{about}: texts changed, the catalogue did not. Run: make messages"
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if lacking := missing(language, domain, new):
            yield f"{about}: {len(lacking)} of {len(new)} texts are not translated, the first: {lacking[0]!r}"
        if wrong := ill_formed(new):
            yield f"{about}: {len(wrong)} translations are filled in otherwise than the text, the first: {wrong[0]!r}"


if __name__ == "__main__":
    sys.exit(main())
