"""What is looked up at most so often, however many ask: while one looks, the others are told what was found before."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")

FRESH = 2.0  # seconds
_SHARE = 10  # looking takes a tenth of the time at most


class SingleFlightCache(Generic[Found]):
    def __init__(self, look: Callable[[], Found]) -> None:
        self._look = look
        self._turn = threading.Lock()
        self._found: tuple[Found] | None = None
        self._until = float("-inf")

    def __call__(self) -> Found:
        while True:
            found = self._found
            if found and time.monotonic() < self._until:
                return found[0]
            if self._turn.acquire(blocking=found is None):
                try:
                    return self._refreshed()
                finally:
                    self._turn.release()
            if found:
                return found[0]

    def _refreshed(self) -> Found:
        if self._found and time.monotonic() < self._until:  # somebody looked while this one waited
            return self._found[0]
        began = time.monotonic()
        looked = self._look()
        self._until = time.monotonic() + max(FRESH, _SHARE * (time.monotonic() - began))
        self._found = (looked,)
        return looked
