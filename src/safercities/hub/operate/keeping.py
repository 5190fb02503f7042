"""Keeps the hub's processes alive: the server, and the worker, which is started anew when it dies."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event

#: Seconds: between two looks at the processes, and how long they are given to end what they are at.
LOOK, GRACE = 0.3, 20.0
#: A worker that lived so long had no trouble in starting.
_SETTLED, _LONGEST_WAIT = 60.0, 30.0
_PR_SET_PDEATHSIG = 1


def _with_parent() -> None:
    """Linux: end with the process that started this one, also where that was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """A process in a session of its own, so that Ctrl-C reaches only whoever keeps it."""

    command: Sequence[str]
    process: subprocess.Popen[bytes] = field(init=False)
    began: float = field(init=False, default=0.0)

    def start(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(  # noqa: S603 (our own programs, by their full path)
            self.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_with_parent,
        )
        self.began = time.monotonic()

    @property
    def code(self) -> int | None:
        """Exit code; None while it runs."""
        return self.process.poll()

    def stop(self, within: float = GRACE) -> None:
        """Ask it to end, and end it where it does not; nothing of its session is left."""
        if self.code is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(within)
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Keeper:
    """The server and the worker.

    Parameters
    ----------
    server, worker
        Their commands.
    say
        Told where the worker had to be started anew.
    """

    def __init__(self, server: Sequence[str], worker: Sequence[str], say: Callable[[str], None]) -> None:
        self.server, self.worker, self.say = Child(server), Child(worker), say
        self.stopped = Event()
        self._wait, self._due = 1.0, 0.0

    @contextmanager
    def running(self) -> Iterator[Keeper]:
        """Both run in this block, and neither after it, however it ends."""
        with self._signals():
            try:
                self.server.start()
                self.worker.start()
                yield self
            finally:
                self._stop()

    def keep(self) -> int | None:
        """Until somebody stops the hub (None), or the server ends by itself (its exit code)."""
        while not self.stopped.wait(LOOK):
            if self.server.code is not None:
                return self.server.code
            self._mind_worker()
        return None

    def _mind_worker(self) -> None:
        """Start it anew; later each time where it dies at once."""
        now = time.monotonic()
        if self.worker.code is None:
            self._due = 0.0
        elif not self._due:
            self._wait = 1.0 if now - self.worker.began > _SETTLED else min(2 * self._wait, _LONGEST_WAIT)
            self._due = now + self._wait
            self.say(f"The worker ended (exit code {self.worker.code}); it is started anew in {self._wait:.0f} s.")
        elif now >= self._due:
            self._due = 0.0
            self.worker.start()

    def _stop(self) -> None:
        started = [child for child in (self.server, self.worker) if child.began]
        for child in started:  # both at once, so that they end side by side
            if child.code is None:
                child.process.terminate()
        for child in started:
            child.stop()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and a process manager's word end the hub in order."""
        kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {kind: signal.signal(kind, lambda *_: self.stopped.set()) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)
