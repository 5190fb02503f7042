"""The keeper of processes: a worker that dies comes back, and at the end nothing is left."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from safercities.hub.operate import keeping
from safercities.hub.operate.keeping import Keeper

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "open(sys.argv[1], 'w').write(str(child.pid))\n"
    "time.sleep(60)",
]


def noting(path: Path) -> list[str]:
    """A program that notes that it began, and dies."""
    return [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(3)", str(path)]


def until(seen: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # what was ended and waits for init to take note is dead
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_worker_that_dies_is_started_anew_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LOOK", 0.02)
    monkeypatch.setattr(keeping, "_LONGEST_WAIT", 0.05)
    said: list[str] = []
    keeper = Keeper(SLEEP, noting(tmp_path / "notes"), said.append)
    starts = lambda: len((tmp_path / "notes").read_text()) if (tmp_path / "notes").exists() else 0  # noqa: E731

    def stop() -> None:
        until(lambda: starts() >= 3)
        keeper.stopped.set()

    with keeper.running():
        threading.Thread(target=stop).start()
        assert keeper.keep() is None
    assert "exit code 3" in said[0]
    assert not alive(keeper.server.process.pid)


def test_when_the_server_ends_by_itself_its_code_is_told_and_the_worker_stopped() -> None:
    keeper = Keeper([sys.executable, "-c", "raise SystemExit(7)"], SLEEP, print)
    with keeper.running():
        assert keeper.keep() == 7
    assert not alive(keeper.worker.process.pid)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_and_the_handlers_of_before_come_back(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    keeper = Keeper(SLEEP, SLEEP, print)
    with keeper.running():
        os.kill(os.getpid(), kind)
        assert keeper.keep() is None
    assert signal.getsignal(kind) is before
    assert not any(alive(child.process.pid) for child in (keeper.server, keeper.worker))


def test_what_does_not_listen_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper([*STUBBORN, str(tmp_path / "pid")], SLEEP, print)
    with keeper.running():
        until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        monkeypatch.setattr(keeping.Child.stop, "__defaults__", (0.3,))
    child = int((tmp_path / "pid").read_text())
    until(lambda: not alive(child))
    assert not alive(keeper.server.process.pid)


def test_where_the_second_cannot_be_started_the_first_is_stopped() -> None:
    keeper = Keeper(SLEEP, ["/there/is/no/such/program"], print)
    with pytest.raises(FileNotFoundError), keeper.running():
        pass
    assert not alive(keeper.server.process.pid)
