"""The real cities: the numbers that an analyst who knows them would check first."""

from __future__ import annotations

import csv
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


# -- Chile's victimisation surveys, number by number as R survey 4.1.1 gives them (shared/reference) ---

EXACT = {"rel": 1e-10}
FILE = {"sdg.16.1.3.physical": "VP_DV", "surveyed.theft": "VP_DC", "fear.avoids_places": "PAD"}


@pytest.fixture(scope="module")
def enusc(shared_data, tmp_path_factory):
    return sc.open(real.enusc(shared_data, tmp_path_factory.mktemp("enusc")))


@pytest.fixture(scope="module")
def chile(enusc):
    return enusc.measure()


def reference(shared_data, name):
    path = shared_data.parent / "reference" / name
    if not path.is_file():
        pytest.skip("the expected numbers are not beside the real data sets")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_enusc_has_no_problem_and_keeps_every_row(enusc):
    found = {p.code for p in enusc.check() if p.severity != "note"}
    assert found == {"place-level-unreachable"}  # the file of 2019 has no column that says where, in these terms
    assert enusc.rows()["enusc"] == {"read": 49813, "kept": 49813, "rejected": 0}


@pytest.mark.parametrize(
    ("file", "by"), [("enusc_2023_sex.csv", ["sex"]), ("enusc_2023_sex_age.csv", ["sex", "tramo"])]
)
def test_enusc_through_an_observatory(shared_data, chile, file, by):
    rows = reference(shared_data, file)
    for code, column in FILE.items():
        found = chile.where(indicator=code, unit="%", place="CL", source="enusc").totals(*by)
        assert len(found) == len(rows) > 0
        for row in rows:
            keys = {"sex": {"1": "M", "2": "F"}[row["rph_sexo"]], "tramo": row.get("rph_edad")}
            ours = found.where(**{name: keys[name] for name in by}).only()
            assert ours["value"] == pytest.approx(100 * float(row[column]), **EXACT)
            assert ours["se"] == pytest.approx(100 * float(row[f"se.{column}"]), **EXACT)
            assert ours["deff"] == pytest.approx(float(row[f"DEff.{column}"]), **EXACT)
            assert ours["scheme"] == "ine-chile-2020"
            assert ours["verdict"] in ("publish", "warn", "withhold")


def test_enusc_numbers_of_people_and_households(shared_data, chile):
    total, _ = reference(shared_data, "enusc_2023_total_ratio.csv")
    row = chile.where(indicator="sdg.16.1.3.physical", unit="people", place="CL").totals().only()
    assert row["value"] == pytest.approx(float(total["estimate"]), **EXACT)
    assert row["se"] == pytest.approx(float(total["se"]), **EXACT)
    (adjusted,) = [one for one in reference(shared_data, "enusc_2019_lonely_psu.csv") if one["lonely_psu"] == "adjust"]
    row = chile.where(indicator="surveyed.burglary", unit="%", place="CL").totals().only()
    assert row["value"] == pytest.approx(100 * float(adjusted["estimate"]), **EXACT)
    assert row["se"] == pytest.approx(100 * float(adjusted["se"]), **EXACT)
    assert "lonely_psu" in row["quality"].split()


def test_enusc_regions_make_up_the_country(chile):
    rows = {r["place"]: r for r in chile.where(indicator="surveyed.theft", unit="people").totals().rows()}
    assert rows.keys() == {"CL", *map(str, range(1, 17))}
    assert sum(row["value"] for place, row in rows.items() if place != "CL") == pytest.approx(rows["CL"]["value"])
    assert sum(row["n"] for place, row in rows.items() if place != "CL") == rows["CL"]["n"]


def test_enusc_difference_of_the_sexes(shared_data, enusc):
    (wanted,) = reference(shared_data, "enusc_2023_difference.csv")
    (made,) = enusc.contrasts("sdg.16.1.3.physical", "sex", against="F")
    assert made.difference == pytest.approx(100 * float(wanted["estimate"]), **EXACT)
    assert made.difference_se == pytest.approx(100 * float(wanted["contrast.1"]), **EXACT)


def test_enusc_with_a_lonely_psu_and_no_rule_names_the_stratum(shared_data, tmp_path):
    observatory = sc.open(real.enusc(shared_data, tmp_path, real.ENUSC.replace('lonely = "adjust"\n', "")))
    (problem,) = [p for p in observatory.check() if p.severity == "error"]
    assert (problem.code, problem.file, problem.column) == ("survey-lonely-psu", "enusc_2019.csv", "VarStrat")
    with pytest.raises(sc.SafercitiesError, match=str(dict(problem.details)["stratum"])):
        observatory.measure("surveyed.burglary")
    assert len(observatory.measure("surveyed.theft"))
