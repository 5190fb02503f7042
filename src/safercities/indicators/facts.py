"""What an indicator is made of and over what, in plain English: names and sentences, for whoever shows a definition."""

from __future__ import annotations

from collections.abc import Iterator

from safercities.indicators.answers import answers
from safercities.indicators.numerators import Acts, Answers, Compared, Goalposts, Index, Ratings
from safercities.indicators.spec import Indicator, Version
from safercities.model.dimensions import code_list

_WORDS = {"none": "nothing", "respondents": "all respondents", "population": "the population"}
_SPANS = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_TRANSFORMS = {"none": "", "log": ", on a logarithmic scale", "fourth_root": ", by fourth roots"}


def facts(indicator: Indicator, version: Version) -> Iterator[tuple[str, str]]:
    """Names and sentences: what is counted or asked, over whom, in which unit.

    Examples
    --------
    >>> from safercities.indicators.catalogue import indicator
    >>> entry = indicator("sdg.16.3.1.sexual")
    >>> for name, sentence in facts(entry, entry.on()):
    ...     print(f"{name}: {sentence}")
    Yes to: reported_sexual (Reported sexual violence)
    Over: respondents who said yes to victim_sexual_12m (Victim of sexual violence, 12 months)
    No answer: left out, and counted as missing
    Unit: %
    """
    numerator = version.numerator
    if isinstance(numerator, Acts):
        yield from _of_acts(numerator, version)
        return
    if isinstance(numerator, Answers):
        yield from _of_answers(numerator, version)
    elif isinstance(numerator, Ratings):
        yield "Ratings of", ", ".join(name.replace("_", " ") for name in numerator.parameters)
    elif isinstance(numerator, Compared):
        yield "Recorded", numerator.recorded
        yield "Over", f"{numerator.surveyed}, both as numbers of cases of the same place and period"
    elif isinstance(numerator, Index):
        yield "Scale", "; ".join(map(_scale, numerator.goalposts))
    yield "Unit", indicator.unit(version)


def looks_back(period: str) -> str:
    """The time that answers look back on, in words.

    Examples
    --------
    >>> looks_back("P12M"), looks_back("P1Y"), looks_back("")
    ('the past 12 months', 'the past year', '')
    """
    if not period:
        return ""
    number, unit = period[1:-1], _SPANS[period[-1]]
    return f"the past {unit}" if number == "1" else f"the past {number} {unit}s"


def _of_acts(numerator: Acts, version: Version) -> Iterator[tuple[str, str]]:
    yield "Counts", "; ".join(map(_act, numerator.acts))
    if numerator.without:
        yield "Leaves out", "; ".join(map(_act, numerator.without))
    each = ", each its own series" if len(numerator.units) > 1 else ""
    yield "Unit", " or ".join(numerator.units) + each
    rate = f"per {version.per:,} people and year".replace(",", " ")
    yield "Rate", rate if version.denominator == "population" else "none, a count only"


def _of_answers(numerator: Answers, version: Version) -> Iterator[tuple[str, str]]:
    yield _said(numerator)
    over = version.denominator
    if isinstance(over, Answers):
        way, roles = _said(over)
        yield "Over", roles if over.how == "mean" else f"respondents who said {way[0].lower()}{way[1:]} {roles}"
    else:
        yield "Over", _WORDS[over]
    yield "No answer", "counts as no" if version.missing == "no" else "left out, and counted as missing"
    if numerator.unit == "household":
        yield "One answer for", "a household: the weights must be the households'"


def _said(part: Answers) -> tuple[str, str]:
    roles = [f"{role} ({answers()[role].label})" for role in part.roles]
    one = len(roles) == 1
    ways = {
        "any": "Yes to" if one else "Yes to any of",
        "all": "Yes to" if one else "Yes to all of",
        "none": "No to" if one else "No to all of",
        "mean": "Number",
    }
    return ways[part.how], "; ".join(roles)


def _scale(part: Goalposts) -> str:
    ends = (part.min, part.max) if part.better == "lower" else (part.max, part.min)
    return f"{part.of}: {ends[0]:g} scores 100, {ends[1]:g} scores 0{_TRANSFORMS[part.transform]}"


def _act(code: str) -> str:
    return f"{code} {code_list('ICCS').label_of(code)}"
