"""Draws the cases of the synthetic city: Poisson counts from true rates, then a moment, a point, an age for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import shapely

from safercities.demo.answers import survey_truth
from safercities.demo.residents import waves
from safercities.demo.shape import ground
from safercities.demo.streets import audit_truth
from safercities.demo.truth import (
    ACTS,
    CENSUS_AGES,
    KNOWN_TO_POLICE,
    KNOWN_TO_REGISTRY,
    SERIES,
    Truth,
    by_age_group,
    expected,
    people,
)

_INSET = 0.0001  # degrees, about 10 m: no drawn point lies on a border
_EVENING = np.array([5, 4, 3, 2, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 4, 4, 5, 6, 8, 10, 10, 9, 8, 7], dtype=float)


@dataclass(frozen=True)
class Cases:
    """Cases of one act, one entry each, in order of time.

    Parameters
    ----------
    when
        Moment, datetime64[m].
    place, sex
        Index of the neighbourhood and of the sex.
    age
        Years of age.
    xy
        Longitude and latitude, shape (cases, 2).
    """

    when: np.ndarray
    place: np.ndarray
    sex: np.ndarray
    age: np.ndarray
    xy: np.ndarray

    def __len__(self) -> int:
        return len(self.when)

    def only(self, chosen: np.ndarray) -> Cases:
        """The cases that a mask or index picks."""
        return Cases(*(part[chosen] for part in (self.when, self.place, self.sex, self.age, self.xy)))


def draw_counts(seed: int, years: Sequence[int]) -> Truth:
    """Draw only the numbers of cases, not the cases: what a statistical test over many cities needs.

    Parameters
    ----------
    seed
        Seed of the draws; the city and its true rates do not depend on it.
    years
        Years to draw.
    """
    means, drawn = {}, {}
    for name in SERIES:
        act, known = SERIES[name]
        means[name] = known * expected(act, years)
        counts = np.random.default_rng([seed, list(SERIES).index(name)]).poisson(means[name])
        drawn[name] = by_age_group(counts)
    return _truth(seed, years, means, drawn)


def draw_cases(seed: int, years: Sequence[int]) -> tuple[Truth, dict[str, Cases]]:
    """Draw every case of every series. The two sources of homicide know parts of the same cases.

    Returns
    -------
    tuple
        The truth (with no mess yet), and series → cases.
    """
    cases: dict[str, Cases] = {}
    for index, act in enumerate(ACTS):
        rng = np.random.default_rng([seed, index])
        all_cases = _draw_act(rng, expected(act, years), years)
        if act == "homicide":
            cases["homicide.police"] = all_cases.only(rng.random(len(all_cases)) < KNOWN_TO_POLICE)
            at_registry = all_cases.only(rng.random(len(all_cases)) < KNOWN_TO_REGISTRY)
            cases["homicide.registry"] = _by_day_of_death(rng, at_registry)
        else:
            cases[act] = all_cases
    means = {name: known * expected(act, years) for name, (act, known) in SERIES.items()}
    drawn = {name: _count(part, years) for name, part in cases.items()}
    return _truth(seed, years, means, drawn), cases


def _truth(seed: int, years: Sequence[int], means: Mapping[str, np.ndarray], drawn: Mapping[str, np.ndarray]) -> Truth:
    return Truth(
        seed=seed,
        years=tuple(years),
        places=ground().codes,
        people=by_age_group(people(years)),
        expected={name: by_age_group(cells) for name, cells in means.items()},
        drawn=dict(drawn),
        mess={},
        survey=survey_truth(waves(years)),
        audits=audit_truth(waves(years)),
    )


def _draw_act(rng: np.random.Generator, means: np.ndarray, years: Sequence[int]) -> Cases:
    counts = rng.poisson(means)
    year, place, sex, group = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    age = np.array(CENSUS_AGES)[group] + rng.integers(0, 5, len(group))
    when = _moments(rng, np.asarray(years)[year])
    cases = Cases(when, place, sex, age, points(rng, place))
    return cases.only(np.argsort(when, kind="stable"))


def _moments(rng: np.random.Generator, year: np.ndarray) -> np.ndarray:
    """A moment in each given year: any day, more often in the evening."""
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    days = ((year - 1969).astype("datetime64[Y]").astype("datetime64[D]") - start).astype(int)
    day = start + (rng.random(len(year)) * days).astype(int)
    minutes = 60 * rng.choice(24, len(year), p=_EVENING / _EVENING.sum()) + rng.integers(0, 60, len(year))
    when: np.ndarray = day.astype("datetime64[m]") + minutes
    return when


def _by_day_of_death(rng: np.random.Generator, cases: Cases) -> Cases:
    """The same cases, dated by the death: most on the same day, some days later, never in another year."""
    later = np.where(rng.random(len(cases)) < 0.8, 0, rng.integers(1, 12, len(cases)))
    day = cases.when.astype("datetime64[D]")
    last = (day.astype("datetime64[Y]") + 1).astype("datetime64[D]") - 1
    died = np.minimum(day + later, last)
    moved = replace(cases, when=died.astype("datetime64[m]"))
    return moved.only(np.argsort(moved.when, kind="stable"))


def _count(cases: Cases, years: Sequence[int]) -> np.ndarray:
    """Cases in each cell of the truth's arrays."""
    year = cases.when.astype("datetime64[Y]").astype(int) + 1970
    group = np.digitize(cases.age, CENSUS_AGES[1:])
    cells = np.zeros((len(years), len(ground().codes), 2, len(CENSUS_AGES)), dtype=np.int64)
    np.add.at(cells, (np.searchsorted(years, year), cases.place, cases.sex, group), 1)
    return by_age_group(cells)


@cache
def _triangles() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Corners of the triangles that make up each neighbourhood, shape (triangles, 3, 2), and their shares of it."""
    corners, shares = [], []
    for polygon in shapely.buffer(ground().polygons, -_INSET):
        parts = shapely.get_parts(shapely.constrained_delaunay_triangles(polygon))
        area = shapely.area(parts)
        corners.append(shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3])
        shares.append(area / area.sum())
    return corners, shares


def points(rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """A point for each case, evenly spread over its neighbourhood."""
    xy = np.empty((len(place), 2))
    for index, (corners, share) in enumerate(zip(*_triangles(), strict=True)):
        mine = np.flatnonzero(place == index)
        corner = corners[rng.choice(len(share), len(mine), p=share)]
        along, across = rng.random((2, len(mine), 1))
        flip = along + across > 1
        along, across = np.where(flip, 1 - along, along), np.where(flip, 1 - across, across)
        xy[mine] = corner[:, 0] + along * (corner[:, 1] - corner[:, 0]) + across * (corner[:, 2] - corner[:, 0])
    return xy


def anonymous_points(per_place: int = 8) -> np.ndarray:
    """The few points to which anonymised cases are moved, shape (neighbourhoods, points, 2); always the same."""
    rng = np.random.default_rng([1976, 99])
    place = np.repeat(np.arange(len(ground().codes)), per_place)
    return np.round(points(rng, place), 6).reshape(-1, per_place, 2)
