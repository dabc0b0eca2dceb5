"""What the ledger said a moment ago: asked once in some seconds, whoever comes meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

FRESH = 2.0  # seconds; what is revoked is so for every receiver within them
MOST = 1000  # things that are remembered
Value = TypeVar("Value")


class TtlCache(Generic[Value]):
    """By a text. None is not remembered: what is not there may come at any moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Value]] = {}

    def ask(self, key: str, look: Callable[[], Value | None]) -> Value | None:
        """What is known of it; else what `look` finds."""
        with self._lock:
            until, value = self._known.get(key, (0.0, None))
        if time.monotonic() < until:
            return value
        if (found := look()) is not None:
            self._put(key, time.monotonic() + FRESH, found)
        return found

    def change(self, key: str, value: Value) -> None:
        """It is known to be different now; it is asked for again no later than it would have been."""
        with self._lock:
            until, _ = self._known.get(key, (0.0, value))
        self._put(key, until if time.monotonic() < until else time.monotonic() + FRESH, value)

    def _put(self, key: str, until: float, value: Value) -> None:
        with self._lock:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (until, value)
