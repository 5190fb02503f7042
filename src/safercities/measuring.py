"""Plans which source answers which indicator, and measures: what an observatory's sources say, and what is made of it.

Publishing takes the same way with other material: `counts` puts a protected source of counts in the place of the raw
one of its name, and `derive` makes indices and reporting rates of whichever estimates it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from safercities import checks, config, federating
from safercities.collect.spec import AuditsSpec, IncidentsSpec, SourceSpec, SurveySpec
from safercities.model.errors import SafercitiesError, UsageError, problem
from safercities.model.estimates import Estimates

if TYPE_CHECKING:
    from safercities.indicators.spec import Indicator
    from safercities.measure.counts import CountsSource
    from safercities.measure.surveys import SurveySource
    from safercities.observatory import Observatory
    from safercities.sampling.contrasts import Contrast

#: Sources of counts to measure instead of those that an observatory would read, by name.
Counts = Mapping[str, "CountsSource"]
#: Indicators that are measured together, and the name of their source.
Work = tuple[list["Indicator"], str]


def measure(
    observatory: Observatory,
    codes: Sequence[str] = (),
    *,
    by: Sequence[str] | Sequence[Sequence[str]] | None = None,
    period: str | None = None,
    counts: Counts | None = None,
) -> Estimates:
    """Estimates of indicators, as `Observatory.measure` gives them.

    Where other observatories' releases are among the sources: what those say too, of the place itself and of each
    member. They have the periods, and by default the breakdowns, that were published.

    Parameters
    ----------
    counts
        Sources of counts that stand in for the raw ones of these names.

    Raises
    ------
    UsageError
        If an indicator or breakdown is not known.
    SafercitiesError
        If an input cannot be used, or no source can answer an indicator of `codes`.
    """
    from safercities.indicators.catalogue import indicator

    checks.refuse_unanswered(observatory, map(indicator, codes))
    asked = [indicator(code) for code in (codes or observatory.spec.measure.indicators)]
    breakdowns = breakdowns_of(observatory, by)
    work, members = plan(observatory, asked, counts), observatory.federation
    if not work and members is None:
        raise SafercitiesError(problem("nothing-to-measure", file=config.FILE, column="measure"))
    made = carry_out(observatory, work, breakdowns, period, counts)
    parts = [made.where(indicator=[one.code for one in asked]), derive(observatory, asked, made)]
    if members is not None:
        parts.append(federating.rows(members, codes, by))
    return Estimates.concat(parts).sort()


def breakdowns_of(
    observatory: Observatory, by: Sequence[str] | Sequence[Sequence[str]] | None = None
) -> list[list[str]]:
    """One breakdown or several as a list of them; default: those of `observatory.toml`.

    Raises
    ------
    UsageError, SafercitiesError
        If no source has one: the former where the caller asked for it.
    """
    breakdowns = observatory.spec.measure.by if by is None else _as_breakdowns(by)
    if wrong := list(checks.check_breakdowns(observatory, breakdowns)):
        raise UsageError(wrong) if by is not None else SafercitiesError(wrong)
    return [list(one) for one in breakdowns]


def _as_breakdowns(by: Sequence[str] | Sequence[Sequence[str]]) -> list[list[str]]:
    if all(isinstance(item, str) for item in by):
        return [[str(item) for item in by]] if by else []
    return [[str(name) for name in item] for item in by]


# -- which source answers what -----------------------------------------------------------------------------------------


def plan(observatory: Observatory, asked: Sequence[Indicator], counts: Counts | None = None) -> list[Work]:
    """Which indicators are measured from which source, with those that others are made of; nothing is measured yet.

    The indicators of a survey or of audits are measured together, in one pass.
    """
    whole = [*asked, *_parts(asked)]
    work: list[Work] = []
    for definition in whole:
        if definition.on().made_of == "incidents":
            work += [([definition], name) for name in sources_for(observatory, definition, counts)]
    sampled = [one for one in whole if one.on().made_of in ("survey", "audits")]
    for name in observatory.named(SurveySpec) + observatory.named(AuditsSpec):
        its = [definition for definition in sampled if name in sources_for(observatory, definition)]
        work += [(its, name)] if its else []
    return work


def _parts(asked: Sequence[Indicator]) -> list[Indicator]:
    """Indicators that others are made of, and that were not asked for themselves."""
    from safercities.indicators.catalogue import indicator

    codes = {one.code for one in asked}
    wanted = (part for one in asked if one.on().made_of == "estimates" for part in one.on().parts)
    return [indicator(code) for code in dict.fromkeys(wanted) if code not in codes]


def sources_for(observatory: Observatory, definition: Indicator, counts: Counts | None = None) -> list[str]:
    """Sources that can answer an indicator.

    Of incidents: whose unit it counts, and whose acts are, or may be, among its acts. Of a survey: that asked all its
    questions. Of audits: that rated all its parameters. Of other indicators: those of all its parts.
    """
    version = definition.on()
    if version.made_of == "estimates":
        from safercities.indicators.catalogue import indicator

        found = [sources_for(observatory, indicator(code), counts) for code in version.parts]
        return list(dict.fromkeys(name for names in found for name in names)) if all(found) else []
    sources = observatory.spec.sources
    return [name for name, spec in sources.items() if _answers(observatory, name, spec, definition, counts)]


def _answers(
    observatory: Observatory, name: str, spec: SourceSpec, definition: Indicator, counts: Counts | None
) -> bool:
    version = definition.on()
    if isinstance(spec, SurveySpec):
        from safercities.measure.wave import answerable

        return any(answerable(one, spec) for one in definition.versions)
    if isinstance(spec, AuditsSpec):
        return version.made_of == "audits" and set(version.rated) <= spec.rubric.mapped.keys()
    if not isinstance(spec, IncidentsSpec) or version.made_of != "incidents":
        return False
    counted = version.counted
    return spec.unit_of_count in counted.units and any(counted.counts(act) for act in acts(observatory, name, counts))


def acts(observatory: Observatory, name: str, counts: Counts | None = None) -> list[str]:
    """Acts that a source holds: declared, or seen where the column holds codes. An act it lacks is no zero.

    In a source of `counts` only what it holds itself is seen: an act that protection took away is not given away.
    """
    declared = declared_acts(observatory.spec.sources[name])
    if declared is not None:
        return declared
    table = counts[name].table if counts and name in counts else observatory.collect(name).table
    found: list[str] = table.column("act").unique().to_pylist()
    return found


def declared_acts(spec: SourceSpec) -> list[str] | None:
    """Acts that `observatory.toml` says a source holds; None where its column holds the codes."""
    if not isinstance(spec, IncidentsSpec):
        return []
    if isinstance(spec.act, str):
        return [spec.act]
    mapped = [*spec.act.map.values(), *([spec.act.other] if spec.act.other else [])]
    return mapped or None


# -- the sources as measuring takes them -------------------------------------------------------------------------------


def counts_source(observatory: Observatory, name: str) -> CountsSource:
    """A source of incidents as measuring takes it."""
    from safercities.measure.counts import CountsSource

    spec = observatory.spec.sources[name]
    assert isinstance(spec, IncidentsSpec)  # noqa: S101 - only such sources reach this point
    return CountsSource.from_located(observatory.locate(name), covers=spec.covers, acts=declared_acts(spec))


def survey_source(observatory: Observatory, name: str) -> SurveySource:
    """A survey as measuring takes it, made anew; `Observatory.survey_source` keeps it."""
    from safercities.measure.surveys import SurveySource

    spec = observatory.spec.sources[name]
    assert isinstance(spec, SurveySpec)  # noqa: S101 - only such sources reach this point
    people = {one.source: observatory.population_of(one.source) for one in spec.margins if one.source is not None}
    return SurveySource.from_located(observatory.locate(name), spec, observatory.place.id, people)


# -- estimates ---------------------------------------------------------------------------------------------------------


def carry_out(
    observatory: Observatory,
    work: Sequence[Work],
    by: Sequence[Sequence[str]],
    period: str | None = None,
    counts: Counts | None = None,
) -> Estimates:
    """What the sources say of the indicators planned, parts of others among them; nothing is derived yet.

    Parameters
    ----------
    work
        From `plan`, or a part of it.
    by
        Breakdowns; each source answers those that it has.
    period
        year, quarter, month, week or day; default: `[measure] period`.
    counts
        Sources of counts that stand in for the raw ones of these names.
    """
    period = period or observatory.spec.measure.period
    parts = []
    for done, (definitions, name) in enumerate(work):
        shown = definitions[0].code if len(definitions) == 1 else f"{len(definitions)} indicators"
        observatory.progress(f"measure {shown} from {name}", done, len(work))
        parts.append(_of_source(observatory, definitions, name, by, period, counts or {}))
    observatory.progress("measure", len(work), len(work))
    return Estimates.concat(parts) if parts else Estimates.empty()


def _of_source(
    observatory: Observatory,
    definitions: list[Indicator],
    name: str,
    by: Sequence[Sequence[str]],
    period: str,
    counts: Counts,
) -> Estimates:
    """What one source says of some indicators, in the breakdowns that it has."""
    spec = observatory.spec.sources[name]
    if isinstance(spec, SurveySpec):
        survey = observatory.survey_source(name)
        return _of_survey(observatory, definitions, survey, _held(observatory, by, survey.dimensions))
    if isinstance(spec, AuditsSpec):
        from safercities.measure.audits import AuditsSource, measure_audits

        audits = AuditsSource.from_located(observatory.locate(name))
        place, level = observatory.place.id, observatory.spec.measure.level
        mine = _held(observatory, by, audits.dimensions)
        return measure_audits(definitions, audits, place=place, by=mine, period=period, level=level)
    (definition,) = definitions
    source = counts[name] if name in counts else observatory.counts_source(name)
    return _of_counts(observatory, definition, source, _held(observatory, by, source.dimensions), period)


def _held(observatory: Observatory, by: Iterable[Sequence[str]], dimensions: Iterable[str]) -> list[Sequence[str]]:
    """The breakdowns that a source has; places only where there are geographies: those of members are not its own."""
    has = {*(["place"] if observatory.spec.geographies else []), *dimensions}
    return [one for one in by if has.issuperset(one)]


def _of_survey(
    observatory: Observatory, definitions: Sequence[Indicator], source: SurveySource, by: Sequence[Sequence[str]]
) -> Estimates:
    from safercities.measure.small_areas import fay_herriot_rows
    from safercities.measure.surveys import measure_surveys

    level = observatory.spec.measure.level
    with checks.as_written(source.spec):
        direct = measure_surveys(definitions, source, by=by, level=level)
    if not observatory.spec.measure.smooth:
        return direct
    units = {one.code: one.unit(one.on()) for one in definitions}
    shares = [direct.where(indicator=code, unit=unit) for code, unit in units.items()]
    return Estimates.concat([direct, fay_herriot_rows(Estimates.concat(shares), observatory.hierarchy, level=level)])


def _of_counts(
    observatory: Observatory, definition: Indicator, source: CountsSource, by: Sequence[Sequence[str]], period: str
) -> Estimates:
    from safercities.measure.counts import measure_counts

    settings = observatory.spec.measure
    return measure_counts(
        definition,
        source,
        hierarchy=observatory.hierarchy,
        population=observatory.population,
        place=observatory.place.id,
        by=by,
        period=period,
        level=settings.level,
        standard=settings.standard,
        smooth=settings.smooth,
        neighbours=observatory.neighbours if settings.smooth else None,
    )


def derive(observatory: Observatory, definitions: Iterable[Indicator], made: Estimates) -> Estimates:
    """Those of the indicators that are made of others, from the estimates of their parts; the others are passed over.

    Parameters
    ----------
    made
        Estimates of the parts: as measured, or as they may be published.
    """
    parts = [_derived(observatory, one, made) for one in definitions if one.on().made_of == "estimates"]
    return Estimates.concat(parts) if parts else Estimates.empty()


def _derived(observatory: Observatory, definition: Indicator, made: Estimates) -> Estimates:
    from safercities.indicators.catalogue import indicator
    from safercities.measure.composites import indices
    from safercities.measure.reporting import reporting_rate

    version = definition.on()
    if definition.kind == "index":
        return indices(definition, {code: made.where(indicator=code) for code in version.parts})
    recorded, surveyed = (indicator(code) for code in version.parts)
    told = surveyed.on()
    return reporting_rate(
        made.where(indicator=recorded.code),
        made.where(indicator=surveyed.code, unit=surveyed.unit(told)),
        indicator=definition.code,
        version=version.version,
        recall=told.reference_period,
        level=observatory.spec.measure.level,
    )


# -- comparisons -------------------------------------------------------------------------------------------------------


def contrasts(
    observatory: Observatory,
    code: str,
    by: str | Sequence[str],
    *,
    against: str | Sequence[str] | None = None,
    wave: str | None = None,
) -> list[Contrast]:
    """Differences and ratios between groups in each survey, as `Observatory.contrasts` gives them."""
    from safercities.indicators.catalogue import indicator
    from safercities.measure.surveys import survey_contrasts

    definition = indicator(code)
    names = [by] if isinstance(by, str) else list(by)
    base = [against] if isinstance(against, str) else against
    level = observatory.spec.measure.level
    found = []
    for source in _surveys_of(observatory, definition):
        with checks.as_written(source.spec):
            found += survey_contrasts(definition, source, names, wave=wave, against=base, level=level)
    return found


def changes(
    observatory: Observatory,
    code: str,
    by: str | Sequence[str] | None = None,
    *,
    waves: tuple[str, str] | None = None,
) -> list[Contrast]:
    """Changes between two waves of each survey that has two, as `Observatory.changes` gives them."""
    from safercities.indicators.catalogue import indicator
    from safercities.measure.changes import wave_contrasts

    definition = indicator(code)
    names = [by] if isinstance(by, str) else list(by or ())
    sources = _surveys_of(observatory, definition)
    several = [source for source in sources if waves is not None or len(source.waves) > 1] or sources
    level = observatory.spec.measure.level
    found = []
    for source in several:
        with checks.as_written(source.spec):
            found += wave_contrasts(definition, source, waves, names, level)
    return found


def _surveys_of(observatory: Observatory, definition: Indicator) -> list[SurveySource]:
    """The surveys that answer an indicator; refused where it is not of surveys, or none does."""
    checks.refuse_unanswered(observatory, [definition], UsageError)
    of = definition.on().made_of
    if of != "survey":
        raise UsageError(problem("indicator-not-of-survey", indicator=definition.code, of=of))
    return [observatory.survey_source(name) for name in sources_for(observatory, definition)]
