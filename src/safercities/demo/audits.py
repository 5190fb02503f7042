"""Draws the safety audits of the synthetic city: walks through each neighbourhood, points on them, ratings of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safercities.demo.audit_truth import MOST
from safercities.demo.draw import points
from safercities.demo.mess import forget
from safercities.demo.shape import CENTRE, ground
from safercities.demo.streets import PARAMETERS, mean_ratings

AUDITS = "safety_audits.geojson"
#: Walks in each neighbourhood and wave, and points on each walk.
WALKS, STOPS = 3, 8
#: Kind of mess → number of ratings, or of rows. Rows outside the city and with a rating that cannot be are extra.
MESS = {"not_rated": 45, "outside": 4, "impossible_rating": 2}
_NOT_RATED, _IMPOSSIBLE = 9, 7
_TRIES = 40  # points out of which a walk takes the nearest to its first one
_WALK_EFFECT = 0.12  # most by which one walk rates every parameter higher or lower, as a share of the best


@dataclass(frozen=True)
class Audits:
    """Audited points, one entry each, in the order wave, neighbourhood, walk.

    Parameters
    ----------
    year, place, walk
        The wave, index of the neighbourhood, number of the walk.
    when
        Moment, datetime64[m].
    xy
        Longitude and latitude, shape (points, 2).
    ratings
        0–3, shape (points, parameters).
    """

    year: np.ndarray
    place: np.ndarray
    walk: np.ndarray
    when: np.ndarray
    xy: np.ndarray
    ratings: np.ndarray

    def __len__(self) -> int:
        return len(self.year)


def draw_ratings(seed: int, years: tuple[int, ...]) -> Audits:
    """Draw the walks and their ratings, without moments and points: what a statistical test over many cities needs.

    A rating is binomial of 3 trials, so that its mean is the true one over all walks; each walk sees everything in a
    brighter or a darker light, so that its points resemble each other.

    Parameters
    ----------
    seed
        Seed of the draws; the truth does not depend on it.
    years
        The waves.

    Examples
    --------
    >>> audits = draw_ratings(1, (2023, 2025))
    >>> audits.ratings.shape, int(audits.ratings.max())
    ((1920, 9), 3)
    """
    rng = np.random.default_rng([seed, 3000])
    share = mean_ratings(years) / MOST
    wave, place, walk, _ = (part.ravel() for part in np.indices((*share.shape[:2], WALKS, STOPS)))
    number = (wave * share.shape[1] + place) * WALKS + walk
    light = rng.uniform(-1, 1, number[-1] + 1)[number]
    mine = share[wave, place]
    room = np.minimum(_WALK_EFFECT, 0.5 * np.minimum(mine, 1 - mine))
    ratings = rng.binomial(MOST, mine + light[:, None] * room)
    nothing = np.empty((len(wave), 0))
    return Audits(np.asarray(years)[wave], place, number + 1, nothing, nothing, ratings)


def draw_audits(seed: int, years: tuple[int, ...]) -> Audits:
    """Draw the audits: the walks of `draw_ratings`, each on an evening of spring, with points some steps apart."""
    rng = np.random.default_rng([seed, 3001])
    numbers = draw_ratings(seed, years)
    first = numbers.walk.argsort(kind="stable")[::STOPS]
    start = (numbers.year[first] - 1970).astype("datetime64[Y]").astype("datetime64[M]") + 8  # September, spring there
    evening = start.astype("datetime64[D]") + rng.integers(0, 90, len(first))
    begin = evening.astype("datetime64[m]") + 19 * 60 + rng.integers(0, 120, len(first))
    minutes = np.arange(len(numbers)) % STOPS * 6 + rng.integers(0, 3, len(numbers))
    when = np.repeat(begin, STOPS) + minutes
    xy = _steps(rng, numbers.place[first])
    return Audits(numbers.year, numbers.place, numbers.walk, when, xy, numbers.ratings)


def _steps(rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """Points of each walk: of many points in its neighbourhood, the nearest to the first; (walks × stops, 2)."""
    cloud = points(rng, np.repeat(place, _TRIES)).reshape(len(place), _TRIES, 2)
    near = np.argsort(((cloud - cloud[:, :1]) ** 2).sum(axis=2), axis=1)[:, :STOPS]
    return np.take_along_axis(cloud, near[..., None], axis=1).reshape(-1, 2)


def write_audits(folder: Path, audits: Audits, seed: int, label: str) -> None:
    """Write the points as GeoJSON, as an audit app exports them: some ratings skipped, some points of a try-out."""
    rng = np.random.default_rng([seed, 3002])
    extra = rng.choice(len(audits), MESS["outside"] + MESS["impossible_rating"], replace=False)
    rows = np.concatenate([np.arange(len(audits)), extra])
    xy, ratings = np.round(audits.xy, 6), forget(rng, audits.ratings.ravel(), MESS["not_rated"], _NOT_RATED)
    xy, ratings = xy[rows], ratings.reshape(audits.ratings.shape)[rows]
    trial = np.arange(len(audits), len(rows))
    xy[trial[: MESS["outside"]]] = np.add(CENTRE, (0.14, 0.12))  # far at sea
    ratings[trial[MESS["outside"] :], 0] = _IMPOSSIBLE
    when = np.datetime_as_string(audits.when[rows], unit="s").tolist()
    table = zip(when, audits.walk[rows].tolist(), xy.tolist(), ratings.tolist(), strict=True)
    features = [_feature(number, *row) for number, row in enumerate(table, start=1)]
    content = {"type": "FeatureCollection", "name": "safety_audits", "description": label, "features": features}
    (folder / AUDITS).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def _feature(number: int, when: str, walk: int, xy: list[float], ratings: list[int]) -> dict[str, object]:
    about = {"point": number, "walk": f"W{walk:03d}", "when": when}
    properties = about | dict(zip(PARAMETERS, ratings, strict=True))
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": xy}}


def place_means(audits: Audits) -> np.ndarray:
    """Mean rating of each parameter; shape (waves, neighbourhoods, parameters). The waves in the order of time."""
    waves = np.unique(audits.year, return_inverse=True)[1]
    shape = (waves.max() + 1, len(ground().codes), len(PARAMETERS))
    sums = np.zeros(shape)
    np.add.at(sums, (waves, audits.place), audits.ratings)
    means: np.ndarray = sums / (WALKS * STOPS)
    return means
