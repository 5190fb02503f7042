"""The larger place's way to its numbers: reads the members' releases, and says what the place itself may publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.release_spec import ReleaseSpec
from safercities.model.errors import Problem, SafercitiesError, UsageError, problem
from safercities.model.estimates import TOTAL, Estimates

if TYPE_CHECKING:
    from safercities.collect.records import DimensionInfo
    from safercities.observatory import Observatory
    from safercities.places.hierarchy import Hierarchy
    from safercities.release.content import Content
    from safercities.release.federate import Federation
    from safercities.release.fetch import Fetched
    from safercities.release.member import Member

#: Folder of the observatory that never leaves the office; what was fetched, and which releases were seen, in it.
PRIVATE = "private"
CACHE = "cache"
SEEN = "seen.json"


def private(observatory: Observatory) -> Path:
    """The observatory's private folder, made where it is missing: only its user may enter, and git passes over it."""
    from safercities.release.fetch import private_folder

    folder = observatory.folder / PRIVATE
    private_folder(folder)
    return folder


def members_of(observatory: Observatory) -> dict[str, ReleaseSpec]:
    """The sources that are other observatories' releases, by name."""
    return {name: spec for name, spec in observatory.spec.sources.items() if isinstance(spec, ReleaseSpec)}


def fetch(observatory: Observatory, *names: str) -> list[Fetched]:
    """Get the archives of the sources that have an address, into the private cache. Only this touches the network.

    Parameters
    ----------
    names
        Which sources; default: all that have an address.

    Raises
    ------
    SafercitiesError
        With what went wrong with each; the others are there.
    UsageError
        If a name is not that of a source with an address.
    """
    from safercities.release.fetch import fetch as get

    there = {name: spec for name, spec in members_of(observatory).items() if spec.url is not None}
    if wrong := [name for name in names if name not in there]:
        raise UsageError(problem("source-without-address", source=wrong[0], known=", ".join(there) or "none"))
    made: list[Fetched] = []
    failed: list[Problem] = []
    for name in names or there:
        try:
            made.append(get(name, there[name], private(observatory) / CACHE))
        except SafercitiesError as error:
            failed += error.problems
    if failed:
        raise SafercitiesError(failed)
    return made


def federation(observatory: Observatory) -> Federation | None:
    """What the members' releases say of the observatory's place; None where no source is another's releases.

    No network is touched: what is to be got is got before, by `fetch`.

    Raises
    ------
    SafercitiesError
        With what is wrong with each source that is refused.
    """
    from safercities.release.federate import federate
    from safercities.release.member import read_members

    sources = members_of(observatory)
    if not sources:
        return None
    folder = private(observatory)
    members = read_members(sources, observatory.folder, cache=folder / CACHE, memory=folder / SEEN)
    settings = observatory.spec.measure
    return federate(
        _of_one_level(members),
        observatory.place,
        tree=_tree(observatory),
        population=observatory.population,
        standard=settings.standard,
        level=settings.level,
    )


def _tree(observatory: Observatory) -> Hierarchy | None:
    return observatory.hierarchy if observatory.spec.geographies else None


def _of_one_level(members: Sequence[Member]) -> list[Member]:
    """Members of which nothing has come yet are taken to be of the level that the others have."""
    levels = {one.place.level for one in members if one.vintages}
    if len(levels) != 1:
        return list(members)
    (level,) = levels
    return [one if one.vintages else replace(one, place=replace(one.place, level=level)) for one in members]


def rows(
    found: Federation, codes: Sequence[str] = (), by: Sequence[str] | Sequence[Sequence[str]] | None = None
) -> Estimates:
    """The place's own rows and its members', as `Observatory.measure` gives them.

    Parameters
    ----------
    codes
        Indicators; default: all that were published.
    by
        Breakdowns, in either form; totals are always there, and members where `place` is named. Default: all.
    """
    whole = Estimates.concat([found.estimates, found.published])
    if codes:
        whole = whole.where(indicator=list(codes))
    return (whole if by is None else _broken_down(whole, by, found.place.id)).sort()


def _broken_down(whole: Estimates, by: Sequence[str] | Sequence[Sequence[str]], place: str) -> Estimates:
    """Totals, and the rows that are broken down by exactly one of the combinations."""
    single = all(isinstance(one, str) for one in by)
    wanted = {frozenset(map(str, by))} if single else {frozenset(one) for one in by}
    keys = [
        pc.if_else(pc.equal(whole.table.column("place"), place), "", "place").to_pylist(),
        *(
            pc.if_else(pc.equal(whole.table.column(name), TOTAL), "", name).to_pylist()
            for name in whole.dimensions
        ),
    ]  # fmt: skip
    shown = [frozenset(filter(None, key)) in {frozenset(), *wanted} for key in zip(*keys, strict=True)]
    return Estimates(whole.table.filter(pa.array(shown, pa.bool_())))


def dimensions(found: Federation) -> dict[str, DimensionInfo]:
    """What the members' numbers are broken down by, by name, with the codes that occur."""
    from safercities.collect.records import DimensionInfo
    from safercities.model.dimensions import UNKNOWN, dimension

    made = {}
    for name in found.published.dimensions:
        known = dimension(name)
        seen = sorted(set(found.published.table.column(name).to_pylist()) - {TOTAL, UNKNOWN})
        labels = {code: label for code, label in (known.codes.labels if known.codes else {}).items() if code in seen}
        ordered = (*labels, *(code for code in seen if code not in labels))
        made[name] = DimensionInfo(name, known.label, known.of, ordered, labels)
    return made


def content(
    observatory: Observatory,
    *,
    published: date,
    supersedes: str | None = None,
    reason: str | None = None,
    own: Content | None = None,
) -> Content:
    """What a release of a larger place says: its members' numbers and what is made of them, which need no protection.

    Parameters
    ----------
    published
        Day of publication.
    supersedes, reason
        Of a correction: id of the release, and why.
    own
        What the observatory's own sources say, protected. Both are put into one.

    Raises
    ------
    SafercitiesError
        If the members published nothing, or a source of the observatory has the name of a kind of theirs.
    UsageError
        If no source is another observatory's releases.
    """
    from safercities import __version__

    found = observatory.federation
    if found is None:
        raise UsageError(problem("federation-none"))
    about = observatory.spec.observatory
    made = found.content(
        name=about.name,
        languages=about.languages,
        published=published,
        version=__version__,
        synthetic=about.synthetic,
        supersedes=supersedes,
        reason=reason,
    )
    return made if own is None else _together(own, made)


def _together(own: Content, made: Content) -> Content:
    """One content of two; the rules say how the own numbers were protected, and which releases the others are of."""
    from safercities.model.periods import Period

    if both := sorted({one.name for one in own.series} & {one.name for one in made.series}):
        raise SafercitiesError(problem("federation-own-kind", source=both[0], column=f"sources.{both[0]}"))
    latest = max((own.period, made.period), key=lambda one: (Period.parse(one).end, one))
    return replace(
        made,
        period=latest,
        synthetic=own.synthetic or made.synthetic,
        estimates=Estimates.concat([own.estimates, made.estimates]).sort(),
        indicators={**made.indicators, **own.indicators},
        places=tuple({one.id: one for one in (*made.places, *own.places)}.values()),
        dimensions=_codes(own.dimensions, made.dimensions),
        series=(*own.series, *made.series),
        rules={**made.rules, **own.rules},
        denominators=tuple({one[:2]: one for one in (*made.denominators, *own.denominators)}.values()),
    )


def _codes(
    own: Mapping[str, tuple[tuple[str, str], ...]], other: Mapping[str, tuple[tuple[str, str], ...]]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """Every code of both, once; both tell the total where a dimension is that of one of them only."""
    names = dict.fromkeys([*own, *other])
    return {name: tuple((dict(other.get(name, ())) | dict(own.get(name, ()))).items()) for name in names}
