"""Corrected waves: what changed by few is shown as it was, and the versions tell nothing together."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mini_survey
import safercities
from safercities.disclose import journal, sampled, survey_corrected
from safercities.disclose.attack import attack
from safercities.disclose.attack_public import Published as Seen
from safercities.disclose.corrected import Version, shown_rows, small, told
from safercities.disclose.survey_corrected import Corrected, _Work, correct_survey
from safercities.disclose.survey_groups import groups
from safercities.disclose.survey_rows import read
from safercities.disclose.survey_shown import units
from safercities.disclose.survey_versions import Rules, _Joint
from safercities.disclose.survey_waves import any_definition, unversioned, wave_of
from safercities.disclose.surveys import protect_survey
from safercities.disclose.withhold import without_lone_codes
from safercities.model.errors import SafercitiesError
from safercities.model.estimates import Estimates
from safercities.model.places import Place
from safercities.publishing import Published, publish
from safercities.release.attacked import attack_releases
from safercities.release.chain import read_chain
from safercities.release.store import KeyStore
from safercities.sampling.intervals import proportion_interval

CITY = [Place("A", "A", "city"), *(Place(f"A{i}", f"A{i}", "ward", "A") for i in range(1, 4))]
METHOD = "proportion, Taylor linearisation, Korn–Graubard interval"
#: (place, sex) → respondents and cases.
Parts = dict[tuple[str, str], tuple[int, int]]
SEXES: Parts = {("A", "_T"): (400, 120), ("A", "F"): (210, 70), ("A", "M"): (190, 50)}


def sample(parts: Parts, weighted: dict[str, float] | None = None) -> Estimates:
    """Estimates of a sample drawn one by one; `weighted`: by how much weights move the share of each sex, in %."""
    made = []
    for (place, sex), (n, x) in parts.items():
        p = min(max(x / n + (weighted or {}).get(sex, 0.0) / 100, 0.001), 0.999) if n else np.nan
        se, df = np.sqrt(p * (1 - p) / (n - 1)) if n > 1 else np.nan, max(n - 1, 1)
        low, high, *_ = proportion_interval("korn-graubard", [p], [se], [n], [df]) if n else ([np.nan],) * 4
        numbers = {"value": p * 100, "se": se * 100, "lower": low[0] * 100, "upper": high[0] * 100}
        row = {name: None if np.isnan(number) else float(number) for name, number in numbers.items()}
        row |= {"indicator": "fear", "place": place, "sex": sex, "period": "2025", "source": "s", "unit": "%"}
        row |= {"method": METHOD, "level": 0.95, "n": n, "n_positive": x, "denominator": n * 100.0, "df": float(df)}
        made.append(row | {"deff": 1.0})
    return Estimates.from_rows(made)


def chain(first: Estimates, *later: Estimates) -> tuple[list[Version], list[Corrected]]:
    """The versions of a wave, and what came of each correction."""
    shown = protect_survey(first, 5, places=CITY).estimates
    versions, found = [Version(1, shown, wave_of(first, shown, 1)[0], {})], []
    for number, one in enumerate(later, 2):
        found.append(correct_survey(one, 5, versions, number, places=CITY))
        versions.append(Version(number, found[-1].protected.estimates, found[-1].wave, {}))
    return versions, found


def deduced(versions: list[Estimates]) -> tuple[object, ...]:
    seen = [Seen(str(at), one, {"minimum_count": 5}, CITY, "A") for at, one in enumerate(versions)]
    return attack(seen).openings


def values(made: Estimates) -> dict[str, float | None]:
    return {row["sex"]: row["value"] for row in made.rows()}


def kept_alike(versions: list[Version]) -> None:
    """Rows that are said to be those of an earlier release are; new ones differ from none before by few."""
    for at, version in enumerate(versions[1:], 1):
        wave, rows = version.wave, list(shown_rows(version.estimates).values())
        for number, key, n, x in zip(wave.shown, wave.keys, wave.n, wave.x, strict=True):
            own = [row for row in rows if (row["place"], row.get("sex", "_T")) == key]
            assert len(own) == (number > 0)
            if 0 < number < version.number:
                assert own[0] in shown_rows(versions[number - 1].estimates).values()
            for before in versions[:at] if number == version.number else []:
                position = before.wave.keys.index(key)
                if (source := int(before.wave.shown[position])) == 0:
                    continue
                behind = versions[source - 1].wave
                assert not small(np.array([n - behind.n[position], x - behind.x[position]]), np.array([5, 5])).any()


def test_domains_are_found_by_any_definition_of_their_indicator_however_many_there_are() -> None:
    where = [(f"p{p}", frozenset({("sex", f"c{c}")})) for p in range(100) for c in range(20)]
    names = [((f"i{i}", version), *one) for i in range(20) for version in ("1", "2") for one in where]
    began = time.process_time()
    found = any_definition(names)
    assert all(name in found[unversioned(name)] for name in names)
    assert time.process_time() - began < 5  # passing through all for each would take minutes
    assert [(code, version) for (code, version), *_ in found["i3", "p7", frozenset({("sex", "c2")})]] == [
        ("i3", "1"),
        ("i3", "2"),
    ]
    assert unversioned((("i3", "1"), "p7", frozenset())) not in found


def test_weights_alone_change_the_shown_shares() -> None:
    versions, (made,) = chain(sample(SEXES), sample(SEXES, {"F": 2.5, "_T": 1.5}))
    assert values(versions[0].estimates) == {"_T": 30.0, "F": 34.0, "M": 25.0}
    assert values(made.protected.estimates) == {"_T": 30.0, "F": 36.0, "M": 25.0}
    assert deduced([one.estimates for one in versions]) == ()
    assert told(versions[:1], made.protected.estimates) == []


@pytest.mark.parametrize(("n", "x"), [(0, 1), (-1, 0), (-1, -1), (2, 3)])
def test_one_respondent_changes_nothing_that_is_shown_and_withholds_nothing(n: int, x: int) -> None:
    after: Parts = {("A", "_T"): (400 + n, 120 + x), ("A", "F"): (210 + n, 70 + x), ("A", "M"): (190, 50)}
    versions, (made,) = chain(sample(SEXES), sample(after))
    assert made.protected.estimates.table.equals(versions[0].estimates.table)
    assert made.wave.shown.tolist()[:2] == [1, 1]
    assert [one.code for one in told(versions[:1], made.protected.estimates)] == ["publish-correction-unseen"]


def test_a_recoded_answer_is_shown_where_many_changed() -> None:
    after: Parts = {("A", "_T"): (400, 150), ("A", "F"): (210, 97), ("A", "M"): (190, 53)}
    versions, (made,) = chain(sample(SEXES), sample(after))
    found = values(made.protected.estimates)
    assert found["_T"] == 40.0
    assert found["M"] in (25.0, None)
    assert made.protected.reasons.get(2) in (None, "changed", "narrow")
    assert deduced([one.estimates for one in versions]) == ()
    kept_alike(versions)


def test_duplicates_that_are_dropped_are_not_told_one_by_one() -> None:
    after: Parts = {("A", "_T"): (340, 80), ("A", "F"): (160, 35), ("A", "M"): (180, 45)}
    versions, (made,) = chain(sample(SEXES), sample(after))
    assert values(made.protected.estimates)["F"] == 20.0
    assert deduced([one.estimates for one in versions]) == ()
    kept_alike(versions)


def test_what_is_not_true_enough_any_more_is_withheld_and_most_of_it_is_said() -> None:
    few: Parts = {("A", "_T"): (60, 20), ("A", "F"): (30, 10), ("A", "M"): (30, 10)}
    after: Parts = {("A", "_T"): (60, 24), ("A", "F"): (30, 12), ("A", "M"): (30, 12)}
    shift = {"_T": 9.0, "F": 20.0, "M": 9.0}
    versions, (made,) = chain(sample(few), sample(after, shift))
    assert not shown_rows(made.protected.estimates)
    assert set(made.protected.reasons.values()) == {"changed"}
    assert [one.code for one in told(versions[:1], made.protected.estimates)] == ["publish-correction-lost"]


def test_what_was_withheld_for_few_is_not_shown_because_one_came() -> None:
    before: Parts = {("A", "_T"): (400, 120), ("A", "F"): (380, 116), ("A", "M"): (20, 4)}
    after: Parts = {("A", "_T"): (400, 121), ("A", "F"): (380, 116), ("A", "M"): (20, 5)}
    _, (made,) = chain(sample(before), sample(after))
    assert values(made.protected.estimates)["M"] is None


def by_definition(parts: Parts, version: str) -> Estimates:
    return Estimates.from_rows([row | {"version": version} for row in sample(parts).rows()])


def test_another_definition_that_says_otherwise_of_few_is_not_shown_beside_the_first() -> None:
    few: Parts = {("A", "_T"): (398, 122), ("A", "F"): (209, 71), ("A", "M"): (189, 51)}
    for parts in (few, {("A", "_T"): (369, 101), ("A", "F"): (209, 71), ("A", "M"): (160, 30)}):
        versions, (made,) = chain(by_definition(SEXES, "1"), by_definition(parts, "2"))
        assert values(made.protected.estimates)["F"] is None
        assert "changed" in made.protected.reasons.values()
        assert shown_rows(versions[0].estimates)
    _, (made,) = chain(by_definition(SEXES, "1"), by_definition(few, "2"))
    assert not shown_rows(made.protected.estimates)


def test_another_definition_that_says_otherwise_of_many_or_of_nobody_is_shown() -> None:
    many: Parts = {("A", "_T"): (360, 200), ("A", "F"): (190, 110), ("A", "M"): (170, 90)}
    for parts in (many, SEXES):
        versions, (made,) = chain(by_definition(SEXES, "1"), by_definition(parts, "2"))
        assert values(made.protected.estimates)["_T"] is not None
        assert deduced([one.estimates for one in versions]) == ()


def test_a_definition_that_comes_back_is_held_against_both() -> None:
    few: Parts = {("A", "_T"): (400, 122), ("A", "F"): (210, 72), ("A", "M"): (190, 50)}
    many: Parts = {("A", "_T"): (360, 200), ("A", "F"): (190, 110), ("A", "M"): (170, 90)}
    steps = [by_definition(parts, version) for parts, version in ((many, "2"), (few, "1"))]
    versions, made = chain(by_definition(SEXES, "1"), *steps)
    assert values(made[1].protected.estimates) == values(versions[0].estimates)


def test_a_slow_drift_is_shown_once_it_is_no_drift_any_more() -> None:
    """Small changes are held against what is shown, not against what was measured the last time."""
    steps = [{("A", "_T"): (400, 120 + more), ("A", "F"): (210, 70 + more), ("A", "M"): (190, 50)} for more in (3, 6)]
    versions, made = chain(sample(SEXES), *map(sample, steps))
    assert made[0].wave.shown.tolist() == [1, 1, 1]
    assert made[1].wave.shown.tolist()[:2] == [3, 3]
    kept_alike(versions)


def moved(made: Estimates, by: float) -> Estimates:
    """The same respondents with other weights, and the errors as they were."""
    return Estimates.from_rows(
        [row | {name: row[name] + by for name in ("value", "lower", "upper")} for row in made.rows()]
    )


def test_planted_two_roundings_of_the_same_numbers_are_found_by_the_public() -> None:
    """Each is safe alone; who takes them for the same numbers has one share that fits both."""
    first = sample({("A", "_T"): (140, 30), ("A", "F"): (60, 12), ("A", "M"): (80, 18)})
    second = moved(first, -7.5)
    careless = [protect_survey(one, 5).estimates for one in (first, second)]
    assert deduced(careless[:1]) == deduced(careless[1:]) == ()
    assert deduced(careless)
    versions, _ = chain(first, second)
    assert deduced([one.estimates for one in versions]) == ()
    nothing: Callable[..., set[Any]] = lambda *_: set()  # noqa: E731
    with patch.object(_Work, "_between", nothing), patch.object(_Work, "_settle", lambda *_: None):
        versions, _ = chain(first, second)
    assert deduced([one.estimates for one in versions])


@pytest.mark.parametrize("seed", range(4))
def test_no_correction_of_a_random_survey_tells_anything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = rng.integers(0, 120, size=(2, 3))
    x = rng.binomial(n, rng.uniform(0.1, 0.5))

    def parts() -> Parts:
        made = {("A", "_T"): (int(n.sum()), int(x.sum()))}
        made |= {("A", sex): (int(n[at].sum()), int(x[at].sum())) for at, sex in enumerate("FM")}
        return made | {(f"A{at + 1}", "_T"): (int(n[:, at].sum()), int(x[:, at].sum())) for at in range(3)}

    first, later = sample(parts()), []
    for _ in range(2):
        kind, shift = rng.integers(4), None
        if kind == 0:
            at = tuple(rng.integers((2, 3)))
            x[at] = np.clip(x[at] + rng.integers(-3, 4), 0, n[at])
        elif kind == 1:
            x = rng.binomial(n, rng.uniform(0.1, 0.5))
        elif kind == 2:
            gone = rng.binomial(x, 0.1)
            n, x = n - gone - rng.binomial(n - x, 0.1), x - gone
        else:
            shift = {sex: float(rng.normal(0, 2)) for sex in ("_T", "F", "M")}
        later.append(sample(parts(), shift))
    versions, _ = chain(first, *later)
    assert deduced([one.estimates for one in versions]) == ()
    kept_alike(versions)


def test_numbers_of_people_that_are_wrong_now_are_not_shown_again() -> None:
    """One respondent less, and all weights three times what they were: shares hold, numbers of people do not."""
    after = sample({("A", "_T"): (399, 120), ("A", "F"): (209, 70), ("A", "M"): (190, 50)})
    heavier = Estimates.from_rows([row | {"denominator": 3 * row["denominator"]} for row in after.rows()])
    _, (made, again) = chain(sample(SEXES), heavier, after)
    assert not shown_rows(made.protected.estimates)
    assert values(again.protected.estimates) == {"_T": 30.0, "F": 34.0, "M": 25.0}


def test_steps_of_heavier_weights_do_not_excuse_a_number_of_people_that_is_wrong_now() -> None:
    """Numbers of few respondents are rounded to large steps: those of the new weights are no measure of the old row."""
    few = sample({("A", "_T"): (60, 24)})
    after = sample({("A", "_T"): (59, 24)})
    assert shown_rows(chain(few, after)[1][0].protected.estimates)
    heavier = Estimates.from_rows([row | {"denominator": 3 * row["denominator"]} for row in after.rows()])
    assert not shown_rows(chain(few, heavier)[1][0].protected.estimates)


@given(st.floats(0.2, 5.0), st.integers(-4, 4), st.integers(-4, 4), st.integers(55, 150), st.floats(0.3, 0.7))
def test_what_is_shown_again_holds_what_is_measured_now(weight: float, n: int, x: int, size: int, share: float) -> None:
    """Of weights and answers that changed together, in any way that few respondents can."""
    cases = round(size * share)
    now = (size + n, min(max(cases + x, 0), size + n))
    after = [row | {"denominator": weight * row["denominator"]} for row in sample({("A", "_T"): now}).rows()]
    versions, _ = chain(sample({("A", "_T"): (size, cases)}), Estimates.from_rows(after))
    for row in shown_rows(versions[1].estimates).values() if versions[1].wave.shown[0] == 1 else ():
        assert row["lower"] <= after[0]["value"] <= row["upper"]
        far = max(row["se"], 20.0) / 2 / row["value"]
        assert abs(after[0]["denominator"] / row["denominator"] - 1) <= max(far, 0.5)
        assert now[0] * 1.5 >= row["n"]


def test_codes_that_were_merged_are_the_same_only_where_all_codes_are() -> None:
    """`_U` holds whom nothing is shown of: with one code more that is shown, it is others, and so nothing follows."""

    def joint(*codes: list[str]) -> _Joint:
        rows = [
            row | {"sex": "_T", "age": code, "source": str(at)}
            for at, one in enumerate(codes)
            for code in one
            for row in sample({("A", "_T"): (400, 120)}).rows()
        ]
        made = Estimates.from_rows(rows)
        table = read(made, 2)
        parts = groups(table.domains, made.dimensions, CITY)
        return _Joint(made, table, parts, lambda *_: Rules(5, 2, 4), CITY, lambda at, one: f"{at} {one.key}")

    for more, links in ((["_T", "Y", "_U"], 3), (["_T", "Y", "Z", "_U"], 2), (["_T", "Y", "Z", "_O"], 2)):
        assert len(joint(["_T", "Y", "_U"], more).twice) == links


def test_what_is_proved_is_what_is_published_with_lone_codes_merged() -> None:
    """Else the gate, which sees codes that are merged, would find what the proof did not."""
    few = {**SEXES, ("A", "_T"): (407, 123), ("A", "U1"): (4, 2), ("A", "U2"): (3, 1)}
    with patch.object(survey_corrected, "attack_versions", return_value=iter(())) as attacked:
        _, (made,) = chain(sample(few), sample(few, {"F": 2.5, "_T": 1.5}))
    last = attacked.call_args.args[0][-1]
    assert last.table.equals(without_lone_codes(made.protected.estimates).table)
    assert not {"U1", "U2"} & set(last.table.column("sex").to_pylist())


def test_where_merged_codes_tell_something_a_row_of_the_indicator_is_withheld() -> None:
    after = sample(SEXES, {"F": 2.5, "_T": 1.5})
    before = shown_rows(chain(sample(SEXES), after)[1][0].protected.estimates)
    foreign = {(("fear", ""), "A", frozenset({("sex", "_U")}))}
    with patch.object(_Work, "_between", side_effect=[foreign, set()]):
        left = shown_rows(chain(sample(SEXES), after)[1][0].protected.estimates)
    assert 0 < len(left) < len(before)


def test_an_interval_that_is_far_too_narrow_now_is_not_shown_again() -> None:
    after = sample({("A", "_T"): (399, 120), ("A", "F"): (209, 70), ("A", "M"): (190, 50)})
    wider = Estimates.from_rows([row | {"se": 2 * row["se"]} for row in after.rows()])
    _, (made,) = chain(sample(SEXES), wider)
    assert values(made.protected.estimates)["_T"] is None


def test_an_interval_that_is_not_known_now_is_not_shown_again() -> None:
    """The earlier error would say how sure a number is of which nobody can tell that any more."""
    after = sample({("A", "_T"): (399, 120), ("A", "F"): (209, 70), ("A", "M"): (190, 50)})
    blind = Estimates.from_rows([row | {"se": None} for row in after.rows()])
    _, (made,) = chain(sample(SEXES), blind)
    assert not shown_rows(made.protected.estimates)


def test_a_breakdown_that_is_added_is_shown_though_nothing_else_changed() -> None:
    whole: Parts = {("A", "_T"): SEXES["A", "_T"]}
    versions, (made,) = chain(sample(whole), sample(SEXES))
    assert values(made.protected.estimates) == values(protect_survey(sample(SEXES), 5).estimates)
    assert told(versions[:1], made.protected.estimates) == []


def by_age(made: Estimates) -> Estimates:
    ages = {"F": "Y15T29", "M": "Y_GE30", "_T": "_T"}
    return Estimates.from_rows(
        [
            {name: value for name, value in row.items() if name != "sex"} | {"age": ages[row["sex"]]}
            for row in made.rows()
        ]
    )


def test_a_breakdown_that_only_the_first_version_has_is_held_against_all_others() -> None:
    versions, made = chain(by_age(sample(SEXES)), sample(SEXES), sample(SEXES, {"F": 2.5, "_T": 1.5}))
    assert values(made[1].protected.estimates)["F"] == 36.0
    assert deduced([one.estimates for one in versions]) == ()


def test_rows_of_a_dropped_breakdown_are_read_as_they_were_rounded() -> None:
    """Each by its own least count, not by that of another indicator: with that it would be no number at all."""

    def least(made: Estimates) -> np.ndarray:
        return np.array([10 if row["indicator"] == "harm" else 3 for row in made.rows()])

    few: Parts = {("A", "_T"): (40, 13), ("A", "F"): (14, 5), ("A", "M"): (26, 8)}
    both = [[row | {"indicator": code} for row in sample(few).rows()] for code in ("fear", "harm")]
    first = Estimates.from_rows([*both[0], *both[1]])
    last = Estimates.from_rows(
        [{name: value for name, value in row.items() if name != "sex"} for row in first.rows() if row["sex"] == "_T"]
    )
    shown = protect_survey(first, least, places=CITY).estimates
    assert sum(row["conf_status"] == "F" and row["sex"] != "_T" for row in shown.rows()) > 0
    version = Version(1, shown, wave_of(first, shown, 1)[0], {})
    made = correct_survey(last, least, [version], 2, places=CITY).protected.estimates
    assert {row["value"] for row in made.rows()} <= {row["value"] for row in shown.rows()}


# -- the journal -------------------------------------------------------------------------------------------------------


def record(waves: tuple[journal.Wave, ...]) -> journal.Record:
    return journal.Record(1, "a" * 64, (), {}, waves)


def test_the_journal_keeps_what_stands_behind_a_wave(tmp_path: Path) -> None:
    (wave,) = wave_of(sample(SEXES), protect_survey(sample(SEXES), 5).estimates, 7)
    journal.write(tmp_path, record((wave,)))
    (found,) = journal.read_waves(tmp_path, 1, "a" * 64)
    assert (found.source, found.period, found.names) == ("s", "2025", ("place", "sex"))
    assert found.keys == (("A", "_T"), ("A", "F"), ("A", "M"))
    assert [found.n.tolist(), found.x.tolist(), found.shown.tolist()] == [[400, 210, 190], [120, 70, 50], [7, 7, 7]]
    assert journal.read_waves(tmp_path, 1, "b" * 64) == ()


def test_a_journal_of_the_old_format_has_no_waves_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    (wave,) = wave_of(sample(SEXES), protect_survey(sample(SEXES), 5).estimates, 7)
    journal.write(tmp_path, record((wave,)))
    file = tmp_path / "1" / "journal.json"
    content = json.loads(file.read_text())
    old = {name: value for name, value in content.items() if name != "waves"} | {"format": "safercities-journal/1"}
    file.write_text(json.dumps(old))
    assert journal.read(tmp_path, 1, "a" * 64) == ()
    assert journal.read_waves(tmp_path, 1, "a" * 64) == ()
    content["waves"][0]["keys"].pop()
    file.write_text(json.dumps(content))
    with pytest.raises(SafercitiesError, match="damaged"):
        journal.read_waves(tmp_path, 1, "a" * 64)


# -- published ---------------------------------------------------------------------------------------------------------

DAY = date(2025, 3, 1)
SHOWN = 'indicators = ["sdg.16.1.4"]\nby = [["sex"]]\n'


def observatory(folder: Path, columns: dict[str, np.ndarray] | None = None) -> Path:
    made = mini_survey.build(folder / "city", survey=mini_survey.survey(columns))
    toml = made / "observatory.toml"
    toml.write_text(re.sub(r"(?s)(\[measure\]\n).*?(\n\[|\Z)", rf"\1{SHOWN}\2", toml.read_text()))
    store = KeyStore.open("XA-MIN", folder / "keys")
    if not store.exists:
        store.make(date(2025, 1, 1))
    return made


def published(folder: Path, **more: Any) -> Published:
    store = KeyStore.open("XA-MIN", folder / "keys")
    return publish(safercities.open(folder / "city"), **{"published": DAY, "keys": store, **more})


def again(folder: Path, columns: dict[str, np.ndarray], **more: Any) -> Published:
    observatory(folder, columns)
    said = {"supersedes": "2024-1", "reason": "corrected", "published": date(2025, 5, 1)}
    return published(folder, **said | more)


def safe(folder: Path, releases: list[Published]) -> None:
    """The chain is whole, and nothing follows from its releases together."""
    store = KeyStore.open("XA-MIN", folder / "keys")
    assert len(read_chain(folder / "city" / "releases", identity=store.identity)) == len(releases)
    assert attack_releases([one.folder for one in releases]).openings == ()


def test_corrections_are_published_as_releases_of_the_chain(tmp_path: Path) -> None:
    observatory(tmp_path)
    first = published(tmp_path)
    columns = mini_survey.answers()
    columns["safe"] = np.where(mini_survey.I == 3, 1, columns["safe"])
    second = again(tmp_path, columns)
    assert shown_rows(second.estimates) == shown_rows(first.estimates)
    assert "publish-correction-unseen" in {one.code for one in second.problems}
    columns["safe"] = np.where((mini_survey.I % 5 == 0) & (columns["safe"] < 5), 1, columns["safe"])
    third = again(tmp_path, columns, supersedes="2024-2", reason="an answer was coded wrongly")
    changed = shown_rows(third.estimates)
    assert changed
    assert changed != shown_rows(first.estimates)
    safe(tmp_path, [first, second, third])


def test_the_log_tells_what_is_withheld_of_all_waves_of_a_survey(tmp_path: Path) -> None:
    made = observatory(tmp_path)
    published(tmp_path)
    tallies: list[Counter[str]] = []
    protect = sampled.protect_survey_waves

    def watched(*given: Any, **more: Any) -> sampled.Sampled:
        found = protect(*given, **more)
        tallies.append(Counter(found.tally))
        return found

    columns = mini_survey.answers()
    columns["safe"] = np.where((mini_survey.I % 7 == 0) & (columns["safe"] < 5), 1, columns["safe"])
    with patch.object(sampled, "protect_survey_waves", watched):
        again(tmp_path, columns)
    log = json.loads((made / "private" / "journal" / "2" / "journal.json").read_text())["log"]
    assert len([one for one in tallies if one]) > 1
    assert log["surveys"] == {"victims": dict(sum(tallies, Counter()))}


def test_a_correction_of_weights_changes_shares(tmp_path: Path) -> None:
    observatory(tmp_path)
    first = published(tmp_path)
    columns = mini_survey.answers()
    columns["w"] = np.where(columns["safe"] <= 2, 3 * columns["w"], columns["w"])
    second = again(tmp_path, columns)
    assert shown_rows(second.estimates)
    assert shown_rows(second.estimates) != shown_rows(first.estimates)
    safe(tmp_path, [first, second])


def test_planted_rows_that_tell_together_with_the_earlier_release_shut_the_gate(tmp_path: Path) -> None:
    observatory(tmp_path)
    published(tmp_path)

    def careless(made: Estimates, minimum: Any, spec: Any, versions: Any, number: int, **more: Any) -> sampled.Sampled:
        before = versions[0].estimates
        table = read(before, 5)
        at = np.array([one.row for one in table.domains])
        whole = np.array([one.key[1:] == ("_T",) * len(before.dimensions) for one in table.domains])
        steps = dict(zip(at.tolist(), units(table, at, np.full(len(at), 4), whole).value.tolist(), strict=True))
        rows = before.rows()
        for row, step in steps.items():  # the next step of the rounding: both have one share in common
            if rows[row]["conf_status"] == "F":
                rows[row]["value"] += step
        return sampled.Sampled(Estimates.from_rows(rows, before.dimensions), (versions[0].wave,))

    with patch.object(sampled, "protect_survey_waves", careless), pytest.raises(SafercitiesError) as caught:
        again(tmp_path, mini_survey.answers())
    assert "publish-attack" in {one.code for one in caught.value.problems}


def test_a_correction_without_what_stood_behind_the_wave_repeats_it(tmp_path: Path) -> None:
    made = observatory(tmp_path)
    first = published(tmp_path)
    file = made / "private" / "journal" / "1" / "journal.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "format": "safercities-journal/1"}))
    columns = mini_survey.answers()
    columns["safe"] = np.where(columns["safe"] < 5, 1, columns["safe"])
    second = again(tmp_path, columns)
    assert second.estimates.sort().table.equals(first.estimates.sort().table)
    assert "publish-wave-kept" in {one.code for one in second.problems}


def test_a_correction_of_a_wave_under_other_rules_is_refused(tmp_path: Path) -> None:
    made = observatory(tmp_path)
    published(tmp_path)
    toml = made / "observatory.toml"
    columns = mini_survey.answers()
    observatory(tmp_path, columns)
    toml.write_text(toml.read_text() + "\n[publish]\nminimum_count = 7\n")
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path, supersedes="2024-1", reason="other rules", published=date(2025, 5, 1))
    assert "publish-rules-changed" in {one.code for one in caught.value.problems}
