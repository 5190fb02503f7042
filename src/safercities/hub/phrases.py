"""Phrases that problems are filled in with: hints and reasons that the layers below say in English, for translation.

Most of what a problem is filled in with is somebody's: names, values, numbers. Some of it is a phrase of ours. Those
that people meet often are listed here, as they are made there; any other stays English within the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

#: Details of problems that may hold a phrase.
DETAILS = frozenset({"hint", "why", "message", "where", "axis"})
PHRASES = (
    "did you mean {code} ({name})?",
    "did you mean {code}? Zeros in front of a code are lost where it is kept as a number",
    "did you mean {code}?",
    "did you mean {code}? Else",
    "did you mean {code}",
    "see the reference of this file for the keys that it takes",
    "it must be one of {codes}",
    "it is the name of several: {codes}",
    "{code} was not valid on that day: add the geography that was",
    "correct it, add the place, or give it as an alias",
    "longitude and latitude have changed places: exchange the two columns",
    "check that longitude and latitude name the right columns, and crs their coordinate reference system",
    "there is more than one “/” in it",
    "quarters run from Q1 to Q4",
    "months run from 01 to 12",
    "the weeks of {year} run from W01 to W{last}",
    "there is no year 0000",
    "it has none of the forms of a period",
    "it has {number}, and a table has at most {most}: each further one makes the cells smaller",
    "at most one of {codes} can stand with place: few people share both in one neighbourhood",
    "an earlier release holds",
    "is to be published too",
    "longitude",
    "latitude",
    "it is not UTF-8 text",
    "Permission denied",
    "No space left on device",
    "No such file or directory",
    "Input should be a valid string",
    "Input should be a valid integer",
    "Input should be a valid number",
    "Input should be a valid boolean",
    "Input should be a valid list",
    "Input should be a valid dictionary",
    "Input should be '{codes}'",
    "Input should be greater than {number}",
    "Input should be greater than or equal to {number}",
    "Input should be less than {number}",
    "Input should be less than or equal to {number}",
)


#: Ours are shorter; looking through what somebody else made long takes the square of its length.
_LONGEST = 500


def phrase(text: str, translate: Callable[[str], str | None]) -> str | None:
    """The phrase in another language, with the blanks around it; None where it is none, or has no translation.

    Examples
    --------
    >>> phrase("did you mean 0101 (Homicide)? ", {"did you mean {code} ({name})?": "¿{code} ({name})?"}.get)
    '¿0101 (Homicide)? '
    """
    line = text.strip()
    if len(line) > _LONGEST:
        return None
    for template, pattern in _patterns():
        match, said = pattern.fullmatch(line), translate(template)
        if match and said:
            filled = said.format(**{name: translate(value) or value for name, value in match.groupdict().items()})
            return text.replace(line, filled, 1)
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each phrase as what matches it; those that say more go first."""
    named = re.compile(r"\\\{(\w+)\\\}")
    found = [(one, re.compile(named.sub(r"(?P<\1>.+?)", re.escape(one)))) for one in PHRASES]
    return sorted(found, key=lambda pair: -len(re.sub(r"\{\w+\}", "", pair[0])))
