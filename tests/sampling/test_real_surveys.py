"""Chile's victimisation survey and the samples of California's schools, number by number as R survey gives them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from safercities.model.errors import SafercitiesError
from safercities.sampling.design import Design, survey

EXACT = {"rel": 1e-10}
ENUSC = {"weight": "Fact_Pers_Reg", "strata": "VarStrat", "psu": "Conglomerado"}
SCHOOLS = {"E": 4421, "H": 755, "M": 1018}
WIDE = {"No": 1072, "Yes": 5122}


@pytest.fixture(scope="module")
def enusc(shared_data: Path) -> Design:
    return survey(shared_data / "enusc" / "enusc_2023.csv", **ENUSC)


@pytest.fixture(scope="module")
def reference(shared_data: Path) -> Path:
    folder = shared_data.parent / "reference"
    if not folder.is_dir():
        pytest.skip("the expected numbers are not beside the real data sets")
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("file", "by"), [("enusc_2023_sex.csv", ["rph_sexo"]), ("enusc_2023_sex_age.csv", ["rph_sexo", "rph_edad"])]
)
def test_enusc_by_sex_and_age(enusc, reference, file, by):
    found = {
        (row["indicator"], *(row[name] for name in by)): row
        for row in enusc.proportion(["VP_DV", "VP_DC", "PAD"], by).rows()
    }
    wanted = read(reference / file)
    assert len(found) == 3 * len(wanted)
    for row in wanted:
        for outcome in ("VP_DV", "VP_DC", "PAD"):
            ours = found[(outcome, *(row[name] for name in by))]
            assert ours["value"] == pytest.approx(float(row[outcome]), **EXACT)
            assert ours["se"] == pytest.approx(float(row[f"se.{outcome}"]), **EXACT)
            assert ours["deff"] == pytest.approx(float(row[f"DEff.{outcome}"]), **EXACT)


def test_enusc_total_and_ratio(enusc, reference):
    total, ratio = read(reference / "enusc_2023_total_ratio.csv")
    for made, wanted in ((enusc.total("VP_DV"), total), (enusc.ratio("VP_DV", "VP_DC"), ratio)):
        row = made.only()
        assert row["value"] == pytest.approx(float(wanted["estimate"]), **EXACT)
        assert row["se"] == pytest.approx(float(wanted["se"]), **EXACT)
    assert enusc.df == float(total["df"])


def test_enusc_difference_of_the_sexes(enusc, reference):
    (wanted,) = read(reference / "enusc_2023_difference.csv")
    made = enusc.contrast("VP_DV", "rph_sexo")[0]
    assert dict(made.one), dict(made.other) == ({"rph_sexo": "1"}, {"rph_sexo": "2"})
    assert made.difference == pytest.approx(float(wanted["estimate"]), **EXACT)
    assert made.difference_se == pytest.approx(float(wanted["contrast.1"]), **EXACT)


@pytest.mark.parametrize(("ours", "theirs"), [("korn-graubard", "beta"), ("student", "mean"), ("logit", "xlogit")])
def test_enusc_intervals(enusc, reference, ours, theirs):
    wanted = {row["method"]: row for row in read(reference / "enusc_2023_intervals.csv")}[theirs]
    row = enusc.proportion("VP_DV", interval=ours, df="design").only()
    assert row["lower"] == pytest.approx(float(wanted["lower"]), **EXACT)
    assert row["upper"] == pytest.approx(float(wanted["upper"]), **EXACT)


@pytest.mark.parametrize("rule", ["adjust", "certainty", "remove", "average"])
def test_enusc_lonely_psu(shared_data, reference, rule):
    wanted = {row["lonely_psu"]: row for row in read(reference / "enusc_2019_lonely_psu.csv")}[rule]
    made = survey(shared_data / "enusc" / "enusc_2019.csv", **ENUSC | {"weight": "Fact_Hog"}, lonely=rule)
    row = made.proportion("VA_DC").only()
    assert row["value"] == pytest.approx(float(wanted["estimate"]), **EXACT)
    assert row["se"] == pytest.approx(float(wanted["se"]), **EXACT)
    assert "lonely_psu" in row["quality"].split()


def test_enusc_lonely_psu_is_refused_by_name(shared_data):
    with pytest.raises(SafercitiesError) as raised:
        survey(shared_data / "enusc" / "enusc_2019.csv", **ENUSC | {"weight": "Fact_Hog"})
    (found,) = raised.value.problems
    assert (found.code, found.file) == ("survey-lonely-psu", "enusc_2019.csv")
    assert dict(found.details)["stratum"] == lonely_stratum(shared_data / "enusc" / "enusc_2019.csv")


def lonely_stratum(path: Path) -> str:
    psus: dict[str, set[str]] = {}
    for row in read(path):
        psus.setdefault(row["VarStrat"], set()).add(row["Conglomerado"])
    (one,) = [stratum for stratum, its in psus.items() if len(its) == 1]
    return one


def schools(folder: Path) -> dict[str, tuple]:
    """Each design of the reference and what is estimated with it."""
    stratified = survey(folder / "apistrat.csv", weight="pw", strata="stype", fpc="fpc")
    clusters = survey(folder / "apiclus1.csv", weight="pw", psu="dnum", fpc="fpc")
    stages = survey(folder / "apiclus2.csv", psu="dnum", stages=["snum"], fpc=["fpc1", "fpc2"])
    totals = {"stype": SCHOOLS, "api99": 3_914_069}
    return {
        "apistrat mean api00": stratified.mean("api00"),
        "apiclus1 mean api00": clusters.mean("api00"),
        "apiclus2 mean api00": stages.mean("api00"),
        "apiclus1 total enroll": clusters.total("enroll"),
        "apistrat ratio api.stu/enroll": stratified.ratio("api.stu", "enroll"),
        "apiclus1 poststratified mean api00": clusters.poststratify(["stype"], SCHOOLS).mean("api00"),
        "apiclus1 calibrated(stype, api99) mean api00": clusters.calibrate(totals).mean("api00"),
        "apistrat JKn mean api00": stratified.jackknife().mean("api00"),
        "apiclus1 JK1 mean api00": clusters.jackknife().mean("api00"),
    }


def test_schools(shared_data, reference):
    wanted = {row["what"]: row for row in read(reference / "api_reference.csv")}
    found = schools(shared_data / "api")
    assert set(wanted) - set(found) == {"apiclus1 raked mean api00"}
    for what, made in found.items():
        row = made.only()
        assert row["value"] == pytest.approx(float(wanted[what]["estimate"]), **EXACT), what
        assert row["se"] == pytest.approx(float(wanted[what]["se"]), **EXACT), what


def test_schools_raked(shared_data, reference):
    """R stops when no group moves by a person any more, and its residuals follow the margins one by one."""
    wanted = {row["what"]: row for row in read(reference / "api_reference.csv")}["apiclus1 raked mean api00"]
    clusters = survey(shared_data / "api" / "apiclus1.csv", weight="pw", psu="dnum", fpc="fpc")
    as_r = {"change": 1, "iterations": 10, "residuals": "rounds"}
    row = clusters.rake({"stype": SCHOOLS, "sch.wide": WIDE}, **as_r).mean("api00").only()
    assert row["value"] == pytest.approx(float(wanted["estimate"]), **EXACT)
    assert row["se"] == pytest.approx(float(wanted["se"]), **EXACT)
