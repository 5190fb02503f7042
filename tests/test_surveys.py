"""Surveys from observatory.toml to estimates.csv: every kind of indicator, breakdown, wave and design, end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mini_survey as made
import safercities as sc
import safercities.indicators.catalogue
from safercities import checks
from safercities.cli import app
from safercities.model.errors import SafercitiesError, UsageError

SAME = {"rel": 1e-12}
YES = {"1": 1.0, "2": 0.0, "9": np.nan}


def yes(column: np.ndarray) -> np.ndarray:
    """1 is yes, 2 no, 9 no answer."""
    return np.array([YES[str(one)] for one in column])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return made.build(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def observatory(folder):
    return sc.open(folder)


@pytest.fixture(scope="module")
def estimates(observatory):
    return observatory.measure()


def by_hand(wave: int, **columns: np.ndarray) -> sc.Design:
    """The design of one wave, described in Python, with outcomes made here."""
    answers = made.answers()
    mine = answers["year"] == wave
    table = {name: answers[name][mine] for name in ("w", "stratum", "psu", "sex", "age", "ward")}
    return sc.survey(
        table | {name: column[mine] for name, column in columns.items()}, weight="w", strata="stratum", psu="psu"
    )


def whole(estimates, code: str, unit: str, period: str = "2023") -> dict:
    return estimates.where(indicator=code, unit=unit, period=period, place="XA-MIN").totals().only()


def equal(row: dict, wanted: dict, per: float = 1) -> None:
    for name in ("value", "se", "lower", "upper", "n", "n_positive", "df", "deff"):
        scale = per if name in ("value", "se", "lower", "upper") else 1
        if wanted[name] is None:
            assert row[name] is None, name
        else:
            assert row[name] == pytest.approx(wanted[name] * scale, **SAME), name


def codes(observatory) -> set[str]:
    return {problem.code for problem in observatory.check()}


def opened(folder: Path, **changed: str) -> sc.Observatory:
    return sc.open(made.build(folder, **changed))


# -- every kind of indicator, against the same design described by hand ---------------------------------------------


@pytest.mark.parametrize("wave", [2023, 2024])
def test_a_proportion_over_respondents(estimates, wave):
    physical = yes(made.answers()["phys"])
    wanted = by_hand(wave, y=physical)
    equal(whole(estimates, "sdg.16.1.3.physical", "%", str(wave)), wanted.proportion("y").only(), 100)
    equal(whole(estimates, "sdg.16.1.3.physical", "people", str(wave)), wanted.total("y").only())


@pytest.mark.parametrize("wave", [2023, 2024])
def test_any_of_several_answers_is_missing_only_where_nobody_said_yes(estimates, wave):
    answers = made.answers()
    three = np.array([yes(answers[name]) for name in ("phys", "psych", "sexual")])
    any_of = np.where((three == 1).any(axis=0), 1, np.where(np.isnan(three).any(axis=0), np.nan, 0))
    assert 0 < np.isnan(any_of).sum() < np.isnan(three).any(axis=0).sum()
    equal(whole(estimates, "sdg.16.1.3", "%", str(wave)), by_hand(wave, y=any_of).proportion("y").only(), 100)


@pytest.mark.parametrize("wave", [2023, 2024])
def test_who_does_not_say_is_not_safe_by_definition(estimates, wave):
    safe = (made.answers()["safe"] <= 2) * 1.0
    row = whole(estimates, "sdg.16.1.4", "%", str(wave))
    equal(row, by_hand(wave, y=safe).proportion("y").only(), 100)
    assert row["n"] == 160


@pytest.mark.parametrize("wave", [2023, 2024])
def test_a_random_denominator(estimates, wave):
    answers = made.answers()
    told, victims = (answers["told"] == 1) * 1.0, (answers["phys"] == 1) * 1.0
    wanted = by_hand(wave, y=told, v=victims)
    row = whole(estimates, "sdg.16.3.1.physical", "%", str(wave))
    equal(row, wanted.proportion("y", among="v").only(), 100)
    known = (answers["phys"] != 9)[answers["year"] == wave].mean()
    assert row["coverage"] == pytest.approx(known)


@pytest.mark.parametrize("wave", [2023, 2024])
def test_an_incidence_and_its_number(estimates, wave):
    wanted = by_hand(wave, y=made.answers()["rob"] * 1.0)
    equal(whole(estimates, "surveyed.robbery.incidents", "per 1 000", str(wave)), wanted.mean("y").only(), 1000)
    equal(whole(estimates, "surveyed.robbery.incidents", "events", str(wave)), wanted.total("y").only())


def test_the_definition_in_force_on_the_first_day(estimates):
    found = {row["period"]: row["version"] for row in estimates.where(indicator="sdg.11.7.2").rows()}
    assert found == {"2023": "2018-1", "2024": "2023-1"}


# -- breakdowns -----------------------------------------------------------------------------------------------------


def test_by_sex_with_those_whose_sex_is_not_known(estimates):
    wanted = by_hand(2023, y=yes(made.answers()["phys"])).proportion("y", ["sex"])
    rows = estimates.where(indicator="sdg.16.1.3.physical", unit="%", period="2023", place="XA-MIN").totals("sex")
    found = {row["sex"]: row for row in rows.rows()}
    assert found.keys() == {"M", "F", "_U"}
    for ours, theirs in (("M", "1"), ("F", "2"), ("_U", "9")):
        equal(found[ours], wanted.where(sex=theirs).only(), 100)
    assert sum(row["n"] for row in found.values()) == whole(estimates, "sdg.16.1.3.physical", "%")["n"]


def test_by_sex_and_age(estimates):
    answers = made.answers()
    group = np.select([answers["age"] < 30, answers["age"] < 60], ["Y15T29", "Y30T59"], "Y_GE60")
    wanted = by_hand(2024, y=yes(answers["phys"]), group=group).proportion("y", ["sex", "group"])
    rows = estimates.where(indicator="sdg.16.1.3.physical", unit="%", period="2024").totals("sex", "age").rows()
    assert len(rows) == 9
    for row in rows:
        sex = {"M": "1", "F": "2", "_U": "9"}[row["sex"]]
        equal(row, wanted.where(sex=sex, group=row["age"]).only(), 100)


def test_by_place_of_two_levels(estimates):
    answers = made.answers()
    district = np.where(np.isin(answers["ward"], ["01", "02"]), "A", "B")
    wanted = by_hand(2023, y=yes(answers["phys"]), district=district)
    rows = {
        row["place"]: row
        for row in estimates.where(indicator="sdg.16.1.3.physical", unit="%", period="2023").totals().rows()
    }
    assert rows.keys() == {"XA-MIN", "A", "B", "01", "02", "03", "04"}
    for ward in ("01", "02", "03", "04"):
        equal(rows[ward], wanted.proportion("y", ["ward"]).where(ward=ward).only(), 100)
    for one in "AB":
        equal(rows[one], wanted.proportion("y", ["district"]).where(district=one).only(), 100)


def test_respondents_without_a_place_stand_apart_at_each_level(tmp_path):
    answers = made.answers()
    answers["ward"] = np.where(made.I % 10 == 0, "", answers["ward"])
    found = opened(tmp_path, survey=made.survey(answers)).measure("sdg.16.1.4", by=["place"])
    rows = {row["place"]: row for row in found.where(unit="%", period="2023").rows()}
    assert rows.keys() == {"XA-MIN", "A", "B", "_U.district", "01", "02", "03", "04", "_U.ward"}
    assert rows["_U.ward"]["n"] == rows["_U.district"]["n"] == 16
    assert sum(rows[ward]["n"] for ward in ("01", "02", "03", "04", "_U.ward")) == 160
    assert all("unlocated_share" in rows[one]["quality"] for one in ("01", "A", "_U.ward"))
    assert "unlocated_share" not in rows["XA-MIN"]["quality"]
    assert rows["01"]["coverage"] == pytest.approx(0.9)


def test_a_breakdown_that_only_the_survey_has(tmp_path, estimates):
    found = opened(tmp_path, toml=made.with_('by = [["sex"], ["place"], ["sex", "age"]]', 'by = [["age"]]')).measure()
    assert {row["source"] for row in found.totals("age").rows()} == {"victims"}
    wanted = whole(estimates, "recorded.robbery", "incidents")
    assert whole(found, "recorded.robbery", "incidents") == {key: wanted[key] for key in wanted if key != "sex"}


def test_a_breakdown_that_no_source_has_as_a_whole_is_said(tmp_path):
    toml = made.with_("[sources.police.dimensions]", '[sources.police.dimensions]\nmeans = { column = "sex" }')
    toml = made.with_('["sex", "age"]]', '["means", "age"]]', toml)
    observatory = opened(tmp_path, toml=toml)
    (problem,) = [p for p in observatory.check() if p.code == "breakdown-nowhere"]
    assert "means and age" in problem.what


# -- what is asked alone, twice, or in another order is the same -----------------------------------------------------


def test_one_indicator_alone_is_the_same_as_among_all(folder, estimates):
    for code in (
        "sdg.16.3.1.physical",
        "sdg.11.7.2",
        "surveyed.robbery.incidents",
        "reporting.robbery",
        "audit.lighting",
    ):
        alone = sc.open(folder).measure(code)
        among = estimates.where(indicator=code)
        names = [name for name in alone.table.column_names if name in among.table.column_names]
        assert len(alone) == len(among) > 0
        assert alone.table.select(names).to_pylist() == among.table.select(names).to_pylist()


def test_the_same_bytes_twice_and_rows_read_are_kept_or_rejected(tmp_path):
    answers = made.answers()
    weights = answers["w"].astype(str)
    weights[3], weights[11], weights[40] = "-2", "", "many"
    folder = made.build(tmp_path, survey=made.survey(answers | {"w": weights}))
    outputs = []
    for _ in range(2):
        result = CliRunner().invoke(app, ["measure", str(folder), "--json"], catch_exceptions=False)
        rows = json.loads(result.output)["sources"]["victims"]
        assert rows == {"read": 320, "kept": 317, "rejected": 3}
        outputs.append({path.name: path.read_bytes() for path in (folder / "build").glob("*.csv")})
    assert outputs[0] == outputs[1]
    assert b"weight-negative" in (folder / "build" / "rejects" / "victims.csv").read_bytes()
    lines = (folder / "build" / "estimates.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(sc.open(folder).measure()) + 1


# -- designs ---------------------------------------------------------------------------------------------------------


def test_population_sizes_and_stages(tmp_path):
    answers = made.answers()
    more = {
        "home": answers["psu"] * 10 + made.I % 4,
        "N1": np.where(answers["psu"] % 2 == 0, 12, 20),
        "N2": np.full(320, 30),
    }
    toml = made.with_('psu = "psu"', 'psu = "psu"\nstages = ["home"]\nfpc = ["N1", "N2"]')
    found = opened(tmp_path, toml=toml, survey=made.survey(answers | more)).measure("sdg.16.1.3.sexual", by=["sex"])
    mine = answers["year"] == 2024
    table = {name: column[mine] for name, column in (answers | more).items()} | {"y": yes(answers["sexual"])[mine]}
    design = sc.survey(table, weight="w", strata="stratum", psu="psu", stages=["home"], fpc=["N1", "N2"])
    equal(whole(found, "sdg.16.1.3.sexual", "%", "2024"), design.proportion("y").only(), 100)
    assert whole(found, "sdg.16.1.3.sexual", "%", "2024")["se"] > 0


@pytest.mark.parametrize("rule", ["fail", "adjust", "average", "certainty", "remove"])
def test_a_stratum_of_one_psu(tmp_path, rule):
    answers = made.answers()
    answers["stratum"] = np.where(answers["psu"] == 3, "alone", answers["stratum"])
    toml = made.with_('psu = "psu"', f'psu = "psu"\nlonely = "{rule}"')
    observatory = opened(tmp_path, toml=toml, survey=made.survey(answers))
    if rule == "fail":
        (found,) = [problem for problem in observatory.check() if problem.code == "survey-lonely-psu"]
        assert str(found).startswith("survey.csv:stratum: the stratum alone has a single PSU")
        for work in (observatory.measure, observatory.changes, lambda code: observatory.contrasts(code, "sex")):
            with pytest.raises(SafercitiesError, match=r"survey\.csv:stratum: the stratum alone"):
                work("sdg.16.1.4")
        return
    mine = answers["year"] == 2023
    table = {name: answers[name][mine] for name in ("w", "stratum", "psu")}
    design = sc.survey(
        table | {"y": (answers["safe"][mine] <= 2) * 1}, weight="w", strata="stratum", psu="psu", lonely=rule
    )
    row = whole(observatory.measure("sdg.16.1.4"), "sdg.16.1.4", "%")
    equal(row, design.proportion("y").only(), 100)
    assert "lonely_psu" in row["quality"]


def test_psus_that_were_taken_for_certain(tmp_path):
    answers = made.answers()
    answers["sure"] = (answers["psu"] == 4) * 1
    toml = made.with_('psu = "psu"', 'psu = "psu"\ncertainty = { column = "sure", yes = [1] }')
    row = whole(opened(tmp_path, toml=toml, survey=made.survey(answers)).measure("sdg.16.1.4"), "sdg.16.1.4", "%")
    mine = answers["year"] == 2023
    table = {name: answers[name][mine] for name in ("w", "stratum", "psu", "sure")}
    design = sc.survey(
        table | {"y": (answers["safe"][mine] <= 2) * 1}, weight="w", strata="stratum", psu="psu", certainty="sure"
    )
    equal(row, design.proportion("y").only(), 100)


def test_replicate_weights_that_came_with_the_file(tmp_path):
    answers = made.answers()
    rates = {f"rw{r}": answers["w"] * (0.5 + ((made.I * 5 + 3 * r * r + made.I * r) % 11) / 10) for r in range(1, 11)}
    toml = made.with_('psu = "psu"', 'psu = "psu"\nreplicates = { kind = "bootstrap", prefix = "rw" }')
    found = opened(tmp_path, toml=toml, survey=made.survey(answers | rates)).measure("sdg.16.1.4", by=["sex"])
    mine = answers["year"] == 2024
    table = {name: column[mine] for name, column in (answers | rates).items()} | {"y": (answers["safe"][mine] <= 2) * 1}
    design = sc.survey(table, weight="w", strata="stratum", psu="psu").replicate_weights(list(rates), "bootstrap")
    row = whole(found, "sdg.16.1.4", "%", "2024")
    equal(row, design.proportion("y").only(), 100)
    assert "bootstrap" in row["method"]


# -- population totals -----------------------------------------------------------------------------------------------

ONE_WAVE = made.with_('period = { column = "year" }', "period = 2023")
INLINE = """
[[sources.victims.margins]]
by = ["sex"]
totals = { F = 4100, M = 3900, _U = 40 }
"""
TWO = (
    INLINE
    + """
[[sources.victims.margins]]
by = ["age"]
totals = { Y15T29 = 2000, Y30T59 = 3500, Y_GE60 = 2540 }
"""
)
NUMBER = """
[[sources.victims.margins]]
number = "robberies_12m"
total = 1500
"""
PEOPLE = """
[[sources.victims.margins]]
by = ["sex"]
source = "people"
"""


def tied(toml: str, margins: str) -> str:
    return toml.replace("[sources.victims.dimensions]", margins + "[sources.victims.dimensions]")


def one_wave() -> dict[str, np.ndarray]:
    answers = made.answers()
    group = np.select([answers["age"] < 30, answers["age"] < 60], ["Y15T29", "Y30T59"], "Y_GE60")
    return answers | {"group": group, "y": (answers["safe"] <= 2) * 1, "rob": answers["rob"] * 1.0}


SEX = {"2": 4100, "1": 3900, "9": 40}
AGES = {"Y15T29": 2000, "Y30T59": 3500, "Y_GE60": 2540}
TIED: dict[str, tuple[str, Callable[[sc.Design], sc.Design]]] = {
    "post-stratified": (INLINE, lambda design: design.poststratify(["sex"], SEX)),
    "raked": (TWO, lambda design: design.rake({"sex": SEX, "group": AGES})),
    "calibrated": (INLINE + NUMBER, lambda design: design.calibrate({"sex": SEX, "rob": 1500})),
}


@pytest.mark.parametrize("how", TIED)
def test_weights_tied_to_totals_written_down(tmp_path, how):
    margins, tie = TIED[how]
    found = opened(tmp_path, toml=tied(ONE_WAVE, margins)).measure("sdg.16.1.4", by=["age"])
    design = tie(sc.survey(one_wave(), weight="w", strata="stratum", psu="psu"))
    equal(whole(found, "sdg.16.1.4", "%"), design.proportion("y").only(), 100)
    equal(whole(found, "sdg.16.1.4", "people"), design.total("y").only())
    for row in found.where(unit="%").totals("age").rows():
        equal(row, design.proportion("y", ["group"]).where(group=row["age"]).only(), 100)


def known_sex() -> dict[str, np.ndarray]:
    answers = made.answers()
    return answers | {"sex": 1 + made.I % 2}


def test_weights_tied_to_a_population_by_year(tmp_path):
    people = made.mini.people().replace(",2024,F,1000", ",2024,F,1200")
    observatory = opened(tmp_path, toml=tied(made.TOML, PEOPLE), survey=made.survey(known_sex()), people=people)
    found = observatory.measure("sdg.16.1.4", by=["sex"]).where(unit="%")
    weights = {(row["period"], row["sex"]): row["denominator"] for row in found.totals("sex").rows()}
    assert weights == pytest.approx(
        {("2023", "F"): 4000, ("2023", "M"): 4000, ("2024", "F"): 4800, ("2024", "M"): 4000}
    )
    assert "survey-margin-moves" in codes(observatory)  # the file's weights stand for half as many


def test_weights_are_tied_to_the_population_that_the_margin_names(tmp_path):
    other = '[sources.census]\nkind = "population"\nfile = "census.csv"\nplace = "code"\nperiod = "year"\n'
    other += 'count = "people"\n'
    other += '[sources.census.dimensions]\nsex = { column = "sex" }\n'
    toml = tied(made.TOML, PEOPLE.replace('"people"', '"census"')).replace("[sources.walks]", other + "[sources.walks]")
    folder = made.build(tmp_path, toml=toml, survey=made.survey(known_sex()))
    (folder / "census.csv").write_text(made.mini.people().replace(",1000", ",500"), encoding="utf-8")
    row = whole(sc.open(folder).measure("sdg.16.1.4"), "sdg.16.1.4", "%")
    assert row["denominator"] == pytest.approx(4000)


def test_people_whom_the_survey_does_not_speak_for_are_left_out_of_a_margin(tmp_path):
    ages = [("Y0T14", 300), ("Y15T29", 200), ("Y30T59", 300), ("Y_GE60", 200)]
    lines = ["code,year,sex,age,people"]
    lines += [
        f"0{w},{year},{sex},{age},{n}" for w in range(1, 5) for year in (2023, 2024) for sex in "FM" for age, n in ages
    ]
    toml = made.with_('sex = { column = "sex" }\n', 'sex = { column = "sex" }\nage = { column = "age" }\n')
    among = PEOPLE + 'among = { age = ["Y15T29", "Y30T59", "Y_GE60"] }\n'
    people = "\n".join(lines) + "\n"
    some = {"survey": made.survey(known_sex()), "people": people}
    grown = opened(tmp_path / "grown", toml=tied(toml, among), **some)
    assert whole(grown.measure("sdg.16.1.4"), "sdg.16.1.4", "%")["denominator"] == pytest.approx(5600)
    by_age = PEOPLE.replace('["sex"]', '["age"]')
    plain = opened(tmp_path / "age", toml=tied(toml, by_age), **some)
    assert whole(plain.measure("sdg.16.1.4"), "sdg.16.1.4", "%")["denominator"] == pytest.approx(5600)
    (left,) = {p for p in plain.check() if p.code == "survey-margin-left-out" and "2 400" in p.what.replace(",", " ")}
    assert "30.0%" in left.what


def test_a_group_that_the_population_does_not_know_is_named(tmp_path):
    observatory = opened(tmp_path, toml=tied(made.TOML, PEOPLE))
    (problem,) = [p for p in observatory.check() if p.code == "survey-margin-group"]
    assert "_U" in problem.what
    with pytest.raises(SafercitiesError, match="_U"):
        observatory.measure("sdg.16.1.4")


@pytest.mark.parametrize("name", ["victims", "nobody"])
def test_a_margin_from_what_is_no_population(tmp_path, name):
    with pytest.raises(SafercitiesError, match='no source with kind = "population": choose one of people'):
        opened(tmp_path, toml=tied(made.TOML, PEOPLE.replace('"people"', f'"{name}"')))


def test_two_margins_by_one_breakdown(tmp_path):
    with pytest.raises(SafercitiesError, match="two margins are by sex"):
        opened(tmp_path, toml=tied(ONE_WAVE, INLINE + INLINE))


# -- contrasts -------------------------------------------------------------------------------------------------------


def test_the_difference_of_two_groups_with_their_covariance(observatory):
    made_here = by_hand(2024, y=yes(made.answers()["phys"])).contrast("y", "sex", against="1")
    wanted = next(one for one in made_here if one.one["sex"] == "2")
    (found,) = [
        one for one in observatory.contrasts("sdg.16.1.3.physical", "sex", against="M") if one.one["sex"] == "F"
    ]
    assert found.difference == pytest.approx(100 * wanted.difference, **SAME)
    assert found.difference_se == pytest.approx(100 * wanted.difference_se, **SAME)
    assert found.p_value == pytest.approx(wanted.p_value, **SAME)
    assert found.ratio == pytest.approx(wanted.ratio, **SAME)


def test_groups_are_named_in_the_order_of_the_breakdown(observatory):
    one = observatory.contrasts("sdg.16.1.4", ["age", "sex"], against=("Y15T29", "F"))
    other = observatory.contrasts("sdg.16.1.4", ["sex", "age"], against=("F", "Y15T29"))
    as_dict = lambda found: {tuple(sorted(c.one.items())): c.difference for c in found}  # noqa: E731
    assert as_dict(one) == pytest.approx(as_dict(other))
    assert all(dict(c.other) == {"sex": "F", "age": "Y15T29"} for c in one)


def test_contrasts_of_places_at_each_level(observatory):
    by_level = {
        name: len(observatory.contrasts("sdg.16.1.4", name, against=base))
        for name, base in (("place", "01"), ("ward", "01"), ("district", "A"))
    }
    assert by_level == {"place": 3, "ward": 3, "district": 1}


@pytest.mark.parametrize("code", ["sdg.16.5.1", "sdg.16.1.1", "cpi.homicide"])
def test_what_nothing_can_answer_stops_measure_with_an_error_and_is_a_warning_of_check(folder, observatory, code):
    result = CliRunner().invoke(app, ["measure", str(folder), "-i", code], catch_exceptions=False)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: observatory.toml: the indicator {code} has no source")
    (warned,) = checks.check_sources(observatory, sc.indicators.catalogue.indicator(code))
    assert (warned.severity, warned.column) == ("warning", "measure.indicators")


@pytest.mark.parametrize(
    ("code", "by", "more", "match"),
    [
        ("sdg.16.1.4", "colour", {}, "cannot be broken down by colour"),
        ("sdg.16.1.4", "sex", {"against": "X"}, "X"),
        ("sdg.16.1.4", "sex", {"wave": "2019"}, "2023, 2024"),
        ("sdg.16.5.1", "sex", {}, "bribe_paid_12m"),
        ("sdg.16.1.5", "sex", {}, "sdg.16.1.4"),
        ("recorded.robbery", "sex", {}, "not made of answers to a survey, but of incidents"),
        ("reporting.robbery", "sex", {}, "not made of answers to a survey, but of estimates"),
    ],
)
def test_contrasts_that_cannot_be(observatory, code, by, more, match):
    with pytest.raises(UsageError, match=match):
        observatory.contrasts(code, by, **more)


# -- made of others --------------------------------------------------------------------------------------------------


def test_recorded_over_surveyed(estimates):
    events = whole(estimates, "surveyed.robbery.incidents", "events")["value"]
    row = whole(estimates, "reporting.robbery", "per 100")
    assert row["value"] == pytest.approx(100 * 60 / events)
    assert row["source"] == "police / victims"
    by_sex = estimates.where(indicator="reporting.robbery", period="2023").totals("sex")
    assert {r["sex"] for r in by_sex.rows()} >= {"F", "M"}


def test_an_index_of_recorded_cases_beside_a_survey(tmp_path):
    toml = made.with_('act = "0401"\nunit = "incidents"', 'act = "0101"\nunit = "victims"')
    found = opened(tmp_path, toml=toml).measure("cpi.homicide", "sdg.16.1.4", by=["sex"])
    assert {row["indicator"] for row in found.rows()} == {"cpi.homicide", "sdg.16.1.4"}
    assert 0 < whole(found, "cpi.homicide", "index 0–100")["value"] < 100


def test_interviews_that_are_not_of_the_records_periods_are_said(tmp_path):
    observatory = opened(tmp_path, toml=made.with_('period = { column = "year" }', 'period = "2022-10/2023-01"'))
    (problem,) = [p for p in observatory.check() if p.code == "reporting-no-period"]
    assert "2022-10/2023-01" in problem.what
    found = observatory.measure()
    assert not len(found.where(indicator="reporting.robbery"))
    assert whole(found, "sdg.16.1.4", "%", "2022-10/2023-01")["n"] == 320


def test_a_survey_that_looks_back_on_longer_than_the_records_period(tmp_path):
    toml = made.with_("[measure]", '[measure]\nperiod = "quarter"')
    toml = made.with_('period = { column = "year" }', 'period = "2023-Q1"', toml)
    observatory = opened(tmp_path, toml=toml)
    assert "reporting-window" in codes(observatory)
    with pytest.raises(SafercitiesError, match="12 months"):
        observatory.measure()


def test_smoothed_places_stand_beside_the_direct_ones(tmp_path):
    answers = made.answers()
    toml = made.with_("[measure]", "[measure]\nsmooth = true").replace('"sdg.16.1.3",', "")
    square = made.mini.square
    features = [
        {"type": "Feature", "properties": {"code": f"{n:02}", "name": f"W{n}", "district": "AB"[n % 2]},
         "geometry": {"type": "Polygon", "coordinates": square(n, 0)}}
        for n in range(10)
    ]  # fmt: skip
    areas = json.dumps({"type": "FeatureCollection", "features": features})
    ward = np.array([f"{n:02}" for n in range(10)])[(answers["psu"] + made.I // 3) % 10]
    lines = ["code,year,sex,people"] + [f"{n:02},{y},{s},1000" for n in range(10) for y in (2023, 2024) for s in "FM"]
    people = "\n".join(lines) + "\n"
    found = opened(
        tmp_path, toml=toml, areas=areas, survey=made.survey(answers | {"ward": ward}), people=people
    ).measure("sdg.16.1.4")
    smooth = [row for row in found.where(unit="%", period="2023").rows() if "smoothed" in row["quality"]]
    assert {row["place"] for row in smooth} == {f"{n:02}" for n in range(10)}
    direct = [
        row
        for row in found.where(unit="%", period="2023", place=sorted(r["place"] for r in smooth)).rows()
        if row not in smooth
    ]
    assert max(r["value"] for r in smooth) < max(r["value"] for r in direct)
    assert not [row for row in found.where(unit="people").rows() if "smoothed" in row["quality"]]


def test_audits_by_place(estimates):
    rows = {row["place"]: row for row in estimates.where(indicator="audit.lighting").totals().rows()}
    rating = np.array([n * 7 % 4 for n in range(40)])
    ward = np.array([n % 2 + 2 * (n // 2 % 2) for n in range(40)])
    for number, one in enumerate(("01", "02", "03", "04")):
        assert rows[one]["value"] == pytest.approx(rating[ward == number].mean())
    assert rows["XA-MIN"]["value"] == pytest.approx(rating.mean())
    assert {"A", "B"} <= rows.keys()


# -- two surveys -----------------------------------------------------------------------------------------------------


def test_two_surveys_of_one_city_are_never_mixed(tmp_path, estimates):
    block = made.TOML[made.TOML.index("[sources.victims]") : made.TOML.index("[sources.people]")]
    second = block.replace("sources.victims", "sources.ngo").replace("survey.csv", "ngo.csv")
    toml = made.TOML.replace("[sources.people]", second + "[sources.people]")
    folder = made.build(tmp_path, toml=toml)
    half = {name: column[::2] for name, column in made.answers().items()}
    (folder / "ngo.csv").write_text(made.survey(half), encoding="utf-8")
    found = sc.open(folder).measure()
    names = list(estimates.table.column_names)
    mine = found.where(source="victims").table.select(names).to_pylist()
    assert mine == estimates.where(source="victims").rows()
    assert whole(found.where(source="ngo"), "sdg.16.1.4", "%")["n"] == 80
    sources = {row["source"] for row in found.where(indicator="reporting.robbery").rows()}
    assert sources == {"police / victims", "police / ngo"}
