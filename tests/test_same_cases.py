"""Two sources of the same cases: protected over one base where they say the same case by case, else refused."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mini
import mini_survey
import safercities
from safercities.disclose import sisters
from safercities.disclose.attack import Published as Seen
from safercities.disclose.attack import attack
from safercities.disclose.counts import Guarded
from safercities.disclose.knowledge import Knowledge
from safercities.disclose.plan import PlannedPeriod
from safercities.disclose.sisters import Sisters
from safercities.measure.breakdown import COUNT
from safercities.measure.rows import ROUNDED
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.protecting import Protection
from safercities.publishing import Published, publish
from safercities.release.attacked import attack_releases
from safercities.release.attacked import published as seen
from safercities.release.store import KeyStore
from safercities.release.verify import open_release, verify_release

METHODS = ("rounding", "suppression")
DAY = date(2025, 3, 1)


def robberies(n: int = 150, ids: str = "A") -> list[str]:
    """Rows with an id, a sex, and how it was done; many in the first neighbourhood, few in the last."""
    draw = random.Random(1)
    lines = ["id,date,lon,lat,sex,means"]
    for number in range(n):
        x, y = draw.choices([0.5, 1.5], [7, 3])[0], draw.choices([0.5, 1.5], [8, 2])[0]
        sex, means = draw.choices(["woman", "man"], [3, 6])[0], draw.choices(["gun", "knife"], [7, 2])[0]
        day = f"2024-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        lines.append(f"{ids}{number},{day},{x},{y},{sex},{means}")
    return lines


SECOND = """
[sources.health]
kind = "incidents"
file = "health.csv"
when = "date"
longitude = "lon"
latitude = "lat"
act = "0401"
unit = "victims"
covers = "2024"
id = "id"
[sources.health.dimensions]
means = { column = "means", map = { gun = "gun", knife = "knife" }, of = "event" }

[sources.people]
"""
BY = {
    "rounding": 'by = [["sex"], ["place"], ["place", "sex"], ["means"], ["place", "means"]]',
    "suppression": 'by = [["sex"], ["place"], ["means"]]',
}


def city(folder: Path, method: str, police: list[str], health: list[str] | None = None, **more: str) -> Path:
    """Two sources: by default over files of the same bytes; `rules` for `[publish]`, `second` for the second source."""
    toml = mini.TOML.replace('by = [["sex"], ["place"]]', BY[method]).replace(
        'unit = "victims"', 'unit = "victims"\nid = "id"'
    )
    toml = (
        toml.replace("2023/2024", "2024")
        .replace("[sources.robberies", "[sources.police")
        .replace("\n[sources.people]\n", more.get("second", SECOND))
    )
    toml += f'\n[publish]\nmethod = "{method}"\n{more.get("rules", "")}\n'
    mini.build(folder / "city", toml=toml, robberies="\n".join(police) + "\n")
    (folder / "city" / "health.csv").write_text("\n".join(health or police) + "\n")
    if not keys(folder).exists:
        keys(folder).make(date(2025, 1, 1))
    return folder / "city"


def keys(folder: Path) -> KeyStore:
    return KeyStore.open("XA-MIN", folder / "keys")


def published(folder: Path, day: date = DAY, **more: Any) -> Published:
    return publish(safercities.open(folder / "city"), published=day, keys=keys(folder), **more)


def code(caught: pytest.ExceptionInfo[SafercitiesError]) -> set[str]:
    return {one.code for one in caught.value.problems if one.severity == "error"}


def counts(estimates: Estimates, source: str) -> dict[tuple[str, ...], float | None]:
    rows = estimates.where(source=source, method=[COUNT, COUNT + ROUNDED], sex="_T", means="_T").rows()
    return {(row["place"], row["period"]): row["value"] for row in rows}


def rules(made: Published, folder: Path) -> Any:
    return verify_release(made.folder, identity=keys(folder).identity).manifest.rules.get("same_cases")


JOINT = [{"sources": ["health", "police"], "periods": ["2024"]}]


@pytest.mark.parametrize("method", METHODS)
def test_two_sources_of_one_file_are_protected_as_one(tmp_path: Path, method: str) -> None:
    city(tmp_path, method, robberies())
    made = published(tmp_path)
    assert rules(made, tmp_path) == JOINT
    police, health = counts(made.estimates, "police"), counts(made.estimates, "health")
    assert police == health
    assert len(police) >= 5
    assert set(made.estimates.where(source="police").table.column("means").to_pylist()) == {"_T"}
    assert set(made.estimates.where(source="health").table.column("sex").to_pylist()) == {"_T"}
    assert attack_releases([made.folder]).openings == ()
    again = published(tmp_path, date(2025, 5, 1))
    assert again.folder == made.folder


def test_each_source_adds_up_and_rates_follow(tmp_path: Path) -> None:
    city(tmp_path, "rounding", robberies())
    rows = published(tmp_path).estimates.where(method=[COUNT, COUNT + ROUNDED], place="XA-MIN").rows()
    for source, name in (("police", "sex"), ("health", "means")):
        mine = {row[name]: row["value"] for row in rows if row["source"] == source}
        assert sum(n for code, n in mine.items() if code != "_T") == mine["_T"]
        assert all(n == 0 or n >= 5 for n in mine.values())


def test_planted_what_two_sources_rounded_apart_tell_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two draws of the same small counts are two looks at them: as one source they contradict each other, or tell."""
    city(tmp_path / "one", "rounding", robberies())
    one = opened(published(tmp_path / "one"))
    assert attack([one]).openings == ()
    monkeypatch.setattr(Sisters, "together", lambda self, part, others, kinds: (part.source,))
    city(tmp_path / "apart", "rounding", robberies())
    apart = opened(published(tmp_path / "apart"))
    assert attack([apart]).openings == ()
    assert "same_cases" not in apart.rules
    with pytest.raises(SafercitiesError) as caught:
        attack([replace(apart, rules={**apart.rules, "same_cases": JOINT})])
    assert code(caught) == {"attack-contradiction"}


def test_the_gate_looks_at_both_whatever_protected_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suppression that withholds small cells only does not come through where it is of two sources either."""
    whole = sisters.split

    def careless(made: Guarded, parts: Any, names: Any) -> list[Guarded]:
        shown = made.family.counts(made.effective) >= made.family.minimum
        room = replace(made.room, knowledge=Knowledge.of(made.room.columns))
        room = room.publish(made.family.matrix[np.flatnonzero(shown)], "this release")
        return whole(replace(made, published=shown, room=room), parts, names)

    monkeypatch.setattr(sisters, "split", careless)
    city(tmp_path, "suppression", robberies())
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert code(caught) == {"publish-gate"}


def opened(made: Published) -> Seen:
    return seen(open_release(made.folder))


def test_declared_sources_are_matched_by_their_ids(tmp_path: Path) -> None:
    police = robberies()
    turned = [police[0].upper().lower(), *reversed(police[1:])]
    said = 'same_cases = [["police", "health"]]\n'
    city(tmp_path, "rounding", police, turned, rules=said)
    made = published(tmp_path)
    assert rules(made, tmp_path) == JOINT
    assert counts(made.estimates, "police") == counts(made.estimates, "health")


def test_undeclared_files_of_other_bytes_are_taken_for_other_cases(tmp_path: Path) -> None:
    police = robberies()
    city(tmp_path, "rounding", police, [police[0], *reversed(police[1:])])
    assert rules(published(tmp_path), tmp_path) is None


def test_cases_said_to_be_the_same_under_other_ids_are_refused(tmp_path: Path) -> None:
    """One file writes 7 and the other 007: published apart, each would tell of the other."""
    city(tmp_path, "rounding", robberies(), robberies(ids="B"), rules='same_cases = [["police", "health"]]\n')
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert code(caught) == {"publish-same-cases-none"}


def test_a_copy_with_other_ends_of_lines_is_found(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_bytes(b"id,day\n1,2024-01-01\n")
    second.write_bytes(b"id,day\r\n1,2024-01-01\r\n\r\n")
    assert sisters._of_lines(first) == sisters._of_lines(second)


PARTLY = {
    "fewer": ([*robberies()[:120]], "publish-same-cases-partly"),
    "other sex": ([one.replace("woman", "man") for one in robberies()], "publish-same-cases-differ"),
    "other place": ([one.replace("0.5,0.5", "1.5,0.5") for one in robberies()], "publish-same-cases-differ"),
    "no id": ([one if n != 7 else "," + one.partition(",")[2] for n, one in enumerate(robberies())], "unnamed"),
}


@pytest.mark.parametrize("name", PARTLY)
def test_what_cannot_be_proved_is_refused(tmp_path: Path, name: str) -> None:
    health, wanted = PARTLY[name]
    more = SECOND.replace("means = {", 'sex = { column = "sex", map = { woman = "F", man = "M" } }\nmeans = {')
    said = 'same_cases = [["police", "health"]]\n'
    folder = city(tmp_path, "suppression", robberies(), health, second=more, rules=said)
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert any(one.endswith(wanted) for one in code(caught))
    assert not (folder / "releases").exists() or not list((folder / "releases").glob("2*"))
    city(tmp_path, "suppression", robberies(), health, second=more, rules=said + 'sources = ["police"]\n')
    alone = published(tmp_path)
    assert set(alone.estimates.table.column("source").to_pylist()) == {"police"}


def test_a_copy_with_the_rest_of_the_cases_is_refused_where_it_is_read_as_another_period(tmp_path: Path) -> None:
    second = SECOND.replace('"2024"', '"2024-03/2024-12"')
    city(tmp_path, "rounding", robberies(), second=second)
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert code(caught) == {"publish-same-cases-partly"}


def test_names_that_are_no_sources_are_refused(tmp_path: Path) -> None:
    for said in ('same_cases = [["police", "court"]]\n', 'sources = ["court"]\n'):
        city(tmp_path, "rounding", robberies(), rules=said)
        with pytest.raises(SafercitiesError) as caught:
            published(tmp_path)
        assert code(caught) == {"publish-source-nowhere"}
        (told,) = [one for one in safercities.open(tmp_path / "city").check() if one.code == "publish-source-nowhere"]
        assert (told.file, told.column) == ("observatory.toml", f"publish.{said.split()[0]}")
        assert "court" in told.what
        assert "police" in told.todo
    city(tmp_path, "rounding", robberies(), rules='same_cases = [["police"]]\n')
    with pytest.raises(SafercitiesError, match="two sources"):
        published(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_a_correction_of_both_shows_large_changes_and_no_small_ones(tmp_path: Path, method: str) -> None:
    lines = robberies()
    city(tmp_path, method, lines)
    first = published(tmp_path)
    lines += [f"L{n},2024-05-05,0.5,0.5,man,gun" for n in range(9)] + ["L9,2024-05-05,0.5,1.5,woman,gun"]
    city(tmp_path, method, lines)
    second = published(tmp_path, date(2025, 5, 1), supersedes="2024-1", reason="late reports")
    assert attack_releases([first.folder, second.folder]).openings == ()
    for source in ("police", "health"):
        before, after = counts(first.estimates, source), counts(second.estimates, source)
        assert {key for key in before if before[key] != after[key]} == {("XA-MIN", "2024"), ("01", "2024")}


def test_a_second_source_of_what_was_published_before_goes_over_the_same_base(tmp_path: Path) -> None:
    city(tmp_path, "suppression", robberies(), rules='sources = ["police"]\n')
    first = published(tmp_path)
    city(tmp_path, "suppression", robberies())
    second = published(tmp_path, date(2025, 5, 1))
    assert rules(second, tmp_path) == JOINT
    assert attack_releases([first.folder, second.folder]).openings == ()
    assert set(second.estimates.table.column("source").to_pylist()) == {"health"}
    shown = counts(second.estimates, "health").items()
    assert {key for key, n in shown if n is not None} >= {("XA-MIN", "2024"), ("01", "2024")}


def test_a_second_source_that_would_tell_what_the_first_one_rounded_shuts_the_gate(tmp_path: Path) -> None:
    city(tmp_path, "rounding", robberies(), rules='sources = ["police"]\n')
    published(tmp_path)
    folder = city(tmp_path, "rounding", robberies())
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path, date(2025, 5, 1))
    assert code(caught) == {"publish-gate"}
    assert [one.name for one in (folder / "releases").glob("2*")] == ["2024-1"]


def planned(folder: Path) -> list[PlannedPeriod]:
    """What would be published; nothing is protected yet."""
    own = keys(folder.parent)
    if not own.exists:
        own.make(date(2025, 1, 1))
    return Protection(safercities.open(folder), DAY, own, (), lambda *told: None).plan(None)


def test_two_surveys_of_one_file_are_refused_if_they_have_an_answer_in_common(tmp_path: Path) -> None:
    folder = mini_survey.build(tmp_path / "city")
    toml = folder / "observatory.toml"
    text = toml.read_text()
    start = text.index("[sources.victims]")
    block = text[start : text.index("[sources.people]")]
    text = text.replace("[sources.people]", block.replace("sources.victims", "sources.again") + "[sources.people]", 1)
    toml.write_text(text)
    with pytest.raises(SafercitiesError) as caught:
        planned(folder)
    assert "publish-same-cases-partly" in code(caught)
    halves = re.sub(r"(?m)^(victim|reported|harassed).*\n", "", block.replace("sources.victims", "sources.again"))
    other = re.sub(r"(?m)^(safe|robberies).*\n", "", block)
    toml.write_text(mini_survey.TOML.replace(block, halves + other))
    assert {part.source for part in planned(folder)} >= {"victims", "again"}


def test_cases_are_named_by_row_or_id(tmp_path: Path) -> None:
    observatory = safercities.open(city(tmp_path, "rounding", robberies(12)))
    found = Sisters(
        observatory.spec.sources,
        {"police", "health"},
        observatory.folder,
        (),
        lambda name: observatory.locate(name).collected.table,
    )
    assert found.same_file == {frozenset(("police", "health"))}
    assert found.names("police", by_row=True).tolist() == [str(row) for row in range(2, 14)]
    assert np.array_equal(found.names("health", by_row=False), [f"A{n}" for n in range(12)])
