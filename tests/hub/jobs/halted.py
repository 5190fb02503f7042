"""Jobs that halt where a test wants to see, stop or kill them: it does not hang on how fast anything is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FOLDER = Path(__file__).parent / "halting"


class Halt:
    """Where the next processes of jobs halt; for one worker, or one hub, at a time.

    Parameters
    ----------
    file
        Is there while one halts.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def at(self, place: str) -> dict[str, str]:
        """What the environment of a worker says: see halting/sitecustomize.py."""
        self.go_on()
        path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
        return {"HALT_AT": place, "HALT_IN": str(self.file), "PYTHONPATH": path}

    @property
    def pid(self) -> int | None:
        """The process that halts now."""
        with suppress(FileNotFoundError):
            return int(self.file.read_text())
        return None

    def go_on(self) -> None:
        """Whatever halted goes on, if it lives still."""
        self.file.unlink(missing_ok=True)


def runs(pid: int) -> bool:
    """Whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def below(pid: int) -> list[int]:
    """The processes that one has started, in whichever of its threads. None where it has ended."""
    found: list[int] = []
    with suppress(OSError):
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            with suppress(OSError):  # threads end too
                found += map(int, (task / "children").read_text().split())
    return found


def kill(pid: int) -> list[int]:
    """End a process and all that came from it, as when the power fails: nobody is asked. Gives what was ended."""
    found = list(_stopped(pid))
    for each in found:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    return found


def _stopped(pid: int) -> Iterator[int]:
    """All of them, each stopped before it is asked what it has started: it starts nothing meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        yield pid
        for each in below(pid):
            yield from _stopped(each)
