"""The worker: takes what waits, looks after jobs that lost theirs, and stops in order."""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta
from types import FrameType

from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django.utils.crypto import get_random_string
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from safercities.hub.jobs import keeping, leftovers, queue

#: Seconds between two looks for jobs without a sign of life; hours that the list of calls is kept.
REAP = 10.0
KEPT_HOURS = 24
log = logging.getLogger(__name__)


class Lane(Worker):
    """One of several that work side by side in this process; what is heavy runs in processes of its own."""

    def __init__(self, interval: float, batch: bool) -> None:
        super().__init__(
            queue_names=["*"],
            excluded_queue_names=[],
            interval=interval,
            batch=batch,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=get_random_string(32),
        )

    def keep_on(self) -> None:
        """Work until told to stop; a database that is away for a while ends nothing."""
        while self.running:
            try:
                self.run()
                return
            except DatabaseError:
                log.warning("the database does not answer")
                keeping.stopping.wait(5)
                close_old_connections()


def work(*, lanes: int = 2, interval: float = 1.0, batch: bool = False) -> None:
    """Work until somebody stops this process; `batch`: until nothing waits.

    Parameters
    ----------
    lanes
        How many jobs run at once, at most: those of one observatory never do.
    interval
        Seconds between two looks at the queue.
    """
    workers = [Lane(interval, batch) for _ in range(lanes)]
    threads = [threading.Thread(target=each.keep_on, name=f"lane-{n}") for n, each in enumerate(workers)]

    def stop(signum: int, frame: FrameType | None) -> None:
        keeping.stopping.set()
        for each in workers:
            each.running = False

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    look_after()
    for each in threads:
        each.start()
    last = time.monotonic()
    while any(each.is_alive() for each in threads):
        time.sleep(0.2)
        if time.monotonic() - last > REAP:
            look_after()
            last = time.monotonic()
    log.info("the worker has stopped")


def look_after() -> None:
    """Put back what lost its worker, and clear away what is old: calls, and what killed processes left."""
    from safercities.hub.api import hooks

    close_old_connections()
    with suppress(DatabaseError):
        if found := queue.reap():
            log.warning("jobs had lost their worker", extra={"facts": {"jobs": found}})
        before = timezone.now() - timedelta(hours=KEPT_HOURS)
        DBTaskResult.objects.filter(finished_at__lt=before).delete()
        hooks.send_lost()
        with suppress(OSError):
            leftovers.sweep()
