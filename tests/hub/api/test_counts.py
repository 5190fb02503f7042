"""Counts that processes share: none is lost, windows end, and whoever asks most is remembered longest."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


@pytest.mark.parametrize("processes", [2, 5])
def test_no_count_of_other_threads_and_processes_is_lost(counts, processes):
    """Also where there are more processes than parts of the file."""
    adding = (
        "import sys; from pathlib import Path; from safercities.hub.api.counts import Counts\n"
        f"one = Counts(Path(sys.argv[1]))\nfor _ in range(500): one.add({WHO!r}, {END}, {NOW})"
    )
    others = [subprocess.Popen([sys.executable, "-c", adding, str(counts.path)]) for _ in range(processes)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: counts.add(WHO, END, NOW), range(500)))
    assert [one.wait(60) for one in others] == [0] * processes
    assert len(set(found)) == 500
    assert counts.add(WHO, END, NOW) == 501 + 500 * processes


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
