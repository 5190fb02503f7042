"""The hub's catalogues of texts: gathers them from code and templates; `--check` only says what is stale or missing.

Needs no GNU gettext: Django turns templates into calls, Babel finds the calls and writes the catalogues.
"""

from __future__ import annotations

import gettext
import re
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

HUB = Path(__file__).parents[1] / "src" / "safercities" / "hub"
LANGUAGES = ("fr", "es", "ar", "zh_Hans", "ru")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

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
    """Code as it is; of a template, the calls: one a line, since its own indentation is not Python's."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text.encode()
    lines = (line.strip() for line in templatize(text, origin=path.name).splitlines())
    return "\n".join(re.sub(r"\bX+\b", "", line).strip() for line in lines).encode()


def catalogue(language: str) -> Path:
    """File of a language."""
    return HUB / "locale" / language / "LC_MESSAGES" / "django.po"


def updated(language: str, found: Catalog) -> Catalog:
    """The language's catalogue with the texts of today, sorted; those that are gone are dropped, nothing is guessed."""
    path = catalogue(language)
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


def missing(language: str, catalog: Catalog) -> list[str]:
    """Texts without a translation here, and none in Django's or allauth's own catalogues."""
    there = gettext.NullTranslations()
    for package in ("django.contrib.auth", "django", "allauth"):
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


def main() -> int:
    """Write the catalogues, or check them."""
    check, found, wrong = "--check" in sys.argv[1:], gather(), 0
    for language in LANGUAGES:
        new = updated(language, found)
        path, data = catalogue(language), text(new)
        if check and (not path.exists() or path.read_bytes() != data):
            print(f"{language}: texts changed, the catalogue did not. Run: make messages")
            wrong = 1
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        lacking = missing(language, new)
        if lacking:
            print(f"{language}: {len(lacking)} of {len(new)} texts are not translated, the first: {lacking[0]!r}")
            wrong = 1
    return wrong if check else 0


if __name__ == "__main__":
    sys.exit(main())
