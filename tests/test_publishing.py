"""Publishing from end to end: what is in the release and what must not be, both protections, corrections, kills."""

from __future__ import annotations

import json
import random
import re
import stat
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mini
import mini_survey
import safercities
from safercities import publishing
from safercities.measure.breakdown import COUNT, CRUDE
from safercities.measure.rows import ROUNDED
from safercities.model.errors import SafercitiesError, UsageError
from safercities.model.estimates import Estimates
from safercities.publishing import Published, publish
from safercities.release.store import KeyStore
from safercities.release.verify import verify_release

METHODS = ("rounding", "suppression")
BY = 'by = [["sex"], ["place"], ["place", "sex"]]'
DAY = date(2025, 3, 1)


def robberies(n: int = 240, seed: int = 1) -> str:
    """Many in the first neighbourhood, few in the last; some without a place or a sex."""
    draw = random.Random(seed)
    lines = ["date,lon,lat,sex"]
    for _ in range(n):
        x, y = draw.choices([0.5, 1.5], [7, 3])[0], draw.choices([0.5, 1.5], [8, 2])[0]
        where = f"{x},{y}" if draw.random() > 0.03 else ","
        sex = draw.choices(["woman", "man", ""], [3, 6, 0.3])[0]
        lines.append(f"{draw.choice((2023, 2024))}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d},{where},{sex}")
    return "\n".join(lines) + "\n"


def city(folder: Path, method: str = "rounding", more: str = "", **files: str) -> Path:
    """An observatory, and keys for it beside it."""
    toml = mini.TOML.replace('by = [["sex"], ["place"]]', BY) + f'\n[publish]\nmethod = "{method}"\n{more}'
    mini.build(folder / "city", **{"toml": toml, "robberies": robberies(), **files})
    store = keys(folder)
    if not store.exists:
        store.make(date(2025, 1, 1))
    return folder / "city"


def keys(folder: Path) -> KeyStore:
    return KeyStore.open("XA-MIN", folder / "keys")


def published(folder: Path, day: date = DAY, **more: Any) -> Published:
    return publish(safercities.open(folder / "city"), published=day, keys=keys(folder), **more)


def counts(estimates: Estimates) -> dict[tuple[str, str, str], float | None]:
    return {
        (row["place"], row["period"], row["sex"]): row["value"]
        for row in estimates.where(unit="victims", method=[COUNT, COUNT + ROUNDED]).rows()
    }


def code(caught: pytest.ExceptionInfo[SafercitiesError]) -> list[str]:
    return [one.code for one in caught.value.problems if one.severity == "error"]


# -- what a release holds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_release_is_written_signed_and_says_everything(tmp_path: Path, method: str) -> None:
    folder = city(tmp_path, method)
    made = published(tmp_path)
    assert made.folder == folder / "releases" / "2024-1"
    found = verify_release(made.folder, identity=keys(tmp_path).identity, today=DAY)
    assert found.manifest.rules["method"] == method
    assert found.manifest.rules["minimum_count"] == 5
    assert found.manifest.periods == ["2023", "2024"]
    assert [one.people for one in found.manifest.denominators] == [8000.0, 8000.0]
    assert set(made.estimates.table.column("conf_status").to_pylist()) <= {"F", "N"}


@pytest.mark.parametrize("method", METHODS)
def test_no_small_count_is_published_and_tables_add_up(tmp_path: Path, method: str) -> None:
    city(tmp_path, method)
    found = counts(published(tmp_path).estimates)
    true = counts(safercities.open(tmp_path / "city").measure())
    assert all(n is None or n == 0 or n >= 5 for n in found.values())
    if method == "suppression":
        assert all(n is None or n == true[key] for key, n in found.items())
        assert all(found.get(key) is None for key, n in true.items() if n is not None and n < 5)
        return
    for year in ("2023", "2024"):
        sexes = [found.get(("XA-MIN", year, sex), 0) or 0 for sex in ("F", "M", "_U")]
        places = [
            n or 0 for (place, when, sex), n in found.items() if (when, sex) == (year, "_T") and place != "XA-MIN"
        ]
        assert sum(sexes) == sum(places) == found["XA-MIN", year, "_T"]


def test_intervals_of_rounded_numbers_hold_the_recorded_ones(tmp_path: Path) -> None:
    city(tmp_path)
    key = ("place", "period", "sex", "unit")
    true = {tuple(row[name] for name in key): row for row in safercities.open(tmp_path / "city").measure().rows()}
    rows = [row for row in published(tmp_path).estimates.rows() if row["upper"] is not None]
    assert {row["method"] for row in rows} == {COUNT + ROUNDED, CRUDE + ROUNDED}
    held = []
    for row in rows:
        was = true[tuple(row[name] for name in key)]
        per = 1 if row["method"].startswith(COUNT) else 100_000 / row["denominator"]
        assert row["se"] == pytest.approx(per * np.sqrt(row["n"] + 25))
        assert row["upper"] - row["value"] >= 1.9599 * 5 * per
        held.append(row["lower"] <= was["value"] <= row["upper"])
    assert np.mean(held) >= 0.95  # chance and rounding together would have to move it


def test_withheld_is_never_zero_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    city(tmp_path, "suppression")
    estimates = published(tmp_path).estimates
    hidden = estimates.where(conf_status="N")
    assert len(hidden)
    shown = {"indicator", "version", "place", "period", "sex", "level", "unit", "method", "source"}
    for name in set(hidden.table.column_names) - shown - {"obs_status", "conf_status"}:
        assert hidden.table.column(name).null_count == len(hidden), name
    assert set(hidden.table.column("obs_status").to_pylist()) == {"Q"}


def test_rates_are_withheld_with_their_counts(tmp_path: Path) -> None:
    city(tmp_path, "suppression")
    rows = published(tmp_path).estimates.rows()
    key = ("place", "period", "sex")
    hidden = {
        tuple(row[name] for name in key) for row in rows if row["unit"] == "victims" and row["conf_status"] == "N"
    }
    rates = [row for row in rows if row["unit"] != "victims"]
    assert rates
    assert all((tuple(row[name] for name in key) in hidden) == (row["value"] is None) for row in rates)


def test_withheld_rows_are_there_whether_there_are_cases_or_not(tmp_path: Path) -> None:
    """A row `_U` only where there are cases would tell where there are some."""
    city(tmp_path, "suppression")
    some = published(tmp_path).estimates
    other = tmp_path / "other"
    whole = robberies().replace(",,", ",0.5,0.5").replace(",\n", ",man\n").replace(",0.5,0.5,0.5", ",0.5,0.5")
    city(other, "suppression", robberies=whole)
    none = published(other).estimates
    assert counts(some).keys() == counts(none).keys()


@pytest.mark.parametrize("method", METHODS)
def test_no_true_small_count_is_in_any_file(tmp_path: Path, method: str) -> None:
    """Planted: one area with 3 cases of 77 777 people: its count, rate and limits are nowhere in the release."""
    people = mini.people().replace("04,2023,F,1000", "04,2023,F,77777")
    lines = [line for line in robberies().splitlines() if not (line.startswith("2023") and "1.5,1.5" in line)]
    planted = "\n".join([*lines, *["2023-05-05,1.5,1.5,woman"] * 3]) + "\n"
    folder = city(tmp_path, method, people=people, robberies=planted)
    made = published(tmp_path)
    true = safercities.open(folder).measure().where(place="04", period="2023", sex="F").rows()
    numbers = {
        f"{row[name]:.6g}" for row in true for name in ("value", "lower", "upper", "se") if row["unit"] != "victims"
    }
    numbers.discard("0")
    assert len(numbers) >= 3
    for path in made.folder.rglob("*"):
        texts = [path.read_bytes()]
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                texts += [book.read(name) for name in book.namelist()]
        for text in texts:
            for number in numbers:
                assert number.encode()[:6] not in text, (path.name, number)
    rows = made.estimates.where(place="04", period="2023", sex="F").rows()
    assert all(row["value"] is None or row["n"] != 3 for row in rows)


def test_the_release_tells_nothing_of_files(tmp_path: Path) -> None:
    folder = city(tmp_path)
    made = published(tmp_path)
    for name in ("manifest.json", "README.md", "data.csv", "structure.xml"):
        text = (made.folder / name).read_text(encoding="utf-8")
        for secret in ("robberies.csv", "areas.geojson", "people.csv", str(folder)):
            assert secret not in text


def test_what_stands_behind_it_is_private(tmp_path: Path) -> None:
    folder = city(tmp_path)
    published(tmp_path)
    private = folder / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert "*" in (private / ".gitignore").read_text().split()
    assert (private / "journal" / "1" / "journal.json").is_file()
    assert not list((folder / "releases").rglob("journal*"))


# -- again, and corrected ----------------------------------------------------------------------------------------------


def test_a_dimension_that_every_case_has_needs_no_cells_to_hide_the_unknown(tmp_path: Path) -> None:
    known = re.sub(r",$", ",man", robberies(), flags=re.MULTILINE)
    withheld = []
    for name, more in (("hidden", ""), ("complete", 'complete = ["sex"]')):
        city(tmp_path / name, "suppression", more, robberies=known)
        rows = published(tmp_path / name).estimates.rows()
        withheld.append(sum(row["conf_status"] == "N" for row in rows))
        assert any(row["sex"] == "_U" for row in rows) == (name == "hidden")
    assert withheld[1] < withheld[0]
    city(tmp_path / "lacking", "suppression", 'complete = ["sex"]')
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path / "lacking")
    assert code(caught) == ["publish-not-complete"]


@pytest.mark.parametrize("method", METHODS)
def test_publishing_again_is_the_same_release(tmp_path: Path, method: str) -> None:
    folder = city(tmp_path, method)
    first = published(tmp_path)
    again = published(tmp_path, date(2025, 5, 1))
    assert again.folder == first.folder
    assert len(list((folder / "releases").glob("2024-*"))) == 1


def test_other_data_are_no_release_without_a_reason(tmp_path: Path) -> None:
    folder = city(tmp_path)
    published(tmp_path)
    with (folder / "robberies.csv").open("a") as file:
        file.write("2023-05-05,0.5,0.5,man\n" * 30)
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path, date(2025, 5, 1))
    assert code(caught) == ["publish-nothing-new"]


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    city(one)
    first = published(one)
    city(two)
    for path in keys(one).folder.iterdir():
        (keys(two).folder / path.name).unlink(missing_ok=True)
    for path in list(keys(two).folder.iterdir()):
        path.unlink()
    for path in keys(one).folder.iterdir():
        target = keys(two).folder / path.name
        target.write_bytes(path.read_bytes())
        target.chmod(0o600)
    second = published(two)
    for path in first.folder.iterdir():
        assert path.read_bytes() == (second.folder / path.name).read_bytes(), path.name


@pytest.mark.parametrize("method", METHODS)
def test_a_correction_shows_large_changes_and_no_small_ones(tmp_path: Path, method: str) -> None:
    folder = city(tmp_path, method)
    first = published(tmp_path)
    with (folder / "robberies.csv").open("a") as file:
        file.write("2023-05-05,0.5,0.5,man\n" + "2024-05-05,0.5,0.5,man\n" * 9)
    with pytest.raises(UsageError):
        published(tmp_path, date(2025, 5, 1), supersedes=first.folder.name)
    with pytest.raises(UsageError, match="2024-1"):
        published(tmp_path, date(2025, 5, 1), supersedes="2020-9", reason="late reports")
    second = published(tmp_path, date(2025, 5, 1), supersedes=first.folder.name, reason="late reports")
    before, after = counts(first.estimates), counts(second.estimates)
    changed = {key for key in before if before[key] != after.get(key)}
    assert changed == {("XA-MIN", "2024", "_T"), ("XA-MIN", "2024", "M"), ("01", "2024", "_T"), ("01", "2024", "M")}
    assert all(after[key] == (before[key] or 0) + 9 for key in changed)
    found = verify_release(second.folder, identity=keys(tmp_path).identity, today=date(2025, 5, 1))
    assert found.manifest.reason == "late reports"


def test_a_correction_of_many_small_changes_is_refused_rather_than_wrong(tmp_path: Path) -> None:
    folder = city(tmp_path)
    first = published(tmp_path)
    with (folder / "robberies.csv").open("a") as file:
        for where in ("0.5,0.5", "1.5,0.5", "0.5,1.5", "1.5,1.5"):
            file.write("".join(f"2024-05-05,{where},{sex}\n" * 3 for sex in ("woman", "man")))
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path, date(2025, 5, 1), supersedes=first.folder.name, reason="late reports")
    assert code(caught) == ["publish-correction-scattered"]
    assert [path.name for path in (folder / "releases").iterdir() if not path.name.startswith(".")] == ["2024-1"]


def test_a_correction_without_the_journal_is_refused(tmp_path: Path) -> None:
    folder = city(tmp_path)
    first = published(tmp_path)
    (folder / "private" / "journal" / "1" / "journal.json").unlink()
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path, date(2025, 5, 1), supersedes=first.folder.name, reason="late reports")
    assert code(caught) == ["publish-journal-gone"]


def test_a_correction_under_other_rules_is_refused(tmp_path: Path) -> None:
    city(tmp_path)
    first = published(tmp_path)
    for rules in ("minimum_count = 7\n", ""):
        city(tmp_path, "rounding" if rules else "suppression", rules)
        with pytest.raises(SafercitiesError) as caught:
            published(tmp_path, date(2025, 5, 1), supersedes=first.folder.name, reason="other rules")
        assert "publish-rules-changed" in code(caught)


def test_new_periods_are_a_new_release_and_old_ones_are_not_repeated(tmp_path: Path) -> None:
    half = "\n".join(x for x in robberies().splitlines() if not x.startswith("2024")) + "\n"
    toml = mini.TOML.replace('by = [["sex"], ["place"]]', BY)
    folder = city(tmp_path, toml=toml.replace("2023/2024", "2023"), robberies=half)
    assert published(tmp_path).folder.name == "2023-1"
    city(tmp_path, toml=toml)
    second = published(tmp_path, date(2025, 5, 1))
    assert second.folder == folder / "releases" / "2024-2"
    assert {row["period"] for row in second.estimates.rows()} == {"2024"}
    assert "publish-period-again" in {one.code for one in second.problems}


def test_overlapping_periods_are_refused(tmp_path: Path) -> None:
    folder = city(tmp_path)
    published(tmp_path)
    toml = folder / "observatory.toml"
    toml.write_text(toml.read_text().replace("[measure]", '[measure]\nperiod = "quarter"'))
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path, date(2025, 5, 1))
    assert set(code(caught)) == {"publish-period-overlaps"}


def test_a_wave_stays_as_it_was_where_one_interview_changed(tmp_path: Path) -> None:
    folder = mini_survey.build(tmp_path / "city")
    toml = folder / "observatory.toml"
    shown = 'indicators = ["sdg.16.1.4"]\nby = []\n'
    toml.write_text(re.sub(r"(?s)(\[measure\]\n).*?(\n\[|\Z)", rf"\1{shown}\2", toml.read_text()))
    keys(tmp_path).make(date(2025, 1, 1))
    first = published(tmp_path)
    survey = folder / "survey.csv"
    lines = survey.read_text().splitlines()
    survey.write_text("\n".join(lines[:-1]) + "\n")  # one interview was withdrawn
    second = published(tmp_path, date(2025, 5, 1), supersedes="2024-1", reason="an interview was withdrawn")
    assert second.estimates.sort().table.equals(first.estimates.sort().table)
    assert {one.code for one in second.problems} == {"publish-correction-unseen"}


# -- the gate ----------------------------------------------------------------------------------------------------------

KNOWN = '[[publish.known]]\nindicator = "recorded.robbery"\nby = [["place", "sex"]]\n'


def test_what_is_known_outside_and_pins_a_count_shuts_the_gate(tmp_path: Path) -> None:
    """All but one cell of the four neighbourhoods are known, or large: the total gives the last one away."""
    planted = ["date,lon,lat,sex", *["2023-01-05,0.5,0.5,man"] * 30, *["2023-03-06,1.5,0.5,man"] * 3]
    toml = mini.TOML.replace("2023/2024", "2023").replace(" by = ", " by = ") + (
        '\n[publish]\n[[publish.known]]\nindicator = "recorded.robbery"\n'
    )
    folder = city(tmp_path, toml=toml, robberies="\n".join(planted) + "\n")
    toml_path = folder / "observatory.toml"
    assert published(tmp_path).folder.is_dir()  # the known total leaves the others open: _U and the empty ones
    text = toml_path.read_text()
    other = tmp_path / "again"
    city(other, toml=text + 'by = [["place"], ["sex"]]\n', robberies="\n".join(planted) + "\n")
    with pytest.raises(SafercitiesError) as caught:
        published(other)
    assert code(caught) == ["publish-gate"]
    assert not (other / "city" / "releases").exists() or not list((other / "city" / "releases").glob("2*"))
    log = json.loads((other / "city" / "private" / "refused" / "log.json").read_text())
    assert log["openings"][0]["because"]
    assert not re.search(r"\b3\b", str(caught.value).replace("2023", ""))


def test_a_total_known_outside_is_no_reason_to_refuse(tmp_path: Path) -> None:
    for method in METHODS:
        city(tmp_path / method, method, '[[publish.known]]\nindicator = "recorded.robbery"\n')
        assert published(tmp_path / method).folder.is_dir()


def test_the_gate_is_shut_whatever_protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A suppression that withholds small cells only, as careless tools do, does not come through."""
    from safercities.disclose import counts as protecting

    def careless(*args: Any, **more: Any) -> Any:
        from safercities.disclose.suppress import Suppression

        family, leaves = args[:2]
        shown = family.counts(leaves) >= 5
        shown[~shown] = False
        return Suppression(shown & ~more["primary"], more["primary"], ~shown & False)

    monkeypatch.setattr(protecting, "suppress", careless)
    city(tmp_path, "suppression")
    with pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert set(code(caught)) == {"publish-gate"}


# -- whole or not at all -----------------------------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import test_publishing as t
from pathlib import Path
from datetime import date
target, at = {target!r}, int({at})
calls = 0
def trace(frame, event, arg):
    global calls
    if event == "call" and frame.f_code.co_name == target:
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(trace)
t.published(Path({folder!r}))
"""


@pytest.mark.parametrize(
    ("target", "at"), [("_gate", 1), ("write", 1), ("write_release", 1), ("_seal", 1), ("recover", 4), ("_read", 1)]
)
def test_kill_9_leaves_the_former_state_and_the_next_run_is_the_same(tmp_path: Path, target: str, at: int) -> None:
    folder = city(tmp_path)
    script = _KILLED.format(tests=str(Path(__file__).parent), target=target, at=at, folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120, check=False)
    releases = list((folder / "releases").glob("2*")) if (folder / "releases").exists() else []
    for path in releases:
        verify_release(path, identity=keys(tmp_path).identity, today=DAY)
    made = published(tmp_path)
    assert made.folder.name == "2024-1"
    verify_release(made.folder, identity=keys(tmp_path).identity, today=DAY)
    corrected = published(tmp_path, date(2025, 6, 1), supersedes="2024-1", reason="to see that the journal is there")
    assert corrected.folder.name == "2024-2"


def test_nobody_else_publishes_meanwhile(tmp_path: Path) -> None:
    from safercities import files

    folder = city(tmp_path)
    published(tmp_path)
    with files.locked(folder / "private" / "publish"), pytest.raises(SafercitiesError) as caught:
        published(tmp_path)
    assert code(caught) == ["output-busy"]
    assert publishing.RELEASES == "releases"
