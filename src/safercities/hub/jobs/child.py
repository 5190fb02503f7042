"""`python -m safercities.hub.jobs.child JOB LEASE PARENT`: the process of one job. It dies with its worker."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
#: Where memory ends, the kernel ends this process before the server and the database.
_EXPENDABLE = "500"


def die_with(parent: int) -> None:
    """End when the worker ends, however it does: another one takes the job over, and two must not run it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_EXPENDABLE, encoding="ascii")
    threading.Thread(target=_look, args=[parent], daemon=True).start()
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)


def _look(parent: int) -> None:
    """Where the kernel does not tell."""
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(1)


def main() -> None:
    """Run the job."""
    job, lease, parent = sys.argv[1:]
    die_with(int(parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "safercities.hub.settings")
    import django

    django.setup()
    import safercities.hub.api.hooks  # noqa: F401 - webhooks listen from here on
    from safercities.hub.jobs.carrying import carry_out
    from safercities.hub.jobs.queue import Hold, LostError

    with suppress(LostError):
        carry_out(Hold(job, lease))


if __name__ == "__main__":
    main()
