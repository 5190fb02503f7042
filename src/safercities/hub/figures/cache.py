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
    most, most_of_one
        Bytes in all, and of the largest answer that is kept.
    """

    def __init__(self, most: int = MOST_BYTES, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one, self._size = most, most_of_one, 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Answer], size: Callable[[Answer], int]) -> Answer:
        """The answer, made if it is not kept. Two who ask at once may both make it."""
        found: Answer | None = self.find(key)
        if found is not None:
            return found
        made = make()
        self.keep(key, made, size(made))
        return made

    def find(self, key: Hashable) -> Any:
        """The answer that is kept; else None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Hashable, made: object, size: int) -> None:
        """Keep an answer of so many bytes, unless it is too large."""
        if size > self._most_of_one:
            return
        size += _EACH
        with self._lock:
            self._size += size - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = (made, size)
            while self._size > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._size = 0
