"""Counts that all processes of the hub share: one small file in the memory of each, a few microseconds a count.

Django's cache would write a whole new file for each count, and two processes that count at once would lose one of them.
A process counts in a part of the file that is its own as long as it lives, and adds what stands in the others': so it
asks the system for nothing, which would let its other threads go first each time.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where the hub runs in one process
    fcntl = None  # type: ignore[assignment]

#: Words of eight bytes about one of them: whom it is about, then the second in which the window ends and how often
#: (its upper half). Each is written at once: a process that reads beside it finds the old or the new one.
_SLOT = 2
_END = 2**32
#: Places that one of them may stand in. Where all are taken, whoever was counted least is forgotten.
_WAYS = 8
_SETS = 8_192
_ROW = _SLOT * _WAYS
_PART = _ROW * _SETS
#: Bytes of a word.
_WORD = 8
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
        try:
            self._map = mmap.mmap(self._file, self._grown())
        except BaseException:
            os.close(self._file)  # asked for again with each count, it would use up all that there are
            raise
        self._words = memoryview(self._map).cast("Q")
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
            slots = self._slots(start)
            at = _place(slots, mark, now)
            known, until, used = slots[at]
            count = used + 1 if (known, until) == (mark, end) else 1
            at = start + at * _SLOT
            if known != mark:
                self._words[at + 1] = 0  # whoever reads in between finds no count of somebody else's
                self._words[at] = mark
            self._words[at + 1] = min(count, _END - 1) * _END + end
            return count + sum(self._elsewhere(row, mark, end))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._map[:] = bytes(len(self._map))

    def close(self) -> None:
        """Close the file."""
        self._words.release()
        self._map.close()
        os.close(self._file)

    def _grown(self) -> int:
        """Bytes of the file, all there. One process makes it: another's zeros would wipe out what it has counted."""
        size = _PART * _PARTS * _WORD
        with self._alone(1, size), open(self._file, "r+b", closefd=False) as file:
            missing = size - os.fstat(self._file).st_size
            if missing > 0:  # written, not only made longer: what is counted later finds room
                file.seek(size - missing)
                file.write(bytes(missing))
        return size

    def _slots(self, start: int) -> list[tuple[int, int, int]]:
        """Whom it is about, when the window ends, and how often: of a row of a part."""
        words = self._words[start : start + _ROW].tolist()
        return [(words[at], words[at + 1] % _END, words[at + 1] // _END) for at in range(0, _ROW, _SLOT)]

    def _free(self, part: int) -> bool:
        """Take a part, unless a living process has it. The system gives it back when this one ends."""
        if fcntl is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, part * _PART * _WORD)
        except OSError:
            return False
        return True

    def _held(self, row: int) -> AbstractContextManager[None]:
        """No other process counts in this row, where the part is not this one's own."""
        if self._own < _PARTS - 1:
            return nullcontext()
        return self._alone(_ROW * _WORD, (self._own * _PART + row) * _WORD)

    @contextmanager
    def _alone(self, length: int, start: int) -> Iterator[None]:
        """No other process has these bytes of the file; they may lie behind its end."""
        if fcntl is None:
            yield
            return
        fcntl.lockf(self._file, fcntl.LOCK_EX, length, start)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, length, start)

    def _elsewhere(self, row: int, mark: int, end: int) -> Iterator[int]:
        """What other processes counted, or those before them."""
        for start in range(row, _PART * _PARTS, _PART):
            if start != self._own * _PART + row:
                for known, until, used in self._slots(start):
                    if (known, until) == (mark, end):
                        yield used


def _place(slots: list[tuple[int, int, int]], mark: int, now: int) -> int:
    """Where somebody stands; else a place that is free, or that of whoever was counted least."""
    for at, (known, _, _) in enumerate(slots):
        if known == mark:
            return at
    return min(range(_WAYS), key=lambda at: slots[at][2] if slots[at][1] > now else 0)
