"""Keeps what was asked lately: answers of one version of an index never change, so they never get old."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
MOST_BYTES = 32 * 2**20
#: Larger answers are not kept: a few of them would push out all others.
MOST_OF_ONE = 2**20
#: What keeping an answer takes beside it.
_EACH = 1_000


class Cache:
    """Answers by question, the oldest forgotten first. From any thread.

    Parameters
    ----------
    most
        Bytes in all.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Answer], size: Callable[[Answer], int]) -> Answer:
        """The answer, made if it is not kept. Two who ask at once may both make it."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: Answer = self._kept[key][0]
                return found
        made = make()
        self._keep(key, made, size(made) + _EACH)
        return made

    def _keep(self, key: Hashable, made: object, size: int) -> None:
        if size > MOST_OF_ONE:
            return
        with self._lock:
            self._size += size - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = (made, size)
            while self._size > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone
