"""Counts that all processes of the hub share: one small file in the memory of each, a few microseconds a count.

Django's cache would write a whole new file for each count, and two processes that count at once would lose one of them.
A process counts in a part of the file that is its own as long as it lives, and adds what stands in the others': so it
asks the system for nothing, which would let its other threads go first each time.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where the hub runs in one process
    fcntl = None  # type: ignore[assignment]

#: Whom it is about, second in which the window ends, how often.
_SLOT = struct.Struct("<QII")
#: Places that one of them may stand in. Where all are taken, whoever was counted least is forgotten.
_WAYS = 8
_SETS = 8_192
_ROW = _SLOT.size * _WAYS
_PART = _ROW * _SETS
#: Parts of the file. The last one is for all processes that find no other free: there they wait for each other.
_PARTS = 4


class Counts:
    """How often each of many was counted in the window that is running. From any thread and process.

    Parameters
    ----------
    path
        The file: 4 MB, however many are counted. A process opens it once: with any one that it closes, it gives back
        its part.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        size = _PART * _PARTS
        missing = size - os.fstat(self._file).st_size
        if missing > 0:  # written, not only made longer: what is counted later finds room
            os.lseek(self._file, size - missing, os.SEEK_SET)
            os.write(self._file, bytes(missing))
        self._map = mmap.mmap(self._file, size)
        self._own = next((part for part in range(_PARTS - 1) if self._free(part)), _PARTS - 1)

    def add(self, who: bytes, end: int, now: int) -> int:
        """Count somebody once more; how often it was, in the window that ends then.

        What two processes count at the same moment, neither of them may see yet.

        Parameters
        ----------
        who
            Eight bytes or more that nobody else has: a hash.
        end, now
            In seconds.
        """
        mark = int.from_bytes(who[:8], "little") or 1
        row = mark % _SETS * _ROW
        with self._lock, self._held(row):
            start = self._own * _PART + row
            slots = [*_SLOT.iter_unpack(self._map[start : start + _ROW])]
            at = _place(slots, mark, now)
            known, until, used = slots[at]
            count = used + 1 if (known, until) == (mark, end) else 1
            _SLOT.pack_into(self._map, start + at * _SLOT.size, mark, end, min(count, 2**32 - 1))
            return count + sum(self._elsewhere(row, mark, end))

    def clear(self) -> None:
        """Forget all."""
        self._map[:] = bytes(len(self._map))

    def close(self) -> None:
        """Close the file."""
        self._map.close()
        os.close(self._file)

    def _free(self, part: int) -> bool:
        """Take a part, unless a living process has it. The system gives it back when this one ends."""
        if fcntl is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, part * _PART)
        except OSError:
            return False
        return True

    @contextmanager
    def _held(self, row: int) -> Iterator[None]:
        """No other process counts in this row, where the part is not this one's own."""
        if self._own < _PARTS - 1 or fcntl is None:
            yield
            return
        row += self._own * _PART
        fcntl.lockf(self._file, fcntl.LOCK_EX, _ROW, row)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _ROW, row)

    def _elsewhere(self, row: int, mark: int, end: int) -> Iterator[int]:
        """What other processes counted, or those before them."""
        for start in range(row, len(self._map), _PART):
            if start != self._own * _PART + row:
                for known, until, used in _SLOT.iter_unpack(self._map[start : start + _ROW]):
                    if (known, until) == (mark, end):
                        yield used


def _place(slots: list[tuple[int, ...]], mark: int, now: int) -> int:
    """Where somebody stands; else a place that is free, or that of whoever was counted least."""
    for at, (known, _, _) in enumerate(slots):
        if known == mark:
            return at
    return min(range(_WAYS), key=lambda at: slots[at][2] if slots[at][1] > now else 0)
