"""Keeps one job: runs it in a process of its own, gives signs of life for it, and says how it ended if it cannot."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from django.db import Error
from django.utils.translation import gettext_noop

from safercities.hub.jobs import queue
from safercities.hub.jobs.carrying import BROKE
from safercities.hub.jobs.steps import WRITING
from safercities.hub.logs import FACTS
from safercities.hub.models import Job

#: Seconds between two looks at it, and between two signs of life.
LOOK = 0.5
BEAT = 3.0
#: Seconds that a job has to come to its next step once somebody asked it to stop; then it is ended.
GRACE = 20.0
#: Set when the worker is to stop: jobs are put back then.
stopping = threading.Event()
_MEMORY = gettext_noop(
    "The system ended it, most likely because memory ran out. What it writes is whole, or not there. "
    "Fewer breakdowns, or a machine with more memory, may help."
)
_PUBLISHING = (Job.Kind.PUBLISH, Job.Kind.SUPERSEDE)
log = logging.getLogger(__name__)


def keep(job: Job) -> None:
    """Run a job that was taken, until it has ended or is given back."""
    hold = queue.Hold(str(job.pk), job.lease)
    command = [sys.executable, "-m", "safercities.hub.jobs.child", hold.id, hold.lease, str(os.getpid())]
    # a session of its own: Ctrl-C is for the worker, which ends its jobs in order
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 (our own program)
    try:
        _watch(hold, child, str(job.kind))
    except queue.LostError:
        if not Job.objects.filter(pk=job.pk, state__in=Job.ENDED).exists():  # else it ended just now, by itself
            log.warning("a job was taken over", extra={FACTS: {"job": hold.id}})
    finally:
        _kill(child)


def _watch(hold: queue.Hold, child: subprocess.Popen[bytes], kind: str) -> None:
    beat, asked = time.monotonic(), 0.0
    while (code := _ended(child)) is None:
        now = time.monotonic()
        if stopping.is_set():
            _kill(child)
            hold.give_back(queue.STOPPED, counts=False)
            return
        if now - beat >= BEAT:
            beat = now
            if not _alive(hold):
                asked = 0.0
            elif asked == 0.0:
                asked = now
        if asked and now - asked > GRACE:
            _stop(hold, child, kind)
            return
    _told(hold, code)


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return child.wait(timeout=LOOK)
    return None


def _alive(hold: queue.Hold) -> bool:
    """Give a sign of life; gives whether somebody asked to stop. A database that is busy is asked again soon."""
    try:
        hold.say()
        return hold.stop_asked and hold.job().step != WRITING  # what is being written is written to its end
    except Error:
        log.warning("no sign of life could be given", extra={FACTS: {"job": hold.id}})
        return False


def _stop(hold: queue.Hold, child: subprocess.Popen[bytes], kind: str) -> None:
    _kill(child)
    if kind in _PUBLISHING:  # it may have come to its end just now: its next run looks, and stops otherwise
        hold.give_back(queue.AGAIN)
    else:
        hold.end(Job.State.CANCELLED, queue.CANCELLED)


def _told(hold: queue.Hold, code: int) -> None:
    """What ended by itself has said so, or did not come to it."""
    try:
        job = hold.job()
    except queue.LostError:
        return
    log.error("a job broke", extra={FACTS: {"job": hold.id, "code": code}})
    hold.end(Job.State.FAILED, _MEMORY if code == -signal.SIGKILL else BROKE, result=job.result)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End it and what it started. All that it writes is whole or not there at all."""
    if child.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
