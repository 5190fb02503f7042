"""What each kind of job does, by calling safercities as its command line does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from safercities.hub.jobs import comparing
from safercities.hub.jobs.carrying import Outcome, Progress
from safercities.hub.jobs.publication import preview, publish, show
from safercities.hub.models import Job
from safercities.model.errors import Severity

if TYPE_CHECKING:
    from safercities.observatory import Observatory


def _open(job: Job, progress: Progress) -> Observatory:
    from safercities.observatory import open as open_observatory

    return open_observatory(job.observatory.path, progress=progress)


def _check(job: Job, progress: Progress) -> Outcome:
    """As `safercities check`: that something is wrong is its result, not its failure."""
    opened = _open(job, progress)
    problems = opened.check()
    errors = sum(one.severity is Severity.ERROR for one in problems)
    return Outcome({"sources": opened.rows(), "errors": errors}, problems)


def _measure(job: Job, progress: Progress) -> Outcome:
    """As `safercities measure`."""
    opened = _open(job, progress)
    measured = opened.build()
    said: dict[str, Any] = {"estimates": len(measured.estimates), "sources": opened.rows()}
    return Outcome(said, measured.problems)


def _figures(job: Job, progress: Progress) -> Outcome:
    """What is published, ready to be asked."""
    show(job.observatory, progress)
    return Outcome({"releases": job.observatory.shelf.count()})


KINDS: dict[Job.Kind, Callable[[Job, Progress], Outcome]] = {
    Job.Kind.CHECK: _check,
    Job.Kind.MEASURE: _measure,
    Job.Kind.PROTECT: preview,
    Job.Kind.PUBLISH: publish,
    Job.Kind.SUPERSEDE: publish,
    Job.Kind.FIGURES: _figures,
    Job.Kind.COMPARE: comparing.compare,
}
