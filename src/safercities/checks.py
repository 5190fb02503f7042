"""Checks an observatory as a whole: every input, and whether what is asked for can be measured from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safercities import config
from safercities.collect.spec import IncidentsSpec, PopulationSpec, SurveySpec
from safercities.model.errors import Problem, SafercitiesError, Severity, problem

if TYPE_CHECKING:
    from safercities.indicators.spec import Indicator
    from safercities.observatory import Observatory


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
        with _gather(found):
            found.extend(observatory.collect(name).problems)
            read.add(name)
            if places_fit and not isinstance(spec, PopulationSpec):
                found.extend(observatory.locate(name).problems)
                found.extend(check_covers(observatory, name))
    if places_fit and read.issuperset(observatory.named(PopulationSpec)):
        with _gather(found):
            found.extend(observatory.population.problems if observatory.population else ())
    for name in observatory.named(SurveySpec):
        if places_fit and name in read:
            with _gather(found):
                found.extend(check_design(observatory, name))
    with _gather(found):
        found.extend(check_measure(observatory))
    observatory.progress("check", total, total)
    return found


def check_measure(observatory: Observatory) -> Iterator[Problem]:
    """Whether `[measure]` fits the sources, and the sources it."""
    from safercities.indicators.catalogue import indicator

    settings = observatory.spec.measure
    material = [name for name, spec in observatory.spec.sources.items() if not isinstance(spec, PopulationSpec)]
    if not settings.indicators or not material:
        yield problem("nothing-to-measure", file=config.FILE, column="measure")
    used: set[str] = set()
    for code in settings.indicators:
        found: list[Problem] = []
        with _gather(found):
            definition = indicator(code)
            used.update(observatory.sources_for(definition))
            found.extend([*check_sources(observatory, definition), *check_acts(observatory, definition)])
        yield from found
    yield from check_breakdowns(observatory, settings.by)
    for name in material:
        if name not in used:  # all of its records would vanish in silence
            yield problem("source-unused", file=config.FILE, column=f"sources.{name}", source=name)


def check_design(observatory: Observatory, name: str) -> list[Problem]:
    """Whether the sample of each wave can be weighed and its variance seen.

    Raises
    ------
    SafercitiesError
        If a stratum has one PSU and no rule is chosen, or the weights cannot be tied to the margins.
    """
    from safercities.measure.surveys import designs

    return [p for design in designs(observatory.survey_source(name)).values() for p in design.problems]


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
    version = definition.on()
    if observatory.sources_for(definition):
        return
    code, column = definition.code, "measure.indicators"
    if version.made_of != "incidents":
        yield problem("indicator-without-material", file=config.FILE, column=column, indicator=code, of=version.made_of)
        return
    acts, units = ", ".join(version.counted.acts), " or ".join(version.counted.units)
    yield problem("indicator-without-source", file=config.FILE, column=column, indicator=code, acts=acts, units=units)


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


def check_breakdowns(observatory: Observatory, by: Iterable[Sequence[str]]) -> Iterator[Problem]:
    """Breakdowns that no source has."""
    specs = [spec for spec in observatory.spec.sources.values() if not isinstance(spec, PopulationSpec)]
    known = {name for spec in specs for name in spec.dimensions}
    for name in dict.fromkeys(name for combination in by for name in combination):
        if name == "place":
            if not observatory.spec.geographies:
                yield problem("place-without-geography", file=config.FILE, column="measure.by")
        elif name not in known:
            there = ", ".join(["place", *sorted(known)])
            yield problem("source-unknown-dimension", file=config.FILE, column="measure.by", name=name, known=there)


@contextmanager
def _gather(found: list[Problem]) -> Iterator[None]:
    """Put the problems of an exception on the list, and go on."""
    try:
        yield
    except SafercitiesError as error:
        found.extend(error.problems)
