"""`safercities serve`, `backup`, `restore` as somebody types them: on an observatory, and where things are wrong."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.test import override_settings

from hub.operate.made_hub import command, environment, typed
from safercities.hub.operate.serving import Place, public_address
from safercities.release.store import FOLDER_VARIABLE

BUILT = Path(__file__).parents[3] / "src/safercities/hub/static/hub/built/manifest.json"
pytestmark = pytest.mark.skipif(not BUILT.exists(), reason="the front end has not been built: run `make frontend`")
ADDRESS = re.compile(r"The hub is at http://127\.0\.0\.1:(\d+)/")


class Running:
    """A hub that runs, what it said until it was ready, and its port."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.said = process, ""
        assert process.stderr
        for line in process.stderr:
            self.said += line
            found = ADDRESS.search(line)
            if found:
                self.port = int(found[1])
                return
        raise AssertionError(self.said)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> int:
        """Stop it, as a process manager does."""
        self.process.send_signal(kind)
        self.said += self.process.communicate(timeout=40)[1]
        return self.process.returncode


@contextmanager
def served(folder: Path, *words: object, **more: str) -> Iterator[Running]:
    """A hub that was started by a command."""
    run = command("serve", *words, "--port", 0, "--no-browser")
    process = subprocess.Popen(
        run, env=environment(folder, **more), cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=40)
        assert process.stderr
        process.stderr.close()


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rows(home: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(home / "hub.sqlite3")) as database:
        return database.execute("SELECT slug, folder FROM hub_observatory ORDER BY slug").fetchall()


def test_from_a_folder_to_pages_and_a_backup_of_the_running_hub_and_back(published: Path, tmp_path: Path) -> None:
    """The whole way: serve, read, back up while it runs, stop, restore, serve, read the same."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    home, keys = tmp_path / "home", {FOLDER_VARIABLE: str(tmp_path / "keys")}
    with served(tmp_path, "city", "--home", "home", **keys) as hub:
        assert "/account/password/reset/key/" in hub.said
        assert home.stat().st_mode & 0o777 == 0o700
        assert hub.get("/readyz") == "ok\n"
        page = hub.get("/o/mini/")
        second = typed(tmp_path, "serve", "--home", "home", "--port", 0, "--no-browser")
        assert (second.returncode, "running on this home" in second.stderr) == (2, True)
        taken = typed(tmp_path, "serve", "--home", "other", "--port", hub.port, "--no-browser")
        assert (taken.returncode, f"port {hub.port}" in taken.stderr) == (2, True)
        copied = typed(tmp_path, "backup", "--home", "home", "--keys", "--json", "hub.tar.gz", **keys)
        assert copied.returncode == 0, copied.stderr
        pids = children(hub.process.pid)
        assert len(pids) == 2
        assert hub.stop() == 0
        assert "The hub has stopped." in hub.said
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    said = json.loads(copied.stdout)
    assert (said["observatories"], said["keys"], said["problems"]) == (1, True, [])
    shutil.rmtree(tmp_path / "city")  # nothing of the old place is needed
    made = typed(tmp_path, "restore", "hub.tar.gz", "--home", "new")
    assert made.returncode == 0, made.stderr
    new = tmp_path / "new"
    assert rows(new) == [("mini", str(new / "observatories/mini"))]
    assert (new / "secret.key").read_text() == (home / "secret.key").read_text()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (new, *(new / "keys").rglob("*")))
    with served(tmp_path, "--home", "new") as hub:
        assert strip(hub.get("/o/mini/")) == strip(page)
        assert hub.stop(signal.SIGINT) == 0
    again = typed(tmp_path, "restore", "hub.tar.gz", "--home", "new")
    assert (again.returncode, "not empty" in again.stderr) == (2, True)


def strip(page: str) -> str:
    """A page without the words that are made anew for each visitor, and without the hashes of its files."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"|"/static/[^"]*"', "", page)


def test_a_backup_without_keys_holds_none_and_leaves_out_links(published: Path, ready: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ready, tmp_path / "home")
    (tmp_path / "city" / "link.csv").symlink_to("/etc/hostname")
    with served(tmp_path, "city", "--home", "home") as hub:
        assert "SAFERCITIES_KEYS" not in hub.said
    copied = typed(tmp_path, "backup", "--home", "home", "hub.tar.gz")
    assert copied.returncode == 0
    assert "1 links" in copied.stderr
    with tarfile.open(tmp_path / "hub.tar.gz") as tar:
        names = tar.getnames()
    assert names[-1] == "backup.json"
    assert not [name for name in names if "keys/" in name or name.endswith(".key") or "link" in name]
    inside = typed(tmp_path, "backup", "--home", "home", "city/hub.tar.gz")
    assert (inside.returncode, "which it copies" in inside.stderr) == (2, True)
    shutil.rmtree(tmp_path / "city")
    gone = typed(tmp_path, "backup", "--home", "home", "hub2.tar.gz")
    assert (gone.returncode, "no such folder" in gone.stderr) == (1, True)
    assert not list(tmp_path.glob("*hub2*"))


@pytest.mark.parametrize(
    ("words", "more", "code", "sentence"),
    [
        (["--home", "file/home"], {}, 2, "cannot be written to"),
        (["no-such-city"], {}, 2, "no-such-city"),
        (["--host", "192.0.2.1"], {}, 2, "cannot listen on 192.0.2.1"),
        (["--port", "70000"], {}, 2, "--port"),
        ([], {"SAFERCITIES_UPLOAD_MAX_MB": "many"}, 2, "SAFERCITIES_UPLOAD_MAX_MB"),
        (["--host", "0.0.0.0"], {"SAFERCITIES_DEMO": "1"}, 2, "can be reached by other machines"),
        ([], {"SAFERCITIES_DEMO": "1", "SAFERCITIES_ALLOWED_HOSTS": "city.example"}, 2, "city.example can be reached"),
        ([], {"SAFERCITIES_DATABASE_URL": "postgres://a:geheim@127.0.0.1:1/b"}, 1, "SAFERCITIES_DATABASE_URL"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    ready: Path, tmp_path: Path, words: list[str], more: dict[str, str], code: int, sentence: str
) -> None:
    shutil.copytree(ready, tmp_path / "home")
    (tmp_path / "file").touch()
    done = typed(tmp_path, "serve", "--home", "home", "--port", 0, "--no-browser", *words, **more)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "geheim" not in done.stderr


def test_a_home_that_may_not_be_written_to(tmp_path: Path) -> None:
    """/proc refuses root as well."""
    done = typed(tmp_path, "serve", "--home", "/proc/hub", "--port", 0, "--no-browser")
    assert (done.returncode, "cannot be written to" in done.stderr) == (2, True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = typed(tmp_path, "serve", "--home", "home", "--port", port)
    assert (done.returncode, f"--port {port + 1}" in done.stderr) == (2, True)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("hosts", "https", "address"),
    [
        (["localhost", "127.0.0.1"], False, "http://127.0.0.1:8000/"),
        (["127.0.0.1", "safety.example.org"], True, "https://safety.example.org/"),
        ([".example.org"], False, "http://example.org:8000/"),
        (["*"], True, "http://127.0.0.1:8000/"),
    ],
)
def test_links_lead_to_the_name_under_which_people_reach_it(hosts: list[str], https: bool, address: str) -> None:
    with override_settings(ALLOWED_HOSTS=hosts, HTTPS=https):
        assert public_address(Place("127.0.0.1", 8000)) == address


def test_where_no_hub_is_nothing_is_backed_up_or_made(tmp_path: Path) -> None:
    done = typed(tmp_path, "backup", "--home", "none", "hub.tar.gz")
    assert (done.returncode, "no hub in this folder" in done.stderr) == (2, True)
    assert not list(tmp_path.iterdir())
    done = typed(tmp_path, "restore", "hub.tar.gz", "--home", "new")
    assert (done.returncode, "no such file" in done.stderr) == (2, True)
    (tmp_path / "hub.tar.gz").write_text("no archive")
    done = typed(tmp_path, "restore", "hub.tar.gz", "--home", "new", "--json")
    assert (done.returncode, json.loads(done.stdout)["problems"][0]["code"]) == (1, "backup-broken")
    assert [path.name for path in tmp_path.iterdir()] == ["hub.tar.gz"]
