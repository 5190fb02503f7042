"""Two cities publish, their country is an observatory of their releases, and a region is one of the country's."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import IO, Any

import pytest

import safercities as sc
from release import made_release
from safercities import federating
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.release.content import Content
from safercities.release.store import KeyStore
from safercities.release.verify import read_release
from safercities.release.write import write_release

HOMICIDE = "sdg.16.1.1"
DAY = date(2025, 3, 1)
#: Victims of Otra; women are withheld there: the number stands in no release, and must stand nowhere else.
SECRET = 31337
TOML = """[observatory]
name = "{name}"
place = "{place}"
level = "{level}"
synthetic = true

{sources}
[measure]
indicators = ["sdg.16.1.1"]
by = [["sex"], ["place"]]
"""
MEMBER = """[sources.{name}]
kind = "release"
file = "members/{name}"
identity = "{identity}"
"""


def other(content: Content) -> Content:
    """The release of a second city, of the made one: ten times its numbers, women and men withheld."""
    city = Place("CO-OTR", "Otra", "city")
    found = []
    for row in content.estimates.rows():
        if row["place"] != made_release.CITY.id:
            continue
        row |= {"place": city.id}
        if row["sex"] != "_T":
            row |= dict.fromkeys(("value", "se", "lower", "upper", "n", "n_positive", "coverage"), None)
            row |= {"conf_status": "N"}
        found.append(row)
    return made_release.content(
        name="Otra",
        place=city,
        places=(city,),
        estimates=Estimates.from_rows(found, ["sex"]),
        denominators=((city.id, "2024", 2_500_000.0),),
    )


def chain(content: Content, releases: Path, keys: Path) -> KeyStore:
    store = KeyStore.open(content.place.id, keys / content.place.id)
    store.make(date(2025, 1, 1))
    write_release(content, releases, store, today=content.published)
    return store


def observatory(folder: Path, place: str, level: str, members: Mapping[str, str], more: str = "") -> Path:
    sources = "\n".join(MEMBER.format(name=name, identity=identity) for name, identity in members.items()) + more
    text = TOML.format(name=place.title(), place=place, level=level, sources=sources)
    (folder / "observatory.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A country's folder with the chains of two cities; keys beside it."""
    root = tmp_path_factory.mktemp("federated")
    folder = root / "country"
    (folder / "members").mkdir(parents=True)
    content = made_release.content()
    one = chain(content, folder / "members" / "medellin", root / "keys")
    two = chain(other(content), folder / "members" / "otra", root / "keys")
    observatory(folder, "CO", "country", {"medellin": one.identity, "otra": two.identity})
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "root")
    return tmp_path / "root"


def total(rows: Estimates, place: str, unit: str = "victims", **more: Any) -> dict[str, Any]:
    found = rows.where(place=place, unit=unit, indicator=HOMICIDE, **more).totals().rows()
    (row,) = [row for row in found if row["method"].startswith(("sum", "denominator-weighted", "count", "rate"))]
    return row


def test_a_country_measures_what_its_cities_published(root: Path) -> None:
    country = sc.open(root / "country")
    rows = country.measure()
    assert total(rows, "CO")["value"] == 80
    assert total(rows, "CO")["coverage"] == 1.0
    assert total(rows, "CO-OTR")["value"] == 40  # the member's own row stands beside it
    withheld = rows.where(place="CO-OTR", sex="F").rows()
    assert withheld
    assert all(row["conf_status"] == "N" and row["value"] is None for row in withheld)
    assert {row["place"] for row in rows.rows()} == {"CO", "CO-MDE", "CO-OTR"}  # no neighbourhood goes up
    private = root / "country" / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert (private / ".gitignore").exists()
    assert (private / "seen.json").exists()


def test_what_is_asked_for_is_given(root: Path) -> None:
    country = sc.open(root / "country")
    rows = country.measure(HOMICIDE, by=["sex"])
    assert {row["place"] for row in rows.rows()} == {"CO"}
    assert {row["sex"] for row in rows.rows()} == {"_T", "F", "M"}
    assert {row["sex"] for row in country.measure(HOMICIDE, by=[]).rows()} == {"_T"}
    both = country.measure(HOMICIDE, by=[["place"]]).rows()
    assert {row["place"] for row in both} == {"CO", "CO-MDE", "CO-OTR"}
    assert {row["sex"] for row in both} == {"_T"}
    with pytest.raises(UsageError) as caught:
        country.measure(by=["eyes"])
    assert caught.value.problems[0].code == "source-unknown-dimension"
    with pytest.raises(SafercitiesError) as stopped:
        country.measure("recorded.robbery")
    assert stopped.value.problems[0].code == "indicator-without-source"


def test_build_says_which_releases_the_numbers_are_of(root: Path) -> None:
    built = sc.open(root / "country").build()
    said = json.loads((built.folder / "vintages.json").read_text(encoding="utf-8"))
    assert [(one["source"], one["place"], one["number"], one["published"]) for one in said] == [
        ("medellin", "CO-MDE", 1, "2025-03-01"),
        ("otra", "CO-OTR", 1, "2025-03-01"),
    ]
    manifest = json.loads((built.folder / "manifest.json").read_text(encoding="utf-8"))
    listed = {one["name"]: one for one in manifest["sources"]}
    assert listed["otra"]["sha256"] == said[1]["release"]
    assert "#1 2025-03-01" in listed["otra"]["file"]
    assert (listed["otra"]["label"], listed["otra"]["kind"]) == ("Otra", "release")


def test_the_review_of_a_country_shows_its_rows_its_members_and_their_releases(root: Path) -> None:
    country = sc.open(root / "country")
    data = country.review_data()
    assert data.period == "2024"
    assert not data.private
    assert data.hierarchy["CO-OTR"].parent == "CO"
    (page, *_) = country.review()
    text = page.read_text(encoding="utf-8")
    assert "Otra" in text
    assert "Medellín" in text
    assert "#1 2025-03-01" in text
    assert "Female" in text
    assert str(SECRET) not in text


def test_a_member_is_no_source_of_records(root: Path) -> None:
    with pytest.raises(UsageError) as caught:
        sc.open(root / "country").collect("otra")
    assert caught.value.problems[0].code == "source-is-releases"


# -- check: refused and late members -----------------------------------------------------------------------------------


def test_check_finds_nothing_where_all_is_well(root: Path) -> None:
    assert sc.open(root / "country").check() == []


def test_check_lists_a_member_that_was_altered_and_nothing_is_measured(root: Path) -> None:
    (release,) = (one for one in (root / "country/members/otra").iterdir() if one.is_dir())
    data = release / "data.csv"
    data.write_bytes(data.read_bytes().replace(b"40", b"41"))
    country = sc.open(root / "country")
    codes = [(one.severity, one.code, one.column) for one in country.check()]
    assert codes == [("error", "release-altered", "sources.otra")]
    with pytest.raises(SafercitiesError) as caught:
        country.measure()
    assert caught.value.problems[0].code == "release-altered"


def test_check_touches_no_network_and_says_what_was_not_got(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **more: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    path = root / "country" / "observatory.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('file = "members/otra"', 'url = "https://otra.example/r.zip"'), encoding="utf-8")
    codes = [(one.code, one.column) for one in sc.open(root / "country").check()]
    assert codes == [("federation-not-fetched", "sources.otra")]


def test_archives_are_got_only_when_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "country" / "observatory.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('file = "members/otra"', 'url = "https://otra.example/r.zip"'), encoding="utf-8")
    (release,) = (one for one in (root / "country/members/otra").iterdir() if one.is_dir())

    def sent(name: str, url: str, out: IO[bytes]) -> None:
        if url != "https://otra.example/r.zip":
            raise AssertionError(url)
        with zipfile.ZipFile(out, "w") as archive:
            for file in release.iterdir():
                archive.write(file, f"{release.name}/{file.name}")

    monkeypatch.setattr("safercities.release.fetch._download", sent)
    (got,) = federating.fetch(sc.open(root / "country"))
    assert got.path.is_relative_to(root / "country" / "private")
    country = sc.open(root / "country")
    assert country.check() == []
    assert total(country.measure(), "CO")["value"] == 80
    with pytest.raises(UsageError) as caught:
        federating.fetch(country, "medellin")
    assert caught.value.problems[0].code == "source-without-address"


def test_a_member_of_which_nothing_has_come_lowers_the_coverage_and_is_told(root: Path) -> None:
    folder = root / "country"
    shutil.rmtree(folder / "members" / "otra")
    path = folder / "observatory.toml"
    text = path.read_text(encoding="utf-8") + '\n[sources.people]\nkind = "population"\nfile = "people.csv"\n'
    text += 'place = "code"\nperiod = "year"\ncount = "people"\n[[geographies]]\nlevel = "city"\n'
    text += 'file = "cities.csv"\nid = "code"\nname = "name"\n'
    path.write_text(text.replace('file = "members/otra"', 'file = "members/otra"\nplace = "CO-OTR"'), encoding="utf-8")
    (folder / "cities.csv").write_text("code,name\nCO-MDE,Medellín\nCO-OTR,Otra\n", encoding="utf-8")
    people = "code,year,people\nCO-MDE,2024,2500000\nCO-OTR,2024,1500000\n"
    (folder / "people.csv").write_text(people, encoding="utf-8")
    country = sc.open(folder)
    assert "federation-waiting" in {one.code for one in country.check()}
    row = total(country.measure(), "CO")
    assert row["coverage"] == pytest.approx(0.625)
    assert "partial_coverage" in row["quality"].split()
    assert country.review()


# -- publishing upward -------------------------------------------------------------------------------------------------


def test_a_country_publishes_and_its_region_sees_no_more(root: Path) -> None:
    country = sc.open(root / "country")
    content = federating.content(country, published=date(2025, 6, 1))
    assert (content.name, content.place.id, content.synthetic) == ("Co", "CO", True)
    keys = chain(content, root / "region" / "members" / "co", root / "keys")
    (release,) = (one for one in (root / "region/members/co").iterdir() if one.is_dir())
    published = read_release(release, identity=keys.identity, today=date(2026, 1, 1)).estimates
    assert set(published.table.column("conf_status").to_pylist()) == {"F", "N"}
    women = published.where(place="CO-OTR", sex="F").rows()
    assert women
    assert all(row["value"] is None and row["n"] is None for row in women)
    region = sc.open(observatory(root / "region", "LAC", "region", {"co": keys.identity}))
    assert region.check() == []
    assert total(region.measure(), "LAC")["value"] == 80
    assert {row["place"] for row in region.measure().rows()} == {"LAC", "CO"}  # a region sees countries, not cities
    assert region.build().folder.is_dir()
    assert region.review_data().period == "2024"


def test_own_sources_stand_beside_those_of_the_members(root: Path) -> None:
    folder = root / "country"
    more = '\n[sources.health]\nkind = "incidents"\nfile = "health.csv"\nwhen = "day"\nact = "0101"\nunit = "victims"\n'
    path = folder / "observatory.toml"
    path.write_text(path.read_text(encoding="utf-8") + more + 'covers = "2024"\n', encoding="utf-8")
    days = "".join(f"2024-{month:02}-01\n" for month in range(1, 13))
    (folder / "health.csv").write_text("day\n" + days, encoding="utf-8")
    country = sc.open(folder)
    rows = country.measure()
    assert rows.where(place="CO", source="health", unit="victims").only()["value"] == 12
    assert rows.where(place="CO", source="homicides", unit="victims").totals().rows()[0]["value"] == 80
    own = made_release.content(place=country.place, places=(country.place,), denominators=())
    table = Estimates.from_rows(
        [row | {"place": "CO", "source": "health"} for row in own.estimates.rows() if row["place"] == "CO-MDE"],
        ["sex"],
    )
    (series,) = own.series
    mine = {"estimates": table, "series": (made_release.replace(series, name="health"),)}
    content = federating.content(country, published=DAY, own=made_release.replace(own, **mine))
    assert [one.name for one in content.series] == ["health", "homicides"]
    assert content.rules["method"] == "rounding"
    assert len(content.rules["releases"]) == 2  # type: ignore[arg-type]
    assert content.places[0].id == "CO"
    chain(content, root / "out" / "releases", root / "keys")  # it can be written as it is
    with pytest.raises(SafercitiesError) as caught:
        federating.content(country, published=DAY, own=own)
    assert caught.value.problems[0].code == "federation-own-kind"


def test_a_city_has_no_federation(root: Path) -> None:
    text = TOML.format(name="X", place="X", level="city", sources="")
    (root / "observatory.toml").write_text(text, encoding="utf-8")
    city = sc.open(root)
    assert city.federation is None
    assert not (root / "private").exists()
    with pytest.raises(UsageError) as caught:
        federating.content(city, published=DAY)
    assert caught.value.problems[0].code == "federation-none"


def test_a_country_that_asks_for_nothing_gets_all_that_was_published(root: Path) -> None:
    path = root / "country" / "observatory.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("[measure]")], encoding="utf-8")
    country = sc.open(root / "country")
    assert country.check() == []
    assert total(country.measure(), "CO")["value"] == 80
    assert country.review()
