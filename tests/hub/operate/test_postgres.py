"""The hub on PostgreSQL: tests of that in which databases differ, and a backup that comes back in another database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hub.operate.made_hub import typed
from hub.operate.test_serve import served, strip
from hub.postgres import Cluster

ROOT = Path(__file__).parents[3]


#: Where the databases differ: what they refuse, lock, count and sort. All others run by `python tests/hub/postgres.py`.
THERE_TOO = (
    "tests/hub/test_models.py",
    "tests/hub/test_access.py",
    "tests/hub/test_invitations.py",
    "tests/hub/jobs/test_queue.py",
    "tests/hub/workbench/test_members.py",
    "tests/hub/workbench/test_publish_steps.py::test_two_people_are_two",
    "tests/hub/workbench/test_publish_steps.py::test_the_database_refuses_one_person_for_two",
)


def test_models_queue_rights_and_publishing_hold_there_too(postgres: Cluster) -> None:
    environ = {**os.environ, "SAFERCITIES_TEST_DATABASE_URL": postgres.create()}
    words = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", *THERE_TOO]
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_backup_of_a_running_hub_comes_back_in_another_database(
    postgres: Cluster, published: Path, ready: Path, tmp_path: Path
) -> None:
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ready, tmp_path / "home", ignore=shutil.ignore_patterns("hub.sqlite3*"))
    first, second = postgres.create(), postgres.create()
    with served(tmp_path, "city", "--home", "home", SAFERCITIES_DATABASE_URL=first) as hub:
        page = hub.get("/o/mini/")
        copied = typed(tmp_path, "backup", "--home", "home", "hub.tar.gz", SAFERCITIES_DATABASE_URL=first)
    assert copied.returncode == 0, copied.stderr
    assert not (tmp_path / "home" / "hub.sqlite3").exists()
    for url, why in (("", "PostgreSQL database"), (first, "holds tables already")):
        done = typed(tmp_path, "restore", "hub.tar.gz", "--home", "new", SAFERCITIES_DATABASE_URL=url)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
        assert not (tmp_path / "new").exists()
    done = typed(tmp_path, "restore", "hub.tar.gz", "--home", "new", SAFERCITIES_DATABASE_URL=second)
    assert done.returncode == 0, done.stderr
    with served(tmp_path, "--home", "new", SAFERCITIES_DATABASE_URL=second) as hub:
        assert strip(hub.get("/o/mini/")) == strip(page)
    assert postgres.sql("SELECT count(*) FROM hub_event", second.rpartition("/")[2]) >= "2"


def test_all_tests_can_be_run_there_by_hand(tmp_path: Path) -> None:
    """The program sees its own folder, and not that of the tests; loading it finds all that it needs."""
    run = [sys.executable, "-c", "import runpy, sys; runpy.run_path(sys.argv[1])", ROOT / "tests/hub/postgres.py"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_wrong_password_is_said_and_never_shown(postgres: Cluster, published: Path, tmp_path: Path) -> None:
    shutil.copytree(published / "city", tmp_path / "city")
    url = postgres.create().replace(postgres.url("x").split(":")[2].split("@")[0], "secretword")
    done = typed(tmp_path, "serve", "city", "--home", "h", "--port", 0, "--no-browser", SAFERCITIES_DATABASE_URL=url)
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "secretword" not in done.stderr
    said = json.dumps(done.stderr)
    assert "Traceback" not in said
