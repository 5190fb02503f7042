"""What is on the page beside records alone: surveys, audits, indices, and records beside surveys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from safercities.review.audited import Audited
from safercities.review.differences import differences
from safercities.review.gaps import Gap, Gaps
from safercities.review.rows import Shown
from safercities.review.sections import Parts
from safercities.review.strips import Strips
from safercities.review.surveyed import Survey, Told
from safercities.review.words import Words


@dataclass(frozen=True)
class Sampled:
    """Everything of the page that is not made of records alone."""

    headline: Sequence[str]
    surveys: Sequence[Survey]
    gaps: Sequence[Gap]
    who: Sequence[Parts]
    compared: str
    where: Sequence[Parts]
    audits: Sequence[Parts]
    indices: Sequence[tuple[Strips, str]]


def sampled(shown: Shown, words: Words) -> Sampled:
    """All of it, for one page."""
    told, gaps, audited = Told(shown, words), Gaps(shown, words), Audited(shown, words)
    found = [(series, differences(shown.data, series)) for series in told.told]
    beside = [series for series in shown.of("reporting") if series.now is not None]
    first = next((text for series in beside if (text := gaps.sentence(series))), "")
    return Sampled(
        headline=[text for text in (told.headline(), first) if text],
        surveys=[told.survey(source) for source in dict.fromkeys(series.source for series in told.told)],
        gaps=[gaps.gap(series) for series in beside],
        who=[part for series, each in found if (part := told.groups(series, each)) is not None],
        compared=told.compared([one for _, each in found for one in each]),
        where=[part for series in told.told if (part := told.places(series)) is not None],
        audits=[audited.audit(source) for source in dict.fromkeys(series.source for series in shown.of("audits"))],
        indices=[audited.index(code) for code in dict.fromkeys(series.indicator for series in shown.of("index"))],
    )
