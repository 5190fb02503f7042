"""Anonymous points as the finest level of places: read from addresses, planned, given to records, counted."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from safercities.collect.records import REJECTS, Collected
from safercities.disclose.journal import Entry
from safercities.disclose.plan import PlannedPeriod
from safercities.disclose.points import Points, anonymous_points, snap
from safercities.disclose.spec import AddressesSpec, PublishSpec
from safercities.disclose.zones import Chain, Overlaps, distinct_chains
from safercities.indicators.spec import Indicator
from safercities.measure.source import CountsSource
from safercities.model.dimensions import UNKNOWN
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.geographies import Geography
from safercities.places.hierarchy import Hierarchy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Name of the level that the points make.
LEVEL = "point"
_MOST_ADDRESSES = 10**6
_LISTED = 10
#: Words in the name of a dimension about hate violence.
_HATE = ("motive", "hate", "bias")
_WGS84 = "EPSG:4326"
_FILE, _SOURCES = "observatory.toml", "publish.addresses.sources"


@dataclass(frozen=True, eq=False)
class PointLevel:
    """Anonymous points as a level of places.

    Parameters
    ----------
    points
        In the coordinates of `crs`.
    crs
        Metres around the middle of the addresses.
    levels, areas
        Levels that are published, and the place at each of them, area by area: points lie in the smallest areas that
        all published geographies make together.
    finest
        The level of the places that the points lie in.
    places
        One for each point, with its coordinates as aliases `lon` and `lat` (WGS 84, degrees).
    hierarchy
        All places, the points among them.
    problems
        What is worth knowing of the addresses.
    """

    points: Points
    crs: str
    levels: tuple[str, ...]
    areas: tuple[Chain, ...]
    finest: str
    places: tuple[Place, ...]
    hierarchy: Hierarchy
    problems: tuple[Problem, ...] = ()

    def overlaps(self, known: Overlaps | None = None) -> dict[tuple[str, str], Collection[tuple[str, str]]]:
        """Which places of parallel levels share ground, with the points: each lies in one area."""
        ids = [one.id for one in self.places]
        found: dict[tuple[str, str], Collection[tuple[str, str]]] = dict(known or {})
        for axis, level in enumerate(self.levels):
            its = [self.areas[area][axis] for area in self.points.area.tolist()]
            found[level, LEVEL] = frozenset(zip(its, ids, strict=True))
        return found


def read_points(
    spec: PublishSpec, folder: Path, geographies: Sequence[Geography], own: Place, day: date
) -> PointLevel | None:
    """The anonymous points of the addresses that `[publish.addresses]` names; None where it names none.

    Parameters
    ----------
    folder
        The observatory folder.
    own
        The observatory's own place.
    day
        Addresses lie in the places of this day.

    Raises
    ------
    SafercitiesError
        If the file is wrong, no published level can hold the points, or no area has enough addresses.
    """
    from safercities.places.locate import locate

    if spec.addresses is None:
        return None
    used = [one for one in geographies if spec.levels is None or one.level in spec.levels]
    levels = tuple(dict.fromkeys(one.level for one in used))
    if not levels:
        raise SafercitiesError(problem("points-no-level", file=_FILE, column="publish.addresses"))
    if any(one.level == LEVEL for one in geographies):
        raise SafercitiesError(problem("points-level-taken", file=_FILE, column="geographies", level=LEVEL))
    collected, count = _addresses(spec.addresses, folder, day)
    listed = [own, *(place for one in geographies for place in one.places)]
    hierarchy = Hierarchy(listed)
    located = locate(collected, used, hierarchy)
    finest = max(levels, key=lambda level: len(hierarchy.at_level(level)))
    area, areas = _by_area(located.collected.table, levels, finest)
    crs = _around(collected)
    k = spec.addresses.least or spec.minimum_count
    points = anonymous_points(*_metres(collected.table, str(collected.crs), crs), area, k, count)
    parents = [hierarchy[one[levels.index(finest)]] for one in areas]
    told = [*collected.problems, *located.problems, *_without(points, area, count, parents, collected.file, k)]
    if not len(points):
        raise SafercitiesError([*told, problem("points-none", file=collected.file, k=k)])
    places = as_geography(points, parents, crs)
    return PointLevel(points, crs, levels, areas, finest, places, Hierarchy([*listed, *places]), tuple(told))


def _addresses(spec: AddressesSpec, folder: Path, day: date) -> tuple[Collected, Ints]:
    """The addresses as records of a day, and how many each row stands for."""
    from safercities.collect.columns import encode, need_columns, to_numbers
    from safercities.collect.coordinates import coordinates
    from safercities.collect.faults import Ledger
    from safercities.collect.read import read_table

    raw = read_table(spec, folder)
    columns = (spec.longitude, spec.latitude, spec.count)
    need_columns(raw, [name for name in columns if name is not None])
    ledger = Ledger(raw)
    where = coordinates(ledger, spec)
    count = np.ones(raw.table.num_rows, dtype=np.int64)
    if spec.count is not None:
        encoded = encode(raw.table.column(spec.count))
        numbers = to_numbers(encoded.values, spec.decimal, thousands=False)
        with np.errstate(invalid="ignore"):
            good = (numbers >= 0) & (numbers <= _MOST_ADDRESSES) & (numbers == np.floor(numbers))
        ledger.note("points-count", encoded.take(~good, True), spec.count, most=_MOST_ADDRESSES)
        count = encoded.take(np.where(good, numbers, 0).astype(np.int64), 0)
    when = pa.array(np.full(len(count), np.datetime64(day, "us")), pa.timestamp("us"))
    there = {name: pa.array(v, mask=~where.known) for name, v in (("x", where.x), ("y", where.y))}
    table = pa.table({"row": raw.rows, "when": when, **there})
    rows, said = raw.rows_read, tuple(ledger.problems)
    made = Collected("addresses", "incidents", spec.file, table, REJECTS.empty_table(), said, rows, None, where.crs,
                     "day", (), "Addresses")  # fmt: skip
    return made, count


def _by_area(table: pa.Table, levels: Sequence[str], finest: str) -> tuple[Ints, tuple[Chain, ...]]:
    """The area of each record, and all areas: the distinct places at all levels, of records with one at the finest."""
    number, chains = distinct_chains(table, levels)
    areas = tuple(sorted(one for one in chains if one[levels.index(finest)] != UNKNOWN))
    return _numbered(number, chains, areas), areas


def _numbered(number: Ints, chains: Sequence[Chain], areas: Sequence[Chain]) -> Ints:
    position = {one: at for at, one in enumerate(areas)}
    of = np.array([position.get(one, -1) for one in chains], dtype=np.int64)
    return of[number] if len(of) else np.zeros(0, dtype=np.int64)


def _around(collected: Collected) -> str:
    """Coordinates in metres around the middle of the addresses, in whole degrees: a few new ones do not move it."""
    from pyproj import Transformer

    x, y = _column(collected.table, "x"), _column(collected.table, "y")
    there = np.isfinite(x) & np.isfinite(y)
    middle = (float(np.median(x[there])), float(np.median(y[there]))) if there.any() else (0.0, 0.0)
    lon, lat = Transformer.from_crs(collected.crs, _WGS84, always_xy=True).transform(*middle)
    lon, lat = (round(v) if np.isfinite(v) else 0 for v in (lon, lat))
    return f"+proj=aeqd +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"


def _metres(table: pa.Table, crs: str, target: str) -> tuple[Floats, Floats]:
    """Coordinates of records in metres; infinite or NaN where they have none."""
    from pyproj import Transformer

    moved = Transformer.from_crs(crs, target, always_xy=True).transform(_column(table, "x"), _column(table, "y"))
    return np.asarray(moved[0], dtype=np.float64), np.asarray(moved[1], dtype=np.float64)


def _column(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def _without(points: Points, area: Ints, count: Ints, parents: Sequence[Place], file: str, k: int) -> list[Problem]:
    """What is said of areas with addresses, but too few for a point."""
    held = np.zeros(len(parents), dtype=np.int64)
    np.add.at(held, area[area >= 0], count[area >= 0])
    names = [parents[at].name for at in np.setdiff1d(np.flatnonzero(held), points.area).tolist()]
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    return [problem("points-few", file=file, areas=len(names), listed=listed, k=k)] if names else []


def as_geography(points: Points, parents: Sequence[Place], crs: str) -> tuple[Place, ...]:
    """A place for each point, with its coordinates.

    Its id is that of the place that it lies in, a number, and a mark of all points of the area: with other points,
    nearest is somewhere else, and nobody can take the one for the other.

    Parameters
    ----------
    parents
        The place that each area lies in.
    crs
        Of the points.
    """
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(crs, _WGS84, always_xy=True).transform(points.x, points.y)
    groups = np.split(np.arange(len(points)), np.flatnonzero(np.diff(points.area)) + 1)
    marks = {int(points.area[its[0]]): _mark(crs, points.x[its], points.y[its]) for its in groups if len(its)}
    numbers: dict[str, int] = {}
    places = []
    for at, area in enumerate(points.area.tolist()):
        parent = parents[area]
        number = numbers[parent.id] = numbers.get(parent.id, 0) + 1
        where = {"lon": f"{lon[at]:.5f}", "lat": f"{lat[at]:.5f}"}
        id, name = f"{parent.id}.{number}.{marks[area]}", f"{parent.name}, {LEVEL} {number}"
        places.append(Place(id, name, LEVEL, parent.id, aliases=where))
    return tuple(places)


def _mark(crs: str, x: Floats, y: Floats) -> str:
    return hashlib.sha256(repr((crs, x.tolist(), y.tolist())).encode()).hexdigest()[:6]


# ------------------------------------------------------------------------------------------------ cases at their points


def with_points(source: CountsSource, level: PointLevel, crs: str | None) -> CountsSource:
    """A source whose records have a point as well: the nearest one of the area that they lie in.

    Records without coordinates, or in an area without points, have none (`_U`).

    Parameters
    ----------
    crs
        Of the source's coordinates.

    Raises
    ------
    SafercitiesError
        If the source has no coordinates, or has a dimension about hate violence.
    """
    for name in source.dimensions:
        if any(word in name for word in _HATE):
            raise SafercitiesError(problem("points-hate", file=_FILE, column=_SOURCES, source=source.name, name=name))
    if crs is None or not {"x", "y"} <= set(source.table.column_names):
        raise SafercitiesError(problem("points-no-coordinates", file=_FILE, column=_SOURCES, source=source.name))
    area = _numbered(*distinct_chains(source.table, level.levels), level.areas)
    at = snap(level.points, *_metres(source.table, crs, level.crs), area)
    ids = pa.array([*(one.id for one in level.places), UNKNOWN], pa.string())
    column = ids.take(pa.array(np.where(at < 0, len(level.places), at)))
    return replace(
        source, table=source.table.append_column(f"place_{LEVEL}", column), levels=(*source.levels, LEVEL)
    )  # fmt: skip


def check_sources(spec: PublishSpec, sources: Collection[str]) -> None:
    """Refuse sources to publish by point that are none.

    Parameters
    ----------
    sources
        Names of the sources of incidents.

    Raises
    ------
    SafercitiesError
        Naming them.
    """
    named = spec.addresses.sources if spec.addresses is not None else []
    known = ", ".join(sources) or "none"
    if wrong := [
        problem("points-no-source", file=_FILE, column=_SOURCES, source=name, known=known)
        for name in named
        if name not in sources
    ]:
        raise SafercitiesError(wrong)


def plan_points(
    part: PlannedPeriod,
    spec: PublishSpec,
    level: PointLevel | None,
    indicators: Mapping[str, Indicator],
    earlier: Sequence[Entry] = (),
) -> tuple[PlannedPeriod, tuple[Problem, ...]]:
    """What is published of a source and period, by point too; and which indicators are not, and why.

    By point are only the totals of indicators that are published by place at the finest level, and that are not
    sensitive, sexual or of hate.

    Parameters
    ----------
    indicators
        Code → definition.
    earlier
        What earlier releases told of the same source and period.

    Raises
    ------
    SafercitiesError
        If the period was published by other points: the same cases at two sets of points would tell where they are.
    """
    ids = {one.id for one in level.places} if level is not None and _named(part, spec) else set()
    for entry in earlier:
        if LEVEL in entry.frame.levels:
            before = set(entry.frame.codes[entry.frame.levels.index(LEVEL)]) - {UNKNOWN}
            if before != ids:
                said: dict[str, Any] = {"source": part.source, "period": str(part.period)}
                raise SafercitiesError(problem("points-changed", file=_FILE, column="publish.addresses", **said))
    if level is None or not ids:
        return part, ()
    chosen = [one for one in part.tables if one.level == level.finest and not one.dimensions and one.shown]
    kept = [one for one in chosen if spec.by_point(indicators[one.indicator])]
    problems = tuple(
        problem("points-sensitive", file=_FILE, column=_SOURCES, indicator=one.indicator, source=part.source)
        for one in chosen
        if one not in kept
    )
    return replace(part, tables=(*part.tables, *(replace(one, level=LEVEL) for one in kept))), problems


def _named(part: PlannedPeriod, spec: PublishSpec) -> bool:
    return spec.addresses is not None and part.kind == "incidents" and part.source in spec.addresses.sources


def measure_points(
    indicators: Sequence[Indicator], source: CountsSource, hierarchy: Hierarchy, place: str, period: str, level: float
) -> Estimates:
    """Counts by point; no rates, as nobody knows how many people are at one.

    Parameters
    ----------
    source
        Protected, with the level of the points.
    hierarchy
        With the points.
    place
        Id of the observatory's own place.
    period, level
        As in `measure_counts`.
    """
    from safercities.measure.counts import measure_counts

    if LEVEL not in source.levels or not indicators:
        return Estimates.empty()
    only = replace(source, levels=(LEVEL,))
    made = [
        measure_counts(
            one, only, hierarchy=hierarchy, population=None, place=place, by=[["place"]], period=period, level=level
        )
        for one in indicators
    ]  # fmt: skip
    whole = Estimates.concat(made)
    return Estimates(whole.table.filter(pc.not_equal(whole.table.column("place"), place)))
