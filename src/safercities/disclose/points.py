"""Anonymous points: addresses grouped into points of k or more, and the nearest point of its area for each case.

The only coordinates that leave the office are those of the points, and they follow from where people live, never from
where something happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Metres to which the coordinates of a point are rounded.
GRID = 10.0
#: Addresses of a group, in k: of groups of just k, many would be left with fewer once each goes to its nearest point.
_SIZE = 1.5
#: Metres between areas in the third dimension of the search tree: further apart than anything on Earth.
_APART = 1e9
#: Coordinates have so many bits: from −2^25 to 2^25 metres, which is once around the Earth.
_BITS = 26


@dataclass(frozen=True, eq=False)
class Points:
    """Anonymous points, by area.

    Parameters
    ----------
    x, y
        Metres; shape (points,).
    area
        Number of the area that each lies in.
    addresses
        Addresses of the area to which it is the nearest point: k or more.
    """

    x: Floats
    y: Floats
    area: Ints
    addresses: Ints

    def __len__(self) -> int:
        return len(self.area)


def anonymous_points(x: Floats, y: Floats, area: Ints, k: int, count: Ints | None = None) -> Points:
    """Points such that each is the nearest one of its area to k addresses or more.

    Neighbours along a Hilbert curve through each area are grouped; a group's point is the median of its addresses,
    rounded to `GRID`. Points that are the nearest to fewer than k are taken away, every other one first, until none is
    left: so what is said of a point may be of any of k addresses, whoever moves cases to the nearest point. The order
    of the addresses does not matter.

    Source: as for the maps of police.uk, "Location anonymisation" (points with eight or more postal addresses).

    Parameters
    ----------
    x, y
        Metres; shape (rows,). Rows that are not finite are left out.
    area
        Area of each, −1 for none. Areas of fewer than k addresses get no point.
    count
        Addresses at each; default: one.

    Examples
    --------
    >>> found = anonymous_points(np.array([0.0, 3, 900, 904]), np.zeros(4), np.zeros(4, dtype=np.int64), 2)
    >>> found.x.tolist(), found.addresses.tolist()
    ([0.0, 900.0], [2, 2])
    """
    count = np.ones(len(x), dtype=np.int64) if count is None else count
    x, y, area, count = _distinct(x, y, area, count, k)
    if not len(x):
        return Points(np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    before = np.cumsum(count) - count
    first = np.flatnonzero(np.diff(area, prepend=-1))
    block = (before - np.repeat(before[first], np.diff(first, append=len(area)))) // max(k, round(_SIZE * k))
    group = np.cumsum((np.diff(block, prepend=-1) != 0) | (np.diff(area, prepend=-1) != 0)) - 1
    centres = np.stack([area[np.flatnonzero(np.diff(group, prepend=-1))], _medians(x, group), _medians(y, group)])
    centres[1:] = np.round(centres[1:] / GRID) * GRID + 0.0  # no negative zero
    _, kept = np.unique(centres, axis=1, return_index=True)
    return _with_enough(centres[:, np.sort(kept)], x, y, area, count, k)


def _distinct(x: Floats, y: Floats, area: Ints, count: Ints, k: int) -> tuple[Floats, Floats, Ints, Ints]:
    """Each place with addresses once, by area and along the curve; without areas of too few."""
    kept = np.flatnonzero(_usable(x, y, area) & (count > 0))
    kept = kept[np.lexsort((y[kept], x[kept], area[kept]))]
    x, y, area, count = x[kept], y[kept], area[kept], count[kept]
    new = (np.diff(x, prepend=np.nan) != 0) | (np.diff(y, prepend=np.nan) != 0) | (np.diff(area, prepend=-1) != 0)
    start = np.flatnonzero(new)
    count = np.add.reduceat(count, start) if len(start) else count
    x, y, area = x[start], y[start], area[start]
    total = np.zeros(int(area.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(total, area, count)
    kept = np.flatnonzero(total[area] >= k)
    kept = kept[np.lexsort((_hilbert(x[kept], y[kept]), area[kept]))]
    return x[kept], y[kept], area[kept], count[kept]


def _usable(x: Floats, y: Floats, area: Ints) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray((area >= 0) & (np.maximum(np.abs(x), np.abs(y)) < 2 ** (_BITS - 1)))


def _hilbert(x: Floats, y: Floats) -> Ints:
    """Place of each point along a Hilbert curve through the squares of one metre of the whole plane; shape (n,).

    Source: D. Hilbert, "Ueber die stetige Abbildung einer Linie auf ein Flächenstück", Math. Annalen 38 (1891).
    """
    a, b = (np.floor(v).astype(np.int64) + 2**_BITS // 2 for v in (x, y))
    found = np.zeros(len(a), dtype=np.int64)
    for bit in range(_BITS - 1, -1, -1):
        right, top = (a >> bit) & 1, (b >> bit) & 1
        found = found * 4 + ((3 * right) ^ top)
        turned = top == 0
        flipped = turned & (right == 1)
        a, b = np.where(flipped, ~a, a), np.where(flipped, ~b, b)
        a, b = np.where(turned, b, a), np.where(turned, a, b)
    return found


def _medians(values: Floats, group: Ints) -> Floats:
    """Median of each group; groups are numbered from 0, in a row."""
    order = np.lexsort((values, group))
    size = np.bincount(group)
    start = np.cumsum(size) - size
    return np.asarray((values[order][start + (size - 1) // 2] + values[order][start + size // 2]) / 2)


def _with_enough(centres: Floats, x: Floats, y: Floats, area: Ints, count: Ints, k: int) -> Points:
    """The points that are left when each is the nearest to k addresses or more; `centres` are area, x, y."""
    while True:
        points = Points(centres[1], centres[2], centres[0].astype(np.int64), np.zeros(0, dtype=np.int64))
        held = np.zeros(len(points), dtype=np.int64)
        np.add.at(held, snap(points, x, y, area), count)
        few = np.flatnonzero(held < k)
        if not len(few):
            return replace(points, addresses=held)
        start = np.flatnonzero(np.diff(points.area[few], prepend=-1))  # an area that has one point only has enough
        rank = np.arange(len(few)) - np.repeat(start, np.diff(start, append=len(few)))
        centres = np.delete(centres, few[rank % 2 == 0], axis=1)


def snap(points: Points, x: Floats, y: Floats, area: Ints) -> Ints:
    """The nearest point of its area for each row, shape (rows,); −1 without coordinates, or where the area has none.

    Examples
    --------
    >>> two = Points(np.array([0.0, 900]), np.zeros(2), np.array([0, 1]), np.array([5, 5]))
    >>> snap(two, np.array([800.0, 800, 1]), np.zeros(3), np.array([0, 1, 2])).tolist()
    [0, 1, -1]
    """
    from scipy.spatial import cKDTree

    found = np.full(len(x), -1, dtype=np.int64)
    asked = np.flatnonzero(_usable(x, y, area))
    if not len(points) or not len(asked):
        return found
    tree = cKDTree(np.stack([points.x, points.y, points.area * _APART], axis=1))
    _, at = tree.query(np.stack([x[asked], y[asked], area[asked] * _APART], axis=1))
    found[asked] = np.where(points.area[at] == area[asked], at, -1)
    return found
