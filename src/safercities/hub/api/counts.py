"""Counts that all processes of the hub share: one small file, read and written in place, a few microseconds a count.

Django's cache would write a whole new file for each count, and two processes that count at once would lose one of them.
"""

from __future__ import annotations

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
#: Whether a file can be read at a place without moving in it, where a process that was forked moves too.
_AT = hasattr(os, "pread")


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
        missing = _ROW * _SETS - os.fstat(self._file).st_size
        if missing > 0:  # what is written once finds room later, too
            self._write(_ROW * _SETS - missing, bytes(missing))

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
        with self._held(row):
            slots = [*_SLOT.iter_unpack(self._read(row))]
            at = _place(slots, mark, now)
            known, until, used = slots[at]
            count = used + 1 if (known, until) == (mark, end) else 1
            self._write(row + at * _SLOT.size, _SLOT.pack(mark, end, min(count, 2**32 - 1)))
        return count

    def clear(self) -> None:
        """Forget all."""
        self._write(0, bytes(_ROW * _SETS))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @contextmanager
    def _held(self, row: int) -> Iterator[None]:
        """Nobody else counts in this row: no thread of ours, and no other process."""
        with self._lock:
            if fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_EX, _ROW, row)
            try:
                yield
            finally:
                if fcntl is not None:
                    fcntl.lockf(self._file, fcntl.LOCK_UN, _ROW, row)

    def _read(self, row: int) -> bytes:
        if _AT:
            return os.pread(self._file, _ROW, row).ljust(_ROW, b"\0")
        os.lseek(self._file, row, os.SEEK_SET)
        return os.read(self._file, _ROW).ljust(_ROW, b"\0")

    def _write(self, at: int, data: bytes) -> None:
        if _AT:
            os.pwrite(self._file, data, at)
            return
        os.lseek(self._file, at, os.SEEK_SET)
        os.write(self._file, data)


def _place(slots: list[tuple[int, ...]], mark: int, now: int) -> int:
    """Where somebody stands; else a place that is free, or that of whoever was counted least."""
    for at, (known, _, _) in enumerate(slots):
        if known == mark:
            return at
    return min(range(_WAYS), key=lambda at: slots[at][2] if slots[at][1] > now else 0)
