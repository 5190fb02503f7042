"""Ties between geographies, found from their boundaries: which place of another level each lies in, and who is next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyproj
import shapely

from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.places.geographies import Geography, Shapes, with_parents
from safercities.places.spec import GeographySpec

#: Share of a place's area that must lie in one place of the level above for the tie to go without saying.
CLEAR = 0.9


def tie(geographies: Sequence[Geography], specs: Sequence[GeographySpec]) -> list[Geography]:
    """Give each place its parent where the spec says `within`: the place of that level that holds most of its area.

    A tie of less than 90 % of the area is a warning that names the places.

    Raises
    ------
    SafercitiesError
        If there is no such level, it has no boundaries, or a place lies in none of its places.
    """
    return [
        geography if spec.within is None else _tied(geography, spec.within, geographies)
        for geography, spec in zip(geographies, specs, strict=True)
    ]


def _tied(geography: Geography, level: str, geographies: Sequence[Geography]) -> Geography:
    above = _above(geography, level, geographies)
    if geography.geometries is None or above.geometries is None:
        without = geography if geography.geometries is None else above
        raise SafercitiesError(
            problem("within-no-boundaries", file=geography.file, column="within", level=level, without=without.level)
        )
    best, share = _shares(geography.geometries, projected(above, geography.crs))
    if (best < 0).any():
        lost = [geography.places[index].id for index in np.flatnonzero(best < 0)]
        listed = ", ".join(lost[:10]) + (", …" if len(lost) > 10 else "")
        raise SafercitiesError(
            problem("within-nowhere", file=geography.file, column="within", rows=len(lost), level=level, listed=listed)
        )
    parents = [above.places[index].id for index in best]
    return with_parents(geography, parents, tuple(_unclear(geography, above, best, share)))


def _above(geography: Geography, level: str, geographies: Sequence[Geography]) -> Geography:
    """The geography of a level that is valid together with this one; of several the latest."""
    at_level = [other for other in geographies if other.level == level and other is not geography]
    if not at_level:
        known = ", ".join(dict.fromkeys(other.level for other in geographies if other is not geography)) or "none"
        raise SafercitiesError(
            problem("within-no-level", file=geography.file, column="within", level=level, known=known)
        )
    together = [
        other
        for other in at_level
        if not (geography.valid_to and other.valid_from and other.valid_from > geography.valid_to)
        and not (geography.valid_from and other.valid_to and other.valid_to < geography.valid_from)
    ]
    return (together or at_level)[-1]


def projected(geography: Geography, crs: str | None) -> Shapes:
    """Boundaries in another CRS."""
    shapes: Shapes = np.asarray(geography.geometries, dtype=object)
    if crs == geography.crs or pyproj.CRS(crs) == pyproj.CRS(geography.crs):
        return shapes
    move = pyproj.Transformer.from_crs(geography.crs, crs, always_xy=True)
    moved = shapely.transform(shapes, move.transform, interleaved=False)
    bad = ~shapely.is_valid(moved)
    moved[bad] = shapely.make_valid(moved[bad], method="structure", keep_collapsed=False)
    return np.asarray(moved, dtype=object)


def _shares(inner: Shapes, outer: Shapes) -> tuple[np.ndarray, np.ndarray]:
    """For each inner polygon: the outer one that holds most of its area (−1 for none), and the share that it holds."""
    one, two = shapely.STRtree(outer).query(inner, predicate="intersects")
    area = shapely.area(shapely.intersection(inner[one], outer[two])) / shapely.area(inner[one])
    best, share = np.full(len(inner), -1, dtype=np.int64), np.zeros(len(inner))
    order = np.lexsort((-two, area))  # the largest area last; of equal ones the first listed
    order = order[area[order] > 0]
    best[one[order]], share[one[order]] = two[order], area[order]
    return best, share


def _unclear(geography: Geography, above: Geography, best: np.ndarray, share: np.ndarray) -> list[Problem]:
    unclear = np.flatnonzero(share < CLEAR)
    if not len(unclear):
        return []
    named = [
        f"{geography.places[index].id} ({share[index]:.0%} in {above.places[best[index]].id})" for index in unclear[:10]
    ]
    listed = ", ".join(named) + (f", and {len(unclear) - 10} more" if len(unclear) > 10 else "")
    return [problem("within-unclear", file=geography.file, rows=len(unclear), level=above.level, listed=listed)]


def neighbours(geography: Geography) -> Mapping[str, tuple[str, ...]]:
    """Places that share a stretch of border with each place: a corner alone makes no neighbours.

    Borders that were drawn apart by less than a thousandth of the places' usual width count as shared. Empty where the
    geography has no boundaries.

    Examples
    --------
    >>> from safercities.model.places import Place
    >>> boxes = np.array([shapely.box(x, y, x + 1, y + 1) for y in (0, 1) for x in (0, 1)])
    >>> places = tuple(Place(name, name, "ward") for name in "abcd")
    >>> neighbours(Geography("ward", places, boxes, "EPSG:27700", None, None, ()))["a"]
    ('b', 'c')
    """
    if geography.geometries is None:
        return {}
    shapes: Shapes = np.asarray(geography.geometries, dtype=object)
    gap = 1e-3 * float(np.sqrt(np.median(shapely.area(shapes)))) if len(shapes) else 0.0
    tree = shapely.STRtree(shapes)
    one, two = tree.query(shapes, predicate="dwithin", distance=gap)
    one, two = one[one < two], two[one < two]
    # a corner shares at most a length of about the gap; a border shares more
    near = shapely.buffer(shapes[two], gap)
    shared = shapely.length(shapely.intersection(shapely.boundary(shapes[one]), near))
    touching = shared > 8 * gap
    found: dict[str, list[str]] = {place.id: [] for place in geography.places}
    for a, b in zip(one[touching], two[touching], strict=True):
        found[geography.places[a].id].append(geography.places[b].id)
        found[geography.places[b].id].append(geography.places[a].id)
    return {id: tuple(others) for id, others in found.items()}
