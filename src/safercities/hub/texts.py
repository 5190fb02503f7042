"""Texts of the layers below in the reader's language: what problems say; names of built-in indicators and codes.

They are written in English beside what they belong to: kinds of problems, the catalogue of indicators, code lists.
Their translations are a gettext domain of their own (`locale/<language>/LC_MESSAGES/catalogue.po`): the message is the
English text; of problems, the template, filled in after it was translated. What lacks a translation is told in English.
"""

from __future__ import annotations

import gettext
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from django.conf import settings
from django.utils.translation import get_language, get_language_info, to_locale

from safercities import terminal
from safercities.hub import phrases
from safercities.hub.languages import TEXTS
from safercities.model.errors import Problem, catalogue
from safercities.model.printable import one_line, without_controls

ENGLISH = "en"


class _Nothing(gettext.NullTranslations):
    """What is asked where the catalogue has nothing: says so, so that a translation may also be the English word."""

    def gettext(self, message: str) -> str:
        """Nothing."""
        return ""


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    folders = [Path(folder) for folder in settings.LOCALE_PATHS]
    for folder in folders:
        if gettext.find(TEXTS, folder, [to_locale(language)]):
            found = gettext.translation(TEXTS, folder, [to_locale(language)])
            found.add_fallback(_Nothing())
            return found
    return _Nothing()


def translated(text: str, language: str | None = None) -> str | None:
    """The text in that language, by default the request's; None where it has no translation.

    Examples
    --------
    >>> translated("Intentional homicide", "es"), translated("Intentional homicide", "en")
    ('Homicidio intencional', None)
    """
    line = " ".join(text.split())
    return (line and _catalogue(language or get_language() or ENGLISH).gettext(line)) or None


def named(text: str, language: str | None = None) -> str:
    """A name that stands in the code: translated, or as it is."""
    return translated(text, language) or text


def indicator_name(code: str, label: str, language: str | None = None) -> str | None:
    """Translation of an indicator's published name, where the name is the catalogue's own; else None.

    What stands in a signed release is the observatory's: an indicator that it named otherwise keeps that name.
    """
    from safercities.indicators.catalogue import catalogue as indicators

    entry = indicators().get(code)
    known = entry is not None and any(version.label == label for version in entry.versions)
    return translated(label, language) if known else None


def code_name(dimension: str, code: str, label: str, language: str | None = None) -> str | None:
    """Translation of a code's published name, where the name is the built-in code list's own; else None.

    Countries are called as Unicode's CLDR calls them.
    """
    from safercities.model.dimensions import dimension as known

    codes = known(dimension).codes
    if codes is None or codes.label_of(code) != label:
        return None
    if codes.id == "ISO3166":
        territories = Locale.parse(to_locale(language or get_language() or ENGLISH)).territories
        return str(territories[code]) if code in territories else None
    return translated(label, language)


def dimension_name(name: str, label: str, language: str | None = None) -> str | None:
    """Translation of a breakdown's name, where it is the built-in one; else None."""
    from safercities.model.dimensions import dimension, dimensions

    return translated(label, language) if name in dimensions() and dimension(name).label == label else None


# -- problems ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """A problem in words. `english`: it is not in the language of the page."""

    what: str
    todo: str
    english: bool = False


def kept(one: Problem) -> dict[str, Any]:
    """A problem as jobs keep it: as `--json` prints it, and what its sentences are filled in with."""
    told = {name: _plain(value) for name, value in terminal.as_dict(one).items()}
    return told | {"details": {name: _plain(value) for name, value in one.details}}


def _plain(value: object) -> object:
    """A value that JSON holds, and that is written as it was: numbers may have a format, all else is text."""
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return without_controls(str(value))  # PostgreSQL's JSON holds no zero character, and no number without end


def said(one: Problem | Mapping[str, Any], language: str | None = None) -> Said:
    """A problem, or one that a job kept, in that language, by default the request's; else in English.

    Jobs of earlier versions kept no details: they are told in the English that they kept.
    """
    language = language or get_language() or ENGLISH
    told = kept(one) if isinstance(one, Problem) else one
    english = Said(str(told.get("what") or ""), str(told.get("todo") or ""), english=not is_english(language))
    kind, details = catalogue().get(str(told.get("code"))), told.get("details")
    if kind is None or not isinstance(details, Mapping) or not english.english:
        return english
    what, todo = translated(kind.what, language), translated(kind.todo, language)
    if what is None or todo is None:
        return english
    words = {name: told.get(name) for name in ("file", "row", "column", "rows")} | dict(details)
    isolated = {name: _filled(name, value, language) for name, value in words.items()}
    try:
        return Said(_ordered(what.format(**isolated), language), _ordered(todo.format(**isolated), language))
    except (LookupError, ValueError, AttributeError, TypeError):  # an ill-formed translation, or other details
        return english


def is_english(language: str | None = None) -> bool:
    """Whether that language, by default the request's, is English: then there is nothing to translate."""
    return (language or get_language() or ENGLISH).split("-")[0] == ENGLISH


def _filled(name: str, value: object, language: str) -> object:
    """A value within a sentence, on one line: phrases of ours translated; others keep their direction of writing."""
    if not isinstance(value, str):
        return value
    line = one_line(value)
    if name in phrases.DETAILS and (ours := phrases.phrase(line, lambda text: translated(text, language))):
        return ours
    return f"\u2068{line}\u2069" if line and get_language_info(language)["bidi"] else line


#: Settings as they are typed, with the isolated values in them: `{ column = …, map = … }`, `[sources.x]`.
_TYPED = re.compile(r"[\[{\"A-Za-z](?:[\x20-\x7e…]|\u2068[^\u2069]*\u2069)*[\]}\"A-Za-z0-9…]")


def _ordered(text: str, language: str) -> str:
    """The sentence; where writing goes from right to left, what is typed into files still reads from left to right."""
    if not get_language_info(language)["bidi"]:
        return text

    def isolated(found: re.Match[str]) -> str:
        return f"\u2066{found[0]}\u2069" if re.search(r"[=\[\]{}]", found[0]) else found[0]

    return _TYPED.sub(isolated, text)
