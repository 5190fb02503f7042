"""A server that is killed while files come, and while jobs run: nothing half is seen, all can be done again."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from hub.jobs.halted import Halt, below, kill, runs
from hub.jobs.previewed import copied, write
from hub.jobs.previewed import previewed as previewed
from hub.jobs.previewed import ready as ready
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
#: Where the writing of results is killed: its numbers are there, and nothing says that they are whole.
HALF_WRITTEN = "*/mini/.build.tmp-*/problems.csv"


class Place:
    """A folder with an observatory and the home of its hub, and an analyst who works there."""

    def __init__(self, folder: Path, previewed: Path) -> None:
        self.folder, self.home, self.city = folder, folder / "home", folder / "mini"
        self.halt = Halt(folder / "halted")
        copied(previewed, folder)
        self.session = (folder / "session").read_text()

    def say(self, text: str) -> None:
        """Run some lines beside the hub."""
        env = environment(self.folder, SAFERCITIES_HUB_HOME=str(self.home), SAFERCITIES_KEYS=str(self.home / "keys"))
        subprocess.run([sys.executable, "-c", SETUP + text], env=env, check=True, timeout=PATIENCE)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.home / 'hub.sqlite3'}?mode=ro", uri=True, timeout=20)) as database:
            return list(database.execute(sql))

    def job(self) -> tuple[Any, ...]:
        """State, step and attempt of the newest."""
        return self.rows("SELECT state, step, attempt FROM hub_job ORDER BY created DESC LIMIT 1")[0]

    def halted(self) -> int:
        """Wait until the newest job halts; its process."""
        until(lambda: self.halt.pid or self.job()[0] not in ("waiting", "running"))
        assert self.halt.pid, self.job()
        assert self.job()[0] == "running"
        return self.halt.pid

    def time_passes(self) -> None:
        """Until it is noticed that the job has lost its worker."""
        write(self.home, "UPDATE hub_job SET heartbeat = '2020-01-01 00:00:00' WHERE state = 'running'")

    def ended(self) -> str:
        """Wait for the end of the newest job; how it ended."""
        until(lambda: self.job()[0] not in ("waiting", "running"))
        return str(self.job()[0])

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


def server(hub: Running) -> int:
    """The process that answers requests, with its own below it."""
    return next(pid for pid in below(hub.process.pid) if b"granian" in _command(pid))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def end(pid: int) -> None:
    """As when the power fails for it and all that came from it."""
    ended = kill(pid)
    until(lambda: not any(runs(each) for each in ended))


def test_a_hub_killed_while_a_file_comes_and_while_it_measures(place: Place, tmp_path: Path) -> None:
    """While it counts, and again while it writes: nothing is half there, and the third time it all comes to its end."""
    undisturbed, build = tmp_path / "undisturbed" / "mini", place.city / "build"
    shutil.copytree(place.city, undisturbed)
    open_observatory(undisturbed).build()
    with served(place.folder, "mini", "--home", "home", **place.halt.at("measure-one")) as hub:
        place.say('queue.start(row, "measure", User.objects.get(email="ana@example.org"))')
        line, child = place.bring_half(hub), place.halted()
        assert place.job()[1].startswith("measure-one|")
        end(hub.process.pid)
        line.close()
    until(lambda: not runs(child))
    assert len(place.quarantined()) == 1  # what was left
    place.nothing_came()
    assert (place.job()[0], build.exists()) == ("running", False)
    place.time_passes()
    with served(place.folder, "--home", "home", **place.halt.at(HALF_WRITTEN)) as hub:
        assert place.quarantined() == []
        assert "cases.csv" not in hub.get("/")
        place.nothing_came()
        child = place.halted()
        assert place.job()[2] == 2
        end(hub.process.pid)
    until(lambda: not runs(child))
    (left,) = place.city.glob(".build.tmp-*")
    assert (left / "estimates.parquet").is_file()
    assert not (left / "manifest.json").exists()
    assert (place.job()[0], build.exists()) == ("running", False)
    assert not (place.city / "releases").exists()
    place.time_passes()
    with served(place.folder, "--home", "home") as hub:
        assert place.ended() == "done"
        assert place.job()[2] == 3
        assert whole(build, undisturbed / "build")
        assert {path.name for path in place.city.iterdir()} == {path.name for path in undisturbed.iterdir()}
        place.bring_half(hub).close()  # as a browser goes in the middle of an upload
        until(lambda: not place.quarantined())
        place.nothing_came()
        assert place.bring(hub) == 302
        place.all_came()
        assert hub.stop() == 0


def test_a_hub_killed_while_a_release_is_published(place: Place) -> None:
    """The release is made once, whoever is killed: the job is put back by the worker, or found without one."""
    releases = place.city / "releases"

    def numbers() -> list[int]:
        return [each.number for each in verify_chain(releases)] if releases.exists() else []

    with served(place.folder, "mini", "--home", "home", **place.halt.at("protect-period")) as hub:
        place.say(APPROVED)
        children = [place.halted()]
        end(server(hub))
        until(lambda: hub.process.poll() is not None)
    until(lambda: not runs(children[0]))  # the worker's processes end too, and leave nothing half
    assert numbers() == []
    place.time_passes()
    with served(place.folder, "--home", "home", **place.halt.at("attack")) as hub:
        children.append(place.halted())
        end(hub.process.pid)
    until(lambda: not any(map(runs, children)))
    assert numbers() == []
    place.time_passes()
    with served(place.folder, "--home", "home") as hub:
        assert place.ended() == "done"
        assert hub.get("/o/mini/releases/1/")
    assert numbers() == [1]
    for verb in ("release.published", "release.announced"):
        assert place.rows(f"SELECT count(*) FROM hub_event WHERE verb = '{verb}'") == [(1,)]
    assert place.rows("SELECT state FROM hub_proposal") == [("published",)]


def whole(found: Path, wanted: Path) -> bool:
    """Whether a folder holds the same files as another one."""
    return _contents(found) == _contents(wanted)


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
