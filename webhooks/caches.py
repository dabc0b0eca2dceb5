"""Two small caches: one value that a single thread reloads while the others get the last one; values by key with a TTL.

Why not cachetools: docs/decisions/0004-http-api-schemas.md.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

# Seconds that a loaded value is kept at least.
FRESH = 2.0
# A value is kept for this many times as long as it took to load: loading takes a tenth of the time at most.
_TIMES_LOADING = 10
# Seconds within which every receiver refuses a revoked token or session.
TTL = 2.0
# Keys of a TtlCache.
MOST = 1000


def _scale_to_cost(seconds: float) -> float:
    return max(FRESH, _TIMES_LOADING * seconds)


class SingleFlightCache(Generic[Value]):
    """Loads a value in one thread at a time. Other threads get the last value meanwhile; they wait only for the first.

    keep_for: returns the seconds to keep a value, given the seconds that loading took.
    """

    def __init__(self, load: Callable[[], Value], *, keep_for: Callable[[float], float] = _scale_to_cost) -> None:
        self._load = load
        self._keep_for = keep_for
        self._loading = threading.Lock()
        self._last: tuple[Value] | None = None
        self._until = float("-inf")

    def __call__(self) -> Value:
        """Raises what loading raises; the next caller then loads again."""
        while True:
            last = self._last
            if last and time.monotonic() < self._until:
                return last[0]
            if self._loading.acquire(blocking=last is None):
                try:
                    return self._reload()
                finally:
                    self._loading.release()
            if last:
                return last[0]

    def _reload(self) -> Value:
        if self._last and time.monotonic() < self._until:  # another thread loaded while this one waited
            return self._last[0]
        began = time.monotonic()
        value = self._load()
        ended = time.monotonic()
        self._until = ended + self._keep_for(ended - began)
        self._last = (value,)
        return value


class TtlCache(Generic[Value]):
    """Keeps values by key for TTL seconds. None is not kept: a missing row may be written at any moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[float, Value]] = {}

    def get(self, key: str, load: Callable[[], Value | None]) -> Value | None:
        with self._lock:
            until, value = self._entries.get(key, (0.0, None))
        if time.monotonic() < until:
            return value
        if (loaded := load()) is not None:
            self._put(key, time.monotonic() + TTL, loaded)
        return loaded

    def replace(self, key: str, value: Value) -> None:
        """Replace a value that this process itself changed. It expires when the former one would have."""
        with self._lock:
            until, _ = self._entries.get(key, (0.0, value))
        self._put(key, until if time.monotonic() < until else time.monotonic() + TTL, value)

    def _put(self, key: str, until: float, value: Value) -> None:
        with self._lock:
            if len(self._entries) >= MOST:
                self._entries.clear()
            self._entries[key] = (until, value)
