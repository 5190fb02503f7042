"""Gathers what the review shows of an observatory's estimates, and writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safercities import config, files
from safercities.collect.spec import IncidentsSpec, SurveySpec
from safercities.model.errors import Problem, SafercitiesError, UsageError, named_in, problem
from safercities.model.estimates import Estimates
from safercities.model.periods import Period

if TYPE_CHECKING:
    from safercities.indicators.spec import Indicator
    from safercities.measure.surveys import SurveySource
    from safercities.model.places import Place
    from safercities.observatory import Observatory
    from safercities.places.hierarchy import Hierarchy
    from safercities.review.data import ReviewData
    from safercities.sampling.contrasts import Contrast

REVIEWS = "reviews"
#: What the review of releases is called after, beside its period.
PUBLISHED = "published"


def review_data(observatory: Observatory, estimates: Estimates) -> ReviewData:
    """Everything that the review shows."""
    from safercities import __version__
    from safercities.indicators.catalogue import catalogue
    from safercities.review.data import ReviewData

    records = observatory.named(IncidentsSpec)
    period = latest_complete(estimates, observatory.place.id, observatory.spec.measure.period, records)
    there = dict.fromkeys(estimates.table.column("indicator").to_pylist())
    asked, known = dict.fromkeys([*observatory.spec.measure.indicators, *there]), catalogue()
    codes = [code for code in asked if code in there and code in known]  # members may have indicators of their own
    members = observatory.federation
    contrasts, left_out = _pairs(observatory, estimates, period)
    settings = observatory.spec.model_dump()
    return ReviewData(
        title=observatory.spec.observatory.name,
        place=observatory.place,
        period=period,
        estimates=estimates,
        indicators={code: known[code] for code in codes},
        hierarchy=observatory.hierarchy if members is None else members.tree,
        geographies=observatory.geographies,
        sources=observatory.summaries(),
        problems=[*observatory.problems(), *left_out],
        named=named_in([settings["sources"], settings["geographies"]]),
        dimensions=observatory.dimensions,
        contrasts=contrasts,
        changes=_since(observatory, estimates, period),
        languages=observatory.spec.observatory.languages,
        synthetic=observatory.spec.observatory.synthetic,
        made_on=None,
        version=__version__,
    )


def published_data(observatory: Observatory, releases: Path) -> ReviewData:
    """Everything that the review of the releases in force shows. Of the raw inputs only the boundaries are read.

    Differences between groups of a survey are left out: they are made of the interviews, and were not published.

    Parameters
    ----------
    releases
        Folder of the observatory's own releases.

    Raises
    ------
    SafercitiesError
        If there is no release, or one does not hold.
    """
    from safercities import __version__
    from safercities.indicators.catalogue import catalogue
    from safercities.review.data import ReviewData
    from safercities.review.released import read_shelf

    shelf, about, known = read_shelf(releases), observatory.spec.observatory, catalogue()
    records = [one.name for one in shelf.sources if one.kind == "incidents"]
    there = dict.fromkeys(shelf.estimates.table.column("indicator").to_pylist())
    codes = [code for code in dict.fromkeys([*observatory.spec.measure.indicators, *there]) if code in there]
    return ReviewData(
        title=about.name,
        place=observatory.place,
        period=latest_complete(shelf.estimates, observatory.place.id, observatory.spec.measure.period, records),
        estimates=shelf.estimates,
        indicators={code: known[code] for code in codes if code in known},
        hierarchy=_with(observatory, shelf.places),
        geographies=observatory.geographies,
        sources=shelf.sources,
        dimensions=shelf.dimensions,
        languages=about.languages,
        synthetic=about.synthetic or shelf.synthetic,
        made_on=None,
        version=__version__,
        released=shelf.released,
    )


def _with(observatory: Observatory, places: Sequence[Place]) -> Hierarchy:
    """The places of the observatory's files, and those that only its releases know: a country's cities."""
    from safercities.model.estimates import UNKNOWN
    from safercities.places.hierarchy import Hierarchy

    known = observatory.hierarchy
    more = [one for one in places if one.id not in known and not one.id.startswith(f"{UNKNOWN}.")]
    return Hierarchy([*known.places, *more]) if more else known


def review(observatory: Observatory, data: ReviewData) -> list[Path]:
    """Write `reviews/<period>/`, of releases `reviews/<period>-published/`; main language first."""
    from safercities.review.build import write_review

    name = data.period.replace("/", "_") + (f"-{PUBLISHED}" if data.released else "")
    target = observatory.folder / REVIEWS / name
    private = data.private and not data.synthetic
    with files.replace_folder(target, mark="data.xlsx", private=private) as work:
        written = write_review(data, work)
        if private:
            files.keep_out_of_git(work)
    return [target / path.relative_to(work) for path in written]


def _waves(
    observatory: Observatory, estimates: Estimates, period: str
) -> Iterator[tuple[Indicator, SurveySource, str]]:
    """Each indicator of each survey, and the wave of it that a review of the period shows."""
    from safercities.indicators.catalogue import indicator
    from safercities.review.rows import nearest

    for name in observatory.named(SurveySpec):
        source = observatory.survey_source(name)
        mine = estimates.where(source=name)
        for code in mine.table.column("indicator").unique().to_pylist():
            there = set(mine.where(indicator=code).table.column("period").to_pylist())
            yield indicator(code), source, nearest(there, period)


def _pairs(
    observatory: Observatory, estimates: Estimates, period: str
) -> tuple[dict[str, list[Contrast]], list[Problem]]:
    """Differences between all pairs of groups of each single breakdown, in the wave that a review shows.

    Breakdowns of too many groups are shown without, and a problem says so.
    """
    from safercities.measure.surveys import survey_contrasts
    from safercities.sampling.contrasts import TooManyPairs

    found: dict[str, list[Contrast]] = {}
    left_out: list[Problem] = []
    single = dict.fromkeys(one[0] for one in observatory.spec.measure.by if len(one) == 1)
    level = observatory.spec.measure.level
    for definition, source, wave in _waves(observatory, estimates, period):
        for dimension in (name for name in single if name in source.dimensions):
            try:
                made = survey_contrasts(definition, source, [dimension], wave=wave, level=level)
            except TooManyPairs:
                column = f"sources.{source.name}.dimensions.{dimension}"
                left_out.append(problem("pairs-left-out", file=config.FILE, column=column, name=dimension))
                continue
            found.setdefault(definition.code, []).extend(made)
    return found, list(dict.fromkeys(left_out))


def _since(observatory: Observatory, estimates: Estimates, period: str) -> dict[str, list[Contrast]]:
    """Changes since the wave before the one that a review shows, of indicators that both waves measured alike."""
    from safercities.measure.changes import wave_contrasts

    found: dict[str, list[Contrast]] = {}
    for definition, source, wave in _waves(observatory, estimates, period):
        if not (at := source.waves.index(wave)):
            continue
        try:
            its = wave_contrasts(definition, source, (source.waves[at - 1], wave), level=observatory.spec.measure.level)
        except UsageError:  # another definition, or nobody was asked before: no change is told
            continue
        found.setdefault(definition.code, []).extend(its)
    return found


def latest_complete(estimates: Estimates, place: str, kind: str, records: Collection[str] = ()) -> str:
    """The last period that some source covers as a whole.

    Parameters
    ----------
    kind
        year, quarter, month …: a period of it goes before others.
    records
        Names of the sources of records. As far as they cover any period as a whole, the others do not decide: a survey
        may have been in the field in a year of which the records are not in yet.

    Raises
    ------
    SafercitiesError
        If there is none.
    """
    totals = estimates.where(place=place).totals().rows()
    whole = [row for row in totals if "partial_period" not in (row["quality"] or "").split()]
    if not whole:
        raise SafercitiesError(problem("no-complete-period", file=config.FILE, column="measure.period", period=kind))
    recorded = {row["period"] for row in whole if row["source"] in records}
    periods = recorded or {row["period"] for row in whole}
    # interviews may last longer or shorter than the periods that cases are counted by
    usual = [one for one in periods if Period.parse(one).kind == kind]
    return str(max(usual or periods, key=lambda one: (Period.parse(one).end, one)))
