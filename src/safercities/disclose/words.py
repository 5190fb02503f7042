"""What an attacker found, in plain words: what he would learn, and from which published numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safercities.disclose.attack_public import Opening, Report
from safercities.disclose.audit import Fact

#: More numbers than this are not listed.
MOST_FACTS = 12
#: More groups than this are not listed.
MOST_GROUPS = 20


def learned(opening: Opening) -> str:
    """What the attacker would learn.

    Examples
    --------
    >>> learned(Opening("withheld", "Robbery, Female, Centro, 2024", 2, 2, 2))
    'Robbery, Female, Centro, 2024: exactly 2, though it is withheld'
    >>> learned(Opening("withheld", "Robbery, Female, Centro, 2024", 2, 3, 2))
    'Robbery, Female, Centro, 2024: 2 to 3, though it is withheld'
    """
    one = opening
    if one.kind == "group":
        return f"{one.what}: there are none, so that whoever belongs to the group has this characteristic"
    if one.kind == "late":
        return f"{one.what} between two releases: so few cases were added or taken away"
    if one.kind == "uniform":
        return f"{one.what}: none are shown, which stands for {one.lower} to {one.upper}"
    number = f"exactly {one.lower}" if one.lower == one.upper else f"{one.lower} to {one.upper}"
    why = {
        "small": "which should not be shown",
        "withheld": "though it is withheld",
        "derived": "though it was not published",
        "rounded": "though such counts are to be rounded: protection left it out",
        "true": "though it was rounded",
        "survey": "though the estimate is withheld",
    }
    return f"{one.what}: {number}, {why[one.kind]}"


def reasons(facts: Sequence[Fact]) -> Iterator[str]:
    """From which numbers it follows, one a line, the plain ones first; how often each is added or taken away.

    Examples
    --------
    >>> list(reasons([Fact("Robbery, Centro: 20", 1.0, 20, 20), Fact("Robbery, Male, Centro: 18", -1.0, 18, 18)]))
    ['+ Robbery, Centro: 20', '− Robbery, Male, Centro: 18']
    """
    for fact in facts[:MOST_FACTS]:
        times = abs(fact.times)
        often = "" if abs(times - 1) < 1e-6 else f"{times:.4g} × "
        yield f"{'+' if fact.times > 0 else '−'} {often}{fact.label}"
    if len(facts) > MOST_FACTS:
        yield f"and {len(facts) - MOST_FACTS} numbers more"


def certificate(opening: Opening) -> list[str]:
    """What the attacker would learn, then from what, indented."""
    return [learned(opening), *(f"    {line}" for line in reasons(opening.facts))]


def summary(report: Report) -> str:
    """How it ended, in a sentence.

    Examples
    --------
    >>> summary(Report((), 12, 30, 4))
    'No protected number can be pinned down more closely than to 5 possible values.'
    """
    found = len(report.openings)
    if found:
        return f"{found:,} number{'s' if found != 1 else ''} can be pinned down that must not be."
    if report.narrowest is None:
        return "Nothing is withheld, and nothing follows from what is published that was to be protected."
    return f"No protected number can be pinned down more closely than to {report.narrowest + 1:,} possible values."


def told(report: Report) -> list[str]:
    """All that was found, for the person who attacks a release: openings first, then what was examined.

    Examples
    --------
    >>> alike = Opening("uniform", "Robbery, Migrant, Centro: cases of another migration", 0, 4, 1)
    >>> told(Report((), 1, 1, uniform=(alike,)))  # doctest: +NORMALIZE_WHITESPACE
    ['All cases that are shown of 1 group have one characteristic. Few others are possible:',
     '    Robbery, Migrant, Centro: cases of another migration: none are shown, which stands for 0 to 4',
     'Examined: 1 cells, with 1 facts.',
     'Nothing is withheld, and nothing follows from what is published that was to be protected.']
    """
    lines = [line for one in report.openings for line in certificate(one)]
    if number := len(report.uniform):
        many = f"{number:,} groups have one characteristic each" if number > 1 else "1 group have one characteristic"
        lines.append(f"All cases that are shown of {many}. Few others are possible:")
        lines += [f"    {learned(one)}" for one in report.uniform[:MOST_GROUPS]]
        if number > MOST_GROUPS:
            lines.append(f"    and {number - MOST_GROUPS:,} more")
    lines.append(f"Examined: {report.checked:,} cells, with {report.facts:,} facts.")
    lines += [f"{note[:1].upper()}{note[1:]}." for note in report.notes]
    return [*lines, summary(report)]
