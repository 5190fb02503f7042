"""The queue of jobs: asked for, taken by one worker at a time, given back, ended. All of it holds in the database."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from safercities.hub.models import Event, Job, Observatory, Proposal, User

#: Seconds without a sign of life after which a job has lost its worker; how often one is tried in all.
STALE = 30
ATTEMPTS = 3
#: Problems that a job keeps; what is beyond it is told as a number.
MOST_PROBLEMS = 1000
_OPEN = (Job.State.WAITING, Job.State.RUNNING)
#: Of these, one that runs may have looked already: what came since needs another run.
_LOOKS_ONCE = (Job.Kind.FIGURES,)
AGAIN = gettext_noop("The worker ended while this was running. It is done again from the start.")
GIVEN_UP = gettext_noop("The worker ended three times while this was running. What it writes is whole, or not there.")
STOPPED = gettext_noop("The hub was stopped. This goes on when it is started again.")
CANCELLED = gettext_noop("It was stopped on request. Nothing was changed by it.")


class LostError(Exception):
    """Another run has this job now: this one must not write anything more to it."""


def start(observatory: Observatory, kind: str, by: User | None, **what: Any) -> Job:
    """Queue a job. If the same waits or runs already, that one is given: a second click starts nothing.

    Of public pages only one that waits is the same: one that runs may not show the release that came just now.

    Parameters
    ----------
    kind
        One of `Job.Kind`.
    by
        Who asked; None: the hub itself. Whether they may, is asked before.
    what
        What the kind needs, as JSON can hold it: `proposal=`; `one=` and `other=`, two releases.
    """
    kind = Job.Kind(kind)
    with transaction.atomic():
        locked = Observatory.objects.select_for_update().get(pk=observatory.pk)
        states = (Job.State.WAITING,) if kind in _LOOKS_ONCE else _OPEN
        for job in Job.objects.filter(observatory=locked, kind=kind, state__in=states, cancel=False):
            if job.what == what:
                return job
        job = Job.objects.create(observatory=locked, kind=kind, by=by, what=what)
        Event.record("job.asked", actor=by, observatory=locked, object=str(job.pk), detail={"kind": kind})
        _wake(locked.pk)
    return job


def ask_to_stop(job: Job, by: User | None) -> None:
    """Have a job stop at its next step; one that waits is cancelled now. Of one that has ended nothing changes."""
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.state not in _OPEN or locked.cancel:
            return
        Event.record("job.stop_asked", actor=by, observatory=locked.observatory, object=str(locked.pk))
        locked.cancel = True
        locked.save(update_fields=["cancel"])
        if locked.state == Job.State.WAITING and not locked.attempt:
            _end(locked, Job.State.CANCELLED, CANCELLED)


def claim(observatory: int) -> Job | None:
    """The oldest job that waits, taken; None where none waits or one is running."""
    with transaction.atomic():
        # one after the other, also where two workers ask at the same moment
        Observatory.objects.select_for_update().filter(pk=observatory).first()
        jobs = Job.objects.filter(observatory=observatory)
        if jobs.filter(state=Job.State.RUNNING).exists():
            return None
        job = jobs.filter(state=Job.State.WAITING).order_by("created", "pk").first()
        if job is None:
            return None
        now = timezone.now()
        job.state, job.lease, job.attempt = Job.State.RUNNING, secrets.token_hex(16), job.attempt + 1
        job.started, job.heartbeat = job.started or now, now
        job.step, job.message, job.done, job.total = "", "", 0, None
        job.save()
    return job


class Hold:
    """The right of one run to write to its job, for as long as nobody else has taken it over."""

    def __init__(self, job: str, lease: str) -> None:
        self.id, self.lease = job, lease

    def _mine(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.id, lease=self.lease, state=Job.State.RUNNING)

    def say(self, **fields: Any) -> None:
        """Write how far it is, with a sign of life.

        Raises
        ------
        LostError
            If it is not ours any more.
        """
        if not self._mine().update(heartbeat=timezone.now(), **fields):
            raise LostError

    def job(self) -> Job:
        """The job as it stands now."""
        found = self._mine().select_related("observatory", "by").first()
        if found is None:
            raise LostError
        return found

    @property
    def stop_asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self._mine().filter(cancel=True).exists()

    def _locked(self) -> Job:
        found = self._mine().select_for_update().first()
        if found is None:
            raise LostError
        return found

    def end(
        self,
        state: Job.State,
        message: str = "",
        *,
        problems: list[dict[str, Any]] | None = None,
        result: dict[str, Any] | None = None,
    ) -> None:
        """The end of it."""
        with transaction.atomic():
            job = self._locked()
            job.problems, job.result = (problems or [])[:MOST_PROBLEMS], result or {}
            if problems and len(problems) > MOST_PROBLEMS:
                job.result["more_problems"] = len(problems) - MOST_PROBLEMS
            _end(job, state, message)
        wake(job.observatory_id)

    def give_back(self, message: str, *, counts: bool = True) -> None:
        """Put it back to those that wait; `counts`: it was an attempt."""
        with transaction.atomic():
            job = self._locked()
            if counts and job.attempt >= ATTEMPTS:
                _end(job, Job.State.FAILED, GIVEN_UP)
            else:
                job.state, job.lease, job.message = Job.State.WAITING, "", message
                job.attempt -= 0 if counts else 1
                job.save(update_fields=["state", "lease", "message", "attempt"])
        wake(job.observatory_id)


def _end(job: Job, state: Job.State, message: str) -> None:
    job.state, job.message, job.ended, job.lease = state, message, timezone.now(), ""
    job.save()
    if job.kind == Job.Kind.PROTECT and state != Job.State.DONE:  # nothing waits for it for ever
        draft = Proposal.objects.filter(observatory=job.observatory_id, pk=job.what.get("proposal"))
        draft.filter(state=Proposal.State.DRAFT).update(state=Proposal.State.FAILED)


def reap() -> int:
    """Jobs without a sign of life are put back, or failed after too many attempts; gives how many there were."""
    before = timezone.now() - timedelta(seconds=STALE)
    found = 0
    for job in Job.objects.filter(state=Job.State.RUNNING, heartbeat__lt=before):
        hold = Hold(str(job.pk), job.lease)
        with transaction.atomic():
            locked = hold._mine().select_for_update().first()
            if locked is None or (locked.heartbeat and locked.heartbeat >= before):
                continue  # it gave a sign of life meanwhile, or somebody else was faster
            hold.give_back(AGAIN)
            found += 1
    for observatory in Job.objects.filter(state=Job.State.WAITING).values_list("observatory", flat=True).distinct():
        wake(observatory)
    return found


def wake(observatory: int) -> None:
    """Have a worker look at an observatory where something waits and nothing runs."""
    jobs = Job.objects.filter(observatory=observatory)
    if jobs.filter(state=Job.State.WAITING).exists() and not jobs.filter(state=Job.State.RUNNING).exists():
        _wake(observatory)


def _wake(observatory: int) -> None:
    from django_tasks_db.models import DBTaskResult

    from safercities.hub.jobs.tasks import work

    said = {"args": [observatory], "kwargs": {}}
    waiting = DBTaskResult.objects.ready().filter(task_path=work.module_path, args_kwargs=said)
    if not waiting.exists():  # one call is enough: whoever answers it takes what waits
        work.enqueue(observatory)
