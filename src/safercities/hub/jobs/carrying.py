"""Carries out one job in its process: progress to its row, problems as rows, and an end in any case."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_noop

from safercities.hub import texts
from safercities.hub.jobs import queue
from safercities.hub.jobs.steps import WRITING, coded
from safercities.hub.logs import FACTS
from safercities.hub.models import Job
from safercities.model.errors import Problem, SafercitiesError, Severity, problem, refused

#: Seconds between two writings of progress within a step.
EVERY = 0.5
BROKE = gettext_noop("The program broke. What it writes is whole, or not there. The log of the hub says more.")
_WRONG = gettext_noop("It could not be done. The list says why.")
log = logging.getLogger(__name__)


class CancelledError(BaseException):
    """Somebody asked to stop. No fault of the program's, so nothing that catches faults catches it."""


@dataclass
class Outcome:
    """How a job went: plain values for its page, and the problems that it found."""

    result: dict[str, Any] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    message: str = ""
    failed: bool = False


class Progress:
    """Writes how far a job is, not too often, and stops it between two steps where somebody asked for that."""

    def __init__(self, hold: queue.Hold) -> None:
        self.hold = hold
        #: Whether requests to stop are passed over: something is public, and all of it has to be told.
        self.deaf = False
        self._step = ""
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """As the progress of `safercities` is called; steps of the hub's own are given as their codes."""
        now, step = time.monotonic(), coded(what)
        if step == self._step and now - self._last < EVERY and done < total:
            return
        self._step, self._last = step, now
        if not self.deaf and step != WRITING and self.hold.stop_asked:
            raise CancelledError
        self.hold.say(step=step, done=max(done, 0), total=total if total > 0 else None)


def carry_out(hold: queue.Hold) -> None:
    """Do the job, and say how it ended.

    Raises
    ------
    LostError
        If another run has taken it over.
    """
    from safercities.hub.jobs.kinds import KINDS

    job = hold.job()
    try:
        outcome = KINDS[Job.Kind(job.kind)](job, Progress(hold))
    except CancelledError:
        hold.end(Job.State.CANCELLED, queue.CANCELLED)
    except SafercitiesError as error:
        hold.end(Job.State.FAILED, _WRONG, problems=told(error.problems))
    except MemoryError:
        hold.end(Job.State.FAILED, _WRONG, problems=told([problem("memory-short")]))
    except OSError as error:
        hold.end(Job.State.FAILED, _WRONG, problems=told([refused(error)]))
    except queue.LostError:
        raise
    except Exception:
        log.exception("a job broke", extra={FACTS: {"job": hold.id, "kind": job.kind}})
        hold.end(Job.State.FAILED, BROKE)
    else:
        state = Job.State.FAILED if outcome.failed else Job.State.DONE
        hold.end(state, outcome.message, problems=told(outcome.problems), result=outcome.result)


def told(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Problems as `--json` prints them, errors first, and what their sentences are made of: see `texts.kept`."""
    order = list(Severity)
    found = sorted(dict.fromkeys(problems), key=lambda one: order.index(one.severity))
    return [texts.kept(one) for one in found]
