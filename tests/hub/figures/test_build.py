"""An index is made whole or not at all, from verified releases only, and anew when a release appears."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hub.figures.conftest import Made
from hub.figures.made_chain import TODAY, WRONG, as_set, full_city, in_force, new_city
from release.made_release import CITY, code, rows
from safercities.hub.figures import Figures, Query, build
from safercities.model.errors import SafercitiesError
from safercities.release.chain import verify_chain


def test_without_an_index_there_is_an_error_and_an_empty_chain_makes_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(SafercitiesError) as caught:
        Figures.open(tmp_path / "index")
    assert code(caught) == "figures-none"
    build(tmp_path / "index", [])
    figures = Figures.open(tmp_path / "index")
    assert (figures.version, dict(figures.indicators), figures.rows(Query()).num_rows) == ("", {}, 0)
    assert figures.choices().rows == figures.count(Query(places=["x"])) == 0
    assert list(figures.batches(Query())) == []
    assert figures.latest("sdg.16.1.1", "CO-MDE") == []


def test_a_new_release_makes_a_new_index_and_who_reads_the_old_one_goes_on(tmp_path: Path) -> None:
    city, index = new_city(tmp_path), tmp_path / "index"
    city.publish("2022", rows("2022"))
    first = build(index, city.chain)
    old = Figures.open(index)
    before = old.rows(Query())
    assert Figures.open(index) is old
    assert build(index, city.chain) == first
    assert Figures.open(index) is old
    for period in ("2023", "2024", "2024-Q4"):
        city.publish(period, rows(period))
        build(index, city.chain)
    assert not first.exists()
    old._cache.clear()
    assert old.rows(Query()).equals(before)
    new = Figures.open(index)
    assert new.version == city.chain[-1].id != old.version
    assert new.indicators["sdg.16.1.1"].periods == ("2022", "2023", "2024", "2024-Q4")
    assert as_set(new.rows(Query())) == as_set(in_force(city.chain))


def test_what_fails_on_the_way_leaves_the_index_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city, index = new_city(tmp_path), tmp_path / "index"
    city.publish("2022", rows("2022"))
    build(index, city.chain)
    version = Figures.open(index).version
    city.publish("2023", rows("2023"))

    def fails(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("safercities.hub.figures.building.describe", fails)
        with pytest.raises(OSError, match="no space"):
            build(index, city.chain)
    assert Figures.open(index).version == version
    assert len([one for one in index.iterdir() if one.is_dir()]) == 1
    build(index, city.chain)
    assert Figures.open(index).version == city.chain[-1].id


def test_a_release_that_changed_since_it_was_verified_is_refused(tmp_path: Path) -> None:
    city, index = new_city(tmp_path), tmp_path / "index"
    folder = city.publish("2022", rows("2022"))
    chain = city.chain
    file = folder / "estimates.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SafercitiesError) as caught:
        build(index, chain)
    assert code(caught) == "release-altered"
    # another release, well signed, in the place of the one that was verified
    other = new_city(tmp_path / "other")
    another = other.publish("2022", rows("2022")[:3])
    shutil.rmtree(folder)
    shutil.copytree(another, folder)
    with pytest.raises(SafercitiesError):
        build(index, chain)
    with pytest.raises(SafercitiesError):
        Figures.open(index)


def test_releases_of_several_observatories_are_refused(tmp_path: Path) -> None:
    chains = []
    for name in ("one", "other"):
        city = new_city(tmp_path / name)
        city.publish("2022", rows("2022"))
        chains += city.chain
    with pytest.raises(SafercitiesError) as caught:
        build(tmp_path / "index", chains)
    assert code(caught) == "figures-mixed"
    with pytest.raises(SafercitiesError) as caught:
        build(tmp_path / "index", [chains[0], chains[0]])
    assert code(caught) == "figures-mixed"


def test_a_release_in_force_by_a_distrusted_key_is_refused(tmp_path: Path) -> None:
    city = new_city(tmp_path)
    city.publish("2022", rows("2022"))
    (only,) = city.chain
    with pytest.raises(SafercitiesError) as caught:
        build(tmp_path / "index", [replace(only, distrusted=True)])
    assert code(caught) == "chain-doubted"


def test_a_dimension_that_is_called_as_our_columns_is_refused(tmp_path: Path) -> None:
    city = new_city(tmp_path)
    city.publish("2022", [row | {"release": "_T"} for row in rows("2022")])
    with pytest.raises(SafercitiesError) as caught:
        build(tmp_path / "index", city.chain)
    assert code(caught) == "figures-names"


def test_the_same_chain_gives_the_same_answers_in_the_same_order(made: Made, tmp_path: Path) -> None:
    build(tmp_path / "index", list(reversed(made.city.chain)))
    again = Figures.open(tmp_path / "index")
    assert again.rows(Query()).equals(made.figures.rows(Query()))
    assert again.about == made.figures.about


def test_nothing_of_superseded_releases_is_in_the_files(made: Made) -> None:
    (folder,) = made.index.glob("*.1")
    told = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    assert {path.name for path in folder.iterdir()} == {"about.json", "figures.duckdb"}
    assert WRONG not in told["constants"].values()
    assert [one["number"] for one in told["releases"] if one["superseded_by"]] == [2]
    assert str(made.city.keys.folder) not in json.dumps(told)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_broken_index_is_an_error_in_our_words(made: Made, tmp_path: Path) -> None:
    for damage in ("about.json", "figures.duckdb"):
        shutil.copytree(made.index, tmp_path / damage)
        (folder,) = (tmp_path / damage).glob("*.1")
        (folder / damage).write_bytes(b"{")
        with pytest.raises(SafercitiesError) as caught:
            Figures.open(tmp_path / damage)
        assert code(caught) == "figures-unreadable"
    for pointer in ("../../etc", "", "\x00", "é", "x.1"):
        shutil.copytree(made.index, tmp_path / "pointer", dirs_exist_ok=True)
        (tmp_path / "pointer" / "current").write_text(pointer, encoding="utf-8")
        with pytest.raises(SafercitiesError) as caught:
            Figures.open(tmp_path / "pointer")
        assert code(caught) == "figures-none"


def test_many_threads_get_the_same_answers_while_the_index_is_replaced(tmp_path: Path) -> None:
    city, index = full_city(tmp_path), tmp_path / "index"
    chain = city.chain
    build(index, chain[:3])
    expected = {chain[2].id: as_set(in_force(chain[:3])), chain[4].id: as_set(in_force(chain))}

    def ask(number: int) -> bool:
        figures = Figures.open(index)
        if number % 10 == 0:
            figures._cache.clear()
        whole = as_set(figures.rows(Query())) == expected[figures.version]
        return whole and figures.rows(Query(places=[CITY.id])).num_rows == figures.count(Query(places=[CITY.id]))

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, number) for number in range(60)]
        build(index, chain)
        answers += [pool.submit(ask, number) for number in range(60)]
    assert all(one.result() for one in answers)
    assert Figures.open(index).version == chain[4].id


def test_a_chain_whose_first_key_was_distrusted_and_corrected_is_read(tmp_path: Path) -> None:
    city = new_city(tmp_path)
    city.publish("2022", rows("2022"))
    bad = city.chain[0]
    city.keys.distrust(bad.key, bad.manifest.published, "laptop stolen")
    city.keys.rotate(bad.manifest.published)
    city.publish("2022", rows("2022")[:4], supersedes=bad.id, reason="signed by a stolen key")
    chain = verify_chain(city.releases, identity=city.keys.identity, today=TODAY)
    build(tmp_path / "index", chain)
    assert Figures.open(tmp_path / "index").rows(Query()).num_rows == 4
