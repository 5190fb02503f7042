"""The ground of the synthetic city, always the same: an outline, a river, neighbourhoods that share their borders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from pyproj import Transformer
from scipy.spatial import Voronoi

#: The city lies at Point Nemo in the South Pacific, the spot of the ocean that is farthest from any land.
CENTRE = (-123.3933, -48.8767)
#: Metres there: UTM zone 10 south.
METRES = "EPSG:32710"
DEGREES = "EPSG:4326"

_SHAPE_SEED = 1976  # the ground never changes with the seed of the cases
_RADIUS = 6500.0
_RIVER_HALF_WIDTH = 120.0

#: District → names of its neighbourhoods. All are invented.
DISTRICTS: dict[str, tuple[str, ...]] = {
    # the first four lie on the north bank from west to east, the others on the south bank
    "Altos del Faro": ("Faro Chico", "Peñón", "La Atalaya", "Vientos", "Mirador del Cóndor"),
    "Ribera Norte": ("Los Sauces", "Molino Alto", "La Represa", "Vega Niña", "Puente Nuevo"),
    "Puerto Viejo": ("El Muelle", "La Aduana", "Las Redes", "Callejón del Ancla", "San Telmín"),
    "Ensenada": ("Salinas", "Pájaro Pinto", "La Marisma", "Cuatro Vientos", "Último Sol"),
    "Las Lomas": ("Loma Áspera", "Loma Dorada", "El Cedrón", "La Cañada", "Nueva Ilusión"),
    "Centro": ("Plaza Mayor", "Catedral", "Mercado Central", "Teatro", "Estación"),
    "Ribera Sur": ("Los Juncos", "Barca Vieja", "La Acequia", "Güeros", "Puente Caído"),
    "Vila Ângela": ("São Bráulio", "Bairro da Fonte", "Açucena", "Praça do Sol", "Jardim Amélia"),
}


@dataclass(frozen=True)
class Ground:
    """The places of the city and their boundaries.

    Parameters
    ----------
    codes, names
        Code and name of each neighbourhood, in the order of the codes.
    district
        Index of the district of each neighbourhood.
    polygons
        Boundaries of the neighbourhoods, degrees of longitude and latitude, rounded to 6 decimals.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    district: np.ndarray
    polygons: np.ndarray

    @property
    def district_codes(self) -> tuple[str, ...]:
        """Codes of the districts: D1, D2, …"""
        return tuple(f"D{number}" for number in range(1, len(DISTRICTS) + 1))

    @property
    def district_names(self) -> tuple[str, ...]:
        """Names of the districts."""
        return tuple(DISTRICTS)

    def district_polygons(self) -> np.ndarray:
        """Boundaries of the districts: the neighbourhoods of each without their inner borders."""
        members = [self.polygons[self.district == index] for index in range(len(DISTRICTS))]
        return np.array([shapely.normalize(shapely.coverage_union_all(part)) for part in members], dtype=object)


@cache
def ground() -> Ground:
    """The city's ground, the same on every call.

    Examples
    --------
    >>> city = ground()
    >>> len(city.codes), city.codes[0], city.district_names[0]
    (40, 'D1-01', 'Altos del Faro')
    """
    rng = np.random.default_rng(_SHAPE_SEED)
    outline, river = _outline(rng), _river(rng)
    sites, side = _sites(rng, outline, river)
    owner_polygons = _neighbourhoods(rng, outline, river, sites, side)
    district, order = _districts(sites, side)
    codes: list[str] = []
    names: list[str] = []
    for index, (_, quarter) in enumerate(DISTRICTS.items()):
        codes += [f"D{index + 1}-{number:02d}" for number in range(1, len(quarter) + 1)]
        names += quarter
    to_degrees = Transformer.from_crs(METRES, DEGREES, always_xy=True)
    polygons = shapely.transform(
        owner_polygons[order], lambda xy: np.round(np.column_stack(to_degrees.transform(xy[:, 0], xy[:, 1])), 6)
    )
    return Ground(tuple(codes), tuple(names), np.sort(district), shapely.normalize(polygons))


def _origin() -> np.ndarray:
    return np.array(Transformer.from_crs(DEGREES, METRES, always_xy=True).transform(*CENTRE))


def _outline(rng: np.random.Generator) -> shapely.Polygon:
    """A coast-like ring: a circle whose radius is a sum of a few random waves."""
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    radius = np.full(angle.size, _RADIUS)
    for wave in range(2, 24):
        amplitude = _RADIUS * 0.16 / wave
        radius += amplitude * rng.normal() * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return shapely.Polygon(_origin() + np.column_stack([1.15 * radius * np.cos(angle), radius * np.sin(angle)]))


def _river(rng: np.random.Generator) -> np.ndarray:
    """The river's middle line from west to east, through and beyond the city; shape (points, 2)."""
    along = np.linspace(-2.0, 2.0, 160) * _RADIUS
    bend = np.zeros(along.size)
    for wave in range(1, 6):
        bend += 700 / wave * rng.normal() * np.sin(wave * along / _RADIUS + rng.uniform(0, 2 * np.pi))
    return _origin() + np.column_stack([along, bend])


def _height(river: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """How far points lie north of the river, in metres."""
    height: np.ndarray = xy[:, 1] - np.interp(xy[:, 0], river[:, 0], river[:, 1])
    return height


def _sites(rng: np.random.Generator, outline: shapely.Polygon, river: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle of each neighbourhood, half of them on each bank, evenly spread by Lloyd's method."""
    west, south, east, north = outline.bounds
    cloud = rng.uniform((west, south), (east, north), size=(20_000, 2))
    cloud = cloud[shapely.contains_xy(outline.buffer(-150), cloud[:, 0], cloud[:, 1])]
    height = _height(river, cloud)
    half = sum(map(len, DISTRICTS.values())) // 2
    sites = []
    for bank in (cloud[height > _RIVER_HALF_WIDTH], cloud[height < -_RIVER_HALF_WIDTH]):
        middle = bank[rng.choice(len(bank), half, replace=False)]
        for _ in range(5):
            nearest = np.argmin(((bank[:, None, :] - middle[None]) ** 2).sum(axis=2), axis=1)
            middle = np.array([bank[nearest == index].mean(axis=0) for index in range(half)])
        sites.append(middle)
    return np.concatenate(sites), np.repeat([1, -1], half)


def _neighbourhoods(
    rng: np.random.Generator, outline: shapely.Polygon, river: np.ndarray, sites: np.ndarray, side: np.ndarray
) -> np.ndarray:
    """One polygon a site: cut the city along wavy Voronoi borders of each bank, and give each piece to its site."""
    width = np.array([0, _RIVER_HALF_WIDTH])
    polygons = np.empty(len(sites), dtype=object)
    for sign in (1, -1):
        mine = np.flatnonzero(side == sign)
        borders = _borders(rng, sites[mine], outline)
        lines = [outline.exterior, shapely.LineString(river + sign * width), *borders]
        pieces = np.array(shapely.get_parts(shapely.polygonize([shapely.union_all(lines, grid_size=0.01)])))
        inside = shapely.point_on_surface(pieces)
        at = shapely.get_coordinates(inside)
        keep = shapely.contains(outline, inside) & (sign * _height(river, at) > _RIVER_HALF_WIDTH)
        owner = _owners(pieces[keep], sites[mine])
        for number, index in enumerate(mine):
            polygons[index] = shapely.union_all(pieces[keep][owner == number])
    return polygons


def _owners(pieces: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Site that each piece belongs to: the one inside it; a sliver goes where its common border is longest."""
    hit = shapely.contains_xy(pieces[:, None], sites[None, :, 0], sites[None, :, 1])
    owner = np.where(hit.any(axis=1), hit.argmax(axis=1), -1)
    while (owner < 0).any():
        for index in np.flatnonzero(owner < 0):
            common = shapely.length(shapely.intersection(shapely.boundary(pieces[index]), shapely.boundary(pieces)))
            common[owner < 0] = 0
            if common.any():
                owner[index] = owner[common.argmax()]
    return owner


def _borders(rng: np.random.Generator, sites: np.ndarray, outline: shapely.Polygon) -> list[shapely.LineString]:
    """Voronoi borders of the sites, each made wavy by displacing the middle of ever shorter parts."""
    reach = outline.convex_hull.buffer(300)
    far = _origin() + 12 * _RADIUS * np.array([(1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)])
    cells = Voronoi(np.concatenate([sites, far]))
    lines = []
    for start, end in cells.ridge_vertices:
        line = shapely.LineString(cells.vertices[[start, end]]) if min(start, end) >= 0 else shapely.LineString()
        within = shapely.get_coordinates(line.intersection(reach))
        if len(within):
            lines.append(shapely.LineString(_wavy(rng, *within)))
    return lines


def _wavy(rng: np.random.Generator, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    points = np.array([start, end])
    while len(points) < 17:
        step = np.diff(points, axis=0)
        normal = np.column_stack([-step[:, 1], step[:, 0]])
        middle = points[:-1] + step / 2 + normal * rng.uniform(-0.12, 0.12, size=(len(step), 1))
        mixed = np.empty((2 * len(points) - 1, 2))
        mixed[::2], mixed[1::2] = points, middle
        points = mixed
    return points


def _districts(sites: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """District of each neighbourhood (five each, in strips along each bank), and the order by district."""
    each = len(next(iter(DISTRICTS.values())))
    district = np.empty(len(sites), dtype=np.int64)
    for sign, first in ((1, 0), (-1, 4)):
        mine = np.flatnonzero(side == sign)
        west_to_east = mine[np.argsort(sites[mine, 0])]
        district[west_to_east] = first + np.arange(len(mine)) // each
    return district, np.argsort(district, kind="stable")
