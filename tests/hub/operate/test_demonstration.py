"""The demo's last step: a hub in a home of its own, which ends by itself where nobody sits at a terminal."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.operate.made_hub import environment
from safercities.hub.operate import demonstration, starting
from safercities.hub.operate.demonstration import MARK, fresh_home, settle_environment, show
from safercities.model.errors import UsageError, problem

SHOW = (
    "from pathlib import Path; from safercities.hub.operate.demonstration import show;"
    "show(Path('city'), Path('keys'), Path('r'))"
)
#: The new home is filled at once: that one is made from nothing is seen where nobody sits at a terminal.
READY = """
import shutil, sys
from safercities.hub.operate import demonstration
new = demonstration.fresh_home
demonstration.fresh_home = lambda city: shutil.copytree(sys.argv[1], new(city), dirs_exist_ok=True)
"""


def test_the_home_of_an_earlier_demonstration_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    home = fresh_home(tmp_path / "city")
    assert home == tmp_path / "city-hub"
    (home / "hub.sqlite3").touch()
    assert [path.name for path in fresh_home(tmp_path / "city").iterdir()] == [MARK]
    (home / MARK).unlink()
    (home / "mine").touch()
    with pytest.raises(UsageError) as caught:
        fresh_home(tmp_path / "city")
    assert caught.value.problems[0].code == "hub-demo-home"
    assert (home / "mine").exists()


def test_a_demonstration_that_runs_is_left_alone(tmp_path: Path) -> None:
    from safercities.hub.operate.serving import only_one

    home = fresh_home(tmp_path / "city")
    with only_one(home), pytest.raises(UsageError) as caught:
        fresh_home(tmp_path / "city")
    assert caught.value.problems[0].code == "hub-running"
    assert (home / MARK).exists()


def test_settings_of_a_hub_in_earnest_are_none_of_its_business(tmp_path: Path) -> None:
    environ = {"SAFERCITIES_DATABASE_URL": "postgres://real", "SAFERCITIES_ALLOWED_HOSTS": "city.example", "HOME": "/h"}
    settle_environment(environ, tmp_path, tmp_path / "keys")
    said = {"LOG_LEVEL": "WARNING", "DEMO": "1", "HUB_HOME": str(tmp_path), "KEYS": str(tmp_path / "keys")}
    assert environ == {"HOME": "/h"} | {f"SAFERCITIES_{name}": value for name, value in said.items()}


def test_without_the_hubs_packages_the_review_opens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> None:
        raise UsageError(problem("hub-extra", missing="granian"))

    opened: list[Path] = []
    said: list[str] = []
    monkeypatch.setattr(starting, "require_packages", missing)
    monkeypatch.setattr(demonstration.terminal, "browse", opened.append)
    show(tmp_path / "city", tmp_path, tmp_path / "review.html", say=said.append)
    assert opened == [tmp_path / "review.html"]
    assert "granian" in said[0]
    assert not (tmp_path / "city-hub").exists()


def test_without_a_terminal_it_answers_says_so_and_ends(published: Path, ready: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    home = tmp_path / "city-hub"
    shutil.copytree(ready, home)
    for name in (MARK, ".serve.lock", "old"):  # what an earlier one has left
        (home / name).touch()
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=tmp_path,
        env=environment(tmp_path, BROWSER="lynx"),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "It answers on /healthz, /, /o/mini/." in done.stderr
    assert "account/password" not in done.stderr
    assert (home / MARK).exists()
    assert not (home / "old").exists()


@pytest.mark.parametrize("browser", ["true", "there-is-no-such-browser"])
def test_at_a_terminal_it_stays_unless_the_browser_is_switched_off(
    published: Path, ready: Path, tmp_path: Path, browser: str
) -> None:
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    ours, theirs = pty.openpty()
    run = [sys.executable, "-c", READY + SHOW, str(ready)]
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(run, cwd=tmp_path, env=environment(tmp_path, BROWSER=browser), **ends)
    os.close(theirs)
    said, until = "", time.monotonic() + 60
    while "Ctrl-C stops it" not in said and "stopped again" not in said and time.monotonic() < until:
        said += os.read(ours, 4096).decode()
    if browser == "true":
        assert "It was only tried out" in said
    else:
        assert "Ctrl-C stops it" in said
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    os.close(ours)
