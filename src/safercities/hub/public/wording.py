"""Words of pages that tell of releases and files: numbers, sizes, days and lists; those of figures are in `words`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from babel.lists import format_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from safercities.hub.figures import Figures
from safercities.hub.public import indicator_terms as terms
from safercities.hub.public.words import NONE, OK, UNRELIABLE, Row, Words, status


def plain() -> Words:
    """Words in the language of the request for numbers, days and periods, which need no figures."""
    return Words(cast(Figures, None))


def size(number_of_bytes: int) -> str:
    """How large a file is."""
    words = plain()
    if number_of_bytes < 1000:
        return ngettext("%(n)s byte", "%(n)s bytes", number_of_bytes) % {"n": words.number(number_of_bytes)}
    if number_of_bytes < 1_000_000:
        return _("%(n)s kB") % {"n": words.number(number_of_bytes / 1000)}
    return _("%(n)s MB") % {"n": words.number(number_of_bytes / 1_000_000, 1)}


def listed(names: Iterable[str]) -> str:
    """Several names as a language lists them."""
    return str(format_list(list(names), locale=plain().locale))


def has_interval(row: Row | None) -> bool:
    """Whether it says a number, and how sure that is on both sides."""
    return row is not None and status(row) in (OK, UNRELIABLE) and None not in (row["lower"], row["upper"])


def comparable(unit: str | None) -> bool:
    """Whether groups of different size can be compared by numbers of this unit: rates, shares and scores can."""
    return unit is not None and unit not in terms.COUNTED


def missing() -> str:
    """What is said where a place has no number at all."""
    return plain().status(NONE)
