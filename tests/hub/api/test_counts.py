"""Counts that processes share: none is lost, windows end, and whoever asks most is remembered longest."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from errno import ENOSPC
from pathlib import Path

import pytest

from safercities.hub.api.counts import _SETS, _WAYS, Counts

NOW = 1_000_000
END = NOW + 60
WHO = hashlib.sha256(b"somebody").digest()


@pytest.fixture
def counts(tmp_path: Path):
    made = Counts(tmp_path / "cache" / "rates")
    yield made
    made.close()


#: Counts somebody until its input ends, says when it has begun, and at the end how often it was.
COUNTING = f"""
import sys, threading
from pathlib import Path
from safercities.hub.api.counts import Counts
one, over = Counts(Path(sys.argv[1])), threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set())).start()
times = 0
while times < 500 or not over.is_set():
    one.add({WHO!r}, {END}, {NOW})
    times += 1
    if times == 1:
        print("begun", flush=True)
print(times)
"""


@pytest.mark.parametrize("processes", [2, 5])
def test_no_count_of_other_threads_and_processes_is_lost(counts, processes):
    """Also where there are more processes than parts of the file; and while they count, no sum is ever too low."""
    command = [sys.executable, "-c", COUNTING, str(counts.path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        others = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(processes)]
        assert [one.stdout.readline() for one in others] == ["begun\n"] * processes
        alone = [counts.add(WHO, END, NOW) for _ in range(5_000)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: counts.add(WHO, END, NOW), range(500)))
        elsewhere = sum(int(one.communicate(timeout=60)[0]) for one in others)
    assert alone == sorted(set(alone))
    assert len(set(found)) == 500
    assert min(found) > alone[-1]
    assert counts.add(WHO, END, NOW) == 5_501 + elsewhere


def test_a_file_that_cannot_be_made_takes_nothing(tmp_path, monkeypatch):
    """It is asked for again with each request: what one took would be gone at last."""

    def full(*_):
        raise OSError(ENOSPC, "no room")

    monkeypatch.setattr("safercities.hub.api.counts.mmap.mmap", full)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(OSError, match="no room"):
            Counts(tmp_path / "rates")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_processes_that_come_and_go_are_counted_on(counts):
    """A process that ended gives back its part, with what it counted."""
    adding = (
        "import sys; from pathlib import Path; from safercities.hub.api.counts import Counts\n"
        f"print(Counts(Path(sys.argv[1])).add({WHO!r}, {END}, {NOW}))"
    )
    each = [subprocess.run([sys.executable, "-c", adding, str(counts.path)], capture_output=True) for _ in range(6)]
    assert [int(one.stdout) for one in each] == [1, 2, 3, 4, 5, 6]
    assert counts.add(WHO, END, NOW) == 7


def test_a_window_that_has_ended_counts_no_more(counts):
    assert [counts.add(WHO, END, NOW) for _ in range(3)] == [1, 2, 3]
    assert counts.add(WHO, END + 60, END) == 1
    assert counts.add(b"another!", END + 60, END) == 1


def neighbours(count: int) -> list[bytes]:
    """Others who share the row of one."""
    own = int.from_bytes(WHO[:8], "little")
    return [((own + (1 + k) * _SETS) % 2**64).to_bytes(8, "little") for k in range(count)]


def test_whoever_asks_most_is_not_pushed_out(counts):
    for _ in range(5):
        counts.add(WHO, END, NOW)
    for one in neighbours(10 * _WAYS):
        counts.add(one, END, NOW)
    assert counts.add(WHO, END, NOW) == 6


def test_what_was_counted_is_still_known_to_who_opens_it_later(counts, tmp_path):
    counts.add(WHO, END, NOW)
    again = Counts(counts.path)
    assert again.add(WHO, END, NOW) == 2
    again.clear()
    assert again.add(WHO, END, NOW) == 1
    again.close()
    assert counts.path.stat().st_size == 2**22
    assert counts.path.stat().st_mode & 0o077 == 0
