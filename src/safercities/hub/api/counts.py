"""Counts that all processes of the hub share: one small file in the memory of each, a few microseconds a count.

Django's cache would write a whole new file for each count, and two processes that count at once would lose one of them.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
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


class Counts:
    """How often each of many was counted in the window that is running. From any thread and process.

    Parameters
    ----------
    path
        The file: 1 MB, however many are counted.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        size = _ROW * _SETS
        missing = size - os.fstat(self._file).st_size
        if missing > 0:  # written, not only made longer: what is counted later finds room
            os.lseek(self._file, size - missing, os.SEEK_SET)
            os.write(self._file, bytes(missing))
        self._map = mmap.mmap(self._file, size)

    def add(self, who: bytes, end: int, now: int) -> int:
        """Count somebody once more; how often it was, in the window that ends then.

        Parameters
        ----------
        who
            Eight bytes or more that nobody else has: a hash.
        end, now
            In seconds.
        """
        mark = int.from_bytes(who[:8], "little") or 1
        row = mark % _SETS * _ROW
        with self._lock:  # no other thread
            if fcntl is not None:  # and no other process; where one ends in the midst of it, the system lets others in
                fcntl.lockf(self._file, fcntl.LOCK_EX, _ROW, row)
            try:
                slots = [*_SLOT.iter_unpack(self._map[row : row + _ROW])]
                at = _place(slots, mark, now)
                known, until, used = slots[at]
                count = used + 1 if (known, until) == (mark, end) else 1
                _SLOT.pack_into(self._map, row + at * _SLOT.size, mark, end, min(count, 2**32 - 1))
            finally:
                if fcntl is not None:
                    fcntl.lockf(self._file, fcntl.LOCK_UN, _ROW, row)
        return count

    def clear(self) -> None:
        """Forget all."""
        self._map[:] = bytes(len(self._map))

    def close(self) -> None:
        """Close the file."""
        self._map.close()
        os.close(self._file)


def _place(slots: list[tuple[int, ...]], mark: int, now: int) -> int:
    """Where somebody stands; else a place that is free, or that of whoever was counted least."""
    for at, (known, _, _) in enumerate(slots):
        if known == mark:
            return at
    return min(range(_WAYS), key=lambda at: slots[at][2] if slots[at][1] > now else 0)
