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
from hub.jobs.halted import Halt, runs
from hub.jobs.previewed import copied, write
from hub.jobs.previewed import previewed as previewed
from hub.jobs.previewed import ready as ready
from hub.operate.made_hub import environment
from safercities.release.chain import verify_chain

PATIENCE = 120.0
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
#: Asks for it again, and asks it to stop once its process has come to where it halts.
MEASURE_AND_STOP = """
import time
from pathlib import Path
job = queue.start(Observatory.objects.get(), "measure", None)
while not Path(sys.argv[2]).exists():
    time.sleep(0.02)
queue.ask_to_stop(job, None)
"""
#: Three jobs, and one call more than they need.
THREE = """
from safercities.hub.jobs.tasks import work
for kind in ("check", "measure", "figures"):
    queue.start(row, kind, None)
work.enqueue(row.pk)
"""
#: Where the writing of a release is killed: its numbers are there, and nothing has sealed them.
HALF_WRITTEN = "*/releases/.2024-1.tmp-*/manifest.json"


class Hub:
    """A hub of its own: a home, a database, workers that end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "mini", folder / "home"
        self.env, self.halt = self.environ(), Halt(folder / "halted")
        self.workers: list[subprocess.Popen[bytes]] = []

    def environ(self, **more: str) -> dict[str, str]:
        """That of its processes."""
        home = {"SAFERCITIES_HUB_HOME": str(self.home), "SAFERCITIES_LOG_LEVEL": "WARNING"}
        return environment(self.home.parent, **home, **more)

    @classmethod
    def new(cls, folder: Path, ready: Path, then: str) -> Hub:
        """One with an observatory, where these lines were run."""
        hub = cls(folder)
        made_observatory.build(hub.folder)
        shutil.copytree(ready, hub.home)
        hub.say(FIRST + then)
        return hub

    def copy(self, folder: Path) -> Hub:
        """The same in another place."""
        copied(self.folder.parent, folder)
        return Hub(folder)

    def say(self, text: str) -> None:
        """Run some lines in the hub."""
        words = [sys.executable, "-c", SETUP + text, str(self.folder), str(self.halt.file)]
        subprocess.run(words, env=self.env, check=True, timeout=PATIENCE)

    def worker(self, *options: str, at: str = "") -> subprocess.Popen[bytes]:
        """Start one. Its jobs halt at this place, if one is named: see `halted`."""
        command = [sys.executable, "-m", "safercities.hub", "worker", "--interval", "0.1", *options]
        env = self.environ(**self.halt.at(at)) if at else self.env
        self.workers.append(subprocess.Popen(command, env=env))
        return self.workers[-1]

    def halted(self) -> int:
        """Wait until the job halts; its process."""
        self.until(lambda: self.halt.pid or self.ended())
        assert self.halt.pid, self.last()
        assert "running" in {job["state"] for job in self.jobs()}
        return self.halt.pid

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, the oldest first."""
        return [dict(row) for row in self.reading.execute("SELECT * FROM hub_job ORDER BY created")]

    @cached_property
    def reading(self) -> sqlite3.Connection:
        """One for all looks."""
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
            time.sleep(0.02)

    def ended(self) -> bool:
        return self.last()["state"] in ("done", "failed", "cancelled")

    def do(self) -> dict[str, Any]:
        """Have all that waits done."""
        worker = self.worker("--batch")
        assert worker.wait(PATIENCE) == 0
        return self.last()

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """As when the power fails for it while its job halts; and time passes until that is noticed."""
        child = self.halted()
        worker.kill()
        worker.wait()
        self.until(lambda: not runs(child))
        write(self.home, "UPDATE hub_job SET heartbeat = '2020-01-01 00:00:00' WHERE state = 'running'")

    def releases(self) -> list[str]:
        return sorted(one.name for one in (self.folder / "releases").glob("[!.]*"))

    def events(self, verb: str) -> int:
        with closing(sqlite3.connect(self.home / "hub.sqlite3", timeout=20)) as database:
            (found,) = database.execute("SELECT count(*) FROM hub_event WHERE verb = ?", [verb]).fetchone()
        return int(found)


@pytest.fixture(scope="module")
def measuring(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub where an observatory waits to be measured. To be copied."""
    return Hub.new(tmp_path_factory.mktemp("measuring"), ready, MEASURE)


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


def test_a_worker_that_is_stopped_puts_its_job_back_and_one_that_is_killed_loses_it(
    measuring: Hub, take: Callable[[Hub], Hub]
) -> None:
    hub = take(measuring)
    worker = hub.worker(at="measure-one")
    child = hub.halted()
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert not runs(child)
    assert (hub.last()["state"], hub.last()["attempt"]) == ("waiting", 0)
    hub.kill(hub.worker(at="measure-one"))
    assert hub.last()["state"] == "running"
    assert not (hub.folder / "build").exists()
    job = hub.do()
    assert (job["state"], job["attempt"]) == ("done", 2)  # to be stopped was none
    assert (hub.folder / "build" / "estimates.parquet").is_file()


@pytest.mark.parametrize("steps", [("protect-period", "attack"), ("write", "pages")], ids="-".join)
def test_a_worker_killed_while_publishing(publishing: Hub, take: Callable[[Hub], Hub], steps: tuple[str, str]) -> None:
    """Two times, each at another step; the third time nobody is killed."""
    hub = take(publishing)
    for step in steps:
        hub.kill(hub.worker(at=HALF_WRITTEN if step == "write" else step))
        assert hub.last()["step"].partition("|")[0] == step
        # whatever is there holds
        chain = verify_chain(hub.folder / "releases") if hub.releases() else []
        assert [each.path.name for each in chain] == hub.releases() == (["2024-1"] if step == "pages" else [])
        left = (hub.folder / "releases").glob(".2024-1.tmp-*/*")
        assert {"estimates.parquet", "manifest.json"} & {path.name for path in left} == (
            {"estimates.parquet"} if step == "write" else set()
        )
    job = hub.do()
    assert (job["state"], job["attempt"]) == ("done", 3), job["problems"]
    assert hub.releases() == ["2024-1"]
    assert len(verify_chain(hub.folder / "releases")) == 1
    assert hub.events("release.published") == hub.events("release.announced") == 1
    assert json.loads(job["result"])["release"] == 1


def test_two_workers_never_run_one_observatory_twice(
    ready: Path, tmp_path_factory: pytest.TempPathFactory, take: Callable[[Hub], Hub]
) -> None:
    hub = take(Hub.new(tmp_path_factory.mktemp("two"), ready, THREE))
    workers = [hub.worker("--at-once", "2", at="check-source") for _ in range(2)]
    hub.halted()
    most, lanes = 0, set[str]()

    def three_have_looked() -> bool:
        """Call again, until a lane of either worker has come: each has two, and one of the four is at the job."""
        for status, taken in hub.reading.execute("SELECT status, worker_ids FROM django_tasks_database_dbtaskresult"):
            assert status != "FAILED"
            lanes.update(json.loads(taken))
        write(hub.home, "UPDATE django_tasks_database_dbtaskresult SET status = 'READY' WHERE status = 'SUCCESSFUL'")
        return len(lanes) > 2

    def all_ended() -> bool:
        nonlocal most
        jobs = hub.jobs()
        most = max(most, sum(one["state"] == "running" for one in jobs))
        return all(one["state"] in ("done", "failed") for one in jobs)

    hub.until(three_have_looked)
    assert not all_ended()
    hub.halt.go_on()
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
    """It takes the next one, which is stopped on request."""
    hub = take(measuring)
    worker = hub.worker(at="measure-one")
    os.kill(hub.halted(), signal.SIGKILL)  # as the kernel does
    hub.until(hub.ended)
    assert hub.last()["state"] == "failed"
    assert "memory ran out" in hub.last()["message"]
    hub.halt.go_on()  # the place is free
    hub.say(MEASURE_AND_STOP)
    assert hub.halted()
    hub.halt.go_on()
    hub.until(hub.ended)
    assert len(hub.jobs()) == 2
    assert hub.last()["state"] == "cancelled"
    assert not (hub.folder / "build").exists()
    assert worker.poll() is None
