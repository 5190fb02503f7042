"""Anonymous points: k addresses each, nearest within the area, whatever the order; and no text leaves the office."""

from __future__ import annotations

import random
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mini
import safercities
from release import made_release
from safercities.collect.records import DimensionInfo
from safercities.disclose import point_level
from safercities.disclose.base import make_base
from safercities.disclose.journal import Entry, Frame
from safercities.disclose.plan import PlannedPeriod, PlannedTable
from safercities.disclose.point_level import PointLevel, plan_points, read_points, with_points
from safercities.disclose.points import GRID, Points, anonymous_points, snap
from safercities.disclose.spec import PublishSpec
from safercities.indicators.catalogue import catalogue, indicator
from safercities.measure.source import CountsSource
from safercities.model.errors import SafercitiesError
from safercities.model.periods import Period
from safercities.observatory import Observatory
from safercities.publishing import publish
from safercities.release.store import KeyStore
from safercities.release.write import write_release

DAY = date(2025, 3, 1)
YEAR = Period.parse("2024")
#: Rows of addresses: x, y (with many ties), area, how many.
ROWS = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(-40, 40), st.integers(-1, 2), st.integers(0, 4)),
    min_size=0,
    max_size=90,
)


def arrays(rows: list[tuple[int, int, int, int]]) -> tuple[Any, Any, Any, Any]:
    x, y, area, count = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return x * 5.0, y * 5.0, area, count


def nearest(points: Points, x: float, y: float, area: int) -> set[int]:
    """All nearest points of the area, by trying each."""
    far = {
        at: (points.x[at] - x) ** 2 + (points.y[at] - y) ** 2 for at in range(len(points)) if points.area[at] == area
    }
    return {at for at, one in far.items() if one == min(far.values())}


# -- points ------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(ROWS, st.integers(2, 9))
def test_every_point_is_the_nearest_to_k_addresses_and_every_area_of_k_has_one(rows, k: int) -> None:
    x, y, area, count = arrays(rows)
    points = anonymous_points(x, y, area, k, count)
    at = snap(points, x, y, area)
    held = np.bincount(at[at >= 0], weights=count[at >= 0], minlength=len(points))
    assert held.tolist() == points.addresses.tolist()
    assert (held >= k).all()
    living = Counter()
    for one, n in zip(area.tolist(), count.tolist(), strict=True):
        living[one] += n if one >= 0 else 0
    assert set(points.area.tolist()) == {one for one, n in living.items() if n >= k}
    assert not (points.x % GRID).any()
    assert not (points.y % GRID).any()


@settings(deadline=None, max_examples=100)
@given(ROWS, st.integers(2, 6), st.randoms(use_true_random=False))
def test_neither_the_order_of_addresses_nor_the_company_of_a_case_matters(rows, k: int, draw: random.Random) -> None:
    x, y, area, count = arrays(rows)
    points = anonymous_points(x, y, area, k, count)
    order = np.array(draw.sample(range(len(x)), len(x)), dtype=np.int64)
    again = anonymous_points(x[order], y[order], area[order], k, count[order])
    for name in ("x", "y", "area", "addresses"):
        assert getattr(points, name).tolist() == getattr(again, name).tolist()
    at = snap(points, x, y, area)
    assert snap(points, x[order], y[order], area[order]).tolist() == at[order].tolist()
    alone = [int(snap(points, x[one : one + 1], y[one : one + 1], area[one : one + 1])[0]) for one in range(len(x))]
    assert alone == at.tolist()


@settings(deadline=None, max_examples=100)
@given(ROWS, ROWS)
def test_cases_go_to_the_nearest_point_of_their_own_area(rows, cases) -> None:
    points = anonymous_points(*arrays(rows)[:3], 3, arrays(rows)[3])
    x, y, area, _ = arrays(cases)
    for number, at in enumerate(snap(points, x, y, area).tolist()):
        wanted = nearest(points, x[number], y[number], area[number]) if area[number] >= 0 else set()
        assert at in wanted if wanted else at == -1


def test_few_addresses_and_none() -> None:
    none, one = np.zeros(0), np.zeros(1)
    assert len(anonymous_points(none, none, none.astype(np.int64), 5)) == 0
    assert len(anonymous_points(one, one, np.zeros(1, np.int64), 5)) == 0
    tower = anonymous_points(one, one, np.zeros(1, np.int64), 5, np.array([60]))
    assert tower.addresses.tolist() == [60]
    empty = anonymous_points(one, one, np.zeros(1, np.int64), 5)
    assert snap(empty, one, one, np.zeros(1, np.int64)).tolist() == [-1]
    lost = np.array([np.nan, np.inf, 1e300])
    assert snap(tower, lost, np.zeros(3), np.zeros(3, np.int64)).tolist() == [-1, -1, -1]
    assert len(anonymous_points(lost, lost, np.zeros(3, np.int64), 3)) == 0


def test_new_addresses_elsewhere_move_no_point() -> None:
    draw = np.random.default_rng(3)
    x, y, area = draw.uniform(0, 900, 300), draw.uniform(0, 900, 300), np.repeat([0, 1], 150)
    before = anonymous_points(x, y, area, 5)
    after = anonymous_points(np.append(x, [9e5] * 9), np.append(y, [-9e5] * 9), np.append(area, [1] * 9), 5)
    for name in ("x", "y", "addresses"):
        assert getattr(before, name)[before.area == 0].tolist() == getattr(after, name)[after.area == 0].tolist()


def test_a_street_is_cut_into_short_pieces() -> None:
    homes = np.arange(0, 3000, 10.0)
    points = anonymous_points(homes, np.zeros(300), np.zeros(300, np.int64), 5)
    assert 300 / 12 <= len(points) <= 300 / 5
    moved = np.abs(homes - points.x[snap(points, homes, np.zeros(300), np.zeros(300, np.int64))])
    assert moved.max() <= 150


# -- a level of places -------------------------------------------------------------------------------------------------


def homes(n: int = 200, seed: int = 5) -> str:
    """Addresses in the mini observatory; three only in its last neighbourhood."""
    draw = random.Random(seed)
    found = [(draw.uniform(0, 2), draw.uniform(0, 1)) for _ in range(n)]
    found += [(draw.uniform(0, 1), draw.uniform(1, 2)) for _ in range(n // 2)]
    found += [(1.5, 1.5)] * 3
    return "".join(["lon,lat\n", *(f"{x:.7f},{y:.7f}\n" for x, y in found)])


def rules(**more: Any) -> PublishSpec:
    addresses = {"file": "addresses.csv", "longitude": "lon", "latitude": "lat", "sources": ["robberies"], "least": 20}
    return PublishSpec.model_validate({"addresses": {**addresses, **more}})


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Observatory:
    draw = random.Random(2)
    cases = [f"2024-05-05,{draw.uniform(0, 2):.4f},{draw.uniform(0, 2):.4f},woman\n" for _ in range(150)]
    folder = mini.build(tmp_path_factory.mktemp("town"), robberies=mini.ROBBERIES + "".join(cases))
    (folder / "addresses.csv").write_text(homes(), encoding="utf-8")
    return safercities.open(folder)


def points_of(town: Observatory, spec: PublishSpec | None = None) -> PointLevel:
    found = read_points(spec or rules(), town.folder, town.geographies, town.place, DAY)
    assert found is not None
    return found


def pointed(town: Observatory) -> tuple[PointLevel, CountsSource]:
    level = points_of(town)
    return level, with_points(town.counts_source("robberies"), level, "EPSG:4326")


def test_points_are_places_with_coordinates_in_their_area(town: Observatory) -> None:
    level = points_of(town)
    assert level.finest == "neighbourhood"
    assert (level.points.addresses >= 20).all()
    assert {one.parent for one in level.places} == {"01", "02", "03"}
    for one in level.places:
        assert 0 <= float(one.aliases["lon"]) <= 2
        assert 0 <= float(one.aliases["lat"]) <= 2
        assert level.hierarchy[one.id] == one
    assert len(level.hierarchy) == len(town.hierarchy) + len(level.places)
    (few,) = [one for one in level.problems if one.code == "points-few"]
    assert "West" in few.what


def test_published_coordinates_are_those_that_cases_are_moved_to(town: Observatory) -> None:
    level, source = pointed(town)
    there = {one.id: (float(one.aliases["lon"]), float(one.aliases["lat"])) for one in level.places}
    for row in source.table.select(["x", "y", "place_neighbourhood", "place_point"]).to_pylist():
        if row["place_point"] == "_U":
            continue
        far = {
            id: (x - row["x"]) ** 2 + (y - row["y"]) ** 2
            for id, (x, y) in there.items()
            if id.startswith(row["place_neighbourhood"])
        }
        assert far[row["place_point"]] <= min(far.values()) * 1.05 + 1e-6  # degrees are no metres


def test_cases_without_coordinates_or_in_an_area_without_points_have_no_point(town: Observatory) -> None:
    _, source = pointed(town)
    assert source.levels == ("neighbourhood", "point")
    for row in source.table.to_pylist():
        assert (row["place_point"] == "_U") == (row["x"] is None or row["place_neighbourhood"] in ("04", "_U"))


def test_counts_by_point_and_without_one_are_those_of_the_area(town: Observatory) -> None:
    level, source = pointed(town)
    made = point_level.measure_points([indicator("recorded.robbery")], source, level.hierarchy, "XA-MIN", "year", 0.95)
    assert set(made.table.column("method").to_pylist()) == {"count"}
    rows = {row["place"]: row["value"] for row in made.where(period="2024").rows()}
    true = Counter(row["place_neighbourhood"] for row in source.table.to_pylist() if row["when"].year == 2024)
    for area in ("01", "02", "03"):
        assert sum(n for id, n in rows.items() if id.startswith(f"{area}.")) == true[area]
    assert rows["_U.point"] == true["04"] + true["_U"]


def test_the_base_has_one_zone_a_point_and_every_case_in_its_own(town: Observatory) -> None:
    level, source = pointed(town)
    tables = [PlannedTable("recorded.robbery", "2015-1", one) for one in ("neighbourhood", "point")]
    version = indicator("recorded.robbery").on(YEAR.start).version
    base = make_base(
        source,
        YEAR,
        [replace(one, version=version) for one in tables],
        hierarchy=level.hierarchy,
        place="XA-MIN",
        indicators=catalogue(),
        overlaps=level.overlaps(town.overlaps),
    )
    assert len(base.zones) == len(level.places) + 4 + 1  # each area without a point, and no area
    family = base.family([replace(one, version=version) for one in tables])
    totals = [int(one.counts(base.counts).sum()) for one in family.tables[:2]]
    assert totals == [int(base.counts.sum())] * 2


def test_points_of_crossing_geographies_lie_in_one_place_of_each(town: Observatory) -> None:
    level = points_of(town)
    crossed = replace(level, levels=("neighbourhood", "beat"), areas=tuple((one[0], "B") for one in level.areas))
    found = crossed.overlaps({("neighbourhood", "beat"): {("01", "B")}})
    assert found["beat", "point"] == {("B", one.id) for one in level.places}
    assert found["neighbourhood", "point"] == {(one.parent, one.id) for one in level.places}
    assert found["neighbourhood", "beat"] == {("01", "B")}


def test_the_same_file_gives_the_same_points_and_another_one_other_ids(town: Observatory, tmp_path: Path) -> None:
    level = points_of(town)
    lines = homes().splitlines(keepends=True)
    folder = mini.build(tmp_path)
    (folder / "addresses.csv").write_text("".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    other = safercities.open(folder)
    assert points_of(other).places == level.places
    (folder / "addresses.csv").write_text(homes(seed=6), encoding="utf-8")
    assert not {one.id for one in points_of(other).places} & {one.id for one in level.places}


# -- what is planned ---------------------------------------------------------------------------------------------------


def part(*codes: str, level: str = "neighbourhood", **more: Any) -> PlannedPeriod:
    tables = [PlannedTable(code, "1", one) for code in codes for one in ("", level)]
    crossed = [PlannedTable(code, "1", level, ("sex",)) for code in codes]
    behind = [PlannedTable(code, "1", level, ("age",), shown=False) for code in codes]
    made = PlannedPeriod("robberies", "incidents", YEAR, False, (*tables, *crossed, *behind))
    return replace(made, **more)


def test_only_totals_of_what_is_not_sensitive_are_published_by_point(town: Observatory) -> None:
    level = points_of(town)
    planned, told = plan_points(
        part("recorded.robbery", "recorded.sexual_violence"), rules(), level, catalogue()
    )  # fmt: skip
    fresh = [(one.indicator, one.dimensions, one.minimum) for one in planned.tables if one.level == "point"]
    assert fresh == [("recorded.robbery", (), 5)]
    assert [one.code for one in told] == ["points-sensitive"]
    for other in (part("recorded.robbery", source="army"), part("recorded.robbery", kind="survey")):
        assert plan_points(other, rules(), level, catalogue()) == (other, ())
    assert plan_points(part("recorded.robbery"), PublishSpec(), None, catalogue())[0] == part("recorded.robbery")


def test_a_period_is_published_by_one_set_of_points_only(town: Observatory) -> None:
    level = points_of(town)
    one = part("recorded.robbery", revision=True)
    ids = tuple(sorted(one.id for one in level.places))

    def before(*points: str) -> Entry:
        frame = Frame(
            (), (), ("neighbourhood", "point"), (("01", "_U"), (*points, "_U")), np.zeros((2, 0), np.int64), ()
        )
        return Entry("robberies", "2024", "rounding", np.zeros(0, np.int64), frame, np.zeros(0, np.int64))

    plan_points(one, rules(), level, catalogue(), [before(*ids)])
    for spec, points, known in (
        (rules(), level, ids[:-1]),
        (PublishSpec(), None, ids),
        (rules(), level, ("01.1.abc",)),
    ):
        with pytest.raises(SafercitiesError) as caught:
            plan_points(one, spec, points, catalogue(), [before(*known)])
        assert caught.value.problems[0].code == "points-changed"


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_hate_and_no_coordinates_are_refused(town: Observatory) -> None:
    level, source = points_of(town), town.counts_source("robberies")
    hate = replace(source, dimensions={"motive": DimensionInfo("motive", "Motive", "event", ("hate",))})
    for given_source, crs, code in ((hate, "EPSG:4326", "points-hate"), (source, None, "points-no-coordinates")):
        with pytest.raises(SafercitiesError) as caught:
            with_points(given_source, level, crs)
        assert caught.value.problems[0].code == code
    with pytest.raises(SafercitiesError) as caught:
        point_level.check_sources(rules(sources=["robberies", "army"]), ["robberies"])
    assert [one.code for one in caught.value.problems] == ["points-no-source"]
    point_level.check_sources(rules(), ["robberies"])
    point_level.check_sources(PublishSpec(), [])


def test_levels_that_cannot_hold_points_are_refused(town: Observatory) -> None:
    taken = [replace(one, level="point") for one in town.geographies]
    for geographies, code in (([], "points-no-level"), (taken, "points-level-taken")):
        with pytest.raises(SafercitiesError) as caught:
            read_points(rules(), town.folder, geographies, town.place, DAY)
        assert caught.value.problems[0].code == code
    assert read_points(PublishSpec(), town.folder, town.geographies, town.place, DAY) is None


def test_addresses_that_are_wrong_are_named_and_count_for_nothing(tmp_path: Path) -> None:
    folder = mini.build(tmp_path)
    good = "".join(f"{at / 50},0.5,9\n" for at in range(1, 50))
    bad = "0.5,0.5,-4\n0.5,0.5,many\n0.5,0.5,2.5\n0.5,0.5,\n0.5,0.5,99999999999\n,,9\n"
    (folder / "addresses.csv").write_text(f"lon,lat,n\n{good}{bad}", encoding="utf-8")
    town = safercities.open(folder)
    level = points_of(town, rules(count="n"))
    assert level.points.addresses.sum() == 49 * 9
    found = {one.code: one for one in level.problems}
    assert (found["points-count"].row, found["points-count"].rows) == (51, 5)
    assert "coordinates-missing" in found
    with pytest.raises(SafercitiesError) as caught:
        points_of(town, rules(count="n", least=10_000))
    assert caught.value.problems[-1].code == "points-none"
    for more in ({"longitude": "east"}, {"file": "gone.csv"}, {"crs": "EPSG:0"}):
        with pytest.raises(SafercitiesError):
            points_of(town, rules(**more))


# -- no text, ever -----------------------------------------------------------------------------------------------------

#: What somebody wrote of a case, and of whom.
SECRETS = ("Zoë", "Quimby", "behind the old mill", "ID-77123")


def everything(folder: Path) -> str:
    """All that can be read in a release, archives unpacked."""
    texts = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        texts += [path.name, path.read_bytes().decode("utf-8", "ignore")]
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                texts += [book.read(name).decode("utf-8", "ignore") for name in book.namelist()]
        if path.suffix == ".parquet":
            texts += [repr(pq.read_table(path).to_pylist()), repr(pq.read_schema(path).metadata)]
    return "\n".join(texts)


def test_no_text_no_coordinate_and_no_file_name_of_a_case_is_published(tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = ["date,lon,lat,sex,description,victim"]
    for _ in range(300):
        where = f"{draw.uniform(0, 2):.7f},{draw.uniform(0, 2):.7f}"
        lines.append(
            f"{draw.choice((2023, 2024))}-05-05,{where},woman,{SECRETS[2]} {SECRETS[3]},{SECRETS[0]} {SECRETS[1]}"
        )
    mini.build(tmp_path / "city", robberies="\n".join(lines) + "\n")
    keys = KeyStore.open("XA-MIN", tmp_path / "keys")
    keys.make(date(2025, 1, 1))
    made = publish(safercities.open(tmp_path / "city"), published=DAY, keys=keys)
    text = everything(made.folder)
    assert "recorded.robbery" in text
    coordinates = {value for line in lines[1:] for value in line.split(",")[1:3]}
    columns = ("description", "victim,")
    files = ("robberies.csv", "areas.geojson", "people.csv")
    assert [one for one in (*SECRETS, *coordinates, *files) if one in text] == []
    assert not any(name in (made.folder / "data.csv").read_text(encoding="utf-8") for name in columns)


def test_a_release_names_no_file_that_places_were_drawn_in(tmp_path: Path) -> None:
    places = tuple(
        replace(one, geometry="victims_of_quimby.gpkg#7") for one in (made_release.CITY, *made_release.DISTRICTS)
    )
    folder = write_release(
        made_release.content(places=places),
        tmp_path / "city" / "releases",
        made_release.keys(tmp_path / "keys"),
        today=DAY,
    )  # fmt: skip
    text = everything(folder)
    assert "Santa Cruz" in text
    assert "quimby" not in text
