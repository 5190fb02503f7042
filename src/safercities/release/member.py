"""Reads what another observatory published: verified, the releases in force, its own place only, each number once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safercities.collect.release_spec import ReleaseSpec
from safercities.measure.members import APART, grouped
from safercities.measure.pooling import PREDICTION, RANDOM, STANDARDISED
from safercities.measure.published import Rules, widened
from safercities.measure.rewrite import numbers
from safercities.measure.upward import CONSTANT
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import MEASURES, Estimates
from safercities.model.places import Place
from safercities.release import canonical
from safercities.release.chain import doubted, latest, read_chain
from safercities.release.fetch import cached, chain_folder
from safercities.release.manifest import FILE as MANIFEST
from safercities.release.memory import Memory
from safercities.release.verify import Verified, open_release, read_release

#: What the rules of a release say of how it was protected: counts were rounded; it holds only what others published.
ROUNDING = "rounding"
METHOD = "aggregation of published values"
#: Numbers beyond this are no statistics: sums of them would be wrong.
MAX_NUMBER = 1e15


@dataclass(frozen=True)
class Vintage:
    """One release that was used: which, of when, and when it was got."""

    source: str
    place: str
    identity: str
    release: str
    number: int
    published: date
    as_of: date | None
    fetched: str | None

    def as_json(self) -> dict[str, Any]:
        """As plain values, for records and manifests."""
        return {
            name: one.isoformat() if isinstance(one, date) else one
            for name, one in ((key, getattr(self, key)) for key in self.__dataclass_fields__)
        }


@dataclass(frozen=True)
class Member:
    """What one observatory published of its own place.

    Parameters
    ----------
    name
        Of the source.
    place
        What it is the observatory of.
    published
        The rows in force, as they were published; `source` is the kind.
    rows
        Those of them that may be aggregated, with the error of publishing in them (`measure.published.widened`).
    denominators
        Period → people of the place.
    definitions
        (indicator, version) → hash of the definition.
    labels
        Kind → name for people.
    vintages
        The releases in force.
    synthetic
        Whether any of it was made up.
    problems
        What a reader should know.
    """

    name: str
    place: Place
    published: Estimates
    rows: Estimates
    denominators: Mapping[str, float]
    definitions: Mapping[tuple[str, str], str]
    labels: Mapping[str, str]
    vintages: tuple[Vintage, ...]
    synthetic: bool
    problems: tuple[Problem, ...] = field(default=())


@dataclass(frozen=True)
class _Chain:
    """The verified releases of a source up to its day, whole; those in force, with their estimates."""

    all: tuple[Verified, ...]
    force: tuple[tuple[Verified, Estimates], ...]
    fetched: str | None


def read_members(
    sources: Mapping[str, ReleaseSpec],
    folder: Path,
    *,
    cache: Path,
    memory: Path | None,
    level: str = "city",
    today: date | None = None,
) -> list[Member]:
    """Read every source that is another observatory's releases. No network is touched.

    One that is refused stops the run: it goes on when the source is mended or taken out by somebody who means it, so
    that a larger place is never smaller in silence.

    Parameters
    ----------
    sources
        Name → what `observatory.toml` says.
    folder
        Of the observatory: `file` is looked for in it.
    cache
        Private folder of what was fetched; see `fetch.fetch`.
    memory
        Private file in which the releases seen are remembered; None: not remembered.
    level
        Level of places of which nothing has come yet.
    today
        Releases that are published later are refused. Default: by the clock.

    Raises
    ------
    SafercitiesError
        With what is wrong with each source that is refused.
    """
    seen = Memory(memory)
    members: list[Member] = []
    chains: list[tuple[Verified, ...]] = []
    wrong: list[Problem] = []
    for name, spec in sources.items():
        try:
            chain = _chain(name, spec, folder, cache, seen, today)
            members.append(_member(name, spec, chain, level))
            chains.append(chain.all)
        except SafercitiesError as error:
            wrong += [replace(one, column=one.column or f"sources.{name}") for one in error.problems]
    wrong += _twice(members)
    if wrong:
        raise SafercitiesError(wrong)
    seen.keep(chains)
    return members


def _twice(members: Sequence[Member]) -> list[Problem]:
    """Two sources of one place would count its people twice."""
    first: dict[str, str] = {}
    found = []
    for one in members:
        if one.place.id in first:
            place, other = one.place.id, first[one.place.id]
            where = f"sources.{one.name}"
            found.append(problem("federation-place-twice", column=where, place=place, source=one.name, other=other))
        first.setdefault(one.place.id, one.name)
    return found


# -- from files to releases in force -----------------------------------------------------------------------------------


def _chain(name: str, spec: ReleaseSpec, folder: Path, cache: Path, seen: Memory, today: date | None) -> _Chain:
    path, fetched = _origin(name, spec, folder, cache)
    if path is None:
        return _Chain((), (), None)
    newer = seen.ledger(spec.identity) if spec.identity else None
    with chain_folder(path, name) as releases:
        single = _single(releases)
        if single is not None:
            opened = read_release(single, identity=spec.identity, today=today, newer=newer)
            chain = [opened.verified]
        else:
            chain = read_chain(releases, identity=spec.identity, today=today, newer=newer)
        if chain and spec.identity is None:
            raise SafercitiesError(problem("federation-unpinned", source=name, identity=chain[0].identity))
        seen.check(chain)
        here = [each for each in chain if spec.as_of is None or each.manifest.published <= spec.as_of]
        for each in doubted(here):
            raise SafercitiesError(problem("chain-doubted", file=each.path.name, number=each.number))
        force = [(each, opened.estimates if single is not None else _again(each)) for each in latest(here)]
    return _Chain(tuple(chain), tuple(force), fetched)


def _again(verified: Verified) -> Estimates:
    """The estimates of a release of the chain: verified once more as it is read, and the same one."""
    opened = open_release(verified.path, identity=verified.identity)
    if opened.verified.id != verified.id:
        raise SafercitiesError(problem("release-altered", file=f"{verified.path.name}/{MANIFEST}"))
    return opened.estimates


def _origin(name: str, spec: ReleaseSpec, folder: Path, cache: Path) -> tuple[Path | None, str | None]:
    """Where the releases are, and when they were fetched; no path where none has come yet of a place that is named."""
    if spec.url is not None:
        found = cached(name, spec, cache)
        if found is None:
            raise SafercitiesError(problem("federation-not-fetched", source=name, url=spec.url))
        return found.path, found.at
    path = inside(spec.file or "", folder)
    if not path.exists() and spec.place is not None:
        return None, None
    return path, None


def inside(file: str, folder: Path) -> Path:
    """A path in the folder of the observatory.

    Raises
    ------
    SafercitiesError
        If it leads out of it.
    """
    path = folder / file
    if not file or Path(file).is_absolute() or ".." in Path(file.replace("\\", "/")).parts:
        raise SafercitiesError(problem("file-outside", file=file))
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SafercitiesError(problem("file-outside", file=file))
    return path


def _single(releases: Path) -> Path | None:
    """The release, where there is one only: its own folder, or the only one in an archive."""
    if (releases / MANIFEST).exists():
        return releases
    inner = [one for one in releases.iterdir() if not one.name.startswith(".")]
    return inner[0] if len(inner) == 1 and (inner[0] / MANIFEST).exists() else None


# -- from releases to a member -----------------------------------------------------------------------------------------


def _member(name: str, spec: ReleaseSpec, chain: _Chain, level: str) -> Member:
    where = f"sources.{name}"
    if not chain.force:
        return _waiting(name, spec, level)
    newest = chain.force[-1][0].manifest
    of = newest.observatory
    if spec.place is not None and of.place != spec.place:
        raise SafercitiesError(problem("federation-place", source=name, found=of.place, wanted=spec.place))
    found: list[Problem] = []
    parts = [_of_kinds(_own(estimates, of.place), spec, name) for _, estimates in chain.force]
    _check_size(parts, name)
    rules = [rules_of(each.manifest.rules) for each, _ in chain.force]
    chosen = _each_once(parts, where, name, found)
    labels = {one.name: one.label for each, _ in chain.force for one in each.manifest.series}
    for unknown in sorted(spec.kinds.keys() - labels.keys()):
        known = ", ".join(labels)
        found.append(
            problem("federation-kind-unknown", column=f"{where}.kinds", source=name, given=unknown, known=known)
        )
    if chain.all[0].number > 1:
        found.append(problem("federation-part", column=where, source=name, number=chain.all[0].number))
    return Member(
        name,
        Place(of.place, of.name, of.level),
        Estimates.concat(chosen),
        Estimates.concat(widened(_first_hand(part), rule) for part, rule in zip(chosen, rules, strict=True)),
        {
            one.period: one.people
            for each, _ in chain.force
            for one in each.manifest.denominators
            if one.place == of.place
        },
        {
            (code, version): entry.sha256
            for each, _ in chain.force
            for code, entry in each.manifest.indicators.items()
            for version in entry.versions
        },
        {spec.kinds.get(source, source): label for source, label in labels.items()},
        tuple(_vintage(name, each, spec, chain.fetched) for each, _ in chain.force),
        any(each.manifest.synthetic for each, _ in chain.force),
        tuple(found),
    )


def _waiting(name: str, spec: ReleaseSpec, level: str) -> Member:
    """A member of which nothing has come: it counts as one without data, if it is known which place that is."""
    if spec.place is None:
        raise SafercitiesError(problem("federation-nothing", source=name))
    place = Place(spec.place, spec.label or spec.place, level)
    told = problem("federation-waiting", column=f"sources.{name}", source=name)
    return Member(name, place, Estimates.empty(), Estimates.empty(), {}, {}, {}, (), False, (told,))


def _vintage(name: str, each: Verified, spec: ReleaseSpec, fetched: str | None) -> Vintage:
    place, published = each.manifest.observatory.place, each.manifest.published
    return Vintage(name, place, each.identity, each.id, each.number, published, spec.as_of, fetched)


def rules_of(rules: Mapping[str, object]) -> Rules:
    """The rules of a release, by a name that is the same where they are the same.

    Under rounding the error of a count has a standard deviation of about the least count k: a small leaf moves by less
    than k, and tables are kept close to what was recorded. Of several least counts the largest is taken, as nothing
    says which number came under which.

    Parameters
    ----------
    rules
        `method` (rounding, suppression), and `minimum_count` or `minimum`: a number, or several by name. Rules that say
        neither are told apart by the hash of all that they say.

    Examples
    --------
    >>> rules_of({"method": "rounding", "minimum_count": 5})
    Rules(name='rounding, k = 5', cases=5.0)
    >>> rules_of({"method": "suppression", "minimum": {"others": 5, "sensitive": 10}})
    Rules(name='suppression, k = 5 (others), 10 (sensitive)', cases=0.0)
    """
    method, least = rules.get("method"), rules.get("minimum_count", rules.get("minimum"))
    several = least if isinstance(least, Mapping) else {"": least}
    counts = {str(name): float(k) for name, k in several.items() if isinstance(k, int | float)}
    if isinstance(method, str) and counts and len(counts) == len(several):
        shown = ", ".join(f"{k:g}" + (f" ({_word(name)})" if name else "") for name, k in sorted(counts.items()))
        return Rules(f"{_word(method)}, k = {shown}", max(counts.values()) if method == ROUNDING else 0.0)
    if method == METHOD:
        return Rules(METHOD)
    return Rules(f"rules {hashlib.sha256(canonical.dumps(dict(rules))).hexdigest()[:8]}")


def _word(text: str) -> str:
    """A word of somebody else's that may stand in a method: a semicolon would end it."""
    return "".join(one for one in text if one.isalnum() or one in " -_")[:40]


def _own(estimates: Estimates, place: str) -> Estimates:
    """Rows of the place itself: what lies below it is not for larger places."""
    return Estimates(estimates.table.filter(pc.equal(estimates.table.column("place"), place)))


def _of_kinds(rows: Estimates, spec: ReleaseSpec, name: str) -> Estimates:
    """`source` is the kind. Two sources of one kind must not speak of the same."""
    table = rows.table
    kinds = [spec.kinds.get(one, one) for one in table.column("source").to_pylist()]
    table = table.set_column(table.column_names.index("source"), "source", pa.array(kinds, pa.string()))
    _, first = grouped(table, _keys(rows))
    if len(first) < table.num_rows:
        raise SafercitiesError(problem("federation-kind-twice", column=f"sources.{name}.kinds", source=name))
    return Estimates(table)


def _check_size(parts: Sequence[Estimates], name: str) -> None:
    for part in parts:
        for column, kind in MEASURES:
            ends = pc.min_max(part.table.column(column)).as_py().values() if not pa.types.is_string(kind) else ()
            if any(abs(end or 0) > MAX_NUMBER for end in ends):
                raise SafercitiesError(problem("federation-huge", source=name, name=column))


def _keys(rows: Estimates) -> tuple[str, ...]:
    return ("place", "period", *APART, *rows.dimensions)


def _each_once(parts: Sequence[Estimates], where: str, name: str, found: list[Problem]) -> list[Estimates]:
    """Where several releases in force speak of the same, the last one does; the problem says what became of it."""
    whole = Estimates.concat(parts)
    of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    group, _ = grouped(whole.table, _keys(whole))
    last = np.zeros(int(group.max()) + 1 if len(group) else 0, dtype=np.int64)
    np.maximum.at(last, group, of)
    keep = last[group] == of
    value = numbers(whole.table, "value")
    kept = np.full(len(last), np.nan)
    kept[group[keep]] = value[keep]
    changed = ~keep & ~((value == kept[group]) | (np.isnan(value) & np.isnan(kept[group])))
    if changed.any():
        found.append(problem("federation-revised", column=where, source=name, rows=int(changed.sum())))
    return [Estimates(whole.table.filter(pa.array(keep & (of == at), pa.bool_()))) for at in range(len(parts))]


def _first_hand(rows: Estimates) -> Estimates:
    """Without what is made anew for each larger place: summaries of members, trends, standardised from published."""
    method = pc.fill_null(rows.table.column("method"), "")
    made = pc.or_(pc.starts_with(method, RANDOM), pc.starts_with(method, PREDICTION))
    made = pc.or_(made, pc.ends_with(method, CONSTANT))
    pooled = pc.match_substring(method, "MOVER interval; of: ")
    made = pc.or_(made, pc.and_(pc.starts_with(method, STANDARDISED), pooled))
    return Estimates(rows.table.filter(pc.invert(made)))
