"""`publish`, `attack`, `verify`, `keys`, `fetch`: what they print and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import mini
from release.made_release import CITY, COUNTS, content, rows
from safercities.cli import app
from safercities.model.estimates import Estimates
from safercities.release.store import FOLDER_VARIABLE, KeyStore
from safercities.release.write import write_release


def run(*words: object) -> Result:
    """Run the command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


def printed(*words: object, code: int = 0) -> dict[str, Any]:
    """What a command prints with --json, once its exit code is right."""
    done = run(*words, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def key_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where keys are kept: nowhere near those of the person who runs the tests."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def released(tmp_path: Path, shown: dict[tuple[str, str], int] | None = None) -> Path:
    """A chain of one release; `shown` are counts that are published although they should not be."""
    store = KeyStore.open(CITY.id)
    store.make(date(2025, 1, 1))
    made = rows()
    for row in made:
        n = (shown or {}).get((row["place"], row["sex"]))
        if n is not None and row["method"] == "count":
            row.update(value=float(n), n=n, n_positive=n, coverage=1.0, conf_status="F")
    rules = {"method": "suppression", "minimum_count": 5}
    return write_release(
        content(estimates=Estimates.from_rows(made).sort(), rules=rules), tmp_path / "city" / "releases", store
    )


def test_a_safe_release_stands_the_attack(tmp_path: Path):
    release = released(tmp_path)
    done = run("attack", release)
    assert done.exit_code == 0, done.output
    assert "No protected number can be pinned down more closely than to" in done.stdout
    assert "Known: all numbers of one release" in done.stdout
    told = printed("attack", tmp_path / "city" / "releases")
    assert told["ok"]
    assert told["openings"] == []
    assert told["narrowest"] >= 2
    assert told["checked"] >= 4


def test_what_can_be_worked_out_is_said_with_the_numbers_that_it_follows_from(tmp_path: Path):
    assert COUNTS["CO-MDE", "F"] == 10
    release = released(tmp_path, {("CO-MDE.01", "F"): 8})
    done = run("attack", release)
    assert done.exit_code == 1
    assert "Female, Santa Cruz, 2024: exactly 2, though it is withheld" in done.stdout
    assert "+ " in done.stdout
    assert "Female, Popular, 2024: 8" in done.stdout
    told = printed("attack", release, code=1)
    kinds = {(one["kind"], one["lower"], one["upper"]) for one in told["openings"]}
    assert ("withheld", 2, 2) in kinds
    assert not told["ok"]


def test_known_totals_come_from_a_file(tmp_path: Path):
    release = released(tmp_path)
    file = tmp_path / "known.csv"
    file.write_text("indicator,source,place,period,sex,n\nsdg.16.1.1,homicides,CO-MDE.01,2024,F,3\n", encoding="utf-8")
    told = printed("attack", release, "--known", file, code=1)
    assert any(one["lower"] == one["upper"] == 3 for one in told["openings"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("indicator,place,period,n\nx,y,2024,3\n", "attack-known-columns"),
        ("indicator,source,place,period,n\nx,s,y,2024,few\n", "attack-known-number"),
        ("indicator,source,place,period,n\nx,s,y,soon,3\n", "attack-known-unreadable"),
        ("indicator,source,place,period,n\nx,s,y,2024\n", "attack-known-unreadable"),
        ("indicator,source,place,period,n\nx,s,y,2024,3\n", "attack-known-nowhere"),
    ],
)
def test_a_wrong_file_of_known_totals_is_refused(tmp_path: Path, text: str, problem: str):
    release, file = released(tmp_path), tmp_path / "known.csv"
    file.write_text(text, encoding="utf-8")
    done = run("attack", release, "--known", file, "--json")
    assert done.exit_code in (1, 2)
    assert json.loads(done.stdout)["problems"][0]["code"] == problem


def test_an_altered_release_is_neither_attacked_nor_verified(tmp_path: Path):
    release = released(tmp_path)
    with (release / "README.md").open("a", encoding="utf-8") as handle:
        handle.write("!")
    for command in ("attack", "verify"):
        assert printed(command, release, code=1)["problems"][0]["code"] == "release-altered"


def test_no_release_is_no_safe_release(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for command in ("attack", "verify"):
        assert printed(command, tmp_path / "empty", code=1)["problems"][0]["code"] == "attack-no-release"


def test_a_width_below_one_is_a_wrong_call(tmp_path: Path):
    assert run("attack", released(tmp_path), "--width", "0").exit_code == 2


def test_a_release_and_a_chain_are_verified(tmp_path: Path):
    release = released(tmp_path)
    identity = KeyStore.open(CITY.id).identity
    one = printed("verify", release, "--identity", identity)
    assert not one["chain"]
    assert one["releases"][0]["identity"] == identity
    assert one["problems"] == []
    chain = printed("verify", tmp_path / "city" / "releases")
    assert chain["chain"]
    assert chain["releases"][0]["in_force"]
    assert chain["problems"][0]["code"] == "release-unpinned"
    text = run("verify", release, "--identity", identity)
    assert f"identity {identity}: all of it holds" in text.stdout
    assert "release 1 of 2025-03-01" in text.stdout
    other = printed("verify", release, "--identity", f"ed25519:{'0' * 64}", code=1)
    assert other["problems"][0]["code"] == "release-identity"


def observatory(tmp_path: Path) -> Path:
    """A small town with enough robberies to publish some."""
    lines = ["date,lon,lat,sex"]
    for number in range(240):
        day = date(2023, 1, 1) + timedelta(days=number * 3)
        x, y = 0.5 + (number % 2), 0.5 + (number // 2 % 2)
        lines.append(f"{day.isoformat()},{x},{y},{'woman' if number % 3 else 'man'}")
    folder = tmp_path / "town"
    mini.build(folder, robberies="\n".join(lines) + "\n")
    return folder


def test_keys_are_made_shown_rotated_and_distrusted(tmp_path: Path):
    folder = observatory(tmp_path)
    assert printed("keys", "show", folder, code=1)["problems"][0]["code"] == "keys-missing"
    made = printed("keys", "make", folder)
    assert Path(made["folder"]).is_dir()
    assert printed("keys", "make", folder, code=1)["problems"][0]["code"] == "keys-exist"
    (first,) = printed("keys", "show", folder)["keys"]
    assert first["signs"]
    later = (date.today() + timedelta(days=1)).isoformat()
    assert len(printed("keys", "rotate", folder, "--from", later)["keys"]) == 2
    day = date.today().isoformat()
    said = printed("keys", "distrust", folder, first["key"], "--from", day, "--reason", "stolen laptop")
    assert (said["keys"][0]["distrusted"], said["keys"][0]["reason"]) == (day, "stolen laptop")
    assert not said["keys"][0]["signs"]
    assert said["identity"] == made["identity"]
    assert "signs no more" in run("keys", "show", folder).stdout
    assert run("keys", "distrust", folder, first["key"], "--from", "yesterday", "--reason", "x").exit_code == 2
    assert printed("keys", "distrust", folder, "ed25519:0", "--from", day, "--reason", "x", code=2)


def test_publish_attack_and_verify_one_after_the_other(tmp_path: Path):
    folder = observatory(tmp_path)
    done = run("publish", folder, "--date", "2026-03-01")
    assert done.exit_code == 0, done.output
    assert "Back up that folder" in done.stderr
    assert "Back up" not in run("publish", folder, "--date", "2026-03-01").stderr
    told = printed("verify", folder / "releases")
    assert told["releases"][0]["published"] == "2026-03-01"
    assert printed("attack", folder / "releases")["ok"]
    again = printed("publish", folder, "--date", "2026-03-01")
    assert again["folder"].endswith(told["releases"][0]["release"])
    assert printed("publish", folder, "--supersedes", "x", code=2)


def test_releases_without_keys_make_no_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = observatory(tmp_path)
    assert run("publish", folder, "--date", "2026-03-01").exit_code == 0
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    monkeypatch.setenv(FOLDER_VARIABLE, str(other))
    assert printed("publish", folder, code=1)["problems"][0]["code"] == "keys-elsewhere"
    assert list(other.iterdir()) == []


def test_nothing_is_fetched_where_no_source_has_an_address(tmp_path: Path):
    assert printed("fetch", observatory(tmp_path))["fetched"] == []
    assert run("fetch", observatory(tmp_path / "b"), "robberies").exit_code == 2


def test_help_loads_nothing_heavy():
    heavy = ("pyarrow", "numpy", "scipy", "highspy", "cryptography", "safercities.observatory", "safercities.release")
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom safercities.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_says_that_a_zip_of_all_releases_may_be_given():
    for command in ("verify", "attack"):
        said = " ".join(run(command, "--help").stdout.replace("│", " ").split())
        assert ".zip" in said, command
        assert "all releases" in said, command
