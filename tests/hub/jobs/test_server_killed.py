"""A server that is killed while files come, and while jobs run: nothing half is seen, all can be done again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from hub.jobs.previewed import copied, write
from hub.jobs.previewed import previewed as previewed
from hub.jobs.previewed import ready as ready
from hub.made_observatory import robberies
from hub.operate.made_hub import environment
from hub.operate.test_serve import BUILT, Running, served
from safercities.observatory import open as open_observatory
from safercities.release.chain import verify_chain

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes as Linux shows them"),
    pytest.mark.skipif(not BUILT.exists(), reason="the front end has not been built: run `make frontend`"),
]
PATIENCE = 90.0
#: Several of the pieces in which the hub writes what comes.
CONTENT = b"date,lon,lat,sex\n" + b"2024-03-04,0.5,0.5,woman\n" * 250_000
SETUP = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "safercities.hub.settings"
import django
django.setup()
from safercities.hub.jobs import queue
from safercities.hub.models import *
row = Observatory.objects.get()
"""
APPROVED = """
ana, one = User.objects.get(email="ana@example.org"), Proposal.objects.get()
one.state, one.decided_by = "approved", ana
one.save()
queue.start(row, "publish", ana, proposal=one.pk)
"""


class Place:
    """A folder with an observatory and the home of its hub, and an analyst who works there."""

    def __init__(self, folder: Path, previewed: Path) -> None:
        self.folder, self.home, self.city = folder, folder / "home", folder / "mini"
        copied(previewed, folder)
        self.session = (folder / "session").read_text()

    def say(self, text: str) -> None:
        """Run some lines beside the hub."""
        env = environment(self.folder, SAFERCITIES_HUB_HOME=str(self.home), SAFERCITIES_KEYS=str(self.home / "keys"))
        subprocess.run([sys.executable, "-c", SETUP + text], env=env, check=True, timeout=60)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.home / 'hub.sqlite3'}?mode=ro", uri=True, timeout=20)) as database:
            return list(database.execute(sql))

    def job(self) -> tuple[Any, ...]:
        """State, step and attempt of the newest."""
        return self.rows("SELECT state, step, attempt FROM hub_job ORDER BY created DESC LIMIT 1")[0]

    def quarantined(self) -> list[Path]:
        return sorted((self.home / "uploads").iterdir())

    def form(self, hub: Running) -> tuple[dict[str, str], bytes]:
        """Headers and body by which the analyst's browser brings the file."""
        connection = HTTPConnection("127.0.0.1", hub.port, timeout=30)
        connection.request("GET", "/w/mini/files/", headers={"Cookie": f"sessionid={self.session}"})
        answer = connection.getresponse()
        page = answer.read().decode()
        assert answer.status == 200, page
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found
        cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        connection.close()
        parts = (
            f'--edge\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{found[1]}\r\n'
            '--edge\r\nContent-Disposition: form-data; name="file"; filename="cases.csv"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        )
        body = parts.encode() + CONTENT + b"\r\n--edge--\r\n"
        headers = {"Cookie": f"sessionid={self.session}; {cookie}", "Content-Length": str(len(body))}
        return headers | {"Content-Type": "multipart/form-data; boundary=edge"}, body

    def bring(self, hub: Running) -> int:
        """Bring the file, whole; the status of the answer."""
        headers, body = self.form(hub)
        connection = HTTPConnection("127.0.0.1", hub.port, timeout=60)
        with closing(connection):
            connection.request("POST", "/w/mini/files/upload/", body, headers)
            return connection.getresponse().status

    def bring_half(self, hub: Running) -> socket.socket:
        """Send half of it; the connection stays open. Some of it lies in quarantine when this returns."""
        headers, body = self.form(hub)
        lines = [f"{name}: {text}" for name, text in ({"Host": f"127.0.0.1:{hub.port}"} | headers).items()]
        head = "\r\n".join(["POST /w/mini/files/upload/ HTTP/1.1", *lines, "", ""])
        line = socket.create_connection(("127.0.0.1", hub.port), timeout=30)
        line.sendall(head.encode() + body[: len(body) // 2])
        until(lambda: sum(path.stat().st_size for path in self.quarantined()) >= 2**20)
        return line

    def nothing_came(self) -> None:
        """No row and no file says that anything was brought."""
        assert self.rows("SELECT * FROM hub_upload") == []
        assert self.rows("SELECT * FROM hub_event WHERE verb = 'file.uploaded'") == []
        assert not list(self.city.glob("inputs/*"))

    def all_came(self) -> None:
        """The file is there, whole, once."""
        ((stored, size, mark),) = self.rows("SELECT stored, size, sha256 FROM hub_upload")
        assert (size, mark) == (len(CONTENT), sha256(CONTENT).hexdigest())
        assert (self.city / stored).read_bytes() == CONTENT
        assert len(list((self.city / "inputs").iterdir())) == 1
        assert self.quarantined() == []


@pytest.fixture
def place(tmp_path: Path, previewed: Path) -> Place:
    return Place(tmp_path, previewed)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for each in below for found in family(int(each)))]


def kill(pids: list[int]) -> None:
    """As when the power fails: all at once, and nobody is asked."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def server(hub: Running) -> list[int]:
    """Processes that answer requests."""
    return next(each for each in map(family, _children(hub)) if b"granian" in _command(each[0]))


def _children(hub: Running) -> list[int]:
    return [int(each) for each in Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children").read_text().split()]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_hub_killed_in_the_middle_of_an_upload(place: Place) -> None:
    with served(place.folder, "mini", "--home", "home") as hub:
        line = place.bring_half(hub)
        kill(family(hub.process.pid))
        line.close()
    assert len(place.quarantined()) == 1  # what was left
    place.nothing_came()
    with served(place.folder, "--home", "home") as hub:
        assert place.quarantined() == []
        assert "cases.csv" not in hub.get("/")
        place.nothing_came()
        assert place.bring(hub) == 302
        place.all_came()
        assert hub.stop() == 0


def test_a_browser_that_goes_in_the_middle_of_an_upload_brings_nothing(place: Place) -> None:
    with served(place.folder, "mini", "--home", "home") as hub:
        place.bring_half(hub).close()
        until(lambda: not place.quarantined())
        place.nothing_came()
        assert place.bring(hub) == 302
        place.all_came()


@pytest.mark.parametrize(("who", "step"), [("the server", "protect"), ("all of them", "attack")])
def test_a_hub_killed_while_a_release_is_published(place: Place, who: str, step: str) -> None:
    """The release is made once, whoever is killed: the job is put back by the worker, or found without one."""
    with served(place.folder, "mini", "--home", "home") as hub:
        place.say(APPROVED)
        until(lambda: str(place.job()[1]).startswith(step) or place.job()[0] == "done")
        kill(family(hub.process.pid) if who == "all of them" else server(hub))
        until(lambda: hub.process.poll() is not None)
    # the worker's processes end too, and leave nothing half
    until(lambda: not any(_is_job(path, place.home) for path in Path("/proc").glob("[0-9]*")))
    releases = place.city / "releases"
    assert [each.number for each in verify_chain(releases)] in ([], [1]) if releases.exists() else True
    write(place.home, "UPDATE hub_job SET heartbeat = '2020-01-01 00:00:00' WHERE state = 'running'")
    with served(place.folder, "--home", "home") as hub:
        until(lambda: place.job()[0] not in ("waiting", "running"))
        assert place.job()[0] == "done"
        assert hub.get("/o/mini/releases/1/")
    assert [each.number for each in verify_chain(releases)] == [1]
    for verb in ("release.published", "release.announced"):
        assert place.rows(f"SELECT count(*) FROM hub_event WHERE verb = '{verb}'") == [(1,)]
    assert place.rows("SELECT state FROM hub_proposal") == [("published",)]


def test_a_hub_killed_while_it_measures_leaves_nothing_half_and_measures_the_same(place: Place, tmp_path: Path) -> None:
    """While it counts, and again while it writes: there is no result until there is the whole one."""
    head, *lines = robberies(50_000).splitlines(keepends=True)
    (place.city / "robberies.csv").write_text(head + "".join(lines) * 4, encoding="utf-8")
    undisturbed, build = tmp_path / "undisturbed" / "mini", place.city / "build"
    shutil.copytree(place.city, undisturbed)
    open_observatory(undisturbed).build()
    started = ["mini"]
    for moment in ("measure", "write"):
        with served(place.folder, *started, "--home", "home") as hub:
            if started:
                place.say('queue.start(row, "measure", User.objects.get(email="ana@example.org"))')
            until(lambda: place.job()[0] == "running" and str(place.job()[1]).startswith("measure"))
            if moment == "write":
                until(lambda: list(place.city.glob(".build.tmp-*")) or place.job()[0] == "done")
            kill(family(hub.process.pid))
            started.clear()
        assert moment == "write" or (place.job()[0], build.exists()) == ("running", False)
        assert not build.exists() or whole(build, undisturbed / "build")
        assert not (place.city / "releases").exists()
        write(place.home, "UPDATE hub_job SET heartbeat = '2020-01-01 00:00:00' WHERE state = 'running'")
    with served(place.folder, "--home", "home") as hub:
        until(lambda: place.job()[0] not in ("waiting", "running"))
        assert hub.stop() == 0
    state, _, attempt = place.job()
    assert state == "done"
    assert attempt in (2, 3)  # the second time it may have been written before it was killed
    assert whole(build, undisturbed / "build")
    assert {path.name for path in place.city.iterdir()} == {path.name for path in undisturbed.iterdir()}


def whole(found: Path, wanted: Path) -> bool:
    """Whether a folder holds the same files as another one."""
    return _contents(found) == _contents(wanted)


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _is_job(path: Path, home: Path) -> bool:
    """Whether a process runs a job of this hub."""
    try:
        return (
            b"jobs.child" in (path / "cmdline").read_bytes() and str(home).encode() in (path / "environ").read_bytes()
        )
    except OSError:
        return False
