"""The queue: one at a time, in turn; lost jobs come back or end with a reason; nothing is written by who lost it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

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
