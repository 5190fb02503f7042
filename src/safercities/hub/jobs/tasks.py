"""The task that the workers run: it looks whether something waits in an observatory, and has it done."""

from __future__ import annotations

from django_tasks import task

from safercities.hub.jobs import queue


@task()
def work(observatory: int) -> None:
    """Do the oldest job that waits there, in a process of its own, unless another worker is at it."""
    from safercities.hub.jobs.keeping import keep

    job = queue.claim(observatory)
    if job is not None:
        keep(job)
