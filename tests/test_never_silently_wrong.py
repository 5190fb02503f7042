"""Numbers that were once wrong, or cases that once vanished, without a word: each is refused, flagged or said."""

from __future__ import annotations

import datetime
import json
from itertools import pairwise

import numpy as np
import pytest

import mini
import mini_survey
import safercities as sc
from safercities.model.errors import SafercitiesError

HEAD = "date,lon,lat,sex\n"
UNDECLARED = mini.TOML.replace('covers = "2023/2024"\n', "")


def city(estimates, method="count"):
    """Value of the whole city by period."""
    rows = estimates.where(place="XA-MIN").totals().rows()
    return {row["period"]: row for row in rows if row["method"].startswith(method)}


def codes(observatory):
    return {problem.code for problem in observatory.check()}


def cases(*days: str) -> str:
    return HEAD + "".join(f"{day},0.5,0.5,woman\n" for day in days)


def test_a_row_of_totals_in_a_population_is_not_one_more_group(tmp_path):
    lines = [line for line in mini.people().splitlines() if line]
    lines += [f"0{ward},{year},Total,2000" for ward in range(1, 5) for year in (2023, 2024)]
    observatory = sc.open(mini.build(tmp_path, people="\n".join(lines) + "\n"))
    assert "group-unmapped" in codes(observatory)
    assert city(observatory.measure(), "crude")["2023"]["denominator"] == 8000


def test_a_population_by_groups_of_ones_own_must_name_them(tmp_path):
    lines = ["code,year,group,people"]
    lines += [f"0{w},2023,{g},{n}" for w in range(1, 5) for g, n in [("a", 1000), ("b", 1000), ("Total", 2000)]]
    people = "\n".join(lines) + "\n"
    plain = mini.TOML.replace('sex = { column = "sex" }\n', 'group = { column = "group" }\n')
    assert "group-map-needed" in codes(sc.open(mini.build(tmp_path / "plain", toml=plain, people=people)))
    named = plain.replace('column = "group"', 'column = "group", map = { a = "a", b = "b", Total = "_T" }')
    found = city(sc.open(mini.build(tmp_path / "named", toml=named, people=people)).measure(), "crude")
    assert found["2023"]["denominator"] == 8000


def test_a_row_of_totals_in_a_file_of_counts_is_not_one_more_case(tmp_path):
    rows = "date,lon,lat,sex,c\n2023-01-05,.5,.5,woman,10\n2023-01-05,.5,.5,man,20\n2023-01-05,.5,.5,Total,30\n"
    toml = mini.TOML.replace('unit = "victims"', 'unit = { column = "c", of = "victims" }')
    observatory = sc.open(mini.build(tmp_path / "sex", toml=toml, robberies=rows))
    assert "group-unmapped" in codes(observatory)
    assert city(observatory.measure())["2023"]["value"] == 30
    free = toml.replace('sex = { column = "sex", map = { woman = "F", man = "M" } }', 'who = { column = "sex" }')
    observatory = sc.open(mini.build(tmp_path / "free", toml=free.replace('["sex"], ', ""), robberies=rows))
    assert "group-map-needed" in codes(observatory)


def test_all_rows_rejected_is_not_a_zero(tmp_path):
    observatory = sc.open(mini.build(tmp_path, robberies=cases(*["05.01.23"] * 50)))
    with pytest.raises(SafercitiesError, match="not a zero"):
        observatory.measure()


def test_many_rejected_rows_are_flagged(tmp_path):
    rows = cases(*["2023-02-31"] * 5, *["2023-05-05"] * 5, *["2024-05-05"] * 5)
    found = city(sc.open(mini.build(tmp_path, robberies=rows)).measure())
    assert all("rejected_share" in row["quality"] for row in found.values())


def test_a_header_without_rows_is_a_warning(tmp_path):
    assert "rows-none" in {
        p.code for p in sc.open(mini.build(tmp_path, robberies=HEAD)).check() if p.severity == "warning"
    }


def test_a_year_that_is_not_over_is_partial_whatever_is_said(tmp_path):
    this_year = datetime.date.today().year
    toml = mini.TOML.replace("2023/2024", f"2023/{this_year + 1}")
    observatory = sc.open(mini.build(tmp_path, toml=toml))
    for period, row in city(observatory.measure()).items():
        assert ("partial_period" in row["quality"]) == (period >= str(this_year))
    assert observatory.review_data().period == str(this_year - 1)


def test_a_missing_year_is_not_a_zero(tmp_path):
    day = datetime.date(2021, 1, 1)
    days = [day + datetime.timedelta(days=n) for n in range(4 * 365 + 1)]
    rows = cases(*(str(d) for d in days if d.year != 2023))
    estimates = sc.open(mini.build(tmp_path, toml=UNDECLARED, robberies=rows)).measure()
    assert "2023" not in city(estimates)
    assert "partial_period" not in city(estimates)["2022"]["quality"]


def test_the_city_does_not_get_the_people_of_a_part_of_it(tmp_path):
    beat = {"type": "FeatureCollection", "features": [mini.areas()["features"][0]]}
    beat["features"][0]["properties"] = {"code": "B1", "name": "Beat"}
    toml = mini.TOML.replace(
        "[[geographies]]",
        '[[geographies]]\nlevel = "beat"\nfile = "beat.geojson"\nid = "code"\nname = "name"\n\n[[geographies]]',
        1,
    )
    people = (
        mini.people().replace("02,2023,F,1000\n", "").replace("02,2023,M,1000\n", "") + "B1,2023,F,100\nB1,2023,M,100\n"
    )
    folder = mini.build(tmp_path, toml=toml, people=people)
    (folder / "beat.geojson").write_text(json.dumps(beat))
    assert "2023" not in city(sc.open(folder).measure(), "crude")


def test_the_denominator_does_not_change_its_basis_between_years(tmp_path):
    people = mini.people() + "XA-MIN,2023,F,40000\nXA-MIN,2023,M,40000\n"
    found = city(sc.open(mini.build(tmp_path, people=people)).measure(), "crude")
    assert found["2023"]["denominator"] == 80000
    assert "2024" not in found


def test_cases_coded_above_the_act_are_flagged(tmp_path):
    toml = mini.TOML.replace('act = "0401"', 'act = { column = "a", map = { r = "0401", p = "04" } }')
    rows = "date,lon,lat,sex,a\n" + "2023-01-05,0.5,0.5,woman,r\n" * 30 + "2023-01-05,0.5,0.5,woman,p\n" * 30
    found = city(sc.open(mini.build(tmp_path, toml=toml, robberies=rows)).measure())["2023"]
    assert found["value"] == 30
    assert "unknown_acts" in found["quality"]


def test_a_source_of_a_part_of_the_acts_is_said(tmp_path):
    observatory = sc.open(mini.build(tmp_path, toml=mini.TOML.replace('act = "0401"', 'act = "04011"')))
    (fault,) = [p for p in observatory.check() if p.code == "indicator-part-of-acts"]
    assert "04011" in fault.what
    assert all("part_of_acts" in row["quality"] for row in observatory.measure().rows())


def test_a_source_that_no_indicator_counts_is_said(tmp_path):
    more = mini.TOML + (
        '[sources.thefts]\nkind = "incidents"\nfile = "robberies.csv"\nwhen = "date"\nact = "0502"\nunit = "victims"\n'
    )
    observatory = sc.open(mini.build(tmp_path, toml=more))
    (fault,) = [p for p in observatory.check() if p.code == "source-unused"]
    assert "thefts" in fault.what


def test_an_indicator_asked_for_by_name_without_a_source_is_refused(tmp_path):
    with pytest.raises(SafercitiesError, match="no source"):
        sc.open(mini.build(tmp_path)).measure("recorded.robbery", "sdg.16.1.1")


def test_a_declared_order_holds_for_dots_too(tmp_path):
    toml = mini.TOML.replace('when = "date"', 'when = "date"\ndate_order = "mdy"')
    observatory = sc.open(mini.build(tmp_path, toml=toml, robberies=cases("03.04.2023", "12.11.2023")))
    when = observatory.collect("robberies").table.column("when").to_pylist()
    assert [(d.month, d.day) for d in when] == [(3, 4), (12, 11)]


def test_a_month_after_a_dot_needs_both_digits(tmp_path):
    observatory = sc.open(mini.build(tmp_path, robberies=cases("2023.1", "2023.11")))
    collected = observatory.collect("robberies")
    assert [d.month for d in collected.table.column("when").to_pylist()] == [11]
    assert collected.rows_rejected == 1


def test_a_count_that_may_be_thousands_is_rejected(tmp_path):
    toml = mini.TOML.replace('unit = "victims"', 'unit = { column = "c", of = "victims" }')
    rows = "date,lon,lat,sex,c\n2023-01-05,.5,.5,woman,1.000\n2024-01-05,.5,.5,man,250\n"
    collected = sc.open(mini.build(tmp_path, toml=toml, robberies=rows)).collect("robberies")
    assert collected.table.column("n").to_pylist() == [250]
    assert collected.rows_rejected == 1


def test_years_that_begin_in_mid_year_are_not_months(tmp_path):
    rows = cases(*(f"{a}/{b % 100:02d}" for a, b in pairwise(range(2010, 2013))))
    with pytest.raises(SafercitiesError, match="2010-11"):
        sc.open(mini.build(tmp_path, toml=UNDECLARED, robberies=rows)).collect("robberies")
    months = cases("2010/03", "2010/11")
    assert sc.open(mini.build(tmp_path, toml=UNDECLARED, robberies=months)).collect("robberies").rows_rejected == 0


def test_cases_outside_what_is_covered_are_said(tmp_path):
    observatory = sc.open(mini.build(tmp_path, toml=mini.TOML.replace("2023/2024", "2024")))
    (fault,) = [p for p in observatory.check() if p.code == "source-beyond-covers"]
    assert fault.what.startswith("3 cases")


def test_what_stands_in_a_cell_never_reaches_the_review(tmp_path):
    rows = mini.ROBBERIES.replace("woman", "Juana Perez 3101234567", 1).replace("2023-03-06", "31/02/2023")
    observatory = sc.open(mini.build(tmp_path, robberies=rows))
    assert any("Juana Perez" in str(p) for p in observatory.check())  # the analyst must see it
    page = observatory.review()[0].read_text(encoding="utf-8")
    assert "has no code here" in page
    assert "Juana" not in page
    assert "31/02/2023" not in page


# -- surveys ---------------------------------------------------------------------------------------------------------


def surveyed(folder, **changed):
    return sc.open(mini_survey.build(folder, **changed))


def told(observatory, code, unit="%", period="2023"):
    """The row of the whole city."""
    return observatory.measure(code).where(unit=unit, period=period, place="XA-MIN").totals().only()


def share(yes, of=None, wave=2023):
    """A weighted percentage, made by hand."""
    answers = mini_survey.answers()
    weights = answers["w"] * (answers["year"] == wave) * (1 if of is None else of)
    return 100 * np.sum(weights * yes) / np.sum(weights)


def test_a_question_that_some_were_not_asked_is_no_missing_answer_of_theirs(tmp_path):
    sexual = 'victim_sexual_12m = { column = "sexual", yes = [1], no = [2], unknown = [9]'
    toml = mini_survey.with_(sexual, sexual + ', asked_if = "victim_psychological_12m"')
    answers = mini_survey.answers()
    answers["phys"] = np.where(answers["phys"] == 9, 2, answers["phys"])
    answers["psych"] = np.where(answers["psych"] == 9, 2, answers["psych"])
    cells = answers | {"sexual": np.where(answers["psych"] == 1, answers["sexual"].astype(str), "")}
    row = told(surveyed(tmp_path, toml=toml, survey=mini_survey.survey(cells)), "sdg.16.1.3")
    assert row["n"] == 160
    assert "missing_answers" not in row["quality"]
    assert row["value"] == pytest.approx(share((answers["phys"] == 1) | (answers["psych"] == 1)))


def test_missing_answers_count_as_no_where_the_variable_says_so(tmp_path):
    physical = 'victim_physical_12m = { column = "phys", yes = [1], no = [2], unknown = [9]'
    toml = mini_survey.with_(physical, physical + ', missing = "no"')
    row = told(surveyed(tmp_path, toml=toml), "sdg.16.1.3.physical")
    assert row["n"] == 160
    assert row["value"] == pytest.approx(share(mini_survey.answers()["phys"] == 1))


def test_a_number_over_all_respondents_that_some_were_not_asked_is_said(tmp_path):
    nonsexual = 'harassed_nonsexual_12m = { column = "h1", yes = [1], no = [2]'
    toml = mini_survey.with_(nonsexual, nonsexual + ', asked_if = "safe_walking_dark"')
    toml = mini_survey.with_(
        'harassed_sexual_12m = { column = "h2", yes = [1], no = [2]',
        'harassed_sexual_12m = { column = "h2", yes = [1], no = [2], asked_if = "safe_walking_dark"',
        toml,
    )
    answers = mini_survey.answers()
    safe = answers["safe"] <= 2
    cells = answers | {name: np.where(answers["safe"] > 2, "", answers[name].astype(str)) for name in ("h1", "h2")}
    cells |= {name: np.where(answers["safe"] == 8, "2", cells[name]) for name in ("h1", "h2")}
    observatory = surveyed(tmp_path, toml=toml, survey=mini_survey.survey(cells))
    (problem, _) = [p for p in observatory.check() if p.code == "survey-asked-of-some"]
    row = told(observatory, "sdg.11.7.2")
    asked = safe | (answers["safe"] == 8)
    assert row["n"] == asked[:160].sum()
    assert row["note"] == f"of those who were asked: {asked[:160].mean():.1%} of the respondents"
    assert "survey-asked-of-some" in {p.code for p in observatory.problems()}
    assert row["note"] in problem.what


def test_by_a_definition_over_all_those_not_asked_are_not_safe(tmp_path):
    safe = 'safe_walking_dark = { column = "safe", yes = [1, 2], no = [3, 4], unknown = [8, 9]'
    toml = mini_survey.with_(safe, safe + ', asked_if = "harassed_sexual_12m"')
    answers = mini_survey.answers()
    walks = answers["h2"] == 1
    cells = answers | {"safe": np.where(walks, answers["safe"].astype(str), "")}
    row = told(surveyed(tmp_path, toml=toml, survey=mini_survey.survey(cells)), "sdg.16.1.4")
    assert (row["n"], row["value"]) == (160, pytest.approx(share(walks & (answers["safe"] <= 2))))


def test_victims_who_may_be_among_those_without_an_answer_are_flagged(tmp_path):
    answers = mini_survey.answers()
    answers["phys"] = np.where(mini_survey.I % 5 == 0, 9, answers["phys"])
    row = told(surveyed(tmp_path, survey=mini_survey.survey(answers)), "sdg.16.3.1.physical")
    assert "missing_answers" in row["quality"]
    assert row["coverage"] < 0.8


HOMES = 'victim_burglary_12m = { column = "h1", yes = [1], no = [2] }\n'


def test_a_number_of_households_is_not_made_with_the_weights_of_persons(tmp_path):
    toml = mini_survey.with_("robberies_12m =", HOMES + "robberies_12m =")
    toml = mini_survey.with_('"sdg.16.1.4",', '"sdg.16.1.4", "surveyed.burglary",', toml)
    observatory = surveyed(tmp_path / "persons", toml=toml)
    (problem,) = [p for p in observatory.check() if p.code == "survey-answers-lacking"]
    assert "weights_of" in problem.what
    with pytest.raises(SafercitiesError, match="weights_of"):
        observatory.measure("surveyed.burglary")
    homes = toml.replace('weight = "w"', 'weight = "w"\nweights_of = "households"')
    row = told(surveyed(tmp_path / "homes", toml=homes), "surveyed.burglary", "households")
    answers = mini_survey.answers()
    assert row["value"] == pytest.approx(np.sum(answers["w"] * (answers["h1"] == 1) * (answers["year"] == 2023)))
    with pytest.raises(SafercitiesError, match="households"):
        surveyed(tmp_path / "homes", toml=homes).measure("sdg.16.1.4")


def test_weights_that_add_up_to_the_sample_are_no_people(tmp_path):
    answers = mini_survey.answers()
    answers["w"] = answers["w"] / answers["w"].mean()
    plain, scaled = surveyed(tmp_path / "plain"), surveyed(tmp_path / "scaled", survey=mini_survey.survey(answers))
    one, other = told(plain, "sdg.16.1.4"), told(scaled, "sdg.16.1.4")
    assert other["value"] == pytest.approx(one["value"])
    assert other["se"] == pytest.approx(one["se"])
    assert other["denominator"] is None
    found = scaled.measure()
    assert {row["unit"] for row in found.where(source="victims").rows()} == {"%", "per 1 000"}
    rates = found.where(indicator="reporting.robbery").rows()
    assert rates
    assert all(row["value"] is None for row in rates)
    assert "survey-weights-sample" in codes(scaled)
    assert "survey-weights-sample" not in codes(plain)


def test_weights_that_stand_for_more_people_than_live_there(tmp_path):
    answers = mini_survey.answers()
    answers["w"] = answers["w"] * 3
    assert "survey-weights-many" in codes(surveyed(tmp_path, survey=mini_survey.survey(answers)))


def test_a_role_that_is_a_number_is_not_read_as_yes_and_the_other_way_round(tmp_path):
    number = mini_survey.with_(
        'victim_sexual_12m = { column = "sexual", yes = [1], no = [2], unknown = [9] }',
        'victim_sexual_12m = { column = "rob", number = true }',
    )
    yes = mini_survey.with_('column = "rob", number = true, limits = [0, 50]', 'column = "rob", yes = [1, 2, 3]')
    for name, toml in (("number", number), ("yes", yes)):
        observatory = surveyed(tmp_path / name, toml=toml)
        assert "survey-role-kind" in codes(observatory)
        with pytest.raises(SafercitiesError, match="which is"):
            observatory.measure("sdg.16.1.4")


def test_a_wave_for_each_day_is_said(tmp_path):
    days = np.array([f"2023-05-{1 + n % 4:02}" for n in mini_survey.I])
    observatory = surveyed(tmp_path, survey=mini_survey.survey(mini_survey.answers() | {"year": days}))
    (problem,) = [p for p in observatory.check() if p.code == "survey-waves-many"]
    assert "4 waves, from 2023-05-01 to 2023-05-04" in problem.what


def test_a_misspelt_answer_is_found(tmp_path):
    toml = mini_survey.with_("victim_sexual_12m =", "victim_sexaul_12m =")
    observatory = surveyed(tmp_path, toml=toml)
    found = {p.code: p for p in observatory.check()}
    assert "did you mean victim_sexual_12m" in found["survey-role-unknown"].what
    assert "victims lacks victim_sexual_12m (has victim_sexaul_12m)" in found["survey-answers-lacking"].what
    with pytest.raises(SafercitiesError, match="victim_sexual_12m"):
        observatory.measure("sdg.16.1.3")


def test_a_variable_that_decides_who_was_asked_is_no_misspelling(tmp_path):
    toml = mini_survey.with_("robberies_12m =", 'ever = { column = "h1", yes = [1] }\nrobberies_12m =')
    toml = mini_survey.with_("limits = [0, 50]", 'limits = [0, 50], asked_if = "ever", not_asked = "no"', toml)
    assert "survey-role-unknown" not in codes(surveyed(tmp_path, toml=toml))
    unused = mini_survey.with_("robberies_12m =", 'ever = { column = "h1", yes = [1] }\nrobberies_12m =')
    assert "survey-role-unknown" in codes(surveyed(tmp_path / "unused", toml=unused))


RANK = {None: -1, "publish": 0, "warn": 1, "withhold": 2}


def test_the_number_of_a_share_that_is_withheld_is_withheld(tmp_path):
    toml = mini_survey.with_('weight = "w"', 'weight = "w"\nscheme = "nchs"')
    found = surveyed(tmp_path, toml=toml).measure("sdg.16.3.1.physical", "sdg.16.1.4", by=[["sex", "age"], ["place"]])
    keys = ("indicator", "place", "period", "sex", "age")
    share = {tuple(row[key] for key in keys): row for row in found.where(unit="%").rows()}
    number = {tuple(row[key] for key in keys): row for row in found.where(unit="people").rows()}
    assert share.keys() == number.keys()
    assert {row["verdict"] for row in share.values()} == {"publish", "withhold"}
    for key, row in number.items():
        wanted = share[key]
        assert RANK[row["verdict"]] >= RANK[wanted["verdict"]]
        if wanted["verdict"] == "withhold":
            assert row["obs_status"] in ("U", "M")
    assert any(
        "proportions" in row["scheme"] for row in number.values()
    )  # the share's own rules, where they are stricter
