"""Two small caches: a value that one thread reloads while the others get the last one, and values with a time to live.

Why neither is cachetools': docs/decisions/0004-http-api-schemas.md.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

FRESH = 2.0  # seconds that a loaded value is served at least
_SHARE = 10  # times as long as loading took, so that loading takes a tenth of the time at most
TTL = 2.0  # seconds; a revoked token or session is refused by every receiver within them
MOST = 1000  # keys of a TtlCache


def _scale_to_cost(seconds: float) -> float:
    return max(FRESH, _SHARE * seconds)


class SingleFlightCache(Generic[Value]):
    """Loads a value in one thread at a time. The others get the last value meanwhile, and wait only for the first.

    keep_for: seconds to keep a value, given the seconds that loading it took.
    """

    def __init__(self, load: Callable[[], Value], *, keep_for: Callable[[float], float] = _scale_to_cost) -> None:
        self._load = load
        self._keep_for = keep_for
        self._loading = threading.Lock()
        self._last: tuple[Value] | None = None
        self._until = float("-inf")

    def __call__(self) -> Value:
        """Raises what loading does; then the next caller loads again."""
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
        self._known: dict[str, tuple[float, Value]] = {}

    def get(self, key: str, load: Callable[[], Value | None]) -> Value | None:
        with self._lock:
            until, value = self._known.get(key, (0.0, None))
        if time.monotonic() < until:
            return value
        if (loaded := load()) is not None:
            self._put(key, time.monotonic() + TTL, loaded)
        return loaded

    def replace(self, key: str, value: Value) -> None:
        """Set a value that this process changed itself. It expires no later than the one before it would have."""
        with self._lock:
            until, _ = self._known.get(key, (0.0, value))
        self._put(key, until if time.monotonic() < until else time.monotonic() + TTL, value)

    def _put(self, key: str, until: float, value: Value) -> None:
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (until, value)
