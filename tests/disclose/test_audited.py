"""Audits: few points, and what they could be worked out from, are withheld; many points of one walker are few."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest

import mini_survey
import safercities
from safercities.disclose import audited, audited_corrected
from safercities.disclose.attack import Published as Seen
from safercities.disclose.attack import attack
from safercities.measure.audits import METHOD
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.publishing import Published, publish
from safercities.release.attacked import attack_releases
from safercities.release.store import KeyStore

DAY = date(2025, 3, 1)
SHOWN = 'indicators = ["audit.lighting", "audit.people"]\nby = [["auditor"], ["place"]]\n'
RUBRIC = "[sources.walks.rubric]"
AUDITOR = '[sources.walks.dimensions]\nauditor = { column = "auditor", of = "person" }\n'
#: (who, east, north, walk) → points.
Points = dict[tuple[str, float, float, int], int]
#: 60 points of women on ten walks, 30 of men on ten others, 3 of one who is neither.
MANY: Points = {
    **{("F", 0.5 + n % 2, 0.5 + n // 2 % 2, n): 6 for n in range(10)},
    **{("M", 0.5 + n % 2, 0.5, 10 + n): 3 for n in range(10)},
}
FEW: Points = {**MANY, ("X", 0.5, 0.5, 20): 3}


def observatory(folder: Path, points: Points, more: str = AUDITOR) -> Path:
    """Audits of 2024 only, by who walked and where."""
    lines = ["day,walk,lon,lat,lighting,people,auditor"]
    number = 0
    for (who, x, y, walk), n in points.items():
        for _ in range(n):
            number += 1
            people = "" if number % 9 == 0 else number * 5 % 4
            lines.append(f"2024-03-{1 + number % 28:02},{walk},{x},{y},{number * 7 % 4},{people},{who}")
    made = mini_survey.build(folder / "city", audits="\n".join(lines) + "\n")
    toml = made / "observatory.toml"
    text = re.sub(r"(?s)(\[measure\]\n).*?(\n\[|\Z)", rf"\1{SHOWN}\2", toml.read_text())
    if not more:
        text = text.replace('["auditor"], ', "")
    toml.write_text(text.replace(RUBRIC, f"{more}{RUBRIC}"))
    store = KeyStore.open("XA-MIN", folder / "keys")
    if not store.exists:
        store.make(date(2025, 1, 1))
    return made


def published(folder: Path, **more: Any) -> Published:
    store = KeyStore.open("XA-MIN", folder / "keys")
    return publish(safercities.open(folder / "city"), **{"published": DAY, "keys": store, **more})


def shown(estimates: Estimates, **of: str) -> dict[str, int | None]:
    """Points by who walked."""
    rows = estimates.where(**{"indicator": "audit.lighting", "place": "XA-MIN", **of}).rows()
    return {row["auditor"]: row["n"] for row in rows}


def test_planted_few_points_do_not_follow_from_all_and_the_others(tmp_path: Path) -> None:
    observatory(tmp_path, FEW)
    made = published(tmp_path)
    found = shown(made.estimates)
    assert found["_T"] == 93
    told = [n for who, n in found.items() if who != "_T" and n is not None]
    assert told in ([60], [30])  # the three are in one withheld number with one of the two
    assert None in found.values()
    hidden = made.estimates.where(conf_status="N")
    assert hidden.table.column("n").null_count == hidden.table.column("value").null_count == len(hidden)
    assert attack_releases([made.folder]).openings == ()


def test_what_the_threshold_alone_would_have_told_is_found_by_both_attacks(tmp_path: Path) -> None:
    observatory(tmp_path, FEW)

    def threshold(work: audited.Audited, spec: Any) -> np.ndarray:
        return work.family.counts(work.counts[""]) < 5

    with patch.object(audited, "_closed", threshold), pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert {one.code for one in caught.value.problems if one.severity == "error"} == {"publish-gate"}
    with patch.object(audited, "_closed", threshold), patch.object(audited, "_check"):
        with pytest.raises(SafercitiesError) as caught:
            published(tmp_path)
        assert {one.code for one in caught.value.problems if one.severity == "error"} == {"publish-attack"}


def test_codes_of_whom_nothing_is_published_are_not_named(tmp_path: Path) -> None:
    observatory(tmp_path, FEW)
    made = published(tmp_path)
    assert "X" not in made.estimates.table.column("auditor").to_pylist()
    assert b",X," not in (made.folder / "data.csv").read_bytes()


def test_many_points_of_one_walk_are_those_of_one_walker(tmp_path: Path) -> None:
    points: Points = {**MANY, ("X", 0.5, 0.5, 20): 30}
    observatory(tmp_path, points)
    assert shown(published(tmp_path).estimates).get("X") is None
    assert shown(published(tmp_path).estimates)["_T"] == 120
    walks: Points = {**MANY, **{("X", 0.5, 0.5, 20 + n): 3 for n in range(10)}}
    observatory(tmp_path / "many", walks)
    assert shown(published(tmp_path / "many").estimates) == {"_T": 120, "F": 60, "M": 30, "X": 30}


def test_two_walkers_cannot_tell_each_other(tmp_path: Path) -> None:
    """Their points together follow from the others': who walked one of two walks would know the other."""
    observatory(tmp_path, {**MANY, ("X", 0.5, 0.5, 20): 24, ("Y", 0.5, 0.5, 21): 20})
    found = shown(published(tmp_path).estimates)
    assert found["_T"] == 134
    assert found.get("F") is None or found.get("M") is None


def test_without_walks_the_points_of_a_day_by_people_alike_are_one_walk(tmp_path: Path) -> None:
    source = SimpleNamespace(
        dimensions={"auditor": SimpleNamespace(of="person")},
        table=pa.table({"auditor": ["F", "F", "M", "F"], "day": pa.array([DAY, DAY, DAY, date(2025, 3, 2)])}),
    )
    with patch.object(audited, "days_of", lambda table: table.column("day").to_numpy()):
        walks = audited._walks(source, np.ones(4, dtype=bool))  # type: ignore[arg-type]
    assert walks[0] == walks[1]
    assert len(set(walks.tolist())) == 3


def test_points_by_place_alone_are_protected_as_well(tmp_path: Path) -> None:
    uneven: Points = {("F", 0.5, 0.5, n): 8 for n in range(5)}
    uneven |= {("F", 1.5, 0.5, 5): 9, ("F", 0.5, 1.5, 6): 9, ("F", 1.5, 1.5, 7): 2}
    observatory(tmp_path, uneven, more="")
    made = published(tmp_path)
    rows = made.estimates.where(indicator="audit.lighting").rows()
    free = Counter(row["place"] for row in rows if row["conf_status"] == "F")
    hidden = {row["place"] for row in rows if row["conf_status"] == "N"}
    assert "04" in hidden
    assert len([one for one in hidden if one.startswith("0")]) >= 2
    assert free["XA-MIN"] == 1
    assert attack_releases([made.folder]).openings == ()


def test_where_all_is_large_nothing_is_withheld(tmp_path: Path) -> None:
    observatory(tmp_path, MANY)
    made = published(tmp_path).estimates
    assert set(made.table.column("conf_status").to_pylist()) == {"F"}
    assert shown(made) == {"_T": 90, "F": 60, "M": 30}


def again(folder: Path, points: Points, **more: Any) -> Published:
    observatory(folder, points)
    said = {"supersedes": "2024-1", "reason": "points were forgotten", "published": date(2025, 5, 1)}
    return published(folder, **said | more)


def free(made: Published) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Points and score of each row that is shown."""
    rows = [row for row in made.estimates.rows() if row["conf_status"] == "F"]
    return {(row["indicator"], row["place"], row["auditor"]): (row["n"], row["value"], row["se"]) for row in rows}


def test_a_point_more_is_not_told_by_the_difference_of_two_releases(tmp_path: Path) -> None:
    """Neither where it is, nor its rating: rows that it would change are as they were, or withheld."""
    observatory(tmp_path, MANY)
    first = published(tmp_path)
    second = again(tmp_path, {**MANY, ("F", 0.5, 0.5, 30): 1})
    assert free(second).items() <= free(first).items()
    assert len(free(second)) > len(free(first)) // 2
    assert attack_releases([first.folder, second.folder]).openings == ()


def test_many_points_more_are_shown(tmp_path: Path) -> None:
    observatory(tmp_path, MANY)
    first = published(tmp_path)
    second = again(tmp_path, {**MANY, **{("M", 1.5, 1.5, 30 + n): 2 for n in range(10)}})
    assert shown(first.estimates) == {"_T": 90, "F": 60, "M": 30}
    assert shown(second.estimates)["_T"] == 110
    assert shown(second.estimates)["M"] in (50, None)
    assert attack_releases([first.folder, second.folder]).openings == ()
    third = again(tmp_path, MANY, supersedes="2024-2", reason="they were of another town")
    assert shown(third.estimates)["_T"] == 90
    assert attack_releases([one.folder for one in (first, second, third)]).openings == ()


def test_planted_rows_of_few_points_more_shut_the_gate(tmp_path: Path) -> None:
    observatory(tmp_path, MANY)
    published(tmp_path)
    nothing = patch.object(audited_corrected, "small", lambda change, _: change != change)
    with nothing, pytest.raises(SafercitiesError) as caught:
        again(tmp_path, {**MANY, ("F", 0.5, 0.5, 30): 2})
    found = {one.code for one in caught.value.problems if one.severity == "error"}
    assert found & {"publish-gate", "publish-attack"}


def test_audits_with_other_breakdowns_stay_as_they_were(tmp_path: Path) -> None:
    made = observatory(tmp_path, MANY)
    first = published(tmp_path)
    toml = made / "observatory.toml"
    toml.write_text(toml.read_text().replace('["auditor"], ', ""))
    said = {"supersedes": "2024-1", "reason": "fewer tables", "published": date(2025, 5, 1)}
    second = published(tmp_path, **said)
    assert free(second) == free(first)
    assert "publish-audits-kept" in {one.code for one in second.problems}


def test_two_sources_of_the_same_points_are_refused(tmp_path: Path) -> None:
    made = observatory(tmp_path, MANY)
    toml = made / "observatory.toml"
    text = toml.read_text()
    block = text[text.index("[sources.walks]") : text.index("[measure]")]
    toml.write_text(text.replace("[measure]", block.replace("sources.walks", "sources.again") + "[measure]"))
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert {one.code for one in caught.value.problems if one.severity == "error"} == {"publish-same-cases-partly"}


def test_that_rows_of_the_file_were_rejected_is_not_told(tmp_path: Path) -> None:
    made = observatory(tmp_path, MANY)
    with (made / "audits.csv").open("a") as file:
        file.write("2024-03-01,1,0.5,0.5,9,9,F\n" * 30)
    private = safercities.open(made).measure().where(indicator="audit.lighting")
    assert all("rejected_share" in row["quality"] for row in private.rows())
    public = published(tmp_path).estimates
    assert not any("rejected_share" in (row["quality"] or "") for row in public.rows())


def points(n: int | None, place: str = "T", **more: Any) -> dict[str, Any]:
    """A row of audits."""
    row = {"indicator": "audit.lighting", "source": "walks", "place": place, "period": "2024", "unit": "rating 0–3"}
    return {**row, "method": METHOD, "n": n, "value": n and 1.7, "conf_status": "N" if n is None else "F", **more}


def test_the_attack_from_outside_takes_points_for_counts_and_no_points_for_no_secret() -> None:
    places = [Place("T", "Town", "city"), *(Place(f"W{at}", f"Ward {at}", "ward", "T") for at in (1, 2))]

    def found(*rows: dict[str, Any]) -> list[tuple[str, int, int]]:
        rules = {"method": "rounding", "minimum_count": 5}
        report = attack([Seen("2024-1", Estimates.from_rows(rows), rules, places, "T")])
        return [(one.kind, one.lower, one.upper) for one in report.openings]

    assert found(points(33), points(30, sex="F"), points(None, sex="M")) == [("withheld", 3, 3)]
    assert found(points(33), points(30, sex="F"), points(None, sex="M"), points(None, sex="_U")) == []
    assert found(points(33), points(3, sex="F"), points(30, sex="M")) == [("small", 3, 3)]
    assert found(points(40), points(20, "W1"), points(20, "W2")) == []
    assert found(points(40), points(20, "W1"), points(18, "W2"), points(None, "_U.ward")) == [("withheld", 2, 2)]


def test_the_gate_counts_walks_as_well(tmp_path: Path) -> None:
    """What is withheld may be wide enough in points, and still rest on two walks."""
    observatory(tmp_path, {**MANY, ("X", 0.5, 0.5, 20): 24, ("Y", 0.5, 0.5, 21): 20})
    blind = patch.object(audited, "_closed", _without_walks(audited._closed))
    with blind, pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert {one.code for one in caught.value.problems if one.severity == "error"} == {"publish-gate"}


def _without_walks(closed: Callable[..., Any]) -> Callable[..., Any]:
    """The choice of what to withhold, without its rule of walks."""

    def chosen(work: audited.Audited, spec: Any) -> Any:
        with patch.object(audited, "_alone", lambda *of: np.zeros(0, dtype=np.int64)):
            return closed(work, spec)

    return chosen
