"""Points into wiggly polygons: PointLocator against geopandas.sjoin, each in a process of its own, same answers.

python benchmarks/points.py [--points 5000000] [--polygons 2000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import shapely

SEED = 11
VERTICES = 50  # on each side of a tile


def wiggly_polygons(count: int, seed: int = SEED) -> np.ndarray:
    """`count` polygons that tile a square: wiggly shared borders, lakes, islands in lakes, MultiPolygons."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    corner = np.stack(np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0), indexing="ij"), axis=-1)
    corner[1:-1, 1:-1] += rng.uniform(-0.2, 0.2, (side - 1, side - 1, 2))
    across = _wiggle(rng, corner[:-1], corner[1:])  # the side from corner (i, j) to (i + 1, j)
    up = _wiggle(rng, corner[:, :-1], corner[:, 1:])
    tiles = []
    for i in range(side):
        for j in range(side):
            ring = [across[i, j][:-1], up[i + 1, j][:-1], across[i, j + 1][:0:-1], up[i, j][:0:-1]]
            tiles.append(shapely.Polygon(np.concatenate(ring)))
    tiles = np.array(tiles, dtype=object)[:count]
    return _with_lakes(_with_exclaves(tiles), rng)


def _wiggle(rng: np.random.Generator, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points from start to end of each side, swaying to both hands but never out of a thin diamond around the side."""
    t = np.linspace(0, 1, VERTICES)
    phase = rng.uniform(0, 2 * np.pi, (*start.shape[:-1], 6, 1))
    waves = sum(np.sin(2 * np.pi * f * t + phase[..., k, :]) for k, f in enumerate((1, 2, 3, 5, 8, 13))) / 6
    sway = 0.4 * np.minimum(t, 1 - t) * waves
    along = end - start
    normal = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    points = start[..., None, :] + t[:, None] * along[..., None, :] + sway[..., None] * normal[..., None, :]
    points[..., 0, :], points[..., -1, :] = start, end  # to the last digit, so that neighbours meet
    return points


def _with_exclaves(tiles: np.ndarray) -> np.ndarray:
    """Every 40th tile goes to a tile further on, which becomes a MultiPolygon; its place in the list stays, as a square
    outside the tessellation."""
    tiles = tiles.copy()
    for k in range(0, len(tiles) - 20, 40):
        tiles[k + 17] = shapely.MultiPolygon([tiles[k + 17], tiles[k]])
        x = -2.0 - k / 40
        tiles[k] = shapely.box(x, -2, x + 0.5, -1)
    return tiles


def _with_lakes(tiles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every 10th tile gets a hole; in every 30th, the tile after it owns an island in that hole."""
    tiles = tiles.copy()
    for k in range(3, len(tiles) - 1, 10):
        if tiles[k].geom_type != "Polygon" or tiles[k + 1].geom_type != "Polygon":
            continue
        centre = np.asarray(tiles[k].centroid.coords[0]) + rng.uniform(-0.05, 0.05, 2)
        lake = shapely.Point(centre).buffer(0.12)
        if not tiles[k].contains(lake):
            continue
        tiles[k] = tiles[k].difference(lake)
        if k % 30 == 3:
            tiles[k + 1] = shapely.MultiPolygon([tiles[k + 1], shapely.Point(centre).buffer(0.06)])
    return tiles


def make(folder: Path, points: int, polygons: int) -> None:
    """Write the polygons (WKB) and points that both sides read."""
    shapes = wiggly_polygons(polygons)
    if not shapely.is_valid(shapes).all():
        raise RuntimeError("the benchmark's polygons must be valid")
    np.save(folder / "polygons.npy", shapely.to_wkb(shapes), allow_pickle=True)
    rng = np.random.default_rng(SEED + 1)
    side = np.ceil(np.sqrt(polygons))
    np.save(folder / "points.npy", rng.uniform(-1, side + 1, (2, points)))


def run_ours(folder: Path) -> tuple[float, np.ndarray]:
    """Seconds and answers of PointLocator, the building of its grid included."""
    from safercities.places.grid import PointLocator

    shapes = shapely.from_wkb(np.load(folder / "polygons.npy", allow_pickle=True))
    x, y = np.load(folder / "points.npy")
    begin = time.perf_counter()
    found = PointLocator(shapes).locate(x, y)
    return time.perf_counter() - begin, found


def run_geopandas(folder: Path) -> tuple[float, np.ndarray]:
    """Seconds and answers of geopandas.sjoin alone: its point objects are made before the clock starts."""
    import geopandas as gpd

    shapes = shapely.from_wkb(np.load(folder / "polygons.npy", allow_pickle=True))
    x, y = np.load(folder / "points.npy")
    polygons = gpd.GeoDataFrame(geometry=shapes)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y))
    begin = time.perf_counter()
    joined = gpd.sjoin(points, polygons, how="inner", predicate="intersects")
    seconds = time.perf_counter() - begin
    found = np.full(len(x), len(shapes), dtype=np.int32)
    np.minimum.at(found, joined.index.to_numpy(), joined["index_right"].to_numpy().astype(np.int32))
    return seconds, np.where(found == len(shapes), -1, found).astype(np.int32)


SIDES = {"safercities PointLocator": run_ours, "geopandas.sjoin": run_geopandas}


def one_side(name: str, folder: Path) -> None:
    """Run one side in this process; print seconds and the process's peak memory, write the answers."""
    seconds, found = SIDES[name](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(folder / f"{name}.npy", found)
    print(json.dumps({"seconds": seconds, "megabytes": peak}))


def measure(name: str, folder: Path, repeat: int) -> dict[str, float]:
    """Best of `repeat` runs."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, __file__, "--side", name, "--folder", str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout))
    return {key: min(run[key] for run in runs) for key in ("seconds", "megabytes")}


def compare(points: int, polygons: int, repeat: int) -> dict[str, object]:
    """Both sides on the same input: seconds, peak memory, and whether the answers are the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, points, polygons)
        sides = {side: measure(side, folder, repeat) for side in SIDES}
        answers = [np.load(folder / f"{side}.npy") for side in SIDES]
    return {"sides": sides, "different": int((answers[0] != answers[1]).sum()), "placed": int((answers[0] >= 0).sum())}


def show(result: dict[str, object], points: int, polygons: int) -> None:
    """Print the comparison as a small table."""
    sides = result["sides"]
    ours, theirs = sides.values()
    print(f"{points:,} points into {polygons:,} wiggly polygons; {result['placed']:,} lie in one")
    print(f"{'':26}{'seconds':>9}{'peak MB':>9}")
    for name, run in sides.items():
        print(f"{name:26}{run['seconds']:9.2f}{run['megabytes']:9.0f}")
    ratio, memory = theirs["seconds"] / ours["seconds"], ours["megabytes"] / theirs["megabytes"]
    print(f"{ratio:.1f} times as fast, {memory:.2f} of the memory; answers that differ: {result['different']}")


def main() -> int:
    """Compare and print; 1 where the answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=5_000_000)
    parser.add_argument("--polygons", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        one_side(options.side, options.folder)
        return 0
    result = compare(options.points, options.polygons, options.repeat)
    show(result, options.points, options.polygons)
    return int(result["different"] != 0)


if __name__ == "__main__":
    sys.exit(main())
