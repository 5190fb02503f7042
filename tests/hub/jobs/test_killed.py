"""Workers that are killed: nothing half-published, what ran is done again or says why not, nothing runs twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hub import made_observatory
from hub.jobs.previewed import copied, write
from hub.jobs.previewed import previewed as previewed
from hub.jobs.previewed import ready as ready
from hub.operate.made_hub import environment
from safercities.release.chain import verify_chain

PATIENCE = 120.0
ROWS = 30_000
SETUP = """
import os, sys, json
os.environ["DJANGO_SETTINGS_MODULE"] = "safercities.hub.settings"
import django
django.setup()
from datetime import timedelta
from safercities.hub.jobs import queue
from safercities.hub.models import *
"""
FIRST = """
ana = User.objects.create_user("ana@example.org", "long enough to be a password")
row = Observatory.objects.create(slug="mini", name="Mini", place_id="XA-MIN", folder=sys.argv[1])
"""
PUBLISH = """
row, ana, one = Observatory.objects.get(), User.objects.get(), Proposal.objects.get()
one.state, one.decided_by = "approved", ana
one.save()
queue.start(row, "publish", ana, proposal=one.pk)
"""


MEASURE = 'queue.start(row, "measure", None)'


class Hub:
    """A hub of its own: a home, a database, workers that end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "mini", folder / "home"
        self.env = environment(folder, SAFERCITIES_HUB_HOME=str(self.home), SAFERCITIES_LOG_LEVEL="WARNING")
        self.workers: list[subprocess.Popen[bytes]] = []

    @classmethod
    def new(cls, folder: Path, ready: Path, rows: int, then: str) -> Hub:
        """One whose observatory has so many rows, where these lines were run."""
        hub = cls(folder)
        made_observatory.build(hub.folder, rows)
        shutil.copytree(ready, hub.home)
        hub.say(FIRST + then)
        return hub

    def copy(self, folder: Path) -> Hub:
        """The same in another place."""
        copied(self.folder.parent, folder)
        return Hub(folder)

    def say(self, text: str) -> None:
        """Run some lines in the hub."""
        subprocess.run([sys.executable, "-c", SETUP + text, str(self.folder)], env=self.env, check=True, timeout=60)

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Start one."""
        command = [sys.executable, "-m", "safercities.hub", "worker", "--interval", "0.1", *options]
        self.workers.append(subprocess.Popen(command, env=self.env))
        return self.workers[-1]

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, the oldest first."""
        return [dict(row) for row in self.reading.execute("SELECT * FROM hub_job ORDER BY created")]

    @cached_property
    def reading(self) -> sqlite3.Connection:
        """One for all looks: they are many, so that what is to be killed is caught at its step."""
        made = sqlite3.connect(f"file:{self.home / 'hub.sqlite3'}?mode=ro", uri=True, timeout=20)
        made.row_factory = sqlite3.Row
        return made

    def last(self) -> dict[str, Any]:
        """The newest job."""
        return self.jobs()[-1]

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, self.jobs()
            assert all(worker.poll() in (None, 0, -signal.SIGKILL) for worker in self.workers)
            time.sleep(0.005)

    def ended(self) -> bool:
        return self.last()["state"] in ("done", "failed", "cancelled")

    def do(self) -> dict[str, Any]:
        """Have all that waits done."""
        worker = self.worker("--batch")
        assert worker.wait(PATIENCE) == 0
        return self.last()

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """As when the power fails for it; and time passes until that is noticed."""
        worker.kill()
        worker.wait()
        self.until(lambda: not self.children())
        write(self.home, "UPDATE hub_job SET heartbeat = '2020-01-01 00:00:00' WHERE state = 'running'")

    def children(self) -> list[int]:
        """Processes that run the last job."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if b"safercities.hub.jobs.child" in words and self.last()["id"] in words[3].decode().replace("-", ""):
                found.append(int(path.parent.name))
        return found

    def releases(self) -> list[str]:
        return sorted(one.name for one in (self.folder / "releases").glob("[!.]*"))

    def events(self, verb: str) -> int:
        with closing(sqlite3.connect(self.home / "hub.sqlite3", timeout=20)) as database:
            (found,) = database.execute("SELECT count(*) FROM hub_event WHERE verb = ?", [verb]).fetchone()
        return int(found)


@pytest.fixture(scope="module")
def measuring(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub where many rows wait to be measured. To be copied."""
    return Hub.new(tmp_path_factory.mktemp("measuring"), ready, ROWS, MEASURE)


@pytest.fixture(scope="module")
def publishing(previewed: Path, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub where a release that was previewed and approved waits to be published. To be copied."""
    folder = tmp_path_factory.mktemp("publishing")
    copied(previewed, folder)
    hub = Hub(folder)
    hub.say(PUBLISH)
    return hub


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Callable[[Hub], Hub]]:
    """Copies a hub, and ends its workers with the test."""
    made: list[Hub] = []

    def copy(hub: Hub) -> Hub:
        made.append(hub.copy(tmp_path))
        return made[-1]

    yield copy
    for worker in [worker for hub in made for worker in hub.workers]:
        if worker.poll() is None:
            worker.kill()
        worker.wait()
    for hub in made:
        hub.reading.close()


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes as Linux shows them")


def test_a_worker_killed_while_measuring(measuring: Hub, take: Callable[[Hub], Hub]) -> None:
    hub = take(measuring)
    worker = hub.worker()
    hub.until(lambda: hub.last()["step"].startswith("measure"))
    hub.kill(worker)
    assert hub.last()["state"] == "running"
    assert not (hub.folder / "build").exists()
    job = hub.do()
    assert (job["state"], job["attempt"]) == ("done", 2)
    assert (hub.folder / "build" / "estimates.parquet").is_file()


@pytest.mark.parametrize("step", ["protect-period", "attack", "write", "pages"])
def test_a_worker_killed_while_publishing(publishing: Hub, take: Callable[[Hub], Hub], step: str) -> None:
    hub = take(publishing)
    worker = hub.worker()
    hub.until(lambda: hub.last()["step"].partition("|")[0] == step or hub.ended())
    hub.kill(worker)
    # whatever is there holds
    chain = verify_chain(hub.folder / "releases") if hub.releases() else []
    assert [each.path.name for each in chain] == hub.releases()
    job = hub.do()
    assert job["state"] == "done", job["problems"]
    assert hub.releases() == ["2024-1"]
    assert len(verify_chain(hub.folder / "releases")) == 1
    assert hub.events("release.published") == hub.events("release.announced") == 1
    assert json.loads(job["result"])["release"] == 1


def test_two_workers_never_run_one_observatory_twice(
    ready: Path, tmp_path_factory: pytest.TempPathFactory, take: Callable[[Hub], Hub]
) -> None:
    asked = 'for kind in ("check", "measure", "figures"): queue.start(row, kind, None)'
    hub = take(Hub.new(tmp_path_factory.mktemp("two"), ready, 240, asked))
    workers = [hub.worker("--at-once", "2") for _ in range(2)]
    most = 0

    def all_ended() -> bool:
        nonlocal most
        jobs = hub.jobs()
        most = max(most, sum(one["state"] == "running" for one in jobs))
        return all(one["state"] in ("done", "failed") for one in jobs)

    hub.until(all_ended)
    jobs = hub.jobs()
    assert most == 1
    assert [(one["kind"], one["state"], one["attempt"]) for one in jobs] == [
        ("check", "done", 1),
        ("measure", "done", 1),
        ("figures", "done", 1),
    ]
    for before, after in pairwise(jobs):
        assert before["ended"] <= after["started"]
    for worker in workers:
        worker.terminate()
        assert worker.wait(PATIENCE) == 0


def test_memory_that_ends_takes_the_job_and_not_the_worker(measuring: Hub, take: Callable[[Hub], Hub]) -> None:
    hub = take(measuring)
    worker = hub.worker()
    hub.until(lambda: hub.last()["step"].startswith("measure"))
    (child,) = hub.children()
    os.kill(child, signal.SIGKILL)  # as the kernel does
    hub.until(hub.ended)
    assert hub.last()["state"] == "failed"
    assert "memory ran out" in hub.last()["message"]
    assert worker.poll() is None


def test_a_worker_that_is_stopped_puts_its_job_back(measuring: Hub, take: Callable[[Hub], Hub]) -> None:
    hub = take(measuring)
    worker = hub.worker()
    hub.until(lambda: hub.last()["step"].startswith("measure"))
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert not hub.children()
    assert (hub.last()["state"], hub.last()["attempt"]) == ("waiting", 0)
    assert hub.do()["state"] == "done"


def test_a_running_job_is_stopped_on_request(measuring: Hub, take: Callable[[Hub], Hub]) -> None:
    hub = take(measuring)
    hub.worker()
    hub.until(lambda: hub.last()["state"] == "running")
    hub.say("queue.ask_to_stop(Job.objects.get(), None)")
    hub.until(hub.ended)
    assert hub.last()["state"] in ("cancelled", "done")
    assert (hub.folder / "build").exists() == (hub.last()["state"] == "done")
