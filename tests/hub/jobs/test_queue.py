"""The queue: one at a time, in turn; lost jobs come back or end with a reason; nothing is written by who lost it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from hub.postgres import own_database
from safercities.hub.jobs import queue
from safercities.hub.jobs.tasks import work
from safercities.hub.models import Event, Job, Observatory


def lost(job: Job) -> None:
    """Its worker is gone for a while."""
    before = timezone.now() - timedelta(seconds=queue.STALE + 5)
    Job.objects.filter(pk=job.pk).update(heartbeat=before)


def claimed(city: Observatory) -> tuple[Job, queue.Hold]:
    job = queue.claim(city.pk)
    assert job is not None
    return job, queue.Hold(str(job.pk), job.lease)


def test_jobs_of_an_observatory_run_one_after_the_other_in_turn(city: Observatory, hidden: Observatory) -> None:
    first, second = queue.start(city, "check", None), queue.start(city, "measure", None)
    other = queue.start(hidden, "check", None)
    job, hold = claimed(city)
    assert job == first
    assert queue.claim(city.pk) is None
    assert claimed(hidden)[0] == other
    hold.end(Job.State.DONE)
    assert claimed(city)[0] == second


def test_asking_twice_starts_one(city: Observatory) -> None:
    assert queue.start(city, "publish", None, proposal=1) == queue.start(city, "publish", None, proposal=1)
    assert queue.start(city, "publish", None, proposal=2) != queue.start(city, "publish", None, proposal=1)
    assert Event.objects.filter(verb="job.asked").count() == 2
    assert DBTaskResult.objects.filter(task_path=work.module_path).count() == 1


def test_an_unknown_kind_is_no_job(city: Observatory) -> None:
    with pytest.raises(ValueError, match="erase"):
        queue.start(city, "erase", None)


def test_a_lost_job_is_put_back_and_given_up_after_three_attempts(city: Observatory) -> None:
    job = queue.start(city, "measure", None)
    for attempt in (1, 2, 3):
        taken, hold = claimed(city)
        assert taken.attempt == attempt
        assert queue.reap() == 0  # it lives
        lost(taken)
        assert queue.reap() == 1
        with pytest.raises(queue.LostError):
            hold.say(step="still here")
    job.refresh_from_db()
    assert (job.state, job.message) == (Job.State.FAILED, queue.GIVEN_UP)
    assert job.step == ""
    assert queue.claim(city.pk) is None


def test_a_lost_job_wakes_a_worker_again(city: Observatory) -> None:
    queue.start(city, "measure", None)
    DBTaskResult.objects.all().delete()  # whoever took the call is gone with it
    lost(claimed(city)[0])
    queue.reap()
    assert DBTaskResult.objects.ready().count() == 1


def test_whoever_lost_a_job_cannot_end_it(city: Observatory) -> None:
    queue.start(city, "measure", None)
    job, old = claimed(city)
    lost(job)
    queue.reap()
    _, new = claimed(city)
    with pytest.raises(queue.LostError):
        old.end(Job.State.DONE)
    new.end(Job.State.DONE)
    job.refresh_from_db()
    assert job.state == Job.State.DONE


def test_a_stopped_hub_puts_jobs_back_without_counting(city: Observatory) -> None:
    queue.start(city, "measure", None)
    for _ in range(5):
        _, hold = claimed(city)
        hold.give_back(queue.STOPPED, counts=False)
    job = Job.objects.get()
    assert (job.state, job.attempt, job.message) == (Job.State.WAITING, 0, queue.STOPPED)


def test_what_waits_is_cancelled_at_once_what_runs_is_asked(city: Observatory) -> None:
    first, second = queue.start(city, "check", None), queue.start(city, "measure", None)
    _, hold = claimed(city)
    for job in (first, second, second):
        queue.ask_to_stop(job, None)
    second.refresh_from_db()
    assert second.state == Job.State.CANCELLED
    assert hold.stop_asked
    hold.end(Job.State.DONE)
    first.refresh_from_db()
    queue.ask_to_stop(first, None)  # too late
    first.refresh_from_db()
    assert first.state == Job.State.DONE
    assert Event.objects.filter(verb="job.stop_asked").count() == 2


FIRST = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
Observatory.objects.create(slug="city", name="City", place_id="XA-CIT", folder="/nowhere")
"""
#: Asks for the same twenty jobs as another process, then takes what it gets, in two threads, until all have ended.
WORK = """
import json, os, sys, time
from pathlib import Path
from threading import Thread
from django.db import connection
row, taken, running = Observatory.objects.get(), [], []
for number in range(20):
    queue.start(row, "publish", None, proposal=number)
Path(sys.argv[1], f"asked-{os.getpid()}").touch()
while len(list(Path(sys.argv[1]).glob("asked-*"))) < 2:
    time.sleep(0.01)
def take():
    while Job.objects.filter(state__in=["waiting", "running"]).exists():
        job = queue.claim(row.pk)
        if job is not None:
            taken.append(job.what["proposal"])
            running.append(Job.objects.filter(state="running").count())
            queue.Hold(str(job.pk), job.lease).end("done")
    connection.close()
threads = [Thread(target=take) for _ in range(2)]
for each in threads: each.start()
for each in threads: each.join()
print(json.dumps([taken, running, Event.broken()]))
"""


def test_processes_that_ask_and_take_at_once_do_each_job_once(tmp_path: Path) -> None:
    """Whichever the database: rows are locked, and no two run at a time."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SAFERCITIES_", "DJANGO_"))}
    environ |= {"SAFERCITIES_HUB_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "safercities.hub.settings"}
    environ |= own_database()
    begin = (
        "import django; django.setup()\nfrom safercities.hub.jobs import queue\nfrom safercities.hub.models import *"
    )
    subprocess.run([sys.executable, "-c", begin + FIRST], env=environ, check=True, timeout=120)
    run = [sys.executable, "-c", begin + WORK, str(tmp_path)]
    both = [subprocess.Popen(run, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    finally:
        for process in both:  # where one breaks, the other waits for it
            process.kill()
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(number for taken, _, _ in said for number in taken) == list(range(20))
    assert {count for _, running, _ in said for count in running} == {1}
    assert [broken for _, _, broken in said] == [None, None]
