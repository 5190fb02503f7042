"""One level of places from a file: codes kept as they are written, boundaries checked, repaired and kept apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
import shapely

from safercities.collect.columns import as_text
from safercities.collect.read import read_table
from safercities.collect.records import RawTable
from safercities.model.errors import Problem, SafercitiesError, problem
from safercities.model.places import Place
from safercities.places.spec import GeographySpec

Shapes = np.ndarray[Any, np.dtype[np.object_]]

#: Largest share of the smaller of two polygons that may lie in the other: drawing slips along a shared border.
OVERLAP_TOLERANCE = 1e-3
#: Overlaps below this share are rounding, not worth a note.
_ROUNDING = 1e-9
_SMALL_WORDS = frozenset(
    ["de", "del", "la", "las", "los", "y", "e", "el", "of", "the", "and", "du", "des", "da", "do", "dos"]
)


@dataclass(frozen=True)
class Geography:
    """The places of one level, in one form: several may share a level (with other dates).

    Parameters
    ----------
    level
        Name of the level.
    places
        In the order of the file; ids are the source's codes.
    geometries
        Boundaries in `crs`, shape (places,), all valid; None where the file has none.
    crs
        Coordinate reference system of the boundaries.
    valid_from, valid_to
        First and last day on which they are valid; None is open.
    problems
        Warnings and notes met in reading.
    order
        Indices of the places, the one that wins a point on a shared border or in an overlap first.
    file
        Name as the user wrote it.
    """

    level: str
    places: tuple[Place, ...]
    geometries: Shapes | None
    crs: str | None
    valid_from: date | None
    valid_to: date | None
    problems: tuple[Problem, ...]
    order: tuple[int, ...] = field(default=())
    file: str = ""

    def valid_on(self, day: date) -> bool:
        """Whether these places exist on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    @property
    def geographic(self) -> bool:
        """Whether coordinates are longitudes and latitudes."""
        return self.crs is not None and bool(pyproj.CRS(self.crs).is_geographic)


def load_geography(spec: GeographySpec, base: Path, *, default_parent: str) -> Geography:
    """Read one geography as `observatory.toml` declares it.

    Parameters
    ----------
    base
        Folder of `observatory.toml`.
    default_parent
        Id of the place that they lie in where the spec names none.

    Raises
    ------
    SafercitiesError
        If the file cannot be read, a column is missing, an id is missing or stands twice, boundaries have no CRS or
        cannot be repaired, or overlap where the spec does not say who wins. All of these at once.
    """
    raw = read_table(spec, base)
    columns = _columns(raw, spec)
    shapes = None if raw.geometry is None else _shapes(raw)
    crs, errors = _crs(raw, spec, shapes is not None)
    errors += [*_id_errors(raw, spec, columns[spec.id])]
    notes: list[Problem] = list(raw.problems)
    if shapes is not None:
        shapes, more = _repaired(raw, spec, columns[spec.id], shapes)
        notes += more
        if not any(p.severity == "error" for p in (*errors, *more)):
            notes += _overlaps(raw, spec, columns[spec.id], shapes)
    errors += [p for p in notes if p.severity == "error"]
    if errors:
        raise SafercitiesError(errors)
    places = _places(raw, spec, columns, default_parent)
    order = _order(spec, shapes, len(places))
    return Geography(spec.level, places, shapes, crs, spec.valid_from, spec.valid_to, tuple(notes), order, raw.file)


def with_parents(geography: Geography, parents: list[str], problems: tuple[Problem, ...]) -> Geography:
    """The same geography with other parents, and further problems."""
    places = tuple(replace(place, parent=parent) for place, parent in zip(geography.places, parents, strict=True))
    return replace(geography, places=places, problems=geography.problems + problems)


# ------------------------------------------------------------------------------------------------------------- columns


def _columns(raw: RawTable, spec: GeographySpec) -> dict[str, list[str | None]]:
    """Every column that the spec names, as text."""
    wanted = [spec.id, spec.name, spec.parent_column, *spec.aliases.values()]
    names = [name for name in dict.fromkeys(wanted) if name is not None]
    there = raw.table.column_names
    if missing := [name for name in names if name not in there]:
        raise SafercitiesError(
            problem("geography-no-column", file=raw.file, column=name, known=", ".join(there)) for name in missing
        )
    return {name: _text(raw.table.column(name)) for name in names}


def _text(column: pa.ChunkedArray) -> list[str | None]:
    """Values as the source writes them: text keeps its zeros, whole numbers have no decimals."""
    if pa.types.is_floating(column.type) and pc.all(pc.equal(pc.floor(column), column)).as_py():
        column = column.cast(pa.int64())
    return list(as_text(column).to_pylist())


def _id_errors(raw: RawTable, spec: GeographySpec, ids: list[str | None]) -> Iterator[Problem]:
    missing = [int(row) for row, id in zip(raw.rows, ids, strict=True) if id is None]
    if missing:
        yield problem("place-id-missing", file=raw.file, row=missing[0], column=spec.id, rows=len(missing))
    rows: dict[str, list[int]] = {}
    for row, id in zip(raw.rows, ids, strict=True):
        if id is not None:
            rows.setdefault(id, []).append(int(row))
    for id, same in rows.items():
        if len(same) > 1:
            listed = ", ".join(map(str, same[:5])) + (", …" if len(same) > 5 else "")
            yield problem("place-id-repeated", file=raw.file, row=same[1], column=spec.id, id=id, listed=listed)


def _places(
    raw: RawTable, spec: GeographySpec, columns: dict[str, list[str | None]], default_parent: str
) -> tuple[Place, ...]:
    ids = [str(id) for id in columns[spec.id]]
    names = columns[spec.name] if spec.name else ids
    parents = columns[spec.parent_column] if spec.parent_column else [None] * len(ids)
    aliases = {scheme: columns[column] for scheme, column in spec.aliases.items()}
    return tuple(
        Place(
            id,
            (_titled(name) if spec.title_case else name) if (name := names[k]) else id,
            spec.level,
            parents[k] or spec.parent or default_parent,
            f"{raw.file}#{raw.rows[k]}",
            spec.valid_from,
            spec.valid_to,
            {scheme: code for scheme, codes in aliases.items() if (code := codes[k]) is not None},
        )
        for k, id in enumerate(ids)
    )


def _titled(name: str) -> str:
    """A name in capitals as a title; other names stay as they are.

    Examples
    --------
    >>> _titled("DOCE DE OCTUBRE"), _titled("LA CANDELARIA"), _titled("L'HOSPITALET"), _titled("McAllen")
    ('Doce de Octubre', 'La Candelaria', "L'Hospitalet", 'McAllen')
    """
    if not name.isupper():
        return name
    words = re.split(r"([\s\-–'’/(]+)", name.lower())
    return "".join(
        word if index and word in _SMALL_WORDS else word[:1].upper() + word[1:] for index, word in enumerate(words)
    )


# ---------------------------------------------------------------------------------------------------------- boundaries


def _shapes(raw: RawTable) -> Shapes:
    values = raw.geometry.to_pylist()  # type: ignore[union-attr]
    return np.asarray(shapely.force_2d(shapely.from_wkb(np.array(values, dtype=object), on_invalid="ignore")))


def _crs(raw: RawTable, spec: GeographySpec, boundaries: bool) -> tuple[str | None, list[Problem]]:
    """The declared CRS, else the file's. A declared one is a correction: it wins."""
    crs = spec.crs or raw.crs
    if not boundaries:
        return None, []
    if crs is None:
        return None, [problem("geography-no-crs", file=raw.file, column="crs")]
    try:
        pyproj.CRS(crs)
    except pyproj.exceptions.CRSError:
        return None, [problem("geography-crs-unknown", file=raw.file, column="crs", crs=crs)]
    return crs, []


def _repaired(
    raw: RawTable, spec: GeographySpec, ids: list[str | None], shapes: Shapes
) -> tuple[Shapes, list[Problem]]:
    """Valid polygons, and what was wrong with those that were not.

    Shells that lie in other shells, and rings that cross, are united (the "structure" method of `make_valid`), so that
    a place never gets a hole that nobody drew.
    """
    shapes = shapes.copy()
    problems = []
    invalid = np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes))
    reasons = shapely.is_valid_reason(shapes[invalid])
    shapes[invalid] = shapely.make_valid(shapes[invalid], method="structure", keep_collapsed=False)
    shapes = np.array([_only_polygons(shape) for shape in shapes], dtype=object)
    area = shapely.area(shapes)
    for index in np.flatnonzero(~(area > 0)):
        kind = "geography-no-boundary"
        problems.append(problem(kind, file=raw.file, row=int(raw.rows[index]), column=spec.id, id=ids[index]))
    for index, reason in zip(invalid, reasons, strict=True):
        if area[index] > 0:
            row, why = int(raw.rows[index]), re.sub(r"\s*\[(\S+) (\S+)\]", r" near \1, \2", reason)
            problems.append(
                problem("geography-repaired", file=raw.file, row=row, column=spec.id, id=ids[index], reason=why)
            )
    return shapes, problems


def _only_polygons(shape: shapely.Geometry | None) -> shapely.Geometry | None:
    """Without the lines and points that a collection may hold."""
    if shape is None or shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = shapely.get_parts(shapely.get_parts([shape]))
    return shapely.union_all(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def _overlaps(raw: RawTable, spec: GeographySpec, ids: list[str | None], shapes: Shapes) -> list[Problem]:
    one, two, share = overlapping(shapes)
    large = share > OVERLAP_TOLERANCE
    rest = (
        [
            problem(
                "geography-overlaps-slightly",
                file=raw.file,
                pairs=int((~large).sum()),
                most=f"{share[~large].max():.2g}",
            )
        ]
        if (~large).any()
        else []
    )
    if not large.any():
        return rest
    named = [f"{ids[a]} and {ids[b]}" for a, b in zip(one[large], two[large], strict=True)]
    listed = "; ".join(named[:5]) + (f"; and {len(named) - 5} more pairs" if len(named) > 5 else "")
    if spec.overlaps != "refuse":
        rule = "the smallest" if spec.overlaps == "smallest" else "the first in the file"
        return [*rest, problem("geography-overlaps-by-rule", file=raw.file, listed=listed, rule=rule)]
    row = int(raw.rows[two[large][0]])
    return [*rest, problem("geography-overlaps", file=raw.file, row=row, column=spec.id, listed=listed)]


def overlapping(shapes: Shapes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of polygons that share an area, and which share of the smaller one that is.

    Examples
    --------
    >>> boxes = [shapely.box(0, 0, 2, 1), shapely.box(1, 0, 2, 2), shapely.box(2, 0, 3, 1)]
    >>> one, two, share = overlapping(np.array(boxes))
    >>> one.tolist(), two.tolist(), share.tolist()
    ([0], [1], [0.5])
    """
    one, two = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, two = one[one < two], two[one < two]
    area = shapely.area(shapely.intersection(shapes[one], shapes[two]))
    share = area / np.minimum(shapely.area(shapes[one]), shapely.area(shapes[two]))
    kept = np.flatnonzero(share > _ROUNDING)
    kept = kept[np.lexsort((two[kept], one[kept]))]
    return one[kept], two[kept], share[kept]


def _order(spec: GeographySpec, shapes: Shapes | None, count: int) -> tuple[int, ...]:
    """Who wins a point that several hold: the smallest where the spec says so, else the first in the file."""
    if shapes is None or spec.overlaps != "smallest":
        return tuple(range(count))
    return tuple(int(index) for index in np.argsort(shapely.area(shapes), kind="stable"))
