"""Checks an observatory as a whole: every input, and whether what is asked for can be measured from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from safercities import config
from safercities.collect.spec import IncidentsSpec, PopulationSpec, ReleaseSpec, SurveySpec
from safercities.model.errors import Problem, SafercitiesError, Severity, problem
from safercities.model.periods import Period, Recall

if TYPE_CHECKING:
    from safercities.indicators.spec import Indicator
    from safercities.measure.surveys import SurveySource
    from safercities.observatory import Observatory
    from safercities.release.federate import Federation

#: Weights that stand for so many times as many people as live in the place are reported.
MORE = 1.1


def check(observatory: Observatory) -> list[Problem]:
    """Every problem in every input; what one file does wrong does not hide the others."""
    found: list[Problem] = []
    with _gather(found):
        found.extend(p for geography in observatory.geographies for p in geography.problems)
        _ = observatory.hierarchy
    places_fit = not any(p.severity is Severity.ERROR for p in found)
    read: set[str] = set()
    total = len(observatory.spec.sources)
    for done, (name, spec) in enumerate(observatory.spec.sources.items()):
        observatory.progress(f"check {name}", done, total)
        if isinstance(spec, ReleaseSpec):
            continue  # all of them are read together, below
        with _gather(found):
            found.extend(observatory.collect(name).problems)
            read.add(name)
            if places_fit and not isinstance(spec, PopulationSpec):
                found.extend(observatory.locate(name).problems)
                found.extend(check_covers(observatory, name))
    if places_fit and read.issuperset(observatory.named(PopulationSpec)):
        with _gather(found):
            found.extend(observatory.population.problems if observatory.population else ())
    if places_fit:
        with _gather(found):
            found.extend(observatory.federation.problems if observatory.federation else ())
    for name in observatory.named(SurveySpec):
        found.extend(check_roles(observatory, name))
        if places_fit and name in read:
            with _gather(found):
                found.extend(check_survey(observatory, name))
    with _gather(found):
        found.extend(check_measure(observatory))
    found.extend(check_published(observatory))
    observatory.progress("check", total, total)
    return list(dict.fromkeys(found))


def check_measure(observatory: Observatory) -> Iterator[Problem]:
    """Whether `[measure]` fits the sources, and the sources it."""
    from safercities.indicators.catalogue import indicator

    settings = observatory.spec.measure
    no_cases = (PopulationSpec, ReleaseSpec)
    material = [name for name, spec in observatory.spec.sources.items() if not isinstance(spec, no_cases)]
    if not observatory.named(ReleaseSpec) and not (settings.indicators and material):
        yield problem("nothing-to-measure", file=config.FILE, column="measure")
    used: set[str] = set()
    for code in settings.indicators:
        found: list[Problem] = []
        with _gather(found):
            definition = indicator(code)
            used.update(observatory.sources_for(definition))
            checked = (check_sources, check_acts, check_reporting)
            found.extend(p for one in checked for p in one(observatory, definition))
        yield from found
    yield from check_breakdowns(observatory, settings.by)
    yield from check_combinations(observatory)
    for name in material:
        if name not in used:  # all of its records would vanish in silence
            yield problem("source-unused", file=config.FILE, column=f"sources.{name}", source=name)


def check_published(observatory: Observatory) -> Iterator[Problem]:
    """Names in `[publish]` that are no sources, or none that it can be about: `publish` would refuse them."""
    specs, rules = observatory.spec.sources, observatory.spec.publish
    cases = [name for name, spec in specs.items() if not isinstance(spec, PopulationSpec | ReleaseSpec)]
    named = {"sources": rules.sources or [], "same_cases": [name for group in rules.same_cases for name in group]}
    for key, names in named.items():
        known = list(specs) if key == "sources" else cases
        for name in dict.fromkeys(names):
            if name not in known:
                said: dict[str, Any] = {"source": name, "known": ", ".join(cases) or "nothing"}
                yield problem("publish-source-nowhere", file=config.FILE, column=f"publish.{key}", **said)


def check_survey(observatory: Observatory, name: str) -> Iterator[Problem]:
    """Whether the sample of each wave can be weighed and its variance seen, and whom its weights and answers speak of.

    Raises
    ------
    SafercitiesError
        If a stratum has one PSU and no rule is chosen, the weights cannot be tied to the margins, or an answer is of
        another kind than its role.
    """
    spec = observatory.spec.sources[name]
    assert isinstance(spec, SurveySpec)  # noqa: S101 - the caller chooses
    with as_written(spec):
        source = observatory.survey_source(name)
        yield from map(_in_settings, source.problems(list(_asked(observatory))))
        yield from map(_in_settings, _more_than_live(observatory, source))


@contextmanager
def as_written(spec: SurveySpec) -> Iterator[None]:
    """Name the columns of a survey in errors as its file does, not as its records do."""
    names = {"weight": spec.weight, "stratum": spec.strata, "psu": spec.psu}
    names |= {f"unit_{number}": name for number, name in enumerate(spec.stages, start=2)}
    names |= {f"fpc_{number}": name for number, name in enumerate(spec.fpc, start=1)}

    def written(found: Problem) -> Problem:
        name = names.get(found.column or "", found.column)
        return _in_settings(replace(found, column=name) if isinstance(name, str) else found)

    try:
        yield
    except SafercitiesError as error:
        raise type(error)(map(written, error.problems)) from None


def _in_settings(found: Problem) -> Problem:
    """The problem, with the file where it names a key of observatory.toml."""
    return found if found.file or not (found.column or "").startswith("sources.") else replace(found, file=config.FILE)


def _asked(observatory: Observatory) -> Iterator[Indicator]:
    """The indicators of `[measure]` and those that they are made of, as far as they are known."""
    from safercities.indicators.catalogue import catalogue

    known = catalogue()
    for code in observatory.spec.measure.indicators:
        if code in known:
            yield from [known[code], *(known[part] for part in known[code].on().parts if part in known)]


def _more_than_live(observatory: Observatory, source: SurveySource) -> Iterator[Problem]:
    """Weights that stand for more people than live in the place."""
    if observatory.population is None or source.spec.weights_of != "persons":
        return
    place = observatory.place.id
    for wave in source.waves:
        found, _ = observatory.population.denominators([place], [wave], {})
        people, total = float(found[0]) / Period.parse(wave).years, float(source.wave(wave).design.weights.sum())
        if total > MORE * people:  # not, where people is not known
            said: dict[str, Any] = {"period": wave, "total": f"{total:,.0f}", "people": f"{people:,.0f}"}
            yield problem("survey-weights-many", column=f"sources.{source.name}.weight", source=source.name, **said)


def check_roles(observatory: Observatory, name: str) -> Iterator[Problem]:
    """Variables of a survey that nothing uses: most likely misspelt."""
    from safercities.indicators.answers import answers, near

    spec = observatory.spec.sources[name]
    assert isinstance(spec, SurveySpec)  # noqa: S101 - the caller chooses
    filters = {how.asked_if for how in spec.variables.values()} | {margin.number for margin in spec.margins}
    for role in spec.variables:
        if role not in answers() and role not in filters:
            meant = " or ".join(near(role))
            hint = f"; did you mean {meant}" if meant else ""
            column = f"sources.{name}.variables.{role}"
            yield problem("survey-role-unknown", file=config.FILE, column=column, role=role, source=name, hint=hint)


def check_covers(observatory: Observatory, name: str) -> Iterator[Problem]:
    """Cases outside the period that somebody says is covered."""
    spec = observatory.spec.sources[name]
    if not isinstance(spec, IncidentsSpec) or spec.covers is None:
        return
    outside = observatory.counts_source(name).beyond_covers()
    if outside:
        column = f"sources.{name}.covers"
        yield problem("source-beyond-covers", file=config.FILE, column=column, cases=outside, covers=spec.covers)


def check_sources(observatory: Observatory, definition: Indicator) -> Iterator[Problem]:
    """An indicator that no source can answer."""
    from safercities.indicators.catalogue import indicator

    version = definition.on()
    if observatory.sources_for(definition) or _published(observatory, definition.code):
        return
    code, column = definition.code, "measure.indicators"
    if version.made_of == "survey":
        lacking = "; ".join(_lacking(observatory, definition)) or "there is no source of kind survey"
        yield problem("survey-answers-lacking", file=config.FILE, column=column, indicator=code, lacking=lacking)
    elif version.made_of == "estimates":
        parts = [part for part in version.parts if not observatory.sources_for(indicator(part))]
        yield problem(
            "indicator-parts-lacking", file=config.FILE, column=column, indicator=code, parts=", ".join(parts)
        )
    elif version.made_of != "incidents":
        yield problem("indicator-without-material", file=config.FILE, column=column, indicator=code, of=version.made_of)
    else:
        acts, units = ", ".join(version.counted.acts), " or ".join(version.counted.units)
        made = problem(
            "indicator-without-source", file=config.FILE, column=column, indicator=code, acts=acts, units=units
        )
        yield made


def refuse_unanswered(
    observatory: Observatory, definitions: Iterable[Indicator], stop: type[SafercitiesError] = SafercitiesError
) -> None:
    """What `check` warns of stops who asks for these indicators by name.

    Raises
    ------
    stop
        With an error for each indicator that no source can answer.
    """
    lacking = [found for one in definitions for found in check_sources(observatory, one)]
    if lacking:
        raise stop(replace(one, kind=replace(one.kind, severity=Severity.ERROR), column=None) for one in lacking)


def _lacking(observatory: Observatory, definition: Indicator) -> Iterator[str]:
    """What each survey lacks for an indicator, with the variables that may have been meant."""
    from safercities.indicators.answers import answers

    version = definition.on()
    for name in observatory.named(SurveySpec):
        spec = observatory.spec.sources[name]
        assert isinstance(spec, SurveySpec)  # noqa: S101 - chosen by kind
        roles = [role for role in version.roles if role not in spec.variables]
        if not roles:
            yield f"the weights of {name} count {spec.weights_of} (weights_of)"
            continue
        spare = [role for role in spec.variables if role not in answers()]
        near = [meant for role in roles for meant in get_close_matches(role, spare, n=1, cutoff=0.75)]
        yield f"{name} lacks {', '.join(roles)}" + (f" (has {', '.join(near)})" if near else "")


def check_acts(observatory: Observatory, definition: Indicator) -> Iterator[Problem]:
    """Sources that say themselves that they hold only a part of what an indicator counts."""
    if definition.on().made_of != "incidents":
        return
    numerator = definition.on().counted
    for name in observatory.sources_for(definition):
        held = observatory.declared_acts(name)
        if held is not None and not numerator.held_by(held):
            yield problem(
                "indicator-part-of-acts",
                file=config.FILE,
                column=f"sources.{name}.act",
                indicator=definition.code,
                acts=", ".join(numerator.acts),
                source=name,
                held=", ".join(dict.fromkeys(act for act in held if numerator.counts(act))),
            )


def check_reporting(observatory: Observatory, definition: Indicator) -> Iterator[Problem]:
    """Recorded against surveyed cases: only of one and the same time, and as long as the survey looks back."""
    from safercities.indicators.catalogue import indicator
    from safercities.indicators.numerators import Compared
    from safercities.measure.reporting import as_long

    numerator = definition.on().numerator
    if not isinstance(numerator, Compared):
        return
    told, kind = indicator(numerator.surveyed), observatory.spec.measure.period
    recall = told.on().reference_period
    for name in observatory.sources_for(told) if observatory.sources_for(definition) else []:
        waves = observatory.survey_source(name).waves
        said: dict[str, Any] = {"file": config.FILE, "column": "measure.indicators"}
        beside = [wave for wave in waves if Period.parse(wave).kind == kind]
        if not beside:
            said |= {"indicator": definition.code, "source": name, "waves": ", ".join(waves), "kind": kind}
            yield problem("reporting-no-period", **said)
        elif not as_long(recall, beside[0]):
            label = Recall.parse(recall).label
            yield problem("reporting-window", **said, recall=label, period=beside[0])


def check_breakdowns(observatory: Observatory, by: Iterable[Sequence[str]]) -> Iterator[Problem]:
    """Breakdowns that no source has."""
    specs = [spec for spec in observatory.spec.sources.values() if not isinstance(spec, PopulationSpec)]
    known = {name for spec in specs for name in spec.dimensions}
    by = [list(combination) for combination in by]
    if observatory.named(ReleaseSpec):
        if (members := _members(observatory)) is None:
            return  # they were refused: nobody knows which breakdowns they have
        known.update(members.published.dimensions)
    for name in dict.fromkeys(name for combination in by for name in combination):
        if name == "place":
            if not observatory.spec.geographies and not observatory.named(ReleaseSpec):
                yield problem("place-without-geography", file=config.FILE, column="measure.by")
        elif name not in known:
            there = ", ".join(["place", *sorted(known)])
            yield problem("source-unknown-dimension", file=config.FILE, column="measure.by", name=name, known=there)


def check_combinations(observatory: Observatory) -> Iterator[Problem]:
    """Breakdowns whose dimensions no source has together: no row of them is made."""
    if observatory.named(ReleaseSpec):
        return  # which breakdowns there are is for the members to say
    specs = [spec for spec in observatory.spec.sources.values() if not isinstance(spec, PopulationSpec)]
    for combination in observatory.spec.measure.by:
        wanted = set(combination) - {"place"}
        known = all(any(name in spec.dimensions for spec in specs) for name in wanted)
        if known and not any(wanted <= spec.dimensions.keys() for spec in specs):
            yield problem("breakdown-nowhere", file=config.FILE, column="measure.by", names=" and ".join(combination))


def _members(observatory: Observatory) -> Federation | None:
    """What the members published; None where a source is refused as well: `check` says so, once."""
    try:
        return observatory.federation
    except SafercitiesError:
        return None


def _published(observatory: Observatory, code: str) -> bool:
    """Whether the members published an indicator, or may have: nobody knows it of those that were refused."""
    if not observatory.named(ReleaseSpec):
        return False
    found = _members(observatory)
    return found is None or code in found.published.table.column("indicator").to_pylist()


@contextmanager
def _gather(found: list[Problem]) -> Iterator[None]:
    """Put the problems of an exception on the list, and go on."""
    try:
        yield
    except SafercitiesError as error:
        found.extend(error.problems)
