"""The real cities: the numbers that an analyst who knows them would check first."""

from __future__ import annotations

from pathlib import Path

import pytest

import real
import safercities as sc


@pytest.fixture(scope="module")
def medellin(shared_data, tmp_path_factory):
    return sc.open(real.medellin(shared_data, tmp_path_factory.mktemp("medellin")))


@pytest.fixture(scope="module")
def lancashire(shared_data, tmp_path_factory):
    return sc.open(real.lancashire(shared_data, tmp_path_factory.mktemp("lancashire")))


@pytest.fixture(scope="module")
def homicides(medellin):
    return medellin.measure()


@pytest.fixture(scope="module")
def asb(lancashire):
    return lancashire.measure()


def values(estimates, by="period", **where):
    return {row[by]: row["value"] for row in estimates.where(**where).rows()}


def test_medellin_reads_every_record(medellin):
    located = medellin.locate("homicides")
    assert located.collected.rows_read == 9360
    assert located.collected.table.num_rows == 9360
    assert located.counts["comuna"]["no_coordinates"] == 81
    assert located.counts["comuna"]["outside"] == 2
    assert located.counts["comuna"]["placed"] == 9277


def test_medellin_by_year_keeps_the_rows_without_coordinates(homicides):
    years = values(homicides.where(place="CO-MDE").totals())
    assert years == dict(
        zip(map(str, range(2010, 2020)), [2025, 1651, 1247, 928, 659, 496, 544, 582, 634, 594], strict=True)
    )


def test_medellin_women_and_comunas(homicides):
    women = homicides.where(place="CO-MDE", sex="F").totals("sex")
    assert sum(values(women).values()) == 704
    by_place = homicides.totals()
    assert sum(values(by_place.where(place="13")).values()) == 1036  # San Javier
    assert sum(values(by_place.where(place="10")).values()) == 1258  # La Candelaria


def test_medellin_has_no_rate_without_a_population(homicides):
    rows = homicides.rows()
    assert {row["unit"] for row in rows} == {"victims"}
    assert all("no_denominator" in row["quality"] for row in rows)


def test_medellin_names(medellin):
    names = {place.id: place.name for place in medellin.hierarchy.at_level("comuna")}
    assert names["13"] == "San Javier"
    assert names["06"] == "Doce de Octubre"


def test_medellin_review(medellin, tmp_path):
    written = medellin.review()
    page = written[0].read_text(encoding="utf-8")
    assert written[0].parent == medellin.folder / "reviews" / "2019"
    assert 'lang="es"' in page
    for expected in ("Medellín", "San Javier", "594"):
        assert expected in page


def test_lancashire_locates_every_record_and_drops_none(lancashire):
    located = lancashire.locate("asb")
    assert located.collected.rows_read == located.collected.table.num_rows == 56434
    assert located.counts["ward"]["placed"] == 56434


def test_lancashire_identical_rows_are_not_duplicates(lancashire, shared_data):
    import collections

    lines = Path(shared_data / "lancashire" / "lancashire_asb.tab").read_text().splitlines()[1:]
    repeats = len(lines) - len(collections.Counter(lines))
    assert repeats == 20100
    assert lancashire.collect("asb").table.num_rows == len(lines)


def test_lancashire_boundaries_that_changed(lancashire):
    population = lancashire.population
    assert len(population.unmatched_codes) == 40
    wards = {place.id for place in lancashire.hierarchy.at_level("ward")}
    without = [place for place in population.places_without if place in wards]
    assert len(wards) == 271
    assert len(without) == 26


def test_lancashire_rates_only_where_there_is_a_population(lancashire, asb):
    wards = {place.id for place in lancashire.hierarchy.at_level("ward")}
    rows = [row for row in asb.rows() if row["place"] in wards and row["period"] == "2022"]
    counts = [row for row in rows if row["unit"] == "incidents"]
    rates = [row for row in rows if row["unit"] != "incidents"]
    assert len(counts) == 271
    assert len(rates) == 245
    bare = {row["place"] for row in counts if "no_denominator" in row["quality"]}
    assert len(bare) == 26
    assert sum(row["value"] for row in counts) == 56434
    assert not bare & {row["place"] for row in rates}
    assert {row["unit"] for row in asb.where(place="GB-LAN").rows()} == {
        "incidents"
    }  # 26 wards are missing from its population
