"""That something is in a release at all tells nothing of small counts: periods, codes, rules, rates of part years."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

import mini
import mini_survey
import safercities
from safercities.model.errors import SafercitiesError
from safercities.publishing import Published, publish
from safercities.release.store import KeyStore

METHODS = ("rounding", "suppression")
DAY = date(2025, 3, 1)
COVERS = 'covers = "2023/2024"'


def released(folder: Path, made: Path, **more: str) -> Published:
    store = KeyStore.open("XA-MIN", folder / "keys")
    if not store.exists:
        store.make(date(2025, 1, 1))
    return publish(safercities.open(made), published=DAY, keys=store, **more)


def cases(n: int, year: int, rest: str = "woman") -> list[str]:
    return [f"{year}-{1 + i % 12:02d}-{1 + i % 28:02d},0.5,0.5,{rest}" for i in range(n)]


def city(folder: Path, rows: list[str], method: str, toml: str = mini.TOML, more: str = "") -> Published:
    text = f"date,lon,lat,sex{more}\n" + "\n".join(rows) + "\n"
    made = mini.build(folder / "city", toml=f'{toml}\n[publish]\nmethod = "{method}"\n', robberies=text)
    return released(folder, made)


def column(made: Published, name: str) -> set[str]:
    return set(made.estimates.table.column(name).to_pylist())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("said", [True, False])
def test_a_year_with_one_case_outside_what_is_covered_is_not_there(tmp_path: Path, method: str, said: bool) -> None:
    """A year without a number, or a 0, would be there only because of that case; unless it was rounded up."""
    toml = mini.TOML if said else mini.TOML.replace(f"{COVERS}\n", "")
    made = city(tmp_path, [*cases(1, 2021), *cases(90, 2023), *cases(90, 2024)], method, toml)
    for year in column(made, "period") - {"2023", "2024"}:
        assert not said
        assert max(row["value"] or 0 for row in made.estimates.where(period=year).rows()) >= 5


@pytest.mark.parametrize("method", METHODS)
def test_rates_of_a_partial_year_do_not_hang_on_one_case(tmp_path: Path, method: str) -> None:
    toml, rows = mini.TOML.replace("2023/2024", "2023-03-01/2024-12-31"), [*cases(90, 2023), *cases(90, 2024)]
    inside = [row for row in rows if row > "2023-03"]
    one = city(tmp_path / "one", ["2023-02-01,0.5,0.5,woman", *inside], method, toml)
    none = city(tmp_path / "none", inside, method, toml)
    assert one.estimates.table.equals(none.estimates.table)


def test_the_day_of_the_first_case_is_not_told_by_the_people_of_a_rate(tmp_path: Path) -> None:
    rows = [row for row in cases(90, 2023) if row > "2023-08-17"] + cases(90, 2024)
    made = city(tmp_path, rows, "rounding", mini.TOML.replace(f"{COVERS}\n", ""))
    assert set(made.estimates.where(period="2023").table.column("denominator").to_pylist()) == {None}


@pytest.mark.parametrize("method", METHODS)
def test_rules_do_not_name_an_indicator_that_is_not_published(tmp_path: Path, method: str) -> None:
    toml = mini.TOML.replace('act = "0401"', 'act = { column = "act" }').replace(
        '"recorded.robbery"', '"recorded.robbery", "recorded.sexual_violence"'
    )
    rows = [*cases(90, 2023, "woman,0401"), *cases(90, 2024, "woman,0401")]
    one = city(tmp_path / "one", ["2023-06-06,0.5,0.5,woman,0301", *rows], method, toml, ",act")
    shown = column(one, "indicator")
    rules = json.loads((one.folder / "manifest.json").read_text(encoding="utf-8"))["rules"]
    assert set(rules["sensitive_indicators"]) <= shown


def test_which_codes_are_seen_tells_nothing_of_those_withheld(tmp_path: Path) -> None:
    """A code shown from 10 cases in all years on: 6 published of one year told that the 0 to 4 of the other were 4."""
    toml = mini.TOML.replace("[sources.people]", 'means = { column = "means" }\n\n[sources.people]', 1)
    toml = toml.replace('by = [["sex"], ["place"]]', 'by = [["means"]]')
    often = {2023: {"gun": 30, "knife": 20, "poison": 6, "rope": 3, "": 4}, 2024: {"gun": 33, "knife": 7, "rope": 12}}
    rows = [row for year, its in often.items() for code, n in its.items() for row in cases(n, year, f"woman,{code}")]
    made = [
        city(tmp_path / str(at), rows + cases(4, 2024, f"woman,{code}"), "suppression", toml, ",means").estimates
        for at, code in enumerate(("poison", ""))
    ]
    assert made[0].table.equals(made[1].table)
    assert {"gun", "knife", "rope", "poison"} <= set(made[0].table.column("means").to_pylist())


def test_a_code_of_which_nothing_is_published_is_not_there(tmp_path: Path) -> None:
    toml = mini.TOML.replace("[sources.people]", 'means = { column = "means" }\n\n[sources.people]', 1)
    toml = toml.replace('by = [["sex"], ["place"]]', 'by = [["means"]]')
    rows = [row for year in (2023, 2024) for code in ("gun", "knife") for row in cases(30, year, f"woman,{code}")]
    rows += [
        row for year in (2023, 2024) for code in ("acid", "rope", "tie") for row in cases(4, year, f"woman,{code}")
    ]
    made = city(tmp_path, rows, "suppression", toml, ",means").estimates
    assert {"acid", "rope", "tie"}.isdisjoint(made.table.column("means").to_pylist())
    assert {"gun", "knife"} <= set(made.where(conf_status="F").table.column("means").to_pylist())


def test_a_survey_does_not_list_the_codes_of_the_few(tmp_path: Path) -> None:
    """Rows of a code that are all withheld would say that somebody who was interviewed has it."""
    columns = mini_survey.answers()
    columns["way"] = (mini_survey.I == 3) + 1
    toml = mini_survey.with_(
        "[sources.victims.variables]",
        'orientation = { column = "way", map = { 1 = "HETEROSEXUAL", 2 = "BISEXUAL" } }\n\n[sources.victims.variables]',
    )
    toml = mini_survey.with_('by = [["sex"]', 'by = [["orientation"], ["sex"]', toml)
    built = mini_survey.build(tmp_path / "city", toml=toml + "\n[publish]\n", survey=mini_survey.survey(columns))
    made = released(tmp_path, built).estimates.where(source="victims")
    assert "BISEXUAL" not in made.table.column("orientation").to_pylist()
    assert "F" in made.table.column("sex").to_pylist()


@pytest.mark.parametrize("method", METHODS)
def test_a_source_cannot_publish_again_under_another_name(tmp_path: Path, method: str) -> None:
    """The difference of the two releases would be the one case that came late."""
    rows = [*cases(90, 2023), *cases(90, 2024)]
    city(tmp_path, rows, method)
    renamed = mini.TOML.replace("sources.robberies", "sources.thefts")
    with pytest.raises(SafercitiesError) as caught:
        city(tmp_path, [*rows, *cases(1, 2023)], method, renamed)
    assert {one.code for one in caught.value.problems} == {"publish-source-renamed"}
    later = renamed.replace(COVERS, 'covers = "2025-01/2025-02"')
    with pytest.raises(SafercitiesError) as caught:  # another year: there is only nothing to publish yet
        city(tmp_path, cases(20, 2025)[:0], method, later)
    assert "publish-source-renamed" not in {one.code for one in caught.value.problems}


@pytest.mark.parametrize("method", METHODS)
def test_a_correction_keeps_the_names_of_places(tmp_path: Path, method: str) -> None:
    """Under new ids small counts were new ones and fell out of the totals, silently."""
    toml = mini.TOML + f'\n[publish]\nmethod = "{method}"\n'
    text = "date,lon,lat,sex\n" + "\n".join([*cases(90, 2023), *cases(90, 2024)]) + "\n"
    first = released(tmp_path, mini.build(tmp_path / "city", toml=toml, robberies=text))
    areas, people = mini.areas(), mini.people().replace("\n0", "\nN0")
    for feature in areas["features"]:
        feature["properties"]["code"] = f"N{feature['properties']['code']}"
    made = mini.build(tmp_path / "city", toml=toml, robberies=text, areas=json.dumps(areas), people=people)
    with pytest.raises(SafercitiesError) as caught:
        released(tmp_path, made, supersedes=first.folder.name, reason="new ids")
    assert {one.code for one in caught.value.problems} == {"publish-codes-gone"}
    assert [one.name for one in (made / "releases").iterdir() if one.is_dir() and one.name[0] != "."] == ["2024-1"]
