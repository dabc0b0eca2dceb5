"""Counting ahead: a busy source's requests are counted some at a time, so that not each asks Redis."""

import threading
import time
from dataclasses import dataclass

SHARE = 100  # of a limit, one part in so many may be counted ahead
MOST = 256
QUICKLY = 0.25  # seconds in which what was counted is used up by a source that is busy
KEPT = 1.0  # second; what is not used by then is given up


@dataclass
class _Counted:
    """size: how many were counted last, at `at`. left: those of them that nobody has come for yet."""

    size: int = 1
    left: int = 0
    at: float = 0.0


class Ahead:
    """For each key, how many requests are counted already. Nothing passes that was not counted before: a limit is never
    exceeded, and at most a hundredth of it is given away. A source that is not busy is counted one by one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, ...], _Counted] = {}

    def take(self, key: tuple[str, ...]) -> bool:
        """Whether this one was counted already."""
        with self._lock:
            counted = self._counted.get(key)
            if counted is None or not counted.left or time.monotonic() > counted.at + KEPT:
                return False
            counted.left -= 1
            return True

    def next(self, key: tuple[str, ...], amount: int) -> int:
        """How many to count now, this one with them: twice as many as last time, where those were used up quickly.

        amount: what the limit allows in its time.
        """
        with self._lock:
            counted = self._counted.setdefault(key, _Counted())
            busy = not counted.left and time.monotonic() < counted.at + QUICKLY
            return max(1, min(counted.size * 2, amount // SHARE, MOST)) if busy else 1

    def counted(self, key: tuple[str, ...], size: int) -> None:
        """So many were counted, and one of them has come."""
        with self._lock:
            self._counted[key] = _Counted(size, size - 1, time.monotonic())
