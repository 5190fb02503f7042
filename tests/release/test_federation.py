"""Two cities, a country, a region: from signed releases only; late, revised, withdrawn, replayed and foreign ones."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from release.made_release import code
from safercities.collect.release_spec import ReleaseSpec
from safercities.indicators.catalogue import indicator
from safercities.measure.pooling import RANDOM
from safercities.measure.published import NOT_IN
from safercities.measure.rates import garwood
from safercities.measure.rows import ROUNDED
from safercities.measure.upward import CONSTANT, MEAN
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.places.hierarchy import Hierarchy
from safercities.release.chain import verify_chain
from safercities.release.content import Content, Series
from safercities.release.federate import Federation, federate
from safercities.release.member import Member, read_members
from safercities.release.store import KeyStore
from safercities.release.write import write_release

HOMICIDE = "sdg.16.1.1"
COUNTRY = Place("SV", "Sanland", "country")
RULES = {"method": "rounding", "minimum_count": 5}
DAY = date(2025, 3, 1)
#: What cities withhold: it stands in no release, and must stand nowhere else.
SECRET = 31337
Counts = Mapping[str, int | None]


@dataclass(frozen=True)
class City:
    """An observatory with its keys, and the folder of its releases."""

    id: str
    people: float
    keys: KeyStore
    releases: Path

    def content(self, counts: Mapping[str, Counts], published: date = DAY, **changes: Any) -> Content:
        """A release: period → sex → victims; None is withheld."""
        rows = [row for period, by_sex in counts.items() for row in self.rows(period, by_sex)]
        place = Place(self.id, self.id.title(), "city")
        made = Content(
            name=f"City of {self.id}",
            place=place,
            languages=("en",),
            synthetic=True,
            period=max(counts),
            estimates=Estimates.from_rows(rows, ["sex"]),
            indicators={HOMICIDE: indicator(HOMICIDE)},
            places=(place,),
            dimensions={"sex": (("_T", "Total"), ("F", "Female"), ("M", "Male"))},
            series=(Series(f"police_{self.id}", "Police", "incidents", "victims", None),),
            rules=RULES,
            denominators=tuple((self.id, period, self.people) for period in counts),
            published=published,
            version="0.1.0",
        )
        return replace(made, **changes)

    def rows(self, period: str, by_sex: Counts) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for sex, count in by_sex.items():
            key = {"indicator": HOMICIDE, "version": "2017-1", "place": self.id, "period": period, "sex": sex}
            key |= {"source": f"police_{self.id}", "obs_status": "A", "quality": "", "level": 0.95}
            units = {"count": "victims", "crude rate, Garwood interval": "per 100 000"}
            if count is None:
                found += [key | {"method": how, "unit": unit, "conf_status": "N"} for how, unit in units.items()]
                continue
            years = self.people if sex == "_T" else self.people / 2
            low, high = (float(one) for one in garwood(count))
            key |= {"n": count, "n_positive": count, "coverage": 1.0, "conf_status": "F"}
            for (how, unit), per in zip(units.items(), (1.0, 1e5 / years), strict=True):
                numbers = {"value": count, "se": np.sqrt(count), "lower": low, "upper": high}
                row = {name: round(one * per, 3) for name, one in numbers.items()}
                found.append(key | row | {"method": how, "unit": unit} | ({"denominator": years} if per != 1 else {}))
        return found

    def publish(self, counts: Mapping[str, Counts], published: date = DAY, **changes: Any) -> Path:
        return write_release(self.content(counts, published, **changes), self.releases, self.keys, today=published)

    def spec(self, **more: Any) -> ReleaseSpec:
        kinds = {"kinds": {f"police_{self.id}": "police"}, "identity": self.keys.identity}
        return ReleaseSpec(**{"kind": "release", "file": f"members/{self.id}", **kinds, **more})


Made = Callable[..., City]


@pytest.fixture
def country(tmp_path: Path) -> Path:
    folder = tmp_path / "country"
    (folder / "members").mkdir(parents=True)
    return folder


@pytest.fixture
def city(tmp_path: Path, country: Path) -> Made:
    def make(id: str, people: float = 1e6) -> City:
        store = KeyStore.open(id, tmp_path / "keys" / id)
        store.make(date(2025, 1, 1))
        return City(id, people, store, country / "members" / id)

    return make


def read(
    country: Path, *cities: City, remember: bool = False, today: date = date(2026, 1, 1), **more: Any
) -> list[Member]:
    specs = {one.id: one.spec(**more) for one in cities}
    memory = country / "private" / "seen.json" if remember else None
    return read_members(specs, country, cache=country / "private" / "cache", memory=memory, today=today)


def total(found: Federation, sex: str = "_T", unit: str = "per 100 000", period: str = "2024") -> dict[str, Any]:
    table = found.estimates.where(sex=sex, unit=unit, period=period)
    rows = [row for row in table.rows() if row["method"].startswith(("denominator-weighted", "sum"))]
    (row,) = [row for row in rows if not row["method"].endswith(CONSTANT)]
    return row


def codes(found: Federation) -> list[str]:
    return [one.code for one in found.problems]


def all_numbers(estimates: Estimates) -> set[float]:
    columns = [
        one for one in estimates.table.columns if pa.types.is_floating(one.type) or pa.types.is_integer(one.type)
    ]
    return {float(value) for column in columns for value in column.to_pylist() if value is not None}


# -- end to end --------------------------------------------------------------------------------------------------------


def test_two_cities_a_country_and_a_region(country: Path, city: Made, tmp_path: Path) -> None:
    one, two = city("anland", 3e6), city("bevera", 1e6)
    one.publish({"2024": {"_T": 300, "F": 100, "M": 200}})
    two.publish({"2024": {"_T": 20, "F": 5, "M": 15}})
    found = federate(read(country, one, two), COUNTRY)
    row = total(found)
    assert row["value"] == pytest.approx(8.0)  # 320 among 4 million
    assert (row["source"], row["coverage"], row["denominator"], row["conf_status"]) == ("police", 1.0, 4e6, "F")
    assert row["method"].endswith("; published under: rounding, k = 5")
    assert total(found, unit="victims")["value"] == 320
    assert total(found, "F")["value"] == pytest.approx(105 / 2e6 * 1e5, rel=1e-3)
    # never surer than the records, and less sure by the rounding of each city's count
    assert row["se"] > np.sqrt(320) / 4e6 * 1e5
    assert {row["place"] for row in found.estimates.rows()} == {"SV"}
    assert any(row["method"].startswith(RANDOM) for row in found.estimates.rows())
    assert codes(found) == []
    assert found.denominators == (("SV", "2024", 4e6),)
    said = [(one["source"], one["number"], one["published"]) for one in found.vintages]
    assert said == [("anland", 1, "2025-03-01"), ("bevera", 1, "2025-03-01")]

    # the country publishes, and is a member like any other
    store = KeyStore.open("SV", tmp_path / "keys" / "SV")
    store.make(date(2025, 1, 1))
    content = found.content(name="Sanland", languages=["en"], published=date(2025, 4, 1), version="0.1.0")
    assert content.synthetic
    world = tmp_path / "region"
    write_release(content, world / "sv", store, today=date(2025, 4, 1))
    spec = ReleaseSpec(kind="release", file="sv", identity=store.identity)
    members = read_members({"sv": spec}, world, cache=world / "c", memory=None, today=date(2026, 1, 1))
    region = federate(members, Place("R", "Region", "region"))
    again = total(region)
    assert (again["value"], again["se"], again["coverage"]) == pytest.approx((row["value"], row["se"], 1.0))
    assert again["method"] == row["method"]
    assert again["denominator"] == 4e6
    assert not [one for one in region.estimates.rows() if one["method"].count(RANDOM) > 1]


def test_what_a_city_withheld_is_nowhere_in_the_country(country: Path, city: Made, tmp_path: Path) -> None:
    one, two = city("anland"), city("bevera")
    one.publish({"2024": {"_T": 40_000, "F": None, "M": None}})  # F would be SECRET
    two.publish({"2024": {"_T": 500, "F": 200, "M": 300}})
    found = federate(read(country, one, two), COUNTRY)
    women = total(found, "F", "victims")
    assert (women["value"], women["coverage"]) == (200, 0.5)
    assert women["quality"] == "partial_coverage"
    assert "50 % of the denominator" in women["note"]
    withheld = [row for row in found.published.rows() if row["conf_status"] == "N"]
    assert len(withheld) == 4
    assert all(row[name] is None for row in withheld for name in ("value", "n", "n_positive", "se", "lower", "upper"))
    secrets = {float(SECRET), 40_000.0 - SECRET, round(SECRET / 5e5 * 1e5, 3)}
    store = KeyStore.open("SV", tmp_path / "keys" / "SV")
    store.make(date(2025, 1, 1))
    content = found.content(name="Sanland", languages=["en"], published=DAY, version="0.1.0")
    folder = write_release(content, tmp_path / "out" / "releases", store, today=DAY)
    assert not secrets & all_numbers(content.estimates)
    written = b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix != ".xlsx")
    with zipfile.ZipFile(folder / "tables.xlsx") as book:
        written += b"".join(book.read(name) for name in book.namelist())
    assert not [text for text in (b"31337", b"6267.4") if text in written]
    # four digits in a row meet by chance in hashes and signatures, but not as a number by itself
    assert not re.findall(rb"(?<![0-9A-Za-z+/])8663(?![0-9A-Za-z+/])", written)


def test_below_the_gate_there_is_no_number(country: Path, city: Made) -> None:
    one, two = city("anland", 9e6), city("bevera", 1e6)
    one.publish({"2024": {"_T": 300, "F": None}})
    two.publish({"2024": {"_T": 20, "F": 10}})
    members = read(country, one, two)
    row = total(federate(members, COUNTRY), "F")
    assert (row["value"], row["obs_status"], row["coverage"]) == (None, "O", pytest.approx(0.1))
    assert total(federate(members, COUNTRY, gate=0.1), "F")["value"] == pytest.approx(10 / 5e5 * 1e5)


def test_age_standardised_rates_come_from_published_rates_by_age(country: Path, city: Made) -> None:
    one = city("anland")
    made = one.content({"2024": {"Y0T14": 20, "Y15T34": 90, "Y_GE35": 60}})
    ages = {"age": tuple((age, age) for age in ("_T", "Y0T14", "Y15T34", "Y_GE35"))}
    table = made.estimates.table.rename_columns(["age" if n == "sex" else n for n in made.estimates.table.column_names])
    write_release(replace(made, estimates=Estimates(table), dimensions=ages), one.releases, one.keys, today=DAY)
    rows = federate(read(country, one), COUNTRY, standard="segi").estimates.where(age="_T").rows()
    (row,) = [row for row in rows if row["method"].startswith("directly standardised (Segi")]
    assert row["value"] == pytest.approx((0.31 * 20 + 0.31 * 90 + 0.38 * 60) / 5)


# -- time: late, revised, withdrawn, as of -----------------------------------------------------------------------------


def test_a_late_city_is_told_and_lowers_the_coverage_and_a_trend_has_the_same_members(
    country: Path, city: Made
) -> None:
    one, two = city("anland", 3e6), city("bevera", 1e6)
    one.publish({"2023": {"_T": 150}})
    one.publish({"2024": {"_T": 300}}, date(2025, 6, 1))
    two.publish({"2023": {"_T": 50}})
    found = federate(read(country, one, two), COUNTRY)
    assert codes(found) == ["federation-late", "federation-people-carried"]
    row = total(found)
    assert (row["value"], row["coverage"]) == (pytest.approx(10.0), 0.75)
    assert row["quality"] == "population_carried partial_coverage"
    assert total(found, period="2023")["value"] == pytest.approx(5.0)
    series = [r for r in found.estimates.rows() if r["method"].endswith(CONSTANT) and r["unit"] == "per 100 000"]
    assert [r["value"] for r in series] == pytest.approx([5.0, 10.0])


def test_a_revision_replaces_and_a_vintage_gives_back_the_old_numbers(country: Path, city: Made) -> None:
    one = city("anland")
    first = one.publish({"2023": {"_T": 100}, "2024": {"_T": 300}})
    old = verify_chain(one.releases, identity=one.keys.identity, today=DAY)[0].id
    before = federate(read(country, one), COUNTRY)
    one.publish({"2023": {"_T": 100}, "2024": {"_T": 250}}, date(2025, 9, 1), supersedes=old, reason="late reports")
    after = federate(read(country, one), COUNTRY)
    assert (total(before)["value"], total(after)["value"]) == (30.0, 25.0)
    assert [each["number"] for each in after.vintages] == [2]
    vintage = federate(read(country, one, as_of=date(2025, 8, 31)), COUNTRY)
    assert vintage.estimates.table.equals(before.estimates.table)
    assert vintage.vintages == [{**each, "as_of": "2025-08-31"} for each in before.vintages]
    assert first.is_dir()


def test_a_withdrawn_number_is_gone_and_never_zero(country: Path, city: Made) -> None:
    one, two = city("anland"), city("bevera")
    one.publish({"2023": {"_T": 90}, "2024": {"_T": 300}})
    two.publish({"2023": {"_T": 50}, "2024": {"_T": 50}})
    old = verify_chain(one.releases, today=DAY)[0].id
    later = date(2025, 9, 1)
    one.publish({"2023": {"_T": 90}}, later, supersedes=old, reason="2024 was counted twice: withdrawn")
    found = federate(read(country, one, two), COUNTRY, gate=0.4)
    assert "federation-late" in codes(found)
    row = total(found)
    assert (row["value"], row["coverage"]) == (5.0, 0.5)
    assert total(found, period="2023")["value"] == pytest.approx(7.0)


def test_a_later_release_that_says_something_else_wins_and_is_told(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300, "F": 70}})
    one.publish({"2024": {"_T": 290, "F": 70}}, date(2025, 9, 1))
    found = federate(read(country, one), COUNTRY)
    assert codes(found) == ["federation-revised"]
    assert (total(found)["value"], total(found, "F")["value"]) == (29.0, 14.0)


def test_a_place_that_has_not_published_yet_counts_where_it_is_named(country: Path, city: Made) -> None:
    one, two = city("anland"), city("bevera")
    one.publish({"2024": {"_T": 300}})
    with pytest.raises(SafercitiesError) as caught:
        read(country, one, two)
    assert code(caught) == "release-none"
    sources = {"anland": one.spec(), "bevera": two.spec(place="bevera")}
    members = read_members(sources, country, cache=country / "c", memory=None, today=date(2026, 1, 1))
    found = federate(members, COUNTRY)
    assert codes(found) == ["federation-waiting", "federation-people"]
    assert len(found.estimates) == 0

    class People:
        def denominators(self, place: Any, period: Any, dims: Any) -> tuple[Any, list[str]]:
            return np.full(len(place), 1e6), [""] * len(place)

    found = federate(members, COUNTRY, population=People())
    assert (total(found)["value"], total(found)["coverage"]) == (30.0, 0.5)
    two.releases.mkdir()
    assert codes(federate(read(country, two, place="bevera"), COUNTRY)) == ["federation-waiting"]
    with pytest.raises(SafercitiesError) as caught:
        read(country, two)
    assert code(caught) == "federation-nothing"


def test_places_of_the_country_without_any_source_lower_the_coverage(country: Path, city: Made) -> None:
    one = city("anland", 1e6)
    one.publish({"2024": {"_T": 300}})
    cities = [Place(id, id, "city", "SV") for id in ("anland", "cerrado")]

    class People:
        def denominators(self, place: Any, period: Any, dims: Any) -> tuple[Any, list[str]]:
            return np.array([{"anland": 1e6, "cerrado": 3e5}[each] for each in place]), [""] * len(place)

    found = federate(read(country, one), COUNTRY, tree=Hierarchy([COUNTRY, *cities]), population=People())
    assert total(found)["coverage"] == pytest.approx(1 / 1.3)


# -- who: identity, tampering, replay ----------------------------------------------------------------------------------


def test_without_an_identity_the_source_is_refused_and_the_one_found_is_shown(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300}})
    with pytest.raises(SafercitiesError) as caught:
        read(country, one, identity=None)
    (problem,) = caught.value.problems
    assert (problem.code, problem.column) == ("federation-unpinned", "sources.anland")
    assert one.keys.identity in problem.todo


def test_a_foreign_or_altered_source_is_refused_and_each_of_them_is_named(country: Path, city: Made) -> None:
    one, two, three = city("anland"), city("bevera"), city("cerrado")
    for each in (one, two, three):
        each.publish({"2024": {"_T": 300}})
    file = two.releases / "2024-1" / "data.csv"
    file.write_bytes(file.read_bytes().replace(b"300", b"301", 1))
    sources = {each.id: each.spec() for each in (one, two, three)}
    sources["cerrado"] = three.spec(identity="ed25519:" + "0" * 64)
    where = {"cache": country / "c", "memory": country / "m" / "seen.json", "today": date(2026, 1, 1)}
    with pytest.raises(SafercitiesError) as caught:
        read_members(sources, country, **where)
    told = [(each.code, each.column) for each in caught.value.problems]
    assert told == [("release-altered", "sources.bevera"), ("release-identity", "sources.cerrado")]
    assert not (country / "m").exists()
    # only when somebody takes them out, it goes on
    assert len(read_members({"anland": sources["anland"]}, country, **where)) == 1


def test_an_old_state_that_is_sent_again_is_refused(country: Path, city: Made, tmp_path: Path) -> None:
    one = city("anland")
    one.publish({"2023": {"_T": 100}})
    shutil.copytree(one.releases, tmp_path / "old")
    one.publish({"2024": {"_T": 300}}, date(2025, 9, 1))
    assert len(read(country, one, remember=True)[0].vintages) == 2
    memory = country / "private" / "seen.json"
    assert memory.stat().st_mode & 0o077 == 0
    assert memory.parent.stat().st_mode & 0o077 == 0
    shutil.rmtree(one.releases)
    shutil.copytree(tmp_path / "old", one.releases)
    assert len(read(country, one)) == 1  # nothing in it is wrong, but that it is old
    with pytest.raises(SafercitiesError) as caught:
        read(country, one, remember=True)
    assert code(caught) == "chain-replayed"


def test_another_past_under_the_same_keys_is_refused(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300}})
    read(country, one, remember=True)
    shutil.rmtree(one.releases)
    one.publish({"2024": {"_T": 200}})
    with pytest.raises(SafercitiesError) as caught:
        read(country, one, remember=True)
    assert code(caught) == "chain-rewritten"


def test_a_damaged_memory_is_an_error_not_a_new_start(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300}})
    read(country, one, remember=True)
    seen = country / "private" / "seen.json"
    for damaged in ("{", seen.read_text(encoding="utf-8").replace('"known":{"1"', '"known":{"first"')):
        seen.write_text(damaged, encoding="utf-8")
        with pytest.raises(SafercitiesError) as caught:
            read(country, one, remember=True)
        assert code(caught) == "federation-memory"


def test_a_key_that_is_distrusted_since_is_known_from_the_memory(country: Path, city: Made, tmp_path: Path) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300}})
    shutil.copytree(one.releases, tmp_path / "old")
    bad = verify_chain(one.releases, today=DAY)[0]
    one.keys.distrust(bad.key, date(2025, 2, 1), "laptop stolen")
    one.keys.rotate(date(2025, 1, 15))
    later = date(2025, 9, 1)
    one.publish({"2024": {"_T": 290}}, later, supersedes=bad.id, reason="signed by a stolen key")
    assert total(federate(read(country, one, remember=True), COUNTRY))["value"] == 29.0
    with pytest.raises(SafercitiesError) as caught:  # the old numbers may have been the thief's
        read(country, one, as_of=DAY)
    assert code(caught) == "chain-doubted"


# -- where: folders, archives, paths -----------------------------------------------------------------------------------


def pack(folder: Path, to: Path, *, below: str = "") -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                archive.write(path, below + path.relative_to(folder).as_posix())
    return to


def test_a_chain_or_one_release_may_be_a_folder_or_an_archive(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2023": {"_T": 100}})
    single = one.publish({"2024": {"_T": 300}}, date(2025, 9, 1))
    pack(one.releases, country / "chain.zip", below="releases/")
    pack(single, country / "one.zip")
    values = {}
    for file in ("members/anland", "chain.zip", "one.zip", "members/anland/2024-2"):
        found = federate(read(country, one, file=file), COUNTRY)
        values[file] = (total(found)["value"], len(found.vintages), codes(found))
    assert values["members/anland"] == values["chain.zip"] == (30.0, 2, [])
    assert values["one.zip"] == values["members/anland/2024-2"] == (30.0, 1, ["federation-part"])


@pytest.mark.parametrize("file", ["../other", "/etc", "members/../../x", "a\\..\\..\\b"])
def test_paths_stay_in_the_observatory(country: Path, city: Made, file: str) -> None:
    with pytest.raises(SafercitiesError) as caught:
        read(country, city("anland"), file=file)
    assert code(caught) == "file-outside"


def test_a_link_that_leads_out_is_refused(country: Path, city: Made, tmp_path: Path) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300}})
    shutil.move(one.releases, tmp_path / "elsewhere")
    one.releases.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SafercitiesError) as caught:
        read(country, one)
    assert code(caught) == "file-outside"


# -- what is not mixed -------------------------------------------------------------------------------------------------


def test_members_that_upgrade_stay_in_one_row_and_what_does_not_hold_its_rounding_is_told(
    country: Path, city: Made
) -> None:
    """Crude rates are made alike by the federation; of standardised ones nobody can work out what is missing."""
    members = city("anland"), city("bevera")
    for each, ending in zip(members, ("", ROUNDED), strict=True):
        content = each.content({"2024": {"_T": 100}})
        rows = content.estimates.rows()
        (rate,) = [row for row in rows if row["method"].startswith("crude rate")]
        rows.append(rate | {"method": "directly standardised (WHO), Fay–Feuer interval"})
        estimates = Estimates.from_rows([row | {"method": row["method"] + ending} for row in rows], ["sex"])
        write_release(replace(content, estimates=estimates), each.releases, each.keys, today=DAY)
    found = federate(read(country, *members), COUNTRY, gate=0.0)
    rows = [row for row in found.estimates.rows() if row["method"].startswith(("denominator-weighted", "sum"))]
    of = {row["method"].partition("; of: ")[2]: row for row in rows}
    under = "; published under: rounding, k = 5"
    standardised = f"directly standardised (WHO), Fay–Feuer interval{{}}{under}".format
    assert {name: row["coverage"] for name, row in of.items()} == {
        f"count{under}": 1.0,
        f"crude rate, Garwood interval{under}": 1.0,
        standardised(""): 0.5,
        standardised(ROUNDED): 0.5,
    }
    assert {name for name, row in of.items() if NOT_IN in (row["note"] or "")} == {standardised("")}
    assert codes(found) == ["federation-rules-differ"]
    told = str(found.problems[0])
    assert "rounding, k = 5 (anland); rounding, k = 5, widened for rounding (bevera); they are not mixed" in told


def test_other_rules_and_other_definitions_are_told_and_not_mixed(country: Path, city: Made) -> None:
    one, two, three = city("anland"), city("bevera"), city("cerrado")
    one.publish({"2024": {"_T": 100}})
    two.publish({"2024": {"_T": 200}}, rules={"method": "rounding", "minimum_count": 10})
    old = three.content({"2024": {"_T": 300}})
    version = old.estimates.table.column_names.index("version")
    column = pa.array(["2009-1"] * len(old.estimates), pa.string())
    other = Estimates(old.estimates.table.set_column(version, "version", column))
    write_release(replace(old, estimates=other), three.releases, three.keys, today=DAY)
    found = federate(read(country, one, two, three), COUNTRY, gate=0.0)
    assert codes(found) == ["federation-rules-differ", "federation-versions-differ"]
    assert "rounding, k = 10 (bevera); rounding, k = 5 (anland, cerrado)" in found.problems[0].what
    rates = [row for row in found.estimates.rows() if row["method"].startswith(MEAN) and row["unit"] == "per 100 000"]
    assert sorted((row["value"], round(row["coverage"], 3)) for row in rates) == [
        (10.0, 0.333), (20.0, 0.333), (30.0, 0.333)
    ]  # fmt: skip


def test_two_sources_of_one_kind_that_speak_of_the_same_are_refused(country: Path, city: Made) -> None:
    one = city("anland")
    made = one.content({"2024": {"_T": 100}})
    index = made.estimates.table.column_names.index("source")
    health = made.estimates.table.set_column(index, "source", pa.array(["health"] * len(made.estimates)))
    both = Estimates.concat([made.estimates, Estimates(health)])
    series = (*made.series, Series("health", "Health", "incidents", "victims", None))
    write_release(replace(made, estimates=both, series=series), one.releases, one.keys, today=DAY)
    assert len(federate(read(country, one), COUNTRY).published) == 4
    with pytest.raises(SafercitiesError) as caught:
        read(country, one, kinds={"police_anland": "records", "health": "records"})
    assert code(caught) == "federation-kind-twice"
    found = federate(read(country, one, kinds={"polcie": "police"}), COUNTRY)
    assert codes(found) == ["federation-kind-unknown"]


def test_one_place_twice_and_several_levels_are_refused(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 100}})
    with pytest.raises(SafercitiesError) as caught:
        read_members({"a": one.spec(), "b": one.spec()}, country, cache=country / "c", memory=None)
    assert code(caught) == "federation-place-twice"
    with pytest.raises(SafercitiesError) as caught:
        read(country, one, place="bevera")
    assert code(caught) == "federation-place"
    (member,) = read(country, one)
    district = replace(member, name="d", place=Place("D", "D", "district"))
    with pytest.raises(SafercitiesError) as caught:
        federate([member, district], COUNTRY)
    assert code(caught) == "federation-levels"


def test_a_unit_that_nobody_knows_is_left_out_and_told(country: Path, city: Made) -> None:
    one = city("anland")
    made = one.content({"2024": {"_T": 100}})
    rows = [row | ({"unit": "ratio"} if row["unit"] == "victims" else {}) for row in made.estimates.rows()]
    write_release(replace(made, estimates=Estimates.from_rows(rows)), one.releases, one.keys, today=DAY)
    found = federate(read(country, one), COUNTRY)
    assert codes(found) == ["federation-units"]
    assert total(found)["value"] == 10.0


@pytest.mark.parametrize("name", ["value", "n", "denominator"])
def test_numbers_that_no_statistic_can_be_are_refused(country: Path, city: Made, name: str) -> None:
    one = city("anland")
    made = one.content({"2024": {"_T": 100}})
    rows = [row | {name: 2**60 if name == "n" else 2.0**60} for row in made.estimates.rows()]
    write_release(replace(made, estimates=Estimates.from_rows(rows)), one.releases, one.keys, today=DAY)
    with pytest.raises(SafercitiesError) as caught:
        read(country, one)
    assert code(caught) == "federation-huge"


def test_nothing_published_makes_no_release(country: Path) -> None:
    with pytest.raises(SafercitiesError) as caught:
        federate([], COUNTRY).content(name="x", languages=["en"], published=DAY, version="0")
    assert code(caught) == "federation-empty"


def test_vintages_are_plain(country: Path, city: Made) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 100}})
    (said,) = json.loads(json.dumps(federate(read(country, one), COUNTRY).vintages))
    assert (said["identity"], said["number"], said["as_of"], said["fetched"]) == (one.keys.identity, 1, None, None)
    assert len(said["release"]) == 64


def test_an_indicator_without_a_definition_here_is_left_out_and_told(country: Path, city: Made, tmp_path: Path) -> None:
    one, two = city("anland"), city("bevera")
    made = one.content({"2024": {"_T": 300}})
    rows = [*made.estimates.rows(), *(row | {"indicator": "own.noise"} for row in made.estimates.rows())]
    known = {**made.indicators, "own.noise": indicator(HOMICIDE).model_copy(update={"code": "own.noise"})}
    write_release(
        replace(made, estimates=Estimates.from_rows(rows, ["sex"]), indicators=known), one.releases, one.keys, today=DAY
    )
    two.publish({"2024": {"_T": 20}})
    found = federate(read(country, one, two), COUNTRY)
    (told,) = [each for each in found.problems if each.code == "federation-indicator"]
    assert told.column == "sources.anland"
    assert "anland has numbers of own.noise" in told.what
    assert total(found)["value"] == pytest.approx(16.0)
    content = found.content(name="Sanland", languages=["en"], published=DAY, version="0.1.0")
    assert set(content.indicators) == {HOMICIDE}
    store = KeyStore.open("SV", tmp_path / "keys" / "SV")
    store.make(date(2025, 1, 1))
    assert write_release(content, tmp_path / "out" / "releases", store, today=DAY).is_dir()


def test_names_of_many_members_fit_into_a_manifest(country: Path, city: Made, tmp_path: Path) -> None:
    one = city("anland")
    one.publish({"2024": {"_T": 300}})
    (member,) = read(country, one)
    found = federate([member], COUNTRY)
    many = [replace(member, place=replace(member.place, name=f"{n:03d}" + "x" * 197)) for n in range(14)]
    content = replace(found, members=tuple(many)).content(
        name="Sanland", languages=["en"], published=DAY, version="0.1.0"
    )
    (series,) = [each for each in content.series if each.name == "police"]
    assert len(series.population) < 2000
    assert series.population.endswith(" and 7 more")
    store = KeyStore.open("SV", tmp_path / "keys" / "SV")
    store.make(date(2025, 1, 1))
    assert write_release(content, tmp_path / "out" / "releases", store, today=DAY).is_dir()
